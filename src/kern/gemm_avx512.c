/* Matrix products with AVX-512: tiles of 12 x 32, 24 of the 32 registers. See gemm_avx2.c. */
#include <assert.h>
#include <immintrin.h>
#include <string.h>

#include "kern/gemm_levels.h"

typedef __m512 vf;
enum { VN = 16, MR = 12, NV = 2, MC = 48, TURN = 4 };

static inline vf vload(const float *x) { return _mm512_loadu_ps(x); }
static inline void vstore(float *x, vf v) { _mm512_storeu_ps(x, v); }
static inline vf vset(float x) { return _mm512_set1_ps(x); }
static inline vf vfma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
static inline float rfma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

/* out[p][r] = from[r * row + p], p < 4, r < 16 */
static inline void vturn(const float *from, int64_t row, vf out[4])
{
    vf x[4];
    for (int r = 0; r < 4; r++) {
        x[r] = _mm512_castps128_ps512(_mm_loadu_ps(from + r * row));
        x[r] = _mm512_insertf32x4(x[r], _mm_loadu_ps(from + (r + 4) * row), 1);
        x[r] = _mm512_insertf32x4(x[r], _mm_loadu_ps(from + (r + 8) * row), 2);
        x[r] = _mm512_insertf32x4(x[r], _mm_loadu_ps(from + (r + 12) * row), 3);
    }
    vf ab = _mm512_unpacklo_ps(x[0], x[1]), cd = _mm512_unpacklo_ps(x[2], x[3]);
    vf AB = _mm512_unpackhi_ps(x[0], x[1]), CD = _mm512_unpackhi_ps(x[2], x[3]);
    out[0] = _mm512_shuffle_ps(ab, cd, 0x44);
    out[1] = _mm512_shuffle_ps(ab, cd, 0xEE);
    out[2] = _mm512_shuffle_ps(AB, CD, 0x44);
    out[3] = _mm512_shuffle_ps(AB, CD, 0xEE);
}

#include "kern/gemm_tmpl.h"

void pen__gemm_avx512(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
                      const float *b, int64_t ldb, float beta, float *c, int64_t ldc)
{
    multiply(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
