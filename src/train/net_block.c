/* Blocks: where each input stands, and rows put behind rows. */
#include "train/net_block.h"

#include "nn/arena.h"

enum { ALIGN = 64 };

/* The next n things of `size` bytes: from `base` on, or (base NULL) as far as they would reach. */
static char *take(char *base, size_t *at, int64_t n, size_t size)
{
    char *here = base ? base + *at : NULL;
    *at += ((size_t)n * size + ALIGN - 1) / ALIGN * ALIGN;
    return here;
}

static size_t lay_out(const pen__layout *layout, char *base, pen__net_block *b)
{
    const pen__plan *plan = layout->plan;
    size_t at = 0;
    for (int32_t e = 0; e < plan->n_extents; e++)
        b->begin[e] = (int32_t *)(void *)take(base, &at, layout->rows[PEN_ROOT] + 1, sizeof(int32_t));
    for (int32_t i = 0; i < plan->n_index; i++)
        b->index[i] = (int32_t *)(void *)take(base, &at, layout->rows[plan->index[i].extent], sizeof(int32_t));
    for (int32_t i = 0; i < plan->n_real; i++)
        b->real[i] = (pen__real *)(void *)take(base, &at, layout->rows[plan->real[i].extent] * plan->real[i].width,
                                               sizeof(pen__real));
    b->engine = take(base, &at, (int64_t)pen__infer_bytes(layout), 1);
    return at;
}

size_t pen__net_block_bytes(const pen__layout *layout)
{
    pen__net_block none;
    return lay_out(layout, NULL, &none) + ALIGN;
}

void pen__net_block_begin(pen__net_block *b, const pen__layout *layout, void *memory)
{
    const pen__plan *plan = layout->plan;
    *b = (pen__net_block){.layout = layout};
    char *base = (char *)memory + (ALIGN - (uintptr_t)memory % ALIGN) % ALIGN;
    lay_out(layout, base, b);
    for (int32_t e = 0; e < plan->n_extents; e++) b->begin[e][0] = 0, b->batch.begin[e] = e ? b->begin[e] : NULL;
    for (int32_t k = 0; k < plan->n_index; k++) b->batch.index[k] = b->index[k];
    for (int32_t k = 0; k < plan->n_real; k++) b->batch.real[k] = b->real[k];
}

void pen__net_block_add(pen__net_block *b, pen__example *example, pen__row_fn size, pen__row_fn fill)
{
    const pen__plan *plan = b->layout->plan;
    int64_t at = b->batch.n[PEN_ROOT]++;
    example->rows[PEN_ROOT] = 1;
    size(example);
    for (int32_t k = 0; k < plan->n_index; k++) {
        int32_t extent = plan->index[k].extent;
        example->index[k] = b->index[k] + (extent ? b->begin[extent][at] : at);
    }
    for (int32_t k = 0; k < plan->n_real; k++) {
        int32_t extent = plan->real[k].extent;
        example->real[k] = b->real[k] + (extent ? b->begin[extent][at] : at) * plan->real[k].width;
    }
    for (int32_t e = 1; e < plan->n_extents; e++) {
        b->begin[e][at + 1] = b->begin[e][at] + (int32_t)example->rows[e];
        b->batch.n[e] = b->begin[e][at + 1];
    }
    fill(example);
}

const pen__real *pen__net_block_infer(const pen__net_block *b, int32_t node)
{
    return pen__infer(b->layout, b->engine, &b->batch, NULL, node);
}
