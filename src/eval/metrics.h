/* The metrics: their names, what they need, and the formulas of one case. */
#ifndef PEN_EVAL_METRICS_H
#define PEN_EVAL_METRICS_H

#include <stdbool.h>

#include "eval/evaluate.h"

/* What a metric is made of. */
enum pen__metric_needs {
    PEN_NEEDS_PLACES = 1, /* the places of a case's targets */
    PEN_NEEDS_LIST = 2,   /* the case's list, targets or not */
    PEN_NEEDS_LISTS = 3,  /* all lists together: no value of one case */
    PEN_NEEDS_RATINGS = 4 /* predicted ratings */
};

/* The needs of a kind. */
int32_t pen__metric_needs(int32_t kind);

/* The targets of one case on their way to a value. */
typedef struct pen__places {
    const int32_t *place; /* of those that are ranked, rising, from 1 */
    int64_t n;            /* how many are ranked */
    int64_t n_targets;    /* all of them: those that are not ranked are misses */
    int64_t n_ranked;     /* items that were ranked, for AUC */
} pen__places;

/* Value of a PEN_NEEDS_PLACES metric; NaN where there is no target. */
double pen__metric_of_places(const pen__metric *metric, const pen__places *places);

/* Gini coefficient of how often each of n items was shown; the counts are sorted. NaN where nothing was shown. */
double pen__gini(int64_t *shown, int64_t n);

#endif
