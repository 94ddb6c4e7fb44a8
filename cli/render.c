/* Rendering: tables for people, CSV, and reports from their JSON. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "cli.h"
#include "render.h"

struct table {
    size_t n_columns, n_rows, cap;
    char **cell; /* (1 + n_rows) x n_columns, the header first */
};

/* Cells of a terminal that a character takes: East Asian wide ones two, combining marks none. */
static size_t cells_of(uint32_t c)
{
    if (c >= 0x300 && c < 0x370) return 0;
    bool wide = (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) || (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
                (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) || (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD);
    return wide ? 2 : 1;
}

size_t text_width(const char *text)
{
    size_t width = 0;
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        int more = *s < 0xC0 ? 0 : *s < 0xE0 ? 1 : *s < 0xF0 ? 2 : 3;
        uint32_t c = more == 0 ? *s : *s & (0x3Fu >> more);
        s++;
        for (; more > 0 && (*s & 0xC0) == 0x80; more--) c = c << 6 | (*s++ & 0x3Fu);
        width += cells_of(c);
    }
    return width;
}

table *table_create(size_t n_columns, const char *const *header)
{
    table *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->n_columns = n_columns;
    table_row(t, header);
    return t;
}

/* Control characters would break the lines of a table. */
static char *clean(const char *text)
{
    char *copy = strdup(text ? text : "");
    for (char *c = copy; c && *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F) *c = ' ';
    return copy;
}

void table_row(table *t, const char *const *cells)
{
    if (!t) return;
    if (t->n_rows == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 16;
        char **grown = realloc(t->cell, cap * t->n_columns * sizeof *grown);
        if (!grown) return;
        t->cell = grown;
        t->cap = cap;
    }
    for (size_t c = 0; c < t->n_columns; c++) t->cell[t->n_rows * t->n_columns + c] = clean(cells[c]);
    t->n_rows++;
}

static bool numeric(const char *text)
{
    return *text && strspn(text, "0123456789.+-eE%[], ") == strlen(text);
}

static void spaces(size_t n, FILE *out)
{
    while (n--) fputc(' ', out);
}

/* A column is numeric when all of its cells that say anything are. */
static bool right_aligned(const table *t, size_t c)
{
    bool any = false;
    for (size_t r = 1; r < t->n_rows; r++) {
        const char *cell = t->cell[r * t->n_columns + c];
        if (!*cell || !strcmp(cell, "-")) continue;
        if (!numeric(cell)) return false;
        any = true;
    }
    return any;
}

void table_print(const table *t, FILE *out)
{
    if (!t) return;
    size_t *width = calloc(t->n_columns, sizeof *width);
    bool *right = calloc(t->n_columns, sizeof *right);
    for (size_t c = 0; width && right && c < t->n_columns; c++) {
        right[c] = right_aligned(t, c);
        for (size_t r = 0; r < t->n_rows; r++) {
            size_t w = text_width(t->cell[r * t->n_columns + c]);
            if (w > width[c]) width[c] = w;
        }
    }
    for (size_t r = 0; width && right && r < t->n_rows; r++) {
        for (size_t c = 0; c < t->n_columns; c++) {
            const char *cell = t->cell[r * t->n_columns + c];
            size_t pad = width[c] - text_width(cell);
            if (c) spaces(2, out);
            if (right[c]) spaces(pad, out);
            if (r == 0 && colour(out)) fprintf(out, "\033[1m%s\033[0m", cell);
            else fputs(cell, out);
            if (!right[c] && c + 1 < t->n_columns) spaces(pad, out);
        }
        fputc('\n', out);
    }
    free(width);
    free(right);
}

