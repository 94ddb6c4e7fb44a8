/* item-knn and user-knn against the definitions, pair by pair over dense vectors in double; and what both promise: the
 * same bits for any number of threads, reasons that add up, a history that is answered as its owner is. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "model/neighbour/knn_neighbours.h"
#include "rank/rank.h"

/* ---- data ------------------------------------------------------------------------------------------------------- */

typedef struct data {
    pen__train train;
    int64_t n_events;
} data;

static void *array(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    assert_non_null(p);
    return p;
}

static pen__rows rows_new(int64_t n_rows, int64_t n_events)
{
    return (pen__rows){n_rows, array((size_t)n_rows + 1, 8), array((size_t)n_events, 4), array((size_t)n_events, 4),
                       NULL};
}

/* Users have about `mean` items each, popular ones more often; values 1 to 5, or 1 where `ones`. */
static data data_new(pen_context *ctx, int32_t n_users, int32_t n_items, int32_t mean, int ones, int task)
{
    data d = {.train = {.ctx = ctx, .n_users = n_users, .n_items = n_items, .task = task}};
    pen__train *t = &d.train;
    char *has = array((size_t)n_items, 1);
    pen__rng rng = pen__rng_begin(5, 99, 0);
    t->by_user = rows_new(n_users, (int64_t)n_users * 2 * mean);
    for (int32_t u = 0; u < n_users; u++) {
        memset(has, 0, (size_t)n_items);
        int64_t n = 1 + (int64_t)pen__rng_below(&rng, (uint64_t)(2 * mean - 1)), got = 0;
        for (int64_t e = 0; e < n; e++) {
            double x = pen__rng_uniform(&rng);
            has[(int32_t)(x * x * n_items)] = 1;
        }
        for (int32_t i = 0; i < n_items; i++) {
            if (!has[i]) continue;
            int64_t at = t->by_user.begin[u] + got++;
            t->by_user.column[at] = i;
            t->by_user.value[at] = ones ? 1 : (float)(1 + pen__rng_below(&rng, 5));
        }
        t->by_user.begin[u + 1] = t->by_user.begin[u] + got;
    }
    free(has);
    t->n_events = d.n_events = t->by_user.begin[n_users];
    t->by_item = rows_new(n_items, d.n_events);
    for (int64_t e = 0; e < d.n_events; e++) t->by_item.begin[t->by_user.column[e] + 1]++;
    for (int32_t i = 0; i < n_items; i++) t->by_item.begin[i + 1] += t->by_item.begin[i];
    int64_t *next = array((size_t)n_items, 8);
    memcpy(next, t->by_item.begin, (size_t)n_items * 8);
    t->least = 1, t->most = 5;
    for (int32_t u = 0; u < n_users; u++)
        for (int64_t e = t->by_user.begin[u]; e < t->by_user.begin[u + 1]; e++) {
            int64_t at = next[t->by_user.column[e]]++;
            t->by_item.column[at] = u;
            t->by_item.value[at] = t->by_user.value[e];
            t->mean += (double)t->by_user.value[e] / (double)d.n_events;
        }
    free(next);
    return d;
}

static void rows_free(pen__rows *rows)
{
    free(rows->begin);
    free(rows->column);
    free(rows->value);
}

static void data_free(data *d)
{
    rows_free(&d->train.by_user);
    rows_free(&d->train.by_item);
}

static pen_context *context(int threads)
{
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.n_threads = threads;
    pen_context *ctx;
    assert_int_equal(pen_context_create(&options, &ctx, NULL), PEN_OK);
    return ctx;
}

/* params: "a=1 b=2". */
static pen__params params_of(const pen__model_class *class, const char *text)
{
    pen__params params;
    char copy[256], *save = NULL;
    snprintf(copy, sizeof copy, "%s", text);
    pen__params_default(class, &params);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
        assert_int_equal(pen__params_set(class, &params, word, NULL), PEN_OK);
    return params;
}

