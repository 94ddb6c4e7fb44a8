/* The models by stochastic gradient descent: their kernels, the grid they run on, and what they must learn. What holds
 * for all models (threads, files, resuming, memory) is in test_battery.c on one block; here the data fill a grid of
 * several. */
#include "log_fixture.h"

#include "base/cpu.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/thread.h"
#include "data/grid.h"
#include "data/sampler.h"
#include "kern/sgd.h"
#include "model/factor/normal_row.h"
#include "rank/rank.h"
#include "train/trainer.h"

enum { N_USERS = 400, N_ITEMS = 320, KINDS = 4 };

static void close_to(double a, double b, double eps)
{
    if (!(fabs(a - b) <= eps)) fail_msg("%.9g is not within %g of %.9g", a, eps, b);
}

/* ---- data: users and items of four kinds; everybody rates the own kind 5 and the others 1, and likes the own kind  */

static void rows_of(pen_context *ctx, pen__rows *out, int64_t n_rows, int64_t n_columns, int task, int flip)
{
    pen_error *error = NULL;
    int64_t n = 0;
    assert_int_equal(PEN_NEW(ctx, out->begin, n_rows + 1) | PEN_NEW(ctx, out->column, n_rows * n_columns) |
                         PEN_NEW(ctx, out->value, n_rows * n_columns),
                     PEN_OK);
    out->n_rows = n_rows, out->time = NULL, out->begin[0] = 0;
    for (int64_t r = 0; r < n_rows; r++) {
        for (int64_t c = 0; c < n_columns; c++) {
            int64_t u = flip ? c : r, i = flip ? r : c;
            int own = u % KINDS == i % KINDS;
            uint64_t chance = pen__rand64(3, 100, (uint64_t)(u * N_ITEMS + i)) % 100;
            /* enough events for more than one block */
            if (task == PEN_TASK_RATE ? chance >= 60 : !own || chance >= 70) continue;
            out->column[n] = (int32_t)c;
            out->value[n++] = task == PEN_TASK_RATE ? (own ? 5 : 1) : 1;
        }
        out->begin[r + 1] = n;
    }
}

static pen__train train_of(pen_context *ctx, int task)
{
    pen__train train = {.ctx = ctx, .n_users = N_USERS, .n_items = N_ITEMS, .task = task, .least = 1, .most = 5};
    rows_of(ctx, &train.by_user, N_USERS, N_ITEMS, task, 0);
    rows_of(ctx, &train.by_item, N_ITEMS, N_USERS, task, 1);
    train.history = train.by_user;
    train.n_events = train.by_user.begin[N_USERS];
    for (int64_t e = 0; e < train.n_events; e++) train.mean += (double)train.by_user.value[e] / (double)train.n_events;
    return train;
}

static void free_train(pen__train *train)
{
    for (int side = 0; side < 2; side++) {
        pen__rows *rows = side ? &train->by_item : &train->by_user;
        pen__free(train->ctx, rows->begin);
        pen__free(train->ctx, rows->column);
        pen__free(train->ctx, rows->value);
    }
}

static pen_model *start(const pen__train *train, const char *name, const char *const *params)
{
    const pen__model_class *class = pen__model_class_find(name);
    pen__params values;
    pen_model *model;
    pen_error error = {0};
    pen__params_default(class, &values);
    for (; *params; params++)
        if (pen__params_set(class, &values, *params, &error) != PEN_OK) fail_msg("%s", error.message);
    assert_int_equal(pen__model_new(train->ctx, class, &values, train, 5, &model, NULL), PEN_OK);
    assert_int_equal(class->begin(model, train, NULL), PEN_OK);
    assert_int_equal(pen__model_bind(model, NULL), PEN_OK);
    return model;
}

/* Epochs from..to-1; the last one's loss. */
static double run(pen_model *model, const pen__train *train, int from, int to)
{
    double loss = NAN;
    pen_error error = {0};
    for (int e = from; e < to; e++)
        if (model->class->epoch(model, train, e, &loss, &error) != PEN_OK) fail_msg("%s", error.message);
    return loss;
}

#define PARAMS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void same_tensors(const pen_model *a, const pen_model *b)
{
    assert_int_equal(a->n_tensors, b->n_tensors);
    for (int i = 0; i < a->n_tensors; i++)
        assert_memory_equal(a->tensor[i].data, b->tensor[i].data, pen__state_bytes(&a->tensor[i]));
}

/* ---- kernels ----------------------------------------------------------------------------------------------------- */

enum { WIDTHS = 5, RUN = 37 };
static const int width_of[WIDTHS] = {8, 16, 56, 64, 72};

