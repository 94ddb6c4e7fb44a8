/* Ops against compositions of simpler ones: of the engine's own where it has them, else of scalars on a tape. */
#include "composition.h"

#include "nn/op.h"

static const pen__init START = {PEN_INIT_ZERO, 0}; /* compute() gives the values */
static const int32_t RAGGED[5] = {3, 0, 1, 7, 2}, OTHER[5] = {2, 5, 0, 1, 3};
enum { MOST = 400 * 8 };

/* ---- of the engine's own ops ------------------------------------------------------------------------------------- */

/* Users, their events, and bags beside these; the same draws for both forms of a plan. */
typedef struct scene {
    check *c;
    pen__plan *p;
    int32_t events, bag, user, item, watched, weight, extra;
} scene;

static scene scene_begin(void)
{
    scene s = {.c = check_begin()};
    pen__plan *p = s.p = s.c->plan;
    s.events = pen__extent_child(p, PEN_ROOT, "events"), s.bag = pen__extent_child(p, PEN_ROOT, "bag");
    s.user = pen__input_index(p, PEN_ROOT, "user"), s.item = pen__input_index(p, s.events, "item");
    s.watched = pen__input_index(p, s.bag, "watched"), s.weight = pen__input_real(p, s.bag, 1, "weight");
    s.extra = pen__input_real(p, s.events, 3, "extra");
    check_rows(s.c, PEN_ROOT, 5), check_segments(s.c, s.events, RAGGED), check_segments(s.c, s.bag, OTHER);
    check_index(s.c, s.user, 4, 0), check_index(s.c, s.item, 6, 1), check_index(s.c, s.watched, 6, 1);
    check_real(s.c, s.weight, 0.2, 2), check_real(s.c, s.extra, -1, 1);
    return s;
}

static int32_t users(scene s, int32_t width)
{
    return pen__gather(s.p, pen__plan_table(s.p, "user", 4, width, START), s.user);
}

static int32_t items(scene s, int32_t width)
{
    return pen__gather(s.p, pen__plan_table(s.p, "item", 6, width, START), s.item);
}

/* Several inputs of a layer are one wide input, the parent's spread over its children. */
static int32_t layer(scene s, bool composed, int act)
{
    int32_t q = items(s, 7), u = users(s, 5), x[3] = {q, u, s.extra};
    if (!composed) return pen__linear(s.p, "0", x, 3, 6, (pen__activation)act);
    x[1] = pen__spread(s.p, u, s.events);
    int32_t wide = pen__concat(s.p, x, 3);
    return pen__activate(s.p, pen__linear(s.p, "0", &wide, 1, 6, PEN_ACT_NONE), (pen__activation)act);
}

/* A layer's dropout is that of an op of its own behind it: the same masks, forward and backward. */
static int32_t dropping(scene s, bool composed, int act)
{
    int32_t x[2] = {users(s, 5), items(s, 7)};
    pen__layer_how how = {(pen__activation)act, START, composed ? 0 : 0.4};
    int32_t y = pen__layer(s.p, "0", x, 2, 6, how);
    return composed ? pen__dropped(s.p, y, 0.4) : y;
}

/* A layer's numbers are inner products with the rows of its weight, and its bias: here rows of tables. */
static int32_t products(scene s, bool composed, int unused)
{
    int32_t x = items(s, 7);
    (void)unused;
    if (!composed) return pen__layer(s.p, "0", &x, 1, 4, (pen__layer_how){PEN_ACT_NONE, START, 0});
    int32_t outputs = pen__extent_child(s.p, s.events, "outputs"), row = pen__input_index(s.p, outputs, "row");
    int32_t lengths[MOST], *rows = s.c->integers[PEN_MAX_EXTENTS + row];
    for (int i = 0; i < s.c->batch.n[s.events]; i++) lengths[i] = 4;
    check_segments(s.c, outputs, lengths);
    for (int i = 0; i < s.c->batch.n[outputs]; i++) rows[i] = i % 4;
    s.c->batch.index[row] = rows;
    int32_t bias = pen__plan_table(s.p, "0.bias", 4, 1, (pen__init){PEN_INIT_ZERO, 0});
    return pen__plus(s.p, pen__dot(s.p, x, pen__gather(s.p, pen__plan_table(s.p, "0.weight", 4, 7, START), row)),
                     pen__gather(s.p, bias, row));
}

