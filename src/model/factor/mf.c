/* mf: the plain inner product with biases, learned by logistic loss against drawn negatives: the model that, tuned,
 * equals or beats learned similarities.
 *
 * An example is an event and its negatives, drawn anew in each epoch among what the user has not (sampler=uniform:
 * among all items, as in the paper). Cost: O(events (1 + negatives) factors) an epoch.
 *
 * Rendle, Krichene, Zhang, Anderson: "Neural collaborative filtering vs. matrix factorization revisited" (RecSys
 * 2020). */
#include "train/net_pairs.h"

static void build(const pen_model *model, pen__net *net)
{
    pen__plan *plan = net->plan;
    pen__init zero = {PEN_INIT_ZERO, 0};
    pen__pairs in = pen__pairs_inputs(plan, net);
    int32_t users = pen__net_table(plan, model, "user", model->n_users),
            user_bias = pen__plan_table(plan, "user.bias", model->n_users, 1, zero);
    net->item_table = pen__net_table(plan, model, "item", model->n_items);
    net->item_bias = pen__plan_table(plan, "item.bias", model->n_items, 1, zero);
    net->user = pen__gather(plan, users, in.user);
    int32_t item = pen__gather(plan, net->item_table, in.item), b_user = pen__gather(plan, user_bias, in.user),
            b_item = pen__gather(plan, net->item_bias, in.item);
    int32_t biased = pen__plus(plan, b_user, pen__plus(plan, pen__dot(plan, net->user, item), b_item));
    const int32_t penalised[4] = {net->user, b_user, item, b_item};
    for (int k = 0; k < 4; k++) pen__loss_squares(plan, penalised[k], pen__param(model, "penalty"));
    pen__loss_pointwise(plan, PEN_LOSS_LOGISTIC, pen__shifted(plan, "bias", biased), in.label, -1);
    pen__net_solves(net, users);
    pen__net_solves(net, user_bias);
}

static const pen_param params[] = {
    PEN_NET_FACTORS("64", "length of the vectors"),
    PEN_PAIRS_PARAMS("8"),
    PEN_NET_INIT("0.1", "standard deviation of the factors' first values"),
    PEN_P_REAL("penalty", "0", 0, 10,
               "L2 penalty of vectors and biases for each example that uses them, as in the paper's code"),
    PEN_NET_PARAMS("100", "5", "4096", "events and negatives", "0.002", "adam", "1e-6"),
};

static const pen__net_class net = {.build = build, PEN_PAIRS_NET};

const pen__model_class pen__mf_class = {
    .name = "mf",
    .family = "factor",
    .summary = "inner product and biases, by logistic loss with drawn negatives",
    .formula = "score(u, i) = b + b_u + b_i + <p_u, q_i>\n"
               "minimise mean over events (label 1) and negatives (label 0) of log(1 + e^score) - label score\n"
               "         + penalty / 2 (|p_u|^2 + |q_i|^2 + b_u^2 + b_i^2)",
    .paper = "Rendle, Krichene, Zhang, Anderson: Neural collaborative filtering vs. matrix factorization revisited "
             "(RecSys 2020)",
    .tasks = 1u << PEN_TASK_RANK,
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(pen__net),
    .net = &net,
    PEN_NET_SLOTS,
    PEN_PAIRS_SLOTS,
    .unbind = pen__net_unbind,
    .factors = pen__net_factors,
    .user_vector = pen__pairs_user_vector,
};
