/* Ids that differ from another one only in ASCII case or in blanks at their ends. */
#ifndef PEN_DATA_ALIKE_H
#define PEN_DATA_ALIKE_H

#include "base/strings.h"

enum { PEN_ALIKE_KEPT = 3 };

typedef struct pen__alike {
    int64_t n;                       /* ids that are another one but for case or blanks */
    int32_t pair[PEN_ALIKE_KEPT][2]; /* the first few, with the one that each is like */
} pen__alike;

/* O(bytes of the ids that have capitals or blanks). */
pen_status pen__alike_find(const pen__strings *ids, pen__alike *out, pen_error *error);

#endif
