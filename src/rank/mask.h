/* What a question allows: allow and deny lists, an expression, a least popularity, as one mask over the items. */
#ifndef PEN_RANK_MASK_H
#define PEN_RANK_MASK_H

#include "penchant/query.h"
#include "rank/model.h"

typedef struct pen__mask {
    pen_context *ctx;
    uint8_t *allowed;                        /* n_items; NULL: all are */
    int32_t *item;                           /* the allowed ones, rising; NULL with allowed */
    int64_t n;                               /* how many are allowed */
    int64_t unknown_allowed, unknown_denied; /* ids of the lists that the model lacks */
} pen__mask;

/* The model needs its catalogue. Cost: one pass over the items where there is anything to filter. */
pen_status pen__mask_build(const pen_model *model, const pen_recommend_options *options, pen__mask *out,
                           pen_error *error);
void pen__mask_free(pen__mask *mask);

/* The items of `rising` that the mask allows. */
int64_t pen__mask_count(const pen__mask *mask, const int32_t *rising, int64_t n);

/* The best k of scores (n_items) that the mask allows, ties as everywhere. `exclude` is rising. item, score: k. */
pen_status pen__mask_top(const pen__mask *mask, const float *scores, int32_t n_items, uint64_t tie_key,
                         const int32_t *exclude, int64_t n_exclude, int32_t k, int32_t *item, float *score, int32_t *n,
                         pen_error *error);

/* The best k by events in training (their number is the score): what a fallback recommends. */
pen_status pen__popular_top(const pen_model *model, const pen__mask *mask, uint64_t tie_key, const int32_t *exclude,
                            int64_t n_exclude, int32_t k, int32_t *item, float *score, int32_t *n, pen_error *error);

static inline pen__span pen__span_from(pen_string string) { return (pen__span){string.bytes, string.length}; }
static inline pen_string pen__string_from(pen__span span) { return (pen_string){span.text, span.length}; }

#endif
