/* Files from strangers: sound models and checkpoints of every model of the registry, edited tensor by tensor and word
 * by word, hashed anew. Each is refused with words, or opens and answers everybody; none crashes. */
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
#include "rank/model.h"
#include "rank/rank.h"
#include "store/container.h"

enum edit {
    SAME,
    DROP,
    NOT_A_NUMBER,
    INFINITE,
    BELOW,
    BEYOND,
    FALLS,
    SHORTER,
    NO_ELEMENTS,
    EMPTY,
    OTHER_TYPE,
    N_EDITS
};
static const char *const edit_name[] = {"the same", "dropped", "NaN",         "infinite", "below",     "beyond",
                                        "falls",    "shorter", "a size of 0", "empty",    "other type"};
static char log_path[64], sound_path[64], hostile_path[64];

static void write_log(void)
{
    FILE *f = fopen(log_path, "w");
    assert_non_null(f);
    for (int u = 0; u < 12; u++)
        for (int i = 0; i < 9; i++)
            if ((u * 5 + i * 3) % 4) fprintf(f, "u%d\ti%d\t%d\t%d\n", u, i, 1 + (u + i) % 5, 1000 + u * 10 + i);
    fclose(f);
}

static int stop_at, reports;
static int on_progress(void *user, const pen_progress *p)
{
    (void)user, (void)p;
    return stop_at && ++reports >= stop_at;
}

static pen_context *context(void)
{
    pen_context_options o = PEN_CONTEXT_OPTIONS_INIT;
    pen_context *ctx;
    o.n_threads = 2;
    o.progress = on_progress;
    assert_int_equal(pen_context_create(&o, &ctx, NULL), PEN_OK);
    return ctx;
}

static pen_dataset *read_log(pen_context *ctx)
{
    pen_read_options o = PEN_READ_OPTIONS_INIT;
    const char *paths[] = {log_path};
    pen_dataset *d;
    assert_int_equal(pen_dataset_read(ctx, paths, 1, &o, &d, NULL), PEN_OK);
    return d;
}

static pen_status train(const pen__model_class *class, int task, const pen_dataset *log, const char *checkpoint,
                        int resume, pen_model **model, pen_error *error)
{
    static const char *const quick[] = {"epochs=6", "factors=4"};
    pen_protocol p;
    pen_train_options o = PEN_TRAIN_OPTIONS_INIT;
    const char *params[2];
    size_t n = 0;
    pen_protocol_init(&p);
    p.task = task;
    if (pen__params_has(class, "epochs")) params[n++] = quick[0];
    if (pen__params_has(class, "factors")) params[n++] = quick[1];
    o.model = class->name, o.params = params, o.n_params = n;
    o.checkpoint = checkpoint, o.checkpoint_seconds = 0, o.resume = resume;
    return pen_model_train(log, &p, &o, model, error);
}

/* ---- editing ----------------------------------------------------------------------------------------------------- */

/* Puts a tensor as `edit` makes it; 0 where the edit has no meaning for it. *made is freed after the commit. */
static int put_edited(pen__container_writer *w, const pen__stored *t, enum edit edit, void **made)
{
    int64_t shape[PEN__MAX_DIMS] = {0};
    int n_dims = t->n_dims;
    pen__dtype dtype = t->dtype;
    memcpy(shape, t->shape, sizeof(int64_t) * (size_t)n_dims);
    char *bytes = *made = malloc(t->bytes + 64);
    assert_non_null(bytes);
    memcpy(bytes, t->data, t->bytes);
    int64_t last = t->n - 1;
    switch (edit) {
    case DROP: return 1;
    case NOT_A_NUMBER:
    case INFINITE:
        if (dtype != PEN_F32 || t->n < 1) return 0;
        ((float *)(void *)bytes)[last] = edit == INFINITE ? INFINITY : NAN;
        break;
    case BELOW:
    case BEYOND:
        if (t->n < 1) return 0;
        if (dtype == PEN_I32)
            ((int32_t *)(void *)bytes)[last] = edit == BELOW ? -7 : 1 << 30;
        else if (dtype == PEN_I64)
            ((int64_t *)(void *)bytes)[last] = edit == BELOW ? -7 : INT64_C(1) << 50;
        else
            return 0;
        break;
    case FALLS:
        if (dtype != PEN_I64 || t->n < 3 || (!strstr(t->name, "begin") && !strstr(t->name, "offsets"))) return 0;
        ((int64_t *)(void *)bytes)[1] = ((int64_t *)(void *)bytes)[last] + 1;
        break;
    case SHORTER:
        if (n_dims < 1 || shape[0] < 1) return 0;
        shape[0]--;
        break;
    case NO_ELEMENTS:
        if (n_dims >= 3) return 0;
        shape[n_dims++] = 0;
        break;
    case EMPTY:
        if (n_dims < 1 || shape[0] < 1) return 0;
        shape[0] = 0;
        break;
    case OTHER_TYPE: dtype = dtype == PEN_I16 ? PEN_U8 : PEN_I16; break;
    default: break;
    }
    if (dtype != t->dtype) memset(bytes, 0, t->bytes);
    if (dtype == PEN_I16 && t->dtype == PEN_U8)
        *made = bytes = realloc(bytes, 2 * t->bytes + 64), memset(bytes, 0, 2 * t->bytes);
    pen__container_put(w, t->name, dtype, n_dims, shape, bytes);
    return 1;
}

