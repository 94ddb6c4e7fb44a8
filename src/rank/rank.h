/* Ranking: the best items of a user under masks and filters, and what evaluation asks of a ranking. Works on any model:
 * by fused kernels where the model has vectors, by dense scores for one user at a time otherwise.
 *
 * Order everywhere: higher score first; equal scores by pen__tie(user's key, item), smaller first (kern/topk.h). NaN
 * is last.
 */
#ifndef PEN_RANK_RANK_H
#define PEN_RANK_RANK_H

#include "kern/topk.h"
#include "rank/model.h"

/* A user's key: from the bytes of the id, so that a ranking does not depend on the numbering of users. */
static inline uint64_t pen__tie_key(const void *id, size_t length) { return pen__hash(id, length); }

/* One user's question. */
typedef struct pen__ask {
    pen__user user;
    uint64_t tie_key;       /* pen__tie_key of the user's id (of the history's items where there is none) */
    const int32_t *exclude; /* rising item numbers that must not appear (seen), n_exclude of them */
    int64_t n_exclude;
    const int32_t *candidate; /* only these are ranked (any order, repeats and -1 do not count); NULL: all items */
    int64_t n_candidate;
    const int32_t *target; /* whose places are wanted where answer.place is set; -1 is allowed and has no place */
    int64_t n_target;
} pen__ask;

/* The answer: caller's buffers. */
typedef struct pen__answer {
    int32_t *item; /* k */
    float *score;  /* k */
    int32_t n;     /* how many there are, at most k */
    /* n_target: 1 is the best; 0 where the target is not ranked; NULL where not asked: places cost a pass */
    int64_t *place;
    int64_t n_ranked; /* how many items were ranked: AUC needs it */
} pen__answer;

/* Answers n questions (in parallel, in blocks; the same bits however they are grouped). `allowed`: n_items bytes, 0
 * excludes an item for everybody; NULL: all are allowed. */
pen_status pen__rank(const pen_model *model, const pen__ask *ask, pen__answer *answer, int64_t n, int32_t k,
                     const uint8_t *allowed, pen_error *error);

/* The same for who asks often: what is prepared once (the items' factors packed for the kernels) is kept. A ranker is
 * immutable; the model and `allowed` must outlive it. */
typedef struct pen__ranker pen__ranker;
pen_status pen__ranker_open(const pen_model *model, const uint8_t *allowed, pen__ranker **out, pen_error *error);
pen_status pen__ranker_run(const pen__ranker *ranker, const pen__ask *ask, pen__answer *answer, int64_t n, int32_t k,
                           pen_error *error);
void pen__ranker_close(pen__ranker *ranker); /* NULL is allowed */

/* The ranker of all items that every query of a trained model shares; it lives as long as the model. Thread-safe: made
 * by the first call. */
pen_status pen__model_ranker(const pen_model *model, const pen__ranker **ranker, pen_error *error);

/* Score of one item as pen__rank gives it. */
pen_status pen__score_one(const pen_model *model, const pen__user *user, int32_t item, float *score, pen_error *error);

/* Predicted ratings of n items (-1: one that the model lacks) by one user, clipped to training's range. PEN_E_DIVERGED
 * where the model's answer is not a number. */
pen_status pen__rate(const pen_model *model, const pen__user *user, const int32_t *item, double *rating, int64_t n,
                     pen_error *error);

/* The same with the caller's scratch (the class's `scratch` bytes): in shards. */
pen_status pen__rate_with(const pen_model *model, const pen__user *user, const int32_t *item, double *rating, int64_t n,
                          void *scratch, pen_error *error);

/* Sorts items, removes repeats and negatives; returns how many are left: an ask's `exclude` from a history. */
int64_t pen__items_sort_unique(int32_t *item, int64_t n);

/* Bytes of scratch that one thread needs in the calls of the model's class. */
size_t pen__model_scratch(const pen_model *model);

/* Scores of n items alone, of a model without vectors; `all`: pen__model_score_room floats. */
size_t pen__model_score_room(const pen_model *model);
pen_status pen__model_score_some(const pen_model *model, const pen__user *user, const int32_t *item, int64_t n,
                                 void *scratch, float *all, float *out, pen_error *error);

#endif
