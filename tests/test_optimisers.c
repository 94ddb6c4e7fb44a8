/* What a step does with a gradient. Every optimiser against PyTorch through whole steps of a run: weights of a layer,
 * its bias, a table of which batches touch some rows, and one of which they touch all; as it is, and with penalties,
 * schedules and warm-ups (nn/golden_optimisers.py made the numbers). Rates by formulas written down here. Clipping by
 * the length and the direction of a step. And that a model's parameters reach it: first steps of trained models. */
#include <math.h>

#include "log_fixture.h"
#include "nn/draws.h"
#include "nn/golden_optimisers.h"
#include "nn/ops.h"
#include "nn/run.h"
#include "penchant/query.h"
#include "rank/model.h"

enum { N_CASES = sizeof GOLDEN / sizeof *GOLDEN, EXAMPLES = 150, ROWS = 310, DRAWN = 300, D = 40, HIDDEN = 64 };
enum { ITEMS = 140, LAYER = 0, BIAS, ROW, ITEM, TENSORS, MOST = ROWS * D };

static const char *const NAMES[TENSORS] = {"layer.weight", "layer.bias", "row", "item"};
static const double SCALES[TENSORS] = {0.5, 0.5, 2, 1};

/* ---- a run ------------------------------------------------------------------------------------------------------- */

typedef struct network {
    pen_context *ctx;
    pen__plan *plan;
    pen__run *run;
    float *data[TENSORS], *first[TENSORS];
    int64_t n[TENSORS];
    float *slot[3][2]; /* of the dense block, of the tables */
} network;

static network network_of(const pen__learning *learning, int32_t grain)
{
    network n = {.ctx = context_of(2)};
    pen__init zero = {PEN_INIT_ZERO, 0};
    assert_int_equal(pen__plan_create(n.ctx, &n.plan, NULL), PEN_OK);
    pen__plan *p = n.plan;
    int32_t a = pen__input_index(p, PEN_ROOT, "a"), b = pen__input_index(p, PEN_ROOT, "b"),
            target = pen__input_index(p, PEN_ROOT, "target");
    int32_t rows = pen__plan_table(p, "row", ROWS, D, zero), items = pen__plan_table(p, "item", ITEMS, HIDDEN, zero);
    int32_t x[2] = {pen__gather(p, rows, a), pen__gather(p, rows, b)};
    pen__loss_softmax(p, pen__linear(p, "layer", x, 2, HIDDEN, PEN_ACT_TANH), items, target, -1);
    assert_int_equal(pen__plan_end(p, NULL), PEN_OK);
    assert_true(p->n_weights == 2 && p->table[items].dense && !p->table[rows].dense);
    for (int k = 0; k < TENSORS; k++) {
        n.n[k] = k < ROW ? p->weight[k].rows * p->weight[k].cols : p->table[k - ROW].rows * p->table[k - ROW].width;
        assert_string_equal(k < ROW ? p->weight[k].name : p->table[k - ROW].name, NAMES[k]);
        n.data[k] = malloc((size_t)n.n[k] * sizeof(float)), n.first[k] = malloc((size_t)n.n[k] * sizeof(float));
        for (int64_t i = 0; i < n.n[k]; i++) n.first[k][i] = (float)(SCALES[k] * draw(10 + (uint32_t)k, (uint32_t)i));
        memcpy(n.data[k], n.first[k], (size_t)n.n[k] * sizeof(float));
        if (k < ROW)
            pen__plan_weight_set(p, k, n.data[k]);
        else
            pen__plan_table_set(p, k - ROW, n.data[k]);
    }
    pen__run_options o = {.grain = grain, .seed = 1, .learning = *learning};
    for (int s = 0; s < pen__optimiser_slots(learning->kind); s++)
        for (int k = 0; k < 3; k++) {
            n.slot[k][s] = calloc(MOST, sizeof(float));
            *(k ? &o.slots.table[k - 1][s] : &o.slots.dense[s]) = n.slot[k][s];
        }
    assert_int_equal(pen__run_create(n.ctx, p, &o, &n.run, NULL), PEN_OK);
    return n;
}

