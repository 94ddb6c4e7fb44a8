/* Reports of evaluate, compare and score, from their JSON: tables for people or CSV on standard output, and on standard
 * error what the numbers mean. */
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "text_table.h"

enum { CELL = 64, MAX_CELLS = 256 };

static double number_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void metric_cell(const json_t *metric, char *out)
{
    double mean = number_at(metric, "mean"), low = number_at(metric, "low"), high = number_at(metric, "high");
    if (!isfinite(mean))
        snprintf(out, CELL, "-");
    else if (isfinite(low))
        snprintf(out, CELL, "%.4f [%.4f, %.4f]", mean, low, high);
    else
        snprintf(out, CELL, "%.4f", mean);
}

/* Rows of results; CSV has low and high in columns of their own. */
static void results_table(const call *c, const json_t *results)
{
    bool csv = c->format && !strcmp(c->format, "csv");
    const char *cells[MAX_CELLS];
    char store[MAX_CELLS][CELL];
    size_t n = 0, i;
    const json_t *first = NULL, *result;
    json_array_foreach ((json_t *)(uintptr_t)results, i, result)
        if (!first && json_object_get(result, "metrics")) first = json_object_get(result, "metrics");
    cells[n++] = "model";
    const char *name;
    json_t *metric;
    json_object_foreach ((json_t *)(uintptr_t)first, name, metric) {
        if (n + 8 > MAX_CELLS) break;
        cells[n++] = name;
        for (int side = 0; csv && side < 2; side++) {
            snprintf(store[n], CELL, "%s %s", name, side ? "high" : "low");
            cells[n] = store[n];
            n++;
        }
    }
    const char *const last[] = {"epochs", "train s", "evaluate s", "MB"};
    for (size_t k = 0; k < 4; k++) cells[n++] = last[k];
    table *t = table_create(n, cells);
    json_array_foreach ((json_t *)(uintptr_t)results, i, result) {
        size_t m = 0;
        cells[m++] = json_string_value(json_object_get(result, "model"));
        if (json_object_get(result, "skipped")) {
            while (m < n) cells[m++] = "-";
            table_row(t, cells);
            continue;
        }
        const json_t *metrics = json_object_get(result, "metrics"), *seconds = json_object_get(result, "seconds");
        json_object_foreach ((json_t *)(uintptr_t)metrics, name, metric) {
            if (m + 8 > MAX_CELLS) break;
            if (csv)
                snprintf(store[m], CELL, isfinite(number_at(metric, "mean")) ? "%.6f" : "", number_at(metric, "mean"));
            else
                metric_cell(metric, store[m]);
            cells[m] = store[m];
            m++;
            static const char *const sides[] = {"low", "high"};
            for (int side = 0; csv && side < 2; side++) {
                double v = number_at(metric, sides[side]);
                snprintf(store[m], CELL, isfinite(v) ? "%.6f" : "", v);
                cells[m] = store[m];
                m++;
            }
        }
        const double values[] = {number_at(result, "epochs"), number_at(seconds, "train"),
                                 number_at(seconds, "evaluate"), number_at(result, "memory_bytes") / 1e6};
        static const char *const forms[] = {"%.3g", "%.2f", "%.2f", "%.0f"};
        for (size_t k = 0; k < 4; k++, m++) {
            snprintf(store[m], CELL, forms[k], values[k]);
            cells[m] = isnan(values[k]) || (k == 0 && !(values[k] > 0)) ? "-" : store[m];
        }
        table_row(t, cells);
    }
    table_show(c, t);
    table_destroy(t);
    json_array_foreach ((json_t *)(uintptr_t)results, i, result) {
        const char *why = json_string_value(json_object_get(result, "skipped"));
        if (why) say(c, "%s was left out: %s", json_string_value(json_object_get(result, "model")), why);
    }
}

