/* user-knn: what people like you had. A user's k most similar users are found when the question comes, by one sparse
 * product of the history with the items' columns, so a new user, a changed history and a training user are answered
 * alike, and the model is the training matrix in both orders: never users x users. A score is the sum of the
 * neighbours' similarities to the user over those who had the item; a rating the baseline plus the weighted mean of
 * what the k most similar raters' ratings leave of theirs.
 *
 * Neighbours who have nothing that the history lacks take no place among the k: they could add nothing (among them the
 * user's own row, when the history is that of a training user).
 *
 * Cost: nothing to fit but the sums of each user; a question adds sum over the history of n_i products, n_i the item's
 * events.
 *
 * Resnick et al.: "GroupLens: an open architecture for collaborative filtering of netnews" (CSCW 1994); Herlocker,
 * Konstan, Borchers, Riedl: "An algorithmic framework for performing collaborative filtering" (SIGIR 1999). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/strings.h"
#include "base/thread.h"
#include "kern/kern.h"
#include "model/neighbour/knn_neighbours.h"
#include "model/reasons.h"

/* users looked through at a time; places beyond k for neighbours with nothing new */
enum { STRETCH = 1024, SPARE = 16 };

typedef struct state {
    pen__rows by_user, by_item; /* the training matrix; value NULL: all are 1 */
    pen__similarity similarity;
    pen__vectors vectors;     /* users as objects */
    pen__estimates estimates; /* rating only */
    double damping;
    int32_t k;
} state;

/* ---- fitting ----------------------------------------------------------------------------------------------------- */

static uint64_t memory(const pen__params *params, const pen__train *train)
{
    pen__similarity similarity;
    if (pen__similarity_of(pen__model_class_find("user-knn"), params, train->task, &similarity, NULL) != PEN_OK)
        return 0;
    bool valued = train->task == PEN_TASK_RATE || !pen__rows_constant(&train->by_user);
    return pen__vectors_memory(&similarity, train->n_users, train->n_items, train->n_events, valued) +
           (valued ? 16u : 8u) * (uint64_t)train->n_events + 12 * ((uint64_t)train->n_users + (uint64_t)train->n_items);
}

/* Copies one order of the matrix into tensors: "user.begin", "user.item", "user.value" (left out where every value is
 * 1). */
static pen_status add_rows(pen_model *model, const pen__rows *rows, const char *side, const char *other, bool valued,
                           pen_error *error)
{
    char name[48];
    int64_t n = rows->begin[rows->n_rows], *begin;
    int32_t *column;
    float *value;
    snprintf(name, sizeof name, "%s.begin", side);
    PEN_TRY(pen__model_add(model, name, PEN_I64, PEN_ROLE_PARAM, rows->n_rows + 1, 0, 0, &begin, error));
    snprintf(name, sizeof name, "%s.%s", side, other);
    PEN_TRY(pen__model_add(model, name, PEN_I32, PEN_ROLE_PARAM, n > 0 ? n : 1, 0, 0, &column, error));
    memcpy(begin, rows->begin, ((size_t)rows->n_rows + 1) * sizeof *begin);
    memcpy(column, rows->column, (size_t)n * sizeof *column);
    if (!valued) return PEN_OK;
    snprintf(name, sizeof name, "%s.value", side);
    PEN_TRY(pen__model_add(model, name, PEN_F32, PEN_ROLE_PARAM, n > 0 ? n : 1, 0, 0, &value, error));
    memcpy(value, rows->value, (size_t)n * sizeof *value);
    return PEN_OK;
}

