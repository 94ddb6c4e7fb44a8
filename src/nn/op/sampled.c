/* sampled: each row's positive against sampled items, by one of the losses of row_loss.c; mean over the rows of the
 * batch that have a target.
 *
 *     p_r = <h_r, positive_r> + a_r         x_rj = <h_r, negative_j> + b_j
 *
 * The shifts a and b are item biases, minus the logarithm of how often an item is drawn (logQ: Bengio, Senecal 2008),
 * or their sum. Negatives are shared by the whole batch, or by the rows of one parent (their siblings), and then a
 * block of rows meets all of them in one product; or they are a row's own children. A negative that happens to be the
 * row's target is taken out, so that means and normalisers know nothing of it.
 *
 * Nothing stands on a loss, so all is done in backward, where scores become their own gradients: three products of rows
 * negatives width and one pass over the scores. Scratch: SCORES reals and a few rows. */
#include "nn/op.h"
#include "nn/op/row_loss.h"

enum { H, POSITIVE, NEGATIVE };                      /* inputs; then the shifts, where there are some */
enum { KIND, A, B, HITS, SUM };                      /* i: A, B are places of the shifts among the inputs, or -1 */
enum { TARGET, ITEMS };                              /* index inputs: each row's item, each negative's */
enum { N_ITEMS, MARGIN_OR_SHIFT, WEIGHT, ELU_OR_T }; /* f */
enum { SCORES = 3 << 17, MOST_ROWS = 128, LEAST_ROWS = 16 };

typedef struct work {
    const pen__frame *f;
    const pen__deep *deep;
    pen__row_loss *loss_of;
    pen__row_options o;
    const pen__real *h, *positive, *negative, *a, *b;
    pen__real *dh, *d_positive, *d_negative, *da, *db; /* NULL: not wanted */
    const int32_t *target, *item;
    int64_t width;
    bool takes_hits;
    double share;    /* 1 / rows with a target */
    pen__real *room; /* (2 negatives of a row) */
} work;

/* ---- a row ------------------------------------------------------------------------------------------------------- */

static bool is_out(int32_t item, int32_t hit) { return item < 0 || item == hit; }

/* Takes scores that do not count out of s: the last ones fill the holes. Gives how many are left. */
static int64_t take_out(pen__real *s, const int32_t *item, int64_t n, int32_t hit)
{
    int64_t out = 0, kept = n;
    for (int64_t j = 0; j < n; j++) out += is_out(item[j], hit);
    for (int64_t j = n - 1; out > 0 && j >= 0; j--)
        if (is_out(item[j], hit)) s[j] = s[--kept], out--;
    return kept;
}

/* The reverse, on gradients: what was taken out has none. */
static void put_back(pen__real *s, const int32_t *item, int64_t n, int32_t hit, int64_t kept)
{
    for (int64_t j = 0; kept < n; j++)
        if (is_out(item[j], hit)) {
            s[kept++] = s[j];
            s[j] = 0;
        }
}

/* Row r's loss; its negatives' scores s become gradients, and what comes by its positive is given. */
static double row(const work *w, int64_t r, pen__real *s, const int32_t *item, int64_t n)
{
    const pen__real *h = w->h + r * w->width, *positive = w->positive + r * w->width;
    int32_t hit = w->takes_hits ? w->target[r] : -1;
    double p = (double)w->deep->dot(h, positive, w->width) + (w->a ? (double)w->a[r] : 0);
    int64_t kept = take_out(s, item, n, hit);
    double loss = w->loss_of(&w->o, &p, s, kept, w->room);
    w->deep->scale(s, (pen__real)w->share, kept);
    put_back(s, item, n, hit, kept);
    pen__real d = (pen__real)(p * w->share);
    if (w->dh) w->deep->axpy(w->dh + r * w->width, d, positive, w->width);
    if (w->d_positive) w->deep->axpy(w->d_positive + r * w->width, d, h, w->width);
    if (w->da) w->da[r] += d;
    return loss;
}

