/* Matrix products for any machine, in float or double: tiles of 4 x 2 vectors of 16 bytes as the compiler's vector
 * type, which it maps to what the platform's floor has. Products and sums are rounded apart. See gemm_avx2.c. */
#include <assert.h>
#include <string.h>

#include "kern/gemm_levels.h"

typedef pen__real vf __attribute__((vector_size(16)));
typedef pen__real vf_anywhere __attribute__((vector_size(16), aligned(sizeof(pen__real)), may_alias));
enum { VN = 16 / sizeof(pen__real), MR = 4, NV = 2, MC = 96 * 4 / sizeof(pen__real), TURN = 1 };

static inline vf vload(const pen__real *x) { return *(const vf_anywhere *)x; }
static inline void vstore(pen__real *x, vf v) { *(vf_anywhere *)x = v; }
static inline vf vset(pen__real x) { return x - (vf){0}; }
static inline vf vfma(vf a, vf b, vf c) { return a * b + c; }
static inline pen__real rfma(pen__real a, pen__real b, pen__real c) { return a * b + c; }

static inline void vturn(const pen__real *from, int64_t row, vf x[1])
{
    for (int r = 0; r < VN; r++) x[0][r] = from[r * row];
}

#include "kern/gemm_tmpl.h"

void pen__gemm_scalar(bool ta, bool tb, int64_t m, int64_t n, int64_t k, pen__real alpha, const pen__real *a,
                      int64_t lda, const pen__real *b, int64_t ldb, pen__real beta, pen__real *c, int64_t ldc)
{
    multiply(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
