/* Gradients of the losses over items, with odd shapes, rows without a target, one element, several shards. */
#include "gradient_check.h"

static const pen__init START = {PEN_INIT_ZERO, 0}; /* check_gradients draws the values */
static const int32_t RAGGED[5] = {3, 0, 1, 4, 0}, ONE[1] = {1};

/* Sessions of clicks, each answered over all items; the table is read by a gather too, and another loss reads h. */
static void full(int64_t sessions, const int32_t *lengths, int32_t items, bool with_bias, bool missing)
{
    check *c = check_begin();
    pen__plan *p = c->plan;
    int32_t clicks = pen__extent_child(p, PEN_ROOT, "clicks"), item = pen__input_index(p, clicks, "item");
    int32_t next = pen__input_index(p, clicks, "next"), label = pen__input_real(p, clicks, 1, "label");
    int32_t table = pen__plan_table(p, "item", items, 5, START),
            bias = with_bias ? pen__plan_table(p, "bias", items, 1, START) : -1;
    int32_t x = pen__gather(p, table, item), h = pen__linear(p, "0", &x, 1, 5, PEN_ACT_TANH);
    pen__loss_softmax(p, h, table, next, bias);
    pen__loss_pointwise(p, PEN_LOSS_SQUARED, pen__linear(p, "out", &h, 1, 1, PEN_ACT_NONE), label, -1);
    pen__loss_softmax(p, pen__scaled(p, h, 2), table, item, -1);
    check_rows(c, PEN_ROOT, sessions);
    check_segments(c, clicks, lengths);
    check_index(c, item, items, 0), check_index(c, next, items, missing), check_real(c, label, 0, 1);
    check_gradients(c);
}

static void full_softmax(void **state)
{
    (void)state;
    full(5, RAGGED, 7, false, true);
    full(5, RAGGED, 11, true, true);
    full(1, ONE, 1, true, false);
    full(1, ONE, 3, true, false);
}

/* Users with bags of weighted targets; one user has none. */
static void multinomial(bool weighted, int64_t users, const int32_t *lengths, int32_t items, int32_t width)
{
    check *c = check_begin();
    pen__plan *p = c->plan;
    int32_t bag = pen__extent_child(p, PEN_ROOT, "bag"), item = pen__input_index(p, bag, "item"),
            user = pen__input_index(p, PEN_ROOT, "user");
    int32_t weight = pen__input_real(p, bag, 1, "weight"),
            h = pen__gather(p, pen__plan_table(p, "user", 4, width, START), user);
    pen__loss_multinomial(p, h, pen__plan_table(p, "item", items, width, START), item, weighted ? weight : -1,
                          pen__plan_table(p, "bias", items, 1, START));
    check_rows(c, PEN_ROOT, users);
    check_segments(c, bag, lengths);
    check_index(c, item, items, users > 1), check_index(c, user, 4, 0), check_real(c, weight, 0.2, 2);
    check_gradients(c);
}

static void multinomials(void **state)
{
    (void)state;
    for (int weighted = 0; weighted < 2; weighted++) {
        multinomial(weighted, 5, RAGGED, 9, 3);
        multinomial(weighted, 1, ONE, 9, 3);
        multinomial(weighted, 1, ONE, 2, 1);
        multinomial(weighted, 1, ONE, 1, 1);
    }
}

/* Every loss on sampled items. Shifts learn (biases) or are constants (logQ); targets and negatives are missing here
 * and there, and with 6 items most rows have an accidental hit. */
typedef enum whose { BATCH, SIBLINGS, OWN } whose;

