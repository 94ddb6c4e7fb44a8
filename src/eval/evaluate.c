/* Evaluation: cases are ranked (or rated) in chunks; of a chunk's lists only each case's values and the counts of how
 * often items were shown are kept. Cases of a chunk are measured in parallel, each by itself; sums over cases run in
 * their order.
 *
 * Memory: a list, the excluded items and the targets of a few thousand cases, and n_metrics doubles for each case.
 */
#include "eval/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/progress.h"
#include "base/thread.h"
#include "eval/categories.h"
#include "eval/metrics.h"
#include "eval/statistics.h"

enum { CHUNK = 8192, CHUNK_LISTS = 1 << 22, GRAIN = 64 };

typedef struct scratch {
    int64_t *target; /* item << 32 | entry, of the case with the most targets */
    int32_t *place;  /* as many */
    double *share;   /* calibration, 2 x n_words */
    double *rating;  /* as many as targets */
    void *model;
    bool ready;
} scratch;

typedef struct evaluation {
    const pen_model *model; /* NULL for given lists */
    const pen__cases *cases;
    const pen__train *train;
    pen__scores *out;
    int32_t list_length; /* the largest cutoff */
    bool want_places;    /* some metric asks beyond it */
    pen__categories categories;
    float *information;              /* n_items, bits; NULL where not asked */
    int64_t *shown[PEN_MAX_METRICS]; /* n_items, of coverage and Gini */
    int64_t lists[PEN_MAX_METRICS];
    int64_t most_targets;
    scratch *scratch;
    /* the chunk */
    int64_t begin, n, n_shards;
    pen__ask *ask;
    pen__answer *answer;
    int32_t *item, *exclude;
    float *score;
    int64_t *place;
} evaluation;

static int64_t row_length(const pen__rows *rows, int64_t r) { return rows->begin[r + 1] - rows->begin[r]; }

/* ---- one case ---------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int by_place(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* The case's known targets, sorted by item, each once; entries of repeats get the place -1. Returns their number. */
static int64_t distinct_targets(const pen__rows *targets, int64_t c, int64_t *target, int32_t *place, int64_t *unknown)
{
    int64_t begin = targets->begin[c], n = row_length(targets, c), kept = 0;
    *unknown = 0;
    for (int64_t t = 0; t < n; t++) {
        int32_t item = targets->column[begin + t];
        place[t] = 0;
        if (item < 0)
            ++*unknown;
        else
            target[kept++] = (int64_t)item << 32 | t;
    }
    qsort(target, (size_t)kept, sizeof *target, by_value);
    int64_t distinct = 0;
    for (int64_t i = 0; i < kept; i++) {
        if (distinct && target[distinct - 1] >> 32 == target[i] >> 32)
            place[target[i] & 0xFFFFFFFF] = -1;
        else
            target[distinct++] = target[i];
    }
    return distinct;
}

/* The places that a list gives to targets (sorted); a repeated item counts where it stands first. */
static void places_in_list(const int64_t *target, int64_t n_target, const int32_t *list, int64_t n, int32_t *place)
{
    for (int64_t j = 0; j < n; j++) {
        int64_t low = 0, high = n_target;
        while (low < high) {
            int64_t middle = low + (high - low) / 2;
            if (target[middle] >> 32 < list[j])
                low = middle + 1;
            else
                high = middle;
        }
        if (low == n_target || target[low] >> 32 != list[j]) continue;
        int32_t *at = &place[target[low] & 0xFFFFFFFF];
        if (*at == 0) *at = (int32_t)(j + 1);
    }
}

static double information_of(const evaluation *ev, const int32_t *list, int64_t n)
{
    double sum = 0;
    for (int64_t j = 0; j < n; j++) sum += (double)ev->information[list[j]];
    return n ? sum / (double)n : NAN;
}

static double list_metric(const evaluation *ev, const pen__metric *metric, int64_t c, const int32_t *list, int64_t n,
                          scratch *s)
{
    const pen__rows *history = pen__liked_of(&ev->cases->liked, &ev->cases->history);
    if (n > metric->cutoff) n = metric->cutoff;
    switch (metric->kind) {
    case PEN_METRIC_NOVELTY: return information_of(ev, list, n);
    case PEN_METRIC_DIVERSITY: return ev->categories.column ? pen__diversity(&ev->categories, list, n) : NAN;
    case PEN_METRIC_CALIBRATION:
        return ev->categories.column ? pen__calibration(&ev->categories, history->column + history->begin[c],
                                                        row_length(history, c), list, n, s->share)
                                     : NAN;
    default: return NAN;
    }
}

