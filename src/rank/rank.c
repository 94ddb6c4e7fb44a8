/* Ranking: questions are answered in parallel, and each from its own data alone, so that neither threads nor the
 * company of other questions change a bit.
 *
 * Models with vectors go through the fused kernels (kern/topk.h): user vectors of a slice are made first, then the
 * whole catalogue is scored and selected from without an array of users x items. Other models fill one row of n_items
 * scores a worker. Candidates are scored alone where the model has vectors. A ranker keeps what all questions share:
 * packed factors, and the items that are denied as a bit set.
 */
#include "rank/rank.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/thread.h"
#include "rank/places.h"

struct pen__ranker {
    pen_context *ctx;
    const pen_model *model;
    bool has_vectors;
    pen__factors factors;
    pen__panels panels;
    uint64_t *denied; /* bit set of n_items; NULL: none */
    int32_t n_allowed;
};

/* One call, cut into slices of questions. */
typedef struct run {
    const pen__ranker *ranker;
    const pen__ask *ask;
    pen__answer *answer;
    int64_t n, n_shards;
    int32_t k;
    int64_t most_candidates, most_targets; /* of one question; targets whose places are wanted */
    float *vectors;                        /* (slice, d) */
    struct scratch *scratch;               /* one a worker, filled by its first shard */
} run;

typedef struct scratch {
    float *scores;      /* n_items without vectors, else most_candidates */
    float *gathered;    /* most_candidates */
    int32_t *candidate; /* most_candidates */
    void *top;          /* pen__top_bytes(k) */
    pen__place *place;  /* most_targets */
    void *model;        /* the class's scratch */
    bool ready;
} scratch;

enum { SLICE = 8192, SLICE_LISTS = 1 << 22, GRAIN = 16 };

size_t pen__model_scratch(const pen_model *model) { return model->class->scratch ? model->class->scratch(model) : 0; }

size_t pen__model_score_room(const pen_model *model)
{
    return model->class->score && !model->class->score_some ? (size_t)model->n_items : 0;
}

pen_status pen__model_score_some(const pen_model *model, const pen__user *user, const int32_t *item, int64_t n,
                                 void *memory, float *all, float *out, pen_error *error)
{
    const pen__model_class *class = model->class;
    if (class->score_some) return class->score_some(model, user, item, n, memory, out, error);
    PEN_TRY(class->score(model, user, memory, all, error));
    for (int64_t i = 0; i < n; i++) out[i] = all[item[i]];
    return PEN_OK;
}

static bool denies(const pen__ranker *ranker, int32_t item)
{
    return ranker->denied && ranker->denied[item >> 6] >> (item & 63) & 1;
}

/* ---- one question, from scores ----------------------------------------------------------------------------------- */

/* The candidates that are ranked: rising, each once, neither denied nor excluded. */
static int64_t candidates_of(const pen__ranker *ranker, const pen__ask *ask, int32_t *candidate)
{
    int64_t n = 0;
    for (int64_t c = 0; c < ask->n_candidate; c++) {
        int32_t item = ask->candidate[c];
        if (item < 0 || item >= ranker->model->n_items || denies(ranker, item)) continue;
        if (!pen__items_have(ask->exclude, ask->n_exclude, item)) candidate[n++] = item;
    }
    return pen__items_sort_unique(candidate, n);
}

static int64_t n_ranked_of(const pen__ranker *ranker, const pen__ask *ask)
{
    int64_t n = ranker->n_allowed;
    for (int64_t e = 0; e < ask->n_exclude; e++) n -= !denies(ranker, ask->exclude[e]);
    return n;
}

static void answer_among(const run *r, const pen__ask *ask, pen__answer *answer, const float *scores, int64_t n,
                         scratch *s)
{
    answer->n =
        pen__top_candidates(scores, s->candidate, n, ask->tie_key, NULL, r->k, s->top, answer->item, answer->score);
    answer->n_ranked = n;
    if (answer->place) pen__places_among(scores, s->candidate, n, ask, answer->place);
}

