/* Tables as inputs of networks: words of texts, what becomes a feature and how it weighs, ids that only tables have;
 * and that a model on them answers for who and what has no events. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/random.h"
#include "data/tokens.h"
#include "id_number.h"
#include "penchant/penchant.h"
#include "rank/catalogue.h"
#include "rank/rank.h"
#include "train/net_features.h"

/* ---- words ------------------------------------------------------------------------------------------------------- */

static void words_of_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", ""},
        {"Toy Story (1995)", "toy|story|1995"},
        {"  --  ", ""},
        {"Am\xC3\xA9lie \xC3\x89T\xC3\x89, l'\xC5\xB9r\xC3\xB3"
         "d\xC5\x82o",
         "am\xC3\xA9lie|\xC3\xA9t\xC3\xA9|l|\xC5\xBAr\xC3\xB3"
         "d\xC5\x82o"},
        {"\xD0\x92\xD0\xBE\xD0\xB9\xD0\xBD\xD0\xB0 \xCE\x91\xCE\xB2",
         "\xD0\xB2\xD0\xBE\xD0\xB9\xD0\xBD\xD0\xB0|\xCE\xB1\xCE\xB2"},
        {"\xE4\xB8\x83\xE4\xBA\xBA\xE3\x81\xAE\xE4\xBE\x8D",
         "\xE4\xB8\x83\xE4\xBA\xBA|\xE4\xBA\xBA\xE3\x81\xAE|\xE3\x81\xAE\xE4\xBE\x8D"},
        {"a\xE4\xBE\x8D"
         "b",
         "a|\xE4\xBE\x8D|b"},
        {"\xE4\xB8\x83\xE3\x80\x82\xE4\xBA\xBA\xE3\x81\xAE", "\xE4\xB8\x83|\xE4\xBA\xBA\xE3\x81\xAE"},
        {"x\xE2\x80\x94y \xF0\x9F\x98\x80 z", "x|y|z"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xC3\xA9"
         "b c",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa|c"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pen__tokens t = {.at = cases[i].text, .end = cases[i].text + strlen(cases[i].text)};
        pen__span word;
        char got[300] = "";
        while (pen__token_next(&t, &word)) {
            assert_true(word.length > 0);
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s%.*s", *got ? "|" : "", (int)word.length,
                     word.text);
        }
        assert_string_equal(got, cases[i].words);
    }
}

/* ---- data: everybody has a taste, everything a kind -------------------------------------------------------------- */

enum { N_USERS = 60, N_ITEMS = 40, NEW_USERS = 4, NEW_ITEMS = 6 };

static const char *const kinds[] = {"sour", "sweet"};
static char log_path[64], items_path[64], users_path[64];

