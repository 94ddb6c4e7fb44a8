/* Filter expressions: a recursive-descent parser that compiles against the item table as it reads.
 *
 *     or    = and ("or" and)*          and = not ("and" not)*          not = "not" not | "(" or ")" | test
 *     test  = column op value | column ["not"] "in" "(" value ("," value)* ")" | column ["not"] "contains" value
 *           | column "is" ["not"] "missing"
 *     op    = "=" "==" "!=" "<>" "<" "<=" ">" ">="
 *
 * Names and values are words (letters, digits, _ - . : / + and everything outside ASCII) or stand in quotes. A
 * comparison with a category is made once for each word of the column. Cost: linear in the text, plus words of the
 * columns named.
 */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "rank/where_impl.h"

enum { LONGEST = 65536, DEEPEST = 100, MOST_TESTS = 1000 };

enum token_kind { END, WORD, QUOTED, SYMBOL };

typedef struct token {
    int kind;
    size_t at;      /* byte of the text */
    pen__span text; /* without quotes */
} token;

typedef struct parser {
    pen__where *where;
    pen__span text;
    size_t next, used; /* next byte; bytes of `where->bytes` used */
    token now;
    int depth, n_tests;
    pen_error *error;
} parser;

/* ---- words about what is wrong ----------------------------------------------------------------------------------- */

static int shown(pen__span text) { return text.length < 60 ? (int)text.length : 60; }

/* Characters from 1. */
static int64_t place(const parser *p, size_t at)
{
    int64_t n = 1;
    for (size_t i = 0; i < at; i++) n += ((unsigned char)p->text.text[i] & 0xC0) != 0x80;
    return n;
}

static pen_status wrong(parser *p, const token *t, const char *expected)
{
    int64_t at = place(p, t->at);
    if (t->kind == END)
        return pen__fail_at(p->error, PEN_E_ARGUMENT, at,
                            "the filter '%.*s' ends at character %lld where %s was expected", shown(p->text),
                            p->text.text, (long long)at, expected);
    return pen__fail_at(p->error, PEN_E_ARGUMENT, at,
                        "the filter '%.*s' has '%.*s' at character %lld where %s was expected", shown(p->text),
                        p->text.text, shown(t->text), t->text.text, (long long)at, expected);
}

/* ---- tokens ------------------------------------------------------------------------------------------------------ */

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80 ||
           (c && strchr("_-.:/+", c));
}

/* A quote ends at the same sign; doubled, or behind a backslash, it stands for itself. */
static pen_status quoted(parser *p)
{
    char mark = p->text.text[p->next];
    char *out = p->where->bytes + p->used;
    size_t n = 0, at = p->next + 1;
    for (;; at++) {
        if (at >= p->text.length)
            return pen__fail_at(p->error, PEN_E_ARGUMENT, place(p, p->now.at),
                                "the filter has a quote at character %lld that does not end",
                                (long long)place(p, p->now.at));
        char c = p->text.text[at], after = at + 1 < p->text.length ? p->text.text[at + 1] : 0;
        if (c == mark && after != mark) break;
        if (c == mark || (c == '\\' && (after == mark || after == '\\'))) c = p->text.text[++at];
        out[n++] = c;
    }
    p->used += n;
    p->next = at + 1;
    p->now.kind = QUOTED;
    p->now.text = (pen__span){out, n};
    return PEN_OK;
}

static pen_status advance(parser *p)
{
    const char *text = p->text.text;
    while (p->next < p->text.length && strchr(" \t\r\n", text[p->next]) && text[p->next]) p->next++;
    p->now = (token){.kind = END, .at = p->next, .text = {"", 0}};
    if (p->next >= p->text.length) return PEN_OK;
    char c = text[p->next];
    if (c == '"' || c == '\'' || c == '`') return quoted(p);
    size_t n = 0;
    while (p->next + n < p->text.length && is_word_byte(text[p->next + n])) n++;
    p->now.kind = n ? WORD : SYMBOL;
    if (!n) {
        bool pair =
            p->next + 1 < p->text.length && (text[p->next + 1] == '=' || (c == '<' && text[p->next + 1] == '>'));
        n = pair && strchr("=!<>", c) && c ? 2 : 1;
    }
    p->now.text = (pen__span){text + p->next, n};
    p->next += n;
    return PEN_OK;
}

static bool at_word(const parser *p, const char *word)
{
    return p->now.kind == WORD && p->now.text.length == strlen(word) &&
           !strncasecmp(p->now.text.text, word, p->now.text.length);
}

