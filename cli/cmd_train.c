/* penchant train: fits a model on a log and writes it. A checkpoint stands beside the file while the work is under
 * way. */
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "curves.h"
#include "param_list.h"
#include "pretrained.h"

static int finish(const call *c, pen_model *model, const char *checkpoint, pen_status status, const pen_error *error)
{
    pen_error saving = {0};
    if (!model) {
        if (status == PEN_E_CANCELLED && checkpoint && !access(checkpoint, F_OK))
            say(c, "interrupted; --resume goes on from %s", checkpoint);
        return fail(error);
    }
    if (pen_model_save(model, c->output, &saving) != PEN_OK) return fail(&saving);
    if (status == PEN_E_CANCELLED) {
        say(c, "interrupted: the best so far is in %s%s%s", c->output, checkpoint ? "; --resume goes on from " : "",
            checkpoint ? checkpoint : "");
        return EXIT_FAILED;
    }
    if (checkpoint) unlink(checkpoint);
    if (c->format && !strcmp(c->format, "json")) printf("%s\n", pen_model_about(model));
    say(c, "wrote %s: %d users, %d items", c->output, pen_model_users(model), pen_model_items(model));
    return EXIT_DONE;
}

static int train(const call *c, pen_context *ctx, const params_list *params, const pretrained *from)
{
    pen_dataset *log = NULL;
    pen_model *model = NULL;
    pen_error error = {0};
    char checkpoint[4096];
    int status = load(c, ctx, c->args.at, c->args.n, &log);
    if (status != EXIT_DONE) return status;
    pen_train_options o = PEN_TRAIN_OPTIONS_INIT;
    o.model = c->model;
    o.params = params->at;
    o.n_params = params->n;
    o.checkpoint_seconds = c->checkpoint_seconds;
    o.resume = c->resume;
    o.no_history = c->no_history;
    o.pretrained = (const pen_model *const *)from->at;
    o.n_pretrained = from->n;
    o.log = c->log;
    if (!c->no_checkpoint && (size_t)snprintf(checkpoint, sizeof checkpoint, "%s.ckpt", c->output) < sizeof checkpoint)
        o.checkpoint = checkpoint;
    if (c->resume && o.checkpoint && access(o.checkpoint, F_OK)) say(c, "there is no %s: starting anew", o.checkpoint);
    pen_status result = pen_model_train(log, &c->protocol, &o, &model, &error);
    status = finish(c, model, o.checkpoint, result, &error);
    if (c->log) { /* also of a training that failed: its curves may say why */
        int drawn = curves_draw(c, c->log);
        if (status == EXIT_DONE) status = drawn;
    }
    pen_model_destroy(model);
    pen_dataset_destroy(log);
    return status;
}

static int run(call *c)
{
    pen_context *ctx;
    params_list params;
    if (!c->output) return usage(c, "train needs -o FILE.pen: where to write");
    int status = settle_protocol(c);
    if (status == EXIT_DONE) status = params_read(c, &params);
    if (status == EXIT_DONE) status = open_context(c, &ctx);
    if (status != EXIT_DONE) return status;
    pretrained from;
    status = pretrained_open(c, ctx, &from);
    if (status == EXIT_DONE) status = train(c, ctx, &params, &from);
    pretrained_close(&from);
    pen_context_destroy(ctx);
    params_free(&params);
    return status;
}

const command train_command = {
    .name = "train",
    .arguments = "LOG...",
    .summary = "trains a model on all of a log",
    .more = "The number of epochs is chosen on a validation part, then the model is fitted again on everything. Ctrl-C "
            "ends with the\n"
            "best so far saved; --resume goes on to the same bits as an unbroken run.\n\n"
            "  penchant train log.pds -m ials -o model.pen\n"
            "  penchant train ratings.csv -m biased-mf --task rate -p factors=100 -o model.pen\n"
            "  penchant train log.pds -m neumf --pretrain gmf.pen --pretrain mlp.pen -p optimizer=sgd -o neumf.pen\n"
            "  penchant train log.pds -m neumf -o model.pen --log run.jsonl    (and run.svg, the curves)",
    .groups = FOR_DATA | FOR_SPLIT | FOR_MODEL | FOR_TRAIN | FOR_OUTPUT | FOR_MEASURE,
    .least = 1,
    .most = -1,
    .run = run,
};
