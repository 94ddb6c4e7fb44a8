/* Intervals, paired tests, Holm's correction, groups: against what is known exactly. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/progress.h"
#include "base/random.h"
#include "eval/evaluate.h"
#include "eval/statistics.h"
#include "fake_model.h"

static pen__scores scores_new(pen_context *ctx, const char *metrics, int32_t task, int64_t n)
{
    pen__scores s = {.ctx = ctx, .n_cases = n};
    assert_int_equal(pen__metrics_parse(metrics, task, s.metric, &s.n_metrics, NULL), PEN_OK);
    s.value = pen__calloc(ctx, (size_t)(n * s.n_metrics), sizeof *s.value);
    s.weight = pen__calloc(ctx, (size_t)n, sizeof *s.weight);
    return s;
}

/* The bootstrap of a mean of many cases is normal: mean -+ 1.96 s / sqrt(n). 4 % allow for 4000 resamples. */
static void interval_of_a_mean(void **state)
{
    (void)state;
    enum { N = 5000 };
    double first[2] = {0, 0};
    for (int threads = 1; threads <= 4; threads += 3) {
        pen_context *ctx = fake_context(threads);
        pen__scores s = scores_new(ctx, "ndcg@10,recall@10", PEN_TASK_RANK, N);
        double sum = 0, squares = 0;
        for (int i = 0; i < N; i++) {
            pen__rng rng = pen__rng_begin(1, 0, (uint64_t)i);
            double x = pen__rng_uniform(&rng);
            s.value[i] = x;
            s.value[N + i] = i % 2 ? NAN : x; /* half of them have no value */
            sum += x;
            squares += x * x;
        }
        double mean = sum / N, half = 1.96 * sqrt((squares / N - mean * mean) / N);
        assert_int_equal(pen__intervals(&s, 4000, 7, NULL), PEN_OK);
        assert_true(fabs((s.high[0] - s.low[0]) / (2 * half) - 1) < 0.04);
        assert_true(fabs((s.high[0] + s.low[0]) / 2 - mean) < 0.1 * half);
        assert_true(fabs((s.high[1] - s.low[1]) / (2 * half * sqrt(2)) - 1) < 0.06);
        if (threads == 1) first[0] = s.low[0], first[1] = s.high[1];
        assert_memory_equal(&first[0], &s.low[0], sizeof(double));
        assert_memory_equal(&first[1], &s.high[1], sizeof(double));
        pen__scores_free(&s);
        pen_context_destroy(ctx);
    }
}

/* RMSE pools ratings: a case of 9 ratings counts nine times. */
static void rmse_pools_ratings(void **state)
{
    (void)state;
    pen_context *ctx = fake_context(2);
    pen__scores s = scores_new(ctx, "rmse,mae", PEN_TASK_RATE, 2);
    s.value[0] = 4, s.value[1] = 1, s.value[2] = 2, s.value[3] = NAN;
    s.weight[0] = 1, s.weight[1] = 9;
    pen__scores_sum(&s);
    assert_true(fabs(s.whole[0] - sqrt((4 + 9) / 10.0)) < 1e-15);
    assert_true(s.whole[1] == 2 && s.count[0] == 10 && s.count[1] == 1);
    assert_int_equal(pen__intervals(&s, 1000, 1, NULL), PEN_OK);
    /* only one case drawn, at either end */
    assert_true(s.low[0] == 1 && s.high[0] == 2 && s.low[1] == 2 && s.high[1] == 2);
    pen__scores_free(&s);
    pen_context_destroy(ctx);
}

/* p of the randomisation test by going through all 2^n signs. */
static double exact_p(const double *difference, int n)
{
    double observed = 0;
    for (int i = 0; i < n; i++) observed += difference[i];
    int as_far = 0;
    for (int signs = 0; signs < 1 << n; signs++) {
        double sum = 0;
        for (int i = 0; i < n; i++) sum += signs >> i & 1 ? difference[i] : -difference[i];
        as_far += fabs(sum) >= fabs(observed) - 1e-9;
    }
    return as_far / (double)(1 << n);
}

