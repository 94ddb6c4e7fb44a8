/* Exact top k and exact ranks over the whole catalogue, without an array of users x items.
 *
 * The order, everywhere: higher score first; equal scores (+0 equals -0) by smaller pen__tie(user key, item), then by
 * smaller item. NaN is lower than minus infinity. An item that is excluded (seen or denied) never takes a place.
 * Results depend on the data alone, and scores are those of kern/kern.h: the same bits for any batch, level and
 * number of threads.
 */
#ifndef PEN_KERN_TOPK_H
#define PEN_KERN_TOPK_H

#include "base/random.h"
#include "kern/panels.h"

/* The order among equal scores. `user_key` is the same for one user wherever it is ranked. */
static inline uint64_t pen__tie(uint64_t user_key, int32_t item)
{
    return pen__mix64(pen__mix64(user_key) ^ ((uint64_t)(uint32_t)item * 0x9E3779B97F4A7C15u + 0xD1B54A32D192ED03u));
}

/* Whether (score a, item a) comes before (score b, item b) for this user. */
static inline bool pen__ahead(uint64_t user_key, float score_a, int32_t a, float score_b, int32_t b)
{
    if (score_a > score_b) return true;
    if (score_a < score_b) return false;
    if (score_a != score_b && (score_a == score_a || score_b == score_b)) return score_a == score_a; /* one is NaN */
    uint64_t tie_a = pen__tie(user_key, a), tie_b = pen__tie(user_key, b);
    return tie_a < tie_b || (tie_a == tie_b && a < b);
}

/* ---- many users by their vectors ------------------------------------------------------------------------------------
 * The j-th user of the job, j in [0, n_users), is row r = rows[j] (j itself where rows is NULL) of `users`, `seen_at`
 * and `target_at`; its results are at j, but those of targets at the targets' own places. */
typedef struct pen__rank_job {
    const pen__panels *items;
    const float *users; /* row r at users + r * stride, items->d floats */
    int64_t stride;
    const int32_t *rows;
    int64_t n_users;
    const uint64_t *keys; /* (n_users) for pen__tie; NULL: r */

    const int64_t *seen_at; /* items seen[seen_at[r] .. seen_at[r+1]) are excluded; NULL: none */
    const int32_t *seen;    /* rising within a row (doubles allowed); numbers out of range exclude nothing */
    const uint64_t *denied; /* bit i % 64 of word i / 64: item i is excluded for everybody; NULL: none */

    int32_t k;          /* 0: no lists */
    int32_t *top_items; /* (n_users, k), best first, -1 where fewer than k are allowed */
    float *top_scores;  /* (n_users, k), 0 beside -1; NULL: not wanted */

    const int64_t *target_at; /* NULL: no ranks */
    const int32_t *targets;   /* in [0, n_items), any order */
    /* for each target (also an excluded one): the items that are not excluded and come before it */
    int64_t *better;
} pen__rank_job;

/* In parallel over blocks of users; scratch of about users-in-a-block * (2 k + 32) * 16 bytes a worker, 96 users in a
 * block. */
pen_status pen__rank_vectors(pen_context *ctx, const pen__rank_job *job, pen_error *error);

/* ---- one user by a dense vector of scores
 * ------------------------------------------------------------------------------ For models that fill n_items scores
 * themselves. In the calling thread; nothing is allocated but a buffer of (2 k + 32) * 16 bytes that the caller brings
 * (pen__top_bytes). */
typedef struct pen__exclude {
    const int32_t *seen; /* rising */
    int64_t n_seen;
    const uint64_t *denied; /* as above; NULL: none */
} pen__exclude;

size_t pen__top_bytes(int32_t k);

/* Best first into items and scores (NULL: not wanted), at most k; returns their number. `exclude` may be NULL. */
int32_t pen__top_dense(const float *scores, int64_t n_items, uint64_t user_key, const pen__exclude *exclude, int32_t k,
                       void *buffer, int32_t *items, float *top_scores);

/* The same over n candidates: scores[j] is of candidates[j] (different items, any order). */
int32_t pen__top_candidates(const float *scores, const int32_t *candidates, int64_t n, uint64_t user_key,
                            const pen__exclude *exclude, int32_t k, void *buffer, int32_t *items, float *top_scores);

/* The number of items that are not excluded and come before `target` (in range). */
int64_t pen__rank_dense(const float *scores, int64_t n_items, uint64_t user_key, const pen__exclude *exclude,
                        int32_t target);

#endif
