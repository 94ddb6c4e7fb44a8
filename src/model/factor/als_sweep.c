/* Half a sweep of alternating least squares, in shards of about equal cost.
 *
 * Exact: kern/linalg.h does the rows; the minimum of a row's squared error is sum v - b'x, so the objective costs one
 * dot product a row. Blocks (iALS++): a Newton step on the columns of one block at a time, with the predictions y_e of
 * the row's events kept up to date; eight (or sixteen) rows go through a block side by side, for their small systems to
 * be solved in lanes.
 *
 * Cost of a row with n events: exact n d^2 / 2 + d^3 / 6 fused multiply-adds; blocks of k: n d k / 2 + 3 n d + d^2 + d
 * k^2 / 6.
 *
 * Rendle, Krichene, Zhang, Koren: "iALS++: Speeding up Matrix Factorization with Subspace Optimization" (2021). */
#include "model/factor/als_sweep.h"

#include <string.h>

#include "base/memory.h"
#include "base/thread.h"

enum { GRAIN = 8192, ROUND = 16 };

typedef struct sweep {
    pen__half_sweep *half;
    int64_t n_shards, *shard; /* first row of each */
    float *gain;              /* for each row; exact solves */
    double *objective;        /* for each shard */
    int64_t *failed;          /* for each shard */
    float *scratch;           /* for each worker */
    size_t floats;
} sweep;

/* ---- shards ---- */

/* A shard ends where its cost (in events; a solve is worth d / 3 of them) reaches the grain, at a multiple of ROUND
 * rows unless it grew too long: full lanes are faster. Returns the number of shards; `shard` may be NULL. */
static int64_t cut(const pen__normal *job, int64_t *shard)
{
    int64_t n = 0, cost = 0;
    for (int64_t r = 0; r < job->n_rows; r++) {
        if (r == 0 || (cost >= GRAIN && (r % ROUND == 0 || cost >= 2 * GRAIN))) {
            if (shard) shard[n] = r;
            n++, cost = 0;
        }
        cost += job->at[r + 1] - job->at[r] + job->d / 3 + 1;
    }
    if (shard) shard[n] = job->n_rows;
    return n;
}

/* ---- exact ---- */

static double sum_of_targets(const pen__normal *job, int64_t r)
{
    if (!job->v) return (double)job->v_all * (double)(job->at[r + 1] - job->at[r]);
    double sum = 0;
    for (int64_t e = job->at[r]; e < job->at[r + 1]; e++) sum += (double)job->v[e];
    return sum;
}

static void solve_exactly(const sweep *s, int64_t shard, float *scratch)
{
    const pen__normal *job = &s->half->job;
    pen__normal_solve(job, s->shard[shard], s->shard[shard + 1], scratch, &s->failed[shard]);
    double objective = 0;
    for (int64_t r = s->shard[shard]; r < s->shard[shard + 1]; r++)
        objective += sum_of_targets(job, r) - (double)job->gain[r];
    s->objective[shard] = objective;
}

/* ---- blocks ---- */

/* Scratch of one worker for blocks of k columns: matrices and right sides of the lanes, packed lanes, rows of
 * add_outer; then predictions and residuals of the longest shard's events. */
typedef struct desk {
    const pen__kernels *kern;
    int64_t k;
    float *a, *b, *packed, *outer, *y, *residual;
} desk;

static size_t block_scratch(int64_t k)
{
    size_t pad = (size_t)pen__matrix_pad(k);
    return PEN_MAX_LANES * ((size_t)pen__matrix_floats(k) + pad) + PEN_MAX_LANES * (pad * (pad + 8) / 2 + 2 * pad) +
           2 * PEN_OUTER_ROWS * pad;
}

static desk lay_out(int64_t k, int64_t n_events, float *scratch)
{
    size_t pad = (size_t)pen__matrix_pad(k);
    desk t = {.kern = pen__kern(), .k = k, .a = scratch};
    t.packed = t.a + PEN_MAX_LANES * (size_t)pen__matrix_floats(k);
    t.outer = t.packed + PEN_MAX_LANES * (pad * (pad + 8) / 2 + 2 * pad);
    t.b = t.outer + 2 * PEN_OUTER_ROWS * pad;
    t.y = t.b + PEN_MAX_LANES * pad;
    t.residual = t.y + n_events;
    return t;
}

