/* Checkpoints: everything that an interrupted fit needs to go on to the same bits (FILE.pen.ckpt, kind
 * "checkpoint"). */
#ifndef PEN_TRAIN_CHECKPOINT_H
#define PEN_TRAIN_CHECKPOINT_H

#include "train/trainer.h"

/* Where a fit stands at an epoch's end. */
typedef struct pen__position {
    int32_t phase;      /* 0: choosing the epochs on validation, 1: the refit */
    int32_t epoch;      /* epochs done */
    int32_t best_epoch; /* 0: none yet */
    int32_t chosen;     /* in a refit: the epochs that the first phase chose */
    double best_metric, loss;
    double chosen_metric; /* in a refit: what validation said of them */
    pen__halvings halvings;
} pen__position;

/* A copy of a model's tensors: of those with a role in `roles` (bits 1 << role). */
typedef struct pen__snapshot {
    pen_context *ctx;
    void **data; /* one for each tensor; NULL where the role is not kept */
    int32_t n;
} pen__snapshot;

/* Takes the copy, making room the first time. */
pen_status pen__snapshot_take(pen__snapshot *snapshot, const pen_model *model, unsigned roles, pen_error *error);
void pen__snapshot_restore(const pen__snapshot *snapshot, pen_model *model);
void pen__snapshot_free(pen__snapshot *snapshot);

/* Writes aside, syncs and renames. `last` holds every tensor; `best` may have n 0 (there is none yet). `before`, of a
 * refit: the model that the first phase ended with, or NULL. */
pen_status pen__checkpoint_write(const char *path, const pen_model *model, uint64_t train_hash,
                                 const pen__position *position, const pen__snapshot *last, const pen__snapshot *best,
                                 const pen_model *before, pen_error *error);

/* Reads only the position; *found 0 where there is no file. A checkpoint of another model, other parameters, another
 * seed or other data is refused (train_hash 0: not compared). */
pen_status pen__checkpoint_peek(const char *path, const pen_model *model, uint64_t train_hash, pen__position *position,
                                int *found, pen_error *error);

/* Reads tensors into the model (whose `begin` made them) and, where there is a best, into `best`. */
pen_status pen__checkpoint_read(const char *path, pen_model *model, pen__position *position, pen__snapshot *best,
                                pen_error *error);

/* Reads the model from before a refit into one whose `begin` made its tensors on the first phase's training; bind comes
 * after. */
pen_status pen__checkpoint_read_before(const char *path, pen_model *before, pen_error *error);

#endif