static void network_free(network *n)
{
    pen__run_destroy(n->run);
    pen__plan_destroy(n->plan);
    for (int k = 0; k < TENSORS; k++) free(n->data[k]), free(n->first[k]);
    for (int k = 0; k < 6; k++) free(n->slot[k / 2][k % 2]);
    pen_context_destroy(n->ctx);
}

/* Rows of "row" that the step does not touch stay as they are, to the bit. */
static pen__step_report step(network *n, int t)
{
    static float before[ROWS * D];
    static int32_t find[ROWS];
    int32_t index[3][EXAMPLES];
    bool touches[ROWS] = {false};
    pen__touched touched[2] = {{0}};
    pen__step_report report;
    for (int i = 0; i < EXAMPLES; i++) {
        for (int k = 0; k < 2; k++) {
            int seed = 1000 + 1000 * k + t;
            index[k][i] = below(seed, i, 1 + below(seed + 500, i, DRAWN));
            touches[index[k][i]] = true;
        }
        index[2][i] = below(3000 + t, i, ITEMS);
    }
    pen__batch batch = {.n = {EXAMPLES}, .index = {index[0], index[1], index[2]}};
    for (int i = 0; i < ROWS; i++) find[i] = -1;
    for (int32_t k = 0; k < 2; k++)
        assert_int_equal(
            pen__touched_build(&touched[k], n->plan, k, &batch, pen__run_shards(n->run, EXAMPLES), find, NULL), PEN_OK);
    memcpy(before, n->data[ROW], sizeof before);
    assert_int_equal(pen__run_step(n->run, &batch, touched, (uint64_t)t, NULL, &report, NULL), PEN_OK);
    for (int r = 0; r < ROWS; r++) {
        bool moved = memcmp(before + r * D, n->data[ROW] + r * D, D * sizeof(float)) != 0;
        if (moved != touches[r]) fail_msg("step %d: row %d %s", t, r, moved ? "moved" : "stood still");
    }
    for (int32_t k = 0; k < 2; k++) pen__touched_free(n->ctx, &touched[k]);
    return report;
}

/* ---- every optimiser --------------------------------------------------------------------------------------------- */

/* Which of the names in "a|b|c" it is. */
static int number_of(const char *names, const char *name)
{
    int number = 0;
    for (const char *at = names;; at = strchr(at, '|') + 1, number++) {
        size_t n = strcspn(at, "|");
        if (n == strlen(name) && !strncmp(at, name, n)) return number;
        if (!at[n]) fail_msg("'%s' is none of %s", name, names);
    }
}

/* Float against double, summed over thousands of numbers: within 2e-6. */
static void near(const golden *g, const char *what, int number, double is, double want, double scale, double *worst)
{
    double off = fabs(is - want) / fabs(scale);
    if (!(off <= 1e-5)) fail_msg("%s, %s: %s %d is %.9g, not %.9g", g->optimizer, g->schedule, what, number, is, want);
    if (off > *worst) *worst = off;
}

static void as_pytorch(const golden *g, int32_t grain)
{
    double worst = 0;
    pen__learning l = {.kind = (pen__optimiser)number_of(PEN_OPTIMISERS, g->optimizer),
                       .schedule = (pen__schedule)number_of(PEN_SCHEDULES, g->schedule),
                       .rate = g->rate,
                       .beta1 = GOLDEN_BETA1,
                       .beta2 = GOLDEN_BETA2,
                       .epsilon = GOLDEN_EPSILON,
                       .l1 = g->l1,
                       .l2 = g->l2,
                       .tables = g->tables,
                       .warmup = g->warmup,
                       .steps = GOLDEN_STEPS,
                       .step_every = g->every};
    network n = network_of(&l, grain);
    for (int t = 0; t < GOLDEN_STEPS; t++) {
        pen__step_report report = step(&n, t);
        near(g, "loss", t, report.loss, g->loss[t], g->loss[t], &worst);
        near(g, "rate", t, report.rate, g->rates[t], g->rates[t], &worst);
    }
    for (int k = 0; k < TENSORS; k++) {
        double square = 0, sum = 0;
        for (int64_t i = 0; i < n.n[k]; i++) {
            double way = (double)n.data[k][i] - (double)n.first[k][i];
            square += way * way, sum += way * draw(99, (uint32_t)i);
        }
        near(g, NAMES[k], 0, sqrt(square), g->way[k][0], g->way[k][0], &worst);
        near(g, NAMES[k], 1, sum, g->way[k][1], g->way[k][0], &worst);
    }
    network_free(&n);
    print_message("%s, %s, grain %d: %.1e\n", g->optimizer, g->schedule, grain, worst);
}

