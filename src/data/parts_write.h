/* The parts of a split as files. */
#ifndef PEN_DATA_PARTS_WRITE_H
#define PEN_DATA_PARTS_WRITE_H

#include "data/interactions.h"

enum pen__parts_format { PEN_PARTS_CSV = 0, PEN_PARTS_TSV, PEN_PARTS_PDS };

/* NULL: csv. */
pen_status pen__parts_format_parse(const char *name, int *format, pen_error *error);

/* Makes the folder where it is not there (its parent must be). */
pen_status pen__folder_make(const char *path, pen_error *error);

/* Writes each part that has events; adds [{"part", "path", "events"}, ...] to `files`. */
pen_status pen__parts_write(const pen__log *log, const pen__parts *parts, int32_t task, const char *folder, int format,
                            pen__text *files, pen_error *error);

#endif
