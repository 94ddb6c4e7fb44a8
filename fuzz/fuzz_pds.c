/* Data sets out of containers: what opens keeps its promises. */
#include "fuzz_reading.h"
#include "store/container.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pen_context *ctx = fuzz_context();
    pen__container *c;
    pen_dataset *d, *joined;
    pen_error error;
    void *bytes; /* ends where the block ends, so that a read past the end is seen */
    if (posix_memalign(&bytes, 64, size ? size : 1)) return 0;
    if (size) memcpy(bytes, data, size);
    if (pen__container_open_memory(ctx, bytes, size, "fuzz", "dataset", 1, PEN__SKIP_HASH, &c, &error) == PEN_OK &&
        pen__dataset_from_container(ctx, c, &d, &error) == PEN_OK) {
        for (int64_t i = 0; i < d->n_events; i++)
            if (d->user[i] < 0 || d->user[i] >= d->users.n || d->item[i] < 0 || d->item[i] >= d->items.n) abort();
        for (int32_t i = 0; i < d->items.n && i < 100; i++) (void)pen__dataset_title(d, i);
        if (d->n_events < 1000 && pen__dataset_join(d, d, &joined, &error) == PEN_OK) pen_dataset_destroy(joined);
        pen_dataset_destroy(d);
    }
    free(bytes);
    if (pen_context_memory(ctx)) abort();
    return 0;
}
