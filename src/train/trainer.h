/* The one training loop: epochs, validation on the real metric, early stopping, checkpoints, resuming, cancelling.
 *
 * Every model goes through it: those with `fit` in one step, those with `epoch` in many. A checkpoint is written at an
 * epoch's end: tensors (last and best), counters, and what is needed to refuse it beside other data or parameters.
 */
#ifndef PEN_TRAIN_TRAINER_H
#define PEN_TRAIN_TRAINER_H

#include "eval/evaluate.h"

/* schedule=plateau of networks: the learning rate is halved when validation has not been better for `plateau` epochs,
 * counted anew from each halving, PEN_HALVINGS times at most. A refit, which nobody validates, halves where the first
 * phase did; without any validation the rate stays as it is, which is said. */
enum { PEN_HALVINGS = 16 };
typedef struct pen__halvings {
    int32_t n;
    int32_t epoch[PEN_HALVINGS]; /* after so many epochs, rising */
} pen__halvings;

/* Room that is needed once a fit is over: bytes, at a time when `passing` bytes less are held than while this model is
 * fitted (negative: more). bytes 0: none. */
typedef struct pen__later {
    uint64_t bytes;
    int64_t passing;
} pen__later;

typedef struct pen__fit_options {
    const pen__model_class *class;
    const pen__params *params;
    uint64_t seed;
    const pen__train *train;
    const pen__cases *valid;   /* NULL: no validation: runs n_epochs */
    const pen__metric *metric; /* what validation watches */
    int32_t n_epochs;          /* > 0 overrides the parameter `epochs` (a refit) */
    int32_t phase;             /* 0: first fit, 1: refit; part of the checkpoint */
    /* in a refit: the epochs that the first phase chose, and what validation said of them */
    int32_t chosen;
    double chosen_metric;
    pen__halvings halvings;             /* and where it halved the rate */
    const pen_model *before;            /* in a refit: what the first phase ended with, kept in checkpoints; or NULL */
    const pen_model *const *pretrained; /* what the model starts from, n_pretrained of them */
    size_t n_pretrained;
    const char *checkpoint; /* path or NULL */
    double checkpoint_seconds;
    int32_t resume;
    struct pen__train_log *log; /* a line an epoch, or NULL */
    /* Hours of training must not end in a refusal of what comes after it: of what the model is completed with so that
     * it can be kept (with_history: histories are of that), and of what a refit holds. */
    pen__later completion, refit;
    bool with_history;
} pen__fit_options;

typedef struct pen__fit_report {
    int32_t epochs;     /* run */
    int32_t best_epoch; /* 1-based number of epochs that were best on validation; == epochs without validation */
    double best_metric; /* NaN without validation */
    double loss;        /* last */
    double seconds;     /* of everything: both phases, validation too */
    double fit_seconds; /* of the last phase's fitting alone: without validation, checkpoints and reports */
    int32_t cancelled;  /* 1: *model is the best so far */
    pen__halvings halvings;
} pen__fit_report;

/* Tells runs apart by what they start from: 0 where that is nothing. O(bytes of the weights). */
uint64_t pen__pretrained_key(const pen_model *const *from, size_t n);

/* Bytes of the model and of the copies of it that a fit with these options takes; 0 where its class does not say. */
pen_status pen__fit_memory(const pen__fit_options *options, uint64_t *bytes, pen_error *error);

/* Fits; on success (and on PEN_E_CANCELLED after at least one epoch) *model is bound and ready, else NULL. */
pen_status pen__fit(pen_context *ctx, const pen__fit_options *options, pen_model **model, pen__fit_report *report,
                    pen_error *error);

#endif
