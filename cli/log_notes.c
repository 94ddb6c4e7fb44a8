/* How a log was read, for people, from the notes that the library keeps. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "log_notes.h"
#include "text_table.h"
#include "words.h"

static const char *word(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static long long count(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static void print_form(const json_t *notes, FILE *out)
{
    const char *delimiter = word(notes, "delimiter");
    fprintf(out, "read as %s", word(notes, "input"));
    const char *name = !strcmp(delimiter, "\t") ? "tab" : !strcmp(delimiter, " ") ? "blank" : NULL;
    if (name) fprintf(out, ", delimiter %s", name);
    if (*delimiter && !name) fprintf(out, ", delimiter '%s'", delimiter);
    fprintf(out, ", encoding %s, %s header", word(notes, "encoding"),
            json_is_true(json_object_get(notes, "header")) ? "with a" : "no");
    if (*word(notes, "time_format")) fprintf(out, ", times in %s", word(notes, "time_format"));
    fputc('\n', out);
}

static void print_columns(const json_t *notes, FILE *out)
{
    const char *role;
    json_t *column;
    if (!json_object_size(json_object_get(notes, "columns"))) return;
    fputs("columns:", out);
    json_object_foreach (json_object_get(notes, "columns"), role, column) {
        if (!json_object_get(column, "index")) continue;
        fprintf(out, " %s = ", role);
        if (json_is_string(json_object_get(column, "name")))
            fprintf(out, "'%s'", word(column, "name"));
        else if (json_is_integer(json_object_get(column, "index")))
            fprintf(out, "column %lld", count(column, "index"));
        else
            fputs("none", out);
        fputc(';', out);
    }
    fputc('\n', out);
}

static void cell_text(const json_t *value, size_t column, char *out, size_t room)
{
    if (json_is_string(value))
        snprintf(out, room, "%s", json_string_value(value));
    else if (column == 3 && json_is_integer(value)) { /* a time, in milliseconds */
        time_t seconds = (time_t)(json_integer_value(value) / 1000);
        struct tm parts;
        if (!gmtime_r(&seconds, &parts) || !strftime(out, room, "%Y-%m-%d %H:%M:%S", &parts)) snprintf(out, room, "?");
    } else if (json_is_number(value))
        snprintf(out, room, "%.9g", json_number_value(value));
    else
        snprintf(out, room, "-");
}

static void print_sample(const json_t *notes, FILE *out)
{
    static const char *const header[] = {"user", "item", "value", "time (UTC)", "event"};
    size_t i;
    const json_t *row;
    table *t = table_create(5, header);
    json_array_foreach (json_object_get(notes, "sample"), i, row) {
        char cell[5][256];
        const char *cells[5];
        for (size_t c = 0; c < 5; c++) {
            cell_text(json_array_get(row, c), c, cell[c], sizeof cell[c]);
            cells[c] = cell[c];
        }
        table_row(t, cells);
    }
    table_print(t, out);
    table_destroy(t);
}

static void print_odd(const json_t *notes, FILE *out)
{
    static const struct {
        const char *key, *words;
    } odd[] = {{"skipped", "bad rows passed over"},
               {"blank_ids", "rows with a blank id"},
               {"missing_times", "rows without a time"},
               {"negative_values", "rows with a negative value (refunds?)"},
               {"alike_users", "users that differ only in case or blanks"},
               {"alike_items", "items that differ only in case or blanks"},
               {"odd_quotes", "cells with a quote where none belongs"}};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        if (count(notes, odd[i].key)) fprintf(out, "%lld %s\n", count(notes, odd[i].key), odd[i].words);
    size_t i;
    const json_t *bad;
    json_array_foreach (json_object_get(notes, "bad_rows"), i, bad) fprintf(out, "  %s\n", json_string_value(bad));
}

/* A table beside the log: its columns with their types, and how many of its rows the log knows. */
static void print_table(const char *name, const json_t *about, FILE *out)
{
    size_t i;
    const json_t *column, *bad;
    fprintf(out, "%s: %s, %lld rows, %lld of them with events", name, word(about, "file"), count(about, "rows"),
            count(about, "matched"));
    if (count(about, "ids_without_row")) fprintf(out, ", %lld ids without a row", count(about, "ids_without_row"));
    if (count(about, "repeated")) fprintf(out, ", %lld repeated", count(about, "repeated"));
    if (count(about, "skipped")) fprintf(out, ", %lld bad rows passed over", count(about, "skipped"));
    if (count(about, "bad_numbers")) fprintf(out, ", %lld cells that are no numbers", count(about, "bad_numbers"));
    fprintf(out, "; encoding %s\n ", word(about, "encoding"));
    json_array_foreach (json_object_get(about, "columns"), i, column)
        fprintf(out, "%s %s (%s)%s", i ? "," : "", word(column, "name"), word(column, "type"),
                !strcmp(word(column, "name"), word(about, "title")) ? ", the title" : "");
    fputc('\n', out);
    json_array_foreach (json_object_get(about, "bad_rows"), i, bad) fprintf(out, "  %s\n", json_string_value(bad));
}

static void print_tables(const json_t *notes, FILE *out)
{
    const char *name;
    json_t *about;
    json_object_foreach (json_object_get(notes, "tables"), name, about) {
        if (json_object_get(about, "columns")) {
            print_table(name, about, out);
            continue;
        }
        char *text = json_dumps(about, JSON_COMPACT);
        if (text && strcmp(text, "null")) fprintf(out, "%s: %s\n", name, text);
        free(text);
    }
}

void notes_print(const call *c, const pen_dataset *log, FILE *out)
{
    (void)c;
    json_t *notes = json_loads(pen_dataset_notes(log), 0, NULL);
    progress_end();
    words_clean_json(notes);
    if (notes) {
        print_form(notes, out);
        print_columns(notes, out);
        print_sample(notes, out);
        print_odd(notes, out);
        print_tables(notes, out);
    }
    json_decref(notes);
}

void notes_warn(const call *c, const pen_dataset *log)
{
    if (c->quiet) return;
    json_t *notes = json_loads(pen_dataset_notes(log), 0, NULL);
    progress_end();
    words_clean_json(notes);
    if (notes && count(notes, "skipped")) print_odd(notes, stderr);
    json_decref(notes);
}