static void randomisation_is_exact(void **state)
{
    (void)state;
    enum { N = 13, R = 40000 };
    pen_context *ctx = fake_context(3);
    for (uint64_t round = 0; round < 6; round++) {
        pen__scores a = scores_new(ctx, "ndcg@10", PEN_TASK_RANK, N + 1),
                    b = scores_new(ctx, "ndcg@10", PEN_TASK_RANK, N + 1);
        pen__rng rng = pen__rng_begin(5, 0, round);
        double difference[N], sum = 0;
        for (int i = 0; i < N; i++) {
            a.value[i] = pen__rng_uniform(&rng);
            b.value[i] = a.value[i] + pen__rng_normal(&rng) + 0.1 * (double)round;
            if (round == 5) b.value[i] = a.value[i] + (i % 3 ? 0.5 : 0); /* many equal sums */
            difference[i] = b.value[i] - a.value[i];
            sum += difference[i];
        }
        a.value[N] = NAN, b.value[N] = 100; /* no pair */
        pen__paired got;
        assert_int_equal(pen__paired_test(&a, &b, 0, R, 3, &got, NULL), PEN_OK);
        double want = exact_p(difference, N);
        assert_true(fabs(got.p - want) < 4 * sqrt(want * (1 - want) / R) + 2.0 / R); /* four standard errors */
        assert_true(fabs(got.difference - sum / N) < 1e-12);
        assert_true(got.low < got.difference && got.difference < got.high);
        assert_int_equal(pen__paired_test(&a, &a, 0, R, 3, &got, NULL), PEN_OK);
        assert_true(got.p == 1 && got.difference == 0 && got.low == 0 && got.high == 0);
        pen__scores_free(&a);
        pen__scores_free(&b);
    }
    pen_context_destroy(ctx);
}

static void holm_by_hand(void **state)
{
    (void)state;
    pen__paired t[5] = {{.p = 0.01}, {.p = 0.04}, {.p = 0.03}, {.p = NAN}, {.p = 0.5}};
    pen__holm(t, 5);
    assert_true(fabs(t[0].p_holm - 0.04) < 1e-15 && fabs(t[2].p_holm - 0.09) < 1e-15 &&
                fabs(t[1].p_holm - 0.09) < 1e-15);
    assert_true(isnan(t[3].p_holm) && t[4].p_holm == 0.5);
}

static void has(const char *json, const char *part)
{
    if (!strstr(json, part)) fail_msg("no %s in %s", part, json);
}

