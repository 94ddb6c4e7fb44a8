/* Checkpoints: a container with the tensors of the last epoch's end ("last.NAME"), those of the best epoch
 * ("best.NAME"), in a refit those of the model before it ("before.NAME"), and the position in its metadata. Doubles are
 * kept as hexadecimal, so that they come back to the bit. */
#include "train/checkpoint.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/container.h"

enum { VERSION = 1 };

/* ---- snapshots --------------------------------------------------------------------------------------------------- */

pen_status pen__snapshot_take(pen__snapshot *s, const pen_model *model, unsigned roles, pen_error *error)
{
    if (!s->data) {
        s->ctx = model->ctx;
        PEN_TRY(PEN_NEW_ZERO(s->ctx, s->data, model->n_tensors ? model->n_tensors : 1));
        s->n = model->n_tensors;
    }
    for (int32_t i = 0; i < s->n; i++) {
        const pen__state_tensor *tensor = &model->tensor[i];
        if (!(roles >> tensor->role & 1)) continue;
        size_t bytes = pen__state_bytes(tensor);
        if (!s->data[i]) PEN_TRY(pen__new(s->ctx, &s->data[i], bytes, 1, false, error));
        if (bytes) memcpy(s->data[i], tensor->data, bytes);
    }
    return PEN_OK;
}

void pen__snapshot_restore(const pen__snapshot *s, pen_model *model)
{
    for (int32_t i = 0; i < s->n; i++) {
        size_t bytes = pen__state_bytes(&model->tensor[i]);
        if (s->data[i] && bytes) memcpy(model->tensor[i].data, s->data[i], bytes);
    }
}

