/* What a first layer makes of every item is kept for answers (pen__layer_product): it is of the weights that are left,
 * whichever epoch that is, and answers are to the bit what they are without it. */
#include <time.h>

#include "log_fixture.h"
#include "penchant/penchant.h"
#include "rank/rank.h"
#include "train/net.h"

enum { EVENTS = 4000, USERS = 60, ITEMS = 45 };

static pen_model *train(const pen_dataset *log, const char *name, const char *const *params, size_t n,
                        const char *split, pen_status want)
{
    pen_protocol p;
    pen_train_options t = PEN_TRAIN_OPTIONS_INIT;
    pen_model *m;
    pen_error error = {0};
    pen_protocol_init(&p);
    p.split = split, p.refit = 0;
    t.model = name, t.params = params, t.n_params = n;
    if (pen_model_train(log, &p, &t, &m, &error) != want) fail_msg("%s: %s", name, error.message);
    return m;
}

/* Products by the formula from the model's own tensors. */
static void are_of(const pen_model *m, const char *table, const char *layer)
{
    char name[48];
    snprintf(name, sizeof name, "%s.layer", table);
    const pen__state_tensor *kept = pen__model_tensor(m, name), *rows = pen__model_tensor(m, table),
                            *weight = pen__model_tensor(m, layer);
    assert_non_null(kept);
    int64_t width = rows->dim[1], out = kept->dim[1], in = weight->dim[1];
    double size = 0;
    assert_true(kept->dim[0] == m->n_items && out == weight->dim[0] && in == 2 * width);
    for (int64_t i = 0; i < m->n_items; i++)
        for (int64_t o = 0; o < out; o++) {
            double want = 0, got = (double)((const float *)kept->data)[i * out + o];
            for (int64_t k = 0; k < width; k++) /* the user's part of the weight comes first */
                want += (double)((const float *)rows->data)[i * width + k] *
                        (double)((const float *)weight->data)[o * in + width + k];
            if (!(fabs(want - got) < 1e-5)) fail_msg("item %d: %g, not %g", (int)i, got, want);
            size += fabs(want);
        }
    assert_true(size > 1e-2 * (double)(m->n_items * out)); /* there is something to be wrong about */
}

/* Scores of all items by a user of the model and by one that it lacks. */
static float *scores_of(const pen_model *m)
{
    static const int32_t HISTORY[4] = {3, 17, 8, 20};
    static const float VALUE[4] = {1, 1, 1, 1};
    float *out = calloc((size_t)(2 * m->n_items), sizeof *out);
    for (int32_t i = 0; i < m->n_items; i++) {
        pen__user known = {.number = 5}, other = {.number = -1, .item = HISTORY, .value = VALUE, .n = 4};
        assert_int_equal(pen__score_one(m, &known, i, &out[2 * i], NULL), PEN_OK);
        assert_int_equal(pen__score_one(m, &other, i, &out[2 * i + 1], NULL), PEN_OK);
    }
    return out;
}

static void forget(pen_model *m, const char *table)
{
    char name[48];
    snprintf(name, sizeof name, "%s.layer", table);
    for (int32_t i = 0; i < m->n_tensors; i++)
        if (!strcmp(m->tensor[i].name, name)) m->tensor[i].name[0] = '-';
    m->class->unbind(m);
    assert_int_equal(m->class->bind(m, NULL), PEN_OK);
}

