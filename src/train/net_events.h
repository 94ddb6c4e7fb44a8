/* What models of events share: an example is one event of training, a user and the item that was met, with what the
 * user met before it as a history. Who is asked for has all of theirs as history. Events that only count as seen teach
 * nothing and are no history. */
#ifndef PEN_TRAIN_NET_EVENTS_H
#define PEN_TRAIN_NET_EVENTS_H

#include "train/net.h"

typedef struct pen__events {
    int32_t item;            /* index input of the root: which item it is */
    int32_t before, watched; /* extent and index input of the history, or -1 where none is read */
    int64_t most;            /* of a history, its latest */
    /* while training, made by the first epoch: */
    pen__rows liked;     /* begin NULL: training's history serves */
    float *less_popular; /* (n_items): -log of an item's share of the events; 0 where it has none */
} pen__events;

/* The inputs; `history`: what came before is read, the parameter max_length of it at most. */
void pen__events_inputs(pen__plan *plan, pen__events *events, const pen_model *model, bool history);

int64_t pen__events_examples(const pen__events *events, const pen__train *train);
pen_status pen__events_ready(const pen_model *model, pen__events *events, const pen__train *train, pen_error *error);
void pen__events_free(pen_context *ctx, pen__events *events);

/* The event of an example, or who is asked for (item -1); for number -1 nobody and nothing. */
typedef struct pen__event {
    int32_t user, item; /* numbers, or -1 */
    int64_t n_before;
    const int32_t *end; /* the history's items end here; NULL where there are none */
} pen__event;
pen__event pen__event_of(const pen__events *events, const pen__example *example);

/* For size and fill: the history, and which item it is. */
void pen__events_size(const pen__events *events, const pen__event *event, pen__example *example);
void pen__events_fill(const pen__events *events, const pen__event *event, pen__example *example);

#endif
