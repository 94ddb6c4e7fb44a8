/* Cells of a table: delimited or atomic text here, JSON lines through json.c. Rows are placed by their id; an id that
 * no event has is counted and gets a number behind all others: what is new is known by its table alone. MovieLens's own
 * files without header get the names of their documentation. */
#include "data/cells_table.h"

#include <stdio.h>
#include <string.h>

#include "data/json.h"
#include "data/roles.h"
#include "data/rows.h"

typedef struct known {
    const char *file;
    const char *name[5]; /* the first is the id */
    const char *kind;    /* a letter each, as an atomic header's type; a blank: by content */
    int32_t n, whole;    /* names; columns that such a file has */
} known;

static const known movielens[] = {
    {"u.item", {"item_id", "title", "release_date", "video_release_date", "url"}, "t    ", 5, 24},
    {"u.user", {"user_id", "age", "gender", "occupation", "zip_code"}, "tfttt", 5, 5},
    {"movies.dat", {"item_id", "title", "genre"}, "t  ", 3, 3},
    {"users.dat", {"user_id", "gender", "age", "occupation", "zip_code"}, "ttftt", 5, 5},
};

static const known *find_known(const char *path, int32_t n_columns)
{
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    for (size_t i = 0; i < sizeof movielens / sizeof *movielens; i++) {
        size_t n = strlen(movielens[i].file);
        if (!strncmp(file, movielens[i].file, n) && (!file[n] || file[n] == '.') && n_columns == movielens[i].whole)
            return &movielens[i];
    }
    return NULL;
}

static pen_status add_column(pen__cells *t, pen__span name, char kind, pen_error *error)
{
    size_t cap = (size_t)t->n_columns, names = cap, kinds = cap;
    PEN_TRY(PEN_GROW(t->ctx, t->name, &names, cap + 1));
    t->name[cap] = pen__strndup(t->ctx, name.text, name.length);
    PEN_CHECK(t->name[cap], PEN_E_MEMORY, "out of memory for a column's name");
    t->n_columns++;
    PEN_TRY(PEN_GROW(t->ctx, t->kind, &kinds, cap + 1));
    t->kind[cap] = kind;
    return PEN_OK;
}

static char kind_of(pen__span *name)
{
    static const struct {
        const char *ending;
        char kind;
    } kinds[] = {{":token", 't'}, {":token_seq", 'T'}, {":float", 'f'}, {":float_seq", 'F'}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t n = strlen(kinds[i].ending);
        if (name->length > n && !memcmp(name->text + name->length - n, kinds[i].ending, n))
            return name->length -= n, kinds[i].kind;
    }
    return 0;
}

/* The column that holds the ids: named as one, "id", or the first. */
static int32_t id_column(const pen__span *name, int32_t n, bool item)
{
    int32_t best = 0;
    int most = 0;
    for (int32_t c = 0; c < n; c++) {
        pen__span bare = name[c];
        (void)kind_of(&bare);
        int tier = 2 * pen__role_tier(item ? PEN_ROLE_ITEM : PEN_ROLE_USER, bare);
        if (!tier && bare.length == 2 && (bare.text[0] | 32) == 'i' && (bare.text[1] | 32) == 'd') tier = 3;
        if (tier > most) most = tier, best = c;
    }
    return best;
}

static pen_status bad_row(pen__cells *t, const pen__layout *layout, const char *file, int64_t line, const char *what,
                          pen_error *error)
{
    if (!layout->skip_bad_rows)
        return pen__fail_at(error, PEN_E_INPUT, line, "%s:%lld:1: %s", file, (long long)line, what);
    if (!t->n_skipped++) {
        pen__text text = {.ctx = t->ctx};
        pen__text_printf(&text, "%s:%lld:1: %s", file, (long long)line, what);
        t->first_bad = text.bytes;
    }
    return PEN_OK;
}

/* What is wrong with an id, or NULL. */
static const char *fault_of(pen__span id)
{
    if (pen__is_blank(id)) return "the id is blank; correct it or skip it (--on-error skip)";
    if (memchr(id.text, 0, id.length)) return "the id holds a NUL; correct it or skip it (--on-error skip)";
    return NULL;
}

