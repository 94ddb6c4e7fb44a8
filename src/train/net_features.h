/* Columns of the user and item tables as what a network reads (train/net_sides.h).
 *
 * Every value of a category, each of some categories, and each word of a text (data/tokens.h) that at least two rows
 * have is a feature: a row of one embedding table. A row's features are a bag: a category weighs 1, one of n categories
 * or words 1/n, and what is missing is not there. So any number of columns is one lookup, and the sum of their vectors
 * what a first layer on one-hot columns would give it. Numbers and vectors are standardised over the rows that have
 * them (held within 5 deviations), each column with a flag behind it that says whether it is known: a row that is
 * missing is all zeros.
 *
 * A parameter names the columns: "all" but texts, "none", or names apart by commas, texts too; NAME:text takes the
 * words of a column that was read as categories (few different texts look like such). */
#ifndef PEN_TRAIN_NET_FEATURES_H
#define PEN_TRAIN_NET_FEATURES_H

#include "train/net.h"

/* One side's features; arrays are borrowed from the model's tensors. */
typedef struct pen__features {
    int64_t n_rows;
    int32_t n_words, n_numbers; /* rows of the embedding table, numbers of a row; 0: there are none */
    const int64_t *begin;       /* (n_rows + 1): row r has words begin[r] .. begin[r + 1]; NULL: there are none */
    const int32_t *word;
    const float *weight;
    const float *number; /* (n_rows, n_numbers), or NULL */
} pen__features;

/* Which columns of which table. */
typedef struct pen__feature_choice {
    int side;
    const char *columns; /* the parameter that names them */
    bool words_only;     /* numbers and vectors are left out */
} pen__feature_choice;

/* How many words and numbers there are: of the model's tensors, or, before it has any, of training's table. For build:
 * false where that failed, which the plan then says. */
bool pen__features_count(const pen_model *model, pen__plan *plan, const pen__feature_choice *choice,
                         pen__features *out);

/* Adds the tensors of training's table, "user.features." or "item.features." and what follows, for `begin`; none where
 * there are no features. role: of what a row has; how many words and numbers there are is a parameter in any case.
 * PEN_E_ARGUMENT where the table lacks a column that is named. */
pen_status pen__features_add(pen_model *model, const pen__train *train, const pen__feature_choice *choice, int role,
                             pen_error *error);

/* Fetches and checks them, for `bind`. whole: all must be there; else, in a model from a file, what only training needs
 * is not, and the arrays are NULL. */
pen_status pen__features_bind(const pen_model *model, int side, int64_t n_rows, bool whole, pen__features *out,
                              pen_error *error);

/* How many words a row has; row -1 is missing. */
static inline int64_t pen__features_words(const pen__features *features, int64_t row)
{
    return row < 0 || !features->begin ? 0 : features->begin[row + 1] - features->begin[row];
}

/* The parameters that name the columns; what the item table's are for. */
#define PEN_FEATURES_PARAMS(ITEMS)                                                                                   \
    PEN_P_TEXT("user_features", "all",                                                                               \
               "columns of the user table: all (but texts), none, or names by commas (searches: a text; NAME:text: " \
               "its words)"),                                                                                        \
        PEN_P_TEXT("item_features", "all", "columns of the item table" ITEMS)

#endif
