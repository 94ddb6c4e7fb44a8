/* two-tower: what is known of a user passes one network, what is known of an item another, and their inner product is
 * the score. Softmax over the batch's own items.
 *
 * A user is an id, the history before the event, and the columns of the user table; an item is an id and the columns of
 * the item table (train/net_features.h). An example is one event; the other events of its batch give the negatives,
 * which come as often as an item is popular: logq takes that out. After each epoch the items' vectors are kept as a
 * tensor, so answers are inner products, and an item without any event has its vector from its table's row. Cost:
 * O(events (history d + hidden^2 + batch d)) an epoch.
 *
 * Yi, Yang, Hong, Cheng, Heldt, Kumthekar, Zhao, Wei, Chi: "Sampling-bias-corrected neural modeling for large corpus
 * item recommendations" (RecSys 2019); leaving ids out: Volkovs, Yu, Poutanen: "DropoutNet" (NIPS 2017). */
#include <stdio.h>
#include <string.h>

#include "train/net_events.h"
#include "train/net_features.h"

enum { USER = PEN_SIDE_USER, ITEM = PEN_SIDE_ITEM };

typedef struct two_tower {
    pen__net net;
    pen__events events;
    int32_t id[2];    /* index inputs of the ids, or -1 where there are none */
    int32_t shift;    /* real input: -log Q, or -1 */
    double leave_out; /* id_dropout: asked of every example */
    pen__feature_inputs in[2];
    pen__features features[2];
} two_tower;

static pen__feature_choice choice_of(const pen_model *model, int side)
{
    return (pen__feature_choice){side, pen__param_text(model, side == USER ? "user_features" : "item_features"), false};
}

/* The layers over `n` nodes x of the root: hidden ones, and the vector. */
static int32_t tower(const pen_model *model, pen__plan *plan, const char *side, int32_t *x, int32_t n)
{
    char name[48];
    int32_t d = pen__param_int(model, "factors");
    if (!n)
        return pen__plan_fail(plan, "nothing is known of %s %s: neither id%s nor features", *side == 'u' ? "a" : "an",
                              side, *side == 'u' ? ", history" : "");
    snprintf(name, sizeof name, "%s.", side);
    n = pen__net_tower(plan, model, name, x, n, pen__param_int(model, "layers"), pen__param_int(model, "hidden"));
    snprintf(name, sizeof name, "%s.out", side);
    int32_t vector = pen__linear(plan, name, x, n, d, PEN_ACT_NONE);
    return pen__param_int(model, "normalize") ? pen__unit(plan, vector) : vector;
}

static int32_t add_id(const pen_model *model, pen__plan *plan, int side, int32_t *input)
{
    char name[48];
    const char *word = side == USER ? "user" : "item";
    snprintf(name, sizeof name, "%s.id", word);
    *input = pen__input_index(plan, PEN_ROOT, name);
    int32_t table =
        pen__plan_table(plan, word, side == USER ? model->n_users : model->n_items, pen__param_int(model, "factors"),
                        (pen__init){PEN_INIT_NORMAL, pen__param(model, "init")});
    return pen__gather(plan, table, *input);
}

static int32_t add_history(const pen_model *model, two_tower *net)
{
    pen__plan *plan = net->net.plan;
    int32_t table = pen__plan_table(plan, "history", model->n_items, pen__param_int(model, "factors"),
                                    (pen__init){PEN_INIT_NORMAL, pen__param(model, "init")});
    return pen__bag(plan, table, net->events.watched, PEN_POOL_MEAN, -1);
}

