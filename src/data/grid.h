/* Stochastic gradient descent on many threads with the same bits as on one: users and items are dealt into G blocks
 * each, and the G x G grid of blocks is worked off in G rounds of G blocks that share neither a user nor an item. G
 * depends on the data alone, so threads only decide who takes which block of a round.
 *
 *            items 0  1  2
 *   users 0        a  b  c      round a: three blocks at once, then b, then c;
 *         1        c  a  b      which blocks form a round is dealt anew by (seed, epoch)
 *         2        b  c  a
 *
 * Gemulla, Nijkamp, Haas, Sismanis: Large-scale matrix factorization with distributed stochastic gradient descent (KDD
 * 2011).
 */
#ifndef PEN_DATA_GRID_H
#define PEN_DATA_GRID_H

#include "base/random.h"
#include "data/interactions.h"

typedef struct pen__grid {
    pen_context *ctx;
    const pen__rows *rows; /* borrowed: by user, columns are items */
    uint64_t seed;
    int32_t n_users, n_items, side;   /* side: G */
    int32_t *user_begin, *user;       /* (G + 1), (n_users): users of block a are user[user_begin[a]] .. */
    int32_t *item_begin, *item;       /* (G + 1), (n_items): items of block b */
    int32_t *user_order, *item_order; /* by falling number of events */
    int32_t *deal_to;                 /* (max(n_users, n_items)): block of each, while dealing */
    uint8_t *item_block;              /* (n_items) */
    uint32_t *part;                   /* (n_users, G + 1): where each block begins in the user's row */
    int32_t *column;                  /* (n_events): the rows, each grouped by blocks of items */
    float *value;                     /* (n_events), or NULL: values were not asked for */
    double *loss;                     /* (G, G) */
} pen__grid;

/* One run: the entries of user `u` with items of block `b`. */
typedef struct pen__run {
    const int32_t *item;
    const float *value; /* NULL where the grid has none */
    int64_t n;
} pen__run;

static inline pen__run pen__grid_run(const pen__grid *grid, int32_t user, int32_t block)
{
    const uint32_t *part = grid->part + (int64_t)user * (grid->side + 1) + block;
    int64_t at = grid->rows->begin[user] + part[0];
    return (pen__run){grid->column + at, grid->value ? grid->value + at : NULL, (int64_t)part[1] - part[0]};
}

/* A walk over 0..n-1 that meets each number once, in an order of its own for each draw: start + k stride (mod n). */
typedef struct pen__walk {
    uint64_t at, stride, n;
} pen__walk;

pen__walk pen__walk_begin(pen__rng *rng, int64_t n);

static inline int64_t pen__walk_next(pen__walk *walk)
{
    uint64_t at = walk->at, next = at + walk->stride;
    walk->at = next >= walk->n ? next - walk->n : next;
    return (int64_t)at;
}

/* A walk over the users of a block, with what their runs will touch asked of memory ahead of them: at random, as the
 * walk goes, a run of two or three events would else wait for memory some six times. */
typedef struct pen__user_walk {
    const pen__grid *grid;
    const int32_t *user; /* of the block */
    int32_t item_block;
    const float *rows; /* (n_users, width): the users' factors */
    int64_t width;
    pen__walk here, near, far;
} pen__user_walk;

/* n_users of the block: grid->user_begin[user_block + 1] - grid->user_begin[user_block], as for pen__walk_begin. */
static inline pen__user_walk pen__user_walk_begin(const pen__grid *grid, int32_t user_block, int32_t item_block,
                                                  const float *rows, int64_t width, pen__rng *rng)
{
    int64_t begin = grid->user_begin[user_block], n = grid->user_begin[user_block + 1] - begin;
    pen__walk walk = pen__walk_begin(rng, n);
    pen__user_walk users = {grid, grid->user + begin, item_block, rows, width, walk, walk, walk};
    for (int k = 0; k < 4 && n > 0; k++) pen__walk_next(&users.near);
    for (int k = 0; k < 8 && n > 0; k++) pen__walk_next(&users.far);
    return users;
}

/* The next user. Always inline: gcc 12 takes a function of prefetches alone for one without effect and drops the
 * calls. */
static inline __attribute__((always_inline)) int64_t pen__user_walk_next(pen__user_walk *w)
{
    int64_t far = w->user[pen__walk_next(&w->far)], near = w->user[pen__walk_next(&w->near)];
    __builtin_prefetch(w->grid->part + far * (w->grid->side + 1) + w->item_block);
    __builtin_prefetch(w->grid->rows->begin + far);
    pen__run run = pen__grid_run(w->grid, (int32_t)near, w->item_block);
    __builtin_prefetch(run.item);
    if (run.value) __builtin_prefetch(run.value);
    for (int64_t k = 0; run.n > 0 && k < w->width; k += 16) __builtin_prefetch(w->rows + near * w->width + k, 1);
    return w->user[pen__walk_next(&w->here)];
}

/* What an epoch does, with its argument. */
typedef struct pen__grid_job {
    /* One block: returns its loss (a sum). `draw` is unlike for every (epoch, block): an index of random streams. */
    double (*block)(void *arg, const pen__grid *grid, int32_t user_block, int32_t item_block, uint64_t draw,
                    int worker);
    /* Between two rounds, from the calling thread: so many events are done. A failure ends the epoch. */
    pen_status (*tick)(void *arg, int64_t done, pen_error *error);
    void *arg;
} pen__grid_job;

/* Deals users and items (deal 0). `values`: whether runs have values. */
pen_status pen__grid_new(pen_context *ctx, const pen__rows *rows, int32_t n_items, bool values, uint64_t seed,
                         pen__grid **out, pen_error *error);
void pen__grid_free(pen__grid *grid);

/* Deals the items anew: needed where a block's items are all that negatives are drawn from. */
pen_status pen__grid_deal(pen__grid *grid, uint64_t deal, pen_error *error);

/* All blocks once. *loss: the sum, in a fixed order. */
pen_status pen__grid_epoch(pen__grid *grid, int32_t epoch, const pen__grid_job *job, double *loss, pen_error *error);

/* Bytes that a grid will hold. */
uint64_t pen__grid_memory(int64_t n_events, int32_t n_users, int32_t n_items, bool values);

#endif