/* A small model in aligned blocks with a guard behind each. */
typedef struct toy {
    _Alignas(64) float user[80], item[12 * 72 + 8], item_bias[16], user_sum[80], item_sum[12 * 72 + 8],
        item_bias_sum[16];
    float user_bias;
} toy;

static void fill_toy(toy *t, float sum)
{
    pen__rng rng = pen__rng_begin(1, 99, 0);
    for (size_t i = 0; i < 80; i++) t->user[i] = (float)(pen__rng_uniform(&rng) - 0.5), t->user_sum[i] = sum;
    for (size_t i = 0; i < 12 * 72 + 8; i++) t->item[i] = (float)(pen__rng_uniform(&rng) - 0.5), t->item_sum[i] = sum;
    for (size_t i = 0; i < 16; i++) t->item_bias[i] = (float)(pen__rng_uniform(&rng) - 0.5), t->item_bias_sum[i] = sum;
    t->user_bias = 0.25f;
}

static void near(const float *a, const float *b, size_t n)
{
    /* 37 steps on rows of up to 72: rounding of a dot product's order (72 eps) carried along, with room. */
    for (size_t i = 0; i < n; i++) close_to(a[i], b[i], 2e-4);
}

static void near_toys(const toy *a, const toy *b)
{
    near(a->user, b->user, 80);
    near(a->item, b->item, 12 * 72 + 8);
    near(a->item_bias, b->item_bias, 16);
    near(a->user_sum, b->user_sum, 80);
    near(a->item_sum, b->item_sum, 12 * 72 + 8);
    near(a->item_bias_sum, b->item_bias_sum, 16);
    close_to(a->user_bias, b->user_bias, 2e-4);
}

/* Every level against plain loops in double, for ratings: plain, with L1, with Adagrad. */
static double plain_rate(const pen__sgd_rate *m, toy *t, const int32_t *item, const float *value, int64_t n)
{
    double loss = 0;
    for (int64_t e = 0; e < n; e++) {
        float *q = m->item + item[e] * m->width, *sum = m->item_sum ? m->item_sum + 2 * item[e] : NULL;
        double dot = 0, pp = 0, qq = 0;
        for (int64_t k = 0; k < m->width; k++)
            dot += (double)t->user[k] * (double)q[k], pp += pow((double)t->user[k], 2), qq += pow((double)q[k], 2);
        double miss = (double)value[e] - (double)m->mean - (double)t->user_bias - (double)m->item_bias[item[e]] - dot;
        double ru = m->rate, ri = m->rate, bu = m->bias_rate, bi = m->bias_rate, l2 = m->l2, bl2 = m->bias_l2;
        if (sum) {
            ru /= sqrt((double)t->user_sum[0]), bu /= sqrt((double)t->user_sum[1]), ri /= sqrt((double)sum[0]),
                bi /= sqrt((double)sum[1]);
            t->user_sum[0] += (float)(miss * miss * qq / (double)m->factors), t->user_sum[1] += (float)(miss * miss);
            sum[0] += (float)(miss * miss * pp / (double)m->factors), sum[1] += (float)(miss * miss);
        }
        t->user_bias += (float)(bu * (miss - bl2 * (double)t->user_bias));
        m->item_bias[item[e]] += (float)(bi * (miss - bl2 * (double)m->item_bias[item[e]]));
        for (int64_t k = 0; k < m->width; k++) {
            double p = t->user[k], x = p + ru * (miss * (double)q[k] - l2 * p),
                   y = (double)q[k] + ri * (miss * p - l2 * (double)q[k]);
            double cx = ru * (double)m->l1, cy = ri * (double)m->l1;
            t->user[k] = (float)(x > cx ? x - cx : x < -cx ? x + cx : 0);
            q[k] = (float)(y > cy ? y - cy : y < -cy ? y + cy : 0);
        }
        loss += miss * miss;
    }
    return loss;
}

static void rate_kernels(void **state)
{
    (void)state;
    int32_t item[RUN];
    float value[RUN];
    for (int e = 0; e < RUN; e++) item[e] = (int32_t)(pen__rand64(1, 98, (uint64_t)e) % 12), value[e] = (float)(e % 5);
    for (int level = 0; level < PEN_CPU_LEVELS; level++)
        for (int w = 0; w < WIDTHS; w++)
            for (int kind = 0; kind < 3; kind++) {
                const pen__sgd_kernels *kern = pen__sgd_at(level);
                if (!kern) continue;
                static toy a, b;
                fill_toy(&a, 1), fill_toy(&b, 1);
                pen__sgd_rate m = {.item = a.item,
                                   .item_bias = a.item_bias,
                                   .item_sum = kind == 2 ? a.item_sum : NULL,
                                   .width = width_of[w],
                                   .factors = width_of[w],
                                   .mean = 2.5f,
                                   .rate = 0.02f,
                                   .bias_rate = 0.03f,
                                   .l2 = 0.1f,
                                   .bias_l2 = 0.2f,
                                   .l1 = kind == 1 ? 0.5f : 0};
                double loss = kern->rate_run(&m, a.user, &a.user_bias, a.user_sum, item, value, RUN);
                m.item = b.item, m.item_bias = b.item_bias, m.item_sum = m.item_sum ? b.item_sum : NULL;
                close_to(loss, plain_rate(&m, &b, item, value, RUN), 1e-3);
                near_toys(&a, &b);
            }
}

