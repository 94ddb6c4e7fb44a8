/* biased-mf: a rating is the mean, the user's and the item's bias, and the dot product of their factors. By stochastic
 * gradient descent on a grid of blocks (data/grid.h), or by alternating least squares. A new user's bias and factors
 * are the ridge regression of the history's residuals on the items' factors, with the penalties of training.
 *
 * Cost: O(events d) an epoch of SGD, in place; O(events d^2 + (users + items) d^3) a sweep of ALS, in which a step is
 * exact.
 *
 * Koren, Bell, Volinsky: "Matrix factorization techniques for recommender systems" (Computer 2009). Adagrad's sums are
 * one a row, after Chin, Zhuang, Juan, Lin: "A learning-rate schedule for stochastic gradient methods to matrix
 * factorization" (PAKDD 2015). ALS's penalties grow with a row's events, as in Zhou et al.: "Large-scale parallel
 * collaborative filtering for the Netflix prize" (AAIM 2008), so that `regularization` means the same to both
 * solvers. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/thread.h"
#include "data/grid.h"
#include "kern/sgd.h"
#include "model/factor/factor_rows.h"
#include "model/factor/normal_row.h"
#include "model/reasons.h"

enum { SGD, ALS };
enum { CONSTANT, INVERSE, EXPONENTIAL, ADAGRAD };
enum { ALS_GRAIN = 64 };

typedef struct state {
    float *user, *item;           /* (n_users, width), (n_items, width) */
    float *user_bias, *item_bias; /* (n_users), (n_items) */
    float *user_sum, *item_sum;   /* (n_users, 2), (n_items, 2): Adagrad's, or NULL */
    int32_t d, width;
    pen__normal_row fold;
    pen__grid *grid; /* made by the first epoch */
} state;

static pen_status begin(pen_model *model, const pen__train *train, pen_error *error)
{
    int32_t d = pen__param_int(model, "factors"), width = pen__factor_width(d);
    float *user, *item, *sums[2];
    PEN_TRY(pen__model_add(model, "user.factors", PEN_F32, PEN_ROLE_PARAM, train->n_users, width, 0, &user, error));
    PEN_TRY(pen__model_add(model, "item.factors", PEN_F32, PEN_ROLE_PARAM, train->n_items, width, 0, &item, error));
    PEN_TRY(pen__model_add(model, "user.bias", PEN_F32, PEN_ROLE_PARAM, train->n_users, 0, 0, NULL, error));
    PEN_TRY(pen__model_add(model, "item.bias", PEN_F32, PEN_ROLE_PARAM, train->n_items, 0, 0, NULL, error));
    if (pen__param_int(model, "solver") == SGD && pen__param_int(model, "schedule") == ADAGRAD) {
        PEN_TRY(pen__model_add(model, "user.sum", PEN_F32, PEN_ROLE_OPTIMISER, train->n_users, 2, 0, &sums[0], error));
        PEN_TRY(pen__model_add(model, "item.sum", PEN_F32, PEN_ROLE_OPTIMISER, train->n_items, 2, 0, &sums[1], error));
        for (int64_t i = 0; i < 2 * (int64_t)train->n_users; i++) sums[0][i] = 1;
        for (int64_t i = 0; i < 2 * (int64_t)train->n_items; i++) sums[1][i] = 1;
    }
    double deviation = pen__param(model, "init");
    PEN_TRY(pen__factor_init(model->ctx, user, train->n_users, d, deviation, model->seed, 0, error));
    return pen__factor_init(model->ctx, item, train->n_items, d, deviation, model->seed, 1, error);
}

static pen_status bind(pen_model *model, pen_error *error)
{
    state *s = model->state;
    s->d = pen__param_int(model, "factors"), s->width = pen__factor_width(s->d);
    PEN_TRY(pen__model_get(model, "user.factors", PEN_F32, model->n_users, s->width, 0, NULL, &s->user, error));
    PEN_TRY(pen__model_get(model, "item.factors", PEN_F32, model->n_items, s->width, 0, NULL, &s->item, error));
    PEN_TRY(pen__model_get(model, "user.bias", PEN_F32, model->n_users, 0, 0, NULL, &s->user_bias, error));
    PEN_TRY(pen__model_get(model, "item.bias", PEN_F32, model->n_items, 0, 0, NULL, &s->item_bias, error));
    if (pen__model_tensor(model, "user.sum")) {
        PEN_TRY(pen__model_get(model, "user.sum", PEN_F32, model->n_users, 2, 0, NULL, &s->user_sum, error));
        PEN_TRY(pen__model_get(model, "item.sum", PEN_F32, model->n_items, 2, 0, NULL, &s->item_sum, error));
    }
    s->fold = (pen__normal_row){.d = s->d,
                                .width = s->width,
                                .biased = pen__param_int(model, "biases"),
                                .rows = s->item,
                                .bias = s->item_bias,
                                .mean = model->mean,
                                .l2 = pen__param(model, "regularization"),
                                .bias_l2 = pen__param(model, "regularization_bias"),
                                .l1 = pen__param(model, "l1")};
    return PEN_OK;
}

