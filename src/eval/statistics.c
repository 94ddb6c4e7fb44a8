/* Intervals of metrics and paired comparisons of two models over the same cases.
 *
 * Intervals: percentile bootstrap (resample.c). Tests: paired randomisation (Fisher; Smucker, Allan and Carterette, "A
 * comparison of statistical significance tests for information retrieval evaluation", 2007): were the models alike,
 * each case's difference could as well have the other sign; p is the share of random signs that give a sum as far from
 * 0. Sums of eight cases at a time come from a table of their 256 patterns of signs, so that a test costs resamples x
 * cases / 8 look-ups. Several tests: Holm, "A simple sequentially rejective multiple test procedure", 1979.
 */
#include "eval/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/thread.h"
#include "eval/metrics.h"
#include "eval/resample.h"

double pen__of_ratio(int32_t kind, double ratio) { return kind == PEN_METRIC_RMSE ? sqrt(ratio) : ratio; }

double pen__case_weight(const pen__scores *scores, int32_t m, int64_t c)
{
    if (isnan(scores->value[m * scores->n_cases + c])) return 0;
    return pen__metric_needs(scores->metric[m].kind) == PEN_NEEDS_RATINGS ? scores->weight[c] : 1;
}

void pen__scores_sum(pen__scores *scores)
{
    for (int32_t m = 0; m < scores->n_metrics; m++) {
        const double *value = scores->value + m * scores->n_cases;
        double sum = 0, weights = 0;
        for (int64_t c = 0; c < scores->n_cases; c++) {
            double weight = pen__case_weight(scores, m, c);
            if (!(weight > 0)) continue;
            sum += weight * value[c];
            weights += weight;
        }
        scores->count[m] = (int64_t)weights;
        scores->whole[m] = weights > 0 ? pen__of_ratio(scores->metric[m].kind, sum / weights) : NAN;
    }
}

/* ---- intervals --------------------------------------------------------------------------------------------------- */

/* Series 2 m and 2 m + 1: weighted values and weights of metric m. */
static void fill_metrics(const void *arg, int64_t begin, int64_t n, double *out)
{
    const pen__scores *scores = arg;
    for (int32_t m = 0; m < scores->n_metrics; m++) {
        double *value = out + (size_t)(2 * m) * PEN_RESAMPLE_BLOCK, *weight = value + PEN_RESAMPLE_BLOCK;
        const double *from = scores->value + m * scores->n_cases + begin;
        bool rating = pen__metric_needs(scores->metric[m].kind) == PEN_NEEDS_RATINGS;
        for (int64_t i = 0; i < n; i++) {
            bool has = !isnan(from[i]);
            weight[i] = !has ? 0 : rating ? scores->weight[begin + i] : 1;
            value[i] = has ? weight[i] * from[i] : 0;
        }
    }
}

pen_status pen__intervals(pen__scores *scores, int32_t resamples, uint64_t seed, pen_error *error)
{
    double *sums = NULL;
    for (int32_t m = 0; m < scores->n_metrics; m++) scores->low[m] = scores->high[m] = NAN;
    if (resamples <= 0 || scores->n_cases == 0) return PEN_OK;
    PEN_TRY(PEN_NEW(scores->ctx, sums, (int64_t)resamples * 2 * scores->n_metrics));
    pen__resampling of = {scores->ctx, scores->n_cases, 2 * scores->n_metrics, fill_metrics, scores};
    pen_status status = pen__resample(&of, resamples, seed, sums, error);
    for (int32_t m = 0; m < scores->n_metrics && status == PEN_OK; m++) {
        double *value = sums + (int64_t)(2 * m) * resamples, *weight = value + resamples;
        for (int32_t r = 0; r < resamples; r++)
            value[r] = weight[r] > 0 ? pen__of_ratio(scores->metric[m].kind, value[r] / weight[r]) : NAN;
        pen__percentiles(value, resamples, &scores->low[m], &scores->high[m]);
    }
    pen__free(scores->ctx, sums);
    return status;
}

/* ---- paired comparisons ------------------------------------------------------------------------------------------ */

typedef struct comparison {
    const pen__scores *a, *b;
    int32_t m, resamples;
    uint64_t seed;
    double *difference; /* n, the cases' weighted b - a, 0 where one of them has no value */
    double *sums;       /* resamples */
} comparison;

static double weight_of(const comparison *c, int64_t i)
{
    double b = pen__case_weight(c->b, c->m, i);
    return b > 0 ? pen__case_weight(c->a, c->m, i) : 0;
}

/* Series: weighted a, weights, weighted b. */
static void fill_pair(const void *arg, int64_t begin, int64_t n, double *out)
{
    const comparison *c = arg;
    for (int64_t i = 0; i < n; i++) {
        int64_t at = c->m * c->a->n_cases + begin + i;
        double weight = weight_of(c, begin + i);
        out[i] = weight > 0 ? weight * c->a->value[at] : 0;
        out[PEN_RESAMPLE_BLOCK + i] = weight;
        out[2 * PEN_RESAMPLE_BLOCK + i] = weight > 0 ? weight * c->b->value[at] : 0;
    }
}

static double difference_of(int32_t kind, double a, double b, double weight)
{
    return weight > 0 ? pen__of_ratio(kind, b / weight) - pen__of_ratio(kind, a / weight) : NAN;
}

enum { INTERVAL_RESAMPLES = 1000 };

