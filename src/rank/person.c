/* Who asks. A user with an id that the model knows is answered personally; a history is folded in (by every model,
 * through pen__user with number -1); who has neither gets the most popular items. What was unknown is said, never an
 * error. */
#include "rank/person.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rank/catalogue.h"
#include "rank/rank.h"

static int shown(size_t length) { return length < 60 ? (int)length : 60; }

const char *pen_how_text(pen_how how)
{
    static const char *const text[] = {"unknown", "personal", "folded-in", "fallback"};
    return how >= PEN_HOW_PERSONAL && how <= PEN_HOW_FALLBACK ? text[how] : text[0];
}

void pen__reason_add(pen__text *reason, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (reason->length) pen__text_puts(reason, "; ");
    pen__text_puts(reason, text);
}

void pen__person_free(pen__person *person)
{
    pen__free(person->ctx, person->seen);
    pen__free(person->ctx, person->item);
    pen__free(person->ctx, person->value);
    pen__text_free(&person->reason);
    *person = (pen__person){.ctx = person->ctx, .reason = {.ctx = person->ctx}};
}

static pen_status fill_seen(pen__person *p, pen_error *error)
{
    int64_t n = p->n_had + p->user.n;
    if (!n) return PEN_OK;
    PEN_TRY(PEN_NEW(p->ctx, p->seen, n));
    if (p->n_had) memcpy(p->seen, p->had, (size_t)p->n_had * sizeof *p->seen);
    if (p->user.n) memcpy(p->seen + p->n_had, p->user.item, (size_t)p->user.n * sizeof *p->seen);
    p->n_seen = pen__items_sort_unique(p->seen, n);
    return PEN_OK;
}

/* The model's own history of a user, where it is kept: what was liked, to go by, and all that was had. */
static void take_history(const pen_model *model, int32_t number, pen__person *p)
{
    const pen__rows *h = &model->catalogue->history;
    p->user = pen__catalogue_user(model->catalogue, number);
    if (!h->begin) return;
    p->n_had = h->begin[number + 1] - h->begin[number];
    p->had = h->column + h->begin[number];
}

/* What a known user should hear. */
static void say_known(const pen_model *model, pen__person *p)
{
    if (!strcmp(model->class->family, "baseline"))
        pen__reason_add(&p->reason, "%s: %s", model->class->name, model->class->summary);
    if (!model->catalogue->history.begin)
        pen__reason_add(
            &p->reason,
            "the model was saved without what users have seen (--no-history), so it may be recommended again");
}

pen_status pen__person_known(const pen_model *model, int32_t number, pen__person *p, pen_error *error)
{
    *p = (pen__person){.ctx = model->ctx, .how = PEN_HOW_PERSONAL, .reason = {.ctx = model->ctx}};
    pen__span id = pen__strings_at(&model->catalogue->users, number);
    p->tie_key = pen__tie_key(id.text, id.length);
    take_history(model, number, p);
    say_known(model, p);
    return fill_seen(p, error);
}

/* ---- a history in the question ----------------------------------------------------------------------------------- */

/* A value as training had them: liked as much as can be where there is none; held to training's range, so that a rating
 * given to a model of unweighted events counts as one event. */
static float settle_value(const pen_model *model, float value)
{
    if (isnan(value)) value = model->task == PEN_TASK_RATE ? model->most : 1;
    return value < model->least ? model->least : value > model->most ? model->most : value;
}

