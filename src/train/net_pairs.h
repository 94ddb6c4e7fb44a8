/* What models of (user, item) pairs with user embeddings share: mf, gmf, mlp, neumf. An example is an event and its
 * drawn negatives: the user stands once (root), the items are its children, labelled 1 and 0.
 *
 * Fold-in: a user whom the model lacks has rows of their own that are learned from the history with all else fixed
 * (nn/solve.c), from zero, with negatives drawn by (seed, step, event), so that leaving one event out changes no
 * other's draws. */
#ifndef PEN_TRAIN_NET_PAIRS_H
#define PEN_TRAIN_NET_PAIRS_H

#include "train/net.h"

/* The inputs of such a plan. */
typedef struct pen__pairs {
    int32_t user;  /* index input, root */
    int32_t item;  /* index input, extent items */
    int32_t label; /* node (items, 1) */
    int32_t items; /* the extent */
} pen__pairs;

pen__pairs pen__pairs_inputs(pen__plan *plan, pen__net *net);

/* The perceptron of mlp and neumf on user and item embeddings of factors 2^(layers - 1) each (tables "PREFIXuser",
 * "PREFIXitem"): layers of halving width down to `factors`, ReLU, dropout. -> (items, factors) */
int32_t pen__pairs_tower(pen__plan *plan, pen__net *net, const pen_model *model, const pen__pairs *in,
                         const char *prefix);

int64_t pen__pairs_examples(const pen_model *model, const pen__train *train);
int32_t pen__pairs_batch(const pen_model *model);
void pen__pairs_size(pen__example *example);
void pen__pairs_fill(pen__example *example);
#define PEN_PAIRS_NET \
    .examples = pen__pairs_examples, .batch = pen__pairs_batch, .size = pen__pairs_size, .fill = pen__pairs_fill

#define PEN_PAIRS_SLOTS .bind = pen__pairs_bind, .scratch = pen__pairs_scratch

/* Slots: bind (builds answers and fold-in), scratch, user_vector where net->user is set, score where net->score is. */
pen_status pen__pairs_bind(pen_model *model, pen_error *error);
size_t pen__pairs_scratch(const pen_model *model);
pen_status pen__pairs_user_vector(const pen_model *model, const pen__user *user, void *scratch, float *out,
                                  pen_error *error);
pen_status pen__pairs_score(const pen_model *model, const pen__user *user, void *scratch, float *scores,
                            pen_error *error);
/* item NULL: 0 .. n - 1. */
pen_status pen__pairs_score_some(const pen_model *model, const pen__user *user, const int32_t *item, int64_t n,
                                 void *scratch, float *scores, pen_error *error);

#define PEN_PAIRS_PARAMS(NEGATIVES)                                                                       \
    PEN_P_INT_LOG("negatives", NEGATIVES, 1, 1000, "items drawn against each event, anew in each epoch"), \
        PEN_P_CHOICE("sampler", "unseen", "unseen|uniform",                                               \
                     "negatives are drawn alike, from what the user has no event with, or from everything")

#define PEN_TOWER_PARAMS                                                                            \
    PEN_P_INT_LOG("factors", "64", 1, 512,                                                          \
                  "width of the last hidden layer, and length of the inner product's vectors"),     \
        PEN_P_INT("layers", "2", 1, 6, "hidden layers; each is half as wide as the one before it"), \
        PEN_P_REAL("dropout", "0", 0, 0.9, "share of hidden numbers left out in training"),         \
        PEN_P_REAL_LOG("init", "0.01", 0, 10, "standard deviation of the embeddings' first values")

#endif
