/* The curves of a training out of its log (docs/formats/training-log.md). */
#ifndef PEN_CLI_CURVES_H
#define PEN_CLI_CURVES_H

#include "cli.h"

/* Where the picture of the log at `path` goes: .svg in place of its last extension. False where that is no name apart
 * from the log's own, or too long. */
bool curves_path(const char *path, char *out, size_t room);

/* Reads the log and draws loss and validation over epochs beside it. A log without epochs (a model that is fitted at
 * once) has no picture; so has a pipe or device. Returns an exit status. */
int curves_draw(const call *c, const char *path);

#endif
