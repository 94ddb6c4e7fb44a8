/* The speed of the losses over items, and how far it is from what matrix products reach.
 *
 *     bench_softmax [ROWS]        a JSON line for each loss and shape
 *
 * A step of one thread on ROWS rows of 64 numbers (and what is around the loss: a gather of the rows, sums of the
 * gradients; the optimiser's rate is 0), in processor time. The limit, measured beside it in turns, is the rate of the
 * product 1024 x 128 x 256: as fast as any shape that was tried, while 512 x 512 x 512, whose rows lie at powers of
 * two, is slower by a third. Flops are those of the fewest products that give the loss and its gradients, 3 for a
 * matrix of scores; softmax_full makes 4 for catalogues of more than 131072 items. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/random.h"
#include "nn/ops.h"
#include "nn/run.h"

enum { WIDTH = 64, ROUNDS = 9, M = 1024, N = 128, K = 256, BAG = 20 };

/* What a row meets: all items; shared negatives; negatives of its own; the rest of the batch. */
typedef enum kind { FULL, MULTINOMIAL, SHARED, OWN, IN_BATCH } kind;

static pen_context *ctx;
static int64_t rows = 4096;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *room(size_t bytes)
{
    void *block = pen__alloc(ctx, bytes);
    if (!block) exit(1);
    memset(block, 0, bytes);
    return block;
}

static pen__real *numbers(int64_t n)
{
    pen__real *x = room((size_t)n * sizeof *x);
    pen__rng rng = pen__rng_begin(1, 1, 0);
    for (int64_t i = 0; i < n; i++) x[i] = (pen__real)(pen__rng_uniform(&rng) - 0.5);
    return x;
}

static int32_t *indices(int64_t n, int64_t below)
{
    int32_t *x = room((size_t)n * sizeof *x);
    pen__rng rng = pen__rng_begin(2, 1, 0);
    for (int64_t i = 0; i < n; i++) x[i] = (int32_t)pen__rng_below(&rng, (uint64_t)below);
    return x;
}

/* Seconds a multiply-add of the product that is the limit. */
static double product(void)
{
    static pen__real *a, *b, *c;
    if (!a) a = numbers(M * K), b = numbers(K * N), c = numbers(M * N);
    double from = seconds();
    for (int i = 0; i < 32; i++) pen__gemm(false, false, M, N, K, 1, a, K, b, N, 0, c, N);
    return (seconds() - from) / (32.0 * M * N * K);
}

typedef struct job {
    pen__plan *plan;
    pen__run *run;
    pen__batch batch;
    pen__touched touched[PEN_MAX_TABLES];
} job;

static void must(pen_status status, const pen_error *error)
{
    if (status == PEN_OK) return;
    fprintf(stderr, "%s\n", error->message);
    exit(1);
}

static pen__plan *plan_of(job *j, kind k, pen__contrast contrast, int64_t items, int64_t n)
{
    const pen__init zero = {PEN_INIT_ZERO, 0};
    pen_error error;
    must(pen__plan_create(ctx, &j->plan, &error), &error);
    pen__plan *p = j->plan;
    int32_t child = pen__extent_child(p, PEN_ROOT, "child"), shared = pen__extent_shared(p, "shared");
    int32_t others = k == SHARED ? shared : child;
    int32_t state = pen__input_index(p, PEN_ROOT, "state"), target = pen__input_index(p, PEN_ROOT, "target");
    int32_t other = pen__input_index(p, others, "other"), table = pen__plan_table(p, "item", items, WIDTH, zero);
    int32_t h = pen__gather(p, pen__plan_table(p, "state", rows, WIDTH, zero), state);
    pen__sampled how = {.kind = contrast, .target = target, .negatives = other, .positive_shift = -1};
    how.negative_shift = -1, how.n_items = items, how.t = 0.75, how.margin = 0.5, how.weight = 1;
    if (k == FULL) pen__loss_softmax(p, h, table, target, -1);
    if (k == MULTINOMIAL) pen__loss_multinomial(p, h, table, other, -1, pen__plan_table(p, "bias", items, 1, zero));
    if (k == SHARED || k == OWN)
        pen__loss_sampled(p, h, pen__gather(p, table, target), pen__gather(p, table, other), &how);
    if (k == IN_BATCH) pen__loss_in_batch(p, h, pen__gather(p, table, target), target, -1, 0.5, false);
    must(pen__plan_end(p, &error), &error);
    int64_t each = k == OWN ? n : k == MULTINOMIAL ? BAG : 0;
    int32_t *begin = room((size_t)(rows + 1) * sizeof *begin);
    for (int64_t r = 0; r <= rows; r++) begin[r] = (int32_t)(each * r);
    j->batch.n[PEN_ROOT] = rows, j->batch.n[child] = each * rows, j->batch.begin[child] = begin;
    j->batch.n[shared] = k == SHARED ? n : 0;
    j->batch.index[state] = indices(rows, rows), j->batch.index[target] = indices(rows, items);
    j->batch.index[other] = indices(each * rows + n, items);
    return p;
}

