/* Experiments: every entrant on the same parts and the same cases, over folds and seeds, into one JSON report.
 *
 * Memory: per-user values of each metric for each entrant of all runs (8 bytes x metrics x cases), since paired tests
 * need them; models are freed as soon as they are tested. */
#include "train/experiment.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/progress.h"
#include "base/thread.h"
#include "train/seen_test.h"

enum { TRAIN = 1 << PEN_PART_TRAIN, VALID = 1 << PEN_PART_VALID | 1 << PEN_PART_VALID_HISTORY, MAX_RUNS = 1000 };

/* What one entrant did, over all runs. */
typedef struct result {
    pen__scores *scores; /* one a run */
    double *whole;       /* runs x metrics */
    double train_seconds, fit_seconds, evaluate_seconds, best_metric;
    int64_t epochs;
    uint64_t memory;
    pen__text groups;                /* JSON of the first run, or empty */
    char skipped[PEN_MESSAGE_BYTES]; /* why it was left out, or "" */
} result;

typedef struct experiment {
    pen_context *ctx;
    const pen_protocol *protocol;
    const pen__entrant *entrant;
    int32_t n_entrants, n_metrics, n_runs;
    pen__metric metric[PEN_MAX_METRICS];
    result *result;
    pen__text filters, split, cases; /* notes of the first run */
} experiment;

static void keep_notes(pen__text *to, const char *notes)
{
    if (!to->length) pen__text_puts(to, notes ? notes : "null");
}

/* One entrant in one run: fit, test, forget the model. */
static pen_status run_entrant(experiment *lab, int32_t e, const pen__log *log, const pen__parts *parts, uint64_t seed,
                              pen_error *error)
{
    static const pen__keeping nothing = {0};
    const pen_protocol *p = lab->protocol;
    result *r = &lab->result[e];
    pen_model *model = NULL;
    pen__train train = {0};
    pen__cases cases = {0};
    pen__fit_report report = {0};
    uint64_t before = pen_context_memory(lab->ctx);
    pen__memory_peak_reset(lab->ctx);
    pen__say(lab->ctx, PEN_LOG_DEBUG, "%s: run %d", lab->entrant[e].class->name, lab->n_runs);
    pen_status status =
        pen__fit_on_parts(lab->ctx, &lab->entrant[e], log, parts, p, seed, &nothing, &model, &train, &report, error);
    const unsigned history = TRAIN | VALID; /* without a refit, validation still is what the user did before */
    PEN_TRY_DONE(status);
    PEN_TRY_DONE(pen__cases_build(log, parts, &train, p, PEN_PART_TEST, history, seed, &cases, error));
    PEN_CHECK_DONE(cases.n > 0, PEN_E_INPUT, "the split leaves no test event to measure; see what was left: %s",
                   cases.notes ? cases.notes : "");
    keep_notes(&lab->cases, cases.notes);
    for (size_t i = 0; i < lab->entrant[e].n_pretrained; i++)
        PEN_TRY_DONE(pen__seen_test(lab->entrant[e].pretrained[i], &cases, &train, error));
    PEN_TRY_DONE(pen__evaluate(model, &cases, &train, lab->metric, lab->n_metrics, p->task,
                               lab->n_runs == 1 ? p->bootstrap : 0, seed, &r->scores[lab->n_runs - 1], error));
    const pen__scores *scores = &r->scores[lab->n_runs - 1];
    memcpy(r->whole + (size_t)(lab->n_runs - 1) * PEN_MAX_METRICS, scores->whole, sizeof scores->whole);
    if (p->groups && lab->n_runs == 1) {
        r->groups.ctx = lab->ctx;
        PEN_TRY_DONE(pen__groups(scores, &cases, &train, p->groups, &r->groups, error));
    }
    r->train_seconds += report.seconds;
    r->fit_seconds += report.fit_seconds;
    r->evaluate_seconds += scores->seconds;
    r->epochs += report.best_epoch;
    r->best_metric = report.best_metric;
    uint64_t used = pen_context_memory_peak(lab->ctx) - before;
    if (used > r->memory) r->memory = used;
done:
    pen__cases_free(&cases);
    pen__model_free(model);
    pen__train_free(&train);
    return status;
}

