/* Fitting on the parts of a split: validation chooses the number of epochs, and the model is fitted again on training
 * and validation with that number (refit). A model without epochs has nothing to choose: it is fitted once, on both. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/progress.h"
#include "rank/catalogue.h"
#include "train/checkpoint.h"
#include "train/experiment.h"

enum { TRAIN = 1 << PEN_PART_TRAIN, VALID = 1 << PEN_PART_VALID | 1 << PEN_PART_VALID_HISTORY };

/* No model has the parameter `name`: says which is nearest among those of all models. */
static pen_status check_known(const char *name, pen_error *error)
{
    const pen__model_class *const *all;
    const char *names[1024];
    size_t n_classes = pen__model_classes(&all), n = 0;
    for (size_t c = 0; c < n_classes; c++) {
        if (pen__params_has(all[c], name)) return PEN_OK;
        for (size_t i = 0; i < all[c]->n_params && n < sizeof names / sizeof *names; i++)
            names[n++] = all[c]->params[i].name;
    }
    int nearest = pen__nearest_name(pen__span_of(name), names, n, sizeof *names);
    if (nearest < 0)
        return pen__fail(error, PEN_E_UNKNOWN, "no model has a parameter '%s' (see: penchant models)", name);
    return pen__fail(error, PEN_E_UNKNOWN, "no model has a parameter '%s'; did you mean '%s'? (see: penchant models)",
                     name, names[nearest]);
}

static pen_status no_such_model(const char *model, pen_error *error)
{
    const pen__model_class *const *all;
    const char *names[256];
    size_t n = pen__model_classes(&all);
    for (size_t i = 0; i < n; i++) names[i] = all[i]->name;
    int nearest = pen__nearest_name(pen__span_of(model), names, n, sizeof *names);
    if (nearest < 0) return pen__fail(error, PEN_E_UNKNOWN, "there is no model '%s' (see: penchant models)", model);
    return pen__fail(error, PEN_E_UNKNOWN, "there is no model '%s'; did you mean '%s'? (see: penchant models)", model,
                     names[nearest]);
}

static pen_status parse_one(pen__entrant *entrant, const char *assignment, int shared, pen_error *error)
{
    const char *equals = strchr(assignment, '='), *dot = strchr(assignment, '.');
    if (equals && dot && dot < equals) { /* model.name=value */
        char model[64];
        size_t n = (size_t)(dot - assignment);
        PEN_CHECK(n < sizeof model, PEN_E_UNKNOWN, "'%s': there is no such model", assignment);
        memcpy(model, assignment, n);
        model[n] = 0;
        if (!pen__model_class_find(model)) return no_such_model(model, error);
        if (strcmp(model, entrant->class->name)) {
            PEN_CHECK(shared, PEN_E_ARGUMENT, "'%s' is for the model %s, but the model is %s", assignment, model,
                      entrant->class->name);
            return PEN_OK;
        }
        assignment = dot + 1;
    } else if (shared && equals) { /* for whoever has it */
        char name[64];
        pen__span given = pen__span_trim((pen__span){assignment, (size_t)(equals - assignment)});
        if (given.length < sizeof name) {
            memcpy(name, given.text, given.length);
            name[given.length] = 0;
            if (!pen__params_has(entrant->class, name)) return check_known(name, error);
        }
    }
    return pen__params_set(entrant->class, &entrant->params, assignment, error);
}

pen_status pen__entrant_parse(const char *model, int32_t task, const char *const *assignments, size_t n, int shared,
                              pen__entrant *out, pen_error *error)
{
    if (!model) model = task == PEN_TASK_RATE ? "biased-mf" : "ials";
    *out = (pen__entrant){.class = pen__model_class_find(model)};
    if (!out->class) return no_such_model(model, error);
    const char *word = task == PEN_TASK_RATE ? "rating" : "ranking";
    PEN_CHECK(out->class->tasks >> task & 1, PEN_E_ARGUMENT,
              "%s is not a model for %s (--task %s); see: penchant models", model, word,
              task == PEN_TASK_RATE ? "rate" : "rank");
    pen__params_default(out->class, &out->params);
    for (size_t i = 0; i < n; i++) PEN_TRY(parse_one(out, assignments[i], shared, error));
    return PEN_OK;
}

