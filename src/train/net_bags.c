/* Bags as batches: how a user's events are dealt to examples, and what is left of the history. */
#include "train/net_bags.h"

#include <string.h>

#include "base/memory.h"
#include "base/search.h"

void pen__bags_inputs(pen__bags *bags, const pen_model *model)
{
    pen__plan *plan = bags->net.plan;
    bags->bag = pen__extent_child(plan, PEN_ROOT, "history");
    bags->targets = pen__extent_child(plan, PEN_ROOT, "targets");
    pen__drawn_none(&bags->drawn);
    bags->watched = pen__input_index(plan, bags->bag, "watched");
    bags->target = pen__input_index(plan, bags->targets, "target");
    bags->age = pen__param_int(model, "age") ? pen__input_real(plan, bags->targets, 1, "age") : -1;
    bags->apart = pen__param_int(model, "apart");
    bags->rollback = pen__param_int(model, "rollback");
    bags->leave_features = pen__param(model, "feature_dropout");
    if (bags->rollback && pen__param_int(model, "positives") != 1)
        pen__plan_fail(plan, "%s: with rollback each target has a history of its own: positives must be 1",
                       model->class->name);
}

int32_t pen__bags_known(pen__bags *bags, const pen_model *model, int32_t table, int32_t *x)
{
    pen__plan *plan = bags->net.plan;
    int32_t n = 0;
    x[n++] = pen__bag(plan, table, bags->watched, PEN_POOL_MEAN, -1);
    for (int side = PEN_SIDE_USER; side <= PEN_SIDE_ITEM; side++)
        n += pen__sides_inputs(model, plan, &bags->sides, side, true, x + n);
    if (bags->age >= 0) x[n++] = bags->age;
    return n;
}

/* ---- the age of an example --------------------------------------------------------------------------------------- */

static pen_status find_ages(const char *name, const pen__rows *rows, pen__ages *out, pen_error *error)
{
    double sum = 0;
    int64_t n = 0;
    PEN_CHECK(rows->time, PEN_E_INPUT,
              "%s: the age of an example needs times, and the log has none (age=no, or --time-column)", name);
    *out = (pen__ages){.first = INT64_MAX, .last = INT64_MIN};
    for (int64_t e = 0; e < rows->begin[rows->n_rows]; e++) {
        int64_t time = rows->time[e];
        if (time == PEN_TIME_MISSING) continue;
        if (time < out->first) out->first = time;
        if (time > out->last) out->last = time;
        sum += (double)time, n++;
    }
    PEN_CHECK(n > 0, PEN_E_INPUT, "%s: the age of an example needs times, and all are missing (age=no)", name);
    out->mean = (int64_t)(sum / (double)n);
    return PEN_OK;
}

/* From 0, the end of training, to 1, its beginning. */
static float age_of(const pen__ages *a, int64_t time)
{
    double span = (double)a->last - (double)a->first;
    if (time == PEN_TIME_MISSING) time = a->mean;
    return span > 0 ? (float)(((double)a->last - (double)time) / span) : 0;
}

/* ---- examples: chunks of a user's events ------------------------------------------------------------------------- */

/* Events as answers see them: in order of time, those that count. */
static const pen__rows *rows_of(const pen__bags *bags, const pen__train *train)
{
    return pen__liked_of(&bags->liked, &train->history);
}

static int64_t events_of(const pen__rows *rows, int32_t user) { return rows->begin[user + 1] - rows->begin[user]; }

static int64_t chunks(const pen_model *model, const pen__rows *rows, int32_t user)
{
    int64_t most = pen__param_int(model, "positives");
    return (events_of(rows, user) + most - 1) / most;
}

int64_t pen__bags_examples(const pen_model *model, const pen__train *train)
{
    return ((const pen__bags *)model->state)->first[train->n_users];
}

int32_t pen__bags_batch(const pen_model *model)
{
    int32_t n = pen__param_int(model, "batch_size") / pen__param_int(model, "positives");
    return n > 0 ? n : 1;
}

