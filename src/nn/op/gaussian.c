/* gaussian: a sample by reparametrisation, and its distance from the standard normal (Kingma, Welling: "Auto-encoding
 * variational Bayes", 2014; Liang et al.: "Variational autoencoders for collaborative filtering", WWW 2018):
 *
 *     y = mean + e^(logvar / 2) eps         kl = w/n sum_r 1/2 sum_k (mean^2 + e^logvar - 1 - logvar)
 *
 * eps comes from counters in training, one pair of normals for two columns; answers take y = mean. Backward of y: dmean
 * = dy, dlogvar = dy (y - mean) / 2. Cost: a logarithm, a root, a sine and a cosine for two numbers. */
#include <math.h>

#include "nn/op.h"
#include "nn/ops.h"

enum { MEAN, LOGVAR, WEIGHT };

static int64_t numbers(const pen__frame *f, int32_t node) { return pen__rows_of(f, node) * pen__width_of(f, node); }

static double one_pass(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    return 10.0 * (double)rows[plan->node[call->in[MEAN]].extent] * plan->node[call->in[MEAN]].width;
}

/* ---- the sample -------------------------------------------------------------------------------------------------- */

/* width standard normals of one row, by Box and Muller. */
static void noise(pen__rng rng, pen__real *eps, int64_t width)
{
    for (int64_t k = 0; k < width; k += 2) {
        double u = ((double)(pen__rng_next(&rng) >> 11) + 0.5) * 0x1p-53,
               turn = 6.283185307179586 * pen__rng_uniform(&rng);
        double length = sqrt(-2 * log(u));
        eps[k] = (pen__real)(length * cos(turn));
        if (k + 1 < width) eps[k + 1] = (pen__real)(length * sin(turn));
    }
}

static void gaussian_forward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *mean = pen__value(f, call->in[MEAN]), *logvar = pen__value(f, call->in[LOGVAR]);
    pen__real *y = pen__value(f, call->out), *eps = f->scratch;
    int64_t width = pen__width_of(f, call->out), first = f->first[pen__extent_of(f, call->out)];
    memcpy(y, mean, (size_t)numbers(f, call->out) * sizeof *y);
    for (int64_t r = 0; f->training && r < pen__rows_of(f, call->out); r++) {
        pen__real *deviation = eps + width;
        noise(pen__rng_begin(pen__key(f, call->key), 0, (uint64_t)(first + r)), eps, width);
        memcpy(deviation, logvar + r * width, (size_t)width * sizeof *deviation);
        deep->scale(deviation, (pen__real)0.5, width);
        deep->exp(deviation, deviation, width);
        deep->mul(y + r * width, deviation, eps, width, true);
    }
}

static void gaussian_backward(pen__frame *f, const pen__call *call)
{
    const pen__real *mean = pen__value(f, call->in[MEAN]), *y = pen__value(f, call->out), *dy = pen__grad(f, call->out);
    pen__real *d_mean = pen__grad(f, call->in[MEAN]), *d_logvar = pen__grad(f, call->in[LOGVAR]);
    const bool adds = pen__adds(call, MEAN), adds_to = pen__adds(call, LOGVAR);
    for (int64_t i = 0; d_mean && i < numbers(f, call->out); i++) d_mean[i] = dy[i] + (adds ? d_mean[i] : 0);
    for (int64_t i = 0; d_logvar && i < numbers(f, call->out); i++)
        d_logvar[i] = dy[i] * (y[i] - mean[i]) / 2 + (adds_to ? d_logvar[i] : 0);
}

static int64_t two_rows(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    (void)rows;
    return 2 * plan->node[call->in[MEAN]].width;
}

static const pen__op gaussian_op = {.name = "gaussian",
                                    .forward = gaussian_forward,
                                    .backward = gaussian_backward,
                                    .keep = PEN_KEEP_OUT | 1 << MEAN,
                                    .scratch = two_rows,
                                    .flops = one_pass};

