/* Metrics of groups: by activity of the user, by popularity of the target, by whether training knew the user.
 *
 * A group's values are gathered into scores of their own, which are summed and resampled like those of everybody. Cost:
 * a copy of the values, and for popularity the places of the group's targets once more.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "eval/metrics.h"
#include "eval/statistics.h"

enum { RESAMPLES = 1000, SEED = 1, MAX_GROUPS = 4 };

/* How cases (or targets) fall into groups. */
typedef struct grouping {
    const char *name[MAX_GROUPS];
    int32_t n;
    int has_bounds;
    int64_t from[MAX_GROUPS], to[MAX_GROUPS];
    const int8_t *of; /* the group of each case, or of each target's entry */
    int64_t n_of;
} grouping;

static void put_number(pen__text *out, double x)
{
    if (isfinite(x))
        pen__text_printf(out, "%.9g", x);
    else
        pen__text_puts(out, "null");
}

static void put_scores(const pen__scores *scores, const grouping *g, int32_t group, pen__text *out)
{
    int64_t n = 0;
    for (int64_t i = 0; i < g->n_of; i++) n += g->of[i] == group;
    pen__text_printf(out, "%s{\"group\": \"%s\"", group ? ", " : "", g->name[group]);
    if (g->has_bounds && n)
        pen__text_printf(out, ", \"from\": %lld, \"to\": %lld", (long long)g->from[group], (long long)g->to[group]);
    pen__text_printf(out, ", \"n\": %lld, \"metrics\": {", (long long)n);
    for (int32_t m = 0; m < scores->n_metrics; m++) {
        pen__text_printf(out, "%s\"%s\": {\"mean\": ", m ? ", " : "", scores->metric[m].name);
        put_number(out, scores->whole[m]);
        pen__text_puts(out, ", \"low\": ");
        put_number(out, scores->low[m]);
        pen__text_puts(out, ", \"high\": ");
        put_number(out, scores->high[m]);
        pen__text_printf(out, ", \"n\": %lld}", (long long)scores->count[m]);
    }
    pen__text_puts(out, "}}");
}

/* Scores with room for the metrics that a group can have. */
static pen_status part_new(const pen__scores *all, int by_target, pen__scores *part, pen_error *error)
{
    *part = (pen__scores){.ctx = all->ctx, .n_cases = all->n_cases, .sampled = all->sampled};
    for (int32_t m = 0; m < all->n_metrics; m++) {
        int32_t needs = pen__metric_needs(all->metric[m].kind);
        int fits = needs == PEN_NEEDS_RATINGS ||
                   (needs == PEN_NEEDS_PLACES && (!by_target || all->metric[m].kind != PEN_METRIC_AUC)) ||
                   (needs == PEN_NEEDS_LIST && !by_target);
        if (fits) part->metric[part->n_metrics++] = all->metric[m];
    }
    PEN_TRY(PEN_NEW(all->ctx, part->value, part->n_metrics * all->n_cases));
    return PEN_NEW_ZERO(all->ctx, part->weight, all->n_cases);
}

static pen_status part_finish(pen__scores *part, const grouping *g, int32_t group, pen__text *out, pen_error *error)
{
    pen__scores_sum(part);
    PEN_TRY(pen__intervals(part, RESAMPLES, SEED, error));
    put_scores(part, g, group, out);
    return PEN_OK;
}

/* ---- groups of cases --------------------------------------------------------------------------------------------- */

static void gather_cases(const pen__scores *all, const grouping *g, int32_t group, pen__scores *part)
{
    for (int32_t m = 0, p = 0; p < part->n_metrics; m++) {
        if (strcmp(all->metric[m].name, part->metric[p].name) != 0) continue;
        const double *from = all->value + m * all->n_cases;
        double *to = part->value + p * all->n_cases;
        for (int64_t c = 0; c < all->n_cases; c++) to[c] = g->of[c] == group ? from[c] : NAN;
        p++;
    }
    memcpy(part->weight, all->weight, (size_t)all->n_cases * sizeof *part->weight);
}

static pen_status put_case_groups(const pen__scores *all, const grouping *g, pen__text *out, pen_error *error)
{
    for (int32_t group = 0; group < g->n; group++) {
        pen__scores part = {0};
        pen_status status = part_new(all, 0, &part, error);
        if (status == PEN_OK) {
            gather_cases(all, g, group, &part);
            status = part_finish(&part, g, group, out, error);
        }
        pen__scores_free(&part);
        PEN_TRY(status);
    }
    return PEN_OK;
}

