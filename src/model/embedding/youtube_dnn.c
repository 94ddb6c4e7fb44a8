/* youtube-dnn: candidate generation. What a user watched, as the mean of the items' vectors, passes a tower, beside
 * what the watched items are (genres), what the user table says (demographics, words of searches) and how old the
 * example is; softmax over sampled items.
 *
 * No user has a vector of their own: every user, known or new, is answered by the history, and by inner products. An
 * example is a user with up to `positives` of their events as targets: the bags and the tower are computed once for all
 * of them (with `age` the tower once a target). Negatives are drawn once a batch and shared (train/net_draws.h). Cost:
 * O(events / positives history d + events negatives d) an epoch.
 *
 * Covington, Adams, Sargin: "Deep neural networks for YouTube recommendations" (RecSys 2016). */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "train/net_draws.h"
#include "train/net_features.h"

enum { USER = PEN_SIDE_USER, ITEM = PEN_SIDE_ITEM };

/* Training's times, in milliseconds. */
typedef struct ages {
    int64_t first, last, mean;
} ages;

typedef struct youtube_dnn {
    pen__net net;
    int32_t bag, watched, targets, target; /* extents and their index inputs */
    int32_t age;                           /* real input of the targets, or -1 */
    pen__drawn drawn;
    double feature_dropout;
    bool apart; /* an example's targets are not in its history */
    pen__feature_inputs in[2];
    pen__features features[2]; /* of the user; of the items that were watched */
    /* while training: */
    int64_t *user; /* (n_users + 1): the first example of each user; made by the first epoch */
    ages times;
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
    net->age = -1, net->feature_dropout = pen__param(model, "feature_dropout");
    net->apart = pen__param_int(model, "apart");
    x[n++] = pen__bag(plan, history, net->watched, PEN_POOL_MEAN, -1);
    for (int side = USER; side <= ITEM; side++) {
        pen__features counts;
        pen__feature_choice choice = choice_of(model, side);
        if (!pen__features_count(model, plan, &choice, &counts)) return 0;
        n += pen__features_inputs(plan, side, &counts, pen__param_int(model, "factors"), init, &net->in[side], x + n);
    }
    if (!pen__param_int(model, "age")) return n;
    int32_t age = x[n++] = pen__input_real(plan, net->targets, 1, "age");
    net->age = age < 0 ? -1 : plan->node[age].input;
    return n;
}

static void build(const pen_model *model, pen__net *base)
{
    youtube_dnn *net = (youtube_dnn *)base;
    pen__plan *plan = base->plan;
    int32_t d = pen__param_int(model, "factors"), layers = pen__param_int(model, "layers");
    pen__init init = {PEN_INIT_NORMAL, pen__param(model, "init")};
    net->bag = pen__extent_child(plan, PEN_ROOT, "history");
    net->targets = pen__extent_child(plan, PEN_ROOT, "targets");
    pen__drawn_none(&net->drawn);
    net->watched = pen__input_index(plan, net->bag, "watched");
    net->target = pen__input_index(plan, net->targets, "target");
    base->item_table = pen__plan_table(plan, "item", model->n_items, d, init);
    int32_t history =
        pen__param_int(model, "share") ? base->item_table : pen__plan_table(plan, "history", model->n_items, d, init);
    int32_t x[6], n = inputs(model, net, history, x), widest = n;
    if (!n) return;
    n = pen__net_tower(plan, model, "tower", x, n, layers, pen__param_int(model, "hidden"));
    base->user = layers || widest > 1 ? pen__linear(plan, "tower", x, n, d, PEN_ACT_NONE) : x[0];
    int32_t h = net->age >= 0 ? base->user : pen__spread(plan, base->user, net->targets);
    pen__drawn_loss(plan, model, &net->drawn, net->targets, base->item_table, h, false,
                    (pen__sampled){.kind = PEN_CONTRAST_SOFTMAX, .target = net->target});
}

/* ---- the age of an example --------------------------------------------------------------------------------------- */

static pen_status find_ages(const pen__train *train, ages *out, pen_error *error)
{
    double sum = 0;
    int64_t n = 0;
    PEN_CHECK(train->by_user.time, PEN_E_INPUT,
              "youtube-dnn: the age of an example needs times, and the log has none (age=no, or --time-column)");
    *out = (ages){.first = INT64_MAX, .last = INT64_MIN};
    for (int64_t e = 0; e < train->n_events; e++) {
        int64_t time = train->by_user.time[e];
        if (time == PEN_TIME_MISSING) continue;
        if (time < out->first) out->first = time;
        if (time > out->last) out->last = time;
        sum += (double)time, n++;
    }
    PEN_CHECK(n > 0, PEN_E_INPUT, "youtube-dnn: the age of an example needs times, and all are missing (age=no)");
    out->mean = (int64_t)(sum / (double)n);
    return PEN_OK;
}

