/* linear: y = act(x W' + b), x being one or several inputs side by side that are never put side by side:
 *
 *     y = act(sum_k x_k W_k' + b)       W = [W_1 W_2 ...] (out, in)
 *
 * An input of the parent extent is multiplied once a parent and added to all its children: a user's half of a first
 * layer costs what users cost, not what examples cost. Dropout behind it is its own (ReLU, or no activation): the mask
 * is drawn from a counter while the rows are in the cache, and again in backward. Backward: dz = dy mask act'(y) in
 * place of dy; dx_k (+)= dz W_k, dW_k += dz' x_k, with dz summed over the children first where x_k is the parent's.
 * Cost: 2 rows in out flops forward, twice that backward. */
#include <stdio.h>

#include "nn/op.h"
#include "nn/ops.h"

static const pen__op op;

enum { WEIGHT, BIAS };
enum { ACT, KEY };
enum { RATE };
enum { BLOCK = 32 }; /* rows that stay in the cache between passes */

static bool is_parents(const pen__plan *plan, const pen__call *call, int k)
{
    return plan->node[call->in[k]].extent != plan->node[call->out].extent;
}

/* y's rows of each parent += the parent's row; or the reverse, the parent's row = the sum of its children's. */
static void add_to_children(const pen__frame *f, int32_t child, int64_t parents, int64_t width, const pen__real *x,
                            pen__real *y)
{
    const pen__deep *deep = pen__deep_kern();
    for (int64_t r = 0; r < parents; r++)
        for (int64_t i = pen__segment(f, child, r); i < pen__segment(f, child, r + 1); i++)
            deep->add(y + i * width, x + r * width, width);
}

static void sum_children(const pen__frame *f, int32_t child, int64_t parents, int64_t width, const pen__real *y,
                         pen__real *x)
{
    const pen__deep *deep = pen__deep_kern();
    memset(x, 0, (size_t)(parents * width) * sizeof *x);
    for (int64_t r = 0; r < parents; r++) {
        int64_t from = pen__segment(f, child, r), to = pen__segment(f, child, r + 1);
        if (to > from) deep->column_sum(x + r * width, y + from * width, to - from, width);
    }
}

/* ---- products that are known ------------------------------------------------------------------------------------- */

/* The gather whose rows the call's input k is, or NULL. */
static const pen__lookup *gathered(const pen__plan *plan, const pen__call *call, int k)
{
    int32_t lookup = plan->node[call->in[k]].lookup;
    return lookup >= 0 && plan->lookup[lookup].kind == PEN_LOOKUP_ROW ? &plan->lookup[lookup] : NULL;
}

/* Whether the input is the first of those that are multiplied for each of the layer's own rows: its product then begins
 * their sum, and is the same to the bit wherever it comes from. */
static bool begins(const pen__plan *plan, const pen__call *call, int k)
{
    for (int i = 0; i < k; i++)
        if (!is_parents(plan, call, i)) return false;
    return !is_parents(plan, call, k);
}

/* The layer that alone reads the table, as its input *k, or NULL. */
static const pen__call *layer_of(const pen__plan *plan, int32_t table, int *k)
{
    const pen__call *found = NULL;
    int readers = 0, lookups = 0;
    for (int32_t l = 0; l < plan->n_lookups; l++) lookups += plan->lookup[l].table == table;
    for (int32_t c = 0; c < plan->n_calls; c++)
        for (int i = 0; i < plan->call[c].n_in; i++) {
            const pen__lookup *rows = gathered(plan, &plan->call[c], i);
            if (!rows || rows->table != table) continue;
            readers++;
            if (plan->call[c].op == &op && begins(plan, &plan->call[c], i)) found = &plan->call[c], *k = i;
        }
    return readers == 1 && lookups == 1 ? found : NULL;
}

/* Where the input's columns of the weight begin. */
static int64_t columns_before(const pen__plan *plan, const pen__call *call, int k)
{
    int64_t at = 0;
    for (int i = 0; i < k; i++) at += plan->node[call->in[i]].width;
    return at;
}

int32_t pen__layer_width(const pen__plan *plan, int32_t table)
{
    int k;
    const pen__call *call = table < 0 ? NULL : layer_of(plan, table, &k);
    return call ? plan->node[call->out].width : 0;
}

void pen__layer_product(const pen__plan *plan, int32_t table, int64_t from, int64_t to, pen__real *out)
{
    int k;
    const pen__call *call = layer_of(plan, table, &k);
    const pen__weight *weight = &plan->weight[call->weight[WEIGHT]];
    const pen__embedding *rows = &plan->table[table];
    pen__gemm_fixed(false, true, to - from, weight->rows, rows->width, 1, rows->data + from * rows->width, rows->width,
                    weight->data + columns_before(plan, call, k), weight->cols, 0, out + from * weight->rows,
                    weight->rows);
}