void pen__snapshot_free(pen__snapshot *s)
{
    for (int32_t i = 0; i < s->n; i++) pen__free(s->ctx, s->data[i]);
    pen__free(s->ctx, s->data);
    *s = (pen__snapshot){0};
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void put_double(pen__container_writer *w, const char *key, double value)
{
    char text[64];
    snprintf(text, sizeof text, "%a", value);
    pen__container_put_meta(w, key, text);
}

static void put_snapshot(pen__container_writer *w, const char *prefix, const pen_model *model,
                         const pen__snapshot *snapshot)
{
    for (int32_t i = 0; i < snapshot->n; i++) {
        const pen__state_tensor *tensor = &model->tensor[i];
        char name[80];
        if (!snapshot->data[i]) continue;
        snprintf(name, sizeof name, "%s.%s", prefix, tensor->name);
        pen__container_put(w, name, (pen__dtype)tensor->dtype, tensor->n_dims, tensor->dim, snapshot->data[i]);
    }
}

static void put_before(pen__container_writer *w, const pen_model *before)
{
    for (int32_t i = 0; i < before->n_tensors; i++) {
        const pen__state_tensor *tensor = &before->tensor[i];
        char name[80];
        if (tensor->role != PEN_ROLE_PARAM) continue;
        snprintf(name, sizeof name, "before.%s", tensor->name);
        pen__container_put(w, name, (pen__dtype)tensor->dtype, tensor->n_dims, tensor->dim, tensor->data);
    }
}

static void put_halvings(pen__container_writer *w, const pen__halvings *halvings)
{
    char text[16 * PEN_HALVINGS] = "";
    int used = 0;
    for (int32_t k = 0; k < halvings->n; k++)
        used += snprintf(text + used, sizeof text - (size_t)used, k ? " %d" : "%d", halvings->epoch[k]);
    pen__container_put_meta(w, "halvings", text);
}

/* What must be the same for a fit to go on: model, parameters, seed, what it started from. */
static void identity(const pen_model *model, pen__text *out)
{
    pen__text_printf(out, "%s, seed %llu, ", model->class->name, (unsigned long long)model->seed);
    if (model->pretrained)
        pen__text_printf(out, "pretrained by %016llx, ", (unsigned long long)model->pretrained);
    else if (model->class->pretrain)
        pen__text_puts(out, "not pretrained, ");
    pen__params_json(model->class, &model->params, out);
}

pen_status pen__checkpoint_write(const char *path, const pen_model *model, uint64_t train_hash,
                                 const pen__position *position, const pen__snapshot *last, const pen__snapshot *best,
                                 const pen_model *before, pen_error *error)
{
    pen__container_writer *w;
    pen__text who = {.ctx = model->ctx};
    PEN_TRY(pen__container_begin(model->ctx, path, "checkpoint", VERSION, &w, error));
    identity(model, &who);
    if (who.failed) {
        pen__container_abort(w);
        pen__text_free(&who);
        return pen__fail(error, PEN_E_MEMORY, "out of memory writing '%s'", path);
    }
    pen__container_put_meta(w, "identity", who.bytes);
    pen__container_put_int(w, "data_hash", (int64_t)train_hash);
    pen__container_put_int(w, "phase", position->phase);
    pen__container_put_int(w, "epoch", position->epoch);
    pen__container_put_int(w, "best_epoch", position->best_epoch);
    pen__container_put_int(w, "chosen", position->chosen);
    put_double(w, "best_metric", position->best_metric);
    put_double(w, "loss", position->loss);
    put_double(w, "chosen_metric", position->chosen_metric);
    put_halvings(w, &position->halvings);
    put_snapshot(w, "last", model, last);
    put_snapshot(w, "best", model, best);
    if (before) put_before(w, before);
    pen__text_free(&who);
    return pen__container_commit(w, error);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static pen_status get_double(const pen__container *c, const char *key, double *out, pen_error *error)
{
    const char *text = pen__container_meta(c, key);
    char end;
    if (!text || sscanf(text, "%la%c", out, &end) != 1)
        return pen__container_unsound(c, error, "metadata %s is not a number", key);
    return PEN_OK;
}

static pen_status get_int(const pen__container *c, const char *key, int32_t *out, pen_error *error)
{
    int64_t value;
    PEN_TRY(pen__container_meta_int(c, key, 0, INT32_MAX, &value, error));
    *out = (int32_t)value;
    return PEN_OK;
}

/* Where the word of `text` begins in which two identities first differ: the model's name, or a parameter's. */
static size_t differing(const char *text, const char *other)
{
    size_t word = 0;
    for (size_t i = 0; text[i] && text[i] == other[i]; i++)
        if (text[i] == '{' || (text[i] == ' ' && text[i - (i > 0)] == ',')) word = i + 1;
    return word;
}

static pen_status check_identity(const pen__container *c, const pen_model *model, uint64_t train_hash, pen_error *error)
{
    const char *path = pen__container_path(c), *there = pen__container_meta(c, "identity");
    pen__text who = {.ctx = model->ctx};
    identity(model, &who);
    const char *here = who.bytes && !who.failed ? who.bytes : "";
    pen_status status = PEN_OK;
    if (!there || strcmp(there, here) != 0) {
        const char *theirs = there ? there + differing(there, here) : "unknown",
                   *ours = here + differing(here, there ? there : "");
        status = pen__fail(error, PEN_E_ARGUMENT,
                           "'%s' is a checkpoint of another run: it has %.*s, this one %.*s. Call with the same model, "
                           "parameters, seed and --pretrain, or without --resume",
                           path, (int)strcspn(theirs, ",}{"), theirs, (int)strcspn(ours, ",}{"), ours);
    }
    pen__text_free(&who);
    int64_t hash;
    if (status == PEN_OK) status = pen__container_meta_int(c, "data_hash", INT64_MIN, INT64_MAX, &hash, error);
    if (status == PEN_OK && train_hash && (uint64_t)hash != train_hash)
        status = pen__fail(error, PEN_E_ARGUMENT,
                           "'%s' is a checkpoint of a run on other data, another split or other filters; call with the "
                           "same, or without --resume",
                           path);
    return status;
}

/* Absent: none. */
static pen_status get_halvings(const pen__container *c, pen__halvings *halvings, pen_error *error)
{
    const char *text = pen__container_meta(c, "halvings");
    *halvings = (pen__halvings){0};
    for (int32_t last = 0; text && *text;) {
        int epoch = 0, used = 0;
        if (halvings->n == PEN_HALVINGS || sscanf(text, "%d%n", &epoch, &used) != 1 || epoch <= last)
            return pen__container_unsound(c, error, "metadata halvings are not at most %d rising epochs", PEN_HALVINGS);
        halvings->epoch[halvings->n++] = last = epoch;
        text += used;
    }
    return PEN_OK;
}

static pen_status get_position(const pen__container *c, pen__position *p, pen_error *error)
{
    PEN_TRY(get_int(c, "phase", &p->phase, error));
    PEN_TRY(get_int(c, "epoch", &p->epoch, error));
    PEN_TRY(get_int(c, "best_epoch", &p->best_epoch, error));
    PEN_TRY(get_int(c, "chosen", &p->chosen, error));
    if (p->best_epoch > p->epoch)
        return pen__container_unsound(c, error, "its best epoch is %d and its last one %d", p->best_epoch, p->epoch);
    PEN_TRY(get_double(c, "best_metric", &p->best_metric, error));
    PEN_TRY(get_double(c, "loss", &p->loss, error));
    PEN_TRY(get_halvings(c, &p->halvings, error));
    return get_double(c, "chosen_metric", &p->chosen_metric, error);
}

pen_status pen__checkpoint_peek(const char *path, const pen_model *model, uint64_t train_hash, pen__position *position,
                                int *found, pen_error *error)
{
    pen__container *c;
    *found = 0;
    if (access(path, F_OK) && errno == ENOENT) return PEN_OK;
    PEN_TRY(pen__container_open(model->ctx, path, "checkpoint", VERSION, 0, &c, error));
    pen_status status = get_position(c, position, error);
    if (status == PEN_OK) status = check_identity(c, model, train_hash, error);
    pen__container_close(c);
    *found = status == PEN_OK;
    return status;
}

static pen_status read_tensor(const pen__container *c, const char *prefix, const pen__state_tensor *tensor, void *into,
                              pen_error *error)
{
    char name[80];
    const void *data;
    int64_t shape[PEN__MAX_DIMS];
    memcpy(shape, tensor->dim, sizeof tensor->dim);
    snprintf(name, sizeof name, "%s.%s", prefix, tensor->name);
    PEN_TRY(pen__container_tensor(c, name, tensor->dtype, tensor->n_dims, shape, &data, error));
    if (tensor->dtype == PEN_F32) {
        const float *value;
        PEN_TRY(pen__container_floats(c, name, tensor->n_dims, shape, &value, error));
    }
    size_t bytes = pen__state_bytes(tensor);
    if (bytes) memcpy(into, data, bytes);
    return PEN_OK;
}

pen_status pen__checkpoint_read(const char *path, pen_model *model, pen__position *position, pen__snapshot *best,
                                pen_error *error)
{
    pen__container *c;
    PEN_TRY(pen__container_open(model->ctx, path, "checkpoint", VERSION, 0, &c, error));
    pen_status status = get_position(c, position, error);
    for (int32_t i = 0; i < model->n_tensors && status == PEN_OK; i++)
        status = read_tensor(c, "last", &model->tensor[i], model->tensor[i].data, error);
    if (status == PEN_OK && best && position->best_epoch > 0) {
        status = pen__snapshot_take(best, model, 1u << PEN_ROLE_PARAM, error);
        for (int32_t i = 0; i < model->n_tensors && status == PEN_OK; i++)
            if (best->data[i]) status = read_tensor(c, "best", &model->tensor[i], best->data[i], error);
    }
    pen__container_close(c);
    return status;
}

pen_status pen__checkpoint_read_before(const char *path, pen_model *before, pen_error *error)
{
    pen__container *c;
    PEN_TRY(pen__container_open(before->ctx, path, "checkpoint", VERSION, 0, &c, error));
    pen_status status = PEN_OK;
    for (int32_t i = 0; i < before->n_tensors && status == PEN_OK; i++)
        if (before->tensor[i].role == PEN_ROLE_PARAM)
            status = read_tensor(c, "before", &before->tensor[i], before->tensor[i].data, error);
    pen__container_close(c);
    return status;
}
