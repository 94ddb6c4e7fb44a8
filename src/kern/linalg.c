/* The half sweep: A of each row is the shared base plus the rank-k update of its events; as many systems as a vector
 * has lanes are collected and solved side by side, for d up to LANES_MOST, where their scratch (lanes * d^2 / 2 floats)
 * stays in the second-level cache; larger ones are solved one by one by the blocked Cholesky. Which way depends on d
 * and the level alone.
 *
 * Cost per event d^2 fused multiply-adds (half of them saved by symmetry), per row d^3 / 6 (Hu, Koren, Volinsky:
 * "Collaborative Filtering for Implicit Feedback Datasets", 2008). */
#include "kern/linalg.h"

#include <string.h>

#include "base/memory.h"
#include "base/thread.h"

enum { LANES_MOST = 160, GRAM_GRAIN = 2048, GRAM_MOST = 64, ROWS_GRAIN = 256 };

/* ---- Q'Q ---- */

typedef struct gram {
    const float *table;
    int64_t n, d, stride, n_shards;
    float *parts, *scratch; /* a matrix for each shard; packed rows for each worker */
} gram;

static size_t outer_scratch(int64_t d) { return 2 * PEN_OUTER_ROWS * (size_t)pen__matrix_pad(d); }

static pen_status gram_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)error;
    const gram *g = arg;
    int64_t begin = pen__shard_begin(g->n, g->n_shards, shard), end = pen__shard_begin(g->n, g->n_shards, shard + 1);
    pen__kern()->add_outer(g->parts + shard * pen__matrix_floats(g->d), NULL, g->d, g->table + begin * g->stride,
                           g->stride, NULL, NULL, 1.0f, NULL, 0.0f, end - begin, 0,
                           g->scratch + (size_t)worker * outer_scratch(g->d));
    return PEN_OK;
}

pen_status pen__gram(pen_context *ctx, const float *table, int64_t n, int64_t d, int64_t stride, float *out,
                     pen_error *error)
{
    pen_status status = PEN_OK;
    int64_t shards = pen__shards(n, GRAM_GRAIN), floats = pen__matrix_floats(d);
    gram g = {table, n, d, stride, shards < GRAM_MOST ? shards : GRAM_MOST, NULL, NULL};
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, g.parts, g.n_shards * floats));
    PEN_TRY_DONE(PEN_NEW(ctx, g.scratch, (size_t)pen__workers(ctx) * outer_scratch(d)));
    PEN_TRY_DONE(pen__parallel(ctx, g.n_shards, gram_shard, &g, error));
    memset(out, 0, (size_t)floats * sizeof *out);
    for (int64_t s = 0; s < g.n_shards; s++)
        for (int64_t i = 0; i < floats; i++) out[i] += g.parts[s * floats + i];
done:
    pen__free(ctx, g.parts);
    pen__free(ctx, g.scratch);
    return status;
}

/* ---- rows ---- */

/* Scratch of a thread, cut into its uses: lanes matrices, packed lanes, rows of add_outer, lanes right sides and their
 * copies. */
size_t pen__normal_scratch(int64_t d)
{
    size_t pad = (size_t)pen__matrix_pad(d), matrix = (size_t)pen__matrix_floats(d);
    size_t lanes = d <= LANES_MOST ? PEN_MAX_LANES : 1;
    size_t packed = d <= LANES_MOST ? PEN_MAX_LANES * (pad * (pad + 8) / 2 + 2 * pad) : 0;
    return lanes * (matrix + 2 * pad) + outer_scratch(d) + packed;
}

typedef struct desk {
    const pen__kernels *kern;
    float *a, *b, *right, *outer, *packed; /* right: b as it was before the solve */
} desk;

static desk lay_out(int64_t d, float *scratch)
{
    size_t lanes = d <= LANES_MOST ? PEN_MAX_LANES : 1;
    desk t = {.kern = pen__kern(), .a = scratch};
    t.packed = t.a + lanes * (size_t)pen__matrix_floats(d);
    t.outer = t.packed + (d <= LANES_MOST ? PEN_MAX_LANES * (size_t)(pen__matrix_pad(d) * (pen__matrix_pad(d) + 8) / 2 +
                                                                     2 * pen__matrix_pad(d))
                                          : 0);
    t.b = t.outer + outer_scratch(d);
    t.right = t.b + lanes * (size_t)pen__matrix_pad(d);
    return t;
}

/* A_r and b_r. */
static void make_system(const pen__normal *job, const desk *t, int64_t r, float *a, float *b)
{
    const int64_t d = job->d, ld = pen__matrix_stride(d), pad = pen__matrix_pad(d);
    for (int64_t i = 0; i < pad; i++) {
        int64_t from = i / 16 * 16;
        if (job->base)
            memcpy(a + i * ld + from, job->base + i * ld + from, (size_t)(pad - from) * sizeof *a);
        else
            memset(a + i * ld + from, 0, (size_t)(pad - from) * sizeof *a);
    }
    memset(b, 0, (size_t)pad * sizeof *b);
    int64_t begin = job->at[r], n = job->at[r + 1] - begin, after = job->at[job->n_rows] - job->at[r + 1];
    t->kern->add_outer(a, b, d, job->table, job->stride, job->cols + begin, job->w ? job->w + begin : NULL, job->w_all,
                       job->v ? job->v + begin : NULL, job->v_all, n, after, t->outer);
    float l2 = job->l2 ? job->l2[r] : job->l2_all;
    for (int64_t k = 0; k < d; k++) a[k * ld + k] += l2;
}

