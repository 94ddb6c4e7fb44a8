/* Asking trained models: every model of the registry, both tasks. Lists are exact under random mixes of filters, a
 * filtered list is the unfiltered one without what is not allowed, one user alone is as in all, threads change nothing,
 * failing memory leaves nothing. */
#include <pthread.h>

#include "log_fixture.h"

#include "base/random.h"
#include "penchant/penchant.h"
#include "rank/catalogue.h"
#include "rank/person.h"
#include "rank/rank.h"

enum { USERS = 60, ITEMS = 50, EVENTS = 700, MOST = ITEMS + 1 };

static pen_dataset *log_with_table(pen_context *ctx)
{
    row *rows = random_rows(EVENTS, USERS, ITEMS, 3);
    pen_dataset *d = dataset_of(ctx, rows, EVENTS, 0);
    int64_t n = d->items.n;
    float *year;
    pen__column *column;
    pen_error *error = NULL;
    free(rows);
    assert_int_equal(PEN_NEW_ZERO(ctx, column, 1) | PEN_NEW(ctx, year, n), PEN_OK);
    for (int64_t i = 0; i < n; i++) year[i] = i % 7 == 0 ? NAN : (float)(1950 + i);
    column[0] = (pen__column){.name = pen__strndup(ctx, "year", 4),
                              .type = PEN_COLUMN_NUMBER,
                              .rows = n,
                              .number = year,
                              .words = {.ctx = ctx}};
    d->item_table = (pen__table){.rows = n, .n_columns = 1, .title = -1, .column = column};
    (void)error;
    return d;
}

/* What makes a model quick, of the parameters that it has. */
static size_t quick_params(const pen_model_info *info, const char **out)
{
    static const char *const quick[] = {"epochs=3", "factors=8", "hidden=12"};
    size_t n = 0;
    for (size_t q = 0; info->iterative && q < sizeof quick / sizeof *quick; q++)
        for (size_t p = 0; p < info->n_params; p++) {
            size_t length = strlen(info->params[p].name);
            if (!strncmp(quick[q], info->params[p].name, length) && quick[q][length] == '=') out[n++] = quick[q];
        }
    return n;
}

static pen_model *train(const pen_dataset *log, const char *name, int task, int no_history)
{
    const char *params[4];
    pen_model_info info;
    pen_protocol protocol;
    pen_train_options o = PEN_TRAIN_OPTIONS_INIT;
    pen_model *model = NULL;
    pen_error error = {0};
    pen_protocol_init(&protocol);
    protocol.task = task;
    o.model = name;
    assert_int_equal(pen_models_find(name, &info, NULL), PEN_OK);
    o.params = params;
    o.n_params = quick_params(&info, params);
    /* as it begins, a layer of sums of ratings says little but how many there are */
    if (!strcmp(name, "autorec")) params[o.n_params++] = "learning_rate=0.1";
    o.no_history = no_history;
    if (pen_model_train(log, &protocol, &o, &model, &error) != PEN_OK) fail_msg("%s: %s", name, error.message);
    return model;
}

static void every_model(void (*check)(pen_model *model))
{
    pen_context *ctx = context_of(2);
    pen_dataset *log = log_with_table(ctx);
    for (size_t m = 0; m < pen_models(); m++) {
        pen_model_info info;
        assert_int_equal(pen_models_get(m, &info, NULL), PEN_OK);
        for (int task = PEN_TASK_RANK; task <= PEN_TASK_RATE; task++) {
            if (!(info.tasks >> task & 1)) continue;
            pen_model *model = train(log, info.name, task, 0);
            check(model);
            pen_model_destroy(model);
        }
    }
    pen_dataset_destroy(log);
    assert_int_equal(pen_context_memory(ctx) == 0 || pen_context_threads(ctx) > 1, 1);
    pen_context_destroy(ctx);
}

static pen_string item_id(const pen_model *m, int32_t i) { return pen_model_item_id(m, i); }

/* ---- filters ----------------------------------------------------------------------------------------------------- */

/* A random question; `allowed` is what a naive reading of it leaves. */
typedef struct question {
    pen_who who;
    pen_string history[8], allow[ITEMS + 1], deny[ITEMS + 1];
    float values[8];
    char where[64];
    pen_recommend_options options;
    bool allowed[ITEMS];
} question;

