/* mlp: a perceptron on the user's and the item's embeddings learns the match, by logistic loss against drawn negatives.
 *
 * The user's half of the first layer is computed once an event, not once an item. Cost: O(events (1 + negatives)
 * width^2) an epoch; an answer passes every item through the network behind its half of the first layer, which is kept.
 *
 * He, Liao, Zhang, Nie, Hu, Chua: "Neural collaborative filtering" (WWW 2017). */
#include "train/net_pairs.h"

static void build(const pen_model *model, pen__net *net)
{
    pen__plan *plan = net->plan;
    pen__pairs in = pen__pairs_inputs(plan, net);
    int32_t h = pen__pairs_tower(plan, net, model, &in, "mlp.");
    net->score = pen__linear(plan, "out", &h, 1, 1, PEN_ACT_NONE);
    pen__loss_pointwise(plan, PEN_LOSS_LOGISTIC, net->score, in.label, -1);
}

static const pen_param params[] = {
    PEN_TOWER_PARAMS,
    PEN_PAIRS_PARAMS("4"),
    PEN_NET_PARAMS("50", "5", "1024", "events and negatives", "0.001", "adam", "0"),
};

static const pen__net_class net = {.build = build, PEN_PAIRS_NET};

const pen__model_class pen__mlp_class = {
    .name = "mlp",
    .family = "factor",
    .summary = "a perceptron on user and item embeddings, by logistic loss with drawn negatives",
    .formula = "h_0 = [p_u; q_i],  h_l = relu(W_l h_(l-1) + b_l),  score(u, i) = w' h_L + b\n"
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
    .score_some = pen__pairs_score_some,
};
