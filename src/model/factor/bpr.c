/* bpr: each user's factors and the items' are learned so that what the user chose scores above what was not chosen. SGD
 * (or Adagrad) over pairs of an event and a drawn negative, on a grid of blocks (data/grid.h).
 *
 * Negatives come from the items of the event's own block, so that blocks of a round share nothing and any number of
 * threads gives the same bits. The items are dealt anew in each epoch: over the epochs every item meets every other.
 * What the user has seen is marked in a byte an item while the user's run of a block lasts, so that a negative costs
 * one look and no search.
 *
 * Cost: O(events negatives d) an epoch, with dynamic sampling times the candidates; O(events) for the dealing. Memory:
 * 4 to 8 bytes an event beside the factors.
 *
 * Rendle, Freudenthaler, Gantner, Schmidt-Thieme: "BPR: Bayesian personalized ranking from implicit feedback" (UAI
 * 2009). dns: Zhang, Chen, Wang, Yu: "Optimizing top-n collaborative filtering via dynamic negative item sampling"
 * (SIGIR 2013). */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/thread.h"
#include "data/grid.h"
#include "data/sampler.h"
#include "kern/kern.h"
#include "kern/sgd.h"
#include "model/factor/factor_rows.h"

enum { UNIFORM, POPULARITY, DNS };
enum { SGD, ADAGRAD };
enum { WEIGHT_NONE, WEIGHT_LOG, WEIGHT_LINEAR };
enum {
    PAIRS = 64, /* pairs that are drawn before they are learned */
    /* draws for one negative before the event is passed over: a user who has seen nearly all of a block */
    TRIES = 16,
    MAX_CANDIDATES = 64,
    FOLD_PASSES = 30
};

/* What a worker needs while it runs a block. */
typedef struct pair_desk {
    uint8_t *seen; /* (n_items): 1 for what the user at hand has; all 0 between users */
    int32_t liked[PAIRS], other[PAIRS];
    float weight[PAIRS];
} pair_desk;

typedef struct state {
    float *user, *item;                         /* (n_users, width), (n_items, width) */
    float *item_bias;                           /* (n_items), or NULL */
    float *user_sum, *item_sum, *item_bias_sum; /* Adagrad's, or NULL */
    float *popularity;                          /* (n_items): events, where negatives go by it; else NULL */
    int32_t d, width, sampler, negatives, candidates;
    pen__alias *alias; /* (n_items): over all items, for fold-in; NULL without `popularity` */

    /* Made by the first epoch. */
    pen__grid *grid;
    int32_t dealt;           /* the epoch that the grid is dealt for */
    pen__alias *block_alias; /* (n_items): block after block, in the order of grid->item */
    pair_desk *desks;
    pen__rows more_seen; /* by user, rising: seen but not learned from (below --positive); begin NULL: nothing */
    int32_t weighting;
    double weight_scale; /* 1 / the mean of weights */
} state;

/* ---- state ------------------------------------------------------------------------------------------------------- */