static pen_status fit(pen_model *model, const pen__train *train, pen_error *error)
{
    pen__similarity similarity;
    PEN_TRY(pen__similarity_of(model->class, &model->params, train->task, &similarity, error));
    bool rating = train->task == PEN_TASK_RATE;
    bool ones = pen__rows_constant(&train->by_user) && train->n_events > 0 && train->by_user.value[0] == 1;
    PEN_TRY(add_rows(model, &train->by_user, "user", "item", rating || !ones, error));
    PEN_TRY(add_rows(model, &train->by_item, "item", "user", rating || !ones, error));
    if (!rating) return PEN_OK;
    float *user, *item;
    pen__estimates estimates = {train->mean, pen__param(model, "regularization"),
                                pen__param(model, "regularization_user"), NULL, NULL};
    PEN_TRY(pen__model_add(model, "user.bias", PEN_F32, PEN_ROLE_PARAM, train->n_users, 0, 0, &user, error));
    PEN_TRY(pen__model_add(model, "item.bias", PEN_F32, PEN_ROLE_PARAM, train->n_items, 0, 0, &item, error));
    return pen__estimates_fit(model->ctx, &train->by_user, &train->by_item, &estimates, user, item, error);
}

/* ---- state ------------------------------------------------------------------------------------------------------- */

static pen_status bind_rows(const pen_model *model, const char *side, const char *other, int32_t n_rows,
                            int32_t n_columns, pen__rows *out, pen_error *error)
{
    char name[48];
    int64_t dims[3];
    *out = (pen__rows){.n_rows = n_rows};
    snprintf(name, sizeof name, "%s.begin", side);
    PEN_TRY(pen__model_get(model, name, PEN_I64, (int64_t)n_rows + 1, 0, 0, NULL, &out->begin, error));
    snprintf(name, sizeof name, "%s.%s", side, other);
    PEN_TRY(pen__model_get(model, name, PEN_I32, -1, 0, 0, dims, &out->column, error));
    bool sound = out->begin[0] == 0 && out->begin[n_rows] <= dims[0];
    for (int32_t r = 0; sound && r < n_rows; r++) sound = out->begin[r] <= out->begin[r + 1];
    PEN_CHECK(sound, PEN_E_FORMAT, "user-knn: %s.begin does not rise from 0 to %lld", side, (long long)dims[0]);
    for (int64_t e = 0; e < out->begin[n_rows]; e++)
        PEN_CHECK(out->column[e] >= 0 && out->column[e] < n_columns, PEN_E_FORMAT,
                  "user-knn: event %lld of %s.%s is %d; 0 to %d is allowed", (long long)e, side, other, out->column[e],
                  n_columns - 1);
    snprintf(name, sizeof name, "%s.value", side);
    if (!pen__model_tensor(model, name)) return PEN_OK;
    return pen__model_get(model, name, PEN_F32, dims[0], 0, 0, NULL, &out->value, error);
}

static pen_status bind(pen_model *model, pen_error *error)
{
    state *s = model->state;
    bool rating = model->task == PEN_TASK_RATE;
    s->k = pen__param_int(model, "k");
    s->damping = pen__param(model, "damping");
    PEN_TRY(pen__similarity_of(model->class, &model->params, model->task, &s->similarity, error));
    PEN_TRY(bind_rows(model, "user", "item", model->n_users, model->n_items, &s->by_user, error));
    PEN_TRY(bind_rows(model, "item", "user", model->n_items, model->n_users, &s->by_item, error));
    PEN_CHECK(s->by_user.begin[model->n_users] == s->by_item.begin[model->n_items] &&
                  !s->by_user.value == !s->by_item.value && (!rating || s->by_user.value),
              PEN_E_FORMAT, "user-knn: the two orders of the training matrix do not agree");
    if (rating) {
        s->estimates = (pen__estimates){model->mean, pen__param(model, "regularization"),
                                        pen__param(model, "regularization_user"), NULL, NULL};
        PEN_TRY(pen__model_get(model, "user.bias", PEN_F32, model->n_users, 0, 0, NULL, &s->estimates.user, error));
        PEN_TRY(pen__model_get(model, "item.bias", PEN_F32, model->n_items, 0, 0, NULL, &s->estimates.item, error));
    }
    return pen__vectors_make(model->ctx, &s->similarity, &s->by_user, &s->by_item, rating ? &s->estimates : NULL, true,
                             &s->vectors, error);
}

static void unbind(pen_model *model)
{
    state *s = model->state;
    pen__vectors_free(&s->vectors);
    *s = (state){0};
}

