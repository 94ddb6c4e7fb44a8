/* ials against plain dense algebra in double: a sweep, the objective over all pairs, fold-in, reasons; blocks against
 * exact solves; the same bits for any number of threads, and when a run goes on from its tensors. */
#include "log_fixture.h"

#include "rank/model.h"

typedef struct world {
    pen_context *ctx;
    pen_dataset *data;
    pen__log log;
    pen__train train;
    row *rows;
} world;

static void world_make(world *w, int n_threads, int64_t n, int n_users, int n_items)
{
    pen_protocol protocol;
    pen_error error = {0};
    pen_protocol_init(&protocol);
    w->ctx = context_of(n_threads);
    w->rows = random_rows(n, n_users, n_items, 3);
    w->data = dataset_of(w->ctx, w->rows, n, NO_TIMES);
    protocol.weight_by_value = 1;
    if (pen__log_build(w->data, &protocol, &w->log, &error) != PEN_OK) fail_msg("%s", error.message);
    if (pen__train_build(&w->log, NULL, 1u << PEN_PART_TRAIN, PEN_TASK_RANK, &w->train, &error) != PEN_OK)
        fail_msg("%s", error.message);
    assert_true(w->train.least < w->train.most); /* weights differ */
}

static void world_free(world *w)
{
    pen__train_free(&w->train);
    pen__log_free(&w->log);
    pen_dataset_destroy(w->data);
    pen_context_destroy(w->ctx);
    free(w->rows);
}

/* A model that begin made, bound; params: "a=1 b=2". */
static pen_model *model_of(const world *w, const char *words)
{
    const pen__model_class *class = pen__model_class_find("ials");
    pen__params params;
    pen_error error = {0};
    pen_model *model;
    char text[256], *next = NULL;
    pen__params_default(class, &params);
    snprintf(text, sizeof text, "%s", words);
    for (char *word = strtok_r(text, " ", &next); word; word = strtok_r(NULL, " ", &next))
        if (pen__params_set(class, &params, word, &error) != PEN_OK) fail_msg("%s", error.message);
    assert_int_equal(pen__model_new(w->ctx, class, &params, &w->train, 5, &model, &error), PEN_OK);
    assert_int_equal(class->begin(model, &w->train, &error), PEN_OK);
    assert_int_equal(pen__model_bind(model, &error), PEN_OK);
    return model;
}

static double one_epoch(const world *w, pen_model *model)
{
    double loss = NAN;
    pen_error error = {0};
    if (model->class->epoch(model, &w->train, 0, &loss, &error) != PEN_OK) fail_msg("%s", error.message);
    assert_int_equal(pen__model_bind(model, &error), PEN_OK);
    return loss;
}

static float *tensor(const pen_model *model, const char *name) { return pen__model_tensor(model, name)->data; }

/* ---- the same in double ------------------------------------------------------------------------------------------ */

typedef struct plain {
    double alpha0, alpha, nu, regularization;
    int hkv, log;
} plain;

static double weight_of(const plain *p, float value) { return p->log ? log2(1 + (double)value) : (double)value; }
static double w_of(const plain *p, float value)
{
    return p->hkv ? p->alpha * weight_of(p, value) : weight_of(p, value);
}
static double v_of(const plain *p, float value)
{
    return p->hkv ? 1 + p->alpha * weight_of(p, value) : weight_of(p, value);
}
static double unobserved_of(const plain *p) { return p->hkv ? 1 : p->alpha0; }

static double l2_of(const plain *p, int64_t n, int64_t others)
{
    return p->hkv ? p->regularization : p->regularization * pow((double)n + p->alpha0 * (double)others, p->nu);
}

/* Gauss without pivots: the matrices are positive definite. */
static void solve_plainly(double *a, double *b, int64_t d)
{
    for (int64_t k = 0; k < d; k++)
        for (int64_t i = k + 1; i < d; i++) {
            double f = a[i * d + k] / a[k * d + k];
            for (int64_t j = k; j < d; j++) a[i * d + j] -= f * a[k * d + j];
            b[i] -= f * b[k];
        }
    for (int64_t k = d - 1; k >= 0; k--) {
        for (int64_t j = k + 1; j < d; j++) b[k] -= a[k * d + j] * b[j];
        b[k] /= a[k * d + k];
    }
}

