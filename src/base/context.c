/* The context: options checked, allocator chosen, threads counted. */
#include "penchant/context.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/context_impl.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/progress.h"

enum { MAX_THREADS = 1024 };

/* Asks for huge pages where a block is large: rows gathered from a table of tens of MB miss the TLB with small ones. */
static void *advised(void *block, size_t bytes)
{
    enum { LARGE = 4 << 20, PAGE = 4096 };
    if (!block || bytes < LARGE) return block;
    uintptr_t begin = ((uintptr_t)block + PAGE - 1) / PAGE * PAGE, end = ((uintptr_t)block + bytes) / PAGE * PAGE;
    (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE); /* a wish: the system may not have any */
    return block;
}

static void *libc_obtain(void *user, size_t bytes) { return (void)user, advised(malloc(bytes), bytes); }
static void *libc_resize(void *user, void *block, size_t bytes)
{
    return (void)user, advised(realloc(block, bytes), bytes);
}
static void libc_release(void *user, void *block) { (void)user, free(block); }

pen_status pen_context_create(const pen_context_options *given, pen_context **context, pen_error *error)
{
    static const pen_context_options defaults = PEN_CONTEXT_OPTIONS_INIT;
    static const pen_allocator libc = {libc_obtain, libc_resize, libc_release, NULL};
    PEN_CHECK(context, PEN_E_ARGUMENT, "pen_context_create: context is NULL");
    *context = NULL;
    pen_context_options options = defaults;
    if (given) {
        PEN_CHECK(given->struct_size >= sizeof given->struct_size && given->struct_size <= sizeof options,
                  PEN_E_ARGUMENT, "pen_context_options.struct_size is %zu; this library knows up to %zu",
                  given->struct_size, sizeof options);
        memcpy(&options, given, given->struct_size);
    }
    PEN_CHECK(options.n_threads >= 0 && options.n_threads <= MAX_THREADS, PEN_E_ARGUMENT,
              "n_threads is %d; allowed are 0 (one for each core) to %d", options.n_threads, MAX_THREADS);
    PEN_TRY(pen__cpu_init(error));
    const pen_allocator *allocator = options.allocator ? options.allocator : &libc;
    PEN_CHECK(allocator->obtain && allocator->resize && allocator->release, PEN_E_ARGUMENT,
              "pen_allocator needs all three of obtain, resize and release");
    pen_context *ctx = allocator->obtain(allocator->user, sizeof *ctx);
    PEN_CHECK(ctx, PEN_E_MEMORY, "out of memory for a context");
    memset(ctx, 0, sizeof *ctx);
    ctx->allocator = *allocator;
    ctx->progress = options.progress;
    ctx->log = options.log;
    ctx->user = options.user;
    ctx->memory_limit = options.memory_limit;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    ctx->n_threads = options.n_threads     ? options.n_threads
                     : cores < 1           ? 1
                     : cores > MAX_THREADS ? MAX_THREADS
                                           : (int32_t)cores;
    *context = ctx;
    return PEN_OK;
}

void pen_context_destroy(pen_context *ctx)
{
    if (!ctx) return;
    pen__pool_destroy(ctx->pool);
    pen_allocator allocator = ctx->allocator;
    allocator.release(allocator.user, ctx);
}

uint64_t pen_context_memory(const pen_context *ctx) { return atomic_load(&((pen_context *)(uintptr_t)ctx)->live); }
uint64_t pen_context_memory_peak(const pen_context *ctx) { return atomic_load(&((pen_context *)(uintptr_t)ctx)->peak); }
int32_t pen_context_threads(const pen_context *ctx) { return ctx->n_threads; }
