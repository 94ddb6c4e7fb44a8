/* Windows of histories, as sequence models learn by them: whatever their length, their overlap and the epoch, each
 * event but the first is taught once, from the events right before it: no fewer than the share `overlap` of a window,
 * where there are as many. And places, from either end. */
#include "log_fixture.h"
#include "rank/model.h"
#include "train/net_history.h"

enum { USERS = 45, MOST = 64 };

/* User u has u events: items 0 .. u - 1, so that what follows an item is the next number. */
static pen__train histories(pen_context *ctx)
{
    pen__train train = {.ctx = ctx, .n_users = USERS, .n_items = USERS};
    int64_t *begin = calloc(USERS + 1, sizeof *begin);
    int32_t *column = calloc((size_t)USERS * USERS, sizeof *column);
    float *value = calloc((size_t)USERS * USERS, sizeof *value);
    for (int32_t u = 0; u < USERS; u++) {
        begin[u + 1] = begin[u] + u;
        for (int32_t e = 0; e < u; e++) column[begin[u] + e] = e, value[begin[u] + e] = 1;
    }
    train.history.begin = begin, train.history.column = column, train.history.value = value;
    return train;
}

static pen_model *model_of(const pen__train *train, const char *name, const char *const *assignments)
{
    const pen__model_class *class = pen__model_class_find(name);
    pen__params params;
    pen_model *model;
    pen__params_default(class, &params);
    for (int k = 0; k < 3; k++) assert_int_equal(pen__params_set(class, &params, assignments[k], NULL), PEN_OK);
    assert_int_equal(pen__model_new(train->ctx, class, &params, train, 1, &model, NULL), PEN_OK);
    assert_int_equal(pen__net_begin(model, train, NULL), PEN_OK);
    assert_int_equal(pen__model_bind(model, NULL), PEN_OK);
    assert_int_equal(pen__history_teachers(model, train, NULL), PEN_OK);
    return model;
}

/* What one window of the epoch teaches: each target into `taught` of its user. */
static void read_window(const pen_model *model, const pen__train *train, int64_t number, int32_t epoch, int most,
                        int context, int (*taught)[USERS])
{
    const pen__history_net *net = model->state;
    int32_t item[MOST], next[MOST];
    pen__example example = {.model = model, .train = train, .number = number, .epoch = epoch};
    pen__history_size(&example);
    int64_t n = example.rows[net->positions], targets = example.rows[net->taught];
    assert_in_range(n, 0, most);
    assert_in_range(targets, 0, n);
    assert_true(n == 0 || targets > 0);
    if (n == 0) return;
    example.index[net->item] = item, example.index[net->target] = next;
    pen__history_fill(&example);
    int32_t user = net->teacher[pen__segment_of(net->window, net->n_teachers, number)];
    for (int64_t k = 1; k < n; k++) assert_int_equal(item[k], item[k - 1] + 1);
    for (int64_t k = 0; k < targets; k++) {
        int64_t at = n - targets + k;
        assert_int_equal(next[k], item[at] + 1);
        assert_true(at >= context || item[0] == 0); /* where there are so many before it */
        taught[user][next[k]]++;
    }
}

static void each_event_once(void **state)
{
    (void)state;
    static const int CUT[][2] = {{1, 0}, {2, 0}, {2, 1}, {5, 0}, {5, 1}, {5, 3}, {5, 4}, {12, 7}, {MOST, 20}};
    pen_context *ctx = context_of(1);
    pen__train train = histories(ctx);
    for (size_t c = 0; c < sizeof CUT / sizeof *CUT; c++) {
        char length[32], overlap[32];
        snprintf(length, sizeof length, "max_length=%d", CUT[c][0]);
        snprintf(overlap, sizeof overlap, "overlap=%g", (CUT[c][1] + 0.1) / CUT[c][0]);
        pen_model *model = model_of(&train, "gru4rec", (const char *const[]){length, overlap, "windows=all"});
        int64_t windows = pen__history_examples(model, &train);
        for (int32_t epoch = 1; epoch <= 4; epoch++) {
            static int taught[USERS][USERS];
            memset(taught, 0, sizeof taught);
            for (int64_t w = 0; w < windows; w++) read_window(model, &train, w, epoch, CUT[c][0], CUT[c][1], taught);
            for (int32_t u = 2; u < USERS; u++)
                for (int32_t i = 1; i < u; i++)
                    if (taught[u][i] != 1)
                        fail_msg("length %d, context %d, epoch %d: event %d of %d taught %d times", CUT[c][0],
                                 CUT[c][1], epoch, i, u, taught[u][i]);
        }
        pen__model_free(model);
    }
    free(train.history.begin), free(train.history.column), free(train.history.value);
    pen_context_destroy(ctx);
}

/* sasrec's places of one example, in training or of one who asks: they end with the last, or begin with the first. */
static void check_places(const pen_model *model, pen__example example, bool from_first)
{
    enum { LENGTH = 8 };
    const pen__history_net *net = model->state;
    int32_t item[LENGTH], next[LENGTH], place[LENGTH];
    pen__history_size(&example);
    int64_t n = example.rows[net->positions];
    assert_in_range(n, 0, LENGTH);
    example.index[net->item] = item, example.index[net->target] = next, example.index[net->place] = place;
    pen__history_fill(&example);
    for (int64_t k = 0; k < n; k++) assert_int_equal(place[k], from_first ? k : LENGTH - n + k);
}

static void places(void **state)
{
    (void)state;
    pen_context *ctx = context_of(1);
    pen__train train = histories(ctx);
    for (int from_first = 0; from_first < 2; from_first++) {
        const char *where = from_first ? "places=first" : "places=last";
        pen_model *model = model_of(&train, "sasrec", (const char *const[]){"max_length=8", where, "windows=all"});
        for (int64_t w = 0; w < pen__history_examples(model, &train); w++)
            check_places(model, (pen__example){.model = model, .train = &train, .number = w, .epoch = 1}, from_first);
        for (int32_t n = 1; n < 12; n++) {
            pen__user user = {.number = -1, .n = n, .item = train.history.column};
            check_places(model, (pen__example){.model = model, .user = &user}, from_first);
        }
        pen__model_free(model);
    }
    free(train.history.begin), free(train.history.column), free(train.history.value);
    pen_context_destroy(ctx);
}

/* Negatives of each history: none where its window is empty. */
static void empty_windows_draw_nothing(void **state)
{
    (void)state;
    pen_context *ctx = context_of(1);
    pen__train train = histories(ctx);
    pen_model *model = model_of(&train, "sasrec", (const char *const[]){"max_length=6", "loss=gbce", "windows=all"});
    const pen__history_net *net = model->state;
    int64_t empty = 0, full = 0;
    assert_true(net->drawn.each);
    for (int64_t w = 0; w < pen__history_examples(model, &train); w++) {
        pen__example example = {.model = model, .train = &train, .number = w, .epoch = 1};
        pen__history_size(&example);
        bool teaches = example.rows[net->taught] > 0;
        assert_int_equal(example.rows[net->drawn.extent], teaches ? pen__param_int(model, "negatives") : 0);
        empty += !teaches, full += teaches;
    }
    assert_true(empty > 0 && full > empty);
    pen__model_free(model);
    free(train.history.begin), free(train.history.column), free(train.history.value);
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_event_once), cmocka_unit_test(places),
                                       cmocka_unit_test(empty_windows_draw_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
