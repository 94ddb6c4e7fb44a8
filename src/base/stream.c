/* Input streams. The form is told by the first bytes (RFC 1952: 1F 8B; RFC 8878: 28 B5 2F FD), never by the name.
 * Several gzip members or zstd frames end to end are one input, as their tools write them. A plain regular file is
 * mapped, so that its pages belong to the system's cache and not to this process. */
#include "base/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { SOURCE_BYTES = 1 << 18 };

enum form { FORM_PLAIN = 0, FORM_GZIP = 1, FORM_ZSTD = 2 };

struct pen__stream {
    pen_context *ctx;
    char *name;
    const unsigned char *bytes; /* the whole source where it is in memory */
    size_t size, largest_read;
    bool mapped, in_memory;
    int fd; /* -1 where the source is in memory */
    int form;
    unsigned char *source; /* SOURCE_BYTES of a source that is not in memory */
    size_t at, held;       /* what of it is not yet used: [at, held) */
    int64_t consumed, source_size;
    bool source_ended;
    z_stream gzip;
    bool gzip_open, between; /* between two members or frames */
    ZSTD_DStream *zstd;
};

static void *zlib_obtain(void *ctx, unsigned n, unsigned size) { return pen__calloc(ctx, n, size); }
static void zlib_release(void *ctx, void *block) { pen__free(ctx, block); }

/* Up to `room` bytes of the source as they are; 0 is its end. */
static pen_status source_read(pen__stream *s, void *to, size_t room, size_t *n, pen_error *error)
{
    if (s->largest_read && room > s->largest_read) room = s->largest_read;
    if (s->in_memory) {
        size_t left = s->size - (size_t)s->consumed;
        *n = room < left ? room : left;
        if (*n) memcpy(to, s->bytes + s->consumed, *n);
    } else {
        ssize_t got;
        do got = read(s->fd, to, room > INT_MAX ? INT_MAX : room);
        while (got < 0 && errno == EINTR);
        if (got < 0) return pen__fail_io(error, errno, "cannot read", s->name);
        *n = (size_t)got;
    }
    s->consumed += (int64_t)*n;
    s->source_ended = *n == 0;
    return PEN_OK;
}

/* Makes [at, held) not empty unless the source has ended. */
static pen_status refill(pen__stream *s, pen_error *error)
{
    if (s->at < s->held || s->source_ended) return PEN_OK;
    s->at = 0;
    return source_read(s, s->source, SOURCE_BYTES, &s->held, error);
}

static pen_status damaged(pen__stream *s, const char *why, pen_error *error)
{
    return pen__fail_at(error, PEN_E_INPUT, s->consumed, "%s: the %s data is damaged near byte %lld: %s", s->name,
                        pen__stream_form(s), (long long)s->consumed, why);
}

static pen_status read_plain(pen__stream *s, unsigned char *to, size_t room, size_t *n, pen_error *error)
{
    *n = 0;
    if (s->at < s->held) { /* what was read to tell the form */
        *n = s->held - s->at < room ? s->held - s->at : room;
        memcpy(to, s->source + s->at, *n);
        s->at += *n;
    }
    while (*n < room && !s->source_ended) {
        size_t got;
        PEN_TRY(source_read(s, to + *n, room - *n, &got, error));
        *n += got;
    }
    return PEN_OK;
}

static pen_status gzip_begin(pen__stream *s, pen_error *error)
{
    s->gzip = (z_stream){.zalloc = zlib_obtain, .zfree = zlib_release, .opaque = s->ctx};
    PEN_CHECK(inflateInit2(&s->gzip, 15 + 16) == Z_OK, PEN_E_MEMORY, "%s: out of memory for unpacking", s->name);
    s->gzip_open = true;
    return PEN_OK;
}

