/* Typed columns in a container. What comes out is validated and borrowed: nothing is copied but names. */
#include "data/table_store.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char *const type_name[] = {"", "category", "categories", "number", "text", "vector"};
enum { MAX_COLUMNS = 100000, MAX_WIDTH = 1 << 20 };

const char *pen__column_type_name(int type) { return type_name[type]; }

static void part(char *out, size_t room, const char *prefix, int32_t c, const char *what)
{
    snprintf(out, room, "%s.%d.%s", prefix, (int)c, what);
}

static void put_column(pen__container_writer *w, const char *prefix, int32_t c, const pen__column *column)
{
    char name[128];
    part(name, sizeof name, prefix, c, "words");
    if (column->type == PEN_COLUMN_TEXT || column->code) pen__container_put_strings(w, name, &column->words);
    int64_t codes = column->rows;
    if (column->type == PEN_COLUMN_CATEGORIES) {
        part(name, sizeof name, prefix, c, "begin");
        pen__container_put(w, name, PEN_I64, 1, (int64_t[]){column->rows + 1}, column->begin);
        codes = column->begin[column->rows];
    }
    if (column->code) {
        part(name, sizeof name, prefix, c, "code");
        pen__container_put(w, name, PEN_I32, 1, &codes, column->code);
    }
    if (column->number) {
        int vector = column->type == PEN_COLUMN_VECTOR;
        part(name, sizeof name, prefix, c, "number");
        pen__container_put(w, name, PEN_F32, vector ? 2 : 1, (int64_t[]){column->rows, column->width}, column->number);
    }
}

pen_status pen__columns_put(pen_context *ctx, pen__container_writer *w, const char *prefix, const pen__column *column,
                            int32_t n, pen_error *error)
{
    pen__text list = {.ctx = ctx};
    pen__text_puts(&list, "[");
    for (int32_t c = 0; c < n; c++) {
        pen__text_puts(&list, c ? ", {\"name\": " : "{\"name\": ");
        pen__text_json(&list, column[c].name, strlen(column[c].name));
        pen__text_printf(&list, ", \"type\": \"%s\", \"width\": %d}", type_name[column[c].type], (int)column[c].width);
        put_column(w, prefix, c, &column[c]);
    }
    pen__text_puts(&list, "]");
    int failed = list.failed;
    if (!failed) pen__container_put_meta(w, prefix, list.bytes);
    pen__text_free(&list);
    PEN_CHECK(!failed, PEN_E_MEMORY, "out of memory writing a table");
    return PEN_OK;
}

/* The types of values that `number` needs: finite or NaN (missing). */
static pen_status get_numbers(const pen__container *c, const char *name, pen__column *column, pen_error *error)
{
    int vector = column->type == PEN_COLUMN_VECTOR;
    int64_t shape[2] = {column->rows, column->width};
    PEN_TRY(pen__container_tensor(c, name, PEN_F32, vector ? 2 : 1, shape, &column->number, error));
    int64_t n = column->rows * (vector ? column->width : 1);
    for (int64_t i = 0; i < n; i++)
        if (column->number[i] - column->number[i] != 0 && column->number[i] == column->number[i])
            return pen__container_unsound(c, error, "tensor '%s' holds an infinite number at %lld", name, (long long)i);
    return PEN_OK;
}

static pen_status get_arrays(const pen__container *c, const char *prefix, int32_t at, pen__column *column,
                             pen_error *error)
{
    char name[128];
    if (column->type == PEN_COLUMN_NUMBER || column->type == PEN_COLUMN_VECTOR) {
        part(name, sizeof name, prefix, at, "number");
        return get_numbers(c, name, column, error);
    }
    part(name, sizeof name, prefix, at, "words");
    PEN_TRY(pen__container_strings(c, name, column->type == PEN_COLUMN_TEXT ? column->rows : PEN__ANY, true,
                                   &column->words, error));
    if (column->type == PEN_COLUMN_TEXT) return PEN_OK;
    int64_t codes = column->rows;
    if (column->type == PEN_COLUMN_CATEGORIES) {
        part(name, sizeof name, prefix, at, "begin");
        PEN_TRY(pen__container_offsets(c, name, column->rows, PEN__ANY, &column->begin, error));
        codes = column->begin[column->rows];
    }
    part(name, sizeof name, prefix, at, "code");
    int32_t least = column->type == PEN_COLUMN_CATEGORY ? -1 : 0;
    return pen__container_ids(c, name, 1, &codes, least, (int32_t)column->words.n, &column->code, error);
}