/* In one shard and in sixteen. */
static void optimisers(void **state)
{
    (void)state;
    int seen[PEN_OPT_ADAMW + 1] = {0};
    for (int c = 0; c < N_CASES; c++) {
        as_pytorch(&GOLDEN[c], EXAMPLES);
        as_pytorch(&GOLDEN[c], 2);
        seen[number_of(PEN_OPTIMISERS, GOLDEN[c].optimizer)]++;
    }
    for (int k = 0; k <= PEN_OPT_ADAMW; k++) assert_int_equal(seen[k], 2);
}

/* ---- rates ------------------------------------------------------------------------------------------------------- */

/* rate (1 + cos(pi t / T)) / 2, rate (1 - t / T), rate / 2^(t div n), rate / 2^halvings, and whatever it is times
 * (t + 1) / w before step w. T = 40 and n = 6 do not divide; behind the end of training it stays at nothing. */
static void rates(void **state)
{
    (void)state;
    enum { STEPS = 40, EVERY = 6 };
    static const int warmups[] = {0, 1, 7, 60};
    for (int w = 0; w < 4; w++)
        for (int t = 0; t < STEPS + 5; t++) {
            int past = t < STEPS ? t : STEPS;
            const double want[] = {1, (1 + cos(acos(-1) * past / STEPS)) / 2, (STEPS - past) / (double)STEPS,
                                   1.0 / (1 << t / EVERY), 1.0 / 8};
            static const char *const names[] = {"constant", "cosine", "linear", "step", "plateau"};
            for (int k = 0; k < 5; k++) {
                pen__learning l = {.schedule = (pen__schedule)number_of(PEN_SCHEDULES, names[k]),
                                   .rate = 0.3,
                                   .steps = STEPS,
                                   .step_every = EVERY,
                                   .halvings = 3,
                                   .warmup = warmups[w]};
                double rate = pen__learning_rate(&l, (uint64_t)t), rises = t < warmups[w] ? (t + 1.0) / warmups[w] : 1;
                if (!(fabs(rate - 0.3 * want[k] * rises) <= 1e-15))
                    fail_msg("%s, warm-up %d, step %d: %.17g", names[k], warmups[w], t, rate);
                pen__update u = pen__update_at(&l, (uint64_t)t, 1); /* and steps are of that size */
                assert_true(u.rate == (float)rate);
            }
        }
}

/* ---- clipping ---------------------------------------------------------------------------------------------------- */

/* How far one step of plain SGD moves everything, end to end in `way`; the gradient's norm. */
static double one_step(double clip, double rate, int32_t grain, double *way)
{
    network n = network_of(&(pen__learning){.kind = PEN_OPT_SGD, .rate = rate, .clip = clip}, grain);
    double norm = step(&n, 0).norm;
    for (int k = 0; k < TENSORS; k++)
        for (int64_t i = 0; i < n.n[k]; i++) *way++ = (double)n.data[k][i] - (double)n.first[k][i];
    network_free(&n);
    return norm;
}

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* A longer gradient's step has length clip times rate and goes where it would have; a shorter one's is the same to the
 * bit. Steps are some ten units long, so that differences of floats are exact enough. */
