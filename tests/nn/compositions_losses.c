/* Losses against their formulas on a tape of scalars, one row after another and one item after another: no products, no
 * blocks, no shards. */
#include "composition.h"

static const pen__init START = {PEN_INIT_ZERO, 0}; /* compute() gives the values */
static const int32_t RAGGED[5] = {3, 0, 1, 4, 0}, ONE[1] = {1};
enum { MOST = 4096 };

static void compared(const char *name, check *c, computed *made, num loss)
{
    computed wanted = taped(made, NULL, 0, loss);
    same(name, made, &wanted);
    check_end(c);
}

/* <row i of one table, row j of another>; none of index -1. */
static num product(computed *made, const char *a, int32_t i, const char *b, int32_t j, int64_t width)
{
    num sum = t_one(0);
    for (int64_t k = 0; k < width; k++) sum = t_add(sum, t_mul(t_at(made, a, i, k), t_at(made, b, j, k)));
    return sum;
}

static num mean_of(num sum, double n) { return n > 0 ? t_times(1 / n, sum) : t_one(0); }

/* ---- of scores --------------------------------------------------------------------------------------------------- */

/* -log sigmoid(x) */
static num surprise(num x) { return t_softplus(t_times(-1, x)); }

static void pointwise(void **state)
{
    (void)state;
    for (int form = 0; form < 8; form++) {
        pen__pointwise kind = form & 1 ? PEN_LOSS_LOGISTIC : PEN_LOSS_SQUARED;
        check *c = check_begin();
        pen__plan *p = c->plan;
        int32_t events = pen__extent_child(p, PEN_ROOT, "events"), item = pen__input_index(p, events, "item");
        int32_t label = pen__input_real(p, events, 1, "label"), weight = pen__input_real(p, events, 1, "weight");
        check_rows(c, PEN_ROOT, form & 4 ? 1 : 5), check_segments(c, events, form & 4 ? ONE : RAGGED);
        check_index(c, item, 6, 0), check_real(c, label, 0, 1), check_real(c, weight, 0.2, 2);
        int32_t x = pen__gather(p, pen__plan_table(p, "item", 6, 1, START), item);
        pen__loss_pointwise(p, kind, x, label, form & 2 ? weight : -1);
        pen__loss_squares(p, x, 0.3);
        computed made = compute(c, -1);
        num sum = t_at(&made, "item", -1, 0);
        for (int i = 0; i < c->batch.n[events]; i++) {
            double y = c->reals[0][i], w = form & 2 ? c->reals[1][i] : 1;
            num s = t_at(&made, "item", c->batch.index[item][i], 0), away = t_plus(-y, s);
            /* cross-entropy as it is defined: -y log sigma(s) - (1 - y) log(1 - sigma(s)) */
            num cross = t_add(t_times(y, surprise(s)), t_times(1 - y, surprise(t_times(-1, s))));
            sum = t_add(sum, t_times(w, kind == PEN_LOSS_SQUARED ? t_mul(away, away) : cross));
            sum = t_add(sum, t_times(0.15, t_mul(s, s)));
        }
        compared("pointwise", c, &made, mean_of(sum, (double)c->batch.n[events]));
    }
}

/* bad: children of the good one's row, or of its extent. */
static void pairwise(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        pen__pairwise kind = form & 1 ? PEN_LOSS_HINGE : PEN_LOSS_BPR;
        check *c = check_begin();
        pen__plan *p = c->plan;
        int32_t child = pen__extent_child(p, PEN_ROOT, "negatives"), others = form & 2 ? PEN_ROOT : child;
        int32_t item = pen__input_index(p, PEN_ROOT, "item"), other = pen__input_index(p, others, "other");
        check_rows(c, PEN_ROOT, 5), check_segments(c, child, RAGGED);
        check_index(c, item, 6, 0), check_index(c, other, 6, 0);
        int32_t table = pen__plan_table(p, "item", 6, 1, START);
        pen__loss_pairwise(p, kind, pen__gather(p, table, item), pen__gather(p, table, other), 0.3);
        computed made = compute(c, -1);
        num sum = t_at(&made, "item", -1, 0);
        for (int r = 0; r < 5; r++) {
            int32_t from = form & 2 ? r : c->batch.begin[child][r],
                    to = form & 2 ? r + 1 : c->batch.begin[child][r + 1];
            for (int32_t i = from; i < to; i++) {
                num apart = t_sub(t_at(&made, "item", c->batch.index[item][r], 0),
                                  t_at(&made, "item", c->batch.index[other][i], 0));
                sum = t_add(sum, form & 1 ? t_above(t_plus(0.3, t_times(-1, apart))) : surprise(apart));
            }
        }
        compared("pairwise", c, &made, mean_of(sum, (double)c->batch.n[others]));
    }
}

