/* The doctor's counts: users, items, pairs, values, times. Counting sorts and one small sort a user: O(n log(events of
 * a user)).
 */
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/thread.h"
#include "data/doctor_impl.h"
#include "data/order.h"

const int32_t pen__bucket_least[PEN_N_BUCKETS] = {1, 2, 3, 5, 10, 20, 50, 100, 500, 1000};

/* ---- users, items ------------------------------------------------------------------------------------------------ */

/* Places at which curves are drawn: 1, 2, 3, 4, 6, 8, 12 ... and the last one. */
static int32_t places(int64_t n, int64_t *place)
{
    int32_t k = 0;
    double step = n > PEN_N_CURVE ? pow((double)n, 1.0 / (PEN_N_CURVE - 1)) : 1, at = 1;
    for (int64_t last = 0; k < PEN_N_CURVE - 1 && last < n; at = fmax(at * step, at + 1)) {
        int64_t here = (int64_t)at;
        if (here > last && here <= n)
            place[k++] = last = here;
        else if (here > n)
            break;
    }
    if (n && (k == 0 || place[k - 1] < n)) place[k++] = n;
    return k;
}

static void draw_curves(pen__spread *s, const pen__keyed *rising, int64_t total)
{
    int64_t place[PEN_N_CURVE], k = 0, sum = 0, percent = s->n / 100 ? s->n / 100 : 1;
    s->n_curve = places(s->n, place);
    for (int64_t i = 1; i <= s->n; i++) {
        int64_t events = (int64_t)rising[s->n - i].key;
        sum += events;
        if (i == percent) s->top_percent = (double)sum / (double)total;
        if (k == s->n_curve || i != place[k]) continue;
        s->curve[k][0] = (double)i / (double)s->n;
        s->curve[k][1] = (double)sum / (double)total;
        s->rank[k][0] = i;
        s->rank[k++][1] = events;
    }
}

static pen_status spread_of(pen_context *ctx, const int32_t *id, int64_t n, int64_t n_ids, pen__spread *s,
                            pen_error *error)
{
    pen__keyed *rising = NULL;
    int64_t *count = NULL;
    pen_status status = PEN_OK;
    PEN_TRY_DONE(PEN_NEW_ZERO(ctx, count, n_ids));
    PEN_TRY_DONE(PEN_NEW(ctx, rising, n_ids));
    for (int64_t i = 0; i < n; i++) count[id[i]]++;
    for (int64_t k = 0; k < n_ids; k++)
        if (count[k])
            rising[s->n++] = (pen__keyed){(uint64_t)count[k], -k}; /* of equal ones the first id is at the top */
    s->unused = n_ids - s->n;
    for (int k = 0; k < PEN_N_TOP; k++) s->top[k] = -1;
    if (!s->n) goto done;
    pen__sort_keyed(rising, s->n);
    s->least = (int64_t)rising[0].key;
    s->most = (int64_t)rising[s->n - 1].key;
    s->mean = (double)n / (double)s->n;
    s->median = ((double)rising[(s->n - 1) / 2].key + (double)rising[s->n / 2].key) / 2;
    double weighted = 0;
    for (int64_t k = 0; k < s->n; k++) {
        int bucket = PEN_N_BUCKETS - 1;
        while ((int64_t)rising[k].key < pen__bucket_least[bucket]) bucket--;
        s->bucket[bucket]++;
        weighted += (double)(k + 1) * (double)rising[k].key;
    }
    s->gini = 2 * weighted / ((double)s->n * (double)n) - (double)(s->n + 1) / (double)s->n;
    for (int k = 0; k < PEN_N_TOP && k < s->n; k++) {
        s->top[k] = (int32_t)-rising[s->n - 1 - k].index;
        s->top_events[k] = (int64_t)rising[s->n - 1 - k].key;
    }
    draw_curves(s, rising, n);
done:
    pen__free(ctx, count);
    pen__free(ctx, rising);
    return status;
}

/* ---- pairs ------------------------------------------------------------------------------------------------------- */

typedef struct pairing {
    const pen_dataset *data;
    const pen__groups_of *by_user;
    const int64_t *shard;
    int64_t (*count)[4]; /* a shard: pairs, repeated pairs, repeated events, same rows */
} pairing;

static uint64_t item_key(const void *arg, int64_t i) { return (uint64_t)((const pen_dataset *)arg)->item[i]; }

static bool same_row(const pen_dataset *d, int64_t i, int64_t j)
{
    if (d->value && memcmp(&d->value[i], &d->value[j], sizeof *d->value)) return false;
    if (d->time && d->time[i] != d->time[j]) return false;
    for (int32_t k = 0; k < d->n_context; k++) {
        const pen__column *c = &d->context[k];
        if (c->type == PEN_COLUMN_CATEGORY && c->code[i] != c->code[j]) return false;
        if (c->type == PEN_COLUMN_NUMBER && memcmp(&c->number[i], &c->number[j], sizeof *c->number)) return false;
    }
    return !d->event || d->event[i] == d->event[j];
}

