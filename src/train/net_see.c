/* One node for many rows, such as the vectors of all items: rows are computed in blocks, in parallel, in fixed order
 * (pen__infer), so a row's numbers do not depend on its block. Memory: one block's inputs and values a worker. */
#include <string.h>

#include "base/memory.h"
#include "nn/arena.h"
#include "train/net_block.h"

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
    pen__example example = {.model = w->model, .train = w->train, .number = row, .rows = {1}};
    if (w->seen->user) {
        example.user = &w->seen->user[row];
        example.rng = pen__rng_begin(w->model->seed, PEN_STREAM_MODEL, 0);
    }
    return example;
}

/* The most rows of each extent that a block has. */
static void find_bounds(seeing *w)
{
    for (int64_t b = 0; b < pen__shards(w->seen->n, BLOCK); b++) {
        int64_t rows[PEN_MAX_EXTENTS] = {0};
        for (int64_t r = b * BLOCK; r < block_end(w, b); r++) {
            pen__example example = example_of(w, r);
            w->seen->size(&example);
            for (int32_t e = 0; e < w->plan->n_extents; e++) rows[e] += example.rows[e];
        }
        for (int32_t e = 0; e < w->plan->n_extents; e++)
            if (rows[e] > w->bound[e]) w->bound[e] = rows[e];
    }
}

static pen_status see_block(void *arg, int64_t shard, int worker, pen_error *error)
{
    const seeing *w = arg;
    pen__net_block b;
    char *memory;
    (void)worker;
    PEN_TRY(PEN_NEW(w->model->ctx, memory, pen__net_block_bytes(w->layout)));
    pen__net_block_begin(&b, w->layout, memory);
    for (int64_t r = shard * BLOCK; r < block_end(w, shard); r++) {
        pen__example example = example_of(w, r);
        pen__net_block_add(&b, &example, w->seen->size, w->seen->fill);
    }
    int64_t width = w->plan->node[w->seen->node].width;
    memcpy(w->out + shard * BLOCK * width, pen__net_block_infer(&b, w->seen->node),
           (size_t)(b.batch.n[PEN_ROOT] * width) * sizeof(float));
    pen__free(w->model->ctx, memory);
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

static pen_status begin(seeing *w, pen_error *error)
{
    w->plan = ((const pen__net *)w->model->state)->plan;
    find_bounds(w);
    return pen__layout_answer(w->model->ctx, w->plan, w->seen->node, w->bound, &w->layout, error);
}

pen_status pen__net_see(const pen_model *model, const pen__train *train, const pen__seen *seen, float *out,
                        pen_error *error)
{
    seeing w = {.model = model, .train = train, .seen = seen, .out = out};
    PEN_TRY(begin(&w, error));
    pen_status status = pen__net_finish(model->ctx, pen__shards(seen->n, BLOCK), see_block, &w, error);
    pen__layout_destroy(w.layout);
    return status;
}

pen_status pen__net_user_vectors(const pen_model *model, const pen__user *user, int64_t n, float *out, pen_error *error)
{
    const pen__net_class *class = model->class->net;
    const pen__seen seen = {
        .node = ((const pen__net *)model->state)->user, .n = n, .size = class->size, .fill = class->fill, .user = user};
    seeing w = {.model = model, .seen = &seen, .out = out};
    pen_status status = begin(&w, error);
    for (int64_t b = 0; status == PEN_OK && b < pen__shards(n, BLOCK); b++) status = see_block(&w, b, 0, error);
    pen__layout_destroy(w.layout);
    return status;
}
