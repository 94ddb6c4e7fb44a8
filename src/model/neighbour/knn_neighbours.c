/* All pairs by Gustavson's row-wise product. For object o: for each feature f of o, for each other object p of f:
 * sum[p] += x_of x_pf. The sums are one dense row, so a product costs one read and one write at random in it, and the
 * whole costs sum over features of n_f^2 / 2 of them: pairs are alike in both directions, so o looks only at objects
 * before it and offers each similarity to both sides.
 *
 * What makes it fast on a CPU (14 M events, 27,000 items, two Zen 3 cores; the plain double loop takes 12.6 s of one
 * core):
 *   - Objects are renumbered by falling popularity: the hot ends of the dense row share few cache lines, and "before o"
 *   is the
 *     front of every feature's list, short for popular objects.
 *   - Lists are cut into tiles of 2^16 objects: a number takes two bytes, and the dense row 256 KB at most, whatever
 *   the catalogue.
 *   - Lists lie at random in memory, but o's own list says which come: they are fetched four ahead (7.7 s to 3.2 s).
 *   - Only half of the pairs are summed (3.2 s to 1.7 s).
 *   - A similarity is looked at only where it can enter one of the two lists of best, each kept as 1.5 k keys that are
 *   cut back to
 *     k by quickselect when full. Lists are sets under a total order, so no order of threads can change them.
 *   - Where an object has few events, its sums are visited by walking its lists a second time instead of scanning the
 *   row. */
#include "model/neighbour/knn_neighbours.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "base/progress.h"
#include "base/thread.h"

enum { TILE = 1 << 16, MOMENT_TILE = 1 << 14, AHEAD = 4, BLOCK = 16, CHUNK = 16, STRETCH = 1024, SPARSE = 4 };

/* The features' lists by tiles: tile t of feature f is number[begin[t * (n_features + 1) + f]] and on, rising. */
typedef struct lists {
    int64_t *begin;
    uint16_t *number; /* rank within the tile */
    float *value;     /* NULL: not needed */
    int32_t *place;   /* in the order of by_object: where the object stands in its tile of the feature */
} lists;

typedef struct worker {
    float *sum;                                              /* TILE dot products, or NULL */
    pen__moments *moments;                                   /* MOMENT_TILE of them, or NULL */
    float similar[STRETCH + CHUNK], mirror[STRETCH + CHUNK]; /* s(o, p), s(p, o) */
    float *threshold; /* n + CHUNK: copies of the shared ones, taken once a shard and tile */
    int64_t *fresh;   /* (tiles): the shard that a tile's copy was taken for */
    uint64_t *best;   /* room keys of the object at hand */
    int32_t n_best;
    float least; /* of `best`: what cannot reach it is not kept */
} worker;

typedef struct search {
    pen_context *ctx;
    pen_model *model;
    const pen__vectors *v;
    bool asymmetric;
    int32_t n, k, room, tile, n_tiles;
    int32_t *object; /* rank -> object */
    int32_t *rank;
    pen__terms terms; /* by rank */
    lists lists;
    uint64_t *key; /* (n, room), by object, shared under `lock` */
    int32_t *n_key;
    _Atomic uint32_t *threshold; /* bits of the least similarity that may enter, by rank */
    atomic_flag *lock;
    worker *worker;
    _Atomic int64_t done;
} search;

/* ---- keys -------------------------------------------------------------------------------------------------------- */

static uint64_t median(uint64_t a, uint64_t b, uint64_t c)
{
    if (a > b) return b > c ? b : a > c ? c : a;
    return a > c ? a : b > c ? c : b;
}

void pen__neighbours_select(uint64_t *key, int64_t n, int64_t k)
{
    int64_t low = 0, high = n;
    while (high - low > 1 && k > low && k < high) {
        uint64_t pivot = median(key[low], key[low + (high - low) / 2], key[high - 1]);
        int64_t i = low, j = high - 1;
        while (i <= j) { /* [low, i) >= pivot >= (j, high) */
            while (key[i] > pivot) i++;
            while (key[j] < pivot) j--;
            if (i > j) break;
            uint64_t swap = key[i];
            key[i++] = key[j];
            key[j--] = swap;
        }
        if (k <= j + 1)
            high = j + 1;
        else if (k >= i)
            low = i;
        else
            return;
    }
}

