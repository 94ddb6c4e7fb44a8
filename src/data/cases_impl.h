/* What cases.c and candidates.c share. */
#ifndef PEN_DATA_CASES_IMPL_H
#define PEN_DATA_CASES_IMPL_H

#include "data/expression.h"
#include "data/interactions.h"
#include "data/order.h"

/* Gives each case n sampled items of the catalogue beside its targets: uniform, or by the number of training's events.
 * Items of the user's history are excluded; with exclude_all everything that the user has in the log. by_user: the
 * log's events. */
pen_status pen__candidates_sample(pen__cases *cases, const pen__log *log, const pen__train *train,
                                  const pen__groups_of *all_by_user, int kind, int64_t n, uint64_t seed,
                                  pen_error *error);

/* Replaces the cases by those of a file of lines `user target item item ...`: one for each line whose target is one of
 * the user's. Adds what it met to `notes`. */
pen_status pen__candidates_file(pen__cases *cases, const pen__train *train, const char *path, pen__text *notes,
                                pen_error *error);

#endif