pen_status pen__entrant_pretrain(pen__entrant *entrant, const pen_model *const *from, size_t n, pen_error *error)
{
    const pen__model_class *const *all;
    size_t n_classes = pen__model_classes(&all);
    if (!n) return PEN_OK;
    for (size_t i = 0; i < n; i++) PEN_CHECK(from && from[i], PEN_E_ARGUMENT, "pretrained model %zu is NULL", i + 1);
    entrant->pretrained = from, entrant->n_pretrained = n;
    if (entrant->class->pretrain) return PEN_OK;
    char names[200] = "";
    for (size_t c = 0; c < n_classes; c++)
        if (all[c]->pretrain)
            snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", *names ? ", " : "", all[c]->name);
    return pen__fail(error, PEN_E_ARGUMENT, "%s starts from no other model (--pretrain); these do: %s",
                     entrant->class->name, names);
}

static int64_t count_part(const pen__parts *parts, int part)
{
    int64_t n = 0;
    for (int64_t i = 0; i < parts->n; i++) n += parts->part[i] == part;
    return n;
}

/* The first metric that is worth watching on validation: of the whole ranking or rating, by user. */
static pen_status watched_metric(const pen_protocol *protocol, pen__metric *out, pen_error *error)
{
    pen__metric all[PEN_MAX_METRICS];
    int32_t n;
    PEN_TRY(pen__metrics_parse(protocol->metrics, protocol->task, all, &n, error));
    for (int32_t m = 0; m < n; m++) {
        int kind = all[m].kind;
        if (kind == PEN_METRIC_COVERAGE || kind == PEN_METRIC_GINI || kind == PEN_METRIC_NOVELTY ||
            kind == PEN_METRIC_DIVERSITY || kind == PEN_METRIC_CALIBRATION)
            continue;
        *out = all[m];
        return PEN_OK;
    }
    PEN_TRY(pen__metrics_parse(NULL, protocol->task, all, &n, error));
    *out = all[0];
    return PEN_OK;
}

/* Where a checkpoint says that a run already is in its refit. */
static pen_status peek_refit(pen_context *ctx, const pen__entrant *entrant, uint64_t seed, const pen__keeping *keeping,
                             pen__position *at, int *refitting, pen_error *error)
{
    pen_model *probe;
    *refitting = 0;
    if (!keeping->checkpoint || !keeping->resume) return PEN_OK;
    PEN_TRY(pen__model_new(ctx, entrant->class, &entrant->params, NULL, seed, &probe, error));
    probe->pretrained = pen__pretrained_key(entrant->pretrained, entrant->n_pretrained);
    pen_status status = pen__checkpoint_peek(keeping->checkpoint, probe, 0, at, refitting, error);
    pen__model_free(probe);
    *refitting = *refitting && at->phase == 1;
    return status;
}

/* What the events of `mask` teach, and whom the model knows beside. */
static pen_status build_train(const pen__model_class *class, const pen__params *params, const pen__log *log,
                              const pen__parts *parts, unsigned mask, int32_t task, pen__train *train, pen_error *error)
{
    bool users = false, items = false;
    PEN_TRY(pen__train_build(log, parts, mask, task, train, error));
    if (class->reach) class->reach(class, params, &users, &items);
    pen_status status = users || items ? pen__train_widen(train, log, users, items, error) : PEN_OK;
    if (status != PEN_OK) pen__train_free(train);
    return status;
}

/* Bytes of what the model fitted on `train` is kept with. */
static uint64_t completion_of(const pen__keeping *keeping, const pen__train *train)
{
    return keeping->completed ? pen__catalogue_bytes(train, keeping->with_history) : 0;
}