/* ---- a question's neighbours ------------------------------------------------------------------------------------- */

/* Zeroed by the caller once; sums, share and known are zero between calls. */
typedef struct pad {
    struct memo {
        uint64_t history; /* hash of the history whose similarities stand in `similar`; 0: none */
        double bias;      /* its user's */
    } * memo;
    uint64_t *key;         /* (n_users + STRETCH) */
    float *sum;            /* (n_users), or NULL */
    pen__moments *moments; /* (n_users), or NULL */
    float *similar;        /* (n_users) */
    float *weighted;       /* (n_items): of the history's events, the first n_items of them */
    float *weighted_item;  /* (n_items): the same by item, for reasons */
    float *share;          /* (n_items) */
    uint8_t *known;        /* (n_items) */
    int32_t *found;        /* (STRETCH) */
} pad;

/* The next array in `bytes` (NULL: only the size is wanted), *at moves behind it. */
static void *place(char *bytes, size_t *at, size_t n, size_t size)
{
    char *here = bytes ? bytes + *at : NULL;
    *at += (n * size + 63) / 64 * 64;
    return here;
}

static size_t lay_out(const pen_model *model, char *bytes, pad *p)
{
    const state *s = model->state;
    size_t n_users = (size_t)model->n_users, n_items = (size_t)model->n_items;
    size_t at = 0;
    *p = (pad){0};
    p->memo = place(bytes, &at, 1, sizeof *p->memo);
    p->key = place(bytes, &at, n_users + STRETCH, sizeof *p->key);
    if (s->vectors.use_moments)
        p->moments = place(bytes, &at, n_users, sizeof *p->moments);
    else
        p->sum = place(bytes, &at, n_users, sizeof *p->sum);
    p->similar = place(bytes, &at, n_users, sizeof *p->similar);
    p->weighted = place(bytes, &at, n_items, sizeof *p->weighted);
    p->weighted_item = place(bytes, &at, n_items, sizeof *p->weighted_item);
    p->share = place(bytes, &at, n_items, sizeof *p->share);
    p->known = place(bytes, &at, n_items, 1);
    p->found = place(bytes, &at, STRETCH, sizeof *p->found);
    return at;
}

static size_t scratch(const pen_model *model)
{
    pad p;
    return lay_out(model, NULL, &p);
}

static uint64_t history_hash(const pen__user *user)
{
    uint64_t hash =
        pen__mix64((uint64_t)(uint32_t)user->number + 1) ^ pen__hash(user->item, (size_t)user->n * sizeof *user->item);
    hash = pen__mix64(hash) ^ pen__hash(user->value, (size_t)user->n * sizeof *user->value);
    return hash ? hash : 1;
}

static void add_column(const state *s, const pad *p, int32_t item, float x)
{
    int64_t begin = s->by_item.begin[item], end = s->by_item.begin[item + 1];
    const int32_t *user = s->by_item.column;
    const float *value = s->vectors.feature_value;
    if (p->moments) {
        for (int64_t e = begin; e < end; e++) {
            pen__moments *m = &p->moments[user[e]];
            float y = value[e];
            m->n += 1, m->x += x, m->xx += x * x, m->y += y, m->yy += y * y, m->xy += x * y;
        }
    } else if (value) {
        for (int64_t e = begin; e < end; e++) p->sum[user[e]] += x * value[e];
    } else {
        for (int64_t e = begin; e < end; e++) p->sum[user[e]] += x;
    }
}