static void unbind(pen_model *model)
{
    state *s = model->state;
    pen__grid_free(s->grid);
    s->grid = NULL;
}

/* ---- SGD --------------------------------------------------------------------------------------------------------- */

/* The learning rate of an epoch counted from 0; Adagrad's falls by itself. */
static double rate_of(const pen_model *model, int32_t epoch)
{
    double rate = pen__param(model, "learning_rate"), decay = pen__param(model, "decay");
    switch (pen__param_int(model, "schedule")) {
    case INVERSE: return rate / (1 + decay * epoch);
    case EXPONENTIAL: return rate * pow(1 - decay, epoch);
    default: return rate;
    }
}

typedef struct sgd_work {
    pen_model *model;
    const state *state;
    pen__sgd_rate step;
    const pen__sgd_kernels *kern;
} sgd_work;

static double sgd_block(void *arg, const pen__grid *grid, int32_t user_block, int32_t item_block, uint64_t draw,
                        int worker)
{
    (void)worker;
    const sgd_work *work = arg;
    const state *s = work->state;
    int64_t n = grid->user_begin[user_block + 1] - grid->user_begin[user_block];
    pen__rng rng = pen__rng_begin(grid->seed, PEN_STREAM_PERMUTE, draw + ((uint64_t)1 << 40));
    pen__user_walk walk = pen__user_walk_begin(grid, user_block, item_block, s->user, s->width, &rng);
    double loss = 0;
    for (int64_t k = 0; k < n; k++) {
        int64_t u = pen__user_walk_next(&walk);
        pen__run run = pen__grid_run(grid, (int32_t)u, item_block);
        loss += work->kern->rate_run(&work->step, s->user + u * s->width, s->user_bias + u,
                                     s->user_sum ? s->user_sum + 2 * u : NULL, run.item, run.value, run.n);
    }
    return loss;
}

static pen_status tick(void *arg, int64_t done, pen_error *error)
{
    return pen__model_tick(((sgd_work *)arg)->model, done, error);
}

static pen_status sgd_epoch(pen_model *model, const pen__train *train, int32_t epoch, double *loss, pen_error *error)
{
    state *s = model->state;
    if (!s->grid)
        PEN_TRY(pen__grid_new(model->ctx, &train->by_user, train->n_items, true, model->seed, &s->grid, error));
    double rate = rate_of(model, epoch);
    pen__model_tell_rate(model, rate);
    sgd_work work = {.model = model, .state = s, .kern = pen__sgd()};
    work.step = (pen__sgd_rate){.item = s->item,
                                .item_bias = s->item_bias,
                                .item_sum = s->item_sum,
                                .width = s->width,
                                .factors = s->d,
                                .mean = (float)model->mean,
                                .rate = (float)rate,
                                .bias_rate = s->fold.biased ? (float)rate : 0,
                                .l2 = (float)s->fold.l2,
                                .bias_l2 = (float)s->fold.bias_l2,
                                .l1 = (float)s->fold.l1};
    const pen__grid_job job = {sgd_block, tick, &work};
    return pen__grid_epoch(s->grid, epoch, &job, loss, error);
}

/* ---- ALS --------------------------------------------------------------------------------------------------------- */

typedef struct als_work {
    pen_model *model;
    int64_t done; /* of the epoch's events, before this side */
    const pen__rows *rows;
    pen__normal_row solve;
    float *out, *out_bias;
    unsigned char *scratch; /* of each worker */
    double *loss;           /* of each shard: squared errors before the solve */
} als_work;

static pen_status als_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    const als_work *work = arg;
    const pen__normal_row *solve = &work->solve;
    void *scratch = work->scratch + (size_t)worker * pen__normal_row_scratch(solve->d);
    int64_t n_shards = pen__shards(work->rows->n_rows, ALS_GRAIN);
    int64_t end = pen__shard_begin(work->rows->n_rows, n_shards, shard + 1);
    double loss = 0;
    for (int64_t r = pen__shard_begin(work->rows->n_rows, n_shards, shard); r < end; r++) {
        float *row = work->out + r * solve->width;
        int64_t at = work->rows->begin[r], n = work->rows->begin[r + 1] - at;
        for (int64_t e = at; e < at + n; e++) {
            int64_t c = work->rows->column[e];
            double miss = (double)work->rows->value[e] - solve->mean - (double)work->out_bias[r] -
                          (double)solve->bias[c] - pen__factor_dot(row, solve->rows + c * solve->width, solve->d);
            loss += miss * miss;
        }
        pen__normal_row_solve(solve, work->rows->column + at, work->rows->value + at, n, scratch, row,
                              work->out_bias + r);
    }
    work->loss[shard] = loss;
    if (worker != 0) return PEN_OK;
    return pen__model_tick(work->model, work->done + work->rows->begin[end] / 2, error);
}

