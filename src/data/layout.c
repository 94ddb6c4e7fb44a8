/* Guessing how a text is laid out. Everything is decided from the options and the first bytes, so that a file, its
 * compressed form and a pipe are read alike. A guess is made only where one reading is likely; two columns for one role
 * are refused with the option that settles it, and a price or a quantity is never taken for a value. */
#include "data/layout.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/strings.h"
#include "data/cells.h"
#include "data/encoding.h"
#include "data/json.h"
#include "data/roles.h"

const char *const pen__input_names[] = {"delimited", "atomic", "jsonl", "lists", NULL};
const char *const pen__encoding_names[] = {"utf-8", "latin1", "cp1252", NULL};

enum { MOST_BLANK_COLUMNS = 8 };

/* What the guesses look at: some records of the sample as fields. */
typedef struct sample {
    const char *name; /* of the file */
    pen__span text;
    bool all;
    int64_t first_line;
    const pen_read_options *options;
} sample;

static bool has_ending(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    if (n > 3 && !strcasecmp(name + n - 3, ".gz")) n -= 3;
    if (n > 4 && !strcasecmp(name + n - 4, ".zst")) n -= 4;
    return n >= m && !strncasecmp(name + n - m, ending, m);
}

/* The index of `asked` in a NULL-terminated list; an unknown one names the nearest. */
static pen_status choose(const char *option, const char *asked, const char *const *names, int *out, pen_error *error)
{
    int n = 0;
    for (; names[n]; n++)
        if (!strcasecmp(asked, names[n])) return *out = n, PEN_OK;
    int nearest = pen__nearest_name(pen__span_of(asked), names, (size_t)n, sizeof *names);
    char list[256] = "";
    for (int i = 0; i < n; i++) {
        strncat(list, i ? ", " : "", sizeof list - strlen(list) - 1);
        strncat(list, names[i], sizeof list - strlen(list) - 1);
    }
    if (nearest >= 0)
        return pen__fail(error, PEN_E_UNKNOWN, "%s '%s' is not known; did you mean '%s'? (%s)", option, asked,
                         names[nearest], list);
    return pen__fail(error, PEN_E_UNKNOWN, "%s '%s' is not known; there are: %s", option, asked, list);
}

/* ---- the delimiter ---- */

static int count_fields(const char **at, const char *end, const char *delimiter, size_t n)
{
    int count = 0;
    pen__field field;
    do {
        *at = pen__field_next(*at, end, delimiter, n, &field);
        count++;
    } while (!field.last && count < 2 * PEN_MAX_COLUMNS);
    return count;
}

/* Fields of the sample's records under a delimiter. */
typedef struct measured {
    int first, least, most;
    int alike; /* records with as many as the first */
} measured;

static measured measure(const sample *s, const pen__layout *layout, const char *delimiter)
{
    const char *at = s->text.text, *end = at + s->text.length, *next;
    measured m = {0};
    for (int rows = 0; at < end && rows < PEN_SAMPLE_ROWS; rows++) {
        if (pen__line_is_empty(layout, at, end, &next)) {
            at = next;
            continue;
        }
        next = at;
        int n = count_fields(&next, end, delimiter, strlen(delimiter));
        if (next == end && !s->all && m.first) break; /* cut short by the sample's end */
        if (!m.first) m.first = m.least = n;
        m.least = n < m.least ? n : m.least;
        m.most = n > m.most ? n : m.most;
        m.alike += n == m.first;
        at = next;
    }
    return m;
}

static const char *const candidates[] = {"\t", "::", ",", ";", "|", " "};

/* The candidate that parts the first row and gives the most rows as many fields as that one; the earlier of two. */
static const char *guess_delimiter(const sample *s, const pen__layout *layout)
{
    const char *best = NULL;
    int most = 0;
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        measured m = measure(s, layout, candidates[i]);
        if (m.first > 1 && m.alike > most) best = candidates[i], most = m.alike;
    }
    return best;
}

