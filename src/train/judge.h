/* Penchant as judge: the metrics for anybody's lists. */
#ifndef PEN_TRAIN_JUDGE_H
#define PEN_TRAIN_JUDGE_H

#include "eval/evaluate.h"

/* lists: events are user, item and (as value) a score; without values their order is the rank. test: whom to test, and
 * what they took. train: the catalogue and what was seen; NULL: the catalogue is what the lists and the test hold. The
 * JSON report goes to `out`, in the form of an experiment's. */
pen_status pen__judge(const pen_dataset *lists, const pen_dataset *test, const pen_dataset *train,
                      const pen_protocol *protocol, pen__text *out, pen_error *error);

#endif
