/* The speed of the kernels, and how far it is from what the machine can do.
 *
 *     bench_kern [NAME...]        a JSON line each; PENCHANT_CPU chooses the level
 *
 * The limit is measured in the same run: fused multiply-adds of one thread whose operands are in the first-level cache.
 * Times are processor time, over the number of threads. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/progress.h"
#include "base/random.h"
#include "kern/linalg.h"
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
    printf("{\"name\": \"%s\", \"shape\": \"%s\", \"level\": \"%s\", \"%s\": %.1f, \"limit\": %.1f, \"share\": %.2f, "
           "\"seconds\": %.4f}\n",
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
    pen__kern()->score_tile(b->panels.data, b->panels.d, b->panels.n_panels, b->users, NULL, b->out,
                            b->panels.n_panels * PEN_PANEL);
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
    double flops = 2.0 * pen__kern()->tile_users * PEN_PANEL * (double)d,
           rate = 1e3 * flops / timed(run_tiles, &b) * 1e-9;
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
        report("score_tile", shape, 2.0 * pen__kern()->tile_users * (double)(n * d), timed(run_tile, &b), peak,
               "GFLOP/s");
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
    int32_t *seen = room((size_t)USERS * SEEN * 4), *targets = room((size_t)USERS * TARGETS * 4),
            *top = room((size_t)USERS * K * 4);
    int64_t *seen_at = room((USERS + 1) * 8), *target_at = room((USERS + 1) * 8),
            *better = room((size_t)USERS * TARGETS * 8);
    pen__rng rng = pen__rng_begin(3, 1, 0);
    for (int u = 0; u <= USERS; u++) seen_at[u] = (int64_t)u * SEEN, target_at[u] = (int64_t)u * TARGETS;
    for (int u = 0; u < USERS; u++) {
        for (int i = 0; i < SEEN; i++) seen[u * SEEN + i] = (int32_t)pen__rng_below(&rng, ITEMS);
        for (int i = 0; i < TARGETS; i++) targets[u * TARGETS + i] = (int32_t)pen__rng_below(&rng, ITEMS);
        qsort(seen + u * SEEN, SEEN, sizeof *seen, compare_ints);
    }
    pen__panels panels;
    if (pen__panels_pack(ctx, rows, ITEMS, D, D, NULL, &panels, NULL)) exit(1);
    pen__rank_job job = {.items = &panels,
                         .users = users,
                         .stride = D,
                         .n_users = USERS,
                         .seen_at = seen_at,
                         .seen = seen,
                         .k = K,
                         .top_items = top};
    double limit = peak * pen_context_threads(ctx), flops = 2.0 * D * USERS * (double)ITEMS;
    for (int with = 0; with < 2; with++) {
        double best = INFINITY;
        if (with) job.target_at = target_at, job.targets = targets, job.better = better;
        for (int run = 0; run < 3; run++) {
            double begin = cpu_seconds();
            if (pen__rank_vectors(ctx, &job, NULL)) exit(1);
            double taken = (cpu_seconds() - begin) / pen_context_threads(ctx);
            if (taken < best) best = taken;
        }
        report(with ? "rank_top20_and_targets" : "rank_top20", "29858 x 40981, d 64", flops, best, limit, "GFLOP/s");
    }
    pen__panels_free(ctx, &panels);
    pen__free(ctx, users), pen__free(ctx, rows), pen__free(ctx, seen), pen__free(ctx, targets), pen__free(ctx, top);
    pen__free(ctx, seen_at), pen__free(ctx, target_at), pen__free(ctx, better);
}

/* ---- normal equations ---- */

typedef struct solve_bench {
    float *table, *a[PEN_MAX_LANES], *b[PEN_MAX_LANES], *whole, *scratch, *w;
    int32_t *rows;
    int64_t d, n;
    bool ok[PEN_MAX_LANES];
} solve_bench;

