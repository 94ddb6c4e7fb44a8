/* Whom to test, with what history: the cases of a part, over training's numbers.
 *
 * The events of users who are asked about are grouped by user, in order of time, and what the walk needs of them (item,
 * history or target) is laid beside the order. One walk over each user's events finds targets and history; it runs
 * twice, to count and to fill, in parallel over users. A target whose pair the user had before is dropped (unless seen
 * items are kept), one that training lacks is a miss (-1) or dropped. A stamp per item and worker tells what was seen:
 * O(events of the users tested).
 */
#include "data/cases_impl.h"

#include <string.h>

#include "base/random.h"
#include "base/thread.h"

typedef struct counted {
    int64_t unknown, seen, target_events;
} counted;

typedef struct casing {
    const pen__log *log;
    const pen__parts *parts;
    const pen__train *train;
    const pen_protocol *protocol;
    pen__cases *cases;
    pen__groups_of by_user; /* history and targets of users with a target, by data user, in order of time */
    int32_t *item;          /* beside by_user.index: the data set's item */
    uint8_t *kind;          /* beside by_user.index: HISTORY, TARGET */
    int part;
    unsigned history_mask;
    int32_t *case_user;            /* data users with a target */
    int64_t *n_target, *n_history; /* per data user */
    counted *counted;              /* per shard of the counting */
    int32_t **stamp;               /* per worker: 2 x data items: the last user who had it, who was asked for it */
    const int64_t *shard;
} casing;

enum { HISTORY = 1, TARGET = 2 };

/* A walk over one user's events: counts, and fills the case where there is one. */
typedef struct stroll {
    const casing *c;
    int32_t user, *seen, *asked;
    int64_t case_number; /* -1: count only */
    int64_t n_target, n_history;
    counted counts;
} stroll;

static void walk_history(stroll *w)
{
    const casing *c = w->c;
    pen__rows *to = &c->cases->history;
    for (int64_t at = c->by_user.begin[w->user]; at < c->by_user.begin[w->user + 1]; at++) {
        if (c->kind[at] != HISTORY) continue;
        w->seen[c->item[at]] = w->user + 1;
        int32_t item = c->train->item_number[c->item[at]];
        if (item < 0) continue;
        if (w->case_number >= 0) {
            int64_t i = c->by_user.index[at], place = to->begin[w->case_number] + w->n_history;
            to->column[place] = item;
            to->value[place] = pen__log_liking(c->log, i);
            if (to->time) to->time[place] = c->log->time[i];
        }
        w->n_history++;
    }
}

static void walk_targets(stroll *w)
{
    const casing *c = w->c;
    pen__rows *to = &c->cases->target;
    bool rank = c->train->task != PEN_TASK_RATE;
    for (int64_t at = c->by_user.begin[w->user]; at < c->by_user.begin[w->user + 1]; at++) {
        if (c->kind[at] != TARGET) continue;
        w->counts.target_events++;
        if (w->seen[c->item[at]] == w->user + 1 && !c->protocol->keep_seen) {
            w->counts.seen++;
            continue;
        }
        int32_t item = c->train->item_number[c->item[at]];
        w->counts.unknown += item < 0;
        bool taught = item >= 0 && item < pen__train_taught_items(c->train);
        if (!taught && c->protocol->drop_unknown_items) continue;
        if (rank && w->asked[c->item[at]] == w->user + 1) continue; /* asked for once */
        w->asked[c->item[at]] = w->user + 1;
        if (w->case_number >= 0) {
            to->column[to->begin[w->case_number] + w->n_target] = item;
            to->value[to->begin[w->case_number] + w->n_target] = c->log->value[c->by_user.index[at]];
        }
        w->n_target++;
    }
}

static void walk(stroll *w, int worker)
{
    w->seen = w->c->stamp[worker];
    w->asked = w->seen + w->c->log->data->items.n;
    walk_history(w);
    walk_targets(w);
}

static pen_status count_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)error;
    const casing *c = arg;
    counted *total = &c->counted[shard];
    for (int64_t u = c->shard[shard]; u < c->shard[shard + 1]; u++) {
        stroll w = {.c = c, .user = (int32_t)u, .case_number = -1};
        if (c->by_user.begin[u] < c->by_user.begin[u + 1]) walk(&w, worker);
        c->n_target[u] = w.n_target;
        c->n_history[u] = w.n_history;
        total->unknown += w.counts.unknown;
        total->seen += w.counts.seen;
        total->target_events += w.counts.target_events;
    }
    return PEN_OK;
}

