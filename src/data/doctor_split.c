/* What a split would meet: parts, cold users and items, pairs in training and in test, training from after the test.
 */
#include <string.h>

#include "data/doctor_impl.h"

enum { LEARNED = 1 << PEN_PART_TRAIN | 1 << PEN_PART_VALID };

static void keep(char **to, char **from)
{
    *to = *from;
    *from = NULL;
}

/* Marks what training has, then looks at the test. */
static pen_status compare(pen__split_findings *s, const pen__log *log, const uint8_t *part, pen_error *error)
{
    pen_context *ctx = log->ctx;
    uint8_t *user = NULL, *item = NULL, *cold_item = NULL, *tested = NULL;
    int64_t *first = NULL, first_of_all = INT64_MAX; /* of test, by user */
    pen_status status = PEN_OK;
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, user, log->data->users.n));
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, tested, log->data->users.n));
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, item, log->data->items.n));
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, cold_item, log->data->items.n));
    PEN_TRY_DONE(PEN_NEW(ctx, first, log->data->users.n));
    for (int64_t u = 0; u < log->data->users.n; u++) first[u] = INT64_MAX;
    for (int64_t i = 0; i < log->n; i++)
        if (LEARNED >> part[i] & 1) user[log->user[i]] = item[log->item[i]] = 1, s->train_events++;
    for (int64_t i = 0; i < log->n; i++) {
        if (part[i] != PEN_PART_TEST || (log->positive && !log->positive[i])) continue;
        int32_t u = log->user[i], k = log->item[i];
        s->test_events++;
        s->test_users += !tested[u];
        s->cold_users += !tested[u] && !user[u];
        s->cold_user_events += !user[u];
        s->cold_items += !item[k] && !cold_item[k];
        s->cold_item_events += !item[k];
        tested[u] = cold_item[k] = 1;
        if (!log->time || log->time[i] == PEN_TIME_MISSING) continue;
        if (log->time[i] < first[u]) first[u] = log->time[i];
        if (log->time[i] < first_of_all) first_of_all = log->time[i];
    }
    for (int64_t i = 0; log->time && i < log->n; i++) {
        if (!(LEARNED >> part[i] & 1) || log->time[i] == PEN_TIME_MISSING) continue;
        s->after_own += log->time[i] > first[log->user[i]];
        s->after_first += log->time[i] > first_of_all;
    }
done:
    pen__free(ctx, user);
    pen__free(ctx, tested);
    pen__free(ctx, item);
    pen__free(ctx, cold_item);
    pen__free(ctx, first);
    return status;
}

/* Test events whose pair is in training: found as the cases find them. */
static pen_status count_repeated(pen__split_findings *s, const pen__log *log, const pen__parts *parts,
                                 const pen_protocol *protocol, pen_error *error)
{
    pen__train train = {0};
    pen__cases cases = {0};
    pen_protocol plain = *protocol;
    plain.candidates = NULL, plain.test_users = 0, plain.keep_seen = 1;
    pen_status status = PEN_OK;
    PEN_TRY_DONE(pen__train_build(log, parts, LEARNED, protocol->task, &train, error));
    PEN_TRY_DONE(pen__cases_build(log, parts, &train, &plain, PEN_PART_TEST, LEARNED, protocol->seed, &cases, error));
    uint8_t *seen = NULL;
    PEN_TRY_DONE(PEN_NEW_ZERO(log->ctx, seen, train.n_items));
    for (int64_t c = 0; c < cases.n; c++) {
        for (int64_t i = cases.history.begin[c]; i < cases.history.begin[c + 1]; i++) seen[cases.history.column[i]] = 1;
        for (int64_t i = cases.target.begin[c]; i < cases.target.begin[c + 1]; i++)
            s->repeated += cases.target.column[i] >= 0 && seen[cases.target.column[i]];
        for (int64_t i = cases.history.begin[c]; i < cases.history.begin[c + 1]; i++) seen[cases.history.column[i]] = 0;
    }
    pen__free(log->ctx, seen);
done:
    pen__cases_free(&cases);
    pen__train_free(&train);
    return status;
}

pen_status pen__doctor_split(pen__findings *f, pen_error *error)
{
    pen__split_findings *s = &f->split;
    pen__log log = {0};
    pen__parts parts = {0};
    pen_error inner = {0};
    s->tried = true;
    pen_status status = pen__log_build(f->data, f->protocol, &log, &inner);
    if (status == PEN_OK) status = pen__split(&log, f->protocol, f->protocol->seed, 0, &parts, &inner);
    if (status == PEN_OK) status = compare(s, &log, parts.part, &inner);
    if (status == PEN_OK && s->test_events) status = count_repeated(s, &log, &parts, f->protocol, &inner);
    if (log.notes) keep(&s->filters, &log.notes);
    if (parts.notes) keep(&s->parts, &parts.notes);
    pen__parts_free(&parts);
    pen__log_free(&log);
    if (status == PEN_E_MEMORY || status == PEN_E_CANCELLED || status == PEN_E_ARGUMENT || status == PEN_E_UNKNOWN) {
        if (error) *error = inner;
        return status; /* no finding: the call is wrong, or the machine too small */
    }
    s->failed = status != PEN_OK;
    memcpy(s->message, inner.message, sizeof s->message);
    return PEN_OK;
}
