/* Adjacency lists: a line is a user and the items that follow it, parted by blanks or tabs (`user item item ...`); or
 * by the delimiter that was asked for. A user without items is no event. */
#include "data/rows.h"

static bool parts(const pen__layout *layout, char c)
{
    return layout->delimiter_length ? c == layout->delimiter[0] : c == ' ' || c == '\t';
}

/* The next word of the line in [at, stop); empty at its end. */
static pen__span next_word(const pen__layout *layout, const char **at, const char *stop)
{
    while (*at < stop && parts(layout, **at)) ++*at;
    const char *begin = *at;
    while (*at < stop && !parts(layout, **at)) ++*at;
    return (pen__span){begin, (size_t)(*at - begin)};
}

static pen_status parse(pen__rows *rows)
{
    const pen__layout *layout = rows->layout;
    const char *at = rows->block->text, *const end = rows->block->end;
    pen__span field[PEN_MAX_ROLES] = {{NULL, 0}};
    while (at < end) {
        const char *record = at, *next;
        if (pen__line_is_empty(layout, at, end, &next)) {
            at = next;
            continue;
        }
        const char *feed = memchr(at, '\n', (size_t)(end - at)), *stop = feed ? feed : end;
        next = feed ? feed + 1 : end;
        if (stop > at && stop[-1] == '\r') stop--;
        field[PEN_ROLE_USER] = next_word(layout, &at, stop);
        while ((field[PEN_ROLE_ITEM] = next_word(layout, &at, stop)).length) {
            int fault = pen__rows_put(rows, field, record);
            if (fault) PEN_TRY(pen__rows_fault(rows, fault, field, record, 0));
        }
        at = next;
    }
    return pen__rows_flush(rows);
}

static void count(const pen__layout *layout, pen__block *block)
{
    int64_t n = 1;
    block->n_lines = pen__count_byte(block->text, block->end, '\n');
    if (layout->delimiter_length)
        n += pen__count_byte(block->text, block->end, layout->delimiter[0]);
    else
        n += pen__count_byte(block->text, block->end, ' ') + pen__count_byte(block->text, block->end, '\t');
    block->room = n; /* an item stands behind a blank of its own */
}

const pen__reader pen__reader_lists = {.name = "lists", .count = count, .parse = parse};