static pen_status read_gzip(pen__stream *s, unsigned char *to, size_t room, size_t *n, pen_error *error)
{
    *n = 0;
    if (room > UINT_MAX) room = UINT_MAX;
    while (*n < room) {
        PEN_TRY(refill(s, error));
        if (s->between) {
            if (s->at == s->held || s->source[s->at] == 0) return PEN_OK; /* the end, or padding with zeros */
            PEN_CHECK(inflateReset(&s->gzip) == Z_OK, PEN_E_IO, "%s: cannot unpack", s->name);
            s->between = false;
        }
        if (s->at == s->held) return damaged(s, "it ends too early; get the file again", error);
        s->gzip.next_in = s->source + s->at;
        s->gzip.avail_in = (uInt)(s->held - s->at);
        s->gzip.next_out = to + *n;
        s->gzip.avail_out = (uInt)(room - *n);
        int answer = inflate(&s->gzip, Z_NO_FLUSH);
        s->at = s->held - s->gzip.avail_in;
        *n = room - s->gzip.avail_out;
        if (answer == Z_STREAM_END)
            s->between = true;
        else if (answer == Z_MEM_ERROR)
            return pen__fail(error, PEN_E_MEMORY, "%s: out of memory for unpacking", s->name);
        else if (answer != Z_OK && answer != Z_BUF_ERROR)
            return damaged(s, s->gzip.msg ? s->gzip.msg : "not gzip", error);
    }
    return PEN_OK;
}

static pen_status zstd_begin(pen__stream *s, pen_error *error)
{
    s->zstd = ZSTD_createDStream();
    PEN_CHECK(s->zstd, PEN_E_MEMORY, "%s: out of memory for unpacking", s->name);
    s->between = true;
    return PEN_OK;
}

static pen_status read_zstd(pen__stream *s, unsigned char *to, size_t room, size_t *n, pen_error *error)
{
    ZSTD_outBuffer out = {to, room, 0};
    *n = 0;
    while (out.pos < room) {
        PEN_TRY(refill(s, error));
        if (s->at == s->held && s->between) break;
        ZSTD_inBuffer in = {s->source, s->held, s->at};
        size_t before = out.pos, answer = ZSTD_decompressStream(s->zstd, &out, &in);
        if (ZSTD_isError(answer)) return damaged(s, ZSTD_getErrorName(answer), error);
        bool stuck = s->at == s->held && out.pos == before;
        s->at = in.pos;
        s->between = answer == 0;
        if (stuck && !s->between) return damaged(s, "it ends too early; get the file again", error);
    }
    *n = out.pos;
    return PEN_OK;
}

pen_status pen__stream_read(pen__stream *s, void *buffer, size_t room, size_t *n, pen_error *error)
{
    *n = 0;
    while (*n < room) {
        size_t got = 0;
        unsigned char *to = (unsigned char *)buffer + *n;
        if (s->form == FORM_GZIP)
            PEN_TRY(read_gzip(s, to, room - *n, &got, error));
        else if (s->form == FORM_ZSTD)
            PEN_TRY(read_zstd(s, to, room - *n, &got, error));
        else
            PEN_TRY(read_plain(s, to, room - *n, &got, error));
        if (!got) break;
        *n += got;
    }
    return PEN_OK;
}

static int form_of(const unsigned char *bytes, size_t n)
{
    if (n >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B) return FORM_GZIP;
    if (n >= 4 && !memcmp(bytes, "\x28\xB5\x2F\xFD", 4)) return FORM_ZSTD;
    return FORM_PLAIN;
}

/* Looks at the first bytes and makes ready for what they say. */
static pen_status begin(pen__stream *s, pen_error *error)
{
    if (s->in_memory) {
        s->form = form_of(s->bytes, s->size);
        s->mapped = s->form == FORM_PLAIN;
        s->source_size = (int64_t)s->size;
    }
    if (s->mapped) return PEN_OK;
    PEN_TRY(PEN_NEW(s->ctx, s->source, SOURCE_BYTES));
    if (!s->in_memory) {
        size_t got;
        while (s->held < 4 && !s->source_ended) { /* a pipe may give its first bytes one by one */
            PEN_TRY(source_read(s, s->source + s->held, SOURCE_BYTES - s->held, &got, error));
            s->held += got;
        }
        s->source_ended = false;
        s->form = form_of(s->source, s->held);
    }
    if (s->form == FORM_GZIP) return gzip_begin(s, error);
    if (s->form == FORM_ZSTD) return zstd_begin(s, error);
    return PEN_OK;
}

