/* The best k of a row of scores, and the places of some of its items, under exclusions; see select.c. */
#ifndef PEN_RANK_SELECT_H
#define PEN_RANK_SELECT_H

#include <stdbool.h>

#include "rank/rank.h"

typedef struct pen__entry {
    uint64_t tie;
    float score;
    int32_t item;
} pen__entry;

/* The order of every ranking: a stands before b. */
static inline bool pen__before(const pen__entry *a, const pen__entry *b)
{
    if (a->score > b->score) return true;
    if (a->score < b->score) return false;
    bool a_is_nan = a->score != a->score, b_is_nan = b->score != b->score;
    if (a_is_nan != b_is_nan) return b_is_nan;
    return a->tie < b->tie;
}

/* A stretch of one user's scores: x[j] belongs to item name[j] (rising), or to first + j where name is NULL. */
typedef struct pen__stretch {
    const float *x;
    int64_t n;
    const int32_t *name;
    int32_t first;
} pen__stretch;

static inline int32_t pen__stretch_item(const pen__stretch *s, int64_t j) { return s->name ? s->name[j] : s->first + (int32_t)j; }

/* Where the item stands in the stretch, or -1. */
int64_t pen__stretch_position(const pen__stretch *stretch, int32_t item);

/* The best cap entries of the stretches shown so far: a heap whose root is the last of them. Stretches come in the order of
 * their items; `exclude` is the user's rising list, of which `passed` lie behind. */
typedef struct pen__top {
    pen__entry *heap; /* cap, the caller's */
    int32_t n, cap;
    uint64_t tie_key;
    const int32_t *exclude;
    int64_t n_exclude, passed;
} pen__top;

/* found: scratch of PEN_SCAN numbers. */
enum { PEN_SCAN = 1024 };
void pen__top_scan(pen__top *top, const pen__stretch *stretch, int32_t *found);

/* Empties the heap into the answer, best first. */
void pen__top_finish(pen__top *top, pen__answer *answer);

/* One target on its way to a place: how many items of the stretches shown so far stand before it. */
typedef struct pen__target {
    pen__entry entry;
    int64_t index; /* in ask.target */
    int64_t n_before;
} pen__target;

/* Adds what the stretch holds before each of n targets (sorted by pen__targets_sort). `passed` is a cursor into the
 * ask's excluded items, as in pen__top. */
void pen__targets_count(pen__target *target, int64_t n, const pen__stretch *stretch, uint64_t tie_key, const int32_t *exclude,
                        int64_t n_exclude, int64_t *passed);

/* Sorts into the order of the ranking, which pen__targets_count asks for. */
void pen__targets_sort(pen__target *target, int64_t n);

/* Whether the rising list has the item. */
bool pen__items_have(const int32_t *item, int64_t n, int32_t wanted);

#endif
