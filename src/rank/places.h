/* Lists of items, and the places of given items among dense scores; see places.c. */
#ifndef PEN_RANK_PLACES_H
#define PEN_RANK_PLACES_H

#include "rank/rank.h"

/* Whether the rising list has the item. */
bool pen__items_have(const int32_t *item, int64_t n, int32_t wanted);

/* One target on its way to a place. */
typedef struct pen__place {
    float score;
    int32_t item;
    uint64_t tie;
    int64_t index;  /* in the ask's targets */
    int64_t before; /* how many items stand before it */
} pen__place;

/* Places of the ask's targets into place[n_target] (1 is the best, 0: not ranked). Scores of excluded items are
 * overwritten. `denied` as in pen__exclude. scratch: n_target. */
void pen__places_dense(float *scores, int32_t n_items, const pen__ask *ask, const uint64_t *denied, int64_t *place,
                       pen__place *scratch);

/* The same where only n items (rising, none of them excluded) were scored. */
void pen__places_among(const float *scores, const int32_t *item, int64_t n, const pen__ask *ask, int64_t *place);

#endif
