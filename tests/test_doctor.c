/* The doctor on hand-made logs whose findings are known; its JSON is parsed with jansson. */
#include "log_fixture.h"

#include <jansson.h>
#include <time.h>

#include "data/alike.h"
#include "data/doctor.h"
#include "data/doctor_impl.h"
#include "penchant/dataset.h"

static json_t *examine(const pen_dataset *d, const char *split)
{
    pen_protocol p;
    pen_protocol_init(&p);
    p.split = split;
    pen__text text = {.ctx = d->ctx};
    pen_error error = {0};
    int status = pen__doctor(d, &p, &text, &error);
    if (status != PEN_OK) print_message("%s\n", error.message);
    assert_int_equal(status, PEN_OK);
    json_error_t bad;
    json_t *report = json_loads(text.bytes, JSON_REJECT_DUPLICATES, &bad);
    if (!report) print_message("%s at %d: %s\n", bad.text, bad.position, text.bytes);
    assert_non_null(report);
    pen__text_free(&text);
    return report;
}

/* "a.b.c" or "a.3.b". */
static json_t *at(json_t *from, const char *path)
{
    char word[64];
    while (*path && from) {
        size_t n = strcspn(path, ".");
        memcpy(word, path, n);
        word[n] = 0;
        path += n + (path[n] == '.');
        from = json_is_array(from) ? json_array_get(from, (size_t)atoi(word)) : json_object_get(from, word);
    }
    if (!from) print_message("no '%s'\n", path);
    assert_non_null(from);
    return from;
}

static int64_t whole(json_t *report, const char *path) { return json_integer_value(at(report, path)); }
static double real(json_t *report, const char *path) { return json_number_value(at(report, path)); }

/* Whether the verdict has such words, at that severity; and something to do. */
static int says(json_t *report, const char *severity, const char *words)
{
    size_t i;
    json_t *one;
    json_array_foreach (json_object_get(report, "verdict"), i, one) {
        if (!strstr(json_string_value(json_object_get(one, "what")), words)) continue;
        assert_string_equal(json_string_value(json_object_get(one, "severity")), severity);
        return 1;
    }
    return 0;
}

static void must_say(const row *rows, int64_t n, int flags, const char *split, const char *severity, const char *words)
{
    pen_context *ctx = context_of(1);
    pen_dataset *d = dataset_of(ctx, rows, n, flags);
    json_t *report = examine(d, split);
    if (!says(report, severity, words)) {
        char *text = json_dumps(json_object_get(report, "verdict"), 0);
        print_message("'%s' is not in %s\n", words, text);
        free(text);
        fail();
    }
    json_decref(report);
    pen_dataset_destroy(d);
    assert_int_equal(pen_context_memory(ctx), 0);
    pen_context_destroy(ctx);
}

