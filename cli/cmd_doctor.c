/* penchant doctor: what is in a log, what is wrong with it, what to do about it. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "cli.h"
#include "log_notes.h"
#include "plot.h"
#include "text_table.h"
#include "words.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static double number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* One bar of at most `width` cells. */
static void bar(double share, int width, char *out, size_t room)
{
    int cells = (int)(share * width + 0.5);
    size_t at = 0;
    for (int i = 0; i < cells && at + 4 < room; i++) at += (size_t)snprintf(out + at, room - at, "\u2588");
    out[at] = 0;
}

static void counts(const json_t *r)
{
    printf("%.0f events, %.0f users, %.0f items; %.0f different pairs; density %.4f %%\n", number_of(r, "events"),
           number_of(r, "users"), number_of(r, "items"), number_of(r, "pairs"), 100 * number_of(r, "density"));
    const json_t *d = json_object_get(r, "duplicates");
    if (number_of(d, "events") > 0)
        printf("duplicates: %.0f events repeat a pair (%.0f pairs), %.0f rows stand twice as they are\n",
               number_of(d, "events"), number_of(d, "pairs"), number_of(d, "same_rows"));
    const json_t *t = json_object_get(r, "times");
    if (json_is_object(t))
        printf("times: %s to %s (%.1f days)%s\n", text_of(t, "from"), text_of(t, "to"), number_of(t, "days"),
               number_of(t, "missing") > 0 ? "; some are missing" : "");
    else
        puts("times: none");
}

/* Events per user or per item: a histogram with bars. */
static void spread(const json_t *r, const char *key, const char *what)
{
    const json_t *s = json_object_get(r, key), *row;
    double most = 1;
    size_t i, first = SIZE_MAX, last = 0;
    printf("\nevents per %.*s: least %.0f, median %.0f, mean %.1f, most %.0f; Gini %.3f; the top 1 %% of %s have %.0f "
           "%% of the events\n",
           (int)strlen(what) - 1, what, number_of(s, "least"), number_of(s, "median"), number_of(s, "mean"),
           number_of(s, "most"), number_of(s, "gini"), what, number_of(s, "top_percent") * 100);
    json_array_foreach (json_object_get(s, "histogram"), i, row) {
        most = fmax(most, number_of(row, what));
        if (number_of(row, what) > 0) last = i;
        if (number_of(row, what) > 0 && first > i) first = i;
    }
    json_array_foreach (json_object_get(s, "histogram"), i, row) {
        if (i < first || i > last) continue;
        char cells[256];
        bar(number_of(row, what) / most, 40, cells, sizeof cells);
        printf("  %12s %9.0f %s\n", text_of(row, "events"), number_of(row, what), cells);
    }
    const json_t *top = json_object_get(s, "top");
    if (!json_array_size(top)) return;
    fputs("  most:", stdout);
    json_array_foreach (top, i, row) {
        if (i == 5) break;
        const char *title = text_of(row, "title");
        printf("%s %s (%.0f)", i ? "," : "", *title ? title : text_of(row, "id"), number_of(row, "events"));
    }
    puts("");
}

/* The popularity curve: the share of events (up) that the most popular share of items (across) has. */
static void curve(const json_t *r)
{
    enum { WIDE = 60, HIGH = 12 };
    const json_t *points = json_object_get(json_object_get(r, "events_per_item"), "curve"), *point;
    char grid[HIGH][WIDE + 1];
    size_t i;
    if (json_array_size(points) < 2) return;
    memset(grid, ' ', sizeof grid);
    double x0 = 0, y0 = 0;
    json_array_foreach (points, i, point) {
        double x = json_number_value(json_array_get(point, 0)), y = json_number_value(json_array_get(point, 1));
        for (int c = (int)(x0 * (WIDE - 1)); c <= (int)(x * (WIDE - 1)); c++) {
            double at = x > x0 ? y0 + (y - y0) * fmin(1, fmax(0, (c / (double)(WIDE - 1) - x0) / (x - x0))) : y;
            int row = HIGH - 1 - (int)(at * (HIGH - 1) + 0.5);
            if (row >= 0 && row < HIGH && c < WIDE) grid[row][c] = '*';
        }
        x0 = x, y0 = y;
    }
    puts("\nshare of events (up) of the most popular share of items (across):");
    for (int row = 0; row < HIGH; row++)
        printf("  %4.0f %% |%.*s\n", 100.0 * (HIGH - 1 - row) / (HIGH - 1), WIDE, grid[row]);
    printf("         +%.*s\n         0 %%%*s\n", WIDE, "------------------------------------------------------------",
           WIDE - 4, "100 %");
}

