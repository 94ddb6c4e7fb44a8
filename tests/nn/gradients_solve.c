/* Solving for a new user (nn/solve.c), where shards meet in training: beside Adam on central differences of the loss of
 * the network that answers, the loss worked out here from its scores. Batch norm must go by its running statistics and
 * leave them as they are; the in-batch softmax must do both its halves. What cannot be solved for is refused. */
#include "gradient_check.h"

#include <string.h>

#include "nn/arena.h"

enum { USERS = 4, ITEMS = 7, D = 5, STEPS = 40 };
static const pen__init START = {PEN_INIT_ZERO, 0}; /* end_plan draws the values */
static const double RATE = 0.05, L2 = 0.01;

/* A network, one new user's events, and how its loss follows from node `seen` (scores; in_batch: the items' rows). */
typedef struct network {
    check *c;
    pen__plan *p;
    int32_t user, seen;
    pen__layout *answer, *solve;
    double (*loss)(const struct network *n, const double *row);
    double *weights, *table[PEN_MAX_TABLES];
} network;

static void draw_values(network *n)
{
    pen_error error;
    if (pen__plan_end(n->p, &error) != PEN_OK) fail_msg("%s", error.message);
    n->weights = calloc((size_t)n->p->n_dense + 1, sizeof *n->weights);
    for (int32_t w = 0; w < n->p->n_weights; w++) {
        pen__weight *weight = &n->p->weight[w];
        pen__plan_weight_set(n->p, w, n->weights + weight->at);
        bool variance = strstr(weight->name, "variance") != NULL;
        for (int64_t i = 0; i < weight->rows * weight->cols; i++)
            weight->data[i] = variance ? 1.5 + check_draw(n->c) : 0.7 * check_draw(n->c);
    }
    for (int32_t t = 0; t < n->p->n_tables; t++) {
        int64_t size = n->p->table[t].rows * n->p->table[t].width;
        n->table[t] = calloc((size_t)size, sizeof *n->table[t]);
        for (int64_t i = 0; i < size; i++) n->table[t][i] = 0.7 * check_draw(n->c);
        pen__plan_table_set(n->p, t, n->table[t]);
    }
    int64_t *rows = n->c->batch.n;
    if (pen__layout_answer(n->c->ctx, n->p, n->seen, rows, &n->answer, &error) != PEN_OK ||
        pen__layout_train(n->c->ctx, n->p, rows, &n->solve, &error) != PEN_OK)
        fail_msg("%s", error.message);
}

static void destroy(network *n)
{
    pen__layout_destroy(n->answer), pen__layout_destroy(n->solve);
    for (int32_t t = 0; t < n->p->n_tables; t++) free(n->table[t]);
    free(n->weights);
    pen__plan_destroy(n->p);
    pen_context_destroy(n->c->ctx);
    free(n->c);
}

/* Node `seen` with `row` as the user's: its values stay in `memory`. */
static const double *answer(const network *n, const double *row, void *memory)
{
    double *rows[PEN_MAX_TABLES] = {NULL}, own[D];
    memcpy(own, row, sizeof own);
    rows[n->user] = own;
    return pen__infer(n->answer, memory, &n->c->batch, rows, n->seen);
}

/* Mean of log(1 + e^s) - y s over the events. */
static double logistic(const network *n, const double *row)
{
    void *memory = malloc(pen__infer_bytes(n->answer));
    const double *s = answer(n, row, memory), *y = n->c->batch.real[0];
    int64_t events = n->c->batch.n[1];
    double sum = 0;
    for (int64_t i = 0; i < events; i++) sum += log1p(exp(s[i])) - y[i] * s[i];
    free(memory);
    return sum / (double)events;
}

/* Each event's item against the items of the others: every event is the same user's. */
static double in_batch(const network *n, const double *row)
{
    void *memory = malloc(pen__infer_bytes(n->answer));
    const double *v = answer(n, row, memory);
    const int32_t *item = n->c->batch.index[1];
    int64_t events = n->c->batch.n[PEN_ROOT];
    double s[CHECK_MOST], loss = 0;
    for (int64_t i = 0; i < events; i++) {
        s[i] = 0;
        for (int k = 0; k < D; k++) s[i] += row[k] * v[i * D + k] / 0.5;
    }
    for (int64_t r = 0; r < events; r++) {
        double sum = 0;
        for (int64_t j = 0; j < events; j++) sum += j == r || item[j] != item[r] ? exp(s[j]) : 0;
        loss += log(sum) - s[r];
    }
    free(memory);
    return loss / (double)events;
}

/* The same solution by Adam on central differences. */
static void solve_slowly(const network *n, double *row)
{
    double m[D] = {0}, v[D] = {0}, g[D];
    for (int t = 1; t <= STEPS; t++) {
        for (int k = 0; k < D; k++) {
            const double h = 1e-5, old = row[k];
            row[k] = old + h;
            double up = n->loss(n, row);
            row[k] = old - h;
            double down = n->loss(n, row);
            row[k] = old;
            g[k] = (up - down) / (2 * h) + L2 * old;
        }
        for (int k = 0; k < D; k++) {
            m[k] = 0.9 * m[k] + 0.1 * g[k];
            v[k] = 0.999 * v[k] + 0.001 * g[k] * g[k];
            row[k] -= RATE * (m[k] / (1 - pow(0.9, t))) / (sqrt(v[k] / (1 - pow(0.999, t))) + 1e-8);
        }
    }
}

/* Solves, and asserts: the bits of the network stay; the row is that of the slow way and lowers the loss. Rounding
 * apart, the differences' error (1e-10 of a gradient) passes Adam's division by its own size: 1e-5 is far above that
 * and far below what another gradient would give (rows move by up to STEPS RATE = 2). */