static double plain_pair(const pen__sgd_pair *m, toy *t, const int32_t *liked, const int32_t *other,
                         const float *weight, int64_t n)
{
    double loss = 0;
    for (int64_t e = 0; e < n; e++) {
        float *a = m->item + liked[e] * m->width, *b = m->item + other[e] * m->width;
        double x = (double)m->item_bias[liked[e]] - (double)m->item_bias[other[e]];
        for (int64_t k = 0; k < m->width; k++) x += (double)t->user[k] * ((double)a[k] - (double)b[k]);
        double g = (double)weight[e] / (1 + exp(x));
        loss += log1p(exp(-x));
        float *at[] = {m->item_bias + liked[e], m->item_bias + other[e]};
        double gb[] = {g - (double)m->l2_bias * (double)*at[0], -g - (double)m->l2_bias * (double)*at[1]};
        float *hb[] = {t->item_bias_sum + liked[e], t->item_bias_sum + other[e]};
        for (int i = 0; i < 2; i++) {
            if (m->item_sum) *hb[i] += (float)(gb[i] * gb[i]), gb[i] /= sqrt((double)*hb[i]);
            *at[i] += (float)((double)m->rate * gb[i]);
        }
        for (int64_t k = 0; k < m->width; k++) {
            double p = t->user[k], va = a[k], vb = b[k];
            double step[] = {g * (va - vb) - (double)m->l2_user * p, g * p - (double)m->l2_liked * va,
                             -g * p - (double)m->l2_other * vb};
            float *x3[] = {t->user + k, a + k, b + k};
            float *h3[] = {t->user_sum + k, t->item_sum + liked[e] * m->width + k,
                           t->item_sum + other[e] * m->width + k};
            for (int i = 0; i < 3; i++) {
                if (m->item_sum) *h3[i] += (float)(step[i] * step[i]), step[i] /= sqrt((double)*h3[i]);
                *x3[i] += (float)((double)m->rate * step[i]);
            }
        }
    }
    return loss;
}

static void pair_kernels(void **state)
{
    (void)state;
    int32_t liked[RUN], other[RUN];
    float weight[RUN];
    for (int e = 0; e < RUN; e++) {
        liked[e] = (int32_t)(pen__rand64(1, 97, (uint64_t)e) % 12);
        other[e] = (liked[e] + 1 + e % 11) % 12;
        weight[e] = 1 + (float)(e % 3);
    }
    for (int level = 0; level < PEN_CPU_LEVELS; level++)
        for (int w = 0; w < WIDTHS; w++)
            for (int adagrad = 0; adagrad < 2; adagrad++) {
                const pen__sgd_kernels *kern = pen__sgd_at(level);
                if (!kern) continue;
                static toy a, b;
                fill_toy(&a, 0.1f), fill_toy(&b, 0.1f);
                pen__sgd_pair m = {.item = a.item,
                                   .item_bias = a.item_bias,
                                   .item_sum = adagrad ? a.item_sum : NULL,
                                   .item_bias_sum = a.item_bias_sum,
                                   .width = width_of[w],
                                   .rate = 0.05f,
                                   .l2_user = 0.1f,
                                   .l2_liked = 0.2f,
                                   .l2_other = 0.3f,
                                   .l2_bias = 0.4f};
                double loss = kern->pair_run(&m, a.user, a.user_sum, liked, other, weight, RUN);
                m.item = b.item, m.item_bias = b.item_bias, m.item_sum = adagrad ? b.item_sum : NULL;
                close_to(loss, plain_pair(&m, &b, liked, other, weight, RUN), 1e-3);
                near_toys(&a, &b);
                float score[RUN];
                m.item = a.item, m.item_bias = a.item_bias;
                kern->scores(&m, a.user, liked, RUN, score);
                for (int e = 0; e < RUN; e++) {
                    double sum = a.item_bias[liked[e]];
                    for (int k = 0; k < width_of[w]; k++)
                        sum += (double)a.user[k] * (double)a.item[liked[e] * width_of[w] + k];
                    close_to(score[e], sum, 1e-4);
                }
            }
}

