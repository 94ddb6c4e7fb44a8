/* Ranking against a naive full sort: ties, exclusions, masks, candidates, NaN, places; threads and blocks. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_model.h"

enum { USERS = 130, MOST = 4000 };

/* One random problem: everything that pen__rank may be asked at once. */
typedef struct problem {
    int32_t n_users, n_items, d, k;
    fake fake;
    float *table, *user, *item, *bias;
    uint8_t *allowed;
    pen__ask ask[USERS];
    pen__answer answer[USERS];
} problem;

typedef struct entry {
    float score;
    uint64_t tie;
    int32_t item;
} entry;

static int naive_order(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int x_nan = isnan(x->score), y_nan = isnan(y->score);
    if (x_nan != y_nan) return x_nan - y_nan;
    if (!x_nan && x->score != y->score) return x->score > y->score ? -1 : 1;
    return (x->tie > y->tie) - (x->tie < y->tie);
}

static int has(const int32_t *list, int64_t n, int32_t item)
{
    for (int64_t i = 0; i < n; i++)
        if (list[i] == item) return 1;
    return 0;
}

static float naive_score(const problem *p, int32_t u, int32_t i)
{
    if (p->table) return p->table[(size_t)u * (size_t)p->n_items + (size_t)i];
    float sum = p->bias ? p->bias[i] : 0;
    for (int32_t k = 0; k < p->d; k++) sum = fmaf(p->user[u * p->d + k], p->item[(int64_t)i * p->d + k], sum);
    return sum;
}

/* The whole ranking by sorting; returns how many items it has. */
static int64_t naive_rank(const problem *p, const pen__ask *ask, entry *out)
{
    int64_t n = 0;
    for (int32_t i = 0; i < p->n_items; i++) {
        if (p->allowed && !p->allowed[i]) continue;
        if (ask->candidate && !has(ask->candidate, ask->n_candidate, i)) continue;
        if (has(ask->exclude, ask->n_exclude, i)) continue;
        out[n++] = (entry){naive_score(p, ask->user.number, i), pen__tie(ask->tie_key, i), i};
    }
    qsort(out, (size_t)n, sizeof *out, naive_order);
    return n;
}

/* The same bits, but for NaN's payload and the sign of 0, which no order tells. */
static int same_score(float a, float b) { return (isnan(a) && isnan(b)) || a == b; }

static void check(const problem *p)
{
    static entry want[MOST];
    for (int32_t u = 0; u < p->n_users; u++) {
        const pen__ask *ask = &p->ask[u];
        const pen__answer *got = &p->answer[u];
        int64_t n = naive_rank(p, ask, want);
        assert_int_equal(got->n_ranked, n);
        assert_int_equal(got->n, n < p->k ? n : p->k);
        for (int32_t j = 0; j < got->n; j++) {
            assert_int_equal(got->item[j], want[j].item);
            assert_true(same_score(got->score[j], want[j].score));
        }
        for (int64_t t = 0; got->place && t < ask->n_target; t++) {
            int64_t place = 0;
            for (int64_t j = 0; j < n; j++)
                if (want[j].item == ask->target[t]) place = j + 1;
            assert_int_equal(got->place[t], place);
        }
    }
}

static int32_t below(pen__rng *rng, int32_t n) { return (int32_t)pen__rng_below(rng, (uint64_t)n); }

static int rising(const void *a, const void *b) { return *(const int32_t *)a - *(const int32_t *)b; }

/* Scores of few values (ties), of any value, or with NaN and infinities among them. */
static float random_score(pen__rng *rng, int kind)
{
    if (kind == 0) return (float)below(rng, 3);
    float x = (float)pen__rng_normal(rng);
    if (kind == 2 && below(rng, 10) == 0) return NAN;
    if (kind == 2 && below(rng, 10) == 0) return below(rng, 2) ? INFINITY : -INFINITY;
    return kind == 3 ? 0 : x;
}

