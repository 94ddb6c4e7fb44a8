/* Exporting: tab-separated text (ids first, quoted where they hold a tab, a quote or a line feed), or NumPy's .npy,
 * version 1.0. Item vectors end with the item's bias and user vectors with a 1 where the model has biases: their inner
 * product is the score. Rows are made in blocks, so memory does not grow with users.
 */
#include "rank/export.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/progress.h"
#include "base/thread.h"
#include "rank/catalogue.h"
#include "rank/mask.h"
#include "rank/rank.h"
#include "rank/similar.h"

enum { BLOCK = 1024 };

typedef struct sheet {
    const pen_model *model;
    const struct pen__catalogue *c;
    pen__writer *w;
    bool npy;
    int32_t n; /* neighbours */
} sheet;

/* ---- text and NumPy ---------------------------------------------------------------------------------------------- */

static pen_status put_text(pen__writer *w, pen__span s, pen_error *error)
{
    bool quote = false;
    for (size_t i = 0; i < s.length; i++)
        quote = quote || s.text[i] == '\t' || s.text[i] == '"' || s.text[i] == '\n' || s.text[i] == '\r';
    if (!quote) return pen__writer_write(w, s.text, s.length, error);
    PEN_TRY(pen__writer_write(w, "\"", 1, error));
    for (size_t i = 0; i < s.length; i++) {
        if (s.text[i] == '"') PEN_TRY(pen__writer_write(w, "\"", 1, error));
        PEN_TRY(pen__writer_write(w, s.text + i, 1, error));
    }
    return pen__writer_write(w, "\"", 1, error);
}

/* `descr` is a Python literal ("'<f4'"); the data follow. */
static pen_status put_npy_header(pen__writer *w, const char *descr, int n_dims, const int64_t *dim, pen_error *error)
{
    char shape[100] = "", dict[512];
    size_t used = 0;
    for (int i = 0; i < n_dims; i++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, "%lld, ", (long long)dim[i]);
    int n = snprintf(dict, sizeof dict, "{'descr': %s, 'fortran_order': False, 'shape': (%s), }", descr, shape);
    size_t whole = (10 + (size_t)n + 1 + 63) / 64 * 64, length = whole - 10;
    unsigned char head[10] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)(length & 255), (unsigned char)(length >> 8)};
    PEN_TRY(pen__writer_write(w, head, sizeof head, error));
    PEN_TRY(pen__writer_write(w, dict, (size_t)n, error));
    for (size_t i = (size_t)n; i + 1 < length; i++) PEN_TRY(pen__writer_write(w, " ", 1, error));
    return pen__writer_write(w, "\n", 1, error);
}

/* ---- ids --------------------------------------------------------------------------------------------------------- */

static pen_status write_users(sheet *s, pen_error *error)
{
    const pen__rows *h = &s->c->history;
    PEN_CHECK(!s->npy, PEN_E_UNSUPPORTED, "ids are text: give a path that does not end in .npy");
    PEN_TRY(pen__writer_printf(s->w, error, h->begin ? "user\tevents\n" : "user\n"));
    for (int64_t u = 0; u < s->c->users.n; u++) {
        PEN_TRY(put_text(s->w, pen__strings_at(&s->c->users, u), error));
        if (h->begin) PEN_TRY(pen__writer_printf(s->w, error, "\t%lld", (long long)(h->begin[u + 1] - h->begin[u])));
        PEN_TRY(pen__writer_write(s->w, "\n", 1, error));
    }
    return PEN_OK;
}

static pen_status write_items(sheet *s, pen_error *error)
{
    PEN_CHECK(!s->npy, PEN_E_UNSUPPORTED, "ids are text: give a path that does not end in .npy");
    PEN_TRY(pen__writer_printf(s->w, error, "item\tevents\ttitle\n"));
    for (int32_t i = 0; i < s->model->n_items; i++) {
        PEN_TRY(put_text(s->w, pen__strings_at(&s->c->items, i), error));
        PEN_TRY(pen__writer_printf(s->w, error, "\t%lld\t", (long long)s->c->item_events[i]));
        PEN_TRY(put_text(s->w, pen__catalogue_title(s->c, i), error));
        PEN_TRY(pen__writer_write(s->w, "\n", 1, error));
    }
    return PEN_OK;
}

/* ---- vectors ----------------------------------------------------------------------------------------------------- */

