/* Errors: formatting into the caller's pen_error. Messages longer than its room end in an ellipsis; a cut never
 * splits a UTF-8 character. */
#include "base/error.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void cut_cleanly(char *text, size_t room)
{
    size_t at = room - 4; /* for "..." and NUL */
    while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80) at--;
    memcpy(text + at, "...", 4);
}

static void set(pen_error *error, pen_status code, int64_t position, const char *format, va_list args)
{
    char text[PEN_MESSAGE_BYTES]; /* arguments may point into error->message */
    int n = vsnprintf(text, sizeof text, format, args);
    if (n >= (int)sizeof text) cut_cleanly(text, sizeof text);
    error->code = code;
    error->reserved = 0;
    error->position = position;
    memcpy(error->message, text, sizeof text);
}

pen_status pen__fail(pen_error *error, pen_status code, const char *format, ...)
{
    if (error) {
        va_list args;
        va_start(args, format);
        set(error, code, -1, format, args);
        va_end(args);
    }
    return code;
}

pen_status pen__fail_at(pen_error *error, pen_status code, int64_t position, const char *format, ...)
{
    if (error) {
        va_list args;
        va_start(args, format);
        set(error, code, position, format, args);
        va_end(args);
    }
    return code;
}

pen_status pen__fail_io(pen_error *error, int saved_errno, const char *what, const char *path)
{
    char reason[128];
    const char *words = strerror_r(saved_errno, reason, sizeof reason); /* the GNU form */
    return pen__fail(error, PEN_E_IO, "%s '%s': %s", what, path, words);
}

const char *pen__not_finite(double x) { return isnan(x) ? "is not a number" : "is infinite"; }

void pen__error_prefix(pen_error *error, const char *format, ...)
{
    if (!error) return;
    char prefix[256], whole[PEN_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    int n = snprintf(whole, sizeof whole, "%s%s", prefix, error->message);
    if (n >= (int)sizeof whole) cut_cleanly(whole, sizeof whole);
    memcpy(error->message, whole, sizeof whole);
}

const char *pen_status_text(pen_status status)
{
    switch (status) {
    case PEN_OK: return "success";
    case PEN_E_MEMORY: return "out of memory";
    case PEN_E_ARGUMENT: return "argument out of range";
    case PEN_E_IO: return "reading or writing failed";
    case PEN_E_INPUT: return "malformed input";
    case PEN_E_FORMAT: return "unsound container file";
    case PEN_E_UNKNOWN: return "unknown name";
    case PEN_E_UNSUPPORTED: return "not supported";
    case PEN_E_CANCELLED: return "cancelled";
    case PEN_E_DIVERGED: return "training diverged";
    case PEN_E_LIMIT: return "over a limit";
    }
    return "unknown status";
}

const char *pen_version(void) { return "0.1.0"; }