static pen_status bootstrap_pair(const comparison *c, pen__paired *out, pen_error *error)
{
    int32_t n = c->resamples < INTERVAL_RESAMPLES ? c->resamples : INTERVAL_RESAMPLES, kind = c->a->metric[c->m].kind;
    double *sums = NULL;
    PEN_TRY(PEN_NEW(c->a->ctx, sums, 3 * (int64_t)n));
    pen__resampling of = {c->a->ctx, c->a->n_cases, 3, fill_pair, c};
    pen_status status = pen__resample(&of, n, c->seed, sums, error);
    if (status == PEN_OK) {
        for (int32_t r = 0; r < n; r++) sums[r] = difference_of(kind, sums[r], sums[2 * n + r], sums[n + r]);
        pen__percentiles(sums, n, &out->low, &out->high);
    }
    pen__free(c->a->ctx, sums);
    return status;
}

/* table[pattern]: the sum of eight differences with the signs of the pattern's bits. */
static void sign_table(const double *difference, int64_t n, double table[256])
{
    table[0] = 0;
    for (int64_t i = 0; i < n; i++) table[0] -= difference[i];
    for (int i = 0; i < 8; i++)
        for (int p = 0; p < 1 << i; p++) table[p | 1 << i] = table[p] + (i < n ? 2 * difference[i] : 0);
}

enum { FLIP_GRAIN = 1024 };

static pen_status flip_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    const comparison *c = arg;
    (void)worker, (void)error;
    int32_t begin = (int32_t)shard * FLIP_GRAIN,
            end = begin + FLIP_GRAIN < c->resamples ? begin + FLIP_GRAIN : c->resamples;
    int64_t n = c->a->n_cases;
    double table[8][256];
    for (int32_t r = begin; r < end; r++) c->sums[r] = 0;
    for (int64_t at = 0, block = 0; at < n; at += 64, block++) {
        for (int g = 0; g < 8; g++) {
            int64_t first = at + 8 * g, left = first < n ? n - first : 0;
            sign_table(c->difference + (left ? first : 0), left < 8 ? left : 8, table[g]);
        }
        for (int32_t r = begin; r < end; r++) {
            uint64_t bits = pen__rand64(c->seed, PEN_STREAM_PERMUTE, (uint64_t)r << 32 | (uint64_t)block);
            double sum = 0;
            for (int g = 0; g < 8; g++) sum += table[g][bits >> (8 * g) & 255];
            c->sums[r] += sum;
        }
    }
    return PEN_OK;
}

/* Two-sided p; rounding must not make a sum that is as far look nearer. The sample itself counts as one resample, so
 * that p is never
 * 0. */
static pen_status randomise(const comparison *c, double observed, double absolute, double *p, pen_error *error)
{
    PEN_TRY(pen__parallel(c->a->ctx, pen__shards(c->resamples, FLIP_GRAIN), flip_shard, (void *)(uintptr_t)c, error));
    int64_t as_far = 1;
    for (int32_t r = 0; r < c->resamples; r++) as_far += fabs(c->sums[r]) >= fabs(observed) - 1e-12 * absolute;
    *p = (double)as_far / ((double)c->resamples + 1);
    return PEN_OK;
}

pen_status pen__paired_test(const pen__scores *a, const pen__scores *b, int32_t m, int32_t resamples, uint64_t seed,
                            pen__paired *out, pen_error *error)
{
    PEN_CHECK(a->n_cases == b->n_cases && m < a->n_metrics && m < b->n_metrics &&
                  a->metric[m].kind == b->metric[m].kind && a->metric[m].cutoff == b->metric[m].cutoff,
              PEN_E_ARGUMENT, "a paired test needs the same cases and the same metric on both sides");
    *out = (pen__paired){NAN, NAN, NAN, NAN, NAN};
    pen_status status = PEN_OK;
    comparison c = {.a = a, .b = b, .m = m, .resamples = resamples, .seed = seed};
    double sum_a = 0, sum_b = 0, weights = 0, observed = 0, absolute = 0;
    PEN_TRY_DONE(PEN_NEW(a->ctx, c.difference, a->n_cases));
    PEN_TRY_DONE(PEN_NEW(a->ctx, c.sums, resamples));
    for (int64_t i = 0; i < a->n_cases; i++) {
        double weight = weight_of(&c, i), x = a->value[m * a->n_cases + i], y = b->value[m * a->n_cases + i];
        c.difference[i] = weight > 0 ? weight * (y - x) : 0;
        if (!(weight > 0)) continue;
        sum_a += weight * x;
        sum_b += weight * y;
        weights += weight;
        observed += c.difference[i];
        absolute += fabs(c.difference[i]);
    }
    if (!(weights > 0)) goto done;
    out->difference = difference_of(a->metric[m].kind, sum_a, sum_b, weights);
    PEN_TRY_DONE(bootstrap_pair(&c, out, error));
    PEN_TRY_DONE(randomise(&c, observed, absolute, &out->p, error));
    out->p_holm = out->p;
done:
    pen__free(a->ctx, c.difference);
    pen__free(a->ctx, c.sums);
    return status;
}

/* The smallest p times the number of tests, the next times one less, and so on; never less than the one before. Tests
 * without a p do not count. Few tests: by looking for the next smallest. */
void pen__holm(pen__paired *tests, int32_t n)
{
    int32_t left = 0;
    for (int32_t i = 0; i < n; i++) left += !isnan(tests[i].p), tests[i].p_holm = NAN;
    double least = 0;
    for (; left > 0; left--) {
        int32_t next = -1;
        for (int32_t i = 0; i < n; i++)
            if (!isnan(tests[i].p) && isnan(tests[i].p_holm) && (next < 0 || tests[i].p < tests[next].p)) next = i;
        double p = tests[next].p * left;
        if (p > least) least = p < 1 ? p : 1;
        tests[next].p_holm = least;
    }
}
