/* Recommendations for a block of users: masks, ranking, fallback, diversity, reasons, text. */
#ifndef PEN_RETRIEVE_RECOMMEND_H
#define PEN_RETRIEVE_RECOMMEND_H

#include "rank/mask.h"
#include "rank/person.h"
#include "rank/rank.h"
#include "retrieve/mmr.h"

/* One user of a block: in: name and person; out: answer. */
typedef struct pen__seat {
    pen_string name;
    pen__person person;
    pen_answer answer;
    pen__text words, text; /* of the answer's strings */
    pen_pick *pick;        /* n */
    int32_t *item;         /* n_candidates */
    float *score;
} pen__seat;

/* What the users of a block share. */
typedef struct pen__desk {
    pen_context *ctx;
    const pen_model *model;
    pen_recommend_options options;
    pen__mask mask;
    /* of all items: what a mask allows is asked for as candidates; or of what the mask allows */
    const pen__ranker *ranker;
    pen__ranker *own_ranker; /* the latter, or NULL */
    pen__alike alike;        /* with diversity */
    int32_t n, n_candidates; /* items asked for, and ranked before re-ranking */
    bool rates;              /* lists show predicted ratings */
    const char *subject;     /* what answers are about, in their text: "user", or "item" */
    int32_t n_seats, capacity;
    pen__seat *seat;
    pen_pick *pick;
    int32_t *item;
    float *score;
    pen__ask *ask;
    pen__answer *ranked;
} pen__desk;

/* Room for `capacity` users; many: the mask is built into a ranker of its own. Ids of the options are not kept. */
pen_status pen__desk_open(const pen_model *model, const pen_recommend_options *options, int32_t capacity, bool many,
                          pen__desk *desk, pen_error *error);

/* Answers seats 0..n-1, whose names and persons are set. */
pen_status pen__desk_run(pen__desk *desk, int32_t n, pen_error *error);

/* Makes the answer of a seat whose first n items and scores are in place: n_left_out of the allowed items were not
 * ranked. */
pen_status pen__seat_list(const pen__desk *desk, pen__seat *seat, int32_t n, int64_t n_left_out, pen_error *error);

/* Frees what the last run left in the seats. */
void pen__desk_clear(pen__desk *desk);
void pen__desk_close(pen__desk *desk); /* {0} is allowed */

/* ---- answer_text.c ----------------------------------------------------------------------------------------------- */

/* The answer as a JSON object, or as lines of CSV: what the desk's options ask for. */
void pen__answer_json(const pen__desk *desk, const pen_answer *answer, pen__text *out);
void pen__answer_csv(const pen__desk *desk, const pen_answer *answer, pen__text *out);
void pen__json_string(pen__text *out, pen_string string);    /* null where bytes is NULL */
void pen__json_number(pen__text *out, double x, int digits); /* null where it is not finite */

#endif
