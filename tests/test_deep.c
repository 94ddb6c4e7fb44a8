/* Every kernel of kern/deep.h at every level that this machine has, against plain loops in double: sizes 0..67 and
 * larger, odd addresses, guard numbers around whatever may be written. And against the scalar level: NaN, infinities,
 * denormals. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/random.h"
#include "kern/deep.h"

enum { ARRAYS = 7, LARGEST = 1031, ROWS = 3, EDGE = 24, ROOM = 4 * LARGEST + 2 * EDGE };

static const int64_t MORE[] = {127, 128, 257, LARGEST};
enum { N_SIZES = 68 + sizeof MORE / sizeof *MORE };
static int64_t size_at(int s) { return s < 68 ? s : MORE[s - 68]; }

static float number(uint64_t seed, uint64_t i)
{
    return (float)(int64_t)(pen__rand64(seed, 99, i) >> 40) / (float)(1 << 23) - 1.0f;
}

#define EACH_LEVEL(kern, least)                                   \
    for (int level_ = (least); level_ < PEN_CPU_LEVELS; level_++) \
        for (const pen__deep *kern = pen__deep_kern_at((pen__cpu)level_); kern; kern = NULL)

static const pen__update UPDATE = {.rate = 0.013f,
                                   .beta1 = 0.9f,
                                   .beta2 = 0.99f,
                                   .epsilon = 1e-3f,
                                   .correct2 = 1.7f,
                                   .l1 = 0.02f,
                                   .l2 = 0.03f,
                                   .shrink = 0.01f};
static const float RATE = 0.3f;
enum { KEY = 12345, FIRST = 77 };

/* ---- the kernels, and what they are to do ------------------------------------------------------------------------ */

/* A line for each: clang-format does not know that these are functions. */
/* clang-format off */

/* A kernel on arrays a of (size n)(count); what it returns, or 0. `which` tells variants apart. */
typedef float run_fn(const pen__deep *k, float *const *a, int64_t n, int which);
typedef double want_fn(double *const *a, int64_t n, int which);

#define RUN(name) static float run_##name(const pen__deep *k, float *const *a, int64_t n, int which)
#define WANT(name) static double want_##name(double *const *a, int64_t n, int which)
#define UNUSED ((void)a, (void)n, (void)which)
#define EACH(n) for (int64_t i = 0; i < (n); i++)

RUN(add) { UNUSED; k->add(a[0], a[1], n); return 0; }
WANT(add) { UNUSED; EACH(n) a[0][i] += a[1][i]; return 0; }
RUN(axpy) { UNUSED; k->axpy(a[0], 0.37f, a[1], n); return 0; }
WANT(axpy) { UNUSED; EACH(n) a[0][i] += (double)0.37f * a[1][i]; return 0; }
RUN(scale) { UNUSED; k->scale(a[0], -0.37f, n); return 0; }
WANT(scale) { UNUSED; EACH(n) a[0][i] *= (double)-0.37f; return 0; }
RUN(mul) { k->mul(a[0], a[1], a[2], n, which); return 0; }
WANT(mul) { EACH(n) a[0][i] = a[1][i] * a[2][i] + (which ? a[0][i] : 0); return 0; }
RUN(dot) { UNUSED; return k->dot(a[0], a[1], n); }
WANT(dot) { UNUSED; double s = 0; EACH(n) s += a[0][i] * a[1][i]; return s; }
RUN(sum) { UNUSED; return k->sum(a[0], n); }
WANT(sum) { UNUSED; double s = 0; EACH(n) s += a[0][i]; return s; }
RUN(max) { UNUSED; return k->max(a[0], n); }
WANT(max) { UNUSED; double m = -(double)INFINITY; EACH(n) m = a[0][i] > m ? a[0][i] : m; return m; }

static double act_of(double x, int act)
{
    switch (act) {
        case PEN_ACT_RELU: return x > 0 ? x : 0;
        case PEN_ACT_SIGMOID: return 1 / (1 + exp(-x));
        case PEN_ACT_TANH: return tanh(x);
        case PEN_ACT_ELU: return x > 0 ? x : expm1(x);
        default: return x;
    }
}