/* Values of case c from its list, and from `given` places of its targets where there are any. */
static void measure(const evaluation *ev, int64_t c, const int32_t *list, int64_t n, const int64_t *given,
                    int64_t n_ranked, scratch *s)
{
    pen__scores *out = ev->out;
    const pen__rows *targets = &ev->cases->target;
    int64_t n_entries = row_length(targets, c), unknown;
    int32_t *place = out->place + targets->begin[c];
    int64_t n_target = distinct_targets(targets, c, s->target, place, &unknown);
    if (!given) places_in_list(s->target, n_target, list, n, place);
    for (int64_t t = 0; given && t < n_entries; t++)
        if (place[t] == 0) place[t] = (int32_t)given[t];
    pen__places places = {.place = s->place, .n_targets = n_target + unknown, .n_ranked = n_ranked};
    for (int64_t t = 0; t < n_entries; t++)
        if (place[t] > 0) s->place[places.n++] = place[t];
    qsort(s->place, (size_t)places.n, sizeof *s->place, by_place);
    out->weight[c] = (double)places.n_targets;
    for (int32_t m = 0; m < out->n_metrics; m++) {
        const pen__metric *metric = &out->metric[m];
        bool of_places = pen__metric_needs(metric->kind) == PEN_NEEDS_PLACES;
        out->value[m * out->n_cases + c] =
            of_places ? pen__metric_of_places(metric, &places) : list_metric(ev, metric, c, list, n, s);
    }
}

/* ---- scratch and sums -------------------------------------------------------------------------------------------- */

static void scratch_free(pen_context *ctx, scratch *s)
{
    pen__free(ctx, s->target);
    pen__free(ctx, s->place);
    pen__free(ctx, s->share);
    pen__free(ctx, s->rating);
    pen__free(ctx, s->model);
    *s = (scratch){0};
}

static pen_status scratch_ready(const evaluation *ev, scratch *s, pen_error *error)
{
    pen_context *ctx = ev->out->ctx;
    if (s->ready) return PEN_OK;
    scratch_free(ctx, s); /* what an earlier shard may have left when memory ran out */
    PEN_TRY(PEN_NEW(ctx, s->target, ev->most_targets));
    PEN_TRY(PEN_NEW(ctx, s->place, ev->most_targets));
    PEN_TRY(PEN_NEW(ctx, s->rating, ev->most_targets));
    PEN_TRY(PEN_NEW(ctx, s->share, 2 * ev->categories.n_words));
    PEN_TRY(pen__new(ctx, &s->model, ev->model ? pen__model_scratch(ev->model) : 0, 1, true, error));
    s->ready = true;
    return PEN_OK;
}

/* How often items were shown, for coverage and Gini. */
static void count_shown(evaluation *ev, const int32_t *list, int64_t n)
{
    for (int32_t m = 0; m < ev->out->n_metrics; m++) {
        if (!ev->shown[m]) continue;
        int64_t k = n < ev->out->metric[m].cutoff ? n : ev->out->metric[m].cutoff;
        for (int64_t j = 0; j < k; j++)
            if (list[j] >= 0) ev->shown[m][list[j]]++;
        ev->lists[m]++;
    }
}

static double whole_of_lists(const evaluation *ev, int32_t m)
{
    int64_t n = ev->train->n_items, some = 0;
    if (ev->out->metric[m].kind == PEN_METRIC_GINI) return pen__gini(ev->shown[m], n);
    for (int64_t i = 0; i < n; i++) some += ev->shown[m][i] > 0;
    return n ? (double)some / (double)n : NAN;
}

static void sum_up(evaluation *ev)
{
    pen__scores *out = ev->out;
    pen__scores_sum(out);
    for (int32_t m = 0; m < out->n_metrics; m++) {
        if (!ev->shown[m]) continue;
        out->whole[m] = whole_of_lists(ev, m);
        out->count[m] = ev->lists[m];
    }
}