enum { CASES_A_SHARD = 512 };

static pen_status fill_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)error;
    const casing *c = arg;
    int64_t end = (shard + 1) * CASES_A_SHARD < c->cases->n ? (shard + 1) * CASES_A_SHARD : c->cases->n;
    for (int64_t k = shard * CASES_A_SHARD; k < end; k++) {
        stroll w = {.c = c, .user = c->cases->data_user[k], .case_number = k};
        walk(&w, worker);
    }
    return PEN_OK;
}

/* Stamps of the counting walk would be taken for those of the filling one. */
static void clear_stamps(const casing *c)
{
    for (int w = 0; w < pen__workers(c->log->ctx); w++)
        if (c->log->data->items.n) memset(c->stamp[w], 0, 2 * (size_t)c->log->data->items.n * sizeof **c->stamp);
}

static uint64_t lot(const void *arg, int64_t k)
{
    const casing *c = arg;
    return pen__rand64(c->protocol->seed, PEN_STREAM_TEST_USERS, (uint64_t)c->case_user[k]);
}

/* --test-users: of n users with a target, those with the least lots; in the order that they had. */
static pen_status draw_users(casing *c, int64_t *n, pen_error *error)
{
    int64_t wanted = c->protocol->test_users, kept = 0;
    uint64_t last;
    if (wanted <= 0 || wanted >= *n) return PEN_OK;
    PEN_TRY(pen__select_key(c->log->ctx, *n, lot, NULL, c, wanted - 1, &last, error));
    for (int64_t k = 0; k < *n; k++)
        if (lot(c, k) <= last) c->case_user[kept++] = c->case_user[k];
    *n = kept;
    return PEN_OK;
}

static pen_status lay_out(casing *c, int64_t n, pen_error *error)
{
    pen__cases *cases = c->cases;
    cases->n = n;
    PEN_TRY(PEN_NEW(cases->ctx, cases->user, n));
    PEN_TRY(PEN_NEW(cases->ctx, cases->data_user, n));
    PEN_TRY(PEN_NEW(cases->ctx, cases->target.begin, n + 1));
    PEN_TRY(PEN_NEW(cases->ctx, cases->history.begin, n + 1));
    cases->target.n_rows = cases->history.n_rows = n;
    cases->target.begin[0] = cases->history.begin[0] = 0;
    for (int64_t k = 0; k < n; k++) {
        int32_t u = c->case_user[k];
        cases->data_user[k] = u;
        cases->user[k] = c->train->user_number[u];
        cases->target.begin[k + 1] = cases->target.begin[k] + c->n_target[u];
        cases->history.begin[k + 1] = cases->history.begin[k] + c->n_history[u];
    }
    PEN_TRY(PEN_NEW(cases->ctx, cases->target.column, cases->target.begin[n]));
    PEN_TRY(PEN_NEW(cases->ctx, cases->target.value, cases->target.begin[n]));
    PEN_TRY(PEN_NEW(cases->ctx, cases->history.column, cases->history.begin[n]));
    PEN_TRY(PEN_NEW(cases->ctx, cases->history.value, cases->history.begin[n]));
    return c->log->time ? PEN_NEW(cases->ctx, cases->history.time, cases->history.begin[n]) : PEN_OK;
}

static uint64_t time_key(const void *arg, int64_t i)
{
    const pen__log *log = arg;
    return log->time ? pen__key_of(log->time[i]) : 0;
}

static bool is_target(const casing *c, int64_t i)
{
    return c->parts->part[i] == c->part && (!c->log->positive || c->log->positive[i]);
}

static bool is_history(const casing *c, int64_t i) { return c->history_mask >> c->parts->part[i] & 1; }

enum { ENTRIES_A_SHARD = 1 << 16 };

static pen_status lay_beside_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    const casing *c = arg;
    int64_t n = c->by_user.begin[c->by_user.n_groups],
            end = (shard + 1) * ENTRIES_A_SHARD < n ? (shard + 1) * ENTRIES_A_SHARD : n;
    for (int64_t at = shard * ENTRIES_A_SHARD; at < end; at++) {
        c->item[at] = c->log->item[c->by_user.index[at]];
        c->kind[at] = is_history(c, c->by_user.index[at]) ? HISTORY : TARGET;
    }
    return PEN_OK;
}

