/* Combining rows: products, sums, inner products, side by side, activations, dropout, unit length. All are one pass
 * over their inputs; where a belongs to the parent extent, row r of a meets every child of r.
 *
 *     mul     y = a b          da = sum dy b,   db = dy a
 *     plus    y = a + b        da = sum dy,     db = dy
 *     dot     y = <a, b>       da = sum dy b,   db = dy a
 *     unit    y = x / |x|      dx = (dy - y <y, dy>) / |x| */
#include <math.h>

#include "nn/op.h"
#include "nn/ops.h"

/* Rows of b's extent that row r of a meets. */
static void meets(const pen__frame *f, int32_t a, int32_t b, int64_t r, int64_t *from, int64_t *to)
{
    int32_t child = pen__extent_of(f, b);
    bool same = pen__extent_of(f, a) == child;
    *from = same ? r : pen__segment(f, child, r);
    *to = same ? r + 1 : pen__segment(f, child, r + 1);
}

/* Whether a and b may meet; the wider checks are the constructor's own. */
static bool may_meet(pen__plan *plan, int32_t a, int32_t b, const char *who)
{
    if (!pen__plan_has(plan, a, who) || !pen__plan_has(plan, b, who)) return false;
    int32_t x = plan->node[a].extent, y = plan->node[b].extent;
    if (x != y && !pen__is_child(plan, y, x)) {
        pen__plan_fail(plan, "%s: the first belongs to '%s', neither the extent nor the parent of '%s'", who,
                       plan->extent[x].name, plan->extent[y].name);
        return false;
    }
    if (plan->node[a].width != plan->node[b].width) {
        pen__plan_fail(plan, "%s: widths %d and %d differ", who, plan->node[a].width, plan->node[b].width);
        return false;
    }
    return true;
}

static int32_t append_pair(pen__plan *plan, const pen__op *op, int32_t a, int32_t b, int32_t width)
{
    int32_t in[2] = {a, b};
    int32_t y = pen__plan_node(plan, plan->node[b].extent, width, plan->node[a].has_grad || plan->node[b].has_grad);
    return pen__plan_call(plan, op, in, 2, y) ? y : -1;
}

static double one_pass(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    return 2.0 * (double)rows[plan->node[call->out].extent] * plan->node[call->in[call->n_in - 1]].width;
}

static void clear_unless_added(const pen__frame *f, const pen__call *call, int k)
{
    pen__real *d = pen__grad(f, call->in[k]);
    if (d && !pen__adds(call, k))
        memset(d, 0, (size_t)(pen__rows_of(f, call->in[k]) * pen__width_of(f, call->in[k])) * sizeof *d);
}

/* ---- mul --------------------------------------------------------------------------------------------------------- */

static void mul_forward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *a = pen__value(f, call->in[0]), *b = pen__value(f, call->in[1]);
    pen__real *y = pen__value(f, call->out);
    int64_t width = pen__width_of(f, call->out), from, to;
    if (pen__extent_of(f, call->in[0]) == pen__extent_of(f, call->in[1])) {
        deep->mul(y, a, b, pen__rows_of(f, call->out) * width, false);
        return;
    }
    for (int64_t r = 0; r < pen__rows_of(f, call->in[0]); r++) {
        meets(f, call->in[0], call->in[1], r, &from, &to);
        for (int64_t i = from; i < to; i++) deep->mul(y + i * width, a + r * width, b + i * width, width, false);
    }
}

static void mul_backward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *a = pen__value(f, call->in[0]), *b = pen__value(f, call->in[1]), *dy = pen__grad(f, call->out);
    pen__real *da = pen__grad(f, call->in[0]), *db = pen__grad(f, call->in[1]);
    int64_t width = pen__width_of(f, call->out), from, to;
    clear_unless_added(f, call, 0);
    for (int64_t r = 0; r < pen__rows_of(f, call->in[0]); r++) {
        meets(f, call->in[0], call->in[1], r, &from, &to);
        for (int64_t i = from; i < to; i++) {
            if (da) deep->mul(da + r * width, dy + i * width, b + i * width, width, true);
            if (db) deep->mul(db + i * width, dy + i * width, a + r * width, width, pen__adds(call, 1));
        }
    }
}

static const pen__op mul_op = {
    .name = "mul", .forward = mul_forward, .backward = mul_backward, .keep = 3, .flops = one_pass};

