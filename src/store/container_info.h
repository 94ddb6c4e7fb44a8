/* What a container holds, as JSON. */
#ifndef PEN_STORE_CONTAINER_INFO_H
#define PEN_STORE_CONTAINER_INFO_H

#include "base/text.h"
#include "store/container.h"

/* {"path", "kind", "version", "hash", "bytes", "metadata": {...}, "tensors": [...]}: without its last brace, so that
 * the caller may add to it. Metadata that is JSON stands as it is, other text in quotes. */
void pen__container_describe(const pen__container *c, pen__text *out);

#endif
