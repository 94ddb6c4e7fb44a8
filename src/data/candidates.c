/* Candidates: a few items to rank beside the targets, for comparison with papers that measured so.
 *
 * Sampled ones are drawn without repetition, from a sequence of their own for each user, so they do not depend on who
 * else is tested. Rejection draws them while they are few; where they are most of the catalogue each item gets a random
 * key and the least ones win (Efraimidis and Spirakis 2006 for weights).
 */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "base/thread.h"
#include "data/cases_impl.h"

typedef struct sampling {
    pen__cases *cases;
    const pen__log *log;
    const pen__train *train;
    const pen__groups_of *all; /* NULL: exclude the history */
    int kind;
    int64_t n;
    uint64_t seed;
    uint8_t **taken; /* per worker: n_items marks */
    int64_t *drawn;  /* per case: how many beside the targets */
} sampling;

enum { CASES_A_SHARD = 64 };

/* Marks what must not be drawn with `mark`; returns how many items that are, of those that could be drawn: the items
 * that have events, whatever a model knows beside. */
static int64_t mark_excluded(const sampling *s, int64_t k, uint8_t *taken, uint8_t mark)
{
    int64_t n = 0;
    const pen__rows *rows[2] = {&s->cases->target, &s->cases->history};
    for (int r = 0; r < 2; r++)
        for (int64_t at = rows[r]->begin[k]; at < rows[r]->begin[k + 1]; at++) {
            int32_t item = rows[r]->column[at];
            if (item < 0) continue;
            n += taken[item] != mark && item < pen__train_taught_items(s->train);
            taken[item] = mark;
        }
    if (!s->all) return n;
    int32_t u = s->cases->data_user[k];
    for (int64_t at = s->all->begin[u]; at < s->all->begin[u + 1]; at++) {
        int32_t item = s->train->item_number[s->log->item[s->all->index[at]]];
        if (item < 0) continue;
        n += taken[item] != mark && item < pen__train_taught_items(s->train);
        taken[item] = mark;
    }
    return n;
}

static pen_status count_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)error;
    const sampling *s = arg;
    int64_t end = (shard + 1) * CASES_A_SHARD < s->cases->n ? (shard + 1) * CASES_A_SHARD : s->cases->n;
    for (int64_t k = shard * CASES_A_SHARD; k < end; k++) {
        int64_t left = pen__train_taught_items(s->train) - mark_excluded(s, k, s->taken[worker], 1);
        s->drawn[k] = left < s->n ? left : s->n;
        mark_excluded(s, k, s->taken[worker], 0);
    }
    return PEN_OK;
}

static int64_t popularity(const sampling *s, int32_t item)
{
    return s->train->by_item.begin[item + 1] - s->train->by_item.begin[item];
}

/* Draws until there are n or luck runs out; returns how many there are. */
static int64_t draw_by_rejection(const sampling *s, pen__rng *rng, uint8_t *taken, int32_t *out, int64_t n)
{
    int64_t got = 0;
    for (int64_t tries = 0; got < n && tries < 16 * n + 256; tries++) {
        int32_t item = s->kind == PEN_CANDIDATES_UNIFORM
                           ? (int32_t)pen__rng_below(rng, (uint64_t)pen__train_taught_items(s->train))
                           : s->train->by_user.column[pen__rng_below(rng, (uint64_t)s->train->n_events)];
        if (taken[item]) continue;
        taken[item] = 1;
        out[got++] = item;
    }
    return got;
}

