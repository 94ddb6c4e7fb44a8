/* item-knn: what is like what you had. Each item keeps its k most similar items (knn_neighbours.c); an item's score is
 * the sum of its similarities to the history's items, or, for ratings, the baseline plus the similarity-weighted mean
 * of what the history's ratings leave of theirs. A new user's answer is the same sum: nothing about users is kept.
 *
 * Cost: fitting sum over users of n_u^2 / 2 multiply-adds; the model k pairs an item; a ranking one pass over the
 * history's items' lists, a rating one pass over the item's list.
 *
 * Sarwar, Karypis, Konstan, Riedl: "Item-based collaborative filtering recommendation algorithms" (WWW 2001);
 * Deshpande, Karypis: "Item-based top-N recommendation algorithms" (TOIS 2004); on residuals of the baseline: Koren,
 * "Factor in the neighbors" (TKDD 2010), section 2.2. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/thread.h"
#include "model/neighbour/knn_neighbours.h"
#include "model/reasons.h"

typedef struct state {
    const int64_t *begin;     /* (n_items + 1) */
    const int32_t *neighbour; /* of item i, most similar first: begin[i] .. begin[i + 1] */
    const float *similarity;
    /* (n_items + 1): the same pairs by neighbour, ranking only: what an item of the history scores */
    int64_t *reach_begin;
    int32_t *reach;
    float *reach_similarity;
    pen__estimates estimates; /* rating only */
    double damping;
    int32_t k;
} state;

/* ---- fitting ----------------------------------------------------------------------------------------------------- */

/* Neighbours kept an item: for ratings many more than k, because the k best among what a user has rated are used. */
static int32_t kept(const pen__model_class *class, const pen__params *params, int32_t task)
{
    int32_t k = (int32_t)pen__params_get(class, params, "k"), pool = (int32_t)pen__params_get(class, params, "pool");
    return task == PEN_TASK_RATE && pool > k ? pool : k;
}

static uint64_t memory(const pen__params *params, const pen__train *train)
{
    const pen__model_class *class = pen__model_class_find("item-knn");
    pen__similarity similarity;
    if (pen__similarity_of(class, params, train->task, &similarity, NULL) != PEN_OK) return 0;
    int32_t k = kept(class, params, train->task);
    bool valued = similarity.corated || similarity.kind == PEN_MSD || !pen__rows_constant(&train->by_item);
    int64_t pairs = (int64_t)train->n_items * (k < train->n_items ? k : train->n_items);
    return pen__vectors_memory(&similarity, train->n_items, train->n_users, train->n_events, valued) +
           16 * (uint64_t)pairs +
           pen__neighbours_memory(train->n_items, train->n_users, train->n_events, k, valued, pen__workers(train->ctx));
}

static pen_status add_lists(pen_model *model, const pen__neighbours *found, double power, pen_error *error)
{
    int64_t *begin, n = found->begin[found->n];
    int32_t *neighbour;
    float *similarity;
    PEN_TRY(pen__model_add(model, "item.begin", PEN_I64, PEN_ROLE_PARAM, (int64_t)found->n + 1, 0, 0, &begin, error));
    PEN_TRY(pen__model_add(model, "item.neighbour", PEN_I32, PEN_ROLE_PARAM, n > 0 ? n : 1, 0, 0, &neighbour, error));
    PEN_TRY(pen__model_add(model, "item.similarity", PEN_F32, PEN_ROLE_PARAM, n > 0 ? n : 1, 0, 0, &similarity, error));
    memcpy(begin, found->begin, ((size_t)found->n + 1) * sizeof *begin);
    pen__neighbours_write(found, power, neighbour, similarity);
    if (!pen__param_int(model, "normalize")) return PEN_OK;
    for (int32_t i = 0; i < found->n; i++) {
        double sum = 0;
        for (int64_t e = begin[i]; e < begin[i + 1]; e++) sum += (double)similarity[e];
        for (int64_t e = begin[i]; e < begin[i + 1]; e++) similarity[e] = (float)((double)similarity[e] / sum);
    }
    return PEN_OK;
}

