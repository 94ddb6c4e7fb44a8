/* session-knn: what went on in recent sessions like this one. A training user's history is a session; the neighbours of
 * a history are the k most similar among the `sample` most recent sessions that share an item with it, found when the
 * question comes in an index from each item to its most recent sessions. Later events of the history weigh more, recent
 * sessions weigh more, and what stands close to the match, and behind it, scores more. Nothing about users is kept, so
 * a new history is answered at once.
 *
 * The most recent `sample` of a union of lists are found in the lists' own most recent `sample` (+ 1: the user's own
 * session takes no place), so the index keeps no more of a list: this is exact.
 *
 * Cost: fitting two passes over the events and a sort of the sessions; the model 8 bytes an event (12 with values or
 * idf) and 16 a session; a question at most `sample` additions an event of the history, and the lengths of k sessions.
 *
 * Jannach, Ludewig: "When recurrent neural networks meet the neighborhood for session-based recommendation" (RecSys
 * 2017); Ludewig, Jannach: "Evaluation of session-based recommendation algorithms" (UMUAI 2018), V-SKNN; Garg, Gupta,
 * Malhotra, Vig, Shroff: "Sequence and time aware neighborhood for session-based recommendations" (SIGIR 2019), STAN.
 * The index of most recent sessions: Kersbergen, Sprangers, Schelter: "Serenade" (SIGMOD 2022). */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/thread.h"
#include "data/order.h"
#include "model/neighbour/knn_neighbours.h"
#include "model/reasons.h"

enum weighting { WEIGHT_NONE, WEIGHT_LINEAR, WEIGHT_LOG, WEIGHT_EXPONENTIAL };
#define WEIGHTINGS "none|linear|log|exponential"

static const float LEAST_WEIGHT = 1e-30f; /* less says nothing, and could leave a sum at 0 */

/* Sessions are numbered by recency: 0 ended last. */
typedef struct state {
    int64_t n_sessions;
    const int64_t *begin;      /* (n_sessions + 1) */
    const int32_t *item;       /* of session s, in order of time: begin[s] .. begin[s + 1] */
    const float *gain;         /* of the same places: the event's value times its item's idf; NULL: all are 1 */
    const float *scale;        /* (n_sessions): recency, over the length's power */
    const int64_t *list_begin; /* (n_items + 1) */
    const int32_t *list;       /* of item i, the most recent first */
    const int32_t *own;        /* (n_users): the user's session, or -1 */
    float *behind, *before;    /* weight of a place so many behind, or before, the match */
    int32_t k, sample, length; /* length: the most items of a history that are used */
    int32_t weighting, match_weighting;
    double position_decay;
} state;

/* ---- fitting ---------------------------------------------------------------------------------------------- */

static bool has_gain(const pen__model_class *class, const pen__params *params, const pen__train *train)
{
    bool ones = pen__rows_constant(&train->by_user) && (train->n_events == 0 || train->by_user.value[0] == 1);
    return !ones || pen__params_get(class, params, "idf") > 0;
}

static int32_t length_of(double max_length, int32_t n_items)
{
    return max_length < n_items ? (int32_t)max_length : n_items;
}

static uint64_t memory(const pen__params *params, const pen__train *train)
{
    const pen__model_class *class = pen__model_class_find("session-knn");
    uint64_t n_users = (uint64_t)train->n_users, n_items = (uint64_t)train->n_items;
    uint64_t history = (uint64_t)train->history.begin[train->history.n_rows], events = (uint64_t)train->n_events;
    uint64_t liked = history > events ? 8 * n_users + (train->history.time ? 16 : 8) * events : 0;
    uint64_t length = (uint64_t)length_of(pen__params_get(class, params, "max_length"), train->n_items);
    return (has_gain(class, params, train) ? 12 : 8) * events + 16 * n_users + 8 * n_items /* the model */
           + 16 * n_users + 4 * n_items + liked                                            /* while it is fitted */
           + (uint64_t)pen__workers(train->ctx) * (16 * n_users + 4 * n_items + 16 * length);
}

