/* Batches ahead of their steps: three slots, one that is computed, one whose touched rows are found, one that is
 * filled. */
#ifndef PEN_TRAIN_NET_FEED_H
#define PEN_TRAIN_NET_FEED_H

#include "train/net.h"

typedef struct pen__feed pen__feed;

/* For the examples of `train` in batches of `batch`; the run says how batches are cut. */
pen_status pen__feed_create(const pen_model *model, const pen__train *train, const pen__net *net, pen__feed **out,
                            pen_error *error);
void pen__feed_destroy(pen__feed *feed);

int64_t pen__feed_steps(const pen__feed *feed); /* of an epoch */
int64_t pen__feed_examples(const pen__feed *feed);

/* Deals the epoch, binds the run to its bounds, and prepares the first two batches. */
pen_status pen__feed_begin(pen__feed *feed, int32_t epoch, pen_error *error);

/* Rows of the epoch's largest batch, and of its largest shard, by extent. */
void pen__feed_rows(const pen__feed *feed, int64_t *batch, int64_t *shard);

/* The batch of step i (called for 0, 1, ...) with its touched rows, and the work to be done beside it. */
pen_status pen__feed_step(pen__feed *feed, int64_t i, const pen__batch **batch, const pen__touched **touched,
                          pen__beside *beside, pen_error *error);

#endif
