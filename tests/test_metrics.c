/* Metrics on cases that were worked out by hand; names of metrics; what evaluation asks of a ranking. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "eval/evaluate.h"
#include "fake_model.h"

/* Sums in another order may differ in the last bits. */
static void near(double got, double want)
{
    if (isnan(want) ? isnan(got) : fabs(got - want) < 1e-12) return;
    fprintf(stderr, "got %.17g, want %.17g\n", got, want);
    fail();
}

/* Ten items; case 0 has targets 3 7 and one that training lacks, case 1 the target 0, case 2 none. */
static int64_t target_begin[] = {0, 3, 4, 4}, history_begin[] = {0, 2, 3, 3};
static int32_t target_item[] = {7, -1, 3, 0}, history_item[] = {9, 1, 5};
static float target_value[] = {5, 3, 2, 4}, history_value[] = {1, 1, 1};
static int32_t case_user[] = {0, 1, 2}, data_user[] = {0, 1, 2};

/* Item i was had by column_count[i] of 8 users. */
static int64_t item_begin[] = {0, 8, 12, 14, 15, 16, 17, 18, 19, 20, 20};
static int32_t item_users[20];

static pen__cases cases_of(pen_context *ctx)
{
    return (pen__cases){.ctx = ctx, .n = 3, .user = case_user, .data_user = data_user,
                        .target = {3, target_begin, target_item, target_value, NULL},
                        .history = {3, history_begin, history_item, history_value, NULL}};
}

static pen__train train_of(pen_context *ctx)
{
    return (pen__train){.ctx = ctx, .n_users = 8, .n_items = 10, .by_item = {10, item_begin, item_users, NULL, NULL}};
}

static double value_of(const pen__scores *scores, const char *name, int64_t c)
{
    for (int32_t m = 0; m < scores->n_metrics; m++)
        if (!strcmp(scores->metric[m].name, name)) return c < 0 ? scores->whole[m] : scores->value[m * scores->n_cases + c];
    fail_msg("no metric %s", name);
    return NAN;
}

#define RANKING                                                                                                              \
    "ndcg@5,ndcg@2,recall@5,recall_capped@2,recall@2,precision@5,hit@2,hr@5,map@5,map@2,mrr@5,mrr@2,coverage@5,gini@5,novelty@2," \
    "coverage@1"

static void check_rankings(const pen__scores *s)
{
    /* case 0: lists 2 3 0 4 7: targets at 2 and 5 of three; case 1: list 1 2 3 4 6: a miss */
    double ideal3 = 1 + 1 / log2(3) + 0.5, ideal2 = 1 + 1 / log2(3);
    near(value_of(s, "ndcg@5", 0), (1 / log2(3) + 1 / log2(6)) / ideal3);
    near(value_of(s, "ndcg@2", 0), 1 / log2(3) / ideal2);
    near(value_of(s, "recall@5", 0), 2.0 / 3);
    near(value_of(s, "recall@2", 0), 1.0 / 3);
    near(value_of(s, "recall_capped@2", 0), 1.0 / 2);
    near(value_of(s, "precision@5", 0), 2.0 / 5);
    near(value_of(s, "hit@2", 0), 1);
    near(value_of(s, "map@5", 0), (1.0 / 2 + 2.0 / 5) / 3);
    near(value_of(s, "map@2", 0), 1.0 / 2 / 2);
    near(value_of(s, "mrr@5", 0), 1.0 / 2);
    near(value_of(s, "mrr@2", 1), 0);
    near(value_of(s, "hit@5", 1), 0);
    near(value_of(s, "ndcg@5", 1), 0);
    near(value_of(s, "ndcg@5", 2), NAN);
    near(value_of(s, "recall@5", 2), NAN);
    near(value_of(s, "recall@5", -1), 1.0 / 3);
    near(value_of(s, "novelty@2", 0), (log2(8.0 / 2) + log2(8.0 / 1)) / 2);
    near(value_of(s, "coverage@5", -1), 8.0 / 10); /* 9 and 8 are never shown */
    near(value_of(s, "coverage@1", -1), 3.0 / 10);
}