static bool is_atomic_type(pen__span text)
{
    return pen__span_is(text, "token") || pen__span_is(text, "token_seq") || pen__span_is(text, "float") ||
           pen__span_is(text, "float_seq");
}

static pen__span atomic_type(pen__span name)
{
    const char *colon = name.length ? memrchr(name.text, ':', name.length) : NULL;
    if (!colon) return (pen__span){NULL, 0};
    pen__span type = {colon + 1, (size_t)(name.text + name.length - colon - 1)};
    return is_atomic_type(type) ? type : (pen__span){NULL, 0};
}

static bool all_atomic(pen__span line)
{
    const char *at = line.text, *end = at + line.length;
    pen__field field = {0};
    while (!field.last) {
        at = pen__field_next(at, end, "\t", 1, &field);
        if (!atomic_type(field.raw).text) return false;
    }
    return true;
}

static pen__span first_line(const sample *s, const pen__layout *layout)
{
    const char *at = s->text.text, *end = at + s->text.length, *next;
    while (at < end && pen__line_is_empty(layout, at, end, &next)) at = next;
    const char *stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    return (pen__span){at, (size_t)((stop ? stop : end) - at)};
}

static bool is_number(pen__span text, bool decimal_comma)
{
    double value;
    return pen__parse_number(text, decimal_comma, &value);
}

/* Whether the rows are words parted by blanks alone, and different in number or more than a log has columns: lists. */
static bool looks_like_lists(const sample *s, const pen__layout *layout)
{
    for (size_t i = 0; i + 1 < sizeof candidates / sizeof *candidates; i++)
        if (measure(s, layout, candidates[i]).most > 1) return false;
    measured m = measure(s, layout, " ");
    return m.most > 1 && (m.least != m.most || m.least > MOST_BLANK_COLUMNS);
}

static pen_status settle_input(const sample *s, pen__layout *layout, pen_error *error)
{
    if (s->options->input) return choose("--input", s->options->input, pen__input_names, &layout->input, error);
    pen__span line = first_line(s, layout);
    size_t blanks = 0;
    while (blanks < line.length && (line.text[blanks] == ' ' || line.text[blanks] == '\t')) blanks++;
    layout->input = PEN_INPUT_DELIMITED;
    if (has_ending(s->name, ".jsonl") || has_ending(s->name, ".ndjson") ||
        (blanks < line.length && line.text[blanks] == '{'))
        layout->input = PEN_INPUT_JSONL;
    else if (line.length && all_atomic(line))
        layout->input = PEN_INPUT_ATOMIC;
    else if (!s->options->delimiter && s->options->header != 1 && looks_like_lists(s, layout))
        layout->input = PEN_INPUT_LISTS;
    return PEN_OK;
}

static pen_status settle_delimiter(const sample *s, pen__layout *layout, pen_error *error)
{
    const char *given = s->options->delimiter;
    if (given) {
        if (!strcmp(given, "\\t") || !strcmp(given, "tab")) given = "\t";
        size_t n = strlen(given);
        PEN_CHECK(n >= 1 && n <= 8, PEN_E_ARGUMENT, "--delimiter has %zu bytes; allowed are 1 to 8", n);
        PEN_CHECK(!strpbrk(given, "\"\r\n"), PEN_E_ARGUMENT, "--delimiter may not hold a quote or a line's end");
    } else if (layout->input == PEN_INPUT_ATOMIC)
        given = "\t";
    else {
        given = guess_delimiter(s, layout);
        if (!given) {
            pen__span line = first_line(s, layout);
            PEN_CHECK(
                false, PEN_E_INPUT,
                "%s:%lld:1: the line \"%.*s\" has one column: no tab, \"::\", comma, semicolon, bar or blank parts it; "
                "pass --delimiter",
                s->name, (long long)s->first_line, (int)(line.length < 60 ? line.length : 60), line.text);
        }
    }
    snprintf(layout->delimiter, sizeof layout->delimiter, "%s", given);
    layout->delimiter_length = strlen(given);
    return PEN_OK;
}

/* ---- columns ---- */

typedef struct row {
    pen__span *cell;
    int32_t n;
} row;

