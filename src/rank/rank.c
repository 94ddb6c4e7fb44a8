/* Ranking: users in parallel, each answered from scores of all items (or of the candidates) by selection.
 *
 * A ranker holds what all users share: the items that are allowed. Each worker has scratch for one user: scores, a heap, a
 * copy of the candidates. A user's answer depends on that user's question alone, so blocks and threads cannot change it.
 */
#include "rank/rank.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/thread.h"
#include "rank/select.h"

struct pen__ranker {
    pen_context *ctx;
    const pen_model *model;
    const uint8_t *allowed;
    bool has_vectors;
    pen__factors factors;
    int32_t *name;  /* allowed items, rising; NULL: all */
    int64_t n_name; /* how many are allowed */
};

/* One call: the questions and what the workers need. */
typedef struct run {
    const pen__ranker *ranker;
    const pen__ask *ask;
    pen__answer *answer;
    int64_t n, n_shards;
    int32_t k;
    int64_t n_candidate, n_target; /* of the largest question */
    struct scratch *scratch;       /* one a worker, filled by its first shard */
} run;

typedef struct scratch {
    float *scores;       /* n_items */
    float *gathered;     /* n_items, where items are masked or candidates are asked */
    int32_t *name;       /* of candidates */
    float *vector;       /* the user's, d */
    pen__entry *heap;    /* k */
    pen__target *target; /* of the largest question */
    void *model;         /* the class's scratch */
    bool ready;
    int32_t found[PEN_SCAN];
} scratch;

enum { GRAIN = 16 }; /* users in a shard */

size_t pen__model_scratch(const pen_model *model) { return model->class->scratch ? model->class->scratch(model) : 0; }

/* ---- scores ------------------------------------------------------------------------------------------------------- */

/* The definition of a score of vectors: one chain of fused steps in the order of k. */
static float score_of(const float *user, const float *item, int32_t d, float bias)
{
    float sum = bias;
    for (int32_t k = 0; k < d; k++) sum = fmaf(user[k], item[k], sum);
    return sum;
}

/* Scores of all items, or of `name` alone where the model can. */
static pen_status score_user(const pen__ranker *ranker, const pen__user *user, scratch *s, const int32_t *name, int64_t n,
                             const float **scores, pen_error *error)
{
    const pen_model *model = ranker->model;
    const pen__factors *f = &ranker->factors;
    if (ranker->has_vectors) {
        PEN_TRY(model->class->user_vector(model, user, s->model, s->vector, error));
        for (int64_t j = 0; j < n; j++) {
            int32_t item = name ? name[j] : (int32_t)j;
            s->scores[j] = score_of(s->vector, f->item + (size_t)item * (size_t)f->d, f->d, f->bias ? f->bias[item] : 0);
        }
        *scores = s->scores;
        return PEN_OK;
    }
    PEN_TRY(model->class->score(model, user, s->model, s->scores, error));
    *scores = s->scores;
    if (!name) return PEN_OK;
    for (int64_t j = 0; j < n; j++) s->gathered[j] = s->scores[name[j]];
    *scores = s->gathered;
    return PEN_OK;
}

/* ---- one question --------------------------------------------------------------------------------------------------- */

/* The candidates that count: rising, allowed, each once. */
static int64_t candidates_of(const pen__ranker *ranker, const pen__ask *ask, int32_t *name)
{
    int64_t kept = 0;
    for (int64_t c = 0; c < ask->n_candidate; c++) {
        int32_t item = ask->candidate[c];
        if (item >= 0 && (!ranker->allowed || ranker->allowed[item])) name[kept++] = item;
    }
    return pen__items_sort_unique(name, kept);
}

/* Targets that are ranked, sorted; the others' places are set to 0. */
static int64_t targets_of(const pen__ask *ask, const pen__stretch *all, pen__answer *answer, pen__target *target)
{
    int64_t n = 0;
    for (int64_t t = 0; t < ask->n_target; t++) {
        int32_t item = ask->target[t];
        answer->place[t] = 0;
        if (item < 0 || pen__items_have(ask->exclude, ask->n_exclude, item)) continue;
        int64_t j = pen__stretch_position(all, item);
        if (j < 0) continue;
        target[n++] = (pen__target){{pen__tie(ask->tie_key, item), all->x[j], item}, t, 0};
    }
    pen__targets_sort(target, n);
    return n;
}

