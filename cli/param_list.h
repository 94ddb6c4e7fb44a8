/* Parameters of models from -p options: name=value, model.name=value, or @FILE.json. */
#ifndef PEN_CLI_PARAMS_H
#define PEN_CLI_PARAMS_H

#include "cli.h"

typedef struct params_list {
    const char **at;
    size_t n;
    char **owned; /* those that came from files */
    size_t n_owned;
} params_list;

int params_read(const call *c, params_list *out);
void params_free(params_list *params);

#endif
