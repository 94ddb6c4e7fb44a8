/* Losses of scores, pointwise and pairwise, and of the rows themselves: means over the rows of the whole batch.
 *
 *     squared   (s - y)^2                          logistic  log(1 + e^s) - y s         (y in [0, 1])
 *     bpr       -log sigmoid(good - bad)           hinge     max(0, margin - good + bad)
 *
 *     squares   |x|^2 / 2
 *
 * Each row times its weight, if it has one. The loss is added up in double; O(rows). */
#include <math.h>

#include "nn/logistic.h"
#include "nn/op.h"
#include "nn/ops.h"

enum { KIND };

static double few_flops(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    return 10.0 * (double)rows[plan->node[call->in[0]].extent];
}

/* ---- pointwise --------------------------------------------------------------------------------------------------- */

static double row_weight(const pen__frame *f, const pen__call *call, int k, int64_t r)
{
    double share = 1 / (double)f->batch->n[pen__extent_of(f, call->in[0])];
    return call->n_in > k ? share * (double)pen__value(f, call->in[k])[r] : share;
}

static void pointwise_forward(pen__frame *f, const pen__call *call)
{
    const pen__real *score = pen__value(f, call->in[0]), *label = pen__value(f, call->in[1]);
    double sum = 0;
    for (int64_t r = 0; r < pen__rows_of(f, call->in[0]); r++) {
        double s = (double)score[r], y = (double)label[r];
        sum += row_weight(f, call, 2, r) *
               (call->i[KIND] == PEN_LOSS_SQUARED ? (s - y) * (s - y) : pen__softplus(s) - y * s);
    }
    f->loss += sum;
}

static void pointwise_backward(pen__frame *f, const pen__call *call)
{
    const pen__real *score = pen__value(f, call->in[0]), *label = pen__value(f, call->in[1]);
    pen__real *d = pen__grad(f, call->in[0]);
    for (int64_t r = 0; d && r < pen__rows_of(f, call->in[0]); r++) {
        double s = (double)score[r], y = (double)label[r];
        double slope =
            row_weight(f, call, 2, r) * (call->i[KIND] == PEN_LOSS_SQUARED ? 2 * (s - y) : pen__logistic(s) - y);
        d[r] = (pen__real)slope + (pen__adds(call, 0) ? d[r] : 0);
    }
}

static const pen__op pointwise_op = {
    .name = "pointwise", .forward = pointwise_forward, .backward = pointwise_backward, .keep = 7, .flops = few_flops};

void pen__loss_pointwise(pen__plan *plan, pen__pointwise kind, int32_t score, int32_t label, int32_t weight)
{
    int32_t in[3] = {score, label, weight}, n = weight < 0 ? 2 : 3;
    if (!pen__plan_cuts(plan, score, "a pointwise loss")) return;
    for (int32_t k = 0; k < n; k++) {
        if (!pen__plan_has(plan, in[k], "a loss")) return;
        if (plan->node[in[k]].width != 1 || plan->node[in[k]].extent != plan->node[score].extent ||
            (k && plan->node[in[k]].has_grad)) {
            pen__plan_fail(plan, "a pointwise loss reads scores, labels and weights of width 1, of one extent");
            return;
        }
    }
    pen__call *call = pen__plan_call(plan, &pointwise_op, in, n, -1);
    if (call) call->i[KIND] = (int32_t)kind;
}

/* ---- pairwise ---------------------------------------------------------------------------------------------------- */

typedef struct pair {
    double loss, slope; /* slope: of the loss by (bad - good) */
} pair;

static pair pair_of(const pen__call *call, double good, double bad)
{
    double x = bad - good;
    if (call->i[KIND] == PEN_LOSS_BPR) return (pair){pen__softplus(x), pen__logistic(x)};
    return (pair){fmax(0, call->f[0] + x), call->f[0] + x > 0};
}

