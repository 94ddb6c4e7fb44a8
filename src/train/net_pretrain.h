/* Weights of one trained model as the first values of another: tables row by row for the ids that both have, dense
 * weights as they are. For a class's `pretrain`; all fail with PEN_E_ARGUMENT where the two do not fit. */
#ifndef PEN_TRAIN_NET_PRETRAIN_H
#define PEN_TRAIN_NET_PRETRAIN_H

#include "train/net.h"

/* The named parameters, apart by blanks, must have the same values in both. */
pen_status pen__pretrain_same_params(const pen_model *model, const pen_model *from, const char *names,
                                     pen_error *error);

/* Rows of from's table `source` to the model's table `into`, of the users (items) that both have; who is not in `from`
 * keeps the row that begin gave. None in common is an error; how many were found is said. */
pen_status pen__pretrain_users(pen_model *model, const char *into, const pen__train *train, const pen_model *from,
                               const char *source, pen_error *error);
pen_status pen__pretrain_items(pen_model *model, const char *into, const pen__train *train, const pen_model *from,
                               const char *source, pen_error *error);

/* The weight `source` of `from`, times `factor`, to `into`, from column `at` on. */
pen_status pen__pretrain_weight(pen_model *model, const char *into, int64_t at, const pen_model *from,
                                const char *source, double factor, pen_error *error);

/* The same, added to what is there; of one shape. */
pen_status pen__pretrain_add_weight(pen_model *model, const char *into, const pen_model *from, const char *source,
                                    double factor, pen_error *error);

#endif
