/* Words of a text, for models that read it: runs of letters and digits, capitals made small. A script that is written
 * without spaces (Han, kana, Thai, Lao, Khmer, Burmese) gives each pair of neighbours as a word, a character alone
 * where it has none. Everything else parts words. */
#ifndef PEN_DATA_TOKENS_H
#define PEN_DATA_TOKENS_H

#include "base/text.h"

enum { PEN_TOKEN_BYTES = 64 }; /* a longer word is cut */

/* A walk over one text, which must live as long; begin with {.at = text, .end = text + length}. */
typedef struct pen__tokens {
    const char *at, *end;
    const char *pair; /* the first character of a pair that goes on, or NULL */
    char word[PEN_TOKEN_BYTES];
} pen__tokens;

/* The next word, which lives until the next call; false at the end. The text must be UTF-8. */
bool pen__token_next(pen__tokens *tokens, pen__span *word);

#endif
