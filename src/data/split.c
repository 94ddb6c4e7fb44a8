/* Splits: which events train, validate and test.
 *
 * One rule serves every family. Events stand in an order (random by counter, or by time), the last of them are test,
 * those before them validation, and the rest training. Shares are floored, a part that was asked for gets at least one
 * event where training keeps one, test before validation: for three shares this is RecBole's rule exactly. Counts are
 * those of positive events; an event that only counts as seen goes with its neighbours in the order, so nothing of the
 * future is seen.
 *
 * Nothing depends on the number of threads: random keys come from (seed, stream, place of the event in the data set).
 */
#include <string.h>

#include "base/progress.h"
#include "base/random.h"
#include "base/thread.h"
#include "data/split_impl.h"

uint64_t pen__split_random_key(const void *arg, int64_t i)
{
    const pen__splitting *s = arg;
    return pen__rand64(s->seed, PEN_STREAM_SPLIT, (uint64_t)s->log->event[i]);
}

uint64_t pen__split_time_key(const void *arg, int64_t i)
{
    const pen__splitting *s = arg;
    return s->log->time ? pen__key_of(s->log->time[i]) : 0;
}

pen_status pen__split_need_times(const pen__splitting *s, pen__take_fn take, const char *why, pen_error *error)
{
    const pen__log *log = s->log;
    if (!log->time || s->protocol->missing_time) return PEN_OK;
    int64_t missing = 0;
    for (int64_t i = 0; i < log->n; i++)
        missing += log->time[i] == PEN_TIME_MISSING && (take ? take(s, i) : s->part[i] == PEN_PART_TRAIN);
    PEN_CHECK(!missing, PEN_E_INPUT,
              "%lld of %lld events have no time, and %s needs their order; pass --missing-time drop, or "
              "--missing-time first (they count as the earliest)",
              (long long)missing, (long long)log->n, why);
    return PEN_OK;
}

void pen__split_tail(const pen__log *log, uint8_t *part, const int64_t *index, int64_t n, int64_t n_valid,
                     int64_t n_test, uint8_t valid_part, uint8_t test_part)
{
    int64_t at = n;
    while (n_test > 0 && at-- > 0) {
        part[index[at]] = test_part;
        n_test -= pen__is_positive(log, index[at]);
    }
    while (n_valid > 0 && at-- > 0) {
        part[index[at]] = valid_part;
        n_valid -= pen__is_positive(log, index[at]);
    }
}

/* ---- by user ---------------------------------------------------------------------------------------------------- */

typedef struct by_user {
    pen__splitting *s;
    const pen__groups_of *groups;
    const int64_t *shard;
} by_user;

static pen_status user_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    const by_user *b = arg;
    for (int64_t u = b->shard[shard]; u < b->shard[shard + 1]; u++) {
        const int64_t *index = b->groups->index + b->groups->begin[u];
        int64_t n = b->groups->begin[u + 1] - b->groups->begin[u], positive = 0, n_valid, n_test;
        for (int64_t i = 0; i < n; i++) positive += pen__is_positive(b->s->log, index[i]);
        pen__split_counts(&b->s->spec, positive, &n_valid, &n_test);
        pen__split_tail(b->s->log, b->s->part, index, n, n_valid, n_test, PEN_PART_VALID, PEN_PART_TEST);
    }
    return PEN_OK;
}

pen_status pen__split_by_user(pen__splitting *s, pen_error *error)
{
    pen__groups_of groups = {0};
    int64_t *shard = NULL, n_shards;
    pen_status status = PEN_OK;
    bool random = s->spec.family == PEN_SPLIT_RATIO;
    if (!random) PEN_TRY(pen__split_need_times(s, NULL, s->text, error));
    /* Parts other than training (PEN_PART_TRAIN is 0) are settled: they are skipped. */
    PEN_TRY_DONE(pen__group(s->log->ctx, s->log->user, s->part, s->log->n, s->log->data->users.n, &groups, error));
    PEN_TRY_DONE(pen__groups_sort(&groups, random ? pen__split_random_key : pen__split_time_key, s, error));
    PEN_TRY_DONE(pen__groups_shards(&groups, 1 << 16, &shard, &n_shards, error));
    by_user b = {s, &groups, shard};
    PEN_TRY_DONE(pen__parallel(s->log->ctx, n_shards, user_shard, &b, error));
done:
    pen__free(s->log->ctx, shard);
    pen__groups_free(&groups);
    return status;
}

/* ---- the parts -------------------------------------------------------------------------------------------------- */

