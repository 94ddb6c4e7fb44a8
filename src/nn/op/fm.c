/* fm: the second order of a factorisation machine (Rendle, 2010). A row holds the vectors v_1 .. v_m of its fields side
 * by side:
 *
 *     y = sum_{a<b} <v_a, v_b> = (|s|^2 - sum_a |v_a|^2) / 2,  s = sum_a v_a        dv_a = dy (s - v_a)
 *
 * Cost: m d, not m^2 d. */
#include "nn/op.h"
#include "nn/ops.h"

enum { FIELDS };

/* s of one row. */
static void sum_fields(const pen__real *x, int64_t fields, int64_t width, pen__real *s)
{
    memset(s, 0, (size_t)width * sizeof *s);
    pen__deep_kern()->column_sum(s, x, fields, width);
}

static void forward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *x = pen__value(f, call->in[0]);
    pen__real *y = pen__value(f, call->out), *s = f->scratch;
    int64_t all = pen__width_of(f, call->in[0]), fields = call->i[FIELDS], width = all / fields;
    for (int64_t r = 0; r < pen__rows_of(f, call->out); r++, x += all) {
        sum_fields(x, fields, width, s);
        y[r] = (deep->dot(s, s, width) - deep->dot(x, x, all)) / 2;
    }
}

static void backward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *x = pen__value(f, call->in[0]), *dy = pen__grad(f, call->out);
    pen__real *dx = pen__grad(f, call->in[0]), *s = f->scratch;
    int64_t all = pen__width_of(f, call->in[0]), fields = call->i[FIELDS], width = all / fields;
    if (!dx) return;
    if (!pen__adds(call, 0)) memset(dx, 0, (size_t)(pen__rows_of(f, call->out) * all) * sizeof *dx);
    for (int64_t r = 0; r < pen__rows_of(f, call->out); r++, x += all, dx += all) {
        sum_fields(x, fields, width, s);
        for (int64_t a = 0; a < fields; a++) deep->axpy(dx + a * width, dy[r], s, width);
        deep->axpy(dx, -dy[r], x, all);
    }
}

static int64_t scratch(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    (void)rows;
    return plan->node[call->in[0]].width / call->i[FIELDS];
}

static double flops(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    return 3.0 * (double)rows[plan->node[call->out].extent] * plan->node[call->in[0]].width;
}

static const pen__op op = {
    .name = "fm", .forward = forward, .backward = backward, .keep = 1, .scratch = scratch, .flops = flops};

int32_t pen__fm(pen__plan *plan, int32_t x, int32_t fields)
{
    if (!pen__plan_has(plan, x, "fm")) return -1;
    if (fields < 1 || plan->node[x].width % fields)
        return pen__plan_fail(plan, "a row of %d numbers is not that of %d fields", plan->node[x].width, fields);
    int32_t y = pen__plan_node(plan, plan->node[x].extent, 1, plan->node[x].has_grad);
    pen__call *call = pen__plan_call(plan, &op, &x, 1, y);
    if (!call) return -1;
    call->i[FIELDS] = fields;
    return y;
}
