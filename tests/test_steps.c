/* What holds of every step of training, for every network: nothing is allocated in one; and of its end: weights that
 * have left the finite numbers are an error, also where the last step did it, and what had nothing to say is not heard.
 * And of batches of bags: a history is cut in time.
 * (pen__run_step is wrapped by the linker.) */
#include <math.h>

#include "log_fixture.h"
#include "nn/run.h"
#include "penchant/query.h"
#include "rank/model.h"

enum { EVENTS = 3000, USERS = 60, ITEMS = 50 };

/* ---- allocations ------------------------------------------------------------------------------------------------- */

static _Atomic int in_step;
static _Atomic long allocations;
static long steps;
static void (*look)(const pen__batch *batch); /* at each step's batch, or NULL */

static void *obtain(void *user, size_t bytes)
{
    (void)user;
    allocations += in_step;
    return malloc(bytes);
}

static void *resize(void *user, void *block, size_t bytes)
{
    (void)user;
    allocations += in_step;
    return realloc(block, bytes);
}

static void release(void *user, void *block)
{
    (void)user;
    free(block);
}

pen_status __real_pen__run_step(pen__run *run, const pen__batch *batch, const pen__touched *touched, uint64_t step,
                                const pen__beside *beside, pen__step_report *report, pen_error *error);
pen_status __wrap_pen__run_step(pen__run *run, const pen__batch *batch, const pen__touched *touched, uint64_t step,
                                const pen__beside *beside, pen__step_report *report, pen_error *error);

pen_status __wrap_pen__run_step(pen__run *run, const pen__batch *batch, const pen__touched *touched, uint64_t step,
                                const pen__beside *beside, pen__step_report *report, pen_error *error)
{
    if (look) look(batch);
    in_step = 1;
    steps++;
    pen_status status = __real_pen__run_step(run, batch, touched, step, beside, report, error);
    in_step = 0;
    return status;
}

static pen_status train_on(const row *rows, int64_t n_rows, const char *model, const char *const *params,
                           size_t n_params, pen_model **made, pen_context **ctx, pen_error *error)
{
    static const pen_allocator counting = {obtain, resize, release, NULL};
    pen_context_options o = PEN_CONTEXT_OPTIONS_INIT;
    o.allocator = &counting, o.n_threads = 2;
    assert_int_equal(pen_context_create(&o, ctx, NULL), PEN_OK);
    pen_dataset *log = dataset_of(*ctx, rows, n_rows, 0);
    pen_protocol p;
    pen_protocol_init(&p);
    p.task = pen__model_class_find(model)->tasks >> PEN_TASK_RANK & 1 ? PEN_TASK_RANK : PEN_TASK_RATE;
    p.split = p.task == PEN_TASK_RATE ? "ratio-all:1,0,0" : "ratio:1,0,0";
    pen_train_options t = PEN_TRAIN_OPTIONS_INIT;
    t.model = model, t.params = params, t.n_params = n_params;
    pen_status status = pen_model_train(log, &p, &t, made, error);
    pen_dataset_destroy(log);
    return status;
}

static pen_status train(const char *model, const char *const *params, size_t n_params, pen_model **made,
                        pen_context **ctx, pen_error *error)
{
    row *rows = random_rows(EVENTS, USERS, ITEMS, 3);
    pen_status status = train_on(rows, EVENTS, model, params, n_params, made, ctx, error);
    free(rows);
    return status;
}

