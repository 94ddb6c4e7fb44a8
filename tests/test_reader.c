/* Reading logs from small literal texts: what is understood, and what is said about what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/thread.h"
#include "data/read.h"

static pen_context *ctx;
static uint64_t held; /* by the context's threads */

static pen_status nothing(void *arg, int64_t shard, int worker, pen_error *error)
{
    return (void)arg, (void)shard, (void)worker, (void)error, PEN_OK;
}

/* Reads `n` bytes as a log; the status, with *d or the message. */
static pen_status read_bytes(const char *name, const char *text, size_t n, const pen_read_options *options,
                             pen_dataset **d, pen_error *error)
{
    static const pen_read_options defaults = PEN_READ_OPTIONS_INIT;
    pen__stream *stream;
    *error = (pen_error){0};
    pen_status status = pen__stream_memory(ctx, name, text, n, 0, &stream, error);
    assert_int_equal(status, PEN_OK);
    status = pen__read_log(ctx, &stream, 1, NULL, options ? options : &defaults, d, error);
    pen__stream_close(stream);
    return status;
}

static pen_dataset *good(const char *name, const char *text, const pen_read_options *options)
{
    pen_dataset *d = NULL;
    pen_error error;
    if (read_bytes(name, text, strlen(text), options, &d, &error) != PEN_OK) fail_msg("%s", error.message);
    return d;
}

/* The message must hold `words`. */
static void bad(const char *name, const char *text, size_t n, const pen_read_options *options, pen_status code,
                const char *words)
{
    pen_dataset *d = NULL;
    pen_error error;
    pen_status status = read_bytes(name, text, n, options, &d, &error);
    if (status == PEN_OK) fail_msg("read what should fail with: %s", words);
    if (!strstr(error.message, words)) fail_msg("\"%s\" does not say \"%s\"", error.message, words);
    assert_int_equal(status, code);
    assert_null(d);
}

static void assert_id(const pen__strings *ids, int64_t number, const char *id)
{
    assert_true(number >= 0 && number < ids->n);
    pen__span got = pen__strings_at(ids, number);
    assert_int_equal(got.length, strlen(id));
    assert_memory_equal(got.text, id, got.length);
}

static void header_names_roles(void **state)
{
    (void)state;
    pen_dataset *d = good(
        "x.csv",
        "\xEF\xBB\xBFtimestamp,userId,movieId,price,rating\r\n964982703,a,\"x,\"\"1\"\"\",9,4.5\r\n\r\n,b,y,8,-1\r\n",
        NULL);
    assert_int_equal(pen_dataset_events(d), 2);
    assert_id(&d->users, d->user[0], "a");
    assert_id(&d->items, d->item[0], "x,\"1\"");
    assert_true(d->value[0] == 4.5f && d->value[1] == -1);
    assert_true(d->time[0] == 964982703000 && d->time[1] == PEN_TIME_MISSING);
    assert_int_equal(pen_dataset_find_item(d, "y", 1), 1);
    assert_non_null(strstr(pen_dataset_notes(d), "\"negative_values\": 1"));
    assert_non_null(strstr(pen_dataset_notes(d), "\"missing_times\": 1"));
    pen_dataset_destroy(d);
}

static void without_header_by_place(void **state)
{
    (void)state;
    pen_dataset *d = good("u.data", "196\t242\t3\t881250949\n186\t302\t3\t891717742", NULL);
    assert_int_equal(pen_dataset_events(d), 2);
    assert_true(d->value[0] == 3 && d->time[1] == 891717742000);
    pen_dataset_destroy(d);
    d = good("ratings.dat", "1::1193::5::978300760\n1::661::3::978302109\n", NULL);
    assert_id(&d->items, 1, "661");
    assert_true(d->time[0] == 978300760000);
    pen_dataset_destroy(d);
}

static void bad_rows_say_where(void **state)
{
    (void)state;
    static const char comma[] = "user,item,rating\na,x,1\na,y,\"4,5\"\n";
    bad("ratings.csv", comma, strlen(comma), NULL, PEN_E_INPUT,
        "ratings.csv:3:5: value \"4,5\" is not a number (a decimal comma? pass --decimal-comma)");
    static const char blank[] = "user,item,rating\n ,x,1\n";
    bad("b.csv", blank, strlen(blank), NULL, PEN_E_INPUT, "b.csv:2:1: the user is blank");
    static const char two[] = "user,item,rating,score\na,x,1,2\n";
    bad("t.csv", two, strlen(two), NULL, PEN_E_INPUT, "--value-column rating");
    bad("e.csv", "", 0, NULL, PEN_E_INPUT, "no events in 'e.csv'");
    bad("h.csv", "user,item\n", 10, NULL, PEN_E_INPUT, "no events in 'h.csv'");
}

static void skipped_rows_are_counted(void **state)
{
    (void)state;
    pen_read_options options = PEN_READ_OPTIONS_INIT;
    options.skip_bad_rows = 1;
    pen_dataset *d = good("x.csv", "user,item,rating\na,x,1\nb,y,nan\nc,z\n,w,1\na,w,2\n", &options);
    assert_int_equal(pen_dataset_events(d), 2);
    assert_int_equal(pen_dataset_users(d), 1); /* a bad row leaves no id behind */
    assert_non_null(strstr(pen_dataset_notes(d), "\"skipped\": 3"));
    assert_non_null(strstr(pen_dataset_notes(d), "\"blank_ids\": 1"));
    pen_dataset_destroy(d);
}

static int setup(void **state)
{
    (void)state;
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.n_threads = 4;
    int failed = pen_context_create(&options, &ctx, NULL) || pen__parallel(ctx, 2, nothing, NULL, NULL);
    held = pen_context_memory(ctx);
    return failed;
}

static int teardown(void **state)
{
    (void)state;
    int left = pen_context_memory(ctx) != held;
    pen_context_destroy(ctx);
    return left;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_names_roles),
        cmocka_unit_test(without_header_by_place),
        cmocka_unit_test(bad_rows_say_where),
        cmocka_unit_test(skipped_rows_are_counted),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
