/* Times the built-in matrix product beside oneDNN's, in turn on one thread, over the shapes that the neural engine
 * meets.
 *
 *   bench_gemm              every shape, transposes NN, NT and TN
 *   bench_gemm --all        the same, with a line for each shape before the last one
 *   bench_gemm OP M N K     one shape; OP: NN, NT, TN or TT
 *
 * The last line: {"shapes", "ratio_least", "at", "ratio_mean" (geometric), "rate_ours", "rate_onednn" (geometric
 * means, GFLOP/s), "seconds_ours", "seconds_onednn" (all shapes once), "best_ours", "best_onednn", "level", "gemm"}.
 * Seconds are the thread's own, the least of several rounds. Built with -DPENCHANT_BENCH=ON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "kern/gemm.h"

enum { ROUNDS = 7, MOST = 1300 * 3416 };

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct shape {
    bool ta, tb;
    int64_t m, n, k;
} shape;

static float *a, *b, *c;

static double time_of(pen__gemm_function *gemm, shape s, int64_t times)
{
    double begin = cpu_seconds();
    for (int64_t t = 0; t < times; t++)
        gemm(s.ta, s.tb, s.m, s.n, s.k, 1.0f, a, s.ta ? s.m : s.k, b, s.tb ? s.k : s.n, 0.0f, c, s.n);
    return (cpu_seconds() - begin) / (double)times;
}

typedef struct totals {
    double logs[3], sums[2], best[2], least; /* 0: ours, 1: oneDNN, 2: their ratio */
    shape worst;
    int n_shapes;
} totals;

static void compare(shape s, bool both, bool shown, totals *all)
{
    double flops = 2.0 * (double)(s.m * s.n * s.k), took[2] = {INFINITY, INFINITY};
    int64_t times = 1 + (int64_t)(2e7 / (flops + 2e3));
    for (int round = 0; round < ROUNDS; round++)
        for (int who = 0; who <= both; who++)
            took[who] = fmin(took[who], time_of(who ? pen__gemm : pen__gemm_fixed, s, times));
    double ratio = both ? took[1] / took[0] : 0;
    for (int who = 0; who <= both; who++) {
        all->logs[who] += log(flops / took[who]);
        all->sums[who] += took[who];
        all->best[who] = fmax(all->best[who], flops / took[who]);
    }
    if (both) all->logs[2] += log(ratio);
    if (!all->n_shapes++ || ratio < all->least) all->least = ratio, all->worst = s;
    if (!shown) return;
    printf("{\"op\": \"%c%c\", \"m\": %d, \"n\": %d, \"k\": %d, \"ours\": %.1f, \"onednn\": %.1f, \"ratio\": %.2f}\n",
           s.ta ? 'T' : 'N', s.tb ? 'T' : 'N', (int)s.m, (int)s.n, (int)s.k, flops / took[0] / 1e9,
           both ? flops / took[1] / 1e9 : 0.0, ratio);
}

static void summary(const totals *all, bool both)
{
    const shape s = all->worst;
    const int n = all->n_shapes;
    printf("{\"shapes\": %d, ", n);
    if (both) {
        printf("\"ratio_least\": %.3f, \"at\": \"%c%c %dx%dx%d\", \"ratio_mean\": %.3f, ", all->least, s.ta ? 'T' : 'N',
               s.tb ? 'T' : 'N', (int)s.m, (int)s.n, (int)s.k, exp(all->logs[2] / n));
        printf("\"rate_onednn\": %.1f, \"seconds_onednn\": %.5f, \"best_onednn\": %.1f, ", exp(all->logs[1] / n) / 1e9,
               all->sums[1], all->best[1] / 1e9);
    }
    printf("\"rate_ours\": %.1f, \"seconds_ours\": %.5f, \"best_ours\": %.1f, \"level\": \"%s\", \"gemm\": \"%s\"}\n",
           exp(all->logs[0] / n) / 1e9, all->sums[0], all->best[0] / 1e9, pen__cpu_name(pen__cpu_level()),
           pen__gemm_name());
}

int main(int argc, char **argv)
{
    static const int64_t ms[] = {1, 8, 64, 128, 200, 1300}, ns[] = {1, 16, 64, 128, 256, 3416},
                         ks[] = {16, 64, 128, 256};
    pen_context *ctx;
    if (pen_context_create(NULL, &ctx, NULL) != PEN_OK) return 1;
    a = pen__alloc(ctx, MOST * sizeof *a), b = pen__alloc(ctx, MOST * sizeof *b), c = pen__alloc(ctx, MOST * sizeof *c);
    if (!a || !b || !c) return 1;
    for (int64_t i = 0; i < MOST; i++)
        a[i] = (float)(i % 17 - 8) * 0.125f, b[i] = (float)(i % 13 - 6) * 0.25f, c[i] = 0.0f;
    const bool both = strcmp(pen__gemm_name(), "built-in") != 0;
    totals all = {0};
    if (argc == 5) {
        shape s = {argv[1][0] == 'T', argv[1][1] == 'T', atoi(argv[2]), atoi(argv[3]), atoi(argv[4])};
        if (s.m * s.k > MOST || s.k * s.n > MOST || s.m * s.n > MOST)
            return fputs("bench_gemm: too large\n", stderr), 1;
        compare(s, both, true, &all);
    } else {
        for (int x = 0; x < 6 * 6 * 4 * 3; x++) {
            shape s = {x % 3 == 2, x % 3 == 1, ms[x / 72], ns[x / 12 % 6], ks[x / 3 % 4]};
            compare(s, both, argc > 1, &all);
        }
        summary(&all, both);
    }
    pen__free(ctx, a), pen__free(ctx, b), pen__free(ctx, c);
    pen_context_destroy(ctx);
    return 0;
}
