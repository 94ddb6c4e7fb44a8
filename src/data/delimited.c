/* Delimited text: the fast way. A field that begins within eight readable bytes of its delimiter or line's end is found
 * by one 64-bit comparison of all eight (Mycroft's zero-byte test, exact for the first hit); longer fields go on eight
 * bytes at a time. A field that opens with a quote, and a delimiter of several bytes, take the careful way of fields.c.
 */
#include <string.h>

#include "data/rows.h"

static uint64_t load8(const char *at)
{
    uint64_t word;
    memcpy(&word, at, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static uint64_t zero_bytes(uint64_t v) { return (v - 0x0101010101010101u) & ~v & 0x8080808080808080u; }

/* The first delimiter or line feed at or after `at`, or `end`. */
static const char *find_stop(const char *at, const char *end, const char *readable_end, uint64_t delimiters,
                             char delimiter)
{
    const uint64_t feeds = 0x0101010101010101u * '\n';
    for (; at + 8 <= readable_end; at += 8) {
        uint64_t word = load8(at), hit = zero_bytes(word ^ delimiters) | zero_bytes(word ^ feeds);
        if (hit) {
            at += __builtin_ctzll(hit) / 8;
            return at < end ? at : end;
        }
        if (at >= end) return end;
    }
    while (at < end && *at != delimiter && *at != '\n') at++;
    return at < end ? at : end;
}

/* Takes one quote of each doubled pair away, into `to`. */
static pen__span undouble(pen__span raw, char *to)
{
    size_t n = 0;
    for (size_t i = 0; i < raw.length; i++) {
        to[n++] = raw.text[i];
        if (raw.text[i] == '"') i++;
    }
    return (pen__span){to, n};
}

typedef struct parser {
    pen__rows *rows;
    pen__span field[PEN_MAX_ROLES];
    const char *source[PEN_MAX_ROLES];
    char *scratch; /* as large as the block, made when first needed: what quoting was taken from */
    size_t used;
} parser;

/* A field the careful way; returns where the next begins. */
static pen_status careful_field(parser *p, const char **at, int32_t role, bool *last)
{
    pen__rows *rows = p->rows;
    const pen__layout *layout = rows->layout;
    pen__field field;
    const char *start = *at;
    *at = pen__field_next(start, rows->block->end, layout->delimiter, layout->delimiter_length, &field);
    *last = field.last;
    rows->block->odd_quotes += !field.quoted && field.raw.length && field.raw.text[0] == '"';
    if (role < 0) return PEN_OK;
    p->field[role] = field.raw;
    if (!field.doubled) return PEN_OK;
    if (!p->scratch) {
        pen_error *error = rows->error;
        PEN_TRY(PEN_NEW(rows->ctx, p->scratch, rows->block->end - rows->block->text));
    }
    p->field[role] = undouble(field.raw, p->scratch + p->used);
    p->used += p->field[role].length;
    p->source[role] = start;
    rows->source = p->source;
    return PEN_OK;
}

/* One record that is no blank line, from *at, any way it may be written. */
static pen_status parse_record(parser *p, const char **from)
{
    pen__rows *rows = p->rows;
    const pen__layout *layout = rows->layout;
    const char *at = *from, *const record = at, *const end = rows->block->end,
               *const readable_end = rows->block->readable_end;
    const bool simple = layout->delimiter_length == 1;
    const char delimiter = layout->delimiter[0];
    const uint64_t delimiters = 0x0101010101010101u * (unsigned char)delimiter;
    const int32_t n_columns = layout->n_columns;
    int32_t c = 0;
    for (bool last = false; !last; c++) {
        int32_t role = c < n_columns ? layout->role[c] : -1;
        if (!simple || (at < end && *at == '"')) {
            PEN_TRY(careful_field(p, &at, role, &last));
            continue;
        }
        const char *stop = find_stop(at, end, readable_end, delimiters, delimiter);
        size_t length = (size_t)(stop - at);
        last = stop >= end || *stop == '\n';
        if (last && length && at[length - 1] == '\r') length--;
        if (role >= 0) p->field[role] = (pen__span){at, length};
        at = stop < end ? stop + 1 : end;
    }
    *from = at;
    int fault = c <= layout->last_column ? PEN_ROW_FEW
                : c > n_columns          ? PEN_ROW_MANY
                                         : pen__rows_put(rows, p->field, record);
    if (fault) PEN_TRY(pen__rows_fault(rows, fault, p->field, record, c));
    if (rows->source) {
        memset(p->source, 0, sizeof p->source);
        rows->source = NULL;
    }
    return PEN_OK;
}

/* ---- the commonest log: user, item, and perhaps value and time, in this order and nothing else ---- */

/* Whether a layout is of that kind. */
static bool is_common(const pen__rows *rows)
{
    const pen__layout *layout = rows->layout;
    int n = 2 + (rows->to.value != NULL) + (rows->to.time != NULL);
    return layout->delimiter_length == 1 && !layout->comment_length && !rows->one_by_one && !layout->decimal_comma &&
           layout->n_columns == n && layout->column[PEN_ROLE_USER] == 0 && layout->column[PEN_ROLE_ITEM] == 1 &&
           (!rows->to.value || layout->column[PEN_ROLE_VALUE] == 2) &&
           (!rows->to.time || (layout->column[PEN_ROLE_TIME] == n - 1 && layout->time_unit <= PEN_UNIT_MILLISECONDS));
}

/* The length of the id at `at`, up to 7 bytes and followed by `follower`, with its tag; 0 where it is not so plain. */
static inline size_t short_id(const char *at, uint64_t delimiters, char follower, uint64_t *tag)
{
    const uint64_t feeds = 0x0101010101010101u * '\n';
    uint64_t word = load8(at), hit = zero_bytes(word ^ delimiters) | zero_bytes(word ^ feeds);
    if (!hit) return 0;
    size_t n = (size_t)__builtin_ctzll(hit) / 8;
    if (at[n] != follower || (unsigned char)*at <= ' ' || *at == '"' || at[n - (n > 0)] == '\r') return 0;
    *tag = (word & ((1ull << 8 * n) - 1)) | (uint64_t)n << 56;
    return n;
}

/* A time of digits alone before a line's end; NULL where it is another. */
static inline const char *plain_time(const char *at, int unit, int64_t *time)
{
    int64_t value = 0;
    const char *begin = at;
    for (; (unsigned char)(*at - '0') < 10 && at - begin < 15; at++) value = value * 10 + (*at - '0');
    if (*at != '\n' || at == begin) return NULL;
    *time = unit == PEN_UNIT_SECONDS ? value * 1000 : value;
    return at;
}

/* Takes rows as long as they are plain; *at is then at the first that is not. 64 bytes of a row are always readable. */
static pen_status common_rows(pen__rows *rows, const char **from)
{
    enum { ROOM = 64 };
    const char *at = *from, *limit = rows->block->readable_end - ROOM;
    if (limit > rows->block->end) limit = rows->block->end;
    const char delimiter = rows->layout->delimiter[0];
    const uint64_t delimiters = 0x0101010101010101u * (unsigned char)delimiter;
    const int unit = rows->layout->time_unit;
    const char behind_item = rows->to.value || rows->to.time ? delimiter : '\n',
               behind_value = rows->to.time ? delimiter : '\n';
    float *const value = rows->to.value;
    int64_t *const time = rows->to.time;
    pen_status status = PEN_OK;
    while (at < limit && status == PEN_OK) {
        pen__pending *p = &rows->pending[rows->n_pending];
        int64_t n = rows->n + rows->n_pending;
        size_t length = short_id(at, delimiters, delimiter, &p->user_tag);
        if (!length) break;
        p->record = at;
        p->user = (pen__span){at, length};
        const char *item = at + length + 1, *next;
        length = short_id(item, delimiters, behind_item, &p->item_tag);
        if (!length) break;
        p->item = (pen__span){item, length};
        next = item + length + 1;
        if (value) {
            uint64_t tag;
            length = short_id(next, delimiters, behind_value, &tag);
            if (!length || !pen__parse_value((pen__span){next, length}, false, &value[n])) break;
            next += length + 1;
        }
        if (time) {
            const char *stop = plain_time(next, unit, &time[n]);
            if (!stop) break;
            next = stop + 1;
        }
        __builtin_prefetch(pen__ids_slot(&rows->ids[PEN_ROLE_USER], p->user_tag));
        __builtin_prefetch(pen__ids_slot(&rows->ids[PEN_ROLE_ITEM], p->item_tag));
        at = next;
        if (++rows->n_pending == PEN_BATCH) status = pen__rows_flush(rows);
    }
    *from = at;
    return status;
}

static pen_status parse_rows(parser *p)
{
    pen__rows *rows = p->rows;
    const char *at = rows->block->text, *const end = rows->block->end, *next;
    const bool common = is_common(rows), comments = rows->layout->comment_length > 0;
    while (at < end) {
        if (common) PEN_TRY(common_rows(rows, &at));
        if (at >= end) break;
        if (((unsigned char)*at <= ' ' || comments) && pen__line_is_empty(rows->layout, at, end, &next))
            at = next;
        else
            PEN_TRY(parse_record(p, &at));
    }
    return pen__rows_flush(rows);
}

static pen_status parse(pen__rows *rows)
{
    parser p;
    p.rows = rows;
    p.scratch = NULL;
    p.used = 0;
    memset(p.field, 0, sizeof p.field);
    memset(p.source, 0, sizeof p.source);
    pen_status status = parse_rows(&p);
    pen__free(rows->ctx, p.scratch);
    return status;
}

static void count(const pen__layout *layout, pen__block *block)
{
    (void)layout;
    block->n_lines = pen__count_byte(block->text, block->end, '\n');
    block->room = block->n_lines + (block->end > block->text && block->end[-1] != '\n');
}

const pen__reader pen__reader_delimited = {.name = "delimited", .count = count, .parse = parse};