static void tests_table(const json_t *tests)
{
    static const char *const header[] = {"a", "b", "b - a", "95 % interval", "p", "p (Holm)", ""};
    table *t = table_create(7, header);
    size_t i;
    const json_t *test;
    const char *metric = NULL;
    json_array_foreach ((json_t *)(uintptr_t)tests, i, test) {
        char difference[CELL], interval[CELL], p[CELL], holm[CELL];
        double ph = number_at(test, "p_holm");
        metric = json_string_value(json_object_get(test, "metric"));
        snprintf(difference, CELL, "%+.4f", number_at(test, "difference"));
        snprintf(interval, CELL, "[%+.4f, %+.4f]", number_at(test, "low"), number_at(test, "high"));
        snprintf(p, CELL, "%.4f", number_at(test, "p"));
        snprintf(holm, CELL, "%.4f", ph);
        const char *const cells[] = {json_string_value(json_object_get(test, "a")),
                                     json_string_value(json_object_get(test, "b")),
                                     difference,
                                     interval,
                                     p,
                                     holm,
                                     ph < 0.05 ? "differ" : "may be equal"};
        table_row(t, cells);
    }
    if (metric) {
        printf("\n%s, paired randomisation tests, Holm's correction over all pairs:\n", metric);
        table_print(t, stdout);
    }
    table_destroy(t);
}

/* One row a model and group; columns are the metrics of the first group. */
static void group_rows(table *t, const char *model, const json_t *groups, const json_t *columns)
{
    size_t i;
    const json_t *group;
    json_array_foreach ((json_t *)(uintptr_t)groups, i, group) {
        const char *cells[MAX_CELLS], *name;
        char store[MAX_CELLS][CELL];
        size_t n = 0;
        json_t *unused;
        cells[n++] = model;
        double from = number_at(group, "from"), to = number_at(group, "to");
        if (isfinite(from) && isfinite(to))
            snprintf(store[n], CELL, "%s (%.6g to %.6g)", json_string_value(json_object_get(group, "group")), from, to);
        else
            snprintf(store[n], CELL, "%s", json_string_value(json_object_get(group, "group")));
        cells[n] = store[n];
        n++;
        snprintf(store[n], CELL, "%.0f", number_at(group, "n"));
        cells[n] = store[n];
        n++;
        json_object_foreach ((json_t *)(uintptr_t)columns, name, unused) {
            if (n + 1 > MAX_CELLS) break;
            metric_cell(json_object_get(json_object_get(group, "metrics"), name), store[n]);
            cells[n] = store[n];
            n++;
        }
        table_row(t, cells);
    }
}

/* A table for each way of grouping. */
static void groups_tables(const json_t *results)
{
    const json_t *first = json_object_get(json_array_get(results, 0), "groups"), *result;
    const char *kind, *name;
    json_t *groups, *metric;
    json_object_foreach ((json_t *)(uintptr_t)first, kind, groups) {
        const json_t *columns = json_object_get(json_array_get(groups, 0), "metrics");
        const char *header[MAX_CELLS];
        size_t n = 0, i;
        header[n++] = "model";
        header[n++] = kind;
        header[n++] = "n";
        json_object_foreach ((json_t *)(uintptr_t)columns, name, metric)
            if (n + 1 < MAX_CELLS) header[n++] = name;
        table *t = table_create(n, header);
        json_array_foreach ((json_t *)(uintptr_t)results, i, result)
            group_rows(t, json_string_value(json_object_get(result, "model")),
                       json_object_get(json_object_get(result, "groups"), kind), columns);
        printf("\nby %s:\n", kind);
        table_print(t, stdout);
        table_destroy(t);
    }
}

