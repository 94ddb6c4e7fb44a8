/* Metrics on cases that were worked out by hand; names of metrics; what evaluation asks of a ranking. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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
    return (pen__cases){.ctx = ctx,
                        .n = 3,
                        .user = case_user,
                        .data_user = data_user,
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
        if (!strcmp(scores->metric[m].name, name))
            return c < 0 ? scores->whole[m] : scores->value[m * scores->n_cases + c];
    fail_msg("no metric %s", name);
    return NAN;
}

#define RANKING                                                                                                       \
    "ndcg@5,ndcg@2,recall@5,recall_capped@2,recall@2,precision@5,hit@2,hr@5,map@5,map@2,mrr@5,mrr@2,coverage@5,gini@" \
    "5,novelty@2,"                                                                                                    \
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
        7, 99, 10, 9, 6, 0,  1, 5, 2, 99, /* 1 and 9 are in the history: 2 3 0 4 7 8 6 5 */
        1, 10, 9,  8, 7, 99, 6, 5, 4, 3,  /* 5 is: 1 2 3 4 6 7 8 9 0 */
        0, 0,  0,  0, 0, 9,  0, 0, 0, 0,
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
        assert_int_equal(
            pen__metrics_parse("ndcg@5,recall@5,recall@2,mrr@5,auc,ndcg,mrr", PEN_TASK_RANK, metric, &n, &error),
            PEN_OK);
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
    refused("rmse", PEN_TASK_RANK, PEN_E_ARGUMENT, "measures ratings");
    refused("ndcg@10", PEN_TASK_RATE, PEN_E_ARGUMENT, "measures rankings");
    refused("recall", PEN_TASK_RANK, PEN_E_ARGUMENT, "recall@10");
    refused("auc@10", PEN_TASK_RANK, PEN_E_ARGUMENT, "no cutoff");
    refused("ndcg@0", PEN_TASK_RANK, PEN_E_ARGUMENT, "whole number from 1");
    refused("ndcg@1e3", PEN_TASK_RANK, PEN_E_ARGUMENT, "whole number from 1");
    refused("ndcg@10,", PEN_TASK_RANK, PEN_E_ARGUMENT, "empty");
    refused("", PEN_TASK_RANK, PEN_E_ARGUMENT, "empty");
}

/* Items 0 .. 4 have the categories {0 1} {1} {} {2} {0 1}. */
static const int64_t code_begin[] = {0, 2, 3, 3, 4, 6};
static const int32_t code[] = {0, 1, 1, 2, 0, 1}, single_code[] = {0, 0, -1, 2, 1}, unique_code[] = {0, 1, 2, 3, 4};

/* Two cases with the lists 0 1 2 4 and 2 3; the histories 3 1 and 2. */
static void judge_categories(pen__column *columns, int32_t n_columns, double diversity[2], double calibration[2])
{
    static int64_t begin[] = {0, 4, 6}, targets[] = {0, 1, 2}, seen[] = {0, 2, 3};
    static int32_t item[] = {0, 1, 2, 4, 2, 3}, target[] = {0, 2}, history[] = {3, 1, 2}, users[] = {0, 1},
                   numbers[] = {0, 1, 2, 3, 4};
    pen_context *ctx = fake_context(2);
    pen_dataset data = {.ctx = ctx, .item_table = {.rows = 5, .n_columns = n_columns, .title = -1, .column = columns}};
    pen__train train = {.ctx = ctx, .data = &data, .n_users = 2, .n_items = 5, .data_item = numbers};
    pen__cases cases = {.ctx = ctx,
                        .n = 2,
                        .user = users,
                        .data_user = users,
                        .target = {2, targets, target, target_value, NULL},
                        .history = {2, seen, history, history_value, NULL}};
    pen__rows list = {2, begin, item, NULL, NULL};
    pen__metric metric[PEN_MAX_METRICS];
    int32_t n;
    pen__scores s;
    assert_int_equal(pen__metrics_parse("diversity@4,calibration@4", PEN_TASK_RANK, metric, &n, NULL), PEN_OK);
    assert_int_equal(pen__evaluate_lists(&list, &cases, &train, metric, n, 0, 1, &s, NULL), PEN_OK);
    for (int c = 0; c < 2; c++) diversity[c] = s.value[c], calibration[c] = s.value[2 + c];
    assert_int_equal(s.count[0], !isnan(diversity[0]) + !isnan(diversity[1]));
    pen__scores_free(&s);
    pen_context_destroy(ctx);
}

static void categories_by_hand(void **state)
{
    (void)state;
    double diversity[2], calibration[2];
    pen__column number = {.name = "year", .type = PEN_COLUMN_NUMBER, .rows = 5};
    pen__column unique = {
        .name = "asin", .type = PEN_COLUMN_CATEGORY, .rows = 5, .code = unique_code, .words = {.n = 5}};
    pen__column single = {
        .name = "shop", .type = PEN_COLUMN_CATEGORY, .rows = 5, .code = single_code, .words = {.n = 3}};
    pen__column many = {.name = "genre",
                        .type = PEN_COLUMN_CATEGORIES,
                        .rows = 5,
                        .begin = code_begin,
                        .code = code,
                        .words = {.n = 3}};

    /* genre: pairs (0 1) 1/2, (0 4) 1, (1 4) 1/2; item 2 has none. History {2} and {1}: p = 0 1/2 1/2; list {0 1} {1}
     * {0 1}: q = 1/3 2/3 0 */
    judge_categories((pen__column[]){number, single, many}, 3, diversity, calibration);
    near(diversity[0], 1 - (0.5 + 1 + 0.5) / 3);
    near(calibration[0], 0.5 * log(0.5 / (0.99 * 2 / 3 + 0.01 * 0.5)) + 0.5 * log(0.5 / (0.01 * 0.5)));
    near(diversity[1], NAN);
    near(calibration[1], NAN);

    /* shop: 0 1 4 are in 0 0 1; one category an item, not the column in which each item has its own */
    judge_categories((pen__column[]){unique, single}, 2, diversity, calibration);
    near(diversity[0], 1 - 1.0 / 3);
    judge_categories((pen__column[]){unique, number}, 2, diversity, calibration);
    near(diversity[0], NAN);
    near(calibration[0], NAN);
}