static void problem_ask(problem *p, pen__rng *rng, int with_candidates, int with_exclude, int with_places)
{
    for (int32_t u = 0; u < p->n_users; u++) {
        pen__ask *ask = &p->ask[u];
        *ask = (pen__ask){.user = {.number = u}, .tie_key = pen__rng_next(rng)};
        int32_t most = p->n_items < 40 ? p->n_items : 40;
        if (with_exclude) {
            uint8_t *taken = calloc((size_t)p->n_items, 1);
            int32_t *list = malloc((size_t)p->n_items * sizeof *list);
            for (int32_t e = below(rng, most + 1); e > 0; e--) taken[below(rng, p->n_items)] = 1;
            if (u == 1) memset(taken, 1, (size_t)p->n_items); /* everything */
            for (int32_t i = 0; i < p->n_items; i++)
                if (taken[i]) list[ask->n_exclude++] = i;
            qsort(list, (size_t)ask->n_exclude, sizeof *list, rising);
            ask->exclude = list;
            free(taken);
        }
        if (with_candidates && u % 3) {
            int32_t *list = malloc(101 * sizeof *list);
            ask->n_candidate = below(rng, 101);
            for (int64_t c = 0; c < ask->n_candidate; c++) list[c] = below(rng, p->n_items + 1) - 1; /* repeats, -1 */
            ask->candidate = list;
        }
        if (with_places) {
            int32_t *list = malloc(12 * sizeof *list);
            ask->n_target = below(rng, 12);
            for (int64_t t = 0; t < ask->n_target; t++)
                list[t] = ask->n_candidate && t % 2 ? ask->candidate[below(rng, (int32_t)ask->n_candidate)]
                                                    : below(rng, p->n_items + 1) - 1;
            ask->target = list;
        }
        p->answer[u] = (pen__answer){.item = malloc((size_t)(p->k + 1) * sizeof(int32_t)),
                                     .score = malloc((size_t)(p->k + 1) * sizeof(float)),
                                     .place = with_places ? malloc(12 * sizeof(int64_t)) : NULL};
    }
}

static problem problem_new(pen__rng *rng, int vectors, int kind, int masked)
{
    problem p = {
        .n_users = 1 + below(rng, USERS), .n_items = 1 + below(rng, below(rng, 4) ? 300 : MOST), .k = below(rng, 30)};
    if (below(rng, 8) == 0) p.k = p.n_items + 5;
    if (vectors) {
        p.d = below(rng, 4) ? 1 + below(rng, 40) : 64;
        p.user = malloc((size_t)(p.n_users * p.d) * sizeof(float));
        p.item = malloc((size_t)(p.n_items * p.d) * sizeof(float));
        for (int32_t i = 0; i < p.n_users * p.d; i++) p.user[i] = random_score(rng, kind == 2 ? 1 : kind);
        for (int32_t i = 0; i < p.n_items * p.d; i++) p.item[i] = random_score(rng, kind == 2 && i % 37 ? 1 : kind);
        if (below(rng, 2)) {
            p.bias = malloc((size_t)p.n_items * sizeof(float));
            for (int32_t i = 0; i < p.n_items; i++) p.bias[i] = random_score(rng, kind);
        }
        p.fake = (fake){.vector = p.user, .factors = {p.d, p.item, p.bias}};
    } else {
        p.table = malloc((size_t)p.n_users * (size_t)p.n_items * sizeof(float));
        for (int32_t i = 0; i < p.n_users * p.n_items; i++) p.table[i] = random_score(rng, kind);
        p.fake = (fake){.table = p.table};
    }
    if (masked) {
        p.allowed = malloc((size_t)p.n_items);
        for (int32_t i = 0; i < p.n_items; i++) p.allowed[i] = below(rng, 3) > 0;
    }
    return p;
}

