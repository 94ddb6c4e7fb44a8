/* What is said of a network (pen_model_plan), of every network in the registry: it adds up, it agrees with the model's
 * own tensors and with what training said of its memory, and its work is that of formulas written down here. */
#include <jansson.h>
#include <math.h>

#include "log_fixture.h"
#include "nn/arena.h"
#include "nn/ops.h"
#include "penchant/query.h"
#include "rank/model.h"

enum { EVENTS = 3000, USERS = 60, ITEMS = 50 };

/* ---- a trained network ------------------------------------------------------------------------------------------- */

typedef struct network {
    pen_context *ctx;
    pen_dataset *log;
    pen_model *model;
    json_t *plan;
    double said_mb; /* of a step's numbers and gradients, by the training itself */
} network;

static void hear(void *user, pen_log_level level, const char *message)
{
    network *n = user;
    const char *words = strstr(message, " MB for the steps' numbers");
    (void)level;
    while (words && words > message && words[-1] != ' ') words--;
    if (words) n->said_mb = atof(words);
}

static json_t *plan_of(const pen_model *model)
{
    pen_report *report;
    pen_error error = {0};
    if (pen_model_plan(model, &report, &error) != PEN_OK) fail_msg("%s", error.message);
    json_t *plan = json_loads(pen_report_json(report), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(plan);
    pen_report_destroy(report);
    return plan;
}

/* One epoch of all of the log, without validation: its largest batch is what is described. */
static network train(const pen__model_class *class, const char *const *params, size_t n_params)
{
    static network n;
    n = (network){0};
    pen_context_options o = PEN_CONTEXT_OPTIONS_INIT;
    pen_error error = {0};
    o.n_threads = 3, o.log = hear, o.user = &n;
    assert_int_equal(pen_context_create(&o, &n.ctx, NULL), PEN_OK);
    row *rows = random_rows(EVENTS, USERS, ITEMS, 3);
    n.log = dataset_of(n.ctx, rows, EVENTS, 0);
    free(rows);
    pen_protocol p;
    pen_protocol_init(&p);
    p.task = class->tasks >> PEN_TASK_RANK & 1 ? PEN_TASK_RANK : PEN_TASK_RATE;
    p.split = p.task == PEN_TASK_RATE ? "ratio-all:1,0,0" : "ratio:1,0,0";
    pen_train_options t = PEN_TRAIN_OPTIONS_INIT;
    t.model = class->name, t.params = params, t.n_params = n_params;
    if (pen_model_train(n.log, &p, &t, &n.model, &error) != PEN_OK) fail_msg("%s: %s", class->name, error.message);
    n.plan = plan_of(n.model);
    return n;
}

static void end(network *n)
{
    json_decref(n->plan);
    pen_model_destroy(n->model);
    pen_dataset_destroy(n->log);
    pen_context_destroy(n->ctx);
}

static double at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value)) fail_msg("'%s' is no number", key);
    return json_number_value(value);
}

static double deep(const json_t *object, const char *first, const char *second, const char *third)
{
    const json_t *within = json_object_get(object, first);
    return third ? at(json_object_get(within, second), third) : at(within, second);
}

/* ---- every network ----------------------------------------------------------------------------------------------- */

/* Bytes of the model's tensors of a role, but for the plan's own note of batches. */
static double tensor_bytes(const pen_model *model, int role, const json_t *within)
{
    double n = 0;
    for (int i = 0; i < model->n_tensors; i++) {
        const pen__state_tensor *t = &model->tensor[i];
        bool named = within == NULL;
        size_t k;
        const json_t *one;
        json_array_foreach ((json_t *)(uintptr_t)within, k, one)
            named |= !strcmp(json_string_value(json_object_get(one, "name")), t->name);
        if (t->role == role && named) n += (double)pen__state_bytes(t);
    }
    return n;
}

