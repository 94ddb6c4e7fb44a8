/* Made-up logs have the structure that they promise; the file is the data set; and parts of a split come back from
 * files. */
#include "log_fixture.h"

#include <jansson.h>
#include <sys/stat.h>

#include "data/synth.h"
#include "penchant/split.h"

static pen_synth_options made_up(const char *structure, int64_t events)
{
    pen_synth_options o = PEN_SYNTH_OPTIONS_INIT;
    o.structure = structure;
    o.events = events;
    return o;
}

static pen__synth checked(const pen_synth_options *o)
{
    pen__synth s;
    assert_int_equal(pen__synth_check(o, &s, NULL), PEN_OK);
    return s;
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    pen_synth_options o[8];
    for (int k = 0; k < 8; k++) o[k] = made_up("blocks", 100);
    o[0].structure = "block", o[1].events = 0, o[2].users = 0, o[3].items = INT64_C(1) << 31, o[4].groups = 2000,
    o[5].noise = 1.5, o[6].skew = -1;
    o[7].struct_size = 3;
    pen__synth s;
    for (int k = 0; k < 8; k++) {
        pen_error error = {0};
        assert_int_not_equal(pen__synth_check(&o[k], &s, &error), PEN_OK);
        if (k < 7) assert_non_null(strstr(error.message, "allowed"));
    }
}

static void blocks_and_drift_follow_tastes(void **state)
{
    (void)state;
    for (int drift = 0; drift < 2; drift++) {
        pen_synth_options o = made_up(drift ? "drift" : "blocks", 200000);
        pen__synth s = checked(&o);
        int64_t in[5] = {0}, n[5] = {0}, high = 0;
        for (int64_t e = 0; e < s.events; e++) {
            pen__synth_event x = pen__synth_at(&s, e);
            assert_in_range(x.user, 0, 1999);
            assert_in_range(x.item, 0, 999);
            int part = (int)(5 * e / s.events);
            n[part]++;
            in[part] += x.item % 10 == x.user % 10;
            high += x.value >= 4;
        }
        /* Of the structured 0.9 all, of the noise a tenth lies in the user's own group; drift begins there and leaves
         * it. */
        assert_true(fabs((double)high / 200000 - 0.91) < 0.005);
        for (int k = 0; k < 5; k++) {
            double share = (double)in[k] / (double)n[k];
            if (!drift)
                assert_true(fabs(share - 0.91) < 0.01);
            else if (k == 0)
                assert_true(share > 0.3);
            else if (k > 1)
                assert_true(share < 0.05);
        }
    }
}

static void cycles_go_round(void **state)
{
    (void)state;
    pen_synth_options o = made_up("cycle", 300000);
    o.users = 1000, o.noise = 0.1;
    pen__synth s = checked(&o);
    int64_t follows = 0, steps = 0;
    static int32_t last[1000];
    for (int64_t e = 0; e < s.events; e++) {
        pen__synth_event x = pen__synth_at(&s, e);
        int32_t group = x.user % 10, expected = group * 100 + (last[x.user] - group * 100 + 1) % 100;
        if (e >= 1000) steps++, follows += x.item == expected;
        last[x.user] = x.item;
    }
    assert_true(fabs((double)follows / (double)steps - 0.81) < 0.01);
}

static void popularity_has_no_taste(void **state)
{
    (void)state;
    pen_synth_options o = made_up("popularity", 200000);
    o.skew = 1;
    pen__synth s = checked(&o);
    int64_t own = 0, count[1000] = {0};
    for (int64_t e = 0; e < s.events; e++) {
        pen__synth_event x = pen__synth_at(&s, e);
        own += x.item % 10 == x.user % 10;
        count[x.item]++;
    }
    assert_true(fabs((double)own / 200000 - 0.16) <
                0.1); /* some groups have more popular items: not far from a tenth */
    /* log2(2) : log2(3/2) : log2(4/3): the integral of 1/x */
    assert_true(fabs((double)count[0] / (double)count[1] - log(2) / log(1.5)) < 0.1);
    assert_true(fabs((double)count[1] / (double)count[9] - log(1.5) / log(1.1)) < 0.3);
}

static const char *temporary(const char *name)
{
    static char paths[4][256];
    static int turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "/tmp/penchant-test-%d-%s", (int)getpid(), name);
    return path;
}