static pen_status factors_of(const pen_model *model, pen__factors *f, pen_error *error)
{
    *f = (pen__factors){0};
    if (model->class->factors) model->class->factors(model, f);
    PEN_CHECK(f->d > 0, PEN_E_UNSUPPORTED, "%s has no vectors; see what it has with --what tensors",
              model->class->name);
    return PEN_OK;
}

static pen_status write_rows(sheet *s, const pen__strings *ids, int64_t first, int64_t n, const float *rows, int32_t d,
                             pen_error *error)
{
    if (s->npy) return pen__writer_write(s->w, rows, (size_t)n * (size_t)d * sizeof *rows, error);
    for (int64_t r = 0; r < n; r++) {
        PEN_TRY(put_text(s->w, pen__strings_at(ids, first + r), error));
        for (int32_t k = 0; k < d; k++) PEN_TRY(pen__writer_printf(s->w, error, "\t%.9g", (double)rows[r * d + k]));
        PEN_TRY(pen__writer_write(s->w, "\n", 1, error));
    }
    return PEN_OK;
}

typedef struct block {
    const pen_model *model;
    pen__factors f;
    int64_t first, n;
    int32_t width;
    float *rows;
} block;

static pen_status user_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker;
    const block *b = arg;
    int64_t n_shards = pen__shards(b->n, 16), begin = pen__shard_begin(b->n, n_shards, shard),
            end = pen__shard_begin(b->n, n_shards, shard + 1);
    void *scratch;
    PEN_TRY(pen__new(b->model->ctx, &scratch, pen__model_scratch(b->model), 1, true, error));
    pen_status status = PEN_OK;
    for (int64_t r = begin; r < end && status == PEN_OK; r++) {
        int64_t u = b->first + r;
        pen__user user = pen__catalogue_user(b->model->catalogue, (int32_t)u);
        float *row = b->rows + r * b->width;
        status = b->model->class->user_vector(b->model, &user, scratch, row, error);
        if (b->f.bias) row[b->f.d] = 1;
    }
    pen__free(b->model->ctx, scratch);
    return status;
}

static void item_rows(const block *b)
{
    for (int64_t r = 0; r < b->n; r++) {
        float *row = b->rows + r * b->width;
        memcpy(row, b->f.item + (size_t)(b->first + r) * (size_t)b->f.d, (size_t)b->f.d * sizeof *row);
        if (b->f.bias) row[b->f.d] = b->f.bias[b->first + r];
    }
}

static pen_status write_vectors(sheet *s, bool users, pen_error *error)
{
    block b = {.model = s->model};
    const pen__strings *ids = users ? &s->c->users : &s->c->items;
    PEN_TRY(factors_of(s->model, &b.f, error));
    b.width = b.f.d + (b.f.bias != NULL);
    if (s->npy) PEN_TRY(put_npy_header(s->w, "'<f4'", 2, (int64_t[]){ids->n, b.width}, error));
    PEN_TRY(PEN_NEW(s->model->ctx, b.rows, (size_t)b.width * BLOCK));
    pen_status status = PEN_OK;
    for (b.first = 0; b.first < ids->n && status == PEN_OK; b.first += BLOCK) {
        b.n = ids->n - b.first < BLOCK ? ids->n - b.first : BLOCK;
        if (users)
            status = pen__parallel(s->model->ctx, pen__shards(b.n, 16), user_shard, &b, error);
        else
            item_rows(&b);
        if (status == PEN_OK) status = write_rows(s, ids, b.first, b.n, b.rows, b.width, error);
    }
    pen__free(s->model->ctx, b.rows);
    return status;
}

/* ---- histories, neighbours --------------------------------------------------------------------------------------- */

