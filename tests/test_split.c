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

static void check_parts(const row *rows, int64_t n, int flags, const pen_protocol *protocol, int64_t valid_from,
                        int64_t test_from, const char *expected)
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
                            {0, 0, 5, 40}, {0, 1, 1, 10}, {1, 0, 4, 5}, {0, 2, 3, 30},
                            {2, 3, 2, 7},  {1, 2, 4, 6},  {0, 3, 5, 20}};

static void last_goes_by_time(void **state)
{
    (void)state;
    check_parts(three, 7, 0, protocol_of("last:1"), -1, -1, "TttvtTt");
    check_parts(three, 7, 0, protocol_of("last:1,2"), -1, -1, "TttTttv");
    check_parts(three, 7, 0, protocol_of("last:0,1"), -1, -1, "TttttTt");
    check_parts(three, 7, NO_TIMES, protocol_of("last:1"), -1, -1, "tttvtTT"); /* by the order of the file */
}

static void refuse(const row *rows, int64_t n, int flags, const pen_protocol *protocol, int expected, const char *words)
{
    pen_context *ctx = context_of(1);
    pen_dataset *d = dataset_of(ctx, rows, n, flags);
    pen__log log;
    pen__parts parts;
    pen_error error = {0};
    assert_int_equal(pen__log_build(d, protocol, &log, &error), PEN_OK);
    assert_int_equal(pen__split(&log, protocol, 1, 0, &parts, &error), expected);
    if (!strstr(error.message, words)) print_message("'%s' does not say '%s'\n", error.message, words);
    assert_non_null(strstr(error.message, words));
    pen__log_free(&log);
    pen_dataset_destroy(d);
    assert_int_equal(pen_context_memory(ctx), 0);
    pen_context_destroy(ctx);
}

/* ---- the words --------------------------------------------------------------------------------------------------- */

static void specs_say_what_is_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *words;
    } bad[] = {
        {"", "unknown split ''; allowed are ratio:0.8"},
        {"ratoi:0.8", "did you mean 'ratio'"},
        {"ratio", "has no numbers"},
        {"ratio:", "has no numbers"},
        {"ratio:x", "'x' is not a share between 0 and 1"},
        {"ratio:1.5", "'1.5' is not a share"},
        {"ratio:-0.5", "is not a share"},
        {"ratio:nan", "is not a share"},
        {"ratio:1", "nothing to test"},
        {"ratio:0", "nothing for training"},
        {"ratio:0.8,0.2", "has two shares"},
        {"ratio:0.8,0.1,0.2", "sum to 1.1"},
        {"ratio:0.8,0.1,0.05,0.05", "more than three"},
        {"ratio:0,0.5,0.5", "nothing for training"},
        {"ratio:0.8,,0.2", "'' is not a share"},
        {"last:0", "nothing to test"},
        {"last:1.5", "'1.5' is not a number of events"},
        {"last:-1", "is not a number"},
        {"last:1,1,1", "more than two numbers"},
        {"folds:1", "from 2 to 1000"},
        {"folds:x", "from 2 to 1000"},
        {"folds:5,5", "from 2"},
        {"time:2020-13-01", "neither a share"},
        {"time:2020-02-30", "neither a share"},
        {"time:2020-01-02,2020-01-01", "must begin before"},
        {"time:soon", "'soon' is neither a share (0.8) nor a moment"},
        {"users:2", "is not a share"},
    };
    pen__split_spec spec;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pen_error error = {0};
        assert_int_not_equal(pen__split_spec_parse(bad[i].spec, &spec, &error), PEN_OK);
        if (!strstr(error.message, bad[i].words))
            print_message("%s: '%s' does not say '%s'\n", bad[i].spec, error.message, bad[i].words);
        assert_non_null(strstr(error.message, bad[i].words));
    }
    assert_int_not_equal(pen__split_spec_parse(NULL, &spec, NULL), PEN_OK);
    static const char *const good[] = {"ratio:0.8",
                                       "ratio:0.8,0.1,0.1",
                                       "ratio-all: 0.9",
                                       "ratio-time:0.7,0.1,0.2",
                                       "last:1",
                                       "last:1,1",
                                       "time:0.8",
                                       "time:0.8,0.1,0.1",
                                       "time:2020-01-01",
                                       "time:2020-01-01T12:30:00+02:00",
                                       "time:1577836800",
                                       "time:2020-01-01,2020-02-01",
                                       "users:0.8,0.1,0.1",
                                       "users:0.9",
                                       "folds:5",
                                       "ratio:0.9,0.1,0"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(pen__split_spec_parse(good[i], &spec, NULL), PEN_OK);
    int32_t n;
    assert_int_equal(pen__split_folds("folds:7", &n, NULL), PEN_OK);
    assert_int_equal(n, 7);
    assert_int_equal(pen__split_folds("ratio:0.8", &n, NULL), PEN_OK);
    assert_int_equal(n, 1);
    assert_int_equal(pen__split_folds(NULL, &n, NULL), PEN_OK);
    assert_int_equal(n, 1);
    assert_int_not_equal(pen__split_folds("fold:7", &n, NULL), PEN_OK);
    pen_error error = {0};
    assert_int_not_equal(pen__fold_in_parse("time:0.8", &spec, &error), PEN_OK);
    assert_non_null(strstr(error.message, "allowed are ratio:0.8"));
    assert_int_not_equal(pen__fold_in_parse("last:1,1", &spec, NULL), PEN_OK);
    assert_int_equal(pen__fold_in_parse("last:1", &spec, NULL), PEN_OK);
}

