/* Hyper-parameters: one table per model drives parsing, bounds, help and reports. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "rank/model.h"

static int find(const pen__model_class *class, pen__span name)
{
    for (size_t i = 0; i < class->n_params; i++)
        if (pen__span_is(name, class->params[i].name)) return (int)i;
    return -1;
}

/* Index of `word` among "a|b|c", or -1. */
static int choice_index(const char *choices, pen__span word)
{
    int index = 0;
    for (const char *at = choices;; index++) {
        const char *bar = strchr(at, '|');
        size_t n = bar ? (size_t)(bar - at) : strlen(at);
        if (n == word.length && !memcmp(at, word.text, n)) return index;
        if (!bar) return -1;
        at = bar + 1;
    }
}

static pen__span choice_name(const char *choices, int index)
{
    const char *at = choices;
    while (index-- > 0) at = strchr(at, '|') + 1;
    const char *bar = strchr(at, '|');
    return (pen__span){at, bar ? (size_t)(bar - at) : strlen(at)};
}

static pen_status parse_number(const pen__model_class *class, const pen_param *param, pen__span text, double *value,
                               pen_error *error)
{
    const char *kind = param->type == PEN_PARAM_INT ? "a whole number" : "a number";
    bool number =
        pen__parse_double(text, value) && isfinite(*value) && (param->type != PEN_PARAM_INT || *value == floor(*value));
    PEN_CHECK(number && *value >= param->low && *value <= param->high, PEN_E_ARGUMENT,
              "%s: parameter %s = '%.*s' is out of range: %s from %g to %g is allowed", class->name, param->name,
              (int)text.length, text.text, kind, param->low, param->high);
    return PEN_OK;
}

/* Places of texts are dealt in the order of the table. */
static int text_place(const pen__model_class *class, const pen_param *param)
{
    int place = 0;
    for (const pen_param *p = class->params; p < param; p++) place += p->type == PEN_PARAM_TEXT;
    return place;
}

static pen_status parse_text(const pen__model_class *class, const pen_param *param, pen__span text, pen__params *params,
                             double *value, pen_error *error)
{
    int place = text_place(class, param);
    assert(place < PEN_TEXT_PARAMS);
    PEN_CHECK(text.length < PEN_TEXT_PARAM_BYTES, PEN_E_ARGUMENT,
              "%s: parameter %s is %zu bytes long; at most %d are allowed", class->name, param->name, text.length,
              PEN_TEXT_PARAM_BYTES - 1);
    memcpy(params->text[place], text.text, text.length);
    params->text[place][text.length] = 0;
    *value = place;
    return PEN_OK;
}

static pen_status parse_value(const pen__model_class *class, const pen_param *param, pen__span text,
                              pen__params *params, double *value, pen_error *error)
{
    static const char *const yes[] = {"yes", "true", "1", "on"}, *const no[] = {"no", "false", "0", "off"};
    if (param->type == PEN_PARAM_CHOICE) {
        int index = choice_index(param->choices, text);
        PEN_CHECK(index >= 0, PEN_E_ARGUMENT, "%s: parameter %s = '%.*s' is not one of %s", class->name, param->name,
                  (int)text.length, text.text, param->choices);
        *value = index;
        return PEN_OK;
    }
    if (param->type == PEN_PARAM_BOOL) {
        for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
            if (pen__span_is(text, yes[i])) return *value = 1, PEN_OK;
            if (pen__span_is(text, no[i])) return *value = 0, PEN_OK;
        }
        return pen__fail(error, PEN_E_ARGUMENT, "%s: parameter %s = '%.*s' is neither yes nor no", class->name,
                         param->name, (int)text.length, text.text);
    }
    if (param->type == PEN_PARAM_TEXT) return parse_text(class, param, text, params, value, error);
    return parse_number(class, param, text, value, error);
}

void pen__params_default(const pen__model_class *class, pen__params *params)
{
    assert(class->n_params <= sizeof params->value / sizeof *params->value);
    *params = (pen__params){.given = 0};
    for (size_t i = 0; i < class->n_params; i++) {
        pen_status status = parse_value(class, &class->params[i], pen__span_of(class->params[i].standard), params,
                                        &params->value[i], NULL);
        assert(status == PEN_OK);
        (void)status;
    }
}

pen_status pen__params_set(const pen__model_class *class, pen__params *params, const char *assignment, pen_error *error)
{
    const char *equals = strchr(assignment, '=');
    PEN_CHECK(equals && equals != assignment, PEN_E_ARGUMENT, "'%s' is not of the form name=value", assignment);
    pen__span name = pen__span_trim((pen__span){assignment, (size_t)(equals - assignment)});
    int index = find(class, name);
    if (index < 0) {
        int nearest = class->n_params
                          ? pen__nearest_name(name, &class->params[0].name, class->n_params, sizeof class->params[0])
                          : -1;
        if (nearest >= 0)
            return pen__fail(error, PEN_E_UNKNOWN,
                             "%s has no parameter '%.*s'; did you mean '%s'? (see: penchant models %s)", class->name,
                             (int)name.length, name.text, class->params[nearest].name, class->name);
        return pen__fail(error, PEN_E_UNKNOWN, "%s has no parameter '%.*s' (see: penchant models %s)", class->name,
                         (int)name.length, name.text, class->name);
    }
    PEN_TRY(parse_value(class, &class->params[index], pen__span_trim(pen__span_of(equals + 1)), params,
                        &params->value[index], error));
    params->given |= 1ull << index;
    return PEN_OK;
}

double pen__params_get(const pen__model_class *class, const pen__params *params, const char *name)
{
    int index = find(class, pen__span_of(name));
    assert(index >= 0 && "the model's file asks for a parameter that its table lacks");
    return params->value[index];
}

const char *pen__params_text(const pen__model_class *class, const pen__params *params, const char *name)
{
    int index = find(class, pen__span_of(name));
    assert(index >= 0 && class->params[index].type == PEN_PARAM_TEXT);
    return params->text[(int)params->value[index]];
}

const char *pen__param_text(const pen_model *model, const char *name)
{
    return pen__params_text(model->class, &model->params, name);
}

double pen__param(const pen_model *model, const char *name)
{
    return pen__params_get(model->class, &model->params, name);
}

bool pen__params_has(const pen__model_class *class, const char *name) { return find(class, pen__span_of(name)) >= 0; }

void pen__params_json(const pen__model_class *class, const pen__params *params, pen__text *out)
{
    pen__text_puts(out, "{");
    for (size_t i = 0; i < class->n_params; i++) {
        const pen_param *param = &class->params[i];
        pen__text_printf(out, "%s\"%s\": ", i ? ", " : "", param->name);
        if (param->type == PEN_PARAM_CHOICE) {
            pen__span word = choice_name(param->choices, (int)params->value[i]);
            pen__text_json(out, word.text, word.length);
        } else if (param->type == PEN_PARAM_TEXT) {
            const char *text = params->text[(int)params->value[i]];
            pen__text_json(out, text, strlen(text));
        } else if (param->type == PEN_PARAM_BOOL)
            pen__text_puts(out, params->value[i] != 0 ? "true" : "false");
        else
            pen__text_printf(out, "%.9g", params->value[i]);
    }
    pen__text_puts(out, "}");
}