/* The sample's record at *at; quotes are taken off, doubled ones within stay. Not `whole`: the first columns will do.
 */
static pen_status split_row(const sample *s, pen__layout *layout, const char **at, bool whole, row *out,
                            pen_error *error)
{
    const char *end = s->text.text + s->text.length, *next;
    size_t cap = 0;
    *out = (row){0};
    while (*at < end && pen__line_is_empty(layout, *at, end, &next)) *at = next;
    if (*at >= end) return PEN_OK;
    pen__field field = {0};
    pen_status status = PEN_OK;
    while (!field.last && status == PEN_OK) {
        *at = pen__field_next(*at, end, layout->delimiter, layout->delimiter_length, &field);
        if (out->n == PEN_MAX_COLUMNS && !whole) return PEN_OK;
        if (out->n == PEN_MAX_COLUMNS)
            status = pen__fail(error, PEN_E_INPUT,
                               "%s:%lld: the line has over %d columns; is the delimiter right? (--delimiter; for lines "
                               "\"user item item ...\": --input lists)",
                               s->name, (long long)s->first_line, PEN_MAX_COLUMNS);
        else
            status = PEN_GROW(layout->ctx, out->cell, &cap, (size_t)out->n + 1);
        if (status == PEN_OK) out->cell[out->n++] = field.raw;
    }
    if (status != PEN_OK) {
        pen__free(layout->ctx, out->cell);
        *out = (row){0};
    }
    return status;
}

/* Whether the first row names columns: it says so (a user and an item by name), or a cell is a word where all rows
 * below have numbers. */
static bool guess_header(const row *first, const row *second, const pen__layout *layout)
{
    bool user = false, item = false;
    for (int32_t c = 0; c < first->n; c++) {
        if (is_number(first->cell[c], layout->decimal_comma)) return false;
        user |= pen__role_tier(PEN_ROLE_USER, first->cell[c]) > 0;
        item |= pen__role_tier(PEN_ROLE_ITEM, first->cell[c]) > 0;
    }
    if (user && item) return true;
    for (int32_t c = 0; c < first->n && c < second->n; c++)
        if (is_number(second->cell[c], layout->decimal_comma) && !pen__is_blank(first->cell[c])) return true;
    return user || item;
}

/* The header's names with commas between, as far as there is room. */
static void name_columns(const row *header, char *out, size_t room)
{
    size_t n = 0;
    out[0] = 0;
    for (int32_t c = 0; c < header->n && n + 70 < room; c++) {
        int length = (int)(header->cell[c].length < 60 ? header->cell[c].length : 60);
        n += (size_t)snprintf(out + n, room - n, "%s%.*s", c ? ", " : "", length, header->cell[c].text);
    }
}

/* The number of the column that an option names: by the header's name, or from 1. */
static pen_status find_column(const sample *s, const row *header, const row *first, const char *option,
                              const char *asked, int32_t *column, pen_error *error)
{
    pen__span name = pen__span_of(asked);
    for (int pass = 0; pass < 2 && header->n; pass++)
        for (int32_t c = 0; c < header->n; c++) {
            pen__span cell = header->cell[c], type = atomic_type(cell),
                      bare = {cell.text, cell.length - (type.text ? type.length + 1 : 0)};
            bool same = pass ? cell.length == name.length && !strncasecmp(cell.text, name.text, name.length)
                             : pen__span_equal(cell, name) || pen__span_equal(bare, name);
            if (same) return *column = c, PEN_OK;
        }
    int64_t number;
    if (pen__parse_int64(name, &number)) {
        PEN_CHECK(number >= 1 && number <= first->n, PEN_E_UNKNOWN, "%s %s: '%s' has columns 1 to %d", option, asked,
                  s->name, first->n);
        *column = (int32_t)(number - 1);
        return PEN_OK;
    }
    PEN_CHECK(header->n, PEN_E_UNKNOWN,
              "%s '%s': '%s' has no header line; name the column by its number, 1 to %d (or pass --header)", option,
              asked, s->name, first->n);
    char names[400];
    name_columns(header, names, sizeof names);
    int32_t nearest = -1;
    int least = (int)(name.length + 2) / 3 + 1;
    for (int32_t c = 0; c < header->n; c++) {
        int distance = pen__edit_distance(name, header->cell[c], least);
        if (distance < least) least = distance, nearest = c;
    }
    if (nearest >= 0)
        return pen__fail(error, PEN_E_UNKNOWN, "%s '%s': '%s' has no such column; did you mean '%.*s'? It has %s",
                         option, asked, s->name, (int)header->cell[nearest].length, header->cell[nearest].text, names);
    return pen__fail(error, PEN_E_UNKNOWN, "%s '%s': '%s' has no such column; it has %s", option, asked, s->name,
                     names);
}

