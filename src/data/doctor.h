/* What is in a log, what is wrong with it, what to do about it. */
#ifndef PEN_DATA_DOCTOR_H
#define PEN_DATA_DOCTOR_H

#include "data/interactions.h"

/* The report as a JSON object, its form in docs and in penchant/doctor.h. The protocol's filters and split are tried: a
 * split that fails is a finding, not a failure. `out` has its ctx set; what it held is kept. */
pen_status pen__doctor(const pen_dataset *dataset, const pen_protocol *protocol, pen__text *out, pen_error *error);

#endif
