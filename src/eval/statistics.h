/* Statistics over cases: what a metric sums, and its bootstrap intervals. */
#ifndef PEN_EVAL_STATISTICS_H
#define PEN_EVAL_STATISTICS_H

#include "eval/evaluate.h"

/* The metric from sum of values / sum of weights: the root for RMSE. */
double pen__of_ratio(int32_t kind, double ratio);

/* What a case weighs in metric m: 0 where it has no value, the number of ratings for RMSE and MAE, else 1. */
double pen__case_weight(const pen__scores *scores, int32_t m, int64_t c);

/* Fills whole and count of each metric from its cases: the mean over those that have a value, over ratings for RMSE and
 * MAE. */
void pen__scores_sum(pen__scores *scores);

/* Fills low and high of each metric that has values of cases; resamples 0: none. */
pen_status pen__intervals(pen__scores *scores, int32_t resamples, uint64_t seed, pen_error *error);

#endif
