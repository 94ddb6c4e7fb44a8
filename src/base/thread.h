/* Threads of a context.
 *
 * Work is cut into shards whose number depends on the data alone, never on the number of threads; workers take shards
 * in rising order, and whoever reduces does so in shard order. Then one thread and sixteen give the same bits.
 */
#ifndef PEN_BASE_THREAD_H
#define PEN_BASE_THREAD_H

#include "base/error.h"
#include "penchant/context.h"

/* One shard of the work. `worker` is in [0, pen__workers(ctx)) and never runs two shards at once: it picks scratch. */
typedef pen_status (*pen__shard_fn)(void *arg, int64_t shard, int worker, pen_error *error);

/* The number of workers that pen__parallel may use: for sizing per-worker scratch. */
int pen__workers(const pen_context *ctx);

/* Runs shards 0..n-1. After a failure no new shard starts; the failure of the lowest failed shard is returned. Runs in
 * the calling thread alone, as worker 0, when called from inside a shard: nested work brings its own scratch. Does not
 * report progress by itself; stops with PEN_E_CANCELLED when the context was cancelled. */
pen_status pen__parallel(pen_context *ctx, int64_t n, pen__shard_fn fn, void *arg, pen_error *error);

/* n cut into shards of about `grain`: their number, and the first element of shard s (begin of shard s+1 is its
 * end). */
static inline int64_t pen__shards(int64_t n, int64_t grain) { return n <= 0 ? 0 : (n + grain - 1) / grain; }
static inline int64_t pen__shard_begin(int64_t n, int64_t n_shards, int64_t s)
{
    return n / n_shards * s + n % n_shards * s / n_shards; /* without overflow while n_shards is below 2^31 */
}

#endif
