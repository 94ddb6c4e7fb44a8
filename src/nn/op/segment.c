/* Segments become rows of the parent extent, or shorter segments:
 *
 *     last    y_r = x of r's last child, zeros where it has none
 *     tail    y's rows of r = as many of x's, the last ones, after zeros where x has fewer
 *     pooled  y_r = scale(n_r) sum of x over r's children (mean, sum, sum / sqrt(n))
 *
 * Backward gives dy_r, or scale dy_r, to the rows it came from. One pass over x or less. */
#include "nn/op.h"
#include "nn/ops.h"

enum { MODE };

static int32_t parent_of(const pen__plan *plan, int32_t node) { return plan->extent[plan->node[node].extent].parent; }

static double one_pass(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    return (double)rows[plan->node[call->in[0]].extent] * plan->node[call->out].width;
}

static int32_t append(pen__plan *plan, const pen__op *op, int32_t x, int32_t extent, int32_t mode)
{
    if (!pen__plan_has(plan, x, op->name)) return -1;
    if (parent_of(plan, x) < 0) return pen__plan_fail(plan, "%s needs rows of a child extent", op->name);
    if (extent < 0) extent = parent_of(plan, x);
    int32_t y = pen__plan_node(plan, extent, plan->node[x].width, plan->node[x].has_grad);
    pen__call *call = pen__plan_call(plan, op, &x, 1, y);
    if (!call) return -1;
    call->i[MODE] = mode;
    return y;
}

/* ---- last, tail -------------------------------------------------------------------------------------------------- */

/* What row r of the parent has in x and in y: y's rows are x's from `from`, after `zeros` that x does not have. */
typedef struct ends {
    int64_t from, to, zeros, n;
} ends;

static ends ends_of(const pen__frame *f, const pen__call *call, int64_t r)
{
    int32_t child = pen__extent_of(f, call->in[0]), extent = pen__extent_of(f, call->out);
    bool rows = extent == f->plan->extent[child].parent;
    int64_t begin = pen__segment(f, child, r), end = pen__segment(f, child, r + 1);
    ends e = {.to = rows ? r : pen__segment(f, extent, r)};
    e.n = rows ? 1 : pen__segment(f, extent, r + 1) - e.to;
    e.zeros = e.n > end - begin ? e.n - (end - begin) : 0;
    e.from = end - (e.n - e.zeros);
    return e;
}

static int64_t parents_of(const pen__frame *f, const pen__call *call)
{
    return f->count[parent_of(f->plan, call->in[0])];
}

static void last_forward(pen__frame *f, const pen__call *call)
{
    const pen__real *x = pen__value(f, call->in[0]);
    pen__real *y = pen__value(f, call->out);
    size_t bytes = (size_t)pen__width_of(f, call->out) * sizeof *y;
    int64_t width = pen__width_of(f, call->out), n = parents_of(f, call);
    for (int64_t r = 0; r < n; r++) {
        ends e = ends_of(f, call, r);
        memset(y + e.to * width, 0, (size_t)e.zeros * bytes);
        memcpy(y + (e.to + e.zeros) * width, x + e.from * width, (size_t)(e.n - e.zeros) * bytes);
    }
}

static void last_backward(pen__frame *f, const pen__call *call)
{
    const pen__real *dy = pen__grad(f, call->out);
    pen__real *dx = pen__grad(f, call->in[0]);
    int64_t width = pen__width_of(f, call->out), n = parents_of(f, call);
    if (!dx) return;
    if (!pen__adds(call, 0)) memset(dx, 0, (size_t)(pen__rows_of(f, call->in[0]) * width) * sizeof *dx);
    for (int64_t r = 0; r < n; r++) {
        ends e = ends_of(f, call, r);
        pen__deep_kern()->add(dx + e.from * width, dy + (e.to + e.zeros) * width, (e.n - e.zeros) * width);
    }
}

static const pen__op last_op = {.name = "last", .forward = last_forward, .backward = last_backward, .flops = one_pass};
static const pen__op tail_op = {.name = "tail", .forward = last_forward, .backward = last_backward, .flops = one_pass};

int32_t pen__last(pen__plan *plan, int32_t x) { return append(plan, &last_op, x, -1, 0); }

int32_t pen__tail(pen__plan *plan, int32_t x, int32_t extent)
{
    if (pen__plan_has(plan, x, "tail") && plan->extent[extent].parent != parent_of(plan, x))
        return pen__plan_fail(plan, "tail needs an extent beside that of its rows");
    return append(plan, &tail_op, x, extent, 0);
}

/* ---- pooled ------------------------------------------------------------------------------------------------------ */

static void pooled_forward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *x = pen__value(f, call->in[0]);
    pen__real *y = pen__value(f, call->out);
    int32_t child = pen__extent_of(f, call->in[0]);
    int64_t width = pen__width_of(f, call->out);
    for (int64_t r = 0; r < pen__rows_of(f, call->out); r++, y += width) {
        int64_t from = pen__segment(f, child, r), n = pen__segment(f, child, r + 1) - from;
        memset(y, 0, (size_t)width * sizeof *y);
        deep->column_sum(y, x + from * width, n, width);
        deep->scale(y, pen__pool_scale((pen__pool)call->i[MODE], n), width);
    }
}

static void pooled_backward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *dy = pen__grad(f, call->out);
    pen__real *dx = pen__grad(f, call->in[0]);
    int32_t child = pen__extent_of(f, call->in[0]);
    int64_t width = pen__width_of(f, call->out);
    if (!dx) return;
    if (!pen__adds(call, 0)) memset(dx, 0, (size_t)(pen__rows_of(f, call->in[0]) * width) * sizeof *dx);
    for (int64_t r = 0; r < pen__rows_of(f, call->out); r++, dy += width) {
        int64_t from = pen__segment(f, child, r), to = pen__segment(f, child, r + 1);
        pen__real scale = pen__pool_scale((pen__pool)call->i[MODE], to - from);
        for (int64_t i = from; i < to; i++) deep->axpy(dx + i * width, scale, dy, width);
    }
}

static const pen__op pooled_op = {
    .name = "pooled", .forward = pooled_forward, .backward = pooled_backward, .flops = one_pass};

int32_t pen__pooled(pen__plan *plan, int32_t x, pen__pool mode)
{
    return append(plan, &pooled_op, x, -1, (int32_t)mode);
}
