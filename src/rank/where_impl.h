/* A compiled filter expression: between the parser (where.c) and the evaluation (where_test.c). */
#ifndef PEN_RANK_WHERE_IMPL_H
#define PEN_RANK_WHERE_IMPL_H

#include "rank/where.h"

enum pen__where_kind {
    PEN_WHERE_AND = 1,
    PEN_WHERE_OR,
    PEN_WHERE_NOT,
    PEN_WHERE_WORDS,  /* a category's word, or one of the categories, is among those marked */
    PEN_WHERE_NUMBER, /* of a number column */
    PEN_WHERE_TEXT,   /* of a text column */
    PEN_WHERE_ID,
    PEN_WHERE_POPULARITY,
    PEN_WHERE_MISSING
};

enum pen__where_op { PEN_OP_EQUAL = 1, PEN_OP_LESS, PEN_OP_AT_MOST, PEN_OP_MORE, PEN_OP_AT_LEAST, PEN_OP_CONTAINS };

typedef struct pen__where_value {
    pen__span text;
    double number;
    bool is_number; /* the text is one */
    bool quoted;
} pen__where_value;

/* and, or: the two sides; not: left. A comparison: column, op and n_values values from first_value on (several: any of
 * them equals). */
typedef struct pen__where_node {
    int32_t kind, op;
    int32_t left, right;
    const pen__column *column;
    int64_t first_value, n_values;
    uint8_t *word; /* PEN_WHERE_WORDS: 1 for each word of the column of which it holds */
} pen__where_node;

struct pen__where {
    pen_context *ctx;
    pen__where_items items;
    char *bytes; /* of values, without quotes */
    pen__where_node *node;
    pen__where_value *value;
    size_t n_nodes, cap_nodes, n_values, cap_values;
    int32_t root;
};

/* Whether a text compares so with the values. */
bool pen__where_text_holds(pen__span have, int op, const pen__where_value *value, int64_t n);

/* Equal but for the case of ASCII letters. */
bool pen__fold_equal(pen__span a, pen__span b);

#endif
