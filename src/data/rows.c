/* Rows: event types and context, and what is said about a bad row. */
#include "data/rows.h"

#include <stdarg.h>
#include <stdio.h>

int64_t pen__count_byte(const char *text, const char *end, char byte)
{
    int64_t count = 0;
    while (end - text >= 128) { /* sums of bytes, which the compiler makes vectors of */
        size_t groups = (size_t)(end - text) / 64;
        if (groups > 255) groups = 255;
        uint8_t sum[64] = {0};
        for (size_t g = 0; g < groups; g++, text += 64)
            for (int i = 0; i < 64; i++) sum[i] = (uint8_t)(sum[i] + (text[i] == byte));
        for (int i = 0; i < 64; i++) count += sum[i];
    }
    for (; text < end; text++) count += *text == byte;
    return count;
}

/* The ids of one kept-back row; a pen__id_fault, or 0. */
static int number_ids(pen__rows *rows, const pen__pending *p, int64_t n)
{
    int64_t place = rows->block->index << 32 | n;
    if (p->user.length > 7 || p->user_tag != rows->last_tag) {
        int32_t number = pen__ids_tagged(&rows->ids[PEN_ROLE_USER], p->user, p->user_tag, place, rows->error);
        if (number < 0) return rows->fault_role = PEN_ROLE_USER, number;
        rows->last_tag = p->user_tag;
        rows->last_user = number;
    }
    int32_t number = pen__ids_tagged(&rows->ids[PEN_ROLE_ITEM], p->item, p->item_tag, place, rows->error);
    if (number < 0) return rows->fault_role = PEN_ROLE_ITEM, number;
    rows->to.user[n] = rows->last_user;
    rows->to.item[n] = number;
    return 0;
}

pen_status pen__rows_flush(pen__rows *rows)
{
    int64_t from = rows->n;
    int32_t n_pending = rows->n_pending;
    rows->n_pending = 0;
    for (int32_t i = 0; i < n_pending; i++) {
        const pen__pending *p = &rows->pending[i];
        int64_t n = rows->n;
        if (n != from + i) { /* a row before it was bad */
            if (rows->to.value) rows->to.value[n] = rows->to.value[from + i];
            if (rows->to.time) rows->to.time[n] = rows->to.time[from + i];
        }
        rows->id_fault = number_ids(rows, p, n);
        if (!rows->id_fault) {
            rows->n++;
            continue;
        }
        pen__span field[PEN_MAX_ROLES] = {[PEN_ROLE_USER] = p->user, [PEN_ROLE_ITEM] = p->item};
        const char *const *source = rows->source; /* of the row at hand, not of this one */
        rows->source = NULL;
        pen_status status = pen__rows_fault(rows, PEN_ROW_ID, field, p->record, 0);
        rows->source = source;
        PEN_TRY(status);
    }
    return PEN_OK;
}

int pen__rows_put_rest(pen__rows *rows, const pen__span *field)
{
    const char *readable_end = rows->block->readable_end;
    int64_t n = rows->n, place = rows->block->index << 32 | n;
    if (pen__rows_flush(rows) != PEN_OK) return PEN_ROW_FAILED;
    if (rows->n == n) return PEN_ROW_FINE; /* it was bad, and that was told */
    for (int role = PEN_ROLE_EVENT; role < rows->layout->n_roles; role++) {
        bool event = role == PEN_ROLE_EVENT;
        if (event && !rows->to.event) continue;
        int32_t number = -1;
        if (field[role].length && !pen__is_blank(field[role])) {
            number = pen__ids_number(&rows->ids[role], field[role], readable_end, place, rows->error);
            if (number < 0) return rows->n = n, rows->fault_role = role, rows->id_fault = number, PEN_ROW_ID;
        }
        if (!event) {
            rows->to.context[role - PEN_ROLE_CONTEXT][n] = number;
            continue;
        }
        if (number > INT16_MAX) {
            pen__fail(rows->error, PEN_E_LIMIT,
                      "%s: the event column has over %d different types; it looks like another column (--event-column)",
                      rows->name, INT16_MAX);
            return PEN_ROW_FAILED;
        }
        rows->to.event[n] = (int16_t)number;
    }
    return PEN_ROW_FINE;
}

static int64_t line_of(const pen__rows *rows, const char *at)
{
    return rows->block->first_line + pen__count_byte(rows->block->text, at, '\n');
}

/* "file:line:column: message", either as the failure or among the block's bad rows. */
static pen_status tell(pen__rows *rows, const char *record, const char *at, const char *message)
{
    pen__block *block = rows->block;
    int64_t line = line_of(rows, record), column = (at >= record ? at - record : 0) + 1;
    if (!rows->layout->skip_bad_rows)
        return pen__fail_at(rows->error, PEN_E_INPUT, line, "%s:%lld:%lld: %s", rows->name, (long long)line,
                            (long long)column, message);
    block->skipped++;
    if (block->n_bad == PEN_BAD_KEPT) return PEN_OK;
    pen__text text = {.ctx = rows->ctx};
    pen__text_printf(&text, "%s:%lld:%lld: %s", rows->name, (long long)line, (long long)column, message);
    if (text.failed) {
        pen__text_free(&text);
        return pen__fail(rows->error, PEN_E_MEMORY, "out of memory for the messages of bad rows");
    }
    block->bad[block->n_bad++] = text.bytes;
    return PEN_OK;
}

