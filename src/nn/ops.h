/* The ops: constructors that append to a plan. Each returns the output's node (or -1, see plan.h); losses return
 * nothing. Rows follow extents: where two inputs meet, they belong to one extent, or the first to the parent of the
 * second's (then each of its rows meets all its children).
 *
 * Every op's file in nn/op/ gives its formula, cost and source. */
#ifndef PEN_NN_OPS_H
#define PEN_NN_OPS_H

#include "kern/deep.h"
#include "nn/plan.h"

/* ---- lookups: nn/op/lookup.c ------------------------------------------------------------------------------------- */

/* How a bag's rows become one: mean, sum, or sum / sqrt(length). */
typedef enum pen__pool { PEN_POOL_MEAN = 0, PEN_POOL_SUM, PEN_POOL_SQRT } pen__pool;

/* What a sum of `length` rows is multiplied by. */
pen__real pen__pool_scale(pen__pool mode, int64_t length);

/* The table's row for each index. -> (index's extent, table's width) */
int32_t pen__gather(pen__plan *plan, int32_t table, int32_t index);

/* For each row of the parent of index's extent, its indices' rows as one (weight: a real input of width 1 on index's
 * extent, or -1: multiplies each row). An empty bag is zeros. -> (the parent's extent, table's width) */
int32_t pen__bag(pen__plan *plan, int32_t table, int32_t index, pen__pool mode, int32_t weight);

/* ---- dense layers: nn/op/linear.c -------------------------------------------------------------------------------- */

/* y = act(sum_k x_k W_k' + b): `n` inputs, seen as one wide input without a copy; some may belong to the parent extent
 * of the others and are then multiplied once a parent. Weights "name.weight" (out, sum of widths) and "name.bias" (1,
 * out). He's init for ReLU, else Xavier's. -> (the deepest extent, out) */
int32_t pen__linear(pen__plan *plan, const char *name, const int32_t *x, int32_t n, int32_t out, pen__activation act);

/* The same with its weight's first values, and dropout behind the activation, as pen__dropped gives it. */
typedef struct pen__layer_how {
    pen__activation act;
    pen__init init;
    double dropout;
} pen__layer_how;
pen__init pen__layer_init(pen__activation act); /* pen__linear's */
int32_t pen__layer(pen__plan *plan, const char *name, const int32_t *x, int32_t n, int32_t out, pen__layer_how how);

/* Answers multiply the rows of a table by a layer's weight again and again. Where one layer alone reads a table, by one
 * gather that is the first of its inputs of its own extent, those products may be kept beside it, in
 * plan->table[].product (rows, the layer's width): answers and fold-in then read them, to the same bits. They are of
 * the weights as they were: who learns makes them anew. width: the layer's, or 0 where the table is read otherwise.
 * product: rows [from, to) of it. */
int32_t pen__layer_width(const pen__plan *plan, int32_t table);
void pen__layer_product(const pen__plan *plan, int32_t table, int64_t from, int64_t to, pen__real *out);

/* ---- combining rows: nn/op/combine.c ----------------------------------------------------------------------------- */

int32_t pen__times(pen__plan *plan, int32_t a, int32_t b); /* a b, elementwise; a may be the parent's */
int32_t pen__plus(pen__plan *plan, int32_t a, int32_t b);  /* a + b; a may be the parent's */
int32_t pen__dot(pen__plan *plan, int32_t a, int32_t b);   /* <a, b> -> width 1; a may be the parent's */
int32_t pen__spread(pen__plan *plan, int32_t x,
                    int32_t child); /* each row once for each of its children of extent `child` */
int32_t pen__concat(pen__plan *plan, const int32_t *x, int32_t n); /* side by side; all of one extent */
int32_t pen__activate(pen__plan *plan, int32_t x, pen__activation act);
int32_t pen__shifted(pen__plan *plan, const char *name, int32_t x); /* x + weight "name" (1, width), from zero */
int32_t pen__gained(pen__plan *plan, const char *name, int32_t x,
                    pen__init init); /* x weight "name" (1, width), elementwise */
