/* Models in files (.pen, kind "model"): state, catalogue, and how it was made. docs/formats/pen.md. */
#ifndef PEN_RANK_MODEL_FILE_H
#define PEN_RANK_MODEL_FILE_H

#include "rank/model.h"
#include "store/container.h"

enum { PEN__MODEL_VERSION = 1 };

/* Writes aside, syncs, renames. The model needs its catalogue. */
pen_status pen__model_write(const pen_model *model, const char *path, pen_error *error);

/* Maps, validates everything (ids in range, finite numbers, offsets, shapes), binds. */
pen_status pen__model_read(pen_context *ctx, const char *path, pen_model **model, pen_error *error);

/* The same out of an open container of kind "model", which the model closes when it is freed; closed here on failure
 * too. */
pen_status pen__model_from_container(pen_context *ctx, pen__container *container, pen_model **model, pen_error *error);

#endif