pen_status pen__rows_fail_at(pen__rows *rows, const char *record, const char *at, const char *format, ...)
{
    char message[700];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (rows->n_pending) PEN_TRY(pen__rows_flush(rows));
    return tell(rows, record, at, message);
}

/* A cell as it can be shown: short, and without what would break a line. */
static const char *shown(pen__span cell, char *buffer, size_t size)
{
    size_t n = 0, most = size - 4;
    for (size_t i = 0; i < cell.length && n < most; i++)
        buffer[n++] = (unsigned char)cell.text[i] < ' ' ? '?' : cell.text[i];
    while (n && cell.length > n && ((unsigned char)cell.text[n] & 0xC0) == 0x80) n--; /* not within a character */
    if (n < cell.length) memcpy(buffer + n, "...", 3), n += 3;
    buffer[n] = 0;
    return buffer;
}

static pen_status tell_value(pen__rows *rows, pen__span cell, const char *record, const char *at)
{
    char buffer[64];
    double value;
    shown(cell, buffer, sizeof buffer);
    bool comma = rows->layout->decimal_comma;
    if (!cell.text || pen__is_blank(cell))
        return pen__rows_fail_at(rows, record, at,
                                 "the value is empty; allowed is a number (--on-error skip passes such rows over; "
                                 "--value-column \"\" reads none)");
    if (pen__parse_number(cell, comma, &value))
        return pen__rows_fail_at(
            rows, record, at,
            "value \"%s\" is not a finite number within 3.4e38; correct it or skip it (--on-error skip)", buffer);
    if (pen__parse_number(cell, !comma, &value))
        return pen__rows_fail_at(rows, record, at, "value \"%s\" is not a number (%s)", buffer,
                                 comma ? "a decimal point? leave --decimal-comma out"
                                       : "a decimal comma? pass --decimal-comma");
    return pen__rows_fail_at(
        rows, record, at,
        "value \"%s\" is not a number; correct it, skip it (--on-error skip) or name the right column (--value-column)",
        buffer);
}

static pen_status tell_id(pen__rows *rows, pen__span cell, const char *record, const char *at)
{
    if (rows->id_fault == PEN_ID_FAILED) return rows->error ? (pen_status)rows->error->code : PEN_E_MEMORY;
    const char *word = pen__role_word(rows->fault_role);
    if (rows->id_fault == PEN_ID_NUL)
        return pen__rows_fail_at(rows, record, at,
                                 "the %s holds a NUL byte; is the file text, and not UTF-16 or binary? remove it or "
                                 "skip it (--on-error skip)",
                                 word);
    size_t byte = pen__utf8_invalid(cell.text, cell.length);
    return pen__rows_fail_at(rows, record, at,
                             "the %s is not UTF-8: byte 0x%02X at its byte %zu (from 0); if the file is latin1 or "
                             "cp1252, pass --encoding latin1 "
                             "or --encoding cp1252",
                             word, (unsigned char)cell.text[byte], byte);
}

pen_status pen__rows_fault(pen__rows *rows, int fault, const pen__span *field, const char *record, int32_t n_fields)
{
    if (rows->n_pending) PEN_TRY(pen__rows_flush(rows)); /* what stands before it is told first */
    const pen__layout *layout = rows->layout;
    const pen__block *block = rows->block;
    int role = fault == PEN_ROW_BLANK_USER   ? PEN_ROLE_USER
               : fault == PEN_ROW_BLANK_ITEM ? PEN_ROLE_ITEM
               : fault == PEN_ROW_VALUE      ? PEN_ROLE_VALUE
               : fault == PEN_ROW_TIME       ? PEN_ROLE_TIME
               : fault == PEN_ROW_ID         ? rows->fault_role
                                             : PEN_ROLE_USER;
    pen__span cell = field[role];
    const char *at = cell.text;
    if (rows->source && rows->source[role]) at = rows->source[role];
    if (!at || at < block->text || at > block->end) at = record;
    if (at > record && at[-1] == '"') at--; /* a field's column is that of its opening quote */
    char buffer[64];
    switch (fault) {
    case PEN_ROW_BLANK_USER:
    case PEN_ROW_BLANK_ITEM:
        rows->block->blank_ids++;
        return pen__rows_fail_at(rows, record, at,
                                 "the %s is blank; allowed is any text; correct it or skip it (--on-error skip)",
                                 pen__role_word(role));
    case PEN_ROW_VALUE: return tell_value(rows, cell, record, at);
    case PEN_ROW_TIME:
        return pen__rows_fail_at(
            rows, record, at,
            "time \"%s\" is not in %s%s; correct it or pass --time-format "
            "seconds|milliseconds|microseconds|nanoseconds|iso8601 (--time-column \"\" reads none)",
            shown(cell, buffer, sizeof buffer), pen__time_units[layout->time_unit],
            layout->time_guessed ? " as the first rows are" : "");
    case PEN_ROW_ID: return tell_id(rows, cell, record, at);
    case PEN_ROW_FEW:
        return pen__rows_fail_at(rows, record, at, "the row has %d column%s; the %s has %d, and column %d is needed",
                                 n_fields, n_fields == 1 ? "" : "s", layout->header ? "header" : "first row",
                                 layout->n_columns, layout->last_column + 1);
    case PEN_ROW_MANY:
        return pen__rows_fail_at(
            rows, record, record,
            "the row has %d columns; the %s has %d (a delimiter within a field needs quotes around the field)",
            n_fields, layout->header ? "header" : "first row", layout->n_columns);
    default: return rows->error && rows->error->code ? (pen_status)rows->error->code : PEN_E_MEMORY;
    }
}
