/* Features out of tables: columns are chosen by name, their values counted over training's rows, and what comes again
 * is numbered. O(cells and words). */
#include "train/net_features.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "data/tokens.h"

enum {
    LEAST_ROWS = 2, /* a value of one row alone says nothing of others */
    MOST_NUMBERS = 1 << 20
};

static const double FAR = 5; /* deviations */
static const char *const sides[] = {"user", "item"};

/* What is made of a table. */
typedef struct making {
    pen_context *ctx;
    const pen__table *table;
    const int32_t *row; /* of the table, of each of ours */
    const char *columns;
    int side;
    bool words_only;
    int64_t n_rows, n_entries;
    int32_t n_words, n_numbers;
    int32_t *word; /* features and weights of all rows, packed */
    float *weight;
    int64_t *begin; /* n_rows + 1 */
    int32_t *seen;  /* of each value, while rows are read */
    float *number;  /* (n_rows, n_numbers) */
    size_t cap_entries;
} making;

/* ---- which columns ----------------------------------------------------------------------------------------------- */

static bool is_number(const pen__column *c) { return c->type == PEN_COLUMN_NUMBER || c->type == PEN_COLUMN_VECTOR; }

static bool names_all(const char *columns) { return !strcmp(columns, "all"); }
static bool names_none(const char *columns) { return !*columns || !strcmp(columns, "none"); }

static int32_t column_of(const pen__table *table, pen__span name)
{
    int32_t c = 0, n = table->rows ? table->n_columns : 0;
    while (c < n && !pen__span_is(name, table->column[c].name)) c++;
    return c < n ? c : -1;
}

/* The next name of "a,b:text,c"; as_text: its words are meant (a column may be called so, too). */
static bool next_name(const pen__table *table, const char **at, pen__span *name, bool *as_text)
{
    static const char ending[] = ":text";
    if (!*at) return false;
    size_t n = strcspn(*at, ","), e = sizeof ending - 1;
    *name = pen__span_trim((pen__span){*at, n});
    *as_text = name->length > e && !memcmp(name->text + name->length - e, ending, e) && column_of(table, *name) < 0;
    if (*as_text) *name = pen__span_trim((pen__span){name->text, name->length - e});
    *at = (*at)[n] ? *at + n + 1 : NULL;
    return true;
}

/* Whether the column is named, and whether its words are features, not its values: of a text, or as_text. */
static bool chosen(const making *m, const pen__column *column, bool *words)
{
    pen__span name;
    *words = column->type == PEN_COLUMN_TEXT;
    if (names_none(m->columns)) return false;
    if (names_all(m->columns)) return !*words;
    for (const char *at = m->columns; next_name(m->table, &at, &name, words);)
        if (pen__span_is(name, column->name)) return *words |= column->type == PEN_COLUMN_TEXT, true;
    return false;
}

static bool is_chosen(const making *m, const pen__column *column)
{
    bool words;
    return chosen(m, column, &words);
}

static bool reads_words(const making *m, const pen__column *column)
{
    bool words;
    return chosen(m, column, &words) && words;
}

