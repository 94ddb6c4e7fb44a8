/* Two data sets as one: the first's ids keep their numbers, the second's new ids follow in the order of their first
 * sight there. For files of test events beside a log. */
#include <math.h>
#include <string.h>

#include "data/dataset.h"
#include "data/digest.h"

/* A copy of `from` with an index, and map[i] the number of b's i-th string in it. */
static pen_status join_strings(pen_context *ctx, const pen__strings *a, const pen__strings *b, pen__strings *out,
                               int32_t **map, pen_error *error)
{
    int32_t number;
    out->ctx = ctx;
    for (int64_t i = 0; i < a->n; i++) PEN_TRY(pen__strings_add(out, pen__strings_at(a, i), &number, error));
    PEN_TRY(PEN_NEW(ctx, *map, b->n));
    for (int64_t i = 0; i < b->n; i++) PEN_TRY(pen__strings_add(out, pen__strings_at(b, i), &(*map)[i], error));
    return PEN_OK;
}

static pen_status join_numbers(pen_context *ctx, const int32_t *a, int64_t n, const int32_t *b, int64_t m,
                               const int32_t *map, const int32_t **out, pen_error *error)
{
    int32_t *joined;
    PEN_TRY(PEN_NEW(ctx, joined, n + m));
    memcpy(joined, a, (size_t)n * sizeof *a);
    for (int64_t i = 0; i < m; i++) joined[n + i] = map[b[i]];
    *out = joined;
    return PEN_OK;
}

/* Where one of them has no values, its values are missing (not 1: a filter by value must not drop a test that has
 * none). */
static pen_status join_values(pen_context *ctx, const pen_dataset *a, const pen_dataset *b, pen_dataset *out,
                              pen_error *error)
{
    if (!a->value && !b->value) return PEN_OK;
    float *value;
    int64_t n = a->n_events, m = b->n_events;
    PEN_TRY(PEN_NEW(ctx, value, n + m));
    for (int64_t i = 0; i < n; i++) value[i] = a->value ? a->value[i] : NAN;
    for (int64_t i = 0; i < m; i++) value[n + i] = b->value ? b->value[i] : NAN;
    out->value = value;
    return PEN_OK;
}

static pen_status join_times(pen_context *ctx, const pen_dataset *a, const pen_dataset *b, pen_dataset *out,
                             pen_error *error)
{
    if (!a->time && !b->time) return PEN_OK;
    int64_t *time, n = a->n_events, m = b->n_events;
    PEN_TRY(PEN_NEW(ctx, time, n + m));
    for (int64_t i = 0; i < n; i++) time[i] = a->time ? a->time[i] : PEN_TIME_MISSING;
    for (int64_t i = 0; i < m; i++) time[n + i] = b->time ? b->time[i] : PEN_TIME_MISSING;
    out->time = time;
    return PEN_OK;
}

static pen_status join_types(pen_context *ctx, const pen_dataset *a, const pen_dataset *b, pen_dataset *out,
                             pen_error *error)
{
    if (!a->event && !b->event) return PEN_OK;
    int32_t *map = NULL;
    int16_t *event = NULL;
    int64_t n = a->n_events, m = b->n_events;
    pen_status status = PEN_OK;
    PEN_TRY_DONE(join_strings(ctx, &a->event_types, &b->event_types, &out->event_types, &map, error));
    PEN_CHECK_DONE(out->event_types.n <= INT16_MAX, PEN_E_LIMIT, "over %d event types in two data sets", INT16_MAX);
    PEN_TRY_DONE(PEN_NEW(ctx, event, n + m));
    for (int64_t i = 0; i < n; i++) event[i] = a->event ? a->event[i] : -1;
    for (int64_t i = 0; i < m; i++) event[n + i] = b->event && b->event[i] >= 0 ? (int16_t)map[b->event[i]] : -1;
    out->event = event;
done:
    pen__free(ctx, map);
    return status;
}

/* A column with rows behind its own that are missing. */
static pen_status extend_column(pen_context *ctx, const pen__column *from, int64_t rows, pen__column *to,
                                pen_error *error)
{
    *to = (pen__column){.type = from->type, .width = from->width, .rows = rows, .words.ctx = ctx};
    PEN_CHECK((to->name = pen__strndup(ctx, from->name, strlen(from->name))), PEN_E_MEMORY,
              "out of memory for a column's name");
    int32_t *code = NULL;
    int64_t *begin = NULL;
    float *number = NULL;
    for (int64_t i = 0; i < from->words.n; i++)
        PEN_TRY(pen__strings_append(&to->words, pen__strings_at(&from->words, i), error));
    for (int64_t i = from->rows; i < rows && from->type == PEN_COLUMN_TEXT; i++)
        PEN_TRY(pen__strings_append(&to->words, (pen__span){"", 0}, error));
    if (from->begin) {
        PEN_TRY(PEN_NEW(ctx, begin, rows + 1));
        to->begin = begin;
        for (int64_t i = 0; i <= rows; i++) begin[i] = from->begin[i < from->rows ? i : from->rows];
    }
    if (from->code) {
        int64_t n = from->begin ? begin[rows] : rows, old = from->begin ? n : from->rows;
        PEN_TRY(PEN_NEW(ctx, code, n));
        to->code = code;
        for (int64_t i = 0; i < n; i++) code[i] = i < old ? from->code[i] : -1;
    }
    if (from->number) {
        int64_t width = from->type == PEN_COLUMN_VECTOR ? from->width : 1;
        PEN_TRY(PEN_NEW(ctx, number, rows * width));
        to->number = number;
        for (int64_t i = 0; i < rows * width; i++) number[i] = i < from->rows * width ? from->number[i] : NAN;
    }
    return PEN_OK;
}