static void groups_by_hand(void **state)
{
    (void)state;
    /* items 0..3 with 6, 3, 2, 1 events: cuts at a third (4) and two thirds (8): head 0, torso 1, tail 2 and 3 */
    static int64_t item_begin[] = {0, 6, 9, 11, 12}, target_begin[] = {0, 3, 4, 5}, history_begin[] = {0, 1, 3, 3};
    static int32_t target_item[] = {0, 3, -1, 1, 0}, history_item[] = {1, 0, 2}, user[] = {0, 1, -1};
    static float value[] = {1, 1, 1, 1, 1};
    static int64_t list_begin[] = {0, 4, 6, 7};
    static int32_t list_item[] = {0, 1, 2, 3, 3, 1, 3};
    pen_context *ctx = fake_context(1);
    pen__cases cases = {.ctx = ctx,
                        .n = 3,
                        .user = user,
                        .data_user = user,
                        .target = {3, target_begin, target_item, value, NULL},
                        .history = {3, history_begin, history_item, value, NULL}};
    pen__train train = {.ctx = ctx, .n_users = 6, .n_items = 4, .by_item = {4, item_begin, NULL, NULL, NULL}};
    pen__rows list = {3, list_begin, list_item, NULL, NULL};
    pen__metric metric[PEN_MAX_METRICS];
    int32_t n;
    assert_int_equal(pen__metrics_parse("recall@4,coverage@4,novelty@4,hit@1", PEN_TASK_RANK, metric, &n, NULL),
                     PEN_OK);
    pen__scores s;
    assert_int_equal(pen__evaluate_lists(&list, &cases, &train, metric, n, 10, 1, &s, NULL), PEN_OK);
    pen__text out = {.ctx = ctx};
    pen_error error = {0};
    assert_int_equal(pen__groups(&s, &cases, &train, "activity, popularity,cold", &out, &error), PEN_OK);
    has(out.bytes, "\"group\": \"few\", \"from\": 0, \"to\": 0, \"n\": 1, \"metrics\": {\"recall@4\": {\"mean\": 0,");
    has(out.bytes,
        "\"group\": \"some\", \"from\": 1, \"to\": 1, \"n\": 1, \"metrics\": {\"recall@4\": {\"mean\": 0.666666667,");
    has(out.bytes, "\"group\": \"many\", \"from\": 2, \"to\": 2, \"n\": 1, \"metrics\": {\"recall@4\": {\"mean\": 1,");
    has(out.bytes, "\"group\": \"head\", \"from\": 6, \"to\": 6, \"n\": 2, \"metrics\": {\"recall@4\": {\"mean\": 0.5, "
                   "\"low\": 0, \"high\": 1, \"n\": 2}, "
                   "\"hit@1\": {\"mean\": 0.5,");
    has(out.bytes, "\"group\": \"torso\", \"from\": 3, \"to\": 3, \"n\": 1, \"metrics\": {\"recall@4\": {\"mean\": 1,");
    has(out.bytes, "\"group\": \"tail\", \"from\": 1, \"to\": 1, \"n\": 1, \"metrics\": {\"recall@4\": {\"mean\": 1, "
                   "\"low\": 1, \"high\": 1, \"n\": 1}, "
                   "\"hit@1\": {\"mean\": 0,");
    has(out.bytes, "\"group\": \"new\", \"from\": 0, \"to\": 0, \"n\": 1, \"metrics\": {\"recall@4\": {\"mean\": 0,");
    has(out.bytes, "\"group\": \"folded-in\", \"n\": 0, \"metrics\": {\"recall@4\": {\"mean\": null,");
    has(out.bytes, "\"group\": \"unknown\", \"n\": 1, \"metrics\": {\"recall@4\": {\"mean\": 0,");
    assert_null(strstr(out.bytes, "coverage"));
    assert_int_equal(pen__groups(&s, &cases, &train, "activty", &out, &error), PEN_E_UNKNOWN);
    has(error.message, "did you mean 'activity'?");
    pen__text_free(&out);
    pen__scores_free(&s);
    pen_context_destroy(ctx);
}

/* Not a test of speed (machines differ): it prints what 30,000 users x 1000 resamples x 5 metrics and a test take. */
static void speed_is_told(void **state)
{
    (void)state;
    enum { N = 30000 };
    pen_context *ctx = fake_context(0);
    pen__scores s = scores_new(ctx, "ndcg@10,recall@20,hit@10,map@10,mrr@10", PEN_TASK_RANK, N);
    pen__rng rng = pen__rng_begin(1, 0, 0);
    for (int i = 0; i < 5 * N; i++) s.value[i] = pen__rng_uniform(&rng);
    double began = pen__now();
    assert_int_equal(pen__intervals(&s, 1000, 7, NULL), PEN_OK);
    double middle = pen__now();
    pen__scores other = s;
    other.value = s.value + N;
    pen__paired got;
    assert_int_equal(pen__paired_test(&s, &other, 0, 10000, 3, &got, NULL), PEN_OK);
    fprintf(stderr, "30000 users: 1000 resamples of 5 metrics %.3f s, a test with 10000 resamples %.3f s\n",
            middle - began, pen__now() - middle);
    assert_true(s.low[0] < 0.5 && s.high[0] > 0.495);
    pen__scores_free(&s);
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interval_of_a_mean),     cmocka_unit_test(rmse_pools_ratings),
        cmocka_unit_test(randomisation_is_exact), cmocka_unit_test(holm_by_hand),
        cmocka_unit_test(groups_by_hand),         cmocka_unit_test(speed_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
