/* Normal equations and Cholesky at every level against plain sums in double: d from 1 to 67 and large, guard bytes, odd
 * addresses, matrices that are not positive definite; the same bits for any number of threads and any cut of the
 * rows. */
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
#include "kern/linalg.h"

#define EACH_LEVEL(kern)                                    \
    for (int level_ = 0; level_ < PEN_CPU_LEVELS; level_++) \
        for (const pen__kernels *kern = pen__kern_at((pen__cpu)level_); kern; kern = NULL)

enum { GUARD = 32, MOST_ROWS = 300 };
static const float guard = -77.0f;

static pen_context *context(int n_threads)
{
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.n_threads = n_threads;
    pen_context *ctx;
    assert_int_equal(pen_context_create(&options, &ctx, NULL), PEN_OK);
    return ctx;
}

static float *room(pen_context *ctx, int64_t n, float value)
{
    float *x = pen__alloc(ctx, (size_t)(n + GUARD) * sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < n + GUARD; i++) x[i] = i < n ? value : guard;
    return x;
}

static float *numbers(pen_context *ctx, int64_t n, uint64_t seed)
{
    float *x = room(ctx, n, 0.0f);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(int64_t)(pen__rand64(seed, 99, (uint64_t)i) >> 40) / (float)(1 << 23) - 1.0f;
    return x;
}

static void check_guard(const float *x, int64_t n)
{
    for (int64_t i = n; i < n + GUARD; i++) assert_true(x[i] == guard);
}

/* ---- A += sum w q q' ---- */

/* Bound: each of the n products and sums may lose eps of the sum of magnitudes, grouped as the header says. */
static void check_outer(pen_context *ctx, const pen__kernels *kern, int64_t d, int64_t n, int how)
{
    int64_t pad = pen__matrix_pad(d), ld = pen__matrix_stride(d), floats = pen__matrix_floats(d), stride = d + 3;
    float *table = numbers(ctx, (n + 5) * stride, 1), *w = numbers(ctx, n, 2), *v = numbers(ctx, n, 3);
    float *a = room(ctx, floats, 0.0f), *b = room(ctx, pad, 0.0f), *scratch = room(ctx, 2 * PEN_OUTER_ROWS * pad, NAN);
    int32_t *rows = pen__alloc(ctx, (size_t)(n + 64) * sizeof *rows);
    for (int64_t i = 0; i < (n + 5) * stride; i++)
        if (i % stride >= d) table[i] = NAN; /* between the rows: must not be used */
    for (int64_t j = 0; j < n + 64; j++) rows[j] = (int32_t)((j * 7 + 2) % (n + 5));
    bool gathered = how & 1, weighted = how & 2, valued = how & 4;
    for (int round = 0; round < 2; round++) /* twice, to see that it adds */
        kern->add_outer(a, how == 5 ? NULL : b, d, table, stride, gathered ? rows : NULL, weighted ? w : NULL, 0.7f,
                        valued ? v : NULL, 1.3f, n, gathered ? 64 : 0, scratch);
    check_guard(a, floats), check_guard(b, pad), check_guard(scratch, 2 * PEN_OUTER_ROWS * pad);
    for (int64_t i = 0; i < d; i++) {
        double want_b = 0, size_b = 0;
        for (int64_t j = i; j < d; j++) {
            double want = 0, size = 0;
            for (int64_t t = 0; t < n; t++) {
                const float *q = table + (gathered ? rows[t] : t) * stride;
                double term = (double)(weighted ? w[t] : 0.7f) * (double)q[i] * (double)q[j];
                want += 2 * term, size += 2 * fabs(term);
            }
            if (!(fabs((double)a[i * ld + j] - want) <= (double)(n + 4) * size * 0x1p-24))
                fail_msg("%s d=%d n=%d how=%d [%d][%d]: %g, not %g", kern->name, (int)d, (int)n, how, (int)i, (int)j,
                         (double)a[i * ld + j], want);
        }
        for (int64_t t = 0; t < n; t++) {
            double term = (double)(valued ? v[t] : 1.3f) * (double)table[(gathered ? rows[t] : t) * stride + i];
            want_b += 2 * term, size_b += 2 * fabs(term);
        }
        assert_true(fabs((double)b[i] - (how == 5 ? 0 : want_b)) <= (double)(n + 4) * size_b * 0x1p-24);
    }
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = d; j < pad; j++) assert_true(a[i * ld + j] == 0.0f);
    for (int64_t k = d; k < pad; k++) assert_true(b[k] == 0.0f);
    pen__free(ctx, table), pen__free(ctx, w), pen__free(ctx, v), pen__free(ctx, a), pen__free(ctx, b),
        pen__free(ctx, scratch), pen__free(ctx, rows);
}

