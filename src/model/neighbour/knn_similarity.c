/* The formulas of knn_similarity.h, over rows of pairs. The ranking ones are three plain loops that the compiler turns
 * into vector code: a cost of about a nanosecond a pair, beside the sums of its events. */
#include "model/neighbour/knn_similarity.h"

#include <math.h>

static bool weighable(int32_t kind) { return kind == PEN_COSINE || kind == PEN_ADJUSTED_COSINE || kind == PEN_PEARSON; }

pen_status pen__similarity_of(const pen__model_class *class, const pen__params *params, int32_t task,
                              pen__similarity *out, pen_error *error)
{
    *out = (pen__similarity){
        .kind = (int32_t)pen__params_get(class, params, "similarity"),
        .weighting = (int32_t)pen__params_get(class, params, "weighting"),
        .min_support = (int32_t)pen__params_get(class, params, "min_support"),
        .corated = task == PEN_TASK_RATE,
        .residuals = pen__params_get(class, params, "residuals") != 0,
        .shrink = pen__params_get(class, params, "shrink"),
        .alpha = pen__params_get(class, params, "alpha"),
        .tversky_alpha = pen__params_get(class, params, "tversky_alpha"),
        .tversky_beta = pen__params_get(class, params, "tversky_beta"),
        .power = pen__params_get(class, params, "power"),
        .k1 = pen__params_get(class, params, "bm25_k1"),
        .b = pen__params_get(class, params, "bm25_b"),
    };
    if (out->kind == PEN_JACCARD) out->tversky_alpha = out->tversky_beta = 1;
    if (out->weighting != PEN_WEIGH_NONE) {
        PEN_CHECK(!out->corated, PEN_E_ARGUMENT,
                  "%s: weighting is for ranking; ratings are compared as they are: use weighting=none", class->name);
        PEN_CHECK(weighable(out->kind), PEN_E_ARGUMENT,
                  "%s: weighting changes nothing in msd, jaccard and tversky: use weighting=none or similarity=cosine",
                  class->name);
    }
    PEN_CHECK(out->alpha == 0.5 || (out->kind == PEN_COSINE && !out->corated), PEN_E_ARGUMENT,
              "%s: alpha belongs to similarity=cosine when ranking: leave it at 0.5", class->name);
    return PEN_OK;
}

/* ---- ranking: from dot products --------------------------------------------------------------------------------- */

/* n / (n (1 - alpha - beta) + alpha n_o + beta n_p + shrink), for Jaccard and Tversky. */
static void overlap_row(const pen__similarity *s, float own, const float *restrict others, int64_t n, bool mirror,
                        const float *restrict dot, float *restrict out)
{
    float alpha = (float)(mirror ? s->tversky_beta : s->tversky_alpha),
          beta = (float)(mirror ? s->tversky_alpha : s->tversky_beta);
    float rest = 1 - alpha - beta, fixed = alpha * own + (float)s->shrink;
    for (int64_t j = 0; j < n; j++) out[j] = dot[j] / (dot[j] * rest + beta * others[j] + fixed);
}

/* What a row of dot products is made into: (dot scale - fixed - slope offset) / (norm other_norm + shrink). */
typedef struct ratio {
    float scale, norm, shrink, fixed, slope;
} ratio;

static void ratio_row(const ratio *r, const float *restrict norm, int64_t n, const float *restrict dot,
                      float *restrict out)
{
    const ratio c = *r;
    for (int64_t j = 0; j < n; j++) out[j] = dot[j] / (c.norm * norm[j] + c.shrink);
}

static void scaled_row(const ratio *r, const float *restrict scale, const float *restrict norm, int64_t n,
                       const float *restrict dot, float *restrict out)
{
    const ratio c = *r;
    for (int64_t j = 0; j < n; j++) out[j] = (dot[j] * c.scale * scale[j]) / (c.norm * norm[j] + c.shrink);
}

static void offset_row(const ratio *r, const float *restrict scale, const float *restrict norm,
                       const float *restrict offset, int64_t n, const float *restrict dot, float *restrict out)
{
    const ratio c = *r;
    for (int64_t j = 0; j < n; j++) {
        float product = dot[j] * (scale ? c.scale * scale[j] : 1) - c.fixed - c.slope * offset[j];
        out[j] = product / (c.norm * norm[j] + c.shrink);
    }
}

