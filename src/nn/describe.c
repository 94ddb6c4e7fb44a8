/* The plan in words. All of it follows from the plan and its layouts: nothing is computed, and no buffer is made. */
#include "nn/describe.h"

#include <string.h>

#include "nn/run.h"

enum { REAL = sizeof(pen__real) };

static void put_name(pen__text *out, const char *name) { pen__text_json(out, name, strlen(name)); }

static void put_count(pen__text *out, const char *key, int64_t n)
{
    pen__text_printf(out, ", \"%s\": %lld", key, (long long)n);
}

/* ---- a batch ----------------------------------------------------------------------------------------------------- */

static void put_extents(const pen__description *d, pen__text *out)
{
    const pen__plan *plan = d->plan;
    for (int32_t e = 0; e < plan->n_extents; e++) {
        const pen__extent *extent = &plan->extent[e];
        pen__text_puts(out, e ? ", {\"name\": " : "{\"name\": ");
        put_name(out, e == PEN_ROOT ? "examples" : extent->name);
        pen__text_puts(out, ", \"parent\": ");
        if (extent->parent < 0)
            pen__text_puts(out, "null");
        else
            put_name(out, extent->parent == PEN_ROOT ? "examples" : plan->extent[extent->parent].name);
        pen__text_printf(out, ", \"shared\": %s", extent->shared ? "true" : "false");
        put_count(out, "rows", d->batch_rows[e]);
        put_count(out, "shard_rows", d->train->rows[e]);
        if (d->answer) put_count(out, "answer_rows", d->answer->rows[e]);
        pen__text_puts(out, "}");
    }
}

/* ---- ops --------------------------------------------------------------------------------------------------------- */

/* The call that makes a node as its output, or -1. */
static int32_t maker_of(const pen__plan *plan, int32_t node)
{
    for (int32_t c = 0; c < plan->n_calls; c++)
        if (plan->call[c].out == node) return c;
    return -1;
}

/* What the call reads of others: numbers of ops, names of inputs. */
static void put_reads(const pen__plan *plan, const pen__call *call, pen__text *out)
{
    const char *comma = "";
    for (int32_t k = 0; k < call->n_in; k++, comma = ", ") {
        int32_t input = plan->node[call->in[k]].input;
        pen__text_puts(out, comma);
        if (input >= 0)
            put_name(out, plan->real[input].name);
        else
            pen__text_printf(out, "%d", maker_of(plan, call->in[k]));
    }
    for (int k = 0; k < 4; k++) {
        if (call->index[k] < 0) continue;
        pen__text_puts(out, comma), comma = ", ";
        put_name(out, plan->index[call->index[k]].name);
    }
}

static void put_learned(const pen__plan *plan, const pen__call *call, pen__text *out)
{
    const char *comma = "";
    pen__text_puts(out, ", \"weights\": [");
    for (int k = 0; k < PEN_MAX_OP_WEIGHTS; k++) {
        if (call->weight[k] < 0) continue;
        pen__text_puts(out, comma), comma = ", ";
        put_name(out, plan->weight[call->weight[k]].name);
    }
    pen__text_puts(out, "], \"tables\": ["), comma = "";
    for (int k = 0; k < 2; k++) {
        if (call->table[k] < 0) continue;
        pen__text_puts(out, comma), comma = ", ";
        put_name(out, plan->table[call->table[k]].name);
    }
    pen__text_puts(out, "]");
}

static double forward_flops(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    return call->op->flops ? call->op->flops(plan, call, rows) : 0;
}

static double backward_flops(const pen__plan *plan, const pen__call *call, const int64_t *rows)
{
    bool after = call->op->backward_after && (call->out < 0 || plan->node[call->out].has_grad);
    if (!call->learns || !(after || pen__flows_back(plan, call))) return 0;
    return call->op->flops_back ? call->op->flops_back(plan, call, rows) : 2 * forward_flops(plan, call, rows);
}

