/* Loss and validation over epochs, as SVG: one frame each, the fit and the refit as lines of their own.
 *
 * A log may hold several runs, each but the first resumed: epochs behind the checkpoint stand twice then, and the last
 * word of each counts. A run that did not go on from a checkpoint begins anew. */
#include "curves.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "svg.h"

enum { PHASES = 2, LEFT = 66, APART = 410 };
static const char *const phase_name[PHASES] = {"fit", "refit"};
static const char *const colour_of[PHASES] = {"#2f6f9f", "#b5532b"};

typedef struct epochs {
    double *loss, *validation; /* (n): by epoch from 1, NaN where the log says nothing */
    size_t n;
} epochs;

typedef struct curves {
    epochs phase[PHASES];
    char model[80], metric[80]; /* metric "": no validation */
} curves;

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static void forget_after(epochs *e, size_t n)
{
    if (e->n > n) e->n = n;
}

static bool keep(epochs *e, size_t epoch, double loss, double validation)
{
    enum { MOST = 1 << 20 };
    if (epoch < 1 || epoch > MOST) return true; /* not of our making */
    if (epoch > e->n) {
        double *more = realloc(e->loss, epoch * sizeof *more);
        if (more) e->loss = more;
        double *also = realloc(e->validation, epoch * sizeof *also);
        if (also) e->validation = also;
        if (!more || !also) return false;
        for (size_t k = e->n; k < epoch; k++) e->loss[k] = e->validation[k] = NAN;
        e->n = epoch;
    }
    e->loss[epoch - 1] = loss, e->validation[epoch - 1] = validation;
    return true;
}

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static double number_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool take(curves *all, const json_t *line)
{
    const char *kind = text_at(line, "line");
    size_t phase = !strcmp(text_at(line, "phase"), phase_name[1]);
    if (!strcmp(kind, "run")) {
        snprintf(all->model, sizeof all->model, "%s", text_at(line, "model"));
        for (int p = 0; p < PHASES && !json_is_true(json_object_get(line, "resumed")); p++)
            forget_after(&all->phase[p], 0);
    } else if (!strcmp(kind, "resume")) {
        forget_after(&all->phase[phase], (size_t)json_integer_value(json_object_get(line, "after_epoch")));
        if (!phase) forget_after(&all->phase[1], 0);
    } else if (!strcmp(kind, "epoch")) {
        if (*text_at(line, "metric")) snprintf(all->metric, sizeof all->metric, "%s", text_at(line, "metric"));
        return keep(&all->phase[phase], (size_t)json_integer_value(json_object_get(line, "epoch")),
                    number_at(line, "loss"), number_at(line, "validation"));
    }
    return true;
}

static bool read_log(FILE *in, curves *all)
{
    char *text = NULL;
    size_t room = 0;
    bool whole = true;
    for (ssize_t n; whole && (n = getline(&text, &room, in)) >= 0;) {
        json_t *line = json_loadb(text, (size_t)n, 0, NULL);
        whole = !line || take(all, line);
        json_decref(line);
    }
    free(text);
    return whole;
}

/* ---- drawing ----------------------------------------------------------------------------------------------------- */

typedef struct span {
    double low, high;
} span;

static span span_of(const double *const *value, const epochs *phase)
{
    span s = {INFINITY, -INFINITY};
    for (int p = 0; p < PHASES; p++)
        for (size_t k = 0; k < phase[p].n; k++)
            if (isfinite(value[p][k])) s.low = fmin(s.low, value[p][k]), s.high = fmax(s.high, value[p][k]);
    double margin = 0.05 * (s.high - s.low), size = fmax(fabs(s.low), fabs(s.high));
    if (!(margin > 1e-9 * size)) margin = size > 0 ? 0.05 * size : 1; /* flat: ticks must stay apart */
    return (span){s.low - margin, s.high + margin};
}

static void grid(FILE *out, double x, double most, span up)
{
    double step = fmax(1, svg_step(most, 6));
    char number[40];
    for (double tick = step; tick <= most; tick += step) {
        snprintf(number, sizeof number, "%.0f", tick);
        svg_grid_line(out, x, true, tick / most, number);
    }
    step = svg_step(up.high - up.low, 6);
    for (double tick = ceil(up.low / step); tick * step <= up.high; tick++) {
        snprintf(number, sizeof number, "%.4g", tick * step + 0.0 /* no -0 */);
        svg_grid_line(out, x, false, (tick * step - up.low) / (up.high - up.low), number);
    }
}

