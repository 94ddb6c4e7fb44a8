/* Dealing users and items into blocks, and rounds over the grid. Dealing costs O(events), about a tenth of an epoch.
 *
 * Blocks get equal numbers of users and of events: those with about as many events are shuffled among themselves in
 * groups of some times G and dealt out one by one. */
#include "data/grid.h"

#include <string.h>

#include "base/memory.h"
#include "base/thread.h"

enum {
    MAX_SIDE = 32,
    BLOCK_EVENTS = 4096, /* a block should be worth a barrier: some 100 microseconds */
    GROUP = 8,           /* groups of GROUP * G are shuffled; in larger ones the blocks' sizes vary more */
    KEYS = 16 * 64,
    ROW_GRAIN = 2048
};

static int32_t side_for(int64_t n_events, int32_t n_users, int32_t n_items)
{
    int32_t side = 1;
    while (2 * side <= MAX_SIDE && n_events / (4 * side * side) >= BLOCK_EVENTS && n_users >= 8 * side &&
           n_items >= 8 * side)
        side *= 2;
    return side;
}

uint64_t pen__grid_memory(int64_t n_events, int32_t n_users, int32_t n_items, bool values)
{
    uint64_t side = (uint64_t)side_for(n_events, n_users, n_items);
    return (uint64_t)n_events * (values ? 8 : 4) + (uint64_t)n_users * (4 * side + 16) + (uint64_t)n_items * 16;
}

pen__walk pen__walk_begin(pen__rng *rng, int64_t n)
{
    pen__walk walk = {0, 1, (uint64_t)n};
    if (n < 2) return walk;
    walk.at = pen__rng_below(rng, walk.n);
    for (;;) { /* a stride that shares no divisor with n; most do not */
        walk.stride = 1 + pen__rng_below(rng, walk.n - 1);
        uint64_t a = walk.n, b = walk.stride;
        while (b) {
            uint64_t rest = a % b;
            a = b;
            b = rest;
        }
        if (a == 1) return walk;
    }
}

/* A number's logarithm in sixteenths, rising with it: few enough keys for a counting sort. */
static int key_of(int64_t n)
{
    uint64_t x = (uint64_t)n + 16;
    int top = 63 - __builtin_clzll(x);
    return (top << 4 | (int)(x >> (top - 4) & 15)) & (KEYS - 1);
}

/* The numbers 0..n-1 by falling count (up to a sixteenth of an octave). */
static void order_by_count(const int64_t *count, int32_t n, int32_t *order)
{
    int32_t begin[KEYS + 1] = {0};
    for (int32_t i = 0; i < n; i++) begin[KEYS - key_of(count[i])]++;
    for (int k = 1; k <= KEYS; k++) begin[k] += begin[k - 1];
    for (int32_t i = n - 1; i >= 0; i--) order[--begin[KEYS - key_of(count[i])]] = i;
}

/* Deals n things out: to[thing] is its block, and begin and list are the blocks' contents in rising order. */
static void deal(const int32_t *order, int32_t n, int32_t side, pen__rng rng, int32_t *to, int32_t *begin,
                 int32_t *list)
{
    int32_t group[GROUP * MAX_SIDE], size = GROUP * side;
    memset(begin, 0, ((size_t)side + 1) * sizeof *begin);
    for (int32_t at = 0; at < n; at += size) {
        int32_t m = n - at < size ? n - at : size;
        int32_t first = (int32_t)pen__rng_below(&rng, (uint64_t)side); /* who gets one more of the last group */
        memcpy(group, order + at, (size_t)m * sizeof *group);
        for (int32_t i = m - 1; i >= 0; i--) {
            int32_t j = (int32_t)pen__rng_below(&rng, (uint64_t)i + 1), thing = group[j];
            group[j] = group[i];
            to[thing] = (i + first) % side;
            begin[to[thing] + 1]++;
        }
    }
    for (int32_t b = 0; b < side; b++) begin[b + 1] += begin[b];
    for (int32_t i = 0; i < n; i++) list[begin[to[i]]++] = i;
    for (int32_t b = side; b > 0; b--) begin[b] = begin[b - 1];
    begin[0] = 0;
}

