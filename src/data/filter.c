/* Which events count: the protocol's filters in the contract's order, one pass over columns each.
 *
 * Rows first (missing times where they are to be dropped, --min-value, --since and --until, --event-weight), then
 * duplicates, then the counts of users and items. Each step writes a verdict for every event and the columns are
 * compacted in place, so the log stays in the order of the file. Cost: O(n) a step, 29 bytes an event and 4 more with
 * weights.
 */
#include "data/filter_impl.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/progress.h"
#include "data/expression.h"
#include "data/order.h"

/* ---- steps ------------------------------------------------------------------------------------------------------ */

/* Different users and items among the log's own events, by marks. */
static pen_status count_ids(pen__log *log, int64_t *n_events, pen_error *error)
{
    uint8_t *seen = NULL;
    int64_t n_users = log->data->users.n;
    PEN_TRY(PEN_NEW_ZERO(log->ctx, seen, n_users + log->data->items.n));
    log->n_users = log->n_items = *n_events = 0;
    for (int64_t i = 0; i < log->n; i++) {
        if (pen__log_class(log, i)) continue;
        uint8_t *user = &seen[log->user[i]], *item = &seen[n_users + log->item[i]];
        log->n_users += !*user;
        log->n_items += !*item;
        *user = *item = 1;
        ++*n_events;
    }
    pen__free(log->ctx, seen);
    return PEN_OK;
}

static pen_status note(pen__filter *f, const char *step, pen_error *error)
{
    int64_t n_events;
    PEN_TRY(count_ids(f->log, &n_events, error));
    pen__text_puts(&f->notes, f->n_steps++ ? ", {\"step\": " : "[{\"step\": ");
    pen__text_json(&f->notes, step, strlen(step));
    pen__text_printf(&f->notes, ", \"events\": %lld, \"users\": %lld, \"items\": %lld", (long long)n_events,
                     (long long)f->log->n_users, (long long)f->log->n_items);
    if (f->log->n > n_events) pen__text_printf(&f->notes, ", \"given\": %lld", (long long)(f->log->n - n_events));
    pen__text_puts(&f->notes, "}");
    return PEN_OK;
}

