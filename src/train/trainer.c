/* The one training loop. After each epoch: the loss is checked, validation is ranked with the real metric, the best
 * tensors are kept, patience is counted, and a checkpoint is written when one is due.
 *
 * Memory beside the model: one copy of its parameters (the best, with validation) and one of its whole state (the last
 * epoch's end, with checkpoints: an interrupt amid an epoch must not lose the epochs before it). */
#include "train/trainer.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/progress.h"
#include "base/thread.h"
#include "train/checkpoint.h"
#include "train/net.h"
#include "train/train_log.h"

typedef struct run {
    const pen__fit_options *o;
    pen_model *model;
    pen__position at;
    pen__snapshot best, last;
    pen__meter meter;
    double written;                      /* when the last checkpoint was */
    double fitting;                      /* seconds in the class's own functions */
    pen__told told;                      /* by the epoch at hand, where there is a log */
    int32_t n_epochs, patience, plateau; /* plateau 0: the rate is not halved so */
    int higher;                          /* the metric is better when higher */
} run;

enum { ALL_ROLES = 1 << PEN_ROLE_PARAM | 1 << PEN_ROLE_OPTIMISER };

pen_status pen__fit_memory(const pen__fit_options *o, uint64_t *bytes, pen_error *error)
{
    uint64_t kept, all;
    *bytes = o->class->memory ? o->class->memory(o->params, o->train) : 0;
    if (!o->class->net) return PEN_OK;
    PEN_TRY(pen__net_memory(o->class, o->params, o->train, &kept, &all, error));
    *bytes = all + (o->valid ? kept : 0) + (o->checkpoint ? all : 0); /* with the best epoch's copy and the last's */
    return PEN_OK;
}

static pen_status say_memory(pen_context *ctx, const pen__fit_options *o, pen_error *error)
{
    if (!o->class->memory && !o->class->net) return PEN_OK;
    uint64_t need, held = pen_context_memory(ctx);
    PEN_TRY(pen__fit_memory(o, &need, error));
    pen__say(ctx, PEN_LOG_INFO, "%s: about %.1f MB for the model%s, %.1f MB held already", o->class->name,
             (double)need / 1e6, o->class->net && (o->valid || o->checkpoint) ? " and copies of it" : "",
             (double)held / 1e6);
    uint64_t limit = pen__memory_limit(ctx);
    PEN_CHECK(!limit || need + held <= limit, PEN_E_MEMORY,
              "%s needs about %.1f MB beside the %.1f MB held, past the limit of %.1f MB; raise "
              "--memory or choose smaller parameters (penchant models %s)",
              o->class->name, (double)need / 1e6, (double)held / 1e6, (double)limit / 1e6, o->class->name);
    return PEN_OK;
}

/* Whether there will be room; *held: bytes beside it. */
static bool has_room(pen_context *ctx, const pen__later *later, double *held)
{
    *held = (double)pen_context_memory(ctx) - (double)later->passing;
    return !later->bytes || !pen__memory_limit(ctx) || *held + (double)later->bytes <= (double)pen__memory_limit(ctx);
}

/* Called once what the model holds is there; where it is fitted at once, which is soon over, before that. */
static pen_status hold_later(pen_context *ctx, const pen__fit_options *o, pen_error *error)
{
    double held, limit = (double)pen__memory_limit(ctx) / 1e6;
    PEN_CHECK(has_room(ctx, &o->completion, &held), PEN_E_MEMORY,
              "%s needs about %.1f MB for the %s that it is kept with, beside the %.1f MB held then, past the limit of "
              "%.1f MB; raise --memory%s",
              o->class->name, (double)o->completion.bytes / 1e6,
              o->with_history ? "ids, histories and table" : "ids and table", held / 1e6, limit,
              o->with_history ? " or leave the histories out (--no-history)" : "");
    PEN_CHECK(has_room(ctx, &o->refit, &held), PEN_E_MEMORY,
              "%s needs about %.1f MB for its refit on training and validation, beside the %.1f MB held then, past the "
              "limit of %.1f MB; raise --memory, choose smaller parameters (penchant models %s) or fit once (--refit "
              "no)",
              o->class->name, (double)o->refit.bytes / 1e6, held / 1e6, limit, o->class->name);
    return PEN_OK;
}