/* Writes sound_path anew with tensor `at` edited, and metadata `key` (or NULL) as `value`. 0: no such edit. */
static int rewrite(pen_context *ctx, const char *kind, size_t at, enum edit edit, const char *key, const char *value)
{
    static const char *const own[] = {"hash", "format", "container", "kind", "version", "writer"};
    pen__container *c;
    pen__container_writer *w;
    void *made = NULL;
    int meant = 1;
    assert_int_equal(pen__container_open(ctx, sound_path, kind, 1, 0, &c, NULL), PEN_OK);
    assert_int_equal(pen__container_begin(ctx, hostile_path, kind, 1, &w, NULL), PEN_OK);
    for (size_t i = 0; i < pen__container_n_meta(c); i++) {
        const char *name, *text;
        int skip = 0;
        pen__container_meta_at(c, i, &name, &text);
        for (size_t k = 0; k < sizeof own / sizeof *own; k++) skip |= !strcmp(name, own[k]);
        if (key && !strcmp(name, key)) text = value;
        if (!skip && text) pen__container_put_meta(w, name, text);
    }
    for (size_t i = 0; i < pen__container_n_tensors(c); i++) {
        const pen__stored *t = pen__container_tensor_at(c, i);
        if (i == at)
            meant = put_edited(w, t, edit, &made);
        else
            pen__container_put(w, t->name, t->dtype, t->n_dims, t->shape, t->data);
    }
    if (meant)
        assert_int_equal(pen__container_commit(w, NULL), PEN_OK);
    else
        pen__container_abort(w);
    pen__container_close(c);
    free(made);
    return meant;
}

/* ---- models ------------------------------------------------------------------------------------------------------ */

static int count_answer(void *user, const pen_answer *answer)
{
    *(int *)user += answer->n >= 0;
    return 0;
}

static void ask_everything(const pen_model *model)
{
    pen_query *query;
    pen_who who = PEN_WHO_INIT;
    pen_recommend_options o = PEN_RECOMMEND_OPTIONS_INIT;
    const pen_answer *answer;
    const pen_explanation *explanation;
    pen_string history[3] = {pen_string_of("i1"), pen_string_of("i2"), pen_string_of("i1")};
    int answered = 0;
    assert_int_equal(pen_query_create(model, &query, NULL), PEN_OK);
    o.why = 1;
    (void)pen_recommend_all(query, &o, count_answer, &answered, NULL);
    (void)pen_similar(query, pen_string_of("i1"), &o, &answer, NULL);
    (void)pen_explain(query, &who, pen_string_of("i3"), &explanation, NULL);
    who.history = history, who.n_history = 3;
    (void)pen_recommend(query, &who, &o, &answer, NULL);
    (void)pen_explain(query, &who, pen_string_of("i3"), &explanation, NULL);
    pen_query_destroy(query);
}

/* Whether the hostile file was refused, which takes words. */
static int refused(pen_context *ctx, const char *what)
{
    pen_model *model;
    pen_error error = {0};
    pen_status status = pen_model_open(ctx, hostile_path, &model, &error);
    if (status == PEN_OK) {
        ask_everything(model);
        pen_model_destroy(model);
        return 0;
    }
    if (status != PEN_E_FORMAT && status != PEN_E_UNSUPPORTED)
        fail_msg("%s: status %d: %s", what, status, error.message);
    if (strlen(error.message) < 20) fail_msg("%s: few words: %s", what, error.message);
    return 1;
}

