/* Liveness and placement: intervals of time, the largest first, each at the lowest place where nothing that lives at
 * the same time stands. O(nodes^2), once for a plan and its bounds. */
#include "nn/arena.h"

#include "base/memory.h"

typedef struct interval {
    int64_t *where;      /* gets its place */
    int64_t size, place; /* reals */
    int32_t born, dies;  /* in time: call c is computed at c, its backward at 2 n_calls - 1 - c */
} interval;

typedef struct layout_work {
    const pen__plan *plan;
    const pen__layout *layout;
    interval *interval;
    int32_t n;
    int32_t *made; /* of each node: the call that makes it as out or aux, or -1 */
    int32_t *last; /* the last call that reads it and learns, or -1 */
} layout_work;

static int64_t whole_lines(int64_t reals) { return (reals > 0 ? reals + 15 : 16) / 16 * 16; }

int64_t pen__node_reals(const pen__layout *layout, int32_t node)
{
    int32_t extent = layout->plan->node[node].extent;
    int64_t size = (extent == PEN_EACH_SHARD ? 1 : layout->rows[extent]) * layout->plan->node[node].width;
    return whole_lines(size);
}

int64_t pen__held_reals(const pen__layout *layout, const pen__call *call)
{
    return call->op->hold ? whole_lines(call->op->hold(layout->plan, call, layout->rows)) : 0;
}

static void place_all(layout_work *w, int64_t *arena)
{
    for (int32_t i = 1; i < w->n; i++) { /* largest first; stable, so that the layout is the same everywhere */
        interval moved = w->interval[i];
        int32_t j = i;
        for (; j > 0 && w->interval[j - 1].size < moved.size; j--) w->interval[j] = w->interval[j - 1];
        w->interval[j] = moved;
    }
    *arena = 0;
    for (int32_t i = 0; i < w->n; i++) {
        interval *mine = &w->interval[i];
        int64_t place = 0;
        for (bool moved = true; moved;) { /* up past whatever is in the way */
            moved = false;
            for (int32_t j = 0; j < i; j++) {
                const interval *other = &w->interval[j];
                bool together = other->born <= mine->dies && mine->born <= other->dies;
                if (together && place < other->place + other->size && other->place < place + mine->size)
                    place = other->place + other->size, moved = true;
            }
        }
        mine->place = place;
        *mine->where = place;
        if (place + mine->size > *arena) *arena = place + mine->size;
    }
}

/* When each value dies: `end` is the time of the last backward, or -1 when there is none. */
static void value_intervals(layout_work *w, int32_t keep_alive)
{
    const pen__plan *plan = w->plan;
    bool training = w->layout->training;
    for (int32_t node = 0; node < plan->n_nodes; node++) {
        int32_t made = w->made[node];
        if (made < 0 || !w->layout->needed[made]) continue;
        const pen__call *maker = &plan->call[made];
        int32_t dies = made;
        for (int32_t c = made + 1; c < plan->n_calls; c++) {
            const pen__call *call = &plan->call[c];
            for (int32_t k = 0; k < call->n_in && w->layout->needed[c]; k++)
                if (call->in[k] == node && dies < c) dies = c;
        }
        if (training) {
            int32_t until = -1; /* the earliest call whose backward reads it is the last in time */
            bool met = false;   /* another shard may read it while this one is done with it */
            for (int32_t c = plan->n_calls - 1; c > made; c--)
                for (int32_t k = 0; k < plan->call[c].n_in; k++)
                    if (plan->call[c].in[k] == node && plan->call[c].learns && plan->call[c].op->keep >> k & 1) {
                        until = c;
                        met |= plan->call[c].op->backward_after != NULL;
                    }
            if (maker->aux == node || maker->op->keep & PEN_KEEP_OUT) until = made;
            if (until >= 0) dies = 2 * plan->n_calls - 1 - until;
            if (met || (until == made && maker->op->backward_after)) dies = 2 * plan->n_calls;
        }
        if (node == keep_alive) dies = 2 * plan->n_calls;
        w->interval[w->n++] = (interval){&w->layout->value[node], pen__node_reals(w->layout, node), 0, made, dies};
    }
}

static void grad_intervals(layout_work *w)
{
    const pen__plan *plan = w->plan;
    for (int32_t node = 0; node < plan->n_nodes; node++) {
        if (!plan->node[node].has_grad || plan->node[node].lookup >= 0 || w->made[node] < 0 ||
            !plan->call[w->made[node]].learns)
            continue;
        int32_t born = w->last[node];
        w->interval[w->n++] = (interval){&w->layout->grad[node], pen__node_reals(w->layout, node), 0,
                                         2 * plan->n_calls - 1 - born, 2 * plan->n_calls - 1 - w->made[node]};
    }
}

static void held_intervals(layout_work *w)
{
    const pen__plan *plan = w->plan;
    for (int32_t c = 0; c < plan->n_calls; c++) {
        const pen__call *call = &plan->call[c];
        if (!call->learns || !call->op->hold) continue;
        w->interval[w->n++] =
            (interval){&w->layout->held[c], pen__held_reals(w->layout, call), 0, c, 2 * plan->n_calls - 1 - c};
    }
}

static void scratch_of(pen__layout *layout)
{
    const pen__plan *plan = layout->plan;
    for (int32_t c = 0; c < plan->n_calls; c++) {
        const pen__call *call = &plan->call[c];
        int64_t need = layout->needed[c] && call->op->scratch ? call->op->scratch(plan, call, layout->rows) : 0;
        if (need > layout->scratch) layout->scratch = need;
    }
    layout->scratch = (layout->scratch + 15) / 16 * 16;
}

