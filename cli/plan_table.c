/* The plan of a network in tables: its ops in order, what is learned, and what a batch and an answer take. */
#include "plan_table.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "text_table.h"
#include "words.h"

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static double number_at(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* Adds what stands in an array, by commas: texts, and numbers of ops as "#7". */
static void add_words(char *out, size_t room, const json_t *words)
{
    size_t i, used = strlen(out);
    const json_t *word;
    json_array_foreach ((json_t *)(uintptr_t)words, i, word) {
        const char *comma = used ? ", " : "";
        if (used + 1 >= room) return;
        if (json_is_string(word))
            snprintf(out + used, room - used, "%s%s", comma, json_string_value(word));
        else
            snprintf(out + used, room - used, "%s#%lld", comma, (long long)json_integer_value(word));
        used = strlen(out);
    }
}

/* A count in units for people, whole for programs. */
static void put_number(const call *c, char *out, size_t room, double n, double unit)
{
    bool people = !c->format || !strcmp(c->format, "table");
    snprintf(out, room, people ? "%.4g" : "%.0f", people ? n / unit : n);
}

static void show_ops(const call *c, const json_t *ops)
{
    static const char *const people[] = {"#",     "op",    "weights and tables", "reads", "rows of",  "rows",
                                         "width", "Mflop", "Mflop back",         "kB",    "answer kB"};
    static const char *const programs[] = {"number",         "op",    "learned",     "reads",
                                           "extent",         "rows",  "width",       "forward_flops",
                                           "backward_flops", "bytes", "answer_bytes"};
    enum { N = sizeof people / sizeof *people, ROOM = 200 };
    bool csv = c->format && !strcmp(c->format, "csv");
    table *t = table_create(N, csv ? programs : people);
    size_t i;
    const json_t *op;
    json_array_foreach ((json_t *)(uintptr_t)ops, i, op) {
        char cell[N][ROOM] = {{0}};
        const char *cells[N];
        bool loss = json_is_true(json_object_get(op, "loss"));
        const json_t *flops = json_object_get(op, "flops"), *answer = json_object_get(op, "answer_bytes");
        snprintf(cell[0], ROOM, csv ? "%.0f" : "#%.0f", number_at(op, "number"));
        snprintf(cell[1], ROOM, "%s%s", text_at(op, "op"), loss ? " loss" : "");
        add_words(cell[2], ROOM, json_object_get(op, "weights"));
        add_words(cell[2], ROOM, json_object_get(op, "tables"));
        add_words(cell[3], ROOM, json_object_get(op, "reads"));
        snprintf(cell[4], ROOM, "%s", text_at(op, "extent"));
        snprintf(cell[5], ROOM, "%.0f", number_at(op, "rows"));
        snprintf(cell[6], ROOM, loss ? "-" : "%.0f", number_at(op, "width"));
        put_number(c, cell[7], ROOM, number_at(flops, "forward"), 1e6);
        put_number(c, cell[8], ROOM, number_at(flops, "backward"), 1e6);
        put_number(c, cell[9], ROOM, number_at(op, "bytes"), 1e3);
        if (answer)
            put_number(c, cell[10], ROOM, json_number_value(answer), 1e3);
        else if (!csv)
            snprintf(cell[10], ROOM, "-");
        for (int k = 0; k < N; k++) cells[k] = cell[k];
        table_row(t, cells);
    }
    table_show(c, t);
    table_destroy(t);
}

static void add_learned(table *t, const json_t *learned)
{
    size_t i;
    const json_t *one;
    json_array_foreach ((json_t *)(uintptr_t)learned, i, one) {
        char shape[64], bytes[32], memory[32];
        const json_t *sizes = json_object_get(one, "shape"), *optimizer = json_object_get(one, "optimizer_bytes");
        snprintf(shape, sizeof shape, "%lld x %lld", (long long)json_integer_value(json_array_get(sizes, 0)),
                 (long long)json_integer_value(json_array_get(sizes, 1)));
        snprintf(bytes, sizeof bytes, "%.0f", number_at(one, "bytes"));
        snprintf(memory, sizeof memory, "%.0f", json_number_value(optimizer));
        const char *const cells[] = {text_at(one, "name"), shape, bytes, optimizer ? memory : "-",
                                     optimizer ? text_at(one, "steps") : "all"};
        table_row(t, cells);
    }
}

static void show_learned(const call *c, const json_t *plan)
{
    static const char *const header[] = {"learned", "shape", "bytes", "optimizer's", "a step moves"};
    table *t = table_create(5, header);
    add_learned(t, json_object_get(plan, "weights"));
    add_learned(t, json_object_get(plan, "tables"));
    table_show(c, t);
    table_destroy(t);
}

static void show_batch(const json_t *plan)
{
    const json_t *batch = json_object_get(plan, "batch"), *extent;
    size_t i;
    printf("The largest batch of its training, cut into %.0f shards:\n", number_at(batch, "shards"));
    json_array_foreach (json_object_get(batch, "extents"), i, extent) {
        printf("  %-12s %.0f rows, %.0f in the largest shard", text_at(extent, "name"), number_at(extent, "rows"),
               number_at(extent, "shard_rows"));
        if (json_object_get(extent, "answer_rows"))
            printf("; an answer has room for %.0f", number_at(extent, "answer_rows"));
        puts("");
    }
    puts("");
}

static void show_sums(const json_t *plan)
{
    const json_t *training = json_object_get(plan, "training"), *bytes = json_object_get(training, "bytes"),
                 *flops = json_object_get(training, "flops"), *answer = json_object_get(plan, "answer"),
                 *solve = json_object_get(plan, "solve");
    printf("\nA batch takes %.4g Mflop forward and %.4g backward, beside the optimizer's step.\n",
           number_at(flops, "forward") / 1e6, number_at(flops, "backward") / 1e6);
    printf("Training holds, with %.0f threads, %.4g MB in %.0f arenas of %.4g kB (%.4g without sharing), %.4g MB of "
           "scratch,\n"
           "%.4g MB of gradients, %.4g MB of weights, %.4g MB of tables and %.4g MB of the optimizer's.\n",
           number_at(json_object_get(plan, "batch"), "threads"), number_at(bytes, "arenas") / 1e6,
           number_at(training, "arenas"), number_at(bytes, "arena") / 1e3,
           number_at(bytes, "arena_without_sharing") / 1e3, number_at(bytes, "scratch") / 1e6,
           number_at(bytes, "gradients") / 1e6, number_at(bytes, "weights") / 1e6, number_at(bytes, "tables") / 1e6,
           number_at(bytes, "optimizer") / 1e6);
    if (number_at(bytes, "averages") > 0)
        printf("Averaged weights take %.4g MB more.\n", number_at(bytes, "averages") / 1e6);
    if (json_is_object(answer)) {
        bytes = json_object_get(answer, "bytes");
        printf("An answer (%s) runs %.0f of the ops, %.4g Mflop for as many rows as it has room for, in %.4g kB\n"
               "(%.4g without sharing) and %.4g kB of scratch.\n",
               text_at(answer, "gives"), number_at(answer, "ops"), number_at(answer, "flops") / 1e6,
               number_at(bytes, "arena") / 1e3, number_at(bytes, "arena_without_sharing") / 1e3,
               number_at(bytes, "scratch") / 1e3);
    } else
        puts("An answer runs none of the ops: the model keeps what it needs as tensors.");
    if (json_is_object(solve))
        printf("A new user's rows are solved for in %.4g kB.\n", number_at(solve, "bytes") / 1e3);
}

int plan_show(const call *c, const char *json)
{
    bool people = !c->format || !strcmp(c->format, "table");
    if (!people && !strcmp(c->format, "json")) {
        fputs(json, stdout);
        return EXIT_DONE;
    }
    json_t *plan = json_loads(json, 0, NULL);
    if (!plan) return usage(c, "the plan is not JSON"), EXIT_FAILED;
    words_clean_json(plan);
    if (people) {
        printf("%s\n\n", text_at(plan, "model"));
        show_batch(plan);
    }
    show_ops(c, json_object_get(plan, "ops"));
    if (people) {
        puts("");
        show_learned(c, plan);
        show_sums(plan);
    }
    json_decref(plan);
    return EXIT_DONE;
}