static bool at_symbol(const parser *p, const char *symbol)
{
    return p->now.kind == SYMBOL && pen__span_is(p->now.text, symbol);
}

static bool at_keyword(const parser *p)
{
    static const char *const keyword[] = {"and", "or", "not", "in", "contains", "is", "missing"};
    for (size_t i = 0; i < sizeof keyword / sizeof *keyword; i++)
        if (at_word(p, keyword[i])) return true;
    return false;
}

static pen_status expect(parser *p, const char *symbol, const char *expected)
{
    if (!at_symbol(p, symbol)) return wrong(p, &p->now, expected);
    return advance(p);
}

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

static pen_status add_node(parser *p, pen__where_node node, int32_t *at)
{
    pen__where *w = p->where;
    pen_error *error = p->error;
    PEN_TRY(PEN_GROW(w->ctx, w->node, &w->cap_nodes, w->n_nodes + 1));
    *at = (int32_t)w->n_nodes;
    w->node[w->n_nodes++] = node;
    return PEN_OK;
}

static pen_status add_value(parser *p)
{
    pen__where *w = p->where;
    pen_error *error = p->error;
    if ((p->now.kind != WORD && p->now.kind != QUOTED) || at_keyword(p))
        return wrong(p, &p->now, "a value (a number, a word, or text in quotes)");
    PEN_TRY(PEN_GROW(w->ctx, w->value, &w->cap_values, w->n_values + 1));
    pen__where_value *value = &w->value[w->n_values++];
    *value = (pen__where_value){.text = p->now.text, .quoted = p->now.kind == QUOTED};
    if (!value->quoted) { /* the text of the call need not live on */
        if (value->text.length) memcpy(w->bytes + p->used, value->text.text, value->text.length);
        value->text.text = w->bytes + p->used;
        p->used += value->text.length;
    }
    value->is_number = pen__parse_double(pen__span_trim(value->text), &value->number) && isfinite(value->number);
    return advance(p);
}

/* ---- columns ----------------------------------------------------------------------------------------------------- */

static const pen__column *column_named(const pen__table *table, pen__span name, bool fold)
{
    for (int c = 0; table->rows && c < table->n_columns; c++) {
        pen__span own = pen__span_of(table->column[c].name);
        if (fold ? pen__fold_equal(own, name) : pen__span_equal(own, name)) return &table->column[c];
    }
    return NULL;
}

static pen_status unknown_column(parser *p, const token *t)
{
    enum { MOST = 64 };
    static const char *const own[] = {"popularity", "id"};
    const pen__table *table = p->where->items.table;
    const char *name[MOST] = {own[0], own[1]};
    char list[600] = "";
    size_t n = 2, length = 0;
    for (int c = 0; table->rows && c < table->n_columns && n < MOST; c++) name[n++] = table->column[c].name;
    for (size_t i = 2; i < n + 2; i++) { /* the table's first */
        const char *one = name[i < n ? i : i - n];
        size_t room = strlen(one) + 3;
        if (length + room > sizeof list) break;
        if (length) memcpy(list + length, ", ", 2), length += 2;
        memcpy(list + length, one, strlen(one) + 1);
        length += strlen(one);
    }
    int near = pen__nearest_name(t->text, name, n, sizeof *name);
    int64_t at = place(p, t->at);
    if (near >= 0)
        return pen__fail_at(
            p->error, PEN_E_UNKNOWN, at,
            "the items have no column '%.*s' (character %lld of the filter); did you mean '%s'? There are: %s",
            shown(t->text), t->text.text, (long long)at, name[near], list);
    return pen__fail_at(p->error, PEN_E_UNKNOWN, at,
                        "the items have no column '%.*s' (character %lld of the filter); there are: %s", shown(t->text),
                        t->text.text, (long long)at, list);
}

/* The kind of comparison that a name asks for. A column of the table goes before what is built in. */
static pen_status find_column(parser *p, const token *t, pen__where_node *node)
{
    const pen__table *table = p->where->items.table;
    const pen__column *column = column_named(table, t->text, false);
    if (!column) column = column_named(table, t->text, true);
    if (!column && pen__fold_equal(t->text, pen__span_of("title")) && table->rows && table->title >= 0)
        column = &table->column[table->title];
    node->column = column;
    if (!column) {
        node->kind = pen__fold_equal(t->text, pen__span_of("popularity")) ? PEN_WHERE_POPULARITY
                     : pen__fold_equal(t->text, pen__span_of("id"))       ? PEN_WHERE_ID
                                                                          : 0;
        return node->kind ? PEN_OK : unknown_column(p, t);
    }
    if (column->type == PEN_COLUMN_VECTOR)
        return pen__fail_at(p->error, PEN_E_UNSUPPORTED, place(p, t->at),
                            "the column '%.*s' is a vector, which a filter cannot compare", shown(t->text),
                            t->text.text);
    node->kind = column->type == PEN_COLUMN_NUMBER ? PEN_WHERE_NUMBER
                 : column->type == PEN_COLUMN_TEXT ? PEN_WHERE_TEXT
                                                   : PEN_WHERE_WORDS;
    return PEN_OK;
}

