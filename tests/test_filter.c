/* The filters on hand-made logs, in the contract's order; the k-core against repeated scans; ML-1M's published counts.
 */
#include "log_fixture.h"

#include "data/expression.h"
#include "penchant/dataset.h"

static pen_protocol defaults(int task)
{
    pen_protocol p;
    pen_protocol_init(&p);
    p.task = task;
    return p;
}

typedef struct built {
    pen_context *ctx;
    pen_dataset *data;
    pen__log log;
    pen_error error;
    int status;
} built;

static built build(const row *rows, int64_t n, int flags, const pen_protocol *p)
{
    built b = {.ctx = context_of(1)};
    b.data = dataset_of(b.ctx, rows, n, flags);
    b.status = pen__log_build(b.data, p, &b.log, &b.error);
    return b;
}

static void drop(built *b)
{
    pen__log_free(&b->log);
    pen_dataset_destroy(b->data);
    assert_int_equal(pen_context_memory(b->ctx), 0);
    pen_context_destroy(b->ctx);
}

/* "event:value event:value ..." of what is left. */
static const char *left(const pen__log *log)
{
    static char text[512];
    int at = 0;
    text[0] = 0;
    for (int64_t i = 0; i < log->n; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, "%s%d:%g", i ? " " : "", (int)log->event[i],
                       (double)log->value[i]);
    return text;
}

static void check(const row *rows, int64_t n, int flags, const pen_protocol *p, const char *expected)
{
    built b = build(rows, n, flags, p);
    if (b.status != PEN_OK) print_message("%s\n", b.error.message);
    assert_int_equal(b.status, PEN_OK);
    assert_string_equal(left(&b.log), expected);
    for (int64_t i = 0; i < b.log.n; i++) {
        assert_int_equal(b.log.user[i], b.data->user[b.log.event[i]]);
        assert_int_equal(b.log.item[i], b.data->item[b.log.event[i]]);
        if (b.log.time) assert_int_equal(b.log.time[i], b.data->time[b.log.event[i]]);
    }
    drop(&b);
}

static void refuse(const row *rows, int64_t n, int flags, const pen_protocol *p, int status, const char *words)
{
    built b = build(rows, n, flags, p);
    assert_int_equal(b.status, status);
    if (!strstr(b.error.message, words)) print_message("'%s' does not say '%s'\n", b.error.message, words);
    assert_non_null(strstr(b.error.message, words));
    drop(&b);
}

#define NONE PEN_TIME_MISSING

static const row few[] = {{0, 0, 5, 10}, {0, 1, 2, 20}, {1, 0, 3, 30}, {1, 1, 4, 40}, {2, 2, 1, 50}};

static void defaults_are_the_contracts(void **state)
{
    (void)state;
    pen_protocol p;
    memset(&p, 0xAA, sizeof p);
    pen_protocol_init(&p);
    assert_int_equal(p.struct_size, sizeof p);
    assert_true(isnan(p.min_value) && isnan(p.positive));
    assert_int_equal(p.task, PEN_TASK_RANK);
    assert_int_equal(p.refit, 1);
    assert_int_equal(p.seeds, 1);
    assert_int_equal(p.seed, 1);
    assert_int_equal(p.bootstrap, 1000);
    assert_null(p.split);
    assert_int_equal(p.keep_seen + p.drop_unknown_items + p.exclude_all + p.weight_by_value, 0);
}

static void values_and_weights(void **state)
{
    (void)state;
    pen_protocol rank = defaults(PEN_TASK_RANK), rate = defaults(PEN_TASK_RATE);
    check(few, 5, 0, &rank, "0:1 1:1 2:1 3:1 4:1"); /* ranking: an event weighs 1 */
    check(few, 5, 0, &rate, "0:5 1:2 2:3 3:4 4:1");
    check(few, 5, NO_VALUES, &rank, "0:1 1:1 2:1 3:1 4:1");
    rank.weight_by_value = 1;
    check(few, 5, 0, &rank, "0:5 1:2 2:3 3:4 4:1");
    refuse(few, 5, NO_VALUES, &rank, PEN_E_ARGUMENT, "--value-column");
    rate.positive = 3;
    refuse(few, 5, 0, &rate, PEN_E_ARGUMENT, "--positive");
}

