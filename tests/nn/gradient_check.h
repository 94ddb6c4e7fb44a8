/* Checking gradients: a plan's own against central differences, in double. For programs built with PEN_REAL_DOUBLE.
 *
 *     check c = check_begin();
 *     ... pen__extent_child(c.plan, ...) and ops, ending in losses
 *     check_batch(&c, rows of each extent ...); fill c.batch
 *     check_gradients(&c);   // asserts; destroys
 *
 * Every weight, and every row of every table, gets a small random value; real inputs are the caller's. The difference
 * quotient at h = 1e-5 is right to about 1e-10 |loss| / h + h^2 |third derivative|: the bound of 1e-6 (relative to 1 +
 * |gradient|) is far above that and far below any wrong term. Kinks (relu, hinge) are missed with random values. */
#ifndef GRADIENT_CHECK_H
#define GRADIENT_CHECK_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "nn/ops.h"
#include "nn/run.h"

enum { CHECK_MOST = 4096 };

typedef struct check {
    pen_context *ctx;
    pen__plan *plan;
    pen__batch batch;
    int32_t grain;
    uint64_t drawn;
    int32_t integers[PEN_MAX_EXTENTS + PEN_MAX_INPUTS][CHECK_MOST];
    pen__real reals[PEN_MAX_INPUTS][CHECK_MOST];
} check;

static inline double check_draw(check *c) /* in (-1, 1) */
{
    return 2 * (double)(pen__rand64(7, 1, c->drawn++) >> 11) * 0x1p-53 - 1;
}

static inline check *check_begin(void)
{
    check *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->grain = 2;
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    assert_int_equal(pen_context_create(&options, &c->ctx, NULL), PEN_OK);
    assert_int_equal(pen__plan_create(c->ctx, &c->plan, NULL), PEN_OK);
    return c;
}

/* Rows of the root or of a shared extent. */
static inline void check_rows(check *c, int32_t extent, int64_t n) { c->batch.n[extent] = n; }

/* Lengths of a child's segments, one for each row of its parent, whose own rows are known. */
static inline void check_segments(check *c, int32_t extent, const int32_t *lengths)
{
    int64_t parents = c->batch.n[c->plan->extent[extent].parent];
    assert_true(parents > 0);
    for (int64_t r = 0; r < parents; r++) c->integers[extent][r + 1] = c->integers[extent][r] + lengths[r];
    c->batch.begin[extent] = c->integers[extent];
    c->batch.n[extent] = c->integers[extent][parents];
}

/* Random indices below n (now and then -1 where `missing`), and random reals. */
static inline void check_index(check *c, int32_t input, int32_t n, int missing)
{
    int32_t *to = c->integers[PEN_MAX_EXTENTS + input];
    for (int64_t i = 0; i < c->batch.n[c->plan->index[input].extent]; i++) {
        to[i] = (int32_t)((check_draw(c) + 1) / 2 * n);
        if (missing && check_draw(c) > 0.8) to[i] = -1;
    }
    c->batch.index[input] = to;
}

static inline void check_real(check *c, int32_t node, double low, double high)
{
    int32_t input = c->plan->node[node].input;
    for (int64_t i = 0; i < c->batch.n[c->plan->node[node].extent] * c->plan->node[node].width; i++)
        c->reals[input][i] = low + (high - low) * (check_draw(c) + 1) / 2;
    c->batch.real[input] = c->reals[input];
}

static inline double check_loss(pen__run *run, check *c)
{
    double loss;
    pen_error error;
    if (pen__run_gradients(run, &c->batch, 3, NULL, NULL, &loss, &error) != PEN_OK) fail_msg("%s", error.message);
    return loss;
}

static inline void check_block(pen__run *run, check *c, const char *name, double *data, const double *gradient,
                               int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const double h = 1e-5, old = data[i];
        data[i] = old + h;
        double up = check_loss(run, c);
        data[i] = old - h;
        double down = check_loss(run, c);
        data[i] = old;
        double numeric = (up - down) / (2 * h);
        if (!(fabs(numeric - gradient[i]) <= 1e-6 * (1 + fabs(numeric))))
            fail_msg("%s[%lld]: %.10g, not %.10g", name, (long long)i, gradient[i], numeric);
    }
}

/* Ends the plan, checks every gradient, destroys everything. */
static inline void check_gradients(check *c)
{
    pen_error error;
    pen__plan *plan = c->plan;
    if (pen__plan_end(plan, &error) != PEN_OK) fail_msg("%s", error.message);
    double *weights = calloc((size_t)plan->n_dense + 1, sizeof *weights),
           *dense = calloc((size_t)plan->n_dense + 1, sizeof *dense);
    double *table[PEN_MAX_TABLES] = {NULL}, *d_table[PEN_MAX_TABLES] = {NULL};
    for (int32_t w = 0; w < plan->n_weights; w++) {
        pen__plan_weight_set(plan, w, weights + plan->weight[w].at);
        for (int64_t i = 0; i < plan->weight[w].rows * plan->weight[w].cols; i++)
            plan->weight[w].data[i] = 0.7 * check_draw(c);
    }
    for (int32_t t = 0; t < plan->n_tables; t++) {
        int64_t n = plan->table[t].rows * plan->table[t].width;
        table[t] = calloc((size_t)n, sizeof *table[t]), d_table[t] = calloc((size_t)n, sizeof *d_table[t]);
        for (int64_t i = 0; i < n; i++) table[t][i] = 0.7 * check_draw(c);
        pen__plan_table_set(plan, t, table[t]);
    }
    pen__run *run = NULL;
    pen__run_options options = {.grain = c->grain, .seed = 5};
    if (pen__run_create(c->ctx, plan, &options, &run, &error) != PEN_OK) fail_msg("%s", error.message);
    double loss;
    if (pen__run_gradients(run, &c->batch, 3, dense, d_table, &loss, &error) != PEN_OK) fail_msg("%s", error.message);
    for (int32_t w = 0; w < plan->n_weights; w++)
        if (plan->weight[w].follows == 0) /* else its block holds no gradient */
            check_block(run, c, plan->weight[w].name, plan->weight[w].data, dense + plan->weight[w].at,
                        plan->weight[w].rows * plan->weight[w].cols);
    for (int32_t t = 0; t < plan->n_tables; t++)
        check_block(run, c, plan->table[t].name, table[t], d_table[t], plan->table[t].rows * plan->table[t].width);
    pen__run_destroy(run);
    for (int32_t t = 0; t < plan->n_tables; t++) free(table[t]), free(d_table[t]);
    free(weights), free(dense);
    pen__plan_destroy(plan);
    pen_context_destroy(c->ctx);
    free(c);
}

/* A network of a wrong shape says why; `build` ends in what a failed constructor gives, -1. */
static inline void check_refused(int32_t (*build)(pen__plan *plan), const char *words)
{
    pen_context *ctx;
    pen__plan *plan;
    pen_error error;
    assert_int_equal(pen_context_create(NULL, &ctx, NULL), PEN_OK);
    assert_int_equal(pen__plan_create(ctx, &plan, NULL), PEN_OK);
    assert_int_equal(build(plan), -1);
    assert_int_equal(pen__plan_end(plan, &error), PEN_E_ARGUMENT);
    if (!strstr(error.message, words)) fail_msg("'%s' does not say '%s'", error.message, words);
    pen__plan_destroy(plan);
    pen_context_destroy(ctx);
}

#endif