static pen_status check_names(const sample *s, const row *header, pen_error *error)
{
    /* quadratic up to a hundred columns; past that a repeated name can only be a data line taken for a header */
    for (int32_t c = 0; c < header->n && c < 1000; c++)
        for (int32_t d = 0; d < c; d++)
            if (header->cell[c].length && pen__span_equal(header->cell[c], header->cell[d]))
                return pen__fail(
                    error, PEN_E_INPUT,
                    "%s:%lld:%lld: the column name \"%.*s\" stands twice (columns %d and %d); rename one, or pass "
                    "--no-header",
                    s->name, (long long)s->first_line, (long long)(header->cell[c].text - header->cell[0].text + 1),
                    (int)(header->cell[c].length < 60 ? header->cell[c].length : 60), header->cell[c].text, d + 1,
                    c + 1);
    return PEN_OK;
}

static const char *option_of(const pen_read_options *o, int role)
{
    switch (role) {
    case PEN_ROLE_USER: return o->user_column;
    case PEN_ROLE_ITEM: return o->item_column;
    case PEN_ROLE_VALUE: return o->value_column;
    case PEN_ROLE_TIME: return o->time_column;
    case PEN_ROLE_EVENT: return o->event_column;
    default: return o->context_columns[role - PEN_ROLE_CONTEXT];
    }
}

/* One role of a header by name: the best tier's only candidate. */
static pen_status guess_role(const sample *s, const pen__layout *layout, const row *header, int role, int32_t *column,
                             pen_error *error)
{
    int best = 0;
    int32_t first = -1, second = -1;
    for (int32_t c = 0; c < header->n; c++) {
        if (layout->role[c] >= 0) continue; /* an option gave it another role */
        pen__span cell = header->cell[c], type = atomic_type(cell);
        if (type.text) cell.length -= type.length + 1;
        int tier = pen__role_tier(role, cell);
        if (tier > best)
            best = tier, first = c, second = -1;
        else if (tier && tier == best && second < 0)
            second = c;
    }
    *column = first;
    if (second < 0) return PEN_OK;
    const pen__span a = header->cell[first], b = header->cell[second];
    return pen__fail(error, PEN_E_INPUT,
                     "%s:%lld: both '%.*s' (column %d) and '%.*s' (column %d) may be the %s column; pass --%s-column "
                     "%.*s or another",
                     s->name, (long long)s->first_line, (int)(a.length < 60 ? a.length : 60), a.text, first + 1,
                     (int)(b.length < 60 ? b.length : 60), b.text, second + 1, pen__role_word(role),
                     pen__role_word(role), (int)(a.length < 60 ? a.length : 60), a.text);
}

static pen_status take(const sample *s, pen__layout *layout, int role, int32_t column, pen_error *error)
{
    PEN_CHECK(layout->role[column] < 0, PEN_E_ARGUMENT,
              "column %d of '%s' is asked for twice: as the %s and as the %s column", column + 1, s->name,
              pen__role_word(layout->role[column]), pen__role_word(role));
    layout->role[column] = role;
    layout->column[role] = column;
    if (column > layout->last_column) layout->last_column = column;
    return PEN_OK;
}

