/* The models of --pretrain. */
#ifndef CLI_PRETRAINED_H
#define CLI_PRETRAINED_H

#include "cli.h"

typedef struct pretrained {
    pen_model **at; /* in the order of the call */
    size_t n;
} pretrained;

/* Opens them; an exit status. To be closed in any case. */
int pretrained_open(const call *c, pen_context *ctx, pretrained *out);
void pretrained_close(pretrained *models);

#endif
