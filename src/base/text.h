/* Small things about text: numbers, UTF-8, the nearest name, growing strings. */
#ifndef PEN_BASE_TEXT_H
#define PEN_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

/* A borrowed piece of text; need not end with NUL. */
typedef struct pen__span {
    const char *text;
    size_t length;
} pen__span;

static inline pen__span pen__span_of(const char *text) { return (pen__span){text, text ? __builtin_strlen(text) : 0}; }

bool pen__span_equal(pen__span a, pen__span b);
bool pen__span_is(pen__span a, const char *text);
pen__span pen__span_trim(pen__span a); /* without blanks and tabs at both ends */

/* The whole span as a number; false if it is anything else (empty, trailing bytes, out of range). Locale-free. Decimal
 * accepts nan and inf: the caller decides about them. */
bool pen__parse_double(pen__span text, double *out);
bool pen__parse_int64(pen__span text, int64_t *out);

/* "8G", "512M", "1.5GiB", "1000": bytes. */
bool pen__parse_bytes(pen__span text, uint64_t *out);

/* Offset of the first byte that is not well-formed UTF-8 (RFC 3629), or `length`. */
size_t pen__utf8_invalid(const char *text, size_t length);

/* Levenshtein distance with swaps of neighbours counted as one, at most `cap`. */
int pen__edit_distance(pen__span a, pen__span b, int cap);

/* Index of the name nearest to `asked` by edit distance among n (names[i * stride bytes] is a const char *), or -1 when
 * none is near enough to be meant (over a third of the longer length, and no prefix of it). */
int pen__nearest_name(pen__span asked, const void *names, size_t n, size_t stride);

/* A string that grows. `{0}` is empty; failures are remembered in `failed` and looked at once at the end. */
typedef struct pen__text {
    pen_context *ctx;
    char *bytes; /* always ends with NUL when not NULL */
    size_t length, cap;
    bool failed;
} pen__text;

void pen__text_add(pen__text *text, const char *bytes, size_t n);
void pen__text_puts(pen__text *text, const char *string);
void pen__text_printf(pen__text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The string in JSON quotes, with everything that needs it escaped. Invalid UTF-8 becomes U+FFFD. */
void pen__text_json(pen__text *text, const char *bytes, size_t n);
void pen__text_free(pen__text *text);

#endif
