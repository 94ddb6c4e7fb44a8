/* penchant/model.h: the list of models, training, files. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/progress.h"
#include "penchant/model.h"
#include "rank/catalogue.h"
#include "rank/model_file.h"
#include "train/experiment.h"
#include "train/train_log.h"

static void fill(const pen__model_class *class, pen_model_info *info)
{
    *info = (pen_model_info){.struct_size = sizeof *info,
                             .name = class->name,
                             .family = class->family,
                             .summary = class->summary,
                             .formula = class->formula,
                             .paper = class->paper,
                             .params = class->params,
                             .n_params = class->n_params,
                             .tasks = class->tasks,
                             .iterative = class->epoch != NULL,
                             .network = class->net != NULL};
}

size_t pen_models(void) { return pen__model_classes(NULL); }

pen_status pen_models_get(size_t i, pen_model_info *info, pen_error *error)
{
    const pen__model_class *const *all;
    size_t n = pen__model_classes(&all);
    PEN_CHECK(i < n && info, PEN_E_ARGUMENT, "there are %zu models; number %zu was asked for", n, i);
    fill(all[i], info);
    return PEN_OK;
}

pen_status pen_models_find(const char *name, pen_model_info *info, pen_error *error)
{
    PEN_CHECK(name && info, PEN_E_ARGUMENT, "pen_models_find: an argument is NULL");
    const pen__model_class *class = pen__model_class_find(name);
    if (!class) { /* the entrant's parser says what is near */
        pen__entrant none;
        return pen__entrant_parse(name, PEN_TASK_RANK, NULL, 0, 0, &none, error);
    }
    fill(class, info);
    return PEN_OK;
}

/* The split of `train`: a tenth is validation, nothing is tested. */
static const char *training_split(const pen_dataset *log, const pen_protocol *protocol)
{
    if (protocol->task == PEN_TASK_RATE) return "ratio-all:0.9,0.1,0";
    return log->time ? "ratio-time:0.9,0.1,0" : "ratio:0.9,0.1,0";
}

static pen_status describe(pen_model *model, const pen__entrant *entrant, const pen_dataset *log,
                           const pen_protocol *protocol, const pen__log *events, const pen__train *train,
                           const pen__fit_report *report, pen_error *error)
{
    pen__text about = {.ctx = model->ctx};
    pen__text_printf(&about, "{\"model\": \"%s\", \"params\": ", model->class->name);
    pen__params_json(model->class, &model->params, &about);
    pen__text_printf(&about,
                     ", \"task\": \"%s\", \"data\": {\"path\": ", protocol->task == PEN_TASK_RATE ? "rate" : "rank");
    pen__text_json(&about, log->source ? log->source : "", log->source ? strlen(log->source) : 0);
    pen__text_printf(&about,
                     ", \"hash\": \"%016llx\", \"users\": %d, \"items\": %d, \"events\": %lld, \"filters\": %s}",
                     (unsigned long long)log->hash, train->n_users, train->n_items, (long long)train->n_events,
                     events->notes ? events->notes : "[]");
    pen__text_printf(&about, ", \"seed\": %llu, \"epochs\": %d, \"seconds\": %.3f, \"penchant\": \"%s\"",
                     (unsigned long long)protocol->seed, report->best_epoch, report->seconds, pen_version());
    if (report->best_metric == report->best_metric)
        pen__text_printf(&about, ", \"validation\": %.6g", report->best_metric);
    if (report->cancelled) pen__text_puts(&about, ", \"interrupted\": true");
    for (size_t i = 0; i < entrant->n_pretrained; i++)
        pen__text_printf(&about, "%s\"%s\"%s", i ? ", " : ", \"pretrained\": [", entrant->pretrained[i]->class->name,
                         i + 1 < entrant->n_pretrained ? "" : "]");
    pen__text_puts(&about, "}");
    if (about.failed) {
        pen__text_free(&about);
        return pen__fail(error, PEN_E_MEMORY, "out of memory describing the model");
    }
    pen__free(model->ctx, model->about);
    model->about = about.bytes;
    return PEN_OK;
}

/* What a model needs once training's data is gone: its catalogue and its description. */
static pen_status complete(pen_model *model, const pen__entrant *entrant, const pen_dataset *log,
                           const pen_protocol *protocol, const pen__log *events, const pen__train *train,
                           const pen__fit_report *report, int with_history, pen_error *error)
{
    PEN_TRY(pen__catalogue_build(train, with_history, &model->catalogue, error));
    PEN_TRY(describe(model, entrant, log, protocol, events, train, report, error));
    model->train = NULL;
    return PEN_OK;
}

/* The caller's options, defaults behind what an older caller's struct has. */
static pen_status take_options(const pen_train_options *given, pen_train_options *o, pen_error *error)
{
    static const pen_train_options defaults = PEN_TRAIN_OPTIONS_INIT;
    PEN_CHECK(given->struct_size >= sizeof given->struct_size && given->struct_size <= sizeof *o, PEN_E_ARGUMENT,
              "pen_train_options.struct_size is %zu; this library knows up to %zu", given->struct_size, sizeof *o);
    *o = defaults;
    memcpy(o, given, given->struct_size);
    return PEN_OK;
}

