/* Lines of a training's log. Numbers that are not finite are left out: JSON has none. */
#include "train/train_log.h"

#include <math.h>
#include <string.h>

#include "base/append.h"
#include "base/memory.h"
#include "base/progress.h"

struct pen__train_log {
    pen_context *ctx;
    pen__append *append;
    double began;
    bool broken; /* a line could not be written: no more are tried */
};

pen_status pen__train_log_open(pen_context *ctx, const char *path, int keep, pen__train_log **log, pen_error *error)
{
    pen__train_log *made = NULL;
    *log = NULL;
    PEN_TRY(PEN_NEW_ZERO(ctx, made, 1));
    made->ctx = ctx, made->began = pen__now();
    pen_status status = pen__append_open(ctx, path, keep, &made->append, error);
    if (status == PEN_OK)
        *log = made;
    else
        pen__train_log_close(made);
    return status;
}

static void put_line(pen__train_log *log, const pen__text *line)
{
    pen_error error = {0};
    pen_status status = line->failed ? pen__fail(&error, PEN_E_MEMORY, "out of memory for a line")
                                     : pen__append_line(log->append, line->bytes, line->length, &error);
    if (status == PEN_OK) return;
    log->broken = true;
    pen__say(log->ctx, PEN_LOG_WARNING, "the training's log ends here: %.300s; the training goes on", error.message);
}

void pen__train_log_line(pen__train_log *log, const char *kind, pen__text *members)
{
    if (!log || log->broken) return;
    pen__text line = {.ctx = log->ctx};
    pen__text_printf(&line, "{\"line\": \"%s\"", kind);
    if (members->length) pen__text_puts(&line, ", ");
    if (members->length) pen__text_add(&line, members->bytes, members->length);
    pen__text_puts(&line, "}");
    line.failed |= members->failed;
    put_line(log, &line);
    pen__text_free(&line);
}

static void put_number(pen__text *out, const char *key, double value, const char *format)
{
    if (!isfinite(value)) return;
    pen__text_printf(out, ", \"%s\": ", key);
    pen__text_printf(out, format, value);
}

static const char *phase_name(int32_t phase) { return phase ? "refit" : "fit"; }

void pen__train_log_epoch(pen__train_log *log, const pen__logged_epoch *e)
{
    if (!log || log->broken) return;
    pen__text t = {.ctx = log->ctx};
    pen__text_printf(&t, "\"phase\": \"%s\", \"epoch\": %d", phase_name(e->phase), e->epoch);
    put_number(&t, "loss", e->loss, "%.9g");
    if (e->metric) {
        pen__text_puts(&t, ", \"metric\": ");
        pen__text_json(&t, e->metric, strlen(e->metric));
        put_number(&t, "validation", e->validation, "%.9g");
        pen__text_printf(&t, ", \"best\": %s", e->best ? "true" : "false");
        put_number(&t, "validation_seconds", e->validation_seconds, "%.4f");
    }
    put_number(&t, "seconds", e->seconds, "%.4f");
    put_number(&t, "examples", e->told->examples, "%.0f");
    if (e->seconds > 0) put_number(&t, "examples_per_second", e->told->examples / e->seconds, "%.0f");
    put_number(&t, "learning_rate", e->told->rate, "%.9g");
    put_number(&t, "gradient_norm", e->told->gradient, "%.6g");
    put_number(&t, "weight_norm", e->told->weights, "%.6g");
    put_number(&t, "embedding_norm", e->told->embeddings, "%.6g");
    if (*e->told->spent) pen__text_printf(&t, ", \"spent\": %s", e->told->spent);
    put_number(&t, "elapsed", e->elapsed, "%.3f");
    pen__train_log_line(log, "epoch", &t);
    pen__text_free(&t);
}

void pen__train_log_resumed(pen__train_log *log, int32_t phase, int32_t epoch)
{
    if (!log || log->broken) return;
    pen__text t = {.ctx = log->ctx};
    pen__text_printf(&t, "\"phase\": \"%s\", \"after_epoch\": %d", phase_name(phase), epoch);
    pen__train_log_line(log, "resume", &t);
    pen__text_free(&t);
}

double pen__train_log_elapsed(const pen__train_log *log) { return log ? pen__now() - log->began : 0; }

void pen__train_log_close(pen__train_log *log)
{
    if (!log) return;
    pen__append_close(log->append);
    pen__free(log->ctx, log);
}