static void outer_products_are_near(void **state)
{
    (void)state;
    pen_context *ctx = context(1);
    EACH_LEVEL(kern)
    {
        for (int64_t d = 1; d <= 67; d++) check_outer(ctx, kern, d, d * 5 % 67, (int)(d % 8));
        for (int how = 0; how < 8; how++) {
            for (int64_t n = 0; n <= 6; n++) check_outer(ctx, kern, 16, n, how);
            check_outer(ctx, kern, 64, 200, how);
            check_outer(ctx, kern, 128, 50, how);
            check_outer(ctx, kern, 100, 97, how);
        }
        check_outer(ctx, kern, 512, 60, 7);
    }
    assert_int_equal(pen_context_memory(ctx), 0);
    pen_context_destroy(ctx);
}

static void nan_reaches_its_row_alone(void **state)
{
    (void)state;
    enum { D = 48, N = 10 };
    pen_context *ctx = context(1);
    EACH_LEVEL(kern)
    {
        float *table = numbers(ctx, N * D, 1), *a = room(ctx, pen__matrix_floats(D), 0.0f), *b = room(ctx, D, 0.0f);
        float *scratch = room(ctx, 2 * PEN_OUTER_ROWS * D, 0.0f);
        for (int i = 0; i < D; i += 2) table[4 * D + i] = 1e-30f; /* products are denormal */
        table[3 * D + 17] = NAN;
        kern->add_outer(a, b, D, table, D, NULL, NULL, 1.0f, NULL, 1.0f, N, 0, scratch);
        for (int i = 0; i < D; i++) {
            for (int j = i; j < D; j++) assert_int_equal(isnan(a[i * D + j]) != 0, i == 17 || j == 17);
            assert_int_equal(isnan(b[i]) != 0, i == 17);
        }
        pen__free(ctx, table), pen__free(ctx, a), pen__free(ctx, b), pen__free(ctx, scratch);
    }
    pen_context_destroy(ctx);
}

/* ---- Cholesky ---- */

/* A = sum of d + 3 outer products + 0.1 I: condition numbers of some thousands. */
static void make_positive(pen_context *ctx, float *a, int64_t d, uint64_t seed)
{
    int64_t ld = pen__matrix_stride(d), floats = pen__matrix_floats(d), pad = pen__matrix_pad(d);
    float *q = numbers(ctx, (d + 3) * d, seed), *scratch = room(ctx, 2 * PEN_OUTER_ROWS * pad, 0.0f);
    memset(a, 0, (size_t)floats * sizeof *a);
    pen__kern_at(PEN_CPU_SCALAR)->add_outer(a, NULL, d, q, d, NULL, NULL, 1.0f, NULL, 1.0f, d + 3, 0, scratch);
    for (int64_t k = 0; k < d; k++) a[k * ld + k] += 0.1f;
    for (int64_t i = 0; i < pad; i++)
        for (int64_t j = 0; j < (i < pad ? i : pad); j++) a[i * ld + j] = NAN; /* below the diagonal is anything */
    pen__free(ctx, q), pen__free(ctx, scratch);
}

