/* A text read whole. Cost: its size, and as much again where it had to be recoded. */
#include "data/whole.h"

#include <string.h>
#include <strings.h>

#include "data/encoding.h"
#include "data/rows.h"

static pen_status read_all(pen__stream *stream, pen__whole *w, pen_error *error)
{
    pen__span mapped = pen__stream_whole(stream);
    size_t cap = 0, got;
    if (mapped.text) {
        PEN_TRY(PEN_NEW(w->ctx, w->bytes, mapped.length + 1));
        memcpy(w->bytes, mapped.text, mapped.length);
        w->n = mapped.length;
        return PEN_OK;
    }
    do {
        PEN_TRY(PEN_GROW(w->ctx, w->bytes, &cap, w->n + (1 << 16)));
        PEN_TRY(pen__stream_read(stream, w->bytes + w->n, cap - w->n, &got, error));
        w->n += got;
    } while (w->n == cap);
    return PEN_OK;
}

static pen_status recode(pen__whole *w, pen_error *error)
{
    size_t room;
    char *to;
    PEN_CHECK(pen__mul(w->n + 1, 3, &room), PEN_E_LIMIT, "the text is too long");
    PEN_TRY(PEN_NEW(w->ctx, to, room));
    w->n = pen__encode_utf8(w->bytes, w->n, w->encoding == PEN_ENCODING_CP1252, to);
    pen__free(w->ctx, w->bytes);
    w->bytes = to;
    return PEN_OK;
}

static pen_status not_utf8(const pen__whole *w, size_t at, const char *name, pen_error *error)
{
    const char *line = memrchr(w->bytes, '\n', at), *begin = line ? line + 1 : w->bytes;
    return pen__fail_at(
        error, PEN_E_INPUT, (int64_t)at,
        "%s:%lld:%lld: byte 0x%02X (byte %zu of the file, from 0) is not UTF-8; if the file is latin1 or "
        "cp1252, pass --encoding latin1 or --encoding cp1252",
        name, (long long)pen__count_byte(w->bytes, w->bytes + at, '\n') + 1, (long long)(w->bytes + at - begin + 1),
        (unsigned char)w->bytes[at], at);
}

static pen_status settle(pen__whole *w, const char *name, const char *asked, pen_error *error)
{
    if (w->n >= 3 && !memcmp(w->bytes, "\xEF\xBB\xBF", 3)) memmove(w->bytes, w->bytes + 3, w->n -= 3);
    w->guessed = !asked;
    w->encoding = !asked                         ? pen__guess_encoding(w->bytes, w->n)
                  : !strcasecmp(asked, "latin1") ? PEN_ENCODING_LATIN1
                  : !strcasecmp(asked, "cp1252") ? PEN_ENCODING_CP1252
                                                 : PEN_ENCODING_UTF8;
    if (w->encoding != PEN_ENCODING_UTF8) return recode(w, error);
    size_t at = pen__utf8_invalid(w->bytes, w->n);
    return at < w->n ? not_utf8(w, at, name, error) : PEN_OK;
}

pen_status pen__whole_read(pen_context *ctx, pen__stream *stream, const pen_read_options *options, pen__whole *w,
                           pen_error *error)
{
    *w = (pen__whole){.ctx = ctx};
    pen_status status = read_all(stream, w, error);
    if (status == PEN_OK) status = settle(w, pen__stream_name(stream), options->encoding, error);
    if (status != PEN_OK) pen__whole_free(w);
    return status;
}

void pen__whole_free(pen__whole *w)
{
    if (!w->ctx) return;
    pen__free(w->ctx, w->bytes);
    *w = (pen__whole){0};
}