/* Solves one side with the other fixed; *loss is the sum of squared errors before that. */
static pen_status als_side(pen_model *model, als_work *work, double *loss, pen_error *error)
{
    pen_status status = PEN_OK;
    int64_t n_shards = pen__shards(work->rows->n_rows, ALS_GRAIN);
    work->scratch = NULL, work->loss = NULL;
    PEN_TRY_DONE(PEN_NEW_ZERO(model->ctx, work->loss, n_shards));
    PEN_TRY_DONE(
        PEN_NEW(model->ctx, work->scratch, (size_t)pen__workers(model->ctx) * pen__normal_row_scratch(work->solve.d)));
    PEN_TRY_DONE(pen__parallel(model->ctx, n_shards, als_shard, work, error));
    *loss = 0;
    for (int64_t i = 0; i < n_shards; i++) *loss += work->loss[i];
done:
    pen__free(model->ctx, work->loss);
    pen__free(model->ctx, work->scratch);
    return status;
}

static pen_status als_epoch(pen_model *model, const pen__train *train, double *loss, pen_error *error)
{
    const state *s = model->state;
    als_work items = {
        .model = model, .rows = &train->by_item, .solve = s->fold, .out = s->item, .out_bias = s->item_bias};
    als_work users = {.model = model,
                      .done = train->n_events / 2,
                      .rows = &train->by_user,
                      .solve = s->fold,
                      .out = s->user,
                      .out_bias = s->user_bias};
    items.solve.rows = s->user, items.solve.bias = s->user_bias;
    PEN_TRY(als_side(model, &items, loss, error));
    return als_side(model, &users, loss, error);
}

