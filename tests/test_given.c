/* Given tests on real data: the counts that the papers' protocols have. Skipped with a word where the data is absent.
 */
#include "log_fixture.h"

#include "penchant/dataset.h"

typedef struct given {
    pen_context *ctx;
    pen_dataset *data, *log_file, *test_file;
    pen__log log;
    pen__parts parts;
    pen__train train;
    pen__cases cases;
} given;

static int read_both(given *g, const char *log, const char *test, const pen_read_options *options)
{
    pen_error error = {0};
    if (!log || !test) return 0;
    g->ctx = context_of(0);
    int status = pen_dataset_read(g->ctx, &log, 1, options, &g->log_file, &error);
    if (status == PEN_OK) status = pen_dataset_read(g->ctx, &test, 1, options, &g->test_file, &error);
    if (status == PEN_OK) status = pen__dataset_join(g->log_file, g->test_file, &g->data, &error);
    if (status != PEN_OK) print_message("%s\n", error.message);
    assert_int_equal(status, PEN_OK);
    return 1;
}

static void run(given *g, const pen_protocol *p)
{
    pen_error error = {0};
    int status = pen__log_build_given(g->data, p, -1, g->log_file->n_events, &g->log, &error);
    if (status == PEN_OK) status = pen__split(&g->log, p, 1, 0, &g->parts, &error);
    if (status == PEN_OK) status = pen__train_build(&g->log, &g->parts, 3, p->task, &g->train, &error);
    if (status == PEN_OK)
        status = pen__cases_build(&g->log, &g->parts, &g->train, p, PEN_PART_TEST, 3, 1, &g->cases, &error);
    if (status != PEN_OK) print_message("%s\n", error.message);
    assert_int_equal(status, PEN_OK);
}

static void drop(given *g)
{
    pen__cases_free(&g->cases);
    pen__train_free(&g->train);
    pen__parts_free(&g->parts);
    pen__log_free(&g->log);
    pen_dataset_destroy(g->data);
    pen_dataset_destroy(g->log_file);
    pen_dataset_destroy(g->test_file);
    pen_context_destroy(g->ctx);
}

static int64_t count(const given *g, int part)
{
    int64_t n = 0;
    for (int64_t i = 0; i < g->parts.n; i++) n += g->parts.part[i] == part;
    return n;
}

static void ncf_leaves_994169_pairs(void **state)
{
    (void)state;
    given g = {0};
    const char *candidates = real_data("ml-1m/ncf.candidates.txt.gz");
    if (!candidates || !read_both(&g, real_data("ml-1m/ratings.csv.gz"), real_data("ml-1m/ncf.test.tsv"), NULL)) return;
    pen_protocol p;
    pen_protocol_init(&p);
    p.candidates = candidates;
    run(&g, &p);
    assert_int_equal(g.train.n_events, 994169);
    assert_int_equal(g.train.n_users, 6040);
    assert_int_equal(count(&g, PEN_PART_TEST), 6040);
    assert_int_equal(count(&g, PEN_PART_NONE), 6040);
    assert_int_equal(g.cases.n, 6040);
    int64_t unknown = 0, known_targets = 0;
    for (int64_t c = 0; c < g.cases.n; c++) {
        assert_int_equal(g.cases.target.begin[c + 1] - g.cases.target.begin[c], 1);
        known_targets += g.cases.target.column[c] >= 0;
        unknown += 100 - (g.cases.candidate.begin[c + 1] - g.cases.candidate.begin[c]);
    }
    assert_int_equal(known_targets, 6038);
    assert_int_equal(
        unknown, 340 + 2 + 156); /* items and targets whose only rating is tested; lines that name the target twice */
    pen__cases_free(&g.cases);
    pen__train_free(&g.train);
    pen__parts_free(&g.parts);
    pen__log_free(&g.log);
    /* Its pairs have the ratings that the log has for them: filters of values concern them too, and they can be rated.
     */
    p.positive = 4;
    run(&g, &p);
    int64_t positive = 0;
    for (int64_t i = 0; i < g.log.n; i++) positive += g.parts.part[i] == PEN_PART_TEST && g.log.positive[i];
    assert_int_equal(count(&g, PEN_PART_TEST), 6040);
    assert_in_range(positive, 3000, 5000);
    assert_int_equal(g.cases.target.begin[g.cases.n], positive);
    pen__cases_free(&g.cases);
    pen__train_free(&g.train);
    pen__parts_free(&g.parts);
    pen__log_free(&g.log);
    p = (pen_protocol){0};
    pen_protocol_init(&p);
    p.task = PEN_TASK_RATE;
    run(&g, &p);
    assert_int_equal(g.train.n_events, 994169);
    assert_int_equal(g.cases.target.begin[g.cases.n], 6040);
    for (int64_t i = 0; i < 6040; i++) assert_true(g.cases.target.value[i] >= 1 && g.cases.target.value[i] <= 5);
    drop(&g);
}

