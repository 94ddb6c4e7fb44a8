/* The table of a batch's draws: O(items log items) where it goes by rank, O(items) else. */
#include "train/net_draws.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "nn/op/row_loss.h"

enum { UNIFORM, POPULARITY, LOG_UNIFORM };

typedef struct ranked {
    int64_t events;
    int32_t item;
} ranked;

/* Most events first; ties by number, so that the order is one. */
static int by_events(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->events != y->events) return x->events > y->events ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

static int64_t events_of(const pen__train *train, int32_t item)
{
    return train->by_item.begin[item + 1] - train->by_item.begin[item];
}

static pen_status weigh(const pen_model *model, const pen__train *train, double *weight, pen_error *error)
{
    double alpha = pen__param(model, "alpha");
    if (pen__param_int(model, "sampler") == POPULARITY) {
        for (int32_t i = 0; i < train->n_items; i++) weight[i] = pow((double)events_of(train, i), alpha);
        return PEN_OK;
    }
    ranked *order = NULL;
    PEN_TRY(PEN_NEW(model->ctx, order, train->n_items));
    for (int32_t i = 0; i < train->n_items; i++) order[i] = (ranked){events_of(train, i), i};
    qsort(order, (size_t)train->n_items, sizeof *order, by_events);
    for (int32_t r = 0; r < train->n_items; r++) weight[order[r].item] = log((r + 2.0) / (r + 1.0));
    pen__free(model->ctx, order);
    return PEN_OK;
}

pen_status pen__draws_make(const pen_model *model, const pen__train *train, pen__draws *draws, pen_error *error)
{
    pen_status status = PEN_OK;
    double *weight = NULL, total = 0, least = INFINITY;
    int32_t *scratch = NULL, n = train->n_items;
    pen__draws_free(model->ctx, draws);
    draws->n = n;
    if (pen__param_int(model, "sampler") == UNIFORM) return PEN_OK;
    PEN_TRY_DONE(PEN_NEW(model->ctx, weight, n));
    PEN_TRY_DONE(PEN_NEW(model->ctx, scratch, n));
    PEN_TRY_DONE(PEN_NEW(model->ctx, draws->log_q, n));
    PEN_TRY_DONE(PEN_NEW(model->ctx, draws->alias, n));
    PEN_TRY_DONE(weigh(model, train, weight, error));
    for (int32_t i = 0; i < n; i++) {
        total += weight[i];
        if (weight[i] > 0 && weight[i] < least) least = weight[i];
    }
    for (int32_t i = 0; i < n; i++)
        draws->log_q[i] = total > 0 ? (float)log((weight[i] > 0 ? weight[i] : least) / total) : 0;
    pen__alias_build(weight, n, scratch, draws->alias);
done:
    pen__free(model->ctx, weight);
    pen__free(model->ctx, scratch);
    if (status != PEN_OK) pen__draws_free(model->ctx, draws);
    return status;
}

void pen__draws_free(pen_context *ctx, pen__draws *draws)
{
    pen__free(ctx, draws->alias);
    pen__free(ctx, draws->log_q);
    *draws = (pen__draws){0};
}

/* ---- in a plan --------------------------------------------------------------------------------------------------- */

/* A constant of each row of `extent`, added to what shifts its scores already; its input. */
static int32_t shift_of(pen__plan *plan, int32_t extent, const char *name, int32_t *shift)
{
    int32_t node = pen__input_real(plan, extent, 1, name);
    *shift = *shift < 0 ? node : pen__plus(plan, *shift, node);
    return pen__input_of(plan, node);
}

static const double LEAST = 0.001; /* temperature */