/* A bag is what is pooled of gathered rows, each times its weight. */
static int32_t bag(scene s, bool composed, int what)
{
    bool weighted = what / 3;
    pen__pool mode = (pen__pool)(what % 3);
    int32_t table = pen__plan_table(s.p, "item", 6, 5, START);
    if (!composed) return pen__bag(s.p, table, s.watched, mode, weighted ? s.weight : -1);
    int32_t rows = pen__gather(s.p, table, s.watched), ones[5], k;
    for (k = 0; k < 5; k++) ones[k] = s.weight;
    return pen__pooled(s.p, weighted ? pen__times(s.p, pen__concat(s.p, ones, 5), rows) : rows, mode);
}

/* Where a parent's row meets its children, it is spread over them. An inner product is the fm of two fields. */
static int32_t meeting(scene s, bool composed, int what)
{
    int32_t u = users(s, 5), q = items(s, 5);
    if (composed) u = pen__spread(s.p, u, s.events);
    if (what == 0) return pen__times(s.p, u, q);
    if (what == 1) return pen__plus(s.p, u, q);
    return composed ? pen__fm(s.p, pen__concat(s.p, (int32_t[]){u, q}, 2), 2) : pen__dot(s.p, u, q);
}

/* Every pair of fields has its inner product. */
static int32_t fields(scene s, bool composed, int n)
{
    static const char *const NAME[4] = {"a", "b", "c", "d"};
    int32_t of[4], sum = -1;
    for (int k = 0; k < n; k++) of[k] = pen__gather(s.p, pen__plan_table(s.p, NAME[k], 6, 3, START), s.item);
    if (!composed) return pen__fm(s.p, pen__concat(s.p, of, n), n);
    for (int a = 0; a < n; a++)
        for (int b = 0; b < a; b++) {
            int32_t pair = pen__dot(s.p, of[a], of[b]);
            sum = sum < 0 ? pair : pen__plus(s.p, sum, pair);
        }
    return sum;
}

/* x gain is x times a row that all share; x + x is x scaled by 2. */
static int32_t gained(scene s, bool composed, int unused)
{
    int32_t x = items(s, 5);
    (void)unused;
    if (!composed) return pen__gained(s.p, "gain", pen__scaled(s.p, x, 2), START);
    int32_t row = pen__input_index(s.p, PEN_ROOT, "row"), *first = s.c->integers[PEN_MAX_EXTENTS + row];
    s.c->batch.index[row] = first; /* zeros */
    return pen__times(s.p, pen__gather(s.p, pen__plan_table(s.p, "gain", 1, 5, START), row), pen__plus(s.p, x, x));
}

/* The last row of a segment is its tail of one. */
static int32_t last(scene s, bool composed, int unused)
{
    int32_t x = pen__activate(s.p, items(s, 5), PEN_ACT_TANH);
    (void)unused;
    if (!composed) return pen__last(s.p, x);
    static const int32_t ONES[5] = {1, 1, 1, 1, 1};
    int32_t ends = pen__extent_child(s.p, PEN_ROOT, "ends");
    check_segments(s.c, ends, ONES);
    return pen__tail(s.p, x, ends);
}

static void both(const char *name, int32_t (*build)(scene s, bool composed, int what), int what)
{
    for (int32_t grain = 1; grain <= 5; grain += 2) {
        computed made[2];
        int64_t rows = 0;
        for (int form = 0; form < 2; form++) {
            scene s = scene_begin();
            s.c->grain = grain;
            int32_t y = build(s, form == 1, what);
            assert_true(y >= 0);
            int64_t n = s.c->batch.n[s.p->node[y].extent];
            if (form == 0) rows = n;
            probe(s.c, y, (double)n / (double)rows); /* a sum over as many numbers, whatever the rows that hold them */
            made[form] = compute(s.c, y);
            check_end(s.c);
        }
        same(name, &made[0], &made[1]);
    }
}

static void of_simpler_ops(void **state)
{
    (void)state;
    for (int act = PEN_ACT_NONE; act <= PEN_ACT_ELU; act++) {
        both("linear of several", layer, act);
        both("linear and dropout", dropping, act);
    }
    both("linear", products, 0);
    for (int what = 0; what < 6; what++) both("bag", bag, what);
    for (int what = 0; what < 3; what++) both("meeting", meeting, what);
    for (int n = 2; n <= 4; n++) both("fm", fields, n);
    both("gain", gained, 0);
    both("last", last, 0);
}

