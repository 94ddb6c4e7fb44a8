/* Who asks, as a model sees it: a user that it knows, a history to fold in, or nobody (then the fallback), and in words
 * why. */
#ifndef PEN_RANK_PERSON_H
#define PEN_RANK_PERSON_H

#include "rank/mask.h"

typedef struct pen__person {
    pen_context *ctx;
    pen__user user;
    uint64_t tie_key;
    int32_t how;
    const int32_t *had; /* of a user whom the model knows: everything, liked or not */
    int64_t n_had;
    int32_t *seen; /* what the user had: rising, each once */
    int64_t n_seen;
    int32_t *item; /* a history of one's own, or NULL */
    float *value;
    pen__text reason;
} pen__person;

/* From a question. The model needs its catalogue. */
pen_status pen__person_of(const pen_model *model, const pen_who *who, pen__person *out, pen_error *error);

/* A user of the model by number, as pen__person_of gives it for that user's id. */
pen_status pen__person_known(const pen_model *model, int32_t number, pen__person *out, pen_error *error);
void pen__person_free(pen__person *person);

/* Appends a sentence to reasons that may already be there. */
void pen__reason_add(pen__text *reason, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
