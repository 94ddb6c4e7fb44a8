/* Losses of one row: the score of its positive against the scores of its negatives. What sampled.c and whoever else has
 * such scores calls; the formulas are in row_loss.c. */
#ifndef PEN_NN_OP_ROW_LOSS_H
#define PEN_NN_OP_ROW_LOSS_H

#include "nn/ops.h"

typedef struct pen__row_options {
    bool sum;
    double n_items, t, shift, margin, weight, elu; /* as in pen__sampled */
} pen__row_options;

/* Gives the loss. *positive: the score, becomes d loss / d score; negative (n): likewise. room: (2 n), anything. n may
 * be 0. */
typedef double pen__row_loss(const pen__row_options *o, double *positive, pen__real *negative, int64_t n,
                             pen__real *room);

/* gbce's beta of n negatives: what the positive's term is multiplied by. n: at least 1. */
double pen__gbce_beta(double n_items, double t, double n);

/* The function of a kind; NULL for a number that is none. */
pen__row_loss *pen__row_loss_of(pen__contrast kind);

#endif
