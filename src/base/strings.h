/* A table of strings: n strings end to end and n + 1 offsets; and an index from string to number.
 *
 * Strings are numbered from 0 in the order in which they were first added. A table may borrow its arrays from a mapped
 * container. The index is an open-addressing table of 32-bit numbers beside 32-bit pieces of the hash: 8 bytes a slot,
 * at most half full before it grows. Lookups are thread-safe while nobody adds.
 */
#ifndef PEN_BASE_STRINGS_H
#define PEN_BASE_STRINGS_H

#include "base/text.h"

typedef struct pen__strings {
    pen_context *ctx;
    int64_t n;
    int64_t *offset;               /* n + 1; NULL while n is 0 and nothing was reserved */
    char *bytes;                   /* offset[n] bytes, no terminators */
    uint64_t *slot;                /* index: hash's high half << 32 | number + 1; 0 is empty; NULL until needed */
    size_t slot_mask;              /* number of slots - 1 */
    size_t cap_offsets, cap_bytes; /* 0 where the arrays are borrowed */
} pen__strings;

/* Number of the string, added if new. PEN_E_LIMIT past 2^31 - 2 strings. */
pen_status pen__strings_add(pen__strings *strings, pen__span string, int32_t *number, pen_error *error);

/* The same with the hash at hand (XXH3 64 of the bytes, pen__hash). */
pen_status pen__strings_add_hashed(pen__strings *strings, pen__span string, uint64_t hash, int32_t *number,
                                   pen_error *error);

/* Appends without looking whether it is there already (a title column): no index. */
pen_status pen__strings_append(pen__strings *strings, pen__span string, pen_error *error);

/* Number, or -1. The index must have been built (by adding, or pen__strings_index). */
int32_t pen__strings_find(const pen__strings *strings, pen__span string);

/* Builds the index of a borrowed or appended table. Fails with PEN_E_FORMAT where a string stands twice. */
pen_status pen__strings_index(pen__strings *strings, pen_error *error);

static inline pen__span pen__strings_at(const pen__strings *strings, int64_t number)
{
    return (pen__span){strings->bytes + strings->offset[number],
                       (size_t)(strings->offset[number + 1] - strings->offset[number])};
}

/* The sub-table of the given numbers, in their order (no index). */
pen_status pen__strings_pick(const pen__strings *from, const int32_t *number, int64_t n, pen__strings *out,
                             pen_error *error);

/* What that sub-table will hold, with its index or without. */
uint64_t pen__strings_pick_bytes(const pen__strings *from, const int32_t *number, int64_t n, bool indexed);

void pen__strings_free(pen__strings *strings);

uint64_t pen__hash(const void *bytes, size_t n);

#endif