static void the_file_is_the_data_set(void **state)
{
    (void)state;
    static const char *const structures[] = {"blocks", "drift", "cycle", "popularity"};
    for (int k = 0; k < 4; k++) {
        pen_synth_options o = made_up(structures[k], 70001 * (k + 1)); /* more than a block */
        uint64_t hash[4];
        for (int threads = 1; threads <= 4; threads += 3) {
            pen_context *ctx = context_of(threads);
            const char *path = temporary("made.csv"), *pds = temporary("made.pds");
            pen_dataset *d[3];
            assert_int_equal(pen_synth_write(ctx, &o, path, NULL), PEN_OK);
            assert_int_equal(pen_synth_write(ctx, &o, pds, NULL), PEN_OK);
            assert_int_equal(pen_synth_dataset(ctx, &o, &d[0], NULL), PEN_OK);
            assert_int_equal(pen_dataset_read(ctx, &path, 1, NULL, &d[1], NULL), PEN_OK);
            assert_int_equal(pen_dataset_open(ctx, pds, &d[2], NULL), PEN_OK);
            assert_int_equal(pen_dataset_events(d[1]), o.events);
            assert_true(d[0]->hash == d[1]->hash && d[0]->hash == d[2]->hash);
            hash[threads - 1] = d[0]->hash;
            for (int i = 0; i < 3; i++) pen_dataset_destroy(d[i]);
            remove(path);
            remove(pds);
            pen_context_destroy(ctx);
        }
        assert_true(hash[0] == hash[3]);
    }
}

static void memory_does_not_grow_with_events(void **state)
{
    (void)state;
    pen_context *ctx = context_of(2);
    pen_synth_options o = made_up("blocks", 4000000);
    assert_int_equal(pen_synth_write(ctx, &o, "/dev/null.none/x", NULL), PEN_E_IO);
    const char *path = temporary("many.csv");
    assert_int_equal(pen_synth_write(ctx, &o, path, NULL), PEN_OK);
    assert_true(pen_context_memory_peak(ctx) < 80000000);
    struct stat there;
    assert_int_equal(stat(path, &there), 0);
    assert_true(there.st_size > 80000000);
    remove(path);
    pen_context_destroy(ctx);
}

/* ---- parts as files ------------------------------------------------------------------------------------------------
 */

static int64_t n_files; /* and their events */

static void compare_file(pen_context *ctx, const pen_dataset *from, json_t *file, const uint8_t *part,
                         const pen__log *log, int number)
{
    const char *path = json_string_value(json_object_get(file, "path"));
    pen_dataset *d;
    pen_error error = {0};
    int status = pen_dataset_load(ctx, &path, 1, NULL, &d, &error);
    if (status != PEN_OK) print_message("%s\n", error.message);
    assert_int_equal(status, PEN_OK);
    assert_int_equal(d->n_events, json_integer_value(json_object_get(file, "events")));
    int64_t at = 0;
    for (int64_t i = 0; i < log->n; i++) {
        if (part[i] != number) continue;
        assert_true(at < d->n_events);
        assert_true(
            pen__span_equal(pen__strings_at(&d->users, d->user[at]), pen__strings_at(&from->users, log->user[i])));
        assert_true(
            pen__span_equal(pen__strings_at(&d->items, d->item[at]), pen__strings_at(&from->items, log->item[i])));
        assert_true(d->value[at] == from->value[log->event[i]]);
        assert_int_equal(d->time[at], from->time[log->event[i]]);
        at++;
    }
    assert_int_equal(at, d->n_events);
    pen_dataset_destroy(d);
    remove(path);
    n_files++;
}

