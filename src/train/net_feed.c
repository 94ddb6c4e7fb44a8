/* Filling batches: examples are dealt by a counter-based shuffle, sized to find offsets, and filled in chunks. Buffers
 * are made for the largest batch of the epoch, before its first step. Memory: 8 bytes an example for the order, and
 * three batches. */
#include "train/net_feed.h"

#include <string.h>

#include "base/memory.h"
#include "base/progress.h"

enum { SLOTS = 3, CHUNK = 64 };

typedef struct feed_slot {
    pen__batch batch;
    int64_t first, n; /* its examples: places in feed->order */
    int32_t *begin[PEN_MAX_EXTENTS];
    int32_t *index[PEN_MAX_INPUTS];
    pen__real *real[PEN_MAX_INPUTS];
    pen__touched touched[PEN_MAX_TABLES];
} feed_slot;

struct pen__feed {
    pen_context *ctx;
    const pen_model *model;
    const pen__train *train;
    const pen__net *net;
    const pen__net_class *class;
    int64_t n_examples, n_steps, batch_size;
    int32_t epoch;
    int32_t *order;                                         /* (n_examples) */
    int64_t rows[PEN_MAX_EXTENTS];                          /* of the largest batch so far */
    int64_t batch[PEN_MAX_EXTENTS], shard[PEN_MAX_EXTENTS]; /* rows of the epoch's largest */
    int32_t *row_slot[PEN_MAX_TABLES];                      /* see pen__touched_build */
    feed_slot slot[SLOTS];
    const feed_slot *filled, *found; /* what beside's tasks work on */
    int64_t n_chunks;
};

/* Apart for neighbouring seeds and epochs alike. */
static uint64_t epoch_key(const pen__feed *feed)
{
    return pen__rand64(feed->model->seed, PEN_STREAM_NEGATIVE, (uint64_t)feed->epoch);
}

static pen__example example_of(const pen__feed *feed, int64_t number)
{
    pen__example example = {.model = feed->model, .train = feed->train, .number = number, .epoch = feed->epoch};
    example.rng = pen__rng_begin(epoch_key(feed), PEN_STREAM_NEGATIVE, (uint64_t)number);
    example.rows[PEN_ROOT] = 1;
    return example;
}

pen_status pen__feed_create(const pen_model *model, const pen__train *train, const pen__net *net, pen__feed **out,
                            pen_error *error)
{
    pen__feed *feed = NULL;
    *out = NULL;
    PEN_TRY(PEN_NEW_ZERO(model->ctx, feed, 1));
    feed->ctx = model->ctx, feed->model = model, feed->train = train, feed->net = net, feed->class = model->class->net;
    feed->n_examples = feed->class->examples(model, train);
    feed->batch_size = pen__net_batch(model);
    feed->n_steps = (feed->n_examples + feed->batch_size - 1) / feed->batch_size;
    pen_status status = PEN_NEW(feed->ctx, feed->order, feed->n_examples + 1);
    for (int32_t t = 0; t < net->plan->n_tables && status == PEN_OK; t++) {
        int64_t rows = net->plan->table[t].rows;
        status = PEN_NEW(feed->ctx, feed->row_slot[t], rows);
        for (int64_t r = 0; r < rows && status == PEN_OK; r++) feed->row_slot[t][r] = -1;
    }
    if (status == PEN_OK)
        *out = feed;
    else
        pen__feed_destroy(feed);
    return status;
}

static void free_buffers(pen__feed *feed)
{
    for (int s = 0; s < SLOTS; s++) {
        for (int e = 0; e < PEN_MAX_EXTENTS; e++)
            pen__free(feed->ctx, feed->slot[s].begin[e]), feed->slot[s].begin[e] = NULL;
        for (int i = 0; i < PEN_MAX_INPUTS; i++) {
            pen__free(feed->ctx, feed->slot[s].index[i]), feed->slot[s].index[i] = NULL;
            pen__free(feed->ctx, feed->slot[s].real[i]), feed->slot[s].real[i] = NULL;
        }
    }
}

void pen__feed_destroy(pen__feed *feed)
{
    if (!feed) return;
    free_buffers(feed);
    for (int s = 0; s < SLOTS; s++)
        for (int t = 0; t < PEN_MAX_TABLES; t++) pen__touched_free(feed->ctx, &feed->slot[s].touched[t]);
    for (int t = 0; t < PEN_MAX_TABLES; t++) pen__free(feed->ctx, feed->row_slot[t]);
    pen__free(feed->ctx, feed->order);
    pen__free(feed->ctx, feed);
}

