/* Which matrix product runs: one choice a process, that of base/cpu.h, and oneDNN's where it may. */
#include "kern/gemm.h"

#include <stdatomic.h>
#include <stddef.h>

#include "kern/gemm_levels.h"

/* Up to so many multiply-adds oneDNN's way into its kernel costs more than it saves (Zen 3: ours takes .4 to 1 of
 * its time); fewer where one side is a vector, for there oneDNN may add up in any order and is faster. */
enum { TINY = 32768, TINY_VECTOR = 8192 };

pen__gemm_function *pen__gemm_at(pen__cpu level)
{
    if (!pen__cpu_has(level)) return NULL;
#if !defined(PEN_REAL_DOUBLE) && defined(__x86_64__)
    if (level == PEN_CPU_AVX512) return pen__gemm_avx512;
    if (level == PEN_CPU_AVX2) return pen__gemm_avx2;
#elif !defined(PEN_REAL_DOUBLE) && defined(__aarch64__)
    if (level == PEN_CPU_NEON) return pen__gemm_neon;
#endif
    return pen__gemm_scalar;
}

static pen__gemm_function *ours(void)
{
    static pen__gemm_function *_Atomic kept;
    pen__gemm_function *product = atomic_load_explicit(&kept, memory_order_relaxed);
    if (!product) {
        product = pen__gemm_at(pen__cpu_level());
        atomic_store_explicit(&kept, product, memory_order_relaxed);
    }
    return product;
}

#if defined(PEN_ONEDNN) && !defined(PEN_REAL_DOUBLE)
/* Whether the level is the machine's best: levels of one architecture rise with their number. */
static bool level_is_best(void)
{
    static _Atomic int kept; /* 0: not known, 1: no, 2: yes */
    int known = atomic_load_explicit(&kept, memory_order_relaxed);
    if (!known) {
        known = 2;
        for (int level = (int)pen__cpu_level() + 1; level < PEN_CPU_LEVELS; level++)
            if (pen__cpu_has((pen__cpu)level)) known = 1;
        atomic_store_explicit(&kept, known, memory_order_relaxed);
    }
    return known == 2;
}

void pen__gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, pen__real alpha, const pen__real *a, int64_t lda,
               const pen__real *b, int64_t ldb, pen__real beta, pen__real *c, int64_t ldc)
{
    double work = m > 0 && n > 0 && k > 0 ? (double)m * (double)n * (double)k : 0;
    bool tiny = work <= (m == 1 || n == 1 ? TINY_VECTOR : TINY);
    if (!tiny && level_is_best() && pen__gemm_onednn(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)) return;
    ours()(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

const char *pen__gemm_name(void) { return level_is_best() ? pen__gemm_onednn_name() : "built-in"; }
#else
void pen__gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, pen__real alpha, const pen__real *a, int64_t lda,
               const pen__real *b, int64_t ldb, pen__real beta, pen__real *c, int64_t ldc)
{
    ours()(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

const char *pen__gemm_name(void) { return "built-in"; }
#endif

void pen__gemm_fixed(bool ta, bool tb, int64_t m, int64_t n, int64_t k, pen__real alpha, const pen__real *a,
                     int64_t lda, const pen__real *b, int64_t ldb, pen__real beta, pen__real *c, int64_t ldc)
{
    ours()(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