/* From 0, the end of training, to 1, its beginning. */
static float age_of(const ages *a, int64_t time)
{
    double span = (double)a->last - (double)a->first;
    if (time == PEN_TIME_MISSING) time = a->mean;
    return span > 0 ? (float)(((double)a->last - (double)time) / span) : 0;
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
    PEN_TRY(pen__draws_make(model, train, &net->drawn.draws, error));
    if (net->age >= 0) PEN_TRY(find_ages(train, &net->times, error));
    PEN_TRY(PEN_NEW(model->ctx, net->user, train->n_users + 1));
    net->user[0] = 0;
    for (int32_t u = 0; u < train->n_users; u++) net->user[u + 1] = net->user[u] + chunks(model, train, u);
    return PEN_OK;
}

/* Where the part of a user's `events` that is averaged begins: n of them in a row, drawn anew in each epoch. */
static int64_t window(const pen__example *example, int64_t events, int64_t n)
{
    pen__rng rng = example->rng;
    return events > n ? (int64_t)pen__rng_below(&rng, (uint64_t)(events - n + 1)) : 0;
}

/* Whether the user's features are left out in training, so that who lacks them is answered well. */
static bool left_out(const pen__example *example)
{
    const youtube_dnn *net = example->model->state;
    pen__rng rng = example->rng;
    (void)pen__rng_next(&rng); /* the window's */
    return pen__rng_uniform(&rng) < net->feature_dropout;
}

/* Target k of an example: which of the user's events it is. How they meet in an example is dealt anew in each epoch:
 * turned by a step of its own. */
typedef struct dealt {
    int64_t events, all, chunk, turn;
} dealt;

static dealt deal(const pen__example *example, int32_t user)
{
    const youtube_dnn *net = example->model->state;
    dealt d = {.events = events_of(example->train, user), .all = net->user[user + 1] - net->user[user]};
    uint64_t turn =
        pen__rand64(example->model->seed, PEN_STREAM_MODEL + 7, (uint64_t)example->epoch << 32 | (uint64_t)user);
    d.chunk = example->number - net->user[user], d.turn = (int64_t)(turn % (uint64_t)d.events);
    return d;
}

static int64_t targets_of(const dealt *d) { return (d->events - d->chunk + d->all - 1) / d->all; }
static int64_t target_of(const dealt *d, int64_t k) { return (d->chunk + k * d->all + d->turn) % d->events; }

static bool is_target(const dealt *d, int64_t event)
{
    return (event - d->turn + d->events) % d->events % d->all == d->chunk;
}

/* The history of an example: up to max_length events in a row, from `from`, less its targets where they are apart. */
typedef struct past {
    const int32_t *item; /* of all its events */
    int64_t from, most;
} past;

static past past_of(const pen__example *example, const dealt *d, int32_t user)
{
    past p = {.item = example->train->by_user.column + example->train->by_user.begin[user]};
    p.most = pen__least(d->events, pen__param_int(example->model, "max_length"));
    p.from = window(example, d->events, p.most);
    return p;
}

static int64_t length_of(const youtube_dnn *net, const past *p, const dealt *d)
{
    int64_t n = p->most;
    for (int64_t k = 0; net->apart && k < targets_of(d); k++)
        n -= target_of(d, k) >= p->from && target_of(d, k) < p->from + p->most;
    return n;
}

/* Its items, into `item` (length_of). */
static void items_of(const youtube_dnn *net, const past *p, const dealt *d, int32_t *item)
{
    for (int64_t e = p->from; e < p->from + p->most; e++)
        if (!net->apart || !is_target(d, e)) *item++ = p->item[e];
}

/* Words of items from .. from + n of a list, but for the targets of `d` (NULL: of all). */
static int64_t words_of(const youtube_dnn *net, const int32_t *item, int64_t from, int64_t n, const dealt *d)
{
    int64_t words = 0;
    for (int64_t e = from; e < from + n; e++)
        if (!d || !is_target(d, e)) words += pen__features_words(&net->features[ITEM], item[e]);
    return words;
}

/* The items that are asked about, the latest: where they begin, and how many. */
static const int32_t *asked(const pen__example *example, int64_t *n)
{
    *n = pen__least(example->user->n, pen__param_int(example->model, "max_length"));
    return example->user->item + example->user->n - *n;
}