/* A of a row: gram is of all rows of the table. */
static void matrix_plainly(const plain *p, const pen__rows *rows, int64_t r, const double *table, const double *gram,
                           int64_t n_others, int64_t d, double *a)
{
    for (int64_t i = 0; i < d * d; i++) a[i] = unobserved_of(p) * gram[i];
    for (int64_t e = rows->begin[r]; e < rows->begin[r + 1]; e++) {
        const double *q = table + rows->column[e] * d;
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j < d; j++) a[i * d + j] += w_of(p, rows->value[e]) * q[i] * q[j];
    }
    for (int64_t k = 0; k < d; k++) a[k * d + k] += l2_of(p, rows->begin[r + 1] - rows->begin[r], n_others);
}

static void gram_plainly(const double *table, int64_t n, int64_t d, double *gram)
{
    memset(gram, 0, (size_t)(d * d) * sizeof *gram);
    for (int64_t r = 0; r < n; r++)
        for (int64_t i = 0; i < d * d; i++) gram[i] += table[r * d + i / d] * table[r * d + i % d];
}

static void half_plainly(const plain *p, const pen__rows *rows, const double *table, int64_t n_others, int64_t d,
                         double *out)
{
    double *gram = malloc((size_t)(d * d) * sizeof *gram), *a = malloc((size_t)(d * d) * sizeof *a);
    gram_plainly(table, n_others, d, gram);
    for (int64_t r = 0; r < rows->n_rows; r++) {
        double *b = out + r * d;
        matrix_plainly(p, rows, r, table, gram, n_others, d, a);
        memset(b, 0, (size_t)d * sizeof *b);
        for (int64_t e = rows->begin[r]; e < rows->begin[r + 1]; e++)
            for (int64_t k = 0; k < d; k++) b[k] += v_of(p, rows->value[e]) * table[rows->column[e] * d + k];
        solve_plainly(a, b, d);
    }
    free(gram), free(a);
}

/* The objective by its definition, over every pair of user and item. */
static double objective_plainly(const plain *p, const pen__train *t, const double *user, const double *item, int64_t d)
{
    double f = 0;
    for (int64_t u = 0; u < t->n_users; u++) {
        int64_t e = t->by_user.begin[u], end = t->by_user.begin[u + 1];
        double l2 = l2_of(p, end - e, t->n_items);
        for (int64_t k = 0; k < d; k++) f += l2 * user[u * d + k] * user[u * d + k];
        for (int64_t i = 0; i < t->n_items; i++) {
            double y = 0;
            for (int64_t k = 0; k < d; k++) y += user[u * d + k] * item[i * d + k];
            int seen = e < end && t->by_user.column[e] == i;
            if (seen && p->hkv) f += v_of(p, t->by_user.value[e]) * (1 - y) * (1 - y);
            if (seen && !p->hkv) f += w_of(p, t->by_user.value[e]) * (1 - y) * (1 - y);
            if (!seen || !p->hkv) f += unobserved_of(p) * y * y;
            e += seen;
        }
    }
    for (int64_t i = 0; i < t->n_items; i++) {
        double l2 = l2_of(p, t->by_item.begin[i + 1] - t->by_item.begin[i], t->n_users);
        for (int64_t k = 0; k < d; k++) f += l2 * item[i * d + k] * item[i * d + k];
    }
    return f;
}

static double *doubled(const float *x, int64_t n)
{
    double *y = malloc((size_t)n * sizeof *y);
    for (int64_t i = 0; i < n; i++) y[i] = (double)x[i];
    return y;
}

/* The root mean square of the difference is below `tolerance` of that of y. */
static void check_close(const float *x, const double *y, int64_t n, double tolerance, const char *what)
{
    double apart = 0, size = 0;
    for (int64_t i = 0; i < n; i++) apart += ((double)x[i] - y[i]) * ((double)x[i] - y[i]), size += y[i] * y[i];
    if (!(sqrt(apart) <= tolerance * sqrt(size))) fail_msg("%s: off by %g of %g", what, sqrt(apart), sqrt(size));
}

static const struct setting {
    const char *words;
    plain plain;
} settings[] = {
    {"regularization=0.02 alpha0=0.2", {.alpha0 = 0.2, .nu = 1, .regularization = 0.02}},
    {"regularization=0.5 alpha0=0.05 nu=0.4 weighting=log",
     {.alpha0 = 0.05, .nu = 0.4, .regularization = 0.5, .log = 1}},
    {"objective=hkv alpha=7 regularization=3", {.alpha = 7, .regularization = 3, .hkv = 1}},
};
enum { N_SETTINGS = sizeof settings / sizeof *settings };

