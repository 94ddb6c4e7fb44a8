/* The container from memory. What opens without its hash is walked to the last byte, so that the sanitizers see any
 * promise that validation did not keep; then it is opened again with the hash and with a kind. */
#include <stdlib.h>
#include <string.h>

#include "store/container.h"

static volatile unsigned char sink;

static void walk(const pen__container *c)
{
    unsigned char sum = 0;
    int64_t shape[PEN__MAX_DIMS];
    for (size_t i = 0; i < pen__container_n_tensors(c); i++) {
        const pen__stored *t = pen__container_tensor_at(c, i);
        if (pen__container_find(c, t->name) != t || (uintptr_t)t->data % 64) abort();
        for (size_t k = 0; k < t->bytes; k++) sum ^= ((const unsigned char *)t->data)[k];
        const void *any;
        memcpy(shape, t->shape, sizeof shape);
        if (pen__container_tensor(c, t->name, t->dtype, t->n_dims, shape, &any, NULL) != PEN_OK) abort();
        const int32_t *ids;
        const float *floats;
        pen_error error;
        (void)pen__container_ids(c, t->name, t->n_dims, shape, 0, 100, &ids, &error);
        (void)pen__container_floats(c, t->name, t->n_dims, shape, &floats, &error);
        char table[256];
        strcpy(table, t->name);
        char *dot = strrchr(table, '.');
        if (!dot) continue;
        *dot = 0;
        pen__strings strings;
        if (pen__container_strings(c, table, PEN__ANY, true, &strings, &error) != PEN_OK) continue;
        for (int64_t s = 0; s < strings.n; s++) {
            pen__span text = pen__strings_at(&strings, s);
            if (pen__utf8_invalid(text.text, text.length) < text.length) abort();
        }
    }
    for (size_t i = 0; i < pen__container_n_meta(c); i++) {
        const char *key, *value;
        int64_t number;
        pen__container_meta_at(c, i, &key, &value);
        if (pen__container_meta(c, key) != value) abort();
        (void)pen__container_meta_int(c, key, 0, 100, &number, NULL);
    }
    sink = sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pen_context *ctx;
    pen__container *c;
    pen_error error;
    if (!ctx && pen_context_create(NULL, &ctx, NULL) != PEN_OK) abort();
    void *bytes; /* ends where the block ends, so that a read past the end is seen */
    if (posix_memalign(&bytes, 64, size ? size : 1)) return 0;
    if (size) memcpy(bytes, data, size);
    if (pen__container_open_memory(ctx, bytes, size, "fuzz", NULL, 0, PEN__SKIP_HASH, &c, &error) == PEN_OK) {
        walk(c);
        pen__container_close(c);
    }
    if (pen__container_open_memory(ctx, bytes, size, "fuzz", "dataset", 3, 0, &c, &error) == PEN_OK)
        pen__container_close(c);
    if (pen_context_memory(ctx)) abort();
    free(bytes);
    return 0;
}