/* Margins far out: no overflow, a loss of about the margin, and a NaN stays to be seen. */
static void extreme_margins(void **state)
{
    (void)state;
    const pen__sgd_kernels *kern = pen__sgd();
    static toy t;
    memset(&t, 0, sizeof t);
    int32_t liked = 0, other = 1;
    pen__sgd_pair m = {.item = t.item, .item_bias = t.item_bias, .width = 64, .rate = 0};
    t.item_bias[0] = -35;
    close_to(kern->pair_run(&m, t.user, NULL, &liked, &other, NULL, 1), 35, 1e-3);
    t.item_bias[0] = -1e30f;
    assert_true(isfinite(kern->pair_run(&m, t.user, NULL, &liked, &other, NULL, 1)));
    t.item_bias[0] = 1e30f;
    assert_true(kern->pair_run(&m, t.user, NULL, &liked, &other, NULL, 1) < 1e-6);
    t.item_bias[0] = NAN;
    assert_true(isnan(kern->pair_run(&m, t.user, NULL, &liked, &other, NULL, 1)));
}

/* ---- grid and sampler -------------------------------------------------------------------------------------------- */

static void grid_holds_each_event_once(void **state)
{
    (void)state;
    pen_context *ctx = context_of(2);
    pen__train train = train_of(ctx, PEN_TASK_RATE);
    pen__grid *grid;
    assert_int_equal(pen__grid_new(ctx, &train.by_user, N_ITEMS, true, 1, &grid, NULL), PEN_OK);
    assert_true(grid->side >= 4);
    for (uint64_t deal = 0; deal < 3; deal++) {
        if (deal) assert_int_equal(pen__grid_deal(grid, deal, NULL), PEN_OK);
        static uint8_t found[N_USERS * N_ITEMS];
        memset(found, 0, sizeof found);
        int64_t n = 0, most = 0, least = INT64_MAX;
        for (int32_t b = 0; b < grid->side; b++) {
            int64_t block = 0;
            for (int32_t u = 0; u < N_USERS; u++) {
                pen__run r = pen__grid_run(grid, u, b);
                for (int64_t e = 0; e < r.n; e++) {
                    assert_int_equal(grid->item_block[r.item[e]], b);
                    assert_int_equal(found[u * N_ITEMS + r.item[e]]++, 0);
                    close_to(r.value[e], u % KINDS == r.item[e] % KINDS ? 5 : 1, 0);
                }
                block += r.n;
            }
            n += block;
            most = block > most ? block : most, least = block < least ? block : least;
        }
        assert_int_equal(n, train.n_events);
        assert_true((double)most < 1.25 * (double)least); /* balanced */
        for (int32_t k = 0; k < N_ITEMS; k++) assert_in_range(grid->item[k], 0, N_ITEMS - 1);
    }
    pen__grid_free(grid);
    free_train(&train);
    pen_context_destroy(ctx);
}

static void walk_meets_each_once(void **state)
{
    (void)state;
    for (int64_t n = 1; n < 70; n++) {
        pen__rng rng = pen__rng_begin(9, 9, (uint64_t)n);
        pen__walk walk = pen__walk_begin(&rng, n);
        char met[70] = {0};
        for (int64_t k = 0; k < n; k++) assert_int_equal(met[pen__walk_next(&walk)]++, 0);
    }
}

static void alias_draws_by_weight(void **state)
{
    (void)state;
    double weight[] = {0, 1, 2, 3, 0.5, 13.5}, zero[] = {0, 0, 0};
    int32_t scratch[6], count[6] = {0};
    pen__alias table[6];
    pen__rng rng = pen__rng_begin(1, 2, 3);
    pen__alias_build(weight, 6, scratch, table);
    for (int i = 0; i < 200000; i++) count[pen__alias_draw(table, 6, &rng)]++;
    const double share[] = {0, 0.05, 0.1, 0.15, 0.025, 0.675};
    for (int i = 0; i < 6; i++) close_to(count[i] / 200000.0, share[i], 0.005); /* over 4 deviations */
    assert_int_equal(count[0], 0);
    pen__alias_build(zero, 3, scratch, table);
    memset(count, 0, sizeof count);
    for (int i = 0; i < 3000; i++) count[pen__alias_draw(table, 3, &rng)]++;
    for (int i = 0; i < 3; i++) assert_true(count[i] > 800);
}

/* ---- models ------------------------------------------------------------------------------------------------------ */

