/* softmax_full: cross-entropy of rows of h over all rows of a table; a row has one target, or a bag of weighted ones (a
 * multinomial's log-likelihood):
 *
 *     s_rj = <h_r, E_j> + b_j        loss = 1/n sum_r sum_i w_ri (log sum_j e^s_rj - s_ri)
 *
 * over the n rows of the batch that have a target. ds_rj = (W_r p_rj - w_rj) / n with W_r = sum_i w_ri. Nothing stands
 * on a loss, so all is done in backward, where a block of rows meets chunks of items: scores by one product, with a row
 * for each item (then all three products run along memory); their exponentials in their place, by what is the largest
 * of each column so far; and, when log sum exp is known, the two products of the gradients. What belongs to one row of
 * h stays out of the big matrix: it multiplies h_r and dh_r, and targets are single rows. A block's exponentials are
 * kept for the second round where they fit into SCORES: reading them back costs less than making them again.
 * Cost: 6 rows items width flops and rows items exponentials; with a catalogue of more than MOST_ITEMS a third more
 * products and twice the exponentials. Scratch: SCORES reals at most, whatever the batch and the catalogue. */
#include <math.h>

#include "nn/op.h"
#include "nn/ops.h"

enum { TABLE, BIAS }; /* table */
enum { TARGET };
enum {
    SCORES = 1 << 23, /* 32 MB of floats a thread, of which MOST_ROWS rows of a catalogue of less take less */
    MOST_ROWS = 128,  /* more do not make the products faster */
    LEAST_ROWS = 64,  /* fewer make them slow */
    CHUNK = 1024,     /* items at a time */
    MOST_ITEMS = SCORES / LEAST_ROWS
};

/* Whether the scores of a block of rows are kept, and its rows: by the catalogue alone, so that bits do not depend on
 * the bounds of a run. */
static bool keeps(int64_t n_items) { return n_items <= MOST_ITEMS; }

static int64_t rows_at_once(int64_t n_items)
{
    return !keeps(n_items) || SCORES / n_items > MOST_ROWS ? MOST_ROWS : SCORES / n_items;
}

static int64_t items_kept(int64_t n_items) { return keeps(n_items) || n_items < CHUNK ? n_items : CHUNK; }

static int64_t chunks_kept(int64_t n_items) { return (items_kept(n_items) + CHUNK - 1) / CHUNK; }

typedef struct work {
    const pen__frame *f;
    const pen__deep *deep;
    const pen__real *table, *bias; /* (n_items, width), (n_items) or NULL */
    pen__real *d_table, *d_bias;   /* NULL: not learned (a frozen table, a user solved for) */
    int64_t n_items, width;
    const int32_t *target;   /* of this shard */
    const pen__real *weight; /* of each target, or NULL: 1 */
    int32_t child;           /* the extent of the targets where rows have bags of them, or -1 */
    double share;            /* 1 / n */
    int64_t n;               /* rows of the block at hand */
    int64_t row[MOST_ROWS];
    double mass[MOST_ROWS], sum[MOST_ROWS]; /* W_r; log sum exp is most + log sum */
    pen__real most[MOST_ROWS], factor[MOST_ROWS];
    pen__real *s;     /* (items kept, n): scores, then e^(s - shift of the chunk) */
    pen__real *shift; /* (chunks kept, MOST_ROWS) */
    pen__real *h, *scaled,
        *d; /* (n, width): rows of h; times their factors; what a chunk gives to dh, before factors */
} work;

/* ---- targets ----------------------------------------------------------------------------------------------------- */

static void targets_of(const work *w, int64_t r, int64_t *from, int64_t *to)
{
    *from = w->child < 0 ? r : pen__segment(w->f, w->child, r);
    *to = w->child < 0 ? r + 1 : pen__segment(w->f, w->child, r + 1);
}

static double weight_of(const work *w, int64_t i) { return w->weight ? (double)w->weight[i] : 1; }

/* W_r, and whether the row has a target at all. */
static bool mass_of(const work *w, int64_t r, double *mass)
{
    int64_t from, to;
    bool any = false;
    *mass = 0;
    targets_of(w, r, &from, &to);
    for (int64_t i = from; i < to; i++)
        if (w->target[i] >= 0) any = true, *mass += weight_of(w, i);
    return any;
}

/* Rows of the whole batch that have a target: every shard counts them for itself. */
static int64_t count_rows(const pen__batch *batch, int32_t extent, int32_t child, const int32_t *target)
{
    int64_t n = 0;
    if (child < 0) {
        for (int64_t r = 0; r < batch->n[extent]; r++) n += target[r] >= 0;
        return n;
    }
    for (int64_t r = 0; r < batch->n[extent]; r++)
        for (int32_t i = batch->begin[child][r]; i < batch->begin[child][r + 1]; i++)
            if (target[i] >= 0) {
                n++;
                break;
            }
    return n;
}

/* ---- a block of rows --------------------------------------------------------------------------------------------- */

/* Items [from, from + n) and their scores. */
typedef struct chunk {
    int64_t from, n;
    pen__real *s, *shift;
} chunk;

