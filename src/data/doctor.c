/* The doctor: what is in a log as one JSON object, for people (the command line's tables and plots) and for programs.
 */
#include "data/doctor.h"

#include <math.h>
#include <string.h>

#include "data/doctor_impl.h"

typedef long long ll;

/* Hinnant, "chrono-compatible date algorithms": the civil date of a day. */
void pen__text_moment(pen__text *out, int64_t milliseconds)
{
    int64_t seconds = milliseconds / 1000 - (milliseconds % 1000 < 0), days = seconds / 86400 - (seconds % 86400 < 0);
    int64_t clock = seconds - days * 86400, z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097,
            doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100),
            mp = (5 * doy + 2) / 153;
    int64_t day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9,
            year = yoe + era * 400 + (month <= 2);
    pen__text_printf(out, "%04lld-%02lld-%02lldT%02lld:%02lld:%02lldZ", (ll)year, (ll)month, (ll)day,
                     (ll)(clock / 3600), (ll)(clock / 60 % 60), (ll)(clock % 60));
}

static void put_span(pen__text *out, pen__span s) { pen__text_json(out, s.text ? s.text : "", s.length); }

static void put_spread(pen__text *out, const char *name, const pen__spread *s, const pen_dataset *d, bool items)
{
    pen__text_printf(out,
                     ", \"%s\": {\"with_events\": %lld, \"without_events\": %lld, \"least\": %lld, \"median\": %g, "
                     "\"mean\": %.6g, \"most\": %lld, "
                     "\"histogram\": [",
                     name, (ll)s->n, (ll)s->unused, (ll)s->least, s->median, s->mean, (ll)s->most);
    for (int k = 0; k < PEN_N_BUCKETS; k++) {
        int32_t from = pen__bucket_least[k], to = k + 1 < PEN_N_BUCKETS ? pen__bucket_least[k + 1] - 1 : 0;
        pen__text_printf(out, "%s{\"events\": \"", k ? ", " : "");
        pen__text_printf(out, to == 0 ? "%d+" : from == to ? "%d" : "%d-%d", from, to);
        pen__text_printf(out, "\", \"from\": %d, \"%s\": %lld}", from, items ? "items" : "users", (ll)s->bucket[k]);
    }
    pen__text_printf(out, "], \"gini\": %.4f, \"top_percent\": %.4f, \"top\": [", s->gini, s->top_percent);
    for (int k = 0; k < PEN_N_TOP && s->top[k] >= 0; k++) {
        pen__text_puts(out, k ? ", {\"id\": " : "{\"id\": ");
        put_span(out, pen__strings_at(items ? &d->items : &d->users, s->top[k]));
        pen__span title = items ? pen__dataset_title(d, s->top[k]) : (pen__span){NULL, 0};
        if (title.length) pen__text_puts(out, ", \"title\": "), put_span(out, title);
        pen__text_printf(out, ", \"events\": %lld}", (ll)s->top_events[k]);
    }
    pen__text_puts(out, "], \"curve\": [");
    for (int k = 0; k < s->n_curve; k++)
        pen__text_printf(out, "%s[%.5g, %.5g]", k ? ", " : "", s->curve[k][0], s->curve[k][1]);
    pen__text_puts(out, "], \"ranks\": [");
    for (int k = 0; k < s->n_curve; k++)
        pen__text_printf(out, "%s[%lld, %lld]", k ? ", " : "", (ll)s->rank[k][0], (ll)s->rank[k][1]);
    pen__text_puts(out, "]}");
}

static void put_number(pen__text *out, double value)
{
    if (isfinite(value))
        pen__text_printf(out, "%.7g", value);
    else
        pen__text_puts(out, "null");
}