static void arenas_add_up(const network *n)
{
    const json_t *ops = json_object_get(n->plan, "ops"), *op, *answer = json_object_get(n->plan, "answer");
    double trained = 0, answered = 0, forward = 0, backward = 0, answering = 0;
    size_t i, answers = 0;
    json_array_foreach ((json_t *)(uintptr_t)ops, i, op) {
        assert_true(at(op, "number") == (double)i);
        if (json_is_true(json_object_get(op, "trained"))) trained += at(op, "bytes");
        forward += deep(op, "flops", "forward", NULL), backward += deep(op, "flops", "backward", NULL);
        if (!json_is_true(json_object_get(op, "answers"))) continue;
        answers++, answered += at(op, "answer_bytes"), answering += at(op, "answer_flops");
        assert_true(json_is_false(json_object_get(op, "loss")));
        size_t k;
        const json_t *read;
        json_array_foreach (json_object_get(op, "reads"), k, read) { /* what it stands on runs before it */
            if (!json_is_integer(read)) continue;
            assert_true((size_t)json_integer_value(read) < i);
            const json_t *other = json_array_get(ops, (size_t)json_integer_value(read));
            bool known = false; /* of what is known of it the answer needs no more */
            size_t j;
            const json_t *one;
            json_array_foreach (json_object_get(op, "answer_knows"), j, one) known |= json_equal(one, read);
            assert_true(json_is_true(json_object_get(other, "answers")) == !known);
        }
    }
    assert_true(trained == deep(n->plan, "training", "bytes", "arena_without_sharing"));
    assert_true(deep(n->plan, "training", "bytes", "arena") < trained);
    /* each is printed whole: half an operation is lost at most */
    assert_true(fabs(forward - deep(n->plan, "training", "flops", "forward")) <= (double)json_array_size(ops));
    assert_true(fabs(backward - deep(n->plan, "training", "flops", "backward")) <= (double)json_array_size(ops));
    assert_true(backward > 0);
    if (!json_is_object(answer)) return;
    assert_true(answers > 0 && (double)answers == at(answer, "ops"));
    assert_true(answered == deep(answer, "bytes", "arena_without_sharing", NULL));
    assert_true(deep(answer, "bytes", "arena", NULL) <= answered);
    assert_true(fabs(answering - at(answer, "flops")) <= (double)answers);
}

static void memory_is_the_models(const network *n)
{
    const json_t *bytes = json_object_get(json_object_get(n->plan, "training"), "bytes");
    const json_t *weights = json_object_get(n->plan, "weights"), *tables = json_object_get(n->plan, "tables");
    assert_true(at(bytes, "weights") == tensor_bytes(n->model, PEN_ROLE_PARAM, weights));
    assert_true(at(bytes, "tables") == tensor_bytes(n->model, PEN_ROLE_PARAM, tables));
    assert_true(at(bytes, "optimizer") + at(bytes, "averages") == tensor_bytes(n->model, PEN_ROLE_OPTIMISER, NULL));
    double mb = (at(bytes, "arenas") + at(bytes, "scratch") + at(bytes, "gradients")) / 1e6;
    if (fabs(mb - n->said_mb) > 0.0501) fail_msg("%s: %g MB, not %g", n->model->class->name, mb, n->said_mb);
}

static void every_network(void **state)
{
    (void)state;
    const pen__model_class *const *all;
    size_t n = pen__model_classes(&all), described = 0;
    for (size_t i = 0; i < n; i++) {
        static const char *const optimizers[] = {"optimizer=adam", "optimizer=rowwise-adagrad", "optimizer=sgd"};
        if (!all[i]->net) continue;
        const char *params[] = {"epochs=1", "batch_size=300", optimizers[described % 3],
                                described % 2 ? "ema=0.99" : "ema=0"};
        network net = train(all[i], params, 4);
        assert_true((deep(net.plan, "training", "bytes", "averages") > 0) == (described++ % 2));
        assert_string_equal(json_string_value(json_object_get(net.plan, "model")), all[i]->name);
        assert_true(deep(net.plan, "batch", "threads", NULL) == 3);
        arenas_add_up(&net);
        memory_is_the_models(&net);
        end(&net);
    }
    assert_true(described >= 9);
}

/* ---- one whose numbers are known --------------------------------------------------------------------------------- */

static const json_t *op_at(const network *n, size_t i) { return json_array_get(json_object_get(n->plan, "ops"), i); }

/* mlp: two embeddings of 8, layers of 8 and 4, an output; 75 events of 4 items in a batch, cut into 8 shards of 10 at
 * most, the user's half once an event. */
