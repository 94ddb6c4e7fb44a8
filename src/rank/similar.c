/* Similar items. By vectors: O(n_items d). By histories: one pass over all of them, O(events): the users who had the
 * item count for everything else that they had. */
#include "rank/similar.h"

#include <math.h>
#include <string.h>

#include "kern/kern.h"
#include "rank/catalogue.h"
#include "rank/rank.h"

double pen__factor_cosine(const pen__factors *f, int32_t a, int32_t b)
{
    const pen__kernels *kern = pen__kern();
    const float *p = f->item + (size_t)a * (size_t)f->d, *q = f->item + (size_t)b * (size_t)f->d;
    double squares = (double)kern->sum_squares(p, f->d) * (double)kern->sum_squares(q, f->d);
    return squares > 0 ? (double)kern->dot(p, q, f->d) / sqrt(squares) : 0;
}

static void by_vectors(const pen_model *model, int32_t item, float *scores)
{
    pen__factors f;
    model->class->factors(model, &f);
    for (int32_t i = 0; i < model->n_items; i++) scores[i] = (float)pen__factor_cosine(&f, item, i);
}

static bool row_has(const int32_t *column, int64_t n, int32_t item)
{
    for (int64_t e = 0; e < n; e++)
        if (column[e] == item) return true;
    return false;
}

/* Counts each user once for an item, however often it was had: `last` is the last user seen at each item. */
static pen_status by_histories(const pen_model *model, int32_t item, float *scores, pen_error *error)
{
    const struct pen__catalogue *c = model->catalogue;
    const pen__rows *h = pen__liked_of(&c->liked, &c->history);
    int64_t *users, *last;
    PEN_TRY(PEN_NEW_ZERO(model->ctx, users, model->n_items * 2));
    last = users + model->n_items;
    memset(scores, 0, (size_t)model->n_items * sizeof *scores);
    for (int64_t u = 0; u < h->n_rows; u++) {
        const int32_t *column = h->column + h->begin[u];
        int64_t n = h->begin[u + 1] - h->begin[u];
        bool had = row_has(column, n, item);
        for (int64_t e = 0; e < n; e++) {
            if (last[column[e]] == u + 1) continue;
            last[column[e]] = u + 1;
            users[column[e]]++;
            if (had) scores[column[e]]++;
        }
    }
    for (int32_t i = 0; i < model->n_items; i++) {
        double both = sqrt((double)users[i] * (double)users[item]);
        scores[i] = both > 0 ? (float)((double)scores[i] / both) : 0;
    }
    pen__free(model->ctx, users);
    return PEN_OK;
}

pen_status pen__similar(const pen_model *model, int32_t item, float *scores, const char **by, pen_error *error)
{
    if (model->class->similar) {
        void *scratch = NULL;
        PEN_TRY(pen__new(model->ctx, &scratch, pen__model_scratch(model), 1, true, error));
        *by = "by the model's own similarity";
        pen_status status = model->class->similar(model, item, scratch, scores, error);
        pen__free(model->ctx, scratch);
        return status;
    }
    if (model->class->factors) {
        *by = "by the cosine of the model's vectors";
        by_vectors(model, item, scores);
        return PEN_OK;
    }
    PEN_CHECK(model->catalogue && model->catalogue->history.begin, PEN_E_UNSUPPORTED,
              "%s has no vectors of items, and the model was saved without histories: it cannot say what is alike; "
              "train item-knn or ials",
              model->class->name);
    *by = "by who had both: the model has no vectors of items";
    return by_histories(model, item, scores, error);
}
