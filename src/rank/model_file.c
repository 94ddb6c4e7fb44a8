/* Models in files. The state's tensors, the history and the counts stay in the mapped file; ids get an index in memory
 * (8 to 16 bytes an id). Every value is checked before the first use: floats are finite, numbers of items are in
 * range. */
#include "rank/model_file.h"

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/table_store.h"
#include "rank/catalogue.h"
#include "store/container.h"

static const char prefix[] = "state.";

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void put_state(pen__container_writer *w, const pen_model *model)
{
    for (int32_t i = 0; i < model->n_tensors; i++) {
        const pen__state_tensor *tensor = &model->tensor[i];
        char name[80];
        if (tensor->role != PEN_ROLE_PARAM) continue;
        snprintf(name, sizeof name, "%s%s", prefix, tensor->name);
        pen__container_put(w, name, (pen__dtype)tensor->dtype, tensor->n_dims, tensor->dim, tensor->data);
    }
}

static pen_status put_catalogue(pen__container_writer *w, const pen_model *model, pen_error *error)
{
    const struct pen__catalogue *c = model->catalogue;
    pen__container_put_strings(w, "user.ids", &c->users);
    pen__container_put_strings(w, "item.ids", &c->items);
    pen__container_put(w, "item.events", PEN_I64, 1, (int64_t[]){model->n_items}, c->item_events);
    if (c->history.begin) {
        int64_t n = c->history.begin[model->n_users];
        pen__container_put(w, "history.begin", PEN_I64, 1, (int64_t[]){model->n_users + 1}, c->history.begin);
        pen__container_put(w, "history.item", PEN_I32, 1, &n, c->history.column);
        pen__container_put(w, "history.value", PEN_F32, 1, &n, c->history.value);
    }
    return pen__table_put(model->ctx, w, "items", &c->item_table, error);
}