/* ---- negatives that rows share ----------------------------------------------------------------------------------- */

static int64_t rows_at_once(int64_t n)
{
    int64_t rows = n > 0 ? SCORES / n : MOST_ROWS;
    return rows > MOST_ROWS ? MOST_ROWS : rows < LEAST_ROWS ? LEAST_ROWS : rows;
}

/* Negatives from .. from + n of their extent. */
typedef struct shared {
    int64_t from, n;
} shared;

/* A block of `rows` rows, whose h stand in `h`; s: (rows, n), d: (rows, width). */
static double block(const work *w, const int64_t *number, int64_t rows, shared of, const pen__real *h, pen__real *s,
                    pen__real *d)
{
    double loss = 0;
    int64_t n = of.n, at = of.from * w->width;
    pen__product(w->f, false, true, rows, n, w->width, 1, h, w->width, w->negative + at, w->width, 0, s, n);
    for (int64_t i = 0; i < rows; i++) {
        if (w->b) w->deep->add(s + i * n, w->b + of.from, n);
        loss += row(w, number[i], s + i * n, w->item + of.from, n);
    }
    if (w->d_negative)
        pen__product(w->f, true, false, n, w->width, rows, 1, s, n, h, w->width, 1, w->d_negative + at, w->width);
    if (w->db) w->deep->column_sum(w->db + of.from, s, rows, n);
    if (w->dh) {
        pen__product(w->f, false, false, rows, w->width, n, 1, s, n, w->negative + at, w->width, 0, d, w->width);
        for (int64_t i = 0; i < rows; i++) w->deep->add(w->dh + number[i] * w->width, d + i * w->width, w->width);
    }
    return loss;
}

/* Rows first .. last, which share these negatives. */
static double shared_negatives(const work *w, int64_t first, int64_t last, shared of)
{
    int64_t number[MOST_ROWS], most = rows_at_once(of.n), held = 0;
    pen__real *h = w->room + 2 * of.n, *d = h + most * w->width, *s = d + most * w->width;
    double loss = 0;
    for (int64_t r = first; r < last; r++) {
        if (w->target[r] >= 0) {
            memcpy(h + held * w->width, w->h + r * w->width, (size_t)w->width * sizeof *h);
            number[held++] = r;
        }
        if (held == most || (held > 0 && r + 1 == last)) loss += block(w, number, held, of, h, s, d), held = 0;
    }
    return loss;
}

/* Rows and negatives are children of the same parents. */
static double sibling_negatives(const work *w, int64_t parents, int32_t extent, int32_t others)
{
    double loss = 0;
    for (int64_t p = 0; p < parents; p++) {
        shared of = {.from = pen__segment(w->f, others, p)};
        of.n = pen__segment(w->f, others, p + 1) - of.from;
        loss += shared_negatives(w, pen__segment(w->f, extent, p), pen__segment(w->f, extent, p + 1), of);
    }
    return loss;
}

/* ---- negatives of a row's own ------------------------------------------------------------------------------------ */

static double own_negatives(work *w, int64_t rows, int32_t child)
{
    double loss = 0;
    for (int64_t r = 0; r < rows; r++) {
        int64_t from = pen__segment(w->f, child, r), n = pen__segment(w->f, child, r + 1) - from;
        const pen__real *h = w->h + r * w->width, *negative = w->negative + from * w->width;
        pen__real *s = w->room + 2 * n;
        if (w->target[r] < 0) continue;
        for (int64_t j = 0; j < n; j++)
            s[j] = w->deep->dot(h, negative + j * w->width, w->width) + (w->b ? w->b[from + j] : 0);
        loss += row(w, r, s, w->item + from, n);
        for (int64_t j = 0; j < n && w->dh; j++)
            w->deep->axpy(w->dh + r * w->width, s[j], negative + j * w->width, w->width);
        for (int64_t j = 0; j < n && w->d_negative; j++)
            w->deep->axpy(w->d_negative + (from + j) * w->width, s[j], h, w->width);
        if (w->db) w->deep->add(w->db + from, s, n);
    }
    return loss;
}