static pen_status write_history(sheet *s, pen_error *error)
{
    const pen__rows *h = &s->c->history;
    PEN_CHECK(h->begin, PEN_E_UNSUPPORTED, "the model was saved without what users have seen (--no-history)");
    int64_t n = h->begin[h->n_rows];
    if (s->npy)
        PEN_TRY(put_npy_header(s->w, "[('user', '<i4'), ('item', '<i4'), ('value', '<f4')]", 1, &n, error));
    else
        PEN_TRY(pen__writer_printf(s->w, error, "user\titem\tvalue\n"));
    for (int64_t u = 0; u < h->n_rows; u++)
        for (int64_t e = h->begin[u]; e < h->begin[u + 1]; e++) {
            struct {
                int32_t user, item;
                float value;
            } row = {(int32_t)u, h->column[e], h->value[e]};
            if (s->npy) {
                PEN_TRY(pen__writer_write(s->w, &row, sizeof row, error));
                continue;
            }
            PEN_TRY(put_text(s->w, pen__strings_at(&s->c->users, u), error));
            PEN_TRY(pen__writer_write(s->w, "\t", 1, error));
            PEN_TRY(put_text(s->w, pen__strings_at(&s->c->items, row.item), error));
            PEN_TRY(pen__writer_printf(s->w, error, "\t%.9g\n", (double)row.value));
        }
    return PEN_OK;
}

typedef struct lists {
    const pen_model *model;
    int64_t first, n;
    int32_t k;
    int32_t *item, *found;
    float *score;
} lists;

static pen_status neighbours_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker;
    const lists *l = arg;
    pen_context *ctx = l->model->ctx;
    int32_t item = (int32_t)(l->first + shard);
    pen__span id = pen__strings_at(&l->model->catalogue->items, item);
    pen__mask all = {.ctx = ctx, .n = l->model->n_items};
    const char *by;
    float *scores;
    PEN_TRY(PEN_NEW(ctx, scores, l->model->n_items));
    pen_status status = pen__similar(l->model, item, scores, &by, error);
    if (status == PEN_OK)
        status = pen__mask_top(&all, scores, l->model->n_items, pen__tie_key(id.text, id.length), &item, 1, l->k,
                               l->item + shard * l->k, l->score + shard * l->k, &l->found[shard], error);
    pen__free(ctx, scores);
    return status;
}

static pen_status write_neighbour(sheet *s, int32_t item, int32_t neighbour, float score, pen_error *error)
{
    struct {
        int32_t item, neighbour;
        float similarity;
    } row = {item, neighbour, score};
    if (s->npy) return pen__writer_write(s->w, &row, sizeof row, error);
    PEN_TRY(put_text(s->w, pen__strings_at(&s->c->items, item), error));
    PEN_TRY(pen__writer_write(s->w, "\t", 1, error));
    PEN_TRY(put_text(s->w, pen__strings_at(&s->c->items, neighbour), error));
    return pen__writer_printf(s->w, error, "\t%.9g\n", (double)score);
}

static pen_status write_lists(sheet *s, lists *l, pen_error *error)
{
    int64_t n = s->model->n_items;
    pen__meter meter = pen__meter_begin(s->model->ctx, "neighbours", "items", n);
    for (l->first = 0; l->first < n; l->first += BLOCK) {
        l->n = n - l->first < BLOCK ? n - l->first : BLOCK;
        PEN_TRY(pen__parallel(s->model->ctx, l->n, neighbours_shard, l, error));
        for (int64_t r = 0; r < l->n; r++)
            for (int32_t j = 0; j < l->found[r]; j++)
                PEN_TRY(
                    write_neighbour(s, (int32_t)(l->first + r), l->item[r * l->k + j], l->score[r * l->k + j], error));
        PEN_TRY(pen__meter_tick(&meter, l->first + l->n, error));
    }
    pen__meter_end(&meter, n);
    return PEN_OK;
}

/* Everybody has as many neighbours as there are other items, at most n: so the rows are known before they are made. */
static pen_status write_neighbours(sheet *s, pen_error *error)
{
    pen_context *ctx = s->model->ctx;
    pen_status status = PEN_OK;
    int64_t n = s->model->n_items;
    lists l = {.model = s->model, .k = s->n < n - 1 ? s->n : (int32_t)(n - 1)};
    int64_t rows = n * l.k;
    if (l.k <= 0) return PEN_OK;
    PEN_TRY_DONE(PEN_NEW(ctx, l.item, (size_t)l.k * BLOCK));
    PEN_TRY_DONE(PEN_NEW(ctx, l.score, (size_t)l.k * BLOCK));
    PEN_TRY_DONE(PEN_NEW(ctx, l.found, BLOCK));
    if (s->npy)
        PEN_TRY_DONE(
            put_npy_header(s->w, "[('item', '<i4'), ('neighbour', '<i4'), ('similarity', '<f4')]", 1, &rows, error));
    else
        PEN_TRY_DONE(pen__writer_printf(s->w, error, "item\tneighbour\tsimilarity\n"));
    PEN_TRY_DONE(write_lists(s, &l, error));
done:
    pen__free(ctx, l.item);
    pen__free(ctx, l.score);
    pen__free(ctx, l.found);
    return status;
}

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