static FILE *made(char *path, size_t size, const char *name)
{
    snprintf(path, size, "/tmp/penchant-features-%ld-%s.tsv", (long)getpid(), name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    return f;
}

/* Users and items of two kinds by their number's parity, which the tables tell; the last of each have no events. */
static void write_data(void)
{
    FILE *log = made(log_path, sizeof log_path, "log"), *items = made(items_path, sizeof items_path, "items"),
         *users = made(users_path, sizeof users_path, "users");
    for (int u = 0; u < N_USERS; u++)
        for (int i = 0; i < N_ITEMS; i++) {
            uint64_t chance = pen__rand64(5, 1, (uint64_t)(u * N_ITEMS + i));
            if (chance % 10 < (u % 2 == i % 2 ? 5 : 1))
                fprintf(log, "u%d\ti%d\t1\t%d\n", u, i, 1000 + u * 100 + (int)(chance >> 32) % 90);
        }
    fprintf(items, "item\tkind\tsize\ttags\ttitle\n");
    for (int i = 0; i < N_ITEMS + NEW_ITEMS; i++)
        fprintf(items, "i%d\t%s\t%d\t%s\tThe %s one %d\n", i, kinds[i % 2], i % 2 ? 10 + i % 3 : 30 + i % 3,
                i % 3 ? "red|big" : "red", kinds[i % 2], i);
    fprintf(users, "user\ttaste\tage\tsearched\n");
    for (int u = 0; u < N_USERS + NEW_USERS; u++)
        fprintf(users, "u%d\t%s\t%s\t%s things %d\n", u, kinds[u % 2], u % 5 ? "30" : "", kinds[u % 2], u);
    fclose(log), fclose(items), fclose(users);
}

static pen_context *context(int threads)
{
    pen_context_options o = PEN_CONTEXT_OPTIONS_INIT;
    pen_context *ctx;
    o.n_threads = threads;
    assert_int_equal(pen_context_create(&o, &ctx, NULL), PEN_OK);
    return ctx;
}

static pen_dataset *read_data(pen_context *ctx, bool tables)
{
    pen_read_options o = PEN_READ_OPTIONS_INIT;
    pen_dataset *d;
    pen_error error = {0};
    const char *paths[] = {log_path};
    if (tables) o.items_path = items_path, o.users_path = users_path;
    if (pen_dataset_read(ctx, paths, 1, &o, &d, &error) != PEN_OK) fail_msg("%s", error.message);
    return d;
}

static pen_model *train(const pen_dataset *d, const char *model, const char *const *params, pen_error *error)
{
    pen_train_options o = PEN_TRAIN_OPTIONS_INIT;
    pen_protocol p;
    pen_model *m = NULL;
    pen_protocol_init(&p);
    o.model = model, o.params = params;
    while (params[o.n_params]) o.n_params++;
    (void)pen_model_train(d, &p, &o, &m, error);
    return m;
}

static pen_model *must_train(const pen_dataset *d, const char *model, const char *const *params)
{
    pen_error error = {0};
    pen_model *m = train(d, model, params, &error);
    if (!m) fail_msg("%s: %s", model, error.message);
    return m;
}

/* ---- what becomes a feature -------------------------------------------------------------------------------------- */

/* The item side of a model trained on the tables with those columns, as its state holds it. */
static pen__features features_of(pen_model *m, int side)
{
    pen__features f;
    pen_error error = {0};
    if (pen__features_bind(m, side, side == PEN_SIDE_USER ? m->n_users : m->n_items, true, &f, &error) != PEN_OK)
        fail_msg("%s", error.message);
    return f;
}

static void columns_become_features(void **state)
{
    (void)state;
    pen_context *ctx = context(1);
    pen_dataset *d = read_data(ctx, true);
    const char *all[] = {"epochs=1", "factors=2", NULL};
    pen_model *m = must_train(d, "two-tower", all);
    assert_int_equal(m->n_users, N_USERS + NEW_USERS);
    assert_int_equal(m->n_items, N_ITEMS + NEW_ITEMS);
    pen__features item = features_of(m, PEN_SIDE_ITEM), user = features_of(m, PEN_SIDE_USER);
    assert_int_equal(item.n_words, 2 + 2); /* kinds, tags; not titles */
    assert_int_equal(item.n_numbers, 2);   /* size, and whether it is known */
    assert_int_equal(user.n_words, 2);     /* tastes; each search is of one user alone, and a text */
    assert_int_equal(user.n_numbers, 2);
    double mean = 0, square = 0;
    for (int64_t r = 0; r < item.n_rows; r++) {
        int64_t n = pen__features_words(&item, r);
        int number = id_number(&m->catalogue->items, r);
        assert_int_equal(n, number % 3 ? 3 : 2);
        for (int64_t k = 1; k < n; k++) assert_true(item.weight[item.begin[r] + k] == 1 / (float)(n - 1));
        assert_true(item.weight[item.begin[r]] == 1);
        assert_true(item.number[r * 2 + 1] == 1);
        mean += (double)item.number[r * 2], square += (double)item.number[r * 2] * (double)item.number[r * 2];
    }
    assert_true(fabs(mean / (double)item.n_rows) < 1e-5 && fabs(square / (double)item.n_rows - 1) < 1e-5);
    for (int64_t r = 0; r < user.n_rows; r++) {
        int number = id_number(&m->catalogue->users, r);
        assert_true(user.number[r * 2] == 0); /* one age alone deviates from nothing */
        assert_true(user.number[r * 2 + 1] == (number % 5 ? 1 : 0));
    }
    pen_model_destroy(m);
    const char *named[] = {"epochs=1", "factors=2", "item_features= title ,size", "user_features=searched", NULL};
    m = must_train(d, "two-tower", named);
    item = features_of(m, PEN_SIDE_ITEM), user = features_of(m, PEN_SIDE_USER);
    assert_int_equal(item.n_words, 4); /* the, sour, sweet, one; a number stands once */
    assert_int_equal(item.n_numbers, 2);
    assert_int_equal(user.n_words, 3); /* sour, sweet, things */
    assert_int_equal(user.n_numbers, 0);
    assert_true(user.weight[0] == 1.0F / 3 && user.begin[1] == 2); /* of three words, the number is left out */
    char path[80], longest[300] = "item_features=";
    pen_model *opened; /* the text is a parameter as any other, in a file too */
    pen_error error = {0};
    snprintf(path, sizeof path, "%s.pen", log_path);
    assert_int_equal(pen_model_save(m, path, &error), PEN_OK);
    if (pen_model_open(ctx, path, &opened, &error) != PEN_OK) fail_msg("%s", error.message);
    assert_string_equal(pen__param_text(opened, "item_features"), "title ,size");
    assert_string_equal(pen__param_text(opened, "user_features"), "searched");
    assert_non_null(strstr(pen_model_about(opened), "\"item_features\": \"title ,size\""));
    pen_model_destroy(opened);
    pen_model_destroy(m);
    unlink(path);
    const char *as_text[] = {"epochs=1", "factors=2", "item_features=kind:text,tags:text",
                             "user_features=searched:text", NULL}; /* one word each, but for searches */
    m = must_train(d, "two-tower", as_text);
    item = features_of(m, PEN_SIDE_ITEM), user = features_of(m, PEN_SIDE_USER);
    assert_int_equal(item.n_words, 4);
    assert_int_equal(item.n_numbers, 0);
    assert_int_equal(user.n_words, 3);
    pen_model_destroy(m);
    memset(longest + strlen(longest), 'x', 256);
    const char *too_long[] = {longest, NULL};
    assert_null(train(d, "two-tower", too_long, &error));
    assert_non_null(strstr(error.message, "item_features is 256 bytes long; at most 255"));
    pen_dataset_destroy(d);
    pen_context_destroy(ctx);
}

static void unknown_columns_are_refused(void **state)
{
    (void)state;
    static const struct {
        bool tables;
        const char *params[4], *words;
    } cases[] = {
        {true, {"epochs=1", "item_features=kind,tittle", NULL}, "no column 'tittle'; it has 'title'"},
        {true, {"epochs=1", "item_features=kind,size:text", NULL}, "asks for the words of 'size', which holds numbers"},
        {false, {"epochs=1", "user_features=taste", NULL}, "there is no table of users (--users FILE)"},
        {true, {"epochs=1", "item_id=no", "item_features=none"}, "nothing is known of an item"},
        {false, {"epochs=1", "history=no"}, "nothing is known of a user"},
    };
    pen_context *ctx = context(1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pen_dataset *d = read_data(ctx, cases[i].tables);
        pen_error error = {0};
        pen_model *m = train(d, "two-tower", cases[i].params, &error);
        assert_null(m);
        assert_int_equal(error.code, PEN_E_ARGUMENT);
        if (!strstr(error.message, cases[i].words))
            fail_msg("\"%s\" does not say \"%s\"", error.message, cases[i].words);
        pen_dataset_destroy(d);
    }
    pen_context_destroy(ctx);
}

/* ---- answers for who and what has no events ---------------------------------------------------------------------- */

static void users_and_items_without_events(void **state)
{
    (void)state;
    char path[80];
    snprintf(path, sizeof path, "%s.pen", log_path);
    pen_context *ctx = context(2);
    pen_dataset *d = read_data(ctx, true);
    const char *params[] = {"epochs=15",     "patience=0",         "factors=8", "hidden=16",
                            "batch_size=64", "learning_rate=0.01", NULL};
    pen_model *trained = must_train(d, "two-tower", params), *m;
    pen_error error = {0};
    assert_int_equal(pen_model_save(trained, path, &error), PEN_OK);
    if (pen_model_open(ctx, path, &m, &error) != PEN_OK) fail_msg("%s", error.message);
    int new_users = 0, new_items = 0;
    for (int32_t u = 0; u < m->n_users; u++) {
        pen__user user = pen__catalogue_user(m->catalogue, u);
        bool is_new = id_number(&m->catalogue->users, u) >= N_USERS;
        int taste = id_number(&m->catalogue->users, u) % 2;
        double sum[2] = {0, 0}, sum_new[2] = {0, 0};
        assert_int_equal(user.n == 0, is_new);
        new_users += is_new;
        for (int32_t i = 0; i < m->n_items; i++) {
            float score;
            int number = id_number(&m->catalogue->items, i);
            assert_int_equal(pen__score_one(m, &user, i, &score, &error), PEN_OK);
            sum[number % 2] += (double)score;
            if (number >= N_ITEMS) sum_new[number % 2] += (double)score, new_items += u == 0;
        }
        assert_true(sum[taste] > sum[1 - taste]);
        assert_true(sum_new[taste] > sum_new[1 - taste]);
    }
    assert_int_equal(new_users, NEW_USERS);
    assert_int_equal(new_items, NEW_ITEMS);
    pen_query *query;
    pen_who who = PEN_WHO_INIT;
    pen_recommend_options options = PEN_RECOMMEND_OPTIONS_INIT;
    const pen_answer *answer;
    who.user = pen_string_of("u61"); /* of the table alone */
    options.n = N_ITEMS;
    assert_int_equal(pen_query_create(m, &query, &error), PEN_OK);
    assert_int_equal(pen_recommend(query, &who, &options, &answer, &error), PEN_OK);
    assert_int_equal(answer->how, PEN_HOW_PERSONAL);
    bool found = false;
    for (int32_t i = 0; i < answer->n; i++) found |= !strncmp(answer->items[i].id.bytes, "i41", 3);
    assert_true(found);
    assert_int_equal(atoi(answer->items[0].id.bytes + 1) % 2, 1);
    pen_query_destroy(query);
    pen_model_destroy(m);
    const char *closed[] = {"epochs=1", "cold=no", NULL};
    m = must_train(d, "two-tower", closed);
    assert_int_equal(m->n_users, N_USERS);
    assert_int_equal(m->n_items, N_ITEMS);
    pen_model_destroy(m);
    pen_model_destroy(trained);
    pen_dataset_destroy(d);
    pen_context_destroy(ctx);
    unlink(path);
}

/* What the user's table says moves the answer of youtube-dnn where there is no history, and so does what the items were
 * that were watched; without tables, or without their columns, the model is what it was. */
static void tables_of_youtube(void **state)
{
    (void)state;
    pen_context *ctx = context(2);
    pen_dataset *d = read_data(ctx, true), *bare = read_data(ctx, false);
    const char *searched[] = {"epochs=30",          "patience=0",
                              "factors=8",          "hidden=16",
                              "batch_size=256",     "learning_rate=0.01",
                              "negatives=10",       "user_features=searched",
                              "item_features=none", NULL};
    pen_error error = {0};
    pen_model *m = must_train(d, "youtube-dnn", searched);
    assert_non_null(pen__model_tensor(m, "user.word"));
    assert_null(pen__model_tensor(m, "item.word"));
    for (int32_t u = 0; u < m->n_users; u++) {
        pen__user user = {.number = u}; /* as if the history had been left out */
        int taste = id_number(&m->catalogue->users, u) % 2;
        double sum[2] = {0, 0};
        for (int32_t i = 0; i < m->n_items; i++) {
            float score;
            assert_int_equal(pen__score_one(m, &user, i, &score, &error), PEN_OK);
            sum[id_number(&m->catalogue->items, i) % 2] += (double)score;
        }
        assert_true(sum[taste] > sum[1 - taste]);
    }
    pen_model_destroy(m);
    const char *genres[] = {"epochs=30",          "patience=0",   "factors=8",          "hidden=16", "batch_size=256",
                            "learning_rate=0.01", "negatives=10", "user_features=none", "age=yes",   NULL};
    m = must_train(d, "youtube-dnn", genres);
    pen__features item = features_of(m, PEN_SIDE_ITEM);
    assert_int_equal(item.n_words, 4); /* kinds and tags */
    assert_int_equal(item.n_numbers, 0);
    pen__state_tensor *history = pen__model_tensor(m, "history"); /* what is left are kinds */
    memset(history->data, 0, pen__state_bytes(history));
    int right = 0;
    for (int32_t u = 0; u < m->n_users; u++) {
        pen__user user = pen__catalogue_user(m->catalogue, u);
        double sum[2] = {0, 0};
        for (int32_t i = 0; i < m->n_items; i++) {
            float score;
            assert_int_equal(pen__score_one(m, &user, i, &score, &error), PEN_OK);
            sum[id_number(&m->catalogue->items, i) % 2] += (double)score;
        }
        int taste = id_number(&m->catalogue->users, u) % 2;
        right += sum[taste] > sum[1 - taste];
    }
    assert_true(right > m->n_users * 9 / 10);
    pen_model_destroy(m);
    const char *plain[] = {"epochs=2", "factors=8", NULL};
    const char *none[] = {"epochs=2", "factors=8", "user_features=none", "item_features=none", NULL};
    pen_model *a = must_train(bare, "youtube-dnn", plain), *b = must_train(d, "youtube-dnn", none);
    assert_int_equal(a->n_tensors, b->n_tensors);
    assert_int_equal(a->n_items, N_ITEMS);
    assert_null(pen__model_tensor(a, "item.features.counts"));
    for (int32_t i = 0; i < a->n_tensors; i++) {
        assert_string_equal(a->tensor[i].name, b->tensor[i].name);
        assert_memory_equal(a->tensor[i].data, b->tensor[i].data, pen__state_bytes(&a->tensor[i]));
    }
    pen_model_destroy(a), pen_model_destroy(b);
    pen_dataset_destroy(d), pen_dataset_destroy(bare);
    pen_context_destroy(ctx);
}

/* The age of an example needs times, and learns what is new. */
static void ages_of_examples(void **state)
{
    (void)state;
    char path[80];
    snprintf(path, sizeof path, "%s.old", log_path);
    for (int times = 0; times < 2; times++) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fprintf(f, times ? "user\titem\ttime\n" : "user\titem\n");
        for (int u = 0; u < N_USERS; u++)
            for (int k = 0; k < 12; k++) { /* the first half of the time has other items than the second */
                int late = k >= 6, i = (int)(pen__rand64(9, 2, (uint64_t)(u * 12 + k)) % 20) + late * 20;
                fprintf(f, times ? "u%d\ti%d\t%d\n" : "u%d\ti%d\n", u, i, 1000 + 1000 * k + u);
            }
        fclose(f);
        pen_context *ctx = context(1);
        pen_read_options o = PEN_READ_OPTIONS_INIT;
        pen_dataset *d;
        pen_error error = {0};
        const char *paths[] = {path},
                   *params[] = {"age=yes",        "epochs=40",    "patience=0",         "factors=8", "hidden=16",
                                "batch_size=128", "negatives=20", "learning_rate=0.01", NULL};
        if (pen_dataset_read(ctx, paths, 1, &o, &d, &error) != PEN_OK) fail_msg("%s", error.message);
        if (!times) {
            assert_null(train(d, "youtube-dnn", params, &error));
            assert_int_equal(error.code, PEN_E_INPUT);
            assert_non_null(strstr(error.message, "the age of an example needs times"));
        } else {
            double sum[2][2] = {{0}};
            for (int aged = 0; aged < 2; aged++) {
                pen_model *m = must_train(d, "youtube-dnn", params + !aged);
                for (int32_t u = 0; u < m->n_users; u++) {
                    pen__user user = pen__catalogue_user(m->catalogue, u);
                    for (int32_t i = 0; i < m->n_items; i++) {
                        float score;
                        assert_int_equal(pen__score_one(m, &user, i, &score, &error), PEN_OK);
                        sum[aged][id_number(&m->catalogue->items, i) >= 20] += (double)score / m->n_users;
                    }
                }
                pen_model_destroy(m);
            }
            assert_true(sum[1][1] > sum[1][0]);                             /* now it is the new ones' time */
            assert_true(sum[1][1] - sum[1][0] > sum[0][1] - sum[0][0] + 1); /* more so than without the age */
        }
        pen_dataset_destroy(d);
        pen_context_destroy(ctx);
    }
    unlink(path);
}

