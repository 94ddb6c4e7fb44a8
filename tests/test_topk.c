/* Rankings against a plain sort: ties, exclusions, NaN, k over n, no items, ranks of targets; the same for any level of
 * batch and number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "base/memory.h"
#include "kern/topk.h"

/* A small world: what is ranked and the answer by a plain sort. */
enum { USERS = 230, MOST_ITEMS = 3000, D = 5, MOST_SEEN = 40, MOST_TARGETS = 5 };

typedef struct world {
    int64_t n_items;
    float items[MOST_ITEMS * D], bias[MOST_ITEMS], users[USERS * D];
    uint64_t denied[(MOST_ITEMS + 63) / 64], keys[USERS];
    int64_t seen_at[USERS + 1], target_at[USERS + 1];
    int32_t seen[USERS * MOST_SEEN], targets[USERS * MOST_TARGETS], rows[USERS];
} world;

static uint64_t draw(uint64_t i, uint64_t below) { return pen__rand64(42, 77, i) % below; }

static int compare_ints(const void *a, const void *b)
{
    int32_t x, y;
    memcpy(&x, a, sizeof x), memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

/* `levels` distinct values for each number: few of them make many ties. */
static world *make(int64_t n_items, uint64_t levels, bool nan, uint64_t salt)
{
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->n_items = n_items;
    uint64_t c = salt << 32;
    for (int64_t i = 0; i < n_items * D; i++) w->items[i] = (float)draw(c++, levels) / (float)levels - 0.5f;
    for (int64_t i = 0; i < n_items; i++) w->bias[i] = (float)draw(c++, levels) / (float)levels;
    for (int64_t i = 0; i < USERS * D; i++) w->users[i] = (float)draw(c++, levels) / (float)levels - 0.5f;
    if (nan)
        for (int64_t i = 0; i < n_items; i++) {
            uint64_t r = draw(c++, 10);
            if (r < 3) w->bias[i] = r == 0 ? NAN : r == 1 ? INFINITY : -INFINITY;
        }
    for (int64_t i = 0; i < n_items; i++)
        if (draw(c++, 4) == 0) w->denied[i / 64] |= 1ull << i % 64;
    for (int u = 0; u < USERS; u++) {
        w->keys[u] = draw(c++, 1u << 30);
        w->rows[u] = (int32_t)((u * 17 + 3) % USERS);
        int64_t s = w->seen_at[u], t = w->target_at[u];
        uint64_t n_seen = n_items ? draw(c++, MOST_SEEN) : 0, n_targets = n_items ? draw(c++, MOST_TARGETS) : 0;
        /* some out of range */
        for (uint64_t i = 0; i < n_seen; i++) w->seen[s++] = (int32_t)draw(c++, (uint64_t)n_items + 3) - 1;
        for (uint64_t i = 0; i < n_targets; i++) w->targets[t++] = (int32_t)draw(c++, (uint64_t)n_items);
        qsort(w->seen + w->seen_at[u], n_seen, sizeof(int32_t), compare_ints);
        w->seen_at[u + 1] = s, w->target_at[u + 1] = t;
    }
    return w;
}

static bool is_seen(const world *w, int64_t row, int32_t item)
{
    for (int64_t s = w->seen_at[row]; s < w->seen_at[row + 1]; s++)
        if (w->seen[s] == item) return true;
    return false;
}

static float score_of(const world *w, bool bias, int64_t row, int64_t item)
{
    float sum = bias ? w->bias[item] : 0.0f;
    for (int k = 0; k < D; k++) sum = fmaf(w->users[row * D + k], w->items[item * D + k], sum);
    return sum;
}

typedef struct ranked {
    float score;
    int32_t item;
    uint64_t tie;
} ranked;

/* The order as the header says it, written again. */
static int compare_ranked(const void *pa, const void *pb)
{
    ranked a, b;
    memcpy(&a, pa, sizeof a), memcpy(&b, pb, sizeof b);
    if (isnan(a.score) != isnan(b.score)) return isnan(a.score) ? 1 : -1;
    if (!isnan(a.score) && a.score != b.score) return a.score > b.score ? -1 : 1;
    if (a.tie != b.tie) return a.tie < b.tie ? -1 : 1;
    return a.item < b.item ? -1 : a.item > b.item;
}

/* All allowed items of a row in order; returns their number. */
static int64_t naive(const world *w, bool bias, bool denied, int64_t row, uint64_t key, ranked *out)
{
    int64_t n = 0;
    for (int64_t i = 0; i < w->n_items; i++) {
        if (is_seen(w, row, (int32_t)i) || (denied && (w->denied[i / 64] >> i % 64 & 1))) continue;
        out[n++] = (ranked){score_of(w, bias, row, i), (int32_t)i, pen__tie(key, (int32_t)i)};
    }
    qsort(out, (size_t)n, sizeof *out, compare_ranked);
    return n;
}

static bool same_score(float a, float b) { return a == b || (a != a && b != b); }

static void check(const world *w, bool bias, bool denied, bool rows, int n_threads, int64_t n_users, int32_t k)
{
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.n_threads = n_threads;
    pen_context *ctx;
    pen_error error = {0};
    assert_int_equal(pen_context_create(&options, &ctx, NULL), PEN_OK);
    pen__panels panels;
    assert_int_equal(pen__panels_pack(ctx, w->items, w->n_items, D, D, bias ? w->bias : NULL, &panels, &error), PEN_OK);
    int32_t *top = malloc((size_t)(n_users * k + 1) * sizeof *top);
    float *scores = malloc((size_t)(n_users * k + 1) * sizeof *scores);
    int64_t *better = malloc((USERS * MOST_TARGETS + 1) * sizeof *better);
    ranked *want = malloc((MOST_ITEMS + 1) * sizeof *want);
    float *dense = malloc((MOST_ITEMS + 1) * sizeof *dense);
    void *buffer = malloc(pen__top_bytes(k));
    for (int i = 0; i <= USERS * MOST_TARGETS; i++) better[i] = -9;
    top[n_users * k] = -9;
    pen__rank_job job = {.items = &panels,
                         .users = w->users,
                         .stride = D,
                         .rows = rows ? w->rows : NULL,
                         .n_users = n_users,
                         .keys = w->keys,
                         .seen_at = w->seen_at,
                         .seen = w->seen,
                         .denied = denied ? w->denied : NULL,
                         .k = k,
                         .top_items = top,
                         .top_scores = scores,
                         .target_at = w->target_at,
                         .targets = w->targets,
                         .better = better};
    assert_int_equal(pen__rank_vectors(ctx, &job, &error), PEN_OK);
    assert_int_equal(top[n_users * k], -9);
    for (int64_t j = 0; j < n_users; j++) {
        int64_t row = rows ? w->rows[j] : j, n = naive(w, bias, denied, row, w->keys[j], want);
        for (int32_t i = 0; i < k; i++) {
            assert_int_equal(top[j * k + i], i < n ? want[i].item : -1);
            assert_true(same_score(scores[j * k + i], i < n ? want[i].score : 0.0f));
        }
        for (int64_t i = 0; i < w->n_items; i++) dense[i] = score_of(w, bias, row, i);
        pen__exclude exclude = {w->seen + w->seen_at[row], w->seen_at[row + 1] - w->seen_at[row],
                                denied ? w->denied : NULL};
        for (int64_t t = w->target_at[row]; t < w->target_at[row + 1]; t++) {
            int64_t ahead = 0;
            ranked me = {dense[w->targets[t]], w->targets[t], pen__tie(w->keys[j], w->targets[t])};
            for (int64_t i = 0; i < n; i++) ahead += compare_ranked(&want[i], &me) < 0;
            assert_int_equal(better[t], ahead);
            assert_int_equal(pen__rank_dense(dense, w->n_items, w->keys[j], &exclude, w->targets[t]), ahead);
        }
        int32_t items[4];
        int32_t k4 = k < 4 ? k : 4,
                m = pen__top_dense(dense, w->n_items, w->keys[j], &exclude, k4, buffer, items, NULL);
        assert_int_equal(m, n < k4 ? n : k4);
        for (int32_t i = 0; i < m; i++) assert_int_equal(items[i], want[i].item);
    }
    free(top), free(scores), free(better), free(want), free(dense), free(buffer);
    pen__panels_free(ctx, &panels);
    if (n_threads == 1) assert_int_equal(pen_context_memory(ctx), 0); /* more threads are memory of the context */
    pen_context_destroy(ctx);
}

static void ranks_as_a_sort_does(void **state)
{
    (void)state;
    static const int64_t sizes[] = {0, 1, 15, 16, 17, 255, 256, 257, 700, MOST_ITEMS};
    for (int s = 0; s < 10; s++)
        for (int kind = 0; kind < 3; kind++) { /* few ties, many, many with NaN and infinities */
            world *w = make(sizes[s], kind == 0 ? 1u << 20 : 3, kind == 2, (uint64_t)(s * 3 + kind + 1));
            check(w, kind > 0, s % 2, false, 1 + s % 3, USERS, 10);
            check(w, true, false, true, 2, 7, 40);
            free(w);
        }
}

static void k_may_be_anything(void **state)
{
    (void)state;
    world *w = make(700, 5, false, 100);
    static const int32_t ks[] = {0, 1, 2, 33, 699, 700, 701, 2000};
    for (int i = 0; i < 8; i++) check(w, false, i % 2, false, 1, 13, ks[i]);
    check(w, false, false, false, 2, 0, 5);
    free(w);
    w = make(300, 1, false, 101); /* every score the same */
    check(w, false, false, false, 1, 50, 20);
    free(w);
}

static void candidates_in_any_order(void **state)
{
    (void)state;
    enum { N = 500 };
    float scores[N];
    int32_t candidates[N], items[N];
    ranked want[N];
    for (int round = 0; round < 50; round++) {
        static const int32_t seen[] = {3, 10, 10, 77, 499 * 7 + 1};
        pen__exclude exclude = {seen, 5, NULL};
        int64_t n = 0;
        for (int j = 0; j < N; j++) {
            candidates[j] = ((j * 3 + round) % N) * 7 + 1 + 2 * (round % 2);
            scores[j] = (float)draw((uint64_t)(round * N + j), 20);
            if (candidates[j] == 3 || candidates[j] == 10 || candidates[j] == 77 || candidates[j] == 499 * 7 + 1)
                continue;
            want[n++] = (ranked){scores[j], candidates[j], pen__tie(5, candidates[j])};
        }
        qsort(want, (size_t)n, sizeof *want, compare_ranked);
        void *buffer = malloc(pen__top_bytes(30));
        float top[N];
        assert_int_equal(pen__top_candidates(scores, candidates, N, 5, &exclude, 30, buffer, items, top), 30);
        for (int i = 0; i < 30; i++) assert_int_equal(items[i], want[i].item), assert_true(top[i] == want[i].score);
        assert_int_equal(pen__top_candidates(scores, candidates, 0, 5, NULL, 30, buffer, items, NULL), 0);
        free(buffer);
    }
}

/* Neighbourhoods score few items: the rest is 0, and the best k may reach into it, and beyond. */
static void mostly_zero(void **state)
{
    (void)state;
    enum { N = 3000, K = 20 };
    static float scores[N], top[K];
    static ranked want[N];
    void *buffer = malloc(pen__top_bytes(K));
    for (int round = 0; round < 60; round++) {
        static const float odd[] = {NAN, -1.0f, -0.0f, 1e-40f, -INFINITY, INFINITY};
        uint64_t n_scored = (uint64_t)round % 6 * 12, key = (uint64_t)round;
        int32_t items[K], seen[2] = {7, 500};
        int64_t n = 0;
        bool negative = round % 4 == 3; /* the zeros are too few for k */
        for (int i = 0; i < N; i++) scores[i] = negative && i > 10 ? NAN : 0;
        for (uint64_t i = 0; i < n_scored; i++) scores[draw(key * 100 + i, N)] = (float)(1 + draw(key * 77 + i, 5));
        for (uint64_t i = 0; round % 2 && i < 6; i++) scores[draw(key * 55 + i, N)] = odd[i];
        for (int i = 0; i < N; i++)
            if (i != seen[0] && i != seen[1]) want[n++] = (ranked){scores[i], i, pen__tie(key, i)};
        qsort(want, (size_t)n, sizeof *want, compare_ranked);
        pen__exclude exclude = {seen, 2, NULL};
        assert_int_equal(pen__top_dense(scores, N, key, &exclude, K, buffer, items, top), K);
        for (int i = 0; i < K; i++) assert_true(items[i] == want[i].item && same_score(top[i], want[i].score));
    }
    free(buffer);
}

static void order_is_total(void **state)
{
    (void)state;
    static const float x[] = {NAN, -INFINITY, -1.0f, -0.0f, 0.0f, 1e-40f, 2.0f, INFINITY};
    for (int a = 0; a < 8; a++)
        for (int b = 0; b < 8; b++) {
            ranked ra = {x[a], a, pen__tie(9, a)}, rb = {x[b], b, pen__tie(9, b)};
            assert_int_equal(pen__ahead(9, x[a], a, x[b], b), compare_ranked(&ra, &rb) < 0);
        }
    assert_true(pen__tie(1, 2) != pen__tie(2, 1));
}

static void memory_runs_out_cleanly(void **state)
{
    (void)state;
    world *w = make(700, 5, false, 7);
    for (uint64_t limit = 4000; limit < 600000; limit += 9973) {
        pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
        options.n_threads = 2, options.memory_limit = limit;
        pen_context *ctx;
        pen__panels panels;
        static int32_t top[USERS * 10];
        assert_int_equal(pen_context_create(&options, &ctx, NULL), PEN_OK);
        pen_status status = pen__panels_pack(ctx, w->items, w->n_items, D, D, w->bias, &panels, NULL);
        pen__rank_job job = {
            .items = &panels, .users = w->users, .stride = D, .n_users = USERS, .k = 10, .top_items = top};
        if (status == PEN_OK) status = pen__rank_vectors(ctx, &job, NULL);
        assert_true(status == PEN_OK || status == PEN_E_MEMORY);
        if (limit > 590000) assert_int_equal(status, PEN_OK);
        pen__panels_free(ctx, &panels);
        pen_context_destroy(ctx);
    }
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_total),    cmocka_unit_test(ranks_as_a_sort_does),
        cmocka_unit_test(k_may_be_anything), cmocka_unit_test(candidates_in_any_order),
        cmocka_unit_test(mostly_zero),       cmocka_unit_test(memory_runs_out_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