static pen_status epoch(pen_model *model, const pen__train *train, int32_t number, double *loss, pen_error *error)
{
    if (pen__param_int(model, "solver") == ALS)
        PEN_TRY(als_epoch(model, train, loss, error));
    else
        PEN_TRY(sgd_epoch(model, train, number, loss, error));
    *loss /= (double)(train->n_events > 0 ? train->n_events : 1);
    return PEN_OK;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static size_t scratch_bytes(const pen_model *model)
{
    const state *s = model->state;
    return pen__normal_row_scratch(s->d) +
           2 * ((size_t)s->width + 16) * sizeof(float); /* a user's row, and reasons' weights */
}

static void factors(const pen_model *model, pen__factors *out)
{
    const state *s = model->state;
    *out = (pen__factors){.d = s->width, .item = s->item, .bias = s->item_bias};
}

/* The user's factors (width floats, borrowed from the model or in `out`) and bias. */
static const float *user_row(const state *s, const pen__user *user, void *scratch, float *out, float *bias)
{
    if (user->number >= 0) {
        *bias = s->user_bias[user->number];
        return s->user + (int64_t)user->number * s->width;
    }
    memset(out, 0, (size_t)s->width * sizeof *out);
    pen__normal_row_solve(&s->fold, user->item, user->value, user->n, scratch, out, bias);
    return out;
}

static pen_status user_vector(const pen_model *model, const pen__user *user, void *scratch, float *out,
                              pen_error *error)
{
    (void)error;
    const state *s = model->state;
    float bias;
    const float *row = user_row(s, user, scratch, out, &bias);
    if (row != out) memcpy(out, row, (size_t)s->width * sizeof *out);
    return PEN_OK;
}

static pen_status rate(const pen_model *model, const pen__user *user, int32_t item, void *scratch, double *rating,
                       pen_error *error)
{
    (void)error;
    const state *s = model->state;
    float bias, *row_scratch = (float *)((unsigned char *)scratch + pen__normal_row_scratch(s->d));
    const float *row = user_row(s, user, scratch, row_scratch, &bias);
    *rating = model->mean + (double)bias;
    if (item >= 0)
        *rating += (double)s->item_bias[item] + pen__factor_dot(row, s->item + (int64_t)item * s->width, s->d);
    return PEN_OK;
}

/* The mean and the biases are what they are. Of <p_u, q_i> event e gives y_e z_e' A^-1 q_i, A being the matrix of the
 * user's ridge regression on the items' factors: all of it after ALS and after a fold-in; SGD stops short of that
 * solution, L1 cuts it, and the rest says by how much. Cost: that of one fold-in for each item. */
static pen_status explain(const pen_model *model, const pen__user *user, int32_t item, void *scratch, pen__reason *out,
                          int32_t cap, int32_t *n, int32_t *exact, pen_error *error)
{
    const state *s = model->state;
    float bias, *row_scratch = (float *)((unsigned char *)scratch + pen__normal_row_scratch(s->d)),
                *w = row_scratch + s->width + 16;
    double score, shown = 0;
    *n = 0, *exact = 0;
    if (cap < 4) return PEN_OK;
    PEN_TRY(rate(model, user, item, scratch, &score, error));
    (void)user_row(s, user, scratch, row_scratch, &bias);
    out[0] = (pen__reason){-1, (float)model->mean, "the mean of all ratings"};
    out[1] = (pen__reason){-1, s->item_bias[item], "rated above or below the mean by everybody"};
    out[2] = (pen__reason){-1, bias, "this user rates above or below the mean"};
    pen__normal_row_weigh(&s->fold, user->item, user->value, user->n, item, scratch, w);
    pen__reasons reasons = pen__reasons_begin(out, cap - 1, 3);
    for (int64_t e = 0; e < user->n; e++)
        pen__reasons_add(&reasons, user->item[e], pen__normal_row_share(&s->fold, user->item[e], user->value[e], w));
    *n = pen__reasons_end(&reasons);
    for (int32_t r = 0; r < *n; r++) shown += (double)out[r].share;
    if (fabs(score - shown) > 1e-4) /* well below what is shown of a rating, above what float sums leave */
        out[(*n)++] = (pen__reason){-1, (float)(score - shown),
                                    user->n ? "what no single event explains" : "what the model learned of this user"};
    *exact = 1;
    return PEN_OK;
}

static const pen_param params[] = {
    PEN_P_INT_LOG("factors", "50", 1, 1024, "length of the vectors"),
    PEN_P_INT_LOG("epochs", "80", 1, 10000, "passes over the ratings (ALS: sweeps; 15 are plenty), at most"),
    PEN_P_INT("patience", "5", 0, 1000,
              "epochs without a better validation before training stops; 0: never; the best epoch is kept"),
    PEN_P_CHOICE("solver", "sgd", "sgd|als", "how it is fitted"),
    PEN_P_REAL_LOG("learning_rate", "0.01", 1e-6, 10, "size of a step of SGD in the first epoch (adagrad: about 0.1)"),
    PEN_P_CHOICE(
        "schedule", "exponential", "constant|inverse|exponential|adagrad",
        "how it falls: inverse 1/(1 + decay e), exponential (1 - decay)^e, adagrad by the size of past gradients"),
    PEN_P_REAL("decay", "0.02", 0, 1, "of the learning rate an epoch"),
    PEN_P_REAL_LOG("regularization", "0.1", 0, 100, "L2 penalty of the factors, paid at each rating"),
    PEN_P_REAL_LOG("regularization_bias", "0.02", 0, 100, "L2 penalty of the biases, paid at each rating"),
    PEN_P_REAL_LOG("l1", "0", 0, 100, "L1 penalty of the factors, paid at each rating: makes some exactly zero"),
    PEN_P_BOOL("biases", "1", "learn the users' and the items' biases"),
    PEN_P_REAL_LOG("init", "0.05", 0, 10, "standard deviation of the factors' first values"),
};

extern const pen__model_class pen__biased_mf_class;

static uint64_t memory(const pen__params *values, const pen__train *train)
{
    uint64_t rows = (uint64_t)train->n_users + (uint64_t)train->n_items;
    uint64_t width = (uint64_t)pen__factor_width((int32_t)pen__params_get(&pen__biased_mf_class, values, "factors"));
    return rows * (width + 3) * sizeof(float) + pen__grid_memory(train->n_events, train->n_users, train->n_items, true);
}

const pen__model_class pen__biased_mf_class = {
    .name = "biased-mf",
    .family = "factor",
    .summary = "matrix factorisation of ratings with biases, by SGD or ALS, with L1 and L2",
    .formula = "rating(u, i) = mean + b_u + b_i + <p_u, q_i>\n"
               "minimise sum over ratings of (r_ui - rating(u, i))^2 + regularization (|p_u|^2 + |q_i|^2)\n"
               "         + 2 l1 (|p_u|_1 + |q_i|_1) + regularization_bias (b_u^2 + b_i^2)",
    .paper = "Koren, Bell, Volinsky: Matrix factorization techniques for recommender systems (Computer 2009)",
    .tasks = 1u << PEN_TASK_RATE,
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(state),
    .memory = memory,
    .begin = begin,
    .epoch = epoch,
    .bind = bind,
    .unbind = unbind,
    .scratch = scratch_bytes,
    .factors = factors,
    .user_vector = user_vector,
    .rate = rate,
    .explain = explain,
};