pen_status pen__bags_ready(pen_model *model, const pen__train *train, pen_error *error)
{
    pen__bags *bags = model->state;
    if (bags->first) return PEN_OK;
    if (bags->drawn.extent >= 0) PEN_TRY(pen__draws_make(model, train, &bags->drawn.draws, error));
    PEN_TRY(pen__rows_liked(model->ctx, &train->history, &bags->liked, error));
    const pen__rows *rows = rows_of(bags, train);
    if (bags->age >= 0) PEN_TRY(find_ages(model->class->name, rows, &bags->ages, error));
    PEN_TRY(PEN_NEW(model->ctx, bags->first, train->n_users + 1));
    bags->first[0] = 0;
    for (int32_t u = 0; u < train->n_users; u++) bags->first[u + 1] = bags->first[u] + chunks(model, rows, u);
    return PEN_OK;
}

/* Where the part of a user's `events` that is averaged begins: n of them in a row, drawn anew in each epoch. */
static int64_t window(const pen__example *example, int64_t events, int64_t n)
{
    pen__rng rng = example->rng;
    return events > n ? (int64_t)pen__rng_below(&rng, (uint64_t)(events - n + 1)) : 0;
}

/* Target k of an example: which of the user's events it is. How they meet in an example is dealt anew in each epoch:
 * turned by a step of its own. */
typedef struct dealt {
    int64_t events, all, chunk, turn;
} dealt;

static int32_t user_of(const pen__bags *bags, const pen__example *example)
{
    return (int32_t)pen__segment_of(bags->first, example->train->n_users, example->number);
}

static dealt deal(const pen__bags *bags, const pen__example *example, int32_t user)
{
    dealt d = {.events = events_of(rows_of(bags, example->train), user),
               .all = bags->first[user + 1] - bags->first[user]};
    uint64_t turn =
        pen__rand64(example->model->seed, PEN_STREAM_MODEL + 7, (uint64_t)example->epoch << 32 | (uint64_t)user);
    d.chunk = example->number - bags->first[user], d.turn = (int64_t)(turn % (uint64_t)d.events);
    return d;
}

static int64_t targets_of(const dealt *d) { return (d->events - d->chunk + d->all - 1) / d->all; }
static int64_t target_of(const dealt *d, int64_t k) { return (d->chunk + k * d->all + d->turn) % d->events; }

static bool is_target(const dealt *d, int64_t event)
{
    return (event - d->turn + d->events) % d->events % d->all == d->chunk;
}

/* The history of an example: up to max_length events in a row in order of time, from `from`, less its targets where
 * they are apart; rolled back, the latest before its target. */
typedef struct past {
    const int32_t *item; /* of all its events */
    int64_t from, most;
} past;

static past past_of(const pen__bags *bags, const pen__example *example, const dealt *d, int32_t user)
{
    const pen__rows *rows = rows_of(bags, example->train);
    past p = {.item = rows->column + rows->begin[user]};
    int64_t end = bags->rollback ? target_of(d, 0) : d->events;
    p.most = pen__least(end, pen__param_int(example->model, "max_length"));
    p.from = bags->rollback ? end - p.most : window(example, end, p.most);
    return p;
}

static int64_t length_of(const pen__bags *bags, const past *p, const dealt *d)
{
    int64_t n = p->most;
    for (int64_t k = 0; bags->apart && k < targets_of(d); k++)
        n -= target_of(d, k) >= p->from && target_of(d, k) < p->from + p->most;
    return n;
}

/* Its items, into `item` (length_of). */
static void items_of(const pen__bags *bags, const past *p, const dealt *d, int32_t *item)
{
    for (int64_t e = p->from; e < p->from + p->most; e++)
        if (!bags->apart || !is_target(d, e)) *item++ = p->item[e];
}

/* ---- rows and inputs --------------------------------------------------------------------------------------------- */

/* The items that are asked about, the latest: where they begin, and how many. */
static const int32_t *asked(const pen__example *example, int64_t *n)
{
    *n = pen__least(example->user->n, pen__param_int(example->model, "max_length"));
    return example->user->item + example->user->n - *n;
}

static int32_t size_asked(const pen__bags *bags, pen__example *example)
{
    const int32_t *item = asked(example, &example->rows[bags->bag]);
    pen__sides_size(&bags->sides, PEN_SIDE_ITEM, item, example->rows[bags->bag], example);
    example->rows[bags->targets] = bags->age >= 0;
    return example->user->number;
}

