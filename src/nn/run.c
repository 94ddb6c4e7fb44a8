/* Steps of training. Frames, arenas and gradient blocks are made when the run is bound; a step only fills them.
 *
 * Arenas: one a worker, since a shard's activations are done with when its backward is; with global ops one a shard,
 * for shards meet between regions. Cost of a step beside the ops: reading n_shards blocks of dense gradients once. */
#include "nn/run.h"

#include <math.h>

#include "base/memory.h"
#include "base/progress.h"

enum { UPDATE_GRAIN = 4096, ROW_GRAIN = 128, AHEAD = 2, SOURCES_AHEAD = 4, MAX_GLOBALS = 8 };

struct pen__run {
    pen_context *ctx;
    const pen__plan *plan;
    pen__run_options o;
    pen__layout *layout;
    pen__average *average; /* or NULL */
    int32_t n_workers, n_arenas, n_globals;
    int32_t global[MAX_GLOBALS]; /* numbers of the calls where shards meet */
    int64_t shard_rows[PEN_MAX_EXTENTS], batch_rows[PEN_MAX_EXTENTS];
    pen__real *arenas, *scratches; /* (n_arenas, arena), (n_workers, scratch) */
    pen__real *dense;              /* (n_shards bound, n_dense) */
    pen__real *total;              /* (n_dense): summed up */
    pen__real **lookup_grad;       /* (n_lookups) */
    pen__real *table_grad[PEN_MAX_SHARDS][PEN_MAX_TABLES];
    pen__real *row; /* (n_workers, widest table): a row's gradient */
    int64_t widest;
    pen__frame frame[PEN_MAX_SHARDS];

    /* The step at hand. */
    const pen__batch *batch;
    const pen__touched *touched;
    const pen__beside *beside;
    int32_t n_shards, region;
    pen__update decaying, plain, of_tables;
    pen__real clip;  /* what the gradient is multiplied by */
    double *squares; /* of each update run, in order */
    size_t squares_cap;
    pen__spent spent;
};

