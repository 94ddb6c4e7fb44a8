/* Why an item has its score, in shares and in words. */
#ifndef PEN_RANK_EXPLAIN_H
#define PEN_RANK_EXPLAIN_H

#include "rank/model.h"

/* Reasons for n items by one user: reason[i * cap ...], n_reasons[i] of them (the largest share first), exact[i] 1
 * where they sum to the score. score (NULL: not wanted) is what the shares are of: the rating, not clipped, where the
 * model rates, else the score. By the class's own slot; else generic, see explain.c. cap is at least 2; the smallest
 * shares beyond it are dropped. */
pen_status pen__explain(const pen_model *model, const pen__user *user, const int32_t *item, int32_t n,
                        pen__reason *reason, int32_t cap, int32_t *n_reasons, int32_t *exact, double *score,
                        pen_error *error);

/* "because you rated *Alien* 5 and *Blade Runner* 4"; what is not of the history in its own words. */
void pen__why(const pen_model *model, const pen__user *user, int32_t item, const pen__reason *reason, int32_t n,
              pen__text *out);

#endif
