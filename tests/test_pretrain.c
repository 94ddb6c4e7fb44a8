/* Starting from saved models: weights go where they belong, rows by ids, and what does not fit is refused in words. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/random.h"
#include "penchant/penchant.h"
#include "rank/catalogue.h"

enum { N_USERS = 40, N_ITEMS = 30, D = 4 };

static char folder[64];

static pen_context *context(int threads, pen_progress_fn progress, void *user)
{
    pen_context_options o = PEN_CONTEXT_OPTIONS_INIT;
    pen_context *ctx;
    o.n_threads = threads, o.progress = progress, o.user = user;
    assert_int_equal(pen_context_create(&o, &ctx, NULL), PEN_OK);
    return ctx;
}

/* Everybody likes one's own kind; ids from `first` user on, in rising or falling order. */
static pen_dataset *log_of(pen_context *ctx, int first, bool falling, const char *prefix)
{
    char path[128];
    pen_read_options o = PEN_READ_OPTIONS_INIT;
    pen_dataset *d;
    pen_error error = {0};
    snprintf(path, sizeof path, "%s.tsv", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int k = 0; k < (N_USERS - first) * N_ITEMS; k++) {
        int at = falling ? (N_USERS - first) * N_ITEMS - 1 - k : k, u = first + at / N_ITEMS, i = at % N_ITEMS;
        uint64_t chance = pen__rand64(3, 1, (uint64_t)(u * N_ITEMS + i));
        if (chance % 10 < (u % 2 == i % 2 ? 6 : 1)) fprintf(f, "%su%d\t%si%d\t1\t%d\n", prefix, u, prefix, i, 1000 + k);
    }
    fclose(f);
    const char *paths[] = {path};
    if (pen_dataset_read(ctx, paths, 1, &o, &d, &error) != PEN_OK) fail_msg("%s", error.message);
    unlink(path);
    return d;
}

typedef struct plea {
    const char *model, *params[8], *checkpoint;
    const pen_model *from[3];
    int resume, refit;
} plea;

static pen_status train(const pen_dataset *d, const plea *p, pen_model **model, pen_error *error)
{
    pen_train_options o = PEN_TRAIN_OPTIONS_INIT;
    pen_protocol protocol;
    pen_protocol_init(&protocol);
    protocol.refit = p->refit;
    o.model = p->model, o.params = p->params, o.checkpoint = p->checkpoint, o.checkpoint_seconds = 0;
    o.resume = p->resume, o.pretrained = p->from;
    while (o.n_params < 8 && p->params[o.n_params]) o.n_params++;
    while (o.n_pretrained < 3 && p->from[o.n_pretrained]) o.n_pretrained++;
    return pen_model_train(d, &protocol, &o, model, error);
}

static pen_model *must_train(const pen_dataset *d, const plea *p)
{
    pen_model *model;
    pen_error error = {0};
    if (train(d, p, &model, &error) != PEN_OK) fail_msg("%s: %s", p->model, error.message);
    return model;
}

static pen_model *source(const pen_dataset *d, const char *name, const char *more)
{
    plea p = {.model = name,
              .params = {"factors=4", "epochs=5", "batch_size=200", "learning_rate=0.02", "init=0.1", more},
              .refit = 1};
    return must_train(d, &p);
}

static const float *tensor(const pen_model *m, const char *name, int64_t *columns)
{
    const pen__state_tensor *t = pen__model_tensor(m, name);
    if (!t) fail_msg("%s has no %s", m->class->name, name);
    if (columns) *columns = t->dim[1];
    return t->data;
}

/* Rows of both tables are the same for the ids that both models have; returns for how many. */
static int same_rows(const pen_model *a, const char *table_a, const pen_model *b, const char *table_b, bool users)
{
    const pen__strings *ids = users ? &a->catalogue->users : &a->catalogue->items,
                       *other = users ? &b->catalogue->users : &b->catalogue->items;
    int64_t width, width_b;
    const float *x = tensor(a, table_a, &width), *y = tensor(b, table_b, &width_b);
    int found = 0;
    assert_int_equal(width, width_b);
    for (int64_t r = 0; r < ids->n; r++) {
        int32_t row = pen__strings_find(other, pen__strings_at(ids, r));
        if (row < 0) continue;
        found++;
        for (int64_t c = 0; c < width; c++)
            if (fabsf(x[r * width + c] - y[row * width + c]) > 1e-5F)
                fail_msg("%s differs from %s in row %lld", table_a, table_b, (long long)r);
    }
    return found;
}

