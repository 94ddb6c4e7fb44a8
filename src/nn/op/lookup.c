/* Lookups: rows of an embedding table, one an index (gather) or a bag of them as one row (bag).
 *
 *     gather  y_i = E[index_i]              bag  y_r = scale(n_r) sum_{i in bag r} w_i E[index_i]
 *
 * There is no backward here: the gradient of y stays where it is, and the run sums it up for each row that was touched
 * (nn/touched.h). Cost: reading the rows, 4 width bytes an index. */
#include <math.h>

#include "nn/op.h"
#include "nn/ops.h"

enum { AHEAD = 512 }; /* numbers that a gather asks for before it reads them */

pen__real pen__pool_scale(pen__pool mode, int64_t length)
{
    if (length < 1 || mode == PEN_POOL_SUM) return 1;
    return mode == PEN_POOL_MEAN ? 1 / (pen__real)length : 1 / (pen__real)sqrt((double)length);
}

static double no_flops(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    (void)plan, (void)call, (void)rows;
    return 0;
}

static void gather_forward(pen__frame *f, const pen__call *call)
{
    const pen__lookup *lookup = &f->plan->lookup[call->lookup];
    const pen__embedding *table = &f->plan->table[lookup->table];
    const int32_t *index = pen__index_of(f, lookup->index);
    size_t bytes = (size_t)table->width * sizeof(pen__real);
    pen__real *y = pen__value(f, call->out);
    int64_t n = pen__rows_of(f, call->out), ahead = 1 + AHEAD / table->width;
    for (int64_t i = 0; i < n; i++, y += table->width) {
        if (i + ahead < n && index[i + ahead] >= 0)
            pen__prefetch_row(table->data + (int64_t)index[i + ahead] * table->width, table->width);
        if (index[i] < 0)
            memset(y, 0, bytes);
        else
            memcpy(y, pen__table_row(f, lookup->table, index[i]), bytes);
    }
}

static const pen__op gather_op = {.name = "gather", .forward = gather_forward, .flops = no_flops};

static void bag_forward(pen__frame *f, const pen__call *call)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__lookup *lookup = &f->plan->lookup[call->lookup];
    const pen__embedding *table = &f->plan->table[lookup->table];
    int32_t extent = f->plan->index[lookup->index].extent;
    const int32_t *index = pen__index_of(f, lookup->index);
    const pen__real *weight = lookup->weight < 0 ? NULL : f->batch->real[lookup->weight] + f->first[extent];
    pen__real *y = pen__value(f, call->out);
    int64_t width = table->width;
    for (int64_t r = 0; r < pen__rows_of(f, call->out); r++, y += width) {
        int64_t from = pen__segment(f, extent, r), to = pen__segment(f, extent, r + 1);
        memset(y, 0, (size_t)width * sizeof *y);
        for (int64_t i = from; i < to; i++) {
            if (i + 4 < to && index[i + 4] >= 0) __builtin_prefetch(table->data + index[i + 4] * width);
            if (index[i] < 0) continue;
            if (weight)
                deep->axpy(y, weight[i], pen__table_row(f, lookup->table, index[i]), width);
            else
                deep->add(y, pen__table_row(f, lookup->table, index[i]), width);
        }
        pen__real scale = pen__pool_scale((pen__pool)lookup->mode, to - from);
        if (scale != 1) deep->scale(y, scale, width);
    }
}

static double bag_flops(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    const pen__lookup *lookup = &plan->lookup[call->lookup];
    return 2.0 * (double)rows[plan->index[lookup->index].extent] * plan->table[lookup->table].width;
}

static const pen__op bag_op = {.name = "bag", .forward = bag_forward, .flops = bag_flops};

static int32_t append(pen__plan *plan, const pen__op *op, pen__lookup lookup)
{
    int32_t number = pen__plan_lookup(plan, lookup);
    if (number < 0) return -1;
    int32_t out = pen__plan_node(plan, lookup.extent, plan->table[lookup.table].width, true);
    pen__call *call = pen__plan_call(plan, op, NULL, 0, out);
    if (!call) return -1;
    call->lookup = number;
    call->table[0] = lookup.table, call->index[0] = lookup.index;
    plan->node[out].lookup = number;
    return out;
}

int32_t pen__gather(pen__plan *plan, int32_t table, int32_t index)
{
    int32_t extent = index >= 0 && index < plan->n_index ? plan->index[index].extent : -1;
    return append(
        plan, &gather_op,
        (pen__lookup){.kind = PEN_LOOKUP_ROW, .table = table, .index = index, .extent = extent, .weight = -1});
}

int32_t pen__bag(pen__plan *plan, int32_t table, int32_t index, pen__pool mode, int32_t weight)
{
    if (plan->status != PEN_OK) return -1;
    int32_t extent = index >= 0 && index < plan->n_index ? plan->index[index].extent : -1, input = -1;
    if (extent < 0 || plan->extent[extent].parent < 0)
        return pen__plan_fail(plan, "a bag needs indices of a child extent");
    if (weight >= 0) {
        if (!pen__plan_has(plan, weight, "bag")) return -1;
        input = plan->node[weight].input;
        if (input < 0 || plan->node[weight].extent != extent || plan->node[weight].width != 1)
            return pen__plan_fail(plan, "a bag's weights are a real input of width 1 on its indices' extent");
    }
    return append(plan, &bag_op,
                  (pen__lookup){.kind = PEN_LOOKUP_BAG,
                                .table = table,
                                .index = index,
                                .extent = plan->extent[extent].parent,
                                .weight = input,
                                .mode = (int32_t)mode});
}
