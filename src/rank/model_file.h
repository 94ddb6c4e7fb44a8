/* Models in files (.pen, kind "model"): state, catalogue, and how it was made. docs/formats/pen.md. */
#ifndef PEN_RANK_MODEL_FILE_H
#define PEN_RANK_MODEL_FILE_H

#include "rank/model.h"

/* Writes aside, syncs, renames. The model needs its catalogue. */
pen_status pen__model_write(const pen_model *model, const char *path, pen_error *error);

/* Maps, validates everything (ids in range, finite numbers, offsets, shapes), binds. */
pen_status pen__model_read(pen_context *ctx, const char *path, pen_model **model, pen_error *error);

#endif