int64_t pen__feed_steps(const pen__feed *feed) { return feed->n_steps; }
int64_t pen__feed_examples(const pen__feed *feed) { return feed->n_examples; }

/* ---- bounds ------------------------------------------------------------------------------------------------------ */

/* Raises shard and batch bounds to those of the batch of examples [from, from + n) of the order. */
static void measure_batch(pen__feed *feed, int64_t from, int64_t n, int64_t *shard, int64_t *batch)
{
    const pen__plan *plan = feed->net->plan;
    int32_t n_shards = pen__run_shards(feed->net->run, n);
    int64_t all[PEN_MAX_EXTENTS] = {0};
    for (int32_t s = 0; s < n_shards; s++) {
        int64_t sum[PEN_MAX_EXTENTS] = {0};
        for (int64_t i = pen__run_first(n, n_shards, s); i < pen__run_first(n, n_shards, s + 1); i++) {
            pen__example example = example_of(feed, feed->order[from + i]);
            feed->class->size(&example);
            for (int32_t e = 0; e < plan->n_extents; e++) sum[e] += plan->extent[e].shared ? 0 : example.rows[e];
        }
        for (int32_t e = 0; e < plan->n_extents; e++) {
            all[e] += sum[e];
            if (sum[e] > shard[e]) shard[e] = sum[e];
        }
    }
    pen__example whole = example_of(feed, -1);
    feed->class->size(&whole);
    for (int32_t e = 0; e < plan->n_extents; e++) {
        if (plan->extent[e].shared) all[e] = whole.rows[e];
        if (plan->extent[e].shared && all[e] > shard[e]) shard[e] = all[e];
        if (all[e] > batch[e]) batch[e] = all[e];
    }
}

static pen_status make_buffers(pen__feed *feed, const int64_t *rows, pen_error *error)
{
    const pen__plan *plan = feed->net->plan;
    bool fits = feed->slot[0].begin[PEN_ROOT] != NULL;
    for (int32_t e = 0; e < plan->n_extents; e++) {
        if (rows[e] > feed->rows[e]) fits = false, feed->rows[e] = rows[e];
        PEN_CHECK(rows[e] < INT32_MAX, PEN_E_LIMIT, "a batch has %lld %s; a smaller batch_size helps",
                  (long long)rows[e], plan->extent[e].name);
    }
    if (fits) return PEN_OK;
    free_buffers(feed);
    for (int s = 0; s < SLOTS; s++) {
        feed_slot *slot = &feed->slot[s];
        for (int32_t e = 0; e < plan->n_extents; e++)
            PEN_TRY(PEN_NEW_ZERO(feed->ctx, slot->begin[e], feed->rows[PEN_ROOT] + 2));
        for (int32_t i = 0; i < plan->n_index; i++)
            PEN_TRY(PEN_NEW_ZERO(feed->ctx, slot->index[i], feed->rows[plan->index[i].extent] + 1));
        for (int32_t i = 0; i < plan->n_real; i++)
            PEN_TRY(PEN_NEW_ZERO(feed->ctx, slot->real[i], feed->rows[plan->real[i].extent] * plan->real[i].width + 1));
    }
    return PEN_OK;
}

/* Bytes of what make_buffers makes, of the rows that three batches touch, and of the order and the rows' places. */
static uint64_t buffer_bytes(const pen__feed *feed)
{
    const pen__plan *plan = feed->net->plan;
    const int64_t *rows = feed->batch;
    int64_t n = (int64_t)sizeof(int32_t) * plan->n_extents * (rows[PEN_ROOT] + 2);
    for (int32_t i = 0; i < plan->n_index; i++) n += (int64_t)sizeof(int32_t) * rows[plan->index[i].extent];
    for (int32_t i = 0; i < plan->n_real; i++)
        n += (int64_t)sizeof(pen__real) * rows[plan->real[i].extent] * plan->real[i].width;
    uint64_t touched = 0, whole = (uint64_t)feed->n_examples * sizeof(int32_t);
    for (int32_t t = 0; t < plan->n_tables; t++) whole += (uint64_t)plan->table[t].rows * sizeof(int32_t);
    for (int32_t t = 0; t < plan->n_tables; t++)
        touched += pen__touched_bytes(plan, t, rows, pen__run_shards(feed->net->run, rows[PEN_ROOT]));
    return SLOTS * ((uint64_t)n + touched) + whole;
}