int32_t pen__times(pen__plan *plan, int32_t a, int32_t b)
{
    return may_meet(plan, a, b, "mul") ? append_pair(plan, &mul_op, a, b, plan->node[b].width) : -1;
}

/* ---- plus -------------------------------------------------------------------------------------------------------- */

static void plus_forward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *a = pen__value(f, call->in[0]);
    pen__real *y = pen__value(f, call->out);
    int64_t width = pen__width_of(f, call->out), from, to;
    memcpy(y, pen__value(f, call->in[1]), (size_t)(pen__rows_of(f, call->out) * width) * sizeof *y);
    if (pen__extent_of(f, call->in[0]) == pen__extent_of(f, call->in[1])) {
        deep->add(y, a, pen__rows_of(f, call->out) * width);
        return;
    }
    for (int64_t r = 0; r < pen__rows_of(f, call->in[0]); r++) {
        meets(f, call->in[0], call->in[1], r, &from, &to);
        for (int64_t i = from; i < to; i++) deep->add(y + i * width, a + r * width, width);
    }
}

static void plus_backward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *dy = pen__grad(f, call->out);
    pen__real *da = pen__grad(f, call->in[0]), *db = pen__grad(f, call->in[1]);
    int64_t width = pen__width_of(f, call->out), n = pen__rows_of(f, call->out), from, to;
    clear_unless_added(f, call, 0);
    for (int64_t r = 0; da && r < pen__rows_of(f, call->in[0]); r++) {
        meets(f, call->in[0], call->in[1], r, &from, &to);
        for (int64_t i = from; i < to; i++) deep->add(da + r * width, dy + i * width, width);
    }
    if (!db) return;
    if (pen__adds(call, 1))
        deep->add(db, dy, n * width);
    else
        memcpy(db, dy, (size_t)(n * width) * sizeof *db);
}

static const pen__op plus_op = {.name = "plus", .forward = plus_forward, .backward = plus_backward, .flops = one_pass};

int32_t pen__plus(pen__plan *plan, int32_t a, int32_t b)
{
    return may_meet(plan, a, b, "plus") ? append_pair(plan, &plus_op, a, b, plan->node[b].width) : -1;
}

/* ---- dot --------------------------------------------------------------------------------------------------------- */

static void dot_forward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *a = pen__value(f, call->in[0]), *b = pen__value(f, call->in[1]);
    pen__real *y = pen__value(f, call->out);
    int64_t width = pen__width_of(f, call->in[0]), from, to;
    for (int64_t r = 0; r < pen__rows_of(f, call->in[0]); r++) {
        meets(f, call->in[0], call->in[1], r, &from, &to);
        for (int64_t i = from; i < to; i++) y[i] = deep->dot(a + r * width, b + i * width, width);
    }
}

static void dot_backward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *a = pen__value(f, call->in[0]), *b = pen__value(f, call->in[1]), *dy = pen__grad(f, call->out);
    pen__real *da = pen__grad(f, call->in[0]), *db = pen__grad(f, call->in[1]);
    int64_t width = pen__width_of(f, call->in[0]), from, to;
    clear_unless_added(f, call, 0);
    clear_unless_added(f, call, 1);
    for (int64_t r = 0; r < pen__rows_of(f, call->in[0]); r++) {
        meets(f, call->in[0], call->in[1], r, &from, &to);
        for (int64_t i = from; i < to; i++) {
            if (da) deep->axpy(da + r * width, dy[i], b + i * width, width);
            if (db) deep->axpy(db + i * width, dy[i], a + r * width, width);
        }
    }
}

static const pen__op dot_op = {
    .name = "dot", .forward = dot_forward, .backward = dot_backward, .keep = 3, .flops = one_pass};

int32_t pen__dot(pen__plan *plan, int32_t a, int32_t b)
{
    return may_meet(plan, a, b, "dot") ? append_pair(plan, &dot_op, a, b, 1) : -1;
}

/* ---- spread ------------------------------------------------------------------------------------------------------ */

static void spread_forward(pen__frame *f, const pen__call *call)
{
    const pen__real *x = pen__value(f, call->in[0]);
    pen__real *y = pen__value(f, call->out);
    int64_t width = pen__width_of(f, call->out);
    for (int64_t r = 0; r < pen__rows_of(f, call->in[0]); r++)
        for (int64_t i = pen__segment(f, pen__extent_of(f, call->out), r);
             i < pen__segment(f, pen__extent_of(f, call->out), r + 1); i++)
            memcpy(y + i * width, x + r * width, (size_t)width * sizeof *y);
}