static pen_status add_estimates(pen_model *model, const pen__train *train, pen__estimates *estimates, float **user,
                                pen_error *error)
{
    float *item;
    *estimates = (pen__estimates){train->mean, pen__param(model, "regularization"),
                                  pen__param(model, "regularization_user"), NULL, NULL};
    PEN_TRY(pen__model_add(model, "item.bias", PEN_F32, PEN_ROLE_PARAM, train->n_items, 0, 0, &item, error));
    PEN_TRY(PEN_NEW(model->ctx, *user, train->n_users));
    return pen__estimates_fit(model->ctx, &train->by_user, &train->by_item, estimates, *user, item, error);
}

static pen_status fit(pen_model *model, const pen__train *train, pen_error *error)
{
    pen_status status = PEN_OK;
    pen__similarity similarity;
    pen__estimates estimates;
    pen__vectors vectors = {0};
    pen__neighbours found = {0};
    float *user_bias = NULL;
    bool rating = train->task == PEN_TASK_RATE;
    PEN_TRY(pen__similarity_of(model->class, &model->params, train->task, &similarity, error));
    if (rating) PEN_TRY_DONE(add_estimates(model, train, &estimates, &user_bias, error));
    PEN_TRY_DONE(pen__vectors_make(model->ctx, &similarity, &train->by_item, &train->by_user,
                                   rating ? &estimates : NULL, false, &vectors, error));
    PEN_TRY_DONE(pen__neighbours_find(model->ctx, model, &vectors, kept(model->class, &model->params, train->task),
                                      &found, error));
    PEN_TRY_DONE(add_lists(model, &found, similarity.power, error));
done:
    pen__neighbours_free(&found);
    pen__vectors_free(&vectors);
    pen__free(model->ctx, user_bias);
    return status;
}

/* ---- state ------------------------------------------------------------------------------------------------------- */

static pen_status check_lists(const pen_model *model, const state *s, int64_t room, pen_error *error)
{
    int32_t n = model->n_items;
    bool sound = s->begin[0] == 0 && s->begin[n] <= room;
    for (int32_t i = 0; sound && i < n; i++) sound = s->begin[i] <= s->begin[i + 1];
    PEN_CHECK(sound, PEN_E_FORMAT, "item-knn: item.begin does not rise from 0 to %lld", (long long)room);
    for (int64_t e = 0; e < s->begin[n]; e++)
        PEN_CHECK(s->neighbour[e] >= 0 && s->neighbour[e] < n && s->similarity[e] >= 0 && s->similarity[e] <= 3e38f,
                  PEN_E_FORMAT, "item-knn: neighbour %lld is item %d with similarity %g; items are 0 to %d",
                  (long long)e, s->neighbour[e], (double)s->similarity[e], n - 1);
    return PEN_OK;
}

/* The transpose of the lists; within a row by rising item. */
static pen_status make_reach(const pen_model *model, state *s, pen_error *error)
{
    int32_t n = model->n_items;
    PEN_TRY(PEN_NEW_ZERO(model->ctx, s->reach_begin, (size_t)n + 2));
    PEN_TRY(PEN_NEW(model->ctx, s->reach, s->begin[n]));
    PEN_TRY(PEN_NEW(model->ctx, s->reach_similarity, s->begin[n]));
    int64_t *next = s->reach_begin + 1; /* ends as the begins: each row's start moves to the next one's */
    for (int64_t e = 0; e < s->begin[n]; e++) next[s->neighbour[e] + 1]++;
    for (int32_t i = 0; i < n; i++) next[i + 1] += next[i];
    for (int32_t i = 0; i < n; i++)
        for (int64_t e = s->begin[i]; e < s->begin[i + 1]; e++) {
            int64_t at = next[s->neighbour[e]]++;
            s->reach[at] = i;
            s->reach_similarity[at] = s->similarity[e];
        }
    return PEN_OK;
}