/* ---- against sampled items --------------------------------------------------------------------------------------- */

static num elu(double alpha, num x) { return alpha > 0 && t_value(x) < 0 ? t_times(alpha, t_plus(-1, t_exp(x))) : x; }

static num bpr_max(const pen__sampled *how, num p, const num *x, int n)
{
    num all = t_one(0), good = t_one(0), square = t_one(0);
    p = elu(how->elu, p);
    for (int j = 0; j < n; j++) {
        num s = elu(how->elu, x[j]), w = t_exp(s);
        all = t_add(all, w);
        good = t_add(good, t_mul(w, t_sigmoid(t_sub(p, s))));
        square = t_add(square, t_mul(w, t_mul(s, s)));
    }
    if (n == 0) return all;
    return t_add(t_times(-1, t_log(t_div(good, all))), t_times(how->weight, t_div(square, all)));
}

/* The loss of a row whose positive scores p and whose negatives x. */
static num row_loss(const pen__sampled *how, num p, const num *x, int n)
{
    num sum = t_one(0);
    double a = n / (double)(how->n_items - 1), beta = n > 0 ? a * (how->t * (1 - 1 / a) + 1 / a) : 1;
    switch (how->kind) {
    case PEN_CONTRAST_SOFTMAX:
        for (int j = 0; j < n; j++) sum = t_add(sum, t_exp(x[j]));
        return t_times(-1, t_log(t_div(t_exp(p), t_add(t_exp(p), sum))));
    case PEN_CONTRAST_BCE:
        for (int j = 0; j < n; j++) sum = t_add(sum, surprise(t_times(-1, x[j])));
        return t_add(surprise(p), how->sum ? sum : mean_of(sum, n));
    case PEN_CONTRAST_GBCE:
        for (int j = 0; j < n; j++) sum = t_add(sum, surprise(t_times(-1, t_plus(how->shift, x[j]))));
        return mean_of(t_add(t_times(beta, surprise(t_plus(how->shift, p))), sum), n + 1);
    case PEN_CONTRAST_BPR:
        for (int j = 0; j < n; j++) sum = t_add(sum, surprise(t_sub(p, x[j])));
        return mean_of(sum, n);
    case PEN_CONTRAST_BPR_MAX: return bpr_max(how, p, x, n);
    case PEN_CONTRAST_HINGE:
        for (int j = 0; j < n; j++) sum = t_add(sum, t_above(t_plus(how->margin, t_sub(x[j], p))));
        return mean_of(sum, n);
    case PEN_CONTRAST_CCL:
        for (int j = 0; j < n; j++) sum = t_add(sum, t_above(t_plus(-how->margin, x[j])));
        return t_add(t_plus(1, t_times(-1, p)), t_times(how->weight, mean_of(sum, n)));
    }
    return sum;
}

typedef enum whose { BATCH, SIBLINGS, OWN } whose;

