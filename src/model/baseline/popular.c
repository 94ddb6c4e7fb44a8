/* popular: everybody gets what most people had. The score of an item is the summed weight of its training events.
 * Cost: one pass over the items to fit, n_items floats to keep. */
#include <string.h>

#include "rank/model.h"

typedef struct state {
    const float *count; /* (n_items) */
} state;

static pen_status fit(pen_model *model, const pen__train *train, pen_error *error)
{
    float *count;
    PEN_TRY(pen__model_add(model, "item.count", PEN_F32, PEN_ROLE_PARAM, train->n_items, 0, 0, &count, error));
    for (int32_t i = 0; i < train->n_items; i++) {
        double sum = 0;
        for (int64_t e = train->by_item.begin[i]; e < train->by_item.begin[i + 1]; e++)
            sum += (double)train->by_item.value[e];
        count[i] = (float)sum;
    }
    return PEN_OK;
}

static pen_status bind(pen_model *model, pen_error *error)
{
    state *s = model->state;
    return pen__model_get(model, "item.count", PEN_F32, model->n_items, 0, 0, NULL, &s->count, error);
}

static pen_status score(const pen_model *model, const pen__user *user, void *scratch, float *scores, pen_error *error)
{
    (void)user, (void)scratch, (void)error;
    const state *s = model->state;
    memcpy(scores, s->count, (size_t)model->n_items * sizeof *scores);
    return PEN_OK;
}

static pen_status explain(const pen_model *model, const pen__user *user, int32_t item, void *scratch, pen__reason *out,
                          int32_t cap, int32_t *n, int32_t *exact, pen_error *error)
{
    (void)user, (void)scratch, (void)error;
    const state *s = model->state;
    *n = cap > 0;
    *exact = 1;
    if (cap > 0) out[0] = (pen__reason){-1, s->count[item], "popular with everybody"};
    return PEN_OK;
}

const pen__model_class pen__popular_class = {
    .name = "popular",
    .family = "baseline",
    .summary = "the items with the most events, the same for everybody",
    .formula = "score(u, i) = sum of the weights of i's events",
    .paper = "none",
    .tasks = 1u << PEN_TASK_RANK,
    .state_size = sizeof(state),
    .fit = fit,
    .bind = bind,
    .score = score,
    .explain = explain,
};
