/* What a training refuses under a limit of memory it refuses before its first epoch: also what the fitted model is kept
 * with, and its refit. */
#include "log_fixture.h"

#include "penchant/model.h"
#include "rank/catalogue.h"

enum { USERS = 400, ITEMS = 600, EVENTS = 3000, MANY = 8000 };

static int64_t reports; /* of epochs */
static bool stop_refit; /* after its first epoch */

static int on_progress(void *user, const pen_progress *p)
{
    (void)user;
    bool epoch = p->epoch > 0 && p->done > 0;
    reports += epoch;
    return stop_refit && epoch && !strcmp(p->stage, "refit") && isfinite(p->loss);
}

enum { TYPES = 5, WORDS = 100 };

/* A column of n rows: ten bytes of text in each, or three numbers, or one or two of WORDS words. */
static pen__column column_of(pen_context *ctx, int type, int64_t n)
{
    pen_error *error = NULL;
    int32_t *code = NULL;
    int64_t *begin = NULL;
    float *number = NULL;
    pen__column c = {.name = pen__strndup(ctx, "name", 4), .type = type, .width = 3, .rows = n, .words = {.ctx = ctx}};
    if (type == PEN_COLUMN_NUMBER || type == PEN_COLUMN_VECTOR) {
        assert_int_equal(PEN_NEW_ZERO(ctx, number, 3 * n), PEN_OK);
        c.number = number;
        return c;
    }
    for (int64_t i = 0; i < (type == PEN_COLUMN_TEXT ? n : WORDS); i++)
        assert_int_equal(pen__strings_append(&c.words, pen__span_of("some words"), NULL), PEN_OK);
    if (type == PEN_COLUMN_TEXT) return c;
    assert_int_equal(PEN_NEW_ZERO(ctx, code, 2 * n) | PEN_NEW(ctx, begin, n + 1), PEN_OK);
    for (int64_t i = 0; i <= n; i++) begin[i] = 2 * i;
    c.code = code, c.begin = begin;
    return c;
}

/* Users with ids of so many bytes (0: short ones); type: of the only column of the items' table, or -1 for none. */
static pen_dataset *log_of(pen_context *ctx, int64_t n_events, int n_items, int id_bytes, int type)
{
    row *rows = random_rows(n_events, USERS, n_items, 3);
    pen_dataset *d = dataset_of(ctx, rows, n_events, 0);
    int64_t n_users = d->users.n;
    pen__column *column;
    pen_error *error = NULL;
    free(rows);
    if (id_bytes) pen__strings_free(&d->users);
    for (int64_t u = 0; id_bytes && u < n_users; u++) {
        char id[4096];
        int32_t number;
        snprintf(id, sizeof id, "%0*lld", id_bytes, (long long)u);
        assert_int_equal(pen__strings_add(&d->users, pen__span_of(id), &number, NULL), PEN_OK);
    }
    if (type < 0) return d;
    assert_int_equal(PEN_NEW_ZERO(ctx, column, 1), PEN_OK);
    *column = column_of(ctx, type, d->items.n);
    d->item_table = (pen__table){.rows = d->items.n, .n_columns = 1, .title = 0, .column = column};
    return d;
}

enum { RATED, ALL_LIKED, SOME_LIKED, KINDS };

/* One way to keep a model. What is said beforehand of it leaves out the struct and the column's name (not 512 bytes),
 * and has up to half the bytes and offsets of the column's words too many, for arrays that grow; everything else in it
 * is larger than that. */
static void measure(pen_context *ctx, int type, int kind, bool with_history)
{
    enum { LESS = 512, MORE = (WORDS * 10 + (WORDS + 1) * 8) / 2 };
    pen_dataset *d = log_of(ctx, EVENTS, 1500, 0, type);
    pen__log log = {0};
    pen__train train = {0};
    pen_protocol p;
    struct pen__catalogue *catalogue;
    pen_protocol_init(&p);
    p.task = kind == RATED ? PEN_TASK_RATE : PEN_TASK_RANK;
    if (kind == SOME_LIKED) p.positive = 3; /* the others are only seen */
    assert_int_equal(pen__log_build(d, &p, &log, NULL), PEN_OK);
    assert_int_equal(pen__train_build(&log, NULL, 1, p.task, &train, NULL), PEN_OK);
    assert_true(train.n_items > 800);
    uint64_t held = pen_context_memory(ctx);
    assert_int_equal(pen__catalogue_build(&train, with_history, &catalogue, NULL), PEN_OK);
    int64_t holds = (int64_t)(pen_context_memory(ctx) - held),
            said = (int64_t)pen__catalogue_bytes(&train, with_history);
    if (said < holds - LESS || said > holds + MORE)
        fail_msg("type %d, kind %d%s: %lld bytes, not %lld", type, kind, with_history ? ", history" : "",
                 (long long)said, (long long)holds);
    pen__catalogue_free(catalogue);
    assert_int_equal(pen_context_memory(ctx), held);
    pen__train_free(&train);
    pen__log_free(&log);
    pen_dataset_destroy(d);
}

/* The size that is said beforehand is what then is held. */
static void catalogues_are_measured(void **state)
{
    (void)state;
    static const int TYPE[TYPES + 1] = {
        -1, PEN_COLUMN_TEXT, PEN_COLUMN_NUMBER, PEN_COLUMN_VECTOR, PEN_COLUMN_CATEGORY, PEN_COLUMN_CATEGORIES};
    pen_context *ctx = context_of(1);
    for (int t = 0; t <= TYPES; t++)
        for (int form = 0; form < 2 * KINDS; form++) measure(ctx, TYPE[t], form / 2, form & 1);
    pen_context_destroy(ctx);
}

