/* Small things about text. Numbers are parsed by hand in the common case (up to 19 digits, small exponents: exact) and
 * by strtod in the "C" form otherwise, since strtod alone costs more than the rest of reading a row. */
#include "base/text.h"

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool pen__span_equal(pen__span a, pen__span b)
{
    return a.length == b.length && (a.length == 0 || !memcmp(a.text, b.text, a.length));
}
bool pen__span_is(pen__span a, const char *text) { return pen__span_equal(a, pen__span_of(text)); }

pen__span pen__span_trim(pen__span a)
{
    while (a.length && (a.text[0] == ' ' || a.text[0] == '\t')) a.text++, a.length--;
    while (a.length && (a.text[a.length - 1] == ' ' || a.text[a.length - 1] == '\t')) a.length--;
    return a;
}

/* The general form, on a NUL-terminated copy; strtod_l would be cleaner but needs a locale object for each call. */
static bool parse_slowly(pen__span text, double *out)
{
    char copy[512];
    if (text.length == 0 || text.length >= sizeof copy || memchr(text.text, 0, text.length)) return false;
    if (text.text[0] == ' ' || text.text[0] == '\t') return false;
    memcpy(copy, text.text, text.length);
    copy[text.length] = 0;
    if (strpbrk(copy, "xXpP")) return false; /* no hexadecimal */
    static const char point = '.';
    const struct lconv *conv = localeconv();
    if (conv->decimal_point[0] != point)
        for (char *c = copy; *c; c++)
            if (*c == point) *c = conv->decimal_point[0];
    char *end;
    *out = strtod(copy, &end);
    return *end == 0;
}

bool pen__parse_double(pen__span text, double *out)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char *at = text.text, *end = text.text + text.length;
    bool negative = false;
    if (at < end && (*at == '-' || *at == '+')) negative = *at++ == '-';
    uint64_t digits = 0;
    int n = 0, fraction = 0;
    for (; at < end && (unsigned char)(*at - '0') < 10; at++, n++) digits = digits * 10 + (uint64_t)(*at - '0');
    if (at < end && *at == '.')
        for (at++; at < end && (unsigned char)(*at - '0') < 10; at++, n++, fraction++)
            digits = digits * 10 + (uint64_t)(*at - '0');
    if (at != end || n == 0 || n > 18 || digits >> 53 || fraction > 22) return parse_slowly(text, out);
    double value = (double)digits / power[fraction]; /* both exact: one rounding */
    *out = negative ? -value : value;
    return true;
}

bool pen__parse_int64(pen__span text, int64_t *out)
{
    const char *at = text.text, *end = text.text + text.length;
    bool negative = false;
    if (at < end && (*at == '-' || *at == '+')) negative = *at++ == '-';
    if (at == end) return false;
    int64_t value = 0;
    for (; at < end; at++) {
        int digit = *at - '0';
        if (digit < 0 || digit > 9) return false;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, digit, &value)) return false;
    }
    if (!negative && __builtin_sub_overflow((int64_t)0, value, &value)) return false;
    *out = value;
    return true;
}

bool pen__parse_bytes(pen__span text, uint64_t *out)
{
    size_t n = 0;
    while (n < text.length && ((unsigned char)(text.text[n] - '0') < 10 || text.text[n] == '.')) n++;
    double value;
    if (!n || !pen__parse_double((pen__span){text.text, n}, &value)) return false;
    pen__span unit = {text.text + n, text.length - n};
    static const char letters[] = "KMGT";
    double scale = 1;
    if (unit.length) {
        const char *letter = strchr(letters, unit.text[0] & ~32);
        if (letter && *letter)
            for (scale = 1024; letter > letters; letter--) scale *= 1024;
        else if ((unit.text[0] & ~32) != 'B' || unit.length > 1)
            return false;
        pen__span rest = {unit.text + 1, unit.length - 1};
        if (rest.length && !pen__span_is(rest, "B") && !pen__span_is(rest, "iB") && !pen__span_is(rest, "b"))
            return false;
    }
    if (!(value * scale < 0x1p63)) return false;
    *out = (uint64_t)(value * scale);
    return true;
}

