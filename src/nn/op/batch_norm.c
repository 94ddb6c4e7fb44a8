/* batch norm: y = gain (x - mean) / sqrt(variance + 1e-5) + bias, with each column's mean and variance over all rows of
 * the batch while training, and their running means when answering (Ioffe and Szegedy, 2015).
 *
 * A global op. Forward: each shard sums up its rows, (sum, squares about its own mean); the shards meet, and each
 * combines all sums in the order of shards (Chan, Golub and LeVeque, 1983). Backward: each shard adds up its d gain and
 * d bias; they meet, and
 *     dx = gain / deviation (dy - sum(dy) / N - x^ sum(dy x^) / N)
 * The running statistics are weights that no gradient moves: the batch's stand where their gradient would, and a step
 * moves them a tenth of the way there (pen__weight's `follows`). Variance runs as PyTorch's does, over N - 1. Cost:
 * some six passes over x. */
#include <math.h>
#include <stdio.h>

#include "nn/op.h"
#include "nn/ops.h"

enum { GAIN, BIAS, MEAN, VARIANCE };
static const double EPSILON = 1e-5, FOLLOWS = 0.1;

/* What a shard keeps, each (width): its own sums, and what all shards' sums say. */
typedef struct sums {
    pen__real *sum, *squares, *mean, *inverse;
} sums;

static sums sums_of(const pen__frame *f, const pen__call *call)
{
    int64_t width = pen__width_of(f, call->out);
    pen__real *at = pen__value(f, call->aux);
    return (sums){at, at + width, at + 2 * width, at + 3 * width};
}

/* row = x - mean */
static void centred(pen__real *row, const pen__real *x, const pen__real *mean, int64_t width)
{
    memcpy(row, x, (size_t)width * sizeof *row);
    pen__deep_kern()->axpy(row, -1, mean, width);
}

/* y = x a + b, columns by columns: gain and bias with the mean taken in. */
static void apply(pen__frame *f, const pen__call *call, const pen__real *mean, const pen__real *inverse)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *x = pen__value(f, call->in[0]), *gain = pen__weight_data(f, call->weight[GAIN]);
    const pen__real *bias = pen__weight_data(f, call->weight[BIAS]);
    pen__real *y = pen__value(f, call->out), *a = f->scratch;
    int64_t width = pen__width_of(f, call->out), n = pen__rows_of(f, call->out);
    pen__real *b = a + width;
    for (int64_t k = 0; k < width; k++) {
        a[k] = gain[k] * inverse[k];
        b[k] = bias[k] - mean[k] * a[k];
    }
    for (int64_t r = 0; r < n; r++) deep->mul(y + r * width, x + r * width, a, width, false);
    deep->bias_act(y, b, n, width, PEN_ACT_NONE);
}

/* What answers go by. */
static void apply_running(pen__frame *f, const pen__call *call)
{
    const pen__real *variance = pen__weight_data(f, call->weight[VARIANCE]);
    pen__real *inverse = sums_of(f, call).inverse;
    for (int64_t k = 0; k < pen__width_of(f, call->out); k++)
        inverse[k] = (pen__real)(1 / sqrt((double)variance[k] + EPSILON));
    apply(f, call, pen__weight_data(f, call->weight[MEAN]), inverse);
}

static void forward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *x = pen__value(f, call->in[0]);
    int64_t width = pen__width_of(f, call->out), n = pen__rows_of(f, call->out);
    sums s = sums_of(f, call);
    if (!f->training) {
        apply_running(f, call);
        return;
    }
    memset(s.sum, 0, (size_t)(2 * width) * sizeof *s.sum); /* and squares */
    deep->column_sum(s.sum, x, n, width);
    pen__real *own = f->scratch, *row = own + width;
    for (int64_t k = 0; k < width; k++) own[k] = n ? s.sum[k] / (pen__real)n : 0;
    for (int64_t r = 0; r < n; r++) {
        centred(row, x + r * width, own, width);
        deep->mul(s.squares, row, row, width, true);
    }
}

/* Mean of a column, and the sum of squares about it, over all shards. */
static void combine(const pen__frame *f, const pen__call *call, int64_t k, double *mean, double *squares)
{
    double n = (double)f->batch->n[pen__extent_of(f, call->out)], sum = 0;
    for (int32_t i = 0; i < f->n_shards; i++) sum += (double)sums_of(&f->all[i], call).sum[k];
    *mean = n > 0 ? sum / n : 0, *squares = 0;
    for (int32_t i = 0; i < f->n_shards; i++) {
        const sums of = sums_of(&f->all[i], call);
        double rows = (double)pen__rows_of(&f->all[i], call->out);
        if (rows < 1) continue;
        double away = (double)of.sum[k] / rows - *mean;
        *squares += (double)of.squares[k] + rows * away * away;
    }
}

static void forward_after(pen__frame *f, const pen__call *call)
{
    double n = (double)f->batch->n[pen__extent_of(f, call->out)];
    sums s = sums_of(f, call);
    if (!f->training) return;
    for (int64_t k = 0; k < pen__width_of(f, call->out); k++) {
        double mean, squares;
        combine(f, call, k, &mean, &squares);
        s.mean[k] = (pen__real)mean;
        s.inverse[k] = (pen__real)(1 / sqrt((n > 0 ? squares / n : 1) + EPSILON));
        if (f->shard > 0 || !f->dense_grad) continue; /* one says it for all */
        pen__weight_grad(f, call->weight[MEAN])[k] = n > 0 ? s.mean[k] : pen__weight_data(f, call->weight[MEAN])[k];
        pen__weight_grad(f, call->weight[VARIANCE])[k] =
            n > 1 ? (pen__real)(squares / (n - 1)) : pen__weight_data(f, call->weight[VARIANCE])[k];
    }
    apply(f, call, s.mean, s.inverse);
}

