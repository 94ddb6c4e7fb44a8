/* All of Penchant. */
#ifndef PENCHANT_PENCHANT_H
#define PENCHANT_PENCHANT_H

#include "penchant/context.h"
#include "penchant/dataset.h"
#include "penchant/doctor.h"
#include "penchant/evaluate.h"
#include "penchant/model.h"
#include "penchant/protocol.h"
#include "penchant/query.h"
#include "penchant/split.h"
#include "penchant/status.h"
#include "penchant/synth.h"

#endif
