/* Splits over all events at once: ratio-all and folds at random, time by one cut.
 *
 * Nothing is sorted: the key at a rank is found by radix selection, and events are compared with it. Cost: five passes
 * over the events for each boundary, 8 MB.
 */
#include "base/random.h"
#include "data/split_impl.h"

/* Positive training events: what ranks and shares are counted in. */
static bool countable(const void *arg, int64_t i)
{
    const pen__splitting *s = arg;
    return s->part[i] == PEN_PART_TRAIN && pen__is_positive(s->log, i);
}

static int64_t count(const pen__splitting *s)
{
    int64_t n = 0;
    for (int64_t i = 0; i < s->log->n; i++) n += countable(s, i);
    return n;
}

/* Training events whose key is in [from, below) become `part`. */
static void assign(pen__splitting *s, pen__key_fn key, uint64_t from, uint64_t below, uint8_t part)
{
    for (int64_t i = 0; i < s->log->n; i++) {
        if (s->part[i] != PEN_PART_TRAIN) continue;
        uint64_t k = key(s, i);
        if (k >= from && k < below) s->part[i] = part;
    }
}

/* The last `n_part` of the countable events, and all events after the first of them, become `part`. */
static pen_status take_last(pen__splitting *s, pen__key_fn key, int64_t n_part, uint8_t part, uint64_t *from,
                            pen_error *error)
{
    *from = UINT64_MAX;
    if (n_part <= 0) return PEN_OK;
    PEN_TRY(pen__select_key(s->log->ctx, s->log->n, key, countable, s, count(s) - n_part, from, error));
    assign(s, key, *from, UINT64_MAX, part);
    return PEN_OK;
}

static uint64_t valid_key(const void *arg, int64_t i)
{
    const pen__splitting *s = arg;
    return pen__rand64(s->seed, PEN_STREAM_VALID, (uint64_t)s->log->event[i]);
}

/* Fold f tests ranks n f / K .. n (f + 1) / K; a tenth of the rest, by another draw, is validation. */
static pen_status split_fold(pen__splitting *s, pen_error *error)
{
    int64_t n = count(s), k = s->spec.n_folds;
    PEN_CHECK(n >= k, PEN_E_INPUT, "split '%.100s' needs at least %lld events; there are %lld", s->text, (long long)k,
              (long long)n);
    uint64_t from = 0, below = UINT64_MAX;
    int64_t first = n / k * s->fold + n % k * s->fold / k, end = n / k * (s->fold + 1) + n % k * (s->fold + 1) / k;
    if (s->fold > 0)
        PEN_TRY(pen__select_key(s->log->ctx, s->log->n, pen__split_random_key, countable, s, first, &from, error));
    if (end < n)
        PEN_TRY(pen__select_key(s->log->ctx, s->log->n, pen__split_random_key, countable, s, end, &below, error));
    assign(s, pen__split_random_key, from, below, PEN_PART_TEST);
    pen__split_spec rest = {.family = PEN_SPLIT_RATIO_ALL, .one = true};
    int64_t n_valid, none;
    pen__split_counts(&rest, count(s), &n_valid, &none);
    return take_last(s, valid_key, n_valid, PEN_PART_VALID, &from, error);
}

pen_status pen__split_over_all(pen__splitting *s, pen_error *error)
{
    if (s->spec.family == PEN_SPLIT_FOLDS) return split_fold(s, error);
    int64_t n_valid, n_test;
    uint64_t from;
    pen__split_counts(&s->spec, count(s), &n_valid, &n_test);
    PEN_TRY(take_last(s, pen__split_random_key, n_test, PEN_PART_TEST, &from, error));
    return take_last(s, pen__split_random_key, n_valid, PEN_PART_VALID, &from, error);
}

/* ---- one cut in time for all ------------------------------------------------------------------------------------- */

/* Without times the order of the file is the order. */
static uint64_t cut_key(const void *arg, int64_t i)
{
    const pen__splitting *s = arg;
    return s->log->time ? pen__key_of(s->log->time[i]) : pen__key_of(s->log->event[i]);
}

static int64_t time_of(uint64_t key) { return (int64_t)(key ^ (UINT64_C(1) << 63)); }

static pen_status split_dated(pen__splitting *s, pen_error *error)
{
    const pen__split_spec *spec = &s->spec;
    PEN_CHECK(s->log->time, PEN_E_ARGUMENT,
              "split '%.100s' needs times, and the log has none; name their column (--time-column) or give a "
              "share, as in time:0.8",
              s->text);
    if (spec->test_from != INT64_MAX) {
        assign(s, cut_key, pen__key_of(spec->test_from), UINT64_MAX, PEN_PART_TEST);
        s->cut_test = spec->test_from;
    }
    if (!spec->one) {
        assign(s, cut_key, pen__key_of(spec->valid_from), UINT64_MAX, PEN_PART_VALID);
        s->cut_valid = spec->valid_from;
    }
    return PEN_OK;
}

/* Events of one moment stay together, so a part may be larger than its share; the first moment stays in training. */
static pen_status take_latest(pen__splitting *s, int64_t n_part, uint8_t part, int64_t *cut, pen_error *error)
{
    uint64_t from, first;
    if (n_part <= 0) return PEN_OK;
    PEN_TRY(pen__select_key(s->log->ctx, s->log->n, cut_key, countable, s, count(s) - n_part, &from, error));
    PEN_TRY(pen__select_key(s->log->ctx, s->log->n, cut_key, countable, s, 0, &first, error));
    if (from == first) return PEN_OK;
    assign(s, cut_key, from, UINT64_MAX, part);
    if (s->log->time) *cut = time_of(from);
    return PEN_OK;
}

pen_status pen__split_by_time(pen__splitting *s, pen_error *error)
{
    pen__split_spec tenth = {.family = PEN_SPLIT_RATIO_ALL, .one = true};
    int64_t n_valid, n_test;
    PEN_TRY(pen__split_need_times(s, NULL, s->text, error));
    if (s->spec.dated) {
        PEN_TRY(split_dated(s, error));
    } else {
        pen__split_counts(&s->spec, count(s), &n_valid, &n_test);
        PEN_TRY(take_latest(s, n_test, PEN_PART_TEST, &s->cut_test, error));
        if (!s->spec.one) return take_latest(s, n_valid, PEN_PART_VALID, &s->cut_valid, error);
    }
    if (!s->spec.one) return PEN_OK;
    pen__split_counts(&tenth, count(s), &n_valid, &n_test);
    return take_latest(s, n_valid, PEN_PART_VALID, &s->cut_valid, error);
}
