/* What sequence models share: an example is a user's history in order of time; its positions are a child of the root,
 * each with the item that was met there, its place, and the item that came next.
 *
 * Training: users with two liked events or more. A history longer than max_length + 1 teaches by windows of it, one
 * behind the other, each an example; where they are cut is drawn anew in each epoch (windows=last: its latest events
 * alone, as in the papers). With `overlap` they share events, which the later one reads without being taught: its
 * targets stand behind no fewer. Answers: the history's last max_length items, and the vector of the last position is
 * the user's, whether the model knows the user or not: what was done a moment ago counts at once. */
#ifndef PEN_TRAIN_NET_HISTORY_H
#define PEN_TRAIN_NET_HISTORY_H

#include "train/net.h"
#include "train/net_draws.h"

/* The state of a sequence model: a pen__net and the users who teach it. */
typedef struct pen__history_net {
    pen__net net;
    int32_t *teacher; /* (n_teachers): users of training with two liked events or more; made by the first epoch */
    int64_t *window;  /* (n_teachers + 1): where the windows of each begin, among all */
    int32_t n_teachers;
    int32_t positions, taught;             /* extents: what is read, and its last rows, which have a target */
    int32_t item, place, target, negative; /* index inputs of either; place and negative may be -1 */
    bool from_first;   /* places are counted from the earliest event that is read, not back from the last place */
    int32_t good, bad; /* real inputs of `taught`: ones and zeros, or -1 */
    pen__drawn drawn;  /* negatives that a batch or a history shares */
} pen__history_net;

/* The inputs: positions, item, target; the caller adds place and negatives. */
void pen__history_inputs(pen__plan *plan, pen__history_net *net, const pen_model *model);

/* What is read: the vectors of positions' items, rows of net->net.item_table, times sqrt(factors) where `scale`. */
int32_t pen__history_items(pen__plan *plan, pen__history_net *net, const pen_model *model);

/* The rows of positions' vectors h that have a target. */
int32_t pen__history_taught(pen__plan *plan, const pen__history_net *net, int32_t h);

/* The loss of vectors h of what is taught against items that are drawn once a batch or, with `each`, once a history,
 * and shared (train/net_draws.h). */
void pen__history_sampled(pen__history_net *net, const pen_model *model, int32_t h, bool each, pen__sampled how);

int64_t pen__history_examples(const pen_model *model, const pen__train *train);
pen_status pen__history_teachers(pen_model *model, const pen__train *train, pen_error *error);
void pen__history_size(pen__example *example);
void pen__history_fill(pen__example *example);
void pen__history_bounds(const pen_model *model, int64_t *bound);
void pen__history_unbind(pen_model *model);
#define PEN_HISTORY_NET                                                                           \
    .examples = pen__history_examples, .ready = pen__history_teachers, .size = pen__history_size, \
    .fill = pen__history_fill, .bounds = pen__history_bounds

#define PEN_HISTORY_PARAMS(LENGTH)                                                                          \
    PEN_P_INT_LOG("max_length", LENGTH, 1, 100000,                                                          \
                  "events that are read at once: an answer looks at a history's latest"),                   \
        PEN_P_CHOICE("windows", "all", "all|last",                                                          \
                     "a longer history teaches by all its windows of max_length events, or by its latest"), \
        PEN_P_REAL("overlap", "0", 0, 0.95,                                                                 \
                   "share of such a window that is context alone: windows overlap by it, no event is taught twice")

#define PEN_HISTORY_SCALE                                                                                        \
    PEN_P_BOOL(                                                                                                  \
        "scale", "0",                                                                                            \
        "item vectors are multiplied by sqrt(factors) on the way in: where items are many and events few, what " \
        "was met last counts from the first epoch on")

#endif
