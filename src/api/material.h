/* Public materials as the levels below take them. */
#ifndef PEN_API_MATERIAL_H
#define PEN_API_MATERIAL_H

#include "penchant/evaluate.h"
#include "train/experiment.h"

/* A log with its given validation and test joined behind it. *joined is what to destroy, or NULL. */
pen_status pen__material_join(const pen_material *from, pen__material *to, pen_dataset **joined, pen_error *error);

#endif
