/* Typed columns from a table's cells. A column is a number where all its cells are; categories where a list separator
 * parts them into few words; a category where its values are few; else text. Atomic headers say the type themselves. A
 * code with leading zeros (a zip code) is no number. From MovieLens's u.item the 19 flags become one `genre` column,
 * and a year is taken out of titles that end in one. */
#include "data/table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "data/cells.h"
#include "data/cells_table.h"
#include "data/json.h"
#include "data/table_store.h"

/* What is known of a column's cells. */
typedef struct survey {
    int64_t filled, numbers, split, parts; /* `split`: cells that the separator parts */
    int64_t words, whole;                  /* different parts; different cells */
    char separator;                        /* 0: none */
} survey;

static pen__span cell_at(const pen__cells *t, int32_t c, int64_t row) { return t->cell[row * t->n_columns + c]; }

static bool is_number(pen__span cell, bool decimal_comma)
{
    double value;
    cell = pen__span_trim(cell);
    bool code = cell.length > 1 && cell.text[0] == '0' && cell.text[1] >= '0' && cell.text[1] <= '9';
    return !code && pen__parse_number(cell, decimal_comma, &value) && isfinite((float)value);
}

/* The next part of a cell; false at its end. */
static bool next_part(pen__span *rest, char separator, pen__span *part)
{
    if (!rest->text) return false;
    const char *stop = rest->length && separator ? memchr(rest->text, separator, rest->length) : NULL;
    *part = (pen__span){rest->text, stop ? (size_t)(stop - rest->text) : rest->length};
    *rest = stop ? (pen__span){stop + 1, rest->length - part->length - 1} : (pen__span){NULL, 0};
    *part = pen__span_trim(*part);
    return true;
}

static pen_status count_words(const pen__cells *t, int32_t c, char separator, survey *s, pen_error *error)
{
    pen__strings words = {.ctx = t->ctx}, whole = {.ctx = t->ctx};
    pen_status status = PEN_OK;
    int32_t number;
    s->separator = separator;
    s->split = s->parts = 0;
    for (int64_t row = 0; row < t->rows; row++) {
        pen__span rest = cell_at(t, c, row), part;
        if (!rest.text || pen__is_blank(rest)) continue;
        PEN_TRY_DONE(pen__strings_add(&whole, rest, &number, error));
        int64_t before = s->parts;
        while (next_part(&rest, separator, &part))
            if (part.length) {
                s->parts++;
                PEN_TRY_DONE(pen__strings_add(&words, part, &number, error));
            }
        s->split += s->parts > before + 1;
    }
    s->words = words.n;
    s->whole = whole.n;
done:
    pen__strings_free(&words);
    pen__strings_free(&whole);
    return status;
}

static void survey_cells(const pen__cells *t, int32_t c, bool decimal_comma, survey *s)
{
    *s = (survey){0};
    for (int64_t row = 0; row < t->rows; row++) {
        pen__span cell = cell_at(t, c, row);
        if (!cell.text || pen__is_blank(cell)) continue;
        s->filled++;
        s->numbers += is_number(cell, decimal_comma);
    }
}

static bool named(const char *name, const char *const *list)
{
    char plain[40];
    size_t n = 0;
    for (; *name && n + 1 < sizeof plain; name++)
        if (*name != '_' && *name != '-' && *name != ' ' && *name != '.')
            plain[n++] = (char)(*name >= 'A' && *name <= 'Z' ? *name + 32 : *name);
    plain[n] = 0;
    for (; *list; list++)
        if (!strcmp(plain, *list)) return true;
    return false;
}

static const char *const titles[] = {"title",     "name",         "itemname",    "itemtitle", "movietitle",
                                     "moviename", "producttitle", "productname", "booktitle", "newstitle",
                                     "songtitle", "artistname",   "trackname",   "filmtitle", NULL};
static const char *const lists[] = {"genre", "genres", "tags", "categories", "keywords", "class", "classes", NULL};

