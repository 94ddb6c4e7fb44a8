/* Reading a log from open streams: the part behind pen_dataset_read, and what tests and fuzz targets call. */
#ifndef PEN_DATA_READ_H
#define PEN_DATA_READ_H

#include "base/stream.h"
#include "data/dataset.h"

/* What stands beside a log: streams, NULL where there is none. */
typedef struct pen__beside {
    pen__stream *items, *users, *triples, *links;
} pen__beside;

/* Reads a log from n streams of the same form, in their order, with the tables beside it (NULL: none). The streams stay
 * the caller's. */
pen_status pen__read_log(pen_context *ctx, pen__stream *const *streams, size_t n, const pen__beside *beside,
                         const pen_read_options *options, pen_dataset **out, pen_error *error);

/* Bytes that a block aims at; tests make it small. Not to be changed while anybody reads. */
extern size_t pen__block_bytes;

#endif