/* Fills p->similar with the similarity of every user, 0 for the user themself, before the power. */
static void compare(const pen_model *model, const pen__user *user, const pad *p)
{
    const state *s = model->state;
    const pen__vectors *v = &s->vectors;
    uint64_t hash = history_hash(user);
    if (p->memo->history == hash) return;
    float count, scale, left, right, offset;
    pen__terms own = {&count,
                      v->terms.scale ? &scale : NULL,
                      v->terms.left ? &left : NULL,
                      v->terms.right == v->terms.left ? (v->terms.left ? &left : NULL) : &right,
                      v->terms.offset ? &offset : NULL,
                      0};
    int64_t n = user->n < model->n_items ? user->n : model->n_items; /* longer only where items are there many times */
    p->memo->bias = model->task == PEN_TASK_RATE ? pen__estimates_user(&s->estimates, user) : 0;
    pen__vectors_query(v, n, user->item, user->value, p->memo->bias, p->weighted, &own);
    for (int64_t e = 0; e < n; e++) add_column(s, p, user->item[e], p->weighted[e]);
    if (p->moments) {
        pen__similarity_moments(&s->similarity, &own, 0, &v->terms, 0, model->n_users, false, p->moments, p->similar);
        memset(p->moments, 0, (size_t)model->n_users * sizeof *p->moments);
    } else {
        pen__similarity_row(&s->similarity, &own, 0, &v->terms, 0, model->n_users, false, v->min_dot, p->sum,
                            p->similar);
        memset(p->sum, 0, (size_t)model->n_users * sizeof *p->sum);
    }
    if (user->number >= 0 && user->number < model->n_users) p->similar[user->number] = 0;
    p->memo->history = hash;
}

/* The m most similar users into p->key, best first; returns how many there are. */
static int32_t most_similar(const pen_model *model, const pad *p, int32_t m)
{
    const pen__kernels *kern = pen__kern();
    int64_t room = 2 * (int64_t)m + STRETCH, n = 0;
    float least = 1e-37f;
    for (int64_t from = 0; from < model->n_users; from += STRETCH) {
        int64_t length = model->n_users - from < STRETCH ? model->n_users - from : STRETCH;
        int64_t found = kern->find_at_least(p->similar + from, length, least, p->found);
        for (int64_t f = 0; f < found; f++) {
            float similar = p->similar[from + p->found[f]];
            if (similar >= least) p->key[n++] = pen__neighbour_key(similar, (int32_t)from + p->found[f]); /* not NaN */
        }
        if (n < room - STRETCH || n <= m) continue;
        pen__neighbours_select(p->key, n, m);
        n = m;
        uint64_t worst = p->key[0];
        for (int64_t i = 1; i < n; i++) worst = p->key[i] < worst ? p->key[i] : worst;
        least = pen__neighbour_similarity(worst);
    }
    pen__neighbours_select(p->key, n, m);
    if (n > m) n = m;
    pen__neighbours_sort(p->key, n);
    return (int32_t)n;
}

static bool has_news(const state *s, const pad *p, int32_t other)
{
    for (int64_t e = s->by_user.begin[other]; e < s->by_user.begin[other + 1]; e++)
        if (!p->known[s->by_user.column[e]]) return true;
    return false;
}

/* Ranking's neighbours: the k most similar who have something new, best first in p->key. */
static int32_t neighbours(const pen_model *model, const pen__user *user, const pad *p)
{
    const state *s = model->state;
    int32_t kept = 0, n;
    for (int64_t e = 0; e < user->n; e++) p->known[user->item[e]] = 1;
    for (int64_t m = (int64_t)s->k + SPARE;; m *= 2) {
        if (m > model->n_users) m = model->n_users;
        n = most_similar(model, p, (int32_t)m);
        kept = 0;
        for (int32_t i = 0; i < n && kept < s->k; i++)
            if (has_news(s, p, pen__neighbour_number(p->key[i]))) p->key[kept++] = p->key[i];
        if (kept == s->k || n < m || m == model->n_users) break;
    }
    for (int64_t e = 0; e < user->n; e++) p->known[user->item[e]] = 0;
    return kept;
}

static inline double strength(const state *s, uint64_t key)
{
    double similarity = (double)pen__neighbour_similarity(key);
    return s->similarity.power == 1 ? similarity : pow(similarity, s->similarity.power);
}

/* ---- ratings ----------------------------------------------------------------------------------------------------- */