/* |A x - b| against what a backward stable solver leaves: a small multiple of d eps |A| |x|. */
static void check_solution(const float *a, const float *x, const float *b, int64_t d, const char *who)
{
    int64_t ld = pen__matrix_stride(d);
    double norm_a = 0, norm_x = 0, worst = 0;
    for (int64_t i = 0; i < d; i++) {
        double sum = -(double)b[i];
        for (int64_t j = 0; j < d; j++) {
            double element = (double)(j >= i ? a[i * ld + j] : a[j * ld + i]);
            sum += element * (double)x[j];
            norm_a += element * element;
        }
        norm_x += (double)x[i] * (double)x[i];
        worst = fabs(sum) > worst ? fabs(sum) : worst;
        assert_true(isfinite(x[i]));
    }
    if (!(worst <= 4 * (double)(d + 10) * 0x1p-24 * sqrt(norm_a) * sqrt(norm_x) + 1e-7))
        fail_msg("%s d=%d: residual %g, |A| %g, |x| %g", who, (int)d, worst, sqrt(norm_a), sqrt(norm_x));
}

static void check_cholesky(pen_context *ctx, const pen__kernels *kern, int64_t d)
{
    int64_t floats = pen__matrix_floats(d), pad = pen__matrix_pad(d),
            packed = kern->lanes * (pad * (pad + 8) / 2 + 2 * pad);
    float *a[PEN_MAX_LANES], *b[PEN_MAX_LANES], *x[PEN_MAX_LANES], *alone[PEN_MAX_LANES];
    float *u = room(ctx, floats, 0.0f), *scratch = room(ctx, packed, NAN);
    bool ok[PEN_MAX_LANES + 1];
    for (int s = 0; s < kern->lanes; s++) {
        a[s] = room(ctx, floats, 0.0f), b[s] = numbers(ctx, pad, (uint64_t)(s + 50)), x[s] = room(ctx, pad, 0.0f),
        alone[s] = room(ctx, pad, 0.0f);
        make_positive(ctx, a[s], d, (uint64_t)(s + 100));
        for (int64_t k = d; k < pad; k++) b[s][k] = 0.0f;
    }
    memcpy(u, a[0], (size_t)floats * sizeof *u);
    memcpy(x[0], b[0], (size_t)pad * sizeof *u);
    assert_true(kern->cholesky(u, d));
    kern->cholesky_solve(u, d, x[0]);
    check_solution(a[0], x[0], b[0], d, kern->name);
    check_guard(u, floats), check_guard(x[0], pad);
    for (int n = 1; n <= kern->lanes; n += kern->lanes > 1 ? kern->lanes - 1 : 1) {
        for (int s = 0; s < kern->lanes; s++) memcpy(x[s], b[s], (size_t)pad * sizeof *u);
        kern->solve_lanes((const float *const *)a, x, n, d, scratch, ok);
        for (int s = 0; s < n; s++) {
            assert_true(ok[s]);
            check_solution(a[s], x[s], b[s], d, "lanes");
            check_guard(x[s], pad);
        }
        for (int s = n; s < kern->lanes; s++) assert_memory_equal(x[s], b[s], (size_t)pad * sizeof *u);
        check_guard(scratch, packed);
        /* The first is the same bits alone and in company. */
        if (n == 1) memcpy(alone[0], x[0], (size_t)pad * sizeof *u);
        assert_memory_equal(alone[0], x[0], (size_t)pad * sizeof *u);
    }
    /* One of them not positive definite: it is refused, the others are not touched by it. */
    static const float bad[] = {-1.0f, 0.0f, NAN, INFINITY};
    for (int t = 0; t < 4; t++)
        for (int64_t k = 0; k<d; k += d> 2 ? d - 1 : 1) {
            int sick = kern->lanes - 1;
            int64_t at = k * pen__matrix_stride(d) + k;
            float keep = a[sick][at];
            a[sick][at] = bad[t];
            for (int s = 0; s < kern->lanes; s++) memcpy(x[s], b[s], (size_t)pad * sizeof *u);
            kern->solve_lanes((const float *const *)a, x, kern->lanes, d, scratch, ok);
            for (int s = 0; s < kern->lanes; s++) assert_int_equal(ok[s], s != sick);
            if (sick) assert_memory_equal(alone[0], x[0], (size_t)pad * sizeof *u);
            memcpy(u, a[sick], (size_t)floats * sizeof *u);
            assert_false(kern->cholesky(u, d));
            a[sick][at] = keep;
        }
    for (int s = 0; s < kern->lanes; s++)
        pen__free(ctx, a[s]), pen__free(ctx, b[s]), pen__free(ctx, x[s]), pen__free(ctx, alone[s]);
    pen__free(ctx, u), pen__free(ctx, scratch);
}

