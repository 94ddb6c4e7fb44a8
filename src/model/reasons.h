/* The largest shares of a score, and the rest of it in one: so that the shares add up however few are asked for. */
#ifndef PEN_MODEL_REASONS_H
#define PEN_MODEL_REASONS_H

#include <math.h>

#include "rank/model.h"

typedef struct pen__reasons {
    pen__reason *out;
    /* out[first .. n) are the largest so far, falling by size; one place of cap is left for the rest */
    int32_t first, n, cap;
    double rest;
    bool more;
} pen__reasons;

/* `taken` reasons are there already. */
static inline pen__reasons pen__reasons_begin(pen__reason *out, int32_t cap, int32_t taken)
{
    return (pen__reasons){.out = out, .first = taken, .n = taken, .cap = cap};
}

static inline void pen__reasons_add(pen__reasons *r, int32_t item, float share)
{
    if (share == 0) return;
    int32_t at = r->n;
    while (at > r->first && fabsf(r->out[at - 1].share) < fabsf(share)) at--;
    if (at >= r->cap - 1) {
        r->rest += (double)share;
        r->more = true;
        return;
    }
    if (r->n == r->cap - 1) {
        r->rest += (double)r->out[--r->n].share;
        r->more = true;
    }
    for (int32_t i = r->n++; i > at; i--) r->out[i] = r->out[i - 1];
    r->out[at] = (pen__reason){item, share, NULL};
}

/* Returns the number of reasons. */
static inline int32_t pen__reasons_end(pen__reasons *r)
{
    if (r->more && r->n < r->cap) r->out[r->n++] = (pen__reason){-1, (float)r->rest, "the rest of the history"};
    return r->n;
}

#endif
