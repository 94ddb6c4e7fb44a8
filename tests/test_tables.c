/* Tables of items and users, triples and links. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "data/read.h"

static pen_context *ctx;

typedef struct texts {
    const char *log, *items, *users, *triples, *links;
    const char *items_name;
} texts;

static pen__stream *stream_of(const char *name, const char *text)
{
    pen__stream *stream = NULL;
    pen_error error;
    if (text) assert_int_equal(pen__stream_memory(ctx, name, text, strlen(text), 0, &stream, &error), PEN_OK);
    return stream;
}

static pen_status read_texts(const texts *t, const pen_read_options *given, pen_dataset **d, pen_error *error)
{
    pen_read_options options = PEN_READ_OPTIONS_INIT;
    pen__stream *log = stream_of("log.csv", t->log);
    pen__beside beside = {stream_of(t->items_name ? t->items_name : "items", t->items), stream_of("users", t->users),
                          stream_of("triples", t->triples), stream_of("links", t->links)};
    *error = (pen_error){0};
    pen_status status = pen__read_log(ctx, &log, 1, &beside, given ? given : &options, d, error);
    pen__stream_close(log);
    pen__stream_close(beside.items);
    pen__stream_close(beside.users);
    pen__stream_close(beside.triples);
    pen__stream_close(beside.links);
    return status;
}

static pen_dataset *good(const texts *t)
{
    pen_dataset *d = NULL;
    pen_error error;
    if (read_texts(t, NULL, &d, &error) != PEN_OK) fail_msg("%s", error.message);
    return d;
}

static const pen__column *column(const pen__table *table, const char *name, int type)
{
    for (int32_t c = 0; c < table->n_columns; c++)
        if (!strcmp(table->column[c].name, name)) {
            assert_int_equal(table->column[c].type, type);
            return &table->column[c];
        }
    fail_msg("no column %s", name);
    return NULL;
}

static void assert_word(const pen__strings *words, int64_t n, const char *word)
{
    assert_true(n >= 0 && n < words->n);
    pen__span got = pen__strings_at(words, n);
    if (!pen__span_is(got, word)) fail_msg("\"%.*s\" is not \"%s\"", (int)got.length, got.text, word);
}

static void types_come_from_the_content(void **state)
{
    (void)state;
    texts t = {.log = "user,item\nu,1\nu,2\nu,3\nv,9\n",
               .items =
                   "movieId,title,genres,year,zip,kind\n2,\"B \"\"two\"\", the (1995)\",Drama|Comedy,1995,01234,x\n"
                   "1,A (1990),Drama,1990,02345,x\n7,none,,,,\n3,C,(no genres listed),,,y\n1,again,,,,\n"};
    pen_dataset *d = good(&t);
    const pen__table *table = &d->item_table;
    assert_int_equal(table->rows, 5); /* 1, 2, 3, 9 of the log, and 7 that only the table has */
    const pen__column *genre = column(table, "genres", PEN_COLUMN_CATEGORIES),
                      *year = column(table, "year", PEN_COLUMN_NUMBER);
    column(table, "zip", PEN_COLUMN_CATEGORY); /* leading zeros: no number */
    assert_true(year->number[0] == 1990 && year->number[2] != year->number[2]);
    assert_int_equal(genre->begin[1], 1);
    assert_int_equal(genre->begin[2] - genre->begin[1], 2);
    assert_word(&genre->words, genre->code[genre->begin[1]], "Drama");
    assert_int_equal(genre->begin[4] - genre->begin[3], 0); /* item 9 has no row */
    pen__span title = pen__dataset_title(d, 1);
    assert_int_equal(title.length, strlen("B \"two\", the (1995)"));
    assert_memory_equal(title.text, "B \"two\", the (1995)", title.length);
    assert_int_equal(pen__dataset_title(d, 3).length, 0);
    assert_int_equal(pen_dataset_items(d), 5);
    assert_int_equal(pen_dataset_find_item(d, "7", 1), 4);
    title = pen__dataset_title(d, 4);
    assert_true(pen__span_is(title, "none"));
    assert_non_null(strstr(pen_dataset_notes(d), "\"matched\": 3, \"without_events\": 1, \"repeated\": 1"));
    assert_non_null(strstr(pen_dataset_notes(d), "\"ids_without_row\": 1"));
    pen_dataset_destroy(d);
}