static pen_status begin(pen_model *model, const pen__train *train, pen_error *error)
{
    int32_t d = pen__param_int(model, "factors"), width = pen__factor_width(d),
            biased = pen__param_int(model, "biases");
    int64_t n_users = train->n_users, n_items = train->n_items;
    float *user, *item, *popularity;
    PEN_TRY(pen__model_add(model, "user.factors", PEN_F32, PEN_ROLE_PARAM, n_users, width, 0, &user, error));
    PEN_TRY(pen__model_add(model, "item.factors", PEN_F32, PEN_ROLE_PARAM, n_items, width, 0, &item, error));
    if (biased) PEN_TRY(pen__model_add(model, "item.bias", PEN_F32, PEN_ROLE_PARAM, n_items, 0, 0, NULL, error));
    if (pen__param_int(model, "sampler") == POPULARITY) {
        PEN_TRY(pen__model_add(model, "item.popularity", PEN_F32, PEN_ROLE_PARAM, n_items, 0, 0, &popularity, error));
        for (int64_t i = 0; i < n_items; i++)
            popularity[i] = (float)(train->by_item.begin[i + 1] - train->by_item.begin[i]);
    }
    if (pen__param_int(model, "optimizer") == ADAGRAD) {
        float *sums[3] = {NULL, NULL, NULL};
        int64_t size[3] = {n_users * width, n_items * width, n_items};
        PEN_TRY(pen__model_add(model, "user.sum", PEN_F32, PEN_ROLE_OPTIMISER, n_users, width, 0, &sums[0], error));
        PEN_TRY(pen__model_add(model, "item.sum", PEN_F32, PEN_ROLE_OPTIMISER, n_items, width, 0, &sums[1], error));
        if (biased)
            PEN_TRY(
                pen__model_add(model, "item.bias.sum", PEN_F32, PEN_ROLE_OPTIMISER, n_items, 0, 0, &sums[2], error));
        for (int k = 0; k < 3; k++)
            for (int64_t i = 0; sums[k] && i < size[k]; i++) sums[k][i] = 0.1f;
    }
    double deviation = pen__param(model, "init");
    PEN_TRY(pen__factor_init(model->ctx, user, n_users, d, deviation, model->seed, 0, error));
    return pen__factor_init(model->ctx, item, n_items, d, deviation, model->seed, 1, error);
}

/* popularity^alpha of n items, items[i] or i itself, into a table. */
static pen_status build_alias(const pen_model *model, const int32_t *items, int32_t n, pen__alias *table,
                              pen_error *error)
{
    pen_status status = PEN_OK;
    const state *s = model->state;
    double *weight = NULL, alpha = pen__param(model, "alpha");
    int32_t *scratch = NULL;
    PEN_TRY_DONE(PEN_NEW(model->ctx, weight, n));
    PEN_TRY_DONE(PEN_NEW(model->ctx, scratch, n));
    for (int32_t i = 0; i < n; i++) {
        float count = s->popularity[items ? items[i] : i];
        weight[i] = count > 0 ? pow((double)count, alpha) : 0; /* a hostile file's NaN and negatives weigh nothing */
    }
    pen__alias_build(weight, n, scratch, table);
done:
    pen__free(model->ctx, weight);
    pen__free(model->ctx, scratch);
    return status;
}

static pen_status bind(pen_model *model, pen_error *error)
{
    state *s = model->state;
    s->d = pen__param_int(model, "factors"), s->width = pen__factor_width(s->d);
    s->sampler = pen__param_int(model, "sampler");
    s->negatives = pen__param_int(model, "negatives"), s->candidates = pen__param_int(model, "candidates");
    s->weighting = pen__param_int(model, "weighting");
    PEN_TRY(pen__model_get(model, "user.factors", PEN_F32, model->n_users, s->width, 0, NULL, &s->user, error));
    PEN_TRY(pen__model_get(model, "item.factors", PEN_F32, model->n_items, s->width, 0, NULL, &s->item, error));
    if (pen__param_int(model, "biases"))
        PEN_TRY(pen__model_get(model, "item.bias", PEN_F32, model->n_items, 0, 0, NULL, &s->item_bias, error));
    if (pen__model_tensor(model, "user.sum")) {
        PEN_TRY(pen__model_get(model, "user.sum", PEN_F32, model->n_users, s->width, 0, NULL, &s->user_sum, error));
        PEN_TRY(pen__model_get(model, "item.sum", PEN_F32, model->n_items, s->width, 0, NULL, &s->item_sum, error));
        if (s->item_bias)
            PEN_TRY(
                pen__model_get(model, "item.bias.sum", PEN_F32, model->n_items, 0, 0, NULL, &s->item_bias_sum, error));
    }
    if (s->sampler != POPULARITY) return PEN_OK;
    PEN_TRY(pen__model_get(model, "item.popularity", PEN_F32, model->n_items, 0, 0, NULL, &s->popularity, error));
    PEN_TRY(PEN_NEW(model->ctx, s->alias, model->n_items));
    return build_alias(model, NULL, model->n_items, s->alias, error);
}

