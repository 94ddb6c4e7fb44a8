/* Tables for people and as CSV. */
#ifndef PEN_CLI_TEXT_TABLE_H
#define PEN_CLI_TEXT_TABLE_H

#include "cli.h"

/* Rows of cells under a header, columns padded to their widest (in characters); numbers to the right. */
typedef struct table table;
table *table_create(size_t n_columns, const char *const *header);
void table_row(table *t, const char *const *cells);
void table_print(table *t, FILE *out); /* control characters become "?" */
void table_csv(const table *t, FILE *out);
void table_destroy(table *t);

/* As a table for people or as CSV, as the call asks. */
void table_show(const call *c, table *t);

#endif
