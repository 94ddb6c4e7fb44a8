/* Data sets: a log of events with its users, items and tables, read from text or mapped from a .pds file.
 *
 *     pen_context *ctx;
 *     pen_dataset *log;
 *     pen_error error = {0};
 *     pen_read_options options = PEN_READ_OPTIONS_INIT;
 *     const char *files[] = {"ratings.csv"};
 *     if (pen_context_create(NULL, &ctx, &error) || pen_dataset_read(ctx, files, 1, &options, &log, &error))
 *         return fprintf(stderr, "%s\n", error.message), 1;
 *     printf("%d users, %d items\n", pen_dataset_users(log), pen_dataset_items(log));
 *     pen_dataset_destroy(log);
 *     pen_context_destroy(ctx);
 *
 * A data set does not change once it is made. Thread-safety: reading it from many threads is safe. Since 0.1.
 */
#ifndef PENCHANT_DATASET_H
#define PENCHANT_DATASET_H

#include "penchant/context.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pen_dataset pen_dataset;

/* How text is read. Every text field may be NULL: guess it. A column is named by its header's name or by its number
 * from 1; "" (empty) means that there is none, whatever a guess would say. */
typedef struct pen_read_options {
    size_t struct_size;
    const char *input; /* "delimited", "atomic", "jsonl", "lists" */
    const char *user_column, *item_column, *value_column, *time_column, *event_column;
    const char *const *context_columns; /* n_context_columns names */
    size_t n_context_columns;
    const char *delimiter;      /* any text of 1 to 8 bytes: ",", "\t", "::" */
    const char *list_separator; /* between the categories of one cell; guess: '|' or ';' or, in atomic files, ' ' */
    const char *encoding;       /* "utf-8", "latin1", "cp1252" */
    const char *time_format;    /* "seconds", "milliseconds", "microseconds", "nanoseconds", "iso8601" */
    const char *comment;        /* lines that begin with this are passed over; guess: none, "" none */
    const char *items_path, *users_path;   /* tables: the first column is the id unless a header names one */
    const char *triples_path, *links_path; /* knowledge: head relation tail; item entity */
    int32_t header;                        /* 1 there is one, 0 there is none, -1 guess */
    int32_t decimal_comma;                 /* 1: "4,5" is four and a half */
    int32_t skip_bad_rows;                 /* 0: the first bad row fails the reading; 1: counted, the first few kept */
    int32_t reserved;                      /* zero */
} pen_read_options;

#define PEN_READ_OPTIONS_INIT                                                                                      \
    {                                                                                                              \
        sizeof(pen_read_options), NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, \
            NULL, NULL, NULL, -1, 0, 0, 0                                                                          \
    }

/* Reads one log from `n_paths` files of the same form, in their order ("-" is standard input; gzip and zstd are
 * unpacked, known by their first bytes). Among several paths RecBole's endings .item, .user, .kg and .link name tables
 * and knowledge. PEN_E_INPUT messages say file:line:column (bytes, from 1). A log must be UTF-8 unless `encoding` says
 * otherwise; for tables the encoding is guessed. */
PEN_API pen_status pen_dataset_read(pen_context *ctx, const char *const *paths, size_t n_paths,
                                    const pen_read_options *options, pen_dataset **dataset, pen_error *error);

/* Maps a .pds file; validated whole before this returns. */
PEN_API pen_status pen_dataset_open(pen_context *ctx, const char *path, pen_dataset **dataset, pen_error *error);

/* Either of the two: a file that begins as a container is mapped, anything else is read with `options`. PEN_E_ARGUMENT
 * for a .pds among other files, or with tables beside it. */
PEN_API pen_status pen_dataset_load(pen_context *ctx, const char *const *paths, size_t n_paths,
                                    const pen_read_options *options, pen_dataset **dataset, pen_error *error);

/* Writes a .pds file: aside, synced, renamed. */
PEN_API pen_status pen_dataset_save(const pen_dataset *dataset, const char *path, pen_error *error);

PEN_API void pen_dataset_destroy(pen_dataset *dataset);

/* Ids: those of the log in the order of their first events, then those that only stand in a table. */
PEN_API int32_t pen_dataset_users(const pen_dataset *dataset);
PEN_API int32_t pen_dataset_items(const pen_dataset *dataset);
PEN_API int64_t pen_dataset_events(const pen_dataset *dataset);

/* How it was read, as JSON: {"files": [...], "input", "delimiter", "encoding", "header", "time_format", "columns":
 * {"user":
 * {"name", "index"}, ..., "context": {...}}, "rows", "skipped", "bad_rows": ["file:line:column: ...", at most 5],
 * "blank_ids", "missing_times", "negative_values", "odd_quotes" (fields that begin with a quote which opens nothing),
 * "alike_users", "alike_items" (ids that are another one but for case or blanks at their ends), "sample": [[user, item,
 * value, time in milliseconds, type] x 5], "tables": {"items": {"file", "input", "encoding", "header", "rows",
 * "matched", "without_events", "repeated", "skipped", "ids_without_row", "bad_numbers", "title", "columns": [{"name",
 * "type"}]}, "users": {...}, "knowledge": {"triples", "entities", "relations", "linked_items"}}}. Fields without
 * meaning are absent or null. Lives as long as the data set. */
PEN_API const char *pen_dataset_notes(const pen_dataset *dataset);

/* The id's bytes (no NUL behind them) and their number; NULL when out of range. Live as long as the data set. */
PEN_API const char *pen_dataset_user_id(const pen_dataset *dataset, int32_t user, size_t *length);
PEN_API const char *pen_dataset_item_id(const pen_dataset *dataset, int32_t item, size_t *length);

/* The number of an id, or -1. */
PEN_API int32_t pen_dataset_find_user(const pen_dataset *dataset, const char *id, size_t length);
PEN_API int32_t pen_dataset_find_item(const pen_dataset *dataset, const char *id, size_t length);

#ifdef __cplusplus
}
#endif
#endif