static pen_status answer_dense(const run *r, const pen__ask *ask, pen__answer *answer, scratch *s, pen_error *error)
{
    const pen__ranker *ranker = r->ranker;
    const pen_model *model = ranker->model;
    if (ask->candidate) {
        int64_t n = candidates_of(ranker, ask, s->candidate);
        PEN_TRY(pen__model_score_some(model, &ask->user, s->candidate, n, s->model, s->scores, s->gathered, error));
        answer_among(r, ask, answer, s->gathered, n, s);
        return PEN_OK;
    }
    PEN_TRY(model->class->score(model, &ask->user, s->model, s->scores, error));
    pen__exclude exclude = {ask->exclude, ask->n_exclude, ranker->denied};
    answer->n =
        pen__top_dense(s->scores, model->n_items, ask->tie_key, &exclude, r->k, s->top, answer->item, answer->score);
    answer->n_ranked = n_ranked_of(ranker, ask);
    if (answer->place) pen__places_dense(s->scores, model->n_items, ask, ranker->denied, answer->place, s->place);
    return PEN_OK;
}

/* The user's vector into its row; candidates are answered at once. */
static pen_status begin_vector(const run *r, int64_t i, scratch *s, pen_error *error)
{
    const pen__ranker *ranker = r->ranker;
    const pen_model *model = ranker->model;
    const pen__ask *ask = &r->ask[i];
    float *vector = r->vectors + i * ranker->factors.d;
    PEN_TRY(model->class->user_vector(model, &ask->user, s->model, vector, error));
    if (!ask->candidate) return PEN_OK;
    int64_t n = candidates_of(ranker, ask, s->candidate);
    const pen__panels *items = &ranker->panels;
    pen__kern()->score_items(items->data, items->d, vector, items->bias, s->candidate, n, s->scores);
    answer_among(r, ask, &r->answer[i], s->scores, n, s);
    return PEN_OK;
}

/* ---- workers ----------------------------------------------------------------------------------------------------- */

static void scratch_free(pen_context *ctx, scratch *s)
{
    pen__free(ctx, s->scores);
    pen__free(ctx, s->gathered);
    pen__free(ctx, s->candidate);
    pen__free(ctx, s->top);
    pen__free(ctx, s->place);
    pen__free(ctx, s->model);
    *s = (scratch){0};
}

static pen_status scratch_ready(const run *r, scratch *s, pen_error *error)
{
    const pen__ranker *ranker = r->ranker;
    pen_context *ctx = ranker->ctx;
    if (s->ready) return PEN_OK;
    scratch_free(ctx, s); /* what an earlier shard may have left when memory ran out */
    PEN_TRY(PEN_NEW(ctx, s->scores, ranker->has_vectors ? r->most_candidates : ranker->model->n_items));
    PEN_TRY(PEN_NEW(ctx, s->gathered, ranker->has_vectors ? 0 : r->most_candidates));
    PEN_TRY(PEN_NEW(ctx, s->candidate, r->most_candidates));
    PEN_TRY(PEN_NEW(ctx, s->place, r->most_targets));
    PEN_TRY(pen__new(ctx, &s->top, pen__top_bytes(r->k), 1, false, error));
    PEN_TRY(pen__new(ctx, &s->model, pen__model_scratch(ranker->model), 1, true, error));
    s->ready = true;
    return PEN_OK;
}

static pen_status answer_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    const run *r = arg;
    scratch *s = &r->scratch[worker];
    PEN_TRY(scratch_ready(r, s, error));
    int64_t begin = pen__shard_begin(r->n, r->n_shards, shard), end = pen__shard_begin(r->n, r->n_shards, shard + 1);
    for (int64_t i = begin; i < end; i++) {
        if (r->ranker->has_vectors)
            PEN_TRY(begin_vector(r, i, s, error));
        else
            PEN_TRY(answer_dense(r, &r->ask[i], &r->answer[i], s, error));
    }
    return PEN_OK;
}

/* ---- whole catalogues by vectors: a slice as one job of the kernels ---------------------------------------------- */

typedef struct slice {
    pen__rank_job job;
    int32_t *rows, *seen, *targets, *items;
    int64_t *seen_at, *target_at, *better;
    uint64_t *keys;
    float *scores;
} slice;