/* ---- of scalars -------------------------------------------------------------------------------------------------- */

/* Rows x (n, width) of a child extent, with empty segments and one element: the plan's node and the tape's numbers. */
typedef struct sequences {
    check *c;
    pen__plan *p;
    int32_t events, index, x, width;
} sequences;

static sequences begin(int64_t users_, const int32_t *lengths, int32_t width, int32_t grain)
{
    sequences s = {.c = check_begin(), .width = width};
    s.p = s.c->plan, s.c->grain = grain;
    s.events = pen__extent_child(s.p, PEN_ROOT, "events");
    check_rows(s.c, PEN_ROOT, users_), check_segments(s.c, s.events, lengths);
    s.index = pen__input_index(s.p, s.events, "row");
    check_index(s.c, s.index, 9, users_ > 1);
    s.x = pen__gather(s.p, pen__plan_table(s.p, "row", 9, width, START), s.index);
    return s;
}

static int64_t rows_of(sequences s) { return s.c->batch.n[s.events]; }
static int32_t first_of(sequences s, int64_t segment) { return s.c->batch.begin[s.events][segment]; }

static computed made_of(sequences s, int32_t y)
{
    assert_true(y >= 0);
    probe(s.c, y, 1);
    return compute(s.c, y);
}

static void rows_on_tape(sequences s, computed *made, num *x)
{
    t_rows(made, "row", s.c->batch.index[s.index], rows_of(s), s.width, x);
}

static void compared(const char *name, sequences s, computed *made, const num *y, int64_t rows, int64_t width)
{
    computed wanted = taped(made, y, rows * width, t_probe(s.c, y, rows, width));
    same(name, made, &wanted);
    check_end(s.c);
}

/* The score of a table's row against event i's constants, the second real input. */
static num on_line(sequences s, computed *made, int64_t i, int32_t row)
{
    num score = t_one(0);
    for (int k = 0; k < 3; k++) score = t_add(score, t_times(s.c->reals[1][i * 3 + k], t_at(made, "row", row, k)));
    return score;
}

/* One gradient for each row of a table, whoever reads it and how often: events and bags that name few rows, and rows
 * that all shards share, which each event's loss meets. */
static void lookup(int32_t grain)
{
    static num x[MOST], y[MOST];
    sequences s = begin(5, RAGGED, 3, grain);
    int32_t bags = pen__extent_child(s.p, PEN_ROOT, "bag"), shared = pen__extent_shared(s.p, "shared");
    check_segments(s.c, bags, OTHER), check_rows(s.c, shared, 6);
    int32_t watched = pen__input_index(s.p, bags, "watched"), all = pen__input_index(s.p, shared, "all");
    int32_t weight = pen__input_real(s.p, bags, 1, "weight"), line = pen__input_real(s.p, s.events, 3, "line");
    check_index(s.c, watched, 3, 1), check_index(s.c, all, 3, 1);
    check_real(s.c, weight, -1, 2), check_real(s.c, line, -1, 1);
    pen__loss_sampled(s.p, line, s.x, pen__gather(s.p, 0, all),
                      &(pen__sampled){.kind = PEN_CONTRAST_BCE,
                                      .target = s.index,
                                      .negatives = all,
                                      .positive_shift = -1,
                                      .negative_shift = -1,
                                      .sum = true,
                                      .keeps_hits = true});
    computed made = made_of(s, pen__plus(s.p, pen__bag(s.p, 0, watched, PEN_POOL_MEAN, weight), s.x));
    rows_on_tape(s, &made, x);
    const int32_t *begins = s.c->batch.begin[bags], *names = s.c->batch.index[watched];
    for (int r = 0; r < 5; r++)
        for (int k = 0; k < 3; k++) {
            num mean = t_one(0);
            for (int32_t i = begins[r]; i < begins[r + 1]; i++)
                mean = t_add(mean, t_times(s.c->reals[0][i] / OTHER[r], t_at(&made, "row", names[i], k)));
            for (int32_t i = first_of(s, r); i < first_of(s, r + 1); i++) y[i * 3 + k] = t_add(mean, x[i * 3 + k]);
        }
    num loss = t_one(0);
    int asked = 0;
    for (int64_t i = 0; i < rows_of(s); i++) {
        int32_t target = s.c->batch.index[s.index][i];
        if (target < 0) continue;
        loss = t_add(loss, t_softplus(t_times(-1, on_line(s, &made, i, target))));
        for (int j = 0; j < 6; j++) {
            int32_t other = s.c->batch.index[all][j];
            if (other >= 0) loss = t_add(loss, t_softplus(on_line(s, &made, i, other)));
        }
        asked++;
    }
    loss = t_add(t_times(1.0 / asked, loss), t_probe(s.c, y, rows_of(s), 3));
    computed wanted = taped(&made, y, rows_of(s) * 3, loss);
    same("lookups", &made, &wanted);
    check_end(s.c);
}