static bool in_list(const pen_model *m, const pen_string *ids, size_t n, int32_t item)
{
    pen_string id = item_id(m, item);
    for (size_t i = 0; i < n; i++)
        if (ids[i].length == id.length && !memcmp(ids[i].bytes, id.bytes, id.length)) return true;
    return false;
}

static size_t random_list(const pen_model *m, pen__rng *rng, pen_string *out, double share)
{
    size_t n = 0;
    for (int32_t i = 0; i < m->n_items; i++)
        if (pen__rng_uniform(rng) < share) out[n++] = item_id(m, i);
    if (pen__rng_below(rng, 3) == 0) out[n++] = pen_string_of("nobody has this");
    return n;
}

static void ask_who(const pen_model *m, pen__rng *rng, question *q)
{
    static const pen_who nobody = PEN_WHO_INIT;
    q->who = nobody;
    uint64_t kind = pen__rng_below(rng, 6);
    if (kind < 3) q->who.user = pen_model_user_id(m, (int32_t)pen__rng_below(rng, (uint64_t)m->n_users));
    if (kind == 3) q->who.user = pen_string_of("a stranger");
    if (kind == 2 || kind >= 4) {
        q->who.n_history = 1 + pen__rng_below(rng, 7);
        for (size_t i = 0; i < q->who.n_history; i++) {
            q->history[i] = pen__rng_below(rng, 5) ? item_id(m, (int32_t)pen__rng_below(rng, (uint64_t)m->n_items))
                                                   : pen_string_of("unknown");
            q->values[i] = pen__rng_below(rng, 2) ? NAN : (float)(1 + pen__rng_below(rng, 5));
        }
        q->who.history = q->history;
        q->who.values = q->values;
    }
}

static void make_question(const pen_model *m, pen__rng *rng, question *q)
{
    static const pen_recommend_options standard = PEN_RECOMMEND_OPTIONS_INIT;
    const pen__column *year = &m->catalogue->item_table.column[0];
    int since = 1950 + (int)pen__rng_below(rng, ITEMS);
    ask_who(m, rng, q);
    q->options = standard;
    q->options.n = 1 + (int32_t)pen__rng_below(rng, ITEMS + 5);
    q->options.keep_seen = pen__rng_below(rng, 3) == 0;
    q->options.why = pen__rng_below(rng, 4) == 0;
    if (pen__rng_below(rng, 2))
        q->options.deny = q->deny, q->options.n_deny = random_list(m, rng, q->deny, pen__rng_uniform(rng));
    if (pen__rng_below(rng, 2))
        q->options.allow = q->allow, q->options.n_allow = random_list(m, rng, q->allow, pen__rng_uniform(rng));
    if (pen__rng_below(rng, 2)) q->options.min_popularity = (int64_t)pen__rng_below(rng, 20);
    snprintf(q->where, sizeof q->where, "year < %d", since);
    if (pen__rng_below(rng, 2)) q->options.where = q->where;
    int32_t user = pen_model_find_user(m, q->who.user);
    for (int32_t i = 0; i < m->n_items; i++) {
        bool ok = !in_list(m, q->deny, q->options.n_deny, i) &&
                  (!q->options.allow || in_list(m, q->allow, q->options.n_allow, i));
        ok = ok && m->catalogue->item_events[i] >= q->options.min_popularity &&
             (!q->options.where || year->number[i] < (float)since);
        const pen__rows *h = &m->catalogue->history;
        for (int64_t e = user < 0 ? 0 : h->begin[user]; user >= 0 && e < h->begin[user + 1]; e++)
            ok = ok && (q->options.keep_seen || h->column[e] != i);
        q->allowed[i] = ok && (q->options.keep_seen || !in_list(m, q->history, q->who.n_history, i));
    }
}

/* The list of the same person without any filter. */
static int32_t full_list(pen_query *query, const question *q, int32_t *item, float *score, int *how)
{
    pen_recommend_options all = PEN_RECOMMEND_OPTIONS_INIT;
    const pen_answer *a;
    all.n = ITEMS;
    all.keep_seen = 1;
    assert_int_equal(pen_recommend(query, &q->who, &all, &a, NULL), PEN_OK);
    for (int32_t i = 0; i < a->n; i++) item[i] = a->items[i].item, score[i] = a->items[i].score;
    *how = a->how;
    return a->n;
}