static pen_status bind(pen_model *model, pen_error *error)
{
    state *s = model->state;
    int64_t dims[3];
    s->k = pen__param_int(model, "k");
    s->damping = pen__param(model, "damping");
    PEN_TRY(pen__model_get(model, "item.begin", PEN_I64, (int64_t)model->n_items + 1, 0, 0, NULL, &s->begin, error));
    PEN_TRY(pen__model_get(model, "item.neighbour", PEN_I32, -1, 0, 0, dims, &s->neighbour, error));
    PEN_TRY(pen__model_get(model, "item.similarity", PEN_F32, dims[0], 0, 0, NULL, &s->similarity, error));
    PEN_TRY(check_lists(model, s, dims[0], error));
    if (model->task != PEN_TASK_RATE) return make_reach(model, s, error);
    s->estimates = (pen__estimates){model->mean, pen__param(model, "regularization"),
                                    pen__param(model, "regularization_user"), NULL, NULL};
    return pen__model_get(model, "item.bias", PEN_F32, model->n_items, 0, 0, NULL, &s->estimates.item, error);
}

static void unbind(pen_model *model)
{
    state *s = model->state;
    pen__free(model->ctx, s->reach_begin);
    pen__free(model->ctx, s->reach);
    pen__free(model->ctx, s->reach_similarity);
    *s = (state){0};
}

/* ---- answering --------------------------------------------------------------------------------------------------- */

/* Zeroed by the caller once; `value` is zero between calls. */
typedef struct pad {
    float *value;   /* (n_items) */
    uint8_t *known; /* (n_items): 1 for items of the history, zero between calls */
} pad;

static size_t scratch(const pen_model *model) { return (size_t)model->n_items * (sizeof(float) + 1); }

static pad pad_of(const pen_model *model, void *bytes)
{
    return (pad){bytes, (uint8_t *)bytes + (size_t)model->n_items * sizeof(float)};
}

/* What the history says of each item: its value; when rating, what the baseline leaves of the rating. Returns the
 * user's bias. */
static double open_history(const pen_model *model, const pen__user *user, const pad *p)
{
    const state *s = model->state;
    bool rating = model->task == PEN_TASK_RATE;
    double bias = rating ? pen__estimates_user(&s->estimates, user) : 0;
    for (int64_t e = 0; e < user->n; e++) {
        int32_t i = user->item[e];
        double value = (double)user->value[e];
        if (rating)
            p->value[i] = (float)(value - s->estimates.mean - bias - (double)s->estimates.item[i]);
        else
            p->value[i] += (float)value;
        p->known[i] = 1;
    }
    return bias;
}

static void close_history(const pen__user *user, const pad *p)
{
    for (int64_t e = 0; e < user->n; e++) {
        p->value[user->item[e]] = 0;
        p->known[user->item[e]] = 0;
    }
}

/* The sum of similarities of the (when rating, k best) neighbours that the history has; *pull is the weighted sum of
 * values. */
static double gather(const pen_model *model, const pad *p, int32_t item, double *pull)
{
    const state *s = model->state;
    double weight = 0;
    int32_t left = model->task == PEN_TASK_RATE ? s->k : INT32_MAX;
    *pull = 0;
    for (int64_t e = s->begin[item]; e < s->begin[item + 1] && left > 0; e++) {
        if (!p->known[s->neighbour[e]]) continue;
        weight += (double)s->similarity[e];
        *pull += (double)s->similarity[e] * (double)p->value[s->neighbour[e]];
        left--;
    }
    return weight;
}

static double predict(const pen_model *model, const pad *p, double user_bias, int32_t item)
{
    const state *s = model->state;
    double base = s->estimates.mean + user_bias, pull, weight;
    if (item < 0) return base;
    weight = gather(model, p, item, &pull) + s->damping;
    return base + (double)s->estimates.item[item] + (weight > 0 ? pull / weight : 0);
}

static pen_status rate(const pen_model *model, const pen__user *user, int32_t item, void *scratch_bytes, double *rating,
                       pen_error *error)
{
    (void)error;
    pad p = pad_of(model, scratch_bytes);
    double bias = open_history(model, user, &p);
    *rating = predict(model, &p, bias, item);
    close_history(user, &p);
    return PEN_OK;
}

