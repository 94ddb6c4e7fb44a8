/* Places by counting: how many items stand before a target, without sorting the row.
 *
 * Excluded items are overwritten with NaN, which is above nothing. Targets are sorted and those with equal scores are
 * counted together: one pass of vector compares for a score, and where other items share it one more pass that hashes
 * those (a neighbourhood model gives most of the catalogue the score 0). Cost: n_items compares for each different
 * score.
 */
#include "rank/places.h"

#include <math.h>

bool pen__items_have(const int32_t *item, int64_t n, int32_t wanted) { return pen__place_of(item, 0, n, wanted) >= 0; }

static void sift(int32_t *item, int64_t n, int64_t at)
{
    int32_t moved = item[at];
    for (int64_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && item[child] < item[child + 1]) child++;
        if (moved >= item[child]) break;
        item[at] = item[child];
    }
    item[at] = moved;
}

/* Heapsort, which needs no memory; lists that are sorted already are only looked at. */
static void sort_items(int32_t *item, int64_t n)
{
    int64_t sorted = 1;
    while (sorted < n && item[sorted - 1] <= item[sorted]) sorted++;
    if (sorted >= n) return;
    for (int64_t at = n / 2; at-- > 0;) sift(item, n, at);
    for (int64_t last = n - 1; last > 0; last--) {
        int32_t most = item[0];
        item[0] = item[last];
        item[last] = most;
        sift(item, last, 0);
    }
}

int64_t pen__items_sort_unique(int32_t *item, int64_t n)
{
    sort_items(item, n);
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++)
        if (item[i] >= 0 && (kept == 0 || item[kept - 1] != item[i])) item[kept++] = item[i];
    return kept;
}

/* ---- dense ------------------------------------------------------------------------------------------------------- */

static bool denies(const uint64_t *denied, int32_t item) { return denied && denied[item >> 6] >> (item & 63) & 1; }

static bool excludes(const pen__ask *ask, const uint64_t *denied, int32_t item)
{
    return denies(denied, item) || pen__items_have(ask->exclude, ask->n_exclude, item);
}

static bool before(const pen__place *a, const pen__place *b)
{
    if (a->score > b->score) return true;
    if (a->score < b->score) return false;
    if (isnan(a->score) != isnan(b->score)) return isnan(b->score);
    return a->tie < b->tie;
}

static void sort_places(pen__place *x, int64_t n)
{
    int64_t gap = 1;
    while (gap < n / 3) gap = 3 * gap + 1;
    for (; gap > 0; gap /= 3) {
        for (int64_t i = gap; i < n; i++) {
            pen__place t = x[i];
            int64_t j = i;
            for (; j >= gap && before(&t, &x[j - gap]); j -= gap) x[j] = x[j - gap];
            x[j] = t;
        }
    }
}

static int64_t gather(const float *scores, int32_t n_items, const pen__ask *ask, const uint64_t *denied, int64_t *place,
                      pen__place *target)
{
    int64_t n = 0;
    for (int64_t t = 0; t < ask->n_target; t++) {
        int32_t item = ask->target[t];
        place[t] = 0;
        if (item < 0 || item >= n_items || excludes(ask, denied, item)) continue;
        target[n++] = (pen__place){scores[item], item, pen__tie(ask->tie_key, item), t, 0};
    }
    sort_places(target, n);
    return n;
}

static void overwrite_excluded(float *scores, int32_t n_items, const pen__ask *ask, const uint64_t *denied)
{
    for (int64_t e = 0; e < ask->n_exclude; e++) scores[ask->exclude[e]] = NAN;
    for (int32_t i = 0; denied && i < n_items; i++)
        if (denies(denied, i)) scores[i] = NAN;
}

static bool shares(float a, float b) { return a == b || (isnan(a) && isnan(b)); }

/* Items with the run's score one by one: those before a target by their ties. NaNs may be excluded items. */
static void count_ties(const float *scores, int32_t n_items, const pen__ask *ask, const uint64_t *denied,
                       pen__place *run, int64_t n)
{
    float score = run[0].score;
    for (int32_t i = 0; i < n_items; i++) {
        if (!shares(scores[i], score) || (isnan(score) && excludes(ask, denied, i))) continue;
        uint64_t tie = pen__tie(ask->tie_key, i);
        for (int64_t t = n; t > 0 && tie < run[t - 1].tie; t--) run[t - 1].before++;
    }
}

/* n targets of one score. */
static void count_run(const float *scores, int32_t n_items, const pen__ask *ask, const uint64_t *denied,
                      pen__place *run, int64_t n)
{
    float score = run[0].score;
    int64_t above = 0, equal = 0, distinct = 1;
    if (isnan(score)) {
        for (int32_t i = 0; i < n_items; i++) above += !isnan(scores[i]);
        equal = n_items;
    } else {
        above = pen__kern()->count_above(scores, n_items, score, &equal);
    }
    for (int64_t t = 0; t < n; t++) {
        distinct += t > 0 && run[t].item != run[t - 1].item;
        run[t].before = above + distinct - 1;
    }
    if (equal == distinct) return; /* nobody else has it */
    for (int64_t t = 0; t < n; t++) run[t].before = above;
    count_ties(scores, n_items, ask, denied, run, n);
}

void pen__places_dense(float *scores, int32_t n_items, const pen__ask *ask, const uint64_t *denied, int64_t *place,
                       pen__place *target)
{
    int64_t n = gather(scores, n_items, ask, denied, place, target);
    if (n) overwrite_excluded(scores, n_items, ask, denied);
    for (int64_t begin = 0, end; begin < n; begin = end) {
        for (end = begin + 1; end < n && shares(target[end].score, target[begin].score);) end++;
        count_run(scores, n_items, ask, denied, target + begin, end - begin);
    }
    for (int64_t t = 0; t < n; t++) place[target[t].index] = 1 + target[t].before;
}

void pen__places_among(const float *scores, const int32_t *item, int64_t n, const pen__ask *ask, int64_t *place)
{
    for (int64_t t = 0; t < ask->n_target; t++) {
        int64_t at = 0, ahead = 0;
        while (at < n && item[at] != ask->target[t]) at++;
        for (int64_t j = 0; j < n && at < n; j++)
            ahead += j != at && pen__ahead(ask->tie_key, scores[j], item[j], scores[at], item[at]);
        place[t] = at < n ? 1 + ahead : 0;
    }
}
