/* Regularised least squares for many rows that share a table: the half sweep of alternating least squares.
 *
 * Matrices lie as kern/kern.h says (pen__matrix_stride, pen__matrix_floats). Results depend on the data and the level
 * alone, never on the number of threads or on how rows are cut into calls.
 */
#ifndef PEN_KERN_LINALG_H
#define PEN_KERN_LINALG_H

#include "kern/kern.h"
#include "penchant/context.h"

/* out = Q'Q of n rows of d floats (row i at table + i * stride), both d and the columns up to the stride. In parallel
 * over shards whose number depends on n alone, added in their order. out is pen__matrix_floats(d) floats. */
pen_status pen__gram(pen_context *ctx, const float *table, int64_t n, int64_t d, int64_t stride, float *out,
                     pen_error *error);

/* For each row r in [0, n_rows):
 *
 *     A_r = base + sum_e w[e] q q' + l2_r I,   b_r = sum_e v[e] q,   out_r = A_r^-1 b_r
 *
 * over the events e in [at[r], at[r+1]), q row cols[e] of the table. */
typedef struct pen__normal {
    int64_t n_rows, d;  /* d from 1 */
    const float *table; /* q, row i at table + i * stride */
    int64_t stride;
    const int64_t *at; /* (n_rows + 1) */
    const int32_t *cols;
    const float *w, *v; /* one for each event; NULL: w_all, v_all for all */
    float w_all, v_all;
    const float *base; /* a matrix, or NULL: zero */
    const float *l2;   /* (n_rows), or NULL: l2_all */
    float l2_all;
    float *out; /* row r at out + r * out_stride, d floats */
    int64_t out_stride;
    float *gain; /* (n_rows), gets b_r' out_r: how far the solve brings the squared error down; or NULL */
} pen__normal;

/* Scratch of one thread, in floats, aligned to 64 bytes. */
size_t pen__normal_scratch(int64_t d);

/* Rows begin .. end - 1 in the calling thread. *n_failed gets the number
 * of rows whose A_r was not positive definite in float: their out rows are left as they were. */
void pen__normal_solve(const pen__normal *job, int64_t begin, int64_t end, float *scratch, int64_t *n_failed);

/* One row with a constant: x (d floats) and *constant minimise
 *
 *     sum_e (value[e] - mean - <x, q> - constant)^2 + l2 (|x|^2 + constant^2)
 *
 * over n events, q row cols[e] of the table (d floats each, one behind another). Zeros where the system is not positive
 * definite in float. scratch: pen__ridge_scratch floats, aligned to 64 bytes. */
typedef struct pen__ridge {
    int64_t d, n;
    const float *table;
    const int32_t *cols;
    const float *value;
    float mean, l2;
} pen__ridge;
size_t pen__ridge_scratch(int64_t d);
void pen__ridge_solve(const pen__ridge *job, float *scratch, float *x, float *constant);

/* All rows, in parallel. */
pen_status pen__normal_solve_all(pen_context *ctx, const pen__normal *job, int64_t *n_failed, pen_error *error);

#endif
