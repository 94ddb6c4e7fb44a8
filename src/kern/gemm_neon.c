/* Matrix products for arm64: tiles of 8 x 12, 24 of the 32 registers. See gemm_avx2.c. */
#include <arm_neon.h>
#include <assert.h>
#include <string.h>

#include "kern/gemm_levels.h"

typedef float32x4_t vf;
enum { VN = 4, MR = 8, NV = 3, MC = 72, TURN = 4 };

static inline vf vload(const float *x) { return vld1q_f32(x); }
static inline void vstore(float *x, vf v) { vst1q_f32(x, v); }
static inline vf vset(float x) { return vdupq_n_f32(x); }
static inline vf vfma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
static inline float rfma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

/* out[p][r] = from[r * row + p], p < 4, r < 4 */
static inline void vturn(const float *from, int64_t row, vf out[4])
{
    float32x4x2_t low = vtrnq_f32(vload(from), vload(from + row)),
                  high = vtrnq_f32(vload(from + 2 * row), vload(from + 3 * row));
    out[0] = vcombine_f32(vget_low_f32(low.val[0]), vget_low_f32(high.val[0]));
    out[1] = vcombine_f32(vget_low_f32(low.val[1]), vget_low_f32(high.val[1]));
    out[2] = vcombine_f32(vget_high_f32(low.val[0]), vget_high_f32(high.val[0]));
    out[3] = vcombine_f32(vget_high_f32(low.val[1]), vget_high_f32(high.val[1]));
}

#include "kern/gemm_tmpl.h"

void pen__gemm_neon(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
                    const float *b, int64_t ldb, float beta, float *c, int64_t ldc)
{
    multiply(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
