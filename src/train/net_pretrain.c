/* Starting from another model's weights. O(bytes of the tables), a look-up of each id. */
#include "train/net_pretrain.h"

#include <string.h>

#include "base/progress.h"
#include "rank/catalogue.h"

pen_status pen__pretrain_same_params(const pen_model *model, const pen_model *from, const char *names, pen_error *error)
{
    char name[64];
    for (const char *at = names; *at;) {
        size_t n = strcspn(at, " ");
        memcpy(name, at, n);
        name[n] = 0;
        at += n + (at[n] == ' ');
        double own = pen__param(model, name), other = pen__param(from, name);
        PEN_CHECK(own == other, PEN_E_ARGUMENT,
                  "the %s model that %s is to start from has %s=%g, and %s has %s=%g; they must be the same (-p %s=%g)",
                  from->class->name, model->class->name, name, other, model->class->name, name, own, name, other);
    }
    return PEN_OK;
}

/* Both tensors, (rows, cols) of floats each. */
static pen_status get_both(const pen_model *model, const char *into, const pen_model *from, const char *source,
                           int64_t *to_dims, float **to, int64_t *from_dims, const float **data, pen_error *error)
{
    PEN_TRY(pen__model_get(model, into, PEN_F32, -1, -1, 0, to_dims, to, error));
    return pen__model_get(from, source, PEN_F32, -1, -1, 0, from_dims, data, error);
}

static pen_status copy_rows(pen_model *model, const char *into, const pen__strings *ids, const int32_t *number,
                            int64_t n, const char *what, const pen_model *from, const pen__strings *from_ids,
                            const char *source, pen_error *error)
{
    float *to;
    const float *data;
    int64_t to_dims[3], dims[3], found = 0;
    PEN_TRY(get_both(model, into, from, source, to_dims, &to, dims, &data, error));
    PEN_CHECK(to_dims[0] == n && dims[0] == from_ids->n && dims[1] == to_dims[1], PEN_E_ARGUMENT,
              "%s of the %s model is (%lld, %lld), and %s of %s is (%lld, %lld)", source, from->class->name,
              (long long)dims[0], (long long)dims[1], into, model->class->name, (long long)to_dims[0],
              (long long)to_dims[1]);
    for (int64_t r = 0; r < n; r++) {
        int32_t row = pen__strings_find(from_ids, pen__strings_at(ids, number[r]));
        if (row < 0) continue;
        memcpy(to + r * dims[1], data + row * dims[1], (size_t)dims[1] * sizeof *to);
        found++;
    }
    PEN_CHECK(found > 0, PEN_E_ARGUMENT,
              "the %s model that %s is to start from knows none of the %lld %s; was it trained on another log?",
              from->class->name, model->class->name, (long long)n, what);
    pen__say(model->ctx, found < n ? PEN_LOG_INFO : PEN_LOG_DEBUG, "%s: %lld of %lld %s start from the %s model",
             model->class->name, (long long)found, (long long)n, what, from->class->name);
    return PEN_OK;
}

pen_status pen__pretrain_users(pen_model *model, const char *into, const pen__train *train, const pen_model *from,
                               const char *source, pen_error *error)
{
    return copy_rows(model, into, &train->data->users, train->data_user, train->n_users, "users", from,
                     &from->catalogue->users, source, error);
}

pen_status pen__pretrain_items(pen_model *model, const char *into, const pen__train *train, const pen_model *from,
                               const char *source, pen_error *error)
{
    return copy_rows(model, into, &train->data->items, train->data_item, train->n_items, "items", from,
                     &from->catalogue->items, source, error);
}

static pen_status take(pen_model *model, const char *into, int64_t at, const pen_model *from, const char *source,
                       double factor, bool adds, pen_error *error)
{
    float *to;
    const float *data;
    int64_t to_dims[3], dims[3];
    PEN_TRY(get_both(model, into, from, source, to_dims, &to, dims, &data, error));
    PEN_CHECK(dims[0] == to_dims[0] && at + dims[1] <= to_dims[1], PEN_E_ARGUMENT,
              "%s of the %s model is (%lld, %lld) and does not fit into %s of %s, which is (%lld, %lld)", source,
              from->class->name, (long long)dims[0], (long long)dims[1], into, model->class->name,
              (long long)to_dims[0], (long long)to_dims[1]);
    for (int64_t r = 0; r < dims[0]; r++)
        for (int64_t c = 0; c < dims[1]; c++) {
            float *cell = to + r * to_dims[1] + at + c, value = (float)(factor * (double)data[r * dims[1] + c]);
            *cell = adds ? *cell + value : value;
        }
    return PEN_OK;
}

pen_status pen__pretrain_weight(pen_model *model, const char *into, int64_t at, const pen_model *from,
                                const char *source, double factor, pen_error *error)
{
    return take(model, into, at, from, source, factor, false, error);
}

pen_status pen__pretrain_add_weight(pen_model *model, const char *into, const pen_model *from, const char *source,
                                    double factor, pen_error *error)
{
    return take(model, into, 0, from, source, factor, true, error);
}
