/* An item matrix packed for scoring: panels of 16 items, k-major, so that one step of k is one aligned row of 16
 * floats.
 *
 *     data[(i / 16) * d * 16 + k * 16 + i % 16] = Q[i][k]
 *
 * The last panel is padded with zeros (and zero bias). 64-byte aligned. Immutable once packed: thread-safe.
 */
#ifndef PEN_KERN_PANELS_H
#define PEN_KERN_PANELS_H

#include "kern/kern.h"
#include "penchant/context.h"

typedef struct pen__panels {
    float *data; /* (n_panels, d, 16) */
    float *bias; /* (n_panels * 16), or NULL: no item has one */
    int64_t n, d, n_panels;
} pen__panels;

/* Packs n rows of d floats (row i at rows + i * stride), and bias (n) if not NULL. In parallel. On failure *panels is
 * empty. */
pen_status pen__panels_pack(pen_context *ctx, const float *rows, int64_t n, int64_t d, int64_t stride,
                            const float *bias, pen__panels *panels, pen_error *error);

/* An empty one ({0}) is allowed; leaves it empty. */
void pen__panels_free(pen_context *ctx, pen__panels *panels);

/* All n_panels * 16 scores of one user (d) into out; those from n up are of padding. */
static inline void pen__panels_score(const pen__panels *panels, const float *user, float *out)
{
    pen__kern()->score_one(panels->data, panels->d, panels->n_panels, user, panels->bias, out);
}

#endif
