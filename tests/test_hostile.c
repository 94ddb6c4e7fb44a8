/* Files from strangers: a sound data set with every kind of table, sound models and checkpoints of every model of the
 * registry, edited tensor by tensor and word by word, hashed anew. Each is refused with words, or opens and answers
 * everybody; none crashes. */
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

#include "data/dataset.h"
#include "penchant/penchant.h"
#include "rank/model.h"
#include "rank/rank.h"
#include "store/container.h"

enum edit {
    SAME,
    DROP,
    TWICE,
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
static const char *const edit_name[] = {
    "the same", "dropped", "with everything twice", "NaN",   "infinite",  "below", "beyond",
    "falls",    "shorter", "a size of 0",           "empty", "other type"};
static char log_path[64], items_path[64], users_path[64], sound_path[64], hostile_path[64];

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
    case TWICE: /* all strings of one length are the same */
        if (dtype != PEN_U8 || t->n < 2) return 0;
        memset(bytes, 'a', t->bytes);
        break;
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
        else if (dtype == PEN_I16)
            ((int16_t *)(void *)bytes)[last] = edit == BELOW ? -7 : INT16_MAX;
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
    if (edit == DROP)
        return !strcmp(name, "history.begin") || !strcmp(name, "state.batch.rows") || strstr(name, ".value");
    if (!strncmp(name, "items.", 6)) /* as in a data set: texts may be alike, numbers missing */
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

/* ---- data sets --------------------------------------------------------------------------------------------------- */

/* A log with values, times, event types, context of two kinds; tables of text, numbers, categories and a vector;
 * triples. */
static void write_dataset(pen_context *ctx)
{
    static const char *const context_columns[] = {"hour", "weight_kg"};
    static const struct {
        const char *name, *text;
    } files[] = {
        {"log.csv", "user,item,rating,timestamp,event,hour,weight_kg\nu1,i1,4,1000000000,view,3,1.5\nu2,i1,5,,buy,,"
                    "2\nu1,i2,3.5,1000000002,,4,\n"
                    "u3,i3,1,1000000003,view,3,0.25\nu2,i3,2,1000000004,buy,5,1\nu3,i2,5,1000000005,view,5,1\nu1,i3,3,"
                    "1000000009,buy,5,1\n"},
        {"items.tsv",
         "item\ttitle\tyear\tgenre\tmaker\ni1\tOne\t1990\tDrama|War\tA\ni2\tTwo\t2001\tDrama\tB\ni3\tThree\t\t\tA\n"},
        {"users.tsv", "user\tage\tcity\nu1\t31\tBonn\nu2\t\tUlm\nu3\t50\tBonn\n"},
        {"triples.kg", "head_id:token\trelation_id:token\ttail_id:token\ne1\tby\te2\ne3\tby\te2\n"},
        {"links.link", "item_id:token\tentity_id:token\ni1\te1\ni3\te3\n"},
    };
    char path[5][128];
    pen_read_options o = PEN_READ_OPTIONS_INIT;
    pen_error error = {0};
    pen_dataset *d;
    for (int i = 0; i < 5; i++) {
        snprintf(path[i], sizeof path[i], "%s.%s", log_path, files[i].name);
        FILE *f = fopen(path[i], "w");
        assert_non_null(f);
        fputs(files[i].text, f);
        fclose(f);
    }
    const char *paths[] = {path[0]};
    o.context_columns = context_columns, o.n_context_columns = 2;
    o.items_path = path[1], o.users_path = path[2], o.triples_path = path[3], o.links_path = path[4];
    if (pen_dataset_read(ctx, paths, 1, &o, &d, &error) != PEN_OK) fail_msg("%s", error.message);
    assert_true(d->item_table.n_columns == 4 && d->item_table.title == 0 && d->user_table.n_columns == 2 &&
                d->n_context == 2);
    assert_true(d->knowledge.n_triples == 2 && d->event && d->time && d->value);
    assert_int_equal(pen_dataset_save(d, sound_path, &error), PEN_OK);
    pen_dataset_destroy(d);
    for (int i = 0; i < 5; i++) unlink(path[i]);
}

/* All that reads columns: titles, doctor, filters, parts, a join by writing and reading, a model with its reasons. */
static void use_everything(pen_context *ctx, const pen_dataset *d)
{
    pen_protocol p;
    pen_report *report = NULL;
    pen_model *model = NULL;
    pen_error error = {0};
    char again[96];
    for (int32_t i = 0; i < pen_dataset_items(d); i++) (void)pen__dataset_title(d, i);
    pen_protocol_init(&p);
    p.split = "ratio:0.5,0.2,0.3";
    p.event_weight = "buy=3,view=1";
    if (pen_doctor(d, &p, &report, &error) == PEN_OK) pen_report_destroy(report);
    snprintf(again, sizeof again, "%s.again", sound_path);
    if (pen_dataset_save(d, again, &error) != PEN_OK) fail_msg("what was opened cannot be saved: %s", error.message);
    pen_dataset *other = NULL;
    if (pen_dataset_open(ctx, again, &other, &error) != PEN_OK)
        fail_msg("what was opened and saved does not open: %s", error.message);
    pen_dataset_destroy(other);
    unlink(again);
    pen_train_options o = PEN_TRAIN_OPTIONS_INIT;
    o.model = "item-knn";
    pen_protocol_init(&p);
    if (pen_model_train(d, &p, &o, &model, &error) == PEN_OK) {
        pen_query *query;
        pen_who who = PEN_WHO_INIT;
        pen_recommend_options r = PEN_RECOMMEND_OPTIONS_INIT;
        const pen_answer *answer;
        static const char *const filters[] = {"year > 1900", "genre = Drama or genre is missing", "maker in (A, B)",
                                              "title contains T", NULL};
        assert_int_equal(pen_query_create(model, &query, &error), PEN_OK);
        r.why = 1, r.render = PEN_RENDER_JSON, r.keep_seen = 1, r.diversity = 0.5;
        who.user = pen_model_user_id(model, 0);
        for (int i = 0; i < 5; i++) {
            r.where = filters[i];
            (void)pen_recommend(query, &who, &r, &answer, &error);
        }
        pen_query_destroy(query);
    }
    pen_model_destroy(model);
}

static int dataset_refused(pen_context *ctx, const char *what)
{
    pen_dataset *d;
    pen_error error = {0};
    pen_status status = pen_dataset_open(ctx, hostile_path, &d, &error);
    if (status == PEN_OK) {
        use_everything(ctx, d);
        pen_dataset_destroy(d);
        return 0;
    }
    if (status != PEN_E_FORMAT && status != PEN_E_UNSUPPORTED)
        fail_msg("%s: status %d: %s", what, status, error.message);
    if (strlen(error.message) < 20) fail_msg("%s: few words: %s", what, error.message);
    return 1;
}

/* What is sound although it was edited: columns that a log need not have, texts that happen to be alike. */
static int dataset_may_open(enum edit edit, const char *name)
{
    static const char *const optional[] = {"event.value", "event.time", "event.type"};
    if (edit == SAME) return 1;
    for (size_t i = 0; edit == DROP && i < sizeof optional / sizeof *optional; i++)
        if (!strcmp(name, optional[i])) return 1;
    if (edit == DROP) return 0;
    if (edit == TWICE)
        return strstr(name, ".words.") || strstr(name, "event_types") ||
               strstr(name, "relations");                             /* no two of one length */
    if (edit == NOT_A_NUMBER) return strstr(name, ".number") != NULL; /* missing */
    return (edit == BELOW || edit == BEYOND) && !strcmp(name, "event.time");
}

static void hostile_dataset_tensors(void **state)
{
    (void)state;
    pen_context *ctx = context();
    int n_refused = 0, n_opened = 0;
    write_dataset(ctx);
    for (size_t at = 0;; at++) {
        pen__container *c;
        char name[300], what[500];
        assert_int_equal(pen__container_open(ctx, sound_path, "dataset", 1, 0, &c, NULL), PEN_OK);
        size_t n = pen__container_n_tensors(c);
        snprintf(name, sizeof name, "%s", at < n ? pen__container_tensor_at(c, at)->name : "");
        pen__container_close(c);
        if (at >= n) break;
        for (enum edit edit = SAME; edit < N_EDITS; edit++) {
            if (!rewrite(ctx, "dataset", at, edit, NULL, NULL)) continue;
            snprintf(what, sizeof what, "tensor %s %s", name, edit_name[edit]);
            int no = dataset_refused(ctx, what);
            if (no && dataset_may_open(edit, name)) fail_msg("%s was refused", what);
            if (!no && !dataset_may_open(edit, name)) fail_msg("%s was opened", what);
            n_refused += no, n_opened += !no;
        }
    }
    assert_true(n_refused > 100 && n_opened > 30);
    pen_context_destroy(ctx);
}

#define COLUMN(name, type, width) "{\"name\": \"" name "\", \"type\": \"" type "\", \"width\": " #width "}"

static void hostile_dataset_metadata(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
        int may_open;
    } edits[] = {
        {"users", "0", 0},
        {"users", "4", 0},
        {"users", "2147483647", 0},
        {"users", "9223372036854775807", 0},
        {"users", "-1", 0},
        {"items", "1", 0},
        {"items", "many", 0},
        {"items", NULL, 0},
        {"events", "0", 0},
        {"events", "6", 0},
        {"events", "8", 0},
        {"events", "9223372036854775807", 0},
        {"events", "4611686018427387904", 0},
        {"events", "-3", 0},
        {"events", NULL, 0},
        {"triples", "1", 0},
        {"triples", "9223372036854775806", 0},
        {"triples", "-1", 0},
        {"triples", NULL, 0},
        {"content", "0123", 0},
        {"content", NULL, 0},
        {"content", "0123456789abcdef0", 0},
        {"notes", NULL, 0},
        {"notes", "not json", 1},
        {"notes", "[1]", 1},
        {"source", NULL, 0},
        {"item_table.title", "-2", 0},
        {"item_table.title", "4", 0},
        {"item_table.title", "99999999999", 0},
        {"item_table.title", NULL, 0},
        {"item_table.title", "-1", 1},
        {"item_table.title", "1", 1},
        {"item_table.title", "2", 1},
        {"item_table.title", "3", 1},
        {"user_table.title", "0", 1},
        {"user_table.title", "2", 0},
        {"item_table", "{}", 0},
        {"item_table", "[", 0},
        {"item_table", "[[]]", 0},
        {"item_table", "[7]", 0},
        {"item_table", "[{}]", 0},
        {"item_table", "[" COLUMN("title", "pictures", 0) "]", 0},
        {"item_table", "[" COLUMN("title", "text", -1) "]", 0},
        {"item_table", "[" COLUMN("title", "vector", 1000000) "]", 0},
        {"item_table", "[" COLUMN("title", "vector", 99999999999) "]", 0},
        {"item_table", "[" COLUMN("title", "category", 0) "]", 0},
        {"item_table", "[" COLUMN("title", "categories", 0) "]", 0},
        {"item_table", "[" COLUMN("title", "number", 0) "]", 0},
        {"item_table", "[]", 0},
        {"item_table", "[" COLUMN("title", "text", 0) "]", 1},
        {"item_table", NULL, 1},
        {"item_table",
         "[" COLUMN("x", "text", 0) ", " COLUMN("x", "number", 0) ", " COLUMN("x", "categories",
                                                                              0) ", " COLUMN("x", "category", 0) "]",
         1},
        {"item_table", "[" COLUMN("", "text", 0) ", " COLUMN("year", "number", 0) "]", 1},
        {"context", "[" COLUMN("hour", "number", 0) "]", 0},
        {"context", "[" COLUMN("hour", "text", 0) "]", 0},
        {"context", NULL, 1},
        {"user_table", "[" COLUMN("age", "vector", 0) "]", 0},
        {"user_table", "[" COLUMN("age", "vector", 1) "]", 0},
    };
    pen_context *ctx = context();
    write_dataset(ctx);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        char what[600];
        rewrite(ctx, "dataset", SIZE_MAX, SAME, edits[i].key, edits[i].value);
        snprintf(what, sizeof what, "metadata %s = %s", edits[i].key, edits[i].value ? edits[i].value : "(absent)");
        int no = dataset_refused(ctx, what);
        if (!no && !edits[i].may_open) fail_msg("%s was opened", what);
    }
    pen_context_destroy(ctx);
}

