/* Matrix products at every level, oneDNN's among them, against plain sums in double: all transposes, odd shapes,
 * strides wider than rows, guards around C, alpha and beta, NaN; the fixed order; many threads at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <pthread.h>

#include "base/memory.h"
#include "base/random.h"
#include "kern/gemm.h"

enum { GUARD = 40, LEVELS = PEN_CPU_LEVELS + 1 /* and pen__gemm */ };
static const float guard = -77.0f;

static pen__gemm_function *product_of(int level)
{
    return level < PEN_CPU_LEVELS ? pen__gemm_at((pen__cpu)level) : pen__gemm;
}

#define EACH_PRODUCT(gemm, level)                \
    for (int level = 0; level < LEVELS; level++) \
        for (pen__gemm_function *gemm = product_of(level); gemm; gemm = NULL)

typedef struct shape {
    bool ta, tb;
    int64_t m, n, k;
    int64_t lda, ldb, ldc;
} shape;

static shape shape_of(bool ta, bool tb, int64_t m, int64_t n, int64_t k, int64_t wider)
{
    shape s = {ta, tb, m, n, k, (ta ? m : k) + wider, (tb ? k : n) + 2 * wider, n + 3 * wider};
    /* a stride of 0 is refused by some; a matrix without columns may have any */
    s.lda += s.lda == 0, s.ldb += s.ldb == 0, s.ldc += s.ldc == 0;
    return s;
}

/* Reals that a matrix of so many rows takes: the last row is no longer than its width. */
static int64_t extent(int64_t rows, int64_t width, int64_t stride)
{
    return rows > 0 && width > 0 ? (rows - 1) * stride + width : 0;
}
static int64_t extent_a(const shape *s) { return s->ta ? extent(s->k, s->m, s->lda) : extent(s->m, s->k, s->lda); }
static int64_t extent_b(const shape *s) { return s->tb ? extent(s->n, s->k, s->ldb) : extent(s->k, s->n, s->ldb); }
static int64_t extent_c(const shape *s) { return extent(s->m, s->n, s->ldc); }

static float real_at(uint64_t seed, int64_t i)
{
    return (float)(int64_t)(pen__rand64(seed, 99, (uint64_t)i) >> 40) / (float)(1 << 23) - 1.0f;
}

/* Exactly n reals, so that a sanitizer sees what is read past them. */
static float *numbers(pen_context *ctx, int64_t n, uint64_t seed)
{
    float *x = pen__alloc(ctx, (size_t)(n > 0 ? n : 1) * sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++) x[i] = real_at(seed, i);
    return x;
}

typedef struct problem {
    shape s;
    float *a, *b, *room, *c; /* c stands in room, with guards on both sides */
    int64_t floats;
} problem;

static problem problem_of(pen_context *ctx, shape s)
{
    problem p = {
        .s = s, .a = numbers(ctx, extent_a(&s), 1), .b = numbers(ctx, extent_b(&s), 2), .floats = extent_c(&s)};
    p.room = numbers(ctx, p.floats + 2 * GUARD, 3);
    p.c = p.room + GUARD;
    return p;
}

static void problem_free(pen_context *ctx, problem *p)
{
    pen__free(ctx, p->a);
    pen__free(ctx, p->b);
    pen__free(ctx, p->room);
}

/* C begins as numbers, everything around it as the guard. */
static void reset(problem *p)
{
    for (int64_t i = 0; i < p->floats + 2 * GUARD; i++) p->room[i] = guard;
    for (int64_t i = 0; i < p->s.m; i++)
        for (int64_t j = 0; j < p->s.n; j++) p->c[i * p->s.ldc + j] = real_at(3, i * p->s.n + j);
}

static void run(pen__gemm_function *gemm, const problem *p, float alpha, float beta)
{
    const shape *s = &p->s;
    gemm(s->ta, s->tb, s->m, s->n, s->k, alpha, p->a, s->lda, p->b, s->ldb, beta, p->c, s->ldc);
}

static float a_at(const problem *p, int64_t i, int64_t t)
{
    return p->a[p->s.ta ? t * p->s.lda + i : i * p->s.lda + t];
}
static float b_at(const problem *p, int64_t t, int64_t j)
{
    return p->b[p->s.tb ? j * p->s.ldb + t : t * p->s.ldb + j];
}

