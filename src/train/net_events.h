/* What models of events share: an example is one event of training: its user, an id, what the user met before, and what
 * the user table says; and its item, an id and what the item table says (net_sides.h). Who is asked for has all of
 * theirs as history, and no item. Events that only count as seen teach nothing and are no history.
 *
 * An item's vector is of its side alone: a model keeps them (net->kept), and answers are inner products. In training
 * ids and features are left out now and then, so that who or what lacks them is answered well; what training has no
 * event of is known by its features alone (Volkovs, Yu, Poutanen: "DropoutNet", NIPS 2017). */
#ifndef PEN_TRAIN_NET_EVENTS_H
#define PEN_TRAIN_NET_EVENTS_H

#include "train/net_sides.h"

/* Such a model's state begins with it. */
typedef struct pen__events {
    pen__net net;
    int32_t item;            /* index input of the root: which item it is */
    int32_t before, watched; /* extent and index input of the history, or -1 where none is read */
    int32_t id[2];           /* index inputs of the root, by side: the same numbers, unless left out; or -1 */
    int32_t shift;           /* real input of the root: less_popular of the item, or -1 */
    pen__sides sides;
    int64_t most;     /* of a history, its latest */
    double leave_out; /* id_dropout: asked of every example */
    /* while training, made by the first epoch: */
    pen__rows liked;     /* begin NULL: training's history serves */
    float *less_popular; /* (n_items): -log of an item's share of the events; 0 where it has none */
} pen__events;

/* In build, before anything else: which item it is, and the history. */
void pen__events_inputs(pen__events *events, const pen_model *model);

/* In build: what is known of a side, into x: its id's row of the table "user" or "item", the mean of the history's rows
 * of the table "history", its features. How many nodes: 0 .. PEN_EVENTS_KNOWN. */
enum { PEN_EVENTS_KNOWN = 4 };
int32_t pen__events_known(pen__events *events, const pen_model *model, int side, int32_t *x);

/* In build: softmax of <user, item> / temperature over the items of the batch, corrected (`logq`) for how often an item
 * is among them: as often as it is popular. */
void pen__events_softmax(pen__events *events, const pen_model *model, int32_t user, int32_t item);

int64_t pen__events_examples(const pen_model *model, const pen__train *train);
pen_status pen__events_ready(pen_model *model, const pen__train *train, pen_error *error);
void pen__events_size(pen__example *example);
void pen__events_fill(pen__example *example);
void pen__events_size_item(pen__example *example);
void pen__events_fill_item(pen__example *example);
void pen__events_bounds(const pen_model *model, int64_t *bound);
#define PEN_EVENTS_NET                                                                                                \
    .examples = pen__events_examples, .ready = pen__events_ready, .size = pen__events_size, .fill = pen__events_fill, \
    .size_kept = pen__events_size_item, .fill_kept = pen__events_fill_item, .bounds = pen__events_bounds

pen_status pen__events_begin(pen_model *model, const pen__train *train, pen_error *error);
pen_status pen__events_bind(pen_model *model, pen_error *error);
void pen__events_unbind(pen_model *model);
#define PEN_EVENTS_SLOTS                                                                                      \
    .reach = pen__sides_reach, .begin = pen__events_begin, .epoch = pen__net_epoch, .bind = pen__events_bind, \
    .unbind = pen__events_unbind, .scratch = pen__net_scratch, .factors = pen__net_factors,                   \
    .user_vector = pen__net_user_vector, .user_vectors = pen__net_user_vectors

#define PEN_EVENTS_PARAMS(USER_ID, ITEM_ID, LENGTH)                                                                   \
    PEN_P_BOOL("user_id", USER_ID, "users have a vector of their own"),                                               \
        PEN_P_BOOL("item_id", ITEM_ID, "items have a vector of their own"),                                           \
        PEN_P_BOOL("history", "1", "a user is also the mean of what came before"),                                    \
        PEN_P_INT_LOG("max_length", LENGTH, 1, 100000, "events of a history that are averaged, its latest, at most"), \
        PEN_FEATURES_PARAMS(", likewise"),                                                                            \
        PEN_P_BOOL("cold", "1", "users and items that only stand in the tables are known by their features"),         \
        PEN_P_REAL("id_dropout", "0.1", 0, 0.95,                                                                      \
                   "share of examples in which a user's id, a user's features, an item's id are left out (each by "   \
                   "itself)")

#endif
