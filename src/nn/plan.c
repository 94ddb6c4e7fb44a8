/* Building a plan: extents, inputs, parameters, nodes and calls are appended to arrays; the first failure is kept. */
#include "nn/plan.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"
#include "nn/op.h"

pen_status pen__plan_create(pen_context *ctx, pen__plan **out, pen_error *error)
{
    pen__plan *plan = NULL;
    PEN_TRY(PEN_NEW_ZERO(ctx, plan, 1));
    plan->ctx = ctx;
    plan->n_extents = 1;
    plan->extent[PEN_ROOT] = (pen__extent){.name = "examples", .parent = -1};
    *out = plan;
    return PEN_OK;
}

void pen__plan_destroy(pen__plan *plan)
{
    if (!plan) return;
    pen__free(plan->ctx, plan->weight);
    pen__free(plan->ctx, plan->table);
    pen__free(plan->ctx, plan->lookup);
    pen__free(plan->ctx, plan->node);
    pen__free(plan->ctx, plan->call);
    pen__free(plan->ctx, plan);
}

int32_t pen__plan_fail(pen__plan *plan, const char *format, ...)
{
    if (plan->status != PEN_OK) return -1;
    char words[160];
    va_list list;
    va_start(list, format);
    vsnprintf(words, sizeof words, format, list);
    va_end(list);
    plan->status = pen__fail(&plan->error, PEN_E_ARGUMENT, "the network cannot be built: %s", words);
    return -1;
}

/* Room for one more in an array of the plan. */
static bool room(pen__plan *plan, void *array, size_t *cap, int32_t n, size_t size)
{
    if (plan->status != PEN_OK) return false;
    plan->status = pen__grow(plan->ctx, array, cap, (size_t)n + 1, size, &plan->error);
    return plan->status == PEN_OK;
}

bool pen__plan_has(pen__plan *plan, int32_t node, const char *who)
{
    if (plan->status == PEN_OK && (node < 0 || node >= plan->n_nodes))
        pen__plan_fail(plan, "%s reads node %d of %d", who, node, plan->n_nodes);
    return plan->status == PEN_OK;
}

bool pen__plan_cuts(pen__plan *plan, int32_t node, const char *who)
{
    if (!pen__plan_has(plan, node, who)) return false;
    const pen__extent *extent = &plan->extent[plan->node[node].extent];
    if (extent->shared)
        pen__plan_fail(plan, "%s adds up rows of '%s', which all shards share: each of them would count", who,
                       extent->name);
    return plan->status == PEN_OK;
}

static bool has_extent(pen__plan *plan, int32_t extent, const char *who)
{
    if (plan->status == PEN_OK && (extent < 0 || extent >= plan->n_extents))
        pen__plan_fail(plan, "'%s' belongs to extent %d of %d", who, extent, plan->n_extents);
    return plan->status == PEN_OK;
}

static int32_t extent_add(pen__plan *plan, int32_t parent, bool shared, const char *name)
{
    if (plan->status != PEN_OK) return -1;
    if (plan->n_extents == PEN_MAX_EXTENTS) return pen__plan_fail(plan, "more than %d extents", PEN_MAX_EXTENTS);
    pen__extent *extent = &plan->extent[plan->n_extents];
    *extent = (pen__extent){.parent = parent, .shared = shared};
    snprintf(extent->name, sizeof extent->name, "%s", name);
    return plan->n_extents++;
}

int32_t pen__extent_child(pen__plan *plan, int32_t parent, const char *name)
{
    if (!has_extent(plan, parent, name)) return -1;
    if (plan->extent[parent].shared) return pen__plan_fail(plan, "shared rows have no children ('%s')", name);
    return extent_add(plan, parent, false, name);
}

void pen__extent_most(pen__plan *plan, int32_t extent, int64_t most)
{
    if (plan->status == PEN_OK && has_extent(plan, extent, "a bound")) plan->extent[extent].most = most;
}

int32_t pen__extent_shared(pen__plan *plan, const char *name) { return extent_add(plan, -1, true, name); }

