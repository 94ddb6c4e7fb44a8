/* A table as the cells that stand in its text, before its columns have types. */
#ifndef PEN_DATA_CELLS_TABLE_H
#define PEN_DATA_CELLS_TABLE_H

#include "data/dataset.h"
#include "data/whole.h"

typedef struct pen__cells {
    pen_context *ctx;
    int64_t rows;          /* of the ids' numbering */
    int64_t n_with_events; /* ids that were there before the table was read */
    int32_t n_columns;     /* without the id's own */
    char **name;           /* n_columns, owned */
    char *kind;      /* of an atomic column: 't', 'T' (token_seq), 'f', 'F'; 'l' where a JSON array was seen; else 0 */
    pen__span *cell; /* cell[row * n_columns + column]; text NULL: there is none */
    bool header;
    int64_t n_read, n_matched, n_unknown, n_repeated, n_skipped; /* unknown: ids that no event has, added */
    char *text;      /* what JSON's escapes and lists were written to, or NULL */
    char *first_bad; /* the message of the first row that was passed over, or NULL */
} pen__cells;

/* Reads a table's cells out of `whole`, which must live as long as they do; rows are those of `ids`, indexed, to which
 * the table's own are added. `item` tells which names the id's column may have. */
pen_status pen__cells_read(pen__whole *whole, const char *name, const pen_read_options *options, pen__strings *ids,
                           bool item, pen__layout *layout, pen__cells *cells, pen_error *error);
void pen__cells_free(pen__cells *cells);

#endif