static int64_t ranked_of(const pen__ask *ask, const pen__stretch *all)
{
    int64_t n = all->n;
    for (int64_t e = 0; e < ask->n_exclude; e++) n -= pen__stretch_position(all, ask->exclude[e]) >= 0;
    return n;
}

static pen_status answer_one(const run *r, const pen__ask *ask, pen__answer *answer, scratch *s, pen_error *error)
{
    const pen__ranker *ranker = r->ranker;
    pen__stretch all = {.name = ranker->name, .n = ranker->n_name};
    if (ask->candidate) {
        all.name = s->name;
        all.n = candidates_of(ranker, ask, s->name);
    }
    PEN_TRY(score_user(ranker, &ask->user, s, all.name, all.n, &all.x, error));
    pen__top top = {.heap = s->heap, .cap = r->k, .tie_key = ask->tie_key, .exclude = ask->exclude, .n_exclude = ask->n_exclude};
    pen__top_scan(&top, &all, s->found);
    pen__top_finish(&top, answer);
    answer->n_ranked = ranked_of(ask, &all);
    if (!answer->place) return PEN_OK;
    int64_t n = targets_of(ask, &all, answer, s->target), passed = 0;
    pen__targets_count(s->target, n, &all, ask->tie_key, ask->exclude, ask->n_exclude, &passed);
    for (int64_t t = 0; t < n; t++) answer->place[s->target[t].index] = 1 + s->target[t].n_before;
    return PEN_OK;
}

/* ---- scratch -------------------------------------------------------------------------------------------------------- */

static void scratch_free(pen_context *ctx, scratch *s)
{
    pen__free(ctx, s->scores);
    pen__free(ctx, s->gathered);
    pen__free(ctx, s->name);
    pen__free(ctx, s->vector);
    pen__free(ctx, s->heap);
    pen__free(ctx, s->target);
    pen__free(ctx, s->model);
    *s = (scratch){0};
}

static pen_status scratch_new(const run *r, scratch *s, pen_error *error)
{
    const pen__ranker *ranker = r->ranker;
    pen_context *ctx = ranker->ctx;
    PEN_TRY(PEN_NEW(ctx, s->scores, ranker->model->n_items));
    if (!ranker->has_vectors && (ranker->name || r->n_candidate)) PEN_TRY(PEN_NEW(ctx, s->gathered, ranker->model->n_items));
    if (r->n_candidate) PEN_TRY(PEN_NEW(ctx, s->name, r->n_candidate));
    if (ranker->has_vectors) PEN_TRY(PEN_NEW(ctx, s->vector, ranker->factors.d));
    PEN_TRY(PEN_NEW(ctx, s->heap, r->k));
    if (r->n_target) PEN_TRY(PEN_NEW(ctx, s->target, r->n_target));
    PEN_TRY(pen__new(ctx, &s->model, pen__model_scratch(ranker->model), 1, true, error));
    s->ready = true;
    return PEN_OK;
}

static pen_status answer_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    const run *r = arg;
    int64_t begin = pen__shard_begin(r->n, r->n_shards, shard), end = pen__shard_begin(r->n, r->n_shards, shard + 1);
    scratch *s = &r->scratch[worker];
    if (!s->ready) {
        scratch_free(r->ranker->ctx, s); /* what an earlier shard may have left when memory ran out */
        PEN_TRY(scratch_new(r, s, error));
    }
    for (int64_t i = begin; i < end; i++) PEN_TRY(answer_one(r, &r->ask[i], &r->answer[i], s, error));
    return PEN_OK;
}