static void spread_backward(pen__frame *f, const pen__call *call)
{
    const pen__real *dy = pen__grad(f, call->out);
    pen__real *dx = pen__grad(f, call->in[0]);
    int64_t width = pen__width_of(f, call->out);
    clear_unless_added(f, call, 0);
    for (int64_t r = 0; dx && r < pen__rows_of(f, call->in[0]); r++) {
        int64_t from = pen__segment(f, pen__extent_of(f, call->out), r),
                to = pen__segment(f, pen__extent_of(f, call->out), r + 1);
        if (to > from) pen__deep_kern()->column_sum(dx + r * width, dy + from * width, to - from, width);
    }
}

static const pen__op spread_op = {
    .name = "spread", .forward = spread_forward, .backward = spread_backward, .flops = one_pass};

int32_t pen__spread(pen__plan *plan, int32_t x, int32_t child)
{
    if (!pen__plan_has(plan, x, "spread")) return -1;
    if (child < 0 || child >= plan->n_extents || !pen__is_child(plan, child, plan->node[x].extent))
        return pen__plan_fail(plan, "spread: extent %d is not a child of the rows'", child);
    int32_t y = pen__plan_node(plan, child, plan->node[x].width, plan->node[x].has_grad);
    return pen__plan_call(plan, &spread_op, &x, 1, y) ? y : -1;
}

/* ---- concat ------------------------------------------------------------------------------------------------------ */

static void concat_forward(pen__frame *f, const pen__call *call)
{
    pen__real *y = pen__value(f, call->out);
    int64_t width = pen__width_of(f, call->out), at = 0;
    for (int k = 0; k < call->n_in; k++) {
        const pen__real *x = pen__value(f, call->in[k]);
        int64_t part = pen__width_of(f, call->in[k]);
        for (int64_t r = 0; r < pen__rows_of(f, call->out); r++)
            memcpy(y + r * width + at, x + r * part, (size_t)part * sizeof *y);
        at += part;
    }
}

static void concat_backward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *dy = pen__grad(f, call->out);
    int64_t width = pen__width_of(f, call->out), at = 0;
    for (int k = 0; k < call->n_in; at += pen__width_of(f, call->in[k]), k++) {
        pen__real *dx = pen__grad(f, call->in[k]);
        int64_t part = pen__width_of(f, call->in[k]);
        if (!dx) continue;
        clear_unless_added(f, call, k);
        for (int64_t r = 0; r < pen__rows_of(f, call->out); r++) deep->add(dx + r * part, dy + r * width + at, part);
    }
}

static const pen__op concat_op = {
    .name = "concat", .forward = concat_forward, .backward = concat_backward, .flops = one_pass};

int32_t pen__concat(pen__plan *plan, const int32_t *x, int32_t n)
{
    int32_t width = 0;
    bool grad = false;
    for (int32_t k = 0; k < n; k++) {
        if (!pen__plan_has(plan, x[k], "concat")) return -1;
        if (plan->node[x[k]].extent != plan->node[x[0]].extent)
            return pen__plan_fail(plan, "concat: rows of different extents");
        width += plan->node[x[k]].width;
        grad |= plan->node[x[k]].has_grad;
    }
    if (n < 1) return pen__plan_fail(plan, "concat of nothing");
    int32_t y = pen__plan_node(plan, plan->node[x[0]].extent, width, grad);
    return pen__plan_call(plan, &concat_op, x, n, y) ? y : -1;
}

/* ---- one input: activate, scale, dropout, unit ------------------------------------------------------------------- */

static int64_t numbers(const pen__frame *f, int32_t node) { return pen__rows_of(f, node) * pen__width_of(f, node); }

static void give(const pen__frame *f, const pen__call *call, const pen__real *d) /* the input's gradient = or += d */
{
    pen__real *dx = pen__grad(f, call->in[0]);
    if (!dx) return;
    if (pen__adds(call, 0))
        pen__deep_kern()->add(dx, d, numbers(f, call->out));
    else
        memcpy(dx, d, (size_t)numbers(f, call->out) * sizeof *dx);
}