/* Appends what is known of the history behind `own` events that are there; says what was left out. */
static pen_status add_history(const pen_model *model, const pen_who *who, int64_t own, pen__person *p, pen_error *error)
{
    int64_t n = own;
    size_t unknown = 0, unvalued = 0, beyond = 0, first = 0;
    for (size_t i = 0; i < who->n_history; i++) {
        pen_string id = who->history[i];
        float value = who->values ? who->values[i] : NAN;
        PEN_CHECK(id.bytes, PEN_E_ARGUMENT, "id %zu of the history is NULL", i);
        PEN_CHECK(!isinf(value), PEN_E_ARGUMENT, "the value of '%.*s' in the history is infinite", shown(id.length),
                  id.bytes);
        int32_t item = pen__strings_find(&model->catalogue->items, pen__span_from(id));
        if (item < 0) {
            if (!unknown++) first = i;
            continue;
        }
        unvalued += isnan(value) != 0;
        p->item[n] = item;
        p->value[n++] = settle_value(model, value);
        beyond += !isnan(value) && (value < model->least || value > model->most);
        if (!who->user.bytes) p->tie_key += pen__hash(id.bytes, id.length);
    }
    pen_string id = who->n_history ? who->history[first] : (pen_string){0};
    if (unknown == 1)
        pen__reason_add(&p->reason, "the model does not know item '%.*s' of the history, which was left out",
                        shown(id.length), id.bytes);
    else if (unknown)
        pen__reason_add(&p->reason,
                        "the model does not know %zu of the %zu items of the history ('%.*s' ...), which were left out",
                        unknown, who->n_history, shown(id.length), id.bytes);
    if (unvalued && model->task == PEN_TASK_RATE)
        pen__reason_add(&p->reason, "items without a value count as rated %g", (double)model->most);
    if (beyond && model->task == PEN_TASK_RATE)
        pen__reason_add(&p->reason, "values count as at least %g and at most %g", (double)model->least,
                        (double)model->most);
    p->user.n = n;
    return PEN_OK;
}

static pen_status fold_in(const pen_model *model, const pen_who *who, pen__person *p, pen_error *error)
{
    int64_t own = p->user.n;
    size_t n;
    PEN_CHECK(pen__add((size_t)own, who->n_history, &n), PEN_E_LIMIT, "the history is too long");
    PEN_TRY(PEN_NEW(p->ctx, p->item, n));
    PEN_TRY(PEN_NEW(p->ctx, p->value, n));
    if (own) {
        memcpy(p->item, p->user.item, (size_t)own * sizeof *p->item);
        memcpy(p->value, p->user.value, (size_t)own * sizeof *p->value);
    }
    PEN_TRY(add_history(model, who, own, p, error));
    if (p->user.n == own && p->user.number >= 0) return PEN_OK; /* nothing new is known: personal after all */
    p->user = (pen__user){.number = -1, .n = p->user.n, .item = p->item, .value = p->value};
    p->how = p->user.n ? PEN_HOW_FOLDED_IN : PEN_HOW_FALLBACK;
    if (!p->user.n) pen__reason_add(&p->reason, "no item of the history is known: the most popular items");
    return PEN_OK;
}

pen_status pen__person_of(const pen_model *model, const pen_who *who, pen__person *p, pen_error *error)
{
    *p = (pen__person){
        .ctx = model->ctx, .how = PEN_HOW_FALLBACK, .user = {.number = -1}, .reason = {.ctx = model->ctx}};
    PEN_CHECK(who->history || !who->n_history, PEN_E_ARGUMENT, "the history is NULL and has %zu items", who->n_history);
    pen_status status = PEN_OK;
    if (who->user.bytes) {
        p->tie_key = pen__tie_key(who->user.bytes, who->user.length);
        int32_t number = pen__strings_find(&model->catalogue->users, pen__span_from(who->user));
        if (number >= 0) {
            p->how = PEN_HOW_PERSONAL;
            take_history(model, number, p);
            say_known(model, p);
        } else if (!who->n_history) {
            pen__reason_add(&p->reason, "the model does not know user '%.*s': the most popular items",
                            shown(who->user.length), who->user.bytes);
        }
    } else if (!who->n_history) {
        pen__reason_add(&p->reason, "there is neither a user nor a history: the most popular items");
    }
    if (who->n_history) PEN_TRY_DONE(fold_in(model, who, p, error));
    PEN_TRY_DONE(fill_seen(p, error));
    if (p->reason.failed) status = pen__fail(error, PEN_E_MEMORY, "out of memory for a reason");
done:
    if (status != PEN_OK) pen__person_free(p);
    return status;
}
