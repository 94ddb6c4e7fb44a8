/* What models of bags share: an example is up to `positives` of a user's events as targets, and the user's history as a
 * bag, computed once for all of them, beside what the tables say of the user and of the bag's items (net_sides.h). How
 * events meet in an example is dealt anew in each epoch; of a history longer than max_length a part is drawn that is in
 * a row in order of time. Answers: the bag of the history's last max_length items.
 *
 * A target is in its own history's bag, or, with `apart`, an example's targets are left out of it; with `rollback` the
 * bag is what came before the target, which stands alone. With `age` a target says how long before the end of training
 * it was, from 0 to 1; an answer is of now (Covington et al., RecSys 2016). */
#ifndef PEN_TRAIN_NET_BAGS_H
#define PEN_TRAIN_NET_BAGS_H

#include "train/net_draws.h"
#include "train/net_sides.h"

/* Training's times, in milliseconds. */
typedef struct pen__ages {
    int64_t first, last, mean;
} pen__ages;

/* Such a model's state begins with it. */
typedef struct pen__bags {
    pen__net net;
    int32_t bag, watched;    /* the history: extent and index input */
    int32_t targets, target; /* likewise; an answer has one where there is an age, else none */
    int32_t age;             /* node of the targets, or -1 */
    bool apart, rollback;
    pen__drawn drawn;      /* the loss's negatives */
    pen__sides sides;      /* of the user; of the items of the history */
    double leave_features; /* feature_dropout: asked of every example */
    /* while training, made by the first epoch: */
    pen__rows liked; /* see pen__rows_liked */
    int64_t *first;  /* (n_users + 1): the first example of each user */
    pen__ages ages;
} pen__bags;

/* In build, the inputs: history, targets, age; of negatives there are none yet. */
void pen__bags_inputs(pen__bags *bags, const pen_model *model);

/* In build: what is known of the user, into x: the mean of the history's rows of `table`, the features, and the
 * age, which alone is of the targets. How many nodes: 1 .. PEN_BAGS_KNOWN. */
enum { PEN_BAGS_KNOWN = 6 };
int32_t pen__bags_known(pen__bags *bags, const pen_model *model, int32_t table, int32_t *x);

/* Slots. ready: PEN_E_INPUT where an age is asked for, and there are no times. */
int64_t pen__bags_examples(const pen_model *model, const pen__train *train);
int32_t pen__bags_batch(const pen_model *model);
pen_status pen__bags_ready(pen_model *model, const pen__train *train, pen_error *error);
void pen__bags_size(pen__example *example);
void pen__bags_fill(pen__example *example);
void pen__bags_bounds(const pen_model *model, int64_t *bound);
#define PEN_BAGS_NET                                                                                            \
    .examples = pen__bags_examples, .batch = pen__bags_batch, .ready = pen__bags_ready, .size = pen__bags_size, \
    .fill = pen__bags_fill, .bounds = pen__bags_bounds

pen_status pen__bags_begin(pen_model *model, const pen__train *train, pen_error *error);
pen_status pen__bags_bind(pen_model *model, pen_error *error);
void pen__bags_unbind(pen_model *model);
#define PEN_BAGS_SLOTS                                                                                     \
    .begin = pen__bags_begin, .epoch = pen__net_epoch, .bind = pen__bags_bind, .unbind = pen__bags_unbind, \
    .scratch = pen__net_scratch, .factors = pen__net_factors, .user_vector = pen__net_user_vector,         \
    .user_vectors = pen__net_user_vectors

#define PEN_BAGS_FEATURES                                                                          \
    PEN_FEATURES_PARAMS(", likewise: words of the watched items are averaged (genres)"),           \
        PEN_P_REAL("feature_dropout", "0.1", 0, 0.95,                                              \
                   "share of examples in which a user's features are left out, so that who lacks " \
                   "them is answered well")

#define PEN_BAGS_PARAMS(LENGTH, POSITIVES)                                                                           \
    PEN_P_INT_LOG("max_length", LENGTH, 1, 100000, "events of a history that are averaged, at most"),                \
        PEN_P_INT_LOG("positives", POSITIVES, 1, 1000,                                                               \
                      "of a user's events that share one pass through the tower, at most"),                          \
        PEN_P_BOOL("apart", "0",                                                                                     \
                   "an example's targets are left out of its history, which wants few positives (1 or 2): who has "  \
                   "no more events than those has no history then"),                                                 \
        PEN_P_BOOL("rollback", "0",                                                                                  \
                   "a target's history is what came before it, in the file where there are no times (positives=1)"), \
        PEN_P_BOOL("age", "0",                                                                                       \
                   "how long before the end of training an event was goes into the tower; an answer is of now")

#endif
