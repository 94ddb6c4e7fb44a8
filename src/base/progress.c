/* Log and progress through the context's callbacks, at most about ten times a second. */
#include "base/progress.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/context_impl.h"

double pen__now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

pen__meter pen__meter_begin(pen_context *ctx, const char *stage, const char *unit, int64_t total)
{
    pen__meter meter = {.ctx = ctx, .began = pen__now()};
    meter.report = (pen_progress){
        .struct_size = sizeof(pen_progress), .stage = stage, .unit = unit, .total = total, .loss = NAN, .metric = NAN};
    meter.last = meter.began;
    return meter;
}

static int call(pen__meter *meter, int64_t done, double now)
{
    meter->last = now;
    meter->report.done = done;
    meter->report.seconds = now - meter->began;
    meter->report.memory_bytes = pen_context_memory(meter->ctx);
    return meter->ctx->progress(meter->ctx->user, &meter->report);
}

pen_status pen__meter_report(pen__meter *meter, int64_t done, pen_error *error)
{
    pen_context *ctx = meter->ctx;
    if (ctx->progress && call(meter, done, pen__now())) atomic_store(&ctx->cancelled, 1);
    if (atomic_load(&ctx->cancelled))
        return pen__fail(error, PEN_E_CANCELLED, "cancelled while in stage '%s'", meter->report.stage);
    return PEN_OK;
}

pen_status pen__meter_tick(pen__meter *meter, int64_t done, pen_error *error)
{
    if (!meter->ctx->progress || pen__now() - meter->last < 0.1) return PEN_OK;
    return pen__meter_report(meter, done, error);
}

void pen__meter_end(pen__meter *meter, int64_t done)
{
    if (meter->ctx->progress) call(meter, done, pen__now());
}

void pen__say(pen_context *ctx, pen_log_level level, const char *format, ...)
{
    if (!ctx->log) return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ctx->log(ctx->user, level, text);
}

int pen__cancelled(const pen_context *ctx) { return atomic_load(&((pen_context *)(uintptr_t)ctx)->cancelled); }
void pen__cancel_clear(pen_context *ctx) { atomic_store(&ctx->cancelled, 0); }
