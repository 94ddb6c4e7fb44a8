/* Times each op of a network on one shard and one thread, forward and backward, with its arithmetic beside that of a
 * large product.
 *
 *   bench_ops sasrec|gru4rec [SEQUENCES [WIDTH [LONGEST]]]
 *
 * Sequences have the lengths of ml-1m's users (log-normal, median 96), cut off at LONGEST; a mean over runs of half a
 * second. Built with -DPENCHANT_BENCH=ON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/random.h"
#include "nn/arena.h"
#include "nn/ops.h"

enum { ITEMS = 3416 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *filled(int64_t n)
{
    pen__real *x = aligned_alloc(64, (size_t)(n + 16) / 16 * 16 * sizeof *x);
    for (int64_t i = 0; x && i < n; i++)
        x[i] = 0.05f * (float)(pen__rand64(1, 2, (uint64_t)i) >> 40) / (float)(1 << 23) - 0.05f;
    return x;
}

static double peak(void)
{
    enum { N = 512 };
    pen__real *a = filled(N * N), *b = filled(N * N), *c = filled(N * N);
    double best = 0;
    for (int r = 0; r < 20; r++) {
        double began = now();
        pen__gemm(false, false, N, N, N, 1, a, N, b, N, 0, c, N);
        double rate = 2.0 * N * N * N / (now() - began) * 1e-9;
        if (rate > best) best = rate;
    }
    free(a), free(b), free(c);
    return best;
}

static void sasrec(pen__plan *p, int32_t events, int32_t x, int32_t width)
{
    char name[32];
    x = pen__dropped(p, x, 0.2);
    for (int b = 0; b < 2; b++) {
        snprintf(name, sizeof name, "%d.norm1", b);
        int32_t normed = pen__norm(p, name, x);
        snprintf(name, sizeof name, "%d.in", b);
        int32_t qkv = pen__linear(p, name, &normed, 1, 3 * width, PEN_ACT_NONE),
                seen = pen__attention(p, &qkv, 1, 1, true, 0.2);
        snprintf(name, sizeof name, "%d.out", b);
        x = pen__plus(p, x, pen__dropped(p, pen__linear(p, name, &seen, 1, width, PEN_ACT_NONE), 0.2));
        snprintf(name, sizeof name, "%d.norm2", b);
        int32_t again = pen__norm(p, name, x);
        snprintf(name, sizeof name, "%d.up", b);
        int32_t up = pen__dropped(p, pen__linear(p, name, &again, 1, width, PEN_ACT_RELU), 0.2);
        snprintf(name, sizeof name, "%d.down", b);
        x = pen__plus(p, x, pen__dropped(p, pen__linear(p, name, &up, 1, width, PEN_ACT_NONE), 0.2));
    }
    x = pen__norm(p, "norm", x);
    pen__loss_pointwise(p, PEN_LOSS_SQUARED, pen__dot(p, x, x), pen__input_real(p, events, 1, "label"), -1);
}

static void gru4rec(pen__plan *p, int32_t events, int32_t x, int32_t width)
{
    x = pen__gru(p, "gru", x, width);
    pen__loss_pointwise(p, PEN_LOSS_SQUARED, pen__dot(p, x, x), pen__input_real(p, events, 1, "label"), -1);
}

int main(int argc, char **argv)
{
    int32_t sequences = argc > 2 ? atoi(argv[2]) : 16, width = argc > 3 ? atoi(argv[3]) : 64,
            longest = argc > 4 ? atoi(argv[4]) : 200;
    bool attends = argc > 1 && argv[1][0] == 's';
    pen_context *ctx;
    pen__plan *p;
    pen__layout *layout;
    if (argc < 2 || pen_context_create(NULL, &ctx, NULL) != PEN_OK || pen__plan_create(ctx, &p, NULL) != PEN_OK)
        return 2;
    int32_t events = pen__extent_child(p, PEN_ROOT, "events"), item = pen__input_index(p, events, "item");
    int32_t table = pen__plan_table(p, "item", ITEMS, width, (pen__init){PEN_INIT_NORMAL, 1});
    (attends ? sasrec : gru4rec)(p, events, pen__gather(p, table, item), width);
    pen_error error;
    if (pen__plan_end(p, &error) != PEN_OK) return fprintf(stderr, "%s\n", error.message), 1;

    int32_t *begin = calloc((size_t)sequences + 1, sizeof *begin);
    pen__rng rng = pen__rng_begin(1, 1, 1);
    double squares = 0;
    for (int s = 0; s < sequences; s++) {
        double length = exp(log(96) + 1.04 * pen__rng_normal(&rng));
        int32_t n = length < 20 ? 20 : length > longest ? longest : (int32_t)length;
        begin[s + 1] = begin[s] + n;
        squares += (double)n * (n + 1) / 2;
    }
    int64_t rows = begin[sequences];
    int32_t *index = calloc((size_t)rows, sizeof *index);
    for (int64_t i = 0; i < rows; i++) index[i] = (int32_t)(pen__rng_uniform(&rng) * ITEMS);

    pen__batch batch = {.n = {sequences, rows}, .begin = {NULL, begin}, .index = {index}, .real = {filled(rows)}};
    if (pen__layout_train(ctx, p, batch.n, &layout, &error) != PEN_OK) return 1;
    pen__real *weights = filled(p->n_dense), *grads = filled(p->n_dense), *looked = filled(rows * width);
    for (int32_t w = 0; w < p->n_weights; w++) pen__plan_weight_set(p, w, weights + p->weight[w].at);
    pen__plan_table_set(p, table, filled((int64_t)ITEMS * width));
    pen__frame f = {.plan = p,
                    .layout = layout,
                    .batch = &batch,
                    .n_shards = 1,
                    .training = true,
                    .arena = filled(layout->arena),
                    .scratch = filled(layout->scratch),
                    .dense_grad = grads,
                    .lookup_grad = &looked};
    f.count[0] = sequences, f.count[1] = rows;

    double seconds[64][2] = {{0}}, began = now(), rate = peak();
    int runs = 0;
    for (began = now(); now() - began < 0.5; runs++) {
        for (int32_t c = 0; c < p->n_calls; c++) {
            double at = now();
            p->call[c].op->forward(&f, &p->call[c]);
            if (runs) seconds[c][0] += now() - at;
        }
        for (int32_t c = p->n_calls - 1; c >= 0; c--) {
            double at = now();
            if (p->call[c].op->backward) p->call[c].op->backward(&f, &p->call[c]);
            if (runs) seconds[c][1] += now() - at;
        }
    }
    runs--;
    double all = 0, work = 0;
    printf(
        "%d sequences, %lld rows, width %d; products: %s, %.1f GFLOP/s of one core; arena %.1f MB, scratch %.1f MB\n",
        sequences, (long long)rows, width, pen__gemm_name(), rate, 4e-6 * (double)layout->arena,
        4e-6 * (double)layout->scratch);
    printf("%-12s %10s %10s %12s %10s\n", "op", "forward us", "backward", "GFLOP/s both", "ns a row");
    for (int32_t c = 0; c < p->n_calls; c++) {
        const pen__op *op = p->call[c].op;
        double flops = op->flops ? op->flops(p, &p->call[c], batch.n) * (op->backward ? 3 : 1) : 0,
               both = (seconds[c][0] + seconds[c][1]) / runs;
        /* 2 products forward, 5 backward */
        if (!strcmp(op->name, "attention")) flops = 4 * squares * p->node[p->call[c].out].width * 3.5;
        all += both, work += flops;
        printf("%-12s %10.1f %10.1f %12.1f %10.1f\n", op->name, 1e6 * seconds[c][0] / runs, 1e6 * seconds[c][1] / runs,
               1e-9 * flops / both, 1e9 * both / (double)rows);
    }
    printf("%-12s %21.1f %12.1f %10.1f  (%.0f %% of the large product's)\n", "all", 1e6 * all, 1e-9 * work / all,
           1e9 * all / (double)rows, 100e-9 * work / all / rate);
    pen__layout_destroy(layout);
    pen__plan_destroy(p);
    pen_context_destroy(ctx);
    return 0;
}
