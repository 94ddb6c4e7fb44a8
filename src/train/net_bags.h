/* What models of bags share: an example is up to `positives` of a user's events as targets, and the user's history as a
 * bag, computed once for all of them. How events meet in an example is dealt anew in each epoch; of a history longer
 * than max_length a part is drawn that is in a row in order of time. Answers: the bag of the history's last max_length
 * items.
 *
 * A target is in its own history's bag, or, with `apart`, an example's targets are left out of it; with `rollback` the
 * bag is what came before the target, which stands alone. With `age` a target says how long before the end of training
 * it was, from 0 to 1; an answer is of now (Covington et al., RecSys 2016). */
#ifndef PEN_TRAIN_NET_BAGS_H
#define PEN_TRAIN_NET_BAGS_H

#include "train/net_draws.h"
#include "train/net_features.h"

/* Training's times, in milliseconds. */
typedef struct pen__ages {
    int64_t first, last, mean;
} pen__ages;

typedef struct pen__bags {
    int32_t bag, watched;    /* the history: extent and index input */
    int32_t targets, target; /* likewise; an answer has one where there is an age, else none */
    int32_t age;             /* node of the targets, or -1 */
    bool apart, rollback;
    pen__drawn drawn; /* the loss's negatives */
    /* while training, made by the first epoch: */
    pen__rows liked; /* see pen__rows_liked */
    int64_t *first;  /* (n_users + 1): the first example of each user */
    pen__ages ages;
} pen__bags;

/* The inputs: history, targets, age; of negatives there are none yet. */
void pen__bags_inputs(pen__plan *plan, pen__bags *bags, const pen_model *model);

int64_t pen__bags_examples(const pen__bags *bags, const pen__train *train);
int32_t pen__bags_batch(const pen_model *model);
/* For `ready`: once. PEN_E_INPUT: an age is asked for, and there are no times. */
pen_status pen__bags_ready(const pen_model *model, pen__bags *bags, const pen__train *train, pen_error *error);
void pen__bags_free(pen_context *ctx, pen__bags *bags);

/* For size and fill: rows and inputs of the example. -> whose history it is (-1: nobody whom training knows, or the
 * batch's shared rows). words: of the history's items, by `features`, where these are not NULL. */
int32_t pen__bags_size(const pen__bags *bags, pen__example *example, const pen__features *features, int64_t *words);
int32_t pen__bags_fill(const pen__bags *bags, pen__example *example);

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