void pen__drawn_begin(pen__net *net, const pen_model *model, bool drawn)
{
    bool bias = pen__param_int(model, "bias");
    net->cosine = pen__param(model, "temperature") > 0;
    if (bias)
        net->item_bias = pen__plan_table(net->plan, "item.bias", model->n_items, 1, (pen__init){PEN_INIT_ZERO, 0});
    if (net->cosine && pen__param(model, "temperature") < LEAST)
        pen__plan_fail(net->plan, "%s: temperature must be 0 or at least %g", model->class->name, LEAST);
    if ((net->cosine || bias) && !drawn)
        pen__plan_fail(net->plan,
                       "%s: %s not for this loss, but for those against shared drawn items (penchant models %s)",
                       model->class->name,
                       !bias         ? "temperature is"
                       : net->cosine ? "bias and temperature are"
                                     : "bias is",
                       model->class->name);
}

void pen__drawn_cosines(pen__net *net, const pen_model *model)
{
    if (net->cosine || net->item_bias >= 0) /* a bias may grow for ever where a cosine rests at 1 */
        pen__plan_fail(net->plan, "%s: this loss is of cosines as they are: leave temperature at 0 and bias at no",
                       model->class->name);
    net->cosine = true;
}

int32_t pen__drawn_asked(pen__net *net, const pen_model *model, int32_t user)
{
    double temperature = pen__param(model, "temperature");
    int32_t compared = pen__net_compared(net, user);
    return temperature > 0 ? pen__scaled(net->plan, compared, 1 / temperature) : compared;
}

void pen__drawn_loss(pen__net *net, const pen_model *model, pen__drawn *drawn, int32_t targets, int32_t h, bool each,
                     pen__sampled how)
{
    pen__plan *plan = net->plan;
    drawn->each = each;
    drawn->extent = each ? pen__extent_child(plan, PEN_ROOT, "negatives") : pen__extent_shared(plan, "negatives");
    drawn->item = pen__input_index(plan, drawn->extent, "negative");
    if (how.kind == PEN_CONTRAST_GBCE) { /* scores begin where constant ones are best; else learning that eats all */
        double n = pen__param_int(model, "negatives");
        how.shift = log(pen__gbce_beta(model->n_items, how.t, n) / n);
    }
    how.negatives = drawn->item, how.positive_shift = how.negative_shift = -1, how.n_items = model->n_items;
    if (net->item_bias >= 0) {
        how.positive_shift = pen__gather(plan, net->item_bias, how.target);
        how.negative_shift = pen__gather(plan, net->item_bias, drawn->item);
    }
    if (how.kind == PEN_CONTRAST_SOFTMAX && pen__param_int(model, "sampler") != UNIFORM &&
        pen__param_int(model, "logq")) {
        drawn->target_shift = shift_of(plan, targets, "next.shift", &how.positive_shift);
        drawn->shift = shift_of(plan, drawn->extent, "negative.shift", &how.negative_shift);
    }
    h = pen__drawn_asked(net, model, h);
    int32_t good = pen__net_compared(net, pen__gather(plan, net->item_table, how.target));
    int32_t bad = pen__net_compared(net, pen__gather(plan, net->item_table, drawn->item));
    pen__loss_sampled(plan, h, good, bad, &how);
}

static bool is_here(const pen__drawn *drawn, const pen__example *example)
{
    return drawn->extent >= 0 && !example->user && drawn->each == (example->number >= 0);
}

void pen__drawn_size(const pen__drawn *drawn, pen__example *example)
{
    if (is_here(drawn, example)) example->rows[drawn->extent] = pen__param_int(example->model, "negatives");
}

static int32_t draw(const pen__draws *draws, pen__rng *rng)
{
    return draws->alias ? pen__alias_draw(draws->alias, draws->n, rng)
                        : (int32_t)pen__rng_below(rng, (uint64_t)draws->n);
}

void pen__drawn_fill(const pen__drawn *drawn, pen__example *example)
{
    if (!is_here(drawn, example)) return;
    for (int64_t k = 0; k < example->rows[drawn->extent]; k++) {
        int32_t item = draw(&drawn->draws, &example->rng);
        example->index[drawn->item][k] = item;
        if (drawn->shift >= 0) example->real[drawn->shift][k] = -drawn->draws.log_q[item];
    }
}
