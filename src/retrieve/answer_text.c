/* Answers as text: the JSON of the command line's contract, and CSV. */
#include <math.h>
#include <string.h>

#include "retrieve/recommend.h"

void pen__json_string(pen__text *out, pen_string string)
{
    if (string.bytes)
        pen__text_json(out, string.bytes, string.length);
    else
        pen__text_puts(out, "null");
}

void pen__json_number(pen__text *out, double x, int digits)
{
    if (isfinite(x))
        pen__text_printf(out, "%.*g", digits, x);
    else
        pen__text_puts(out, "null");
}

static void json_field(pen__text *out, const char *name, pen_string string)
{
    pen__text_printf(out, "\"%s\": ", name);
    pen__json_string(out, string);
}

void pen__answer_json(const pen__desk *desk, const pen_answer *a, pen__text *out)
{
    pen__text_puts(out, "{");
    json_field(out, desk->subject, a->user);
    pen__text_printf(out, ", \"how\": \"%s\", ", pen_how_text((pen_how)a->how));
    json_field(out, "reason", a->reason);
    if (desk->options.diversity > 0) {
        pen__text_puts(out, ", \"diversity\": {\"relevance_kept\": ");
        pen__json_number(out, a->relevance_kept, 6);
        pen__text_puts(out, ", \"similarity_before\": ");
        pen__json_number(out, a->similarity_before, 6);
        pen__text_puts(out, ", \"similarity_after\": ");
        pen__json_number(out, a->similarity_after, 6);
        pen__text_puts(out, "}");
    }
    pen__text_puts(out, ", \"items\": [");
    for (int32_t i = 0; i < a->n; i++) {
        const pen_pick *pick = &a->items[i];
        pen__text_puts(out, i ? ", {" : "{");
        json_field(out, "item", pick->id);
        pen__text_puts(out, ", ");
        json_field(out, "title", pick->title.length ? pick->title : (pen_string){NULL, 0});
        pen__text_puts(out, ", \"score\": ");
        pen__json_number(out, (double)pick->score, 9);
        if (desk->options.why) {
            pen__text_puts(out, ", ");
            json_field(out, "why", pick->why);
        }
        pen__text_puts(out, "}");
    }
    pen__text_puts(out, "]}");
}

/* A cell by RFC 4180. */
static void cell(pen__text *out, pen_string s)
{
    bool quote = false;
    for (size_t i = 0; i < s.length; i++)
        quote = quote || s.bytes[i] == '"' || s.bytes[i] == ',' || s.bytes[i] == '\n' || s.bytes[i] == '\r';
    if (!quote) {
        pen__text_add(out, s.bytes, s.length);
        return;
    }
    pen__text_puts(out, "\"");
    for (size_t i = 0; i < s.length; i++) {
        if (s.bytes[i] == '"') pen__text_puts(out, "\"");
        pen__text_add(out, s.bytes + i, 1);
    }
    pen__text_puts(out, "\"");
}

void pen__answer_csv(const pen__desk *desk, const pen_answer *a, pen__text *out)
{
    for (int32_t i = 0; i < a->n; i++) {
        const pen_pick *pick = &a->items[i];
        cell(out, a->user);
        pen__text_printf(out, ",%d,", i + 1);
        cell(out, pick->id);
        pen__text_puts(out, ",");
        cell(out, pick->title);
        pen__text_puts(out, ",");
        if (isfinite(pick->score)) pen__text_printf(out, "%.9g", (double)pick->score);
        pen__text_printf(out, ",%s", pen_how_text((pen_how)a->how));
        if (desk->options.why) {
            pen__text_puts(out, ",");
            cell(out, pick->why);
        }
        pen__text_puts(out, "\n");
    }
}
