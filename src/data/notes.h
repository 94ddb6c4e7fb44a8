/* What is remembered of how a log was read. */
#ifndef PEN_DATA_NOTES_H
#define PEN_DATA_NOTES_H

#include "base/stream.h"
#include "data/rows.h"

typedef struct pen__read_counts {
    int64_t lines, rows, skipped, blank_ids, missing_times, negative_values, odd_quotes;
    int n_bad;
    const char *bad[PEN_BAD_KEPT]; /* borrowed from the blocks */
} pen__read_counts;

/* Adds a block's counts; blocks in their order. */
void pen__count_block(pen__read_counts *counts, const pen__block *block);

/* Fills dataset->notes and dataset->source; `tables` is JSON. */
pen_status pen__notes_write(pen_dataset *dataset, const pen__layout *layout, pen__stream *const *streams,
                            size_t n_streams, const pen__read_counts *counts, const char *tables, pen_error *error);

/* A context column read as words becomes numbers where all of them are numbers and they are not just a few whole ones.
 * `kind` is the atomic header's ('t', 'f') or 0. */
pen_status pen__context_settle(pen_context *ctx, pen__column *column, char kind, pen_error *error);

#endif
