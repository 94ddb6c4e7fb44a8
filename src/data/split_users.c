/* Splits that hold users out: `users:`, and tests that were given as files. Both show a part of what a user did that
 * training lacks, and ask for the rest (strong generalisation).
 */
#include <string.h>

#include "base/random.h"
#include "data/split_impl.h"

pen_status pen__split_show(const pen__splitting *s, const pen__split_spec *fold_in, int64_t *index, int64_t n,
                           uint8_t history_part, uint8_t test_part, pen_error *error)
{
    pen__keyed *keyed = NULL;
    int64_t n_valid, n_test, positive = 0;
    PEN_TRY(PEN_NEW(s->log->ctx, keyed, n));
    bool random = fold_in->family == PEN_SPLIT_RATIO;
    for (int64_t i = 0; i < n; i++)
        keyed[i] = (pen__keyed){(random ? pen__split_random_key : pen__split_time_key)(s, index[i]), index[i]};
    pen__sort_keyed(keyed, n);
    for (int64_t i = 0; i < n; i++) {
        index[i] = keyed[i].index;
        s->part[index[i]] = history_part;
        positive += pen__is_positive(s->log, index[i]);
    }
    pen__split_counts(fold_in, positive, &n_valid, &n_test);
    if (fold_in->family == PEN_SPLIT_LAST && n_test == 0)
        n_test = positive < fold_in->n_test ? positive : fold_in->n_test;
    if (n_test == 0) n_test = positive; /* one event: it is asked for, and nothing is shown */
    pen__split_tail(s->log, s->part, index, n, 0, n_test, PEN_PART_NONE, test_part);
    pen__free(s->log->ctx, keyed);
    return PEN_OK;
}

/* ---- users: ------------------------------------------------------------------------------------------------------ */

typedef struct holding {
    const pen__splitting *s;
    const uint8_t *eligible; /* n_users: at least two positive events */
} holding;

static uint64_t user_key(const void *arg, int64_t u)
{
    return pen__rand64(((const holding *)arg)->s->seed, PEN_STREAM_SPLIT, (uint64_t)u);
}
static bool is_eligible(const void *arg, int64_t u) { return ((const holding *)arg)->eligible[u]; }

/* role[u]: the part of user u's events that are asked for, or PEN_PART_TRAIN. */
static pen_status draw_users(const pen__splitting *s, const pen__groups_of *by_user, uint8_t *role, pen_error *error)
{
    uint8_t *eligible = NULL;
    int64_t n_eligible = 0, n_valid, n_test, n_users = by_user->n_groups;
    uint64_t from = 0;
    pen_status status = PEN_OK;
    PEN_TRY(PEN_NEW_ZERO(s->log->ctx, eligible, n_users));
    for (int64_t u = 0; u < n_users; u++) {
        int64_t positive = 0;
        for (int64_t at = by_user->begin[u]; at < by_user->begin[u + 1]; at++)
            positive += pen__is_positive(s->log, by_user->index[at]);
        n_eligible += eligible[u] = positive >= 2;
    }
    holding h = {s, eligible};
    pen__split_counts(&s->spec, n_eligible, &n_valid, &n_test);
    for (int part = PEN_PART_TEST; part >= PEN_PART_VALID; part--) {
        int64_t wanted = part == PEN_PART_TEST ? n_test : n_valid;
        if (!wanted) continue;
        PEN_TRY_DONE(
            pen__select_key(s->log->ctx, n_users, user_key, is_eligible, &h, n_eligible - wanted, &from, error));
        for (int64_t u = 0; u < n_users; u++)
            if (eligible[u] && user_key(&h, u) >= from) role[u] = (uint8_t)part, eligible[u] = 0;
        n_eligible -= wanted;
    }
done:
    pen__free(s->log->ctx, eligible);
    return status;
}

pen_status pen__split_users(pen__splitting *s, pen_error *error)
{
    pen__groups_of by_user = {0};
    pen__split_spec fold_in;
    uint8_t *role = NULL;
    pen_status status = PEN_OK;
    PEN_TRY(pen__fold_in_parse(s->protocol->fold_in ? s->protocol->fold_in : "ratio:0.8", &fold_in, error));
    if (fold_in.family != PEN_SPLIT_RATIO) PEN_TRY(pen__split_need_times(s, NULL, s->protocol->fold_in, error));
    PEN_TRY_DONE(pen__group(s->log->ctx, s->log->user, s->part, s->log->n, s->log->data->users.n, &by_user, error));
    PEN_TRY_DONE(PEN_NEW_ZERO(s->log->ctx, role, by_user.n_groups));
    PEN_TRY_DONE(draw_users(s, &by_user, role, error));
    for (int64_t u = 0; u < by_user.n_groups; u++) {
        if (role[u] == PEN_PART_TRAIN) continue;
        uint8_t history = role[u] == PEN_PART_TEST ? PEN_PART_TEST_HISTORY : PEN_PART_VALID_HISTORY;
        PEN_TRY_DONE(pen__split_show(s, &fold_in, by_user.index + by_user.begin[u],
                                     by_user.begin[u + 1] - by_user.begin[u], history, role[u], error));
    }
done:
    pen__free(s->log->ctx, role);
    pen__groups_free(&by_user);
    return status;
}

