/* The weighted sparse vectors that similarities are computed from, and the baseline estimates under ratings.
 *
 * Where every event is worth the same (most logs), a weight is a product: x_of = scale_o weight_f. Then sums add
 * weight_f^2 for each common feature and no value is read: half the memory traffic. Otherwise each event has its value,
 * in both orders.
 */
#ifndef PEN_MODEL_KNN_VECTORS_H
#define PEN_MODEL_KNN_VECTORS_H

#include "model/neighbour/knn_similarity.h"

/* rating(u, i) = mean + user[u] + item[i]. */
typedef struct pen__estimates {
    double mean, regularization_item, regularization_user;
    const float *user, *item;
} pen__estimates;

/* Ten alternating ridge regressions of the biases (each side in parallel), the users' last. */
pen_status pen__estimates_fit(pen_context *ctx, const pen__rows *by_user, const pen__rows *by_item,
                              pen__estimates *estimates, float *user, float *item, pen_error *error);

/* The bias of a user by the history alone: the users' own regression, so a training user's history gives user[u]. */
double pen__estimates_user(const pen__estimates *estimates, const pen__user *user);

/* Matrices are borrowed, everything else is owned. */
typedef struct pen__vectors {
    pen_context *ctx;
    const pen__similarity *similarity;
    int32_t n_objects, n_features;
    const pen__rows *by_object, *by_feature; /* value NULL: all are 1 */
    bool use_moments;                        /* sums are pen__moments; otherwise dot products alone */
    float min_dot;                           /* a dot product below it is no neighbour */
    float *object_value;                     /* weighted values in the order of by_object; NULL: scale_o weight_f */
    float *feature_value;                    /* in the order of by_feature, where asked for */
    float *weight;            /* (n_features) with object_value NULL: what a common feature adds, weight_f^2; NULL: 1 */
    float *idf;               /* (n_features), weighting; NULL otherwise */
    double mean_length;       /* of an object: the sum of its values */
    pen__terms terms;         /* of the objects */
    double *feature_mean;     /* (n_features), adjusted cosine; NULL otherwise */
    pen__estimates estimates; /* rating: objects' and features' sides below */
    const float *object_bias, *feature_bias; /* NULL: not of residuals */
} pen__vectors;

/* `estimates`: NULL when ranking. Users as objects are for queries: their values are made in the order of by_feature
 * too. */
pen_status pen__vectors_make(pen_context *ctx, const pen__similarity *similarity, const pen__rows *by_object,
                             const pen__rows *by_feature, const pen__estimates *estimates, bool objects_are_users,
                             pen__vectors *out, pen_error *error);
void pen__vectors_free(pen__vectors *vectors);

/* A vector that training does not have: its weighted values (n, what sums multiply) and its terms, one element each.
 * own_bias: of the object, when rating residuals. `terms` has arrays of one element to fill, or NULL where
 * vectors->terms has. */
void pen__vectors_query(const pen__vectors *vectors, int64_t n, const int32_t *feature, const float *value,
                        double own_bias, float *weighted, pen__terms *terms);

/* Bytes that pen__vectors_make will hold: the arrays of values only where `valued`. */
uint64_t pen__vectors_memory(const pen__similarity *similarity, int64_t n_objects, int64_t n_features, int64_t n_events,
                             bool valued);

/* Whether all values of the rows are one number. */
bool pen__rows_constant(const pen__rows *rows);

#endif