/* What fitting holds. */
typedef struct work {
    const pen__rows *history;
    pen__keyed *order; /* of the sessions, the most recent first; index: n_users - 1 - user */
    int32_t *mark;     /* (n_items) */
    int64_t *begin, *list_begin;
    int32_t *item, *list, *own, n;
    float *scale, *gain;
} work;

static inline int64_t user_at(const work *w, int32_t s) { return w->history->n_rows - 1 - w->order[s].index; }

/* When the user's last event was; without times, the later in the log the later. */
static int64_t end_of(const pen__rows *h, int64_t u) { return h->time ? h->time[h->begin[u + 1] - 1] : 0; }

static void order_sessions(work *w)
{
    const pen__rows *h = w->history;
    for (int64_t u = 0; u < h->n_rows; u++)
        if (h->begin[u] < h->begin[u + 1])
            w->order[w->n++] = (pen__keyed){~pen__key_of(end_of(h, u)), h->n_rows - 1 - u};
    pen__sort_keyed(w->order, w->n);
}

static void swap_places(work *w, int64_t a, int64_t b)
{
    int32_t item = w->item[a];
    w->item[a] = w->item[b];
    w->item[b] = item;
    if (!w->gain) return;
    float gain = w->gain[a];
    w->gain[a] = w->gain[b];
    w->gain[b] = gain;
}

/* Session s from its user's history: different items, each where it stands last, with the value it has there. */
static void write_session(work *w, int32_t s)
{
    const pen__rows *h = w->history;
    int64_t u = user_at(w, s), at = w->begin[s], n = 0;
    for (int64_t e = h->begin[u + 1]; e-- > h->begin[u];) {
        if (w->mark[h->column[e]] == s + 1) continue;
        w->mark[h->column[e]] = s + 1;
        w->item[at + n] = h->column[e];
        if (w->gain) w->gain[at + n] = h->value[e];
        n++;
    }
    for (int64_t a = at, b = at + n - 1; a < b; a++, b--) swap_places(w, a, b); /* it stands from last to first */
    w->begin[s + 1] = at + n;
    w->own[u] = s;
}

static void weigh_sessions(const pen_model *model, work *w)
{
    double decay = pen__param(model, "time_decay") * 86400e3, power = pen__param(model, "length_norm");
    for (int32_t s = 0; s < w->n; s++) {
        double age = (double)end_of(w->history, user_at(w, 0)) - (double)end_of(w->history, user_at(w, s));
        double recency = decay > 0 ? exp(-age / decay) : 1;
        w->scale[s] = (float)(recency * pow((double)(w->begin[s + 1] - w->begin[s]), -power));
    }
}

/* Counts of the items into w->mark, and from them the begins of lists and the gains. */
static void count_items(const pen_model *model, work *w, int32_t n_items)
{
    double idf = pen__param(model, "idf"), sample = pen__param(model, "sample");
    memset(w->mark, 0, (size_t)n_items * sizeof *w->mark);
    for (int64_t e = 0; e < w->begin[w->n]; e++) w->mark[w->item[e]]++;
    for (int64_t e = 0; e < w->begin[w->n] && idf > 0; e++)
        w->gain[e] *= (float)(1 + idf * log((double)w->n / (double)w->mark[w->item[e]]));
    for (int32_t i = 0; i < n_items; i++)
        w->list_begin[i + 1] = w->list_begin[i] + (w->mark[i] <= sample ? w->mark[i] : (int32_t)sample + 1);
}

static void write_lists(work *w, int32_t n_items)
{
    memset(w->mark, 0, (size_t)n_items * sizeof *w->mark);
    for (int32_t s = 0; s < w->n; s++)
        for (int64_t e = w->begin[s]; e < w->begin[s + 1]; e++) {
            int32_t i = w->item[e];
            int64_t at = w->list_begin[i] + w->mark[i];
            if (at == w->list_begin[i + 1]) continue;
            w->list[at] = s;
            w->mark[i]++;
        }
}

