/* Evaluation: models on splits of a log, and anybody's lists.
 *
 *     pen_protocol protocol;
 *     pen_protocol_init(&protocol);
 *     pen_material material = {log, NULL, NULL};
 *     const char *models[] = {"ials", "popular"};
 *     pen_report *report;
 *     if (pen_evaluate(ctx, &material, 1, &protocol, models, 2, NULL, 0, &report, &error) == PEN_OK)
 *         puts(pen_report_json(report));
 *
 * Since 0.1.
 */
#ifndef PENCHANT_EVALUATE_H
#define PENCHANT_EVALUATE_H

#include "penchant/dataset.h"
#include "penchant/model.h"
#include "penchant/protocol.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A log, and given test and validation events beside it (NULL: the protocol's split). Several materials are folds. */
typedef struct pen_material {
    const pen_dataset *log, *test, *valid;
} pen_material;

typedef struct pen_report pen_report;

/* Splits, fits and tests each model on every material. models NULL: the task's default model. params as in
 * pen_train_options; with several models "name=value" goes to each model that has it. The report's JSON is that of
 * `penchant evaluate --format json`. */
PEN_API pen_status pen_evaluate(pen_context *ctx, const pen_material *material, size_t n_materials,
                                const pen_protocol *protocol, const char *const *models, size_t n_models,
                                const char *const *params, size_t n_params, pen_report **report, pen_error *error);

/* The same, where models that can (neumf) start from trained ones, n_pretrained of them, borrowed for the call: see
 * pen_train_options. PEN_E_ARGUMENT where one of those has seen an event that is tested, or keeps no history to tell:
 * it must have been trained on the training part alone. */
PEN_API pen_status pen_evaluate_pretrained(pen_context *ctx, const pen_material *material, size_t n_materials,
                                           const pen_protocol *protocol, const char *const *models, size_t n_models,
                                           const char *const *params, size_t n_params,
                                           const pen_model *const *pretrained, size_t n_pretrained, pen_report **report,
                                           pen_error *error);

/* The same metrics for anybody's lists. `lists`: a data set whose events are user, item and (as value) a score; without
 * values their order is the rank. `test`: whom to test and what they took; `train` (NULL: none): the catalogue, and
 * what was seen before (a test pair that stands in it is dropped and counted). An item that is unknown takes up its
 * place. */
PEN_API pen_status pen_score_lists(pen_context *ctx, const pen_dataset *lists, const pen_dataset *test,
                                   const pen_dataset *train, const pen_protocol *protocol, pen_report **report,
                                   pen_error *error);

/* Lives as long as the report. */
PEN_API const char *pen_report_json(const pen_report *report);
PEN_API void pen_report_destroy(pen_report *report);

#ifdef __cplusplus
}
#endif
#endif
