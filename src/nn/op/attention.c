/* attention: for each segment (the children of one row of the parent extent) and each head,
 *
 *     y_i = sum_j P_ij v_j,   P = softmax over j of q_i k_j / sqrt(d),   j <= i where it is causal
 *
 * (Vaswani et al., 2017). Segments are packed end to end, so no padding is computed. Queries go in blocks of QUERIES
 * rows against all the keys that any of them may see: what lies above the diagonal's blocks is skipped. Of segments of
 * up to HELD rows the exponentials stay for backward, HELD numbers a row at most; of a longer one, whose T x T is never
 * there, backward makes them again from the log of each softmax's sum, as FlashAttention does (Dao et al., 2022):
 *
 *     dv_j = sum_i P_ij dy_i,  dP_ij = dy_i v_j,  dS_ij = P_ij (dP_ij - dy_i y_i),
 *     dq = dS k / sqrt(d),     dk = dS' q / sqrt(d)
 *
 * where P_ij = E_ij s_i: E what is held, s_i the reciprocal of its row's sum, which dy_i is multiplied by first.
 * Dropout of P is drawn from (row of the batch, head, place of the key), so that both directions see the same.
 * Cost: for a segment of T, 4 T^2 d heads flops forward (half where causal), 8 backward, 10 where T > HELD; scratch
 * QUERIES (2 T + d). */
#include <math.h>

#include "nn/op.h"
#include "nn/ops.h"

enum { QUERIES = 64, HELD = 256 };
enum { HEADS, CAUSAL };

/* One of q, k, v: a head's columns of a node. */
typedef struct part {
    pen__real *value, *grad; /* the first row's; grad NULL where there is none */
    int64_t stride;
} part;

typedef struct work {
    const pen__frame *f;
    const pen__call *call;
    part q, k, v; /* of the segment and head at hand */
    pen__real *y, *dy;
    pen__real *sum;  /* of a row's exponentials, one a row and head: its reciprocal where they are held, else its log */
    pen__real *held; /* exponentials of the block at hand (rows, keys); NULL: not held */
    int64_t width, heads;
    int64_t n;     /* rows of the segment */
    int64_t depth; /* d: columns of a head */
    pen__real scale, rate;
    uint64_t key;
    int64_t first;         /* the segment's first row in the batch */
    pen__real *p, *ds, *d; /* (QUERIES, n), (QUERIES, n), (QUERIES, depth) */
} work;

/* Queries and the keys that they see. */
typedef struct block {
    int64_t from, rows, keys;
} block;

static block block_at(const work *w, int64_t from)
{
    int64_t rows = w->n - from < QUERIES ? w->n - from : QUERIES;
    return (block){from, rows, w->call->i[CAUSAL] ? from + rows : w->n};
}

static int64_t keys_of(const work *w, block b, int64_t r) { return w->call->i[CAUSAL] ? b.from + r + 1 : b.keys; }

/* Where q, k and v stand: in one node of three parts, in a node and one of two, or in three. */
static part part_of(const pen__frame *f, const pen__call *call, int which, int64_t row, int64_t column)
{
    static const int node[3][3] = {{0, 0, 0}, {0, 1, 1}, {0, 1, 2}}, place[3][3] = {{0, 1, 2}, {0, 0, 1}, {0, 0, 0}};
    int32_t in = call->in[node[call->n_in - 1][which]];
    int64_t stride = pen__width_of(f, in),
            at = row * stride + place[call->n_in - 1][which] * pen__width_of(f, call->out) + column;
    pen__real *grad = f->dense_grad ? pen__grad(f, in) : NULL;
    return (part){pen__value(f, in) + at, grad ? grad + at : NULL, stride};
}

/* S = q k' / sqrt(d) of a block. */
static void scores(const work *w, block b, pen__real *s)
{
    pen__product(w->f, false, true, b.rows, b.keys, w->depth, w->scale, w->q.value + b.from * w->q.stride, w->q.stride,
                 w->k.value, w->k.stride, 0, s, b.keys);
}

static void drop(const work *w, block b, pen__real *to, const pen__real *from)
{
    pen__deep_kern()->dropout(to, from, b.rows, b.keys, w->key, w->first + b.from, w->rate, false);
}

