/* Filter expressions over the item table: genre = "Drama" and year >= 1990. The language: docs/cli/where.md.
 *
 * Columns of the table by name, and popularity (events in training), id, and title (the column that people read). An
 * expression is compiled against one table and then holds, or not, for each item. A compiled one is immutable: any
 * thread.
 */
#ifndef PEN_RANK_WHERE_H
#define PEN_RANK_WHERE_H

#include "data/dataset.h"

typedef struct pen__where pen__where;

/* What may be named; borrowed as long as the expression lives. */
typedef struct pen__where_items {
    const pen__table *table; /* rows == n_items, or 0 */
    const pen__strings *ids;
    const int64_t *events; /* n_items */
    int32_t n_items;
} pen__where_items;

/* PEN_E_ARGUMENT for what is no expression (error->position: the character, from 1), PEN_E_UNKNOWN for a column that is
 * not there, with the nearest; PEN_E_LIMIT past 64 KB, 100 nested parentheses or 1000 comparisons. */
pen_status pen__where_parse(pen_context *ctx, pen__span text, const pen__where_items *items, pen__where **out,
                            pen_error *error);

bool pen__where_holds(const pen__where *where, int32_t item);
void pen__where_free(pen__where *where); /* NULL is allowed */

#endif