static pen_status fit_sessions(pen_model *model, const pen__train *train, work *w, pen_error *error)
{
    int32_t n_items = train->n_items;
    int64_t n_events = w->history->begin[w->history->n_rows];
    order_sessions(w);
    PEN_TRY(pen__model_add(model, "session.begin", PEN_I64, PEN_ROLE_PARAM, (int64_t)w->n + 1, 0, 0, &w->begin, error));
    PEN_TRY(
        pen__model_add(model, "session.item", PEN_I32, PEN_ROLE_PARAM, n_events ? n_events : 1, 0, 0, &w->item, error));
    if (has_gain(model->class, &model->params, train))
        PEN_TRY(pen__model_add(model, "session.gain", PEN_F32, PEN_ROLE_PARAM, n_events ? n_events : 1, 0, 0, &w->gain,
                               error));
    PEN_TRY(pen__model_add(model, "session.scale", PEN_F32, PEN_ROLE_PARAM, w->n ? w->n : 1, 0, 0, &w->scale, error));
    PEN_TRY(pen__model_add(model, "user.session", PEN_I32, PEN_ROLE_PARAM, train->n_users, 0, 0, &w->own, error));
    PEN_TRY(pen__model_add(model, "item.begin", PEN_I64, PEN_ROLE_PARAM, (int64_t)n_items + 1, 0, 0, &w->list_begin,
                           error));
    for (int32_t u = 0; u < train->n_users; u++) w->own[u] = -1;
    for (int32_t s = 0; s < w->n; s++) write_session(w, s);
    weigh_sessions(model, w);
    count_items(model, w, n_items);
    int64_t n_listed = w->list_begin[n_items];
    PEN_TRY(
        pen__model_add(model, "item.session", PEN_I32, PEN_ROLE_PARAM, n_listed ? n_listed : 1, 0, 0, &w->list, error));
    write_lists(w, n_items);
    return pen__model_tick(model, train->n_events, error);
}

static pen_status fit(pen_model *model, const pen__train *train, pen_error *error)
{
    pen_status status = PEN_OK;
    pen__rows liked = {0};
    work w = {0};
    PEN_CHECK(train->history.time || !(pen__param(model, "time_decay") > 0), PEN_E_UNSUPPORTED,
              "session-knn: time_decay needs the time of each event; name its column (--time-column) or leave "
              "time_decay at 0");
    PEN_TRY(pen__rows_liked(train->ctx, &train->history, &liked, error));
    w.history = pen__liked_of(&liked, &train->history);
    PEN_TRY_DONE(PEN_NEW(train->ctx, w.order, w.history->n_rows));
    PEN_TRY_DONE(PEN_NEW_ZERO(train->ctx, w.mark, train->n_items));
    PEN_TRY_DONE(fit_sessions(model, train, &w, error));
done:
    pen__rows_free(train->ctx, &liked);
    pen__free(train->ctx, w.order);
    pen__free(train->ctx, w.mark);
    return status;
}

/* ---- state ------------------------------------------------------------------------------------------------ */

/* Rows of `name`.begin over `room` columns below `below`. */
static pen_status check_rows(const char *name, const int64_t *begin, int64_t n_rows, const int32_t *column,
                             int64_t room, int64_t below, pen_error *error)
{
    bool sound = begin[0] == 0 && begin[n_rows] <= room;
    for (int64_t r = 0; sound && r < n_rows; r++) sound = begin[r] <= begin[r + 1];
    PEN_CHECK(sound, PEN_E_FORMAT, "session-knn: %s.begin does not rise from 0 to %lld", name, (long long)room);
    for (int64_t e = 0; e < begin[n_rows]; e++)
        PEN_CHECK(column[e] >= 0 && column[e] < below, PEN_E_FORMAT,
                  "session-knn: entry %lld of the rows of %s is %d; 0 to %lld is allowed", (long long)e, name,
                  column[e], (long long)below - 1);
    return PEN_OK;
}

