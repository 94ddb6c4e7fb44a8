/* Times Penchant inside one process, as the peers' scripts time themselves: reading, and fitting after reading.
 *
 *   bench_engine read FILE                          {"seconds", "events", "users", "items", "bytes"}
 *   bench_engine train TRAIN TASK MODEL [NAME=VALUE ...]   {"read_seconds", "about": as `penchant train --format json`}
 *   bench_engine fit TRAIN TEST TASK METRICS MODEL [NAME=VALUE ...]
 *                                                   {"read_seconds", "report": what `penchant evaluate --format json`
 *                                                   prints}
 *   bench_engine ask TRAIN LENGTH MODEL [NAME=VALUE ...]   answers histories of LENGTH items, one after the other, ten
 *                                                   items each: {"questions", "items", "p50_ms", "p99_ms"}
 *
 * Built with -DPENCHANT_BENCH=ON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "penchant/penchant.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int failed(const pen_error *error)
{
    fprintf(stderr, "bench_engine: %s\n", error->message);
    return 1;
}

static int time_reading(pen_context *ctx, const char *path)
{
    pen_read_options o = PEN_READ_OPTIONS_INIT;
    pen_dataset *log;
    pen_error error = {0};
    struct stat info;
    if (stat(path, &info)) return perror(path), 1;
    double began = now();
    if (pen_dataset_read(ctx, &path, 1, &o, &log, &error) != PEN_OK) return failed(&error);
    double seconds = now() - began;
    printf(
        "{\"seconds\": %.4f, \"events\": %lld, \"users\": %d, \"items\": %d, \"bytes\": %lld, \"peak_bytes\": %llu}\n",
        seconds, (long long)pen_dataset_events(log), pen_dataset_users(log), pen_dataset_items(log),
        (long long)info.st_size, (unsigned long long)pen_context_memory_peak(ctx));
    pen_dataset_destroy(log);
    return 0;
}

/* Everything is trained on, nothing is tested: words are MODEL [NAME=VALUE ...]. */
static pen_status train(pen_context *ctx, const char *path, int task, int n_words, char **words, pen_dataset **log,
                        pen_model **model, double *read_seconds, pen_error *error)
{
    pen_read_options o = PEN_READ_OPTIONS_INIT;
    pen_train_options t = PEN_TRAIN_OPTIONS_INIT;
    pen_protocol p;
    pen_protocol_init(&p);
    p.task = task;
    p.split = "ratio:1,0,0";
    t.model = words[0];
    t.params = (const char *const *)(words + 1);
    t.n_params = (size_t)(n_words - 1);
    double began = now();
    pen_status status = pen_dataset_read(ctx, &path, 1, &o, log, error);
    *read_seconds = now() - began;
    return status == PEN_OK ? pen_model_train(*log, &p, &t, model, error) : status;
}

static int time_training(pen_context *ctx, int argc, char **argv)
{
    pen_dataset *log = NULL;
    pen_model *model = NULL;
    pen_error error = {0};
    double seconds;
    int task = !strcmp(argv[1], "rate") ? PEN_TASK_RATE : PEN_TASK_RANK;
    if (train(ctx, argv[0], task, argc - 2, argv + 2, &log, &model, &seconds, &error) != PEN_OK) return failed(&error);
    printf("{\"read_seconds\": %.4f, \"about\": %s}\n", seconds, pen_model_about(model));
    pen_model_destroy(model);
    pen_dataset_destroy(log);
    return 0;
}

