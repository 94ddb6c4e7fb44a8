/* The logistic function and its logarithm in double, without overflow: for losses. */
#ifndef PEN_NN_LOGISTIC_H
#define PEN_NN_LOGISTIC_H

#include <math.h>

/* log(1 + e^x), and its derivative 1 / (1 + e^-x). */
static inline double pen__softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }
static inline double pen__logistic(double x) { return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)); }

#endif
