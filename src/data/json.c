/* JSON objects member by member (RFC 8259). Strings are used where they stand; only those with escapes are copied.
 * Nothing recurses: what is nested is skipped by counting. */
#include "data/json.h"

#include <string.h>

static void blanks(pen__json *j)
{
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\t' || *j->at == '\r' || *j->at == '\n')) j->at++;
}

static bool fail(pen__json *j, const char *what)
{
    j->fault = what;
    return false;
}

static bool take(pen__json *j, char c)
{
    blanks(j);
    if (j->at == j->end || *j->at != c) return false;
    j->at++;
    return true;
}

static int hex4(const char *at, const char *end)
{
    int value = 0;
    if (end - at < 4) return -1;
    for (int i = 0; i < 4; i++) {
        int c = at[i], digit = c >= '0' && c <= '9'                 ? c - '0'
                               : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                                    : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

static char *put_utf8(char *to, int c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xC0 | c >> 6);
        *to++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *to++ = (char)(0xE0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    } else {
        *to++ = (char)(0xF0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 63));
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    }
    return to;
}

/* The escape behind the backslash at j->at. */
static bool escape(pen__json *j, char **to)
{
    static const char from[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
    if (++j->at == j->end) return fail(j, "a string has no end");
    char c = *j->at++;
    const char *known = c ? memchr(from, c, sizeof from - 1) : NULL;
    if (known) return *(*to)++ = meaning[known - from], true;
    if (c != 'u') return fail(j, "an escape in a string is not one of JSON's");
    int code = hex4(j->at, j->end);
    if (code < 0) return fail(j, "a \\u in a string has no four hexadecimal digits");
    j->at += 4;
    if (code >= 0xD800 && code < 0xDC00) {
        int low = j->end - j->at >= 6 && j->at[0] == '\\' && j->at[1] == 'u' ? hex4(j->at + 2, j->end) : -1;
        if (low < 0xDC00 || low > 0xDFFF) return fail(j, "a \\u in a string is half of a surrogate pair");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        j->at += 6;
    } else if (code >= 0xDC00 && code < 0xE000)
        return fail(j, "a \\u in a string is half of a surrogate pair");
    *to = put_utf8(*to, code);
    return true;
}

/* A string, j->at on its opening quote. */
static bool string(pen__json *j, pen__span *out)
{
    const char *begin = ++j->at;
    char *to = NULL;
    for (;;) {
        const char *run = j->at;
        while (j->at < j->end && *j->at != '"' && *j->at != '\\' && (unsigned char)*j->at >= ' ') j->at++;
        if (to && j->at > run) memcpy(to, run, (size_t)(j->at - run)), to += j->at - run;
        if (j->at == j->end) return fail(j, "a string has no end");
        if (*j->at == '"') break;
        if ((unsigned char)*j->at < ' ')
            return fail(j, "a string holds a control character; JSON writes it as an escape");
        if (!to) { /* the first escape: what came before it moves as well */
            to = j->scratch;
            memcpy(to, begin, (size_t)(j->at - begin));
            to += j->at - begin;
        }
        if (!escape(j, &to)) return false;
    }
    *out = to ? (pen__span){j->scratch, (size_t)(to - j->scratch)} : (pen__span){begin, (size_t)(j->at - begin)};
    if (to) j->scratch = to;
    j->at++;
    return true;
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' ||
           c == '.';
}

/* A number, true, false or null. */
static bool word(pen__json *j, pen__span *out)
{
    const char *begin = j->at;
    while (j->at < j->end && is_word(*j->at)) j->at++;
    *out = (pen__span){begin, (size_t)(j->at - begin)};
    if (pen__span_is(*out, "null")) return j->type = PEN_JSON_NULL, true;
    if (pen__span_is(*out, "true") || pen__span_is(*out, "false")) return j->type = PEN_JSON_BOOL, true;
    j->type = PEN_JSON_NUMBER;
    bool number = out->length && (*begin == '-' || (*begin >= '0' && *begin <= '9'));
    for (const char *c = begin; c < j->at && number; c++)
        number = !(*c >= 'a' && *c <= 'z' && *c != 'e') && !(*c >= 'A' && *c <= 'Z' && *c != 'E');
    if (number) return true;
    if (pen__span_is(*out, "NaN") || pen__span_is(*out, "Infinity") || pen__span_is(*out, "-Infinity"))
        return true; /* Python writes them: judged as values */
    j->at = begin;
    return fail(j, "there is no value (a string needs double quotes)");
}

/* Behind the bracket that opened it: to the end of what is nested. */
static bool skip_nested(pen__json *j)
{
    pen__span ignored;
    char *scratch = j->scratch;
    for (size_t depth = 1; depth;) {
        if (j->at == j->end) return fail(j, "a bracket is not closed");
        char c = *j->at;
        if (c == '"') {
            if (!string(j, &ignored)) return false;
            j->scratch = scratch;
            continue;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        j->at++;
    }
    return true;
}

/* A list, j->at behind its bracket. */
static bool list(pen__json *j, pen__span *out)
{
    char *begin = j->scratch, *to = begin;
    for (bool more = !take(j, ']'); more;) {
        pen__span part;
        blanks(j);
        if (j->at == j->end) return fail(j, "a list is not closed");
        if (*j->at == '{' || *j->at == '[') {
            j->at++;
            if (!skip_nested(j)) return false;
        } else {
            j->type = PEN_JSON_STRING;
            j->scratch =
                to + (to > begin); /* one byte for the part's mark: less than the comma and quotes it replaces */
            if (*j->at == '"' ? !string(j, &part) : !word(j, &part)) return false;
            if (j->type != PEN_JSON_NULL && part.length) {
                if (to > begin) *to++ = PEN_JSON_PART;
                memmove(to, part.text, part.length);
                to += part.length;
            }
        }
        more = take(j, ',');
        if (!more && !take(j, ']')) return fail(j, "a list is not closed");
    }
    *out = (pen__span){begin, (size_t)(to - begin)};
    j->scratch = to;
    j->type = PEN_JSON_LIST;
    return true;
}

static bool value(pen__json *j, pen__span *out)
{
    blanks(j);
    if (j->at == j->end) return fail(j, "the line ends where a value should stand");
    const char *begin = j->at;
    switch (*j->at) {
    case '"': j->type = PEN_JSON_STRING; return string(j, out);
    case '[': j->at++; return list(j, out);
    case '{':
        j->at++;
        if (!skip_nested(j)) return false;
        *out = (pen__span){begin, (size_t)(j->at - begin)};
        j->type = PEN_JSON_OBJECT;
        return true;
    default: return word(j, out);
    }
}

bool pen__json_open(pen__json *j)
{
    j->fault = NULL;
    j->first = true;
    return take(j, '{') || fail(j, "the line is not a JSON object ({\"user\": ..., \"item\": ...})");
}

bool pen__json_member(pen__json *j, pen__span *key, pen__span *out)
{
    if (take(j, '}')) {
        blanks(j);
        return j->at == j->end ? false : fail(j, "something stands behind the object; one object a line");
    }
    if (!j->first && !take(j, ',')) return fail(j, "a comma or a closing brace is missing");
    j->first = false;
    blanks(j);
    if (j->at == j->end || *j->at != '"') return fail(j, "a name in double quotes is missing");
    if (!string(j, key)) return false;
    if (!take(j, ':')) return fail(j, "a colon is missing behind a name");
    return value(j, out);
}