static void check_filters(pen_model *m)
{
    pen_query *query;
    int compared = 0;
    assert_int_equal(pen_query_create(m, &query, NULL), PEN_OK);
    for (uint64_t seed = 0; seed < 150; seed++) {
        pen__rng rng = pen__rng_begin(seed, PEN_STREAM_SYNTH, 1);
        question q;
        int32_t item[ITEMS], want = 0, at = 0;
        float score[ITEMS];
        int how;
        const pen_answer *a;
        pen_error error = {0};
        make_question(m, &rng, &q);
        int32_t n_all = full_list(query, &q, item, score, &how);
        assert_int_equal(n_all, m->n_items);
        if (pen_recommend(query, &q.who, &q.options, &a, &error) != PEN_OK)
            fail_msg("%s: %s", m->class->name, error.message);
        for (int32_t i = 0; i < m->n_items; i++) want += q.allowed[i];
        assert_int_equal(a->n_allowed, want);
        assert_int_equal(a->n, want < q.options.n ? want : q.options.n);
        assert_int_equal(strstr(a->reason.bytes, "allowed") != NULL, a->n < q.options.n);
        for (int32_t i = 0; i < a->n; i++) {
            assert_true(q.allowed[a->items[i].item]);
            assert_int_equal(a->items[i].why.length > 0, q.options.why);
        }
        if (a->how != how) continue; /* nothing but zeros is left of the filtered list: it fell back */
        for (int32_t i = 0; i < a->n; i++, at++) {
            while (!q.allowed[item[at]]) at++;
            assert_int_equal(a->items[i].item, item[at]);
            assert_memory_equal(&a->items[i].score, &score[at], sizeof(float));
            /* ratings are rounded apart from scores */
            if (i) assert_true(a->items[i].score <= a->items[i - 1].score + 1e-5f);
        }
        compared++;
    }
    assert_true(compared > 100);
    pen_query_destroy(query);
}

static void lists_are_exact_under_any_filters(void **state)
{
    (void)state;
    every_model(check_filters);
}

/* ---- one and all ------------------------------------------------------------------------------------------------- */

typedef struct collected {
    pen__text text;
    size_t at[USERS + 1];
    int n;
} collected;

static int collect(void *user, const pen_answer *a)
{
    collected *c = user;
    pen__text_add(&c->text, a->text.bytes, a->text.length);
    c->at[++c->n] = c->text.length;
    return 0;
}

static pen_recommend_options full_options(void)
{
    pen_recommend_options o = PEN_RECOMMEND_OPTIONS_INIT;
    o.where = "year < 1990 or year is missing";
    o.min_popularity = 2;
    o.n = 7;
    o.why = 1;
    o.render = PEN_RENDER_JSON;
    return o;
}

static void check_alone(pen_model *m)
{
    for (int diverse = 0; diverse < 2; diverse++) {
        collected all = {.text = {.ctx = m->ctx}};
        pen_query *query;
        pen_recommend_options o = full_options();
        if (diverse && !m->class->factors) break; /* nothing says what is alike */
        if (diverse) o.diversity = 0.4;
        assert_int_equal(pen_query_create(m, &query, NULL), PEN_OK);
        assert_int_equal(pen_recommend_all(query, &o, collect, &all, NULL), PEN_OK);
        assert_int_equal(all.n, m->n_users);
        for (int32_t u = 0; u < m->n_users; u++) {
            pen_who who = PEN_WHO_INIT;
            const pen_answer *a;
            who.user = pen_model_user_id(m, u);
            assert_int_equal(pen_recommend(query, &who, &o, &a, NULL), PEN_OK);
            assert_int_equal(a->text.length, all.at[u + 1] - all.at[u]);
            assert_memory_equal(a->text.bytes, all.text.bytes + all.at[u], a->text.length);
        }
        pen__text_free(&all.text);
        pen_query_destroy(query);
    }
}

static void one_alone_is_as_in_all(void **state)
{
    (void)state;
    every_model(check_alone);
}

enum { EXPLAINED = 4 };

/* Several threads ask one model, each with a query of its own, before anything is prepared. */
typedef struct asker {
    const pen_model *model;
    int32_t first_item[USERS];
    float first_share[USERS];
    int status;
} asker;