static pen_status list_header(const sample *s, const row *header, int role, pen_error *error)
{
    char list[300];
    name_columns(header, list, sizeof list);
    return pen__fail(error, PEN_E_INPUT,
                     "%s:%lld: no column is named as the %s would be (%s); pass --%s-column NAME or NUMBER", s->name,
                     (long long)s->first_line, pen__role_word(role), list, pen__role_word(role));
}

static pen_status assign_roles(const sample *s, pen__layout *layout, const row *header, const row *first,
                               pen_error *error)
{
    static const char *const options[] = {"--user-column", "--item-column",  "--value-column",
                                          "--time-column", "--event-column", "--context-column"};
    bool none[PEN_MAX_ROLES] = {false};
    for (int role = 0; role < layout->n_roles; role++) {
        const char *asked = option_of(s->options, role);
        if (!asked) continue;
        int32_t column = -1;
        none[role] = !*asked;
        if (none[role]) continue;
        PEN_TRY(find_column(s, header, first, options[role < PEN_ROLE_CONTEXT ? role : PEN_ROLE_CONTEXT], asked,
                            &column, error));
        PEN_TRY(take(s, layout, role, column, error));
    }
    static const int by_place[] = {PEN_ROLE_USER, PEN_ROLE_ITEM, PEN_ROLE_VALUE, PEN_ROLE_TIME};
    for (int role = 0; role < PEN_ROLE_CONTEXT; role++) {
        if (layout->column[role] >= 0 || none[role]) continue;
        int32_t column = -1;
        if (header->n)
            PEN_TRY(guess_role(s, layout, header, role, &column, error));
        else if (role < 4 && by_place[role] < first->n && layout->role[by_place[role]] < 0)
            column = by_place[role];
        if (column >= 0) PEN_TRY(take(s, layout, role, column, error));
    }
    for (int role = PEN_ROLE_USER; role <= PEN_ROLE_ITEM; role++) {
        if (layout->column[role] >= 0) continue;
        PEN_CHECK(!none[role], PEN_E_ARGUMENT, "%s \"\": a log needs its users and items", options[role]);
        if (header->n && first->n > 1) return list_header(s, header, role, error);
        PEN_CHECK(first->n > 1, PEN_E_INPUT,
                  "%s:%lld: the line is one column, so there is none for the %s; is the delimiter right (--delimiter)?",
                  s->name, (long long)s->first_line, pen__role_word(role));
        return pen__fail(error, PEN_E_INPUT, "%s:%lld: no column is left for the %s; pass %s NUMBER", s->name,
                         (long long)s->first_line, pen__role_word(role), options[role]);
    }
    return PEN_OK;
}

/* A name of the header as UTF-8. */
static pen_status keep_name(const pen__layout *layout, pen__span cell, char **name, pen_error *error)
{
    size_t n = cell.length;
    PEN_TRY(PEN_NEW(layout->ctx, *name, 3 * n + 1));
    if (layout->encoding == PEN_ENCODING_UTF8)
        memcpy(*name, cell.text, n);
    else
        n = pen__encode_utf8(cell.text, n, layout->encoding == PEN_ENCODING_CP1252, *name);
    (*name)[n] = 0;
    PEN_CHECK(pen__utf8_invalid(*name, n) == n && !memchr(*name, 0, n), PEN_E_INPUT,
              "a column's name in the header is not UTF-8, or holds a NUL byte; "
              "if the file is latin1 or cp1252, pass --encoding latin1 or --encoding cp1252");
    return PEN_OK;
}

static pen_status keep_names(pen__layout *layout, const row *header, pen_error *error)
{
    for (int role = 0; role < layout->n_roles && header->n; role++) {
        if (layout->column[role] < 0) continue;
        pen__span cell = header->cell[layout->column[role]], type = atomic_type(cell);
        if (type.text) {
            cell.length -= type.length + 1;
            layout->kind[role] = type.text[0];
        }
        PEN_TRY(keep_name(layout, cell, &layout->name[role], error));
    }
    return PEN_OK;
}

