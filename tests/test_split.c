/* Splits on hand-made logs whose parts are known, as properties on random logs, and counts on real ones. */
#include "log_fixture.h"

#include "data/expression.h"

static const pen_protocol *protocol_of(const char *split)
{
    static pen_protocol p;
    pen_protocol_init(&p);
    p.duplicates = "keep";
    p.split = split;
    return &p;
}

/* The parts of all events as letters: t training, v validation, T test, - left out, h and H shown. */
static const char *letters(const pen__parts *parts)
{
    static char text[256];
    for (int64_t i = 0; i < parts->n && i < 255; i++) text[i] = "tvT-hH"[parts->part[i]], text[i + 1] = 0;
    return text;
}

static void check_parts(const row *rows, int64_t n, int flags, const pen_protocol *protocol, int64_t valid_from, int64_t test_from,
                        const char *expected)
{
    pen_context *ctx = context_of(1);
    pen_dataset *d = dataset_of(ctx, rows, n, flags);
    pen__log log;
    pen__parts parts;
    pen_error error = {0};
    assert_int_equal(pen__log_build_given(d, protocol, valid_from, test_from, &log, &error), PEN_OK);
    int status = pen__split(&log, protocol, 1, 0, &parts, &error);
    if (status != PEN_OK) print_message("%s\n", error.message);
    assert_int_equal(status, PEN_OK);
    assert_string_equal(letters(&parts), expected);
    pen__parts_free(&parts);
    pen__log_free(&log);
    pen_dataset_destroy(d);
    assert_int_equal(pen_context_memory(ctx), 0);
    pen_context_destroy(ctx);
}

static const row three[] = {/* users of 4, 2 and 1 events; times not in the order of the file */
                            {0, 0, 5, 40}, {0, 1, 1, 10}, {1, 0, 4, 5}, {0, 2, 3, 30}, {2, 3, 2, 7}, {1, 2, 4, 6}, {0, 3, 5, 20}};

static void last_goes_by_time(void **state)
{
    (void)state;
    check_parts(three, 7, 0, protocol_of("last:1"), -1, -1, "TttvtTt");
    check_parts(three, 7, 0, protocol_of("last:1,2"), -1, -1, "TttTttv");
    check_parts(three, 7, 0, protocol_of("last:0,1"), -1, -1, "TttttTt");
    check_parts(three, 7, NO_TIMES, protocol_of("last:1"), -1, -1, "tttvtTT"); /* by the order of the file */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(last_goes_by_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
