/* Which instruction set the vector kernels use: chosen once in a process, the best that the CPU has, or the one that
 * the environment variable PENCHANT_CPU names (scalar, avx2, avx512, neon).
 */
#ifndef PEN_BASE_CPU_H
#define PEN_BASE_CPU_H

#include <stdbool.h>

#include "base/error.h"

typedef enum pen__cpu {
    PEN_CPU_SCALAR = 0,
    PEN_CPU_AVX2 = 1,   /* with FMA */
    PEN_CPU_AVX512 = 2, /* F, BW, DQ, VL */
    PEN_CPU_NEON = 3,
    PEN_CPU_LEVELS = 4
} pen__cpu;

/* The first call that succeeds decides for the whole process; PENCHANT_CPU is not read again after that. Fails with
 * PEN_E_UNKNOWN where PENCHANT_CPU names no level and PEN_E_UNSUPPORTED where this machine lacks it. Thread-safe. */
pen_status pen__cpu_init(pen_error *error);

/* The level chosen; where pen__cpu_init has not succeeded, the best of the machine. Thread-safe. */
pen__cpu pen__cpu_level(void);

/* Whether this build and this machine can run the level. */
bool pen__cpu_has(pen__cpu level);

const char *pen__cpu_name(pen__cpu level);

#endif