pen_status pen__model_write(const pen_model *model, const char *path, pen_error *error)
{
    pen__container_writer *w;
    pen__text params = {.ctx = model->ctx};
    char number[64];
    PEN_TRY(pen__container_begin(model->ctx, path, "model", PEN__MODEL_VERSION, &w, error));
    pen__params_json(model->class, &model->params, &params);
    if (params.failed) {
        pen__container_abort(w);
        pen__text_free(&params);
        return pen__fail(error, PEN_E_MEMORY, "out of memory writing '%s'", path);
    }
    pen__container_put_meta(w, "model", model->class->name);
    pen__container_put_meta(w, "params", params.bytes);
    pen__container_put_meta(w, "task", model->task == PEN_TASK_RATE ? "rate" : "rank");
    pen__container_put_meta(w, "about", model->about ? model->about : "{}");
    pen__container_put_int(w, "seed", (int64_t)model->seed);
    const double numbers[] = {model->mean, (double)model->least, (double)model->most};
    static const char *const names[] = {"mean", "least", "most"};
    for (int i = 0; i < 3; i++) {
        snprintf(number, sizeof number, "%.17g", numbers[i]);
        pen__container_put_meta(w, names[i], number);
    }
    pen__text_free(&params);
    put_state(w, model);
    pen_status status = put_catalogue(w, model, error);
    if (status != PEN_OK) {
        pen__container_abort(w);
        return status;
    }
    return pen__container_commit(w, error);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static pen_status get_number(const pen__container *c, const char *key, double *out, pen_error *error)
{
    const char *text = pen__container_meta(c, key);
    if (!text || !pen__parse_double(pen__span_of(text), out) || !isfinite(*out))
        return pen__container_unsound(c, error, "metadata '%s' is not a finite number", key);
    return PEN_OK;
}

/* One value of the params object as the text that pen__params_set takes. */
static pen_status set_param(const pen__container *c, const pen__model_class *class, pen__params *params,
                            const char *name, const json_t *value, pen_error *error)
{
    char text[64 + 2 * PEN_TEXT_PARAM_BYTES];
    if (json_is_string(value))
        snprintf(text, sizeof text, "%s=%.*s", name, 2 * PEN_TEXT_PARAM_BYTES - 2, json_string_value(value));
    else if (json_is_boolean(value))
        snprintf(text, sizeof text, "%s=%s", name, json_is_true(value) ? "yes" : "no");
    else if (json_is_number(value))
        snprintf(text, sizeof text, "%s=%.17g", name, json_number_value(value));
    else
        return pen__container_unsound(c, error, "metadata 'params' has a value that is neither number, text nor truth");
    pen_error inner = {0};
    if (pen__params_set(class, params, text, &inner) != PEN_OK)
        return pen__container_unsound(c, error, "metadata 'params': %.200s", inner.message);
    return PEN_OK;
}

static pen_status get_params(const pen__container *c, const pen__model_class *class, pen__params *params,
                             pen_error *error)
{
    const char *text = pen__container_meta(c, "params");
    json_t *object = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    pen_status status = PEN_OK;
    const char *name;
    json_t *value;
    pen__params_default(class, params);
    if (!json_is_object(object)) status = pen__container_unsound(c, error, "metadata 'params' is not a JSON object");
    if (status == PEN_OK)
        json_object_foreach (object, name, value)
            if (status == PEN_OK)
                status = strlen(name) < 64 ? set_param(c, class, params, name, value, error)
                                           : pen__container_unsound(c, error, "a parameter's name is too long");
    json_decref(object);
    return status;
}

static pen_status get_header(const pen__container *c, pen_context *ctx, pen_model **model, pen_error *error)
{
    const char *name = pen__container_meta(c, "model"), *task = pen__container_meta(c, "task"),
               *about = pen__container_meta(c, "about");
    const pen__model_class *class = name ? pen__model_class_find(name) : NULL;
    if (!name || !task || !about)
        return pen__container_unsound(c, error, "metadata 'model', 'task' or 'about' is missing");
    PEN_CHECK(class, PEN_E_UNSUPPORTED, "'%s' holds a model '%.60s', which this version of Penchant does not know",
              pen__container_path(c), name);
    pen__params params;
    double mean, least, most;
    int64_t seed;
    PEN_TRY(get_params(c, class, &params, error));
    PEN_TRY(get_number(c, "mean", &mean, error));
    PEN_TRY(get_number(c, "least", &least, error));
    PEN_TRY(get_number(c, "most", &most, error));
    if (fabs(mean) > FLT_MAX || fabs(least) > FLT_MAX || fabs(most) > FLT_MAX || least > most)
        return pen__container_unsound(
            c, error, "metadata 'mean', 'least' and 'most' (%g, %g, %g) are not those of values", mean, least, most);
    PEN_TRY(pen__container_meta_int(c, "seed", INT64_MIN, INT64_MAX, &seed, error));
    int rates = !strcmp(task, "rate");
    if ((!rates && strcmp(task, "rank")) || !(class->tasks >> (rates ? PEN_TASK_RATE : PEN_TASK_RANK) & 1))
        return pen__container_unsound(c, error, "metadata 'task' is '%.40s', which is not a task of %s", task,
                                      class->name);
    PEN_TRY(pen__model_new(ctx, class, &params, NULL, (uint64_t)seed, model, error));
    (*model)->mean = mean;
    (*model)->least = (float)least;
    (*model)->most = (float)most;
    (*model)->task = rates ? PEN_TASK_RATE : PEN_TASK_RANK;
    (*model)->about = pen__strndup((*model)->ctx, about, strlen(about));
    PEN_CHECK((*model)->about, PEN_E_MEMORY, "out of memory opening '%s'", pen__container_path(c));
    return PEN_OK;
}

/* The shared part of the checks on a state tensor: floats are finite. Ranges of numbers are the class's own (bind). */
static pen_status check_finite(const pen__container *c, const pen__stored *stored, pen_error *error)
{
    if (stored->dtype == PEN_F32) {
        const float *value = stored->data;
        for (int64_t i = 0; i < stored->n; i++)
            if (!isfinite(value[i]))
                return pen__container_unsound(c, error, "tensor '%s' holds a number that is not finite at %lld",
                                              stored->name, (long long)i);
    }
    if (stored->dtype == PEN_F64) {
        const double *value = stored->data;
        for (int64_t i = 0; i < stored->n; i++)
            if (!isfinite(value[i]))
                return pen__container_unsound(c, error, "tensor '%s' holds a number that is not finite at %lld",
                                              stored->name, (long long)i);
    }
    return PEN_OK;
}

static pen_status get_state(const pen__container *c, pen_model *model, pen_error *error)
{
    size_t cap = 0;
    for (size_t i = 0; i < pen__container_n_tensors(c); i++) {
        const pen__stored *stored = pen__container_tensor_at(c, i);
        if (strncmp(stored->name, prefix, sizeof prefix - 1)) continue;
        const char *name = stored->name + sizeof prefix - 1;
        pen__state_tensor tensor = {.dtype = (int32_t)stored->dtype, .role = PEN_ROLE_PARAM, .n_dims = stored->n_dims};
        if (strlen(name) >= sizeof tensor.name || stored->n_dims > 3)
            return pen__container_unsound(c, error, "tensor '%.80s' is not one of a model", stored->name);
        PEN_TRY(check_finite(c, stored, error));
        memcpy(tensor.name, name, strlen(name) + 1);
        memcpy(tensor.dim, stored->shape, sizeof tensor.dim);
        memcpy(&tensor.data, &stored->data, sizeof tensor.data); /* mapped: nobody writes */
        PEN_TRY(PEN_GROW(model->ctx, model->tensor, &cap, (size_t)model->n_tensors + 1));
        model->tensor[model->n_tensors++] = tensor;
    }
    return PEN_OK;
}

static pen_status get_history(const pen__container *c, pen_model *model, pen_error *error)
{
    pen__rows *history = &model->catalogue->history;
    const int64_t *begin;
    const int32_t *item;
    const float *value;
    if (!pen__container_find(c, "history.begin")) return PEN_OK;
    PEN_TRY(pen__container_offsets(c, "history.begin", model->n_users, PEN__ANY, &begin, error));
    int64_t n = begin[model->n_users];
    PEN_TRY(pen__container_ids(c, "history.item", 1, &n, 0, model->n_items, &item, error));
    PEN_TRY(pen__container_floats(c, "history.value", 1, &n, &value, error));
    history->n_rows = model->n_users;
    memcpy(&history->begin, &begin, sizeof begin);
    memcpy(&history->column, &item, sizeof item);
    memcpy(&history->value, &value, sizeof value);
    return model->task == PEN_TASK_RATE ? PEN_OK
                                        : pen__rows_liked(model->ctx, history, &model->catalogue->liked, error);
}

static pen_status get_catalogue(const pen__container *c, pen_model *model, pen_error *error)
{
    pen_context *ctx = model->ctx;
    PEN_TRY(PEN_NEW_ZERO(ctx, model->catalogue, 1));
    struct pen__catalogue *k = model->catalogue;
    const int64_t *events;
    k->ctx = k->users.ctx = k->items.ctx = ctx;
    k->item_table.title = -1;
    PEN_TRY(pen__container_strings(c, "user.ids", PEN__ANY, true, &k->users, error));
    PEN_TRY(pen__container_strings(c, "item.ids", PEN__ANY, true, &k->items, error));
    k->users.ctx = k->items.ctx = ctx;
    PEN_TRY(pen__strings_index(&k->users, error));
    PEN_TRY(pen__strings_index(&k->items, error));
    if (k->users.n < 1 || k->items.n < 1 || k->users.n >= INT32_MAX || k->items.n >= INT32_MAX)
        return pen__container_unsound(c, error, "there are %lld users and %lld items; 1 to %d of each are allowed",
                                      (long long)k->users.n, (long long)k->items.n, INT32_MAX - 1);
    model->n_users = (int32_t)k->users.n;
    model->n_items = (int32_t)k->items.n;
    PEN_TRY(pen__container_tensor(c, "item.events", PEN_I64, 1, (int64_t[]){model->n_items}, &events, error));
    for (int32_t i = 0; i < model->n_items; i++)
        if (events[i] < 0)
            return pen__container_unsound(c, error, "'item.events' holds %lld at %d", (long long)events[i], i);
    memcpy(&k->item_events, &events, sizeof events);
    PEN_TRY(get_history(c, model, error));
    return pen__table_get(c, ctx, "items", model->n_items, &k->item_table, error);
}

static void close_container(void *container) { pen__container_close(container); }

pen_status pen__model_from_container(pen_context *ctx, pen__container *c, pen_model **out, pen_error *error)
{
    pen_model *model = NULL;
    *out = NULL;
    pen_status status = get_header(c, ctx, &model, error);
    if (model) {
        model->container = c;
        model->close_container = close_container;
    }
    if (status == PEN_OK) status = get_catalogue(c, model, error);
    if (status == PEN_OK) status = get_state(c, model, error);
    if (status == PEN_OK) {
        status = pen__model_bind(model, error);
        if (status != PEN_OK) pen__error_prefix(error, "'%s': ", pen__container_path(c));
    }
    if (status == PEN_OK)
        *out = model;
    else if (model)
        pen__model_free(model);
    else
        pen__container_close(c);
    return status;
}

pen_status pen__model_read(pen_context *ctx, const char *path, pen_model **out, pen_error *error)
{
    pen__container *c;
    *out = NULL;
    PEN_TRY(pen__container_open(ctx, path, "model", PEN__MODEL_VERSION, 0, &c, error));
    return pen__model_from_container(ctx, c, out, error);
}
