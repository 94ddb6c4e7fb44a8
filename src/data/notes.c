/* The notes of a reading, as JSON: what was guessed, what was left out, what looks odd, and five rows as understood. */
#include "data/notes.h"

#include <math.h>

#include "base/thread.h"
#include "data/alike.h"

enum { SAMPLE_EVENTS = 5, FEW_WORDS = 1000 };

void pen__count_block(pen__read_counts *counts, const pen__block *block)
{
    counts->lines += block->n_lines;
    counts->rows += block->n_rows;
    counts->skipped += block->skipped;
    counts->blank_ids += block->blank_ids;
    counts->missing_times += block->missing_times;
    counts->negative_values += block->negative_values;
    counts->odd_quotes += block->odd_quotes;
    for (int i = 0; i < block->n_bad && counts->n_bad < PEN_BAD_KEPT; i++) counts->bad[counts->n_bad++] = block->bad[i];
}

static void add_string(pen__text *json, pen__span s) { pen__text_json(json, s.text, s.length); }

static void add_column(pen__text *json, const pen__layout *layout, int role, const char *word, bool *any)
{
    if (layout->column[role] < 0) return;
    pen__text_puts(json, *any ? ", " : "");
    *any = true;
    pen__text_json(json, word, strlen(word));
    pen__text_puts(json, ": {\"name\": ");
    if (layout->name[role])
        pen__text_json(json, layout->name[role], strlen(layout->name[role]));
    else
        pen__text_puts(json, "null");
    if (layout->n_columns)
        pen__text_printf(json, ", \"index\": %d}", layout->column[role] + 1);
    else
        pen__text_puts(json, ", \"index\": null}");
}

static void add_columns(pen__text *json, const pen__layout *layout)
{
    bool any = false;
    pen__text_puts(json, "\"columns\": {");
    for (int role = 0; role < PEN_ROLE_CONTEXT; role++) add_column(json, layout, role, pen__role_words[role], &any);
    pen__text_puts(json, any && layout->n_roles > PEN_ROLE_CONTEXT ? ", \"context\": {" : "}");
    if (layout->n_roles == PEN_ROLE_CONTEXT) return;
    any = false;
    for (int role = PEN_ROLE_CONTEXT; role < layout->n_roles; role++)
        add_column(json, layout, role, layout->name[role] ? layout->name[role] : "?", &any);
    pen__text_puts(json, "}}");
}

static void add_sample(pen__text *json, const pen_dataset *d)
{
    pen__text_puts(json, "\"sample\": [");
    for (int64_t i = 0; i < d->n_events && i < SAMPLE_EVENTS; i++) {
        pen__text_puts(json, i ? ", [" : "[");
        add_string(json, pen__strings_at(&d->users, d->user[i]));
        pen__text_puts(json, ", ");
        add_string(json, pen__strings_at(&d->items, d->item[i]));
        if (d->value)
            pen__text_printf(json, ", %.9g", (double)d->value[i]);
        else
            pen__text_puts(json, ", null");
        if (d->time && d->time[i] != PEN_TIME_MISSING)
            pen__text_printf(json, ", %lld", (long long)d->time[i]);
        else
            pen__text_puts(json, ", null");
        if (d->event) {
            pen__text_puts(json, ", ");
            if (d->event[i] >= 0)
                add_string(json, pen__strings_at(&d->event_types, d->event[i]));
            else
                pen__text_puts(json, "null");
        }
        pen__text_puts(json, "]");
    }
    pen__text_puts(json, "]");
}

typedef struct alike {
    const pen_dataset *d;
    pen__alike of[2];
} alike;

static pen_status alike_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker;
    alike *a = arg;
    return pen__alike_find(shard ? &a->d->items : &a->d->users, &a->of[shard], error);
}