void pen__neighbours_sort(uint64_t *key, int64_t n)
{
    while (n > 24) {
        int64_t half = n / 2;
        pen__neighbours_select(key, n, half);
        pen__neighbours_sort(key, half);
        key += half;
        n -= half;
    }
    for (int64_t i = 1; i < n; i++) {
        uint64_t moving = key[i];
        int64_t j = i;
        for (; j > 0 && key[j - 1] < moving; j--) key[j] = key[j - 1];
        key[j] = moving;
    }
}

/* The least similarity among k keys that were selected. */
static float least_of(const uint64_t *key, int32_t k)
{
    uint64_t least = key[0];
    for (int32_t i = 1; i < k; i++) least = key[i] < least ? key[i] : least;
    return pen__neighbour_similarity(least);
}

static void keep_own(const search *s, worker *w, float similarity, int32_t rank)
{
    w->best[w->n_best++] = pen__neighbour_key(similarity, s->object[rank]);
    if (w->n_best < s->room) return;
    pen__neighbours_select(w->best, w->n_best, s->k);
    w->n_best = s->k;
    w->least = least_of(w->best, s->k);
}

static void lock(search *s, int32_t rank)
{
    while (atomic_flag_test_and_set_explicit(&s->lock[rank], memory_order_acquire)) {
    }
}

/* Adds keys to the shared list of one object. */
static void share(search *s, int32_t rank, const uint64_t *key, int32_t n)
{
    uint64_t *list = s->key + (size_t)s->object[rank] * (size_t)s->room;
    int32_t *count = &s->n_key[rank];
    lock(s, rank);
    for (int32_t i = 0; i < n; i++) {
        list[(*count)++] = key[i];
        if (*count < s->room) continue;
        pen__neighbours_select(list, *count, s->k);
        *count = s->k;
        float least = least_of(list, s->k);
        uint32_t bits;
        memcpy(&bits, &least, sizeof bits);
        atomic_store_explicit(&s->threshold[rank], bits, memory_order_relaxed);
    }
    atomic_flag_clear_explicit(&s->lock[rank], memory_order_release);
}

static float shared_threshold(const search *s, int32_t rank)
{
    uint32_t bits = atomic_load_explicit(&s->threshold[rank], memory_order_relaxed);
    float least;
    memcpy(&least, &bits, sizeof least);
    return least;
}

/* ---- sums -------------------------------------------------------------------------------------------------------- */

/* One list: sum[number] += x, with a value times it. Four at a time: numbers in one list differ, so they do not wait
 * for each other. */
static inline void add_list(const uint16_t *number, const float *value, int64_t n, float x, float *sum)
{
    int64_t j = 0;
    if (value) {
        for (; j < n; j++) sum[number[j]] += x * value[j];
        return;
    }
    for (; j + 4 <= n; j += 4) {
        float *a = sum + number[j], *b = sum + number[j + 1], *c = sum + number[j + 2], *d = sum + number[j + 3];
        *a += x, *b += x, *c += x, *d += x;
    }
    for (; j < n; j++) sum[number[j]] += x;
}

static inline void add_moments(const uint16_t *number, const float *value, int64_t n, float x, pen__moments *moments)
{
    for (int64_t j = 0; j < n; j++) {
        pen__moments *m = moments + number[j];
        float y = value[j];
        m->n += 1, m->x += x, m->xx += x * x, m->y += y, m->yy += y * y, m->xy += x * y;
    }
}

/* What an object looks at in one tile. */
typedef struct sight {
    const int64_t *begin;   /* of the tile's lists */
    const int32_t *feature; /* by_object.column */
    const int32_t *place;   /* lists.place where the object is in the tile, NULL before it: all of a list */
    const uint16_t *number;
    const float *value;
} sight;

