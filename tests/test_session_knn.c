/* session-knn against small sessions worked out by hand, and against its definition in plain Python
 * (session_knn_golden.h, written by tests/python/session_knn_golden.py); and what it promises: the last event changes
 * the answer, shares add up, the own session takes no place, the same answers for any number of threads. */
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

#include "penchant/penchant.h"
#include "rank/catalogue.h"
#include "rank/explain.h"
#include "rank/rank.h"
#include "session_knn_golden.h"

enum { MOST = 64 };

static pen_context *context(int threads)
{
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.n_threads = threads;
    pen_context *ctx;
    assert_int_equal(pen_context_create(&options, &ctx, NULL), PEN_OK);
    return ctx;
}

/* params: "a=1 b=2". */
static pen_status train(pen_context *ctx, const char *text, const char *params, const char *duplicates,
                        pen_model **model, pen_error *error)
{
    char path[64], copy[256], *save = NULL;
    const char *paths[] = {path}, *given[16];
    pen_read_options reading = PEN_READ_OPTIONS_INIT;
    pen_train_options options = PEN_TRAIN_OPTIONS_INIT;
    pen_protocol protocol;
    pen_dataset *log;
    snprintf(path, sizeof path, "/tmp/penchant-session-knn-%ld.tsv", (long)getpid());
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(pen_dataset_read(ctx, paths, 1, &reading, &log, error), PEN_OK);
    unlink(path);
    snprintf(copy, sizeof copy, "%s", params);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
        given[options.n_params++] = word;
    options.model = "session-knn";
    options.params = given;
    pen_protocol_init(&protocol);
    protocol.weight_by_value = 1;
    protocol.duplicates = duplicates;
    pen_status status = pen_model_train(log, &protocol, &options, model, error);
    pen_dataset_destroy(log);
    return status;
}

static pen_model *must_train(pen_context *ctx, const char *text, const char *params, const char *duplicates)
{
    pen_model *model;
    pen_error error = {0};
    if (train(ctx, text, params, duplicates, &model, &error) != PEN_OK) fail_msg("%s: %s", params, error.message);
    return model;
}

static int32_t number(const pen__strings *strings, const char *id)
{
    int32_t n = pen__strings_find(strings, pen__span_of(id));
    if (n < 0) fail_msg("%s is not known", id);
    return n;
}

/* A history of item ids in one string, parted by blanks. */
typedef struct history {
    int32_t item[MOST];
    float value[MOST];
    pen__user user;
} history;

static pen__user *history_of(const pen_model *model, const char *text, history *h)
{
    char copy[256], *save = NULL;
    snprintf(copy, sizeof copy, "%s", text);
    h->user = (pen__user){.number = -1, .item = h->item, .value = h->value};
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        h->item[h->user.n] = number(&model->catalogue->items, word);
        h->value[h->user.n++] = 1;
    }
    return &h->user;
}

static double score_of(const pen_model *model, const pen__user *user, const char *item)
{
    float score;
    assert_int_equal(pen__score_one(model, user, number(&model->catalogue->items, item), &score, NULL), PEN_OK);
    return (double)score;
}

static void close_to(double got, double want, const char *what, const char *item)
{
    if (!(fabs(got - want) <= 2e-6 * (1 + fabs(want)))) fail_msg("%s: %s scores %.8g, not %.8g", what, item, got, want);
}

/* ---- by hand ---------------------------------------------------------------------------------------------- */

/* Without times the later session of the file is the more recent. */
static const char sessions[] = "s1\ta\t1\ns1\tb\t1\ns1\tc\t1\n"
                               "s2\tb\t1\ns2\td\t1\ns2\tc\t1\ns2\te\t1\n"
                               "s3\tc\t1\ns3\ta\t1\n";

