/* kern/sgd.h with AVX2 and FMA: eight floats a register. */
#include <immintrin.h>

#include "kern/sgd.h"

typedef __m256 V;
#define V_LOAD(p) _mm256_load_ps(p)
#define V_STORE(p, x) _mm256_store_ps(p, x)
#define V_SET(x) _mm256_set1_ps(x)
#define V_FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define V_MAX(a, b) _mm256_max_ps(a, b)
#define V_MIN(a, b) _mm256_min_ps(a, b)
#define V_SQRT(x) _mm256_sqrt_ps(x)
#define V_SUM(x) sum_of(x)

static inline float sum_of(V x)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

#include "kern/sgd_tmpl.h"

const pen__sgd_kernels pen__sgd_avx2 = {.rate_run = rate_run, .pair_run = pair_run, .scores = scores};
