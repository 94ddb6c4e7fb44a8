/* Taking tensors out of an open container with their values checked: a file from a stranger may be well-formed and
 * hashed, and still hold an id past the last row. Each check is one pass without branches, which the compiler turns
 * into vector code; only where it fails does a second pass look for the place.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store/container_layout.h"

pen_status pen__container_unsound(const pen__container *c, pen_error *error, const char *format, ...)
{
    char text[PEN_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return pen__fail(error, PEN_E_FORMAT, "'%s' is damaged: %s", pen__container_path(c), text);
}

pen_status pen__container_tensor(const pen__container *c, const char *name, pen__dtype dtype, int n_dims,
                                 int64_t *shape, void *out, pen_error *error)
{
    const pen__stored *t = pen__container_find(c, name);
    if (!t) return pen__container_unsound(c, error, "it has no tensor '%s'", name);
    bool same = t->dtype == dtype && t->n_dims == n_dims;
    for (int i = 0; same && i < n_dims; i++) same = shape[i] == PEN__ANY || shape[i] == t->shape[i];
    if (!same) {
        char have[128], want[128];
        return pen__container_unsound(c, error, "tensor '%s' is %s %s and should be %s %s", name,
                                      pen__dtype_name(t->dtype),
                                      pen__shape_text(t->n_dims, t->shape, have, sizeof have), pen__dtype_name(dtype),
                                      pen__shape_text(n_dims, shape, want, sizeof want));
    }
    for (int i = 0; i < n_dims; i++) shape[i] = t->shape[i];
    memcpy(out, &t->data, sizeof t->data);
    return PEN_OK;
}

/* Elements of a shape that was found in a file, so it does not overflow. */
static int64_t count(int n_dims, const int64_t *shape)
{
    int64_t n = 1;
    for (int i = 0; i < n_dims; i++) n *= shape[i];
    return n;
}

pen_status pen__container_ids(const pen__container *c, const char *name, int n_dims, int64_t *shape, int32_t low,
                              int32_t high, const int32_t **ids, pen_error *error)
{
    PEN_TRY(pen__container_tensor(c, name, PEN_I32, n_dims, shape, ids, error));
    int64_t n = count(n_dims, shape);
    const int32_t *at = *ids;
    unsigned bad = 0;
    for (int64_t i = 0; i < n; i++) bad |= (unsigned)(at[i] < low) | (unsigned)(at[i] >= high);
    for (int64_t i = 0; bad && i < n; i++)
        if (at[i] < low || at[i] >= high)
            return pen__container_unsound(c, error, "tensor '%s' holds %d at %lld; allowed are %d to %lld", name, at[i],
                                          (long long)i, low, (long long)high - 1);
    return PEN_OK;
}

pen_status pen__container_floats(const pen__container *c, const char *name, int n_dims, int64_t *shape,
                                 const float **values, pen_error *error)
{
    PEN_TRY(pen__container_tensor(c, name, PEN_F32, n_dims, shape, values, error));
    int64_t n = count(n_dims, shape);
    const float *at = *values;
    unsigned bad = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &at[i], sizeof bits);
        bad |= (unsigned)((bits & 0x7F800000u) == 0x7F800000u);
    }
    for (int64_t i = 0; bad && i < n; i++)
        if (!isfinite(at[i]))
            return pen__container_unsound(c, error, "tensor '%s' holds %g at %lld", name, (double)at[i], (long long)i);
    return PEN_OK;
}

pen_status pen__container_offsets(const pen__container *c, const char *name, int64_t n, int64_t end,
                                  const int64_t **offsets, pen_error *error)
{
    int64_t shape[1] = {n == PEN__ANY || n == INT64_MAX ? n : n + 1}; /* n may be a file's: no tensor is that long */
    PEN_TRY(pen__container_tensor(c, name, PEN_I64, 1, shape, offsets, error));
    const int64_t *at = *offsets;
    n = shape[0] - 1;
    if (n < 0 || at[0] != 0) return pen__container_unsound(c, error, "the offsets '%s' do not begin with 0", name);
    unsigned bad = 0;
    for (int64_t i = 0; i < n; i++) bad |= (unsigned)(at[i + 1] < at[i]);
    for (int64_t i = 0; bad && i < n; i++)
        if (at[i + 1] < at[i])
            return pen__container_unsound(c, error, "the offsets '%s' fall from %lld to %lld at %lld", name,
                                          (long long)at[i], (long long)at[i + 1], (long long)i + 1);
    if (end != PEN__ANY && at[n] != end)
        return pen__container_unsound(c, error, "the offsets '%s' end with %lld and should end with %lld", name,
                                      (long long)at[n], (long long)end);
    return PEN_OK;
}

pen_status pen__container_strings(const pen__container *c, const char *name, int64_t n, bool utf8,
                                  pen__strings *strings, pen_error *error)
{
    char part[300];
    int64_t shape[1] = {PEN__ANY};
    pen__strings s = {.ctx = pen__container_context(c)};
    const int64_t *offsets;
    snprintf(part, sizeof part, "%s.bytes", name);
    PEN_TRY(pen__container_tensor(c, part, PEN_U8, 1, shape, &s.bytes, error));
    snprintf(part, sizeof part, "%s.offsets", name);
    PEN_TRY(pen__container_offsets(c, part, n, shape[0], &offsets, error));
    s.offset = (int64_t *)(uintptr_t)offsets; /* borrowed: the table never writes where its capacity is 0 */
    s.n = pen__container_find(c, part)->shape[0] - 1;
    for (int64_t i = 0; utf8 && i < s.n; i++) {
        pen__span text = pen__strings_at(&s, i);
        if (pen__utf8_invalid(text.text, text.length) < text.length)
            return pen__container_unsound(c, error, "string %lld of '%s' is not valid UTF-8", (long long)i, name);
    }
    *strings = s;
    return PEN_OK;
}