/* The n free items with the least keys: exponential with the item's rate. */
static pen_status draw_by_keys(const sampling *s, pen__rng *rng, uint8_t *taken, int32_t *out, int64_t n,
                               pen_error *error)
{
    pen__keyed *keyed = NULL;
    int64_t free_items = 0;
    PEN_TRY(PEN_NEW(s->log->ctx, keyed, pen__train_taught_items(s->train)));
    for (int32_t item = 0; item < pen__train_taught_items(s->train); item++) {
        double uniform = ((double)(pen__rng_next(rng) >> 11) + 0.5) * 0x1p-53;
        if (taken[item]) continue;
        double rate = s->kind == PEN_CANDIDATES_UNIFORM ? 1 : (double)popularity(s, item),
               key = rate > 0 ? -log(uniform) / rate : 1e300;
        memcpy(&keyed[free_items].key, &key, sizeof key); /* positive doubles are ordered as their bits */
        keyed[free_items++].index = item;
    }
    pen__sort_keyed(keyed, free_items);
    for (int64_t i = 0; i < n; i++) out[i] = (int32_t)keyed[i].index;
    pen__free(s->log->ctx, keyed);
    return PEN_OK;
}

static pen_status sample_case(const sampling *s, int64_t k, uint8_t *taken, pen_error *error)
{
    const pen__rows *target = &s->cases->target;
    pen__rng rng = pen__rng_begin(s->seed, PEN_STREAM_CANDIDATES, (uint64_t)s->cases->data_user[k]);
    int32_t *out = s->cases->candidate.column + s->cases->candidate.begin[k];
    for (int64_t at = target->begin[k]; at < target->begin[k + 1]; at++)
        if (target->column[at] >= 0) *out++ = target->column[at];
    mark_excluded(s, k, taken, 1);
    int64_t got = 0;
    if (s->drawn[k] <= pen__train_taught_items(s->train) / 4) got = draw_by_rejection(s, &rng, taken, out, s->drawn[k]);
    pen_status status = got < s->drawn[k] ? draw_by_keys(s, &rng, taken, out + got, s->drawn[k] - got, error) : PEN_OK;
    for (int64_t i = 0; i < got; i++) taken[out[i]] = 0;
    mark_excluded(s, k, taken, 0);
    return status;
}

static pen_status sample_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    const sampling *s = arg;
    int64_t end = (shard + 1) * CASES_A_SHARD < s->cases->n ? (shard + 1) * CASES_A_SHARD : s->cases->n;
    for (int64_t k = shard * CASES_A_SHARD; k < end; k++) PEN_TRY(sample_case(s, k, s->taken[worker], error));
    return PEN_OK;
}

pen_status pen__candidates_sample(pen__cases *cases, const pen__log *log, const pen__train *train,
                                  const pen__groups_of *all_by_user, int kind, int64_t n, uint64_t seed,
                                  pen_error *error)
{
    pen_context *ctx = cases->ctx;
    sampling s = {cases, log, train, all_by_user, kind, n, seed, NULL, NULL};
    int n_workers = pen__workers(ctx);
    int64_t n_shards = pen__shards(cases->n, CASES_A_SHARD);
    pen__rows *candidate = &cases->candidate;
    pen_status status = PEN_OK;
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, s.taken, n_workers));
    for (int w = 0; w < n_workers; w++) PEN_TRY_DONE(PEN_NEW_ZERO(ctx, s.taken[w], train->n_items));
    PEN_TRY_DONE(PEN_NEW(ctx, s.drawn, cases->n));
    PEN_TRY_DONE(pen__parallel(ctx, n_shards, count_shard, &s, error));
    PEN_TRY_DONE(PEN_NEW(ctx, candidate->begin, cases->n + 1));
    candidate->n_rows = cases->n;
    candidate->begin[0] = 0;
    for (int64_t k = 0; k < cases->n; k++) {
        int64_t known = 0;
        for (int64_t at = cases->target.begin[k]; at < cases->target.begin[k + 1]; at++)
            known += cases->target.column[at] >= 0;
        candidate->begin[k + 1] = candidate->begin[k] + known + s.drawn[k];
    }
    PEN_TRY_DONE(PEN_NEW(ctx, candidate->column, candidate->begin[cases->n]));
    PEN_TRY_DONE(pen__parallel(ctx, n_shards, sample_shard, &s, error));
done:
    for (int w = 0; s.taken && w < n_workers; w++) pen__free(ctx, s.taken[w]);
    pen__free(ctx, s.taken);
    pen__free(ctx, s.drawn);
    return status;
}