static pen_status score(const pen_model *model, const pen__user *user, void *scratch_bytes, float *scores,
                        pen_error *error)
{
    (void)error;
    const state *s = model->state;
    if (model->task == PEN_TASK_RATE) {
        pad p = pad_of(model, scratch_bytes);
        double bias = open_history(model, user, &p);
        for (int32_t i = 0; i < model->n_items; i++) scores[i] = (float)predict(model, &p, bias, i);
        close_history(user, &p);
        return PEN_OK;
    }
    memset(scores, 0, (size_t)model->n_items * sizeof *scores);
    for (int64_t h = 0; h < user->n; h++) {
        int64_t begin = s->reach_begin[user->item[h]], end = s->reach_begin[user->item[h] + 1];
        for (int64_t e = begin; e < end; e++) scores[s->reach[e]] += user->value[h] * s->reach_similarity[e];
    }
    return PEN_OK;
}

static pen_status explain(const pen_model *model, const pen__user *user, int32_t item, void *scratch_bytes,
                          pen__reason *out, int32_t cap, int32_t *n, int32_t *exact, pen_error *error)
{
    (void)error;
    const state *s = model->state;
    bool rating = model->task == PEN_TASK_RATE;
    pad p = pad_of(model, scratch_bytes);
    double bias = open_history(model, user, &p), pull, weight = gather(model, &p, item, &pull) + s->damping;
    int32_t left = rating ? s->k : INT32_MAX;
    *n = 0;
    if (rating && cap > 0)
        out[(*n)++] = (pen__reason){-1, (float)(s->estimates.mean + bias + (double)s->estimates.item[item]),
                                    "the user's and the item's usual ratings"};
    pen__reasons reasons = pen__reasons_begin(out, cap, *n);
    for (int64_t e = s->begin[item]; e < s->begin[item + 1] && left > 0; e++) {
        int32_t j = s->neighbour[e];
        if (!p.known[j]) continue;
        left--;
        double share = (double)s->similarity[e] * (double)p.value[j];
        pen__reasons_add(&reasons, j, (float)(rating ? share / weight : share));
    }
    *n = pen__reasons_end(&reasons);
    *exact = cap > (rating ? 1 : 0);
    close_history(user, &p);
    return PEN_OK;
}

static pen_status similar(const pen_model *model, int32_t item, void *scratch_bytes, float *scores, pen_error *error)
{
    (void)scratch_bytes, (void)error;
    const state *s = model->state;
    memset(scores, 0, (size_t)model->n_items * sizeof *scores);
    for (int64_t e = s->begin[item]; e < s->begin[item + 1]; e++) scores[s->neighbour[e]] = s->similarity[e];
    return PEN_OK;
}

static const pen_param params[] = {
    PEN_P_INT_LOG("k", "50", 1, 1e6, "neighbours of an item; when rating, the most that one prediction uses"),
    PEN_P_INT_LOG("pool", "1000", 1, 1e6,
                  "rating: neighbours kept of an item, of which the k best that a user has rated are used"),
    PEN_P_BOOL("normalize", "no", "ranking: each item's similarities add up to 1"),
    PEN__SIMILARITY_PARAMS,
};

const pen__model_class pen__item_knn_class = {
    .name = "item-knn",
    .family = "neighbour",
    .summary = "items like those of the history, by who had both",
    .formula =
        "score(u, i) = sum over the history's j among i's k neighbours of s(i, j) value_uj\n"
        "rating(u, i) = b_ui + sum_j s(i, j) (r_uj - b_uj) / (damping + sum_j s(i, j)), b_ui = mean + b_u + b_i,\n"
        "               j the k items most similar to i that u has rated",
    .paper = "Sarwar, Karypis, Konstan, Riedl: Item-based collaborative filtering recommendation algorithms (WWW 2001)",
    .tasks = 1u << PEN_TASK_RANK | 1u << PEN_TASK_RATE,
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(state),
    .memory = memory,
    .fit = fit,
    .bind = bind,
    .unbind = unbind,
    .scratch = scratch,
    .score = score,
    .rate = rate,
    .explain = explain,
    .similar = similar,
};
