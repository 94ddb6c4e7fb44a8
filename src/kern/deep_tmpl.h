/* The kernels of kern/deep.h for one instruction set: LANES reals in a vector, FILL the name of the function that fills
 * the table. GCC's and clang's vector extensions give each set its own instructions; products and sums are contracted
 * to FMA where there is one. Tails go through a buffer of one vector, so that a number's bits do not depend on where in
 * a run it stands. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "kern/deep_fill.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi" /* vectors never cross a call that is not inlined */
#endif

typedef pen__real vec __attribute__((vector_size(LANES * sizeof(pen__real))));
#ifdef PEN_REAL_DOUBLE
typedef int64_t lane_int;
#define REAL_MAX DBL_MAX
#else
typedef int32_t lane_int;
#define REAL_MAX FLT_MAX
#endif
typedef lane_int ivec __attribute__((vector_size(LANES * sizeof(pen__real))));

#define INLINE static inline __attribute__((always_inline))

INLINE vec load(const pen__real *x)
{
    vec v;
    memcpy(&v, x, sizeof v);
    return v;
}

INLINE void store(pen__real *y, vec v) { memcpy(y, &v, sizeof v); }
INLINE vec splat(pen__real a) { return (vec){0} + a; }
INLINE vec choose(ivec mask, vec a, vec b) { return (vec)(((ivec)a & mask) | ((ivec)b & ~mask)); }
INLINE vec larger(vec a, vec b) { return choose(a > b, a, b); }

INLINE vec load_part(const pen__real *x, int64_t n)
{
    vec v = {0};
    memcpy(&v, x, (size_t)n * sizeof *x);
    return v;
}

INLINE void store_part(pen__real *y, vec v, int64_t n) { memcpy(y, &v, (size_t)n * sizeof *y); }

INLINE pen__real total(vec v)
{
    pen__real lane[LANES];
    memcpy(lane, &v, sizeof v);
    for (int step = LANES / 2; step > 0; step /= 2)
        for (int k = 0; k < step; k++) lane[k] += lane[k + step];
    return lane[0];
}

/* FOR_EACH runs a block over vectors of [0, n), `k` the place: whole vectors with LOAD = load, then the rest with zeros
 * behind. */
#define FOR_EACH(n, ...)                       \
    do {                                       \
        int64_t k = 0;                         \
        for (; k + LANES <= (n); k += LANES) { \
            enum { PART = 0 };                 \
            const int64_t left = LANES;        \
            (void)left;                        \
            __VA_ARGS__                        \
        }                                      \
        if (k < (n)) {                         \
            enum { PART = 1 };                 \
            const int64_t left = (n)-k;        \
            __VA_ARGS__                        \
        }                                      \
    } while (0)
#define LOAD(x) (PART ? load_part((x) + k, left) : load((x) + k))
#define STORE(y, v) (PART ? store_part((y) + k, (v), left) : store((y) + k, (v)))

/* ---- functions --------------------------------------------------------------------------------------------------- */

