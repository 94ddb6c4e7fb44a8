/* Pictures of results, as SVG by hand: panels side by side, one a metric; rows are models, dots means, bars intervals. */
#include "plot.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

enum { LEFT = 110, PANEL = 240, GAP = 28, ROW = 26, TOP = 56, MAX_PANELS = 8 };

static double at(const json_t *metric, const char *key)
{
    const json_t *value = json_object_get(metric, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void bounds(const json_t *results, const char *name, double *low, double *high)
{
    size_t i;
    const json_t *result;
    *low = INFINITY;
    *high = -INFINITY;
    json_array_foreach((json_t *)(uintptr_t)results, i, result) {
        const json_t *metric = json_object_get(json_object_get(result, "metrics"), name);
        const double values[] = {at(metric, "mean"), at(metric, "low"), at(metric, "high")};
        for (int k = 0; k < 3; k++) {
            if (!isfinite(values[k])) continue;
            *low = fmin(*low, values[k]);
            *high = fmax(*high, values[k]);
        }
    }
    if (!(*low <= *high)) *low = 0, *high = 1;
    double margin = (*high - *low) * 0.06 + 1e-6;
    *low -= margin;
    *high += margin;
}

static void panel(FILE *out, const json_t *results, const char *name, double x)
{
    double low, high;
    size_t i, n = json_array_size(results);
    const json_t *result;
    bounds(results, name, &low, &high);
    double scale = PANEL / (high - low);
    fprintf(out, "<text x=\"%.1f\" y=\"%d\" font-weight=\"bold\">%s</text>\n", x, TOP - 30, name);
    for (int tick = 0; tick <= 2; tick++) {
        double value = low + (high - low) * (0.1 + 0.4 * tick), tx = x + (value - low) * scale;
        fprintf(out, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%zu\" stroke=\"#ddd\"/><text x=\"%.1f\" y=\"%d\" fill=\"#666\" font-size=\"10\" "
                "text-anchor=\"middle\">%.4g</text>\n", tx, tx, TOP - 12, TOP + n * ROW - 8, tx, TOP - 16, value);
    }
    json_array_foreach((json_t *)(uintptr_t)results, i, result) {
        const json_t *metric = json_object_get(json_object_get(result, "metrics"), name);
        double mean = at(metric, "mean"), from = at(metric, "low"), to = at(metric, "high");
        double y = (double)TOP + (double)i * ROW;
        if (!isfinite(mean)) continue;
        if (isfinite(from) && isfinite(to))
            fprintf(out, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#2f6f9f\" stroke-width=\"2\"/>\n", x + (from - low) * scale,
                    x + (to - low) * scale, y, y);
        fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"#2f6f9f\"><title>%s %s: %.4f [%.4f, %.4f]</title></circle>\n",
                x + (mean - low) * scale, y, json_string_value(json_object_get(result, "model")), name, mean, from, to);
    }
}

static void draw(FILE *out, const json_t *root)
{
    const json_t *results = json_object_get(root, "results");
    size_t i, n = json_array_size(results), panels = 0;
    const json_t *result, *metrics = NULL;
    json_array_foreach((json_t *)(uintptr_t)results, i, result)
        if (!metrics) metrics = json_object_get(result, "metrics");
    panels = json_object_size(metrics) < MAX_PANELS ? json_object_size(metrics) : MAX_PANELS;
    size_t width = LEFT + panels * (PANEL + GAP), height = TOP + n * ROW + 12;
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %zu %zu\" width=\"%zu\" height=\"%zu\" font-family=\"sans-serif\" font-size=\"12\" "
            "role=\"img\" aria-label=\"comparison of models\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n", width, height, width, height);
    json_array_foreach((json_t *)(uintptr_t)results, i, result)
        fprintf(out, "<text x=\"%d\" y=\"%zu\" text-anchor=\"end\">%s</text>\n", LEFT - 10, TOP + i * ROW + 4, json_string_value(json_object_get(result, "model")));
    size_t p = 0;
    const char *name;
    json_t *metric;
    json_object_foreach((json_t *)(uintptr_t)metrics, name, metric)
        if (p < panels) panel(out, results, name, LEFT + (double)p++ * (PANEL + GAP));
    fputs("</svg>\n", out);
}

