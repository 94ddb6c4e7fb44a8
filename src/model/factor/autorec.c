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
#include <string.h>

#include "base/memory.h"
#include "kern/kern.h"
#include "train/net.h"

enum { ITEMS, USERS };
enum { BLOCK = 64 };

typedef struct autorec {
    pen__net net;
    int32_t bag, column;   /* extent and index input */
    int32_t shown, label;  /* nodes: what the layer reads, and the centred ratings */
    int32_t layer;         /* node: what a row is squeezed into */
    int32_t out, out_bias; /* tables */
    float *hidden;         /* (n_rows, d): tensor "hidden", or "centred": items' less their mean */
    float *center;         /* (d): that mean; NULL: it was not taken away */
    int32_t d, by_users;
} autorec;

static int32_t n_rows(const pen_model *model)
{
    return pen__param_int(model, "side") == USERS ? model->n_users : model->n_items;
}
static int32_t n_columns(const pen_model *model)
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
    base->kept = (int64_t)n_rows(model) * d;
    net->bag = pen__extent_child(plan, PEN_ROOT, "ratings");
    net->column = pen__input_index(plan, net->bag, "column");
    net->shown = pen__input_real(plan, net->bag, 1, "shown");
    net->label = pen__input_real(plan, net->bag, 1, "rating");
    int32_t in = pen__plan_table(plan, "in", n_columns(model), d, init);
    net->out = pen__plan_table(plan, "out", n_columns(model), d, init);
    net->out_bias = pen__plan_table(plan, "out.bias", n_columns(model), 1, (pen__init){PEN_INIT_ZERO, 0});
    int32_t sum = pen__bag(plan, in, net->column, PEN_POOL_SUM, net->shown);
    net->layer = pen__activate(plan, pen__shifted(plan, "hidden.bias", sum), PEN_ACT_SIGMOID);
    if (net->by_users) base->user = net->layer;
    int32_t kept = pen__dropped(plan, net->layer, pen__param(model, "dropout"));
    int32_t score = pen__plus(plan, pen__dot(plan, kept, pen__gather(plan, net->out, net->column)),
                              pen__gather(plan, net->out_bias, net->column));
    pen__loss_pointwise(plan, PEN_LOSS_SQUARED, score, net->label, -1);
}

/* ---- bags of ratings --------------------------------------------------------------------------------------------- */

typedef struct ratings {
    const int32_t *column;
    const float *value;
    int64_t n;
} ratings;

static const pen__rows *rows_of(const pen_model *model, const pen__train *train)
{
    return pen__param_int(model, "side") == USERS ? &train->by_user : &train->by_item;
}

static ratings ratings_of(const pen__example *example)
{
    const pen__user *user = example->user;
    int64_t skip = user && user->n > PEN_NET_MOST ? user->n - PEN_NET_MOST : 0;
    if (user && !user->n) return (ratings){0};
    if (user) return (ratings){user->item + skip, user->value + skip, user->n - skip};
    if (example->number < 0) return (ratings){0};
    const pen__rows *rows = rows_of(example->model, example->train);
    int64_t from = rows->begin[example->number];
    return (ratings){rows->column + from, rows->value + from, rows->begin[example->number + 1] - from};
}

static int64_t examples(const pen_model *model, const pen__train *train)
{
    (void)train;
    return n_rows(model);
}

static void size(pen__example *example)
{
    const autorec *net = example->model->state;
    example->rows[net->bag] = ratings_of(example).n;
}

/* dropout: the share of ratings that are left out. */
static void fill_bag(pen__example *example, double dropout)
{
    const autorec *net = example->model->state;
    const pen__plan *plan = net->net.plan;
    ratings r = ratings_of(example);
    pen__real *shown = example->real[plan->node[net->shown].input],
              *label = example->real[plan->node[net->label].input];
    for (int64_t k = 0; k < r.n; k++) {
        example->index[net->column][k] = r.column[k];
        label[k] = r.value[k] - (float)example->model->mean;
        shown[k] = dropout > 0 && pen__rng_uniform(&example->rng) < dropout ? 0 : r.value[k] / (float)(1 - dropout);
    }
}

static void fill(pen__example *example)
{
    fill_bag(example, example->user ? 0 : pen__param(example->model, "input_dropout"));
}

static void fill_whole(pen__example *example) { fill_bag(example, 0); }

static void bounds(const pen_model *model, int64_t *bound)
{
    bound[((const autorec *)model->state)->bag] = PEN_NET_MOST;
}

/* ---- slots ------------------------------------------------------------------------------------------------------- */

/* Layers are positive and so all point one way: less their mean, items' say who is like whom. */
static void center_items(const pen_model *model)
{
    const autorec *net = model->state;
    int64_t n = n_rows(model), d = net->d;
    double sum[BLOCK];
    for (int64_t from = 0; from < d && net->center; from += BLOCK) { /* columns that share cache lines */
        int64_t width = pen__least(d - from, BLOCK);
        memset(sum, 0, sizeof sum);
        for (int64_t r = 0; r < n; r++)
            for (int64_t k = 0; k < width; k++) sum[k] += (double)net->hidden[r * d + from + k];
        for (int64_t k = 0; k < width; k++) net->center[from + k] = (float)(sum[k] / (double)n);
        for (int64_t r = 0; r < n; r++)
            for (int64_t k = 0; k < width; k++) net->hidden[r * d + from + k] -= net->center[from + k];
    }
}