static sight view_of(const search *s, int32_t rank, int32_t t)
{
    return (sight){s->lists.begin + (size_t)t * ((size_t)s->v->n_features + 1), s->v->by_object->column,
                   rank / s->tile == t ? s->lists.place : NULL, s->lists.number, s->lists.value};
}

/* The piece of the list of event e's feature. */
static inline int64_t piece(const sight *view, int64_t e, int64_t *at)
{
    const int64_t *begin = view->begin + view->feature[e];
    *at = begin[0];
    return view->place ? view->place[e] : begin[1] - begin[0];
}

/* Always inline: gcc 12 takes a function of prefetches alone for one without effect and drops the calls. */
static inline __attribute__((always_inline)) void fetch(const sight *view, int64_t e, int64_t end)
{
    int64_t at, far = e + 2 * AHEAD < end ? e + 2 * AHEAD : end - 1, near = e + AHEAD < end ? e + AHEAD : end - 1;
    __builtin_prefetch(view->begin + view->feature[far]);
    int64_t n = piece(view, near, &at);
    for (int64_t j = 0; j < n; j += 32) __builtin_prefetch(view->number + at + j);
    for (int64_t j = 0; view->value && j < n; j += 16) __builtin_prefetch(view->value + at + j);
}

static int64_t add_object(const search *s, worker *w, int32_t rank, int32_t t)
{
    const pen__vectors *v = s->v;
    const sight view = view_of(s, rank, t);
    int32_t o = s->object[rank];
    int64_t end = v->by_object->begin[o + 1], total = 0, at;
    for (int64_t e = v->by_object->begin[o]; e < end; e++) {
        fetch(&view, e, end);
        int64_t n = piece(&view, e, &at);
        float x = v->object_value ? v->object_value[e] : v->weight ? v->weight[view.feature[e]] : 1;
        if (v->use_moments)
            add_moments(view.number + at, view.value + at, n, x, w->moments);
        else
            add_list(view.number + at, view.value ? view.value + at : NULL, n, x, w->sum);
        total += n;
    }
    return total;
}

/* ---- choosing ---------------------------------------------------------------------------------------------------- */

/* s(o, p) and s(p, o) of n objects p from `at` in tile t on, into w->similar and w->mirror. */
static void similarities(const search *s, worker *w, int32_t rank, int32_t t, int64_t at, int64_t n)
{
    const pen__vectors *v = s->v;
    int64_t p = (int64_t)t * s->tile + at;
    for (int mirror = 0; mirror <= (int)s->asymmetric; mirror++) {
        float *out = mirror ? w->mirror : w->similar;
        if (v->use_moments)
            pen__similarity_moments(v->similarity, &s->terms, rank, &s->terms, p, n, mirror, w->moments + at, out);
        else
            pen__similarity_row(v->similarity, &s->terms, rank, &s->terms, p, n, mirror, v->min_dot, w->sum + at, out);
    }
}

static inline void look_at(search *s, worker *w, int32_t rank, int32_t other, float similar, float mirror,
                           float threshold)
{
    if (similar >= w->least) keep_own(s, w, similar, other);
    if (mirror < threshold) return;
    uint64_t key = pen__neighbour_key(mirror, s->object[rank]);
    share(s, other, &key, 1);
}

/* A stretch of similarities, by chunks of which most have nothing to offer. */
static void scan_stretch(search *s, worker *w, int32_t rank, int64_t begin, int64_t n)
{
    const float *similar = w->similar, *mirror = s->asymmetric ? w->mirror : w->similar,
                *threshold = w->threshold + begin;
    for (int64_t j = 0; j < n; j += CHUNK) {
        int any = 0;
        float least = w->least;
        for (int l = 0; l < CHUNK; l++) any |= (similar[j + l] >= least) | (mirror[j + l] >= threshold[j + l]);
        if (!any) continue;
        for (int64_t l = j; l < j + CHUNK && l < n; l++)
            look_at(s, w, rank, (int32_t)(begin + l), similar[l], mirror[l], threshold[l]);
    }
}

