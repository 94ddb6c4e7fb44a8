/* Data sets as files: what is written is what is read, and what is unsound is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/thread.h"
#include "data/read.h"
#include "store/container.h"

static pen_context *ctx;
static uint64_t held; /* by the context's threads */

static pen_status nothing(void *arg, int64_t shard, int worker, pen_error *error)
{
    return (void)arg, (void)shard, (void)worker, (void)error, PEN_OK;
}
static char folder[64];

static const char log_text[] = "user,item,rating,timestamp,event,hour,weight_kg\n"
                               "u1,i1,4,1000000000,view,3,1.5\nu2,i1,5,,buy,,2\nu1,\xC3\xA9t\xC3\xA9,3.5,1000000002,,4,"
                               "\nu3,i3,-1,1000000003,view,3,0.25\n";

static pen_dataset *read_text(const char *text, const pen_read_options *given)
{
    static const char *const context[] = {"hour", "weight_kg"};
    pen_read_options options = PEN_READ_OPTIONS_INIT;
    options.context_columns = context;
    options.n_context_columns = 2;
    pen__stream *stream;
    pen_dataset *d = NULL;
    pen_error error = {0};
    assert_int_equal(pen__stream_memory(ctx, "log.csv", text, strlen(text), 0, &stream, &error), PEN_OK);
    if (pen__read_log(ctx, &stream, 1, NULL, given ? given : &options, &d, &error) != PEN_OK)
        fail_msg("%s", error.message);
    pen__stream_close(stream);
    return d;
}

static void assert_same_strings(const pen__strings *a, const pen__strings *b)
{
    assert_int_equal(a->n, b->n);
    for (int64_t i = 0; i < a->n; i++) assert_true(pen__span_equal(pen__strings_at(a, i), pen__strings_at(b, i)));
}

static void a_file_is_the_log(void **state)
{
    (void)state;
    char path[128];
    pen_error error = {0};
    snprintf(path, sizeof path, "%s/log.pds", folder);
    pen_dataset *a = read_text(log_text, NULL), *b = NULL;
    assert_int_equal(a->context[0].type, PEN_COLUMN_CATEGORY);
    assert_int_equal(a->context[1].type, PEN_COLUMN_NUMBER);
    if (pen_dataset_save(a, path, &error) != PEN_OK) fail_msg("%s", error.message);
    const char *paths[] = {path};
    if (pen_dataset_load(ctx, paths, 1, NULL, &b, &error) != PEN_OK) fail_msg("%s", error.message);
    assert_true(a->hash == b->hash && a->hash != 0);
    assert_same_strings(&a->users, &b->users);
    assert_same_strings(&a->items, &b->items);
    assert_same_strings(&a->event_types, &b->event_types);
    assert_int_equal(a->n_events, b->n_events);
    assert_memory_equal(a->user, b->user, 4 * sizeof *a->user);
    assert_memory_equal(a->item, b->item, 4 * sizeof *a->item);
    assert_memory_equal(a->value, b->value, 4 * sizeof *a->value);
    assert_memory_equal(a->time, b->time, 4 * sizeof *a->time);
    assert_memory_equal(a->event, b->event, 4 * sizeof *a->event);
    assert_memory_equal(a->context[0].code, b->context[0].code, 4 * sizeof *a->context[0].code);
    assert_memory_equal(a->context[1].number, b->context[1].number, 4 * sizeof(float));
    assert_string_equal(b->context[1].name, "weight_kg");
    assert_string_equal(pen_dataset_notes(a), pen_dataset_notes(b));
    assert_int_equal(pen_dataset_find_item(b, "\xC3\xA9t\xC3\xA9", 5), 1);
    assert_int_equal(pen_dataset_find_user(b, "nobody", 6), -1);
    pen_dataset_destroy(a);
    pen_dataset_destroy(b);
}

static void the_hash_is_of_the_content(void **state)
{
    (void)state;
    pen_read_options plain = PEN_READ_OPTIONS_INIT;
    pen_dataset *a = read_text("user,item,rating\na,x,1\nb,y,2\n", &plain),
                *b = read_text("a\tx\t1\n\nb\ty\t2.0", &plain);
    pen_dataset *c = read_text("user,item,rating\na,x,1\nb,y,3\n", &plain),
                *d = read_text("user,item,rating\nb,y,2\na,x,1\n", &plain);
    assert_true(a->hash == b->hash);
    assert_true(a->hash != c->hash && a->hash != d->hash && c->hash != d->hash);
    pen_dataset_destroy(a);
    pen_dataset_destroy(b);
    pen_dataset_destroy(c);
    pen_dataset_destroy(d);
}