/* The separator that parts some cells into words that come again, or 0. */
static pen_status find_separator(const pen__cells *t, int32_t c, const pen_read_options *options, survey *s,
                                 pen_error *error)
{
    static const char guesses[] = {'|', ';'};
    const char *given = options->list_separator;
    bool list = named(t->name[c], lists);
    for (int i = 0; i < (given ? 1 : 2); i++) {
        char separator = given ? given[0] : guesses[i];
        PEN_TRY(count_words(t, c, separator, s, error));
        bool some = s->split * 20 >= s->filled && s->split > 0, again = s->words * 2 <= s->parts || s->words <= 50;
        if ((given || list) ? s->split > 0 : some && again && s->words <= 10000) return PEN_OK;
    }
    s->separator = 0;
    return PEN_OK;
}

/* An enum pen__column_type. */
static pen_status choose_type(const pen__cells *t, int32_t c, const pen_read_options *options, survey *s, int *type,
                              pen_error *error)
{
    survey_cells(t, c, options->decimal_comma != 0, s);
    bool title = named(t->name[c], titles);
    switch (t->kind[c]) {
    case 'f': return *type = PEN_COLUMN_NUMBER, PEN_OK;
    case 'F': return *type = PEN_COLUMN_VECTOR, PEN_OK;
    case 't': return *type = title ? PEN_COLUMN_TEXT : PEN_COLUMN_CATEGORY, PEN_OK;
    case 'T':
        s->separator = options->list_separator && *options->list_separator ? options->list_separator[0] : ' ';
        return *type = title ? PEN_COLUMN_TEXT : PEN_COLUMN_CATEGORIES, PEN_OK;
    case 'l': s->separator = PEN_JSON_PART; return *type = PEN_COLUMN_CATEGORIES, PEN_OK;
    default: break;
    }
    if (title) return *type = PEN_COLUMN_TEXT, PEN_OK;
    if (s->filled && s->numbers == s->filled) return *type = PEN_COLUMN_NUMBER, PEN_OK;
    PEN_TRY(find_separator(t, c, options, s, error));
    if (s->separator) return *type = PEN_COLUMN_CATEGORIES, PEN_OK;
    PEN_TRY(count_words(t, c, 0, s, error));
    bool few =
        s->whole <= 50 ? s->whole < s->filled || s->filled <= 20 : s->whole * 2 <= s->filled && s->whole <= 100000;
    *type = few ? PEN_COLUMN_CATEGORY : PEN_COLUMN_TEXT;
    return PEN_OK;
}

/* ---- filling ---- */

static pen_status fill_category(const pen__cells *t, int32_t c, pen__column *out, pen_error *error)
{
    int32_t *code;
    PEN_TRY(PEN_NEW(t->ctx, code, t->rows));
    out->code = code;
    for (int64_t row = 0; row < t->rows; row++) {
        pen__span cell = pen__span_trim(cell_at(t, c, row));
        code[row] = -1;
        if (cell.length) PEN_TRY(pen__strings_add(&out->words, cell, &code[row], error));
    }
    return PEN_OK;
}

static pen_status fill_categories(const pen__cells *t, int32_t c, char separator, pen__column *out, pen_error *error)
{
    int64_t *begin;
    int32_t *code = NULL;
    size_t cap = 0, n = 0;
    PEN_TRY(PEN_NEW(t->ctx, begin, t->rows + 1));
    out->begin = begin;
    pen_status status = PEN_GROW(t->ctx, code, &cap, 1);
    for (int64_t row = 0; row < t->rows && status == PEN_OK; row++) {
        pen__span rest = cell_at(t, c, row), part;
        size_t first = n;
        begin[row] = (int64_t)n;
        while (status == PEN_OK && next_part(&rest, separator, &part)) {
            if (!part.length) continue;
            status = PEN_GROW(t->ctx, code, &cap, n + 1);
            if (status == PEN_OK) status = pen__strings_add(&out->words, part, &code[n], error);
            bool again = false;
            for (size_t i = first; i < n && status == PEN_OK; i++) again |= code[i] == code[n];
            n += status == PEN_OK && !again;
        }
    }
    begin[t->rows] = (int64_t)n;
    out->code = code;
    return status;
}