/* The time's unit from the sample's first cells that are not empty. */
static pen_status settle_time(const sample *s, pen__layout *layout, const char *at, pen_error *error)
{
    if (s->options->time_format)
        return choose("--time-format", s->options->time_format, pen__time_units, &layout->time_unit, error);
    int32_t column = layout->column[PEN_ROLE_TIME];
    layout->time_guessed = true;
    layout->time_unit = -1;
    if (column < 0) return PEN_OK;
    const char *end = s->text.text + s->text.length, *next;
    for (int rows = 0; at < end && rows < PEN_SAMPLE_ROWS * 100; rows++) {
        if (pen__line_is_empty(layout, at, end, &next)) {
            at = next;
            continue;
        }
        pen__field field = {0};
        for (int32_t c = 0; !field.last; c++) {
            at = pen__field_next(at, end, layout->delimiter, layout->delimiter_length, &field);
            if (at == end && !s->all) break;
            if (c != column || pen__is_blank(field.raw)) continue;
            int unit = pen__guess_unit(field.raw, layout->decimal_comma);
            if (unit == PEN_UNIT_ISO8601) return layout->time_unit = unit, PEN_OK;
            if (unit > layout->time_unit) layout->time_unit = unit;
        }
    }
    if (layout->time_unit < 0) layout->time_unit = PEN_UNIT_SECONDS;
    return PEN_OK;
}

static pen_status settle_columns(const sample *s, pen__layout *layout, pen_error *error)
{
    row first = {0}, second = {0};
    const row none = {0};
    const char *at = s->text.text, *behind;
    pen_status status = PEN_OK;
    PEN_TRY_DONE(split_row(s, layout, &at, true, &first, error));
    behind = at;
    PEN_CHECK_DONE(first.n, PEN_E_INPUT, "no events in '%s': it has no line with text", s->name);
    PEN_TRY_DONE(split_row(s, layout, &at, false, &second, error));
    layout->header = layout->input == PEN_INPUT_ATOMIC || s->options->header == 1 ||
                     (s->options->header < 0 && guess_header(&first, &second, layout));
    if (s->options->header == 0) layout->header = false;
    layout->n_columns = first.n;
    PEN_TRY_DONE(PEN_NEW(layout->ctx, layout->role, first.n));
    for (int32_t c = 0; c < first.n; c++) layout->role[c] = -1;
    if (layout->header) PEN_TRY_DONE(check_names(s, &first, error));
    PEN_TRY_DONE(assign_roles(s, layout, layout->header ? &first : &none, &first, error));
    PEN_TRY_DONE(keep_names(layout, layout->header ? &first : &none, error));
    if (layout->header) {
        const char *start = first.cell[0].text;
        if (start > s->text.text && start[-1] == '"') start--;
        layout->header_length = (size_t)(behind - start);
        layout->header_line = pen__strndup(layout->ctx, start, layout->header_length);
        PEN_CHECK_DONE(layout->header_line, PEN_E_MEMORY, "out of memory for the header");
    }
    PEN_TRY_DONE(settle_time(s, layout, layout->header ? behind : s->text.text, error));
done:
    pen__free(layout->ctx, first.cell);
    pen__free(layout->ctx, second.cell);
    return status;
}

/* ---- JSON lines: names instead of columns ---- */

/* The names of the sample's objects, in the order of their first sight, into `names`. */
static pen_status json_names(const sample *s, const pen__layout *layout, pen__strings *names, char *scratch,
                             pen_error *error)
{
    const char *at = s->text.text, *end = at + s->text.length, *next;
    for (int rows = 0; at < end && rows < PEN_SAMPLE_ROWS; at = next) {
        if (pen__line_is_empty(layout, at, end, &next)) continue;
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        next = feed ? feed + 1 : end;
        if (!feed && !s->all && rows) break;
        pen__json json = {.at = at, .end = feed ? feed : end, .scratch = scratch};
        pen__span key, value;
        int32_t number;
        if (pen__json_open(&json))
            while (pen__json_member(&json, &key, &value)) PEN_TRY(pen__strings_add(names, key, &number, error));
        if (json.fault && !rows && !layout->skip_bad_rows)
            return pen__fail(error, PEN_E_INPUT, "%s:%lld:%lld: %s", s->name, (long long)s->first_line,
                             (long long)(json.at - at + 1), json.fault);
        rows++;
    }
    PEN_CHECK(names->n, PEN_E_INPUT, "%s: its first lines have no JSON object with a name in it", s->name);
    PEN_CHECK(names->n <= PEN_MAX_COLUMNS, PEN_E_INPUT, "%s: its objects have over %d names", s->name, PEN_MAX_COLUMNS);
    return PEN_OK;
}