/* ---- set-up ------------------------------------------------------------------------------------------------------ */

static pen_status list_information(evaluation *ev, pen_error *error)
{
    const pen__train *train = ev->train;
    PEN_TRY(PEN_NEW(ev->out->ctx, ev->information, train->n_items));
    for (int32_t i = 0; i < train->n_items; i++) {
        int64_t users = row_length(&train->by_item, i);
        ev->information[i] = log2f((float)train->n_users / (float)(users ? users : 1));
    }
    return PEN_OK;
}

static pen_status prepare_metric(evaluation *ev, int32_t m, pen_error *error)
{
    const pen__metric *metric = &ev->out->metric[m];
    int32_t needs = pen__metric_needs(metric->kind);
    bool categories = metric->kind == PEN_METRIC_DIVERSITY || metric->kind == PEN_METRIC_CALIBRATION;
    if (needs == PEN_NEEDS_PLACES && !metric->cutoff) ev->want_places = true;
    if (metric->cutoff > ev->list_length) ev->list_length = metric->cutoff;
    if (needs != PEN_NEEDS_LIST && needs != PEN_NEEDS_LISTS) return PEN_OK;
    PEN_CHECK(ev->train, PEN_E_UNSUPPORTED, "the metric '%s' needs what was trained on (--train FILE)", metric->name);
    if (needs == PEN_NEEDS_LISTS) return PEN_NEW_ZERO(ev->out->ctx, ev->shown[m], ev->train->n_items);
    if (categories && !ev->categories.column) {
        ev->categories = pen__categories_of(ev->train);
        if (!ev->categories.column)
            pen__say(ev->out->ctx, PEN_LOG_WARNING, "%s has no value: the item table has no column of categories",
                     metric->name);
    }
    if (metric->kind == PEN_METRIC_NOVELTY && !ev->information) return list_information(ev, error);
    return PEN_OK;
}

static pen_status evaluation_begin(evaluation *ev, const pen__metric *metric, int32_t n_metrics, int32_t task,
                                   pen_error *error)
{
    pen__scores *out = ev->out;
    const pen__cases *cases = ev->cases;
    pen_context *ctx = cases->ctx;
    *out = (pen__scores){
        .ctx = ctx, .n_metrics = n_metrics, .n_cases = cases->n, .sampled = cases->candidate.begin != NULL};
    memcpy(out->metric, metric, (size_t)n_metrics * sizeof *metric);
    PEN_TRY(PEN_NEW(ctx, out->value, n_metrics * cases->n));
    PEN_TRY(PEN_NEW_ZERO(ctx, out->weight, cases->n));
    int64_t n_targets = cases->n ? cases->target.begin[cases->n] : 0;
    if (task == PEN_TASK_RANK)
        PEN_TRY(PEN_NEW_ZERO(ctx, out->place, n_targets));
    else
        PEN_TRY(PEN_NEW_ZERO(ctx, out->rating, n_targets));
    for (int64_t c = 0; c < cases->n; c++)
        if (row_length(&cases->target, c) > ev->most_targets) ev->most_targets = row_length(&cases->target, c);
    for (int32_t m = 0; m < n_metrics; m++) PEN_TRY(prepare_metric(ev, m, error));
    return PEN_NEW_ZERO(ctx, ev->scratch, pen__workers(ctx));
}

static void evaluation_end(evaluation *ev)
{
    pen_context *ctx = ev->out->ctx;
    for (int w = 0; ev->scratch && w < pen__workers(ctx); w++) scratch_free(ctx, &ev->scratch[w]);
    for (int32_t m = 0; m < PEN_MAX_METRICS; m++) pen__free(ctx, ev->shown[m]);
    pen__free(ctx, ev->scratch);
    pen__free(ctx, ev->information);
    pen__free(ctx, ev->ask);
    pen__free(ctx, ev->answer);
    pen__free(ctx, ev->item);
    pen__free(ctx, ev->exclude);
    pen__free(ctx, ev->score);
    pen__free(ctx, ev->place);
}

/* ---- ranking ----------------------------------------------------------------------------------------------------- */

