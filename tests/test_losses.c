/* The losses, and small ops under one of them, in float, against what PyTorch gives (nn/golden_losses.py makes
 * nn/golden_losses.h and has the same inputs), at the level that PENCHANT_CPU names; and the same bits for one thread
 * and four. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "nn/golden_losses.h"
#include "nn/ops.h"
#include "nn/run.h"

enum { ROWS = 7, ITEMS = 9, WIDTH = 5, NEGATIVES = 6, OWN = 3, BAG = 12 };

static const pen__init START = {PEN_INIT_ZERO, 0};
static const int32_t STATE[ROWS] = {0, 1, 2, 3, 4, 5, 6}, TARGET[ROWS] = {3, 0, -1, 8, 3, 5, 1};
static const int32_t SHARED_ITEMS[NEGATIVES] = {2, 4, 6, 7, 4, 2};
static const int32_t OWN_ITEMS[ROWS * OWN] = {1, 2, 4, 2, 6, 7, 1, 1, 1, 7, 4, 2, 0, 6, 6, 2, 7, 4, 6, 2, 4};
static const int32_t OWN_BEGIN[ROWS + 1] = {0, 3, 6, 9, 12, 15, 18, 21};
static const int32_t BAG_ITEMS[BAG] = {3, 1, 0, 8, 2, 4, 3, 3, 5, 1, 0, 6},
                     BAG_BEGIN[ROWS + 1] = {0, 2, 3, 3, 6, 8, 9, 12};

static float *numbers(int64_t salt, int64_t n, float plus)
{
    float *x = calloc((size_t)n, sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)((double)((31 * i * i + 7919 * i + 104729 * salt) % 1000) / 500 - 1) + plus;
    return x;
}

/* A plan on rows h (a gather from table 0), items (table 1) and their biases (table 2). */
typedef struct scene {
    pen_context *ctx;
    pen__plan *plan;
    pen__batch batch;
    int32_t h, target, table, bias;
    float *data[3], *made[3];
} scene;

static scene scene_begin(void)
{
    scene s = {0};
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    assert_int_equal(pen_context_create(&options, &s.ctx, NULL), PEN_OK);
    assert_int_equal(pen__plan_create(s.ctx, &s.plan, NULL), PEN_OK);
    int32_t state = pen__input_index(s.plan, PEN_ROOT, "state");
    s.target = pen__input_index(s.plan, PEN_ROOT, "target");
    s.h = pen__gather(s.plan, pen__plan_table(s.plan, "state", ROWS, WIDTH, START), state);
    s.table = pen__plan_table(s.plan, "item", ITEMS, WIDTH, START);
    s.bias = pen__plan_table(s.plan, "bias", ITEMS, 1, START);
    s.batch.n[PEN_ROOT] = ROWS;
    s.batch.index[state] = STATE, s.batch.index[s.target] = TARGET;
    s.data[0] = numbers(1, ROWS * WIDTH, 0), s.data[1] = numbers(2, ITEMS * WIDTH, 0), s.data[2] = numbers(3, ITEMS, 0);
    for (int t = 0; t < 3; t++) s.made[t] = calloc((size_t)(ITEMS * WIDTH), sizeof(float));
    return s;
}

/* Relative to 1 + |x|: dozens of float operations on numbers around 1. */
static void assert_near(const char *name, double made, double wanted)
{
    if (!(fabs(made - wanted) <= 3e-6 * (1 + fabs(wanted)))) fail_msg("%s: %.9g, not %.9g", name, made, wanted);
}

