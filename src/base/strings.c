/* A table of strings with an open-addressing index (linear probing, at most half full, XXH3). */
#include "base/strings.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t pen__hash(const void *bytes, size_t n) { return XXH3_64bits(bytes, n); }

static bool slot_matches(const pen__strings *s, uint64_t slot, pen__span string, uint64_t hash)
{
    if ((uint32_t)(slot >> 32) != (uint32_t)(hash >> 32)) return false;
    return pen__span_equal(pen__strings_at(s, (int64_t)(uint32_t)slot - 1), string);
}

/* Puts number `i` into an index that has room. */
static void insert(uint64_t *slot, size_t mask, uint64_t hash, uint32_t i)
{
    size_t at = (size_t)hash & mask;
    while (slot[at]) at = (at + 1) & mask;
    slot[at] = (hash & 0xFFFFFFFF00000000u) | (i + 1);
}

static pen_status resize_index(pen__strings *s, size_t n_slots, pen_error *error)
{
    uint64_t *slot;
    PEN_TRY(PEN_NEW_ZERO(s->ctx, slot, n_slots));
    for (int64_t i = 0; i < s->n; i++) {
        pen__span string = pen__strings_at(s, i);
        insert(slot, n_slots - 1, pen__hash(string.text, string.length), (uint32_t)i);
    }
    pen__free(s->ctx, s->slot);
    s->slot = slot;
    s->slot_mask = n_slots - 1;
    return PEN_OK;
}

pen_status pen__strings_append(pen__strings *s, pen__span string, pen_error *error)
{
    PEN_CHECK(s->n < INT32_MAX - 1, PEN_E_LIMIT, "over %d different ids in one table", INT32_MAX - 1);
    size_t used = s->n ? (size_t)s->offset[s->n] : 0;
    PEN_TRY(PEN_GROW(s->ctx, s->offset, &s->cap_offsets, (size_t)s->n + 2));
    PEN_TRY(PEN_GROW(s->ctx, s->bytes, &s->cap_bytes, used + string.length + 1));
    if (string.length) memcpy(s->bytes + used, string.text, string.length);
    s->offset[0] = 0;
    s->offset[++s->n] = (int64_t)(used + string.length);
    return PEN_OK;
}

pen_status pen__strings_add_hashed(pen__strings *s, pen__span string, uint64_t hash, int32_t *number, pen_error *error)
{
    if (!s->slot || 2 * ((size_t)s->n + 1) > s->slot_mask + 1)
        PEN_TRY(resize_index(s, s->slot ? 2 * (s->slot_mask + 1) : 64, error));
    size_t at = (size_t)hash & s->slot_mask;
    for (; s->slot[at]; at = (at + 1) & s->slot_mask)
        if (slot_matches(s, s->slot[at], string, hash)) {
            *number = (int32_t)((uint32_t)s->slot[at] - 1);
            return PEN_OK;
        }
    PEN_TRY(pen__strings_append(s, string, error));
    s->slot[at] = (hash & 0xFFFFFFFF00000000u) | (uint64_t)s->n;
    *number = (int32_t)(s->n - 1);
    return PEN_OK;
}

pen_status pen__strings_add(pen__strings *s, pen__span string, int32_t *number, pen_error *error)
{
    return pen__strings_add_hashed(s, string, pen__hash(string.text, string.length), number, error);
}

int32_t pen__strings_find(const pen__strings *s, pen__span string)
{
    if (!s->slot) return -1;
    uint64_t hash = pen__hash(string.text, string.length);
    for (size_t at = (size_t)hash & s->slot_mask; s->slot[at]; at = (at + 1) & s->slot_mask)
        if (slot_matches(s, s->slot[at], string, hash)) return (int32_t)((uint32_t)s->slot[at] - 1);
    return -1;
}

static size_t slots_for(int64_t n)
{
    size_t n_slots = 64;
    while (n_slots < 2 * ((size_t)n + 1)) n_slots *= 2;
    return n_slots;
}

uint64_t pen__strings_pick_bytes(const pen__strings *from, const int32_t *number, int64_t n, bool indexed)
{
    uint64_t bytes = ((uint64_t)n + 1) * sizeof *from->offset + 1;
    for (int64_t i = 0; i < n; i++) bytes += pen__strings_at(from, number[i]).length;
    return bytes + (indexed ? slots_for(n) * sizeof *from->slot : 0);
}

pen_status pen__strings_index(pen__strings *s, pen_error *error)
{
    size_t n_slots = slots_for(s->n);
    uint64_t *slot;
    PEN_TRY(PEN_NEW_ZERO(s->ctx, slot, n_slots));
    pen__free(s->ctx, s->slot);
    s->slot = slot;
    s->slot_mask = n_slots - 1;
    for (int64_t i = 0; i < s->n; i++) {
        pen__span string = pen__strings_at(s, i);
        uint64_t hash = pen__hash(string.text, string.length);
        size_t at = (size_t)hash & s->slot_mask;
        for (; slot[at]; at = (at + 1) & s->slot_mask)
            PEN_CHECK(!slot_matches(s, slot[at], string, hash), PEN_E_FORMAT, "the id '%.*s' stands twice in one table",
                      (int)(string.length < 80 ? string.length : 80), string.text);
        slot[at] = (hash & 0xFFFFFFFF00000000u) | ((uint64_t)i + 1);
    }
    return PEN_OK;
}

pen_status pen__strings_pick(const pen__strings *from, const int32_t *number, int64_t n, pen__strings *out,
                             pen_error *error)
{
    *out = (pen__strings){.ctx = from->ctx};
    size_t bytes = 0;
    for (int64_t i = 0; i < n; i++) bytes += pen__strings_at(from, number[i]).length;
    pen_status status = PEN_GROW(from->ctx, out->offset, &out->cap_offsets, (size_t)n + 1);
    if (status == PEN_OK) status = PEN_GROW(from->ctx, out->bytes, &out->cap_bytes, bytes + 1);
    if (status == PEN_OK) out->offset[0] = 0;
    for (int64_t i = 0; i < n && status == PEN_OK; i++)
        status = pen__strings_append(out, pen__strings_at(from, number[i]), error);
    if (status != PEN_OK) pen__strings_free(out);
    return status;
}

void pen__strings_free(pen__strings *s)
{
    if (s->cap_offsets) pen__free(s->ctx, s->offset);
    if (s->cap_bytes) pen__free(s->ctx, s->bytes);
    pen__free(s->ctx, s->slot);
    *s = (pen__strings){.ctx = s->ctx};
}
