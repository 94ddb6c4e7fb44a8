/* The bootstrap over cases: sums of series under random weights; see resample.c. */
#ifndef PEN_EVAL_RESAMPLE_H
#define PEN_EVAL_RESAMPLE_H

#include "base/error.h"
#include "penchant/context.h"

#include <stdint.h>

enum { PEN_RESAMPLE_BLOCK = 1024 };

/* n_series numbers for each of n cases, asked for in blocks: fill writes those of cases begin .. begin + m to
 * out[s * PEN_RESAMPLE_BLOCK ...]. Called from any thread. */
typedef struct pen__resampling {
    pen_context *ctx;
    int64_t n;
    int32_t n_series;
    void (*fill)(const void *arg, int64_t begin, int64_t m, double *out);
    const void *arg;
} pen__resampling;

/* sums[s * resamples + r]: the sum of series s in resample r. The same bits for any number of threads. */
pen_status pen__resample(const pen__resampling *of, int32_t resamples, uint64_t seed, double *sums, pen_error *error);

/* The 2.5 and 97.5 percentiles (between neighbours by straight line) of n values, which are sorted; NaNs are left
 * out. */
void pen__percentiles(double *value, int32_t n, double *low, double *high);

#endif
