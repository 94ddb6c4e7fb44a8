/* The same log is the same data set: on any number of threads, in blocks of any size, mapped, through a pipe, packed;
 * and what fails for want of memory leaves nothing behind. With PENCHANT_DATA also on real logs. */
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/progress.h"
#include "base/thread.h"
#include "reading.h"

enum { ROWS = 3000 };

/* A log with quotes, quoted line ends, stray quotes, blank lines, bad rows, long and short ids. */
static char *make_log(size_t *n, int form)
{
    char *text = malloc(ROWS * 160 + 100);
    assert_non_null(text);
    unsigned state = 7;
    size_t at = 0;
    at += (size_t)sprintf(text + at, form == 1 ? "" : form == 2 ? "" : "user,item,rating,timestamp,event\n");
    for (int i = 0; i < ROWS; i++) {
        state = state * 1664525 + 1013904223;
        unsigned u = (state >> 8) % 97, v = (state >> 16) % 211, r = state >> 28;
        if (form == 1) {
            at += (size_t)sprintf(text + at,
                                  "{\"user\": \"u%u\", \"item\": \"a\\u00e9 %u\", \"rating\": %u, \"time\": %d}\n", u,
                                  v, r, 1000000 + i);
        } else if (form == 2) {
            at += (size_t)sprintf(text + at, "u%u i%u i%u%s", u, v, r, i % 3 ? "\n" : " x y z\n");
        } else if (r == 3)
            at += (size_t)sprintf(text + at, "\"u%u\n\"\"of two, lines\",\"a very long item id %u\",%u.5,%d,view\n\n",
                                  u, v, r, 1000000 + i);
        else if (r == 5)
            at += (size_t)sprintf(text + at, "u%u,\"odd\" %u,%u,,\n", u, v, r);
        else if (r == 7 && i % 5 == 0)
            at += (size_t)sprintf(text + at, "u%u,i%u,bad%u,%d,buy\n", u, v, r, i);
        else
            at += (size_t)sprintf(text + at, "u%u,i%u,%u,%d,%s\r\n", u, v, r, 1000000 + i, r & 1 ? "view" : "cart \"x");
    }
    *n = at;
    return text;
}

static pen_context *make_context(int threads)
{
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    pen_context *ctx;
    options.n_threads = threads;
    assert_int_equal(pen_context_create(&options, &ctx, NULL), PEN_OK);
    return ctx;
}

static pen_read_options skipping(void)
{
    pen_read_options options = PEN_READ_OPTIONS_INIT;
    options.skip_bad_rows = 1;
    return options;
}

static pen_dataset *read_so(pen_context *ctx, const char *text, size_t n, size_t largest_read, size_t block)
{
    pen_read_options options = skipping();
    pen_dataset *d;
    pen_error error;
    size_t before = pen__block_bytes;
    pen__block_bytes = block;
    pen_status status = read_log_bytes(ctx, "x", text, n, largest_read, &options, &d, &error);
    pen__block_bytes = before;
    if (status != PEN_OK) fail_msg("%s", error.message);
    return d;
}

static void assert_same(const pen_dataset *a, const pen_dataset *b)
{
    assert_true(a->hash == b->hash);
    assert_string_equal(pen_dataset_notes(a), pen_dataset_notes(b));
}

static void any_threads_any_blocks(void **state)
{
    (void)state;
    static const size_t blocks[] = {1, 50, 1000, 4 << 20};
    for (int form = 0; form < 3; form++) {
        size_t n;
        char *text = make_log(&n, form);
        pen_context *one = make_context(1), *four = make_context(4);
        pen_dataset *a = read_so(one, text, n, 0, 4 << 20);
        if (form == 0) must_note(a, "is not a number");
        assert_true(pen_dataset_events(a) > ROWS / 2);
        for (int i = 0; i < 4; i++)
            for (int piped = 0; piped < 2; piped++) {
                pen_dataset *b = read_so(four, text, n, piped ? 1021 : 0, blocks[i]);
                assert_same(a, b);
                pen_dataset_destroy(b);
            }
        pen_dataset_destroy(a);
        pen_context_destroy(one);
        pen_context_destroy(four);
        free(text);
    }
}

