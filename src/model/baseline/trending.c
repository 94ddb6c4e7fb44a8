/* trending: what is popular now. Each training event counts less by half for every `half_life` days before the log's
 * last event. Needs times. Cost: one pass over the events to fit, n_items floats to keep. */
#include <math.h>
#include <string.h>

#include "rank/model.h"

typedef struct state {
    const float *heat; /* (n_items) */
} state;

static int64_t last_time(const pen__rows *rows)
{
    int64_t last = PEN_TIME_MISSING;
    for (int64_t e = 0; e < rows->begin[rows->n_rows]; e++)
        if (rows->time[e] > last) last = rows->time[e];
    return last;
}

static pen_status fit(pen_model *model, const pen__train *train, pen_error *error)
{
    const pen__rows *rows = &train->by_item;
    PEN_CHECK(rows->time, PEN_E_UNSUPPORTED,
              "trending needs the time of each event; name its column (--time-column) or use popular");
    int64_t last = last_time(rows);
    double half_life = pen__param(model, "half_life") * 86400e3;
    float *heat;
    PEN_TRY(pen__model_add(model, "item.heat", PEN_F32, PEN_ROLE_PARAM, train->n_items, 0, 0, &heat, error));
    for (int32_t i = 0; i < train->n_items; i++) {
        double sum = 0;
        for (int64_t e = rows->begin[i]; e < rows->begin[i + 1]; e++)
            if (rows->time[e] != PEN_TIME_MISSING)
                sum += (double)rows->value[e] * exp2(-((double)(last - rows->time[e])) / half_life);
        heat[i] = (float)sum;
    }
    return PEN_OK;
}

static pen_status bind(pen_model *model, pen_error *error)
{
    state *s = model->state;
    return pen__model_get(model, "item.heat", PEN_F32, model->n_items, 0, 0, NULL, &s->heat, error);
}

static pen_status score(const pen_model *model, const pen__user *user, void *scratch, float *scores, pen_error *error)
{
    (void)user, (void)scratch, (void)error;
    const state *s = model->state;
    memcpy(scores, s->heat, (size_t)model->n_items * sizeof *scores);
    return PEN_OK;
}

static pen_status explain(const pen_model *model, const pen__user *user, int32_t item, void *scratch, pen__reason *out,
                          int32_t cap, int32_t *n, int32_t *exact, pen_error *error)
{
    (void)user, (void)scratch, (void)error;
    const state *s = model->state;
    *n = cap > 0;
    *exact = 1;
    if (cap > 0) out[0] = (pen__reason){-1, s->heat[item], "popular of late"};
    return PEN_OK;
}

static const pen_param params[] = {
    PEN_P_REAL_LOG("half_life", "30", 0.001, 36500, "days after which an event counts half"),
};

const pen__model_class pen__trending_class = {
    .name = "trending",
    .family = "baseline",
    .summary = "the items with the most events of late, the same for everybody",
    .formula = "score(u, i) = sum over i's events of weight * 2^(-(last time - time) / half_life)",
    .paper = "none",
    .tasks = 1u << PEN_TASK_RANK,
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(state),
    .fit = fit,
    .bind = bind,
    .score = score,
    .explain = explain,
};