static void counts_are_right(void **state)
{
    (void)state;
    /* 3 users of 4, 2, 1 events; the pair (0, 0) three times, two of those rows the same. */
    const row rows[] = {{0, 0, 5, 10}, {0, 0, 5, 10}, {0, 0, 1, 30}, {0, 1, 3, 30},
                        {1, 0, 2, 50}, {1, 2, 2, 60}, {2, 0, -1, 70}};
    pen_context *ctx = context_of(1);
    pen_dataset *d = dataset_of(ctx, rows, 7, 0);
    json_t *r = examine(d, "last:1");
    assert_int_equal(whole(r, "events"), 7);
    assert_int_equal(whole(r, "users"), 3);
    assert_int_equal(whole(r, "items"), 3);
    assert_int_equal(whole(r, "pairs"), 5);
    assert_true(fabs(real(r, "density") - 5.0 / 9) < 1e-5);
    assert_int_equal(whole(r, "duplicates.events"), 2);
    assert_int_equal(whole(r, "duplicates.pairs"), 1);
    assert_int_equal(whole(r, "duplicates.same_rows"), 1);
    assert_int_equal(whole(r, "events_per_user.least"), 1);
    assert_int_equal(whole(r, "events_per_user.most"), 4);
    assert_true(real(r, "events_per_user.median") == 2);
    assert_int_equal(whole(r, "events_per_user.histogram.0.users"), 1);
    assert_int_equal(whole(r, "events_per_user.histogram.1.users"), 1);
    assert_int_equal(whole(r, "events_per_user.histogram.2.users"), 1);
    assert_string_equal(json_string_value(at(r, "events_per_user.histogram.2.events")), "3-4");
    assert_string_equal(json_string_value(at(r, "events_per_item.top.0.id")), "i0");
    assert_int_equal(whole(r, "events_per_item.top.0.events"), 5);
    /* Items have 1, 1, 5 events: Gini = 2 (1*1 + 2*1 + 3*5) / (3*7) - 4/3. */
    assert_true(fabs(real(r, "events_per_item.gini") - (36.0 / 21 - 4.0 / 3)) < 1e-4);
    assert_int_equal(json_array_size(at(r, "events_per_item.curve")), 3);
    assert_true(fabs(real(r, "events_per_item.curve.0.1") - 5.0 / 7) < 1e-4);
    assert_true(real(r, "events_per_item.curve.2.1") == 1);
    assert_int_equal(whole(r, "values.negative"), 1);
    assert_int_equal((int)json_array_size(at(r, "values.histogram")), 5);
    assert_true(real(r, "values.histogram.0.value") == -1 && real(r, "values.histogram.4.value") == 5);
    assert_int_equal(whole(r, "values.histogram.2.events"), 2);
    assert_true(real(r, "values.median") == 2);
    assert_int_equal(whole(r, "times.ties"), 4); /* u0 at 10 and at 30, twice each */
    assert_false(json_is_true(at(r, "times.dates")));
    assert_true(real(r, "times.from") == 10 && real(r, "times.to") == 70);
    assert_true(says(r, "warning", "only 7 events"));
    assert_true(says(r, "note", "2 events (28.6 %) repeat a pair"));
    assert_true(says(r, "warning", "1 rows (14.3 %) are the same"));
    json_decref(r);
    pen_dataset_destroy(d);
    pen_context_destroy(ctx);
}

static void gini_and_curve_on_known_shapes(void **state)
{
    (void)state;
    row even[400];
    for (int i = 0; i < 400; i++) even[i] = (row){i / 4, i % 100, 1, i};
    pen_context *ctx = context_of(1);
    pen_dataset *d = dataset_of(ctx, even, 400, 0);
    json_t *r = examine(d, "last:1");
    assert_true(fabs(real(r, "events_per_item.gini")) < 1e-9);
    assert_true(fabs(real(r, "events_per_item.top_percent") - 0.01) < 1e-9);
    size_t n = json_array_size(at(r, "events_per_item.curve"));
    assert_in_range(n, 20, PEN_N_CURVE);
    for (size_t i = 0; i < n; i++) { /* the diagonal */
        json_t *point = json_array_get(at(r, "events_per_item.curve"), i);
        assert_true(fabs(json_number_value(json_array_get(point, 0)) - json_number_value(json_array_get(point, 1))) <
                    1e-4);
    }
    json_decref(r);
    pen_dataset_destroy(d);
    pen_context_destroy(ctx);
}