static pen_status write_checkpoint(run *r, pen_error *error)
{
    r->written = pen__now();
    return pen__checkpoint_write(r->o->checkpoint, r->model, r->o->train->hash, &r->at, &r->last, &r->best,
                                 r->o->before, error);
}

/* What validation says of the model as it stands. */
static pen_status validate(run *r, double *metric, pen_error *error)
{
    pen__scores scores;
    PEN_TRY(pen__model_bind(r->model, error));
    PEN_TRY(pen__evaluate(r->model, r->o->valid, r->o->train, r->o->metric, 1, r->o->train->task, 0, r->o->seed,
                          &scores, error));
    *metric = scores.whole[0];
    pen__scores_free(&scores);
    return PEN_OK;
}

/* After an epoch that was no better: is it time? */
static void halve(run *r)
{
    pen__halvings *h = &r->at.halvings;
    int32_t since = r->at.best_epoch;
    if (h->n && h->epoch[h->n - 1] > since) since = h->epoch[h->n - 1];
    if (r->plateau && r->o->valid && h->n < PEN_HALVINGS && r->at.epoch - since >= r->plateau)
        h->epoch[h->n++] = r->at.epoch;
}

static int32_t halvings_before(const run *r, int32_t epoch)
{
    int32_t n = 0;
    while (n < r->at.halvings.n && r->at.halvings.epoch[n] <= epoch) n++;
    return n;
}

static void log_epoch(run *r, double seconds, double validation_seconds, bool best)
{
    pen__train_log_epoch(r->o->log, &(pen__logged_epoch){.phase = r->o->phase,
                                                         .epoch = r->at.epoch,
                                                         .loss = r->at.loss,
                                                         .metric = r->o->valid ? r->o->metric->name : NULL,
                                                         .validation = r->meter.report.metric,
                                                         .best = best,
                                                         .seconds = seconds,
                                                         .validation_seconds = validation_seconds,
                                                         .elapsed = pen__train_log_elapsed(r->o->log),
                                                         .told = &r->told});
}

/* Whether all of x is finite: 0 x is 0 then, and a NaN else. */
static bool all_finite(const float *x, int64_t n)
{
    float sum[8] = {0};
    int64_t e = 0;
    for (; e + 8 <= n; e += 8)
        for (int k = 0; k < 8; k++) sum[k] += 0.0f * x[e + k];
    for (; e < n; e++) sum[0] += 0.0f * x[e];
    for (int k = 1; k < 8; k++) sum[0] += sum[k];
    return sum[0] == 0.0f;
}

/* The last step's loss is of the weights before it: these are looked at, too. Cost: one pass over them. */
static pen_status check_finite(const run *r, double loss, pen_error *error)
{
    static const char *const help = "a smaller learning_rate or more regularization helps";
    const pen_model *m = r->model;
    if (!isfinite(loss))
        return pen__fail_at(error, PEN_E_DIVERGED, r->at.epoch, "%s diverged in epoch %d: its loss %s; %s",
                            r->o->class->name, r->at.epoch, pen__not_finite(loss), help);
    for (int32_t i = 0; i < m->n_tensors; i++) {
        const pen__state_tensor *t = &m->tensor[i];
        if (t->dtype == PEN_F32 && t->role == PEN_ROLE_PARAM && !all_finite(t->data, pen__state_elements(t)))
            return pen__fail_at(error, PEN_E_DIVERGED, r->at.epoch,
                                "%s diverged in epoch %d: '%s' has left the finite numbers; %s", r->o->class->name,
                                r->at.epoch, t->name, help);
    }
    return PEN_OK;
}

