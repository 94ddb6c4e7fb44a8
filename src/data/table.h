/* Tables of users and items, triples and links: from streams to the data set. */
#ifndef PEN_DATA_TABLE_H
#define PEN_DATA_TABLE_H

#include "base/stream.h"
#include "data/dataset.h"

/* Fills the item (user) table of a data set whose events stand; ids that only the table has are numbered behind the
 * others. Adds what is to be told about it to `notes` as a JSON object. */
pen_status pen__table_read(pen_dataset *dataset, bool item, pen__stream *stream, const char *path,
                           const pen_read_options *options, pen__text *notes, pen_error *error);

/* Triples "head relation tail" and, unless NULL, links "item entity"; without links an item is the entity of the same
 * id. */
pen_status pen__knowledge_read(pen_dataset *dataset, pen__stream *triples, pen__stream *links,
                               const pen_read_options *options, pen__text *notes, pen_error *error);

#endif