static int32_t input_add(pen__plan *plan, pen__input *inputs, int32_t *n, int32_t extent, int32_t width,
                         const char *name)
{
    if (!has_extent(plan, extent, name)) return -1;
    if (*n == PEN_MAX_INPUTS) return pen__plan_fail(plan, "more than %d inputs", PEN_MAX_INPUTS);
    inputs[*n] = (pen__input){.extent = extent, .width = width};
    snprintf(inputs[*n].name, sizeof inputs[*n].name, "%s", name);
    return (*n)++;
}

int32_t pen__input_index(pen__plan *plan, int32_t extent, const char *name)
{
    return input_add(plan, plan->index, &plan->n_index, extent, 0, name);
}

int32_t pen__input_real(pen__plan *plan, int32_t extent, int32_t width, const char *name)
{
    if (width < 1) return pen__plan_fail(plan, "input '%s' is %d wide", name, width);
    int32_t input = input_add(plan, plan->real, &plan->n_real, extent, width, name);
    int32_t node = input < 0 ? -1 : pen__plan_node(plan, extent, width, false);
    if (node >= 0) plan->node[node].input = input;
    return node;
}

int32_t pen__plan_weight(pen__plan *plan, const char *name, int64_t rows, int64_t cols, pen__init init, bool decays)
{
    size_t size;
    if (!room(plan, &plan->weight, &plan->weights_cap, plan->n_weights, sizeof *plan->weight)) return -1;
    if (rows < 1 || cols < 1 || !pen__mul((size_t)rows, (size_t)cols, &size) || size > (size_t)1 << 40)
        return pen__plan_fail(plan, "weight '%s' is %lld x %lld", name, (long long)rows, (long long)cols);
    for (int32_t w = 0; w < plan->n_weights; w++)
        if (!strcmp(plan->weight[w].name, name)) return pen__plan_fail(plan, "two weights are called '%s'", name);
    pen__weight *weight = &plan->weight[plan->n_weights];
    *weight = (pen__weight){.rows = rows, .cols = cols, .at = plan->n_dense, .init = init, .decays = decays};
    snprintf(weight->name, sizeof weight->name, "%s", name);
    plan->n_dense += ((int64_t)size + 15) / 16 * 16;
    return plan->n_weights++;
}

int32_t pen__plan_table(pen__plan *plan, const char *name, int64_t rows, int32_t width, pen__init init)
{
    if (!room(plan, &plan->table, &plan->tables_cap, plan->n_tables, sizeof *plan->table)) return -1;
    if (rows < 1 || rows > INT32_MAX || width < 1)
        return pen__plan_fail(plan, "table '%s' is %lld x %d", name, (long long)rows, width);
    for (int32_t t = 0; t < plan->n_tables; t++)
        if (!strcmp(plan->table[t].name, name)) return pen__plan_fail(plan, "two tables are called '%s'", name);
    pen__embedding *table = &plan->table[plan->n_tables];
    *table = (pen__embedding){.rows = rows, .width = width, .init = init};
    snprintf(table->name, sizeof table->name, "%s", name);
    return plan->n_tables++;
}

int32_t pen__plan_lookup(pen__plan *plan, pen__lookup lookup)
{
    if (!room(plan, &plan->lookup, &plan->lookups_cap, plan->n_lookups, sizeof *plan->lookup)) return -1;
    if (lookup.table < 0 || lookup.table >= plan->n_tables)
        return pen__plan_fail(plan, "a lookup in table %d of %d", lookup.table, plan->n_tables);
    if (lookup.kind != PEN_LOOKUP_DENSE && (lookup.index < 0 || lookup.index >= plan->n_index))
        return pen__plan_fail(plan, "a lookup by input %d of %d", lookup.index, plan->n_index);
    if (lookup.kind == PEN_LOOKUP_DENSE) plan->table[lookup.table].dense = true;
    plan->lookup[plan->n_lookups] = lookup;
    return plan->n_lookups++;
}