static pen_model *fitted(pen_context *ctx, const char *name, const char *text, const data *d)
{
    const pen__model_class *class = pen__model_class_find(name);
    pen__params params = params_of(class, text);
    pen_model *model;
    pen_error error = {0};
    if (pen__model_new(ctx, class, &params, &d->train, 1, &model, &error) != PEN_OK) fail_msg("%s", error.message);
    if (class->fit(model, &d->train, &error) != PEN_OK) fail_msg("%s %s: %s", name, text, error.message);
    if (pen__model_bind(model, &error) != PEN_OK) fail_msg("%s %s: %s", name, text, error.message);
    return model;
}

static pen__user user_of(const data *d, int32_t u)
{
    const pen__rows *r = &d->train.by_user;
    return (pen__user){u, r->begin[u + 1] - r->begin[u], r->column + r->begin[u], r->value + r->begin[u], NULL};
}

/* ---- the definitions --------------------------------------------------------------------------------------------- */

typedef struct naive {
    pen__similarity s;
    const data *d;
    const pen__rows *objects, *features;
    double *user, *item; /* biases */
    const double *object_bias, *feature_bias;
    double mean_length, *feature_mean;
    double *x, *y; /* (n_features), NaN where there is none */
} naive;

static double length(const pen__rows *rows, int64_t r)
{
    double sum = 0;
    for (int64_t e = rows->begin[r]; e < rows->begin[r + 1]; e++) sum += (double)rows->value[e];
    return sum;
}

static double weight(const naive *n, int64_t o, int64_t f, double value)
{
    double idf =
        log((1 + (double)n->objects->n_rows) / (1 + (double)(n->features->begin[f + 1] - n->features->begin[f])));
    if (n->d->train.task == PEN_TASK_RATE) {
        if (n->s.kind == PEN_ADJUSTED_COSINE) return value - n->feature_mean[f];
        return n->s.residuals ? value - n->d->train.mean - n->object_bias[o] - n->feature_bias[f] : value;
    }
    if (n->s.weighting == PEN_WEIGH_TFIDF) return sqrt(value) * idf;
    if (n->s.weighting == PEN_WEIGH_NONE) return value;
    return value * (n->s.k1 + 1) / (value + n->s.k1 * (1 - n->s.b + n->s.b * length(n->objects, o) / n->mean_length)) *
           idf;
}

static void fill(const naive *n, int64_t o, double *x)
{
    for (int64_t f = 0; f < n->features->n_rows; f++) x[f] = NAN;
    for (int64_t e = n->objects->begin[o]; e < n->objects->begin[o + 1]; e++)
        x[n->objects->column[e]] = weight(n, o, n->objects->column[e], (double)n->objects->value[e]);
}

/* s(o, p) by the formulas of knn_similarity.h. */
static double pair(const naive *n, int64_t o, int64_t p)
{
    const pen__similarity *s = &n->s;
    bool rating = n->d->train.task == PEN_TASK_RATE;
    double *x = n->x, *y = n->y, common = 0, n_o = 0, n_p = 0, N = (double)n->features->n_rows, square = 0, either = 0,
           mx = 0, my = 0;
    fill(n, o, x);
    fill(n, p, y);
    for (int64_t f = 0; f < n->features->n_rows; f++) {
        bool a = !isnan(x[f]), b = !isnan(y[f]);
        common += a && b, n_o += a, n_p += b;
        if (rating && !(a && b)) {
            x[f] = y[f] = NAN;
            continue;
        }
        if (!a) x[f] = 0;
        if (!b) y[f] = 0;
        either += a || b;
        if (a || b) square += (x[f] - y[f]) * (x[f] - y[f]);
        mx += x[f], my += y[f];
    }
    if (common < s->min_support || common == 0) return 0;
    if (s->kind == PEN_JACCARD) return common / (n_o + n_p - common + s->shrink);
    if (s->kind == PEN_TVERSKY)
        return common / (common + s->tversky_alpha * (n_o - common) + s->tversky_beta * (n_p - common) + s->shrink);
    if (s->kind == PEN_MSD) return 1 / (1 + square / (rating ? common : either)) * common / (common + s->shrink);
    if (s->kind == PEN_PEARSON && rating && common < 2) return 0;
    double xy = 0, xx = 0, yy = 0, divide = rating ? common : N;
    for (int64_t f = 0; f < n->features->n_rows; f++) {
        if (isnan(x[f])) continue;
        double minus = s->kind == PEN_ADJUSTED_COSINE && !rating ? n->feature_mean[f] : 0;
        double a = x[f] - (s->kind == PEN_PEARSON ? mx / divide : minus),
               b = y[f] - (s->kind == PEN_PEARSON ? my / divide : minus);
        xy += a * b, xx += a * a, yy += b * b;
    }
    if (xx < 1e-12 || yy < 1e-12) return 0;
    if (rating) return xy / sqrt(xx * yy) * common / (common + s->shrink);
    return xy / (pow(xx, s->alpha) * pow(yy, 1 - s->alpha) + s->shrink);
}

