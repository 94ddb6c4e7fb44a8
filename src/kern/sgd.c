/* Which of the kernels of kern/sgd.h run: one choice a process, that of base/cpu.h. */
#include "kern/sgd.h"

#include <stddef.h>

#include "base/cpu.h"

const pen__sgd_kernels *pen__sgd_at(int level)
{
    if (!pen__cpu_has((pen__cpu)level)) return NULL;
#if defined(__x86_64__)
    if (level == PEN_CPU_AVX2 || level == PEN_CPU_AVX512) return &pen__sgd_avx2;
#endif
    return &pen__sgd_scalar;
}

const pen__sgd_kernels *pen__sgd(void) { return pen__sgd_at((int)pen__cpu_level()); }
