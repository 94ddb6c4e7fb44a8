/* Gradients of lookups, linear, combinations and losses, with odd shapes, empty segments, one element. */
#include "gradient_check.h"

static const pen__init START = {PEN_INIT_ZERO, 0}; /* check_gradients draws the values */
static const int32_t RAGGED[5] = {3, 0, 1, 4, 0}, OTHER[5] = {2, 5, 0, 1, 3}, ONE[1] = {1};

/* users x events through a layer that both share; every loss; root rows 1 and 5. */
static void pointwise(pen__pointwise kind, int64_t users, const int32_t *lengths)
{
    check *c = check_begin();
    pen__plan *p = c->plan;
    int32_t events = pen__extent_child(p, PEN_ROOT, "events"), user = pen__input_index(p, PEN_ROOT, "user");
    int32_t item = pen__input_index(p, events, "item"), label = pen__input_real(p, events, 1, "label");
    int32_t weight = pen__input_real(p, events, 1, "weight"), extra = pen__input_real(p, events, 3, "extra");
    int32_t u = pen__gather(p, pen__plan_table(p, "user", 4, 5, START), user),
            q = pen__gather(p, pen__plan_table(p, "item", 6, 7, START), item);
    int32_t x[3] = {u, q, extra}, h = pen__linear(p, "0", x, 3, 6, PEN_ACT_TANH),
            h2 = pen__linear(p, "1", &h, 1, 3, PEN_ACT_SIGMOID);
    pen__loss_pointwise(p, kind, pen__linear(p, "out", &h2, 1, 1, PEN_ACT_NONE), label, weight);
    check_rows(c, PEN_ROOT, users);
    check_segments(c, events, lengths);
    check_index(c, user, 4, 0), check_index(c, item, 6, 1);
    check_real(c, label, 0, 1), check_real(c, weight, 0.1, 2), check_real(c, extra, -1, 1);
    check_gradients(c);
}

static void pointwise_losses(void **state)
{
    (void)state;
    pointwise(PEN_LOSS_LOGISTIC, 5, RAGGED);
    pointwise(PEN_LOSS_SQUARED, 5, RAGGED);
    pointwise(PEN_LOSS_LOGISTIC, 1, ONE);
}

/* Users with events and bags, and the width of what they look up. */
typedef struct shape {
    int64_t users;
    const int32_t *events, *bags;
    int32_t width;
} shape;

/* gmf-like: products and sums of a parent's row with its children's, every activation, bags in every mode. */
static void combine(shape of, pen__pool mode, pen__activation act, double dropout)
{
    check *c = check_begin();
    pen__plan *p = c->plan;
    int32_t events = pen__extent_child(p, PEN_ROOT, "events"), bag = pen__extent_child(p, PEN_ROOT, "bag");
    int32_t item = pen__input_index(p, events, "item"), watched = pen__input_index(p, bag, "watched");
    int32_t weight = pen__input_real(p, bag, 1, "weight"), label = pen__input_real(p, events, 1, "label");
    int32_t table = pen__plan_table(p, "item", 7, of.width, START);
    int32_t u = pen__bag(p, table, watched, mode, weight), q = pen__gather(p, table, item); /* one table, two lookups */
    int32_t both = pen__times(p, u, q), sum = pen__plus(p, u, q), flat = pen__plus(p, both, pen__scaled(p, sum, 0.5));
    int32_t kept = pen__dropped(p, sum, dropout), side[2] = {pen__activate(p, flat, act), pen__unit(p, kept)},
            wide = pen__concat(p, side, 2);
    pen__layer_how how = {PEN_ACT_RELU, START, dropout}, last = {PEN_ACT_NONE, START, dropout / 2};
    int32_t x[2] = {wide, both}, hidden = pen__layer(p, "hidden", x, 2, 9, how),
            out = pen__layer(p, "out", &hidden, 1, 1, last), each = pen__spread(p, u, events);
    pen__loss_pointwise(p, PEN_LOSS_SQUARED, pen__shifted(p, "shift", out), label, -1);
    pen__loss_pointwise(p, PEN_LOSS_LOGISTIC, pen__dot(p, pen__gained(p, "gain", each, START), q), label, -1);
    pen__loss_squares(p, q, 0.3), pen__loss_squares(p, both, 0.2), pen__loss_squares(p, u, 0);
    /* what is read again is given a first gradient by its last reader: the others add theirs */
    const int32_t again[8] = {q, sum, flat, kept, side[0], side[1], out, each};
    for (int k = 0; k < 8; k++) pen__loss_squares(p, again[k], 0.1);
    check_rows(c, PEN_ROOT, of.users);
    check_segments(c, events, of.events);
    check_segments(c, bag, of.bags);
    check_index(c, item, 7, 0), check_index(c, watched, 7, of.users > 1);
    check_real(c, weight, 0.2, 2), check_real(c, label, 0, 1);
    check_gradients(c);
}