/* Candidates alone are ranked, the report is told, and AUC counts them. */
static void candidates_by_hand(void **state)
{
    (void)state;
    static const float table[3 * 10] = {7,  99, 10, 9, 6, 0, 1, 5, 2, 99, 1, 10, 9, 8, 7,
                                        99, 6,  5,  4, 3, 0, 0, 0, 0, 0,  9, 0,  0, 0, 0};
    static int64_t begin[] = {0, 4, 6, 7};
    static int32_t candidate[] = {7, 3, 0, 9, 0, 9, 4}; /* 9 was seen by case 0 */
    pen_context *ctx = fake_context(1);
    fake f = {.table = table};
    pen_model model = fake_model(ctx, &f, 3, 10);
    pen__cases cases = cases_of(ctx);
    cases.candidate = (pen__rows){3, begin, candidate, NULL, NULL};
    pen__train train = train_of(ctx);
    pen__metric metric[PEN_MAX_METRICS];
    int32_t n;
    assert_int_equal(pen__metrics_parse("recall@1,mrr,auc", PEN_TASK_RANK, metric, &n, NULL), PEN_OK);
    pen__scores s;
    assert_int_equal(pen__evaluate(&model, &cases, &train, metric, n, PEN_TASK_RANK, 0, 1, &s, NULL), PEN_OK);
    assert_int_equal(s.sampled, 1);
    assert_int_equal(s.place[0], 3); /* 3 0 7 */
    assert_int_equal(s.place[2], 1);
    assert_int_equal(s.place[3], 2); /* 9 0 */
    near(value_of(&s, "recall@1", 0), 1.0 / 3);
    near(value_of(&s, "auc", 0), (1.0 + 0 + 0) / 3);
    near(value_of(&s, "mrr", 1), 0.5);
    pen__scores_free(&s);
    pen_context_destroy(ctx);
}

/* Memory that runs out at the n-th allocation. */
static int64_t left;
static void *obtain(void *user, size_t bytes) { return (void)user, left-- > 0 ? malloc(bytes) : NULL; }
static void *resize(void *user, void *block, size_t bytes)
{
    return (void)user, left-- > 0 ? realloc(block, bytes) : NULL;
}
static void release(void *user, void *block) { (void)user, free(block); }

static void memory_may_run_out(void **state)
{
    (void)state;
    static const float table[3 * 10], vector[3 * 2];
    static const float item[10 * 2];
    pen_allocator allocator = {obtain, resize, release, NULL};
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.allocator = &allocator;
    options.n_threads = 2;
    for (int kind = 0; kind < 4; kind++) {
        pen_status status = PEN_E_MEMORY;
        int64_t n_failed = 0;
        for (int64_t n = 0; status == PEN_E_MEMORY; n++) {
            pen_context *ctx;
            left = INT64_MAX;
            assert_int_equal(pen_context_create(&options, &ctx, NULL), PEN_OK);
            fake f = {.table = table};
            if (kind == 1) f = (fake){.vector = vector, .factors = {2, item, NULL}};
            pen_model model = fake_model(ctx, &f, 3, 10);
            pen__cases cases = cases_of(ctx);
            pen__train train = train_of(ctx);
            pen__metric metric[PEN_MAX_METRICS];
            int32_t n_metrics, task = kind == 2 ? PEN_TASK_RATE : PEN_TASK_RANK;
            const char *list = kind == 2 ? "rmse" : kind == 1 ? "ndcg@5,auc,novelty@3" : "ndcg@5,coverage@5";
            assert_int_equal(pen__metrics_parse(list, task, metric, &n_metrics, NULL), PEN_OK);
            pen__scores s = {0};
            pen__rows lists = {3, target_begin, target_item, NULL, NULL};
            left = n;
            status = kind == 3 ? pen__evaluate_lists(&lists, &cases, &train, metric, n_metrics, 10, 1, &s, NULL)
                               : pen__evaluate(&model, &cases, &train, metric, n_metrics, task, 10, 1, &s, NULL);
            n_failed += status == PEN_E_MEMORY;
            left = INT64_MAX;
            if (status == PEN_OK) pen__scores_free(&s);
            pen_context_destroy(ctx); /* what leaks shows under ASan */
        }
        assert_int_equal(status, PEN_OK);
        assert_true(n_failed > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_by_hand),      cmocka_unit_test(ranking_by_hand),    cmocka_unit_test(ratings_by_hand),
        cmocka_unit_test(categories_by_hand), cmocka_unit_test(candidates_by_hand), cmocka_unit_test(names_are_checked),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
