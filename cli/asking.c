/* What the verbs that ask a model share. Ids are bytes: a file holds one a line, whatever else the line holds. */
#include "asking.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text_table.h"

bool wants(const call *c, const char *format) { return c->format && !strcmp(c->format, format); }

char *text_of(pen_string string)
{
    char *copy = malloc(string.length + 1);
    if (!copy) return NULL;
    if (string.length) memcpy(copy, string.bytes, string.length);
    copy[string.length] = 0;
    return copy;
}

/* ---- lists of ids ------------------------------------------------------------------------------------------------ */

static char *read_whole(const char *path, size_t *length)
{
    FILE *in = strcmp(path, "-") ? fopen(path, "rb") : stdin;
    size_t cap = 1 << 16, n = 0, got;
    char *bytes = in ? malloc(cap) : NULL;
    while (bytes && (got = fread(bytes + n, 1, cap - n, in)) > 0) {
        n += got;
        if (n < cap) continue;
        char *grown = realloc(bytes, cap *= 2);
        if (!grown) free(bytes);
        bytes = grown;
    }
    if (bytes && ferror(in)) {
        free(bytes);
        bytes = NULL;
    }
    int saved = errno;
    if (in && in != stdin) fclose(in);
    errno = saved;
    *length = n;
    return bytes;
}

/* Cuts the bytes at `mark`; empty pieces (and a line's carriage return) are dropped. */
static int cut(const call *c, id_list *ids, size_t length, char mark)
{
    size_t most = 1;
    for (size_t i = 0; i < length; i++) most += ids->bytes[i] == mark;
    ids->at = malloc(most * sizeof *ids->at);
    if (!ids->at) return usage(c, "out of memory");
    const char *at = ids->bytes, *end = ids->bytes + length;
    while (at < end) {
        const char *stop = memchr(at, mark, (size_t)(end - at));
        if (!stop) stop = end;
        size_t n = (size_t)(stop - at);
        if (mark == '\n' && n && at[n - 1] == '\r') n--;
        if (n) ids->at[ids->n++] = (pen_string){at, n};
        at = stop + 1;
    }
    return EXIT_DONE;
}

static int read_ids(const call *c, const char *name, const char *path, id_list *ids)
{
    size_t length;
    ids->bytes = read_whole(path, &length);
    if (!ids->bytes) return usage(c, "%s: cannot read '%s': %s", name, path, strerror(errno)), EXIT_FAILED;
    return cut(c, ids, length, '\n');
}

/* ---- who asks ---------------------------------------------------------------------------------------------------- */

/* "item" or, where no item has that id, "item:value". */
static void split_value(const pen_model *model, pen_string *id, float *value)
{
    *value = NAN;
    if (pen_model_find_item(model, *id) >= 0) return;
    for (size_t at = id->length; at-- > 1;) {
        if (id->bytes[at] != ':') continue;
        char number[64];
        size_t n = id->length - at - 1;
        if (n == 0 || n >= sizeof number) return;
        memcpy(number, id->bytes + at + 1, n);
        number[n] = 0;
        char *end;
        double x = strtod(number, &end);
        if (*end || !isfinite(x)) return;
        *value = (float)x;
        id->length = at;
        return;
    }
}

static int read_history(const call *c, asking *a)
{
    int status;
    if (c->history[0] == '@') {
        status = read_ids(c, "--history", c->history + 1, &a->history);
    } else {
        a->history.bytes = strdup(c->history);
        status = a->history.bytes ? cut(c, &a->history, strlen(c->history), ',') : usage(c, "out of memory");
    }
    if (status != EXIT_DONE) return status;
    if (!a->history.n) return usage(c, "--history names no item");
    a->values = malloc(a->history.n * sizeof *a->values);
    if (!a->values) return usage(c, "out of memory");
    for (size_t i = 0; i < a->history.n; i++) split_value(a->model, &a->history.at[i], &a->values[i]);
    a->who.history = a->history.at;
    a->who.values = a->values;
    a->who.n_history = a->history.n;
    return EXIT_DONE;
}

static int read_filters(const call *c, asking *a)
{
    int status = EXIT_DONE;
    pen_recommend_options *o = &a->options;
    if (c->allow) status = read_ids(c, "--allow", c->allow, &a->allow);
    if (status == EXIT_DONE && c->deny) status = read_ids(c, "--deny", c->deny, &a->deny);
    o->allow = c->allow ? a->allow.at : NULL;
    o->n_allow = a->allow.n;
    o->deny = a->deny.at;
    o->n_deny = a->deny.n;
    o->where = c->where;
    o->min_popularity = c->min_popularity;
    o->diversity = c->diversity;
    o->n = (int32_t)c->n;
    o->keep_seen = c->keep_seen;
    o->why = c->why;
    o->render = wants(c, "json") ? PEN_RENDER_JSON : wants(c, "csv") ? PEN_RENDER_CSV : PEN_RENDER_NONE;
    return status;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

int asking_open(const call *c, asking *a)
{
    static const pen_who nobody = PEN_WHO_INIT;
    static const pen_recommend_options standard = PEN_RECOMMEND_OPTIONS_INIT;
    pen_error error = {0};
    *a = (asking){.who = nobody, .options = standard};
    int status = open_context(c, &a->ctx);
    if (status != EXIT_DONE) return status;
    if (pen_model_open(a->ctx, c->args.at[0], &a->model, &error) != PEN_OK) return fail(&error);
    if (pen_query_create(a->model, &a->query, &error) != PEN_OK) return fail(&error);
    if (c->user) a->who.user = pen_string_of(c->user);
    if (c->history) status = read_history(c, a);
    return status == EXIT_DONE ? read_filters(c, a) : status;
}

static void ids_free(id_list *ids)
{
    free(ids->at);
    free(ids->bytes);
}

void asking_close(asking *a)
{
    pen_query_destroy(a->query);
    pen_model_destroy(a->model);
    pen_context_destroy(a->ctx);
    free(a->values);
    ids_free(&a->history);
    ids_free(&a->allow);
    ids_free(&a->deny);
}

/* ---- showing ----------------------------------------------------------------------------------------------------- */

void asking_say(const call *c, pen_string user, int32_t how, pen_string reason)
{
    say(c, "%s%.*s: %s%s%.*s", user.bytes ? "user " : "history", (int)user.length, user.bytes ? user.bytes : "",
        pen_how_text((pen_how)how), reason.length ? "; " : "", (int)reason.length, reason.bytes ? reason.bytes : "");
}

void asking_table(const call *c, const pen_answer *answer)
{
    static const char *const header[] = {"#", "item", "title", "score", "why"};
    size_t n_columns = c->why ? 5 : 4;
    table *t = table_create(n_columns, header);
    for (int32_t i = 0; i < answer->n; i++) {
        const pen_pick *pick = &answer->items[i];
        char place[16], score[32];
        char *id = text_of(pick->id), *title = text_of(pick->title), *why = text_of(pick->why);
        snprintf(place, sizeof place, "%d", i + 1);
        snprintf(score, sizeof score,
                 pick->score == roundf(pick->score) || fabsf(pick->score) >= 1e4f ? "%.0f" : "%.4f",
                 (double)pick->score);
        const char *const cells[] = {place, id, title, score, why};
        table_row(t, cells);
        free(id);
        free(title);
        free(why);
    }
    table_show(c, t);
    table_destroy(t);
}
