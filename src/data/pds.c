/* Data sets as .pds files: docs/formats/pds.md. Columns are tensors, used where they are mapped; opening costs the
 * container's hash, a look at every id and the index of the ids. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "data/dataset.h"
#include "data/digest.h"
#include "data/table_store.h"
#include "store/container.h"

enum { VERSION = 1 };

/* ---- writing ---- */

static void put_flat(pen__container_writer *w, const char *name, pen__dtype dtype, int64_t n, const void *data)
{
    if (data) pen__container_put(w, name, dtype, 1, &n, data);
}

static void put_knowledge(pen__container_writer *w, const pen_dataset *d)
{
    const pen__knowledge *k = &d->knowledge;
    pen__container_put_int(w, "triples", k->n_triples);
    if (!k->item_entity) return;
    put_flat(w, "knowledge.head", PEN_I32, k->n_triples, k->head);
    put_flat(w, "knowledge.relation", PEN_I32, k->n_triples, k->relation);
    put_flat(w, "knowledge.tail", PEN_I32, k->n_triples, k->tail);
    put_flat(w, "knowledge.item_entity", PEN_I32, d->items.n, k->item_entity);
    pen__container_put_strings(w, "knowledge.entities", &k->entities);
    pen__container_put_strings(w, "knowledge.relations", &k->relations);
}

pen_status pen_dataset_save(const pen_dataset *d, const char *path, pen_error *error)
{
    pen__container_writer *w;
    char hash[17];
    PEN_CHECK(d && path, PEN_E_ARGUMENT, "pen_dataset_save: a data set and a path are needed");
    PEN_TRY(pen__container_begin(d->ctx, path, "dataset", VERSION, &w, error));
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)d->hash);
    pen__container_put_meta(w, "content", hash);
    pen__container_put_int(w, "users", d->users.n);
    pen__container_put_int(w, "items", d->items.n);
    pen__container_put_int(w, "events", d->n_events);
    pen__container_put_meta(w, "source", d->source ? d->source : "");
    pen__container_put_meta(w, "notes", pen_dataset_notes(d));
    pen__container_put_strings(w, "users", &d->users);
    pen__container_put_strings(w, "items", &d->items);
    put_flat(w, "event.user", PEN_I32, d->n_events, d->user);
    put_flat(w, "event.item", PEN_I32, d->n_events, d->item);
    put_flat(w, "event.value", PEN_F32, d->n_events, d->value);
    put_flat(w, "event.time", PEN_I64, d->n_events, d->time);
    put_flat(w, "event.type", PEN_I16, d->n_events, d->event);
    if (d->event) pen__container_put_strings(w, "event_types", &d->event_types);
    put_knowledge(w, d);
    pen_status status = d->n_context ? pen__columns_put(d->ctx, w, "context", d->context, d->n_context, error) : PEN_OK;
    if (status == PEN_OK) status = pen__table_put(d->ctx, w, "item_table", &d->item_table, error);
    if (status == PEN_OK) status = pen__table_put(d->ctx, w, "user_table", &d->user_table, error);
    if (status == PEN_OK) return pen__container_commit(w, error);
    pen__container_abort(w);
    return status;
}

/* ---- opening ---- */

/* A string table that is borrowed and keeps the context that will hold its index. */
static pen_status get_strings(const pen__container *c, pen_context *ctx, const char *name, int64_t n, pen__strings *out,
                              pen_error *error)
{
    pen_status status = pen__container_strings(c, name, n, true, out, error);
    out->ctx = ctx;
    return status;
}

static pen_status get_codes(const pen__container *c, const char *name, int64_t n, int64_t high, const int32_t **out,
                            pen_error *error)
{
    return pen__container_ids(c, name, 1, &n, -1, (int32_t)high, out, error);
}