static chunk chunk_at(work *w, int64_t from)
{
    int64_t left = w->n_items - from, kept = keeps(w->n_items) ? from : 0;
    return (chunk){from, left < CHUNK ? left : CHUNK, w->s + kept * w->n, w->shift + kept / CHUNK * MOST_ROWS};
}

static void score(const work *w, chunk c)
{
    pen__product(w->f, false, true, c.n, w->n, w->width, 1, w->table + c.from * w->width, w->width, w->h, w->width, 0,
                 c.s, w->n);
    for (int64_t j = 0; j < c.n && w->bias; j++)
        for (int64_t i = 0; i < w->n; i++) c.s[j * w->n + i] += w->bias[c.from + j];
}

/* Takes the chunk's exponentials into each row's log sum exp, in place of the scores. */
static void sum_up(work *w, chunk c)
{
    pen__real part[MOST_ROWS] = {0}, before[MOST_ROWS];
    memcpy(before, w->most, sizeof before);
    w->deep->column_max(w->most, c.s, c.n, w->n);
    w->deep->column_exp(c.s, part, w->most, c.n, w->n);
    for (int64_t i = 0; i < w->n; i++) w->sum[i] = w->sum[i] * exp((double)(before[i] - w->most[i])) + (double)part[i];
    memcpy(c.shift, w->most, sizeof w->most);
}

/* The block's loss, and what its targets give. */
static double meet_targets(const work *w, pen__real *dh)
{
    double loss = 0;
    for (int64_t i = 0; i < w->n; i++) {
        const pen__real *h = w->h + i * w->width;
        int64_t from, to;
        double good = 0;
        targets_of(w, w->row[i], &from, &to);
        for (int64_t k = from; k < to; k++) {
            int64_t item = w->target[k];
            if (item < 0) continue;
            const pen__real *row = w->table + item * w->width;
            pen__real pull = (pen__real)(-weight_of(w, k) * w->share);
            good += weight_of(w, k) * ((double)w->deep->dot(h, row, w->width) + (w->bias ? (double)w->bias[item] : 0));
            if (dh) w->deep->axpy(dh + w->row[i] * w->width, pull, row, w->width);
            if (w->d_table) w->deep->axpy(w->d_table + item * w->width, pull, h, w->width);
            if (w->d_bias) w->d_bias[item] += pull;
        }
        loss += w->mass[i] * ((double)w->most[i] + log(w->sum[i])) - good;
    }
    return loss * w->share;
}

/* Gradients through the chunk's exponentials. */
static void spread(work *w, chunk c, pen__real *dh)
{
    const pen__real *table = w->table + c.from * w->width;
    for (int64_t i = 0; i < w->n; i++)
        w->factor[i] = (pen__real)(w->mass[i] * w->share / w->sum[i] * exp((double)(c.shift[i] - w->most[i])));
    if (w->d_table) {
        memcpy(w->scaled, w->h, (size_t)(w->n * w->width) * sizeof *w->h);
        for (int64_t i = 0; i < w->n; i++) w->deep->scale(w->scaled + i * w->width, w->factor[i], w->width);
        pen__product(w->f, false, false, c.n, w->width, w->n, 1, c.s, w->n, w->scaled, w->width, 1,
                     w->d_table + c.from * w->width, w->width);
    }
    for (int64_t j = 0; j < c.n && w->d_bias; j++)
        w->d_bias[c.from + j] += w->deep->dot(c.s + j * w->n, w->factor, w->n);
    if (!dh) return;
    pen__product(w->f, true, false, w->n, w->width, c.n, 1, c.s, w->n, table, w->width, 0, w->d, w->width);
    for (int64_t i = 0; i < w->n; i++)
        w->deep->axpy(dh + w->row[i] * w->width, w->factor[i], w->d + i * w->width, w->width);
}

static double block(work *w, pen__real *dh)
{
    for (int64_t i = 0; i < w->n; i++) w->most[i] = -INFINITY, w->sum[i] = 0;
    for (int64_t from = 0; from < w->n_items; from += CHUNK) {
        chunk c = chunk_at(w, from);
        score(w, c);
        sum_up(w, c);
    }
    double loss = meet_targets(w, dh);
    for (int64_t from = 0; from < w->n_items; from += CHUNK) {
        chunk c = chunk_at(w, from);
        if (!keeps(w->n_items)) {
            pen__real unused[MOST_ROWS] = {0};
            score(w, c);
            memcpy(c.shift, w->most, sizeof w->most);
            w->deep->column_exp(c.s, unused, c.shift, c.n, w->n);
        }
        spread(w, c, dh);
    }
    return loss;
}

/* ---- the op ------------------------------------------------------------------------------------------------------ */

static pen__real *gradient_of(const pen__frame *f, int32_t table)
{
    return f->table_grad && table >= 0 && !f->plan->table[table].frozen ? f->table_grad[table] : NULL;
}

static void forward(pen__frame *f, const pen__call *call) { (void)f, (void)call; }

