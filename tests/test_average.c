/* Averaged weights (nn/average.h): a run's, caught up with row by row, beside the dense recursion in double, step by
 * step; whole models', beside the formula on the weights of shorter trainings; what stands on them, and what is left of
 * them when training is broken off. (The battery has models with averages: same bits on any threads, resumed ones.) */
#include <math.h>
#include <time.h>

#include "base/random.h"
#include "log_fixture.h"
#include "nn/ops.h"
#include "nn/run.h"
#include "penchant/query.h"
#include "rank/catalogue.h"
#include "rank/predict.h"
#include "rank/rank.h"

/* ---- a run ------------------------------------------------------------------------------------------------------- */

enum { ROWS = 40, OTHERS = 9, D = 5, EXAMPLES = 6, STEPS = 23, MOST = 4096 };

typedef struct setting {
    pen__optimiser kind;
    double decay;
    int threads;
} setting;

static double chance(uint64_t a, uint64_t b) { return (double)(pen__rand64(11, a, b) >> 11) * 0x1p-53; }

/* Everything that is learned, one block after another: weights, then tables. */
static size_t learned(const pen__plan *p, float *const *weight, float *const *table, double *out)
{
    size_t n = 0;
    for (int32_t w = 0; w < p->n_weights; w++)
        for (int64_t i = 0; i < p->weight[w].rows * p->weight[w].cols; i++) out[n++] = (double)weight[w][i];
    for (int32_t t = 0; t < p->n_tables; t++)
        for (int64_t i = 0; i < p->table[t].rows * p->table[t].width; i++) out[n++] = (double)table[t][i];
    assert_true(n <= MOST);
    return n;
}

/* Trains for STEPS steps in epochs of 10, 10 and 3; after each epoch the averages are those of the recursion. Rows of
 * "row" from 30 on are never touched, most others now and then. `out` gets the averages. */
