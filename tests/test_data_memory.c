/* Every allocation of filters, splits, matrices, cases, doctor, synth and written parts fails once: each time the work
 * says so, nothing leaks, and what was given stays usable.
 */
#include "log_fixture.h"

#include "data/doctor.h"
#include "penchant/split.h"
#include "penchant/synth.h"

typedef struct failing {
    int64_t left; /* allocations before the one that fails; negative: none does */
    int64_t live;
    int failed;
} failing;

static void *obtain(void *user, size_t bytes)
{
    failing *f = user;
    if (f->left == 0) return f->failed = 1, NULL;
    f->left--;
    f->live++;
    return malloc(bytes);
}

static void *resize(void *user, void *block, size_t bytes)
{
    failing *f = user;
    if (f->left == 0) return f->failed = 1, NULL;
    f->left--;
    f->live += !block;
    return realloc(block, bytes);
}

static void release(void *user, void *block)
{
    failing *f = user;
    f->live -= block != NULL;
    free(block);
}

typedef int (*work)(pen_dataset *data, const pen_protocol *protocol, pen_error *error);

/* Runs `fn` with the first, second, ... allocation failing until it needs no more. */
static void torture(const pen_protocol *protocol, work fn, const row *rows, int64_t n)
{
    failing f = {.left = -1};
    pen_allocator allocator = {obtain, resize, release, &f};
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.allocator = &allocator;
    options.n_threads = 1;
    pen_context *ctx;
    assert_int_equal(pen_context_create(&options, &ctx, NULL), PEN_OK);
    pen_dataset *d = dataset_of(ctx, rows, n, 0);
    int64_t live = f.live, k = 0;
    for (;; k++) {
        pen_error error = {0};
        f.left = k, f.failed = 0;
        int status = fn(d, protocol, &error);
        f.left = -1;
        assert_int_equal(f.live, live);
        if (status == PEN_OK) {
            assert_int_equal(f.failed, 0); /* no failure was swallowed */
            break;
        }
        if (status != PEN_E_MEMORY) print_message("allocation %d: %s\n", (int)k, error.message);
        assert_int_equal(status, PEN_E_MEMORY);
        assert_non_null(strstr(error.message, "memory"));
        assert_true(k < 5000);
    }
    assert_true(k > 5);
    pen_dataset_destroy(d);
    pen_context_destroy(ctx);
    assert_int_equal(f.live, 0);
}

static int pipeline(pen_dataset *data, const pen_protocol *p, pen_error *error)
{
    pen__log log = {0};
    pen__parts parts = {0};
    pen__train train = {0};
    pen__cases cases = {0};
    int status = pen__log_build(data, p, &log, error);
    if (status == PEN_OK) status = pen__split(&log, p, 1, 0, &parts, error);
    if (status == PEN_OK) status = pen__train_build(&log, &parts, 3, p->task, &train, error);
    if (status == PEN_OK) status = pen__cases_build(&log, &parts, &train, p, PEN_PART_TEST, 3, 1, &cases, error);
    pen__cases_free(&cases);
    pen__train_free(&train);
    pen__parts_free(&parts);
    pen__log_free(&log);
    return status;
}

static int given(pen_dataset *data, const pen_protocol *p, pen_error *error)
{
    pen__log log = {0};
    pen__parts parts = {0};
    int status = pen__log_build_given(data, p, data->n_events - 60, data->n_events - 40, &log, error);
    if (status == PEN_OK) status = pen__split(&log, p, 1, 0, &parts, error);
    pen__parts_free(&parts);
    pen__log_free(&log);
    return status;
}

static int doctor(pen_dataset *data, const pen_protocol *p, pen_error *error)
{
    pen__text out = {.ctx = data->ctx};
    int status = pen__doctor(data, p, &out, error);
    pen__text_free(&out);
    return status;
}

static int synth(pen_dataset *data, const pen_protocol *p, pen_error *error)
{
    (void)p;
    pen_synth_options o = PEN_SYNTH_OPTIONS_INIT;
    o.events = 500, o.users = 20, o.items = 30;
    pen_dataset *made = NULL;
    int status = pen_synth_dataset(data->ctx, &o, &made, error);
    if (status == PEN_OK) status = pen_synth_write(data->ctx, &o, "/dev/null", error);
    pen_dataset_destroy(made);
    return status;
}

static int parts(pen_dataset *data, const pen_protocol *p, pen_error *error)
{
    char folder[] = "/tmp/penchant-memory-XXXXXX", path[100];
    assert_non_null(mkdtemp(folder));
    pen_material material = {data, NULL, NULL};
    pen_report *report = NULL;
    int status =
        pen_split_write(data->ctx, &material, p, folder, p->task == PEN_TASK_RATE ? "pds" : "csv", &report, error);
    pen_report_destroy(report);
    static const char *const names[] = {"train", "valid", "test"};
    for (int k = 0; k < 6; k++) {
        snprintf(path, sizeof path, "%s/%s.%s", folder, names[k % 3], k < 3 ? "csv" : "pds");
        remove(path);
    }
    assert_int_equal(rmdir(folder), 0); /* nothing half written stays */
    return status;
}

static void every_family(void **state)
{
    (void)state;
    static const char *const splits[] = {"ratio:0.8", "ratio-all:0.8",     "ratio-time:0.8", "last:1,1",
                                         "time:0.8",  "users:0.6,0.2,0.2", "folds:3"};
    static const char *const candidates[] = {NULL, "uniform:5", "popularity:5"};
    row *rows = random_rows(400, 30, 20, 1);
    for (int k = 0; k < 7; k++) {
        pen_protocol p;
        pen_protocol_init(&p);
        p.split = splits[k], p.candidates = candidates[k % 3], p.exclude_all = k % 2, p.k_core = 2, p.min_value = 2,
        p.positive = k % 2 ? 3 : NAN;
        p.test_users = k == 3 ? 5 : 0;
        torture(&p, pipeline, rows, 400);
    }
    free(rows);
}

static void given_tests(void **state)
{
    (void)state;
    row *rows = random_rows(400, 30, 20, 2);
    pen_protocol p;
    pen_protocol_init(&p);
    torture(&p, given, rows, 400);
    free(rows);
}

static void reports_and_files(void **state)
{
    (void)state;
    row *rows = random_rows(400, 30, 20, 3);
    pen_protocol p;
    pen_protocol_init(&p);
    torture(&p, doctor, rows, 400);
    torture(&p, synth, rows, 400);
    torture(&p, parts, rows, 400);
    p.task = PEN_TASK_RATE;
    torture(&p, parts, rows, 400);
    free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_family), cmocka_unit_test(given_tests),
                                       cmocka_unit_test(reports_and_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
