/* How the shared negatives of a batch are drawn: alike, by popularity^alpha, or log-uniform in the rank of popularity;
 * and the logQ correction of a sampled softmax for how often an item is drawn (Bengio, Senecal 2008).
 *
 * log-uniform: q(rank) ~ log((rank + 2) / (rank + 1)), rank 0 the item with most events (TensorFlow's candidate
 * sampler). One alias table serves both: O(1) a draw, 12 bytes an item. */
#ifndef PEN_TRAIN_NET_DRAWS_H
#define PEN_TRAIN_NET_DRAWS_H

#include "base/random.h"
#include "data/sampler.h"
#include "rank/model.h"

typedef struct pen__draws {
    pen__alias *alias; /* (n); NULL: uniform */
    float *log_q;      /* (n): logarithm of how often an item is drawn; for one never drawn that of the least drawn */
    int32_t n;
} pen__draws;

/* By the model's parameters, from training's events. Freed by pen__draws_free, which may meet zeros. */
pen_status pen__draws_make(const pen_model *model, const pen__train *train, pen__draws *draws, pen_error *error);
void pen__draws_free(pen_context *ctx, pen__draws *draws);

static inline int32_t pen__draw(const pen__draws *draws, pen__rng *rng)
{
    return draws->alias ? pen__alias_draw(draws->alias, draws->n, rng)
                        : (int32_t)pen__rng_below(rng, (uint64_t)draws->n);
}

/* Whether scores want -log q added: not where all items are drawn alike. */
int pen__draws_correct(const pen_model *model);

#define PEN_DRAWS_PARAMS(LOSSES)                                                                      \
    {.name = "sampler",                                                                               \
     .type = PEN_PARAM_CHOICE,                                                                        \
     .standard = "uniform",                                                                           \
     .choices = "uniform|popularity|log-uniform",                                                     \
     .doc = "how negatives are drawn: alike, by popularity^alpha, log-uniform in popularity's rank"}, \
        {.name = "alpha",                                                                             \
         .type = PEN_PARAM_REAL,                                                                      \
         .standard = "0.75",                                                                          \
         .low = 0,                                                                                    \
         .high = 4,                                                                                   \
         .doc = "power of popularity"},                                                               \
    {                                                                                                 \
        .name = "logq", .type = PEN_PARAM_BOOL, .standard = "1", .low = 0, .high = 1,                 \
        .doc = "scores are corrected for how often an item is drawn (" LOSSES ")"                     \
    }

#endif