static void backward(pen__frame *f, const pen__call *call)
{
    const pen__plan *plan = f->plan;
    const pen__embedding *table = &plan->table[call->table[TABLE]];
    int32_t extent = pen__extent_of(f, call->in[0]), targets = plan->index[call->index[TARGET]].extent,
            bias = call->table[BIAS];
    const pen__real *h = pen__value(f, call->in[0]);
    pen__real *dh = pen__grad(f, call->in[0]);
    work w = {.f = f,
              .deep = pen__deep_kern(),
              .table = table->data,
              .d_table = gradient_of(f, call->table[TABLE]),
              .d_bias = gradient_of(f, bias),
              .n_items = table->rows,
              .width = table->width,
              .target = pen__index_of(f, call->index[TARGET]),
              .child = targets == extent ? -1 : targets};
    if (bias >= 0) w.bias = plan->table[bias].data;
    if (call->n_in > 1) w.weight = pen__value(f, call->in[1]);
    int64_t rows = pen__rows_of(f, call->in[0]), most = rows_at_once(w.n_items), held = rows < most ? rows : most;
    w.s = f->scratch;
    w.h = w.s + held * items_kept(w.n_items);
    w.scaled = w.h + held * w.width;
    w.d = w.scaled + held * w.width;
    w.shift = w.d + held * w.width;
    if (dh && !pen__adds(call, 0)) memset(dh, 0, (size_t)(rows * w.width) * sizeof *dh);
    int64_t counted = count_rows(f->batch, extent, w.child, f->batch->index[call->index[TARGET]]);
    w.share = counted > 0 ? 1 / (double)counted : 0;
    for (int64_t r = 0; r < rows;) {
        for (w.n = 0; r < rows && w.n < most; r++) {
            if (!mass_of(&w, r, &w.mass[w.n])) continue;
            memcpy(w.h + w.n * w.width, h + r * w.width, (size_t)w.width * sizeof *h);
            w.row[w.n++] = r;
        }
        if (w.n > 0) f->loss += block(&w, dh);
    }
}

static int64_t scratch(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    const pen__embedding *table = &plan->table[call->table[TABLE]];
    int64_t n = rows[plan->node[call->in[0]].extent], most = rows_at_once(table->rows);
    return (n < most ? n : most) * (items_kept(table->rows) + 3 * table->width) + chunks_kept(table->rows) * MOST_ROWS;
}

static double no_flops(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    (void)plan, (void)call, (void)rows;
    return 0;
}

static double flops_back(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    const pen__embedding *table = &plan->table[call->table[TABLE]];
    double once = 2.0 * (double)rows[plan->node[call->in[0]].extent] * (double)table->rows * table->width;
    return (keeps(table->rows) ? 3 : 4) * once;
}

static const pen__op op = {.name = "softmax_full",
                           .forward = forward,
                           .backward = backward,
                           .keep = 3,
                           .scratch = scratch,
                           .flops = no_flops,
                           .flops_back = flops_back};

void pen__loss_multinomial(pen__plan *plan, int32_t h, int32_t table, int32_t target, int32_t weight, int32_t bias)
{
    int32_t in[2] = {h, weight}, n = weight < 0 ? 1 : 2;
    if (!pen__plan_cuts(plan, h, "softmax_full") || (n > 1 && !pen__plan_has(plan, weight, "softmax_full"))) return;
    if (pen__plan_lookup(plan, (pen__lookup){.kind = PEN_LOOKUP_DENSE, .table = table, .index = -1, .weight = -1}) < 0)
        return;
    if (bias >= 0 &&
        pen__plan_lookup(plan, (pen__lookup){.kind = PEN_LOOKUP_DENSE, .table = bias, .index = -1, .weight = -1}) < 0)
        return;
    int32_t extent = target >= 0 && target < plan->n_index ? plan->index[target].extent : -1;
    if (extent < 0 || (extent != plan->node[h].extent && !pen__is_child(plan, extent, plan->node[h].extent))) {
        pen__plan_fail(plan, "softmax_full: targets belong to the rows' extent or to a child of it");
    } else if (plan->node[h].width != plan->table[table].width) {
        pen__plan_fail(plan, "softmax_full: rows are %d wide, table '%s' %d", plan->node[h].width,
                       plan->table[table].name, plan->table[table].width);
    } else if (bias >= 0 && (plan->table[bias].width != 1 || plan->table[bias].rows != plan->table[table].rows)) {
        pen__plan_fail(plan, "softmax_full: a bias is a table of width 1 with a row for each of '%s'",
                       plan->table[table].name);
    } else if (n > 1 &&
               (plan->node[weight].extent != extent || plan->node[weight].width != 1 || plan->node[weight].has_grad)) {
        pen__plan_fail(plan, "softmax_full: weights are constants of width 1 on the targets' extent");
    } else {
        pen__call *call = pen__plan_call(plan, &op, in, n, -1);
        if (!call) return;
        call->index[TARGET] = target;
        call->table[TABLE] = table, call->table[BIAS] = bias < 0 ? -1 : bias;
    }
}

void pen__loss_softmax(pen__plan *plan, int32_t h, int32_t table, int32_t target, int32_t bias)
{
    pen__loss_multinomial(plan, h, table, target, -1, bias);
}
