/* Writing containers. Tensors are declared first, so that the header with all offsets can be written before the data;
 * the hash runs along and its digits, which stand at a fixed place, are patched in at the end. Nothing is copied: the
 * data is borrowed, or comes in pieces from a source. Each MiB is hashed and written while it is in the cache.
 *
 * A failure of a put is kept in the writer and comes out of commit, so that callers need not look at each.
 */
#include <stdio.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY /* for the state's size: libxxhash would take it from malloc */
#include <xxhash.h>

#include "base/file.h"
#include "store/container_layout.h"

enum { PIECE = 1 << 20 };

typedef struct entry {
    char *name;
    const void *data;
    pen__container_source source;
    void *arg;
    int64_t shape[PEN__MAX_DIMS];
    size_t bytes, begin; /* begin: from the start of the data */
    pen__dtype dtype;
    int n_dims;
} entry;

typedef struct pair {
    char *key, *value;
} pair;

struct pen__container_writer {
    XXH3_state_t hash; /* first: it wants the alignment of the block */
    pen_context *ctx;
    pen__writer *out;
    char *path;
    entry *entries;
    pair *pairs;
    size_t n_entries, cap_entries, n_pairs, cap_pairs;
    size_t expected; /* bytes that the source at work still owes */
    pen_status failed;
    pen_error error; /* of the first failure */
};

static void writer_free(pen__container_writer *w)
{
    pen_context *ctx = w->ctx;
    pen__writer_abort(w->out);
    for (size_t i = 0; i < w->n_entries; i++) pen__free(ctx, w->entries[i].name);
    for (size_t i = 0; i < w->n_pairs; i++) pen__free(ctx, w->pairs[i].key), pen__free(ctx, w->pairs[i].value);
    pen__free(ctx, w->entries);
    pen__free(ctx, w->pairs);
    pen__free(ctx, w->path);
    pen__free(ctx, w);
}

void pen__container_abort(pen__container_writer *w)
{
    if (w) writer_free(w);
}

/* ---- declaring --------------------------------------------------------------------------------------------------- */
static pen_status duplicate(pen_context *ctx, const char *text, char **copy, pen_error *error)
{
    *copy = pen__strndup(ctx, text, strlen(text));
    return *copy ? PEN_OK : pen__fail(error, PEN_E_MEMORY, "out of memory for a container's header");
}

static pen_status add_pair(pen__container_writer *w, const char *key, const char *value, pen_error *error)
{
    PEN_CHECK(pen__container_name_ok(key), PEN_E_ARGUMENT,
              "'%s': a metadata key is 1 to 255 bytes of UTF-8 without control characters", key);
    PEN_CHECK(pen__utf8_invalid(value, strlen(value)) == strlen(value), PEN_E_ARGUMENT,
              "metadata '%s' is not valid UTF-8", key);
    PEN_CHECK(strcmp(key, "hash"), PEN_E_ARGUMENT, "metadata 'hash' is the container's own");
    for (size_t i = 0; i < w->n_pairs; i++)
        PEN_CHECK(strcmp(w->pairs[i].key, key), PEN_E_ARGUMENT, "metadata '%s' is there already", key);
    PEN_TRY(PEN_GROW(w->ctx, w->pairs, &w->cap_pairs, w->n_pairs + 1));
    pair *p = &w->pairs[w->n_pairs];
    *p = (pair){0};
    w->n_pairs++; /* now writer_free knows it, half made or not */
    PEN_TRY(duplicate(w->ctx, key, &p->key, error));
    return duplicate(w->ctx, value, &p->value, error);
}

static pen_status add_entry(pen__container_writer *w, const char *name, entry made, const int64_t *shape,
                            pen_error *error)
{
    int64_t n;
    char text[128];
    PEN_CHECK(
        pen__container_name_ok(name) && strncmp(name, "__", 2), PEN_E_ARGUMENT,
        "'%s': a tensor's name is 1 to 255 bytes of UTF-8 without control characters, and does not begin with '__'",
        name);
    PEN_CHECK(made.n_dims >= 0 && made.n_dims <= PEN__MAX_DIMS, PEN_E_ARGUMENT,
              "tensor '%s' has %d dimensions; allowed are 0 to %d", name, made.n_dims, PEN__MAX_DIMS);
    PEN_CHECK(pen__shape_size(made.dtype, made.n_dims, shape, &n, &made.bytes), PEN_E_LIMIT,
              "tensor '%s' cannot have the shape %s", name, pen__shape_text(made.n_dims, shape, text, sizeof text));
    PEN_CHECK(made.data || made.source || n == 0, PEN_E_ARGUMENT, "tensor '%s' has no data", name);
    for (size_t i = 0; i < w->n_entries; i++)
        PEN_CHECK(strcmp(w->entries[i].name, name), PEN_E_ARGUMENT, "tensor '%s' is there already", name);
    PEN_TRY(PEN_GROW(w->ctx, w->entries, &w->cap_entries, w->n_entries + 1));
    for (int i = 0; i < made.n_dims; i++) made.shape[i] = shape[i];
    entry *e = &w->entries[w->n_entries];
    *e = made;
    w->n_entries++;
    return duplicate(w->ctx, name, &e->name, error);
}

