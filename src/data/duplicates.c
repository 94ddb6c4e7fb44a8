/* --duplicates: events of one user and one item become one, whose place in the log is that of the last of them.
 *
 * Within each user, events are sorted by (where from, item, order of the file); runs are merged. `last` and `first` go
 * by time, then by the order of the file. `sum` adds values and weights. A given test never merges with the log. Cost:
 * O(n log(events of a user)), in parallel over users.
 */
#include <string.h>

#include "base/thread.h"
#include "data/filter_impl.h"
#include "data/order.h"

enum policy { SUM, LAST, FIRST };

typedef struct merging {
    pen__filter *filter;
    const pen__groups_of *by_user;
    const int64_t *shard;
    enum policy policy;
    int64_t *unordered; /* a shard: events without a time among duplicates, where their order matters */
} merging;

static uint64_t pair_key(const void *arg, int64_t i)
{
    const pen__log *log = arg;
    return (uint64_t)pen__log_class(log, i) << 32 | (uint32_t)log->item[i];
}

/* index[0..n) are the events of one pair in the order of the file. */
static void merge(const merging *m, const int64_t *index, int64_t n, int64_t *unordered)
{
    pen__log *log = m->filter->log;
    int64_t chosen = index[0], missing = 0;
    double value = 0, weight = 0;
    for (int64_t k = 0; k < n; k++) {
        int64_t i = index[k];
        m->filter->keep[i] = 0;
        value += (double)log->value[i];
        if (m->filter->task == PEN_TASK_RANK) weight += m->filter->weight ? (double)m->filter->weight[i] : 1;
        int64_t time = log->time ? log->time[i] : 0, best = log->time ? log->time[chosen] : 0;
        missing += time == PEN_TIME_MISSING;
        if (m->policy == FIRST ? time < best : time >= best) chosen = i;
    }
    m->filter->keep[chosen] = 1;
    if (m->policy == SUM) {
        log->value[chosen] = (float)value;
        if (m->filter->weight) m->filter->weight[chosen] = (float)weight;
    } else if (!pen__log_class(log, chosen)) {
        *unordered += missing;
    }
}

static pen_status merge_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    const merging *m = arg;
    const pen__log *log = m->filter->log;
    for (int64_t u = m->shard[shard]; u < m->shard[shard + 1]; u++) {
        const int64_t *index = m->by_user->index + m->by_user->begin[u];
        int64_t n = m->by_user->begin[u + 1] - m->by_user->begin[u], end;
        for (int64_t at = 0; at < n; at = end) {
            uint64_t key = pair_key(log, index[at]);
            for (end = at + 1; end < n && pair_key(log, index[end]) == key;) end++;
            if (end - at > 1) merge(m, index + at, end - at, &m->unordered[shard]);
        }
    }
    return PEN_OK;
}

/* SUM, LAST, FIRST; *keep where nothing is to be done. */
static pen_status choose(const pen__filter *f, enum policy *policy, bool *keep, pen_error *error)
{
    static const char *const names[] = {"sum", "last", "first", "keep"};
    const char *given = f->protocol->duplicates;
    if (!given) given = f->task == PEN_TASK_RATE ? "last" : "sum";
    for (int i = 0; i < 4; i++)
        if (!strcmp(given, names[i])) {
            *keep = i == 3;
            *policy = (enum policy)i;
            return PEN_OK;
        }
    return pen__fail(error, PEN_E_UNKNOWN, "--duplicates '%.60s'; allowed are sum, last, first and keep", given);
}

/* Ranking, `sum`, and nothing weighs yet: weights begin at 1. Only where there is a duplicate at all. */
static pen_status begin_weights(pen__filter *f, pen_error *error)
{
    if (f->weight || f->task == PEN_TASK_RATE) return PEN_OK;
    PEN_TRY(PEN_NEW(f->log->ctx, f->weight, f->log->n));
    for (int64_t i = 0; i < f->log->n; i++) f->weight[i] = 1;
    return PEN_OK;
}

pen_status pen__filter_duplicates(pen__filter *f, pen_error *error)
{
    pen__log *log = f->log;
    merging m = {.filter = f};
    bool keep = false;
    PEN_TRY(choose(f, &m.policy, &keep, error));
    if (keep) return PEN_OK;
    pen__groups_of by_user = {0};
    int64_t *shard = NULL, n_shards = 0, dropped = 0, unordered = 0;
    pen_status status = PEN_OK;
    PEN_TRY_DONE(pen__group(log->ctx, log->user, NULL, log->n, log->data->users.n, &by_user, error));
    PEN_TRY_DONE(pen__groups_sort(&by_user, pair_key, log, error));
    PEN_TRY_DONE(pen__groups_shards(&by_user, 1 << 16, &shard, &n_shards, error));
    PEN_TRY_DONE(PEN_NEW_ZERO(log->ctx, m.unordered, n_shards));
    if (m.policy == SUM) PEN_TRY_DONE(begin_weights(f, error));
    m.by_user = &by_user;
    m.shard = shard;
    if (log->n) memset(f->keep, 1, (size_t)log->n);
    PEN_TRY_DONE(pen__parallel(log->ctx, n_shards, merge_shard, &m, error));
    for (int64_t s = 0; s < n_shards; s++) unordered += m.unordered[s];
    PEN_CHECK_DONE(!unordered || f->protocol->missing_time, PEN_E_INPUT,
                   "%lld events without a time stand among duplicates, and --duplicates %s needs their order; pass "
                   "--missing-time drop, or "
                   "--missing-time first (they count as the earliest)",
                   (long long)unordered, m.policy == LAST ? "last" : "first");
    for (int64_t i = 0; i < log->n; i++) dropped += !f->keep[i];
    if (dropped)
        status = pen__filter_apply(f, error, "duplicates %s",
                                   m.policy == SUM    ? "sum"
                                   : m.policy == LAST ? "last"
                                                      : "first");
done:
    pen__free(log->ctx, m.unordered);
    pen__free(log->ctx, shard);
    pen__groups_free(&by_user);
    return status;
}
