/* Fold-in for networks with user embeddings: the user's own rows are learned, the network stays as it is. One shard, no
 * dropout, in fixed order; batch norm goes by its running statistics, which do not move: a new user is solved on the
 * network that answers. Ops where shards meet do so alone. Cost: forward and backward of the batch, a step. */
#include "nn/arena.h"
#include "nn/optimiser.h"

enum { ALIGN = 64 };

/* Reals that lookups' gradients take. */
static int64_t lookup_reals(const pen__layout *layout)
{
    const pen__plan *plan = layout->plan;
    int64_t n = 0;
    for (int32_t k = 0; k < plan->n_lookups; k++)
        if (plan->lookup[k].kind != PEN_LOOKUP_DENSE)
            n += (layout->rows[plan->lookup[k].extent] * plan->table[plan->lookup[k].table].width + 15) / 16 * 16;
    return n;
}

pen_status pen__solve_check(const pen__plan *plan, int32_t table, pen_error *error)
{
    static const char *const how[] = {"a row for each index", "a bag", "a loss over all its rows"};
    for (int32_t k = 0; k < plan->n_lookups; k++)
        PEN_CHECK(plan->lookup[k].table != table || plan->lookup[k].kind == PEN_LOOKUP_ROW, PEN_E_ARGUMENT,
                  "table '%s' is read by %s: a user whom the model lacks is solved for where a row of theirs is looked "
                  "up alone",
                  plan->table[table].name, how[plan->lookup[k].kind]);
    return PEN_OK;
}

static int64_t slot_reals(const pen__plan *plan)
{
    int64_t n = 0;
    for (int32_t t = 0; t < plan->n_tables; t++) n += 3 * plan->table[t].width;
    return n;
}

size_t pen__solve_bytes(const pen__layout *layout)
{
    int64_t n =
        layout->arena + layout->scratch + layout->plan->n_dense + lookup_reals(layout) + slot_reals(layout->plan);
    return (size_t)n * sizeof(pen__real) + (size_t)layout->plan->n_lookups * sizeof(pen__real *) + 2 * ALIGN;
}

/* The gradient of a table's one row: the sum over its lookups (rows only: pen__solve_check). */
static void row_gradient(const pen__frame *f, int32_t table, pen__real *g)
{
    int64_t width = f->plan->table[table].width;
    memset(g, 0, (size_t)width * sizeof *g);
    for (int32_t k = 0; k < f->plan->n_lookups; k++)
        if (f->plan->lookup[k].table == table)
            pen__deep_kern()->column_sum(g, f->lookup_grad[k], f->count[f->plan->lookup[k].extent], width);
}

/* Forward and backward of the whole plan; where shards would meet, this one is all there are. */
static void descend(pen__frame *f)
{
    const pen__plan *plan = f->plan;
    for (int32_t c = 0; c < plan->n_calls; c++) {
        const pen__call *call = &plan->call[c];
        if (!f->layout->needed[c]) continue;
        call->op->forward(f, call);
        if (call->op->forward_after) call->op->forward_after(f, call);
    }
    for (int32_t c = plan->n_calls - 1; c >= 0; c--) {
        const pen__call *call = &plan->call[c];
        if (!f->layout->needed[c]) continue;
        if (pen__flows_back(plan, call)) call->op->backward(f, call);
        if (call->op->backward_after) call->op->backward_after(f, call);
    }
}

void pen__solve(const pen__layout *layout, void *memory, pen__batch *batch, pen__real *const *row, int32_t n_steps,
                double rate, double l2, void (*refill)(void *arg, int32_t step), void *arg)
{
    const pen__plan *plan = layout->plan;
    pen__frame f = {.plan = plan, .layout = layout, .batch = batch, .n_shards = 1, .fixed = true, .table_row = row};
    pen__real **lookup = (pen__real **)(((uintptr_t)memory + ALIGN - 1) / ALIGN * ALIGN);
    f.arena = (pen__real *)(((uintptr_t)(lookup + plan->n_lookups) + ALIGN - 1) / ALIGN * ALIGN);
    f.scratch = f.arena + layout->arena;
    f.dense_grad = f.scratch + layout->scratch;
    pen__real *at = f.dense_grad + plan->n_dense, *slots;
    for (int32_t k = 0; k < plan->n_lookups; k++) {
        lookup[k] = row[plan->lookup[k].table] ? at : NULL; /* the others stay as they are */
        if (plan->lookup[k].kind == PEN_LOOKUP_DENSE) continue;
        at += (layout->rows[plan->lookup[k].extent] * plan->table[plan->lookup[k].table].width + 15) / 16 * 16;
    }
    slots = at;
    memset(slots, 0, (size_t)slot_reals(plan) * sizeof *slots);
    f.lookup_grad = lookup;
    f.all = &f;
    pen__learning learning = {
        .kind = PEN_OPT_ADAM, .rate = rate, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .l2 = l2};
    for (int32_t step = 0; step < n_steps; step++) {
        if (refill) refill(arg, step);
        for (int32_t e = 0; e < plan->n_extents; e++) f.count[e] = batch->n[e];
        memset(f.dense_grad, 0, (size_t)plan->n_dense * sizeof *f.dense_grad);
        descend(&f);
        pen__update update = pen__update_at(&learning, (uint64_t)step, 1);
        pen__real *slot = slots;
        for (int32_t t = 0; t < plan->n_tables; t++) {
            int64_t width = plan->table[t].width;
            if (row[t]) {
                row_gradient(&f, t, slot + 2 * width);
                pen__optimise(PEN_OPT_ADAM, &update, row[t], slot, slot + width, slot + 2 * width, width);
            }
            slot += 3 * width;
        }
    }
}
