/* The speed of the kernels, and how far it is from what the machine can do.
 *
 *     bench_kern [NAME...]        a JSON line each; PENCHANT_CPU chooses the level
 *
 * The limit is measured in the same run: fused multiply-adds of one thread whose operands are in the first-level cache. Times are processor time, over
 * the number of threads. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/progress.h"
#include "base/random.h"
#include "kern/topk.h"

static pen_context *ctx;
static double peak; /* GFLOP/s of one thread */
static volatile float sink;

static void *room(size_t bytes)
{
    void *block = pen__alloc(ctx, bytes);
    if (!block) exit(1);
    return block;
}

static float *numbers(int64_t n, uint64_t seed)
{
    float *x = room((size_t)n * sizeof *x);
    pen__rng rng = pen__rng_begin(seed, 1, 0);
    for (int64_t i = 0; i < n; i++) x[i] = ((float)(pen__rng_next(&rng) >> 40) / (float)(1 << 23) - 1.0f) * 0.3f;
    return x;
}

static void report(const char *name, const char *shape, double work, double seconds, double limit, const char *unit)
{
    printf("{\"name\": \"%s\", \"shape\": \"%s\", \"level\": \"%s\", \"%s\": %.1f, \"limit\": %.1f, \"share\": %.2f, \"seconds\": %.4f}\n",
           name, shape, pen__kern()->name, unit, work / seconds * 1e-9, limit, work / seconds * 1e-9 / limit, seconds);
    fflush(stdout);
}

/* Processor time of all threads: what other programs take meanwhile is not ours. */
static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The best of a few runs of `fn`, each repeated for 20 ms at least. */
typedef void (*bench_fn)(void *arg);

static double timed(bench_fn fn, void *arg)
{
    double best = INFINITY;
    for (int run = 0; run < 5; run++) {
        double begin = cpu_seconds(), now;
        int64_t n = 0;
        do {
            fn(arg);
            n++;
            now = cpu_seconds();
        } while (now - begin < 0.02);
        if ((now - begin) / (double)n < best) best = (now - begin) / (double)n;
    }
    return best;
}

/* ---- scores ---- */

typedef struct score_bench {
    pen__panels panels;
    float *users, *out;
} score_bench;

static void run_tile(void *arg)
{
    score_bench *b = arg;
    pen__kern()->score_tile(b->panels.data, b->panels.d, b->panels.n_panels, b->users, NULL, b->out, b->panels.n_panels * PEN_PANEL);
}

/* Many of a short one: asking for the time costs more than it does. */
static void run_tiles(void *arg)
{
    for (int i = 0; i < 1000; i++) run_tile(arg);
}

static void run_one(void *arg)
{
    score_bench *b = arg;
    pen__kern()->score_one(b->panels.data, b->panels.d, b->panels.n_panels, b->users, NULL, b->out);
}

/* A panel in the first-level cache and a tile of users: what the registers give. */
static double measure_peak(void)
{
    int64_t d = 128;
    score_bench b = {.users = numbers(d * PEN_MAX_TILE, 2), .out = room(PEN_MAX_TILE * PEN_PANEL * 4)};
    float *rows = numbers(PEN_PANEL * d, 1);
    if (pen__panels_pack(ctx, rows, PEN_PANEL, d, d, NULL, &b.panels, NULL)) exit(1);
    double flops = 2.0 * pen__kern()->tile_users * PEN_PANEL * (double)d, rate = 1e3 * flops / timed(run_tiles, &b) * 1e-9;
    pen__panels_free(ctx, &b.panels);
    pen__free(ctx, b.users), pen__free(ctx, b.out), pen__free(ctx, rows);
    return rate;
}

static void bench_scores(void)
{
    static const int64_t dims[] = {16, 64, 128, 512};
    for (int i = 0; i < 4; i++) {
        int64_t d = dims[i], n = 65536 / d;
        char shape[64];
        score_bench b = {.users = numbers(d * PEN_MAX_TILE, 2), .out = room((size_t)(PEN_MAX_TILE * n * 4))};
        float *rows = numbers(n * d, 1);
        if (pen__panels_pack(ctx, rows, n, d, d, NULL, &b.panels, NULL)) exit(1);
        snprintf(shape, sizeof shape, "%d items, d %d", (int)n, (int)d);
        report("score_tile", shape, 2.0 * pen__kern()->tile_users * (double)(n * d), timed(run_tile, &b), peak, "GFLOP/s");
        report("score_one", shape, 2.0 * (double)(n * d), timed(run_one, &b), peak, "GFLOP/s");
        pen__panels_free(ctx, &b.panels);
        pen__free(ctx, b.users), pen__free(ctx, b.out), pen__free(ctx, rows);
    }
}

/* ---- rows ---- */

typedef struct row_bench {
    float *x, *y, *z;
    int64_t d;
} row_bench;

static void run_dot(void *arg)
{
    row_bench *b = arg;
    float sum = 0;
    for (int i = 0; i < 1000; i++) sum += pen__kern()->dot(b->x, b->y, b->d);
    sink = sum;
}