static size_t follow(const setting *how, float *out)
{
    pen_context *ctx = context_of(how->threads);
    pen__plan *p;
    assert_int_equal(pen__plan_create(ctx, &p, NULL), PEN_OK);
    int32_t first = pen__input_index(p, PEN_ROOT, "row"), other = pen__input_index(p, PEN_ROOT, "other"),
            label = pen__input_real(p, PEN_ROOT, 1, "label");
    pen__init init = {PEN_INIT_NORMAL, 0.5};
    int32_t x[2] = {pen__gather(p, pen__plan_table(p, "row", ROWS, D, init), first),
                    pen__gather(p, pen__plan_table(p, "other", OTHERS, D, init), other)};
    int32_t h = pen__batch_norm(p, "norm", pen__linear(p, "first", x, 2, 7, PEN_ACT_TANH)); /* some weights follow */
    pen__loss_pointwise(p, PEN_LOSS_LOGISTIC, pen__linear(p, "out", &h, 1, 1, PEN_ACT_NONE), label, -1);
    assert_int_equal(pen__plan_end(p, NULL), PEN_OK);
    float *weight[16], *table[2], *mean_weight[16], *mean_table[2];
    pen__run_options o = {.grain = 2, .seed = 3, .average = how->decay};
    o.learning = (pen__learning){.kind = how->kind,
                                 .rate = 0.1,
                                 .beta1 = 0.9,
                                 .beta2 = 0.99,
                                 .epsilon = 1e-8,
                                 .l2 = 0.01,
                                 .tables = 1,
                                 .clip = 0.5};
    float *slot[3][2]; /* of the dense block, of the tables */
    for (int k = 0; k < 3; k++)
        for (int s = 0; s < 2; s++) slot[k][s] = calloc(MOST, sizeof(float));
    for (int s = 0; s < pen__optimiser_slots(how->kind); s++)
        o.slots.dense[s] = slot[0][s], o.slots.table[0][s] = slot[1][s], o.slots.table[1][s] = slot[2][s];
    for (int32_t w = 0; w < p->n_weights; w++) {
        pen__weight *v = &p->weight[w];
        weight[w] = calloc((size_t)(v->rows * v->cols), sizeof(float));
        mean_weight[w] = malloc((size_t)(v->rows * v->cols) * sizeof(float));
        memset(mean_weight[w], 0x40,
               (size_t)(v->rows * v->cols) * sizeof(float)); /* what stood there does not matter */
        pen__init_fill(v->init, v->name, 1, v->rows, v->cols, weight[w]);
        v->data = weight[w], v->average = mean_weight[w];
    }
    for (int32_t t = 0; t < 2; t++) {
        pen__embedding *v = &p->table[t];
        table[t] = calloc((size_t)(v->rows * v->width), sizeof(float));
        mean_table[t] = calloc((size_t)(v->rows * v->width), sizeof(float));
        pen__init_fill(v->init, v->name, 1, v->rows, v->width, table[t]);
        v->data = table[t], v->average = mean_table[t];
    }
    pen__run *run;
    assert_int_equal(pen__run_create(ctx, p, &o, &run, NULL), PEN_OK);
    static double now[MOST], sum[MOST], mean[MOST];
    memset(sum, 0, sizeof sum);
    size_t n = 0;
    int32_t find[ROWS];
    for (int i = 0; i < ROWS; i++) find[i] = -1;
    pen__touched touched[2] = {{0}};
    for (int step = 0; step < STEPS; step++) {
        int32_t index[2][EXAMPLES];
        float labels[EXAMPLES];
        for (int i = 0; i < EXAMPLES; i++) {
            double skewed = chance(1, (uint64_t)(step * EXAMPLES + i));
            index[0][i] = (int32_t)(30 * skewed * skewed * skewed);
            index[1][i] = (int32_t)(OTHERS * chance(2, (uint64_t)(step * EXAMPLES + i)));
            labels[i] = chance(3, (uint64_t)(step * EXAMPLES + i)) < 0.5 ? 0 : 1;
        }
        pen__batch batch = {.n = {EXAMPLES}, .index = {index[0], index[1]}, .real = {labels}};
        pen__step_report report;
        for (int32_t t = 0; t < 2; t++)
            assert_int_equal(pen__touched_build(&touched[t], p, t, &batch, pen__run_shards(run, EXAMPLES), find, NULL),
                             PEN_OK);
        if (step % 10 == 0) pen__run_average_begin(run, (uint64_t)step);
        assert_int_equal(pen__run_step(run, &batch, touched, (uint64_t)step, NULL, &report, NULL), PEN_OK);
        n = learned(p, weight, table, now);
        for (size_t i = 0; i < n; i++) sum[i] = how->decay * sum[i] + (1 - how->decay) * now[i];
        if (step % 10 != 9 && step + 1 < STEPS) continue;
        pen__run_average_end(run);
        learned(p, mean_weight, mean_table, mean);
        for (size_t i = 0; i < n; i++) {
            double want = sum[i] / (1 - pow(how->decay, step + 1));
            /* floats, rounded once a step and touched row */
            if (!(fabs(mean[i] - want) <= 4e-6 * (1 + fabs(want))))
                fail_msg("decay %g, step %d: number %zu is %.9g, not %.9g", how->decay, step, i, mean[i], want);
        }
    }
    for (size_t i = 0; i < n; i++) out[i] = (float)mean[i];
    for (int32_t t = 0; t < 2; t++) pen__touched_free(ctx, &touched[t]);
    pen__run_destroy(run);
    for (int k = 0; k < 6; k++) free(slot[k / 2][k % 2]);
    for (int32_t w = 0; w < p->n_weights; w++) free(weight[w]), free(mean_weight[w]);
    for (int32_t t = 0; t < 2; t++) free(table[t]), free(mean_table[t]);
    pen__plan_destroy(p);
    pen_context_destroy(ctx);
    return n;
}

static void rows_are_caught_up_with(void **state)
{
    (void)state;
    static const pen__optimiser kinds[] = {PEN_OPT_SGD, PEN_OPT_ROWWISE_ADAGRAD, PEN_OPT_ADAMW};
    static const double decays[] = {0.3, 0.9, 0.999, 0.9999};
    static float one[MOST], four[MOST];
    for (size_t k = 0; k < 3; k++)
        for (size_t d = 0; d < 4; d++) {
            size_t n = follow(&(setting){kinds[k], decays[d], 1}, one);
            assert_int_equal(follow(&(setting){kinds[k], decays[d], 4}, four), n);
            assert_memory_equal(one, four, n * sizeof *one);
        }
}

