/* The body of kern/sgd.h for vectors of 8 floats. The file that includes this defines the type V and V_LOAD, V_STORE,
 * V_SET, V_FMA(a, b, c) = a b + c, V_SUM(x) of a variable x, V_SQRT, V_MAX, V_MIN; + - * / are the compiler's.
 *
 * The fixed forms are inlined with a constant number of vectors w <= 8, so that the user's row lives in registers
 * during its run: a step then loads and stores the item's row only. Wider rows, L1 and Adagrad take the open form,
 * through memory. */
#include <math.h>

#define ALWAYS static inline __attribute__((always_inline))

/* e^x for x in [-80, 80] by 2^n and a polynomial of degree 5 (Cephes' coefficients): 2 ulp, no call, no table. */
ALWAYS float exp_near(float x)
{
    float n = rintf(x * 1.44269504f);
    float r = x - n * 0.693359375f - n * -2.12194440e-4f;
    float y = 1.9875691500e-4f;
    y = y * r + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * r * r + r + 1.0f;
    union {
        int32_t i;
        float f;
    } power = {((n > -127 && n < 128 ? (int32_t)n : 0) + 127) << 23}; /* a NaN: from y */
    return y * power.f;
}

/* ---- ratings ----------------------------------------------------------------------------------------------------- */

ALWAYS double rate_fixed(const pen__sgd_rate *m, float *user, float *user_bias, const int32_t *item, const float *value,
                         int64_t n, const int w)
{
    V p[8], keep = V_SET(1.0f - m->rate * m->l2);
    float bias = *user_bias, keep_bias = 1.0f - m->bias_rate * m->bias_l2;
    double loss = 0;
    for (int k = 0; k < w; k++) p[k] = V_LOAD(user + 8 * k);
    for (int64_t e = 0; e < n; e++) {
        float *row = m->item + (int64_t)item[e] * m->width, *item_bias = m->item_bias + item[e];
        V q[8], sum[4] = {V_SET(0), V_SET(0), V_SET(0), V_SET(0)};
        for (int k = 0; k < w; k++) {
            q[k] = V_LOAD(row + 8 * k);
            sum[k & 3] = V_FMA(p[k], q[k], sum[k & 3]);
        }
        V total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
        float error = value[e] - m->mean - bias - *item_bias - V_SUM(total);
        V step = V_SET(m->rate * error);
        bias = keep_bias * bias + m->bias_rate * error;
        *item_bias = keep_bias * *item_bias + m->bias_rate * error;
        for (int k = 0; k < w; k++) {
            V old = p[k];
            p[k] = V_FMA(step, q[k], keep * old);
            V_STORE(row + 8 * k, V_FMA(step, old, keep * q[k]));
        }
        loss += (double)error * (double)error;
    }
    for (int k = 0; k < w; k++) V_STORE(user + 8 * k, p[k]);
    *user_bias = bias;
    return loss;
}

/* x towards zero by `cut`, not past it. */
#define SHRUNK(x, cut) (V_MAX((x) - (cut), V_SET(0)) + V_MIN((x) + (cut), V_SET(0)))

ALWAYS float stepped(float x, float gradient, float rate, float l2) { return (1.0f - rate * l2) * x + rate * gradient; }

static double rate_open(const pen__sgd_rate *m, float *user, float *user_bias, float *user_sum, const int32_t *item,
                        const float *value, int64_t n)
{
    double loss = 0;
    for (int64_t e = 0; e < n; e++) {
        float *row = m->item + (int64_t)item[e] * m->width, *item_bias = m->item_bias + item[e];
        V sum[2] = {V_SET(0), V_SET(0)}, user_square = V_SET(0), item_square = V_SET(0);
        for (int64_t k = 0; k < m->width; k += 8) {
            V p = V_LOAD(user + k), q = V_LOAD(row + k);
            sum[k >> 3 & 1] = V_FMA(p, q, sum[k >> 3 & 1]);
            user_square = V_FMA(p, p, user_square);
            item_square = V_FMA(q, q, item_square);
        }
        V total = sum[0] + sum[1];
        float error = value[e] - m->mean - *user_bias - *item_bias - V_SUM(total);
        float user_rate = m->rate, item_rate = m->rate, user_bias_rate = m->bias_rate, item_bias_rate = m->bias_rate;
        if (m->item_sum) { /* Chin et al. (2015): one sum of mean squared gradients a row */
            float *item_sum = m->item_sum + 2 * (int64_t)item[e], square = error * error,
                  per = square / (float)m->factors;
            user_rate /= sqrtf(user_sum[0]), item_rate /= sqrtf(item_sum[0]);
            user_bias_rate /= sqrtf(user_sum[1]), item_bias_rate /= sqrtf(item_sum[1]);
            user_sum[0] += per * V_SUM(item_square), item_sum[0] += per * V_SUM(user_square);
            user_sum[1] += square, item_sum[1] += square;
        }
        *user_bias = stepped(*user_bias, error, user_bias_rate, m->bias_l2);
        *item_bias = stepped(*item_bias, error, item_bias_rate, m->bias_l2);
        V user_step = V_SET(user_rate * error), item_step = V_SET(item_rate * error);
        V user_keep = V_SET(1.0f - user_rate * m->l2), item_keep = V_SET(1.0f - item_rate * m->l2);
        V user_cut = V_SET(user_rate * m->l1), item_cut = V_SET(item_rate * m->l1);
        for (int64_t k = 0; k < m->width; k += 8) {
            V p = V_LOAD(user + k), q = V_LOAD(row + k);
            V new_p = V_FMA(user_step, q, user_keep * p), new_q = V_FMA(item_step, p, item_keep * q);
            if (m->l1 > 0) new_p = SHRUNK(new_p, user_cut), new_q = SHRUNK(new_q, item_cut);
            V_STORE(user + k, new_p);
            V_STORE(row + k, new_q);
        }
        loss += (double)error * (double)error;
    }
    return loss;
}