static pen_status run_all(experiment *lab, const pen__log *log, const pen__parts *parts, uint64_t seed,
                          pen_error *error)
{
    PEN_CHECK(lab->n_runs < MAX_RUNS, PEN_E_LIMIT, "over %d runs (folds x seeds)", MAX_RUNS);
    lab->n_runs++;
    for (int32_t e = 0; e < lab->n_entrants; e++) {
        result *r = &lab->result[e];
        if (r->skipped[0]) continue;
        size_t scores_cap = (size_t)lab->n_runs - 1, whole_cap = scores_cap * PEN_MAX_METRICS;
        PEN_TRY(PEN_GROW(lab->ctx, r->scores, &scores_cap, (size_t)lab->n_runs));
        PEN_TRY(PEN_GROW(lab->ctx, r->whole, &whole_cap, (size_t)lab->n_runs * PEN_MAX_METRICS));
        memset(&r->scores[lab->n_runs - 1], 0, sizeof *r->scores);
        pen_error inner = {0};
        pen_status status = run_entrant(lab, e, log, parts, seed, &inner);
        if (status == PEN_E_UNSUPPORTED && lab->n_entrants > 1)
            memcpy(r->skipped, inner.message, sizeof r->skipped);
        else if (status != PEN_OK) {
            if (lab->n_entrants > 1 && status != PEN_E_CANCELLED)
                pen__error_prefix(&inner, "%s: ", lab->entrant[e].class->name);
            if (error) *error = inner;
            return status;
        }
    }
    return PEN_OK;
}

static pen_status run_material(experiment *lab, const pen__material *m, pen_error *error)
{
    const pen_protocol *p = lab->protocol;
    pen__log log = {0};
    int32_t n_folds = 1;
    if (m->test_from < 0) PEN_TRY(pen__split_folds(p->split, &n_folds, error));
    pen_status status = pen__log_build_given(m->data, p, m->valid_from, m->test_from, &log, error);
    if (status == PEN_OK) keep_notes(&lab->filters, log.notes);
    for (int32_t s = 0; s < p->seeds && status == PEN_OK; s++)
        for (int32_t fold = 0; fold < n_folds && status == PEN_OK; fold++) {
            pen__parts parts = {0};
            uint64_t seed = p->seed + (uint64_t)s;
            status = pen__split(&log, p, seed, fold, &parts, error);
            if (status == PEN_OK) keep_notes(&lab->split, parts.notes);
            if (status == PEN_OK) status = run_all(lab, &log, &parts, seed, error);
            pen__parts_free(&parts);
        }
    pen__log_free(&log);
    return status;
}

/* ---- the report -------------------------------------------------------------------------------------------------- */

/* Two-sided 97.5 % quantile of Student's t with f degrees of freedom: exact to three digits (Cornish and Fisher from 4
 * on). */
static double student(int f)
{
    static const double few[] = {0, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228};
    if (f <= 10) return few[f];
    double z = 1.959964, z3 = z * z * z, z5 = z3 * z * z;
    return z + (z3 + z) / (4.0 * f) + (5 * z5 + 16 * z3 + 3 * z) / (96.0 * f * f);
}

static void put_number(pen__text *out, double value)
{
    if (isfinite(value))
        pen__text_printf(out, "%.10g", value);
    else
        pen__text_puts(out, "null");
}