static void forward_block(const work *w, block b)
{
    const pen__deep *deep = pen__deep_kern();
    pen__real *y = w->y + b.from * w->width, share[QUERIES], *e = w->held ? w->held : w->p;
    scores(w, b, e);
    for (int64_t r = 0; r < b.rows; r++) {
        pen__real *row = e + r * b.keys;
        int64_t keys = keys_of(w, b, r);
        pen__real most = deep->max(row, keys), sum = deep->exp_sum(row, row, most, keys);
        memset(row + keys, 0, (size_t)(b.keys - keys) * sizeof *row);
        share[r] = 1 / sum;
        w->sum[(b.from + r) * w->heads] = w->held ? share[r] : most + (pen__real)log((double)sum);
    }
    if (w->rate > 0) drop(w, b, w->p, e), e = w->p;
    pen__product(w->f, false, false, b.rows, w->depth, b.keys, 1, e, b.keys, w->v.value, w->v.stride, 0, y, w->width);
    for (int64_t r = 0; r < b.rows; r++) deep->scale(y + r * w->width, share[r], w->depth);
}

/* P of a block again: it is its own E, with shares of 1. */
static void again(const work *w, block b, pen__real *p)
{
    scores(w, b, p);
    for (int64_t r = 0; r < b.rows; r++) {
        pen__real *row = p + r * b.keys;
        int64_t keys = keys_of(w, b, r);
        pen__deep_kern()->exp_sum(row, row, w->sum[(b.from + r) * w->heads], keys);
        memset(row + keys, 0, (size_t)(b.keys - keys) * sizeof *row);
    }
}

static void backward_block(const work *w, block b)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *y = w->y + b.from * w->width, *e = w->held ? w->held : w->p, *dropped = e;
    if (!w->held) again(w, b, w->p);
    for (int64_t r = 0; r < b.rows; r++) {
        memcpy(w->d + r * w->depth, w->dy + (b.from + r) * w->width, (size_t)w->depth * sizeof *w->d);
        if (w->held) deep->scale(w->d + r * w->depth, w->sum[(b.from + r) * w->heads], w->depth);
    }
    if (w->rate > 0) drop(w, b, w->ds, e), dropped = w->ds;
    if (w->v.grad)
        pen__product(w->f, true, false, b.keys, w->depth, b.rows, 1, dropped, b.keys, w->d, w->depth, 1, w->v.grad,
                     w->v.stride);
    if (!w->q.grad && !w->k.grad) return;
    pen__product(w->f, false, true, b.rows, b.keys, w->depth, 1, w->d, w->depth, w->v.value, w->v.stride, 0, w->ds,
                 b.keys);
    if (w->rate > 0) drop(w, b, w->ds, w->ds);
    for (int64_t r = 0; r < b.rows; r++)
        deep->softmax_back(w->ds + r * b.keys, e + r * b.keys,
                           deep->dot(w->d + r * w->depth, y + r * w->width, w->depth), b.keys);
    if (w->q.grad)
        pen__product(w->f, false, false, b.rows, w->depth, b.keys, w->scale, w->ds, b.keys, w->k.value, w->k.stride, 1,
                     w->q.grad + b.from * w->q.stride, w->q.stride);
    if (w->k.grad)
        pen__product(w->f, true, false, b.keys, w->depth, b.rows, w->scale, w->ds, b.keys,
                     w->q.value + b.from * w->q.stride, w->q.stride, 1, w->k.grad, w->k.stride);
}

/* Every block of every segment and head, in one order for both directions: so each finds what it holds. */
static void each_block(pen__frame *f, const pen__call *call, void (*compute)(const work *, block))
{
    int32_t extent = pen__extent_of(f, call->out);
    int64_t parents = f->count[f->plan->extent[extent].parent];
    work w = {.f = f, .call = call, .width = pen__width_of(f, call->out), .heads = call->i[HEADS]};
    w.depth = w.width / w.heads;
    w.scale = (pen__real)(1 / sqrt((double)w.depth));
    w.rate = f->training ? (pen__real)call->f[0] : 0;
    pen__real *held = pen__held(f, call);
    int64_t most = f->plan->extent[extent].most; /* what hold() went by */
    for (int64_t r = 0; r < parents; r++) {
        int64_t from = pen__segment(f, extent, r);
        w.n = pen__segment(f, extent, r + 1) - from;
        w.first = f->first[extent] + from;
        w.p = f->scratch;
        w.ds = w.p + (w.n < QUERIES ? w.n : QUERIES) * w.n;
        w.d = w.ds + (w.n < QUERIES ? w.n : QUERIES) * w.n;
        for (int64_t h = 0; h < w.heads; h++) {
            w.q = part_of(f, call, 0, from, h * w.depth);
            w.k = part_of(f, call, 1, from, h * w.depth);
            w.v = part_of(f, call, 2, from, h * w.depth);
            w.y = pen__value(f, call->out) + from * w.width + h * w.depth;
            w.dy = f->dense_grad ? pen__grad(f, call->out) + from * w.width + h * w.depth : NULL;
            w.sum = pen__value(f, call->aux) + from * w.heads + h;
            w.key = pen__rand64(pen__key(f, call->key), (uint64_t)h, 0);
            bool holds = held && w.n <= HELD && (most == 0 || w.n <= most);
            for (int64_t at = 0; at < w.n; at += QUERIES) {
                block b = block_at(&w, at);
                w.held = holds ? held : NULL;
                compute(&w, b);
                if (holds) held += b.rows * b.keys;
            }
        }
    }
}

