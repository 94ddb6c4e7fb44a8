/* youtube-dnn: candidate generation. What a user watched, as the mean of the items' vectors, passes a tower, beside
 * what the watched items are (genres), what the user table says (demographics, words of searches) and how old the
 * example is; softmax over sampled items, or a loss that sets them against the target (loss).
 *
 * No user has a vector of their own: every user, known or new, is answered by the history, and by inner products. An
 * example is a user with up to `positives` of their events as targets: the bags and the tower are computed once for all
 * of them (with `age` the tower once a target). Negatives are drawn once a batch and shared (train/net_draws.h), or are
 * all items (loss=ce). Cost: O(events / positives history d + events negatives d) an epoch.
 *
 * Covington, Adams, Sargin: "Deep neural networks for YouTube recommendations" (RecSys 2016); ccl: Mao, Zhu, Wang,
 * Dai, Dong, Xiao, He: "SimpleX" (CIKM 2021). */
#include "train/net_bags.h"

enum { SAMPLED, CE, BPR, HINGE, CCL };

/* Drawn items against the target, by the parameter `loss`. */
static pen__sampled contrast(const pen_model *model, int32_t target)
{
    static const pen__contrast kinds[] = {[SAMPLED] = PEN_CONTRAST_SOFTMAX,
                                          [BPR] = PEN_CONTRAST_BPR,
                                          [HINGE] = PEN_CONTRAST_HINGE,
                                          [CCL] = PEN_CONTRAST_CCL};
    return (pen__sampled){.kind = kinds[pen__param_int(model, "loss")],
                          .target = target,
                          .margin = pen__param(model, "margin"),
                          .weight = pen__param(model, "negative_weight")};
}

static void begin_scores(pen__net *net, const pen_model *model)
{
    int32_t loss = pen__param_int(model, "loss");
    double margin = pen__param(model, "margin");
    pen__drawn_begin(net, model, loss != CE);
    if (loss == CCL) pen__drawn_cosines(net, model);
    if (loss == CCL && margin >= 1)
        pen__plan_fail(net->plan,
                       "youtube-dnn: loss=ccl is of cosines: margin must be below 1, or no drawn item teaches");
    if (loss == HINGE && margin <= 0)
        pen__plan_fail(net->plan,
                       "youtube-dnn: with loss=hinge, margin must be above 0, or equal scores are good enough");
}

static void build(const pen_model *model, pen__net *base)
{
    pen__bags *net = (pen__bags *)base;
    pen__plan *plan = base->plan;
    int32_t d = pen__param_int(model, "factors"), layers = pen__param_int(model, "layers"), x[PEN_BAGS_KNOWN];
    begin_scores(base, model);
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
        pen__drawn_loss(base, model, &net->drawn, net->targets, h, false, contrast(model, net->target));
}

static const pen_param params[] = {
    PEN_NET_FACTORS("64", "length of the vectors"),
    PEN_NET_TOWER("0: the mean itself"),
    PEN_P_BOOL("share", "0", "history and targets share one table"),
    PEN_BAGS_FEATURES,
    PEN_BAGS_PARAMS("500", "8"),
    PEN_P_CHOICE("loss", "sampled", "sampled|ce|bpr|hinge|ccl",
                 "softmax over drawn items (sampled), or over all (ce): for catalogues of some thousand items; drawn "
                 "ones in pairs with the target (bpr, hinge); cosines that must be high, or low (ccl)"),
    PEN_P_INT_LOG("negatives", "256", 1, 100000, "items drawn for each batch (all but ce)"),
    PEN_P_REAL("margin", "0.2", 0, 10,
               "hinge: by how much the target's score should be ahead; ccl: the cosine below which a drawn item is "
               "left in peace"),
    PEN_P_REAL_LOG("negative_weight", "4", 0, 10000, "of the drawn items' mean against the target (ccl)"),
    PEN_DRAWS_PARAMS("sampled", "sampled, bpr, hinge"),
    PEN_NET_DROPOUT("0", "share of hidden numbers left out in training"),
    PEN_NET_INIT("0.1", "standard deviation of the embeddings' first values"),
    PEN_NET_PARAMS("100", "10", "1024", "events", "0.001", "adam", "0"),
};

static const pen__net_class net = {.build = build, PEN_BAGS_NET};

const pen__model_class pen__youtube_dnn_class = {
    .name = "youtube-dnn",
    .family = "embedding",
    .summary = "the mean of what was watched through a tower; sampled softmax, or another loss",
    .formula = "u = tower(mean of e'_j over the history, features, age),  score(u, i) = <u, e_i>\n"
               "minimise the mean over events, good being the target's score and bad_j those of drawn items, of\n"
               "  sampled, ce  -log softmax(good), over it and the drawn ones, or over all items\n"
               "  bpr          mean_j log(1 + e^(bad_j - good))\n"
               "  hinge        mean_j max(0, margin - good + bad_j)\n"
               "  ccl          1 - good + negative_weight mean_j max(0, bad_j - margin),  scores being "
               "cosines" PEN_DRAWN_FORMULA,
    .paper = "Covington, Adams, Sargin: Deep neural networks for YouTube recommendations (RecSys 2016)",
    .tasks = 1u << PEN_TASK_RANK,
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(pen__bags),
    .net = &net,
    PEN_BAGS_SLOTS,
};