static void joined_logs_keep_the_first_ones_numbers(void **state)
{
    (void)state;
    pen_read_options plain = PEN_READ_OPTIONS_INIT;
    pen_error error = {0};
    pen_dataset *a = read_text(log_text, NULL), *b = read_text("u9\ti3\nu1\ti9\n", &plain), *j = NULL;
    if (pen__dataset_join(a, b, &j, &error) != PEN_OK) fail_msg("%s", error.message);
    assert_int_equal(j->n_events, 6);
    assert_int_equal(j->users.n, 4);
    assert_int_equal(j->items.n, 4);
    assert_memory_equal(j->user, a->user, 4 * sizeof *a->user);
    assert_true(j->user[4] == 3 && j->item[4] == 2 && j->user[5] == 0 && j->item[5] == 3);
    assert_true(j->value[4] != j->value[4] && j->time[5] == PEN_TIME_MISSING && j->event[4] == -1);
    assert_true(j->context[0].rows == 6 && j->context[0].code[5] == -1 &&
                j->context[1].number[5] != j->context[1].number[5]);
    assert_int_equal(pen_dataset_find_user(j, "u9", 2), 3);
    pen_dataset_destroy(a);
    pen_dataset_destroy(b);
    pen_dataset_destroy(j);
}

/* Writes a file whose tensors are sound and whose content is not. */
static void refused(const char *what, int32_t user, int64_t offset, int16_t type, float value, const char *words)
{
    char path[128];
    pen_error error = {0};
    pen__container_writer *w;
    snprintf(path, sizeof path, "%s/bad.pds", folder);
    assert_int_equal(pen__container_begin(ctx, path, "dataset", 1, &w, &error), PEN_OK);
    static const char *const counts[] = {"users", "items", "events"};
    int64_t two = 2, four = 4, offsets[] = {0, offset, 4};
    int32_t users[] = {0, user}, items[] = {0, 1};
    int16_t types[] = {0, type};
    float values[] = {1, value};
    for (int i = 0; i < 3; i++) pen__container_put_int(w, counts[i], 2);
    pen__container_put_int(w, "triples", 0);
    pen__container_put_meta(w, "content", "0123456789abcdef");
    pen__container_put_meta(w, "notes", "{}");
    pen__container_put_meta(w, "source", "");
    static const char *const tables[] = {"users", "items", "event_types"};
    for (int i = 0; i < 3; i++) {
        char name[32];
        int64_t three = 3;
        snprintf(name, sizeof name, "%s.bytes", tables[i]);
        pen__container_put(w, name, PEN_U8, 1, &four, strcmp(what, "twice") ? "abcd" : "abab");
        snprintf(name, sizeof name, "%s.offsets", tables[i]);
        pen__container_put(w, name, PEN_I64, 1, &three, offsets);
    }
    pen__container_put(w, "event.user", PEN_I32, 1, &two, users);
    pen__container_put(w, "event.item", PEN_I32, 1, &two, items);
    pen__container_put(w, "event.value", PEN_F32, 1, &two, values);
    pen__container_put(w, "event.type", PEN_I16, 1, &two, types);
    assert_int_equal(pen__container_commit(w, &error), PEN_OK);
    pen_dataset *d = NULL;
    pen_status status = pen_dataset_open(ctx, path, &d, &error);
    pen_dataset_destroy(d);
    if (!words) {
        if (status != PEN_OK) fail_msg("%s: %s", what, error.message);
        return;
    }
    assert_int_equal(status, PEN_E_FORMAT);
    if (!strstr(error.message, words)) fail_msg("%s: \"%s\" does not say \"%s\"", what, error.message, words);
}

static void unsound_files_are_refused(void **state)
{
    (void)state;
    refused("sound", 1, 2, 1, 2, NULL);
    refused("user too high", 2, 2, 1, 2, "event.user");
    refused("user below 0", -1, 2, 1, 2, "event.user");
    refused("offsets fall", 1, 5, 1, 2, "offsets");
    refused("type too high", 1, 2, 2, 2, "event.type");
    refused("not finite", 1, 2, 1, (float)(1e30 * 1e30), "event.value");
    refused("twice", 1, 2, 1, 2, "twice");
}

static int setup(void **state)
{
    (void)state;
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.n_threads = 2;
    strcpy(folder, "/tmp/penchant-pds-XXXXXX");
    int failed =
        !mkdtemp(folder) || pen_context_create(&options, &ctx, NULL) || pen__parallel(ctx, 2, nothing, NULL, NULL);
    held = pen_context_memory(ctx);
    return failed;
}

static int teardown(void **state)
{
    (void)state;
    char path[128];
    static const char *const files[] = {"log.pds", "bad.pds"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    int left = rmdir(folder) != 0 || pen_context_memory(ctx) != held;
    pen_context_destroy(ctx);
    return left;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_the_log),
        cmocka_unit_test(the_hash_is_of_the_content),
        cmocka_unit_test(joined_logs_keep_the_first_ones_numbers),
        cmocka_unit_test(unsound_files_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