static void *ask_everybody(void *arg)
{
    asker *a = arg;
    pen_query *query;
    a->status = pen_query_create(a->model, &query, NULL);
    for (int32_t u = 0; u < a->model->n_users && !a->status; u++) {
        pen_who who = PEN_WHO_INIT;
        const pen_answer *answer;
        who.user = pen_model_user_id(a->model, u);
        a->status = pen_recommend(query, &who, NULL, &answer, NULL);
        a->first_item[u] = a->status || !answer->n ? -1 : answer->items[0].item;
        const pen_explanation *why;
        if (u >= EXPLAINED || a->first_item[u] < 0) continue;
        a->status = pen_explain(query, &who, pen_model_item_id(a->model, a->first_item[u]), &why, NULL);
        a->first_share[u] = a->status || !why->n ? 0 : (float)why->reasons[0].share;
    }
    pen_query_destroy(query);
    return NULL;
}

static void check_threads(pen_model *m)
{
    static asker a[4];
    pthread_t thread[4];
    for (int t = 0; t < 4; t++) {
        a[t] = (asker){.model = m};
        assert_int_equal(pthread_create(&thread[t], NULL, ask_everybody, &a[t]), 0);
    }
    for (int t = 0; t < 4; t++) pthread_join(thread[t], NULL);
    for (int t = 0; t < 4; t++) {
        assert_int_equal(a[t].status, PEN_OK);
        assert_memory_equal(a[t].first_item, a[0].first_item, sizeof a[0].first_item);
        assert_memory_equal(a[t].first_share, a[0].first_share, sizeof a[0].first_share);
    }
}

static void threads_share_a_model(void **state)
{
    (void)state;
    every_model(check_threads);
}

/* ---- how an answer was made -------------------------------------------------------------------------------------- */

/* Models that answer from the history alone, so that folding one's own history in is the personal answer. */
static void check_own_history(pen_model *m)
{
    static const char *const equal[] = {"popular", "trending", "item-knn"};
    bool promised = false;
    for (size_t i = 0; i < sizeof equal / sizeof *equal; i++) promised = promised || !strcmp(m->class->name, equal[i]);
    if (!promised) return;
    pen_query *query;
    assert_int_equal(pen_query_create(m, &query, NULL), PEN_OK);
    for (int32_t u = 0; u < m->n_users; u++) {
        const pen__rows *h = &m->catalogue->history;
        pen_who own = PEN_WHO_INIT, given = PEN_WHO_INIT;
        pen_string history[EVENTS];
        const pen_answer *a;
        float score[10];
        own.user = pen_model_user_id(m, u);
        assert_int_equal(pen_recommend(query, &own, NULL, &a, NULL), PEN_OK);
        int32_t n = a->n;
        if (a->how != PEN_HOW_PERSONAL) continue;
        for (int32_t i = 0; i < n; i++) score[i] = a->items[i].score;
        given.n_history = (size_t)(h->begin[u + 1] - h->begin[u]);
        for (size_t i = 0; i < given.n_history; i++) history[i] = item_id(m, h->column[h->begin[u] + (int64_t)i]);
        given.history = history;
        given.values = h->value + h->begin[u];
        assert_int_equal(pen_recommend(query, &given, NULL, &a, NULL), PEN_OK);
        assert_int_equal(a->how, PEN_HOW_FOLDED_IN);
        assert_int_equal(a->n, n);
        /* sums in another order */
        for (int32_t i = 0; i < n; i++)
            assert_true(fabsf(a->items[i].score - score[i]) <= 1e-5f * (1 + fabsf(score[i])));
    }
    pen_query_destroy(query);
}

static void own_history_folded_in_is_personal(void **state)
{
    (void)state;
    every_model(check_own_history);
}

static void expect(pen_query *query, const pen_who *who, int how, const char *words)
{
    const pen_answer *a;
    assert_int_equal(pen_recommend(query, who, NULL, &a, NULL), PEN_OK);
    assert_int_equal(a->how, how);
    if (!strstr(a->reason.bytes, words)) fail_msg("'%s' is not in '%s'", words, a->reason.bytes);
    assert_int_equal(a->n, 10);
    if (how == PEN_HOW_FALLBACK)
        for (int32_t i = 1; i < a->n; i++) assert_true(a->items[i].score <= a->items[i - 1].score);
}