/* Groups the history and targets of the users who have a target. */
static pen_status group_events(casing *c, pen_error *error)
{
    const pen__log *log = c->log;
    pen_context *ctx = log->ctx;
    uint8_t *skip = NULL, *asked = NULL;
    pen_status status = PEN_OK;
    PEN_TRY_DONE(PEN_NEW(ctx, skip, log->n));
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, asked, log->data->users.n));
    for (int64_t i = 0; i < log->n; i++) asked[log->user[i]] |= is_target(c, i);
    for (int64_t i = 0; i < log->n; i++) skip[i] = !asked[log->user[i]] || !(is_history(c, i) || is_target(c, i));
    PEN_TRY_DONE(pen__group(ctx, log->user, skip, log->n, log->data->users.n, &c->by_user, error));
    if (log->time) PEN_TRY_DONE(pen__groups_sort(&c->by_user, time_key, log, error));
    int64_t n = c->by_user.begin[c->by_user.n_groups];
    PEN_TRY_DONE(PEN_NEW(ctx, c->item, n));
    PEN_TRY_DONE(PEN_NEW(ctx, c->kind, n));
    status = pen__parallel(ctx, pen__shards(n, ENTRIES_A_SHARD), lay_beside_shard, c, error);
done:
    pen__free(ctx, skip);
    pen__free(ctx, asked);
    return status;
}

static pen_status find_cases(casing *c, int64_t *n_users, counted *total, pen_error *error)
{
    const pen__log *log = c->log;
    pen_context *ctx = log->ctx;
    int64_t *shard = NULL, n_shards, n = 0;
    pen_status status = PEN_OK;
    PEN_TRY_DONE(group_events(c, error));
    PEN_TRY_DONE(pen__groups_shards(&c->by_user, 1 << 15, &shard, &n_shards, error));
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, c->counted, n_shards));
    PEN_TRY_DONE(PEN_NEW(ctx, c->n_target, log->data->users.n));
    PEN_TRY_DONE(PEN_NEW(ctx, c->n_history, log->data->users.n));
    PEN_TRY_DONE(PEN_NEW(ctx, c->case_user, log->data->users.n));
    c->shard = shard;
    PEN_TRY_DONE(pen__parallel(ctx, n_shards, count_shard, c, error));
    for (int64_t s = 0; s < n_shards; s++) {
        total->unknown += c->counted[s].unknown;
        total->seen += c->counted[s].seen;
        total->target_events += c->counted[s].target_events;
    }
    for (int32_t u = 0; u < log->data->users.n; u++)
        if (c->n_target[u]) c->case_user[n++] = u;
    *n_users = n;
    PEN_CHECK_DONE(n > 0 || c->part != PEN_PART_TEST, PEN_E_INPUT,
                   "no user is left to test: %lld events, of them %lld of pairs that the user had before (--keep-seen "
                   "keeps them) and %lld of items that training lacks",
                   (long long)total->target_events, (long long)total->seen, (long long)total->unknown);
    PEN_TRY_DONE(draw_users(c, &n, error));
    PEN_TRY_DONE(lay_out(c, n, error));
    clear_stamps(c);
    status = pen__parallel(ctx, pen__shards(n, CASES_A_SHARD), fill_shard, c, error);
done:
    pen__free(ctx, shard);
    return status;
}

static pen_status add_candidates(casing *c, uint64_t seed, pen__text *notes, pen_error *error)
{
    pen__groups_of all = {0};
    int kind;
    int64_t n;
    const pen_protocol *p = c->protocol;
    PEN_TRY(pen__candidates_parse(p->candidates, &kind, &n, error));
    if (kind == PEN_CANDIDATES_ALL || c->train->task == PEN_TASK_RATE) return PEN_OK;
    if (kind == PEN_CANDIDATES_FILE) {
        /* A file speaks of the test's targets; validation ranks the full catalogue. */
        return c->part == PEN_PART_TEST ? pen__candidates_file(c->cases, c->train, p->candidates, notes, error)
                                        : PEN_OK;
    }
    if (p->exclude_all)
        PEN_TRY(pen__group(c->log->ctx, c->log->user, NULL, c->log->n, c->log->data->users.n, &all, error));
    pen_status status =
        pen__candidates_sample(c->cases, c->log, c->train, p->exclude_all ? &all : NULL, kind, n, seed, error);
    pen__groups_free(&all);
    pen__text_printf(notes, ", \"candidates\": {\"drawn\": \"%s\", \"items\": %lld, \"exclude\": \"%s\"}",
                     kind == PEN_CANDIDATES_UNIFORM ? "uniform" : "popularity", (long long)n,
                     p->exclude_all ? "all" : "train");
    return status;
}

