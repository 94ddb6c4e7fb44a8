/* penchant explain: why an item has its score for a user. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "asking.h"
#include "text_table.h"
#include "words.h"

static void show_reasons(const call *c, const pen_explanation *e)
{
    static const char *const header[] = {"share", "item", "title", "value"};
    table *t = table_create(4, header);
    int32_t n = c->n < e->n && !wants(c, "csv") ? (int32_t)c->n : e->n;
    double rest = 0;
    char share[32], value[32];
    for (int32_t i = 0; i < n; i++) {
        const pen_reason *r = &e->reasons[i];
        char *id = text_of(r->id), *title = text_of(r->what.length ? r->what : r->title);
        snprintf(share, sizeof share, "%+.4g", (double)r->share);
        snprintf(value, sizeof value, "%g", (double)r->value);
        const char *const cells[] = {share, id, title, isfinite(r->value) ? value : ""};
        table_row(t, cells);
        free(id);
        free(title);
    }
    for (int32_t i = n; i < e->n; i++) rest += (double)e->reasons[i].share;
    if (n < e->n) {
        char words[64];
        snprintf(share, sizeof share, "%+.4g", rest);
        snprintf(words, sizeof words, "%d more (-n %d shows all)", e->n - n, e->n);
        const char *const cells[] = {share, "", words, ""};
        table_row(t, cells);
    }
    table_show(c, t);
    table_destroy(t);
}

static int answer(const call *c, asking *a)
{
    const pen_explanation *e;
    pen_error error = {0};
    if (pen_explain(a->query, &a->who, pen_string_of(c->item), &e, &error) != PEN_OK) return fail(&error);
    if (wants(c, "json")) {
        printf("%.*s\n", (int)e->text.length, e->text.bytes);
        return EXIT_DONE;
    }
    asking_say(c, e->user, e->how, e->reason);
    pen_string name = e->title.length ? e->title : e->id;
    if (!wants(c, "csv")) {
        words_print(stdout, "%.*s: score %.5g", (int)name.length, name.bytes, e->score);
        if (e->place) printf(", place %lld", (long long)e->place);
        if (!e->place && e->how != PEN_HOW_FALLBACK) printf(", already had");
        putchar('\n');
        words_print(stdout, "%.*s", (int)e->why.length, e->why.bytes);
        puts("\n");
    }
    show_reasons(c, e);
    if (!wants(c, "csv"))
        puts(e->exact ? "\nThe shares sum to the score." : "\nEach share is what the score loses without that event.");
    return EXIT_DONE;
}

static int run(call *c)
{
    asking a;
    if (!c->item) return usage(c, "explain needs --item ID");
    if (!c->user && !c->history) return usage(c, "explain needs --user ID or --history ID,ID,...");
    int status = asking_open(c, &a);
    if (status == EXIT_DONE) status = answer(c, &a);
    asking_close(&a);
    return status;
}

const command explain_command = {
    .name = "explain",
    .arguments = "FILE.pen",
    .summary = "why an item has its score for a user",
    .more = "Shares sum to the score where the model can take it apart; otherwise each is what the score loses without "
            "that event,\n"
            "told of the latest 256. Of a history mf, gmf, mlp and neumf learn the latest 200 (what is older is but no "
            "negative),\n"
            "sasrec and its like read the latest max_length: what they do not read has a share of 0. recommend --why "
            "puts the same reasons into "
            "words.\n\n"
            "  penchant explain model.pen --user 196 --item 50\n"
            "  penchant explain model.pen --history 181,172:5 --item 50",
    .groups = FOR_USER | FOR_ITEM | FOR_N,
    .least = 1,
    .most = 1,
    .run = run,
};