/* Clicks, each with a target and negatives; shifted: by biases that learn, and constants beside them. */
static void sampled(pen__contrast kind, whose negatives, bool shifted, int64_t sessions, const int32_t *lengths,
                    int32_t n_shared)
{
    static const int32_t UNEVEN[8] = {2, 3, 0, 1, 4, 1, 2, 3};
    check *c = check_begin();
    pen__plan *p = c->plan;
    int32_t clicks = pen__extent_child(p, PEN_ROOT, "clicks");
    int32_t others = negatives == BATCH      ? pen__extent_shared(p, "others")
                     : negatives == SIBLINGS ? pen__extent_child(p, PEN_ROOT, "others")
                                             : pen__extent_child(p, clicks, "others");
    int32_t from = pen__input_index(p, clicks, "state"), next = pen__input_index(p, clicks, "next"),
            other = pen__input_index(p, others, "other"), often = pen__input_real(p, others, 1, "often");
    check_rows(c, PEN_ROOT, sessions), check_segments(c, clicks, lengths);
    if (negatives == BATCH)
        check_rows(c, others, n_shared);
    else
        check_segments(c, others, UNEVEN);
    check_index(c, from, 4, 0), check_index(c, next, 6, lengths != ONE), check_index(c, other, 6, lengths != ONE);
    check_real(c, often, -1, 1);
    int32_t h = pen__gather(p, pen__plan_table(p, "state", 4, 3, START), from);
    int32_t table = pen__plan_table(p, "item", 6, 3, START),
            bias = shifted ? pen__plan_table(p, "bias", 6, 1, START) : 0;
    pen__sampled how = {.kind = kind,
                        .target = next,
                        .negatives = other,
                        .positive_shift = shifted ? pen__gather(p, bias, next) : -1,
                        .negative_shift = shifted ? pen__plus(p, pen__gather(p, bias, other), often) : -1,
                        .n_items = 40,
                        .t = 0.7,
                        .shift = shifted ? -0.6 : 0,
                        .margin = 0.1,
                        .weight = 1.5,
                        .elu = shifted ? 0.5 : 0,
                        .sum = shifted,
                        .keeps_hits = negatives == OWN && shifted};
    pen__loss_sampled(p, h, pen__gather(p, table, next), pen__gather(p, table, other), &how);
    computed made = compute(c, -1);
    num sum = t_at(&made, "item", -1, 0), x[64];
    int asked = 0;
    for (int64_t r = 0; r < sessions; r++)
        for (int32_t i = c->batch.begin[clicks][r]; i < c->batch.begin[clicks][r + 1]; i++) {
            const int32_t *begin = c->batch.begin[others], target = c->batch.index[next][i];
            int64_t parent = negatives == SIBLINGS ? r : i, j = begin ? begin[parent] : 0,
                    end = begin ? begin[parent + 1] : n_shared;
            int n = 0;
            if (target < 0) continue;
            for (; j < end; j++) {
                int32_t item = c->batch.index[other][j];
                if (item < 0 || (item == target && !how.keeps_hits)) continue;
                x[n] = product(&made, "state", c->batch.index[from][i], "item", item, 3);
                if (shifted) x[n] = t_plus(c->reals[0][j], t_add(x[n], t_at(&made, "bias", item, 0)));
                n++;
            }
            num good = product(&made, "state", c->batch.index[from][i], "item", target, 3);
            if (shifted) good = t_add(good, t_at(&made, "bias", target, 0));
            sum = t_add(sum, row_loss(&how, good, x, n));
            asked++;
        }
    compared("sampled", c, &made, mean_of(sum, asked));
}

static void sampled_losses(void **state)
{
    (void)state;
    for (int kind = PEN_CONTRAST_SOFTMAX; kind <= PEN_CONTRAST_CCL; kind++) {
        for (int form = 0; form < 6; form++) sampled((pen__contrast)kind, (whose)(form >> 1), form & 1, 5, RAGGED, 7);
        sampled((pen__contrast)kind, OWN, true, 1, ONE, 1);
    }
    static const int32_t LONG[2] = {150, 1}; /* more rows than a block has, of one parent */
    sampled(PEN_CONTRAST_SOFTMAX, SIBLINGS, true, 2, LONG, 0);
}

/* ---- in the batch, over all items -------------------------------------------------------------------------------- */

static void in_batch(int form, int32_t grain)
{
    bool with_items = form & 1, shifted = form & 2, keeps_hits = form & 4;
    check *c = check_begin();
    pen__plan *p = c->plan;
    c->grain = grain;
    int32_t events = pen__extent_child(p, PEN_ROOT, "events"), user = pen__input_index(p, events, "user"),
            item = pen__input_index(p, events, "item"), often = pen__input_real(p, events, 1, "often");
    check_rows(c, PEN_ROOT, 5), check_segments(c, events, RAGGED);
    check_index(c, user, 4, 0), check_index(c, item, 5, with_items), check_real(c, often, -1, 1);
    int32_t u = pen__gather(p, pen__plan_table(p, "user", 4, 3, START), user);
    int32_t v = pen__gather(p, pen__plan_table(p, "item", 5, 3, START), item);
    pen__loss_in_batch(p, u, v, with_items ? item : -1, shifted ? often : -1, 0.4, keeps_hits);
    computed made = compute(c, -1);
    const int32_t *users = c->batch.index[user], *items = c->batch.index[item];
    num sum = t_at(&made, "item", -1, 0);
    int asked = 0;
    for (int r = 0; r < c->batch.n[events]; r++) {
        num all = t_one(0), own = all;
        if (with_items && items[r] < 0) continue;
        for (int j = 0; j < c->batch.n[events]; j++) {
            if (j != r && with_items && (items[j] < 0 || (items[j] == items[r] && !keeps_hits))) continue;
            num s = t_times(1 / 0.4, product(&made, "user", users[r], "item", items[j], 3));
            if (shifted) s = t_plus(c->reals[0][j], s);
            all = t_add(all, t_exp(s));
            if (j == r) own = t_exp(s);
        }
        sum = t_sub(sum, t_log(t_div(own, all)));
        asked++;
    }
    compared("in_batch", c, &made, mean_of(sum, asked));
}

static void in_batch_losses(void **state)
{
    (void)state;
    for (int form = 0; form < 8; form++)
        for (int32_t grain = 1; grain <= 5; grain += 2) in_batch(form, grain);
}

