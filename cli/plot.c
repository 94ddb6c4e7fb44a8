/* Pictures of results, as SVG by hand: panels side by side, one a metric; rows are models, dots means, bars intervals. */
#include "plot.h"

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

static void draw(FILE *out, const json_t *results)
{
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

int plot_report(const call *c, const char *json, const char *path)
{
    json_t *root = json_loads(json, 0, NULL);
    FILE *out = fopen(path, "w");
    if (!out || !root) {
        if (!out) perror(path);
        if (out) fclose(out);
        json_decref(root);
        return EXIT_FAILED;
    }
    draw(out, json_object_get(root, "results"));
    json_decref(root);
    bool failed = ferror(out);
    if (fclose(out) || failed) return perror(path), EXIT_FAILED;
    say(c, "wrote %s", path);
    return EXIT_DONE;
}
