/* penchant/evaluate.h: checks, then the experiment. */
#include "penchant/evaluate.h"

#include <string.h>

#include "api/material.h"
#include "api/report.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "train/judge.h"

pen_status pen__report_new(pen_context *ctx, pen_report **report, pen_error *error)
{
    PEN_TRY(PEN_NEW_ZERO(ctx, *report, 1));
    (*report)->ctx = ctx;
    (*report)->text.ctx = ctx;
    return PEN_OK;
}

const char *pen_report_json(const pen_report *report) { return report && report->text.bytes ? report->text.bytes : ""; }

void pen_report_destroy(pen_report *report)
{
    if (!report) return;
    pen_context *ctx = report->ctx;
    pen__text_free(&report->text);
    pen__free(ctx, report);
}

pen_status pen__material_join(const pen_material *from, pen__material *to, pen_dataset **joined, pen_error *error)
{
    *to = (pen__material){from->log, -1, -1};
    *joined = NULL;
    PEN_CHECK(from->log, PEN_E_ARGUMENT, "pen_material needs a log");
    PEN_CHECK(from->test || !from->valid, PEN_E_ARGUMENT,
              "a given validation (--valid) needs a given test (--test) beside it");
    if (!from->test) return PEN_OK;
    const pen_dataset *base = from->log;
    if (from->valid) {
        to->valid_from = base->n_events;
        PEN_TRY(pen__dataset_join(base, from->valid, joined, error));
        base = *joined;
    }
    pen_dataset *both;
    to->test_from = base->n_events;
    pen_status status = pen__dataset_join(base, from->test, &both, error);
    pen_dataset_destroy(*joined);
    *joined = status == PEN_OK ? both : NULL;
    if (status == PEN_OK) to->data = both;
    return status;
}

/* model.name=value is for one of the models that are compared; one that is for another would silently do nothing. */
static pen_status check_addressed(const pen__entrant *entrant, size_t n, const char *const *params, size_t n_params,
                                  pen_error *error)
{
    for (size_t i = 0; i < n_params; i++) {
        const char *equals = strchr(params[i], '='), *dot = strchr(params[i], '.');
        if (!equals || !dot || dot > equals) continue;
        size_t length = (size_t)(dot - params[i]), m = 0;
        while (m < n && (strlen(entrant[m].class->name) != length || memcmp(entrant[m].class->name, params[i], length)))
            m++;
        PEN_CHECK(m < n, PEN_E_ARGUMENT, "'%s' is for a model that is not compared (-m)", params[i]);
    }
    return PEN_OK;
}

/* Models to start from are for those that can; where none can, the first says so. */
static pen_status hand_out(pen__entrant *entrant, size_t n, const pen_model *const *pretrained, size_t n_pretrained,
                           pen_error *error)
{
    size_t able = 0;
    for (size_t m = 0; m < n; m++)
        if (entrant[m].class->pretrain) {
            PEN_TRY(pen__entrant_pretrain(&entrant[m], pretrained, n_pretrained, error));
            able++;
        }
    return able ? PEN_OK : pen__entrant_pretrain(&entrant[0], pretrained, n_pretrained, error);
}

static pen_status run(pen_context *ctx, const pen__material *material, size_t n_materials, const pen_protocol *given,
                      const char *const *models, size_t n_models, const char *const *params, size_t n_params,
                      const pen_model *const *pretrained, size_t n_pretrained, pen__text *out, pen_error *error)
{
    pen_protocol protocol = *given;
    pen__entrant *entrant;
    if (!protocol.task) protocol.task = PEN_TASK_RANK;
    if (!models) n_models = 1;
    PEN_CHECK(n_models > 0, PEN_E_ARGUMENT, "no model was named");
    PEN_TRY(PEN_NEW_ZERO(ctx, entrant, n_models));
    pen_status status = PEN_OK;
    for (size_t m = 0; m < n_models && status == PEN_OK; m++)
        status = pen__entrant_parse(models ? models[m] : NULL, protocol.task, params, n_params, n_models > 1,
                                    &entrant[m], error);
    if (status == PEN_OK) status = hand_out(entrant, n_models, pretrained, n_pretrained, error);
    if (status == PEN_OK) status = check_addressed(entrant, n_models, params, n_params, error);
    if (status == PEN_OK)
        status =
            pen__experiment(ctx, material, (int32_t)n_materials, &protocol, entrant, (int32_t)n_models, out, error);
    pen__free(ctx, entrant);
    return status;
}