/* ---- what the numbers mean, one fact a line ---------------------------------------------------------------------- */

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static long long count_at(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* A line that grows by pieces; what passes its end is cut. */
typedef struct line {
    char text[640];
    size_t used;
} line;

static void add(line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(line *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(l->text + l->used, sizeof l->text - l->used, format, args);
    va_end(args);
    if (n > 0) l->used = l->used + (size_t)n < sizeof l->text ? l->used + (size_t)n : sizeof l->text - 1;
}

static void data_words(const call *c, const json_t *data)
{
    say(c, "data: %s, %lld users, %lld items, %lld events, hash %s", text_at(data, "path"), count_at(data, "users"),
        count_at(data, "items"), count_at(data, "events"), text_at(data, "hash"));
    if (count_at(data, "dropped"))
        say(c, "  %lld bad rows were left out while reading (--on-error skip)", count_at(data, "dropped"));
}

static void filter_words(const call *c, const json_t *filters)
{
    size_t i;
    const json_t *step;
    json_array_foreach (filters, i, step) {
        if (!i) continue; /* all of it, said already */
        say(c, "  after %s: %lld events, %lld users, %lld items", text_at(step, "step"), count_at(step, "events"),
            count_at(step, "users"), count_at(step, "items"));
    }
}

static void add_moment(line *l, const char *words, const json_t *seconds)
{
    time_t moment = (time_t)json_number_value(seconds);
    struct tm parts;
    char text[32];
    if (!json_is_number(seconds) || !gmtime_r(&moment, &parts)) return;
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    add(l, "; %s from %s", words, text);
}

static void split_words(const call *c, const json_t *parts)
{
    static const char *const keys[] = {"train", "valid", "test", "valid_history", "test_history"};
    static const char *const names[] = {"training", "validation", "test", "validation's history", "the test's history"};
    line l = {.used = 0};
    add(&l, "split: %s", text_at(parts, "split"));
    if (json_object_get(parts, "fold")) add(&l, " (fold %lld)", count_at(parts, "fold") + 1);
    const char *mark = ":";
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        const json_t *part = json_object_get(parts, keys[k]);
        if (!part) continue;
        add(&l, "%s %s %lld events of %lld users", mark, names[k], count_at(part, "events"), count_at(part, "users"));
        if (json_object_get(part, "positive")) add(&l, " (%lld positive)", count_at(part, "positive"));
        mark = ",";
    }
    add_moment(&l, "validation", json_object_get(parts, "valid_from"));
    add_moment(&l, "test", json_object_get(parts, "test_from"));
    say(c, "%s", l.text);
}

/* Whom the test asks, and what of it could not count. */
static void case_words(const call *c, const char *ranking, const json_t *cases)
{
    static const struct {
        const char *key, *words;
    } odd[] = {{"folded_in", "users folded in"},
               {"without_history", "users without a history"},
               {"unknown_items", "events of items that training lacks"},
               {"already_seen", "events left out: their pair is in training"},
               {"users_left_out", "users left out: nothing of theirs can be tested"}};
    line l = {.used = 0};
    add(&l, "test: %s, %lld users, %lld events", ranking, count_at(cases, "users"), count_at(cases, "events"));
    for (size_t k = 0; k < sizeof odd / sizeof *odd; k++)
        if (count_at(cases, odd[k].key)) add(&l, "; %lld %s", count_at(cases, odd[k].key), odd[k].words);
    const json_t *candidates = json_object_get(cases, "candidates");
    if (count_at(candidates, "items"))
        add(&l, "; among %lld drawn items each (%s)", count_at(candidates, "items"), text_at(candidates, "drawn"));
    say(c, "%s", l.text);
}

static void protocol_words(const call *c, const json_t *root)
{
    const json_t *p = json_object_get(root, "protocol");
    const char *ranking = json_string_value(json_object_get(p, "ranking"));
    data_words(c, json_object_get(root, "data"));
    filter_words(c, json_object_get(p, "filters"));
    if (json_object_get(p, "parts")) split_words(c, json_object_get(p, "parts"));
    case_words(c, ranking ? ranking : "ratings", json_object_get(p, "cases"));
    if (json_object_get(p, "refit"))
        say(c, "%s before the test; seed %lld",
            json_is_true(json_object_get(p, "refit")) ? "fitted again on training and validation" : "not fitted again",
            count_at(root, "seed"));
    say(c, "intervals: %s", text_at(p, "intervals"));
}

int render_report(const call *c, const char *json)
{
    if (c->format && !strcmp(c->format, "json")) {
        fputs(json, stdout);
        return EXIT_DONE;
    }
    json_error_t where;
    json_t *root = json_loads(json, 0, &where);
    if (!root) {
        fprintf(stderr, "penchant: the report is not JSON (%s at %d); please report this\n", where.text,
                where.position);
        return EXIT_FAILED;
    }
    protocol_words(c, root);
    results_table(c, json_object_get(root, "results"));
    if (!c->format || strcmp(c->format, "csv")) {
        tests_table(json_object_get(root, "tests"));
        groups_tables(json_object_get(root, "results"));
    }
    json_decref(root);
    return EXIT_DONE;
}