static void how_and_why_are_said(void **state)
{
    (void)state;
    pen_context *ctx = context_of(1);
    pen_dataset *log = log_with_table(ctx);
    pen_model *model = train(log, "ials", PEN_TASK_RANK, 0), *rates = train(log, "bias", PEN_TASK_RATE, 0),
              *bare = train(log, "ials", PEN_TASK_RANK, 1);
    pen_query *query, *rating, *other;
    assert_int_equal(pen_query_create(model, &query, NULL) | pen_query_create(rates, &rating, NULL) |
                         pen_query_create(bare, &other, NULL),
                     PEN_OK);
    pen_who who = PEN_WHO_INIT;
    pen_string one[] = {item_id(model, 0)}, some[] = {item_id(model, 0), pen_string_of("zzz"), pen_string_of("yyy")},
               none[] = {pen_string_of("zzz")};
    float value[] = {9};
    expect(query, &who, PEN_HOW_FALLBACK, "neither a user nor a history");
    who.user = pen_string_of("stranger");
    expect(query, &who, PEN_HOW_FALLBACK, "does not know user 'stranger'");
    who.history = one, who.n_history = 1;
    expect(query, &who, PEN_HOW_FOLDED_IN, "");
    who.user = pen_model_user_id(model, 1);
    expect(query, &who, PEN_HOW_FOLDED_IN, "");
    who.history = none;
    expect(query, &who, PEN_HOW_PERSONAL, "does not know item 'zzz' of the history");
    who.user = pen_string_of(NULL);
    expect(query, &who, PEN_HOW_FALLBACK, "no item of the history is known");
    who.history = some, who.n_history = 3;
    expect(query, &who, PEN_HOW_FOLDED_IN, "does not know 2 of the 3 items");
    expect(rating, &who, PEN_HOW_FOLDED_IN, "items without a value count as rated 5");
    who.history = one, who.n_history = 1, who.values = value;
    expect(rating, &who, PEN_HOW_FOLDED_IN, "at least 1 and at most 5");
    pen_who known = PEN_WHO_INIT;
    known.user = pen_model_user_id(model, 1);
    expect(query, &known, PEN_HOW_PERSONAL, "");
    expect(rating, &known, PEN_HOW_PERSONAL, "bias: ");
    expect(other, &known, PEN_HOW_PERSONAL, "--no-history");
    pen_query_destroy(query);
    pen_query_destroy(rating);
    pen_query_destroy(other);
    pen_model_destroy(model);
    pen_model_destroy(rates);
    pen_model_destroy(bare);
    pen_dataset_destroy(log);
    assert_int_equal(pen_context_memory(ctx), 0);
    pen_context_destroy(ctx);
}

/* ---- reasons, similar items, predictions ------------------------------------------------------------------------- */

static void check_reasons(pen_model *m)
{
    pen_query *query;
    assert_int_equal(pen_query_create(m, &query, NULL), PEN_OK);
    for (int32_t u = 0; u < 10 && u < m->n_users; u++) {
        pen_who who = PEN_WHO_INIT;
        pen_recommend_options o = PEN_RECOMMEND_OPTIONS_INIT;
        const pen_answer *a;
        const pen_explanation *e;
        o.n = 3;
        who.user = pen_model_user_id(m, u);
        assert_int_equal(pen_recommend(query, &who, &o, &a, NULL), PEN_OK);
        int how = a->how;
        int32_t item = a->items[1].item;
        float score = a->items[1].score;
        assert_int_equal(pen_explain(query, &who, item_id(m, item), &e, NULL), PEN_OK);
        assert_true(e->n >= 1 && e->why.length > 0 && e->text.length > 0);
        if (how != PEN_HOW_PERSONAL) continue;
        assert_int_equal(e->place, 2);
        /* lists hold ratings to 1..5 */
        double shown = m->task == PEN_TASK_RATE ? fmin(fmax(e->score, 1), 5) : e->score;
        assert_true(fabs(shown - (double)score) <= 1e-4 * (1 + fabs(shown)));
        double sum = 0;
        for (int32_t i = 0; i < e->n; i++) {
            sum += (double)e->reasons[i].share;
            assert_true(i == 0 || fabsf(e->reasons[i].share) <= fabsf(e->reasons[i - 1].share));
            assert_true(e->reasons[i].item >= 0 || e->reasons[i].what.length > 0);
        }
        if (e->exact && fabs(sum - e->score) > 1e-3 * (1 + fabs(e->score)))
            fail_msg("%s: shares sum to %g, the score is %g", m->class->name, sum, e->score);
    }
    pen_query_destroy(query);
}

static void reasons_name_the_score(void **state)
{
    (void)state;
    every_model(check_reasons);
}

