/* Training of networks that is broken off: amid an epoch the best epoch so far is what is left; checkpoints of another
 * model, of other data and of another way to train are refused, and say why. (The battery resumes to the same bits.)
 * Penalties by group: those of tables are times those of layers. A target may be kept out of its own history. With a
 * temperature scores are cosines. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/random.h"
#include "penchant/penchant.h"
#include "rank/model.h"
#include "rank/rank.h"

enum { N_USERS = 48, N_ITEMS = 40, EPOCHS = 6 };

typedef struct way {
    const char *model;
    const char *params[12];
} way;

static const way PAIRS = {"neumf", {"epochs=6", "factors=4", "batch_size=1600", "learning_rate=0.3", "init=0.1"}};
static const way HISTORY = {
    "sasrec", {"epochs=6", "factors=8", "batch_size=8", "learning_rate=0.1", "max_length=12", "init=0.1"}};
static const way RECURRENT = {"gru4rec", {"epochs=6", "factors=8", "batch_size=8", "max_length=12"}};

/* ---- data and contexts ------------------------------------------------------------------------------------------- */

/* Breaks off in epoch `epoch` of `stage`: at the first report amid it (its steps are reported a tenth of a second
 * apart), of a refit at its end at the latest. Keeps what validation said of each epoch. */
typedef struct watch {
    const char *stage;
    int64_t epoch, ended; /* 0: never; the last epoch whose end was reported */
    double metric[EPOCHS + 2];
} watch;

static int on_progress(void *user, const pen_progress *p)
{
    watch *w = user;
    if (!w->stage || strcmp(p->stage, w->stage)) return 0;
    bool ends = p->epoch > 0 && p->done * p->n_epochs == p->epoch * p->total;
    if (ends && p->epoch <= EPOCHS) w->ended = p->epoch, w->metric[p->epoch] = p->metric;
    if (ends && p->epoch + 1 == w->epoch)
        nanosleep(&(struct timespec){0, 150000000}, NULL); /* so that a step is told */
    return w->epoch && p->epoch == w->epoch && (!ends || !strcmp(p->stage, "refit"));
}

static pen_context *context(watch *w)
{
    pen_context_options o = PEN_CONTEXT_OPTIONS_INIT;
    pen_context *ctx;
    o.n_threads = 2;
    o.progress = on_progress;
    o.user = w;
    assert_int_equal(pen_context_create(&o, &ctx, NULL), PEN_OK);
    return ctx;
}

/* Steps of one to the next item but for noise; without the event at `left_out`. */
static pen_dataset *log_of(pen_context *ctx, int left_out)
{
    char path[64];
    pen_read_options o = PEN_READ_OPTIONS_INIT;
    pen_dataset *d;
    pen_error error = {0};
    snprintf(path, sizeof path, "/tmp/penchant-net-%ld.tsv", (long)getpid());
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int u = 0, n = 0; u < N_USERS; u++)
        for (int e = 0, item = u % N_ITEMS; e < 14; e++, n++) {
            if (n != left_out) fprintf(f, "u%d\ti%d\t5\t%d\n", u, item, 1000 + 100 * e + u);
            uint64_t chance = pen__rand64(7, 1, (uint64_t)n);
            item = chance % 4 ? (item + 1) % N_ITEMS : (int)(chance >> 32) % N_ITEMS;
        }
    fclose(f);
    const char *paths[] = {path};
    if (pen_dataset_read(ctx, paths, 1, &o, &d, &error) != PEN_OK) fail_msg("%s", error.message);
    unlink(path);
    return d;
}

static pen_status train(const way *how, const pen_dataset *log, int refit, const char *checkpoint, int resume,
                        pen_model **model, pen_error *error)
{
    pen_protocol p;
    pen_protocol_init(&p);
    p.task = PEN_TASK_RANK;
    p.refit = refit;
    pen_train_options o = PEN_TRAIN_OPTIONS_INIT;
    o.model = how->model;
    o.params = (const char *const *)how->params;
    while (how->params[o.n_params]) o.n_params++;
    o.checkpoint = checkpoint;
    o.checkpoint_seconds = 0;
    o.resume = resume;
    *model = NULL;
    return pen_model_train(log, &p, &o, model, error);
}