/* Every column that is named must be there. */
static pen_status check_names(const making *m, pen_error *error)
{
    const pen__table *t = m->table;
    pen__span name;
    bool as_text;
    if (names_all(m->columns) || names_none(m->columns)) return PEN_OK;
    for (const char *at = m->columns; next_name(t, &at, &name, &as_text);) {
        int32_t c = column_of(t, name), n = t->rows ? t->n_columns : 0;
        PEN_CHECK(c < 0 || !as_text || !is_number(&t->column[c]), PEN_E_ARGUMENT,
                  "%s_features asks for the words of '%s', which holds numbers", sides[m->side], t->column[c].name);
        if (c >= 0) continue;
        PEN_CHECK(n > 0, PEN_E_ARGUMENT, "%s_features names a column '%.*s', and there is no table of %ss (--%ss FILE)",
                  sides[m->side], (int)name.length, name.text, sides[m->side], sides[m->side]);
        int nearest = pen__nearest_name(name, &t->column[0].name, (size_t)n, sizeof t->column[0]);
        if (nearest < 0) nearest = 0;
        return pen__fail(error, PEN_E_ARGUMENT, "the table of %ss has no column '%.*s'; it has '%s' (see: %s_features)",
                         sides[m->side], (int)name.length, name.text, t->column[nearest].name, sides[m->side]);
    }
    return PEN_OK;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

static pen_status add_entry(making *m, int32_t word, pen_error *error)
{
    size_t n = (size_t)m->n_entries + 1, weights = m->cap_entries;
    PEN_TRY(PEN_GROW(m->ctx, m->weight, &weights, n));
    PEN_TRY(PEN_GROW(m->ctx, m->word, &m->cap_entries, n));
    m->word[m->n_entries] = word;
    m->weight[m->n_entries++] = 1;
    return PEN_OK;
}

/* The words of a text in its row, each once: m->seen says in which row a value stood last (+ 1). `all` numbers them. */
static pen_status add_text(making *m, pen__strings *all, pen__span text, int32_t row, int32_t first, pen_error *error)
{
    pen__tokens tokens = {.at = text.text, .end = text.text + text.length};
    pen__span token;
    while (pen__token_next(&tokens, &token)) {
        int32_t number;
        PEN_TRY(pen__strings_add(all, token, &number, error));
        if (m->seen[first + number] == row + 1) continue;
        m->seen[first + number] = row + 1;
        PEN_TRY(add_entry(m, first + number, error));
    }
    return PEN_OK;
}

/* A text, or one of the values of a category (k of the row's, from 0), as text. */
static bool text_of(const pen__column *c, int32_t row, int64_t k, pen__span *text)
{
    bool many = c->type == PEN_COLUMN_CATEGORIES, one = c->type == PEN_COLUMN_CATEGORY;
    if (k >= (many ? c->begin[row + 1] - c->begin[row] : 1) || (one && c->code[row] < 0)) return false;
    *text = pen__strings_at(&c->words, many ? c->code[c->begin[row] + k] : one ? c->code[row] : row);
    return true;
}

/* A row's values of a column as entries first + value. */
static pen_status add_values(making *m, const pen__column *c, pen__strings *tokens, int32_t row, int32_t first,
                             pen_error *error)
{
    int64_t from = m->n_entries;
    pen__span text;
    if (reads_words(m, c)) {
        for (int64_t k = 0; text_of(c, row, k, &text); k++) PEN_TRY(add_text(m, tokens, text, row, first, error));
    } else if (c->type == PEN_COLUMN_CATEGORY && c->code[row] >= 0) {
        PEN_TRY(add_entry(m, first + c->code[row], error));
    } else if (c->type == PEN_COLUMN_CATEGORIES) {
        for (int64_t k = c->begin[row]; k < c->begin[row + 1]; k++) PEN_TRY(add_entry(m, first + c->code[k], error));
    }
    for (int64_t e = from; e < m->n_entries; e++) m->weight[e] = 1 / (float)(m->n_entries - from);
    return PEN_OK;
}

/* Entries of all rows, column by column within a row; of texts the words are numbered by `tokens`, one a column. */
static pen_status add_rows(making *m, pen__strings *tokens, const int32_t *first, pen_error *error)
{
    for (int64_t r = 0; r < m->n_rows; r++) {
        m->begin[r] = m->n_entries;
        for (int32_t c = 0; c < m->table->n_columns; c++)
            if (is_chosen(m, &m->table->column[c]) && !is_number(&m->table->column[c]))
                PEN_TRY(add_values(m, &m->table->column[c], &tokens[c], m->row[r], first[c], error));
    }
    m->begin[m->n_rows] = m->n_entries;
    return PEN_OK;
}

/* How many different words the texts of a column have: counted on the way to numbering them. */
static pen_status number_tokens(const making *m, const pen__column *c, pen__strings *tokens, pen_error *error)
{
    pen__span text, token;
    for (int64_t r = 0; r < m->n_rows; r++)
        for (int64_t k = 0; text_of(c, m->row[r], k, &text); k++) {
            pen__tokens walk = {.at = text.text, .end = text.text + text.length};
            int32_t number;
            while (pen__token_next(&walk, &token)) PEN_TRY(pen__strings_add(tokens, token, &number, error));
        }
    return PEN_OK;
}

/* Leaves out what fewer than LEAST_ROWS rows have, and numbers the rest in the order of columns and values. */
static pen_status keep_common(making *m, int64_t n_values, pen_error *error)
{
    int32_t *count = NULL;
    int64_t kept = 0;
    PEN_TRY(PEN_NEW_ZERO(m->ctx, count, n_values + 1));
    for (int64_t e = 0; e < m->n_entries; e++) count[m->word[e]]++; /* a value stands once in a row */
    for (int64_t v = 0; v < n_values; v++) count[v] = count[v] >= LEAST_ROWS ? m->n_words++ : -1;
    for (int64_t r = 0, e = 0; r < m->n_rows; r++) {
        int64_t end = m->begin[r + 1];
        m->begin[r] = kept;
        for (; e < end; e++) {
            if (count[m->word[e]] < 0) continue;
            m->weight[kept] = m->weight[e];
            m->word[kept++] = count[m->word[e]];
        }
    }
    m->begin[m->n_rows] = m->n_entries = kept;
    pen__free(m->ctx, count);
    return PEN_OK;
}

static pen_status make_words(making *m, pen_error *error)
{
    pen_status status = PEN_OK;
    int32_t n_columns = m->table->rows ? m->table->n_columns : 0, *first = NULL;
    int64_t n_values = 0;
    pen__strings *tokens = NULL;
    PEN_TRY_DONE(PEN_NEW_ZERO(m->ctx, first, n_columns + 1));
    PEN_TRY_DONE(PEN_NEW_ZERO(m->ctx, tokens, n_columns + 1));
    PEN_TRY_DONE(PEN_NEW_ZERO(m->ctx, m->begin, m->n_rows + 1));
    for (int32_t c = 0; c < n_columns; c++) {
        const pen__column *column = &m->table->column[c];
        tokens[c].ctx = m->ctx;
        if (!is_chosen(m, column) || is_number(column)) continue;
        bool words = reads_words(m, column);
        if (words) PEN_TRY_DONE(number_tokens(m, column, &tokens[c], error));
        PEN_CHECK_DONE(n_values < INT32_MAX, PEN_E_LIMIT, "the table of %ss has over %d different values",
                       sides[m->side], INT32_MAX);
        first[c] = (int32_t)n_values;
        n_values += words ? tokens[c].n : column->words.n;
    }
    PEN_CHECK_DONE(n_values < INT32_MAX, PEN_E_LIMIT, "the table of %ss has over %d different values", sides[m->side],
                   INT32_MAX);
    PEN_TRY_DONE(PEN_NEW_ZERO(m->ctx, m->seen, n_values + 1));
    if (n_columns) PEN_TRY_DONE(add_rows(m, tokens, first, error));
    PEN_TRY_DONE(keep_common(m, n_values, error));
done:
    for (int32_t c = 0; tokens && c < n_columns; c++) pen__strings_free(&tokens[c]);
    pen__free(m->ctx, tokens);
    pen__free(m->ctx, first);
    pen__free(m->ctx, m->seen);
    return status;
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

static int32_t width_of(const pen__column *c) { return c->type == PEN_COLUMN_VECTOR ? c->width : 1; }

/* Numbers `at` .. of each row are dimension k of the column, standardised. */
static void standardise(making *m, const pen__column *c, int32_t k, int32_t at)
{
    double sum = 0, square = 0;
    int64_t n = 0, width = width_of(c);
    for (int64_t r = 0; r < m->n_rows; r++) {
        double x = (double)c->number[m->row[r] * width + k];
        if (isnan(x)) continue;
        sum += x, n++;
    }
    double mean = n ? sum / (double)n : 0;
    for (int64_t r = 0; r < m->n_rows; r++) {
        double x = (double)c->number[m->row[r] * width + k] - mean;
        if (!isnan(x)) square += x * x;
    }
    double deviation = n ? sqrt(square / (double)n) : 0;
    for (int64_t r = 0; r < m->n_rows; r++) {
        double x = (double)c->number[m->row[r] * width + k];
        double z = isnan(x) || !(deviation > 0) ? 0 : (x - mean) / deviation;
        m->number[r * m->n_numbers + at] = (float)fmax(-FAR, fmin(FAR, z));
    }
}

static pen_status make_numbers(making *m, pen_error *error)
{
    int64_t width = 0;
    int32_t n_columns = m->table->rows ? m->table->n_columns : 0, at = 0;
    for (int32_t c = 0; c < n_columns; c++)
        if (is_chosen(m, &m->table->column[c]) && is_number(&m->table->column[c]))
            width += width_of(&m->table->column[c]) + 1;
    if (m->words_only) width = 0;
    PEN_CHECK(width <= MOST_NUMBERS, PEN_E_LIMIT, "the table of %ss has %lld numbers a row; at most %d are allowed",
              sides[m->side], (long long)width, MOST_NUMBERS);
    if (!width) return PEN_OK;
    m->n_numbers = (int32_t)width;
    PEN_TRY(PEN_NEW(m->ctx, m->number, m->n_rows * width));
    for (int32_t c = 0; c < n_columns; c++) {
        const pen__column *column = &m->table->column[c];
        if (!is_chosen(m, column) || !is_number(column)) continue;
        for (int32_t k = 0; k < width_of(column); k++) standardise(m, column, k, at++);
        for (int64_t r = 0; r < m->n_rows; r++)
            m->number[r * width + at] = isnan(column->number[(int64_t)m->row[r] * width_of(column)]) ? 0.0F : 1.0F;
        at++;
    }
    return PEN_OK;
}

/* ---- a model's tensors ------------------------------------------------------------------------------------------- */

static void free_making(making *m)
{
    pen__free(m->ctx, m->word);
    pen__free(m->ctx, m->weight);
    pen__free(m->ctx, m->begin);
    pen__free(m->ctx, m->number);
}

static pen_status make(const pen__train *train, const pen__feature_choice *choice, making *m, pen_error *error)
{
    bool users = choice->side == PEN_SIDE_USER;
    *m = (making){.ctx = train->ctx,
                  .table = users ? &train->data->user_table : &train->data->item_table,
                  .row = users ? train->data_user : train->data_item,
                  .columns = choice->columns,
                  .side = choice->side,
                  .words_only = choice->words_only,
                  .n_rows = users ? train->n_users : train->n_items};
    pen_status status = check_names(m, error);
    if (status == PEN_OK) status = make_words(m, error);
    if (status == PEN_OK) status = make_numbers(m, error);
    if (status != PEN_OK) free_making(m);
    return status;
}

static const char *full_name(int side, const char *part, char *out, size_t size)
{
    snprintf(out, size, "%s.features.%s", sides[side], part);
    return out;
}

static pen_status add_tensor(pen_model *model, int side, const char *part, int dtype, int role, int64_t d0, int64_t d1,
                             const void *from, pen_error *error)
{
    char name[48];
    void *to;
    if (!d0 || (d1 >= 0 && !d1)) return PEN_OK;
    PEN_TRY(pen__model_add(model, full_name(side, part, name, sizeof name), dtype, role, d0, d1 < 0 ? 0 : d1, 0, &to,
                           error));
    memcpy(to, from, (size_t)d0 * (size_t)(d1 < 0 ? 1 : d1) * pen__state_type_size(dtype));
    return PEN_OK;
}

pen_status pen__features_add(pen_model *model, const pen__train *train, const pen__feature_choice *choice, int role,
                             pen_error *error)
{
    making m;
    int side = choice->side;
    pen_status status = PEN_OK;
    PEN_TRY(make(train, choice, &m, error));
    const int32_t counts[2] = {m.n_words, m.n_numbers};
    bool words = m.n_words > 0;
    if (words || m.n_numbers)
        PEN_TRY_DONE(add_tensor(model, side, "counts", PEN_I32, PEN_ROLE_PARAM, 2, -1, counts, error));
    PEN_TRY_DONE(add_tensor(model, side, "begin", PEN_I64, role, words ? m.n_rows + 1 : 0, -1, m.begin, error));
    PEN_TRY_DONE(add_tensor(model, side, "word", PEN_I32, role, m.n_entries, -1, m.word, error));
    PEN_TRY_DONE(add_tensor(model, side, "weight", PEN_F32, role, m.n_entries, -1, m.weight, error));
    PEN_TRY_DONE(add_tensor(model, side, "number", PEN_F32, role, m.n_rows, m.n_numbers, m.number, error));
done:
    free_making(&m);
    return status;
}

static pen_status get_counts(const pen_model *model, int side, pen__features *out, pen_error *error)
{
    char name[48];
    const int32_t *counts;
    if (!pen__model_tensor(model, full_name(side, "counts", name, sizeof name))) return PEN_OK; /* none */
    PEN_TRY(pen__model_get(model, name, PEN_I32, 2, 0, 0, NULL, &counts, error));
    PEN_CHECK(counts[0] >= 0 && counts[1] >= 0 && counts[1] <= MOST_NUMBERS, PEN_E_FORMAT,
              "%s: %s says %d words and %d numbers", model->class->name, name, counts[0], counts[1]);
    out->n_words = counts[0], out->n_numbers = counts[1];
    return PEN_OK;
}

static pen_status get_words(const pen_model *model, int side, pen__features *out, pen_error *error)
{
    char name[48];
    int64_t n = out->n_rows, dims[3];
    PEN_TRY(pen__model_get(model, full_name(side, "begin", name, sizeof name), PEN_I64, n + 1, 0, 0, NULL, &out->begin,
                           error));
    PEN_TRY(
        pen__model_get(model, full_name(side, "word", name, sizeof name), PEN_I32, -1, 0, 0, dims, &out->word, error));
    PEN_TRY(pen__model_get(model, full_name(side, "weight", name, sizeof name), PEN_F32, dims[0], 0, 0, NULL,
                           &out->weight, error));
    bool sound = out->begin[0] == 0 && out->begin[n] == dims[0];
    for (int64_t r = 0; r < n && sound; r++) sound = out->begin[r] <= out->begin[r + 1];
    PEN_CHECK(sound, PEN_E_FORMAT, "%s: %s.features.begin does not rise from 0 to %lld", model->class->name,
              sides[side], (long long)dims[0]);
    for (int64_t e = 0; e < dims[0]; e++)
        PEN_CHECK(out->word[e] >= 0 && out->word[e] < out->n_words, PEN_E_FORMAT, "%s: %s holds %d; words are 0 to %d",
                  model->class->name, full_name(side, "word", name, sizeof name), out->word[e], out->n_words - 1);
    return PEN_OK;
}

pen_status pen__features_bind(const pen_model *model, int side, int64_t n_rows, bool whole, pen__features *out,
                              pen_error *error)
{
    char name[48];
    *out = (pen__features){.n_rows = n_rows};
    PEN_TRY(get_counts(model, side, out, error));
    if (out->n_words && (whole || pen__model_tensor(model, full_name(side, "begin", name, sizeof name))))
        PEN_TRY(get_words(model, side, out, error));
    full_name(side, "number", name, sizeof name);
    if (out->n_numbers && (whole || pen__model_tensor(model, name)))
        PEN_TRY(pen__model_get(model, name, PEN_F32, n_rows, out->n_numbers, 0, NULL, &out->number, error));
    return PEN_OK;
}

bool pen__features_count(const pen_model *model, pen__plan *plan, const pen__feature_choice *choice, pen__features *out)
{
    char name[48];
    making m;
    *out = (pen__features){0};
    if (plan->status != PEN_OK) return false;
    bool counted = pen__model_tensor(model, full_name(choice->side, "counts", name, sizeof name)) != NULL;
    if (counted || !model->train) {
        plan->status = get_counts(model, choice->side, out, &plan->error);
    } else {
        plan->status = make(model->train, choice, &m, &plan->error);
        if (plan->status != PEN_OK) return false;
        out->n_words = m.n_words, out->n_numbers = m.n_numbers;
        free_making(&m);
    }
    return plan->status == PEN_OK;
}
