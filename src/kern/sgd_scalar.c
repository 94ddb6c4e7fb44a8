/* kern/sgd.h for any machine: eight floats as the compiler's vector type, which it maps to what the platform's floor
 * has (two SSE or NEON registers). */
#include "kern/sgd.h"

typedef float V __attribute__((vector_size(32), aligned(32), may_alias));
typedef int32_t V_MASK __attribute__((vector_size(32)));

#define V_LOAD(p) (*(const V *)(p))
#define V_STORE(p, x) (*(V *)(p) = (x))
#define V_SET(x) ((V){x, x, x, x, x, x, x, x})
#define V_FMA(a, b, c) ((a) * (b) + (c))
#define V_MAX(a, b) ((V)(((V_MASK)(a) & ((a) > (b))) | ((V_MASK)(b) & ~((a) > (b)))))
#define V_MIN(a, b) ((V)(((V_MASK)(a) & ((a) < (b))) | ((V_MASK)(b) & ~((a) < (b)))))
#define V_SQRT(x)                                                                                                 \
    ((V){sqrtf((x)[0]), sqrtf((x)[1]), sqrtf((x)[2]), sqrtf((x)[3]), sqrtf((x)[4]), sqrtf((x)[5]), sqrtf((x)[6]), \
         sqrtf((x)[7])})
#define V_SUM(x) ((((x)[0] + (x)[4]) + ((x)[2] + (x)[6])) + (((x)[1] + (x)[5]) + ((x)[3] + (x)[7])))

#include "kern/sgd_tmpl.h"

const pen__sgd_kernels pen__sgd_scalar = {.rate_run = rate_run, .pair_run = pair_run, .scores = scores};