static void any_row(const pen__similarity *s, const pen__terms *own, int64_t at, const pen__terms *others,
                    int64_t begin, int64_t n, bool mirror, const float *dot, float *out)
{
    if (s->kind == PEN_JACCARD || s->kind == PEN_TVERSKY) {
        overlap_row(s, own->count[at], others->count + begin, n, mirror, dot, out);
        return;
    }
    /* Pearson takes away N mean_o mean_p; the adjusted cosine m . x_o + m . x_p - m . m, m being the features'
     * means. */
    float fixed = 0, slope = 0;
    if (s->kind == PEN_PEARSON) slope = own->offset[at];
    if (s->kind == PEN_ADJUSTED_COSINE) fixed = own->offset[at] - (float)own->constant, slope = 1;
    const ratio r = {own->scale ? own->scale[at] : 1, (mirror ? own->right : own->left)[at], (float)s->shrink, fixed,
                     slope};
    const float *scale = others->scale ? others->scale + begin : NULL,
                *norm = (mirror ? others->left : others->right) + begin;
    if (others->offset)
        offset_row(&r, scale, norm, others->offset + begin, n, dot, out);
    else if (scale)
        scaled_row(&r, scale, norm, n, dot, out);
    else
        ratio_row(&r, norm, n, dot, out);
}

/* The choice is a loop of its own: beside a division it would be compiled to branches, not to vectors. */
void pen__similarity_row(const pen__similarity *s, const pen__terms *own, int64_t at, const pen__terms *others,
                         int64_t begin, int64_t n, bool mirror, float min_dot, const float *dot, float *out)
{
    any_row(s, own, at, others, begin, n, mirror, dot, out);
    if (min_dot <= 1 && !others->offset) return; /* nothing in common gives 0 by itself */
    for (int64_t j = 0; j < n; j++) out[j] = dot[j] >= min_dot ? out[j] : 0;
}

/* ---- from moments ------------------------------------------------------------------------------------------------ */

static double corated(const pen__similarity *s, const pen__moments *m)
{
    double n = (double)m->n, x = (double)m->x, y = (double)m->y, xx = (double)m->xx, yy = (double)m->yy,
           xy = (double)m->xy, norm;
    double spread_x, spread_y;
    switch (s->kind) {
    case PEN_MSD: return 1 / (1 + (xx + yy - 2 * xy) / n);
    case PEN_PEARSON:
        if (n < 2) return 0;
        spread_x = n * xx - x * x, spread_y = n * yy - y * y;
        /* all alike, but for the sums' rounding */
        if (!(spread_x > 1e-5 * n * xx && spread_y > 1e-5 * n * yy)) return 0;
        return (n * xy - x * y) / sqrt(spread_x * spread_y);
    default: norm = xx * yy; return norm > 0 ? xy / sqrt(norm) : 0;
    }
}

/* Ranking's mean squared difference, over the features that either has. */
static double msd_of_either(const pen__terms *own, int64_t at, const pen__terms *others, int64_t other,
                            const pen__moments *m)
{
    double either = (double)own->count[at] + (double)others->count[other] - (double)m->n;
    double sum = (double)own->left[at] + (double)others->left[other] - 2 * (double)m->xy;
    return either > 0 ? 1 / (1 + (sum > 0 ? sum : 0) / either) : 0;
}

void pen__similarity_moments(const pen__similarity *s, const pen__terms *own, int64_t at, const pen__terms *others,
                             int64_t begin, int64_t n, bool mirror, const pen__moments *moments, float *out)
{
    for (int64_t j = 0; j < n; j++) {
        const pen__moments *m = &moments[j];
        out[j] = 0;
        if (m->n < (float)s->min_support) continue;
        if (s->kind == PEN_JACCARD || s->kind == PEN_TVERSKY)
            any_row(s, own, at, others, begin + j, 1, mirror, &m->n, &out[j]);
        else if (s->corated)
            out[j] = (float)(corated(s, m) * (double)m->n / ((double)m->n + s->shrink));
        else if (s->kind == PEN_MSD)
            out[j] = (float)(msd_of_either(own, at, others, begin + j, m) * (double)m->n / ((double)m->n + s->shrink));
        else
            any_row(s, own, at, others, begin + j, 1, mirror, &m->xy, &out[j]);
    }
}
