/* The bootstrap with Poisson(1) weights (Hanley and MacGibbon, "Creating non-parametric bootstrap samples using Poisson
 * frequencies", 2006): case c stands w times in a resample, and the same w serve all series, so that one pass of random
 * numbers is enough for all metrics. Resamples of the classic kind have exactly n cases, these n on average; a metric
 * is a ratio of two sums, so the difference vanishes as n grows.
 *
 * A weight is drawn from 16 bits of a counter's hash; its probabilities are within 2^-16 of Poisson's. Cost: a quarter
 * of a hash and one multiply-add a series for each case and resample.
 */
#include "eval/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/thread.h"

enum { BLOCK = PEN_RESAMPLE_BLOCK, GRAIN = 32 };

typedef struct job {
    const pen__resampling *of;
    int32_t resamples;
    uint64_t seed;
    double *sums;
    double **block; /* one for each worker: n_series x BLOCK */
} job;

/* 65536 times the Poisson distribution function at 0, 1, 2, ...: a weight is how many of them a draw reaches. */
static const uint16_t reach[] = {24109, 48219, 60273, 64292, 65296, 65497, 65531, 65535};

static void draw_weights(pen__rng *rng, double *weight)
{
    uint16_t bits[BLOCK], count[BLOCK] = {0};
    for (int i = 0; i < BLOCK; i += 4) {
        uint64_t r = pen__rng_next(rng);
        memcpy(bits + i, &r, sizeof r);
    }
    for (size_t j = 0; j < sizeof reach / sizeof reach[0]; j++) {
        uint16_t least = (uint16_t)(reach[j] - 1);
        for (int i = 0; i < BLOCK; i++) count[i] = (uint16_t)(count[i] + (bits[i] > least));
    }
    for (int i = 0; i < BLOCK; i++) weight[i] = count[i];
}

/* Eight chains, added in a fixed order. */
static double weighted_sum(const double *weight, const double *x, int64_t n)
{
    double part[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++) part[j] += weight[i + j] * x[i + j];
    for (int j = 0; i < n; i++, j++) part[j] += weight[i] * x[i];
    return ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]));
}

/* Index of the first series of the block with the same numbers: weights of cases are mostly all 1. */
static int32_t same_as(const double *block, int32_t s, int64_t m)
{
    for (int32_t other = s & 1; other < s; other += 2)
        if (!memcmp(block + (size_t)other * BLOCK, block + (size_t)s * BLOCK, (size_t)m * sizeof *block)) return other;
    return s;
}

static pen_status resample_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    const job *j = arg;
    const pen__resampling *of = j->of;
    int32_t begin = (int32_t)shard * GRAIN, end = begin + GRAIN < j->resamples ? begin + GRAIN : j->resamples;
    if (!j->block[worker]) PEN_TRY(PEN_NEW(of->ctx, j->block[worker], of->n_series * BLOCK));
    double weight[BLOCK], *block = j->block[worker];
    for (int64_t at = 0, b = 0; at < of->n; at += BLOCK, b++) {
        int64_t m = of->n - at < BLOCK ? of->n - at : BLOCK;
        int32_t same[64];
        of->fill(of->arg, at, m, block);
        for (int32_t s = 0; s < of->n_series; s++) same[s] = same_as(block, s, m);
        for (int32_t r = begin; r < end; r++) {
            double sum[64];
            pen__rng rng = pen__rng_begin(j->seed, PEN_STREAM_BOOTSTRAP, (uint64_t)r << 32 | (uint64_t)b);
            draw_weights(&rng, weight);
            for (int32_t s = 0; s < of->n_series; s++) {
                sum[s] = same[s] < s ? sum[same[s]] : weighted_sum(weight, block + (size_t)s * BLOCK, m);
                j->sums[(int64_t)s * j->resamples + r] += sum[s];
            }
        }
    }
    return PEN_OK;
}

pen_status pen__resample(const pen__resampling *of, int32_t resamples, uint64_t seed, double *sums, pen_error *error)
{
    PEN_CHECK(of->n_series <= 64, PEN_E_LIMIT, "%d series to resample; up to 64", of->n_series);
    memset(sums, 0, (size_t)of->n_series * (size_t)resamples * sizeof *sums);
    int n_workers = pen__workers(of->ctx);
    job j = {of, resamples, seed, sums, NULL};
    PEN_TRY(PEN_NEW_ZERO(of->ctx, j.block, n_workers));
    pen_status status = pen__parallel(of->ctx, pen__shards(resamples, GRAIN), resample_shard, &j, error);
    for (int w = 0; w < n_workers; w++) pen__free(of->ctx, j.block[w]);
    pen__free(of->ctx, j.block);
    return status;
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, int32_t n, double q)
{
    double at = q * (n - 1);
    int32_t i = (int32_t)at;
    if (i + 1 >= n) return sorted[n - 1];
    return sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]);
}

void pen__percentiles(double *value, int32_t n, double *low, double *high)
{
    int32_t m = 0;
    for (int32_t i = 0; i < n; i++)
        if (!isnan(value[i])) value[m++] = value[i];
    *low = *high = NAN;
    if (m == 0) return;
    qsort(value, (size_t)m, sizeof *value, rising);
    *low = quantile(value, m, 0.025);
    *high = quantile(value, m, 0.975);
}