/* Every sum of the tile, a stretch at a time so that its similarities stay in the first cache; clears them. */
static void scan(search *s, worker *w, int32_t rank, int32_t t, int64_t shard)
{
    int64_t begin = (int64_t)t * s->tile, n = rank - begin < s->tile ? rank - begin : s->tile;
    if (w->fresh[t] != shard + 1) {
        for (int64_t j = 0; j < s->tile && begin + j < s->n; j++)
            w->threshold[begin + j] = shared_threshold(s, (int32_t)(begin + j));
        w->fresh[t] = shard + 1;
    }
    for (int64_t j = 0; j < n; j += STRETCH) {
        int64_t m = n - j < STRETCH ? n - j : STRETCH;
        similarities(s, w, rank, t, j, m);
        scan_stretch(s, w, rank, begin + j, m);
    }
    size_t touched = (size_t)(n < s->tile ? n + 1 : n); /* itself too, where an event is there twice */
    if (s->v->use_moments)
        memset(w->moments, 0, touched * sizeof *w->moments);
    else
        memset(w->sum, 0, touched * sizeof *w->sum);
}

/* The few sums that are not zero, by the lists that made them; each is looked at once because it is cleared. */
static void revisit(search *s, worker *w, int32_t rank, int32_t t)
{
    const pen__vectors *v = s->v;
    const sight view = view_of(s, rank, t);
    int32_t o = s->object[rank];
    int64_t begin = (int64_t)t * s->tile, at;
    for (int64_t e = v->by_object->begin[o]; e < v->by_object->begin[o + 1]; e++) {
        int64_t n = piece(&view, e, &at);
        for (int64_t j = at; j < at + n; j++) {
            int64_t p = view.number[j];
            if (v->use_moments ? w->moments[p].n == 0 : w->sum[p] == 0) continue;
            if (begin + p != rank) {
                similarities(s, w, rank, t, p, 1);
                look_at(s, w, rank, (int32_t)(begin + p), w->similar[0], (s->asymmetric ? w->mirror : w->similar)[0],
                        shared_threshold(s, (int32_t)(begin + p)));
            }
            if (v->use_moments)
                w->moments[p] = (pen__moments){0};
            else
                w->sum[p] = 0;
        }
    }
}

static void search_object(search *s, worker *w, int32_t rank, int64_t shard)
{
    w->n_best = 0;
    w->least = shared_threshold(s, rank);
    for (int32_t t = 0; t <= rank / s->tile; t++) {
        int64_t total = add_object(s, w, rank, t);
        if (total == 0) continue;
        if (total * SPARSE < s->tile && total * SPARSE < rank)
            revisit(s, w, rank, t);
        else
            scan(s, w, rank, t, shard);
    }
    share(s, rank, w->best, w->n_best);
}

static pen_status search_shard(void *arg, int64_t shard, int worker_number, pen_error *error)
{
    search *s = arg;
    worker *w = &s->worker[worker_number];
    int64_t done = 0, end = (shard + 1) * BLOCK < s->n ? (shard + 1) * BLOCK : s->n;
    for (int64_t rank = shard * BLOCK; rank < end; rank++) {
        search_object(s, w, (int32_t)rank, shard);
        int32_t o = s->object[rank];
        done += s->v->by_object->begin[o + 1] - s->v->by_object->begin[o];
    }
    done += atomic_fetch_add(&s->done, done);
    return worker_number == 0 && s->model ? pen__model_tick(s->model, done, error) : PEN_OK;
}

/* ---- lists by tiles ---------------------------------------------------------------------------------------------- */

