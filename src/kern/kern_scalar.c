/* Kernels in plain C: the definition that every other level is tested against, and the fall-back of all. fmaf is the
 * fused operation on every machine (in software where the processor has none), so that exact kernels are exact here. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "kern/exp_constants.h"
#include "kern/kern_fill.h"

enum { TILE_USERS = 6 };

static float score(const float *panels, int64_t d, const float *user, int64_t step, const float *bias, int64_t item)
{
    const float *column = panels + item / PEN_PANEL * d * PEN_PANEL + item % PEN_PANEL;
    float sum = bias ? bias[item] : 0.0f;
    for (int64_t k = 0; k < d; k++) sum = fmaf(user[k * step], column[k * PEN_PANEL], sum);
    return sum;
}

static void score_one(const float *panels, int64_t d, int64_t n_panels, const float *user, const float *bias,
                      float *out)
{
    for (int64_t i = 0; i < n_panels * PEN_PANEL; i++) out[i] = score(panels, d, user, 1, bias, i);
}

static void score_tile(const float *panels, int64_t d, int64_t n_panels, const float *users, const float *bias,
                       float *out, int64_t stride)
{
    for (int t = 0; t < TILE_USERS; t++)
        for (int64_t i = 0; i < n_panels * PEN_PANEL; i++)
            out[t * stride + i] = score(panels, d, users + t, TILE_USERS, bias, i);
}

static void score_items(const float *panels, int64_t d, const float *user, const float *bias, const int32_t *items,
                        int64_t n, float *out)
{
    for (int64_t j = 0; j < n; j++) out[j] = score(panels, d, user, 1, bias, items[j]);
}

static int64_t find_at_least(const float *x, int64_t n, float threshold, int32_t *found)
{
    int64_t count = 0;
    for (int64_t j = 0; j < n; j++)
        if (!(x[j] < threshold)) found[count++] = (int32_t)j;
    return count;
}

static int64_t count_above(const float *x, int64_t n, float y, int64_t *equal)
{
    int64_t above = 0, same = 0;
    for (int64_t j = 0; j < n; j++) above += x[j] > y, same += x[j] == y;
    *equal = same;
    return above;
}

static float dot(const float *a, const float *b, int64_t d)
{
    float sum = 0.0f;
    for (int64_t k = 0; k < d; k++) sum += a[k] * b[k];
    return sum;
}

static float dot_difference(const float *p, const float *a, const float *b, int64_t d)
{
    float sum = 0.0f;
    for (int64_t k = 0; k < d; k++) sum += p[k] * (a[k] - b[k]);
    return sum;
}

static float sum_squares(const float *x, int64_t d) { return dot(x, x, d); }

static void axpy(float *y, float a, const float *x, int64_t d)
{
    for (int64_t k = 0; k < d; k++) y[k] = fmaf(a, x[k], y[k]);
}

static void axpby(float *y, float a, const float *x, float b, int64_t d)
{
    for (int64_t k = 0; k < d; k++) y[k] = fmaf(a, x[k], b * y[k]);
}

static void update_pair(float *p, float *q, int64_t d, float step, float keep_p, float keep_q)
{
    for (int64_t k = 0; k < d; k++) {
        float a = p[k], b = q[k];
        p[k] = fmaf(step, b, keep_p * a);
        q[k] = fmaf(step, a, keep_q * b);
    }
}

static void update_triple(float *p, float *a, float *b, int64_t d, float step, float keep_user, float keep_items)
{
    for (int64_t k = 0; k < d; k++) {
        float u = p[k], x = a[k], y = b[k];
        p[k] = fmaf(step, x - y, keep_user * u);
        a[k] = fmaf(step, u, keep_items * x);
        b[k] = fmaf(-step, u, keep_items * y);
    }
}

static void adagrad(float *x, float *h, const float *g, int64_t d, float rate, float eps)
{
    for (int64_t k = 0; k < d; k++) {
        h[k] = fmaf(g[k], g[k], h[k]);
        x[k] -= rate * g[k] / sqrtf(h[k] + eps);
    }
}

/* 2^n for n in [-126, 127]. */
static float power_of_two(int32_t n)
{
    uint32_t bits = (uint32_t)(n + 127) << 23;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float exp_one(float x)
{
    if (x != x) return x;
    x = x < EXP_LOW ? EXP_LOW : x > EXP_HIGH ? EXP_HIGH : x;
    float n = fmaf(x, EXP_LOG2E, EXP_ROUND) - EXP_ROUND;
    int32_t whole = (int32_t)n, half = (whole - (whole & 1)) / 2;
    float r = fmaf(n, -EXP_LN2_LOW, fmaf(n, -EXP_LN2_HIGH, x));
    float y = EXP_C0;
    y = fmaf(y, r, EXP_C1);
    y = fmaf(y, r, EXP_C2);
    y = fmaf(y, r, EXP_C3);
    y = fmaf(y, r, EXP_C4);
    y = fmaf(y, r, EXP_C5);
    y = fmaf(y, r * r, r) + 1.0f;
    return y * power_of_two(half) * power_of_two(whole - half);
}

static void exp_rows(float *out, const float *x, int64_t n)
{
    for (int64_t k = 0; k < n; k++) out[k] = exp_one(x[k]);
}

static void sigmoid_rows(float *out, const float *x, int64_t n)
{
    for (int64_t k = 0; k < n; k++) out[k] = 1.0f / (1.0f + exp_one(-x[k]));
}

void pen__kern_fill_scalar(pen__kernels *kern)
{
    *kern = (pen__kernels){
        .name = "scalar",
        .tile_users = TILE_USERS,
        .score_one = score_one,
        .score_tile = score_tile,
        .score_items = score_items,
        .find_at_least = find_at_least,
        .count_above = count_above,
        .dot = dot,
        .dot_difference = dot_difference,
        .sum_squares = sum_squares,
        .axpy = axpy,
        .axpby = axpby,
        .update_pair = update_pair,
        .update_triple = update_triple,
        .adagrad = adagrad,
        .exp = exp_rows,
        .sigmoid = sigmoid_rows,
    };
    pen__kern_fill_scalar_solve(kern);
}
