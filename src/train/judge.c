/* Penchant as judge. The lists' ids are looked up among the training's (or, without one, among the lists' and the
 * test's own): an item that is in neither takes up its place in a list and is a miss. */
#include "train/judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRAIN = 1 << PEN_PART_TRAIN, VALID = 1 << PEN_PART_VALID };

/* One entry of a list while it is put in order. */
typedef struct entry {
    float score;
    int32_t item;
    int64_t order;
} entry;

static int by_rank(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

typedef struct ordering {
    pen__rows list;
    entry *entry;
    int64_t *at; /* where each case's next entry goes */
} ordering;

static void ordering_free(pen_context *ctx, ordering *o)
{
    pen__free(ctx, o->list.begin);
    pen__free(ctx, o->list.column);
    pen__free(ctx, o->entry);
    pen__free(ctx, o->at);
}

/* case_of[user of lists] or -1, from the ids of the cases' users. */
static pen_status find_cases(const pen_dataset *lists, const pen_dataset *base, const pen__cases *cases,
                             int32_t *case_of)
{
    for (int64_t u = 0; u < lists->users.n; u++) case_of[u] = -1;
    for (int64_t c = 0; c < cases->n; c++) {
        int32_t user = pen__strings_find(&lists->users, pen__strings_at(&base->users, cases->data_user[c]));
        if (user >= 0) case_of[user] = (int32_t)c;
    }
    return PEN_OK;
}

/* Row c of o->list: the items of case c's list, best first, in training's numbers. */
static pen_status put_in_order(const pen_dataset *lists, const pen_dataset *base, const pen__train *train,
                               const pen__cases *cases, ordering *o, pen_error *error)
{
    pen_context *ctx = lists->ctx;
    int32_t *case_of = NULL;
    pen_status status = PEN_OK;
    PEN_TRY_DONE(PEN_NEW(ctx, case_of, lists->users.n));
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, o->list.begin, cases->n + 2));
    PEN_TRY_DONE(PEN_NEW(ctx, o->list.column, lists->n_events));
    PEN_TRY_DONE(PEN_NEW(ctx, o->entry, lists->n_events));
    PEN_TRY_DONE(PEN_NEW(ctx, o->at, cases->n + 1));
    PEN_TRY_DONE(find_cases(lists, base, cases, case_of));
    o->list.n_rows = cases->n;
    for (int64_t e = 0; e < lists->n_events; e++)
        if (case_of[lists->user[e]] >= 0) o->list.begin[case_of[lists->user[e]] + 1]++;
    for (int64_t c = 0; c < cases->n; c++) {
        o->at[c] = o->list.begin[c];
        o->list.begin[c + 1] += o->list.begin[c];
    }
    for (int64_t e = 0; e < lists->n_events; e++) {
        int32_t c = case_of[lists->user[e]],
                item = pen__strings_find(&base->items, pen__strings_at(&lists->items, lists->item[e]));
        if (c < 0) continue;
        o->entry[o->at[c]++] =
            (entry){lists->value ? lists->value[e] : 0, item >= 0 ? train->item_number[item] : -1, e};
    }
    for (int64_t c = 0; c < cases->n; c++) {
        int64_t from = o->list.begin[c], n = o->list.begin[c + 1] - from;
        qsort(o->entry + from, (size_t)n, sizeof *o->entry, by_rank);
        for (int64_t i = 0; i < n; i++) o->list.column[from + i] = o->entry[from + i].item;
    }
done:
    pen__free(ctx, case_of);
    return status;
}

/* A data set that only holds a catalogue: the items of lists and test, all had by one user whom nobody asks about; and
 * each user of the test, with one item that nobody else has, so that nobody is folded in on what is to be tested. */
static pen_status catalogue_of(const pen_dataset *lists, const pen_dataset *test, pen_dataset **out, pen_error *error)
{
    static const char nobody[] = "(nobody)\n"; /* no reader gives such an id */
    pen_context *ctx = lists->ctx;
    int32_t number, *user = NULL, *item = NULL;
    pen_dataset *d;
    PEN_TRY(pen__dataset_new(ctx, &d, error));
    pen_status status = pen__strings_add(&d->users, pen__span_of(nobody), &number, error);
    if (status == PEN_OK) status = pen__strings_add(&d->items, pen__span_of(nobody), &number, error);
    const pen_dataset *const both[] = {lists, test};
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < both[k]->items.n && status == PEN_OK; i++)
            status = pen__strings_add(&d->items, pen__strings_at(&both[k]->items, i), &number, error);
    for (int64_t u = 0; u < test->users.n && status == PEN_OK; u++)
        status = pen__strings_add(&d->users, pen__strings_at(&test->users, u), &number, error);
    if (status == PEN_OK) status = PEN_NEW_ZERO(ctx, user, d->items.n + d->users.n);
    d->user = user;
    if (status == PEN_OK) status = PEN_NEW_ZERO(ctx, item, d->items.n + d->users.n);
    d->item = item;
    for (int64_t i = 0; i < d->items.n && status == PEN_OK; i++) item[i] = (int32_t)i;
    for (int64_t u = 1; u < d->users.n && status == PEN_OK; u++) user[d->items.n + u - 1] = (int32_t)u;
    d->n_events = d->items.n + d->users.n - 1;
    if (status == PEN_OK)
        *out = d;
    else
        pen_dataset_destroy(d);
    return status;
}