static const struct variant {
    const char *model;
    int task;
    const char *params[6];
} variants[] = {
    {"biased-mf", PEN_TASK_RATE, {"factors=6", "learning_rate=0.05", "regularization=0.01", "init=0.1"}},
    {"biased-mf", PEN_TASK_RATE, {"factors=64", "schedule=inverse", "learning_rate=0.03", "l1=0.001", "init=0.1"}},
    {"biased-mf",
     PEN_TASK_RATE,
     {"factors=10", "schedule=adagrad", "learning_rate=0.2", "regularization=0.01", "init=0.1"}},
    {"biased-mf", PEN_TASK_RATE, {"factors=5", "solver=als", "regularization=0.01"}},
    {"bpr", PEN_TASK_RANK, {"factors=64", "weighting=none"}},
    {"bpr", PEN_TASK_RANK, {"factors=12", "optimizer=adagrad", "sampler=dns", "candidates=3"}},
    {"bpr", PEN_TASK_RANK, {"factors=16", "sampler=popularity", "negatives=3", "biases=0"}},
};
enum { VARIANTS = sizeof variants / sizeof *variants };

static void same_bits_on_a_grid(void **state)
{
    (void)state;
    for (int v = 0; v < VARIANTS; v++) {
        pen_context *one = context_of(1), *four = context_of(4);
        pen__train a = train_of(one, variants[v].task), b = train_of(four, variants[v].task);
        pen_model *x = start(&a, variants[v].model, variants[v].params),
                  *y = start(&b, variants[v].model, variants[v].params);
        double lx = run(x, &a, 0, 3), ly = run(y, &b, 0, 3);
        assert_memory_equal(&lx, &ly, sizeof lx);
        same_tensors(x, y);
        /* goes on from tensors after the first epoch */
        pen_model *z = start(&b, variants[v].model, variants[v].params);
        run(z, &b, 0, 1);
        pen_model *w = start(&b, variants[v].model, variants[v].params);
        for (int i = 0; i < z->n_tensors; i++)
            memcpy(w->tensor[i].data, z->tensor[i].data, pen__state_bytes(&z->tensor[i]));
        assert_int_equal(pen__model_bind(w, NULL), PEN_OK);
        run(w, &b, 1, 3);
        same_tensors(w, y);
        pen__model_free(x), pen__model_free(y), pen__model_free(z), pen__model_free(w);
        free_train(&a), free_train(&b);
        pen_context_destroy(one), pen_context_destroy(four);
    }
}

static double rmse_of(const pen_model *model, const pen__train *train, int fold)
{
    double sum = 0;
    int64_t n = 0;
    pen_error error = {0};
    for (int32_t u = 0; u < N_USERS; u += 5) {
        int64_t at = train->by_user.begin[u];
        pen__user user = {fold ? -1 : u, train->by_user.begin[u + 1] - at, train->by_user.column + at,
                          train->by_user.value + at, NULL};
        for (int32_t i = 0; i < N_ITEMS; i += 7) {
            double rating;
            if (pen__rate(model, &user, &i, &rating, 1, &error) != PEN_OK) fail_msg("%s", error.message);
            sum += pow(rating - (u % KINDS == i % KINDS ? 5 : 1), 2);
            n++;
        }
    }
    return sqrt(sum / (double)n);
}

/* The share of (own kind, other kind) pairs that stand in the right order. */
static double auc_of(const pen_model *model, const pen__train *train, int fold)
{
    double right = 0, all = 0;
    static float score[N_ITEMS];
    for (int32_t u = 0; u < N_USERS; u += 9) {
        int64_t at = train->by_user.begin[u];
        pen__user user = {fold ? -1 : u, train->by_user.begin[u + 1] - at, train->by_user.column + at,
                          train->by_user.value + at, NULL};
        for (int32_t i = 0; i < N_ITEMS; i++)
            assert_int_equal(pen__score_one(model, &user, i, &score[i], NULL), PEN_OK);
        for (int32_t i = u % KINDS; i < N_ITEMS; i += KINDS)
            for (int32_t j = 0; j < N_ITEMS; j++)
                if (j % KINDS != u % KINDS) right += score[i] > score[j], all++;
    }
    return right / all;
}

/* Four kinds need three dimensions; unseen pairs (40 and 30 in a hundred) are foretold from the others. */
static void recovers_the_kinds(void **state)
{
    (void)state;
    for (int v = 0; v < VARIANTS; v++) {
        pen_context *ctx = context_of(2);
        pen__train train = train_of(ctx, variants[v].task);
        pen_model *model = start(&train, variants[v].model, variants[v].params);
        double first = run(model, &train, 0, 1), last = run(model, &train, 1, 30);
        assert_true(last < 0.5 * first);
        if (variants[v].task == PEN_TASK_RATE) {
            double known = rmse_of(model, &train, 0), folded = rmse_of(model, &train, 1);
            if (known > 0.5 || folded > 0.5) fail_msg("variant %d: rmse %g, folded in %g", v, known, folded);
        } else {
            double known = auc_of(model, &train, 0), folded = auc_of(model, &train, 1);
            if (known < 0.99 || folded < 0.99) fail_msg("variant %d: auc %g, folded in %g", v, known, folded);
        }
        pen__model_free(model);
        free_train(&train);
        pen_context_destroy(ctx);
    }
}