static void parts_come_back_from_files(void **state)
{
    (void)state;
    static const char *const formats[] = {"csv", "tsv", "pds"}, *const splits[] = {"last:1", "users:0.8,0.1,0.1",
                                                                                   "folds:3"};
    static const char *const names[] = {"train", "valid", "test", "", "valid_history", "test_history"};
    int64_t n = 3000;
    row *rows = random_rows(n, 200, 100, 5);
    for (int64_t i = 0; i < n; i++) rows[i].time += 1600000000;
    for (int f = 0; f < 3; f++)
        for (int k = 0; k < 3; k++) {
            pen_context *ctx = context_of(1);
            pen_dataset *d = dataset_of(ctx, rows, n, 0);
            pen_protocol p;
            pen_protocol_init(&p);
            p.split = splits[k], p.duplicates = "keep";
            pen_material material = {d, NULL, NULL};
            pen_report *report;
            pen_error error = {0};
            const char *folder = temporary("parts");
            assert_int_equal(pen_split_write(ctx, &material, &p, folder, formats[f], &report, &error), PEN_OK);
            json_t *json = json_loads(pen_report_json(report), 0, NULL);
            assert_non_null(json);
            assert_int_equal(
                json_integer_value(json_object_get(json_array_get(json_object_get(json, "filters"), 0), "events")), n);
            json_t *folds = json_object_get(json, "folds");
            assert_int_equal(json_array_size(folds), k == 2 ? 3 : 1);
            for (size_t fold = 0; fold < json_array_size(folds); fold++) {
                pen__log log;
                pen__parts parts;
                assert_int_equal(pen__log_build(d, &p, &log, NULL), PEN_OK);
                assert_int_equal(pen__split(&log, &p, p.seed, (int32_t)fold, &parts, NULL), PEN_OK);
                json_t *files = json_object_get(json_array_get(folds, fold), "files");
                assert_int_equal(json_array_size(files), k == 1 ? 5 : 3);
                for (size_t i = 0; i < json_array_size(files); i++) {
                    json_t *file = json_array_get(files, i);
                    int number = 0;
                    while (strcmp(names[number], json_string_value(json_object_get(file, "part")))) number++;
                    compare_file(ctx, d, file, parts.part, &log, number);
                }
                pen__parts_free(&parts);
                pen__log_free(&log);
                if (k == 2) {
                    char below[300];
                    snprintf(below, sizeof below, "%s/fold%d", folder, (int)fold);
                    assert_int_equal(rmdir(below), 0); /* and nothing else was left in it */
                }
            }
            assert_int_equal(rmdir(folder), 0);
            json_decref(json);
            pen_report_destroy(report);
            pen_dataset_destroy(d);
            pen_context_destroy(ctx);
        }
    assert_int_equal(n_files, 3 * (3 + 5 + 9));
    free(rows);
}

static void odd_ids_and_weights_are_written(void **state)
{
    (void)state;
    const row rows[] = {{0, 0, 2.5, 1600000000},
                        {0, 0, 0.1, PEN_TIME_MISSING},
                        {1, 1, 3, 1600000001},
                        {0, 1, 4, 1600000002},
                        {1, 2, 5, 1600000003}};
    pen_context *ctx = context_of(1);
    pen_dataset *d = dataset_of(ctx, rows, 5, 0);
    pen__strings_free(&d->users);
    static const char *const odd[] = {"a,\"b\"", " two\nlines "};
    for (int k = 0; k < 2; k++) assert_int_equal(pen__strings_append(&d->users, pen__span_of(odd[k]), NULL), PEN_OK);
    pen_protocol p;
    pen_protocol_init(&p);
    p.split = "ratio:0.8,0,0.2", p.missing_time = "first";
    pen_material material = {d, NULL, NULL};
    pen_report *report;
    const char *folder = temporary("odd");
    assert_int_equal(pen_split_write(ctx, &material, &p, folder, NULL, &report, NULL), PEN_OK);
    char text[2][1000], path[300];
    const char *const names[] = {"train", "test"};
    size_t length[2];
    for (int k = 0; k < 2; k++) {
        snprintf(path, sizeof path, "%s/%s.csv", folder, names[k]);
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        length[k] = fread(text[k], 1, 999, f);
        text[k][length[k]] = 0;
        fclose(f);
        remove(path);
        assert_ptr_equal(strstr(text[k], "user,item,value,weight,time\n"), text[k]);
    }
    rmdir(folder);
    char all[2000];
    snprintf(all, sizeof all, "%s%s", text[0], text[1]);
    assert_non_null(
        strstr(all, "\n\"a,\"\"b\"\"\",i0,2.5,2,1600000000\n")); /* two merged into the one that has a time */
    assert_non_null(strstr(all, "\n\" two\nlines \",i1,3,1,1600000001\n"));
    pen_report_destroy(report);
    pen_error error = {0};
    assert_int_equal(pen_split_write(ctx, &material, &p, folder, "xml", &report, &error), PEN_E_UNKNOWN);
    assert_non_null(strstr(error.message, "allowed are csv, tsv and pds"));
    assert_int_equal(pen_split_write(ctx, &material, &p, "/nowhere/at/all", "csv", &report, &error), PEN_E_IO);
    pen_dataset_destroy(d);
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bad_options_are_refused),
                                       cmocka_unit_test(blocks_and_drift_follow_tastes),
                                       cmocka_unit_test(cycles_go_round),
                                       cmocka_unit_test(popularity_has_no_taste),
                                       cmocka_unit_test(the_file_is_the_data_set),
                                       cmocka_unit_test(memory_does_not_grow_with_events),
                                       cmocka_unit_test(parts_come_back_from_files),
                                       cmocka_unit_test(odd_ids_and_weights_are_written)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
