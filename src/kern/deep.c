/* The tables of the engine's kernels, one a level. */
#include "kern/deep.h"

#include <pthread.h>
#include <stddef.h>

#include "kern/deep_fill.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pen__deep tables[PEN_CPU_LEVELS];

static void fill(void)
{
    for (int level = 0; level < PEN_CPU_LEVELS; level++) {
        pen__deep_fill_scalar(&tables[level]);
        tables[level].name = pen__cpu_name((pen__cpu)level);
    }
#ifdef PEN_REAL_DOUBLE
    return; /* gradient checks: scalar alone */
#elif defined(__x86_64__)
    if (pen__cpu_has(PEN_CPU_AVX2)) pen__deep_fill_avx2(&tables[PEN_CPU_AVX2]);
    if (pen__cpu_has(PEN_CPU_AVX512)) pen__deep_fill_avx512(&tables[PEN_CPU_AVX512]);
#elif defined(__aarch64__)
    pen__deep_fill_neon(&tables[PEN_CPU_NEON]);
#endif
}

const pen__deep *pen__deep_kern_at(pen__cpu level)
{
    pthread_once(&once, fill);
    return pen__cpu_has(level) ? &tables[level] : NULL;
}

const pen__deep *pen__deep_kern(void) { return pen__deep_kern_at(pen__cpu_level()); }
