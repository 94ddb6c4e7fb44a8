/* Parts of a model as text or NumPy arrays: for other programs. */
#ifndef PEN_RANK_EXPORT_H
#define PEN_RANK_EXPORT_H

#include "rank/model.h"

/* As pen_export; the model has its catalogue. */
pen_status pen__export(const pen_model *model, const char *what, const char *path, int32_t n, pen_error *error);

#endif