/* What a refit and the model after it take, said before the first phase begins, where there is a limit to hold it
 * against: the refit's training is built and forgotten again, which takes less than an epoch. Held more then: that
 * training (it passes as less than nothing). Not foreseen: what building it takes for a moment, and what a network's
 * first epoch makes for its batches, which the first phase has had as well. */
static pen_status foresee_refit(pen_context *ctx, pen__fit_options *o, const pen__log *log, const pen__parts *parts,
                                int32_t task, const pen__keeping *keeping, pen_error *error)
{
    pen__train train;
    pen__fit_options refit = *o;
    uint64_t held = pen_context_memory(ctx);
    if (!pen__memory_limit(ctx)) return PEN_OK;
    PEN_TRY(build_train(o->class, o->params, log, parts, TRAIN | VALID, task, &train, error));
    int64_t grown = (int64_t)(pen_context_memory(ctx) - held);
    refit.train = &train;
    o->completion = (pen__later){completion_of(keeping, &train), -grown};
    o->refit.passing = -grown;
    pen_status status = pen__fit_memory(&refit, &o->refit.bytes, error);
    pen__train_free(&train);
    return status;
}

/* First phase: epochs chosen on validation. */
static pen_status choose(pen_context *ctx, pen__fit_options *o, const pen__log *log, const pen__parts *parts,
                         const pen_protocol *protocol, const pen__keeping *keeping, pen_model **model,
                         pen__train *train, pen__fit_report *report, pen_error *error)
{
    pen__cases cases = {0};
    pen__metric metric;
    PEN_TRY(watched_metric(protocol, &metric, error));
    if (protocol->refit) PEN_TRY(foresee_refit(ctx, o, log, parts, protocol->task, keeping, error));
    uint64_t before = pen_context_memory(ctx);
    PEN_TRY(build_train(o->class, o->params, log, parts, TRAIN, protocol->task, train, error));
    pen_protocol quiet = *protocol; /* validation ranks the full catalogue, for all users: candidates are of the test */
    quiet.candidates = NULL;
    quiet.test_users = 0;
    uint64_t held = pen_context_memory(ctx);
    pen_status status = pen__cases_build(log, parts, train, &quiet, PEN_PART_VALID, TRAIN, o->seed, &cases, error);
    if (status == PEN_OK) {
        int64_t passing = (int64_t)(pen_context_memory(ctx) - held);
        if (protocol->refit)
            o->completion.passing += passing + (int64_t)(held - before); /* and this training, once there is a refit */
        else
            o->completion = (pen__later){completion_of(keeping, train), passing};
        o->refit.passing += passing;
        o->train = train;
        o->valid = cases.n > 0 ? &cases : NULL;
        o->metric = &metric; /* cppcheck-suppress autoVariables ; the refit forgets it */
        status = pen__fit(ctx, o, model, report, error);
    }
    pen__cases_free(&cases);
    if (status != PEN_OK && !*model) pen__train_free(train);
    return status;
}

/* What the first phase had ended with, out of a checkpoint of the refit on training `refit_hash`: the best so far until
 * that is done. */
static pen_status restore_before(pen_context *ctx, const pen__fit_options *o, uint64_t refit_hash, const pen__log *log,
                                 const pen__parts *parts, const pen_protocol *protocol, pen_model **model,
                                 pen__train *train, pen_error *error)
{
    pen_status status = PEN_OK;
    pen__position at;
    int found;
    PEN_TRY_DONE(build_train(o->class, o->params, log, parts, TRAIN, protocol->task, train, error));
    PEN_TRY_DONE(pen__model_new(ctx, o->class, o->params, train, o->seed, model, error));
    (*model)->pretrained = pen__pretrained_key(o->pretrained, o->n_pretrained);
    PEN_TRY_DONE(pen__checkpoint_peek(o->checkpoint, *model, refit_hash, &at, &found, error));
    PEN_TRY_DONE(o->class->begin(*model, train, error));
    PEN_TRY_DONE(pen__checkpoint_read_before(o->checkpoint, *model, error));
    PEN_TRY_DONE(pen__model_bind(*model, error));
done:
    if (status == PEN_OK) return PEN_OK;
    pen__model_free(*model);
    pen__train_free(train);
    *model = NULL;
    return status;
}

