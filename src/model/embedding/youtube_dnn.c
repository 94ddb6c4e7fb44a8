/* youtube-dnn: candidate generation. What a user watched, as the mean of the items' vectors, passes a tower; softmax
 * over sampled items.
 *
 * There are no users' parameters: every user, known or new, is answered by the history, and by inner products. An
 * example is a user with up to `positives` of their events as targets: the bag and the tower are computed once for all
 * of them. Negatives are drawn once a batch and shared. Cost: O(events / positives history d + events negatives d) an
 * epoch.
 *
 * Covington, Adams, Sargin: "Deep neural networks for YouTube recommendations" (RecSys 2016). */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "train/net.h"

typedef struct youtube_dnn {
    pen__net net;
    int32_t bag, watched, targets, target, shared, negative; /* extents and their index inputs */
    int64_t *user; /* (n_users + 1): the first example of each user; made by the first epoch */
} youtube_dnn;

static void build(const pen_model *model, pen__net *base)
{
    youtube_dnn *net = (youtube_dnn *)base;
    pen__plan *plan = base->plan;
    char name[48];
    int32_t d = pen__param_int(model, "factors"), layers = pen__param_int(model, "layers");
    pen__init init = {PEN_INIT_NORMAL, pen__param(model, "init")};
    net->bag = pen__extent_child(plan, PEN_ROOT, "history");
    net->targets = pen__extent_child(plan, PEN_ROOT, "targets");
    net->shared = pen__extent_shared(plan, "negatives");
    net->watched = pen__input_index(plan, net->bag, "watched");
    net->target = pen__input_index(plan, net->targets, "target");
    net->negative = pen__input_index(plan, net->shared, "negative");
    base->item_table = pen__plan_table(plan, "item", model->n_items, d, init);
    int32_t history =
        pen__param_int(model, "share") ? base->item_table : pen__plan_table(plan, "history", model->n_items, d, init);
    int32_t x = pen__bag(plan, history, net->watched, PEN_POOL_MEAN, -1);
    for (int32_t l = 0; l < layers; l++) {
        int32_t width = pen__param_int(model, "hidden") >> l > 0 ? pen__param_int(model, "hidden") >> l : 1;
        snprintf(name, sizeof name, "tower%d", l);
        x = pen__dropped(plan, pen__linear(plan, name, &x, 1, width, PEN_ACT_RELU), pen__param(model, "dropout"));
    }
    base->user = layers ? pen__linear(plan, "tower", &x, 1, d, PEN_ACT_NONE) : x;
    int32_t h = pen__spread(plan, base->user, net->targets);
    pen__sampled how = {.kind = PEN_CONTRAST_SOFTMAX,
                        .target = net->target,
                        .negatives = net->negative,
                        .positive_shift = -1,
                        .negative_shift = -1};
    pen__loss_sampled(plan, h, pen__gather(plan, base->item_table, net->target),
                      pen__gather(plan, base->item_table, net->negative), &how);
}

/* ---- examples: chunks of a user's events ------------------------------------------------------------------------- */

static int64_t events_of(const pen__train *train, int32_t user)
{
    return train->by_user.begin[user + 1] - train->by_user.begin[user];
}

static int64_t chunks(const pen_model *model, const pen__train *train, int32_t user)
{
    int64_t most = pen__param_int(model, "positives");
    return (events_of(train, user) + most - 1) / most;
}

static int64_t examples(const pen_model *model, const pen__train *train)
{
    int64_t n = 0;
    for (int32_t u = 0; u < train->n_users; u++) n += chunks(model, train, u);
    return n;
}

static int32_t batch(const pen_model *model)
{
    int32_t n = pen__param_int(model, "batch_size") / pen__param_int(model, "positives");
    return n > 0 ? n : 1;
}

