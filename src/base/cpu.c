/* The CPU level: asked of the processor (and the operating system's saving of its registers) by the compiler's own
 * test, narrowed by PENCHANT_CPU. */
#include "base/cpu.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[PEN_CPU_LEVELS] = {"scalar", "avx2", "avx512", "neon"};
static _Atomic int chosen = -1;

const char *pen__cpu_name(pen__cpu level) { return names[level]; }

bool pen__cpu_has(pen__cpu level)
{
    if (level == PEN_CPU_SCALAR) return true;
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (level == PEN_CPU_AVX2) return avx2;
    if (level == PEN_CPU_AVX512)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#elif defined(__aarch64__)
    if (level == PEN_CPU_NEON) return true;
#endif
    return false;
}

static pen__cpu best(void)
{
    static const pen__cpu order[] = {PEN_CPU_AVX512, PEN_CPU_AVX2, PEN_CPU_NEON};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (pen__cpu_has(order[i])) return order[i];
    return PEN_CPU_SCALAR;
}

pen_status pen__cpu_init(pen_error *error)
{
    if (atomic_load(&chosen) >= 0) return PEN_OK;
    pen__cpu level = best();
    const char *asked = getenv("PENCHANT_CPU");
    if (asked && *asked) {
        int named = 0;
        while (named < PEN_CPU_LEVELS && strcmp(asked, names[named]) != 0) named++;
        PEN_CHECK(named < PEN_CPU_LEVELS, PEN_E_UNKNOWN,
                  "PENCHANT_CPU is '%.40s'; allowed are scalar, avx2, avx512 and neon (or leave it unset for the best)",
                  asked);
        PEN_CHECK(pen__cpu_has((pen__cpu)named), PEN_E_UNSUPPORTED,
                  "PENCHANT_CPU asks for %s, which this machine or build lacks; the best here is %s", asked,
                  names[level]);
        level = (pen__cpu)named;
    }
    int none = -1;
    atomic_compare_exchange_strong(&chosen, &none, (int)level);
    return PEN_OK;
}

pen__cpu pen__cpu_level(void)
{
    int level = atomic_load(&chosen);
    return level >= 0 ? (pen__cpu)level : pen__cpu_init(NULL) == PEN_OK ? (pen__cpu)atomic_load(&chosen) : best();
}
