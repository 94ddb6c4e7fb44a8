/* Inputs that break readers: each is read rightly or refused with a clear word. */
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reading.h"

static pen_context *ctx;

static void fails(const char *text, const char *words)
{
    must_fail(ctx, "x.csv", text, strlen(text), NULL, PEN_E_INPUT, words);
}

static void nothing_to_read(void **state)
{
    (void)state;
    fails("", "no events in 'x.csv'");
    fails("\n \n\r\n", "no events in 'x.csv'");
    fails("\xEF\xBB\xBF", "no events in 'x.csv'");
    fails("user,item,rating\n", "no events in 'x.csv': it has a header and no rows");
    fails("user,item,rating", "no events in 'x.csv'");
    fails("user_id:token\titem_id:token\n", "no events");
    fails("just one column\nof\nwords and words\n,\n", "x.csv:");
}

static void one_of_everything(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "u,i",    "u,i\n", "\n\nu,i\r\n\r\n", "\"u\",\"i\"", "user,item\nu,i", "u i", "{\"user\":\"u\",\"item\":\"i\"}",
        "u::i::5"};
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        pen_dataset *d = must_read(ctx, "x", texts[k], NULL);
        assert_int_equal(pen_dataset_events(d), 1);
        assert_int_equal(pen_dataset_find_user(d, "u", 1), 0);
        assert_int_equal(pen_dataset_find_item(d, "i", 1), 0);
        pen_dataset_destroy(d);
    }
    pen_dataset *d = must_read(ctx, "x", "u,i\nu,j\nu,k\n", NULL);
    assert_int_equal(pen_dataset_users(d), 1);
    pen_dataset_destroy(d);
    d = must_read(ctx, "x", "u,i\nv,i\nw,i\n", NULL);
    assert_int_equal(pen_dataset_items(d), 1);
    pen_dataset_destroy(d);
}

static void values_that_are_none(void **state)
{
    (void)state;
    static const char *const values[] = {"nan", "inf",  "-Infinity", "1e39", "-1e300", "1e999", "0x10",
                                         "1,5", "four", "",          " ",    "1 2",    "--1",   "."};
    for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
        char text[100];
        snprintf(text, sizeof text, "user\titem\trating\na\tb\t1\nc\td\t%s\n", values[k]);
        must_fail(ctx, "x.tsv", text, strlen(text), NULL, PEN_E_INPUT, "x.tsv:3:5: ");
    }
    pen_dataset *d =
        must_read(ctx, "x", "user\titem\trating\na\tb\t 3.4e38\na\tb\t+.5 \na\tb\t-0\na\tb\t5e-324\n", NULL);
    assert_true(d->value[0] > 3.3e38f && d->value[1] == 0.5f && d->value[3] == 0);
    pen_dataset_destroy(d);
    pen_read_options comma = PEN_READ_OPTIONS_INIT;
    comma.decimal_comma = 1;
    d = must_read(ctx, "x", "user;item;rating\na;b;4,5\na;c;3\n", &comma);
    assert_true(d->value[0] == 4.5f && d->value[1] == 3);
    pen_dataset_destroy(d);
    must_fail(ctx, "x", "user;item;rating\na;b;4.5\n", 25, &comma, PEN_E_INPUT,
              "a decimal point? leave --decimal-comma out");
}

static void bytes_in_ids(void **state)
{
    (void)state;
    static const char nul[] = "user,item\nab,c\nab\0,d\n", long_nul[] = "user,item\nx,0123456789\0a\n";
    must_fail(ctx, "x", nul, sizeof nul - 1, NULL, PEN_E_INPUT, "x:3:1: the user holds a NUL byte");
    must_fail(ctx, "x", long_nul, sizeof long_nul - 1, NULL, PEN_E_INPUT, "x:2:3: the item holds a NUL byte");
    fails("user,item\nu,caf\xE9\n", "x.csv:2:3: the item is not UTF-8: byte 0xE9 at its byte 3");
    fails("user,item\n\xC3\x28,i\n", "--encoding latin1");
    fails("\xFF\xFEu\0s\0", "UTF-16");
    pen_read_options latin1 = PEN_READ_OPTIONS_INIT;
    latin1.encoding = "cp1252";
    pen_dataset *d = must_read(ctx, "x", "user,item\nu,caf\xE9\x80\n", &latin1);
    assert_int_equal(pen_dataset_find_item(d, "caf\xC3\xA9\xE2\x82\xAC", 8), 0);
    must_note(d, "\"encoding\": \"cp1252\"");
    pen_dataset_destroy(d);
    static const char *const contexts[] = {"3"};
    pen_read_options named = PEN_READ_OPTIONS_INIT;
    named.context_columns = contexts, named.n_context_columns = 1;
    must_fail(ctx, "x", "user,item,\xE9t\xE9\nu,i,1\n", 21, &named, PEN_E_INPUT,
              "a column's name in the header is not UTF-8");
    named.encoding = "latin1";
    d = must_read(ctx, "x", "user,item,\xE9t\xE9\nu,i,1\n", &named);
    assert_string_equal(d->context[0].name, "\xC3\xA9t\xC3\xA9");
    pen_dataset_destroy(d);
    d = must_read(
        ctx, "x",
        "user,item\nBob,\xE4\xB8\xAD\xE6\x96\x87\nbob,i\n Bob,I\n\xF0\x9F\x98\x80,0123456789abcdef0123456789\n", NULL);
    assert_int_equal(pen_dataset_users(d), 4);
    assert_int_equal(pen_dataset_find_item(d, "\xE4\xB8\xAD\xE6\x96\x87", 6), 0);
    must_note(d, "\"alike_users\": 2, \"alike_items\": 1");
    pen_dataset_destroy(d);
}