static double slope_of(double y, int act)
{
    switch (act) {
        case PEN_ACT_RELU: return y > 0;
        case PEN_ACT_SIGMOID: return y * (1 - y);
        case PEN_ACT_TANH: return 1 - y * y;
        case PEN_ACT_ELU: return y > 0 ? 1 : y + 1;
        default: return 1;
    }
}

RUN(bias_act) { k->bias_act(a[0], which >= 5 ? NULL : a[1], ROWS, n, (pen__activation)(which % 5)); return 0; }
WANT(bias_act) { EACH(ROWS * n) a[0][i] = act_of(a[0][i] + (which >= 5 ? 0 : a[1][i % n]), which % 5); return 0; }
RUN(act_back) { k->act_back(a[0], a[1], n, (pen__activation)which); return 0; }
WANT(act_back) { EACH(n) a[0][i] *= slope_of(a[1][i], which); return 0; }
RUN(column_sum) { UNUSED; k->column_sum(a[0], a[1], ROWS, n); return 0; }
WANT(column_sum) { UNUSED; EACH(ROWS * n) a[0][i % n] += a[1][i]; return 0; }
RUN(exp) { UNUSED; k->exp(a[0], a[1], n); return 0; }
WANT(exp) { UNUSED; EACH(n) a[0][i] = exp(a[1][i]); return 0; }
RUN(sigmoid) { UNUSED; k->sigmoid(a[0], a[0], n); return 0; }
WANT(sigmoid) { UNUSED; EACH(n) a[0][i] = act_of(a[0][i], PEN_ACT_SIGMOID); return 0; }
RUN(tanh) { UNUSED; k->tanh(a[0], a[0], n); return 0; }
WANT(tanh) { UNUSED; EACH(n) a[0][i] = tanh(a[0][i]); return 0; }
RUN(exp_sum) { UNUSED; return k->exp_sum(a[0], a[0], 0.75f, n); }
WANT(exp_sum) { UNUSED; double s = 0; EACH(n) s += a[0][i] = exp(a[0][i] - 0.75); return s; }
RUN(column_max) { UNUSED; k->column_max(a[0], a[1], ROWS, n); return 0; }
WANT(column_max) { UNUSED; EACH(ROWS * n) a[0][i % n] = a[0][i % n] > a[1][i] ? a[0][i % n] : a[1][i]; return 0; }
RUN(column_exp) { UNUSED; k->column_exp(a[0], a[1], a[2], ROWS, n); return 0; }
WANT(column_exp) { UNUSED; EACH(ROWS * n) a[1][i % n] += a[0][i] = exp(a[0][i] - a[2][i % n]); return 0; }
RUN(softplus_sum) { UNUSED; return k->softplus_sum(a[0], a[0], 0.25f, n); }
WANT(softplus_sum)
{
    UNUSED;
    double s = 0;
    EACH(n) s += log1p(exp(a[0][i] - 0.25)), a[0][i] = act_of(a[0][i] - 0.25, PEN_ACT_SIGMOID);
    return s;
}
RUN(softmax_back) { UNUSED; k->softmax_back(a[0], a[1], 0.37f, n); return 0; }
WANT(softmax_back) { UNUSED; EACH(n) a[0][i] = a[1][i] * (a[0][i] - (double)0.37f); return 0; }

/* y, stats, x, gain, bias */
RUN(norm) { UNUSED; k->norm(a[0], a[1], a[2], a[3], a[4], n ? ROWS : 0, n, 1e-2f); return 0; }
WANT(norm)
{
    UNUSED;
    for (int64_t r = 0; r < ROWS && n > 0; r++) {
        double mean = 0, square = 0, *x = a[2] + r * n;
        EACH(n) mean += x[i] / (double)n;
        EACH(n) square += (x[i] - mean) * (x[i] - mean) / (double)n;
        double inverse = 1 / sqrt(square + (double)1e-2f);
        a[1][2 * r] = mean, a[1][2 * r + 1] = inverse;
        EACH(n) a[0][r * n + i] = a[3][i] * (x[i] - mean) * inverse + a[4][i];
    }
    return 0;
}

