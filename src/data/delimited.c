/* Delimited text: the fast way. A field that begins within eight readable bytes of its delimiter or line's end is found by
 * one 64-bit comparison of all eight (Mycroft's zero-byte test, exact for the first hit); longer fields go on eight bytes
 * at a time. A field that opens with a quote, and a delimiter of several bytes, take the careful way of fields.c. */
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
static const char *find_stop(const char *at, const char *end, const char *readable_end, uint64_t delimiters, char delimiter)
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

static pen_status parse_rows(parser *p)
{
    pen__rows *rows = p->rows;
    const pen__layout *layout = rows->layout;
    const char *at = rows->block->text, *const end = rows->block->end, *const readable_end = rows->block->readable_end;
    const bool simple = layout->delimiter_length == 1;
    const char delimiter = layout->delimiter[0];
    const uint64_t delimiters = 0x0101010101010101u * (unsigned char)delimiter, feeds = 0x0101010101010101u * '\n';
    const int32_t n_columns = layout->n_columns;
    const int32_t *const role_of = layout->role;
    const char *next;
    while (at < end) {
        const char *record = at;
        if ((unsigned char)*at <= ' ' || layout->comment_length)
            if (pen__line_is_empty(layout, at, end, &next)) {
                at = next;
                continue;
            }
        int32_t c = 0;
        for (bool last = false; !last; c++) {
            int32_t role = c < n_columns ? role_of[c] : -1;
            if (!simple || (at < end && *at == '"')) {
                PEN_TRY(careful_field(p, &at, role, &last));
                continue;
            }
            const char *stop;
            uint64_t word, hit;
            if (at + 8 <= readable_end && (word = load8(at), hit = zero_bytes(word ^ delimiters) | zero_bytes(word ^ feeds))) {
                stop = at + __builtin_ctzll(hit) / 8;
                if (stop > end) stop = end;
            } else
                stop = find_stop(at, end, readable_end, delimiters, delimiter);
            size_t length = (size_t)(stop - at);
            last = stop >= end || *stop == '\n';
            if (last && length && at[length - 1] == '\r') length--;
            if (role >= 0) p->field[role] = (pen__span){at, length};
            at = stop < end ? stop + 1 : end;
        }
        int fault = c <= layout->last_column ? PEN_ROW_FEW : c > n_columns ? PEN_ROW_MANY : pen__rows_put(rows, p->field, record);
        if (fault) PEN_TRY(pen__rows_fault(rows, fault, p->field, record, c));
        if (rows->source) {
            memset(p->source, 0, sizeof p->source);
            rows->source = NULL;
        }
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
