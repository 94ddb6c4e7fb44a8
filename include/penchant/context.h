/* A context: the allocator, the threads, the memory limit and the callbacks that everything else works with.
 *
 * There is no global state. Log and progress are silent unless callbacks are given.
 * Thread-safety: create and destroy from one thread; one context serves one call at a time (its threads serve
 * that call). Objects made with a context keep a pointer to it: destroy them before it. Since 0.1.
 */
#ifndef PENCHANT_CONTEXT_H
#define PENCHANT_CONTEXT_H

#include <stddef.h>

#include "penchant/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pen_context pen_context;

/* How memory is obtained; all three functions or none. `release(user, NULL)` must do nothing. Called from any
 * thread. */
typedef struct pen_allocator {
    void *(*obtain)(void *user, size_t bytes);
    void *(*resize)(void *user, void *block, size_t bytes);
    void (*release)(void *user, void *block);
    void *user;
} pen_allocator;

/* One report of work under way; pointers are good during the call only. Fields without meaning are 0 or NULL (NaN for
 * `loss` and `metric`). */
typedef struct pen_progress {
    size_t struct_size;
    const char *stage;       /* "read", "train", "evaluate", ... */
    const char *unit;        /* what is counted: "rows", "events", "users" */
    const char *metric_name; /* validation metric, or NULL */
    int64_t done, total;     /* total is 0 where it is not known */
    int64_t epoch, n_epochs; /* 1-based; 0 where there are none */
    double seconds;          /* since the stage began */
    double loss, metric;
    uint64_t memory_bytes; /* held by the context now */
} pen_progress;

typedef enum pen_log_level { PEN_LOG_WARNING = 1, PEN_LOG_INFO = 2, PEN_LOG_DEBUG = 3 } pen_log_level;

/* A non-zero answer cancels the work: it returns PEN_E_CANCELLED and every handle stays usable. Called from the calling
 * thread of the work, at most about ten times a second, and at each epoch's end. */
typedef int (*pen_progress_fn)(void *user, const pen_progress *progress);
typedef void (*pen_log_fn)(void *user, pen_log_level level, const char *message);

typedef struct pen_context_options {
    size_t struct_size;             /* sizeof(pen_context_options) */
    uint64_t memory_limit;          /* bytes; 0: none. Allocations past it fail with PEN_E_MEMORY */
    const pen_allocator *allocator; /* copied; NULL: malloc, realloc, free */
    pen_progress_fn progress;       /* or NULL */
    pen_log_fn log;                 /* or NULL */
    void *user;                     /* for the two callbacks */
    int32_t n_threads;              /* 0: one for each core */
    int32_t reserved;               /* zero */
} pen_context_options;

#define PEN_CONTEXT_OPTIONS_INIT                                     \
    {                                                                \
        sizeof(pen_context_options), 0, NULL, NULL, NULL, NULL, 0, 0 \
    }

/* Makes a context; `options` may be NULL for the defaults. Threads start with the first work that needs them. */
PEN_API pen_status pen_context_create(const pen_context_options *options, pen_context **context, pen_error *error);

/* Ends the threads and frees the context; NULL is allowed. */
PEN_API void pen_context_destroy(pen_context *context);

/* Bytes held now, and the most that were ever held. Mapped files are not counted. Thread-safe. */
PEN_API uint64_t pen_context_memory(const pen_context *context);
PEN_API uint64_t pen_context_memory_peak(const pen_context *context);

PEN_API int32_t pen_context_threads(const pen_context *context);

#ifdef __cplusplus
}
#endif
#endif
