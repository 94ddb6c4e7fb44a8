/* What the writer and the reader of containers share: dtypes, shapes, names. */
#include "store/container_layout.h"

#include <stdio.h>
#include <string.h>

static const struct {
    char name[4];
    uint8_t size;
} dtypes[] = {
    [PEN_U8] = {"U8", 1},   [PEN_I8] = {"I8", 1},   [PEN_I16] = {"I16", 2}, [PEN_I32] = {"I32", 4},
    [PEN_I64] = {"I64", 8}, [PEN_F32] = {"F32", 4}, [PEN_F64] = {"F64", 8},
};

enum { N_DTYPES = sizeof dtypes / sizeof *dtypes };

size_t pen__dtype_size(pen__dtype dtype) { return dtypes[dtype].size; }
const char *pen__dtype_name(pen__dtype dtype) { return dtypes[dtype].name; }

bool pen__dtype_parse(const char *name, pen__dtype *dtype)
{
    for (int i = 1; i < N_DTYPES; i++)
        if (!strcmp(dtypes[i].name, name)) return *dtype = (pen__dtype)i, true;
    return false;
}

bool pen__container_name_ok(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n > 255 || pen__utf8_invalid(name, n) < n) return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7F) return false;
    return true;
}

bool pen__shape_size(pen__dtype dtype, int n_dims, const int64_t *shape, int64_t *n, size_t *bytes)
{
    size_t product = 1;
    bool empty = false;
    for (int i = 0; i < n_dims; i++) {
        if (shape[i] < 0) return false;
        if (shape[i] == 0)
            empty = true;
        else if (!pen__mul(product, (size_t)shape[i], &product)) /* even beside a zero: such a shape is a mistake */
            return false;
    }
    if (!pen__mul(product, pen__dtype_size(dtype), bytes) || *bytes > (size_t)1 << 62) return false;
    *n = empty ? 0 : (int64_t)product;
    if (empty) *bytes = 0;
    return true;
}

const char *pen__shape_text(int n_dims, const int64_t *shape, char *text, size_t room)
{
    size_t at = (size_t)snprintf(text, room, "(");
    for (int i = 0; i < n_dims && at < room; i++)
        at += shape[i] == PEN__ANY
                  ? (size_t)snprintf(text + at, room - at, "%s?", i ? ", " : "")
                  : (size_t)snprintf(text + at, room - at, "%s%lld", i ? ", " : "", (long long)shape[i]);
    if (at < room) snprintf(text + at, room - at, ")");
    return text;
}