static void lookups(void **state)
{
    (void)state;
    for (int32_t grain = 1; grain <= 5; grain += 2) lookup(grain);
}

static num activated(num x, int act)
{
    switch (act) {
    case PEN_ACT_RELU: return t_above(x);
    case PEN_ACT_SIGMOID: return t_sigmoid(x);
    case PEN_ACT_TANH: return t_tanh(x);
    case PEN_ACT_ELU: return t_value(x) > 0 ? x : t_plus(-1, t_exp(x));
    default: return x;
    }
}

/* activate, and unit: |x| is a root. */
static void of_one_input(void **state)
{
    (void)state;
    static num y[MOST];
    for (int act = PEN_ACT_NONE; act <= PEN_ACT_ELU + 1; act++) {
        sequences s = begin(4, RAGGED, 5, 2);
        for (int i = 0; i < rows_of(s); i++) /* a row of zeros has no direction */
            if (act > PEN_ACT_ELU && s.c->batch.index[s.index][i] < 0) s.c->integers[PEN_MAX_EXTENTS][i] = 0;
        int32_t node = act > PEN_ACT_ELU ? pen__unit(s.p, s.x) : pen__activate(s.p, s.x, (pen__activation)act);
        computed made = made_of(s, node);
        rows_on_tape(s, &made, y);
        for (int64_t r = 0; r < rows_of(s); r++) {
            num *row = y + r * 5, length = t_sqrt(t_dot(row, row, 5));
            for (int k = 0; k < 5; k++) row[k] = act > PEN_ACT_ELU ? t_div(row[k], length) : activated(row[k], act);
        }
        compared("of one input", s, &made, y, rows_of(s), 5);
    }
}

static void pools(void **state)
{
    (void)state;
    static num x[MOST], y[MOST];
    for (int mode = PEN_POOL_MEAN; mode <= PEN_POOL_SQRT; mode++) {
        sequences s = begin(5, RAGGED, 3, 2);
        computed made = made_of(s, pen__pooled(s.p, s.x, (pen__pool)mode));
        rows_on_tape(s, &made, x);
        for (int r = 0; r < 5; r++) {
            double n = RAGGED[r], scale = n < 1 || mode == PEN_POOL_SUM ? 1
                                          : mode == PEN_POOL_MEAN       ? 1 / n
                                                                        : 1 / sqrt(n);
            for (int k = 0; k < 3; k++) {
                num sum = t_one(0);
                for (int32_t i = first_of(s, r); i < first_of(s, r + 1); i++) sum = t_add(sum, x[i * 3 + k]);
                y[r * 3 + k] = t_times(scale, sum);
            }
        }
        compared("pooled", s, &made, y, 5, 3);
    }
}

/* The last rows of each segment, after zeros where there are fewer. */
static void tails(void **state)
{
    (void)state;
    static num x[MOST], y[MOST];
    static const int32_t LENGTHS[5] = {1, 2, 3, 4, 0};
    sequences s = begin(5, RAGGED, 3, 2);
    int32_t ends = pen__extent_child(s.p, PEN_ROOT, "ends");
    check_segments(s.c, ends, LENGTHS);
    computed made = made_of(s, pen__tail(s.p, s.x, ends));
    rows_on_tape(s, &made, x);
    int64_t n = s.c->batch.n[ends];
    for (int r = 0; r < 5; r++)
        for (int32_t i = 0; i < LENGTHS[r]; i++)
            for (int k = 0; k < 3; k++) {
                int32_t from = first_of(s, r + 1) - LENGTHS[r] + i;
                y[(s.c->batch.begin[ends][r] + i) * 3 + k] = from < first_of(s, r) ? t_one(0) : x[from * 3 + k];
            }
    compared("tail", s, &made, y, n, 3);
}

