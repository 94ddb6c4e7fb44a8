/* The k most similar objects of every object, by sparse products: the all-pairs engine under item-knn. */
#ifndef PEN_MODEL_KNN_NEIGHBOURS_H
#define PEN_MODEL_KNN_NEIGHBOURS_H

#include "model/neighbour/knn_vectors.h"

/* Row o: the neighbours of o, most similar first; equal similarities by smaller number. `power` is applied. */
typedef struct pen__neighbours {
    pen_context *ctx;
    int32_t n, k;
    int64_t *begin; /* n + 1 */
    uint64_t *key;  /* n x room: similarity and number in one, sorted */
    int32_t room;
} pen__neighbours;

/* `model` (may be NULL) gets the progress, in events. */
pen_status pen__neighbours_find(pen_context *ctx, pen_model *model, const pen__vectors *vectors, int32_t k,
                                pen__neighbours *out, pen_error *error);

/* Writes them out: begin[n] numbers and similarities. */
void pen__neighbours_write(const pen__neighbours *neighbours, double power, int32_t *number, float *similarity);
void pen__neighbours_free(pen__neighbours *neighbours);

/* Bytes that pen__neighbours_find holds at its largest, for a model of this size. */
uint64_t pen__neighbours_memory(int64_t n_objects, int64_t n_features, int64_t n_events, int32_t k, bool valued,
                                int n_workers);

/* ---- the best of many, by one integer: also for user-knn's choice ------------------------------------------------ */

/* A positive similarity and a number as one key: larger is better (more similar, then the smaller number). */
static inline uint64_t pen__neighbour_key(float similarity, int32_t number)
{
    uint32_t bits;
    __builtin_memcpy(&bits, &similarity, sizeof bits);
    return (uint64_t)bits << 32 | (uint32_t)~number;
}

static inline float pen__neighbour_similarity(uint64_t key)
{
    uint32_t bits = (uint32_t)(key >> 32);
    float similarity;
    __builtin_memcpy(&similarity, &bits, sizeof similarity);
    return similarity;
}

static inline int32_t pen__neighbour_number(uint64_t key) { return (int32_t) ~(uint32_t)key; }

/* Puts the k largest of n keys first, in no order (all of them where n <= k). */
void pen__neighbours_select(uint64_t *key, int64_t n, int64_t k);

/* Largest first. */
void pen__neighbours_sort(uint64_t *key, int64_t n);

#endif