static pen_status ready(pen_model *model, const pen__train *train, pen_error *error)
{
    youtube_dnn *net = model->state;
    if (net->user) return PEN_OK;
    PEN_TRY(PEN_NEW(model->ctx, net->user, train->n_users + 1));
    net->user[0] = 0;
    for (int32_t u = 0; u < train->n_users; u++) net->user[u + 1] = net->user[u] + chunks(model, train, u);
    return PEN_OK;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static void size(pen__example *example)
{
    const youtube_dnn *net = example->model->state;
    int64_t most = pen__param_int(example->model, "max_length");
    example->rows[net->shared] = example->user ? 0 : pen__param_int(example->model, "negatives");
    if (example->user) {
        example->rows[net->bag] = least(example->user->n, most);
    } else if (example->number >= 0) {
        int32_t user = (int32_t)pen__segment_of(net->user, example->train->n_users, example->number);
        int64_t n = events_of(example->train, user), all = net->user[user + 1] - net->user[user],
                chunk = example->number - net->user[user];
        example->rows[net->bag] = least(n, most);
        example->rows[net->targets] = (n - chunk + all - 1) / all; /* events chunk, chunk + all, ... */
    }
}

static void fill(pen__example *example)
{
    const youtube_dnn *net = example->model->state;
    int64_t n = example->rows[net->bag];
    if (example->user) {
        if (n) /* an empty history may be NULL */
            memcpy(example->index[net->watched], example->user->item + example->user->n - n,
                   (size_t)n * sizeof(int32_t));
        return;
    }
    if (example->number < 0) {
        for (int64_t k = 0; k < example->rows[net->shared]; k++)
            example->index[net->negative][k] =
                (int32_t)pen__rng_below(&example->rng, (uint64_t)example->model->n_items);
        return;
    }
    const pen__train *train = example->train;
    int32_t user = (int32_t)pen__segment_of(net->user, train->n_users, example->number);
    int64_t all = net->user[user + 1] - net->user[user], chunk = example->number - net->user[user],
            events = events_of(train, user);
    const int32_t *item = train->by_user.column + train->by_user.begin[user];
    int64_t from = events > n ? (int64_t)pen__rng_below(&example->rng, (uint64_t)(events - n + 1)) : 0;
    memcpy(example->index[net->watched], item + from, (size_t)n * sizeof *item);
    /* which events meet in an example is dealt anew in each epoch: turned by a step of its own */
    uint64_t turn =
        pen__rand64(example->model->seed, PEN_STREAM_MODEL + 7, (uint64_t)example->epoch << 32 | (uint64_t)user);
    for (int64_t k = 0; k < example->rows[net->targets]; k++)
        example->index[net->target][k] = item[(chunk + k * all + (int64_t)(turn % (uint64_t)events)) % events];
}

static void bounds(const pen_model *model, int64_t *bound)
{
    bound[((const youtube_dnn *)model->state)->bag] = pen__param_int(model, "max_length");
}

static void unbind(pen_model *model)
{
    youtube_dnn *net = model->state;
    pen__free(model->ctx, net->user);
    pen__net_unbind(model);
}

static const pen_param params[] = {
    PEN_NET_FACTORS("64", "length of the vectors"),
    {.name = "layers",
     .type = PEN_PARAM_INT,
     .standard = "1",
     .low = 0,
     .high = 6,
     .doc = "hidden layers of the tower; 0: the mean itself"},
    {.name = "hidden",
     .type = PEN_PARAM_INT,
     .standard = "128",
     .low = 1,
     .high = 4096,
     .log_scale = 1,
     .doc = "width of the tower's first layer; each is half as wide as the one before it"},
    {.name = "share",
     .type = PEN_PARAM_BOOL,
     .standard = "0",
     .low = 0,
     .high = 1,
     .doc = "history and targets share one table"},
    {.name = "max_length",
     .type = PEN_PARAM_INT,
     .standard = "500",
     .low = 1,
     .high = 100000,
     .log_scale = 1,
     .doc = "events of a history that are averaged, at most"},
    {.name = "negatives",
     .type = PEN_PARAM_INT,
     .standard = "256",
     .low = 1,
     .high = 100000,
     .log_scale = 1,
     .doc = "items drawn for each batch"},
    {.name = "positives",
     .type = PEN_PARAM_INT,
     .standard = "8",
     .low = 1,
     .high = 1000,
     .log_scale = 1,
     .doc = "of a user's events that share one pass through the tower, at most"},
    PEN_NET_DROPOUT("0", "share of hidden numbers left out in training"),
    PEN_NET_INIT("0.1", "standard deviation of the embeddings' first values"),
    PEN_NET_PARAMS("100", "10", "1024", "events", "0.001", "adam", "0"),
};

static const pen__net_class net = {
    .build = build, .examples = examples, .batch = batch, .ready = ready, .size = size, .fill = fill, .bounds = bounds};

const pen__model_class pen__youtube_dnn_class = {
    .name = "youtube-dnn",
    .family = "embedding",
    .summary = "the mean of what was watched through a tower; sampled softmax",
    .formula = "u = tower(mean of e'_j over the history),  score(u, i) = <u, e_i>\n"
               "minimise the mean over events of -log softmax(target) against drawn items",
    .paper = "Covington, Adams, Sargin: Deep neural networks for YouTube recommendations (RecSys 2016)",
    .tasks = 1u << PEN_TASK_RANK,
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(youtube_dnn),
    .net = &net,
    PEN_NET_SLOTS,
    PEN_NET_VECTORS,
    .unbind = unbind,
};