static void cholesky_solves(void **state)
{
    (void)state;
    pen_context *ctx = context(1);
    EACH_LEVEL(kern)
    {
        for (int64_t d = 1; d <= 67; d++) check_cholesky(ctx, kern, d);
        check_cholesky(ctx, kern, 128);
        check_cholesky(ctx, kern, 200);
        check_cholesky(ctx, kern, 257);
    }
    assert_int_equal(pen_context_memory(ctx), 0);
    pen_context_destroy(ctx);
}

/* ---- the drivers ---- */

static void gram_is_the_same_for_any_threads(void **state)
{
    (void)state;
    static const int64_t sizes[] = {0, 1, 100, 2048, 5000, 300000};
    for (int s = 0; s < 6; s++) {
        int64_t n = sizes[s], d = s == 5 ? 8 : 37, stride = d + 1, floats = pen__matrix_floats(d),
                ld = pen__matrix_stride(d);
        float *first = NULL;
        pen_context *keeper = context(1);
        float *table = numbers(keeper, n * stride, 4);
        for (int threads = 1; threads <= 3; threads++) {
            pen_context *ctx = context(threads);
            float *out = room(ctx, floats, 5.0f);
            assert_int_equal(pen__gram(ctx, table, n, d, stride, out, NULL), PEN_OK);
            check_guard(out, floats);
            if (first)
                for (int64_t i = 0; i < d; i++)
                    assert_memory_equal(first + i * ld + i, out + i * ld + i, (size_t)(ld - i) * sizeof *out);
            else
                first = room(keeper, floats, 0.0f), memcpy(first, out, (size_t)floats * sizeof *out);
            pen__free(ctx, out);
            pen_context_destroy(ctx);
        }
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = i; j < d; j++) {
                double want = 0, size = 0;
                for (int64_t t = 0; t < n; t++) {
                    double term = (double)table[t * stride + i] * (double)table[t * stride + j];
                    want += term, size += fabs(term);
                }
                assert_true(fabs((double)first[i * ld + j] - want) <= 300 * size * 0x1p-24);
            }
        pen__free(keeper, first), pen__free(keeper, table);
        pen_context_destroy(keeper);
    }
}

