/* penchant score: the same metrics for anybody's lists. */
#include <string.h>

#include "cli.h"
#include "log_notes.h"

static int judge(const call *c, pen_context *ctx)
{
    pen_dataset *lists = NULL, *test = NULL, *train = NULL;
    pen_report *report = NULL;
    pen_error error = {0};
    int status = load(c, ctx, c->args.at, c->args.n, &lists);
    if (status == EXIT_DONE) status = load(c, ctx, &c->test, 1, &test);
    if (status == EXIT_DONE && c->train) status = load(c, ctx, &c->train, 1, &train);
    if (status == EXIT_DONE) {
        notes_warn(c, lists);
        if (pen_score_lists(ctx, lists, test, train, &c->protocol, &report, &error) == PEN_OK)
            status = render_report(c, pen_report_json(report));
        else
            status = fail(&error);
    }
    pen_report_destroy(report);
    pen_dataset_destroy(lists);
    pen_dataset_destroy(test);
    pen_dataset_destroy(train);
    return status;
}

static int run(call *c)
{
    pen_context *ctx;
    if (!c->test) return usage(c, "score needs --test FILE: whom to test, and what they took");
    if (c->task && !strcmp(c->task, "rate"))
        return usage(c, "score judges rankings; for ratings, see: penchant predict --help");
    int status = settle_protocol(c);
    if (status == EXIT_DONE) status = open_context(c, &ctx);
    if (status != EXIT_DONE) return status;
    status = judge(c, ctx);
    pen_context_destroy(ctx);
    return status;
}

const command score_command = {
    .name = "score",
    .arguments = "LISTS...",
    .summary = "the same metrics for anybody's lists (user, item, score): Penchant as judge",
    .more = "Lists are ranked by score, and as written where scores are equal or absent. With --train, its items are "
            "the catalogue.\n\n"
            "  penchant score lists.tsv --test test.tsv --train train.tsv --metrics ndcg@10,recall@20",
    .groups = FOR_DATA | FOR_TESTFILE | FOR_MEASURE | FOR_INTERVALS | FOR_SCORE,
    .least = 1,
    .most = -1,
    .run = run,
};
