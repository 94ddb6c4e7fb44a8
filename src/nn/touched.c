/* The rows that a batch touches: number the rows, count their sources, place the sources. */
#include "nn/touched.h"

#include <math.h>

#include "base/memory.h"
#include "nn/ops.h"

/* What one index of a lookup stands for. */
typedef struct visit {
    const pen__plan *plan;
    const pen__batch *batch;
    int32_t n_shards;
} visit;

typedef void (*visit_fn)(void *arg, int32_t index, pen__source source);

static pen__real bag_weight(const visit *v, const pen__lookup *lookup, int64_t place, int64_t length)
{
    pen__real weight = lookup->weight < 0 ? 1 : v->batch->real[lookup->weight][place];
    return weight * pen__pool_scale((pen__pool)lookup->mode, length);
}

/* Calls fn for every index of the lookup that names a row, in order. */
static inline void visit_lookup(const visit *v, int32_t number, visit_fn fn, void *arg)
{
    const pen__lookup *lookup = &v->plan->lookup[number];
    if (lookup->kind == PEN_LOOKUP_DENSE) return;
    const int32_t *index = v->batch->index[lookup->index];
    int32_t extent = v->plan->index[lookup->index].extent;
    int64_t n = v->batch->n[extent];
    if (lookup->kind == PEN_LOOKUP_BAG) {
        const int32_t *begin = v->batch->begin[extent];
        for (int64_t r = 0; r < v->batch->n[lookup->extent]; r++)
            for (int32_t i = begin[r]; i < begin[r + 1]; i++)
                if (index[i] >= 0)
                    fn(arg, index[i],
                       (pen__source){number, (int32_t)r, bag_weight(v, lookup, i, begin[r + 1] - begin[r])});
        return;
    }
    /* each shard has its own gradients of shared rows */
    int32_t copies = v->plan->extent[extent].shared ? v->n_shards : 1;
    for (int32_t s = 0; s < copies; s++)
        for (int64_t i = 0; i < n; i++)
            if (index[i] >= 0) fn(arg, index[i], (pen__source){number, (int32_t)(s * n + i), 1});
}

typedef struct numbering {
    pen__touched *touched;
    int32_t *slot;
    bool all; /* every row has its own number */
} numbering;

static void count(void *arg, int32_t index, pen__source source)
{
    numbering *a = arg;
    (void)source;
    int64_t at = index;
    if (!a->all) {
        if (a->slot[index] < 0) {
            a->slot[index] = (int32_t)a->touched->n;
            a->touched->begin[a->touched->n + 1] = 0;
            a->touched->row[a->touched->n++] = index;
        }
        at = a->slot[index];
    }
    a->touched->begin[at + 1]++;
}

static void place(void *arg, int32_t index, pen__source source)
{
    numbering *a = arg;
    int64_t at = a->all ? index : a->slot[index];
    a->touched->source[a->touched->begin[at]++] = source;
}

/* Sources of a batch with rows[extent] rows; copies: of shared rows. */
static int64_t sources_of(const pen__plan *plan, int32_t table, const int64_t *rows, int32_t copies)
{
    int64_t n = 0;
    for (int32_t k = 0; k < plan->n_lookups; k++) {
        const pen__lookup *lookup = &plan->lookup[k];
        if (lookup->table != table || lookup->kind == PEN_LOOKUP_DENSE) continue;
        int32_t extent = plan->index[lookup->index].extent;
        n += rows[extent] * (plan->extent[extent].shared ? copies : 1);
    }
    return n;
}

int64_t pen__touched_most(const pen__plan *plan, int32_t table, const int64_t *rows)
{
    int64_t all = plan->table[table].rows, n = plan->table[table].dense ? all : sources_of(plan, table, rows, 1);
    return n < all ? n : all;
}

pen_status pen__touched_reserve(pen__touched *t, const pen__plan *plan, int32_t table, const int64_t *rows,
                                int32_t n_shards, pen_error *error)
{
    size_t sources = (size_t)sources_of(plan, table, rows, n_shards),
           most = (size_t)pen__touched_most(plan, table, rows);
    PEN_TRY(PEN_GROW(plan->ctx, t->source, &t->source_cap, sources + 1));
    PEN_TRY(PEN_GROW(plan->ctx, t->begin, &t->begin_cap, most + 2));
    return plan->table[table].dense ? PEN_OK : PEN_GROW(plan->ctx, t->row, &t->row_cap, most + 1);
}

static void visit_table(const visit *v, int32_t table, visit_fn fn, void *arg)
{
    for (int32_t k = 0; k < v->plan->n_lookups; k++)
        if (v->plan->lookup[k].table == table) visit_lookup(v, k, fn, arg);
}

uint64_t pen__touched_bytes(const pen__plan *plan, int32_t table, const int64_t *rows, int32_t n_shards)
{
    uint64_t most = (uint64_t)pen__touched_most(plan, table, rows),
             sources = (uint64_t)sources_of(plan, table, rows, n_shards);
    return sources * sizeof(pen__source) + most * (sizeof(int64_t) + (plan->table[table].dense ? 0 : sizeof(int32_t)));
}

pen_status pen__touched_build(pen__touched *t, const pen__plan *plan, int32_t table, const pen__batch *batch,
                              int32_t n_shards, int32_t *slot, pen_error *error)
{
    visit v = {plan, batch, n_shards};
    numbering a = {t, slot, plan->table[table].dense};
    PEN_TRY(pen__touched_reserve(t, plan, table, batch->n, n_shards, error));
    t->n = a.all ? plan->table[table].rows : 0;
    memset(t->begin, 0, (size_t)(t->n + 2) * sizeof *t->begin);
    visit_table(&v, table, count, &a);
    for (int64_t i = 1; i <= t->n; i++) t->begin[i] += t->begin[i - 1];
    visit_table(&v, table, place, &a); /* moves each row's begin to its end: the next row's begin */
    for (int64_t i = t->n; i > 0; i--) t->begin[i] = t->begin[i - 1];
    t->begin[0] = 0;
    for (int64_t i = 0; !a.all && i < t->n; i++) slot[t->row[i]] = -1;
    return PEN_OK;
}

void pen__touched_free(pen_context *ctx, pen__touched *touched)
{
    pen__free(ctx, touched->row);
    pen__free(ctx, touched->begin);
    pen__free(ctx, touched->source);
    *touched = (pen__touched){0};
}
