/* What a training's log says: norms beside differences of weights worked out here, learning rates by their formulas,
 * epochs of a broken-off and resumed run beside those of an unbroken one, to the last digit. */
#include <jansson.h>
#include <math.h>

#include "base/append.h"
#include "log_fixture.h"
#include "penchant/query.h"
#include "rank/model.h"

enum { EVENTS = 3000, USERS = 60, ITEMS = 50, MOST = 200 };

static char log_path[64], checkpoint_path[64];

/* ---- a run and its lines ----------------------------------------------------------------------------------------- */

typedef struct watch {
    const char *stage; /* cancels in its epoch `epoch`; NULL: never */
    int64_t epoch;
} watch;

static int on_progress(void *user, const pen_progress *p)
{
    const watch *w = user;
    bool ends = p->epoch > 0 && p->done * p->n_epochs == p->epoch * p->total;
    return w->stage && !strcmp(p->stage, w->stage) && ends && p->epoch >= w->epoch;
}

static pen_context *context(int threads, watch *w)
{
    pen_context_options o = PEN_CONTEXT_OPTIONS_INIT;
    pen_context *ctx;
    o.n_threads = threads, o.progress = on_progress, o.user = w;
    assert_int_equal(pen_context_create(&o, &ctx, NULL), PEN_OK);
    return ctx;
}

static pen_dataset *log_of(pen_context *ctx)
{
    row *rows = random_rows(EVENTS, USERS, ITEMS, 3);
    pen_dataset *log = dataset_of(ctx, rows, EVENTS, 0);
    free(rows);
    return log;
}

typedef struct way {
    const char *model, *split; /* split NULL: with validation, and a refit */
    int task, resume;
    const char *params[10];
} way;

static pen_model *train(const way *how, const pen_dataset *log, const char *path, pen_status want)
{
    pen_protocol p;
    pen_model *model;
    pen_error error = {0};
    pen_protocol_init(&p);
    p.task = how->task, p.split = how->split;
    pen_train_options o = PEN_TRAIN_OPTIONS_INIT;
    o.model = how->model, o.params = (const char *const *)how->params, o.log = path;
    o.checkpoint = checkpoint_path, o.checkpoint_seconds = 0, o.resume = how->resume;
    while (how->params[o.n_params]) o.n_params++;
    pen_status status = pen_model_train(log, &p, &o, &model, &error);
    if (status != want) fail_msg("%s: status %d: %s", how->model, status, error.message);
    return model;
}

typedef struct lines {
    json_t *at[MOST];
    int n;
} lines;

static lines read_lines(void)
{
    lines all = {.n = 0};
    char text[8192];
    FILE *f = fopen(log_path, "r");
    assert_non_null(f);
    while (fgets(text, sizeof text, f)) {
        assert_true(all.n < MOST && text[strlen(text) - 1] == '\n');
        all.at[all.n] = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        if (!all.at[all.n++]) fail_msg("not JSON: %s", text);
    }
    fclose(f);
    return all;
}

static void free_lines(lines *all)
{
    while (all->n) json_decref(all->at[--all->n]);
}

static bool is(const json_t *line, const char *key, const char *word)
{
    const char *text = json_string_value(json_object_get(line, key));
    return text && !strcmp(text, word);
}

