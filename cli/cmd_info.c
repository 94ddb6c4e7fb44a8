/* penchant info: what a file holds, and whether it is sound. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "plan_table.h"
#include "text_table.h"
#include "words.h"

static void show_value(const char *name, const json_t *value)
{
    char *dump = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    const char *text = dump ? dump : json_string_value(value);
    printf("%-12s %.200s%s\n", name, text ? text : "", text && strlen(text) > 200 ? " ..." : "");
    free(dump);
}

static void show_tensors(const call *c, const json_t *tensors)
{
    static const char *const header[] = {"tensor", "type", "shape", "bytes"};
    table *t = table_create(4, header);
    size_t i;
    const json_t *tensor;
    json_array_foreach (tensors, i, tensor) {
        char bytes[32], shape[100] = "";
        size_t used = 0;
        const json_t *sizes = json_object_get(tensor, "shape");
        for (size_t d = 0; d < json_array_size(sizes) && used < sizeof shape; d++)
            used += (size_t)snprintf(shape + used, sizeof shape - used, d ? " x %lld" : "%lld",
                                     (long long)json_integer_value(json_array_get(sizes, d)));
        snprintf(bytes, sizeof bytes, "%lld", (long long)json_integer_value(json_object_get(tensor, "bytes")));
        const char *const cells[] = {json_string_value(json_object_get(tensor, "name")),
                                     json_string_value(json_object_get(tensor, "type")), shape, bytes};
        table_row(t, cells);
    }
    table_show(c, t);
    table_destroy(t);
}

static int show(const call *c, const char *text)
{
    json_t *info = json_loads(text, 0, NULL);
    const char *key;
    const json_t *value;
    if (!info) return usage(c, "the description is not JSON"), EXIT_FAILED;
    if (!c->format || !strcmp(c->format, "table")) {
        words_clean_json(info);
        static const char *const first[] = {"path", "kind", "version", "hash", "bytes"};
        for (size_t i = 0; i < sizeof first / sizeof *first; i++) show_value(first[i], json_object_get(info, first[i]));
        json_object_foreach (json_object_get(info, "metadata"), key, value)
            if (!json_object_get(info, key)) show_value(key, value);
        puts("");
    }
    show_tensors(c, json_object_get(info, "tensors"));
    if (!c->format || !strcmp(c->format, "table"))
        printf("\nThe file is sound: its hash, structure and values were checked.\n");
    json_decref(info);
    return EXIT_DONE;
}

/* The network of a model file. */
static int plan(const call *c, pen_context *ctx)
{
    pen_model *model = NULL;
    pen_report *report = NULL;
    pen_error error = {0};
    int status = EXIT_DONE;
    if (pen_model_open(ctx, c->args.at[0], &model, &error) != PEN_OK ||
        pen_model_plan(model, &report, &error) != PEN_OK)
        status = fail(&error);
    else
        status = plan_show(c, pen_report_json(report));
    pen_report_destroy(report);
    pen_model_destroy(model);
    return status;
}

static int run(call *c)
{
    pen_context *ctx;
    pen_report *report = NULL;
    pen_error error = {0};
    int status = open_context(c, &ctx);
    if (status != EXIT_DONE) return status;
    if (c->plan)
        status = plan(c, ctx);
    else if (pen_file_info(ctx, c->args.at[0], &report, &error) != PEN_OK)
        status = fail(&error);
    else if (c->format && !strcmp(c->format, "json"))
        printf("%s\n", pen_report_json(report));
    else
        status = show(c, pen_report_json(report));
    pen_report_destroy(report);
    pen_context_destroy(ctx);
    return status;
}

const command info_command = {
    .name = "info",
    .arguments = "FILE",
    .summary = "what a .pds, .pen or .ckpt file holds and whether it is sound",
    .more = "  penchant info model.pen\n  penchant info log.pds --format json\n  penchant info neumf.pen --plan",
    .groups = FOR_INFO,
    .least = 1,
    .most = 1,
    .run = run,
};