/* Rows that are the same as one before them in the run; a long run is only compared with its last few. */
static int64_t same_in_run(const pen_dataset *d, const int64_t *index, int64_t n)
{
    int64_t same = 0;
    for (int64_t i = 1; i < n; i++)
        for (int64_t j = i - 1; j >= 0 && j >= i - 8; j--)
            if (same_row(d, index[i], index[j])) {
                same++;
                break;
            }
    return same;
}

static pen_status pair_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    const pairing *p = arg;
    int64_t *count = p->count[shard];
    for (int64_t u = p->shard[shard]; u < p->shard[shard + 1]; u++)
        for (int64_t at = p->by_user->begin[u], end; at < p->by_user->begin[u + 1]; at = end) {
            int32_t item = p->data->item[p->by_user->index[at]];
            for (end = at + 1; end < p->by_user->begin[u + 1] && p->data->item[p->by_user->index[end]] == item;) end++;
            count[0]++;
            count[1] += end - at > 1;
            count[2] += end - at - 1;
            count[3] += same_in_run(p->data, p->by_user->index + at, end - at);
        }
    return PEN_OK;
}

static uint64_t time_key(const void *arg, int64_t i) { return pen__key_of(((const pen_dataset *)arg)->time[i]); }

static int64_t count_tied(const pen_dataset *d, const pen__groups_of *by_user)
{
    int64_t tied = 0;
    for (int64_t u = 0; u < by_user->n_groups; u++)
        for (int64_t at = by_user->begin[u], end; at < by_user->begin[u + 1]; at = end) {
            int64_t time = d->time[by_user->index[at]];
            for (end = at + 1; end < by_user->begin[u + 1] && d->time[by_user->index[end]] == time;) end++;
            if (end - at > 1 && time != PEN_TIME_MISSING) tied += end - at;
        }
    return tied;
}

