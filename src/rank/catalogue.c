/* What lets a model answer alone, copied from the data set it was trained on: memory in proportion to users, items and
 * (with the history) events. */
#include "rank/catalogue.h"

#include <string.h>

#include "data/table_store.h"

static pen_status copy_bytes(pen_context *ctx, void *out, const void *from, size_t bytes, pen_error *error)
{
    void *copy;
    PEN_TRY(pen__new(ctx, &copy, bytes, 1, false, error));
    if (bytes) memcpy(copy, from, bytes);
    memcpy(out, &copy, sizeof copy);
    return PEN_OK;
}

static pen_status pick_categories(pen_context *ctx, const pen__column *from, const int32_t *number, int64_t n,
                                  pen__column *out, pen_error *error)
{
    int64_t *begin, total = 0;
    int32_t *code;
    for (int64_t i = 0; i < n; i++) total += from->begin[number[i] + 1] - from->begin[number[i]];
    PEN_TRY(PEN_NEW(ctx, begin, n + 1));
    out->begin = begin;
    PEN_TRY(PEN_NEW(ctx, code, total));
    out->code = code;
    begin[0] = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t from_at = from->begin[number[i]], length = from->begin[number[i] + 1] - from_at;
        if (length) memcpy(code + begin[i], from->code + from_at, (size_t)length * sizeof *code);
        begin[i + 1] = begin[i] + length;
    }
    return PEN_OK;
}

static pen_status pick_numbers(pen_context *ctx, const pen__column *from, const int32_t *number, int64_t n,
                               pen__column *out, pen_error *error)
{
    size_t width = from->type == PEN_COLUMN_VECTOR ? (size_t)from->width : 1;
    float *copy;
    PEN_TRY(PEN_NEW(ctx, copy, (size_t)n * width));
    out->number = copy;
    for (int64_t i = 0; i < n; i++)
        memcpy(copy + (size_t)i * width, from->number + (size_t)number[i] * width, width * sizeof *copy);
    return PEN_OK;
}

/* Fills out's arrays; what was allocated before a failure hangs in `out`, which the caller frees. */
static pen_status pick_column(pen_context *ctx, const pen__column *from, const int32_t *number, int64_t n,
                              pen__column *out, pen_error *error)
{
    char *name;
    *out = (pen__column){.type = from->type, .width = from->width, .rows = n, .words = {.ctx = ctx}};
    PEN_TRY(copy_bytes(ctx, &name, from->name, strlen(from->name) + 1, error));
    out->name = name;
    if (from->type == PEN_COLUMN_TEXT) return pen__strings_pick(&from->words, number, n, &out->words, error);
    if (from->type == PEN_COLUMN_NUMBER || from->type == PEN_COLUMN_VECTOR)
        return pick_numbers(ctx, from, number, n, out, error);
    for (int64_t i = 0; i < from->words.n; i++)
        PEN_TRY(pen__strings_append(&out->words, pen__strings_at(&from->words, i), error));
    if (from->type == PEN_COLUMN_CATEGORIES) return pick_categories(ctx, from, number, n, out, error);
    int32_t *code;
    PEN_TRY(PEN_NEW(ctx, code, n));
    out->code = code;
    for (int64_t i = 0; i < n; i++) code[i] = from->code[number[i]];
    return PEN_OK;
}

pen_status pen__table_pick(pen_context *ctx, const pen__table *from, const int32_t *number, int64_t n, pen__table *out,
                           pen_error *error)
{
    *out = (pen__table){.rows = from->rows ? n : 0, .n_columns = 0, .title = from->title};
    if (!from->rows) return PEN_OK;
    PEN_TRY(PEN_NEW_ZERO(ctx, out->column, from->n_columns ? from->n_columns : 1));
    pen_status status = PEN_OK;
    for (int c = 0; c < from->n_columns && status == PEN_OK; c++) {
        out->n_columns++;
        status = pick_column(ctx, &from->column[c], number, n, &out->column[c], error);
    }
    if (status != PEN_OK) pen__table_free(ctx, out);
    return status;
}

void pen__table_free(pen_context *ctx, pen__table *table)
{
    pen__columns_free(ctx, table->column, table->n_columns, table->borrowed);
    *table = (pen__table){.title = -1};
}

static pen_status copy_history(pen_context *ctx, const pen__rows *from, pen__rows *out, pen_error *error)
{
    size_t n = (size_t)from->begin[from->n_rows];
    PEN_TRY(copy_bytes(ctx, &out->begin, from->begin, ((size_t)from->n_rows + 1) * sizeof *from->begin, error));
    PEN_TRY(copy_bytes(ctx, &out->column, from->column, n * sizeof *from->column, error));
    PEN_TRY(copy_bytes(ctx, &out->value, from->value, n * sizeof *from->value, error));
    out->n_rows = from->n_rows;
    return PEN_OK;
}