static void put_metric(const experiment *lab, const result *r, int32_t m, pen__text *out)
{
    double mean = 0, square = 0, low = NAN, high = NAN, deviation = 0;
    int64_t n = 0;
    for (int32_t k = 0; k < lab->n_runs; k++) {
        mean += r->whole[(size_t)k * PEN_MAX_METRICS + (size_t)m] / lab->n_runs;
        n += r->scores[k].n_cases;
    }
    for (int32_t k = 0; k < lab->n_runs; k++) {
        double d = r->whole[(size_t)k * PEN_MAX_METRICS + (size_t)m] - mean;
        square += d * d;
    }
    if (lab->n_runs == 1) {
        low = r->scores[0].low[m];
        high = r->scores[0].high[m];
    } else {
        deviation = sqrt(square / (lab->n_runs - 1));
        double half = student(lab->n_runs - 1) * deviation / sqrt(lab->n_runs);
        low = mean - half;
        high = mean + half;
    }
    pen__text_printf(out, "\"%s\": {\"mean\": ", lab->metric[m].name);
    put_number(out, mean);
    pen__text_puts(out, ", \"low\": ");
    put_number(out, low);
    pen__text_puts(out, ", \"high\": ");
    put_number(out, high);
    pen__text_printf(out, ", \"n\": %lld", (long long)n);
    if (lab->n_runs > 1) {
        pen__text_printf(out, ", \"runs\": %d, \"deviation\": ", lab->n_runs);
        put_number(out, deviation);
        pen__text_puts(out, ", \"values\": [");
        for (int32_t k = 0; k < lab->n_runs; k++) {
            if (k) pen__text_puts(out, ", ");
            put_number(out, r->whole[(size_t)k * PEN_MAX_METRICS + (size_t)m]);
        }
        pen__text_puts(out, "]");
    }
    pen__text_puts(out, "}");
}

static void put_result(const experiment *lab, int32_t e, pen__text *out)
{
    const result *r = &lab->result[e];
    const pen__entrant *entrant = &lab->entrant[e];
    pen__text_printf(out, "%s{\"model\": \"%s\", \"params\": ", e ? ", " : "", entrant->class->name);
    pen__params_json(entrant->class, &entrant->params, out);
    for (size_t i = 0; i < entrant->n_pretrained; i++)
        pen__text_printf(out, "%s\"%s\"%s", i ? ", " : ", \"pretrained\": [", entrant->pretrained[i]->class->name,
                         i + 1 < entrant->n_pretrained ? "" : "]");
    if (r->skipped[0]) {
        pen__text_puts(out, ", \"skipped\": ");
        pen__text_json(out, r->skipped, strlen(r->skipped));
        pen__text_puts(out, "}");
        return;
    }
    pen__text_puts(out, ", \"metrics\": {");
    for (int32_t m = 0; m < lab->n_metrics; m++) {
        if (m) pen__text_puts(out, ", ");
        put_metric(lab, r, m, out);
    }
    pen__text_printf(out,
                     "}, \"seconds\": {\"train\": %.4f, \"fit\": %.4f, \"evaluate\": %.4f}, \"epochs\": %.4g, "
                     "\"memory_bytes\": %llu",
                     r->train_seconds, r->fit_seconds, r->evaluate_seconds, (double)r->epochs / lab->n_runs,
                     (unsigned long long)r->memory);
    pen__text_puts(out, ", \"validation\": ");
    put_number(out, entrant->class->epoch ? r->best_metric : NAN);
    if (r->groups.length) pen__text_printf(out, ", \"groups\": %s", r->groups.bytes); /* of the first run */
    pen__text_puts(out, "}");
}

/* All runs' cases of an entrant as one, for paired tests. */
static pen_status pooled(const experiment *lab, int32_t e, pen__scores *out, pen_error *error)
{
    const result *r = &lab->result[e];
    int64_t n = 0, at = 0;
    for (int32_t k = 0; k < lab->n_runs; k++) n += r->scores[k].n_cases;
    *out = (pen__scores){.ctx = lab->ctx, .n_metrics = 1, .n_cases = n};
    out->metric[0] = lab->metric[0];
    PEN_TRY(PEN_NEW(lab->ctx, out->value, n));
    PEN_TRY(PEN_NEW(lab->ctx, out->weight, n));
    for (int32_t k = 0; k < lab->n_runs; k++) {
        size_t bytes = (size_t)r->scores[k].n_cases * sizeof(double);
        memcpy(out->value + at, r->scores[k].value, bytes);
        memcpy(out->weight + at, r->scores[k].weight, bytes);
        at += r->scores[k].n_cases;
    }
    return PEN_OK;
}