/* The most candidates of a question, and the most targets whose places are wanted. */
static void size_questions(run *r)
{
    for (int64_t i = 0; i < r->n; i++) {
        if (r->ask[i].candidate && r->ask[i].n_candidate > r->n_candidate) r->n_candidate = r->ask[i].n_candidate;
        if (r->answer[i].place && r->ask[i].n_target > r->n_target) r->n_target = r->ask[i].n_target;
    }
}

/* ---- the ranker ------------------------------------------------------------------------------------------------------ */

pen_status pen__ranker_open(const pen_model *model, const uint8_t *allowed, pen__ranker **out, pen_error *error)
{
    pen_context *ctx = model->ctx;
    pen__ranker *ranker = NULL;
    pen_status status = PEN_OK;
    PEN_CHECK(model->class->factors || model->class->score, PEN_E_UNSUPPORTED, "%s does not rank", model->class->name);
    PEN_TRY(PEN_NEW_ZERO(ctx, ranker, 1));
    ranker->ctx = ctx;
    ranker->model = model;
    ranker->allowed = allowed;
    ranker->n_name = model->n_items;
    if (model->class->factors) {
        model->class->factors(model, &ranker->factors);
        ranker->has_vectors = true;
    }
    if (allowed) {
        PEN_TRY_DONE(PEN_NEW(ctx, ranker->name, model->n_items));
        ranker->n_name = 0;
        for (int32_t i = 0; i < model->n_items; i++)
            if (allowed[i]) ranker->name[ranker->n_name++] = i;
    }
done:
    if (status == PEN_OK) *out = ranker;
    else pen__ranker_close(ranker);
    return status;
}

void pen__ranker_close(pen__ranker *ranker)
{
    if (!ranker) return;
    pen__free(ranker->ctx, ranker->name);
    pen__free(ranker->ctx, ranker);
}

pen_status pen__ranker_run(const pen__ranker *ranker, const pen__ask *ask, pen__answer *answer, int64_t n, int32_t k,
                           pen_error *error)
{
    pen_context *ctx = ranker->ctx;
    int n_workers = pen__workers(ctx);
    if (k > ranker->n_name) k = (int32_t)ranker->n_name;
    run r = {.ranker = ranker, .ask = ask, .answer = answer, .n = n, .n_shards = pen__shards(n, GRAIN), .k = k < 0 ? 0 : k};
    size_questions(&r);
    PEN_TRY(PEN_NEW_ZERO(ctx, r.scratch, n_workers));
    pen_status status = pen__parallel(ctx, r.n_shards, answer_shard, &r, error);
    for (int w = 0; w < n_workers; w++) scratch_free(ctx, &r.scratch[w]);
    pen__free(ctx, r.scratch);
    return status;
}

pen_status pen__rank(const pen_model *model, const pen__ask *ask, pen__answer *answer, int64_t n, int32_t k, const uint8_t *allowed,
                     pen_error *error)
{
    pen__ranker *ranker = NULL;
    PEN_TRY(pen__ranker_open(model, allowed, &ranker, error));
    pen_status status = pen__ranker_run(ranker, ask, answer, n, k, error);
    pen__ranker_close(ranker);
    return status;
}

pen_status pen__score_one(const pen_model *model, const pen__user *user, int32_t item, float *score, pen_error *error)
{
    PEN_CHECK(item >= 0 && item < model->n_items, PEN_E_ARGUMENT, "item %d is not among the model's %d items", item, model->n_items);
    int32_t best;
    pen__ask ask = {.user = *user, .candidate = &item, .n_candidate = 1};
    pen__answer answer = {.item = &best, .score = score};
    return pen__rank(model, &ask, &answer, 1, 1, NULL, error);
}

/* ---- ratings --------------------------------------------------------------------------------------------------------- */

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

pen_status pen__rate(const pen_model *model, const pen__user *user, const int32_t *item, double *rating, int64_t n, pen_error *error)
{
    void *bytes = NULL;
    PEN_TRY(pen__new(model->ctx, &bytes, pen__model_scratch(model), 1, true, error));
    pen_status status = pen__rate_with(model, user, item, rating, n, bytes, error);
    pen__free(model->ctx, bytes);
    return status;
}