static pen_status create(pen_context *ctx, const char *name, pen__stream **stream, pen_error *error)
{
    *stream = NULL;
    PEN_TRY(pen__new(ctx, stream, 1, sizeof **stream, true, error));
    (*stream)->ctx = ctx;
    (*stream)->fd = -1;
    (*stream)->name = pen__strndup(ctx, name, strlen(name));
    if ((*stream)->name) return PEN_OK;
    pen__free(ctx, *stream);
    *stream = NULL;
    return pen__fail(error, PEN_E_MEMORY, "out of memory for a path");
}

static pen_status map(pen__stream *s, size_t size, pen_error *error)
{
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, s->fd, 0);
    if (bytes == MAP_FAILED) return pen__fail_io(error, errno, "cannot map", s->name);
    (void)madvise(bytes, size, MADV_SEQUENTIAL);
    s->bytes = bytes;
    s->size = size;
    s->in_memory = true;
    return PEN_OK;
}

static pen_status open_path(pen__stream *s, const char *path, pen_error *error)
{
    struct stat info;
    bool standard = !strcmp(path, "-");
    s->fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0) return pen__fail_io(error, errno, "cannot open", s->name);
    if (fstat(s->fd, &info)) return pen__fail_io(error, errno, "cannot open", s->name);
    PEN_CHECK(!S_ISDIR(info.st_mode), PEN_E_IO, "cannot read '%s': it is a folder; give the path of a file", s->name);
    if (S_ISREG(info.st_mode) && !standard && info.st_size > 0) PEN_TRY(map(s, (size_t)info.st_size, error));
    return begin(s, error);
}

pen_status pen__stream_open(pen_context *ctx, const char *path, pen__stream **stream, pen_error *error)
{
    PEN_CHECK(path && *path, PEN_E_ARGUMENT, "the path of the file to read is empty");
    PEN_TRY(create(ctx, strcmp(path, "-") ? path : "standard input", stream, error));
    pen_status status = open_path(*stream, path, error);
    if (status != PEN_OK) {
        pen__stream_close(*stream);
        *stream = NULL;
    }
    return status;
}

pen_status pen__stream_memory(pen_context *ctx, const char *name, const void *bytes, size_t n, size_t largest_read,
                              pen__stream **stream, pen_error *error)
{
    PEN_TRY(create(ctx, name, stream, error));
    pen__stream *s = *stream;
    s->bytes = n ? bytes : (const unsigned char *)"";
    s->size = n;
    s->in_memory = true;
    s->largest_read = largest_read;
    pen_status status = begin(s, error);
    if (largest_read) s->mapped = false; /* as if it came through a pipe */
    if (status == PEN_OK && !s->source) status = PEN_NEW(ctx, s->source, SOURCE_BYTES);
    if (status != PEN_OK) {
        pen__stream_close(s);
        *stream = NULL;
    }
    return status;
}

pen__span pen__stream_whole(const pen__stream *s)
{
    return s->mapped ? (pen__span){(const char *)s->bytes, s->size} : (pen__span){NULL, 0};
}

const char *pen__stream_name(const pen__stream *s) { return s->name; }
int64_t pen__stream_consumed(const pen__stream *s) { return s->consumed; }
int64_t pen__stream_size(const pen__stream *s) { return s->source_size; }

const char *pen__stream_form(const pen__stream *s)
{
    return s->form == FORM_GZIP ? "gzip" : s->form == FORM_ZSTD ? "zstd" : "plain";
}

void pen__stream_close(pen__stream *s)
{
    if (!s) return;
    if (s->gzip_open) inflateEnd(&s->gzip);
    ZSTD_freeDStream(s->zstd);
    if (s->fd >= 0) {
        if (s->in_memory) munmap((void *)(uintptr_t)s->bytes, s->size);
        close(s->fd);
    }
    pen__free(s->ctx, s->source);
    pen__free(s->ctx, s->name);
    pen__free(s->ctx, s);
}
