/* Data sets from strangers: a sound one with every kind of table, edited tensor by tensor and word by word, hashed
 * anew. Each is refused with words, or opens and serves for everything; none crashes. */
#include "hostile_edit.h"

static char stem[64];

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
        snprintf(path[i], sizeof path[i], "%s.%s", stem, files[i].name);
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
    pen_context *ctx = context_with(NULL);
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
    pen_context *ctx = context_with(NULL);
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
    pen_context *ctx = context_with(NULL);
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hostile_dataset_tensors),
                                       cmocka_unit_test(hostile_dataset_metadata),
                                       cmocka_unit_test(hostile_dataset_places)};
    name_files(stem, sizeof stem);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(sound_path), unlink(hostile_path);
    return failed;
}