static double share_of_zeros(const pen_model *model)
{
    int64_t d[3], zeros = 0;
    const float *item;
    int32_t factors = pen__param_int(model, "factors");
    assert_int_equal(pen__model_get(model, "item.factors", PEN_F32, N_ITEMS, -1, 0, d, &item, NULL), PEN_OK);
    for (int64_t i = 0; i < N_ITEMS; i++)
        for (int32_t k = 0; k < factors; k++) zeros += item[i * d[1] + k] == 0;
    return (double)zeros / (double)(N_ITEMS * factors);
}

static void l1_makes_zeros(void **state)
{
    (void)state;
    pen_context *ctx = context_of(2);
    pen__train train = train_of(ctx, PEN_TASK_RATE);
    for (int als = 0; als < 2; als++) {
        const char *solver = als ? "solver=als" : "solver=sgd";
        pen_model *plain = start(&train, "biased-mf", PARAMS(solver, "factors=16", "learning_rate=0.02"));
        pen_model *sparse = start(&train, "biased-mf", PARAMS(solver, "factors=16", "learning_rate=0.02", "l1=0.1"));
        run(plain, &train, 0, 15), run(sparse, &train, 0, 15);
        assert_true(share_of_zeros(plain) < 0.01);
        double zeros = share_of_zeros(sparse);
        if (zeros < 0.3) fail_msg("solver %d: %g of the factors are zero", als, zeros);
        pen__model_free(plain), pen__model_free(sparse);
    }
    free_train(&train);
    pen_context_destroy(ctx);
}

static void divergence_is_an_error(void **state)
{
    (void)state;
    static const char *const name[] = {"biased-mf", "bpr"};
    static const char *const params[][2] = {{"learning_rate=10", "init=1"}, {"learning_rate=10", "regularization=10"}};
    pen_context *ctx = context_of(2);
    pen__train train = train_of(ctx, PEN_TASK_RATE), likes = train_of(ctx, PEN_TASK_RANK);
    for (int m = 0; m < 2; m++) {
        pen__fit_options o = {.class = pen__model_class_find(name[m]), .train = m ? &likes : &train, .n_epochs = 20};
        pen__params values;
        pen__fit_report report;
        pen_model *model;
        pen_error error = {0};
        pen__params_default(o.class, &values);
        for (int k = 0; k < 2; k++) assert_int_equal(pen__params_set(o.class, &values, params[m][k], NULL), PEN_OK);
        o.params = &values, o.seed = 5;
        assert_int_equal(pen__fit(ctx, &o, &model, &report, &error), PEN_E_DIVERGED);
        assert_null(model);
        assert_true(error.position >= 1);
        assert_non_null(strstr(error.message, "learning_rate"));
        assert_null(strstr(error.message, "nan"));
        assert_null(strstr(error.message, "is inf;"));
    }
    free_train(&train), free_train(&likes);
    pen_context_destroy(ctx);
}

/* A user who has seen all items has no negative: nothing is learned, nothing hangs; and what was seen but not liked
 * (history beyond by_user) is no negative either: with every other item seen, only one is left to be pushed down. */
static void negatives_are_never_seen(void **state)
{
    (void)state;
    enum { FEW = 12 };
    pen_context *ctx = context_of(1);
    int64_t begin[] = {0, 4, 4 + FEW}, history_begin[] = {0, FEW - 1, 2 * FEW - 1};
    int32_t column[4 + FEW], history[2 * FEW];
    float value[2 * FEW];
    for (int i = 0; i < 4; i++) column[i] = 2 * i;
    for (int i = 0; i < FEW; i++) column[4 + i] = i;
    for (int i = 0; i < FEW - 1; i++) history[i] = FEW - 2 - i; /* the first user has seen all but the last item */
    for (int i = 0; i < FEW; i++) history[FEW - 1 + i] = i;
    for (int i = 0; i < 2 * FEW; i++) value[i] = 1;
    int64_t item_begin[FEW + 1];
    for (int i = 0; i <= FEW; i++) item_begin[i] = i; /* bpr reads popularity from it only */
    pen__train train = {.ctx = ctx,
                        .n_users = 2,
                        .n_items = FEW,
                        .n_events = 4 + FEW,
                        .task = PEN_TASK_RANK,
                        .by_user = {2, begin, column, value, NULL},
                        .by_item = {FEW, item_begin, column, value, NULL},
                        .history = {2, history_begin, history, value, NULL}};
    pen_model *model = start(&train, "bpr", PARAMS("factors=8", "init=0", "regularization=0"));
    run(model, &train, 0, 20);
    const float *bias;
    assert_int_equal(pen__model_get(model, "item.bias", PEN_F32, FEW, 0, 0, NULL, &bias, NULL), PEN_OK);
    for (int i = 0; i < FEW - 1; i++) /* with factors at zero only biases move */
        assert_true(i % 2 == 0 && i < 8 ? bias[i] > 0 : bias[i] == 0);
    assert_true(bias[FEW - 1] < 0);
    pen__model_free(model);
    pen_context_destroy(ctx);
}

