/* What answers read of items that is not a table's rows as they are: vectors that the network computes, directions
 * (cosine), and what a first layer makes of an item (pen__layer_product). They are tensors, made anew after each epoch,
 * so that what keeps the best epoch keeps them; and after one that is broken off, so that they are of the weights that
 * are left. */
#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "train/net.h"

static const char TENSOR[] = "vectors";

enum { GRAIN = 1024 };

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
        for (int64_t k = 0; k < width; k++) net->vectors[r * width + k] = from[k] * by;
    }
    return PEN_OK;
}

static pen_status find_directions(const pen_model *model, pen_error *error)
{
    pen__net *net = model->state;
    return pen__net_finish(model->ctx, pen__shards(model->n_items, GRAIN), find_some_directions, net, error);
}

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

/* The products' tensor: that of the table, "NAME.layer". */
static void products_name(const pen__net *net, char *out, size_t size)
{
    snprintf(out, size, "%.40s.layer", net->plan->table[net->layered].name);
}

int32_t pen__net_items_width(const pen__net *net)
{
    if (net->item_vector >= 0) return net->plan->node[net->item_vector].width;
    return net->cosine ? net->plan->table[net->item_table].width : 0;
}

int32_t pen__net_items_reals(const pen__net *net)
{
    return pen__net_items_width(net) + pen__layer_width(net->plan, net->layered);
}

pen_status pen__net_items_add(pen_model *model, const pen__net *net, pen_error *error)
{
    char name[48];
    int32_t width = pen__net_items_width(net), layer = pen__layer_width(net->plan, net->layered);
    if (width) PEN_TRY(pen__model_add(model, TENSOR, PEN_F32, PEN_ROLE_PARAM, model->n_items, width, 0, NULL, error));
    if (!layer) return PEN_OK;
    products_name(net, name, sizeof name);
    return pen__model_add(model, name, PEN_F32, PEN_ROLE_PARAM, model->n_items, layer, 0, NULL, error);
}

pen_status pen__net_items_bind(pen_model *model, pen_error *error)
{
    char name[48];
    pen__net *net = model->state;
    int32_t width = pen__net_items_width(net), layer = pen__layer_width(net->plan, net->layered);
    if (width) PEN_TRY(pen__model_get(model, TENSOR, PEN_F32, model->n_items, width, 0, NULL, &net->vectors, error));
    if (!layer) return PEN_OK;
    products_name(net, name, sizeof name);
    if (!pen__model_tensor(model, name)) return PEN_OK; /* a model from before they were kept */
    return pen__model_get(model, name, PEN_F32, model->n_items, layer, 0, NULL, &net->plan->table[net->layered].product,
                          error);
}

pen_status pen__net_items_find(const pen_model *model, const pen__train *train, pen_error *error)
{
    const pen__net *net = model->state;
    const pen__net_class *class = model->class->net;
    const pen__seen items = {
        .node = net->item_vector, .n = model->n_items, .size = class->size_item, .fill = class->fill_item};
    PEN_TRY(find_products(model, error));
    if (net->item_vector >= 0) return pen__net_see(model, train, &items, net->vectors, error);
    return net->cosine ? find_directions(model, error) : PEN_OK;
}

int32_t pen__net_compared(pen__net *net, int32_t vector) { return net->cosine ? pen__unit(net->plan, vector) : vector; }
