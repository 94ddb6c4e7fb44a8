/* Hand-made logs for tests: rows of (user, item, value, time), ids "u3" and "i7", freed with the data set. */
#ifndef PEN_TESTS_LOG_FIXTURE_H
#define PEN_TESTS_LOG_FIXTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "data/interactions.h"

typedef struct row {
    int user, item;
    double value;
    int64_t time; /* seconds; PEN_TIME_MISSING: none */
} row;

enum { NO_VALUES = 1, NO_TIMES = 2 };

static inline pen_context *context_of(int n_threads)
{
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.n_threads = n_threads;
    pen_context *ctx;
    assert_int_equal(pen_context_create(&options, &ctx, NULL), PEN_OK);
    return ctx;
}

static inline void add_ids(pen__strings *ids, char letter, int n)
{
    for (int i = 0; i < n; i++) {
        char id[16];
        int32_t number;
        snprintf(id, sizeof id, "%c%d", letter, i);
        assert_int_equal(pen__strings_add(ids, pen__span_of(id), &number, NULL), PEN_OK);
        assert_int_equal(number, i);
    }
}

static inline pen_dataset *dataset_of(pen_context *ctx, const row *rows, int64_t n, int flags)
{
    pen_dataset *d;
    pen_error *error = NULL;
    int32_t *user, *item, most[2] = {-1, -1};
    float *value;
    int64_t *time;
    assert_int_equal(pen__dataset_new(ctx, &d, NULL), PEN_OK);
    assert_int_equal(PEN_NEW(ctx, user, n) | PEN_NEW(ctx, item, n) | PEN_NEW(ctx, value, n) | PEN_NEW(ctx, time, n),
                     PEN_OK);
    for (int64_t i = 0; i < n; i++) {
        user[i] = rows[i].user, item[i] = rows[i].item, value[i] = (float)rows[i].value;
        time[i] = rows[i].time == PEN_TIME_MISSING ? PEN_TIME_MISSING : rows[i].time * 1000;
        if (user[i] > most[0]) most[0] = user[i];
        if (item[i] > most[1]) most[1] = item[i];
    }
    add_ids(&d->users, 'u', most[0] + 1);
    add_ids(&d->items, 'i', most[1] + 1);
    d->n_events = n;
    d->user = user, d->item = item;
    if (flags & NO_VALUES)
        pen__free(ctx, value);
    else
        d->value = value;
    if (flags & NO_TIMES)
        pen__free(ctx, time);
    else
        d->time = time;
    return d;
}

/* A log of n pseudo-random events: popular items and active users first, values 1..5, times with ties. */
static inline row *random_rows(int64_t n, int n_users, int n_items, uint64_t seed)
{
    row *rows = malloc((size_t)n * sizeof *rows);
    assert_non_null(rows);
    uint64_t state = seed * 2 + 1;
    for (int64_t i = 0; i < n; i++) {
        double draw[4];
        for (int k = 0; k < 4; k++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            draw[k] = (double)(state >> 11) * 0x1p-53;
        }
        rows[i] = (row){(int)(draw[0] * draw[0] * n_users), (int)(draw[1] * draw[1] * n_items), 1 + floor(5 * draw[2]),
                        (int64_t)(draw[3] * (double)n / 2)};
    }
    return rows;
}

/* The path of a real file under PENCHANT_DATA, or NULL with a word. The last four stay good. */
static inline const char *real_data(const char *name)
{
    static char paths[4][1024];
    static int turn;
    char *path = paths[turn++ % 4];
    const char *folder = getenv("PENCHANT_DATA");
    snprintf(path, sizeof paths[0], "%s/%s", folder ? folder : "", name);
    FILE *there = folder ? fopen(path, "r") : NULL;
    if (!there) {
        print_message("skipped: %s is not there (PENCHANT_DATA)\n", name);
        return NULL;
    }
    fclose(there);
    return path;
}

#endif