/* The k most similar raters of the item into p->key: keys of their places in its column. */
static int32_t raters(const pen_model *model, const pad *p, int32_t item)
{
    const state *s = model->state;
    int64_t begin = s->by_item.begin[item], end = s->by_item.begin[item + 1], n = 0;
    for (int64_t e = begin; e < end; e++) {
        float similar = p->similar[s->by_item.column[e]];
        if (!(similar > 0)) continue;
        p->key[n++] = pen__neighbour_key(similar, (int32_t)(e - begin));
        if (n < (int64_t)model->n_users + STRETCH) continue; /* only where events are there many times */
        pen__neighbours_select(p->key, n, s->k);
        n = s->k < n - 1 ? s->k : n - 1;
    }
    pen__neighbours_select(p->key, n, s->k);
    return n < s->k ? (int32_t)n : s->k;
}

/* What the baseline leaves of the rating at event e of the item's column. */
static double left_over(const state *s, int64_t e, int32_t item)
{
    return (double)s->by_item.value[e] - s->estimates.mean - (double)s->estimates.user[s->by_item.column[e]] -
           (double)s->estimates.item[item];
}

static double predict(const pen_model *model, const pad *p, int32_t item)
{
    const state *s = model->state;
    double base = s->estimates.mean + p->memo->bias, pull = 0, weight = s->damping;
    if (item < 0) return base;
    int32_t n = raters(model, p, item);
    pen__neighbours_sort(p->key, n); /* a fixed order of the sum */
    for (int32_t i = 0; i < n; i++) {
        double w = strength(s, p->key[i]);
        weight += w;
        pull += w * left_over(s, s->by_item.begin[item] + pen__neighbour_number(p->key[i]), item);
    }
    return base + (double)s->estimates.item[item] + (weight > 0 ? pull / weight : 0);
}

static pen_status rate(const pen_model *model, const pen__user *user, int32_t item, void *scratch_bytes, double *rating,
                       pen_error *error)
{
    (void)error;
    pad p;
    lay_out(model, scratch_bytes, &p);
    compare(model, user, &p);
    *rating = predict(model, &p, item);
    return PEN_OK;
}

/* ---- scores ------------------------------------------------------------------------------------------------------ */

static inline double event_value(const pen__rows *rows, int64_t e) { return rows->value ? (double)rows->value[e] : 1; }

static pen_status score(const pen_model *model, const pen__user *user, void *scratch_bytes, float *scores,
                        pen_error *error)
{
    (void)error;
    const state *s = model->state;
    pad p;
    lay_out(model, scratch_bytes, &p);
    compare(model, user, &p);
    if (model->task == PEN_TASK_RATE) {
        for (int32_t i = 0; i < model->n_items; i++) scores[i] = (float)predict(model, &p, i);
        return PEN_OK;
    }
    memset(scores, 0, (size_t)model->n_items * sizeof *scores);
    int32_t n = neighbours(model, user, &p);
    for (int32_t i = 0; i < n; i++) {
        float w = (float)strength(s, p.key[i]);
        int32_t other = pen__neighbour_number(p.key[i]);
        for (int64_t e = s->by_user.begin[other]; e < s->by_user.begin[other + 1]; e++)
            scores[s->by_user.column[e]] += w * (float)event_value(&s->by_user, e);
    }
    return PEN_OK;
}

/* ---- reasons ----------------------------------------------------------------------------------------------------- */

/* What item e of another's row adds to the sum that the similarity was made of; 1 where that is no sum of products. */
static double part_of(const state *s, const pad *p, int64_t e)
{
    if (s->similarity.kind == PEN_MSD) return 1;
    double mine = (double)p->weighted_item[s->by_user.column[e]];
    return s->vectors.object_value ? mine * (double)s->vectors.object_value[e] : mine;
}

/* Shares out `amount`, which comes by way of `other`, among the items that both have, in proportion to their parts of
 * the similarity (equally, where parts of both signs cancel), into p->share. */
