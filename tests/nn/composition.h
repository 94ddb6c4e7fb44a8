/* What a plan computes beside what another way of computing the same gives: the values of an answer, the loss, and the
 * gradient of every weight and table, matched by name. The other way is a plan of simpler ops, or a tape: formulas in
 * plain loops on scalars, each with its derivatives, which knows nothing of matrices, extents and shards.
 *
 *     check *c = check_begin();
 *     ... a plan, y its node of interest; probe(c, y, 1); fill c->batch
 *     computed made = compute(c, y);
 *     num x = t_at(&made, "item", 3, 0), ... ;       // the same by formulas
 *     computed wanted = taped(&made, values of y, how many, the loss);
 *     same("name", &made, &wanted);                  // asserts; frees both
 *     check_end(c);
 *
 * Both ways are double and add up some hundred numbers around 1 in different orders: 1e-11 is far above that and far
 * below any wrong term. */
#ifndef COMPOSITION_H
#define COMPOSITION_H

#include <string.h>

#include "gradient_check.h"
#include "nn/arena.h"

enum { MOST_PARAMETERS = 24 };

/* ---- a plan's numbers -------------------------------------------------------------------------------------------- */

typedef int32_t num; /* a number's place on the tape */

typedef struct parameter {
    char name[48];
    int64_t n, width;
    double *value, *gradient;
    num first; /* its leaves on the tape */
} parameter;

typedef struct computed {
    double loss, *y; /* (n) */
    int64_t n;
    int32_t n_parameters;
    parameter of[MOST_PARAMETERS];
} computed;

/* Half the squares of y + noise as a loss, so that every number of y has a slope of its own. Fills in what it reads. */
static inline void probe(check *c, int32_t y, double weight)
{
    pen__plan *p = c->plan;
    int32_t noise = pen__input_real(p, p->node[y].extent, p->node[y].width, "noise");
    pen__loss_squares(p, pen__plus(p, y, noise), weight);
    c->drawn = 1 << 20; /* the same whatever else has been drawn */
    check_real(c, noise, -1, 1);
}

/* Adds a parameter whose numbers follow from its name and their count: a bias may be a table of the other form. */
static inline double *parameter_add(computed *made, const char *name, int64_t rows, int64_t width)
{
    assert_true(made->n_parameters < MOST_PARAMETERS);
    parameter *a = &made->of[made->n_parameters++];
    snprintf(a->name, sizeof a->name, "%s", name);
    a->n = rows * width, a->width = width;
    a->value = calloc((size_t)a->n, sizeof *a->value), a->gradient = calloc((size_t)a->n, sizeof *a->gradient);
    pen__init_fill((pen__init){PEN_INIT_UNIFORM, 0.8}, name, 3, rows * width, 1, a->value);
    for (int64_t i = 0; i < a->n && strstr(name, "variance"); i++) a->value[i] += 1.5;
    return a->value;
}

static inline computed compute(check *c, int32_t y)
{
    pen_error error;
    pen__plan *p = c->plan;
    computed made = {0};
    if (pen__plan_end(p, &error) != PEN_OK) fail_msg("%s", error.message);
    for (int32_t w = 0; w < p->n_weights; w++)
        pen__plan_weight_set(p, w, parameter_add(&made, p->weight[w].name, p->weight[w].rows, p->weight[w].cols));
    for (int32_t t = 0; t < p->n_tables; t++)
        pen__plan_table_set(p, t, parameter_add(&made, p->table[t].name, p->table[t].rows, p->table[t].width));
    pen__run *run = NULL;
    pen__run_options options = {.grain = c->grain, .seed = 5};
    if (pen__run_create(c->ctx, p, &options, &run, &error) != PEN_OK) fail_msg("%s", error.message);
    double *dense = calloc((size_t)p->n_dense + 1, sizeof *dense), *tables[PEN_MAX_TABLES] = {NULL};
    for (int32_t t = 0; t < p->n_tables; t++) tables[t] = made.of[p->n_weights + t].gradient;
    for (int k = 0; k < 2; k++) /* the second time on memory that has been used */
        if (pen__run_gradients(run, &c->batch, 3, dense, tables, &made.loss, &error) != PEN_OK)
            fail_msg("%s", error.message);
    for (int32_t w = 0; w < p->n_weights; w++)
        memcpy(made.of[w].gradient, dense + p->weight[w].at, (size_t)made.of[w].n * sizeof *dense);
    pen__run_destroy(run);
    free(dense);
    if (y < 0) return made;
    pen__layout *layout;
    if (pen__layout_answer(c->ctx, p, y, c->batch.n, &layout, &error) != PEN_OK) fail_msg("%s", error.message);
    void *memory = malloc(pen__infer_bytes(layout));
    made.n = c->batch.n[p->node[y].extent] * p->node[y].width;
    made.y = calloc((size_t)made.n + 1, sizeof *made.y);
    memcpy(made.y, pen__infer(layout, memory, &c->batch, NULL, y), (size_t)made.n * sizeof *made.y);
    free(memory);
    pen__layout_destroy(layout);
    return made;
}

