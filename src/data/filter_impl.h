/* What the filters share: the log under way. For filter.c, duplicates.c and core.c. */
#ifndef PEN_DATA_FILTER_IMPL_H
#define PEN_DATA_FILTER_IMPL_H

#include "base/text.h"
#include "data/interactions.h"

/* While filters run, log->value is what an event is worth (its value) and `weight` what it weighs beside that. */
typedef struct pen__filter {
    pen__log *log;
    const pen_protocol *protocol;
    int32_t task;
    float *weight; /* n; NULL: all weigh 1 */
    uint8_t *keep; /* n: a step's verdict; pen__filter_apply drops the events with 0 */
    pen__text notes;
    int64_t n_steps;
    int64_t n_before; /* of the step that left nothing, and what it is called */
    char emptied_by[160];
} pen__filter;

/* Drops the events whose `keep` is 0, in every column, and notes what is left after `step` (a printf format). */
pen_status pen__filter_apply(pen__filter *filter, pen_error *error, const char *step, ...)
    __attribute__((format(printf, 3, 4)));

/* --duplicates: events of one user and item become one. */
pen_status pen__filter_duplicates(pen__filter *filter, pen_error *error);

/* --min-item-events, --min-user-events, --k-core. */
pen_status pen__filter_counts(pen__filter *filter, pen_error *error);

#endif
