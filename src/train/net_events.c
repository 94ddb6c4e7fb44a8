/* Events as examples: whose they are, and what came before. */
#include "train/net_events.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/search.h"

void pen__events_inputs(pen__plan *plan, pen__events *events, const pen_model *model, bool history)
{
    events->item = pen__input_index(plan, PEN_ROOT, "item");
    events->before = history ? pen__extent_child(plan, PEN_ROOT, "history") : -1;
    events->watched = history ? pen__input_index(plan, events->before, "watched") : -1;
    events->most = pen__param_int(model, "max_length");
}

static const pen__rows *rows_of(const pen__events *events, const pen__train *train)
{
    return pen__liked_of(&events->liked, &train->history);
}

int64_t pen__events_examples(const pen__events *events, const pen__train *train)
{
    const pen__rows *rows = rows_of(events, train);
    return rows->begin[rows->n_rows];
}

pen_status pen__events_ready(const pen_model *model, pen__events *events, const pen__train *train, pen_error *error)
{
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

void pen__events_free(pen_context *ctx, pen__events *events)
{
    pen__rows_free(ctx, &events->liked);
    pen__free(ctx, events->less_popular);
}

pen__event pen__event_of(const pen__events *events, const pen__example *example)
{
    const pen__user *user = example->user;
    if (user) return (pen__event){user->number, -1, user->n, user->n ? user->item + user->n : NULL};
    if (example->number < 0) return (pen__event){-1, -1, 0, NULL};
    const pen__rows *rows = rows_of(events, example->train);
    int64_t e = example->number;
    int32_t whose = (int32_t)pen__segment_of(rows->begin, rows->n_rows, e);
    return (pen__event){whose, rows->column[e], e - rows->begin[whose], rows->column + e};
}

void pen__events_size(const pen__events *events, const pen__event *event, pen__example *example)
{
    if (events->watched >= 0) example->rows[events->before] = pen__least(event->n_before, events->most);
}

void pen__events_fill(const pen__events *events, const pen__event *event, pen__example *example)
{
    if (event->item >= 0) *example->index[events->item] = event->item;
    int64_t n = events->watched < 0 ? 0 : example->rows[events->before];
    if (n) memcpy(example->index[events->watched], event->end - n, (size_t)n * sizeof *event->end);
}