/* Runs the plan with shards of two rows and compares the loss and the gradients of the first tables. */
static void scene_end(scene *s, const char *name, double loss, const float *const *wanted, int n)
{
    pen_error error;
    if (pen__plan_end(s->plan, &error) != PEN_OK) fail_msg("%s: %s", name, error.message);
    for (int t = 0; t < 3; t++) pen__plan_table_set(s->plan, t, s->data[t]);
    pen__run *run = NULL;
    pen__run_options options = {.grain = 2, .seed = 1};
    assert_int_equal(pen__run_create(s->ctx, s->plan, &options, &run, &error), PEN_OK);
    double got;
    if (pen__run_gradients(run, &s->batch, 0, NULL, s->made, &got, &error) != PEN_OK)
        fail_msg("%s: %s", name, error.message);
    assert_near(name, got, loss);
    for (int t = 0; t < n; t++)
        for (int64_t i = 0; i < s->plan->table[t].rows * s->plan->table[t].width; i++)
            assert_near(name, s->made[t][i], wanted[t][i]);
    pen__run_destroy(run);
    pen__plan_destroy(s->plan);
    pen_context_destroy(s->ctx);
    for (int t = 0; t < 3; t++) free(s->data[t]), free(s->made[t]);
}

static void over_all_items(void **state)
{
    (void)state;
    scene s = scene_begin();
    pen__loss_softmax(s.plan, s.h, s.table, s.target, s.bias);
    scene_end(&s, "full", full_loss, (const float *const[]){full_0, full_1, full_2}, 3);

    s = scene_begin();
    int32_t bag = pen__extent_child(s.plan, PEN_ROOT, "bag"), item = pen__input_index(s.plan, bag, "item");
    int32_t weight = pen__input_real(s.plan, bag, 1, "weight");
    float *weights = numbers(5, BAG, 1.5F);
    pen__loss_multinomial(s.plan, s.h, s.table, item, weight, s.bias);
    s.batch.n[bag] = BAG, s.batch.begin[bag] = BAG_BEGIN, s.batch.index[item] = BAG_ITEMS,
    s.batch.real[s.plan->node[weight].input] = weights;
    scene_end(&s, "multinomial", multinomial_loss, (const float *const[]){multinomial_0, multinomial_1, multinomial_2},
              3);
    free(weights);
}

static void against_samples(const char *name, pen__contrast kind, bool own, double loss, const float *dh,
                            const float *d_table)
{
    scene s = scene_begin();
    pen__plan *p = s.plan;
    int32_t others = own ? pen__extent_child(p, PEN_ROOT, "others") : pen__extent_shared(p, "others");
    int32_t other = pen__input_index(p, others, "other"), often = own ? -1 : pen__input_real(p, others, 1, "often");
    int32_t good = pen__gather(p, s.table, s.target), bad = pen__gather(p, s.table, other);
    if (kind == PEN_CONTRAST_CCL) s.h = pen__unit(p, s.h), good = pen__unit(p, good), bad = pen__unit(p, bad);
    pen__sampled how = {.kind = kind,
                        .target = s.target,
                        .negatives = other,
                        .positive_shift = -1,
                        .n_items = 40,
                        .t = 0.75,
                        .margin = 0.2,
                        .weight = 1.5,
                        .elu = 0.5,
                        .keeps_hits = own};
    how.negative_shift = own ? -1 : pen__scaled(p, often, -1);
    pen__loss_sampled(p, s.h, good, bad, &how);
    float *often_of = numbers(4, NEGATIVES, 0);
    s.batch.n[others] = own ? ROWS * OWN : NEGATIVES;
    if (own) s.batch.begin[others] = OWN_BEGIN;
    s.batch.index[other] = own ? OWN_ITEMS : SHARED_ITEMS;
    if (!own) s.batch.real[p->node[often].input] = often_of;
    scene_end(&s, name, loss, (const float *const[]){dh, d_table}, 2);
    free(often_of);
}