static void run_outer(void *arg)
{
    solve_bench *s = arg;
    pen__kern()->add_outer(s->a[0], s->b[0], s->d, s->table, s->d, s->rows, s->w, 1.0f, s->w, 1.0f, s->n, 0,
                           s->scratch);
}

static void run_cholesky(void *arg)
{
    solve_bench *s = arg;
    memcpy(s->whole, s->a[0], (size_t)pen__matrix_floats(s->d) * sizeof(float));
    s->ok[0] = pen__kern()->cholesky(s->whole, s->d);
    pen__kern()->cholesky_solve(s->whole, s->d, s->b[0]);
}

static void run_lanes(void *arg)
{
    solve_bench *s = arg;
    pen__kern()->solve_lanes((const float *const *)s->a, s->b, pen__kern()->lanes, s->d, s->scratch, s->ok);
}

static void bench_solve(void)
{
    static const int64_t dims[] = {16, 32, 64, 128, 192, 256, 512};
    enum { ROWS = 20000, MOST = 512 };
    for (int i = 0; i < 7; i++) {
        int64_t d = dims[i], pad = pen__matrix_pad(d), floats = pen__matrix_floats(d);
        solve_bench s = {
            .table = numbers(ROWS * d, 1), .whole = room((size_t)floats * 4), .w = numbers(MOST, 2), .d = d, .n = MOST};
        s.rows = room(MOST * 4);
        s.scratch = room((size_t)(PEN_MAX_LANES * (pad * (pad + 8) / 2 + 2 * pad) + 2 * PEN_OUTER_ROWS * pad) * 4);
        for (int t = 0; t < MOST; t++)
            s.rows[t] = (int32_t)(pen__rand64(1, 1, (uint64_t)t) % ROWS), s.w[t] = 1.0f + s.w[t];
        for (int l = 0; l < PEN_MAX_LANES; l++) {
            s.a[l] = room((size_t)floats * 4), s.b[l] = numbers(pad, 3);
            memset(s.a[l], 0, (size_t)floats * 4);
            for (int64_t k = 0; k < d; k++) s.a[l][k * pen__matrix_stride(d) + k] = 1.0f;
        }
        char shape[32];
        snprintf(shape, sizeof shape, "d %d", (int)d);
        double dd = (double)d, cube = dd * dd * dd / 3 + 2 * dd * dd;
        report("cholesky_and_solve", shape, cube, timed(run_cholesky, &s), peak, "GFLOP/s");
        report("solve_lanes", shape, cube * pen__kern()->lanes, timed(run_lanes, &s), peak, "GFLOP/s");
        report("add_outer", shape, dd * (dd + 1) * MOST, timed(run_outer, &s), peak, "GFLOP/s");
        for (int l = 0; l < PEN_MAX_LANES; l++) pen__free(ctx, s.a[l]), pen__free(ctx, s.b[l]);
        pen__free(ctx, s.table), pen__free(ctx, s.whole), pen__free(ctx, s.w), pen__free(ctx, s.rows),
            pen__free(ctx, s.scratch);
    }
}

