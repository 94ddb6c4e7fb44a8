/* Text of one byte a character as UTF-8. */
#ifndef PEN_DATA_ENCODING_H
#define PEN_DATA_ENCODING_H

#include <stddef.h>

/* Writes the UTF-8 of latin1 (cp1252: cp1252's; a byte that it leaves open keeps its latin1 meaning) to `to`, which has
 * room for 3 * n bytes; returns the number written. */
size_t pen__encode_utf8(const char *text, size_t n, int cp1252, char *to);

#endif
