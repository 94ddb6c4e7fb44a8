/* Memory of a context. Each block is preceded by a 64-byte header that holds its size and the address that the
 * allocator gave, so that blocks are aligned to 64 whatever the allocator does and the context knows what it holds.
 * Under the address sanitizer what alignment leaves behind a block is closed, so that a step past its end is seen. */
#include "base/memory.h"

#include <string.h>

#include "base/context_impl.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ /* gcc says so itself */
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#endif

enum { ALIGN = 64, EXTRA = 2 * ALIGN };

typedef struct header {
    void *raw;
    size_t bytes;
} header;

static header *header_of(void *block) { return (header *)(void *)((char *)block - ALIGN); }

static char *aligned(void *raw)
{
    uintptr_t at = (uintptr_t)raw + ALIGN;
    return (char *)raw + ((at + ALIGN - 1) / ALIGN * ALIGN - (uintptr_t)raw);
}

/* Bytes between a block's end and that of what the allocator gave. */
static size_t slack_of(char *block)
{
    const header *h = header_of(block);
    return (size_t)((char *)h->raw + EXTRA - block);
}

static void close_end(char *block) { ASAN_POISON_MEMORY_REGION(block + header_of(block)->bytes, slack_of(block)); }
static void open_end(char *block) { ASAN_UNPOISON_MEMORY_REGION(block + header_of(block)->bytes, slack_of(block)); }

/* Counts `bytes` as held unless that would pass the limit. */
static bool reserve(pen_context *ctx, size_t bytes)
{
    uint64_t now = atomic_fetch_add(&ctx->live, bytes) + bytes;
    if (ctx->memory_limit && now > ctx->memory_limit) {
        atomic_fetch_sub(&ctx->live, bytes);
        return false;
    }
    uint64_t peak = atomic_load(&ctx->peak);
    while (now > peak && !atomic_compare_exchange_weak(&ctx->peak, &peak, now)) {
    }
    return true;
}

void *pen__alloc(pen_context *ctx, size_t bytes)
{
    size_t whole;
    if (!pen__add(bytes, EXTRA, &whole) || !reserve(ctx, bytes)) return NULL;
    void *raw = ctx->allocator.obtain(ctx->allocator.user, whole);
    if (!raw) {
        atomic_fetch_sub(&ctx->live, bytes);
        return NULL;
    }
    char *block = aligned(raw);
    *header_of(block) = (header){raw, bytes};
    close_end(block);
    return block;
}

void *pen__calloc(pen_context *ctx, size_t n, size_t size)
{
    size_t bytes;
    if (!pen__mul(n, size, &bytes)) return NULL;
    void *block = pen__alloc(ctx, bytes);
    if (block) memset(block, 0, bytes);
    return block;
}

void *pen__realloc(pen_context *ctx, void *block, size_t bytes)
{
    if (!block) return pen__alloc(ctx, bytes);
    header old = *header_of(block);
    size_t whole, offset = (size_t)((char *)block - (char *)old.raw);
    if (!pen__add(bytes, EXTRA, &whole)) return NULL;
    if (bytes > old.bytes && !reserve(ctx, bytes - old.bytes)) return NULL;
    open_end(block);
    char *raw = ctx->allocator.resize(ctx->allocator.user, old.raw, whole);
    if (!raw) {
        close_end(block);
        if (bytes > old.bytes) atomic_fetch_sub(&ctx->live, bytes - old.bytes);
        return NULL;
    }
    char *moved = aligned(raw);
    if (moved != raw + offset) memmove(moved, raw + offset, bytes < old.bytes ? bytes : old.bytes);
    if (bytes < old.bytes) atomic_fetch_sub(&ctx->live, old.bytes - bytes);
    *header_of(moved) = (header){raw, bytes};
    close_end(moved);
    return moved;
}

void pen__free(pen_context *ctx, void *block)
{
    if (!block) return;
    header old = *header_of(block);
    atomic_fetch_sub(&ctx->live, old.bytes);
    open_end(block);
    ctx->allocator.release(ctx->allocator.user, old.raw);
}

static pen_status out_of_memory(pen_context *ctx, size_t n, size_t size, pen_error *error)
{
    double mb = (double)n * (double)size / 1e6, held = (double)atomic_load(&ctx->live) / 1e6;
    if (ctx->memory_limit)
        return pen__fail(error, PEN_E_MEMORY,
                         "%.1f MB more (%.1f MB held) would pass the memory limit of %.1f MB or what the "
                         "machine has; raise the limit (--memory) or work on less data",
                         mb, held, (double)ctx->memory_limit / 1e6);
    return pen__fail(error, PEN_E_MEMORY, "out of memory asking for %.1f MB (%.1f MB held)", mb, held);
}

pen_status pen__new(pen_context *ctx, void *out, size_t n, size_t size, bool clear, pen_error *error)
{
    size_t bytes;
    void *block = pen__mul(n, size, &bytes) ? pen__alloc(ctx, bytes) : NULL;
    if (!block) return out_of_memory(ctx, n, size, error);
    if (clear) memset(block, 0, bytes);
    memcpy(out, &block, sizeof block);
    return PEN_OK;
}

pen_status pen__grow(pen_context *ctx, void *array, size_t *cap, size_t need, size_t size, pen_error *error)
{
    if (need <= *cap) return PEN_OK;
    size_t grown = *cap < 16 ? 16 : *cap + *cap / 2, bytes;
    if (grown < need) grown = need;
    void *block;
    memcpy(&block, array, sizeof block);
    block = pen__mul(grown, size, &bytes) ? pen__realloc(ctx, block, bytes) : NULL;
    if (!block) return out_of_memory(ctx, grown, size, error);
    memcpy(array, &block, sizeof block);
    *cap = grown;
    return PEN_OK;
}

char *pen__strndup(pen_context *ctx, const char *text, size_t n)
{
    char *copy = n < SIZE_MAX ? pen__alloc(ctx, n + 1) : NULL;
    if (copy) {
        memcpy(copy, text, n);
        copy[n] = 0;
    }
    return copy;
}

uint64_t pen__memory_limit(const pen_context *ctx) { return ctx->memory_limit; }
void pen__memory_peak_reset(pen_context *ctx) { atomic_store(&ctx->peak, atomic_load(&ctx->live)); }
