/* One battery for every model of the registry. A new model gets all of it for its row in `row`; a model without a row
 * fails.
 *
 * PENCHANT_ROWS=sasrec in the environment takes the rows of that model alone, PENCHANT_TEST=loss_falls that test.
 *
 * Known answers come from a checkerboard: users and items of two kinds, everybody likes one's own kind. */
#include <malloc.h>
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
#include "id_number.h"
#include "penchant/penchant.h"
#include "rank/catalogue.h"
#include "rank/rank.h"

enum { N_USERS = 60, N_ITEMS = 40 };

typedef struct row {
    const char *model;
    int task;
    int personal;           /* must find the checkerboard's kinds */
    const char *params[12]; /* quick ones for the small data, NULL ends them */
    const char *metric;     /* on MovieLens 100K, and the band it must fall into */
    double low, high;
    const char
        *real; /* parameters of that run, which is not fitted again; NULL: the defaults, once a model and metric */
} row;

static row rows[] = {
    {"random", PEN_TASK_RANK, 0, {NULL}, "ndcg@10", 0.005, 0.03, NULL},
    {"random", PEN_TASK_RATE, 0, {NULL}, "rmse", 1.4, 1.9, NULL},
    {"popular", PEN_TASK_RANK, 0, {NULL}, "ndcg@10", 0.10, 0.14, NULL},
    {"trending", PEN_TASK_RANK, 0, {NULL}, "ndcg@10", 0.085, 0.125, NULL},
    {"bias", PEN_TASK_RATE, 0, {NULL}, "rmse", 0.92, 1.0, NULL},
#include "battery_rows.h"
};
static size_t n_rows = sizeof rows / sizeof *rows;

/* ---- data -------------------------------------------------------------------------------------------------------- */

static char log_path[64], items_path[64], users_path[64];

/* Tables beside the log that say little of the kinds: models with features are trained with some. */
static void write_tables(void)
{
    snprintf(items_path, sizeof items_path, "/tmp/penchant-battery-%ld-items.tsv", (long)getpid());
    snprintf(users_path, sizeof users_path, "/tmp/penchant-battery-%ld-users.tsv", (long)getpid());
    FILE *items = fopen(items_path, "w"), *users = fopen(users_path, "w");
    assert_true(items && users);
    fprintf(items, "item\tmaker\tsize\ttags\ttitle\n");
    for (int i = 0; i < N_ITEMS; i++)
        fprintf(items, "i%d\t%s\t%d\t%s\tIts name is %d\n", i, i % 7 ? (i % 3 ? "Ash" : "Bo") : "", i * i % 11,
                i % 4 ? "red|big" : "", i);
    fprintf(users, "user\tage\tcity\tsearched\n");
    for (int u = 0; u < N_USERS; u++)
        fprintf(users, "u%d\t%s\t%s\t%s %d\n", u, u % 3 ? "40" : "31", u % 5 ? "Bonn" : "Ulm",
                u % 4 ? "something red" : "tall", u);
    fclose(items), fclose(users);
}

static void write_log(void)
{
    snprintf(log_path, sizeof log_path, "/tmp/penchant-battery-%ld.tsv", (long)getpid());
    FILE *f = fopen(log_path, "w");
    assert_non_null(f);
    for (int u = 0; u < N_USERS; u++)
        for (int i = 0; i < N_ITEMS; i++) {
            uint64_t chance = pen__rand64(7, 1, (uint64_t)(u * N_ITEMS + i));
            int own = u % 2 == i % 2, rare = chance % 10 >= (own ? 7 : 2);
            if (!rare) fprintf(f, "u%d\ti%d\t%d\t%d\n", u, i, own ? 5 : 1, 1000 + u * 100 + (int)(chance >> 32) % 90);
        }
    fclose(f);
}

static pen_context *context(int threads, pen_progress_fn progress, void *user)
{
    pen_context_options o = PEN_CONTEXT_OPTIONS_INIT;
    pen_context *ctx;
    o.n_threads = threads;
    o.progress = progress;
    o.user = user;
    assert_int_equal(pen_context_create(&o, &ctx, NULL), PEN_OK);
    return ctx;
}