/* What a model can do without: opening such a file is right, as long as everybody is answered. */
static int may_open(enum edit edit, const char *name)
{
    if (edit == SAME) return 1;
    if (edit == DROP) return !strcmp(name, "history.begin") || strstr(name, ".value");
    return (edit == SHORTER || edit == EMPTY) && strstr(name, "ids.bytes") != NULL;
}

static void edit_all_tensors(pen_context *ctx, const pen__model_class *class)
{
    pen__container *c;
    char name[300], what[500];
    int made = 0;
    for (size_t at = 0;; at++) {
        assert_int_equal(pen__container_open(ctx, sound_path, "model", 1, 0, &c, NULL), PEN_OK);
        size_t n = pen__container_n_tensors(c);
        snprintf(name, sizeof name, "%s", at < n ? pen__container_tensor_at(c, at)->name : "");
        int has_history = pen__container_find(c, "history.begin") != NULL;
        pen__container_close(c);
        if (at >= n) break;
        for (enum edit edit = SAME; edit < N_EDITS; edit++) {
            if (!rewrite(ctx, "model", at, edit, NULL, NULL)) continue;
            snprintf(what, sizeof what, "%s: tensor %s %s", class->name, name, edit_name[edit]);
            int no = refused(ctx, what);
            made++;
            if (edit == SAME && no) fail_msg("%s was refused", what);
            if (!no && !may_open(edit, name) && has_history) {
                if (edit == BEYOND && !strcmp(name, "item.events")) continue; /* a count may be large */
                fail_msg("%s was opened", what);
            }
        }
    }
    assert_true(made > 20);
}

static void edit_metadata(pen_context *ctx, const pen__model_class *class, int task)
{
    const struct {
        const char *key, *value;
        int may_open;
    } edits[] = {
        {"model", "no-such-model", 0},
        {"model", NULL, 0},
        {"task", "guess", 0},
        {"task", NULL, 0},
        {"params", "[1]", 0},
        {"params", "{\"factors\": -3}", 0},
        {"params", "{", 0},
        {"params", NULL, 0},
        {"params", "{\"no_such\": 1}", 0},
        {"mean", "nan", 0},
        {"mean", "1e300", 0},
        {"least", "1e30", 0},
        {"most", "inf", 0},
        {"seed", "many", 0},
        {"about", NULL, 0},
        {"params", "{}", 1},
        {"about", "not json", 1},
        {"task", task == PEN_TASK_RATE ? "rank" : "rate", 1},
    };
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        char what[200];
        rewrite(ctx, "model", SIZE_MAX, SAME, edits[i].key, edits[i].value);
        snprintf(what, sizeof what, "%s: metadata %s = %s", class->name, edits[i].key,
                 edits[i].value ? edits[i].value : "(absent)");
        if (!refused(ctx, what) && !edits[i].may_open) fail_msg("%s was opened", what);
    }
    const pen__model_class *const *all; /* another model's name over these tensors */
    size_t n = pen__model_classes(&all);
    for (size_t i = 0; i < n; i++) {
        rewrite(ctx, "model", SIZE_MAX, SAME, "model", all[i]->name);
        (void)refused(ctx, all[i]->name);
    }
}