static void answers_as_by_hand(void **state)
{
    (void)state;
    pen_context *ctx = context(1);
    history h;
    /* History a b: w_b = 1, w_a = 1/2. s1 shares a b: 1.5 / sqrt 3; s2 shares b: 1 / 2; s3 shares a: 0.5 / sqrt 2. */
    pen_model *model =
        must_train(ctx, sessions, "weighting=linear match_weighting=none distance_decay=0 backward=1", NULL);
    pen__user *user = history_of(model, "a b", &h);
    double s1 = 1.5 / sqrt(3), s2 = 0.5, s3 = 0.5 / sqrt(2);
    close_to(score_of(model, user, "c"), s1 + s2 + s3, "plain", "c");
    close_to(score_of(model, user, "d"), s2, "plain", "d");
    close_to(score_of(model, user, "a"), s1 + s3, "plain", "a");
    pen_model_destroy(model);
    /* The two nearest only: s1 and s2. */
    model = must_train(ctx, sessions, "weighting=linear match_weighting=none distance_decay=0 backward=1 k=2", NULL);
    user = history_of(model, "a b", &h);
    close_to(score_of(model, user, "c"), s1 + s2, "k=2", "c");
    pen_model_destroy(model);
    /* The two most recent only: s3 and s2. */
    model =
        must_train(ctx, sessions, "weighting=linear match_weighting=none distance_decay=0 backward=1 sample=2", NULL);
    user = history_of(model, "a b", &h);
    close_to(score_of(model, user, "c"), s2 + s3, "sample=2", "c");
    close_to(score_of(model, user, "a"), s3, "sample=2", "a");
    pen_model_destroy(model);
    /* Distances from the match: b in s1 (c is 1 behind, a 1 before), b in s2 (c is 2 behind), a in s3 (c is 1 before),
     * whose match is the second latest event: 1/2. */
    model = must_train(ctx, sessions, "weighting=linear match_weighting=linear distance_decay=2 backward=0.25", NULL);
    user = history_of(model, "a b", &h);
    close_to(score_of(model, user, "c"), s1 * exp(-0.5) + s2 * exp(-1) + 0.5 * s3 * 0.25 * exp(-0.5), "distance", "c");
    close_to(score_of(model, user, "e"), s2 * exp(-1.5), "distance", "e");
    close_to(score_of(model, user, "a"), s1 * 0.25 * exp(-0.5) + 0.5 * s3, "distance", "a");
    /* s1 itself: its own session is no neighbour of it. Latest first c b a: 1, 2/3, 1/3. s2 shares c b: (1 + 2/3) / 2;
     * s3 c a. */
    pen__user own = pen__catalogue_user(model->catalogue, number(&model->catalogue->users, "s1"));
    close_to(score_of(model, &own, "e"), (5.0 / 3) / 2 * exp(-0.5), "own", "e");
    close_to(score_of(model, &own, "a"), (4.0 / 3) / sqrt(2) * exp(-0.5), "own", "a");
    pen_model_destroy(model);
    pen_context_destroy(ctx);
}

/* An item that stands twice in a session stands where it was last. */
static void repeats_stand_last(void **state)
{
    (void)state;
    pen_context *ctx = context(1);
    history h;
    pen_model *model = must_train(ctx, "s1\ta\t1\ns1\tb\t1\ns1\tc\t1\ns1\tb\t1\n",
                                  "weighting=none match_weighting=none distance_decay=1 backward=0.5", "keep");
    pen__user *user = history_of(model, "a", &h); /* a c b */
    close_to(score_of(model, user, "b"), exp(-2) / sqrt(3), "repeats", "b");
    close_to(score_of(model, user, "c"), exp(-1) / sqrt(3), "repeats", "c");
    user = history_of(model, "b a b", &h); /* the latest two items: b, then a */
    close_to(score_of(model, user, "c"), 2 / sqrt(3) * 0.5 * exp(-1), "repeats", "c");
    pen_model_destroy(model);
    pen_context_destroy(ctx);
}

/* ---- by the definition ------------------------------------------------------------------------------------ */

static pen__user *golden_user(const pen_model *model, const struct golden *g, history *h)
{
    char id[16], text[128] = "";
    if (g->user < 0) {
        for (int i = 0; i < g->n; i++) snprintf(text + strlen(text), sizeof text - strlen(text), "i%d ", g->item[i]);
        return history_of(model, text, h);
    }
    snprintf(id, sizeof id, "u%d", g->user);
    h->user = pen__catalogue_user(model->catalogue, number(&model->catalogue->users, id));
    return &h->user;
}

static void answers_as_defined(void **state)
{
    (void)state;
    pen_context *ctx = context(2);
    for (size_t g = 0; g < sizeof golden / sizeof *golden; g++) {
        pen_model *model = must_train(ctx, golden_log, golden[g].params, NULL);
        history h;
        pen__user *user = golden_user(model, &golden[g], &h);
        for (int i = 0; i < GOLDEN_ITEMS; i++) {
            char id[16];
            snprintf(id, sizeof id, "i%d", i);
            close_to(score_of(model, user, id), golden[g].score[i], golden[g].params, id);
        }
        pen_model_destroy(model);
    }
    pen_context_destroy(ctx);
}

static void shares_add_up(void **state)
{
    (void)state;
    pen_context *ctx = context(1);
    for (size_t g = 0; g < sizeof golden / sizeof *golden; g++) {
        pen_model *model = must_train(ctx, golden_log, golden[g].params, NULL);
        history h;
        pen__user *user = golden_user(model, &golden[g], &h);
        for (int32_t cap = 3; cap <= 20; cap += 17)
            for (int32_t i = 0; i < model->n_items; i++) {
                pen__reason reason[20];
                int32_t n, exact;
                double score, sum = 0;
                assert_int_equal(pen__explain(model, user, &i, 1, reason, cap, &n, &exact, &score, NULL), PEN_OK);
                assert_true(exact && n <= cap);
                for (int32_t r = 0; r < n; r++) sum += (double)reason[r].share;
                close_to(sum, score, golden[g].params, "the sum of shares");
                for (int32_t r = 0; r < n && cap == 20; r++) { /* shares are of events of the history */
                    bool there = false;
                    for (int64_t e = 0; e < user->n; e++) there |= user->item[e] == reason[r].item;
                    assert_true(there);
                }
            }
        pen_model_destroy(model);
    }
    pen_context_destroy(ctx);
}

/* ---- promises --------------------------------------------------------------------------------------------- */

