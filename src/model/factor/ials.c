/* ials: matrix factorisation of implicit feedback by alternating least squares. What a user did is a 1 that is worth
 * its weight; all that the user did not do are zeros of a small weight, which enter through the items' Gram matrix
 * alone: no negatives are drawn, and no pass over users x items is made.
 *
 * An epoch solves the items with the users fixed, then the users with the items fixed: afterwards a user's row is
 * exactly what a fold-in of the user's history gives (solver=cholesky). In both objectives a row solves
 *
 *     (a0 G + sum_e w_e q_e q_e' + l2 I) x = sum_e v_e q_e
 *
 *     ials: w = v = weight,                        a0 = alpha0, l2 = regularization (n + alpha0 N)^nu
 *     hkv:  w = alpha weight, v = 1 + alpha weight, a0 = 1,      l2 = regularization
 *
 * with G the Gram matrix of the other side, n the row's events and N the other side's rows. Cost of an epoch: d^2 / 2
 * fused multiply-adds for each event and side, d^3 / 6 for each row; see als_sweep.c for the cheaper blocks.
 *
 * Hu, Koren, Volinsky: "Collaborative Filtering for Implicit Feedback Datasets" (ICDM 2008); Rendle, Krichene, Zhang,
 * Koren: "Revisiting the Performance of iALS on Item Recommendation Benchmarks" (RecSys 2022). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/thread.h"
#include "model/factor/als_sweep.h"

enum { OBJECTIVE_IALS, OBJECTIVE_HKV };
enum { WEIGHTING_ONE, WEIGHTING_LINEAR, WEIGHTING_LOG };
enum { SOLVER_CHOLESKY, SOLVER_IALSPP };

typedef struct settings {
    int64_t d;
    int objective, weighting;
    double regularization, nu, alpha0, alpha;
} settings;

typedef struct state {
    settings set;
    const float *user, *item, *gram; /* (n_users, d), (n_items, d), (d, d): items' */
    float *base;                     /* a0 G as kern/kern.h lays it out */
} state;

static settings settings_of(const pen__params *params, const pen__model_class *class)
{
    return (settings){
        .d = (int64_t)pen__params_get(class, params, "factors"),
        .objective = (int)pen__params_get(class, params, "objective"),
        .weighting = (int)pen__params_get(class, params, "weighting"),
        .regularization = pen__params_get(class, params, "regularization"),
        .nu = pen__params_get(class, params, "nu"),
        .alpha0 = pen__params_get(class, params, "alpha0"),
        .alpha = pen__params_get(class, params, "alpha"),
    };
}

/* ---- the equations ----------------------------------------------------------------------------------------------- */

static double unobserved(const settings *set) { return set->objective == OBJECTIVE_HKV ? 1.0 : set->alpha0; }

/* w and v of an event from its value. */
static void weigh(const settings *set, float value, float *w, float *v)
{
    float weight = value > 0 ? value : 0.0f;
    if (set->weighting == WEIGHTING_ONE) weight = 1.0f;
    if (set->weighting == WEIGHTING_LOG) weight = (float)log2(1.0 + (double)weight);
    if (set->objective == OBJECTIVE_IALS) {
        *w = *v = weight;
    } else {
        *w = (float)(set->alpha * (double)weight);
        *v = 1.0f + *w;
    }
}

/* l2 of a row with n events where the other side has `others` rows. */
static float pull(const settings *set, int64_t n, int64_t others)
{
    if (set->objective == OBJECTIVE_HKV) return (float)set->regularization;
    double scale = (double)n + set->alpha0 * (double)others;
    return (float)(set->regularization * (set->nu == 1.0 ? scale : pow(scale, set->nu)));
}

/* ---- fitting ----------------------------------------------------------------------------------------------------- */

typedef struct drawing {
    float *rows;
    int64_t n, n_shards, d;
    uint64_t seed;
    double deviation;
} drawing;

static pen_status draw_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    const drawing *w = arg;
    for (int64_t r = pen__shard_begin(w->n, w->n_shards, shard); r < pen__shard_begin(w->n, w->n_shards, shard + 1);
         r++) {
        pen__rng rng = pen__rng_begin(w->seed, PEN_STREAM_INIT, (uint64_t)r);
        for (int64_t k = 0; k < w->d; k++) w->rows[r * w->d + k] = (float)(w->deviation * pen__rng_normal(&rng));
    }
    return PEN_OK;
}

/* Users are drawn; the first half sweep makes the items. With blocks the items' rows are where it starts from:
 * zeros. */
