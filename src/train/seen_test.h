/* Whether a model that another starts from has seen what is tested: then the test would measure memory. */
#ifndef PEN_TRAIN_SEEN_TEST_H
#define PEN_TRAIN_SEEN_TEST_H

#include "rank/model.h"

/* PEN_E_ARGUMENT where a target of the cases stands in `from`'s own history and not in training's (ids are compared),
 * or where `from` keeps no history. O(targets x the length of a history). */
pen_status pen__seen_test(const pen_model *from, const pen__cases *cases, const pen__train *train, pen_error *error);

#endif