static void naive_biases(naive *n, double regularization)
{
    const pen__train *t = &n->d->train;
    for (int sweep = 0; sweep < 10; sweep++)
        for (int side = 0; side < 2; side++) {
            const pen__rows *rows = side ? &t->by_user : &t->by_item;
            double *out = side ? n->user : n->item, *other = side ? n->item : n->user;
            for (int64_t r = 0; r < rows->n_rows; r++) {
                double sum = 0;
                for (int64_t e = rows->begin[r]; e < rows->begin[r + 1]; e++)
                    sum += (double)rows->value[e] - t->mean - other[rows->column[e]];
                out[r] = sum / (regularization + (double)(rows->begin[r + 1] - rows->begin[r]));
            }
        }
}

static naive naive_new(const data *d, const pen__model_class *class, const char *text, bool users)
{
    naive n = {.d = d,
               .objects = users ? &d->train.by_user : &d->train.by_item,
               .features = users ? &d->train.by_item : &d->train.by_user};
    pen__params params = params_of(class, text);
    assert_int_equal(pen__similarity_of(class, &params, d->train.task, &n.s, NULL), PEN_OK);
    n.user = array((size_t)d->train.n_users, 8);
    n.item = array((size_t)d->train.n_items, 8);
    n.feature_mean = array((size_t)n.features->n_rows, 8);
    n.x = array((size_t)n.features->n_rows, 8);
    n.y = array((size_t)n.features->n_rows, 8);
    naive_biases(&n, 5);
    n.object_bias = users ? n.user : n.item;
    n.feature_bias = users ? n.item : n.user;
    for (int64_t o = 0; o < n.objects->n_rows; o++) n.mean_length += length(n.objects, o) / (double)n.objects->n_rows;
    bool rating = d->train.task == PEN_TASK_RATE;
    for (int64_t f = 0; f < n.features->n_rows; f++) {
        double sum = 0;
        for (int64_t e = n.features->begin[f]; e < n.features->begin[f + 1]; e++)
            sum += rating ? (double)n.features->value[e]
                          : weight(&n, n.features->column[e], f, (double)n.features->value[e]);
        double count = rating ? (double)(n.features->begin[f + 1] - n.features->begin[f]) : (double)n.objects->n_rows;
        n.feature_mean[f] = count > 0 ? sum / count : 0;
    }
    return n;
}

static void naive_free(naive *n)
{
    free(n->user);
    free(n->item);
    free(n->feature_mean);
    free(n->x);
    free(n->y);
}

/* Sums of hundreds of floats, then a quotient: a few 1e-6 of relative error; differences of close sums (Pearson)
 * more. */
static void close_to(double a, double b, const char *what, const char *text)
{
    if (!(fabs(a - b) <= 2e-4 * (1 + fabs(b)))) fail_msg("%s, %s: %.7g is not %.7g", text, what, a, b);
}

static int falling(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x > y ? -1 : x < y;
}

/* ---- item-knn ---------------------------------------------------------------------------------------------------- */

