/* Optimisers: one step on a run of weights, or on a table's row. What they remember are `slots`: arrays in the layout
 * of what they learn (dense block or table), kept by the owner so that checkpoints hold them. */
#ifndef PEN_NN_OPTIMISER_H
#define PEN_NN_OPTIMISER_H

#include "kern/deep.h"

/* In the order of the parameter `optimizer` of every network. */
typedef enum pen__optimiser {
    PEN_OPT_SGD = 0,
    PEN_OPT_MOMENTUM,
    PEN_OPT_NESTEROV,
    PEN_OPT_ADAGRAD,
    PEN_OPT_ROWWISE_ADAGRAD,
    PEN_OPT_RMSPROP,
    PEN_OPT_ADAM,
    PEN_OPT_ADAMW
} pen__optimiser;
#define PEN_OPTIMISERS "sgd|momentum|nesterov|adagrad|rowwise-adagrad|rmsprop|adam|adamw"

/* In the order of the parameter `schedule`. */
typedef enum pen__schedule {
    PEN_RATE_CONSTANT = 0,
    PEN_RATE_COSINE,
    PEN_RATE_LINEAR,
    PEN_RATE_STEP,
    PEN_RATE_PLATEAU /* halved where validation stands still: by the trainer */
} pen__schedule;
#define PEN_SCHEDULES "constant|cosine|linear|step|plateau"

typedef struct pen__learning {
    pen__optimiser kind;
    pen__schedule schedule;
    double rate; /* learning rate before the schedule */
    double beta1, beta2, epsilon;
    double l1, l2;      /* of weights that decay */
    double tables;      /* times l1 and l2: of touched rows of tables */
    double clip;        /* the largest norm of a step's whole gradient; 0: any */
    int64_t warmup;     /* steps over which the rate rises from 0 */
    int64_t steps;      /* of the whole training, for cosine and linear */
    int32_t halvings;   /* `plateau`: so far */
    int64_t step_every; /* `step`: the rate is halved each so many steps */
} pen__learning;

/* Numbers remembered for each weight: 0, 1 or 2 arrays. rowwise-adagrad remembers one number a row. */
static inline int pen__optimiser_slots(pen__optimiser kind)
{
    return kind == PEN_OPT_SGD ? 0 : kind >= PEN_OPT_ADAM ? 2 : 1;
}

/* The rate at step t (from 0), by schedule and warm-up. */
double pen__learning_rate(const pen__learning *learning, uint64_t t);

/* What step t (from 0) does to parameters whose l1 and l2 are `share` times those of `learning`: 0 biases and norms,
 * 1 weights of layers, learning->tables rows of tables. */
pen__update pen__update_at(const pen__learning *learning, uint64_t t, double share);

/* Steps `n` weights of a row or a run with gradient g; first and second are its slots (NULL where there is none; one
 * number each where kind is rowwise-adagrad). */
void pen__optimise(pen__optimiser kind, const pen__update *update, pen__real *w, pen__real *first, pen__real *second,
                   const pen__real *g, int64_t n);

#endif
