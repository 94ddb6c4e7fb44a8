/* Filter expressions over a table with every type of column: what parses is evaluated on every item; `not (...)` around
 * it must parse too and turn each answer around. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../tests/where_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void turn(pen_context *ctx, const where_fixture *fixture, const char *text, size_t size, const pen__where *where)
{
    pen__where *turned;
    pen_error error;
    char *around = malloc(size + 6);
    if (!around) return;
    memcpy(around, "not (", 5);
    memcpy(around + 5, text, size);
    around[size + 5] = ')';
    pen_status status = pen__where_parse(ctx, (pen__span){around, size + 6}, &fixture->items, &turned, &error);
    if (status != PEN_OK && status != PEN_E_LIMIT) abort();
    for (int32_t i = 0; status == PEN_OK && i < WHERE_ITEMS; i++)
        if (pen__where_holds(turned, i) == pen__where_holds(where, i)) abort();
    pen__where_free(turned);
    free(around);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pen_context *ctx;
    static where_fixture fixture;
    static uint64_t held;
    pen__where *where;
    pen_error error = {0};
    if (!ctx) {
        if (pen_context_create(NULL, &ctx, NULL) != PEN_OK || where_fixture_make(ctx, &fixture) != PEN_OK) abort();
        held = pen_context_memory(ctx);
    }
    char *text = malloc(size ? size : 1); /* no byte more, so that a read past the end is seen */
    if (!text) return 0;
    if (size) memcpy(text, data, size);
    pen_status status = pen__where_parse(ctx, (pen__span){text, size}, &fixture.items, &where, &error);
    if (status == PEN_OK)
        turn(ctx, &fixture, text, size, where);
    else if (!error.message[0] || where)
        abort();
    pen__where_free(where);
    if (pen_context_memory(ctx) != held) abort();
    free(text);
    return 0;
}
