/* Selection: the best k of a row of scores, and places of given items, without sorting the row.
 *
 * The k best seen so far stand in a heap whose root is the worst of them. A row is scanned for what is not below the root's
 * score, which is soon next to nothing: k ln(n / k) entries pass in a row of random order. Excluded items are met by walking
 * the user's rising list beside the row, so a filter never costs a result. A place is a count of what stands before the
 * target; equal scores are counted once for all targets that share them, because rows with many equal scores (neighbours'
 * zeros) are common. Cost: n compares for the best, n compares a target for places.
 */
#include "rank/select.h"

#include <math.h>
#include <string.h>

/* ---- scanning ---------------------------------------------------------------------------------------------------- */

static int64_t find_at_least(const float *x, int64_t n, float threshold, int32_t *found)
{
    int64_t m = 0;
    for (int64_t j = 0; j < n; j++) {
        found[m] = (int32_t)j;
        m += !(x[j] < threshold);
    }
    return m;
}

static int64_t count_above(const float *x, int64_t n, float y, int64_t *equal)
{
    int32_t above = 0, same = 0;
    for (int64_t j = 0; j < n; j++) {
        above += x[j] > y;
        same += x[j] == y;
    }
    *equal = same;
    return above;
}

/* ---- the heap ---------------------------------------------------------------------------------------------------- */

static void sift_down(pen__entry *heap, int32_t n, pen__entry entry)
{
    int32_t at = 0;
    for (int32_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && pen__before(&heap[child], &heap[child + 1])) child++;
        if (!pen__before(&entry, &heap[child])) break;
        heap[at] = heap[child];
    }
    heap[at] = entry;
}

static void push(pen__top *top, pen__entry entry)
{
    int32_t at = top->n++;
    while (at > 0 && pen__before(&top->heap[(at - 1) / 2], &entry)) {
        top->heap[at] = top->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    top->heap[at] = entry;
}

/* What a score must reach to be looked at. */
static float threshold_of(const pen__top *top)
{
    if (top->n < top->cap || isnan(top->heap[0].score)) return -INFINITY;
    return top->heap[0].score;
}

static bool excluded(pen__top *top, int32_t item)
{
    while (top->passed < top->n_exclude && top->exclude[top->passed] < item) top->passed++;
    return top->passed < top->n_exclude && top->exclude[top->passed] == item;
}

static void offer(pen__top *top, float score, int32_t item)
{
    if (top->n == top->cap && score < top->heap[0].score) return; /* the threshold has risen since the scan */
    if (excluded(top, item)) return;
    pen__entry entry = {pen__tie(top->tie_key, item), score, item};
    if (top->n < top->cap) push(top, entry);
    else if (pen__before(&entry, &top->heap[0])) sift_down(top->heap, top->n, entry);
}

void pen__top_scan(pen__top *top, const pen__stretch *stretch, int32_t *found)
{
    if (top->cap <= 0) return;
    int64_t step = top->n < top->cap ? 64 : PEN_SCAN; /* short steps until the threshold means something */
    for (int64_t begin = 0; begin < stretch->n;) {
        int64_t length = stretch->n - begin < step ? stretch->n - begin : step;
        int64_t n = find_at_least(stretch->x + begin, length, threshold_of(top), found);
        for (int64_t f = 0; f < n; f++) {
            int64_t j = begin + found[f];
            offer(top, stretch->x[j], pen__stretch_item(stretch, j));
        }
        begin += length;
        if (step < PEN_SCAN) step *= 2;
    }
}

void pen__top_finish(pen__top *top, pen__answer *answer)
{
    answer->n = top->n;
    while (top->n > 0) {
        pen__entry worst = top->heap[0];
        top->n--;
        sift_down(top->heap, top->n, top->heap[top->n]);
        answer->item[top->n] = worst.item;
        answer->score[top->n] = worst.score;
    }
}

/* ---- places ------------------------------------------------------------------------------------------------------- */

void pen__targets_sort(pen__target *target, int64_t n)
{
    int64_t gap = 1;
    while (gap < n / 3) gap = 3 * gap + 1;
    for (; gap > 0; gap /= 3) {
        for (int64_t i = gap; i < n; i++) {
            pen__target t = target[i];
            int64_t j = i;
            for (; j >= gap && pen__before(&t.entry, &target[j - gap].entry); j -= gap) target[j] = target[j - gap];
            target[j] = t;
        }
    }
}

/* Adds one to every target of the sorted run target[0..n) that stands behind `entry`. */
static void count_behind(pen__target *target, int64_t n, const pen__entry *entry)
{
    for (int64_t i = n; i > 0 && pen__before(entry, &target[i - 1].entry); i--) target[i - 1].n_before++;
}

/* Items with the very score of the run (or NaN like it), one by one: those before a target by their ties. */
static void count_ties(pen__target *target, int64_t n, const pen__stretch *stretch, uint64_t tie_key, const int32_t *exclude,
                       int64_t n_exclude)
{
    float score = target[0].entry.score;
    int64_t e = 0;
    for (int64_t j = 0; j < stretch->n; j++) {
        float x = stretch->x[j];
        if (!(x == score || (isnan(x) && isnan(score)))) continue;
        int32_t item = pen__stretch_item(stretch, j);
        while (e < n_exclude && exclude[e] < item) e++;
        if (e < n_exclude && exclude[e] == item) continue;
        pen__entry entry = {pen__tie(tie_key, item), x, item};
        count_behind(target, n, &entry);
    }
}

int64_t pen__stretch_position(const pen__stretch *stretch, int32_t item)
{
    if (!stretch->name) {
        int64_t at = (int64_t)item - stretch->first;
        return at >= 0 && at < stretch->n ? at : -1;
    }
    int64_t low = 0, high = stretch->n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (stretch->name[middle] < item) low = middle + 1;
        else high = middle;
    }
    return low < stretch->n && stretch->name[low] == item ? low : -1;
}