static void size(pen__example *example)
{
    const youtube_dnn *net = example->model->state;
    bool worded = net->in[ITEM].word >= 0;
    int64_t words = 0;
    int32_t user;
    pen__drawn_size(&net->drawn, example);
    if (example->user) {
        const int32_t *item = asked(example, &example->rows[net->bag]);
        user = example->user->number;
        if (worded) words = words_of(net, item, 0, example->rows[net->bag], NULL);
        example->rows[net->targets] = net->age >= 0;
    } else {
        if (example->number < 0) return;
        user = (int32_t)pen__segment_of(net->user, example->train->n_users, example->number);
        dealt d = deal(example, user);
        past p = past_of(example, &d, user);
        example->rows[net->bag] = length_of(net, &p, &d);
        if (worded) words = words_of(net, p.item, p.from, p.most, net->apart ? &d : NULL);
        example->rows[net->targets] = targets_of(&d);
        if (left_out(example)) user = -1; /* from here on it stands for its features alone */
    }
    if (net->in[USER].word >= 0) example->rows[net->in[USER].extent] = pen__features_words(&net->features[USER], user);
    if (worded) example->rows[net->in[ITEM].extent] = words;
}

/* What stands beside the watched items: who watched, and what the items are. */
static void fill_features(pen__example *example, int32_t user)
{
    const youtube_dnn *net = example->model->state;
    const int32_t *item = example->index[net->watched];
    int64_t n = example->rows[net->bag];
    pen__features_fill(&net->features[USER], &net->in[USER], user, example);
    if (net->in[ITEM].word < 0) return;
    for (int64_t k = 0, at = 0; k < n; k++) {
        pen__features_fill_words(&net->features[ITEM], &net->in[ITEM], item[k], 1 / (float)n, at, example);
        at += pen__features_words(&net->features[ITEM], item[k]);
    }
}

static void fill(pen__example *example)
{
    const youtube_dnn *net = example->model->state;
    if (example->user) {
        int64_t n;
        const int32_t *item = asked(example, &n);
        if (n) memcpy(example->index[net->watched], item, (size_t)n * sizeof *item); /* an empty history may be NULL */
        fill_features(example, example->user->number);
        if (net->age >= 0) *example->real[net->age] = 0; /* now */
        return;
    }
    if (example->number < 0) {
        pen__drawn_fill(&net->drawn, example);
        return;
    }
    const pen__train *train = example->train;
    int32_t user = (int32_t)pen__segment_of(net->user, train->n_users, example->number);
    int64_t first = train->by_user.begin[user];
    dealt d = deal(example, user);
    past p = past_of(example, &d, user);
    items_of(net, &p, &d, example->index[net->watched]);
    fill_features(example, left_out(example) ? -1 : user);
    for (int64_t k = 0; k < example->rows[net->targets]; k++) {
        int64_t e = target_of(&d, k);
        int32_t item = train->by_user.column[first + e];
        example->index[net->target][k] = item;
        pen__drawn_target(&net->drawn, example, k, item);
        if (net->age >= 0) example->real[net->age][k] = age_of(&net->times, train->by_user.time[first + e]);
    }
}

static void bounds(const pen_model *model, int64_t *bound)
{
    const youtube_dnn *net = model->state;
    int64_t most = pen__param_int(model, "max_length");
    bound[net->bag] = most;
    bound[net->targets] = net->age >= 0;
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
    pen__free(model->ctx, net->user);
    pen__draws_free(model->ctx, &net->drawn.draws);
    pen__net_unbind(model);
}

static const pen_param params[] = {
    PEN_NET_FACTORS("64", "length of the vectors"),
    PEN_NET_TOWER("0: the mean itself"),
    PEN_P_BOOL("share", "0", "history and targets share one table"),
    PEN_P_BOOL("apart", "0",
               "an example's targets are left out of its history, which wants few positives (1 or 2): who has no more "
               "events than those has no history then"),
    PEN_FEATURES_PARAMS(", likewise: words of the watched items are averaged (genres)"),
    PEN_P_REAL("feature_dropout", "0.1", 0, 0.95,
               "share of examples in which a user's features are left out, so that who lacks them is answered well"),
    PEN_P_BOOL("age", "0", "how long before the end of training an event was goes into the tower; an answer is of now"),
    PEN_P_INT_LOG("max_length", "500", 1, 100000, "events of a history that are averaged, at most"),
    PEN_P_INT_LOG("negatives", "256", 1, 100000, "items drawn for each batch"),
    PEN_DRAWS_PARAMS("its softmax"),
    PEN_P_INT_LOG("positives", "8", 1, 1000, "of a user's events that share one pass through the tower, at most"),
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
    .formula = "u = tower(mean of e'_j over the history, features, age),  score(u, i) = <u, e_i>\n"
               "minimise the mean over events of -log softmax(target) against drawn items",
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
};
