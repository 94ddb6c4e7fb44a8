/* What lets a model answer alone: ids, titles, what each user has seen, how popular each item is. */
#ifndef PEN_RANK_CATALOGUE_H
#define PEN_RANK_CATALOGUE_H

#include "rank/model.h"

struct pen__catalogue {
    pen_context *ctx;
    pen__strings users, items; /* indexed; the model's numbers */
    pen__rows history;         /* by user, in order of time; begin NULL where the history was left out */
    pen__rows liked;           /* the history without what only counts as seen; begin NULL: all of it is liked */
    int64_t *item_events;      /* n_items: events in training */
    pen__table item_table;     /* rows == n_items, or 0 */
    int owns_rows;             /* 0: history and item_events are borrowed from a mapped container */
};

/* From training's data: copies. with_history 0 leaves what users have seen out. */
pen_status pen__catalogue_build(const pen__train *train, int with_history, struct pen__catalogue **out,
                                pen_error *error);
/* About what that will hold, from the numbers of the data alone: O(users + items + events). */
uint64_t pen__catalogue_bytes(const pen__train *train, int with_history);
void pen__catalogue_free(struct pen__catalogue *catalogue);

/* What a model goes by of a user of its own: what was liked. number -1, or no history: nothing. */
static inline pen__user pen__catalogue_user(const struct pen__catalogue *c, int32_t number)
{
    const pen__rows *h = pen__liked_of(&c->liked, &c->history);
    pen__user user = {.number = number};
    if (number < 0 || !h->begin) return user;
    user.n = h->begin[number + 1] - h->begin[number];
    user.item = h->column + h->begin[number];
    user.value = h->value + h->begin[number];
    return user;
}

/* Title of an item for people, or an empty span. */
pen__span pen__catalogue_title(const struct pen__catalogue *catalogue, int32_t item);

/* Name of an item for people: its title, else its id. */
pen__span pen__catalogue_name(const struct pen__catalogue *catalogue, int32_t item);

/* The rows of a table that `number` picks. */
pen_status pen__table_pick(pen_context *ctx, const pen__table *from, const int32_t *number, int64_t n, pen__table *out,
                           pen_error *error);
void pen__table_free(pen_context *ctx, pen__table *table);

#endif