/* Says what the epoch's batches will take, the first time, and refuses what goes past the limit before it is made. */
static pen_status say_memory(const pen__feed *feed, pen_error *error)
{
    pen_context *ctx = feed->ctx;
    const char *name = feed->model->class->name;
    uint64_t steps, batches = buffer_bytes(feed), held = pen_context_memory(ctx), limit = pen__memory_limit(ctx);
    if (feed->slot[0].begin[PEN_ROOT]) return PEN_OK;
    PEN_TRY(pen__run_bytes(feed->net->run, feed->shard, feed->batch, &steps, error));
    if (!feed->epoch)
        pen__say(ctx, PEN_LOG_INFO, "%s: %.1f MB for the steps' numbers and gradients, %.1f MB for batches", name,
                 (double)steps / 1e6, (double)batches / 1e6);
    PEN_CHECK(!limit || held + steps + batches <= limit, PEN_E_MEMORY,
              "%s needs about %.1f MB for its steps and %.1f MB for batches beside the %.1f MB held, past the limit of "
              "%.1f MB; raise --memory or choose a smaller batch_size (penchant models %s)",
              name, (double)steps / 1e6, (double)batches / 1e6, (double)held / 1e6, (double)limit / 1e6, name);
    return PEN_OK;
}

/* ---- a batch ----------------------------------------------------------------------------------------------------- */

/* Sizes and offsets of batch `step`. */
static void lay_out(pen__feed *feed, int64_t step, feed_slot *slot)
{
    const pen__plan *plan = feed->net->plan;
    slot->first = step * feed->batch_size;
    slot->n = slot->first + feed->batch_size > feed->n_examples ? feed->n_examples - slot->first : feed->batch_size;
    slot->batch = (pen__batch){0};
    for (int64_t i = 0; i < slot->n; i++) {
        pen__example example = example_of(feed, feed->order[slot->first + i]);
        feed->class->size(&example);
        for (int32_t e = 1; e < plan->n_extents; e++)
            slot->begin[e][i + 1] = slot->begin[e][i] + (int32_t)example.rows[e];
    }
    pen__example whole = example_of(feed, -1);
    feed->class->size(&whole);
    for (int32_t e = 0; e < plan->n_extents; e++) {
        slot->batch.n[e] = e == PEN_ROOT ? slot->n : plan->extent[e].shared ? whole.rows[e] : slot->begin[e][slot->n];
        slot->batch.begin[e] = e == PEN_ROOT || plan->extent[e].shared ? NULL : slot->begin[e];
    }
    for (int32_t i = 0; i < plan->n_index; i++) slot->batch.index[i] = slot->index[i];
    for (int32_t i = 0; i < plan->n_real; i++) slot->batch.real[i] = slot->real[i];
}

/* Fills example i of the slot, or the shared rows (i = n). */
static void fill_example(const pen__feed *feed, const feed_slot *slot, int64_t i)
{
    const pen__plan *plan = feed->net->plan;
    bool shared = i == slot->n;
    pen__example example = example_of(feed, shared ? -1 : feed->order[slot->first + i]);
    if (shared) example.step = feed->epoch * feed->n_steps + slot->first / feed->batch_size;
    if (shared) example.rng = pen__rng_begin(epoch_key(feed), PEN_STREAM_NEGATIVE, ~(uint64_t)slot->first);
    feed->class->size(&example);
    int64_t first[PEN_MAX_EXTENTS];
    for (int32_t e = 0; e < plan->n_extents; e++)
        first[e] = e == PEN_ROOT ? i : plan->extent[e].shared ? 0 : slot->begin[e][i];
    for (int32_t k = 0; k < plan->n_index; k++)
        if (plan->extent[plan->index[k].extent].shared == shared)
            example.index[k] = slot->index[k] + first[plan->index[k].extent];
    for (int32_t k = 0; k < plan->n_real; k++)
        if (plan->extent[plan->real[k].extent].shared == shared)
            example.real[k] = slot->real[k] + first[plan->real[k].extent] * plan->real[k].width;
    feed->class->fill(&example);
}

