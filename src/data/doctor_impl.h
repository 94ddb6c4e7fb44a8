/* The doctor's findings: counted in doctor_count.c and doctor_split.c, written and judged in doctor.c and verdict.c. */
#ifndef PEN_DATA_DOCTOR_IMPL_H
#define PEN_DATA_DOCTOR_IMPL_H

#include "data/alike.h"
#include "data/doctor.h"

enum { PEN_N_BUCKETS = 10, PEN_N_VALUES = 24, PEN_N_TIME_BINS = 24, PEN_N_CURVE = 40, PEN_N_TOP = 10 };

/* Events of users, or of items: 1, 2, 3-4, 5-9, 10-19, 20-49, 50-99, 100-499, 500-999, 1000 and more. */
extern const int32_t pen__bucket_least[PEN_N_BUCKETS];

typedef struct pen__spread {
    int64_t n, unused; /* ids with events; ids without */
    int64_t least, most;
    double mean, median;
    int64_t bucket[PEN_N_BUCKETS];
    int32_t top[PEN_N_TOP]; /* ids with the most events, -1 where there are fewer */
    int64_t top_events[PEN_N_TOP];
    double gini;
    double top_percent; /* share of the events of the hundredth with the most (at least one id) */
    int32_t n_curve;
    double curve[PEN_N_CURVE][2]; /* share of the ids, most events first; share of the events */
    int64_t rank[PEN_N_CURVE][2]; /* place, events of the id there: for a plot with logarithmic axes */
} pen__spread;

typedef struct pen__values {
    bool any, different_exact; /* different_exact: `value` lists each; else `value` are the lower ends of bins */
    int64_t missing, negative, zero, n;
    double least, most, mean, median;
    int32_t n_value;
    double value[PEN_N_VALUES], width;
    int64_t events[PEN_N_VALUES];
} pen__values;

typedef struct pen__times {
    bool any, is_date; /* is_date: after 1980: else it is some other whole number, as an order */
    int64_t missing, n, least, most, future, before_1980;
    int64_t commonest, commonest_events; /* among at most a million events, evenly taken: events scaled to all */
    int64_t tied;                        /* events that share user and time with another */
    int64_t bin[PEN_N_TIME_BINS];
} pen__times;

typedef struct pen__split_findings {
    bool tried, failed;
    char message[PEN_MESSAGE_BYTES];
    char *filters, *parts; /* notes */
    int64_t test_events, test_users, cold_users, cold_user_events, cold_items,
        cold_item_events; /* against training and validation */
    int64_t repeated;     /* test events whose pair is in training */
    int64_t train_events, after_own,
        after_first; /* training's events later than the same user's first test event; than anyone's */
} pen__split_findings;

typedef struct pen__findings {
    const pen_dataset *data;
    const pen_protocol *protocol;
    int64_t pairs, repeated_pairs, repeated_events, same_rows;
    pen__spread users, items;
    pen__values values;
    pen__times times;
    pen__alike alike_users, alike_items;
    pen__split_findings split;
} pen__findings;

pen_status pen__doctor_count(pen__findings *f, pen_error *error);
pen_status pen__doctor_split(pen__findings *f, pen_error *error);

/* The list of {"severity", "what", "do"}, a JSON array: worst first. */
void pen__doctor_verdict(const pen__findings *f, pen__text *out);

/* "2020-01-31T12:00:00Z" of milliseconds. */
void pen__text_moment(pen__text *out, int64_t milliseconds);

#endif
