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

#define PEN_PAIRS_PARAMS(NEGATIVES)                                                                     \
    {.name = "negatives",                                                                               \
     .type = PEN_PARAM_INT,                                                                             \
     .standard = NEGATIVES,                                                                             \
     .low = 1,                                                                                          \
     .high = 1000,                                                                                      \
     .log_scale = 1,                                                                                    \
     .doc = "items drawn against each event, anew in each epoch"},                                      \
    {                                                                                                   \
        .name = "sampler", .type = PEN_PARAM_CHOICE, .standard = "unseen", .choices = "unseen|uniform", \
        .doc = "negatives are drawn alike, from what the user has no event with, or from everything"    \
    }

#define PEN_TOWER_PARAMS                                                                                  \
    {.name = "factors",                                                                                   \
     .type = PEN_PARAM_INT,                                                                               \
     .standard = "64",                                                                                    \
     .low = 1,                                                                                            \
     .high = 512,                                                                                         \
     .log_scale = 1,                                                                                      \
     .doc = "width of the last hidden layer, and length of the inner product's vectors"},                 \
        {.name = "layers",                                                                                \
         .type = PEN_PARAM_INT,                                                                           \
         .standard = "2",                                                                                 \
         .low = 1,                                                                                        \
         .high = 6,                                                                                       \
         .doc = "hidden layers; each is half as wide as the one before it"},                              \
        {.name = "dropout",                                                                               \
         .type = PEN_PARAM_REAL,                                                                          \
         .standard = "0",                                                                                 \
         .low = 0,                                                                                        \
         .high = 0.9,                                                                                     \
         .doc = "share of hidden numbers left out in training"},                                          \
    {                                                                                                     \
        .name = "init", .type = PEN_PARAM_REAL, .standard = "0.01", .low = 0, .high = 10, .log_scale = 1, \
        .doc = "standard deviation of the embeddings' first values"                                       \
    }

#endif
