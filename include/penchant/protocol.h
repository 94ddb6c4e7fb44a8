/* A protocol: which events count, how they are split, what is measured. The words are those of the command line.
 *
 * Every text field may be NULL: the default. Owned by the caller; nothing is kept after a call. Since 0.1.
 */
#ifndef PENCHANT_PROTOCOL_H
#define PENCHANT_PROTOCOL_H

#include "penchant/context.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum pen_task { PEN_TASK_RANK = 1, PEN_TASK_RATE = 2 } pen_task;

typedef struct pen_protocol {
    size_t struct_size;

    /* Which events count, in this order. */
    double min_value;          /* rows with less are dropped; NaN: none */
    const char *since, *until; /* ISO 8601 or seconds; since is kept, until is not */
    const char *duplicates;    /* "sum", "last", "first", "keep"; NULL: last when rating, sum when ranking */
    int64_t min_user_events, min_item_events, k_core; /* 0: none */
    const char *event_weight;                         /* "view=1,cart=3,buy=5": other types weigh 0 and are dropped */
    double positive;                                  /* what is worth this or more is learned and tested; NaN: all */
    int32_t weight_by_value;                          /* 1: an event weighs its value */
    int32_t task;                                     /* a pen_task; 0: PEN_TASK_RANK */

    /* The split: "ratio:0.8,0.1,0.1", "ratio-all:", "ratio-time:", "last:1", "last:1,1", "time:0.8", "time:2020-01-01",
     * "users:0.8,0.1,0.1", "folds:5". NULL: ratio-time:0.8 where there is time, else ratio:0.8. */
    const char *split;
    const char *fold_in;      /* "ratio:0.8", "last:1": what a held-out user shows; NULL: by the split */
    const char *missing_time; /* "drop", "first"; NULL: missing times stop what needs the order */
    int32_t refit;            /* 1: fitted again on training and validation before the test (default); 0: not */

    /* Measuring. */
    int32_t keep_seen;          /* 1: seen items stay in the ranking */
    int32_t drop_unknown_items; /* 1: test items that training lacks are dropped instead of missed */
    int32_t exclude_all;        /* 1: sampled candidates exclude all of a user's items, 0: those in training */
    const char *metrics;        /* "ndcg@10,recall@20"; NULL by task */
    const char *candidates;     /* "uniform:100", "popularity:100" or a file of lines `user target item item ...` */
    const char *groups;         /* "activity,popularity,cold", or NULL */
    int64_t test_users;         /* a random number of them; 0: all */
    int32_t seeds;              /* repeat with this many seeds; default 1 */
    int32_t bootstrap;          /* resamples for intervals: 0 (none) or 100 and more; default 1000 */
    uint64_t seed;              /* default 1 */
} pen_protocol;

/* Fills `protocol` with the defaults. */
PEN_API void pen_protocol_init(pen_protocol *protocol);

#ifdef __cplusplus
}
#endif
#endif