/* Falling popularity, equal ones by number: a counting sort. */
static pen_status renumber(search *s, pen_error *error)
{
    const int64_t *begin = s->v->by_object->begin;
    int64_t most = 0, *start = NULL;
    for (int32_t o = 0; o < s->n; o++) most = begin[o + 1] - begin[o] > most ? begin[o + 1] - begin[o] : most;
    PEN_TRY(PEN_NEW_ZERO(s->ctx, start, most + 2));
    for (int32_t o = 0; o < s->n; o++) start[most - (begin[o + 1] - begin[o]) + 1]++;
    for (int64_t c = 0; c <= most; c++) start[c + 1] += start[c];
    for (int32_t o = 0; o < s->n; o++) {
        s->rank[o] = (int32_t)start[most - (begin[o + 1] - begin[o])]++;
        s->object[s->rank[o]] = o;
    }
    pen__free(s->ctx, start);
    return PEN_OK;
}

static void permute(const search *s, const float *from, float *to)
{
    for (int32_t r = 0; r < s->n; r++) to[r] = from[s->object[r]];
}

static pen_status permute_terms(search *s, pen_error *error)
{
    const pen__terms *from = &s->v->terms;
    s->terms.constant = from->constant;
    const float *const old[] = {from->count, from->scale, from->left, from->right == from->left ? NULL : from->right,
                                from->offset};
    float **const new[] = {&s->terms.count, &s->terms.scale, &s->terms.left, &s->terms.right, &s->terms.offset};
    for (size_t i = 0; i < sizeof old / sizeof *old; i++) {
        if (!old[i]) continue;
        PEN_TRY(PEN_NEW(s->ctx, *new[i], s->n));
        permute(s, old[i], *new[i]);
    }
    if (!s->terms.right) s->terms.right = s->terms.left;
    return PEN_OK;
}

enum { FEATURE_SHARDS = 64 };

static pen_status count_shard(void *arg, int64_t shard, int worker_number, pen_error *error)
{
    (void)worker_number, (void)error;
    search *s = arg;
    const pen__rows *rows = s->v->by_feature;
    size_t stride = (size_t)s->v->n_features + 1;
    int64_t end = pen__shard_begin(rows->n_rows, FEATURE_SHARDS, shard + 1);
    for (int64_t f = pen__shard_begin(rows->n_rows, FEATURE_SHARDS, shard); f < end; f++)
        for (int64_t e = rows->begin[f]; e < rows->begin[f + 1]; e++)
            s->lists.begin[(size_t)(s->rank[rows->column[e]] / s->tile) * stride + (size_t)f + 1]++;
    return PEN_OK;
}

/* Fills the lists of a range of features, going through the objects by rank: what is written stays in cache. The value
 * of an event is x_of where sums need it: the object's own, in the order of by_object. */
static pen_status fill_shard(void *arg, int64_t shard, int worker_number, pen_error *error)
{
    (void)worker_number;
    search *s = arg;
    const pen__rows *rows = s->v->by_object;
    int64_t first = pen__shard_begin(s->v->n_features, FEATURE_SHARDS, shard);
    int64_t n = pen__shard_begin(s->v->n_features, FEATURE_SHARDS, shard + 1) - first;
    int32_t *filled = NULL;
    PEN_TRY(PEN_NEW_ZERO(s->ctx, filled, n));
    for (int32_t r = 0; r < s->n; r++) {
        int32_t o = s->object[r], t = r / s->tile;
        if (r % s->tile == 0) memset(filled, 0, (size_t)n * sizeof *filled);
        const int64_t *begin = s->lists.begin + (size_t)t * ((size_t)s->v->n_features + 1);
        for (int64_t e = pen__first_at_least(rows->column, rows->begin[o], rows->begin[o + 1], first);
             e < rows->begin[o + 1]; e++) {
            int64_t f = rows->column[e];
            if (f >= first + n) break;
            s->lists.place[e] = filled[f - first]++;
            int64_t at = begin[f] + s->lists.place[e];
            s->lists.number[at] = (uint16_t)(r % s->tile);
            if (s->lists.value) s->lists.value[at] = s->v->object_value[e];
        }
    }
    pen__free(s->ctx, filled);
    return PEN_OK;
}