/* Of a few resamples the 2.5th percentile is the least one. */
static pen_status check_bootstrap(const pen_protocol *protocol, pen_error *error)
{
    PEN_CHECK(protocol->bootstrap == 0 || protocol->bootstrap >= 100, PEN_E_ARGUMENT,
              "%d resamples make no interval; 0 (none) or 100 and more are allowed, 1000 is usual",
              protocol->bootstrap);
    return PEN_OK;
}

pen_status pen_evaluate(pen_context *ctx, const pen_material *material, size_t n_materials,
                        const pen_protocol *protocol, const char *const *models, size_t n_models,
                        const char *const *params, size_t n_params, pen_report **report, pen_error *error)
{
    return pen_evaluate_pretrained(ctx, material, n_materials, protocol, models, n_models, params, n_params, NULL, 0,
                                   report, error);
}

pen_status pen_evaluate_pretrained(pen_context *ctx, const pen_material *material, size_t n_materials,
                                   const pen_protocol *protocol, const char *const *models, size_t n_models,
                                   const char *const *params, size_t n_params, const pen_model *const *pretrained,
                                   size_t n_pretrained, pen_report **report, pen_error *error)
{
    PEN_CHECK(ctx && material && n_materials && n_materials < INT32_MAX && protocol && report, PEN_E_ARGUMENT,
              "pen_evaluate: an argument is missing");
    PEN_TRY(check_bootstrap(protocol, error));
    for (size_t a = 0; a < n_models; a++)
        for (size_t b = 0; b < a; b++)
            PEN_CHECK(strcmp(models[a], models[b]) != 0, PEN_E_ARGUMENT, "model '%s' is named twice", models[a]);
    pen__cancel_clear(ctx);
    pen__material *inner = NULL;
    pen_dataset **joined = NULL;
    pen_status status = PEN_OK;
    *report = NULL;
    PEN_TRY_DONE(pen__report_new(ctx, report, error));
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, inner, n_materials));
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, joined, n_materials));
    for (size_t i = 0; i < n_materials; i++)
        PEN_TRY_DONE(pen__material_join(&material[i], &inner[i], &joined[i], error));
    PEN_TRY_DONE(run(ctx, inner, n_materials, protocol, models, n_models, params, n_params, pretrained, n_pretrained,
                     &(*report)->text, error));
done:
    for (size_t i = 0; joined && i < n_materials; i++) pen_dataset_destroy(joined[i]);
    pen__free(ctx, joined);
    pen__free(ctx, inner);
    if (status != PEN_OK) {
        pen_report_destroy(*report);
        *report = NULL;
    }
    return status;
}

pen_status pen_score_lists(pen_context *ctx, const pen_dataset *lists, const pen_dataset *test,
                           const pen_dataset *train, const pen_protocol *protocol, pen_report **report,
                           pen_error *error)
{
    PEN_CHECK(ctx && lists && test && protocol && report, PEN_E_ARGUMENT, "pen_score_lists: an argument is missing");
    PEN_TRY(check_bootstrap(protocol, error));
    pen__cancel_clear(ctx);
    PEN_TRY(pen__report_new(ctx, report, error));
    pen_status status = pen__judge(lists, test, train, protocol, &(*report)->text, error);
    if (status != PEN_OK) {
        pen_report_destroy(*report);
        *report = NULL;
    }
    return status;
}
