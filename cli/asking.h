/* What the verbs that ask a model share: opening it, who asks, the filters, lists of ids from files. */
#ifndef PEN_CLI_ASKING_H
#define PEN_CLI_ASKING_H

#include "cli.h"

/* Ids of a file or of a list by commas; the strings point into `bytes`. */
typedef struct id_list {
    pen_string *at;
    size_t n;
    char *bytes;
} id_list;

typedef struct asking {
    pen_context *ctx;
    pen_model *model;
    pen_query *query;
    pen_who who;
    float *values; /* of the history */
    id_list history, allow, deny;
    pen_recommend_options options;
} asking;

/* The model named first in the call, a query of it, who asks and the options. What was opened is closed by asking_close
 * whatever happened. */
int asking_open(const call *c, asking *a);
void asking_close(asking *a);

/* How and why an answer came about, on stderr. `user` NULL: a history. */
void asking_say(const call *c, pen_string user, int32_t how, pen_string reason);

/* The answers' items as a table. */
void asking_table(const call *c, const pen_answer *answer);

/* A copy that ends with NUL; freed by the caller. */
char *text_of(pen_string string);
bool wants(const call *c, const char *format);

#endif