/* The score of an item for somebody with that history; a rating that no training's range holds. */
static double score_given(pen_query *query, const pen_model *m, const pen_who *who, int32_t item)
{
    if (m->task == PEN_TASK_RATE) {
        const pen_explanation *e;
        assert_int_equal(pen_explain(query, who, item_id(m, item), &e, NULL), PEN_OK);
        return e->score;
    }
    pen_recommend_options all = PEN_RECOMMEND_OPTIONS_INIT;
    const pen_answer *a;
    all.n = ITEMS, all.keep_seen = 1;
    assert_int_equal(pen_recommend(query, who, &all, &a, NULL), PEN_OK);
    assert_int_equal(a->how, PEN_HOW_FOLDED_IN);
    for (int32_t i = 0; i < a->n; i++)
        if (a->items[i].item == item) return (double)a->items[i].score;
    fail_msg("%s: item %d is not in the list of all", m->class->name, item);
    return NAN;
}

static const pen_reason *reason_of(const pen_explanation *e, int32_t item)
{
    for (int32_t i = 0; i < e->n; i++)
        if (e->reasons[i].item == item) return &e->reasons[i];
    fail_msg("item %d is no reason", item);
    return NULL;
}

/* Shares beside scores of the history without each event: of a history that is given, and of the same by its user's
 * name, where what the model learned of the user is in the rest alone. */
static int compare_shares(const pen_model *m, pen_query *query, pen_query *other, int32_t u, int32_t item)
{
    const pen__rows *h = &m->catalogue->history;
    const int32_t *own = h->column + h->begin[u];
    const float *value = h->value + h->begin[u];
    size_t n = (size_t)(h->begin[u + 1] - h->begin[u]);
    pen_string whole[MOST], less[MOST];
    float less_value[MOST];
    pen_who given = PEN_WHO_INIT, shorter = PEN_WHO_INIT, named = PEN_WHO_INIT;
    const pen_explanation *e;
    int told = 0;
    assert_true(n > 1 && n < MOST);
    for (size_t i = 0; i < n; i++) whole[i] = item_id(m, own[i]);
    given.history = whole, given.values = value, given.n_history = n;
    shorter.history = less, shorter.values = less_value, shorter.n_history = n - 1;
    named.user = pen_model_user_id(m, u);
    double full = score_given(other, m, &given, item), near = 2e-6 * (1 + fabs(full)); /* sums in another order */
    for (int by_name = 0; by_name < 2; by_name++) {
        double sum = 0;
        assert_int_equal(pen_explain(query, by_name ? &named : &given, item_id(m, item), &e, NULL), PEN_OK);
        assert_int_equal(e->n, n + 1);
        assert_false(e->exact);
        for (size_t left = 0; left < n; left++) {
            for (size_t i = 0; i + 1 < n; i++) less[i] = whole[i + (i >= left)], less_value[i] = value[i + (i >= left)];
            double want = full - score_given(other, m, &shorter, item);
            double share = (double)reason_of(e, own[left])->share;
            if (!(fabs(share - want) <= near))
                fail_msg("%s: event %zu of %zu has a share of %g, not %g", m->class->name, left, n, share, want);
            sum += share;
            told += fabs(want) > 20 * near;
        }
        const pen_reason *rest = reason_of(e, -1);
        assert_string_equal(rest->what.bytes, "what no single event explains");
        assert_true(fabs((double)rest->share - (e->score - sum)) <= near);
    }
    return told;
}

static void check_shares(pen_model *m)
{
    const pen__rows *h = &m->catalogue->history;
    pen_query *query, *other;
    int compared = 0, told = 0;
    if (m->class->explain) return;
    assert_int_equal(pen_query_create(m, &query, NULL) | pen_query_create(m, &other, NULL), PEN_OK);
    for (int32_t u = 0; u < m->n_users && compared < 4; u++) {
        if (h->begin[u + 1] - h->begin[u] < 3) continue;
        told += compare_shares(m, query, other, u, h->column[h->begin[u] + 1]); /* one that the user had */
        told += compare_shares(m, query, other, u, (7 * u + 3) % m->n_items);
        compared++;
    }
    assert_int_equal(compared, 4);
    if (told < 30) fail_msg("%s: only %d shares are large enough to be compared", m->class->name, told);
    pen_query_destroy(query);
    pen_query_destroy(other);
}

