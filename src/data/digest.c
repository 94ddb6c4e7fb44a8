/* The content's hash: docs/formats/pds.md, "The content's hash". Every array is hashed in pieces of 4 MiB by all
 * workers, and the pieces' hashes, with each array's place and length, are hashed once more. */
#include "data/digest.h"

#include "base/thread.h"

enum { PIECE = 4 << 20 };

typedef struct piece {
    const char *bytes;
    size_t n;
    uint64_t hash;
} piece;

typedef struct digest {
    pen_context *ctx;
    piece *piece; /* a piece without bytes is a head: its hash is the array's place, its n the array's bytes */
    size_t n, cap;
    uint64_t place;
    pen_error *error;
    pen_status status;
} digest;

static void push(digest *g, piece p)
{
    pen_error *error = g->error;
    if (g->status == PEN_OK) g->status = PEN_GROW(g->ctx, g->piece, &g->cap, g->n + 1);
    if (g->status == PEN_OK) g->piece[g->n++] = p;
}

static void add(digest *g, const void *array, size_t n, size_t size)
{
    const char *bytes = array;
    size_t left = array ? n * size : 0;
    g->place++;
    push(g, (piece){NULL, left, g->place});
    for (; left; left -= left < PIECE ? left : PIECE) {
        size_t take = left < PIECE ? left : PIECE;
        push(g, (piece){bytes, take, 0});
        bytes += take;
    }
}

static void add_strings(digest *g, const pen__strings *s)
{
    add(g, s->bytes, s->n ? (size_t)s->offset[s->n] : 0, 1);
    add(g, s->n ? s->offset : NULL, (size_t)s->n + 1, sizeof *s->offset);
}

static void add_columns(digest *g, const pen__column *column, int32_t n)
{
    for (int32_t k = 0; k < n; k++) {
        const pen__column *c = &column[k];
        const int64_t facts[3] = {c->type, c->width, c->rows};
        g->place += 100; /* so that a missing array is not its neighbour */
        add(g, c->name, __builtin_strlen(c->name), 1);
        push(g, (piece){NULL, 0, pen__hash(facts, sizeof facts)});
        add(g, c->code, (size_t)(c->type == PEN_COLUMN_CATEGORIES ? c->begin[c->rows] : c->rows), sizeof *c->code);
        add(g, c->begin, (size_t)c->rows + 1, sizeof *c->begin);
        add(g, c->number, (size_t)(c->type == PEN_COLUMN_VECTOR ? c->rows * c->width : c->rows), sizeof *c->number);
        add_strings(g, &c->words);
    }
}

static pen_status hash_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    piece *p = &((digest *)arg)->piece[shard];
    if (p->bytes) p->hash = pen__hash(p->bytes, p->n);
    return PEN_OK;
}

pen_status pen__dataset_digest(pen_dataset *d, pen_error *error)
{
    digest g = {.ctx = d->ctx, .error = error};
    uint64_t *words = NULL;
    size_t n = (size_t)d->n_events;
    add_strings(&g, &d->users);
    add_strings(&g, &d->items);
    add(&g, d->user, n, sizeof *d->user);
    add(&g, d->item, n, sizeof *d->item);
    add(&g, d->value, n, sizeof *d->value);
    add(&g, d->time, n, sizeof *d->time);
    add(&g, d->event, n, sizeof *d->event);
    add_strings(&g, &d->event_types);
    g.place = 1000000;
    add_columns(&g, d->context, d->n_context);
    g.place = 2000000;
    add_columns(&g, d->item_table.column, d->item_table.n_columns);
    g.place = 3000000;
    add_columns(&g, d->user_table.column, d->user_table.n_columns);
    g.place = 4000000;
    const pen__knowledge *k = &d->knowledge;
    add(&g, k->head, (size_t)k->n_triples, sizeof *k->head);
    add(&g, k->relation, (size_t)k->n_triples, sizeof *k->relation);
    add(&g, k->tail, (size_t)k->n_triples, sizeof *k->tail);
    add(&g, k->item_entity, (size_t)d->items.n, sizeof *k->item_entity);
    add_strings(&g, &k->entities);
    add_strings(&g, &k->relations);
    pen_status status = g.status;
    if (status == PEN_OK) status = pen__parallel(d->ctx, (int64_t)g.n, hash_shard, &g, error);
    if (status == PEN_OK) status = PEN_NEW(d->ctx, words, 2 * g.n);
    if (status == PEN_OK) {
        for (size_t i = 0; i < g.n; i++) words[2 * i] = g.piece[i].n, words[2 * i + 1] = g.piece[i].hash;
        d->hash = pen__hash(words, 2 * g.n * sizeof *words);
    }
    pen__free(d->ctx, words);
    pen__free(d->ctx, g.piece);
    return status;
}
