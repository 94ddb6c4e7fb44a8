/* Predictions for pairs: ratings where the model rates, scores otherwise; what is unknown is answered with what is
 * left. */
#ifndef PEN_RANK_PREDICT_H
#define PEN_RANK_PREDICT_H

#include "rank/mask.h"

/* Pairs by number of the model, -1 what it lacks; each user's together: user u of users has pair[begin[u]] .. begin[u +
 * 1]. */
typedef struct pen__pairs {
    pen_context *ctx;
    int64_t n, n_users; /* n_users: different ones, the unknown as one */
    int32_t *item;      /* n */
    int32_t *user;      /* n_users */
    int64_t *begin, *pair;
    double *value; /* n: the predictions; NaN: none */
} pen__pairs;

/* From a data set; values are not predicted yet. */
pen_status pen__pairs_of(const pen_model *model, const pen_dataset *dataset, pen__pairs *out, pen_error *error);

/* In parallel over users. A known user is answered with the stored history; an unknown one as somebody without one. */
pen_status pen__pairs_predict(const pen_model *model, pen__pairs *pairs, pen_error *error);
void pen__pairs_free(pen__pairs *pairs);

#endif