/* Each sum loses at most half an ulp of what it has reached, once for each of k terms and thrice more for alpha and
 * beta: the bound of the header, twice for products that are rounded apart. */
static void check(const problem *p, float alpha, float beta)
{
    const shape *s = &p->s;
    for (int64_t i = 0; i < s->m; i++) {
        for (int64_t j = 0; j < s->n; j++) {
            double old = beta == 0 ? 0 : (double)beta * (double)real_at(3, i * s->n + j), sum = 0, size = 0;
            for (int64_t t = 0; t < s->k; t++) {
                double term = (double)a_at(p, i, t) * (double)b_at(p, t, j);
                sum += term;
                size += fabs(term);
            }
            double bound = 2 * (double)(s->k + 3) * 0x1p-24 * (fabs((double)alpha) * size + fabs(old)) + 1e-40;
            double got = (double)p->c[i * s->ldc + j], exact = (double)alpha * sum + old;
            if (!(fabs(got - exact) <= bound))
                fail_msg("%d%d m %d n %d k %d strides %d %d %d alpha %g beta %g: C[%d][%d] is %.9g, not %.9g", s->ta,
                         s->tb, (int)s->m, (int)s->n, (int)s->k, (int)s->lda, (int)s->ldb, (int)s->ldc, (double)alpha,
                         (double)beta, (int)i, (int)j, got, exact);
        }
    }
    for (int64_t i = -GUARD; i < p->floats + GUARD; i++)
        if (i < 0 || i >= p->floats || i % s->ldc >= s->n) assert_true(p->c[i] == guard);
}

static void check_shape(pen_context *ctx, shape s)
{
    static const float alphas[] = {1.0f, -0.5f, 1.0f, 0.75f, 1.0f}, betas[] = {0.0f, 0.0f, 1.0f, -1.25f, 0.5f};
    problem p = problem_of(ctx, s);
    EACH_PRODUCT(gemm, level)
    {
        for (int t = 0; t < 5; t++) {
            reset(&p);
            run(gemm, &p, alphas[t], betas[t]);
            check(&p, alphas[t], betas[t]);
        }
    }
    problem_free(ctx, &p);
}

static void small_shapes(void **state)
{
    pen_context *ctx = *state;
    static const int64_t sizes[] = {0, 1, 2, 3, 5, 7, 8, 13, 16, 17, 31, 33, 48, 67};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    for (int t = 0; t < 4; t++)
        for (int m = 0; m < SIZES; m++)
            for (int n = 0; n < SIZES; n++)
                for (int k = (m + n) % 2; k < SIZES; k += 2)
                    check_shape(ctx, shape_of(t & 1, t & 2, sizes[m], sizes[n], sizes[k], (m + n + k) % 4 / 3 * 5));
}

/* Each of 0 .. 67 in turn, the others odd. */
static void every_size(void **state)
{
    for (int t = 0; t < 4; t++)
        for (int64_t x = 0; x <= 67; x++) {
            check_shape(*state, shape_of(t & 1, t & 2, x, 19, 21, x % 3));
            check_shape(*state, shape_of(t & 1, t & 2, 13, x, 21, x % 3));
            check_shape(*state, shape_of(t & 1, t & 2, 13, 19, x, x % 3));
        }
}

/* More than one block of terms, of rows, of columns. */
static void large_shapes(void **state)
{
    for (int t = 0; t < 4; t++) {
        check_shape(*state, shape_of(t & 1, t & 2, 200, 100, 520, 0));
        check_shape(*state, shape_of(t & 1, t & 2, 419, 37, 256, 3));
        check_shape(*state, shape_of(t & 1, t & 2, 3, 700, 257, 0));
        check_shape(*state, shape_of(t & 1, t & 2, 700, 3, 600, 1));
        check_shape(*state, shape_of(t & 1, t & 2, 1, 1, 1025, 0));
    }
}

/* What a block of rows leaves behind: with 256 terms blocks have multiples of 24 rows. */
static void blocks_of_rows(void **state)
{
    for (int t = 0; t < 4; t++)
        for (int64_t m = 48; m < 222; m += m % 24 < 6 ? 1 : 18)
            check_shape(*state, shape_of(t & 1, t & 2, m, 66, 256, 0));
}

