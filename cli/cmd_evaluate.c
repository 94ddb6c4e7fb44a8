/* penchant evaluate, penchant compare: models on splits of a log, measured alike. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "log_notes.h"
#include "param_list.h"
#include "plot.h"
#include "pretrained.h"

/* What the datasets of one call are, to be freed together. */
typedef struct bench {
    pen_material *material;
    size_t n;
    pen_dataset **owned;
    size_t n_owned;
} bench;

static int own(bench *b, const call *c, pen_context *ctx, const char *const *paths, size_t n, const pen_dataset **out)
{
    pen_dataset *dataset = NULL;
    int status = load(c, ctx, paths, n, &dataset);
    if (status != EXIT_DONE) return status;
    notes_warn(c, dataset);
    pen_dataset **grown = realloc(b->owned, (b->n_owned + 1) * sizeof *grown);
    if (!grown) {
        pen_dataset_destroy(dataset);
        return usage(c, "out of memory");
    }
    b->owned = grown;
    b->owned[b->n_owned++] = dataset;
    *out = dataset;
    return EXIT_DONE;
}

static int open_fold(bench *b, const call *c, pen_context *ctx, const char *pair, pen_material *m)
{
    const char *comma = strchr(pair, ',');
    if (!comma || comma == pair || !comma[1]) return usage(c, "--fold '%s' is not of the form TRAIN,TEST", pair);
    char *train = strndup(pair, (size_t)(comma - pair));
    if (!train) return usage(c, "out of memory");
    const char *paths[] = {train, comma + 1};
    int status = own(b, c, ctx, &paths[0], 1, &m->log);
    if (status == EXIT_DONE) status = own(b, c, ctx, &paths[1], 1, &m->test);
    free(train);
    return status;
}

static int open_bench(bench *b, const call *c, pen_context *ctx)
{
    if (c->folds.n && c->args.n) return usage(c, "--fold names the logs itself: give no LOG beside it");
    if (!c->folds.n && !c->args.n) return usage(c, "%s needs LOG (or --fold TRAIN,TEST)", c->command->name);
    if (c->folds.n && (c->test || c->valid))
        return usage(c, "--fold names the tests itself: give no --test and no --valid beside it");
    if (c->valid && !c->test) return usage(c, "--valid needs --test beside it");
    b->n = c->folds.n ? c->folds.n : 1;
    b->material = calloc(b->n, sizeof *b->material);
    if (!b->material) return usage(c, "out of memory");
    int status = EXIT_DONE;
    for (size_t i = 0; i < c->folds.n && status == EXIT_DONE; i++)
        status = open_fold(b, c, ctx, c->folds.at[i], &b->material[i]);
    if (c->folds.n) return status;
    status = own(b, c, ctx, c->args.at, c->args.n, &b->material[0].log);
    if (status == EXIT_DONE && c->test) status = own(b, c, ctx, &c->test, 1, &b->material[0].test);
    if (status == EXIT_DONE && c->valid) status = own(b, c, ctx, &c->valid, 1, &b->material[0].valid);
    return status;
}

static void close_bench(bench *b)
{
    for (size_t i = 0; i < b->n_owned; i++) pen_dataset_destroy(b->owned[i]);
    free(b->owned);
    free(b->material);
}

/* "a,b,c" into names, in place. `all`: every model of the task; "quick": those that are no networks. */
static int name_models(const call *c, char *text, const char ***names, size_t *n)
{
    pen_model_info info;
    size_t most = pen_models() + strlen(text) / 2 + 2;
    *names = calloc(most, sizeof **names);
    *n = 0;
    if (!*names) return usage(c, "out of memory");
    bool quick = !strcmp(text, "quick");
    if (quick || !strcmp(text, "all")) {
        for (size_t i = 0; i < pen_models(); i++)
            if (pen_models_get(i, &info, NULL) == PEN_OK && info.tasks >> c->protocol.task & 1 &&
                !(quick && info.network))
                (*names)[(*n)++] = info.name;
        return EXIT_DONE;
    }
    char *save = NULL;
    for (char *word = strtok_r(text, ",", &save); word; word = strtok_r(NULL, ",", &save)) (*names)[(*n)++] = word;
    return *n ? EXIT_DONE : usage(c, "-m names no model");
}

static int measure(const call *c, pen_context *ctx, const params_list *params, const char *const *names, size_t n_names)
{
    bench b = {0};
    pen_report *report = NULL;
    pen_error error = {0};
    pretrained from;
    int status = pretrained_open(c, ctx, &from);
    if (status == EXIT_DONE) status = open_bench(&b, c, ctx);
    if (status == EXIT_DONE) {
        if (pen_evaluate_pretrained(ctx, b.material, b.n, &c->protocol, names, n_names, params->at, params->n,
                                    (const pen_model *const *)from.at, from.n, &report, &error) == PEN_OK)
            status = render_report(c, pen_report_json(report));
        else
            status = fail(&error);
    }
    if (status == EXIT_DONE && c->plot) status = plot_report(c, pen_report_json(report), c->plot);
    pen_report_destroy(report);
    pretrained_close(&from);
    close_bench(&b);
    return status;
}

static int run(call *c)
{
    pen_context *ctx;
    params_list params;
    const char **names = NULL;
    size_t n_names = 0;
    bool several = !strcmp(c->command->name, "compare");
    int status = settle_protocol(c);
    if (status != EXIT_DONE) return status;
    if (!several && c->model && strchr(c->model, ','))
        return usage(c, "evaluate takes one model; compare takes several");
    char *text = strdup(c->model ? c->model : several ? "quick" : "");
    if (c->model || several) status = name_models(c, text, &names, &n_names);
    if (status == EXIT_DONE) status = params_read(c, &params);
    if (status == EXIT_DONE) {
        status = open_context(c, &ctx);
        if (status == EXIT_DONE) {
            status = measure(c, ctx, &params, names, n_names);
            pen_context_destroy(ctx);
        }
        params_free(&params);
    }
    free(names);
    free(text);
    return status;
}

enum {
    GROUPS = FOR_DATA | FOR_SPLIT | FOR_TESTFILE | FOR_VALIDFILE | FOR_FOLDS | FOR_MEASURE | FOR_CANDIDATES |
             FOR_REPEAT | FOR_INTERVALS | FOR_MODEL
};

const command evaluate_command = {
    .name = "evaluate",
    .arguments = "LOG...",
    .summary = "trains a model on a split's training part, and measures it on the test",
    .more = "The full catalogue is ranked, what the user did before is left out, and intervals are 95 % bootstrap.\n\n"
            "  penchant evaluate log.pds -m ials --split ratio:0.8\n"
            "  penchant evaluate --task rate --fold u1.base,u1.test --fold u2.base,u2.test -m bias",
    .groups = GROUPS,
    .least = 0,
    .most = -1,
    .run = run,
};

const command compare_command = {
    .name = "compare",
    .arguments = "LOG...",
    .summary = "several models on one split: table, intervals, paired tests, seconds, memory",
    .more = "Without -m, or with -m quick, every model that fits the task but networks, which take longer; -m all "
            "takes those too.\n\n"
            "  penchant compare log.pds -m popular,item-knn,ials --plot compare.svg\n"
            "  penchant compare log.pds -m ials,bpr -p ials.factors=128 -p epochs=20",
    .groups = GROUPS | FOR_COMPARE,
    .least = 0,
    .most = -1,
    .run = run,
};