static void sampled(pen__contrast kind, whose negatives, bool biased, int64_t sessions, const int32_t *lengths,
                    int32_t n_negatives)
{
    bool own = negatives == OWN;
    check *c = check_begin();
    pen__plan *p = c->plan;
    int32_t clicks = pen__extent_child(p, PEN_ROOT, "clicks");
    int32_t others = negatives == BATCH      ? pen__extent_shared(p, "others")
                     : negatives == SIBLINGS ? pen__extent_child(p, PEN_ROOT, "others")
                                             : pen__extent_child(p, clicks, "others");
    int32_t item = pen__input_index(p, clicks, "item"), next = pen__input_index(p, clicks, "next");
    int32_t other = pen__input_index(p, others, "other"), often = pen__input_real(p, others, 1, "often");
    int32_t table = pen__plan_table(p, "item", 6, 5, START), bias = pen__plan_table(p, "bias", 6, 1, START);
    int32_t x = pen__gather(p, table, item), h = pen__linear(p, "0", &x, 1, 5, PEN_ACT_TANH);
    int32_t good = pen__gather(p, table, next), bad = pen__gather(p, table, other);
    if (kind == PEN_CONTRAST_CCL) h = pen__unit(p, h), good = pen__unit(p, good), bad = pen__unit(p, bad);
    pen__sampled how = {.kind = kind,
                        .target = next,
                        .negatives = other,
                        .positive_shift = -1,
                        .negative_shift = -1,
                        .n_items = 40,
                        .t = 0.7,
                        .shift = biased ? -0.6 : 0,
                        .margin = 0.1,
                        .weight = 1.5,
                        .elu = biased ? 0.5 : 0,
                        .sum = biased,
                        .keeps_hits = own && biased};
    if (biased) {
        how.positive_shift = pen__gather(p, bias, next);
        how.negative_shift = pen__plus(p, pen__gather(p, bias, other), pen__scaled(p, often, -1));
    } else if (own) {
        how.negative_shift = often;
    }
    pen__loss_sampled(p, h, good, bad, &how);
    check_rows(c, PEN_ROOT, sessions);
    check_segments(c, clicks, lengths);
    static const int32_t UNEVEN[8] = {2, 3, 0, 1, 4, 1, 2, 3};
    if (negatives == BATCH)
        check_rows(c, others, n_negatives);
    else
        check_segments(c, others, UNEVEN);
    check_index(c, item, 6, 0), check_index(c, next, 6, lengths != ONE), check_index(c, other, 6, lengths != ONE);
    check_real(c, often, -1, 1);
    check_gradients(c);
}

static void sampled_losses(void **state)
{
    (void)state;
    for (int kind = PEN_CONTRAST_SOFTMAX; kind <= PEN_CONTRAST_CCL; kind++)
        for (int form = 0; form < 6; form++) {
            sampled((pen__contrast)kind, (whose)(form >> 1), form & 1, 5, RAGGED, 7);
            sampled((pen__contrast)kind, (whose)(form >> 1), form & 1, 1, ONE, 1);
            if (form >> 1 == BATCH) sampled((pen__contrast)kind, BATCH, form & 1, 5, RAGGED, 0);
        }
    static const int32_t LONG[2] = {300, 1}; /* more rows than a block has, of one parent */
    sampled(PEN_CONTRAST_GBCE, SIBLINGS, true, 2, LONG, 7);
}

/* Two towers, whose earlier layers run backward while other shards still read; another loss reads v. */
static void in_batch(bool with_items, bool shifted, bool keeps_hits, int64_t users, const int32_t *lengths,
                     int32_t grain)
{
    check *c = check_begin();
    pen__plan *p = c->plan;
    c->grain = grain;
    int32_t events = pen__extent_child(p, PEN_ROOT, "events"), user = pen__input_index(p, events, "user");
    int32_t item = pen__input_index(p, events, "item"), often = pen__input_real(p, events, 1, "often"),
            label = pen__input_real(p, events, 1, "label");
    int32_t x = pen__gather(p, pen__plan_table(p, "user", 5, 4, START), user),
            y = pen__gather(p, pen__plan_table(p, "item", 6, 4, START), item);
    int32_t u = pen__linear(p, "u1", &x, 1, 6, PEN_ACT_TANH), v = pen__linear(p, "v1", &y, 1, 5, PEN_ACT_TANH);
    u = pen__unit(p, pen__linear(p, "u2", &u, 1, 4, PEN_ACT_NONE)), v = pen__linear(p, "v2", &v, 1, 4, PEN_ACT_SIGMOID);
    pen__loss_in_batch(p, u, v, with_items ? item : -1, shifted ? often : -1, 0.3, keeps_hits);
    pen__loss_pointwise(p, PEN_LOSS_SQUARED, pen__dot(p, u, v), label, -1);
    pen__loss_in_batch(p, v, v, item, -1, 0.7, false);
    check_rows(c, PEN_ROOT, users);
    check_segments(c, events, lengths);
    check_index(c, user, 5, 0), check_index(c, item, 6, with_items && users > 1);
    check_real(c, often, -1, 1), check_real(c, label, 0, 1);
    check_gradients(c);
}

