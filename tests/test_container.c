/* The container: what is written comes back, and whatever is wrong with a file is found before its first use.
 *
 * `test_container --sample FILE` writes the sample that tests/python/test_safetensors.py reads with another library.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/file.h"
#include "store/container.h"

static char folder[64] = "/tmp/penchant-container-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int setup(void **state)
{
    pen_context *ctx = NULL;
    if (!mkdtemp(folder) || pen_context_create(NULL, &ctx, NULL) != PEN_OK) return -1;
    *state = ctx;
    return 0;
}

static int files_in_folder(void)
{
    int n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *e; (e = readdir(dir));) n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static int teardown(void **state)
{
    DIR *dir = opendir(folder);
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.') unlink(in_folder(e->d_name));
    closedir(dir);
    rmdir(folder);
    bool leaked = pen_context_memory(*state) != 0;
    pen_context_destroy(*state);
    return leaked ? -1 : 0;
}

/* ---- a sample of everything -------------------------------------------------------------------------------------- */
static const char config[] = "{\"name\": \"caf\xC3\xA9\",\n\t\"path\": \"a\\\\b\x01\"}";
static char user_bytes[] = "ann\xC3\xA9zo\xE4\xB8\xAD";
static int64_t user_offsets[] = {0, 3, 3, 7, 10};
static const int32_t ids[] = {0, 1, 2, 2, 1, 0};
static const float values[] = {1.5f, -2, 0, 3e38f, -1e-40f};
static const double doubles[] = {0.1, -1e300};
static const int16_t shorts[] = {-32768, 32767, 5};
static const int8_t bytes[] = {-128, 127, 1, 0, 3};
static const int64_t scalar = 1ll << 53;

static void put_sample(pen__container_writer *w)
{
    pen__container_put_meta(w, "config", config);
    pen__container_put_int(w, "n_users", 4);
    pen__container_put_strings(w, "users", &(pen__strings){.n = 4, .offset = user_offsets, .bytes = user_bytes});
    pen__container_put_strings(w, "none", &(pen__strings){0});
    pen__container_put(w, "ids", PEN_I32, 2, (int64_t[]){2, 3}, ids);
    pen__container_put(w, "values", PEN_F32, 1, (int64_t[]){5}, values);
    pen__container_put(w, "doubles", PEN_F64, 4, (int64_t[]){1, 2, 1, 1}, doubles);
    pen__container_put(w, "shorts", PEN_I16, 1, (int64_t[]){3}, shorts);
    pen__container_put(w, "empty", PEN_F32, 2, (int64_t[]){0, 4}, NULL);
    pen__container_put(w, "bytes", PEN_I8, 1, (int64_t[]){5}, bytes);
    pen__container_put(w, "scalar", PEN_I64, 0, NULL, &scalar);
}

static pen_status write_sample(pen_context *ctx, const char *path, pen_error *error)
{
    pen__container_writer *w;
    PEN_TRY(pen__container_begin(ctx, path, "dataset", 3, &w, error));
    put_sample(w);
    return pen__container_commit(w, error);
}

static pen_status read_sample(pen_context *ctx, const char *path, pen_error *error)
{
    pen__container *c;
    pen__strings users;
    PEN_TRY(pen__container_open(ctx, path, "dataset", 3, 0, &c, error));
    pen_status status = pen__container_strings(c, "users", 4, true, &users, error);
    pen__container_close(c);
    return status;
}