pen_status pen__container_begin(pen_context *ctx, const char *path, const char *kind, int version,
                                pen__container_writer **writer, pen_error *error)
{
    pen_status status = PEN_OK;
    pen__container_writer *w = NULL;
    char text[32];
    *writer = NULL;
    PEN_CHECK(!path || strcmp(path, "-"), PEN_E_ARGUMENT,
              "a '%s' file cannot be written to standard output: its hash comes last "
              "but stands first; give the path of a file",
              kind);
    PEN_CHECK(version >= 1, PEN_E_ARGUMENT, "a container's version is at least 1, not %d", version);
    PEN_TRY(PEN_NEW_ZERO(ctx, w, 1));
    w->ctx = ctx;
    PEN_TRY_DONE(pen__writer_open(ctx, path, &w->out, error));
    PEN_TRY_DONE(duplicate(ctx, path, &w->path, error));
    PEN_TRY_DONE(add_pair(w, "format", "penchant", error));
    snprintf(text, sizeof text, "%d", PEN__CONTAINER_VERSION);
    PEN_TRY_DONE(add_pair(w, "container", text, error));
    PEN_TRY_DONE(add_pair(w, "kind", kind, error));
    snprintf(text, sizeof text, "%d", version);
    PEN_TRY_DONE(add_pair(w, "version", text, error));
    PEN_TRY_DONE(add_pair(w, "writer", pen_version(), error));
done:
    if (status == PEN_OK)
        *writer = w;
    else
        writer_free(w);
    return status;
}

void pen__container_put_meta(pen__container_writer *w, const char *key, const char *value)
{
    if (w->failed == PEN_OK) w->failed = add_pair(w, key, value, &w->error);
}

void pen__container_put_int(pen__container_writer *w, const char *key, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    pen__container_put_meta(w, key, text);
}

void pen__container_put(pen__container_writer *w, const char *name, pen__dtype dtype, int n_dims, const int64_t *shape,
                        const void *data)
{
    entry made = {.data = data, .dtype = dtype, .n_dims = n_dims};
    if (w->failed == PEN_OK) w->failed = add_entry(w, name, made, shape, &w->error);
}

void pen__container_put_source(pen__container_writer *w, const char *name, pen__dtype dtype, int n_dims,
                               const int64_t *shape, pen__container_source source, void *arg)
{
    entry made = {.source = source, .arg = arg, .dtype = dtype, .n_dims = n_dims};
    if (w->failed == PEN_OK) w->failed = add_entry(w, name, made, shape, &w->error);
}