/* Groups the rows of a shard of users by blocks of items; the order within a block stays. */
static pen_status regroup(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    pen__grid *grid = arg;
    const pen__rows *rows = grid->rows;
    int64_t n_shards = pen__shards(grid->n_users, ROW_GRAIN), side = grid->side;
    for (int64_t u = pen__shard_begin(grid->n_users, n_shards, shard);
         u < pen__shard_begin(grid->n_users, n_shards, shard + 1); u++) {
        uint32_t *part = grid->part + u * (side + 1), at[MAX_SIDE];
        int64_t begin = rows->begin[u], end = rows->begin[u + 1];
        memset(part, 0, ((size_t)side + 1) * sizeof *part);
        for (int64_t e = begin; e < end; e++) part[grid->item_block[rows->column[e]] + 1]++;
        for (int64_t b = 0; b < side; b++) {
            at[b] = part[b];
            part[b + 1] += part[b];
        }
        for (int64_t e = begin; e < end; e++) {
            int64_t to = begin + at[grid->item_block[rows->column[e]]]++;
            grid->column[to] = rows->column[e];
            if (grid->value) grid->value[to] = rows->value[e];
        }
    }
    return PEN_OK;
}

pen_status pen__grid_deal(pen__grid *grid, uint64_t index, pen_error *error)
{
    deal(grid->item_order, grid->n_items, grid->side, pen__rng_begin(grid->seed, PEN_STREAM_SHUFFLE, 2 * index + 1),
         grid->deal_to, grid->item_begin, grid->item);
    for (int32_t i = 0; i < grid->n_items; i++) grid->item_block[i] = (uint8_t)grid->deal_to[i];
    return pen__parallel(grid->ctx, pen__shards(grid->n_users, ROW_GRAIN), regroup, grid, error);
}

/* Users by activity and items by popularity; deals both. */
static pen_status order_and_deal(pen__grid *grid, pen_error *error)
{
    const pen__rows *rows = grid->rows;
    int32_t larger = grid->n_users > grid->n_items ? grid->n_users : grid->n_items;
    int64_t *count;
    PEN_TRY(PEN_NEW_ZERO(grid->ctx, count, larger));
    for (int64_t e = 0; e < rows->begin[rows->n_rows]; e++) count[rows->column[e]]++;
    order_by_count(count, grid->n_items, grid->item_order);
    for (int32_t u = 0; u < grid->n_users; u++) count[u] = rows->begin[u + 1] - rows->begin[u];
    order_by_count(count, grid->n_users, grid->user_order);
    pen__free(grid->ctx, count);
    deal(grid->user_order, grid->n_users, grid->side, pen__rng_begin(grid->seed, PEN_STREAM_SHUFFLE, 0), grid->deal_to,
         grid->user_begin, grid->user);
    return pen__grid_deal(grid, 0, error);
}

