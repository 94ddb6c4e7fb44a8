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
    PEN_CHECK(options->header >= -1 && options->header <= 1, PEN_E_ARGUMENT,
              "header is %d; allowed are 1 (there is one), 0 (none), -1 (guess)", options->header);
    PEN_CHECK(!options->n_context_columns || options->context_columns, PEN_E_ARGUMENT,
              "context_columns is NULL, n_context_columns %zu", options->n_context_columns);
    return PEN_OK;
}

/* Whether a path, without .gz or .zst, ends so. */
static bool has_ending(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);
    if (n > 3 && !strcmp(path + n - 3, ".gz")) n -= 3;
    if (n > 4 && !strcmp(path + n - 4, ".zst")) n -= 4;
    return n > m && !memcmp(path + n - m, ending, m);
}

/* The streams of a reading: logs and what stands beside them. RecBole's endings among the paths say what a file is. */
typedef struct inputs {
    pen__stream **log;
    size_t n;
    pen__beside beside;
} inputs;

static pen_status open_one(pen_context *ctx, const char *path, const char *what, pen__stream **stream, pen_error *error)
{
    if (!path || !*path) return PEN_OK;
    PEN_CHECK(!*stream, PEN_E_ARGUMENT, "two files for the %s: '%s' and '%s'", what, pen__stream_name(*stream), path);
    return pen__stream_open(ctx, path, stream, error);
}

static pen_status open_inputs(pen_context *ctx, const char *const *paths, size_t n, const pen_read_options *options,
                              inputs *in, pen_error *error)
{
    PEN_TRY(open_one(ctx, options->items_path, "items", &in->beside.items, error));
    PEN_TRY(open_one(ctx, options->users_path, "users", &in->beside.users, error));
    PEN_TRY(open_one(ctx, options->triples_path, "triples", &in->beside.triples, error));
    PEN_TRY(open_one(ctx, options->links_path, "links", &in->beside.links, error));
    for (size_t i = 0; i < n; i++) {
        const char *path = paths[i];
        PEN_CHECK(path, PEN_E_ARGUMENT, "path %zu is NULL", i + 1);
        if (n > 1 && has_ending(path, ".item") && !has_ending(path, "u.item"))
            PEN_TRY(open_one(ctx, path, "items", &in->beside.items, error));
        else if (n > 1 && has_ending(path, ".user") && !has_ending(path, "u.user"))
            PEN_TRY(open_one(ctx, path, "users", &in->beside.users, error));
        else if (n > 1 && has_ending(path, ".kg"))
            PEN_TRY(open_one(ctx, path, "triples", &in->beside.triples, error));
        else if (n > 1 && has_ending(path, ".link"))
            PEN_TRY(open_one(ctx, path, "links", &in->beside.links, error));
        else {
            PEN_TRY(pen__stream_open(ctx, path, &in->log[in->n], error));
            in->n++;
        }
    }
    PEN_CHECK(in->n, PEN_E_ARGUMENT, "no log among the %zu files, only tables", n);
    PEN_CHECK(in->beside.triples || !in->beside.links, PEN_E_ARGUMENT,
              "'%s' links items to entities, but there are no triples (--knowledge TRIPLES,LINKS)",
              pen__stream_name(in->beside.links));
    return PEN_OK;
}

pen_status pen_dataset_read(pen_context *ctx, const char *const *paths, size_t n_paths, const pen_read_options *given,
                            pen_dataset **dataset, pen_error *error)
{
    pen_read_options options;
    inputs in = {0};
    PEN_CHECK(ctx && dataset && paths && n_paths, PEN_E_ARGUMENT,
              "pen_dataset_read: a context, at least one path and a place for the data set are needed");
    *dataset = NULL;
    pen__cancel_clear(ctx);
    PEN_TRY(check_options(given, &options, error));
    PEN_TRY(PEN_NEW_ZERO(ctx, in.log, n_paths));
    pen_status status = open_inputs(ctx, paths, n_paths, &options, &in, error);
    if (status == PEN_OK) status = pen__read_log(ctx, in.log, in.n, &in.beside, &options, dataset, error);
    for (size_t i = 0; i < n_paths; i++) pen__stream_close(in.log[i]);
    pen__stream_close(in.beside.items);
    pen__stream_close(in.beside.users);
    pen__stream_close(in.beside.triples);
    pen__stream_close(in.beside.links);
    pen__free(ctx, in.log);
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
    const void *const arrays[] = {d->user,
                                  d->item,
                                  d->value,
                                  d->time,
                                  d->event,
                                  d->knowledge.head,
                                  d->knowledge.relation,
                                  d->knowledge.tail,
                                  d->knowledge.item_entity};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays && !borrowed; i++) release(ctx, arrays[i]);
    pen__strings *const strings[] = {&d->users, &d->items, &d->event_types, &d->knowledge.entities,
                                     &d->knowledge.relations};
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

const char *pen_dataset_user_id(const pen_dataset *d, int32_t user, size_t *length)
{
    return id_at(&d->users, user, length);
}
const char *pen_dataset_item_id(const pen_dataset *d, int32_t item, size_t *length)
{
    return id_at(&d->items, item, length);
}

int32_t pen_dataset_find_user(const pen_dataset *d, const char *id, size_t length)
{
    return pen__strings_find(&d->users, (pen__span){id, length});
}
int32_t pen_dataset_find_item(const pen_dataset *d, const char *id, size_t length)
{
    return pen__strings_find(&d->items, (pen__span){id, length});
}

pen__span pen__dataset_title(const pen_dataset *d, int32_t item)
{
    const pen__table *table = &d->item_table;
    if (!table->rows || table->title < 0 || item < 0 || item >= table->rows) return (pen__span){NULL, 0};
    const pen__column *column = &table->column[table->title];
    if (column->type == PEN_COLUMN_TEXT) return pen__strings_at(&column->words, item);
    if (column->type != PEN_COLUMN_CATEGORY || column->code[item] < 0) return (pen__span){NULL, 0};
    return pen__strings_at(&column->words, column->code[item]);
}