static void quotes(void **state)
{
    (void)state;
    pen_dataset *d =
        must_read(ctx, "x", "user,item,rating\n\"a\nb\",\"x,\"\"y\",3\n\"Weird Al\" Yankovic,5\" disk,4\n\"\",z,1\n",
                  &(pen_read_options){sizeof(pen_read_options), .skip_bad_rows = 1, .header = -1});
    assert_int_equal(pen_dataset_events(d), 2);
    assert_int_equal(pen_dataset_find_user(d, "a\nb", 3), 0);
    assert_int_equal(pen_dataset_find_item(d, "x,\"y", 4), 0);
    assert_int_equal(pen_dataset_find_user(d, "\"Weird Al\" Yankovic", 19), 1);
    assert_int_equal(pen_dataset_find_item(d, "5\" disk", 7), 1);
    must_note(d, "\"odd_quotes\": 1");
    must_note(d, "x:5:1: the user is blank"); /* lines are counted through quoted line ends */
    pen_dataset_destroy(d);
    d = must_read(ctx, "x", "\"user\"\t\"item\"\n\"never closed\tz\nb\tc\n", NULL);
    assert_int_equal(pen_dataset_find_user(d, "\"never closed", 13), 0);
    pen_dataset_destroy(d);
}

static void columns(void **state)
{
    (void)state;
    fails("user,item,user\n1,2,3\n", "x.csv:1:11: the column name \"user\" stands twice (columns 1 and 3)");
    fails("user,item,rating,score\n1,2,3,4\n",
          "both 'rating' (column 3) and 'score' (column 4) may be the value column; pass --value-column rating");
    fails("a,b,c\nx,y,1\n", "pass --user-column");
    fails("user,item,rating\na,b\n", "x.csv:2:1: the row has 2 columns; the header has 3, and column 3 is needed");
    fails("user,item\na,b,c\n", "x.csv:2:1: the row has 3 columns; the header has 2");
    pen_read_options named = PEN_READ_OPTIONS_INIT;
    named.value_column = "scoer";
    must_fail(ctx, "x", "user,item,score\n1,2,3\n", 22, &named, PEN_E_UNKNOWN,
              "did you mean 'score'? It has user, item, score");
    named.value_column = "9";
    must_fail(ctx, "x", "user,item,score\n1,2,3\n", 22, &named, PEN_E_UNKNOWN, "has columns 1 to 3");
    named.value_column = "item";
    named.item_column = "ITEM";
    must_fail(ctx, "x", "user,item,score\n1,2,3\n", 22, &named, PEN_E_ARGUMENT, "asked for twice");
    named = (pen_read_options)PEN_READ_OPTIONS_INIT;
    named.user_column = "3", named.item_column = "who", named.value_column = "";
    pen_dataset *d = must_read(ctx, "x", "score,who,x\n4,i,u\n", &named);
    assert_null(d->value);
    assert_int_equal(pen_dataset_find_user(d, "u", 1), 0);
    pen_dataset_destroy(d);
    d = must_read(ctx, "x", "user_id,product_id,price,quantity,amount\nu,i,3,4,5\n", NULL);
    assert_null(d->value); /* none of them is a value */
    pen_dataset_destroy(d);
    d = must_read(ctx, "x", "user_id,session_id,item_id\nu,s,i\n", NULL);
    assert_int_equal(pen_dataset_find_user(d, "u", 1), 0);
    pen_dataset_destroy(d);
}