static int32_t append_one(pen__plan *plan, const pen__op *op, int32_t x, int32_t i, double factor)
{
    if (!pen__plan_has(plan, x, op->name)) return -1;
    int32_t y = pen__plan_node(plan, plan->node[x].extent, plan->node[x].width, plan->node[x].has_grad);
    pen__call *call = pen__plan_call(plan, op, &x, 1, y);
    if (!call) return -1;
    call->i[0] = i, call->f[0] = factor;
    return y;
}

static void activate_forward(pen__frame *f, const pen__call *call)
{
    pen__real *y = pen__value(f, call->out);
    memcpy(y, pen__value(f, call->in[0]), (size_t)numbers(f, call->out) * sizeof *y);
    pen__deep_kern()->bias_act(y, NULL, pen__rows_of(f, call->out), pen__width_of(f, call->out),
                               (pen__activation)call->i[0]);
}

static void activate_backward(pen__frame *f, const pen__call *call)
{
    pen__real *dy = pen__grad(f, call->out);
    pen__deep_kern()->act_back(dy, pen__value(f, call->out), numbers(f, call->out), (pen__activation)call->i[0]);
    give(f, call, dy);
}

static const pen__op activate_op = {.name = "activate",
                                    .forward = activate_forward,
                                    .backward = activate_backward,
                                    .keep = PEN_KEEP_OUT,
                                    .flops = one_pass};

int32_t pen__activate(pen__plan *plan, int32_t x, pen__activation act)
{
    return append_one(plan, &activate_op, x, (int32_t)act, 0);
}

static void scaled_forward(pen__frame *f, const pen__call *call)
{
    pen__real *y = pen__value(f, call->out);
    memcpy(y, pen__value(f, call->in[0]), (size_t)numbers(f, call->out) * sizeof *y);
    pen__deep_kern()->scale(y, (pen__real)call->f[0], numbers(f, call->out));
}

static void scaled_backward(pen__frame *f, const pen__call *call)
{
    pen__real *dy = pen__grad(f, call->out);
    pen__deep_kern()->scale(dy, (pen__real)call->f[0], numbers(f, call->out));
    give(f, call, dy);
}

static const pen__op scaled_op = {
    .name = "scale", .forward = scaled_forward, .backward = scaled_backward, .flops = one_pass};

int32_t pen__scaled(pen__plan *plan, int32_t x, double factor) { return append_one(plan, &scaled_op, x, 0, factor); }

static void shifted_forward(pen__frame *f, const pen__call *call)
{
    pen__real *y = pen__value(f, call->out);
    memcpy(y, pen__value(f, call->in[0]), (size_t)numbers(f, call->out) * sizeof *y);
    pen__deep_kern()->bias_act(y, pen__weight_data(f, call->weight[0]), pen__rows_of(f, call->out),
                               pen__width_of(f, call->out), PEN_ACT_NONE);
}

static void shifted_backward(pen__frame *f, const pen__call *call)
{
    const pen__real *dy = pen__grad(f, call->out);
    pen__deep_kern()->column_sum(pen__weight_grad(f, call->weight[0]), dy, pen__rows_of(f, call->out),
                                 pen__width_of(f, call->out));
    give(f, call, dy);
}

static const pen__op shifted_op = {
    .name = "shift", .forward = shifted_forward, .backward = shifted_backward, .flops = one_pass};

int32_t pen__shifted(pen__plan *plan, const char *name, int32_t x)
{
    if (!pen__plan_has(plan, x, "shift")) return -1;
    int32_t weight = pen__plan_weight(plan, name, 1, plan->node[x].width, (pen__init){PEN_INIT_ZERO, 0}, false);
    int32_t y = append_one(plan, &shifted_op, x, 0, 0);
    if (y < 0) return -1;
    plan->call[plan->n_calls - 1].weight[0] = weight;
    plan->node[y].has_grad = true;
    return y;
}

static void gained_forward(pen__frame *f, const pen__call *call)
{
    const pen__real *x = pen__value(f, call->in[0]), *gain = pen__weight_data(f, call->weight[0]);
    pen__real *y = pen__value(f, call->out);
    int64_t width = pen__width_of(f, call->out);
    for (int64_t r = 0; r < pen__rows_of(f, call->out); r++)
        pen__deep_kern()->mul(y + r * width, x + r * width, gain, width, false);
}

