/* An item table made by hand, for tests and fuzzing of filter expressions: six items with every type of column. */
#ifndef PEN_TESTS_WHERE_FIXTURE_H
#define PEN_TESTS_WHERE_FIXTURE_H

#include <math.h>

#include "rank/where.h"

enum { WHERE_ITEMS = 6 };

typedef struct where_fixture {
    pen__strings ids, titles, genres, studios, none;
    pen__column column[6];
    pen__table table;
    pen__where_items items;
} where_fixture;

static const char *const where_ids[WHERE_ITEMS] = {"a", "B", "c c", "d", "e", "f"};
static const char *const where_titles[WHERE_ITEMS] = {
    "Alien", "Blade Runner", "Casablanca", "Dune", "\xC3\x89t\xC3\xA9 \"2\"", ""};
static const float where_years[WHERE_ITEMS] = {1979, 1982, 1942, 2021, NAN, 2000.5f};
static const int32_t where_genre_codes[] = {0, 1, 1, 2, 1, 0, 2};
static const int64_t where_genre_begin[WHERE_ITEMS + 1] = {0, 2, 3, 4, 5, 7, 7}; /* f has none */
static const int32_t where_studio_codes[WHERE_ITEMS] = {0, 1, 1, -1, 2, 0};
static const int64_t where_events[WHERE_ITEMS] = {10, 5, 100, 0, 5, 7};
static const float where_vectors[WHERE_ITEMS * 2];

static inline pen_status where_words(pen_context *ctx, pen__strings *to, const char *const *words, int n)
{
    *to = (pen__strings){.ctx = ctx};
    pen_error *error = NULL;
    for (int i = 0; i < n; i++) PEN_TRY(pen__strings_append(to, pen__span_of(words[i]), error));
    return PEN_OK;
}

static inline pen_status where_fixture_make(pen_context *ctx, where_fixture *f)
{
    static const char *const genres[] = {"Horror", "Sci-Fi", "Drama"}, *const studios[] = {"Fox", "1999", "20"};
    *f = (where_fixture){0};
    PEN_TRY(where_words(ctx, &f->ids, where_ids, WHERE_ITEMS));
    PEN_TRY(where_words(ctx, &f->titles, where_titles, WHERE_ITEMS));
    PEN_TRY(where_words(ctx, &f->genres, genres, 3));
    PEN_TRY(where_words(ctx, &f->studios, studios, 3));
    f->column[0] = (pen__column){.name = "name", .type = PEN_COLUMN_TEXT, .rows = WHERE_ITEMS, .words = f->titles};
    f->column[1] = (pen__column){.name = "genre",
                                 .type = PEN_COLUMN_CATEGORIES,
                                 .rows = WHERE_ITEMS,
                                 .begin = where_genre_begin,
                                 .code = where_genre_codes,
                                 .words = f->genres};
    f->column[2] = (pen__column){.name = "studio",
                                 .type = PEN_COLUMN_CATEGORY,
                                 .rows = WHERE_ITEMS,
                                 .code = where_studio_codes,
                                 .words = f->studios};
    f->column[3] = (pen__column){.name = "year", .type = PEN_COLUMN_NUMBER, .rows = WHERE_ITEMS, .number = where_years};
    f->column[4] =
        (pen__column){.name = "Release Year", .type = PEN_COLUMN_NUMBER, .rows = WHERE_ITEMS, .number = where_years};
    f->column[5] = (pen__column){
        .name = "vector", .type = PEN_COLUMN_VECTOR, .width = 2, .rows = WHERE_ITEMS, .number = where_vectors};
    f->table = (pen__table){.rows = WHERE_ITEMS, .n_columns = 6, .title = 0, .column = f->column};
    f->items = (pen__where_items){&f->table, &f->ids, where_events, WHERE_ITEMS};
    return PEN_OK;
}

static inline void where_fixture_free(where_fixture *f)
{
    pen__strings_free(&f->ids);
    pen__strings_free(&f->titles);
    pen__strings_free(&f->genres);
    pen__strings_free(&f->studios);
}

#endif