/* more: another parameter, or NULL. */
static void check_weights(const char *more)
{
    pen_context *ctx = context(2, NULL, NULL);
    pen_dataset *log = log_of(ctx, 0, false, ""), *part = log_of(ctx, 10, true, "");
    pen_model *gmf = source(part, "gmf", NULL), *mlp = source(log, "mlp", NULL);
    plea p = {.model = "neumf",
              .params = {"factors=4", "epochs=1", "learning_rate=1e-7", "optimizer=sgd", "alpha=0.25", more},
              .from = {mlp, gmf},
              .refit = 1};
    pen_model *m = must_train(log, &p);
    assert_int_equal(gmf->n_users, N_USERS - 10);
    assert_int_equal(same_rows(m, "gmf.user", gmf, "user", true), N_USERS - 10);
    assert_int_equal(same_rows(m, "gmf.item", gmf, "item", false), N_ITEMS);
    assert_int_equal(same_rows(m, "mlp.user", mlp, "mlp.user", true), N_USERS);
    assert_int_equal(same_rows(m, "mlp.item", mlp, "mlp.item", false), N_ITEMS);
    static const char *const layers[] = {"mlp.0.weight", "mlp.0.bias", "mlp.1.weight", "mlp.1.bias"};
    for (size_t l = 0; l < 4; l++) {
        const pen__state_tensor *x = pen__model_tensor(m, layers[l]), *y = pen__model_tensor(mlp, layers[l]);
        assert_int_equal(pen__state_bytes(x), pen__state_bytes(y));
        for (int64_t e = 0; e < pen__state_elements(x); e++)
            assert_true(fabsf(((float *)x->data)[e] - ((float *)y->data)[e]) < 1e-5F);
    }
    const float *out = tensor(m, "out.weight", NULL), *h = tensor(gmf, "weight", NULL),
                *w = tensor(mlp, "out.weight", NULL);
    for (int k = 0; k < D; k++) {
        assert_true(fabsf(out[k] - 0.25F * h[k]) < 1e-5F);
        assert_true(fabsf(out[D + k] - 0.75F * w[k]) < 1e-5F);
    }
    float bias = 0.25F * tensor(gmf, "bias", NULL)[0] + 0.75F * tensor(mlp, "out.bias", NULL)[0];
    assert_true(fabsf(tensor(m, "out.bias", NULL)[0] - bias) < 1e-5F);
    assert_non_null(strstr(pen_model_about(m), "\"pretrained\": [\"mlp\", \"gmf\"]"));
    pen_model_destroy(m), pen_model_destroy(gmf), pen_model_destroy(mlp);
    pen_dataset_destroy(log), pen_dataset_destroy(part);
    pen_context_destroy(ctx);
}