static int32_t arenas_of(const pen__plan *plan, int32_t n_workers)
{
    return plan->has_global ? PEN_MAX_SHARDS : n_workers;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

pen_status pen__run_create(pen_context *ctx, const pen__plan *plan, const pen__run_options *options, pen__run **out,
                           pen_error *error)
{
    pen__run *run = NULL;
    *out = NULL;
    PEN_CHECK(plan->n_tables <= PEN_MAX_TABLES, PEN_E_ARGUMENT, "a network has at most %d tables", PEN_MAX_TABLES);
    PEN_TRY(PEN_NEW_ZERO(ctx, run, 1));
    run->ctx = ctx, run->plan = plan, run->o = *options;
    run->n_workers = pen__workers(ctx);
    run->n_arenas = arenas_of(plan, run->n_workers);
    pen_status status = PEN_NEW_ZERO(ctx, run->lookup_grad, plan->n_lookups + 1);
    if (status == PEN_OK) status = PEN_NEW_ZERO(ctx, run->total, plan->n_dense + 1);
    for (int32_t t = 0; t < plan->n_tables; t++)
        if (plan->table[t].width > run->widest) run->widest = plan->table[t].width;
    if (status == PEN_OK) status = PEN_NEW(ctx, run->row, run->n_workers * (run->widest + 16));
    if (status == PEN_OK && options->spent) status = pen__spent_make(ctx, plan, run->n_workers, &run->spent, error);
    for (int32_t c = 0; c < plan->n_calls && status == PEN_OK; c++) {
        if (!plan->call[c].op->forward_after || !plan->call[c].learns) continue;
        if (run->n_globals == MAX_GLOBALS)
            status = pen__fail(error, PEN_E_ARGUMENT, "a network has at most %d places where shards meet", MAX_GLOBALS);
        else
            run->global[run->n_globals++] = c;
    }
    if (status == PEN_OK && options->average > 0)
        status = pen__average_create(ctx, plan, options->average, &run->average, error);
    if (status == PEN_OK)
        *out = run;
    else
        pen__run_destroy(run);
    return status;
}

void pen__run_destroy(pen__run *run)
{
    if (!run) return;
    pen__layout_destroy(run->layout);
    pen__average_destroy(run->average);
    pen__free(run->ctx, run->arenas);
    pen__free(run->ctx, run->scratches);
    pen__free(run->ctx, run->dense);
    pen__free(run->ctx, run->total);
    for (int32_t k = 0; run->lookup_grad && k < run->plan->n_lookups; k++) pen__free(run->ctx, run->lookup_grad[k]);
    pen__free(run->ctx, run->lookup_grad);
    for (int s = 0; s < PEN_MAX_SHARDS; s++)
        for (int t = 0; t < PEN_MAX_TABLES; t++) pen__free(run->ctx, run->table_grad[s][t]);
    pen__free(run->ctx, run->row);
    pen__free(run->ctx, run->squares);
    pen__spent_free(run->ctx, &run->spent);
    pen__free(run->ctx, run);
}

/* ---- bounds ------------------------------------------------------------------------------------------------------ */

int32_t pen__run_cut(int64_t n, int32_t grain)
{
    int64_t shards = pen__shards(n, grain);
    return (int32_t)(shards < 1 ? 1 : shards > PEN_MAX_SHARDS ? PEN_MAX_SHARDS : shards);
}

int32_t pen__run_shards(const pen__run *run, int64_t n) { return pen__run_cut(n, run->o.grain); }

/* The rows of each extent that shard s has. */
static void cut(const pen__plan *plan, const pen__batch *batch, int32_t n_shards, int32_t s, int64_t *first,
                int64_t *count)
{
    for (int32_t e = 0; e < plan->n_extents; e++) {
        int32_t parent = plan->extent[e].parent;
        int64_t end;
        if (plan->extent[e].shared) {
            first[e] = 0, end = batch->n[e];
        } else if (e == PEN_ROOT) {
            first[e] = pen__run_first(batch->n[e], n_shards, s), end = pen__run_first(batch->n[e], n_shards, s + 1);
        } else {
            first[e] = batch->begin[e][first[parent]], end = batch->begin[e][first[parent] + count[parent]];
        }
        count[e] = end - first[e];
    }
}

void pen__run_measure(const pen__run *run, const pen__batch *batch, int64_t *shard_rows, int64_t *batch_rows)
{
    int32_t n_shards = pen__run_shards(run, batch->n[PEN_ROOT]);
    int64_t first[PEN_MAX_EXTENTS], count[PEN_MAX_EXTENTS];
    for (int32_t s = 0; s < n_shards; s++) {
        cut(run->plan, batch, n_shards, s, first, count);
        for (int32_t e = 0; e < run->plan->n_extents; e++)
            if (count[e] > shard_rows[e]) shard_rows[e] = count[e];
    }
    for (int32_t e = 0; e < run->plan->n_extents; e++)
        if (batch->n[e] > batch_rows[e]) batch_rows[e] = batch->n[e];
}

static pen_status renew(pen_context *ctx, pen__real **block, int64_t n, pen_error *error)
{
    pen__free(ctx, *block);
    *block = NULL;
    pen__real *made = NULL;
    PEN_TRY(PEN_NEW_ZERO(ctx, made, n + 16));
    *block = made;
    return PEN_OK;
}

static pen_status bind_gradients(pen__run *run, pen_error *error)
{
    const pen__plan *plan = run->plan;
    int32_t n_shards = pen__run_shards(run, run->batch_rows[PEN_ROOT]);
    PEN_TRY(renew(run->ctx, &run->dense, n_shards * plan->n_dense, error));
    for (int32_t k = 0; k < plan->n_lookups; k++) {
        const pen__lookup *lookup = &plan->lookup[k];
        if (lookup->kind == PEN_LOOKUP_DENSE) continue;
        int64_t copies = plan->extent[lookup->extent].shared ? n_shards : 1;
        PEN_TRY(renew(run->ctx, &run->lookup_grad[k],
                      copies * run->batch_rows[lookup->extent] * plan->table[lookup->table].width, error));
    }
    for (int32_t s = 0; s < n_shards; s++)
        for (int32_t t = 0; t < plan->n_tables; t++)
            if (plan->table[t].dense && !run->table_grad[s][t])
                PEN_TRY(renew(run->ctx, &run->table_grad[s][t], plan->table[t].rows * plan->table[t].width, error));
    return PEN_OK;
}

/* rowwise-adagrad steps whole rows, wherever a run would end: one run. */
static int64_t dense_runs(const pen__run *run)
{
    if (run->o.learning.kind == PEN_OPT_ROWWISE_ADAGRAD) return run->plan->n_dense > 0;
    return pen__shards(run->plan->n_dense, UPDATE_GRAIN);
}

/* Room for a square of each run of an update, of the largest batch. */
static pen_status bind_squares(pen__run *run, pen_error *error)
{
    int64_t n = dense_runs(run);
    if (run->o.learning.clip <= 0 && !run->o.norms) return PEN_OK;
    for (int32_t t = 0; t < run->plan->n_tables; t++)
        n += pen__shards(pen__touched_most(run->plan, t, run->batch_rows), ROW_GRAIN);
    return PEN_GROW(run->ctx, run->squares, &run->squares_cap, (size_t)n + 1);
}

pen_status pen__run_bind(pen__run *run, const int64_t *shard_rows, const int64_t *batch_rows, pen_error *error)
{
    bool fits = run->layout != NULL;
    for (int32_t e = 0; e < run->plan->n_extents; e++)
        if (shard_rows[e] > run->shard_rows[e] || batch_rows[e] > run->batch_rows[e]) fits = false;
    if (fits) return PEN_OK;
    for (int32_t e = 0; e < run->plan->n_extents; e++) {
        if (shard_rows[e] > run->shard_rows[e]) run->shard_rows[e] = shard_rows[e];
        if (batch_rows[e] > run->batch_rows[e]) run->batch_rows[e] = batch_rows[e];
    }
    pen__layout_destroy(run->layout);
    run->layout = NULL;
    pen__layout *layout = NULL;
    PEN_TRY(pen__layout_train(run->ctx, run->plan, run->shard_rows, &layout, error));
    pen_status status = renew(run->ctx, &run->arenas, run->n_arenas * layout->arena, error);
    if (status == PEN_OK) status = renew(run->ctx, &run->scratches, run->n_workers * layout->scratch, error);
    if (status == PEN_OK) status = bind_gradients(run, error);
    if (status == PEN_OK) status = bind_squares(run, error);
    if (status == PEN_OK)
        run->layout = layout;
    else
        pen__layout_destroy(layout);
    return status;
}

pen__run_memory pen__run_memory_of(const pen__layout *layout, const int64_t *batch_rows, int32_t n_shards,
                                   int32_t n_workers)
{
    const pen__plan *plan = layout->plan;
    pen__run_memory m = {.arenas = arenas_of(plan, n_workers)};
    int64_t lookups = 0, tables = 0;
    for (int32_t k = 0; k < plan->n_lookups; k++) {
        const pen__lookup *lookup = &plan->lookup[k];
        int64_t width = plan->table[lookup->table].width;
        if (lookup->kind != PEN_LOOKUP_DENSE)
            lookups += (plan->extent[lookup->extent].shared ? n_shards : 1) * batch_rows[lookup->extent] * width;
    }
    for (int32_t t = 0; t < plan->n_tables; t++)
        if (plan->table[t].dense) tables += n_shards * plan->table[t].rows * plan->table[t].width;
    m.arena = (uint64_t)(m.arenas * layout->arena) * sizeof(pen__real);
    m.scratch = (uint64_t)(n_workers * layout->scratch) * sizeof(pen__real);
    m.dense = (uint64_t)((n_shards + 1) * plan->n_dense) * sizeof(pen__real);
    m.lookups = (uint64_t)lookups * sizeof(pen__real);
    m.tables = (uint64_t)tables * sizeof(pen__real);
    return m;
}

pen_status pen__run_bytes(const pen__run *run, const int64_t *shard_rows, const int64_t *batch_rows, uint64_t *bytes,
                          pen_error *error)
{
    pen__layout *layout;
    *bytes = 0;
    PEN_TRY(pen__layout_train(run->ctx, run->plan, shard_rows, &layout, error));
    int32_t n_shards = pen__run_shards(run, batch_rows[PEN_ROOT]);
    pen__run_memory m = pen__run_memory_of(layout, batch_rows, n_shards, run->n_workers);
    pen__layout_destroy(layout);
    *bytes = m.arena + m.scratch + m.dense + m.lookups + m.tables;
    return PEN_OK;
}

/* ---- computing --------------------------------------------------------------------------------------------------- */

static void begin_shard(pen__run *run, int32_t s)
{
    const pen__plan *plan = run->plan;
    pen__frame *f = &run->frame[s];
    f->loss = 0;
    f->dense_grad = run->dense + s * plan->n_dense;
    memset(f->dense_grad, 0, (size_t)plan->n_dense * sizeof *f->dense_grad);
    for (int32_t t = 0; t < plan->n_tables; t++)
        if (run->table_grad[s][t])
            memset(run->table_grad[s][t], 0, (size_t)(plan->table[t].rows * plan->table[t].width) * sizeof(pen__real));
}

/* way 0: forward, 1: backward. */
static void call_timed(pen__frame *f, const pen__call *call, void (*fn)(pen__frame *f, const pen__call *call), int way)
{
    double began = f->spent ? pen__now() : 0;
    fn(f, call);
    if (f->spent) f->spent[2 * call->number + way] += pen__now() - began;
}

static void forward(pen__frame *f, int32_t from, int32_t to)
{
    for (int32_t c = from; c < to; c++)
        if (f->plan->call[c].learns) call_timed(f, &f->plan->call[c], f->plan->call[c].op->forward, 0);
}

static void backward(pen__frame *f, int32_t from, int32_t down_to)
{
    for (int32_t c = from; c >= down_to; c--) {
        const pen__call *call = &f->plan->call[c];
        if (call->learns && pen__flows_back(f->plan, call)) call_timed(f, call, call->op->backward, 1);
    }
}

/* Region r of 0 .. 2 n_globals of one shard: forward up to the r-th meeting, the turn, and down again. */
static void compute(pen__run *run, pen__frame *f, int32_t region)
{
    int32_t n = run->n_globals, n_calls = run->plan->n_calls;
    if (region <= n) { /* forward */
        int32_t from = 0;
        if (region > 0) {
            const pen__call *met = &run->plan->call[run->global[region - 1]];
            call_timed(f, met, met->op->forward_after, 0);
            from = run->global[region - 1] + 1;
        }
        forward(f, from, region < n ? run->global[region] + 1 : n_calls);
        if (region == n) backward(f, n_calls - 1, n > 0 ? run->global[n - 1] : 0);
        return;
    }
    int32_t g = 2 * n - region; /* the meeting that has just been */
    const pen__call *met = &run->plan->call[run->global[g]];
    if (met->op->backward_after) call_timed(f, met, met->op->backward_after, 1);
    backward(f, run->global[g] - 1, g > 0 ? run->global[g - 1] : 0);
}

static pen_status compute_shard(void *arg, int64_t task, int worker, pen_error *error)
{
    pen__run *run = arg;
    int64_t n_beside = run->beside && run->region == 0 ? run->beside->n : 0;
    double *spent = pen__spent_of(&run->spent, worker), began = spent && task < n_beside ? pen__now() : 0;
    if (task < n_beside) {
        pen_status status = run->beside->fn(run->beside->arg, task, worker, error);
        if (spent) spent[pen__spent_at(run->plan, PEN_SPENT_BATCHES)] += pen__now() - began;
        return status;
    }
    int32_t s = (int32_t)(task - n_beside);
    pen__frame *f = &run->frame[s];
    if (!run->plan->has_global) f->arena = run->arenas + worker * run->layout->arena;
    f->scratch = run->scratches + worker * run->layout->scratch;
    f->spent = spent;
    if (run->region == 0) begin_shard(run, s);
    compute(run, f, run->region);
    return PEN_OK;
}

static void set_frames(pen__run *run, uint64_t step)
{
    for (int32_t s = 0; s < run->n_shards; s++) {
        pen__frame *f = &run->frame[s];
        *f = (pen__frame){.plan = run->plan,
                          .layout = run->layout,
                          /* where shards meet each has its own, which others read; else its worker's */
                          .arena = run->plan->has_global ? run->arenas + s * run->layout->arena : NULL,
                          .batch = run->batch,
                          .lookup_grad = run->lookup_grad,
                          .table_grad = run->table_grad[s],
                          .all = run->frame,
                          .shard = s,
                          .n_shards = run->n_shards,
                          .training = true,
                          .seed = run->o.seed,
                          .step = step};
        cut(run->plan, run->batch, run->n_shards, s, f->first, f->count);
    }
}

static pen_status compute_all(pen__run *run, uint64_t step, double *loss, pen_error *error)
{
    set_frames(run, step);
    for (run->region = 0; run->region <= 2 * run->n_globals; run->region++) {
        int64_t n_beside = run->beside && run->region == 0 ? run->beside->n : 0;
        PEN_TRY(pen__parallel(run->ctx, n_beside + run->n_shards, compute_shard, run, error));
    }
    *loss = 0;
    for (int32_t s = 0; s < run->n_shards; s++) *loss += run->frame[s].loss;
    return PEN_OK;
}

/* ---- updating ---------------------------------------------------------------------------------------------------- */

/* The update's runs: first the dense block's, then each table's rows. */
typedef struct update_run {
    int32_t table;    /* -1: the dense block */
    int64_t from, to; /* reals, or places in touched rows */
} update_run;

static int64_t rows_touched(const pen__run *run, int32_t t)
{
    return run->plan->table[t].frozen ? 0 : run->touched[t].n;
}

static int64_t update_runs(const pen__run *run)
{
    int64_t n = dense_runs(run);
    for (int32_t t = 0; t < run->plan->n_tables; t++) n += pen__shards(rows_touched(run, t), ROW_GRAIN);
    return n;
}

static update_run update_run_of(const pen__run *run, int64_t task)
{
    int64_t n = dense_runs(run);
    if (task < n)
        return (update_run){-1, task * UPDATE_GRAIN, task + 1 < n ? (task + 1) * UPDATE_GRAIN : run->plan->n_dense};
    task -= n;
    for (int32_t t = 0;; t++) {
        int64_t rows = rows_touched(run, t);
        n = pen__shards(rows, ROW_GRAIN);
        if (task < n) return (update_run){t, task * ROW_GRAIN, task + 1 < n ? (task + 1) * ROW_GRAIN : rows};
        task -= n;
    }
}

/* The summed gradient of place `at` of a table's touched rows: in g, or where it stands already. */
static const pen__real *row_gradient(const pen__run *run, int32_t t, int64_t at, pen__real *g)
{
    const pen__deep *deep = pen__deep_kern();
    const pen__touched *touched = &run->touched[t];
    int64_t width = run->plan->table[t].width, from = touched->begin[at], to = touched->begin[at + 1];
    if (!run->plan->table[t].dense && to - from == 1 && touched->source[from].weight == 1)
        return run->lookup_grad[touched->source[from].lookup] + touched->source[from].row * width;
    memset(g, 0, (size_t)width * sizeof *g);
    if (run->plan->table[t].dense)
        for (int32_t s = 0; s < run->n_shards; s++) deep->add(g, run->table_grad[s][t] + at * width, width);
    for (int64_t k = from; k < to; k++) {
        const pen__source *source = &touched->source[k];
        if (k + SOURCES_AHEAD < to)
            pen__prefetch_row(run->lookup_grad[source[SOURCES_AHEAD].lookup] + source[SOURCES_AHEAD].row * width,
                              width);
        deep->axpy(g, source->weight, run->lookup_grad[source->lookup] + source->row * width, width);
    }
    return g;
}

static void sum_dense(pen__run *run, int64_t from, int64_t to)
{
    const pen__deep *deep = pen__deep_kern();
    memcpy(run->total + from, run->dense + from, (size_t)(to - from) * sizeof *run->total);
    for (int32_t s = 1; s < run->n_shards; s++)
        deep->add(run->total + from, run->dense + s * run->plan->n_dense + from, to - from);
}

/* The part of a weight that stands in [from, to) of the dense block, counted from its first number; false: none
 * does. */
static bool part_within(const pen__weight *weight, int64_t from, int64_t to, int64_t *low, int64_t *high)
{
    int64_t size = weight->rows * weight->cols;
    *low = from > weight->at ? from - weight->at : 0, *high = to - weight->at < size ? to - weight->at : size;
    return *low < *high;
}

/* Steps numbers [low, high) of a weight, whose gradients, or where they are to go, stand in total. */
static void step_weight(pen__run *run, const pen__weight *weight, int64_t low, int64_t high)
{
    pen__real *const *slot = run->o.slots.dense, *total = run->total + weight->at;
    const pen__update *update = weight->decays ? &run->decaying : &run->plain;
    if (weight->follows > 0) {
        pen__real follows = (pen__real)weight->follows;
        for (int64_t i = low; i < high; i++) weight->data[i] += follows * (total[i] - weight->data[i]);
    } else if (run->o.learning.kind == PEN_OPT_ROWWISE_ADAGRAD) { /* all rows: there is one run */
        for (int64_t at = low; at < high; at += weight->cols)
            pen__optimise(run->o.learning.kind, update, weight->data + at, slot[0] + weight->at + at, NULL, total + at,
                          weight->cols);
    } else {
        pen__optimise(run->o.learning.kind, update, weight->data + low, slot[0] ? slot[0] + weight->at + low : NULL,
                      slot[1] ? slot[1] + weight->at + low : NULL, total + low, high - low);
    }
}

static void step_dense(pen__run *run, int64_t from, int64_t to)
{
    for (int32_t w = 0; w < run->plan->n_weights; w++) {
        int64_t low, high;
        if (!part_within(&run->plan->weight[w], from, to, &low, &high)) continue;
        step_weight(run, &run->plan->weight[w], low, high);
        if (run->average) pen__average_weight(run->average, w, low, high - low);
    }
}

/* Clips what learns in total[from, to). */
static void scale_dense(pen__run *run, int64_t from, int64_t to)
{
    for (int32_t w = 0; w < run->plan->n_weights; w++) {
        const pen__weight *weight = &run->plan->weight[w];
        int64_t low, high;
        if (weight->follows > 0 || !part_within(weight, from, to, &low, &high)) continue;
        pen__deep_kern()->scale(run->total + weight->at + low, run->clip, high - low);
    }
}

/* Of what learns in total[from, to). */
static double dense_square(const pen__run *run, int64_t from, int64_t to)
{
    double square = 0;
    for (int32_t w = 0; w < run->plan->n_weights; w++) {
        const pen__weight *weight = &run->plan->weight[w];
        const pen__real *g = run->total + weight->at;
        int64_t low, high;
        if (weight->follows > 0 || !part_within(weight, from, to, &low, &high)) continue;
        square += (double)pen__deep_kern()->dot(g + low, g + low, high - low);
    }
    return square;
}

static pen_status norm_task(void *arg, int64_t task, int worker, pen_error *error)
{
    pen__run *run = arg;
    double *spent = pen__spent_of(&run->spent, worker), began = spent ? pen__now() : 0;
    (void)error;
    const pen__deep *deep = pen__deep_kern();
    update_run u = update_run_of(run, task);
    double square = 0;
    if (u.table < 0) {
        sum_dense(run, u.from, u.to);
        square = dense_square(run, u.from, u.to);
    }
    pen__real *g = run->row + worker * (run->widest + 16);
    for (int64_t at = u.from; u.table >= 0 && at < u.to; at++) {
        const pen__real *d = row_gradient(run, u.table, at, g);
        square += (double)deep->dot(d, d, run->plan->table[u.table].width);
    }
    run->squares[task] = square;
    if (spent) spent[pen__spent_at(run->plan, PEN_SPENT_UPDATE)] += pen__now() - began;
    return PEN_OK;
}

/* Asks for what stepping place `at` will read: its row and what is remembered of it. */
__attribute__((always_inline)) static inline void ask_row(const pen__run *run, int32_t t, int64_t at)
{
    const pen__embedding *table = &run->plan->table[t];
    pen__real *const *slot = run->o.slots.table[t];
    int64_t from = run->touched[t].row[at] * (int64_t)table->width;
    pen__prefetch_row(table->data + from, table->width);
    if (slot[0] && run->o.learning.kind != PEN_OPT_ROWWISE_ADAGRAD) pen__prefetch_row(slot[0] + from, table->width);
    if (slot[1]) pen__prefetch_row(slot[1] + from, table->width);
}

static void update(pen__run *run, int64_t task, int worker)
{
    const pen__deep *deep = pen__deep_kern();
    update_run u = update_run_of(run, task);
    bool measures = run->o.norms && run->o.learning.clip <= 0;
    if (u.table < 0) {
        if (run->o.learning.clip <= 0) sum_dense(run, u.from, u.to);
        if (measures) run->squares[task] = dense_square(run, u.from, u.to);
        if (run->clip != 1) scale_dense(run, u.from, u.to);
        step_dense(run, u.from, u.to);
        return;
    }
    const pen__embedding *table = &run->plan->table[u.table];
    const pen__touched *touched = &run->touched[u.table];
    pen__real *const *slot = run->o.slots.table[u.table], *g = run->row + worker * (run->widest + 16);
    int64_t stride = run->o.learning.kind == PEN_OPT_ROWWISE_ADAGRAD ? 1 : table->width;
    double square = 0;
    for (int64_t at = u.from; at < u.to; at++) {
        int64_t row = touched->row && !table->dense ? touched->row[at] : at;
        if (!table->dense && at + AHEAD < u.to) ask_row(run, u.table, at + AHEAD);
        const pen__real *d = row_gradient(run, u.table, at, g);
        if (measures) square += (double)deep->dot(d, d, table->width);
        if (run->clip != 1) {
            if (d != g) memcpy(g, d, (size_t)table->width * sizeof *g);
            deep->scale(g, run->clip, table->width);
            d = g;
        }
        if (run->average) pen__average_before(run->average, u.table, row);
        pen__optimise(run->o.learning.kind, &run->of_tables, table->data + row * table->width,
                      slot[0] ? slot[0] + row * stride : NULL, slot[1] ? slot[1] + row * stride : NULL, d,
                      table->width);
        if (run->average) pen__average_after(run->average, u.table, row);
    }
    if (measures) run->squares[task] = square;
}

static pen_status update_task(void *arg, int64_t task, int worker, pen_error *error)
{
    pen__run *run = arg;
    double *spent = pen__spent_of(&run->spent, worker), began = spent ? pen__now() : 0;
    (void)error;
    update(run, task, worker);
    if (spent) spent[pen__spent_at(run->plan, PEN_SPENT_UPDATE)] += pen__now() - began;
    return PEN_OK;
}

/* The norm of the whole gradient, of the squares of n runs. */
static double norm_of(const pen__run *run, int64_t n)
{
    double square = 0;
    for (int64_t i = 0; i < n; i++) square += run->squares[i];
    return sqrt(square);
}

/* The norm, and what to multiply the gradient by. */
static pen_status clip_gradient(pen__run *run, int64_t n, double *norm, pen_error *error)
{
    PEN_TRY(pen__parallel(run->ctx, n, norm_task, run, error));
    *norm = norm_of(run, n);
    if (*norm > run->o.learning.clip) run->clip = (pen__real)(run->o.learning.clip / *norm);
    return PEN_OK;
}

pen_status pen__run_step(pen__run *run, const pen__batch *batch, const pen__touched *touched, uint64_t step,
                         const pen__beside *beside, pen__step_report *report, pen_error *error)
{
    int64_t rows[PEN_MAX_EXTENTS] = {0}, all[PEN_MAX_EXTENTS] = {0};
    pen__run_measure(run, batch, rows, all);
    PEN_TRY(pen__run_bind(run, rows, all, error));
    run->batch = batch, run->touched = touched, run->beside = beside;
    run->n_shards = pen__run_shards(run, batch->n[PEN_ROOT]);
    *report = (pen__step_report){.rate = pen__learning_rate(&run->o.learning, step)};
    PEN_TRY(compute_all(run, step, &report->loss, error));
    PEN_CHECK(isfinite(report->loss), PEN_E_DIVERGED, "the loss %s", pen__not_finite(report->loss));
    run->decaying = pen__update_at(&run->o.learning, step, 1);
    run->plain = pen__update_at(&run->o.learning, step, 0);
    run->of_tables = pen__update_at(&run->o.learning, step, run->o.learning.tables);
    run->clip = 1;
    int64_t n = update_runs(run);
    if (run->o.learning.clip > 0) PEN_TRY(clip_gradient(run, n, &report->norm, error));
    if (run->average) pen__average_step(run->average, step);
    PEN_TRY(pen__parallel(run->ctx, n, update_task, run, error));
    if (run->o.norms && run->o.learning.clip <= 0) report->norm = norm_of(run, n);
    return PEN_OK;
}

void pen__run_average_begin(pen__run *run, uint64_t step)
{
    if (run->average) pen__average_begin(run->average, step);
}

void pen__run_average_end(pen__run *run)
{
    if (run->average) pen__average_end(run->average);
}

void pen__run_spent(pen__run *run, pen__text *out)
{
    if (run->spent.seconds) pen__spent_tell(&run->spent, out);
}

void pen__run_halve(pen__run *run, int32_t halvings) { run->o.learning.halvings = halvings; }

static pen_status tables_gradients(pen__run *run, pen__real *const *wanted)
{
    const pen__plan *plan = run->plan;
    for (int32_t t = 0; t < plan->n_tables; t++) {
        const pen__touched *touched = &run->touched[t];
        int64_t width = plan->table[t].width;
        if (!wanted[t]) continue;
        memset(wanted[t], 0, (size_t)(plan->table[t].rows * width) * sizeof(pen__real));
        for (int64_t at = 0; at < touched->n; at++) {
            pen__real *row = wanted[t] + (plan->table[t].dense ? at : touched->row[at]) * width;
            const pen__real *d = row_gradient(run, t, at, row);
            if (d != row) memcpy(row, d, (size_t)width * sizeof *row);
        }
    }
    return PEN_OK;
}

pen_status pen__run_gradients(pen__run *run, const pen__batch *batch, uint64_t step, pen__real *dense,
                              pen__real *const *table, double *loss, pen_error *error)
{
    const pen__plan *plan = run->plan;
    pen_status status = PEN_OK;
    pen__touched touched[PEN_MAX_TABLES] = {{0}};
    int64_t rows[PEN_MAX_EXTENTS] = {0}, all[PEN_MAX_EXTENTS] = {0};
    int32_t *slot = NULL;
    pen__run_measure(run, batch, rows, all);
    PEN_TRY(pen__run_bind(run, rows, all, error));
    run->batch = batch, run->touched = touched, run->beside = NULL;
    run->n_shards = pen__run_shards(run, batch->n[PEN_ROOT]);
    for (int32_t t = 0; t < plan->n_tables; t++) {
        int32_t *made = NULL;
        PEN_TRY_DONE(PEN_NEW(run->ctx, made, plan->table[t].rows));
        slot = made;
        for (int64_t r = 0; r < plan->table[t].rows; r++) slot[r] = -1;
        PEN_TRY_DONE(pen__touched_build(&touched[t], plan, t, batch, run->n_shards, slot, error));
        pen__free(run->ctx, slot);
        slot = NULL;
    }
    PEN_TRY_DONE(compute_all(run, step, loss, error));
    sum_dense(run, 0, plan->n_dense);
    if (dense) memcpy(dense, run->total, (size_t)plan->n_dense * sizeof *dense);
    if (table) PEN_TRY_DONE(tables_gradients(run, table));
done:
    pen__free(run->ctx, slot);
    for (int32_t t = 0; t < plan->n_tables; t++) pen__touched_free(run->ctx, &touched[t]);
    return status;
}
