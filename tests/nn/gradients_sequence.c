/* Gradients of the ops on sequences, with odd shapes, empty segments, one element, one shard and several. */
#include "gradient_check.h"

static const pen__init START = {PEN_INIT_ZERO, 0}; /* check_gradients draws the values */
/* longer than a block of queries */
static const int32_t RAGGED[5] = {3, 0, 1, 7, 0}, ONE[1] = {1},
                     LONG[2] = {300, 67}; /* beyond what attention holds, and within */

/* Rows of a child extent that have gradients, and at the end a squared loss of what an op made of them. */
typedef struct sequences {
    check *c;
    pen__plan *p;
    int32_t events, item, x, label;
} sequences;

static sequences begin(int32_t width)
{
    sequences s = {.c = check_begin()};
    s.p = s.c->plan;
    s.events = pen__extent_child(s.p, PEN_ROOT, "events");
    s.item = pen__input_index(s.p, s.events, "item");
    s.x = pen__gather(s.p, pen__plan_table(s.p, "item", 5, width, START), s.item);
    return s;
}

static void end(sequences s, int32_t y, int64_t users, const int32_t *lengths, int32_t grain)
{
    int32_t label = pen__input_real(s.p, s.p->node[y].extent, 1, "label");
    pen__loss_pointwise(s.p, PEN_LOSS_SQUARED, pen__linear(s.p, "out", &y, 1, 1, PEN_ACT_NONE), label, -1);
    s.c->grain = grain;
    check_rows(s.c, PEN_ROOT, users);
    check_segments(s.c, s.events, lengths);
    check_index(s.c, s.item, 5, 1);
    check_real(s.c, label, 0, 1);
    check_gradients(s.c);
}

static void layer_norm(void **state)
{
    (void)state;
    for (int32_t width = 1; width <= 9; width += 4) {
        sequences s = begin(width);
        /* read twice, so that gradients add */
        end(s, pen__plus(s.p, pen__norm(s.p, "a", s.x), pen__norm(s.p, "b", s.x)), 5, RAGGED, 2);
    }
    sequences s = begin(3);
    end(s, pen__norm(s.p, "a", s.x), 1, ONE, 1);
    s = begin(3); /* of an input: only gain and bias learn */
    int32_t given = pen__input_real(s.p, s.events, 3, "given");
    check_rows(s.c, PEN_ROOT, 5), check_segments(s.c, s.events, RAGGED), check_real(s.c, given, -1, 1);
    end(s, pen__plus(s.p, pen__norm(s.p, "a", given), s.x), 5, RAGGED, 2);
}

/* q, k, v as one node, two or three. */
static int32_t attention(sequences s, int32_t width, int32_t nodes, int32_t heads, bool causal, double dropout)
{
    int32_t part[3], n[3] = {nodes == 1 ? 3 * width : width, nodes == 2 ? 2 * width : width, width};
    static const char *const NAME[3] = {"q", "k", "v"};
    for (int32_t k = 0; k < nodes; k++) part[k] = pen__linear(s.p, NAME[k], &s.x, 1, n[k], PEN_ACT_NONE);
    return pen__attention(s.p, part, nodes, heads, causal, dropout);
}

static void attentions(void **state)
{
    (void)state;
    for (int32_t nodes = 1; nodes <= 3; nodes++)
        for (int causal = 0; causal < 2; causal++)
            for (int32_t heads = 1; heads <= 3; heads += 2) {
                sequences s = begin(3);
                end(s, attention(s, 6, nodes, heads, causal, 0), 5, RAGGED, 2);
                s = begin(3);
                end(s, attention(s, 3, nodes, heads, causal, 0.4), 5, RAGGED, 5);
            }
    sequences s = begin(2);
    end(s, attention(s, 1, 1, 1, true, 0), 1, ONE, 1);
    s = begin(3); /* the same rows as q, k and v, which are read elsewhere too */
    int32_t same[3] = {s.x, s.x, s.x};
    end(s, pen__plus(s.p, s.x, pen__attention(s.p, same, 3, 1, true, 0)), 5, RAGGED, 2);
    s = begin(3); /* a query without a gradient */
    int32_t given = pen__input_real(s.p, s.events, 3, "given"), mixed[3] = {given, s.x, s.x};
    check_rows(s.c, PEN_ROOT, 5), check_segments(s.c, s.events, RAGGED), check_real(s.c, given, -1, 1);
    end(s, pen__attention(s.p, mixed, 3, 1, false, 0), 5, RAGGED, 2);
}