static pen_status fill_number(const pen__cells *t, int32_t c, const pen_read_options *options, pen__column *out,
                              int64_t *bad, pen_error *error)
{
    float *number;
    PEN_TRY(PEN_NEW(t->ctx, number, t->rows));
    out->number = number;
    for (int64_t row = 0; row < t->rows; row++) {
        double value;
        pen__span cell = cell_at(t, c, row);
        bool fine = cell.text && pen__parse_number(cell, options->decimal_comma != 0, &value) && isfinite((float)value);
        number[row] = fine ? (float)value : NAN;
        *bad += !fine && cell.text && !pen__is_blank(cell);
    }
    return PEN_OK;
}

/* Numbers parted by blanks or the separator; rows of another width than the first are missing and counted. */
static pen_status fill_vector(const pen__cells *t, int32_t c, const pen_read_options *options, pen__column *out,
                              int64_t *bad, pen_error *error)
{
    char separator = options->list_separator && *options->list_separator ? options->list_separator[0] : ' ';
    float *number = NULL;
    for (int64_t row = 0; row < t->rows && !out->width; row++) {
        pen__span rest = cell_at(t, c, row), part;
        while (next_part(&rest, separator, &part)) out->width += part.length > 0;
    }
    if (!out->width) out->width = 1;
    PEN_TRY(PEN_NEW(t->ctx, number, t->rows * out->width));
    out->number = number;
    for (int64_t row = 0; row < t->rows; row++) {
        float *to = number + row * out->width;
        pen__span rest = cell_at(t, c, row), part;
        int32_t n = 0;
        bool fine = true, any = rest.text && !pen__is_blank(rest);
        while (next_part(&rest, separator, &part)) {
            double value = 0;
            if (!part.length) continue;
            fine &= n < out->width && pen__parse_number(part, options->decimal_comma != 0, &value) &&
                    isfinite((float)value);
            if (fine) to[n] = (float)value;
            n++;
        }
        fine &= n == out->width;
        for (int32_t i = 0; i < out->width && !fine; i++) to[i] = NAN;
        *bad += any && !fine;
    }
    return PEN_OK;
}

static pen_status fill_text(const pen__cells *t, int32_t c, pen__column *out, pen_error *error)
{
    for (int64_t row = 0; row < t->rows; row++) {
        pen__span cell = cell_at(t, c, row);
        PEN_TRY(pen__strings_append(&out->words, cell.text ? pen__span_trim(cell) : (pen__span){"", 0}, error));
    }
    return PEN_OK;
}

static pen_status add_typed(pen__table *table, pen_context *ctx, const char *name, int type, int64_t rows,
                            pen__column **out, pen_error *error)
{
    size_t cap = (size_t)table->n_columns;
    PEN_TRY(PEN_GROW(ctx, table->column, &cap, cap + 1));
    *out = &table->column[table->n_columns];
    **out = (pen__column){.type = type, .rows = rows, .words.ctx = ctx};
    (*out)->name = pen__strndup(ctx, name, strlen(name));
    PEN_CHECK((*out)->name, PEN_E_MEMORY, "out of memory for a column's name");
    table->n_columns++;
    return PEN_OK;
}

static pen_status fill_column(const pen__cells *t, int32_t c, const pen_read_options *options, pen__table *table,
                              int64_t *bad, pen_error *error)
{
    survey s;
    int type;
    pen__column *out;
    PEN_TRY(choose_type(t, c, options, &s, &type, error));
    PEN_TRY(add_typed(table, t->ctx, t->name[c], type, t->rows, &out, error));
    switch (type) {
    case PEN_COLUMN_CATEGORY: return fill_category(t, c, out, error);
    case PEN_COLUMN_CATEGORIES: return fill_categories(t, c, s.separator, out, error);
    case PEN_COLUMN_NUMBER: return fill_number(t, c, options, out, bad, error);
    case PEN_COLUMN_VECTOR: return fill_vector(t, c, options, out, bad, error);
    default: return fill_text(t, c, out, error);
    }
}

/* ---- MovieLens's u.item: flags as one column ---- */

static const char *const genres[19] = {"unknown",   "Action",   "Adventure",   "Animation", "Children's",
                                       "Comedy",    "Crime",    "Documentary", "Drama",     "Fantasy",
                                       "Film-Noir", "Horror",   "Musical",     "Mystery",   "Romance",
                                       "Sci-Fi",    "Thriller", "War",         "Western"};