/* Its buffers in the arena of a shard (or of an answer): values, gradients, what backward needs beside them. */
static int64_t bytes_of(const pen__layout *layout, const pen__call *call)
{
    int64_t n = layout->held[call->number] < 0 ? 0 : pen__held_reals(layout, call);
    const int32_t node[2] = {call->out, call->aux};
    for (int k = 0; k < 2; k++) {
        if (node[k] < 0) continue;
        n += (layout->value[node[k]] >= 0) * pen__node_reals(layout, node[k]);
        n += (layout->grad[node[k]] >= 0) * pen__node_reals(layout, node[k]);
    }
    return n * REAL;
}

/* An answer's, without the products that are known of the rows it would multiply; these ops into `out`, unless NULL. */
static double answer_flops(const pen__description *d, const pen__call *call, pen__text *out)
{
    const pen__plan *plan = d->plan;
    const int64_t *rows = d->answer->rows;
    double n = forward_flops(plan, call, rows);
    const char *comma = "";
    for (int32_t k = 0; k < call->n_in; k++) {
        const pen__node *in = &plan->node[call->in[k]];
        if (!pen__layer_knows(plan, call, k)) continue;
        n -= 2.0 * (double)rows[in->extent] * in->width * plan->node[call->out].width;
        if (out) pen__text_printf(out, "%s%d", comma, maker_of(plan, call->in[k]));
        comma = ", ";
    }
    return n;
}

static void put_op(const pen__description *d, int32_t c, pen__text *out)
{
    const pen__plan *plan = d->plan;
    const pen__call *call = &plan->call[c];
    const pen__node *node = call->out < 0 ? NULL : &plan->node[call->out];
    bool answers = d->answer && d->answer->needed[c];
    pen__text_printf(out, "%s{\"number\": %d, \"op\": ", c ? ",\n" : "", c);
    put_name(out, call->op->name);
    put_learned(plan, call, out);
    pen__text_puts(out, ", \"reads\": [");
    put_reads(plan, call, out);
    pen__text_puts(out, "], \"extent\": ");
    int32_t extent = node ? node->extent : call->n_in ? plan->node[call->in[0]].extent : PEN_ROOT;
    put_name(out, extent == PEN_ROOT ? "examples" : plan->extent[extent].name);
    put_count(out, "rows", d->batch_rows[extent]);
    put_count(out, "width", node ? node->width : 0);
    pen__text_printf(out, ", \"flops\": {\"forward\": %.0f, \"backward\": %.0f}",
                     call->learns ? forward_flops(plan, call, d->batch_rows) : 0,
                     backward_flops(plan, call, d->batch_rows));
    put_count(out, "bytes", bytes_of(d->train, call));
    pen__text_printf(out, ", \"loss\": %s, \"trained\": %s, \"answers\": %s", call->out < 0 ? "true" : "false",
                     call->learns ? "true" : "false", answers ? "true" : "false");
    if (answers) {
        put_count(out, "answer_bytes", bytes_of(d->answer, call));
        pen__text_puts(out, ", \"answer_knows\": [");
        double flops = answer_flops(d, call, out);
        pen__text_printf(out, "], \"answer_flops\": %.0f", flops);
    }
    pen__text_puts(out, "}");
}

/* ---- what is learned --------------------------------------------------------------------------------------------- */

static int64_t slots_of(const pen__description *d, int64_t rows, int64_t columns)
{
    return pen__optimiser_slots(d->optimiser) * rows * (d->optimiser == PEN_OPT_ROWWISE_ADAGRAD ? 1 : columns);
}

static void put_weights(const pen__description *d, pen__text *out)
{
    for (int32_t w = 0; w < d->plan->n_weights; w++) {
        const pen__weight *weight = &d->plan->weight[w];
        pen__text_puts(out, w ? ", {\"name\": " : "{\"name\": ");
        put_name(out, weight->name);
        pen__text_printf(out, ", \"shape\": [%lld, %lld]", (long long)weight->rows, (long long)weight->cols);
        put_count(out, "bytes", weight->rows * weight->cols * REAL);
        pen__text_puts(out, "}");
    }
}

