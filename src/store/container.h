/* The container under .pds, .pen and .ckpt: a safetensors file that is hashed, aligned and validated before use.
 *
 * Writing: declare everything, then commit once. Failures are remembered and reported by commit.
 *
 *     pen__container_writer *w;
 *     PEN_TRY(pen__container_begin(ctx, "x.pen", "model", 1, &w, error));
 *     pen__container_put_meta(w, "config", "{\"dim\": 64}");
 *     pen__container_put(w, "item_vectors", PEN_F32, 2, (int64_t[]){n_items, dim}, vectors);
 *     PEN_TRY(pen__container_commit(w, error));
 *
 * Reading: open validates the whole file; what comes out is borrowed until close.
 *
 *     int64_t shape[2] = {PEN__ANY, PEN__ANY};
 *     PEN_TRY(pen__container_open(ctx, "x.pen", "model", 1, 0, &c, error));
 *     PEN_TRY_DONE(pen__container_floats(c, "item_vectors", 2, shape, &vectors, error)); // shape is known now
 *
 * The format: docs/formats/container.md. A writer belongs to one thread; an open container is immutable and may be
 * read from any. Values of tensors are not checked by open: use ids, floats, offsets and strings below.
 */
#ifndef PEN_STORE_CONTAINER_H
#define PEN_STORE_CONTAINER_H

#include "base/error.h"
#include "base/strings.h"
#include "store/dtype.h"

enum { PEN__MAX_DIMS = 4, PEN__ANY = -1 };

/* ---- writing ----------------------------------------------------------------------------------------------------- */
typedef struct pen__container_writer pen__container_writer;

/* Opens a file beside `path`; `path` changes at commit only. `kind` is "dataset", "model", "checkpoint"; `version` that
 * of the kind's own layout, at least 1. A path that cannot be written fails here; so does "-". */
pen_status pen__container_begin(pen_context *ctx, const char *path, const char *kind, int version,
                                pen__container_writer **writer, pen_error *error);

/* Metadata: UTF-8 text, copied. Keys are written once; nested things are JSON in a string. The keys hash, format,
 * container, kind, version and writer are the container's own. */
void pen__container_put_meta(pen__container_writer *w, const char *key, const char *value);
void pen__container_put_int(pen__container_writer *w, const char *key, int64_t value);

/* Declares a tensor; `data` is borrowed until commit (NULL where it has no elements). Names are UTF-8 without control
 * characters and without "__" in front. Shapes have 0 to 4 sizes. */
void pen__container_put(pen__container_writer *w, const char *name, pen__dtype dtype, int n_dims, const int64_t *shape,
                        const void *data);

/* Called by commit when the tensor's turn comes: passes its bytes, in any pieces, to pen__container_push. */
typedef pen_status (*pen__container_source)(void *arg, pen__container_writer *w, pen_error *error);

/* Declares a tensor that is made piece by piece, so that no second copy of it need exist. */
void pen__container_put_source(pen__container_writer *w, const char *name, pen__dtype dtype, int n_dims,
                               const int64_t *shape, pen__container_source source, void *arg);
pen_status pen__container_push(pen__container_writer *w, const void *bytes, size_t n, pen_error *error);

/* The strings as NAME.bytes and NAME.offsets (n + 1, from 0); their arrays are borrowed until commit. */
void pen__container_put_strings(pen__container_writer *w, const char *name, const pen__strings *strings);

/* Writes, syncs, renames; frees the writer whatever happens. */
pen_status pen__container_commit(pen__container_writer *w, pen_error *error);

/* Forgets it and leaves `path` as it was. NULL is allowed. */
void pen__container_abort(pen__container_writer *w);

/* ---- reading ----------------------------------------------------------------------------------------------------- */
typedef struct pen__container pen__container;

typedef struct pen__stored {
    const char *name;
    const void *data; /* aligned to 64; never NULL */
    int64_t shape[PEN__MAX_DIMS];
    int64_t n;    /* elements: the product of the shape */
    size_t bytes; /* n times the dtype's size */
    pen__dtype dtype;
    int n_dims;
} pen__stored;

enum {
    /* structure is validated, bytes are not: for a file that this process has just hashed or written */
    PEN__SKIP_HASH = 1
};

/* Maps and validates. `kind` NULL takes any kind and any version of it. PEN_E_FORMAT where the file is unsound or of
 * another kind, PEN_E_UNSUPPORTED where it needs a newer Penchant. */
pen_status pen__container_open(pen_context *ctx, const char *path, const char *kind, int version, unsigned flags,
                               pen__container **container, pen_error *error);

/* The same over a buffer aligned to 64, borrowed until close; `name` stands for the path in messages. */
pen_status pen__container_open_memory(pen_context *ctx, const void *bytes, size_t size, const char *name,
                                      const char *kind, int version, unsigned flags, pen__container **container,
                                      pen_error *error);
void pen__container_close(pen__container *c); /* NULL is allowed */

const char *pen__container_path(const pen__container *c);
const char *pen__container_kind(const pen__container *c);
int pen__container_version(const pen__container *c);
uint64_t pen__container_hash(const pen__container *c); /* as the file states it */
size_t pen__container_size(const pen__container *c);   /* bytes of the file */

/* Metadata by key (NULL where it is absent), or all of it in file order: for i in [0, n). */
const char *pen__container_meta(const pen__container *c, const char *key);
pen_status pen__container_meta_int(const pen__container *c, const char *key, int64_t low, int64_t high, int64_t *out,
                                   pen_error *error);
size_t pen__container_n_meta(const pen__container *c);
void pen__container_meta_at(const pen__container *c, size_t i, const char **key, const char **value);

/* Tensors in the order of their data, without the pads; or by name, NULL where it is absent. */
size_t pen__container_n_tensors(const pen__container *c);
const pen__stored *pen__container_tensor_at(const pen__container *c, size_t i);
const pen__stored *pen__container_find(const pen__container *c, const char *name);

/* PEN_E_FORMAT with the path and what was to be there: for those who check contents. */
pen_status pen__container_unsound(const pen__container *c, pen_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A tensor that must be there with this dtype and shape. Each PEN__ANY in `shape` is replaced by the size found. `out`
 * is the address of a pointer to const elements. */
pen_status pen__container_tensor(const pen__container *c, const char *name, pen__dtype dtype, int n_dims,
                                 int64_t *shape, void *out, pen_error *error);

/* The same with every value checked: I32 in [low, high), F32 finite. */
pen_status pen__container_ids(const pen__container *c, const char *name, int n_dims, int64_t *shape, int32_t low,
                              int32_t high, const int32_t **ids, pen_error *error);
pen_status pen__container_floats(const pen__container *c, const char *name, int n_dims, int64_t *shape,
                                 const float **values, pen_error *error);

/* n + 1 offsets (I64) that begin with 0, never fall and end with `end` (PEN__ANY: with anything). */
pen_status pen__container_offsets(const pen__container *c, const char *name, int64_t n, int64_t end,
                                  const int64_t **offsets, pen_error *error);

/* A table of `n` strings (PEN__ANY: of any number), borrowed and without an index; `utf8` asks that each is
 * well-formed. */
pen_status pen__container_strings(const pen__container *c, const char *name, int64_t n, bool utf8,
                                  pen__strings *strings, pen_error *error);

#endif
