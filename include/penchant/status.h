/* Status codes and the error that a caller owns.
 *
 * Every function that can fail returns a pen_status: 0 is success, a negative value tells what kind of
 * failure it was and never changes its meaning. Where a `pen_error *` is taken it may be NULL; otherwise it is
 * filled on failure (and left alone on success) with a message for people: what failed, the offending value,
 * what is allowed, what to do.
 *
 * Thread-safety: the functions here are thread-safe. Since 0.1.
 */
#ifndef PENCHANT_STATUS_H
#define PENCHANT_STATUS_H

#include <stdint.h>

#if defined(_WIN32)
#define PEN_API
#elif defined(__GNUC__)
#define PEN_API __attribute__((visibility("default")))
#else
#define PEN_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum pen_status {
    PEN_OK = 0,
    PEN_E_MEMORY = -1,      /* an allocation failed, or would pass the context's memory limit */
    PEN_E_ARGUMENT = -2,    /* an argument is out of its range */
    PEN_E_IO = -3,          /* the operating system refused to read or write */
    PEN_E_INPUT = -4,       /* a user's text is malformed: the message says file:line:column */
    PEN_E_FORMAT = -5,      /* a container (.pds, .pen, .ckpt) is not sound */
    PEN_E_UNKNOWN = -6,     /* a name (model, parameter, column, metric, id) is not known */
    PEN_E_UNSUPPORTED = -7, /* sound, but this model or build cannot do it */
    PEN_E_CANCELLED = -8,   /* the progress callback asked to stop */
    PEN_E_DIVERGED = -9,    /* the loss left the finite numbers: the message has epoch and step */
    PEN_E_LIMIT = -10       /* larger than the types or a stated limit allow */
} pen_status;

enum { PEN_MESSAGE_BYTES = 1008 };

/* Owned by the caller; `{0}` is a good start. */
typedef struct pen_error {
    int32_t code;                    /* a pen_status */
    int32_t reserved;                /* zero */
    int64_t position;                /* row, byte or step that failed, -1 where it has no meaning */
    char message[PEN_MESSAGE_BYTES]; /* UTF-8, ends with NUL, no line feed at its end */
} pen_error;

/* The status as one lower-case English phrase ("out of memory"). Never NULL; static storage. */
PEN_API const char *pen_status_text(pen_status status);

/* The library's version, "MAJOR.MINOR.PATCH"; static storage. */
PEN_API const char *pen_version(void);

#ifdef __cplusplus
}
#endif
#endif