static void long_attentions(void **state)
{
    (void)state;
    for (int causal = 0; causal < 2; causal++) {
        sequences s = begin(2);
        if (causal) pen__extent_most(s.p, s.events, 256);
        end(s, attention(s, 4, 1, 2, causal, causal ? 0.2 : 0), 2, LONG, 1 + causal);
    }
}

/* Segments that break the promise of their extent are not held: 67 rows where 20 were said to be most. */
static void broken_promise(void **state)
{
    (void)state;
    static const int32_t LENGTHS[3] = {20, 67, 9};
    sequences s = begin(2);
    pen__extent_most(s.p, s.events, 20);
    end(s, attention(s, 4, 1, 2, true, 0.2), 3, LENGTHS, 3);
}

static void recurrence(void **state)
{
    (void)state;
    for (int32_t width = 1; width <= 7; width += 3)
        for (int32_t grain = 1; grain <= 5; grain += 4) {
            sequences s = begin(3);
            int32_t first = pen__gru(s.p, "a", s.x, width), second = pen__gru(s.p, "b", first, 2); /* one on another */
            int32_t side[2] = {first, second};
            end(s, pen__concat(s.p, side, 2), 5, RAGGED, grain);
        }
    sequences s = begin(2);
    end(s, pen__gru(s.p, "a", s.x, 3), 1, ONE, 1);
    static const int32_t EMPTY[3] = {0, 0, 0}, MANY[6] = {2, 5, 5, 1, 3, 5};
    s = begin(2);
    end(s, pen__plus(s.p, pen__gru(s.p, "a", s.x, 2), s.x), 6, MANY, 6);
    s = begin(2); /* of an input */
    int32_t given = pen__input_real(s.p, s.events, 2, "given");
    check_rows(s.c, PEN_ROOT, 5), check_segments(s.c, s.events, RAGGED), check_real(s.c, given, -1, 1);
    end(s, pen__plus(s.p, pen__gru(s.p, "a", given, 2), s.x), 5, RAGGED, 2);
    s = begin(2); /* nothing at all: gradients are zeros */
    int32_t always = pen__input_real(s.p, PEN_ROOT, 1, "always"),
            label = pen__input_real(s.p, PEN_ROOT, 1, "label of it");
    check_rows(s.c, PEN_ROOT, 3), check_real(s.c, always, -1, 1), check_real(s.c, label, 0, 1);
    pen__loss_pointwise(s.p, PEN_LOSS_SQUARED, pen__linear(s.p, "always", &always, 1, 1, PEN_ACT_NONE), label, -1);
    end(s, pen__gru(s.p, "a", s.x, 2), 3, EMPTY, 1);
}

static void segments_become_rows(void **state)
{
    (void)state;
    for (int what = 0; what < 4; what++) {
        sequences s = begin(5);
        int32_t other = pen__linear(s.p, "other", &s.x, 1, 5, PEN_ACT_TANH);
        int32_t y = what ? pen__pooled(s.p, other, (pen__pool)(what - 1)) : pen__last(s.p, other);
        /* x is read twice: gradients add */
        int32_t side[2] = {y, what ? pen__last(s.p, s.x) : pen__pooled(s.p, s.x, PEN_POOL_MEAN)};
        end(s, pen__concat(s.p, side, 2), 5, RAGGED, what % 2 ? 1 : 5);
    }
    for (int what = 0; what < 4; what++) {
        sequences s = begin(1);
        end(s, what ? pen__pooled(s.p, s.x, (pen__pool)(what - 1)) : pen__last(s.p, s.x), 1, ONE, 1);
    }
}

/* The last rows of each segment: none, some, all, and more than there are. */
static void tails(void **state)
{
    (void)state;
    static const int32_t FEWER[5] = {2, 0, 0, 7, 0}, MORE[5] = {1, 2, 3, 9, 0};
    for (int what = 0; what < 4; what++) {
        sequences s = begin(3);
        int32_t ends = pen__extent_child(s.p, PEN_ROOT, "ends");
        check_rows(s.c, PEN_ROOT, 5), check_segments(s.c, s.events, RAGGED);
        check_segments(s.c, ends, what % 2 ? MORE : FEWER);
        int32_t all = pen__linear(s.p, "all", &s.x, 1, 3, PEN_ACT_TANH), y = pen__tail(s.p, all, ends);
        if (what / 2) { /* x is read twice: gradients add */
            int32_t label = pen__input_real(s.p, s.events, 3, "label of all");
            check_real(s.c, label, 0, 1);
            int32_t product = pen__dot(s.p, all, label), mean = pen__pooled(s.p, product, PEN_POOL_MEAN);
            int32_t zero = pen__input_real(s.p, PEN_ROOT, 1, "zero");
            check_real(s.c, zero, 0, 0);
            pen__loss_pointwise(s.p, PEN_LOSS_SQUARED, mean, zero, -1);
        }
        end(s, y, 5, RAGGED, 1 + what);
    }
    sequences s = begin(1);
    int32_t ends = pen__extent_child(s.p, PEN_ROOT, "ends");
    check_rows(s.c, PEN_ROOT, 1), check_segments(s.c, ends, ONE);
    end(s, pen__tail(s.p, s.x, ends), 1, ONE, 1);
}