static double number(const json_t *line, const char *key)
{
    const json_t *value = json_object_get(line, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* The last line of an epoch; NULL: there is none. */
static const json_t *epoch_of(const lines *all, const char *phase, int epoch)
{
    const json_t *found = NULL;
    for (int i = 0; i < all->n; i++)
        if (is(all->at[i], "line", "epoch") && is(all->at[i], "phase", phase) &&
            number(all->at[i], "epoch") == (double)epoch)
            found = all->at[i];
    return found;
}

static void near(double got, double want, double relative, const char *what)
{
    if (!(fabs(got - want) <= relative * fabs(want))) fail_msg("%s: %.9g, not %.9g", what, got, want);
}

/* ---- norms ------------------------------------------------------------------------------------------------------- */

/* Norm of a - b over weights (tables: over the tables), b NULL: of a. */
static double norm_of(const pen_model *a, const pen_model *b, int tables)
{
    double square = 0;
    for (int i = 0; i < a->n_tensors; i++) {
        const pen__state_tensor *x = &a->tensor[i];
        bool table = strstr(x->name, "user") || strstr(x->name, "item");
        if (x->role != PEN_ROLE_PARAM || x->dtype != PEN_F32 || (tables >= 0 && table != tables)) continue;
        if (strstr(x->name, ".layer")) continue; /* products of others */
        const float *p = x->data, *q = b ? pen__model_tensor(b, x->name)->data : NULL;
        for (int64_t k = 0; k < pen__state_elements(x); k++) {
            double d = (double)p[k] - (q ? (double)q[k] : 0);
            square += d * d;
        }
    }
    return sqrt(square);
}

/* One step an epoch by plain SGD: what moved, over the rate, is the gradient. Weights are floats: the difference of two
 * near ones is right to some 1e-5 of a step. Clipped or not, by one thread or four, the norm is that before
 * clipping. */
static void norms_are_those_of_weights(void **state)
{
    (void)state;
    watch w = {NULL, 0};
    pen_context *ctx = context(4, &w), *one = context(1, &w);
    pen_dataset *log = log_of(ctx), *log_one = log_of(one);
    way how = {"mlp",
               "ratio:1,0,0",
               PEN_TASK_RANK,
               0,
               {"epochs=1", "factors=4", "optimizer=sgd", "learning_rate=0.5", "batch_size=1000000", "init=0.3", NULL}};
    pen_model *first = train(&how, log, NULL, PEN_OK);
    how.params[0] = "epochs=2";
    pen_model *second = train(&how, log, log_path, PEN_OK);
    lines all = read_lines();
    const json_t *line = epoch_of(&all, "fit", 2);
    assert_null(epoch_of(&all, "fit", 3));
    double gradient = number(line, "gradient_norm");
    near(gradient, norm_of(second, first, -1) / 0.5, 1e-4, "gradient_norm");
    near(number(line, "weight_norm"), norm_of(second, NULL, 0), 1e-5, "weight_norm");
    near(number(line, "embedding_norm"), norm_of(second, NULL, 1), 1e-5, "embedding_norm");
    near(number(line, "learning_rate"), 0.5, 1e-8, "learning_rate");
    assert_true(number(line, "examples") > 1000);
    free_lines(&all);
    how.params[6] = "clip=1e-3"; /* the second epoch's step begins near where the first's did */
    pen_model_destroy(train(&how, log, log_path, PEN_OK));
    all = read_lines();
    double clipped = number(epoch_of(&all, "fit", 1), "gradient_norm");
    free_lines(&all);
    how.params[6] = "clip=1e6";
    pen_model_destroy(train(&how, log_one, log_path, PEN_OK));
    all = read_lines();
    assert_true(number(epoch_of(&all, "fit", 1), "gradient_norm") == clipped);
    assert_true(number(epoch_of(&all, "fit", 2), "gradient_norm") == gradient);
    free_lines(&all);
    pen_model_destroy(first), pen_model_destroy(second);
    pen_dataset_destroy(log), pen_dataset_destroy(log_one);
    pen_context_destroy(ctx), pen_context_destroy(one);
}

/* A model's own `clip`: where the gradient is longer, a step of plain SGD is clip times the rate long; where it is not,
 * the model is the same to the bit. */
static void clipped_steps_are_as_long_as_told(void **state)
{
    (void)state;
    watch w = {NULL, 0};
    pen_context *ctx = context(4, &w);
    pen_dataset *log = log_of(ctx);
    way how = {"mlp",
               "ratio:1,0,0",
               PEN_TASK_RANK,
               0,
               {"epochs=1", "factors=4", "optimizer=sgd", "learning_rate=0.5", "batch_size=1000000", "init=0.3", NULL}};
    static const char *const clips[] = {"clip=0", "clip=0.01", "clip=100"}, *const epochs[] = {"epochs=1", "epochs=2"};
    pen_model *after[3][2];
    for (int c = 0; c < 3; c++)
        for (int e = 0; e < 2; e++) {
            how.params[0] = epochs[e], how.params[6] = clips[c];
            after[c][e] = train(&how, log, NULL, PEN_OK);
        }
    double whole = norm_of(after[0][1], after[0][0], -1) / 0.5;
    assert_true(whole > 0.02 && whole < 100);
    near(norm_of(after[1][1], after[1][0], -1), 0.01 * 0.5, 1e-4, "a clipped step");
    assert_true(norm_of(after[2][1], after[0][1], -1) == 0);
    for (int c = 0; c < 3; c++) pen_model_destroy(after[c][0]), pen_model_destroy(after[c][1]);
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

/* ---- rates ------------------------------------------------------------------------------------------------------- */

/* Every op of gmf has its seconds, of this epoch alone, and all of them are not more than the threads had. */
static void check_spent(const json_t *line, int threads)
{
    static const char *const ops[] = {"gather", "gain", "dot", "pointwise"};
    const json_t *spent = json_object_get(line, "spent"), *of;
    const char *name;
    double sum = 0;
    json_object_foreach ((json_t *)(uintptr_t)spent, name, of)
        sum += json_is_array(of) ? json_number_value(json_array_get(of, 0)) + json_number_value(json_array_get(of, 1))
                                 : json_number_value(of);
    for (size_t k = 0; k < sizeof ops / sizeof *ops; k++)
        if (json_array_size(json_object_get(spent, ops[k])) != 2) fail_msg("'%s' is not there", ops[k]);
    assert_true(json_is_number(json_object_get(spent, "update")) && json_is_number(json_object_get(spent, "batches")));
    assert_true(sum > 0 && sum <= threads * number(line, "seconds") + 0.001);
}

static void rates_follow_their_schedule(void **state)
{
    (void)state;
    watch w = {NULL, 0};
    pen_context *ctx = context(2, &w);
    pen_dataset *log = log_of(ctx);
    way ways[] = {{"biased-mf",
                   "ratio-all:1,0,0",
                   PEN_TASK_RATE,
                   0,
                   {"epochs=3", "schedule=exponential", "decay=0.1", "learning_rate=0.01", NULL}},
                  {"bpr", "ratio:1,0,0", PEN_TASK_RANK, 0, {"epochs=3", "decay=0.1", "learning_rate=0.01", NULL}},
                  {"ials", "ratio:1,0,0", PEN_TASK_RANK, 0, {"epochs=3", NULL}},
                  {"gmf",
                   "ratio:1,0,0",
                   PEN_TASK_RANK,
                   0,
                   {"epochs=4", "schedule=linear", "learning_rate=0.01", "batch_size=1000000", NULL}}};
    for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
        pen_model_destroy(train(&ways[k], log, log_path, PEN_OK));
        lines all = read_lines();
        for (int e = 1; e <= 3; e++) {
            const json_t *line = epoch_of(&all, "fit", e);
            double rate = number(line, "learning_rate");
            if (k < 2) near(rate, 0.01 * pow(0.9, e - 1), 1e-8, ways[k].model);
            if (k == 2) assert_true(isnan(rate)); /* it has none */
            if (k == 3) near(rate, 0.01 * (1 - (e - 1) / 4.0), 1e-8, "gmf");
            assert_true(isnan(number(line, "gradient_norm")) == (k < 3));
            assert_null(json_object_get(line, "metric")); /* nobody validates */
            assert_true(isfinite(number(line, "loss")) && number(line, "seconds") >= 0);
            if (k == 3)
                check_spent(line, 2);
            else
                assert_null(json_object_get(line, "spent"));
        }
        free_lines(&all);
    }
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

/* What a network's log says is the rate of an epoch's last step, of several: number t of T in all. */
static void rates_of_steps(void **state)
{
    (void)state;
    enum { EPOCHS = 5, EVENTS_A_STEP = 75 };
    static const char *const schedules[] = {"schedule=constant", "schedule=cosine", "schedule=linear", "schedule=step"};
    watch w = {NULL, 0};
    pen_context *ctx = context(2, &w);
    pen_dataset *log = log_of(ctx);
    for (int k = 0; k < 4; k++)
        for (int warms = 0; warms < 2; warms++) {
            way how = {"gmf",
                       "ratio:1,0,0",
                       PEN_TASK_RANK,
                       0,
                       {"epochs=5", "factors=4", "negatives=3", "batch_size=300", "learning_rate=0.02", schedules[k],
                        warms ? "warmup=60" : "warmup=0", NULL}};
            pen_model_destroy(train(&how, log, log_path, PEN_OK));
            lines all = read_lines();
            for (int e = 1; e <= EPOCHS; e++) {
                const json_t *line = epoch_of(&all, "fit", e);
                double steps = ceil(number(line, "examples") / EVENTS_A_STEP), whole = steps * EPOCHS,
                       t = e * steps - 1;
                const double of[] = {1, (1 + cos(acos(-1) * t / whole)) / 2, 1 - t / whole,
                                     pow(2, -floor(t / ceil(whole / 10)))};
                assert_true(steps > 10 && steps < 60); /* the first epoch warms up, the last does not */
                near(number(line, "learning_rate"), 0.02 * of[k] * (warms && t < 60 ? (t + 1) / 60 : 1), 1e-8,
                     schedules[k]);
            }
            free_lines(&all);
        }
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

/* schedule=plateau, worked out from what validation said: halved when no epoch was better for so many, counted from the
 * last halving too; a refit has the rates of the fit, epoch by epoch. On random events validation is noise, which is
 * what it takes. */
static void plateaus_halve_the_rate(void **state)
{
    (void)state;
    watch w = {NULL, 0};
    pen_context *ctx = context(2, &w);
    pen_dataset *log = log_of(ctx);
    int in_refits = 0, halves = 0;
    for (int plateau = 1; plateau <= 3; plateau++)
        for (int seed = 0; seed < 4; seed++) {
            char wait[32], rate[32];
            snprintf(wait, sizeof wait, "plateau=%d", plateau);
            snprintf(rate, sizeof rate, "learning_rate=0.00%d", 1 + seed);
            way how = {"gmf",
                       NULL,
                       PEN_TASK_RANK,
                       0,
                       {"epochs=14", "patience=0", "factors=8", "schedule=plateau", wait, rate, "init=0.1", NULL}};
            pen_model_destroy(train(&how, log, log_path, PEN_OK));
            lines all = read_lines();
            double best = -1, now = 0.001 * (1 + seed);
            int best_epoch = 0, halved = 0;
            for (int e = 1; e <= 14; e++) {
                const json_t *line = epoch_of(&all, "fit", e), *refit = epoch_of(&all, "refit", e);
                near(number(line, "learning_rate"), now, 1e-8, "learning_rate");
                if (refit) near(number(refit, "learning_rate"), now, 1e-8, "learning_rate of the refit");
                in_refits += refit && halved;
                if (number(line, "validation") > best) best = number(line, "validation"), best_epoch = e;
                if (e - (best_epoch > halved ? best_epoch : halved) >= plateau) now /= 2, halved = e;
            }
            halves += halved > 0;
            free_lines(&all);
        }
    assert_true(halves > 5 && in_refits > 3); /* else little was seen of it */
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static const char *const exact[] = {"loss",          "metric",      "validation",     "best",         "examples",
                                    "learning_rate", "weight_norm", "embedding_norm", "gradient_norm"};

/* Every epoch of `whole` stands in `all`, the same to the last digit. */
static int same_epochs(const lines *whole, const lines *all)
{
    int n = 0;
    for (int i = 0; i < whole->n; i++) {
        const json_t *line = whole->at[i];
        if (!is(line, "line", "epoch")) continue;
        const json_t *other = epoch_of(all, json_string_value(json_object_get(line, "phase")),
                                       (int)json_integer_value(json_object_get(line, "epoch")));
        assert_non_null(other);
        for (size_t k = 0; k < sizeof exact / sizeof *exact; k++) {
            const json_t *a = json_object_get(line, exact[k]), *b = json_object_get(other, exact[k]);
            if (a != b && !json_equal(a, b)) fail_msg("%s of line %d differs", exact[k], i);
        }
        n++;
    }
    return n;
}

static void first_and_last_lines(const lines *all, const way *how)
{
    const json_t *run = all->at[0], *end = all->at[all->n - 1];
    assert_true(is(run, "line", "run") && is(run, "model", how->model) && is(run, "penchant", pen_version()));
    assert_true(json_is_object(json_object_get(run, "params")) && number(run, "seed") == 1);
    assert_int_equal(strlen(json_string_value(json_object_get(json_object_get(run, "data"), "hash"))), 16);
    assert_true(json_is_false(json_object_get(run, "resumed")));
    assert_true(is(end, "line", "end") && is(end, "status", "done"));
    assert_true(number(end, "elapsed") > 0 && number(end, "peak_bytes") > 1000);
    const json_t *best = epoch_of(all, "fit", (int)number(end, "epochs"));
    assert_true(json_is_true(json_object_get(best, "best")));
    near(number(best, "validation"), number(end, "validation"), 1e-8, "validation");
}

/* Broken off in an epoch of either phase and resumed: the log tells the whole run, and where the repeat begins. */
static void resumed_runs_append(void **state)
{
    (void)state;
    static const way ways[] = {
        {"gru4rec", NULL, PEN_TASK_RANK, 0, {"epochs=6", "patience=0", "factors=8", "hidden=8", "batch_size=16", NULL}},
        {"gmf",
         NULL,
         PEN_TASK_RANK,
         0,
         {"epochs=6", "patience=0", "factors=8", "ema=0.99", "schedule=plateau", "plateau=1", "learning_rate=0.1",
          NULL}},
        {"bpr", NULL, PEN_TASK_RANK, 0, {"epochs=6", "patience=0", "factors=8", NULL}},
        {"ials", NULL, PEN_TASK_RANK, 0, {"epochs=6", "patience=0", "factors=8", NULL}},
        {"biased-mf", NULL, PEN_TASK_RATE, 0, {"epochs=6", "patience=0", "factors=8", NULL}}};
    for (size_t k = 0; k < sizeof ways / sizeof *ways; k++)
        for (int refit = 0; refit < 2; refit++) {
            watch w = {NULL, 0};
            pen_context *ctx = context(2, &w);
            pen_dataset *log = log_of(ctx);
            unlink(checkpoint_path);
            pen_model_destroy(train(&ways[k], log, log_path, PEN_OK));
            lines whole = read_lines();
            first_and_last_lines(&whole, &ways[k]);
            unlink(checkpoint_path);
            w = (watch){refit ? "refit" : "train", refit ? 1 : 3};
            pen_model_destroy(train(&ways[k], log, log_path, PEN_E_CANCELLED));
            lines cut = read_lines();
            assert_true(is(cut.at[cut.n - 1], "status", "interrupted"));
            assert_non_null(strstr(json_string_value(json_object_get(cut.at[cut.n - 1], "error")), "cancelled"));
            w.stage = NULL;
            way again = ways[k];
            again.resume = 1;
            pen_model_destroy(train(&again, log, log_path, PEN_OK));
            lines all = read_lines();
            assert_true(all.n > cut.n);
            assert_true(same_epochs(&cut, &all) >= (refit ? 7 : 3)); /* they were not written over */
            assert_true(is(all.at[cut.n], "line", "run") && json_is_true(json_object_get(all.at[cut.n], "resumed")));
            const json_t *resume = all.at[cut.n + 1];
            assert_true(is(resume, "line", "resume") && is(resume, "phase", refit ? "refit" : "fit"));
            assert_true(number(resume, "after_epoch") == (refit ? 1 : 3));
            assert_true(same_epochs(&whole, &all) >= 7);
            free_lines(&whole), free_lines(&cut), free_lines(&all);
            pen_dataset_destroy(log);
            pen_context_destroy(ctx);
        }
    unlink(checkpoint_path);
}

/* The last line of a run that diverges says in which epoch, the one that has no line, and at which step of how many. */
static void divergence_is_placed(const pen_dataset *log, const char *batch_size, int least_epoch, long least_step)
{
    way how = {"gmf",
               "ratio:1,0,0",
               PEN_TASK_RANK,
               0,
               {"epochs=1", "optimizer=sgd", "learning_rate=1e-6", "init=10", "negatives=4", batch_size, NULL}};
    pen_model_destroy(train(&how, log, log_path, PEN_OK));
    lines all = read_lines();
    double of_batch = floor(atof(strchr(batch_size, '=') + 1) / 5),
           examples = number(epoch_of(&all, "fit", 1), "examples");
    free_lines(&all);
    how.params[0] = "epochs=9", how.params[2] = "learning_rate=100";
    assert_null(train(&how, log, log_path, PEN_E_DIVERGED));
    all = read_lines();
    const char *said = json_string_value(json_object_get(all.at[all.n - 1], "error"));
    int epoch = 0;
    long step = 0, steps = 0;
    assert_true(is(all.at[all.n - 1], "status", "failed"));
    assert_true(strstr(said, ": its loss is infinite; ") || strstr(said, ": its loss is not a number; "));
    assert_int_equal(sscanf(said, "gmf diverged in epoch %d at step %ld of %ld: its loss is ", &epoch, &step, &steps),
                     3);
    if ((double)steps != ceil(examples / of_batch)) fail_msg("%ld steps of %g examples: %s", steps, examples, said);
    if (epoch < least_epoch || step < least_step || step > steps) fail_msg("%s", said);
    assert_null(epoch_of(&all, "fit", epoch));
    assert_true(epoch == 1 || epoch_of(&all, "fit", epoch - 1));
    free_lines(&all);
}

static void failures_are_said(void **state)
{
    (void)state;
    watch w = {NULL, 0};
    pen_context *ctx = context(2, &w);
    pen_dataset *log = log_of(ctx);
    divergence_is_placed(log, "batch_size=500", 1, 2);
    divergence_is_placed(log, "batch_size=1000000", 2, 1);
    pen_train_options old = PEN_TRAIN_OPTIONS_INIT; /* a caller from before there was a log: what follows is not read */
    pen_protocol p;
    pen_model *model;
    pen_protocol_init(&p);
    old.struct_size = offsetof(pen_train_options, log), old.log = "/nowhere/at/all", old.model = "popular";
    assert_int_equal(pen_model_train(log, &p, &old, &model, NULL), PEN_OK);
    pen_model_destroy(model);
    old.struct_size = sizeof old;
    assert_int_equal(pen_model_train(log, &p, &old, &model, NULL), PEN_E_IO);
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static void holds(const char *want)
{
    static char text[20000];
    FILE *f = fopen(log_path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    assert_string_equal(text, want);
}

/* Torn lines of any length are cut off, also where no line is whole. */
static void torn_lines(void **state)
{
    (void)state;
    watch w = {NULL, 0};
    pen_context *ctx = context(1, &w);
    static char torn[10001];
    memset(torn, 'x', sizeof torn - 1);
    for (int before = 0; before < 2; before++)
        for (size_t length = 0; length < sizeof torn; length = length * 9 + 1) {
            pen__append *a;
            FILE *f = fopen(log_path, "w");
            assert_non_null(f);
            fprintf(f, "%s%.*s", before ? "one\n" : "", (int)length, torn);
            fclose(f);
            assert_int_equal(pen__append_open(ctx, log_path, 1, &a, NULL), PEN_OK);
            holds(before ? "one\n" : "");
            assert_int_equal(pen__append_line(a, "two", 3, NULL), PEN_OK);
            holds(before ? "one\ntwo\n" : "two\n");
            pen__append_close(a);
            assert_int_equal(pen__append_open(ctx, log_path, 0, &a, NULL), PEN_OK);
            holds("");
            pen__append_close(a);
        }
    pen__append *a;
    pen_error error = {0};
    assert_int_equal(pen__append_open(ctx, "/tmp", 1, &a, &error), PEN_E_IO);
    assert_non_null(strstr(error.message, "/tmp"));
    assert_null(a);
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(norms_are_those_of_weights),
                                       cmocka_unit_test(clipped_steps_are_as_long_as_told),
                                       cmocka_unit_test(rates_of_steps),
                                       cmocka_unit_test(rates_follow_their_schedule),
                                       cmocka_unit_test(plateaus_halve_the_rate),
                                       cmocka_unit_test(resumed_runs_append),
                                       cmocka_unit_test(failures_are_said),
                                       cmocka_unit_test(torn_lines)};
    snprintf(log_path, sizeof log_path, "/tmp/penchant-train-log-%ld.jsonl", (long)getpid());
    snprintf(checkpoint_path, sizeof checkpoint_path, "/tmp/penchant-train-log-%ld.ckpt", (long)getpid());
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(log_path);
    unlink(checkpoint_path);
    return failed;
}
