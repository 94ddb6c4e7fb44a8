/* Weighting, norms and centring of the sparse vectors under item-knn and user-knn. O(events), in parallel over rows.
 *
 * Weights are those of information retrieval with objects as documents and features as terms: TF-IDF is
 * sqrt(v) log((1 + N) / (1 + n_f)), BM25 v (k1 + 1) / (v + k1 (1 - b + b length_o / mean length)) log((1 + N) / (1 +
 * n_f)), N objects of which n_f have the feature (Robertson and Zaragoza 2009; on a log of events: Ferrari Dacrema et
 * al., TOIS 2021). */
#include "model/neighbour/knn_vectors.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/thread.h"

enum { SWEEPS = 10, GRAIN = 512 };

/* ---- baseline estimates ----------------------------------------------------------------------------------------- */

typedef struct sweep {
    const pen__rows *rows;
    double mean, regularization;
    const float *other;
    float *out;
} sweep;

static pen_status sweep_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    const sweep *s = arg;
    int64_t n_shards = pen__shards(s->rows->n_rows, GRAIN),
            end = pen__shard_begin(s->rows->n_rows, n_shards, shard + 1);
    for (int64_t r = pen__shard_begin(s->rows->n_rows, n_shards, shard); r < end; r++) {
        double sum = 0, weight = s->regularization + (double)(s->rows->begin[r + 1] - s->rows->begin[r]);
        for (int64_t e = s->rows->begin[r]; e < s->rows->begin[r + 1]; e++)
            sum += (double)s->rows->value[e] - s->mean - (double)s->other[s->rows->column[e]];
        s->out[r] = weight > 0 ? (float)(sum / weight) : 0;
    }
    return PEN_OK;
}

pen_status pen__estimates_fit(pen_context *ctx, const pen__rows *by_user, const pen__rows *by_item,
                              pen__estimates *estimates, float *user, float *item, pen_error *error)
{
    memset(user, 0, (size_t)by_user->n_rows * sizeof *user);
    memset(item, 0, (size_t)by_item->n_rows * sizeof *item);
    sweep items = {by_item, estimates->mean, estimates->regularization_item, user, item};
    sweep users = {by_user, estimates->mean, estimates->regularization_user, item, user};
    for (int e = 0; e < SWEEPS; e++) {
        PEN_TRY(pen__parallel(ctx, pen__shards(by_item->n_rows, GRAIN), sweep_shard, &items, error));
        PEN_TRY(pen__parallel(ctx, pen__shards(by_user->n_rows, GRAIN), sweep_shard, &users, error));
    }
    estimates->user = user;
    estimates->item = item;
    return PEN_OK;
}

double pen__estimates_user(const pen__estimates *estimates, const pen__user *user)
{
    double sum = 0, weight = estimates->regularization_user + (double)user->n;
    for (int64_t e = 0; e < user->n; e++)
        sum += (double)user->value[e] - estimates->mean - (double)estimates->item[user->item[e]];
    return weight > 0 ? sum / weight : 0;
}

/* ---- one vector -------------------------------------------------------------------------------------------------- */

static inline double value_of(const float *value, int64_t e) { return value ? (double)value[e] : 1; }

static double length_of(int64_t n, const float *value)
{
    double sum = 0;
    for (int64_t e = 0; e < n; e++) sum += value_of(value, e);
    return sum;
}

/* The part of a weight that depends on the object: everything but the feature's idf. */
static double frequency(const pen__vectors *v, double value, double length)
{
    const pen__similarity *s = v->similarity;
    if (s->weighting == PEN_WEIGH_TFIDF) return sqrt(value > 0 ? value : 0);
    if (s->weighting == PEN_WEIGH_NONE) return value;
    double saturation = s->k1 * (1 - s->b + s->b * (v->mean_length > 0 ? length / v->mean_length : 1));
    return value > 0 ? value * (s->k1 + 1) / (value + saturation) : 0;
}

