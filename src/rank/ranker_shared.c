/* One ranker for all queries of a model: the first to come makes it; of two who come at once, one's is kept. */
#include <stdatomic.h>

#include "rank/rank.h"

pen_status pen__model_ranker(const pen_model *model, const pen__ranker **ranker, pen_error *error)
{
    pen_model *shared = (pen_model *)(uintptr_t)model; /* a model is immutable but for this place */
    pen__ranker *there = atomic_load(&shared->ranker), *mine;
    if (!there) {
        PEN_TRY(pen__ranker_open(model, NULL, &mine, error));
        if (atomic_compare_exchange_strong(&shared->ranker, &there, mine))
            there = mine;
        else
            pen__ranker_close(mine);
    }
    *ranker = there;
    return PEN_OK;
}
