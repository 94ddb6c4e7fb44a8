/* Events by user or item, and in order.
 *
 * Grouping is a stable counting sort: shards count their groups, a prefix sum over (group, shard) gives each shard its
 * places, shards place. It costs n_shards x n_groups counters, so few shards are used where groups are many. A stable
 * sort has one answer, so the number of shards never shows. Selection by rank is a radix selection of 16 bits a pass.
 */
#include "data/order.h"

#include <string.h>

#include "base/memory.h"
#include "base/thread.h"

enum { GRAIN = 1 << 18, MAX_SHARDS = 16, DIGITS = 1 << 16 };

/* ---- small sorts ------------------------------------------------------------------------------------------------ */

static bool less(pen__keyed a, pen__keyed b) { return a.key < b.key || (a.key == b.key && a.index < b.index); }

static void swap(pen__keyed *a, pen__keyed *b)
{
    pen__keyed spare = *a;
    *a = *b;
    *b = spare;
}

static void insertion(pen__keyed *a, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        pen__keyed x = a[i];
        int64_t j = i;
        for (; j > 0 && less(x, a[j - 1]); j--) a[j] = a[j - 1];
        a[j] = x;
    }
}

static void sift(pen__keyed *a, int64_t at, int64_t n)
{
    for (int64_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && less(a[child], a[child + 1])) child++;
        if (!less(a[at], a[child])) return;
        swap(&a[at], &a[child]);
    }
}

static void heap(pen__keyed *a, int64_t n)
{
    for (int64_t i = n / 2 - 1; i >= 0; i--) sift(a, i, n);
    for (int64_t i = n - 1; i > 0; i--) {
        swap(&a[0], &a[i]);
        sift(a, 0, i);
    }
}

/* Quicksort by the median of three that turns to a heap where the data plays tricks (`depth` runs out). */
static void intro(pen__keyed *a, int64_t n, int depth)
{
    while (n > 24) {
        if (depth-- == 0) {
            heap(a, n);
            return;
        }
        int64_t middle = n / 2;
        if (less(a[middle], a[0])) swap(&a[middle], &a[0]);
        if (less(a[n - 1], a[0])) swap(&a[n - 1], &a[0]);
        if (less(a[n - 1], a[middle])) swap(&a[n - 1], &a[middle]);
        pen__keyed pivot = a[middle];
        int64_t i = 0, j = n - 1;
        while (i <= j) {
            while (less(a[i], pivot)) i++;
            while (less(pivot, a[j])) j--;
            if (i <= j) swap(&a[i++], &a[j--]);
        }
        if (j + 1 < n - i) { /* the smaller side by recursion, the larger by the loop */
            intro(a, j + 1, depth);
            a += i, n -= i;
        } else {
            intro(a + i, n - i, depth);
            n = j + 1;
        }
    }
    insertion(a, n);
}

void pen__sort_keyed(pen__keyed *a, int64_t n)
{
    int64_t i = 1;
    while (i < n && !less(a[i], a[i - 1])) i++;
    if (i >= n) return;
    int depth = 2;
    for (int64_t m = n; m > 1; m /= 2) depth += 2;
    intro(a, n, depth);
}

/* ---- grouping --------------------------------------------------------------------------------------------------- */

typedef struct grouping {
    const int32_t *group;
    const uint8_t *skip;
    int64_t n, n_groups, n_shards;
    int64_t *count; /* n_shards x n_groups: first counts, then the next place of each */
    int64_t *index;
} grouping;

static pen_status count_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    const grouping *g = arg;
    int64_t *count = g->count + shard * g->n_groups;
    int64_t end = pen__shard_begin(g->n, g->n_shards, shard + 1);
    for (int64_t i = pen__shard_begin(g->n, g->n_shards, shard); i < end; i++)
        if (!g->skip || !g->skip[i]) count[g->group[i]]++;
    return PEN_OK;
}

static pen_status place_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    const grouping *g = arg;
    int64_t *place = g->count + shard * g->n_groups;
    int64_t end = pen__shard_begin(g->n, g->n_shards, shard + 1);
    for (int64_t i = pen__shard_begin(g->n, g->n_shards, shard); i < end; i++)
        if (!g->skip || !g->skip[i]) g->index[place[g->group[i]]++] = i;
    return PEN_OK;
}

pen_status pen__group(pen_context *ctx, const int32_t *group, const uint8_t *skip, int64_t n, int64_t n_groups,
                      pen__groups_of *out, pen_error *error)
{
    *out = (pen__groups_of){.ctx = ctx, .n_groups = n_groups};
    grouping g = {.group = group, .skip = skip, .n = n, .n_groups = n_groups, .n_shards = pen__shards(n, GRAIN)};
    if (g.n_shards > MAX_SHARDS) g.n_shards = MAX_SHARDS;
    while (g.n_shards > 1 && g.n_shards * n_groups > n / 2) g.n_shards--;
    if (g.n_shards < 1) g.n_shards = 1;
    pen_status status = PEN_OK;
    PEN_TRY_DONE(PEN_NEW(ctx, out->begin, n_groups + 1));
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, g.count, g.n_shards * n_groups));
    PEN_TRY_DONE(pen__parallel(ctx, g.n_shards, count_shard, &g, error));
    int64_t total = 0;
    for (int64_t k = 0; k < n_groups; k++) {
        out->begin[k] = total;
        for (int64_t s = 0; s < g.n_shards; s++) {
            int64_t here = g.count[s * n_groups + k];
            g.count[s * n_groups + k] = total;
            total += here;
        }
    }
    out->begin[n_groups] = total;
    PEN_TRY_DONE(PEN_NEW(ctx, out->index, total));
    g.index = out->index;
    PEN_TRY_DONE(pen__parallel(ctx, g.n_shards, place_shard, &g, error));