int32_t pen__scaled(pen__plan *plan, int32_t x, double factor);

/* Zeroes each number with probability `rate` while training and scales the rest; nothing when answering. */
int32_t pen__dropped(pen__plan *plan, int32_t x, double rate);

/* x / max(||x||, 1e-12) of each row: cosine models. */
int32_t pen__unit(pen__plan *plan, int32_t x);

/* ---- sequences: rows of a child extent, a segment for each row of its parent ------------------------------------- */

/* Layer norm of each row, nn/op/norm.c. Weights "name.weight" (ones) and "name.bias" (zeros), (1, width), without
 * decay. */
int32_t pen__norm(pen__plan *plan, const char *name, int32_t x);

/* Multi-head attention within each segment, nn/op/attention.c: scores q k' / sqrt(width / heads); causal: a row sees
 * itself and what is before it. x: [q k v] as one node of 3 width (n = 1), q and [k v] (n = 2), or q, k, v (n = 3);
 * the heads' columns stand one after another. dropout: of the softmax's weights, while training. No projections: those
 * are pen__linear. -> (x's extent, width) */
int32_t pen__attention(pen__plan *plan, const int32_t *x, int32_t n, int32_t heads, bool causal, double dropout);

/* Batch norm of each column over all rows of the batch, nn/op/batch_norm.c: the batch's statistics while training,
 * running ones when answering. Weights (1, width), without decay: "name.weight" (ones), "name.bias" (zeros), and,
 * which no gradient moves, "name.mean" and "name.variance". Shards meet here: a plan has few of them. -> (x's extent,
 * width) */
int32_t pen__batch_norm(pen__plan *plan, const char *name, int32_t x);

/* A gated recurrent unit along each segment, from a state of zeros, nn/op/gru.c: PyTorch's definition. Weights
 * "name.weight_ih" (3 width, x's width), "name.weight_hh" (3 width, width), "name.bias_ih" and "name.bias_hh" (1, 3
 * width), rows in the order r, z, n, U(+-1 / sqrt(width)). -> (x's extent, width): the state after each row */
int32_t pen__gru(pen__plan *plan, const char *name, int32_t x, int32_t width);

/* Segments become rows of the parent, nn/op/segment.c: the last row of each (zeros where it is empty); its rows' mean,
 * sum or sum / sqrt(length). -> (the parent of x's extent, width) */
int32_t pen__last(pen__plan *plan, int32_t x);
int32_t pen__pooled(pen__plan *plan, int32_t x, pen__pool mode);

/* The last rows of each segment, as many as the sibling `extent` has, nn/op/segment.c (zeros first where x has fewer).
 * -> (extent, width) */
int32_t pen__tail(pen__plan *plan, int32_t x, int32_t extent);

/* ---- fields ------------------------------------------------------------------------------------------------------ */

/* Second-order interaction of a factorisation machine, nn/op/fm.c: x has the vectors of `fields` fields side by side;
 * the sum of the inner products of all pairs. -> (x's extent, 1) */
int32_t pen__fm(pen__plan *plan, int32_t x, int32_t fields);

/* ---- losses: nn/op/loss.c ---------------------------------------------------------------------------------------- */

/* Means over the batch's rows, times an optional weight of each row (a real input of width 1, or -1). */
typedef enum pen__pointwise { PEN_LOSS_SQUARED = 0, PEN_LOSS_LOGISTIC } pen__pointwise;
void pen__loss_pointwise(pen__plan *plan, pen__pointwise kind, int32_t score, int32_t label, int32_t weight);

typedef enum pen__pairwise { PEN_LOSS_BPR = 0, PEN_LOSS_HINGE } pen__pairwise;
/* good: one score a row; bad: scores of its children (or of the same extent). Mean over the bad ones. hinge: max(0,
 * margin - good + bad). */
void pen__loss_pairwise(pen__plan *plan, pen__pairwise kind, int32_t good, int32_t bad, double margin);

/* weight |x|^2 / 2, mean over the batch's rows: a penalty of rows for each use, where the optimiser's l2 is one for
 * each step. weight 0: nothing is appended. */
