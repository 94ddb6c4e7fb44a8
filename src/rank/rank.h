/* Ranking: the best items of a user under masks and filters, and what evaluation asks of a ranking. Works on any model:
 * by fused kernels where the model has vectors, by dense scores for one user at a time otherwise.
 *
 * Order everywhere: higher score first; equal scores by pen__tie(user's key, item), smaller first. NaN is last.
 */
#ifndef PEN_RANK_RANK_H
#define PEN_RANK_RANK_H

#include "rank/model.h"

/* One user's question. */
typedef struct pen__ask {
    pen__user user;
    uint64_t tie_key;            /* hash of the user's id (or of the history where there is none) */
    const int32_t *exclude;      /* rising item numbers that must not appear (seen), n_exclude of them */
    int64_t n_exclude;
    const int32_t *candidate;    /* only these are ranked (any order), or NULL: the full catalogue */
    int64_t n_candidate;
    const int32_t *target;       /* whose places are wanted, or NULL; -1 is allowed and has no place */
    int64_t n_target;
} pen__ask;

/* The answer: caller's buffers. */
typedef struct pen__answer {
    int32_t *item;   /* k */
    float *score;    /* k */
    int32_t n;       /* how many there are, at most k */
    int64_t *place;  /* n_target: 1 is the best; 0 where the target is excluded or -1; NULL where not asked */
    int64_t n_ranked; /* how many items were ranked: AUC needs it */
} pen__answer;

/* Answers n questions (in parallel, in blocks; the same bits however they are grouped). `allowed`: n_items bytes, 0 excludes
 * an item for everybody; NULL: all are allowed. */
pen_status pen__rank(const pen_model *model, const pen__ask *ask, pen__answer *answer, int64_t n, int32_t k, const uint8_t *allowed,
                     pen_error *error);

/* Score of one item as pen__rank gives it. */
pen_status pen__score_one(const pen_model *model, const pen__user *user, int32_t item, float *score, pen_error *error);

/* Predicted ratings of n (user, item) pairs, clipped to training's range. */
pen_status pen__rate(const pen_model *model, const pen__user *user, const int32_t *item, double *rating, int64_t n, pen_error *error);

#endif
