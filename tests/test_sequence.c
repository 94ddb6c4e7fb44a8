/* sasrec and gru4rec on a cycle: after item i comes i + 1, and no item is more popular than another. The last event of
 * a history that training never saw says what comes next: another one changes the answer, and so do the last two in the
 * other order; what lies before max_length changes nothing. */
#include "log_fixture.h"

#include "base/random.h"
#include "id_number.h"
#include "penchant/penchant.h"
#include "rank/catalogue.h"
#include "rank/model.h"

enum { CYCLE = 12, USERS = 250, LENGTH = 9, READ = 6, MOST_PARAMS = 12 };

typedef struct way {
    const char *model;
    const char *params[MOST_PARAMS]; /* NULL ends them */
} way;

#define QUICK "factors=16", "batch_size=16", "learning_rate=0.01", "max_length=6", "init=0.1", "epochs=60"

static const way ways[] = {
    {"sasrec", {QUICK, NULL}},
    {"sasrec", {QUICK, "norm=post", "places=first", NULL}},
    {"sasrec", {QUICK, "norm=query", "scale=1", "heads=2", NULL}},
    {"gru4rec", {QUICK, NULL}},
    {"gru4rec", {QUICK, "layers=2", "hidden=8", "loss=bpr-max", "negatives=12", NULL}},
};

/* Users go LENGTH steps; one in four goes anywhere. */
static pen_dataset *cycles(pen_context *ctx)
{
    row rows[USERS * LENGTH];
    for (int u = 0, at = 0; u < USERS; u++)
        for (int t = 0; t < LENGTH; t++) {
            uint64_t chance = pen__rand64(3, 1, (uint64_t)(u * LENGTH + t));
            at = t == 0 || chance % 4 == 0 ? (int)((chance >> 8) % CYCLE) : (at + 1) % CYCLE;
            rows[u * LENGTH + t] = (row){u, at, 1, 100 + t};
        }
    return dataset_of(ctx, rows, USERS * LENGTH, 0);
}

static pen_model *train(const pen_dataset *log, const way *how)
{
    pen_protocol p;
    pen_train_options o = PEN_TRAIN_OPTIONS_INIT;
    pen_model *model;
    pen_error error = {0};
    pen_protocol_init(&p);
    p.split = "ratio:1,0,0", p.duplicates = "keep";
    o.model = how->model, o.params = (const char *const *)how->params;
    while (how->params[o.n_params]) o.n_params++;
    if (pen_model_train(log, &p, &o, &model, &error) != PEN_OK) fail_msg("%s: %s", how->model, error.message);
    return model;
}

/* Scores of all items, by item, after a history of n numbers; the answer is the best of them. */
static int scores_after(pen_query *query, const pen_model *model, const int *history, size_t n, float *score)
{
    pen_who who = PEN_WHO_INIT;
    pen_recommend_options all = PEN_RECOMMEND_OPTIONS_INIT;
    const pen_answer *a;
    char text[32][8];
    pen_string id[32];
    for (size_t i = 0; i < n; i++) {
        snprintf(text[i], sizeof text[i], "i%d", history[i]);
        id[i] = pen_string_of(text[i]);
    }
    who.history = id, who.n_history = n;
    all.n = CYCLE, all.keep_seen = 1;
    assert_int_equal(pen_recommend(query, &who, &all, &a, NULL), PEN_OK);
    assert_int_equal(a->how, PEN_HOW_FOLDED_IN);
    assert_int_equal(a->n, CYCLE);
    for (int32_t i = 0; i < CYCLE; i++)
        score[id_number(&model->catalogue->items, a->items[i].item)] = a->items[i].score;
    return id_number(&model->catalogue->items, a->items[0].item);
}

typedef struct tally {
    int asked, before, first;
} tally;

/* Whether the next of `now` is answered first after a history that ends in it, or at least before that of `other`. */
static void tell_next(pen_query *query, const pen_model *model, const int *history, size_t n, int now, int other,
                      tally *t)
{
    float score[CYCLE];
    int first = scores_after(query, model, history, n, score);
    t->asked++;
    t->before += score[(now + 1) % CYCLE] > score[(other + 1) % CYCLE];
    t->first += first == (now + 1) % CYCLE;
}

/* What lies before max_length changes no bit. */
static void reads_the_latest(pen_query *query, const pen_model *model)
{
    const int history[] = {4, 9, 9, 1, 7, 2, 11, 5, 3, 8};
    float all[CYCLE], latest[CYCLE], fewer[CYCLE];
    size_t n = sizeof history / sizeof *history;
    scores_after(query, model, history, n, all);
    scores_after(query, model, history + n - READ, READ, latest);
    scores_after(query, model, history + n - READ + 1, READ - 1, fewer);
    assert_memory_equal(all, latest, sizeof all);
    assert_memory_not_equal(all, fewer, sizeof all);
}

static void the_last_event_counts(void **state)
{
    (void)state;
    pen_context *ctx = context_of(2);
    pen_dataset *log = cycles(ctx);
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        pen_model *model = train(log, &ways[w]);
        pen_query *query;
        tally t = {0};
        assert_int_equal(pen_query_create(model, &query, NULL), PEN_OK);
        for (int i = 0; i < CYCLE; i++)
            for (int jump = 2; jump < CYCLE - 1; jump++) {
                int a = (i + 1) % CYCLE, b = (i + 1 + jump) % CYCLE;
                tell_next(query, model, (int[]){i, a}, 2, a, b, &t);
                tell_next(query, model, (int[]){i, b}, 2, b, a, &t); /* another last event */
                tell_next(query, model, (int[]){i, b, a}, 3, a, b, &t);
                tell_next(query, model, (int[]){i, a, b}, 3, b, a, &t); /* the last two in the other order */
            }
        /* the jumps of training are noise; who does not look at the last event has a half and a twelfth */
        if (t.before < t.asked * 19 / 20 || t.first < t.asked * 3 / 4)
            fail_msg("%s, way %zu: of %d histories %d are answered with what comes next, %d have it before the other",
                     ways[w].model, w, t.asked, t.first, t.before);
        reads_the_latest(query, model);
        pen_query_destroy(query);
        pen_model_destroy(model);
    }
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_last_event_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
