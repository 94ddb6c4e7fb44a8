/* MMR, greedily: the largest similarity of each candidate to what is picked is kept and renewed after every pick.
 * Cost: O(k n) similarities. */
#include "retrieve/mmr.h"

#include <math.h>

#include "rank/catalogue.h"
#include "rank/similar.h"

/* The first column of categories, else the first of one category in which some value is shared: as evaluation has
 * it. */
static const pen__column *category_column(const pen__table *table)
{
    for (int c = 0; table->rows && c < table->n_columns; c++)
        if (table->column[c].type == PEN_COLUMN_CATEGORIES) return &table->column[c];
    for (int c = 0; table->rows && c < table->n_columns; c++)
        if (table->column[c].type == PEN_COLUMN_CATEGORY && table->column[c].words.n < table->rows)
            return &table->column[c];
    return NULL;
}

pen_status pen__alike_of(const pen_model *model, pen__alike *out, pen_error *error)
{
    *out = (pen__alike){0};
    if (model->class->factors) model->class->factors(model, &out->factors);
    if (out->factors.d > 0) return PEN_OK;
    if (model->catalogue) out->category = category_column(&model->catalogue->item_table);
    PEN_CHECK(out->category, PEN_E_UNSUPPORTED,
              "diversity needs to know what is alike: %s has no vectors of items and there is no column of categories "
              "(import with --items)",
              model->class->name);
    return PEN_OK;
}

static int64_t codes_of(const pen__column *column, int32_t item, const int32_t **code)
{
    if (column->type == PEN_COLUMN_CATEGORY) {
        *code = column->code + item;
        return **code >= 0;
    }
    *code = column->code + column->begin[item];
    return column->begin[item + 1] - column->begin[item];
}

static double jaccard(const pen__column *column, int32_t a, int32_t b)
{
    const int32_t *p, *q;
    int64_t n = codes_of(column, a, &p), m = codes_of(column, b, &q), both = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m; j++) both += p[i] == q[j];
    return n + m > both ? (double)both / (double)(n + m - both) : 0;
}

double pen__likeness(const pen__alike *alike, int32_t a, int32_t b)
{
    return alike->category ? jaccard(alike->category, a, b) : pen__factor_cosine(&alike->factors, a, b);
}

double pen__likeness_list(const pen__alike *alike, const int32_t *item, int64_t n)
{
    double sum = 0;
    for (int64_t i = 1; i < n; i++)
        for (int64_t j = 0; j < i; j++) sum += pen__likeness(alike, item[i], item[j]);
    return n < 2 ? NAN : sum / ((double)n * (double)(n - 1) / 2);
}

void pen__mmr(const pen__alike *alike, const int32_t *item, const float *score, int32_t n, double diversity, int32_t k,
              int32_t *pick, double *room)
{
    double *relevance = room, *nearest = room + n;
    double most = n ? (double)score[0] : 0, range = n ? most - (double)score[n - 1] : 0;
    for (int32_t c = 0; c < n; c++) {
        relevance[c] = range > 0 ? 1 - (most - (double)score[c]) / range : 1;
        nearest[c] = -INFINITY; /* infinity: picked */
    }
    for (int32_t p = 0; p < k && p < n; p++) {
        int32_t best = -1;
        double best_value = 0;
        for (int32_t c = 0; c < n; c++) {
            if (nearest[c] == INFINITY) continue;
            double value = (1 - diversity) * relevance[c] - (p ? diversity * nearest[c] : 0);
            if (best < 0 || value > best_value) best = c, best_value = value;
        }
        pick[p] = best;
        nearest[best] = INFINITY;
        for (int32_t c = 0; c < n; c++) {
            double similarity = nearest[c] == INFINITY ? 0 : pen__likeness(alike, item[best], item[c]);
            if (nearest[c] != INFINITY && similarity > nearest[c]) nearest[c] = similarity;
        }
    }
}
