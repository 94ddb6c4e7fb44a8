/* penchant export: parts of a model as text or NumPy arrays. */
#include <string.h>

#include "asking.h"

static int run(call *c)
{
    asking a;
    pen_error error = {0};
    const char *what = c->what ? c->what : "item-vectors", *path = c->output ? c->output : "-";
    if (!strcmp(what, "tensors") && !c->output) return usage(c, "export --what tensors needs -o FOLDER");
    int status = asking_open(c, &a);
    if (status == EXIT_DONE && pen_export(a.query, what, path, (int32_t)c->n, &error) != PEN_OK) status = fail(&error);
    if (status == EXIT_DONE && c->output) say(c, "wrote %s: %s", path, what);
    asking_close(&a);
    return status;
}

const command export_command = {
    .name = "export",
    .arguments = "FILE.pen",
    .summary = "vectors, histories, neighbours and ids as text or NumPy",
    .more = "A path that ends in .npy gets NumPy's format, any other tab-separated text (standard output without -o). "
            "Where a model has biases, item\n"
            "vectors end with the bias and user vectors with 1: their inner product is the score. Rows are in the "
            "order of --what users, items.\n\n"
            "  penchant export model.pen --what items -o items.tsv\n"
            "  penchant export model.pen --what item-vectors -o items.npy\n"
            "  penchant export model.pen --what neighbours -n 20 -o neighbours.tsv\n"
            "  penchant export model.pen --what tensors -o folder",
    .groups = FOR_EXPORT | FOR_OUTPUT | FOR_N,
    .least = 1,
    .most = 1,
    .run = run,
};