pen_status pen__grid_new(pen_context *ctx, const pen__rows *rows, int32_t n_items, bool values, uint64_t seed,
                         pen__grid **out, pen_error *error)
{
    pen_status status = PEN_OK;
    pen__grid *grid;
    *out = NULL;
    PEN_CHECK(rows->n_rows <= INT32_MAX, PEN_E_LIMIT, "%lld users are more than the types allow",
              (long long)rows->n_rows);
    PEN_TRY(PEN_NEW_ZERO(ctx, grid, 1));
    int64_t n_events = rows->begin[rows->n_rows];
    int32_t n_users = (int32_t)rows->n_rows, side = side_for(n_events, n_users, n_items);
    *grid = (pen__grid){.ctx = ctx, .rows = rows, .seed = seed, .n_users = n_users, .n_items = n_items, .side = side};
    for (int32_t u = 0; u < n_users; u++)
        PEN_CHECK_DONE(rows->begin[u + 1] - rows->begin[u] <= UINT32_MAX, PEN_E_LIMIT,
                       "a user has more than 2^32 events");
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, grid->user_begin, side + 1));
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, grid->item_begin, side + 1));
    PEN_TRY_DONE(PEN_NEW(ctx, grid->user, n_users));
    PEN_TRY_DONE(PEN_NEW(ctx, grid->item, n_items));
    PEN_TRY_DONE(PEN_NEW(ctx, grid->user_order, n_users));
    PEN_TRY_DONE(PEN_NEW(ctx, grid->item_order, n_items));
    PEN_TRY_DONE(PEN_NEW(ctx, grid->deal_to, n_users > n_items ? n_users : n_items));
    PEN_TRY_DONE(PEN_NEW(ctx, grid->item_block, n_items));
    PEN_TRY_DONE(PEN_NEW(ctx, grid->part, (int64_t)n_users * (side + 1)));
    PEN_TRY_DONE(PEN_NEW(ctx, grid->column, n_events));
    if (values) PEN_TRY_DONE(PEN_NEW(ctx, grid->value, n_events));
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, grid->loss, side * side));
    PEN_TRY_DONE(order_and_deal(grid, error));
    *out = grid;
    return PEN_OK;
done:
    pen__grid_free(grid);
    return status;
}

void pen__grid_free(pen__grid *grid)
{
    if (!grid) return;
    void *blocks[] = {grid->user_begin, grid->item_begin, grid->user, grid->item,   grid->user_order, grid->item_order,
                      grid->deal_to,    grid->item_block, grid->part, grid->column, grid->value,      grid->loss};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) pen__free(grid->ctx, blocks[i]);
    pen__free(grid->ctx, grid);
}

typedef struct round_work {
    pen__grid *grid;
    const pen__grid_job *job;
    int32_t user_block[MAX_SIDE], item_block[MAX_SIDE]; /* dealt for the epoch */
    int32_t epoch, round;
} round_work;

static pen_status run_block(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)error;
    round_work *work = arg;
    pen__grid *grid = work->grid;
    int32_t a = work->user_block[shard], b = work->item_block[(shard + work->round) % grid->side];
    uint64_t draw = ((uint64_t)work->epoch * MAX_SIDE + (uint64_t)a) * MAX_SIDE + (uint64_t)b;
    grid->loss[a * grid->side + b] = work->job->block(work->job->arg, grid, a, b, draw, worker);
    return PEN_OK;
}

static void permute(pen__rng *rng, int32_t n, int32_t *out)
{
    for (int32_t i = 0; i < n; i++) {
        int32_t j = (int32_t)pen__rng_below(rng, (uint64_t)i + 1);
        out[i] = out[j];
        out[j] = i;
    }
}

pen_status pen__grid_epoch(pen__grid *grid, int32_t epoch, const pen__grid_job *job, double *loss, pen_error *error)
{
    round_work work = {.grid = grid, .job = job, .epoch = epoch};
    pen__rng rng = pen__rng_begin(grid->seed, PEN_STREAM_PERMUTE, (uint64_t)epoch);
    permute(&rng, grid->side, work.user_block);
    permute(&rng, grid->side, work.item_block);
    int64_t n_events = grid->rows->begin[grid->rows->n_rows];
    for (work.round = 0; work.round < grid->side; work.round++) {
        PEN_TRY(pen__parallel(grid->ctx, grid->side, run_block, &work, error));
        PEN_TRY(job->tick(job->arg, n_events / grid->side * (work.round + 1), error));
    }
    *loss = 0;
    for (int32_t i = 0; i < grid->side * grid->side; i++) *loss += grid->loss[i];
    return PEN_OK;
}
