/* Tables: rows of cells under a header, for people (padded by the width that a terminal gives each character) or as
 * CSV. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "text_table.h"
#include "words.h"

struct table {
    size_t n_columns, n_rows, cap;
    char **cell; /* (1 + n_rows) x n_columns, the header first */
};

/* Cells of a terminal that a character takes: East Asian wide ones two, combining marks none. */
static size_t cells_of(uint32_t c)
{
    if (c >= 0x300 && c < 0x370) return 0;
    bool wide = (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) || (c >= 0xAC00 && c <= 0xD7A3) ||
                (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
                (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD);
    return wide ? 2 : 1;
}

static size_t text_width(const char *text)
{
    size_t width = 0;
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        int more = *s < 0xC0 ? 0 : *s < 0xE0 ? 1 : *s < 0xF0 ? 2 : 3;
        uint32_t c = more == 0 ? *s : *s & (0x3Fu >> more);
        s++;
        for (; more > 0 && (*s & 0xC0) == 0x80; more--) c = c << 6 | (*s++ & 0x3Fu);
        width += cells_of(c);
    }
    return width;
}

table *table_create(size_t n_columns, const char *const *header)
{
    table *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->n_columns = n_columns;
    table_row(t, header);
    return t;
}

void table_row(table *t, const char *const *cells)
{
    if (!t) return;
    if (t->n_rows == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 16;
        char **grown = realloc(t->cell, cap * t->n_columns * sizeof *grown);
        if (!grown) return;
        t->cell = grown;
        t->cap = cap;
    }
    for (size_t c = 0; c < t->n_columns; c++) t->cell[t->n_rows * t->n_columns + c] = strdup(cells[c] ? cells[c] : "");
    t->n_rows++;
}

static bool numeric(const char *text) { return *text && strspn(text, "0123456789.+-eE%[], ") == strlen(text); }

static void spaces(size_t n, FILE *out)
{
    while (n--) fputc(' ', out);
}

/* A column is numeric when all of its cells that say anything are. */
static bool right_aligned(const table *t, size_t c)
{
    bool any = false;
    for (size_t r = 1; r < t->n_rows; r++) {
        const char *cell = t->cell[r * t->n_columns + c];
        if (!*cell || !strcmp(cell, "-")) continue;
        if (!numeric(cell)) return false;
        any = true;
    }
    return any;
}

void table_print(table *t, FILE *out)
{
    if (!t) return;
    for (size_t i = 0; i < t->n_rows * t->n_columns; i++) words_clean(t->cell[i]);
    size_t *width = calloc(t->n_columns, sizeof *width);
    bool *right = calloc(t->n_columns, sizeof *right);
    for (size_t c = 0; width && right && c < t->n_columns; c++) {
        right[c] = right_aligned(t, c);
        for (size_t r = 0; r < t->n_rows; r++) {
            size_t w = text_width(t->cell[r * t->n_columns + c]);
            if (w > width[c]) width[c] = w;
        }
    }
    for (size_t r = 0; width && right && r < t->n_rows; r++) {
        for (size_t c = 0; c < t->n_columns; c++) {
            const char *cell = t->cell[r * t->n_columns + c];
            size_t pad = width[c] - text_width(cell);
            if (c) spaces(2, out);
            if (right[c]) spaces(pad, out);
            if (r == 0 && colour(out))
                fprintf(out, "\033[1m%s\033[0m", cell);
            else
                fputs(cell, out);
            if (!right[c] && c + 1 < t->n_columns) spaces(pad, out);
        }
        fputc('\n', out);
    }
    free(width);
    free(right);
}

static void csv_cell(const char *text, FILE *out)
{
    if (!strpbrk(text, ",\"\n\r")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"') fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

void table_csv(const table *t, FILE *out)
{
    for (size_t r = 0; t && r < t->n_rows; r++)
        for (size_t c = 0; c < t->n_columns; c++) {
            csv_cell(t->cell[r * t->n_columns + c], out);
            fputc(c + 1 < t->n_columns ? ',' : '\n', out);
        }
}

void table_destroy(table *t)
{
    if (!t) return;
    for (size_t i = 0; i < t->n_rows * t->n_columns; i++) free(t->cell[i]);
    free(t->cell);
    free(t);
}

void table_show(const call *c, table *t)
{
    if (c->format && !strcmp(c->format, "csv"))
        table_csv(t, stdout);
    else
        table_print(t, stdout);
}
