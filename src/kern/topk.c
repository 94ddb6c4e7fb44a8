/* Rankings of many users at once.
 *
 * A worker takes a block of up to 96 users, packed by tiles of 6 or 12, and walks through the catalogue in chunks of
 * 256 items (fewer where d is large: a chunk stays in the second-level cache, at most 256 KB): a tile's scores of a
 * chunk go to a buffer in the first-level cache (at most 12 KB), excluded items are overwritten there with NaN, and
 * each user's row is compared with its threshold, a vector at a time; the few that reach it go to the user's buffer of
 * the best k. A NaN fails the comparison with any finite threshold, so exclusion costs nothing on the way; whether a
 * NaN was an excluded item or a score is asked only while the threshold cannot tell. Targets' ranks are counted in the
 * same row. The item matrix is read once for a block, the users' block stays in cache.
 *
 * Cost: users * items * d fused multiply-adds; the rest is about a tenth of that at d = 64, k = 20. */
#include "kern/topk.h"

#include "base/memory.h"
#include "base/thread.h"
#include "kern/topk_buffer.h"

enum { BLOCK = 96, CHUNK_PANELS = 16, CHUNK = CHUNK_PANELS * PEN_PANEL, CHUNK_FLOATS = 1 << 16 };

/* One user of a block. */
typedef struct ranked {
    pen__top top;
    int64_t row;
    const int32_t *seen, *seen_end; /* what is ahead of the walk */
    const int32_t *targets;
    int64_t n_targets;
    int64_t *better;
    float *target_scores; /* (n_targets) */
} ranked;

/* What a worker has to itself. */
typedef struct scratch {
    float *vectors; /* (BLOCK / tile, d, tile) */
    float *chunk;   /* (tile, CHUNK) */
    pen__entry *entries;
    float *target_scores;
    size_t target_cap;
    ranked *users; /* (BLOCK) */
} scratch;

typedef struct ranking {
    pen_context *ctx;
    const pen__rank_job *job;
    const pen__kernels *kern;
    scratch *scratch; /* one for each worker */
    int64_t n_shards;
} ranking;

static void pack_users(const ranking *r, scratch *s, int n)
{
    const pen__rank_job *job = r->job;
    int tile = r->kern->tile_users;
    int64_t d = job->items->d;
    for (int j = 0; j < (n + tile - 1) / tile * tile; j++) {
        float *to = s->vectors + j / tile * d * tile + j % tile;
        const float *from = j < n ? job->users + s->users[j].row * job->stride : NULL;
        for (int64_t k = 0; k < d; k++) to[k * tile] = from ? from[k] : 0.0f;
    }
}

static void begin_user(const ranking *r, scratch *s, int64_t j, int slot)
{
    const pen__rank_job *job = r->job;
    ranked *u = &s->users[slot];
    *u = (ranked){.row = job->rows ? job->rows[j] : j};
    pen__top_begin(&u->top, s->entries + slot * pen__top_room(job->k), job->k,
                   job->keys ? job->keys[j] : (uint64_t)u->row);
    if (job->seen_at) {
        u->seen = job->seen + job->seen_at[u->row];
        u->seen_end = job->seen + job->seen_at[u->row + 1];
        while (u->seen < u->seen_end && *u->seen < 0) u->seen++;
    }
    if (job->target_at) {
        int64_t at = job->target_at[u->row];
        u->targets = job->targets + at;
        u->better = job->better + at;
        u->n_targets = job->target_at[u->row + 1] - at;
    }
}

/* The targets' own scores, before the walk. */
static pen_status begin_targets(const ranking *r, scratch *s, int n, pen_error *error)
{
    const pen__panels *items = r->job->items;
    size_t total = 0;
    for (int j = 0; j < n; j++) total += (size_t)s->users[j].n_targets;
    PEN_TRY(PEN_GROW(r->ctx, s->target_scores, &s->target_cap, total));
    float *at = s->target_scores;
    for (int j = 0; j < n; j++) {
        ranked *u = &s->users[j];
        u->target_scores = at;
        at += u->n_targets;
        r->kern->score_items(items->data, items->d, r->job->users + u->row * r->job->stride, items->bias, u->targets,
                             u->n_targets, u->target_scores);
        for (int64_t t = 0; t < u->n_targets; t++) u->better[t] = 0;
    }
    return PEN_OK;
}

/* Whether a NaN at `item` stands for an excluded one; `seen` is this chunk's part of the seen list. */
static bool is_excluded(const pen__rank_job *job, const int32_t *seen, const int32_t *seen_end, int32_t item)
{
    if (pen__denied(job->denied, item)) return true;
    for (; seen < seen_end && *seen <= item; seen++)
        if (*seen == item) return true;
    return false;
}

static void count_targets(const ranking *r, ranked *u, const float *row, int32_t first, int n, const int32_t *seen)
{
    for (int64_t t = 0; t < u->n_targets; t++) {
        float score = u->target_scores[t];
        int32_t target = u->targets[t];
        int64_t equal, above = r->kern->count_above(row, n, score, &equal);
        bool own = equal == 1 && target >= first && target < first + n && row[target - first] == score;
        if (score == score && (equal == 0 || own)) {
            u->better[t] += above;
            continue;
        }
        for (int i = 0; i < n; i++)
            u->better[t] += first + i != target && pen__ahead(u->top.key, row[i], first + i, score, target) &&
                            (row[i] == row[i] || !is_excluded(r->job, seen, u->seen, first + i));
    }
}

