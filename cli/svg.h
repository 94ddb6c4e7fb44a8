/* What pictures share: frames with axes, and a file that is there whole or not at all. */
#ifndef PEN_CLI_SVG_H
#define PEN_CLI_SVG_H

#include "cli.h"

/* Frames stand in a row, their tops at SVG_TOP. */
enum { SVG_TOP = 36, SVG_WIDTH = 300, SVG_HEIGHT = 200, SVG_FOOT = SVG_TOP + SVG_HEIGHT };

/* Draws by `draw(out, what)` into a file written aside and renamed; says so. Returns an exit status. */
int svg_write(const call *c, const char *path, void (*draw)(FILE *out, const void *what), const void *what);

/* Text with what SVG would read otherwise escaped. */
void svg_text(FILE *out, const char *text);

/* A frame at x with its words: a title, what grows across and what up. */
void svg_frame(FILE *out, double x, const char *title, const char *across, const char *up);

/* A line of the frame's grid at a share of it, up or across, with its number. */
void svg_grid_line(FILE *out, double x, bool across, double share, const char *number);

/* A step of 1, 2 or 5 times a power of ten that cuts `range` into at most `most` pieces. */
double svg_step(double range, int most);

#endif
