/* Normal equations and Cholesky in plain C. */
#include <math.h>
#include <stddef.h>

#include "kern/kern_fill.h"

/* One run of rows on its own, then added: the same grouping of sums as the other levels. */
static void add_run(float *a, float *b, int64_t d, const float *table, int64_t stride, const int32_t *rows,
                    int64_t first, const float *w, float w_all, const float *v, float v_all, int64_t n)
{
    const int64_t ld = pen__matrix_stride(d);
    for (int64_t i = 0; i < d; i++) {
        float right = 0.0f;
        for (int64_t j = i; j < d; j++) {
            float sum = 0.0f;
            for (int64_t t = 0; t < n; t++) {
                const float *q = table + (rows ? rows[first + t] : first + t) * stride;
                sum += (w ? w[first + t] : w_all) * q[i] * q[j];
            }
            a[i * ld + j] += sum;
        }
        if (!b) continue;
        for (int64_t t = 0; t < n; t++)
            right += (v ? v[first + t] : v_all) * table[(rows ? rows[first + t] : first + t) * stride + i];
        b[i] += right;
    }
}

static void add_outer(float *a, float *b, int64_t d, const float *table, int64_t stride, const int32_t *rows,
                      const float *w, float w_all, const float *v, float v_all, int64_t n, int64_t after,
                      float *scratch)
{
    (void)scratch, (void)after;
    for (int64_t at = 0; at < n; at += PEN_OUTER_ROWS)
        add_run(a, b, d, table, stride, rows, at, w, w_all, v, v_all,
                n - at < PEN_OUTER_ROWS ? n - at : PEN_OUTER_ROWS);
}

static bool cholesky(float *a, int64_t d)
{
    const int64_t ld = pen__matrix_stride(d);
    for (int64_t k = 0; k < d; k++) {
        float *row = a + k * ld;
        for (int64_t m = 0; m < k; m++)
            for (int64_t j = k; j < d; j++) row[j] -= a[m * ld + k] * a[m * ld + j];
        if (!(row[k] > 0.0f && row[k] < INFINITY)) return false;
        row[k] = 1.0f / sqrtf(row[k]);
        for (int64_t j = k + 1; j < d; j++) row[j] *= row[k];
    }
    return true;
}

static void cholesky_solve(const float *a, int64_t d, float *b)
{
    const int64_t ld = pen__matrix_stride(d);
    for (int64_t k = 0; k < d; k++) {
        b[k] *= a[k * ld + k];
        for (int64_t j = k + 1; j < d; j++) b[j] -= a[k * ld + j] * b[k];
    }
    for (int64_t k = d - 1; k >= 0; k--) {
        for (int64_t j = k + 1; j < d; j++) b[k] -= a[k * ld + j] * b[j];
        b[k] *= a[k * ld + k];
    }
}

/* U of one system, packed: row i from i * d - i (i - 1) / 2, element [i][j] at j - i. */
static void solve_lanes(const float *const *a, float *const *b, int n, int64_t d, float *scratch, bool *ok)
{
    const int64_t ld = pen__matrix_stride(d);
    for (int s = 0; s < n; s++) {
        ok[s] = true;
        for (int64_t i = 0; i < d && ok[s]; i++) {
            float *row = scratch + i * d - i * (i - 1) / 2 - i, *x = b[s];
            for (int64_t j = i; j < d; j++) row[j] = a[s][i * ld + j];
            for (int64_t m = 0; m < i; m++) {
                const float *above = scratch + m * d - m * (m - 1) / 2 - m;
                for (int64_t j = i; j < d; j++) row[j] -= above[i] * above[j];
                x[i] -= above[i] * x[m];
            }
            ok[s] = row[i] > 0.0f && row[i] < INFINITY;
            row[i] = 1.0f / sqrtf(row[i]);
            for (int64_t j = i + 1; j < d; j++) row[j] *= row[i];
            x[i] *= row[i];
        }
        for (int64_t i = d - 1; i >= 0 && ok[s]; i--) {
            const float *row = scratch + i * d - i * (i - 1) / 2 - i;
            for (int64_t j = i + 1; j < d; j++) b[s][i] -= row[j] * b[s][j];
            b[s][i] *= row[i];
        }
    }
}

void pen__kern_fill_scalar_solve(pen__kernels *kern)
{
    kern->add_outer = add_outer;
    kern->cholesky = cholesky;
    kern->cholesky_solve = cholesky_solve;
    kern->lanes = 1;
    kern->solve_lanes = solve_lanes;
}
