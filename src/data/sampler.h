/* Draws from a weighted set in constant time: Walker's alias tables (Vose: "A linear algorithm for generating random
 * numbers with a given distribution", 1991). A table costs 8 bytes an entry and O(n) to make. */
#ifndef PEN_DATA_SAMPLER_H
#define PEN_DATA_SAMPLER_H

#include "base/error.h"
#include "base/random.h"

typedef struct pen__alias {
    uint32_t keep; /* of 2^32: how often the entry stays itself */
    int32_t other; /* what it is otherwise */
} pen__alias;

/* Fills table[n] for weights (each >= 0; all zero: uniform), which it destroys. `scratch`: n numbers. */
void pen__alias_build(double *weight, int32_t n, int32_t *scratch, pen__alias *table);

/* One draw from 0..n-1, n > 0. */
static inline int32_t pen__alias_draw(const pen__alias *table, int32_t n, pen__rng *rng)
{
    uint64_t bits = pen__rng_next(rng);
    int32_t i = (int32_t)((bits >> 32) * (uint64_t)(uint32_t)n >> 32);
    return (uint32_t)bits < table[i].keep ? i : table[i].other;
}

#endif