static void problem_free(problem *p)
{
    for (int32_t u = 0; u < p->n_users; u++) {
        free((void *)(uintptr_t)p->ask[u].exclude);
        free((void *)(uintptr_t)p->ask[u].candidate);
        free((void *)(uintptr_t)p->ask[u].target);
        free(p->answer[u].item);
        free(p->answer[u].score);
        free(p->answer[u].place);
    }
    free(p->table);
    free(p->user);
    free(p->item);
    free(p->bias);
    free(p->allowed);
}

static void equals_a_full_sort(void **state)
{
    (void)state;
    pen_context *ctx = fake_context(3);
    pen__rng rng = pen__rng_begin(1, 0, 0);
    uint64_t held = 0; /* by the threads, which start with the first work */
    for (int round = 0; round < 128; round++) {
        int vectors = round & 1, kind = round >> 1 & 3, masked = round >> 3 & 1;
        problem p = problem_new(&rng, vectors, kind, masked);
        problem_ask(&p, &rng, round >> 4 & 1, round >> 5 & 1, round >> 6 & 1);
        pen_model model = fake_model(ctx, &p.fake, p.n_users, p.n_items);
        pen_error error = {0};
        assert_int_equal(pen__rank(&model, p.ask, p.answer, p.n_users, p.k, p.allowed, &error), PEN_OK);
        check(&p);
        problem_free(&p);
        if (round == 15) held = pen_context_memory(ctx);
    }
    assert_int_equal(pen_context_memory(ctx), held);
    pen_context_destroy(ctx);
}

/* One user alone, as in a block; one thread, as four. */
static void alone_is_as_in_a_block(void **state)
{
    (void)state;
    pen__rng rng = pen__rng_begin(2, 0, 0);
    for (int round = 0; round < 8; round++) {
        problem p = problem_new(&rng, round & 1, 1, round >> 1 & 1);
        problem_ask(&p, &rng, 0, 1, 1);
        for (int threads = 1; threads <= 4; threads += 3) {
            pen_context *ctx = fake_context(threads);
            pen_model model = fake_model(ctx, &p.fake, p.n_users, p.n_items);
            for (int32_t u = 0; threads == 1 && u < p.n_users; u++)
                assert_int_equal(pen__rank(&model, &p.ask[u], &p.answer[u], 1, p.k, p.allowed, NULL), PEN_OK);
            if (threads == 4)
                assert_int_equal(pen__rank(&model, p.ask, p.answer, p.n_users, p.k, p.allowed, NULL), PEN_OK);
            check(&p);
            for (int32_t i = 0; i < p.n_items; i++) {
                float got, want = naive_score(&p, 0, i);
                assert_int_equal(pen__score_one(&model, &p.ask[0].user, i, &got, NULL), PEN_OK);
                assert_memory_equal(&got, &want, sizeof got);
            }
            assert_int_equal(pen__score_one(&model, &p.ask[0].user, p.n_items, &(float){0}, NULL), PEN_E_ARGUMENT);
            pen_context_destroy(ctx);
        }
        problem_free(&p);
    }
}

static void ratings_are_clipped(void **state)
{
    (void)state;
    static const float table[] = {0.5f, 4.25f, 7, NAN};
    static const int32_t item[] = {0, 1, 2, -1, 3};
    pen_context *ctx = fake_context(1);
    fake f = {.table = table};
    pen_model model = fake_model(ctx, &f, 1, 4);
    pen__user user = {.number = 0};
    double rating[4];
    pen_error error = {0};
    assert_int_equal(pen__rate(&model, &user, item, rating, 4, &error), PEN_OK);
    assert_true(rating[0] == 1 && rating[1] == 4.25 && rating[2] == 5 && rating[3] == 3);
    assert_int_equal(pen__rate(&model, &user, item + 4, rating, 1, &error), PEN_E_DIVERGED);
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_a_full_sort),
        cmocka_unit_test(alone_is_as_in_a_block),
        cmocka_unit_test(ratings_are_clipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