static inline void check_end(check *c)
{
    pen__plan_destroy(c->plan);
    pen_context_destroy(c->ctx);
    free(c);
}

static inline parameter *parameter_of(computed *made, const char *name)
{
    for (int32_t k = 0; k < made->n_parameters; k++)
        if (!strcmp(made->of[k].name, name)) return &made->of[k];
    fail_msg("no parameter is called '%s'", name);
    return NULL;
}

static inline void computed_free(computed *made)
{
    for (int32_t k = 0; k < made->n_parameters; k++) free(made->of[k].value), free(made->of[k].gradient);
    free(made->y);
}

static inline void near(const char *name, const char *what, int64_t i, double made, double wanted)
{
    if (!(fabs(made - wanted) <= 1e-11 * (1 + fabs(wanted))))
        fail_msg("%s: %s[%lld]: %.15g, not %.15g", name, what, (long long)i, made, wanted);
}

static inline void same(const char *name, computed *made, computed *wanted)
{
    near(name, "loss", 0, made->loss, wanted->loss);
    assert_int_equal(made->n, wanted->n);
    for (int64_t i = 0; i < made->n; i++) near(name, "y", i, made->y[i], wanted->y[i]);
    assert_int_equal(made->n_parameters, wanted->n_parameters);
    for (int32_t k = 0; k < made->n_parameters; k++) {
        const parameter *a = &made->of[k], *b = parameter_of(wanted, a->name);
        double most = 0;
        assert_int_equal(a->n, b->n);
        for (int64_t i = 0; i < a->n; i++) {
            near(name, a->name, i, a->gradient[i], b->gradient[i]);
            most = fmax(most, fabs(b->gradient[i]));
        }
        if (!(most > 0)) fail_msg("%s: %s has no gradient at all", name, a->name);
    }
    computed_free(made), computed_free(wanted);
}

/* ---- the tape ---------------------------------------------------------------------------------------------------- */

typedef struct t_step {
    double value, gradient, by[2]; /* by: its derivatives by the two that it was made of */
    num from[2];
} t_step;

static struct {
    t_step *at;
    size_t n, room;
} tape;

static inline num t_make(double value, num a, double by_a, num b, double by_b)
{
    if (tape.n == tape.room) {
        tape.room = tape.room ? 2 * tape.room : 1 << 16;
        tape.at = realloc(tape.at, tape.room * sizeof *tape.at);
        assert_non_null(tape.at);
    }
    tape.at[tape.n] = (t_step){.value = value, .by = {by_a, by_b}, .from = {a, b}};
    return (num)tape.n++;
}

