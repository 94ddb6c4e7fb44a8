/* Help, man pages and completion, all from the tables. */
#ifndef PEN_CLI_HELP_H
#define PEN_CLI_HELP_H

#include "cli.h"

void help_all(FILE *out);
void help_command(const command *command, FILE *out);

/* `penchant --generate man|man-VERB|bash|zsh|fish|options`: for the build. */
int help_generate(const char *what);

/* The word nearest to `asked`, or NULL. */
const char *nearest_word(const char *asked, const char *const *words, size_t n);

#endif
