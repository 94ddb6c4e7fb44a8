/* Some examples side by side, as answers compute them: their inputs in one piece of memory, packed as extents are, and
 * the engine's memory behind them. Rows are computed in fixed order (pen__infer), so that an example's numbers do not
 * depend on its company.
 *
 *     pen__net_block b;
 *     pen__net_block_begin(&b, layout, memory);          // pen__net_block_bytes(layout) of it
 *     pen__net_block_add(&b, &example, size, fill);      // up to layout->rows[PEN_ROOT] times
 *     const pen__real *rows = pen__net_block_infer(&b, node);
 */
#ifndef PEN_TRAIN_NET_BLOCK_H
#define PEN_TRAIN_NET_BLOCK_H

#include "train/net.h"

typedef struct pen__net_block {
    const pen__layout *layout; /* of an answer; its rows are bounds of the block's */
    pen__batch batch;
    int32_t *begin[PEN_MAX_EXTENTS], *index[PEN_MAX_INPUTS];
    pen__real *real[PEN_MAX_INPUTS];
    char *engine;
} pen__net_block;

size_t pen__net_block_bytes(const pen__layout *layout);
void pen__net_block_begin(pen__net_block *block, const pen__layout *layout, void *memory);

/* The next example: sized, and its inputs written. What answers need stands on no shared extent. */
void pen__net_block_add(pen__net_block *block, pen__example *example, pen__row_fn size, pen__row_fn fill);

/* The node's rows; they live in the memory until its next use. */
const pen__real *pen__net_block_infer(const pen__net_block *block, int32_t node);

#endif