static void the_last_event_counts(void **state)
{
    (void)state;
    pen_context *ctx = context(1);
    pen_model *model = must_train(ctx, golden_log, "", NULL);
    history with, without, turned;
    pen__user *a = history_of(model, "i3 i1 i0", &with), *b = history_of(model, "i3 i1", &without),
              *c = history_of(model, "i0 i1 i3", &turned);
    int added = 0, moved = 0;
    for (int i = 4; i < GOLDEN_ITEMS; i++) {
        char id[16];
        snprintf(id, sizeof id, "i%d", i);
        added += fabs(score_of(model, a, id) - score_of(model, b, id)) > 1e-3;
        moved += fabs(score_of(model, a, id) - score_of(model, c, id)) > 1e-3;
    }
    assert_true(added > 5 && moved > 5);
    pen_model_destroy(model);
    /* And which item leads: after x comes p, after y comes q. */
    model = must_train(ctx, "1\tx\t1\n1\tp\t1\n2\ty\t1\n2\tq\t1\n3\tx\t1\n3\tp\t1\n4\ty\t1\n4\tq\t1\n", "", NULL);
    a = history_of(model, "y x", &with), b = history_of(model, "x y", &without);
    assert_true(score_of(model, a, "p") > score_of(model, a, "q") && score_of(model, b, "q") > score_of(model, b, "p"));
    pen_model_destroy(model);
    pen_context_destroy(ctx);
}

/* All users at once on one thread and on four: the same lists, bit by bit. */
static void any_number_of_threads(void **state)
{
    (void)state;
    enum { N = 40, K = 8 };
    int32_t item[2][N * K];
    float score[2][N * K];
    for (int run = 0; run < 2; run++) {
        pen_context *ctx = context(run ? 4 : 1);
        pen_model *model = must_train(ctx, golden_log, "k=5 sample=12", NULL);
        pen__ask ask[N];
        pen__answer answer[N];
        memset(ask, 0, sizeof ask);
        memset(answer, 0, sizeof answer);
        assert_int_equal(model->n_users, N);
        for (int u = 0; u < N; u++) {
            ask[u].user = pen__catalogue_user(model->catalogue, u);
            ask[u].tie_key = (uint64_t)u;
            answer[u].item = item[run] + u * K;
            answer[u].score = score[run] + u * K;
        }
        assert_int_equal(pen__rank(model, ask, answer, N, K, NULL, NULL), PEN_OK);
        for (int u = 0; u < N; u++) assert_int_equal(answer[u].n, K);
        pen_model_destroy(model);
        pen_context_destroy(ctx);
    }
    assert_memory_equal(item[0], item[1], sizeof item[0]);
    assert_memory_equal(score[0], score[1], sizeof score[0]);
}

static void time_decay_needs_times(void **state)
{
    (void)state;
    pen_context *ctx = context(1);
    pen_model *model = NULL;
    pen_error error = {0};
    assert_int_equal(train(ctx, sessions, "time_decay=3", NULL, &model, &error), PEN_E_UNSUPPORTED);
    assert_non_null(strstr(error.message, "--time-column"));
    assert_null(model);
    pen_context_destroy(ctx);
}

/* Numbers out of range, as a damaged or hostile file may have them, are refused when the model is bound. */
static void refuses_damage(void **state)
{
    (void)state;
    static const struct damage {
        const char *tensor;
        int at;
        int32_t number;
    } damage[] = {{"session.item", 1, 99}, {"session.item", 1, -1}, {"item.session", 0, 3},
                  {"item.session", 0, -1}, {"user.session", 0, 3},  {"user.session", 0, -2}};
    pen_context *ctx = context(1);
    pen_model *model = must_train(ctx, sessions, "", NULL);
    pen_error error = {0};
    for (size_t d = 0; d < sizeof damage / sizeof *damage; d++) {
        int32_t *data = pen__model_tensor(model, damage[d].tensor)->data, sound = data[damage[d].at];
        data[damage[d].at] = damage[d].number;
        assert_int_equal(pen__model_bind(model, &error), PEN_E_FORMAT);
        data[damage[d].at] = sound;
        assert_int_equal(pen__model_bind(model, &error), PEN_OK);
    }
    int64_t *begin = pen__model_tensor(model, "session.begin")->data;
    begin[1] = 100;
    assert_int_equal(pen__model_bind(model, &error), PEN_E_FORMAT);
    begin[1] = 2;
    float *scale = pen__model_tensor(model, "session.scale")->data, sound = scale[0];
    scale[0] = NAN;
    assert_int_equal(pen__model_bind(model, &error), PEN_E_FORMAT);
    scale[0] = sound;
    assert_int_equal(pen__model_bind(model, &error), PEN_OK);
    pen_model_destroy(model);
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_as_by_hand),     cmocka_unit_test(repeats_stand_last),
        cmocka_unit_test(answers_as_defined),     cmocka_unit_test(shares_add_up),
        cmocka_unit_test(the_last_event_counts),  cmocka_unit_test(any_number_of_threads),
        cmocka_unit_test(time_decay_needs_times), cmocka_unit_test(refuses_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