static pen_status count_pairs(pen__findings *f, pen_error *error)
{
    const pen_dataset *d = f->data;
    pen__groups_of by_user = {0};
    pairing p = {.data = d, .by_user = &by_user};
    int64_t *shard = NULL, n_shards;
    pen_status status = PEN_OK;
    PEN_TRY_DONE(pen__group(d->ctx, d->user, NULL, d->n_events, d->users.n, &by_user, error));
    PEN_TRY_DONE(pen__groups_sort(&by_user, item_key, d, error));
    PEN_TRY_DONE(pen__groups_shards(&by_user, 1 << 16, &shard, &n_shards, error));
    PEN_TRY_DONE(PEN_NEW_ZERO(d->ctx, p.count, n_shards));
    p.shard = shard;
    PEN_TRY_DONE(pen__parallel(d->ctx, n_shards, pair_shard, &p, error));
    for (int64_t s = 0; s < n_shards; s++) {
        f->pairs += p.count[s][0];
        f->repeated_pairs += p.count[s][1];
        f->repeated_events += p.count[s][2];
        f->same_rows += p.count[s][3];
    }
    if (d->time) {
        PEN_TRY_DONE(pen__groups_sort(&by_user, time_key, d, error));
        f->times.tied = count_tied(d, &by_user);
    }
done:
    pen__free(d->ctx, p.count);
    pen__free(d->ctx, shard);
    pen__groups_free(&by_user);
    return status;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

/* Each different value while they are few (rising), else bins of equal width. */
static void list_values(const pen_dataset *d, pen__values *v)
{
    v->different_exact = true;
    for (int64_t i = 0; i < d->n_events && v->different_exact; i++) {
        double value = (double)d->value[i];
        if (isnan(value)) continue;
        int32_t at = v->n_value;
        while (at > 0 && v->value[at - 1] > value) at--;
        if (at > 0 && v->value[at - 1] == value) {
            v->events[at - 1]++;
        } else if (v->n_value == PEN_N_VALUES) {
            v->different_exact = false;
        } else {
            memmove(v->value + at + 1, v->value + at, (size_t)(v->n_value - at) * sizeof *v->value);
            memmove(v->events + at + 1, v->events + at, (size_t)(v->n_value - at) * sizeof *v->events);
            v->value[at] = value, v->events[at] = 1;
            v->n_value++;
        }
    }
    if (v->different_exact) return;
    v->n_value = PEN_N_VALUES;
    v->width = (v->most - v->least) / PEN_N_VALUES;
    memset(v->events, 0, sizeof v->events);
    for (int k = 0; k < PEN_N_VALUES; k++) v->value[k] = v->least + v->width * k;
    for (int64_t i = 0; i < d->n_events; i++) {
        if (isnan(d->value[i])) continue;
        int64_t bin = v->width > 0 ? (int64_t)(((double)d->value[i] - v->least) / v->width) : 0;
        v->events[bin < 0 ? 0 : bin < PEN_N_VALUES ? bin : PEN_N_VALUES - 1]++;
    }
}

static uint64_t value_key(const void *arg, int64_t i)
{
    uint32_t bits; /* floats in order as unsigned numbers */
    memcpy(&bits, &((const pen_dataset *)arg)->value[i], sizeof bits);
    return (uint64_t)(bits >> 31 ? ~bits : bits | 0x80000000u) << 32;
}

static bool has_value(const void *arg, int64_t i) { return !isnan(((const pen_dataset *)arg)->value[i]); }

static pen_status count_values(pen__findings *f, pen_error *error)
{
    const pen_dataset *d = f->data;
    pen__values *v = &f->values;
    double sum = 0;
    if (!(v->any = d->value != NULL)) return PEN_OK;
    v->least = INFINITY, v->most = -INFINITY;
    for (int64_t i = 0; i < d->n_events; i++) {
        double value = (double)d->value[i];
        if (isnan(value)) {
            v->missing++;
            continue;
        }
        v->n++;
        v->negative += value < 0;
        v->zero += value == 0;
        sum += value;
        if (value < v->least) v->least = value;
        if (value > v->most) v->most = value;
    }
    if (!v->n) {
        v->least = v->most = 0;
        return PEN_OK;
    }
    v->mean = sum / (double)v->n;
    uint64_t key;
    PEN_TRY(pen__select_key(d->ctx, d->n_events, value_key, has_value, d, (v->n - 1) / 2, &key, error));
    uint32_t bits = (uint32_t)(key >> 32);
    bits = bits >> 31 ? bits & 0x7FFFFFFFu : ~bits;
    float median;
    memcpy(&median, &bits, sizeof median);
    v->median = (double)median;
    list_values(d, v);
    return PEN_OK;
}

/* ---- times ------------------------------------------------------------------------------------------------------- */

/* The commonest time of an even sample. */
static pen_status find_commonest(const pen_dataset *d, pen__times *t, pen_error *error)
{
    enum { SAMPLE = 1000000 };
    int64_t stride = d->n_events / SAMPLE + 1, n = 0;
    pen__keyed *keyed;
    PEN_TRY(PEN_NEW(d->ctx, keyed, d->n_events / stride + 1));
    for (int64_t i = 0; i < d->n_events; i += stride)
        if (d->time[i] != PEN_TIME_MISSING) keyed[n++] = (pen__keyed){pen__key_of(d->time[i]), i};
    pen__sort_keyed(keyed, n);
    for (int64_t at = 0, end; at < n; at = end) {
        for (end = at + 1; end < n && keyed[end].key == keyed[at].key;) end++;
        if ((end - at) * stride <= t->commonest_events) continue;
        t->commonest_events = (end - at) * stride;
        t->commonest = d->time[keyed[at].index];
    }
    pen__free(d->ctx, keyed);
    return PEN_OK;
}

static pen_status count_times(pen__findings *f, pen_error *error)
{
    const pen_dataset *d = f->data;
    pen__times *t = &f->times;
    if (!(t->any = d->time != NULL)) return PEN_OK;
    static const int64_t year_1980 = 315532800000;
    int64_t now = (int64_t)time(NULL) * 1000;
    t->least = INT64_MAX, t->most = INT64_MIN;
    for (int64_t i = 0; i < d->n_events; i++) {
        int64_t at = d->time[i];
        if (at == PEN_TIME_MISSING) {
            t->missing++;
            continue;
        }
        t->n++;
        if (at < t->least) t->least = at;
        if (at > t->most) t->most = at;
        t->future += at > now + 86400000;
        t->before_1980 += at < year_1980;
    }
    t->is_date = t->n && t->most >= year_1980;
    double width = t->n ? ((double)t->most - (double)t->least) / PEN_N_TIME_BINS : 0;
    for (int64_t i = 0; i < d->n_events && t->n; i++) {
        if (d->time[i] == PEN_TIME_MISSING) continue;
        int64_t bin = width > 0 ? (int64_t)(((double)d->time[i] - (double)t->least) / width) : 0;
        t->bin[bin < PEN_N_TIME_BINS ? bin : PEN_N_TIME_BINS - 1]++;
    }
    return find_commonest(d, t, error);
}

pen_status pen__doctor_count(pen__findings *f, pen_error *error)
{
    const pen_dataset *d = f->data;
    PEN_TRY(spread_of(d->ctx, d->user, d->n_events, d->users.n, &f->users, error));
    PEN_TRY(spread_of(d->ctx, d->item, d->n_events, d->items.n, &f->items, error));
    PEN_TRY(count_values(f, error));
    PEN_TRY(count_times(f, error));
    PEN_TRY(count_pairs(f, error));
    PEN_TRY(pen__alike_find(&d->users, &f->alike_users, error));
    return pen__alike_find(&d->items, &f->alike_items, error);
}