static pen_status begin(pen_model *model, const pen__train *train, pen_error *error)
{
    int64_t d = pen__param_int(model, "factors");
    drawing w = {.n = train->n_users,
                 .n_shards = pen__shards(train->n_users, 1024),
                 .d = d,
                 .seed = model->seed,
                 .deviation = pen__param(model, "init_scale") / sqrt((double)d)};
    float *unused;
    PEN_TRY(pen__model_add(model, "user.factors", PEN_F32, PEN_ROLE_PARAM, train->n_users, d, 0, &w.rows, error));
    PEN_TRY(pen__model_add(model, "item.factors", PEN_F32, PEN_ROLE_PARAM, train->n_items, d, 0, &unused, error));
    PEN_TRY(pen__model_add(model, "item.gram", PEN_F32, PEN_ROLE_PARAM, d, d, 0, &unused, error));
    return pen__parallel(model->ctx, w.n_shards, draw_shard, &w, error);
}

/* Weights of a matrix of events: NULL and one for all where they are alike. */
typedef struct weights {
    const settings *set;
    const pen__rows *rows;
    float *w, *v;
    float w_all, v_all;
    int64_t n_shards;
} weights;

static pen_status weigh_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    const weights *q = arg;
    int64_t n = q->rows->begin[q->rows->n_rows];
    for (int64_t e = pen__shard_begin(n, q->n_shards, shard); e < pen__shard_begin(n, q->n_shards, shard + 1); e++) {
        float v;
        weigh(q->set, q->rows->value[e], &q->w[e], &v);
        if (q->v != q->w) q->v[e] = v;
    }
    return PEN_OK;
}

static pen_status weigh_all(weights *q, const pen__train *train, pen_error *error)
{
    int64_t n = q->rows->begin[q->rows->n_rows];
    weigh(q->set, train->least, &q->w_all, &q->v_all);
    if (train->least == train->most || q->set->weighting == WEIGHTING_ONE) return PEN_OK;
    q->n_shards = pen__shards(n, 65536);
    PEN_TRY(PEN_NEW(train->ctx, q->w, n));
    q->v = q->w;
    if (q->set->objective == OBJECTIVE_HKV) PEN_TRY(PEN_NEW(train->ctx, q->v, n));
    return pen__parallel(train->ctx, q->n_shards, weigh_shard, q, error);
}

static void weights_free(pen_context *ctx, weights *q)
{
    if (q->v != q->w) pen__free(ctx, q->v);
    pen__free(ctx, q->w);
}

/* Both triangles of scale * gram, whose upper triangle counts. */
static void mirror(float *gram, int64_t d, float scale)
{
    int64_t ld = pen__matrix_stride(d);
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = i; j < d; j++) gram[j * ld + i] = gram[i * ld + j] *= scale;
}

/* The rows `out` of one side, with the other side's `table` fixed; *objective: see als_sweep.h. */
static pen_status solve_side(pen_model *model, const pen__train *train, const settings *set, const pen__rows *rows,
                             const float *table, int64_t n_others, float *gram, float *out, double *objective,
                             pen_error *error)
{
    pen_context *ctx = model->ctx;
    pen_status status = PEN_OK;
    float *l2 = NULL;
    weights q = {.set = set, .rows = rows};
    PEN_TRY_DONE(weigh_all(&q, train, error));
    PEN_TRY_DONE(PEN_NEW(ctx, l2, rows->n_rows));
    for (int64_t r = 0; r < rows->n_rows; r++) l2[r] = pull(set, rows->begin[r + 1] - rows->begin[r], n_others);
    mirror(gram, set->d, (float)unobserved(set));
    int users = rows == &train->by_user;
    pen__half_sweep half = {
        .job = {.n_rows = rows->n_rows,
                .d = set->d,
                .table = table,
                .stride = set->d,
                .at = rows->begin,
                .cols = rows->column,
                .w = q.w,
                .v = q.v,
                .w_all = q.w_all,
                .v_all = q.v_all,
                .base = gram,
                .l2 = l2,
                .out = out,
                .out_stride = set->d},
        .block = pen__param_int(model, "solver") == SOLVER_IALSPP ? pen__param_int(model, "block") : 0,
        .model = model,
        .done = users ? train->n_events / 2 : 0,
        .share = train->n_events / 2,
    };
    PEN_TRY_DONE(pen__half_sweep_run(&half, error));
    PEN_CHECK_DONE(half.n_failed == 0, PEN_E_DIVERGED,
                   "ials: the equations of %lld %s cannot be solved in float; more regularization "
                   "or alpha0 helps",
                   (long long)half.n_failed, users ? "users" : "items");
    *objective = half.objective;
    for (int64_t r = 0; r < n_others; r++) {
        double other =
            (double)pull(set, users ? train->by_item.begin[r + 1] - train->by_item.begin[r] : 0, rows->n_rows);
        if (users) *objective += other * (double)pen__kern()->sum_squares(table + r * set->d, set->d);
    }
done:
    weights_free(ctx, &q);
    pen__free(ctx, l2);
    return status;
}