static void in_batch_losses(void **state)
{
    (void)state;
    static const int32_t MANY[7] = {3, 0, 1, 4, 0, 5, 2};
    for (int32_t grain = 1; grain < 8; grain += 3)
        for (int form = 0; form < 8; form++) in_batch(form & 1, form & 2, form & 4, 7, MANY, grain);
    in_batch(true, true, false, 1, ONE, 1);
}

/* A variational bag: a mean, a variance, a sample that goes on; the weight of each row, of the step, none. */
static void variational(int weights, int64_t users)
{
    check *c = check_begin();
    pen__plan *p = c->plan;
    int32_t user = pen__input_index(p, PEN_ROOT, "user"), each = pen__input_real(p, PEN_ROOT, 1, "each");
    int32_t shared = pen__extent_shared(p, "step"), one = pen__input_real(p, shared, 1, "anneal"),
            label = pen__input_real(p, PEN_ROOT, 1, "label");
    int32_t x = pen__gather(p, pen__plan_table(p, "user", 4, 3, START), user);
    int32_t mean = pen__linear(p, "mean", &x, 1, 5, PEN_ACT_NONE),
            logvar = pen__linear(p, "logvar", &x, 1, 5, PEN_ACT_NONE);
    int32_t z = pen__gaussian(p, mean, logvar);
    pen__loss_kl(p, mean, logvar, weights == 0 ? -1 : weights == 1 ? each : one);
    pen__loss_pointwise(p, PEN_LOSS_SQUARED, pen__linear(p, "out", &z, 1, 1, PEN_ACT_TANH), label, -1);
    check_rows(c, PEN_ROOT, users), check_rows(c, shared, 1);
    check_index(c, user, 4, 0), check_real(c, each, 0, 2), check_real(c, one, 0.1, 0.3), check_real(c, label, 0, 1);
    check_gradients(c);
}

static void variational_layers(void **state)
{
    (void)state;
    for (int weights = 0; weights < 3; weights++) variational(weights, 5);
    variational(2, 1);
}

/* Many rows and many items, which come in blocks, against the plainest loops: over all items; against all items as
 * negatives, where the target is a hit that is taken out; in a batch whose rows are each other's items. */
typedef enum shape { FULL, SAMPLED, IN_BATCH } shape;

typedef struct problem {
    int64_t rows, items, width;
    const double *h, *table; /* (rows, width), (items, width) */
    const int32_t *target;   /* (rows) */
} problem;

static double naive(const problem *q, double *dh, double *d_table)
{
    double loss = 0, *p = calloc((size_t)q->items, sizeof *p);
    int64_t n = 0, width = q->width;
    for (int64_t r = 0; r < q->rows; r++) n += q->target[r] >= 0;
    for (int64_t r = 0; r < q->rows; r++) {
        double sum = 0;
        if (q->target[r] < 0) continue;
        for (int64_t j = 0; j < q->items; j++) {
            double s = 0;
            for (int64_t k = 0; k < width; k++) s += q->h[r * width + k] * q->table[j * width + k];
            sum += p[j] = exp(s);
        }
        loss -= log(p[q->target[r]] / sum) / (double)n;
        for (int64_t j = 0; j < q->items; j++)
            for (int64_t k = 0; k < width; k++) {
                double ds = (p[j] / sum - (j == q->target[r])) / (double)n;
                dh[r * width + k] += ds * q->table[j * width + k];
                d_table[j * width + k] += ds * q->h[r * width + k];
            }
    }
    free(p);
    return loss;
}