static bool alike(pen__plan *plan, int32_t mean, int32_t logvar, const char *who)
{
    if (!pen__plan_has(plan, mean, who) || !pen__plan_has(plan, logvar, who)) return false;
    if (plan->node[mean].extent == plan->node[logvar].extent && plan->node[mean].width == plan->node[logvar].width)
        return true;
    pen__plan_fail(plan, "%s: mean and logvar are of one extent and width", who);
    return false;
}

int32_t pen__gaussian(pen__plan *plan, int32_t mean, int32_t logvar)
{
    int32_t in[2] = {mean, logvar};
    if (!alike(plan, mean, logvar, "gaussian")) return -1;
    int32_t y = pen__plan_node(plan, plan->node[mean].extent, plan->node[mean].width,
                               plan->node[mean].has_grad || plan->node[logvar].has_grad);
    return pen__plan_call(plan, &gaussian_op, in, 2, y) ? y : -1;
}

/* ---- its distance ------------------------------------------------------------------------------------------------ */

static void kl_forward(pen__frame *f, const pen__call *call) { (void)f, (void)call; }

static void kl_backward(pen__frame *f, const pen__call *call)
{
    const pen__real *mean = pen__value(f, call->in[MEAN]), *logvar = pen__value(f, call->in[LOGVAR]);
    const pen__real *weight = call->n_in > WEIGHT ? pen__value(f, call->in[WEIGHT]) : NULL;
    pen__real *d_mean = pen__grad(f, call->in[MEAN]), *d_logvar = pen__grad(f, call->in[LOGVAR]),
              *variance = f->scratch;
    int32_t extent = pen__extent_of(f, call->in[MEAN]);
    int64_t width = pen__width_of(f, call->in[MEAN]), step = weight && pen__extent_of(f, call->in[WEIGHT]) == extent;
    const bool adds = pen__adds(call, MEAN), adds_to = pen__adds(call, LOGVAR);
    for (int64_t r = 0, at = 0; r < pen__rows_of(f, call->in[MEAN]); r++, at += width) {
        double share = (weight ? (double)weight[r * step] : 1) / (double)f->batch->n[extent], sum = 0;
        pen__deep_kern()->exp(variance, logvar + at, width);
        for (int64_t k = 0; k < width; k++)
            sum += (double)(mean[at + k] * mean[at + k] + variance[k] - 1 - logvar[at + k]);
        pen__real slope = (pen__real)share;
        for (int64_t k = 0; d_mean && k < width; k++)
            d_mean[at + k] = slope * mean[at + k] + (adds ? d_mean[at + k] : 0);
        for (int64_t k = 0; d_logvar && k < width; k++)
            d_logvar[at + k] = slope * (variance[k] - 1) / 2 + (adds_to ? d_logvar[at + k] : 0);
        f->loss += share * sum / 2;
    }
}

static const pen__op kl_op = {
    .name = "kl", .forward = kl_forward, .backward = kl_backward, .keep = 7, .scratch = two_rows, .flops = one_pass};

void pen__loss_kl(pen__plan *plan, int32_t mean, int32_t logvar, int32_t weight)
{
    int32_t in[3] = {mean, logvar, weight}, n = weight < 0 ? 2 : 3;
    if (!alike(plan, mean, logvar, "kl") || !pen__plan_cuts(plan, mean, "kl") ||
        (n > 2 && !pen__plan_has(plan, weight, "kl")))
        return;
    if (n > 2) {
        const pen__node *node = &plan->node[weight];
        if (node->width != 1 || node->has_grad ||
            (node->extent != plan->node[mean].extent && !plan->extent[node->extent].shared)) {
            pen__plan_fail(plan, "kl: a weight is a constant of width 1, of the rows' extent or one shared row");
            return;
        }
    }
    pen__plan_call(plan, &kl_op, in, n, -1);
}