static int32_t size_taught(const pen__bags *bags, pen__example *example)
{
    int32_t user = user_of(bags, example);
    dealt d = deal(bags, example, user);
    past p = past_of(bags, example, &d, user);
    example->rows[bags->bag] = length_of(bags, &p, &d);
    for (int64_t e = p.from; e < p.from + p.most; e++)
        if (!bags->apart || !is_target(&d, e)) pen__sides_size(&bags->sides, PEN_SIDE_ITEM, p.item + e, 1, example);
    example->rows[bags->targets] = targets_of(&d);
    return user;
}

/* As size and fill have the user's features: left out now and then in training, so that who lacks them is answered
 * well. The first of an example's draws is the bag's. */
static int32_t shown(const pen__bags *bags, const pen__example *example, int32_t user)
{
    return pen__left_out(example, 1, bags->leave_features) ? -1 : user;
}

void pen__bags_size(pen__example *example)
{
    const pen__bags *bags = example->model->state;
    pen__drawn_size(&bags->drawn, example);
    if (!example->user && example->number < 0) return;
    int32_t user = shown(bags, example, example->user ? size_asked(bags, example) : size_taught(bags, example));
    pen__sides_size(&bags->sides, PEN_SIDE_USER, &user, 1, example);
}

static pen__real *ages_of(const pen__bags *bags, const pen__example *example)
{
    return bags->age < 0 ? NULL : example->real[pen__input_of(bags->net.plan, bags->age)];
}

static int32_t fill_asked(const pen__bags *bags, pen__example *example)
{
    int64_t n;
    const int32_t *item = asked(example, &n);
    pen__real *age = ages_of(bags, example);
    if (n) memcpy(example->index[bags->watched], item, (size_t)n * sizeof *item); /* an empty history may be NULL */
    if (age) *age = 0;                                                            /* now */
    return example->user->number;
}

static int32_t fill_taught(const pen__bags *bags, pen__example *example)
{
    const pen__rows *rows = rows_of(bags, example->train);
    int32_t user = user_of(bags, example);
    int64_t first = rows->begin[user];
    dealt d = deal(bags, example, user);
    past p = past_of(bags, example, &d, user);
    pen__real *age = ages_of(bags, example);
    items_of(bags, &p, &d, example->index[bags->watched]);
    for (int64_t k = 0; k < example->rows[bags->targets]; k++) {
        int64_t e = target_of(&d, k);
        int32_t item = rows->column[first + e];
        example->index[bags->target][k] = item;
        pen__drawn_target(&bags->drawn, example, k, item);
        if (age) age[k] = age_of(&bags->ages, rows->time[first + e]);
    }
    return user;
}

void pen__bags_fill(pen__example *example)
{
    const pen__bags *bags = example->model->state;
    if (!example->user && example->number < 0) {
        pen__drawn_fill(&bags->drawn, example);
        return;
    }
    int32_t user = shown(bags, example, example->user ? fill_asked(bags, example) : fill_taught(bags, example));
    pen__sides_fill(&bags->sides, PEN_SIDE_USER, &user, 1, example);
    pen__sides_fill(&bags->sides, PEN_SIDE_ITEM, example->index[bags->watched], example->rows[bags->bag], example);
}

void pen__bags_bounds(const pen_model *model, int64_t *bound)
{
    const pen__bags *bags = model->state;
    bound[bags->bag] = pen__param_int(model, "max_length");
    bound[bags->targets] = bags->age >= 0;
    pen__sides_bounds(&bags->sides, PEN_SIDE_USER, 1, bound);
    pen__sides_bounds(&bags->sides, PEN_SIDE_ITEM, bound[bags->bag], bound);
}

/* ---- slots ------------------------------------------------------------------------------------------------------- */

pen_status pen__bags_begin(pen_model *model, const pen__train *train, pen_error *error)
{
    PEN_TRY(pen__sides_add(model, train, true, error));
    return pen__net_begin(model, train, error);
}

pen_status pen__bags_bind(pen_model *model, pen_error *error)
{
    pen__bags *bags = model->state;
    PEN_TRY(pen__sides_bind(model, true, &bags->sides, error));
    return pen__net_bind(model, error);
}

void pen__bags_unbind(pen_model *model)
{
    pen__bags *bags = model->state;
    pen__free(model->ctx, bags->first);
    pen__rows_free(model->ctx, &bags->liked);
    pen__draws_free(model->ctx, &bags->drawn.draws);
    pen__net_unbind(model);
}