static int32_t of_its_own_rows(pen__plan *p)
{
    int32_t events = pen__extent_child(p, PEN_ROOT, "events"), below = pen__extent_child(p, events, "below");
    return pen__tail(p, pen__input_real(p, events, 1, "x"), below);
}

static void fields_interact(void **state)
{
    (void)state;
    for (int32_t fields = 1; fields <= 5; fields += 2)
        for (int32_t users = 1; users <= 5; users += 4) {
            sequences s = begin(15);
            int32_t y[2] = {pen__fm(s.p, s.x, fields), pen__linear(s.p, "first", &s.x, 1, 1, PEN_ACT_NONE)};
            end(s, pen__plus(s.p, y[0], y[1]), users, users > 1 ? RAGGED : ONE, 2);
        }
    for (int32_t fields = 1; fields <= 2; fields++) { /* of one number each */
        sequences s = begin(fields);
        end(s, pen__fm(s.p, s.x, fields), 1, ONE, 1);
    }
}

/* Shards meet: 1, 2, 3 and 5 of them, some without rows; also at two places. */
static void batch_norm(void **state)
{
    (void)state;
    static const int32_t grains[4] = {5, 3, 2, 1};
    for (int k = 0; k < 4; k++) {
        sequences s = begin(3);
        int32_t wide = pen__linear(s.p, "wide", &s.x, 1, 4, PEN_ACT_TANH), y = pen__batch_norm(s.p, "a", wide);
        y = pen__plus(s.p, pen__activate(s.p, y, PEN_ACT_TANH), wide);
        int32_t both[2] = {pen__batch_norm(s.p, "b", y), s.x};
        end(s, pen__concat(s.p, both, 2), 5, RAGGED, grains[k]);
    }
    sequences s = begin(3); /* of an input */
    int32_t given = pen__input_real(s.p, s.events, 3, "given");
    check_rows(s.c, PEN_ROOT, 5), check_segments(s.c, s.events, RAGGED), check_real(s.c, given, -1, 1);
    end(s, pen__plus(s.p, pen__batch_norm(s.p, "a", given), s.x), 5, RAGGED, 2);
    s = begin(3); /* one row: its own mean, without variance */
    end(s, pen__batch_norm(s.p, "a", s.x), 1, ONE, 1);
}

static int32_t of_width(pen__plan *p, int32_t extent, int32_t width) { return pen__input_real(p, extent, width, "x"); }

static int32_t of_root(pen__plan *p)
{
    int32_t x = of_width(p, PEN_ROOT, 6);
    return pen__attention(p, &x, 1, 1, true, 0);
}

static int32_t of_odd_heads(pen__plan *p)
{
    int32_t x = of_width(p, pen__extent_child(p, PEN_ROOT, "events"), 12);
    return pen__attention(p, &x, 1, 3, true, 0);
}

static int32_t of_odd_widths(pen__plan *p)
{
    int32_t events = pen__extent_child(p, PEN_ROOT, "events"),
            x[3] = {of_width(p, events, 4), of_width(p, events, 4), of_width(p, events, 1)};
    return pen__attention(p, x, 3, 1, true, 0);
}

static void wrong_shapes(void **state)
{
    (void)state;
    check_refused(of_root, "child extent");
    check_refused(of_odd_heads, "3 heads");
    check_refused(of_odd_widths, "differ in width");
    check_refused(of_its_own_rows, "beside");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(layer_norm),      cmocka_unit_test(attentions),
                                       cmocka_unit_test(long_attentions), cmocka_unit_test(broken_promise),
                                       cmocka_unit_test(recurrence),      cmocka_unit_test(segments_become_rows),
                                       cmocka_unit_test(tails),           cmocka_unit_test(fields_interact),
                                       cmocka_unit_test(batch_norm),      cmocka_unit_test(wrong_shapes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