static void kept_for_answers(void **state)
{
    (void)state;
    static const char *const params[] = {"epochs=6", "factors=4",  "batch_size=300", "learning_rate=0.05",
                                         "init=0.2", "patience=1", "negatives=2",    "ema=0.9"};
    pen_context *ctx = context_of(2);
    row *rows = random_rows(EVENTS, USERS, ITEMS, 3);
    pen_dataset *log = dataset_of(ctx, rows, EVENTS, 0);
    free(rows);
    for (int k = 0; k < 2; k++)
        for (size_t n = 7; n <= 8; n++) { /* without and with averages */
            /* the best epoch is what is left */
            pen_model *m = train(log, k ? "neumf" : "mlp", params, n, "ratio:0.8,0.2,0", PEN_OK);
            are_of(m, "mlp.item", "mlp.0.weight");
            float *with = scores_of(m);
            forget(m, "mlp.item");
            const pen__net *net = m->state;
            assert_null(net->plan->table[net->layered].product);
            float *without = scores_of(m);
            assert_memory_equal(with, without, (size_t)(2 * m->n_items) * sizeof *with);
            free(with);
            free(without);
            pen_model_destroy(m);
        }
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

/* Cancels at the first report amid the second epoch; they come a tenth of a second apart. */
static int amid_second_epoch(void *user, const pen_progress *p)
{
    bool *amid = user;
    bool ends = p->epoch > 0 && p->done * p->n_epochs == p->epoch * p->total;
    if (strcmp(p->stage, "train")) return 0;
    if (p->epoch == 1 && ends) nanosleep(&(struct timespec){0, 150000000}, NULL);
    *amid |= p->epoch == 2 && !ends;
    return *amid;
}

/* Broken off amid an epoch, without a validation whose best could be taken: the weights are what they are by then. */
static void of_a_broken_epoch(void **state)
{
    (void)state;
    static const char *const params[] = {"epochs=3", "factors=4",   "batch_size=300", "learning_rate=0.05",
                                         "init=0.2", "negatives=2", "patience=0"};
    bool amid = false;
    pen_context_options o = PEN_CONTEXT_OPTIONS_INIT;
    pen_context *ctx;
    o.n_threads = 2, o.progress = amid_second_epoch, o.user = &amid;
    assert_int_equal(pen_context_create(&o, &ctx, NULL), PEN_OK);
    row *rows = random_rows(EVENTS, USERS, ITEMS, 3);
    pen_dataset *log = dataset_of(ctx, rows, EVENTS, 0);
    free(rows);
    pen_model *m = train(log, "mlp", params, 7, "ratio:1,0,0", PEN_E_CANCELLED);
    assert_true(amid);
    are_of(m, "mlp.item", "mlp.0.weight");
    pen_model_destroy(m);
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

/* Only a table that one layer alone reads, row by row, not for the parents of its rows and before all that is of its
 * rows, has products; an index of nothing is a row of zeros. */
static void where_they_are(void **state)
{
    (void)state;
    pen_context *ctx = context_of(1);
    pen__plan *p;
    pen__init init = {PEN_INIT_NORMAL, 1};
    assert_int_equal(pen__plan_create(ctx, &p, NULL), PEN_OK);
    int32_t events = pen__extent_child(p, PEN_ROOT, "events"), item = pen__input_index(p, events, "item"),
            user = pen__input_index(p, PEN_ROOT, "user");
    static const char *const NAMES[5] = {"one", "twice", "behind", "bag", "parent"};
    int32_t table[5], x[6];
    for (int k = 0; k < 5; k++) table[k] = pen__plan_table(p, NAMES[k], 6, 3, init);
    x[0] = pen__gather(p, table[4], user), x[1] = pen__gather(p, table[0], item), x[2] = pen__gather(p, table[2], item);
    x[3] = pen__gather(p, table[1], item), x[4] = pen__bag(p, table[3], item, PEN_POOL_SUM, -1);
    x[5] = pen__gather(p, table[1], item);
    int32_t y = pen__linear(p, "layer", x, 6, 5, PEN_ACT_TANH);
    pen__loss_squares(p, y, 1);
    assert_int_equal(pen__plan_end(p, NULL), PEN_OK);
    for (int k = 0; k < 5; k++) assert_int_equal(pen__layer_width(p, table[k]), k ? 0 : 5);
    assert_int_equal(pen__layer_width(p, -1), 0);

    float data[5][6 * 3], weight[5 * 18], bias[5] = {.1F, .2F, .3F, .4F, .5F}, product[6 * 5], values[2][7 * 5];
    for (int k = 0; k < 5; k++) {
        pen__init_fill(init, NAMES[k], 1, 6, 3, data[k]);
        pen__plan_table_set(p, table[k], data[k]);
    }
    pen__init_fill(init, "layer", 1, 5, 18, weight);
    pen__plan_weight_set(p, 0, weight), pen__plan_weight_set(p, 1, bias);
    static const int32_t BEGIN[4] = {0, 4, 4, 7}, ITEM[7] = {2, -1, 5, 0, 2, 2, -1}, USER[3] = {1, -1, 3};
    const int64_t most[2] = {3, 7};
    for (int kept = 0; kept < 2; kept++) {
        pen__batch batch = {.n = {3, 7}, .begin = {NULL, BEGIN}};
        pen__layout *layout;
        batch.index[item] = ITEM, batch.index[user] = USER;
        if (kept) pen__layer_product(p, table[0], 0, 2, product), pen__layer_product(p, table[0], 2, 6, product);
        p->table[table[0]].product = kept ? product : NULL;
        assert_int_equal(pen__layout_answer(ctx, p, y, most, &layout, NULL), PEN_OK);
        assert_int_equal(layout->needed[1], !kept); /* its rows are asked for by nobody else */
        void *memory = malloc(pen__infer_bytes(layout));
        memcpy(values[kept], pen__infer(layout, memory, &batch, NULL, y), sizeof values[kept]);
        free(memory);
        pen__layout_destroy(layout);
    }
    assert_memory_equal(values[0], values[1], sizeof values[0]);
    pen__plan_destroy(p);
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kept_for_answers), cmocka_unit_test(of_a_broken_epoch),
                                       cmocka_unit_test(where_they_are)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