static pen_status get_events(const pen__container *c, pen_dataset *d, pen_error *error)
{
    int64_t n = d->n_events;
    PEN_TRY(pen__container_ids(c, "event.user", 1, &n, 0, (int32_t)d->users.n, &d->user, error));
    PEN_TRY(pen__container_ids(c, "event.item", 1, &n, 0, (int32_t)d->items.n, &d->item, error));
    if (pen__container_find(c, "event.value"))
        PEN_TRY(pen__container_floats(c, "event.value", 1, &n, &d->value, error));
    if (pen__container_find(c, "event.time"))
        PEN_TRY(pen__container_tensor(c, "event.time", PEN_I64, 1, &n, &d->time, error));
    if (!pen__container_find(c, "event.type")) return PEN_OK;
    PEN_TRY(get_strings(c, d->ctx, "event_types", PEN__ANY, &d->event_types, error));
    PEN_TRY(pen__container_tensor(c, "event.type", PEN_I16, 1, &n, &d->event, error));
    for (int64_t i = 0; i < n; i++)
        if (d->event[i] < -1 || d->event[i] >= d->event_types.n)
            return pen__container_unsound(c, error, "'event.type' holds %d at %lld; there are %lld types", d->event[i],
                                          (long long)i, (long long)d->event_types.n);
    return pen__strings_index(&d->event_types, error);
}

static pen_status get_knowledge(const pen__container *c, pen_dataset *d, pen_error *error)
{
    pen__knowledge *k = &d->knowledge;
    PEN_TRY(pen__container_meta_int(c, "triples", 0, INT64_MAX - 1, &k->n_triples, error));
    if (!pen__container_find(c, "knowledge.item_entity")) {
        if (k->n_triples) return pen__container_unsound(c, error, "there are triples, and no 'knowledge.item_entity'");
        return PEN_OK;
    }
    int64_t n = k->n_triples;
    PEN_TRY(get_strings(c, d->ctx, "knowledge.entities", PEN__ANY, &k->entities, error));
    PEN_TRY(get_strings(c, d->ctx, "knowledge.relations", PEN__ANY, &k->relations, error));
    if (k->entities.n >= INT32_MAX || k->relations.n >= INT32_MAX)
        return pen__container_unsound(c, error, "over 2^31 entities or relations");
    PEN_TRY(pen__container_ids(c, "knowledge.head", 1, &n, 0, (int32_t)k->entities.n, &k->head, error));
    PEN_TRY(pen__container_ids(c, "knowledge.relation", 1, &n, 0, (int32_t)k->relations.n, &k->relation, error));
    PEN_TRY(pen__container_ids(c, "knowledge.tail", 1, &n, 0, (int32_t)k->entities.n, &k->tail, error));
    PEN_TRY(get_codes(c, "knowledge.item_entity", d->items.n, k->entities.n, &k->item_entity, error));
    PEN_TRY(pen__strings_index(&k->entities, error));
    return pen__strings_index(&k->relations, error);
}

static pen_status get_ids(const pen__container *c, pen_dataset *d, const char *name, pen__strings *ids,
                          pen_error *error)
{
    int64_t n;
    PEN_TRY(pen__container_meta_int(c, name, 1, INT32_MAX - 1, &n, error));
    PEN_TRY(get_strings(c, d->ctx, name, n, ids, error));
    pen_status status = pen__strings_index(ids, error);
    return status == PEN_E_FORMAT ? pen__container_unsound(c, error, "an id stands twice in '%s'", name) : status;
}

static pen_status get_text(const pen__container *c, pen_context *ctx, const char *key, char **out, pen_error *error)
{
    const char *text = pen__container_meta(c, key);
    if (!text) return pen__container_unsound(c, error, "'%s' is absent", key);
    PEN_CHECK((*out = pen__strndup(ctx, text, strlen(text))), PEN_E_MEMORY, "out of memory for '%s'", key);
    return PEN_OK;
}

static pen_status get_hash(const pen__container *c, uint64_t *hash, pen_error *error)
{
    const char *text = pen__container_meta(c, "content");
    *hash = 0;
    for (int i = 0; i < 16; i++) {
        char digit = text ? text[i] : 0;
        int value = digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
        if (value < 0) return pen__container_unsound(c, error, "'content' is not 16 hexadecimal digits");
        *hash = *hash << 4 | (uint64_t)value;
    }
    if (text[16]) return pen__container_unsound(c, error, "'content' is not 16 hexadecimal digits");
    return PEN_OK;
}