/* The header's own claims about places, which no writer of ours can make: overlaps, holes, lengths past the file. */
static void hostile_dataset_places(void **state)
{
    (void)state;
    static const char *const claims[] = {
        "[0,2]",           "[64,4611686018427387904]", "[9,1]", "[-64,0]", "[1,9]", "[0.5,9]",
        "[999999,999999]", "[18446744073709551615,1]"};
    pen_context *ctx = context();
    write_dataset(ctx);
    FILE *f = fopen(sound_path, "rb");
    static char whole[1 << 16], edited[1 << 16];
    assert_non_null(f);
    size_t size = fread(whole, 1, sizeof whole - 200, f);
    fclose(f);
    uint64_t length;
    memcpy(&length, whole, 8);
    int tried = 0;
    const char *end = whole + 8 + length;
    for (const char *at = whole + 8; (at = memmem(at, (size_t)(end - at), "data_offsets\":", 14)); at++)
        for (size_t k = 0; k < sizeof claims / sizeof *claims; k++) {
            const char *from = at + 14, *to = (const char *)memchr(from, ']', (size_t)(end - from)) + 1;
            if ((size_t)(to - from) == strlen(claims[k]) && !memcmp(from, claims[k], strlen(claims[k]))) continue;
            size_t before = (size_t)(from - whole), claim = strlen(claims[k]), after = size - (size_t)(to - whole);
            memcpy(edited, whole, before);
            memcpy(edited + before, claims[k], claim);
            memcpy(edited + before + claim, to, after);
            uint64_t now = length + claim - (uint64_t)(to - from);
            memcpy(edited, &now, 8);
            f = fopen(hostile_path, "wb");
            assert_non_null(f);
            assert_int_equal(fwrite(edited, 1, before + claim + after, f), before + claim + after);
            fclose(f);
            if (!dataset_refused(ctx, claims[k])) fail_msg("a tensor at %s was opened", claims[k]);
            tried++;
        }
    assert_true(tried > 100);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(seeds_open),
                                       cmocka_unit_test(hostile_dataset_tensors),
                                       cmocka_unit_test(hostile_dataset_metadata),
                                       cmocka_unit_test(hostile_dataset_places),
                                       cmocka_unit_test(hostile_models),
                                       cmocka_unit_test(hostile_checkpoints)};
    const char *folder =
        access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm"; /* thousands of files, each synced: in memory where it can be */
    snprintf(log_path, sizeof log_path, "%s/penchant-hostile-%ld.tsv", folder, (long)getpid());
    snprintf(items_path, sizeof items_path, "%s/penchant-hostile-%ld-items.tsv", folder, (long)getpid());
    snprintf(users_path, sizeof users_path, "%s/penchant-hostile-%ld-users.tsv", folder, (long)getpid());
    snprintf(sound_path, sizeof sound_path, "%s/penchant-hostile-%ld.pen", folder, (long)getpid());
    snprintf(hostile_path, sizeof hostile_path, "%s/penchant-hostile-%ld.bad", folder, (long)getpid());
    write_log();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(log_path), unlink(sound_path), unlink(hostile_path);
    unlink(items_path), unlink(users_path);
    return failed;
}