static void measure(const char *name, kind k, pen__contrast contrast, int64_t items, int64_t n)
{
    job j = {0};
    pen_error error;
    double best = INFINITY, limit = INFINITY;
    pen__plan *p = plan_of(&j, k, contrast, items, n);
    pen__run_options options = {.grain = 512, .seed = 1};
    for (int32_t t = 0; t < p->n_tables; t++) pen__plan_table_set(p, t, numbers(p->table[t].rows * p->table[t].width));
    must(pen__run_create(ctx, p, &options, &j.run, &error), &error);
    int32_t *slot = room((size_t)(items + rows) * sizeof *slot);
    for (int64_t i = 0; i < items + rows; i++) slot[i] = -1;
    for (int32_t t = 0; t < p->n_tables; t++)
        must(pen__touched_build(&j.touched[t], p, t, &j.batch, pen__run_shards(j.run, rows), slot, &error), &error);
    for (int round = 0; round < ROUNDS; round++) { /* in turns: whatever else runs slows both */
        pen__step_report report;
        double large = product(), from = seconds();
        must(pen__run_step(j.run, &j.batch, j.touched, (uint64_t)round, NULL, &report, &error), &error);
        double spent = seconds() - from;
        if (spent < best) best = spent;
        if (large < limit) limit = large;
    }
    double adds = 3.0 * (double)rows * (double)n * WIDTH;
    printf("{\"loss\": \"%s\", \"rows\": %lld, \"items\": %lld, \"meets\": %lld, \"width\": %d, \"gemm\": \"%s\", "
           "\"seconds\": %.4f, \"ns a score\": %.2f, \"gflops\": %.1f, \"limit\": %.1f, \"share\": %.2f}\n",
           name, (long long)rows, (long long)items, (long long)n, WIDTH, pen__gemm_name(), best,
           1e9 * best / (double)(rows * n), 2e-9 * adds / best, 2e-9 / limit, adds * limit / best);
    fflush(stdout);
    for (int32_t t = 0; t < p->n_tables; t++) pen__touched_free(ctx, &j.touched[t]);
    pen__run_destroy(j.run);
    pen__plan_destroy(p); /* the rest goes with the program */
}

int main(int argc, char **argv)
{
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.n_threads = 1;
    if (argc > 1) rows = strtoll(argv[1], NULL, 10);
    if (rows < 1 || pen_context_create(&options, &ctx, NULL)) return 1;
    measure("softmax_full", FULL, 0, 3416, 3416);
    measure("multinomial", MULTINOMIAL, 0, 3416, 3416);
    measure("softmax_full", FULL, 0, 11000, 11000);
    measure("softmax_full", FULL, 0, 40981, 40981);
    measure("softmax, shared", SHARED, PEN_CONTRAST_SOFTMAX, 40981, 256);
    measure("softmax, shared", SHARED, PEN_CONTRAST_SOFTMAX, 40981, 3000);
    measure("bpr-max, shared", SHARED, PEN_CONTRAST_BPR_MAX, 40981, 2048);
    measure("gbce, shared", SHARED, PEN_CONTRAST_GBCE, 3416, 256);
    measure("ccl, shared", SHARED, PEN_CONTRAST_CCL, 40981, 800);
    measure("gbce, own", OWN, PEN_CONTRAST_GBCE, 3416, 256);
    measure("bce, own", OWN, PEN_CONTRAST_BCE, 3416, 1);
    measure("in_batch", IN_BATCH, 0, 40981, rows);
    return 0;
}
