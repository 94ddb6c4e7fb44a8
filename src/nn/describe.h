/* A network as JSON: what it computes, how much, and where it stands in memory. */
#ifndef PEN_NN_DESCRIBE_H
#define PEN_NN_DESCRIBE_H

#include "base/text.h"
#include "nn/arena.h"
#include "nn/optimiser.h"

typedef struct pen__description {
    const pen__plan *plan;
    const pen__layout *train;  /* bound to a shard of training's batches */
    const pen__layout *answer; /* or NULL: answers do not run the plan */
    const pen__layout *solve;  /* or NULL: nobody is solved for (nn/solve.c) */
    const char *answers;       /* what the answer's node is, for people; or NULL */
    const int64_t *batch_rows; /* of training's batches, by extent */
    int32_t n_shards, n_workers;
    pen__optimiser optimiser;
    bool averages; /* nn/average.h */
} pen__description;

/* {"batch", "ops", "weights", "tables", "training", "answer", "solve"}: members of an object, without its braces. What
 * each says stands in penchant/query.h (pen_model_plan). */
void pen__describe(const pen__description *d, pen__text *out);

#endif