/* The lists of `step`-th items: each similarity is right, and they are the k largest. */
static void check_lists(const pen_model *model, naive *n, int32_t k, int32_t step, const char *text)
{
    const int64_t *begin = pen__model_tensor(model, "item.begin")->data;
    const int32_t *neighbour = pen__model_tensor(model, "item.neighbour")->data;
    const float *similarity = pen__model_tensor(model, "item.similarity")->data;
    double *all = array((size_t)model->n_items, 8), *sorted = array((size_t)model->n_items, 8);
    for (int32_t i = 0; i < model->n_items; i += step) {
        int32_t positive = 0;
        for (int32_t j = 0; j < model->n_items; j++) {
            all[j] = j == i ? 0 : pair(n, i, j);
            all[j] = all[j] > 0 ? pow(all[j], n->s.power) : 0;
            positive += all[j] > 1e-5;
            sorted[j] = all[j];
        }
        qsort(sorted, (size_t)model->n_items, 8, falling);
        int64_t length_i = begin[i + 1] - begin[i];
        if (length_i > k || length_i < (positive < k ? positive : k))
            fail_msg("%s: item %d has %ld neighbours, %d are positive", text, i, (long)length_i, positive);
        for (int64_t e = begin[i]; e < begin[i + 1]; e++) {
            close_to((double)similarity[e], all[neighbour[e]], "similarity of a neighbour", text);
            close_to((double)similarity[e], sorted[e - begin[i]], "the best similarities", text);
            if (e > begin[i])
                assert_true(similarity[e] < similarity[e - 1] ||
                            (similarity[e] == similarity[e - 1] && neighbour[e] > neighbour[e - 1]));
        }
    }
    free(all);
    free(sorted);
}

static double item_rating(const pen_model *model, const naive *n, const pen__user *user, int32_t item, int32_t k,
                          double damping)
{
    const int64_t *begin = pen__model_tensor(model, "item.begin")->data;
    const int32_t *neighbour = pen__model_tensor(model, "item.neighbour")->data;
    const float *similarity = pen__model_tensor(model, "item.similarity")->data;
    double pull = 0, weight_sum = damping, mean = n->d->train.mean;
    int used = 0;
    for (int64_t e = begin[item]; e < begin[item + 1] && used < k; e++)
        for (int64_t h = 0; h < user->n; h++) {
            if (user->item[h] != neighbour[e]) continue;
            pull +=
                (double)similarity[e] * ((double)user->value[h] - mean - n->user[user->number] - n->item[neighbour[e]]);
            weight_sum += (double)similarity[e];
            used++;
        }
    return mean + n->user[user->number] + n->item[item] + (weight_sum > 0 ? pull / weight_sum : 0);
}

static void check_item_scores(const pen_model *model, const data *d, naive *n, const char *text)
{
    void *scratch = array(pen__model_scratch(model), 1);
    float *scores = array((size_t)model->n_items, 4), *similar = array((size_t)model->n_items, 4);
    for (int32_t u = 0; u < model->n_users; u += 7) {
        pen__user user = user_of(d, u);
        assert_int_equal(model->class->score(model, &user, scratch, scores, NULL), PEN_OK);
        for (int32_t i = 0; i < model->n_items; i += 3) {
            double want = 0, rating;
            if (d->train.task == PEN_TASK_RATE) {
                want = item_rating(model, n, &user, i, 5, 0.5);
                assert_int_equal(model->class->rate(model, &user, i, scratch, &rating, NULL), PEN_OK);
                close_to(rating, want, "rating", text);
            } else {
                assert_int_equal(model->class->similar(model, i, scratch, similar, NULL), PEN_OK);
                for (int64_t h = 0; h < user.n; h++) want += (double)similar[user.item[h]] * (double)user.value[h];
            }
            close_to((double)scores[i], want, "score", text);
        }
    }
    free(scratch);
    free(scores);
    free(similar);
}

/* ---- user-knn ---------------------------------------------------------------------------------------------------- */

