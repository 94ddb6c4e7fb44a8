/* What a pen_context is inside; for src/base/ alone, the others ask through functions. */
#ifndef PEN_BASE_CONTEXT_IMPL_H
#define PEN_BASE_CONTEXT_IMPL_H

#include <stdatomic.h>

#include "penchant/context.h"

struct pen__pool;

struct pen_context {
    pen_allocator allocator;
    pen_progress_fn progress;
    pen_log_fn log;
    void *user;
    struct pen__pool *pool; /* NULL until the first parallel work */
    uint64_t memory_limit;
    _Atomic uint64_t live, peak;
    _Atomic int cancelled; /* set by a non-zero answer of progress; cleared when a public call begins */
    int32_t n_threads;
};

void pen__pool_destroy(struct pen__pool *pool);

#endif