/* dx, d_gain, d_bias, dy, x, stats, gain: whatever the statistics are, the formula is that of deep.h. */
RUN(norm_back) { k->norm_back(a[0], a[1], a[2], a[3], a[4], a[5], a[6], ROWS, n, which); return 0; }
WANT(norm_back)
{
    for (int64_t r = 0; r < ROWS; r++) {
        double *dx = a[0] + r * n, *dy = a[3] + r * n, *x = a[4] + r * n;
        double mean = a[5][2 * r], inverse = a[5][2 * r + 1], s = 0, t = 0;
        EACH(n) {
            double unit = (x[i] - mean) * inverse;
            a[1][i] += dy[i] * unit, a[2][i] += dy[i];
            s += dy[i] * a[6][i] / (double)n, t += dy[i] * a[6][i] * unit / (double)n;
        }
        EACH(n) dx[i] = (dy[i] * a[6][i] - s - (x[i] - mean) * inverse * t) * inverse + (which ? dx[i] : 0);
    }
    return 0;
}

/* y, h, gates, product, bias_ih, bias_hh; without a product where which */
RUN(gru) { k->gru(a[0], a[1], a[2], which ? NULL : a[3], a[4], a[5], n); return 0; }
WANT(gru)
{
    EACH(n) {
        double *g = a[2], *p = a[3], *b = a[4], *c = a[5], old = which ? 0 : a[1][i];
        double r = g[i] + b[i] + c[i], z = g[n + i] + b[n + i] + c[n + i], s = c[2 * n + i];
        if (!which) r += p[i], z += p[n + i], s += p[2 * n + i];
        r = 1 / (1 + exp(-r)), z = 1 / (1 + exp(-z));
        double next = tanh(g[2 * n + i] + b[2 * n + i] + r * s);
        g[i] = r, g[n + i] = z, g[2 * n + i] = next, g[3 * n + i] = s;
        a[0][i] = a[1][i] = (1 - z) * next + z * old;
    }
    return 0;
}

/* dh, gates, product, dy, h; without h where which */
RUN(gru_back) { k->gru_back(a[0], a[1], a[2], a[3], which ? NULL : a[4], n); return 0; }
WANT(gru_back)
{
    EACH(n) {
        double *g = a[1], *p = a[2], r = g[i], z = g[n + i], next = g[2 * n + i], s = g[3 * n + i];
        double d = a[0][i] + a[3][i];
        double old = which ? 0 : a[4][i], dn = d * (1 - z) * (1 - next * next);
        g[i] = p[i] = dn * s * r * (1 - r);
        g[n + i] = p[n + i] = d * (old - next) * z * (1 - z);
        g[2 * n + i] = dn;
        g[3 * n + i] = p[2 * n + i] = dn * r;
        a[0][i] = d * z;
    }
    return 0;
}

/* The mask by the formula of deep_tmpl.h, for every level alike. */
static double kept(int64_t row, int64_t column)
{
    uint64_t mixed = ((uint64_t)KEY ^ (uint64_t)(FIRST + row)) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ mixed >> 29) * 0x94D049BB133111EBu;
    uint32_t h = (uint32_t)(mixed >> 32) + (uint32_t)column * 0x9E3779B9u;
    h = (h ^ h >> 16) * 0x85EBCA6Bu;
    h = (h ^ h >> 13) * 0xC2B2AE35u;
    h ^= h >> 16;
    return h >= (uint32_t)((double)RATE * 4294967296.0) ? 1 / (1 - (double)RATE) : 0;
}

RUN(dropout) { k->dropout(a[0], a[1], ROWS, n, KEY, FIRST, RATE, which); return 0; }
WANT(dropout) { EACH(ROWS * n) a[0][i] = a[1][i] * kept(i / n, i % n) + (which ? a[0][i] : 0); return 0; }

/* w, g, first slot, second slot */
static void positive(float *const *a, int64_t n, int which)
{
    if (which == 3 || which == 4) EACH(n) a[2][i] = fabsf(a[2][i]);
    if (which == 5) EACH(n) a[3][i] = fabsf(a[3][i]);
}

