/* Files: written aside, synced and renamed; mapped for reading.
 *
 * A writer makes PATH.tmp-PID-N beside PATH; commit flushes, fsyncs, renames over PATH and fsyncs the folder. Until
 * then PATH is untouched, so a crash leaves the old file or the new one.
 */
#ifndef PEN_BASE_FILE_H
#define PEN_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "penchant/context.h"

typedef struct pen__writer pen__writer;

/* "-" writes to standard output (commit flushes only). A folder or a path that cannot be written fails here. */
pen_status pen__writer_open(pen_context *ctx, const char *path, pen__writer **writer, pen_error *error);
pen_status pen__writer_write(pen__writer *writer, const void *bytes, size_t n, pen_error *error);
pen_status pen__writer_printf(pen__writer *writer, pen_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Overwrites bytes at an earlier place (a header that is known at the end); not for standard output. */
pen_status pen__writer_patch(pen__writer *writer, int64_t at, const void *bytes, size_t n, pen_error *error);
int64_t pen__writer_position(const pen__writer *writer);

/* Flush, sync, rename, sync the folder; frees the writer whatever happens. On failure the old file is as it was and
 * nothing is left aside; only where the folder alone cannot be synced does the new file stand, and PEN_E_IO says so. */
pen_status pen__writer_commit(pen__writer *writer, pen_error *error);

/* Removes what was written; frees the writer. NULL is allowed. */
void pen__writer_abort(pen__writer *writer);

/* A whole file mapped read-only. An empty file has size 0 and bytes NULL. Another program that shortens the file
 * meanwhile takes the pages away, and reading them raises SIGBUS (SECURITY.md): whoever replaces a file must rename
 * over it, as the writer here does. */
typedef struct pen__map {
    const unsigned char *bytes;
    size_t size;
} pen__map;

pen_status pen__map_open(const char *path, pen__map *map, pen_error *error);
void pen__map_close(pen__map *map);

/* Whole file as NUL-terminated text, at most `limit` bytes; freed with pen__free. */
pen_status pen__file_read(pen_context *ctx, const char *path, size_t limit, char **text, size_t *length,
                          pen_error *error);

#endif
