/* Models: what there is, training, files.
 *
 * A trained model is immutable and may be shared by threads; what one query needs lives in a pen_query (query.h).
 * Since 0.1.
 */
#ifndef PENCHANT_MODEL_H
#define PENCHANT_MODEL_H

#include "penchant/dataset.h"
#include "penchant/protocol.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pen_model pen_model;

typedef enum pen_param_type {
    PEN_PARAM_INT = 1,
    PEN_PARAM_REAL = 2,
    PEN_PARAM_BOOL = 3,
    PEN_PARAM_CHOICE = 4,
    PEN_PARAM_TEXT = 5 /* such as the names of columns; up to 255 bytes */
} pen_param_type;

/* One hyper-parameter of a model. */
typedef struct pen_param {
    const char *name, *doc; /* doc: one line for people */
    const char *standard;   /* the default, as text */
    const char *choices;    /* "a|b|c" of a choice, NULL otherwise */
    double low, high;       /* inclusive bounds of numbers */
    int32_t type;           /* a pen_param_type */
    int32_t log_scale;      /* 1: worth searching on a logarithmic scale */
} pen_param;

/* What a model is, for people. */
typedef struct pen_model_info {
    size_t struct_size;
    const char *name, *family, *summary, *formula, *paper;
    const pen_param *params;
    size_t n_params;
    uint32_t tasks;    /* bit 1 << PEN_TASK_RANK, 1 << PEN_TASK_RATE */
    int32_t iterative; /* 1: trained in epochs */
    int32_t network;   /* 1: a network, trained for minutes where the others take seconds */
    int32_t reserved;  /* 0 */
} pen_model_info;

/* Number of models, and the i-th (by family, in the order in which a reader should meet them). */
PEN_API size_t pen_models(void);
PEN_API pen_status pen_models_get(size_t i, pen_model_info *info, pen_error *error);
/* By name; an unknown name is answered with the nearest. */
PEN_API pen_status pen_models_find(const char *name, pen_model_info *info, pen_error *error);

typedef struct pen_train_options {
    size_t struct_size;
    const char *model;         /* NULL: ials when ranking, biased-mf when rating */
    const char *const *params; /* "name=value" or "model.name=value" (others' are passed over), n_params of them */
    size_t n_params;
    const char *checkpoint;    /* path of the checkpoint, or NULL: none is kept */
    double checkpoint_seconds; /* at least so long between two; default 30; 0: after each epoch */
    int32_t resume;            /* 1: go on from the checkpoint where there is one */
    int32_t no_history;        /* 1: the model does not keep what users have seen */
    /* Trained models whose weights the new one starts from, n_pretrained of them, borrowed for the call: neumf takes a
     * gmf and an mlp. Users and items are matched by their ids; what those models lack begins at random. NULL: none. */
    const pen_model *const *pretrained;
    size_t n_pretrained;
    const char *log; /* path of a log of JSON lines, one an epoch (docs/formats/training-log.md), or NULL. Made anew, or
                      * with `resume` gone on with. What cannot be written later is a warning */
} pen_train_options;

#define PEN_TRAIN_OPTIONS_INIT                                                  \
    {                                                                           \
        sizeof(pen_train_options), NULL, NULL, 0, NULL, 30, 0, 0, NULL, 0, NULL \
    }

/* Trains on all of the log: epochs chosen on a validation part, then fitted again on everything (protocol->refit). When
 * cancelled, PEN_E_CANCELLED is returned and *model is the best so far (or NULL where there is none). */
PEN_API pen_status pen_model_train(const pen_dataset *log, const pen_protocol *protocol,
                                   const pen_train_options *options, pen_model **model, pen_error *error);

PEN_API pen_status pen_model_save(const pen_model *model, const char *path, pen_error *error);
PEN_API pen_status pen_model_open(pen_context *ctx, const char *path, pen_model **model, pen_error *error);
PEN_API void pen_model_destroy(pen_model *model);

PEN_API int32_t pen_model_users(const pen_model *model);
PEN_API int32_t pen_model_items(const pen_model *model);

/* What the model is and how it was made, as JSON: model, params, task, data {path, hash, counts}, seed, epochs, metric,
 * seconds, version. Lives as long as the model. */
PEN_API const char *pen_model_about(const pen_model *model);

#ifdef __cplusplus
}
#endif
#endif
