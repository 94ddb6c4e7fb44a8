/* The categories of items, for diversity and calibration. */
#ifndef PEN_EVAL_CATEGORIES_H
#define PEN_EVAL_CATEGORIES_H

#include "data/interactions.h"

/* One column of the item table, by training's numbers. column is NULL where the data has none. */
typedef struct pen__categories {
    const pen__column *column;
    const int32_t *data_item;
    int64_t n_words;
} pen__categories;

/* The first column of type categories, else the first of type category in which some value is shared. */
pen__categories pen__categories_of(const pen__train *train);

/* The categories of an item; returns their number. */
int64_t pen__categories_at(const pen__categories *categories, int32_t item, const int32_t **code);

/* 1 - mean Jaccard similarity of the pairs of a list; items without categories are passed over; NaN with fewer than
 * two. */
double pen__diversity(const pen__categories *categories, const int32_t *list, int64_t n);

/* KL divergence of the list's categories from the history's (Steck 2018, alpha 0.01); NaN where either has none.
 * scratch is 2 x n_words doubles. */
double pen__calibration(const pen__categories *categories, const int32_t *history, int64_t n_history,
                        const int32_t *list, int64_t n_list, double *scratch);

#endif