static void unbind(pen_model *model)
{
    state *s = model->state;
    pen__grid_free(s->grid);
    for (int w = 0; s->desks && w < pen__workers(model->ctx); w++) pen__free(model->ctx, s->desks[w].seen);
    pen__free(model->ctx, s->desks);
    pen__free(model->ctx, s->alias);
    pen__free(model->ctx, s->block_alias);
    pen__free(model->ctx, s->more_seen.begin);
    pen__free(model->ctx, s->more_seen.column);
    memset(s, 0, sizeof *s);
}

/* ---- an epoch ---------------------------------------------------------------------------------------------------- */

static double weight_of(int32_t weighting, float value)
{
    double w = value > 0 ? (double)value : 0;
    return weighting == WEIGHT_LOG ? log1p(w) : w;
}

/* Whether events differ in weight at all; then the scale that makes them 1 on average. */
static bool weigh(state *s, const pen__train *train)
{
    const float *value = train->by_user.value;
    double sum = 0;
    bool differ = false;
    s->weight_scale = 1;
    if (s->weighting == WEIGHT_NONE || !value) return false;
    for (int64_t e = 0; e < train->n_events; e++) {
        sum += weight_of(s->weighting, value[e]);
        differ |= value[e] != value[0];
    }
    if (sum > 0) s->weight_scale = (double)train->n_events / sum;
    return differ && sum > 0;
}

/* What users have seen without its being learned from: history less by_user, by rising item. Usually nothing. */
static pen_status gather_more_seen(pen_model *model, const pen__train *train, pen_error *error)
{
    state *s = model->state;
    const pen__rows *history = &train->history;
    const int64_t *learned = train->by_user.begin;
    int64_t n = 0;
    for (int64_t u = 0; u < train->n_users; u++) {
        /* all of it is learned from */
        if (history->begin[u + 1] - history->begin[u] == learned[u + 1] - learned[u]) continue;
        for (int64_t e = history->begin[u]; e < history->begin[u + 1]; e++)
            n += !pen__row_has(&train->by_user, u, history->column[e]);
    }
    if (n == 0) return PEN_OK;
    pen__rows *more = &s->more_seen;
    PEN_TRY(PEN_NEW(model->ctx, more->column, n));
    PEN_TRY(PEN_NEW(model->ctx, more->begin, (int64_t)train->n_users + 1));
    more->n_rows = train->n_users, n = 0;
    for (int64_t u = 0; u < train->n_users; u++) {
        more->begin[u] = n;
        for (int64_t e = history->begin[u]; e < history->begin[u + 1]; e++) {
            int32_t item = history->column[e];
            if (pen__row_has(&train->by_user, u, item)) continue;
            int64_t at = n++; /* insertion: these rows are short */
            for (; at > more->begin[u] && more->column[at - 1] > item; at--) more->column[at] = more->column[at - 1];
            more->column[at] = item;
        }
    }
    more->begin[train->n_users] = n;
    return PEN_OK;
}

static pen_status prepare(pen_model *model, const pen__train *train, pen_error *error)
{
    state *s = model->state;
    int workers = pen__workers(model->ctx);
    PEN_TRY(PEN_NEW_ZERO(model->ctx, s->desks, workers));
    for (int w = 0; w < workers; w++) PEN_TRY(PEN_NEW_ZERO(model->ctx, s->desks[w].seen, model->n_items));
    if (s->sampler == POPULARITY) PEN_TRY(PEN_NEW(model->ctx, s->block_alias, model->n_items));
    PEN_TRY(gather_more_seen(model, train, error));
    s->dealt = 0;
    return pen__grid_new(model->ctx, &train->by_user, train->n_items, weigh(s, train), model->seed, &s->grid, error);
}

typedef struct bpr_work {
    pen_model *model;
    const state *s;
    pen__sgd_pair step;
    const pen__sgd_kernels *kern;
} bpr_work;

