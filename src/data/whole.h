/* A text read whole into memory of its own, as UTF-8: for tables and triples. */
#ifndef PEN_DATA_WHOLE_H
#define PEN_DATA_WHOLE_H

#include "base/stream.h"
#include "data/layout.h"

typedef struct pen__whole {
    pen_context *ctx;
    char *bytes; /* may be written to: cells are unquoted in place */
    size_t n;
    int encoding;
    bool guessed;
} pen__whole;

/* Reads all of a stream, without its byte order mark. The encoding is the option's, or guessed from all of the text.
 * Text that is not UTF-8 though it was asked for fails with its line, column and byte. */
pen_status pen__whole_read(pen_context *ctx, pen__stream *stream, const pen_read_options *options, pen__whole *whole,
                           pen_error *error);
void pen__whole_free(pen__whole *whole);

#endif
