/* Fields and records of delimited text, the careful way: what a quote means, where a record ends. The fast way of
 * delimited.c falls back to these.
 *
 * A quote at a field's start opens it only if its closing quote stands before a delimiter, a line's end or the end of
 * the text: `"Weird Al" Yankovic` in a tab-separated file is a name with quotes, as people write them. The search for
 * the closing quote is bounded, so that the cost is linear and a forgotten quote swallows no file. */
#include <string.h>

#include "data/layout.h"

static bool ends_field(const char *at, const char *end, const char *delimiter, size_t n)
{
    if (at == end || *at == '\n') return true;
    if (*at == '\r' && (at + 1 == end || at[1] == '\n')) return true;
    return (size_t)(end - at) >= n && !memcmp(at, delimiter, n);
}

/* The quote that closes the one at `open`, or NULL where it opens nothing. */
static const char *closing_quote(const char *open, const char *end, const char *delimiter, size_t n, bool *doubled)
{
    const char *limit = end - open > PEN_QUOTED_MAX ? open + PEN_QUOTED_MAX : end;
    *doubled = false;
    for (const char *at = open + 1; at < limit; at += 2) {
        at = memchr(at, '"', (size_t)(limit - at));
        if (!at) return NULL;
        if (at + 1 >= end || at[1] != '"') return ends_field(at + 1, end, delimiter, n) ? at : NULL;
        *doubled = true;
    }
    return NULL;
}

/* The delimiter or line end from `at` on, byte by byte: to look for the line's end first would be quadratic in a line
 * of many cells. */
static const char *find_delimiter(const char *at, const char *end, const char *delimiter, size_t n)
{
    for (; at < end && *at != '\n'; at++)
        if (*at == delimiter[0] && (size_t)(end - at) >= n && !memcmp(at, delimiter, n)) break;
    return at;
}

const char *pen__field_next(const char *at, const char *end, const char *delimiter, size_t n, pen__field *field)
{
    *field = (pen__field){.raw = {at, 0}};
    const char *close, *stop;
    if (at < end && *at == '"' && (close = closing_quote(at, end, delimiter, n, &field->doubled))) {
        field->quoted = true;
        field->raw = (pen__span){at + 1, (size_t)(close - at - 1)};
        stop = close + 1;
    } else {
        field->doubled = false;
        stop = find_delimiter(at, end, delimiter, n);
        field->raw.length = (size_t)(stop - at);
    }
    if (stop < end && *stop != '\n' && (size_t)(end - stop) >= n && !memcmp(stop, delimiter, n)) return stop + n;
    field->last = true;
    if (stop < end && *stop == '\r') stop++; /* behind a closing quote */
    if (!field->quoted && field->raw.length && field->raw.text[field->raw.length - 1] == '\r') field->raw.length--;
    return stop < end ? stop + 1 : end;
}

const char *pen__record_end(const char *at, const char *cut, const char *end, const char *delimiter, size_t n)
{
    const char *record = at; /* no quote is open here; what stands before it is not looked at */
    if (cut > end) cut = end;
    while (at < end) {
        const char *line = at < cut ? cut : memchr(at, '\n', (size_t)(end - at));
        const char *stop = line ? line : end;
        const char *quote = memchr(at, '"', (size_t)(stop - at));
        if (!quote) {
            if (at >= cut) return line ? line + 1 : end;
            at = cut;
            if (at > record && at[-1] == '\n') return at;
            continue;
        }
        bool starts =
            quote == record || quote[-1] == '\n' || ((size_t)(quote - record) >= n && !memcmp(quote - n, delimiter, n));
        bool doubled;
        const char *close = starts ? closing_quote(quote, end, delimiter, n, &doubled) : NULL;
        at = close ? close + 1 : quote + 1;
    }
    return end;
}

bool pen__line_is_empty(const pen__layout *layout, const char *at, const char *end, const char **next)
{
    size_t n = layout->comment_length;
    bool comment = n && (size_t)(end - at) >= n && !memcmp(at, layout->comment, n);
    if (comment) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        *next = line ? line + 1 : end;
        return true;
    }
    const char *stop = at;
    while (stop < end && (*stop == '\r' || *stop == ' ' || *stop == '\t')) stop++;
    if (stop < end && *stop != '\n') return false;
    for (const char *c = at; c < stop; c++) /* empty cells between tabs are a row, not a blank line */
        if (*c == '\t' && layout->delimiter[0] == '\t') return false;
    *next = stop < end ? stop + 1 : end;
    return true;
}
