/* penchant import: reads a log and its tables once, checks, indexes, saves; prints how it read the columns, and five
 * rows as it understood them. */
#include <jansson.h>
#include <string.h>

#include "cli.h"
#include "log_notes.h"

static int import(const call *c, pen_context *ctx)
{
    pen_dataset *log = NULL;
    pen_error error = {0};
    int status = load(c, ctx, c->args.at, c->args.n, &log);
    if (status != EXIT_DONE) return status;
    if (!c->quiet) notes_print(c, log, stderr);
    if (pen_dataset_save(log, c->output, &error) != PEN_OK)
        status = fail(&error);
    else if (c->format && !strcmp(c->format, "json"))
        printf("%s\n", pen_dataset_notes(log));
    else
        say(c, "wrote %s: %d users, %d items, %lld events", c->output, pen_dataset_users(log), pen_dataset_items(log),
            (long long)pen_dataset_events(log));
    pen_dataset_destroy(log);
    return status;
}

static int run(call *c)
{
    pen_context *ctx;
    if (!c->output) return usage(c, "import needs -o LOG.pds: where to write");
    int status = open_context(c, &ctx);
    if (status != EXIT_DONE) return status;
    status = import(c, ctx);
    pen_context_destroy(ctx);
    return status;
}

const command import_command = {
    .name = "import",
    .arguments = "FILE...",
    .summary = "reads a log and its tables once, checks, indexes, saves",
    .more = "FILE is text (delimited, RecBole's atomic files, JSON lines, lists of items), plain or .gz or .zst; - is "
            "standard input.\n"
            "Columns are guessed from a header, or set.\n\n"
            "  penchant import ratings.csv --items movies.csv -o log.pds\n"
            "  zcat log.gz | penchant import - --no-header --delimiter '\\t' -o log.pds",
    .groups = FOR_READ | FOR_OUTPUT,
    .least = 1,
    .most = -1,
    .run = run,
};
