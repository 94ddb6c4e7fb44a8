/* The hash of a data set's content. */
#ifndef PEN_DATA_DIGEST_H
#define PEN_DATA_DIGEST_H

#include "data/dataset.h"

/* Fills dataset->hash: the same for the same ids, events, tables and knowledge in the same order, however they were
 * stored. Notes and source do not count. */
pen_status pen__dataset_digest(pen_dataset *dataset, pen_error *error);

#endif