static void everything_comes_back(void **state)
{
    const char *path = in_folder("sample.pds");
    pen_error error = {0};
    if (write_sample(*state, path, &error) != PEN_OK) fail_msg("%s", error.message);
    pen__container *c;
    if (pen__container_open(*state, path, "dataset", 4, 0, &c, &error) != PEN_OK) fail_msg("%s", error.message);
    assert_string_equal(pen__container_kind(c), "dataset");
    assert_int_equal(pen__container_version(c), 3);
    assert_string_equal(pen__container_path(c), path);
    assert_string_equal(pen__container_meta(c, "config"), config);
    assert_string_equal(pen__container_meta(c, "writer"), pen_version());
    assert_null(pen__container_meta(c, "nothing"));
    int64_t n;
    assert_int_equal(pen__container_meta_int(c, "n_users", 1, 4, &n, NULL), PEN_OK);
    assert_int_equal(n, 4);
    assert_int_equal(pen__container_meta_int(c, "n_users", 5, 9, &n, NULL), PEN_E_FORMAT);
    const char *key, *value;
    pen__container_meta_at(c, pen__container_n_meta(c) - 1, &key, &value);
    assert_string_equal(key, "n_users");
    assert_string_equal(value, "4");

    assert_int_equal(pen__container_n_tensors(c), 11);
    assert_string_equal(pen__container_tensor_at(c, 0)->name, "users.bytes");
    for (size_t i = 0; i < 11; i++) assert_int_equal((uintptr_t)pen__container_tensor_at(c, i)->data % 64, 0);
    pen__strings users;
    assert_int_equal(pen__container_strings(c, "none", 0, true, &users, NULL), PEN_OK);
    assert_int_equal(users.n, 0);
    assert_int_equal(pen__container_strings(c, "users", PEN__ANY, true, &users, NULL), PEN_OK);
    assert_int_equal(users.n, 4);
    assert_true(pen__span_is(pen__strings_at(&users, 0), "ann"));
    assert_true(pen__span_is(pen__strings_at(&users, 1), ""));
    assert_true(pen__span_is(pen__strings_at(&users, 3), "\xE4\xB8\xAD"));
    assert_int_equal(pen__strings_index(&users, NULL), PEN_OK); /* a borrowed table can be asked */
    assert_int_equal(pen__strings_find(&users, pen__span_of("ann")), 0);
    pen__strings_free(&users);
    int64_t shape[4] = {PEN__ANY, 3};
    const int32_t *got_ids;
    assert_int_equal(pen__container_ids(c, "ids", 2, shape, 0, 3, &got_ids, NULL), PEN_OK);
    assert_int_equal(shape[0], 2);
    assert_memory_equal(got_ids, ids, sizeof ids);
    const float *got_values;
    assert_int_equal(pen__container_floats(c, "values", 1, (int64_t[]){5}, &got_values, NULL), PEN_OK);
    assert_memory_equal(got_values, values, sizeof values);
    const void *got;
    assert_int_equal(pen__container_tensor(c, "doubles", PEN_F64, 4, (int64_t[]){1, 2, 1, 1}, &got, NULL), PEN_OK);
    assert_memory_equal(got, doubles, sizeof doubles);
    assert_int_equal(pen__container_tensor(c, "shorts", PEN_I16, 1, (int64_t[]){3}, &got, NULL), PEN_OK);
    assert_memory_equal(got, shorts, sizeof shorts);
    assert_int_equal(pen__container_tensor(c, "bytes", PEN_I8, 1, (int64_t[]){5}, &got, NULL), PEN_OK);
    assert_memory_equal(got, bytes, sizeof bytes);
    assert_int_equal(pen__container_tensor(c, "scalar", PEN_I64, 0, NULL, &got, NULL), PEN_OK);
    assert_memory_equal(got, &scalar, sizeof scalar);
    assert_int_equal(pen__container_floats(c, "empty", 2, (int64_t[]){0, PEN__ANY}, &got_values, NULL), PEN_OK);
    pen__container_close(c);
    assert_int_equal(files_in_folder(), 1);
}

static void nothing_at_all_is_a_file(void **state)
{
    pen__container_writer *w;
    pen__container *c;
    const char *path = in_folder("nothing.pen");
    assert_int_equal(pen__container_begin(*state, path, "model", 1, &w, NULL), PEN_OK);
    assert_int_equal(pen__container_commit(w, NULL), PEN_OK);
    assert_int_equal(pen__container_open(*state, path, NULL, 0, 0, &c, NULL), PEN_OK);
    assert_int_equal(pen__container_n_tensors(c), 0);
    assert_null(pen__container_find(c, "x"));
    pen__container_close(c);
    unlink(path);
}

