/* penchant split: writes the parts of a split, as text or .pds. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"
#include "log_notes.h"

static void say_files(const call *c, const char *json)
{
    json_t *root = json_loads(json, 0, NULL), *fold, *file;
    size_t i, k;
    json_array_foreach (json_object_get(root, "folds"), i, fold)
        json_array_foreach (json_object_get(fold, "files"), k, file)
            say(c, "%-14s %10lld events  %s", json_string_value(json_object_get(file, "part")),
                (long long)json_integer_value(json_object_get(file, "events")),
                json_string_value(json_object_get(file, "path")));
    json_decref(root);
}

static int write_parts(const call *c, pen_context *ctx)
{
    pen_dataset *log = NULL, *test = NULL, *valid = NULL;
    pen_report *report = NULL;
    pen_error error = {0};
    int status = load(c, ctx, c->args.at, c->args.n, &log);
    if (status == EXIT_DONE && c->test) status = load(c, ctx, &c->test, 1, &test);
    if (status == EXIT_DONE && c->valid) status = load(c, ctx, &c->valid, 1, &valid);
    if (status == EXIT_DONE) {
        pen_material material = {log, test, valid};
        notes_warn(c, log);
        if (pen_split_write(ctx, &material, &c->protocol, c->output, c->parts_format, &report, &error) != PEN_OK)
            status = fail(&error);
        else if (c->format && !strcmp(c->format, "json"))
            printf("%s\n", pen_report_json(report));
        else
            say_files(c, pen_report_json(report));
    }
    pen_report_destroy(report);
    pen_dataset_destroy(valid);
    pen_dataset_destroy(test);
    pen_dataset_destroy(log);
    return status;
}

static int run(call *c)
{
    pen_context *ctx;
    if (!c->output) return usage(c, "split needs -o FOLDER: where to write the parts");
    int status = settle_protocol(c);
    if (status == EXIT_DONE) status = open_context(c, &ctx);
    if (status != EXIT_DONE) return status;
    status = write_parts(c, ctx);
    pen_context_destroy(ctx);
    return status;
}

const command split_command = {
    .name = "split",
    .arguments = "LOG...",
    .summary = "writes the parts of a split into a folder, as text or .pds",
    .more = "  penchant split log.pds --split last:1,1 -o parts\n"
            "  penchant split log.pds --split folds:5 --parts pds -o folds",
    .groups = FOR_DATA | FOR_SPLIT | FOR_TESTFILE | FOR_VALIDFILE | FOR_OUTPUT | FOR_PARTS,
    .least = 1,
    .most = -1,
    .run = run,
};