static void gained_backward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *x = pen__value(f, call->in[0]), *gain = pen__weight_data(f, call->weight[0]),
                    *dy = pen__grad(f, call->out);
    pen__real *dx = pen__grad(f, call->in[0]), *d_gain = pen__weight_grad(f, call->weight[0]);
    int64_t width = pen__width_of(f, call->out);
    for (int64_t r = 0; r < pen__rows_of(f, call->out); r++) {
        deep->mul(d_gain, dy + r * width, x + r * width, width, true);
        if (dx) deep->mul(dx + r * width, dy + r * width, gain, width, pen__adds(call, 0));
    }
}

static const pen__op gained_op = {
    .name = "gain", .forward = gained_forward, .backward = gained_backward, .keep = 1, .flops = one_pass};

int32_t pen__gained(pen__plan *plan, const char *name, int32_t x, pen__init init)
{
    if (!pen__plan_has(plan, x, "gain")) return -1;
    int32_t weight = pen__plan_weight(plan, name, 1, plan->node[x].width, init, true),
            y = append_one(plan, &gained_op, x, 0, 0);
    if (y < 0) return -1;
    plan->call[plan->n_calls - 1].weight[0] = weight;
    plan->node[y].has_grad = true;
    return y;
}

static void dropped(const pen__frame *f, const pen__call *call, pen__real *y, const pen__real *x, bool adds)
{
    pen__deep_kern()->dropout(y, x, pen__rows_of(f, call->out), pen__width_of(f, call->out), pen__key(f, call->key),
                              f->first[pen__extent_of(f, call->out)], f->training ? (pen__real)call->f[0] : 0, adds);
}

static void dropped_forward(pen__frame *f, const pen__call *call)
{
    dropped(f, call, pen__value(f, call->out), pen__value(f, call->in[0]), false);
}

static void dropped_backward(pen__frame *f, const pen__call *call)
{
    pen__real *dx = pen__grad(f, call->in[0]);
    if (dx) dropped(f, call, dx, pen__grad(f, call->out), pen__adds(call, 0));
}

static const pen__op dropped_op = {
    .name = "dropout", .forward = dropped_forward, .backward = dropped_backward, .flops = one_pass};

int32_t pen__dropped(pen__plan *plan, int32_t x, double rate)
{
    if (rate < 0 || rate >= 1) return pen__plan_fail(plan, "dropout of %g", rate);
    return rate > 0 ? append_one(plan, &dropped_op, x, 0, rate) : x;
}

/* A row as short as this has no direction: nothing is passed back to it, where 1 / length would be all that is
 * learned (PyTorch's normalize passes that on). */
static const pen__real SHORTEST = (pen__real)1e-12;

static void unit_forward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *x = pen__value(f, call->in[0]);
    pen__real *y = pen__value(f, call->out), *length = pen__value(f, call->aux);
    int64_t width = pen__width_of(f, call->out);
    for (int64_t r = 0; r < pen__rows_of(f, call->out); r++) {
        pen__real norm = (pen__real)sqrt((double)deep->dot(x + r * width, x + r * width, width));
        length[r] = norm > SHORTEST ? norm : SHORTEST;
        memcpy(y + r * width, x + r * width, (size_t)width * sizeof *y);
        deep->scale(y + r * width, 1 / length[r], width);
    }
}

static void unit_backward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *y = pen__value(f, call->out), *length = pen__value(f, call->aux);
    pen__real *dy = pen__grad(f, call->out);
    int64_t width = pen__width_of(f, call->out);
    for (int64_t r = 0; r < pen__rows_of(f, call->out); r++, y += width, dy += width) {
        if (length[r] <= SHORTEST) {
            memset(dy, 0, (size_t)width * sizeof *dy);
            continue;
        }
        deep->axpy(dy, -deep->dot(y, dy, width), y, width);
        deep->scale(dy, 1 / length[r], width);
    }
    give(f, call, pen__grad(f, call->out));
}

static const pen__op unit_op = {
    .name = "unit", .forward = unit_forward, .backward = unit_backward, .keep = PEN_KEEP_OUT, .flops = one_pass};

int32_t pen__unit(pen__plan *plan, int32_t x)
{
    int32_t y = append_one(plan, &unit_op, x, 0, 0);
    int32_t lengths = y < 0 ? -1 : pen__plan_node(plan, plan->node[y].extent, 1, false);
    if (lengths < 0) return -1;
    plan->call[plan->n_calls - 1].aux = lengths;
    return y;
}