static void min_value_and_time_window(void **state)
{
    (void)state;
    pen_protocol p = defaults(PEN_TASK_RATE);
    p.min_value = 3;
    check(few, 5, 0, &p, "0:5 2:3 3:4");
    p.since = "20", p.until = "40"; /* since is kept, until is not */
    check(few, 5, 0, &p, "2:3");
    p.min_value = NAN;
    check(few, 5, 0, &p, "1:2 2:3");
    p.since = NULL, p.until = "1970-01-01T00:00:30Z";
    check(few, 5, 0, &p, "0:5 1:2");
    p.since = "yesterday";
    refuse(few, 5, 0, &p, PEN_E_ARGUMENT, "'yesterday' is not a moment");
    p.since = "20";
    refuse(few, 5, NO_TIMES, &p, PEN_E_ARGUMENT, "--time-column");
    p = defaults(PEN_TASK_RANK);
    refuse(NULL, 0, 0, &p, PEN_E_INPUT, "no events are left after the filters");
    p.min_value = 9;
    refuse(few, 5, 0, &p, PEN_E_INPUT, "no events are left after the filters");
}

static void missing_times_stop_or_are_dealt_with(void **state)
{
    (void)state;
    const row rows[] = {{0, 0, 5, NONE}, {0, 1, 2, 20}, {1, 0, 3, NONE}, {1, 1, 4, 40}};
    pen_protocol p = defaults(PEN_TASK_RATE);
    check(rows, 4, 0, &p, "0:5 1:2 2:3 3:4"); /* nothing needs the order */
    p.until = "30";
    refuse(rows, 4, 0, &p, PEN_E_INPUT, "2 of 4 events have no time");
    p.missing_time = "first";
    check(rows, 4, 0, &p, "0:5 1:2 2:3");
    p.missing_time = "drop";
    check(rows, 4, 0, &p, "1:2");
    p.until = NULL;
    check(rows, 4, 0, &p, "1:2 3:4");
    p.missing_time = "zero";
    refuse(rows, 4, 0, &p, PEN_E_ARGUMENT, "allowed are drop and first");
}

static void duplicates(void **state)
{
    (void)state;
    const row rows[] = {{0, 0, 1, 30}, {0, 0, 2, 10}, {1, 0, 7, 1}, {0, 0, 4, 20}, {0, 1, 9, 5}, {0, 0, 3, 30}};
    pen_protocol rank = defaults(PEN_TASK_RANK), rate = defaults(PEN_TASK_RATE);
    check(rows, 6, 0, &rate, "2:7 4:9 5:3"); /* rating: the last; of equal times the later in the file */
    check(rows, 6, 0, &rank, "2:1 4:1 5:4"); /* ranking: four events weigh 4, at the place of the last */
    rate.duplicates = "first";
    check(rows, 6, 0, &rate, "1:2 2:7 4:9");
    rate.duplicates = "sum";
    check(rows, 6, 0, &rate, "2:7 4:9 5:10");
    rate.duplicates = rank.duplicates = "keep";
    check(rows, 6, 0, &rate, "0:1 1:2 2:7 3:4 4:9 5:3");
    check(rows, 6, 0, &rank, "0:1 1:1 2:1 3:1 4:1 5:1");
    rank.duplicates = "last";
    check(rows, 6, 0, &rank, "2:1 4:1 5:1");
    rate.duplicates = "last";
    check(rows, 6, NO_TIMES, &rate, "2:7 4:9 5:3"); /* no times: the order of the file */
    rate.duplicates = "first";
    check(rows, 6, NO_TIMES, &rate, "0:1 2:7 4:9");
    rate.duplicates = "lost";
    refuse(rows, 6, 0, &rate, PEN_E_UNKNOWN, "allowed are sum, last, first and keep");
    rank.duplicates = "sum", rank.weight_by_value = 1;
    check(rows, 6, 0, &rank, "2:7 4:9 5:10");
}

static void duplicates_need_times_only_among_themselves(void **state)
{
    (void)state;
    const row alone[] = {{0, 0, 1, NONE}, {0, 1, 2, 10}, {0, 1, 3, 5}},
              among[] = {{0, 0, 1, NONE}, {0, 0, 2, 10}, {0, 1, 3, 5}};
    pen_protocol p = defaults(PEN_TASK_RATE);
    check(alone, 3, 0, &p, "0:1 1:2");
    refuse(among, 3, 0, &p, PEN_E_INPUT, "1 events without a time stand among duplicates");
    p.missing_time = "first";
    check(among, 3, 0, &p, "1:2 2:3");
    p.missing_time = NULL, p.duplicates = "sum";
    check(among, 3, 0, &p, "1:3 2:3"); /* a sum has no order */
}