static void solves(network *n)
{
    double row[D], slow[D], *rows[PEN_MAX_TABLES] = {NULL};
    draw_values(n);
    void *memory = malloc(pen__solve_bytes(n->solve));
    memset(memory, 0xA5, pen__solve_bytes(n->solve)); /* nothing may be hoped for */
    double *before = malloc(((size_t)n->p->n_dense + 1) * sizeof *before);
    memcpy(before, n->weights, (size_t)n->p->n_dense * sizeof *before);
    for (int k = 0; k < D; k++) row[k] = slow[k] = 0.1 * k - 0.2;
    double first = n->loss(n, row), moved = 0;
    rows[n->user] = row;
    assert_int_equal(pen__solve_check(n->p, n->user, NULL), PEN_OK);
    pen__solve(n->solve, memory, &n->c->batch, rows, STEPS, RATE, L2, NULL, NULL);
    solve_slowly(n, slow);
    for (int k = 0; k < D; k++) {
        if (!(fabs(row[k] - slow[k]) <= 1e-5)) fail_msg("row[%d]: %.10g, not %.10g", k, row[k], slow[k]);
        moved = fmax(moved, fabs(row[k] - (0.1 * k - 0.2)));
    }
    assert_true(moved > 0.1);
    assert_true(n->loss(n, row) < first);
    assert_memory_equal(before, n->weights, (size_t)n->p->n_dense * sizeof *before);
    free(before), free(memory);
    destroy(n);
}

/* A perceptron with batch norm on the events of one user; the user's row meets all of them. */
static network perceptron(int32_t events)
{
    network n = {.c = check_begin(), .loss = logistic};
    pen__plan *p = n.p = n.c->plan;
    int32_t child = pen__extent_child(p, PEN_ROOT, "events"), user = pen__input_index(p, PEN_ROOT, "user");
    int32_t item = pen__input_index(p, child, "item"), label = pen__input_real(p, child, 1, "label");
    n.user = pen__plan_table(p, "user", USERS, D, START);
    int32_t x[2] = {pen__gather(p, n.user, user), pen__gather(p, pen__plan_table(p, "item", ITEMS, 3, START), item)};
    int32_t h = pen__linear(p, "0", x, 2, 6, PEN_ACT_NONE);
    h = pen__activate(p, pen__batch_norm(p, "norm0", h), PEN_ACT_TANH);
    h = pen__batch_norm(p, "norm1", pen__dropped(p, h, 0.5)); /* nothing is dropped while solving */
    n.seen = pen__linear(p, "out", &h, 1, 1, PEN_ACT_NONE);
    pen__loss_pointwise(p, PEN_LOSS_LOGISTIC, n.seen, label, -1);
    check_rows(n.c, PEN_ROOT, 1);
    check_segments(n.c, child, &events);
    check_index(n.c, user, 1, 0), check_index(n.c, item, ITEMS, 0), check_real(n.c, label, 0, 1);
    return n;
}

/* Also one event alone, whose own batch would have no variance and so teach nothing. */
static void batch_norm_is_fixed(void **state)
{
    (void)state;
    for (int32_t events = 1; events <= 9; events += 4) {
        network n = perceptron(events);
        solves(&n);
    }
}

static void shards_meet_alone(void **state)
{
    (void)state;
    network n = {.c = check_begin(), .loss = in_batch};
    pen__plan *p = n.p = n.c->plan;
    int32_t user = pen__input_index(p, PEN_ROOT, "user"), item = pen__input_index(p, PEN_ROOT, "item");
    n.user = pen__plan_table(p, "user", USERS, D, START);
    int32_t u = pen__gather(p, n.user, user);
    n.seen = pen__gather(p, pen__plan_table(p, "item", ITEMS, D, START), item);
    pen__loss_in_batch(p, u, n.seen, item, -1, 0.5, false);
    check_rows(n.c, PEN_ROOT, 6);
    check_index(n.c, user, 1, 0), check_index(n.c, item, ITEMS, 0);
    solves(&n);
}

/* Users read as bags or as the rows of a softmax are refused with the table's name; their neighbours are not. */
static void others_are_refused(void **state)
{
    (void)state;
    check *c = check_begin();
    pen__plan *p = c->plan;
    pen_error error = {0};
    int32_t bag = pen__extent_child(p, PEN_ROOT, "friends"), who = pen__input_index(p, bag, "who");
    int32_t next = pen__input_index(p, PEN_ROOT, "next"), self = pen__input_index(p, PEN_ROOT, "self");
    int32_t friends = pen__plan_table(p, "friends", USERS, D, START), own = pen__plan_table(p, "own", USERS, D, START),
            all = pen__plan_table(p, "all", USERS, D, START);
    int32_t h = pen__plus(p, pen__bag(p, friends, who, PEN_POOL_MEAN, -1), pen__gather(p, own, self));
    pen__loss_softmax(p, h, all, next, -1);
    assert_int_equal(pen__plan_end(p, &error), PEN_OK);
    assert_int_equal(pen__solve_check(p, own, &error), PEN_OK);
    assert_int_equal(pen__solve_check(p, friends, &error), PEN_E_ARGUMENT);
    assert_non_null(strstr(error.message, "'friends' is read by a bag"));
    assert_int_equal(pen__solve_check(p, all, &error), PEN_E_ARGUMENT);
    assert_non_null(strstr(error.message, "'all' is read by a loss over all its rows"));
    pen__plan_destroy(p);
    pen_context_destroy(c->ctx);
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(batch_norm_is_fixed), cmocka_unit_test(shards_meet_alone),
                                       cmocka_unit_test(others_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
