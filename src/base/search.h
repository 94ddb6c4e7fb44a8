/* Binary search in rising numbers: O(log n). */
#ifndef PEN_BASE_SEARCH_H
#define PEN_BASE_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

/* The first place in [low, high) of rising x whose number is not below `wanted`; high where all are. */
static inline int64_t pen__first_at_least(const int32_t *x, int64_t low, int64_t high, int64_t wanted)
{
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (x[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Its place in [low, high), or -1. */
static inline int64_t pen__place_of(const int32_t *x, int64_t low, int64_t high, int32_t wanted)
{
    int64_t at = pen__first_at_least(x, low, high, wanted);
    return at < high && x[at] == wanted ? at : -1;
}

/* The segment that holds place `at`, for rising offsets begin[n + 1], begin[0] <= at < begin[n]; never an empty one. */
static inline int64_t pen__segment_of(const int64_t *begin, int64_t n, int64_t at)
{
    int64_t low = 0, high = n;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (begin[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

#endif