static const char *with(const struct setting *s, int d, const char *more)
{
    static char words[256];
    snprintf(words, sizeof words, "%s factors=%d %s", s->words, d, more);
    return words;
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

/* Float sums of some hundred terms and condition numbers of a few hundred: 1e-3 is far from what a wrong term would
 * do. */
static void sweep_is_the_dense_solution(void **unused)
{
    (void)unused;
    world w;
    world_make(&w, 2, 900, 60, 45);
    for (int s = 0; s < N_SETTINGS; s++)
        for (const int *d = (const int[]){1, 5, 16, 33, 0}; *d; d++) {
            const plain *p = &settings[s].plain;
            int64_t n_user = (int64_t)w.train.n_users * *d, n_item = (int64_t)w.train.n_items * *d;
            pen_model *model = model_of(&w, with(&settings[s], *d, ""));
            double *user = doubled(tensor(model, "user.factors"), n_user), *item = calloc((size_t)n_item, sizeof *item);
            double loss = one_epoch(&w, model);
            half_plainly(p, &w.train.by_item, user, w.train.n_users, *d, item);
            half_plainly(p, &w.train.by_user, item, w.train.n_items, *d, user);
            check_close(tensor(model, "item.factors"), item, n_item, 1e-3, "items");
            check_close(tensor(model, "user.factors"), user, n_user, 1e-3, "users");
            double expected = objective_plainly(p, &w.train, user, item, *d) / (double)w.train.n_events;
            if (!(fabs(loss - expected) <= 1e-4 * expected)) fail_msg("loss %g, by definition %g", loss, expected);
            double *gram = malloc((size_t)(*d * *d) * sizeof *gram);
            gram_plainly(item, w.train.n_items, *d, gram);
            check_close(tensor(model, "item.gram"), gram, *d * *d, 1e-3, "gram");
            free(user), free(item), free(gram);
            pen__model_free(model);
        }
    world_free(&w);
}

static void objective_falls_every_sweep(void **unused)
{
    (void)unused;
    world w;
    world_make(&w, 2, 4000, 150, 90);
    const char *solvers[] = {"solver=cholesky", "solver=ialspp block=3", "solver=ialspp block=8",
                             "solver=ialspp block=128"};
    for (int s = 0; s < N_SETTINGS; s++)
        for (int i = 0; i < 4; i++) {
            pen_model *model = model_of(&w, with(&settings[s], 13, solvers[i]));
            double before = INFINITY;
            for (int sweep = 0; sweep < 12; sweep++) {
                double loss = one_epoch(&w, model);
                if (!(loss <= before * (1 + 1e-6)))
                    fail_msg("%s, %s: sweep %d went from %.9g to %.9g", settings[s].words, solvers[i], sweep, before,
                             loss);
                before = loss;
            }
            pen__model_free(model);
        }
    world_free(&w);
}

/* The objective of blocks is the definition's, one block of all columns is the exact solve, and smaller ones end where
 * it does. */
static void blocks_agree_with_exact_solves(void **unused)
{
    (void)unused;
    enum { D = 13 };
    world w;
    world_make(&w, 2, 4000, 150, 90);
    for (int s = 0; s < N_SETTINGS; s++) {
        pen_model *exact = model_of(&w, with(&settings[s], D, "")),
                  *whole = model_of(&w, with(&settings[s], D, "solver=ialspp block=64"));
        pen_model *small = model_of(&w, with(&settings[s], D, "solver=ialspp block=5"));
        double a = one_epoch(&w, exact), b = one_epoch(&w, whole), c = one_epoch(&w, small);
        double *item = doubled(tensor(exact, "item.factors"), (int64_t)w.train.n_items * D);
        check_close(tensor(whole, "item.factors"), item, (int64_t)w.train.n_items * D, 2e-3,
                    "one block of all columns");
        assert_true(fabs(a - b) <= 1e-4 * a);
        free(item);
        item = doubled(tensor(small, "item.factors"), (int64_t)w.train.n_items * D);
        double *user = doubled(tensor(small, "user.factors"), (int64_t)w.train.n_users * D);
        double expected = objective_plainly(&settings[s].plain, &w.train, user, item, D) / (double)w.train.n_events;
        if (!(fabs(c - expected) <= 1e-4 * expected)) fail_msg("loss %g, by definition %g", c, expected);
        free(item), free(user);
        for (int sweep = 0; sweep < 40; sweep++) a = one_epoch(&w, exact), c = one_epoch(&w, small);
        if (!(fabs(a - c) <= 0.02 * a)) fail_msg("exact solves end at %g, blocks at %g", a, c);
        pen__model_free(exact), pen__model_free(whole), pen__model_free(small);
    }
    world_free(&w);
}

static void *scratch_of(const pen_model *model) { return pen__alloc(model->ctx, model->class->scratch(model)); }

/* A user's own history, backwards and with one event cut in two, gives the user's own row. */
static void fold_in_is_the_users_row(void **unused)
{
    (void)unused;
    enum { D = 21, MOST = 512 };
    world w;
    world_make(&w, 2, 4000, 150, 90);
    const pen__rows *rows = &w.train.by_user;
    for (int s = 0; s < N_SETTINGS; s++) {
        pen_model *model = model_of(&w, with(&settings[s], D, ""));
        void *scratch = scratch_of(model);
        for (int sweep = 0; sweep < 3; sweep++) one_epoch(&w, model);
        for (int32_t u = 0; u < w.train.n_users; u++) {
            int32_t item[MOST];
            float value[MOST], folded[D], known[D];
            int64_t n = 0;
            for (int64_t e = rows->begin[u + 1] - 1; e >= rows->begin[u]; e--, n++)
                item[n] = rows->column[e], value[n] = rows->value[e];
            item[n] = item[0], value[n] = 0.25f * value[0], value[0] *= 0.75f;
            pen__user stranger = {-1, n + 1, item, value, NULL}, same = {u, 0, NULL, NULL, NULL};
            assert_int_equal(model->class->user_vector(model, &stranger, scratch, folded, NULL), PEN_OK);
            assert_int_equal(model->class->user_vector(model, &same, scratch, known, NULL), PEN_OK);
            double *expected = doubled(known, D);
            check_close(folded, expected, D, 1e-5, "fold-in");
            free(expected);
        }
        float nothing[D];
        pen__user empty = {-1, 0, NULL, NULL, NULL};
        assert_int_equal(model->class->user_vector(model, &empty, scratch, nothing, NULL), PEN_OK);
        for (int k = 0; k < D; k++) assert_true(nothing[k] == 0.0f);
        pen__free(w.ctx, scratch);
        pen__model_free(model);
    }
    world_free(&w);
}

/* Shares against y q_i with A y = v_e q_e in double, and their sum against the score. */
static void shares_sum_to_the_score(void **unused)
{
    (void)unused;
    enum { D = 9, MOST = 512 };
    world w;
    world_make(&w, 2, 4000, 150, 90);
    const pen__rows *rows = &w.train.by_user;
    for (int s = 0; s < N_SETTINGS; s++) {
        pen_model *model = model_of(&w, with(&settings[s], D, ""));
        void *scratch = scratch_of(model);
        for (int sweep = 0; sweep < 3; sweep++) one_epoch(&w, model);
        double *item = doubled(tensor(model, "item.factors"), (int64_t)w.train.n_items * D), gram[D * D], a[D * D];
        gram_plainly(item, w.train.n_items, D, gram);
        for (int32_t u = 0; u < w.train.n_users; u += 11)
            for (int32_t target = 0; target < w.train.n_items; target += 17) {
                int64_t begin = rows->begin[u], n_events = rows->begin[u + 1] - begin;
                pen__user user = {u, n_events, rows->column + begin, rows->value + begin, NULL};
                pen__reason all[MOST], some[4];
                int32_t n, n_some, exact = 0;
                double score = 0, sum = 0, sum_some = 0;
                for (int k = 0; k < D; k++)
                    score += (double)tensor(model, "user.factors")[u * D + k] * item[target * D + k];
                assert_int_equal(model->class->explain(model, &user, target, scratch, all, MOST, &n, &exact, NULL),
                                 PEN_OK);
                assert_int_equal(exact, 1);
                for (int32_t r = 0; r < n; r++) {
                    sum += (double)all[r].share;
                    if (all[r].item < 0) continue;
                    if (r > 0) assert_true(fabsf(all[r].share) <= fabsf(all[r - 1].share));
                    int64_t e = begin;
                    while (rows->column[e] != all[r].item) e++;
                    double b[D], share = 0;
                    for (int k = 0; k < D; k++)
                        b[k] = v_of(&settings[s].plain, rows->value[e]) * item[all[r].item * D + k];
                    matrix_plainly(&settings[s].plain, rows, u, item, gram, w.train.n_items, D, a);
                    solve_plainly(a, b, D);
                    for (int k = 0; k < D; k++) share += b[k] * item[target * D + k];
                    /* In float the error is eps times the condition of A: 6e-5 with plain C, 1.2e-4 with AVX2 in the
                     * worst setting. */
                    assert_true(fabs(share - (double)all[r].share) <= 3e-4 * (fabs(share) + 1e-2));
                }
                assert_true(n >= n_events); /* every event has its share */
                assert_true(fabs(sum - score) <= 2e-5 * (fabs(score) + 1e-2));
                assert_int_equal(model->class->explain(model, &user, target, scratch, some, 4, &n_some, &exact, NULL),
                                 PEN_OK);
                for (int32_t r = 0; r < n_some; r++) sum_some += (double)some[r].share;
                assert_true(n_some <= 4 && fabs(sum_some - score) <= 2e-5 * (fabs(score) + 1e-2));
                if (n_events > 0) assert_true(some[0].item == all[0].item && some[0].share == all[0].share);
            }
        free(item);
        pen__free(w.ctx, scratch);
        pen__model_free(model);
    }
    world_free(&w);
}

static void same_tensors(const pen_model *a, const pen_model *b)
{
    for (int i = 0; i < a->n_tensors; i++)
        assert_memory_equal(a->tensor[i].data, b->tensor[i].data, pen__state_bytes(&a->tensor[i]));
}

/* Enough events for many shards, one item among them that nearly everybody has. */
static void same_bits_for_any_threads(void **unused)
{
    (void)unused;
    world one, four;
    world_make(&one, 1, 60000, 3000, 400);
    world_make(&four, 4, 60000, 3000, 400);
    for (const char *const *solver = (const char *const[]){"", "solver=ialspp block=8", NULL}; *solver; solver++)
        for (const int *d = (const int[]){1, 19, 64, 0}; *d; d++) {
            pen_model *a = model_of(&one, with(&settings[0], *d, *solver)),
                      *b = model_of(&four, with(&settings[0], *d, *solver));
            for (int sweep = 0; sweep < 2; sweep++) assert_true(one_epoch(&one, a) == one_epoch(&four, b));
            same_tensors(a, b);
            pen__model_free(a), pen__model_free(b);
        }
    world_free(&one);
    world_free(&four);
}

static void goes_on_from_its_tensors(void **unused)
{
    (void)unused;
    world w;
    world_make(&w, 2, 4000, 150, 90);
    for (const char *const *solver = (const char *const[]){"", "solver=ialspp block=8", NULL}; *solver; solver++) {
        pen_model *whole = model_of(&w, with(&settings[0], 20, *solver)),
                  *first = model_of(&w, with(&settings[0], 20, *solver));
        pen_model *second = model_of(&w, with(&settings[0], 20, *solver));
        for (int sweep = 0; sweep < 5; sweep++) one_epoch(&w, whole);
        for (int sweep = 0; sweep < 2; sweep++) one_epoch(&w, first);
        for (int i = 0; i < first->n_tensors; i++)
            memcpy(second->tensor[i].data, first->tensor[i].data, pen__state_bytes(&first->tensor[i]));
        for (int sweep = 2; sweep < 5; sweep++) one_epoch(&w, second);
        same_tensors(whole, second);
        pen__model_free(whole), pen__model_free(first), pen__model_free(second);
    }
    world_free(&w);
}

/* Without any weight on zeros and without regularization the equations of short rows have no single solution. */
static void singular_equations_are_refused(void **unused)
{
    (void)unused;
    world w;
    world_make(&w, 2, 400, 100, 90);
    pen_model *model = model_of(&w, "factors=40 regularization=0 alpha0=0");
    double loss;
    pen_error error = {0};
    assert_int_equal(model->class->epoch(model, &w.train, 0, &loss, &error), PEN_E_DIVERGED);
    assert_non_null(strstr(error.message, "regularization"));
    pen__model_free(model);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sweep_is_the_dense_solution),    cmocka_unit_test(objective_falls_every_sweep),
        cmocka_unit_test(blocks_agree_with_exact_solves), cmocka_unit_test(fold_in_is_the_users_row),
        cmocka_unit_test(shares_sum_to_the_score),        cmocka_unit_test(same_bits_for_any_threads),
        cmocka_unit_test(goes_on_from_its_tensors),       cmocka_unit_test(singular_equations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