static pen_status make_lists(search *s, pen_error *error)
{
    const pen__vectors *v = s->v;
    size_t stride = (size_t)v->n_features + 1;
    int64_t n_events = v->by_object->begin[s->n], at = 0;
    PEN_TRY(PEN_NEW_ZERO(s->ctx, s->lists.begin, (size_t)s->n_tiles * stride));
    PEN_TRY(PEN_NEW(s->ctx, s->lists.number, n_events));
    PEN_TRY(PEN_NEW(s->ctx, s->lists.place, n_events));
    if (v->object_value) PEN_TRY(PEN_NEW(s->ctx, s->lists.value, n_events));
    PEN_TRY(pen__parallel(s->ctx, FEATURE_SHARDS, count_shard, s, error));
    for (int32_t t = 0; t < s->n_tiles; t++) {
        int64_t *begin = s->lists.begin + (size_t)t * stride;
        begin[0] = at;
        for (size_t f = 1; f < stride; f++) begin[f] += begin[f - 1];
        at = begin[stride - 1];
    }
    return pen__parallel(s->ctx, FEATURE_SHARDS, fill_shard, s, error);
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static pen_status make_workers(search *s, pen_error *error)
{
    int n = pen__workers(s->ctx);
    PEN_TRY(PEN_NEW_ZERO(s->ctx, s->worker, n));
    for (int i = 0; i < n; i++) {
        worker *w = &s->worker[i];
        if (s->v->use_moments)
            PEN_TRY(PEN_NEW_ZERO(s->ctx, w->moments, s->tile));
        else
            PEN_TRY(PEN_NEW_ZERO(s->ctx, w->sum, s->tile));
        PEN_TRY(PEN_NEW_ZERO(s->ctx, w->threshold, s->n + CHUNK));
        PEN_TRY(PEN_NEW_ZERO(s->ctx, w->fresh, s->n_tiles));
        PEN_TRY(PEN_NEW(s->ctx, w->best, s->room));
    }
    return PEN_OK;
}

static void search_free(search *s)
{
    for (int i = 0; s->worker && i < pen__workers(s->ctx); i++) {
        worker *w = &s->worker[i];
        pen__free(s->ctx, w->sum);
        pen__free(s->ctx, w->moments);
        pen__free(s->ctx, w->threshold);
        pen__free(s->ctx, w->fresh);
        pen__free(s->ctx, w->best);
    }
    float *const terms[] = {s->terms.count, s->terms.scale, s->terms.left,
                            s->terms.right == s->terms.left ? NULL : s->terms.right, s->terms.offset};
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) pen__free(s->ctx, terms[i]);
    void *const rest[] = {s->worker,
                          s->object,
                          s->rank,
                          s->lists.begin,
                          s->lists.number,
                          s->lists.value,
                          s->lists.place,
                          s->n_key,
                          (void *)(uintptr_t)s->threshold,
                          (void *)(uintptr_t)s->lock,
                          s->key};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) pen__free(s->ctx, rest[i]);
}

static int32_t room_of(int64_t n, int32_t k) { return (int32_t)((n - 1 < k + k / 2 + 8 ? n - 1 : k + k / 2 + 8) + 1); }

static pen_status sort_shard(void *arg, int64_t shard, int worker_number, pen_error *error)
{
    (void)worker_number, (void)error;
    search *s = arg;
    int64_t end = (shard + 1) * BLOCK < s->n ? (shard + 1) * BLOCK : s->n;
    for (int64_t o = shard * BLOCK; o < end; o++) {
        int32_t *n = &s->n_key[s->rank[o]];
        uint64_t *list = s->key + (size_t)o * (size_t)s->room;
        pen__neighbours_select(list, *n, s->k);
        if (*n > s->k) *n = s->k;
        pen__neighbours_sort(list, *n);
    }
    return PEN_OK;
}

