/* Made-up logs: see penchant/synth.h for the structures. */
#ifndef PEN_DATA_SYNTH_H
#define PEN_DATA_SYNTH_H

#include "base/file.h"
#include "data/dataset.h"
#include "penchant/synth.h"

enum pen__structure { PEN_SYNTH_BLOCKS = 0, PEN_SYNTH_DRIFT, PEN_SYNTH_CYCLE, PEN_SYNTH_POPULARITY };

/* Checked options and what is worked out from them. */
typedef struct pen__synth {
    int structure;
    int64_t events, users, items, groups;
    double noise, skew;
    uint64_t seed;
} pen__synth;

typedef struct pen__synth_event {
    int32_t user, item, value;
    int64_t time; /* seconds since 1970 */
} pen__synth_event;

pen_status pen__synth_check(const pen_synth_options *options, pen__synth *synth, pen_error *error);

/* Event number e. Thread-safe. */
pen__synth_event pen__synth_at(const pen__synth *synth, int64_t e);

pen_status pen__synth_text(pen_context *ctx, const pen__synth *synth, pen__writer *writer, pen_error *error);
pen_status pen__synth_dataset(pen_context *ctx, const pen__synth *synth, pen_dataset **dataset, pen_error *error);

#endif