/* ---- models ------------------------------------------------------------------------------------------------------ */

typedef struct watch {
    int64_t amid; /* cancels amid that epoch; 0: never */
    int64_t seen; /* the last epoch of which something was told amid it */
} watch;

static int on_progress(void *user, const pen_progress *p)
{
    watch *w = user;
    if (strcmp(p->stage, "train")) return 0;
    bool ends = p->done * p->n_epochs == p->epoch * p->total;
    if (ends) nanosleep(&(struct timespec){0, 150000000}, NULL); /* so that a step of the next is told */
    if (!ends) w->seen = p->epoch;
    return w->amid && p->epoch == w->amid && !ends;
}

static pen_model *train(const pen_dataset *log, int task, const char *model, const char *const *params, size_t n,
                        pen_status want)
{
    pen_protocol p;
    pen_model *made;
    pen_error error = {0};
    pen_protocol_init(&p);
    p.task = task, p.split = task == PEN_TASK_RATE ? "ratio-all:1,0,0" : "ratio:1,0,0";
    pen_train_options o = PEN_TRAIN_OPTIONS_INIT;
    o.model = model, o.params = params, o.n_params = n;
    pen_status status = pen_model_train(log, &p, &o, &made, &error);
    if (status != want) fail_msg("%s: status %d: %s", model, status, error.message);
    return made;
}

static pen_dataset *log_of(pen_context *ctx)
{
    row *rows = random_rows(3000, 60, 50, 3);
    pen_dataset *log = dataset_of(ctx, rows, 3000, 0);
    free(rows);
    return log;
}

/* Epochs of one step: the weights after each step are those of trainings of so many epochs. */
static void models_keep_the_formula(void **state)
{
    (void)state;
    enum { EPOCHS = 4 };
    static const struct {
        const char *model;
        int task;
    } all[] = {
        {"gmf", PEN_TASK_RANK}, {"sasrec", PEN_TASK_RANK}, {"mult-vae", PEN_TASK_RANK}, {"autorec", PEN_TASK_RATE}};
    pen_context *ctx = context_of(2);
    pen_dataset *log = log_of(ctx);
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        char epochs[32];
        const char *params[] = {epochs, "batch_size=1000000", "factors=8", "learning_rate=0.1", "ema=0.7"};
        pen_model *after[EPOCHS + 1];
        for (int e = 1; e <= EPOCHS; e++) {
            snprintf(epochs, sizeof epochs, "epochs=%d", e);
            after[e] = train(log, all[k].task, all[k].model, params, 4, PEN_OK);
        }
        pen_model *mean = train(log, all[k].task, all[k].model, params, 5, PEN_OK);
        double apart = 0;
        for (int i = 0; i < mean->n_tensors; i++) {
            const pen__state_tensor *t = &mean->tensor[i];
            if (t->role != PEN_ROLE_PARAM || t->dtype != PEN_F32) continue;
            if (!strcmp(t->name, "centred") || !strcmp(t->name, "center")) continue; /* they follow */
            const float *got = t->data;
            for (int64_t j = 0; j < pen__state_elements(t); j++) {
                double sum = 0, share = 0;
                for (int e = 1; e <= EPOCHS; e++) {
                    double weight = 0.3 * pow(0.7, EPOCHS - e);
                    sum += weight * (double)((const float *)pen__model_tensor(after[e], t->name)->data)[j];
                    share += weight;
                }
                if (!(fabs((double)got[j] - sum / share) <= 2e-6 * (1 + fabs(sum))))
                    fail_msg("%s: %s[%lld] is %g, not %g", all[k].model, t->name, (long long)j, (double)got[j],
                             sum / share);
                double last = (double)((const float *)pen__model_tensor(after[EPOCHS], t->name)->data)[j];
                apart = fmax(apart, fabs(last - sum / share));
            }
        }
        assert_true(apart > 0.01); /* the last weights would not have done */
        for (int e = 1; e <= EPOCHS; e++) pen_model_destroy(after[e]);
        pen_model_destroy(mean);
    }
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