/* RecBole 1.2.1, Dataset._calcu_split_ids: floors, then one more for the test and then validation where training keeps
 * more than one. */
static void recbole(int64_t n, double valid, double test, int64_t *n_valid, int64_t *n_test)
{
    *n_valid = (int64_t)(valid * (double)n), *n_test = (int64_t)(test * (double)n);
    int64_t train = n - *n_valid - *n_test;
    if (train <= 1) return;
    if (0 < test * (double)n && test * (double)n < 1) ++*n_test, train--;
    if (train <= 1) return;
    if (0 < valid * (double)n && valid * (double)n < 1) ++*n_valid;
}

static void shares_are_recboles(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        double valid, test;
    } kinds[] = {{"ratio:0.8,0.1,0.1", 0.1, 0.1},
                 {"ratio:0.7,0.1,0.2", 0.1, 0.2},
                 {"ratio:0.6,0.2,0.2", 0.2, 0.2},
                 {"ratio:0.9,0,0.1", 0, 0.1},
                 {"ratio:0.5,0.25,0.25", 0.25, 0.25}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        pen__split_spec spec;
        assert_int_equal(pen__split_spec_parse(kinds[k].spec, &spec, NULL), PEN_OK);
        for (int64_t n = 0; n < 3000; n++) {
            int64_t valid, test, their_valid, their_test;
            pen__split_counts(&spec, n, &valid, &test);
            recbole(n, kinds[k].valid, kinds[k].test, &their_valid, &their_test);
            assert_int_equal(valid, their_valid);
            assert_int_equal(test, their_test);
        }
    }
}

static void one_number_gives_a_tenth_to_validation(void **state)
{
    (void)state;
    pen__split_spec spec;
    static const int64_t expected[][3] = {{0, 0, 0},  {1, 0, 0},  {2, 0, 1},    {3, 1, 1},      {5, 1, 1},
                                          {10, 1, 2}, {25, 2, 5}, {100, 8, 20}, {1000, 80, 200}};
    assert_int_equal(pen__split_spec_parse("ratio:0.8", &spec, NULL), PEN_OK);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        int64_t valid, test;
        pen__split_counts(&spec, expected[i][0], &valid, &test);
        assert_int_equal(valid, expected[i][1]);
        assert_int_equal(test, expected[i][2]);
    }
}

static void moments(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } good[] = {{"0", 0},
                {"1577836800", 1577836800},
                {"2020-01-01", 1577836800},
                {"2020-01-01T00:00:00Z", 1577836800},
                {"2020-01-01T02:00:00+02:00", 1577836800},
                {"2020-01-01 00:00", 1577836800},
                {"2000-02-29", 951782400},
                {"1969-12-31", -86400}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t ms;
        assert_true(pen__moment_parse(pen__span_of(good[i].text), &ms));
        assert_int_equal(ms, good[i].seconds * 1000);
    }
    static const char *const bad[] = {"", "x", "2020-1-1", "2020-02-30", "2020-01-01T", "nan", "1e300"};
    int64_t ms;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(pen__moment_parse(pen__span_of(bad[i]), &ms));
}

