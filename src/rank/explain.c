/* Reasons. Where a model cannot take its score apart, an event's share is what the score loses without it: the history
 * is folded in once with everything and once without each event, in batches where the model can, each answer serves
 * all items asked about, and what no event explains is the rest. Cost: as many fold-ins as the history is long (its
 * latest MOST_EVENTS at most), each with the scores of the items asked about, in the calling thread: that is what a
 * question may take (penchant/query.h).
 */
#include "rank/explain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rank/catalogue.h"
#include "rank/rank.h"

enum { MOST_EVENTS = 256, TOGETHER = 16 };

typedef struct work {
    const pen_model *model;
    const int32_t *item;
    int32_t n;
    int64_t together; /* histories that are answered at once */
    pen__factors factors;
    void *scratch;
    float *vector, *scores; /* (together, d); n, and room for all where the model scores no fewer */
    int32_t *history;       /* (together, events): the history without an event */
    float *value;           /* likewise */
} work;

static int by_share(const void *a, const void *b)
{
    const pen__reason *x = a, *y = b;
    float p = fabsf(x->share), q = fabsf(y->share);
    if (p != q) return p > q ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

static bool rates(const pen_model *model) { return model->task == PEN_TASK_RATE && model->class->rate; }

/* The items' scores by a user's vector. */
static void score_by(const work *w, const float *vector, double *out)
{
    for (int32_t i = 0; i < w->n; i++) {
        const float *q = w->factors.item + (size_t)w->item[i] * (size_t)w->factors.d;
        float sum = w->factors.bias ? w->factors.bias[w->item[i]] : 0;
        for (int32_t k = 0; k < w->factors.d; k++) sum = fmaf(vector[k], q[k], sum);
        out[i] = (double)sum;
    }
}

/* What the model gives the items to this user. */
static pen_status score_items(work *w, const pen__user *user, double *out, pen_error *error)
{
    const pen_model *model = w->model;
    const pen__model_class *class = model->class;
    if (rates(model)) {
        for (int32_t i = 0; i < w->n; i++) PEN_TRY(class->rate(model, user, w->item[i], w->scratch, &out[i], error));
        return PEN_OK;
    }
    if (!class->factors) {
        PEN_TRY(pen__model_score_some(model, user, w->item, w->n, w->scratch, w->scores + w->n, w->scores, error));
        for (int32_t i = 0; i < w->n; i++) out[i] = (double)w->scores[i];
        return PEN_OK;
    }
    PEN_TRY(class->user_vector(model, user, w->scratch, w->vector, error));
    score_by(w, w->vector, out);
    return PEN_OK;
}

/* The same for several whom it does not know: out (n_users, n). */
static pen_status score_users(work *w, const pen__user *user, int64_t n_users, double *out, pen_error *error)
{
    const pen__model_class *class = w->model->class;
    if (w->together == 1) return score_items(w, user, out, error);
    PEN_TRY(class->user_vectors(w->model, user, n_users, w->vector, error));
    for (int64_t u = 0; u < n_users; u++, out += w->n) score_by(w, w->vector + u * w->factors.d, out);
    return PEN_OK;
}

static pen_status prepare(work *w, int64_t n_history, pen_error *error)
{
    pen_context *ctx = w->model->ctx;
    size_t room = rates(w->model) ? 0 : pen__model_score_room(w->model);
    PEN_TRY(pen__new(ctx, &w->scratch, pen__model_scratch(w->model), 1, true, error));
    PEN_TRY(PEN_NEW(ctx, w->vector, w->together * w->factors.d));
    PEN_TRY(PEN_NEW(ctx, w->scores, (size_t)w->n + room));
    PEN_TRY(PEN_NEW(ctx, w->history, w->together * n_history));
    return PEN_NEW(ctx, w->value, w->together * n_history);
}

static void finish(work *w)
{
    pen_context *ctx = w->model->ctx;
    pen__free(ctx, w->scratch);
    pen__free(ctx, w->vector);
    pen__free(ctx, w->scores);
    pen__free(ctx, w->history);
    pen__free(ctx, w->value);
}

/* The history without event e, as somebody whom the model does not know: the `at`-th of those together. */
static pen__user without(const work *w, const pen__user *user, int64_t e, int64_t at)
{
    int64_t n = user->n;
    int32_t *item = w->history + at * n;
    float *value = w->value + at * n;
    memcpy(item, user->item, (size_t)n * sizeof *item);
    memcpy(value, user->value, (size_t)n * sizeof *value);
    memmove(item + e, item + e + 1, (size_t)(n - e - 1) * sizeof *item);
    memmove(value + e, value + e + 1, (size_t)(n - e - 1) * sizeof *value);
    return (pen__user){.number = -1, .n = n - 1, .item = item, .value = value};
}

/* Shares by leaving out: all of them in `all` (n, events + 1), then the largest of each item into its reasons. */
static pen_status leave_out(work *w, const pen__user *user, const double *score, pen__reason *reason, int32_t cap,
                            int32_t *n_reasons, pen_error *error)
{
    pen_context *ctx = w->model->ctx;
    pen_status status = PEN_OK;
    int64_t first = user->n > MOST_EVENTS ? user->n - MOST_EVENTS : 0, events = user->n - first;
    double *full = NULL, *part = NULL;
    pen__reason *all = NULL;
    pen__user whole = *user, less[TOGETHER];
    whole.number = -1;
    whole.time = NULL;
    PEN_TRY_DONE(PEN_NEW(ctx, full, w->n));
    PEN_TRY_DONE(PEN_NEW(ctx, part, w->together * w->n));
    PEN_TRY_DONE(PEN_NEW(ctx, all, (events + 1) * w->n));
    if (events) PEN_TRY_DONE(score_items(w, &whole, full, error));
    for (int64_t e = 0; e < events; e += w->together) {
        int64_t n = events - e < w->together ? events - e : w->together;
        for (int64_t k = 0; k < n; k++) less[k] = without(w, user, first + e + k, k);
        PEN_TRY_DONE(score_users(w, less, n, part, error));
        for (int64_t k = 0; k < n; k++)
            for (int32_t i = 0; i < w->n; i++)
                all[(int64_t)i * (events + 1) + e + k] =
                    (pen__reason){user->item[first + e + k], (float)(full[i] - part[k * w->n + i]), NULL};
    }
    for (int32_t i = 0; i < w->n; i++) {
        pen__reason *own = all + (int64_t)i * (events + 1);
        double sum = 0;
        for (int64_t e = 0; e < events; e++) sum += (double)own[e].share;
        own[events] = (pen__reason){-1, (float)(score[i] - sum),
                                    events ? "what no single event explains" : "what the model learned of this user"};
        qsort(own, (size_t)events + 1, sizeof *own, by_share);
        n_reasons[i] = events + 1 < cap ? (int32_t)events + 1 : cap;
        memcpy(reason + (size_t)i * (size_t)cap, own, (size_t)n_reasons[i] * sizeof *own);
    }
done:
    pen__free(ctx, full);
    pen__free(ctx, part);
    pen__free(ctx, all);
    return status;
}

pen_status pen__explain(const pen_model *model, const pen__user *user, const int32_t *item, int32_t n,
                        pen__reason *reason, int32_t cap, int32_t *n_reasons, int32_t *exact, double *score,
                        pen_error *error)
{
    const pen__model_class *class = model->class;
    work w = {.model = model, .item = item, .n = n, .together = 1};
    pen_status status = PEN_OK;
    double *own = NULL;
    if (n <= 0) return PEN_OK;
    PEN_CHECK(rates(model) || class->factors || class->score, PEN_E_UNSUPPORTED,
              "%s neither ranks nor rates: there is nothing to explain", class->name);
    if (class->factors) class->factors(model, &w.factors);
    if (class->user_vectors && !class->explain && !rates(model)) w.together = TOGETHER;
    PEN_TRY_DONE(prepare(&w, user->n, error));
    if (!score) PEN_TRY_DONE(PEN_NEW(model->ctx, own, n));
    if (!score) score = own;
    PEN_TRY_DONE(score_items(&w, user, score, error));
    if (!class->explain) {
        for (int32_t i = 0; i < n; i++) exact[i] = 0;
        PEN_TRY_DONE(leave_out(&w, user, score, reason, cap, n_reasons, error));
    }
    for (int32_t i = 0; class->explain && i < n; i++) {
        pen__reason *mine = reason + (size_t)i * (size_t)cap;
        PEN_TRY_DONE(class->explain(model, user, item[i], w.scratch, mine, cap, &n_reasons[i], &exact[i], error));
        qsort(mine, (size_t)n_reasons[i], sizeof *mine, by_share);
    }
done:
    finish(&w);
    pen__free(model->ctx, own);
    return status;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

static void name_of(const pen_model *model, int32_t item, pen__text *out)
{
    pen__span name = pen__catalogue_name(model->catalogue, item);
    pen__text_puts(out, "*");
    pen__text_add(out, name.text, name.length);
    pen__text_puts(out, "*");
}

/* The value of the latest event of that item. */
static double value_of(const pen__user *user, int32_t item)
{
    for (int64_t e = user->n; e-- > 0;)
        if (user->item[e] == item) return (double)user->value[e];
    return NAN;
}

void pen__why(const pen_model *model, const pen__user *user, int32_t item, const pen__reason *reason, int32_t n,
              pen__text *out)
{
    enum { MOST_NAMED = 3 };
    const pen__reason *named[MOST_NAMED], *other = NULL;
    int n_named = 0;
    for (int32_t i = 0; i < n; i++) {
        bool is_event = !reason[i].what && reason[i].item >= 0;
        if (is_event && reason[i].share > 0 && n_named < MOST_NAMED &&
            (!n_named || reason[i].share >= named[0]->share / 4))
            named[n_named++] = &reason[i];
        /* what is the same for every item is no reason for this one */
        if (!is_event && reason[i].what && strncmp(reason[i].what, "the mean", 8) &&
            (!other || (reason[i].share > 0 && other->share <= 0)))
            other = &reason[i];
    }
    if (!n_named) {
        pen__text_puts(out, other ? other->what : "no event of the history speaks for it");
        if (other && !strncmp(other->what, "popular", 7))
            pen__text_printf(out, " (%lld events)", (long long)model->catalogue->item_events[item]);
        else if (other)
            pen__text_printf(out, " (%+.2g)", (double)other->share);
        return;
    }
    bool rated = model->task == PEN_TASK_RATE;
    pen__text_puts(out, rated ? "because you rated " : "because of ");
    for (int i = 0; i < n_named; i++) {
        if (i) pen__text_puts(out, i + 1 < n_named ? ", " : " and ");
        name_of(model, named[i]->item, out);
        if (rated) pen__text_printf(out, " %g", value_of(user, named[i]->item));
    }
}