static void values(const json_t *r)
{
    const json_t *v = json_object_get(r, "values"), *row;
    size_t i;
    if (!json_is_object(v)) return;
    printf("\nvalues: least %g, median %g, mean %.4g, most %g\n", number_of(v, "least"), number_of(v, "median"),
           number_of(v, "mean"), number_of(v, "most"));
    double most = 1;
    json_array_foreach (json_object_get(v, "histogram"), i, row) most = fmax(most, number_of(row, "events"));
    json_array_foreach (json_object_get(v, "histogram"), i, row) {
        char cells[256], name[64];
        bar(number_of(row, "events") / most, 40, cells, sizeof cells);
        if (isfinite(number_of(row, "to")))
            snprintf(name, sizeof name, "%g-%g", number_of(row, "value"), number_of(row, "to"));
        else
            snprintf(name, sizeof name, "%g", number_of(row, "value"));
        printf("  %12s %9.0f %s\n", name, number_of(row, "events"), cells);
    }
}

static void columns(const json_t *r, const char *key, const char *words)
{
    const json_t *rows = json_object_get(r, key), *column, *level;
    size_t i, k;
    if (!json_array_size(rows)) return;
    printf("\n%s:\n", words);
    json_array_foreach (rows, i, column) {
        const char *name = text_of(column, *text_of(column, "column") ? "column" : "type");
        printf("  %-18s", name);
        if (json_object_get(column, "column")) printf(" %-10s", text_of(column, "type"));
        if (json_object_get(column, "events")) printf(" %.0f events", number_of(column, "events"));
        if (json_object_get(column, "levels")) printf(" %.0f levels", number_of(column, "levels"));
        if (number_of(column, "missing") > 0) printf(", %.0f missing", number_of(column, "missing"));
        json_array_foreach (json_object_get(column, "top"), k, level)
            if (k < 4) printf("%s %s", k ? "," : ":", text_of(level, "level"));
        puts("");
    }
}

static void split_part(const json_t *r)
{
    const json_t *s = json_object_get(r, "split");
    if (!json_is_object(s)) return;
    if (json_object_get(s, "failed")) {
        printf("\nthe split fails: %s\n", text_of(s, "failed"));
        return;
    }
    printf("\nsplit %s: %.0f test events of %.0f users; cold: %.1f %% of the test's users, %.1f %% of its items; %.0f "
           "test pairs stand in training\n",
           text_of(json_object_get(s, "parts"), "split"), number_of(s, "test_events"), number_of(s, "test_users"),
           100 * number_of(s, "cold_user_share"), 100 * number_of(s, "cold_item_share"),
           number_of(s, "repeated_pairs"));
}

static void verdict(const json_t *r)
{
    size_t i;
    const json_t *finding, *rows = json_object_get(r, "verdict");
    puts("\nverdict:");
    if (!json_array_size(rows)) puts("  nothing stands in the way");
    json_array_foreach (rows, i, finding)
        printf("  %-8s %s\n           %s\n", text_of(finding, "severity"), text_of(finding, "what"),
               text_of(finding, "do"));
}

static int render(const call *c, const char *json)
{
    if (c->format && !strcmp(c->format, "json")) {
        fputs(json, stdout);
        putchar('\n');
        return EXIT_DONE;
    }
    json_t *r = json_loads(json, 0, NULL);
    if (!r) return fprintf(stderr, "penchant: the report is not JSON; please report this\n"), EXIT_FAILED;
    words_clean_json(r);
    counts(r);
    spread(r, "events_per_user", "users");
    spread(r, "events_per_item", "items");
    curve(r);
    values(r);
    columns(r, "event_types", "event types");
    columns(r, "context", "context columns");
    columns(r, "item_table", "table of items");
    columns(r, "user_table", "table of users");
    split_part(r);
    verdict(r);
    json_decref(r);
    return EXIT_DONE;
}

static int examine(const call *c, pen_context *ctx)
{
    pen_dataset *log = NULL;
    pen_report *report = NULL;
    pen_error error = {0};
    int status = load(c, ctx, c->args.at, c->args.n, &log);
    if (status != EXIT_DONE) return status;
    notes_warn(c, log);
    if (pen_doctor(log, &c->protocol, &report, &error) == PEN_OK)
        status = render(c, pen_report_json(report));
    else
        status = fail(&error);
    if (status == EXIT_DONE && c->plot) status = plot_popularity(c, pen_report_json(report), c->plot);
    pen_report_destroy(report);
    pen_dataset_destroy(log);
    return status;
}

static int run(call *c)
{
    pen_context *ctx;
    if (c->format && !strcmp(c->format, "csv"))
        return usage(c, "doctor answers in words or as JSON (--format json), not as CSV");
    int status = settle_protocol(c);
    if (status == EXIT_DONE) status = open_context(c, &ctx);
    if (status != EXIT_DONE) return status;
    status = examine(c, ctx);
    pen_context_destroy(ctx);
    return status;
}

const command doctor_command = {
    .name = "doctor",
    .arguments = "LOG...",
    .summary = "what is in a log, what is wrong with it, what to do about it",
    .more = "Counts, skew, duplicates, times, what is suspicious, and what a split would leave cold; a verdict in "
            "words.\n\n"
            "  penchant doctor ratings.csv\n"
            "  penchant doctor log.pds --split time:0.8 --plot popularity.svg",
    .groups = FOR_DATA | FOR_SPLIT | FOR_COMPARE,
    .least = 1,
    .most = -1,
    .run = run,
};