/* A training (factors NULL: two), what is expected of it, and words of its error or NULL. */
typedef struct trial {
    const char *model, *split, *factors, *checkpoint;
    int64_t n_events;
    int id_bytes;
    bool fit_once, no_history, resume;
    pen_status want;
    const char *words;
} trial;

/* Trains within `limit` (0: none); returns the most that was held. */
static uint64_t train(const trial *t, uint64_t limit)
{
    const char *params[] = {"epochs=2", t->factors ? t->factors : "factors=2"};
    pen_context_options c = PEN_CONTEXT_OPTIONS_INIT;
    pen_train_options o = PEN_TRAIN_OPTIONS_INIT;
    pen_context *ctx;
    pen_model *made;
    pen_protocol p;
    pen_error error = {0};
    c.n_threads = 1, c.memory_limit = limit, c.progress = on_progress;
    assert_int_equal(pen_context_create(&c, &ctx, NULL), PEN_OK);
    pen_dataset *log = log_of(ctx, t->n_events, ITEMS, t->id_bytes, -1);
    pen_protocol_init(&p);
    p.split = t->split, p.refit = !t->fit_once;
    o.model = t->model, o.params = params, o.n_params = 2, o.no_history = t->no_history;
    o.checkpoint = t->checkpoint, o.resume = t->resume;
    o.checkpoint_seconds = t->resume ? 3600 : 0; /* writing takes 1 MB for a moment */
    reports = 0;
    pen_status status = pen_model_train(log, &p, &o, &made, &error);
    if (status != t->want || (t->words && !strstr(error.message, t->words)))
        fail_msg("%s, %s, %llu bytes: %d, %s", t->model, t->split, (unsigned long long)limit, status, error.message);
    if (t->no_history) assert_null(strstr(error.message, "histor"));
    uint64_t peak = pen_context_memory_peak(ctx);
    pen_model_destroy(made);
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
    return peak;
}

/* The same with `less` than it takes (the peak that it had without a limit): refused, with these words, before an
 * epoch. And no more is refused than that. */
static void held_to(trial t, uint64_t less, const char *words)
{
    t.want = PEN_OK, t.words = NULL;
    uint64_t peak = train(&t, 0);
    assert_true(reports >= 2);
    train(&t, peak + peak / 50);
    t.want = PEN_E_MEMORY, t.words = words;
    train(&t, peak - less);
    assert_int_equal(reports, 0);
}

static const char KEPT_WITH[] = "that it is kept with", *const models[] = {"ials", "bpr", "gmf"};
enum { LONG = 2000, LONGER = 4000 }; /* ids: so long that what the model is kept with is most of all there is */

static void trainings_are_refused_at_once(void **state)
{
    (void)state;
    static const char *const splits[] = {"ratio:1,0,0", "ratio:0.8,0.2,0"};
    for (int m = 0; m < 3; m++)
        for (int form = 0; form < 4; form++)
            held_to((trial){.model = models[m],
                            .split = splits[form & 1],
                            .n_events = EVENTS,
                            .id_bytes = LONG,
                            .no_history = form & 2},
                    LONG * USERS / 4, KEPT_WITH);
}

/* Validation's cases are gone when a model that is fitted once gets its ids, here more than a 50th of the most that is
 * held; and what validation's events add to a refit's training and to histories counts: 4 bytes of each are less than
 * that. */
static void validation_counts(void **state)
{
    (void)state;
    for (int m = 0; m < 2; m++) /* a network holds some more for answers */
        for (int once = 0; once < 2; once++)
            held_to((trial){.model = models[m],
                            .split = "ratio:0.8,0.2,0",
                            .n_events = MANY,
                            .id_bytes = LONGER,
                            .fit_once = once},
                    4 * MANY / 5, KEPT_WITH);
}

/* What the first phase needs is not enough for a second training and a second model, which is said before it. */
static void refits_are_foreseen(void **state)
{
    (void)state;
    for (int m = 0; m < 3; m++) {
        trial t = {.model = models[m], .split = "ratio:0.8,0.2,0", .n_events = 4 * MANY, .fit_once = true};
        if (m == 1) t.factors = "factors=128"; /* its refit is where most is held, more than while its data is built */
        uint64_t alone = train(&t, 0);
        t.fit_once = false;
        uint64_t peak = train(&t, 0);
        train(&t, peak + peak / 50);
        t.want = PEN_E_MEMORY, t.words = "for its refit";
        train(&t, alone + alone / 50);
        assert_int_equal(reports, 0);
    }
}

/* A run that goes on amid its refit, under another limit than it began with. */
static void resumed_refits_are_refused_at_once(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/penchant-memory-limit-%ld.ckpt", (long)getpid());
    for (int m = 0; m < 3; m++) {
        trial t = {.model = models[m], .split = "ratio:0.8,0.2,0", .n_events = EVENTS, .id_bytes = LONG};
        uint64_t peak = train(&t, 0);
        t.checkpoint = path, t.want = PEN_E_CANCELLED;
        stop_refit = true;
        train(&t, 0);
        stop_refit = false;
        t.resume = true, t.want = PEN_E_MEMORY, t.words = KEPT_WITH;
        train(&t, peak - LONG * USERS / 4);
        assert_int_equal(reports, 0);
        t.want = PEN_OK, t.words = NULL;
        train(&t, peak + peak / 50);
        assert_true(reports > 0);
        unlink(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(catalogues_are_measured),
                                       cmocka_unit_test(trainings_are_refused_at_once),
                                       cmocka_unit_test(validation_counts), cmocka_unit_test(refits_are_foreseen),
                                       cmocka_unit_test(resumed_refits_are_refused_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