static void share_out(const state *s, const pad *p, int32_t other, double amount)
{
    int64_t begin = s->by_user.begin[other], end = s->by_user.begin[other + 1], n = 0;
    double total = 0, size = 0;
    for (int64_t e = begin; e < end; e++) {
        if (!p->known[s->by_user.column[e]]) continue;
        double part = part_of(s, p, e);
        total += part;
        size += fabs(part);
        n++;
    }
    bool equally = !(total > 1e-3 * size);
    for (int64_t e = begin; e < end; e++) {
        if (!p->known[s->by_user.column[e]]) continue;
        p->share[s->by_user.column[e]] += (float)(equally ? amount / (double)n : amount * part_of(s, p, e) / total);
    }
}

static void share_score(const pen_model *model, const pen__user *user, const pad *p, int32_t item)
{
    const state *s = model->state;
    int32_t n = neighbours(model, user, p);
    for (int64_t e = 0; e < user->n; e++) p->known[user->item[e]] = 1;
    for (int32_t i = 0; i < n; i++) {
        int32_t other = pen__neighbour_number(p->key[i]);
        int64_t at = pen__place_of(s->by_user.column, s->by_user.begin[other], s->by_user.begin[other + 1], item),
                end = s->by_user.begin[other + 1];
        for (; at >= 0 && at < end && s->by_user.column[at] == item; at++)
            share_out(s, p, other, strength(s, p->key[i]) * event_value(&s->by_user, at));
    }
}

static void share_rating(const pen_model *model, const pen__user *user, const pad *p, int32_t item)
{
    const state *s = model->state;
    int32_t n = raters(model, p, item);
    int64_t begin = s->by_item.begin[item];
    double weight = s->damping;
    for (int64_t e = 0; e < user->n; e++) p->known[user->item[e]] = 1;
    for (int32_t i = 0; i < n; i++) weight += strength(s, p->key[i]);
    for (int32_t i = 0; i < n; i++) {
        int64_t e = begin + pen__neighbour_number(p->key[i]);
        share_out(s, p, s->by_item.column[e], strength(s, p->key[i]) * left_over(s, e, item) / weight);
    }
}

static pen_status explain(const pen_model *model, const pen__user *user, int32_t item, void *scratch_bytes,
                          pen__reason *out, int32_t cap, int32_t *n, int32_t *exact, pen_error *error)
{
    (void)error;
    const state *s = model->state;
    bool rating = model->task == PEN_TASK_RATE;
    pad p;
    lay_out(model, scratch_bytes, &p);
    compare(model, user, &p);
    for (int64_t e = 0; e < user->n && e < model->n_items; e++) p.weighted_item[user->item[e]] = p.weighted[e];
    if (rating)
        share_rating(model, user, &p, item);
    else
        share_score(model, user, &p, item);
    *n = 0;
    if (rating && cap > 0) {
        double base = s->estimates.mean + p.memo->bias + (double)s->estimates.item[item];
        out[(*n)++] = (pen__reason){-1, (float)base, "the user's and the item's usual ratings"};
    }
    pen__reasons reasons = pen__reasons_begin(out, cap, *n);
    for (int64_t e = 0; e < user->n; e++) {
        pen__reasons_add(&reasons, user->item[e], p.share[user->item[e]]);
        p.share[user->item[e]] = 0;
        p.known[user->item[e]] = 0;
    }
    *n = pen__reasons_end(&reasons);
    *exact = cap > (rating ? 1 : 0);
    return PEN_OK;
}

static const pen_param params[] = {
    PEN_P_INT_LOG("k", "100", 1, 1e6,
                  "neighbours of a user; when rating, the most similar raters that one prediction uses"),
    PEN__SIMILARITY_PARAMS,
};

const pen__model_class pen__user_knn_class = {
    .name = "user-knn",
    .family = "neighbour",
    .summary = "what users like this one had",
    .formula =
        "score(u, i) = sum over u's k neighbours v of s(u, v) value_vi\n"
        "rating(u, i) = b_ui + sum_v s(u, v) (r_vi - b_vi) / (damping + sum_v s(u, v)), b_ui = mean + b_u + b_i,\n"
        "               v the k users most similar to u who rated i",
    .paper = "Herlocker, Konstan, Borchers, Riedl: An algorithmic framework for performing collaborative filtering "
             "(SIGIR 1999)",
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
};