pen_status pen__filter_apply(pen__filter *f, pen_error *error, const char *step, ...)
{
    pen__log *log = f->log;
    int64_t n = 0, n_before = log->n;
    for (int64_t i = 0; i < log->n; i++) {
        if (!f->keep[i]) continue;
        log->event[n] = log->event[i];
        log->user[n] = log->user[i];
        log->item[n] = log->item[i];
        log->value[n] = log->value[i];
        if (log->time) log->time[n] = log->time[i];
        if (f->weight) f->weight[n] = f->weight[i];
        n++;
    }
    log->n = n;
    char text[160];
    va_list args;
    va_start(args, step);
    vsnprintf(text, sizeof text, step, args);
    va_end(args);
    if (!n && n_before) {
        f->n_before = n_before;
        memcpy(f->emptied_by, text, sizeof text);
    }
    return note(f, text, error);
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static pen_status begin(pen__filter *f, pen_error *error)
{
    pen__log *log = f->log;
    const pen_dataset *data = log->data;
    log->n = data->n_events;
    PEN_TRY(PEN_NEW(log->ctx, log->event, log->n));
    PEN_TRY(PEN_NEW(log->ctx, log->user, log->n));
    PEN_TRY(PEN_NEW(log->ctx, log->item, log->n));
    PEN_TRY(PEN_NEW(log->ctx, log->value, log->n));
    if (data->time) PEN_TRY(PEN_NEW(log->ctx, log->time, log->n));
    PEN_TRY(PEN_NEW(log->ctx, f->keep, log->n));
    for (int64_t i = 0; i < log->n; i++) log->event[i] = i;
    if (!log->n) return note(f, "all", error);
    memcpy(log->user, data->user, (size_t)log->n * sizeof *log->user);
    memcpy(log->item, data->item, (size_t)log->n * sizeof *log->item);
    if (log->time) memcpy(log->time, data->time, (size_t)log->n * sizeof *log->time);
    for (int64_t i = 0; i < log->n; i++) log->value[i] = data->value ? data->value[i] : 1;
    return note(f, "all", error);
}

/* A given pair without a value has the one that the log has for it (its last row). */
static pen_status inherit_values(pen__filter *f, pen_error *error)
{
    pen__log *log = f->log;
    int64_t missing = 0, *row_of = NULL; /* per item: 1 + the last row of the user at hand */
    for (int64_t i = 0; i < log->n; i++) missing += isnan(log->value[i]) && pen__log_class(log, i);
    if (!missing || !log->data->value) return PEN_OK;
    pen__groups_of by_user = {0};
    pen_status status = PEN_OK;
    PEN_TRY_DONE(pen__group(log->ctx, log->user, NULL, log->n, log->data->users.n, &by_user, error));
    PEN_TRY_DONE(PEN_NEW_ZERO(log->ctx, row_of, log->data->items.n));
    for (int64_t u = 0; u < by_user.n_groups; u++) { /* the given rows of a user stand behind the log's own */
        const int64_t *row = by_user.index + by_user.begin[u], n = by_user.begin[u + 1] - by_user.begin[u];
        for (int64_t k = 0; k < n; k++) {
            int64_t known = row_of[log->item[row[k]]];
            if (!pen__log_class(log, row[k]))
                row_of[log->item[row[k]]] = row[k] + 1;
            else if (isnan(log->value[row[k]]) && known)
                log->value[row[k]] = log->value[known - 1];
        }
        for (int64_t k = 0; k < n; k++) row_of[log->item[row[k]]] = 0;
    }
done:
    pen__free(log->ctx, row_of);
    pen__groups_free(&by_user);
    return status;
}

/* A missing value is worth 1 in a ranking; a rating that is not there cannot be learned. NaN stays where a given test
 * has no value: then no filter of values concerns it. */
static pen_status missing_values(pen__filter *f, pen_error *error)
{
    pen__log *log = f->log;
    int64_t missing = 0;
    for (int64_t i = 0; i < log->n; i++) {
        f->keep[i] = (uint8_t)!isnan(log->value[i]);
        missing += !f->keep[i];
        if (!f->keep[i] && f->task != PEN_TASK_RATE && !pen__log_class(log, i)) log->value[i] = 1;
    }
    return missing && f->task == PEN_TASK_RATE ? pen__filter_apply(f, error, "missing values dropped") : PEN_OK;
}

static pen_status min_value(pen__filter *f, pen_error *error)
{
    double least = f->protocol->min_value;
    if (isnan(least)) return PEN_OK;
    PEN_CHECK(f->log->data->value, PEN_E_ARGUMENT,
              "--min-value %g, but the log has no values; name their column (--value-column)", least);
    for (int64_t i = 0; i < f->log->n; i++) {
        float value = f->log->value[i];
        f->keep[i] = isnan(value) || (double)value >= least;
    }
    return pen__filter_apply(f, error, "min-value %g", least);
}

static pen_status moment(const char *option, const char *text, int64_t *out, pen_error *error)
{
    PEN_CHECK(pen__moment_parse(pen__span_of(text), out), PEN_E_ARGUMENT,
              "%s '%.60s' is not a moment; give 2020-01-31, 2020-01-31T12:00:00Z, or seconds since 1970", option, text);
    return PEN_OK;
}

static int64_t own_missing_times(const pen__log *log)
{
    int64_t missing = 0;
    for (int64_t i = 0; log->time && i < log->n; i++)
        missing += log->time[i] == PEN_TIME_MISSING && !pen__log_class(log, i);
    return missing;
}

static pen_status missing_times(pen__filter *f, pen_error *error)
{
    const char *how = f->protocol->missing_time;
    PEN_CHECK(!how || !strcmp(how, "drop") || !strcmp(how, "first"), PEN_E_ARGUMENT,
              "--missing-time '%.60s'; allowed are drop and first (such events count as a user's earliest)", how);
    if (!how || strcmp(how, "drop") || !own_missing_times(f->log)) return PEN_OK;
    for (int64_t i = 0; i < f->log->n; i++)
        f->keep[i] = f->log->time[i] != PEN_TIME_MISSING || pen__log_class(f->log, i);
    return pen__filter_apply(f, error, "missing-time drop");
}

static pen_status window(pen__filter *f, pen_error *error)
{
    const pen_protocol *p = f->protocol;
    if (!p->since && !p->until) return PEN_OK;
    int64_t since = INT64_MIN, until = INT64_MAX;
    if (p->since) PEN_TRY(moment("--since", p->since, &since, error));
    if (p->until) PEN_TRY(moment("--until", p->until, &until, error));
    pen__log *log = f->log;
    PEN_CHECK(log->time, PEN_E_ARGUMENT,
              "--since and --until need times, and the log has none; name their column (--time-column)");
    int64_t missing = own_missing_times(log);
    PEN_CHECK(!missing || p->missing_time, PEN_E_INPUT,
              "%lld of %lld events have no time, and --since and --until need one; pass "
              "--missing-time drop, or --missing-time first (they count as the earliest)",
              (long long)missing, (long long)log->n);
    for (int64_t i = 0; i < log->n; i++) {
        bool exempt = log->time[i] == PEN_TIME_MISSING && pen__log_class(log, i);
        f->keep[i] = exempt || (log->time[i] >= since && log->time[i] < until);
    }
    return pen__filter_apply(f, error, "%s%s%s%s%s", p->since ? "since " : "", p->since ? p->since : "",
                             p->since && p->until ? " " : "", p->until ? "until " : "", p->until ? p->until : "");
}

/* The weight of each event type, 0 where it is not named. */
static pen_status parse_weights(const pen__log *log, const char *text, float *of_type, pen_error *error)
{
    const pen__strings *types = &log->data->event_types;
    pen__span rest = pen__span_of(text);
    while (rest.text) {
        pen__span name;
        double weight;
        PEN_TRY(pen__event_weight_next(&rest, &name, &weight, error));
        int64_t type = 0;
        while (type < types->n && !pen__span_equal(pen__strings_at(types, type), name)) type++;
        if (type == types->n) {
            char known[200] = "";
            for (int64_t k = 0, used = 0; k < types->n && used < 180; k++) {
                pen__span t = pen__strings_at(types, k);
                used += snprintf(known + used, sizeof known - (size_t)used, "%s%.*s", k ? ", " : "",
                                 t.length < 30 ? (int)t.length : 30, t.text);
            }
            return pen__fail(error, PEN_E_UNKNOWN, "--event-weight: the log has no event type '%.*s'; it has %s",
                             name.length < 60 ? (int)name.length : 60, name.text, known);
        }
        of_type[type] = (float)weight;
    }
    return PEN_OK;
}

static pen_status event_weights(pen__filter *f, pen_error *error)
{
    pen__log *log = f->log;
    const char *text = f->protocol->event_weight;
    if (!text) return PEN_OK;
    const pen_dataset *data = log->data;
    PEN_CHECK(data->event, PEN_E_ARGUMENT,
              "--event-weight '%.60s', but the log has no event types; name their column (--event-column)", text);
    float *of_type = NULL;
    PEN_TRY(PEN_NEW_ZERO(log->ctx, of_type, data->event_types.n));
    pen_status status = parse_weights(log, text, of_type, error);
    if (status == PEN_OK) status = PEN_NEW(log->ctx, f->weight, log->n);
    for (int64_t i = 0; status == PEN_OK && i < log->n; i++) {
        int16_t type = data->event[log->event[i]];
        f->weight[i] = type < 0 ? 0 : of_type[type];
        if (type < 0 && pen__log_class(log, i)) f->weight[i] = 1; /* a given test need not have types */
        f->keep[i] = f->weight[i] > 0;
    }
    if (status == PEN_OK) status = pen__filter_apply(f, error, "event-weight %.100s", text);
    pen__free(log->ctx, of_type);
    return status;
}

/* ---- the end: values or weights ---------------------------------------------------------------------------------- */

/* Values that remain become what models see: ratings, or weights above 0. */
static pen_status finish(pen__filter *f, pen_error *error)
{
    pen__log *log = f->log;
    const pen_protocol *p = f->protocol;
    if (!isnan(p->positive)) {
        PEN_TRY(PEN_NEW(log->ctx, log->positive, log->n));
        for (int64_t i = 0; i < log->n; i++)
            log->positive[i] = isnan(log->value[i]) || (double)log->value[i] >= p->positive;
    }
    if (f->task == PEN_TASK_RATE) return PEN_OK;
    for (int64_t i = 0; i < log->n; i++) log->value[i] = f->weight ? f->weight[i] : 1;
    return PEN_OK;
}

/* With weights by value an event weighs its value (a missing one: 1); before duplicates, which sum them. */
static pen_status weigh_by_value(pen__filter *f, pen_error *error)
{
    pen__log *log = f->log;
    if (f->task == PEN_TASK_RATE || !f->protocol->weight_by_value) return PEN_OK;
    PEN_CHECK(log->data->value, PEN_E_ARGUMENT,
              "--weight-by-value, but the log has no values; name their column (--value-column)");
    bool had = f->weight != NULL;
    if (!had) PEN_TRY(PEN_NEW(log->ctx, f->weight, log->n));
    for (int64_t i = 0; i < log->n; i++)
        f->weight[i] = (had ? f->weight[i] : 1) * (isnan(log->value[i]) ? 1 : log->value[i]);
    return PEN_OK;
}

/* What weighs nothing (returned goods: 5 and -5) is no event. */
static pen_status drop_weightless(pen__filter *f, pen_error *error)
{
    if (f->task == PEN_TASK_RATE || !f->protocol->weight_by_value) return PEN_OK;
    int64_t dropped = 0;
    for (int64_t i = 0; i < f->log->n; i++) dropped += !(f->keep[i] = f->weight[i] > 0);
    return dropped ? pen__filter_apply(f, error, "weights of 0 or less dropped") : PEN_OK;
}

static pen_status check(const pen_protocol *p, pen_error *error)
{
    PEN_CHECK(p->task == 0 || p->task == PEN_TASK_RANK || p->task == PEN_TASK_RATE, PEN_E_ARGUMENT,
              "task %d; allowed are rank (1) and rate (2)", p->task);
    PEN_CHECK(p->min_user_events >= 0 && p->min_item_events >= 0 && p->k_core >= 0, PEN_E_ARGUMENT,
              "--min-user-events, --min-item-events and --k-core must be 0 or more");
    PEN_CHECK(p->task != PEN_TASK_RATE || (isnan(p->positive) && !p->weight_by_value), PEN_E_ARGUMENT,
              "--positive and --weight-by-value are for ranking; when rating, values are what is predicted");
    return PEN_OK;
}

pen_status pen__log_build_given(const pen_dataset *data, const pen_protocol *protocol, int64_t valid_from,
                                int64_t test_from, pen__log *out, pen_error *error)
{
    *out = (pen__log){.ctx = data->ctx, .data = data, .valid_from = valid_from, .test_from = test_from};
    pen__filter f = {.log = out, .protocol = protocol, .notes = {.ctx = data->ctx}};
    f.task = protocol->task ? protocol->task : PEN_TASK_RANK;
    pen_status status = PEN_OK;
    PEN_TRY_DONE(check(protocol, error));
    PEN_TRY_DONE(begin(&f, error));
    PEN_TRY_DONE(inherit_values(&f, error));
    PEN_TRY_DONE(missing_values(&f, error));
    PEN_TRY_DONE(min_value(&f, error));
    PEN_TRY_DONE(missing_times(&f, error));
    PEN_TRY_DONE(window(&f, error));
    PEN_TRY_DONE(event_weights(&f, error));
    PEN_TRY_DONE(weigh_by_value(&f, error));
    PEN_TRY_DONE(pen__filter_duplicates(&f, error));
    PEN_TRY_DONE(drop_weightless(&f, error));
    PEN_TRY_DONE(pen__filter_counts(&f, error));
    PEN_TRY_DONE(finish(&f, error));
    pen__text_puts(&f.notes, "]");
    PEN_CHECK_DONE(!f.notes.failed, PEN_E_MEMORY, "out of memory for the notes of the filters");
    out->notes = f.notes.bytes;
    f.notes = (pen__text){0};
    PEN_CHECK_DONE(out->n > 0, PEN_E_INPUT, "no events are left after the filters: '%s' dropped the last %lld of %lld",
                   f.emptied_by, (long long)f.n_before, (long long)data->n_events);
done:
    pen__free(data->ctx, f.weight);
    pen__free(data->ctx, f.keep);
    if (f.notes.ctx) pen__text_free(&f.notes);
    if (status != PEN_OK) pen__log_free(out);
    return status;
}

pen_status pen__log_build(const pen_dataset *data, const pen_protocol *protocol, pen__log *out, pen_error *error)
{
    return pen__log_build_given(data, protocol, -1, -1, out, error);
}

void pen__log_free(pen__log *log)
{
    if (!log->ctx) return;
    pen__free(log->ctx, log->event);
    pen__free(log->ctx, log->user);
    pen__free(log->ctx, log->item);
    pen__free(log->ctx, log->value);
    pen__free(log->ctx, log->time);
    pen__free(log->ctx, log->positive);
    pen__free(log->ctx, log->notes);
    *log = (pen__log){0};
}
