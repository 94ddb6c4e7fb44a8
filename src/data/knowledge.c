/* Triples of a knowledge graph and the links from items to its entities: RecBole's .kg and .link, or plain columns. */
#include <string.h>

#include "data/cells.h"
#include "data/rows.h"
#include "data/table.h"
#include "data/whole.h"

typedef struct lines {
    pen__whole whole;
    pen__layout layout;
    const char *at, *end, *name;
    int64_t line;
    int wanted; /* columns */
} lines;

static pen_status lines_open(pen_context *ctx, pen__stream *stream, const pen_read_options *options, int wanted,
                             lines *l, pen_error *error)
{
    *l = (lines){.name = pen__stream_name(stream), .line = 1, .wanted = wanted};
    PEN_TRY(pen__whole_read(ctx, stream, options, &l->whole, error));
    PEN_TRY(pen__layout_guess_table(ctx, l->name, (pen__span){l->whole.bytes, l->whole.n}, options, true, &l->layout,
                                    error));
    PEN_CHECK(l->layout.input != PEN_INPUT_JSONL, PEN_E_UNSUPPORTED,
              "%s: triples and links are read from columns, not from JSON", l->name);
    l->at = l->whole.bytes;
    l->end = l->at + l->whole.n;
    return PEN_OK;
}

static void lines_close(lines *l)
{
    pen__layout_free(&l->layout);
    pen__whole_free(&l->whole);
}

/* The first `wanted` fields of the next row; *more is false at the end. */
static pen_status lines_next(lines *l, pen__span *field, bool *more, pen_error *error)
{
    const char *next;
    for (; l->at < l->end && pen__line_is_empty(&l->layout, l->at, l->end, &next); l->at = next) l->line++;
    if (l->layout.header && l->at < l->end) { /* once */
        next = memchr(l->at, '\n', (size_t)(l->end - l->at));
        l->at = next ? next + 1 : l->end;
        l->line++;
        l->layout.header = false;
        return lines_next(l, field, more, error);
    }
    *more = l->at < l->end;
    if (!*more) return PEN_OK;
    pen__field f = {0};
    int n = 0;
    const char *begin = l->at;
    for (; !f.last; n++) {
        l->at = pen__field_next(l->at, l->end, l->layout.delimiter, l->layout.delimiter_length, &f);
        if (n < l->wanted) field[n] = f.raw;
    }
    for (int i = 0; i < l->wanted; i++)
        if (i >= n || pen__is_blank(field[i]))
            return pen__fail_at(error, PEN_E_INPUT, l->line, "%s:%lld:1: column %d is %s; a row is \"%s\"", l->name,
                                (long long)l->line, i + 1, i < n ? "blank" : "missing",
                                l->wanted == 3 ? "head relation tail" : "item entity");
    l->line += pen__count_byte(begin, l->at, '\n');
    return PEN_OK;
}

static pen_status read_triples(pen__knowledge *k, lines *l, pen_context *ctx, pen_error *error)
{
    pen__span field[3];
    size_t caps[3] = {0}, n = 0;
    int32_t *head = NULL, *relation = NULL, *tail = NULL;
    bool more = true;
    pen_status status = PEN_OK;
    while (status == PEN_OK && (status = lines_next(l, field, &more, error)) == PEN_OK && more) {
        PEN_TRY_DONE(PEN_GROW(ctx, head, &caps[0], n + 1));
        PEN_TRY_DONE(PEN_GROW(ctx, relation, &caps[1], n + 1));
        PEN_TRY_DONE(PEN_GROW(ctx, tail, &caps[2], n + 1));
        PEN_TRY_DONE(pen__strings_add(&k->entities, field[0], &head[n], error));
        PEN_TRY_DONE(pen__strings_add(&k->relations, field[1], &relation[n], error));
        PEN_TRY_DONE(pen__strings_add(&k->entities, field[2], &tail[n], error));
        n++;
    }
done:
    k->head = head;
    k->relation = relation;
    k->tail = tail;
    k->n_triples = (int64_t)n;
    return status;
}

static pen_status read_links(pen_dataset *d, lines *l, int32_t *item_entity, int64_t *unknown, pen_error *error)
{
    pen__span field[2];
    bool more = true;
    for (;;) {
        PEN_TRY(lines_next(l, field, &more, error));
        if (!more) return PEN_OK;
        int32_t item = pen__strings_find(&d->items, field[0]);
        *unknown += item < 0;
        if (item >= 0) PEN_TRY(pen__strings_add(&d->knowledge.entities, field[1], &item_entity[item], error));
    }
}

pen_status pen__knowledge_read(pen_dataset *d, pen__stream *triples, pen__stream *links,
                               const pen_read_options *options, pen__text *notes, pen_error *error)
{
    pen__knowledge *k = &d->knowledge;
    lines of_triples = {0}, of_links = {0};
    int32_t *item_entity;
    int64_t unknown = 0, linked = 0;
    pen_status status = PEN_OK;
    PEN_TRY(PEN_NEW(d->ctx, item_entity, d->items.n));
    k->item_entity = item_entity;
    PEN_TRY_DONE(lines_open(d->ctx, triples, options, 3, &of_triples, error));
    PEN_TRY_DONE(read_triples(k, &of_triples, d->ctx, error));
    for (int64_t i = 0; i < d->items.n; i++)
        item_entity[i] = links ? -1 : pen__strings_find(&k->entities, pen__strings_at(&d->items, i));
    if (links) PEN_TRY_DONE(lines_open(d->ctx, links, options, 2, &of_links, error));
    if (links) PEN_TRY_DONE(read_links(d, &of_links, item_entity, &unknown, error));
    for (int64_t i = 0; i < d->items.n; i++) linked += item_entity[i] >= 0;
    pen__text_puts(notes, "{\"file\": ");
    pen__text_json(notes, of_triples.name, strlen(of_triples.name));
    pen__text_printf(notes,
                     ", \"triples\": %lld, \"entities\": %lld, \"relations\": %lld, \"linked_items\": %lld, "
                     "\"links_without_events\": %lld}",
                     (long long)k->n_triples, (long long)k->entities.n, (long long)k->relations.n, (long long)linked,
                     (long long)unknown);
done:
    lines_close(&of_triples);
    lines_close(&of_links);
    return status;
}
