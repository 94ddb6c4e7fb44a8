/* The speed of evaluation over the full catalogue, from given vectors.
 *
 *     bench_eval TRAIN.tsv TEST.tsv [VECTORS.f32] [METRICS]
 *
 * The files hold lines of user, item, ...: numbers without a header, users and items sorted are rows of the vectors, of
 * 64 float32 each, users first; without a file of them (or with -) they are drawn. A JSON line: wall clock and
 * processor seconds, the metrics over everybody. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/random.h"
#include "eval/evaluate.h"

enum { D = 64 };

typedef struct pair {
    int32_t user, item;
} pair;

typedef struct pairs {
    pair *pair;
    int64_t n;
} pairs;

typedef struct state {
    const float *users;
    pen__factors factors;
} state;

static void die(const char *what) { fprintf(stderr, "bench_eval: %s\n", what), exit(1); }

static pairs read_pairs(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file) die(path);
    pairs p = {NULL, 0};
    char line[256];
    for (int64_t cap = 0; fgets(line, sizeof line, file);) {
        if (p.n == cap) p.pair = realloc(p.pair, (size_t)(cap = cap ? 2 * cap : 1 << 16) * sizeof(pair));
        char *end;
        if (!p.pair) die("out of memory");
        p.pair[p.n].user = (int32_t)strtol(line, &end, 10);
        p.pair[p.n++].item = (int32_t)strtol(end, NULL, 10);
    }
    fclose(file);
    return p;
}

static int rising(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static int by_pair(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    return x->user != y->user ? (x->user > y->user) - (x->user < y->user) : (x->item > y->item) - (x->item < y->item);
}

/* The different users or items, rising. */
static int32_t *names(const pairs *p, int of_item, int32_t *n)
{
    int32_t *name = malloc((size_t)p->n * sizeof *name);
    if (!name) die("out of memory");
    for (int64_t i = 0; i < p->n; i++) name[i] = of_item ? p->pair[i].item : p->pair[i].user;
    qsort(name, (size_t)p->n, sizeof *name, rising);
    *n = 0;
    for (int64_t i = 0; i < p->n; i++)
        if (*n == 0 || name[*n - 1] != name[i]) name[(*n)++] = name[i];
    return name;
}

static int32_t number_of(const int32_t *name, int32_t n, int32_t wanted)
{
    const int32_t *found = bsearch(&wanted, name, (size_t)n, sizeof *name, rising);
    return found ? (int32_t)(found - name) : -1;
}

/* Pairs as a matrix of n_users rows; pairs that training does not know are left out. */
static pen__rows matrix(pairs *p, const int32_t *user, int32_t n_users, const int32_t *item, int32_t n_items)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < p->n; i++) {
        pair q = {number_of(user, n_users, p->pair[i].user), number_of(item, n_items, p->pair[i].item)};
        if (q.user >= 0 && q.item >= 0) p->pair[kept++] = q;
    }
    qsort(p->pair, (size_t)kept, sizeof(pair), by_pair);
    pen__rows rows = {n_users, calloc((size_t)n_users + 1, sizeof(int64_t)), malloc((size_t)kept * sizeof(int32_t)),
                      calloc((size_t)kept, sizeof(float)), NULL};
    if (!rows.begin || !rows.column || !rows.value) die("out of memory");
    for (int64_t i = 0; i < kept; i++) rows.begin[p->pair[i].user + 1]++, rows.column[i] = p->pair[i].item;
    for (int32_t u = 0; u < n_users; u++) rows.begin[u + 1] += rows.begin[u];
    return rows;
}

static float *vectors(const char *path, int64_t n)
{
    float *x = malloc((size_t)n * sizeof *x);
    if (!x) die("out of memory");
    if (path && strcmp(path, "-") != 0) {
        FILE *file = fopen(path, "rb");
        if (!file || fread(x, sizeof *x, (size_t)n, file) != (size_t)n) die(path);
        fclose(file);
        return x;
    }
    pen__rng rng = pen__rng_begin(1, PEN_STREAM_INIT, 0);
    for (int64_t i = 0; i < n; i++) x[i] = (float)pen__rng_normal(&rng);
    return x;
}

static void factors(const pen_model *model, pen__factors *out) { *out = ((const state *)model->state)->factors; }

static pen_status user_vector(const pen_model *model, const pen__user *user, void *scratch, float *out,
                              pen_error *error)
{
    (void)scratch, (void)error;
    memcpy(out, ((const state *)model->state)->users + (size_t)user->number * D, D * sizeof *out);
    return PEN_OK;
}

static const pen__model_class fixed = {.name = "fixed", .factors = factors, .user_vector = user_vector};

static double seconds(clockid_t of)
{
    struct timespec t;
    clock_gettime(of, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc < 3) die("give TRAIN.tsv TEST.tsv [VECTORS.f32 [METRICS]]");
    pairs seen = read_pairs(argv[1]), asked = read_pairs(argv[2]);
    int32_t n_users, n_items, n_metrics, *user = names(&seen, 0, &n_users), *item = names(&seen, 1, &n_items);
    pen__metric metric[PEN_MAX_METRICS];
    pen_error error = {0};
    pen_context *ctx;
    if (pen_context_create(NULL, &ctx, &error)) die(error.message);
    if (pen__metrics_parse(argc > 4 ? argv[4] : "ndcg@20,recall@20", PEN_TASK_RANK, metric, &n_metrics, &error))
        die(error.message);
    pen__cases cases = {.ctx = ctx,
                        .n = n_users,
                        .target = matrix(&asked, user, n_users, item, n_items),
                        .history = matrix(&seen, user, n_users, item, n_items)};
    for (int32_t u = 0; u < n_users; u++) user[u] = u;
    cases.user = cases.data_user = user;
    pen__train train = {.ctx = ctx, .n_users = n_users, .n_items = n_items};
    float *x = vectors(argc > 3 ? argv[3] : NULL, (int64_t)(n_users + n_items) * D);
    state s = {x, {D, x + (size_t)n_users * D, NULL}};
    pen_model model = {.ctx = ctx, .class = &fixed, .n_users = n_users, .n_items = n_items, .state = &s};
    for (int round = 0; round < 3; round++) {
        double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
        pen__scores scores;
        if (pen__evaluate(&model, &cases, &train, metric, n_metrics, PEN_TASK_RANK, 0, 1, &scores, &error))
            die(error.message);
        printf(
            "{\"name\": \"full-ranking\", \"users\": %d, \"items\": %d, \"seconds\": %.3f, \"processor_seconds\": %.3f",
            n_users, n_items, seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
        for (int32_t m = 0; m < n_metrics; m++) printf(", \"%s\": %.9g", metric[m].name, scores.whole[m]);
        printf(", \"peak_megabytes\": %.1f}\n", (double)pen_context_memory_peak(ctx) / 1e6);
        pen__scores_free(&scores);
    }
    pen_context_destroy(ctx);
    return 0;
}
