/* The number in an id such as "u17". An id is a span of a larger text: nothing ends it, so atoi would read on. */
#ifndef PEN_TESTS_ID_NUMBER_H
#define PEN_TESTS_ID_NUMBER_H

#include <stdio.h>
#include <stdlib.h>

#include "base/strings.h"

static inline int id_number(const pen__strings *ids, int64_t i)
{
    char digits[16];
    pen__span id = pen__strings_at(ids, i);
    snprintf(digits, sizeof digits, "%.*s", (int)(id.length - 1), id.text + 1);
    return atoi(digits);
}

#endif
