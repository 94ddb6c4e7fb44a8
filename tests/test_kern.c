/* Every kernel at every level that this machine has, against plain loops: sizes 0..67 and large, odd addresses, guard
 * bytes around what may be written, NaN and denormals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "kern/panels.h"

enum { LARGEST = 4099, ROOM = LARGEST + 64 };

static const int64_t more_sizes[] = {127, 128, 257, 1000, LARGEST};
enum { N_SIZES = 68 + sizeof more_sizes / sizeof *more_sizes };

static int64_t size_at(int s) { return s < 68 ? s : more_sizes[s - 68]; }

static float number(uint64_t seed, uint64_t i)
{
    return (float)(int64_t)(pen__rand64(seed, 99, i) >> 40) / (float)(1 << 23) - 1.0f;
}

static void fill(float *x, int64_t n, uint64_t seed)
{
    for (int64_t i = 0; i < n; i++) x[i] = number(seed, (uint64_t)i);
}

/* Some of everything that is awkward. */
static void spice(float *x, int64_t n, uint64_t seed)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY, 1e-40f, -3e-45f, 0.0f, -0.0f, 3e38f};
    for (int64_t i = 0; i < n; i++)
        if (pen__rand64(seed, 98, (uint64_t)i) % 5 == 0) x[i] = odd[pen__rand64(seed, 97, (uint64_t)i) % 8];
}

/* Equal as bits, any NaN as any other. */
static bool same(float a, float b) { return (a != a && b != b) || memcmp(&a, &b, sizeof a) == 0; }

#define EACH_LEVEL(kern)                                    \
    for (int level_ = 0; level_ < PEN_CPU_LEVELS; level_++) \
        for (const pen__kernels *kern = pen__kern_at((pen__cpu)level_); kern; kern = NULL)

/* ---- element by element: exact ----------------------------------------------------------------------------------- */

typedef void (*row_case)(const pen__kernels *kern, float *x, float *y, float *z, int64_t d);

static void case_axpy(const pen__kernels *kern, float *x, float *y, float *z, int64_t d)
{
    (void)z, kern->axpy(x, 0.37f, y, d);
}
static void case_axpby(const pen__kernels *kern, float *x, float *y, float *z, int64_t d)
{
    (void)z, kern->axpby(x, -0.37f, y, 0.99f, d);
}
static void case_pair(const pen__kernels *kern, float *x, float *y, float *z, int64_t d)
{
    (void)z, kern->update_pair(x, y, d, 0.013f, 0.999f, 0.98f);
}
static void case_triple(const pen__kernels *kern, float *x, float *y, float *z, int64_t d)
{
    kern->update_triple(x, y, z, d, 0.013f, 0.999f, 0.98f);
}
static void case_adagrad(const pen__kernels *kern, float *x, float *y, float *z, int64_t d)
{
    for (int64_t k = 0; k < d; k++) y[k] = fabsf(y[k]);
    kern->adagrad(x, y, z, d, 0.05f, 1e-8f);
}
static void case_exp(const pen__kernels *kern, float *x, float *y, float *z, int64_t d)
{
    for (int64_t k = 0; k < d; k++) y[k] = y[k] * 100.0f;
    (void)z, kern->exp(x, y, d);
}
static void case_sigmoid(const pen__kernels *kern, float *x, float *y, float *z, int64_t d)
{
    for (int64_t k = 0; k < d; k++) x[k] = x[k] * 100.0f;
    (void)y, (void)z, kern->sigmoid(x, x, d);
}

/* Wanted values from formulas written here, not from the scalar level. */
static void want_of(int which, float *x, float *y, float *z, int64_t d)
{
    for (int64_t k = 0; k < d; k++) {
        float a = x[k], b = y[k], c = z[k];
        switch (which) {
        case 0: x[k] = fmaf(0.37f, b, a); break;
        case 1: x[k] = fmaf(-0.37f, b, 0.99f * a); break;
        case 2: x[k] = fmaf(0.013f, b, 0.999f * a), y[k] = fmaf(0.013f, a, 0.98f * b); break;
        case 3:
            x[k] = fmaf(0.013f, b - c, 0.999f * a);
            y[k] = fmaf(0.013f, a, 0.98f * b);
            z[k] = fmaf(-0.013f, a, 0.98f * c);
            break;
        case 4:
            y[k] = fmaf(c, c, fabsf(b));
            x[k] = a - 0.05f * c / sqrtf(y[k] + 1e-8f);
            break;
        }
    }
}

