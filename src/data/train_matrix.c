/* Training's matrix, by user and by item, over dense numbers; and what each user did, in order.
 *
 * Ids are marked and numbered in the order of the data set's numbers. A stable counting sort by user and a small sort
 * by time in each row give the histories; rows sorted by item give `by_user`; its transposition, a counting sort again,
 * gives `by_item` with rising users. All in parallel over rows, the same bits for any number of threads. Cost: O(n
 * log(row)), 8 to 16 bytes an event in each of the three matrices and as much while it is built.
 */
#include <math.h>
#include <string.h>

#include "base/thread.h"
#include "data/interactions.h"
#include "data/order.h"

enum { GRAIN = 1 << 16 };

typedef struct building {
    const pen__log *log;
    pen__train *train;
    pen__groups_of by_user; /* training's user numbers are groups */
    const int64_t *shard;
} building;

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

/* Dense numbers for the marked ids: number[id] and its inverse. */
static pen_status number_ids(pen_context *ctx, const int32_t *id, const uint8_t *skip, int64_t n, int64_t n_ids,
                             int32_t **number, int32_t **data_id, int32_t *n_numbers, pen_error *error)
{
    PEN_TRY(PEN_NEW(ctx, *number, n_ids));
    if (n_ids) memset(*number, 0xFF, (size_t)n_ids * sizeof **number);
    for (int64_t i = 0; i < n; i++)
        if (!skip[i]) (*number)[id[i]] = 0;
    *n_numbers = 0;
    for (int64_t k = 0; k < n_ids; k++)
        if ((*number)[k] == 0) (*number)[k] = (*n_numbers)++;
    PEN_TRY(PEN_NEW(ctx, *data_id, *n_numbers));
    for (int64_t k = 0; k < n_ids; k++)
        if ((*number)[k] >= 0) (*data_id)[(*number)[k]] = (int32_t)k;
    return PEN_OK;
}

static pen_status new_rows(pen_context *ctx, pen__rows *rows, int64_t n_rows, int64_t n, bool time, pen_error *error)
{
    rows->n_rows = n_rows;
    PEN_TRY(PEN_NEW(ctx, rows->column, n));
    PEN_TRY(PEN_NEW(ctx, rows->value, n));
    return time ? PEN_NEW(ctx, rows->time, n) : PEN_OK;
}

void pen__rows_free(pen_context *ctx, pen__rows *rows)
{
    pen__free(ctx, rows->begin);
    pen__free(ctx, rows->column);
    pen__free(ctx, rows->value);
    pen__free(ctx, rows->time);
    *rows = (pen__rows){0};
}

/* ---- histories -------------------------------------------------------------------------------------------------- */

static uint64_t time_key(const void *arg, int64_t i)
{
    const pen__log *log = arg;
    return log->time ? pen__key_of(log->time[i]) : 0;
}

static pen_status history_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    const building *b = arg;
    const pen__rows *h = &b->train->history;
    for (int64_t at = h->begin[b->shard[shard]]; at < h->begin[b->shard[shard + 1]]; at++) {
        int64_t i = b->by_user.index[at];
        h->column[at] = b->train->item_number[b->log->item[i]];
        h->value[at] = pen__log_liking(b->log, i);
        if (h->time) h->time[at] = b->log->time[i];
    }
    return PEN_OK;
}

static pen_status build_history(building *b, int64_t n_shards, pen_error *error)
{
    pen__train *t = b->train;
    PEN_TRY(new_rows(t->ctx, &t->history, t->n_users, b->by_user.begin[t->n_users], b->log->time != NULL, error));
    PEN_TRY(PEN_NEW(t->ctx, t->history.begin, t->n_users + 1));
    memcpy(t->history.begin, b->by_user.begin, ((size_t)t->n_users + 1) * sizeof *t->history.begin);
    return pen__parallel(t->ctx, n_shards, history_shard, b, error);
}

/* What a ranking history has without its being liked (see pen__log_liking) is left out of `liked`; where there is
 * nothing of the kind, liked->begin stays NULL: the history serves. */