static pen_status check_weights(const char *name, const float *weight, int64_t n, pen_error *error)
{
    for (int64_t i = 0; i < n; i++)
        PEN_CHECK(fabsf(weight[i]) <= 3e38f, PEN_E_FORMAT, "session-knn: number %lld of %s is %g", (long long)i, name,
                  (double)weight[i]);
    return PEN_OK;
}

static pen_status bind_tensors(pen_model *model, state *s, pen_error *error)
{
    int64_t dims[3], n_places, n_items = model->n_items, n_users = model->n_users;
    PEN_TRY(pen__model_get(model, "session.begin", PEN_I64, -1, 0, 0, dims, &s->begin, error));
    PEN_CHECK(dims[0] >= 1 && dims[0] - 1 <= n_users, PEN_E_FORMAT, "session-knn: %lld sessions of %d users",
              (long long)dims[0] - 1, model->n_users);
    s->n_sessions = dims[0] - 1;
    PEN_TRY(pen__model_get(model, "session.item", PEN_I32, -1, 0, 0, dims, &s->item, error));
    n_places = dims[0];
    PEN_TRY(check_rows("session", s->begin, s->n_sessions, s->item, n_places, n_items, error));
    PEN_TRY(pen__model_get(model, "item.begin", PEN_I64, n_items + 1, 0, 0, NULL, &s->list_begin, error));
    PEN_TRY(pen__model_get(model, "item.session", PEN_I32, -1, 0, 0, dims, &s->list, error));
    PEN_TRY(check_rows("item", s->list_begin, n_items, s->list, dims[0], s->n_sessions, error));
    PEN_TRY(pen__model_get(model, "session.scale", PEN_F32, s->n_sessions ? s->n_sessions : 1, 0, 0, NULL, &s->scale,
                           error));
    PEN_TRY(check_weights("session.scale", s->scale, s->n_sessions, error));
    if (pen__model_tensor(model, "session.gain")) {
        PEN_TRY(pen__model_get(model, "session.gain", PEN_F32, n_places, 0, 0, NULL, &s->gain, error));
        PEN_TRY(check_weights("session.gain", s->gain, s->begin[s->n_sessions], error));
    }
    PEN_TRY(pen__model_get(model, "user.session", PEN_I32, n_users, 0, 0, NULL, &s->own, error));
    for (int64_t u = 0; u < n_users; u++)
        PEN_CHECK(s->own[u] >= -1 && s->own[u] < s->n_sessions, PEN_E_FORMAT,
                  "session-knn: user %lld has session %d of %lld", (long long)u, s->own[u], (long long)s->n_sessions);
    return PEN_OK;
}

static pen_status bind(pen_model *model, pen_error *error)
{
    state *s = model->state;
    int64_t longest = 0;
    double decay = pen__param(model, "distance_decay"), backward = pen__param(model, "backward");
    PEN_TRY(bind_tensors(model, s, error));
    s->k = pen__param_int(model, "k");
    s->sample = pen__param_int(model, "sample");
    s->length = length_of(pen__param(model, "max_length"), model->n_items);
    s->weighting = pen__param_int(model, "weighting");
    s->match_weighting = pen__param_int(model, "match_weighting");
    s->position_decay = pen__param(model, "position_decay");
    for (int64_t i = 0; i < s->n_sessions; i++)
        if (s->begin[i + 1] - s->begin[i] > longest) longest = s->begin[i + 1] - s->begin[i];
    PEN_TRY(PEN_NEW(model->ctx, s->behind, longest + 1));
    PEN_TRY(PEN_NEW(model->ctx, s->before, longest + 1));
    for (int64_t d = 0; d <= longest; d++) {
        double near = decay > 0 ? exp(-(double)d / decay) : 1;
        s->behind[d] = (float)near;
        s->before[d] = (float)(near * backward);
    }
    return PEN_OK;
}