/* The refusals of pen__container_tensor and the checks of values. */
static void wrong_contents_are_refused(void **state)
{
    static const float bad_floats[] = {0, INFINITY, 1};
    static const int64_t falling[] = {0, 4, 2, 6}, late[] = {1, 2};
    static int64_t two[] = {0, 1, 2};
    static char latin1[] = "a\xE9";
    pen__container_writer *w;
    pen__container *c;
    pen_error error;
    const char *path = in_folder("wrong.pen");
    assert_int_equal(pen__container_begin(*state, path, "model", 1, &w, NULL), PEN_OK);
    put_sample(w);
    pen__container_put(w, "bad_floats", PEN_F32, 1, (int64_t[]){3}, bad_floats);
    pen__container_put(w, "falling", PEN_I64, 1, (int64_t[]){4}, falling);
    pen__container_put(w, "late", PEN_I64, 1, (int64_t[]){2}, late);
    pen__container_put_strings(w, "latin1", &(pen__strings){.n = 2, .offset = two, .bytes = latin1});
    assert_int_equal(pen__container_commit(w, NULL), PEN_OK);
    if (pen__container_open(*state, path, "model", 1, 0, &c, &error) != PEN_OK) fail_msg("%s", error.message);
    const void *out;
    const int32_t *i32;
    const float *f32;
    const int64_t *i64;
    pen__strings strings;
#define REFUSED(expr, words)                                                                         \
    do {                                                                                             \
        error.message[0] = 0;                                                                        \
        assert_int_equal((expr), PEN_E_FORMAT);                                                      \
        if (!strstr(error.message, words)) fail_msg("'%s' does not say '%s'", error.message, words); \
    } while (0)
    REFUSED(pen__container_tensor(c, "absent", PEN_F32, 1, (int64_t[]){5}, &out, &error), "has no tensor 'absent'");
    REFUSED(pen__container_tensor(c, "values", PEN_I32, 1, (int64_t[]){5}, &out, &error),
            "F32 (5) and should be I32 (5)");
    REFUSED(pen__container_tensor(c, "values", PEN_F32, 1, (int64_t[]){6}, &out, &error), "(5) and should be F32 (6)");
    REFUSED(pen__container_tensor(c, "ids", PEN_I32, 2, ((int64_t[]){PEN__ANY, 2}), &out, &error),
            "(2, 3) and should be I32 (?, 2)");
    REFUSED(pen__container_tensor(c, "ids", PEN_I32, 1, (int64_t[]){6}, &out, &error), "should be I32 (6)");
    REFUSED(pen__container_ids(c, "ids", 2, ((int64_t[]){2, 3}), 0, 2, &i32, &error),
            "holds 2 at 2; allowed are 0 to 1");
    REFUSED(pen__container_ids(c, "ids", 2, ((int64_t[]){2, 3}), 1, 3, &i32, &error), "holds 0 at 0");
    REFUSED(pen__container_floats(c, "bad_floats", 1, (int64_t[]){3}, &f32, &error), "holds inf at 1");
    REFUSED(pen__container_offsets(c, "falling", 3, 6, &i64, &error), "fall from 4 to 2 at 2");
    REFUSED(pen__container_offsets(c, "late", 1, 2, &i64, &error), "do not begin with 0");
    REFUSED(pen__container_offsets(c, "users.offsets", 4, 11, &i64, &error), "end with 10 and should end with 11");
    REFUSED(pen__container_offsets(c, "late", INT64_MAX, 2, &i64, &error), "should be I64 (9223372036854775807)");
    REFUSED(pen__container_strings(c, "users", 5, true, &strings, &error), "I64 (5) and should be I64 (6)");
    REFUSED(pen__container_strings(c, "latin1", 2, true, &strings, &error), "string 1 of 'latin1' is not valid UTF-8");
    assert_int_equal(pen__container_strings(c, "latin1", 2, false, &strings, NULL), PEN_OK);
    pen__container_close(c);
    unlink(path);
}

/* ---- writing that goes wrong ------------------------------------------------------------------------------------- */
static void mistakes_come_out_of_commit(void **state)
{
    static const int64_t huge[] = {INT64_MAX, 2}, negative[] = {-1}, one[] = {1};
    static const char control[] = "a\nb", bad_utf8[] = "\xFF";
    for (int mistake = 0; mistake < 10; mistake++) {
        pen__container_writer *w;
        assert_int_equal(pen__container_begin(*state, in_folder("mistake.pen"), "model", 1, &w, NULL), PEN_OK);
        pen__container_put(w, "a", PEN_U8, 1, one, "x");
        switch (mistake) {
        case 0: pen__container_put(w, "a", PEN_U8, 1, one, "x"); break;
        case 1: pen__container_put(w, "__pad_0", PEN_U8, 1, one, "x"); break;
        case 2: pen__container_put(w, "b", PEN_F32, 2, huge, "x"); break;
        case 3: pen__container_put(w, "b", PEN_U8, 1, negative, "x"); break;
        case 4: pen__container_put(w, "b", PEN_U8, 1, one, NULL); break;
        case 5: pen__container_put(w, control, PEN_U8, 1, one, "x"); break;
        case 6: pen__container_put(w, "b", PEN_U8, 5, huge, "x"); break;
        case 7: pen__container_put_meta(w, "kind", "twice"); break;
        case 8: pen__container_put_meta(w, "k", bad_utf8); break;
        case 9: pen__container_put_meta(w, "hash", "mine"); break;
        }
        pen__container_put_meta(w, "later", "the first mistake is the one reported");
        pen_error error = {0};
        assert_int_not_equal(pen__container_commit(w, &error), PEN_OK);
        assert_true(error.message[0] != 0);
        assert_int_not_equal(access(in_folder("mistake.pen"), F_OK), 0);
    }
    pen__container_writer *w;
    assert_int_equal(pen__container_begin(*state, "-", "model", 1, &w, NULL), PEN_E_ARGUMENT);
    assert_int_equal(pen__container_begin(*state, folder, "model", 1, &w, NULL), PEN_E_IO);
    assert_int_equal(pen__container_begin(*state, in_folder("x.pen"), "model", 0, &w, NULL), PEN_E_ARGUMENT);
    assert_int_equal(pen__container_begin(*state, in_folder("x.pen"), "model", 1, &w, NULL), PEN_OK);
    pen__container_abort(w);
    pen__container_abort(NULL);
    assert_int_equal(files_in_folder(), 1);
}