static void a_line_of_a_million_columns(void **state)
{
    (void)state;
    enum { N = 1000000 };
    char *text = malloc(2 * N + 64);
    assert_non_null(text);
    size_t n = (size_t)sprintf(text, "user,item\n");
    for (int i = 0; i < N; i++) text[n++] = 'a', text[n++] = i + 1 < N ? ',' : '\n';
    must_fail(ctx, "x", text, n, NULL, PEN_E_INPUT, "x:2:1: the row has 1000000 columns; the header has 2");
    must_fail(ctx, "x", text + 10, n - 10, NULL, PEN_E_INPUT, "over 65536 columns");
    for (size_t i = 10; i < n; i++)
        if (text[i] == ',') text[i] = ' ';
    pen_dataset *d;
    pen_error error;
    assert_int_equal(read_log_bytes(ctx, "x", text + 10, n - 10, 0, NULL, &d, &error), PEN_OK);
    assert_int_equal(pen_dataset_events(d), N - 1); /* a list */
    pen_dataset_destroy(d);
    free(text);
}

static void times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"881250949", 881250949000},
        {"1719834000123", 1719834000123},
        {"1719834000.5", 1719834000500},
        {"1719834000123456", 1719834000123},
        {"2024-07-01", 1719792000000},
        {"2024-07-01T11:40:00Z", 1719834000000},
        {"2024-07-01 11:40:00.123", 1719834000123},
        {"2024-07-01T13:40:00+02:00", 1719834000000},
        {"2024-07-01T06:40-0500", 1719834000000},
        {"20240701T114000Z", 1719834000000},
        {"1969-12-31T23:59:59Z", -1000},
        {"2000-02-29", 951782400000},
        {"2016-12-31T23:59:60Z", 1483228800000},
        {"-5", -5000},
        {"2024-07-01 11:40:00 UTC", 1719834000000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[100];
        snprintf(text, sizeof text, "user,item,timestamp\nu,i,%s\nu,j,\n", cases[i].text);
        pen_dataset *d = must_read(ctx, "x", text, NULL);
        if (d->time[0] != cases[i].ms)
            fail_msg("%s is %lld, not %lld", cases[i].text, (long long)d->time[0], (long long)cases[i].ms);
        assert_true(d->time[1] == PEN_TIME_MISSING);
        must_note(d, "\"missing_times\": 1");
        pen_dataset_destroy(d);
    }
    static const char *const wrong[] = {"2024-02-30",
                                        "2023-02-29",
                                        "2024-13-01",
                                        "2024-01-01T25:00",
                                        "yesterday",
                                        "2024-01-01T10:00+99:00",
                                        "99999999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[100];
        snprintf(text, sizeof text, "user,item,timestamp\nu,i,2024-01-01\nu,i,%s\n", wrong[i]);
        fails(text, "x.csv:3:5: time \"");
    }
}