static void run_pair(void *arg)
{
    row_bench *b = arg;
    for (int i = 0; i < 1000; i++) pen__kern()->update_pair(b->x, b->y, b->d, 1e-9f, 1.0f, 1.0f);
}

static void run_triple(void *arg)
{
    row_bench *b = arg;
    for (int i = 0; i < 1000; i++) pen__kern()->update_triple(b->x, b->y, b->z, b->d, 1e-9f, 1.0f, 1.0f);
}

static void run_exp(void *arg)
{
    row_bench *b = arg;
    for (int i = 0; i < 1000; i++) pen__kern()->exp(b->z, b->x, b->d);
}

static void bench_rows(void)
{
    row_bench b = {numbers(512, 1), numbers(512, 2), numbers(512, 3), 0};
    static const int64_t dims[] = {16, 64, 256};
    for (int i = 0; i < 3; i++) {
        char shape[32];
        b.d = dims[i];
        snprintf(shape, sizeof shape, "d %d", (int)b.d);
        report("dot", shape, 2e3 * (double)b.d, timed(run_dot, &b), peak, "GFLOP/s");
        report("update_pair", shape, 6e3 * (double)b.d, timed(run_pair, &b), peak, "GFLOP/s");
        report("update_triple", shape, 10e3 * (double)b.d, timed(run_triple, &b), peak, "GFLOP/s");
        report("exp", shape, 18e3 * (double)b.d, timed(run_exp, &b), peak, "GFLOP/s");
    }
    pen__free(ctx, b.x), pen__free(ctx, b.y), pen__free(ctx, b.z);
}

/* ---- the whole catalogue, the size of Gowalla: 29,858 users, 40,981 items, 27 seen and 7 targets a user ---- */

static int compare_ints(const void *a, const void *b)
{
    int32_t x, y;
    memcpy(&x, a, sizeof x), memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static void bench_rank(void)
{
    enum { USERS = 29858, ITEMS = 40981, D = 64, K = 20, SEEN = 27, TARGETS = 7 };
    float *users = numbers((int64_t)USERS * D, 1), *rows = numbers((int64_t)ITEMS * D, 2);
    int32_t *seen = room((size_t)USERS * SEEN * 4), *targets = room((size_t)USERS * TARGETS * 4), *top = room((size_t)USERS * K * 4);
    int64_t *seen_at = room((USERS + 1) * 8), *target_at = room((USERS + 1) * 8), *better = room((size_t)USERS * TARGETS * 8);
    pen__rng rng = pen__rng_begin(3, 1, 0);
    for (int u = 0; u <= USERS; u++) seen_at[u] = (int64_t)u * SEEN, target_at[u] = (int64_t)u * TARGETS;
    for (int u = 0; u < USERS; u++) {
        for (int i = 0; i < SEEN; i++) seen[u * SEEN + i] = (int32_t)pen__rng_below(&rng, ITEMS);
        for (int i = 0; i < TARGETS; i++) targets[u * TARGETS + i] = (int32_t)pen__rng_below(&rng, ITEMS);
        qsort(seen + u * SEEN, SEEN, sizeof *seen, compare_ints);
    }
    pen__panels panels;
    if (pen__panels_pack(ctx, rows, ITEMS, D, D, NULL, &panels, NULL)) exit(1);
    pen__rank_job job = {.items = &panels, .users = users, .stride = D, .n_users = USERS, .seen_at = seen_at, .seen = seen,
                         .k = K, .top_items = top};
    double limit = peak * pen_context_threads(ctx), flops = 2.0 * D * USERS * (double)ITEMS;
    for (int with = 0; with < 2; with++) {
        double best = INFINITY;
        if (with) job.target_at = target_at, job.targets = targets, job.better = better;
        for (int run = 0; run < 3; run++) {
            double begin = cpu_seconds();
            if (pen__rank(ctx, &job, NULL)) exit(1);
            double taken = (cpu_seconds() - begin) / pen_context_threads(ctx);
            if (taken < best) best = taken;
        }
        report(with ? "rank_top20_and_targets" : "rank_top20", "29858 x 40981, d 64", flops, best, limit, "GFLOP/s");
    }
    pen__panels_free(ctx, &panels);
    pen__free(ctx, users), pen__free(ctx, rows), pen__free(ctx, seen), pen__free(ctx, targets), pen__free(ctx, top);
    pen__free(ctx, seen_at), pen__free(ctx, target_at), pen__free(ctx, better);
}

static const struct part {
    const char *name;
    void (*run)(void);
} parts[] = {{"scores", bench_scores}, {"rows", bench_rows}, {"rank", bench_rank}};

int main(int argc, char **argv)
{
    pen_error error = {0};
    if (pen_context_create(NULL, &ctx, &error)) return fprintf(stderr, "%s\n", error.message), 1;
    peak = measure_peak();
    printf("{\"name\": \"peak\", \"level\": \"%s\", \"GFLOP/s\": %.1f, \"threads\": %d}\n", pen__kern()->name, peak, pen_context_threads(ctx));
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        bool wanted = argc < 2;
        for (int a = 1; a < argc; a++) wanted |= strcmp(argv[a], parts[p].name) == 0;
        if (wanted) parts[p].run();
    }
    pen_context_destroy(ctx);
    return 0;
}