typedef struct stream {
    size_t total, piece;
    pen_status answer;
} stream;

static pen_status make_pieces(void *arg, pen__container_writer *w, pen_error *error)
{
    static unsigned char buffer[100000];
    const stream *s = arg;
    for (size_t at = 0; at < s->total; at += s->piece) {
        size_t n = s->total - at < s->piece ? s->total - at : s->piece;
        for (size_t i = 0; i < n; i++) buffer[i] = (unsigned char)((at + i) * 31 >> 3);
        PEN_TRY(pen__container_push(w, buffer, n, error));
    }
    return s->answer;
}

static pen_status write_stream(pen_context *ctx, const char *path, int64_t declared, stream s, pen_error *error)
{
    pen__container_writer *w;
    PEN_TRY(pen__container_begin(ctx, path, "model", 1, &w, error));
    pen__container_put(w, "before", PEN_U8, 1, (int64_t[]){3}, "abc");
    pen__container_put_source(w, "big", PEN_U8, 1, &declared, make_pieces, &s);
    pen__container_put(w, "after", PEN_U8, 1, (int64_t[]){3}, "xyz");
    return pen__container_commit(w, error);
}

static void pieces_make_a_tensor(void **state)
{
    pen_context *ctx;
    pen__container *c;
    pen_error error = {0};
    const int64_t n = 50000001;
    const char *path = in_folder("stream.pen");
    (void)state;
    assert_int_equal(pen_context_create(NULL, &ctx, NULL), PEN_OK);
    if (write_stream(ctx, path, n, (stream){(size_t)n, 99991, PEN_OK}, &error) != PEN_OK) fail_msg("%s", error.message);
    /* the file's buffer of a MiB and small things: no copy of the tensor */
    assert_true(pen_context_memory_peak(ctx) < 2 << 20);
    if (pen__container_open(ctx, path, "model", 1, 0, &c, &error) != PEN_OK) fail_msg("%s", error.message);
    const unsigned char *big;
    assert_int_equal(pen__container_tensor(c, "big", PEN_U8, 1, (int64_t[]){n}, &big, NULL), PEN_OK);
    for (int64_t i = 0; i < n; i++)
        if (big[i] != (unsigned char)((size_t)i * 31 >> 3)) fail_msg("byte %lld differs", (long long)i);
    pen__container_close(c);

    /* too few, too many, a source that fails: refused, and the old file stands */
    assert_int_equal(write_stream(ctx, path, 100, (stream){99, 7, PEN_OK}, &error), PEN_E_ARGUMENT);
    assert_non_null(strstr(error.message, "1 bytes of tensor 'big' were not given"));
    assert_int_equal(write_stream(ctx, path, 100, (stream){101, 7, PEN_OK}, &error), PEN_E_ARGUMENT);
    assert_non_null(strstr(error.message, "1 bytes too many"));
    assert_int_equal(write_stream(ctx, path, 100, (stream){100, 7, PEN_E_CANCELLED}, &error), PEN_E_CANCELLED);
    assert_int_equal(pen__container_open(ctx, path, "model", 1, 0, &c, NULL), PEN_OK);
    assert_int_equal(pen__container_size(c) > (size_t)n, 1);
    pen__container_close(c);
    assert_int_equal(pen_context_memory(ctx), 0);
    pen_context_destroy(ctx);
    unlink(path);
    assert_int_equal(files_in_folder(), 1);
}

static void a_full_disk_leaves_the_old_file(void **state)
{
    struct rlimit old, small;
    pen_error error = {0};
    const char *path = in_folder("limited.pds");
    assert_int_equal(write_sample(*state, path, NULL), PEN_OK);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    for (rlim_t limit = 0; limit < 2048; limit += 512) { /* in the header, in the data */
        small.rlim_cur = limit;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        pen_status sample = write_sample(*state, path, &error);
        pen_status large = write_stream(*state, path, 10000000, (stream){10000000, 100000, PEN_OK}, NULL);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(large, PEN_E_IO);
        if (limit <= 1024) assert_int_equal(sample, PEN_E_IO);
        assert_int_equal(read_sample(*state, path, NULL), PEN_OK);
        assert_int_equal(files_in_folder(), 2);
    }
    assert_non_null(strstr(error.message, "File too large"));
    int before = dup(0); /* the lowest number that is free: a descriptor that stays open would raise it */
    close(before);
    assert_int_equal(write_sample(*state, "/dev/full", &error), PEN_E_IO);
    assert_non_null(strstr(error.message, "No space left"));
    int after = dup(0);
    close(after);
    assert_int_equal(after, before);
    unlink(path);
}

/* ---- reading what is damaged ------------------------------------------------------------------------------------- */
typedef struct block {
    unsigned char *bytes; /* aligned to 64 */
    size_t size;
} block;