/* Where rows go: the ids, and a mark for each that has a row already. */
typedef struct placing {
    pen__strings *ids;
    bool *seen; /* cells->rows */
    size_t cap_seen, cap_cells;
} placing;

/* Room for the row of one more id, empty so far. */
static pen_status add_row(pen__cells *t, placing *p, pen_error *error)
{
    size_t width = (size_t)t->n_columns, old = (size_t)t->rows, n;
    PEN_CHECK(pen__mul(width, old + 1, &n), PEN_E_LIMIT, "a table of %d columns and %zu rows is too large",
              t->n_columns, old + 1);
    PEN_TRY(PEN_GROW(t->ctx, p->seen, &p->cap_seen, old + 1));
    PEN_TRY(PEN_GROW(t->ctx, t->cell, &p->cap_cells, n));
    p->seen[old] = false;
    for (size_t c = 0; c < width; c++) t->cell[old * width + c] = (pen__span){NULL, 0};
    t->rows++;
    return PEN_OK;
}

/* Where the row of an id goes; -1: it has one already. */
static pen_status row_of(pen__cells *t, placing *p, pen__span id, int64_t *row, pen_error *error)
{
    int32_t number;
    PEN_TRY(pen__strings_add(p->ids, id, &number, error));
    if (number == t->rows) PEN_TRY(add_row(t, p, error));
    t->n_read++;
    *row = p->seen[number] ? -1 : number;
    if (p->seen[number])
        t->n_repeated++;
    else if (number < t->n_with_events)
        t->n_matched++;
    else
        t->n_unknown++;
    p->seen[number] = true;
    return PEN_OK;
}

static pen__span undouble_in_place(pen__span raw)
{
    char *text = (char *)(uintptr_t)raw.text; /* in the whole text, which is ours to write */
    size_t n = 0;
    for (size_t i = 0; i < raw.length; i++) {
        text[n++] = text[i];
        if (text[n - 1] == '"') i++;
    }
    return (pen__span){text, n};
}

typedef struct scan {
    const char *at, *end, *file;
    const pen__layout *layout;
    pen__span *field; /* layout->n_columns */
    int64_t line;
    int32_t n;
    bool peeks; /* the record will be read again: doubled quotes, which are undoubled in place, stay */
} scan;

/* The next record's fields, quotes taken off; false at the end. */
static bool next_record(scan *s, int64_t *line)
{
    const char *next;
    while (s->at < s->end && pen__line_is_empty(s->layout, s->at, s->end, &next)) s->at = next, s->line++;
    *line = s->line;
    if (s->at >= s->end) return false;
    const char *begin = s->at;
    pen__field field = {0};
    for (s->n = 0; !field.last; s->n++) {
        s->at = pen__field_next(s->at, s->end, s->layout->delimiter, s->layout->delimiter_length, &field);
        if (s->n < s->layout->n_columns) s->field[s->n] = field.raw;
        if (field.doubled && !s->peeks && s->n < s->layout->n_columns) s->field[s->n].length |= (size_t)1 << 63;
    }
    s->line += pen__count_byte(begin, s->at, '\n');
    for (int32_t c = 0; c < s->n && c < s->layout->n_columns; c++)
        if (s->field[c].length >> 63)
            s->field[c] = undouble_in_place((pen__span){s->field[c].text, s->field[c].length & ~((size_t)1 << 63)});
    return true;
}

static pen_status name_columns(pen__cells *t, scan *s, const char *file, int32_t id, pen_error *error)
{
    const known *k = t->header ? NULL : find_known(file, s->layout->n_columns);
    for (int32_t c = 0; c < s->layout->n_columns; c++) {
        char number[32];
        pen__span name = s->field[c];
        char kind = t->header ? kind_of(&name) : 0;
        if (!t->header) {
            snprintf(number, sizeof number, k ? "genre%d" : "column%d", k ? c - k->n : c + 1);
            name = pen__span_of(k && c < k->n ? k->name[c] : number);
            kind = k && c < k->n && k->kind[c] != ' ' ? k->kind[c] : 0;
        }
        if (c != id) PEN_TRY(add_column(t, name, kind, error));
    }
    return PEN_OK;
}