/* What only tables have is numbered behind what has events, whatever the form, as often as memory must grow for it. */
static void ids_of_tables_alone(void **state)
{
    (void)state;
    enum { MANY = 3000 };
    static char items[MANY * 24];
    size_t n = (size_t)snprintf(items, sizeof items, "item,kind\n");
    for (int i = MANY; i-- > 0;)
        n += (size_t)snprintf(items + n, sizeof items - n, "n%d,%s\n", i, i % 2 ? "odd" : "even");
    texts t = {.log = "u,n5\nv,x\nu,n4\n",
               .items = items,
               .users =
                   "{\"user\": \"w\", \"age\": 3}\n{\"user\": \"v\", \"age\": 4}\n{\"user\": \"w\", \"age\": 9}\n"};
    pen_dataset *d = good(&t);
    assert_int_equal(pen_dataset_items(d), MANY + 1);
    assert_int_equal(pen_dataset_find_item(d, "n5", 2), 0);
    assert_int_equal(pen_dataset_find_item(d, "n2999", 5), 3);
    const pen__column *kind = column(&d->item_table, "kind", PEN_COLUMN_CATEGORY);
    assert_int_equal(kind->rows, MANY + 1);
    for (int32_t i = 0; i <= MANY; i++) {
        size_t length;
        const char *id = pen_dataset_item_id(d, i, &length);
        if (*id == 'x')
            assert_int_equal(kind->code[i], -1);
        else
            assert_word(&kind->words, kind->code[i], (id[length - 1] - '0') % 2 ? "odd" : "even");
    }
    assert_int_equal(pen_dataset_users(d), 3);
    const pen__column *age = column(&d->user_table, "age", PEN_COLUMN_NUMBER);
    assert_int_equal(pen_dataset_find_user(d, "w", 1), 2);
    assert_true(isnan(age->number[0]) && age->number[1] == 4 && age->number[2] == 3);
    assert_int_equal(pen_dataset_events(d), 3);
    pen_dataset_destroy(d);
}

static void movielens_forms(void **state)
{
    (void)state;
    texts t = {.log = "1\t1\t5\t1\n1\t2\t5\t1\n",
               .items_name = "data/u.item",
               .items = "1|Am\xE9lie, the (2001)|01-Jan-2001||http://x|0|0|0|1|0|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
                        "2|B (1995)|01-Jan-1995||http://y|0|0|0|0|0|0|0|0|1|0|0|0|0|0|0|0|0|0|1\n"};
    pen_dataset *d = good(&t);
    const pen__column *genre = column(&d->item_table, "genre", PEN_COLUMN_CATEGORIES);
    assert_word(&genre->words, genre->code[0], "Animation");
    assert_word(&genre->words, genre->code[3], "Western");
    assert_true(column(&d->item_table, "year", PEN_COLUMN_NUMBER)->number[1] == 1995);
    pen__span title = pen__dataset_title(d, 0);
    assert_memory_equal(title.text, "Am\xC3\xA9lie", 7); /* latin1, seen */
    pen_dataset_destroy(d);
    t = (texts){.log = "1::1::5::1\n",
                .items_name = "movies.dat",
                .items = "1::A, B (1995)::Drama|War\n",
                .users = "1::F::18::4::01234\n"};
    d = good(&t);
    column(&d->item_table, "genre", PEN_COLUMN_CATEGORIES);
    assert_memory_equal(pen__dataset_title(d, 0).text, "A, B (1995)", 11);
    pen_dataset_destroy(d);
}

static void atomic_headers_say_the_types(void **state)
{
    (void)state;
    texts t = {
        .log = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\ta\t4\t5\n2\tb\t3\t6\n",
        .items = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\tprice:float\tv:float_seq\n"
                 "b\tB it is\t1995\tDrama War\t2.5\t1 2\na\tA\t\tWar\t\t3 4\n",
        .triples = "head_id:token\trelation_id:token\ttail_id:token\nm1\tr\tm2\nm2\tq\tm1\n",
        .links = "item_id:token\tentity_id:token\nb\tm2\nzzz\tm1\n"};
    pen_dataset *d = good(&t);
    column(&d->item_table, "release_year", PEN_COLUMN_CATEGORY);
    const pen__column *class = column(&d->item_table, "class", PEN_COLUMN_CATEGORIES),
                      *v = column(&d->item_table, "v", PEN_COLUMN_VECTOR);
    assert_int_equal(class->begin[2], 3);
    assert_true(v->width == 2 && v->number[0] == 3 && v->number[3] == 2);
    assert_memory_equal(pen__dataset_title(d, 1).text, "B it is", 7);
    const pen__knowledge *k = &d->knowledge;
    assert_int_equal(k->n_triples, 2);
    assert_true(k->tail[1] == k->head[0] && k->relation[1] == 1);
    assert_int_equal(k->item_entity[0], -1);
    assert_word(&k->entities, k->item_entity[1], "m2");
    pen_dataset_destroy(d);
}