static void clipping(void **state)
{
    (void)state;
    enum { N = HIDDEN * 2 * D + HIDDEN + ROWS * D + ITEMS * HIDDEN };
    static double whole[N], way[N];
    for (int32_t grain = 2; grain <= EXAMPLES; grain += EXAMPLES - 2) {
        one_step(0, 10, grain, whole);
        double length = sqrt(dot(whole, whole, N)), gradient = length / 10;
        assert_true(gradient > 0.1);
        for (double part = 0.01; part < 1; part *= 3) {
            double clip = part * gradient, rate = 10 / part, norm = one_step(clip, rate, grain, way),
                   moved = sqrt(dot(way, way, N));
            if (!(fabs(norm / gradient - 1) <= 1e-5)) fail_msg("clip %g: a norm of %g, not %g", clip, norm, gradient);
            if (!(fabs(moved / (clip * rate) - 1) <= 1e-5))
                fail_msg("clip %g: a step of %g, not %g", clip, moved, clip * rate);
            if (!(dot(way, whole, N) / (moved * length) >= 1 - 1e-9)) fail_msg("clip %g: elsewhere", clip);
        }
        for (double times = 1.001; times < 1000; times *= 20) {
            double norm = one_step(times * gradient, 10, grain, way);
            assert_true(fabs(norm / gradient - 1) <= 1e-5);
            assert_memory_equal(way, whole, sizeof way);
        }
    }
}

/* ---- what models make of their parameters ------------------------------------------------------------------------ */

/* A network trained in epochs of one step. */
static pen_model *trained(const pen_dataset *log, const char *name, const char *init, const char *const *more)
{
    pen_protocol p;
    pen_model *model;
    pen_error error = {0};
    const char *params[9] = {"factors=4", init, "batch_size=1000000"};
    pen_train_options o = PEN_TRAIN_OPTIONS_INIT;
    o.model = name, o.params = params, o.n_params = 3;
    while (*more) params[o.n_params++] = *more++;
    pen_protocol_init(&p);
    p.split = "ratio:1,0,0";
    if (pen_model_train(log, &p, &o, &model, &error) != PEN_OK) fail_msg("%s", error.message);
    return model;
}

/* Where a number goes from w by the gradients g, h of the first and the second step; `row`: the root of the mean of g^2
 * over its row. */
typedef struct gradient {
    double w, g, h, row;
} gradient;

static double momentum(gradient x) { return x.w - 50 * (x.g + 0.6 * x.g + x.h); }
static double nesterov(gradient x) { return x.w - 50 * (x.g + 0.6 * x.g); }
static double signs(gradient x) { return x.w - 0.05 * x.g / (fabs(x.g) + 1e-8); }
static double by_row(gradient x) { return x.w - 0.05 * x.g / (x.row + 1e-8); }
static double rmsprop(gradient x) { return x.w - 0.05 * x.g / (sqrt(1 - 0.8) * fabs(x.g) + 1e-8); }
static double adamw(gradient x) { return x.w - 0.05 * 0.5 * x.w - 0.05 * x.g / (fabs(x.g) + 1e-8); }

/* From where a run by SGD was after no, one and two steps. A gradient is right to 1e-9, and small ones are left out. */
static void goes_as(const pen_model *model, pen_model *const sgd[3], double (*where)(gradient), const char *name)
{
    int64_t n = 0;
    for (int i = 0; i < model->n_tensors; i++) {
        const pen__state_tensor *t = &model->tensor[i];
        if (t->role != PEN_ROLE_PARAM || t->dtype != PEN_F32) continue;
        const float *is = t->data, *at[3];
        int64_t cols = t->dim[1];
        for (int e = 0; e < 3; e++) at[e] = pen__model_tensor(sgd[e], t->name)->data;
        for (int64_t k = 0; k < pen__state_elements(t); k++) {
            gradient x = {(double)at[0][k], ((double)at[0][k] - (double)at[1][k]) / 50,
                          ((double)at[1][k] - (double)at[2][k]) / 50, 0};
            for (int64_t j = k / cols * cols; j < k / cols * cols + cols; j++)
                x.row += pow(((double)at[0][j] - (double)at[1][j]) / 50, 2) / (double)cols;
            x.row = sqrt(x.row);
            if (fabs(x.g) < 1e-5) continue;
            if (!(fabs((double)is[k] - where(x)) <= 1e-5 * (1 + fabs(where(x)))))
                fail_msg("%s: %s[%lld] is %.9g, not %.9g", name, t->name, (long long)k, (double)is[k], where(x));
            n++;
        }
    }
    assert_true(n > 400);
}