static pen_status read_rows(pen__cells *t, scan *s, placing *p, int32_t id, pen_error *error)
{
    int64_t line, row;
    char what[200];
    while (next_record(s, &line)) {
        if (s->n > s->layout->n_columns) {
            snprintf(what, sizeof what,
                     "the row has %d columns; the %s has %d (a delimiter within a field needs quotes around the field)",
                     s->n, t->header ? "header" : "first row", s->layout->n_columns);
            PEN_TRY(bad_row(t, s->layout, s->file, line, what, error));
            continue;
        }
        const char *fault = fault_of(s->n > id ? s->field[id] : (pen__span){"", 0});
        if (fault) {
            PEN_TRY(bad_row(t, s->layout, s->file, line, fault, error));
            continue;
        }
        PEN_TRY(row_of(t, p, s->field[id], &row, error));
        for (int32_t c = 0, k = 0; c < s->n && row >= 0; c++)
            if (c != id) t->cell[row * t->n_columns + k++] = s->field[c];
    }
    return PEN_OK;
}

static pen_status make_cells(pen__cells *t, placing *p, pen_error *error)
{
    PEN_CHECK(pen__mul((size_t)t->n_columns, (size_t)t->rows, &p->cap_cells), PEN_E_LIMIT,
              "a table of %d columns and %lld rows is too large", t->n_columns, (long long)t->rows);
    return PEN_NEW_ZERO(t->ctx, t->cell, p->cap_cells);
}

static pen_status read_delimited(pen__cells *t, pen__whole *whole, const char *file, const pen__layout *layout,
                                 placing *p, bool item, pen_error *error)
{
    scan s = {.at = whole->bytes,
              .end = whole->bytes + whole->n,
              .file = file,
              .layout = layout,
              .line = 1,
              .peeks = !layout->header};
    pen_status status = PEN_OK;
    int64_t line;
    PEN_TRY_DONE(PEN_NEW(t->ctx, s.field, layout->n_columns));
    next_record(&s, &line);
    t->header = layout->header;
    int32_t id = t->header ? id_column(s.field, layout->n_columns, item) : 0;
    PEN_TRY_DONE(name_columns(t, &s, file, id, error));
    PEN_TRY_DONE(make_cells(t, p, error));
    if (!t->header) s.at = whole->bytes, s.line = 1, s.peeks = false; /* the first row is one of the table's */
    status = read_rows(t, &s, p, id, error);
done:
    pen__free(t->ctx, s.field);
    return status;
}

/* ---- JSON lines ---- */

typedef struct objects {
    pen__cells *t;
    pen__whole *whole;
    const char *file;
    const pen__layout *layout;
    placing *placing;
    pen__strings names;
    pen__span *value; /* of the object at hand, by name */
    char *is_list;
    char *scratch; /* as large as the text; the cells stay in it */
    int32_t id;
} objects;

/* The members of one line's object: names it (value NULL) or gathers its values. */
static pen_status gather(objects *o, pen__json *json, pen_error *error)
{
    pen__span key, value;
    int32_t c;
    for (int64_t i = 0; o->value && i < o->names.n; i++) o->value[i] = (pen__span){NULL, 0}, o->is_list[i] = 0;
    if (!pen__json_open(json)) return PEN_OK;
    while (pen__json_member(json, &key, &value)) {
        if (!o->value) {
            PEN_TRY(pen__strings_add(&o->names, key, &c, error));
            continue;
        }
        c = pen__strings_find(&o->names, key);
        if (c < 0 || json->type == PEN_JSON_NULL) continue;
        o->value[c] = value;
        o->is_list[c] = json->type == PEN_JSON_LIST;
    }
    return PEN_OK;
}

static pen_status place_object(objects *o, pen_error *error)
{
    int64_t row;
    PEN_TRY(row_of(o->t, o->placing, o->value[o->id], &row, error));
    for (int32_t c = 0, k = 0; c < o->names.n && row >= 0; c++) {
        if (c == o->id) continue;
        o->t->cell[row * o->t->n_columns + k] = o->value[c];
        if (o->is_list[c]) o->t->kind[k] = 'l';
        k++;
    }
    return PEN_OK;
}

