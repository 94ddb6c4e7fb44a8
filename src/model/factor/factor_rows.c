/* Rows of factors: first values by counters, so that a row's do not depend on who computes them. */
#include "model/factor/factor_rows.h"

#include <math.h>

#include "base/random.h"
#include "base/thread.h"

enum { GRAIN = 1024 };

typedef struct init_work {
    float *rows;
    int64_t n;
    int32_t d, side;
    double deviation;
    uint64_t seed;
} init_work;

static pen_status init_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    const init_work *work = arg;
    int64_t n_shards = pen__shards(work->n, GRAIN), end = pen__shard_begin(work->n, n_shards, shard + 1);
    for (int64_t r = pen__shard_begin(work->n, n_shards, shard); r < end; r++) {
        pen__rng rng = pen__rng_begin(work->seed, PEN_STREAM_INIT, 2 * (uint64_t)r + (uint64_t)work->side);
        float *row = work->rows + r * pen__factor_width(work->d);
        for (int32_t k = 0; k < work->d; k++) row[k] = (float)(work->deviation * pen__rng_normal(&rng));
    }
    return PEN_OK;
}

pen_status pen__factor_init(pen_context *ctx, float *rows, int64_t n, int32_t d, double deviation, uint64_t seed,
                            int32_t side, pen_error *error)
{
    init_work work = {rows, n, d, side, deviation, seed};
    return pen__parallel(ctx, pen__shards(n, GRAIN), init_shard, &work, error);
}