pen_status pen__neighbours_find(pen_context *ctx, pen_model *model, const pen__vectors *vectors, int32_t k,
                                pen__neighbours *out, pen_error *error)
{
    *out = (pen__neighbours){.ctx = ctx, .n = vectors->n_objects, .k = k};
    search s = {.ctx = ctx, .model = model, .v = vectors, .n = vectors->n_objects, .k = k};
    pen_status status = PEN_OK;
    s.asymmetric = pen__similarity_asymmetric(vectors->similarity);
    s.tile = vectors->use_moments ? MOMENT_TILE : TILE;
    s.n_tiles = (s.n + s.tile - 1) / s.tile;
    s.room = room_of(s.n, k);
    if (s.k >= s.room) s.k = s.room - 1 > 0 ? s.room - 1 : 1;
    PEN_TRY_DONE(PEN_NEW(ctx, s.object, s.n));
    PEN_TRY_DONE(PEN_NEW(ctx, s.rank, s.n));
    PEN_TRY_DONE(renumber(&s, error));
    PEN_TRY_DONE(permute_terms(&s, error));
    PEN_TRY_DONE(make_lists(&s, error));
    PEN_TRY_DONE(make_workers(&s, error));
    PEN_TRY_DONE(PEN_NEW(ctx, s.key, (size_t)s.n * (size_t)s.room));
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, s.n_key, s.n));
    PEN_TRY_DONE(PEN_NEW(ctx, s.threshold, s.n));
    PEN_TRY_DONE(PEN_NEW(ctx, s.lock, s.n));
    for (int32_t r = 0; r < s.n; r++) {
        atomic_init(&s.threshold[r], 1); /* the smallest positive float: zeros are no neighbours */
        atomic_flag_clear(&s.lock[r]);
    }
    PEN_TRY_DONE(pen__parallel(ctx, pen__shards(s.n, BLOCK), search_shard, &s, error));
    PEN_TRY_DONE(pen__parallel(ctx, pen__shards(s.n, BLOCK), sort_shard, &s, error));
    PEN_TRY_DONE(PEN_NEW(ctx, out->begin, (size_t)s.n + 1));
    out->begin[0] = 0;
    for (int32_t o = 0; o < s.n; o++) out->begin[o + 1] = out->begin[o] + s.n_key[s.rank[o]];
    out->key = s.key;
    out->room = s.room;
    s.key = NULL;
done:
    search_free(&s);
    return status;
}

void pen__neighbours_write(const pen__neighbours *neighbours, double power, int32_t *number, float *similarity)
{
    for (int32_t o = 0; o < neighbours->n; o++) {
        const uint64_t *list = neighbours->key + (size_t)o * (size_t)neighbours->room;
        for (int64_t at = neighbours->begin[o]; at < neighbours->begin[o + 1]; at++, list++) {
            number[at] = pen__neighbour_number(*list);
            float s = pen__neighbour_similarity(*list);
            similarity[at] = power == 1 ? s : (float)pow((double)s, power);
        }
    }
}

void pen__neighbours_free(pen__neighbours *neighbours)
{
    if (!neighbours->ctx) return;
    pen__free(neighbours->ctx, neighbours->begin);
    pen__free(neighbours->ctx, neighbours->key);
    *neighbours = (pen__neighbours){0};
}

uint64_t pen__neighbours_memory(int64_t n_objects, int64_t n_features, int64_t n_events, int32_t k, bool valued,
                                int n_workers)
{
    int64_t tile = valued ? MOMENT_TILE : TILE, tiles = (n_objects + tile - 1) / tile, room = room_of(n_objects, k);
    uint64_t matrix = (uint64_t)tiles * 8 * ((uint64_t)n_features + 1) + (valued ? 10u : 6u) * (uint64_t)n_events;
    uint64_t workers = (uint64_t)n_workers * (uint64_t)(tile * (valued ? 32 : 4) + 4 * n_objects + 8 * (room + tiles));
    return matrix + workers + (uint64_t)n_objects * (37 + 8 * (uint64_t)room);
}