static uint64_t tie_key_of(const pen__train *train, int32_t data_user)
{
    if (!train->data || data_user < 0) return pen__mix64((uint64_t)(uint32_t)data_user);
    pen__span id = pen__strings_at(&train->data->users, data_user);
    return pen__tie_key(id.text, id.length);
}

static pen__user user_of(const pen__cases *cases, int64_t c)
{
    const pen__rows *history = pen__liked_of(&cases->liked, &cases->history);
    int64_t begin = history->begin[c];
    return (pen__user){.number = cases->user[c],
                       .n = row_length(history, c),
                       .item = history->column + begin,
                       .value = history->value ? history->value + begin : NULL,
                       .time = history->time ? history->time + begin : NULL};
}

static void ask_case(evaluation *ev, int64_t i, int64_t c)
{
    const pen__cases *cases = ev->cases;
    const pen__rows *history = &cases->history, *target = &cases->target;
    pen__ask *ask = &ev->ask[i];
    *ask = (pen__ask){.user = user_of(cases, c),
                      .tie_key = tie_key_of(ev->train, cases->data_user[c]),
                      .target = target->column + target->begin[c],
                      .n_target = row_length(target, c)};
    if (!cases->keep_seen) {
        int32_t *seen = ev->exclude + (history->begin[c] - history->begin[ev->begin]);
        int64_t n = row_length(history, c);
        memcpy(seen, history->column + history->begin[c], (size_t)n * sizeof *seen);
        ask->n_exclude = pen__items_sort_unique(seen, n);
        ask->exclude = seen;
    }
    if (cases->candidate.begin) {
        ask->candidate = cases->candidate.column + cases->candidate.begin[c];
        ask->n_candidate = row_length(&cases->candidate, c);
    }
    ev->answer[i] = (pen__answer){.item = ev->item + i * ev->list_length, .score = ev->score + i * ev->list_length};
    if (ev->want_places) ev->answer[i].place = ev->place + (target->begin[c] - target->begin[ev->begin]);
}

static pen_status ask_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    evaluation *ev = arg;
    (void)worker, (void)error;
    int64_t begin = pen__shard_begin(ev->n, ev->n_shards, shard),
            end = pen__shard_begin(ev->n, ev->n_shards, shard + 1);
    for (int64_t i = begin; i < end; i++) ask_case(ev, i, ev->begin + i);
    return PEN_OK;
}

static pen_status measure_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    evaluation *ev = arg;
    scratch *s = &ev->scratch[worker];
    PEN_TRY(scratch_ready(ev, s, error));
    int64_t begin = pen__shard_begin(ev->n, ev->n_shards, shard),
            end = pen__shard_begin(ev->n, ev->n_shards, shard + 1);
    for (int64_t i = begin; i < end; i++) {
        const pen__answer *answer = &ev->answer[i];
        measure(ev, ev->begin + i, answer->item, answer->n, answer->place, answer->n_ranked, s);
    }
    return PEN_OK;
}

/* Buffers for chunks of `chunk` cases. */
static pen_status chunk_buffers(evaluation *ev, int64_t chunk, pen_error *error)
{
    const pen__cases *cases = ev->cases;
    pen_context *ctx = cases->ctx;
    int64_t most_seen = 0, most_targets = 0;
    for (int64_t begin = 0; begin < cases->n; begin += chunk) {
        int64_t end = begin + chunk < cases->n ? begin + chunk : cases->n;
        int64_t seen = cases->history.begin[end] - cases->history.begin[begin];
        int64_t targets = cases->target.begin[end] - cases->target.begin[begin];
        if (seen > most_seen) most_seen = seen;
        if (targets > most_targets) most_targets = targets;
    }
    PEN_TRY(PEN_NEW(ctx, ev->ask, chunk));
    PEN_TRY(PEN_NEW(ctx, ev->answer, chunk));
    PEN_TRY(PEN_NEW(ctx, ev->item, chunk * ev->list_length));
    PEN_TRY(PEN_NEW(ctx, ev->score, chunk * ev->list_length));
    if (!cases->keep_seen) PEN_TRY(PEN_NEW(ctx, ev->exclude, most_seen));
    if (ev->want_places) PEN_TRY(PEN_NEW(ctx, ev->place, most_targets));
    return PEN_OK;
}

