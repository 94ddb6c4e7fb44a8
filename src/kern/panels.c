/* Packing: a transposition of 16 rows at a time, bound by memory. */
#include "kern/panels.h"

#include <string.h>

#include "base/memory.h"
#include "base/thread.h"

typedef struct pack {
    const pen__panels *panels;
    const float *rows;
    int64_t stride;
} pack;

enum { PACK_GRAIN = 64 }; /* panels in a shard */

static void pack_panel(const pack *job, int64_t panel)
{
    const pen__panels *p = job->panels;
    float *to = p->data + panel * p->d * PEN_PANEL;
    int64_t first = panel * PEN_PANEL;
    int n = p->n - first < PEN_PANEL ? (int)(p->n - first) : PEN_PANEL;
    if (n < PEN_PANEL) memset(to, 0, (size_t)(p->d * PEN_PANEL) * sizeof *to);
    for (int i = 0; i < n; i++) {
        const float *from = job->rows + (first + i) * job->stride;
        for (int64_t k = 0; k < p->d; k++) to[k * PEN_PANEL + i] = from[k];
    }
}

static pen_status pack_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    const pack *job = arg;
    int64_t n = job->panels->n_panels, end = (shard + 1) * PACK_GRAIN;
    for (int64_t panel = shard * PACK_GRAIN; panel < (end < n ? end : n); panel++) pack_panel(job, panel);
    return PEN_OK;
}

pen_status pen__panels_pack(pen_context *ctx, const float *rows, int64_t n, int64_t d, int64_t stride,
                            const float *bias, pen__panels *panels, pen_error *error)
{
    pen_status status = PEN_OK;
    *panels = (pen__panels){.n = n, .d = d, .n_panels = (n + PEN_PANEL - 1) / PEN_PANEL};
    size_t floats, padded = (size_t)panels->n_panels * PEN_PANEL;
    PEN_CHECK_DONE(pen__mul(padded, (size_t)d, &floats), PEN_E_LIMIT, "%lld items of %lld numbers are too many to pack",
                   (long long)n, (long long)d);
    PEN_TRY_DONE(PEN_NEW(ctx, panels->data, floats));
    pack job = {panels, rows, stride};
    PEN_TRY_DONE(pen__parallel(ctx, pen__shards(panels->n_panels, PACK_GRAIN), pack_shard, &job, error));
    if (bias) {
        PEN_TRY_DONE(PEN_NEW_ZERO(ctx, panels->bias, padded));
        memcpy(panels->bias, bias, (size_t)n * sizeof *bias);
    }
done:
    if (status != PEN_OK) pen__panels_free(ctx, panels);
    return status;
}

void pen__panels_free(pen_context *ctx, pen__panels *panels)
{
    pen__free(ctx, panels->data);
    pen__free(ctx, panels->bias);
    *panels = (pen__panels){0};
}