/* Length of the well-formed character at `s`, 0 if there is none. Table 3-7 of the Unicode standard. */
static size_t character(const unsigned char *s, size_t left)
{
    if (s[0] < 0x80) return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4) return 0;
    size_t n = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (left < n) return 0;
    unsigned low = s[0] == 0xE0   ? 0xA0
                   : s[0] == 0xF0 ? 0x90
                                  : 0x80,
             high = s[0] == 0xED   ? 0x9F
                    : s[0] == 0xF4 ? 0x8F
                                   : 0xBF;
    if (s[1] < low || s[1] > high) return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    return n;
}

size_t pen__utf8_invalid(const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t at = 0;
    while (at < length) {
        uint64_t eight;
        while (at + 8 <= length && (memcpy(&eight, s + at, 8), !(eight & 0x8080808080808080u))) at += 8;
        if (at >= length) break;
        size_t n = character(s + at, length - at);
        if (!n) return at;
        at += n;
    }
    return length;
}

int pen__edit_distance(pen__span a, pen__span b, int cap)
{
    enum { LONGEST = 64 };
    if (a.length > LONGEST || b.length > LONGEST) return cap;
    int row[3][LONGEST + 1];
    int *before = row[0], *last = row[1], *now = row[2];
    for (size_t j = 0; j <= b.length; j++) last[j] = (int)j;
    for (size_t i = 1; i <= a.length; i++) {
        now[0] = (int)i;
        for (size_t j = 1; j <= b.length; j++) {
            int best = last[j - 1] + (a.text[i - 1] != b.text[j - 1]);
            if (last[j] + 1 < best) best = last[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a.text[i - 1] == b.text[j - 2] && a.text[i - 2] == b.text[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        int *spare = before;
        before = last, last = now, now = spare;
    }
    return last[b.length] < cap ? last[b.length] : cap;
}

int pen__nearest_name(pen__span asked, const void *names, size_t n, size_t stride)
{
    int nearest = -1, least = 1 << 20;
    for (size_t i = 0; i < n; i++) {
        const char *name;
        memcpy(&name, (const char *)names + i * stride, sizeof name);
        if (!name) continue;
        pen__span other = pen__span_of(name);
        size_t longer = asked.length > other.length ? asked.length : other.length;
        int distance = pen__edit_distance(asked, other, 1 << 20);
        bool prefix = asked.length >= 2 && asked.length < other.length && !memcmp(asked.text, other.text, asked.length);
        if (prefix && distance > 2) distance = 2;
        if (distance > (int)(longer + 2) / 3 && !prefix) continue;
        if (distance < least) least = distance, nearest = (int)i;
    }
    return nearest;
}

static bool room(pen__text *text, size_t n)
{
    size_t need;
    if (text->failed || !pen__add(text->length, n, &need) || !pen__add(need, 1, &need))
        return text->failed = true, false;
    if (need > text->cap && pen__grow(text->ctx, &text->bytes, &text->cap, need, 1, NULL) != PEN_OK)
        text->failed = true;
    return !text->failed;
}

void pen__text_add(pen__text *text, const char *bytes, size_t n)
{
    if (!room(text, n)) return;
    if (n) memcpy(text->bytes + text->length, bytes, n);
    text->length += n;
    text->bytes[text->length] = 0;
}

void pen__text_puts(pen__text *text, const char *string) { pen__text_add(text, string, strlen(string)); }

void pen__text_printf(pen__text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !room(text, (size_t)n)) return;
    va_start(args, format);
    vsnprintf(text->bytes + text->length, (size_t)n + 1, format, args);
    va_end(args);
    text->length += (size_t)n;
}

void pen__text_json(pen__text *text, const char *bytes, size_t n)
{
    pen__text_add(text, "\"", 1);
    for (size_t at = 0; at < n;) {
        unsigned char c = (unsigned char)bytes[at];
        size_t run = character((const unsigned char *)bytes + at, n - at);
        if (run == 0)
            pen__text_puts(text, "\xEF\xBF\xBD"), at++;
        else if (c == '"' || c == '\\')
            pen__text_printf(text, "\\%c", c), at++;
        else if (c == '\n')
            pen__text_puts(text, "\\n"), at++;
        else if (c == '\t')
            pen__text_puts(text, "\\t"), at++;
        else if (c < 0x20)
            pen__text_printf(text, "\\u%04x", c), at++;
        else
            pen__text_add(text, bytes + at, run), at += run;
    }
    pen__text_add(text, "\"", 1);
}

void pen__text_free(pen__text *text)
{
    pen__free(text->ctx, text->bytes);
    *text = (pen__text){.ctx = text->ctx};
}
