/* Ids to local numbers while reading: one table a worker, so that nobody waits for anybody.
 *
 * A slot is a 64-bit tag and a number. An id of at most 7 bytes is its own tag (its bytes, its length in the top byte):
 * it is compared as one integer. A longer one's tag is its XXH3 with the top bit set, and its bytes are compared as
 * well. Numbers rise with the place of the first sight, which `first` keeps: a worker takes its blocks in rising order,
 * and so the tables of all workers merge into the order of first sight in the file, whoever read what.
 */
#ifndef PEN_DATA_IDS_H
#define PEN_DATA_IDS_H

#include <string.h>

#include "base/strings.h"

typedef struct pen__id_slot {
    uint64_t tag; /* 0: empty */
    int32_t number;
    int32_t reserved;
} pen__id_slot;

typedef struct pen__ids {
    pen__id_slot *slot;
    int shift; /* 64 - log2 of the number of slots */
    size_t mask;
    pen__strings strings; /* no index of its own */
    int64_t *first;       /* where each was first seen: block << 32 | row of the block */
    size_t cap_first;
} pen__ids;

enum pen__id_fault { PEN_ID_FINE = 0, PEN_ID_NUL = -1, PEN_ID_UTF8 = -2, PEN_ID_FAILED = -3 };

pen_status pen__ids_init(pen_context *ctx, pen__ids *ids, pen_error *error);
void pen__ids_fini(pen__ids *ids);

/* The slow half: adds what is not there. A pen__id_fault below 0, or the number; PEN_ID_FAILED fills `error`. */
int32_t pen__ids_add(pen__ids *ids, pen__span id, uint64_t tag, int64_t place, pen_error *error);

static inline uint64_t pen__id_tag(const char *text, size_t length, const char *readable_end)
{
    if (length > 7) return pen__hash(text, length) | 1ull << 63;
    uint64_t word = 0;
    if (text + 8 <= readable_end) {
        memcpy(&word, text, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        word &= (1ull << 8 * length) - 1;
    } else
        for (size_t i = 0; i < length; i++) word |= (uint64_t)(unsigned char)text[i] << 8 * i;
    return word | (uint64_t)length << 56;
}

static inline pen__id_slot *pen__ids_slot(const pen__ids *ids, uint64_t tag)
{
    return &ids->slot[(size_t)(tag * 0x9E3779B97F4A7C15u >> ids->shift)];
}

/* The number of an id that is not empty, added if new; below 0: a pen__id_fault. */
static inline int32_t pen__ids_tagged(pen__ids *ids, pen__span id, uint64_t tag, int64_t place, pen_error *error)
{
    const pen__id_slot *slot = pen__ids_slot(ids, tag), *end = ids->slot + ids->mask + 1;
    for (;;) {
        if (slot->tag == tag && (id.length <= 7 || pen__span_equal(pen__strings_at(&ids->strings, slot->number), id)))
            return slot->number;
        if (!slot->tag) return pen__ids_add(ids, id, tag, place, error);
        if (++slot == end) slot = ids->slot;
    }
}

static inline int32_t pen__ids_number(pen__ids *ids, pen__span id, const char *readable_end, int64_t place,
                                      pen_error *error)
{
    return pen__ids_tagged(ids, id, pen__id_tag(id.text, id.length, readable_end), place, error);
}

/* Merges n_tables tables into `out` (indexed), by first sight; map[t][local number] is the number in `out` (n_tables
 * arrays that the caller frees; all NULL on failure). */
pen_status pen__ids_merge(pen__ids *const *table, int n_tables, pen__strings *out, int32_t **map, pen_error *error);

#endif