static void weights_go_where_they_belong(void **state)
{
    (void)state;
    check_weights(NULL);
    check_weights("ema=0.5"); /* averages begin there too */
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    pen_context *ctx = context(1, NULL, NULL);
    pen_dataset *log = log_of(ctx, 0, false, ""), *strange = log_of(ctx, 0, false, "x");
    pen_model *gmf = source(log, "gmf", NULL), *mlp = source(log, "mlp", NULL), *mf = source(log, "mf", NULL),
              *deep = source(log, "mlp", "layers=3"), *foreign = source(strange, "gmf", NULL);
    const struct {
        plea p;
        const char *words;
    } cases[] = {
        {{.model = "neumf", .params = {"factors=4"}, .from = {gmf}}, "the mlp is missing"},
        {{.model = "neumf", .params = {"factors=4"}, .from = {mlp}}, "the gmf is missing"},
        {{.model = "neumf", .params = {"factors=4"}, .from = {gmf, mlp, gmf}}, "two were given"},
        {{.model = "neumf", .params = {"factors=4"}, .from = {gmf, mlp, mf}}, "not from one of mf"},
        {{.model = "neumf", .params = {"factors=8"}, .from = {gmf, mlp}}, "has factors=4, and neumf has factors=8"},
        {{.model = "neumf", .params = {"factors=4"}, .from = {gmf, deep}}, "has layers=3, and neumf has layers=2"},
        {{.model = "neumf", .params = {"factors=4"}, .from = {foreign, mlp}}, "knows none of the 40 users"},
        {{.model = "mlp", .params = {"factors=4"}, .from = {gmf, mlp}},
         "mlp starts from no other model (--pretrain); these do: neumf"},
        {{.model = "popular", .from = {gmf}}, "popular starts from no other model"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pen_model *model = NULL;
        pen_error error = {0};
        assert_int_equal(train(log, &cases[i].p, &model, &error), PEN_E_ARGUMENT);
        assert_null(model);
        if (!strstr(error.message, cases[i].words))
            fail_msg("\"%s\" does not say \"%s\"", error.message, cases[i].words);
    }
    pen_train_options o = PEN_TRAIN_OPTIONS_INIT;
    pen_protocol protocol;
    pen_model *model = NULL;
    pen_error error = {0};
    pen_protocol_init(&protocol);
    o.struct_size =
        offsetof(pen_train_options, pretrained); /* of a program that was built before there was such a thing */
    o.model = "popular", o.n_pretrained = 7;
    assert_int_equal(pen_model_train(log, &protocol, &o, &model, &error), PEN_OK);
    pen_model_destroy(model);
    o.struct_size = sizeof o + 8;
    assert_int_equal(pen_model_train(log, &protocol, &o, &model, &error), PEN_E_ARGUMENT);
    pen_model_destroy(gmf), pen_model_destroy(mlp), pen_model_destroy(mf), pen_model_destroy(deep);
    pen_model_destroy(foreign);
    pen_dataset_destroy(log), pen_dataset_destroy(strange);
    pen_context_destroy(ctx);
}

static int stop_at, reports;
static int on_progress(void *user, const pen_progress *p)
{
    (void)user;
    return stop_at && (!strcmp(p->stage, "train") || !strcmp(p->stage, "refit")) && ++reports >= stop_at;
}

static void assert_same(const pen_model *a, const pen_model *b)
{
    for (int32_t i = 0; i < a->n_tensors; i++)
        assert_memory_equal(a->tensor[i].data, pen__model_tensor(b, a->tensor[i].name)->data,
                            pen__state_bytes(&a->tensor[i]));
}

/* Any number of threads, and wherever it is broken off: the same bits; and it does help. */
static void runs_are_alike(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s.ckpt", folder);
    pen_context *one = context(1, NULL, NULL), *ctx = context(4, on_progress, NULL);
    pen_dataset *log_one = log_of(one, 0, false, ""), *log = log_of(ctx, 0, false, "");
    pen_model *gmf = source(log, "gmf", NULL), *mlp = source(log, "mlp", NULL);
    plea p = {.model = "neumf",
              .params = {"factors=4", "epochs=4", "learning_rate=0.01", "optimizer=sgd", "batch_size=200"},
              .from = {gmf, mlp},
              .refit = 1};
    pen_model *whole = must_train(log, &p), *other = must_train(log_one, &p);
    assert_same(whole, other);
    pen_model_destroy(other);
    p.checkpoint = path;
    int cancelled = 0;
    for (int stop = 1; stop < 12; stop++) {
        pen_error error = {0};
        other = NULL;
        unlink(path);
        stop_at = stop, reports = 0, p.resume = 0;
        pen_status status = train(log, &p, &other, &error);
        pen_model_destroy(other);
        stop_at = 0;
        if (status == PEN_OK) break;
        assert_int_equal(status, PEN_E_CANCELLED);
        cancelled++;
        p.resume = 1;
        if (stop == 3) { /* without the models, or with others, it would be another run */
            plea bare = p;
            bare.from[0] = bare.from[1] = NULL;
            assert_int_equal(train(log, &bare, &other, &error), PEN_E_ARGUMENT);
            assert_non_null(strstr(error.message, "is a checkpoint of another run"));
        }
        other = must_train(log, &p);
        assert_same(whole, other);
        pen_model_destroy(other);
    }
    assert_true(cancelled >= 3);
    pen_model_destroy(whole), pen_model_destroy(gmf), pen_model_destroy(mlp);
    pen_dataset_destroy(log), pen_dataset_destroy(log_one);
    pen_context_destroy(one), pen_context_destroy(ctx);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_go_where_they_belong),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(runs_are_alike),
    };
    snprintf(folder, sizeof folder, "/tmp/penchant-pretrain-%ld", (long)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