/* Rows solved against dense normal equations in double. */
static void check_rows(int64_t d, bool weighted, bool based)
{
    enum { ROWS = 83, ITEMS = 41 };
    pen_context *ctx = context(2), *alone = context(1);
    int64_t at[ROWS + 1] = {0}, n = 0, ld = pen__matrix_stride(d), stride = d + 2;
    for (int r = 0; r < ROWS; r++) at[r + 1] = n += r % 7 == 0 ? 0 : r * 5 % 120;
    int32_t *cols = pen__alloc(ctx, (size_t)n * sizeof *cols);
    for (int64_t e = 0; e < n; e++) cols[e] = (int32_t)(pen__rand64(9, 9, (uint64_t)e) % ITEMS);
    float *table = numbers(ctx, ITEMS * stride, 1), *w = numbers(ctx, n, 2), *v = numbers(ctx, n, 3),
          *l2 = room(ctx, ROWS, 0.5f);
    for (int64_t e = 0; e < n; e++) w[e] = fabsf(w[e]);
    for (int r = 0; r < ROWS; r++) l2[r] += (float)r * 0.01f;
    float *base = room(ctx, pen__matrix_floats(d), 0.0f), *out = room(ctx, ROWS * stride, guard),
          *again = room(ctx, ROWS * stride, guard);
    assert_int_equal(pen__gram(ctx, table, ITEMS, d, stride, base, NULL), PEN_OK);
    pen__normal job = {.n_rows = ROWS,
                       .d = d,
                       .table = table,
                       .stride = stride,
                       .at = at,
                       .cols = cols,
                       .w = weighted ? w : NULL,
                       .v = weighted ? v : NULL,
                       .w_all = 0.8f,
                       .v_all = 1.7f,
                       .base = based ? base : NULL,
                       .l2 = based ? l2 : NULL,
                       .l2_all = 0.9f,
                       .out = out,
                       .out_stride = stride};
    int64_t failed = -1;
    assert_int_equal(pen__normal_solve_all(ctx, &job, &failed, NULL), PEN_OK);
    assert_int_equal(failed, 0);
    job.out = again;
    float *scratch = room(alone, (int64_t)pen__normal_scratch(d), NAN);
    for (int64_t r = 0; r < ROWS; r += 5) { /* cut otherwise, by one thread */
        pen__normal_solve(&job, r, r + 5 < ROWS ? r + 5 : ROWS, scratch, &failed);
        assert_int_equal(failed, 0);
    }
    check_guard(scratch, (int64_t)pen__normal_scratch(d));
    assert_memory_equal(out, again, (size_t)(ROWS * stride) * sizeof *out);
    double *a = calloc((size_t)(d * d), sizeof *a);
    for (int r = 0; r < ROWS; r++) {
        double worst = 0, norm_a = 0, norm_x = 0;
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j < d; j++) {
                a[i * d + j] = based ? (double)(i <= j ? base[i * ld + j] : base[j * ld + i]) : 0;
                if (i == j) a[i * d + j] += (double)(based ? l2[r] : 0.9f);
                for (int64_t e = at[r]; e < at[r + 1]; e++)
                    a[i * d + j] += (double)(weighted ? w[e] : 0.8f) * (double)table[cols[e] * stride + i] *
                                    (double)table[cols[e] * stride + j];
                norm_a += a[i * d + j] * a[i * d + j];
            }
        for (int64_t i = 0; i < d; i++) {
            double sum = 0;
            for (int64_t e = at[r]; e < at[r + 1]; e++)
                sum -= (double)(weighted ? v[e] : 1.7f) * (double)table[cols[e] * stride + i];
            for (int64_t j = 0; j < d; j++) sum += a[i * d + j] * (double)out[r * stride + j];
            norm_x += (double)out[r * stride + i] * (double)out[r * stride + i];
            worst = fabs(sum) > worst ? fabs(sum) : worst;
        }
        assert_true(worst <= 8 * (double)(d + 120) * 0x1p-24 * (sqrt(norm_a) * sqrt(norm_x) + 1e-3));
        for (int64_t k = d; k < stride; k++) assert_true(out[r * stride + k] == guard);
    }
    free(a);
    pen__free(ctx, cols), pen__free(ctx, table), pen__free(ctx, w), pen__free(ctx, v), pen__free(ctx, l2),
        pen__free(ctx, base);
    pen__free(ctx, out), pen__free(ctx, again), pen__free(alone, scratch);
    pen_context_destroy(ctx), pen_context_destroy(alone);
}

static void rows_are_solved(void **state)
{
    (void)state;
    static const int64_t dims[] = {1, 3, 8, 16, 31, 64, 65, 160, 161};
    for (int i = 0; i < 9; i++) check_rows(dims[i], i % 2, i % 3 != 0);
}

