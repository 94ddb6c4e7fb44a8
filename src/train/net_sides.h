/* What the tables say of users and items as inputs of a network: one bag of words and one vector of numbers for each
 * side (train/net_features.h), by the parameters user_features and item_features.
 *
 * A user's row is read as it is. Items' rows are for one of two things: an item's own vector, which the model keeps
 * (net->kept), so that answers go without them; or, `watched`, the items of a history: their words are averaged, in
 * answers too. */
#ifndef PEN_TRAIN_NET_SIDES_H
#define PEN_TRAIN_NET_SIDES_H

#include "train/net_features.h"

/* The inputs of one side in a plan: an extent of the words, their index input and weights; the numbers of the root. -1:
 * there are none. */
typedef struct pen__feature_inputs {
    int32_t extent, word;
    int32_t weight, number; /* real inputs */
} pen__feature_inputs;

/* Indices: PEN_SIDE_USER, PEN_SIDE_ITEM. */
typedef struct pen__sides {
    pen__features features[2];
    pen__feature_inputs in[2];
} pen__sides;

/* For begin and bind, before those of the network: the tensors of both sides. */
pen_status pen__sides_add(pen_model *model, const pen__train *train, bool watched, pen_error *error);
pen_status pen__sides_bind(const pen_model *model, bool watched, pen__sides *sides, pen_error *error);

/* For build: appends a side's inputs and the table of its words ("user.word" or "item.word", rows of `factors`); the
 * nodes (root, factors) and (root, numbers) that there are go to x[0 ..]; returns how many. */
int32_t pen__sides_inputs(const pen_model *model, pen__plan *plan, pen__sides *sides, int side, bool watched,
                          int32_t *x);

/* For size, which adds up over its calls, and fill, all at once: the words of n of a side's rows, each weighing 1/n,
 * and of one row its numbers. Row -1 is missing. */
void pen__sides_size(const pen__sides *sides, int side, const int32_t *row, int64_t n, pen__example *example);
void pen__sides_fill(const pen__sides *sides, int side, const int32_t *row, int64_t n, pen__example *example);

/* For bounds: an answer reads n rows of that side. */
void pen__sides_bounds(const pen__sides *sides, int side, int64_t n, int64_t *bound);

/* The slot `reach` of models with a parameter `cold`: who and what only stands in a table that is read is known. */
void pen__sides_reach(const pen__model_class *class, const pen__params *params, bool *users, bool *items);

/* What has no event is known by its features alone: its rows in the table of ids, if the model has one of that name,
 * are zero, and stay so. For begin, behind that of the network. */
void pen__sides_untaught(pen_model *model, const char *table, const pen__rows *events);

#endif
