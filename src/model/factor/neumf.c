/* neumf: gmf and mlp side by side, each on embeddings of its own, joined by the last layer.
 *
 * It may start from a saved gmf and a saved mlp: their embeddings and layers are copied, and the last layer is theirs
 * side by side, weighed alpha and 1 - alpha.
 *
 * The user's half of the first layer is computed once an event, not once an item. Cost: O(events (1 + negatives)
 * width^2) an epoch; an answer passes every item through the network behind its half of the first layer, which is kept.
 *
 * He, Liao, Zhang, Nie, Hu, Chua: "Neural collaborative filtering" (WWW 2017). */
#include <stdio.h>
#include <string.h>

#include "train/net_pairs.h"
#include "train/net_pretrain.h"

static void build(const pen_model *model, pen__net *net)
{
    pen__plan *plan = net->plan;
    pen__pairs in = pen__pairs_inputs(plan, net);
    int32_t users = pen__net_table(plan, model, "gmf.user", model->n_users),
            items = pen__net_table(plan, model, "gmf.item", model->n_items);
    pen__net_solves(net, users);
    int32_t both[2] = {pen__times(plan, pen__gather(plan, users, in.user), pen__gather(plan, items, in.item)),
                       pen__pairs_tower(plan, net, model, &in, "mlp.")};
    net->score = pen__linear(plan, "out", both, 2, 1, PEN_ACT_NONE);
    pen__loss_pointwise(plan, PEN_LOSS_LOGISTIC, net->score, in.label, -1);
}

/* ---- from a gmf and an mlp --------------------------------------------------------------------------------------- */

/* The one of class `name`. */
static pen_status find(const pen_model *model, const char *name, const pen_model *const *from, size_t n_from,
                       const pen_model **out, pen_error *error)
{
    *out = NULL;
    for (size_t i = 0; i < n_from; i++) {
        if (from[i]->class != pen__model_class_find(name)) continue;
        PEN_CHECK(!*out, PEN_E_ARGUMENT, "neumf starts from one %s model, and two were given (--pretrain)", name);
        *out = from[i];
    }
    PEN_CHECK(*out, PEN_E_ARGUMENT,
              "neumf starts from a gmf and an mlp model; the %s is missing (train LOG -m %s -o %s.pen, then --pretrain "
              "%s.pen)",
              name, name, name, name);
    return pen__pretrain_same_params(model, *out, !strcmp(name, "mlp") ? "factors layers" : "factors", error);
}

static pen_status pretrain(pen_model *model, const pen__train *train, const pen_model *const *from, size_t n_from,
                           pen_error *error)
{
    const pen_model *gmf, *mlp;
    char name[48];
    double alpha = pen__param(model, "alpha");
    int32_t d = pen__param_int(model, "factors");
    for (size_t i = 0; i < n_from; i++)
        PEN_CHECK(!strcmp(from[i]->class->name, "gmf") || !strcmp(from[i]->class->name, "mlp"), PEN_E_ARGUMENT,
                  "neumf starts from a gmf and an mlp model, not from one of %s (--pretrain)", from[i]->class->name);
    PEN_TRY(find(model, "gmf", from, n_from, &gmf, error));
    PEN_TRY(find(model, "mlp", from, n_from, &mlp, error));
    PEN_TRY(pen__pretrain_users(model, "gmf.user", train, gmf, "user", error));
    PEN_TRY(pen__pretrain_items(model, "gmf.item", train, gmf, "item", error));
    PEN_TRY(pen__pretrain_users(model, "mlp.user", train, mlp, "mlp.user", error));
    PEN_TRY(pen__pretrain_items(model, "mlp.item", train, mlp, "mlp.item", error));
    for (int32_t l = 0; l < pen__param_int(model, "layers"); l++) {
        snprintf(name, sizeof name, "mlp.%d.weight", l);
        PEN_TRY(pen__pretrain_weight(model, name, 0, mlp, name, 1, error));
        snprintf(name, sizeof name, "mlp.%d.bias", l);
        PEN_TRY(pen__pretrain_weight(model, name, 0, mlp, name, 1, error));
    }
    PEN_TRY(pen__pretrain_weight(model, "out.weight", 0, gmf, "weight", alpha, error));
    PEN_TRY(pen__pretrain_weight(model, "out.weight", d, mlp, "out.weight", 1 - alpha, error));
    PEN_TRY(pen__pretrain_weight(model, "out.bias", 0, gmf, "bias", alpha, error));
    return pen__pretrain_add_weight(model, "out.bias", mlp, "out.bias", 1 - alpha, error);
}

static const pen_param params[] = {
    PEN_TOWER_PARAMS,
    PEN_PAIRS_PARAMS("4"),
    PEN_P_REAL(
        "alpha", "0.5", 0, 1,
        "weight of the gmf model in the last layer, where it starts from saved ones (--pretrain); the mlp has the "
        "rest"),
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
    .pretrain = pretrain,
    .net = &net,
    PEN_NET_SLOTS,
    PEN_PAIRS_SLOTS,
    .unbind = pen__net_unbind,
    .score = pen__pairs_score,
    .score_some = pen__pairs_score_some,
};