static void json_lines(void **state)
{
    (void)state;
    pen_dataset *d = must_read(ctx, "x",
                               "{\"userId\": 7, \"movieId\": \"a\\n\\u00e9\\ud83d\\ude00\", \"rating\": 4.5, \"deep\": "
                               "{\"a\": [1, {\"b\": \"}\"}]}}\n\n"
                               "{\"rating\": 1e0, \"movieId\": \"b\", \"userId\": 8, \"new\": null}\r\n",
                               NULL);
    assert_int_equal(pen_dataset_events(d), 2);
    assert_int_equal(pen_dataset_find_item(d, "a\n\xC3\xA9\xF0\x9F\x98\x80", 8), 0);
    assert_true(d->value[0] == 4.5f && d->value[1] == 1);
    pen_dataset_destroy(d);
    static const struct {
        const char *line, *words;
    } cases[] = {
        {"{\"user\": 1, \"item\": 2", "x.csv:2:22: a comma or a closing brace is missing"},
        {"[1, 2]", "x.csv:2:1: the line is not a JSON object"},
        {"{\"user\": 1, \"item\": 2} x", "something stands behind the object"},
        {"{\"user\": \"a}", "a string has no end"},
        {"{\"user\": \"\\x\", \"item\": 2}", "an escape"},
        {"{\"user\": \"\\ud800\", \"item\": 2}", "surrogate"},
        {"{\"user\": [1], \"item\": 2}", "is a list or an object"},
        {"{\"user\": null, \"item\": 2}", "the user is blank"},
        {"{\"user\": 'a', \"item\": 2}", "there is no value"},
        {"{\"user\": 1}", "the item is blank"},
        {"{\"user\": \"\\u0000\", \"item\": 1}", "NUL byte"},
        {"{user: 1}", "a name in double quotes"},
        {"{\"user\": [[[[", "a bracket is not closed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        snprintf(text, sizeof text, "{\"user\": 1, \"item\": 2}\n%s\n", cases[i].line);
        must_fail(ctx, "x.csv", text, strlen(text), NULL, PEN_E_INPUT, cases[i].words);
    }
}

static void comments_and_lists(void **state)
{
    (void)state;
    pen_read_options options = PEN_READ_OPTIONS_INIT;
    options.comment = "#";
    pen_dataset *d = must_read(ctx, "x", "# a log\nuser,item\n# more \"\nu,i\n", &options);
    assert_int_equal(pen_dataset_events(d), 1);
    pen_dataset_destroy(d);
    d = must_read(ctx, "x", "u1 a b c\nu2\nu3 a b\n", NULL);
    must_note(d, "\"input\": \"lists\"");
    pen_dataset_destroy(d);
    options.input = "lists";
    d = must_read(ctx, "x", "u1 a b c\nu2\nu3\ta  b \r\n", &options);
    must_note(d, "\"input\": \"lists\"");
    assert_int_equal(pen_dataset_events(d), 5);
    assert_int_equal(pen_dataset_users(d), 2);
    pen_dataset_destroy(d);
}

static void options_are_checked(void **state)
{
    (void)state;
    pen_read_options options = PEN_READ_OPTIONS_INIT;
    options.input = "delimted";
    must_fail(ctx, "x", "u,i", 3, &options, PEN_E_UNKNOWN, "did you mean 'delimited'?");
    options = (pen_read_options)PEN_READ_OPTIONS_INIT;
    options.encoding = "utf-9";
    must_fail(ctx, "x", "u,i", 3, &options, PEN_E_UNKNOWN, "did you mean 'utf-8'?");
    options = (pen_read_options)PEN_READ_OPTIONS_INIT;
    options.delimiter = "";
    must_fail(ctx, "x", "u,i", 3, &options, PEN_E_ARGUMENT, "allowed are 1 to 8");
}

static void files_that_are_none(void **state)
{
    (void)state;
    pen_dataset *d;
    pen_error error;
    char path[64] = "/tmp/penchant-nasty-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    const char *paths[1] = {"/tmp"};
    assert_int_equal(pen_dataset_load(ctx, paths, 1, NULL, &d, &error), PEN_E_IO);
    assert_non_null(strstr(error.message, "it is a folder"));
    paths[0] = "/no/such/file.csv";
    assert_int_equal(pen_dataset_load(ctx, paths, 1, NULL, &d, &error), PEN_E_IO);
    assert_non_null(strstr(error.message, "No such file"));
    assert_int_equal(write(fd, "u,i\n", 4), 4);
    paths[0] = path;
    if (geteuid() != 0) { /* root reads everything */
        assert_int_equal(fchmod(fd, 0), 0);
        assert_int_equal(pen_dataset_load(ctx, paths, 1, NULL, &d, &error), PEN_E_IO);
        assert_non_null(strstr(error.message, "Permission denied"));
        assert_int_equal(fchmod(fd, 0600), 0);
    }
    assert_int_equal(pen_dataset_load(ctx, paths, 1, NULL, &d, &error), PEN_OK);
    pen_dataset_destroy(d);
    close(fd);
    unlink(path);
    static const char cut_gzip[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x2b\xd5\xc9";
    must_fail(ctx, "x.gz", cut_gzip, sizeof cut_gzip - 1, NULL, PEN_E_INPUT, "x.gz: the gzip data is damaged");
    must_fail(ctx, "x.zst", "\x28\xB5\x2F\xFD\x00\x00\x00", 7, NULL, PEN_E_INPUT, "x.zst: the zstd data is damaged");
}

static int setup(void **state)
{
    (void)state;
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.n_threads = 1; /* no threads: what is left at the end is a leak */
    return pen_context_create(&options, &ctx, NULL);
}

static int teardown(void **state)
{
    (void)state;
    int left = pen_context_memory(ctx) != 0;
    pen_context_destroy(ctx);
    return left;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_to_read),
        cmocka_unit_test(one_of_everything),
        cmocka_unit_test(values_that_are_none),
        cmocka_unit_test(bytes_in_ids),
        cmocka_unit_test(quotes),
        cmocka_unit_test(columns),
        cmocka_unit_test(times),
        cmocka_unit_test(json_lines),
        cmocka_unit_test(a_line_of_a_million_columns),
        cmocka_unit_test(comments_and_lists),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(files_that_are_none),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