static void unbind(pen_model *model)
{
    state *s = model->state;
    pen__free(model->ctx, s->behind);
    pen__free(model->ctx, s->before);
    *s = (state){0};
}

/* ---- a question's neighbours ------------------------------------------------------------------------------ */

/* What a session shares with the history. */
typedef struct common {
    float sum;     /* of the weights */
    int32_t match; /* number of the latest item */
} common;

/* Zeroed by the caller once; sums, place and share are zero between calls. The history's different items are numbered
 * from the latest. */
typedef struct pad {
    uint64_t *key;                 /* (n_sessions) */
    common *common;                /* (n_sessions) */
    int32_t *place;                /* (n_items): 1 + the number of the item in the history, or 0 */
    int32_t *item;                 /* (length) */
    float *weight, *match, *share; /* (length) */
    int32_t n;                     /* different items of the history that are used */
} pad;

/* The next array in `bytes` (NULL: only the size is wanted), *at moves behind it. */
static void *lay(char *bytes, size_t *at, size_t n, size_t size)
{
    char *here = bytes ? bytes + *at : NULL;
    *at += (n * size + 63) / 64 * 64;
    return here;
}

static size_t lay_out(const pen_model *model, char *bytes, pad *p)
{
    const state *s = model->state;
    size_t n_sessions = (size_t)s->n_sessions, length = (size_t)s->length, at = 0;
    *p = (pad){0};
    p->key = lay(bytes, &at, n_sessions, sizeof *p->key);
    p->common = lay(bytes, &at, n_sessions, sizeof *p->common);
    p->place = lay(bytes, &at, (size_t)model->n_items, sizeof *p->place);
    p->item = lay(bytes, &at, length, sizeof *p->item);
    p->weight = lay(bytes, &at, length, sizeof *p->weight);
    p->match = lay(bytes, &at, length, sizeof *p->match);
    p->share = lay(bytes, &at, length, sizeof *p->share);
    return at;
}

static size_t scratch(const pen_model *model)
{
    pad p;
    return lay_out(model, NULL, &p);
}

/* Weight of the h-th latest of n. */
static float position_weight(const state *s, int32_t weighting, int32_t h, int32_t n)
{
    switch (weighting) {
    case WEIGHT_LINEAR: return (float)((double)(n - h) / (double)n);
    case WEIGHT_LOG: return (float)(log(1.7) / log((double)h + 1.7));
    case WEIGHT_EXPONENTIAL: return (float)exp(-(double)h / s->position_decay);
    default: return 1;
    }
}

/* The latest different items of the history, with their weights. */
static void open_history(const state *s, const pen__user *user, pad *p)
{
    for (int64_t e = user->n; e-- > 0 && p->n < s->length;) {
        int32_t i = user->item[e];
        if (p->place[i] || !(user->value[e] > 0)) continue;
        p->weight[p->n] = user->value[e];
        p->item[p->n++] = i;
        p->place[i] = p->n;
    }
    for (int32_t h = 0; h < p->n; h++) {
        p->weight[h] *= position_weight(s, s->weighting, h, p->n);
        p->match[h] = position_weight(s, s->match_weighting, h, p->n);
        if (p->weight[h] < LEAST_WEIGHT) p->weight[h] = 0;
    }
}

static void close_history(const pad *p)
{
    for (int32_t h = 0; h < p->n; h++) p->place[p->item[h]] = 0;
}

/* Sums of the sessions that share something with the history; their keys are larger the more recent. Returns how many.
 */
