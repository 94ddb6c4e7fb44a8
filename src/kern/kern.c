/* The tables of kernels. All that the machine can run are filled at the first use, so that tests can compare levels. */
#include "kern/kern.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "kern/kern_fill.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pen__kernels tables[PEN_CPU_LEVELS];
static const pen__kernels *_Atomic current;

static void fill(void)
{
    for (int level = 0; level < PEN_CPU_LEVELS; level++) pen__kern_fill_scalar(&tables[level]);
#if defined(__x86_64__)
    if (pen__cpu_has(PEN_CPU_AVX2)) {
        pen__kern_fill_avx2(&tables[PEN_CPU_AVX2]);
        pen__kern_fill_avx2(&tables[PEN_CPU_AVX512]);
    }
    if (pen__cpu_has(PEN_CPU_AVX512)) pen__kern_fill_avx512(&tables[PEN_CPU_AVX512]);
#elif defined(__aarch64__)
    pen__kern_fill_neon(&tables[PEN_CPU_NEON]);
#endif
}

const pen__kernels *pen__kern_at(pen__cpu level)
{
    pthread_once(&once, fill);
    return pen__cpu_has(level) ? &tables[level] : NULL;
}

const pen__kernels *pen__kern(void)
{
    const pen__kernels *kern = atomic_load_explicit(&current, memory_order_acquire);
    if (!kern) {
        kern = pen__kern_at(pen__cpu_level());
        /* Kept only once the level is settled; until a context has been made PENCHANT_CPU may still be refused. */
        atomic_store_explicit(&current, kern, memory_order_release);
    }
    return kern;
}
