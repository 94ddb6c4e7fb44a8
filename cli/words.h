/* Words for people, safe to show on a terminal whatever a log holds. */
#ifndef PEN_CLI_WORDS_H
#define PEN_CLI_WORDS_H

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

/* Control characters and marks of direction become "?", line feeds and tabs a blank; in place, never longer. */
void words_clean(char *text);

/* All strings within a value, cleaned. */
void words_clean_json(json_t *value);

/* As fprintf and vfprintf, cleaned: one line, whose end the caller writes. */
void words_print(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void words_put(FILE *out, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

#endif
