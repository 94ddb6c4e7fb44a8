/* Ids, titles and paths are any bytes, and a terminal obeys some of them: control characters could recolour it, rename
 * it or hide what stands beside them, and marks of direction could turn a line around. What people read is shown with
 * those as "?". */
#include "words.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of the character at `s` that a terminal would obey, or 0. Line feeds and tabs count. */
static size_t obeyed(const unsigned char *s)
{
    if (*s < 0x20 || *s == 0x7F) return 1;
    if (s[0] == 0xC2 && s[1] >= 0x80 && s[1] < 0xA0) return 2;                    /* C1 */
    if (s[0] == 0xE2 && s[1] == 0x80 && (s[2] == 0x8E || s[2] == 0x8F)) return 3; /* marks of direction */
    /* separators, embeddings */
    if (s[0] == 0xE2 && s[1] == 0x80 && s[2] >= 0xA8 && s[2] <= 0xAE) return 3;
    return s[0] == 0xE2 && s[1] == 0x81 && s[2] >= 0xA6 && s[2] <= 0xA9 ? 3 : 0; /* isolates */
}

void words_clean(char *text)
{
    char *to = text;
    if (!text) return;
    for (const char *from = text; *from;) {
        size_t n = obeyed((const unsigned char *)from);
        if (n)
            *to++ = *from == '\n' || *from == '\t' || *from == '\r' ? ' ' : '?';
        else
            *to++ = *from;
        from += n ? n : 1;
    }
    *to = 0;
}

void words_put(FILE *out, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *text = n >= 0 ? malloc((size_t)n + 1) : NULL;
    if (text) {
        vsnprintf(text, (size_t)n + 1, format, again);
        words_clean(text);
        fputs(text, out);
    }
    va_end(again);
    free(text);
}

void words_print(FILE *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    words_put(out, format, args);
    va_end(args);
}

void words_clean_json(json_t *value)
{
    const char *key;
    json_t *inner;
    size_t i;
    if (!value) return;
    if (json_is_string(value)) {
        char *text = strdup(json_string_value(value));
        if (!text) return;
        words_clean(text);
        json_string_set_nocheck(value, text);
        free(text);
    }
    json_array_foreach (value, i, inner) words_clean_json(inner);
    json_object_foreach (value, key, inner) words_clean_json(inner);
}