/* The system of row r for columns c .. c + k - 1: A = base + sum w q q' + l2 I, b = sum (v - w y) q - base x - l2 x. */
static void block_system(const pen__normal *job, const desk *t, int64_t r, int64_t c, int64_t k, const float *y,
                         float *a, float *b)
{
    const int64_t ld = pen__matrix_stride(job->d), to = pen__matrix_stride(k), pad = pen__matrix_pad(k);
    const float *x = job->out + r * job->out_stride;
    float l2 = job->l2 ? job->l2[r] : job->l2_all;
    for (int64_t i = 0; i < k; i++) {
        const float *base = job->base + (c + i) * ld;
        memcpy(a + i * to, base + c, (size_t)k * sizeof *a);
        memset(a + i * to + k, 0, (size_t)(to - k) * sizeof *a);
        a[i * to + i] += l2;
        b[i] = -t->kern->dot(base, x, job->d) - l2 * x[c + i];
    }
    for (int64_t i = k; i < pad; i++) memset(a + i * to, 0, (size_t)to * sizeof *a);
    memset(b + k, 0, (size_t)(pad - k) * sizeof *b);
    const int64_t begin = job->at[r], n = job->at[r + 1] - begin;
    for (int64_t e = 0; e < n; e++)
        t->residual[e] = (job->v ? job->v[begin + e] : job->v_all) - (job->w ? job->w[begin + e] : job->w_all) * y[e];
    t->kern->add_outer(a, b, k, job->table + c, job->stride, job->cols + begin, job->w ? job->w + begin : NULL,
                       job->w_all, t->residual, 0.0f, n, 0, t->outer);
}

static void step_row(const pen__normal *job, const desk *t, int64_t r, int64_t c, int64_t k, const float *step,
                     float *y)
{
    t->kern->axpy(job->out + r * job->out_stride + c, 1.0f, step, k);
    for (int64_t e = job->at[r]; e < job->at[r + 1]; e++)
        y[e - job->at[r]] += t->kern->dot(job->table + job->cols[e] * job->stride + c, step, k);
}

/* One block of the rows begin .. begin + n - 1, n at most the lanes; y is of the events from job->at[begin] on. */
static void step_block(const pen__normal *job, const desk *t, int64_t begin, int n, int64_t c, float *y,
                       int64_t *n_failed)
{
    const int64_t k = t->k < job->d - c ? t->k : job->d - c, floats = pen__matrix_floats(k), pad = pen__matrix_pad(k);
    const float *a[PEN_MAX_LANES];
    float *b[PEN_MAX_LANES];
    bool ok[PEN_MAX_LANES];
    for (int s = 0; s < n; s++) {
        float *matrix = t->a + s * floats;
        a[s] = matrix, b[s] = t->b + s * pad;
        block_system(job, t, begin + s, c, k, y + (job->at[begin + s] - job->at[begin]), matrix, b[s]);
    }
    t->kern->solve_lanes(a, b, n, k, t->packed, ok);
    for (int s = 0; s < n; s++)
        if (ok[s])
            step_row(job, t, begin + s, c, k, b[s], y + (job->at[begin + s] - job->at[begin]));
        else
            ++*n_failed;
}

static double row_objective(const pen__normal *job, const desk *t, int64_t r, const float *y)
{
    const float *x = job->out + r * job->out_stride;
    double l2 = (double)(job->l2 ? job->l2[r] : job->l2_all), f = l2 * (double)t->kern->sum_squares(x, job->d);
    for (int64_t i = 0; i < job->d; i++)
        f += (double)(x[i] * t->kern->dot(job->base + i * pen__matrix_stride(job->d), x, job->d));
    for (int64_t e = job->at[r]; e < job->at[r + 1]; e++) {
        double w = (double)(job->w ? job->w[e] : job->w_all), v = (double)(job->v ? job->v[e] : job->v_all);
        double p = (double)y[e - job->at[r]];
        f += w * p * p - 2 * v * p + v;
    }
    return f;
}