/* Names beside the file, in u.genre ("Action|1" a line): name[flag] points into *text. */
static void read_genres(pen_context *ctx, const char *path, const char *name[19], char **text)
{
    const char *slash = strrchr(path, '/');
    pen__text beside = {.ctx = ctx};
    size_t n;
    memcpy(name, genres, sizeof genres);
    *text = NULL;
    pen__text_add(&beside, path, slash ? (size_t)(slash - path + 1) : 0);
    pen__text_puts(&beside, "u.genre");
    bool there = !beside.failed && pen__file_read(ctx, beside.bytes, 1 << 16, text, &n, NULL) == PEN_OK;
    pen__text_free(&beside);
    for (char *line = there ? *text : NULL, *next; line && *line; line = next) {
        size_t length = strcspn(line, "\r\n");
        next = line + length + strspn(line + length, "\r\n");
        line[length] = 0;
        char *bar = strrchr(line, '|');
        int64_t flag;
        if (!bar || !pen__parse_int64(pen__span_of(bar + 1), &flag) || flag < 0 || flag >= 19) continue;
        *bar = 0;
        name[flag] = line;
    }
}

static pen_status fill_flags(const pen__cells *t, int32_t first, const char *path, pen__table *table, pen_error *error)
{
    const char *name[19];
    char *text;
    pen__column *out;
    int32_t *code = NULL;
    int64_t *begin = NULL, n = 0;
    read_genres(t->ctx, path, name, &text);
    pen_status status = add_typed(table, t->ctx, "genre", PEN_COLUMN_CATEGORIES, t->rows, &out, error);
    for (int i = 0; i < 19 && status == PEN_OK; i++)
        status = pen__strings_append(&out->words, pen__span_of(name[i]), error);
    if (status == PEN_OK) status = PEN_NEW(t->ctx, begin, t->rows + 1);
    if (status == PEN_OK) out->begin = begin;
    if (status == PEN_OK) status = PEN_NEW(t->ctx, code, t->rows * 19);
    if (status == PEN_OK) {
        out->code = code;
        for (int64_t row = 0; row < t->rows; row++) {
            begin[row] = n;
            for (int32_t i = 0; i < 19; i++)
                if (pen__span_is(cell_at(t, first + i, row), "1")) code[n++] = i;
        }
        begin[t->rows] = n;
    }
    pen__free(t->ctx, text);
    return status;
}

static bool has_flags(const pen__cells *t, int32_t c)
{
    return !t->header && c + 19 == t->n_columns && !strcmp(t->name[c], "genre0");
}

/* ---- the year ---- */

/* The year in "(1995)" at a title's end, or 0. */
static int title_year(pen__span title)
{
    title = pen__span_trim(title);
    if (title.length < 6 || title.text[title.length - 1] != ')' || title.text[title.length - 6] != '(') return 0;
    int year = 0;
    for (size_t i = title.length - 5; i < title.length - 1; i++) {
        if (title.text[i] < '0' || title.text[i] > '9') return 0;
        year = year * 10 + (title.text[i] - '0');
    }
    return year >= 1000 ? year : 0;
}

static pen_status add_year(pen_context *ctx, pen__table *table, pen_error *error)
{
    static const char *const years[] = {"year", "releaseyear", NULL};
    for (int32_t c = 0; c < table->n_columns; c++)
        if (named(table->column[c].name, years)) return PEN_OK;
    if (table->title < 0 || table->column[table->title].type != PEN_COLUMN_TEXT) return PEN_OK;
    int64_t filled = 0, dated = 0;
    for (int64_t row = 0; row < table->rows; row++) {
        pen__span title = pen__strings_at(&table->column[table->title].words, row);
        filled += title.length > 0;
        dated += title_year(title) > 0;
    }
    if (!dated || dated * 10 < filled * 8) return PEN_OK;
    pen__column *out;
    float *number;
    PEN_TRY(add_typed(table, ctx, "year", PEN_COLUMN_NUMBER, table->rows, &out, error));
    PEN_TRY(PEN_NEW(ctx, number, table->rows));
    out->number = number;
    for (int64_t row = 0; row < table->rows; row++) {
        int year = title_year(pen__strings_at(&table->column[table->title].words, row));
        number[row] = year ? (float)year : NAN;
    }
    return PEN_OK;
}