/* A negative for the user of the desk out of block b, or -1. */
static inline int32_t draw_one(const state *s, const pair_desk *desk, const pen__grid *grid, int64_t user, int32_t b,
                               pen__rng *rng)
{
    int32_t begin_at = grid->item_begin[b], n = grid->item_begin[b + 1] - begin_at;
    for (int try = 0; try < TRIES; try++) {
        int32_t k = s->block_alias ? pen__alias_draw(s->block_alias + begin_at, n, rng)
                                   : (int32_t)pen__rng_below(rng, (uint64_t)n);
        int32_t item = grid->item[begin_at + k];
        if (!desk->seen[item] && !(s->more_seen.begin && pen__row_has(&s->more_seen, user, item))) return item;
    }
    return -1;
}

/* dns: of some candidates, the one that scores highest. */
static int32_t draw_hardest(const bpr_work *work, const pair_desk *desk, const pen__grid *grid, int64_t user, int32_t b,
                            pen__rng *rng)
{
    int32_t candidate[MAX_CANDIDATES], n = 0, best = 0;
    float score[MAX_CANDIDATES];
    for (int32_t k = 0; k < work->s->candidates; k++) {
        int32_t item = draw_one(work->s, desk, grid, user, b, rng);
        if (item >= 0) candidate[n++] = item;
    }
    if (n == 0) return -1;
    work->kern->scores(&work->step, work->s->user + user * work->s->width, candidate, n, score);
    for (int32_t k = 1; k < n; k++)
        if (score[k] > score[best]) best = k;
    return candidate[best];
}

/* The events of one user in one block. */
static double learn_run(const bpr_work *work, pair_desk *desk, const pen__grid *grid, int64_t user, int32_t b,
                        pen__rng *rng)
{
    const state *s = work->s;
    pen__run run = pen__grid_run(grid, (int32_t)user, b);
    float *row = s->user + user * s->width, *sum = s->user_sum ? s->user_sum + user * s->width : NULL;
    double loss = 0;
    int n = 0;
    for (int64_t e = 0; e < run.n; e++) desk->seen[run.item[e]] = 1;
    for (int64_t e = 0; e < run.n; e++)
        for (int32_t k = 0; k < s->negatives; k++) {
            int32_t other = s->sampler == DNS ? draw_hardest(work, desk, grid, user, b, rng)
                                              : draw_one(s, desk, grid, user, b, rng);
            if (other < 0) continue;
            desk->liked[n] = run.item[e], desk->other[n] = other;
            desk->weight[n++] = run.value ? (float)(s->weight_scale * weight_of(s->weighting, run.value[e])) : 1;
            if (n < PAIRS) continue;
            loss += work->kern->pair_run(&work->step, row, sum, desk->liked, desk->other, desk->weight, n);
            n = 0;
        }
    loss += work->kern->pair_run(&work->step, row, sum, desk->liked, desk->other, desk->weight, n);
    for (int64_t e = 0; e < run.n; e++) desk->seen[run.item[e]] = 0;
    return loss;
}

static double learn_block(void *arg, const pen__grid *grid, int32_t user_block, int32_t item_block, uint64_t draw,
                          int worker)
{
    const bpr_work *work = arg;
    int64_t n = grid->user_begin[user_block + 1] - grid->user_begin[user_block];
    pen__rng order = pen__rng_begin(grid->seed, PEN_STREAM_PERMUTE, draw + ((uint64_t)1 << 40));
    pen__rng rng = pen__rng_begin(grid->seed, PEN_STREAM_NEGATIVE, draw);
    pen__user_walk walk = pen__user_walk_begin(grid, user_block, item_block, work->s->user, work->s->width, &order);
    double loss = 0;
    for (int64_t k = 0; k < n; k++)
        loss += learn_run(work, &work->s->desks[worker], grid, pen__user_walk_next(&walk), item_block, &rng);
    return loss;
}

static pen_status tick(void *arg, int64_t done, pen_error *error)
{
    return pen__model_tick(((bpr_work *)arg)->model, done, error);
}

