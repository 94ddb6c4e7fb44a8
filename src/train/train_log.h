/* The log of a training: JSON lines, one an epoch, in a file that grows while the work is under way
 * (docs/formats/training-log.md). Whatever goes wrong with it is said once and does not end the training. */
#ifndef PEN_TRAIN_TRAIN_LOG_H
#define PEN_TRAIN_TRAIN_LOG_H

#include "base/text.h"
#include "rank/model.h"

typedef struct pen__train_log pen__train_log;

/* Makes the file, or with `keep` goes on at its end. */
pen_status pen__train_log_open(pen_context *ctx, const char *path, int keep, pen__train_log **log, pen_error *error);

/* A line of the caller's own: what a JSON object holds, without braces. In all of these log may be NULL: nothing. */
void pen__train_log_line(pen__train_log *log, const char *kind, pen__text *members);

/* What an epoch was like. phase 1: of a refit. */
typedef struct pen__logged_epoch {
    int32_t phase, epoch;
    double loss;
    const char *metric; /* what validation watches, or NULL */
    double validation;
    bool best;                                   /* the best so far */
    double seconds, validation_seconds, elapsed; /* of the fitting, of ranking, since the log was opened */
    const pen__told *told;
} pen__logged_epoch;
void pen__train_log_epoch(pen__train_log *log, const pen__logged_epoch *epoch);

/* A checkpoint's epochs are there: what follows begins behind `epoch` of `phase`. */
void pen__train_log_resumed(pen__train_log *log, int32_t phase, int32_t epoch);

double pen__train_log_elapsed(const pen__train_log *log);
void pen__train_log_close(pen__train_log *log); /* NULL is allowed */

#endif
