/* Made-up logs: each event is a function of (seed, its number), so rows are made in parallel, in any order, and written
 * in order.
 *
 * Ranks follow a power law by inverting its integral, which needs no tables: P(rank <= r) = ((r + 1)^(1 - s) - 1) / ((n
 * + 1)^(1 - s)
 * - 1). Text goes out in rounds of sixteen blocks that are formatted in parallel, so memory does not grow with the
 * events.
 */
#include "data/synth.h"

#include <math.h>
#include <string.h>

#include "base/progress.h"
#include "base/random.h"
#include "base/thread.h"
#include "data/digest.h"

static const char *const structures[] = {"blocks", "drift", "cycle", "popularity"};

enum { PHASES = 4, YEAR = 366 * 86400 };
static const int64_t beginning = 1577836800; /* 2020-01-01 */

pen_status pen__synth_check(const pen_synth_options *o, pen__synth *s, pen_error *error)
{
    PEN_CHECK(o->struct_size == sizeof *o, PEN_E_ARGUMENT,
              "pen_synth_options.struct_size is %zu; this library knows %zu", o->struct_size, sizeof *o);
    *s = (pen__synth){.structure = -1,
                      .events = o->events,
                      .users = o->users,
                      .items = o->items,
                      .groups = o->groups,
                      .noise = o->noise,
                      .skew = o->skew,
                      .seed = o->seed};
    const char *name = o->structure ? o->structure : "blocks";
    for (int k = 0; k < 4; k++)
        if (!strcmp(name, structures[k])) s->structure = k;
    PEN_CHECK(s->structure >= 0, PEN_E_UNKNOWN, "structure '%.60s'; allowed are blocks, drift, cycle and popularity",
              name);
    PEN_CHECK(s->events >= 1 && s->events <= INT64_C(1) << 40, PEN_E_ARGUMENT, "%lld events; allowed are 1 to 2^40",
              (long long)s->events);
    PEN_CHECK(s->users >= 1 && s->users < INT32_MAX && s->items >= 1 && s->items < INT32_MAX, PEN_E_ARGUMENT,
              "%lld users and %lld items; allowed are 1 to %d of each", (long long)s->users, (long long)s->items,
              INT32_MAX - 1);
    PEN_CHECK(s->groups >= 1 && s->groups <= s->items, PEN_E_ARGUMENT,
              "%lld groups; allowed are 1 to the number of items (%lld)", (long long)s->groups, (long long)s->items);
    PEN_CHECK(s->noise >= 0 && s->noise <= 1, PEN_E_ARGUMENT, "noise %g; allowed is a share from 0 to 1", s->noise);
    PEN_CHECK(s->skew >= 0 && s->skew <= 3, PEN_E_ARGUMENT, "skew %g; allowed is 0 (all alike) to 3", s->skew);
    return PEN_OK;
}

/* ---- one event --------------------------------------------------------------------------------------------------- */

/* A rank in [0, n) from a uniform number. */
static int64_t rank_of(double uniform, int64_t n, double skew)
{
    double exponent = 1 - skew, x;
    if (fabs(exponent) < 1e-6)
        x = exp(uniform * log((double)n + 1)) - 1;
    else
        x = pow(uniform * (pow((double)n + 1, exponent) - 1) + 1, 1 / exponent) - 1;
    int64_t rank = (int64_t)x;
    return rank < 0 ? 0 : rank < n ? rank : n - 1;
}

static int64_t items_in(const pen__synth *s, int64_t group) { return (s->items - group + s->groups - 1) / s->groups; }

/* A number of the user's own; events draw from the indices below 2^40. */
static uint64_t of_user(const pen__synth *s, int64_t user)
{
    return pen__rand64(s->seed, PEN_STREAM_SYNTH, UINT64_C(1) << 62 | (uint64_t)user);
}

/* The group that the user likes at time t in [0, 1). */
static int64_t taste(const pen__synth *s, int64_t user, double t)
{
    if (s->structure != PEN_SYNTH_DRIFT) return user % s->groups;
    double offset = (double)(of_user(s, user) >> 11) * 0x1p-53;
    return (user + (int64_t)(PHASES * t + offset)) % s->groups;
}

