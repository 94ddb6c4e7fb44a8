/* latin1 and cp1252 as UTF-8. The table is Unicode's mapping CP1252.TXT, bytes 80 to 9F. */
#include "data/encoding.h"

#include <stdbool.h>
#include <stdint.h>

#include "data/layout.h"

static const uint16_t high[32] = {0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                  0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D,   0x017D, 0x8F,
                                  0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                  0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};

size_t pen__encode_utf8(const char *text, size_t n, int cp1252, char *to)
{
    char *at = to;
    for (size_t i = 0; i < n; i++) {
        unsigned c = (unsigned char)text[i];
        if (cp1252 && c >= 0x80 && c < 0xA0) c = high[c - 0x80];
        if (c < 0x80) {
            *at++ = (char)c;
        } else if (c < 0x800) {
            *at++ = (char)(0xC0 | c >> 6);
            *at++ = (char)(0x80 | (c & 63));
        } else {
            *at++ = (char)(0xE0 | c >> 12);
            *at++ = (char)(0x80 | (c >> 6 & 63));
            *at++ = (char)(0x80 | (c & 63));
        }
    }
    return (size_t)(at - to);
}

int pen__guess_encoding(const char *text, size_t n)
{
    size_t good = 0, malformed = 0;
    bool c1 = false;
    for (size_t at = 0; at < n;) {
        size_t run = pen__utf8_invalid(text + at, n - at);
        for (size_t i = at; i < at + run; i++)
            good += (unsigned char)text[i] >= 0xC0; /* one for each character of several bytes */
        at += run;
        if (at == n) break;
        malformed++;
        c1 |= (unsigned char)text[at] < 0xA0;
        at++;
    }
    return malformed <= good ? PEN_ENCODING_UTF8 : c1 ? PEN_ENCODING_CP1252 : PEN_ENCODING_LATIN1;
}
