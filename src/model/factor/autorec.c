/* autorec: an item's (or a user's) ratings are squeezed into a hidden layer and drawn out of it again; what was not
 * rated is predicted by what comes out.
 *
 * The side that is squeezed is called rows here, the other columns. The input is a bag of the columns that rated the
 * row, so nothing of size users x items exists; the output is computed for rated columns alone. After each epoch the
 * rows' hidden layers are kept as a tensor: a rating is then one inner product. Cost: O(ratings hidden) an epoch.
 *
 * A new user is a row whose hidden layer is computed from the history (side=users), or a column solved for by least
 * squares on the hidden layers of the history's items (side=items). Ratings are read as they are, so that the layer
 * knows who rated, too; leaving out half of them makes a rating be predicted from others than itself.
 *
 * Sedhain, Menon, Sanner, Xie: "AutoRec: autoencoders meet collaborative filtering" (WWW 2015). */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "kern/kern.h"
#include "train/net.h"

enum { ITEMS, USERS };

typedef struct autorec {
    pen__net net;
    int32_t bag, column;       /* extent and index input */
    int32_t shown, label;      /* nodes: what the layer reads, and the centred ratings */
    int32_t in, out, out_bias; /* tables; mu is the plan's only weight */
    float *hidden;             /* (n_rows, d): tensor "hidden" */
    int32_t d, by_users;
} autorec;

static int32_t rows_of(const pen_model *model)
{
    return pen__param_int(model, "side") == USERS ? model->n_users : model->n_items;
}
static int32_t columns_of(const pen_model *model)
{
    return pen__param_int(model, "side") == USERS ? model->n_items : model->n_users;
}