static void suspicious_things_are_said(void **state)
{
    (void)state;
    int64_t n = 3000;
    row *rows = random_rows(n, 100, 80, 1);
    must_say(rows, 1, 0, NULL, "problem", "All events are of one user");
    must_say(rows, 1, 0, NULL, "problem", "The split cannot be made");
    must_say(rows, n, NO_TIMES, NULL, "note", "There are no times");
    must_say(rows, n, 0, "time:2030-01-01", "problem", "leaves no event to test on");
    must_say(rows, n, 0, "ratio:0.8", "warning", "the split looks into the future");
    must_say(rows, n, 0, "last:1", "note", "is later than the first test event of anybody");

    row *x = malloc((size_t)n * sizeof *x);
#define CHANGED(what)                       \
    memcpy(x, rows, (size_t)n * sizeof *x); \
    for (int64_t i = 0; i < n; i++) what
    CHANGED(x[i].value = 3);
    must_say(x, n, 0, NULL, "note", "All values are 3");
    CHANGED(x[i].value = i % 50 ? 4 : -20);
    must_say(x, n, 0, NULL, "warning", "60 values are negative (down to -20)");
    CHANGED(x[i].value = i % 50 ? 4 : -1);
    must_say(x, n, 0, NULL, "note", "60 values are negative (down to -1)");
    CHANGED(x[i].value = i % 10 ? (double)(i % 37) : 1000.0 * (double)i);
    must_say(x, n, 0, NULL, "note", "amounts or counts, not ratings");
    CHANGED(x[i].value = i % 3 ? 4 : NAN);
    must_say(x, n, 0, NULL, "note", "1000 events have no value");
    CHANGED(x[i].time = i % 4 ? x[i].time : PEN_TIME_MISSING);
    must_say(x, n, 0, NULL, "warning", "750 events (25.0 %) have no time");
    must_say(x, n, 0, NULL, "problem", "events have no time, and ratio-time:0.8 needs their order");
    CHANGED(x[i].time = 1600000000);
    must_say(x, n, 0, "ratio:0.8", "warning", "All events have one and the same time");
    CHANGED(x[i].time = i % 4 ? 1600000000 + i : 1500000000);
    must_say(x, n, 0, "ratio:0.8", "warning", "25 % of the events have the same time");
    int64_t soon = (int64_t)time(NULL) + 100 * 86400;
    CHANGED(x[i].time = i % 100 ? 1600000000 + i : soon);
    must_say(x, n, 0, NULL, "warning", "30 events lie in the future");
    CHANGED(x[i].time = i % 100 ? 1600000000 + i : 0);
    must_say(x, n, 0, NULL, "warning", "30 events are dated before 1980");
    CHANGED(x[i].time = 1600000000 + i / 600);
    must_say(x, n, 0, "ratio:0.8", "note", "share their moment with another one of the same user");
    CHANGED(x[i].user = i % 3 ? x[i].user : 7);
    must_say(x, n, 0, NULL, "warning", "User 'u7' has 3");
    CHANGED((x[i].user = (int)i, x[i].item = (int)(i % 80)));
    must_say(x, n, 0, NULL, "problem", "Each event has a user of its own");
    CHANGED(x[i].user = (int)i / 2);
    must_say(x, n, 0, NULL, "warning", "% of the users have one or two events");
    CHANGED(x[i].item = (int)i / 2);
    must_say(x, n, 0, NULL, "note", "% of the items have fewer than five events");
    CHANGED(x[i].item = i % 2 ? (int)i : 0);
    must_say(x, n, 0, NULL, "note", "The most popular hundredth of the items has");
    must_say(x, n, 0, NULL, "warning", "are of items that training lacks");
    CHANGED((x[i].user = (int)(i / 3), x[i].time = i));
    must_say(x, n, 0, "time:0.8", "note", "are of users that training lacks");
    free(x);
    free(rows);
}

static void a_sound_log_gets_no_warning(void **state)
{
    (void)state;
    int64_t n = 20000;
    row *rows = malloc((size_t)n * sizeof *rows);
    for (int64_t i = 0; i < n; i++)
        rows[i] = (row){(int)(i % 500), (int)((i * 7 + i / 500 * 13) % 400), 1 + (double)(i % 5), 1600000000 + i * 60};
    pen_context *ctx = context_of(2);
    pen_dataset *d = dataset_of(ctx, rows, n, 0);
    json_t *r = examine(d, NULL);
    size_t i;
    json_t *one;
    json_array_foreach (json_object_get(r, "verdict"), i, one)
        assert_string_equal(json_string_value(json_object_get(one, "severity")), "note");
    assert_true(says(r, "note", "Nothing in this log speaks against learning from it"));
    assert_true(json_is_true(at(r, "times.dates")));
    assert_string_equal(json_string_value(at(r, "times.from")), "2020-09-13T12:26:40Z");
    json_decref(r);
    pen_dataset_destroy(d);
    pen_context_destroy(ctx);
    free(rows);
}

