/* Files from strangers: sound models and checkpoints of every model of the registry, edited tensor by tensor and word
 * by word, hashed anew. Each is refused with words, or opens and answers everybody; none crashes. */
#include "hostile_edit.h"

static char log_path[64], items_path[64], users_path[64];

static void write_log(void)
{
    FILE *f = fopen(log_path, "w");
    assert_non_null(f);
    for (int u = 0; u < 12; u++)
        for (int i = 0; i < 9; i++)
            if ((u * 5 + i * 3) % 4) fprintf(f, "u%d\ti%d\t%d\t%d\n", u, i, 1 + (u + i) % 5, 1000 + u * 10 + i);
    fclose(f);
    FILE *items = fopen(items_path, "w"), *users = fopen(users_path, "w"); /* the last of each has no event */
    assert_true(items && users);
    fprintf(items, "item\tkind\tsize\ttags\n");
    for (int i = 0; i < 10; i++) fprintf(items, "i%d\t%s\t%d\ta|%s\n", i, i % 3 ? "x" : "y", i, i % 2 ? "b" : "c");
    fprintf(users, "user\tage\tcity\n");
    for (int u = 0; u < 13; u++) fprintf(users, "u%d\t%d\t%s\n", u, 20 + u, u % 4 ? "Ulm" : "");
    fclose(items), fclose(users);
}

static int stop_at, reports;   /* cancels at that report; 0: never */
static const char *stop_stage; /* of that stage; NULL: of any */
static int on_progress(void *user, const pen_progress *p)
{
    (void)user;
    return stop_at && (!stop_stage || !strcmp(p->stage, stop_stage)) && ++reports >= stop_at;
}

static pen_context *context(void) { return context_with(on_progress); }

static pen_dataset *read_log(pen_context *ctx)
{
    pen_read_options o = PEN_READ_OPTIONS_INIT;
    const char *paths[] = {log_path};
    pen_dataset *d;
    o.items_path = items_path, o.users_path = users_path;
    assert_int_equal(pen_dataset_read(ctx, paths, 1, &o, &d, NULL), PEN_OK);
    return d;
}

/* `more`: one parameter besides, or NULL. */
static pen_status train(const pen__model_class *class, int task, const char *more, const pen_dataset *log,
                        const char *checkpoint, int resume, pen_model **model, pen_error *error)
{
    static const char *const quick[] = {"epochs=6", "factors=4"};
    pen_protocol p;
    pen_train_options o = PEN_TRAIN_OPTIONS_INIT;
    const char *params[3];
    size_t n = 0;
    pen_protocol_init(&p);
    p.task = task;
    if (pen__params_has(class, "epochs")) params[n++] = quick[0];
    if (pen__params_has(class, "factors")) params[n++] = quick[1];
    if (more) params[n++] = more;
    o.model = class->name, o.params = params, o.n_params = n;
    o.checkpoint = checkpoint, o.checkpoint_seconds = 0, o.resume = resume;
    return pen_model_train(log, &p, &o, model, error);
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
    if (edit == DROP)
        return !strcmp(name, "history.begin") || !strcmp(name, "state.batch.rows") || strstr(name, ".value") ||
               !strcmp(name, "state.mlp.item.layer"); /* products are multiplied where they are not kept */
    if (!strncmp(name, "items.", 6))                  /* as in a data set: texts may be alike, numbers missing */
        return (edit == TWICE && strstr(name, ".words.")) || (edit == NOT_A_NUMBER && strstr(name, ".number"));
    return (edit == SHORTER || edit == EMPTY) && strstr(name, "ids.bytes") != NULL;
}

static void edit_all_tensors(pen_context *ctx, const pen__model_class *class, const char *more)
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
            snprintf(what, sizeof what, "%s %s: tensor %s %s", class->name, more ? more : "", name, edit_name[edit]);
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

/* The next value of a choice or of a truth other than its default, as an assignment; 0: there are no more. */
static int next_variant(const pen__model_class *class, size_t *param, int *choice, char *out, size_t room)
{
    for (; *param < class->n_params; ++*param, *choice = 0) {
        const pen_param *p = &class->params[*param];
        const char *word = p->type == PEN_PARAM_CHOICE ? p->choices : "";
        if (p->type == PEN_PARAM_BOOL && *choice == 0) {
            snprintf(out, room, "%s=%s", p->name, p->standard[0] == '0' ? "yes" : "no");
            return ++*choice;
        }
        for (int k = 0; k < *choice && word; k++) word = (word = strchr(word, '|')) ? word + 1 : NULL;
        for (; word && *word; word = (word = strchr(word, '|')) ? word + 1 : NULL) {
            size_t length = strcspn(word, "|");
            ++*choice;
            if (length == strlen(p->standard) && !strncmp(word, p->standard, length)) continue;
            snprintf(out, room, "%s=%.*s", p->name, (int)length, word);
            return 1;
        }
    }
    return 0;
}

/* The names, types and shapes of a model's tensors as one number. */
static uint64_t shape_of(const pen_model *model)
{
    uint64_t hash = 14695981039346656037u;
    for (int32_t i = 0; i < model->n_tensors; i++) {
        const pen__state_tensor *t = &model->tensor[i];
        char text[200];
        if (t->role != PEN_ROLE_PARAM) continue;
        snprintf(text, sizeof text, "%s %d %d %lld %lld;", t->name, t->dtype, t->n_dims, (long long)t->dim[0],
                 (long long)(t->n_dims > 1 ? t->dim[1] : 0));
        for (const char *at = text; *at; at++) hash = (hash ^ (uint64_t)(unsigned char)*at) * 1099511628211u;
    }
    return hash;
}

