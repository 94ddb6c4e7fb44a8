/* JSON lines: placeholder until the next commit */
#include "data/rows.h"
static pen_status parse(pen__rows *rows)
{
    return pen__fail(rows->error, PEN_E_UNSUPPORTED, "JSON lines are not read yet");
}
static void count(const pen__layout *layout, pen__block *block) { (void)layout; block->n_lines = block->room = pen__count_byte(block->text, block->end, '\n') + 1; }
const pen__reader pen__reader_jsonl = {.name = "jsonl", .count = count, .parse = parse};