static block load(const char *path)
{
    pen__map map;
    assert_int_equal(pen__map_open(path, &map, NULL), PEN_OK);
    block b = {aligned_alloc(64, (map.size + 127) / 64 * 64), map.size};
    memcpy(b.bytes, map.bytes, map.size);
    pen__map_close(&map);
    return b;
}

static pen_status open_block(pen_context *ctx, const void *bytes_, size_t size, unsigned flags, pen_error *error)
{
    pen__container *c;
    pen_status status = pen__container_open_memory(ctx, bytes_, size, "block", "dataset", 3, flags, &c, error);
    if (status == PEN_OK)
        pen__container_close(c);
    else
        assert_null(c);
    return status;
}

static void every_cut_is_refused(void **state)
{
    block b = load(in_folder("sample.pds"));
    pen_error error;
    assert_int_equal(open_block(*state, b.bytes, b.size, 0, NULL), PEN_OK);
    for (size_t n = 0; n < b.size; n++) {
        unsigned char *cut = aligned_alloc(64, (n + 64) / 64 * 64); /* so that the sanitizer sees a read past the end */
        memcpy(cut, b.bytes, n);
        assert_int_equal(open_block(*state, cut, n, PEN__SKIP_HASH, &error), PEN_E_FORMAT);
        if (n >= 64) assert_null(strstr(error.message, "not a Penchant file"));
        free(cut);
    }
    b.bytes[b.size] = 0;
    assert_int_equal(open_block(*state, b.bytes, b.size + 1, PEN__SKIP_HASH, &error), PEN_E_FORMAT);
    assert_non_null(strstr(error.message, "1 bytes follow its last tensor"));
    free(b.bytes);

    pen__container *c; /* and as files, where mapping has its own edges */
    FILE *file = fopen(in_folder("cut.pds"), "wb");
    fclose(file);
    assert_int_equal(pen__container_open(*state, in_folder("cut.pds"), "dataset", 3, 0, &c, &error), PEN_E_FORMAT);
    assert_non_null(strstr(error.message, "cut.pds' is not a Penchant file: it has 0 bytes only"));
    unlink(in_folder("cut.pds"));
    assert_int_equal(pen__container_open(*state, in_folder("absent.pds"), "dataset", 3, 0, &c, &error), PEN_E_IO);
}