static void put_row(const pen__normal *job, int64_t r, const float *b, const float *right, bool ok, int64_t *n_failed)
{
    if (ok)
        memcpy(job->out + r * job->out_stride, b, (size_t)job->d * sizeof *b);
    else
        ++*n_failed;
    if (job->gain) job->gain[r] = ok ? pen__kern()->dot(b, right, job->d) : 0.0f;
}

void pen__normal_solve(const pen__normal *job, int64_t begin, int64_t end, float *scratch, int64_t *n_failed)
{
    const desk t = lay_out(job->d, scratch);
    const int64_t floats = pen__matrix_floats(job->d), pad = pen__matrix_pad(job->d);
    const int lanes = job->d <= LANES_MOST ? t.kern->lanes : 1;
    *n_failed = 0;
    for (int64_t r = begin; r < end; r += lanes) {
        const float *a[PEN_MAX_LANES];
        float *b[PEN_MAX_LANES];
        bool ok[PEN_MAX_LANES];
        int n = end - r < lanes ? (int)(end - r) : lanes;
        for (int s = 0; s < n; s++) {
            float *matrix = t.a + s * floats;
            a[s] = matrix, b[s] = t.b + s * pad;
            make_system(job, &t, r + s, matrix, b[s]);
            if (job->gain) memcpy(t.right + s * pad, b[s], (size_t)pad * sizeof *t.right);
        }
        if (lanes > 1) {
            t.kern->solve_lanes(a, b, n, job->d, t.packed, ok);
        } else if ((ok[0] = t.kern->cholesky(t.a, job->d))) {
            t.kern->cholesky_solve(t.a, job->d, b[0]);
        }
        for (int s = 0; s < n; s++) put_row(job, r + s, b[s], t.right + s * pad, ok[s], n_failed);
    }
}

/* ---- one row with a constant ---- */

size_t pen__ridge_scratch(int64_t d)
{
    return (size_t)pen__matrix_floats(d + 1) + 2 * (size_t)pen__matrix_pad(d + 1) + outer_scratch(d + 1);
}

void pen__ridge_solve(const pen__ridge *job, float *scratch, float *x, float *constant)
{
    const pen__kernels *kern = pen__kern();
    const int64_t d = job->d, m = d + 1, pad = pen__matrix_pad(m), ld = pen__matrix_stride(m);
    float *a = scratch, *b = a + pen__matrix_floats(m), *row = b + pad, *outer = row + pad;
    memset(scratch, 0, (size_t)(outer - scratch) * sizeof *scratch);
    row[d] = 1;
    for (int64_t e = 0; e < job->n; e++) {
        memcpy(row, job->table + job->cols[e] * d, (size_t)d * sizeof *row);
        kern->add_outer(a, b, m, row, pad, NULL, NULL, 1, NULL, job->value[e] - job->mean, 1, 0, outer);
    }
    for (int64_t k = 0; k < m; k++) a[k * ld + k] += job->l2;
    bool ok = kern->cholesky(a, m);
    if (ok) kern->cholesky_solve(a, m, b);
    for (int64_t k = 0; k < d; k++) x[k] = ok ? b[k] : 0;
    *constant = ok ? b[d] : 0;
}

/* ---- all rows ---- */

typedef struct sweep {
    const pen__normal *job;
    int64_t n_shards, *failed; /* for each shard */
    float *scratch;            /* for each worker */
    size_t floats;
} sweep;

static pen_status sweep_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)error;
    const sweep *s = arg;
    int64_t n = s->job->n_rows, begin = shard * ROWS_GRAIN, end = begin + ROWS_GRAIN < n ? begin + ROWS_GRAIN : n;
    pen__normal_solve(s->job, begin, end, s->scratch + (size_t)worker * s->floats, &s->failed[shard]);
    return PEN_OK;
}

pen_status pen__normal_solve_all(pen_context *ctx, const pen__normal *job, int64_t *n_failed, pen_error *error)
{
    pen_status status = PEN_OK;
    sweep s = {.job = job, .n_shards = pen__shards(job->n_rows, ROWS_GRAIN)};
    s.floats = (pen__normal_scratch(job->d) + 15) / 16 * 16;
    *n_failed = 0;
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, s.failed, s.n_shards));
    PEN_TRY_DONE(PEN_NEW(ctx, s.scratch, (size_t)pen__workers(ctx) * s.floats));
    PEN_TRY_DONE(pen__parallel(ctx, s.n_shards, sweep_shard, &s, error));
    for (int64_t i = 0; i < s.n_shards; i++) *n_failed += s.failed[i];
done:
    pen__free(ctx, s.failed);
    pen__free(ctx, s.scratch);
    return status;
}