#define AGAINST(name, kind)                                                                              \
    against_samples(#name " shared", kind, false, name##_shared_loss, name##_shared_0, name##_shared_1); \
    against_samples(#name " own", kind, true, name##_own_loss, name##_own_0, name##_own_1)

static void sampled_losses(void **state)
{
    (void)state;
    AGAINST(softmax, PEN_CONTRAST_SOFTMAX);
    AGAINST(bce, PEN_CONTRAST_BCE);
    AGAINST(gbce, PEN_CONTRAST_GBCE);
    AGAINST(bpr, PEN_CONTRAST_BPR);
    AGAINST(bpr_max, PEN_CONTRAST_BPR_MAX);
    AGAINST(hinge, PEN_CONTRAST_HINGE);
    AGAINST(ccl, PEN_CONTRAST_CCL);
}

static void in_batch(void **state)
{
    (void)state;
    scene s = scene_begin();
    int32_t shift = pen__input_real(s.plan, PEN_ROOT, 1, "shift");
    pen__loss_in_batch(s.plan, s.h, pen__gather(s.plan, s.table, s.target), s.target, shift, 0.4, false);
    float shifts[ROWS];
    for (int r = 0; r < ROWS; r++) shifts[r] = TARGET[r] < 0 ? 0 : s.data[2][TARGET[r]];
    s.batch.real[s.plan->node[shift].input] = shifts;
    scene_end(&s, "in_batch", in_batch_loss, (const float *const[]){in_batch_0, in_batch_1}, 2);
}

static void kl(void **state)
{
    (void)state;
    scene s = scene_begin();
    int32_t step = pen__extent_shared(s.plan, "step"), weight = pen__input_real(s.plan, step, 1, "weight");
    int32_t state_of = pen__input_index(s.plan, PEN_ROOT, "variance");
    float anneal = 0.3F;
    pen__loss_kl(s.plan, s.h, pen__gather(s.plan, s.table, state_of),
                 weight); /* the first rows of table 1 are the variances */
    free(s.data[1]);
    s.data[1] = numbers(6, ITEMS * WIDTH, 0);
    s.batch.n[step] = 1, s.batch.index[state_of] = STATE, s.batch.real[s.plan->node[weight].input] = &anneal;
    float variances[ITEMS * WIDTH] = {0}; /* rows that no index names have no gradient */
    memcpy(variances, kl_1, sizeof kl_1);
    scene_end(&s, "kl", kl_loss, (const float *const[]){kl_0, variances}, 2);
}

/* ---- small ops --------------------------------------------------------------------------------------------------- */

static float *with_label(scene *s, int32_t *label)
{
    float *labels = numbers(7, ROWS, 1);
    for (int r = 0; r < ROWS; r++) labels[r] /= 2;
    *label = pen__input_real(s->plan, PEN_ROOT, 1, "label");
    s->batch.real[s->plan->node[*label].input] = labels;
    return labels;
}

/* The squared loss of <y, the target's row>. */
static void squared(scene *s, const char *name, int32_t y, double loss, const float *dh, const float *d_table)
{
    int32_t label, good = pen__gather(s->plan, s->table, s->target);
    float *labels = with_label(s, &label);
    pen__loss_pointwise(s->plan, PEN_LOSS_SQUARED, pen__dot(s->plan, y, good), label, -1);
    scene_end(s, name, loss, (const float *const[]){dh, d_table}, 2);
    free(labels);
}

#define SQUARED(s, name, y) squared(s, #name, y, name##_loss, name##_0, name##_1)

static void bag(const char *name, pen__pool mode, bool weighted, double loss, const float *dh, const float *d_table)
{
    scene s = scene_begin();
    int32_t extent = pen__extent_child(s.plan, PEN_ROOT, "bag"), item = pen__input_index(s.plan, extent, "item");
    int32_t weight = pen__input_real(s.plan, extent, 1, "weight");
    float *weights = numbers(5, BAG, 1.5F);
    s.batch.n[extent] = BAG, s.batch.begin[extent] = BAG_BEGIN, s.batch.index[item] = BAG_ITEMS,
    s.batch.real[s.plan->node[weight].input] = weights;
    int32_t y = pen__bag(s.plan, s.table, item, mode, weighted ? weight : -1);
    squared(&s, name, pen__times(s.plan, s.h, y), loss, dh, d_table);
    free(weights);
}

static void bags(void **state)
{
    (void)state;
    bag("bag_mean", PEN_POOL_MEAN, false, bag_mean_loss, bag_mean_0, bag_mean_1);
    bag("bag_sum", PEN_POOL_SUM, false, bag_sum_loss, bag_sum_0, bag_sum_1);
    bag("bag_sqrt", PEN_POOL_SQRT, false, bag_sqrt_loss, bag_sqrt_0, bag_sqrt_1);
    bag("weighted_mean", PEN_POOL_MEAN, true, weighted_mean_loss, weighted_mean_0, weighted_mean_1);
    bag("weighted_sum", PEN_POOL_SUM, true, weighted_sum_loss, weighted_sum_0, weighted_sum_1);
    bag("weighted_sqrt", PEN_POOL_SQRT, true, weighted_sqrt_loss, weighted_sqrt_0, weighted_sqrt_1);
}

static void rows_of_numbers(void **state)
{
    (void)state;
    scene s = scene_begin();
    SQUARED(&s, relu, pen__activate(s.plan, s.h, PEN_ACT_RELU));
    s = scene_begin();
    SQUARED(&s, sigmoid, pen__activate(s.plan, s.h, PEN_ACT_SIGMOID));
    s = scene_begin();
    SQUARED(&s, tanh, pen__activate(s.plan, s.h, PEN_ACT_TANH));
    s = scene_begin();
    SQUARED(&s, elu, pen__activate(s.plan, s.h, PEN_ACT_ELU));
    s = scene_begin();
    SQUARED(&s, unit, pen__unit(s.plan, s.h));
}

/* The script draws what the plan's call of that number draws. */
static void random_ops(void **state)
{
    (void)state;
    scene s = scene_begin();
    SQUARED(&s, dropout, pen__dropped(s.plan, s.h, 0.25));
    s = scene_begin();
    int32_t row = pen__input_index(s.plan, PEN_ROOT, "row");
    s.batch.index[row] = STATE;
    SQUARED(&s, gaussian, pen__gaussian(s.plan, s.h, pen__gather(s.plan, s.table, row)));
}

static void of_scores(void **state)
{
    (void)state;
    scene s = scene_begin();
    int32_t label, weight = pen__input_real(s.plan, PEN_ROOT, 1, "weight");
    float *labels = with_label(&s, &label), *weights = numbers(8, ROWS, 1.5F);
    s.batch.real[s.plan->node[weight].input] = weights;
    pen__loss_pointwise(s.plan, PEN_LOSS_LOGISTIC, pen__dot(s.plan, s.h, pen__gather(s.plan, s.table, s.target)), label,
                        weight);
    scene_end(&s, "logistic", logistic_loss, (const float *const[]){logistic_0, logistic_1}, 2);
    free(labels), free(weights);
    for (int kind = PEN_LOSS_BPR; kind <= PEN_LOSS_HINGE; kind++) {
        s = scene_begin();
        int32_t others = pen__extent_child(s.plan, PEN_ROOT, "others"),
                other = pen__input_index(s.plan, others, "other");
        s.batch.n[others] = ROWS * OWN, s.batch.begin[others] = OWN_BEGIN, s.batch.index[other] = OWN_ITEMS;
        pen__loss_pairwise(s.plan, (pen__pairwise)kind, pen__dot(s.plan, s.h, pen__gather(s.plan, s.table, s.target)),
                           pen__dot(s.plan, s.h, pen__gather(s.plan, s.table, other)), 0.3);
        if (kind == PEN_LOSS_BPR)
            scene_end(&s, "bpr", pair_bpr_loss, (const float *const[]){pair_bpr_0, pair_bpr_1}, 2);
        else
            scene_end(&s, "hinge", pair_hinge_loss, (const float *const[]){pair_hinge_0, pair_hinge_1}, 2);
    }
}

/* ---- one thread and four ----------------------------------------------------------------------------------------- */

/* A step of each loss on 500 rows in 8 shards; the tables afterwards, one behind another. */
static void trained(int n_threads, float *tables)
{
    enum { MANY = 500, CATALOGUE = 300 };
    pen_context *ctx = NULL;
    pen__plan *p = NULL;
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.n_threads = n_threads;
    assert_int_equal(pen_context_create(&options, &ctx, NULL), PEN_OK);
    assert_int_equal(pen__plan_create(ctx, &p, NULL), PEN_OK);
    int32_t state = pen__input_index(p, PEN_ROOT, "state"), target = pen__input_index(p, PEN_ROOT, "target");
    int32_t others = pen__extent_shared(p, "others"), other = pen__input_index(p, others, "other");
    int32_t table = pen__plan_table(p, "item", CATALOGUE, WIDTH, START),
            rows = pen__plan_table(p, "state", MANY, WIDTH, START);
    int32_t h = pen__gather(p, rows, state), good = pen__gather(p, table, target),
            z = pen__gaussian(p, h, pen__scaled(p, h, -1));
    pen__loss_softmax(p, h, table, target, -1);
    pen__sampled how = {
        .kind = PEN_CONTRAST_BPR_MAX, .target = target, .negatives = other, .positive_shift = -1, .negative_shift = -1};
    pen__loss_sampled(p, z, good, pen__gather(p, table, other), &how);
    pen__loss_in_batch(p, pen__unit(p, z), good, target, -1, 0.5, false);
    assert_int_equal(pen__plan_end(p, NULL), PEN_OK);
    int32_t index[3][MANY];
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < MANY; i++)
            index[k][i] = k == 0 ? i : (int32_t)(pen__rand64(1, (uint64_t)k, (uint64_t)i) % CATALOGUE);
    pen__batch batch = {.n = {MANY}};
    batch.n[others] = 64, batch.index[state] = index[0], batch.index[target] = index[1], batch.index[other] = index[2];
    float *data[2] = {tables, tables + CATALOGUE * WIDTH};
    for (int t = 0; t < 2; t++) {
        float *start = numbers(t, p->table[t].rows * WIDTH, 0);
        memcpy(data[t], start, (size_t)(p->table[t].rows * WIDTH) * sizeof *start);
        free(start);
        pen__plan_table_set(p, t, data[t]);
    }
    pen__run *run = NULL;
    pen__touched touched[2] = {{0}};
    pen__run_options how_to_run = {.grain = 64, .seed = 1, .learning = {.kind = PEN_OPT_SGD, .rate = 0.5}};
    assert_int_equal(pen__run_create(ctx, p, &how_to_run, &run, NULL), PEN_OK);
    int32_t slot[MANY];
    for (int i = 0; i < MANY; i++) slot[i] = -1;
    for (int32_t t = 0; t < 2; t++)
        assert_int_equal(pen__touched_build(&touched[t], p, t, &batch, pen__run_shards(run, MANY), slot, NULL), PEN_OK);
    for (uint64_t step = 0; step < 3; step++) {
        pen__step_report report;
        assert_int_equal(pen__run_step(run, &batch, touched, step, NULL, &report, NULL), PEN_OK);
    }
    for (int32_t t = 0; t < 2; t++) pen__touched_free(ctx, &touched[t]);
    pen__run_destroy(run);
    pen__plan_destroy(p);
    pen_context_destroy(ctx);
}

static void same_bits_on_threads(void **state)
{
    (void)state;
    enum { N = 800 * WIDTH };
    float *one = calloc(N, sizeof *one), *four = calloc(N, sizeof *four), *begun = numbers(0, N, 0);
    trained(1, one);
    trained(4, four);
    assert_memory_equal(one, four, N * sizeof *one);
    assert_memory_not_equal(one, begun, 300 * WIDTH * sizeof *one);
    free(one), free(four), free(begun);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(over_all_items),
                                       cmocka_unit_test(sampled_losses),
                                       cmocka_unit_test(in_batch),
                                       cmocka_unit_test(kl),
                                       cmocka_unit_test(bags),
                                       cmocka_unit_test(rows_of_numbers),
                                       cmocka_unit_test(random_ops),
                                       cmocka_unit_test(of_scores),
                                       cmocka_unit_test(same_bits_on_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
