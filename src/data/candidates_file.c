/* Candidates from a file: lines `user target item item ...`, ids apart by blanks or tabs, the form in which papers ship
 * theirs; plain, gzip or zstd.
 *
 * Each line is a case of its own: that target among that line's items. Lines of users or targets that are not tested
 * are passed over and counted; a user without a line is left out and counted.
 */
#include <string.h>

#include "base/stream.h"
#include "data/cases_impl.h"

enum { BLOCK = 1 << 20 };

/* One line that became a case. */
typedef struct line {
    int64_t of;         /* the case it came from */
    int64_t target;     /* place of the target in cases->target */
    int64_t begin, end; /* of its items, the target among them */
} line;

typedef struct reading {
    pen__cases *cases;
    const pen__train *train;
    int64_t *case_of; /* data user -> case or -1 */
    int64_t *stamp;   /* item -> the last line that had it */
    line *line;
    size_t n_lines, cap_lines;
    int32_t *item;
    size_t n_items, cap_items;
    int64_t row, not_tested, unknown;
} reading;

static bool next_word(pen__span *rest, pen__span *word)
{
    const char *at = rest->text, *end = at + rest->length;
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r')) at++;
    const char *from = at;
    while (at < end && *at != ' ' && *at != '\t' && *at != '\r') at++;
    *word = (pen__span){from, (size_t)(at - from)};
    *rest = (pen__span){at, (size_t)(end - at)};
    return word->length > 0;
}

static int32_t item_of(const reading *r, pen__span id)
{
    int32_t item = pen__strings_find(&r->train->data->items, id);
    return item < 0 ? -1 : r->train->item_number[item];
}

/* The place of `item` among the targets of case k, or -1. An unknown item (-1) stands for any unknown target. */
static int64_t find_target(const pen__cases *cases, int64_t k, int32_t item)
{
    for (int64_t at = cases->target.begin[k]; at < cases->target.begin[k + 1]; at++)
        if (cases->target.column[at] == item) return at;
    return -1;
}

/* An item counts once in a line, however often it stands there (NCF's lines may name the target among the others). */
static pen_status add_item(reading *r, int32_t item, pen_error *error)
{
    if (r->stamp[item] == r->row) return PEN_OK;
    r->stamp[item] = r->row;
    PEN_TRY(PEN_GROW(r->cases->ctx, r->item, &r->cap_items, r->n_items + 1));
    r->item[r->n_items++] = item;
    return PEN_OK;
}

static pen_status read_line(reading *r, const char *path, pen__span rest, pen_error *error)
{
    pen_context *ctx = r->cases->ctx;
    pen__span user, word;
    r->row++;
    if (!next_word(&rest, &user)) return PEN_OK;
    if (!next_word(&rest, &word))
        return pen__fail_at(error, PEN_E_INPUT, r->row,
                            "%.300s:%lld: a line of candidates is `user target item item ...`; this one has only "
                            "a user",
                            path, (long long)r->row);
    int32_t u = pen__strings_find(&r->train->data->users, user), target = item_of(r, word);
    int64_t k = u < 0 ? -1 : r->case_of[u], place = k < 0 ? -1 : find_target(r->cases, k, target);
    if (place < 0) {
        r->not_tested++;
        return PEN_OK;
    }
    PEN_TRY(PEN_GROW(ctx, r->line, &r->cap_lines, r->n_lines + 1));
    line *l = &r->line[r->n_lines++];
    *l = (line){.of = k, .target = place, .begin = (int64_t)r->n_items};
    if (target >= 0) PEN_TRY(add_item(r, target, error));
    while (next_word(&rest, &word)) {
        int32_t item = item_of(r, word);
        if (item >= 0) PEN_TRY(add_item(r, item, error));
        r->unknown += item < 0;
    }
    l->end = (int64_t)r->n_items;
    return PEN_OK;
}

/* Reads whole lines as they come; the piece behind the last line feed is carried over. Memory: the longest line. */
static pen_status read_lines(reading *r, const char *path, pen_error *error)
{
    pen_context *ctx = r->cases->ctx;
    pen__stream *in = NULL;
    char *buffer = NULL;
    size_t cap = 0, kept = 0, got;
    pen_status status = PEN_OK;
    PEN_TRY_DONE(pen__stream_open(ctx, path, &in, error));
    do {
        PEN_TRY_DONE(PEN_GROW(ctx, buffer, &cap, kept + BLOCK));
        PEN_TRY_DONE(pen__stream_read(in, buffer + kept, BLOCK, &got, error));
        size_t length = kept + got, at = 0;
        for (;;) {
            const char *end = memchr(buffer + at, '\n', length - at);
            if (!end && (got == BLOCK || at == length)) break; /* the end of the input ends a line, too */
            size_t n = end ? (size_t)(end - buffer) - at : length - at;
            PEN_TRY_DONE(read_line(r, path, (pen__span){buffer + at, n}, error));
            at += n + (end != NULL);
            if (!end) break;
        }
        kept = length - at;
        memmove(buffer, buffer + at, kept);
    } while (got == BLOCK);
done:
    pen__free(ctx, buffer);
    pen__stream_close(in);
    return status;
}

