/* The row interface: what every reader hands its rows to.
 *
 * A reader is given blocks of whole records and puts each row as one span per role. The row is checked first, and only
 * then are its ids numbered, so that a bad row leaves no trace but its message. A block is parsed by one worker, into
 * its own part of the columns, with that worker's tables of ids.
 */
#ifndef PEN_DATA_ROWS_H
#define PEN_DATA_ROWS_H

#include "data/cells.h"
#include "data/dataset.h"
#include "data/ids.h"
#include "data/layout.h"

enum { PEN_BAD_KEPT = 5 };

/* The columns while they are read: local numbers, or what was parsed. NULL where there is no such column. */
typedef struct pen__columns {
    int32_t *user, *item;
    float *value;
    int64_t *time;
    int16_t *event;
    int32_t **context;
} pen__columns;

typedef struct pen__block {
    const char *text, *end;   /* whole records */
    const char *readable_end; /* bytes up to here may be loaded */
    int64_t index;            /* rising over all blocks of the reading */
    int64_t first_line;       /* of `text`, from 1 */
    int64_t n_lines, room;    /* line feeds; rows that fit */
    int64_t at;               /* where its rows begin in the columns */
    int64_t n_rows;
    int64_t skipped, blank_ids, missing_times, negative_values, odd_quotes;
    int worker, n_bad;
    char *bad[PEN_BAD_KEPT]; /* messages of the first bad rows */
} pen__block;

enum pen__fault {
    PEN_ROW_FINE = 0,
    PEN_ROW_BLANK_USER,
    PEN_ROW_BLANK_ITEM,
    PEN_ROW_VALUE,
    PEN_ROW_TIME,
    PEN_ROW_ID,     /* a NUL byte or invalid UTF-8 in an id, an event type or a context: fault_role, id_fault */
    PEN_ROW_FAILED, /* not the row's fault: error is filled */
    PEN_ROW_FEW,    /* columns */
    PEN_ROW_MANY,
    PEN_ROW_JSON
};

/* A row that is checked and whose ids are not numbered yet. */
typedef struct pen__pending {
    pen__span user, item;
    uint64_t user_tag, item_tag;
    const char *record;
} pen__pending;

enum { PEN_BATCH = 32 }; /* rows whose ids are looked up together, so that their cache misses overlap */

typedef struct pen__rows {
    pen_context *ctx;
    const pen__layout *layout;
    const char *name; /* of the file */
    pen__block *block;
    pen__ids *ids; /* of the worker, by role */
    pen__columns to;
    int64_t n;
    int32_t n_pending;
    bool one_by_one;   /* there are event types or context columns: rows are not kept back */
    uint64_t last_tag; /* of the user before, where it is short */
    int32_t last_user;
    int fault_role, id_fault;
    const char *const *source; /* where fields stand in the text that were unquoted elsewhere; by role, or NULL */
    pen_error *error;
    pen__pending pending[PEN_BATCH];
} pen__rows;

/* How a form of input is read. */
typedef struct pen__reader {
    const char *name;
    /* an upper bound on the block's rows, and its line feeds */
    void (*count)(const pen__layout *layout, pen__block *block);
    pen_status (*parse)(pen__rows *rows);
} pen__reader;

extern const pen__reader pen__reader_delimited, pen__reader_jsonl, pen__reader_lists;

/* What to do about a bad row whose record begins at `record`: fail with its message, or count it. */
pen_status pen__rows_fault(pen__rows *rows, int fault, const pen__span *field, const char *record, int32_t n_fields);

/* A message at a place of the block: "file:line:column: ". */
pen_status pen__rows_fail_at(pen__rows *rows, const char *record, const char *at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Line feeds in [text, end). */
int64_t pen__count_byte(const char *text, const char *end, char byte);

/* Numbers the ids of the rows that were kept back. Every reader calls it last; the spans of a row must live until then.
 */
pen_status pen__rows_flush(pen__rows *rows);

/* The slow half of put: event types and context columns of the row that was just put. */
int pen__rows_put_rest(pen__rows *rows, const pen__span *field);

static inline bool pen__parse_value(pen__span text, bool decimal_comma, float *out)
{
    if (text.length == 1 && (unsigned char)(text.text[0] - '0') < 10) { /* a star rating, a count of one */
        *out = (float)(text.text[0] - '0');
        return true;
    }
    double value;
    if (!pen__parse_number(text, decimal_comma, &value)) return false;
    if (!(value >= -3.4028234663852886e38 && value <= 3.4028234663852886e38)) return false;
    *out = (float)value;
    return true;
}

/* Adds one row; field[role] for all roles of the layout, text NULL where the row has none. A pen__fault. Faults of its
 * ids may come to light only at the flush, which reports them. */
static inline int pen__rows_put(pen__rows *rows, const pen__span *field, const char *record)
{
    const pen__layout *layout = rows->layout;
    const char *readable_end = rows->block->readable_end;
    pen__span user = field[PEN_ROLE_USER], item = field[PEN_ROLE_ITEM];
    int64_t n = rows->n + rows->n_pending;
    if (!user.length || (user.text[0] <= ' ' && pen__is_blank(user))) return PEN_ROW_BLANK_USER;
    if (!item.length || (item.text[0] <= ' ' && pen__is_blank(item))) return PEN_ROW_BLANK_ITEM;
    if (rows->to.value && !pen__parse_value(field[PEN_ROLE_VALUE], layout->decimal_comma, &rows->to.value[n]))
        return PEN_ROW_VALUE;
    if (rows->to.time) {
        pen__span time = field[PEN_ROLE_TIME];
        if (!time.length || pen__is_blank(time))
            rows->to.time[n] = PEN_TIME_MISSING;
        else if (!pen__parse_time(time, layout->time_unit, layout->decimal_comma, &rows->to.time[n]))
            return PEN_ROW_TIME;
    }
    pen__pending *p = &rows->pending[rows->n_pending++];
    *p = (pen__pending){user, item, pen__id_tag(user.text, user.length, readable_end),
                        pen__id_tag(item.text, item.length, readable_end), record};
    __builtin_prefetch(pen__ids_slot(&rows->ids[PEN_ROLE_USER], p->user_tag));
    __builtin_prefetch(pen__ids_slot(&rows->ids[PEN_ROLE_ITEM], p->item_tag));
    if (rows->one_by_one) return pen__rows_put_rest(rows, field);
    if (rows->n_pending == PEN_BATCH && pen__rows_flush(rows) != PEN_OK) return PEN_ROW_FAILED;
    return PEN_ROW_FINE;
}

#endif
