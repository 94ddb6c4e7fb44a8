/* gmf: generalised matrix factorisation, the inner product whose dimensions are weighted, by logistic loss against
 * drawn negatives.
 *
 * A dimension's weight can go to the user's side, so it is answered by inner products: user vector h p_u, item factors
 * q_i. Cost: O(events (1 + negatives) factors) an epoch.
 *
 * He, Liao, Zhang, Nie, Hu, Chua: "Neural collaborative filtering" (WWW 2017). */
#include "train/net_pairs.h"

static void build(const pen_model *model, pen__net *net)
{
    pen__plan *plan = net->plan;
    pen__pairs in = pen__pairs_inputs(plan, net);
    int32_t users = pen__net_table(plan, model, "user", model->n_users);
    net->item_table = pen__net_table(plan, model, "item", model->n_items);
    net->user = pen__gained(plan, "weight", pen__gather(plan, users, in.user), (pen__init){PEN_INIT_UNIFORM, 1});
    int32_t match = pen__dot(plan, net->user, pen__gather(plan, net->item_table, in.item));
    pen__loss_pointwise(plan, PEN_LOSS_LOGISTIC, pen__shifted(plan, "bias", match), in.label, -1);
    pen__net_solves(net, users);
}

static const pen_param params[] = {
    PEN_NET_FACTORS("64", "length of the vectors"),
    PEN_PAIRS_PARAMS("4"),
    PEN_NET_INIT("0.01", "standard deviation of the embeddings' first values"),
    PEN_NET_PARAMS("50", "5", "1024", "events and negatives", "0.001", "adam", "0"),
};

static const pen__net_class net = {.build = build, PEN_PAIRS_NET};

const pen__model_class pen__gmf_class = {
    .name = "gmf",
    .family = "factor",
    .summary = "inner product with weighted dimensions, by logistic loss with drawn negatives",
    .formula = "score(u, i) = h' (p_u * q_i) + b\n"
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
    .factors = pen__net_factors,
    .user_vector = pen__pairs_user_vector,
};
