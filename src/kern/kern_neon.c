/* Kernels for arm64: 32 registers of 4 floats. See kern_avx2.c. */
#include <arm_neon.h>
#include <stddef.h>

#include "kern/exp_constants.h"
#include "kern/kern_fill.h"

typedef float32x4_t vf;
typedef int32_t vi __attribute__((vector_size(16)));
#define VEC_FLOATS 4
enum { VN = VEC_FLOATS, TILE_USERS = 6, TILE_PANELS = 2 };

static inline vf vload(const float *x) { return vld1q_f32(x); }
static inline void vstore(float *x, vf v) { vst1q_f32(x, v); }
static inline vf vset(float x) { return vdupq_n_f32(x); }
static inline vf vfma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
static inline vf vfnma(vf a, vf b, vf c) { return vfmsq_f32(c, a, b); } /* c - a b */
static inline vf vsqrt(vf a) { return vsqrtq_f32(a); }
static inline float vsum(vf v) { return vaddvq_f32(v); }

static inline uint64_t vmask_not_less(vf x, vf t)
{
    static const uint32_t bits[4] = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(vmvnq_u32(vcltq_f32(x, t)), vld1q_u32(bits)));
}

static inline uint64_t vany_not_less(vf a, vf b, vf c, vf d, vf t)
{
    uint32x4_t less =
        vandq_u32(vandq_u32(vcltq_f32(a, t), vcltq_f32(b, t)), vandq_u32(vcltq_f32(c, t), vcltq_f32(d, t)));
    return ~vminvq_u32(less) & 0xFFFFFFFFu;
}

static inline void vtranspose4(const float *const *from, int64_t at, float *to)
{
    float32x4x4_t column; /* stored interleaved below: the transposition itself */
    for (int r = 0; r < 4; r++) column.val[r] = vload(from[r] + at);
    vst4q_f32(to, column);
}

#include "kern/vec_rows_tmpl.h"
#include "kern/vec_score_tmpl.h"
/* These stand on the two above. */
#include "kern/vec_lanes_tmpl.h"
#include "kern/vec_outer_tmpl.h"

void pen__kern_fill_neon(pen__kernels *kern)
{
    kern->name = "neon";
    fill_rows(kern);
    fill_scores(kern);
    fill_outer(kern);
    fill_lanes(kern);
}