static void slice_free(pen_context *ctx, slice *s)
{
    pen__free(ctx, s->rows);
    pen__free(ctx, s->seen);
    pen__free(ctx, s->targets);
    pen__free(ctx, s->items);
    pen__free(ctx, s->seen_at);
    pen__free(ctx, s->target_at);
    pen__free(ctx, s->better);
    pen__free(ctx, s->keys);
    pen__free(ctx, s->scores);
}

static bool is_ranked(const run *r, const pen__ask *ask, int32_t item)
{
    return item >= 0 && item < r->ranker->model->n_items && !denies(r->ranker, item) &&
           !pen__items_have(ask->exclude, ask->n_exclude, item);
}

static pen_status slice_new(const run *r, slice *s, int64_t *n_target, pen_error *error)
{
    pen_context *ctx = r->ranker->ctx;
    int64_t n_seen = 0;
    *n_target = 0;
    for (int64_t i = 0; i < r->n; i++) {
        n_seen += r->ask[i].n_exclude;
        if (r->answer[i].place && !r->ask[i].candidate) *n_target += r->ask[i].n_target;
    }
    PEN_TRY(PEN_NEW(ctx, s->rows, r->n));
    PEN_TRY(PEN_NEW(ctx, s->keys, r->n));
    PEN_TRY(PEN_NEW(ctx, s->seen_at, r->n + 1));
    PEN_TRY(PEN_NEW(ctx, s->target_at, r->n + 1));
    PEN_TRY(PEN_NEW(ctx, s->seen, n_seen));
    PEN_TRY(PEN_NEW(ctx, s->targets, *n_target));
    PEN_TRY(PEN_NEW(ctx, s->better, *n_target));
    PEN_TRY(PEN_NEW(ctx, s->items, r->n * r->k));
    return PEN_NEW(ctx, s->scores, r->n * r->k);
}

/* Questions about the whole catalogue become the job's users; targets that are not ranked are left out of it. */
static void slice_fill(const run *r, slice *s, bool places)
{
    int64_t n_seen = 0, n_target = 0, n = 0;
    for (int64_t i = 0; i < r->n; i++) {
        const pen__ask *ask = &r->ask[i];
        s->seen_at[i] = n_seen;
        s->target_at[i] = n_target;
        if (ask->candidate) continue;
        s->rows[n] = (int32_t)i;
        s->keys[n++] = ask->tie_key;
        if (ask->n_exclude) memcpy(s->seen + n_seen, ask->exclude, (size_t)ask->n_exclude * sizeof *s->seen);
        n_seen += ask->n_exclude;
        for (int64_t t = 0; r->answer[i].place && t < ask->n_target; t++)
            if (is_ranked(r, ask, ask->target[t])) s->targets[n_target++] = ask->target[t];
    }
    s->seen_at[r->n] = n_seen;
    s->target_at[r->n] = n_target;
    s->job = (pen__rank_job){.items = &r->ranker->panels,
                             .users = r->vectors,
                             .stride = r->ranker->factors.d,
                             .rows = s->rows,
                             .n_users = n,
                             .keys = s->keys,
                             .seen_at = s->seen_at,
                             .seen = s->seen,
                             .denied = r->ranker->denied,
                             .k = r->k,
                             .top_items = s->items,
                             .top_scores = s->scores,
                             .target_at = places ? s->target_at : NULL,
                             .targets = s->targets,
                             .better = s->better};
}

static void slice_answer(const run *r, const slice *s)
{
    for (int64_t j = 0; j < s->job.n_users; j++) {
        int64_t i = s->rows[j], at = s->target_at[i];
        const pen__ask *ask = &r->ask[i];
        pen__answer *answer = &r->answer[i];
        const int32_t *items = s->items + j * r->k;
        answer->n_ranked = n_ranked_of(r->ranker, ask);
        answer->n = answer->n_ranked < r->k ? (int32_t)answer->n_ranked : r->k;
        if (answer->n) {
            memcpy(answer->item, items, (size_t)answer->n * sizeof *items);
            memcpy(answer->score, s->scores + j * r->k, (size_t)answer->n * sizeof *s->scores);
        }
        for (int64_t t = 0; answer->place && t < ask->n_target; t++)
            answer->place[t] = is_ranked(r, ask, ask->target[t]) ? 1 + s->better[at++] : 0;
    }
}