/* autorec's hidden layers are made of the averages: a known user's is what the same history folds in to. */
static void what_stands_on_them(void **state)
{
    (void)state;
    pen_context *ctx = context_of(2);
    pen_dataset *log = log_of(ctx);
    const char *params[] = {"side=users", "epochs=5", "batch_size=7", "factors=8", "learning_rate=0.1", "ema=0.99"};
    pen_model *model = train(log, PEN_TASK_RATE, "autorec", params, 6, PEN_OK);
    const pen__rows *history = &model->catalogue->history;
    for (int32_t u = 0; u < model->n_users; u++) {
        int64_t from = history->begin[u];
        pen__user user = {u, history->begin[u + 1] - from, history->column + from, history->value + from, NULL};
        double known, folded;
        int32_t item = u % model->n_items;
        assert_int_equal(pen__rate(model, &user, &item, &known, 1, NULL), PEN_OK);
        user.number = -1;
        assert_int_equal(pen__rate(model, &user, &item, &folded, 1, NULL), PEN_OK);
        if (!(fabs(known - folded) <= 1e-4)) fail_msg("user %d: %g, folded in %g", u, known, folded);
    }
    pen_model_destroy(model);
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

static double norm_of(const pen_model *model, const char *name)
{
    const pen__state_tensor *t = pen__model_tensor(model, name);
    double square = 0;
    for (int64_t i = 0; i < pen__state_elements(t); i++) square += pow((double)((const float *)t->data)[i], 2);
    return sqrt(square);
}

/* Broken off amid an epoch without a checkpoint and without validation: what is left are averages up to there, not the
 * sums that an epoch works with (a ten-thousandth of them in the first steps). */
static void broken_off(void **state)
{
    (void)state;
    watch w = {2, 0};
    pen_context_options o = PEN_CONTEXT_OPTIONS_INIT;
    pen_context *ctx;
    o.n_threads = 2, o.progress = on_progress, o.user = &w;
    assert_int_equal(pen_context_create(&o, &ctx, NULL), PEN_OK);
    pen_dataset *log = log_of(ctx);
    const char *params[] = {"epochs=6", "batch_size=100", "factors=8", "init=0.5", "learning_rate=0.001", "ema=0.9999"};
    pen_model *left = train(log, PEN_TASK_RANK, "gmf", params, 6, PEN_E_CANCELLED);
    assert_int_equal(w.seen, 2);
    assert_non_null(left);
    static const char *const tables[] = {"user", "item"};
    for (int t = 0; t < 2; t++) {
        char raw[32];
        snprintf(raw, sizeof raw, "%s.raw", tables[t]);
        double ratio = norm_of(left, tables[t]) / norm_of(left, raw);
        if (!(ratio > 0.8 && ratio < 1.2)) fail_msg("%s: %g of the raw one's norm", tables[t], ratio);
    }
    pen_model_destroy(left);
    /* and what is kept beside the weights is of these weights */
    w = (watch){2, 0};
    const char *cosine[] = {"epochs=6", "batch_size=100",     "factors=8",
                            "layers=0", "learning_rate=0.05", "temperature=0.2"};
    left = train(log, PEN_TASK_RANK, "youtube-dnn", cosine, 6, PEN_E_CANCELLED);
    assert_int_equal(w.seen, 2);
    assert_non_null(left);
    const float *rows = pen__model_tensor(left, "item")->data, *vector = pen__model_tensor(left, "vectors")->data;
    for (int32_t i = 0; i < left->n_items; i++, rows += 8, vector += 8) {
        double along = 0, square = 0;
        for (int k = 0; k < 8; k++)
            along += (double)rows[k] * (double)vector[k], square += (double)rows[k] * (double)rows[k];
        if (fabs(along / sqrt(square) - 1) > 1e-5) fail_msg("item %d: cosine %g", i, along / sqrt(square));
    }
    pen_model_destroy(left);
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_are_caught_up_with),
                                       cmocka_unit_test(models_keep_the_formula), cmocka_unit_test(what_stands_on_them),
                                       cmocka_unit_test(broken_off)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
