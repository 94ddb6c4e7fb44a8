/* A data set inside: events in the order of the file as columns, ids, tables, knowledge.
 *
 * Arrays are either owned (made by a reader) or borrowed from the mapped container; nobody writes to them once the data
 * set is made. `int64_t` counts events: two billion and more fit.
 */
#ifndef PEN_DATA_DATASET_H
#define PEN_DATA_DATASET_H

#include "base/strings.h"
#include "penchant/dataset.h"

struct pen__container;

enum pen__column_type {
    PEN_COLUMN_CATEGORY = 1,   /* code: one number into `words`, -1 missing */
    PEN_COLUMN_CATEGORIES = 2, /* begin, code: some numbers into `words` */
    PEN_COLUMN_NUMBER = 3,     /* number: NaN missing */
    PEN_COLUMN_TEXT = 4,       /* words.n == rows: the text of row r is string r; "" missing */
    PEN_COLUMN_VECTOR = 5      /* number: rows x width, row-major; a missing row is all NaN */
};

/* One typed column of `rows` rows. */
typedef struct pen__column {
    const char *name;
    int32_t type, width; /* width: of a vector */
    int64_t rows;
    const int32_t *code;
    const int64_t *begin; /* rows + 1 */
    const float *number;
    pen__strings words;
} pen__column;

typedef struct pen__table {
    int64_t rows; /* 0: there is no table; else as many as there are users (items) */
    int32_t n_columns;
    int32_t title;    /* the column that people read (title, name), -1 where there is none */
    int32_t borrowed; /* 1: the columns' arrays (not their names) belong to a mapped container */
    int32_t reserved;
    pen__column *column;
} pen__table;

/* Triples over entities; item_entity[i] is the entity of item i or -1. */
typedef struct pen__knowledge {
    int64_t n_triples;
    const int32_t *head, *relation, *tail;
    const int32_t *item_entity; /* n_items; NULL where there is no knowledge */
    pen__strings entities, relations;
} pen__knowledge;

#define PEN_TIME_MISSING INT64_MIN

struct pen_dataset {
    pen_context *ctx;
    pen__strings users, items; /* indexed */
    int64_t n_events;
    const int32_t *user, *item; /* n_events each */
    const float *value;         /* NULL: no values */
    const int64_t
        *time; /* milliseconds since 1970 (or whatever whole number the column held, times 1000); NULL: none */
    const int16_t *event; /* number into event_types, -1 missing; NULL: no types */
    pen__strings event_types;
    pen__column *context; /* n_context columns of n_events rows */
    int32_t n_context;
    pen__table item_table, user_table;
    pen__knowledge knowledge;
    char *notes;                      /* JSON, see pen_dataset_notes */
    char *source;                     /* the path or paths it came from, for reports */
    uint64_t hash;                    /* of the content: the same for the same events however they were stored */
    struct pen__container *container; /* owns the borrowed arrays, or NULL */
};

/* Title of an item for people, or an empty span. */
pen__span pen__dataset_title(const pen_dataset *dataset, int32_t item);

/* The events of both, in order, over the union of their ids (a's numbers stay as they are). Context columns, tables and
 * knowledge are a's, missing for what b adds. Where only one of the two has values the other's events are worth 1;
 * times and types are missing where one has none. For test files beside a log. */
pen_status pen__dataset_join(const pen_dataset *a, const pen_dataset *b, pen_dataset **out, pen_error *error);

/* A data set over an open container, which it owns from now on (closed on failure too). */
pen_status pen__dataset_from_container(pen_context *ctx, struct pen__container *container, pen_dataset **out,
                                       pen_error *error);

/* A shell to fill: everything zero, ctx set. */
pen_status pen__dataset_new(pen_context *ctx, pen_dataset **out, pen_error *error);

#endif