static void rows_are_exact(void **state)
{
    (void)state;
    static const row_case cases[] = {case_axpy,    case_axpby, case_pair,   case_triple,
                                     case_adagrad, case_exp,   case_sigmoid};
    enum { FORMULAS = 5 };
    static float got[3][ROOM], want[3][ROOM];
    EACH_LEVEL(kern)
    for (int c = 0; c < 7; c++)
        for (int s = 0; s < N_SIZES; s++)
            for (int shift = 0; shift < 2; shift++) {
                int64_t d = size_at(s);
                for (int a = 0; a < 3; a++) {
                    fill(got[a], ROOM, (uint64_t)(a + 10 * s));
                    if (s % 2) spice(got[a], ROOM, (uint64_t)(a + s));
                    memcpy(want[a], got[a], sizeof want[a]);
                }
                cases[c](kern, got[0] + 16 + shift, got[1] + 16, got[2] + 16 + 3 * shift, d);
                if (c < FORMULAS)
                    want_of(c, want[0] + 16 + shift, want[1] + 16, want[2] + 16 + 3 * shift, d);
                else
                    cases[c](pen__kern_at(PEN_CPU_SCALAR), want[0] + 16 + shift, want[1] + 16, want[2] + 16 + 3 * shift,
                             d);
                for (int a = 0; a < 3; a++)
                    for (int i = 0; i < ROOM; i++)
                        if (!same(got[a][i], want[a][i]))
                            fail_msg("%s case %d d=%d array %d at %d: %a, not %a", kern->name, c, (int)d, a, i - 16,
                                     (double)got[a][i], (double)want[a][i]);
            }
}

static void exp_is_near(void **state)
{
    (void)state;
    float x[32], e[32], g[32];
    EACH_LEVEL(kern)
    for (int step = 0; step < 20000; step++) {
        for (int i = 0; i < 32; i++) x[i] = -110.0f + 0.01f * (float)step + 0.0003f * (float)i;
        kern->exp(e, x, 32);
        kern->sigmoid(g, x, 32);
        for (int i = 0; i < 32; i++) {
            double want = exp((double)x[i]), sure = 1.0 / (1.0 + exp(-(double)x[i]));
            if (want > 3.402823e38)
                assert_true(isinf(e[i]));
            else
                assert_true(fabs((double)e[i] - want) <= 2 * want * 0x1p-23 + 1.5e-45);
            if (x[i] > -87.0f)
                assert_true(fabs((double)g[i] - sure) <= 4 * sure * 0x1p-23);
            else
                assert_true(g[i] >= 0.0f && g[i] <= 2e-38f);
        }
    }
}

static void sums_are_near(void **state)
{
    (void)state;
    static float a[ROOM], b[ROOM], p[ROOM];
    EACH_LEVEL(kern)
    for (int s = 0; s < N_SIZES; s++)
        for (int shift = 0; shift < 3; shift++) {
            int64_t d = size_at(s);
            fill(a, ROOM, 1), fill(b, ROOM, 2), fill(p, ROOM, 3);
            const float *x = a + shift, *y = b + 2 * shift, *z = p;
            /* Numbers outside must not be read into the sum. */
            a[shift + d] = b[2 * shift + d] = p[d] = NAN;
            double dot = 0, size = 0, margin = 0, spread = 0, squares = 0;
            for (int64_t k = 0; k < d; k++) {
                dot += (double)x[k] * (double)y[k], size += fabs((double)x[k] * (double)y[k]);
                margin += (double)z[k] * ((double)x[k] - (double)y[k]);
                spread += fabs((double)z[k]) * (fabs((double)x[k]) + fabs((double)y[k]));
                squares += (double)x[k] * (double)x[k];
            }
            double eps = 2 * (double)(d + 1) * 0x1p-24; /* the header's bound, once for each side */
            assert_true(fabs((double)kern->dot(x, y, d) - dot) <= eps * size);
            assert_true(fabs((double)kern->dot_difference(z, x, y, d) - margin) <= eps * spread);
            assert_true(fabs((double)kern->sum_squares(x, d) - squares) <= eps * squares);
            if (d) {
                a[shift + d - 1] = NAN;
                assert_true(isnan(kern->dot(x, y, d)));
                a[shift + d - 1] = 1e-40f;
                b[2 * shift + d - 1] = 1.0f;
                if (d == 1) assert_true(kern->dot(x, y, d) == 1e-40f);
            }
        }
}

/* ---- scores: the same bits whoever computes them ----------------------------------------------------------------- */

static float score(const float *user, const float *item, int64_t d, float bias)
{
    float sum = bias;
    for (int64_t k = 0; k < d; k++) sum = fmaf(user[k], item[k], sum);
    return sum;
}

