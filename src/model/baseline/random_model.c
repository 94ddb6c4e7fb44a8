/* random: the floor under every other model. A score is a hash of (seed, user, item): uniform, and the same whenever it
 * is asked. A rating is drawn uniformly between training's least and largest value. Cost: nothing to fit, O(1) a
 * score. */
#include "base/random.h"
#include "rank/model.h"

enum { STREAM = PEN_STREAM_MODEL };

/* A user without a number is known by the history. */
static uint64_t key(const pen__user *user)
{
    if (user->number >= 0) return (uint64_t)user->number;
    return pen__hash(user->item, (size_t)user->n * sizeof *user->item) | (uint64_t)1 << 63;
}

static double draw(const pen_model *model, uint64_t user, int32_t item)
{
    uint64_t bits = pen__rand64(pen__rand64(model->seed, STREAM, user), STREAM, (uint64_t)(uint32_t)item);
    return (double)(bits >> 40) * 0x1p-24; /* exact as a float */
}

static pen_status fit(pen_model *model, const pen__train *train, pen_error *error)
{
    return (void)model, (void)train, (void)error, PEN_OK;
}

static pen_status score(const pen_model *model, const pen__user *user, void *scratch, float *scores, pen_error *error)
{
    (void)scratch, (void)error;
    uint64_t k = key(user);
    for (int32_t i = 0; i < model->n_items; i++) scores[i] = (float)draw(model, k, i);
    return PEN_OK;
}

static pen_status rate(const pen_model *model, const pen__user *user, int32_t item, void *scratch, double *rating,
                       pen_error *error)
{
    (void)scratch, (void)error;
    *rating = (double)model->least + ((double)model->most - (double)model->least) * draw(model, key(user), item);
    return PEN_OK;
}

static pen_status explain(const pen_model *model, const pen__user *user, int32_t item, void *scratch, pen__reason *out,
                          int32_t cap, int32_t *n, int32_t *exact, pen_error *error)
{
    double drawn = draw(model, key(user), item);
    if (model->task == PEN_TASK_RATE) PEN_TRY(rate(model, user, item, scratch, &drawn, error));
    *n = cap > 0;
    *exact = 1;
    if (cap > 0) out[0] = (pen__reason){-1, (float)drawn, "drawn at random"};
    return PEN_OK;
}

static pen_status similar(const pen_model *model, int32_t item, void *scratch, float *scores, pen_error *error)
{
    (void)scratch, (void)error;
    for (int32_t i = 0; i < model->n_items; i++)
        scores[i] = (float)draw(model, (uint64_t)(uint32_t)item | (uint64_t)1 << 62, i);
    return PEN_OK;
}

const pen__model_class pen__random_class = {
    .name = "random",
    .family = "baseline",
    .summary = "a hash of user and item: the floor under every other model",
    .formula = "score(u, i) = uniform(hash(seed, u, i))",
    .paper = "none",
    .tasks = 1u << PEN_TASK_RANK | 1u << PEN_TASK_RATE,
    .fit = fit,
    .score = score,
    .rate = rate,
    .explain = explain,
    .similar = similar,
};