static void put_tables(const pen__description *d, pen__text *out)
{
    for (int32_t t = 0; t < d->plan->n_tables; t++) {
        const pen__embedding *table = &d->plan->table[t];
        pen__text_puts(out, t ? ", {\"name\": " : "{\"name\": ");
        put_name(out, table->name);
        pen__text_printf(out, ", \"shape\": [%lld, %d]", (long long)table->rows, table->width);
        put_count(out, "bytes", table->rows * table->width * REAL);
        put_count(out, "optimizer_bytes", slots_of(d, table->rows, table->width) * REAL);
        pen__text_printf(out, ", \"steps\": \"%s\"}", table->dense ? "all rows" : "touched rows");
    }
}

/* The bytes of a training: what is learned, what the optimiser remembers, what a run holds. */
static void put_training(const pen__description *d, pen__text *out)
{
    const pen__plan *plan = d->plan;
    int64_t weights = 0, tables = 0, slots = plan->n_dense ? slots_of(d, plan->n_dense, 1) : 0;
    double forward = 0, backward = 0;
    for (int32_t w = 0; w < plan->n_weights; w++) weights += plan->weight[w].rows * plan->weight[w].cols;
    for (int32_t t = 0; t < plan->n_tables; t++) {
        tables += plan->table[t].rows * plan->table[t].width;
        slots += slots_of(d, plan->table[t].rows, plan->table[t].width);
    }
    for (int32_t c = 0; c < plan->n_calls; c++) {
        if (plan->call[c].learns) forward += forward_flops(plan, &plan->call[c], d->batch_rows);
        backward += backward_flops(plan, &plan->call[c], d->batch_rows);
    }
    pen__run_memory m = pen__run_memory_of(d->train, d->batch_rows, d->n_shards, d->n_workers);
    pen__text_printf(out, "{\"flops\": {\"forward\": %.0f, \"backward\": %.0f}, \"bytes\": {\"arena\": %lld", forward,
                     backward, (long long)d->train->arena * REAL);
    put_count(out, "arena_without_sharing", d->train->apart * REAL);
    put_count(out, "arenas", (int64_t)m.arena);
    put_count(out, "scratch", (int64_t)m.scratch);
    put_count(out, "gradients", (int64_t)(m.dense + m.lookups + m.tables));
    put_count(out, "weights", weights * REAL);
    put_count(out, "tables", tables * REAL);
    put_count(out, "optimizer", slots * REAL);
    put_count(out, "averages", d->averages ? (weights + tables) * REAL : 0);
    pen__text_printf(out, "}, \"arenas\": %d}", m.arenas);
}

static void put_answer(const pen__description *d, pen__text *out)
{
    double flops = 0;
    int32_t n = 0;
    if (!d->answer) {
        pen__text_puts(out, "null");
        return;
    }
    for (int32_t c = 0; c < d->plan->n_calls; c++) {
        if (!d->answer->needed[c]) continue;
        flops += answer_flops(d, &d->plan->call[c], NULL);
        n++;
    }
    pen__text_puts(out, "{\"gives\": ");
    put_name(out, d->answers ? d->answers : "");
    pen__text_printf(out, ", \"ops\": %d, \"flops\": %.0f, \"bytes\": {\"arena\": %lld", n, flops,
                     (long long)d->answer->arena * REAL);
    put_count(out, "arena_without_sharing", d->answer->apart * REAL);
    put_count(out, "scratch", d->answer->scratch * REAL);
    pen__text_puts(out, "}}");
}

void pen__describe(const pen__description *d, pen__text *out)
{
    pen__text_printf(out, "\"batch\": {\"shards\": %d, \"threads\": %d, \"extents\": [", d->n_shards, d->n_workers);
    put_extents(d, out);
    pen__text_puts(out, "]},\n\"ops\": [");
    for (int32_t c = 0; c < d->plan->n_calls; c++) put_op(d, c, out);
    pen__text_puts(out, "],\n\"weights\": [");
    put_weights(d, out);
    pen__text_puts(out, "],\n\"tables\": [");
    put_tables(d, out);
    pen__text_puts(out, "],\n\"training\": ");
    put_training(d, out);
    pen__text_puts(out, ",\n\"answer\": ");
    put_answer(d, out);
    pen__text_puts(out, ",\n\"solve\": ");
    if (d->solve)
        pen__text_printf(out, "{\"bytes\": %zu}", pen__solve_bytes(d->solve));
    else
        pen__text_puts(out, "null");
}
