/* How the negatives that a batch or an example shares are drawn: alike, by popularity^alpha, or log-uniform in the rank
 * of popularity; and the logQ correction of a sampled softmax for how often an item is drawn (Bengio, Senecal 2008).
 * And what the scores of such losses are: inner products or cosines, with a bias of each item or without.
 *
 * log-uniform: q(rank) ~ log((rank + 2) / (rank + 1)), rank 0 the item with most events (TensorFlow's candidate
 * sampler). One alias table serves both: O(1) a draw, 12 bytes an item. */
#ifndef PEN_TRAIN_NET_DRAWS_H
#define PEN_TRAIN_NET_DRAWS_H

#include "data/sampler.h"
#include "train/net.h"

typedef struct pen__draws {
    pen__alias *alias; /* (n); NULL: uniform */
    float *log_q;      /* (n): logarithm of how often an item is drawn; for one never drawn that of the least drawn */
    int32_t n;
} pen__draws;

/* By the model's parameters, from training's events. Freed by pen__draws_free, which may meet zeros. */
pen_status pen__draws_make(const pen_model *model, const pen__train *train, pen__draws *draws, pen_error *error);
void pen__draws_free(pen_context *ctx, pen__draws *draws);

/* Items that are drawn once a batch, or once an example, and shared by its rows, in a plan. */
typedef struct pen__drawn {
    int32_t extent, item;        /* their extent, shared or a child of the root, and its index input; or -1 */
    bool each;                   /* drawn for each example */
    int32_t target_shift, shift; /* real inputs: -log q of the targets and of what is drawn, or -1 */
    pen__draws draws;            /* what they are drawn by: made before the first epoch */
} pen__drawn;

/* No inputs: for build, before anything else. */
static inline void pen__drawn_none(pen__drawn *drawn)
{
    drawn->extent = drawn->item = drawn->target_shift = drawn->shift = -1;
}

/* For build, before anything reads an item: net->cosine and net->item_bias by the parameters `temperature` and
 * `bias`. drawn: the model's loss will be pen__drawn_loss; with any other the plan fails where either is given, and
 * where the temperature is above 0 and below 0.001. */
void pen__drawn_begin(pen__net *net, const pen_model *model, bool drawn);

/* In build, behind it: the loss is of cosines as they are (ccl): the plan fails where a temperature or a bias is
 * given. */
void pen__drawn_cosines(pen__net *net, const pen_model *model);

/* In build: a user's vector as scores have it: of length 1 / temperature, where there is one. pen__drawn_loss does it
 * to h. */
int32_t pen__drawn_asked(pen__net *net, const pen_model *model, int32_t user);

/* Appends the inputs and the loss how->kind of vectors h, one for each target (rows of `targets`, an extent; index
 * input how->target), against the parameter `negatives` items drawn (PEN_DRAWS_PARAMS) for the batch or, with `each`,
 * for each example; rows of net->item_table are the items' vectors, net->item_bias their biases. A softmax is
 * corrected for how often they are drawn, where they are not drawn alike. */
void pen__drawn_loss(pen__net *net, const pen_model *model, pen__drawn *drawn, int32_t targets, int32_t h, bool each,
                     pen__sampled how);

/* For size and fill, of every example and of the batch's shared rows (number -1): what is drawn there, nothing for an
 * answer; and target `k` of an example. */
void pen__drawn_size(const pen__drawn *drawn, pen__example *example);
void pen__drawn_fill(const pen__drawn *drawn, pen__example *example);
static inline void pen__drawn_target(const pen__drawn *drawn, pen__example *example, int64_t k, int32_t item)
{
    if (drawn->target_shift >= 0) example->real[drawn->target_shift][k] = -drawn->draws.log_q[item];
}

/* Ends the formula of a model that has both. */
#define PEN_DRAWN_FORMULA "\nwith temperature, bias: score(u, i) = cos(u, e_i) / temperature + b_i"

/* SOFTMAX: the loss that logq is for; DRAWN: all those that are pen__drawn_loss. */
#define PEN_DRAWS_PARAMS(SOFTMAX, DRAWN)                                                                   \
    PEN_P_CHOICE("sampler", "uniform", "uniform|popularity|log-uniform",                                   \
                 "how negatives are drawn: alike, by popularity^alpha, log-uniform in popularity's rank"), \
        PEN_P_REAL("alpha", "0.75", 0, 4, "power of popularity"),                                          \
        PEN_P_BOOL("logq", "1", "scores are corrected for how often an item is drawn (" SOFTMAX ")"),      \
        PEN_P_BOOL("bias", "0", "items have a bias each, part of their scores (" DRAWN ")"),               \
        PEN_P_REAL_LOG("temperature", "0", 0, 10,                                                          \
                       "0.001 or more: scores are cosines divided by it (" DRAWN "); 0: inner products")

#endif