typedef struct pair {
    int32_t a, b;
} pair;

/* Every pair of entrants on the first metric, Holm's correction over all of them. */
static pen_status put_tests(const experiment *lab, pen__text *out, pen_error *error)
{
    int32_t n = 0, n_entrants = lab->n_entrants;
    pen__paired *test = NULL;
    pair *pairs = NULL;
    pen__scores *all = NULL;
    pen_status status = PEN_OK;
    size_t most = (size_t)n_entrants * (size_t)n_entrants / 2 + 1;
    pen__text_puts(out, "], \"tests\": [");
    int kind = lab->metric[0].kind;
    if (n_entrants < 2 || kind == PEN_METRIC_COVERAGE || kind == PEN_METRIC_GINI) return PEN_OK;
    PEN_TRY_DONE(PEN_NEW_ZERO(lab->ctx, test, most));
    PEN_TRY_DONE(PEN_NEW_ZERO(lab->ctx, pairs, most));
    PEN_TRY_DONE(PEN_NEW_ZERO(lab->ctx, all, n_entrants));
    for (int32_t e = 0; e < n_entrants; e++)
        if (!lab->result[e].skipped[0]) PEN_TRY_DONE(pooled(lab, e, &all[e], error));
    for (int32_t a = 0; a < n_entrants; a++)
        for (int32_t b = a + 1; b < n_entrants; b++) {
            if (lab->result[a].skipped[0] || lab->result[b].skipped[0]) continue;
            PEN_TRY_DONE(pen__paired_test(&all[a], &all[b], 0, 10000, lab->protocol->seed, &test[n], error));
            pairs[n++] = (pair){a, b};
        }
    pen__holm(test, n);
    for (int32_t t = 0; t < n; t++) {
        pen__text_printf(out, "%s{\"metric\": \"%s\", \"a\": \"%s\", \"b\": \"%s\", \"difference\": ", t ? ", " : "",
                         lab->metric[0].name, lab->entrant[pairs[t].a].class->name,
                         lab->entrant[pairs[t].b].class->name);
        put_number(out, test[t].difference);
        pen__text_puts(out, ", \"low\": ");
        put_number(out, test[t].low);
        pen__text_puts(out, ", \"high\": ");
        put_number(out, test[t].high);
        pen__text_printf(out, ", \"p\": %.6g, \"p_holm\": %.6g}", test[t].p, test[t].p_holm);
    }
done:
    if (all)
        for (int32_t e = 0; e < n_entrants; e++) pen__scores_free(&all[e]);
    pen__free(lab->ctx, all);
    pen__free(lab->ctx, pairs);
    pen__free(lab->ctx, test);
    return status;
}

static void put_word(pen__text *out, const char *key, const char *word)
{
    pen__text_printf(out, ", \"%s\": ", key);
    if (word)
        pen__text_json(out, word, strlen(word));
    else
        pen__text_puts(out, "null");
}