static void build(const pen_model *model, pen__net *base)
{
    two_tower *net = (two_tower *)base;
    pen__plan *plan = base->plan;
    int32_t vector[2], x[4], n;
    net->id[USER] = net->id[ITEM] = net->shift = -1;
    net->leave_out = pen__param(model, "id_dropout");
    pen__events_inputs(plan, &net->events, model, pen__param_int(model, "history"));
    for (int side = USER; side <= ITEM; side++) {
        pen__features counts;
        pen__feature_choice choice = choice_of(model, side);
        pen__init init = {PEN_INIT_NORMAL, pen__param(model, "init")};
        n = 0;
        if (pen__param_int(model, side == USER ? "user_id" : "item_id"))
            x[n++] = add_id(model, plan, side, &net->id[side]);
        if (side == USER && net->events.watched >= 0) x[n++] = add_history(model, net);
        if (!pen__features_count(model, plan, &choice, &counts)) return;
        n += pen__features_inputs(plan, side, &counts, pen__param_int(model, "factors"), init, &net->in[side], x + n);
        vector[side] = tower(model, plan, side == USER ? "user" : "item", x, n);
    }
    base->user = vector[USER];
    base->kept = (pen__kept){.name = "vectors", .side = ITEM, .node = vector[ITEM]};
    int32_t shift = pen__param_int(model, "logq") ? pen__input_real(plan, PEN_ROOT, 1, "shift") : -1;
    net->shift = shift < 0 ? -1 : plan->node[shift].input;
    pen__loss_in_batch(plan, base->user, vector[ITEM], net->events.item, shift, pen__param(model, "temperature"),
                       false);
}

/* ---- examples: train/net_events.h, and what is known of both sides ----------------------------------------------- */

static int64_t examples(const pen_model *model, const pen__train *train)
{
    return pen__events_examples(&((const two_tower *)model->state)->events, train);
}

static pen_status ready(pen_model *model, const pen__train *train, pen_error *error)
{
    return pen__events_ready(model, &((two_tower *)model->state)->events, train, error);
}

/* Left out in training, so that who or what lacks it is answered well: which = 0 the user's id, 1 its features, 2 the
 * item's id. */
static bool left_out(const pen__example *example, int which)
{
    pen__rng rng = example->rng;
    double chance = 1;
    for (int k = 0; k <= which; k++) chance = pen__rng_uniform(&rng);
    return chance < ((const two_tower *)example->model->state)->leave_out;
}

static void size(pen__example *example)
{
    const two_tower *net = example->model->state;
    pen__event e = pen__event_of(&net->events, example);
    int32_t user = !example->user && left_out(example, 1) ? -1 : e.user;
    pen__events_size(&net->events, &e, example);
    if (net->in[USER].word >= 0) example->rows[net->in[USER].extent] = pen__features_words(&net->features[USER], user);
    if (net->in[ITEM].word >= 0)
        example->rows[net->in[ITEM].extent] = pen__features_words(&net->features[ITEM], e.item);
}

/* An item as its tower sees it. */
static void size_item(pen__example *example)
{
    const two_tower *net = example->model->state;
    if (net->in[ITEM].word >= 0)
        example->rows[net->in[ITEM].extent] = pen__features_words(&net->features[ITEM], example->number);
}

static void fill_item(pen__example *example)
{
    const two_tower *net = example->model->state;
    if (net->id[ITEM] >= 0) *example->index[net->id[ITEM]] = (int32_t)example->number;
    pen__features_fill(&net->features[ITEM], &net->in[ITEM], example->number, example);
}

/* In an answer the item's side is not there. */
static void fill(pen__example *example)
{
    const two_tower *net = example->model->state;
    bool asked = example->user != NULL;
    if (!asked && example->number < 0) return;
    pen__event e = pen__event_of(&net->events, example);
    pen__events_fill(&net->events, &e, example);
    if (net->id[USER] >= 0) *example->index[net->id[USER]] = !asked && left_out(example, 0) ? -1 : e.user;
    pen__features_fill(&net->features[USER], &net->in[USER], !asked && left_out(example, 1) ? -1 : e.user, example);
    if (asked) return;
    if (net->id[ITEM] >= 0) *example->index[net->id[ITEM]] = left_out(example, 2) ? -1 : e.item;
    pen__features_fill(&net->features[ITEM], &net->in[ITEM], e.item, example);
    if (net->shift >= 0) *example->real[net->shift] = net->events.less_popular[e.item];
}

static void bounds(const pen_model *model, int64_t *bound)
{
    const two_tower *net = model->state;
    if (net->events.watched >= 0) bound[net->events.before] = net->events.most;
    if (net->in[USER].word >= 0) bound[net->in[USER].extent] = pen__features_most(&net->features[USER]);
}

/* ---- slots ------------------------------------------------------------------------------------------------------- */

/* What has no event is known by its features alone: its id's row is, and stays, zero. */
static void forget_untaught(pen_model *model, const char *table, const pen__rows *events)
{
    pen__state_tensor *tensor = pen__model_tensor(model, table);
    for (int64_t r = 0; tensor && r < events->n_rows; r++)
        if (events->begin[r] == events->begin[r + 1])
            memset((float *)tensor->data + r * tensor->dim[1], 0, (size_t)tensor->dim[1] * sizeof(float));
}