/* The kept products of the table that input k comes from, or NULL. */
static const pen__real *known(const pen__frame *f, const pen__call *call, int k)
{
    const pen__lookup *rows = f->fixed ? gathered(f->plan, call, k) : NULL;
    return rows && !(f->table_row && f->table_row[rows->table]) ? f->plan->table[rows->table].product : NULL;
}

bool pen__layer_knows(const pen__plan *plan, const pen__call *call, int k)
{
    const pen__lookup *rows = call->op == &op ? gathered(plan, call, k) : NULL;
    return rows && plan->table[rows->table].product;
}

/* y = the known products of the input's rows. */
static void put_known(const pen__frame *f, const pen__call *call, int k, const pen__real *product, pen__real *y)
{
    const int32_t *index = pen__index_of(f, gathered(f->plan, call, k)->index);
    int64_t n = pen__rows_of(f, call->out), width = pen__width_of(f, call->out);
    for (int64_t r = 0; r < n; r++, y += width) {
        if (index[r] < 0)
            memset(y, 0, (size_t)width * sizeof *y);
        else
            memcpy(y, product + (int64_t)index[r] * width, (size_t)width * sizeof *y);
    }
}

/* ---- the layer --------------------------------------------------------------------------------------------------- */

/* The mask of rows from `first` of the shard, times x in place; nothing when answering. */
static void drop(const pen__frame *f, const pen__call *call, pen__real *x, int64_t first, int64_t rows)
{
    int64_t width = pen__width_of(f, call->out);
    if (call->f[RATE] > 0 && f->training)
        pen__deep_kern()->dropout(x, x, rows, width, pen__key(f, call->i[KEY]),
                                  f->first[pen__extent_of(f, call->out)] + first, (pen__real)call->f[RATE], false);
}

/* The bias, the activation, the mask: forward. */
static void activate(const pen__frame *f, const pen__call *call, pen__real *y)
{
    const pen__real *bias = pen__weight_data(f, call->weight[BIAS]);
    int64_t n = pen__rows_of(f, call->out), out = pen__width_of(f, call->out);
    for (int64_t r = 0; r < n; r += BLOCK) {
        int64_t rows = n - r < BLOCK ? n - r : BLOCK;
        pen__deep_kern()->bias_act(y + r * out, bias, rows, out, (pen__activation)call->i[ACT]);
        drop(f, call, y + r * out, r, rows);
    }
}

/* Their backward, in place. What was kept is the activation times 1 / (1 - rate): its sign is what ReLU's slope asks
 * for. */
static void activate_back(const pen__frame *f, const pen__call *call, pen__real *dy)
{
    const pen__real *y = pen__value(f, call->out);
    int64_t n = pen__rows_of(f, call->out), out = pen__width_of(f, call->out);
    for (int64_t r = 0; r < n; r += BLOCK) {
        int64_t rows = n - r < BLOCK ? n - r : BLOCK;
        drop(f, call, dy + r * out, r, rows);
        pen__deep_kern()->act_back(dy + r * out, y + r * out, rows * out, (pen__activation)call->i[ACT]);
    }
}

static void forward(pen__frame *f, const pen__call *call)
{
    const pen__plan *plan = f->plan;
    const pen__weight *weight = &plan->weight[call->weight[WEIGHT]];
    int64_t n = pen__rows_of(f, call->out), out = weight->rows, at = 0;
    pen__real *y = pen__value(f, call->out);
    bool begun = false;
    for (int k = 0; k < call->n_in; at += pen__width_of(f, call->in[k]), k++) {
        if (is_parents(plan, call, k)) continue;
        const pen__real *product = known(f, call, k);
        if (product)
            put_known(f, call, k, product, y);
        else
            pen__product(f, false, true, n, out, pen__width_of(f, call->in[k]), 1, pen__value(f, call->in[k]),
                         pen__width_of(f, call->in[k]), weight->data + at, weight->cols, begun, y, out);
        begun = true;
    }
    at = 0;
    for (int k = 0; k < call->n_in; at += pen__width_of(f, call->in[k]), k++) {
        if (!is_parents(plan, call, k)) continue;
        int64_t parents = pen__rows_of(f, call->in[k]);
        pen__product(f, false, true, parents, out, pen__width_of(f, call->in[k]), 1, pen__value(f, call->in[k]),
                     pen__width_of(f, call->in[k]), weight->data + at, weight->cols, 0, f->scratch, out);
        add_to_children(f, pen__extent_of(f, call->out), parents, out, f->scratch, y);
    }
    activate(f, call, y);
}