/* ---- the op ------------------------------------------------------------------------------------------------------ */

typedef enum sharing { BATCH, SIBLINGS, OWN, NO_WAY } sharing;

static sharing sharing_of(const pen__plan *plan, int32_t extent, int32_t others)
{
    if (plan->extent[others].shared) return BATCH;
    if (pen__is_child(plan, others, extent)) return OWN;
    int32_t parent = plan->extent[extent].parent;
    return others != extent && parent >= 0 && plan->extent[others].parent == parent ? SIBLINGS : NO_WAY;
}

static void forward(pen__frame *f, const pen__call *call) { (void)f, (void)call; }

/* The gradient of input k, begun with zeros where this call is the first to write it; NULL where there is none. */
static pen__real *begin_gradient(const pen__frame *f, const pen__call *call, int32_t k)
{
    pen__real *d = k < 0 ? NULL : pen__grad(f, call->in[k]);
    if (d && !pen__adds(call, k))
        memset(d, 0, (size_t)(pen__rows_of(f, call->in[k]) * pen__width_of(f, call->in[k])) * sizeof *d);
    return d;
}

static double share_of(const pen__frame *f, int32_t extent, int32_t input)
{
    const int32_t *target = f->batch->index[input];
    int64_t n = 0;
    for (int64_t r = 0; r < f->batch->n[extent]; r++) n += target[r] >= 0;
    return n > 0 ? 1 / (double)n : 0;
}

static void backward(pen__frame *f, const pen__call *call)
{
    int32_t extent = pen__extent_of(f, call->in[H]), others = pen__extent_of(f, call->in[NEGATIVE]), a = call->i[A],
            b = call->i[B];
    work w = {.f = f,
              .deep = pen__deep_kern(),
              .loss_of = pen__row_loss_of((pen__contrast)call->i[KIND]),
              .room = f->scratch};
    w.o = (pen__row_options){.sum = call->i[SUM],
                             .n_items = call->f[N_ITEMS],
                             .margin = call->f[MARGIN_OR_SHIFT],
                             .shift = call->f[MARGIN_OR_SHIFT],
                             .weight = call->f[WEIGHT],
                             .t = call->f[ELU_OR_T],
                             .elu = call->f[ELU_OR_T]};
    w.h = pen__value(f, call->in[H]), w.positive = pen__value(f, call->in[POSITIVE]),
    w.negative = pen__value(f, call->in[NEGATIVE]);
    w.a = a < 0 ? NULL : pen__value(f, call->in[a]), w.b = b < 0 ? NULL : pen__value(f, call->in[b]);
    w.dh = begin_gradient(f, call, H), w.d_positive = begin_gradient(f, call, POSITIVE),
    w.d_negative = begin_gradient(f, call, NEGATIVE);
    w.da = begin_gradient(f, call, a), w.db = begin_gradient(f, call, b);
    w.target = pen__index_of(f, call->index[TARGET]), w.item = pen__index_of(f, call->index[ITEMS]);
    w.width = pen__width_of(f, call->in[H]);
    w.takes_hits = call->i[HITS];
    w.share = share_of(f, extent, call->index[TARGET]);
    int64_t rows = pen__rows_of(f, call->in[H]);
    double loss = 0;
    switch (sharing_of(f->plan, extent, others)) {
    case BATCH: loss = shared_negatives(&w, 0, rows, (shared){0, f->count[others]}); break;
    case SIBLINGS: loss = sibling_negatives(&w, f->count[f->plan->extent[extent].parent], extent, others); break;
    default: loss = own_negatives(&w, rows, others);
    }
    f->loss += w.share * loss;
}

static int64_t scratch(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    int32_t others = plan->node[call->in[NEGATIVE]].extent;
    int64_t n = rows[others], scores = n * MOST_ROWS;
    if (sharing_of(plan, plan->node[call->in[H]].extent, others) == OWN) return 3 * n;
    if (scores > SCORES) scores = n * LEAST_ROWS > SCORES ? n * LEAST_ROWS : SCORES;
    return 2 * n + scores + 2 * MOST_ROWS * plan->node[call->in[H]].width;
}

