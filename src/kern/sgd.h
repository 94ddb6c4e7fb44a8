/* Fused steps of stochastic gradient descent on factor rows: everything that one user's run of events does, with the
 * user's row kept in registers where it fits.
 *
 * Rows are `width` floats, width a multiple of 8, 32-byte aligned; the padding behind the factors is zero and stays
 * zero. Results are the same bits for one level of PENCHANT_CPU; levels differ by the order of a dot product's sum (and
 * by fused multiply-adds). NaN and infinities propagate into the rows and into the loss: callers look there.
 */
#ifndef PEN_KERN_SGD_H
#define PEN_KERN_SGD_H

#include <stdint.h>

/* Squared error: r ~ mean + b_u + b_i + <p, q>. A step is x = keep x + rate * error * other, then, where cut > 0, a
 * soft threshold by `cut` (the proximal step of an L1 penalty). */
typedef struct pen__sgd_rate {
    float *item, *item_bias; /* (n_items, width), (n_items) */
    float *item_sum;         /* (n_items, 2): Adagrad sums of factors and bias; NULL: plain steps */
    int64_t width, factors;  /* factors: without the padding, divides Adagrad's sums */
    float mean;
    float rate, bias_rate; /* bias_rate 0: no biases */
    float l2, bias_l2, l1; /* penalties of one event's step */
} pen__sgd_rate;

/* Pairs: loss -log sigmoid(<p, a - b> + bias_a - bias_b) for a liked item a and another b. */
typedef struct pen__sgd_pair {
    float *item, *item_bias;         /* item_bias NULL: none */
    float *item_sum, *item_bias_sum; /* (n_items, width), (n_items): Adagrad sums; NULL: plain steps */
    int64_t width;
    float rate;
    float l2_user, l2_liked, l2_other, l2_bias;
} pen__sgd_pair;

typedef struct pen__sgd_kernels {
    /* n ratings of one user, one after the other; user_sum (2) as item_sum. Returns the sum of squared errors before
     * each step. */
    double (*rate_run)(const pen__sgd_rate *model, float *user, float *user_bias, float *user_sum, const int32_t *item,
                       const float *value, int64_t n);

    /* n pairs of one user, one after the other; weight (n) scales the gradient, NULL: 1. user_sum (width) or NULL as
     * item_sum. Returns the sum of losses before each step. */
    double (*pair_run)(const pen__sgd_pair *model, float *user, float *user_sum, const int32_t *liked,
                       const int32_t *other, const float *weight, int64_t n);

    /* Score of n items: <user, item> + bias, in the order of sums of the two above. */
    void (*scores)(const pen__sgd_pair *model, const float *user, const int32_t *item, int64_t n, float *out);
} pen__sgd_kernels;

/* The kernels of the level that base/cpu.h chose; those of one level, for tests: NULL where the machine lacks it. */
const pen__sgd_kernels *pen__sgd(void);
const pen__sgd_kernels *pen__sgd_at(int level);

extern const pen__sgd_kernels pen__sgd_scalar, pen__sgd_avx2;

#endif