static void refunds_cancel(void **state)
{
    (void)state;
    const row rows[] = {{0, 0, 5, 1}, {0, 0, -5, 2}, {0, 1, 3, 3}, {1, 0, -1, 4}, {1, 1, 2, 5}};
    pen_protocol p = defaults(PEN_TASK_RANK);
    p.weight_by_value = 1;
    check(rows, 5, 0, &p, "2:3 4:2");
}

static void positive_marks_but_keeps(void **state)
{
    (void)state;
    pen_protocol p = defaults(PEN_TASK_RANK);
    p.positive = 3;
    built b = build(few, 5, 0, &p);
    assert_int_equal(b.status, PEN_OK);
    assert_string_equal(left(&b.log), "0:1 1:1 2:1 3:1 4:1");
    const uint8_t expected[] = {1, 0, 1, 1, 0};
    assert_memory_equal(b.log.positive, expected, 5);
    drop(&b);
}

static void a_missing_value_is_worth_one(void **state)
{
    (void)state;
    const row rows[] = {{0, 0, NAN, 1}, {0, 1, 4, 2}, {1, 0, 2, 3}};
    pen_protocol p = defaults(PEN_TASK_RANK);
    p.min_value = 2;
    check(rows, 3, 0, &p, "1:1 2:1");
    p = defaults(PEN_TASK_RANK);
    p.weight_by_value = 1;
    check(rows, 3, 0, &p, "0:1 1:4 2:2");
    p = defaults(PEN_TASK_RATE);
    check(rows, 3, 0, &p, "1:4 2:2");
}

static void event_types_weigh(void **state)
{
    (void)state;
    static const int16_t types[] = {0, 1, 0, 2, -1};
    pen_protocol p = defaults(PEN_TASK_RANK);
    p.event_weight = "view=0.5, buy=5";
    built b = {.ctx = context_of(1)};
    b.data = dataset_of(b.ctx, few, 5, 0);
    refuse(few, 5, 0, &p, PEN_E_ARGUMENT, "--event-column");
    int32_t number;
    static const char *const names[] = {"view", "buy", "wish"};
    for (int k = 0; k < 3; k++)
        assert_int_equal(pen__strings_add(&b.data->event_types, pen__span_of(names[k]), &number, NULL), PEN_OK);
    int16_t *event = pen__alloc(b.ctx, sizeof types);
    memcpy(event, types, sizeof types);
    b.data->event = event;
    assert_int_equal(pen__log_build(b.data, &p, &b.log, NULL), PEN_OK);
    assert_string_equal(left(&b.log), "0:0.5 1:5 2:0.5"); /* wish is not named, and the last has no type */
    assert_non_null(
        strstr(b.log.notes, "\"step\": \"event-weight view=0.5, buy=5\", \"events\": 3, \"users\": 2, \"items\": 2"));
    pen__log_free(&b.log);
    p.weight_by_value = 1;
    assert_int_equal(pen__log_build(b.data, &p, &b.log, NULL), PEN_OK);
    assert_string_equal(left(&b.log), "0:2.5 1:10 2:1.5");
    pen__log_free(&b.log);
    static const char *const bad[] = {"view", "view=", "=3", "view=-1", "view=nan", "veiw=1", "view=1,,buy=2"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        p.event_weight = bad[k];
        assert_int_not_equal(pen__log_build(b.data, &p, &b.log, &b.error), PEN_OK);
    }
    p.event_weight = "veiw=1";
    assert_int_equal(pen__log_build(b.data, &p, &b.log, &b.error), PEN_E_UNKNOWN);
    assert_non_null(strstr(b.error.message, "it has view, buy, wish"));
    drop(&b);
}

static void items_before_users_once_each(void **state)
{
    (void)state;
    /* Item 1 has one event. Without it user 1 has one event left and falls; then item 0 has two, which nobody looks at
     * again. */
    const row rows[] = {{0, 0, 1, 1}, {0, 2, 1, 2}, {1, 0, 1, 3}, {1, 1, 1, 4}, {2, 0, 1, 5}, {2, 2, 1, 6}};
    pen_protocol p = defaults(PEN_TASK_RANK);
    p.min_user_events = p.min_item_events = 2;
    check(rows, 6, 0, &p, "0:1 1:1 4:1 5:1");
    p.min_item_events = 3;
    p.min_user_events = 0;
    check(rows, 6, 0, &p, "0:1 2:1 4:1");
    p.min_user_events = 2;
    refuse(rows, 6, 0, &p, PEN_E_INPUT, "min-user-events 2");
}