pen_status pen__dataset_from_container(pen_context *ctx, pen__container *c, pen_dataset **out, pen_error *error)
{
    pen_dataset *d;
    pen_status status = PEN_OK;
    *out = NULL;
    status = pen__dataset_new(ctx, &d, error);
    if (status != PEN_OK) {
        pen__container_close(c);
        return status;
    }
    d->container = c;
    PEN_TRY_DONE(get_hash(c, &d->hash, error));
    PEN_TRY_DONE(pen__container_meta_int(c, "events", 1, INT64_MAX / 64, &d->n_events, error));
    PEN_TRY_DONE(get_ids(c, d, "users", &d->users, error));
    PEN_TRY_DONE(get_ids(c, d, "items", &d->items, error));
    PEN_TRY_DONE(get_events(c, d, error));
    PEN_TRY_DONE(pen__columns_get(c, ctx, "context", d->n_events, &d->context, &d->n_context, error));
    PEN_TRY_DONE(pen__table_get(c, ctx, "item_table", d->items.n, &d->item_table, error));
    PEN_TRY_DONE(pen__table_get(c, ctx, "user_table", d->users.n, &d->user_table, error));
    PEN_TRY_DONE(get_knowledge(c, d, error));
    PEN_TRY_DONE(get_text(c, ctx, "notes", &d->notes, error));
    PEN_TRY_DONE(get_text(c, ctx, "source", &d->source, error));
    *out = d;
done:
    if (status != PEN_OK) pen_dataset_destroy(d);
    return status;
}

pen_status pen_dataset_open(pen_context *ctx, const char *path, pen_dataset **dataset, pen_error *error)
{
    pen__container *c;
    PEN_CHECK(ctx && path && dataset, PEN_E_ARGUMENT,
              "pen_dataset_open: a context, a path and a place for the data set are needed");
    *dataset = NULL;
    PEN_TRY(pen__container_open(ctx, path, "dataset", VERSION, 0, &c, error));
    return pen__dataset_from_container(ctx, c, dataset, error);
}

/* Whether a file begins as every container does. Anything that cannot be looked at is not one: opening it as text says
 * why. */
static bool is_container(const char *path)
{
    static const char start[] = "{\"__metadata__\":";
    char bytes[8 + sizeof start - 1];
    if (!path || !strcmp(path, "-")) return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    ssize_t got = pread(fd, bytes, sizeof bytes, 0); /* fails on a pipe, and takes nothing from it */
    close(fd);
    return got == (ssize_t)sizeof bytes && !memcmp(bytes + 8, start, sizeof start - 1);
}

pen_status pen_dataset_load(pen_context *ctx, const char *const *paths, size_t n_paths, const pen_read_options *options,
                            pen_dataset **dataset, pen_error *error)
{
    PEN_CHECK(ctx && paths && n_paths && dataset, PEN_E_ARGUMENT,
              "pen_dataset_load: a context, at least one path and a place for the data set are needed");
    *dataset = NULL;
    size_t n = 0;
    for (size_t i = 0; i < n_paths; i++) n += is_container(paths[i]);
    if (!n) return pen_dataset_read(ctx, paths, n_paths, options, dataset, error);
    if (options && options->struct_size >= sizeof *options) {
        bool beside = options->items_path || options->users_path || options->triples_path || options->links_path;
        PEN_CHECK(!beside, PEN_E_ARGUMENT,
                  "'%s' holds its tables already; --items, --users and --knowledge go with text (import them together)",
                  paths[0]);
    }
    PEN_CHECK(n_paths == 1, PEN_E_ARGUMENT, "%zu files, %zu of them .pds: give one .pds, or text files alone", n_paths,
              n);
    return pen_dataset_open(ctx, paths[0], dataset, error);
}
