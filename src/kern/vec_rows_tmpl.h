/* Rows of a factor model, for the instruction set whose file includes this: sums in four vector accumulators (hiding
 * the latency of a fused multiply-add), one more loop of single vectors, and the last d mod VN elements one by one. */

static float dot(const float *a, const float *b, int64_t d)
{
    vf s0 = vset(0.0f), s1 = s0, s2 = s0, s3 = s0;
    int64_t k = 0;
    for (; k + 4 * VN <= d; k += 4 * VN) {
        s0 = vfma(vload(a + k), vload(b + k), s0);
        s1 = vfma(vload(a + k + VN), vload(b + k + VN), s1);
        s2 = vfma(vload(a + k + 2 * VN), vload(b + k + 2 * VN), s2);
        s3 = vfma(vload(a + k + 3 * VN), vload(b + k + 3 * VN), s3);
    }
    for (; k + VN <= d; k += VN) s0 = vfma(vload(a + k), vload(b + k), s0);
    float sum = vsum((s0 + s1) + (s2 + s3));
    for (; k < d; k++) sum = __builtin_fmaf(a[k], b[k], sum);
    return sum;
}

static float dot_difference(const float *p, const float *a, const float *b, int64_t d)
{
    vf s0 = vset(0.0f), s1 = s0;
    int64_t k = 0;
    for (; k + 2 * VN <= d; k += 2 * VN) {
        s0 = vfma(vload(p + k), vload(a + k) - vload(b + k), s0);
        s1 = vfma(vload(p + k + VN), vload(a + k + VN) - vload(b + k + VN), s1);
    }
    for (; k + VN <= d; k += VN) s0 = vfma(vload(p + k), vload(a + k) - vload(b + k), s0);
    float sum = vsum(s0 + s1);
    for (; k < d; k++) sum = __builtin_fmaf(p[k], a[k] - b[k], sum);
    return sum;
}

static float sum_squares(const float *x, int64_t d) { return dot(x, x, d); }

static void axpy(float *y, float a, const float *x, int64_t d)
{
    int64_t k = 0;
    for (; k + VN <= d; k += VN) vstore(y + k, vfma(vset(a), vload(x + k), vload(y + k)));
    for (; k < d; k++) y[k] = __builtin_fmaf(a, x[k], y[k]);
}

static void axpby(float *y, float a, const float *x, float b, int64_t d)
{
    int64_t k = 0;
    for (; k + VN <= d; k += VN) vstore(y + k, vfma(vset(a), vload(x + k), vset(b) * vload(y + k)));
    for (; k < d; k++) y[k] = __builtin_fmaf(a, x[k], b * y[k]);
}

static void update_pair(float *p, float *q, int64_t d, float step, float keep_p, float keep_q)
{
    int64_t k = 0;
    for (; k + VN <= d; k += VN) {
        vf a = vload(p + k), b = vload(q + k);
        vstore(p + k, vfma(vset(step), b, vset(keep_p) * a));
        vstore(q + k, vfma(vset(step), a, vset(keep_q) * b));
    }
    for (; k < d; k++) {
        float a = p[k], b = q[k];
        p[k] = __builtin_fmaf(step, b, keep_p * a);
        q[k] = __builtin_fmaf(step, a, keep_q * b);
    }
}

static void update_triple(float *p, float *a, float *b, int64_t d, float step, float keep_user, float keep_items)
{
    int64_t k = 0;
    for (; k + VN <= d; k += VN) {
        vf u = vload(p + k), x = vload(a + k), y = vload(b + k);
        vstore(p + k, vfma(vset(step), x - y, vset(keep_user) * u));
        vstore(a + k, vfma(vset(step), u, vset(keep_items) * x));
        vstore(b + k, vfma(vset(-step), u, vset(keep_items) * y));
    }
    for (; k < d; k++) {
        float u = p[k], x = a[k], y = b[k];
        p[k] = __builtin_fmaf(step, x - y, keep_user * u);
        a[k] = __builtin_fmaf(step, u, keep_items * x);
        b[k] = __builtin_fmaf(-step, u, keep_items * y);
    }
}

static void adagrad(float *x, float *h, const float *g, int64_t d, float rate, float eps)
{
    int64_t k = 0;
    for (; k + VN <= d; k += VN) {
        vf v = vload(g + k), s = vfma(v, v, vload(h + k));
        vstore(h + k, s);
        vstore(x + k, vload(x + k) - vset(rate) * v / vsqrt(s + vset(eps)));
    }
    for (; k < d; k++) {
        float s = __builtin_fmaf(g[k], g[k], h[k]);
        h[k] = s;
        x[k] -= rate * g[k] / __builtin_sqrtf(s + eps);
    }
}

static inline vf select_vector(vi mask, vf yes, vf no) { return (vf)(((vi)yes & mask) | ((vi)no & ~mask)); }

static inline vf exp_vector(vf x)
{
    x = select_vector((vi)(x < vset(EXP_LOW)), vset(EXP_LOW), x);
    x = select_vector((vi)(x > vset(EXP_HIGH)), vset(EXP_HIGH), x);
    vf t = vfma(x, vset(EXP_LOG2E), vset(EXP_ROUND)), n = t - vset(EXP_ROUND);
    vi whole = (vi)t - (vi)vset(EXP_ROUND), half = whole >> 1;
    vf r = vfma(n, vset(-EXP_LN2_LOW), vfma(n, vset(-EXP_LN2_HIGH), x));
    vf y = vset(EXP_C0);
    y = vfma(y, r, vset(EXP_C1));
    y = vfma(y, r, vset(EXP_C2));
    y = vfma(y, r, vset(EXP_C3));
    y = vfma(y, r, vset(EXP_C4));
    y = vfma(y, r, vset(EXP_C5));
    y = vfma(y, r * r, r) + vset(1.0f);
    return y * (vf)((half + 127) << 23) * (vf)((whole - half + 127) << 23);
}

/* Tails go through a vector of their own, so that every element takes the same steps. */
static void exp_rows(float *out, const float *x, int64_t n)
{
    int64_t k = 0;
    for (; k + VN <= n; k += VN) vstore(out + k, exp_vector(vload(x + k)));
    if (k == n) return;
    float rest[VN] = {0};
    for (int64_t j = k; j < n; j++) rest[j - k] = x[j];
    vstore(rest, exp_vector(vload(rest)));
    for (int64_t j = k; j < n; j++) out[j] = rest[j - k];
}

static void sigmoid_rows(float *out, const float *x, int64_t n)
{
    const vf one = vset(1.0f);
    int64_t k = 0;
    for (; k + VN <= n; k += VN) vstore(out + k, one / (one + exp_vector(-vload(x + k))));
    if (k == n) return;
    float rest[VN] = {0};
    for (int64_t j = k; j < n; j++) rest[j - k] = x[j];
    vstore(rest, one / (one + exp_vector(-vload(rest))));
    for (int64_t j = k; j < n; j++) out[j] = rest[j - k];
}

static void fill_rows(pen__kernels *kern)
{
    kern->dot = dot;
    kern->dot_difference = dot_difference;
    kern->sum_squares = sum_squares;
    kern->axpy = axpy;
    kern->axpby = axpby;
    kern->update_pair = update_pair;
    kern->update_triple = update_triple;
    kern->adagrad = adagrad;
    kern->exp = exp_rows;
    kern->sigmoid = sigmoid_rows;
}
