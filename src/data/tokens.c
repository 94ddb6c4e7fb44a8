/* Words of a text: what a character is comes from short ranges of Unicode, no tables. Capitals of Latin, Greek and
 * Cyrillic are made small; that is all there is of normal forms. O(bytes). */
#include "data/tokens.h"

#include <string.h>

enum { APART, LETTER, PAIRED }; /* parts words; belongs to a word; belongs to a script without spaces */

/* The character at `at`, and its bytes. */
static uint32_t character(const char *at, const char *end, int *length)
{
    const unsigned char *c = (const unsigned char *)at;
    int n = c[0] < 0x80 ? 1 : c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : 4;
    if (n > end - at) n = 1; /* cut off: not UTF-8 */
    *length = n;
    if (n == 1) return c[0];
    uint32_t code = c[0] & (0x7Fu >> n);
    for (int k = 1; k < n; k++) code = code << 6 | (c[k] & 0x3F);
    return code;
}

static bool within(uint32_t c, uint32_t first, uint32_t last) { return c - first <= last - first; }

static int kind_of(uint32_t c)
{
    if (c < 0x80) return within(c | 32, 'a', 'z') || within(c, '0', '9') ? LETTER : APART;
    if (within(c, 0x3041, 0x30FF) || within(c, 0x3400, 0x9FFF) || within(c, 0xF900, 0xFAFF) ||
        within(c, 0x20000, 0x3FFFF) || within(c, 0xE01, 0xE3A) || within(c, 0xE40, 0xEFF) ||
        within(c, 0x1000, 0x109F) || within(c, 0x1780, 0x17D3))
        return PAIRED;
    bool mark = within(c, 0x80, 0xBF)
                    ? c != 0xAA && c != 0xB5 && c != 0xBA
                    : c == 0xD7 || c == 0xF7 || within(c, 0x2000, 0x206F) || within(c, 0x20A0, 0x20CF) ||
                          within(c, 0x2190, 0x2BFF) || within(c, 0x3000, 0x3040) || within(c, 0xFE30, 0xFE6F) ||
                          within(c, 0xFF01, 0xFF0F) || within(c, 0xFF1A, 0xFF20) || within(c, 0xFF3B, 0xFF40) ||
                          within(c, 0xFF5B, 0xFF65) || within(c, 0x1F000, 0x1FAFF);
    return mark ? APART : LETTER;
}

/* The small letter of a capital, which has as many bytes. */
static uint32_t small(uint32_t c)
{
    if (within(c, 'A', 'Z') || within(c, 0xC0, 0xDE) || within(c, 0x391, 0x3A9) || within(c, 0x410, 0x42F))
        return c + 32;
    if (within(c, 0x400, 0x40F)) return c + 80;
    if ((within(c, 0x100, 0x137) || within(c, 0x14A, 0x177)) && c != 0x130) return c | 1;
    if (within(c, 0x139, 0x148) || within(c, 0x179, 0x17E)) return c + (c & 1);
    return c;
}

static size_t put(char *to, uint32_t c, const char *from, int length)
{
    uint32_t s = small(c);
    memcpy(to, from, (size_t)length);
    if (s != c && length == 1) to[0] = (char)s;
    if (s != c && length == 2) to[0] = (char)(0xC0 | s >> 6), to[1] = (char)(0x80 | (s & 0x3F));
    return (size_t)length;
}

/* A pair of neighbours, or a character that has none: the walk goes on behind the first of them. */
static bool next_pair(pen__tokens *t, int length, pen__span *word)
{
    const char *second = t->at + length;
    int more = 0;
    bool paired = second < t->end && kind_of(character(second, t->end, &more)) == PAIRED;
    bool had = t->pair == t->at; /* this one was the second of a pair */
    const char *first = t->at;
    t->at = second;
    t->pair = paired ? second : NULL;
    if (!paired && had) return false;
    *word = (pen__span){first, (size_t)(length + (paired ? more : 0))};
    return true;
}

bool pen__token_next(pen__tokens *t, pen__span *word)
{
    size_t n = 0;
    bool cut = false;
    while (t->at < t->end) {
        int length;
        uint32_t c = character(t->at, t->end, &length);
        int kind = kind_of(c);
        if (kind == LETTER) {
            cut |= n + (size_t)length > sizeof t->word;
            if (!cut) n += put(t->word + n, c, t->at, length);
            t->at += length;
            continue;
        }
        if (n) break;
        if (kind == APART)
            t->at += length;
        else if (next_pair(t, length, word))
            return true;
    }
    *word = (pen__span){t->word, n};
    return n > 0;
}