static int64_t add_lists(const state *s, const pad *p)
{
    int64_t n = 0;
    for (int32_t h = 0; h < p->n; h++) {
        float w = p->weight[h];
        if (w == 0) continue;
        for (int64_t e = s->list_begin[p->item[h]], end = s->list_begin[p->item[h] + 1]; e < end; e++) {
            common *c = &p->common[s->list[e]];
            if (c->sum == 0) {
                p->key[n++] = (uint32_t)~s->list[e];
                c->match = h; /* lists come from the latest item on */
            }
            c->sum += w;
        }
    }
    return n;
}

/* The k most similar of the `sample` most recent, as keys of similarity and session, in an order that the data alone
 * settles. */
static int64_t neighbours(const pen_model *model, const pen__user *user, const pad *p)
{
    const state *s = model->state;
    int32_t own = user->number >= 0 && user->number < model->n_users ? s->own[user->number] : -1;
    int64_t touched = add_lists(s, p), found = 0;
    if (own >= 0 && p->common[own].sum != 0) {
        int64_t at = 0;
        while (p->key[at] != (uint32_t)~own) at++;
        p->key[at] = p->key[--touched];
        p->common[own].sum = 0;
    }
    pen__neighbours_select(p->key, touched, s->sample);
    for (int64_t e = 0; e < touched; e++) {
        int32_t other = pen__neighbour_number(p->key[e]);
        float similarity = p->common[other].sum * s->scale[other];
        p->common[other].sum = 0;
        if (e < s->sample && similarity > 0) p->key[found++] = pen__neighbour_key(similarity, other);
    }
    pen__neighbours_select(p->key, found, s->k);
    return found < s->k ? found : s->k;
}

/* Where the session has its match, the latest item of the history that both have. */
static inline int64_t match_of(const state *s, const pad *p, int32_t other)
{
    int32_t item = p->item[p->common[other].match];
    int64_t e = s->begin[other], last = s->begin[other + 1] - 1;
    while (e < last && s->item[e] != item) e++;
    return e;
}

/* Sessions lie at random in memory but are known in advance. */
static inline void fetch(const state *s, const pad *p, int64_t i, int64_t n)
{
    enum { AHEAD = 6 };
    if (i + 2 * AHEAD < n) __builtin_prefetch(&s->begin[pen__neighbour_number(p->key[i + 2 * AHEAD])]);
    if (i + AHEAD < n) __builtin_prefetch(&s->item[s->begin[pen__neighbour_number(p->key[i + AHEAD])]]);
}

/* ---- answering -------------------------------------------------------------------------------------------- */

static pen_status score(const pen_model *model, const pen__user *user, void *scratch_bytes, float *scores,
                        pen_error *error)
{
    (void)error;
    const state *s = model->state;
    pad p;
    lay_out(model, scratch_bytes, &p);
    memset(scores, 0, (size_t)model->n_items * sizeof *scores);
    open_history(s, user, &p);
    int64_t n = neighbours(model, user, &p);
    for (int64_t i = 0; i < n; i++) {
        fetch(s, &p, i, n);
        int32_t other = pen__neighbour_number(p.key[i]);
        int64_t match = match_of(s, &p, other), e = s->begin[other], end = s->begin[other + 1];
        float similarity = pen__neighbour_similarity(p.key[i]) * p.match[p.common[other].match];
        for (; e < match; e++) scores[s->item[e]] += similarity * s->before[match - e] * (s->gain ? s->gain[e] : 1);
        for (; e < end; e++) scores[s->item[e]] += similarity * s->behind[e - match] * (s->gain ? s->gain[e] : 1);
    }
    close_history(&p);
    return PEN_OK;
}

/* Shares out what one neighbour adds to the item's score among the events that make up its similarity. */
static void share_out(const state *s, const pad *p, int32_t other, int32_t item)
{
    int64_t at = s->begin[other], end = s->begin[other + 1], match = match_of(s, p, other);
    while (at < end && s->item[at] != item) at++;
    if (at == end) return;
    float per_weight = s->scale[other] * p->match[p->common[other].match] * (s->gain ? s->gain[at] : 1);
    per_weight *= at < match ? s->before[match - at] : s->behind[at - match];
    for (int64_t e = s->begin[other]; e < end; e++) {
        int32_t place = p->place[s->item[e]];
        if (place) p->share[place - 1] += per_weight * p->weight[place - 1];
    }
}