/* ---- families ---------------------------------------------------------------------------------------------------- */

static void users_with_too_few_events_stay(void **state)
{
    (void)state;
    const row rows[] = {{0, 0, 1, 1}, {1, 0, 1, 1}, {1, 1, 1, 2}, {2, 0, 1, 1}, {2, 1, 1, 2},
                        {2, 2, 1, 3}, {3, 0, 1, 1}, {3, 1, 1, 2}, {3, 2, 1, 3}, {3, 3, 1, 4}};
    check_parts(rows, 10, 0, protocol_of("last:1"), -1, -1,
                "t"
                "tT"
                "tvT"
                "ttvT");
    check_parts(rows, 10, 0, protocol_of("last:2"), -1, -1,
                "t"
                "tt"
                "tTT"
                "tvTT");
    check_parts(rows, 10, 0, protocol_of("last:3"), -1, -1,
                "t"
                "tt"
                "ttt"
                "tTTT");
    check_parts(rows, 10, 0, protocol_of("last:2,1"), -1, -1,
                "t"
                "tT"
                "ttT"
                "tvvT");
    check_parts(rows, 10, 0, protocol_of("ratio-time:0.5"), -1, -1,
                "t"
                "tT"
                "tvT"
                "tvTT");
    check_parts(rows, 10, 0, protocol_of("ratio-time:0.8,0.1,0.1"), -1, -1,
                "t"
                "tT"
                "tvT"
                "ttvT");
    check_parts(rows, 10, 0, protocol_of("ratio-time:0.9,0.1,0"), -1, -1,
                "t"
                "tv"
                "ttv"
                "tttv");
    refuse(rows, 1, 0, protocol_of("last:1"), PEN_E_INPUT, "leaves no event to test on");
    refuse(rows, 3, 0, protocol_of("last:1,1"), PEN_E_INPUT, "leaves no event for validation");
}

static void one_cut_for_all(void **state)
{
    (void)state;
    const row rows[] = {{0, 0, 1, 1}, {1, 0, 1, 9}, {0, 1, 1, 3}, {1, 1, 1, 2}, {2, 0, 1, 8},
                        {2, 1, 1, 4}, {0, 2, 1, 7}, {1, 2, 1, 5}, {2, 2, 1, 6}, {0, 3, 1, 10}};
    check_parts(rows, 10, 0, protocol_of("time:0.8"), -1, -1, "tTttvttttT");
    check_parts(rows, 10, 0, protocol_of("time:0.5,0.3,0.2"), -1, -1, "tTttvtvtvT");
    check_parts(rows, 10, NO_TIMES, protocol_of("time:0.8"), -1, -1, "tttttttvTT");
    check_parts(rows, 10, 0, protocol_of("time:9"), -1, -1, "tTttvttttT");
    check_parts(rows, 10, 0, protocol_of("time:1970-01-01T00:00:09"), -1, -1, "tTttvttttT");
    check_parts(rows, 10, 0, protocol_of("time:6,9"), -1, -1, "tTttvtvtvT");
    refuse(rows, 10, 0, protocol_of("time:2020-01-01"), PEN_E_INPUT, "leaves no event to test on");
    refuse(rows, 10, 0, protocol_of("time:1960-01-01"), PEN_E_INPUT, "leaves no event for training");
    refuse(rows, 10, NO_TIMES, protocol_of("time:2020-01-01"), PEN_E_ARGUMENT, "--time-column");
    const row same[] = {{0, 0, 1, 5}, {0, 1, 1, 5}, {1, 0, 1, 5}, {1, 1, 1, 5}},
              ties[] = {{0, 0, 1, 4}, {0, 1, 1, 5}, {1, 0, 1, 5}, {1, 1, 1, 5}};
    refuse(same, 4, 0, protocol_of("time:0.8"), PEN_E_INPUT, "all its times are the same");
    check_parts(ties, 4, 0, protocol_of("time:0.8"), -1, -1, "tTTT"); /* events of one moment stay together */
}

