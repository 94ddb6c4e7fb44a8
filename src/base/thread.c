/* A pool of threads that hand themselves shards from one atomic counter. The calling thread is worker 0 and the
 * others sleep on a condition between two pieces of work. */
#include "base/thread.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/context_impl.h"
#include "base/memory.h"

typedef struct pen__job {
    pen__shard_fn fn;
    void *arg;
    int64_t n;
    _Atomic int64_t next;
    _Atomic int64_t failed; /* lowest failed shard, n while there is none */
    pen_status status;      /* of `failed`, under the pool's lock */
    pen_error error;
} pen__job;

struct pen__pool {
    pen_context *ctx;
    pthread_mutex_t lock;
    pthread_cond_t work, idle;
    pen__job *job;
    uint64_t round; /* rises with each job */
    int n_busy, n_threads;
    int stop;
    struct worker {
        struct pen__pool *pool;
        pthread_t id;
        int index;
    } worker[];
};

static _Thread_local int inside; /* this thread runs a shard: nested work stays on it */

int pen__workers(const pen_context *ctx) { return ctx->n_threads; }

static void record(struct pen__pool *pool, pen__job *job, int64_t shard, pen_status status, const pen_error *error)
{
    pthread_mutex_lock(&pool->lock);
    if (shard < atomic_load(&job->failed)) {
        atomic_store(&job->failed, shard);
        job->status = status;
        job->error = *error;
    }
    pthread_mutex_unlock(&pool->lock);
}

static void run(struct pen__pool *pool, pen__job *job, int worker)
{
    inside++;
    for (;;) {
        int64_t shard = atomic_fetch_add(&job->next, 1);
        if (shard >= job->n || shard > atomic_load(&job->failed)) break;
        pen_error error = {0};
        pen_status status;
        if (atomic_load_explicit(&pool->ctx->cancelled, memory_order_relaxed))
            status = pen__fail(&error, PEN_E_CANCELLED, "cancelled");
        else
            status = job->fn(job->arg, shard, worker, &error);
        if (status != PEN_OK) record(pool, job, shard, status, &error);
    }
    inside--;
}

static void *serve(void *arg)
{
    struct worker *me = arg;
    struct pen__pool *pool = me->pool;
    uint64_t seen = 0;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->stop && pool->round == seen) pthread_cond_wait(&pool->work, &pool->lock);
        if (pool->stop) break;
        seen = pool->round;
        pen__job *job = pool->job;
        pthread_mutex_unlock(&pool->lock);
        run(pool, job, me->index);
        pthread_mutex_lock(&pool->lock);
        if (--pool->n_busy == 0) pthread_cond_signal(&pool->idle);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

void pen__pool_destroy(struct pen__pool *pool)
{
    if (!pool) return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = 1;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->n_threads; i++) pthread_join(pool->worker[i].id, NULL);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->idle);
    pthread_mutex_destroy(&pool->lock);
    pen__free(pool->ctx, pool);
}

/* Starts n_threads - 1 threads with signals blocked: they belong to the host's threads. Those that a thread raises
 * itself stay open, since the system would end the program without asking the host's handler. */
static pen_status pool_create(pen_context *ctx, pen_error *error)
{
    int n = ctx->n_threads - 1;
    struct pen__pool *pool = pen__alloc(ctx, sizeof *pool + (size_t)n * sizeof pool->worker[0]);
    PEN_CHECK(pool, PEN_E_MEMORY, "out of memory starting %d threads", n);
    memset(pool, 0, sizeof *pool);
    pool->ctx = ctx;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->idle, NULL);
    sigset_t all, before;
    static const int own[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL};
    sigfillset(&all);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) sigdelset(&all, own[i]);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = 0;
    for (int i = 0; i < n && !failed; i++) {
        pool->worker[i].pool = pool;
        pool->worker[i].index = i + 1;
        failed = pthread_create(&pool->worker[i].id, NULL, serve, &pool->worker[i]);
        if (!failed) pool->n_threads++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        pen__pool_destroy(pool);
        return pen__fail(error, PEN_E_MEMORY, "cannot start %d threads: %s; pass fewer (--threads)", n,
                         strerror(failed));
    }
    ctx->pool = pool;
    return PEN_OK;
}

static pen_status run_alone(pen_context *ctx, int64_t n, pen__shard_fn fn, void *arg, pen_error *error)
{
    for (int64_t shard = 0; shard < n; shard++) {
        if (atomic_load_explicit(&ctx->cancelled, memory_order_relaxed))
            return pen__fail(error, PEN_E_CANCELLED, "cancelled");
        PEN_TRY(fn(arg, shard, 0, error));
    }
    return PEN_OK;
}

pen_status pen__parallel(pen_context *ctx, int64_t n, pen__shard_fn fn, void *arg, pen_error *error)
{
    if (n <= 0) return PEN_OK;
    if (ctx->n_threads == 1 || n == 1 || inside) return run_alone(ctx, n, fn, arg, error);
    if (!ctx->pool) PEN_TRY(pool_create(ctx, error));
    struct pen__pool *pool = ctx->pool;
    pen__job job = {.fn = fn, .arg = arg, .n = n, .next = 0, .failed = n};
    pthread_mutex_lock(&pool->lock);
    pool->job = &job;
    pool->n_busy = pool->n_threads;
    pool->round++;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    run(pool, &job, 0);
    pthread_mutex_lock(&pool->lock);
    while (pool->n_busy > 0) pthread_cond_wait(&pool->idle, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    if (atomic_load(&job.failed) == n) return PEN_OK;
    if (error) *error = job.error;
    return job.status;
}