static void solve_blocks(const sweep *s, int64_t shard, float *scratch)
{
    const pen__normal *job = &s->half->job;
    int64_t first = s->shard[shard], end = s->shard[shard + 1];
    const desk t = lay_out(s->half->block, job->at[end] - job->at[first], scratch);
    double objective = 0;
    int64_t failed = 0;
    for (int64_t r = first; r < end; r += t.kern->lanes) {
        int n = end - r < t.kern->lanes ? (int)(end - r) : t.kern->lanes;
        float *y = t.y;
        for (int64_t q = r; q < r + n; q++)
            for (int64_t e = job->at[q]; e < job->at[q + 1]; e++)
                *y++ = t.kern->dot(job->table + job->cols[e] * job->stride, job->out + q * job->out_stride, job->d);
        for (int64_t c = 0; c < job->d; c += t.k) step_block(job, &t, r, n, c, t.y, &failed);
        for (int64_t q = r; q < r + n; q++) objective += row_objective(job, &t, q, t.y + (job->at[q] - job->at[r]));
    }
    s->objective[shard] = objective;
    s->failed[shard] = failed;
}

/* ---- all rows ---- */

static pen_status sweep_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    const sweep *s = arg;
    const pen__half_sweep *half = s->half;
    float *scratch = s->scratch + (size_t)worker * s->floats;
    if (half->block > 0)
        solve_blocks(s, shard, scratch);
    else
        solve_exactly(s, shard, scratch);
    if (worker != 0) return PEN_OK;
    double part = (double)s->shard[shard + 1] / (double)half->job.n_rows;
    return pen__model_tick(half->model, half->done + (int64_t)(part * (double)half->share), error);
}

static size_t scratch_floats(const sweep *s)
{
    const pen__normal *job = &s->half->job;
    int64_t most = 0;
    if (s->half->block <= 0) return (pen__normal_scratch(job->d) + 15) / 16 * 16;
    for (int64_t i = 0; i < s->n_shards; i++) {
        int64_t n = job->at[s->shard[i + 1]] - job->at[s->shard[i]];
        if (n > most) most = n;
    }
    return (block_scratch(s->half->block) + 2 * (size_t)most + 15) / 16 * 16;
}

pen_status pen__half_sweep_run(pen__half_sweep *half, pen_error *error)
{
    pen_context *ctx = half->model->ctx;
    pen_status status = PEN_OK;
    if (half->block > half->job.d) half->block = (int32_t)half->job.d;
    sweep s = {.half = half, .n_shards = cut(&half->job, NULL)};
    PEN_TRY_DONE(PEN_NEW(ctx, s.shard, s.n_shards + 1));
    cut(&half->job, s.shard);
    s.floats = scratch_floats(&s);
    PEN_TRY_DONE(PEN_NEW(ctx, s.gain, half->job.n_rows));
    half->job.gain = s.gain;
    PEN_TRY_DONE(PEN_NEW(ctx, s.objective, s.n_shards));
    PEN_TRY_DONE(PEN_NEW(ctx, s.failed, s.n_shards));
    PEN_TRY_DONE(PEN_NEW(ctx, s.scratch, (size_t)pen__workers(ctx) * s.floats));
    PEN_TRY_DONE(pen__parallel(ctx, s.n_shards, sweep_shard, &s, error));
    half->objective = 0, half->n_failed = 0;
    for (int64_t i = 0; i < s.n_shards; i++) half->objective += s.objective[i], half->n_failed += s.failed[i];
done:
    half->job.gain = NULL;
    pen__free(ctx, s.shard);
    pen__free(ctx, s.gain);
    pen__free(ctx, s.objective);
    pen__free(ctx, s.failed);
    pen__free(ctx, s.scratch);
    return status;
}

uint64_t pen__half_sweep_memory(const pen_context *ctx, int64_t n_rows, int64_t d)
{
    return (uint64_t)n_rows * 8 + (uint64_t)pen__workers(ctx) * (pen__normal_scratch(d) + 4 * GRAIN) * sizeof(float);
}
