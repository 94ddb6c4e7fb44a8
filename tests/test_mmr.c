/* Re-ranking for diversity: known orders, a naive MMR on random problems, and the two measures of similarity. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "retrieve/mmr.h"

enum { ITEMS = 40, D = 3, PICKED = 12 };

static float vectors[ITEMS * D];

static pen__alike by_vectors(void) { return (pen__alike){.factors = {.d = D, .item = vectors}}; }

static void make_vectors(uint64_t seed)
{
    pen__rng rng = pen__rng_begin(seed, PEN_STREAM_SYNTH, 0);
    for (int i = 0; i < ITEMS * D; i++) vectors[i] = (float)pen__rng_normal(&rng);
}

static double naive_cosine(int32_t a, int32_t b)
{
    double dot = 0, p = 0, q = 0;
    for (int k = 0; k < D; k++) {
        double x = (double)vectors[a * D + k], y = (double)vectors[b * D + k];
        dot += x * y, p += x * x, q += y * y;
    }
    return p * q > 0 ? dot / sqrt(p * q) : 0;
}

static void vectors_are_compared_by_cosine(void **state)
{
    (void)state;
    make_vectors(1);
    for (int k = 0; k < D; k++) vectors[k] = 0; /* of item 0: nothing */
    pen__alike alike = by_vectors();
    for (int32_t a = 0; a < ITEMS; a++) /* float sums of 3 */
        for (int32_t b = 0; b < ITEMS; b++) assert_true(fabs(pen__likeness(&alike, a, b) - naive_cosine(a, b)) < 1e-6);
}

static void categories_are_compared_by_jaccard(void **state)
{
    (void)state;
    static const int32_t codes[] = {0, 1, 1, 2, 0, 1, 2};
    static const int64_t begins[] = {0, 2, 4, 7, 7, 7}; /* {0 1} {1 2} {0 1 2} {} {} */
    static const int32_t single[] = {4, 4, -1};
    pen__column many = {.type = PEN_COLUMN_CATEGORIES, .rows = 5, .begin = begins, .code = codes};
    pen__column one = {.type = PEN_COLUMN_CATEGORY, .rows = 3, .code = single};
    pen__alike alike = {.category = &many}, lone = {.category = &one};
    assert_true(fabs(pen__likeness(&alike, 0, 1) - 1.0 / 3) < 1e-12);
    assert_true(fabs(pen__likeness(&alike, 0, 2) - 2.0 / 3) < 1e-12);
    assert_true(pen__likeness(&alike, 2, 2) == 1);
    assert_true(pen__likeness(&alike, 0, 3) == 0 && pen__likeness(&alike, 3, 4) == 0);
    assert_true(pen__likeness(&lone, 0, 1) == 1 && pen__likeness(&lone, 0, 2) == 0);
    static const int32_t list[] = {0, 1, 2};
    assert_true(fabs(pen__likeness_list(&alike, list, 3) - (1.0 / 3 + 2.0 / 3 + 2.0 / 3) / 3) < 1e-12);
    assert_true(isnan(pen__likeness_list(&alike, list, 1)));
}

static void known_orders(void **state)
{
    (void)state;
    /* a, b and c are the same film three times, d is another */
    static const int64_t begins[] = {0, 1, 2, 3, 4};
    static const int32_t codes[] = {0, 0, 0, 1}, item[] = {0, 1, 2, 3};
    static const float score[] = {1.0f, 0.9f, 0.8f, 0.1f};
    pen__column column = {.type = PEN_COLUMN_CATEGORIES, .rows = 4, .begin = begins, .code = codes};
    pen__alike alike = {.category = &column};
    int32_t pick[4];
    double room[8];
    pen__mmr(&alike, item, score, 4, 0, 4, pick, room);
    for (int i = 0; i < 4; i++) assert_int_equal(pick[i], i);
    pen__mmr(&alike, item, score, 4, 0.6, 2, pick, room);
    assert_int_equal(pick[0], 0);
    assert_int_equal(pick[1], 3);
    pen__mmr(&alike, item, score, 4, 1, 3, pick, room); /* relevance has no say: ties in the candidates' order */
    assert_int_equal(pick[0], 0);
    assert_int_equal(pick[1], 3);
    assert_int_equal(pick[2], 1);
}