static void missing_times_stop_what_needs_order(void **state)
{
    (void)state;
    const row rows[] = {{0, 0, 1, 3},
                        {0, 1, 1, PEN_TIME_MISSING},
                        {0, 2, 1, 2},
                        {1, 0, 1, PEN_TIME_MISSING},
                        {1, 1, 1, PEN_TIME_MISSING},
                        {1, 2, 1, 1}};
    static const char *const ordered[] = {"last:1", "ratio-time:0.8", "time:0.5", "time:2"};
    for (int i = 0; i < 4; i++) refuse(rows, 6, 0, protocol_of(ordered[i]), PEN_E_INPUT, "3 of 6 events have no time");
    refuse(rows, 6, 0, protocol_of(NULL), PEN_E_INPUT,
           "3 of 6 events have no time"); /* the default, where there is time */
    pen_protocol p = *protocol_of("last:1");
    p.missing_time = "first"; /* among themselves in the order of the file */
    check_parts(rows, 6, 0, &p, -1, -1,
                "Ttv"
                "tvT");
    p.missing_time = "drop";
    check_parts(rows, 6, 0, &p, -1, -1, "Ttt"); /* what is left: u0 at 3, u0 at 2, u1 at 1 */
    p = *protocol_of("users:0.5");
    p.fold_in = "last:1";
    refuse(rows, 6, 0, &p, PEN_E_INPUT, "3 of 6 events have no time");
}

static void what_is_not_positive_goes_with_its_neighbours(void **state)
{
    (void)state;
    /* One user; worth 4 or more is positive: events 1, 3, 4, 6. */
    const row rows[] = {{0, 0, 1, 1}, {0, 1, 5, 2}, {0, 2, 1, 3}, {0, 3, 4, 4},
                        {0, 4, 4, 5}, {0, 5, 2, 6}, {0, 6, 5, 7}, {0, 7, 1, 8}};
    pen_protocol p = *protocol_of("last:1");
    p.positive = 4;
    check_parts(rows, 8, 0, &p, -1, -1, "ttttvvTT");
    p.split = "ratio-time:0.5";
    check_parts(rows, 8, 0, &p, -1, -1, "tttvTTTT");
    p.split = "time:0.5";
    check_parts(rows, 8, 0, &p, -1, -1, "tttvTTTT");
    p.positive = 5; /* events 1 and 6: one to train, one to test */
    p.split = "last:1";
    check_parts(rows, 8, 0, &p, -1, -1, "ttttttTT");
}

static void given_pairs_are_taken_out(void **state)
{
    (void)state;
    pen_protocol p = *protocol_of("last:1");
    /* Log: u0 i0 i1 i2 (i1 twice), u1 i0 i1; test: u0 i1, u2 i0 i2 (unknown user: shown i0), u3 i5 (one event: asked,
     * not shown). */
    const row rows[] = {{0, 0, 1, 1}, {0, 1, 1, 2}, {0, 2, 1, 3}, {0, 1, 1, 4}, {1, 0, 1, 5},
                        {1, 1, 1, 6}, {0, 1, 1, 7}, {2, 0, 1, 8}, {2, 2, 1, 9}, {3, 5, 1, 10}};
    check_parts(rows, 10, 0, &p, -1, 6,
                "t-v-tv"
                "THTT");
    p.split = NULL; /* by default a tenth of training is validation, at random: one of each user's two */
    pen_context *ctx = context_of(1);
    pen_dataset *d = dataset_of(ctx, rows, 10, 0);
    pen__log log;
    pen__parts parts;
    assert_int_equal(pen__log_build_given(d, &p, -1, 6, &log, NULL), PEN_OK);
    assert_int_equal(pen__split(&log, &p, 1, 0, &parts, NULL), PEN_OK);
    assert_string_equal(letters(&parts) + 6, "THTT");
    assert_int_equal((parts.part[0] == PEN_PART_VALID) + (parts.part[2] == PEN_PART_VALID), 1);
    assert_int_equal((parts.part[4] == PEN_PART_VALID) + (parts.part[5] == PEN_PART_VALID), 1);
    assert_non_null(strstr(parts.notes, "{\"split\": \"ratio:0.9\", \"train\": {\"events\": 2, "));
    assert_non_null(strstr(parts.notes, "\"left_out\": {\"events\": 2, "));
    pen__parts_free(&parts);
    pen__log_free(&log);
    /* A given validation: the pair u0 i2 is its, nothing is drawn. */
    assert_int_equal(pen__log_build_given(d, &p, 5, 6, &log, NULL), PEN_OK);
    assert_int_equal(pen__split(&log, &p, 1, 0, &parts, NULL), PEN_OK);
    assert_string_equal(letters(&parts), "t-t-tv"
                                         "THTT");
    pen__parts_free(&parts);
    pen__log_free(&log);
    pen_dataset_destroy(d);
    pen_context_destroy(ctx);
    p.split = "last:1";
    p.fold_in = "last:2"; /* two are asked for: u2 shows nothing */
    check_parts(rows, 10, 0, &p, -1, 6,
                "t-v-tv"
                "TTTT");
}