pen_status pen__catalogue_build(const pen__train *train, int with_history, struct pen__catalogue **out,
                                pen_error *error)
{
    pen_context *ctx = train->ctx;
    struct pen__catalogue *c;
    pen_status status = PEN_OK;
    *out = NULL;
    PEN_TRY(PEN_NEW_ZERO(ctx, c, 1));
    c->ctx = ctx;
    c->owns_rows = 1;
    c->item_table.title = -1;
    c->users.ctx = c->items.ctx = ctx;
    PEN_TRY_DONE(pen__strings_pick(&train->data->users, train->data_user, train->n_users, &c->users, error));
    PEN_TRY_DONE(pen__strings_pick(&train->data->items, train->data_item, train->n_items, &c->items, error));
    PEN_TRY_DONE(pen__strings_index(&c->users, error));
    PEN_TRY_DONE(pen__strings_index(&c->items, error));
    PEN_TRY_DONE(PEN_NEW(ctx, c->item_events, train->n_items));
    for (int32_t i = 0; i < train->n_items; i++)
        c->item_events[i] = train->by_item.begin[i + 1] - train->by_item.begin[i];
    PEN_TRY_DONE(
        pen__table_pick(ctx, &train->data->item_table, train->data_item, train->n_items, &c->item_table, error));
    if (with_history) PEN_TRY_DONE(copy_history(ctx, &train->history, &c->history, error));
    if (with_history && train->task != PEN_TASK_RATE) PEN_TRY_DONE(pen__rows_liked(ctx, &c->history, &c->liked, error));
done:
    if (status == PEN_OK)
        *out = c;
    else
        pen__catalogue_free(c);
    return status;
}

/* ---- its size, before it is there -------------------------------------------------------------------------------- */

/* Words that were appended: arrays grow by halves. */
static uint64_t words_bytes(const pen__strings *words)
{
    uint64_t bytes = words->n ? (uint64_t)words->offset[words->n] : 0;
    return (bytes + ((uint64_t)words->n + 1) * sizeof *words->offset) * 3 / 2;
}

static uint64_t column_bytes(const pen__column *column, const int32_t *number, int64_t n)
{
    uint64_t rows = (uint64_t)n, codes = 0;
    switch (column->type) {
    case PEN_COLUMN_TEXT: return pen__strings_pick_bytes(&column->words, number, n, false);
    case PEN_COLUMN_NUMBER: return rows * sizeof *column->number;
    case PEN_COLUMN_VECTOR: return rows * (uint64_t)column->width * sizeof *column->number;
    case PEN_COLUMN_CATEGORY: return words_bytes(&column->words) + rows * sizeof *column->code;
    default: break;
    }
    for (int64_t i = 0; i < n; i++) codes += (uint64_t)(column->begin[number[i] + 1] - column->begin[number[i]]);
    return words_bytes(&column->words) + (rows + 1) * sizeof *column->begin + codes * sizeof *column->code;
}

static uint64_t rows_bytes(int64_t n_rows, int64_t n)
{
    return ((uint64_t)n_rows + 1) * sizeof(int64_t) + (uint64_t)n * (sizeof(int32_t) + sizeof(float));
}

uint64_t pen__catalogue_bytes(const pen__train *train, int with_history)
{
    const pen_dataset *data = train->data;
    const pen__rows *history = &train->history;
    uint64_t bytes = pen__strings_pick_bytes(&data->users, train->data_user, train->n_users, true) +
                     pen__strings_pick_bytes(&data->items, train->data_item, train->n_items, true) +
                     (uint64_t)train->n_items * sizeof(int64_t);
    for (int32_t c = 0; data->item_table.rows && c < data->item_table.n_columns; c++)
        bytes += column_bytes(&data->item_table.column[c], train->data_item, train->n_items);
    if (!with_history) return bytes;
    int64_t n = history->begin[history->n_rows], liked = 0;
    for (int64_t i = 0; i < n; i++) liked += history->value[i] != 0;
    bytes += rows_bytes(history->n_rows, n);
    return train->task == PEN_TASK_RATE || liked == n ? bytes : bytes + rows_bytes(history->n_rows, liked);
}

void pen__catalogue_free(struct pen__catalogue *c)
{
    if (!c) return;
    pen_context *ctx = c->ctx;
    pen__strings_free(&c->users);
    pen__strings_free(&c->items);
    pen__rows_free(ctx, &c->liked);
    if (c->owns_rows) {
        pen__free(ctx, c->history.begin);
        pen__free(ctx, c->history.column);
        pen__free(ctx, c->history.value);
        pen__free(ctx, c->item_events);
    }
    pen__table_free(ctx, &c->item_table);
    pen__free(ctx, c);
}

pen__span pen__catalogue_title(const struct pen__catalogue *c, int32_t item)
{
    const pen__table *table = &c->item_table;
    if (!table->rows || table->title < 0 || item < 0 || item >= table->rows) return (pen__span){"", 0};
    const pen__column *column = &table->column[table->title];
    if (column->type == PEN_COLUMN_TEXT) return pen__strings_at(&column->words, item);
    if (column->type == PEN_COLUMN_CATEGORY && column->code[item] >= 0)
        return pen__strings_at(&column->words, column->code[item]);
    return (pen__span){"", 0};
}

pen__span pen__catalogue_name(const struct pen__catalogue *c, int32_t item)
{
    pen__span title = pen__catalogue_title(c, item);
    return title.length ? title : pen__strings_at(&c->items, item);
}