static pen_status extend_columns(pen_context *ctx, const pen__column *from, int32_t n, int64_t rows, pen__column **to,
                                 int32_t *n_to, pen_error *error)
{
    if (!n) return PEN_OK;
    PEN_TRY(PEN_NEW_ZERO(ctx, *to, n));
    for (*n_to = 0; *n_to < n;) {
        ++*n_to;
        PEN_TRY(extend_column(ctx, &from[*n_to - 1], rows, &(*to)[*n_to - 1], error));
    }
    return PEN_OK;
}

static pen_status extend_table(pen_context *ctx, const pen__table *from, int64_t rows, pen__table *to, pen_error *error)
{
    if (!from->rows) return PEN_OK;
    to->title = from->title;
    to->rows = rows;
    return extend_columns(ctx, from->column, from->n_columns, rows, &to->column, &to->n_columns, error);
}

static pen_status copy_numbers(pen_context *ctx, const int32_t *from, int64_t n, int64_t m, const int32_t **to,
                               pen_error *error)
{
    int32_t *copy;
    PEN_TRY(PEN_NEW(ctx, copy, n + m));
    for (int64_t i = 0; i < n + m; i++) copy[i] = i < n ? from[i] : -1;
    *to = copy;
    return PEN_OK;
}

static pen_status copy_knowledge(pen_context *ctx, const pen_dataset *a, pen_dataset *out, pen_error *error)
{
    const pen__knowledge *from = &a->knowledge;
    pen__knowledge *to = &out->knowledge;
    int32_t number;
    if (!from->item_entity) return PEN_OK;
    to->n_triples = from->n_triples;
    PEN_TRY(copy_numbers(ctx, from->head, from->n_triples, 0, &to->head, error));
    PEN_TRY(copy_numbers(ctx, from->relation, from->n_triples, 0, &to->relation, error));
    PEN_TRY(copy_numbers(ctx, from->tail, from->n_triples, 0, &to->tail, error));
    PEN_TRY(copy_numbers(ctx, from->item_entity, a->items.n, out->items.n - a->items.n, &to->item_entity, error));
    for (int64_t i = 0; i < from->entities.n; i++)
        PEN_TRY(pen__strings_add(&to->entities, pen__strings_at(&from->entities, i), &number, error));
    for (int64_t i = 0; i < from->relations.n; i++)
        PEN_TRY(pen__strings_add(&to->relations, pen__strings_at(&from->relations, i), &number, error));
    return PEN_OK;
}

pen_status pen__dataset_join(const pen_dataset *a, const pen_dataset *b, pen_dataset **out, pen_error *error)
{
    pen_context *ctx = a->ctx;
    pen_dataset *d;
    pen_status status = PEN_OK;
    int32_t *user = NULL, *item = NULL;
    *out = NULL;
    PEN_TRY(pen__dataset_new(ctx, &d, error));
    d->n_events = a->n_events + b->n_events;
    PEN_TRY_DONE(join_strings(ctx, &a->users, &b->users, &d->users, &user, error));
    PEN_TRY_DONE(join_strings(ctx, &a->items, &b->items, &d->items, &item, error));
    PEN_TRY_DONE(join_numbers(ctx, a->user, a->n_events, b->user, b->n_events, user, &d->user, error));
    PEN_TRY_DONE(join_numbers(ctx, a->item, a->n_events, b->item, b->n_events, item, &d->item, error));
    PEN_TRY_DONE(join_values(ctx, a, b, d, error));
    PEN_TRY_DONE(join_times(ctx, a, b, d, error));
    PEN_TRY_DONE(join_types(ctx, a, b, d, error));
    PEN_TRY_DONE(extend_columns(ctx, a->context, a->n_context, d->n_events, &d->context, &d->n_context, error));
    PEN_TRY_DONE(extend_table(ctx, &a->item_table, d->items.n, &d->item_table, error));
    PEN_TRY_DONE(extend_table(ctx, &a->user_table, d->users.n, &d->user_table, error));
    PEN_TRY_DONE(copy_knowledge(ctx, a, d, error));
    pen__text source = {.ctx = ctx};
    pen__text_printf(&source, "%s + %s", a->source ? a->source : "?", b->source ? b->source : "?");
    d->source = source.bytes;
    d->notes = pen__strndup(ctx, pen_dataset_notes(a), strlen(pen_dataset_notes(a)));
    PEN_CHECK_DONE(!source.failed && d->notes, PEN_E_MEMORY, "out of memory joining two data sets");
    PEN_TRY_DONE(pen__dataset_digest(d, error));
    *out = d;
done:
    pen__free(ctx, user);
    pen__free(ctx, item);
    if (status != PEN_OK) pen_dataset_destroy(d);
    return status;
}