static const char *default_spec(const pen__log *log, int32_t task)
{
    if (log->test_from >= 0) return task == PEN_TASK_RATE ? "ratio-all:0.9" : "ratio:0.9";
    if (!log->time) return "ratio:0.8";
    for (int64_t i = 0; i < log->n; i++)
        if (log->time[i] != PEN_TIME_MISSING) return "ratio-time:0.8";
    return "ratio:0.8";
}

static pen_status run_family(pen__splitting *s, pen_error *error)
{
    switch (s->spec.family) {
    case PEN_SPLIT_RATIO_ALL:
    case PEN_SPLIT_FOLDS: return pen__split_over_all(s, error);
    case PEN_SPLIT_TIME: return pen__split_by_time(s, error);
    case PEN_SPLIT_USERS: return pen__split_users(s, error);
    default: return pen__split_by_user(s, error);
    }
}

/* With a given test the spec speaks of training alone: what it would test becomes validation. */
static pen_status run_given(pen__splitting *s, pen_error *error)
{
    pen__split_spec *spec = &s->spec;
    int whole =
        !spec->one && spec->family <= PEN_SPLIT_RATIO_TIME && !(spec->valid > 0) && !(spec->test > 0); /* ratio:1,0,0 */
    if (whole) return pen__split_given(s, error);
    PEN_CHECK(spec->one && spec->family != PEN_SPLIT_FOLDS && spec->family != PEN_SPLIT_USERS, PEN_E_ARGUMENT,
              "split '%.100s' beside a given test: it says how validation is taken from training, so it takes one "
              "number, as in "
              "ratio:0.9, ratio-all:0.9, ratio-time:0.9, last:1 or time:0.9 (or ratio:1,0,0: none)",
              s->text);
    PEN_TRY(pen__split_given(s, error));
    if (s->log->valid_from >= 0) return PEN_OK;
    spec->one = false;
    spec->valid = spec->test, spec->test = 0;
    spec->n_valid = spec->n_test, spec->n_test = 0;
    spec->valid_from = spec->test_from, spec->test_from = INT64_MAX;
    return run_family(s, error);
}

typedef struct census {
    int64_t events[6], positive[6], users[6], items[6], users_without_test;
} census;

static pen_status count_parts(const pen__log *log, const uint8_t *part, census *c, pen_error *error)
{
    uint8_t *user = NULL, *item = NULL;
    pen_status status = PEN_OK;
    *c = (census){.users_without_test = 0};
    PEN_TRY_DONE(PEN_NEW_ZERO(log->ctx, user, log->data->users.n));
    PEN_TRY_DONE(PEN_NEW_ZERO(log->ctx, item, log->data->items.n));
    for (int64_t i = 0; i < log->n; i++) {
        int p = part[i];
        c->events[p]++;
        c->positive[p] += pen__is_positive(log, i);
        c->users[p] += !(user[log->user[i]] >> p & 1);
        c->items[p] += !(item[log->item[i]] >> p & 1);
        user[log->user[i]] |= (uint8_t)(1 << p);
        item[log->item[i]] |= (uint8_t)(1 << p);
    }
    for (int64_t u = 0; u < log->data->users.n; u++)
        c->users_without_test += (user[u] >> PEN_PART_TRAIN & 1) && !(user[u] >> PEN_PART_TEST & 1);
done:
    pen__free(log->ctx, user);
    pen__free(log->ctx, item);
    return status;
}

static pen_status write_notes(const pen__splitting *s, const census *c, char **notes, pen_error *error)
{
    static const char *const names[] = {"train", "valid", "test", "left_out", "valid_history", "test_history"};
    pen__text text = {.ctx = s->log->ctx};
    pen__text_puts(&text, "{\"split\": ");
    pen__text_json(&text, s->text, strlen(s->text));
    if (s->spec.family == PEN_SPLIT_FOLDS) pen__text_printf(&text, ", \"fold\": %d", s->fold);
    for (int p = 0; p < 6; p++) {
        if (p > PEN_PART_TEST && !c->events[p]) continue;
        pen__text_printf(&text, ", \"%s\": {\"events\": %lld, \"users\": %lld, \"items\": %lld", names[p],
                         (long long)c->events[p], (long long)c->users[p], (long long)c->items[p]);
        if (s->log->positive) pen__text_printf(&text, ", \"positive\": %lld", (long long)c->positive[p]);
        pen__text_puts(&text, "}");
    }
    pen__text_printf(&text, ", \"users_without_test\": %lld", (long long)c->users_without_test);
    if (s->cut_valid != INT64_MIN) pen__text_printf(&text, ", \"valid_from\": %.3f", (double)s->cut_valid / 1000);
    if (s->cut_test != INT64_MIN) pen__text_printf(&text, ", \"test_from\": %.3f", (double)s->cut_test / 1000);
    pen__text_puts(&text, "}");
    if (text.failed) {
        pen__text_free(&text);
        return pen__fail(error, PEN_E_MEMORY, "out of memory for the notes of the split");
    }
    *notes = text.bytes;
    return PEN_OK;
}

