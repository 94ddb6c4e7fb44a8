/* Rendering that more than one command uses beside what cli.h declares. */
#ifndef PEN_CLI_RENDER_H
#define PEN_CLI_RENDER_H

#include "cli.h"

/* As a table for people or as CSV, as the call asks. */
void table_show(const call *c, table *t);

#endif
