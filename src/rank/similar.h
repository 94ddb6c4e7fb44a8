/* Items like an item. */
#ifndef PEN_RANK_SIMILAR_H
#define PEN_RANK_SIMILAR_H

#include "rank/model.h"

/* Similarity of `item` to every item (n_items floats), and in words by what: the class's own; else the cosine of the
 * items' vectors; else the cosine over who had both, from the stored histories. PEN_E_UNSUPPORTED where the model has
 * none of them. */
pen_status pen__similar(const pen_model *model, int32_t item, float *scores, const char **by, pen_error *error);

/* Cosine of two items' vectors, or of zero vectors 0. */
double pen__factor_cosine(const pen__factors *factors, int32_t a, int32_t b);

#endif