/* ---- given files ------------------------------------------------------------------------------------------------- */

/* Events of the log whose pair stands in a given file are taken out. For each user: the items of the given events,
 * sorted, are looked up. */
static pen_status take_out_pairs(pen__splitting *s, const pen__groups_of *by_user, pen_error *error)
{
    const pen__log *log = s->log;
    uint64_t *marked = NULL; /* per item: 1 + the last user whose given events have it */
    PEN_TRY(PEN_NEW_ZERO(log->ctx, marked, log->data->items.n));
    for (int64_t u = 0; u < by_user->n_groups; u++) {
        const int64_t *index = by_user->index + by_user->begin[u];
        int64_t n = by_user->begin[u + 1] - by_user->begin[u], given = 0;
        for (int64_t i = 0; i < n; i++)
            if (pen__log_class(log, index[i])) marked[log->item[index[i]]] = (uint64_t)u + 1, given++;
        for (int64_t i = 0; i < n && given; i++)
            if (!pen__log_class(log, index[i]) && marked[log->item[index[i]]] == (uint64_t)u + 1)
                s->part[index[i]] = PEN_PART_NONE;
    }
    pen__free(log->ctx, marked);
    return PEN_OK;
}

/* A user of a given file whom training lacks is shown all but the last of the given events, or what --fold-in says. */
static pen_status show_unknown(pen__splitting *s, const pen__groups_of *by_user, int from_class, pen_error *error)
{
    const pen__log *log = s->log;
    pen__split_spec fold_in;
    int64_t *given = NULL, largest = 0;
    pen_status status = PEN_OK;
    uint8_t test = from_class == 2 ? PEN_PART_TEST : PEN_PART_VALID,
            history = from_class == 2 ? PEN_PART_TEST_HISTORY : PEN_PART_VALID_HISTORY;
    PEN_TRY(pen__fold_in_parse(s->protocol->fold_in ? s->protocol->fold_in : "last:1", &fold_in, error));
    for (int64_t u = 0; u < by_user->n_groups; u++)
        if (by_user->begin[u + 1] - by_user->begin[u] > largest) largest = by_user->begin[u + 1] - by_user->begin[u];
    PEN_TRY(PEN_NEW(log->ctx, given, largest));
    for (int64_t u = 0; u < by_user->n_groups; u++) {
        int64_t n_given = 0, known = 0;
        for (int64_t at = by_user->begin[u]; at < by_user->begin[u + 1]; at++) {
            int64_t i = by_user->index[at];
            known += s->part[i] == PEN_PART_TRAIN;
            if (pen__log_class(log, i) == from_class) given[n_given++] = i;
        }
        for (int64_t i = 0; i < n_given; i++) s->part[given[i]] = test;
        if (!known && n_given) PEN_TRY_DONE(pen__split_show(s, &fold_in, given, n_given, history, test, error));
    }
done:
    pen__free(log->ctx, given);
    return status;
}

pen_status pen__split_given(pen__splitting *s, pen_error *error)
{
    const pen__log *log = s->log;
    pen__groups_of by_user = {0};
    pen_status status = PEN_OK;
    PEN_TRY(pen__group(log->ctx, log->user, NULL, log->n, log->data->users.n, &by_user, error));
    for (int64_t i = 0; i < log->n; i++) {
        int class = pen__log_class(log, i);
        s->part[i] = class == 2 ? PEN_PART_TEST : class == 1 ? PEN_PART_VALID : PEN_PART_TRAIN;
    }
    PEN_TRY_DONE(take_out_pairs(s, &by_user, error));
    if (log->valid_from >= 0) PEN_TRY_DONE(show_unknown(s, &by_user, 1, error));
    PEN_TRY_DONE(show_unknown(s, &by_user, 2, error));
done:
    pen__groups_free(&by_user);
    return status;
}