/* The time's unit from the objects of the sample. */
static pen_status json_time(const sample *s, pen__layout *layout, char *scratch, pen_error *error)
{
    if (s->options->time_format)
        return choose("--time-format", s->options->time_format, pen__time_units, &layout->time_unit, error);
    const char *at = s->text.text, *end = at + s->text.length, *next, *name = layout->name[PEN_ROLE_TIME];
    layout->time_guessed = true;
    layout->time_unit = PEN_UNIT_SECONDS;
    for (; at < end && name; at = next) {
        if (pen__line_is_empty(layout, at, end, &next)) continue;
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        next = feed ? feed + 1 : end;
        pen__json json = {.at = at, .end = feed ? feed : end, .scratch = scratch};
        pen__span key, value;
        if (!pen__json_open(&json)) continue;
        while (pen__json_member(&json, &key, &value)) {
            if (json.type == PEN_JSON_NULL || json.type > PEN_JSON_NUMBER || !pen__span_is(key, name) ||
                pen__is_blank(value))
                continue;
            int unit = pen__guess_unit(value, layout->decimal_comma);
            if (unit > layout->time_unit) layout->time_unit = unit;
        }
    }
    return PEN_OK;
}

static pen_status settle_names(const sample *s, pen__layout *layout, pen_error *error)
{
    pen__strings names = {.ctx = layout->ctx};
    row header = {0};
    char *scratch = NULL;
    pen_status status = PEN_OK;
    PEN_TRY_DONE(PEN_NEW(layout->ctx, scratch, s->text.length + 1));
    PEN_TRY_DONE(json_names(s, layout, &names, scratch, error));
    PEN_TRY_DONE(PEN_NEW(layout->ctx, header.cell, names.n));
    PEN_TRY_DONE(PEN_NEW(layout->ctx, layout->role, names.n));
    for (header.n = 0; header.n < names.n; header.n++) {
        header.cell[header.n] = pen__strings_at(&names, header.n);
        layout->role[header.n] = -1;
    }
    PEN_TRY_DONE(assign_roles(s, layout, &header, &header, error));
    PEN_TRY_DONE(keep_names(layout, &header, error));
    PEN_TRY_DONE(json_time(s, layout, scratch, error));
done:
    pen__free(layout->ctx, scratch);
    pen__free(layout->ctx, header.cell);
    pen__strings_free(&names);
    return status;
}

