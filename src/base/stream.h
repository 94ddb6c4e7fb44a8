/* Input as bytes, wherever it comes from: a plain file (mapped), gzip, zstd (both known by their first bytes), standard
 * input, a pipe.
 *
 *     pen__stream *in;
 *     PEN_TRY(pen__stream_open(ctx, path, &in, error));
 *     pen__span whole = pen__stream_whole(in);         // text NULL where the input is not mapped: then
 *     PEN_TRY(pen__stream_read(in, buffer, room, &n, error)); // n < room only at the end
 *     pen__stream_close(in);
 *
 * Not thread-safe: one reader.
 */
#ifndef PEN_BASE_STREAM_H
#define PEN_BASE_STREAM_H

#include "base/text.h"

typedef struct pen__stream pen__stream;

/* "-" is standard input. A folder, a missing or unreadable file fails with PEN_E_IO. */
pen_status pen__stream_open(pen_context *ctx, const char *path, pen__stream **stream, pen_error *error);

/* Bytes that stay the caller's, as if they were a file: plain, gzip or zstd. For tests and fuzzing; `largest_read` > 0
 * makes every read from the source that short. */
pen_status pen__stream_memory(pen_context *ctx, const char *name, const void *bytes, size_t n, size_t largest_read,
                              pen__stream **stream, pen_error *error);

/* The whole input where it is mapped, plain and uncompressed (an empty file: text not NULL, length 0); else text NULL.
 */
pen__span pen__stream_whole(const pen__stream *stream);

/* Fills `buffer` with the next `room` bytes (unpacked); *n < room only at the end of the input. Damaged or cut
 * compressed data fails with PEN_E_INPUT. */
pen_status pen__stream_read(pen__stream *stream, void *buffer, size_t room, size_t *n, pen_error *error);

/* What people call it: the path, or "standard input". */
const char *pen__stream_name(const pen__stream *stream);

/* "plain", "gzip", "zstd". */
const char *pen__stream_form(const pen__stream *stream);

/* Bytes of the source consumed so far, and in all (0: not known): for progress. */
int64_t pen__stream_consumed(const pen__stream *stream);
int64_t pen__stream_size(const pen__stream *stream);

/* NULL is allowed. */
void pen__stream_close(pen__stream *stream);

#endif
