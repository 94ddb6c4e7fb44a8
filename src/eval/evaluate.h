/* Evaluation: metrics of a model on cases, per user, with intervals and paired tests.
 *
 * Never users x items: users are ranked in blocks, and only the per-user values of each metric are kept.
 */
#ifndef PEN_EVAL_EVALUATE_H
#define PEN_EVAL_EVALUATE_H

#include "rank/rank.h"

enum pen__metric_kind {
    PEN_METRIC_NDCG = 1,
    PEN_METRIC_RECALL,
    PEN_METRIC_RECALL_CAPPED,
    PEN_METRIC_PRECISION,
    PEN_METRIC_HIT,
    PEN_METRIC_MAP,
    PEN_METRIC_MRR,
    PEN_METRIC_AUC,
    PEN_METRIC_COVERAGE,
    PEN_METRIC_GINI,
    PEN_METRIC_NOVELTY,
    PEN_METRIC_DIVERSITY,
    PEN_METRIC_CALIBRATION,
    PEN_METRIC_RMSE,
    PEN_METRIC_MAE
};

/* One metric of "ndcg@10,...": name as the user wrote it (canonical form), its kind and cutoff (0: none, the whole
 * list). */
typedef struct pen__metric {
    char name[32];
    int32_t kind, cutoff;
} pen__metric;

enum { PEN_MAX_METRICS = 32 };

/* Parses a list; NULL gives the task's default. Unknown names are answered with the nearest; a metric that does not fit
 * the task is refused with the word. */
pen_status pen__metrics_parse(const char *list, int32_t task, pen__metric out[PEN_MAX_METRICS], int32_t *n,
                              pen_error *error);

/* Per-user values: value[m * n_cases + c], NaN where a metric has no value for the case (kinds without per-user values,
 * coverage and Gini, are NaN throughout: see `whole`). For RMSE the per-case value is the mean squared error and
 * `weight` the number of ratings. */
typedef struct pen__scores {
    pen_context *ctx;
    int32_t n_metrics;
    pen__metric metric[PEN_MAX_METRICS];
    int64_t n_cases;
    double *value;
    double *weight;  /* n_cases: targets of the case */
    int32_t *place;  /* ranking: of each entry of cases->target; 0: not found (further down than the largest
                                      * cutoff where no metric asks for more), -1: a repeat, which does not count */
    float *rating;   /* rating: what was predicted for each entry of cases->target */
    int32_t sampled; /* 1: some candidates were ranked, not the full catalogue: reports must say so */
    int64_t count[PEN_MAX_METRICS]; /* cases with a value; for RMSE and MAE ratings, for coverage and Gini lists */
    double whole[PEN_MAX_METRICS];  /* the metric over everybody; NaN where nobody has a value */
    double low[PEN_MAX_METRICS], high[PEN_MAX_METRICS]; /* 95 % bootstrap over users; NaN where it has none */
    double seconds;
} pen__scores;

/* Ranks (or rates) every case. bootstrap: resamples, 0 for none. */
pen_status pen__evaluate(const pen_model *model, const pen__cases *cases, const pen__train *train,
                         const pen__metric *metric, int32_t n_metrics, int32_t task, int32_t bootstrap, uint64_t seed,
                         pen__scores *out, pen_error *error);

/* The same metrics for anybody's lists: row c of list has the items for case c in order of rank (-1: an item that is in
 * nobody's numbering). A repeated item counts where it stands first. train may be NULL where no metric needs it
 * (coverage, Gini, novelty, diversity, calibration do). AUC is refused: it needs the places of all items. */
pen_status pen__evaluate_lists(const pen__rows *list, const pen__cases *cases, const pen__train *train,
                               const pen__metric *metric, int32_t n_metrics, int32_t bootstrap, uint64_t seed,
                               pen__scores *out, pen_error *error);
void pen__scores_free(pen__scores *scores);

/* A paired comparison of metric m between two models over the same cases. */
typedef struct pen__paired {
    double difference, low, high; /* mean of b - a, 95 % bootstrap (of at most 1000 resamples) */
    double p;                     /* two-sided paired randomisation (sign-flip) test */
    double p_holm;                /* after Holm's correction over the family that was asked */
} pen__paired;

pen_status pen__paired_test(const pen__scores *a, const pen__scores *b, int32_t m, int32_t resamples, uint64_t seed,
                            pen__paired *out, pen_error *error);
void pen__holm(pen__paired *tests, int32_t n);

/* Values of metrics per group, with intervals. `groups` is a list of
 *   "activity": few, some, many: cases by the events of their history, cut at its terciles (equal counts stay
 *   together);
 *   "popularity": head, torso, tail: targets by the events of their item in training: the most popular items that hold
 *   a third
 *       of the events, the next third, the rest; new: items that training lacks. The ranking is the same, only the
 *       group's targets
 *       count;
 *   "cold": known, folded-in (not in training, but with a history), unknown (neither).
 * Metrics without values of cases (coverage, Gini) are left out, and by popularity those that are not of targets'
 * places (and AUC). JSON: {"activity": [{"group": "few", "from": 1, "to": 5, "n": cases or targets, "metrics":
 * {"ndcg@10": {"mean", "low", "high", "n"}}}, ...], ...}. An unknown group is refused with the nearest. */
pen_status pen__groups(const pen__scores *scores, const pen__cases *cases, const pen__train *train, const char *groups,
                       pen__text *out, pen_error *error);

#endif