RUN(optimise)
{
    positive(a, n, which);
    switch (which) {
        case 0: k->sgd(a[0], a[1], n, &UPDATE); break;
        case 1: k->momentum(a[0], a[2], a[1], n, &UPDATE); break;
        case 2: k->nesterov(a[0], a[2], a[1], n, &UPDATE); break;
        case 3: k->adagrad(a[0], a[2], a[1], n, &UPDATE); break;
        case 4: k->rmsprop(a[0], a[2], a[1], n, &UPDATE); break;
        default: k->adam(a[0], a[2], a[3], a[1], n, &UPDATE);
    }
    return 0;
}

WANT(optimise)
{
    const double rate = (double)UPDATE.rate, b1 = (double)UPDATE.beta1, b2 = (double)UPDATE.beta2;
    const double epsilon = (double)UPDATE.epsilon;
    EACH(n) {
        double w = a[0][i], *m = a[2] + i, *v = a[3] + i;
        double g = a[1][i] + (double)UPDATE.l2 * w + (double)UPDATE.l1 * ((w > 0) - (w < 0));
        if (which == 3 || which == 4) *m = fabs(*m);
        if (which == 5) *v = fabs(*v);
        switch (which) {
            case 0: w -= rate * g; break;
            case 1: *m = b1 * *m + g, w -= rate * *m; break;
            case 2: *m = b1 * *m + g, w -= rate * (g + b1 * *m); break;
            case 3: *m += g * g, w -= rate * g / (sqrt(*m) + epsilon); break;
            case 4: *m = b2 * *m + (1 - b2) * g * g, w -= rate * g / (sqrt(*m) + epsilon); break;
            default:
                *m = b1 * *m + (1 - b1) * g, *v = b2 * *v + (1 - b2) * g * g;
                w -= (double)UPDATE.shrink * w + rate * *m / (sqrt(*v) * (double)UPDATE.correct2 + epsilon);
        }
        a[0][i] = w;
    }
    return 0;
}

/* clang-format on */

/* eps: how many roundings (of 2^-23 (1 + |what is wanted|)) a number may be off, twice what was seen or more; growth:
 * so many more for each of n, of what is returned. size: of each array, n times this, or STATS. */
typedef struct kernel_case {
    const char *name;
    run_fn *run;
    want_fn *want;
    int variants;
    double eps, growth;
    int size[ARRAYS];
} kernel_case;

enum { STATS = -1 };
static const kernel_case CASES[] = {
    {"add", run_add, want_add, 1, 1, 0, {1, 1}},
    {"axpy", run_axpy, want_axpy, 1, 1, 0, {1, 1}},
    {"scale", run_scale, want_scale, 1, 1, 0, {1}},
    {"mul", run_mul, want_mul, 2, 1, 0, {1, 1, 1}},
    {"dot", run_dot, want_dot, 1, 2, 0.05, {1, 1}},
    {"sum", run_sum, want_sum, 1, 2, 0.05, {1}},
    {"max", run_max, want_max, 1, 0, 0, {1}},
    {"bias_act", run_bias_act, want_bias_act, 10, 2, 0, {ROWS, 1}},
    {"act_back", run_act_back, want_act_back, 5, 2, 0, {1, 1}},
    {"column_sum", run_column_sum, want_column_sum, 1, 2, 0, {1, ROWS}},
    {"exp", run_exp, want_exp, 1, 2, 0, {1, 1}},
    {"sigmoid", run_sigmoid, want_sigmoid, 1, 2, 0, {1}},
    {"tanh", run_tanh, want_tanh, 1, 2, 0, {1}},
    {"exp_sum", run_exp_sum, want_exp_sum, 1, 2, 0.05, {1}},
    {"column_max", run_column_max, want_column_max, 1, 0, 0, {1, ROWS}},
    {"column_exp", run_column_exp, want_column_exp, 1, 4, 0, {ROWS, 1, 1}},
    {"softplus_sum", run_softplus_sum, want_softplus_sum, 1, 2, 0.05, {1}},
    {"softmax_back", run_softmax_back, want_softmax_back, 1, 1, 0, {1, 1}},
    {"norm", run_norm, want_norm, 1, 8, 0, {ROWS, STATS, ROWS, 1, 1}},
    {"norm_back", run_norm_back, want_norm_back, 2, 4, 0, {ROWS, 1, 1, ROWS, ROWS, STATS, 1}},
    {"gru", run_gru, want_gru, 2, 4, 0, {1, 1, 4, 3, 3, 3}},
    {"gru_back", run_gru_back, want_gru_back, 2, 4, 0, {1, 4, 3, 1, 1}},
    {"dropout", run_dropout, want_dropout, 2, 2, 0, {ROWS, ROWS}},
    {"optimise", run_optimise, want_optimise, 6, 4, 0, {1, 1, 1, 1}},
};
enum { N_CASES = sizeof CASES / sizeof *CASES };