/* ---- properties on random logs ------------------------------------------------------------------------------------
 */

typedef struct lot {
    pen_context *ctx;
    pen_dataset *data;
    pen__log log;
} lot;

static lot lot_of(const row *rows, int64_t n, int n_threads, const pen_protocol *p)
{
    lot l = {.ctx = context_of(n_threads)};
    l.data = dataset_of(l.ctx, rows, n, 0);
    pen_error error = {0};
    assert_int_equal(pen__log_build(l.data, p, &l.log, &error), PEN_OK);
    return l;
}

static void lot_drop(lot *l)
{
    pen__log_free(&l->log);
    pen_dataset_destroy(l->data);
    pen_context_destroy(l->ctx);
}

static const char *const every_family[] = {"ratio:0.8",
                                           "ratio:0.8,0.1,0.1",
                                           "ratio-all:0.8",
                                           "ratio-all:0.6,0.2,0.2",
                                           "ratio-time:0.8",
                                           "ratio-time:0.7,0.1,0.2",
                                           "last:1",
                                           "last:1,1",
                                           "last:2,3",
                                           "time:0.8",
                                           "time:0.7,0.1,0.2",
                                           "users:0.8",
                                           "users:0.8,0.1,0.1",
                                           "folds:5",
                                           "time:1970-01-01T02:00:00"};

static void all_promises_are_kept(void **state)
{
    (void)state;
    int64_t n = 20000;
    row *rows = random_rows(n, 500, 300, 11);
    for (size_t f = 0; f < sizeof every_family / sizeof *every_family; f++)
        for (int positive = 0; positive < 2; positive++) {
            pen_protocol p = *protocol_of(every_family[f]);
            p.duplicates = "last"; /* pairs stand once: then no test pair can be in training */
            p.positive = positive ? 4 : NAN;
            lot l = lot_of(rows, n, 1, &p);
            int32_t n_folds;
            assert_int_equal(pen__split_folds(p.split, &n_folds, NULL), PEN_OK);
            uint8_t *tested = calloc((size_t)l.log.n, 1);
            for (int32_t fold = 0; fold < n_folds; fold++) {
                pen__parts parts;
                pen_error error = {0};
                int status = pen__split(&l.log, &p, 7, fold, &parts, &error);
                if (status != PEN_OK) print_message("%s: %s\n", p.split, error.message);
                assert_int_equal(status, PEN_OK);
                int64_t count[6] = {0}, positives[6] = {0};
                for (int64_t i = 0; i < l.log.n; i++) {
                    assert_in_range(parts.part[i], 0, 5); /* exactly one part */
                    count[parts.part[i]]++;
                    positives[parts.part[i]] += !l.log.positive || l.log.positive[i];
                    if (parts.part[i] == PEN_PART_TEST) tested[i]++;
                }
                assert_true(positives[0] > 0 && positives[1] > 0 && positives[2] > 0);
                assert_int_equal(count[PEN_PART_NONE], 0);
                bool held_out = !strncmp(p.split, "users", 5);
                assert_int_equal(count[4] + count[5] > 0, held_out);
                pen__parts_free(&parts);
            }
            if (n_folds > 1)
                for (int64_t i = 0; i < l.log.n; i++) assert_int_equal(tested[i], 1); /* each event is tested once */
            free(tested);
            lot_drop(&l);
        }
    free(rows);
}

