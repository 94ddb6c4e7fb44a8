/* Reading containers: map, then trust nothing. In turn: the length of the header, its JSON (jansson: no duplicate keys,
 * bounded depth), the metadata that says whose file it is and which version, each tensor's dtype, shape and place, that
 * the tensors cover the file without holes or overlaps and are aligned, and the hash of every byte. Nothing of the file
 * is used before all of that holds. Cost: one pass over the file at the speed of memory (XXH3), and a header's worth of
 * allocations.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY
#include <jansson.h>
#include <xxhash.h>

#include "base/file.h"
#include "store/container_layout.h"

struct pen__container {
    pen_context *ctx;
    char *path;
    pen__map map; /* map.bytes NULL where the caller's memory is read */
    const unsigned char *bytes;
    size_t size, data_at; /* data_at: where the tensors begin */
    json_t *header;       /* owns every name, key and value */
    json_t *meta;         /* inside header */
    const char *kind;
    pen__stored *tensors; /* in data order, without pads */
    const pen__stored **by_name;
    size_t n_tensors;
    uint64_t hash;
    int version;
};

void pen__container_close(pen__container *c)
{
    if (!c) return;
    pen_context *ctx = c->ctx;
    json_decref(c->header);
    pen__map_close(&c->map);
    pen__free(ctx, c->tensors);
    pen__free(ctx, c->by_name);
    pen__free(ctx, c->path);
    pen__free(ctx, c);
}

/* A file that is Penchant's, but damaged. */
#define SOUND(cond, ...)                                                   \
    do {                                                                   \
        if (!(cond)) return pen__container_unsound(c, error, __VA_ARGS__); \
    } while (0)

/* A file of another origin. */
#define OURS(cond, format, ...) \
    PEN_CHECK(cond, PEN_E_FORMAT, "'%s' is not a Penchant file: " format, c->path, __VA_ARGS__)

/* ---- the header -------------------------------------------------------------------------------------------------- */

/* Whether the file begins as ours do, as far as it goes: then it is truncated or damaged, not something else. */
static bool looks_ours(const pen__container *c)
{
    size_t have = c->size - PEN__LENGTH_BYTES, want = sizeof PEN__HEADER_PREFIX - 1;
    return have >= 16 && !memcmp(c->bytes + PEN__LENGTH_BYTES, PEN__HEADER_PREFIX, have < want ? have : want);
}

static pen_status parse_header(pen__container *c, pen_error *error)
{
    OURS(c->size >= PEN__LENGTH_BYTES, "it has %zu bytes only", c->size);
    uint64_t length;
    memcpy(&length, c->bytes, sizeof length);
    size_t rest = c->size - PEN__LENGTH_BYTES;
    bool ours = looks_ours(c);
    SOUND(!ours || length <= rest, "it is cut off: its header alone needs %llu bytes, and %zu are there",
          (unsigned long long)length, rest);
    OURS(length <= rest && length <= PEN__HEADER_LIMIT,
         "it does not begin with the length of a header (at most %d bytes)", PEN__HEADER_LIMIT);
    const char *text = (const char *)c->bytes + PEN__LENGTH_BYTES;
    OURS(length > 0 && text[0] == '{', "%s", "no safetensors header follows its first 8 bytes");
    json_error_t where;
    c->header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &where);
    if (!c->header && json_error_code(&where) == json_error_out_of_memory)
        return pen__fail(error, PEN_E_MEMORY, "out of memory for the header of '%s'", c->path);
    SOUND(c->header || !ours, "its header is not sound JSON: %s at byte %d", where.text, where.position);
    OURS(c->header, "its header is not sound JSON: %s at byte %d", where.text, where.position);
    c->data_at = PEN__LENGTH_BYTES + (size_t)length;
    return PEN_OK;
}

/* The whole of a metadata value as a number. */
static bool meta_number(const pen__container *c, const char *key, int64_t low, int64_t high, int64_t *out)
{
    const char *value = pen__container_meta(c, key);
    return value && pen__parse_int64(pen__span_of(value), out) && *out >= low && *out <= high;
}

static const char *article(const char *kind) { return strchr("aeiou", kind[0]) ? "an" : "a"; }