pen_status pen__layout_guess(pen_context *ctx, const char *name, pen__span text, bool all,
                             const pen_read_options *options, pen__layout *layout, pen_error *error)
{
    sample s = {name, text, all, 1, options};
    *layout = (pen__layout){.ctx = ctx, .last_column = -1};
    for (int role = 0; role < PEN_MAX_ROLES; role++) layout->column[role] = -1;
    PEN_CHECK(options->n_context_columns <= PEN_MAX_CONTEXT, PEN_E_ARGUMENT,
              "%zu context columns; allowed are up to %d", options->n_context_columns, PEN_MAX_CONTEXT);
    layout->n_roles = PEN_ROLE_CONTEXT + (int)options->n_context_columns;
    layout->decimal_comma = options->decimal_comma != 0;
    layout->skip_bad_rows = options->skip_bad_rows != 0;
    layout->encoding_guessed = !options->encoding;
    if (options->encoding && !strcasecmp(options->encoding, "utf8"))
        layout->encoding = PEN_ENCODING_UTF8;
    else if (options->encoding)
        PEN_TRY(choose("--encoding", options->encoding, pen__encoding_names, &layout->encoding, error));
    PEN_CHECK(!(text.length >= 2 && (!memcmp(text.text, "\xFF\xFE", 2) || !memcmp(text.text, "\xFE\xFF", 2))),
              PEN_E_INPUT, "%s:1:1: the file is UTF-16; convert it first (iconv -f utf-16 -t utf-8)", name);
    if (options->comment) {
        PEN_CHECK(strlen(options->comment) < sizeof layout->comment, PEN_E_ARGUMENT,
                  "the comment mark '%s' is longer than 8 bytes", options->comment);
        snprintf(layout->comment, sizeof layout->comment, "%s", options->comment);
        layout->comment_length = strlen(layout->comment);
    }
    const char *at = text.text, *end = at + text.length, *next;
    for (; at < end && pen__line_is_empty(layout, at, end, &next); at = next) s.first_line++;
    PEN_CHECK(at < end, PEN_E_INPUT,
              all ? "no events in '%s': it holds no line with text" : "'%s' begins with over a megabyte of blank lines",
              name);
    PEN_TRY(settle_input(&s, layout, error));
    if (layout->input == PEN_INPUT_DELIMITED || layout->input == PEN_INPUT_ATOMIC) {
        PEN_TRY(settle_delimiter(&s, layout, error));
        PEN_TRY(settle_columns(&s, layout, error));
    } else if (layout->input == PEN_INPUT_JSONL)
        PEN_TRY(settle_names(&s, layout, error));
    return PEN_OK;
}

pen_status pen__layout_guess_table(pen_context *ctx, const char *name, pen__span text, const pen_read_options *options,
                                   bool knowledge, pen__layout *layout, pen_error *error)
{
    pen_read_options own = PEN_READ_OPTIONS_INIT;
    sample s = {name, text, true, 1, &own};
    row first = {0}, second = {0};
    pen_status status = PEN_OK;
    *layout = (pen__layout){.ctx = ctx, .last_column = -1};
    layout->decimal_comma = options->decimal_comma != 0;
    layout->skip_bad_rows = options->skip_bad_rows != 0;
    if (options->comment && strlen(options->comment) < sizeof layout->comment) {
        snprintf(layout->comment, sizeof layout->comment, "%s", options->comment);
        layout->comment_length = strlen(layout->comment);
    }
    const char *at = text.text, *end = at + text.length, *next;
    for (; at < end && pen__line_is_empty(layout, at, end, &next); at = next) s.first_line++;
    PEN_CHECK(at < end, PEN_E_INPUT, "no rows in '%s': it holds no line with text", name);
    PEN_TRY(settle_input(&s, layout, error));
    if (layout->input == PEN_INPUT_JSONL) return PEN_OK;
    if (layout->input == PEN_INPUT_LISTS) layout->input = PEN_INPUT_DELIMITED;
    const char *logs = options->delimiter; /* where it parts this text as well */
    if (logs && *logs && strlen(logs) <= 8 && layout->input == PEN_INPUT_DELIMITED &&
        measure(&s, layout, logs).least > 1)
        own.delimiter = logs;
    PEN_TRY(settle_delimiter(&s, layout, error));
    at = text.text;
    PEN_TRY_DONE(split_row(&s, layout, &at, true, &first, error));
    PEN_TRY_DONE(split_row(&s, layout, &at, false, &second, error));
    layout->n_columns = first.n;
    layout->header = layout->input == PEN_INPUT_ATOMIC || (!knowledge && guess_header(&first, &second, layout));
    if (layout->header && !knowledge) status = check_names(&s, &first, error);
done:
    pen__free(ctx, first.cell);
    pen__free(ctx, second.cell);
    return status;
}

void pen__layout_free(pen__layout *layout)
{
    if (!layout->ctx) return;
    for (int role = 0; role < PEN_MAX_ROLES; role++) pen__free(layout->ctx, layout->name[role]);
    pen__free(layout->ctx, layout->role);
    pen__free(layout->ctx, layout->header_line);
    *layout = (pen__layout){0};
}
