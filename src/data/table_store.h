/* Typed columns in a container: the same form in .pds and .pen files (docs/formats/). */
#ifndef PEN_DATA_TABLE_STORE_H
#define PEN_DATA_TABLE_STORE_H

#include "data/dataset.h"
#include "store/container.h"

/* Puts n columns as tensors PREFIX.0.code, PREFIX.0.begin, PREFIX.0.number, PREFIX.0.words.* ..., and the list of their
 * names and types as metadata PREFIX: [{"name": "genre", "type": "categories", "width": 0}, ...]. Arrays are borrowed
 * until commit. */
pen_status pen__columns_put(pen_context *ctx, pen__container_writer *w, const char *prefix, const pen__column *column,
                            int32_t n, pen_error *error);

/* Fetches columns of `rows` rows, validated (codes in range, offsets monotone, UTF-8): their arrays are borrowed from
 * the container, their names are copies. *n is 0 where the container has none. */
pen_status pen__columns_get(const pen__container *c, pen_context *ctx, const char *prefix, int64_t rows,
                            pen__column **column, int32_t *n, pen_error *error);

/* Frees columns; borrowed: their arrays belong to a container. */
void pen__columns_free(pen_context *ctx, pen__column *column, int32_t n, int borrowed);

/* A whole table: the columns, and metadata PREFIX.title. */
pen_status pen__table_put(pen_context *ctx, pen__container_writer *w, const char *prefix, const pen__table *table,
                          pen_error *error);
pen_status pen__table_get(const pen__container *c, pen_context *ctx, const char *prefix, int64_t rows,
                          pen__table *table, pen_error *error);

/* "category", "categories", "number", "text", "vector". */
const char *pen__column_type_name(int type);

#endif
