/* What models learn from and are judged on: the log after its filters, the parts of a split, matrices of training.
 *
 *   pen_dataset --filter--> pen__log --split--> pen__parts --build--> pen__train (matrices, new dense numbers)
 *                                                          \-------> pen__cases (whom to test, with what history)
 *
 * Three kinds of number: a data set's user and item (`data user`), training's own dense numbers (only what training
 * has: the catalogue), and -1 for what training lacks. Everything after the split speaks training's numbers.
 */
#ifndef PEN_DATA_INTERACTIONS_H
#define PEN_DATA_INTERACTIONS_H

#include "base/search.h"
#include "data/dataset.h"
#include "penchant/protocol.h"

/* ---- the log after its filters -------------------------------------------------------------------------------- */

/* Events that count, in order of the file; after `--duplicates` an event may stand for several. Numbers are the data
 * set's. */
typedef struct pen__log {
    pen_context *ctx;
    const pen_dataset *data;
    int64_t n;
    int64_t *event;       /* n: index of the event in the data set (the last one merged into it) */
    int32_t *user, *item; /* n each */
    float *value;         /* n: what is predicted when rating, the weight when ranking; never NULL */
    int64_t *time;        /* n, or NULL */
    uint8_t *positive;    /* n: 0 where it only counts as seen (below --positive); NULL: all are positive */
    /* events of the data set from here on came from --valid, --test; -1: there is no such file */
    int64_t valid_from, test_from;
    int64_t n_users, n_items; /* different ones among the events */
    char *notes; /* JSON: [{"step": "min-value 3", "events", "users", "items"}, ...]: what was left after each step */
} pen__log;

/* Where event i of the log came from: 0: the log itself, 1: from --valid, 2: from --test. */
static inline int pen__log_class(const pen__log *log, int64_t i)
{
    if (log->test_from >= 0 && log->event[i] >= log->test_from) return 2;
    return log->valid_from >= 0 && log->event[i] >= log->valid_from;
}

/* What a history says of event i: its value, or when ranking 0 where it only counts as seen. */
static inline float pen__log_liking(const pen__log *log, int64_t i)
{
    return log->positive && !log->positive[i] ? 0 : log->value[i];
}

/* Applies the protocol's filters in the contract's order. */
pen_status pen__log_build(const pen_dataset *data, const pen_protocol *protocol, pen__log *out, pen_error *error);

/* The same where events of the data set from `test_from` on came from `--test FILE`, and those of valid_from ..
 * test_from from `--valid FILE` (-1: there is no such file). Given events never merge with the log's own, are not
 * counted by
 * --min-user-events, --min-item-events and --k-core and not dropped by them; filters of rows apply to them where they
 * have what is asked for; one without a value has the value that the log has for its pair. */
pen_status pen__log_build_given(const pen_dataset *data, const pen_protocol *protocol, int64_t valid_from,
                                int64_t test_from, pen__log *out, pen_error *error);
void pen__log_free(pen__log *log);

/* ---- the parts of a split --------------------------------------------------------------------------------------- */

enum pen__part {
    PEN_PART_TRAIN = 0,
    PEN_PART_VALID = 1,
    PEN_PART_TEST = 2,
    PEN_PART_NONE = 3,
    PEN_PART_VALID_HISTORY = 4, /* shown by a held-out validation user: folded in */
    PEN_PART_TEST_HISTORY = 5   /* shown by a held-out test user */
};

/* part[i] of event i of the log, for one fold. Exactly reproducible from (seed, spec, log). */
typedef struct pen__parts {
    pen_context *ctx;
    int64_t n;
    uint8_t *part;
    int32_t n_folds, fold;
    /* JSON: {"split", "train": {"events", "users", "items"}, "valid", "test", "users_without_test", ...} */
    char *notes;
} pen__parts;

/* How many folds a spec has (folds:5 has 5; others 1). Also checks the spec. */
pen_status pen__split_folds(const char *spec, int32_t *n_folds, pen_error *error);

/* Splits. Where the log has a test_from (pen__log_build_given), the given events are the test (their pairs are taken
 * out of training), and likewise those of --valid; `protocol->split` then says how validation is taken from training
 * where no file gives it. PEN_E_INPUT where a part that was promised would be empty. */
pen_status pen__split(const pen__log *log, const pen_protocol *protocol, uint64_t seed, int32_t fold, pen__parts *out,
                      pen_error *error);
void pen__parts_free(pen__parts *parts);

/* ---- training --------------------------------------------------------------------------------------------------- */

/* A sparse matrix by rows: row r has entries begin[r] .. begin[r+1]. Within a row: by rising column (by_user, by_item),
 * or by time and then order of the file (histories). By column, a pair stands once: where --duplicates keep leaves
 * several, weights are summed and ratings averaged; histories keep them all. */