/* Values of a number must be numbers; as the column holds floats, so are they compared. */
static pen_status settle_numbers(parser *p, const pen__where_node *node, const token *name)
{
    if (node->op == PEN_OP_CONTAINS)
        return pen__fail_at(p->error, PEN_E_ARGUMENT, place(p, name->at),
                            "'%.*s' is a number: it is compared with = != < <= > >= or in (...), not contains",
                            shown(name->text), name->text.text);
    for (int64_t v = 0; v < node->n_values; v++) {
        pen__where_value *value = &p->where->value[node->first_value + v];
        if (!value->is_number)
            return pen__fail_at(p->error, PEN_E_ARGUMENT, place(p, name->at),
                                "'%.*s' is a number (character %lld of the filter), and '%.*s' is none",
                                shown(name->text), name->text.text, (long long)place(p, name->at), shown(value->text),
                                value->text.text);
        if (node->kind == PEN_WHERE_NUMBER) value->number = (double)(float)value->number;
    }
    return PEN_OK;
}

static pen_status mark_words(parser *p, pen__where_node *node)
{
    pen__where *w = p->where;
    pen_error *error = p->error;
    int64_t n = node->column->words.n;
    PEN_TRY(PEN_NEW(w->ctx, node->word, n));
    for (int64_t i = 0; i < n; i++)
        node->word[i] = pen__where_text_holds(pen__strings_at(&node->column->words, i), node->op,
                                              w->value + node->first_value, node->n_values);
    return PEN_OK;
}

/* Adds the comparison; `not` around it where it is turned. */
static pen_status finish_test(parser *p, pen__where_node *node, const token *name, bool turned, int32_t *at)
{
    node->n_values = (int64_t)p->where->n_values - node->first_value;
    if (node->kind == PEN_WHERE_NUMBER || node->kind == PEN_WHERE_POPULARITY) PEN_TRY(settle_numbers(p, node, name));
    if (node->kind == PEN_WHERE_WORDS) PEN_TRY(mark_words(p, node));
    pen_status status = add_node(p, *node, at);
    if (status != PEN_OK) pen__free(p->where->ctx, node->word);
    if (status != PEN_OK || !turned) return status;
    return add_node(p, (pen__where_node){.kind = PEN_WHERE_NOT, .left = *at}, at);
}

/* ---- the grammar ------------------------------------------------------------------------------------------------- */

static const char operators[] = "=, !=, <, <=, >, >=, in, contains or is";