/* All lines: once for the names, once for the values. */
static pen_status walk_objects(objects *o, pen_error *error)
{
    const char *at = o->whole->bytes, *end = at + o->whole->n, *next;
    char *scratch = o->scratch;
    for (int64_t line = 1; at < end; at = next, line++) {
        if (pen__line_is_empty(o->layout, at, end, &next)) continue;
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        next = feed ? feed + 1 : end;
        pen__json json = {.at = at, .end = feed ? feed : end, .scratch = scratch};
        PEN_TRY(gather(o, &json, error));
        const char *fault = json.fault;
        if (!fault && o->value) fault = o->value[o->id].text ? fault_of(o->value[o->id]) : "the object has no id";
        if (fault && o->value) PEN_TRY(bad_row(o->t, o->layout, o->file, line, fault, error));
        if (!fault && o->value) {
            PEN_TRY(place_object(o, error));
            scratch = json.scratch;
        }
    }
    return PEN_OK;
}

static pen_status read_json(pen__cells *t, pen__whole *whole, const char *file, const pen__layout *layout, placing *p,
                            bool item, pen_error *error)
{
    objects o = {.t = t, .whole = whole, .file = file, .layout = layout, .placing = p, .names.ctx = t->ctx};
    pen__span *list = NULL;
    pen_status status = PEN_OK;
    t->header = true;
    PEN_TRY_DONE(PEN_NEW(t->ctx, t->text, whole->n + 1));
    o.scratch = t->text;
    PEN_TRY_DONE(walk_objects(&o, error));
    PEN_CHECK_DONE(o.names.n && o.names.n <= PEN_MAX_COLUMNS, PEN_E_INPUT,
                   "%s: its objects have %lld names; allowed are 1 to %d", file, (long long)o.names.n, PEN_MAX_COLUMNS);
    PEN_TRY_DONE(PEN_NEW(t->ctx, list, o.names.n));
    for (int64_t c = 0; c < o.names.n; c++) list[c] = pen__strings_at(&o.names, c);
    o.id = id_column(list, (int32_t)o.names.n, item);
    for (int32_t c = 0; c < o.names.n; c++)
        if (c != o.id) PEN_TRY_DONE(add_column(t, list[c], 0, error));
    PEN_TRY_DONE(make_cells(t, p, error));
    PEN_TRY_DONE(PEN_NEW(t->ctx, o.value, o.names.n));
    PEN_TRY_DONE(PEN_NEW(t->ctx, o.is_list, o.names.n));
    status = walk_objects(&o, error);
done:
    pen__free(t->ctx, list);
    pen__free(t->ctx, o.value);
    pen__free(t->ctx, o.is_list);
    pen__strings_free(&o.names);
    return status;
}

pen_status pen__cells_read(pen__whole *whole, const char *name, const pen_read_options *options, pen__strings *ids,
                           bool item, pen__layout *layout, pen__cells *cells, pen_error *error)
{
    pen_context *ctx = ids->ctx;
    placing p = {.ids = ids, .cap_seen = (size_t)ids->n};
    *cells = (pen__cells){.ctx = ctx, .rows = ids->n, .n_with_events = ids->n};
    pen_status status =
        pen__layout_guess_table(ctx, name, (pen__span){whole->bytes, whole->n}, options, false, layout, error);
    if (status == PEN_OK) status = PEN_NEW_ZERO(ctx, p.seen, ids->n);
    if (status == PEN_OK && layout->input == PEN_INPUT_JSONL)
        status = read_json(cells, whole, name, layout, &p, item, error);
    else if (status == PEN_OK)
        status = read_delimited(cells, whole, name, layout, &p, item, error);
    pen__free(ctx, p.seen);
    if (status != PEN_OK) pen__cells_free(cells);
    return status;
}

void pen__cells_free(pen__cells *t)
{
    if (!t->ctx) return;
    for (int32_t c = 0; c < t->n_columns; c++) pen__free(t->ctx, t->name[c]);
    pen__free(t->ctx, t->name);
    pen__free(t->ctx, t->kind);
    pen__free(t->ctx, t->cell);
    pen__free(t->ctx, t->text);
    pen__free(t->ctx, t->first_bad);
    *t = (pen__cells){0};
}