static pen_status layout_new(pen_context *ctx, const pen__plan *plan, const int64_t *rows, pen__layout **out,
                             pen_error *error)
{
    pen__layout *layout = NULL;
    PEN_TRY(PEN_NEW_ZERO(ctx, layout, 1));
    *out = layout;
    layout->ctx = ctx, layout->plan = plan;
    memcpy(layout->rows, rows, (size_t)plan->n_extents * sizeof *rows);
    PEN_TRY(PEN_NEW(ctx, layout->value, plan->n_nodes + 1));
    PEN_TRY(PEN_NEW(ctx, layout->grad, plan->n_nodes + 1));
    PEN_TRY(PEN_NEW(ctx, layout->held, plan->n_calls + 1));
    PEN_TRY(PEN_NEW_ZERO(ctx, layout->needed, plan->n_calls + 1));
    for (int32_t c = 0; c < plan->n_calls; c++) layout->held[c] = -1;
    for (int32_t i = 0; i < plan->n_nodes; i++) layout->value[i] = layout->grad[i] = -1;
    return PEN_OK;
}

static pen_status fill_layout(pen__layout *layout, int32_t node, pen_error *error)
{
    const pen__plan *plan = layout->plan;
    pen_context *ctx = layout->ctx;
    layout_work w = {.plan = plan, .layout = layout};
    pen_status status = PEN_OK;
    PEN_TRY_DONE(PEN_NEW(ctx, w.interval, 2 * plan->n_nodes + plan->n_calls + 1));
    PEN_TRY_DONE(PEN_NEW(ctx, w.made, plan->n_nodes + 1));
    PEN_TRY_DONE(PEN_NEW(ctx, w.last, plan->n_nodes + 1));
    for (int32_t i = 0; i < plan->n_nodes; i++) w.made[i] = w.last[i] = -1;
    for (int32_t c = 0; c < plan->n_calls; c++) {
        const pen__call *call = &plan->call[c];
        if (call->out >= 0) w.made[call->out] = c;
        if (call->aux >= 0) w.made[call->aux] = c;
        for (int32_t k = 0; k < call->n_in && call->learns; k++) w.last[call->in[k]] = c;
    }
    value_intervals(&w, node);
    if (layout->training) {
        grad_intervals(&w);
        held_intervals(&w);
    }
    place_all(&w, &layout->arena);
    for (int32_t i = 0; i < w.n; i++) layout->apart += w.interval[i].size;
    scratch_of(layout);
done:
    pen__free(ctx, w.interval);
    pen__free(ctx, w.made);
    pen__free(ctx, w.last);
    return status;
}

pen_status pen__layout_train(pen_context *ctx, const pen__plan *plan, const int64_t *rows, pen__layout **out,
                             pen_error *error)
{
    *out = NULL;
    pen_status status = layout_new(ctx, plan, rows, out, error);
    if (status == PEN_OK) {
        (*out)->training = true;
        for (int32_t c = 0; c < plan->n_calls; c++) (*out)->needed[c] = plan->call[c].learns;
        status = fill_layout(*out, -1, error);
    }
    if (status == PEN_OK) return PEN_OK;
    pen__layout_destroy(*out);
    *out = NULL;
    return status;
}

/* Marks the calls that `node` stands on. */
static void mark_needed(const pen__plan *plan, int32_t node, bool *needed)
{
    for (int32_t c = plan->n_calls - 1; c >= 0; c--) {
        const pen__call *call = &plan->call[c];
        if (call->out == node) needed[c] = true;
        for (int32_t later = c + 1; later < plan->n_calls && !needed[c]; later++)
            for (int32_t k = 0; k < plan->call[later].n_in && needed[later]; k++)
                if (call->out >= 0 && plan->call[later].in[k] == call->out &&
                    !pen__layer_knows(plan, &plan->call[later], k))
                    needed[c] = true;
    }
}

pen_status pen__layout_answer(pen_context *ctx, const pen__plan *plan, int32_t node, const int64_t *rows,
                              pen__layout **out, pen_error *error)
{
    *out = NULL;
    pen_status status = layout_new(ctx, plan, rows, out, error);
    if (status == PEN_OK) {
        mark_needed(plan, node, (*out)->needed);
        status = fill_layout(*out, node, error);
    }
    if (status == PEN_OK) return PEN_OK;
    pen__layout_destroy(*out);
    *out = NULL;
    return status;
}

void pen__layout_destroy(pen__layout *layout)
{
    if (!layout) return;
    pen__free(layout->ctx, layout->value);
    pen__free(layout->ctx, layout->grad);
    pen__free(layout->ctx, layout->held);
    pen__free(layout->ctx, layout->needed);
    pen__free(layout->ctx, layout);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

enum { ALIGN = 64 };

size_t pen__infer_bytes(const pen__layout *layout)
{
    return (size_t)(layout->arena + layout->scratch) * sizeof(pen__real) + ALIGN;
}

const pen__real *pen__infer(const pen__layout *layout, void *memory, const pen__batch *batch, pen__real *const *row,
                            int32_t node)
{
    const pen__plan *plan = layout->plan;
    uintptr_t at = ((uintptr_t)memory + ALIGN - 1) / ALIGN * ALIGN;
    pen__frame frame = {.plan = plan, .layout = layout, .batch = batch, .n_shards = 1, .fixed = true, .table_row = row};
    frame.arena = (pen__real *)at;
    frame.scratch = frame.arena + layout->arena;
    frame.all = &frame;
    for (int32_t e = 0; e < plan->n_extents; e++) frame.count[e] = batch->n[e];
    for (int32_t c = 0; c < plan->n_calls; c++) {
        const pen__call *call = &plan->call[c];
        if (!layout->needed[c]) continue;
        call->op->forward(&frame, call);
        if (call->op->forward_after) call->op->forward_after(&frame, call);
    }
    return pen__value(&frame, node);
}