static void forward(pen__frame *f, const pen__call *call) { each_block(f, call, forward_block); }

static void backward(pen__frame *f, const pen__call *call)
{
    for (int k = 0; k < call->n_in; k++) { /* blocks add up */
        pen__real *d = pen__grad(f, call->in[k]);
        if (d && !pen__adds(call, k))
            memset(d, 0, (size_t)(pen__rows_of(f, call->in[k]) * pen__width_of(f, call->in[k])) * sizeof *d);
    }
    each_block(f, call, backward_block);
}

static int64_t scratch(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    int64_t n = rows[plan->node[call->out].extent], queries = n < QUERIES ? n : QUERIES;
    return queries * (2 * n + plan->node[call->out].width);
}

/* Keys of a row in each head: those of a block's last row, which for blocks under a diagonal is (T + QUERIES) / 2 on
 * average at most. */
static int64_t hold(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    int32_t extent = plan->node[call->out].extent;
    int64_t n = rows[extent], most = plan->extent[extent].most, keys = n < HELD ? n : HELD;
    if (most > 0 && most < keys) keys = most;
    if (call->i[CAUSAL] && keys > QUERIES) keys = (keys + QUERIES + 1) / 2;
    return n * keys * call->i[HEADS];
}

/* As if all segments were of one length, the mean. */
static double flops(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    int32_t extent = plan->node[call->out].extent;
    double n = (double)rows[extent], segments = (double)rows[plan->extent[extent].parent];
    return segments > 0 ? (call->i[CAUSAL] ? 2 : 4) * n * n / segments * plan->node[call->out].width : 0;
}

static double flops_back(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    int32_t extent = plan->node[call->out].extent, parent = plan->extent[extent].parent;
    bool held = rows[parent] > 0 && rows[extent] <= HELD * rows[parent]; /* segments being of one length */
    return (held ? 2 : 2.5) * flops(plan, call, rows);
}

static const pen__op op = {.name = "attention",
                           .forward = forward,
                           .backward = backward,
                           .keep = PEN_KEEP_OUT | 7,
                           .scratch = scratch,
                           .hold = hold,
                           .flops = flops,
                           .flops_back = flops_back};

int32_t pen__attention(pen__plan *plan, const int32_t *x, int32_t n, int32_t heads, bool causal, double dropout)
{
    int32_t all = 0;
    bool grad = false;
    if (n < 1 || n > 3) return pen__plan_fail(plan, "attention reads 1 to 3 nodes, not %d", n);
    for (int32_t k = 0; k < n; k++) {
        if (!pen__plan_has(plan, x[k], "attention")) return -1;
        if (plan->node[x[k]].extent != plan->node[x[0]].extent)
            return pen__plan_fail(plan, "attention reads rows of one extent");
        all += plan->node[x[k]].width;
        grad |= plan->node[x[k]].has_grad;
    }
    int32_t extent = plan->node[x[0]].extent, width = all / 3;
    if (plan->extent[extent].parent < 0) return pen__plan_fail(plan, "attention needs rows of a child extent");
    for (int32_t k = 0; k < n; k++) /* (3w), (w, 2w) or (w, w, w) */
        if (plan->node[x[k]].width != (k == n - 1 ? 4 - n : 1) * width)
            return pen__plan_fail(plan, "attention's q, k and v differ in width");
    if (heads < 1 || width % heads)
        return pen__plan_fail(plan, "attention of width %d cannot have %d heads", width, heads);
    if (!(dropout >= 0 && dropout < 1)) return pen__plan_fail(plan, "dropout of %g", dropout);
    int32_t y = pen__plan_node(plan, extent, width, grad), sum = pen__plan_node(plan, extent, heads, false);
    pen__call *call = pen__plan_call(plan, &op, x, n, y);
    if (!call) return -1;
    call->aux = sum;
    call->i[HEADS] = heads, call->i[CAUSAL] = causal;
    call->f[0] = dropout;
    return y;
}
