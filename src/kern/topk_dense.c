/* The buffer of the best k (quickselect and quicksort on integers that hold the whole order), and rankings of one user
 * whose scores are there as a vector. A dense ranking of n items costs one pass at the speed of memory, and a binary
 * search of the seen list for each of the few that reach the threshold. */
#include "kern/topk_buffer.h"

static bool before(pen__entry a, pen__entry b)
{
    if (a.rank != b.rank) return a.rank < b.rank;
    if (a.tie != b.tie) return a.tie < b.tie;
    return a.item < b.item;
}

static void swap(pen__entry *a, pen__entry *b)
{
    pen__entry t = *a;
    *a = *b;
    *b = t;
}

static void insertion_sort(pen__entry *x, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        pen__entry e = x[i];
        int64_t j = i;
        for (; j > 0 && before(e, x[j - 1]); j--) x[j] = x[j - 1];
        x[j] = e;
    }
}

/* Hoare's partition about the median of three: afterwards x[0..m) are not after any of x[m..n), 0 < m < n. n > 2. */
static int64_t partition(pen__entry *x, int64_t n)
{
    pen__entry *low = x, *mid = x + n / 2, *high = x + n - 1;
    if (before(*mid, *low)) swap(mid, low);
    if (before(*high, *mid)) swap(high, mid);
    if (before(*mid, *low)) swap(mid, low);
    pen__entry pivot = *mid;
    int64_t i = -1, j = n;
    for (;;) {
        do i++;
        while (before(x[i], pivot));
        do j--;
        while (before(pivot, x[j]));
        if (i >= j) return j + 1;
        swap(&x[i], &x[j]);
    }
}

enum { SMALL = 16 };

/* Brings the best k of n to the front, in any order. */
static void select_best(pen__entry *x, int64_t n, int64_t k)
{
    while (n > SMALL) {
        int64_t m = partition(x, n);
        if (k < m) {
            n = m;
        } else {
            x += m, n -= m, k -= m;
        }
    }
    insertion_sort(x, n);
}

/* The shorter side by recursion: depth is at most log2 n. */
static void sort(pen__entry *x, int64_t n)
{
    while (n > SMALL) {
        int64_t m = partition(x, n);
        if (m < n - m) {
            sort(x, m);
            x += m, n -= m;
        } else {
            sort(x + m, n - m);
            n = m;
        }
    }
    insertion_sort(x, n);
}

void pen__top_shrink(pen__top *top)
{
    if (top->n <= top->k) return;
    select_best(top->entries, top->n, top->k);
    top->n = top->k;
    pen__entry worst = top->entries[0];
    for (int32_t i = 1; i < top->k; i++)
        if (before(worst, top->entries[i])) worst = top->entries[i];
    top->threshold = pen__rank_score(worst.rank);
    top->worst = worst.rank;
    top->tie = worst.tie;
}

int32_t pen__top_end(pen__top *top, int32_t *items, float *scores)
{
    pen__top_shrink(top);
    sort(top->entries, top->n);
    for (int32_t i = 0; i < top->n; i++) {
        items[i] = top->entries[i].item;
        if (scores) scores[i] = pen__rank_score(top->entries[i].rank);
    }
    return top->n;
}

size_t pen__top_bytes(int32_t k) { return (size_t)pen__top_room(k) * sizeof(pen__entry); }

static bool excluded(const pen__exclude *exclude, int32_t item)
{
    if (!exclude) return false;
    if (pen__denied(exclude->denied, item)) return true;
    int64_t low = 0, high = exclude->n_seen;
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        if (exclude->seen[mid] < item)
            low = mid + 1;
        else
            high = mid;
    }
    return low < exclude->n_seen && exclude->seen[low] == item;
}

enum { CHUNK = 256 };

#define LEAST_POSITIVE 1e-37f /* no denormal: kernels may take those for 0 */

/* Offers what reaches the threshold (NaN does, unless `numbers`); candidates NULL: the items are 0..n-1. */
static void offer_all(pen__top *top, const float *scores, const int32_t *candidates, int64_t n,
                      const pen__exclude *exclude, bool numbers)
{
    const pen__kernels *kern = pen__kern();
    int32_t found[CHUNK];
    for (int64_t at = 0; at < n; at += CHUNK) {
        int64_t m = n - at < CHUNK ? n - at : CHUNK;
        int64_t n_found = kern->find_at_least(scores + at, m, top->threshold, found);
        for (int64_t f = 0; f < n_found; f++) {
            int64_t j = at + found[f];
            int32_t item = candidates ? candidates[j] : (int32_t)j;
            if (scores[j] < top->threshold || (numbers && scores[j] != scores[j]) || excluded(exclude, item)) continue;
            pen__top_offer(top, scores[j], item);
        }
    }
}

/* Neighbourhoods leave most of a catalogue at 0: as long as k items score more, none of those is looked at. */
static int32_t top_of(const float *scores, const int32_t *candidates, int64_t n, uint64_t key,
                      const pen__exclude *exclude, int32_t k, void *buffer, int32_t *items, float *top_scores)
{
    if (k <= 0) return 0;
    pen__top top;
    pen__top_begin(&top, buffer, k, key);
    top.threshold = LEAST_POSITIVE;
    offer_all(&top, scores, candidates, n, exclude, true);
    if (top.n < k) {
        pen__top_begin(&top, buffer, k, key);
        offer_all(&top, scores, candidates, n, exclude, false);
    }
    return pen__top_end(&top, items, top_scores);
}

int32_t pen__top_dense(const float *scores, int64_t n_items, uint64_t user_key, const pen__exclude *exclude, int32_t k,
                       void *buffer, int32_t *items, float *top_scores)
{
    return top_of(scores, NULL, n_items, user_key, exclude, k, buffer, items, top_scores);
}

int32_t pen__top_candidates(const float *scores, const int32_t *candidates, int64_t n, uint64_t user_key,
                            const pen__exclude *exclude, int32_t k, void *buffer, int32_t *items, float *top_scores)
{
    return top_of(scores, candidates, n, user_key, exclude, k, buffer, items, top_scores);
}

/* Counts everything, then takes away what is excluded. */
int64_t pen__rank_dense(const float *scores, int64_t n_items, uint64_t user_key, const pen__exclude *exclude,
                        int32_t target)
{
    const pen__kernels *kern = pen__kern();
    float score = scores[target];
    int64_t better = 0;
    for (int64_t at = 0; at < n_items; at += CHUNK) {
        int64_t m = n_items - at < CHUNK ? n_items - at : CHUNK, equal,
                above = kern->count_above(scores + at, m, score, &equal);
        if (equal == 0 && score == score) {
            better += above;
            continue;
        }
        for (int64_t i = at; i < at + m; i++)
            better += i != target && pen__ahead(user_key, scores[i], (int32_t)i, score, target);
    }
    if (!exclude) return better;
    int32_t last = -1;
    for (int64_t s = 0; s < exclude->n_seen; s++) {
        int32_t item = exclude->seen[s];
        if (item <= last || item >= n_items) continue;
        last = item;
        better -= item != target && !pen__denied(exclude->denied, item) &&
                  pen__ahead(user_key, scores[item], item, score, target);
    }
    for (int64_t w = 0; exclude->denied && w < (n_items + 63) / 64; w++)
        for (uint64_t bits = exclude->denied[w]; bits; bits &= bits - 1) {
            int64_t item = w * 64 + __builtin_ctzll(bits);
            if (item >= n_items) break;
            better -= item != target && pen__ahead(user_key, scores[item], (int32_t)item, score, target);
        }
    return better;
}