/* The k-core by repeated scans. */
static int64_t slow_core(const row *rows, int64_t n, int k, uint8_t *keep)
{
    static int users[4096], items[4096];
    int64_t alive = n, before;
    memset(keep, 1, (size_t)n);
    do {
        before = alive;
        memset(users, 0, sizeof users), memset(items, 0, sizeof items);
        for (int64_t i = 0; i < n; i++) users[rows[i].user] += keep[i], items[rows[i].item] += keep[i];
        for (int64_t i = 0; i < n; i++)
            if (keep[i] && (users[rows[i].user] < k || items[rows[i].item] < k)) keep[i] = 0, alive--;
    } while (alive != before);
    return alive;
}

static void k_core_is_the_fixed_point(void **state)
{
    (void)state;
    for (int round = 0; round < 30; round++) {
        int64_t n = 2000 + 100 * round;
        row *rows = random_rows(n, 300, 200, (uint64_t)round);
        uint8_t *keep = malloc((size_t)n);
        pen_protocol p = defaults(PEN_TASK_RANK);
        p.duplicates = "keep";
        p.k_core = 3 + round % 10;
        int64_t alive = slow_core(rows, n, (int)p.k_core, keep);
        built b = build(rows, n, 0, &p);
        assert_int_equal(b.status, alive ? PEN_OK : PEN_E_INPUT);
        if (alive) {
            assert_int_equal(b.log.n, alive);
            for (int64_t i = 0; i < b.log.n; i++) assert_true(keep[b.log.event[i]]);
        }
        drop(&b);
        free(keep);
        free(rows);
    }
}

static void steps_are_noted(void **state)
{
    (void)state;
    const row rows[] = {{0, 0, 1, 1}, {0, 0, 3, 2}, {1, 0, 4, 3}, {1, 1, 5, 4}, {0, 1, 5, 5}, {2, 2, 2, 6}};
    pen_protocol p = defaults(PEN_TASK_RATE);
    p.min_value = 2, p.since = "2", p.k_core = 2;
    built b = build(rows, 6, 0, &p);
    assert_int_equal(b.status, PEN_OK);
    assert_string_equal(b.log.notes, "[{\"step\": \"all\", \"events\": 6, \"users\": 3, \"items\": 3}, "
                                     "{\"step\": \"min-value 2\", \"events\": 5, \"users\": 3, \"items\": 3}, "
                                     "{\"step\": \"since 2\", \"events\": 5, \"users\": 3, \"items\": 3}, "
                                     "{\"step\": \"k-core 2\", \"events\": 4, \"users\": 2, \"items\": 2}]");
    assert_int_equal(b.log.n_users, 2);
    assert_int_equal(b.log.n_items, 2);
    drop(&b);
}

static void given_events_stand_apart(void **state)
{
    (void)state;
    /* The last two were given as a test: they do not merge with the log's own, are not counted, not dropped. */
    const row rows[] = {{0, 0, 1, 1}, {0, 1, 3, 2}, {1, 0, 4, 3}, {1, 1, 5, 4}, {0, 2, NAN, NONE}, {2, 0, NAN, NONE}};
    pen_context *ctx = context_of(1);
    pen_dataset *d = dataset_of(ctx, rows, 6, 0);
    pen_protocol p = defaults(PEN_TASK_RANK);
    p.min_value = 2, p.positive = 4, p.since = "2", p.missing_time = "drop", p.min_user_events = 1,
    p.min_item_events = 2;
    pen__log log;
    assert_int_equal(pen__log_build_given(d, &p, -1, 4, &log, NULL), PEN_OK);
    assert_string_equal(left(&log), "1:1 3:1 4:1 5:1");
    const uint8_t positive[] = {0, 1, 1, 1};
    assert_memory_equal(log.positive, positive, 4);
    assert_int_equal(log.n_users, 2);
    pen__log_free(&log);
    pen_dataset_destroy(d);
    pen_context_destroy(ctx);
}

