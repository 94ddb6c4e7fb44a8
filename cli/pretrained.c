/* Models that others start from: opened before the log is read, since that takes longer. */
#include "pretrained.h"

#include <stdlib.h>

int pretrained_open(const call *c, pen_context *ctx, pretrained *out)
{
    pen_error error = {0};
    *out = (pretrained){calloc(c->pretrain.n + 1, sizeof(pen_model *)), 0};
    if (!out->at) return usage(c, "out of memory");
    for (; out->n < c->pretrain.n; out->n++)
        if (pen_model_open(ctx, c->pretrain.at[out->n], &out->at[out->n], &error) != PEN_OK) return fail(&error);
    return EXIT_DONE;
}

void pretrained_close(pretrained *models)
{
    for (size_t i = 0; i < models->n; i++) pen_model_destroy(models->at[i]);
    free(models->at);
}
