/* The speed of iALS: seconds of each sweep, and what it did of the machine's arithmetic.
 *
 *     bench_ials TRAIN.tsv SWEEPS [NAME=VALUE ...] [-- TEST.tsv METRIC EVERY]
 *
 * A JSON line a sweep: seconds of wall clock and processor, the loss, and Gflop/s counted as 2 (events d (d + 1) / 2 +
 * rows d^3 / 6) for both sides, the least that exact solves need. With a test, every EVERY-th sweep is measured
 * (outside the clock). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/progress.h"
#include "eval/evaluate.h"
#include "penchant/penchant.h"

static void die(const pen_error *error) { fprintf(stderr, "bench_ials: %s\n", error->message), exit(1); }
#define MUST(call)                         \
    do {                                   \
        if ((call) != PEN_OK) die(&error); \
    } while (0)

static double processor(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    pen_error error = {0};
    pen_context *ctx;
    pen_context_options context_options = PEN_CONTEXT_OPTIONS_INIT;
    pen_read_options read = PEN_READ_OPTIONS_INIT;
    pen_protocol protocol;
    pen_dataset *data;
    pen__log log;
    pen__parts parts;
    pen__train train;
    pen__cases cases = {0};
    const pen__model_class *class = pen__model_class_find("ials");
    pen__params params;
    pen_model *model;
    if (argc < 3)
        return fprintf(stderr, "usage: bench_ials TRAIN.tsv SWEEPS [NAME=VALUE ...] [-- TEST.tsv METRIC EVERY]\n"), 1;
    int at = 3, sweeps = atoi(argv[2]), every = 0;
    pen__params_default(class, &params);
    for (; at < argc && strcmp(argv[at], "--"); at++) MUST(pen__params_set(class, &params, argv[at], &error));
    const char *paths[2] = {argv[1], at + 3 < argc ? argv[at + 1] : NULL},
               *metric_name = at + 3 < argc ? argv[at + 2] : "ndcg@20";
    if (at + 3 < argc) every = atoi(argv[at + 3]);
    const char *threads = getenv("THREADS");
    context_options.n_threads = threads ? atoi(threads) : 0;
    MUST(pen_context_create(&context_options, &ctx, &error));
    read.header = -1;
    pen_protocol_init(&protocol);
    int64_t test_from = -1;
    pen_dataset *first = NULL;
    if (paths[1]) {
        MUST(pen_dataset_read(ctx, paths, 1, &read, &first, &error));
        test_from = pen_dataset_events(first);
        pen_dataset_destroy(first);
    }
    MUST(pen_dataset_read(ctx, paths, paths[1] ? 2 : 1, &read, &data, &error));
    MUST(pen__log_build_given(data, &protocol, -1, test_from, &log, &error));
    parts = (pen__parts){.ctx = ctx, .n = log.n};
    MUST(test_from < 0 ? PEN_OK : pen__split(&log, &protocol, 1, 0, &parts, &error));
    MUST(pen__train_build(&log, test_from < 0 ? NULL : &parts, 1u << PEN_PART_TRAIN | 1u << PEN_PART_VALID,
                          PEN_TASK_RANK, &train, &error));
    pen__metric metric[PEN_MAX_METRICS];
    int32_t n_metrics;
    MUST(pen__metrics_parse(metric_name, PEN_TASK_RANK, metric, &n_metrics, &error));
    if (paths[1])
        MUST(pen__cases_build(&log, &parts, &train, &protocol, PEN_PART_TEST,
                              1u << PEN_PART_TRAIN | 1u << PEN_PART_VALID, 1, &cases, &error));

    double begun = pen__now(), all = 0, d = pen__params_get(class, &params, "factors");
    MUST(pen__model_new(ctx, class, &params, &train, 1, &model, &error));
    MUST(class->begin(model, &train, &error));
    all += pen__now() - begun;
    double flops =
        2 * (2 * (double)train.n_events * d * (d + 1) / 2 + (double)(train.n_users + train.n_items) * d * d * d / 6);
    for (int s = 0; s < sweeps; s++) {
        double loss, wall = pen__now(), busy = processor();
        MUST(class->epoch(model, &train, s, &loss, &error));
        wall = pen__now() - wall, busy = processor() - busy;
        all += wall;
        printf("{\"sweep\": %d, \"seconds\": %.4f, \"processor\": %.4f, \"all\": %.4f, \"loss\": %.6f, \"gflops\": "
               "%.1f, \"gflops_a_core\": %.1f",
               s + 1, wall, busy, all, loss, 1e-9 * flops / wall, 1e-9 * flops / busy);
        if (every && (s + 1) % every == 0) {
            pen__scores scores;
            MUST(pen__model_bind(model, &error));
            MUST(pen__evaluate(model, &cases, &train, metric, 1, PEN_TASK_RANK, 0, 1, &scores, &error));
            printf(", \"%s\": %.4f", metric->name, scores.whole[0]);
            pen__scores_free(&scores);
        }
        printf("}\n");
        fflush(stdout);
    }
    pen__model_free(model);
    pen__cases_free(&cases);
    pen__train_free(&train);
    pen__log_free(&log);
    if (test_from >= 0) pen__parts_free(&parts);
    pen_dataset_destroy(data);
    pen_context_destroy(ctx);
    return 0;
}
