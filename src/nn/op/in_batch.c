/* in_batch: softmax of each row's own partner against the partners of the whole batch (InfoNCE, the two-tower's loss):
 *
 *     s_rj = <u_r, v_j> / temperature + shift_j          loss = 1/n sum_r (log sum_j e^s_rj - s_rr)
 *
 * A row whose item is -1 is neither asked nor an answer; another row's partner that is the same item is no answer
 * either. The shift is minus the logarithm of how often an item is drawn (Yi et al.: "Sampling-bias-corrected neural
 * modeling", RecSys 2019).
 *
 * Shards meet: forward_after reads every shard's v and finds log sum exp of its own rows; backward_after, when all have
 * theirs, makes the probabilities of its own rows again for du and those of its own columns for dv. Cost: 5 products of
 * rows^2 width over all shards (4 with one) and 2 to 3 exponentials a score; scores are seen in blocks of SCORES. */
#include <math.h>

#include "nn/op.h"
#include "nn/ops.h"

enum { U, V, SHIFT };
enum { ITEM };      /* index input */
enum { HITS };      /* i: whether hits are taken out */
enum { SHARPNESS }; /* f: 1 / temperature */
enum { SCORES = 3 << 17, MOST_ROWS = 128, MOST_COLUMNS = SCORES / MOST_ROWS };

static const pen__real OUT =
    (pen__real)-1e30; /* a score that counts for nothing, and -OUT a log sum exp beside which all scores do */

/* Rows [from, from + n) of a shard. */
typedef struct part {
    const pen__frame *f;
    int64_t from, n;
} part;

static const pen__real *rows_of(const pen__call *call, part p, int32_t k)
{
    return pen__value(p.f, call->in[k]) + p.from * pen__width_of(p.f, call->in[k]);
}

static const int32_t *items_of(const pen__call *call, part p)
{
    return call->index[ITEM] < 0 ? NULL : pen__index_of(p.f, call->index[ITEM]) + p.from;
}

static int64_t place_of(const pen__call *call, part p) { return p.f->first[pen__extent_of(p.f, call->in[U])] + p.from; }

/* Rows of the whole batch that are asked. */
static double share_of(const pen__frame *f, const pen__call *call)
{
    int64_t rows = f->batch->n[pen__extent_of(f, call->in[U])], n = rows;
    if (call->index[ITEM] >= 0) {
        const int32_t *item = f->batch->index[call->index[ITEM]];
        for (int64_t r = n = 0; r < rows; r++) n += item[r] >= 0;
    }
    return n > 0 ? 1 / (double)n : 0;
}