static void lists_by_hand(void **state)
{
    (void)state;
    static int64_t begin[] = {0, 5, 10, 13};
    static int32_t item[] = {2, 3, 0, 4, 7, 1, 2, 3, 4, 6, 5, 5, 0};
    pen_context *ctx = fake_context(2);
    pen__cases cases = cases_of(ctx);
    pen__train train = train_of(ctx);
    pen__rows list = {3, begin, item, NULL, NULL};
    pen__metric metric[PEN_MAX_METRICS];
    int32_t n;
    pen_error error = {0};
    assert_int_equal(pen__metrics_parse(RANKING, PEN_TASK_RANK, metric, &n, &error), PEN_OK);
    pen__scores s;
    assert_int_equal(pen__evaluate_lists(&list, &cases, &train, metric, n, 0, 1, &s, &error), PEN_OK);
    check_rankings(&s);
    /* shown: 0 x2, 1, 2 x2, 3 x2, 4 x2, 5 x2, 6, 7: sorted 0 0 1 1 1 2 2 2 2 2, times -9 -7 .. 9 */
    near(value_of(&s, "gini@5", -1), (-5 - 3 - 1 + 2 * (1 + 3 + 5 + 7 + 9)) / (10.0 * 13));
    assert_int_equal(s.count[0], 2);
    assert_int_equal(s.place[0], 5);
    assert_int_equal(s.place[1], 0);
    assert_int_equal(s.place[2], 2);
    pen__scores_free(&s);
    assert_int_equal(pen__metrics_parse("auc", PEN_TASK_RANK, metric, &n, &error), PEN_OK);
    assert_int_equal(pen__evaluate_lists(&list, &cases, &train, metric, n, 0, 1, &s, &error), PEN_E_UNSUPPORTED);
    pen_context_destroy(ctx);
}

/* The same lists from a model's scores; the history is left out. */
static void ranking_by_hand(void **state)
{
    (void)state;
    static const float table[3 * 10] = {
        7, 99, 10, 9, 6, 0, 1, 5, 2, 99, /* 1 and 9 are in the history: 2 3 0 4 7 8 6 5 */
        1, 10, 9, 8, 7, 99, 6, 5, 4, 3,  /* 5 is: 1 2 3 4 6 7 8 9 0 */
        0, 0, 0, 0, 0, 9, 0, 0, 0, 0,
    };
    for (int threads = 1; threads <= 4; threads += 3) {
        pen_context *ctx = fake_context(threads);
        fake f = {.table = table};
        pen_model model = fake_model(ctx, &f, 3, 10);
        pen__cases cases = cases_of(ctx);
        pen__train train = train_of(ctx);
        pen__metric metric[PEN_MAX_METRICS];
        int32_t n;
        pen_error error = {0};
        assert_int_equal(pen__metrics_parse("ndcg@5,recall@5,recall@2,mrr@5,auc,ndcg,mrr", PEN_TASK_RANK, metric, &n, &error), PEN_OK);
        pen__scores s;
        assert_int_equal(pen__evaluate(&model, &cases, &train, metric, n, PEN_TASK_RANK, 0, 1, &s, &error), PEN_OK);
        near(value_of(&s, "recall@5", 0), 2.0 / 3);
        near(value_of(&s, "mrr@5", 1), 0);
        near(value_of(&s, "mrr", 1), 1.0 / 9);
        near(value_of(&s, "ndcg", 1), 1 / log2(10));
        near(value_of(&s, "auc", 1), 0);
        /* case 0: 8 ranked, 6 of them no targets; place 2 beats 5, place 5 beats 3, the unknown one none */
        near(value_of(&s, "auc", 0), (5.0 + 3 + 0) / (3 * 6));
        near(value_of(&s, "auc", 2), NAN);
        assert_int_equal(s.place[3], 9);
        assert_int_equal(s.sampled, 0);
        pen__scores_free(&s);
        cases.keep_seen = 1;
        assert_int_equal(pen__evaluate(&model, &cases, &train, metric, n, PEN_TASK_RANK, 0, 1, &s, &error), PEN_OK);
        assert_int_equal(s.place[3], 10);
        assert_int_equal(s.place[2], 4);
        pen__scores_free(&s);
        pen_context_destroy(ctx);
    }
}

