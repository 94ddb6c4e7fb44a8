/* Experiments: split, fit (with validation, then again on everything), test; for one model or several, over folds and
 * seeds. */
#ifndef PEN_TRAIN_EXPERIMENT_H
#define PEN_TRAIN_EXPERIMENT_H

#include "train/trainer.h"

/* One model of an experiment. */
typedef struct pen__entrant {
    const pen__model_class *class;
    pen__params params;
    const pen_model *const *pretrained; /* what it starts from, n_pretrained of them, borrowed */
    size_t n_pretrained;
} pen__entrant;

/* Class and parameters from names: assignments are "name=value" or "model.name=value" (other models' are passed over
 * when `shared`, else refused). model NULL: the task's default. An unknown model is answered with the nearest. */
pen_status pen__entrant_parse(const char *model, int32_t task, const char *const *assignments, size_t n, int shared,
                              pen__entrant *out, pen_error *error);

/* Lets the entrant start from trained models; PEN_E_ARGUMENT where its class starts from nothing else. */
pen_status pen__entrant_pretrain(pen__entrant *entrant, const pen_model *const *from, size_t n, pen_error *error);

/* A log and where its given test events begin (pen__split): what an experiment reads. */
typedef struct pen__material {
    const pen_dataset *data;
    int64_t valid_from, test_from; /* -1: no given test */
} pen__material;

/* Checkpoints of a fit, and its log, and whether its model gets a catalogue afterwards; or zeros. */
typedef struct pen__keeping {
    const char *checkpoint;
    double checkpoint_seconds;
    int32_t resume;
    struct pen__train_log *log;
    bool completed, with_history;
} pen__keeping;

/* Fits on the training part: epochs chosen on validation where there is any, then again on both with protocol->refit.
 * *train is what the returned model was fitted on (the caller frees both). On PEN_E_CANCELLED the model may be there
 * too. */
pen_status pen__fit_on_parts(pen_context *ctx, const pen__entrant *entrant, const pen__log *log,
                             const pen__parts *parts, const pen_protocol *protocol, uint64_t seed,
                             const pen__keeping *keeping, pen_model **model, pen__train *train, pen__fit_report *report,
                             pen_error *error);

/* Splits, fits and tests every entrant over material's folds (one material for each given fold; or one material whose
 * split may have folds) and protocol->seeds. The JSON report of `evaluate` and `compare` goes to `out`. */
pen_status pen__experiment(pen_context *ctx, const pen__material *material, int32_t n_materials,
                           const pen_protocol *protocol, const pen__entrant *entrant, int32_t n_entrants,
                           pen__text *out, pen_error *error);

#endif
