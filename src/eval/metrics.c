/* Metrics of rankings from the places of the targets, and the table of their names.
 *
 * A case has T targets; p_1 < p_2 < ... are the places of those that are ranked (1 is the best), k the cutoff, and hits
 * are places up to k. docs/metrics.md has each formula with the other conventions in use. Cost: the number of places.
 */
#include "eval/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum cutoff { CUTOFF_NEVER, CUTOFF_MAY, CUTOFF_MUST };

typedef struct row {
    const char *name;
    int32_t kind, needs, cutoff, task;
} row;

/* The first row of a kind has the name that reports use. */
static const row table[] = {
    {"ndcg", PEN_METRIC_NDCG, PEN_NEEDS_PLACES, CUTOFF_MAY, PEN_TASK_RANK},
    {"recall", PEN_METRIC_RECALL, PEN_NEEDS_PLACES, CUTOFF_MUST, PEN_TASK_RANK},
    {"recall_capped", PEN_METRIC_RECALL_CAPPED, PEN_NEEDS_PLACES, CUTOFF_MUST, PEN_TASK_RANK},
    {"precision", PEN_METRIC_PRECISION, PEN_NEEDS_PLACES, CUTOFF_MUST, PEN_TASK_RANK},
    {"hit", PEN_METRIC_HIT, PEN_NEEDS_PLACES, CUTOFF_MUST, PEN_TASK_RANK},
    {"hr", PEN_METRIC_HIT, PEN_NEEDS_PLACES, CUTOFF_MUST, PEN_TASK_RANK},
    {"map", PEN_METRIC_MAP, PEN_NEEDS_PLACES, CUTOFF_MAY, PEN_TASK_RANK},
    {"mrr", PEN_METRIC_MRR, PEN_NEEDS_PLACES, CUTOFF_MAY, PEN_TASK_RANK},
    {"auc", PEN_METRIC_AUC, PEN_NEEDS_PLACES, CUTOFF_NEVER, PEN_TASK_RANK},
    {"coverage", PEN_METRIC_COVERAGE, PEN_NEEDS_LISTS, CUTOFF_MUST, PEN_TASK_RANK},
    {"gini", PEN_METRIC_GINI, PEN_NEEDS_LISTS, CUTOFF_MUST, PEN_TASK_RANK},
    {"novelty", PEN_METRIC_NOVELTY, PEN_NEEDS_LIST, CUTOFF_MUST, PEN_TASK_RANK},
    {"diversity", PEN_METRIC_DIVERSITY, PEN_NEEDS_LIST, CUTOFF_MUST, PEN_TASK_RANK},
    {"calibration", PEN_METRIC_CALIBRATION, PEN_NEEDS_LIST, CUTOFF_MUST, PEN_TASK_RANK},
    {"rmse", PEN_METRIC_RMSE, PEN_NEEDS_RATINGS, CUTOFF_NEVER, PEN_TASK_RATE},
    {"mae", PEN_METRIC_MAE, PEN_NEEDS_RATINGS, CUTOFF_NEVER, PEN_TASK_RATE},
};

enum { N_ROWS = sizeof table / sizeof table[0], MAX_CUTOFF = 1000000 };

static const row *row_of_kind(int32_t kind)
{
    const row *r = table;
    while (r->kind != kind) r++;
    return r;
}

int32_t pen__metric_needs(int32_t kind) { return row_of_kind(kind)->needs; }

/* ---- formulas ---------------------------------------------------------------------------------------------------- */

static double gain(int64_t place) { return 1 / log2((double)place + 1); }

static double ideal_dcg(int64_t n)
{
    double sum = 0;
    for (int64_t i = 1; i <= n; i++) sum += gain(i);
    return sum;
}

/* Sum over hits of the precision at their places. */
static double precision_sum(const int32_t *place, int64_t hits)
{
    double sum = 0;
    for (int64_t i = 0; i < hits; i++) sum += (double)(i + 1) / place[i];
    return sum;
}

/* Share of pairs (target, item that is none) in the right order. A target that is not ranked is behind every item. */
static double auc(const pen__places *p)
{
    int64_t others = p->n_ranked - p->n;
    if (others <= 0) return NAN;
    double right = 0;
    for (int64_t i = 0; i < p->n; i++) right += (double)(others - (p->place[i] - 1 - i));
    return right / ((double)p->n_targets * (double)others);
}

double pen__metric_of_places(const pen__metric *metric, const pen__places *p)
{
    if (p->n_targets == 0) return NAN;
    int64_t k = metric->cutoff ? metric->cutoff : INT64_MAX, hits = 0;
    while (hits < p->n && p->place[hits] <= k) hits++;
    int64_t most = p->n_targets < k ? p->n_targets : k; /* hits of the ideal list */
    double sum = 0;
    switch (metric->kind) {
    case PEN_METRIC_NDCG:
        for (int64_t i = 0; i < hits; i++) sum += gain(p->place[i]);
        return sum / ideal_dcg(most);
    case PEN_METRIC_RECALL: return (double)hits / (double)p->n_targets;
    case PEN_METRIC_RECALL_CAPPED: return (double)hits / (double)most;
    case PEN_METRIC_PRECISION: return (double)hits / (double)k;
    case PEN_METRIC_HIT: return hits > 0;
    case PEN_METRIC_MAP: return precision_sum(p->place, hits) / (double)most;
    case PEN_METRIC_MRR: return hits > 0 ? 1.0 / p->place[0] : 0;
    case PEN_METRIC_AUC: return auc(p);
    default: return NAN;
    }
}

