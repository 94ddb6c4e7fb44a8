/* Cells of text as numbers and times. */
#ifndef PEN_DATA_CELLS_H
#define PEN_DATA_CELLS_H

#include "base/text.h"

enum pen__time_unit {
    PEN_UNIT_SECONDS = 0,
    PEN_UNIT_MILLISECONDS = 1,
    PEN_UNIT_MICROSECONDS = 2,
    PEN_UNIT_NANOSECONDS = 3,
    PEN_UNIT_ISO8601 = 4
};

extern const char *const pen__time_units[]; /* names, NULL behind the last */

/* A time as milliseconds since 1970; false where it is not one of that form or leaves the years
 * -290,000,000..290,000,000. */
bool pen__parse_time(pen__span text, int unit, bool decimal_comma, int64_t *out);

/* A number with a decimal point, or comma if so asked. Accepts nan and inf, as pen__parse_double. */
bool pen__parse_number(pen__span text, bool decimal_comma, double *out);

/* The unit that a cell looks like: ISO 8601, or by magnitude; -1 where it is neither. */
int pen__guess_unit(pen__span text, bool decimal_comma);

/* Whether all of the text is blanks, tabs or nothing. */
static inline bool pen__is_blank(pen__span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.text[i] != ' ' && text.text[i] != '\t') return false;
    return true;
}

#endif