int32_t pen__plan_node(pen__plan *plan, int32_t extent, int32_t width, bool has_grad)
{
    if (!room(plan, &plan->node, &plan->nodes_cap, plan->n_nodes, sizeof *plan->node)) return -1;
    plan->node[plan->n_nodes] =
        (pen__node){.extent = extent, .width = width, .input = -1, .lookup = -1, .has_grad = has_grad};
    return plan->n_nodes++;
}

pen__call *pen__plan_call(pen__plan *plan, const struct pen__op *op, const int32_t *in, int32_t n_in, int32_t out)
{
    if (n_in > PEN_MAX_IN) pen__plan_fail(plan, "%s reads more than %d nodes", op->name, PEN_MAX_IN);
    for (int32_t k = 0; k < n_in; k++)
        if (!pen__plan_has(plan, in[k], op->name)) return NULL;
    if (!room(plan, &plan->call, &plan->calls_cap, plan->n_calls, sizeof *plan->call)) return NULL;
    pen__call *call = &plan->call[plan->n_calls];
    *call = (pen__call){.op = op, .n_in = n_in, .out = out, .aux = -1, .lookup = -1};
    call->number = plan->n_calls++, call->key = plan->n_keys++;
    for (int32_t k = 0; k < n_in; k++) call->in[k] = in[k];
    for (int k = 0; k < PEN_MAX_OP_WEIGHTS; k++) call->weight[k] = -1;
    for (int k = 0; k < 4; k++) call->index[k] = -1;
    call->table[0] = call->table[1] = -1;
    if (op->forward_after) plan->has_global = true;
    return call;
}

/* Backward runs the calls in reverse: the last reader of a node is the first to write its gradient, the others add to
 * it. A node read twice by one call is written at the first place and added to at the next. What no loss stands on has
 * no backward. */
static void settle_backward(pen__plan *plan, bool *written)
{
    memset(written, 0, (size_t)plan->n_nodes * sizeof *written);
    for (int32_t c = plan->n_calls - 1; c >= 0; c--) {
        pen__call *call = &plan->call[c];
        call->adds = 0;
        call->learns = call->out < 0 || written[call->out];
        if (!call->learns) continue;
        for (int32_t k = 0; k < call->n_in; k++) {
            if (written[call->in[k]]) call->adds |= 1u << k;
            written[call->in[k]] = true;
        }
    }
}

pen_status pen__plan_end(pen__plan *plan, pen_error *error)
{
    if (plan->status != PEN_OK) {
        if (error) *error = plan->error;
        return plan->status;
    }
    bool *written = NULL;
    PEN_TRY(PEN_NEW(plan->ctx, written, plan->n_nodes + 1));
    settle_backward(plan, written);
    pen__free(plan->ctx, written);
    return PEN_OK;
}

void pen__init_fill(pen__init init, const char *name, uint64_t seed, int64_t rows, int64_t cols, pen__real *data)
{
    /* FNV-1a of the name: a parameter begins the same wherever it stands in the plan */
    uint64_t hash = 14695981039346656037u;
    for (const char *c = name; *c; c++) hash = (hash ^ (uint8_t)*c) * 1099511628211u;
    double spread = init.scale;
    if (init.kind == PEN_INIT_XAVIER) spread *= sqrt(6 / ((double)rows + (double)cols));
    if (init.kind == PEN_INIT_HE) spread *= sqrt(2 / (double)cols);
    for (int64_t r = 0; r < rows; r++) {
        pen__rng rng = pen__rng_begin(seed ^ hash, PEN_STREAM_INIT, (uint64_t)r);
        for (int64_t c = 0; c < cols; c++) {
            double x = 0;
            switch (init.kind) {
            case PEN_INIT_ZERO: break;
            case PEN_INIT_ONE: x = 1; break;
            case PEN_INIT_NORMAL:
            case PEN_INIT_HE: x = spread * pen__rng_normal(&rng); break;
            case PEN_INIT_UNIFORM:
            case PEN_INIT_XAVIER: x = spread * (2 * pen__rng_uniform(&rng) - 1); break;
            }
            data[r * cols + c] = (pen__real)x;
        }
    }
}