static inline double t_value(num a) { return tape.at[a].value; }
static inline num t_one(double x) { return t_make(x, 0, 0, 0, 0); } /* a constant, or a leaf */
static inline num t_add(num a, num b) { return t_make(t_value(a) + t_value(b), a, 1, b, 1); }
static inline num t_sub(num a, num b) { return t_make(t_value(a) - t_value(b), a, 1, b, -1); }
static inline num t_mul(num a, num b) { return t_make(t_value(a) * t_value(b), a, t_value(b), b, t_value(a)); }
static inline num t_times(double k, num a) { return t_make(k * t_value(a), a, k, a, 0); }
static inline num t_plus(double k, num a) { return t_make(k + t_value(a), a, 1, a, 0); }
static inline num t_div(num a, num b)
{
    double q = t_value(a) / t_value(b);
    return t_make(q, a, 1 / t_value(b), b, -q / t_value(b));
}
static inline num t_exp(num a) { return t_make(exp(t_value(a)), a, exp(t_value(a)), a, 0); }
static inline num t_log(num a) { return t_make(log(t_value(a)), a, 1 / t_value(a), a, 0); }
static inline num t_sqrt(num a) { return t_make(sqrt(t_value(a)), a, 0.5 / sqrt(t_value(a)), a, 0); }
static inline num t_above(num a) { return t_make(fmax(0, t_value(a)), a, t_value(a) > 0, a, 0); } /* max(0, a) */
static inline num t_sigmoid(num a) { return t_div(t_one(1), t_plus(1, t_exp(t_times(-1, a)))); }
static inline num t_softplus(num a) { return t_log(t_plus(1, t_exp(a))); } /* of numbers that do not overflow */
static inline num t_tanh(num a) { return t_plus(-1, t_times(2, t_sigmoid(t_times(2, a)))); }

/* A parameter's number; row -1 is one of zeros. */
static inline num t_at(computed *made, const char *name, int64_t row, int64_t column)
{
    parameter *a = parameter_of(made, name);
    if (tape.n == 0)
        for (int32_t k = 0; k < made->n_parameters; k++) {
            made->of[k].first = (num)tape.n;
            for (int64_t i = 0; i < made->of[k].n; i++) t_one(made->of[k].value[i]);
        }
    return row < 0 ? t_one(0) : a->first + (num)(row * a->width + column);
}

/* sum_i a_i b_i, a's and b's numbers one behind another. */
static inline num t_dot(const num *a, const num *b, int64_t n)
{
    num sum = t_one(0);
    for (int64_t i = 0; i < n; i++) sum = t_add(sum, t_mul(a[i], b[i]));
    return sum;
}

static inline num t_sum(const num *a, int64_t n)
{
    num sum = t_one(0);
    for (int64_t i = 0; i < n; i++) sum = t_add(sum, a[i]);
    return sum;
}

/* Rows of a table: to[n][width]. */
static inline void t_rows(computed *made, const char *name, const int32_t *index, int64_t n, int64_t width, num *to)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < width; k++) to[i * width + k] = t_at(made, name, index[i], k);
}

/* probe()'s loss of the same y (rows, width). */
static inline num t_probe(const check *c, const num *y, int64_t rows, int64_t width)
{
    const double *noise = c->batch.real[c->plan->n_real - 1];
    num sum = t_one(0);
    for (int64_t i = 0; i < rows * width; i++) {
        num z = t_plus(noise[i], y[i]);
        sum = t_add(sum, t_mul(z, z));
    }
    return t_times(0.5 / (double)rows, sum);
}

/* What the tape says of the parameters of `made`: runs it backward and clears it. */
static inline computed taped(const computed *made, const num *y, int64_t n, num loss)
{
    computed wanted = {.loss = t_value(loss), .n = n, .n_parameters = made->n_parameters};
    wanted.y = calloc((size_t)n + 1, sizeof *wanted.y);
    for (int64_t i = 0; i < n; i++) wanted.y[i] = t_value(y[i]);
    tape.at[loss].gradient = 1;
    for (num i = loss; i >= 0; i--)
        for (int k = 0; k < 2; k++) tape.at[tape.at[i].from[k]].gradient += tape.at[i].gradient * tape.at[i].by[k];
    for (int32_t k = 0; k < made->n_parameters; k++) {
        const parameter *a = &made->of[k];
        parameter *b = &wanted.of[k];
        *b = *a;
        b->value = NULL;
        b->gradient = calloc((size_t)a->n, sizeof *b->gradient);
        for (int64_t i = 0; i < a->n; i++) b->gradient[i] = tape.at[a->first + (num)i].gradient;
    }
    free(tape.at);
    memset(&tape, 0, sizeof tape);
    return wanted;
}

#endif