static void put_protocol(const experiment *lab, pen__text *out)
{
    const pen_protocol *p = lab->protocol;
    pen__text_printf(out, ", \"protocol\": {\"task\": \"%s\"", p->task == PEN_TASK_RATE ? "rate" : "rank");
    put_word(out, "split", p->split);
    pen__text_printf(out, ", \"refit\": %s, \"seeds\": %d, \"runs\": %d", p->refit ? "true" : "false", p->seeds,
                     lab->n_runs);
    if (p->task == PEN_TASK_RANK) {
        put_word(out, "ranking",
                 p->candidates ? "SAMPLED CANDIDATES: not comparable with full ranking" : "full catalogue of training");
        put_word(out, "candidates", p->candidates);
        put_word(out, "candidates_exclude", p->candidates ? (p->exclude_all ? "all" : "train") : NULL);
        put_word(out, "seen", p->keep_seen ? "kept" : "left out");
        put_word(out, "unknown_items", p->drop_unknown_items ? "dropped" : "missed");
        put_word(out, "ties", "by a hash of user and item");
    }
    put_word(out, "intervals", lab->n_runs == 1 ? "95 %, bootstrap over users" : "95 %, Student's t over runs");
    pen__text_printf(out, ", \"filters\": %s, \"parts\": %s, \"cases\": %s}", lab->filters.bytes, lab->split.bytes,
                     lab->cases.bytes);
}

/* Bad rows that --on-error skip left out while reading. */
static long long rows_dropped(const pen_dataset *data)
{
    json_t *notes = data->notes ? json_loads(data->notes, 0, NULL) : NULL;
    long long n = json_integer_value(json_object_get(notes, "skipped"));
    json_decref(notes);
    return n;
}

static void put_data(const experiment *lab, const pen__material *m, pen__text *out)
{
    const pen_dataset *data = m->data;
    pen__text_printf(out, "{\"penchant\": \"%s\", \"data\": {\"path\": ", pen_version());
    pen__text_json(out, data->source ? data->source : "", data->source ? strlen(data->source) : 0);
    pen__text_printf(out,
                     ", \"hash\": \"%016llx\", \"users\": %lld, \"items\": %lld, \"events\": %lld, \"dropped\": %lld}",
                     (unsigned long long)data->hash, (long long)data->users.n, (long long)data->items.n,
                     (long long)data->n_events, rows_dropped(data));
    put_protocol(lab, out);
    pen__text_printf(out, ", \"seed\": %llu, \"threads\": %d, \"results\": [", (unsigned long long)lab->protocol->seed,
                     pen_context_threads(lab->ctx));
}

static void lab_free(experiment *lab)
{
    for (int32_t e = 0; lab->result && e < lab->n_entrants; e++) {
        result *r = &lab->result[e];
        for (int32_t k = 0; r->scores && k < lab->n_runs; k++) pen__scores_free(&r->scores[k]);
        pen__free(lab->ctx, r->scores);
        pen__free(lab->ctx, r->whole);
        pen__text_free(&r->groups);
    }
    pen__free(lab->ctx, lab->result);
    pen__text_free(&lab->filters);
    pen__text_free(&lab->split);
    pen__text_free(&lab->cases);
}

pen_status pen__experiment(pen_context *ctx, const pen__material *material, int32_t n_materials,
                           const pen_protocol *protocol, const pen__entrant *entrant, int32_t n_entrants,
                           pen__text *out, pen_error *error)
{
    experiment lab = {.ctx = ctx,
                      .protocol = protocol,
                      .entrant = entrant,
                      .n_entrants = n_entrants,
                      .filters = {.ctx = ctx},
                      .split = {.ctx = ctx},
                      .cases = {.ctx = ctx}};
    pen_status status = pen__metrics_parse(protocol->metrics, protocol->task, lab.metric, &lab.n_metrics, error);
    if (status == PEN_OK) status = PEN_NEW_ZERO(ctx, lab.result, n_entrants);
    for (int32_t i = 0; i < n_materials && status == PEN_OK; i++) status = run_material(&lab, &material[i], error);
    if (status == PEN_OK) {
        put_data(&lab, material, out);
        for (int32_t e = 0; e < n_entrants; e++) put_result(&lab, e, out);
        status = put_tests(&lab, out, error);
        pen__text_puts(out, "]}\n");
        if (status == PEN_OK && out->failed) status = pen__fail(error, PEN_E_MEMORY, "out of memory for a report");
    }
    lab_free(&lab);
    return status;
}
