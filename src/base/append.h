/* Text that grows line by line: each line is one write, so that whoever is killed leaves whole ones. */
#ifndef PEN_BASE_APPEND_H
#define PEN_BASE_APPEND_H

#include "base/error.h"
#include "penchant/context.h"

typedef struct pen__append pen__append;

/* Makes the file anew, or with `keep` goes on behind its last whole line: what a full disk or a power cut left of
 * another is cut off. A pipe or device takes lines as they come. */
pen_status pen__append_open(pen_context *ctx, const char *path, int keep, pen__append **append, pen_error *error);

/* `text` (n bytes, without line feeds) and a line feed. On failure nothing of the line is left in a regular file. */
pen_status pen__append_line(pen__append *append, const char *text, size_t n, pen_error *error);

/* NULL is allowed. */
void pen__append_close(pen__append *append);

#endif