static int write_picture(const call *c, const char *json, const char *path, void (*picture)(FILE *, const json_t *))
{
    json_t *root = json_loads(json, 0, NULL);
    FILE *out = fopen(path, "w");
    if (!out || !root) {
        if (!out) fprintf(stderr, "penchant: cannot write '%s': %s\n", path, strerror(errno));
        if (out) fclose(out);
        json_decref(root);
        return EXIT_FAILED;
    }
    picture(out, root);
    json_decref(root);
    bool failed = ferror(out);
    if (fclose(out) || failed) return fprintf(stderr, "penchant: cannot write '%s': %s\n", path, strerror(errno)), EXIT_FAILED;
    say(c, "wrote %s", path);
    return EXIT_DONE;
}

int plot_report(const call *c, const char *json, const char *path) { return write_picture(c, json, path, draw); }

/* A frame of 300 x 200 at (x, y) with its words, for one line. */
static void frame(FILE *out, double x, const char *title, const char *across, const char *up)
{
    fprintf(out, "<text x=\"%.0f\" y=\"22\" font-weight=\"bold\">%s</text>\n<rect x=\"%.0f\" y=\"36\" width=\"300\" height=\"200\" fill=\"none\" "
            "stroke=\"#999\"/>\n<text x=\"%.0f\" y=\"256\" text-anchor=\"middle\" fill=\"#555\">%s</text>\n<text x=\"%.0f\" y=\"136\" fill=\"#555\" "
            "text-anchor=\"middle\" transform=\"rotate(-90 %.0f 136)\">%s</text>\n", x, title, x, x + 150, across, x - 10, x - 10, up);
}

static void popularity(FILE *out, const json_t *root)
{
    const json_t *items = json_object_get(root, "events_per_item"), *point, *ranks = json_object_get(items, "ranks");
    size_t i, n = json_array_size(ranks);
    fputs("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 270\" width=\"760\" height=\"270\" font-family=\"sans-serif\" font-size=\"12\" "
          "role=\"img\" aria-label=\"popularity of items\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n", out);
    frame(out, 40, "share of events of the most popular items", "share of items", "share of events");
    fputs("<polyline fill=\"none\" stroke=\"#2f6f9f\" stroke-width=\"2\" points=\"40,236", out);
    json_array_foreach(json_object_get(items, "curve"), i, point)
        fprintf(out, " %.1f,%.1f", 40 + 300 * json_number_value(json_array_get(point, 0)), 236 - 200 * json_number_value(json_array_get(point, 1)));
    fputs("\"/>\n", out);
    frame(out, 420, "events of each item, by rank (both logarithmic)", "rank", "events");
    double last = n ? json_number_value(json_array_get(json_array_get(ranks, n - 1), 0)) : 1;
    double most = n ? json_number_value(json_array_get(json_array_get(ranks, 0), 1)) : 1;
    fputs("<polyline fill=\"none\" stroke=\"#b5532b\" stroke-width=\"2\" points=\"", out);
    json_array_foreach((json_t *)(uintptr_t)ranks, i, point) {
        double rank = json_number_value(json_array_get(point, 0)), events = json_number_value(json_array_get(point, 1));
        if (rank >= 1 && events >= 1)
            fprintf(out, "%.1f,%.1f ", 420 + 300 * log(rank) / fmax(1e-9, log(fmax(2, last))), 236 - 200 * log(events) / fmax(1e-9, log(fmax(2, most))));
    }
    fputs("\"/>\n</svg>\n", out);
}

int plot_popularity(const call *c, const char *json, const char *path) { return write_picture(c, json, path, popularity); }