static void put_values(pen__text *out, const pen__values *v)
{
    pen__text_puts(out, ", \"values\": ");
    if (!v->any) {
        pen__text_puts(out, "null");
        return;
    }
    pen__text_printf(out, "{\"missing\": %lld, \"negative\": %lld, \"zero\": %lld, \"least\": ", (ll)v->missing,
                     (ll)v->negative, (ll)v->zero);
    put_number(out, v->least);
    pen__text_puts(out, ", \"median\": ");
    put_number(out, v->median);
    pen__text_puts(out, ", \"mean\": ");
    put_number(out, v->mean);
    pen__text_puts(out, ", \"most\": ");
    put_number(out, v->most);
    pen__text_puts(out, ", \"histogram\": [");
    for (int k = 0; k < v->n_value; k++) {
        pen__text_puts(out, k ? ", {\"value\": " : "{\"value\": ");
        put_number(out, v->value[k]);
        if (!v->different_exact) pen__text_puts(out, ", \"to\": "), put_number(out, v->value[k] + v->width);
        pen__text_printf(out, ", \"events\": %lld}", (ll)v->events[k]);
    }
    pen__text_puts(out, "]}");
}

static void put_time(pen__text *out, const pen__times *t, const char *name, int64_t at)
{
    pen__text_printf(out, ", \"%s\": ", name);
    if (t->is_date) {
        pen__text_puts(out, "\"");
        pen__text_moment(out, at);
        pen__text_puts(out, "\"");
    } else {
        pen__text_printf(out, "%.10g", (double)at / 1000);
    }
}

static void put_times(pen__text *out, const pen__times *t)
{
    pen__text_puts(out, ", \"times\": ");
    if (!t->any) {
        pen__text_puts(out, "null");
        return;
    }
    pen__text_printf(out, "{\"missing\": %lld, \"dates\": %s", (ll)t->missing, t->is_date ? "true" : "false");
    if (t->n) {
        put_time(out, t, "from", t->least);
        put_time(out, t, "to", t->most);
        pen__text_printf(out, ", \"days\": %.2f", ((double)t->most - (double)t->least) / 86400000);
        put_time(out, t, "commonest", t->commonest);
        pen__text_printf(out, ", \"commonest_events\": %lld", (ll)t->commonest_events);
    }
    pen__text_printf(out, ", \"future\": %lld, \"before_1980\": %lld, \"ties\": %lld, \"histogram\": [", (ll)t->future,
                     (ll)t->before_1980, (ll)t->tied);
    for (int k = 0; k < PEN_N_TIME_BINS && t->n; k++) pen__text_printf(out, "%s%lld", k ? ", " : "", (ll)t->bin[k]);
    pen__text_puts(out, "]}");
}

/* ---- event types, context columns, tables -------------------------------------------------------------------------
 */

static pen_status put_types(pen__text *out, const pen_dataset *d, pen_error *error)
{
    int64_t *count = NULL;
    pen__text_puts(out, ", \"event_types\": [");
    if (d->event) {
        PEN_TRY(PEN_NEW_ZERO(d->ctx, count, d->event_types.n + 1));
        for (int64_t i = 0; i < d->n_events; i++) count[d->event[i] < 0 ? d->event_types.n : d->event[i]]++;
        for (int64_t k = 0; k < d->event_types.n; k++) {
            pen__text_puts(out, k ? ", {\"type\": " : "{\"type\": ");
            put_span(out, pen__strings_at(&d->event_types, k));
            pen__text_printf(out, ", \"events\": %lld}", (ll)count[k]);
        }
        if (count[d->event_types.n])
            pen__text_printf(out, "%s{\"type\": null, \"events\": %lld}", d->event_types.n ? ", " : "",
                             (ll)count[d->event_types.n]);
        pen__free(d->ctx, count);
    }
    pen__text_puts(out, "]");
    return PEN_OK;
}

static const char *type_name(int32_t type)
{
    static const char *const names[] = {"?", "category", "categories", "number", "text", "vector"};
    return names[type >= 1 && type <= 5 ? type : 0];
}

