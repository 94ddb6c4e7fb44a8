/* Vector kernels of the neural engine: what ops do between matrix products.
 *
 * One table a level, filled as kern.h's is; the same C source, deep_tmpl.h, is compiled for each instruction set with
 * vectors of its width. Results are deterministic at a level; between levels sums differ by rounding (at most about n
 * eps of the sum of magnitudes). Lengths may be 0; pointers need no alignment; y may be x where both are named,
 * otherwise they do not overlap. */
#ifndef PEN_KERN_DEEP_H
#define PEN_KERN_DEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cpu.h"
#include "kern/real.h"

/* Activations whose derivative follows from their output. */
typedef enum pen__activation {
    PEN_ACT_NONE = 0,
    PEN_ACT_RELU,
    PEN_ACT_SIGMOID,
    PEN_ACT_TANH,
    PEN_ACT_ELU
} pen__activation;

/* One step of an optimiser on a run of numbers. */
typedef struct pen__update {
    pen__real rate;         /* of this step: schedule and bias correction included */
    pen__real beta1, beta2; /* momentum or first moment; second moment */
    pen__real epsilon;
    pen__real correct2; /* Adam: 1 / sqrt(1 - beta2^t) */
    pen__real l1, l2;   /* added to the gradient: l2 w + l1 sign(w) */
    pen__real shrink;   /* AdamW: w *= 1 - shrink, before the step */
} pen__update;

typedef struct pen__deep {
    const char *name;

    /* y += x; y += a x; y *= a. */
    void (*add)(pen__real *y, const pen__real *x, int64_t n);
    void (*axpy)(pen__real *y, pen__real a, const pen__real *x, int64_t n);
    void (*scale)(pen__real *y, pen__real a, int64_t n);

    /* y = a b, or y += a b. */
    void (*mul)(pen__real *y, const pen__real *a, const pen__real *b, int64_t n, bool adds);
    pen__real (*dot)(const pen__real *a, const pen__real *b, int64_t n);
    pen__real (*sum)(const pen__real *x, int64_t n);
    pen__real (*max)(const pen__real *x, int64_t n); /* -infinity for n = 0 */

    /* y[r] = act(y[r] + bias) for each of rows; bias (width) or NULL. */
    void (*bias_act)(pen__real *y, const pen__real *bias, int64_t rows, int64_t width, pen__activation act);
    /* dy *= act'(.), from the output y. */
    void (*act_back)(pen__real *dy, const pen__real *y, int64_t n, pen__activation act);
    /* y (width) += the sum of x's rows. */
    void (*column_sum)(pen__real *y, const pen__real *x, int64_t rows, int64_t width);

    /* y = e^x; y = 1 / (1 + e^-x); y = tanh x. Within 4 ulp for float. y may be x. */
    void (*exp)(pen__real *y, const pen__real *x, int64_t n);
    void (*sigmoid)(pen__real *y, const pen__real *x, int64_t n);
    void (*tanh)(pen__real *y, const pen__real *x, int64_t n);
    /* y = e^(x - shift), and the sum of y. y may be x. */
    pen__real (*exp_sum)(pen__real *y, const pen__real *x, pen__real shift, int64_t n);
    /* The same down the columns of x (rows, width): most[c] = the larger of it and the column's; then, in place,
     * x = e^(x - shift[c]), and sum[c] += the column's. */
    void (*column_max)(pen__real *most, const pen__real *x, int64_t rows, int64_t width);
    void (*column_exp)(pen__real *x, pen__real *sum, const pen__real *shift, int64_t rows, int64_t width);
    /* y = 1 / (1 + e^(shift - x)), and the sum of log(1 + e^(x - shift)), each within 1e-7 for float. y may be x. */
    pen__real (*softplus_sum)(pen__real *y, const pen__real *x, pen__real shift, int64_t n);

    /* Backward of a softmax p (n): d = p (d - shift), shift being sum p d. */
    void (*softmax_back)(pen__real *d, const pen__real *p, pen__real shift, int64_t n);

    /* Layer norm of each row: y = gain (x - mean) / sqrt(variance + epsilon) + bias; stats gets (mean, 1 / deviation)
     * of each row. */
    void (*norm)(pen__real *y, pen__real *stats, const pen__real *x, const pen__real *gain, const pen__real *bias,
                 int64_t rows, int64_t width, pen__real epsilon);
    /* Its backward: dx = or +=, d_gain += and d_bias +=. dx may be dy where it does not add. */
    void (*norm_back)(pen__real *dx, pen__real *d_gain, pen__real *d_bias, const pen__real *dy, const pen__real *x,
                      const pen__real *stats, const pen__real *gain, int64_t rows, int64_t width, bool adds);

    /* A GRU's step for one row. gates (4 width) has (x Wir', x Wiz', x Win') and gets (r, z, n, s = h Whn' + bhn);
     * product (3 width) is h Whh', or NULL where the state is zeros; bias_ih and bias_hh (3 width). The new state (1 -
     * z) n + z h goes to y and h. */
    void (*gru)(pen__real *y, pen__real *h, pen__real *gates, const pen__real *product, const pen__real *bias_ih,
                const pen__real *bias_hh, int64_t width);
    /* Its backward. dh (width): the new state's gradient from later steps; dy: from elsewhere; h: the old state, NULL
     * for zeros. gates gets the slopes (dr, dz, dn, ds) before the activations, product (3 width) the slopes (dr, dz,
     * ds), dh what reaches the old state without passing the product. */
    void (*gru_back)(pen__real *dh, pen__real *gates, pen__real *product, const pen__real *dy, const pen__real *h,
                     int64_t width);

    /* y = x / (1 - rate) where the counter (key, first + r, column) says keep, else 0, for the rows r; or y += that.
     * Its backward is itself. y may be x. rate in [0, 1). */
    void (*dropout)(pen__real *y, const pen__real *x, int64_t rows, int64_t width, uint64_t key, int64_t first,
                    pen__real rate, bool adds);

    /* Steps of optimisers on w (n) with gradient g, which they leave alone; m and v are the optimiser's own. */
    void (*sgd)(pen__real *w, const pen__real *g, int64_t n, const pen__update *u);
    /* m = beta1 m + g; w -= rate m */
    void (*momentum)(pen__real *w, pen__real *m, const pen__real *g, int64_t n, const pen__update *u);
    /* w -= rate (g + beta1 m) */
    void (*nesterov)(pen__real *w, pen__real *m, const pen__real *g, int64_t n, const pen__update *u);
    /* v += g^2; w -= rate g / (sqrt v + eps) */
    void (*adagrad)(pen__real *w, pen__real *v, const pen__real *g, int64_t n, const pen__update *u);
    /* v = beta2 v + (1 - beta2) g^2 */
    void (*rmsprop)(pen__real *w, pen__real *v, const pen__real *g, int64_t n, const pen__update *u);
    /* and AdamW */
    void (*adam)(pen__real *w, pen__real *m, pen__real *v, const pen__real *g, int64_t n, const pen__update *u);
} pen__deep;

/* The table of the level that base/cpu.h chose, and of one level (NULL where the machine lacks it). */
const pen__deep *pen__deep_kern(void);
const pen__deep *pen__deep_kern_at(pen__cpu level);

#endif