/* ---- the table ---- */

/* The column that people read: the first that is named as a title; without names, the first text behind the id. */
static void find_title(const pen__cells *t, pen__table *table)
{
    table->title = -1;
    for (int32_t c = 0; c < table->n_columns && table->title < 0; c++)
        if (table->column[c].type == PEN_COLUMN_TEXT && named(table->column[c].name, titles)) table->title = c;
    if (table->title < 0 && !t->header && table->n_columns && table->column[0].type == PEN_COLUMN_TEXT)
        table->title = 0;
}

static void tell(const pen__cells *t, const pen__layout *layout, const pen__whole *whole, const pen__table *table,
                 const char *path, int64_t bad_numbers, pen__text *notes)
{
    pen__text_puts(notes, "{\"file\": ");
    pen__text_json(notes, path, strlen(path));
    pen__text_printf(notes, ", \"input\": \"%s\", ", pen__input_names[layout->input]);
    if (layout->delimiter_length) {
        pen__text_puts(notes, "\"delimiter\": ");
        pen__text_json(notes, layout->delimiter, layout->delimiter_length);
        pen__text_puts(notes, ", ");
    }
    pen__text_printf(notes,
                     "\"encoding\": \"%s\", \"header\": %s, \"rows\": %lld, \"matched\": %lld, \"without_events\": "
                     "%lld, \"repeated\": %lld, \"skipped\": %lld, ",
                     pen__encoding_names[whole->encoding], t->header ? "true" : "false", (long long)t->n_read,
                     (long long)t->n_matched, (long long)t->n_unknown, (long long)t->n_repeated,
                     (long long)t->n_skipped);
    pen__text_printf(notes, "\"ids_without_row\": %lld, \"bad_numbers\": %lld, \"bad_rows\": [",
                     (long long)(t->n_with_events - t->n_matched), (long long)bad_numbers);
    if (t->first_bad) pen__text_json(notes, t->first_bad, strlen(t->first_bad));
    pen__text_puts(notes, "], \"title\": ");
    if (table->title >= 0)
        pen__text_json(notes, table->column[table->title].name, strlen(table->column[table->title].name));
    else
        pen__text_puts(notes, "null");
    pen__text_puts(notes, ", \"columns\": [");
    for (int32_t c = 0; c < table->n_columns; c++) {
        pen__text_puts(notes, c ? ", {\"name\": " : "{\"name\": ");
        pen__text_json(notes, table->column[c].name, strlen(table->column[c].name));
        pen__text_printf(notes, ", \"type\": \"%s\"}", pen__column_type_name(table->column[c].type));
    }
    pen__text_puts(notes, "]}");
}

pen_status pen__table_read(pen_dataset *d, bool item, pen__stream *stream, const char *path,
                           const pen_read_options *options, pen__text *notes, pen_error *error)
{
    pen__whole whole;
    pen__layout layout = {0};
    pen__cells cells = {0};
    pen__table *table = item ? &d->item_table : &d->user_table;
    pen__strings *ids = item ? &d->items : &d->users;
    int64_t bad_numbers = 0;
    pen_status status = PEN_OK;
    PEN_TRY(pen__whole_read(d->ctx, stream, options, &whole, error));
    PEN_TRY_DONE(pen__cells_read(&whole, pen__stream_name(stream), options, ids, item, &layout, &cells, error));
    table->rows = ids->n;
    for (int32_t c = 0; c < cells.n_columns; c++) {
        if (has_flags(&cells, c)) {
            PEN_TRY_DONE(fill_flags(&cells, c, path, table, error));
            break;
        }
        PEN_TRY_DONE(fill_column(&cells, c, options, table, &bad_numbers, error));
    }
    find_title(&cells, table);
    if (item) PEN_TRY_DONE(add_year(d->ctx, table, error));
    if (!table->n_columns) table->rows = 0;
    tell(&cells, &layout, &whole, table, path, bad_numbers, notes);
done:
    pen__cells_free(&cells);
    pen__layout_free(&layout);
    pen__whole_free(&whole);
    return status;
}
