/* Appending whole lines. The line feed goes into the same write as its line; a write that falls short (a full disk) is
 * gone on with, and where that fails the file is cut back to where the line began. */
#include "base/append.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

struct pen__append {
    pen_context *ctx;
    char *path, *line;
    size_t line_cap;
    int fd;
    bool regular;
};

/* Cuts off what stands behind the last line feed. */
static pen_status cut_torn_line(const pen__append *a, off_t size, pen_error *error)
{
    char bytes[4096];
    off_t end = size;
    while (end > 0) {
        off_t from = end > (off_t)sizeof bytes ? end - (off_t)sizeof bytes : 0;
        ssize_t n = pread(a->fd, bytes, (size_t)(end - from), from);
        if (n < 0 && errno == EINTR) continue;
        if (n < (ssize_t)(end - from)) return pen__fail_io(error, n < 0 ? errno : EIO, "cannot read", a->path);
        const char *feed = memrchr(bytes, '\n', (size_t)n);
        if (feed) {
            end = from + (feed - bytes) + 1;
            break;
        }
        end = from;
    }
    if (end < size && ftruncate(a->fd, end)) return pen__fail_io(error, errno, "cannot write", a->path);
    return PEN_OK;
}

pen_status pen__append_open(pen_context *ctx, const char *path, int keep, pen__append **append, pen_error *error)
{
    pen__append *a = NULL;
    struct stat info;
    pen_status status = PEN_OK;
    *append = NULL;
    PEN_TRY(PEN_NEW_ZERO(ctx, a, 1));
    a->ctx = ctx;
    a->fd = -1;
    a->path = pen__strndup(ctx, path, strlen(path));
    PEN_CHECK_DONE(a->path, PEN_E_MEMORY, "out of memory for a path");
    bool special = !stat(path, &info) && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
    a->fd = open(path, (special ? O_WRONLY : O_RDWR) | O_CREAT | O_APPEND | O_CLOEXEC | (keep ? 0 : O_TRUNC), 0666);
    if (a->fd < 0 || fstat(a->fd, &info)) {
        status = pen__fail_io(error, errno, "cannot write", path);
        goto done;
    }
    a->regular = S_ISREG(info.st_mode);
    if (keep && a->regular) PEN_TRY_DONE(cut_torn_line(a, info.st_size, error));
done:
    if (status == PEN_OK)
        *append = a;
    else
        pen__append_close(a);
    return status;
}

pen_status pen__append_line(pen__append *a, const char *text, size_t n, pen_error *error)
{
    struct stat info;
    size_t done = 0;
    PEN_TRY(PEN_GROW(a->ctx, a->line, &a->line_cap, n + 1));
    memcpy(a->line, text, n);
    a->line[n] = '\n';
    off_t began = a->regular && !fstat(a->fd, &info) ? info.st_size : -1;
    while (done < n + 1) {
        ssize_t wrote = write(a->fd, a->line + done, n + 1 - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) {
            int why = wrote < 0 ? errno : ENOSPC;
            bool cut = done == 0 || began < 0 || !ftruncate(a->fd, began);
            return pen__fail_io(error, why, cut ? "cannot write" : "cannot write, and a line is torn in", a->path);
        }
        done += (size_t)wrote;
    }
    return PEN_OK;
}

void pen__append_close(pen__append *a)
{
    if (!a) return;
    if (a->fd >= 0) close(a->fd);
    pen__free(a->ctx, a->path);
    pen__free(a->ctx, a->line);
    pen__free(a->ctx, a);
}
