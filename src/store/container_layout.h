/* What the writer and the reader of containers share: docs/formats/container.md in constants. */
#ifndef PEN_STORE_CONTAINER_LAYOUT_H
#define PEN_STORE_CONTAINER_LAYOUT_H

#include "store/container.h"

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "containers are mapped as they are: little-endian machines only"
#endif

/* Every container begins, after the 8 bytes of length, with this text, 16 hexadecimal digits and a quote: the digits
 * stand at one place whatever else the header holds. The hash takes them as sixteen '0'. */
#define PEN__HEADER_PREFIX "{\"__metadata__\":{\"hash\":\"xxh3-64:"
#define PEN__PAD_PREFIX "__pad_"
#define PEN__NO_DIGITS "0000000000000000"

enum {
    PEN__CONTAINER_VERSION = 1,
    PEN__ALIGN = 64,
    PEN__LENGTH_BYTES = 8,
    PEN__HASH_DIGITS = 16,
    PEN__HASH_AT = PEN__LENGTH_BYTES + sizeof PEN__HEADER_PREFIX - 1,
    PEN__HEADER_LIMIT = 4 << 20, /* bytes: a parsed header takes up to fifty times as much */
};

/* A key or name: not empty, at most 255 bytes of UTF-8 without control characters (they reach terminals). */
bool pen__container_name_ok(const char *name);

/* The dtype of a name; false if there is none. */
bool pen__dtype_parse(const char *name, pen__dtype *dtype);

pen_context *pen__container_context(const pen__container *c);

/* Elements and bytes of a shape; false for negative sizes and for anything above 2^62 bytes. */
bool pen__shape_size(pen__dtype dtype, int n_dims, const int64_t *shape, int64_t *n, size_t *bytes);

/* "(3, 4)", with `?` for PEN__ANY. */
const char *pen__shape_text(int n_dims, const int64_t *shape, char *text, size_t room);

#endif