/* seconds: what the epoch took. */
static pen_status after_epoch(run *r, double loss, double seconds, pen_error *error)
{
    bool better = false;
    double ended = pen__now();
    r->at.epoch++;
    r->at.loss = loss;
    PEN_TRY(check_finite(r, loss, error));
    if (r->o->valid) {
        double metric;
        PEN_TRY(validate(r, &metric, error));
        better = r->at.best_epoch == 0 || isnan(r->at.best_metric) ||
                 (r->higher ? metric > r->at.best_metric : metric < r->at.best_metric);
        if (better) {
            PEN_TRY(pen__snapshot_take(&r->best, r->model, 1u << PEN_ROLE_PARAM, error));
            r->at.best_epoch = r->at.epoch;
            r->at.best_metric = metric;
        }
        r->meter.report.metric = metric;
    }
    halve(r);
    log_epoch(r, seconds, pen__now() - ended, better);
    if (r->o->checkpoint) {
        PEN_TRY(pen__snapshot_take(&r->last, r->model, ALL_ROLES, error));
        if (pen__now() - r->written >= r->o->checkpoint_seconds) PEN_TRY(write_checkpoint(r, error));
    }
    r->meter.report.loss = loss;
    return pen__meter_report(&r->meter, (int64_t)r->at.epoch * r->o->train->n_events, error);
}

static int stop_early(const run *r)
{
    return r->o->valid && r->patience > 0 && r->at.epoch - r->at.best_epoch >= r->patience;
}

static pen_status epochs(run *r, pen_error *error)
{
    const pen__fit_options *o = r->o;
    while (r->at.epoch < r->n_epochs && !stop_early(r)) {
        double loss = NAN;
        r->meter.report.epoch = r->at.epoch + 1;
        r->model->meter_from = (int64_t)r->at.epoch * o->train->n_events;
        double began = pen__now();
        r->model->halvings = halvings_before(r, r->at.epoch);
        r->told = (pen__told){(double)o->train->n_events, NAN, NAN, NAN, NAN, ""};
        PEN_TRY(o->class->epoch(r->model, o->train, r->at.epoch, &loss, error));
        double seconds = pen__now() - began;
        r->fitting += seconds;
        PEN_TRY(after_epoch(r, loss, seconds, error));
    }
    return PEN_OK;
}

/* Starts, or goes on from the checkpoint where there is one. */
static pen_status begin(run *r, pen_error *error)
{
    const pen__fit_options *o = r->o;
    double began = pen__now();
    PEN_TRY(o->class->begin(r->model, o->train, error));
    PEN_TRY(hold_later(r->model->ctx, o, error));
    if (o->n_pretrained) PEN_TRY(o->class->pretrain(r->model, o->train, o->pretrained, o->n_pretrained, error));
    r->fitting += pen__now() - began;
    if (o->checkpoint && o->resume) {
        int found;
        pen__position at;
        PEN_TRY(pen__checkpoint_peek(o->checkpoint, r->model, 0, &at, &found, error));
        if (found && at.phase == o->phase) {
            PEN_TRY(pen__checkpoint_peek(o->checkpoint, r->model, o->train->hash, &at, &found, error));
            PEN_TRY(pen__checkpoint_read(o->checkpoint, r->model, &r->at, &r->best, error));
            pen__train_log_resumed(o->log, o->phase, r->at.epoch);
            pen__say(r->model->ctx, PEN_LOG_INFO, "going on after epoch %d of '%s'", r->at.epoch, o->checkpoint);
        }
    }
    PEN_TRY(pen__model_bind(r->model, error));
    if (o->checkpoint) PEN_TRY(pen__snapshot_take(&r->last, r->model, ALL_ROLES, error));
    return PEN_OK;
}

uint64_t pen__pretrained_key(const pen_model *const *from, size_t n)
{
    uint64_t key = 0;
    for (size_t m = 0; m < n; m++)
        for (int32_t i = 0; i < from[m]->n_tensors; i++) {
            const pen__state_tensor *tensor = &from[m]->tensor[i];
            if (tensor->role != PEN_ROLE_PARAM) continue;
            const uint64_t next[2] = {key, pen__hash(tensor->data, pen__state_bytes(tensor))};
            key = pen__hash(next, sizeof next);
        }
    return key;
}

