/* The system as it may be: linked into the program with --wrap (penchant_faulty), it makes calls of the library fail as
 * PENCHANT_FAULT says: "CALL KIND [N]".
 *
 *     CALL: read, write, pwrite, fsync, fsync-folder, close (of a file written), rename, mmap
 *     KIND: EIO, ENOSPC, EACCES, ENOMEM: the Nth call fails with it; EINTR: every other call does, and works the next
 *     time;
 *           short: every read or write moves one byte (a large write: half); zero: the Nth write and all after it take
 *           nothing;
 *           shrink: the file of the Nth mmap is cut to nothing behind the reader's back
 *
 * The first time that it does so it says "[fault]" on standard error: a test in which nothing failed has proved
 * nothing. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

ssize_t __real_read(int fd, void *bytes, size_t n);
ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __real_pwrite(int fd, const void *bytes, size_t n, off_t at);
int __real_fsync(int fd);
int __real_close(int fd);
int __real_rename(const char *from, const char *to);
void *__real_mmap(void *address, size_t size, int protection, int flags, int fd, off_t at);
ssize_t __wrap_read(int fd, void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t n, off_t at);
int __wrap_fsync(int fd);
int __wrap_close(int fd);
int __wrap_rename(const char *from, const char *to);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t at);

enum kind { NONE, FAIL, INTERRUPT, SHORT, ZERO, SHRINK };

static enum kind fault(const char *call)
{
    static const struct {
        const char *name;
        int value;
    } errors[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EACCES", EACCES}, {"ENOMEM", ENOMEM}};
    static _Atomic int n_calls, said;
    const char *plan = getenv("PENCHANT_FAULT");
    char name[32], kind[32];
    int nth = 1;
    enum kind what = NONE;
    if (!plan || sscanf(plan, "%31s %31s %d", name, kind, &nth) < 2 || strcmp(name, call)) return NONE;
    int now = atomic_fetch_add(&n_calls, 1) + 1;
    if (!strcmp(kind, "EINTR"))
        what = now % 2 ? INTERRUPT : NONE;
    else if (!strcmp(kind, "short"))
        what = SHORT;
    else if (!strcmp(kind, "zero"))
        what = now >= nth ? ZERO : NONE;
    else if (now == nth)
        what = !strcmp(kind, "shrink") ? SHRINK : FAIL;
    if (what != NONE && !atomic_exchange(&said, 1) && __real_write(STDERR_FILENO, "[fault]\n", 8) < 0) _Exit(99);
    errno = EINTR;
    for (size_t i = 0; what == FAIL && i < sizeof errors / sizeof *errors; i++)
        if (!strcmp(kind, errors[i].name)) errno = errors[i].value;
    return what;
}

ssize_t __wrap_read(int fd, void *bytes, size_t n)
{
    enum kind what = fault("read");
    if (what == FAIL || what == INTERRUPT) return -1;
    return __real_read(fd, bytes, what == SHORT && n > 1 ? 1 : n);
}

static size_t less(size_t n) { return n > 4096 ? n / 2 : n > 1 ? 1 : n; }

ssize_t __wrap_write(int fd, const void *bytes, size_t n)
{
    enum kind what = fd == STDERR_FILENO ? NONE : fault("write");
    if (what == FAIL || what == INTERRUPT) return -1;
    return what == ZERO ? 0 : __real_write(fd, bytes, what == SHORT ? less(n) : n);
}

ssize_t __wrap_pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    enum kind what = fault("pwrite");
    if (what == FAIL || what == INTERRUPT) return -1;
    return what == ZERO ? 0 : __real_pwrite(fd, bytes, what == SHORT ? less(n) : n, at);
}

int __wrap_fsync(int fd)
{
    struct stat info;
    if (!fstat(fd, &info) && fault(S_ISDIR(info.st_mode) ? "fsync-folder" : "fsync") != NONE) return -1;
    return __real_fsync(fd);
}

int __wrap_close(int fd)
{
    struct stat info;
    int flags = fcntl(fd, F_GETFL),
        written = flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && !fstat(fd, &info) && S_ISREG(info.st_mode);
    int failed = written && fault("close") != NONE ? errno : 0;
    int closed = __real_close(fd); /* Linux lets go of it whatever it answers */
    if (!failed) return closed;
    errno = failed;
    return -1;
}

int __wrap_rename(const char *from, const char *to)
{
    if (fault("rename") != NONE) return -1;
    return __real_rename(from, to);
}

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t at)
{
    enum kind what = fd >= 0 ? fault("mmap") : NONE;
    if (what == FAIL) return MAP_FAILED;
    void *bytes = __real_mmap(address, size, protection, flags, fd, at);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (what == SHRINK && truncate(path, 0)) _Exit(99);
    return bytes;
}