/* (x - mean) / sqrt(variance + epsilon) of n numbers `apart` from each other, times gain plus bias. */
static void normalise(num *x, int64_t n, int64_t apart, const num *gain, const num *bias)
{
    num mean = t_one(0), square = t_one(0);
    for (int64_t i = 0; i < n; i++) mean = t_add(mean, t_times(1 / (double)n, x[i * apart]));
    for (int64_t i = 0; i < n; i++) {
        num away = x[i * apart] = t_sub(x[i * apart], mean);
        square = t_add(square, t_times(1 / (double)n, t_mul(away, away)));
    }
    num deviation = t_sqrt(t_plus(1e-5, square));
    for (int64_t i = 0; i < n; i++) x[i * apart] = t_add(t_mul(gain[i], t_div(x[i * apart], deviation)), bias[i]);
}

static void layer_norm(void **state)
{
    (void)state;
    static num y[MOST], gain[8], bias[8];
    for (int32_t width = 2; width <= 7; width += 5) { /* of one number alone, y is the bias and x has no gradient */
        sequences s = begin(5, RAGGED, width, 2);
        computed made = made_of(s, pen__norm(s.p, "a", s.x));
        rows_on_tape(s, &made, y);
        for (int k = 0; k < width; k++) gain[k] = t_at(&made, "a.weight", 0, k), bias[k] = t_at(&made, "a.bias", 0, k);
        for (int64_t r = 0; r < rows_of(s); r++) normalise(y + r * width, width, 1, gain, bias);
        compared("norm", s, &made, y, rows_of(s), width);
    }
}

/* Columns by the batch while training; answers by the running statistics, which follow those of the batch. */
static void batch_norm(void **state)
{
    (void)state;
    static num x[MOST], y[MOST], gain[MOST], bias[MOST];
    for (int32_t grain = 1; grain <= 5; grain += 2) {
        sequences s = begin(5, RAGGED, 3, grain);
        computed made = made_of(s, pen__batch_norm(s.p, "a", s.x));
        int64_t n = rows_of(s);
        double mean[3] = {0}, variance[3] = {0};
        rows_on_tape(s, &made, x), rows_on_tape(s, &made, y);
        for (int k = 0; k < 3; k++) {
            for (int64_t i = 0; i < n; i++) mean[k] += t_value(x[i * 3 + k]) / (double)n;
            for (int64_t i = 0; i < n; i++) variance[k] += pow(t_value(x[i * 3 + k]) - mean[k], 2) / (double)(n - 1);
            for (int64_t i = 0; i < n; i++)
                gain[i] = t_at(&made, "a.weight", 0, k), bias[i] = t_at(&made, "a.bias", 0, k);
            normalise(y + k, n, 3, gain, bias);
            for (int64_t i = 0; i < n; i++) {
                num away = t_sub(x[i * 3 + k], t_at(&made, "a.mean", 0, k)),
                    deviation = t_sqrt(t_plus(1e-5, t_at(&made, "a.variance", 0, k)));
                x[i * 3 + k] = t_add(t_mul(gain[i], t_div(away, deviation)), bias[i]);
            }
        }
        computed wanted = taped(&made, x, n * 3, t_probe(s.c, y, n, 3));
        memcpy(parameter_of(&wanted, "a.mean")->gradient, mean, sizeof mean);
        memcpy(parameter_of(&wanted, "a.variance")->gradient, variance, sizeof variance);
        same("batch norm", &made, &wanted);
        check_end(s.c);
    }
}

/* y (n, width) of one segment, its rows x being (n, 3 width): q, k, v. */
static void attend(const num *x, int64_t n, int64_t width, int64_t heads, bool causal, num *y)
{
    static num share[MOST];
    int64_t d = width / heads;
    for (int64_t h = 0; h < heads; h++)
        for (int64_t i = 0; i < n; i++) {
            int64_t keys = causal ? i + 1 : n;
            for (int64_t j = 0; j < keys; j++)
                share[j] = t_exp(t_times(1 / sqrt((double)d),
                                         t_dot(x + i * 3 * width + h * d, x + j * 3 * width + width + h * d, d)));
            num sum = t_sum(share, keys);
            for (int64_t k = h * d; k < (h + 1) * d; k++) {
                num total = t_one(0);
                for (int64_t j = 0; j < keys; j++)
                    total = t_add(total, t_mul(share[j], x[j * 3 * width + 2 * width + k]));
                y[i * width + k] = t_div(total, sum);
            }
        }
}

