/* JSON lines: an object a line. Its members are matched to roles by name; an object usually has its members in the
 * order of the one before, so the name expected at a place is looked at first. A member that is null is one that is not
 * there. */
#include "data/json.h"
#include "data/rows.h"

static int role_of(const pen__layout *layout, pen__span key, int expected)
{
    for (int i = -1; i < layout->n_roles; i++) {
        int role = i < 0 ? expected : i;
        if (role >= 0 && layout->name[role] && pen__span_is(key, layout->name[role])) return role;
    }
    return -1;
}

/* One object into field[]. */
static void parse_object(const pen__layout *layout, pen__json *json, pen__span *field, int *order, int *bad_role)
{
    pen__span key, value;
    *bad_role = -1;
    for (int role = 0; role < layout->n_roles; role++) field[role] = (pen__span){NULL, 0};
    if (!pen__json_open(json)) return;
    for (int place = 0; pen__json_member(json, &key, &value); place++) {
        int role = role_of(layout, key, place < PEN_MAX_ROLES ? order[place] : -1);
        if (place < PEN_MAX_ROLES) order[place] = role;
        if (role < 0 || json->type == PEN_JSON_NULL) continue;
        if (json->type >= PEN_JSON_LIST) *bad_role = role;
        field[role] = value;
    }
}

static pen_status parse_lines(pen__rows *rows, char *scratch)
{
    const pen__layout *layout = rows->layout;
    const char *at = rows->block->text, *const end = rows->block->end, *next;
    pen__span field[PEN_MAX_ROLES];
    int order[PEN_MAX_ROLES], bad_role;
    for (int i = 0; i < PEN_MAX_ROLES; i++) order[i] = -1;
    for (; at < end; at = next) {
        if (pen__line_is_empty(layout, at, end, &next)) continue;
        const char *feed = memchr(at, '\n', (size_t)(end - at)), *stop = feed ? feed : end;
        next = feed ? feed + 1 : end;
        pen__json json = {.at = at, .end = stop, .scratch = scratch};
        parse_object(layout, &json, field, order, &bad_role);
        if (json.fault)
            PEN_TRY(
                pen__rows_fail_at(rows, at, json.at, "%s; correct the line or skip it (--on-error skip)", json.fault));
        else if (bad_role >= 0)
            PEN_TRY(pen__rows_fail_at(rows, at, at,
                                      "the %s (\"%.60s\") is a list or an object; allowed are text and numbers",
                                      pen__role_word(bad_role), layout->name[bad_role]));
        else {
            int fault = pen__rows_put(rows, field, at);
            if (fault) PEN_TRY(pen__rows_fault(rows, fault, field, at, 0));
            scratch = json.scratch; /* the row may be kept back: what it points to stays */
        }
    }
    return pen__rows_flush(rows);
}

static pen_status parse(pen__rows *rows)
{
    char *scratch;
    pen_error *error = rows->error;
    PEN_TRY(PEN_NEW(rows->ctx, scratch, rows->block->end - rows->block->text + 1));
    pen_status status = parse_lines(rows, scratch);
    pen__free(rows->ctx, scratch);
    return status;
}

static void count(const pen__layout *layout, pen__block *block)
{
    (void)layout;
    block->n_lines = pen__count_byte(block->text, block->end, '\n');
    block->room = block->n_lines + (block->end > block->text && block->end[-1] != '\n');
}

const pen__reader pen__reader_jsonl = {.name = "jsonl", .count = count, .parse = parse};