static pen_status fit_in_epochs(run *r, pen_error *error)
{
    const pen__fit_options *o = r->o;
    r->n_epochs = o->n_epochs > 0 ? o->n_epochs : (int32_t)pen__params_get(o->class, o->params, "epochs");
    r->patience = pen__params_has(o->class, "patience") ? (int32_t)pen__params_get(o->class, o->params, "patience") : 0;
    bool halves = o->class->net && (pen__schedule)pen__params_get(o->class, o->params, "schedule") == PEN_RATE_PLATEAU;
    r->plateau = halves ? (int32_t)pen__params_get(o->class, o->params, "plateau") : 0;
    if (halves && !o->valid && !o->phase)
        pen__say(r->model->ctx, PEN_LOG_WARNING,
                 "%s: schedule=plateau has no validation to watch: the learning rate stays as it is", o->class->name);
    r->higher = !o->metric || (o->metric->kind != PEN_METRIC_RMSE && o->metric->kind != PEN_METRIC_MAE);
    r->meter = pen__meter_begin(r->model->ctx, o->phase ? "refit" : "train", "events",
                                (int64_t)r->n_epochs * o->train->n_events);
    r->meter.report.n_epochs = r->n_epochs;
    r->meter.report.metric_name = o->valid ? o->metric->name : NULL;
    r->model->meter = &r->meter;
    r->model->told = o->log ? &r->told : NULL;
    r->written = pen__now();
    pen_status status = begin(r, error);
    if (status == PEN_OK) status = epochs(r, error);
    if (status == PEN_E_CANCELLED && o->checkpoint && r->last.n) {
        pen__cancel_clear(r->model->ctx);
        pen_status wrote = write_checkpoint(r, error);
        if (wrote != PEN_OK) status = wrote;
    }
    if ((status == PEN_OK || status == PEN_E_CANCELLED) && r->at.best_epoch > 0)
        pen__snapshot_restore(&r->best, r->model);
    else if (status == PEN_E_CANCELLED && r->last.n)
        pen__snapshot_restore(&r->last, r->model);
    pen__meter_end(&r->meter, (int64_t)r->at.epoch * o->train->n_events);
    r->model->meter = NULL;
    r->model->told = NULL;
    return status;
}

static pen_status fit_at_once(run *r, pen_error *error)
{
    r->meter = pen__meter_begin(r->model->ctx, r->o->phase ? "refit" : "train", "events", r->o->train->n_events);
    r->model->meter = &r->meter;
    PEN_TRY(hold_later(r->model->ctx, r->o, error));
    double began = pen__now();
    PEN_TRY(r->o->class->fit(r->model, r->o->train, error));
    r->fitting = pen__now() - began;
    pen__meter_end(&r->meter, r->o->train->n_events);
    r->model->meter = NULL;
    return PEN_OK;
}

static void report_to(const run *r, pen__fit_report *report, double began, pen_status status)
{
    *report = (pen__fit_report){.epochs = r->at.epoch,
                                .best_epoch = r->o->valid ? r->at.best_epoch : r->at.epoch,
                                .best_metric = r->o->valid && r->at.best_epoch ? r->at.best_metric : NAN,
                                .loss = r->at.loss,
                                .seconds = pen__now() - began,
                                .fit_seconds = r->fitting,
                                .cancelled = status == PEN_E_CANCELLED,
                                .halvings = r->at.halvings};
}

pen_status pen__fit(pen_context *ctx, const pen__fit_options *o, pen_model **model, pen__fit_report *report,
                    pen_error *error)
{
    run r = {.o = o,
             .at = {.phase = o->phase,
                    .chosen = o->chosen,
                    .chosen_metric = o->chosen_metric,
                    .halvings = o->halvings,
                    .best_metric = NAN,
                    .loss = NAN}};
    double began = pen__now();
    *model = NULL;
    PEN_CHECK(o->train->n_events > 0, PEN_E_INPUT,
              "nothing to learn from: no training event is left after the filters and the split");
    PEN_TRY(say_memory(ctx, o, error));
    PEN_TRY(pen__model_new(ctx, o->class, o->params, o->train, o->seed, &r.model, error));
    r.model->pretrained = pen__pretrained_key(o->pretrained, o->n_pretrained);
    pen_status status = o->class->fit ? fit_at_once(&r, error) : fit_in_epochs(&r, error);
    r.model->meter = NULL;
    report_to(&r, report, began, status);
    int usable = status == PEN_OK || (status == PEN_E_CANCELLED && r.at.epoch > 0);
    if (usable) {
        pen_status bound = pen__model_bind(r.model, error);
        if (bound != PEN_OK) status = bound, usable = 0;
    }
    if (usable)
        *model = r.model;
    else
        pen__model_free(r.model);
    pen__snapshot_free(&r.best);
    pen__snapshot_free(&r.last);
    return status;
}
