/* penchant predict: the rating (or score) of each pair of a file. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "asking.h"
#include "text_table.h"

enum { MOST_ROWS = 1000 }; /* a table is laid out whole; more pairs are streamed as CSV */

typedef struct lines {
    const call *call;
    bool json, rates;
    table *table;
    int64_t n, n_fallback, n_actual;
    double squared, absolute;
} lines;

static void json_text(const char *name, pen_string string)
{
    json_t *text = string.bytes && string.length ? json_stringn_nocheck(string.bytes, string.length) : json_null();
    char *dump = json_dumps(text, JSON_ENCODE_ANY);
    printf("\"%s\": %s, ", name, dump ? dump : "null");
    free(dump);
    json_decref(text);
}

static void put_json(const lines *l, const pen_prediction *p)
{
    fputs(l->n ? ",\n {" : "{", stdout);
    json_text("user", p->user);
    json_text("item", p->item);
    json_text("title", p->title);
    if (isfinite(p->value))
        printf("\"%s\": %.9g, ", l->rates ? "rating" : "score", p->value);
    else
        printf("\"%s\": null, ", l->rates ? "rating" : "score");
    printf("\"how\": \"%s\", \"reason\": \"%.*s\"}", pen_how_text((pen_how)p->how), (int)p->reason.length,
           p->reason.bytes);
}

static void csv_cell(pen_string s)
{
    bool quote = false;
    for (size_t i = 0; i < s.length; i++)
        quote = quote || s.bytes[i] == '"' || s.bytes[i] == ',' || s.bytes[i] == '\n' || s.bytes[i] == '\r';
    if (quote) putchar('"');
    for (size_t i = 0; i < s.length; i++) {
        if (s.bytes[i] == '"') putchar('"');
        putchar(s.bytes[i]);
    }
    if (quote) putchar('"');
}

static void put_csv(const pen_prediction *p)
{
    csv_cell(p->user);
    putchar(',');
    csv_cell(p->item);
    putchar(',');
    csv_cell(p->title);
    if (isfinite(p->value))
        printf(",%.9g", p->value);
    else
        putchar(',');
    printf(",%s,%.*s\n", pen_how_text((pen_how)p->how), (int)p->reason.length, p->reason.bytes);
}

static void put_row(lines *l, const pen_prediction *p)
{
    char value[32];
    char *user = text_of(p->user), *item = text_of(p->item), *title = text_of(p->title), *reason = text_of(p->reason);
    snprintf(value, sizeof value, isfinite(p->value) ? "%.4g" : "", p->value);
    const char *const cells[] = {user, item, title, value, pen_how_text((pen_how)p->how), reason};
    table_row(l->table, cells);
    free(user);
    free(item);
    free(title);
    free(reason);
}

static int take(void *user, const pen_prediction *p)
{
    lines *l = user;
    if (l->json)
        put_json(l, p);
    else if (l->table)
        put_row(l, p);
    else
        put_csv(p);
    l->n++;
    l->n_fallback += p->how == PEN_HOW_FALLBACK;
    if (isfinite(p->actual) && isfinite(p->value)) {
        l->n_actual++;
        l->squared += (p->value - p->actual) * (p->value - p->actual);
        l->absolute += fabs(p->value - p->actual);
    }
    return ferror(stdout);
}

static bool model_rates(const pen_model *model)
{
    json_t *about = json_loads(pen_model_about(model), 0, NULL);
    const char *task = json_string_value(json_object_get(about, "task"));
    bool rates = task && !strcmp(task, "rate");
    json_decref(about);
    return rates;
}

static int predict(const call *c, asking *a, const pen_dataset *pairs)
{
    lines l = {.call = c, .json = wants(c, "json"), .rates = model_rates(a->model)};
    const char *const header[] = {"user", "item", "title", l.rates ? "rating" : "score", "how", "reason"};
    pen_error error = {0};
    if (!l.json && !wants(c, "csv") && pen_dataset_events(pairs) <= MOST_ROWS) l.table = table_create(6, header);
    if (l.json) fputs("[", stdout);
    if (!l.json && !l.table) printf("user,item,title,%s,how,reason\n", header[3]);
    pen_status status = pen_predict_all(a->query, pairs, take, &l, &error);
    if (status == PEN_OK && l.json) fputs("]\n", stdout);
    if (status == PEN_OK && l.table) table_show(c, l.table);
    if (l.table) table_destroy(l.table);
    if (status != PEN_OK) return fail(&error);
    if (l.n_fallback)
        say(c, "%lld of %lld pairs have a user or an item that the model does not know", (long long)l.n_fallback,
            (long long)l.n);
    if (l.rates && l.n_actual)
        say(c, "against the values of the pairs: rmse %.4f, mae %.4f over %lld", sqrt(l.squared / (double)l.n_actual),
            l.absolute / (double)l.n_actual, (long long)l.n_actual);
    return EXIT_DONE;
}

static int run(call *c)
{
    asking a;
    pen_dataset *pairs = NULL;
    int status = asking_open(c, &a);
    if (status == EXIT_DONE) status = load(c, a.ctx, c->args.at + 1, c->args.n - 1, &pairs);
    if (status == EXIT_DONE) status = predict(c, &a, pairs);
    pen_dataset_destroy(pairs);
    asking_close(&a);
    return status;
}

const command predict_command = {
    .name = "predict",
    .arguments = "FILE.pen PAIRS...",
    .summary = "the rating (or score) of each pair of a file",
    .more = "PAIRS is read as a log is: user, item and, to compare with, value. What the model does not know is "
            "answered with what is left (the\n"
            "item's mean, the user's, that of all), and said.\n\n"
            "  penchant predict model.pen pairs.csv\n"
            "  penchant predict model.pen u1.test --format csv > ratings.csv",
    .groups = FOR_READ | FOR_MODELFILE,
    .least = 2,
    .most = -1,
    .run = run,
};