static void an_empty_log_is_a_problem(void **state)
{
    (void)state;
    must_say(NULL, 0, 0, NULL, "problem", "There is no event");
    must_say(NULL, 0, NO_TIMES | NO_VALUES, NULL, "problem", "There is no event");
}

static void alike_ids_are_found(void **state)
{
    (void)state;
    pen_context *ctx = context_of(1);
    static const char *const names[] = {"anna",
                                        "Anna",
                                        "bob",
                                        " bob",
                                        "BOB ",
                                        "Cy",
                                        "CY",
                                        "dan",
                                        "\xC3\x84"
                                        "dan"};
    pen__strings ids = {.ctx = ctx};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int32_t number;
        assert_int_equal(pen__strings_add(&ids, pen__span_of(names[i]), &number, NULL), PEN_OK);
    }
    pen__alike alike;
    assert_int_equal(pen__alike_find(&ids, &alike, NULL), PEN_OK);
    assert_int_equal(alike.n, 4); /* Anna, two like bob, CY like Cy */
    assert_int_equal(alike.pair[0][0], 1);
    assert_int_equal(alike.pair[0][1], 0);
    assert_int_equal(alike.pair[2][0], 4);
    assert_int_equal(alike.pair[2][1], 2);
    pen__strings_free(&ids);
    pen_context_destroy(ctx);
}

static void moments_are_written(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } known[] = {{0, "1970-01-01T00:00:00Z"},
                 {951782400000, "2000-02-29T00:00:00Z"},
                 {-1, "1969-12-31T23:59:59Z"},
                 {1577836799999, "2019-12-31T23:59:59Z"}};
    pen_context *ctx = context_of(1);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        pen__text text = {.ctx = ctx};
        pen__text_moment(&text, known[i].ms);
        assert_string_equal(text.bytes, known[i].text);
        pen__text_free(&text);
    }
    pen_context_destroy(ctx);
}

static void movielens_has_no_problem(void **state)
{
    (void)state;
    const char *path = real_data("ml-100k/u.data"), *items = real_data("ml-100k/u.item");
    if (!path || !items) return;
    pen_context *ctx = context_of(0);
    pen_dataset *d;
    pen_read_options options = PEN_READ_OPTIONS_INIT;
    options.items_path = items;
    assert_int_equal(pen_dataset_read(ctx, &path, 1, &options, &d, NULL), PEN_OK);
    json_t *r = examine(d, NULL);
    assert_int_equal(whole(r, "events"), 100000);
    assert_int_equal(whole(r, "users"), 943);
    assert_int_equal(whole(r, "items"), 1682);
    assert_string_equal(json_string_value(at(r, "events_per_item.top.0.title")), "Star Wars (1977)");
    assert_int_equal(whole(r, "values.histogram.3.events"), 34174);
    size_t i;
    json_t *one;
    json_array_foreach (json_object_get(r, "verdict"), i, one)
        assert_string_equal(json_string_value(json_object_get(one, "severity")), "note");
    json_decref(r);
    pen_dataset_destroy(d);
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_right),           cmocka_unit_test(gini_and_curve_on_known_shapes),
        cmocka_unit_test(suspicious_things_are_said), cmocka_unit_test(a_sound_log_gets_no_warning),
        cmocka_unit_test(an_empty_log_is_a_problem),  cmocka_unit_test(alike_ids_are_found),
        cmocka_unit_test(moments_are_written),        cmocka_unit_test(movielens_has_no_problem)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