#ifdef PEN_REAL_DOUBLE
INLINE vec vec_exp(vec x)
{
    for (int k = 0; k < LANES; k++) x[k] = exp(x[k]);
    return x;
}
#else
/* e^x by 2^n e^r, |r| <= ln 2 / 2, and Cephes' polynomial (expf of Moshier's library). */
INLINE vec vec_exp(vec x)
{
    const vec round = splat(12582912.0f); /* 1.5 * 2^23: adding it leaves the nearest integer in the low bits */
    vec low = splat(-87.33654f), high = splat(88.72283f), kept = choose(x < high, x, high);
    kept = choose(kept > low, kept, low);
    vec t = kept * 1.44269504f + round;
    ivec n = (ivec)t - (ivec)round;
    vec turns = t - round, r = kept - turns * 0.693359375f;
    r = r - turns * -2.12194440e-4f;
    vec p = splat(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    /* 2^n in two factors: n may be 128 */
    ivec half = n >> 1;
    vec y = p * (vec)((half + 127) << 23) * (vec)((n - half + 127) << 23);
    return choose(x == x, y, x); /* a NaN stays one */
}
#endif

INLINE vec vec_sigmoid(vec x) { return splat(1) / (splat(1) + vec_exp(-x)); }
INLINE vec vec_abs(vec x) { return larger(x, -x); }

/* tanh x = x - x^3 / 3 ... near 0, where 1 - 2 / (e^2x + 1) would lose its digits. */
INLINE vec vec_tanh(vec x)
{
#ifdef PEN_REAL_DOUBLE
    for (int k = 0; k < LANES; k++) x[k] = tanh(x[k]);
    return x;
#else
    vec size = vec_abs(x), far = splat(1) - splat(2) / (vec_exp(size * 2.0f) + 1.0f);
    vec s = x * x, p = splat(-5.70498872745e-3f);
    p = p * s + 2.06390887954e-2f;
    p = p * s + -5.37397155531e-2f;
    p = p * s + 1.33314422036e-1f;
    p = p * s + -3.33332819422e-1f;
    vec near = x + x * s * p;
    far = choose(x < splat(0), -far, far);
    return choose(size < splat(0.625f), near, far);
#endif
}

INLINE vec vec_act(vec x, pen__activation act)
{
    switch (act) {
    case PEN_ACT_RELU: return larger(x, splat(0));
    case PEN_ACT_SIGMOID: return vec_sigmoid(x);
    case PEN_ACT_TANH: return vec_tanh(x);
    case PEN_ACT_ELU: return choose(x > splat(0), x, vec_exp(x) - 1);
    default: return x;
    }
}

INLINE vec vec_slope(vec y, pen__activation act)
{
    switch (act) {
    case PEN_ACT_RELU: return choose(y > splat(0), splat(1), splat(0));
    case PEN_ACT_SIGMOID: return y * (splat(1) - y);
    case PEN_ACT_TANH: return splat(1) - y * y;
    case PEN_ACT_ELU: return choose(y > splat(0), splat(1), y + 1);
    default: return splat(1);
    }
}

/* ---- runs of numbers --------------------------------------------------------------------------------------------- */

static void add(pen__real *y, const pen__real *x, int64_t n)
{
    FOR_EACH(n, { STORE(y, LOAD(y) + LOAD(x)); });
}
static void axpy(pen__real *y, pen__real a, const pen__real *x, int64_t n)
{
    FOR_EACH(n, { STORE(y, LOAD(y) + a * LOAD(x)); });
}
static void scale(pen__real *y, pen__real a, int64_t n)
{
    FOR_EACH(n, { STORE(y, a * LOAD(y)); });
}

static void mul(pen__real *y, const pen__real *a, const pen__real *b, int64_t n, bool adds)
{
    if (adds)
        FOR_EACH(n, { STORE(y, LOAD(y) + LOAD(a) * LOAD(b)); });
    else
        FOR_EACH(n, { STORE(y, LOAD(a) * LOAD(b)); });
}

static pen__real dot(const pen__real *a, const pen__real *b, int64_t n)
{
    vec s0 = {0}, s1 = {0};
    int64_t pairs = n / (2 * LANES) * (2 * LANES);
    for (int64_t k = 0; k < pairs; k += 2 * LANES) {
        s0 += load(a + k) * load(b + k);
        s1 += load(a + k + LANES) * load(b + k + LANES);
    }
    a += pairs, b += pairs;
    FOR_EACH(n - pairs, { s0 += LOAD(a) * LOAD(b); });
    return total(s0 + s1);
}

static pen__real sum(const pen__real *x, int64_t n)
{
    vec s = {0};
    FOR_EACH(n, { s += LOAD(x); });
    return total(s);
}

static pen__real max_of(const pen__real *x, int64_t n)
{
    vec best = splat(-(pen__real)INFINITY);
    int64_t whole = n / LANES * LANES;
    for (int64_t k = 0; k < whole; k += LANES) best = larger(load(x + k), best);
    pen__real most = -(pen__real)INFINITY;
    for (int k = 0; k < LANES; k++) most = best[k] > most ? best[k] : most;
    for (int64_t k = whole; k < n; k++) most = x[k] > most ? x[k] : most;
    return most;
}

/* The rows' sums with the activation a constant, so that each has its own loop. */
INLINE void bias_act_rows(pen__real *y, const pen__real *bias, int64_t rows, int64_t width, pen__activation act)
{
    for (int64_t r = 0; r < rows; r++, y += width) {
        if (bias)
            FOR_EACH(width, { STORE(y, vec_act(LOAD(y) + LOAD(bias), act)); });
        else
            FOR_EACH(width, { STORE(y, vec_act(LOAD(y), act)); });
    }
}

static void bias_act(pen__real *y, const pen__real *bias, int64_t rows, int64_t width, pen__activation act)
{
    switch (act) {
    case PEN_ACT_RELU: bias_act_rows(y, bias, rows, width, PEN_ACT_RELU); return;
    case PEN_ACT_SIGMOID: bias_act_rows(y, bias, rows, width, PEN_ACT_SIGMOID); return;
    case PEN_ACT_TANH: bias_act_rows(y, bias, rows, width, PEN_ACT_TANH); return;
    case PEN_ACT_ELU: bias_act_rows(y, bias, rows, width, PEN_ACT_ELU); return;
    default:
        if (bias) bias_act_rows(y, bias, rows, width, PEN_ACT_NONE);
    }
}

static void act_back(pen__real *dy, const pen__real *y, int64_t n, pen__activation act)
{
    switch (act) {
    case PEN_ACT_RELU: FOR_EACH(n, { STORE(dy, choose(LOAD(y) > splat(0), LOAD(dy), splat(0))); }); return;
    case PEN_ACT_SIGMOID: FOR_EACH(n, { STORE(dy, LOAD(dy) * vec_slope(LOAD(y), PEN_ACT_SIGMOID)); }); return;
    case PEN_ACT_TANH: FOR_EACH(n, { STORE(dy, LOAD(dy) * vec_slope(LOAD(y), PEN_ACT_TANH)); }); return;
    case PEN_ACT_ELU: FOR_EACH(n, { STORE(dy, LOAD(dy) * vec_slope(LOAD(y), PEN_ACT_ELU)); }); return;
    default: return;
    }
}

static void column_sum(pen__real *y, const pen__real *x, int64_t rows, int64_t width)
{
    for (int64_t at = 0; at < width; at += 4 * LANES) { /* a strip of columns stays in registers */
        int64_t strip = width - at < 4 * LANES ? width - at : 4 * LANES;
        if (strip == 4 * LANES) {
            vec s0 = load(y + at), s1 = load(y + at + LANES), s2 = load(y + at + 2 * LANES),
                s3 = load(y + at + 3 * LANES);
            for (int64_t r = 0; r < rows; r++) {
                const pen__real *row = x + r * width + at;
                s0 += load(row), s1 += load(row + LANES), s2 += load(row + 2 * LANES), s3 += load(row + 3 * LANES);
            }
            store(y + at, s0), store(y + at + LANES, s1), store(y + at + 2 * LANES, s2), store(y + at + 3 * LANES, s3);
        } else {
            for (int64_t r = 0; r < rows; r++) add(y + at, x + r * width + at, strip);
        }
    }
}

static void exp_run(pen__real *y, const pen__real *x, int64_t n)
{
    FOR_EACH(n, { STORE(y, vec_exp(LOAD(x))); });
}
static void sigmoid_run(pen__real *y, const pen__real *x, int64_t n)
{
    FOR_EACH(n, { STORE(y, vec_sigmoid(LOAD(x))); });
}
static void tanh_run(pen__real *y, const pen__real *x, int64_t n)
{
    FOR_EACH(n, { STORE(y, vec_tanh(LOAD(x))); });
}

static pen__real exp_sum(pen__real *y, const pen__real *x, pen__real shift, int64_t n)
{
    vec s = {0};
    int64_t whole = n / LANES * LANES;
    for (int64_t k = 0; k < whole; k += LANES) {
        vec e = vec_exp(load(x + k) - shift);
        store(y + k, e);
        s += e;
    }
    pen__real rest = 0;
    if (whole < n) {
        pen__real tail[LANES];
        store(tail, vec_exp(load_part(x + whole, n - whole) - shift));
        for (int64_t k = whole; k < n; k++) rest += y[k] = tail[k - whole];
    }
    return total(s) + rest;
}

static void softmax_back(pen__real *d, const pen__real *p, pen__real shift, int64_t n)
{
    FOR_EACH(n, { STORE(d, LOAD(p) * (LOAD(d) - shift)); });
}

static void column_max(pen__real *most, const pen__real *x, int64_t rows, int64_t width)
{
    for (int64_t r = 0; r < rows; r++, x += width) FOR_EACH(width, { STORE(most, larger(LOAD(most), LOAD(x))); });
}

static void column_exp(pen__real *x, pen__real *sum, const pen__real *shift, int64_t rows, int64_t width)
{
    for (int64_t r = 0; r < rows; r++, x += width)
        FOR_EACH(width, {
            vec e = vec_exp(LOAD(x) - LOAD(shift));
            STORE(x, e);
            STORE(sum, LOAD(sum) + e);
        });
}

/* log(1 + e^x) = max(x, 0) + log(1 + e^-|x|); the second's argument is at most 2, so that dozens of them are multiplied
 * before one logarithm is taken. */
static pen__real softplus_sum(pen__real *y, const pen__real *x, pen__real shift, int64_t n)
{
    enum { FACTORS = 60 }; /* 2^60 is far from overflow */
    vec product = splat(1), positive = {0};
    pen__real sum = 0;
    int64_t factors = 0;
    FOR_EACH(n, {
        vec v = LOAD(x) - shift;
        for (int64_t j = left; PART && j < LANES; j++) v[j] = (pen__real)-1e30; /* adds nothing */
        vec t = vec_exp(-vec_abs(v)), whole = splat(1) + t, below = splat(1) / whole;
        product *= whole;
        positive += larger(v, splat(0));
        STORE(y, choose(v > splat(0), below, t * below));
        if (++factors == FACTORS) {
            for (int j = 0; j < LANES; j++) sum += (pen__real)log((double)product[j]);
            product = splat(1), factors = 0;
        }
    });
    for (int j = 0; j < LANES; j++) sum += (pen__real)log((double)product[j]);
    return sum + total(positive);
}

/* ---- layer norm -------------------------------------------------------------------------------------------------- */

static void norm(pen__real *y, pen__real *stats, const pen__real *x, const pen__real *gain, const pen__real *bias,
                 int64_t rows, int64_t width, pen__real epsilon)
{
    for (int64_t r = 0; r < rows; r++, x += width, y += width) {
        pen__real mean = sum(x, width) / (pen__real)width, square = 0;
        vec s = {0};
        int64_t whole = width / LANES * LANES;
        for (int64_t k = 0; k < whole; k += LANES) {
            vec d = load(x + k) - mean;
            s += d * d;
        }
        for (int64_t k = whole; k < width; k++) square += (x[k] - mean) * (x[k] - mean);
        square += total(s);
        pen__real inverse = 1 / (pen__real)sqrt((double)(square / (pen__real)width + epsilon));
        stats[2 * r] = mean, stats[2 * r + 1] = inverse;
        FOR_EACH(width, { STORE(y, (LOAD(x) - mean) * inverse * LOAD(gain) + LOAD(bias)); });
    }
}

static void norm_back(pen__real *dx, pen__real *d_gain, pen__real *d_bias, const pen__real *dy, const pen__real *x,
                      const pen__real *stats, const pen__real *gain, int64_t rows, int64_t width, bool adds)
{
    for (int64_t r = 0; r < rows; r++, x += width, dy += width, dx += width) {
        pen__real mean = stats[2 * r], inverse = stats[2 * r + 1];
        vec s = {0}, t = {0};
        FOR_EACH(width, {
            vec unit = (LOAD(x) - mean) * inverse, g = LOAD(dy); /* a tail's zeros in dy weigh nothing */
            STORE(d_gain, LOAD(d_gain) + g * unit);
            STORE(d_bias, LOAD(d_bias) + g);
            g *= LOAD(gain);
            s += g;
            t += g * unit;
        });
        pen__real a = total(s) / (pen__real)width, b = total(t) / (pen__real)width;
        FOR_EACH(width, {
            vec unit = (LOAD(x) - mean) * inverse, d = (LOAD(dy) * LOAD(gain) - a - unit * b) * inverse;
            STORE(dx, adds ? LOAD(dx) + d : d);
        });
    }
}

/* ---- gated recurrent unit ---------------------------------------------------------------------------------------- */

static void gru(pen__real *y, pen__real *h, pen__real *gates, const pen__real *product, const pen__real *bias_ih,
                const pen__real *bias_hh, int64_t width)
{
    pen__real *gr = gates, *gz = gr + width, *gn = gz + width, *gs = gn + width;
    const pen__real *br = bias_ih, *bz = br + width, *bn = bz + width, *cr = bias_hh, *cz = cr + width,
                    *cs = cz + width;
    const pen__real *pr = product, *pz = product ? pr + width : NULL, *ps = product ? pz + width : NULL;
    FOR_EACH(width, {
        vec r = LOAD(gr) + (LOAD(br) + LOAD(cr)), z = LOAD(gz) + (LOAD(bz) + LOAD(cz)), s = LOAD(cs), old = {0};
        if (product) r += LOAD(pr), z += LOAD(pz), s += LOAD(ps), old = LOAD(h);
        r = vec_sigmoid(r), z = vec_sigmoid(z);
        vec n = vec_tanh(LOAD(gn) + LOAD(bn) + r * s), next = n + z * (old - n);
        STORE(gr, r);
        STORE(gz, z);
        STORE(gn, n);
        STORE(gs, s);
        STORE(h, next);
        STORE(y, next);
    });
}

static void gru_back(pen__real *dh, pen__real *gates, pen__real *product, const pen__real *dy, const pen__real *h,
                     int64_t width)
{
    pen__real *gr = gates, *gz = gr + width, *gn = gz + width, *gs = gn + width;
    pen__real *pr = product, *pz = pr + width, *ps = pz + width;
    FOR_EACH(width, {
        vec r = LOAD(gr), z = LOAD(gz), n = LOAD(gn), d = LOAD(dh) + LOAD(dy), old = {0};
        if (h) old = LOAD(h);
        vec dn = d * (splat(1) - z) * (splat(1) - n * n), dz = d * (old - n) * z * (splat(1) - z);
        vec ds = dn * r, dr = dn * LOAD(gs) * r * (splat(1) - r);
        STORE(gr, dr);
        STORE(gz, dz);
        STORE(gn, dn);
        STORE(gs, ds);
        STORE(pr, dr);
        STORE(pz, dz);
        STORE(ps, ds);
        STORE(dh, d * z);
    });
}

/* ---- dropout ----------------------------------------------------------------------------------------------------- */

typedef uint32_t uvec __attribute__((vector_size(LANES * sizeof(uint32_t))));

/* 32 bits for (row's key + column * golden): the finaliser of MurmurHash3, enough for masks. */
INLINE uvec mask_bits(uvec h)
{
    h = (h ^ h >> 16) * 0x85EBCA6Bu;
    h = (h ^ h >> 13) * 0xC2B2AE35u;
    return h ^ h >> 16;
}

/* x * gain where the bits reach `least`, else 0. */
INLINE vec kept_of(vec x, uvec bits, uint32_t least, pen__real gain)
{
#ifdef PEN_REAL_DOUBLE
    ivec mask = __builtin_convertvector(bits >= least, ivec);
#else
    ivec mask = (ivec)(bits >= least);
#endif
    return (vec)((ivec)(x * gain) & mask);
}

static void dropout(pen__real *y, const pen__real *x, int64_t rows, int64_t width, uint64_t key, int64_t first,
                    pen__real rate, bool adds)
{
    const uint32_t golden = 0x9E3779B9u, least = (uint32_t)((double)rate * 4294967296.0);
    const pen__real gain = 1 / (1 - rate);
    uvec columns;
    for (int k = 0; k < LANES; k++) columns[k] = (uint32_t)k * golden;
    for (int64_t r = 0; r < rows; r++, x += width, y += width) {
        uint64_t mixed = (key ^ (uint64_t)(first + r)) * 0xBF58476D1CE4E5B9u;
        mixed = (mixed ^ mixed >> 29) * 0x94D049BB133111EBu;
        uvec h = columns + (uint32_t)(mixed >> 32);
        if (adds)
            FOR_EACH(width, {
                STORE(y, LOAD(y) + kept_of(LOAD(x), mask_bits(h), least, gain));
                h += LANES * golden;
            });
        else
            FOR_EACH(width, {
                STORE(y, kept_of(LOAD(x), mask_bits(h), least, gain));
                h += LANES * golden;
            });
    }
}

/* ---- optimisers -------------------------------------------------------------------------------------------------- */

INLINE vec vec_sqrt(vec x)
{
    for (int k = 0; k < LANES; k++)
#ifdef PEN_REAL_DOUBLE
        x[k] = sqrt(x[k]);
#else
        x[k] = sqrtf(x[k]);
#endif
    return x;
}

/* The gradient with its penalties. */
INLINE vec penalised(vec g, vec w, const pen__update *u)
{
    vec sign = choose(w > splat(0), splat(1), choose(w < splat(0), splat(-1), splat(0)));
    return g + w * u->l2 + sign * u->l1;
}

/* FOR_EACH with u, a copy of *update that no store can change. */
#define STEP_EACH(n, ...)                             \
    do {                                              \
        const pen__update copy = *update, *u = &copy; \
        FOR_EACH(n, __VA_ARGS__);                     \
    } while (0)

static void sgd(pen__real *w, const pen__real *g, int64_t n, const pen__update *update)
{
    STEP_EACH(n, {
        vec x = LOAD(w);
        STORE(w, x - u->rate * penalised(LOAD(g), x, u));
    });
}

static void momentum(pen__real *w, pen__real *m, const pen__real *g, int64_t n, const pen__update *update)
{
    STEP_EACH(n, {
        vec x = LOAD(w), moved = u->beta1 * LOAD(m) + penalised(LOAD(g), x, u);
        STORE(m, moved);
        STORE(w, x - u->rate * moved);
    });
}

static void nesterov(pen__real *w, pen__real *m, const pen__real *g, int64_t n, const pen__update *update)
{
    STEP_EACH(n, {
        vec x = LOAD(w), d = penalised(LOAD(g), x, u), moved = u->beta1 * LOAD(m) + d;
        STORE(m, moved);
        STORE(w, x - u->rate * (d + u->beta1 * moved));
    });
}

static void adagrad(pen__real *w, pen__real *v, const pen__real *g, int64_t n, const pen__update *update)
{
    STEP_EACH(n, {
        vec x = LOAD(w), d = penalised(LOAD(g), x, u), s = LOAD(v) + d * d;
        STORE(v, s);
        STORE(w, x - u->rate * d / (vec_sqrt(s) + u->epsilon));
    });
}

static void rmsprop(pen__real *w, pen__real *v, const pen__real *g, int64_t n, const pen__update *update)
{
    STEP_EACH(n, {
        vec x = LOAD(w), d = penalised(LOAD(g), x, u), s = u->beta2 * LOAD(v) + (1 - u->beta2) * d * d;
        STORE(v, s);
        STORE(w, x - u->rate * d / (vec_sqrt(s) + u->epsilon));
    });
}

static void adam(pen__real *w, pen__real *m, pen__real *v, const pen__real *g, int64_t n, const pen__update *update)
{
    STEP_EACH(n, {
        vec x = LOAD(w), d = penalised(LOAD(g), x, u);
        vec first = u->beta1 * LOAD(m) + (1 - u->beta1) * d, second = u->beta2 * LOAD(v) + (1 - u->beta2) * d * d;
        STORE(m, first);
        STORE(v, second);
        STORE(w, x - u->shrink * x - u->rate * first / (vec_sqrt(second) * u->correct2 + u->epsilon));
    });
}

void FILL(pen__deep *deep)
{
    deep->add = add, deep->axpy = axpy, deep->scale = scale, deep->mul = mul;
    deep->dot = dot, deep->sum = sum, deep->max = max_of;
    deep->bias_act = bias_act, deep->act_back = act_back, deep->column_sum = column_sum;
    deep->exp = exp_run, deep->sigmoid = sigmoid_run, deep->tanh = tanh_run, deep->exp_sum = exp_sum;
    deep->softmax_back = softmax_back;
    deep->gru = gru, deep->gru_back = gru_back;
    deep->column_max = column_max, deep->column_exp = column_exp, deep->softplus_sum = softplus_sum;
    deep->norm = norm, deep->norm_back = norm_back, deep->dropout = dropout;
    deep->sgd = sgd, deep->momentum = momentum, deep->nesterov = nesterov;
    deep->adagrad = adagrad, deep->rmsprop = rmsprop, deep->adam = adam;
}
