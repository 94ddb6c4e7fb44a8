/* Ids that differ only in ASCII case or in blanks at their ends: each id that has such letters is put in its plain form
 * and looked for among the ids and among the plain forms before it.
 */
#include "data/alike.h"

/* The plain form of `id` into `plain`; false where the id is plain already. */
static bool plain_form(pen__span id, pen__text *plain)
{
    pen__span bare = pen__span_trim(id);
    bool changed = bare.length != id.length;
    for (size_t k = 0; k < bare.length && !changed; k++) changed = bare.text[k] >= 'A' && bare.text[k] <= 'Z';
    if (!changed) return false;
    plain->length = 0;
    pen__text_add(plain, bare.text, bare.length);
    for (size_t k = 0; k < plain->length && !plain->failed; k++)
        if (plain->bytes[k] >= 'A' && plain->bytes[k] <= 'Z') plain->bytes[k] = (char)(plain->bytes[k] + 32);
    return true;
}

pen_status pen__alike_find(const pen__strings *ids, pen__alike *out, pen_error *error)
{
    pen__text plain = {.ctx = ids->ctx};
    pen__strings seen = {.ctx = ids->ctx};
    int32_t *first = NULL; /* the id that first had the plain form */
    size_t cap = 0;
    pen_status status = PEN_OK;
    *out = (pen__alike){.n = 0};
    for (int64_t i = 0; i < ids->n; i++) {
        if (!plain_form(pen__strings_at(ids, i), &plain)) continue;
        PEN_CHECK_DONE(!plain.failed, PEN_E_MEMORY, "out of memory comparing ids");
        pen__span form = {plain.bytes, plain.length};
        int64_t before = seen.n;
        int32_t number, other = pen__strings_find(ids, form);
        PEN_TRY_DONE(pen__strings_add(&seen, form, &number, error));
        PEN_TRY_DONE(PEN_GROW(ids->ctx, first, &cap, (size_t)seen.n));
        if (seen.n > before)
            first[number] = (int32_t)i;
        else if (other < 0)
            other = first[number];
        if (other < 0) continue;
        if (out->n < PEN_ALIKE_KEPT) out->pair[out->n][0] = (int32_t)i, out->pair[out->n][1] = other;
        out->n++;
    }
done:
    pen__free(ids->ctx, first);
    pen__text_free(&plain);
    pen__strings_free(&seen);
    return status;
}
