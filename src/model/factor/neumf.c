/* neumf: gmf and mlp side by side, each on embeddings of its own, joined by the last layer.
 *
 * The user's half of the first layer is computed once an event, not once an item. Cost: O(events (1 + negatives)
 * width^2) an epoch; an answer passes every item through the network.
 *
 * He, Liao, Zhang, Nie, Hu, Chua: "Neural collaborative filtering" (WWW 2017). */
#include "train/net_pairs.h"

static void build(const pen_model *model, pen__net *net)
{
    pen__plan *plan = net->plan;
    int32_t d = pen__param_int(model, "factors");
    pen__init init = {PEN_INIT_NORMAL, pen__param(model, "init")};
    pen__pairs in = pen__pairs_inputs(plan, net);
    int32_t users = pen__plan_table(plan, "gmf.user", model->n_users, d, init),
            items = pen__plan_table(plan, "gmf.item", model->n_items, d, init);
    pen__net_solves(net, users);
    int32_t both[2] = {pen__times(plan, pen__gather(plan, users, in.user), pen__gather(plan, items, in.item)),
                       pen__pairs_tower(plan, net, model, &in, "mlp.")};
    net->score = pen__linear(plan, "out", both, 2, 1, PEN_ACT_NONE);
    pen__loss_pointwise(plan, PEN_LOSS_LOGISTIC, net->score, in.label, -1);
}

static const pen_param params[] = {
    PEN_TOWER_PARAMS,
    PEN_PAIRS_PARAMS("4"),
    PEN_NET_PARAMS("50", "5", "1024", "events and negatives", "0.001", "adam", "0"),
};

static const pen__net_class net = {.build = build, PEN_PAIRS_NET};

const pen__model_class pen__neumf_class = {
    .name = "neumf",
    .family = "factor",
    .summary = "gmf and mlp side by side: neural collaborative filtering",
    .formula = "score(u, i) = w' [p_u * q_i; mlp(p'_u, q'_i)] + b\n"
               "minimise mean over events (label 1) and negatives (label 0) of log(1 + e^score) - label score",
    .paper = "He, Liao, Zhang, Nie, Hu, Chua: Neural collaborative filtering (WWW 2017)",
    .tasks = 1u << PEN_TASK_RANK,
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(pen__net),
    .net = &net,
    PEN_NET_SLOTS,
    PEN_PAIRS_SLOTS,
    .unbind = pen__net_unbind,
    .score = pen__pairs_score,
};
