/* gru: a gated recurrent unit (Cho et al., 2014) along each segment, as PyTorch defines it, from a state of zeros:
 *
 *     r = sigmoid(Wir x + bir + Whr h + bhr)        z = sigmoid(Wiz x + biz + Whz h + bhz)
 *     n = tanh(Win x + bin + r (Whn h + bhn))       h' = (1 - z) n + z h
 *
 * The rows of the weights are in the order r, z, n. Segments are packed end to end: the products with x of all rows are
 * one gemm. Then one product a time step over the segments that are still alive: in order of falling length (a counting
 * sort) these are the first so many, and their states stand one after another. Gates are kept in packed order, (r, z,
 * n, s = Whn h + bhn) of each row; backward turns them in place into (dr, dz, dn, ds), the slopes before the
 * activations, again with one product a time step, and the weights' gradients are products over all rows at the end.
 *
 * Cost: 6 rows (in + h) h flops forward, twice that backward; scratch: 4 h reals a segment. */
#include <math.h>
#include <stdio.h>

#include "nn/op.h"
#include "nn/ops.h"

enum { WEIGHT_IH, WEIGHT_HH, BIAS_IH, BIAS_HH };

/* Segments by falling length, and room for the states and products of those alive. */
typedef struct work {
    int64_t n, longest, h;
    int32_t *begin, *length; /* (n): first row in the shard, and rows, of each segment */
    pen__real *state;        /* (n, h): forward the states, backward their gradients */
    pen__real *step;         /* (n, 3h): products with the states, or slopes of r, z, s */
    pen__real *turned;       /* (h, 3h): Whh' */
} work;

static int64_t reals_for(int64_t integers)
{
    return (integers * (int64_t)sizeof(int32_t) + 63) / 64 * 64 / (int64_t)sizeof(pen__real);
}

static int64_t scratch(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    int32_t extent = plan->node[call->out].extent, parent = plan->extent[extent].parent;
    int64_t h = plan->node[call->out].width;
    return 3 * h * h + 16 + 4 * rows[parent] * h + 16 + 3 * reals_for(rows[parent] + rows[extent] + 2);
}

static work begin_work(pen__frame *f, const pen__call *call)
{
    int32_t extent = pen__extent_of(f, call->out);
    work w = {.n = f->count[f->plan->extent[extent].parent], .h = pen__width_of(f, call->out)};
    w.turned = f->scratch;
    w.state = w.turned + (3 * w.h * w.h + 15) / 16 * 16;
    w.step = w.state + w.n * w.h;
    int32_t *integers = (int32_t *)(void *)(w.step + (3 * w.n * w.h + 15) / 16 * 16);
    w.begin = integers, w.length = w.begin + w.n;
    int32_t *place = w.length + w.n; /* of the segments of each length */
    for (int64_t s = 0; s < w.n; s++) {
        int64_t length = pen__segment(f, extent, s + 1) - pen__segment(f, extent, s);
        if (length > w.longest) w.longest = length;
    }
    memset(place, 0, (size_t)(w.longest + 1) * sizeof *place);
    for (int64_t s = 0; s < w.n; s++) place[pen__segment(f, extent, s + 1) - pen__segment(f, extent, s)]++;
    for (int64_t length = w.longest, sum = 0; length >= 0; length--) {
        int32_t many = place[length];
        place[length] = (int32_t)sum;
        sum += many;
    }
    for (int64_t s = 0; s < w.n; s++) {
        int64_t from = pen__segment(f, extent, s), length = pen__segment(f, extent, s + 1) - from;
        int32_t at = place[length]++;
        w.begin[at] = (int32_t)from, w.length[at] = (int32_t)length;
    }
    return w;
}

/* to (cols, rows) = from (rows, cols)' */
static void turn(pen__real *to, const pen__real *from, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++) to[c * rows + r] = from[r * cols + c];
}

static void forward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *bias_ih = pen__weight_data(f, call->weight[BIAS_IH]),
                    *bias_hh = pen__weight_data(f, call->weight[BIAS_HH]);
    pen__real *y = pen__value(f, call->out), *gates = pen__value(f, call->aux);
    int64_t rows = pen__rows_of(f, call->out), in = pen__width_of(f, call->in[0]);
    work w = begin_work(f, call);
    int64_t h = w.h, alive = w.n;
    turn(w.turned, pen__weight_data(f, call->weight[WEIGHT_HH]), 3 * h, h); /* once, instead of in each product */
    pen__product(f, false, true, rows, 3 * h, in, 1, pen__value(f, call->in[0]), in,
                 pen__weight_data(f, call->weight[WEIGHT_IH]), in, 0, gates, 4 * h);
    for (int64_t t = 0; t < w.longest; t++) {
        while (w.length[alive - 1] <= t) alive--;
        if (t > 0) pen__product(f, false, false, alive, 3 * h, h, 1, w.state, h, w.turned, 3 * h, 0, w.step, 3 * h);
        for (int64_t s = 0; s < alive; s++) {
            int64_t row = w.begin[s] + t;
            deep->gru(y + row * h, w.state + s * h, gates + row * 4 * h, t > 0 ? w.step + s * 3 * h : NULL, bias_ih,
                      bias_hh, h);
        }
    }
}

