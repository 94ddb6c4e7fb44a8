/* Matrix products with AVX2 and FMA: tiles of 6 x 16, 12 of the 16 registers.
 *
 * A file for an instruction set defines VN reals in a vector vf, load, store, broadcast, fused multiply-add, vturn
 * (TURN reals from each of VN rows, transposed), and the sizes of the tile (MR x NV vectors) and of the packed rows
 * (MC). */
#include <assert.h>
#include <immintrin.h>
#include <string.h>

#include "kern/gemm_levels.h"

typedef __m256 vf;
enum { VN = 8, MR = 6, NV = 2, MC = 72, TURN = 4 };

static inline vf vload(const float *x) { return _mm256_loadu_ps(x); }
static inline void vstore(float *x, vf v) { _mm256_storeu_ps(x, v); }
static inline vf vset(float x) { return _mm256_set1_ps(x); }
static inline vf vfma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
static inline float rfma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

/* out[p][r] = from[r * row + p], p < 4, r < 8 */
static inline void vturn(const float *from, int64_t row, vf out[4])
{
    const float *high = from + 4 * row;
    vf x[4];
    for (int r = 0; r < 4; r++)
        x[r] =
            _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from + r * row)), _mm_loadu_ps(high + r * row), 1);
    vf ab = _mm256_unpacklo_ps(x[0], x[1]), cd = _mm256_unpacklo_ps(x[2], x[3]);
    vf AB = _mm256_unpackhi_ps(x[0], x[1]), CD = _mm256_unpackhi_ps(x[2], x[3]);
    out[0] = _mm256_shuffle_ps(ab, cd, 0x44);
    out[1] = _mm256_shuffle_ps(ab, cd, 0xEE);
    out[2] = _mm256_shuffle_ps(AB, CD, 0x44);
    out[3] = _mm256_shuffle_ps(AB, CD, 0xEE);
}

#include "kern/gemm_tmpl.h"

void pen__gemm_avx2(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
                    const float *b, int64_t ldb, float beta, float *c, int64_t ldc)
{
    multiply(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
