/* Explaining one item: reasons with titles and values, the score, the place among everything that the user has not
 * had. */
#include "retrieve/explanation.h"

#include <math.h>

#include "rank/catalogue.h"
#include "rank/explain.h"

enum { MOST_REASONS = 4096 };

void pen__case_free(pen__case *c)
{
    pen_context *ctx = c->person.ctx;
    if (!ctx) return;
    pen__free(ctx, c->reason);
    pen__text_free(&c->words);
    pen__text_free(&c->text);
    pen__person_free(&c->person);
    *c = (pen__case){0};
}

static float value_in(const pen__user *user, int32_t item)
{
    for (int64_t e = user->n; e-- > 0;)
        if (user->item[e] == item) return user->value[e];
    return NAN;
}

static void name_reasons(const pen_model *model, const pen__user *user, const pen__reason *from, int32_t n,
                         pen_reason *out)
{
    const struct pen__catalogue *c = model->catalogue;
    for (int32_t i = 0; i < n; i++) {
        out[i] = (pen_reason){.item = from[i].item,
                              .share = from[i].share,
                              .value = NAN,
                              .what = from[i].what ? pen_string_of(from[i].what) : (pen_string){"", 0}};
        if (from[i].item < 0) continue;
        out[i].id = pen__string_from(pen__strings_at(&c->items, from[i].item));
        out[i].title = pen__string_from(pen__catalogue_title(c, from[i].item));
        out[i].value = value_in(user, from[i].item);
    }
}

static pen_status find_place(const pen_model *model, const pen__case *c, int32_t item, int64_t *place, pen_error *error)
{
    const pen__ranker *ranker;
    const pen__person *p = &c->person;
    int32_t best;
    float score;
    pen__ask ask = {.user = p->user,
                    .tie_key = p->tie_key,
                    .exclude = p->seen,
                    .n_exclude = p->n_seen,
                    .target = &item,
                    .n_target = 1};
    pen__answer answer = {.item = &best, .score = &score, .place = place};
    PEN_TRY(pen__model_ranker(model, &ranker, error));
    return pen__ranker_run(ranker, &ask, &answer, 1, 1, error);
}

static void render(const pen__case *c, pen__text *out)
{
    const pen_explanation *e = &c->out;
    const struct {
        const char *name;
        pen_string string;
    } field[] = {{"user", e->user},
                 {"reason", e->reason},
                 {"item", e->id},
                 {"title", e->title.length ? e->title : (pen_string){NULL, 0}},
                 {"why", e->why}};
    pen__text_printf(out, "{\"how\": \"%s\"", pen_how_text((pen_how)e->how));
    for (size_t i = 0; i < sizeof field / sizeof *field; i++) {
        pen__text_printf(out, ", \"%s\": ", field[i].name);
        pen__json_string(out, field[i].string);
    }
    pen__text_puts(out, ", \"score\": ");
    pen__json_number(out, e->score, 9);
    pen__text_printf(out, ", \"place\": %lld, \"exact\": %s, \"reasons\": [", (long long)e->place,
                     e->exact ? "true" : "false");
    for (int32_t i = 0; i < e->n; i++) {
        const pen_reason *r = &e->reasons[i];
        pen__text_puts(out, i ? ", {\"item\": " : "{\"item\": ");
        pen__json_string(out, r->id);
        pen__text_puts(out, ", \"title\": ");
        pen__json_string(out, r->title.length ? r->title : (pen_string){NULL, 0});
        pen__text_puts(out, ", \"what\": ");
        pen__json_string(out, r->what.length ? r->what : (pen_string){NULL, 0});
        pen__text_puts(out, ", \"value\": ");
        pen__json_number(out, (double)r->value, 9);
        pen__text_puts(out, ", \"share\": ");
        pen__json_number(out, (double)r->share, 9);
        pen__text_puts(out, "}");
    }
    pen__text_puts(out, "]}");
}

/* Popularity alone: the item's events are the score, and all of the reason. */
static void fallback_reason(const pen_model *model, int32_t item, pen__reason *reason, pen_explanation *e)
{
    e->score = (double)model->catalogue->item_events[item];
    e->n = e->exact = 1;
    reason[0] = (pen__reason){-1, (float)e->score, "popular with everybody"};
}

pen_status pen__case_run(const pen_model *model, pen_string name, int32_t item, pen__case *c, pen_error *error)
{
    pen_context *ctx = model->ctx;
    pen_status status = PEN_OK;
    pen_explanation *e = &c->out;
    pen__reason *reason = NULL;
    c->words.ctx = c->text.ctx = ctx;
    *e = (pen_explanation){.struct_size = sizeof *e, .user = name, .how = c->person.how, .item = item};
    e->id = pen__string_from(pen__strings_at(&model->catalogue->items, item));
    e->title = pen__string_from(pen__catalogue_title(model->catalogue, item));
    PEN_TRY_DONE(PEN_NEW(ctx, reason, MOST_REASONS));
    if (e->how == PEN_HOW_FALLBACK) {
        fallback_reason(model, item, reason, e);
    } else {
        PEN_TRY_DONE(
            pen__explain(model, &c->person.user, &item, 1, reason, MOST_REASONS, &e->n, &e->exact, &e->score, error));
        PEN_TRY_DONE(find_place(model, c, item, &e->place, error));
    }
    PEN_TRY_DONE(PEN_NEW(ctx, c->reason, e->n));
    name_reasons(model, &c->person.user, reason, e->n, c->reason);
    e->reasons = c->reason;
    pen__why(model, &c->person.user, item, reason, e->n, &c->words);
    e->why = (pen_string){c->words.bytes, c->words.length};
    e->reason =
        c->person.reason.bytes ? (pen_string){c->person.reason.bytes, c->person.reason.length} : (pen_string){"", 0};
    render(c, &c->text);
    e->text = (pen_string){c->text.bytes, c->text.length};
    PEN_CHECK_DONE(!c->words.failed && !c->text.failed, PEN_E_MEMORY, "out of memory for an explanation");
done:
    pen__free(ctx, reason);
    return status;
}