done:
    pen__free(ctx, g.count);
    if (status != PEN_OK) pen__groups_free(out);
    return status;
}

void pen__groups_free(pen__groups_of *groups)
{
    if (!groups->ctx) return;
    pen__free(groups->ctx, groups->begin);
    pen__free(groups->ctx, groups->index);
    *groups = (pen__groups_of){0};
}

pen_status pen__groups_shards(const pen__groups_of *groups, int64_t grain, int64_t **out, int64_t *n_shards,
                              pen_error *error)
{
    int64_t total = groups->begin[groups->n_groups], n = 0, at = 0;
    PEN_TRY(PEN_NEW(groups->ctx, *out, total / grain + 2));
    (*out)[0] = 0;
    for (int64_t g = 0; g < groups->n_groups; g++)
        if (groups->begin[g + 1] - at >= grain) {
            (*out)[++n] = g + 1;
            at = groups->begin[g + 1];
        }
    if ((*out)[n] < groups->n_groups) (*out)[++n] = groups->n_groups;
    *n_shards = n;
    return PEN_OK;
}

typedef struct sorting {
    pen__groups_of *groups;
    const int64_t *shard;
    pen__key_fn key;
    const void *arg;
} sorting;

static pen_status sort_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker;
    const sorting *s = arg;
    pen__groups_of *groups = s->groups;
    pen__keyed *keyed = NULL;
    int64_t largest = 0;
    for (int64_t g = s->shard[shard]; g < s->shard[shard + 1]; g++)
        if (groups->begin[g + 1] - groups->begin[g] > largest) largest = groups->begin[g + 1] - groups->begin[g];
    PEN_TRY(PEN_NEW(groups->ctx, keyed, largest));
    for (int64_t g = s->shard[shard]; g < s->shard[shard + 1]; g++) {
        int64_t *index = groups->index + groups->begin[g], n = groups->begin[g + 1] - groups->begin[g];
        for (int64_t i = 0; i < n; i++) keyed[i] = (pen__keyed){s->key(s->arg, index[i]), index[i]};
        pen__sort_keyed(keyed, n);
        for (int64_t i = 0; i < n; i++) index[i] = keyed[i].index;
    }
    pen__free(groups->ctx, keyed);
    return PEN_OK;
}

pen_status pen__groups_sort(pen__groups_of *groups, pen__key_fn key, const void *arg, pen_error *error)
{
    int64_t *shard = NULL, n_shards;
    PEN_TRY(pen__groups_shards(groups, GRAIN / 4, &shard, &n_shards, error));
    sorting s = {groups, shard, key, arg};
    pen_status status = pen__parallel(groups->ctx, n_shards, sort_shard, &s, error);
    pen__free(groups->ctx, shard);
    return status;
}

/* ---- selection -------------------------------------------------------------------------------------------------- */

typedef struct selecting {
    pen__key_fn key;
    pen__take_fn take;
    const void *arg;
    int64_t n, n_shards;
    uint64_t prefix; /* of the keys that are still in question: their bits above `shift` + 16 */
    int shift;
    int64_t *count; /* n_shards x DIGITS */
} selecting;

static pen_status digit_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    const selecting *s = arg;
    int64_t *count = s->count + shard * DIGITS;
    memset(count, 0, DIGITS * sizeof *count);
    int64_t end = pen__shard_begin(s->n, s->n_shards, shard + 1);
    for (int64_t i = pen__shard_begin(s->n, s->n_shards, shard); i < end; i++) {
        if (s->take && !s->take(s->arg, i)) continue;
        uint64_t key = s->key(s->arg, i);
        if (s->shift < 48 && key >> (s->shift + 16) != s->prefix) continue;
        count[key >> s->shift & (DIGITS - 1)]++;
    }
    return PEN_OK;
}

pen_status pen__select_key(pen_context *ctx, int64_t n, pen__key_fn key, pen__take_fn take, const void *arg,
                           int64_t rank, uint64_t *out, pen_error *error)
{
    selecting s = {.key = key, .take = take, .arg = arg, .n = n, .n_shards = pen__shards(n, GRAIN)};
    if (s.n_shards > MAX_SHARDS) s.n_shards = MAX_SHARDS;
    PEN_CHECK(s.n_shards > 0, PEN_E_ARGUMENT, "no elements to select from");
    pen_status status = PEN_OK;
    PEN_TRY_DONE(PEN_NEW(ctx, s.count, s.n_shards * DIGITS));
    for (s.shift = 48; s.shift >= 0; s.shift -= 16) {
        PEN_TRY_DONE(pen__parallel(ctx, s.n_shards, digit_shard, &s, error));
        uint64_t digit = 0;
        for (;; digit++) {
            int64_t here = 0;
            PEN_CHECK_DONE(digit < DIGITS, PEN_E_ARGUMENT, "fewer elements than the rank asked for");
            for (int64_t k = 0; k < s.n_shards; k++) here += s.count[k * DIGITS + (int64_t)digit];
            if (rank < here) break;
            rank -= here;
        }
        s.prefix = s.prefix << 16 | digit;
    }
    *out = s.prefix;
done:
    pen__free(ctx, s.count);
    return status;
}
