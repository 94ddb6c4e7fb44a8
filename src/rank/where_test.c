/* Evaluating a filter expression on one item: a walk over the tree that stops as soon as the answer is known. Words of
 * categories were compared once, when the expression was compiled; here they are looked up. */
#include <math.h>

#include "rank/where_impl.h"

static unsigned char fold(char c) { return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : (unsigned char)c; }

bool pen__fold_equal(pen__span a, pen__span b)
{
    if (a.length != b.length) return false;
    for (size_t i = 0; i < a.length; i++)
        if (fold(a.text[i]) != fold(b.text[i])) return false;
    return true;
}

static bool fold_contains(pen__span have, pen__span part)
{
    for (size_t at = 0; at + part.length <= have.length; at++)
        if (pen__fold_equal((pen__span){have.text + at, part.length}, part)) return true;
    return false;
}

/* Negative, zero or positive: bytes without ASCII case, the shorter first. */
static int fold_order(pen__span a, pen__span b)
{
    size_t n = a.length < b.length ? a.length : b.length;
    for (size_t i = 0; i < n; i++)
        if (fold(a.text[i]) != fold(b.text[i])) return (int)fold(a.text[i]) - (int)fold(b.text[i]);
    return (a.length > b.length) - (a.length < b.length);
}

static bool number_holds(double x, int op, const pen__where_value *value, int64_t n)
{
    double y = value->number;
    switch (op) {
    case PEN_OP_LESS: return x < y;
    case PEN_OP_AT_MOST: return x <= y;
    case PEN_OP_MORE: return x > y;
    case PEN_OP_AT_LEAST: return x >= y;
    default: break;
    }
    for (int64_t v = 0; v < n; v++)
        if (x == value[v].number) return true;
    return false;
}

static bool order_holds(int order, int op)
{
    switch (op) {
    case PEN_OP_LESS: return order < 0;
    case PEN_OP_AT_MOST: return order <= 0;
    case PEN_OP_MORE: return order > 0;
    default: return order >= 0;
    }
}

bool pen__where_text_holds(pen__span have, int op, const pen__where_value *value, int64_t n)
{
    double x;
    if (op == PEN_OP_CONTAINS) return fold_contains(have, value->text);
    if (op != PEN_OP_EQUAL) {
        if (value->is_number && !value->quoted) return pen__parse_double(have, &x) && number_holds(x, op, value, 1);
        return have.length && order_holds(fold_order(have, value->text), op);
    }
    for (int64_t v = 0; v < n; v++) {
        if (pen__fold_equal(have, value[v].text)) return true;
        if (value[v].is_number && !value[v].quoted && pen__parse_double(have, &x) && x == value[v].number) return true;
    }
    return false;
}

/* ---- one item ---------------------------------------------------------------------------------------------------- */

static int64_t codes_of(const pen__column *column, int32_t item, const int32_t **code)
{
    if (column->type == PEN_COLUMN_CATEGORY) {
        *code = column->code + item;
        return **code >= 0;
    }
    *code = column->code + column->begin[item];
    return column->begin[item + 1] - column->begin[item];
}

static bool words_hold(const pen__where_node *node, int32_t item)
{
    const int32_t *code;
    int64_t n = codes_of(node->column, item, &code);
    for (int64_t i = 0; i < n; i++)
        if (node->word[code[i]]) return true;
    return false;
}

static bool missing(const pen__column *column, int32_t item)
{
    const int32_t *code;
    if (!column) return false; /* id, popularity */
    if (column->type == PEN_COLUMN_NUMBER) return isnan(column->number[item]);
    if (column->type == PEN_COLUMN_TEXT) return pen__strings_at(&column->words, item).length == 0;
    return codes_of(column, item, &code) == 0;
}

static bool id_holds(const pen__where *where, const pen__where_node *node, int32_t item)
{
    pen__span id = pen__strings_at(where->items.ids, item);
    const pen__where_value *value = where->value + node->first_value;
    if (node->op != PEN_OP_EQUAL) return pen__where_text_holds(id, node->op, value, node->n_values);
    for (int64_t v = 0; v < node->n_values; v++)
        if (pen__span_equal(id, value[v].text)) return true;
    return false;
}

static bool holds(const pen__where *where, int32_t at, int32_t item)
{
    const pen__where_node *node = &where->node[at];
    const pen__where_value *value = node->n_values ? where->value + node->first_value : NULL;
    switch (node->kind) {
    case PEN_WHERE_AND: return holds(where, node->left, item) && holds(where, node->right, item);
    case PEN_WHERE_OR: return holds(where, node->left, item) || holds(where, node->right, item);
    case PEN_WHERE_NOT: return !holds(where, node->left, item);
    case PEN_WHERE_WORDS: return words_hold(node, item);
    case PEN_WHERE_NUMBER: return number_holds((double)node->column->number[item], node->op, value, node->n_values);
    case PEN_WHERE_TEXT:
        return pen__where_text_holds(pen__strings_at(&node->column->words, item), node->op, value, node->n_values);
    case PEN_WHERE_ID: return id_holds(where, node, item);
    case PEN_WHERE_POPULARITY: return number_holds((double)where->items.events[item], node->op, value, node->n_values);
    default: return missing(node->column, item);
    }
}

bool pen__where_holds(const pen__where *where, int32_t item) { return holds(where, where->root, item); }
