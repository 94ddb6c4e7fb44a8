/* One node for many rows, such as the vectors of all items: rows are computed in blocks, in parallel, in fixed order
 * (pen__infer), so a row's numbers do not depend on its block. Memory: one block's inputs and values a worker. */
#include <string.h>

#include "base/memory.h"
#include "train/net.h"

enum { BLOCK = 64 };

typedef struct seeing {
    const pen_model *model;
    const pen__train *train;
    const pen__plan *plan;
    const pen__seen *seen;
    int64_t bound[PEN_MAX_EXTENTS];
    pen__layout *layout;
    float *out;
} seeing;

static int64_t block_end(const seeing *w, int64_t block)
{
    return (block + 1) * BLOCK < w->seen->n ? (block + 1) * BLOCK : w->seen->n;
}

static pen__example example_of(const seeing *w, int64_t row)
{
    pen__example example = {.model = w->model, .train = w->train, .number = row};
    example.rows[PEN_ROOT] = 1;
    w->seen->size(&example);
    return example;
}

/* The most rows of each extent that a block has. */
static void find_bounds(seeing *w)
{
    for (int64_t b = 0; b < pen__shards(w->seen->n, BLOCK); b++) {
        int64_t rows[PEN_MAX_EXTENTS] = {0};
        for (int64_t r = b * BLOCK; r < block_end(w, b); r++) {
            pen__example example = example_of(w, r);
            for (int32_t e = 0; e < w->plan->n_extents; e++) rows[e] += example.rows[e];
        }
        for (int32_t e = 0; e < w->plan->n_extents; e++)
            if (rows[e] > w->bound[e]) w->bound[e] = rows[e];
    }
}

/* A block's inputs, one after another in memory: first their size, then (base not NULL) where they are. */
typedef struct block {
    pen__batch batch;
    int32_t *begin[PEN_MAX_EXTENTS], *index[PEN_MAX_INPUTS];
    pen__real *real[PEN_MAX_INPUTS];
    char *engine;
} block;

static size_t take(char *base, size_t *at, int64_t n, size_t size, void *out)
{
    char *here = base ? base + *at : NULL;
    memcpy(out, &here, sizeof here);
    *at += ((size_t)n * size + 63) / 64 * 64;
    return *at;
}

static size_t lay_out(const seeing *w, char *base, block *b)
{
    const pen__plan *plan = w->plan;
    size_t at = 0;
    for (int32_t e = 0; e < plan->n_extents; e++) take(base, &at, BLOCK + 1, sizeof(int32_t), &b->begin[e]);
    for (int32_t i = 0; i < plan->n_index; i++)
        take(base, &at, w->bound[plan->index[i].extent], sizeof(int32_t), &b->index[i]);
    for (int32_t i = 0; i < plan->n_real; i++)
        take(base, &at, w->bound[plan->real[i].extent] * plan->real[i].width, sizeof(pen__real), &b->real[i]);
    return take(base, &at, (int64_t)pen__infer_bytes(w->layout), 1, &b->engine);
}

/* Writes row r as the i-th of the block. */
static void fill_row(const seeing *w, block *b, int64_t i, int64_t r)
{
    pen__example example = example_of(w, r);
    int64_t first[PEN_MAX_EXTENTS];
    for (int32_t e = 0; e < w->plan->n_extents; e++) {
        first[e] = e == PEN_ROOT ? i : b->begin[e][i];
        if (e != PEN_ROOT) b->begin[e][i + 1] = b->begin[e][i] + (int32_t)example.rows[e];
    }
    for (int32_t k = 0; k < w->plan->n_index; k++) example.index[k] = b->index[k] + first[w->plan->index[k].extent];
    for (int32_t k = 0; k < w->plan->n_real; k++)
        example.real[k] = b->real[k] + first[w->plan->real[k].extent] * w->plan->real[k].width;
    w->seen->fill(&example);
}

static pen_status see_block(void *arg, int64_t shard, int worker, pen_error *error)
{
    const seeing *w = arg;
    const pen__plan *plan = w->plan;
    block b = {0};
    char *base;
    (void)worker;
    /* as large as the largest block's, so not cleared: `fill` writes what the node stands on */
    PEN_TRY(PEN_NEW(w->model->ctx, base, lay_out(w, NULL, &b)));
    lay_out(w, base, &b);
    for (int32_t e = 0; e < plan->n_extents; e++) b.begin[e][0] = 0;
    int64_t n = block_end(w, shard) - shard * BLOCK;
    for (int64_t i = 0; i < n; i++) fill_row(w, &b, i, shard * BLOCK + i);
    for (int32_t e = 0; e < plan->n_extents; e++) {
        b.batch.n[e] = e == PEN_ROOT ? n : b.begin[e][n];
        b.batch.begin[e] = e == PEN_ROOT ? NULL : b.begin[e];
    }
    for (int32_t k = 0; k < plan->n_index; k++) b.batch.index[k] = b.index[k];
    for (int32_t k = 0; k < plan->n_real; k++) b.batch.real[k] = b.real[k];
    int64_t width = plan->node[w->seen->node].width;
    const pen__real *rows = pen__infer(w->layout, b.engine, &b.batch, NULL, w->seen->node);
    memcpy(w->out + shard * BLOCK * width, rows, (size_t)(n * width) * sizeof *rows);
    pen__free(w->model->ctx, base);
    return PEN_OK;
}

pen_status pen__net_finish(pen_context *ctx, int64_t n_shards, pen__shard_fn fn, void *arg, pen_error *error)
{
    pen_error failure = {0};
    pen_status status = pen__parallel(ctx, n_shards, fn, arg, &failure);
    if (status == PEN_E_CANCELLED) {
        for (int64_t s = 0; s < n_shards; s++) PEN_TRY(fn(arg, s, 0, error));
        return PEN_OK;
    }
    if (status != PEN_OK && error) *error = failure;
    return status;
}

pen_status pen__net_see(const pen_model *model, const pen__train *train, const pen__seen *seen, float *out,
                        pen_error *error)
{
    seeing w = {
        .model = model, .train = train, .plan = ((const pen__net *)model->state)->plan, .seen = seen, .out = out};
    find_bounds(&w);
    PEN_TRY(pen__layout_answer(model->ctx, w.plan, seen->node, w.bound, &w.layout, error));
    pen_status status = pen__net_finish(model->ctx, pen__shards(seen->n, BLOCK), see_block, &w, error);
    pen__layout_destroy(w.layout);
    return status;
}