static void put_number(pen__text *out, double value)
{
    if (isfinite(value))
        pen__text_printf(out, "%.10g", value);
    else
        pen__text_puts(out, "null");
}

static void put_report(const pen_dataset *lists, const pen__cases *cases, const pen__scores *scores, int has_train,
                       pen__text *out)
{
    pen__text_printf(out, "{\"penchant\": \"%s\", \"data\": {\"path\": ", pen_version());
    pen__text_json(out, lists->source ? lists->source : "", lists->source ? strlen(lists->source) : 0);
    pen__text_printf(out, ", \"hash\": \"%016llx\", \"users\": %lld, \"items\": %lld, \"events\": %lld}",
                     (unsigned long long)lists->hash, (long long)lists->users.n, (long long)lists->items.n,
                     (long long)lists->n_events);
    pen__text_printf(out,
                     ", \"protocol\": {\"task\": \"rank\", \"ranking\": \"lists as they are given\", \"catalogue\": "
                     "\"%s\", \"order\": \"%s\", "
                     "\"intervals\": \"95 %%, bootstrap over users\", \"cases\": %s}",
                     has_train ? "training" : "what the lists and the test hold",
                     lists->value ? "by score, then as written" : "as written", cases->notes ? cases->notes : "null");
    pen__text_puts(out, ", \"results\": [{\"model\": \"lists\", \"metrics\": {");
    for (int32_t m = 0; m < scores->n_metrics; m++) {
        pen__text_printf(out, "%s\"%s\": {\"mean\": ", m ? ", " : "", scores->metric[m].name);
        put_number(out, scores->whole[m]);
        pen__text_puts(out, ", \"low\": ");
        put_number(out, scores->low[m]);
        pen__text_puts(out, ", \"high\": ");
        put_number(out, scores->high[m]);
        pen__text_printf(out, ", \"n\": %lld}", (long long)scores->n_cases);
    }
    pen__text_printf(out, "}, \"seconds\": {\"evaluate\": %.4f}}], \"tests\": []}\n", scores->seconds);
}

/* A log whose training part is `train` (or a mere catalogue, without one) and whose test is `test`. */
pen_status pen__judge(const pen_dataset *lists, const pen_dataset *test, const pen_dataset *train,
                      const pen_protocol *given, pen__text *out, pen_error *error)
{
    pen_context *ctx = lists->ctx;
    const pen_dataset *base = train;
    pen_dataset *both = NULL, *catalogue = NULL;
    pen__log log = {0};
    pen__parts parts = {0};
    pen__train matrix = {0};
    pen__cases cases = {0};
    pen__scores scores = {0};
    ordering order = {0};
    pen__metric metric[PEN_MAX_METRICS];
    int32_t n_metrics;
    pen_protocol p = *given;
    pen_status status = PEN_OK;
    p.task = PEN_TASK_RANK;
    p.split = NULL;
    p.keep_seen = p.keep_seen || !train;
    PEN_TRY_DONE(
        pen__metrics_parse(p.metrics || train ? p.metrics : "ndcg@10,recall@20", p.task, metric, &n_metrics, error));
    if (!train) PEN_TRY_DONE(catalogue_of(lists, test, &catalogue, error));
    if (!train) base = catalogue;
    PEN_TRY_DONE(pen__dataset_join(base, test, &both, error));
    PEN_TRY_DONE(pen__log_build_given(both, &p, -1, base->n_events, &log, error));
    PEN_TRY_DONE(pen__split(&log, &p, p.seed, 0, &parts, error));
    PEN_TRY_DONE(pen__train_build(&log, &parts, TRAIN | VALID, p.task, &matrix, error));
    PEN_TRY_DONE(pen__cases_build(&log, &parts, &matrix, &p, PEN_PART_TEST, TRAIN | VALID, p.seed, &cases, error));
    PEN_CHECK_DONE(cases.n > 0, PEN_E_INPUT, "there is no user to test: no user of the test has an event that counts");
    PEN_TRY_DONE(put_in_order(lists, both, &matrix, &cases, &order, error));
    PEN_TRY_DONE(pen__evaluate_lists(&order.list, &cases, train ? &matrix : NULL, metric, n_metrics, p.bootstrap,
                                     p.seed, &scores, error));
    put_report(lists, &cases, &scores, train != NULL, out);
    PEN_CHECK_DONE(!out->failed, PEN_E_MEMORY, "out of memory for a report");
done:
    ordering_free(ctx, &order);
    pen__scores_free(&scores);
    pen__cases_free(&cases);
    pen__train_free(&matrix);
    pen__parts_free(&parts);
    pen__log_free(&log);
    pen_dataset_destroy(both);
    pen_dataset_destroy(catalogue);
    return status;
}
