/* What the fuzz targets of the readers share: a log is read mapped in one block, mapped in many, and through a pipe of
 * short reads; the three must agree to the last bit of the data set and of its notes, or in their refusal. */
#ifndef PEN_FUZZ_READING_H
#define PEN_FUZZ_READING_H

#include <stdlib.h>
#include <string.h>

#include "data/read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline pen_context *fuzz_context(void)
{
    static pen_context *ctx;
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.n_threads = 1;
    if (!ctx && pen_context_create(&options, &ctx, NULL) != PEN_OK) abort();
    return ctx;
}

/* Everything that a data set promises is looked at. */
static inline void walk_dataset(const pen_dataset *d)
{
    for (int64_t i = 0; i < d->n_events; i++) {
        if (d->user[i] < 0 || d->user[i] >= d->users.n || d->item[i] < 0 || d->item[i] >= d->items.n) abort();
        if (d->value && d->value[i] - d->value[i] != 0) abort();
        if (d->event && (d->event[i] < -1 || d->event[i] >= d->event_types.n)) abort();
    }
    for (int32_t u = 0; u < d->users.n; u++) {
        size_t n;
        const char *id = pen_dataset_user_id(d, u, &n);
        if (!n || pen__utf8_invalid(id, n) < n || memchr(id, 0, n) || pen_dataset_find_user(d, id, n) != u) abort();
    }
    const char *notes = pen_dataset_notes(d);
    if (pen__utf8_invalid(notes, strlen(notes)) < strlen(notes)) abort();
}

static inline pen_dataset *read_one_way(const uint8_t *data, size_t size, size_t largest_read, size_t block,
                                        const pen_read_options *options, pen_error *error)
{
    pen__stream *stream;
    pen_dataset *d = NULL;
    *error = (pen_error){0};
    pen__block_bytes = block;
    if (pen__stream_memory(fuzz_context(), "fuzz", data, size, largest_read, &stream, error) != PEN_OK) return NULL;
    if (pen__read_log(fuzz_context(), &stream, 1, NULL, options, &d, error) != PEN_OK && d) abort();
    pen__stream_close(stream);
    return d;
}

static inline void read_every_way(const uint8_t *data, size_t size, const pen_read_options *options)
{
    static const size_t ways[3][2] = {{0, 4 << 20}, {0, 16}, {7, 64}};
    pen_dataset *first = NULL;
    pen_error said = {0};
    for (int i = 0; i < 3; i++) {
        pen_error error;
        pen_dataset *d = read_one_way(data, size, ways[i][0], ways[i][1], options, &error);
        if (d) walk_dataset(d);
        if (i == 0) {
            first = d;
            said = error;
            continue;
        }
        bool damaged =
            strstr(said.message, "data is damaged") != NULL; /* where that comes to light depends on the reads */
        if (!first != !d || said.code != error.code || (!damaged && strcmp(said.message, error.message))) abort();
        if (d && (d->hash != first->hash || strcmp(pen_dataset_notes(d), pen_dataset_notes(first)))) abort();
        pen_dataset_destroy(d);
    }
    pen_dataset_destroy(first);
    if (pen_context_memory(fuzz_context())) abort();
}

#endif