static pen_status rank_chunk(evaluation *ev, const pen__ranker *ranker, pen_error *error)
{
    pen_context *ctx = ev->cases->ctx;
    ev->n_shards = pen__shards(ev->n, GRAIN);
    PEN_TRY(pen__parallel(ctx, ev->n_shards, ask_shard, ev, error));
    PEN_TRY(pen__ranker_run(ranker, ev->ask, ev->answer, ev->n, ev->list_length, error));
    PEN_TRY(pen__parallel(ctx, ev->n_shards, measure_shard, ev, error));
    for (int64_t i = 0; i < ev->n; i++) count_shown(ev, ev->answer[i].item, ev->answer[i].n);
    return PEN_OK;
}

static pen_status rank_cases(evaluation *ev, pen_error *error)
{
    const pen__cases *cases = ev->cases;
    if (ev->list_length > ev->model->n_items) ev->list_length = ev->model->n_items;
    int64_t chunk = ev->list_length ? CHUNK_LISTS / ev->list_length : CHUNK;
    chunk = chunk < GRAIN ? GRAIN : chunk > CHUNK ? CHUNK : chunk;
    if (chunk > cases->n) chunk = cases->n;
    PEN_TRY(chunk_buffers(ev, chunk ? chunk : 1, error));
    pen__ranker *ranker = NULL;
    PEN_TRY(pen__ranker_open(ev->model, NULL, &ranker, error));
    pen_status status = PEN_OK;
    pen__meter meter = pen__meter_begin(cases->ctx, "evaluate", "users", cases->n);
    for (ev->begin = 0; ev->begin < cases->n; ev->begin += chunk) {
        ev->n = cases->n - ev->begin < chunk ? cases->n - ev->begin : chunk;
        PEN_TRY_DONE(rank_chunk(ev, ranker, error));
        PEN_TRY_DONE(pen__meter_tick(&meter, ev->begin + ev->n, error));
    }
    pen__meter_end(&meter, cases->n);
done:
    pen__ranker_close(ranker);
    return status;
}

/* ---- rating ------------------------------------------------------------------------------------------------------ */

static void measure_ratings(const evaluation *ev, int64_t c, const double *rating, const float *truth, int64_t n)
{
    pen__scores *out = ev->out;
    double squared = 0, absolute = 0;
    for (int64_t t = 0; t < n; t++) {
        double miss = rating[t] - (double)truth[t];
        squared += miss * miss;
        absolute += fabs(miss);
    }
    out->weight[c] = (double)n;
    for (int64_t t = 0; t < n; t++) out->rating[ev->cases->target.begin[c] + t] = (float)rating[t];
    for (int32_t m = 0; m < out->n_metrics; m++) {
        double sum = out->metric[m].kind == PEN_METRIC_RMSE ? squared : absolute;
        out->value[m * out->n_cases + c] = n ? sum / (double)n : NAN;
    }
}

static pen_status rate_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    evaluation *ev = arg;
    scratch *s = &ev->scratch[worker];
    PEN_TRY(scratch_ready(ev, s, error));
    const pen__rows *target = &ev->cases->target;
    int64_t begin = pen__shard_begin(ev->n, ev->n_shards, shard),
            end = pen__shard_begin(ev->n, ev->n_shards, shard + 1);
    for (int64_t c = ev->begin + begin; c < ev->begin + end; c++) {
        int64_t at = target->begin[c], n = row_length(target, c);
        pen__user user = user_of(ev->cases, c);
        PEN_TRY(pen__rate_with(ev->model, &user, target->column + at, s->rating, n, s->model, error));
        measure_ratings(ev, c, s->rating, target->value + at, n);
    }
    return PEN_OK;
}

static pen_status rate_cases(evaluation *ev, pen_error *error)
{
    const pen__cases *cases = ev->cases;
    pen__meter meter = pen__meter_begin(cases->ctx, "evaluate", "users", cases->n);
    for (ev->begin = 0; ev->begin < cases->n; ev->begin += CHUNK) {
        ev->n = cases->n - ev->begin < CHUNK ? cases->n - ev->begin : CHUNK;
        ev->n_shards = pen__shards(ev->n, GRAIN);
        PEN_TRY(pen__parallel(cases->ctx, ev->n_shards, rate_shard, ev, error));
        PEN_TRY(pen__meter_tick(&meter, ev->begin + ev->n, error));
    }
    pen__meter_end(&meter, cases->n);
    return PEN_OK;
}

