/* How a log was read, for people. */
#ifndef PEN_CLI_NOTES_H
#define PEN_CLI_NOTES_H

#include "cli.h"

/* The form, the columns, what was odd, and five rows as they were understood. */
void notes_print(const call *c, const pen_dataset *log, FILE *out);

/* One warning for each kind of bad row that was passed over. */
void notes_warn(const call *c, const pen_dataset *log);

#endif