static void keep_gram(const float *gram, int64_t d, float *out)
{
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = i; j < d; j++) out[i * d + j] = out[j * d + i] = gram[i * pen__matrix_stride(d) + j];
}

static pen_status epoch(pen_model *model, const pen__train *train, int32_t number, double *loss, pen_error *error)
{
    (void)number;
    const settings set = settings_of(&model->params, model->class);
    float *user = pen__model_tensor(model, "user.factors")->data,
          *item = pen__model_tensor(model, "item.factors")->data;
    float *gram = NULL;
    double objective;
    pen_status status = PEN_OK;
    PEN_TRY_DONE(PEN_NEW(model->ctx, gram, pen__matrix_floats(set.d)));
    PEN_TRY_DONE(pen__gram(model->ctx, user, train->n_users, set.d, set.d, gram, error));
    PEN_TRY_DONE(solve_side(model, train, &set, &train->by_item, user, train->n_users, gram, item, &objective, error));
    PEN_TRY_DONE(pen__gram(model->ctx, item, train->n_items, set.d, set.d, gram, error));
    keep_gram(gram, set.d, pen__model_tensor(model, "item.gram")->data);
    PEN_TRY_DONE(solve_side(model, train, &set, &train->by_user, item, train->n_items, gram, user, &objective, error));
    *loss = objective / (double)train->n_events;
done:
    pen__free(model->ctx, gram);
    return status;
}

static uint64_t memory(const pen__params *params, const pen__train *train);

/* ---- answering --------------------------------------------------------------------------------------------------- */

static void unbind(pen_model *model)
{
    state *s = model->state;
    pen__free(model->ctx, s->base);
    s->base = NULL;
}

static pen_status bind(pen_model *model, pen_error *error)
{
    state *s = model->state;
    int64_t d = pen__param_int(model, "factors");
    s->set = settings_of(&model->params, model->class);
    PEN_TRY(pen__model_get(model, "user.factors", PEN_F32, model->n_users, d, 0, NULL, &s->user, error));
    PEN_TRY(pen__model_get(model, "item.factors", PEN_F32, model->n_items, d, 0, NULL, &s->item, error));
    PEN_TRY(pen__model_get(model, "item.gram", PEN_F32, d, d, 0, NULL, &s->gram, error));
    PEN_TRY(PEN_NEW_ZERO(model->ctx, s->base, pen__matrix_floats(d)));
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j < d; j++)
            s->base[i * pen__matrix_stride(d) + j] = (float)unobserved(&s->set) * s->gram[i * d + j];
    return PEN_OK;
}

/* Scratch of one thread: the solver's, a matrix, and the history as the equations see it. */
typedef struct desk {
    float *solver, *matrix, *x;
    float *w, *v;  /* n_items each */
    int32_t *item; /* n_items */
} desk;

static size_t aligned(size_t floats) { return (floats + 15) / 16 * 16; }

static size_t scratch(const pen_model *model)
{
    const state *s = model->state;
    size_t d = (size_t)s->set.d;
    return sizeof(float) * (aligned(pen__normal_scratch(s->set.d)) + (size_t)pen__matrix_floats(s->set.d) + aligned(d) +
                            3 * aligned((size_t)model->n_items));
}

static desk lay_out(const pen_model *model, void *bytes)
{
    const state *s = model->state;
    desk t = {.solver = bytes};
    t.matrix = t.solver + aligned(pen__normal_scratch(s->set.d));
    t.x = t.matrix + pen__matrix_floats(s->set.d);
    t.w = t.x + aligned((size_t)s->set.d);
    t.v = t.w + aligned((size_t)model->n_items);
    t.item = (int32_t *)(void *)(t.v + aligned((size_t)model->n_items));
    return t;
}

/* The history as a row of training: an item once, values summed, by rising item. Returns the number of items. */
static int64_t gather(const pen_model *model, const pen__user *user, const desk *t)
{
    const state *s = model->state;
    int64_t n = 0;
    for (int32_t i = 0; i < model->n_items; i++) t->w[i] = NAN;
    for (int64_t e = 0; e < user->n; e++) {
        int32_t i = user->item[e];
        if (i < 0 || i >= model->n_items) continue;
        float value = user->value ? user->value[e] : 1.0f;
        t->w[i] = isnan(t->w[i]) ? value : t->w[i] + value;
    }
    for (int32_t i = 0; i < model->n_items; i++) {
        if (isnan(t->w[i])) continue;
        float value = t->w[i];
        t->item[n] = i;
        weigh(&s->set, value, &t->w[n], &t->v[n]);
        n++;
    }
    return n;
}

