/* norm: layer normalisation of each row, y = gain (x - mean) / sqrt(variance + 1e-5) + bias (Ba, Kiros and Hinton,
 * 2016).
 *
 * (mean, 1 / deviation) of each row are kept for backward, with x^ = (x - mean) / deviation and g = gain dy:
 *     dx = (g - mean(g) - x^ mean(g x^)) / deviation,   d gain += dy x^,   d bias += dy
 * Cost: three passes over a row that stays in the first-level cache. */
#include <stdio.h>

#include "nn/op.h"
#include "nn/ops.h"

enum { GAIN, BIAS };
static const pen__real EPSILON = (pen__real)1e-5; /* as everywhere since the paper's own code */

static void forward(pen__frame *f, const pen__call *call)
{
    pen__deep_kern()->norm(pen__value(f, call->out), pen__value(f, call->aux), pen__value(f, call->in[0]),
                           pen__weight_data(f, call->weight[GAIN]), pen__weight_data(f, call->weight[BIAS]),
                           pen__rows_of(f, call->out), pen__width_of(f, call->out), EPSILON);
}

static void backward(pen__frame *f, const pen__call *call)
{
    pen__real *dy = pen__grad(f, call->out), *dx = pen__grad(f, call->in[0]);
    bool adds = pen__adds(call, 0);
    if (!dx) dx = dy, adds = false; /* of an input: thrown away where it is harmless */
    pen__deep_kern()->norm_back(dx, pen__weight_grad(f, call->weight[GAIN]), pen__weight_grad(f, call->weight[BIAS]),
                                dy, pen__value(f, call->in[0]), pen__value(f, call->aux),
                                pen__weight_data(f, call->weight[GAIN]), pen__rows_of(f, call->out),
                                pen__width_of(f, call->out), adds);
}

static double flops(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    return 8.0 * (double)rows[plan->node[call->out].extent] * plan->node[call->out].width;
}

static const pen__op op = {.name = "norm", .forward = forward, .backward = backward, .keep = 1, .flops = flops};

int32_t pen__norm(pen__plan *plan, const char *name, int32_t x)
{
    char full[48];
    if (!pen__plan_has(plan, x, "norm")) return -1;
    int32_t extent = plan->node[x].extent, width = plan->node[x].width;
    snprintf(full, sizeof full, "%.32s.weight", name);
    int32_t gain = pen__plan_weight(plan, full, 1, width, (pen__init){PEN_INIT_ONE, 0}, false);
    snprintf(full, sizeof full, "%.32s.bias", name);
    int32_t bias = pen__plan_weight(plan, full, 1, width, (pen__init){PEN_INIT_ZERO, 0}, false);
    int32_t y = pen__plan_node(plan, extent, width, true), stats = pen__plan_node(plan, extent, 2, false);
    pen__call *call = pen__plan_call(plan, &op, &x, 1, y);
    if (!call) return -1;
    call->weight[GAIN] = gain, call->weight[BIAS] = bias;
    call->aux = stats;
    return y;
}
