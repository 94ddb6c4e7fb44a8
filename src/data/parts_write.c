/* The parts of a split as files: text that any program reads, or .pds.
 *
 * A row is the log's own event (the last of those that were merged into it). When rating, its value is the merged one;
 * when ranking, its own value and, where events do not all weigh 1, its weight in a column beside it.
 */
#include "data/parts_write.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/progress.h"
#include "data/digest.h"

static const char *const names[] = {"train", "valid", "test", NULL, "valid_history", "test_history"};
static const char *const formats[] = {"csv", "tsv", "pds"};

typedef struct writing {
    const pen__log *log;
    const pen__parts *parts;
    int part, format;
    bool rate, weights, milliseconds; /* weights: a column of them is needed */
} writing;

pen_status pen__parts_format_parse(const char *name, int *format, pen_error *error)
{
    *format = PEN_PARTS_CSV;
    if (!name) return PEN_OK;
    for (int k = 0; k < 3; k++)
        if (!strcmp(name, formats[k])) {
            *format = k;
            return PEN_OK;
        }
    return pen__fail(error, PEN_E_UNKNOWN, "format '%.60s' of a split's parts; allowed are csv, tsv and pds", name);
}

pen_status pen__folder_make(const char *path, pen_error *error)
{
    struct stat there;
    if (mkdir(path, 0777) == 0) return PEN_OK;
    int saved = errno;
    if (saved == EEXIST && stat(path, &there) == 0 && S_ISDIR(there.st_mode)) return PEN_OK;
    return pen__fail_io(error, saved, "cannot make the folder", path);
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

/* A cell, in quotes where the text would be read as something else (RFC 4180). */
static void put_cell(pen__text *row, pen__span cell, char delimiter)
{
    bool quotes = cell.length == 0 || cell.text[0] == ' ' || cell.text[0] == '\t' ||
                  cell.text[cell.length - 1] == ' ' || cell.text[cell.length - 1] == '\t';
    for (size_t i = 0; i < cell.length && !quotes; i++)
        quotes = cell.text[i] == delimiter || cell.text[i] == '"' || cell.text[i] == '\n' || cell.text[i] == '\r';
    if (!quotes) {
        pen__text_add(row, cell.text, cell.length);
        return;
    }
    pen__text_puts(row, "\"");
    for (size_t i = 0; i < cell.length; i++)
        pen__text_add(row, cell.text[i] == '"' ? "\"\"" : &cell.text[i], cell.text[i] == '"' ? 2 : 1);
    pen__text_puts(row, "\"");
}

/* The shortest of %.6g and %.9g that is the float again. */
static void put_float(pen__text *row, float value)
{
    if (isnan(value)) return;
    size_t before = row->length;
    double back;
    pen__text_printf(row, "%.6g", (double)value);
    if (row->failed ||
        (pen__parse_double((pen__span){row->bytes + before, row->length - before}, &back) && (float)back == value))
        return;
    row->length = before;
    pen__text_printf(row, "%.9g", (double)value);
}

static void put_context(pen__text *row, const pen__column *c, int64_t e, char delimiter)
{
    if (c->type == PEN_COLUMN_NUMBER)
        put_float(row, c->number[e]);
    else if (c->type == PEN_COLUMN_CATEGORY && c->code[e] >= 0)
        put_cell(row, pen__strings_at(&c->words, c->code[e]), delimiter);
    else if (c->type == PEN_COLUMN_TEXT && pen__strings_at(&c->words, e).length)
        put_cell(row, pen__strings_at(&c->words, e), delimiter);
}

static bool has_column(const pen__column *c)
{
    return c->type == PEN_COLUMN_NUMBER || c->type == PEN_COLUMN_CATEGORY || c->type == PEN_COLUMN_TEXT;
}

static void put_header(const writing *w, pen__text *row, char delimiter)
{
    const pen_dataset *d = w->log->data;
    const bool there[] = {true, true, d->value != NULL, w->weights, d->time != NULL, d->event != NULL};
    static const char *const columns[] = {"user", "item", "value", "weight", "time", "event"};
    for (int k = 0; k < 6; k++) {
        if (!there[k]) continue;
        if (k) pen__text_add(row, &delimiter, 1);
        pen__text_puts(row, columns[k]);
    }
    for (int32_t k = 0; k < d->n_context; k++) {
        if (!has_column(&d->context[k])) continue;
        pen__text_add(row, &delimiter, 1);
        put_cell(row, pen__span_of(d->context[k].name), delimiter);
    }
    pen__text_puts(row, "\n");
}

static void put_row(const writing *w, pen__text *row, int64_t i, char delimiter)
{
    const pen__log *log = w->log;
    const pen_dataset *d = log->data;
    int64_t e = log->event[i];
    put_cell(row, pen__strings_at(&d->users, log->user[i]), delimiter);
    pen__text_add(row, &delimiter, 1);
    put_cell(row, pen__strings_at(&d->items, log->item[i]), delimiter);
    if (d->value) {
        pen__text_add(row, &delimiter, 1);
        put_float(row, w->rate ? log->value[i] : d->value[e]);
    }
    if (w->weights) {
        pen__text_add(row, &delimiter, 1);
        put_float(row, log->value[i]);
    }
    if (d->time) {
        pen__text_add(row, &delimiter, 1);
        if (d->time[e] != PEN_TIME_MISSING)
            pen__text_printf(row, "%lld", (long long)(w->milliseconds ? d->time[e] : d->time[e] / 1000));
    }
    if (d->event) {
        pen__text_add(row, &delimiter, 1);
        if (d->event[e] >= 0) put_cell(row, pen__strings_at(&d->event_types, d->event[e]), delimiter);
    }
    for (int32_t k = 0; k < d->n_context; k++) {
        if (!has_column(&d->context[k])) continue;
        pen__text_add(row, &delimiter, 1);
        put_context(row, &d->context[k], e, delimiter);
    }
    pen__text_puts(row, "\n");
}

static pen_status write_text(const writing *w, const char *path, pen_error *error)
{
    enum { FLUSH = 1 << 20 };
    pen__writer *writer = NULL;
    pen__text rows = {.ctx = w->log->ctx};
    char delimiter = w->format == PEN_PARTS_TSV ? '\t' : ',';
    pen__meter meter = pen__meter_begin(w->log->ctx, "write", "events", w->log->n);
    pen_status status = PEN_OK;
    PEN_TRY_DONE(pen__writer_open(w->log->ctx, path, &writer, error));
    put_header(w, &rows, delimiter);
    for (int64_t i = 0; i < w->log->n; i++) {
        if (w->parts->part[i] == w->part) put_row(w, &rows, i, delimiter);
        PEN_CHECK_DONE(!rows.failed, PEN_E_MEMORY, "out of memory writing '%.300s'", path);
        if (rows.length < FLUSH) continue;
        PEN_TRY_DONE(pen__writer_write(writer, rows.bytes, rows.length, error));
        PEN_TRY_DONE(pen__meter_tick(&meter, i, error));
        rows.length = 0;
    }
    PEN_TRY_DONE(pen__writer_write(writer, rows.bytes, rows.length, error));
    status = pen__writer_commit(writer, error);
    writer = NULL;
done:
    pen__writer_abort(writer);
    pen__text_free(&rows);
    return status;
}

/* ---- .pds -------------------------------------------------------------------------------------------------------- */

/* Copies of the arrays of the part's events in `view`, which otherwise shares everything with the log's data set. */
typedef struct excerpt {
    pen_dataset view;
    int32_t *user, *item;
    float *value;
    int64_t *time;
    int16_t *event;
    pen__column *context; /* view.n_context + 1: one more for the weights */
    int32_t n_copied;     /* columns whose arrays are copies */
} excerpt;

static pen_status copy_column(pen_context *ctx, const pen__log *log, const uint8_t *part, int wanted, int64_t n,
                              pen__column *column, pen_error *error)
{
    const pen__column from = *column;
    int64_t at = 0;
    int32_t *code = NULL;
    float *number = NULL;
    column->rows = n;
    column->code = NULL, column->number = NULL;
    if (from.type == PEN_COLUMN_CATEGORY) {
        PEN_TRY(PEN_NEW(ctx, code, n));
        column->code = code;
    } else {
        PEN_TRY(PEN_NEW(ctx, number, n));
        column->number = number;
    }
    for (int64_t i = 0; i < log->n; i++) {
        if (part[i] != wanted) continue;
        if (code)
            code[at++] = from.code[log->event[i]];
        else
            number[at++] = from.number[log->event[i]];
    }
    return PEN_OK;
}

static pen_status add_weights(const writing *w, int64_t n, pen__column *column, pen_error *error)
{
    float *number;
    PEN_TRY(PEN_NEW(w->log->ctx, number, n));
    *column = (pen__column){
        .name = "weight", .type = PEN_COLUMN_NUMBER, .rows = n, .number = number, .words.ctx = w->log->ctx};
    for (int64_t i = 0, at = 0; i < w->log->n; i++)
        if (w->parts->part[i] == w->part) number[at++] = w->log->value[i];
    return PEN_OK;
}

static pen_status copy_context(const writing *w, excerpt *x, int64_t n, pen_error *error)
{
    const pen_dataset *d = w->log->data;
    PEN_TRY(PEN_NEW_ZERO(w->log->ctx, x->context, d->n_context + 1));
    for (int32_t k = 0; k < d->n_context; k++) {
        if (d->context[k].type != PEN_COLUMN_CATEGORY && d->context[k].type != PEN_COLUMN_NUMBER) continue;
        pen__column *to = &x->context[x->n_copied++];
        *to = d->context[k];
        PEN_TRY(copy_column(w->log->ctx, w->log, w->parts->part, w->part, n, to, error));
    }
    if (w->weights) PEN_TRY(add_weights(w, n, &x->context[x->n_copied++], error));
    x->view.context = x->context;
    x->view.n_context = x->n_copied;
    return PEN_OK;
}

static pen_status copy_events(const writing *w, excerpt *x, int64_t n, pen_error *error)
{
    const pen__log *log = w->log;
    const pen_dataset *d = log->data;
    PEN_TRY(PEN_NEW(log->ctx, x->user, n));
    PEN_TRY(PEN_NEW(log->ctx, x->item, n));
    if (d->value) PEN_TRY(PEN_NEW(log->ctx, x->value, n));
    if (d->time) PEN_TRY(PEN_NEW(log->ctx, x->time, n));
    if (d->event) PEN_TRY(PEN_NEW(log->ctx, x->event, n));
    for (int64_t i = 0, at = 0; i < log->n; i++) {
        if (w->parts->part[i] != w->part) continue;
        int64_t e = log->event[i];
        x->user[at] = log->user[i];
        x->item[at] = log->item[i];
        if (x->value) x->value[at] = w->rate ? log->value[i] : isnan(d->value[e]) ? 1 : d->value[e];
        if (x->time) x->time[at] = d->time[e];
        if (x->event) x->event[at] = d->event[e];
        at++;
    }
    x->view.n_events = n;
    x->view.user = x->user, x->view.item = x->item, x->view.value = x->value, x->view.time = x->time,
    x->view.event = x->event;
    return PEN_OK;
}

static pen_status write_pds(const writing *w, const char *path, int64_t n, pen_error *error)
{
    pen_context *ctx = w->log->ctx;
    excerpt x = {.view = *w->log->data};
    pen_status status = PEN_OK;
    PEN_TRY_DONE(copy_events(w, &x, n, error));
    PEN_TRY_DONE(copy_context(w, &x, n, error));
    PEN_TRY_DONE(pen__dataset_digest(&x.view, error));
    status = pen_dataset_save(&x.view, path, error);
done:
    for (int32_t k = 0; x.context && k < x.n_copied; k++) {
        pen__free(ctx, (void *)(uintptr_t)x.context[k].code);
        pen__free(ctx, (void *)(uintptr_t)x.context[k].number);
    }
    pen__free(ctx, x.context);
    pen__free(ctx, x.user);
    pen__free(ctx, x.item);
    pen__free(ctx, x.value);
    pen__free(ctx, x.time);
    pen__free(ctx, x.event);
    return status;
}

/* ---- all parts ----------------------------------------------------------------------------------------------------
 */

pen_status pen__parts_write(const pen__log *log, const pen__parts *parts, int32_t task, const char *folder, int format,
                            pen__text *files, pen_error *error)
{
    int64_t count[6] = {0};
    writing w = {.log = log, .parts = parts, .format = format, .rate = task == PEN_TASK_RATE};
    for (int64_t i = 0; i < log->n; i++) {
        count[parts->part[i]]++;
        w.weights |= !w.rate && log->value[i] != 1;
        if (log->data->time) {
            int64_t time = log->data->time[log->event[i]];
            w.milliseconds |= time != PEN_TIME_MISSING && time % 1000 != 0;
        }
    }
    PEN_TRY(pen__folder_make(folder, error));
    const char *apart = "[";
    for (w.part = 0; w.part < 6; w.part++) {
        if (!names[w.part] || !count[w.part]) continue;
        pen__text path = {.ctx = log->ctx};
        pen__text_printf(&path, "%s/%s.%s", folder, names[w.part], formats[format]);
        pen_status status = path.failed ? pen__fail(error, PEN_E_MEMORY, "out of memory for a path") : PEN_OK;
        if (status == PEN_OK)
            status = format == PEN_PARTS_PDS ? write_pds(&w, path.bytes, count[w.part], error)
                                             : write_text(&w, path.bytes, error);
        if (status == PEN_OK) {
            pen__text_printf(files, "%s{\"part\": \"%s\", \"path\": ", apart, names[w.part]);
            pen__text_json(files, path.bytes, path.length);
            pen__text_printf(files, ", \"events\": %lld}", (long long)count[w.part]);
        }
        pen__text_free(&path);
        if (status != PEN_OK) return status;
        apart = ", ";
    }
    pen__text_puts(files, "]");
    return PEN_OK;
}