static pen_status epoch(pen_model *model, const pen__train *train, int32_t number, double *loss, pen_error *error)
{
    state *s = model->state;
    if (!s->grid) PEN_TRY(prepare(model, train, error));
    if (s->dealt != number) PEN_TRY(pen__grid_deal(s->grid, (uint64_t)number, error));
    s->dealt = number;
    for (int32_t b = 0; s->block_alias && b < s->grid->side; b++) {
        int32_t at = s->grid->item_begin[b];
        PEN_TRY(build_alias(model, s->grid->item + at, s->grid->item_begin[b + 1] - at, s->block_alias + at, error));
    }
    double l2 = pen__param(model, "regularization"),
           rate = pen__param(model, "learning_rate") * pow(1 - pen__param(model, "decay"), number);
    bpr_work work = {.model = model, .s = s, .kern = pen__sgd()};
    pen__model_tell_rate(model, rate);
    work.step = (pen__sgd_pair){.item = s->item,
                                .item_bias = s->item_bias,
                                .item_sum = s->item_sum,
                                .item_bias_sum = s->item_bias_sum,
                                .width = s->width,
                                .rate = (float)rate,
                                .l2_user = (float)l2,
                                .l2_liked = (float)l2,
                                .l2_other = (float)(l2 * pen__param(model, "regularization_negative")),
                                .l2_bias = (float)pen__param(model, "regularization_bias")};
    const pen__grid_job job = {learn_block, tick, &work};
    PEN_TRY(pen__grid_epoch(s->grid, number, &job, loss, error));
    *loss /= (double)(train->n_events > 0 ? train->n_events * s->negatives : 1);
    return PEN_OK;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static void factors(const pen_model *model, pen__factors *out)
{
    const state *s = model->state;
    *out = (pen__factors){.d = s->width, .item = s->item, .bias = s->item_bias};
}

static size_t scratch_bytes(const pen_model *model) { return (size_t)model->n_items; }

/* The negative of one step of fold-in: by the model's sampler, over all items. */
static int32_t fold_negative(const pen_model *model, const uint8_t *seen, const float *p, pen__rng *rng)
{
    const state *s = model->state;
    int32_t best = -1, n = s->sampler == DNS ? s->candidates : 1;
    float best_score = 0;
    for (int32_t k = 0; k < n; k++)
        for (int try = 0; try < TRIES; try++) {
            int32_t item = s->alias ? pen__alias_draw(s->alias, model->n_items, rng)
                                    : (int32_t)pen__rng_below(rng, (uint64_t)model->n_items);
            if (seen[item]) continue;
            if (n == 1) return item;
            float score = pen__kern()->dot(p, s->item + (int64_t)item * s->width, s->width) +
                          (s->item_bias ? s->item_bias[item] : 0);
            if (best < 0 || score > best_score) best = item, best_score = score;
            break;
        }
    return best;
}

/* A user who is not in the model: SGD on the user's row alone, from zero, a fixed number of passes over the history. A
 * step's draws depend on the pass and the item, so that leaving an event out changes nothing about the others'
 * draws. */
static void fold_in(const pen_model *model, const pen__user *user, uint8_t *seen, float *p)
{
    const state *s = model->state;
    const pen__kernels *kern = pen__kern();
    float l2 = (float)pen__param(model, "regularization");
    memset(p, 0, (size_t)s->width * sizeof *p);
    memset(seen, 0, (size_t)model->n_items);
    for (int64_t e = 0; e < user->n; e++) seen[user->item[e]] = 1;
    for (int32_t pass = 0; pass < FOLD_PASSES; pass++) {
        float rate = 0.1f / (1.0f + 0.2f * (float)pass);
        for (int64_t e = 0; e < user->n; e++) {
            int32_t a = user->item[e];
            pen__rng rng = pen__rng_begin(model->seed, PEN_STREAM_MODEL, (uint64_t)pass << 32 | (uint64_t)a);
            int32_t b = fold_negative(model, seen, p, &rng);
            if (b < 0) continue;
            const float *row_a = s->item + (int64_t)a * s->width, *row_b = s->item + (int64_t)b * s->width;
            float margin = kern->dot_difference(p, row_a, row_b, s->width);
            if (s->item_bias) margin += s->item_bias[a] - s->item_bias[b];
            float step = rate / (1.0f + expf(margin)), keep = 1.0f - rate * l2;
            for (int32_t k = 0; k < s->width; k++) p[k] = keep * p[k] + step * (row_a[k] - row_b[k]);
        }
    }
}

static pen_status user_vector(const pen_model *model, const pen__user *user, void *scratch, float *out,
                              pen_error *error)
{
    (void)error;
    const state *s = model->state;
    if (user->number >= 0)
        memcpy(out, s->user + (int64_t)user->number * s->width, (size_t)s->width * sizeof *out);
    else
        fold_in(model, user, scratch, out);
    return PEN_OK;
}

static const pen_param params[] = {
    PEN_P_INT_LOG("factors", "64", 1, 1024, "length of the vectors"),
    PEN_P_INT_LOG("epochs", "100", 1, 10000, "passes over the events, at most"),
    PEN_P_INT("patience", "10", 0, 1000,
              "epochs without a better validation before training stops; 0: never; the best epoch is kept"),
    PEN_P_REAL_LOG("learning_rate", "0.05", 1e-6, 10, "size of a step in the first epoch"),
    PEN_P_REAL("decay", "0", 0, 1, "of the learning rate: that of epoch e is learning_rate (1 - decay)^e"),
    PEN_P_CHOICE("optimizer", "sgd", "sgd|adagrad", "how steps are sized"),
    PEN_P_REAL_LOG("regularization", "0.01", 0, 10,
                   "L2 penalty of the user's and the chosen item's factors, paid at each pair"),
    PEN_P_REAL("regularization_negative", "1", 0, 10, "that of the negative's factors, as a share of it"),
    PEN_P_REAL_LOG("regularization_bias", "0", 0, 10, "L2 penalty of the items' biases"),
    PEN_P_BOOL("biases", "1", "learn a bias for each item"),
    PEN_P_INT_LOG("negatives", "1", 1, 1000, "pairs of each event an epoch"),
    PEN_P_CHOICE("sampler", "uniform", "uniform|popularity|dns",
                 "how negatives are drawn: alike, by popularity^alpha, or the highest-scoring of `candidates`"),
    PEN_P_REAL("alpha", "0.75", 0, 4, "power of popularity"),
    PEN_P_INT("candidates", "8", 1, MAX_CANDIDATES, "draws of dns"),
    PEN_P_CHOICE("weighting", "log", "none|log|linear",
                 "how an event's weight scales its step: not, by log(1 + weight), by the weight; over their mean"),
    PEN_P_REAL_LOG("init", "0.1", 0, 10, "standard deviation of the factors' first values"),
};

extern const pen__model_class pen__bpr_class;

static uint64_t memory(const pen__params *values, const pen__train *train)
{
    uint64_t rows = (uint64_t)train->n_users + (uint64_t)train->n_items;
    uint64_t width = (uint64_t)pen__factor_width((int32_t)pen__params_get(&pen__bpr_class, values, "factors"));
    uint64_t copies = (int32_t)pen__params_get(&pen__bpr_class, values, "optimizer") == ADAGRAD ? 2 : 1;
    return copies * rows * (width + 1) * sizeof(float) +
           pen__grid_memory(train->n_events, train->n_users, train->n_items, true);
}

const pen__model_class pen__bpr_class = {
    .name = "bpr",
    .family = "factor",
    .summary = "Bayesian personalised ranking: factors by which chosen items score above others",
    .formula = "score(u, i) = <p_u, q_i> + b_i\n"
               "minimise sum over events (u, i) and drawn j of -log sigmoid(score(u, i) - score(u, j))\n"
               "         + regularization / 2 (|p_u|^2 + |q_i|^2 + regularization_negative |q_j|^2) + "
               "regularization_bias / 2 (b_i^2 + b_j^2)",
    .paper = "Rendle, Freudenthaler, Gantner, Schmidt-Thieme: BPR: Bayesian personalized ranking from implicit "
             "feedback (UAI 2009)",
    .tasks = 1u << PEN_TASK_RANK,
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
};
