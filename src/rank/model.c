/* What every model shares: named tensors, binding, making and freeing. Cost: what the tensors hold. */
#include "rank/model.h"

#include <assert.h>
#include <string.h>

#include "base/progress.h"
#include "rank/catalogue.h"
#include "rank/rank.h"

size_t pen__state_type_size(int dtype)
{
    assert(dtype >= PEN_U8 && dtype <= PEN_F64);
    return pen__dtype_size((pen__dtype)dtype);
}

int64_t pen__state_elements(const pen__state_tensor *tensor)
{
    int64_t n = 1;
    for (int i = 0; i < tensor->n_dims; i++) n *= tensor->dim[i];
    return n;
}

size_t pen__state_bytes(const pen__state_tensor *tensor)
{
    return (size_t)pen__state_elements(tensor) * pen__state_type_size(tensor->dtype);
}

pen_status pen__model_new(pen_context *ctx, const pen__model_class *class, const pen__params *params,
                          const pen__train *train, uint64_t seed, pen_model **out, pen_error *error)
{
    pen_model *model;
    *out = NULL;
    PEN_TRY(PEN_NEW_ZERO(ctx, model, 1));
    model->ctx = ctx;
    model->class = class;
    model->params = *params;
    model->seed = seed;
    if (train) {
        model->n_users = train->n_users;
        model->n_items = train->n_items;
        model->task = train->task;
        model->mean = train->mean;
        model->least = train->least;
        model->most = train->most;
        model->train = train;
    }
    model->state = pen__calloc(ctx, 1, class->state_size ? class->state_size : 1);
    if (!model->state) {
        pen__model_free(model);
        return pen__fail(error, PEN_E_MEMORY, "out of memory for a model");
    }
    *out = model;
    return PEN_OK;
}

void pen__model_free(pen_model *model)
{
    if (!model) return;
    pen_context *ctx = model->ctx;
    pen__ranker_close(model->ranker);
    if (model->bound && model->class->unbind) model->class->unbind(model);
    if (!model->container)
        for (int i = 0; i < model->n_tensors; i++) pen__free(ctx, model->tensor[i].data);
    pen__free(ctx, model->tensor);
    pen__free(ctx, model->state);
    pen__catalogue_free(model->catalogue);
    pen__free(ctx, model->about);
    if (model->container) model->close_container(model->container);
    pen__free(ctx, model);
}

pen__state_tensor *pen__model_tensor(const pen_model *model, const char *name)
{
    for (int i = 0; i < model->n_tensors; i++)
        if (!strcmp(model->tensor[i].name, name)) return &model->tensor[i];
    return NULL;
}

pen_status pen__model_add(pen_model *model, const char *name, int dtype, int role, int64_t d0, int64_t d1, int64_t d2,
                          void *data_out, pen_error *error)
{
    assert(strlen(name) < sizeof model->tensor->name && !pen__model_tensor(model, name) && !model->container);
    pen__state_tensor tensor = {.dtype = dtype, .role = role, .dim = {d0, d1, d2}};
    memcpy(tensor.name, name, strlen(name) + 1);
    while (tensor.n_dims < 3 && (tensor.n_dims == 0 || tensor.dim[tensor.n_dims])) tensor.n_dims++;
    size_t elements = 1;
    for (int i = 0; i < tensor.n_dims; i++)
        PEN_CHECK(pen__mul(elements, (size_t)tensor.dim[i], &elements), PEN_E_LIMIT, "%s: tensor %s is too large",
                  model->class->name, name);
    size_t cap = (size_t)model->n_tensors;
    PEN_TRY(PEN_GROW(model->ctx, model->tensor, &cap, (size_t)model->n_tensors + 1));
    PEN_TRY(pen__new(model->ctx, &tensor.data, elements, pen__state_type_size(dtype), true, error));
    model->tensor[model->n_tensors++] = tensor;
    if (data_out) memcpy(data_out, &tensor.data, sizeof tensor.data);
    return PEN_OK;
}

pen_status pen__model_get(const pen_model *model, const char *name, int dtype, int64_t d0, int64_t d1, int64_t d2,
                          int64_t *dims_out, void *data_out, pen_error *error)
{
    const pen__state_tensor *tensor = pen__model_tensor(model, name);
    PEN_CHECK(tensor, PEN_E_FORMAT, "model %s: tensor '%s' is missing", model->class->name, name);
    PEN_CHECK(tensor->dtype == dtype, PEN_E_FORMAT, "model %s: tensor '%s' has an unexpected type", model->class->name,
              name);
    const int64_t want[3] = {d0, d1, d2};
    int n_dims = d1 && d2 ? 3 : d1 ? 2 : 1;
    PEN_CHECK(tensor->n_dims == n_dims, PEN_E_FORMAT, "model %s: tensor '%s' has %d dimensions where %d belong",
              model->class->name, name, tensor->n_dims,
              n_dims); /* a size of 0 behind the last one that belongs would leave no elements */
    for (int i = 0; i < 3; i++) {
        int64_t dim = i < tensor->n_dims ? tensor->dim[i] : 0;
        PEN_CHECK(want[i] < 0 || want[i] == dim, PEN_E_FORMAT,
                  "model %s: tensor '%s' has %lld in dimension %d where %lld belong", model->class->name, name,
                  (long long)dim, i, (long long)want[i]);
        if (dims_out) dims_out[i] = dim;
    }
    memcpy(data_out, &tensor->data, sizeof tensor->data);
    return PEN_OK;
}

pen_status pen__model_bind(pen_model *model, pen_error *error)
{
    if (model->bound && model->class->unbind) model->class->unbind(model);
    model->bound = 0;
    memset(model->state, 0, model->class->state_size);
    pen_status status = model->class->bind ? model->class->bind(model, error) : PEN_OK;
    if (status != PEN_OK && model->class->unbind) model->class->unbind(model);
    model->bound = status == PEN_OK;
    return status;
}

pen_status pen__model_tick(pen_model *model, int64_t done, pen_error *error)
{
    return model->meter ? pen__meter_tick(model->meter, model->meter_from + done, error) : PEN_OK;
}