/* Ridge by Cholesky against the same by many coordinate descents without a cut, and the bias against its closed
 * form. */
static void normal_row_solves(void **state)
{
    (void)state;
    enum { D = 5, N = 23 };
    float rows[N * 8] = {0}, bias[N], value[N], ridge[8] = {0}, b = 0;
    int32_t column[N];
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < D; k++) rows[i * 8 + k] = (float)pen__rand64(1, 50, (uint64_t)(i * D + k)) * 0x1p-63f - 1;
        bias[i] = (float)i / N, value[i] = 1 + (float)(i * 7 % 5), column[i] = i;
    }
    pen__normal_row work = {
        .d = D, .width = 8, .biased = 1, .l2 = 0.05, .bias_l2 = 0.02, .rows = rows, .bias = bias, .mean = 3};
    void *scratch = aligned_alloc(64, (pen__normal_row_scratch(D) + 63) / 64 * 64);
    pen__normal_row_solve(&work, column, value, N, scratch, ridge, &b);
    double gradient[D + 1] = {0}; /* of half the objective at the solution: zero */
    for (int k = 0; k < D; k++) gradient[k] = N * work.l2 * (double)ridge[k];
    gradient[D] = N * work.bias_l2 * (double)b;
    for (int i = 0; i < N; i++) {
        double miss = (double)value[i] - 3 - (double)bias[i] - (double)b;
        for (int k = 0; k < D; k++) miss -= (double)ridge[k] * (double)rows[i * 8 + k];
        for (int k = 0; k < D; k++) gradient[k] -= miss * (double)rows[i * 8 + k];
        gradient[D] -= miss;
    }
    for (int k = 0; k <= D; k++) close_to(gradient[k], 0, 1e-4);
    pen__normal_row_solve(&work, column, value, 0, scratch, ridge, &b);
    for (int k = 0; k < D; k++) close_to(ridge[k], 0, 0);
    close_to(b, 0, 0);
    free(scratch);
}

/* ---- reasons ----------------------------------------------------------------------------------------------------- */

enum { MOST_REASONS = N_ITEMS + 8 };

/* Shares, mean and biases sum to the rating. A fold-in is linear in what was rated, so that an event's share is its
 * residual times what one more point of it changes, which rate() says independently; after ALS a known user is such a
 * fold-in. */
static void reasons_of_ratings(void **state)
{
    (void)state;
    pen_context *ctx = context_of(2);
    pen__train train = train_of(ctx, PEN_TASK_RATE);
    for (int als = 0; als < 2; als++) {
        pen_model *model = start(&train, "biased-mf",
                                 als ? PARAMS("factors=6", "solver=als") : PARAMS("factors=6", "learning_rate=0.05"));
        const pen__model_class *class = model->class;
        void *scratch = calloc(1, class->scratch(model));
        const float *item_bias;
        pen_error error = {0};
        model->mean = train.mean;
        assert_int_equal(pen__model_bind(model, NULL), PEN_OK);
        run(model, &train, 0, 4);
        assert_int_equal(pen__model_get(model, "item.bias", PEN_F32, N_ITEMS, 0, 0, NULL, &item_bias, NULL), PEN_OK);
        for (int32_t u = 0; u < N_USERS; u += 97)
            for (int known = 0; known < 2; known++)
                for (int32_t target = 3; target < N_ITEMS; target += 71) {
                    int64_t at = train.by_user.begin[u], n_events = train.by_user.begin[u + 1] - at;
                    float value[N_ITEMS];
                    memcpy(value, train.by_user.value + at, (size_t)n_events * sizeof *value);
                    pen__user user = {known ? u : -1, n_events, train.by_user.column + at, value, NULL};
                    pen__reason all[MOST_REASONS], few[6];
                    int32_t n, n_few, exact = 0, n_shown = 0;
                    double score, more, sum = 0, sum_few = 0, left = 0;
                    assert_int_equal(class->rate(model, &user, target, scratch, &score, &error), PEN_OK);
                    assert_int_equal(
                        class->explain(model, &user, target, scratch, all, MOST_REASONS, &n, &exact, &error), PEN_OK);
                    assert_int_equal(exact, 1);
                    for (int32_t r = 0; r < n; r++) {
                        sum += (double)all[r].share;
                        if (all[r].what && strstr(all[r].what, "no single event")) left = (double)all[r].share;
                        n_shown += all[r].item >= 0;
                    }
                    close_to(sum, score, 2e-4);
                    assert_int_equal(n_shown, n_events);
                    if (als || !known) close_to(left, 0, 1e-3); /* float sums of some two hundred shares */
                    assert_int_equal(class->explain(model, &user, target, scratch, few, 6, &n_few, &exact, &error),
                                     PEN_OK);
                    assert_true(n_few <= 6);
                    for (int32_t r = 0; r < n_few; r++) sum_few += (double)few[r].share;
                    close_to(sum_few, score, 2e-4);
                    if (known) continue;
                    double bias = (double)all[2].share, moved_bias;
                    for (int64_t e = 0; e < n_events; e += 31) {
                        int32_t r = 0;
                        while (all[r].item != user.item[e]) r++;
                        double residual = (double)value[e] - train.mean - (double)item_bias[user.item[e]];
                        value[e] += 1;
                        pen__reason moved[MOST_REASONS];
                        assert_int_equal(class->rate(model, &user, target, scratch, &more, &error), PEN_OK);
                        assert_int_equal(
                            class->explain(model, &user, target, scratch, moved, MOST_REASONS, &n, &exact, &error),
                            PEN_OK);
                        moved_bias = (double)moved[2].share;
                        value[e] -= 1;
                        close_to((double)all[r].share, residual * ((more - moved_bias) - (score - bias)), 2e-4);
                    }
                }
        free(scratch);
        pen__model_free(model);
    }
    free_train(&train);
    pen_context_destroy(ctx);
}