static void same_state(const pen_model *a, const pen_model *b)
{
    for (int i = 0; i < a->n_tensors; i++) {
        const pen__state_tensor *x = &a->tensor[i], *y = pen__model_tensor(b, x->name);
        if (x->role != PEN_ROLE_PARAM) continue;
        assert_non_null(y);
        assert_int_equal(pen__state_bytes(x), pen__state_bytes(y));
        if (memcmp(x->data, y->data, pen__state_bytes(x))) fail_msg("%s: tensor %s differs", a->class->name, x->name);
    }
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

/* The best of the epochs that ended before `epoch`, the first of equals. */
static int64_t best_before(const watch *w, int64_t epoch)
{
    int64_t best = 1;
    for (int64_t e = 2; e < epoch; e++)
        if (w->metric[e] > w->metric[best]) best = e;
    return best;
}

/* Broken off amid an epoch: the bits of a training that ended with the best of the epochs before it. */
static void best_so_far(void **state)
{
    (void)state;
    const way *all[] = {&PAIRS, &HISTORY, &RECURRENT};
    int passed = 0; /* times that the best was not the last */
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        for (int64_t stop = 2; stop <= EPOCHS; stop++) {
            watch w = {"train", stop, 0, {0}};
            pen_context *ctx = context(&w);
            pen_dataset *log = log_of(ctx, -1);
            pen_model *left, *want;
            pen_error error = {0};
            char epochs[32];
            pen_status status = train(all[k], log, 1, NULL, 0, &left, &error);
            if (status != PEN_E_CANCELLED) fail_msg("%s: not broken off: %d %s", all[k]->model, status, error.message);
            assert_non_null(left);
            assert_int_equal(w.ended, stop - 1);
            int64_t best = best_before(&w, stop);
            passed += best < stop - 1;
            way short_one = *all[k];
            snprintf(epochs, sizeof epochs, "epochs=%d", (int)best);
            short_one.params[0] = epochs;
            w = (watch){NULL, 0, 0, {0}};
            if (train(&short_one, log, 0, NULL, 0, &want, &error) != PEN_OK) fail_msg("%s", error.message);
            same_state(want, left);
            assert_non_null(strstr(pen_model_about(left), "\"interrupted\": true"));
            assert_null(strstr(pen_model_about(want), "\"interrupted\": true"));
            pen_model_destroy(left), pen_model_destroy(want);
            pen_dataset_destroy(log);
            pen_context_destroy(ctx);
        }
    assert_true(passed > 0);
}

static void refused(const way *how, const pen_dataset *log, int refit, const char *path, const char *const *words)
{
    pen_model *model;
    pen_error error = {0};
    pen_status status = train(how, log, refit, path, 1, &model, &error);
    if (status != PEN_E_ARGUMENT) fail_msg("%s: status %d, '%s'", how->model, status, error.message);
    assert_null(model);
    for (; *words; words++)
        if (!strstr(error.message, *words)) fail_msg("'%s' does not say '%s'", error.message, *words);
}

/* Of either phase, and the right one goes on from it all the same. */
static void another_checkpoint(void **state)
{
    (void)state;
    char path[64];
    const way *all[] = {&PAIRS, &HISTORY, &RECURRENT};
    snprintf(path, sizeof path, "/tmp/penchant-net-%ld.ckpt", (long)getpid());
    for (size_t k = 0; k < 3; k++)
        for (int refit = 0; refit < 2; refit++) {
            watch w = {refit ? "refit" : "train", refit ? 1 : 2, 0, {0}};
            const way *mine = all[k], *other = all[(k + 1) % 3];
            pen_context *ctx = context(&w);
            pen_dataset *log = log_of(ctx, -1), *less = log_of(ctx, 5);
            pen_model *model;
            pen_error error = {0};
            way slower = *mine;
            unlink(path);
            pen_status status = train(mine, log, 1, path, 0, &model, &error);
            if (status != PEN_E_CANCELLED) fail_msg("%s: not broken off: %d %s", mine->model, status, error.message);
            pen_model_destroy(model);
            w = (watch){NULL, 0, 0, {0}};
            refused(other, log, 1, path,
                    (const char *[]){path, "another run", mine->model, other->model, "--resume", NULL});
            refused(mine, less, 1, path, (const char *[]){path, "other data", "--resume", NULL});
            int at = 0;
            while (slower.params[at] && strncmp(slower.params[at], "learning_rate", 13) != 0) at++;
            slower.params[at] = "learning_rate=0.0017";
            refused(&slower, log, 1, path, (const char *[]){path, "another run", "learning_rate", NULL});
            if (refit) refused(mine, log, 0, path, (const char *[]){path, "refit", "--resume", NULL});
            if (train(mine, log, 1, path, 1, &model, &error) != PEN_OK) fail_msg("%s", error.message);
            pen_model_destroy(model);
            pen_dataset_destroy(log), pen_dataset_destroy(less);
            pen_context_destroy(ctx);
        }
    unlink(path);
}

/* neumf trained with these penalties; the sums of squares of its tables and of its layers in squares[]. */
static pen_model *penalised(const pen_dataset *log, const char *optimizer, const char *l1, const char *l2,
                            const char *tables, double squares[2])
{
    way how = {"neumf", {"epochs=3", "factors=4", "patience=0", "init=0.1", optimizer, l1, l2, tables}};
    /* params[] ends with NULL: eight names and none behind, so counted here */
    pen_protocol p;
    pen_train_options o = PEN_TRAIN_OPTIONS_INIT;
    pen_model *model = NULL;
    pen_error error = {0};
    pen_protocol_init(&p);
    o.model = how.model, o.params = (const char *const *)how.params, o.n_params = 8;
    if (pen_model_train(log, &p, &o, &model, &error) != PEN_OK) fail_msg("%s", error.message);
    squares[0] = squares[1] = 0;
    for (int i = 0; i < model->n_tensors; i++) {
        const pen__state_tensor *x = &model->tensor[i];
        if (x->role != PEN_ROLE_PARAM || x->dtype != PEN_F32) continue;
        bool table = strstr(x->name, ".user") || strstr(x->name, ".item");
        const float *w = x->data;
        for (size_t k = 0; k < pen__state_bytes(x) / sizeof *w; k++) squares[!table] += (double)w[k] * (double)w[k];
    }
    return model;
}

/* regularization_tables multiplies both penalties of rows of tables and of nothing else. */
static void penalties_by_group(void **state)
{
    (void)state;
    watch w = {NULL, 0, 0, {0}};
    pen_context *ctx = context(&w);
    pen_dataset *log = log_of(ctx, -1);
    static const char *const kinds[] = {"optimizer=sgd", "optimizer=adam", "optimizer=adamw"};
    for (int k = 0; k < 3; k++) {
        double none[2], alike[2], free_rows[2], heavy_rows[2];
        pen_model *all[] = {
            penalised(log, kinds[k], "l1=0", "regularization=0", "regularization_tables=9", none),
            penalised(log, kinds[k], "l1=0.01", "regularization=0.1", "regularization_tables=1", alike),
            penalised(log, kinds[k], "l1=0.01", "regularization=0.1", "regularization_tables=0", free_rows),
            penalised(log, kinds[k], "l1=0.01", "regularization=0.1", "regularization_tables=30", heavy_rows)};
        if (!(free_rows[0] > alike[0] && alike[0] > heavy_rows[0]))
            fail_msg("%s: tables' squares %g, %g, %g", kinds[k], free_rows[0], alike[0], heavy_rows[0]);
        if (!(free_rows[1] < none[1])) fail_msg("%s: layers' squares %g, %g", kinds[k], free_rows[1], none[1]);
        for (int i = 0; i < 4; i++) pen_model_destroy(all[i]);
    }
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

/* ---- targets and history ----------------------------------------------------------------------------------------- */

/* How far an item stands above the mean of all for who has watched it alone, on average. */
static double favours_itself(const char *apart, const pen_dataset *log)
{
    const way how = {
        "youtube-dnn",
        {"epochs=20", "factors=8", "layers=0", "positives=1", "negatives=10", "learning_rate=0.05", apart}};
    pen_model *m;
    pen_error error = {0};
    if (train(&how, log, 0, NULL, 0, &m, &error) != PEN_OK) fail_msg("%s", error.message);
    double sum = 0;
    for (int32_t watched = 0; watched < m->n_items; watched++)
        for (int32_t i = 0; i < m->n_items; i++) {
            pen__user user = {.number = -1, .item = &watched, .n = 1};
            float score;
            assert_int_equal(pen__score_one(m, &user, i, &score, &error), PEN_OK);
            sum += (double)score * ((i == watched) - 1.0 / m->n_items);
        }
    sum /= m->n_items;
    pen_model_destroy(m);
    return sum;
}

/* A target that is part of its own history teaches that what was watched comes again. */
static void targets_apart(void **state)
{
    (void)state;
    watch w = {0};
    pen_context *ctx = context(&w);
    pen_dataset *log = log_of(ctx, -1);
    double with = favours_itself("apart=no", log), without = favours_itself("apart=yes", log);
    /* .85 and .42 on this log; half of the difference is far from what seeds do */
    if (!(with > without + 0.2)) fail_msg("%g with the target, %g without", with, without);
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

/* ---- cosines ----------------------------------------------------------------------------------------------------- */

/* The n of an item "in". */
static int number_of(const pen_model *m, int32_t item) { return atoi(pen_model_item_id(m, item).bytes + 1); }

/* Answers are cosines over the temperature, and a bias, of the epoch that is kept. */
static void are_cosines(const way *how, double temperature, const pen_dataset *log)
{
    pen_model *m;
    pen_error error = {0};
    pen__factors f;
    float vector[8];
    int follows = 0;
    if (train(how, log, 0, NULL, 0, &m, &error) != PEN_OK) fail_msg("%s", error.message);
    const float *table = pen__model_tensor(m, "item")->data;
    char *scratch = calloc(1, m->class->scratch(m));
    m->class->factors(m, &f);
    for (int32_t last = 0; last < m->n_items; last++) {
        pen__user user = {.number = -1, .item = &last, .n = 1};
        const float *row = table + (int64_t)last * f.d, *item = f.item + (int64_t)last * f.d;
        double square = 0, along = 0, long_row = 0;
        int32_t best = -1;
        float highest = -1e30F, score;
        for (int32_t k = 0; k < f.d; k++) {
            square += (double)item[k] * (double)item[k], long_row += (double)row[k] * (double)row[k];
            along += (double)item[k] * (double)row[k];
        }
        if (fabs(square - 1) > 1e-5 || fabs(along / sqrt(long_row) - 1) > 1e-5)
            fail_msg("%s: an item's vector has length %g, %g of it along its row", how->model, sqrt(square), along);
        assert_int_equal(m->class->user_vector(m, &user, scratch, vector, &error), PEN_OK);
        square = 0;
        for (int32_t k = 0; k < f.d; k++) square += (double)vector[k] * (double)vector[k];
        assert_true(fabs(square * temperature * temperature - 1) < 1e-5);
        for (int32_t i = 0; i < m->n_items; i++) {
            assert_int_equal(pen__score_one(m, &user, i, &score, &error), PEN_OK);
            double want = f.bias ? (double)f.bias[i] : 0;
            for (int32_t k = 0; k < f.d; k++) want += (double)vector[k] * (double)f.item[(int64_t)i * f.d + k];
            assert_true(fabs((double)score - want) < 1e-4);
            if (i != last && score > highest) best = i, highest = score;
        }
        follows += number_of(m, best) == (number_of(m, last) + 1) % N_ITEMS;
    }
    assert_int_equal(f.bias != NULL, !strcmp(how->model, "gru4rec")); /* the one that asks for it */
    if (follows < N_ITEMS / 2) fail_msg("%s: what follows was best for %d of %d", how->model, follows, N_ITEMS);
    free(scratch);
    pen_model_destroy(m);
}

static void cosines(void **state)
{
    (void)state;
    static const way ways[] = {{"sasrec",
                                {"epochs=20", "factors=8", "batch_size=8", "learning_rate=0.02", "loss=sampled",
                                 "negatives=20", "temperature=0.2", "scale=yes"}},
                               {"gru4rec",
                                {"epochs=20", "factors=8", "batch_size=8", "learning_rate=0.02", "loss=sampled",
                                 "negatives=20", "temperature=0.2", "bias=yes"}},
                               {"youtube-dnn",
                                {"epochs=20", "factors=8", "batch_size=8", "learning_rate=0.02", "loss=ccl", "layers=0",
                                 "negatives=20", "rollback=yes", "positives=1", "max_length=1"}}},
                     refused[] = {{"sasrec", {"loss=ce", "temperature=0.2"}},
                                  {"sasrec", {"loss=bce", "temperature=0.2"}},
                                  {"gru4rec", {"loss=ce", "temperature=0.2", "bias=yes"}},
                                  {"youtube-dnn", {"loss=ce", "bias=yes"}},
                                  {"sasrec", {"loss=sampled", "temperature=0.0001", "epochs=1"}},
                                  {"youtube-dnn", {"loss=ccl", "temperature=0.2"}},
                                  {"youtube-dnn", {"loss=ccl", "bias=yes"}},
                                  {"youtube-dnn", {"loss=ccl", "margin=1"}},
                                  {"youtube-dnn", {"loss=hinge", "margin=0"}}};
    static const char *const said[] = {"temperature is not for this loss",
                                       "temperature is not for this loss",
                                       "bias and temperature are not for this loss",
                                       "bias is not for this loss",
                                       "at least 0.001",
                                       "leave temperature at 0",
                                       "and bias at no",
                                       "margin must be below 1",
                                       "margin must be above 0"};
    static const double temperature[] = {0.2, 0.2, 1};
    watch w = {0};
    pen_context *ctx = context(&w);
    pen_dataset *log = log_of(ctx, -1);
    for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) are_cosines(&ways[k], temperature[k], log);
    for (size_t k = 0; k < sizeof refused / sizeof *refused; k++) {
        pen_model *m;
        pen_error error = {0};
        assert_int_equal(train(&refused[k], log, 0, NULL, 0, &m, &error), PEN_E_ARGUMENT);
        assert_non_null(strstr(error.message, said[k]));
    }
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(best_so_far), cmocka_unit_test(another_checkpoint),
                                       cmocka_unit_test(penalties_by_group), cmocka_unit_test(targets_apart),
                                       cmocka_unit_test(cosines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
