/* Times Penchant inside one process, as the peers' scripts time themselves: reading, and fitting after reading.
 *
 *   bench_engine read FILE                          {"seconds", "events", "users", "items", "bytes"}
 *   bench_engine train TRAIN TASK MODEL [NAME=VALUE ...]   {"read_seconds", "about": as `penchant train --format json`}
 *   bench_engine fit TRAIN TEST TASK METRICS MODEL [NAME=VALUE ...]
 *                                                   {"read_seconds", "report": what `penchant evaluate --format json`
 *                                                   prints}
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

/* Everything is trained on, nothing is tested. */
static int time_training(pen_context *ctx, int argc, char **argv)
{
    pen_read_options o = PEN_READ_OPTIONS_INIT;
    pen_train_options t = PEN_TRAIN_OPTIONS_INIT;
    pen_protocol p;
    pen_dataset *log = NULL;
    pen_model *model = NULL;
    pen_error error = {0};
    const char *path = argv[0];
    pen_protocol_init(&p);
    p.task = !strcmp(argv[1], "rate") ? PEN_TASK_RATE : PEN_TASK_RANK;
    p.split = "ratio:1,0,0";
    t.model = argv[2];
    t.params = (const char *const *)(argv + 3);
    t.n_params = (size_t)(argc - 3);
    double began = now();
    if (pen_dataset_read(ctx, &path, 1, &o, &log, &error) != PEN_OK) return failed(&error);
    double seconds = now() - began;
    if (pen_model_train(log, &p, &t, &model, &error) != PEN_OK) return failed(&error);
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
    else
        fprintf(stderr, "usage: bench_engine read FILE | train TRAIN TASK MODEL [NAME=VALUE ...] | fit TRAIN TEST TASK "
                        "METRICS MODEL [NAME=VALUE ...]\n");
    pen_context_destroy(ctx);
    return status;
}
