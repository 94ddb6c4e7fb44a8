/* Pictures of results, as SVG by hand: panels side by side, one a metric; rows are models, dots means, bars
 * intervals. */
#include "plot.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "svg.h"

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
    json_array_foreach ((json_t *)(uintptr_t)results, i, result) {
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
    double step = svg_step(high - low, 6);
    for (double tick = ceil(low / step); tick * step <= high; tick++) {
        double value = tick * step + 0.0 /* no -0 */, tx = x + (value - low) * scale;
        fprintf(out,
                "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%zu\" stroke=\"#ddd\"/><text x=\"%.1f\" y=\"%d\" "
                "fill=\"#666\" font-size=\"10\" "
                "text-anchor=\"middle\">%.4g</text>\n",
                tx, tx, TOP - 12, TOP + n * ROW - 8, tx, TOP - 16, value);
    }
    json_array_foreach ((json_t *)(uintptr_t)results, i, result) {
        const json_t *metric = json_object_get(json_object_get(result, "metrics"), name);
        double mean = at(metric, "mean"), from = at(metric, "low"), to = at(metric, "high");
        double y = (double)TOP + (double)i * ROW;
        if (!isfinite(mean)) continue;
        if (isfinite(from) && isfinite(to))
            fprintf(out,
                    "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#2f6f9f\" stroke-width=\"2\"/>\n",
                    x + (from - low) * scale, x + (to - low) * scale, y, y);
        fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"#2f6f9f\"><title>%s %s: %.4f",
                x + (mean - low) * scale, y, json_string_value(json_object_get(result, "model")), name, mean);
        if (isfinite(from) && isfinite(to)) fprintf(out, " [%.4f, %.4f]", from, to);
        fputs("</title></circle>\n", out);
    }
}

static void draw(FILE *out, const void *what)
{
    const json_t *root = what;
    const json_t *results = json_object_get(root, "results");
    size_t i, n = json_array_size(results), panels = 0;
    const json_t *result, *metrics = NULL;
    json_array_foreach ((json_t *)(uintptr_t)results, i, result)
        if (!metrics) metrics = json_object_get(result, "metrics");
    panels = json_object_size(metrics) < MAX_PANELS ? json_object_size(metrics) : MAX_PANELS;
    size_t width = LEFT + panels * (PANEL + GAP), height = TOP + n * ROW + 12;
    fprintf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %zu %zu\" width=\"%zu\" height=\"%zu\" "
        "font-family=\"sans-serif\" font-size=\"12\" "
        "role=\"img\" aria-label=\"comparison of models\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
        width, height, width, height);
    json_array_foreach ((json_t *)(uintptr_t)results, i, result)
        fprintf(out, "<text x=\"%d\" y=\"%zu\" text-anchor=\"end\">%s</text>\n", LEFT - 10, TOP + i * ROW + 4,
                json_string_value(json_object_get(result, "model")));
    size_t p = 0;
    const char *name;
    json_t *metric;
    json_object_foreach ((json_t *)(uintptr_t)metrics, name, metric)
        if (p < panels) panel(out, results, name, LEFT + (double)p++ * (PANEL + GAP));
    fputs("</svg>\n", out);
}

static int plot(const call *c, const char *json, const char *path, void (*picture)(FILE *, const void *))
{
    json_t *root = json_loads(json, 0, NULL);
    if (!root) return usage(c, "the report is not JSON"), EXIT_FAILED;
    int status = svg_write(c, path, picture, root);
    json_decref(root);
    return status;
}

int plot_report(const call *c, const char *json, const char *path) { return plot(c, json, path, draw); }

/* Both axes in quarters of the whole. */
static void share_grid(FILE *out, double x)
{
    static const char *const numbers[] = {"0 %", "25 %", "50 %", "75 %", "100 %"};
    for (int k = 0; k <= 4; k++) {
        svg_grid_line(out, x, true, k / 4.0, numbers[k]);
        svg_grid_line(out, x, false, k / 4.0, numbers[k]);
    }
}

/* One axis in powers of ten, of 1 to `most`. */
static void power_grid(FILE *out, double x, bool across, double most)
{
    for (double value = 1; value <= most; value *= 10) {
        char number[32];
        snprintf(number, sizeof number, "%.0f", value);
        svg_grid_line(out, x, across, log(value) / log(most), number);
    }
}

static void popularity(FILE *out, const void *what)
{
    const json_t *root = what;
    enum { LEFT_FRAME = 60, RIGHT_FRAME = 470 };
    const json_t *items = json_object_get(root, "events_per_item"), *point, *ranks = json_object_get(items, "ranks");
    size_t i, n = json_array_size(ranks);
    fputs("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 280\" width=\"800\" height=\"280\" "
          "font-family=\"sans-serif\" font-size=\"12\" "
          "role=\"img\" aria-label=\"popularity of items\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
          out);
    share_grid(out, LEFT_FRAME);
    svg_frame(out, LEFT_FRAME, "share of events of the most popular items", "share of items", "share of events");
    fputs("<polyline fill=\"none\" stroke=\"#2f6f9f\" stroke-width=\"2\" points=\"60,236", out);
    json_array_foreach (json_object_get(items, "curve"), i, point)
        fprintf(out, " %.1f,%.1f", LEFT_FRAME + 300 * json_number_value(json_array_get(point, 0)),
                236 - 200 * json_number_value(json_array_get(point, 1)));
    fputs("\"/>\n", out);
    double last = fmax(2, n ? json_number_value(json_array_get(json_array_get(ranks, n - 1), 0)) : 1);
    double most = fmax(2, n ? json_number_value(json_array_get(json_array_get(ranks, 0), 1)) : 1);
    power_grid(out, RIGHT_FRAME, true, last);
    power_grid(out, RIGHT_FRAME, false, most);
    svg_frame(out, RIGHT_FRAME, "events of each item, by rank (both logarithmic)", "rank", "events");
    fputs("<polyline fill=\"none\" stroke=\"#b5532b\" stroke-width=\"2\" points=\"", out);
    json_array_foreach ((json_t *)(uintptr_t)ranks, i, point) {
        double rank = json_number_value(json_array_get(point, 0)), events = json_number_value(json_array_get(point, 1));
        if (rank >= 1 && events >= 1)
            fprintf(out, "%.1f,%.1f ", RIGHT_FRAME + 300 * log(rank) / log(last), 236 - 200 * log(events) / log(most));
    }
    fputs("\"/>\n</svg>\n", out);
}

int plot_popularity(const call *c, const char *json, const char *path) { return plot(c, json, path, popularity); }
