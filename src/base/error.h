/* Errors inside the library: fill the caller's pen_error, forward, check. */
#ifndef PEN_BASE_ERROR_H
#define PEN_BASE_ERROR_H

#include "penchant/status.h"

/* Fills `error` (may be NULL) and returns `code`. */
pen_status pen__fail(pen_error *error, pen_status code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same with a position (row, byte, step). */
pen_status pen__fail_at(pen_error *error, pen_status code, int64_t position, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* PEN_E_IO with the operating system's words for `saved_errno`: "what 'path': No such file or directory". */
pen_status pen__fail_io(pen_error *error, int saved_errno, const char *what, const char *path);

/* Puts "prefix" before the message that is there. */
void pen__error_prefix(pen_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What a number that is not finite is, in words: its sign and printf's spelling of it say nothing. */
const char *pen__not_finite(double x);

/* Forwards a failure from a function with nothing to clean up. */
#define PEN_TRY(expr)                        \
    do {                                     \
        pen_status pen__s = (expr);          \
        if (pen__s != PEN_OK) return pen__s; \
    } while (0)

/* Fails the function where `cond` does not hold. Needs a `pen_error *error` in scope. */
#define PEN_CHECK(cond, code, ...)                                 \
    do {                                                           \
        if (!(cond)) return pen__fail(error, (code), __VA_ARGS__); \
    } while (0)

/* The same two for a function with a `done:` label and a `pen_status status` in scope. */
#define PEN_TRY_DONE(expr)                          \
    do {                                            \
        if ((status = (expr)) != PEN_OK) goto done; \
    } while (0)

#define PEN_CHECK_DONE(cond, code, ...)                     \
    do {                                                    \
        if (!(cond)) {                                      \
            status = pen__fail(error, (code), __VA_ARGS__); \
            goto done;                                      \
        }                                                   \
    } while (0)

#endif