/* What is in C has no say where beta is 0; NaN in A and B comes through, also times 0, and only where it belongs. */
static void not_a_number(void **state)
{
    pen_context *ctx = *state;
    for (int t = 0; t < 4; t++) {
        for (int64_t m = 1; m <= 40; m += 13) {
            shape s = shape_of(t & 1, t & 2, m, 21, 30, 2);
            problem p = problem_of(ctx, s);
            EACH_PRODUCT(gemm, level)
            {
                for (int64_t i = 0; i < m; i++)
                    for (int64_t j = 0; j < s.n; j++) p.c[i * s.ldc + j] = NAN;
                run(gemm, &p, 1.0f, 0.0f);
                for (int64_t i = 0; i < m; i++)
                    for (int64_t j = 0; j < s.n; j++) assert_true(!isnan(p.c[i * s.ldc + j]));
                float *a = &p.a[s.ta ? 7 * s.lda + m / 2 : m / 2 * s.lda + 7], kept = *a;
                *a = NAN;
                run(gemm, &p, 1.0f, 0.0f);
                for (int64_t i = 0; i < m; i++)
                    for (int64_t j = 0; j < s.n; j++) assert_true((isnan(p.c[i * s.ldc + j]) != 0) == (i == m / 2));
                *a = kept;
                float *b = &p.b[s.tb ? 5 * s.ldb + 3 : 3 * s.ldb + 5];
                kept = *b;
                *b = INFINITY;
                run(gemm, &p, 1.0f, 0.0f);
                for (int64_t i = 0; i < m; i++)
                    for (int64_t j = 0; j < s.n; j++) assert_true((isinf(p.c[i * s.ldc + j]) != 0) == (j == 5));
                *b = kept;
            }
            problem_free(ctx, &p);
        }
    }
}

/* ---- the fixed order ---- */

/* Every element of a product is, to the bit, the 1 x 1 product of its row and column, and the same for all four
 * transposes. */
static void elements_alone(void **state)
{
    pen_context *ctx = *state;
    static const shape shapes[] = {{.m = 67, .n = 45, .k = 300}, {.m = 5, .n = 130, .k = 64},
                                   {.m = 130, .n = 5, .k = 65},  {.m = 1, .n = 67, .k = 513},
                                   {.m = 67, .n = 1, .k = 33},   {.m = 20, .n = 20, .k = 7}};
    for (size_t which = 0; which < sizeof shapes / sizeof *shapes; which++) {
        for (int level = 0; level < PEN_CPU_LEVELS; level++) {
            pen__gemm_function *gemm = product_of(level);
            if (!gemm) continue;
            for (int t = 0; t < 4; t++) {
                problem p =
                    problem_of(ctx, shape_of(t & 1, t & 2, shapes[which].m, shapes[which].n, shapes[which].k, t));
                const shape *s = &p.s;
                reset(&p);
                run(gemm, &p, 0.75f, 1.5f);
                float *x = numbers(ctx, s->k, 0), *y = numbers(ctx, s->k, 0);
                for (int64_t i = 0; i < s->m; i++)
                    for (int64_t j = 0; j < s->n; j++) {
                        for (int64_t q = 0; q < s->k; q++) x[q] = a_at(&p, i, q), y[q] = b_at(&p, q, j);
                        float alone = real_at(3, i * s->n + j);
                        gemm(false, false, 1, 1, s->k, 0.75f, x, s->k, y, 1, 1.5f, &alone, 1);
                        assert_memory_equal(&alone, &p.c[i * s->ldc + j], sizeof alone);
                    }
                pen__free(ctx, x);
                pen__free(ctx, y);
                problem_free(ctx, &p);
            }
        }
    }
}

/* Rows of a batch in cuts of every length: the bits of the whole batch. */
static void rows_in_cuts(void **state)
{
    pen_context *ctx = *state;
    for (int level = 0; level < PEN_CPU_LEVELS; level++) {
        pen__gemm_function *gemm = product_of(level);
        if (!gemm) continue;
        for (int tb = 0; tb < 2; tb++) {
            shape s = shape_of(false, tb, 300, 50, 270, 0);
            problem p = problem_of(ctx, s);
            reset(&p);
            run(gemm, &p, 1.0f, 0.0f);
            float *cut = numbers(ctx, s.m * s.n, 4);
            for (int64_t rows = 1; rows <= 40; rows++) {
                for (int64_t i = 0; i < s.m; i += rows) {
                    int64_t m = s.m - i < rows ? s.m - i : rows;
                    gemm(false, tb, m, s.n, s.k, 1.0f, p.a + i * s.lda, s.lda, p.b, s.ldb, 0.0f, cut + i * s.n, s.n);
                }
                assert_memory_equal(cut, p.c, (size_t)(s.m * s.n) * sizeof *cut);
            }
            pen__free(ctx, cut);
            problem_free(ctx, &p);
        }
    }
}