/* MMR by its definition, everything computed anew for each pick. */
static void naive_mmr(const pen__alike *alike, const int32_t *item, const float *score, int32_t n, double diversity,
                      int32_t k, int32_t *pick)
{
    for (int32_t p = 0; p < k; p++) {
        double best_value = 0;
        pick[p] = -1;
        for (int32_t c = 0; c < n; c++) {
            double relevance = ((double)score[c] - (double)score[n - 1]) / ((double)score[0] - (double)score[n - 1]),
                   nearest = -2;
            int taken = 0;
            for (int32_t q = 0; q < p; q++) {
                taken |= pick[q] == c;
                double s = pen__likeness(alike, item[pick[q]], item[c]);
                if (s > nearest) nearest = s;
            }
            double value = (1 - diversity) * relevance - (p ? diversity * nearest : 0);
            if (taken) continue;
            if (pick[p] < 0 || value > best_value + 1e-12) pick[p] = c, best_value = value;
        }
    }
}

/* Mean over the list of the largest similarity to another of it: what MMR keeps small. */
static double nearest_mean(const pen__alike *alike, const int32_t *item, int32_t n)
{
    double sum = 0;
    for (int32_t i = 0; i < n; i++) {
        double nearest = -2;
        for (int32_t j = 0; j < n; j++)
            if (j != i && pen__likeness(alike, item[i], item[j]) > nearest)
                nearest = pen__likeness(alike, item[i], item[j]);
        sum += nearest;
    }
    return sum / n;
}

static void random_problems_as_naive(void **state)
{
    (void)state;
    int moved = 0, asked = 0, less_alike = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        int32_t item[ITEMS], pick[PICKED], want[PICKED], list[PICKED];
        float score[ITEMS];
        double room[2 * ITEMS];
        make_vectors(seed);
        pen__rng rng = pen__rng_begin(seed, PEN_STREAM_SYNTH, 1);
        double diversity = pen__rng_uniform(&rng);
        for (int32_t i = 0; i < ITEMS; i++)
            item[i] = (i * 7 + 3) % ITEMS, score[i] = (float)(ITEMS - i) + (float)pen__rng_uniform(&rng) - 20;
        pen__alike alike = by_vectors();
        pen__mmr(&alike, item, score, ITEMS, diversity, PICKED, pick, room);
        naive_mmr(&alike, item, score, ITEMS, diversity, PICKED, want);
        for (int p = 0; p < PICKED; p++) {
            assert_int_equal(pick[p], want[p]);
            list[p] = item[pick[p]];
            moved += pick[p] != p;
        }
        assert_int_equal(pick[0], 0); /* the best comes first, whatever diversity is asked for */
        asked += diversity > 0.5;
        less_alike += diversity > 0.5 && nearest_mean(&alike, list, PICKED) < nearest_mean(&alike, item, PICKED);
    }
    assert_true(moved > 1000);
    /* greedy, and relevance has its say as well: nearly always */
    assert_true(asked > 50 && less_alike * 10 > asked * 9);
}

static void more_than_there_are(void **state)
{
    (void)state;
    make_vectors(2);
    pen__alike alike = by_vectors();
    static const int32_t item[] = {5, 6};
    static const float score[] = {2, 2};
    int32_t pick[4] = {-7, -7, -7, -7};
    double room[4];
    pen__mmr(&alike, item, score, 2, 0.5, 4, pick, room);
    assert_int_equal(pick[0], 0);
    assert_int_equal(pick[1], 1);
    assert_int_equal(pick[2], -7);
    pen__mmr(&alike, item, score, 0, 0.5, 4, pick, room);
    assert_int_equal(pick[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_compared_by_cosine),
        cmocka_unit_test(categories_are_compared_by_jaccard),
        cmocka_unit_test(known_orders),
        cmocka_unit_test(random_problems_as_naive),
        cmocka_unit_test(more_than_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
