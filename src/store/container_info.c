/* Describing a container. It was validated when it was opened; what its tensors mean is checked by who reads that
 * kind. */
#include "store/container_info.h"

#include <jansson.h>
#include <string.h>

static bool is_json(const char *text)
{
    json_t *value = text[0] == '{' || text[0] == '[' ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    json_decref(value);
    return value != NULL;
}

static void put_metadata(const pen__container *c, pen__text *out)
{
    const char *key, *value;
    for (size_t i = 0; i < pen__container_n_meta(c); i++) {
        pen__container_meta_at(c, i, &key, &value);
        pen__text_puts(out, i ? ", " : "");
        pen__text_json(out, key, strlen(key));
        pen__text_puts(out, ": ");
        if (is_json(value))
            pen__text_puts(out, value);
        else
            pen__text_json(out, value, strlen(value));
    }
}

static void put_tensor(const pen__stored *t, pen__text *out)
{
    pen__text_puts(out, "{\"name\": ");
    pen__text_json(out, t->name, strlen(t->name));
    pen__text_printf(out, ", \"type\": \"%s\", \"shape\": [", pen__dtype_name(t->dtype));
    for (int d = 0; d < t->n_dims; d++) pen__text_printf(out, d ? ", %lld" : "%lld", (long long)t->shape[d]);
    pen__text_printf(out, "], \"bytes\": %zu}", t->bytes);
}

void pen__container_describe(const pen__container *c, pen__text *out)
{
    const char *path = pen__container_path(c), *kind = pen__container_kind(c);
    pen__text_puts(out, "{\"path\": ");
    pen__text_json(out, path, strlen(path));
    pen__text_puts(out, ", \"kind\": ");
    pen__text_json(out, kind, strlen(kind));
    pen__text_printf(out, ", \"version\": %d, \"hash\": \"%016llx\", \"bytes\": %zu, \"metadata\": {",
                     pen__container_version(c), (unsigned long long)pen__container_hash(c), pen__container_size(c));
    put_metadata(c, out);
    pen__text_puts(out, "}, \"tensors\": [");
    for (size_t i = 0; i < pen__container_n_tensors(c); i++) {
        if (i) pen__text_puts(out, ", ");
        put_tensor(pen__container_tensor_at(c, i), out);
    }
    pen__text_puts(out, "]");
}
