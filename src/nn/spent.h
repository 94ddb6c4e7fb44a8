/* Where a run's time goes: seconds of all its threads, by op, of stepping, of preparing batches. Each worker counts for
 * itself. Cost: two looks at the clock a call and shard. */
#ifndef PEN_NN_SPENT_H
#define PEN_NN_SPENT_H

#include "base/text.h"
#include "nn/op.h"

enum { PEN_SPENT_UPDATE, PEN_SPENT_BATCHES, PEN_SPENT_OTHERS };

typedef struct pen__spent {
    const pen__plan *plan;
    int32_t n_workers;
    double *seconds; /* (n_workers, 2 n_calls + PEN_SPENT_OTHERS): forward and backward of each call, the others; NULL:
                        nobody asks */
} pen__spent;

pen_status pen__spent_make(pen_context *ctx, const pen__plan *plan, int32_t n_workers, pen__spent *out,
                           pen_error *error);
void pen__spent_free(pen_context *ctx, pen__spent *spent);

/* A worker's own seconds, or NULL. */
static inline double *pen__spent_of(const pen__spent *spent, int worker)
{
    return spent->seconds ? spent->seconds + worker * (2 * spent->plan->n_calls + PEN_SPENT_OTHERS) : NULL;
}
static inline int32_t pen__spent_at(const pen__plan *plan, int32_t other) { return 2 * plan->n_calls + other; }

/* Appends a JSON object, {"linear": [forward, backward], ..., "update": s, "batches": s}, calls of one op added up, and
 * begins anew. */
void pen__spent_tell(pen__spent *spent, pen__text *out);

#endif
