/* Text of one byte a character as UTF-8. */
#ifndef PEN_DATA_ENCODING_H
#define PEN_DATA_ENCODING_H

#include <stddef.h>

/* Writes the UTF-8 of latin1 (cp1252: cp1252's; a byte that it leaves open keeps its latin1 meaning) to `to`, which has
 * room for 3 * n bytes; returns the number written. */
size_t pen__encode_utf8(const char *text, size_t n, int cp1252, char *to);

/* What a text's high bytes look like: an enum pen__encoding. UTF-8 unless more of its high bytes are malformed than
 * there are well-formed characters; then cp1252 where bytes 80 to 9F are among them, else latin1. */
int pen__guess_encoding(const char *text, size_t n);

#endif