static void backward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__plan *plan = f->plan;
    const pen__weight *weight = &plan->weight[call->weight[WEIGHT]];
    int64_t n = pen__rows_of(f, call->out), out = weight->rows, at = 0;
    pen__real *dz = pen__grad(f, call->out), *d_weight = pen__weight_grad(f, call->weight[WEIGHT]);
    activate_back(f, call, dz);
    if (!f->fixed) deep->column_sum(pen__weight_grad(f, call->weight[BIAS]), dz, n, out);
    for (int k = 0; k < call->n_in; at += pen__width_of(f, call->in[k]), k++) {
        int64_t rows = pen__rows_of(f, call->in[k]), width = pen__width_of(f, call->in[k]);
        const pen__real *d = dz;
        pen__real *dx = pen__grad(f, call->in[k]);
        if (f->fixed && !dx) continue;
        if (is_parents(plan, call, k)) {
            sum_children(f, pen__extent_of(f, call->out), rows, out, dz, f->scratch);
            d = f->scratch;
        }
        if (!f->fixed)
            pen__product(f, true, false, out, width, rows, 1, d, out, pen__value(f, call->in[k]), width, 1,
                         d_weight + at, weight->cols);
        if (dx)
            pen__product(f, false, false, rows, width, out, 1, d, out, weight->data + at, weight->cols,
                         pen__adds(call, k), dx, width);
    }
}

static int64_t scratch(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    int64_t most = 0;
    for (int k = 0; k < call->n_in; k++)
        if (is_parents(plan, call, k) && rows[plan->node[call->in[k]].extent] > most)
            most = rows[plan->node[call->in[k]].extent];
    return most * plan->node[call->out].width;
}

static double flops(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    double sum = 0;
    for (int k = 0; k < call->n_in; k++)
        sum += 2.0 * (double)rows[plan->node[call->in[k]].extent] * plan->node[call->in[k]].width *
               plan->node[call->out].width;
    return sum;
}

/* Of the weights, and of those inputs that have a gradient. */
static double flops_back(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    double sum = flops(plan, call, rows);
    for (int k = 0; k < call->n_in; k++)
        if (plan->node[call->in[k]].has_grad)
            sum += 2.0 * (double)rows[plan->node[call->in[k]].extent] * plan->node[call->in[k]].width *
                   plan->node[call->out].width;
    return sum;
}

static const pen__op op = {.name = "linear",
                           .forward = forward,
                           .backward = backward,
                           .keep = PEN_KEEP_OUT | 0x3F,
                           .scratch = scratch,
                           .flops = flops,
                           .flops_back = flops_back};

/* The deepest extent of the inputs, which all belong to it or to its parent. */
static int32_t extent_of(pen__plan *plan, const int32_t *x, int32_t n)
{
    int32_t extent = -1;
    for (int32_t k = 0; k < n; k++) {
        if (!pen__plan_has(plan, x[k], "linear")) return -1;
        int32_t other = plan->node[x[k]].extent;
        if (extent < 0 || pen__is_child(plan, other, extent)) extent = other;
    }
    for (int32_t k = 0; k < n; k++)
        if (plan->node[x[k]].extent != extent && !pen__is_child(plan, extent, plan->node[x[k]].extent))
            return pen__plan_fail(plan,
                                  "linear's inputs belong to extents '%s' and '%s', which are not parent and child",
                                  plan->extent[plan->node[x[k]].extent].name, plan->extent[extent].name);
    return extent;
}

pen__init pen__layer_init(pen__activation act)
{
    return (pen__init){act == PEN_ACT_RELU ? PEN_INIT_HE : PEN_INIT_XAVIER, 1};
}

int32_t pen__layer(pen__plan *plan, const char *name, const int32_t *x, int32_t n, int32_t out, pen__layer_how how)
{
    char full[48];
    int32_t extent = extent_of(plan, x, n), in = 0;
    if (extent < 0) return -1;
    for (int32_t k = 0; k < n; k++) in += plan->node[x[k]].width;
    snprintf(full, sizeof full, "%.32s.weight", name);
    int32_t weight = pen__plan_weight(plan, full, out, in, how.init, true);
    snprintf(full, sizeof full, "%.32s.bias", name);
    int32_t bias = pen__plan_weight(plan, full, 1, out, (pen__init){PEN_INIT_ZERO, 0}, false);
    int32_t y = pen__plan_node(plan, extent, out, true);
    pen__call *call = pen__plan_call(plan, &op, x, n, y);
    if (!call) return -1;
    call->weight[WEIGHT] = weight, call->weight[BIAS] = bias;
    call->i[ACT] = (int32_t)how.act;
    if (how.act != PEN_ACT_NONE && how.act != PEN_ACT_RELU) return pen__dropped(plan, y, how.dropout);
    if (!(how.dropout >= 0 && how.dropout < 1)) return pen__plan_fail(plan, "dropout of %g", how.dropout);
    if (how.dropout > 0) call->f[RATE] = how.dropout, call->i[KEY] = plan->n_keys++;
    return y;
}

int32_t pen__linear(pen__plan *plan, const char *name, const int32_t *x, int32_t n, int32_t out, pen__activation act)
{
    return pen__layer(plan, name, x, n, out, (pen__layer_how){act, pen__layer_init(act), 0});
}