/* Task t of preparing: a chunk to fill, or (after the chunks) a table's touched rows. */
static pen_status prepare(void *arg, int64_t task, int worker, pen_error *error)
{
    pen__feed *feed = arg;
    (void)worker;
    if (task < feed->n_chunks) {
        const feed_slot *slot = feed->filled;
        int64_t end = (task + 1) * CHUNK < slot->n + 1 ? (task + 1) * CHUNK : slot->n + 1; /* n: the shared rows */
        for (int64_t i = task * CHUNK; i < end; i++) fill_example(feed, slot, i);
        return PEN_OK;
    }
    int32_t table = (int32_t)(task - feed->n_chunks);
    feed_slot *slot = &feed->slot[feed->found - feed->slot];
    return pen__touched_build(&slot->touched[table], feed->net->plan, table, &slot->batch,
                              pen__run_shards(feed->net->run, slot->n), feed->row_slot[table], error);
}

/* The tasks that fill batch `fill` and find the rows of batch `find`; past the epoch's end there is nothing to do. */
static int64_t plan_tasks(pen__feed *feed, int64_t fill, int64_t find)
{
    feed->n_chunks = 0;
    if (fill < feed->n_steps) {
        feed_slot *slot = &feed->slot[fill % SLOTS];
        lay_out(feed, fill, slot);
        feed->filled = slot;
        feed->n_chunks = (slot->n + 1 + CHUNK - 1) / CHUNK;
    }
    if (find >= feed->n_steps) return feed->n_chunks;
    feed->found = &feed->slot[find % SLOTS];
    return feed->n_chunks + feed->net->plan->n_tables;
}

pen_status pen__feed_begin(pen__feed *feed, int32_t epoch, pen_error *error)
{
    feed->epoch = epoch;
    for (int64_t i = 0; i < feed->n_examples; i++) feed->order[i] = (int32_t)i;
    pen__rng rng = pen__rng_begin(feed->model->seed, PEN_STREAM_SHUFFLE, (uint64_t)epoch);
    for (int64_t i = feed->n_examples - 1; i > 0; i--) {
        int64_t j = (int64_t)pen__rng_below(&rng, (uint64_t)i + 1);
        int32_t moved = feed->order[i];
        feed->order[i] = feed->order[j], feed->order[j] = moved;
    }
    memset(feed->shard, 0, sizeof feed->shard), memset(feed->batch, 0, sizeof feed->batch);
    for (int64_t s = 0; s < feed->n_steps; s++) {
        int64_t from = s * feed->batch_size,
                n = from + feed->batch_size > feed->n_examples ? feed->n_examples - from : feed->batch_size;
        measure_batch(feed, from, n, feed->shard, feed->batch);
    }
    PEN_TRY(say_memory(feed, error));
    PEN_TRY(make_buffers(feed, feed->batch, error));
    for (int s = 0; s < SLOTS; s++)
        for (int32_t t = 0; t < feed->net->plan->n_tables; t++)
            PEN_TRY(pen__touched_reserve(&feed->slot[s].touched[t], feed->net->plan, t, feed->batch,
                                         pen__run_shards(feed->net->run, feed->batch[PEN_ROOT]), error));
    PEN_TRY(pen__run_bind(feed->net->run, feed->shard, feed->batch, error));
    PEN_TRY(pen__parallel(feed->ctx, plan_tasks(feed, 0, INT64_MAX), prepare, feed, error));
    return pen__parallel(feed->ctx, plan_tasks(feed, 1, 0), prepare, feed, error);
}

void pen__feed_rows(const pen__feed *feed, int64_t *batch, int64_t *shard)
{
    memcpy(batch, feed->batch, sizeof feed->batch);
    memcpy(shard, feed->shard, sizeof feed->shard);
}

pen_status pen__feed_step(pen__feed *feed, int64_t i, const pen__batch **batch, const pen__touched **touched,
                          pen__beside *beside, pen_error *error)
{
    (void)error;
    const feed_slot *slot = &feed->slot[i % SLOTS];
    *batch = &slot->batch, *touched = slot->touched;
    *beside = (pen__beside){prepare, feed, plan_tasks(feed, i + 2, i + 1)};
    return PEN_OK;
}
