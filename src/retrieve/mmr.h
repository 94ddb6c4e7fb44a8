/* Re-ranking for diversity: maximal marginal relevance.
 *
 * Carbonell and Goldstein: "The use of MMR, diversity-based reranking" (SIGIR 1998).
 */
#ifndef PEN_RETRIEVE_MMR_H
#define PEN_RETRIEVE_MMR_H

#include "rank/model.h"

/* What similarity is measured by. */
typedef struct pen__alike {
    pen__factors factors;        /* d > 0: the cosine of the items' vectors */
    const pen__column *category; /* else: the Jaccard similarity of their categories */
} pen__alike;

/* PEN_E_UNSUPPORTED where the model has neither. */
pen_status pen__alike_of(const pen_model *model, pen__alike *out, pen_error *error);

double pen__likeness(const pen__alike *alike, int32_t a, int32_t b);

/* Mean similarity of the pairs of a list; NaN with fewer than two. */
double pen__likeness_list(const pen__alike *alike, const int32_t *item, int64_t n);

/* Picks k of n candidates (best first) in order: each time the one with the largest
 * (1 - diversity) relevance - diversity * (its largest similarity to what is picked), where relevance is the score
 * scaled to 0..1 over the candidates; equal ones in the candidates' order. pick: k positions among the candidates.
 * room: 2 n doubles. */
void pen__mmr(const pen__alike *alike, const int32_t *item, const float *score, int32_t n, double diversity, int32_t k,
              int32_t *pick, double *room);

#endif