static double rate_run(const pen__sgd_rate *m, float *user, float *user_bias, float *user_sum, const int32_t *item,
                       const float *value, int64_t n)
{
    if (!m->item_sum && !(m->l1 > 0)) switch (m->width) {
        case 8: return rate_fixed(m, user, user_bias, item, value, n, 1);
        case 16: return rate_fixed(m, user, user_bias, item, value, n, 2);
        case 24: return rate_fixed(m, user, user_bias, item, value, n, 3);
        case 32: return rate_fixed(m, user, user_bias, item, value, n, 4);
        case 40: return rate_fixed(m, user, user_bias, item, value, n, 5);
        case 48: return rate_fixed(m, user, user_bias, item, value, n, 6);
        case 56: return rate_fixed(m, user, user_bias, item, value, n, 7);
        case 64: return rate_fixed(m, user, user_bias, item, value, n, 8);
        default: break;
        }
    return rate_open(m, user, user_bias, user_sum, item, value, n);
}

/* ---- pairs ------------------------------------------------------------------------------------------------------- */

/* 1 - sigmoid(x), the gradient's size; *product *= sigmoid(x). A logarithm is taken of the product of some losses at
 * once. */
ALWAYS float pair_gradient(float x, double *product)
{
    float near = x < -40 ? -40 : x > 40 ? 40 : x; /* a NaN stays one */
    float sigmoid = 1.0f / (1.0f + exp_near(-near));
    *product *= (double)sigmoid;
    return near > 0 ? exp_near(-near) * sigmoid : 1.0f - sigmoid;
}

enum { LOSSES = 16 }; /* e^-40 to the 16th is still a normal double */

ALWAYS double pair_fixed(const pen__sgd_pair *m, float *user, const int32_t *liked, const int32_t *other,
                         const float *weight, int64_t n, const int w)
{
    V p[8], keep_user = V_SET(1.0f - m->rate * m->l2_user), keep_liked = V_SET(1.0f - m->rate * m->l2_liked);
    V keep_other = V_SET(1.0f - m->rate * m->l2_other);
    float keep_bias = 1.0f - m->rate * m->l2_bias;
    double loss = 0, product = 1;
    for (int k = 0; k < w; k++) p[k] = V_LOAD(user + 8 * k);
    for (int64_t e = 0; e < n; e++) {
        float *a = m->item + (int64_t)liked[e] * m->width, *b = m->item + (int64_t)other[e] * m->width;
        V sum[4] = {V_SET(0), V_SET(0), V_SET(0), V_SET(0)};
        for (int k = 0; k < w; k++) sum[k & 3] = V_FMA(p[k], V_LOAD(a + 8 * k) - V_LOAD(b + 8 * k), sum[k & 3]);
        V total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
        float margin = V_SUM(total);
        if (m->item_bias) margin += m->item_bias[liked[e]] - m->item_bias[other[e]];
        float step = m->rate * pair_gradient(margin, &product) * (weight ? weight[e] : 1.0f);
        if (m->item_bias) {
            m->item_bias[liked[e]] = keep_bias * m->item_bias[liked[e]] + step;
            m->item_bias[other[e]] = keep_bias * m->item_bias[other[e]] - step;
        }
        V up = V_SET(step), down = V_SET(-step);
        for (int k = 0; k < w; k++) {
            V old = p[k], va = V_LOAD(a + 8 * k), vb = V_LOAD(b + 8 * k);
            p[k] = V_FMA(up, va - vb, keep_user * old);
            V_STORE(a + 8 * k, V_FMA(up, old, keep_liked * va));
            V_STORE(b + 8 * k, V_FMA(down, old, keep_other * vb));
        }
        if (e % LOSSES == LOSSES - 1) loss -= log(product), product = 1;
    }
    for (int k = 0; k < w; k++) V_STORE(user + 8 * k, p[k]);
    return loss - log(product);
}