static void shares_are_what_an_event_is_worth(void **state)
{
    (void)state;
    every_model(check_shares);
}

/* Of a longer history the latest 256 events have shares; what came before is in the rest. */
static void the_latest_events_have_shares(void **state)
{
    (void)state;
    enum { LONG = 300, LATEST = 256 };
    pen_context *ctx = context_of(1);
    pen_dataset *log = log_with_table(ctx);
    pen_model *model = train(log, "sasrec", PEN_TASK_RANK, 0);
    pen_query *query;
    const pen_explanation *e;
    pen_string history[LONG];
    pen_who who = PEN_WHO_INIT;
    assert_int_equal(pen_query_create(model, &query, NULL), PEN_OK);
    for (int i = 0; i < LONG; i++) history[i] = item_id(model, i < LONG - LATEST ? 0 : 1 + i % (model->n_items - 1));
    who.history = history, who.n_history = LONG;
    assert_int_equal(pen_explain(query, &who, item_id(model, 5), &e, NULL), PEN_OK);
    assert_int_equal(e->n, LATEST + 1);
    for (int32_t i = 0; i < e->n; i++) assert_int_not_equal(e->reasons[i].item, 0);
    pen_query_destroy(query);
    pen_model_destroy(model);
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
}

static void check_similar(pen_model *m)
{
    pen_query *query;
    const pen_answer *a;
    pen_error error = {0};
    int below = 0; /* items whose tenth neighbour is not the same */
    pen_recommend_options o = PEN_RECOMMEND_OPTIONS_INIT;
    assert_int_equal(pen_query_create(m, &query, NULL), PEN_OK);
    o.where = "year >= 1960";
    for (int32_t i = 0; i < m->n_items; i++) {
        if (pen_similar(query, item_id(m, i), &o, &a, &error) != PEN_OK)
            fail_msg("%s: %s", m->class->name, error.message);
        assert_int_equal(a->n, 10);
        for (int32_t j = 0; j < a->n; j++) {
            assert_int_not_equal(a->items[j].item, i);
            if (m->class->factors) assert_true(fabsf(a->items[j].score) <= 1.00001f); /* a cosine */
            if (m->class->factors && j == a->n - 1) below += a->items[j].score < 0.99f;
            assert_true(m->catalogue->item_table.column[0].number[a->items[j].item] >= 1960);
            assert_true(j == 0 || a->items[j].score <= a->items[j - 1].score);
        }
    }
    assert_int_equal(pen_similar(query, pen_string_of("zzz"), &o, &a, &error), PEN_E_UNKNOWN);
    assert_int_equal(pen_explain(query, &(pen_who)PEN_WHO_INIT, pen_string_of("zzz"), NULL, &error), PEN_E_ARGUMENT);
    assert_true(!m->class->factors || below > m->n_items / 2);
    pen_query_destroy(query);
}

static void similar_items_obey_filters(void **state)
{
    (void)state;
    every_model(check_similar);
}

typedef struct seen_pair {
    const pen_model *model;
    const pen_dataset *log;
    int64_t n;
} seen_pair;

static int check_prediction(void *user, const pen_prediction *p)
{
    seen_pair *s = user;
    const pen_model *m = s->model;
    int32_t u = pen_model_find_user(m, p->user), i = pen_model_find_item(m, p->item);
    const pen__rows *h = &m->catalogue->history;
    assert_true(p->user.length > 0);
    assert_int_equal(p->how, u >= 0 && i >= 0 ? PEN_HOW_PERSONAL : PEN_HOW_FALLBACK);
    assert_int_equal(p->reason.length > 0, p->how == PEN_HOW_FALLBACK);
    pen__user who = {.number = u};
    if (u >= 0)
        who = (pen__user){u, h->begin[u + 1] - h->begin[u], h->column + h->begin[u], h->value + h->begin[u], NULL};
    if (m->task == PEN_TASK_RATE && m->class->rate) {
        double want;
        assert_int_equal(pen__rate(m, &who, &i, &want, 1, NULL), PEN_OK);
        assert_true(p->value == want && p->value >= 1 && p->value <= 5);
    } else if (i >= 0) {
        float want;
        assert_int_equal(pen__score_one(m, &who, i, &want, NULL), PEN_OK);
        assert_true(p->value == (double)want);
    } else {
        assert_true(isnan(p->value));
    }
    s->n++;
    return 0;
}

