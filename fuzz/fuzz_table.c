/* Tables and triples beside a small log. The first byte says what the rest is. */
#include "fuzz_reading.h"

static void walk_table(const pen__table *t)
{
    for (int32_t k = 0; k < t->n_columns; k++) {
        const pen__column *c = &t->column[k];
        int64_t n = c->type == PEN_COLUMN_CATEGORIES ? c->begin[c->rows] : c->rows;
        for (int64_t i = 0; i < n && c->code; i++)
            if (c->code[i] < -1 || c->code[i] >= c->words.n) abort();
        if (c->type == PEN_COLUMN_TEXT && c->words.n != c->rows) abort();
        if (pen__utf8_invalid(c->name, strlen(c->name)) < strlen(c->name)) abort();
        for (int64_t i = 0; i < c->words.n; i++) {
            pen__span word = pen__strings_at(&c->words, i);
            if (pen__utf8_invalid(word.text, word.length) < word.length) abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char log_text[] = "u\ta\nu\tb\nv\tc\nv\t1\nw\t2\n";
    pen_read_options options = PEN_READ_OPTIONS_INIT;
    pen_context *ctx = fuzz_context();
    pen__stream *log = NULL, *table = NULL;
    pen__beside beside = {0};
    pen_dataset *d = NULL;
    pen_error error;
    if (!size) return 0;
    options.skip_bad_rows = data[0] & 1;
    if (data[0] & 2) options.encoding = "utf-8";
    const char *name = data[0] & 4 ? "u.item" : "fuzz";
    if (pen__stream_memory(ctx, "log", log_text, sizeof log_text - 1, 0, &log, &error) != PEN_OK) abort();
    if (pen__stream_memory(ctx, name, data + 1, size - 1, data[0] & 8 ? 5 : 0, &table, &error) == PEN_OK) {
        int what = data[0] >> 4 & 3;
        if (what == 0) beside.items = table;
        if (what == 1) beside.users = table;
        if (what >= 2) beside.triples = table;
        if (pen__read_log(ctx, &log, 1, &beside, &options, &d, &error) == PEN_OK) {
            walk_table(&d->item_table);
            walk_table(&d->user_table);
            const char *notes = pen_dataset_notes(d);
            if (pen__utf8_invalid(notes, strlen(notes)) < strlen(notes)) abort();
        }
    }
    pen_dataset_destroy(d);
    pen__stream_close(table);
    pen__stream_close(log);
    if (pen_context_memory(ctx)) abort();
    return 0;
}
