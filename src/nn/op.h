/* What an op is, for those who write one. An op is a file in nn/op/ that holds its forward, its backward, its
 * constructor, and ends in its const table.
 *
 * forward and backward work on one shard of a batch: pen__rows_of says how many rows an extent has there, pen__value
 * and pen__grad give a node's (rows, width) matrix, row-major without gaps. Rules:
 *   - backward writes (or, where call->adds has bit k, adds to) the gradient of each input that has one;
 *   - it may destroy the gradient of its own output: nobody reads it afterwards;
 *   - it adds to the gradients of its weights (pen__weight_grad), which begin as zeros in each step (where f->fixed
 *     it may leave them out);
 *   - a forward value is there in backward only where `keep` asks for it;
 *   - nothing is allocated; scratch is asked for by `scratch` and shared by all ops of a worker;
 *   - randomness comes from pen__key and the row's number in the batch, never from the shard or the thread.
 *
 * A global op has forward_after and backward_after: all shards meet between the two halves, and f->all[s] gives any
 * shard's frame. There it may read other shards' values of what `keep` asks for, and of its own out and aux (where
 * backward_after is given they live to the step's end), but never gradients. */
#ifndef PEN_NN_OP_H
#define PEN_NN_OP_H

#include <string.h>

#include "base/random.h"
#include "kern/deep.h"
#include "kern/gemm.h"
#include "nn/plan.h"

/* What a step works on: pointers only. Index and real inputs are packed as their extents are. */
typedef struct pen__batch {
    int64_t n[PEN_MAX_EXTENTS];            /* rows of each extent */
    const int32_t *begin[PEN_MAX_EXTENTS]; /* of a child: n[parent] + 1 rising offsets, from 0 */
    const int32_t *index[PEN_MAX_INPUTS];
    const pen__real *real[PEN_MAX_INPUTS];
} pen__batch;

/* One shard (or one answer) while it is computed. */
typedef struct pen__frame {
    const pen__plan *plan;
    const struct pen__layout *layout;
    const pen__batch *batch;
    int64_t first[PEN_MAX_EXTENTS], count[PEN_MAX_EXTENTS]; /* its rows of each extent */
    pen__real *arena;                                       /* values and gradients */
    pen__real *scratch;
    pen__real *dense_grad; /* (plan->n_dense), or NULL when answering */
    /* of each ROW and BAG lookup (rows of the batch, width), NULL where it is not asked for; NULL when answering */
    pen__real *const *lookup_grad;
    pen__real *const *table_grad; /* of each table with `dense`, this shard's (rows, width) block; else NULL */
    /* of each table, the one row that stands for all its indices (a user being solved for); NULL: none */
    pen__real *const *table_row;
    struct pen__frame *all; /* every shard's frame */
    int32_t shard, n_shards;
    bool training; /* dropout and batch statistics; false when answering */
    bool fixed;    /* products in fixed order (pen__gemm_fixed), and nobody wants gradients of weights: answers */
    uint64_t seed, step;
    double loss;   /* what losses have added */
    double *spent; /* seconds of its calls (nn/spent.h), or NULL */
} pen__frame;

enum { PEN_KEEP_OUT = 1 << 30 }; /* in `keep`: backward reads the output; bit k: it reads input k */

typedef struct pen__op {
    const char *name;
    void (*forward)(pen__frame *f, const pen__call *call);
    void (*backward)(pen__frame *f, const pen__call *call);      /* NULL: nothing flows back */
    void (*forward_after)(pen__frame *f, const pen__call *call); /* global: after all shards have met */
    void (*backward_after)(pen__frame *f, const pen__call *call);
    uint32_t keep;
    /* Reals of scratch for a shard of rows[extent] rows; NULL: none. */
    int64_t (*scratch)(const pen__plan *plan, const pen__call *call, const int64_t *rows);
    /* Reals that stay from forward to backward, in training alone (pen__held); NULL: none. */
    int64_t (*hold)(const pen__plan *plan, const pen__call *call, const int64_t *rows);
    /* Floating-point operations of forward for rows[extent] rows in segments of one length, and of backward where that
     * is not twice as many (NULL). Those of products are exact, those of passes about so many. */
    double (*flops)(const pen__plan *plan, const pen__call *call, const int64_t *rows);
    double (*flops_back)(const pen__plan *plan, const pen__call *call, const int64_t *rows);
} pen__op;

/* Where nodes stand in the arena, for shards of up to `rows` rows: nn/arena.c. Immutable. */
typedef struct pen__layout {
    pen_context *ctx;
    const pen__plan *plan;
    int64_t rows[PEN_MAX_EXTENTS]; /* bounds of a shard */
    int64_t *value, *grad;         /* of each node: reals into the arena; -1: not there */
    int64_t *held;                 /* of each call, likewise: what it holds */
    int64_t arena, scratch;        /* reals */
    int64_t apart;                 /* reals of the arena if no two buffers shared a place */
    bool *needed;                  /* of each call: whether it is computed */
    bool training;
} pen__layout;

/* Asks for a row before it is read. Always inline: gcc 12 takes a function of prefetches alone for one without effect
 * and drops the calls. */
__attribute__((always_inline)) static inline void pen__prefetch_row(const pen__real *at, int64_t width)
{
    for (int64_t k = 0; k < width; k += 64 / (int64_t)sizeof *at) __builtin_prefetch(at + k);
}

