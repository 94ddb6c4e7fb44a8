/* Half a sweep of alternating least squares: every row of one side, with the other side fixed.
 *
 * The job is the one of kern/linalg.h: A_r = base + sum w q q' + l2_r I, b_r = sum v q. The half sweep also says what
 * the squared error has become,
 *
 *     f = sum_r [ x' base x + l2_r |x|^2 + sum_e (w y_e^2 - 2 v y_e + v) ],   y_e = <x_r, q_e>
 *
 * which is the objective of weighted least squares against targets of 1, less the other side's regularisation. The same
 * bits for any number of threads.
 */
#ifndef PEN_MODEL_ALS_SWEEP_H
#define PEN_MODEL_ALS_SWEEP_H

#include "kern/linalg.h"
#include "rank/model.h"

typedef struct pen__half_sweep {
    pen__normal job; /* its base is symmetric here: both triangles are read where block > 0 */
    /* 0: each row is solved exactly; else columns of a block, solved one block after the other (iALS++) */
    int32_t block;
    pen_model *model; /* for progress */
    int64_t done;     /* training's events done before it in this epoch, out of n_events */
    int64_t share;    /* and how many this half counts for */
    double objective; /* out: f */
    int64_t n_failed; /* out: rows whose A_r was not positive definite in float */
} pen__half_sweep;

pen_status pen__half_sweep_run(pen__half_sweep *half, pen_error *error);

/* Bytes that a half sweep allocates: shards are the data's, scratch is for each worker. */
uint64_t pen__half_sweep_memory(const pen_context *ctx, int64_t n_rows, int64_t d);

#endif
