/* Filter expressions: what each form holds for, what is refused and where, and random expressions against a naive
 * evaluation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "where_fixture.h"

static pen_context *ctx;
static where_fixture fixture;

static int setup(void **state)
{
    (void)state;
    return pen_context_create(NULL, &ctx, NULL) || where_fixture_make(ctx, &fixture);
}

static int teardown(void **state)
{
    (void)state;
    where_fixture_free(&fixture);
    int left = pen_context_memory(ctx) != 0;
    pen_context_destroy(ctx);
    return left;
}

/* The ids (a, B, c, d, e, f: first letters) of which the expression holds. */
static const char *held(const char *text)
{
    static char out[WHERE_ITEMS + 1];
    pen__where *where;
    pen_error error = {0};
    pen_status status = pen__where_parse(ctx, pen__span_of(text), &fixture.items, &where, &error);
    if (status != PEN_OK) fail_msg("%s: %s", text, error.message);
    int n = 0;
    for (int32_t i = 0; i < WHERE_ITEMS; i++)
        if (pen__where_holds(where, i)) out[n++] = where_ids[i][0];
    out[n] = 0;
    pen__where_free(where);
    return out;
}

static void each_form_holds_for(void **state)
{
    (void)state;
    static const char *const row[][2] = {
        {"year = 1979", "a"},
        {"year == 1979", "a"},
        {"year != 1979", "Bcdef"},
        {"year <> 1979", "Bcdef"},
        {"year<1980", "ac"},
        {"year <= 1979", "ac"},
        {"year>1982", "df"},
        {"year >= 1982", "Bdf"},
        {"year = 2000.5", "f"},
        {"year = \"1979\"", "a"},
        {"year in (1942, 2021)", "cd"},
        {"year not in (1942, 2021)", "aBef"},
        {"year is missing", "e"},
        {"year IS NOT missing", "aBcdf"},
        {"not year >= 1982", "ace"},
        {"genre = Horror", "ae"},
        {"genre = 'horror'", "ae"},
        {"genre != horror", "Bcdf"},
        {"genre in (horror, drama)", "ace"},
        {"genre not in (horror, drama)", "Bdf"},
        {"genre contains \"sci\"", "aBd"},
        {"genre not contains sci", "cef"},
        {"genre is missing", "f"},
        {"genre = nothing", ""},
        {"studio = fox", "af"},
        {"studio is missing", "d"},
        {"studio > 50", "Bc"},
        {"studio > \"1a\"", "aef"},
        {"studio = 1999.0", "Bc"},
        {"studio = '1999.0'", ""},
        {"name = alien", "a"},
        {"name contains 'an'", "c"},
        {"name is missing", "f"},
        {"name < \"b\"", "a"},
        {"name >= c", "cde"},
        {"title = ALIEN", "a"},
        {"name = \"\xC3\x89t\xC3\xA9 \"\"2\"\"\"", "e"},
        {"name = '\xC3\x89t\xC3\xA9 \\\"2\\\"'", ""},
        {"name = \"\xC3\x89t\xC3\xA9 \\\"2\\\"\"", "e"},
        {"name contains \xC3\x89t", "e"},
        {"id = a", "a"},
        {"id = A", ""},
        {"id in (a, \"c c\", B)", "aBc"},
        {"id contains C", "c"},
        {"id is missing", ""},
        {"popularity >= 7", "acf"},
        {"Popularity = 5", "Be"},
        {"\"release year\" = 1979", "a"},
        {"`Release Year` = 1979", "a"},
        {"YEAR = 1979", "a"},
        {"year = 1979 or year = 1982 and genre = drama", "a"},
        {"(year = 1979 or year = 1982) and genre = horror", "a"},
        {"not (year = 1979 or genre = drama)", "Bdf"},
        {"not not year = 1979", "a"},
        {"not year = 1979 and genre = horror", "e"},
        {"year>-5 and year < 1e9", "aBcdf"},
        {"\tyear\r\n= 1979 ", "a"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (strcmp(held(row[i][0]), row[i][1]))
            fail_msg("%s holds for '%s' where '%s' was expected", row[i][0], held(row[i][0]), row[i][1]);
}

static void what_is_wrong_is_said_where(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code, position;
        const char *words;
    } row[] = {
        {"", PEN_E_ARGUMENT, 1, "ends at character 1 where the name of a column"},
        {"year", PEN_E_ARGUMENT, 5, "ends at character 5 where =, !="},
        {"year =", PEN_E_ARGUMENT, 7, "where a value"},
        {"year = 1979 genre = x", PEN_E_ARGUMENT, 13, "has 'genre' at character 13 where 'and', 'or' or the end"},
        {"year = and", PEN_E_ARGUMENT, 8, "where a value"},
        {"(year = 1979", PEN_E_ARGUMENT, 13, "where 'and', 'or' or ')'"},
        {"year in 1979", PEN_E_ARGUMENT, 9, "where '('"},
        {"year in (1979", PEN_E_ARGUMENT, 14, "where ',' or ')'"},
        {"year in ()", PEN_E_ARGUMENT, 10, "where a value"},
        {"year not 5", PEN_E_ARGUMENT, 10, "'in' or 'contains'"},
        {"year is 5", PEN_E_ARGUMENT, 9, "'missing'"},
        {"year = 'x", PEN_E_ARGUMENT, 8, "does not end"},
        {"name = \xC3\x89 \xC3\x89", PEN_E_ARGUMENT, 10, "'and', 'or' or the end"}, /* characters, not bytes */
        {"year = abc", PEN_E_ARGUMENT, 1, "'abc' is none"},
        {"year in (1, abc)", PEN_E_ARGUMENT, 1, "'abc' is none"},
        {"popularity = many", PEN_E_ARGUMENT, 1, "'many' is none"},
        {"year contains 19", PEN_E_ARGUMENT, 1, "not contains"},
        {"year ~ 5", PEN_E_ARGUMENT, 6, "'~' at character 6"},
        {"gnre = x", PEN_E_UNKNOWN, 1,
         "did you mean 'genre'? There are: name, genre, studio, year, Release Year, vector, popularity, id"},
        {"year = 1 and zzzzzz = 1", PEN_E_UNKNOWN, 14, "there are: name"},
        {"vector = 1", PEN_E_UNSUPPORTED, 1, "is a vector"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        pen__where *where;
        pen_error error = {0};
        pen_status status = pen__where_parse(ctx, pen__span_of(row[i].text), &fixture.items, &where, &error);
        if (status != row[i].code || error.position != row[i].position || !strstr(error.message, row[i].words))
            fail_msg("'%s': status %d, character %lld: %s", row[i].text, status, (long long)error.position,
                     error.message);
        assert_null(where);
    }
}

static void limits_are_kept(void **state)
{
    (void)state;
    pen__where *where;
    pen_error error = {0};
    static char text[80000];
    for (int i = 0; i < 101; i++) text[i] = '(';
    text[101] = 0;
    assert_int_equal(pen__where_parse(ctx, pen__span_of(text), &fixture.items, &where, &error), PEN_E_LIMIT);
    size_t n = 0;
    for (int i = 0; i < 1001; i++) n += (size_t)sprintf(text + n, "%syear = 1", i ? " or " : "");
    assert_int_equal(pen__where_parse(ctx, pen__span_of(text), &fixture.items, &where, &error), PEN_E_LIMIT);
    text[n - strlen(" or year = 1")] = 0;
    assert_int_equal(pen__where_parse(ctx, pen__span_of(text), &fixture.items, &where, &error), PEN_OK);
    assert_false(pen__where_holds(where, 0));
    pen__where_free(where);
    memset(text, ' ', 65537);
    assert_int_equal(pen__where_parse(ctx, (pen__span){text, 65537}, &fixture.items, &where, &error), PEN_E_LIMIT);
}

static void without_a_table_there_are_ids_and_popularity(void **state)
{
    (void)state;
    pen__table none = {.title = -1};
    pen__where_items items = {&none, &fixture.ids, where_events, WHERE_ITEMS};
    pen__where *where;
    pen_error error = {0};
    assert_int_equal(pen__where_parse(ctx, pen__span_of("popularity > 7 and not id = a"), &items, &where, &error),
                     PEN_OK);
    for (int32_t i = 0; i < WHERE_ITEMS; i++) assert_int_equal(pen__where_holds(where, i), i == 2);
    pen__where_free(where);
    assert_int_equal(pen__where_parse(ctx, pen__span_of("title = x"), &items, &where, &error), PEN_E_UNKNOWN);
}

/* ---- random expressions: written and evaluated side by side ------------------------------------------------------ */

typedef struct made {
    char text[4096];
    size_t n;
    bool holds[WHERE_ITEMS];
} made;

static void add(made *m, const char *text)
{
    m->n += (size_t)snprintf(m->text + m->n, sizeof m->text - m->n, "%s", text);
}

static void make_test(made *m, pen__rng *rng)
{
    static const char *const op[] = {"=", "!=", "<", "<=", ">", ">="};
    static const float year[] = {1942, 1979, 1982, 2000.5f, 2021, 1990};
    char text[100];
    if (pen__rng_below(rng, 2)) {
        uint64_t o = pen__rng_below(rng, 6);
        float y = year[pen__rng_below(rng, 6)];
        snprintf(text, sizeof text, "year %s %g", op[o], (double)y);
        for (int i = 0; i < WHERE_ITEMS; i++) {
            float x = where_years[i];
            m->holds[i] = o == 0   ? x == y
                          : o == 1 ? !(x == y)
                          : o == 2 ? x < y
                          : o == 3 ? x <= y
                          : o == 4 ? x > y
                                   : x >= y;
        }
    } else {
        static const char *const genre[] = {"Horror", "\"Sci-Fi\"", "drama"};
        int32_t g = (int32_t)pen__rng_below(rng, 3);
        bool turned = pen__rng_below(rng, 2);
        snprintf(text, sizeof text, "genre %s %s", turned ? "!=" : "=", genre[g]);
        for (int i = 0; i < WHERE_ITEMS; i++) {
            bool has = false;
            for (int64_t e = where_genre_begin[i]; e < where_genre_begin[i + 1]; e++)
                has = has || where_genre_codes[e] == g;
            m->holds[i] = has != turned;
        }
    }
    add(m, text);
}

static void make(made *m, pen__rng *rng, int depth)
{
    uint64_t form = depth ? pen__rng_below(rng, 4) : 0;
    if (form == 0) {
        make_test(m, rng);
    } else if (form == 1) {
        add(m, "not (");
        make(m, rng, depth - 1);
        add(m, ")");
        for (int i = 0; i < WHERE_ITEMS; i++) m->holds[i] = !m->holds[i];
    } else {
        bool left[WHERE_ITEMS];
        add(m, "(");
        make(m, rng, depth - 1);
        memcpy(left, m->holds, sizeof left);
        add(m, form == 2 ? ") and (" : ") OR (");
        make(m, rng, depth - 1);
        add(m, ")");
        for (int i = 0; i < WHERE_ITEMS; i++) m->holds[i] = form == 2 ? left[i] && m->holds[i] : left[i] || m->holds[i];
    }
}

static void random_expressions_hold_as_a_naive_evaluation(void **state)
{
    (void)state;
    int mixed = 0;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        pen__rng rng = pen__rng_begin(seed, PEN_STREAM_SYNTH, 0);
        made m = {.n = 0};
        make(&m, &rng, 4);
        char want[WHERE_ITEMS + 1];
        int n = 0;
        for (int i = 0; i < WHERE_ITEMS; i++)
            if (m.holds[i]) want[n++] = where_ids[i][0];
        want[n] = 0;
        if (strcmp(held(m.text), want))
            fail_msg("%s holds for '%s' where '%s' was expected", m.text, held(m.text), want);
        mixed += n > 0 && n < WHERE_ITEMS;
    }
    assert_true(mixed > 1000); /* most expressions tell items apart: the test can fail */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_holds_for),
        cmocka_unit_test(what_is_wrong_is_said_where),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(without_a_table_there_are_ids_and_popularity),
        cmocka_unit_test(random_expressions_hold_as_a_naive_evaluation),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