/* q, k and v as one node, two or three. */
static void attention(int64_t users_, const int32_t *lengths, int32_t width, int32_t nodes, int32_t heads, bool causal)
{
    static num x[3 * MOST], y[MOST];
    static const char *const NAME[3] = {"row", "second", "third"};
    const int32_t wide[3] = {nodes == 1 ? 3 * width : width, nodes == 2 ? 2 * width : width, width};
    sequences s = begin(users_, lengths, wide[0], 2);
    int32_t part[3] = {s.x};
    for (int32_t k = 1; k < nodes; k++)
        part[k] = pen__gather(s.p, pen__plan_table(s.p, NAME[k], 9, wide[k], START), s.index);
    computed made = made_of(s, pen__attention(s.p, part, nodes, heads, causal, 0));
    for (int64_t r = 0; r < rows_of(s); r++)
        for (int32_t k = 0, at = 0; k < nodes; k++)
            for (int32_t i = 0; i < wide[k]; i++)
                x[r * 3 * width + at++] = t_at(&made, NAME[k], s.c->batch.index[s.index][r], i);
    for (int64_t r = 0; r < users_; r++)
        attend(x + first_of(s, r) * 3 * width, first_of(s, r + 1) - first_of(s, r), width, heads, causal,
               y + first_of(s, r) * width);
    compared("attention", s, &made, y, rows_of(s), width);
}

static void attentions(void **state)
{
    (void)state;
    static const int32_t LONG[3] = {70, 0, 300}; /* beyond a block of queries, and beyond what is held */
    for (int causal = 0; causal < 2; causal++) {
        for (int32_t nodes = 1; nodes <= 3; nodes++)
            for (int32_t heads = 1; heads <= 3; heads++) attention(5, RAGGED, 6, nodes, heads, causal);
        attention(3, LONG, 2, 1, 1, causal);
    }
}

/* The formula of nn/op/gru.c, row by row. */
static void recur(computed *made, const num *x, int64_t n, int64_t in, int64_t h, num *y)
{
    for (int64_t t = 0; t < n; t++)
        for (int64_t k = 0; k < h; k++) {
            num of_x[3], of_h[3];
            for (int64_t g = 0; g < 3; g++) {
                int64_t row = g * h + k;
                of_x[g] = t_at(made, "a.bias_ih", 0, row), of_h[g] = t_at(made, "a.bias_hh", 0, row);
                for (int64_t i = 0; i < in; i++)
                    of_x[g] = t_add(of_x[g], t_mul(t_at(made, "a.weight_ih", row, i), x[t * in + i]));
                for (int64_t i = 0; t > 0 && i < h; i++)
                    of_h[g] = t_add(of_h[g], t_mul(t_at(made, "a.weight_hh", row, i), y[(t - 1) * h + i]));
            }
            num r = t_sigmoid(t_add(of_x[0], of_h[0])), z = t_sigmoid(t_add(of_x[1], of_h[1])),
                new = t_tanh(t_add(of_x[2], t_mul(r, of_h[2])));
            y[t * h + k] = t_mul(t_plus(1, t_times(-1, z)), new);
            if (t > 0) y[t * h + k] = t_add(y[t * h + k], t_mul(z, y[(t - 1) * h + k]));
        }
}

static void recurrence(void **state)
{
    (void)state;
    static num x[MOST], y[MOST];
    for (int32_t h = 1; h <= 5; h += 2) {
        sequences s = begin(5, RAGGED, 4, h);
        computed made = made_of(s, pen__gru(s.p, "a", s.x, h));
        rows_on_tape(s, &made, x);
        for (int r = 0; r < 5; r++)
            recur(&made, x + first_of(s, r) * 4, first_of(s, r + 1) - first_of(s, r), 4, h, y + first_of(s, r) * h);
        compared("gru", s, &made, y, rows_of(s), h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_simpler_ops), cmocka_unit_test(lookups),    cmocka_unit_test(of_one_input),
        cmocka_unit_test(pools),          cmocka_unit_test(tails),      cmocka_unit_test(layer_norm),
        cmocka_unit_test(batch_norm),     cmocka_unit_test(attentions), cmocka_unit_test(recurrence)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