/* The ten commonest words of a column of codes. */
static pen_status put_levels(pen__text *out, pen_context *ctx, const pen__column *c, pen_error *error)
{
    enum { SHOWN = 10 };
    int64_t *count = NULL, n = c->begin ? c->begin[c->rows] : c->rows, missing = 0;
    PEN_TRY(PEN_NEW_ZERO(ctx, count, c->words.n));
    for (int64_t i = 0; i < n; i++) {
        if (c->code[i] < 0)
            missing++;
        else
            count[c->code[i]]++;
    }
    for (int64_t r = 0; c->begin && r < c->rows; r++) missing += c->begin[r] == c->begin[r + 1];
    pen__text_printf(out, ", \"levels\": %lld, \"missing\": %lld, \"top\": [", (ll)c->words.n, (ll)missing);
    for (int k = 0; k < SHOWN && k < c->words.n; k++) {
        int64_t best = 0;
        for (int64_t w = 1; w < c->words.n; w++)
            if (count[w] > count[best]) best = w;
        pen__text_puts(out, k ? ", {\"level\": " : "{\"level\": ");
        put_span(out, pen__strings_at(&c->words, best));
        pen__text_printf(out, ", \"rows\": %lld}", (ll)count[best]);
        count[best] = -1;
    }
    pen__text_puts(out, "]");
    pen__free(ctx, count);
    return PEN_OK;
}

static void put_range(pen__text *out, const pen__column *c)
{
    int64_t n = 0, missing = 0;
    double least = INFINITY, most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < c->rows; i++) {
        double x = (double)c->number[i];
        if (isnan(x)) {
            missing++;
            continue;
        }
        n++, sum += x;
        if (x < least) least = x;
        if (x > most) most = x;
    }
    pen__text_printf(out, ", \"missing\": %lld", (ll)missing);
    if (!n) return;
    pen__text_puts(out, ", \"least\": ");
    put_number(out, least);
    pen__text_puts(out, ", \"mean\": ");
    put_number(out, sum / (double)n);
    pen__text_puts(out, ", \"most\": ");
    put_number(out, most);
}

static pen_status put_columns(pen__text *out, pen_context *ctx, const pen__column *column, int32_t n, pen_error *error)
{
    pen__text_puts(out, "[");
    for (int32_t k = 0; k < n; k++) {
        const pen__column *c = &column[k];
        pen__text_puts(out, k ? ", {\"column\": " : "{\"column\": ");
        pen__text_json(out, c->name, strlen(c->name));
        pen__text_printf(out, ", \"type\": \"%s\"", type_name(c->type));
        if (c->type == PEN_COLUMN_CATEGORY || c->type == PEN_COLUMN_CATEGORIES) PEN_TRY(put_levels(out, ctx, c, error));
        if (c->type == PEN_COLUMN_NUMBER) put_range(out, c);
        if (c->type == PEN_COLUMN_TEXT) {
            int64_t missing = 0;
            for (int64_t r = 0; r < c->rows; r++) missing += pen__strings_at(&c->words, r).length == 0;
            pen__text_printf(out, ", \"missing\": %lld", (ll)missing);
        }
        if (c->type == PEN_COLUMN_VECTOR) pen__text_printf(out, ", \"width\": %d", c->width);
        pen__text_puts(out, "}");
    }
    pen__text_puts(out, "]");
    return PEN_OK;
}

static pen_status put_tables(pen__text *out, const pen_dataset *d, pen_error *error)
{
    const pen__knowledge *k = &d->knowledge;
    pen__text_puts(out, ", \"context\": ");
    PEN_TRY(put_columns(out, d->ctx, d->context, d->n_context, error));
    pen__text_puts(out, ", \"item_table\": ");
    PEN_TRY(put_columns(out, d->ctx, d->item_table.column, d->item_table.rows ? d->item_table.n_columns : 0, error));
    pen__text_puts(out, ", \"user_table\": ");
    PEN_TRY(put_columns(out, d->ctx, d->user_table.column, d->user_table.rows ? d->user_table.n_columns : 0, error));
    if (!k->item_entity) return PEN_OK;
    int64_t linked = 0;
    for (int64_t i = 0; i < d->items.n; i++) linked += k->item_entity[i] >= 0;
    pen__text_printf(
        out, ", \"knowledge\": {\"triples\": %lld, \"entities\": %lld, \"relations\": %lld, \"linked_items\": %lld}",
        (ll)k->n_triples, (ll)k->entities.n, (ll)k->relations.n, (ll)linked);
    return PEN_OK;
}

/* ---- alike ids, the split ------------------------------------------------------------------------------------------
 */