static void ratings_by_hand(void **state)
{
    (void)state;
    static const float table[3 * 10] = {0, 0, 0, 2.5f, 0, 0, 0, 4, 0, 0, 9};
    pen_context *ctx = fake_context(1);
    fake f = {.table = table};
    pen_model model = fake_model(ctx, &f, 3, 10);
    pen__cases cases = cases_of(ctx);
    pen__train train = train_of(ctx);
    pen__metric metric[PEN_MAX_METRICS];
    int32_t n;
    assert_int_equal(pen__metrics_parse(NULL, PEN_TASK_RATE, metric, &n, NULL), PEN_OK);
    pen__scores s;
    assert_int_equal(pen__evaluate(&model, &cases, &train, metric, n, PEN_TASK_RATE, 0, 1, &s, NULL), PEN_OK);
    /* misses: 4 - 5, 3 - 3, 2.5 - 2; 9 is clipped to 5: 5 - 4 */
    near(value_of(&s, "rmse", 0), (1 + 0 + 0.25) / 3);
    near(value_of(&s, "rmse", -1), sqrt((1 + 0 + 0.25 + 1) / 4));
    near(value_of(&s, "mae", -1), (1 + 0 + 0.5 + 1) / 4);
    near(value_of(&s, "mae", 2), NAN);
    assert_int_equal(s.count[0], 4);
    pen__scores_free(&s);
    pen_context_destroy(ctx);
}

static void refused(const char *list, int task, pen_status status, const char *word)
{
    pen__metric metric[PEN_MAX_METRICS];
    int32_t n;
    pen_error error = {0};
    assert_int_equal(pen__metrics_parse(list, task, metric, &n, &error), status);
    if (!strstr(error.message, word)) fail_msg("'%s' is not in: %s", word, error.message);
}

static void names_are_checked(void **state)
{
    (void)state;
    pen__metric metric[PEN_MAX_METRICS];
    int32_t n;
    assert_int_equal(pen__metrics_parse(NULL, PEN_TASK_RANK, metric, &n, NULL), PEN_OK);
    assert_int_equal(n, 3);
    assert_string_equal(metric[2].name, "coverage@10");
    assert_int_equal(pen__metrics_parse("hr@10, ndcg@10 ,hit@10", PEN_TASK_RANK, metric, &n, NULL), PEN_OK);
    assert_int_equal(n, 2);
    assert_string_equal(metric[0].name, "hit@10");
    refused("ndgc@10", PEN_TASK_RANK, PEN_E_UNKNOWN, "did you mean 'ndcg'");
    refused("rmse", PEN_TASK_RANK, PEN_E_UNSUPPORTED, "measures ratings");
    refused("ndcg@10", PEN_TASK_RATE, PEN_E_UNSUPPORTED, "measures rankings");
    refused("recall", PEN_TASK_RANK, PEN_E_ARGUMENT, "recall@10");
    refused("auc@10", PEN_TASK_RANK, PEN_E_ARGUMENT, "no cutoff");
    refused("ndcg@0", PEN_TASK_RANK, PEN_E_ARGUMENT, "whole number from 1");
    refused("ndcg@1e3", PEN_TASK_RANK, PEN_E_ARGUMENT, "whole number from 1");
    refused("ndcg@10,", PEN_TASK_RANK, PEN_E_ARGUMENT, "empty");
    refused("", PEN_TASK_RANK, PEN_E_ARGUMENT, "empty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_by_hand),
        cmocka_unit_test(ranking_by_hand),
        cmocka_unit_test(ratings_by_hand),
        cmocka_unit_test(names_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