/* Sums of up to 140000 terms below 1: 1e-11 is far above rounding. */
static void assert_near(const double *a, const double *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(a[i] - b[i]) < 1e-11)) fail_msg("[%lld]: %.15g, not %.15g", (long long)i, a[i], b[i]);
}

static void blocks(shape form, int64_t rows, int64_t items, int32_t grain)
{
    check *c = check_begin();
    pen__plan *p = c->plan;
    problem q = {.rows = rows, .items = items, .width = 3};
    int32_t state = pen__input_index(p, PEN_ROOT, "state"), target = pen__input_index(p, PEN_ROOT, "target");
    int32_t others = pen__extent_shared(p, "others"), other = pen__input_index(p, others, "other");
    int32_t table[2] = {pen__plan_table(p, "state", rows, 3, START), pen__plan_table(p, "item", items, 3, START)};
    int32_t h = pen__gather(p, table[0], state);
    pen__sampled how = {
        .kind = PEN_CONTRAST_SOFTMAX, .target = target, .negatives = other, .positive_shift = -1, .negative_shift = -1};
    if (form == FULL) pen__loss_softmax(p, h, table[1], target, -1);
    if (form == SAMPLED)
        pen__loss_sampled(p, h, pen__gather(p, table[1], target), pen__gather(p, table[1], other), &how);
    if (form == IN_BATCH) pen__loss_in_batch(p, h, pen__gather(p, table[1], target), -1, -1, 1, false);
    assert_int_equal(pen__plan_end(p, NULL), PEN_OK);
    double *value[2], *made[2], *wanted[2], loss;
    for (int t = 0; t < 2; t++) {
        size_t n = (size_t)(p->table[t].rows * q.width);
        value[t] = calloc(n, sizeof(double)), made[t] = calloc(n, sizeof(double)),
        wanted[t] = calloc(n, sizeof(double));
        for (size_t i = 0; i < n; i++) value[t][i] = 4 * check_draw(c);
        pen__plan_table_set(p, t, value[t]);
    }
    int32_t *all = calloc((size_t)(rows + items), sizeof *all);
    for (int32_t i = 0; i < rows + items; i++) all[i] = i;
    check_rows(c, PEN_ROOT, rows), check_rows(c, others, items);
    check_index(c, target, (int32_t)items, 1);
    c->batch.index[state] = c->batch.index[other] = all;
    if (form == IN_BATCH) c->batch.index[target] = all;
    q.h = value[0], q.table = value[1], q.target = c->batch.index[target];
    pen__run *run = NULL;
    pen__run_options options = {.grain = grain, .seed = 5};
    assert_int_equal(pen__run_create(c->ctx, p, &options, &run, NULL), PEN_OK);
    assert_int_equal(pen__run_gradients(run, &c->batch, 0, NULL, made, &loss, NULL), PEN_OK);
    assert_true(fabs(loss - naive(&q, wanted[0], wanted[1])) < 1e-10);
    for (int t = 0; t < 2; t++) assert_near(made[t], wanted[t], p->table[t].rows * q.width);
    for (int t = 0; t < 2; t++) free(value[t]), free(made[t]), free(wanted[t]);
    free(all);
    pen__run_destroy(run);
    pen__plan_destroy(p);
    pen_context_destroy(c->ctx);
    free(c);
}

static void blocks_of_rows_and_items(void **state)
{
    (void)state;
    for (shape form = FULL; form <= SAMPLED; form++)
        for (int32_t grain = 100; grain < 1000; grain += 800) {
            blocks(form, 330, 200, grain);
            blocks(form, 330, 13000, grain);
        }
    blocks(FULL, 70, 140000, 100); /* more items than a block's exponentials are kept for */
    blocks(IN_BATCH, 3300, 3300, 4000);
    blocks(IN_BATCH, 3300, 3300, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_softmax),       cmocka_unit_test(multinomials),
        cmocka_unit_test(sampled_losses),     cmocka_unit_test(in_batch_losses),
        cmocka_unit_test(variational_layers), cmocka_unit_test(blocks_of_rows_and_items)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