static void check_scores(pen_context *ctx, int64_t n, int64_t d, bool with_bias, bool odd)
{
    enum { USERS = PEN_MAX_TILE };
    int64_t padded = (n + PEN_PANEL - 1) / PEN_PANEL * PEN_PANEL, stride = padded + 3;
    float *items = pen__alloc(ctx, (size_t)(n * (d + 1) + 1) * sizeof(float)),
          *bias = pen__alloc(ctx, (size_t)(n + 1) * sizeof(float));
    float *users = pen__alloc(ctx, (size_t)(USERS * d + 1) * sizeof(float)),
          *packed = pen__alloc(ctx, (size_t)(USERS * d + 1) * sizeof(float));
    float *out = pen__alloc(ctx, (size_t)(USERS * stride + 32) * sizeof(float));
    int32_t *numbers = pen__alloc(ctx, (size_t)(n + 1) * sizeof(int32_t));
    fill(items, n * (d + 1), 5), fill(users, USERS * d, 6), fill(bias, n, 7);
    if (odd) spice(items, n * (d + 1), 5), spice(users, USERS * d, 6), spice(bias, n, 7);
    for (int64_t i = 0; i < n; i++) numbers[i] = (int32_t)((i * 7 + 3) % n);
    pen__panels panels;
    pen_error error = {0};
    assert_int_equal(pen__panels_pack(ctx, items, n, d, d + 1, with_bias ? bias : NULL, &panels, &error), PEN_OK);
    assert_int_equal((uintptr_t)panels.data % 64, 0);
    EACH_LEVEL(kern)
    {
        int tile = kern->tile_users;
        assert_true(tile <= PEN_MAX_TILE);
        for (int u = 0; u < tile; u++)
            for (int64_t k = 0; k < d; k++) packed[k * tile + u] = users[u * d + k];
        for (int64_t i = 0; i < tile * stride + 32; i++) out[i] = -77.0f;
        kern->score_tile(panels.data, d, panels.n_panels, packed, panels.bias, out, stride);
        for (int u = 0; u < tile; u++)
            for (int64_t i = 0; i < stride; i++) {
                float want = i >= padded ? -77.0f
                             : i >= n    ? NAN
                                         : score(users + u * d, items + i * (d + 1), d, with_bias ? bias[i] : 0.0f);
                if ((i < n || i >= padded) && !same(out[u * stride + i], want))
                    fail_msg("%s tile d=%d user %d item %d", kern->name, (int)d, u, (int)i);
            }
        for (int64_t i = tile * stride; i < tile * stride + 32; i++) assert_true(out[i] == -77.0f);
        for (int u = 0; u < 2; u++) {
            for (int64_t i = 0; i < padded + 32; i++) out[i] = -77.0f;
            kern->score_one(panels.data, d, panels.n_panels, users + u * d, panels.bias, out + 1);
            for (int64_t i = 0; i < n; i++) {
                float want = score(users + u * d, items + i * (d + 1), d, with_bias ? bias[i] : 0.0f);
                if (!same(out[i + 1], want)) fail_msg("%s one d=%d item %d", kern->name, (int)d, (int)i);
            }
            for (int64_t i = padded + 1; i < padded + 32; i++) assert_true(out[i] == -77.0f);
            assert_true(out[0] == -77.0f);
            float scattered[LARGEST + 1];
            scattered[n] = -77.0f;
            kern->score_items(panels.data, d, users + u * d, panels.bias, numbers, n, scattered);
            for (int64_t j = 0; j < n; j++)
                assert_true(same(scattered[j], score(users + u * d, items + numbers[j] * (d + 1), d,
                                                     with_bias ? bias[numbers[j]] : 0.0f)));
            assert_true(scattered[n] == -77.0f);
        }
    }
    pen__panels_free(ctx, &panels);
    pen__free(ctx, items), pen__free(ctx, bias), pen__free(ctx, users), pen__free(ctx, packed), pen__free(ctx, out),
        pen__free(ctx, numbers);
}

static void scores_are_exact(void **state)
{
    (void)state;
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.n_threads = 1;
    pen_context *ctx;
    assert_int_equal(pen_context_create(&options, &ctx, NULL), PEN_OK);
    for (int64_t d = 0; d <= 67; d++) check_scores(ctx, 1 + d * 3 % 70, d, d % 2, d % 3 == 0);
    for (int64_t n = 0; n <= 67; n++) check_scores(ctx, n, 9, n % 2, n % 3 == 0);
    check_scores(ctx, 300, 512, true, false);
    check_scores(ctx, 2100, 33, false, true);
    assert_int_equal(pen_context_memory(ctx), 0);
    pen_context_destroy(ctx);
}

static void looking_through_is_exact(void **state)
{
    (void)state;
    static float x[ROOM];
    static int32_t found[ROOM];
    static const float thresholds[] = {-INFINITY, INFINITY, NAN, 0.0f, -0.0f, 0.5f, 0.999f, 1e-40f};
    EACH_LEVEL(kern)
    for (int s = 0; s < N_SIZES; s++)
        for (int t = 0; t < 8; t++) {
            int64_t n = size_at(s), n_found = 0, n_above = 0, n_equal = 0, equal;
            fill(x, ROOM, (uint64_t)s);
            if (t % 2) spice(x, ROOM, (uint64_t)s);
            for (int i = 0; i < ROOM; i++) found[i] = -5;
            int64_t got = kern->find_at_least(x + 1, n, thresholds[t], found),
                    above = kern->count_above(x + 1, n, thresholds[t], &equal);
            for (int64_t i = 0; i < n; i++) {
                if (!(x[i + 1] < thresholds[t])) assert_int_equal(found[n_found++], i);
                n_above += x[i + 1] > thresholds[t];
                n_equal += x[i + 1] == thresholds[t];
            }
            assert_int_equal(got, n_found);
            assert_int_equal(found[n_found], -5);
            assert_int_equal(above, n_above);
            assert_int_equal(equal, n_equal);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_exact),
        cmocka_unit_test(exp_is_near),
        cmocka_unit_test(sums_are_near),
        cmocka_unit_test(scores_are_exact),
        cmocka_unit_test(looking_through_is_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
