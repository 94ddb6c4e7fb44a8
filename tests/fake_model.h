/* A model for tests whose scores (or vectors) are given: no training, no registry. */
#ifndef PEN_TESTS_FAKE_MODEL_H
#define PEN_TESTS_FAKE_MODEL_H

#include <string.h>

#include "rank/rank.h"

typedef struct fake {
    const float *table;  /* n_users x n_items: scores, or ratings */
    const float *vector; /* n_users x d */
    pen__factors factors;
} fake;

static pen_status fake_score(const pen_model *model, const pen__user *user, void *scratch, float *scores,
                             pen_error *error)
{
    (void)scratch, (void)error;
    const fake *f = model->state;
    memcpy(scores, f->table + (size_t)user->number * (size_t)model->n_items, (size_t)model->n_items * sizeof *scores);
    return PEN_OK;
}

static pen_status fake_rate(const pen_model *model, const pen__user *user, int32_t item, void *scratch, double *rating,
                            pen_error *error)
{
    (void)scratch, (void)error;
    const fake *f = model->state;
    *rating = item < 0 ? 3 : (double)f->table[(size_t)user->number * (size_t)model->n_items + (size_t)item];
    return PEN_OK;
}

static void fake_factors(const pen_model *model, pen__factors *out) { *out = ((const fake *)model->state)->factors; }

static pen_status fake_vector(const pen_model *model, const pen__user *user, void *scratch, float *out,
                              pen_error *error)
{
    (void)scratch, (void)error;
    const fake *f = model->state;
    memcpy(out, f->vector + (size_t)user->number * (size_t)f->factors.d, (size_t)f->factors.d * sizeof *out);
    return PEN_OK;
}

static const pen__model_class fake_dense = {.name = "fake-dense", .score = fake_score, .rate = fake_rate};
static const pen__model_class fake_vectors = {
    .name = "fake-vectors", .factors = fake_factors, .user_vector = fake_vector};

static inline pen_model fake_model(pen_context *ctx, fake *f, int32_t n_users, int32_t n_items)
{
    return (pen_model){.ctx = ctx,
                       .class = f->vector ? &fake_vectors : &fake_dense,
                       .n_users = n_users,
                       .n_items = n_items,
                       .least = 1,
                       .most = 5,
                       .state = f};
}

static inline pen_context *fake_context(int n_threads)
{
    pen_context_options options = PEN_CONTEXT_OPTIONS_INIT;
    options.n_threads = n_threads;
    pen_context *ctx = NULL;
    return pen_context_create(&options, &ctx, NULL) == PEN_OK ? ctx : NULL;
}

#endif