/* Whose file it is. Versions come before everything that a later version may change. */
static pen_status check_identity(pen__container *c, const char *kind, int version, pen_error *error)
{
    int64_t found;
    const char *key;
    json_t *value;
    c->meta = json_object_get(c->header, "__metadata__");
    OURS(json_is_object(c->meta), "%s", "it is a safetensors file without metadata");
    json_object_foreach (c->meta, key, value) OURS(json_is_string(value), "its metadata '%.64s' is not a string", key);
    const char *format = pen__container_meta(c, "format");
    OURS(format && !strcmp(format, "penchant"), "%s", "it is a safetensors file of another program");
    const char *writer = pen__container_meta(c, "writer");
    if (!writer || !pen__container_name_ok(writer)) writer = "of unknown version";
    SOUND(meta_number(c, "container", 1, INT32_MAX, &found), "its container version is not a number");
    PEN_CHECK(found <= PEN__CONTAINER_VERSION, PEN_E_UNSUPPORTED,
              "'%s' needs a newer Penchant: it was written by Penchant %.40s as "
              "container version %d, and this is %s, which reads up to %d",
              c->path, writer, (int)found, pen_version(), PEN__CONTAINER_VERSION);
    c->kind = pen__container_meta(c, "kind");
    SOUND(c->kind && pen__container_name_ok(c->kind), "it does not say what kind of file it is");
    SOUND(meta_number(c, "version", 1, INT32_MAX, &found), "its version is not a number");
    c->version = (int)found;
    if (!kind) return PEN_OK;
    PEN_CHECK(!strcmp(c->kind, kind), PEN_E_FORMAT, "'%s' is %s %.64s, not %s %s", c->path, article(c->kind), c->kind,
              article(kind), kind);
    PEN_CHECK(c->version <= version, PEN_E_UNSUPPORTED,
              "'%s' needs a newer Penchant: it was written by Penchant %.40s as %s version %d, and "
              "this is %s, which reads up to %d",
              c->path, writer, kind, c->version, pen_version(), version);
    return PEN_OK;
}

/* ---- tensors ----------------------------------------------------------------------------------------------------- */
static bool read_size(const json_t *value, int64_t *out)
{
    if (!json_is_integer(value)) return false;
    *out = json_integer_value(value);
    return *out >= 0;
}

static pen_status parse_tensor(pen__container *c, const char *name, json_t *entry, pen__stored *t, pen_error *error)
{
    json_t *dtype = json_object_get(entry, "dtype"), *shape = json_object_get(entry, "shape");
    json_t *place = json_object_get(entry, "data_offsets");
    int64_t begin = 0, end = 0;
    *t = (pen__stored){.name = name};
    SOUND(pen__container_name_ok(name),
          "the name of a tensor is empty, longer than 255 bytes or holds control characters");
    SOUND(json_object_size(entry) == 3 && json_is_string(dtype) && json_is_array(shape) && json_array_size(place) == 2,
          "tensor '%.64s' is not described by dtype, shape and two data_offsets", name);
    SOUND(pen__dtype_parse(json_string_value(dtype), &t->dtype),
          "tensor '%.64s' has a dtype that is none of U8 I8 I16 I32 I64 F32 F64", name);
    SOUND(json_array_size(shape) <= PEN__MAX_DIMS, "tensor '%.64s' has %zu dimensions; allowed are 0 to %d", name,
          json_array_size(shape), PEN__MAX_DIMS);
    t->n_dims = (int)json_array_size(shape);
    for (int i = 0; i < t->n_dims; i++)
        SOUND(read_size(json_array_get(shape, (size_t)i), &t->shape[i]),
              "a size of tensor '%.64s' is not a whole number from 0", name);
    SOUND(pen__shape_size(t->dtype, t->n_dims, t->shape, &t->n, &t->bytes), "the shape of tensor '%.64s' is too large",
          name);
    SOUND(read_size(json_array_get(place, 0), &begin) && read_size(json_array_get(place, 1), &end) && begin <= end &&
              (uint64_t)end <= c->size - c->data_at,
          "tensor '%.64s' lies outside of the file: it is cut off or damaged", name);
    SOUND((uint64_t)(end - begin) == t->bytes, "tensor '%.64s' has %lld bytes where its shape needs %zu", name,
          (long long)(end - begin), t->bytes);
    t->data = c->bytes + c->data_at + begin;
    return PEN_OK;
}

/* By place; an empty tensor stands before the one that begins where it does, and several empty ones by name. */
static int compare_place(const void *a, const void *b)
{
    const pen__stored *s = a, *t = b;
    if (s->data != t->data) return (const char *)s->data < (const char *)t->data ? -1 : 1;
    if (s->bytes != t->bytes) return s->bytes < t->bytes ? -1 : 1;
    return strcmp(s->name, t->name);
}