/* Scores of rows `a` against partners `b`, (a.n, b.n), those that do not count at OUT. */
static void score(const pen__frame *f, const pen__call *call, part a, part b, pen__real *s)
{
    int64_t width = pen__width_of(f, call->in[U]), apart = place_of(call, a) - place_of(call, b);
    const int32_t *asked = items_of(call, a), *item = items_of(call, b);
    const pen__real *shift = call->n_in > SHIFT ? rows_of(call, b, SHIFT) : NULL;
    pen__product(f, false, true, a.n, b.n, width, (pen__real)call->f[SHARPNESS], rows_of(call, a, U), width,
                 rows_of(call, b, V), width, 0, s, b.n);
    for (int64_t i = 0; i < a.n; i++, s += b.n) {
        if (shift) pen__deep_kern()->add(s, shift, b.n);
        if (!item) continue;
        int64_t own = i + apart; /* the row's own partner, where it is among these */
        bool here = own >= 0 && own < b.n && asked[i] >= 0;
        int32_t hit = call->i[HITS] ? asked[i] : -1;
        pen__real kept = here ? s[own] : 0;
        for (int64_t j = 0; j < b.n; j++) s[j] = item[j] < 0 || item[j] == hit ? OUT : s[j];
        if (here) s[own] = kept;
    }
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

static void forward(pen__frame *f, const pen__call *call) { (void)f, (void)call; }

/* log sum exp of each row of `a` into its place in aux. */
static void sum_up(const pen__frame *f, const pen__call *call, part a)
{
    const pen__deep *deep = pen__deep_kern();
    double most[MOST_ROWS], sum[MOST_ROWS];
    for (int64_t i = 0; i < a.n; i++) most[i] = -INFINITY, sum[i] = 0;
    for (int32_t t = 0; t < f->n_shards; t++) {
        int64_t n = pen__rows_of(&f->all[t], call->in[U]);
        for (part b = {&f->all[t], 0, 0}; b.from < n; b.from += b.n) {
            b.n = n - b.from < MOST_COLUMNS ? n - b.from : MOST_COLUMNS;
            score(f, call, a, b, f->scratch);
            for (int64_t i = 0; i < a.n; i++) {
                pen__real *s = f->scratch + i * b.n;
                double high = fmax((double)deep->max(s, b.n), most[i]);
                sum[i] = sum[i] * exp(most[i] - high) + (double)deep->exp_sum(s, s, (pen__real)high, b.n);
                most[i] = high;
            }
        }
    }
    const int32_t *asked = items_of(call, a);
    pen__real *lse = pen__value(f, call->aux) + a.from;
    for (int64_t i = 0; i < a.n; i++) lse[i] = asked && asked[i] < 0 ? -OUT : (pen__real)(most[i] + log(sum[i]));
}

static void forward_after(pen__frame *f, const pen__call *call)
{
    int64_t width = pen__width_of(f, call->in[U]), rows = pen__rows_of(f, call->in[U]);
    double loss = 0;
    for (part a = {f, 0, 0}; a.from < rows; a.from += a.n) {
        a.n = rows - a.from < MOST_ROWS ? rows - a.from : MOST_ROWS;
        sum_up(f, call, a);
    }
    part all = {f, 0, rows};
    const pen__real *u = pen__value(f, call->in[U]), *v = pen__value(f, call->in[V]), *lse = pen__value(f, call->aux);
    const pen__real *shift = call->n_in > SHIFT ? pen__value(f, call->in[SHIFT]) : NULL;
    const int32_t *asked = items_of(call, all);
    for (int64_t r = 0; r < rows; r++) {
        if (asked && asked[r] < 0) continue;
        double own = (double)pen__deep_kern()->dot(u + r * width, v + r * width, width) * call->f[SHARPNESS];
        loss += (double)lse[r] - own - (shift ? (double)shift[r] : 0);
    }
    f->loss += share_of(f, call) * loss;
}

/* ---- backward ---------------------------------------------------------------------------------------------------- */

/* Rows a, which may be another shard's, and partners b: gives du where a is the shard's own, dv where b is. */
static void spread(const pen__frame *f, const pen__call *call, part a, part b, pen__real share, pen__real *du,
                   pen__real *dv)
{
    int64_t width = pen__width_of(f, call->in[U]);
    const pen__real *lse = pen__value(a.f, call->aux) + a.from;
    pen__real *p = f->scratch;
    score(f, call, a, b, p);
    for (int64_t i = 0; i < a.n; i++) pen__deep_kern()->exp_sum(p + i * b.n, p + i * b.n, lse[i], b.n);
    if (du && a.f == f)
        pen__product(f, false, false, a.n, width, b.n, share, p, b.n, rows_of(call, b, V), width, 1,
                     du + a.from * width, width);
    if (dv && b.f == f)
        pen__product(f, true, false, b.n, width, a.n, share, p, b.n, rows_of(call, a, U), width, 1, dv + b.from * width,
                     width);
}

static void spread_all(const pen__frame *f, const pen__call *call, const pen__frame *of, const pen__frame *against,
                       pen__real share, pen__real *du, pen__real *dv)
{
    int64_t rows = pen__rows_of(of, call->in[U]), columns = pen__rows_of(against, call->in[U]);
    for (part a = {of, 0, 0}; a.from < rows; a.from += a.n) {
        a.n = rows - a.from < MOST_ROWS ? rows - a.from : MOST_ROWS;
        for (part b = {against, 0, 0}; b.from < columns; b.from += b.n) {
            b.n = columns - b.from < MOST_COLUMNS ? columns - b.from : MOST_COLUMNS;
            spread(f, call, a, b, share, du, dv);
        }
    }
}

/* The gradient of input k, begun with zeros where this call is the first to write it. */
static pen__real *begin_gradient(const pen__frame *f, const pen__call *call, int32_t k)
{
    pen__real *d = pen__grad(f, call->in[k]);
    if (d && !pen__adds(call, k))
        memset(d, 0, (size_t)(pen__rows_of(f, call->in[k]) * pen__width_of(f, call->in[k])) * sizeof *d);
    return d;
}

static void backward_after(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    int64_t width = pen__width_of(f, call->in[U]), rows = pen__rows_of(f, call->in[U]);
    pen__real *du = begin_gradient(f, call, U), *dv = begin_gradient(f, call, V);
    pen__real share = (pen__real)(share_of(f, call) * call->f[SHARPNESS]);
    for (int32_t t = 0; t < f->n_shards; t++) {
        spread_all(f, call, f, &f->all[t], share, du, dv);
        if (t != f->shard && dv) spread_all(f, call, &f->all[t], f, share, NULL, dv);
    }
    const pen__real *u = pen__value(f, call->in[U]), *v = pen__value(f, call->in[V]);
    const int32_t *asked = items_of(call, (part){f, 0, rows});
    for (int64_t r = 0; r < rows; r++) {
        if (asked && asked[r] < 0) continue;
        if (du) deep->axpy(du + r * width, -share, v + r * width, width);
        if (dv) deep->axpy(dv + r * width, -share, u + r * width, width);
    }
}

/* ---- the op ------------------------------------------------------------------------------------------------------ */

static int64_t scratch(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    (void)plan, (void)call, (void)rows;
    return SCORES;
}

static double flops(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    double n = (double)rows[plan->node[call->in[U]].extent];
    return 2 * n * n * plan->node[call->in[U]].width;
}

static double flops_back(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    return 4 * flops(plan, call, rows);
}

static const pen__op op = {.name = "in_batch",
                           .forward = forward,
                           .forward_after = forward_after,
                           .backward_after = backward_after,
                           .keep = 7,
                           .scratch = scratch,
                           .flops = flops,
                           .flops_back = flops_back};

void pen__loss_in_batch(pen__plan *plan, int32_t u, int32_t v, int32_t item, int32_t shift, double temperature,
                        bool keeps_hits)
{
    int32_t in[3] = {u, v, shift}, n = shift < 0 ? 2 : 3;
    for (int32_t k = 0; k < n; k++)
        if (!pen__plan_has(plan, in[k], "in_batch")) return;
    int32_t extent = plan->node[u].extent;
    if (plan->extent[extent].shared || plan->node[v].extent != extent || plan->node[v].width != plan->node[u].width) {
        pen__plan_fail(plan, "in_batch: rows and partners are of one extent, which shards cut, and of one width");
    } else if (item >= plan->n_index || (item >= 0 && plan->index[item].extent != extent)) {
        pen__plan_fail(plan, "in_batch: items are an index input on the rows' extent");
    } else if (n > 2 &&
               (plan->node[shift].extent != extent || plan->node[shift].width != 1 || plan->node[shift].has_grad)) {
        pen__plan_fail(plan, "in_batch: shifts are constants of width 1 on the rows' extent");
    } else if (!(temperature > 0)) {
        pen__plan_fail(plan, "in_batch: a temperature of %g", temperature);
    } else {
        int32_t aux = pen__plan_node(plan, extent, 1, false);
        pen__call *call = pen__plan_call(plan, &op, in, n, -1);
        if (!call) return;
        call->aux = aux;
        call->index[ITEM] = item < 0 ? -1 : item;
        call->i[HITS] = !keeps_hits;
        call->f[SHARPNESS] = 1 / temperature;
    }
}
