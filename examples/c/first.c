/* Reads a log, compares two models, trains one and writes it: first LOG MODEL.pen */
#include <stdio.h>

#include <penchant/penchant.h>

static int failed(const pen_error *error)
{
    fprintf(stderr, "first: %s\n", error->message);
    return 1;
}

int main(int argc, char **argv)
{
    pen_context *ctx = NULL;
    pen_dataset *log = NULL;
    pen_report *report = NULL;
    pen_model *model = NULL;
    pen_error error = {0};
    pen_read_options reading = PEN_READ_OPTIONS_INIT;
    pen_train_options training = PEN_TRAIN_OPTIONS_INIT;
    pen_protocol protocol;
    if (argc != 3) return fprintf(stderr, "usage: first LOG MODEL.pen\n"), 2;

    const char *paths[] = {argv[1]}, *models[] = {"popular", "random"};
    pen_protocol_init(&protocol);
    if (pen_context_create(NULL, &ctx, &error)) return failed(&error);
    if (pen_dataset_load(ctx, paths, 1, &reading, &log, &error)) return failed(&error);
    pen_material material = {log, NULL, NULL};
    if (pen_evaluate(ctx, &material, 1, &protocol, models, 2, NULL, 0, &report, &error)) return failed(&error);
    printf("%s", pen_report_json(report));

    training.model = "popular";
    if (pen_model_train(log, &protocol, &training, &model, &error)) return failed(&error);
    if (pen_model_save(model, argv[2], &error)) return failed(&error);
    fprintf(stderr, "wrote %s: %d users, %d items\n", argv[2], pen_model_users(model), pen_model_items(model));

    pen_model_destroy(model);
    pen_report_destroy(report);
    pen_dataset_destroy(log);
    pen_context_destroy(ctx);
    return 0;
}