static pen__normal one_row(const pen_model *model, const desk *t, int64_t n, const int64_t *at, float *out)
{
    const state *s = model->state;
    return (pen__normal){.n_rows = 1,
                         .d = s->set.d,
                         .table = s->item,
                         .stride = s->set.d,
                         .at = at,
                         .cols = t->item,
                         .w = t->w,
                         .v = t->v,
                         .base = s->base,
                         .l2_all = pull(&s->set, n, model->n_items),
                         .out = out,
                         .out_stride = s->set.d};
}

/* The user's row solved from the history, with the items fixed. */
static void fold_in(const pen_model *model, const desk *t, int64_t n, float *out)
{
    const state *s = model->state;
    const int64_t at[2] = {0, n};
    int64_t failed = 0;
    memset(out, 0, (size_t)s->set.d * sizeof *out);
    if (n == 0) return;
    pen__normal job = one_row(model, t, n, at, out);
    pen__normal_solve(&job, 0, 1, t->solver, &failed);
}

static void factors(const pen_model *model, pen__factors *out)
{
    const state *s = model->state;
    *out = (pen__factors){.d = (int32_t)s->set.d, .item = s->item};
}

static pen_status user_vector(const pen_model *model, const pen__user *user, void *bytes, float *out, pen_error *error)
{
    (void)error;
    const state *s = model->state;
    if (user->number >= 0) {
        memcpy(out, s->user + (size_t)user->number * (size_t)s->set.d, (size_t)s->set.d * sizeof *out);
        return PEN_OK;
    }
    const desk t = lay_out(model, bytes);
    fold_in(model, &t, gather(model, user, &t), out);
    return PEN_OK;
}

/* ---- reasons ----------------------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    float x = fabsf(((const pen__reason *)a)->share), y = fabsf(((const pen__reason *)b)->share);
    return x < y ? 1 : x > y ? -1 : 0;
}

/* The `cap` largest shares, by size, where `n` items come in any order; what is not among them is added to *rest. */
static int32_t keep_largest(pen__reason *out, int32_t cap, int32_t n, pen__reason next, double *rest)
{
    if (n < cap) {
        out[n++] = next;
        return n;
    }
    int32_t least = 0;
    for (int32_t r = 1; r < n; r++)
        if (by_size(&out[least], &out[r]) < 0) least = r;
    if (n > 0 && fabsf(next.share) > fabsf(out[least].share)) {
        pen__reason swap = out[least];
        out[least] = next;
        next = swap;
    }
    *rest += (double)next.share;
    return n;
}

/* Hu, Koren, Volinsky, section 5: score = q_i' A^-1 sum_e v_e q_e, so event e's share is v_e <q_e, z> with A z = q_i.
 * The last reason is what is left: the smaller shares, and what a known user's row has beyond the history that was
 * given. */