static void packed_is_the_same(void **state)
{
    (void)state;
    size_t n, room;
    char *text = make_log(&n, 0);
    pen_context *ctx = make_context(2);
    pen_dataset *a = read_so(ctx, text, n, 0, 4 << 20);
    room = ZSTD_compressBound(n) + compressBound(n) + 64;
    char *packed = malloc(room);
    assert_non_null(packed);
    size_t half = n / 2, z = ZSTD_compress(packed, room, text, half, 3);
    z += ZSTD_compress(packed + z, room - z, text + half, n - half, 3); /* two frames are one input */
    assert_false(ZSTD_isError(z));
    pen_dataset *b = read_so(ctx, packed, z, 0, 1000), *c = read_so(ctx, packed, z, 3, 1000);
    assert_same(a, b);
    assert_same(a, c);
    pen_dataset_destroy(b);
    pen_dataset_destroy(c);
    z_stream gz = {0};
    assert_int_equal(deflateInit2(&gz, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    gz.next_in = (unsigned char *)text, gz.avail_in = (uInt)n, gz.next_out = (unsigned char *)packed,
    gz.avail_out = (uInt)room;
    assert_int_equal(deflate(&gz, Z_FINISH), Z_STREAM_END);
    b = read_so(ctx, packed, gz.total_out, 0, 4 << 20), c = read_so(ctx, packed, gz.total_out, 1, 50);
    assert_same(a, b);
    assert_same(a, c);
    pen_dataset_destroy(b);
    pen_dataset_destroy(c);
    pen_error error;
    pen_dataset *d;
    pen_read_options options = skipping();
    for (size_t cut = 1; cut < 40; cut++) { /* cut short anywhere: refused, never half a log */
        pen_status status = read_log_bytes(ctx, "x", packed, gz.total_out - cut, 0, &options, &d, &error);
        if (status != PEN_E_INPUT || !strstr(error.message, "damaged")) fail_msg("cut by %zu: %s", cut, error.message);
    }
    deflateEnd(&gz);
    pen_dataset_destroy(a);
    pen_context_destroy(ctx);
    free(packed);
    free(text);
}

static void two_files_are_one_log(void **state)
{
    (void)state;
    pen_context *ctx = make_context(2);
    static const char *const texts[] = {"user,item\na,x\nb,y\n", "user,item\nb,z\na,y\n"};
    pen__stream *streams[2];
    pen_dataset *d, *whole = must_read(ctx, "x", "user,item\na,x\nb,y\nb,z\na,y\n", NULL);
    pen_error error;
    pen_read_options options = PEN_READ_OPTIONS_INIT;
    for (int piped = 0; piped < 2; piped++) {
        for (int i = 0; i < 2; i++)
            assert_int_equal(
                pen__stream_memory(ctx, "x", texts[i], strlen(texts[i]), (size_t)piped, &streams[i], &error), PEN_OK);
        assert_int_equal(pen__read_log(ctx, streams, 2, NULL, &options, &d, &error), PEN_OK);
        assert_true(d->hash == whole->hash);
        pen_dataset_destroy(d);
        for (int i = 0; i < 2; i++) pen__stream_close(streams[i]);
    }
    assert_int_equal(pen__stream_memory(ctx, "a", "user,item\na,x\n", 14, 0, &streams[0], &error), PEN_OK);
    assert_int_equal(pen__stream_memory(ctx, "b", "item,user\na,x\n", 14, 0, &streams[1], &error), PEN_OK);
    assert_int_equal(pen__read_log(ctx, streams, 2, NULL, &options, &d, &error), PEN_E_INPUT);
    assert_non_null(strstr(error.message, "b:1:1: its header is not that of the first file"));
    pen__stream_close(streams[0]);
    pen__stream_close(streams[1]);
    pen_dataset_destroy(whole);
    pen_context_destroy(ctx);
}

/* ---- memory that runs out ---- */

static long left; /* allocations until one fails; below 0: none does */

static void *obtain(void *user, size_t bytes) { return (void)user, left-- == 0 ? NULL : malloc(bytes); }
static void *resize(void *user, void *block, size_t bytes)
{
    return (void)user, left-- == 0 ? NULL : realloc(block, bytes);
}
static void release(void *user, void *block) { (void)user, free(block); }

static void each_allocation_may_fail(void **state)
{
    (void)state;
    static const char *const logs[] = {
        "user,item,rating,time,event,hour\nu,\"i\"\"1\"\"\",3,2024-01-01,view,3\nv,j,x,,buy,4\nw,k,1,,,\n",
        "{\"user\": \"u\\n\", \"item\": 1, \"rating\": 2}\n{\"user\": 1}\n", "u a b\nv c\n"};
    static const char *const contexts[] = {"hour"};
    static const pen_allocator allocator = {obtain, resize, release, NULL};
    for (int form = 0; form < 3; form++)
        for (int piped = 0; piped < 2; piped++) {
            int done = 0;
            for (long n = 0; !done; n++) {
                pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
                pen_read_options reading = skipping();
                pen_context *ctx;
                pen_error error = {0};
                pen_dataset *d = NULL, *joined = NULL;
                pen__beside beside = {0};
                pen__stream *log = NULL;
                options.n_threads = 1;
                options.allocator = &allocator;
                left = -1;
                assert_int_equal(pen_context_create(&options, &ctx, NULL), PEN_OK);
                if (form == 0) reading.context_columns = contexts, reading.n_context_columns = 1;
                left = n;
                pen_status status =
                    pen__stream_memory(ctx, "x", logs[form], strlen(logs[form]), (size_t)piped, &log, &error);
                static const char items[] =
                    "item,title,genres\nj,\"a \"\"b\"\" (1990)\",A|B\nk,\"c (1990)\",B\n1,d,A|B\n";
                if (status == PEN_OK)
                    status = pen__stream_memory(ctx, "items", items, strlen(items), 0, &beside.items, &error);
                if (status == PEN_OK)
                    status = pen__stream_memory(ctx, "users", "{\"user\": \"v\", \"tags\": [\"x\", \"y\"]}\n", 35, 0,
                                                &beside.users, &error);
                if (status == PEN_OK)
                    status = pen__stream_memory(ctx, "kg", "k\tr\te\ne\tq\tj\n", 12, 0, &beside.triples, &error);
                if (status == PEN_OK) status = pen__stream_memory(ctx, "link", "j\te\n", 4, 0, &beside.links, &error);
                if (status == PEN_OK) status = pen__read_log(ctx, &log, 1, &beside, &reading, &d, &error);
                if (status == PEN_OK) status = pen__dataset_join(d, d, &joined, &error);
                done = status == PEN_OK;
                if (!done && status != PEN_E_MEMORY) fail_msg("allocation %ld: %d %s", n, status, error.message);
                left = -1;
                pen_dataset_destroy(d);
                pen_dataset_destroy(joined);
                pen__stream_close(log);
                pen__stream_close(beside.items);
                pen__stream_close(beside.users);
                pen__stream_close(beside.triples);
                pen__stream_close(beside.links);
                if (pen_context_memory(ctx))
                    fail_msg("allocation %ld: %llu bytes left", n, (unsigned long long)pen_context_memory(ctx));
                pen_context_destroy(ctx);
                assert_true(n < 10000);
            }
        }
}

static int stop(void *user, const pen_progress *progress) { return (void)user, (void)progress, 1; }

enum { EVENTS = 2000000 };

static char *make_long_log(size_t *n)
{
    char *text = malloc((size_t)EVENTS * 40);
    assert_non_null(text);
    *n = 0;
    for (int i = 0; i < EVENTS; i++)
        *n += (size_t)sprintf(text + *n, "%d\t%u\t%d\t%d\n", i / 50, (unsigned)i * 7919u % 20011u, i % 5 + 1,
                              1000000000 + i);
    return text;
}

static void cancelling_leaves_nothing(void **state)
{
    (void)state;
    size_t n, before = pen__block_bytes;
    char *text = make_long_log(&n);
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    pen_context *ctx;
    options.progress = stop;
    options.n_threads = 1;
    assert_int_equal(pen_context_create(&options, &ctx, NULL), PEN_OK);
    pen_dataset *d = NULL;
    pen_error error = {0};
    pen__block_bytes = 100; /* so many blocks that a tenth of a second passes */
    assert_int_equal(read_log_bytes(ctx, "x", text, n, 0, NULL, &d, &error), PEN_E_CANCELLED);
    pen__block_bytes = before;
    assert_null(d);
    assert_int_equal(pen_context_memory(ctx), 0);
    pen_context_destroy(ctx);
    free(text);
}

/* ---- real logs ---- */

static void real_logs(void **state)
{
    (void)state;
    const char *folder = getenv("PENCHANT_DATA");
    if (!folder) {
        printf("PENCHANT_DATA is not set: real logs are not read\n");
        skip();
    }
    static const struct {
        const char *file, *time;
        int32_t users, items;
        int64_t events;
    } cases[] = {
        {"ml-100k/u.data", NULL, 943, 1682, 100000},
        {"ml-1m/ratings.csv.gz", "order", 6040, 3706, 1000209},
        {"ml-latest-small/ratings.csv", NULL, 610, 9724, 100836},
        {"gowalla/train.txt.gz", NULL, 29858, 40981, 810128},
        {"lastfm/user_artists.dat", NULL, 1892, 17632, 92834},
        {"frappe/frappe.csv.gz", NULL, 957, 4082, 96203},
        {"amazon-beauty/beauty.txt.gz", NULL, 40226, 54542, 353962},
        {"amazon-beauty-5core/Beauty.txt", NULL, 22363, 12101, 198502},
    };
    pen_context *ctx = make_context(2), *one = make_context(1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[4096];
        const char *paths[] = {path};
        pen_read_options options = PEN_READ_OPTIONS_INIT;
        pen_dataset *d, *e;
        pen_error error;
        options.time_column = cases[i].time;
        snprintf(path, sizeof path, "%s/%s", folder, cases[i].file);
        if (pen_dataset_load(ctx, paths, 1, &options, &d, &error) != PEN_OK) fail_msg("%s", error.message);
        assert_int_equal(pen_dataset_users(d), cases[i].users);
        assert_int_equal(pen_dataset_items(d), cases[i].items);
        assert_int_equal(pen_dataset_events(d), cases[i].events);
        assert_int_equal(pen_dataset_load(one, paths, 1, &options, &e, &error), PEN_OK);
        assert_true(d->hash == e->hash);
        pen_dataset_destroy(d);
        pen_dataset_destroy(e);
    }
    pen_context_destroy(ctx);
    pen_context_destroy(one);
}

/* Peak memory of a reading: under 32 bytes an event and the ids, mapped and packed. */
static void memory_an_event(void **state)
{
    (void)state;
    size_t n;
    char *text = make_long_log(&n);
    for (int piped = 0; piped < 2; piped++) {
        pen_context *ctx = make_context(2);
        pen_dataset *d;
        pen_error error;
        if (read_log_bytes(ctx, "x", text, n, piped ? 1 << 20 : 0, NULL, &d, &error) != PEN_OK)
            fail_msg("%s", error.message);
        double peak = (double)pen_context_memory_peak(ctx) / EVENTS;
        printf("%s: %.1f bytes an event at the peak\n", piped ? "piped" : "mapped", peak);
        double buffers = piped ? 34e6 / EVENTS : 0; /* of constant size, whatever the log's */
        assert_true(peak < 32 + buffers);
        pen_dataset_destroy(d);
        pen_context_destroy(ctx);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_threads_any_blocks),    cmocka_unit_test(packed_is_the_same),
        cmocka_unit_test(two_files_are_one_log),     cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(cancelling_leaves_nothing), cmocka_unit_test(real_logs),
        cmocka_unit_test(memory_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
