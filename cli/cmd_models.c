/* penchant models: all models by family, or one with its formula and parameters. */
#include <jansson.h>
#include <string.h>

#include "cli.h"
#include "text_table.h"

static const char *tasks(const pen_model_info *info)
{
    bool rank = info->tasks >> PEN_TASK_RANK & 1, rate = info->tasks >> PEN_TASK_RATE & 1;
    return rank && rate ? "rank, rate" : rank ? "rank" : "rate";
}

static const char *type_word(const pen_param *p)
{
    return p->type == PEN_PARAM_INT    ? "whole"
           : p->type == PEN_PARAM_REAL ? "number"
           : p->type == PEN_PARAM_BOOL ? "yes|no"
           : p->type == PEN_PARAM_TEXT ? "text"
                                       : "choice";
}

static void range(const pen_param *p, char *out, size_t room)
{
    if (p->type == PEN_PARAM_CHOICE)
        snprintf(out, room, "%s", p->choices);
    else if (p->type == PEN_PARAM_BOOL)
        snprintf(out, room, "yes|no");
    else if (p->type == PEN_PARAM_TEXT)
        snprintf(out, room, "text");
    else
        snprintf(out, room, "%g to %g", p->low, p->high);
}

static json_t *as_json(const pen_model_info *info)
{
    json_t *params = json_array();
    for (size_t i = 0; i < info->n_params; i++) {
        const pen_param *p = &info->params[i];
        json_t *row =
            json_pack("{ssssssss}", "name", p->name, "type", type_word(p), "default", p->standard, "doc", p->doc);
        if (p->type == PEN_PARAM_CHOICE)
            json_object_set_new(row, "choices", json_string(p->choices));
        else if (p->type == PEN_PARAM_INT || p->type == PEN_PARAM_REAL) {
            json_object_set_new(row, "low", json_real(p->low));
            json_object_set_new(row, "high", json_real(p->high));
        }
        json_array_append_new(params, row);
    }
    return json_pack("{sssssssssssssbso}", "name", info->name, "family", info->family, "summary", info->summary,
                     "formula", info->formula, "paper", info->paper, "tasks", tasks(info), "iterative", info->iterative,
                     "params", params);
}

static int print_json(json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(1));
    putchar('\n');
    json_decref(value);
    return EXIT_DONE;
}

static int show_all(const call *c)
{
    static const char *const header[] = {"family", "model", "tasks", "what it is"};
    bool json = c->format && !strcmp(c->format, "json");
    json_t *rows = json_array();
    table *t = table_create(4, header);
    for (size_t i = 0; i < pen_models(); i++) {
        pen_model_info info;
        if (pen_models_get(i, &info, NULL) != PEN_OK) continue;
        const char *const cells[] = {info.family, info.name, tasks(&info), info.summary};
        table_row(t, cells);
        if (json) json_array_append_new(rows, as_json(&info));
    }
    if (json) return table_destroy(t), print_json(rows);
    json_decref(rows);
    table_show(c, t);
    table_destroy(t);
    return EXIT_DONE;
}

static int show_params(const call *c, const pen_model_info *info)
{
    static const char *const header[] = {"parameter", "default", "range", "what it does"};
    table *t = table_create(4, header);
    for (size_t i = 0; i < info->n_params; i++) {
        char bounds[256];
        range(&info->params[i], bounds, sizeof bounds);
        const char *const cells[] = {info->params[i].name, info->params[i].standard, bounds, info->params[i].doc};
        table_row(t, cells);
    }
    table_show(c, t);
    table_destroy(t);
    return EXIT_DONE;
}

static int show_one(const call *c, const pen_model_info *info)
{
    if (c->format && !strcmp(c->format, "json")) return print_json(as_json(info));
    if (c->format && !strcmp(c->format, "csv")) return show_params(c, info);
    printf("%s (%s): %s\n\ntasks: %s\n\n", info->name, info->family, info->summary, tasks(info));
    for (const char *line = info->formula; *line;) {
        size_t n = strcspn(line, "\n");
        printf("    %.*s\n", (int)n, line);
        line += n + (line[n] == '\n');
    }
    printf("\npaper: %s\n", info->paper);
    if (!info->n_params) return EXIT_DONE;
    puts("");
    return show_params(c, info);
}

static int run(call *c)
{
    if (c->args.n == 0) return show_all(c);
    pen_model_info info;
    pen_error error = {0};
    if (pen_models_find(c->args.at[0], &info, &error) != PEN_OK) return fail(&error);
    return show_one(c, &info);
}

const command models_command = {
    .name = "models",
    .arguments = "[MODEL]",
    .summary = "all models by family; or one: formula, parameters, paper",
    .more = "  penchant models\n  penchant models ials",
    .groups = 0,
    .most = 1,
    .run = run,
};