typedef struct pen__rows {
    int64_t n_rows;
    int64_t *begin;  /* n_rows + 1 */
    int32_t *column; /* begin[n_rows] */
    float *value;    /* begin[n_rows]; values when rating, weights when ranking */
    int64_t *time;   /* begin[n_rows], or NULL */
} pen__rows;

void pen__rows_free(pen_context *ctx, pen__rows *rows);

/* Whether the row has the column; of matrices whose rows rise by column. */
static inline bool pen__row_has(const pen__rows *rows, int64_t row, int32_t column)
{
    return pen__place_of(rows->column, rows->begin[row], rows->begin[row + 1], column) >= 0;
}

/* A ranking history without the events of value 0, which only count as seen: what a model goes by. begin NULL: all are
 * liked. */
pen_status pen__rows_liked(pen_context *ctx, const pen__rows *history, pen__rows *liked, pen_error *error);

/* What a model goes by, of the two. */
static inline const pen__rows *pen__liked_of(const pen__rows *liked, const pen__rows *history)
{
    return liked->begin ? liked : history;
}

/* Training's matrix in both orders, over training's dense numbers; users and items in the order of the data set's
 * numbers. */
typedef struct pen__train {
    pen_context *ctx;
    const pen_dataset *data; /* borrowed */
    int32_t n_users, n_items;
    int32_t n_beside_users, n_beside_items; /* the last so many of them only tables have: pen__train_widen */
    int64_t n_events;                       /* entries of by_user */
    int32_t *data_user, *data_item;         /* the data set's number of each */
    int32_t *user_number, *item_number;     /* data set's number -> training's, or -1 */
    pen__rows by_user, by_item;             /* by_item.column are users */
    /* by user, in order of time: everything that counts as seen (non-positives too, with the value 0) */
    pen__rows history;
    int32_t task;
    double mean;       /* of values */
    float least, most; /* smallest and largest value: predictions of ratings are clipped to them */
    uint64_t hash;     /* of all of it: a checkpoint of other data is refused */
} pen__train;

/* Bit `1 << part` of `parts_mask` takes that part's events. parts NULL: all events are training. Items and users that
 * only have events below --positive have numbers (they are seen) and empty rows. */
pen_status pen__train_build(const pen__log *log, const pen__parts *parts, unsigned parts_mask, int32_t task,
                            pen__train *out, pen_error *error);

/* Numbers, behind all others and with empty rows, also go to users (items) that training lacks and that have a row in
 * their table, for models that know them by it: those without any event, and those whose events are in other parts of
 * `log`; not those that a filter has dropped. Once, before the model is made. */
pen_status pen__train_widen(pen__train *train, const pen__log *log, bool users, bool items, pen_error *error);

/* Numbers below these have events of training: what a protocol says of items that training lacks (dropped targets,
 * sampled candidates, groups) means the same for every model. */
static inline int32_t pen__train_taught_users(const pen__train *train)
{
    return train->n_users - train->n_beside_users;
}
static inline int32_t pen__train_taught_items(const pen__train *train)
{
    return train->n_items - train->n_beside_items;
}
void pen__train_free(pen__train *train);

/* ---- whom to test ------------------------------------------------------------------------------------------------ */

/* Test cases over training's numbers: for case c, the targets and everything that the user did before. */
typedef struct pen__cases {
    pen_context *ctx;
    int64_t n;
    int32_t *user;       /* training's number, or -1: folded in from the history */
    int32_t *data_user;  /* the data set's number: ties, groups, names */
    int32_t keep_seen;   /* 1: the history stays in the ranking */
    pen__rows target;    /* items (training's number, or -1: training lacks it, a miss) with values */
    pen__rows history;   /* in order of time: seen; what only counts as seen has the value 0 */
    pen__rows liked;     /* the history that a model sees; begin NULL: all of it */
    pen__rows candidate; /* begin NULL: the full catalogue. Otherwise the items to rank (the targets among them) */
    char *notes;         /* JSON: {"users", "events", "folded_in", "without_history", "unknown_items", "already_seen",
                            "users_left_out", "candidates": {...}} */
} pen__cases;

/* The cases of `part` (PEN_PART_VALID or PEN_PART_TEST); `history_mask` says which parts' events count as history
 * (training always; with --refit no also validation when testing). Applies keep_seen, drop_unknown_items, test_users,
 * candidates. */
pen_status pen__cases_build(const pen__log *log, const pen__parts *parts, const pen__train *train,
                            const pen_protocol *protocol, int part, unsigned history_mask, uint64_t seed,
                            pen__cases *out, pen_error *error);
void pen__cases_free(pen__cases *cases);

#endif