/* dx = or += what stands in d. */
static void give(const pen__frame *f, const pen__call *call, const pen__real *d)
{
    pen__real *dx = pen__grad(f, call->in[0]);
    int64_t n = pen__rows_of(f, call->out) * pen__width_of(f, call->out);
    if (!dx) return;
    if (pen__adds(call, 0))
        pen__deep_kern()->add(dx, d, n);
    else
        memcpy(dx, d, (size_t)n * sizeof *dx);
}

static void backward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *x = pen__value(f, call->in[0]), *gain = pen__weight_data(f, call->weight[GAIN]);
    pen__real *dy = pen__grad(f, call->out), *row = f->scratch, *d_gain = pen__weight_grad(f, call->weight[GAIN]);
    int64_t width = pen__width_of(f, call->out), n = pen__rows_of(f, call->out);
    sums s = sums_of(f, call);
    const pen__real *mean = f->training ? s.mean : pen__weight_data(f, call->weight[MEAN]);
    deep->column_sum(pen__weight_grad(f, call->weight[BIAS]), dy, n, width);
    for (int64_t r = 0; r < n; r++) {
        centred(row, x + r * width, mean, width);
        deep->mul(d_gain, row, dy + r * width, width, true);
    }
    for (int64_t k = 0; k < width; k++) d_gain[k] *= s.inverse[k];
    if (f->training) return;
    /* fixed statistics: nothing passes through them */
    for (int64_t k = 0; k < width; k++) row[k] = gain[k] * s.inverse[k];
    for (int64_t r = 0; r < n; r++) deep->mul(dy + r * width, dy + r * width, row, width, false);
    give(f, call, dy);
}

static void backward_after(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *x = pen__value(f, call->in[0]), *gain = pen__weight_data(f, call->weight[GAIN]);
    pen__real *dy = pen__grad(f, call->out), *a = f->scratch;
    int64_t width = pen__width_of(f, call->out), n = pen__rows_of(f, call->out);
    pen__real *of_x = a + width, *constant = of_x + width;
    sums s = sums_of(f, call);
    if (!f->training) return;
    for (int64_t k = 0; k < width; k++) {
        double d_gain = 0, d_bias = 0, share = 1 / (double)f->batch->n[pen__extent_of(f, call->out)];
        for (int32_t i = 0; i < f->n_shards; i++) {
            d_gain += (double)pen__weight_grad(&f->all[i], call->weight[GAIN])[k];
            d_bias += (double)pen__weight_grad(&f->all[i], call->weight[BIAS])[k];
        }
        double factor = (double)gain[k] * (double)s.inverse[k], slope = -factor * (double)s.inverse[k] * d_gain * share;
        a[k] = (pen__real)factor, of_x[k] = (pen__real)slope;
        constant[k] = (pen__real)(-factor * d_bias * share - slope * (double)s.mean[k]);
    }
    for (int64_t r = 0; r < n; r++) {
        deep->mul(dy + r * width, dy + r * width, a, width, false);
        deep->mul(dy + r * width, x + r * width, of_x, width, true);
        deep->add(dy + r * width, constant, width);
    }
    give(f, call, dy);
}

static int64_t scratch(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    (void)rows;
    return 3 * plan->node[call->out].width;
}

static double flops(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    return 6.0 * (double)rows[plan->node[call->out].extent] * plan->node[call->out].width;
}

static const pen__op op = {.name = "batch norm",
                           .forward = forward,
                           .backward = backward,
                           .forward_after = forward_after,
                           .backward_after = backward_after,
                           .keep = 1,
                           .scratch = scratch,
                           .flops = flops};

int32_t pen__batch_norm(pen__plan *plan, const char *name, int32_t x)
{
    static const char *const PART[4] = {"weight", "bias", "mean", "variance"};
    char full[48];
    int32_t weight[4];
    if (!pen__plan_has(plan, x, "batch norm")) return -1;
    int32_t extent = plan->node[x].extent, width = plan->node[x].width;
    if (plan->extent[extent].shared) return pen__plan_fail(plan, "batch norm of rows that all shards share");
    for (int k = 0; k < 4; k++) {
        snprintf(full, sizeof full, "%.32s.%s", name, PART[k]);
        pen__init_kind init = k == GAIN || k == VARIANCE ? PEN_INIT_ONE : PEN_INIT_ZERO;
        weight[k] = pen__plan_weight(plan, full, 1, width, (pen__init){init, 0}, false);
    }
    int32_t y = pen__plan_node(plan, extent, width, true),
            kept = pen__plan_node(plan, PEN_EACH_SHARD, 4 * width, false);
    pen__call *call = pen__plan_call(plan, &op, &x, 1, y);
    if (!call) return -1;
    plan->weight[weight[MEAN]].follows = plan->weight[weight[VARIANCE]].follows = FOLLOWS;
    memcpy(call->weight, weight, sizeof weight);
    call->aux = kept;
    return y;
}