static const char *numpy_type(int dtype)
{
    static const char *const type[] = {
        [PEN_U8] = "'|u1'",  [PEN_I8] = "'|i1'",  [PEN_I16] = "'<i2'", [PEN_I32] = "'<i4'",
        [PEN_I64] = "'<i8'", [PEN_F32] = "'<f4'", [PEN_F64] = "'<f8'"};
    return type[dtype];
}

static pen_status write_tensor(const pen_model *model, const pen__state_tensor *tensor, const char *folder,
                               pen_error *error)
{
    char path[4096];
    pen__writer *w;
    /* names come from a file: they must not lead out of the folder */
    PEN_CHECK(!strchr(tensor->name, '/') && tensor->name[0] != '.' && tensor->name[0], PEN_E_FORMAT,
              "tensor '%s' has a name that is no file's", tensor->name);
    int n = snprintf(path, sizeof path, "%s/%s.npy", folder, tensor->name);
    PEN_CHECK(n > 0 && n < (int)sizeof path, PEN_E_ARGUMENT, "the path '%.100s...' is too long", folder);
    PEN_TRY(pen__writer_open(model->ctx, path, &w, error));
    pen_status status = put_npy_header(w, numpy_type(tensor->dtype), tensor->n_dims, tensor->dim, error);
    if (status == PEN_OK) status = pen__writer_write(w, tensor->data, pen__state_bytes(tensor), error);
    if (status == PEN_OK) return pen__writer_commit(w, error);
    pen__writer_abort(w);
    return status;
}

static pen_status write_tensors(const pen_model *model, const char *folder, pen_error *error)
{
    if (mkdir(folder, 0777) && errno != EEXIST) return pen__fail_io(error, errno, "cannot make the folder", folder);
    for (int32_t t = 0; t < model->n_tensors; t++)
        if (model->tensor[t].role == PEN_ROLE_PARAM) PEN_TRY(write_tensor(model, &model->tensor[t], folder, error));
    return PEN_OK;
}

/* ---- what is asked for ------------------------------------------------------------------------------------------- */

static pen_status write_part(sheet *s, const char *what, pen_error *error)
{
    if (!strcmp(what, "users")) return write_users(s, error);
    if (!strcmp(what, "items")) return write_items(s, error);
    if (!strcmp(what, "user-vectors")) return write_vectors(s, true, error);
    if (!strcmp(what, "item-vectors")) return write_vectors(s, false, error);
    if (!strcmp(what, "history")) return write_history(s, error);
    return write_neighbours(s, error);
}

pen_status pen__export(const pen_model *model, const char *what, const char *path, int32_t n, pen_error *error)
{
    static const char *const parts[] = {"users",   "items",      "user-vectors", "item-vectors",
                                        "history", "neighbours", "tensors"};
    size_t n_parts = sizeof parts / sizeof *parts, part = 0, length = strlen(path);
    while (part < n_parts && strcmp(parts[part], what)) part++;
    int near = part < n_parts ? -1 : pen__nearest_name(pen__span_of(what), parts, n_parts, sizeof *parts);
    PEN_CHECK(part < n_parts, PEN_E_UNKNOWN,
              "a model has no part '%.60s'%s%s%s; there are users, items, user-vectors, item-vectors, history, "
              "neighbours, tensors",
              what, near >= 0 ? "; did you mean '" : "", near >= 0 ? parts[near] : "", near >= 0 ? "'?" : "");
    PEN_CHECK(n >= 1, PEN_E_ARGUMENT, "%d neighbours were asked for; ask for 1 or more", n);
    if (!strcmp(what, "tensors")) return write_tensors(model, path, error);
    sheet s = {.model = model, .c = model->catalogue, .npy = length > 4 && !strcmp(path + length - 4, ".npy"), .n = n};
    PEN_TRY(pen__writer_open(model->ctx, path, &s.w, error));
    pen_status status = write_part(&s, what, error);
    if (status == PEN_OK) return pen__writer_commit(s.w, error);
    pen__writer_abort(s.w);
    return status;
}
