/* Files: a buffered writer that renames at the end, and read-only maps. Short writes and EINTR are retried; a write
 * that takes no byte at all is a full disk, as gnulib has it, lest it be retried for ever. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

enum { BUFFER = 1 << 20 };

struct pen__writer {
    pen_context *ctx;
    char *path, *aside;
    char *buffer;
    size_t held;     /* bytes in the buffer */
    int64_t flushed; /* bytes given to the system */
    int fd;
    bool to_stdout;
};

static void writer_free(pen__writer *w)
{
    if (!w) return;
    pen_context *ctx = w->ctx;
    if (w->fd >= 0 && w->fd != STDOUT_FILENO) close(w->fd);
    pen__free(ctx, w->path);
    pen__free(ctx, w->aside);
    pen__free(ctx, w->buffer);
    pen__free(ctx, w);
}

/* The path behind symbolic links, so that a link stays one and its target is replaced. */
static char *resolve(pen_context *ctx, const char *path)
{
    char real[PATH_MAX];
    struct stat info;
    if (!lstat(path, &info) && S_ISLNK(info.st_mode) && realpath(path, real))
        return pen__strndup(ctx, real, strlen(real));
    return pen__strndup(ctx, path, strlen(path));
}

pen_status pen__writer_open(pen_context *ctx, const char *path, pen__writer **writer, pen_error *error)
{
    *writer = NULL;
    PEN_CHECK(path && *path, PEN_E_ARGUMENT, "the path of the file to write is empty");
    pen_status status = PEN_OK;
    pen__writer *w = NULL;
    PEN_TRY(pen__new(ctx, &w, 1, sizeof *w, true, error));
    w->ctx = ctx;
    w->fd = -1;
    w->to_stdout = !strcmp(path, "-");
    PEN_TRY_DONE(PEN_NEW(ctx, w->buffer, BUFFER));
    w->path = resolve(ctx, path);
    PEN_CHECK_DONE(w->path, PEN_E_MEMORY, "out of memory for a path");
    if (w->to_stdout) {
        w->fd = STDOUT_FILENO;
        *writer = w;
        return PEN_OK;
    }
    struct stat info;
    if (!stat(w->path, &info) && S_ISDIR(info.st_mode)) {
        status = pen__fail(error, PEN_E_IO, "cannot write '%s': it is a folder; give the path of a file", path);
        goto done;
    }
    if (!stat(w->path, &info) && !S_ISREG(info.st_mode)) { /* a pipe or device: nothing to rename over */
        w->to_stdout = true;
        w->fd = open(w->path, O_WRONLY | O_CLOEXEC);
        if (w->fd < 0) status = pen__fail_io(error, errno, "cannot write", path);
        if (status == PEN_OK) *writer = w;
        if (status == PEN_OK) return PEN_OK;
        goto done;
    }
    static _Atomic unsigned counter;
    size_t room = strlen(w->path) + 64;
    w->aside = pen__alloc(ctx, room);
    PEN_CHECK_DONE(w->aside, PEN_E_MEMORY, "out of memory for a path");
    for (int tries = 0; w->fd < 0 && tries < 100; tries++) {
        snprintf(w->aside, room, "%s.tmp-%ld-%u", w->path, (long)getpid(), atomic_fetch_add(&counter, 1));
        w->fd = open(w->aside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->fd < 0 && errno != EEXIST) break;
    }
    if (w->fd < 0) {
        status = pen__fail_io(error, errno, "cannot write", path);
        pen__free(ctx, w->aside);
        w->aside = NULL;
    }
done:
    if (status == PEN_OK)
        *writer = w;
    else
        writer_free(w);
    return status;
}

static pen_status write_all(pen__writer *w, const char *bytes, size_t n, pen_error *error)
{
    while (n > 0) {
        ssize_t wrote = write(w->fd, bytes, n);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return pen__fail_io(error, wrote < 0 ? errno : ENOSPC, "cannot write", w->path);
        bytes += wrote;
        n -= (size_t)wrote;
        w->flushed += wrote;
    }
    return PEN_OK;
}

static pen_status flush(pen__writer *w, pen_error *error)
{
    size_t n = w->held;
    w->held = 0;
    return write_all(w, w->buffer, n, error);
}

pen_status pen__writer_write(pen__writer *w, const void *bytes, size_t n, pen_error *error)
{
    if (n > BUFFER - w->held) PEN_TRY(flush(w, error));
    if (n >= BUFFER) return write_all(w, bytes, n, error);
    if (n) memcpy(w->buffer + w->held, bytes, n);
    w->held += n;
    return PEN_OK;
}