/* Adagrad for a vector: h += g^2, and the step rate g / sqrt(h). */
#define ADAGRAD(x, h, g)                                   \
    do {                                                   \
        V sum_ = V_FMA(g, g, V_LOAD(h));                   \
        V_STORE(h, sum_);                                  \
        V_STORE(x, V_LOAD(x) + rate * (g) / V_SQRT(sum_)); \
    } while (0)

ALWAYS void bias_adagrad(float *x, float *h, float g, float rate)
{
    *h += g * g;
    *x += rate * g / sqrtf(*h);
}

static double pair_open(const pen__sgd_pair *m, float *user, float *user_sum, const int32_t *liked,
                        const int32_t *other, const float *weight, int64_t n)
{
    V rate = V_SET(m->rate), l2_user = V_SET(m->l2_user), l2_liked = V_SET(m->l2_liked), l2_other = V_SET(m->l2_other);
    double loss = 0, product = 1;
    for (int64_t e = 0; e < n; e++) {
        int64_t at_a = (int64_t)liked[e] * m->width, at_b = (int64_t)other[e] * m->width;
        float *a = m->item + at_a, *b = m->item + at_b;
        V sum[2] = {V_SET(0), V_SET(0)};
        for (int64_t k = 0; k < m->width; k += 8)
            sum[k >> 3 & 1] = V_FMA(V_LOAD(user + k), V_LOAD(a + k) - V_LOAD(b + k), sum[k >> 3 & 1]);
        V total = sum[0] + sum[1];
        float margin = V_SUM(total);
        if (m->item_bias) margin += m->item_bias[liked[e]] - m->item_bias[other[e]];
        float gradient = pair_gradient(margin, &product) * (weight ? weight[e] : 1.0f);
        V g = V_SET(gradient);
        for (int64_t k = 0; k < m->width; k += 8) {
            V p = V_LOAD(user + k), va = V_LOAD(a + k), vb = V_LOAD(b + k);
            V up = g * (va - vb) - l2_user * p, ua = g * p - l2_liked * va, ub = V_SET(0) - g * p - l2_other * vb;
            if (m->item_sum) {
                ADAGRAD(user + k, user_sum + k, up);
                ADAGRAD(a + k, m->item_sum + at_a + k, ua);
                ADAGRAD(b + k, m->item_sum + at_b + k, ub);
            } else {
                V_STORE(user + k, V_FMA(rate, up, p));
                V_STORE(a + k, V_FMA(rate, ua, va));
                V_STORE(b + k, V_FMA(rate, ub, vb));
            }
        }
        if (m->item_bias) {
            float *x = m->item_bias + liked[e], *y = m->item_bias + other[e];
            float up = gradient - m->l2_bias * *x, down = -gradient - m->l2_bias * *y;
            if (m->item_sum) {
                bias_adagrad(x, m->item_bias_sum + liked[e], up, m->rate);
                bias_adagrad(y, m->item_bias_sum + other[e], down, m->rate);
            } else {
                *x += m->rate * up;
                *y += m->rate * down;
            }
        }
        if (e % LOSSES == LOSSES - 1) loss -= log(product), product = 1;
    }
    return loss - log(product);
}

static double pair_run(const pen__sgd_pair *m, float *user, float *user_sum, const int32_t *liked, const int32_t *other,
                       const float *weight, int64_t n)
{
    if (!m->item_sum) switch (m->width) {
        case 16: return pair_fixed(m, user, liked, other, weight, n, 2);
        case 32: return pair_fixed(m, user, liked, other, weight, n, 4);
        case 64: return pair_fixed(m, user, liked, other, weight, n, 8);
        default: break;
        }
    return pair_open(m, user, user_sum, liked, other, weight, n);
}

static void scores(const pen__sgd_pair *m, const float *user, const int32_t *item, int64_t n, float *out)
{
    for (int64_t e = 0; e < n; e++) {
        const float *row = m->item + (int64_t)item[e] * m->width;
        V sum[2] = {V_SET(0), V_SET(0)};
        for (int64_t k = 0; k < m->width; k += 8)
            sum[k >> 3 & 1] = V_FMA(V_LOAD(user + k), V_LOAD(row + k), sum[k >> 3 & 1]);
        V total = sum[0] + sum[1];
        out[e] = V_SUM(total) + (m->item_bias ? m->item_bias[item[e]] : 0);
    }
}
