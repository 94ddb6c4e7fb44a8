/* Sizes in bytes: a number and K, M, G or T (of 1024), with or without B or iB. */
#include "size.h"

#include <stdlib.h>
#include <string.h>

bool size_parse(const char *text, uint64_t *bytes)
{
    static const char letters[] = "KMGT";
    char *end;
    double value = strtod(text, &end), scale = 1;
    if (end == text || !(value > 0)) return false;
    const char *letter = *end ? strchr(letters, *end & ~32) : NULL;
    if (letter) {
        for (scale = 1024; letter > letters; letter--) scale *= 1024;
        end++;
    }
    if (*end && strcmp(end, "B") && strcmp(end, "iB") && strcmp(end, "b")) return false;
    if (!(value * scale < 0x1p63)) return false;
    *bytes = (uint64_t)(value * scale);
    return *bytes > 0;
}
