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

enum { USER = PEN_SIDE_USER, ITEM = PEN_SIDE_ITEM };
enum { SAMPLED, CE };

typedef struct youtube_dnn {
    pen__net net;
    pen__bags bags;
    double feature_dropout;
    pen__feature_inputs in[2];
    pen__features features[2]; /* of the user; of the items that were watched */
} youtube_dnn;

static pen__feature_choice choice_of(const pen_model *model, int side)
{
    return (pen__feature_choice){side, pen__param_text(model, side == USER ? "user_features" : "item_features"),
                                 side == ITEM};
}

/* What the tower begins with: nodes of the root (the age: of the targets) into x; how many. */
static int32_t inputs(const pen_model *model, youtube_dnn *net, int32_t history, int32_t *x)
{
    pen__plan *plan = net->net.plan;
    pen__init init = {PEN_INIT_NORMAL, pen__param(model, "init")};
    int32_t n = 0;
    net->feature_dropout = pen__param(model, "feature_dropout");
    x[n++] = pen__bag(plan, history, net->bags.watched, PEN_POOL_MEAN, -1);
    for (int side = USER; side <= ITEM; side++) {
        pen__features counts;
        pen__feature_choice choice = choice_of(model, side);
        if (!pen__features_count(model, plan, &choice, &counts)) return 0;
        n += pen__features_inputs(plan, side, &counts, pen__param_int(model, "factors"), init, &net->in[side], x + n);
    }
    if (net->bags.age >= 0) x[n++] = net->bags.age;
    return n;
}

static void build(const pen_model *model, pen__net *base)
{
    youtube_dnn *net = (youtube_dnn *)base;
    pen__plan *plan = base->plan;
    int32_t d = pen__param_int(model, "factors"), layers = pen__param_int(model, "layers");
    pen__init init = {PEN_INIT_NORMAL, pen__param(model, "init")};
    pen__drawn_begin(base, model, pen__param_int(model, "loss") == SAMPLED);
    pen__bags_inputs(plan, &net->bags, model);
    base->item_table = pen__plan_table(plan, "item", model->n_items, d, init);
    int32_t history =
        pen__param_int(model, "share") ? base->item_table : pen__plan_table(plan, "history", model->n_items, d, init);
    int32_t x[6], n = inputs(model, net, history, x), widest = n;
    if (!n) return;
    n = pen__net_tower(plan, model, "tower", x, n, layers, pen__param_int(model, "hidden"));
    base->user = layers || widest > 1 ? pen__linear(plan, "tower", x, n, d, PEN_ACT_NONE) : x[0];
    int32_t h = net->bags.age >= 0 ? base->user : pen__spread(plan, base->user, net->bags.targets);
    base->user = pen__drawn_asked(base, model, base->user);
    if (pen__param_int(model, "loss") == CE)
        pen__loss_softmax(plan, h, base->item_table, net->bags.target, -1);
    else
        pen__drawn_loss(base, model, &net->bags.drawn, net->bags.targets, h, false,
                        (pen__sampled){.kind = PEN_CONTRAST_SOFTMAX, .target = net->bags.target});
}

/* ---- examples: train/net_bags.h, and what is known beside a history ---------------------------------------------- */

static int64_t examples(const pen_model *model, const pen__train *train)
{
    return pen__bags_examples(&((const youtube_dnn *)model->state)->bags, train);
}

static pen_status ready(pen_model *model, const pen__train *train, pen_error *error)
{
    youtube_dnn *net = model->state;
    return pen__bags_ready(model, &net->bags, train, error);
}

/* Whether the user's features are left out in training, so that who lacks them is answered well. */
static bool left_out(const pen__example *example)
{
    const youtube_dnn *net = example->model->state;
    pen__rng rng = example->rng;
    (void)pen__rng_next(&rng); /* the bag's */
    return !example->user && pen__rng_uniform(&rng) < net->feature_dropout;
}