static void hostile_models(void **state)
{
    (void)state;
    const pen__model_class *const *all;
    size_t n = pen__model_classes(&all);
    pen_context *ctx = context();
    pen_dataset *log = read_log(ctx);
    for (size_t i = 0; i < n; i++)
        for (int task = PEN_TASK_RANK; task <= PEN_TASK_RATE; task++) {
            pen_model *model;
            pen_error error = {0};
            if (!(all[i]->tasks >> task & 1)) continue;
            if (train(all[i], task, log, NULL, 0, &model, &error) != PEN_OK)
                fail_msg("%s: %s", all[i]->name, error.message);
            assert_int_equal(pen_model_save(model, sound_path, &error), PEN_OK);
            pen_model_destroy(model);
            edit_all_tensors(ctx, all[i]);
            edit_metadata(ctx, all[i], task);
        }
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

/* The corpus of fuzz_pen begins with a sound model of each kind. Where one does not open any more, either files of an
 * older version do not (a defect), or fuzz/seed_pen.sh is to be run again. */
static void seeds_open(void **state)
{
    (void)state;
    const pen__model_class *const *all;
    size_t n = pen__model_classes(&all);
    pen_context *ctx = context();
    for (size_t i = 0; i < n; i++) {
        char path[200];
        pen_model *model;
        pen_error error = {0};
        snprintf(path, sizeof path, "fuzz/corpus/pen/%s", all[i]->name);
        if (pen_model_open(ctx, path, &model, &error) != PEN_OK) fail_msg("%s", error.message);
        assert_ptr_equal(model->class, all[i]);
        ask_everything(model);
        pen_model_destroy(model);
    }
    pen_context_destroy(ctx);
}

/* ---- checkpoints ------------------------------------------------------------------------------------------------- */

/* Resumes from the hostile file; must not crash, and must refuse where told so. */
static void resume_refused(pen_context *ctx, const pen__model_class *class, int task, const pen_dataset *log, int must,
                           const char *what)
{
    (void)ctx;
    pen_model *model = NULL;
    pen_error error = {0};
    pen_status status = train(class, task, log, hostile_path, 1, &model, &error);
    pen_model_destroy(model);
    if (must && status == PEN_OK) fail_msg("%s: %s was taken", class->name, what);
    if (status != PEN_OK && strlen(error.message) < 20)
        fail_msg("%s: %s: few words: %s", class->name, what, error.message);
}

static void hostile_checkpoints(void **state)
{
    (void)state;
    const pen__model_class *const *all;
    size_t n = pen__model_classes(&all);
    int tried = 0;
    for (size_t i = 0; i < n; i++) {
        if (!all[i]->epoch) continue;
        int task = all[i]->tasks >> PEN_TASK_RANK & 1 ? PEN_TASK_RANK : PEN_TASK_RATE;
        pen_context *ctx = context();
        pen_dataset *log = read_log(ctx);
        pen_model *model = NULL;
        unlink(sound_path);
        stop_at = 4, reports = 0;
        pen_status status = train(all[i], task, log, sound_path, 0, &model, NULL);
        stop_at = 0;
        pen_model_destroy(model);
        pen_dataset_destroy(log);
        pen_context_destroy(ctx);
        if (status != PEN_E_CANCELLED || access(sound_path, R_OK)) continue;
        ctx = context();
        log = read_log(ctx);
        for (size_t at = 0;; at++) {
            pen__container *c;
            char name[300], what[400];
            assert_int_equal(pen__container_open(ctx, sound_path, "checkpoint", 1, 0, &c, NULL), PEN_OK);
            size_t n_tensors = pen__container_n_tensors(c);
            snprintf(name, sizeof name, "%s", at < n_tensors ? pen__container_tensor_at(c, at)->name : "");
            pen__container_close(c);
            if (at >= n_tensors) break;
            for (enum edit edit = DROP; edit < N_EDITS; edit++) {
                if (!rewrite(ctx, "checkpoint", at, edit, NULL, NULL)) continue;
                snprintf(what, sizeof what, "checkpoint with %s %s", name, edit_name[edit]);
                resume_refused(ctx, all[i], task, log, !strncmp(name, "last.", 5), what);
                tried++;
            }
        }
        static const char *const bad[][2] = {{"epoch", "-1"},  {"epoch", "99999999999"}, {"best_epoch", "2000000000"},
                                             {"loss", "many"}, {"identity", "another"},  {"data_hash", "1"},
                                             {"phase", "x"}};
        for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
            rewrite(ctx, "checkpoint", SIZE_MAX, SAME, bad[k][0], bad[k][1]);
            resume_refused(ctx, all[i], task, log, 1, bad[k][0]);
        }
        pen_dataset_destroy(log);
        pen_context_destroy(ctx);
    }
    assert_true(tried > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(seeds_open), cmocka_unit_test(hostile_models),
                                       cmocka_unit_test(hostile_checkpoints)};
    snprintf(log_path, sizeof log_path, "/tmp/penchant-hostile-%ld.tsv", (long)getpid());
    snprintf(sound_path, sizeof sound_path, "/tmp/penchant-hostile-%ld.pen", (long)getpid());
    snprintf(hostile_path, sizeof hostile_path, "/tmp/penchant-hostile-%ld.bad", (long)getpid());
    write_log();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(log_path), unlink(sound_path), unlink(hostile_path);
    return failed;
}
