/* Normal equations of one row: A = sum z z' + n penalties, b = sum y z. Without L1 by Cholesky's factors; with L1 by
 * cycles of coordinate descent on (A, b) with a soft threshold (Friedman, Hastie, Tibshirani: Regularization paths for
 * generalized linear models via coordinate descent, 2010), a fixed number, so that the bits are the same each time.
 * Cost: n d^2 / 2 + d^3 / 6 multiplications. */
#include "model/factor/normal_row.h"

#include <math.h>
#include <string.h>

enum { CYCLES = 20, BATCH = 4 };

size_t pen__normal_row_scratch(int32_t d)
{
    size_t n = (size_t)d + 1;
    return (n * n + n) * sizeof(float) + (n * n + 2 * n) * sizeof(double) + BATCH * (n + 16) * sizeof(float);
}

/* a's upper triangle and b gain up to BATCH events at once: one pass over a instead of BATCH. */
static void accumulate(float *restrict a, float *restrict b, int32_t n, const float *restrict z, int32_t stride,
                       const float *y)
{
    const float *z0 = z, *z1 = z + stride, *z2 = z + 2 * stride, *z3 = z + 3 * stride;
    for (int32_t i = 0; i < n; i++) {
        float *row = a + (size_t)i * (size_t)n, x0 = z0[i], x1 = z1[i], x2 = z2[i], x3 = z3[i];
        for (int32_t k = i; k < n; k++) row[k] += (x0 * z0[k] + x1 * z1[k]) + (x2 * z2[k] + x3 * z3[k]);
        b[i] += (x0 * y[0] + x1 * y[1]) + (x2 * y[2] + x3 * y[3]);
    }
}

/* l l' = a + diagonal, then l l' x = b; a is positive definite since penalties are positive (or the pivot is kept
 * so). */
static void cholesky_solve(const float *a, const float *b, const double *diagonal, int32_t n, double *l, double *x)
{
    for (int32_t i = 0; i < n; i++) {
        for (int32_t k = 0; k <= i; k++) {
            const double *li = l + (size_t)i * (size_t)n, *lk = l + (size_t)k * (size_t)n;
            double sum = (double)a[(size_t)k * (size_t)n + (size_t)i] + (i == k ? diagonal[i] : 0);
            for (int32_t j = 0; j < k; j++) sum -= li[j] * lk[j];
            l[(size_t)i * (size_t)n + (size_t)k] = i == k ? sqrt(sum > 1e-12 ? sum : 1e-12) : sum / lk[k];
        }
    }
    for (int32_t i = 0; i < n; i++) {
        double sum = b[i];
        for (int32_t j = 0; j < i; j++) sum -= l[(size_t)i * (size_t)n + (size_t)j] * x[j];
        x[i] = sum / l[(size_t)i * (size_t)n + (size_t)i];
    }
    for (int32_t i = n - 1; i >= 0; i--) {
        double sum = x[i];
        for (int32_t j = i + 1; j < n; j++) sum -= l[(size_t)j * (size_t)n + (size_t)i] * x[j];
        x[i] = sum / l[(size_t)i * (size_t)n + (size_t)i];
    }
}

static void lasso_solve(const float *a, const float *b, const double *diagonal, double cut, int32_t d, int32_t n,
                        double *x)
{
    memset(x, 0, (size_t)n * sizeof *x);
    for (int cycle = 0; cycle < CYCLES; cycle++)
        for (int32_t i = 0; i < n; i++) {
            double own = (double)a[(size_t)i * (size_t)n + (size_t)i], sum = b[i] + own * x[i];
            for (int32_t k = 0; k < n; k++)
                sum -= (double)a[(size_t)(i < k ? i : k) * (size_t)n + (size_t)(i < k ? k : i)] * x[k];
            double less = i < d ? cut : 0, scale = own + diagonal[i];
            x[i] = scale <= 0 ? 0 : sum > less ? (sum - less) / scale : sum < -less ? (sum + less) / scale : 0;
        }
}

typedef struct desk {
    double *l, *x, *diagonal; /* m x m, m, m */
    float *a, *b, *z;         /* m x m, m, a batch of rows */
    int32_t m;
} desk;

static desk lay_out(const pen__normal_row *work, void *scratch)
{
    desk t = {.m = work->d + (work->biased ? 1 : 0)};
    size_t size = (size_t)t.m * (size_t)t.m;
    t.l = scratch, t.x = t.l + size, t.diagonal = t.x + t.m;
    t.a = (float *)(t.diagonal + t.m), t.b = t.a + size, t.z = t.b + t.m;
    return t;
}

/* What the other side and the mean leave of a value. */
static float residual(const pen__normal_row *work, int32_t column, float value)
{
    return (float)((double)value - work->mean - (work->biased ? (double)work->bias[column] : 0));
}

/* a, b and the penalties of the row with these events. */
static void gather(const pen__normal_row *work, const int32_t *column, const float *value, int64_t n, const desk *t)
{
    int32_t d = work->d, m = t->m;
    memset(t->a, 0, ((size_t)m * (size_t)m + (size_t)m) * sizeof *t->a);
    for (int64_t e = 0; e < n; e += BATCH) {
        float y[BATCH] = {0};
        for (int64_t k = 0; k < BATCH; k++) {
            float *to = t->z + k * (m + 1);
            if (e + k >= n) {
                memset(to, 0, (size_t)m * sizeof *to);
                continue;
            }
            int64_t c = column[e + k];
            memcpy(to, work->rows + c * work->width, (size_t)d * sizeof *to);
            if (work->biased) to[d] = 1;
            y[k] = residual(work, column[e + k], value[e + k]);
        }
        accumulate(t->a, t->b, m, t->z, m + 1, y);
    }
    for (int32_t k = 0; k < m; k++) t->diagonal[k] = (double)n * (k < d ? work->l2 : work->bias_l2);
}

void pen__normal_row_solve(const pen__normal_row *work, const int32_t *column, const float *value, int64_t n,
                           void *scratch, float *out, float *out_bias)
{
    int32_t d = work->d;
    const desk t = lay_out(work, scratch);
    *out_bias = 0;
    memset(out, 0, (size_t)d * sizeof *out);
    if (n == 0) return;
    gather(work, column, value, n, &t);
    if (work->l1 > 0)
        lasso_solve(t.a, t.b, t.diagonal, (double)n * work->l1, d, t.m, t.x);
    else
        cholesky_solve(t.a, t.b, t.diagonal, t.m, t.l, t.x);
    for (int32_t k = 0; k < d; k++) out[k] = (float)t.x[k];
    if (work->biased) *out_bias = (float)t.x[d];
}

void pen__normal_row_weigh(const pen__normal_row *work, const int32_t *column, const float *value, int64_t n,
                           int32_t item, void *scratch, float *w)
{
    const desk t = lay_out(work, scratch);
    memset(w, 0, (size_t)t.m * sizeof *w);
    if (n == 0) return;
    gather(work, column, value, n, &t);
    memcpy(t.b, work->rows + (int64_t)item * work->width, (size_t)work->d * sizeof *t.b);
    if (work->biased) t.b[work->d] = 0;
    cholesky_solve(t.a, t.b, t.diagonal, t.m, t.l, t.x);
    for (int32_t k = 0; k < t.m; k++) w[k] = (float)t.x[k];
}

float pen__normal_row_share(const pen__normal_row *work, int32_t column, float value, const float *w)
{
    const float *row = work->rows + (int64_t)column * work->width;
    float sum = work->biased ? w[work->d] : 0;
    for (int32_t k = 0; k < work->d; k++) sum += row[k] * w[k];
    return residual(work, column, value) * sum;
}
