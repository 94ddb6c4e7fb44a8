/* Intra-list diversity and calibration, from one column of categories.
 *
 * Diversity: Ziegler et al., "Improving recommendation lists through topic diversification", 2005, with the Jaccard
 * similarity. Calibration: Steck, "Calibrated recommendations", 2018: p(g) = mean over the history of 1 / |categories
 * of i| for each category g of i, q(g) the same over the list, and KL(p || (1 - alpha) q + alpha p). Cost: the square
 * of the cutoff.
 */
#include "eval/categories.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Whether categories tell more than the item does: fewer words than rows that have one. */
static bool shared(const pen__column *column)
{
    int64_t given = 0;
    for (int64_t r = 0; r < column->rows; r++) given += column->code[r] >= 0;
    return column->words.n < given;
}

pen__categories pen__categories_of(const pen__train *train)
{
    pen__categories found = {0};
    if (!train || !train->data || train->data->item_table.rows == 0) return found;
    const pen__table *table = &train->data->item_table;
    for (int32_t c = 0; c < table->n_columns; c++) {
        const pen__column *column = &table->column[c];
        if (column->type == PEN_COLUMN_CATEGORIES) {
            found.column = column;
            break;
        }
        if (!found.column && column->type == PEN_COLUMN_CATEGORY && shared(column)) found.column = column;
    }
    found.data_item = train->data_item;
    found.n_words = found.column ? found.column->words.n : 0;
    return found;
}

int64_t pen__categories_at(const pen__categories *categories, int32_t item, const int32_t **code)
{
    const pen__column *column = categories->column;
    if (item < 0) return 0;
    int64_t row = categories->data_item[item];
    if (column->type == PEN_COLUMN_CATEGORY) {
        *code = &column->code[row];
        return column->code[row] >= 0;
    }
    *code = column->code + column->begin[row];
    return column->begin[row + 1] - column->begin[row];
}

static double jaccard(const int32_t *a, int64_t n_a, const int32_t *b, int64_t n_b)
{
    int64_t both = 0;
    for (int64_t i = 0; i < n_a; i++)
        for (int64_t j = 0; j < n_b; j++) both += a[i] == b[j];
    return (double)both / (double)(n_a + n_b - both);
}

double pen__diversity(const pen__categories *categories, const int32_t *list, int64_t n)
{
    double similar = 0;
    int64_t pairs = 0;
    for (int64_t i = 0; i < n; i++) {
        const int32_t *a, *b;
        int64_t n_a = pen__categories_at(categories, list[i], &a);
        for (int64_t j = i + 1; n_a && j < n; j++) {
            int64_t n_b = pen__categories_at(categories, list[j], &b);
            if (!n_b) continue;
            similar += jaccard(a, n_a, b, n_b);
            pairs++;
        }
    }
    return pairs ? 1 - similar / (double)pairs : NAN;
}

/* Shares of the categories among the items; false where no item has any. */
static bool shares(const pen__categories *categories, const int32_t *item, int64_t n, double *share)
{
    int64_t described = 0;
    memset(share, 0, (size_t)categories->n_words * sizeof *share);
    for (int64_t i = 0; i < n; i++) {
        const int32_t *code;
        int64_t m = pen__categories_at(categories, item[i], &code);
        for (int64_t j = 0; j < m; j++) share[code[j]] += 1 / (double)m;
        described += m > 0;
    }
    for (int64_t g = 0; g < categories->n_words && described; g++) share[g] /= (double)described;
    return described > 0;
}

double pen__calibration(const pen__categories *categories, const int32_t *history, int64_t n_history,
                        const int32_t *list, int64_t n_list, double *scratch)
{
    static const double alpha = 0.01;
    double *p = scratch, *q = scratch + categories->n_words, divergence = 0;
    if (!shares(categories, history, n_history, p) || !shares(categories, list, n_list, q)) return NAN;
    for (int64_t g = 0; g < categories->n_words; g++)
        if (p[g] > 0) divergence += p[g] * log(p[g] / ((1 - alpha) * q[g] + alpha * p[g]));
    return divergence;
}