/* One line, with a point at each epoch where there are few. */
static void curve(FILE *out, double x, const double *value, size_t n, double most, span up, const char *colour)
{
    double wide = SVG_WIDTH / most, high = SVG_HEIGHT / (up.high - up.low);
    fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour);
    for (size_t k = 0; k < n; k++)
        if (isfinite(value[k]))
            fprintf(out, "%.2f,%.2f ", x + (double)(k + 1) * wide, SVG_FOOT - (value[k] - up.low) * high);
    fputs("\"/>\n", out);
    for (size_t k = 0; k < n && n <= 60; k++)
        if (isfinite(value[k]))
            fprintf(out,
                    "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"2.5\" fill=\"%s\"><title>epoch %zu: %.6g</title></circle>\n",
                    x + (double)(k + 1) * wide, SVG_FOOT - (value[k] - up.low) * high, colour, k + 1, value[k]);
}

static void draw_loss(FILE *out, const curves *all, double most)
{
    const double *const loss[PHASES] = {all->phase[0].loss, all->phase[1].loss};
    span up = span_of(loss, all->phase);
    char title[120];
    snprintf(title, sizeof title, "%s: loss", all->model);
    grid(out, LEFT, most, up);
    svg_frame(out, LEFT, title, "epoch", "loss");
    int named = 0;
    for (int p = 0; p < PHASES; p++) {
        if (!all->phase[p].n) continue;
        curve(out, LEFT, loss[p], all->phase[p].n, most, up, colour_of[p]);
        fprintf(out, "<text x=\"%d\" y=\"%d\" fill=\"%s\" text-anchor=\"end\">%s</text>\n", LEFT + SVG_WIDTH - 6,
                SVG_TOP + 16 + 15 * named++, colour_of[p], phase_name[p]);
    }
}

/* The best epoch of the fit: the higher one, or of an error the lower one, the first of equals; SIZE_MAX: none. */
static size_t best_of(const curves *all)
{
    bool error = !strncmp(all->metric, "rmse", 4) || !strncmp(all->metric, "mae", 3);
    const double *value = all->phase[0].validation;
    size_t best = SIZE_MAX;
    for (size_t k = 0; k < all->phase[0].n; k++) {
        if (!isfinite(value[k])) continue;
        if (best == SIZE_MAX || (error ? value[k] < value[best] : value[k] > value[best])) best = k;
    }
    return best;
}

static void draw_validation(FILE *out, const curves *all, double most)
{
    const double *const value[PHASES] = {all->phase[0].validation, all->phase[1].validation};
    span up = span_of(value, all->phase);
    double x = LEFT + APART;
    size_t best = best_of(all);
    char title[160];
    int n = snprintf(title, sizeof title, "%s on validation", all->metric);
    if (best != SIZE_MAX)
        snprintf(title + n, sizeof title - (size_t)n, ": best %.4g, epoch %zu", value[0][best], best + 1);
    grid(out, x, most, up);
    svg_frame(out, x, title, "epoch", all->metric);
    curve(out, x, value[0], all->phase[0].n, most, up, colour_of[0]);
    if (best != SIZE_MAX)
        fprintf(out, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"6\" fill=\"none\" stroke=\"#222\" stroke-width=\"1.5\"/>\n",
                x + (double)(best + 1) * SVG_WIDTH / most,
                SVG_FOOT - (value[0][best] - up.low) * SVG_HEIGHT / (up.high - up.low));
}

static void draw(FILE *out, const void *what)
{
    const curves *all = what;
    size_t longest = all->phase[0].n > all->phase[1].n ? all->phase[0].n : all->phase[1].n;
    int width = LEFT + SVG_WIDTH + 20 + (*all->metric ? APART : 0), height = SVG_FOOT + 46;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
            "font-family=\"sans-serif\" font-size=\"12\" role=\"img\" aria-label=\"curves of a training\">\n<rect "
            "width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
            width, height, width, height);
    draw_loss(out, all, (double)longest);
    if (*all->metric) draw_validation(out, all, (double)longest);
    fputs("</svg>\n", out);
}

/* ---- the picture ------------------------------------------------------------------------------------------------- */

bool curves_path(const char *path, char *out, size_t room)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    int stem = (int)(dot && dot > name ? (size_t)(dot - path) : strlen(path));
    return (size_t)snprintf(out, room, "%.*s.svg", stem, path) < room && strcmp(out, path) != 0;
}

int curves_draw(const call *c, const char *path)
{
    curves all = {0};
    char picture[4096];
    struct stat info;
    if (stat(path, &info) || !S_ISREG(info.st_mode) || !strncmp(path, "/dev/", 5) ||
        !curves_path(path, picture, sizeof picture))
        return EXIT_DONE;
    FILE *in = fopen(path, "r");
    bool read = in && read_log(in, &all);
    if (in) fclose(in);
    int status = read ? EXIT_DONE : (usage(c, "cannot read '%s' again for its picture", path), EXIT_FAILED);
    if (read && (all.phase[0].n || all.phase[1].n)) status = svg_write(c, picture, draw, &all);
    for (int p = 0; p < PHASES; p++) free(all.phase[p].loss), free(all.phase[p].validation);
    return status;
}