static pen__synth_event walk(const pen__synth *s, int64_t e, pen__rng *rng)
{
    int64_t user = e % s->users, step = e / s->users, group = user % s->groups, length = s->items / s->groups;
    int64_t start = (int64_t)(of_user(s, user) % (uint64_t)length);
    bool beside = pen__rng_uniform(rng) < s->noise;
    int64_t item = beside ? (int64_t)pen__rng_below(rng, (uint64_t)s->items) : group * length + (start + step) % length;
    return (pen__synth_event){.user = (int32_t)user, .item = (int32_t)item, .value = beside ? 2 : 5};
}

static pen__synth_event draw(const pen__synth *s, double t, pen__rng *rng)
{
    int64_t user = rank_of(pen__rng_uniform(rng), s->users, s->skew), group = taste(s, user, t);
    bool free_choice = s->structure == PEN_SYNTH_POPULARITY || pen__rng_uniform(rng) < s->noise;
    double place = pen__rng_uniform(rng);
    int64_t item = free_choice ? rank_of(place, s->items, s->skew)
                               : rank_of(place, items_in(s, group), s->skew) * s->groups + group;
    uint64_t chance = pen__rng_next(rng);
    int32_t value = s->structure == PEN_SYNTH_POPULARITY ? 1 + (int32_t)(chance % 5)
                    : item % s->groups == group          ? 4 + (int32_t)(chance % 2)
                                                         : 1 + (int32_t)(chance % 3);
    return (pen__synth_event){.user = (int32_t)user, .item = (int32_t)item, .value = value};
}

pen__synth_event pen__synth_at(const pen__synth *s, int64_t e)
{
    pen__rng rng = pen__rng_begin(s->seed, PEN_STREAM_SYNTH, (uint64_t)e);
    double t = (double)e / (double)s->events;
    pen__synth_event event = s->structure == PEN_SYNTH_CYCLE ? walk(s, e, &rng) : draw(s, t, &rng);
    event.time = beginning + (int64_t)(t * YEAR);
    return event;
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

enum { BLOCK = 1 << 16, ROUND = 16, LONGEST_ROW = 64 };

typedef struct printing {
    const pen__synth *synth;
    int64_t first; /* event of the round */
    char *text;    /* ROUND x BLOCK x LONGEST_ROW */
    size_t length[ROUND];
} printing;

static char *put_number(char *to, int64_t number)
{
    char digits[20], *const end = digits + sizeof digits, *at = end;
    do *--at = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    memcpy(to, at, (size_t)(end - at));
    return to + (end - at);
}

static pen_status print_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    printing *p = arg;
    char *begin = p->text + (size_t)shard * BLOCK * LONGEST_ROW, *to = begin;
    int64_t e = p->first + shard * BLOCK, end = e + BLOCK < p->synth->events ? e + BLOCK : p->synth->events;
    for (; e < end; e++) {
        pen__synth_event event = pen__synth_at(p->synth, e);
        *to++ = 'u';
        to = put_number(to, event.user);
        *to++ = ',';
        *to++ = 'i';
        to = put_number(to, event.item);
        *to++ = ',';
        to = put_number(to, event.value);
        *to++ = ',';
        to = put_number(to, event.time);
        *to++ = '\n';
    }
    p->length[shard] = (size_t)(to - begin);
    return PEN_OK;
}

pen_status pen__synth_text(pen_context *ctx, const pen__synth *synth, pen__writer *writer, pen_error *error)
{
    static const char header[] = "user,item,value,time\n";
    printing p = {.synth = synth};
    int64_t blocks = pen__shards(synth->events, BLOCK), round = blocks < ROUND ? blocks : ROUND;
    pen__meter meter = pen__meter_begin(ctx, "synth", "events", synth->events);
    pen_status status = PEN_OK;
    PEN_TRY_DONE(PEN_NEW(ctx, p.text, round * BLOCK * LONGEST_ROW));
    PEN_TRY_DONE(pen__writer_write(writer, header, sizeof header - 1, error));
    for (; p.first < synth->events; p.first += round * BLOCK) {
        int64_t left = pen__shards(synth->events - p.first, BLOCK), n = left < round ? left : round;
        PEN_TRY_DONE(pen__parallel(ctx, n, print_shard, &p, error));
        for (int64_t k = 0; k < n; k++)
            PEN_TRY_DONE(pen__writer_write(writer, p.text + (size_t)k * BLOCK * LONGEST_ROW, p.length[k], error));
        PEN_TRY_DONE(pen__meter_tick(&meter, p.first, error));
    }
    pen__meter_end(&meter, synth->events);
done:
    pen__free(ctx, p.text);
    return status;
}

