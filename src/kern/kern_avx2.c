/* Kernels for AVX2 with FMA: 16 registers of 8 floats.
 *
 * The algorithms are in the vec_*_tmpl.h files. A file for an instruction set defines what they stand on: VN floats in
 * a vector vf (vi: as many int32), load, store, broadcast, fused multiply-add, square root, the sum of a vector, masks
 * of !(x < t), and the sizes of register tiles. */
#include <immintrin.h>
#include <stddef.h>

#include "kern/exp_constants.h"
#include "kern/kern_fill.h"

typedef __m256 vf;
typedef int32_t vi __attribute__((vector_size(32)));
#define VEC_FLOATS 8
enum { VN = VEC_FLOATS, TILE_USERS = 6, TILE_PANELS = 4 };

static inline vf vload(const float *x) { return _mm256_loadu_ps(x); }
static inline void vstore(float *x, vf v) { _mm256_storeu_ps(x, v); }
static inline vf vset(float x) { return _mm256_set1_ps(x); }
static inline vf vfma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
static inline vf vfnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); } /* c - a b */
static inline vf vsqrt(vf a) { return _mm256_sqrt_ps(a); }

static inline float vsum(vf v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}

static inline uint64_t vmask_not_less(vf x, vf t)
{
    return (uint64_t)_mm256_movemask_ps(_mm256_cmp_ps(x, t, _CMP_NLT_UQ));
}

/* Not 0 where a lane of the four has !(x < t). */
static inline uint64_t vany_not_less(vf a, vf b, vf c, vf d, vf t)
{
    __m256 ab = _mm256_or_ps(_mm256_cmp_ps(a, t, _CMP_NLT_UQ), _mm256_cmp_ps(b, t, _CMP_NLT_UQ));
    __m256 cd = _mm256_or_ps(_mm256_cmp_ps(c, t, _CMP_NLT_UQ), _mm256_cmp_ps(d, t, _CMP_NLT_UQ));
    return (uint64_t)_mm256_movemask_ps(_mm256_or_ps(ab, cd));
}

/* Four floats from `at` of each of VN rows, turned: to[c * VN + r] = from[r][at + c]. */
static inline void vtranspose4(const float *const *from, int64_t at, float *to)
{
    vf row[4];
    for (int r = 0; r < 4; r++)
        row[r] =
            _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from[r] + at)), _mm_loadu_ps(from[r + 4] + at), 1);
    vf ab = _mm256_unpacklo_ps(row[0], row[1]), cd = _mm256_unpacklo_ps(row[2], row[3]);
    vf AB = _mm256_unpackhi_ps(row[0], row[1]), CD = _mm256_unpackhi_ps(row[2], row[3]);
    vstore(to, _mm256_shuffle_ps(ab, cd, 0x44));
    vstore(to + VN, _mm256_shuffle_ps(ab, cd, 0xEE));
    vstore(to + 2 * VN, _mm256_shuffle_ps(AB, CD, 0x44));
    vstore(to + 3 * VN, _mm256_shuffle_ps(AB, CD, 0xEE));
}

#include "kern/vec_rows_tmpl.h"
#include "kern/vec_score_tmpl.h"
/* These stand on the two above. */
#include "kern/vec_lanes_tmpl.h"
#include "kern/vec_outer_tmpl.h"

void pen__kern_fill_avx2(pen__kernels *kern)
{
    kern->name = "avx2";
    fill_rows(kern);
    fill_scores(kern);
    fill_outer(kern);
    fill_lanes(kern);
}