static void combinations(void **state)
{
    (void)state;
    static const shape SHAPE[4] = {{5, RAGGED, OTHER, 5}, {5, RAGGED, OTHER, 1}, {1, ONE, ONE, 5}, {1, ONE, ONE, 1}};
    for (int k = 0; k < 4; k++) {
        combine(SHAPE[k], PEN_POOL_MEAN, PEN_ACT_RELU, 0);
        combine(SHAPE[k], PEN_POOL_SUM, PEN_ACT_ELU, 0.4);
        combine(SHAPE[k], PEN_POOL_SQRT, PEN_ACT_TANH, 0);
    }
}

static void pairwise(pen__pairwise kind, shape of)
{
    check *c = check_begin();
    pen__plan *p = c->plan;
    int32_t events = pen__extent_child(p, PEN_ROOT, "negatives"), user = pen__input_index(p, PEN_ROOT, "user");
    int32_t item = pen__input_index(p, PEN_ROOT, "item"), other = pen__input_index(p, events, "other");
    int32_t table = pen__plan_table(p, "item", 6, of.width, START),
            u = pen__gather(p, pen__plan_table(p, "user", 4, of.width, START), user);
    pen__loss_pairwise(p, kind, pen__dot(p, u, pen__gather(p, table, item)),
                       pen__dot(p, u, pen__gather(p, table, other)), 0.3);
    check_rows(c, PEN_ROOT, of.users);
    check_segments(c, events, of.events);
    check_index(c, user, 4, 0), check_index(c, item, 6, 0), check_index(c, other, 6, 0);
    check_gradients(c);
}

static void pairwise_losses(void **state)
{
    (void)state;
    for (int kind = PEN_LOSS_BPR; kind <= PEN_LOSS_HINGE; kind++) {
        pairwise((pen__pairwise)kind, (shape){5, RAGGED, NULL, 3});
        pairwise((pen__pairwise)kind, (shape){1, ONE, NULL, 3});
        pairwise((pen__pairwise)kind, (shape){1, ONE, NULL, 1});
    }
}

/* Rows shared by the whole batch: each shard adds its own gradient. */
static void shared_rows(void **state)
{
    (void)state;
    check *c = check_begin();
    pen__plan *p = c->plan;
    int32_t shared = pen__extent_shared(p, "negatives"), item = pen__input_index(p, shared, "item"),
            next = pen__input_index(p, PEN_ROOT, "next");
    int32_t table = pen__plan_table(p, "item", 6, 3, START), q = pen__gather(p, table, item);
    int32_t good = pen__gather(p, table, next), user = pen__input_real(p, PEN_ROOT, 3, "user");
    pen__loss_sampled(
        p, user, good, pen__linear(p, "out", &q, 1, 3, PEN_ACT_NONE),
        &(pen__sampled){
            .kind = PEN_CONTRAST_BCE, .target = next, .negatives = item, .positive_shift = -1, .negative_shift = -1});
    check_rows(c, PEN_ROOT, 5), check_rows(c, shared, 4);
    check_index(c, item, 6, 0), check_index(c, next, 6, 0), check_real(c, user, -1, 1);
    check_gradients(c);
}

/* Shared rows in every loss that adds up rows: each shard would do so. */
static int32_t shared_input(pen__plan *p, int32_t width)
{
    int32_t shared = pen__extent_shared(p, "everybody's");
    assert_int_equal(pen__input_index(p, shared, "item"), 0);
    return pen__input_real(p, shared, width, "x");
}

static int32_t shared_scores(pen__plan *p)
{
    int32_t x = shared_input(p, 1);
    pen__loss_pointwise(p, PEN_LOSS_SQUARED, x, x, -1);
    return -1;
}

static int32_t shared_pairs(pen__plan *p)
{
    int32_t x = shared_input(p, 1);
    pen__loss_pairwise(p, PEN_LOSS_BPR, x, x, 0);
    return -1;
}

static int32_t shared_distances(pen__plan *p)
{
    int32_t x = shared_input(p, 3);
    pen__loss_kl(p, x, x, -1);
    return -1;
}

static int32_t shared_targets(pen__plan *p)
{
    pen__loss_softmax(p, shared_input(p, 3), pen__plan_table(p, "item", 6, 3, START), 0, -1);
    return -1;
}

static int32_t shared_positives(pen__plan *p)
{
    int32_t x = shared_input(p, 3);
    pen__loss_sampled(p, x, x, x,
                      &(pen__sampled){.kind = PEN_CONTRAST_BCE, .positive_shift = -1, .negative_shift = -1});
    return -1;
}

static void shared_rows_are_no_loss(void **state)
{
    (void)state;
    check_refused(shared_scores, "a pointwise loss adds up rows of 'everybody's'");
    check_refused(shared_pairs, "a pairwise loss adds up rows of 'everybody's'");
    check_refused(shared_distances, "kl adds up rows of 'everybody's'");
    check_refused(shared_targets, "softmax_full adds up rows of 'everybody's'");
    check_refused(shared_positives, "sampled adds up rows of 'everybody's'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pointwise_losses), cmocka_unit_test(combinations),
                                       cmocka_unit_test(pairwise_losses), cmocka_unit_test(shared_rows),
                                       cmocka_unit_test(shared_rows_are_no_loss)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
