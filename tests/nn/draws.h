/* Numbers that tests and the scripts of their golden numbers (draws.py) draw alike. */
#ifndef PEN_TESTS_DRAWS_H
#define PEN_TESTS_DRAWS_H

#include <stdint.h>

static inline uint32_t bits(uint32_t seed, uint32_t i)
{
    uint32_t h = i * 2654435761u + seed * 2246822519u;
    h = (h ^ h >> 15) * 2246822519u;
    h ^= h >> 13;
    return h >> 8;
}

/* In [-0.5, 0.5), exact in float too. */
static inline double draw(uint32_t seed, uint32_t i) { return (double)bits(seed, i) / 16777216 - 0.5; }

static inline int32_t below(int seed, int i, int32_t n)
{
    return (int32_t)(bits((uint32_t)seed, (uint32_t)i) % (uint32_t)n);
}

#endif