/* Scores of the run's value are counted for the whole stretch; excluded ones among them are taken back. */
static void count_run(pen__target *target, int64_t n, const pen__stretch *stretch, uint64_t tie_key, const int32_t *exclude,
                      int64_t n_exclude)
{
    float score = target[0].entry.score;
    int64_t above = 0, equal = 0;
    if (isnan(score)) {
        for (int64_t j = 0; j < stretch->n; j++) above += !isnan(stretch->x[j]);
        equal = stretch->n - above;
    } else {
        above = count_above(stretch->x, stretch->n, score, &equal);
    }
    for (int64_t e = 0; e < n_exclude; e++) {
        int64_t j = pen__stretch_position(stretch, exclude[e]);
        if (j >= 0) above -= isnan(score) ? !isnan(stretch->x[j]) : stretch->x[j] > score;
    }
    for (int64_t t = 0; t < n; t++) target[t].n_before += above;
    if (equal) count_ties(target, n, stretch, tie_key, exclude, n_exclude);
}

void pen__targets_count(pen__target *target, int64_t n, const pen__stretch *stretch, uint64_t tie_key, const int32_t *exclude,
                        int64_t n_exclude, int64_t *passed)
{
    if (stretch->n == 0) return;
    int32_t first = pen__stretch_item(stretch, 0), last = pen__stretch_item(stretch, stretch->n - 1);
    while (*passed < n_exclude && exclude[*passed] < first) (*passed)++;
    int64_t end = *passed;
    while (end < n_exclude && exclude[end] <= last) end++;
    for (int64_t begin = 0, next; begin < n; begin = next) {
        float score = target[begin].entry.score;
        for (next = begin + 1; next < n; next++) {
            float other = target[next].entry.score;
            if (!(other == score || (isnan(other) && isnan(score)))) break;
        }
        count_run(target + begin, next - begin, stretch, tie_key, exclude + *passed, end - *passed);
    }
    *passed = end;
}

/* ---- lists of items ------------------------------------------------------------------------------------------------ */

static void sift_item(int32_t *item, int64_t n, int64_t at)
{
    int32_t moved = item[at];
    for (int64_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && item[child] < item[child + 1]) child++;
        if (moved >= item[child]) break;
        item[at] = item[child];
    }
    item[at] = moved;
}

int64_t pen__items_sort_unique(int32_t *item, int64_t n)
{
    for (int64_t at = n / 2; at-- > 0;) sift_item(item, n, at);
    for (int64_t last = n - 1; last > 0; last--) {
        int32_t most = item[0];
        item[0] = item[last];
        item[last] = most;
        sift_item(item, last, 0);
    }
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++)
        if (item[i] >= 0 && (kept == 0 || item[kept - 1] != item[i])) item[kept++] = item[i];
    return kept;
}

bool pen__items_have(const int32_t *item, int64_t n, int32_t wanted)
{
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (item[middle] < wanted) low = middle + 1;
        else high = middle;
    }
    return low < n && item[low] == wanted;
}