pen_status pen__rows_liked(pen_context *ctx, const pen__rows *history, pen__rows *liked, pen_error *error)
{
    int64_t n = history->begin ? history->begin[history->n_rows] : 0, kept = 0;
    *liked = (pen__rows){0};
    for (int64_t i = 0; i < n; i++) kept += history->value[i] != 0;
    if (kept == n) return PEN_OK;
    pen_status status = PEN_OK;
    PEN_TRY_DONE(new_rows(ctx, liked, history->n_rows, kept, history->time != NULL, error));
    PEN_TRY_DONE(PEN_NEW(ctx, liked->begin, history->n_rows + 1));
    kept = 0;
    for (int64_t r = 0; r < history->n_rows; r++) {
        liked->begin[r] = kept;
        for (int64_t i = history->begin[r]; i < history->begin[r + 1]; i++) {
            if (history->value[i] == 0) continue;
            liked->column[kept] = history->column[i];
            liked->value[kept] = history->value[i];
            if (liked->time) liked->time[kept] = history->time[i];
            kept++;
        }
    }
    liked->begin[history->n_rows] = kept;
done:
    if (status != PEN_OK) pen__rows_free(ctx, liked);
    return status;
}

/* ---- by user ----------------------------------------------------------------------------------------------------- */

static uint64_t item_key(const void *arg, int64_t i)
{
    const building *b = arg;
    return (uint64_t)b->train->item_number[b->log->item[i]];
}

/* Positive pairs of a row whose events are sorted by item: into column and value where they are not NULL; their number.
 */
static int64_t merge_row(const building *b, const int64_t *index, int64_t n, int32_t *column, float *value,
                         int64_t *time)
{
    const pen__log *log = b->log;
    int64_t pairs = 0;
    for (int64_t at = 0, end; at < n; at = end) {
        double sum = 0;
        int64_t positive = 0, latest = INT64_MIN;
        for (end = at; end < n && log->item[index[end]] == log->item[index[at]]; end++) {
            if (log->positive && !log->positive[index[end]]) continue;
            sum += (double)log->value[index[end]];
            if (log->time && log->time[index[end]] > latest) latest = log->time[index[end]];
            positive++;
        }
        if (!positive) continue;
        if (column) {
            column[pairs] = b->train->item_number[log->item[index[at]]];
            value[pairs] = (float)(b->train->task == PEN_TASK_RATE ? sum / (double)positive : sum);
            if (time) time[pairs] = latest;
        }
        pairs++;
    }
    return pairs;
}

static pen_status count_pairs_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    const building *b = arg;
    for (int64_t u = b->shard[shard]; u < b->shard[shard + 1]; u++)
        b->train->by_user.begin[u + 1] = merge_row(b, b->by_user.index + b->by_user.begin[u],
                                                   b->by_user.begin[u + 1] - b->by_user.begin[u], NULL, NULL, NULL);
    return PEN_OK;
}

static pen_status fill_pairs_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    const building *b = arg;
    const pen__rows *r = &b->train->by_user;
    for (int64_t u = b->shard[shard]; u < b->shard[shard + 1]; u++)
        merge_row(b, b->by_user.index + b->by_user.begin[u], b->by_user.begin[u + 1] - b->by_user.begin[u],
                  r->column + r->begin[u], r->value + r->begin[u], r->time ? r->time + r->begin[u] : NULL);
    return PEN_OK;
}

static pen_status build_by_user(building *b, int64_t n_shards, pen_error *error)
{
    pen__train *t = b->train;
    PEN_TRY(pen__groups_sort(&b->by_user, item_key, b, error));
    PEN_TRY(PEN_NEW_ZERO(t->ctx, t->by_user.begin, t->n_users + 1));
    PEN_TRY(pen__parallel(t->ctx, n_shards, count_pairs_shard, b, error));
    for (int64_t u = 0; u < t->n_users; u++) t->by_user.begin[u + 1] += t->by_user.begin[u];
    t->n_events = t->by_user.begin[t->n_users];
    PEN_TRY(new_rows(t->ctx, &t->by_user, t->n_users, t->n_events, b->log->time != NULL, error));
    return pen__parallel(t->ctx, n_shards, fill_pairs_shard, b, error);
}

/* ---- by item ----------------------------------------------------------------------------------------------------- */

typedef struct transposing {
    const pen__rows *from;
    pen__rows *to;
    const pen__groups_of *by_item;
    const int32_t *row_of; /* of each entry of from */
    const int64_t *shard;
} transposing;

static pen_status transpose_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    const transposing *t = arg;
    for (int64_t at = t->to->begin[t->shard[shard]]; at < t->to->begin[t->shard[shard + 1]]; at++) {
        int64_t i = t->by_item->index[at];
        t->to->column[at] = t->row_of[i];
        t->to->value[at] = t->from->value[i];
        if (t->to->time) t->to->time[at] = t->from->time[i];
    }
    return PEN_OK;
}

