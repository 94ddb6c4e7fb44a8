/* Numbers and times. ISO 8601: a date (2024-05-01, 20240501), then optionally T or a blank, hours and minutes, seconds,
 * a fraction, and Z or an offset; without an offset it is UTC. Days from the civil calendar are counted as in Howard
 * Hinnant's "chrono-compatible low-level date algorithms". A leap second counts as the second after it. */
#include "data/cells.h"

#include <math.h>
#include <string.h>

const char *const pen__time_units[] = {"seconds", "milliseconds", "microseconds", "nanoseconds", "iso8601", NULL};

bool pen__parse_number(pen__span text, bool decimal_comma, double *out)
{
    text = pen__span_trim(text);
    if (!text.length) return false;
    if (!decimal_comma) return pen__parse_double(text, out);
    char copy[64];
    if (text.length >= sizeof copy) return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.text[i] == '.') return false;
        copy[i] = text.text[i] == ',' ? '.' : text.text[i];
    }
    return pen__parse_double((pen__span){copy, text.length}, out);
}

static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400, doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* Exactly n digits at *at. */
static bool digits(const char **at, const char *end, int n, int *out)
{
    *out = 0;
    if (end - *at < n) return false;
    for (; n; n--, ++*at) {
        if ((unsigned char)(**at - '0') > 9) return false;
        *out = *out * 10 + (**at - '0');
    }
    return true;
}

static bool skip(const char **at, const char *end, char c)
{
    if (*at == end || **at != c) return false;
    ++*at;
    return true;
}

static bool parse_offset(const char **at, const char *end, int *minutes)
{
    int hours, rest = 0;
    *minutes = 0;
    if (*at == end || skip(at, end, 'Z') || skip(at, end, 'z')) return true;
    bool west = skip(at, end, '-');
    if (!west && !skip(at, end, '+')) return false;
    if (!digits(at, end, 2, &hours)) return false;
    skip(at, end, ':');
    if (*at != end && !digits(at, end, 2, &rest)) return false;
    *minutes = (west ? -1 : 1) * (hours * 60 + rest);
    return hours < 24 && rest < 60;
}

static bool parse_clock(const char **at, const char *end, int64_t *ms)
{
    int h, m = 0, s = 0;
    if (!digits(at, end, 2, &h)) return false;
    bool colon = skip(at, end, ':');
    if (*at != end && (unsigned char)(**at - '0') < 10 && !digits(at, end, 2, &m)) return false;
    if (colon ? skip(at, end, ':') : *at != end && (unsigned char)(**at - '0') < 10)
        if (!digits(at, end, 2, &s)) return false;
    int64_t fraction = 0, scale = 100;
    if (skip(at, end, '.') || skip(at, end, ','))
        for (; *at != end && (unsigned char)(**at - '0') < 10; ++*at, scale /= 10) fraction += (**at - '0') * scale;
    *ms = ((int64_t)h * 3600 + m * 60 + s) * 1000 + fraction;
    return (h < 24 || (h == 24 && !m && !s)) && m < 60 && s <= 60;
}

static bool parse_iso(pen__span text, int64_t *out)
{
    static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const char *at = text.text, *end = text.text + text.length;
    int y, m, d, minutes;
    int64_t clock = 0;
    if (!digits(&at, end, 4, &y)) return false;
    bool dash = skip(&at, end, '-') || skip(&at, end, '/');
    if (!digits(&at, end, 2, &m)) return false;
    if (dash && !skip(&at, end, '-') && !skip(&at, end, '/')) return false;
    if (!digits(&at, end, 2, &d)) return false;
    if (m < 1 || m > 12 || d < 1 || d > month_days[m - 1]) return false;
    if (m == 2 && d == 29 && (y % 4 || (y % 100 == 0 && y % 400))) return false;
    if (at != end) {
        if (!skip(&at, end, 'T') && !skip(&at, end, 't') && !skip(&at, end, ' ')) return false;
        if (!parse_clock(&at, end, &clock)) return false;
    }
    skip(&at, end, ' '); /* "2024-05-01 10:00:00 +00:00", " UTC" */
    if (end - at == 3 && !memcmp(at, "UTC", 3)) at = end;
    if (!parse_offset(&at, end, &minutes) || at != end) return false;
    *out = days_from_civil(y, m, d) * 86400000 + clock - (int64_t)minutes * 60000;
    return true;
}

bool pen__parse_time(pen__span text, int unit, bool decimal_comma, int64_t *out)
{
    static const double scale[] = {1e3, 1, 1e-3, 1e-6};
    text = pen__span_trim(text);
    if (!text.length) return false;
    if (unit == PEN_UNIT_ISO8601) return parse_iso(text, out);
    int64_t whole;
    if (pen__parse_int64(text, &whole)) {
        switch (unit) {
        case PEN_UNIT_SECONDS: return !__builtin_mul_overflow(whole, 1000, out) && *out != INT64_MIN;
        case PEN_UNIT_MICROSECONDS: *out = whole / 1000 - (whole % 1000 < 0); return true;
        case PEN_UNIT_NANOSECONDS: *out = whole / 1000000 - (whole % 1000000 < 0); return true;
        default: *out = whole; return whole != INT64_MIN;
        }
    }
    double value;
    if (!pen__parse_number(text, decimal_comma, &value) || !isfinite(value)) return false;
    value = floor(value * scale[unit] + 0.5);
    if (!(fabs(value) < 0x1p63)) return false;
    *out = (int64_t)value;
    return true;
}

int pen__guess_unit(pen__span text, bool decimal_comma)
{
    double value;
    int64_t time;
    text = pen__span_trim(text);
    if (!text.length) return -1;
    /* 20240501 alone is a number of seconds; with dashes or a clock it is a date */
    if (parse_iso(text, &time) && !(text.length == 8 && !memchr(text.text, '-', 8))) return PEN_UNIT_ISO8601;
    if (!pen__parse_number(text, decimal_comma, &value) || !isfinite(value)) return -1;
    value = fabs(value);
    return value >= 1e17   ? PEN_UNIT_NANOSECONDS
           : value >= 1e14 ? PEN_UNIT_MICROSECONDS
           : value >= 1e11 ? PEN_UNIT_MILLISECONDS
                           : PEN_UNIT_SECONDS;
}