/* ---- the two ways in --------------------------------------------------------------------------------------------- */

static pen_status evaluation_finish(evaluation *ev, pen_status status, int32_t bootstrap, uint64_t seed, double began,
                                    pen_error *error)
{
    pen__scores *out = ev->out;
    if (status == PEN_OK) {
        sum_up(ev);
        status = pen__intervals(out, bootstrap, seed, error);
        out->seconds = pen__now() - began;
    }
    evaluation_end(ev);
    if (status != PEN_OK) pen__scores_free(out);
    return status;
}

pen_status pen__evaluate(const pen_model *model, const pen__cases *cases, const pen__train *train,
                         const pen__metric *metric, int32_t n_metrics, int32_t task, int32_t bootstrap, uint64_t seed,
                         pen__scores *out, pen_error *error)
{
    double began = pen__now();
    evaluation ev = {.model = model, .cases = cases, .train = train, .out = out};
    pen_status status = evaluation_begin(&ev, metric, n_metrics, task, error);
    if (status == PEN_OK) status = task == PEN_TASK_RATE ? rate_cases(&ev, error) : rank_cases(&ev, error);
    return evaluation_finish(&ev, status, bootstrap, seed, began, error);
}

typedef struct list_job {
    evaluation *ev;
    const pen__rows *list;
} list_job;

static pen_status list_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    const list_job *job = arg;
    evaluation *ev = job->ev;
    scratch *s = &ev->scratch[worker];
    PEN_TRY(scratch_ready(ev, s, error));
    int64_t begin = pen__shard_begin(ev->n, ev->n_shards, shard),
            end = pen__shard_begin(ev->n, ev->n_shards, shard + 1);
    for (int64_t c = begin; c < end; c++)
        measure(ev, c, job->list->column + job->list->begin[c], row_length(job->list, c), NULL, 0, s);
    return PEN_OK;
}

static pen_status measure_lists(evaluation *ev, const pen__rows *list, pen_error *error)
{
    PEN_CHECK(list->n_rows == ev->cases->n, PEN_E_ARGUMENT, "%lld lists for %lld cases", (long long)list->n_rows,
              (long long)ev->cases->n);
    for (int32_t m = 0; m < ev->out->n_metrics; m++) {
        int32_t kind = ev->out->metric[m].kind;
        PEN_CHECK(kind != PEN_METRIC_AUC, PEN_E_UNSUPPORTED,
                  "auc needs the places of all items, which lists do not tell");
        PEN_CHECK(pen__metric_needs(kind) != PEN_NEEDS_RATINGS, PEN_E_UNSUPPORTED, "%s does not measure lists",
                  ev->out->metric[m].name);
    }
    ev->n = ev->cases->n;
    ev->n_shards = pen__shards(ev->n, GRAIN);
    list_job job = {ev, list};
    PEN_TRY(pen__parallel(ev->cases->ctx, ev->n_shards, list_shard, &job, error));
    for (int64_t c = 0; c < ev->n; c++) count_shown(ev, list->column + list->begin[c], row_length(list, c));
    return PEN_OK;
}

pen_status pen__evaluate_lists(const pen__rows *list, const pen__cases *cases, const pen__train *train,
                               const pen__metric *metric, int32_t n_metrics, int32_t bootstrap, uint64_t seed,
                               pen__scores *out, pen_error *error)
{
    double began = pen__now();
    evaluation ev = {.cases = cases, .train = train, .out = out};
    pen_status status = evaluation_begin(&ev, metric, n_metrics, PEN_TASK_RANK, error);
    if (status == PEN_OK) status = measure_lists(&ev, list, error);
    return evaluation_finish(&ev, status, bootstrap, seed, began, error);
}

void pen__scores_free(pen__scores *scores)
{
    if (!scores || !scores->ctx) return;
    pen__free(scores->ctx, scores->value);
    pen__free(scores->ctx, scores->weight);
    pen__free(scores->ctx, scores->place);
    pen__free(scores->ctx, scores->rating);
    scores->value = scores->weight = NULL;
    scores->place = NULL;
    scores->rating = NULL;
}