/* Training knows users and items below USERS and ITEMS; the pairs go beyond both. */
static void check_predictions(pen_model *m)
{
    row *rows = random_rows(300, USERS + 8, ITEMS + 8, 5);
    pen_dataset *pairs = dataset_of(m->ctx, rows, 300, 0);
    seen_pair s = {m, pairs, 0};
    pen_query *query;
    assert_int_equal(pen_query_create(m, &query, NULL), PEN_OK);
    assert_int_equal(pen_predict_all(query, pairs, check_prediction, &s, NULL), PEN_OK);
    assert_int_equal(s.n, 300);
    pen_query_destroy(query);
    pen_dataset_destroy(pairs);
    free(rows);
}

static void predictions_are_the_models_own(void **state)
{
    (void)state;
    every_model(check_predictions);
}

/* ---- failing memory ---------------------------------------------------------------------------------------------- */

static int64_t until_failure; /* allocations that still succeed */

static void *meagre_resize(void *user, void *block, size_t bytes)
{
    (void)user;
    return until_failure-- > 0 ? realloc(block, bytes) : NULL;
}
static void *meagre(void *user, size_t bytes) { return meagre_resize(user, NULL, bytes); }
static void meagre_release(void *user, void *block) { (void)user, free(block); }

static pen_status ask_everything(pen_query *query, pen_string item)
{
    pen_recommend_options o = full_options();
    pen_who who = PEN_WHO_INIT;
    const pen_answer *a;
    const pen_explanation *e;
    collected all = {.text = {.failed = true}};
    pen_error *error = NULL;
    who.user = pen_string_of("u3");
    who.history = &item;
    who.n_history = 1;
    o.diversity = 0.3;
    o.allow = &item;
    o.n_allow = 1;
    PEN_TRY(pen_recommend(query, &who, &o, &a, error));
    o.allow = NULL, o.n_allow = 0;
    PEN_TRY(pen_recommend(query, &who, &o, &a, error));
    PEN_TRY(pen_similar(query, item, &o, &a, error));
    PEN_TRY(pen_explain(query, &who, item, &e, error));
    return pen_recommend_all(query, &o, collect, &all, error);
}

static void failing_memory_leaves_nothing(void **state)
{
    (void)state;
    pen_allocator allocator = {meagre, meagre_resize, meagre_release, NULL};
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    pen_context *ctx;
    options.allocator = &allocator;
    options.n_threads = 1;
    until_failure = INT64_MAX;
    assert_int_equal(pen_context_create(&options, &ctx, NULL), PEN_OK);
    pen_dataset *log = log_with_table(ctx);
    pen_model *model = train(log, "ials", PEN_TASK_RANK, 0);
    pen_query *query;
    const pen__ranker *ranker;
    /* it stays, so that the memory held can be compared */
    assert_int_equal(pen__model_ranker(model, &ranker, NULL), PEN_OK);
    uint64_t held = pen_context_memory(ctx);
    pen_status status = PEN_E_MEMORY;
    int64_t allocations = 0;
    for (; status == PEN_E_MEMORY && allocations < 100000; allocations++) {
        until_failure = allocations;
        query = NULL;
        status = pen_query_create(model, &query, NULL);
        if (status == PEN_OK) status = ask_everything(query, item_id(model, 2));
        pen_query_destroy(query);
        assert_int_equal(pen_context_memory(ctx), held);
    }
    assert_int_equal(status, PEN_OK);
    assert_true(allocations > 50);
    until_failure = INT64_MAX;
    pen_model_destroy(model);
    pen_dataset_destroy(log);
    assert_int_equal(pen_context_memory(ctx), 0);
    pen_context_destroy(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_exact_under_any_filters),
        cmocka_unit_test(one_alone_is_as_in_all),
        cmocka_unit_test(threads_share_a_model),
        cmocka_unit_test(own_history_folded_in_is_personal),
        cmocka_unit_test(how_and_why_are_said),
        cmocka_unit_test(reasons_name_the_score),
        cmocka_unit_test(shares_are_what_an_event_is_worth),
        cmocka_unit_test(the_latest_events_have_shares),
        cmocka_unit_test(similar_items_obey_filters),
        cmocka_unit_test(predictions_are_the_models_own),
        cmocka_unit_test(failing_memory_leaves_nothing),
    };
    if (getenv("PENCHANT_TEST")) cmocka_set_test_filter(getenv("PENCHANT_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