/* With as many neighbours as there are users: sums over all of them, so that no tie decides. Only what the history
 * lacks. */
static void check_user_scores(const pen_model *model, const data *d, naive *n, int32_t k, const char *text)
{
    void *scratch = array(pen__model_scratch(model), 1);
    float *scores = array((size_t)model->n_items, 4);
    double *similar = array((size_t)model->n_users, 8), *sorted = array((size_t)model->n_users, 8);
    const pen__rows *by_item = &d->train.by_item;
    bool rating = d->train.task == PEN_TASK_RATE;
    for (int32_t u = 0; u < model->n_users; u += 5) {
        pen__user user = user_of(d, u);
        assert_int_equal(model->class->score(model, &user, scratch, scores, NULL), PEN_OK);
        for (int32_t v = 0; v < model->n_users; v++) {
            double s = v == u ? 0 : pair(n, u, v);
            similar[v] = s > 0 ? pow(s, n->s.power) : 0;
        }
        for (int32_t i = 0; i < model->n_items; i++) {
            double want = 0, pull = 0, weight_sum = 0.5, least = 0;
            int64_t m = 0;
            bool has = false;
            for (int64_t e = by_item->begin[i]; e < by_item->begin[i + 1]; e++) {
                sorted[m++] = similar[by_item->column[e]];
                has |= by_item->column[e] == u;
            }
            if (has) continue;
            qsort(sorted, (size_t)m, 8, falling);
            /* between the last that counts and the first that does not */
            if (rating && m > k) least = (sorted[k - 1] + sorted[k]) / 2;
            if (rating && m > k && sorted[k - 1] - sorted[k] < 1e-4) continue; /* a tie decides */
            for (int64_t e = by_item->begin[i]; e < by_item->begin[i + 1]; e++) {
                int32_t v = by_item->column[e];
                double s = similar[v], r = (double)by_item->value[e];
                if (rating && s > least) pull += s * (r - d->train.mean - n->user[v] - n->item[i]), weight_sum += s;
                if (!rating) want += s * r;
            }
            if (rating) want = d->train.mean + n->user[u] + n->item[i] + pull / weight_sum;
            close_to((double)scores[i], want, "score", text);
            if (rating) {
                double got;
                assert_int_equal(model->class->rate(model, &user, i, scratch, &got, NULL), PEN_OK);
                close_to(got, want, "rating", text);
            }
        }
    }
    free(scratch);
    free(scores);
    free(similar);
    free(sorted);
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static const char *const ranking[] = {"similarity=cosine shrink=0",
                                      "similarity=cosine shrink=3",
                                      "similarity=cosine alpha=0.3 shrink=1",
                                      "similarity=cosine power=2.5",
                                      "similarity=cosine weighting=tfidf",
                                      "similarity=cosine weighting=bm25 shrink=10",
                                      "similarity=cosine weighting=bm25 bm25_k1=20 bm25_b=0.2 shrink=2",
                                      "similarity=cosine min_support=3",
                                      "similarity=cosine weighting=tfidf min_support=2",
                                      "similarity=jaccard shrink=0",
                                      "similarity=jaccard shrink=2 min_support=2",
                                      "similarity=tversky tversky_alpha=0.2 tversky_beta=1.5",
                                      "similarity=tversky tversky_alpha=0.5 tversky_beta=0.5",
                                      "similarity=pearson shrink=0",
                                      "similarity=pearson weighting=tfidf",
                                      "similarity=adjusted-cosine shrink=0",
                                      "similarity=adjusted-cosine weighting=bm25",
                                      "similarity=msd",
                                      "similarity=msd shrink=5 min_support=2"};
static const char *const rating[] = {"similarity=cosine shrink=0",
                                     "similarity=cosine shrink=20",
                                     "similarity=cosine residuals=no",
                                     "similarity=pearson shrink=5",
                                     "similarity=pearson residuals=no min_support=3",
                                     "similarity=adjusted-cosine shrink=5",
                                     "similarity=msd shrink=0",
                                     "similarity=msd residuals=no shrink=10",
                                     "similarity=jaccard",
                                     "similarity=tversky tversky_alpha=0.3 tversky_beta=2",
                                     "similarity=cosine power=2 shrink=10"};

static void check_all(const data *d, const char *const *configs, size_t n_configs)
{
    for (size_t c = 0; c < n_configs; c++) {
        char text[256];
        bool rates = d->train.task == PEN_TASK_RATE;
        snprintf(text, sizeof text, "%s k=%d pool=1000 damping=0.5", configs[c], rates ? 5 : 8);
        pen_model *model = fitted(d->train.ctx, "item-knn", text, d);
        naive n = naive_new(d, model->class, text, false);
        check_lists(model, &n, rates ? 1000 : 8, 3, text);
        check_item_scores(model, d, &n, text);
        pen__model_free(model);
        naive_free(&n);
        snprintf(text, sizeof text, "%s k=%d damping=0.5", configs[c], rates ? 5 : 1000);
        model = fitted(d->train.ctx, "user-knn", text, d);
        n = naive_new(d, model->class, text, true);
        check_user_scores(model, d, &n, 5, text);
        pen__model_free(model);
        naive_free(&n);
    }
}

static void ranking_follows_the_definitions(void **state)
{
    (void)state;
    pen_context *ctx = context(2);
    for (int ones = 0; ones < 2; ones++) {
        data d = data_new(ctx, 70, 50, 9, ones, PEN_TASK_RANK);
        check_all(&d, ranking, sizeof ranking / sizeof *ranking);
        data_free(&d);
    }
    pen_context_destroy(ctx);
}

static void rating_follows_the_definitions(void **state)
{
    (void)state;
    pen_context *ctx = context(2);
    data d = data_new(ctx, 70, 50, 9, 0, PEN_TASK_RATE);
    check_all(&d, rating, sizeof rating / sizeof *rating);
    data_free(&d);
    pen_context_destroy(ctx);
}

/* More objects than one tile of sums, most of them with few events: the second walk instead of the scan. */
static void large_catalogues_are_cut_into_tiles(void **state)
{
    (void)state;
    pen_context *ctx = context(2);
    for (int task = PEN_TASK_RANK; task <= PEN_TASK_RATE; task++) {
        data d = data_new(ctx, 120, 70000, 900, task == PEN_TASK_RANK, task);
        const char *text = "similarity=cosine k=20 pool=20 shrink=2";
        pen_model *model = fitted(ctx, "item-knn", text, &d);
        naive n = naive_new(&d, model->class, text, false);
        check_lists(model, &n, 20, 23003, text);
        pen__model_free(model);
        naive_free(&n);
        data_free(&d);
    }
    pen_context_destroy(ctx);
}

static void same_tensors(const pen_model *a, const pen_model *b)
{
    assert_int_equal(a->n_tensors, b->n_tensors);
    for (int t = 0; t < a->n_tensors; t++) {
        assert_int_equal(pen__state_bytes(&a->tensor[t]), pen__state_bytes(&b->tensor[t]));
        assert_memory_equal(a->tensor[t].data, b->tensor[t].data, pen__state_bytes(&a->tensor[t]));
    }
}

static void threads_change_no_bit(void **state)
{
    (void)state;
    pen_context *one = context(1), *four = context(4);
    static const char *const texts[] = {"k=7", "k=7 weighting=bm25 shrink=5", "k=7 similarity=jaccard", "k=7 alpha=0.2",
                                        "k=7 pool=30 shrink=3"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int task = i == 4 ? PEN_TASK_RATE : PEN_TASK_RANK;
        data d = data_new(one, 300, 900, 25, task == PEN_TASK_RANK, task),
             e = data_new(four, 300, 900, 25, task == PEN_TASK_RANK, task);
        pen_model *a = fitted(one, "item-knn", texts[i], &d);
        for (int round = 0; round < 5; round++) {
            pen_model *b = fitted(four, "item-knn", texts[i], &e);
            same_tensors(a, b);
            pen__model_free(b);
        }
        pen__model_free(a);
        data_free(&d);
        data_free(&e);
    }
    pen_context_destroy(one);
    pen_context_destroy(four);
}

static const struct {
    const char *name, *text;
    int task, ones;
} answering[] = {{"item-knn", "k=10", PEN_TASK_RANK, 1},
                 {"item-knn", "k=10 normalize=yes weighting=bm25", PEN_TASK_RANK, 0},
                 {"item-knn", "k=10 shrink=10", PEN_TASK_RATE, 0},
                 {"user-knn", "k=10", PEN_TASK_RANK, 1},
                 {"user-knn", "k=10 weighting=tfidf power=2", PEN_TASK_RANK, 1},
                 {"user-knn", "k=10 weighting=bm25 shrink=3", PEN_TASK_RANK, 0},
                 {"user-knn", "k=10 similarity=jaccard", PEN_TASK_RANK, 1},
                 {"user-knn", "k=10 similarity=pearson", PEN_TASK_RANK, 0},
                 {"user-knn", "k=10 similarity=msd", PEN_TASK_RANK, 0},
                 {"user-knn", "k=10 shrink=10 damping=0.5", PEN_TASK_RATE, 0},
                 {"user-knn", "k=10 similarity=pearson", PEN_TASK_RATE, 0}};
static const size_t n_answering = sizeof answering / sizeof *answering;

static void reasons_add_up(void **state)
{
    (void)state;
    pen_context *ctx = context(1);
    for (size_t a = 0; a < n_answering; a++) {
        data d = data_new(ctx, 70, 50, 9, answering[a].ones, answering[a].task);
        pen_model *model = fitted(ctx, answering[a].name, answering[a].text, &d);
        void *scratch = array(pen__model_scratch(model), 1);
        float *scores = array(50, 4);
        int explained = 0;
        for (int32_t u = 0; u < 70; u += 3) {
            pen__user user = user_of(&d, u);
            assert_int_equal(model->class->score(model, &user, scratch, scores, NULL), PEN_OK);
            for (int32_t i = 0; i < 50; i++)
                for (int32_t cap = 2; cap <= 64; cap *= 4) {
                    pen__reason reason[64];
                    int32_t n, exact;
                    double sum = 0;
                    assert_int_equal(model->class->explain(model, &user, i, scratch, reason, cap, &n, &exact, NULL),
                                     PEN_OK);
                    assert_true(exact && n <= cap);
                    for (int32_t r = 0; r < n; r++) {
                        sum += (double)reason[r].share;
                        bool in_history = false;
                        for (int64_t h = 0; h < user.n; h++) in_history |= user.item[h] == reason[r].item;
                        assert_true(reason[r].item == -1 ? reason[r].what != NULL : in_history);
                        explained += in_history;
                    }
                    close_to(sum, (double)scores[i], "the sum of reasons", answering[a].text);
                }
        }
        assert_true(explained > 1000);
        free(scratch);
        free(scores);
        pen__model_free(model);
        data_free(&d);
    }
    pen_context_destroy(ctx);
}

/* A training user's history with no name on it gives the same scores of everything that is new to it. */
static void histories_are_answered_like_their_owners(void **state)
{
    (void)state;
    pen_context *ctx = context(1);
    for (size_t a = 0; a < n_answering; a++) {
        data d = data_new(ctx, 70, 50, 9, answering[a].ones, answering[a].task);
        pen_model *model = fitted(ctx, answering[a].name, answering[a].text, &d);
        void *scratch = array(pen__model_scratch(model), 1);
        float own[50], folded[50];
        for (int32_t u = 0; u < 70; u++) {
            pen__user user = user_of(&d, u);
            assert_int_equal(model->class->score(model, &user, scratch, own, NULL), PEN_OK);
            user.number = -1;
            assert_int_equal(model->class->score(model, &user, scratch, folded, NULL), PEN_OK);
            for (int64_t h = 0; h < user.n; h++) own[user.item[h]] = folded[user.item[h]] = 0;
            assert_memory_equal(own, folded, sizeof own);
        }
        free(scratch);
        pen__model_free(model);
        data_free(&d);
    }
    pen_context_destroy(ctx);
}

static void nothing_known_is_no_error(void **state)
{
    (void)state;
    pen_context *ctx = context(1);
    for (size_t a = 0; a < n_answering; a++) {
        data d = data_new(ctx, 70, 50, 9, answering[a].ones, answering[a].task);
        pen_model *model = fitted(ctx, answering[a].name, answering[a].text, &d);
        void *scratch = array(pen__model_scratch(model), 1);
        float scores[50];
        double value;
        pen__user nobody = {.number = -1}, somebody = user_of(&d, 3);
        assert_int_equal(model->class->score(model, &nobody, scratch, scores, NULL), PEN_OK);
        for (int i = 0; i < 50; i++)
            assert_true(answering[a].task == PEN_TASK_RANK ? scores[i] == 0 : fabsf(scores[i] - 3) < 3);
        if (answering[a].task == PEN_TASK_RATE) {
            assert_int_equal(model->class->rate(model, &somebody, -1, scratch, &value, NULL), PEN_OK);
            assert_true(fabs(value - d.train.mean) < 2);
            assert_int_equal(model->class->rate(model, &nobody, -1, scratch, &value, NULL), PEN_OK);
            close_to(value, d.train.mean, "nobody's rating of nothing", answering[a].text);
        }
        free(scratch);
        pen__model_free(model);
        data_free(&d);
    }
    pen_context_destroy(ctx);
}

static void parameters_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    const pen__model_class *class = pen__model_class_find("item-knn");
    pen__similarity s;
    pen_error error = {0};
    static const struct {
        const char *text;
        int task;
    } wrong[] = {{"similarity=jaccard weighting=bm25", PEN_TASK_RANK},
                 {"weighting=tfidf", PEN_TASK_RATE},
                 {"alpha=0.3", PEN_TASK_RATE},
                 {"similarity=msd alpha=0.3", PEN_TASK_RANK}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        pen__params params = params_of(class, wrong[i].text);
        assert_int_equal(pen__similarity_of(class, &params, wrong[i].task, &s, &error), PEN_E_ARGUMENT);
        assert_true(strlen(error.message) > 10);
    }
}