static int compare_name(const void *a, const void *b)
{
    return strcmp((*(const pen__stored *const *)a)->name, (*(const pen__stored *const *)b)->name);
}

static bool is_pad(const pen__stored *t) { return !strncmp(t->name, PEN__PAD_PREFIX, sizeof PEN__PAD_PREFIX - 1); }

static pen_status check_pad(const pen__container *c, const pen__stored *t, pen_error *error)
{
    const unsigned char *bytes = t->data;
    SOUND(t->dtype == PEN_U8 && t->n_dims == 1 && t->bytes < PEN__ALIGN, "'%.64s' is not a pad of fewer than %d bytes",
          t->name, PEN__ALIGN);
    for (size_t i = 0; i < t->bytes; i++) SOUND(bytes[i] == 0, "the pad '%.64s' is not zero", t->name);
    return PEN_OK;
}

/* The sorted tensors cover the data without holes or overlaps and are aligned; then pads are dropped from the list. */
static pen_status check_cover(pen__container *c, pen_error *error)
{
    const unsigned char *at = c->bytes + c->data_at;
    size_t kept = 0;
    for (size_t i = 0; i < c->n_tensors; i++) {
        const pen__stored *t = &c->tensors[i];
        SOUND(t->data == at, "tensor '%.64s' does not begin where the one before it ends", t->name);
        at += t->bytes;
        if (is_pad(t)) {
            PEN_TRY(check_pad(c, t, error));
            continue;
        }
        SOUND(strncmp(t->name, "__", 2), "the tensor name '%.64s' is reserved", t->name);
        SOUND(((uintptr_t)t->data - (uintptr_t)c->bytes) % PEN__ALIGN == 0, "tensor '%.64s' is not aligned to %d bytes",
              t->name, PEN__ALIGN);
        c->tensors[kept++] = *t;
    }
    size_t used = (size_t)(at - c->bytes);
    SOUND(used == c->size, "%zu bytes follow its last tensor", c->size - used);
    c->n_tensors = kept;
    return PEN_OK;
}

static pen_status parse_tensors(pen__container *c, pen_error *error)
{
    const char *name;
    json_t *entry;
    size_t n = json_object_size(c->header) - 1;
    SOUND(c->data_at % PEN__ALIGN == 0, "its data does not begin at a multiple of %d bytes", PEN__ALIGN);
    PEN_TRY(PEN_NEW(c->ctx, c->tensors, n));
    PEN_TRY(PEN_NEW(c->ctx, c->by_name, n));
    json_object_foreach (c->header, name, entry) {
        if (entry == c->meta) continue;
        PEN_TRY(parse_tensor(c, name, entry, &c->tensors[c->n_tensors], error));
        c->n_tensors++;
    }
    qsort(c->tensors, c->n_tensors, sizeof *c->tensors, compare_place);
    PEN_TRY(check_cover(c, error));
    for (size_t i = 0; i < c->n_tensors; i++) c->by_name[i] = &c->tensors[i];
    qsort(c->by_name, c->n_tensors, sizeof *c->by_name, compare_name);
    return PEN_OK;
}

/* ---- the hash ---------------------------------------------------------------------------------------------------- */

/* Lower-case digits only: each state of the file has one spelling. */
static bool parse_digits(const unsigned char *text, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < PEN__HASH_DIGITS; i++) {
        unsigned char d = text[i];
        if (!((d >= '0' && d <= '9') || (d >= 'a' && d <= 'f'))) return false;
        *out = *out << 4 | (uint64_t)(d <= '9' ? d - '0' : d - 'a' + 10);
    }
    return true;
}

static pen_status check_hash(pen__container *c, unsigned flags, pen_error *error)
{
    SOUND(looks_ours(c) && c->data_at > PEN__HASH_AT + PEN__HASH_DIGITS &&
              c->bytes[PEN__HASH_AT + PEN__HASH_DIGITS] == '"' && parse_digits(c->bytes + PEN__HASH_AT, &c->hash),
          "its hash does not stand in its place");
    if (flags & PEN__SKIP_HASH) return PEN_OK;
    XXH3_state_t *state;
    PEN_TRY(PEN_NEW(c->ctx, state, 1));
    const unsigned char *behind = c->bytes + PEN__HASH_AT + PEN__HASH_DIGITS;
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, c->bytes, PEN__HASH_AT);
    XXH3_64bits_update(state, PEN__NO_DIGITS, PEN__HASH_DIGITS);
    XXH3_64bits_update(state, behind, c->size - (size_t)(behind - c->bytes));
    uint64_t found = XXH3_64bits_digest(state);
    pen__free(c->ctx, state);
    SOUND(found == c->hash, "its hash is %016llx and should be %016llx; restore it from a copy, or make it again",
          (unsigned long long)found, (unsigned long long)c->hash);
    return PEN_OK;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */
