/* Both sides' features in a plan. An example's words cost what it has of them. */
#include "train/net_sides.h"

#include <stdio.h>
#include <string.h>

static const char *const words[] = {"user", "item"}, *const columns[] = {"user_features", "item_features"};

static pen__feature_choice choice_of(const pen_model *model, int side, bool watched)
{
    return (pen__feature_choice){side, pen__param_text(model, columns[side]), watched && side == PEN_SIDE_ITEM};
}

pen_status pen__sides_add(pen_model *model, const pen__train *train, bool watched, pen_error *error)
{
    const pen__feature_choice user = choice_of(model, PEN_SIDE_USER, watched),
                              item = choice_of(model, PEN_SIDE_ITEM, watched);
    PEN_TRY(pen__features_add(model, train, &user, PEN_ROLE_PARAM, error));
    return pen__features_add(model, train, &item, watched ? PEN_ROLE_PARAM : PEN_ROLE_OPTIMISER, error);
}

pen_status pen__sides_bind(const pen_model *model, bool watched, pen__sides *sides, pen_error *error)
{
    PEN_TRY(pen__features_bind(model, PEN_SIDE_USER, model->n_users, true, &sides->features[PEN_SIDE_USER], error));
    return pen__features_bind(model, PEN_SIDE_ITEM, model->n_items, watched, &sides->features[PEN_SIDE_ITEM], error);
}

/* ---- in a plan --------------------------------------------------------------------------------------------------- */

int32_t pen__sides_inputs(const pen_model *model, pen__plan *plan, pen__sides *sides, int side, bool watched,
                          int32_t *x)
{
    char name[48];
    int32_t n = 0;
    pen__features f;
    pen__feature_inputs *in = &sides->in[side];
    const pen__feature_choice choice = choice_of(model, side, watched);
    *in = (pen__feature_inputs){-1, -1, -1, -1};
    if (!pen__features_count(model, plan, &choice, &f)) return 0;
    if (f.n_words) {
        snprintf(name, sizeof name, "%s.words", words[side]);
        in->extent = pen__extent_child(plan, PEN_ROOT, name);
        in->word = pen__input_index(plan, in->extent, name);
        snprintf(name, sizeof name, "%s.features.weight", words[side]);
        int32_t weight = pen__input_real(plan, in->extent, 1, name);
        in->weight = pen__input_of(plan, weight);
        snprintf(name, sizeof name, "%s.word", words[side]);
        x[n++] = pen__bag(plan, pen__net_table(plan, model, name, f.n_words), in->word, PEN_POOL_SUM, weight);
    }
    if (f.n_numbers) {
        snprintf(name, sizeof name, "%s.features.number", words[side]);
        x[n] = pen__input_real(plan, PEN_ROOT, f.n_numbers, name);
        in->number = pen__input_of(plan, x[n++]);
    }
    return n;
}

void pen__sides_size(const pen__sides *sides, int side, const int32_t *row, int64_t n, pen__example *example)
{
    int32_t extent = sides->in[side].extent;
    for (int64_t k = 0; extent >= 0 && k < n; k++)
        example->rows[extent] += pen__features_words(&sides->features[side], row[k]);
}

/* The row's words from place `at` on. */
static void fill_words(const pen__features *f, const pen__feature_inputs *in, int64_t row, float share, int64_t at,
                       pen__example *example)
{
    int64_t n = pen__features_words(f, row);
    if (!n) return;
    memcpy(example->index[in->word] + at, f->word + f->begin[row], (size_t)n * sizeof *f->word);
    for (int64_t k = 0; k < n; k++) example->real[in->weight][at + k] = share * f->weight[f->begin[row] + k];
}

void pen__sides_fill(const pen__sides *sides, int side, const int32_t *row, int64_t n, pen__example *example)
{
    const pen__feature_inputs *in = &sides->in[side];
    const pen__features *f = &sides->features[side];
    for (int64_t k = 0, at = 0; in->word >= 0 && k < n; at += pen__features_words(f, row[k++]))
        fill_words(f, in, row[k], 1 / (float)n, at, example);
    if (in->number < 0 || n != 1) return;
    size_t bytes = (size_t)f->n_numbers * sizeof *f->number;
    if (*row >= 0 && f->number)
        memcpy(example->real[in->number], f->number + (int64_t)*row * f->n_numbers, bytes);
    else
        memset(example->real[in->number], 0, bytes);
}

void pen__sides_bounds(const pen__sides *sides, int side, int64_t n, int64_t *bound)
{
    const pen__features *f = &sides->features[side];
    int64_t most = 0;
    for (int64_t r = 0; r < f->n_rows; r++)
        if (pen__features_words(f, r) > most) most = pen__features_words(f, r);
    if (sides->in[side].extent >= 0) bound[sides->in[side].extent] = n * most;
}

/* ---- who and what has no events ---------------------------------------------------------------------------------- */

void pen__sides_reach(const pen__model_class *class, const pen__params *params, bool *users, bool *items)
{
    bool cold = pen__params_get(class, params, "cold") != 0;
    *users = cold && strcmp(pen__params_text(class, params, columns[PEN_SIDE_USER]), "none");
    *items = cold && strcmp(pen__params_text(class, params, columns[PEN_SIDE_ITEM]), "none");
}

void pen__sides_untaught(pen_model *model, const char *table, const pen__rows *events)
{
    pen__state_tensor *tensor = pen__model_tensor(model, table);
    for (int64_t r = 0; tensor && r < events->n_rows; r++)
        if (events->begin[r] == events->begin[r + 1])
            memset((float *)tensor->data + r * tensor->dim[1], 0, (size_t)tensor->dim[1] * sizeof(float));
}
