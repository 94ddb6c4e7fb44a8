/* Training steps: a batch's shards forward and backward in parallel, gradients summed in shard order, one step of the
 * optimiser.
 *
 * The number of shards depends on the batch alone (its examples over `grain`, at most 16), so that one thread and
 * sixteen give the same bits. A step has two parallel regions (three with clipping, two more for each global op):
 *   compute   every shard's forward and backward; beside it whatever the caller prepares for later steps;
 *   update    the dense block in runs, each table's touched rows in runs: sum the gradients in order, step.
 * Nothing is allocated in a step once the run is bound to bounds that the batches keep. */
#ifndef PEN_NN_RUN_H
#define PEN_NN_RUN_H

#include "base/thread.h"
#include "nn/arena.h"
#include "nn/average.h"
#include "nn/optimiser.h"
#include "nn/spent.h"
#include "nn/touched.h"

enum { PEN_MAX_TABLES = 16 };

/* The optimiser's memory, borrowed: each NULL where pen__optimiser_slots is smaller. A table's slot has the table's
 * shape (one number a row for rowwise-adagrad), the dense ones plan->n_dense numbers. */
typedef struct pen__slots {
    pen__real *dense[2];
    pen__real *table[PEN_MAX_TABLES][2];
} pen__slots;

typedef struct pen__run_options {
    int32_t grain; /* examples of a shard, > 0 */
    pen__learning learning;
    uint64_t seed;
    pen__slots slots;
    double average; /* the decay of averaged weights, in (0, 1): then the plan says where they are; 0: none */
    bool norms;     /* report the gradient's norm also where nothing is clipped */
    bool spent;     /* count seconds: pen__run_spent */
} pen__run_options;

typedef struct pen__run pen__run;

/* The plan must be ended and its weights and tables set. */
pen_status pen__run_create(pen_context *ctx, const pen__plan *plan, const pen__run_options *options, pen__run **out,
                           pen_error *error);
void pen__run_destroy(pen__run *run);

/* Shards of a batch of n examples, and the first example of shard s (s may be the number of shards). */
int32_t pen__run_shards(const pen__run *run, int64_t n);
int32_t pen__run_cut(int64_t n, int32_t grain); /* the same, of a run with that grain */
static inline int64_t pen__run_first(int64_t n, int32_t n_shards, int32_t s)
{
    return pen__shard_begin(n, n_shards, s);
}

/* Raises *rows to the rows of the largest shard of the batch, and batch_rows to its rows: bounds for pen__run_bind. */
void pen__run_measure(const pen__run *run, const pen__batch *batch, int64_t *shard_rows, int64_t *batch_rows);

/* Makes room for shards of shard_rows[extent] and batches of batch_rows[extent] rows. Bounds only grow. */
pen_status pen__run_bind(pen__run *run, const int64_t *shard_rows, const int64_t *batch_rows, pen_error *error);

/* Bytes that a run holds which is bound so: arenas, gradients. */
pen_status pen__run_bytes(const pen__run *run, const int64_t *shard_rows, const int64_t *batch_rows, uint64_t *bytes,
                          pen_error *error);

/* The same of a run of `workers` that is bound to a training layout and to batches of batch_rows[extent] rows in
 * n_shards; and how many arenas it has. */
typedef struct pen__run_memory {
    int32_t arenas;
    uint64_t arena, scratch; /* of all arenas, of all workers */
    uint64_t dense, lookups; /* gradients: of the dense block, of rows looked up */
    uint64_t tables;         /* of tables whose every row has one */
} pen__run_memory;
pen__run_memory pen__run_memory_of(const pen__layout *layout, const int64_t *batch_rows, int32_t n_shards,
                                   int32_t n_workers);

/* Work beside the computing: fn(arg, 0..n-1) runs in the compute region, before the shards where workers are free. */
typedef struct pen__beside {
    pen__shard_fn fn;
    void *arg;
    int64_t n;
} pen__beside;

/* What a step said. */
typedef struct pen__step_report {
    double loss; /* the sum of the plan's losses */
    double norm; /* of the whole gradient, before clipping, where it is clipped or asked for; else 0 */
    double rate; /* the learning rate, by schedule and warm-up */
} pen__step_report;

/* Step number `step` (from 0) on a batch whose tables' touched rows are `touched` (one for each table,
 * pen__touched_build with pen__run_shards shards). beside may be NULL. After a failure the weights may be between two
 * steps. */
pen_status pen__run_step(pen__run *run, const pen__batch *batch, const pen__touched *touched, uint64_t step,
                         const pen__beside *beside, pen__step_report *report, pen_error *error);

/* Averages: to be called before an epoch's first step (number `step` of the whole training) and behind its last, also
 * where that failed. Nothing without options.average. */
void pen__run_average_begin(pen__run *run, uint64_t step);
void pen__run_average_end(pen__run *run);

/* Where the time went since this was asked last, as JSON (pen__spent_tell); nothing where nobody counts. */
void pen__run_spent(pen__run *run, pen__text *out);

/* How often schedule=plateau has halved the rate so far. */
void pen__run_halve(pen__run *run, int32_t halvings);

/* The same without the step of the optimiser: the summed gradient of the dense block stands in `dense` (n_dense), that
 * of each table in table[t] (all its rows; NULL: not wanted). For proofs and for people who look inside. */
pen_status pen__run_gradients(pen__run *run, const pen__batch *batch, uint64_t step, pen__real *dense,
                              pen__real *const *table, double *loss, pen_error *error);

#endif