void pen__container_put_strings(pen__container_writer *w, const char *name, const pen__strings *strings)
{
    static const int64_t none[1] = {0};
    const int64_t *offsets = strings->n ? strings->offset : none;
    char part[300];
    snprintf(part, sizeof part, "%s.bytes", name);
    pen__container_put(w, part, PEN_U8, 1, &offsets[strings->n], strings->bytes);
    snprintf(part, sizeof part, "%s.offsets", name);
    pen__container_put(w, part, PEN_I64, 1, (int64_t[]){strings->n + 1}, offsets);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */
static void describe(pen__text *text, const char *name, const char *dtype, int n_dims, const int64_t *shape,
                     size_t begin, size_t end)
{
    pen__text_puts(text, ",");
    pen__text_json(text, name, strlen(name));
    pen__text_printf(text, ":{\"dtype\":\"%s\",\"shape\":[", dtype);
    for (int i = 0; i < n_dims; i++) pen__text_printf(text, "%s%lld", i ? "," : "", (long long)shape[i]);
    pen__text_printf(text, "],\"data_offsets\":[%zu,%zu]}", begin, end);
}

/* Where each tensor goes, with pads between them, as the header's text. */
static pen_status lay_out(pen__container_writer *w, pen__text *text, pen_error *error)
{
    pen__text_puts(text, PEN__HEADER_PREFIX PEN__NO_DIGITS "\"");
    for (size_t i = 0; i < w->n_pairs; i++) {
        pen__text_puts(text, ",");
        pen__text_json(text, w->pairs[i].key, strlen(w->pairs[i].key));
        pen__text_puts(text, ":");
        pen__text_json(text, w->pairs[i].value, strlen(w->pairs[i].value));
    }
    pen__text_puts(text, "}");
    size_t at = 0;
    int n_pads = 0;
    for (size_t i = 0; i < w->n_entries; i++) {
        entry *e = &w->entries[i];
        int64_t pad = (int64_t)((PEN__ALIGN - at % PEN__ALIGN) % PEN__ALIGN);
        if (pad) {
            char name[32];
            snprintf(name, sizeof name, PEN__PAD_PREFIX "%d", n_pads++);
            describe(text, name, "U8", 1, &pad, at, at + (size_t)pad);
        }
        e->begin = at + (size_t)pad;
        PEN_CHECK(pen__add(e->begin, e->bytes, &at) && at < (size_t)1 << 62, PEN_E_LIMIT,
                  "the tensors for '%s' are too large", w->path);
        describe(text, e->name, pen__dtype_name(e->dtype), e->n_dims, e->shape, e->begin, at);
    }
    pen__text_puts(text, "}");
    while (!text->failed && (PEN__LENGTH_BYTES + text->length) % PEN__ALIGN) pen__text_puts(text, " ");
    PEN_CHECK(!text->failed, PEN_E_MEMORY, "out of memory for the header of '%s'", w->path);
    PEN_CHECK(text->length <= PEN__HEADER_LIMIT, PEN_E_LIMIT,
              "the header of '%s' would have %zu bytes; at most %d are allowed: put "
              "long metadata into a tensor",
              w->path, text->length, PEN__HEADER_LIMIT);
    return PEN_OK;
}

static pen_status write_hashed(pen__container_writer *w, const void *bytes, size_t n, pen_error *error)
{
    for (const char *from = bytes; n > 0;) {
        size_t piece = n < PIECE ? n : PIECE;
        XXH3_64bits_update(&w->hash, from, piece);
        PEN_TRY(pen__writer_write(w->out, from, piece, error));
        from += piece, n -= piece;
    }
    return PEN_OK;
}

pen_status pen__container_push(pen__container_writer *w, const void *bytes, size_t n, pen_error *error)
{
    PEN_CHECK(n <= w->expected, PEN_E_ARGUMENT, "%zu bytes too many were given for a tensor of '%s'", n - w->expected,
              w->path);
    w->expected -= n;
    return write_hashed(w, bytes, n, error);
}

static pen_status write_entry(pen__container_writer *w, const entry *e, pen_error *error)
{
    if (!e->source) return write_hashed(w, e->data, e->bytes, error);
    w->expected = e->bytes;
    PEN_TRY(e->source(e->arg, w, error));
    PEN_CHECK(w->expected == 0, PEN_E_ARGUMENT, "%zu bytes of tensor '%s' were not given", w->expected, e->name);
    return PEN_OK;
}

static pen_status write_all(pen__container_writer *w, const pen__text *header, pen_error *error)
{
    static const char zeros[PEN__ALIGN];
    uint64_t length = header->length;
    XXH3_64bits_reset(&w->hash);
    PEN_TRY(write_hashed(w, &length, sizeof length, error));
    PEN_TRY(write_hashed(w, header->bytes, header->length, error));
    size_t at = 0;
    for (size_t i = 0; i < w->n_entries; i++) {
        const entry *e = &w->entries[i];
        PEN_TRY(write_hashed(w, zeros, e->begin - at, error));
        PEN_TRY(write_entry(w, e, error));
        at = e->begin + e->bytes;
    }
    char digits[PEN__HASH_DIGITS + 1];
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)XXH3_64bits_digest(&w->hash));
    return pen__writer_patch(w->out, PEN__HASH_AT, digits, PEN__HASH_DIGITS, error);
}

pen_status pen__container_commit(pen__container_writer *w, pen_error *error)
{
    pen_status status = w->failed;
    pen__text header = {.ctx = w->ctx};
    if (status != PEN_OK) {
        if (error) *error = w->error;
        goto done;
    }
    PEN_TRY_DONE(lay_out(w, &header, error));
    PEN_TRY_DONE(write_all(w, &header, error));
    pen__writer *out = w->out;
    w->out = NULL;
    status = pen__writer_commit(out, error);
done:
    pen__text_free(&header);
    writer_free(w);
    return status;
}
