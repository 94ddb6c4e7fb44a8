/* Kernels for AVX-512 (F, BW, DQ, VL): 32 registers of 16 floats, a panel's row in one. See kern_avx2.c. */
#include <immintrin.h>
#include <stddef.h>

#include "kern/exp_constants.h"
#include "kern/kern_fill.h"

typedef __m512 vf;
typedef int32_t vi __attribute__((vector_size(64)));
#define VEC_FLOATS 16
enum { VN = VEC_FLOATS, TILE_USERS = 12, TILE_PANELS = 8 };

static inline vf vload(const float *x) { return _mm512_loadu_ps(x); }
static inline void vstore(float *x, vf v) { _mm512_storeu_ps(x, v); }
static inline vf vset(float x) { return _mm512_set1_ps(x); }
static inline vf vfma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
static inline vf vfnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); } /* c - a b */
static inline vf vsqrt(vf a) { return _mm512_sqrt_ps(a); }
static inline float vsum(vf v) { return _mm512_reduce_add_ps(v); }
static inline uint64_t vmask_not_less(vf x, vf t) { return _mm512_cmp_ps_mask(x, t, _CMP_NLT_UQ); }

static inline uint64_t vany_not_less(vf a, vf b, vf c, vf d, vf t)
{
    return vmask_not_less(a, t) | vmask_not_less(b, t) | vmask_not_less(c, t) | vmask_not_less(d, t);
}

static inline void vtranspose4(const float *const *from, int64_t at, float *to)
{
    vf row[4];
    for (int r = 0; r < 4; r++) {
        row[r] = _mm512_castps128_ps512(_mm_loadu_ps(from[r] + at));
        row[r] = _mm512_insertf32x4(row[r], _mm_loadu_ps(from[r + 4] + at), 1);
        row[r] = _mm512_insertf32x4(row[r], _mm_loadu_ps(from[r + 8] + at), 2);
        row[r] = _mm512_insertf32x4(row[r], _mm_loadu_ps(from[r + 12] + at), 3);
    }
    vf ab = _mm512_unpacklo_ps(row[0], row[1]), cd = _mm512_unpacklo_ps(row[2], row[3]);
    vf AB = _mm512_unpackhi_ps(row[0], row[1]), CD = _mm512_unpackhi_ps(row[2], row[3]);
    vstore(to, _mm512_shuffle_ps(ab, cd, 0x44));
    vstore(to + VN, _mm512_shuffle_ps(ab, cd, 0xEE));
    vstore(to + 2 * VN, _mm512_shuffle_ps(AB, CD, 0x44));
    vstore(to + 3 * VN, _mm512_shuffle_ps(AB, CD, 0xEE));
}

#include "kern/vec_rows_tmpl.h"
#include "kern/vec_score_tmpl.h"
/* These stand on the two above. */
#include "kern/vec_lanes_tmpl.h"
#include "kern/vec_outer_tmpl.h"

void pen__kern_fill_avx512(pen__kernels *kern)
{
    kern->name = "avx512";
    fill_rows(kern);
    fill_scores(kern);
    fill_outer(kern);
    fill_lanes(kern);
}