static int64_t count_of(const kernel_case *c, int array, int64_t n)
{
    return c->size[array] == STATS ? 2 * ROWS : c->size[array] * n;
}

/* ---- numbers as they should be ----------------------------------------------------------------------------------- */

static float got[ARRAYS][ROOM], before[ARRAYS][ROOM];
static double want[ARRAYS][ROOM];

static void check_case(const pen__deep *kern, const kernel_case *c, int which, int64_t n, int shift)
{
    float *a[ARRAYS];
    double *w[ARRAYS];
    for (int k = 0; k < ARRAYS; k++) {
        int64_t used = count_of(c, k, n) + 2 * EDGE;
        for (int64_t i = 0; i < used; i++)
            want[k][i] = (double)(before[k][i] = got[k][i] = number((uint64_t)k, (uint64_t)(i + 7 * n)));
        a[k] = got[k] + EDGE + (k * shift) % 5, w[k] = want[k] + EDGE + (k * shift) % 5;
    }
    double sum = (double)c->run(kern, a, n, which), right = c->want(w, n, which);
    const double bound = c->eps * 0x1p-23, of_sum = bound + c->growth * (double)n * 0x1p-23;
    if (!(fabs(sum - right) <= of_sum * (1 + fabs(right)) || sum == right))
        fail_msg("%s %s %d n=%d: %.9g, not %.9g", kern->name, c->name, which, (int)n, sum, right);
    for (int k = 0; k < ARRAYS; k++)
        for (int64_t i = 0; i < count_of(c, k, n) + 2 * EDGE; i++) {
            int64_t at = i - (a[k] - got[k]);
            bool inside = at >= 0 && at < count_of(c, k, n);
            double miss = fabs((double)got[k][i] - want[k][i]);
            if (inside ? !(miss <= bound * (1 + fabs(want[k][i])))
                       : memcmp(&got[k][i], &before[k][i], sizeof(float)) != 0)
                fail_msg("%s %s %d n=%d shift=%d: array %d at %d: %.9g, not %.9g", kern->name, c->name, which, (int)n,
                         shift, k, (int)at, (double)got[k][i], want[k][i]);
        }
}

static void as_plain_loops(void **state)
{
    (void)state;
    EACH_LEVEL(kern, 0)
    for (int c = 0; c < N_CASES; c++)
        for (int which = 0; which < CASES[c].variants; which++)
            for (int s = 0; s < N_SIZES; s++)
                for (int shift = 0; shift < 3; shift++) check_case(kern, &CASES[c], which, size_at(s), shift);
}

/* ---- awkward numbers --------------------------------------------------------------------------------------------- */