static int by_count(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t history_length(const pen__cases *cases, int64_t c)
{
    return cases->history.begin[c + 1] - cases->history.begin[c];
}

static pen_status put_activity(const pen__scores *scores, const pen__cases *cases, int8_t *of, pen__text *out,
                               pen_error *error)
{
    grouping g = {.name = {"few", "some", "many"}, .n = 3, .has_bounds = 1, .of = of, .n_of = cases->n};
    int64_t n = cases->n, cut[2] = {0, 0}, *length = NULL;
    PEN_TRY(PEN_NEW(scores->ctx, length, n));
    for (int64_t c = 0; c < n; c++) length[c] = history_length(cases, c);
    qsort(length, (size_t)n, sizeof *length, by_count);
    for (int i = 0; i < 2 && n; i++) cut[i] = length[(n - 1) * (i + 1) / 3];
    pen__free(scores->ctx, length);
    for (int32_t k = 0; k < g.n; k++) g.from[k] = INT64_MAX;
    for (int64_t c = 0; c < n; c++) {
        int64_t l = history_length(cases, c);
        of[c] = (int8_t)(l <= cut[0] ? 0 : l <= cut[1] ? 1 : 2);
        if (l < g.from[of[c]]) g.from[of[c]] = l;
        if (l > g.to[of[c]]) g.to[of[c]] = l;
    }
    return put_case_groups(scores, &g, out, error);
}

static pen_status put_cold(const pen__scores *scores, const pen__cases *cases, const pen__train *train, int8_t *of,
                           pen__text *out, pen_error *error)
{
    grouping g = {.name = {"known", "folded-in", "unknown"}, .n = 3, .of = of, .n_of = cases->n};
    for (int64_t c = 0; c < cases->n; c++)
        of[c] = (int8_t)(cases->user[c] >= 0 && (!train || cases->user[c] < pen__train_taught_users(train)) ? 0
                         : history_length(cases, c) > 0                                                     ? 1
                                                                                                            : 2);
    return put_case_groups(scores, &g, out, error);
}

/* ---- groups of targets ------------------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static void gather_places(const pen__scores *all, const pen__cases *cases, const grouping *g, int32_t group, int64_t c,
                          int32_t *place, pen__scores *part)
{
    pen__places places = {.place = place};
    for (int64_t t = cases->target.begin[c]; t < cases->target.begin[c + 1]; t++) {
        if (g->of[t] != group || all->place[t] < 0) continue;
        places.n_targets++;
        if (all->place[t] > 0) place[places.n++] = all->place[t];
    }
    qsort(place, (size_t)places.n, sizeof *place, by_place);
    part->weight[c] = (double)places.n_targets;
    for (int32_t m = 0; m < part->n_metrics; m++)
        part->value[m * part->n_cases + c] = pen__metric_of_places(&part->metric[m], &places);
}

static void gather_ratings(const pen__scores *all, const pen__cases *cases, const grouping *g, int32_t group, int64_t c,
                           pen__scores *part)
{
    double squared = 0, absolute = 0, n = 0;
    for (int64_t t = cases->target.begin[c]; t < cases->target.begin[c + 1]; t++) {
        if (g->of[t] != group) continue;
        double miss = (double)all->rating[t] - (double)cases->target.value[t];
        squared += miss * miss;
        absolute += fabs(miss);
        n++;
    }
    part->weight[c] = n;
    for (int32_t m = 0; m < part->n_metrics; m++)
        part->value[m * part->n_cases + c] =
            n > 0 ? (part->metric[m].kind == PEN_METRIC_RMSE ? squared : absolute) / n : NAN;
}

static pen_status put_target_groups(const pen__scores *all, const pen__cases *cases, const grouping *g, pen__text *out,
                                    pen_error *error)
{
    int32_t *place = NULL;
    int64_t most = 0;
    for (int64_t c = 0; c < cases->n; c++) {
        int64_t n = cases->target.begin[c + 1] - cases->target.begin[c];
        if (n > most) most = n;
    }
    PEN_TRY(PEN_NEW(all->ctx, place, most));
    pen_status status = PEN_OK;
    for (int32_t group = 0; group < g->n && status == PEN_OK; group++) {
        pen__scores part = {0};
        status = part_new(all, 1, &part, error);
        for (int64_t c = 0; c < cases->n && status == PEN_OK; c++) {
            if (all->place)
                gather_places(all, cases, g, group, c, place, &part);
            else
                gather_ratings(all, cases, g, group, c, &part);
        }
        if (status == PEN_OK) status = part_finish(&part, g, group, out, error);
        pen__scores_free(&part);
    }
    pen__free(all->ctx, place);
    return status;
}

/* The counts at which the head and the torso end: items from the most popular down, until a third and two thirds of the
 * events. */
static pen_status popularity_cuts(const pen__train *train, int64_t cut[2], pen_error *error)
{
    int64_t n = train->n_items, total = 0, sum = 0, *count = NULL;
    PEN_TRY(PEN_NEW(train->ctx, count, n));
    for (int64_t i = 0; i < n; i++) total += count[i] = train->by_item.begin[i + 1] - train->by_item.begin[i];
    qsort(count, (size_t)n, sizeof *count, by_count);
    int part = 0;
    cut[0] = cut[1] = 0;
    for (int64_t i = n; i-- > 0 && part < 2;) {
        sum += count[i];
        while (part < 2 && 3 * sum >= (part + 1) * total) cut[part++] = count[i];
    }
    pen__free(train->ctx, count);
    return PEN_OK;
}

static pen_status put_popularity(const pen__scores *scores, const pen__cases *cases, const pen__train *train,
                                 int8_t *of, pen__text *out, pen_error *error)
{
    int64_t n = cases->n ? cases->target.begin[cases->n] : 0, cut[2];
    grouping g = {.name = {"head", "torso", "tail", "new"}, .n = 4, .has_bounds = 1, .of = of, .n_of = n};
    PEN_CHECK(train, PEN_E_UNSUPPORTED, "groups by popularity need what was trained on (--train FILE)");
    PEN_TRY(popularity_cuts(train, cut, error));
    for (int32_t k = 0; k < g.n; k++) g.from[k] = INT64_MAX;
    for (int64_t t = 0; t < n; t++) {
        int32_t item = cases->target.column[t];
        int64_t count = item < 0 ? 0 : train->by_item.begin[item + 1] - train->by_item.begin[item];
        of[t] = (int8_t)(item < 0 || item >= pen__train_taught_items(train) ? 3
                         : count >= cut[0]                                  ? 0
                         : count >= cut[1]                                  ? 1
                                                                            : 2);
        if (count < g.from[of[t]]) g.from[of[t]] = count;
        if (count > g.to[of[t]]) g.to[of[t]] = count;
    }
    return put_target_groups(scores, cases, &g, out, error);
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static pen_status put_one(const pen__scores *scores, const pen__cases *cases, const pen__train *train, pen__span name,
                          int8_t *of, pen__text *out, pen_error *error)
{
    static const char *const names[] = {"activity", "popularity", "cold"};
    int which = 0;
    while (which < 3 && !pen__span_is(name, names[which])) which++;
    if (which == 3) {
        int nearest = pen__nearest_name(name, names, 3, sizeof names[0]);
        return pen__fail(error, PEN_E_UNKNOWN,
                         "there are no groups by '%.*s'; there are activity, popularity, cold%s%s%s", (int)name.length,
                         name.text, nearest < 0 ? "" : "; did you mean '", nearest < 0 ? "" : names[nearest],
                         nearest < 0 ? "" : "'?");
    }
    pen__text_printf(out, "\"%s\": [", names[which]);
    if (which == 0) PEN_TRY(put_activity(scores, cases, of, out, error));
    if (which == 1) PEN_TRY(put_popularity(scores, cases, train, of, out, error));
    if (which == 2) PEN_TRY(put_cold(scores, cases, train, of, out, error));
    pen__text_puts(out, "]");
    return PEN_OK;
}

pen_status pen__groups(const pen__scores *scores, const pen__cases *cases, const pen__train *train, const char *groups,
                       pen__text *out, pen_error *error)
{
    int64_t n_targets = cases->n ? cases->target.begin[cases->n] : 0;
    int8_t *of = NULL;
    PEN_TRY(PEN_NEW(scores->ctx, of, n_targets > cases->n ? n_targets : cases->n));
    pen_status status = PEN_OK;
    pen__text_puts(out, "{");
    for (const char *at = groups; status == PEN_OK;) {
        size_t length = strcspn(at, ",");
        status = put_one(scores, cases, train, pen__span_trim((pen__span){at, length}), of, out, error);
        at += length;
        if (!*at) break;
        pen__text_puts(out, ", ");
        at++;
    }
    pen__text_puts(out, "}");
    pen__free(scores->ctx, of);
    if (status == PEN_OK && out->failed)
        status = pen__fail(error, PEN_E_MEMORY, "out of memory for the report of groups");
    return status;
}
