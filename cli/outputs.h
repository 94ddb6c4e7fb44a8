/* Files that a call writes, looked at before the work begins. */
#ifndef PEN_CLI_OUTPUTS_H
#define PEN_CLI_OUTPUTS_H

#include "cli.h"

/* That -o and --plot can be written and are none of the files that the call reads; else says why not. Returns an exit
 * status. */
int outputs_check(const call *c);

#endif