static pen_status explain(const pen_model *model, const pen__user *user, int32_t item, void *bytes, pen__reason *out,
                          int32_t cap, int32_t *n_out, int32_t *exact, pen_error *error)
{
    const state *s = model->state;
    const pen__kernels *kern = pen__kern();
    const int64_t d = s->set.d, ld = pen__matrix_stride(d);
    const desk t = lay_out(model, bytes);
    float *z = t.solver;
    *n_out = 0, *exact = 0;
    if (cap <= 0) return PEN_OK;
    int64_t n = gather(model, user, &t);
    if (user->number >= 0)
        memcpy(t.x, s->user + (size_t)user->number * (size_t)d, (size_t)d * sizeof *t.x);
    else
        fold_in(model, &t, n, t.x);
    memcpy(t.matrix, s->base, (size_t)pen__matrix_floats(d) * sizeof *t.matrix);
    memset(z, 0, (size_t)pen__matrix_pad(d) * sizeof *z);
    kern->add_outer(t.matrix, NULL, d, s->item, d, t.item, t.w, 0.0f, NULL, 0.0f, n, 0, z + pen__matrix_pad(d));
    float l2 = pull(&s->set, n, model->n_items);
    for (int64_t k = 0; k < d; k++) t.matrix[k * ld + k] += l2;
    memcpy(z, s->item + (size_t)item * (size_t)d, (size_t)d * sizeof *z);
    PEN_CHECK(kern->cholesky(t.matrix, d), PEN_E_DIVERGED,
              "ials: the user's equations cannot be solved in float; more regularization helps");
    kern->cholesky_solve(t.matrix, d, z);
    double rest = 0, score = (double)kern->dot(t.x, s->item + (size_t)item * (size_t)d, d), shown = 0;
    int32_t kept = 0;
    for (int64_t e = 0; e < n; e++) {
        pen__reason next = {t.item[e], t.v[e] * kern->dot(z, s->item + (size_t)t.item[e] * (size_t)d, d), NULL};
        kept = keep_largest(out, cap - 1, kept, next, &rest);
    }
    qsort(out, (size_t)kept, sizeof *out, by_size);
    for (int32_t r = 0; r < kept; r++) shown += (double)out[r].share;
    if (fabs(score - shown) > 1e-5 * (fabs(score) + 1e-3))
        out[kept++] = (pen__reason){-1, (float)(score - shown), "the rest of the history"};
    *n_out = kept, *exact = 1;
    return PEN_OK;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const pen_param params[] = {
    PEN_P_INT_LOG("factors", "64", 1, 8192, "dimension d of the users' and items' vectors"),
    PEN_P_INT("epochs", "16", 1, 1000, "sweeps over items and users"),
    PEN_P_INT("patience", "3", 0, 1000,
              "epochs without a better validation before training stops; 0: never; the best epoch is kept"),
    PEN_P_REAL_LOG("regularization", "0.007", 0, 1e6,
                   "pull of the vectors to zero; ials: times (events + alpha0 * others)^nu; hkv: as it is"),
    PEN_P_REAL("nu", "1", 0, 2, "ials: how regularization grows with a row's events; 0: not at all"),
    PEN_P_REAL_LOG("alpha0", "0.1", 0, 1000, "ials: weight of every pair of user and item, seen or not, as a zero"),
    PEN_P_CHOICE("objective", "ials", "ials|hkv",
                 "ials: Rendle et al. 2022; hkv: confidences 1 + alpha * weight, Hu et al. 2008"),
    PEN_P_REAL_LOG("alpha", "10", 0, 1e6, "hkv: what an event's weight adds to its confidence"),
    PEN_P_CHOICE("weighting", "linear", "one|linear|log", "an event's weight: 1, its value, or log2(1 + value)"),
    PEN_P_CHOICE("solver", "cholesky", "cholesky|ialspp",
                 "each row exactly, or iALS++: a block of columns at a time, cheaper for many factors"),
    PEN_P_INT("block", "32", 1, 128, "ialspp: columns of a block"),
    PEN_P_REAL_LOG("init_scale", "0.1", 1e-6, 10, "first vectors are normal with this deviation over sqrt(factors)"),
};

const pen__model_class pen__ials_class = {
    .name = "ials",
    .family = "factor",
    .summary = "matrix factorisation of implicit feedback by alternating least squares",
    .formula =
        "score(u, i) = <p_u, q_i>\n"
        "min  sum_(u,i seen) w_ui (1 - <p_u, q_i>)^2 + alpha0 sum_(all u, i) <p_u, q_i>^2\n"
        "     + regularization [ sum_u (n_u + alpha0 n_items)^nu |p_u|^2 + sum_i (n_i + alpha0 n_users)^nu |q_i|^2 ]",
    .paper = "Hu, Koren, Volinsky: Collaborative Filtering for Implicit Feedback Datasets (ICDM 2008); Rendle, "
             "Krichene, Zhang, Koren: "
             "Revisiting the Performance of iALS on Item Recommendation Benchmarks (RecSys 2022), and iALS++ (2021)",
    .tasks = 1u << PEN_TASK_RANK,
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(state),
    .memory = memory,
    .begin = begin,
    .epoch = epoch,
    .bind = bind,
    .unbind = unbind,
    .scratch = scratch,
    .factors = factors,
    .user_vector = user_vector,
    .explain = explain,
};

static uint64_t memory(const pen__params *given, const pen__train *train)
{
    const settings set = settings_of(given, &pen__ials_class);
    uint64_t d = (uint64_t)set.d, users = (uint64_t)train->n_users, items = (uint64_t)train->n_items;
    uint64_t most = users > items ? users : items, events = train->least == train->most ? 0 : (uint64_t)train->n_events;
    return 4 * (d * (users + items) + d * d + most + events * (set.objective == OBJECTIVE_HKV ? 2 : 1)) +
           4 * (uint64_t)pen__matrix_floats(set.d) * 66 + pen__half_sweep_memory(train->ctx, (int64_t)most, set.d);
}
