/* What answers read of users or items that is not a table's rows as they are: vectors that the network computes,
 * directions (cosine), and what a first layer makes of an item (pen__layer_product). They are tensors, made anew after
 * each epoch, so that what keeps the best epoch keeps them; and after one that is broken off, so that they are of the
 * weights that are left. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "train/net.h"

enum { GRAIN = 1024, BLOCK = 64 };

static pen_status find_some_directions(void *arg, int64_t shard, int worker, pen_error *error)
{
    const pen__net *net = arg;
    const pen__embedding *table = &net->plan->table[net->item_table];
    (void)worker, (void)error;
    int64_t end = pen__least(table->rows, (shard + 1) * GRAIN), width = table->width;
    for (int64_t r = shard * GRAIN; r < end; r++) {
        const float *from = table->data + r * width;
        double length = sqrt((double)pen__deep_kern()->dot(from, from, width));
        float by = (float)(1 / fmax(length, 1e-12));
        for (int64_t k = 0; k < width; k++) net->kept.row[r * width + k] = from[k] * by;
    }
    return PEN_OK;
}

static pen_status find_directions(const pen_model *model, pen_error *error)
{
    pen__net *net = model->state;
    return pen__net_finish(model->ctx, pen__shards(model->n_items, GRAIN), find_some_directions, net, error);
}

/* Takes their mean from n rows. Vectors that all point one way, as layers of positive numbers do, say who is like whom
 * only then. */
static void center(float *row, int64_t n, int64_t width, float *mean)
{
    double sum[BLOCK];
    for (int64_t from = 0; from < width; from += BLOCK) { /* columns that share cache lines */
        int64_t some = pen__least(width - from, BLOCK);
        memset(sum, 0, sizeof sum);
        for (int64_t r = 0; r < n; r++)
            for (int64_t k = 0; k < some; k++) sum[k] += (double)row[r * width + from + k];
        for (int64_t k = 0; k < some; k++) mean[from + k] = (float)(sum[k] / (double)n);
        for (int64_t r = 0; r < n; r++)
            for (int64_t k = 0; k < some; k++) row[r * width + from + k] -= mean[from + k];
    }
}

/* ---- products ---------------------------------------------------------------------------------------------------- */

static pen_status find_some_products(void *arg, int64_t shard, int worker, pen_error *error)
{
    const pen__net *net = arg;
    const pen__embedding *table = &net->plan->table[net->layered];
    (void)worker, (void)error;
    pen__layer_product(net->plan, net->layered, shard * GRAIN, pen__least(table->rows, (shard + 1) * GRAIN),
                       table->product);
    return PEN_OK;
}

static pen_status find_products(const pen_model *model, pen_error *error)
{
    pen__net *net = model->state;
    if (net->layered < 0 || !net->plan->table[net->layered].product) return PEN_OK;
    return pen__net_finish(model->ctx, pen__shards(model->n_items, GRAIN), find_some_products, net, error);
}

/* Their tensor: that of the table, "NAME.layer". */
static void products_name(const pen__net *net, char *out, size_t size)
{
    snprintf(out, size, "%.40s.layer", net->plan->table[net->layered].name);
}

static pen_status add_products(pen_model *model, const pen__net *net, pen_error *error)
{
    char name[48];
    int32_t width = pen__layer_width(net->plan, net->layered);
    if (!width) return PEN_OK;
    products_name(net, name, sizeof name);
    return pen__model_add(model, name, PEN_F32, PEN_ROLE_PARAM, model->n_items, width, 0, NULL, error);
}

static pen_status bind_products(pen_model *model, pen__net *net, pen_error *error)
{
    char name[48];
    int32_t width = pen__layer_width(net->plan, net->layered);
    if (!width) return PEN_OK;
    products_name(net, name, sizeof name);
    if (!pen__model_tensor(model, name)) return PEN_OK; /* a model from before they were kept */
    return pen__model_get(model, name, PEN_F32, model->n_items, width, 0, NULL, &net->plan->table[net->layered].product,
                          error);
}

/* ---- all that is kept -------------------------------------------------------------------------------------------- */

int32_t pen__net_kept_width(const pen__net *net)
{
    if (!net->kept.name) return 0;
    return net->kept.node >= 0 ? net->plan->node[net->kept.node].width : net->plan->table[net->item_table].width;
}

int64_t pen__net_kept_rows(const pen_model *model, const pen__net *net)
{
    return net->kept.side == PEN_SIDE_USER ? model->n_users : model->n_items;
}

int64_t pen__net_kept_reals(const pen_model *model, const pen__net *net)
{
    return pen__net_kept_rows(model, net) * pen__net_kept_width(net) +
           (int64_t)model->n_items * pen__layer_width(net->plan, net->layered);
}

pen_status pen__net_kept_add(pen_model *model, const pen__net *net, pen_error *error)
{
    const pen__kept *kept = &net->kept;
    int32_t width = pen__net_kept_width(net);
    PEN_TRY(add_products(model, net, error));
    if (!width) return PEN_OK;
    if (kept->mean_name)
        PEN_TRY(pen__model_add(model, kept->mean_name, PEN_F32, PEN_ROLE_PARAM, width, 0, 0, NULL, error));
    return pen__model_add(model, kept->name, PEN_F32, PEN_ROLE_PARAM, pen__net_kept_rows(model, net), width, 0, NULL,
                          error);
}

pen_status pen__net_kept_bind(pen_model *model, pen_error *error)
{
    pen__net *net = model->state;
    pen__kept *kept = &net->kept;
    int32_t width = pen__net_kept_width(net);
    PEN_TRY(bind_products(model, net, error));
    if (!width) return PEN_OK;
    if (kept->mean_name)
        PEN_TRY(pen__model_get(model, kept->mean_name, PEN_F32, width, 0, 0, NULL, &kept->mean, error));
    return pen__model_get(model, kept->name, PEN_F32, pen__net_kept_rows(model, net), width, 0, NULL, &kept->row,
                          error);
}

pen_status pen__net_kept_find(const pen_model *model, const pen__train *train, pen_error *error)
{
    const pen__net *net = model->state;
    const pen__net_class *class = model->class->net;
    const pen__kept *kept = &net->kept;
    int64_t n = pen__net_kept_rows(model, net);
    PEN_TRY(find_products(model, error));
    if (!kept->name) return PEN_OK;
    if (kept->node < 0) {
        PEN_TRY(find_directions(model, error));
    } else {
        const pen__seen seen = {.node = kept->node, .n = n, .size = class->size_kept, .fill = class->fill_kept};
        PEN_TRY(pen__net_see(model, train, &seen, kept->row, error));
    }
    if (kept->mean) center(kept->row, n, pen__net_kept_width(net), kept->mean);
    return PEN_OK;
}

int32_t pen__net_compared(pen__net *net, int32_t vector) { return net->cosine ? pen__unit(net->plan, vector) : vector; }
