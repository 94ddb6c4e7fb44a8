/* Ids to local numbers, and the merge of the workers' tables by first sight. Cost: 16 bytes a slot at most half full,
 * 16 bytes and the id itself for each id, in each worker that met it; a merge looks each of them up once. */
#include "data/ids.h"

enum { FIRST_SLOTS_LOG2 = 10 };

pen_status pen__ids_init(pen_context *ctx, pen__ids *ids, pen_error *error)
{
    *ids = (pen__ids){.strings.ctx = ctx, .shift = 64 - FIRST_SLOTS_LOG2, .mask = ((size_t)1 << FIRST_SLOTS_LOG2) - 1};
    return PEN_NEW_ZERO(ctx, ids->slot, ids->mask + 1);
}

void pen__ids_fini(pen__ids *ids)
{
    pen_context *ctx = ids->strings.ctx;
    if (!ctx) return;
    pen__free(ctx, ids->slot);
    pen__free(ctx, ids->first);
    pen__strings_free(&ids->strings);
    *ids = (pen__ids){0};
}

static void place_in(pen__id_slot *slot, int shift, size_t mask, uint64_t tag, int32_t number)
{
    size_t at = (size_t)(tag * 0x9E3779B97F4A7C15u >> shift);
    while (slot[at].tag) at = (at + 1) & mask;
    slot[at] = (pen__id_slot){tag, number, 0};
}

static pen_status widen(pen__ids *ids, pen_error *error)
{
    pen_context *ctx = ids->strings.ctx;
    size_t mask = 2 * ids->mask + 1;
    pen__id_slot *slot;
    PEN_TRY(PEN_NEW_ZERO(ctx, slot, mask + 1));
    for (size_t i = 0; i <= ids->mask; i++)
        if (ids->slot[i].tag) place_in(slot, ids->shift - 1, mask, ids->slot[i].tag, ids->slot[i].number);
    pen__free(ctx, ids->slot);
    ids->slot = slot;
    ids->mask = mask;
    ids->shift--;
    return PEN_OK;
}

int32_t pen__ids_add(pen__ids *ids, pen__span id, uint64_t tag, int64_t place, pen_error *error)
{
    if (memchr(id.text, 0, id.length)) return PEN_ID_NUL;
    if (pen__utf8_invalid(id.text, id.length) < id.length) return PEN_ID_UTF8;
    size_t n = (size_t)ids->strings.n;
    if (2 * (n + 1) > ids->mask + 1 && widen(ids, error) != PEN_OK) return PEN_ID_FAILED;
    if (PEN_GROW(ids->strings.ctx, ids->first, &ids->cap_first, n + 1) != PEN_OK) return PEN_ID_FAILED;
    if (pen__strings_append(&ids->strings, id, error) != PEN_OK) return PEN_ID_FAILED;
    ids->first[n] = place;
    place_in(ids->slot, ids->shift, ids->mask, tag, (int32_t)n);
    return (int32_t)n;
}

/* The table whose next string was seen first, or -1. */
static int earliest(pen__ids *const *table, int n_tables, const int64_t *next)
{
    int best = -1;
    for (int t = 0; t < n_tables; t++)
        if (next[t] < table[t]->strings.n && (best < 0 || table[t]->first[next[t]] < table[best]->first[next[best]]))
            best = t;
    return best;
}

pen_status pen__ids_merge(pen__ids *const *table, int n_tables, pen__strings *out, int32_t **map, pen_error *error)
{
    pen_context *ctx = out->ctx;
    pen_status status = PEN_OK;
    int64_t *next = NULL;
    for (int t = 0; t < n_tables; t++) map[t] = NULL;
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, next, n_tables));
    for (int t = 0; t < n_tables; t++) PEN_TRY_DONE(PEN_NEW(ctx, map[t], table[t]->strings.n));
    for (int t; (t = earliest(table, n_tables, next)) >= 0; next[t]++)
        PEN_TRY_DONE(pen__strings_add(out, pen__strings_at(&table[t]->strings, next[t]), &map[t][next[t]], error));
    if (out->bytes && out->n) { /* what doubling left over */
        char *bytes = pen__realloc(ctx, out->bytes, (size_t)out->offset[out->n] + 1);
        if (bytes) out->bytes = bytes, out->cap_bytes = (size_t)out->offset[out->n] + 1;
    }
done:
    pen__free(ctx, next);
    for (int t = 0; t < n_tables && status != PEN_OK; t++) {
        pen__free(ctx, map[t]);
        map[t] = NULL;
    }
    return status;
}
