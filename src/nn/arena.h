/* Where a plan's nodes stand in one arena. A buffer is shared by all that do not live at the same time: values live
 * from the call that makes them to the last that reads them (in forward, or in backward where an op keeps them),
 * gradients from the first call that writes them to the call that consumes them, what a call holds beside them from its
 * forward to its backward. */
#ifndef PEN_NN_ARENA_H
#define PEN_NN_ARENA_H

#include "nn/op.h"

/* For training: every call, values and gradients, shards of up to rows[extent] rows. */
pen_status pen__layout_train(pen_context *ctx, const pen__plan *plan, const int64_t *rows, pen__layout **out,
                             pen_error *error);

/* For answers: only the calls that `node` needs, values only. */
pen_status pen__layout_answer(pen_context *ctx, const pen__plan *plan, int32_t node, const int64_t *rows,
                              pen__layout **out, pen_error *error);
void pen__layout_destroy(pen__layout *layout);

/* Reals of a node's buffer in it: of its values, and as many of its gradient. */
int64_t pen__node_reals(const pen__layout *layout, int32_t node);

/* Reals that a call holds in it from forward to backward, whether or not the layout is for training. */
int64_t pen__held_reals(const pen__layout *layout, const pen__call *call);

/* Bytes of memory that one answer at a time needs, and computing one: forward over `batch` (within the layout's
 * bounds), in fixed order, without randomness. row: of each table, one row that stands for all its indices, or NULL
 * (see pen__solve). The answer's values (rows, width) live in `memory` until its next use. Thread-safe on distinct
 * memory. */
size_t pen__infer_bytes(const pen__layout *layout);
const pen__real *pen__infer(const pen__layout *layout, void *memory, const pen__batch *batch, pen__real *const *row,
                            int32_t node);

/* Solving for one user whom the tables lack: the batch's loss is lowered by Adam over one row of each table in row[]
 * (NULL: fixed), which stands for all of that table's indices; everything else is fixed. `layout` is a training layout
 * with bounds for one shard; the rows begin as the caller left them, n_steps steps in all, `refill` renewing the batch
 * before each (NULL: as it is). Deterministic; thread-safe on distinct memory. */
/* Whether a row of `table` can be solved for: PEN_E_ARGUMENT where an op reads it otherwise than row by row. */
pen_status pen__solve_check(const pen__plan *plan, int32_t table, pen_error *error);
size_t pen__solve_bytes(const pen__layout *layout);
void pen__solve(const pen__layout *layout, void *memory, pen__batch *batch, pen__real *const *row, int32_t n_steps,
                double rate, double l2, void (*refill)(void *arg, int32_t step), void *arg);

#endif