static void shares_over_all_are_exact(void **state)
{
    (void)state;
    int64_t n = 12347;
    row *rows = random_rows(n, 500, 300, 5);
    pen_protocol p = *protocol_of("ratio-all:0.7,0.1,0.2");
    lot l = lot_of(rows, n, 1, &p);
    pen__parts parts;
    int64_t count[6] = {0};
    assert_int_equal(pen__split(&l.log, &p, 3, 0, &parts, NULL), PEN_OK);
    for (int64_t i = 0; i < n; i++) count[parts.part[i]]++;
    assert_int_equal(count[2], 2469);
    assert_int_equal(count[1], 1234);
    pen__parts_free(&parts);
    p.split = "folds:7";
    int64_t least = n, most = 0;
    for (int fold = 0; fold < 7; fold++) {
        int64_t tests = 0, valid = 0;
        assert_int_equal(pen__split(&l.log, &p, 3, fold, &parts, NULL), PEN_OK);
        for (int64_t i = 0; i < n; i++)
            tests += parts.part[i] == PEN_PART_TEST, valid += parts.part[i] == PEN_PART_VALID;
        if (tests < least) least = tests;
        if (tests > most) most = tests;
        assert_int_equal(valid, (n - tests) / 10);
        pen__parts_free(&parts);
    }
    assert_true(most - least <= 1);
    lot_drop(&l);
    free(rows);
}

static void latest_are_later(void **state)
{
    (void)state;
    int64_t n = 20000, last[3][600];
    row *rows = random_rows(n, 500, 300, 2);
    static const char *const ordered[] = {"last:1", "ratio-time:0.8", "time:0.8"};
    for (int f = 0; f < 3; f++) {
        pen_protocol p = *protocol_of(ordered[f]);
        lot l = lot_of(rows, n, 1, &p);
        pen__parts parts;
        assert_int_equal(pen__split(&l.log, &p, 3, 0, &parts, NULL), PEN_OK);
        for (int part = 0; part < 3; part++)
            for (int u = 0; u < 600; u++) last[part][u] = -1;
        for (int64_t i = 0; i < n; i++) {
            int64_t *at = &last[parts.part[i]][f == 2 ? 0 : l.log.user[i]];
            if (l.log.time[i] > *at) *at = l.log.time[i];
        }
        for (int64_t i = 0; i < n; i++) {
            int u = f == 2 ? 0 : l.log.user[i];
            if (parts.part[i] != PEN_PART_TRAIN) assert_true(l.log.time[i] >= last[PEN_PART_TRAIN][u] + (f == 2));
            if (parts.part[i] == PEN_PART_TEST) assert_true(l.log.time[i] >= last[PEN_PART_VALID][u] + (f == 2));
        }
        pen__parts_free(&parts);
        lot_drop(&l);
    }
    free(rows);
}

static void held_out_users_are_held_out(void **state)
{
    (void)state;
    int64_t n = 20000;
    row *rows = random_rows(n, 500, 300, 4);
    pen_protocol p = *protocol_of("users:0.6,0.2,0.2");
    static const char *const shows[] = {NULL, "last:1", "ratio-time:0.5"};
    for (int k = 0; k < 3; k++) {
        p.fold_in = shows[k];
        lot l = lot_of(rows, n, 1, &p);
        pen__parts parts;
        assert_int_equal(pen__split(&l.log, &p, 3, 0, &parts, NULL), PEN_OK);
        static int64_t of[600][6];
        memset(of, 0, sizeof of);
        for (int64_t i = 0; i < n; i++) of[l.log.user[i]][parts.part[i]]++;
        int64_t role[3] = {0}, many = 0;
        for (int u = 0; u < 500; u++) {
            int64_t *c = of[u], all = c[0] + c[1] + c[2] + c[4] + c[5];
            if (!all) continue;
            many += all >= 2;
            int kind = c[0] ? 0 : c[1] ? 1 : 2;
            if (all >= 2) role[kind]++;
            if (kind == 0) assert_int_equal(c[0], all);
            if (kind == 1) assert_true(c[1] > 0 && c[4] > 0 && c[1] + c[4] == all);
            if (kind == 2) assert_true(c[2] > 0 && c[5] > 0 && c[2] + c[5] == all);
            if (kind && k == 0) assert_int_equal(c[kind], all / 5 ? all / 5 : 1);
            if (kind && k == 1) assert_int_equal(c[kind], 1);
            if (kind && k == 2) assert_int_equal(c[kind], all / 2);
        }
        assert_int_equal(role[1], many / 5);
        assert_int_equal(role[2], many / 5);
        pen__parts_free(&parts);
        lot_drop(&l);
    }
    free(rows);
}