/* A part that was promised is not empty: a split that cannot keep its word is refused. Where nothing is tested
 * (training for use), a log too small for validation is trained on as it is. */
static pen_status check_parts(const pen__splitting *s, const census *c, bool test, bool valid, pen_error *error)
{
    const char *few = s->spec.family == PEN_SPLIT_TIME
                          ? "the cut lies outside the log's times, or all its times are the same"
                          : "users have too few events";
    int64_t liked = !s->log->positive;
    for (int64_t i = 0; i < s->log->n && !liked; i++) liked = s->log->positive[i];
    PEN_CHECK(liked, PEN_E_INPUT, "none of %lld events is worth %g or more (--positive): there is nothing to learn",
              (long long)s->log->n, s->protocol->positive);
    PEN_CHECK(c->positive[PEN_PART_TRAIN] > 0 || s->log->test_from < 0, PEN_E_INPUT,
              "no event is left for training: the given test (--test, --valid) holds every pair of the log");
    PEN_CHECK(c->positive[PEN_PART_TRAIN] > 0, PEN_E_INPUT, "split '%.100s' leaves no event for training (of %lld): %s",
              s->text, (long long)s->log->n, few);
    PEN_CHECK(!test || c->positive[PEN_PART_TEST] > 0, PEN_E_INPUT,
              "split '%.100s' leaves no event to test on (of %lld): %s", s->text, (long long)s->log->n, few);
    if (!valid || c->positive[PEN_PART_VALID] > 0) return PEN_OK;
    PEN_CHECK(!test, PEN_E_INPUT, "split '%.100s' leaves no event for validation (of %lld): %s", s->text,
              (long long)s->log->n, few);
    pen__say(s->log->ctx, PEN_LOG_WARNING, "split '%.100s' leaves no event for validation (of %lld): %s", s->text,
             (long long)s->log->n, few);
    return PEN_OK;
}

pen_status pen__split(const pen__log *log, const pen_protocol *protocol, uint64_t seed, int32_t fold, pen__parts *out,
                      pen_error *error)
{
    *out = (pen__parts){.ctx = log->ctx, .n = log->n, .n_folds = 1, .fold = fold};
    pen__splitting s = {
        .log = log, .protocol = protocol, .seed = seed, .fold = fold, .cut_valid = INT64_MIN, .cut_test = INT64_MIN};
    s.text = protocol->split ? protocol->split : default_spec(log, protocol->task);
    pen_status status = PEN_OK;
    census c;
    PEN_TRY_DONE(pen__split_spec_parse(s.text, &s.spec, error));
    if (s.spec.n_folds) out->n_folds = s.spec.n_folds;
    PEN_CHECK_DONE(fold >= 0 && fold < out->n_folds, PEN_E_ARGUMENT, "fold %d of split '%.100s'; it has %d (from 0)",
                   fold, s.text, out->n_folds);
    PEN_TRY_DONE(PEN_NEW_ZERO(log->ctx, out->part, log->n));
    s.part = out->part;
    bool given = log->test_from >= 0;
    bool test = given || s.spec.one || s.spec.dated || s.spec.test > 0 || s.spec.n_test > 0;
    bool valid =
        log->valid_from >= 0 || (!given && !s.spec.one && (s.spec.dated || s.spec.valid > 0 || s.spec.n_valid > 0));
    PEN_TRY_DONE(given ? run_given(&s, error) : run_family(&s, error));
    PEN_TRY_DONE(count_parts(log, out->part, &c, error));
    PEN_TRY_DONE(check_parts(&s, &c, test, valid, error));
    PEN_TRY_DONE(write_notes(&s, &c, &out->notes, error));
done:
    if (status != PEN_OK) pen__parts_free(out);
    return status;
}

pen_status pen__split_folds(const char *text, int32_t *n_folds, pen_error *error)
{
    pen__split_spec spec = {0};
    *n_folds = 1;
    if (text) PEN_TRY(pen__split_spec_parse(text, &spec, error));
    if (spec.n_folds) *n_folds = spec.n_folds;
    return PEN_OK;
}

void pen__parts_free(pen__parts *parts)
{
    if (!parts->ctx) return;
    pen__free(parts->ctx, parts->part);
    pen__free(parts->ctx, parts->notes);
    *parts = (pen__parts){0};
}
