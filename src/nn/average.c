/* Averages of weights over steps. One less than a power near one is taken by expm1: 1 - 0.999^t would lose digits. */
#include "nn/average.h"

#include <math.h>

#include "base/memory.h"

struct pen__average {
    pen_context *ctx;
    const pen__plan *plan;
    double log_decay;
    pen__real old, fresh; /* decay, and what it leaves */
    uint64_t from, next;  /* the epoch's first step; the step that comes next */
    int32_t **known;      /* (n_tables): of each row, steps of this epoch that its sum knows */
};

/* 1 - decay^k */
static double share(const pen__average *a, double k) { return -expm1(k * a->log_decay); }

static void mix(pen__real *m, const pen__real *w, int64_t n, pen__real old, pen__real fresh)
{
    for (int64_t i = 0; i < n; i++) m[i] = old * m[i] + fresh * w[i];
}

/* k steps in which w stood still. */
static void catch_up(const pen__average *a, pen__real *m, const pen__real *w, int64_t n, int64_t k)
{
    mix(m, w, n, (pen__real)exp((double)k * a->log_decay), (pen__real)share(a, (double)k));
}

pen_status pen__average_create(pen_context *ctx, const pen__plan *plan, double decay, pen__average **out,
                               pen_error *error)
{
    pen__average *a = NULL;
    *out = NULL;
    PEN_TRY(PEN_NEW_ZERO(ctx, a, 1));
    a->ctx = ctx, a->plan = plan, a->log_decay = log(decay);
    a->old = (pen__real)decay, a->fresh = (pen__real)share(a, 1);
    pen_status status = PEN_NEW_ZERO(ctx, a->known, plan->n_tables + 1);
    for (int32_t t = 0; t < plan->n_tables && status == PEN_OK; t++)
        status = PEN_NEW_ZERO(ctx, a->known[t], plan->table[t].rows);
    if (status == PEN_OK)
        *out = a;
    else
        pen__average_destroy(a);
    return status;
}

void pen__average_destroy(pen__average *a)
{
    if (!a) return;
    for (int32_t t = 0; a->known && t < a->plan->n_tables; t++) pen__free(a->ctx, a->known[t]);
    pen__free(a->ctx, a->known);
    pen__free(a->ctx, a);
}

/* ---- passes over everything: by the calling thread alone, also where the work was cancelled ---------------------- */

static void scale(pen__real *m, int64_t n, double factor)
{
    for (int64_t i = 0; i < n; i++) m[i] *= (pen__real)factor;
}

static void scale_all(const pen__average *a, double factor)
{
    const pen__plan *plan = a->plan;
    for (int32_t w = 0; w < plan->n_weights; w++)
        scale(plan->weight[w].average, plan->weight[w].rows * plan->weight[w].cols, factor);
    for (int32_t t = 0; t < plan->n_tables; t++)
        scale(plan->table[t].average, plan->table[t].rows * plan->table[t].width, factor);
}

void pen__average_begin(pen__average *a, uint64_t step)
{
    a->from = a->next = step;
    scale_all(a, share(a, (double)step));
}

void pen__average_end(pen__average *a)
{
    const pen__plan *plan = a->plan;
    int64_t steps = (int64_t)(a->next - a->from);
    for (int32_t t = 0; t < plan->n_tables; t++) {
        int64_t width = plan->table[t].width;
        for (int64_t r = 0; r < plan->table[t].rows; r++) {
            int64_t missed = steps - a->known[t][r];
            if (missed > 0)
                catch_up(a, plan->table[t].average + r * width, plan->table[t].data + r * width, width, missed);
            a->known[t][r] = 0;
        }
    }
    if (a->next > 0) scale_all(a, 1 / share(a, (double)a->next));
}

/* ---- a step ------------------------------------------------------------------------------------------------------ */

void pen__average_step(pen__average *a, uint64_t step) { a->next = step + 1; }

void pen__average_before(pen__average *a, int32_t table, int64_t row)
{
    const pen__embedding *t = &a->plan->table[table];
    int64_t missed = (int64_t)(a->next - a->from) - 1 - a->known[table][row];
    if (missed > 0) catch_up(a, t->average + row * t->width, t->data + row * t->width, t->width, missed);
}

void pen__average_after(pen__average *a, int32_t table, int64_t row)
{
    const pen__embedding *t = &a->plan->table[table];
    mix(t->average + row * t->width, t->data + row * t->width, t->width, a->old, a->fresh);
    a->known[table][row] = (int32_t)(a->next - a->from);
}

void pen__average_weight(pen__average *a, int32_t weight, int64_t low, int64_t n)
{
    const pen__weight *w = &a->plan->weight[weight];
    mix(w->average + low, w->data + low, n, a->old, a->fresh);
}