static void json_tables(void **state)
{
    (void)state;
    texts t = {.log = "{\"user\": 1, \"item\": \"a\"}\n{\"user\": 1, \"item\": \"b\"}\n",
               .items = "{\"name\": \"B \\u00e9\", \"item\": \"b\", \"tags\": [\"x\", \"y, z\", null, 3]}\n{\"item\": "
                        "\"a\", \"tags\": []}\n"};
    pen_dataset *d = good(&t);
    const pen__column *tags = column(&d->item_table, "tags", PEN_COLUMN_CATEGORIES);
    assert_int_equal(tags->begin[1], 0);
    assert_int_equal(tags->begin[2], 3);
    assert_word(&tags->words, tags->code[1], "y, z");
    assert_memory_equal(pen__dataset_title(d, 1).text, "B \xC3\xA9", 4);
    pen_dataset_destroy(d);
}

static void bad_tables_say_where(void **state)
{
    (void)state;
    static const struct {
        texts t;
        const char *words;
    } cases[] = {
        {{.log = "u i\n", .items = "item,title\ni,a,b\n"}, "items:2:1: the row has 3 columns"},
        {{.log = "u i\n", .items = "item,title\n ,a\n"}, "items:2:1: the id is blank"},
        {{.log = "u i\n", .items = "{\"item\": \"i\\u0000\", \"a\": 1}\n"}, "items:1:1: the id holds a NUL"},
        {{.log = "u i\n", .items = "{\"a\": 1}\n{\"item\": \"i\"}\n"}, "items:1:1: the object has no id"},
        {{.log = "u i\n", .items = ""}, "no rows in 'items'"},
        {{.log = "u i\n", .items = "item,a,a\ni,1,2\n"}, "stands twice"},
        {{.log = "u i\n", .triples = "a\tr\n"}, "triples:1:1: column 3 is missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pen_dataset *d = NULL;
        pen_error error;
        assert_int_equal(read_texts(&cases[i].t, NULL, &d, &error), PEN_E_INPUT);
        if (!strstr(error.message, cases[i].words))
            fail_msg("\"%s\" does not say \"%s\"", error.message, cases[i].words);
    }
    pen_read_options options = PEN_READ_OPTIONS_INIT;
    options.encoding = "utf-8";
    texts t = {.log = "u i\n", .items = "item,title\ni,Am\xE9lie\n"};
    pen_dataset *d = NULL;
    pen_error error;
    assert_int_equal(read_texts(&t, &options, &d, &error), PEN_E_INPUT);
    assert_non_null(strstr(error.message, "items:2:5: byte 0xE9 (byte 15 of the file, from 0) is not UTF-8"));
}

static int setup(void **state)
{
    (void)state;
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.n_threads = 1; /* no threads: what is left at the end is a leak */
    return pen_context_create(&options, &ctx, NULL);
}

static int teardown(void **state)
{
    (void)state;
    int left = pen_context_memory(ctx) != 0;
    pen_context_destroy(ctx);
    return left;
}

/* Without a header the first row is looked at before it is read. */
static void doubled_quotes_of_a_first_row(void **state)
{
    (void)state;
    const texts t = {.log = "u,i\nv,j\nu,j\n", .items = "i,\"x\"\"y\"\"z\"\nj,\"b\"\"\"\"\"\nk,plain\n"};
    pen_dataset *d = good(&t);
    const pen__column *c = column(&d->item_table, "column2", PEN_COLUMN_CATEGORY);
    const char *expected[] = {"x\"y\"z", "b\"\"", "plain"};
    assert_int_equal(c->rows, 3);
    for (int32_t i = 0; i < 3; i++) {
        pen__span word = pen__strings_at(&c->words, c->code[i]);
        assert_int_equal(word.length, strlen(expected[i]));
        assert_memory_equal(word.text, expected[i], word.length);
    }
    pen_dataset_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubled_quotes_of_a_first_row), cmocka_unit_test(types_come_from_the_content),
        cmocka_unit_test(ids_of_tables_alone),           cmocka_unit_test(movielens_forms),
        cmocka_unit_test(atomic_headers_say_the_types),  cmocka_unit_test(json_tables),
        cmocka_unit_test(bad_tables_say_where),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