static pen_status parse_op(parser *p, int *op, bool *turned)
{
    static const struct {
        const char *symbol;
        int op;
        bool turned;
    } table[] = {{"=", PEN_OP_EQUAL, false}, {"==", PEN_OP_EQUAL, false},   {"!=", PEN_OP_EQUAL, true},
                 {"<>", PEN_OP_EQUAL, true}, {"<", PEN_OP_LESS, false},     {"<=", PEN_OP_AT_MOST, false},
                 {">", PEN_OP_MORE, false},  {">=", PEN_OP_AT_LEAST, false}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (at_symbol(p, table[i].symbol)) {
            *op = table[i].op;
            *turned = table[i].turned;
            return advance(p);
        }
    return wrong(p, &p->now, operators);
}

static pen_status parse_list(parser *p)
{
    PEN_TRY(expect(p, "(", "'(' and a list of values"));
    PEN_TRY(add_value(p));
    while (at_symbol(p, ",")) {
        PEN_TRY(advance(p));
        PEN_TRY(add_value(p));
    }
    return expect(p, ")", "',' or ')'");
}

static pen_status parse_missing(parser *p, const pen__where_node *test, int32_t *at)
{
    PEN_TRY(advance(p));
    bool turned = at_word(p, "not");
    if (turned) PEN_TRY(advance(p));
    if (!at_word(p, "missing")) return wrong(p, &p->now, "'missing'");
    PEN_TRY(advance(p));
    PEN_TRY(add_node(p, (pen__where_node){.kind = PEN_WHERE_MISSING, .column = test->column}, at));
    return turned ? add_node(p, (pen__where_node){.kind = PEN_WHERE_NOT, .left = *at}, at) : PEN_OK;
}

static pen_status parse_test(parser *p, int32_t *at)
{
    token name = p->now;
    bool turned = false;
    pen__where_node node = {.first_value = (int64_t)p->where->n_values};
    if ((name.kind != WORD && name.kind != QUOTED) || at_keyword(p)) return wrong(p, &name, "the name of a column");
    if (++p->n_tests > MOST_TESTS)
        return pen__fail(p->error, PEN_E_LIMIT, "the filter has more than %d comparisons; use: column in (value, ...)",
                         MOST_TESTS);
    PEN_TRY(find_column(p, &name, &node));
    PEN_TRY(advance(p));
    if (at_word(p, "is")) return parse_missing(p, &node, at);
    if (at_word(p, "not")) {
        turned = true;
        PEN_TRY(advance(p));
        if (!at_word(p, "in") && !at_word(p, "contains")) return wrong(p, &p->now, "'in' or 'contains'");
    }
    if (at_word(p, "in")) {
        node.op = PEN_OP_EQUAL;
        PEN_TRY(advance(p));
        PEN_TRY(parse_list(p));
    } else if (at_word(p, "contains")) {
        node.op = PEN_OP_CONTAINS;
        PEN_TRY(advance(p));
        PEN_TRY(add_value(p));
    } else {
        PEN_TRY(parse_op(p, &node.op, &turned));
        PEN_TRY(add_value(p));
    }
    return finish_test(p, &node, &name, turned, at);
}

static pen_status parse_or(parser *p, int32_t *at);

static pen_status parse_not(parser *p, int32_t *at)
{
    if (at_symbol(p, "(")) {
        if (++p->depth > DEEPEST)
            return pen__fail(p->error, PEN_E_LIMIT,
                             "the filter has more than %d parentheses or 'not' inside each other", DEEPEST);
        PEN_TRY(advance(p));
        PEN_TRY(parse_or(p, at));
        p->depth--;
        return expect(p, ")", "'and', 'or' or ')'");
    }
    if (!at_word(p, "not")) return parse_test(p, at);
    if (++p->depth > DEEPEST)
        return pen__fail(p->error, PEN_E_LIMIT, "the filter has more than %d parentheses or 'not' inside each other",
                         DEEPEST);
    PEN_TRY(advance(p));
    PEN_TRY(parse_not(p, at));
    p->depth--;
    return add_node(p, (pen__where_node){.kind = PEN_WHERE_NOT, .left = *at}, at);
}

static pen_status parse_chain(parser *p, const char *word, int kind, pen_status (*side)(parser *, int32_t *),
                              int32_t *at)
{
    PEN_TRY(side(p, at));
    while (at_word(p, word)) {
        int32_t right;
        PEN_TRY(advance(p));
        PEN_TRY(side(p, &right));
        PEN_TRY(add_node(p, (pen__where_node){.kind = kind, .left = *at, .right = right}, at));
    }
    return PEN_OK;
}

static pen_status parse_and(parser *p, int32_t *at) { return parse_chain(p, "and", PEN_WHERE_AND, parse_not, at); }
static pen_status parse_or(parser *p, int32_t *at) { return parse_chain(p, "or", PEN_WHERE_OR, parse_and, at); }

pen_status pen__where_parse(pen_context *ctx, pen__span text, const pen__where_items *items, pen__where **out,
                            pen_error *error)
{
    pen__where *where;
    pen_status status = PEN_OK;
    *out = NULL;
    PEN_CHECK(text.length <= LONGEST, PEN_E_LIMIT, "the filter has %zu bytes; allowed are %d", text.length, LONGEST);
    PEN_TRY(PEN_NEW_ZERO(ctx, where, 1));
    where->ctx = ctx;
    where->items = *items;
    parser p = {.where = where, .text = text, .error = error};
    PEN_TRY_DONE(PEN_NEW(ctx, where->bytes, text.length + 1));
    PEN_TRY_DONE(advance(&p));
    PEN_TRY_DONE(parse_or(&p, &where->root));
    if (p.now.kind != END) status = wrong(&p, &p.now, "'and', 'or' or the end");
done:
    if (status == PEN_OK)
        *out = where;
    else
        pen__where_free(where);
    return status;
}

void pen__where_free(pen__where *where)
{
    if (!where) return;
    for (size_t i = 0; i < where->n_nodes; i++) pen__free(where->ctx, where->node[i].word);
    pen__free(where->ctx, where->node);
    pen__free(where->ctx, where->value);
    pen__free(where->ctx, where->bytes);
    pen__free(where->ctx, where);
}