/* ---- a data set -------------------------------------------------------------------------------------------------- */

typedef struct filling {
    const pen__synth *synth;
    int32_t *user, *item;
    float *value;
    int64_t *time;
} filling;

static pen_status fill_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker, (void)error;
    const filling *f = arg;
    int64_t end = (shard + 1) * BLOCK < f->synth->events ? (shard + 1) * BLOCK : f->synth->events;
    for (int64_t e = shard * BLOCK; e < end; e++) {
        pen__synth_event event = pen__synth_at(f->synth, e);
        f->user[e] = event.user;
        f->item[e] = event.item;
        f->value[e] = (float)event.value;
        f->time[e] = event.time * 1000;
    }
    return PEN_OK;
}

/* Numbers in the order of appearance, as a reader gives them. */
static pen_status number_ids(pen_context *ctx, int32_t *id, int64_t n, int64_t n_ids, char letter, pen__strings *ids,
                             pen_error *error)
{
    int32_t *number = NULL;
    pen_status status = PEN_OK;
    PEN_TRY(PEN_NEW(ctx, number, n_ids));
    memset(number, 0xFF, (size_t)n_ids * sizeof *number);
    for (int64_t i = 0; i < n; i++) {
        int32_t *at = &number[id[i]];
        if (*at < 0) {
            char name[16];
            name[0] = letter;
            char *end = put_number(name + 1, id[i]);
            PEN_TRY_DONE(pen__strings_add(ids, (pen__span){name, (size_t)(end - name)}, at, error));
        }
        id[i] = *at;
    }
done:
    pen__free(ctx, number);
    return status;
}

pen_status pen__synth_dataset(pen_context *ctx, const pen__synth *synth, pen_dataset **out, pen_error *error)
{
    pen_dataset *d;
    filling f = {.synth = synth};
    int64_t n = synth->events;
    *out = NULL;
    PEN_TRY(pen__dataset_new(ctx, &d, error));
    pen_status status = PEN_OK;
    d->n_events = n;
    PEN_TRY_DONE(PEN_NEW(ctx, f.user, n));
    d->user = f.user;
    PEN_TRY_DONE(PEN_NEW(ctx, f.item, n));
    d->item = f.item;
    PEN_TRY_DONE(PEN_NEW(ctx, f.value, n));
    d->value = f.value;
    PEN_TRY_DONE(PEN_NEW(ctx, f.time, n));
    d->time = f.time;
    PEN_TRY_DONE(pen__parallel(ctx, pen__shards(n, BLOCK), fill_shard, &f, error));
    PEN_TRY_DONE(number_ids(ctx, f.user, n, synth->users, 'u', &d->users, error));
    PEN_TRY_DONE(number_ids(ctx, f.item, n, synth->items, 'i', &d->items, error));
    pen__text source = {.ctx = ctx};
    pen__text_printf(&source, "synth %s", structures[synth->structure]);
    d->source = source.bytes;
    pen__text notes = {.ctx = ctx};
    pen__text_printf(&notes,
                     "{\"synth\": {\"structure\": \"%s\", \"events\": %lld, \"users\": %lld, \"items\": %lld, "
                     "\"groups\": %lld, \"noise\": %g, "
                     "\"skew\": %g, \"seed\": %llu}}",
                     structures[synth->structure], (long long)n, (long long)synth->users, (long long)synth->items,
                     (long long)synth->groups, synth->noise, synth->skew, (unsigned long long)synth->seed);
    d->notes = notes.bytes;
    PEN_CHECK_DONE(!source.failed && !notes.failed, PEN_E_MEMORY, "out of memory for the notes of a made-up log");
    PEN_TRY_DONE(pen__dataset_digest(d, error));
    *out = d;
done:
    if (status != PEN_OK) pen_dataset_destroy(d);
    return status;
}