/* The parameter `optimizer` and those of its kinds, all the way from a model's parameters: its first steps (momentum:
 * two of them) from the gradients that SGD shows. */
static void models(void **state)
{
    (void)state;
    static const struct {
        double (*where)(gradient);
        const char *params[6];
    } all[] = {
        {momentum, {"optimizer=momentum", "epochs=2", "learning_rate=50", "beta1=0.6"}},
        {nesterov, {"optimizer=nesterov", "epochs=1", "learning_rate=50", "beta1=0.6"}},
        {signs, {"optimizer=adagrad", "epochs=1", "learning_rate=0.05"}},
        {by_row, {"optimizer=rowwise-adagrad", "epochs=1", "learning_rate=0.05"}},
        {rmsprop, {"optimizer=rmsprop", "epochs=1", "learning_rate=0.05", "beta2=0.8"}},
        {signs, {"optimizer=adam", "epochs=1", "learning_rate=0.05"}},
        {adamw, {"optimizer=adamw", "epochs=1", "learning_rate=0.05", "regularization=0.5"}},
    };
    pen_context *ctx = context_of(2);
    row *rows = random_rows(3000, 60, 50, 3);
    pen_dataset *log = dataset_of(ctx, rows, 3000, 0);
    free(rows);
    pen_model *sgd[3] = {
        trained(log, "gmf", "init=0.3", (const char *[]){"optimizer=sgd", "epochs=1", "learning_rate=1e-7", NULL}),
        trained(log, "gmf", "init=0.3", (const char *[]){"optimizer=sgd", "epochs=1", "learning_rate=50", NULL}),
        trained(log, "gmf", "init=0.3", (const char *[]){"optimizer=sgd", "epochs=2", "learning_rate=50", NULL})};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        pen_model *model = trained(log, "gmf", "init=0.3", all[k].params);
        goes_as(model, sgd, all[k].where, all[k].params[0]);
        pen_model_destroy(model);
    }
    for (int e = 0; e < 3; e++) pen_model_destroy(sgd[e]);
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

/* Where vectors begin near zero, layers have next to no gradients at first, and a penalty is most of what moves them:
 * no further than steps go. */
static void little_but_penalties(void **state)
{
    (void)state;
    pen_context *ctx = context_of(2);
    row *rows = random_rows(3000, 60, 50, 3);
    pen_dataset *log = dataset_of(ctx, rows, 3000, 0);
    free(rows);
    for (int c = 0; c < N_CASES; c += 2) { /* each optimiser once */
        char optimizer[32];
        snprintf(optimizer, sizeof optimizer, "optimizer=%s", GOLDEN[c].optimizer);
        const char *const params[] = {optimizer,  "epochs=5", "learning_rate=0.05", "regularization=0.1",
                                      "hidden=4", NULL};
        pen_model *model = trained(log, "gru4rec", "init=0.02", params);
        for (int i = 0; i < model->n_tensors; i++) {
            const pen__state_tensor *t = &model->tensor[i];
            if (t->role != PEN_ROLE_PARAM || t->dtype != PEN_F32) continue;
            for (int64_t j = 0; j < pen__state_elements(t); j++) {
                double w = (double)((const float *)t->data)[j];
                if (!(fabs(w) < 10)) fail_msg("%s: %s[%lld] is %g", GOLDEN[c].optimizer, t->name, (long long)j, w);
            }
        }
        pen_model_destroy(model);
    }
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(optimisers), cmocka_unit_test(rates),
                                       cmocka_unit_test(clipping), cmocka_unit_test(models),
                                       cmocka_unit_test(little_but_penalties)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
