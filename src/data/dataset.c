/* Data sets: making and freeing them, their ids, the hash of their content, and joining two. */
#include "data/dataset.h"

#include <string.h>

#include "base/progress.h"
#include "data/read.h"
#include "data/table_store.h"
#include "store/container.h"

/* ---- options ---- */

static pen_status check_options(const pen_read_options *given, pen_read_options *options, pen_error *error)
{
    static const pen_read_options defaults = PEN_READ_OPTIONS_INIT;
    *options = defaults;
    if (!given) return PEN_OK;
    PEN_CHECK(given->struct_size >= sizeof given->struct_size && given->struct_size <= sizeof *options, PEN_E_ARGUMENT,
              "pen_read_options.struct_size is %zu; this library knows up to %zu", given->struct_size, sizeof *options);
    memcpy(options, given, given->struct_size);
    PEN_CHECK(options->header >= -1 && options->header <= 1, PEN_E_ARGUMENT, "header is %d; allowed are 1 (there is one), 0 (none), -1 (guess)",
              options->header);
    PEN_CHECK(!options->n_context_columns || options->context_columns, PEN_E_ARGUMENT, "context_columns is NULL, n_context_columns %zu",
              options->n_context_columns);
    return PEN_OK;
}

pen_status pen_dataset_read(pen_context *ctx, const char *const *paths, size_t n_paths, const pen_read_options *given, pen_dataset **dataset,
                            pen_error *error)
{
    pen_read_options options;
    pen__stream **stream = NULL;
    pen_status status = PEN_OK;
    PEN_CHECK(ctx && dataset && paths && n_paths, PEN_E_ARGUMENT, "pen_dataset_read: a context, at least one path and a place for the data set are needed");
    *dataset = NULL;
    pen__cancel_clear(ctx);
    PEN_TRY(check_options(given, &options, error));
    PEN_TRY(PEN_NEW_ZERO(ctx, stream, n_paths));
    for (size_t i = 0; i < n_paths; i++) PEN_TRY_DONE(pen__stream_open(ctx, paths[i], &stream[i], error));
    status = pen__read_log(ctx, stream, n_paths, &options, dataset, error);
done:
    for (size_t i = 0; i < n_paths; i++) pen__stream_close(stream[i]);
    pen__free(ctx, stream);
    return status;
}

/* ---- the parts ---- */

pen_status pen__dataset_new(pen_context *ctx, pen_dataset **out, pen_error *error)
{
    PEN_TRY(pen__new(ctx, out, 1, sizeof **out, true, error));
    pen_dataset *d = *out;
    d->ctx = ctx;
    d->users.ctx = d->items.ctx = d->event_types.ctx = d->knowledge.entities.ctx = d->knowledge.relations.ctx = ctx;
    d->item_table.title = d->user_table.title = -1;
    return PEN_OK;
}

static void release(pen_context *ctx, const void *array) { pen__free(ctx, (void *)(uintptr_t)array); }

void pen_dataset_destroy(pen_dataset *d)
{
    if (!d) return;
    pen_context *ctx = d->ctx;
    bool borrowed = d->container != NULL;
    const void *const arrays[] = {d->user, d->item, d->value, d->time, d->event, d->knowledge.head, d->knowledge.relation,
                                  d->knowledge.tail, d->knowledge.item_entity};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays && !borrowed; i++) release(ctx, arrays[i]);
    pen__strings *const strings[] = {&d->users, &d->items, &d->event_types, &d->knowledge.entities, &d->knowledge.relations};
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) pen__strings_free(strings[i]);
    pen__columns_free(ctx, d->context, d->n_context, borrowed);
    pen__columns_free(ctx, d->item_table.column, d->item_table.n_columns, borrowed);
    pen__columns_free(ctx, d->user_table.column, d->user_table.n_columns, borrowed);
    pen__free(ctx, d->notes);
    pen__free(ctx, d->source);
    pen__container_close(d->container);
    pen__free(ctx, d);
}

int32_t pen_dataset_users(const pen_dataset *d) { return (int32_t)d->users.n; }
int32_t pen_dataset_items(const pen_dataset *d) { return (int32_t)d->items.n; }
int64_t pen_dataset_events(const pen_dataset *d) { return d->n_events; }
const char *pen_dataset_notes(const pen_dataset *d) { return d->notes ? d->notes : "{}"; }

static const char *id_at(const pen__strings *ids, int32_t number, size_t *length)
{
    bool there = number >= 0 && number < ids->n;
    pen__span id = there ? pen__strings_at(ids, number) : (pen__span){NULL, 0};
    if (length) *length = id.length;
    return id.text;
}

const char *pen_dataset_user_id(const pen_dataset *d, int32_t user, size_t *length) { return id_at(&d->users, user, length); }
const char *pen_dataset_item_id(const pen_dataset *d, int32_t item, size_t *length) { return id_at(&d->items, item, length); }

int32_t pen_dataset_find_user(const pen_dataset *d, const char *id, size_t length) { return pen__strings_find(&d->users, (pen__span){id, length}); }
int32_t pen_dataset_find_item(const pen_dataset *d, const char *id, size_t length) { return pen__strings_find(&d->items, (pen__span){id, length}); }

pen__span pen__dataset_title(const pen_dataset *d, int32_t item)
{
    const pen__table *table = &d->item_table;
    if (!table->rows || table->title < 0 || item < 0 || item >= table->rows) return (pen__span){NULL, 0};
    const pen__column *column = &table->column[table->title];
    if (column->type == PEN_COLUMN_TEXT) return pen__strings_at(&column->words, item);
    if (column->type != PEN_COLUMN_CATEGORY || column->code[item] < 0) return (pen__span){NULL, 0};
    return pen__strings_at(&column->words, column->code[item]);
}