static void csv_cell(const char *text, FILE *out)
{
    if (!strpbrk(text, ",\"\n\r")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"') fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

void table_csv(const table *t, FILE *out)
{
    for (size_t r = 0; t && r < t->n_rows; r++)
        for (size_t c = 0; c < t->n_columns; c++) {
            csv_cell(t->cell[r * t->n_columns + c], out);
            fputc(c + 1 < t->n_columns ? ',' : '\n', out);
        }
}

void table_destroy(table *t)
{
    if (!t) return;
    for (size_t i = 0; i < t->n_rows * t->n_columns; i++) free(t->cell[i]);
    free(t->cell);
    free(t);
}

void table_show(const call *c, table *t)
{
    if (c->format && !strcmp(c->format, "csv"))
        table_csv(t, stdout);
    else
        table_print(t, stdout);
}

/* ---- reports of evaluate and compare ----------------------------------------------------------------------------------- */

enum { CELL = 64, MAX_CELLS = 256 };

static double number_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void metric_cell(const json_t *metric, bool interval, char *out)
{
    double mean = number_at(metric, "mean"), low = number_at(metric, "low"), high = number_at(metric, "high");
    if (!isfinite(mean))
        snprintf(out, CELL, "-");
    else if (interval && isfinite(low))
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
    json_array_foreach((json_t *)(uintptr_t)results, i, result)
        if (!first && json_object_get(result, "metrics")) first = json_object_get(result, "metrics");
    cells[n++] = "model";
    const char *name;
    json_t *metric;
    json_object_foreach((json_t *)(uintptr_t)first, name, metric) {
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
    json_array_foreach((json_t *)(uintptr_t)results, i, result) {
        size_t m = 0;
        cells[m++] = json_string_value(json_object_get(result, "model"));
        if (json_object_get(result, "skipped")) {
            while (m < n) cells[m++] = "-";
            table_row(t, cells);
            continue;
        }
        const json_t *metrics = json_object_get(result, "metrics"), *seconds = json_object_get(result, "seconds");
        json_object_foreach((json_t *)(uintptr_t)metrics, name, metric) {
            if (m + 8 > MAX_CELLS) break;
            metric_cell(metric, !csv, store[m]);
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
        const double values[] = {number_at(result, "epochs"), number_at(seconds, "train"), number_at(seconds, "evaluate"),
                                 number_at(result, "memory_bytes") / 1e6};
        static const char *const forms[] = {"%.3g", "%.2f", "%.2f", "%.0f"};
        for (size_t k = 0; k < 4; k++, m++) {
            snprintf(store[m], CELL, forms[k], values[k]);
            cells[m] = isnan(values[k]) || (k == 0 && !(values[k] > 0)) ? "-" : store[m];
        }
        table_row(t, cells);
    }
    table_show(c, t);
    table_destroy(t);
    json_array_foreach((json_t *)(uintptr_t)results, i, result) {
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
    json_array_foreach((json_t *)(uintptr_t)tests, i, test) {
        char difference[CELL], interval[CELL], p[CELL], holm[CELL];
        double ph = number_at(test, "p_holm");
        metric = json_string_value(json_object_get(test, "metric"));
        snprintf(difference, CELL, "%+.4f", number_at(test, "difference"));
        snprintf(interval, CELL, "[%+.4f, %+.4f]", number_at(test, "low"), number_at(test, "high"));
        snprintf(p, CELL, "%.4f", number_at(test, "p"));
        snprintf(holm, CELL, "%.4f", ph);
        const char *const cells[] = {json_string_value(json_object_get(test, "a")), json_string_value(json_object_get(test, "b")), difference,
                                     interval, p, holm, ph < 0.05 ? "differ" : "may be equal"};
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
    json_array_foreach((json_t *)(uintptr_t)groups, i, group) {
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
        json_object_foreach((json_t *)(uintptr_t)columns, name, unused) {
            if (n + 1 > MAX_CELLS) break;
            metric_cell(json_object_get(json_object_get(group, "metrics"), name), true, store[n]);
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
    json_object_foreach((json_t *)(uintptr_t)first, kind, groups) {
        const json_t *columns = json_object_get(json_array_get(groups, 0), "metrics");
        const char *header[MAX_CELLS];
        size_t n = 0, i;
        header[n++] = "model";
        header[n++] = kind;
        header[n++] = "n";
        json_object_foreach((json_t *)(uintptr_t)columns, name, metric)
            if (n + 1 < MAX_CELLS) header[n++] = name;
        table *t = table_create(n, header);
        json_array_foreach((json_t *)(uintptr_t)results, i, result)
            group_rows(t, json_string_value(json_object_get(result, "model")), json_object_get(json_object_get(result, "groups"), kind), columns);
        printf("\nby %s:\n", kind);
        table_print(t, stdout);
        table_destroy(t);
    }
}

/* One line for each fact that tells what the numbers mean. */
static void protocol_words(const call *c, const json_t *root)
{
    const json_t *data = json_object_get(root, "data"), *p = json_object_get(root, "protocol");
    const char *split = json_string_value(json_object_get(p, "split")), *ranking = json_string_value(json_object_get(p, "ranking"));
    const json_t *parts = json_object_get(p, "parts"), *cases = json_object_get(p, "cases");
    say(c, "data: %s, %lld users, %lld items, %lld events, hash %s", json_string_value(json_object_get(data, "path")),
        (long long)number_at(data, "users"), (long long)number_at(data, "items"), (long long)number_at(data, "events"),
        json_string_value(json_object_get(data, "hash")));
    char *filters = json_dumps(json_object_get(p, "filters"), JSON_COMPACT), *split_notes = json_dumps(parts, JSON_COMPACT),
         *case_notes = json_dumps(cases, JSON_COMPACT);
    if (filters && strcmp(filters, "[]")) say(c, "filters: %s", filters);
    if (parts) say(c, "split: %s%s%s", split ? split : "default", split_notes ? " " : "", split_notes ? split_notes : "");
    say(c, "test: %s%s%s", ranking ? ranking : "ratings", case_notes ? " " : "", case_notes ? case_notes : "");
    if (json_object_get(p, "refit"))
        say(c, "refit %s; seed %lld", json_is_true(json_object_get(p, "refit")) ? "yes" : "no", (long long)number_at(root, "seed"));
    say(c, "intervals: %s", json_string_value(json_object_get(p, "intervals")));
    free(filters);
    free(split_notes);
    free(case_notes);
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
        fprintf(stderr, "penchant: the report is not JSON (%s at %d); please report this\n", where.text, where.position);
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