/* ---- stopping ---------------------------------------------------------------------------------------------------- */

typedef struct asked {
    int calls;
    int64_t done;
} asked;

static int stop_now(void *user, const pen_progress *p)
{
    asked *a = user;
    a->calls++;
    a->done = p->done;
    return 1;
}

/* Whoever is asked amid an epoch and says stop is heard there, not at its end; and the context goes on working. */
static void stops_amid_an_epoch(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        int task;
        const char *param;
    } cases[] = {
        {"bpr", PEN_TASK_RANK, "negatives=1"},      {"bpr", PEN_TASK_RANK, "sampler=dns"},
        {"biased-mf", PEN_TASK_RATE, "solver=sgd"}, {"biased-mf", PEN_TASK_RATE, "solver=als"},
        {"ials", PEN_TASK_RANK, "solver=cholesky"}, {"ials", PEN_TASK_RANK, "solver=ialspp"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        asked a = {0, -1};
        pen_context_options o = PEN_CONTEXT_OPTIONS_INIT;
        pen_context *ctx;
        pen_error error = {0};
        double loss;
        o.n_threads = 1, o.progress = stop_now, o.user = &a;
        assert_int_equal(pen_context_create(&o, &ctx, NULL), PEN_OK);
        pen__train train = train_of(ctx, cases[c].task);
        pen_model *model = start(&train, cases[c].model, PARAMS("factors=8", cases[c].param));
        pen__meter meter = pen__meter_begin(ctx, "train", "events", 10 * train.n_events);
        meter.last = -1; /* long ago: the next tick asks */
        model->meter = &meter;
        assert_int_equal(model->class->epoch(model, &train, 0, &loss, &error), PEN_E_CANCELLED);
        assert_int_equal(a.calls, 1);
        if (a.done <= 0 || a.done >= train.n_events)
            fail_msg("%s %s: asked after %lld of %lld events", cases[c].model, cases[c].param, (long long)a.done,
                     (long long)train.n_events);
        model->meter = NULL;
        pen__cancel_clear(ctx);
        run(model, &train, 0, 1);
        pen__model_free(model);
        free_train(&train);
        pen_context_destroy(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rate_kernels),           cmocka_unit_test(pair_kernels),
        cmocka_unit_test(extreme_margins),        cmocka_unit_test(grid_holds_each_event_once),
        cmocka_unit_test(walk_meets_each_once),   cmocka_unit_test(alias_draws_by_weight),
        cmocka_unit_test(normal_row_solves),      cmocka_unit_test(same_bits_on_a_grid),
        cmocka_unit_test(recovers_the_kinds),     cmocka_unit_test(l1_makes_zeros),
        cmocka_unit_test(divergence_is_an_error), cmocka_unit_test(negatives_are_never_seen),
        cmocka_unit_test(reasons_of_ratings),     cmocka_unit_test(stops_amid_an_epoch),
    };
    if (getenv("PENCHANT_TEST")) cmocka_set_test_filter(getenv("PENCHANT_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