/* Every model as it is by default, then with each other value of its choices that means other tensors. */
static void hostile_models(void **state)
{
    (void)state;
    const pen__model_class *const *all;
    size_t n = pen__model_classes(&all);
    pen_context *ctx = context();
    pen_dataset *log = read_log(ctx);
    int n_variants = 0;
    for (size_t i = 0; i < n; i++)
        for (int task = PEN_TASK_RANK; task <= PEN_TASK_RATE; task++) {
            size_t param = 0;
            int choice = 0;
            char variant[128], *more = NULL;
            uint64_t walked[64], shape; /* of the variants so far */
            size_t n_walked = 0, k;
            if (!(all[i]->tasks >> task & 1)) continue;
            do {
                pen_model *model;
                pen_error error = {0};
                pen_status status = train(all[i], task, more, log, NULL, 0, &model, &error);
                if (more && (status == PEN_E_ARGUMENT || status == PEN_E_UNSUPPORTED)) continue; /* not for this task */
                if (status != PEN_OK) fail_msg("%s %s: %s", all[i]->name, more ? more : "", error.message);
                assert_int_equal(pen_model_save(model, sound_path, &error), PEN_OK);
                shape = shape_of(model);
                pen_model_destroy(model);
                for (k = 0; k < n_walked && walked[k] != shape; k++) {
                }
                n_variants += more != NULL;
                if (k < n_walked || n_walked == 64) { /* nothing new to edit: it opens, that is all */
                    rewrite(ctx, "model", SIZE_MAX, SAME, NULL, NULL);
                    if (refused(ctx, more)) fail_msg("%s %s was refused", all[i]->name, more);
                    continue;
                }
                walked[n_walked++] = shape;
                edit_all_tensors(ctx, all[i], more);
                if (!more) edit_metadata(ctx, all[i], task);
            } while (more = variant, next_variant(all[i], &param, &choice, variant, sizeof variant));
        }
    assert_true(n_variants > 15);
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

/* The corpus of fuzz_pen begins with a sound model of each kind: fuzz/seed.sh makes that of a new one. One that does
 * not open any more is a defect: files of older versions must. */
static void seeds_open(void **state)
{
    (void)state;
    const pen__model_class *const *all;
    size_t n = pen__model_classes(&all);
    pen_context *ctx = context();
    int opened = 0;
    for (size_t i = 0; i < n; i++) {
        char path[200];
        pen_model *model;
        pen_error error = {0};
        snprintf(path, sizeof path, "fuzz/corpus/pen/%s", all[i]->name);
        if (access(path, R_OK)) {
            print_message("there is no %s yet: run fuzz/seed.sh\n", path);
            continue;
        }
        if (pen_model_open(ctx, path, &model, &error) != PEN_OK) fail_msg("%s", error.message);
        assert_ptr_equal(model->class, all[i]);
        ask_everything(model);
        pen_model_destroy(model);
        opened++;
    }
    assert_true(opened >= 9);
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
    pen_status status = train(class, task, NULL, log, hostile_path, 1, &model, &error);
    pen_model_destroy(model);
    if (must && status == PEN_OK) fail_msg("%s: %s was taken", class->name, what);
    if (status != PEN_OK && strlen(error.message) < 20)
        fail_msg("%s: %s: few words: %s", class->name, what, error.message);
}

/* Checkpoints of the first phase, or of the refit. */
static void hostile_checkpoints_of(const char *stage)
{
    const pen__model_class *const *all;
    size_t n = pen__model_classes(&all);
    int tried = 0, refit = stage && !strcmp(stage, "refit"), n_before = 0;
    for (size_t i = 0; i < n; i++) {
        if (!all[i]->epoch) continue;
        int task = all[i]->tasks >> PEN_TASK_RANK & 1 ? PEN_TASK_RANK : PEN_TASK_RATE;
        pen_context *ctx = context();
        pen_dataset *log = read_log(ctx);
        pen_model *model = NULL;
        unlink(sound_path);
        stop_at = refit ? 1 : 4, reports = 0, stop_stage = stage;
        pen_status status = train(all[i], task, NULL, log, sound_path, 0, &model, NULL);
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
                resume_refused(ctx, all[i], task, log, !strncmp(name, "last.", 5) || !strncmp(name, "before.", 7),
                               what);
                n_before += !strncmp(name, "before.", 7);
                tried++;
            }
        }
        static const char *const bad[][2] = {{"epoch", "-1"},
                                             {"epoch", "99999999999"},
                                             {"best_epoch", "2000000000"},
                                             {"loss", "many"},
                                             {"identity", "another"},
                                             {"data_hash", "1"},
                                             {"phase", "x"},
                                             {"halvings", "3 2"},
                                             {"halvings", "x"},
                                             {"halvings", "0"},
                                             {"halvings", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"}};
        for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
            rewrite(ctx, "checkpoint", SIZE_MAX, SAME, bad[k][0], bad[k][1]);
            resume_refused(ctx, all[i], task, log, 1, bad[k][0]);
        }
        pen_dataset_destroy(log);
        pen_context_destroy(ctx);
    }
    assert_true(tried > 20 && (n_before > 20) == refit);
}

static void hostile_checkpoints(void **state)
{
    (void)state;
    hostile_checkpoints_of(NULL);
    hostile_checkpoints_of("refit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(seeds_open), cmocka_unit_test(hostile_models),
                                       cmocka_unit_test(hostile_checkpoints)};
    char stem[64];
    name_files(stem, sizeof stem);
    snprintf(log_path, sizeof log_path, "%.50s.tsv", stem);
    snprintf(items_path, sizeof items_path, "%.50s-items.tsv", stem);
    snprintf(users_path, sizeof users_path, "%.50s-users.tsv", stem);
    write_log();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(log_path), unlink(sound_path), unlink(hostile_path);
    unlink(items_path), unlink(users_path);
    return failed;
}