static void build(const pen_model *model, pen__net *base)
{
    autorec *net = (autorec *)base;
    pen__plan *plan = base->plan;
    int32_t d = pen__param_int(model, "factors");
    pen__init init = {PEN_INIT_NORMAL, pen__param(model, "init")};
    net->d = d, net->by_users = pen__param_int(model, "side") == USERS;
    net->bag = pen__extent_child(plan, PEN_ROOT, "ratings");
    net->column = pen__input_index(plan, net->bag, "column");
    net->shown = pen__input_real(plan, net->bag, 1, "shown");
    net->label = pen__input_real(plan, net->bag, 1, "rating");
    net->in = pen__plan_table(plan, "in", columns_of(model), d, init);
    net->out = pen__plan_table(plan, "out", columns_of(model), d, init);
    net->out_bias = pen__plan_table(plan, "out.bias", columns_of(model), 1, (pen__init){PEN_INIT_ZERO, 0});
    int32_t sum = pen__bag(plan, net->in, net->column, PEN_POOL_SUM, net->shown);
    int32_t hidden = pen__activate(plan, pen__shifted(plan, "hidden.bias", sum), PEN_ACT_SIGMOID);
    int32_t kept = pen__dropped(plan, hidden, pen__param(model, "dropout"));
    int32_t score = pen__plus(plan, pen__dot(plan, kept, pen__gather(plan, net->out, net->column)),
                              pen__gather(plan, net->out_bias, net->column));
    pen__loss_pointwise(plan, PEN_LOSS_SQUARED, score, net->label, -1);
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */

static const pen__rows *ratings_of(const pen_model *model, const pen__train *train)
{
    return pen__param_int(model, "side") == USERS ? &train->by_user : &train->by_item;
}

static int64_t examples(const pen_model *model, const pen__train *train)
{
    (void)train;
    return rows_of(model);
}

static void size(pen__example *example)
{
    const autorec *net = example->model->state;
    if (example->number < 0) return;
    const pen__rows *rows = ratings_of(example->model, example->train);
    example->rows[net->bag] = rows->begin[example->number + 1] - rows->begin[example->number];
}

static void fill(pen__example *example)
{
    const autorec *net = example->model->state;
    const pen_model *model = example->model;
    if (example->number < 0) return;
    const pen__rows *rows = ratings_of(model, example->train);
    int64_t from = rows->begin[example->number];
    const pen__plan *plan = net->net.plan;
    pen__real *shown = example->real[plan->node[net->shown].input],
              *label = example->real[plan->node[net->label].input];
    double dropout = pen__param(model, "input_dropout");
    for (int64_t k = 0; k < example->rows[net->bag]; k++) {
        example->index[net->column][k] = rows->column[from + k];
        label[k] = rows->value[from + k] - (float)model->mean;
        shown[k] = pen__rng_uniform(&example->rng) < dropout ? 0 : rows->value[from + k] / (float)(1 - dropout);
    }
}

/* ---- the rows' hidden layers ------------------------------------------------------------------------------------- */

/* sigmoid(V' r + mu) of one bag, in the order of the bag. */
static void squeeze(const pen_model *model, const int32_t *column, const float *value, int64_t n, float *h)
{
    const autorec *net = model->state;
    const float *in = net->net.plan->table[net->in].data;
    memcpy(h, net->net.plan->weight[0].data, (size_t)net->d * sizeof *h);
    for (int64_t k = 0; k < n; k++) pen__kern()->axpy(h, value[k], in + (int64_t)column[k] * net->d, net->d);
    pen__kern()->sigmoid(h, h, net->d);
}

typedef struct squeezing {
    pen_model *model;
    const pen__rows *rows;
} squeezing;

enum { GRAIN = 64 };

static pen_status squeeze_some(void *arg, int64_t shard, int worker, pen_error *error)
{
    const squeezing *work = arg;
    const autorec *net = work->model->state;
    (void)worker, (void)error;
    int64_t n = work->rows->n_rows, end = (shard + 1) * GRAIN < n ? (shard + 1) * GRAIN : n;
    for (int64_t r = shard * GRAIN; r < end; r++) {
        int64_t from = work->rows->begin[r];
        squeeze(work->model, work->rows->column + from, work->rows->value + from, work->rows->begin[r + 1] - from,
                net->hidden + r * net->d);
    }
    return PEN_OK;
}

static pen_status epoch(pen_model *model, const pen__train *train, int32_t number, double *loss, pen_error *error)
{
    PEN_TRY(pen__net_epoch(model, train, number, loss, error));
    squeezing work = {model, ratings_of(model, train)};
    return pen__parallel(model->ctx, pen__shards(work.rows->n_rows, GRAIN), squeeze_some, &work, error);
}

static pen_status begin(pen_model *model, const pen__train *train, pen_error *error)
{
    PEN_TRY(pen__net_begin(model, train, error));
    return pen__model_add(model, "hidden", PEN_F32, PEN_ROLE_PARAM, rows_of(model), pen__param_int(model, "factors"), 0,
                          NULL, error);
}

static pen_status bind(pen_model *model, pen_error *error)
{
    autorec *net = model->state;
    PEN_TRY(pen__net_build(model, error));
    return pen__model_get(model, "hidden", PEN_F32, rows_of(model), net->d, 0, NULL, &net->hidden, error);
}

/* ---- ratings ----------------------------------------------------------------------------------------------------- */

static int64_t padded(const autorec *net) { return pen__matrix_pad(net->d + 1); }

/* A row's layer; then the matrix and the right side of least squares, and its scratch. */
static size_t scratch(const pen_model *model)
{
    const autorec *net = model->state;
    return (size_t)(padded(net) * 2 + pen__matrix_floats(net->d + 1) + 2 * PEN_OUTER_ROWS * padded(net)) *
           sizeof(float);
}

/* Least squares with penalty `solve` n of a new user's column on the hidden layers [h_i 1] of the history: w (d +
 * 1). */
static void solve_column(const pen_model *model, const pen__user *user, float *w, float *memory)
{
    const autorec *net = model->state;
    const pen__kernels *kern = pen__kern();
    int64_t d = net->d + 1, stride = pen__matrix_stride(d);
    float *a = memory, *row = memory + pen__matrix_floats(d), *outer = row + padded(net), one = 1;
    memset(a, 0, (size_t)pen__matrix_floats(d) * sizeof *a);
    memset(w, 0, (size_t)padded(net) * sizeof *w);
    memset(row, 0, (size_t)padded(net) * sizeof *row);
    for (int64_t e = 0; e < user->n; e++) {
        memcpy(row, net->hidden + (int64_t)user->item[e] * net->d, (size_t)net->d * sizeof *row);
        row[net->d] = 1;
        float value = user->value[e] - (float)model->mean;
        kern->add_outer(a, w, d, row, padded(net), NULL, NULL, one, NULL, value, 1, 0, outer);
    }
    float penalty = (float)pen__param(model, "solve");
    for (int64_t k = 0; k < d; k++) a[k * stride + k] += penalty;
    if (kern->cholesky(a, d))
        kern->cholesky_solve(a, d, w);
    else
        memset(w, 0, (size_t)padded(net) * sizeof *w);
}

static pen_status rate(const pen_model *model, const pen__user *user, int32_t item, void *memory, double *rating,
                       pen_error *error)
{
    const autorec *net = model->state;
    (void)error;
    *rating = model->mean;
    const float *out = net->net.plan->table[net->out].data, *bias = net->net.plan->table[net->out_bias].data;
    float *h = memory, *rest = h + padded(net);
    if (net->by_users) {
        if (item < 0) return PEN_OK;
        const float *layer = net->hidden + (int64_t)user->number * net->d;
        if (user->number < 0) squeeze(model, user->item, user->value, user->n, h), layer = h;
        *rating += (double)(pen__kern()->dot(layer, out + (int64_t)item * net->d, net->d) + bias[item]);
        return PEN_OK;
    }
    const float *column = user->number >= 0 ? out + (int64_t)user->number * net->d : h;
    if (user->number < 0) solve_column(model, user, h, rest);
    double base = (double)(user->number >= 0 ? bias[user->number] : h[net->d]);
    *rating += base + (item < 0 ? 0 : (double)pen__kern()->dot(net->hidden + (int64_t)item * net->d, column, net->d));
    return PEN_OK;
}

/* All items' ratings, as rate has them. */
static pen_status score(const pen_model *model, const pen__user *user, void *memory, float *scores, pen_error *error)
{
    const autorec *net = model->state;
    (void)error;
    const float *out = net->net.plan->table[net->out].data, *bias = net->net.plan->table[net->out_bias].data, *fixed;
    float *h = memory, *rest = h + padded(net), mean = (float)model->mean, base = 0;
    if (user->number >= 0) {
        fixed = (net->by_users ? net->hidden : out) + (int64_t)user->number * net->d;
        if (!net->by_users) base = bias[user->number];
    } else {
        fixed = h;
        if (net->by_users)
            squeeze(model, user->item, user->value, user->n, h);
        else
            solve_column(model, user, h, rest), base = h[net->d];
    }
    for (int32_t i = 0; i < model->n_items; i++) {
        const float *row = (net->by_users ? out : net->hidden) + (int64_t)i * net->d;
        scores[i] = mean + (pen__kern()->dot(fixed, row, net->d) + (net->by_users ? bias[i] : base));
    }
    return PEN_OK;
}

static const pen_param params[] = {
    PEN_NET_FACTORS("500", "width of the hidden layer"),
    PEN_P_CHOICE("side", "items", "items|users", "whose ratings are squeezed"),
    PEN_P_REAL("input_dropout", "0.5", 0, 0.95,
               "share of the ratings left out of the input in training; 0: the paper's"),
    PEN_NET_DROPOUT("0", "share of hidden numbers left out in training"),
    PEN_NET_INIT("0.03", "standard deviation of the weights' first values"),
    PEN_P_REAL_LOG("solve", "1", 1e-6, 1e6, "penalty of least squares for a new user (side=items)"),
    PEN_NET_PARAMS("100", "10", "256", "items or users", "0.001", "adam", "2e-4"),
};

static const pen__net_class net = {.build = build, .examples = examples, .size = size, .fill = fill};

const pen__model_class pen__autorec_class = {
    .name = "autorec",
    .family = "factor",
    .summary = "autoencoder of an item's or a user's ratings",
    .formula = "h = sigmoid(V' r + mu);  rating(u, i) = mean + <W_u, h_i> + b_u  (side=items)\n"
               "minimise the mean over ratings of (rating(u, i) - r)^2, with regularization of touched rows",
    .paper = "Sedhain, Menon, Sanner, Xie: AutoRec: autoencoders meet collaborative filtering (WWW 2015)",
    .tasks = 1u << PEN_TASK_RATE,
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(autorec),
    .net = &net,
    .begin = begin,
    .epoch = epoch,
    .bind = bind,
    .unbind = pen__net_unbind,
    .scratch = scratch,
    .score = score,
    .rate = rate,
};
