/* What the factor models share: rows padded for the kernels, and their first values. */
#ifndef PEN_MODEL_FACTOR_ROWS_H
#define PEN_MODEL_FACTOR_ROWS_H

#include "rank/model.h"

/* Rows are d factors and zeros up to a multiple of 8 floats. */
static inline int32_t pen__factor_width(int32_t d) { return (d + 7) / 8 * 8; }

/* Normal numbers with the given deviation in the first d of each row, from (seed, PEN_STREAM_INIT, side, row). */
pen_status pen__factor_init(pen_context *ctx, float *rows, int64_t n, int32_t d, double deviation, uint64_t seed,
                            int32_t side, pen_error *error);

/* <a, b> in double and in the order of k: what single predictions use. */
static inline double pen__factor_dot(const float *a, const float *b, int32_t n)
{
    double sum = 0;
    for (int32_t k = 0; k < n; k++) sum += (double)a[k] * (double)b[k];
    return sum;
}

#endif