static void put_alike(pen__text *out, const char *name, const pen__strings *ids, const pen__alike *alike)
{
    pen__text_printf(out, ", \"%s\": {\"ids\": %lld, \"examples\": [", name, (ll)alike->n);
    for (int k = 0; k < PEN_ALIKE_KEPT && k < alike->n; k++) {
        pen__text_puts(out, k ? ", [" : "[");
        put_span(out, pen__strings_at(ids, alike->pair[k][0]));
        pen__text_puts(out, ", ");
        put_span(out, pen__strings_at(ids, alike->pair[k][1]));
        pen__text_puts(out, "]");
    }
    pen__text_puts(out, "]}");
}

static double share(int64_t part, int64_t all) { return all ? (double)part / (double)all : 0; }

static void put_split(pen__text *out, const pen__split_findings *s)
{
    pen__text_printf(out, ", \"filters\": %s, \"split\": ", s->filters ? s->filters : "null");
    if (s->failed) {
        pen__text_puts(out, "{\"failed\": ");
        pen__text_json(out, s->message, strlen(s->message));
        pen__text_puts(out, "}");
        return;
    }
    pen__text_printf(
        out,
        "{\"parts\": %s, \"test_events\": %lld, \"test_users\": %lld, \"cold_users\": %lld, \"cold_user_share\": %.4f, "
        "\"cold_items\": %lld, \"cold_item_share\": %.4f, \"repeated_pairs\": %lld, \"trained_after_own_test\": %.4f, "
        "\"trained_after_first_test\": %.4f}",
        s->parts ? s->parts : "null", (ll)s->test_events, (ll)s->test_users, (ll)s->cold_users,
        share(s->cold_user_events, s->test_events), (ll)s->cold_items, share(s->cold_item_events, s->test_events),
        (ll)s->repeated, share(s->after_own, s->train_events), share(s->after_first, s->train_events));
}

static pen_status write_report(const pen__findings *f, pen__text *out, pen_error *error)
{
    const pen_dataset *d = f->data;
    double cells = (double)f->users.n * (double)f->items.n;
    pen__text_printf(out, "{\"data\": {\"path\": ");
    pen__text_json(out, d->source ? d->source : "", d->source ? strlen(d->source) : 0);
    pen__text_printf(out,
                     ", \"hash\": \"%016llx\"}, \"events\": %lld, \"users\": %lld, \"items\": %lld, \"pairs\": %lld, "
                     "\"density\": %.6g",
                     (unsigned long long)d->hash, (ll)d->n_events, (ll)f->users.n, (ll)f->items.n, (ll)f->pairs,
                     cells > 0 ? (double)f->pairs / cells : 0.0);
    pen__text_printf(out, ", \"duplicates\": {\"events\": %lld, \"pairs\": %lld, \"same_rows\": %lld}",
                     (ll)f->repeated_events, (ll)f->repeated_pairs, (ll)f->same_rows);
    put_spread(out, "events_per_user", &f->users, d, false);
    put_spread(out, "events_per_item", &f->items, d, true);
    put_values(out, &f->values);
    put_times(out, &f->times);
    PEN_TRY(put_types(out, d, error));
    PEN_TRY(put_tables(out, d, error));
    put_alike(out, "alike_users", &d->users, &f->alike_users);
    put_alike(out, "alike_items", &d->items, &f->alike_items);
    put_split(out, &f->split);
    pen__text_printf(out, ", \"reading\": %s, \"verdict\": ", d->notes ? d->notes : "null");
    pen__doctor_verdict(f, out);
    pen__text_puts(out, "}");
    PEN_CHECK(!out->failed, PEN_E_MEMORY, "out of memory for the doctor's report");
    return PEN_OK;
}

pen_status pen__doctor(const pen_dataset *dataset, const pen_protocol *protocol, pen__text *out, pen_error *error)
{
    pen__findings *f = NULL; /* a few kilobytes: not for the stack */
    PEN_TRY(PEN_NEW_ZERO(dataset->ctx, f, 1));
    f->data = dataset;
    f->protocol = protocol;
    pen_status status = PEN_OK;
    PEN_TRY_DONE(pen__doctor_count(f, error));
    if (dataset->n_events) PEN_TRY_DONE(pen__doctor_split(f, error));
    PEN_TRY_DONE(write_report(f, out, error));
done:
    pen__free(dataset->ctx, f->split.filters);
    pen__free(dataset->ctx, f->split.parts);
    pen__free(dataset->ctx, f);
    return status;
}