/* One user's row of scores for items first .. first + n - 1. */
static void take_row(const ranking *r, ranked *u, float *row, int32_t first, int n, int32_t *found)
{
    const pen__rank_job *job = r->job;
    const int32_t *seen = u->seen;
    for (; u->seen < u->seen_end && *u->seen < first + n; u->seen++) row[*u->seen - first] = NAN;
    if (job->denied)
        for (int i = 0; i < n; i++)
            if (pen__denied(job->denied, first + i)) row[i] = NAN;
    if (u->n_targets) count_targets(r, u, row, first, n, seen);
    if (job->k <= 0) return;
    int64_t n_found = r->kern->find_at_least(row, n, u->top.threshold, found);
    for (int64_t f = 0; f < n_found; f++) {
        float score = row[found[f]];
        int32_t item = first + found[f];
        if (score < u->top.threshold || (score != score && is_excluded(job, seen, u->seen, item))) continue;
        pen__top_offer(&u->top, score, item);
    }
}

static void walk(const ranking *r, scratch *s, int n)
{
    const pen__panels *items = r->job->items;
    int tile = r->kern->tile_users;
    int32_t found[CHUNK];
    int64_t fit = CHUNK_FLOATS / (items->d * PEN_PANEL + 1), most = fit < 1              ? 1
                                                                    : fit < CHUNK_PANELS ? fit
                                                                                         : CHUNK_PANELS;
    for (int64_t panel = 0; panel < items->n_panels; panel += most) {
        int64_t n_panels = items->n_panels - panel < most ? items->n_panels - panel : most;
        int64_t first = panel * PEN_PANEL, left = items->n - first;
        for (int j = 0; j < n; j += tile) {
            r->kern->score_tile(items->data + first * items->d, items->d, n_panels, s->vectors + j * items->d,
                                items->bias ? items->bias + first : NULL, s->chunk, CHUNK);
            for (int t = 0; t < tile && j + t < n; t++)
                take_row(r, &s->users[j + t], s->chunk + t * CHUNK, (int32_t)first,
                         (int)(left < n_panels * PEN_PANEL ? left : n_panels * PEN_PANEL), found);
        }
    }
}

static void end_user(const pen__rank_job *job, ranked *u, int64_t j)
{
    if (job->k <= 0) return;
    int32_t *items = job->top_items + j * job->k;
    float *scores = job->top_scores ? job->top_scores + j * job->k : NULL;
    for (int32_t i = pen__top_end(&u->top, items, scores); i < job->k; i++) {
        items[i] = -1;
        if (scores) scores[i] = 0.0f;
    }
}

static pen_status rank_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    const ranking *r = arg;
    scratch *s = &r->scratch[worker];
    int64_t end = pen__shard_begin(r->job->n_users, r->n_shards, shard + 1);
    for (int64_t begin = pen__shard_begin(r->job->n_users, r->n_shards, shard); begin < end; begin += BLOCK) {
        int n = end - begin < BLOCK ? (int)(end - begin) : BLOCK;
        for (int j = 0; j < n; j++) begin_user(r, s, begin + j, j);
        if (r->job->target_at) PEN_TRY(begin_targets(r, s, n, error));
        pack_users(r, s, n);
        walk(r, s, n);
        for (int j = 0; j < n; j++) end_user(r->job, &s->users[j], begin + j);
    }
    return PEN_OK;
}

static pen_status scratch_create(const ranking *r, scratch *s, pen_error *error)
{
    PEN_TRY(PEN_NEW(r->ctx, s->vectors, BLOCK * r->job->items->d));
    PEN_TRY(PEN_NEW(r->ctx, s->chunk, r->kern->tile_users * CHUNK));
    PEN_TRY(PEN_NEW(r->ctx, s->entries, BLOCK * pen__top_room(r->job->k > 0 ? r->job->k : 0)));
    return PEN_NEW(r->ctx, s->users, BLOCK);
}

pen_status pen__rank_vectors(pen_context *ctx, const pen__rank_job *job, pen_error *error)
{
    pen_status status = PEN_OK;
    int n_workers = pen__workers(ctx);
    /* Blocks of 96 where there are many users; of one tile where few would leave threads idle. */
    int64_t grain =
        job->n_users >= 32 * BLOCK ? BLOCK : (job->n_users / 32 + PEN_MAX_TILE) / PEN_MAX_TILE * PEN_MAX_TILE;
    ranking r = {ctx, job, pen__kern(), NULL, pen__shards(job->n_users, grain)};
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, r.scratch, n_workers));
    for (int w = 0; w < n_workers; w++) PEN_TRY_DONE(scratch_create(&r, &r.scratch[w], error));
    PEN_TRY_DONE(pen__parallel(ctx, r.n_shards, rank_shard, &r, error));
done:
    for (int w = 0; r.scratch && w < n_workers; w++) {
        pen__free(ctx, r.scratch[w].vectors);
        pen__free(ctx, r.scratch[w].chunk);
        pen__free(ctx, r.scratch[w].entries);
        pen__free(ctx, r.scratch[w].target_scores);
        pen__free(ctx, r.scratch[w].users);
    }
    pen__free(ctx, r.scratch);
    return status;
}