/* The lines' cases, each with a copy of its user's history. */
static pen_status make_cases(const reading *r, pen__cases *out, pen_error *error)
{
    const pen__cases *from = r->cases;
    int64_t n = (int64_t)r->n_lines, n_history = 0;
    *out = (pen__cases){.ctx = from->ctx, .n = n, .keep_seen = from->keep_seen};
    for (int64_t i = 0; i < n; i++)
        n_history += from->history.begin[r->line[i].of + 1] - from->history.begin[r->line[i].of];
    PEN_TRY(PEN_NEW(out->ctx, out->user, n));
    PEN_TRY(PEN_NEW(out->ctx, out->data_user, n));
    pen__rows *rows[3] = {&out->target, &out->history, &out->candidate};
    int64_t entries[3] = {n, n_history, (int64_t)r->n_items};
    for (int k = 0; k < 3; k++) {
        rows[k]->n_rows = n;
        PEN_TRY(PEN_NEW_ZERO(out->ctx, rows[k]->begin, n + 1));
        PEN_TRY(PEN_NEW(out->ctx, rows[k]->column, entries[k]));
    }
    PEN_TRY(PEN_NEW(out->ctx, out->target.value, n));
    PEN_TRY(PEN_NEW(out->ctx, out->history.value, n_history));
    if (from->history.time) PEN_TRY(PEN_NEW(out->ctx, out->history.time, n_history));
    for (int64_t i = 0; i < n; i++) {
        const line *l = &r->line[i];
        int64_t begin = from->history.begin[l->of], length = from->history.begin[l->of + 1] - begin,
                to = out->history.begin[i];
        out->user[i] = from->user[l->of];
        out->data_user[i] = from->data_user[l->of];
        out->target.begin[i + 1] = i + 1;
        out->target.column[i] = from->target.column[l->target];
        out->target.value[i] = from->target.value[l->target];
        out->history.begin[i + 1] = to + length;
        out->candidate.begin[i + 1] = l->end;
        if (!length) continue;
        memcpy(out->history.column + to, from->history.column + begin, (size_t)length * sizeof *out->history.column);
        memcpy(out->history.value + to, from->history.value + begin, (size_t)length * sizeof *out->history.value);
        if (out->history.time)
            memcpy(out->history.time + to, from->history.time + begin, (size_t)length * sizeof *out->history.time);
    }
    if (r->n_items) memcpy(out->candidate.column, r->item, r->n_items * sizeof *r->item);
    return PEN_OK;
}

pen_status pen__candidates_file(pen__cases *cases, const pen__train *train, const char *path, pen__text *notes,
                                pen_error *error)
{
    pen_context *ctx = cases->ctx;
    reading r = {.cases = cases, .train = train};
    pen__cases made = {0};
    pen_status status = PEN_OK;
    PEN_TRY_DONE(PEN_NEW(ctx, r.case_of, train->data->users.n));
    for (int64_t u = 0; u < train->data->users.n; u++) r.case_of[u] = -1;
    for (int64_t k = 0; k < cases->n; k++) r.case_of[cases->data_user[k]] = k;
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, r.stamp, train->n_items));
    PEN_TRY_DONE(read_lines(&r, path, error));
    PEN_CHECK_DONE(r.n_lines > 0, PEN_E_INPUT,
                   "%.300s: none of %lld lines (user target item item ...) names a tested user and one of the "
                   "user's test items",
                   path, (long long)r.row);
    PEN_TRY_DONE(make_cases(&r, &made, error));
    int64_t with = 0;
    for (int64_t i = 0; i < made.n; i++)
        with += r.case_of[made.data_user[i]] >= 0 ? (r.case_of[made.data_user[i]] = -1, 1) : 0;
    pen__text_puts(notes, ", \"candidates\": {\"file\": ");
    pen__text_json(notes, path, strlen(path));
    pen__text_printf(
        notes, ", \"cases\": %lld, \"users_without_line\": %lld, \"lines_not_tested\": %lld, \"unknown_items\": %lld}",
        (long long)made.n, (long long)(cases->n - with), (long long)r.not_tested, (long long)r.unknown);
    pen__cases_free(cases);
    *cases = made;
    made = (pen__cases){0};
done:
    pen__cases_free(&made);
    pen__free(ctx, r.case_of);
    pen__free(ctx, r.stamp);
    pen__free(ctx, r.line);
    pen__free(ctx, r.item);
    return status;
}
