/* A report: JSON text with an owner. */
#ifndef PEN_API_REPORT_H
#define PEN_API_REPORT_H

#include "base/text.h"
#include "penchant/evaluate.h"

struct pen_report {
    pen_context *ctx;
    pen__text text;
};

/* An empty report. */
pen_status pen__report_new(pen_context *ctx, pen_report **report, pen_error *error);

#endif