static pen_status build_by_item(pen__train *t, pen_error *error)
{
    pen__groups_of by_item = {0};
    int32_t *row_of = NULL;
    int64_t *shard = NULL, n_shards;
    pen_status status = PEN_OK;
    PEN_TRY_DONE(PEN_NEW(t->ctx, row_of, t->n_events));
    for (int32_t u = 0; u < t->n_users; u++)
        for (int64_t at = t->by_user.begin[u]; at < t->by_user.begin[u + 1]; at++) row_of[at] = u;
    PEN_TRY_DONE(pen__group(t->ctx, t->by_user.column, NULL, t->n_events, t->n_items, &by_item, error));
    PEN_TRY_DONE(new_rows(t->ctx, &t->by_item, t->n_items, t->n_events, t->by_user.time != NULL, error));
    t->by_item.begin = by_item.begin;
    by_item.begin = NULL;
    pen__groups_of view = {.ctx = t->ctx, .n_groups = t->n_items, .begin = t->by_item.begin};
    PEN_TRY_DONE(pen__groups_shards(&view, GRAIN, &shard, &n_shards, error));
    transposing work = {&t->by_user, &t->by_item, &by_item, row_of, shard};
    PEN_TRY_DONE(pen__parallel(t->ctx, n_shards, transpose_shard, &work, error));
done:
    pen__free(t->ctx, row_of);
    pen__free(t->ctx, shard);
    pen__groups_free(&by_item);
    return status;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static uint64_t hash_rows(uint64_t seed, const pen__rows *rows)
{
    size_t n = (size_t)rows->begin[rows->n_rows];
    uint64_t piece[5] = {seed, pen__hash(rows->begin, ((size_t)rows->n_rows + 1) * sizeof *rows->begin),
                         pen__hash(rows->column, n * sizeof *rows->column),
                         pen__hash(rows->value, n * sizeof *rows->value),
                         rows->time ? pen__hash(rows->time, n * sizeof *rows->time) : 0};
    return pen__hash(piece, sizeof piece);
}

/* The range and mean of values, summed in order; and the hash. */
static void summarise(pen__train *t)
{
    double sum = 0;
    t->least = INFINITY, t->most = -INFINITY;
    for (int64_t i = 0; i < t->n_events; i++) {
        float value = t->by_user.value[i];
        sum += (double)value;
        if (value < t->least) t->least = value;
        if (value > t->most) t->most = value;
    }
    t->mean = t->n_events ? sum / (double)t->n_events : 0;
    if (!t->n_events) t->least = t->most = 0;
    uint64_t head[3] = {(uint64_t)t->n_users, (uint64_t)t->n_items, (uint64_t)t->task};
    t->hash = hash_rows(hash_rows(pen__hash(head, sizeof head), &t->by_user), &t->history);
}

pen_status pen__train_build(const pen__log *log, const pen__parts *parts, unsigned parts_mask, int32_t task,
                            pen__train *out, pen_error *error)
{
    pen_context *ctx = log->ctx;
    *out = (pen__train){.ctx = ctx, .data = log->data, .task = task ? task : PEN_TASK_RANK};
    building b = {.log = log, .train = out};
    uint8_t *skip = NULL;
    int32_t *user = NULL;
    int64_t *shard = NULL, n_shards;
    pen_status status = PEN_OK;
    PEN_TRY_DONE(PEN_NEW(ctx, skip, log->n));
    PEN_TRY_DONE(PEN_NEW(ctx, user, log->n));
    for (int64_t i = 0; i < log->n; i++) skip[i] = !(parts_mask >> (parts ? parts->part[i] : PEN_PART_TRAIN) & 1);
    PEN_TRY_DONE(number_ids(ctx, log->user, skip, log->n, log->data->users.n, &out->user_number, &out->data_user,
                            &out->n_users, error));
    PEN_TRY_DONE(number_ids(ctx, log->item, skip, log->n, log->data->items.n, &out->item_number, &out->data_item,
                            &out->n_items, error));
    PEN_CHECK_DONE(out->n_users > 0, PEN_E_INPUT, "no event is left for training");
    for (int64_t i = 0; i < log->n; i++) user[i] = out->user_number[log->user[i]];
    PEN_TRY_DONE(pen__group(ctx, user, skip, log->n, out->n_users, &b.by_user, error));
    if (log->time) PEN_TRY_DONE(pen__groups_sort(&b.by_user, time_key, log, error));
    PEN_TRY_DONE(pen__groups_shards(&b.by_user, GRAIN, &shard, &n_shards, error));
    b.shard = shard;
    PEN_TRY_DONE(build_history(&b, n_shards, error));
    PEN_TRY_DONE(build_by_user(&b, n_shards, error));
    PEN_TRY_DONE(build_by_item(out, error));
    summarise(out);
done:
    pen__free(ctx, skip);
    pen__free(ctx, user);
    pen__free(ctx, shard);
    pen__groups_free(&b.by_user);
    if (status != PEN_OK) pen__train_free(out);
    return status;
}

/* ---- what only tables have --------------------------------------------------------------------------------------- */

static bool has_value(const pen__column *c, int64_t row)
{
    switch (c->type) {
    case PEN_COLUMN_CATEGORY: return c->code[row] >= 0;
    case PEN_COLUMN_CATEGORIES: return c->begin[row + 1] > c->begin[row];
    case PEN_COLUMN_TEXT: return pen__strings_at(&c->words, row).length > 0;
    default: return !isnan(c->number[row * (c->type == PEN_COLUMN_VECTOR ? c->width : 1)]);
    }
}

static bool has_row(const pen__table *table, int64_t row)
{
    for (int32_t c = 0; c < table->n_columns; c++)
        if (has_value(&table->column[c], row)) return true;
    return false;
}

/* One more empty row of a matrix for each number. */
static pen_status add_empty_rows(pen_context *ctx, pen__rows *rows, int64_t n, pen_error *error)
{
    size_t cap = (size_t)rows->n_rows + 1;
    PEN_TRY(PEN_GROW(ctx, rows->begin, &cap, (size_t)n + 1));
    for (int64_t r = rows->n_rows; r < n; r++) rows->begin[r + 1] = rows->begin[r];
    rows->n_rows = n;
    return PEN_OK;
}

/* Numbers for the table's ids that have none and that no filter dropped: `in_data` are the data set's events, `in_log`
 * those that are left. */
static pen_status number_rest(pen_context *ctx, const pen__table *table, const int32_t *in_data, int64_t n_data,
                              const int32_t *in_log, int64_t n_log, int32_t *number, int32_t **data_id,
                              int32_t *n_numbers, pen_error *error)
{
    uint8_t *dropped;
    size_t cap = (size_t)*n_numbers;
    if (!table->rows) return PEN_OK;
    PEN_TRY(PEN_NEW_ZERO(ctx, dropped, table->rows));
    for (int64_t e = 0; e < n_data; e++) dropped[in_data[e]] = 1;
    for (int64_t e = 0; e < n_log; e++) dropped[in_log[e]] = 0;
    pen_status status = PEN_OK;
    for (int64_t k = 0; k < table->rows && status == PEN_OK; k++) {
        if (number[k] >= 0 || dropped[k] || !has_row(table, k)) continue;
        status = PEN_GROW(ctx, *data_id, &cap, (size_t)*n_numbers + 1);
        if (status == PEN_OK) (*data_id)[*n_numbers] = (int32_t)k, number[k] = (*n_numbers)++;
    }
    pen__free(ctx, dropped);
    return status;
}

pen_status pen__train_widen(pen__train *t, const pen__log *log, bool users, bool items, pen_error *error)
{
    const pen_dataset *d = log->data;
    int32_t n_users = t->n_users, n_items = t->n_items;
    if (users)
        PEN_TRY(number_rest(t->ctx, &d->user_table, d->user, d->n_events, log->user, log->n, t->user_number,
                            &t->data_user, &t->n_users, error));
    if (items)
        PEN_TRY(number_rest(t->ctx, &d->item_table, d->item, d->n_events, log->item, log->n, t->item_number,
                            &t->data_item, &t->n_items, error));
    t->n_beside_users = t->n_users - n_users, t->n_beside_items = t->n_items - n_items;
    if (!t->n_beside_users && !t->n_beside_items) return PEN_OK;
    PEN_TRY(add_empty_rows(t->ctx, &t->by_user, t->n_users, error));
    PEN_TRY(add_empty_rows(t->ctx, &t->history, t->n_users, error));
    PEN_TRY(add_empty_rows(t->ctx, &t->by_item, t->n_items, error));
    const uint64_t wider[3] = {t->hash, pen__hash(t->data_user, (size_t)t->n_users * sizeof *t->data_user),
                               pen__hash(t->data_item, (size_t)t->n_items * sizeof *t->data_item)};
    t->hash = pen__hash(wider, sizeof wider);
    return PEN_OK;
}

void pen__train_free(pen__train *train)
{
    pen_context *ctx = train->ctx;
    if (!ctx) return;
    pen__free(ctx, train->data_user);
    pen__free(ctx, train->data_item);
    pen__free(ctx, train->user_number);
    pen__free(ctx, train->item_number);
    pen__rows_free(ctx, &train->by_user);
    pen__rows_free(ctx, &train->by_item);
    pen__rows_free(ctx, &train->history);
    *train = (pen__train){0};
}
