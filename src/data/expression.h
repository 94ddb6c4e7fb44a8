/* The small languages of a protocol: split specs, fold-in specs, event weights, moments in time, candidates.
 *
 * Every refusal says what was given, what is allowed, and where it can the nearest word. No allocation.
 */
#ifndef PEN_DATA_EXPRESSION_H
#define PEN_DATA_EXPRESSION_H

#include "base/text.h"

enum pen__family {
    PEN_SPLIT_RATIO = 1,  /* a share of each user's events, at random */
    PEN_SPLIT_RATIO_ALL,  /* a share of all events, at random */
    PEN_SPLIT_RATIO_TIME, /* each user's latest */
    PEN_SPLIT_LAST,       /* a number of each user's latest */
    PEN_SPLIT_TIME,       /* one cut for all */
    PEN_SPLIT_USERS,      /* held-out users */
    PEN_SPLIT_FOLDS       /* k-fold over all events */
};

typedef struct pen__split_spec {
    int32_t family;
    bool one;                      /* one number: validation is a tenth of training (`last`: the one before) */
    bool dated;                    /* time: at moments, not at shares */
    double valid, test;            /* shares, where the family has shares; valid is 0 with `one` */
    int64_t n_valid, n_test;       /* last */
    int64_t valid_from, test_from; /* dated: milliseconds since 1970; valid_from has no meaning with `one` */
    int32_t n_folds;
} pen__split_spec;

pen_status pen__split_spec_parse(const char *text, pen__split_spec *spec, pen_error *error);

/* What of a held-out user's n events is tested: "ratio:0.8" shows 0.8 of them at random, "ratio-time:0.8" the first
 * 0.8, "last:1" all but the last one. Comes back as a spec without validation. */
pen_status pen__fold_in_parse(const char *text, pen__split_spec *spec, pen_error *error);

/* How many of n events in order are validation and test: floored shares; a share above 0 gets one where training keeps
 * one, test before validation; `last` tests its number or nobody's. */
void pen__split_counts(const pen__split_spec *spec, int64_t n, int64_t *n_valid, int64_t *n_test);

/* "2020-01-31", "2020-01-31T12:00:00Z", "2020-01-31 12:00:00+02:00", or seconds since 1970 as a number: milliseconds.
 */
bool pen__moment_parse(pen__span text, int64_t *milliseconds);

/* One "name=weight" of "view=1,cart=3": advances *rest. PEN_E_ARGUMENT for anything but a name and a finite weight >=
 * 0. */
pen_status pen__event_weight_next(pen__span *rest, pen__span *name, double *weight, pen_error *error);

enum pen__candidates { PEN_CANDIDATES_ALL = 0, PEN_CANDIDATES_UNIFORM, PEN_CANDIDATES_POPULARITY, PEN_CANDIDATES_FILE };

/* NULL: all. "uniform:N", "popularity:N" with N of 1 to 2^31 - 1; anything else is the path of a file. */
pen_status pen__candidates_parse(const char *text, int *kind, int64_t *n, pen_error *error);

#endif