pen_status pen__writer_printf(pen__writer *w, pen_error *error, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    PEN_CHECK(n >= 0 && n < (int)sizeof text, PEN_E_LIMIT, "a line of over %zu bytes for '%s'", sizeof text, w->path);
    return pen__writer_write(w, text, (size_t)n, error);
}

pen_status pen__writer_patch(pen__writer *w, int64_t at, const void *bytes, size_t n, pen_error *error)
{
    PEN_TRY(flush(w, error));
    const char *from = bytes;
    while (n > 0) {
        ssize_t wrote = pwrite(w->fd, from, n, at);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return pen__fail_io(error, wrote < 0 ? errno : ENOSPC, "cannot write", w->path);
        from += wrote, at += wrote, n -= (size_t)wrote;
    }
    return PEN_OK;
}

int64_t pen__writer_position(const pen__writer *w) { return w->flushed + (int64_t)w->held; }

static int sync_file(int fd)
{
    int failed;
    do failed = fsync(fd);
    while (failed && errno == EINTR);
    return failed;
}

/* Makes the rename last. Where a folder cannot be opened or its file system knows no such thing, the rename stands as
 * it is. */
static pen_status sync_folder(const char *path, pen_error *error)
{
    char copy[PATH_MAX];
    if (strlen(path) >= sizeof copy) return pen__fail(error, PEN_E_IO, "the path '%.64s...' is too long", path);
    memcpy(copy, path, strlen(path) + 1);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return PEN_OK;
    int failed = sync_file(fd) && errno != EINVAL && errno != ENOTSUP && errno != EROFS ? errno : 0;
    close(fd);
    return failed ? pen__fail_io(error, failed, "written, but a power cut may undo it: cannot sync the folder of", path)
                  : PEN_OK;
}

pen_status pen__writer_commit(pen__writer *w, pen_error *error)
{
    pen_status status = flush(w, error);
    if (status == PEN_OK && !w->to_stdout) {
        if (sync_file(w->fd)) status = pen__fail_io(error, errno, "cannot sync", w->path);
        if (close(w->fd) && errno != EINTR && status == PEN_OK)
            status = pen__fail_io(error, errno, "cannot close", w->path);
        w->fd = -1;
        if (status == PEN_OK && rename(w->aside, w->path))
            status = pen__fail_io(error, errno, "cannot rename onto", w->path);
        if (status == PEN_OK) status = sync_folder(w->path, error);
    }
    if (status != PEN_OK && w->aside) unlink(w->aside);
    writer_free(w);
    return status;
}

void pen__writer_abort(pen__writer *w)
{
    if (!w) return;
    if (w->aside) unlink(w->aside);
    writer_free(w);
}

pen_status pen__map_open(const char *path, pen__map *map, pen_error *error)
{
    *map = (pen__map){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return pen__fail_io(error, errno, "cannot open", path);
    struct stat info;
    pen_status status = PEN_OK;
    if (fstat(fd, &info))
        status = pen__fail_io(error, errno, "cannot open", path);
    else if (S_ISDIR(info.st_mode))
        status = pen__fail(error, PEN_E_IO, "cannot read '%s': it is a folder; give the path of a file", path);
    else if (!S_ISREG(info.st_mode))
        status = pen__fail(error, PEN_E_IO, "cannot map '%s': it is not a regular file", path);
    else if (info.st_size > 0) {
        void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED)
            status = pen__fail_io(error, errno, "cannot map", path);
        else
            *map = (pen__map){bytes, (size_t)info.st_size};
    }
    close(fd);
    return status;
}

void pen__map_close(pen__map *map)
{
    if (map->bytes) munmap((void *)(uintptr_t)map->bytes, map->size);
    *map = (pen__map){0};
}

pen_status pen__file_read(pen_context *ctx, const char *path, size_t limit, char **text, size_t *length,
                          pen_error *error)
{
    pen__map map;
    *text = NULL;
    PEN_TRY(pen__map_open(path, &map, error));
    pen_status status = PEN_OK;
    if (map.size > limit)
        status = pen__fail(error, PEN_E_LIMIT, "'%s' has %zu bytes; at most %zu are read here", path, map.size, limit);
    else if (!(*text = pen__strndup(ctx, map.bytes ? (const char *)map.bytes : "", map.size)))
        status = pen__fail(error, PEN_E_MEMORY, "out of memory reading '%s'", path);
    *length = map.size;
    pen__map_close(&map);
    return status;
}