static pen_status get_column(const pen__container *c, pen_context *ctx, const char *prefix, int32_t at, json_t *item,
                             int64_t rows, pen__column *column, pen_error *error)
{
    const char *name = json_string_value(json_object_get(item, "name")),
               *type = json_string_value(json_object_get(item, "type"));
    json_int_t width = json_integer_value(json_object_get(item, "width"));
    *column = (pen__column){.rows = rows, .words = {.ctx = ctx}};
    if (!name || !type || width < 0 || width > MAX_WIDTH)
        return pen__container_unsound(c, error, "metadata '%s' is not a list of columns", prefix);
    for (int t = PEN_COLUMN_CATEGORY; t <= PEN_COLUMN_VECTOR; t++)
        if (!strcmp(type, type_name[t])) column->type = t;
    if (!column->type)
        return pen__container_unsound(c, error, "metadata '%s' has a column of unknown type '%.40s'", prefix, type);
    column->width = (int32_t)width;
    column->name = pen__strndup(ctx, name, strlen(name));
    PEN_CHECK(column->name, PEN_E_MEMORY, "out of memory reading a table");
    return get_arrays(c, prefix, at, column, error);
}

pen_status pen__columns_get(const pen__container *c, pen_context *ctx, const char *prefix, int64_t rows,
                            pen__column **column, int32_t *n, pen_error *error)
{
    const char *meta = pen__container_meta(c, prefix);
    *column = NULL;
    *n = 0;
    if (!meta) return PEN_OK;
    json_t *list = json_loads(meta, JSON_REJECT_DUPLICATES, NULL);
    pen_status status = PEN_OK;
    if (!json_is_array(list) || json_array_size(list) > MAX_COLUMNS) {
        status = pen__container_unsound(c, error, "metadata '%s' is not a list of columns", prefix);
        goto done;
    }
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, *column, json_array_size(list) + 1));
    for (size_t i = 0; i < json_array_size(list) && status == PEN_OK; i++) {
        status = get_column(c, ctx, prefix, (int32_t)i, json_array_get(list, i), rows, &(*column)[i], error);
        ++*n;
    }
done:
    json_decref(list);
    if (status != PEN_OK) {
        pen__columns_free(ctx, *column, *n, 1);
        *column = NULL;
        *n = 0;
    }
    return status;
}

void pen__columns_free(pen_context *ctx, pen__column *column, int32_t n, int borrowed)
{
    for (int32_t c = 0; c < n; c++) {
        pen__free(ctx, (void *)(uintptr_t)column[c].name);
        pen__strings_free(&column[c].words);
        if (borrowed) continue;
        pen__free(ctx, (void *)(uintptr_t)column[c].code);
        pen__free(ctx, (void *)(uintptr_t)column[c].begin);
        pen__free(ctx, (void *)(uintptr_t)column[c].number);
    }
    pen__free(ctx, column);
}

pen_status pen__table_put(pen_context *ctx, pen__container_writer *w, const char *prefix, const pen__table *table,
                          pen_error *error)
{
    char key[96];
    if (!table->rows) return PEN_OK;
    snprintf(key, sizeof key, "%s.title", prefix);
    pen__container_put_int(w, key, table->title);
    return pen__columns_put(ctx, w, prefix, table->column, table->n_columns, error);
}

pen_status pen__table_get(const pen__container *c, pen_context *ctx, const char *prefix, int64_t rows,
                          pen__table *table, pen_error *error)
{
    char key[96];
    int64_t title;
    *table = (pen__table){.title = -1, .borrowed = 1};
    if (!pen__container_meta(c, prefix)) return PEN_OK;
    PEN_TRY(pen__columns_get(c, ctx, prefix, rows, &table->column, &table->n_columns, error));
    table->rows = rows;
    snprintf(key, sizeof key, "%s.title", prefix);
    PEN_TRY(pen__container_meta_int(c, key, -1, table->n_columns - 1, &title, error));
    table->title = (int32_t)title;
    return PEN_OK;
}
