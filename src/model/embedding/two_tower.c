/* two-tower: what is known of a user passes one network, what is known of an item another, and their inner product is
 * the score. Softmax over the batch's own items.
 *
 * A user is an id, the history before the event, and the columns of the user table; an item is an id and the columns of
 * the item table. An example is one event (train/net_events.h); the other events of its batch give the negatives, which
 * come as often as an item is popular: logq takes that out. After each epoch the items' vectors are kept as a tensor,
 * so answers are inner products, and an item without any event has its vector from its table's row. Cost: O(events
 * (history d + hidden^2 + batch d)) an epoch.
 *
 * Yi, Yang, Hong, Cheng, Heldt, Kumthekar, Zhao, Wei, Chi: "Sampling-bias-corrected neural modeling for large corpus
 * item recommendations" (RecSys 2019); leaving ids out: Volkovs, Yu, Poutanen: "DropoutNet" (NIPS 2017). */
#include "train/net_events.h"

/* Hidden layers over what is known of a side, and the vector. */
static int32_t tower(const pen_model *model, pen__events *net, int side)
{
    pen__plan *plan = net->net.plan;
    bool user = side == PEN_SIDE_USER;
    int32_t x[PEN_EVENTS_KNOWN], n = pen__events_known(net, model, side, x);
    if (!n)
        return pen__plan_fail(plan, user ? "nothing is known of a user: neither id, history nor features"
                                         : "nothing is known of an item: neither id nor features");
    n = pen__net_tower(plan, model, user ? "user." : "item.", x, n, pen__param_int(model, "layers"),
                       pen__param_int(model, "hidden"));
    int32_t vector =
        pen__linear(plan, user ? "user.out" : "item.out", x, n, pen__param_int(model, "factors"), PEN_ACT_NONE);
    return pen__param_int(model, "normalize") ? pen__unit(plan, vector) : vector;
}

static void build(const pen_model *model, pen__net *base)
{
    pen__events *net = (pen__events *)base;
    pen__events_inputs(net, model);
    base->user = tower(model, net, PEN_SIDE_USER);
    base->kept = (pen__kept){.name = "vectors", .side = PEN_SIDE_ITEM, .node = tower(model, net, PEN_SIDE_ITEM)};
    pen__events_softmax(net, model, base->user, base->kept.node);
}

static const pen_param params[] = {
    PEN_NET_FACTORS("64", "length of the vectors"),
    PEN_NET_TOWER("of each tower; its vector comes behind them"),
    PEN_EVENTS_PARAMS("0", "1", "50"),
    PEN_P_BOOL("normalize", "1", "vectors have length 1"),
    PEN_P_REAL_LOG("temperature", "0.2", 0.001, 10, "scores are divided by it in the softmax"),
    PEN_P_BOOL("logq", "1", "corrects for popular items being negatives more often"),
    PEN_NET_DROPOUT("0", "share of hidden numbers left out in training"),
    PEN_NET_INIT("0.1", "standard deviation of the embeddings' first values"),
    PEN_NET_PARAMS("100", "10", "512", "events", "0.001", "adam", "0"),
};

static const pen__net_class net = {.build = build, PEN_EVENTS_NET};

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
    .state_size = sizeof(pen__events),
    .net = &net,
    PEN_EVENTS_SLOTS,
};