static void mlp_by_hand(void **state)
{
    (void)state;
    const char *params[] = {"epochs=1", "batch_size=300", "negatives=3", "factors=4", "layers=2", "optimizer=adam"};
    network n = train(pen__model_class_find("mlp"), params, 6);
    static const char *const ops[] = {"gather", "gather", "linear", "linear", "linear", "pointwise"};
    const json_t *extents = json_object_get(json_object_get(n.plan, "batch"), "extents");
    double items = 300, events = 75, width = 8;
    assert_int_equal(json_array_size(json_object_get(n.plan, "ops")), 6);
    for (size_t i = 0; i < 6; i++) assert_string_equal(json_string_value(json_object_get(op_at(&n, i), "op")), ops[i]);
    assert_true(deep(n.plan, "batch", "shards", NULL) == 8);
    assert_true(at(json_array_get(extents, 0), "rows") == events);
    assert_true(at(json_array_get(extents, 0), "shard_rows") == 10);
    assert_true(at(json_array_get(extents, 1), "rows") == items);
    assert_true(at(json_array_get(extents, 1), "shard_rows") == 40);
    double first = 2 * width * width * (events + items), second = 2 * items * width * 4;
    assert_true(deep(op_at(&n, 2), "flops", "forward", NULL) == first);
    assert_true(deep(op_at(&n, 2), "flops", "backward", NULL) == 2 * first);
    assert_true(deep(op_at(&n, 3), "flops", "forward", NULL) == second);
    assert_true(deep(op_at(&n, 4), "flops", "forward", NULL) == 2 * items * 4);
    /* in the arena of a shard of 40 items: values and gradients of 8 and 4 a row; what is looked up keeps its gradient
     * elsewhere */
    assert_true(at(op_at(&n, 2), "bytes") == 2 * 40 * 8 * 4);
    assert_true(at(op_at(&n, 3), "bytes") == 2 * 40 * 4 * 4);
    /* answers read what the first layer makes of an item, and no row of it: a product with the user's alone is left */
    assert_true(at(op_at(&n, 2), "answer_flops") == 2 * width * width);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(json_is_true(json_object_get(op_at(&n, i), "answers")), i != 1 && i < 5);
    /* most is alive when the second layer goes back: what was looked up, both layers, and both their gradients */
    assert_true(deep(n.plan, "training", "bytes", "arena") == (10 * 8 + 40 * 8 + 2 * (40 * 8 + 40 * 4)) * 4);
    end(&n);
}

/* Reals of 100 rows of 8: what each layer of a chain gives. */
enum { LAYERS = 9, ROWS = 100, UNIT = ROWS * 8 };

typedef struct chain {
    pen_context *ctx;
    pen__plan *plan;
    int32_t y;
} chain;

/* x, then LAYERS ops one on another, then a loss. */
static chain chain_of(int32_t (*layer)(pen__plan *plan, int32_t x, int k))
{
    chain c = {.ctx = context_of(1)};
    assert_int_equal(pen__plan_create(c.ctx, &c.plan, NULL), PEN_OK);
    int32_t table = pen__plan_table(c.plan, "item", 5, 8, (pen__init){PEN_INIT_ZERO, 0});
    c.y = pen__gather(c.plan, table, pen__input_index(c.plan, PEN_ROOT, "item"));
    for (int k = 0; k < LAYERS; k++) c.y = layer(c.plan, c.y, k);
    pen__loss_squares(c.plan, c.y, 1);
    assert_int_equal(pen__plan_end(c.plan, NULL), PEN_OK);
    return c;
}

static int32_t dense_layer(pen__plan *plan, int32_t x, int k)
{
    char name[16];
    snprintf(name, sizeof name, "%d", k);
    return pen__linear(plan, name, &x, 1, 8, PEN_ACT_TANH);
}

static int32_t passing_layer(pen__plan *plan, int32_t x, int k) { return pen__scaled(plan, x, k + 2); }

/* The arena and what it would be without sharing, in blocks of UNIT. */
static void takes(int32_t (*layer)(pen__plan *plan, int32_t x, int k), bool training, int64_t arena, int64_t apart)
{
    const int64_t rows[1] = {ROWS};
    chain c = chain_of(layer);
    pen__layout *layout;
    assert_int_equal(training ? pen__layout_train(c.ctx, c.plan, rows, &layout, NULL)
                              : pen__layout_answer(c.ctx, c.plan, c.y, rows, &layout, NULL),
                     PEN_OK);
    assert_int_equal(layout->arena, arena * UNIT);
    assert_int_equal(layout->apart, apart * UNIT);
    pen__layout_destroy(layout);
    pen__plan_destroy(c.plan);
    pen_context_destroy(c.ctx);
}