static pen_status epoch(pen_model *model, const pen__train *train, int32_t number, double *loss, pen_error *error)
{
    const autorec *net = model->state;
    const pen__seen seen = {.node = net->layer, .n = n_rows(model), .size = size, .fill = fill_whole};
    pen_status status = pen__net_epoch(model, train, number, loss, error);
    if (status != PEN_OK && status != PEN_E_CANCELLED) return status;
    PEN_TRY(pen__net_see(model, train, &seen, net->hidden, error));
    center_items(model);
    return status;
}

static pen_status begin(pen_model *model, const pen__train *train, pen_error *error)
{
    PEN_TRY(pen__net_begin(model, train, error));
    int32_t d = pen__param_int(model, "factors");
    bool users = pen__param_int(model, "side") == USERS;
    if (!users) PEN_TRY(pen__model_add(model, "center", PEN_F32, PEN_ROLE_PARAM, d, 0, 0, NULL, error));
    return pen__model_add(model, users ? "hidden" : "centred", PEN_F32, PEN_ROLE_PARAM, n_rows(model), d, 0, NULL,
                          error);
}

static pen_status bind(pen_model *model, pen_error *error)
{
    autorec *net = model->state;
    PEN_TRY(pen__net_bind(model, error));
    bool raw = net->by_users || pen__model_tensor(model, "hidden"); /* those of items in an older file, too */
    if (!raw) PEN_TRY(pen__model_get(model, "center", PEN_F32, net->d, 0, 0, NULL, &net->center, error));
    return pen__model_get(model, raw ? "hidden" : "centred", PEN_F32, n_rows(model), net->d, 0, NULL, &net->hidden,
                          error);
}

/* ---- ratings ----------------------------------------------------------------------------------------------------- */

static int64_t padded(const autorec *net) { return pen__matrix_pad(net->d + 1); }

/* A row's layer; then what computes it: the network's, or the matrix and the right side of least squares, and its
 * scratch. */
static size_t scratch(const pen_model *model)
{
    const autorec *net = model->state;
    size_t solve = (size_t)(padded(net) + pen__matrix_floats(net->d + 1) + 2 * PEN_OUTER_ROWS * padded(net)),
           rest = net->by_users ? pen__net_scratch(model) : solve * sizeof(float);
    return (size_t)padded(net) * sizeof(float) + rest;
}

/* Least squares, with penalty `solve`, of a new user's column on the centred layers [h_i 1] of the history: w (d +
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

/* One user's side of all ratings: a vector, and what they begin with. */
typedef struct fixed {
    const float *vector;
    float base;
} fixed;

static pen_status fix(const pen_model *model, const pen__user *user, void *memory, fixed *out, pen_error *error)
{
    const autorec *net = model->state;
    const pen__plan *plan = net->net.plan;
    float *h = memory, *rest = h + padded(net), mean = (float)model->mean;
    *out = (fixed){h, mean};
    if (user->number >= 0) {
        const float *known = net->by_users ? net->hidden : plan->table[net->out].data;
        out->vector = known + (int64_t)user->number * net->d;
        if (!net->by_users) out->base += plan->table[net->out_bias].data[user->number];
        if (net->center) out->base += pen__kern()->dot(out->vector, net->center, net->d);
    } else if (net->by_users) {
        PEN_TRY(pen__net_user_vector(model, user, rest, h, error));
    } else {
        solve_column(model, user, h, rest);
        out->base += h[net->d];
    }
    return PEN_OK;
}

static void factors(const pen_model *model, pen__factors *out)
{
    const autorec *net = model->state;
    const pen__embedding *table = net->net.plan->table;
    *out = (pen__factors){.d = net->d, .item = net->hidden};
    if (net->by_users) out->item = table[net->out].data, out->bias = table[net->out_bias].data;
}

/* Of an item that the model does not know, what the ratings begin with. */
static pen_status rate(const pen_model *model, const pen__user *user, int32_t item, void *memory, double *rating,
                       pen_error *error)
{
    fixed f;
    pen__factors side;
    PEN_TRY(fix(model, user, memory, &f, error));
    factors(model, &side);
    *rating = (double)f.base;
    if (item < 0) return PEN_OK;
    float bias = side.bias ? side.bias[item] : 0;
    *rating = (double)(f.base + (pen__kern()->dot(f.vector, side.item + (int64_t)item * side.d, side.d) + bias));
    return PEN_OK;
}

static pen_status user_vector(const pen_model *model, const pen__user *user, void *memory, float *out, pen_error *error)
{
    fixed f;
    PEN_TRY(fix(model, user, memory, &f, error));
    memcpy(out, f.vector, (size_t)((const autorec *)model->state)->d * sizeof *out);
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

static const pen__net_class net = {.build = build, .examples = examples, .size = size, .fill = fill, .bounds = bounds};

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
    .factors = factors,
    .user_vector = user_vector,
    .rate = rate,
};