/* ---- reading a frame --------------------------------------------------------------------------------------------- */

static inline int64_t pen__rows_of(const pen__frame *f, int32_t node) { return f->count[f->plan->node[node].extent]; }
static inline int32_t pen__width_of(const pen__frame *f, int32_t node) { return f->plan->node[node].width; }
static inline int32_t pen__extent_of(const pen__frame *f, int32_t node) { return f->plan->node[node].extent; }

/* A node's values in this shard. Read-only for everybody but the call that makes it. */
static inline pen__real *pen__value(const pen__frame *f, int32_t node)
{
    const pen__node *n = &f->plan->node[node];
    if (n->input >= 0) {
        const pen__real *from = f->batch->real[n->input] + f->first[n->extent] * n->width;
        pen__real *to;
        memcpy(&to, &from, sizeof to); /* an input is never written */
        return to;
    }
    return f->arena + f->layout->value[node];
}

/* A node's gradient in this shard; NULL where it has none. */
static inline pen__real *pen__grad(const pen__frame *f, int32_t node)
{
    const pen__node *n = &f->plan->node[node];
    if (!n->has_grad) return NULL;
    if (n->lookup >= 0) {
        if (!f->lookup_grad[n->lookup]) return NULL; /* a user is being solved for, and this is no row of theirs */
        /* shared rows: each shard has its own copy, one after another */
        int64_t first = f->plan->extent[n->extent].shared ? f->shard * f->count[n->extent] : f->first[n->extent];
        return f->lookup_grad[n->lookup] + first * n->width;
    }
    return f->arena + f->layout->grad[node];
}

/* What the call holds from forward to backward; NULL when answering, and where it asks for nothing. */
static inline pen__real *pen__held(const pen__frame *f, const pen__call *call)
{
    int64_t at = f->layout->held[call->number];
    return at < 0 ? NULL : f->arena + at;
}

/* Whether a gradient comes to the call: it is a loss, or its output has one (that of constants alone has none). */
static inline bool pen__flows_back(const pen__plan *plan, const pen__call *call)
{
    return call->op->backward && (call->out < 0 || plan->node[call->out].has_grad);
}

static inline bool pen__adds(const pen__call *call, int k) { return call->adds >> k & 1; }

static inline const pen__real *pen__weight_data(const pen__frame *f, int32_t weight)
{
    return f->plan->weight[weight].data;
}
static inline pen__real *pen__weight_grad(const pen__frame *f, int32_t weight)
{
    return f->dense_grad + f->plan->weight[weight].at;
}

/* Row `index` (>= 0) of a table, or the row that stands in for it. */
static inline const pen__real *pen__table_row(const pen__frame *f, int32_t table, int32_t index)
{
    if (f->table_row && f->table_row[table]) return f->table_row[table];
    return f->plan->table[table].data + (int64_t)index * f->plan->table[table].width;
}

/* An index input of this shard. */
static inline const int32_t *pen__index_of(const pen__frame *f, int32_t input)
{
    return f->batch->index[input] + f->first[f->plan->index[input].extent];
}

/* Rows of `child` that belong to row r of its parent in this shard: [begin, end), counted within the shard. */
static inline int64_t pen__segment(const pen__frame *f, int32_t child, int64_t r)
{
    return f->batch->begin[child][f->first[f->plan->extent[child].parent] + r] - f->first[child];
}

/* A key for randomness, of a call's `key` or of another that it has taken (plan->n_keys++): mix it with a row's number
 * in the whole batch (f->first[extent] + r). */
static inline uint64_t pen__key(const pen__frame *f, int32_t key)
{
    return pen__rand64(f->seed, PEN_STREAM_MODEL + (uint64_t)key, f->step);
}

/* C = alpha op(A) op(B) + beta C: in fixed order for answers, else the fastest. */
static inline void pen__product(const pen__frame *f, bool ta, bool tb, int64_t m, int64_t n, int64_t k, pen__real alpha,
                                const pen__real *a, int64_t lda, const pen__real *b, int64_t ldb, pen__real beta,
                                pen__real *c, int64_t ldc)
{
    if (f->fixed)
        pen__gemm_fixed(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    else
        pen__gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

/* Whether an answer takes the layer's input k from products that are known (nn/ops.h), so that nobody asks for its
 * rows: nn/op/linear.c. */
bool pen__layer_knows(const pen__plan *plan, const pen__call *call, int k);

/* ---- appending (for constructors) -------------------------------------------------------------------------------- */

/* Keeps the first failure; returns -1. */
int32_t pen__plan_fail(pen__plan *plan, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether the plan is sound and `node` is one of its nodes (else the failure is kept). */
bool pen__plan_has(pen__plan *plan, int32_t node, const char *who);

/* The same of rows that a loss adds up: shards cut them. Shared rows would count once for each shard. */
bool pen__plan_cuts(pen__plan *plan, int32_t node, const char *who);

/* A new node (its number, or -1) and a call (NULL on failure), with -1 in every field that holds a number of
 * something. */
int32_t pen__plan_node(pen__plan *plan, int32_t extent, int32_t width, bool has_grad);
pen__call *pen__plan_call(pen__plan *plan, const pen__op *op, const int32_t *in, int32_t n_in, int32_t out);
int32_t pen__plan_lookup(pen__plan *plan, pen__lookup lookup);

#endif