/* A sweep of iALS over 14 M events of 138,000 users and 27,000 items, both sides; items by a power law. */
static void bench_sweep(void)
{
    enum { USERS = 138000, ITEMS = 27000, D = 64, PER_USER = 101 };
    int64_t n = (int64_t)USERS * PER_USER, *at = room((USERS + 1) * 8), *back_at = room((ITEMS + 2) * 8);
    int32_t *cols = room((size_t)n * 4), *back = room((size_t)n * 4);
    float *p = numbers((int64_t)USERS * D, 1), *q = numbers((int64_t)ITEMS * D, 2),
          *base = room((size_t)pen__matrix_floats(D) * 4);
    pen__rng rng = pen__rng_begin(3, 1, 0);
    memset(back_at, 0, (ITEMS + 2) * 8);
    at[0] = 0;
    for (int64_t u = 0; u < USERS; u++) { /* 20 to 182 events each, some far more */
        int64_t m = 20 + (int64_t)pen__rng_below(&rng, 2 * (PER_USER - 20) + 1);
        at[u + 1] = at[u] + m < n ? at[u] + m : n;
    }
    n = at[USERS];
    for (int64_t e = 0; e < n; e++) {
        double x = (double)(pen__rng_next(&rng) >> 11) * 0x1p-53;
        cols[e] = (int32_t)(ITEMS * x * x * x);
        back_at[cols[e] + 2]++;
    }
    for (int i = 0; i < ITEMS; i++) back_at[i + 2] += back_at[i + 1];
    for (int64_t u = 0; u < USERS; u++)
        for (int64_t e = at[u]; e < at[u + 1]; e++) back[back_at[cols[e] + 1]++] = (int32_t)u;
    pen__normal users = {.n_rows = USERS,
                         .d = D,
                         .table = q,
                         .stride = D,
                         .at = at,
                         .cols = cols,
                         .w_all = 1.0f,
                         .v_all = 2.0f,
                         .base = base,
                         .l2_all = 1.0f,
                         .out = p,
                         .out_stride = D};
    pen__normal items = {.n_rows = ITEMS,
                         .d = D,
                         .table = p,
                         .stride = D,
                         .at = back_at,
                         .cols = back,
                         .w_all = 1.0f,
                         .v_all = 2.0f,
                         .base = base,
                         .l2_all = 1.0f,
                         .out = q,
                         .out_stride = D};
    double limit = peak * pen_context_threads(ctx), best[2] = {INFINITY, INFINITY},
           cube = D * D * D / 3.0 + 4.0 * D * D;
    for (int run = 0; run < 6; run++) {
        const pen__normal *half = run % 2 ? &items : &users;
        int64_t failed;
        double begin = cpu_seconds();
        if (pen__gram(ctx, half->table, run % 2 ? USERS : ITEMS, D, D, base, NULL)) exit(1);
        if (pen__normal_solve_all(ctx, half, &failed, NULL) || failed) exit(1);
        double taken = (cpu_seconds() - begin) / pen_context_threads(ctx);
        if (taken < best[run % 2]) best[run % 2] = taken;
    }
    double flops = (double)n * D * (D + 1);
    report("ials_users", "14 M events, 138000 rows, table of 7 MB, d 64", flops + USERS * cube, best[0], limit,
           "GFLOP/s");
    report("ials_items", "14 M events, 27000 rows, table of 35 MB, d 64", flops + ITEMS * cube, best[1], limit,
           "GFLOP/s");
    report("ials_sweep", "both", 2 * flops + (USERS + ITEMS) * cube, best[0] + best[1], limit, "GFLOP/s");
    pen__free(ctx, at), pen__free(ctx, back_at), pen__free(ctx, cols), pen__free(ctx, back), pen__free(ctx, p),
        pen__free(ctx, q), pen__free(ctx, base);
}

static const struct part {
    const char *name;
    void (*run)(void);
} parts[] = {{"scores", bench_scores},
             {"rows", bench_rows},
             {"rank", bench_rank},
             {"solve", bench_solve},
             {"sweep", bench_sweep}};

int main(int argc, char **argv)
{
    pen_error error = {0};
    if (pen_context_create(NULL, &ctx, &error)) return fprintf(stderr, "%s\n", error.message), 1;
    peak = measure_peak();
    printf("{\"name\": \"peak\", \"level\": \"%s\", \"GFLOP/s\": %.1f, \"threads\": %d}\n", pen__kern()->name, peak,
           pen_context_threads(ctx));
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        bool wanted = argc < 2;
        for (int a = 1; a < argc; a++) wanted |= strcmp(argv[a], parts[p].name) == 0;
        if (wanted) parts[p].run();
    }
    pen_context_destroy(ctx);
    return 0;
}