static int time_fitting(pen_context *ctx, int argc, char **argv)
{
    pen_read_options o = PEN_READ_OPTIONS_INIT;
    pen_protocol p;
    pen_dataset *log = NULL, *test = NULL;
    pen_report *report = NULL;
    pen_error error = {0};
    const char *paths[] = {argv[0], argv[1]}, *model = argv[4];
    pen_protocol_init(&p);
    p.task = !strcmp(argv[2], "rate") ? PEN_TASK_RATE : PEN_TASK_RANK;
    p.metrics = argv[3];
    p.split = "ratio:1,0,0"; /* everything given is trained on: no validation */
    p.bootstrap = 0;
    double began = now();
    if (pen_dataset_read(ctx, &paths[0], 1, &o, &log, &error) != PEN_OK) return failed(&error);
    double seconds = now() - began;
    if (pen_dataset_read(ctx, &paths[1], 1, &o, &test, &error) != PEN_OK) return failed(&error);
    pen_material material = {log, test, NULL};
    if (pen_evaluate(ctx, &material, 1, &p, &model, 1, (const char *const *)(argv + 5), (size_t)(argc - 5), &report,
                     &error) != PEN_OK)
        return failed(&error);
    printf("{\"read_seconds\": %.4f, \"report\": %s}\n", seconds, pen_report_json(report));
    pen_report_destroy(report);
    pen_dataset_destroy(test);
    pen_dataset_destroy(log);
    return 0;
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The history of question q: items far from each other, the same on every run. */
static void make_history(const pen_model *model, int q, int length, pen_string *history)
{
    int32_t n = pen_model_items(model);
    for (int k = 0; k < length; k++)
        history[k] = pen_model_item_id(model, (int32_t)((q * 104729LL + k * 7919LL) % (long long)n));
}

static int time_questions(const pen_model *model, int length)
{
    enum { QUESTIONS = 1000, WARM = 20 };
    static double ms[QUESTIONS];
    pen_string *history = calloc((size_t)length, sizeof *history);
    pen_query *query = NULL;
    pen_error error = {0};
    if (!history) return perror("bench_engine"), 1;
    if (pen_query_create(model, &query, &error) != PEN_OK) return failed(&error);
    for (int q = -WARM; q < QUESTIONS; q++) {
        pen_who who = PEN_WHO_INIT;
        pen_recommend_options o = PEN_RECOMMEND_OPTIONS_INIT;
        const pen_answer *answer;
        make_history(model, q + WARM, length, history);
        who.history = history, who.n_history = (size_t)length;
        double began = now();
        if (pen_recommend(query, &who, &o, &answer, &error) != PEN_OK) return failed(&error);
        if (q >= 0) ms[q] = 1e3 * (now() - began);
    }
    qsort(ms, QUESTIONS, sizeof *ms, rising);
    printf("{\"questions\": %d, \"items\": %d, \"p50_ms\": %.4f, \"p99_ms\": %.4f}\n", QUESTIONS,
           pen_model_items(model), ms[QUESTIONS / 2], ms[QUESTIONS * 99 / 100]);
    pen_query_destroy(query);
    free(history);
    return 0;
}

static int time_asking(pen_context *ctx, int argc, char **argv)
{
    pen_model *model = NULL;
    pen_dataset *log = NULL;
    pen_error error = {0};
    double seconds;
    int length = atoi(argv[1]);
    if (length < 1 || length > 100000) return fprintf(stderr, "bench_engine: a LENGTH is 1 to 100000\n"), 2;
    if (train(ctx, argv[0], PEN_TASK_RANK, argc - 2, argv + 2, &log, &model, &seconds, &error) != PEN_OK)
        return failed(&error);
    int status = time_questions(model, length);
    pen_model_destroy(model);
    pen_dataset_destroy(log);
    return status;
}

int main(int argc, char **argv)
{
    pen_context *ctx;
    pen_error error = {0};
    if (pen_context_create(NULL, &ctx, &error) != PEN_OK) return failed(&error);
    int status = 2;
    if (argc == 3 && !strcmp(argv[1], "read"))
        status = time_reading(ctx, argv[2]);
    else if (argc >= 5 && !strcmp(argv[1], "train"))
        status = time_training(ctx, argc - 2, argv + 2);
    else if (argc >= 7 && !strcmp(argv[1], "fit"))
        status = time_fitting(ctx, argc - 2, argv + 2);
    else if (argc >= 5 && !strcmp(argv[1], "ask"))
        status = time_asking(ctx, argc - 2, argv + 2);
    else
        fprintf(stderr, "usage: bench_engine read FILE | train TRAIN TASK MODEL [NAME=VALUE ...] | fit TRAIN TEST TASK "
                        "METRICS MODEL [NAME=VALUE ...] | ask TRAIN LENGTH MODEL [NAME=VALUE ...]\n");
    pen_context_destroy(ctx);
    return status;
}