static void steps_allocate_nothing(void **state)
{
    (void)state;
    static const char *const params[] = {"epochs=3", "factors=8", "batch_size=32", "clip=1"};
    const pen__model_class *const *classes;
    size_t n = pen__model_classes(&classes), networks = 0;
    for (size_t c = 0; c < n; c++) {
        pen_context *ctx;
        pen_model *model;
        pen_error error = {0};
        if (!classes[c]->net) continue;
        networks++, steps = 0, allocations = 0;
        if (train(classes[c]->name, params, 4, &model, &ctx, &error) != PEN_OK)
            fail_msg("%s: %s", classes[c]->name, error.message);
        assert_true(steps >= 6);
        if (allocations) fail_msg("%s: %ld allocations in %ld steps", classes[c]->name, (long)allocations, steps);
        pen_model_destroy(model);
        pen_context_destroy(ctx);
    }
    assert_true(networks >= 10);
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

/* A loss of scores past all measure is finite yet (it is a double) where the step that it leads to is not. */
static void the_last_step_diverges(void **state)
{
    (void)state;
    static const char *const params[] = {"epochs=1", "factors=8", "batch_size=1000000", "optimizer=sgd",
                                         "learning_rate=100"};
    pen_context *ctx;
    pen_model *model = NULL;
    pen_error error = {0};
    steps = 0;
    pen_status status = PEN_OK;
    for (int epochs = 1; epochs < 60 && status == PEN_OK; epochs++) { /* until one epoch more is one too many */
        char text[16];
        const char *given[5];
        memcpy(given, params, sizeof params);
        snprintf(text, sizeof text, "epochs=%d", epochs);
        given[0] = text;
        status = train("autorec", given, 5, &model, &ctx, &error);
        for (int32_t i = 0; status == PEN_OK && i < model->n_tensors; i++)
            for (int64_t k = 0; model->tensor[i].dtype == PEN_F32 && k < pen__state_elements(&model->tensor[i]); k++)
                if (!isfinite(((const float *)model->tensor[i].data)[k]))
                    fail_msg("%d epochs: '%s' is not finite, and nothing was said", epochs, model->tensor[i].name);
        pen_model_destroy(model);
        pen_context_destroy(ctx);
        model = NULL;
    }
    assert_int_equal(status, PEN_E_DIVERGED);
    assert_non_null(strstr(error.message, "has left the finite numbers"));
}

/* A first event has no history, and an id may be left out: the tower's vector is zero then, and has no direction. */
static void zero_vectors_teach_nothing(void **state)
{
    (void)state;
    static const char *const params[] = {"epochs=1", "factors=8", "optimizer=sgd", "learning_rate=0.1"};
    pen_context *ctx;
    pen_model *model;
    pen_error error = {0};
    assert_int_equal(train("two-tower", params, 4, &model, &ctx, &error), PEN_OK);
    const pen__state_tensor *bias = pen__model_tensor(model, "user.out.bias");
    assert_non_null(bias);
    for (int64_t k = 0; k < pen__state_elements(bias); k++) assert_true(fabsf(((const float *)bias->data)[k]) < 10);
    pen_model_destroy(model);
    pen_context_destroy(ctx);
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */

enum { APART = 11, MOST = 3 }; /* items that follow each other in time; of a history that is averaged */
static long bags, empty;

static void look_at_bags(const pen__batch *batch)
{
    const int32_t *begin = batch->begin[1], *item = batch->index[0];
    for (int64_t r = 0; r < batch->n[PEN_ROOT]; r++, bags++) {
        assert_int_equal(begin[r + 1] - begin[r], MOST);
        for (int32_t i = begin[r] + 1; i < begin[r + 1]; i++)
            assert_int_equal((item[i] - item[i - 1] + ITEMS) % ITEMS, APART);
    }
}

/* What came before the target, the latest of it: the item that follows in time is the target. */
static void look_at_rollbacks(const pen__batch *batch)
{
    const int32_t *begin = batch->begin[1], *item = batch->index[0], *target = batch->index[1];
    for (int64_t r = 0; r < batch->n[PEN_ROOT]; r++, bags++) {
        int32_t n = begin[r + 1] - begin[r];
        assert_true(n >= 0 && n <= MOST);
        for (int32_t i = begin[r] + 1; i <= begin[r + 1] && n; i++)
            assert_int_equal(((i < begin[r + 1] ? item[i] : target[r]) - item[i - 1] + ITEMS) % ITEMS, APART);
        empty += n == 0;
    }
}

/* Of a history that is longer than max_length a part is averaged that is in a row in time, as in an answer. */
static void histories_are_cut_in_time(void **state)
{
    (void)state;
    enum { LONG = 20 };
    static const char *const params[] = {"epochs=2",     "factors=8",    "batch_size=32",
                                         "max_length=3", "rollback=yes", "positives=1"};
    static row rows[USERS * LONG];
    for (int u = 0; u < USERS; u++)
        for (int e = 0; e < LONG; e++)
            rows[u * LONG + e] = (row){u, (u * 7 + e * APART) % ITEMS, 1, 1000 + (LONG - e) * -10};
    for (int k = 0; k + 1 < USERS * LONG; k += 2) { /* the file's order is not that of time */
        row first = rows[k];
        rows[k] = rows[k + 1], rows[k + 1] = first;
    }
    pen_context *ctx;
    pen_model *model;
    pen_error error = {0};
    look = look_at_bags, bags = 0;
    if (train_on(rows, USERS * LONG, "youtube-dnn", params, 4, &model, &ctx, &error) != PEN_OK)
        fail_msg("%s", error.message);
    assert_true(bags >= USERS);
    pen_model_destroy(model);
    pen_context_destroy(ctx);
    look = look_at_rollbacks, bags = empty = 0;
    if (train_on(rows, USERS * LONG, "youtube-dnn", params, 6, &model, &ctx, &error) != PEN_OK)
        fail_msg("%s", error.message);
    assert_int_equal(bags, 2 * USERS * LONG);
    assert_int_equal(empty, 2 * USERS); /* first events */
    look = NULL;
    pen_model_destroy(model);
    pen_context_destroy(ctx);
    assert_int_equal(train_on(rows, USERS * LONG, "youtube-dnn", params, 5, &model, &ctx, &error), PEN_E_ARGUMENT);
    assert_non_null(strstr(error.message, "positives must be 1"));
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_allocate_nothing), cmocka_unit_test(the_last_step_diverges),
        cmocka_unit_test(zero_vectors_teach_nothing), cmocka_unit_test(histories_are_cut_in_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