pen_status pen__fit_on_parts(pen_context *ctx, const pen__entrant *entrant, const pen__log *log,
                             const pen__parts *parts, const pen_protocol *protocol, uint64_t seed,
                             const pen__keeping *keeping, pen_model **model, pen__train *train, pen__fit_report *report,
                             pen_error *error)
{
    pen__fit_options o = {.class = entrant->class,
                          .params = &entrant->params,
                          .seed = seed,
                          .pretrained = entrant->pretrained,
                          .n_pretrained = entrant->n_pretrained,
                          .checkpoint = keeping->checkpoint,
                          .checkpoint_seconds = keeping->checkpoint_seconds,
                          .resume = keeping->resume,
                          .log = keeping->log,
                          .with_history = keeping->with_history};
    int iterative = entrant->class->epoch != NULL, refitting = 0;
    int has_valid = count_part(parts, PEN_PART_VALID) > 0;
    pen__position at = {0};
    int64_t before = (int64_t)pen_context_memory(ctx);
    *model = NULL;
    *train = (pen__train){0};
    if (iterative && has_valid) {
        PEN_TRY(peek_refit(ctx, entrant, seed, keeping, &at, &refitting, error));
        PEN_CHECK(protocol->refit || !refitting, PEN_E_ARGUMENT,
                  "'%s' is a checkpoint of a run amid its refit on training and validation; call with a refit too, or "
                  "without --resume",
                  keeping->checkpoint);
        if (refitting) {
            report->epochs = report->best_epoch = at.chosen;
            report->best_metric = at.chosen_metric;
            report->halvings = at.halvings;
        } else
            PEN_TRY(choose(ctx, &o, log, parts, protocol, keeping, model, train, report, error));
        if (!protocol->refit) return PEN_OK;
        o.phase = 1;
        o.n_epochs = o.chosen = report->best_epoch > 0 ? report->best_epoch : report->epochs;
        o.chosen_metric = report->best_metric;
        o.halvings = report->halvings;
    }
    pen_model *first = *model;
    pen__train first_train = *train;
    pen__fit_report first_report = *report;
    unsigned mask = protocol->refit ? TRAIN | VALID : TRAIN;
    int64_t passing = (int64_t)pen_context_memory(ctx) - before; /* what the first phase has left */
    *model = NULL;
    pen_status status = build_train(entrant->class, &entrant->params, log, parts, mask, protocol->task, train, error);
    before = (int64_t)pen_context_memory(ctx);
    if (status == PEN_OK && refitting)
        status = restore_before(ctx, &o, train->hash, log, parts, protocol, &first, &first_train, error);
    passing += (int64_t)pen_context_memory(ctx) - before;
    o.train = train;
    o.valid = NULL;
    o.metric = NULL; /* it was on the stack of choose */
    o.before = first;
    o.refit = (pen__later){0};
    /* Also where a first phase has held it: a resumed run, perhaps under another limit, may begin here. */
    if (status == PEN_OK) o.completion = (pen__later){completion_of(keeping, train), passing};
    if (status == PEN_OK) status = pen__fit(ctx, &o, model, report, error);
    if (o.phase == 1) { /* what the report says of epochs is what validation chose */
        report->best_metric = o.chosen_metric;
        report->seconds += first ? first_report.seconds : 0;
    }
    if (status == PEN_E_CANCELLED && first) { /* during a refit, the best so far is the model before it */
        pen__model_free(*model);
        pen__train_free(train);
        *model = first;
        *train = first_train;
        first->train = train;
        *report = first_report;
        report->cancelled = 1;
        return status;
    }
    pen__model_free(first);
    if (first) pen__train_free(&first_train);
    if (status != PEN_OK && !*model) pen__train_free(train);
    return status;
}
