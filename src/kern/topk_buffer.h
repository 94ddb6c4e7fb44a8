/* The best k of a stream, for kern/topk*.c: candidates that reach the threshold go into a buffer of 2 k + 32 places;
 * when it is full a quickselect keeps the best k and the threshold rises to the last of them. A stream of n in random
 * order offers about k log2(n / k) candidates, each O(1) on average. */
#ifndef PEN_KERN_TOPK_BUFFER_H
#define PEN_KERN_TOPK_BUFFER_H

#include <math.h>
#include <string.h>

#include "kern/topk.h"

/* Sorted by rank rising: a plain order of three integers. */
typedef struct pen__entry {
    uint32_t rank; /* of the score, higher scores smaller: see pen__score_rank */
    int32_t item;
    uint64_t tie;
} pen__entry;

typedef struct pen__top {
    pen__entry *entries; /* room for pen__top_room(k) */
    uint64_t key;
    int32_t k, n;
    float threshold; /* a candidate below it has no chance; -infinity while fewer than k are there */
    uint32_t worst;  /* rank of the threshold, and the last tie among the best k that have it: where much of a */
    uint64_t tie;    /* catalogue has one score, most of it goes no further */
} pen__top;

static inline int64_t pen__top_room(int32_t k) { return 2 * (int64_t)k + 32; }

/* Floats in their order as integers, turned round; -0 as +0, every NaN last. */
static inline uint32_t pen__score_rank(float score)
{
    uint32_t bits;
    if (score != score) return UINT32_MAX;
    score += 0.0f;
    memcpy(&bits, &score, sizeof bits);
    return bits >> 31 ? bits : ~(bits | 0x80000000u);
}

static inline float pen__rank_score(uint32_t rank)
{
    if (rank == UINT32_MAX) return NAN;
    uint32_t bits = rank >> 31 ? rank : ~rank & 0x7FFFFFFFu;
    float score;
    memcpy(&score, &bits, sizeof score);
    return score;
}

static inline void pen__top_begin(pen__top *top, pen__entry *entries, int32_t k, uint64_t key)
{
    *top = (pen__top){entries, key, k, 0, -INFINITY, UINT32_MAX, UINT64_MAX};
}

void pen__top_shrink(pen__top *top);

/* The caller has asked whether the item is excluded and the score reaches the threshold. */
static inline void pen__top_offer(pen__top *top, float score, int32_t item)
{
    pen__entry entry = {pen__score_rank(score), item, pen__tie(top->key, item)};
    if (entry.rank == top->worst && entry.tie > top->tie) return;
    top->entries[top->n++] = entry;
    if (top->n == pen__top_room(top->k)) pen__top_shrink(top);
}

/* Sorts what is left of the best k into items and scores (may be NULL); returns their number. */
int32_t pen__top_end(pen__top *top, int32_t *items, float *scores);

static inline bool pen__denied(const uint64_t *denied, int32_t item)
{
    return denied && (denied[item >> 6] >> (item & 63) & 1);
}

#endif