static pen_dataset *read_log(pen_context *ctx, const char *path)
{
    pen_read_options o = PEN_READ_OPTIONS_INIT;
    pen_dataset *d;
    pen_error error = {0};
    const char *paths[] = {path};
    if (path == log_path) o.items_path = items_path, o.users_path = users_path;
    if (pen_dataset_read(ctx, paths, 1, &o, &d, &error) != PEN_OK) fail_msg("%s", error.message);
    return d;
}

static size_t count(const char *const *params)
{
    size_t n = 0;
    while (params[n]) n++;
    return n;
}

static pen_protocol protocol_of(const row *r)
{
    pen_protocol p;
    pen_protocol_init(&p);
    p.task = r->task;
    if (r->task == PEN_TASK_RANK) p.min_value = 4; /* a like */
    return p;
}

static pen_status train(const row *r, const pen_dataset *log, const char *checkpoint, int resume, pen_model **model,
                        pen_error *error)
{
    pen_protocol p = protocol_of(r);
    pen_train_options o = PEN_TRAIN_OPTIONS_INIT;
    o.model = r->model;
    o.params = (const char *const *)r->params;
    o.n_params = count(r->params);
    o.checkpoint = checkpoint;
    o.checkpoint_seconds = 0;
    o.resume = resume;
    return pen_model_train(log, &p, &o, model, error);
}