pen_status pen__notes_write(pen_dataset *d, const pen__layout *layout, pen__stream *const *streams, size_t n_streams,
                            const pen__read_counts *counts, const char *tables, pen_error *error)
{
    pen__text json = {.ctx = d->ctx}, source = {.ctx = d->ctx};
    alike same = {.d = d};
    PEN_TRY(pen__parallel(d->ctx, 2, alike_shard, &same, error));
    pen__text_puts(&json, "{\"files\": [");
    for (size_t i = 0; i < n_streams; i++) {
        const char *name = pen__stream_name(streams[i]);
        pen__text_puts(&json, i ? ", " : "");
        pen__text_json(&json, name, strlen(name));
        pen__text_puts(&source, i ? " " : "");
        pen__text_puts(&source, name);
    }
    pen__text_printf(&json, "], \"input\": \"%s\", ", pen__input_names[layout->input]);
    if (layout->delimiter_length) {
        pen__text_puts(&json, "\"delimiter\": ");
        pen__text_json(&json, layout->delimiter, layout->delimiter_length);
        pen__text_puts(&json, ", ");
    }
    pen__text_printf(&json, "\"encoding\": \"%s\", \"header\": %s, ", pen__encoding_names[layout->encoding],
                     layout->header ? "true" : "false");
    if (layout->column[PEN_ROLE_TIME] >= 0)
        pen__text_printf(&json, "\"time_format\": \"%s\", ", pen__time_units[layout->time_unit]);
    add_columns(&json, layout);
    pen__text_printf(&json, ", \"rows\": %lld, \"skipped\": %lld, \"bad_rows\": [", (long long)counts->rows,
                     (long long)counts->skipped);
    for (int i = 0; i < counts->n_bad; i++) {
        pen__text_puts(&json, i ? ", " : "");
        pen__text_json(&json, counts->bad[i], strlen(counts->bad[i]));
    }
    pen__text_printf(
        &json, "], \"blank_ids\": %lld, \"missing_times\": %lld, \"negative_values\": %lld, \"odd_quotes\": %lld, ",
        (long long)counts->blank_ids, (long long)counts->missing_times, (long long)counts->negative_values,
        (long long)counts->odd_quotes);
    pen__text_printf(&json, "\"alike_users\": %lld, \"alike_items\": %lld, ", (long long)same.of[0].n,
                     (long long)same.of[1].n);
    add_sample(&json, d);
    pen__text_puts(&json, ", \"tables\": ");
    pen__text_puts(&json, tables);
    pen__text_puts(&json, "}");
    d->notes = json.bytes;
    d->source = source.bytes;
    PEN_CHECK(!json.failed && !source.failed, PEN_E_MEMORY, "out of memory for the notes of a reading");
    return PEN_OK;
}

/* ---- context columns ---- */

/* Whether all words are finite numbers, and whether any is not whole. */
static bool all_numbers(const pen__strings *words, bool *fraction)
{
    *fraction = false;
    for (int64_t i = 0; i < words->n; i++) {
        double value;
        if (!pen__parse_number(pen__strings_at(words, i), false, &value) || !isfinite((float)value)) return false;
        *fraction |= value != floor(value);
    }
    return words->n > 0;
}

pen_status pen__context_settle(pen_context *ctx, pen__column *column, char kind, pen_error *error)
{
    bool fraction;
    if (kind == 't' || !all_numbers(&column->words, &fraction)) return PEN_OK;
    if (kind != 'f' && !fraction && column->words.n <= FEW_WORDS) return PEN_OK;
    float *number, *of_word;
    PEN_TRY(PEN_NEW(ctx, of_word, column->words.n));
    pen_status status = PEN_NEW(ctx, number, column->rows);
    if (status == PEN_OK) {
        for (int64_t i = 0; i < column->words.n; i++) {
            double value = 0;
            pen__parse_number(pen__strings_at(&column->words, i), false, &value);
            of_word[i] = (float)value;
        }
        for (int64_t i = 0; i < column->rows; i++) number[i] = column->code[i] < 0 ? NAN : of_word[column->code[i]];
        pen__free(ctx, (void *)(uintptr_t)column->code);
        pen__strings_free(&column->words);
        column->code = NULL;
        column->number = number;
        column->type = PEN_COLUMN_NUMBER;
    }
    pen__free(ctx, of_word);
    return status;
}
