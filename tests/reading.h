/* Reading literal texts in tests. */
#ifndef PEN_TESTS_READING_H
#define PEN_TESTS_READING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/read.h"

/* Reads n bytes as a log, in reads of at most `largest_read` bytes (0: mapped). */
static inline pen_status read_log_bytes(pen_context *ctx, const char *name, const char *text, size_t n,
                                        size_t largest_read, const pen_read_options *options, pen_dataset **d,
                                        pen_error *error)
{
    static const pen_read_options defaults = PEN_READ_OPTIONS_INIT;
    pen__stream *stream;
    *error = (pen_error){0};
    *d = NULL;
    pen_status status = pen__stream_memory(ctx, name, text, n, largest_read, &stream, error);
    if (status != PEN_OK) return status;
    status = pen__read_log(ctx, &stream, 1, NULL, options ? options : &defaults, d, error);
    pen__stream_close(stream);
    return status;
}

static inline pen_dataset *must_read(pen_context *ctx, const char *name, const char *text,
                                     const pen_read_options *options)
{
    pen_dataset *d;
    pen_error error;
    if (read_log_bytes(ctx, name, text, strlen(text), 0, options, &d, &error) != PEN_OK)
        fail_msg("%s: %s", text, error.message);
    return d;
}

/* It must fail with this status and a message that holds `words`. */
static inline void must_fail(pen_context *ctx, const char *name, const char *text, size_t n,
                             const pen_read_options *options, pen_status code, const char *words)
{
    pen_dataset *d;
    pen_error error;
    pen_status status = read_log_bytes(ctx, name, text, n, 0, options, &d, &error);
    if (status == PEN_OK) fail_msg("read what should fail with: %s", words);
    if (!strstr(error.message, words)) fail_msg("\"%s\" does not say \"%s\"", error.message, words);
    assert_int_equal(status, code);
    assert_null(d);
}

static inline void must_note(const pen_dataset *d, const char *words)
{
    if (!strstr(pen_dataset_notes(d), words)) fail_msg("%s does not say %s", pen_dataset_notes(d), words);
}

#endif