static void every_flipped_bit_is_refused(void **state)
{
    block b = load(in_folder("sample.pds"));
    for (size_t bit = 0; bit < 8 * b.size; bit++) {
        b.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        pen_status status = open_block(*state, b.bytes, b.size, 0, NULL);
        if (status != PEN_E_FORMAT && status != PEN_E_UNSUPPORTED) fail_msg("bit %zu flipped: status %d", bit, status);
        b.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    assert_int_equal(open_block(*state, b.bytes, b.size, 0, NULL), PEN_OK);
    free(b.bytes);
}

/* A file with this header and zero bytes as data, with its lengths and hash in order (the hash as
 * docs/formats/container.md says it, not as the writer does it): what is refused is refused for its structure. */
static block forge(const char *header, size_t data)
{
    uint64_t length = (strlen(header) + 8 + 63) / 64 * 64 - 8;
    block b = {aligned_alloc(64, (8 + length + data + 127) / 64 * 64), 8 + length + data};
    memset(b.bytes, 0, b.size);
    memcpy(b.bytes, &length, 8);
    memset(b.bytes + 8, ' ', length);
    memcpy(b.bytes + 8, header, strlen(header));
    char *digits = strstr(header, "xxh3-64:0000000000000000");
    if (digits) {
        char text[17];
        snprintf(text, sizeof text, "%016llx", (unsigned long long)XXH3_64bits(b.bytes, b.size));
        memcpy(b.bytes + 8 + (digits - header) + 8, text, 16);
    }
    return b;
}

#define META                                                                                                \
    "{\"__metadata__\":{\"hash\":\"xxh3-64:0000000000000000\",\"format\":\"penchant\",\"container\":\"1\"," \
    "\"kind\":\"dataset\",\"version\":\"3\"}"
#define T(name, dtype, shape, begin, end) \
    ",\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" begin "," end "]}"

static void hostile_headers_are_refused(void **state)
{
    static const struct {
        const char *header;
        size_t data;
        const char *words; /* NULL: accepted, so that the forge itself is known to work */
    } cases[] = {
        {META T("a", "U8", "64", "0", "64") T("b", "F32", "2,2", "64", "80") "}", 80, NULL},
        /* any order in the header */
        {META T("b", "F32", "2,2", "64", "80") T("a", "U8", "64", "0", "64") "}", 80, NULL},
        {META T("a", "U8", "3", "0", "3") T("__pad_7", "U8", "61", "3", "64") T("b", "U8", "1", "64", "65") "}", 65,
         NULL},
        {META T("a", "U8", "0", "0", "0") T("b", "U8", "0", "0", "0") "}", 0, NULL},
        {META "}", 0, NULL},
        {META T("a", "U8", "3", "0", "3") T("b", "U8", "1", "3", "4") "}", 4, "not aligned"},
        {META T("a", "U8", "64", "0", "64") T("b", "U8", "64", "32", "96") "}", 96, "does not begin where"},
        {META T("a", "U8", "64", "0", "64") T("b", "U8", "64", "0", "64") "}", 64, "does not begin where"},
        {META T("a", "U8", "64", "0", "64") T("b", "U8", "64", "128", "192") "}", 192, "does not begin where"},
        {META T("a", "U8", "64", "64", "128") "}", 128, "does not begin where"},
        {META T("a", "U8", "64", "0", "64") "}", 65, "1 bytes follow"},
        {META "}", 1, "1 bytes follow"},
        {META T("a", "U8", "65", "0", "65") "}", 64, "lies outside"},
        {META T("a", "U8", "64", "-64", "0") "}", 64, "lies outside"},
        {META T("a", "U8", "64", "64", "0") "}", 64, "lies outside"},
        {META T("a", "U8", "64", "9223372036854775743", "9223372036854775807") "}", 64, "lies outside"},
        {META T("a", "U8", "64", "0", "64.0") "}", 64, "lies outside"},
        {META T("a", "U8", "64", "0", "18446744073709551616") "}", 64, "too big integer"},
        {META T("a", "U8", "64", "0,64", "64") "}", 64, "not described"},
        {META T("a", "F32", "64", "0", "64") "}", 64, "has 64 bytes where its shape needs 256"},
        {META T("a", "F32", "-16", "0", "64") "}", 64, "not a whole number"},
        {META T("a", "F32", "16.0", "0", "64") "}", 64, "not a whole number"},
        {META T("a", "F32", "\"16\"", "0", "64") "}", 64, "not a whole number"},
        {META T("a", "F32", "NaN", "0", "64") "}", 64, "not sound JSON"},
        {META T("a", "F32", "Infinity", "0", "64") "}", 64, "not sound JSON"},
        {META T("a", "F32", "4294967296,4294967296", "0", "0") "}", 0, "too large"},
        {META T("a", "F64", "2305843009213693952", "0", "0") "}", 0, "too large"},
        {META T("a", "U8", "0,9223372036854775807,9223372036854775807", "0", "0") "}", 0, "too large"},
        {META T("a", "U8", "1,1,1,1,1", "0", "1") "}", 1, "5 dimensions"},
        {META T("a", "BF16", "32", "0", "64") "}", 64, "dtype"},
        {META T("a", "f32", "16", "0", "64") "}", 64, "dtype"},
        {META T("a", "U8", "64", "0", "64") T("a", "U8", "64", "64", "128") "}", 128, "duplicate"},
        {META T("a", "U8", "64", "0", "64") ",\"__metadata__\":{}}", 64, "duplicate"},
        {META T("__other", "U8", "64", "0", "64") "}", 64, "reserved"},
        {META T("__pad_0", "U8", "64", "0", "64") "}", 64, "not a pad"},
        {META T("__pad_0", "I8", "4", "0", "4") "}", 4, "not a pad"},
        {META T("__pad_0", "U8", "2,2", "0", "4") "}", 4, "not a pad"},
        {META T("", "U8", "64", "0", "64") "}", 64, "name of a tensor"},
        {META T("a\\u001b[2J", "U8", "64", "0", "64") "}", 64, "name of a tensor"},
        {META T("a\\u0000b", "U8", "64", "0", "64") "}", 64, "not sound JSON"},
        {META T("a\xFF", "U8", "64", "0", "64") "}", 64, "not sound JSON"},
        {META ",\"a\":{\"dtype\":\"U8\",\"shape\":[64],\"data_offsets\":[0,64],\"more\":1}}", 64, "not described"},
        {META ",\"a\":{\"dtype\":\"U8\",\"shape\":[64]}}", 64, "not described"},
        {META ",\"a\":{\"dtype\":\"U8\",\"shape\":{},\"data_offsets\":[0,64]}}", 64, "not described"},
        {META ",\"a\":{\"dtype\":8,\"shape\":[64],\"data_offsets\":[0,64]}}", 64, "not described"},
        {META ",\"a\":[0,64]}", 64, "not described"},
        {META ",\"a\":null}", 64, "not described"},
        {META "} true", 0, "not sound JSON"},
        {META, 0, "not sound JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        block b = forge(cases[i].header, cases[i].data);
        pen_error error = {0};
        pen_status status = open_block(*state, b.bytes, b.size, 0, &error);
        if (status != (cases[i].words ? PEN_E_FORMAT : PEN_OK))
            fail_msg("case %zu: status %d %s\n%s", i, status, error.message, cases[i].header);
        if (cases[i].words && !strstr(error.message, cases[i].words))
            fail_msg("case %zu: '%s' does not say '%s'\n%s", i, error.message, cases[i].words, cases[i].header);
        free(b.bytes);
    }
}

static void pads_are_zero(void **state)
{
    block b = forge(
        META T("a", "U8", "3", "0", "3") T("__pad_0", "U8", "61", "3", "64") T("b", "U8", "1", "64", "65") "}", 65);
    pen_error error = {0};
    assert_int_equal(open_block(*state, b.bytes, b.size, PEN__SKIP_HASH, NULL), PEN_OK);
    b.bytes[b.size - 65] = 1; /* in a: free to be anything */
    assert_int_equal(open_block(*state, b.bytes, b.size, PEN__SKIP_HASH, NULL), PEN_OK);
    b.bytes[b.size - 2] = 1; /* the last byte of the pad */
    assert_int_equal(open_block(*state, b.bytes, b.size, PEN__SKIP_HASH, &error), PEN_E_FORMAT);
    assert_non_null(strstr(error.message, "the pad '__pad_0' is not zero"));
    free(b.bytes);
}

/* Whose file, which kind, which version: what a user reads. */
static void foreign_files_are_named(void **state)
{
#define HEAD "{\"__metadata__\":{\"hash\":\"xxh3-64:0000000000000000\","
    static const struct {
        const char *header, *words;
        pen_status status;
    } cases[] = {
        {"user,item\n1,2\n", "not a Penchant file: no safetensors header", PEN_E_FORMAT},
        {"{}", "without metadata", PEN_E_FORMAT},
        {"[]", "no safetensors header", PEN_E_FORMAT},
        {"{\"__metadata__\":{\"format\":\"pt\"}}", "of another program", PEN_E_FORMAT},
        {"{\"__metadata__\":{\"format\":1}}", "'format' is not a string", PEN_E_FORMAT},
        {"{\"__metadata__\":[]}", "without metadata", PEN_E_FORMAT},
        {HEAD "\"format\":\"penchant\",\"container\":\"2\",\"writer\":\"9.1.0\"}}",
         "needs a newer Penchant: it was written by Penchant 9.1.0 as container version 2", PEN_E_UNSUPPORTED},
        {HEAD "\"format\":\"penchant\",\"container\":\"1x\"}}", "container version is not a number", PEN_E_FORMAT},
        {HEAD "\"format\":\"penchant\",\"container\":\"1\"}}", "what kind", PEN_E_FORMAT},
        {HEAD "\"format\":\"penchant\",\"container\":\"1\",\"kind\":\"model\",\"version\":\"1\"}}",
         "is a model, not a dataset", PEN_E_FORMAT},
        {HEAD "\"format\":\"penchant\",\"container\":\"1\",\"kind\":\"dataset\",\"version\":\"0\"}}",
         "version is not a number", PEN_E_FORMAT},
        {HEAD
         "\"format\":\"penchant\",\"container\":\"1\",\"kind\":\"dataset\",\"version\":\"4\",\"writer\":\"9.1.0\"}}",
         "written by Penchant 9.1.0 as dataset version 4, and this is 0", PEN_E_UNSUPPORTED},
        {"{\"__metadata__\":{\"format\":\"penchant\",\"container\":\"1\",\"kind\":\"dataset\",\"version\":\"3\"}}",
         "hash does not stand", PEN_E_FORMAT},
        {"{\"__metadata__\":{\"hash\":\"xxh3-64:000000000000000G\",\"format\":\"penchant\",\"container\":\"1\","
         "\"kind\":\"dataset\",\"version\":\"3\"}}",
         "hash does not stand", PEN_E_FORMAT},
        {"{\"__metadata__\":{\"hash\":\"xxh3-64:0123456789abcdef\",\"format\":\"penchant\",\"container\":\"1\","
         "\"kind\":\"dataset\",\"version\":\"3\"}}",
         "should be 0123456789abcdef", PEN_E_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        block b = forge(cases[i].header, 0);
        pen_error error = {0};
        assert_int_equal(open_block(*state, b.bytes, b.size, 0, &error), cases[i].status);
        if (!strstr(error.message, cases[i].words)) fail_msg("'%s' does not say '%s'", error.message, cases[i].words);
        free(b.bytes);
    }
    _Alignas(64) unsigned char raw[200] = {0};
    memset(raw, 0xFF, 8); /* a header longer than any file */
    pen_error error = {0};
    assert_int_equal(open_block(*state, raw, sizeof raw, 0, &error), PEN_E_FORMAT);
    assert_non_null(strstr(error.message, "not a Penchant file: it does not begin with the length"));
    assert_int_equal(open_block(*state, raw + 1, 100, 0, &error), PEN_E_ARGUMENT);
}

/* Nesting without end, and many small values: refused in bounded time and memory. */
static void deep_and_wide_headers_are_refused(void **state)
{
    size_t n = 1000000;
    char *header = malloc(2 * n + 1000);
    for (int wide = 0; wide < 2; wide++) {
        size_t at = (size_t)sprintf(header, META ",\"a\":[");
        for (size_t i = 0; i < n; i++) header[at++] = wide && i % 2 ? ',' : wide ? '0' : '[';
        for (size_t i = 0; !wide && i < n; i++) header[at++] = ']';
        if (wide) header[at++] = '0';
        strcpy(header + at, "]}");
        block b = forge(header, 0);
        pen_error error = {0};
        assert_int_equal(open_block(*state, b.bytes, b.size, 0, &error), PEN_E_FORMAT);
        assert_non_null(strstr(error.message, wide ? "not described" : "not sound JSON"));
        free(b.bytes);
    }
    free(header);
    header = calloc(1, 6 << 20); /* longer than the limit, though the file has it all */
    size_t at = (size_t)sprintf(header, META);
    memset(header + at, ' ', 5 << 20);
    strcat(header, "}");
    block b = forge(header, 0);
    assert_int_equal(open_block(*state, b.bytes, b.size, 0, NULL), PEN_E_FORMAT);
    free(b.bytes);
    pen__container_writer *w; /* and the writer does not make one */
    memset(header, 'x', 5 << 20);
    header[5 << 20] = 0;
    assert_int_equal(pen__container_begin(*state, in_folder("long.pen"), "model", 1, &w, NULL), PEN_OK);
    pen__container_put_meta(w, "long", header);
    assert_int_equal(pen__container_commit(w, NULL), PEN_E_LIMIT);
    free(header);
}

/* ---- allocation failure at each allocation ----------------------------------------------------------------------- */
typedef struct failing {
    int until, live;
} failing;

static void *fail_obtain(void *user, size_t n)
{
    failing *f = user;
    if (f->until-- == 0) return NULL;
    void *block_ = malloc(n);
    f->live += block_ != NULL;
    return block_;
}

static void *fail_resize(void *user, void *old, size_t n)
{
    failing *f = user;
    return f->until-- == 0 ? NULL : realloc(old, n);
}

static void fail_release(void *user, void *old)
{
    failing *f = user;
    f->live -= old != NULL;
    free(old);
}

static void each_failed_allocation_is_survived(void **state)
{
    failing f = {-1, 0};
    pen_allocator allocator = {fail_obtain, fail_resize, fail_release, &f};
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.allocator = &allocator;
    pen_context *ctx;
    (void)state;
    assert_int_equal(pen_context_create(&options, &ctx, NULL), PEN_OK);
    int live = f.live, at = 0;
    char path[400];
    snprintf(path, sizeof path, "%s", in_folder("failing.pds"));
    pen_status wrote = PEN_E_MEMORY, got = PEN_E_MEMORY;
    for (; wrote != PEN_OK; at++) {
        pen_error error = {0};
        f.until = at;
        wrote = write_sample(ctx, path, &error);
        assert_true(wrote == PEN_OK || (wrote == PEN_E_MEMORY && error.message[0]));
        assert_int_equal(f.live, live);
        assert_int_equal(access(path, F_OK) == 0, wrote == PEN_OK);
    }
    assert_true(at > 25); /* names, values, both lists, the header, the writer, ... */
    for (at = 0; got != PEN_OK; at++) {
        pen_error error = {0};
        f.until = at;
        got = read_sample(ctx, path, &error);
        assert_true(got == PEN_OK || (got == PEN_E_MEMORY && error.message[0]));
        assert_int_equal(f.live, live);
    }
    assert_true(at > 4);
    f.until = -1;
    assert_int_equal(pen_context_memory(ctx), 0);
    pen_context_destroy(ctx);
    assert_int_equal(f.live, 0);
    unlink(path);
    assert_int_equal(files_in_folder(), 1);
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "--sample")) {
        pen_context *ctx;
        pen_status status = pen_context_create(NULL, &ctx, NULL);
        if (status == PEN_OK) status = write_sample(ctx, argv[2], NULL);
        return status == PEN_OK ? 0 : 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back),
        cmocka_unit_test(nothing_at_all_is_a_file),
        cmocka_unit_test(wrong_contents_are_refused),
        cmocka_unit_test(mistakes_come_out_of_commit),
        cmocka_unit_test(pieces_make_a_tensor),
        cmocka_unit_test(a_full_disk_leaves_the_old_file),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(hostile_headers_are_refused),
        cmocka_unit_test(pads_are_zero),
        cmocka_unit_test(foreign_files_are_named),
        cmocka_unit_test(deep_and_wide_headers_are_refused),
        cmocka_unit_test(each_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
