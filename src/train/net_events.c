/* Events as examples: whose they are, and what came before. */
#include "train/net_events.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/search.h"

enum { USER = PEN_SIDE_USER, ITEM = PEN_SIDE_ITEM };

static const char *const words[] = {"user", "item"}, *const ids[] = {"user_id", "item_id"};

void pen__events_inputs(pen__events *events, const pen_model *model)
{
    pen__plan *plan = events->net.plan;
    bool history = pen__param_int(model, "history");
    events->item = pen__input_index(plan, PEN_ROOT, "item");
    events->before = history ? pen__extent_child(plan, PEN_ROOT, "history") : -1;
    events->watched = history ? pen__input_index(plan, events->before, "watched") : -1;
    events->most = pen__param_int(model, "max_length");
    events->leave_out = pen__param(model, "id_dropout");
    events->id[USER] = events->id[ITEM] = events->shift = -1;
}

int32_t pen__events_known(pen__events *events, const pen_model *model, int side, int32_t *x)
{
    pen__plan *plan = events->net.plan;
    char name[48];
    int32_t n = 0;
    if (pen__param_int(model, ids[side])) {
        snprintf(name, sizeof name, "%s.id", words[side]);
        events->id[side] = pen__input_index(plan, PEN_ROOT, name);
        int32_t table = pen__net_table(plan, model, words[side], side == USER ? model->n_users : model->n_items);
        x[n++] = pen__gather(plan, table, events->id[side]);
    }
    if (side == USER && events->watched >= 0)
        x[n++] =
            pen__bag(plan, pen__net_table(plan, model, "history", model->n_items), events->watched, PEN_POOL_MEAN, -1);
    return n + pen__sides_inputs(model, plan, &events->sides, side, false, x + n);
}

void pen__events_softmax(pen__events *events, const pen_model *model, int32_t user, int32_t item)
{
    pen__plan *plan = events->net.plan;
    int32_t shift = pen__param_int(model, "logq") ? pen__input_real(plan, PEN_ROOT, 1, "shift") : -1;
    events->shift = pen__input_of(plan, shift);
    pen__loss_in_batch(plan, user, item, events->item, shift, pen__param(model, "temperature"), false);
}

static const pen__rows *rows_of(const pen__events *events, const pen__train *train)
{
    return pen__liked_of(&events->liked, &train->history);
}

int64_t pen__events_examples(const pen_model *model, const pen__train *train)
{
    const pen__rows *rows = rows_of(model->state, train);
    return rows->begin[rows->n_rows];
}

pen_status pen__events_ready(pen_model *model, const pen__train *train, pen_error *error)
{
    pen__events *events = model->state;
    if (events->less_popular) return PEN_OK;
    PEN_TRY(pen__rows_liked(model->ctx, &train->history, &events->liked, error));
    PEN_TRY(PEN_NEW_ZERO(model->ctx, events->less_popular, train->n_items));
    const pen__rows *rows = rows_of(events, train);
    int64_t n = rows->begin[rows->n_rows];
    for (int64_t e = 0; e < n; e++) events->less_popular[rows->column[e]]++;
    for (int32_t i = 0; i < train->n_items; i++)
        if (events->less_popular[i] > 0)
            events->less_popular[i] = (float)-log((double)events->less_popular[i] / (double)n);
    return PEN_OK;
}

/* ---- rows and inputs --------------------------------------------------------------------------------------------- */

/* The event of an example, or who is asked for (item -1); for number -1 nobody and nothing. */
typedef struct event {
    int32_t user, item; /* numbers, or -1 */
    int64_t n_before;
    const int32_t *end; /* the history's items end here; NULL where there are none */
} event;

static event event_of(const pen__example *example)
{
    const pen__user *user = example->user;
    if (user) return (event){user->number, -1, user->n, user->n ? user->item + user->n : NULL};
    if (example->number < 0) return (event){-1, -1, 0, NULL};
    const pen__rows *rows = rows_of(example->model->state, example->train);
    int64_t e = example->number;
    int32_t whose = (int32_t)pen__segment_of(rows->begin, rows->n_rows, e);
    return (event){whose, rows->column[e], e - rows->begin[whose], rows->column + e};
}

/* What may be left out of an example: its draws, in this order. */
enum { USER_ID, USER_FEATURES, ITEM_ID };

static int32_t shown(const pen__example *example, int what, int32_t number)
{
    const pen__events *events = example->model->state;
    return pen__left_out(example, what, events->leave_out) ? -1 : number;
}

void pen__events_size(pen__example *example)
{
    const pen__events *events = example->model->state;
    event e = event_of(example);
    int32_t user = shown(example, USER_FEATURES, e.user);
    if (events->watched >= 0) example->rows[events->before] = pen__least(e.n_before, events->most);
    pen__sides_size(&events->sides, USER, &user, 1, example);
    pen__sides_size(&events->sides, ITEM, &e.item, 1, example);
}

static void fill_side(pen__example *example, int side, int32_t id, int32_t features)
{
    const pen__events *events = example->model->state;
    if (events->id[side] >= 0) *example->index[events->id[side]] = id;
    pen__sides_fill(&events->sides, side, &features, 1, example);
}

void pen__events_fill(pen__example *example)
{
    const pen__events *events = example->model->state;
    if (!example->user && example->number < 0) return;
    event e = event_of(example);
    int64_t n = events->watched < 0 ? 0 : example->rows[events->before];
    if (n) memcpy(example->index[events->watched], e.end - n, (size_t)n * sizeof *e.end);
    fill_side(example, USER, shown(example, USER_ID, e.user), shown(example, USER_FEATURES, e.user));
    if (e.item < 0) return;
    *example->index[events->item] = e.item;
    if (events->shift >= 0) *example->real[events->shift] = events->less_popular[e.item];
    fill_side(example, ITEM, shown(example, ITEM_ID, e.item), e.item);
}

/* An item alone, for its vector. */
void pen__events_size_item(pen__example *example)
{
    const pen__events *events = example->model->state;
    int32_t item = (int32_t)example->number;
    pen__sides_size(&events->sides, ITEM, &item, 1, example);
}

void pen__events_fill_item(pen__example *example)
{
    fill_side(example, ITEM, (int32_t)example->number, (int32_t)example->number);
}

void pen__events_bounds(const pen_model *model, int64_t *bound)
{
    const pen__events *events = model->state;
    if (events->watched >= 0) bound[events->before] = events->most;
    pen__sides_bounds(&events->sides, USER, 1, bound);
}

/* ---- slots ------------------------------------------------------------------------------------------------------- */

pen_status pen__events_begin(pen_model *model, const pen__train *train, pen_error *error)
{
    PEN_TRY(pen__sides_add(model, train, false, error));
    PEN_TRY(pen__net_begin(model, train, error));
    pen__sides_untaught(model, words[USER], &train->by_user);
    pen__sides_untaught(model, words[ITEM], &train->by_item);
    return PEN_OK;
}

pen_status pen__events_bind(pen_model *model, pen_error *error)
{
    pen__events *events = model->state;
    PEN_TRY(pen__sides_bind(model, false, &events->sides, error));
    return pen__net_bind(model, error);
}

void pen__events_unbind(pen_model *model)
{
    pen__events *events = model->state;
    pen__rows_free(model->ctx, &events->liked);
    pen__free(model->ctx, events->less_popular);
    pen__net_unbind(model);
}