static pen_status create(pen_context *ctx, const char *path, pen__container **container, pen_error *error)
{
    PEN_TRY(pen__new(ctx, container, 1, sizeof **container, true, error));
    (*container)->ctx = ctx;
    (*container)->path = pen__strndup(ctx, path, strlen(path));
    return (*container)->path ? PEN_OK : pen__fail(error, PEN_E_MEMORY, "out of memory opening '%s'", path);
}

static pen_status validate(pen__container *c, const char *kind, int version, unsigned flags, pen_error *error)
{
    PEN_TRY(parse_header(c, error));
    PEN_TRY(check_identity(c, kind, version, error));
    PEN_TRY(parse_tensors(c, error));
    return check_hash(c, flags, error);
}

pen_status pen__container_open(pen_context *ctx, const char *path, const char *kind, int version, unsigned flags,
                               pen__container **container, pen_error *error)
{
    pen_status status;
    pen__container *c = NULL;
    *container = NULL;
    PEN_TRY_DONE(create(ctx, path, &c, error));
    PEN_TRY_DONE(pen__map_open(path, &c->map, error));
    c->bytes = c->map.bytes;
    c->size = c->map.size;
    status = validate(c, kind, version, flags, error);
done:
    if (status == PEN_OK)
        *container = c;
    else
        pen__container_close(c);
    return status;
}

pen_status pen__container_open_memory(pen_context *ctx, const void *bytes, size_t size, const char *name,
                                      const char *kind, int version, unsigned flags, pen__container **container,
                                      pen_error *error)
{
    pen_status status;
    pen__container *c = NULL;
    *container = NULL;
    PEN_CHECK((uintptr_t)bytes % PEN__ALIGN == 0, PEN_E_ARGUMENT, "a container in memory is aligned to %d bytes",
              PEN__ALIGN);
    PEN_TRY_DONE(create(ctx, name, &c, error));
    c->bytes = bytes;
    c->size = size;
    status = validate(c, kind, version, flags, error);
done:
    if (status == PEN_OK)
        *container = c;
    else
        pen__container_close(c);
    return status;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */
pen_context *pen__container_context(const pen__container *c) { return c->ctx; }
const char *pen__container_path(const pen__container *c) { return c->path; }
const char *pen__container_kind(const pen__container *c) { return c->kind; }
int pen__container_version(const pen__container *c) { return c->version; }
uint64_t pen__container_hash(const pen__container *c) { return c->hash; }
size_t pen__container_size(const pen__container *c) { return c->size; }
size_t pen__container_n_meta(const pen__container *c) { return json_object_size(c->meta); }
size_t pen__container_n_tensors(const pen__container *c) { return c->n_tensors; }
const pen__stored *pen__container_tensor_at(const pen__container *c, size_t i) { return &c->tensors[i]; }

const char *pen__container_meta(const pen__container *c, const char *key)
{
    return json_string_value(json_object_get(c->meta, key));
}

pen_status pen__container_meta_int(const pen__container *c, const char *key, int64_t low, int64_t high, int64_t *out,
                                   pen_error *error)
{
    const char *value = pen__container_meta(c, key);
    SOUND(value, "it has no metadata '%s'", key);
    SOUND(meta_number(c, key, low, high, out), "its metadata '%s' is not a whole number from %lld to %lld", key,
          (long long)low, (long long)high);
    return PEN_OK;
}

void pen__container_meta_at(const pen__container *c, size_t i, const char **key, const char **value)
{
    void *at = json_object_iter(c->meta);
    while (at && i-- > 0) at = json_object_iter_next(c->meta, at);
    *key = at ? json_object_iter_key(at) : NULL;
    *value = at ? json_string_value(json_object_iter_value(at)) : NULL;
}

const pen__stored *pen__container_find(const pen__container *c, const char *name)
{
    size_t low = 0, high = c->n_tensors;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, c->by_name[middle]->name);
        if (order == 0) return c->by_name[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