/* A row's targets: a bag of them, or one (then an index of the row's own); weighted, biased. */
static void over_all(int form, int32_t n_items)
{
    bool bags = form & 1, weighted = form & 2, biased = form & 4;
    check *c = check_begin();
    pen__plan *p = c->plan;
    int32_t child = pen__extent_child(p, PEN_ROOT, "bag"), targets = bags ? child : PEN_ROOT;
    int32_t user = pen__input_index(p, PEN_ROOT, "user"), item = pen__input_index(p, targets, "item");
    int32_t weight = pen__input_real(p, targets, 1, "weight");
    check_rows(c, PEN_ROOT, 5), check_segments(c, child, RAGGED);
    check_index(c, user, 4, 0), check_index(c, item, n_items, 1), check_real(c, weight, 0.2, 2);
    int32_t h = pen__gather(p, pen__plan_table(p, "user", 4, 3, START), user);
    int32_t table = pen__plan_table(p, "item", n_items, 3, START),
            bias = biased ? pen__plan_table(p, "bias", n_items, 1, START) : -1;
    if (bags || weighted)
        pen__loss_multinomial(p, h, table, item, weighted ? weight : -1, bias);
    else
        pen__loss_softmax(p, h, table, item, bias);
    computed made = compute(c, -1);
    num sum = t_at(&made, "item", -1, 0), e[MOST];
    int asked = 0;
    for (int r = 0; r < 5; r++) {
        int32_t from = bags ? c->batch.begin[child][r] : r, to = bags ? c->batch.begin[child][r + 1] : r + 1;
        int32_t here = 0;
        for (int32_t j = 0; j < n_items; j++) {
            e[j] = product(&made, "user", c->batch.index[user][r], "item", j, 3);
            e[j] = t_exp(biased ? t_add(e[j], t_at(&made, "bias", j, 0)) : e[j]);
        }
        num all = t_sum(e, n_items);
        for (int32_t i = from; i < to; i++) {
            int32_t target = c->batch.index[item][i];
            if (target < 0) continue;
            sum = t_sub(sum, t_times(weighted ? c->reals[0][i] : 1, t_log(t_div(e[target], all))));
            here = 1;
        }
        asked += here;
    }
    compared("over all items", c, &made, mean_of(sum, asked));
}

static void over_all_items(void **state)
{
    (void)state;
    for (int form = 0; form < 8; form++) over_all(form, 7), over_all(form, 2500); /* and in more than one chunk */
}

/* ---- variational ------------------------------------------------------------------------------------------------- */

/* By the distance's definition for normals: log(1 / deviation) + (variance + mean^2) / 2 - 1/2 of each number. weights:
 * none, of each row, of the step. */
static void distances(void **state)
{
    (void)state;
    for (int weights = 0; weights < 3; weights++) {
        check *c = check_begin();
        pen__plan *p = c->plan;
        int32_t step = pen__extent_shared(p, "step"), user = pen__input_index(p, PEN_ROOT, "user");
        int32_t each = pen__input_real(p, PEN_ROOT, 1, "each"), one = pen__input_real(p, step, 1, "one");
        check_rows(c, PEN_ROOT, 5), check_rows(c, step, 1);
        check_index(c, user, 4, 1), check_real(c, each, 0, 2), check_real(c, one, 0.1, 0.3);
        int32_t mean = pen__gather(p, pen__plan_table(p, "mean", 4, 3, START), user);
        int32_t logvar = pen__gather(p, pen__plan_table(p, "spread", 4, 3, START), user);
        pen__loss_kl(p, mean, logvar, weights == 0 ? -1 : weights == 1 ? each : one);
        computed made = compute(c, -1);
        num sum = t_at(&made, "mean", -1, 0);
        for (int r = 0; r < 5; r++)
            for (int k = 0; k < 3; k++) {
                num m = t_at(&made, "mean", c->batch.index[user][r], k);
                num variance = t_exp(t_at(&made, "spread", c->batch.index[user][r], k));
                num distance = t_add(t_log(t_div(t_one(1), t_sqrt(variance))),
                                     t_plus(-0.5, t_times(0.5, t_add(variance, t_mul(m, m)))));
                sum = t_add(sum, t_times(weights == 0 ? 1 : weights == 1 ? c->reals[0][r] : c->reals[1][0], distance));
            }
        compared("kl", c, &made, mean_of(sum, 5));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pointwise),      cmocka_unit_test(pairwise),
                                       cmocka_unit_test(sampled_losses), cmocka_unit_test(in_batch_losses),
                                       cmocka_unit_test(over_all_items), cmocka_unit_test(distances)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