static void seeds_differ_and_threads_do_not(void **state)
{
    (void)state;
    int64_t n = 600000;
    row *rows = random_rows(n, 8000, 1000, 9);
    for (size_t f = 0; f < sizeof every_family / sizeof *every_family; f++) {
        pen_protocol p = *protocol_of(every_family[f]);
        lot one = lot_of(rows, n, 1, &p), four = lot_of(rows, n, 4, &p);
        pen__parts a, b, c;
        assert_int_equal(pen__split(&one.log, &p, 7, 0, &a, NULL), PEN_OK);
        assert_int_equal(pen__split(&four.log, &p, 7, 0, &b, NULL), PEN_OK);
        assert_int_equal(pen__split(&one.log, &p, 8, 0, &c, NULL), PEN_OK);
        assert_memory_equal(a.part, b.part, (size_t)n);
        bool random = !strstr(p.split, "time") && !strstr(p.split, "last");
        assert_int_equal(memcmp(a.part, c.part, (size_t)n) != 0, random);
        pen__parts_free(&a);
        pen__parts_free(&b);
        pen__parts_free(&c);
        lot_drop(&one);
        lot_drop(&four);
    }
    free(rows);
}

/* A random share is random: each event of a user is tested about as often. */
static void random_parts_are_fair(void **state)
{
    (void)state;
    row rows[20];
    int tested[20] = {0};
    for (int i = 0; i < 20; i++) rows[i] = (row){i / 10, i % 10, 1, i};
    pen_protocol p = *protocol_of("ratio:0.8,0.1,0.1");
    lot l = lot_of(rows, 20, 1, &p);
    for (uint64_t seed = 0; seed < 4000; seed++) {
        pen__parts parts;
        assert_int_equal(pen__split(&l.log, &p, seed, 0, &parts, NULL), PEN_OK);
        for (int i = 0; i < 20; i++) tested[i] += parts.part[i] == PEN_PART_TEST;
        pen__parts_free(&parts);
    }
    for (int i = 0; i < 20; i++) assert_in_range(tested[i], 400 - 95, 400 + 95); /* five standard deviations of 19 */
    lot_drop(&l);
}

/* ---- real data ----------------------------------------------------------------------------------------------------
 */

static void movielens_splits_as_recbole_counts(void **state)
{
    (void)state;
    const char *path = real_data("ml-1m/ratings.csv.gz");
    if (!path) return;
    pen_context *ctx = context_of(0);
    pen_dataset *d;
    pen__log log;
    pen__parts parts;
    assert_int_equal(pen_dataset_read(ctx, &path, 1, NULL, &d, NULL), PEN_OK);
    pen_protocol p = *protocol_of("ratio:0.8,0.1,0.1");
    p.min_value = 3, p.k_core = 10;
    assert_int_equal(pen__log_build(d, &p, &log, NULL), PEN_OK);
    assert_int_equal(pen__split(&log, &p, 1, 0, &parts, NULL), PEN_OK);
    int64_t count[6] = {0}, expected = 0, *of = calloc((size_t)d->users.n, sizeof *of);
    for (int64_t i = 0; i < log.n; i++) count[parts.part[i]]++, of[log.user[i]]++;
    for (int64_t u = 0; u < d->users.n; u++) expected += of[u] / 10; /* each has ten at least */
    free(of);
    assert_int_equal(count[0] + count[1] + count[2], 834449);
    assert_int_equal(count[1], expected);
    assert_int_equal(count[2], expected);
    pen__parts_free(&parts);
    pen__log_free(&log);
    pen_dataset_destroy(d);
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(specs_say_what_is_allowed),
                                       cmocka_unit_test(shares_are_recboles),
                                       cmocka_unit_test(one_number_gives_a_tenth_to_validation),
                                       cmocka_unit_test(moments),
                                       cmocka_unit_test(last_goes_by_time),
                                       cmocka_unit_test(users_with_too_few_events_stay),
                                       cmocka_unit_test(one_cut_for_all),
                                       cmocka_unit_test(missing_times_stop_what_needs_order),
                                       cmocka_unit_test(what_is_not_positive_goes_with_its_neighbours),
                                       cmocka_unit_test(given_pairs_are_taken_out),
                                       cmocka_unit_test(all_promises_are_kept),
                                       cmocka_unit_test(shares_over_all_are_exact),
                                       cmocka_unit_test(latest_are_later),
                                       cmocka_unit_test(held_out_users_are_held_out),
                                       cmocka_unit_test(seeds_differ_and_threads_do_not),
                                       cmocka_unit_test(random_parts_are_fair),
                                       cmocka_unit_test(movielens_splits_as_recbole_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
