/* One item's score taken apart for one user, with the item's place. */
#ifndef PEN_RETRIEVE_EXPLANATION_H
#define PEN_RETRIEVE_EXPLANATION_H

#include "retrieve/recommend.h"

typedef struct pen__case {
    pen__person person;
    pen_explanation out;
    pen_reason *reason;
    pen__text words, text;
} pen__case;

/* The person is set; the rest is zero. name: the user's id, or bytes NULL. */
pen_status pen__case_run(const pen_model *model, pen_string name, int32_t item, pen__case *c, pen_error *error);
void pen__case_free(pen__case *c);

#endif