static pen_status explain(const pen_model *model, const pen__user *user, int32_t item, void *scratch_bytes,
                          pen__reason *out, int32_t cap, int32_t *n, int32_t *exact, pen_error *error)
{
    (void)error;
    const state *s = model->state;
    pad p;
    lay_out(model, scratch_bytes, &p);
    open_history(s, user, &p);
    int64_t n_neighbours = neighbours(model, user, &p);
    for (int64_t i = 0; i < n_neighbours; i++) share_out(s, &p, pen__neighbour_number(p.key[i]), item);
    pen__reasons reasons = pen__reasons_begin(out, cap, 0);
    for (int32_t h = 0; h < p.n; h++) {
        pen__reasons_add(&reasons, p.item[h], p.share[h]);
        p.share[h] = 0;
    }
    *n = pen__reasons_end(&reasons);
    *exact = cap > 0;
    close_history(&p);
    return PEN_OK;
}

static const pen_param params[] = {
    PEN_P_INT_LOG("k", "500", 1, 1e6, "neighbours: the sessions that are most similar to the history"),
    PEN_P_INT_LOG(
        "sample", "5000", 1, 1e9,
        "neighbours are sought among so many of the most recent sessions that share an item with the history"),
    PEN_P_INT_LOG("max_length", "100", 1, 1e6, "the latest items of the history that are used"),
    PEN_P_CHOICE("weighting", "exponential", WEIGHTINGS,
                 "how events of the history weigh in the similarity, by how many came after them"),
    PEN_P_CHOICE("match_weighting", "exponential", WEIGHTINGS,
                 "how much a neighbour counts, by how many events came after the latest one that it shares"),
    PEN_P_REAL_LOG("position_decay", "5", 0.01, 1e6,
                   "exponential weighting: events after which the weight has fallen to 1/e"),
    PEN_P_REAL("distance_decay", "5", 0, 1e6,
               "places from the match in a neighbour's session after which an item counts 1/e (0: all count alike)"),
    PEN_P_REAL("backward", "0.5", 0, 1,
               "how items that stand before the match count (1: as those behind it, 0: not at all)"),
    PEN_P_REAL("time_decay", "0", 0, 36500,
               "days before the log's end after which a session counts 1/e (0: all count alike; else needs times)"),
    PEN_P_REAL("length_norm", "0.5", 0, 1,
               "power of a session's length that its similarity is divided by (0.5: cosine, 0: sum of weights)"),
    PEN_P_REAL("idf", "0", 0, 100,
               "how much rare items gain: scores are times 1 + idf log(sessions / the item's sessions)"),
};

const pen__model_class pen__session_knn_class = {
    .name = "session-knn",
    .family = "sequence",
    .summary = "what went on in recent sessions like this one",
    .formula =
        "score(u, i) = sum over u's k neighbours n of s(u, n) m(u, n) d(n, i) value_ni (1 + idf log(N / N_i))\n"
        "s(u, n) = sum over the items j of both of w_uj value_uj exp(-age_n / time_decay) / |n|^length_norm\n"
        "w_uj: weighting, m(u, n): match_weighting of the latest j of both, by its place from u's end\n"
        "d(n, i) = exp(-|places between i and that j in n| / distance_decay), times backward where i is before j",
    .paper = "Garg, Gupta, Malhotra, Vig, Shroff: Sequence and time aware neighborhood for session-based "
             "recommendations (SIGIR 2019)",
    .tasks = 1u << PEN_TASK_RANK,
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(state),
    .memory = memory,
    .fit = fit,
    .bind = bind,
    .unbind = unbind,
    .scratch = scratch,
    .score = score,
    .explain = explain,
};