static int by_count(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

double pen__gini(int64_t *shown, int64_t n)
{
    double sum = 0, weighted = 0;
    qsort(shown, (size_t)n, sizeof *shown, by_count);
    for (int64_t i = 0; i < n; i++) {
        sum += (double)shown[i];
        weighted += (double)(2 * (i + 1) - n - 1) * (double)shown[i];
    }
    return sum > 0 ? weighted / ((double)n * sum) : NAN;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static pen_status parse_name(pen__span name, int32_t task, const row **found, pen_error *error)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        if (!pen__span_is(name, table[i].name)) continue;
        *found = &table[i];
        PEN_CHECK(table[i].task == task, PEN_E_ARGUMENT, "the metric '%s' measures %s, but the task is %s",
                  table[i].name, table[i].task == PEN_TASK_RANK ? "rankings" : "ratings",
                  task == PEN_TASK_RANK ? "ranking" : "rating (--task rate)");
        return PEN_OK;
    }
    int nearest = pen__nearest_name(name, &table[0].name, N_ROWS, sizeof table[0]);
    if (nearest >= 0)
        return pen__fail(error, PEN_E_UNKNOWN, "there is no metric '%.*s'; did you mean '%s'?", (int)name.length,
                         name.text, table[nearest].name);
    return pen__fail(error, PEN_E_UNKNOWN,
                     "there is no metric '%.*s'; there are ndcg, recall, recall_capped, precision, hit, map, mrr, auc, "
                     "coverage, gini, "
                     "novelty, diversity, calibration; and rmse, mae for ratings",
                     (int)name.length, name.text);
}

static pen_status parse_one(pen__span word, int32_t task, pen__metric *out, pen_error *error)
{
    const char *at = memchr(word.text, '@', word.length);
    pen__span name = {word.text, at ? (size_t)(at - word.text) : word.length};
    const row *r = NULL;
    PEN_TRY(parse_name(name, task, &r, error));
    int64_t cutoff = 0;
    if (at) {
        pen__span number = {at + 1, word.length - name.length - 1};
        PEN_CHECK(r->cutoff != CUTOFF_NEVER, PEN_E_ARGUMENT, "the metric '%s' has no cutoff: write '%s'", r->name,
                  r->name);
        PEN_CHECK(pen__parse_int64(number, &cutoff) && cutoff >= 1 && cutoff <= MAX_CUTOFF, PEN_E_ARGUMENT,
                  "the cutoff of '%.*s' must be a whole number from 1 to %d", (int)word.length, word.text, MAX_CUTOFF);
    }
    PEN_CHECK(at || r->cutoff != CUTOFF_MUST, PEN_E_ARGUMENT, "the metric '%s' needs a cutoff: '%s@10'", r->name,
              r->name);
    *out = (pen__metric){.kind = r->kind, .cutoff = (int32_t)cutoff};
    if (cutoff)
        snprintf(out->name, sizeof out->name, "%s@%d", row_of_kind(r->kind)->name, (int)cutoff);
    else
        snprintf(out->name, sizeof out->name, "%s", row_of_kind(r->kind)->name);
    return PEN_OK;
}

static bool have(const pen__metric *metric, int32_t n, const pen__metric *one)
{
    for (int32_t i = 0; i < n; i++)
        if (metric[i].kind == one->kind && metric[i].cutoff == one->cutoff) return true;
    return false;
}

pen_status pen__metrics_parse(const char *list, int32_t task, pen__metric out[PEN_MAX_METRICS], int32_t *n,
                              pen_error *error)
{
    if (!list) list = task == PEN_TASK_RATE ? "rmse,mae" : "ndcg@10,recall@20,coverage@10";
    *n = 0;
    for (const char *at = list;;) {
        size_t length = strcspn(at, ",");
        pen__span word = pen__span_trim((pen__span){at, length});
        PEN_CHECK(word.length, PEN_E_ARGUMENT, "the list of metrics '%s' has an empty name; write 'ndcg@10,recall@20'",
                  list);
        pen__metric one;
        PEN_TRY(parse_one(word, task, &one, error));
        if (!have(out, *n, &one)) {
            PEN_CHECK(*n < PEN_MAX_METRICS, PEN_E_LIMIT, "more than %d metrics", PEN_MAX_METRICS);
            out[(*n)++] = one;
        }
        if (!at[length]) return PEN_OK;
        at += length + 1;
    }
}
