/* The network of a model (penchant/query.h, pen_model_plan) for people and as CSV. */
#ifndef PEN_CLI_PLAN_TABLE_H
#define PEN_CLI_PLAN_TABLE_H

#include "cli.h"

/* Prints the plan as the call asks: tables, CSV of the ops, or the JSON that it is. Returns an exit status. */
int plan_show(const call *c, const char *json);

#endif
