/* Which rows of a table a batch touches, each once, and where their gradients come from.
 *
 * Rows stand in the order in which the batch first names them; the sources of a row in the order of lookups, shards and
 * places: the sum of a row's gradients has the same bits whoever adds it up. Cost: three passes over the batch's
 * indices; nothing depends on the size of the table but 4 bytes a row that are set once. */
#ifndef PEN_NN_TOUCHED_H
#define PEN_NN_TOUCHED_H

#include "nn/op.h"

/* `weight` times row `row` of the lookup's gradient. */
typedef struct pen__source {
    int32_t lookup, row;
    pen__real weight;
} pen__source;

typedef struct pen__touched {
    int64_t n;      /* rows touched */
    int32_t *row;   /* (n), or NULL: all rows of the table, in order (tables with `dense`) */
    int64_t *begin; /* (n + 1) into source */
    pen__source *source;
    size_t row_cap, begin_cap, source_cap;
} pen__touched;

/* Room for what batches of up to rows[extent] rows in n_shards touch; how many rows that is at most; its bytes. */
pen_status pen__touched_reserve(pen__touched *touched, const pen__plan *plan, int32_t table, const int64_t *rows,
                                int32_t n_shards, pen_error *error);
int64_t pen__touched_most(const pen__plan *plan, int32_t table, const int64_t *rows);
uint64_t pen__touched_bytes(const pen__plan *plan, int32_t table, const int64_t *rows, int32_t n_shards);

/* For table `table` of a batch that is cut into n_shards. Allocates where nothing was reserved. slot: (table's rows),
 * all -1 before and after. */
pen_status pen__touched_build(pen__touched *touched, const pen__plan *plan, int32_t table, const pen__batch *batch,
                              int32_t n_shards, int32_t *slot, pen_error *error);
void pen__touched_free(pen_context *ctx, pen__touched *touched);

#endif