static void given_pairs_inherit_values(void **state)
{
    (void)state;
    const row rows[] = {{0, 0, 1, 1},      {0, 1, 3, 2}, {1, 1, 5, 4},      {0, 0, 4, 3},
                        {0, 0, NAN, NONE}, {0, 1, 2, 9}, {1, 1, NAN, NONE}, {2, 1, NAN, NONE}};
    pen_context *ctx = context_of(1);
    pen_dataset *d = dataset_of(ctx, rows, 8, 0);
    pen_protocol p = defaults(PEN_TASK_RATE);
    p.duplicates = "keep";
    pen__log log;
    assert_int_equal(pen__log_build_given(d, &p, -1, 4, &log, NULL), PEN_OK);
    assert_string_equal(left(&log), "0:1 1:3 2:5 3:4 4:4 5:2 6:5"); /* the last has no rating anywhere */
    pen__log_free(&log);
    p = defaults(PEN_TASK_RANK);
    p.duplicates = "keep", p.positive = 5;
    assert_int_equal(pen__log_build_given(d, &p, -1, 4, &log, NULL), PEN_OK);
    const uint8_t positive[] = {0, 0, 1, 0, 0, 0, 1, 1};
    assert_int_equal(log.n, 8);
    assert_memory_equal(log.positive, positive, 8);
    pen__log_free(&log);
    pen_dataset_destroy(d);
    pen_context_destroy(ctx);
}

static void same_log_for_any_number_of_threads(void **state)
{
    (void)state;
    int64_t n = 700000;
    row *rows = random_rows(n, 5000, 1000, 3);
    pen_protocol p = defaults(PEN_TASK_RATE);
    p.k_core = 5;
    pen__log log[2];
    pen_dataset *d[2];
    pen_context *ctx[2] = {context_of(1), context_of(4)};
    for (int t = 0; t < 2; t++) {
        d[t] = dataset_of(ctx[t], rows, n, 0);
        assert_int_equal(pen__log_build(d[t], &p, &log[t], NULL), PEN_OK);
    }
    assert_int_equal(log[0].n, log[1].n);
    assert_true(log[0].n < n);
    assert_memory_equal(log[0].event, log[1].event, (size_t)log[0].n * sizeof *log[0].event);
    assert_memory_equal(log[0].value, log[1].value, (size_t)log[0].n * sizeof *log[0].value);
    for (int t = 0; t < 2; t++) {
        pen__log_free(&log[t]);
        pen_dataset_destroy(d[t]);
        pen_context_destroy(ctx[t]);
    }
    free(rows);
}

static void movielens_has_its_published_counts(void **state)
{
    (void)state;
    const char *path = real_data("ml-1m/ratings.csv.gz");
    if (!path) return;
    pen_context *ctx = context_of(0);
    pen_dataset *d;
    pen_error error = {0};
    assert_int_equal(pen_dataset_read(ctx, &path, 1, NULL, &d, &error), PEN_OK);
    pen_protocol p = defaults(PEN_TASK_RANK);
    p.min_value = 3, p.k_core = 10;
    pen__log log;
    assert_int_equal(pen__log_build(d, &p, &log, &error), PEN_OK);
    assert_int_equal(log.n, 834449);
    assert_int_equal(log.n_users, 6033);
    assert_int_equal(log.n_items, 3123);
    pen__log_free(&log);
    pen_dataset_destroy(d);
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(defaults_are_the_contracts),
                                       cmocka_unit_test(values_and_weights),
                                       cmocka_unit_test(min_value_and_time_window),
                                       cmocka_unit_test(missing_times_stop_or_are_dealt_with),
                                       cmocka_unit_test(duplicates),
                                       cmocka_unit_test(duplicates_need_times_only_among_themselves),
                                       cmocka_unit_test(refunds_cancel),
                                       cmocka_unit_test(positive_marks_but_keeps),
                                       cmocka_unit_test(a_missing_value_is_worth_one),
                                       cmocka_unit_test(event_types_weigh),
                                       cmocka_unit_test(items_before_users_once_each),
                                       cmocka_unit_test(k_core_is_the_fixed_point),
                                       cmocka_unit_test(steps_are_noted),
                                       cmocka_unit_test(given_events_stand_apart),
                                       cmocka_unit_test(given_pairs_inherit_values),
                                       cmocka_unit_test(same_log_for_any_number_of_threads),
                                       cmocka_unit_test(movielens_has_its_published_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
