/* The speed of the losses over items, and how far it is from that of their matrix products alone.
 *
 *     bench_softmax [ROWS]        a JSON line for each loss and shape
 *
 * A step of one thread on ROWS rows of 64 numbers (and what is around the loss: a gather of the rows, sums of the
 * gradients; the optimiser's rate is 0), in processor time. The limit, measured beside it in turns: three products of
 * the same work, 128 rows at a time, whose operands stay in the caches. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/random.h"
#include "nn/ops.h"
#include "nn/run.h"

enum { WIDTH = 64, ROUNDS = 7, LIMIT_ROWS = 128, LIMIT_ITEMS = 2048 };

typedef enum kind { FULL, MULTINOMIAL, N_KINDS } kind;
static const char *const KIND[N_KINDS] = {"softmax_full", "multinomial"};

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

/* Seconds a multiply-add of each of the three products that a softmax is made of. */
static double products(void)
{
    static pen__real *h, *e, *s;
    if (!h) h = numbers(LIMIT_ROWS * WIDTH), e = numbers(LIMIT_ITEMS * WIDTH), s = numbers(LIMIT_ROWS * LIMIT_ITEMS);
    double from = seconds();
    for (int i = 0; i < 8; i++) {
        pen__gemm(false, true, LIMIT_ROWS, LIMIT_ITEMS, WIDTH, 1, h, WIDTH, e, WIDTH, 0, s, LIMIT_ITEMS);
        pen__gemm(false, false, LIMIT_ROWS, WIDTH, LIMIT_ITEMS, (pen__real)1e-6, s, LIMIT_ITEMS, e, WIDTH, 0, h, WIDTH);
        pen__gemm(true, false, LIMIT_ITEMS, WIDTH, LIMIT_ROWS, (pen__real)1e-6, s, LIMIT_ITEMS, h, WIDTH,
                  (pen__real)0.5, e, WIDTH);
    }
    return (seconds() - from) / (8.0 * 3 * LIMIT_ROWS * LIMIT_ITEMS * WIDTH);
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

static void build(job *j, kind k, int64_t items)
{
    const pen__init zero = {PEN_INIT_ZERO, 0};
    pen_error error;
    must(pen__plan_create(ctx, &j->plan, &error), &error);
    pen__plan *p = j->plan;
    int32_t state = pen__input_index(p, PEN_ROOT, "state"), bag = pen__extent_child(p, PEN_ROOT, "bag");
    int32_t target = pen__input_index(p, PEN_ROOT, "target"), targets = pen__input_index(p, bag, "targets");
    int32_t h = pen__gather(p, pen__plan_table(p, "state", rows, WIDTH, zero), state),
            table = pen__plan_table(p, "item", items, WIDTH, zero);
    if (k == FULL) pen__loss_softmax(p, h, table, target, -1);
    if (k == MULTINOMIAL) pen__loss_multinomial(p, h, table, targets, -1, pen__plan_table(p, "bias", items, 1, zero));
    must(pen__plan_end(p, &error), &error);
    for (int32_t t = 0; t < p->n_tables; t++) pen__plan_table_set(p, t, numbers(p->table[t].rows * p->table[t].width));
    int32_t *begin = room((size_t)(rows + 1) * sizeof *begin);
    for (int64_t r = 0; r <= rows; r++) begin[r] = (int32_t)(20 * r);
    j->batch.n[PEN_ROOT] = rows, j->batch.n[bag] = 20 * rows, j->batch.begin[bag] = begin;
    j->batch.index[state] = indices(rows, rows), j->batch.index[target] = indices(rows, items),
    j->batch.index[targets] = indices(20 * rows, items);
    pen__run_options options = {.grain = 512, .seed = 1};
    must(pen__run_create(ctx, p, &options, &j->run, &error), &error);
    int32_t *slot = room((size_t)(items + rows) * sizeof *slot);
    for (int64_t i = 0; i < items + rows; i++) slot[i] = -1;
    for (int32_t t = 0; t < p->n_tables; t++)
        must(pen__touched_build(&j->touched[t], p, t, &j->batch, pen__run_shards(j->run, rows), slot, &error), &error);
}

static void measure(kind k, int64_t items)
{
    job j = {0};
    pen_error error;
    double best = INFINITY, limit = INFINITY;
    build(&j, k, items);
    for (int round = 0; round < ROUNDS; round++) { /* in turns: whatever else runs slows both */
        pen__step_report report;
        double product = products(), from = seconds();
        must(pen__run_step(j.run, &j.batch, j.touched, (uint64_t)round, NULL, &report, &error), &error);
        double spent = seconds() - from;
        if (spent < best) best = spent;
        if (product < limit) limit = product;
    }
    double adds = 3.0 * (double)rows * (double)items * WIDTH;
    printf("{\"loss\": \"%s\", \"rows\": %lld, \"items\": %lld, \"width\": %d, \"gemm\": \"%s\", \"seconds\": %.4f, "
           "\"gflops\": %.1f, \"limit\": %.1f, "
           "\"share\": %.2f}\n",
           KIND[k], (long long)rows, (long long)items, WIDTH, pen__gemm_name(), best, 2e-9 * adds / best, 2e-9 / limit,
           adds * limit / best);
    fflush(stdout);
    for (int32_t t = 0; t < j.plan->n_tables; t++) pen__touched_free(ctx, &j.touched[t]);
    pen__run_destroy(j.run);
    pen__plan_destroy(j.plan); /* the rest goes with the program */
}

int main(int argc, char **argv)
{
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.n_threads = 1;
    if (argc > 1) rows = strtoll(argv[1], NULL, 10);
    if (rows < 1 || pen_context_create(&options, &ctx, NULL)) return 1;
    measure(FULL, 3416);
    measure(MULTINOMIAL, 3416);
    measure(FULL, 11000);
    measure(FULL, 40981);
    return 0;
}