static void as_scalar(const pen__deep *kern, const kernel_case *c, int which, int64_t n)
{
    static const float ODD[] = {NAN, INFINITY, -INFINITY, 1e-40f, -3e-45f, 0.0f, -0.0f};
    static float plain[ARRAYS][ROOM];
    float *a[ARRAYS], *b[ARRAYS];
    for (int k = 0; k < ARRAYS; k++) {
        for (int64_t i = 0; i < count_of(c, k, n); i++) {
            uint64_t dice = pen__rand64((uint64_t)(k + 100), (uint64_t)n, (uint64_t)i);
            got[k][i] = plain[k][i] = dice % 7 ? number((uint64_t)k, (uint64_t)i) : ODD[dice / 7 % 7];
        }
        a[k] = got[k], b[k] = plain[k];
    }
    float x = c->run(kern, a, n, which), y = c->run(pen__deep_kern_at(PEN_CPU_SCALAR), b, n, which);
    /* A sum over what is infinite in some places may be so in another order. */
    if (isnan(x) != isnan(y))
        fail_msg("%s %s %d n=%d: %g, not %g", kern->name, c->name, which, (int)n, (double)x, (double)y);
    for (int k = 0; k < ARRAYS; k++)
        for (int64_t i = 0; i < count_of(c, k, n); i++) {
            double u = (double)got[k][i], v = (double)plain[k][i];
            bool same = isnan(v) ? isnan(u) : isinf(v) ? u == v : fabs(u - v) <= 2e-5 * (1 + fabs(v));
            if (!same)
                fail_msg("%s %s %d n=%d: array %d at %d: %g, not %g", kern->name, c->name, which, (int)n, k, (int)i, u,
                         v);
        }
}

static void awkward_numbers(void **state)
{
    (void)state;
    EACH_LEVEL(kern, 1)
    for (int c = 0; c < N_CASES; c++)
        for (int which = 0; which < CASES[c].variants; which++)
            for (int s = 0; s < N_SIZES; s++) as_scalar(kern, &CASES[c], which, size_at(s));
}

/* ---- functions over their range ---------------------------------------------------------------------------------- */

/* e^x, sigmoid and tanh within 4 units in the last place, wherever those are normal. */
static void functions_are_near(void **state)
{
    (void)state;
    enum { N = 32 };
    float x[N], e[N], g[N], t[N];
    EACH_LEVEL(kern, 0)
    for (int step = 0; step < 20000; step++) {
        for (int i = 0; i < N; i++) x[i] = -100.0f + 0.01f * (float)step + 0.0003f * (float)i;
        if (step % 100 == 0)
            for (int i = 0; i < N; i++)
                x[i] = ldexpf(1.0f + (float)i / N, -step / 250) * (i % 2 ? 1.0f : -1.0f); /* near 0 */
        kern->exp(e, x, N), kern->sigmoid(g, x, N), kern->tanh(t, x, N);
        for (int i = 0; i < N; i++) {
            double of[3] = {exp((double)x[i]), 1 / (1 + exp(-(double)x[i])), tanh((double)x[i])};
            double is[3] = {(double)e[i], (double)g[i], (double)t[i]};
            for (int f = 0; f < 3; f++)
                if (fabs(of[f]) > 1.3e-38 && fabs(of[f]) < 3.4e38 &&
                    !(fabs(is[f] - of[f]) <= 4 * 0x1p-23 * fabs(of[f])))
                    fail_msg("%s: function %d of %.9g: %.9g, not %.9g", kern->name, f, (double)x[i], is[f], of[f]);
            assert_true(is[0] >= 0 && is[1] >= 0 && is[1] <= 1 && fabs(is[2]) <= 1);
        }
    }
}

/* Dropout keeps its share, of rows and of columns. */
static void dropout_keeps_its_share(void **state)
{
    (void)state;
    enum { R = 400, W = 100 };
    static float x[R * W], y[R * W], column[W];
    for (int i = 0; i < R * W; i++) x[i] = 1;
    EACH_LEVEL(kern, 0)
    for (int t = 0; t < 3; t++) {
        float rate = 0.1f + 0.4f * (float)t;
        kern->dropout(y, x, R, W, (uint64_t)t, 1000, rate, false);
        double mean = 0, spread = sqrt((double)rate / (1 - (double)rate)); /* of one number, whose mean is 1 */
        memset(column, 0, sizeof column);
        for (int i = 0; i < R * W; i++) mean += (double)y[i] / (R * W), column[i % W] += y[i] / R;
        assert_true(fabs(mean - 1) < 5 * spread / sqrt(R * W));
        for (int k = 0; k < W; k++) assert_true(fabs((double)column[k] - 1) < 5 * spread / sqrt(R));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_plain_loops), cmocka_unit_test(awkward_numbers),
                                       cmocka_unit_test(functions_are_near), cmocka_unit_test(dropout_keeps_its_share)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