/* What a filter dropped does not come back by its table's row; what is only tested does. */
static void filters_hold(void **state)
{
    (void)state;
    pen_context *ctx = context(1);
    pen_dataset *d = read_data(ctx, true);
    pen_protocol p;
    pen__log log;
    pen__train t;
    pen_error error = {0};
    pen_protocol_init(&p);
    p.min_item_events = 16;
    assert_int_equal(pen__log_build(d, &p, &log, &error), PEN_OK);
    pen__parts parts = {.ctx = ctx, .n = log.n};
    parts.part = pen__calloc(ctx, (size_t)log.n, 1);
    assert_non_null(parts.part);
    for (int64_t i = 0; i < log.n; i++) parts.part[i] = log.item[i] == log.item[0] ? PEN_PART_TEST : PEN_PART_TRAIN;
    assert_int_equal(pen__train_build(&log, &parts, 1 << PEN_PART_TRAIN, PEN_TASK_RANK, &t, &error), PEN_OK);
    int32_t before = t.n_items;
    uint64_t hash = t.hash;
    assert_int_equal(before, log.n_items - 1);
    assert_true(before > 0 && before < N_ITEMS - 2); /* the filter did drop some */
    assert_int_equal(t.item_number[log.item[0]], -1);
    assert_int_equal(pen__train_widen(&t, &log, false, true, &error), PEN_OK);
    assert_int_equal(t.n_items, before + 1 + NEW_ITEMS);
    assert_int_equal(t.n_users, N_USERS);
    assert_int_equal(pen__train_taught_items(&t), before);
    assert_true(t.hash != hash);
    assert_true(t.item_number[log.item[0]] >= before);
    for (int32_t i = before; i < t.n_items; i++) {
        assert_int_equal(t.item_number[t.data_item[i]], i);
        assert_int_equal(t.by_item.begin[i], t.by_item.begin[i + 1]);
    }
    assert_int_equal(t.by_item.n_rows, t.n_items);
    pen__train_free(&t);
    pen__parts_free(&parts);
    pen__log_free(&log);
    pen_dataset_destroy(d);
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_texts),
        cmocka_unit_test(columns_become_features),
        cmocka_unit_test(unknown_columns_are_refused),
        cmocka_unit_test(users_and_items_without_events),
        cmocka_unit_test(tables_of_youtube),
        cmocka_unit_test(ages_of_examples),
        cmocka_unit_test(filters_hold),
    };
    write_data();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(log_path), unlink(items_path), unlink(users_path);
    return failed;
}
