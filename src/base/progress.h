/* Log and progress: silent unless the context has callbacks.
 *
 *     pen__meter meter = pen__meter_begin(ctx, "read", "rows", total);
 *     PEN_TRY(pen__meter_tick(&meter, done, error));      // cheap: calls back at most ten times a second
 *     pen__meter_end(&meter, done);
 */
#ifndef PEN_BASE_PROGRESS_H
#define PEN_BASE_PROGRESS_H

#include "base/error.h"
#include "penchant/context.h"

typedef struct pen__meter {
    pen_context *ctx;
    pen_progress report; /* epoch, loss, metric may be set by the owner before a tick */
    double began, last;
} pen__meter;

/* Seconds on a clock that only rises. */
double pen__now(void);

pen__meter pen__meter_begin(pen_context *ctx, const char *stage, const char *unit, int64_t total);

/* Reports when a tenth of a second has passed since the last report. PEN_E_CANCELLED when the callback asked for it.
 * From the calling thread of the work only: a shard uses it when its worker is 0. */
pen_status pen__meter_tick(pen__meter *meter, int64_t done, pen_error *error);

/* Reports at once (an epoch's end). */
pen_status pen__meter_report(pen__meter *meter, int64_t done, pen_error *error);

/* The last report. Its answer does not cancel: the work is done. */
void pen__meter_end(pen__meter *meter, int64_t done);

void pen__say(pen_context *ctx, pen_log_level level, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Whether the context was cancelled; and forgetting it, where a public call begins. */
int pen__cancelled(const pen_context *ctx);
void pen__cancel_clear(pen_context *ctx);

#endif
