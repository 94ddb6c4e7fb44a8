/* Parameters of models: -p options in their order; @FILE.json holds an object, or one with "params" and,
 * if they are for one model only, its name as "model". */
#include "param_list.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static bool add(params_list *p, const char *text, bool owned)
{
    const char **grown = realloc(p->at, (p->n + 1) * sizeof *grown);
    if (!grown) return false;
    p->at = grown;
    p->at[p->n++] = text;
    if (!owned) return true;
    char **kept = realloc(p->owned, (p->n_owned + 1) * sizeof *kept);
    if (!kept) return false;
    p->owned = kept;
    p->owned[p->n_owned++] = (char *)(uintptr_t)text;
    return true;
}

static int from_file(const call *c, const char *path, params_list *out)
{
    json_error_t where;
    json_t *root = json_load_file(path, 0, &where), *params = root;
    const char *name;
    json_t *value;
    if (!root && where.line < 0) return usage(c, "-p @%s: %s", path, where.text);
    if (!root) return usage(c, "-p @%s: %s (line %d, column %d)", path, where.text, where.line, where.column);
    if (json_is_object(json_object_get(root, "params"))) params = json_object_get(root, "params");
    const char *model = params == root ? NULL : json_string_value(json_object_get(root, "model")),
               *dot = model ? "." : "";
    if (!model) model = "";
    if (!json_is_object(params)) {
        json_decref(root);
        return usage(c, "-p @%s: the file holds no JSON object of parameters", path);
    }
    json_object_foreach (params, name, value) {
        char text[512];
        if (json_is_string(value))
            snprintf(text, sizeof text, "%s%s%s=%s", model, dot, name, json_string_value(value));
        else if (json_is_boolean(value))
            snprintf(text, sizeof text, "%s%s%s=%s", model, dot, name, json_is_true(value) ? "yes" : "no");
        else if (json_is_number(value))
            snprintf(text, sizeof text, "%s%s%s=%.17g", model, dot, name, json_number_value(value));
        else {
            json_decref(root);
            return usage(c, "-p @%s: '%s' is neither a number, a text nor a truth", path, name);
        }
        char *copy = strdup(text);
        if (!copy || !add(out, copy, true)) {
            if (copy && (!out->n || out->at[out->n - 1] != copy)) free(copy);
            json_decref(root);
            return usage(c, "out of memory");
        }
    }
    json_decref(root);
    return EXIT_DONE;
}

int params_read(const call *c, params_list *out)
{
    *out = (params_list){0};
    for (size_t i = 0; i < c->params.n; i++) {
        const char *text = c->params.at[i];
        int status = EXIT_DONE;
        if (text[0] == '@')
            status = from_file(c, text + 1, out);
        else if (!add(out, text, false))
            status = usage(c, "out of memory");
        if (status != EXIT_DONE) {
            params_free(out);
            return status;
        }
    }
    return EXIT_DONE;
}

void params_free(params_list *p)
{
    for (size_t i = 0; i < p->n_owned; i++) free(p->owned[i]);
    free(p->owned);
    free(p->at);
    *p = (params_list){0};
}