static void gowalla_is_lightgcns(void **state)
{
    (void)state;
    given g = {0};
    if (!read_both(&g, real_data("gowalla/train.txt.gz"), real_data("gowalla/test.txt.gz"), NULL)) return;
    pen_protocol p;
    pen_protocol_init(&p);
    run(&g, &p);
    assert_int_equal(g.train.n_events, 810128);
    assert_int_equal(g.train.n_users, 29858);
    assert_int_equal(g.train.n_items, 40981);
    assert_int_equal(g.cases.n, 29858);
    assert_int_equal(g.cases.target.begin[g.cases.n], 217242);
    assert_int_equal(count(&g, PEN_PART_NONE), 0);
    drop(&g);
}

static void diginetica_sessions_are_folded_in(void **state)
{
    (void)state;
    given g = {0};
    if (!read_both(&g, real_data("diginetica/train.tsv.gz"), real_data("diginetica/test.tsv.gz"), NULL)) return;
    pen_protocol p;
    pen_protocol_init(&p);
    p.duplicates = "keep"; /* a session may come back to an item */
    p.keep_seen = 1;
    run(&g, &p);
    assert_int_equal(g.train.n_users, 77929);
    assert_int_equal(count(&g, PEN_PART_TEST), 51953);
    assert_int_equal(g.cases.n, 51953);
    assert_int_equal(count(&g, PEN_PART_TEST) + count(&g, PEN_PART_TEST_HISTORY), g.test_file->n_events);
    for (int64_t c = 0; c < g.cases.n; c++) assert_int_equal(g.cases.user[c], -1);
    assert_int_equal(count(&g, PEN_PART_NONE), 0);
    drop(&g);
}

static void the_official_folds_have_80000_and_20000(void **state)
{
    (void)state;
    for (int fold = 1; fold <= 5; fold++) {
        char base[32], test[32];
        snprintf(base, sizeof base, "ml-100k/u%d.base", fold);
        snprintf(test, sizeof test, "ml-100k/u%d.test", fold);
        given g = {0};
        if (!read_both(&g, real_data(base), real_data(test), NULL)) return;
        pen_protocol p;
        pen_protocol_init(&p);
        p.task = PEN_TASK_RATE;
        run(&g, &p);
        assert_int_equal(g.train.n_events, 80000);
        assert_int_equal(g.cases.target.begin[g.cases.n], 20000);
        assert_int_equal(count(&g, PEN_PART_VALID), 8000); /* ratio-all:0.9 */
        assert_int_equal(count(&g, PEN_PART_NONE), 0);
        drop(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ncf_leaves_994169_pairs), cmocka_unit_test(gowalla_is_lightgcns),
        cmocka_unit_test(diginetica_sessions_are_folded_in), cmocka_unit_test(the_official_folds_have_80000_and_20000)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