static pen_status rank_slice(const run *r, pen_error *error)
{
    slice s = {0};
    int64_t n_target;
    pen_status status = slice_new(r, &s, &n_target, error);
    if (status == PEN_OK) {
        slice_fill(r, &s, n_target > 0);
        status = pen__rank_vectors(r->ranker->ctx, &s.job, error);
    }
    if (status == PEN_OK) slice_answer(r, &s);
    slice_free(r->ranker->ctx, &s);
    return status;
}

/* ---- the ranker -------------------------------------------------------------------------------------------------- */

static pen_status deny(pen__ranker *ranker, const uint8_t *allowed, pen_error *error)
{
    int32_t n = ranker->model->n_items;
    ranker->n_allowed = n;
    if (!allowed) return PEN_OK;
    PEN_TRY(PEN_NEW_ZERO(ranker->ctx, ranker->denied, (n + 63) / 64));
    for (int32_t i = 0; i < n; i++) {
        if (allowed[i]) continue;
        ranker->denied[i >> 6] |= (uint64_t)1 << (i & 63);
        ranker->n_allowed--;
    }
    return PEN_OK;
}

pen_status pen__ranker_open(const pen_model *model, const uint8_t *allowed, pen__ranker **out, pen_error *error)
{
    pen_context *ctx = model->ctx;
    pen__ranker *ranker = NULL;
    PEN_CHECK(model->class->factors || model->class->score, PEN_E_UNSUPPORTED, "%s does not rank", model->class->name);
    PEN_TRY(PEN_NEW_ZERO(ctx, ranker, 1));
    ranker->ctx = ctx;
    ranker->model = model;
    pen_status status = deny(ranker, allowed, error);
    if (status == PEN_OK && model->class->factors) {
        pen__factors *f = &ranker->factors;
        ranker->has_vectors = true;
        model->class->factors(model, f);
        status = pen__panels_pack(ctx, f->item, model->n_items, f->d, f->d, f->bias, &ranker->panels, error);
    }
    if (status == PEN_OK)
        *out = ranker;
    else
        pen__ranker_close(ranker);
    return status;
}

void pen__ranker_close(pen__ranker *ranker)
{
    if (!ranker) return;
    pen__panels_free(ranker->ctx, &ranker->panels);
    pen__free(ranker->ctx, ranker->denied);
    pen__free(ranker->ctx, ranker);
}

/* Sizes of the largest question, and whether some ask for the whole catalogue. */
static bool measure_questions(run *r, int64_t n)
{
    bool whole = false;
    for (int64_t i = 0; i < n; i++) {
        const pen__ask *ask = &r->ask[i];
        if (ask->candidate && ask->n_candidate > r->most_candidates) r->most_candidates = ask->n_candidate;
        if (r->answer[i].place && ask->n_target > r->most_targets) r->most_targets = ask->n_target;
        whole |= !ask->candidate;
    }
    return whole;
}

static pen_status run_slices(run *r, int64_t n, bool whole, pen_error *error)
{
    pen_context *ctx = r->ranker->ctx;
    int64_t most = r->k ? SLICE_LISTS / r->k : SLICE;
    most = most < GRAIN ? GRAIN : most > SLICE ? SLICE : most;
    if (most > n) most = n;
    if (r->ranker->has_vectors) PEN_TRY(PEN_NEW(ctx, r->vectors, most * r->ranker->factors.d));
    for (int64_t left = n; left > 0; left -= r->n, r->ask += r->n, r->answer += r->n) {
        r->n = left < most ? left : most;
        r->n_shards = pen__shards(r->n, GRAIN);
        PEN_TRY(pen__parallel(ctx, r->n_shards, answer_shard, r, error));
        if (r->ranker->has_vectors && whole) PEN_TRY(rank_slice(r, error));
    }
    return PEN_OK;
}