/* Slopes of the gates, from the last step to the first. */
static void back_in_time(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *weight = pen__weight_data(f, call->weight[WEIGHT_HH]), *y = pen__value(f, call->out),
                    *dy = pen__grad(f, call->out);
    pen__real *gates = pen__value(f, call->aux);
    work w = begin_work(f, call);
    int64_t h = w.h, alive = 0;
    for (int64_t t = w.longest - 1; t >= 0; t--) {
        int64_t before = alive;
        while (alive < w.n && w.length[alive] > t) alive++;
        memset(w.state + before * h, 0, (size_t)((alive - before) * h) * sizeof *w.state); /* these end here */
        for (int64_t s = 0; s < alive; s++) {
            int64_t row = w.begin[s] + t;
            deep->gru_back(w.state + s * h, gates + row * 4 * h, w.step + s * 3 * h, dy + row * h,
                           t > 0 ? y + (row - 1) * h : NULL, h);
        }
        if (t > 0) pen__product(f, false, false, alive, h, 3 * h, 1, w.step, 3 * h, weight, h, 1, w.state, h);
    }
}

static void backward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *x = pen__value(f, call->in[0]), *y = pen__value(f, call->out);
    pen__real *gates = pen__value(f, call->aux), *dx = pen__grad(f, call->in[0]),
              *d_hh = pen__weight_grad(f, call->weight[WEIGHT_HH]);
    pen__real *d_bias_ih = pen__weight_grad(f, call->weight[BIAS_IH]),
              *d_bias_hh = pen__weight_grad(f, call->weight[BIAS_HH]);
    int32_t extent = pen__extent_of(f, call->out);
    int64_t rows = pen__rows_of(f, call->out), in = pen__width_of(f, call->in[0]), h = pen__width_of(f, call->out);
    if (rows == 0) return;
    back_in_time(f, call);
    pen__product(f, true, false, 3 * h, in, rows, 1, gates, 4 * h, x, in, 1,
                 pen__weight_grad(f, call->weight[WEIGHT_IH]), in);
    if (dx)
        pen__product(f, false, false, rows, in, 3 * h, 1, gates, 4 * h, pen__weight_data(f, call->weight[WEIGHT_IH]),
                     in, pen__adds(call, 0), dx, in);
    for (int64_t r = 0; r < rows; r++) {
        const pen__real *d = gates + r * 4 * h;
        deep->add(d_bias_ih, d, 3 * h);
        deep->add(d_bias_hh, d, 2 * h);
        deep->add(d_bias_hh + 2 * h, d + 3 * h, h);
    }
    /* Row r met the state of row r - 1, or, where a segment begins, none. */
    for (int64_t s = 0; s < f->count[f->plan->extent[extent].parent]; s++) {
        int64_t from = pen__segment(f, extent, s);
        if (from < rows) memset(gates + from * 4 * h, 0, (size_t)(4 * h) * sizeof *gates);
    }
    gates += 4 * h;
    pen__product(f, true, false, 2 * h, h, rows - 1, 1, gates, 4 * h, y, h, 1, d_hh, h);
    pen__product(f, true, false, h, h, rows - 1, 1, gates + 3 * h, 4 * h, y, h, 1, d_hh + 2 * h * h, h);
}

static double flops(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    double in = plan->node[call->in[0]].width, h = plan->node[call->out].width;
    return 6 * (double)rows[plan->node[call->out].extent] * (in + h) * h;
}

static const pen__op op = {.name = "gru",
                           .forward = forward,
                           .backward = backward,
                           .keep = PEN_KEEP_OUT | 1,
                           .scratch = scratch,
                           .flops = flops};

int32_t pen__gru(pen__plan *plan, const char *name, int32_t x, int32_t width)
{
    static const char *const PART[4] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
    char full[48];
    int32_t weight[4];
    if (!pen__plan_has(plan, x, "gru")) return -1;
    int32_t extent = plan->node[x].extent, in = plan->node[x].width;
    if (plan->extent[extent].parent < 0) return pen__plan_fail(plan, "gru needs rows of a child extent");
    if (width < 1) return pen__plan_fail(plan, "a gru of width %d", width);
    pen__init init = {PEN_INIT_UNIFORM, 1 / sqrt((double)width)};
    for (int k = 0; k < 4; k++) {
        snprintf(full, sizeof full, "%.32s.%s", name, PART[k]);
        weight[k] = k < 2 ? pen__plan_weight(plan, full, 3 * width, k == 0 ? in : width, init, true)
                          : pen__plan_weight(plan, full, 1, 3 * width, init, false);
    }
    int32_t y = pen__plan_node(plan, extent, width, true), gates = pen__plan_node(plan, extent, 4 * width, false);
    pen__call *call = pen__plan_call(plan, &op, &x, 1, y);
    if (!call) return -1;
    memcpy(call->weight, weight, sizeof weight);
    call->aux = gates;
    return y;
}
