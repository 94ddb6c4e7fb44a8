/* bias: a rating is the mean, plus how far the user and the item usually are from it. Alternating ridge regressions,
 * each closed form; a new user's bias is the same regression over the history. Cost: O(events) a sweep.
 *
 * Koren: "Factor in the neighbors" (TKDD 2010), section 2.1; the alternating form as in Surprise's BaselineOnly. */
#include "rank/model.h"

typedef struct state {
    const float *user, *item; /* (n_users), (n_items) */
    double user_regularization;
} state;

/* One side's biases with the other side's fixed. */
static void sweep(const pen__rows *rows, double mean, double regularization, const float *other, float *out)
{
    for (int64_t r = 0; r < rows->n_rows; r++) {
        double sum = 0;
        for (int64_t e = rows->begin[r]; e < rows->begin[r + 1]; e++)
            sum += (double)rows->value[e] - mean - (double)other[rows->column[e]];
        double weight = regularization + (double)(rows->begin[r + 1] - rows->begin[r]);
        out[r] = weight > 0 ? (float)(sum / weight) : 0;
    }
}

static pen_status fit(pen_model *model, const pen__train *train, pen_error *error)
{
    float *user, *item;
    PEN_TRY(pen__model_add(model, "user.bias", PEN_F32, PEN_ROLE_PARAM, train->n_users, 0, 0, &user, error));
    PEN_TRY(pen__model_add(model, "item.bias", PEN_F32, PEN_ROLE_PARAM, train->n_items, 0, 0, &item, error));
    double regularization_user = pen__param(model, "regularization_user"),
           regularization = pen__param(model, "regularization");
    for (int32_t e = pen__param_int(model, "epochs"); e > 0; e--) {
        sweep(&train->by_item, train->mean, regularization, user, item);
        sweep(&train->by_user, train->mean, regularization_user, item, user);
    }
    return PEN_OK;
}

static pen_status bind(pen_model *model, pen_error *error)
{
    state *s = model->state;
    s->user_regularization = pen__param(model, "regularization_user");
    PEN_TRY(pen__model_get(model, "user.bias", PEN_F32, model->n_users, 0, 0, NULL, &s->user, error));
    return pen__model_get(model, "item.bias", PEN_F32, model->n_items, 0, 0, NULL, &s->item, error);
}

static double user_bias(const pen_model *model, const pen__user *user)
{
    const state *s = model->state;
    if (user->number >= 0) return (double)s->user[user->number];
    double sum = 0;
    for (int64_t e = 0; e < user->n; e++) sum += (double)user->value[e] - model->mean - (double)s->item[user->item[e]];
    double weight = s->user_regularization + (double)user->n;
    return weight > 0 ? sum / weight : 0;
}

static pen_status rate(const pen_model *model, const pen__user *user, int32_t item, void *scratch, double *rating,
                       pen_error *error)
{
    (void)scratch, (void)error;
    const state *s = model->state;
    *rating = model->mean + user_bias(model, user) + (item >= 0 ? (double)s->item[item] : 0);
    return PEN_OK;
}

static pen_status score(const pen_model *model, const pen__user *user, void *scratch, float *scores, pen_error *error)
{
    (void)scratch, (void)error;
    const state *s = model->state;
    double base = model->mean + user_bias(model, user);
    for (int32_t i = 0; i < model->n_items; i++) scores[i] = (float)(base + (double)s->item[i]);
    return PEN_OK;
}

static pen_status explain(const pen_model *model, const pen__user *user, int32_t item, void *scratch, pen__reason *out,
                          int32_t cap, int32_t *n, int32_t *exact, pen_error *error)
{
    (void)scratch, (void)error;
    const state *s = model->state;
    const pen__reason all[] = {{-1, s->item[item], "rated above or below the mean by everybody"},
                               {-1, (float)user_bias(model, user), "this user rates above or below the mean"},
                               {-1, (float)model->mean, "the mean of all ratings"}};
    *exact = cap >= 3;
    for (*n = 0; *n < 3 && *n < cap; ++*n) out[*n] = all[*n];
    return PEN_OK;
}

static const pen_param params[] = {
    PEN_P_INT("epochs", "10", 1, 1000, "alternating sweeps"),
    PEN_P_REAL_LOG("regularization", "5", 0, 1e6, "pull of the items' biases to zero, in events"),
    PEN_P_REAL_LOG("regularization_user", "5", 0, 1e6, "pull of the users' biases to zero, in events"),
};

const pen__model_class pen__bias_class = {
    .name = "bias",
    .family = "baseline",
    .summary = "mean plus the user's and the item's usual distance from it",
    .formula =
        "rating(u, i) = mean + b_u + b_i\nb_i = sum_u (r_ui - mean - b_u) / (regularization + n_i), b_u likewise",
    .paper = "Koren: Factor in the neighbors: scalable and accurate collaborative filtering (TKDD 2010), section 2.1",
    .tasks = 1u << PEN_TASK_RATE,
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(state),
    .fit = fit,
    .bind = bind,
    .rate = rate,
    .score = score,
    .explain = explain,
};