/* A weighted value of the object, as moments and valued dot products take it. */
static double weigh(const pen__vectors *v, double value, double length, double own_bias, int32_t feature)
{
    if (v->similarity->corated) {
        if (v->feature_bias)
            value -= v->estimates.mean + own_bias + (double)v->feature_bias[feature];
        else if (v->similarity->kind == PEN_PEARSON)
            value -= v->estimates.mean; /* changes nothing but rounding */
        return value - (v->feature_mean ? v->feature_mean[feature] : 0);
    }
    return frequency(v, value, length) * (v->idf ? (double)v->idf[feature] : 1);
}

/* The terms of one object from its sums: count, squares of weighted values, their sum, their product with the features'
 * means. */
static void fill_terms(const pen__vectors *v, pen__terms *t, int64_t at, double count, double square, double sum,
                       double with_mean)
{
    const pen__similarity *s = v->similarity;
    double norm = square;
    t->count[at] = (float)count;
    if (!t->left) return; /* counts are all that the kind needs */
    if (s->kind == PEN_PEARSON) {
        double mean = sum / sqrt((double)v->n_features);
        norm = square - mean * mean;
        t->offset[at] = (float)mean;
    }
    if (s->kind == PEN_ADJUSTED_COSINE) {
        norm = square - 2 * with_mean + v->terms.constant;
        t->offset[at] = (float)with_mean;
    }
    bool none = !(norm > 1e-6 * square);
    if (s->kind == PEN_MSD) {
        t->left[at] = (float)square;
        return;
    }
    t->left[at] = none ? INFINITY : (float)(s->alpha == 0.5 ? sqrt(norm) : pow(norm, s->alpha));
    if (t->right != t->left) t->right[at] = none ? INFINITY : (float)pow(norm, 1 - s->alpha);
}

/* Terms of object `at` (0 for a query) from its events; writes the weighted values where they are kept. */
static void object(const pen__vectors *v, int64_t n, const int32_t *feature, const float *value, double own_bias,
                   float *weighted, pen__terms *t, int64_t at)
{
    double length = length_of(n, value), square = 0, sum = 0, with_mean = 0;
    bool weighed_by_scale = t->scale != NULL;
    double scale = weighed_by_scale ? frequency(v, n ? value_of(value, 0) : 1, length) : 1;
    for (int64_t e = 0; e < n; e++) {
        double x = weigh(v, value_of(value, e), length, own_bias, feature[e]);
        if (weighted) weighted[e] = (float)x;
        square += x * x;
        sum += x;
        if (v->feature_mean && !v->similarity->corated) with_mean += x * v->feature_mean[feature[e]];
    }
    if (weighed_by_scale) t->scale[at] = (float)scale;
    fill_terms(v, t, at, (double)n, square, sum, with_mean);
}

void pen__vectors_query(const pen__vectors *v, int64_t n, const int32_t *feature, const float *value, double own_bias,
                        float *weighted, pen__terms *terms)
{
    terms->constant = v->terms.constant;
    object(v, n, feature, value, own_bias, weighted, terms, 0);
    if (v->object_value) return;
    for (int64_t e = 0; e < n; e++) weighted[e] = v->weight ? v->weight[feature[e]] : 1;
}

/* ---- all vectors ------------------------------------------------------------------------------------------------- */

static int64_t row_shards(int64_t n_rows) { return pen__shards(n_rows, GRAIN); }

static pen_status object_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    pen__vectors *v = arg;
    const pen__rows *rows = v->by_object;
    int64_t n_shards = row_shards(rows->n_rows), end = pen__shard_begin(rows->n_rows, n_shards, shard + 1);
    for (int64_t o = pen__shard_begin(rows->n_rows, n_shards, shard); o < end; o++) {
        int64_t at = rows->begin[o];
        object(v, rows->begin[o + 1] - at, rows->column + at, rows->value ? rows->value + at : NULL,
               v->object_bias ? (double)v->object_bias[o] : 0, v->object_value ? v->object_value + at : NULL, &v->terms,
               o);
    }
    return PEN_OK;
}

