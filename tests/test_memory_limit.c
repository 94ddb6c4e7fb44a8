/* What a training refuses under a limit of memory it refuses before its first epoch: also what the fitted model is
 * kept with. */
#include "log_fixture.h"

#include "penchant/model.h"
#include "rank/catalogue.h"

enum { USERS = 400, ITEMS = 30, EVENTS = 3000, ID = 2000 }; /* ID: bytes, so that ids are most of all there is */

static int64_t reports; /* of epochs */

static int on_progress(void *user, const pen_progress *p)
{
    (void)user;
    reports += p->epoch > 0 && p->done > 0;
    return 0;
}

/* Long ids of users; a column of each type for the items. */
static pen_dataset *log_of(pen_context *ctx, bool with_table)
{
    row *rows = random_rows(EVENTS, USERS, ITEMS, 3);
    pen_dataset *d = dataset_of(ctx, rows, EVENTS, 0);
    int64_t n_users = d->users.n, n = d->items.n;
    free(rows);
    pen__strings_free(&d->users);
    for (int64_t u = 0; u < n_users; u++) {
        char id[ID + 1];
        int32_t number;
        snprintf(id, sizeof id, "%0*lld", ID, (long long)u);
        assert_int_equal(pen__strings_add(&d->users, pen__span_of(id), &number, NULL), PEN_OK);
    }
    if (!with_table) return d;
    static const int32_t TYPE[5] = {PEN_COLUMN_TEXT, PEN_COLUMN_NUMBER, PEN_COLUMN_VECTOR, PEN_COLUMN_CATEGORY,
                                    PEN_COLUMN_CATEGORIES};
    pen__column *column;
    pen_error *error = NULL;
    assert_int_equal(PEN_NEW_ZERO(ctx, column, 5), PEN_OK);
    for (int c = 0; c < 5; c++) {
        bool text = TYPE[c] == PEN_COLUMN_TEXT;
        int32_t *code;
        int64_t *begin;
        float *number;
        column[c] = (pen__column){
            .name = pen__strndup(ctx, "name", 4), .type = TYPE[c], .width = 3, .rows = n, .words = {.ctx = ctx}};
        for (int64_t i = 0; i < n && TYPE[c] != PEN_COLUMN_NUMBER && TYPE[c] != PEN_COLUMN_VECTOR; i++)
            assert_int_equal(pen__strings_append(&column[c].words, pen__span_of("some words"), NULL), PEN_OK);
        assert_int_equal(PEN_NEW_ZERO(ctx, code, 2 * n) | PEN_NEW(ctx, begin, n + 1) | PEN_NEW_ZERO(ctx, number, 3 * n),
                         PEN_OK);
        for (int64_t i = 0; i <= n; i++) begin[i] = 2 * i;
        column[c].code = code, column[c].begin = begin, column[c].number = number;
        if (text) column[c].code = NULL, pen__free(ctx, code);
    }
    d->item_table = (pen__table){.rows = n, .n_columns = 5, .title = 0, .column = column};
    return d;
}

/* The size that is said beforehand is what then is held. */
static void catalogues_are_measured(void **state)
{
    (void)state;
    pen_context *ctx = context_of(1);
    for (int form = 0; form < 8; form++) {
        pen_dataset *d = log_of(ctx, form & 1);
        pen__log log = {0};
        pen__train train = {0};
        pen_protocol p;
        struct pen__catalogue *catalogue;
        pen_protocol_init(&p);
        p.task = form & 2 ? PEN_TASK_RANK : PEN_TASK_RATE;
        if (form & 2) p.positive = 3; /* some events are only seen */
        assert_int_equal(pen__log_build(d, &p, &log, NULL), PEN_OK);
        assert_int_equal(pen__train_build(&log, NULL, 1, p.task, &train, NULL), PEN_OK);
        uint64_t held = pen_context_memory(ctx);
        assert_int_equal(pen__catalogue_build(&train, form & 4, &catalogue, NULL), PEN_OK);
        double holds = (double)(pen_context_memory(ctx) - held), said = (double)pen__catalogue_bytes(&train, form & 4);
        if (!(fabs(said - holds) < 0.01 * holds)) fail_msg("form %d: %.0f bytes, not %.0f", form, said, holds);
        pen__catalogue_free(catalogue);
        assert_int_equal(pen_context_memory(ctx), held);
        pen__train_free(&train);
        pen__log_free(&log);
        pen_dataset_destroy(d);
    }
    pen_context_destroy(ctx);
}

/* Trains within `limit` (0: none); returns the most that was held. */
static uint64_t train(const char *model, const char *split, uint64_t limit, pen_status want, const char *words)
{
    static const char *const params[] = {"epochs=2", "factors=2"};
    pen_context_options c = PEN_CONTEXT_OPTIONS_INIT;
    pen_train_options o = PEN_TRAIN_OPTIONS_INIT;
    pen_context *ctx;
    pen_model *made;
    pen_protocol p;
    pen_error error = {0};
    c.n_threads = 1, c.memory_limit = limit, c.progress = on_progress;
    assert_int_equal(pen_context_create(&c, &ctx, NULL), PEN_OK);
    pen_dataset *log = log_of(ctx, false);
    pen_protocol_init(&p);
    p.split = split;
    o.model = model, o.params = params, o.n_params = 2;
    reports = 0;
    pen_status status = pen_model_train(log, &p, &o, &made, &error);
    if (status != want) fail_msg("%s, %s, %llu bytes: %s", model, split, (unsigned long long)limit, error.message);
    if (words && !strstr(error.message, words)) fail_msg("%s, %s: %s", model, split, error.message);
    uint64_t peak = pen_context_memory_peak(ctx);
    pen_model_destroy(made);
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
    return peak;
}

static void trainings_are_refused_at_once(void **state)
{
    (void)state;
    static const char *const models[] = {"ials", "bpr", "gmf"}, *const splits[] = {"ratio:1,0,0", "ratio:0.8,0.2,0"};
    for (int m = 0; m < 3; m++)
        for (int s = 0; s < 2; s++) {
            uint64_t peak = train(models[m], splits[s], 0, PEN_OK, NULL);
            assert_true(reports >= 2);
            train(models[m], splits[s], peak - ID * USERS / 4, PEN_E_MEMORY, "that it is kept with");
            assert_int_equal(reports, 0);
            train(models[m], splits[s], peak + peak / 50, PEN_OK, NULL); /* and no more is refused than that */
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(catalogues_are_measured),
                                       cmocka_unit_test(trainings_are_refused_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
