/* How alike two items (or users) are, from their sparse vectors: shared by item-knn and user-knn.
 *
 * What is compared is an *object* (an item; a user), over *features* (users; items). There are two worlds:
 *   ranking: a missing event is a zero. All that a pair needs is its dot product, and one or two sums of each object.
 *   rating (`corated`): a missing rating is unknown. A pair is compared over the features that both have: six sums.
 *
 * With s(o, p) the similarity of p as o sees it, n the number of features in common, q = |x|^2, N the number of
 * features:
 *   cosine           ranking: x_o . x_p / (q_o^alpha q_p^(1 - alpha) + shrink); 1/2 is the cosine, else asymmetric
 *                    cosine (Aiolli, RecSys 2013). rating: the same over common features, times n / (n + shrink)
 *   adjusted-cosine  the cosine of values less their feature's mean (Sarwar et al., WWW 2001)
 *   pearson          the cosine of values less their object's mean (ranking: over all N; rating: over the common ones)
 *   msd              1 / (1 + mean squared difference); ranking: over the features that either has
 *   jaccard          n / (n_o + n_p - n + shrink)
 *   tversky          n / (n + tversky_alpha (n_o - n) + tversky_beta (n_p - n) + shrink)
 * and all of them to the power `power` (case amplification: Breese et al., UAI 1998). Only positive ones count, and
 * only of pairs with at least min_support features in common.
 */
#ifndef PEN_MODEL_KNN_SIMILARITY_H
#define PEN_MODEL_KNN_SIMILARITY_H

#include "rank/model.h"

enum pen__similarity_kind { PEN_COSINE, PEN_ADJUSTED_COSINE, PEN_PEARSON, PEN_MSD, PEN_JACCARD, PEN_TVERSKY };
enum pen__weighting { PEN_WEIGH_NONE, PEN_WEIGH_TFIDF, PEN_WEIGH_BM25 };

typedef struct pen__similarity {
    int32_t kind, weighting, min_support;
    bool corated;   /* rating: over the features that both have */
    bool residuals; /* rating: of what the baseline estimates leave */
    double shrink, alpha, tversky_alpha, tversky_beta, power, k1, b;
} pen__similarity;

/* Reads the parameters below and refuses those that do not fit together. */
pen_status pen__similarity_of(const pen__model_class *class, const pen__params *params, int32_t task,
                              pen__similarity *out, pen_error *error);

/* The rows that both models' parameter tables share. */
#define PEN__SIMILARITY_PARAMS                                                                                         \
    PEN_P_CHOICE("similarity", "cosine", "cosine|adjusted-cosine|pearson|msd|jaccard|tversky",                         \
                 "how alike two of them are"),                                                                         \
        PEN_P_CHOICE("weighting", "none", "none|tfidf|bm25",                                                           \
                     "ranking: weights of the events before the cosine, Pearson or adjusted cosine"),                  \
        PEN_P_REAL_LOG(                                                                                                \
            "shrink", "10", 0, 1e6,                                                                                    \
            "distrust of few: ranking: added to the denominator; rating: similarity times n / (n + shrink), n in "     \
            "common"),                                                                                                 \
        PEN_P_INT("min_support", "1", 1, 1e6, "fewest events in common"),                                              \
        PEN_P_REAL("power", "1", 0.1, 10, "exponent of the similarity (case amplification)"),                          \
        PEN_P_REAL("alpha", "0.5", 0, 1, "ranking: exponent of the asymmetric cosine, 0.5 the plain one"),             \
        PEN_P_REAL("tversky_alpha", "1", 0, 10, "tversky: weight of what only it has"),                                \
        PEN_P_REAL("tversky_beta", "1", 0, 10, "tversky: weight of what only the other has"),                          \
        PEN_P_REAL("bm25_k1", "1.2", 0, 1000, "bm25: where repeated events saturate"),                                 \
        PEN_P_REAL("bm25_b", "0.75", 0, 1, "bm25: how much many events are held against it"),                          \
        PEN_P_BOOL("residuals", "yes", "rating: compare what mean and biases leave (no: the ratings themselves)"),     \
        PEN_P_REAL("damping", "0.5", 0, 1000,                                                                          \
                   "rating: added to the sum of similarities, so that few or weak neighbours move the baseline less"), \
        PEN_P_REAL_LOG("regularization", "5", 0, 1e6, "rating: pull of the items' biases to zero, in events"),         \
        PEN_P_REAL_LOG("regularization_user", "5", 0, 1e6, "rating: pull of the users' biases to zero, in events")

/* What the formulas need of each object: n floats an array, those that a kind does not use are NULL. */
typedef struct pen__terms {
    float *count; /* features that it has */
    float *scale; /* its weighted vector is scale times what was summed (binary data); NULL: 1 */
    /* its part of the denominator as o and as p; infinite where it has no norm. May be one array */
    float *left, *right;
    float *offset;   /* subtracted from the dot product: see pen__similarity_row */
    double constant; /* of the offset: adjusted cosine's sum of squared feature means */
} pen__terms;

/* Six sums over the features that o and p have in common, and two places unused: x are o's values, y p's. */
typedef struct pen__moments {
    float n, x, xx, unused, y, yy, xy, unused2;
} pen__moments;

/* Turns dot[j], the dot product of o = own[at] with others[begin + j], into s(o, other), 0 where `dot` is below
 * min_dot; with `mirror` into s(other, o). `out` is another array than `dot`. */
void pen__similarity_row(const pen__similarity *similarity, const pen__terms *own, int64_t at, const pen__terms *others,
                         int64_t begin, int64_t n, bool mirror, float min_dot, const float *dot, float *out);

/* The same from moments: for ratings, and for ranking where a pair's count is needed beside its dot product. */
void pen__similarity_moments(const pen__similarity *similarity, const pen__terms *own, int64_t at,
                             const pen__terms *others, int64_t begin, int64_t n, bool mirror,
                             const pen__moments *moments, float *out);

/* Whether s(o, p) may differ from s(p, o). */
static inline bool pen__similarity_asymmetric(const pen__similarity *s)
{
    if (s->kind == PEN_TVERSKY) return s->tversky_alpha != s->tversky_beta;
    return s->kind == PEN_COSINE && !s->corated && s->alpha != 0.5;
}

#endif