/* The same values in the other order; lengths[o] are sums of an object's values. */
typedef struct columns {
    pen__vectors *v;
    const double *length;
} columns;

static pen_status feature_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    const columns *c = arg;
    pen__vectors *v = c->v;
    const pen__rows *rows = v->by_feature;
    int64_t n_shards = row_shards(rows->n_rows), end = pen__shard_begin(rows->n_rows, n_shards, shard + 1);
    for (int64_t f = pen__shard_begin(rows->n_rows, n_shards, shard); f < end; f++)
        for (int64_t e = rows->begin[f]; e < rows->begin[f + 1]; e++) {
            int32_t o = rows->column[e];
            v->feature_value[e] = (float)weigh(v, value_of(rows->value, e), c->length[o],
                                               v->object_bias ? (double)v->object_bias[o] : 0, (int32_t)f);
        }
    return PEN_OK;
}

bool pen__rows_constant(const pen__rows *rows)
{
    if (!rows->value) return true;
    for (int64_t e = 1; e < rows->begin[rows->n_rows]; e++)
        if (rows->value[e] != rows->value[0]) return false;
    return true;
}

/* Rating: the mean of a feature's ratings. Ranking: of its weighted values, missing ones being zeros, which needs
 * lengths. */
static void find_feature_means(pen__vectors *v, const double *length)
{
    const pen__rows *rows = v->by_feature;
    for (int64_t f = 0; f < rows->n_rows; f++) {
        double sum = 0,
               n = v->similarity->corated ? (double)(rows->begin[f + 1] - rows->begin[f]) : (double)v->n_objects;
        for (int64_t e = rows->begin[f]; e < rows->begin[f + 1]; e++) {
            double value = value_of(rows->value, e);
            sum += v->similarity->corated ? value : weigh(v, value, length[rows->column[e]], 0, (int32_t)f);
        }
        v->feature_mean[f] = n > 0 ? sum / n : 0;
        if (!v->similarity->corated) v->terms.constant += v->feature_mean[f] * v->feature_mean[f];
    }
}

static void find_idf(pen__vectors *v, bool squares)
{
    for (int64_t f = 0; f < v->n_features; f++) {
        double n = (double)(v->by_feature->begin[f + 1] - v->by_feature->begin[f]);
        double idf = log((1 + (double)v->n_objects) / (1 + n));
        v->idf[f] = (float)idf;
        if (squares) v->weight[f] = (float)(idf * idf);
    }
}

static pen_status terms_new(pen__vectors *v, bool scaled, pen_error *error)
{
    const pen__similarity *s = v->similarity;
    PEN_TRY(PEN_NEW(v->ctx, v->terms.count, v->n_objects));
    if (s->corated || s->kind == PEN_JACCARD || s->kind == PEN_TVERSKY) return PEN_OK;
    if (scaled) PEN_TRY(PEN_NEW(v->ctx, v->terms.scale, v->n_objects));
    PEN_TRY(PEN_NEW(v->ctx, v->terms.left, v->n_objects));
    v->terms.right = v->terms.left;
    if (s->alpha != 0.5) PEN_TRY(PEN_NEW(v->ctx, v->terms.right, v->n_objects));
    if (s->kind == PEN_PEARSON || s->kind == PEN_ADJUSTED_COSINE)
        PEN_TRY(PEN_NEW(v->ctx, v->terms.offset, v->n_objects));
    return PEN_OK;
}

/* Whether sums need each event's value, and whether they need more than a dot product. */
static void choose_sums(pen__vectors *v, bool *valued)
{
    const pen__similarity *s = v->similarity;
    bool counts = s->kind == PEN_JACCARD || s->kind == PEN_TVERSKY;
    *valued = s->corated || (!counts && !pen__rows_constant(v->by_object));
    v->use_moments = (s->corated && !counts) || (!s->corated && s->kind == PEN_MSD);
    if (!counts && s->min_support > 1 && (*valued || s->weighting != PEN_WEIGH_NONE)) v->use_moments = true;
    *valued = v->use_moments || *valued;
    if (counts) v->use_moments = *valued = false;
    v->min_dot = *valued || s->weighting != PEN_WEIGH_NONE ? 1e-30f : (float)s->min_support;
}