static void size(pen__example *example)
{
    const youtube_dnn *net = example->model->state;
    const pen__feature_inputs *in = net->in;
    int64_t words;
    int32_t user = pen__bags_size(&net->bags, example, in[ITEM].word >= 0 ? &net->features[ITEM] : NULL, &words);
    if (!example->user && example->number < 0) return;
    if (left_out(example)) user = -1;
    if (in[USER].word >= 0) example->rows[in[USER].extent] = pen__features_words(&net->features[USER], user);
    if (in[ITEM].word >= 0) example->rows[in[ITEM].extent] = words;
}

static void fill(pen__example *example)
{
    const youtube_dnn *net = example->model->state;
    int32_t user = pen__bags_fill(&net->bags, example);
    if (!example->user && example->number < 0) return;
    if (left_out(example)) user = -1;
    pen__features_fill(&net->features[USER], &net->in[USER], user, example);
    const int32_t *item = example->index[net->bags.watched];
    int64_t n = example->rows[net->bags.bag];
    for (int64_t k = 0, at = 0; net->in[ITEM].word >= 0 && k < n; k++) {
        pen__features_fill_words(&net->features[ITEM], &net->in[ITEM], item[k], 1 / (float)n, at, example);
        at += pen__features_words(&net->features[ITEM], item[k]);
    }
}

static void bounds(const pen_model *model, int64_t *bound)
{
    const youtube_dnn *net = model->state;
    int64_t most = pen__param_int(model, "max_length");
    bound[net->bags.bag] = most;
    bound[net->bags.targets] = net->bags.age >= 0;
    if (net->in[USER].word >= 0) bound[net->in[USER].extent] = pen__features_most(&net->features[USER]);
    if (net->in[ITEM].word >= 0) bound[net->in[ITEM].extent] = most * pen__features_most(&net->features[ITEM]);
}

/* ---- slots ------------------------------------------------------------------------------------------------------- */

static pen_status begin(pen_model *model, const pen__train *train, pen_error *error)
{
    const pen__feature_choice user = choice_of(model, USER), item = choice_of(model, ITEM);
    PEN_TRY(pen__features_add(model, train, &user, PEN_ROLE_PARAM, error));
    PEN_TRY(pen__features_add(model, train, &item, PEN_ROLE_PARAM, error));
    return pen__net_begin(model, train, error);
}

static pen_status bind(pen_model *model, pen_error *error)
{
    youtube_dnn *net = model->state;
    PEN_TRY(pen__features_bind(model, USER, model->n_users, true, &net->features[USER], error));
    PEN_TRY(pen__features_bind(model, ITEM, model->n_items, true, &net->features[ITEM], error));
    return pen__net_bind(model, error);
}

static void unbind(pen_model *model)
{
    youtube_dnn *net = model->state;
    pen__bags_free(model->ctx, &net->bags);
    pen__net_unbind(model);
}

static const pen_param params[] = {
    PEN_NET_FACTORS("64", "length of the vectors"),
    PEN_NET_TOWER("0: the mean itself"),
    PEN_P_BOOL("share", "0", "history and targets share one table"),
    PEN_FEATURES_PARAMS(", likewise: words of the watched items are averaged (genres)"),
    PEN_P_REAL("feature_dropout", "0.1", 0, 0.95,
               "share of examples in which a user's features are left out, so that who lacks them is answered well"),
    PEN_BAGS_PARAMS("500", "8"),
    PEN_P_CHOICE("loss", "sampled", "sampled|ce",
                 "softmax over drawn items, or over all: for catalogues of some thousand items"),
    PEN_P_INT_LOG("negatives", "256", 1, 100000, "items drawn for each batch (sampled)"),
    PEN_DRAWS_PARAMS("sampled", "sampled"),
    PEN_NET_DROPOUT("0", "share of hidden numbers left out in training"),
    PEN_NET_INIT("0.1", "standard deviation of the embeddings' first values"),
    PEN_NET_PARAMS("100", "10", "1024", "events", "0.001", "adam", "0"),
};

static const pen__net_class net = {.build = build,
                                   .examples = examples,
                                   .batch = pen__bags_batch,
                                   .ready = ready,
                                   .size = size,
                                   .fill = fill,
                                   .bounds = bounds};

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
    .state_size = sizeof(youtube_dnn),
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