static void failures_are_counted(void **state)
{
    (void)state;
    pen_context *ctx = context(1);
    enum { ROWS = 30, D = 4 };
    int64_t at[ROWS + 1], failed;
    int32_t cols[ROWS];
    float table[D] = {1, 2, 3, 4}, out[ROWS * D], l2[ROWS];
    for (int r = 0; r <= ROWS; r++) at[r] = r;
    for (int r = 0; r < ROWS; r++) cols[r] = 0, l2[r] = r % 3 == 0 ? -50.0f : 1.0f;
    for (int i = 0; i < ROWS * D; i++) out[i] = guard;
    pen__normal job = {.n_rows = ROWS,
                       .d = D,
                       .table = table,
                       .stride = D,
                       .at = at,
                       .cols = cols,
                       .w_all = 1,
                       .v_all = 1,
                       .l2 = l2,
                       .out = out,
                       .out_stride = D};
    assert_int_equal(pen__normal_solve_all(ctx, &job, &failed, NULL), PEN_OK);
    assert_int_equal(failed, ROWS / 3);
    for (int r = 0; r < ROWS; r++) assert_int_equal(out[r * D] == guard, r % 3 == 0);
    pen_context_destroy(ctx);
}

/* ---- one row with a constant ---- */

/* At the minimum the gradient is nothing: sum_e (what is left of y_e) [q_e 1] = l2 [x constant]. The bound is what a
 * stable solver leaves of it, relative to the sum of magnitudes. */
static void check_ridge(pen_context *ctx, int64_t d, int64_t n)
{
    enum { ROWS = 40 };
    float *table = numbers(ctx, ROWS * d, 1), *value = numbers(ctx, n, 2), *x = room(ctx, d, NAN), constant = NAN;
    int64_t floats = (int64_t)pen__ridge_scratch(d);
    float *scratch = room(ctx, floats, NAN);
    int32_t cols[ROWS];
    for (int64_t e = 0; e < n; e++) cols[e] = (int32_t)((e * 7 + 2) % ROWS);
    const pen__ridge job = {d, n, table, cols, value, 0.25f, 0.5f};
    pen__ridge_solve(&job, scratch, x, &constant);
    check_guard(x, d), check_guard(scratch, floats);
    for (int64_t k = 0; k <= d; k++) {
        double gradient = -0.5 * (double)(k < d ? x[k] : constant), size = 1;
        for (int64_t e = 0; e < n; e++) {
            const float *q = table + cols[e] * d;
            double left = (double)value[e] - 0.25 - (double)constant, one = k < d ? (double)q[k] : 1;
            for (int64_t j = 0; j < d; j++) left -= (double)x[j] * (double)q[j];
            gradient += left * one, size += fabs(one);
        }
        if (!(fabs(gradient) <= 1e-4 * size))
            fail_msg("d=%d n=%d [%d]: %g is left of the gradient", (int)d, (int)n, (int)k, gradient);
    }
    if (!n) assert_true(constant == 0.0f && x[0] == 0.0f);
    pen__free(ctx, table), pen__free(ctx, value), pen__free(ctx, x), pen__free(ctx, scratch);
}

static void a_row_with_a_constant_is_least_squares(void **state)
{
    (void)state;
    pen_context *ctx = context(1);
    for (int64_t d = 1; d <= 67; d++) check_ridge(ctx, d, d * 5 % 40);
    check_ridge(ctx, 500, 30);
    check_ridge(ctx, 15, 0);
    assert_int_equal(pen_context_memory(ctx), 0);
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outer_products_are_near),
        cmocka_unit_test(nan_reaches_its_row_alone),
        cmocka_unit_test(cholesky_solves),
        cmocka_unit_test(gram_is_the_same_for_any_threads),
        cmocka_unit_test(rows_are_solved),
        cmocka_unit_test(failures_are_counted),
        cmocka_unit_test(a_row_with_a_constant_is_least_squares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
