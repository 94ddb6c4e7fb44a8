/* Filters become one byte for each item before anything is ranked, so that exactly n are found wherever n are
 * allowed. */
#include "rank/mask.h"

#include <string.h>

#include "kern/topk.h"
#include "rank/catalogue.h"
#include "rank/where.h"

/* Marks the items of a list with `mark`; counts the ids that the model lacks. */
static pen_status mark_list(const pen_model *model, const pen_string *id, size_t n, uint8_t mark, uint8_t *allowed,
                            int64_t *unknown, pen_error *error)
{
    for (size_t i = 0; i < n; i++) {
        PEN_CHECK(id[i].bytes, PEN_E_ARGUMENT, "id %zu of a list is NULL", i);
        int32_t item = pen__strings_find(&model->catalogue->items, pen__span_from(id[i]));
        if (item >= 0)
            allowed[item] = mark;
        else
            ++*unknown;
    }
    return PEN_OK;
}

static pen_status apply_where(const pen_model *model, const char *text, uint8_t *allowed, pen_error *error)
{
    const struct pen__catalogue *c = model->catalogue;
    pen__where *where;
    pen__where_items items = {&c->item_table, &c->items, c->item_events, model->n_items};
    PEN_TRY(pen__where_parse(model->ctx, pen__span_of(text), &items, &where, error));
    for (int32_t i = 0; i < model->n_items; i++)
        if (allowed[i]) allowed[i] = pen__where_holds(where, i);
    pen__where_free(where);
    return PEN_OK;
}

pen_status pen__mask_build(const pen_model *model, const pen_recommend_options *o, pen__mask *out, pen_error *error)
{
    pen_context *ctx = model->ctx;
    pen_status status = PEN_OK;
    *out = (pen__mask){.ctx = ctx, .n = model->n_items};
    if (!o->allow && !o->n_deny && !o->where && o->min_popularity <= 0) return PEN_OK;
    PEN_TRY_DONE(PEN_NEW(ctx, out->allowed, model->n_items));
    PEN_TRY_DONE(PEN_NEW(ctx, out->item, model->n_items));
    memset(out->allowed, o->allow ? 0 : 1, (size_t)model->n_items);
    if (o->allow) PEN_TRY_DONE(mark_list(model, o->allow, o->n_allow, 1, out->allowed, &out->unknown_allowed, error));
    PEN_TRY_DONE(mark_list(model, o->deny, o->n_deny, 0, out->allowed, &out->unknown_denied, error));
    for (int32_t i = 0; i < model->n_items; i++)
        if (model->catalogue->item_events[i] < o->min_popularity) out->allowed[i] = 0;
    if (o->where) PEN_TRY_DONE(apply_where(model, o->where, out->allowed, error));
    out->n = 0;
    for (int32_t i = 0; i < model->n_items; i++)
        if (out->allowed[i]) out->item[out->n++] = i;
done:
    if (status != PEN_OK) pen__mask_free(out);
    return status;
}

void pen__mask_free(pen__mask *mask)
{
    pen__free(mask->ctx, mask->allowed);
    pen__free(mask->ctx, mask->item);
    mask->allowed = NULL;
    mask->item = NULL;
}

int64_t pen__mask_count(const pen__mask *mask, const int32_t *rising, int64_t n)
{
    if (!mask->allowed) return n;
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += mask->allowed[rising[i]];
    return count;
}

pen_status pen__mask_top(const pen__mask *mask, const float *scores, int32_t n_items, uint64_t tie_key,
                         const int32_t *exclude, int64_t n_exclude, int32_t k, int32_t *item, float *score, int32_t *n,
                         pen_error *error)
{
    pen_context *ctx = mask->ctx;
    pen_status status = PEN_OK;
    float *gathered = NULL;
    void *buffer = NULL;
    pen__exclude seen = {.seen = exclude, .n_seen = n_exclude};
    PEN_TRY_DONE(pen__new(ctx, &buffer, pen__top_bytes(k), 1, false, error));
    if (!mask->item) {
        *n = pen__top_dense(scores, n_items, tie_key, &seen, k, buffer, item, score);
        goto done;
    }
    PEN_TRY_DONE(PEN_NEW(ctx, gathered, mask->n));
    for (int64_t j = 0; j < mask->n; j++) gathered[j] = scores[mask->item[j]];
    *n = pen__top_candidates(gathered, mask->item, mask->n, tie_key, &seen, k, buffer, item, score);
done:
    pen__free(ctx, gathered);
    pen__free(ctx, buffer);
    return status;
}

pen_status pen__popular_top(const pen_model *model, const pen__mask *mask, uint64_t tie_key, const int32_t *exclude,
                            int64_t n_exclude, int32_t k, int32_t *item, float *score, int32_t *n, pen_error *error)
{
    float *scores;
    PEN_TRY(PEN_NEW(model->ctx, scores, model->n_items));
    for (int32_t i = 0; i < model->n_items; i++) scores[i] = (float)model->catalogue->item_events[i];
    pen_status status =
        pen__mask_top(mask, scores, model->n_items, tie_key, exclude, n_exclude, k, item, score, n, error);
    pen__free(model->ctx, scores);
    return status;
}