/* Selection and sorting of keys against qsort, with many equal similarities. */
static int key_falling(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x > y ? -1 : x < y;
}

static void keys_are_selected_and_sorted(void **state)
{
    (void)state;
    static uint64_t key[3000], want[3000];
    for (int n = 0; n <= 3000; n = n < 70 ? n + 1 : n * 2) {
        for (int k = 0; k <= n; k = k < 5 ? k + 1 : k * 3) {
            for (int i = 0; i < n; i++)
                want[i] = key[i] = pen__neighbour_key((float)(1 + pen__rand64(1, 2, (uint64_t)i) % 7), i);
            qsort(want, (size_t)n, 8, key_falling);
            pen__neighbours_select(key, n, k);
            pen__neighbours_sort(key, k);
            assert_memory_equal(key, want, (size_t)k * 8);
        }
    }
    assert_true(pen__neighbour_number(pen__neighbour_key(0.5f, 12345)) == 12345);
    assert_true(pen__neighbour_similarity(pen__neighbour_key(0.5f, 12345)) == 0.5f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keys_are_selected_and_sorted),
                                       cmocka_unit_test(parameters_that_do_not_fit_are_refused),
                                       cmocka_unit_test(ranking_follows_the_definitions),
                                       cmocka_unit_test(rating_follows_the_definitions),
                                       cmocka_unit_test(large_catalogues_are_cut_into_tiles),
                                       cmocka_unit_test(threads_change_no_bit),
                                       cmocka_unit_test(reasons_add_up),
                                       cmocka_unit_test(histories_are_answered_like_their_owners),
                                       cmocka_unit_test(nothing_known_is_no_error)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
