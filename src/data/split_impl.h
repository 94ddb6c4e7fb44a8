/* What the families of splits share. For split.c and the files split_*.c. */
#ifndef PEN_DATA_SPLIT_IMPL_H
#define PEN_DATA_SPLIT_IMPL_H

#include "data/expression.h"
#include "data/interactions.h"
#include "data/order.h"

typedef struct pen__splitting {
    const pen__log *log;
    const pen_protocol *protocol;
    uint64_t seed;
    int32_t fold;
    pen__split_spec spec;
    const char *text;            /* the spec as given or by default */
    uint8_t *part;               /* log->n, all PEN_PART_TRAIN at first */
    int64_t cut_valid, cut_test; /* split by time: milliseconds, INT64_MIN where there is none; for the notes */
} pen__splitting;

static inline bool pen__is_positive(const pen__log *log, int64_t i) { return !log->positive || log->positive[i]; }

/* A random key of event i of the log. It comes from the event's place in the data set, so that it does not depend on
 * filters, and the mixer is one to one: no two events have the same. `arg` of both is a pen__splitting. */
uint64_t pen__split_random_key(const void *arg, int64_t i);
uint64_t pen__split_time_key(const void *arg,
                             int64_t i); /* by time, missing first; the order of the file where there is none */

/* Fails where an event of the log among those with take (NULL: all of the log's own) has no time and nobody said what
 * to do. */
pen_status pen__split_need_times(const pen__splitting *s, pen__take_fn take, const char *why, pen_error *error);

/* Gives a user's events, in order, their parts from the end: test, validation, the rest stays. Only positive events are
 * counted; the others go with their neighbours. `index` are n events; the parts' numbers are given. */
void pen__split_tail(const pen__log *log, uint8_t *part, const int64_t *index, int64_t n, int64_t n_valid,
                     int64_t n_test, uint8_t valid_part, uint8_t test_part);

/* The families. Each one changes s->part of training events only. */
pen_status pen__split_by_user(pen__splitting *s, pen_error *error);  /* ratio, ratio-time, last */
pen_status pen__split_over_all(pen__splitting *s, pen_error *error); /* ratio-all, folds */
pen_status pen__split_by_time(pen__splitting *s, pen_error *error);  /* time */
pen_status pen__split_users(pen__splitting *s, pen_error *error);    /* users */
pen_status pen__split_given(pen__splitting *s, pen_error *error);    /* --test, --valid; then a family for validation */

/* Shows a held-out user's events (n, in the order of the file) by `fold_in`: history_part, or test_part for those asked
 * for. */
pen_status pen__split_show(const pen__splitting *s, const pen__split_spec *fold_in, int64_t *index, int64_t n,
                           uint8_t history_part, uint8_t test_part, pen_error *error);

#endif