static pen_model *must_train(const row *r, const pen_dataset *log)
{
    pen_model *model;
    pen_error error = {0};
    if (train(r, log, NULL, 0, &model, &error) != PEN_OK) fail_msg("%s: %s", r->model, error.message);
    return model;
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static pen__user known(const pen_model *model, int32_t number)
{
    const pen__rows *h = &model->catalogue->history;
    int64_t from = h->begin[number];
    return (pen__user){number, h->begin[number + 1] - from, h->column + from, h->value + from, NULL};
}

/* All scores (or ratings) of one user, through the same door that users take. */
static void scores_of(const pen_model *model, const pen__user *user, double *out)
{
    pen_error error = {0};
    for (int32_t i = 0; i < model->n_items; i++) {
        float score;
        pen_status status = model->task == PEN_TASK_RATE ? pen__rate(model, user, &i, &out[i], 1, &error)
                                                         : pen__score_one(model, user, i, &score, &error);
        if (status != PEN_OK) fail_msg("%s: %s", model->class->name, error.message);
        if (model->task != PEN_TASK_RATE) out[i] = (double)score;
        if (!isfinite(out[i])) fail_msg("%s: item %d scores %g", model->class->name, i, out[i]);
    }
}

static void same_state(const pen_model *a, const pen_model *b)
{
    int more = 0; /* what only training needs is not in a file */
    for (int i = 0; i < b->n_tensors; i++) more += b->tensor[i].role == PEN_ROLE_PARAM;
    for (int i = 0; i < a->n_tensors; i++) {
        const pen__state_tensor *x = &a->tensor[i], *y = pen__model_tensor(b, x->name);
        if (x->role != PEN_ROLE_PARAM) continue;
        more--;
        assert_non_null(y);
        assert_int_equal(pen__state_bytes(x), pen__state_bytes(y));
        if (memcmp(x->data, y->data, pen__state_bytes(x))) fail_msg("%s: tensor %s differs", a->class->name, x->name);
    }
    assert_int_equal(more, 0);
}

/* ---- the battery ------------------------------------------------------------------------------------------------- */

static void every_model_has_a_row(void **state)
{
    (void)state;
    const pen__model_class *const *all;
    size_t n = pen__model_classes(&all);
    if (getenv("PENCHANT_ROWS")) skip();
    for (size_t i = 0; i < n; i++)
        for (int task = PEN_TASK_RANK; task <= PEN_TASK_RATE; task++) {
            int found = !(all[i]->tasks >> task & 1);
            for (size_t r = 0; r < n_rows; r++) found |= rows[r].task == task && !strcmp(rows[r].model, all[i]->name);
            if (!found) fail_msg("%s has no row for task %d in this battery", all[i]->name, task);
        }
}

static void defaults_are_valid(void **state)
{
    (void)state;
    const pen__model_class *const *all;
    size_t n = pen__model_classes(&all);
    for (size_t i = 0; i < n; i++) {
        pen__params params;
        pen__params_default(all[i], &params);
        assert_true(strlen(all[i]->summary) > 10 && all[i]->formula && all[i]->paper && all[i]->family);
        assert_true(!all[i]->fit == !!all[i]->epoch);
        assert_true(all[i]->score || all[i]->factors || !(all[i]->tasks >> PEN_TASK_RANK & 1));
        assert_true(all[i]->rate || !(all[i]->tasks >> PEN_TASK_RATE & 1));
        for (size_t p = 0; p < all[i]->n_params; p++) assert_true(strlen(all[i]->params[p].doc) > 3);
        pen_error error = {0};
        assert_int_equal(pen__params_set(all[i], &params, "no_such_parameter=1", &error), PEN_E_UNKNOWN);
    }
}

static void finds_the_kinds(void **state)
{
    (void)state;
    pen_context *ctx = context(2, NULL, NULL);
    pen_dataset *log = read_log(ctx, log_path);
    for (size_t r = 0; r < n_rows; r++) {
        if (!rows[r].personal) continue;
        pen_model *model = must_train(&rows[r], log);
        double score[N_ITEMS], own = 0, other = 0;
        int n_own = 0, n_other = 0, right = 0;
        for (int32_t u = 0; u < model->n_users; u++) {
            pen__user user = known(model, u);
            int kind = id_number(&model->catalogue->users, u) % 2;
            double mean[2] = {0, 0};
            int n[2] = {0, 0};
            scores_of(model, &user, score);
            for (int32_t i = 0; i < model->n_items; i++) {
                int k = id_number(&model->catalogue->items, i) % 2 == kind;
                mean[k] += score[i];
                n[k]++;
            }
            own += mean[1], other += mean[0], n_own += n[1], n_other += n[0];
            right += mean[1] / n[1] > mean[0] / (n[0] ? n[0] : 1);
        }
        if (right < model->n_users)
            fail_msg("%s: only %d of %d users prefer their own kind", rows[r].model, right, model->n_users);
        assert_true(own / n_own > other / (n_other ? n_other : 1));
        pen_model_destroy(model);
    }
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

/* Users folded in together have the bits that each has alone, whoever stands beside them: more than a block of them,
 * one without a history. */
static void together_as_alone(const pen_model *model)
{
    const pen__model_class *class = model->class;
    pen__factors f;
    pen_error error = {0};
    if (!class->user_vectors) return;
    class->factors(model, &f);
    int64_t n = 150;
    pen__user *user = calloc((size_t)n, sizeof *user);
    float *together = calloc((size_t)(n * f.d), sizeof *together), *alone = calloc((size_t)f.d, sizeof *alone);
    char *scratch = calloc(1, class->scratch(model));
    for (int64_t k = 0; k < n; k++) {
        if (k != 70) user[k] = known(model, (int32_t)(7 * k % model->n_users));
        user[k].number = -1;
        if (user[k].n > 1) user[k].n -= k % user[k].n; /* lengths of all kinds */
    }
    if (class->user_vectors(model, user, n, together, &error) != PEN_OK) fail_msg("%s: %s", class->name, error.message);
    for (int64_t k = 0; k < n; k++) {
        assert_int_equal(class->user_vector(model, &user[k], scratch, alone, &error), PEN_OK);
        if (memcmp(alone, together + k * f.d, (size_t)f.d * sizeof *alone))
            fail_msg("%s: user %d of %d has other bits together than alone", class->name, (int)k, (int)n);
    }
    free(user);
    free(together);
    free(alone);
    free(scratch);
}

/* A history answered by fold-in prefers its kind too, and alike in company; an empty one and unknown items do not
 * crash. */
static void folds_in(void **state)
{
    (void)state;
    pen_context *ctx = context(1, NULL, NULL);
    pen_dataset *log = read_log(ctx, log_path);
    for (size_t r = 0; r < n_rows; r++) {
        pen_model *model = must_train(&rows[r], log);
        double score[N_ITEMS];
        pen__user empty = {-1, 0, NULL, NULL, NULL};
        scores_of(model, &empty, score);
        together_as_alone(model);
        int right = 0, wrong = 0;
        for (int32_t u = 0; u < model->n_users && rows[r].personal; u++) {
            pen__user user = known(model, u);
            user.number = -1;
            int kind = id_number(&model->catalogue->users, u) % 2;
            double mean[2] = {0, 0};
            int n[2] = {0, 0};
            scores_of(model, &user, score);
            for (int32_t i = 0; i < model->n_items; i++) {
                int k = id_number(&model->catalogue->items, i) % 2 == kind;
                mean[k] += score[i];
                n[k]++;
            }
            mean[1] / n[1] > mean[0] / (n[0] ? n[0] : 1) ? right++ : wrong++;
        }
        if (wrong > 0)
            fail_msg("%s: folded in, %d of %d users do not prefer their own kind", rows[r].model, wrong, right + wrong);
        pen_model_destroy(model);
    }
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

static void same_bits_for_any_threads(void **state)
{
    (void)state;
    pen_context *one = context(1, NULL, NULL), *four = context(4, NULL, NULL);
    pen_dataset *log_one = read_log(one, log_path), *log_four = read_log(four, log_path);
    for (size_t r = 0; r < n_rows; r++) {
        pen_model *a = must_train(&rows[r], log_one), *b = must_train(&rows[r], log_four),
                  *again = must_train(&rows[r], log_four);
        same_state(a, b);
        same_state(b, again);
        pen_model_destroy(a);
        pen_model_destroy(b);
        pen_model_destroy(again);
    }
    pen_dataset_destroy(log_one);
    pen_dataset_destroy(log_four);
    pen_context_destroy(one);
    pen_context_destroy(four);
}

static void file_answers_alike(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/penchant-battery-%ld.pen", (long)getpid());
    pen_context *ctx = context(2, NULL, NULL);
    pen_dataset *log = read_log(ctx, log_path);
    for (size_t r = 0; r < n_rows; r++) {
        pen_model *model = must_train(&rows[r], log), *loaded;
        pen_error error = {0};
        assert_int_equal(pen_model_save(model, path, &error), PEN_OK);
        if (pen_model_open(ctx, path, &loaded, &error) != PEN_OK) fail_msg("%s: %s", rows[r].model, error.message);
        same_state(model, loaded);
        double a[N_ITEMS], b[N_ITEMS];
        for (int32_t u = 0; u < model->n_users; u += 7) {
            pen__user x = known(model, u), y = known(loaded, u);
            scores_of(model, &x, a);
            scores_of(loaded, &y, b);
            assert_memory_equal(a, b, (size_t)model->n_items * sizeof *a);
        }
        assert_string_equal(pen_model_about(model), pen_model_about(loaded));
        pen_model_destroy(model);
        pen_model_destroy(loaded);
    }
    unlink(path);
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

/* ---- cancelling, resuming, losses -------------------------------------------------------------------------------- */

typedef struct watch {
    int reports, stop_at; /* cancels at that report; 0: never */
    double first_loss, last_loss;
} watch;

static int on_progress(void *user, const pen_progress *p)
{
    watch *w = user;
    if (strcmp(p->stage, "train") && strcmp(p->stage, "refit")) return 0;
    if (isfinite(p->loss)) {
        if (isnan(w->first_loss)) w->first_loss = p->loss;
        w->last_loss = p->loss;
    }
    return w->stop_at && ++w->reports >= w->stop_at;
}

static void loss_falls(void **state)
{
    (void)state;
    for (size_t r = 0; r < n_rows; r++) {
        pen_model_info info;
        assert_int_equal(pen_models_find(rows[r].model, &info, NULL), PEN_OK);
        if (!info.iterative) continue;
        watch w = {0, 0, NAN, NAN};
        pen_context *ctx = context(2, on_progress, &w);
        pen_dataset *log = read_log(ctx, log_path);
        pen_model_destroy(must_train(&rows[r], log));
        if (!(w.last_loss < w.first_loss))
            fail_msg("%s: the loss went from %g to %g", rows[r].model, w.first_loss, w.last_loss);
        pen_dataset_destroy(log);
        pen_context_destroy(ctx);
    }
}

/* Cancelled at the k-th report and resumed, whatever k: the same state as an unbroken run. */
static void resumes_to_the_same_bits(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/penchant-battery-%ld.ckpt", (long)getpid());
    for (size_t r = 0; r < n_rows; r++) {
        pen_model_info info;
        assert_int_equal(pen_models_find(rows[r].model, &info, NULL), PEN_OK);
        if (!info.iterative) continue;
        pen_context *plain = context(2, NULL, NULL);
        pen_dataset *plain_log = read_log(plain, log_path);
        pen_model *whole = must_train(&rows[r], plain_log);
        for (int stop = 1; stop < 40; stop += 3) {
            watch w = {0, stop, NAN, NAN};
            pen_context *ctx = context(2, on_progress, &w);
            pen_dataset *log = read_log(ctx, log_path);
            pen_model *model = NULL;
            pen_error error = {0};
            unlink(path);
            pen_status status = train(&rows[r], log, path, 0, &model, &error);
            if (status == PEN_OK) { /* ended before */
                same_state(whole, model);
                pen_model_destroy(model);
                stop = 1000;
            } else {
                assert_int_equal(status, PEN_E_CANCELLED);
                pen_model_destroy(model);
                model = NULL;
                w.stop_at = 0; /* the context goes on working */
                if (train(&rows[r], log, path, 1, &model, &error) != PEN_OK)
                    fail_msg("%s: %s", rows[r].model, error.message);
                same_state(whole, model);
                pen_model_destroy(model);
            }
            pen_dataset_destroy(log);
            pen_context_destroy(ctx);
        }
        pen_model_destroy(whole);
        pen_dataset_destroy(plain_log);
        pen_context_destroy(plain);
    }
    unlink(path);
}

/* Cancels the refit after so many of its epochs, whatever came before. */
static int on_refit(void *user, const pen_progress *p)
{
    watch *w = user;
    if (strcmp(p->stage, "refit") || !isfinite(p->loss)) return 0;
    return w->stop_at && ++w->reports >= w->stop_at;
}

/* While a refit is under way the best so far is the model before it, also where the refit was resumed. */
static void interrupted_refit_leaves_the_model_before(void **state)
{
    (void)state;
    char path[64];
    int tried = 0;
    snprintf(path, sizeof path, "/tmp/penchant-battery-%ld.ckpt", (long)getpid());
    for (size_t r = 0; r < n_rows; r++) {
        pen_model_info info;
        assert_int_equal(pen_models_find(rows[r].model, &info, NULL), PEN_OK);
        if (!info.iterative) continue;
        watch w = {0, 1, NAN, NAN};
        pen_context *ctx = context(2, on_refit, &w);
        pen_dataset *log = read_log(ctx, log_path);
        pen_model *before = NULL, *resumed = NULL, *ended = NULL, *whole;
        pen_error error = {0};
        unlink(path);
        assert_int_equal(train(&rows[r], log, path, 0, &before, &error), PEN_E_CANCELLED);
        assert_non_null(before);
        for (int again = 0; again < 2; again++) { /* the second time what a resumed run has written is resumed */
            w.reports = 0;
            pen_status status = train(&rows[r], log, path, 1, &resumed, &error);
            if (status == PEN_OK) break; /* so few epochs */
            assert_int_equal(status, PEN_E_CANCELLED);
            assert_non_null(resumed);
            assert_int_equal(resumed->n_users, before->n_users);
            assert_int_equal(resumed->n_items, before->n_items);
            same_state(before, resumed);
            pen_model_destroy(resumed);
            resumed = NULL;
            tried++;
        }
        pen_model_destroy(resumed);
        w.stop_at = 0;
        if (train(&rows[r], log, path, 1, &ended, &error) != PEN_OK) fail_msg("%s: %s", rows[r].model, error.message);
        whole = must_train(&rows[r], log);
        same_state(whole, ended);
        pen_model_destroy(before);
        pen_model_destroy(ended);
        pen_model_destroy(whole);
        pen_dataset_destroy(log);
        pen_context_destroy(ctx);
    }
    assert_true(tried > 2 || getenv("PENCHANT_ROWS"));
    unlink(path);
}

static void refuses_another_checkpoint(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/penchant-battery-%ld.ckpt", (long)getpid());
    for (size_t r = 0; r < n_rows; r++) {
        pen_model_info info;
        assert_int_equal(pen_models_find(rows[r].model, &info, NULL), PEN_OK);
        if (!info.iterative) continue;
        watch w = {0, 2, NAN, NAN};
        pen_context *ctx = context(1, on_progress, &w);
        pen_dataset *log = read_log(ctx, log_path);
        pen_model *model = NULL;
        pen_error error = {0};
        row other = rows[r];
        unlink(path);
        train(&rows[r], log, path, 0, &model, &error);
        pen_model_destroy(model);
        model = NULL;
        other.params[0] = "epochs=3";
        other.params[1] = NULL;
        w.stop_at = 0;
        assert_int_equal(train(&other, log, path, 1, &model, &error), PEN_E_ARGUMENT);
        assert_non_null(strstr(error.message, "checkpoint of another run"));
        assert_null(model);
        pen_dataset_destroy(log);
        pen_context_destroy(ctx);
    }
    unlink(path);
}

/* ---- failing memory ---------------------------------------------------------------------------------------------- */

typedef struct meagre {
    _Atomic long calls, live, fail_at;
    _Atomic int shrank; /* what failed was giving memory back, which need not be noticed */
} meagre;

static void *meagre_obtain(void *user, size_t bytes)
{
    meagre *m = user;
    m->calls++;
    if (m->calls == m->fail_at) return NULL;
    void *block = malloc(bytes);
    m->live += block != NULL;
    return block;
}

static void *meagre_resize(void *user, void *block, size_t bytes)
{
    meagre *m = user;
    m->calls++;
    if (m->calls == m->fail_at) {
        m->shrank = malloc_usable_size(block) >= bytes;
        return NULL;
    }
    return realloc(block, bytes);
}

static void meagre_release(void *user, void *block)
{
    meagre *m = user;
    m->live -= block != NULL;
    free(block);
}

/* Read, train, save, open, with the k-th allocation failing: an error, no leak, no crash. */
static pen_status whole_path(const row *r, meagre *m)
{
    pen_allocator allocator = {meagre_obtain, meagre_resize, meagre_release, m};
    pen_context_options o = PEN_CONTEXT_OPTIONS_INIT;
    pen_read_options reading = PEN_READ_OPTIONS_INIT;
    pen_context *ctx = NULL;
    pen_dataset *log = NULL;
    pen_model *model = NULL, *opened = NULL;
    pen_error error = {0};
    const char *paths[] = {log_path};
    char path[64];
    reading.items_path = items_path, reading.users_path = users_path;
    snprintf(path, sizeof path, "/tmp/penchant-battery-%ld.pen", (long)getpid());
    o.allocator = &allocator;
    o.n_threads = 1;
    pen_status status = pen_context_create(&o, &ctx, &error);
    if (status == PEN_OK) status = pen_dataset_read(ctx, paths, 1, &reading, &log, &error);
    if (status == PEN_OK) status = train(r, log, NULL, 0, &model, &error);
    if (status == PEN_OK) status = pen_model_save(model, path, &error);
    if (status == PEN_OK) status = pen_model_open(ctx, path, &opened, &error);
    if (status != PEN_OK && status != PEN_E_MEMORY)
        fail_msg("%s: allocation %ld failing gave %d: %s", r->model, (long)m->fail_at, status, error.message);
    pen_model_destroy(opened);
    pen_model_destroy(model);
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
    unlink(path);
    if (m->live) fail_msg("%s: allocation %ld failing left %ld blocks", r->model, (long)m->fail_at, (long)m->live);
    return status;
}

static void survives_failing_memory(void **state)
{
    (void)state;
    for (size_t r = 0; r < n_rows; r++) {
        meagre m = {0};
        assert_int_equal(whole_path(&rows[r], &m), PEN_OK);
        long calls = m.calls, step = calls / 120 + 1;
        for (long k = 1; k <= calls; k += step) {
            m = (meagre){0};
            m.fail_at = k;
            if (whole_path(&rows[r], &m) != PEN_E_MEMORY && !m.shrank)
                fail_msg("%s: allocation %ld of %ld failing went unnoticed", rows[r].model, k, calls);
        }
    }
}

/* ---- real data --------------------------------------------------------------------------------------------------- */

/* "mean" of the first metric of the first result. */
static double first_mean(const char *json)
{
    const char *at = strstr(json, "\"metrics\": {");
    at = at ? strstr(at, "\"mean\": ") : NULL;
    return at ? atof(at + 8) : NAN;
}

/* Whether an earlier row of the model and metric has had the defaults. */
static bool defaults_before(size_t r)
{
    for (size_t k = 0; k < r; k++)
        if (!rows[k].real && !strcmp(rows[k].model, rows[r].model) && !strcmp(rows[k].metric, rows[r].metric))
            return true;
    return false;
}

/* "a=1 b=2" as params, in `copy`; how many. */
static size_t split_params(const char *text, char *copy, size_t size, const char **params)
{
    size_t n = 0;
    char *save = NULL;
    assert_true(strlen(text) < size);
    strcpy(copy, text);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) params[n++] = word;
    return n;
}

static void falls_into_its_band(void **state)
{
    (void)state;
    const char *data = getenv("PENCHANT_DATA");
    char path[4096];
    if (!data) {
        print_message("PENCHANT_DATA is not set: the bands on MovieLens 100K were not looked at\n");
        skip();
    }
    snprintf(path, sizeof path, "%s/ml-100k/u.data", data);
    pen_context *ctx = context(0, NULL, NULL);
    pen_dataset *log = read_log(ctx, path);
    for (size_t r = 0; r < n_rows; r++) {
        if (!rows[r].real && defaults_before(r)) continue;
        pen_protocol p;
        pen_material material = {log, NULL, NULL};
        pen_report *report;
        pen_error error = {0};
        pen_protocol_init(&p);
        p.task = rows[r].task;
        p.metrics = rows[r].metric;
        p.bootstrap = 0;
        char text[256];
        const char *params[16], *real = rows[r].real ? rows[r].real : "";
        size_t n = split_params(real, text, sizeof text, params);
        p.refit = n == 0;
        if (pen_evaluate(ctx, &material, 1, &p, &rows[r].model, 1, params, n, &report, &error) != PEN_OK)
            fail_msg("%s: %s", rows[r].model, error.message);
        double mean = first_mean(pen_report_json(report));
        print_message("%s %s: %s %.4f, band %.3f to %.3f\n", rows[r].model, real, rows[r].metric, mean, rows[r].low,
                      rows[r].high);
        if (!(mean >= rows[r].low && mean <= rows[r].high))
            fail_msg("%s %s: %s is %.4f, outside %g to %g", rows[r].model, real, rows[r].metric, mean, rows[r].low,
                     rows[r].high);
        pen_report_destroy(report);
    }
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_model_has_a_row),
        cmocka_unit_test(defaults_are_valid),
        cmocka_unit_test(finds_the_kinds),
        cmocka_unit_test(folds_in),
        cmocka_unit_test(same_bits_for_any_threads),
        cmocka_unit_test(file_answers_alike),
        cmocka_unit_test(loss_falls),
        cmocka_unit_test(resumes_to_the_same_bits),
        cmocka_unit_test(interrupted_refit_leaves_the_model_before),
        cmocka_unit_test(refuses_another_checkpoint),
        cmocka_unit_test(survives_failing_memory),
        cmocka_unit_test(falls_into_its_band),
    };
    const char *only = getenv("PENCHANT_ROWS");
    size_t kept = 0;
    for (size_t r = 0; r < n_rows; r++)
        if (!only || !strcmp(rows[r].model, only)) rows[kept++] = rows[r];
    n_rows = kept;
    if (getenv("PENCHANT_TEST")) cmocka_set_test_filter(getenv("PENCHANT_TEST"));
    write_log();
    write_tables();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(log_path), unlink(items_path), unlink(users_path);
    return failed;
}