static pen_status begin(pen_model *model, const pen__train *train, pen_error *error)
{
    const pen__feature_choice user = choice_of(model, USER), item = choice_of(model, ITEM);
    PEN_TRY(pen__features_add(model, train, &user, PEN_ROLE_PARAM, error));
    PEN_TRY(pen__features_add(model, train, &item, PEN_ROLE_OPTIMISER, error)); /* they are folded into the vectors */
    PEN_TRY(pen__net_begin(model, train, error));
    forget_untaught(model, "user", &train->by_user);
    forget_untaught(model, "item", &train->by_item);
    return PEN_OK;
}

static pen_status bind(pen_model *model, pen_error *error)
{
    two_tower *net = model->state;
    PEN_TRY(pen__features_bind(model, USER, model->n_users, true, &net->features[USER], error));
    PEN_TRY(pen__features_bind(model, ITEM, model->n_items, false, &net->features[ITEM], error));
    return pen__net_bind(model, error);
}

static void unbind(pen_model *model)
{
    two_tower *net = model->state;
    pen__events_free(model->ctx, &net->events);
    pen__net_unbind(model);
}

static void reach(const pen__params *params, bool *users, bool *items);

static const pen_param params[] = {
    PEN_NET_FACTORS("64", "length of the vectors"),
    PEN_NET_TOWER("of each tower; its vector comes behind them"),
    PEN_P_BOOL("user_id", "0", "users have a vector of their own"),
    PEN_P_BOOL("item_id", "1", "items have a vector of their own"),
    PEN_P_BOOL("history", "1", "a user is also the mean of what came before"),
    PEN_P_INT_LOG("max_length", "50", 1, 100000, "events of a history that are averaged, its latest, at most"),
    PEN_FEATURES_PARAMS(", likewise"),
    PEN_P_BOOL("cold", "1", "users and items that only stand in the tables are known by their features"),
    PEN_P_REAL("id_dropout", "0.1", 0, 0.95,
               "share of examples in which a user's id, a user's features, an item's id are left out (each by itself)"),
    PEN_P_BOOL("normalize", "1", "vectors have length 1"),
    PEN_P_REAL_LOG("temperature", "0.2", 0.001, 10, "scores are divided by it in the softmax"),
    PEN_P_BOOL("logq", "1", "corrects for popular items being negatives more often"),
    PEN_NET_DROPOUT("0", "share of hidden numbers left out in training"),
    PEN_NET_INIT("0.1", "standard deviation of the embeddings' first values"),
    PEN_NET_PARAMS("100", "10", "512", "events", "0.001", "adam", "0"),
};

static const pen__net_class net = {.build = build,
                                   .examples = examples,
                                   .ready = ready,
                                   .size = size,
                                   .fill = fill,
                                   .size_kept = size_item,
                                   .fill_kept = fill_item,
                                   .bounds = bounds};

const pen__model_class pen__two_tower_class = {
    .name = "two-tower",
    .family = "embedding",
    .summary = "what is known of users and of items, each through a network; softmax within the batch",
    .formula =
        "u = tower(id, mean of the history, features),  v = tower(id, features),  score(u, i) = <u, v_i>\n"
        "minimise the mean over events of -log softmax(<u, v_j> / temperature - log Q_j over the batch's items j)",
    .paper = "Yi et al.: Sampling-bias-corrected neural modeling for large corpus item recommendations (RecSys 2019)",
    .tasks = 1u << PEN_TASK_RANK,
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(two_tower),
    .reach = reach,
    .net = &net,
    .begin = begin,
    .epoch = pen__net_epoch,
    .bind = bind,
    .unbind = unbind,
    .scratch = pen__net_scratch,
    .factors = pen__net_factors,
    .user_vector = pen__net_user_vector,
    .user_vectors = pen__net_user_vectors,
};

static void reach(const pen__params *given, bool *users, bool *items)
{
    const pen__model_class *class = &pen__two_tower_class;
    bool cold = pen__params_get(class, given, "cold") != 0;
    *users = cold && strcmp(pen__params_text(class, given, "user_features"), "none");
    *items = cold && strcmp(pen__params_text(class, given, "item_features"), "none");
}