/* ---- threads ---- */

typedef struct call {
    const problem *p;
    float *c;
    pen__gemm_function *gemm;
} call;

static void *call_often(void *arg)
{
    const call *one = arg;
    const problem *p = one->p;
    for (int turn = 0; turn < 20; turn++)
        one->gemm(p->s.ta, p->s.tb, p->s.m, p->s.n, p->s.k, 1.0f, p->a, p->s.lda, p->b, p->s.ldb, 0.0f, one->c,
                  p->s.ldc);
    return NULL;
}

/* Eight threads at once give what one gives, to the bit, oneDNN's as well. */
static void many_threads(void **state)
{
    enum { THREADS = 8 };
    pen_context *ctx = *state;
    for (int t = 0; t < 4; t++) {
        problem p = problem_of(ctx, shape_of(t & 1, t & 2, 150, 90, 300, 1));
        EACH_PRODUCT(gemm, level)
        {
            pthread_t id[THREADS];
            call calls[THREADS];
            reset(&p);
            run(gemm, &p, 1.0f, 0.0f);
            for (int i = 0; i < THREADS; i++) {
                calls[i] = (call){&p, numbers(ctx, p.floats, 5), gemm};
                assert_int_equal(pthread_create(&id[i], NULL, call_often, &calls[i]), 0);
            }
            for (int i = 0; i < THREADS; i++) {
                pthread_join(id[i], NULL);
                for (int64_t r = 0; r < p.s.m; r++)
                    assert_memory_equal(calls[i].c + r * p.s.ldc, p.c + r * p.s.ldc, (size_t)p.s.n * sizeof(float));
                pen__free(ctx, calls[i].c);
            }
        }
        problem_free(ctx, &p);
    }
}

/* Of oneDNN's OpenMP, where it is linked. */
extern int omp_get_max_threads(void) __attribute__((weak));
extern void omp_set_num_threads(int n) __attribute__((weak));

/* Threads of this process, or 0 where the system does not tell. */
static int threads_now(void)
{
    int n = 0;
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks) return 0;
    for (const struct dirent *task; (task = readdir(tasks)) != NULL;) n += task->d_name[0] != '.';
    closedir(tasks);
    return n;
}

static void *threads_of_another(void *arg)
{
    *(int *)arg = omp_get_max_threads();
    return NULL;
}

/* A host program that asked OpenMP for three threads keeps them, here and in its other threads, and none is started. */
static void one_thread(void **state)
{
    problem p = problem_of(*state, shape_of(false, false, 500, 400, 300, 0));
    const int before = threads_now();
    if (omp_set_num_threads) omp_set_num_threads(3);
    reset(&p);
    run(pen__gemm, &p, 1.0f, 0.0f);
    check(&p, 1.0f, 0.0f);
    assert_int_equal(threads_now(), before);
    if (omp_get_max_threads) {
        int elsewhere[2];
        pthread_t id;
        assert_int_equal(omp_get_max_threads(), 3);
        for (int turn = 0; turn < 2; turn++) {
            assert_int_equal(pthread_create(&id, NULL, threads_of_another, &elsewhere[turn]), 0);
            pthread_join(id, NULL);
            run(pen__gemm, &p, 1.0f, 0.0f);
        }
        assert_int_equal(elsewhere[0], elsewhere[1]);
    } else {
        print_message("no OpenMP here: its number of threads is not looked at\n");
    }
    problem_free(*state, &p);
}

static int setup(void **state)
{
    pen_context *ctx;
    if (pen_context_create(NULL, &ctx, NULL) != PEN_OK) return -1;
    *state = ctx;
    print_message("pen__gemm is %s\n", pen__gemm_name());
    return 0;
}

static int teardown(void **state)
{
    pen_context_destroy(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_shapes),   cmocka_unit_test(every_size),   cmocka_unit_test(large_shapes),
        cmocka_unit_test(blocks_of_rows), cmocka_unit_test(not_a_number), cmocka_unit_test(elements_alone),
        cmocka_unit_test(rows_in_cuts),   cmocka_unit_test(many_threads), cmocka_unit_test(one_thread),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
