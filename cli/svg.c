/* SVG by hand, for pictures that need nothing else. */
#include "svg.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int cannot_write(const char *path, int why)
{
    fprintf(stderr, "penchant: cannot write '%s': %s\n", path, strerror(why));
    return EXIT_FAILED;
}

int svg_write(const call *c, const char *path, void (*draw)(FILE *out, const void *what), const void *what)
{
    char aside[4200];
    struct stat info;
    bool in_place = !lstat(path, &info) && !S_ISREG(info.st_mode); /* a link, a pipe: nothing to rename over */
    if ((size_t)snprintf(aside, sizeof aside, in_place ? "%s" : "%s.tmp-%ld", path, (long)getpid()) >= sizeof aside)
        return cannot_write(path, ENAMETOOLONG);
    FILE *out = fopen(aside, "w");
    if (!out) return cannot_write(path, errno);
    draw(out, what);
    bool failed = fflush(out) || ferror(out) || (!in_place && fsync(fileno(out)));
    int why = errno;
    if (fclose(out) && !failed) failed = true, why = errno;
    if (!failed && !in_place && rename(aside, path)) failed = true, why = errno;
    if (failed) {
        if (!in_place) unlink(aside);
        return cannot_write(path, why);
    }
    say(c, "wrote %s", path);
    return EXIT_DONE;
}

void svg_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '&')
            fputs("&amp;", out);
        else if ((unsigned char)*text >= 0x20)
            fputc(*text, out);
    }
}

void svg_frame(FILE *out, double x, const char *title, const char *across, const char *up)
{
    fprintf(out, "<text x=\"%.0f\" y=\"22\" font-weight=\"bold\">", x);
    svg_text(out, title);
    fprintf(out,
            "</text>\n<rect x=\"%.0f\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#999\"/>\n<text "
            "x=\"%.0f\" y=\"%d\" text-anchor=\"middle\" fill=\"#555\">",
            x, SVG_TOP, SVG_WIDTH, SVG_HEIGHT, x + SVG_WIDTH / 2, SVG_FOOT + 34);
    svg_text(out, across);
    fprintf(
        out,
        "</text>\n<text x=\"%.0f\" y=\"136\" fill=\"#555\" text-anchor=\"middle\" transform=\"rotate(-90 %.0f 136)\">",
        x - 44, x - 44);
    svg_text(out, up);
    fputs("</text>\n", out);
}

void svg_grid_line(FILE *out, double x, bool across, double share, const char *number)
{
    double gx = x + SVG_WIDTH * share, gy = SVG_FOOT - SVG_HEIGHT * share;
    if (across)
        fprintf(out,
                "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=\"#e4e4e4\"/><text x=\"%.1f\" y=\"%d\" "
                "fill=\"#666\" font-size=\"10\" text-anchor=\"middle\">%s</text>\n",
                gx, gx, SVG_TOP, SVG_FOOT, gx, SVG_FOOT + 14, number);
    else
        fprintf(out,
                "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#e4e4e4\"/><text x=\"%.1f\" y=\"%.1f\" "
                "fill=\"#666\" font-size=\"10\" text-anchor=\"end\">%s</text>\n",
                x, x + SVG_WIDTH, gy, gy, x - 6, gy + 4, number);
}

double svg_step(double range, int most)
{
    double unit = pow(10, floor(log10(range / most)));
    static const double times[] = {1, 2, 5, 10};
    for (int k = 0; k < 4; k++)
        if (range / (unit * times[k]) <= most) return unit * times[k];
    return unit * 10;
}
