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

#include "kern/linalg.h"
#include "train/net.h"

enum { ITEMS, USERS };

typedef struct autorec {
    pen__net net;
    int32_t bag, column;   /* extent and index input */
    int32_t shown, label;  /* real inputs: what the layer reads, and the centred ratings */
    int32_t out, out_bias; /* tables */
    int side;              /* whose ratings are rows: a pen__side */
} autorec;

static bool by_users(const pen_model *model) { return pen__param_int(model, "side") == USERS; }

static void build(const pen_model *model, pen__net *base)
{
    autorec *net = (autorec *)base;
    pen__plan *plan = base->plan;
    bool users = by_users(model);
    int32_t n_columns = users ? model->n_items : model->n_users;
    net->side = users ? PEN_SIDE_USER : PEN_SIDE_ITEM;
    net->bag = pen__extent_child(plan, PEN_ROOT, "ratings");
    net->column = pen__input_index(plan, net->bag, "column");
    int32_t shown = pen__input_real(plan, net->bag, 1, "shown"), label = pen__input_real(plan, net->bag, 1, "rating");
    net->shown = pen__input_of(plan, shown), net->label = pen__input_of(plan, label);
    int32_t in = pen__net_table(plan, model, "in", n_columns);
    net->out = pen__net_table(plan, model, "out", n_columns);
    net->out_bias = pen__plan_table(plan, "out.bias", n_columns, 1, (pen__init){PEN_INIT_ZERO, 0});
    int32_t sum = pen__bag(plan, in, net->column, PEN_POOL_SUM, shown);
    int32_t layer = pen__activate(plan, pen__shifted(plan, "hidden.bias", sum), PEN_ACT_SIGMOID);
    int32_t kept = pen__dropped(plan, layer, pen__param(model, "dropout"));
    int32_t score = pen__plus(plan, pen__dot(plan, kept, pen__gather(plan, net->out, net->column)),
                              pen__gather(plan, net->out_bias, net->column));
    pen__loss_pointwise(plan, PEN_LOSS_SQUARED, score, label, -1);
    /* Layers are positive and so all point one way: less their mean, items' say who is like whom. An older file has
     * them as they are. */
    bool raw = users || pen__model_tensor(model, "hidden");
    base->kept = (pen__kept){
        .name = raw ? "hidden" : "centred", .side = net->side, .node = layer, .mean_name = raw ? NULL : "center"};
    if (users) base->user = layer, base->item_table = net->out, base->item_bias = net->out_bias;
}

/* ---- what an example holds: a row's ratings ---------------------------------------------------------------------- */

static int64_t examples(const pen_model *model, const pen__train *train)
{
    return by_users(model) ? train->n_users : train->n_items;
}

static void size(pen__example *example)
{
    const autorec *net = example->model->state;
    example->rows[net->bag] = pen__net_row(example, net->side).n;
}

/* dropout: the share of ratings that are left out. */
static void fill_bag(pen__example *example, double dropout)
{
    const autorec *net = example->model->state;
    const pen__row r = pen__net_row(example, net->side);
    for (int64_t k = 0; k < r.n; k++) {
        example->index[net->column][k] = r.column[k];
        example->real[net->label][k] = r.value[k] - (float)example->model->mean;
        example->real[net->shown][k] =
            dropout > 0 && pen__rng_uniform(&example->rng) < dropout ? 0 : r.value[k] / (float)(1 - dropout);
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

/* ---- answers ----------------------------------------------------------------------------------------------------- */

/* A vector; then what computes it: the network's memory, or that of least squares. */
static size_t scratch(const pen_model *model)
{
    int64_t d = pen__param_int(model, "factors");
    size_t solve = pen__ridge_scratch(d) * sizeof(float);
    return (size_t)pen__matrix_pad(d) * sizeof(float) + (by_users(model) ? pen__net_scratch(model) : solve);
}

/* One user's side of all ratings: a vector, and what they begin with. */
static pen_status user_side(const pen_model *model, const pen__user *user, void *memory, float *vector, float *begin,
                            pen_error *error)
{
    const autorec *net = model->state;
    const pen__embedding *table = net->net.plan->table;
    int64_t d = pen__param_int(model, "factors");
    float constant;
    *begin = (float)model->mean;
    if (net->side == PEN_SIDE_USER) return pen__net_user_vector(model, user, memory, vector, error);
    if (user->number >= 0) {
        memcpy(vector, table[net->out].data + user->number * d, (size_t)d * sizeof *vector);
        *begin += table[net->out_bias].data[user->number];
        if (net->net.kept.mean) *begin += pen__kern()->dot(vector, net->net.kept.mean, d);
        return PEN_OK;
    }
    const pen__ridge column = {
        d, user->n, net->net.kept.row, user->item, user->value, *begin, (float)pen__param(model, "solve")};
    pen__ridge_solve(&column, memory, vector, &constant);
    *begin += constant;
    return PEN_OK;
}

static pen_status user_vector(const pen_model *model, const pen__user *user, void *memory, float *out, pen_error *error)
{
    float begin;
    return user_side(model, user, (float *)memory + pen__matrix_pad(pen__param_int(model, "factors")), out, &begin,
                     error);
}

/* Of an item that the model does not know, what the ratings begin with. */
static pen_status rate(const pen_model *model, const pen__user *user, int32_t item, void *memory, double *rating,
                       pen_error *error)
{
    pen__factors side;
    float begin, *vector = memory;
    pen__net_factors(model, &side);
    PEN_TRY(user_side(model, user, vector + pen__matrix_pad(side.d), vector, &begin, error));
    *rating = (double)begin;
    if (item < 0) return PEN_OK;
    float bias = side.bias ? side.bias[item] : 0;
    *rating = (double)(begin + (pen__kern()->dot(vector, side.item + (int64_t)item * side.d, side.d) + bias));
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

static const pen__net_class net = {.build = build,
                                   .examples = examples,
                                   .size = size,
                                   .fill = fill,
                                   .size_kept = size,
                                   .fill_kept = fill_whole,
                                   .bounds = bounds};

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
    PEN_NET_SLOTS,
    .bind = pen__net_bind,
    .unbind = pen__net_unbind,
    .scratch = scratch,
    .factors = pen__net_factors,
    .user_vector = user_vector,
    .rate = rate,
};
