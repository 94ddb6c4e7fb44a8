/* One row of a rating model in closed form: ridge or lasso regression of residuals on the other side's rows. ALS does
 * it for every row, fold-in for a new user's. */
#ifndef PEN_MODEL_NORMAL_ROW_H
#define PEN_MODEL_NORMAL_ROW_H

#include <stddef.h>
#include <stdint.h>

/* x minimises sum_e (y_e - <x, z_e>)^2 + n sum_k penalty_k x_k^2 + 2 n l1 sum_{k < d} |x_k|, where z_e is a row of
 * factors with, where `biased`, a 1 behind it. Penalties grow with the number n of events, as those of SGD do, which
 * pays them at each event. */
typedef struct pen__normal_row {
    int32_t d, width; /* factors, and floats in a row of them */
    int32_t biased;
    double l2, bias_l2, l1;
    const float *rows, *bias; /* the other side's (.., width) and (..) */
    double mean;
} pen__normal_row;

/* Bytes of scratch. */
size_t pen__normal_row_scratch(int32_t d);

/* out (width floats, its padding untouched) and *out_bias (0 where not biased) of the row with n events; n == 0 gives
 * zeros. */
void pen__normal_row_solve(const pen__normal_row *work, const int32_t *column, const float *value, int64_t n,
                           void *scratch, float *out, float *out_bias);

/* w (d floats and, where biased, one behind them) by which event e gives y_e <z_e, w> to <out, rows[item]>, without the
 * bias: what the ridge regression of this row says of the other side's row `item`. L1 is left out of account. n == 0
 * gives zeros. */
void pen__normal_row_weigh(const pen__normal_row *work, const int32_t *column, const float *value, int64_t n,
                           int32_t item, void *scratch, float *w);

/* y_e <z_e, w> of one event. */
float pen__normal_row_share(const pen__normal_row *work, int32_t column, float value, const float *w);

#endif