void pen__loss_squares(pen__plan *plan, int32_t x, double weight);

/* ---- losses over all items: nn/op/softmax_full.c ----------------------------------------------------------------- */

/* Cross-entropy of each row of h over all rows of `table` (h's width): scores <h, row> + bias. target: an index input
 * on h's extent; rows with -1 are skipped, the mean is over the others of the whole batch. bias: a table of width 1,
 * or -1. */
void pen__loss_softmax(pen__plan *plan, int32_t h, int32_t table, int32_t target, int32_t bias);

/* The same with several targets a row (target: an index input on h's extent or on a child of it), each times its
 * weight (a real input of width 1 on the targets' extent, or -1: 1): -sum_i w_i log softmax_i, mean over the rows that
 * have a target. */
void pen__loss_multinomial(pen__plan *plan, int32_t h, int32_t table, int32_t target, int32_t weight, int32_t bias);

/* ---- losses against sampled items: nn/op/sampled.c, formulas in nn/op/row_loss.c --------------------------------- */

typedef enum pen__contrast {
    PEN_CONTRAST_SOFTMAX = 0,
    PEN_CONTRAST_BCE,
    PEN_CONTRAST_GBCE,
    PEN_CONTRAST_BPR,
    PEN_CONTRAST_BPR_MAX,
    PEN_CONTRAST_HINGE,
    PEN_CONTRAST_CCL
} pen__contrast;

typedef struct pen__sampled {
    pen__contrast kind;
    int32_t target;    /* index input on h's extent: each row's item; rows with -1 are skipped */
    int32_t negatives; /* index input on the negatives' extent: their items; -1: nothing there */
    int32_t positive_shift,
        negative_shift; /* nodes of width 1, added to the scores: item biases, -logQ, or their sum; -1: none */
    bool keeps_hits;    /* a negative that is the row's target counts like any other */
    bool sum;           /* bce: the sum over a row's negatives, not their mean */
    int64_t n_items;    /* gbce: the catalogue */
    double t;           /* gbce: calibration, in [0, 1]; 0: bce */
    double shift;       /* gbce: added to all scores, the positives' too */
    double margin;      /* hinge, ccl */
    double weight;      /* ccl: of the negatives; bpr-max: of its regularisation */
    double elu;         /* bpr-max: scores pass elu with this alpha; 0: they do not */
} pen__sampled;

/* Loss of scores <h, positive> and <h, negatives>, mean over the batch's rows that have a target. positive: rows of
 * h's extent (a gather by `target`); negative: shared rows, which every row meets; rows of another child extent of h's
 * parent, which the rows of the same parent meet; or children of h's rows. All of one width. ccl wants unit vectors. */
void pen__loss_sampled(pen__plan *plan, int32_t h, int32_t positive, int32_t negative, const pen__sampled *how);

/* Softmax of <u_r, v_r> / temperature + shift_r against <u_r, v_j> / temperature + shift_j of the whole batch's rows
 * j: nn/op/in_batch.c. u, v: of one extent and width. item: an index input on it, or -1: rows with -1 count for
 * nothing, rows j with the item of row r are left out for r unless keeps_hits. shift: constants of width 1 (-logQ), or
 * -1. Shards meet. Mean over the rows that count. */
void pen__loss_in_batch(pen__plan *plan, int32_t u, int32_t v, int32_t item, int32_t shift, double temperature,
                        bool keeps_hits);

/* ---- variational layers: nn/op/gaussian.c ------------------------------------------------------------------------ */

/* A sample of N(mean, e^logvar) in training, the mean in answers. -> (their extent, their width) */
int32_t pen__gaussian(pen__plan *plan, int32_t mean, int32_t logvar);

/* weight KL(N(mean, e^logvar), N(0, 1)), mean over the batch's rows. weight: a real input of width 1 on the rows'
 * extent or, for one that changes from step to step (annealing), on a shared extent of one row; -1: 1. */
void pen__loss_kl(pen__plan *plan, int32_t mean, int32_t logvar, int32_t weight);

#endif
