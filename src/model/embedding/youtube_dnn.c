/* youtube-dnn: candidate generation. What a user watched, as the mean of the items' vectors, passes a tower, beside
 * what the watched items are (genres), what the user table says (demographics, words of searches) and how old the
 * example is; softmax over sampled items.
 *
 * No user has a vector of their own: every user, known or new, is answered by the history, and by inner products. An
 * example is a user with up to `positives` of their events as targets: the bags and the tower are computed once for all
 * of them (with `age` the tower once a target). Negatives are drawn once a batch and shared (train/net_draws.h), or are
 * all items (loss=ce). Cost: O(events / positives history d + events negatives d) an epoch.
 *
 * Covington, Adams, Sargin: "Deep neural networks for YouTube recommendations" (RecSys 2016). */
#include "train/net_bags.h"

enum { SAMPLED, CE };

static void build(const pen_model *model, pen__net *base)
{
    pen__bags *net = (pen__bags *)base;
    pen__plan *plan = base->plan;
    int32_t d = pen__param_int(model, "factors"), layers = pen__param_int(model, "layers"), x[PEN_BAGS_KNOWN];
    pen__drawn_begin(base, model, pen__param_int(model, "loss") == SAMPLED);
    pen__bags_inputs(net, model);
    base->item_table = pen__net_table(plan, model, "item", model->n_items);
    int32_t history =
        pen__param_int(model, "share") ? base->item_table : pen__net_table(plan, model, "history", model->n_items);
    int32_t known = pen__bags_known(net, model, history, x);
    int32_t n = pen__net_tower(plan, model, "tower", x, known, layers, pen__param_int(model, "hidden"));
    base->user = layers || known > 1 ? pen__linear(plan, "tower", x, n, d, PEN_ACT_NONE) : x[0];
    int32_t h = net->age >= 0 ? base->user : pen__spread(plan, base->user, net->targets);
    base->user = pen__drawn_asked(base, model, base->user);
    if (pen__param_int(model, "loss") == CE)
        pen__loss_softmax(plan, h, base->item_table, net->target, -1);
    else
        pen__drawn_loss(base, model, &net->drawn, net->targets, h, false,
                        (pen__sampled){.kind = PEN_CONTRAST_SOFTMAX, .target = net->target});
}

static const pen_param params[] = {
    PEN_NET_FACTORS("64", "length of the vectors"),
    PEN_NET_TOWER("0: the mean itself"),
    PEN_P_BOOL("share", "0", "history and targets share one table"),
    PEN_BAGS_FEATURES,
    PEN_BAGS_PARAMS("500", "8"),
    PEN_P_CHOICE("loss", "sampled", "sampled|ce",
                 "softmax over drawn items, or over all: for catalogues of some thousand items"),
    PEN_P_INT_LOG("negatives", "256", 1, 100000, "items drawn for each batch (sampled)"),
    PEN_DRAWS_PARAMS("sampled", "sampled"),
    PEN_NET_DROPOUT("0", "share of hidden numbers left out in training"),
    PEN_NET_INIT("0.1", "standard deviation of the embeddings' first values"),
    PEN_NET_PARAMS("100", "10", "1024", "events", "0.001", "adam", "0"),
};

static const pen__net_class net = {.build = build, PEN_BAGS_NET};

const pen__model_class pen__youtube_dnn_class = {
    .name = "youtube-dnn",
    .family = "embedding",
    .summary = "the mean of what was watched through a tower; sampled softmax",
    .formula =
        "u = tower(mean of e'_j over the history, features, age),  score(u, i) = <u, e_i>\n"
        "minimise the mean over events of -log softmax(target) against drawn items, or all (loss=ce)" PEN_DRAWN_FORMULA,
    .paper = "Covington, Adams, Sargin: Deep neural networks for YouTube recommendations (RecSys 2016)",
    .tasks = 1u << PEN_TASK_RANK,
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(pen__bags),
    .net = &net,
    PEN_BAGS_SLOTS,
};