/* The log's first line: what is being done. */
static void log_run(pen__train_log *log, const pen_dataset *data, const pen__entrant *entrant,
                    const pen_protocol *protocol, const pen_train_options *o)
{
    if (!log) return;
    pen__text t = {.ctx = data->ctx};
    bool goes_on = o->resume && o->checkpoint && !access(o->checkpoint, F_OK);
    pen__text_printf(&t, "\"penchant\": \"%s\", \"model\": \"%s\", \"params\": ", pen_version(), entrant->class->name);
    pen__params_json(entrant->class, &entrant->params, &t);
    pen__text_printf(&t, ", \"task\": \"%s\", \"seed\": %llu, \"data\": {\"path\": ",
                     protocol->task == PEN_TASK_RATE ? "rate" : "rank", (unsigned long long)protocol->seed);
    pen__text_json(&t, data->source ? data->source : "", data->source ? strlen(data->source) : 0);
    pen__text_printf(&t, ", \"hash\": \"%016llx\"}, \"split\": ", (unsigned long long)data->hash);
    pen__text_json(&t, protocol->split, strlen(protocol->split));
    pen__text_printf(&t, ", \"refit\": %s, \"threads\": %d, \"resumed\": %s", protocol->refit ? "true" : "false",
                     pen_context_threads(data->ctx), goes_on ? "true" : "false");
    pen__train_log_line(log, "run", &t);
    pen__text_free(&t);
}

/* Its last line: how it ended. */
static void log_end(pen__train_log *log, pen_context *ctx, pen_status status, const pen__fit_report *report,
                    const pen_error *error)
{
    if (!log) return;
    pen__text t = {.ctx = ctx};
    const char *word = status == PEN_OK ? "done" : status == PEN_E_CANCELLED ? "interrupted" : "failed";
    pen__text_printf(&t, "\"status\": \"%s\", \"epochs\": %d", word, report->best_epoch);
    if (report->best_metric == report->best_metric) pen__text_printf(&t, ", \"validation\": %.9g", report->best_metric);
    pen__text_printf(&t, ", \"elapsed\": %.3f, \"peak_bytes\": %llu", pen__train_log_elapsed(log),
                     (unsigned long long)pen_context_memory_peak(ctx));
    if (status != PEN_OK && error) {
        pen__text_puts(&t, ", \"error\": ");
        pen__text_json(&t, error->message, strlen(error->message));
    }
    pen__train_log_line(log, "end", &t);
    pen__text_free(&t);
    pen__train_log_close(log);
}

static pen_status train_and_complete(const pen_dataset *log, const pen__entrant *entrant, const pen_protocol *protocol,
                                     const pen_train_options *o, pen__train_log *lines, pen__fit_report *report,
                                     pen_model **model, pen_error *error)
{
    pen__log events = {0};
    pen__parts parts = {0};
    pen__train train = {0};
    pen__keeping keeping = {o->checkpoint, o->checkpoint_seconds, o->resume, lines, true, !o->no_history};
    pen_status status = pen__log_build(log, protocol, &events, error);
    if (status == PEN_OK) status = pen__split(&events, protocol, protocol->seed, 0, &parts, error);
    if (status == PEN_OK)
        status = pen__fit_on_parts(log->ctx, entrant, &events, &parts, protocol, protocol->seed, &keeping, model,
                                   &train, report, error);
    if (*model) {
        pen_status finished = complete(*model, entrant, log, protocol, &events, &train, report, !o->no_history, error);
        if (finished != PEN_OK) {
            pen__model_free(*model);
            *model = NULL;
            status = finished;
        }
    }
    pen__train_free(&train);
    pen__parts_free(&parts);
    pen__log_free(&events);
    return status;
}

pen_status pen_model_train(const pen_dataset *log, const pen_protocol *given, const pen_train_options *options,
                           pen_model **model, pen_error *error)
{
    PEN_CHECK(log && given && options && model, PEN_E_ARGUMENT, "pen_model_train: an argument is NULL");
    pen_protocol protocol = *given;
    pen_train_options o;
    pen__entrant entrant;
    pen__train_log *lines = NULL;
    pen__fit_report report = {.best_metric = NAN};
    pen_error unheard = {0};
    if (!error) error = &unheard; /* the log wants its words */
    *model = NULL;
    pen__cancel_clear(log->ctx);
    if (!protocol.task) protocol.task = PEN_TASK_RANK;
    if (!protocol.split) protocol.split = training_split(log, &protocol);
    PEN_TRY(take_options(options, &o, error));
    PEN_TRY(pen__entrant_parse(o.model, protocol.task, o.params, o.n_params, 0, &entrant, error));
    PEN_TRY(pen__entrant_pretrain(&entrant, o.pretrained, o.n_pretrained, error));
    if (o.log) PEN_TRY(pen__train_log_open(log->ctx, o.log, o.resume, &lines, error));
    log_run(lines, log, &entrant, &protocol, &o);
    pen_status status = train_and_complete(log, &entrant, &protocol, &o, lines, &report, model, error);
    log_end(lines, log->ctx, status, &report, error);
    return status;
}

pen_status pen_model_save(const pen_model *model, const char *path, pen_error *error)
{
    PEN_CHECK(model && path, PEN_E_ARGUMENT, "pen_model_save: an argument is NULL");
    return pen__model_write(model, path, error);
}

pen_status pen_model_open(pen_context *ctx, const char *path, pen_model **model, pen_error *error)
{
    PEN_CHECK(ctx && path && model, PEN_E_ARGUMENT, "pen_model_open: an argument is NULL");
    return pen__model_read(ctx, path, model, error);
}

void pen_model_destroy(pen_model *model) { pen__model_free(model); }
int32_t pen_model_users(const pen_model *model) { return model->n_users; }
int32_t pen_model_items(const pen_model *model) { return model->n_items; }
const char *pen_model_about(const pen_model *model) { return model->about ? model->about : "{}"; }
