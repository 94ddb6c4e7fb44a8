/* Losses of one row: p the positive's score, x_j those of its n negatives; sigma the logistic function.
 *
 *     softmax   log(e^p + sum_j e^x_j) - p
 *     bce       -log sigma(p) - sum_j log(1 - sigma(x_j)), the sum over negatives or their mean
 *     gbce      (-beta log sigma(p) - sum_j log(1 - sigma(x_j))) / (n + 1), beta = a (t (1 - 1/a) + 1/a),
 *               a = n / (items - 1), all scores + shift
 *     bpr       mean_j -log sigma(p - x_j)
 *     bpr-max   -log(sum_j w_j sigma(p - x_j) + 1e-24) + weight sum_j w_j x_j^2, w = softmax(x); elu > 0: scores pass
 * elu first
 *     hinge     mean_j max(0, margin - p + x_j)
 *     ccl       1 - p + weight mean_j max(0, x_j - margin), scores being cosines
 *
 * gbce: Petrov, Macdonald: "gSASRec" (RecSys 2023); log sigma^beta needs no detour by a logit. bpr-max: Hidasi,
 * Karatzoglou: "Recurrent neural networks with top-k gains" (CIKM 2018). ccl: Mao et al.: "SimpleX" (CIKM 2021). O(n),
 * with exponentials by vectors; sums of a row in the real type, what is said of the positive in double. */
#include "nn/op/row_loss.h"

#include "nn/logistic.h"

#include <math.h>

static double softmax(const pen__row_options *o, double *positive, pen__real *x, int64_t n, pen__real *room)
{
    (void)o, (void)room;
    const pen__deep *deep = pen__deep_kern();
    double p = *positive, most = (double)deep->max(x, n);
    if (most < p) most = p;
    double good = exp(p - most), sum = good + (double)deep->exp_sum(x, x, (pen__real)most, n);
    deep->scale(x, (pen__real)(1 / sum), n);
    *positive = good / sum - 1;
    return most - p + log(sum);
}

static double bce(const pen__row_options *o, double *positive, pen__real *x, int64_t n, pen__real *room)
{
    (void)room;
    const pen__deep *deep = pen__deep_kern();
    double p = *positive, share = o->sum || n == 0 ? 1 : 1 / (double)n, sum = (double)deep->softplus_sum(x, x, 0, n);
    if (share < 1) deep->scale(x, (pen__real)share, n);
    *positive = -pen__logistic(-p);
    return pen__softplus(-p) + share * sum;
}

double pen__gbce_beta(double n_items, double t, double n)
{
    double a = n / (n_items - 1);
    return a * (t * (1 - 1 / a) + 1 / a);
}

static double gbce(const pen__row_options *o, double *positive, pen__real *x, int64_t n, pen__real *room)
{
    (void)room;
    const pen__deep *deep = pen__deep_kern();
    double p = *positive + o->shift, share = 1 / (double)(n + 1);
    double beta = n > 0 ? pen__gbce_beta(o->n_items, o->t, (double)n) : 1;
    double sum = (double)deep->softplus_sum(x, x, -(pen__real)o->shift, n);
    deep->scale(x, (pen__real)share, n);
    *positive = -beta * share * pen__logistic(-p);
    return share * (beta * pen__softplus(-p) + sum);
}

static double bpr(const pen__row_options *o, double *positive, pen__real *x, int64_t n, pen__real *room)
{
    (void)o, (void)room;
    const pen__deep *deep = pen__deep_kern();
    double share = n > 0 ? 1 / (double)n : 0, sum = (double)deep->softplus_sum(x, x, (pen__real)*positive, n);
    deep->scale(x, (pen__real)share, n);
    *positive = -(double)deep->sum(x, n);
    return share * sum;
}

/* x = elu(x), the positive's too. Its derivative is 1 above 0, else x + alpha. */
static void elu(double alpha, double *positive, pen__real *x, int64_t n, pen__real *room)
{
    for (int64_t j = 0; j < n; j++) room[j] = x[j] < 0 ? x[j] : 0;
    pen__deep_kern()->exp(room, room, n);
    for (int64_t j = 0; j < n; j++) x[j] = x[j] > 0 ? x[j] : (pen__real)alpha * (room[j] - 1);
    if (*positive < 0) *positive = alpha * expm1(*positive);
}

static double bpr_max(const pen__row_options *o, double *positive, pen__real *x, int64_t n, pen__real *room)
{
    const pen__deep *deep = pen__deep_kern();
    const double tiny = 1e-24;
    pen__real *w = room, *s = room + n;
    if (o->elu > 0) elu(o->elu, positive, x, n, room);
    double p = *positive;
    *positive = 0;
    if (n == 0) return 0;
    pen__real sum = deep->exp_sum(w, x, deep->max(x, n), n), square = 0, slope = 0;
    deep->scale(w, 1 / sum, n);
    for (int64_t j = 0; j < n; j++) s[j] = (pen__real)p - x[j];
    deep->sigmoid(s, s, n);
    double good = (double)deep->dot(w, s, n);
    for (int64_t j = 0; j < n; j++) square += w[j] * x[j] * x[j], slope += w[j] * s[j] * (1 - s[j]);
    pen__real g = (pen__real)good, inverse = (pen__real)(1 / (good + tiny)), weight = (pen__real)o->weight,
              alpha = (pen__real)o->elu;
    for (int64_t j = 0; j < n; j++) {
        pen__real d = w[j] * ((g - s[j] * s[j]) * inverse + weight * (2 * x[j] + x[j] * x[j] - square));
        x[j] = o->elu > 0 && x[j] < 0 ? d * (x[j] + alpha) : d;
    }
    *positive = -(double)(slope * inverse) * (o->elu > 0 && p < 0 ? p + o->elu : 1);
    return -log(good + tiny) + o->weight * (double)square;
}

/* scale sum_j max(0, x_j - edge), and its gradients in place; *count: how many are above. */
static double above(double edge, double scale, pen__real *x, int64_t n, int64_t *count)
{
    const pen__real low = (pen__real)edge, slope = (pen__real)scale;
    pen__real sum = 0;
    *count = 0;
    for (int64_t j = 0; j < n; j++) {
        bool is = x[j] > low;
        sum += is ? x[j] - low : 0;
        x[j] = is ? slope : 0;
        *count += is;
    }
    return scale * (double)sum;
}

static double hinge(const pen__row_options *o, double *positive, pen__real *x, int64_t n, pen__real *room)
{
    (void)room;
    int64_t count;
    double share = n > 0 ? 1 / (double)n : 0, loss = above(*positive - o->margin, share, x, n, &count);
    *positive = -share * (double)count;
    return loss;
}

static double ccl(const pen__row_options *o, double *positive, pen__real *x, int64_t n, pen__real *room)
{
    (void)room;
    int64_t count;
    double p = *positive, loss = above(o->margin, n > 0 ? o->weight / (double)n : 0, x, n, &count);
    *positive = -1;
    return 1 - p + loss;
}

pen__row_loss *pen__row_loss_of(pen__contrast kind)
{
    static pen__row_loss *const table[] = {
        [PEN_CONTRAST_SOFTMAX] = softmax, [PEN_CONTRAST_BCE] = bce,         [PEN_CONTRAST_GBCE] = gbce,
        [PEN_CONTRAST_BPR] = bpr,         [PEN_CONTRAST_BPR_MAX] = bpr_max, [PEN_CONTRAST_HINGE] = hinge,
        [PEN_CONTRAST_CCL] = ccl,
    };
    return (unsigned)kind < sizeof table / sizeof *table ? table[kind] : NULL;
}