static void pairwise(pen__frame *f, const pen__call *call, bool back)
{
    const pen__real *good = pen__value(f, call->in[0]), *bad = pen__value(f, call->in[1]);
    pen__real *d_good = back ? pen__grad(f, call->in[0]) : NULL, *d_bad = back ? pen__grad(f, call->in[1]) : NULL;
    int32_t child = pen__extent_of(f, call->in[1]);
    bool same = pen__extent_of(f, call->in[0]) == child;
    double share = 1 / (double)f->batch->n[child], sum = 0;
    for (int64_t r = 0; r < pen__rows_of(f, call->in[0]); r++) {
        int64_t from = same ? r : pen__segment(f, child, r), to = same ? r + 1 : pen__segment(f, child, r + 1);
        double slopes = 0;
        for (int64_t i = from; i < to; i++) {
            pair p = pair_of(call, (double)good[r], (double)bad[i]);
            sum += share * p.loss;
            slopes += share * p.slope;
            if (d_bad) d_bad[i] = (pen__real)(share * p.slope) + (pen__adds(call, 1) ? d_bad[i] : 0);
        }
        if (d_good) d_good[r] = (pen__real)-slopes + (pen__adds(call, 0) ? d_good[r] : 0);
    }
    if (!back) f->loss += sum;
}

static void pairwise_forward(pen__frame *f, const pen__call *call) { pairwise(f, call, false); }
static void pairwise_backward(pen__frame *f, const pen__call *call) { pairwise(f, call, true); }

static const pen__op pairwise_op = {
    .name = "pairwise", .forward = pairwise_forward, .backward = pairwise_backward, .keep = 3, .flops = few_flops};

void pen__loss_pairwise(pen__plan *plan, pen__pairwise kind, int32_t good, int32_t bad, double margin)
{
    int32_t in[2] = {good, bad};
    if (!pen__plan_cuts(plan, good, "a pairwise loss") || !pen__plan_has(plan, bad, "a pairwise loss")) return;
    int32_t parent = plan->node[good].extent, child = plan->node[bad].extent;
    if (plan->node[good].width != 1 || plan->node[bad].width != 1 ||
        (parent != child && !pen__is_child(plan, child, parent))) {
        pen__plan_fail(plan, "a pairwise loss reads one score a row, and scores of its children or of the same extent");
        return;
    }
    pen__call *call = pen__plan_call(plan, &pairwise_op, in, 2, -1);
    if (!call) return;
    call->i[KIND] = (int32_t)kind;
    call->f[0] = margin;
}

/* ---- penalty of rows --------------------------------------------------------------------------------------------- */

static void squares_forward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *x = pen__value(f, call->in[0]);
    int64_t width = pen__width_of(f, call->in[0]), rows = pen__rows_of(f, call->in[0]);
    double sum = 0;
    for (int64_t r = 0; r < rows; r++) sum += (double)deep->dot(x + r * width, x + r * width, width);
    if (rows > 0) f->loss += 0.5 * call->f[0] * row_weight(f, call, 1, 0) * sum;
}

static void squares_backward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__real *x = pen__value(f, call->in[0]);
    pen__real *d = pen__grad(f, call->in[0]);
    int64_t n = d ? pen__rows_of(f, call->in[0]) * pen__width_of(f, call->in[0]) : 0;
    if (n == 0) return;
    if (!pen__adds(call, 0)) memset(d, 0, (size_t)n * sizeof *d);
    deep->axpy(d, (pen__real)(call->f[0] * row_weight(f, call, 1, 0)), x, n);
}

static double squares_flops(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    return 2.0 * (double)rows[plan->node[call->in[0]].extent] * plan->node[call->in[0]].width;
}

static const pen__op squares_op = {
    .name = "squares", .forward = squares_forward, .backward = squares_backward, .keep = 1, .flops = squares_flops};

void pen__loss_squares(pen__plan *plan, int32_t x, double weight)
{
    if (!pen__plan_has(plan, x, "a penalty") || weight == 0) return;
    if (!(weight > 0) || plan->extent[plan->node[x].extent].shared) {
        pen__plan_fail(plan, "a penalty of %g on rows of '%s': it is above 0, on rows that no shards share", weight,
                       plan->extent[plan->node[x].extent].name);
        return;
    }
    pen__call *call = pen__plan_call(plan, &squares_op, &x, 1, -1);
    if (call) call->f[0] = weight;
}
