/* Predicting pairs. They are put together by user (a counting sort), so that a user's vector or scores are computed
 * once, whatever the order of the file. Cost: 24 bytes a pair, and a model's work once for each user. */
#include "rank/predict.h"

#include <math.h>

#include "base/thread.h"
#include "rank/catalogue.h"
#include "rank/rank.h"

enum { GRAIN = 8 };

void pen__pairs_free(pen__pairs *pairs)
{
    if (!pairs->ctx) return;
    pen__free(pairs->ctx, pairs->item);
    pen__free(pairs->ctx, pairs->user);
    pen__free(pairs->ctx, pairs->begin);
    pen__free(pairs->ctx, pairs->pair);
    pen__free(pairs->ctx, pairs->value);
    *pairs = (pen__pairs){0};
}

/* The model's number of each id of the data set. */
static pen_status numbers(pen_context *ctx, const pen__strings *from, const pen__strings *to, int32_t **out,
                          pen_error *error)
{
    PEN_TRY(PEN_NEW(ctx, *out, from->n));
    for (int64_t i = 0; i < from->n; i++) (*out)[i] = pen__strings_find(to, pen__strings_at(from, i));
    return PEN_OK;
}

/* Counting sort by user; row n_users of the model stands for the unknown. Empty rows are left out of user and begin. */
static pen_status group(const pen_model *model, const pen_dataset *d, const int32_t *user_of, pen__pairs *out,
                        pen_error *error)
{
    int64_t *at, kept = 0, rows = (int64_t)model->n_users + 1;
    PEN_TRY(PEN_NEW_ZERO(out->ctx, at, rows + 1));
    for (int64_t i = 0; i < d->n_events; i++)
        at[(user_of[d->user[i]] < 0 ? model->n_users : user_of[d->user[i]]) + 1]++;
    for (int64_t u = 0; u < rows; u++) at[u + 1] += at[u];
    for (int64_t u = 0; u < rows; u++)
        if (at[u + 1] > at[u]) {
            out->user[kept] = u < model->n_users ? (int32_t)u : -1;
            out->begin[kept++] = at[u];
        }
    out->begin[kept] = d->n_events;
    out->n_users = kept;
    for (int64_t i = 0; i < d->n_events; i++) {
        int32_t u = user_of[d->user[i]];
        out->pair[at[u < 0 ? model->n_users : u]++] = i;
    }
    pen__free(out->ctx, at);
    return PEN_OK;
}

pen_status pen__pairs_of(const pen_model *model, const pen_dataset *d, pen__pairs *out, pen_error *error)
{
    pen_context *ctx = model->ctx;
    pen_status status = PEN_OK;
    int32_t *user_of = NULL, *item_of = NULL;
    int64_t most = d->n_events < (int64_t)model->n_users + 1 ? d->n_events : (int64_t)model->n_users + 1;
    *out = (pen__pairs){.ctx = ctx, .n = d->n_events};
    PEN_TRY_DONE(numbers(ctx, &d->users, &model->catalogue->users, &user_of, error));
    PEN_TRY_DONE(numbers(ctx, &d->items, &model->catalogue->items, &item_of, error));
    PEN_TRY_DONE(PEN_NEW(ctx, out->item, out->n));
    PEN_TRY_DONE(PEN_NEW(ctx, out->pair, out->n));
    PEN_TRY_DONE(PEN_NEW(ctx, out->value, out->n));
    PEN_TRY_DONE(PEN_NEW(ctx, out->user, most));
    PEN_TRY_DONE(PEN_NEW(ctx, out->begin, most + 1));
    for (int64_t i = 0; i < out->n; i++) out->item[i] = item_of[d->item[i]];
    PEN_TRY_DONE(group(model, d, user_of, out, error));
done:
    pen__free(ctx, user_of);
    pen__free(ctx, item_of);
    if (status != PEN_OK) pen__pairs_free(out);
    return status;
}

typedef struct job {
    const pen_model *model;
    const pen__ranker *ranker; /* NULL: the model rates */
    pen__pairs *pairs;
} job;

/* Scores of a user's pairs: as candidates of a ranking, found again by their number. */
static pen_status score_pairs(const job *j, const pen__user *user, const int64_t *pair, int64_t n, pen_error *error)
{
    pen_context *ctx = j->model->ctx;
    pen_status status = PEN_OK;
    int32_t *wanted = NULL, *item = NULL;
    float *score = NULL, *all = NULL;
    PEN_TRY_DONE(PEN_NEW(ctx, wanted, n));
    PEN_TRY_DONE(PEN_NEW(ctx, item, n));
    PEN_TRY_DONE(PEN_NEW(ctx, score, n));
    PEN_TRY_DONE(PEN_NEW(ctx, all, j->model->n_items));
    for (int64_t i = 0; i < n; i++) wanted[i] = j->pairs->item[pair[i]];
    pen__ask ask = {.user = *user, .candidate = wanted, .n_candidate = n};
    pen__answer answer = {.item = item, .score = score};
    PEN_TRY_DONE(pen__ranker_run(j->ranker, &ask, &answer, 1, (int32_t)n, error));
    for (int32_t i = 0; i < answer.n; i++) all[item[i]] = score[i];
    for (int64_t i = 0; i < n; i++) j->pairs->value[pair[i]] = wanted[i] < 0 ? (double)NAN : (double)all[wanted[i]];
done:
    pen__free(ctx, wanted);
    pen__free(ctx, item);
    pen__free(ctx, score);
    pen__free(ctx, all);
    return status;
}

static pen_status rate_pairs(const job *j, const pen__user *user, const int64_t *pair, int64_t n, pen_error *error)
{
    pen_context *ctx = j->model->ctx;
    pen_status status = PEN_OK;
    void *scratch = NULL;
    PEN_TRY_DONE(pen__new(ctx, &scratch, pen__model_scratch(j->model), 1, true, error));
    for (int64_t i = 0; i < n; i++)
        PEN_TRY_DONE(
            pen__rate_with(j->model, user, &j->pairs->item[pair[i]], &j->pairs->value[pair[i]], 1, scratch, error));
done:
    pen__free(ctx, scratch);
    return status;
}

static pen_status predict_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker;
    const job *j = arg;
    const pen__pairs *p = j->pairs;
    int64_t n_shards = pen__shards(p->n_users, GRAIN);
    int64_t begin = pen__shard_begin(p->n_users, n_shards, shard),
            end = pen__shard_begin(p->n_users, n_shards, shard + 1);
    for (int64_t u = begin; u < end; u++) {
        pen__user user = pen__catalogue_user(j->model->catalogue, p->user[u]);
        const int64_t *pair = p->pair + p->begin[u];
        int64_t n = p->begin[u + 1] - p->begin[u];
        PEN_CHECK(n <= INT32_MAX, PEN_E_LIMIT, "one user has %lld pairs", (long long)n);
        PEN_TRY(j->ranker ? score_pairs(j, &user, pair, n, error) : rate_pairs(j, &user, pair, n, error));
    }
    return PEN_OK;
}

pen_status pen__pairs_predict(const pen_model *model, pen__pairs *pairs, pen_error *error)
{
    job j = {.model = model, .pairs = pairs};
    if (model->task != PEN_TASK_RATE || !model->class->rate) PEN_TRY(pen__model_ranker(model, &j.ranker, error));
    return pen__parallel(model->ctx, pen__shards(pairs->n_users, GRAIN), predict_shard, &j, error);
}
