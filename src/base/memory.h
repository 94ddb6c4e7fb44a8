/* Memory of a context: 64-byte aligned blocks, counted, held under the context's limit.
 *
 * Cost: 128 bytes a block over what was asked for, so it is for arrays, not for nodes. Thread-safe.
 */
#ifndef PEN_BASE_MEMORY_H
#define PEN_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "penchant/context.h"

/* NULL on failure (out of memory, or the limit would be passed). Zero bytes give a valid block. Not cleared. */
void *pen__alloc(pen_context *ctx, size_t bytes);

/* n elements of `size` bytes, cleared; NULL on overflow too. */
void *pen__calloc(pen_context *ctx, size_t n, size_t size);

/* Grows or shrinks; NULL block allocates. On failure the old block stays valid and NULL is returned. */
void *pen__realloc(pen_context *ctx, void *block, size_t bytes);

/* NULL is allowed. */
void pen__free(pen_context *ctx, void *block);

/* The context's limit in bytes, 0 for none; and forgetting the peak, to measure one piece of work. */
uint64_t pen__memory_limit(const pen_context *ctx);
void pen__memory_peak_reset(pen_context *ctx);

/* *out = a * b, a + b; false on overflow. */
static inline bool pen__mul(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool pen__add(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }

/* Array of n elements into *out (void ** by cast), not cleared; message on failure. Use PEN_NEW. */
pen_status pen__new(pen_context *ctx, void *out, size_t n, size_t size, bool clear, pen_error *error);

#define PEN_NEW(ctx, out, n) pen__new((ctx), &(out), (size_t)(n), sizeof *(out), false, error)
#define PEN_NEW_ZERO(ctx, out, n) pen__new((ctx), &(out), (size_t)(n), sizeof *(out), true, error)

/* Grows *array (elements of `size`) so that `need` fit, doubling; updates *cap. Use PEN_GROW. */
pen_status pen__grow(pen_context *ctx, void *array, size_t *cap, size_t need, size_t size, pen_error *error);

#define PEN_GROW(ctx, array, cap, need) pen__grow((ctx), &(array), (cap), (need), sizeof *(array), error)

/* A copy of n bytes with a NUL behind; NULL on failure. */
char *pen__strndup(pen_context *ctx, const char *text, size_t n);

#endif
