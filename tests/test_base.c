/* The base: memory limits, parallel work, files, text. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/thread.h"

static void limit_refuses_and_counts(void **state)
{
    (void)state;
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.memory_limit = 1000;
    pen_context *ctx;
    assert_int_equal(pen_context_create(&options, &ctx, NULL), PEN_OK);
    void *a = pen__alloc(ctx, 600);
    assert_non_null(a);
    assert_int_equal((uintptr_t)a % 64, 0);
    assert_null(pen__alloc(ctx, 600));
    a = pen__realloc(ctx, a, 900);
    assert_non_null(a);
    assert_int_equal(pen_context_memory(ctx), 900);
    pen__free(ctx, a);
    assert_int_equal(pen_context_memory(ctx), 0);
    assert_int_equal(pen_context_memory_peak(ctx), 900);
    pen_context_destroy(ctx);
}

static pen_status add_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker;
    if (shard == 700) return pen__fail(error, PEN_E_INPUT, "shard 700");
    ((int64_t *)arg)[shard] += shard;
    return PEN_OK;
}

static void parallel_runs_each_shard_once(void **state)
{
    (void)state;
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.n_threads = 4;
    pen_context *ctx;
    assert_int_equal(pen_context_create(&options, &ctx, NULL), PEN_OK);
    static int64_t got[1000];
    for (int round = 1; round <= 50; round++) {
        assert_int_equal(pen__parallel(ctx, 700, add_shard, got, NULL), PEN_OK);
        for (int i = 0; i < 700; i++) assert_int_equal(got[i], i * round);
    }
    pen_error error = {0};
    assert_int_equal(pen__parallel(ctx, 1000, add_shard, got, &error), PEN_E_INPUT);
    assert_string_equal(error.message, "shard 700");
    pen_context_destroy(ctx);
}

static void text_parses(void **state)
{
    (void)state;
    double d;
    assert_true(pen__parse_double(pen__span_of("4.5"), &d) && d == 4.5);
    assert_true(pen__parse_double(pen__span_of("-1e-3"), &d) && d == -1e-3);
    assert_false(pen__parse_double(pen__span_of("4,5"), &d));
    assert_false(pen__parse_double(pen__span_of(""), &d));
    assert_false(pen__parse_double(pen__span_of("."), &d));
    assert_false(pen__parse_double(pen__span_of("0x10"), &d));
    int64_t i;
    assert_true(pen__parse_int64(pen__span_of("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_false(pen__parse_int64(pen__span_of("9223372036854775808"), &i));
    uint64_t u;
    assert_true(pen__parse_bytes(pen__span_of("1.5G"), &u) && u == 3ull << 29);
    assert_false(pen__parse_bytes(pen__span_of("8X"), &u));
    assert_int_equal(pen__utf8_invalid("abc\xC3\xA9 and so on", 15), 15);
    assert_int_equal(pen__utf8_invalid("abcdefghij\xFF", 11), 10);
    assert_int_equal(pen__utf8_invalid("\xED\xA0\x80", 3), 0);
    static const char *const names[] = {"ials", "bpr", "item-knn", "user-knn"};
    assert_int_equal(pen__nearest_name(pen__span_of("itemknn"), names, 4, sizeof *names), 2);
    assert_int_equal(pen__nearest_name(pen__span_of("zzz"), names, 4, sizeof *names), -1);
}

static void numbers_that_are_not_finite_are_named(void **state)
{
    (void)state;
    assert_string_equal(pen__not_finite(NAN), "is not a number");
    assert_string_equal(pen__not_finite(copysign(NAN, -1)), "is not a number");
    assert_string_equal(pen__not_finite(INFINITY), "is infinite");
    assert_string_equal(pen__not_finite(-INFINITY), "is infinite");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(limit_refuses_and_counts),
                                       cmocka_unit_test(parallel_runs_each_shard_once), cmocka_unit_test(text_parses),
                                       cmocka_unit_test(numbers_that_are_not_finite_are_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
