/* Averaged weights: beside each weight and table row the exponential average of what it was after each step,
 *
 *     a_t = (1 - decay) / (1 - decay^t) sum_(s <= t) decay^(t - s) w_s
 *
 * so that the first steps are not held back by where they began. Within an epoch the sum without its first factor's
 * divisor is kept, m_t = decay m_(t-1) + (1 - decay) w_t, a_t = m_t / (1 - decay^t). A row that steps leave alone is
 * caught up with when it is next touched, or at the epoch's end, for w stood still: k steps are
 * m = decay^k m + (1 - decay^k) w. Cost: a step reads and writes one more row for each that it touches; an epoch makes
 * two passes over all of them. Memory: one more copy of what is learned (the caller's) and 4 bytes a row.
 *
 * Polyak, Juditsky: "Acceleration of stochastic approximation by averaging" (SIAM J. Control Optim., 1992). */
#ifndef PEN_NN_AVERAGE_H
#define PEN_NN_AVERAGE_H

#include "nn/plan.h"

typedef struct pen__average pen__average;

/* Of all weights and tables of the plan, whose `average` says where. decay in (0, 1). */
pen_status pen__average_create(pen_context *ctx, const pen__plan *plan, double decay, pen__average **out,
                               pen_error *error);
void pen__average_destroy(pen__average *average); /* NULL is allowed */

/* Before step `step` (from 0) and after the steps of an epoch: between the two the averages are sums, and of no use to
 * others. The end takes account of as many steps as were begun. */
void pen__average_begin(pen__average *average, uint64_t step);
void pen__average_end(pen__average *average);

/* Of step `step`: to be called before rows and weights move; then for each row before and after it moves; for a part of
 * a weight, n reals from `low`, after. Thread-safe on distinct rows and parts. */
void pen__average_step(pen__average *average, uint64_t step);
void pen__average_before(pen__average *average, int32_t table, int64_t row);
void pen__average_after(pen__average *average, int32_t table, int64_t row);
void pen__average_weight(pen__average *average, int32_t weight, int64_t low, int64_t n);

#endif
