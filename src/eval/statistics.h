/* Bootstrap intervals over cases. */
#ifndef PEN_EVAL_STATISTICS_H
#define PEN_EVAL_STATISTICS_H

#include "eval/evaluate.h"

/* A ratio of sums over cases: sum of weighted numerators over sum of weighted denominators (NULL: as the series before). */
typedef struct pen__series {
    const double *numerator, *denominator;
} pen__series;

/* Fills low and high of each metric with a value per case. */
pen_status pen__intervals(pen__scores *scores, int32_t resamples, uint64_t seed, pen_error *error);

/* What metric m sums over cases: values of each case in numerator and denominator (n_cases each). */
void pen__series_of(const pen__scores *scores, int32_t m, double *numerator, double *denominator);

/* The metric from the ratio: the root for RMSE. */
double pen__of_ratio(int32_t kind, double ratio);

#endif