static double no_flops(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    (void)plan, (void)call, (void)rows;
    return 0;
}

/* Scores, and what they give to either side. */
static double flops_back(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    int32_t others = plan->node[call->in[NEGATIVE]].extent, extent = plan->node[call->in[H]].extent;
    double n = (double)rows[others], own = (double)rows[extent];
    sharing how = sharing_of(plan, extent, others);
    if (how != OWN) n *= own;
    if (how == SIBLINGS && rows[plan->extent[extent].parent] > 0) n /= (double)rows[plan->extent[extent].parent];
    return 6 * (n + own) * plan->node[call->in[H]].width;
}

static const pen__op op = {.name = "sampled",
                           .forward = forward,
                           .backward = backward,
                           .keep = 31,
                           .scratch = scratch,
                           .flops = no_flops,
                           .flops_back = flops_back};

/* ---- constructor ------------------------------------------------------------------------------------------------- */

static bool stands_on(pen__plan *plan, int32_t node, int32_t extent, int32_t width)
{
    return pen__plan_has(plan, node, "sampled") && plan->node[node].extent == extent && plan->node[node].width == width;
}

static bool indexes(const pen__plan *plan, int32_t input, int32_t extent)
{
    return input >= 0 && input < plan->n_index && plan->index[input].extent == extent;
}

void pen__loss_sampled(pen__plan *plan, int32_t h, int32_t positive, int32_t negative, const pen__sampled *how)
{
    int32_t in[5] = {h, positive, negative}, n = 3, a = how->positive_shift, b = how->negative_shift;
    if (!pen__plan_cuts(plan, h, "sampled") || !pen__plan_has(plan, negative, "sampled")) return;
    int32_t extent = plan->node[h].extent, others = plan->node[negative].extent, width = plan->node[h].width;
    if (!pen__row_loss_of(how->kind)) {
        pen__plan_fail(plan, "sampled: loss %d is none", (int)how->kind);
    } else if (!stands_on(plan, positive, extent, width) || (a >= 0 && !stands_on(plan, a, extent, 1))) {
        pen__plan_fail(plan, "sampled: positives are rows of h's extent and width, their shifts of width 1");
    } else if (plan->node[negative].width != width || sharing_of(plan, extent, others) == NO_WAY ||
               (b >= 0 && !stands_on(plan, b, others, 1))) {
        pen__plan_fail(plan, "sampled: negatives are shared rows, siblings or children of h's, of its width, their "
                             "shifts of width 1");
    } else if (!indexes(plan, how->target, extent) || !indexes(plan, how->negatives, others)) {
        pen__plan_fail(plan, "sampled: the items of positives and negatives are index inputs on their extents");
    } else if (how->kind == PEN_CONTRAST_GBCE && (how->n_items < 2 || how->t < 0 || how->t > 1)) {
        pen__plan_fail(plan, "sampled: gbce has at least 2 items and t in [0, 1], not %lld and %g",
                       (long long)how->n_items, how->t);
    } else {
        if (a >= 0) in[n++] = a;
        if (b >= 0) in[n++] = b;
        pen__call *call = pen__plan_call(plan, &op, in, n, -1);
        if (!call) return;
        call->index[TARGET] = how->target, call->index[ITEMS] = how->negatives;
        call->i[KIND] = (int32_t)how->kind, call->i[HITS] = !how->keeps_hits, call->i[SUM] = how->sum;
        call->i[A] = a < 0 ? -1 : 3, call->i[B] = b < 0 ? -1 : n - 1;
        call->f[N_ITEMS] = (double)how->n_items,
        call->f[MARGIN_OR_SHIFT] = how->kind == PEN_CONTRAST_GBCE ? how->shift : how->margin,
        call->f[WEIGHT] = how->weight;
        call->f[ELU_OR_T] = how->kind == PEN_CONTRAST_GBCE ? how->t : how->elu;
    }
}