pen_status pen__ranker_run(const pen__ranker *ranker, const pen__ask *ask, pen__answer *answer, int64_t n, int32_t k,
                           pen_error *error)
{
    pen_context *ctx = ranker->ctx;
    int n_workers = pen__workers(ctx);
    if (k > ranker->model->n_items) k = ranker->model->n_items;
    run r = {.ranker = ranker, .ask = ask, .answer = answer, .k = k < 0 ? 0 : k};
    bool whole = measure_questions(&r, n);
    PEN_TRY(PEN_NEW_ZERO(ctx, r.scratch, n_workers));
    pen_status status = run_slices(&r, n, whole, error);
    for (int w = 0; w < n_workers; w++) scratch_free(ctx, &r.scratch[w]);
    pen__free(ctx, r.scratch);
    pen__free(ctx, r.vectors);
    return status;
}

pen_status pen__rank(const pen_model *model, const pen__ask *ask, pen__answer *answer, int64_t n, int32_t k,
                     const uint8_t *allowed, pen_error *error)
{
    pen__ranker *ranker = NULL;
    PEN_TRY(pen__ranker_open(model, allowed, &ranker, error));
    pen_status status = pen__ranker_run(ranker, ask, answer, n, k, error);
    pen__ranker_close(ranker);
    return status;
}

/* ---- one score --------------------------------------------------------------------------------------------------- */

/* The definition that the kernels keep to: one chain of fused steps in the order of k. */
static float chain(const float *user, const float *item, int32_t d, float bias)
{
    float sum = bias;
    for (int32_t k = 0; k < d; k++) sum = fmaf(user[k], item[k], sum);
    return sum;
}

pen_status pen__score_one(const pen_model *model, const pen__user *user, int32_t item, float *score, pen_error *error)
{
    PEN_CHECK(item >= 0 && item < model->n_items, PEN_E_ARGUMENT, "item %d is not among the model's %d items", item,
              model->n_items);
    PEN_CHECK(model->class->factors || model->class->score, PEN_E_UNSUPPORTED, "%s does not rank", model->class->name);
    pen__factors f = {0};
    if (model->class->factors) model->class->factors(model, &f);
    float *row = NULL;
    void *bytes = NULL;
    pen_status status = pen__new(model->ctx, &bytes, pen__model_scratch(model), 1, true, error);
    PEN_TRY_DONE(status);
    PEN_TRY_DONE(PEN_NEW(model->ctx, row, model->class->factors ? f.d : model->n_items));
    if (model->class->factors) {
        PEN_TRY_DONE(model->class->user_vector(model, user, bytes, row, error));
        *score = chain(row, f.item + (size_t)item * (size_t)f.d, f.d, f.bias ? f.bias[item] : 0);
    } else {
        PEN_TRY_DONE(model->class->score(model, user, bytes, row, error));
        *score = row[item];
    }
done:
    pen__free(model->ctx, row);
    pen__free(model->ctx, bytes);
    return status;
}

/* ---- ratings ----------------------------------------------------------------------------------------------------- */

pen_status pen__rate_with(const pen_model *model, const pen__user *user, const int32_t *item, double *rating, int64_t n,
                          void *scratch_bytes, pen_error *error)
{
    PEN_CHECK(model->class->rate, PEN_E_UNSUPPORTED, "%s does not predict ratings", model->class->name);
    for (int64_t i = 0; i < n; i++) {
        PEN_TRY(model->class->rate(model, user, item[i], scratch_bytes, &rating[i], error));
        PEN_CHECK(!isnan(rating[i]), PEN_E_DIVERGED, "%s predicts a rating that is not a number (user %d, item %d)",
                  model->class->name, user->number, item[i]);
        if (rating[i] < (double)model->least) rating[i] = (double)model->least;
        if (rating[i] > (double)model->most) rating[i] = (double)model->most;
    }
    return PEN_OK;
}

pen_status pen__rate(const pen_model *model, const pen__user *user, const int32_t *item, double *rating, int64_t n,
                     pen_error *error)
{
    void *bytes = NULL;
    PEN_TRY(pen__new(model->ctx, &bytes, pen__model_scratch(model), 1, true, error));
    pen_status status = pen__rate_with(model, user, item, rating, n, bytes, error);
    pen__free(model->ctx, bytes);
    return status;
}