/* Layers take turns on two blocks: each layer's input and output in an answer, its gradients in training, where every
 * value stays until its own backward; only an op that keeps nothing lets values take turns there too. What was looked
 * up has its gradient elsewhere. */
static void layers_take_turns(void **state)
{
    (void)state;
    takes(dense_layer, false, 2, LAYERS + 1);
    takes(passing_layer, false, 2, LAYERS + 1);
    takes(dense_layer, true, LAYERS + 1 + 2, 2 * LAYERS + 1);
    takes(passing_layer, true, 2, 2 * LAYERS + 1);
}

/* sasrec's attention: its work goes by the mean length of a batch's segments; backward is twice it, since what segments
 * this short need again is held. */
static void attention_by_hand(void **state)
{
    (void)state;
    const char *params[] = {"epochs=1", "batch_size=20", "factors=8", "layers=1"};
    network n = train(pen__model_class_find("sasrec"), params, 4);
    const json_t *extents = json_object_get(json_object_get(n.plan, "batch"), "extents"), *op;
    double rows = at(json_array_get(extents, 1), "rows"), users = at(json_array_get(extents, 0), "rows"),
           n_items = n.model->n_items;
    size_t i, seen = 0;
    json_array_foreach (json_object_get(n.plan, "ops"), i, op) {
        const char *name = json_string_value(json_object_get(op, "op"));
        double forward = deep(op, "flops", "forward", NULL), backward = deep(op, "flops", "backward", NULL);
        if (!strcmp(name, "attention")) {
            double want = 2 * rows * rows / users * 8;
            assert_true(fabs(forward - want) <= 0.5 && fabs(backward - 2 * want) <= 0.5);
            seen |= 1;
        } else if (!strcmp(name, "softmax_full")) {
            assert_true(forward == 0 && backward == 6 * rows * n_items * 8);
            seen |= 2;
        }
    }
    assert_int_equal(seen, 3);
    end(&n);
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

static void refused(const pen_model *model, pen_status want, const char *words)
{
    pen_report *report = NULL;
    pen_error error = {0};
    assert_int_equal(pen_model_plan(model, &report, &error), want);
    assert_null(report);
    if (!strstr(error.message, words)) fail_msg("'%s' does not say '%s'", error.message, words);
}

static void others_are_refused(void **state)
{
    (void)state;
    network n = {0};
    const char *params[] = {"epochs=1"};
    network net = train(pen__model_class_find("gmf"), params, 1);
    pen__state_tensor *rows = pen__model_tensor(net.model, "batch.rows");
    int64_t *value = rows->data, old = value[0];
    const int64_t wrong[] = {0, -1, INT64_MAX, 1};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        pen_error error = {0};
        value[0] = wrong[i];
        assert_int_equal(pen__model_bind(net.model, &error), PEN_E_FORMAT);
        assert_non_null(strstr(error.message, "'batch.rows' says that a batch had"));
    }
    value[0] = old;
    assert_int_equal(pen__model_bind(net.model, NULL), PEN_OK);
    rows->dim[1] = 1;
    refused(net.model, PEN_E_FORMAT, "'batch.rows' has 1 in dimension 1 where 2 belong");
    rows->dim[1] = 2;
    rows->name[0] = 'x';
    refused(net.model, PEN_E_UNSUPPORTED, "train it again");
    rows->name[0] = 'b';
    end(&net);
    n.ctx = context_of(1);
    row *log = random_rows(EVENTS, USERS, ITEMS, 3);
    n.log = dataset_of(n.ctx, log, EVENTS, 0);
    free(log);
    pen_protocol p;
    pen_protocol_init(&p);
    pen_train_options t = PEN_TRAIN_OPTIONS_INIT;
    t.model = "item-knn";
    assert_int_equal(pen_model_train(n.log, &p, &t, &n.model, NULL), PEN_OK);
    refused(n.model, PEN_E_UNSUPPORTED, "item-knn has no plan: it is not a network");
    end(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_network), cmocka_unit_test(mlp_by_hand),
                                       cmocka_unit_test(layers_take_turns), cmocka_unit_test(attention_by_hand),
                                       cmocka_unit_test(others_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