pen_status pen__vectors_make(pen_context *ctx, const pen__similarity *similarity, const pen__rows *by_object,
                             const pen__rows *by_feature, const pen__estimates *estimates, bool objects_are_users,
                             pen__vectors *out, pen_error *error)
{
    pen__vectors *v = out;
    *v = (pen__vectors){.ctx = ctx,
                        .similarity = similarity,
                        .by_object = by_object,
                        .by_feature = by_feature,
                        .n_objects = (int32_t)by_object->n_rows,
                        .n_features = (int32_t)by_feature->n_rows};
    pen_status status = PEN_OK;
    double *length = NULL;
    bool valued;
    choose_sums(v, &valued);
    if (estimates) {
        v->estimates = *estimates;
        bool residuals = similarity->residuals && similarity->kind != PEN_ADJUSTED_COSINE;
        if (residuals) v->object_bias = objects_are_users ? estimates->user : estimates->item;
        if (residuals) v->feature_bias = objects_are_users ? estimates->item : estimates->user;
    }
    int64_t n_events = by_object->begin[by_object->n_rows];
    bool weighted = similarity->weighting != PEN_WEIGH_NONE;
    bool ones = !by_object->value || n_events == 0 || by_object->value[0] == 1;
    PEN_TRY_DONE(terms_new(v, !valued && (weighted || !ones), error));
    if (weighted) PEN_TRY_DONE(PEN_NEW(ctx, v->idf, v->n_features));
    if (weighted && !valued) PEN_TRY_DONE(PEN_NEW(ctx, v->weight, v->n_features));
    if (weighted) find_idf(v, !valued);
    PEN_TRY_DONE(PEN_NEW(ctx, length, v->n_objects));
    for (int64_t o = 0; o < v->n_objects; o++) {
        int64_t at = by_object->begin[o];
        length[o] = length_of(by_object->begin[o + 1] - at, by_object->value ? by_object->value + at : NULL);
        v->mean_length += length[o] / (double)v->n_objects;
    }
    if (similarity->kind == PEN_ADJUSTED_COSINE) {
        PEN_TRY_DONE(PEN_NEW(ctx, v->feature_mean, v->n_features));
        find_feature_means(v, length);
    }
    if (valued) PEN_TRY_DONE(PEN_NEW(ctx, v->object_value, n_events));
    if (valued && objects_are_users) PEN_TRY_DONE(PEN_NEW(ctx, v->feature_value, n_events));
    PEN_TRY_DONE(pen__parallel(ctx, row_shards(v->n_objects), object_shard, v, error));
    columns c = {v, length};
    if (v->feature_value) PEN_TRY_DONE(pen__parallel(ctx, row_shards(v->n_features), feature_shard, &c, error));
done:
    pen__free(ctx, length);
    if (status != PEN_OK) pen__vectors_free(v);
    return status;
}

void pen__vectors_free(pen__vectors *v)
{
    if (!v->ctx) return;
    float *const floats[] = {
        v->object_value, v->feature_value, v->weight,     v->idf,
        v->terms.count,  v->terms.scale,   v->terms.left, v->terms.right == v->terms.left ? NULL : v->terms.right,
        v->terms.offset};
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) pen__free(v->ctx, floats[i]);
    pen__free(v->ctx, v->feature_mean);
    *v = (pen__vectors){0};
}

uint64_t pen__vectors_memory(const pen__similarity *similarity, int64_t n_objects, int64_t n_features, int64_t n_events,
                             bool valued)
{
    uint64_t values = valued || similarity->corated || similarity->kind == PEN_MSD ? 8 * (uint64_t)n_events : 0;
    return values + 28 * (uint64_t)n_objects + 20 * (uint64_t)n_features;
}