static void write_notes(const pen__cases *cases, int64_t n_users, const counted *total, pen__text *notes)
{
    int64_t folded_in = 0, bare = 0;
    for (int64_t k = 0; k < cases->n; k++) {
        bool none = cases->history.begin[k] == cases->history.begin[k + 1];
        folded_in += cases->user[k] < 0 && !none;
        bare += none;
    }
    pen__text_printf(
        notes,
        "{\"users\": %lld, \"events\": %lld, \"folded_in\": %lld, \"without_history\": %lld, \"unknown_items\": %lld, "
        "\"already_seen\": %lld, \"users_left_out\": %lld",
        (long long)cases->n, (long long)cases->target.begin[cases->n], (long long)folded_in, (long long)bare,
        (long long)total->unknown, (long long)total->seen, (long long)(n_users - cases->n));
}

pen_status pen__cases_build(const pen__log *log, const pen__parts *parts, const pen__train *train,
                            const pen_protocol *protocol, int part, unsigned history_mask, uint64_t seed,
                            pen__cases *out, pen_error *error)
{
    pen_context *ctx = log->ctx;
    *out = (pen__cases){.ctx = ctx, .keep_seen = protocol->keep_seen};
    unsigned shown = part == PEN_PART_TEST ? 1u << PEN_PART_TEST_HISTORY : 1u << PEN_PART_VALID_HISTORY;
    casing c = {.log = log,
                .parts = parts,
                .train = train,
                .protocol = protocol,
                .cases = out,
                .part = part,
                .history_mask = (history_mask | shown) & ~(1u << part)};
    pen__text notes = {.ctx = ctx};
    counted total = {0};
    int64_t n_users;
    int n_workers = pen__workers(ctx);
    pen_status status = PEN_OK;
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, c.stamp, n_workers));
    for (int w = 0; w < n_workers; w++) PEN_TRY_DONE(PEN_NEW_ZERO(ctx, c.stamp[w], 2 * log->data->items.n));
    PEN_TRY_DONE(find_cases(&c, &n_users, &total, error));
    write_notes(out, n_users, &total, &notes);
    PEN_TRY_DONE(add_candidates(&c, seed, &notes, error));
    if (train->task != PEN_TASK_RATE) PEN_TRY_DONE(pen__rows_liked(ctx, &out->history, &out->liked, error));
    pen__text_puts(&notes, "}");
    PEN_CHECK_DONE(!notes.failed, PEN_E_MEMORY, "out of memory for the notes of the cases");
    out->notes = notes.bytes;
    notes = (pen__text){.ctx = ctx};
done:
    for (int w = 0; c.stamp && w < n_workers; w++) pen__free(ctx, c.stamp[w]);
    pen__free(ctx, c.stamp);
    pen__free(ctx, c.counted);
    pen__free(ctx, c.n_target);
    pen__free(ctx, c.n_history);
    pen__free(ctx, c.case_user);
    pen__free(ctx, c.item);
    pen__free(ctx, c.kind);
    pen__groups_free(&c.by_user);
    pen__text_free(&notes);
    if (status != PEN_OK) pen__cases_free(out);
    return status;
}

void pen__cases_free(pen__cases *cases)
{
    pen_context *ctx = cases->ctx;
    if (!ctx) return;
    pen__free(ctx, cases->user);
    pen__free(ctx, cases->data_user);
    pen__rows_free(ctx, &cases->target);
    pen__rows_free(ctx, &cases->history);
    pen__rows_free(ctx, &cases->liked);
    pen__rows_free(ctx, &cases->candidate);
    pen__free(ctx, cases->notes);
    *cases = (pen__cases){0};
}
