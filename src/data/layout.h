/* How a text is laid out: its form, its delimiter, which column plays which role. Settled once from the options and the
 * first bytes, then read by every worker. */
#ifndef PEN_DATA_LAYOUT_H
#define PEN_DATA_LAYOUT_H

#include "base/text.h"
#include "penchant/dataset.h"

enum pen__input { PEN_INPUT_DELIMITED = 0, PEN_INPUT_ATOMIC = 1, PEN_INPUT_JSONL = 2, PEN_INPUT_LISTS = 3 };

enum pen__encoding { PEN_ENCODING_UTF8 = 0, PEN_ENCODING_LATIN1 = 1, PEN_ENCODING_CP1252 = 2 };

enum pen__role {
    PEN_ROLE_USER = 0,
    PEN_ROLE_ITEM = 1,
    PEN_ROLE_VALUE = 2,
    PEN_ROLE_TIME = 3,
    PEN_ROLE_EVENT = 4,
    PEN_ROLE_CONTEXT = 5, /* the first of n_context */
    PEN_MAX_CONTEXT = 64,
    PEN_MAX_ROLES = PEN_ROLE_CONTEXT + PEN_MAX_CONTEXT
};

enum { PEN_SAMPLE_BYTES = 1 << 20, PEN_MAX_COLUMNS = 65536, PEN_QUOTED_MAX = 1 << 20, PEN_SAMPLE_ROWS = 200 };

typedef struct pen__layout {
    pen_context *ctx;
    int input, encoding, time_unit;
    char delimiter[9], comment[9], list_separator[9];
    size_t delimiter_length, comment_length;
    bool header, decimal_comma, skip_bad_rows;
    bool encoding_guessed, time_guessed;
    int n_roles;                   /* PEN_ROLE_CONTEXT + the context columns */
    int32_t n_columns;             /* of the first row; 0 where rows have no columns (JSON lines, lists) */
    int32_t last_column;           /* the last that has a role */
    int32_t *role;                 /* of each column, or -1 */
    int32_t column[PEN_MAX_ROLES]; /* of each role, or -1 */
    char *name[PEN_MAX_ROLES];     /* of the column: from the header, or the JSON key; NULL: it has none */
    char kind[PEN_MAX_ROLES];      /* of an atomic column: 't'oken, 'f'loat; else 0 */
    char *header_line;             /* as it stands, to compare with the next file's */
    size_t header_length;
} pen__layout;

extern const char *const pen__input_names[];
extern const char *const pen__encoding_names[];
extern const char *const pen__role_words[]; /* "user", "item", "value", "time", "event", "context" */

/* Settles all from the options and the first bytes (behind a byte order mark). `name` is the file's, for messages and
 * its ending. The layout is to be freed whatever comes back. */
pen_status pen__layout_guess(pen_context *ctx, const char *name, pen__span sample, bool sample_is_all,
                             const pen_read_options *options, pen__layout *layout, pen_error *error);
/* The same for a table or triples, whose columns have no roles: form, delimiter, whether there is a header (of triples
 * and links: only an atomic one). `text` is all of it, in UTF-8. */
pen_status pen__layout_guess_table(pen_context *ctx, const char *name, pen__span text, const pen_read_options *options,
                                   bool knowledge, pen__layout *layout, pen_error *error);
void pen__layout_free(pen__layout *layout);

/* Words of a role's name for messages: "user" ... "context". */
static inline const char *pen__role_word(int role)
{
    return pen__role_words[role < PEN_ROLE_CONTEXT ? role : PEN_ROLE_CONTEXT];
}

/* ---- fields of a delimited record ---- */

typedef struct pen__field {
    pen__span raw;              /* without its quotes */
    bool quoted, doubled, last; /* doubled: "" within it stands for " */
} pen__field;

/* The field at `at`; returns where the next field, or the next record, begins. A quote opens a field at its start if it
 * is closed before a delimiter or a line's end within PEN_QUOTED_MAX bytes (RFC 4180); else it is a letter as any
 * other. */
const char *pen__field_next(const char *at, const char *end, const char *delimiter, size_t delimiter_length,
                            pen__field *field);

/* The first record's end at or after `cut`, from a record's start `at`; `end` where there is none. */
const char *pen__record_end(const char *at, const char *cut, const char *end, const char *delimiter,
                            size_t delimiter_length);

/* Whether a line is blank or a comment; *next is where the line after it begins. */
bool pen__line_is_empty(const pen__layout *layout, const char *at, const char *end, const char **next);

#endif
