/* Recommending. A block of users is ranked in parallel, then finished in parallel: who got nothing that the model knows
 * about falls back on popularity; the list is re-ranked where diversity is asked for; reasons are put in words; text is
 * rendered. Memory: the block's lists and words, so `all` streams through one block. A user's answer depends on that
 * user alone.
 */
#include "retrieve/recommend.h"

#include <math.h>
#include <string.h>

#include "base/thread.h"
#include "rank/catalogue.h"
#include "rank/explain.h"

enum { MOST_REASONS = 8, EXPLAIN_AT_ONCE = 256, GRAIN = 8 };

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static pen_status check_options(const pen_recommend_options *o, pen_error *error)
{
    PEN_CHECK(o->n >= 1, PEN_E_ARGUMENT, "%d items were asked for; ask for 1 or more", o->n);
    PEN_CHECK(o->diversity >= 0 && o->diversity <= 1, PEN_E_ARGUMENT, "diversity %g is not between 0 and 1",
              o->diversity);
    PEN_CHECK(o->allow || !o->n_allow, PEN_E_ARGUMENT, "the allow list is NULL and has %zu ids", o->n_allow);
    PEN_CHECK(o->deny || !o->n_deny, PEN_E_ARGUMENT, "the deny list is NULL and has %zu ids", o->n_deny);
    return PEN_OK;
}

static pen_status open_ranker(pen__desk *desk, bool many, pen_error *error)
{
    if (many && desk->mask.allowed) {
        PEN_TRY(pen__ranker_open(desk->model, desk->mask.allowed, &desk->own_ranker, error));
        desk->ranker = desk->own_ranker;
        return PEN_OK;
    }
    return pen__model_ranker(desk->model, &desk->ranker, error);
}

static pen_status allocate(pen__desk *desk, pen_error *error)
{
    pen_context *ctx = desk->ctx;
    size_t seats = (size_t)desk->capacity, n, candidates;
    PEN_CHECK(pen__mul(seats, (size_t)desk->n, &n) && pen__mul(seats, (size_t)desk->n_candidates, &candidates),
              PEN_E_LIMIT, "too many items are asked for");
    PEN_TRY(PEN_NEW_ZERO(ctx, desk->seat, seats));
    PEN_TRY(PEN_NEW(ctx, desk->pick, n));
    PEN_TRY(PEN_NEW(ctx, desk->item, candidates));
    PEN_TRY(PEN_NEW(ctx, desk->score, candidates));
    PEN_TRY(PEN_NEW(ctx, desk->ask, seats));
    PEN_TRY(PEN_NEW(ctx, desk->ranked, seats));
    for (size_t s = 0; s < seats; s++) {
        desk->seat[s].pick = desk->pick + s * (size_t)desk->n;
        desk->seat[s].item = desk->item + s * (size_t)desk->n_candidates;
        desk->seat[s].score = desk->score + s * (size_t)desk->n_candidates;
    }
    return PEN_OK;
}

pen_status pen__desk_open(const pen_model *model, const pen_recommend_options *options, int32_t capacity, bool many,
                          pen__desk *desk, pen_error *error)
{
    *desk = (pen__desk){.ctx = model->ctx,
                        .model = model,
                        .options = *options,
                        .rates = model->task == PEN_TASK_RATE && model->class->rate,
                        .subject = "user",
                        .capacity = capacity};
    pen_status status = PEN_OK;
    PEN_TRY_DONE(check_options(options, error));
    PEN_TRY_DONE(pen__mask_build(model, options, &desk->mask, error));
    if (options->diversity > 0) PEN_TRY_DONE(pen__alike_of(model, &desk->alike, error));
    int64_t n = options->n < desk->mask.n ? options->n : desk->mask.n, candidates = n;
    if (options->diversity > 0) candidates = 10 * n > 100 ? 10 * n : 100;
    desk->n = (int32_t)n;
    desk->n_candidates = (int32_t)(candidates < desk->mask.n ? candidates : desk->mask.n);
    PEN_TRY_DONE(allocate(desk, error));
    PEN_TRY_DONE(open_ranker(desk, many, error));
done:
    if (status != PEN_OK) pen__desk_close(desk);
    return status;
}

void pen__desk_clear(pen__desk *desk)
{
    for (int32_t s = 0; s < desk->n_seats; s++) {
        pen__seat *seat = &desk->seat[s];
        pen__person_free(&seat->person);
        pen__text_free(&seat->words);
        pen__text_free(&seat->text);
    }
    desk->n_seats = 0;
}

void pen__desk_close(pen__desk *desk)
{
    if (!desk->ctx) return;
    pen__desk_clear(desk);
    pen__ranker_close(desk->own_ranker);
    pen__mask_free(&desk->mask);
    pen__free(desk->ctx, desk->seat);
    pen__free(desk->ctx, desk->pick);
    pen__free(desk->ctx, desk->item);
    pen__free(desk->ctx, desk->score);
    pen__free(desk->ctx, desk->ask);
    pen__free(desk->ctx, desk->ranked);
    *desk = (pen__desk){0};
}

/* ---- one user after ranking -------------------------------------------------------------------------------------- */

/* No evidence at all: every item of the list has the score 0, as models of similarity give to what they know nothing
 * about. */
static bool says_nothing(const pen__answer *ranked)
{
    for (int32_t i = 0; i < ranked->n; i++)
        if (ranked->score[i] != 0) return false;
    return true;
}

static pen_status fall_back(const pen__desk *desk, pen__seat *seat, pen__answer *ranked, pen_error *error)
{
    pen__person *p = &seat->person;
    bool keep = desk->options.keep_seen != 0;
    if (p->how != PEN_HOW_FALLBACK) {
        bool lost = p->how == PEN_HOW_PERSONAL && !p->user.n && !desk->model->catalogue->history.begin;
        pen__reason_add(&p->reason,
                        lost ? "without a history %s knows nothing of this user: the most popular items"
                             : "%s finds nothing to go by for this user: the most popular items",
                        desk->model->class->name);
        p->how = PEN_HOW_FALLBACK;
    }
    return pen__popular_top(desk->model, &desk->mask, p->tie_key, keep ? NULL : p->seen, keep ? 0 : p->n_seen,
                            desk->n_candidates, seat->item, seat->score, &ranked->n, error);
}

/* Re-ranks the candidates in place and says what it cost. */
static pen_status diversify(const pen__desk *desk, pen__seat *seat, int32_t n_found, int32_t n, pen_error *error)
{
    pen_context *ctx = desk->ctx;
    pen_status status = PEN_OK;
    int32_t *order = NULL;
    double *room = NULL, before = 0, after = 0;
    bool positive = true;
    PEN_TRY_DONE(PEN_NEW(ctx, order, (size_t)n * 3));
    PEN_TRY_DONE(PEN_NEW(ctx, room, (size_t)n_found * 2));
    int32_t *item = order + n;
    float *score = (float *)(void *)(order + 2 * (size_t)n);
    pen__mmr(&desk->alike, seat->item, seat->score, n_found, desk->options.diversity, n, order, room);
    seat->answer.similarity_before = pen__likeness_list(&desk->alike, seat->item, n);
    for (int32_t i = 0; i < n; i++) {
        item[i] = seat->item[order[i]];
        score[i] = seat->score[order[i]];
        before += (double)seat->score[i];
        after += (double)score[i];
        positive = positive && seat->score[i] > 0 && score[i] > 0;
    }
    memcpy(seat->item, item, (size_t)n * sizeof *item);
    memcpy(seat->score, score, (size_t)n * sizeof *score);
    seat->answer.similarity_after = pen__likeness_list(&desk->alike, seat->item, n);
    seat->answer.relevance_kept = positive && n ? after / before : NAN;
done:
    pen__free(ctx, order);
    pen__free(ctx, room);
    return status;
}

/* Words on items first .. first + n - 1 of the list. */
static pen_status explain_some(const pen__desk *desk, pen__seat *seat, int32_t first, int32_t n, pen__reason *reason,
                               pen_error *error)
{
    int32_t n_reasons[EXPLAIN_AT_ONCE], exact[EXPLAIN_AT_ONCE];
    bool fallback = seat->person.how == PEN_HOW_FALLBACK;
    if (!fallback)
        PEN_TRY(pen__explain(desk->model, &seat->person.user, seat->item + first, n, reason, MOST_REASONS, n_reasons,
                             exact, NULL, error));
    for (int32_t i = 0; i < n; i++) {
        size_t from = seat->words.length;
        static const pen__reason popular = {-1, 0, "popular with everybody"};
        pen__why(desk->model, &seat->person.user, seat->item[first + i],
                 fallback ? &popular : reason + (size_t)i * MOST_REASONS, fallback ? 1 : n_reasons[i], &seat->words);
        seat->pick[first + i].why.length = seat->words.length - from;
    }
    return PEN_OK;
}

static pen_status explain_list(const pen__desk *desk, pen__seat *seat, int32_t n, pen_error *error)
{
    pen__reason *reason;
    pen_status status = PEN_OK;
    PEN_TRY(PEN_NEW(desk->ctx, reason, EXPLAIN_AT_ONCE * MOST_REASONS));
    for (int32_t first = 0; first < n && status == PEN_OK; first += EXPLAIN_AT_ONCE)
        status =
            explain_some(desk, seat, first, n - first < EXPLAIN_AT_ONCE ? n - first : EXPLAIN_AT_ONCE, reason, error);
    pen__free(desk->ctx, reason);
    const char *at = seat->words.bytes;
    for (int32_t i = 0; i < n && status == PEN_OK && at; at += seat->pick[i].why.length, i++)
        seat->pick[i].why.bytes = at;
    return status;
}

static void say_limits(const pen__desk *desk, pen__seat *seat)
{
    pen__text *reason = &seat->person.reason;
    pen_answer *a = &seat->answer;
    if (a->n < desk->options.n && a->n_allowed == 0)
        pen__reason_add(reason, "no item is allowed");
    else if (a->n < desk->options.n)
        pen__reason_add(reason, a->n_allowed == 1 ? "only %lld item is allowed" : "only %lld items are allowed",
                        (long long)a->n_allowed);
    const int64_t unknown[2] = {desk->mask.unknown_allowed, desk->mask.unknown_denied};
    for (int i = 0; i < 2; i++)
        if (unknown[i])
            pen__reason_add(reason, "the model does not know %lld of the items of the %s list", (long long)unknown[i],
                            i ? "deny" : "allow");
}

/* People read ratings: the list is ordered by the score, which a rating rises with, and shows the rating. */
static bool shows_ratings(const pen__desk *desk, const pen__seat *seat)
{
    return desk->rates && seat->person.how != PEN_HOW_FALLBACK;
}

static pen_status rate_list(const pen__desk *desk, pen__seat *seat, int32_t n, pen_error *error)
{
    void *scratch;
    pen_status status = PEN_OK;
    double rating;
    PEN_TRY(pen__new(desk->ctx, &scratch, pen__model_scratch(desk->model), 1, true, error));
    for (int32_t i = 0; i < n && status == PEN_OK; i++) {
        status = desk->model->class->rate(desk->model, &seat->person.user, seat->item[i], scratch, &rating, error);
        if (status == PEN_OK) seat->score[i] = (float)rating;
    }
    pen__free(desk->ctx, scratch);
    return status;
}

/* Ratings are held to training's range where they are shown. */
static float shown_score(const pen__desk *desk, const pen__seat *seat, float score)
{
    if (!shows_ratings(desk, seat)) return score;
    return score < desk->model->least ? desk->model->least : score > desk->model->most ? desk->model->most : score;
}

static void fill_picks(const pen__desk *desk, pen__seat *seat, int32_t n)
{
    const struct pen__catalogue *c = desk->model->catalogue;
    for (int32_t i = 0; i < n; i++)
        seat->pick[i] = (pen_pick){.id = pen__string_from(pen__strings_at(&c->items, seat->item[i])),
                                   .title = pen__string_from(pen__catalogue_title(c, seat->item[i])),
                                   .why = {"", 0},
                                   .item = seat->item[i],
                                   .score = shown_score(desk, seat, seat->score[i])};
}

pen_status pen__seat_list(const pen__desk *desk, pen__seat *seat, int32_t n, int64_t n_left_out, pen_error *error)
{
    const pen_recommend_options *o = &desk->options;
    pen_answer *a = &seat->answer;
    pen__person *p = &seat->person;
    *a = (pen_answer){.struct_size = sizeof *a,
                      .user = seat->name,
                      .how = p->how,
                      .n = n < desk->n ? n : desk->n,
                      .items = seat->pick,
                      .n_allowed = desk->mask.n - n_left_out,
                      .relevance_kept = NAN,
                      .similarity_before = NAN,
                      .similarity_after = NAN};
    if (o->diversity > 0) PEN_TRY(diversify(desk, seat, n, a->n, error));
    fill_picks(desk, seat, a->n);
    if (o->why) PEN_TRY(explain_list(desk, seat, a->n, error));
    say_limits(desk, seat);
    a->reason = p->reason.bytes ? (pen_string){p->reason.bytes, p->reason.length} : (pen_string){"", 0};
    if (o->render == PEN_RENDER_JSON) pen__answer_json(desk, a, &seat->text);
    if (o->render == PEN_RENDER_CSV) pen__answer_csv(desk, a, &seat->text);
    a->text = seat->text.bytes ? (pen_string){seat->text.bytes, seat->text.length} : (pen_string){"", 0};
    PEN_CHECK(!p->reason.failed && !seat->words.failed && !seat->text.failed, PEN_E_MEMORY,
              "out of memory for the words of an answer");
    return PEN_OK;
}

static pen_status finish_seat(const pen__desk *desk, pen__seat *seat, pen__answer *ranked, pen_error *error)
{
    const pen__person *p = &seat->person;
    if (p->how == PEN_HOW_FALLBACK || (ranked->n && says_nothing(ranked)))
        PEN_TRY(fall_back(desk, seat, ranked, error));
    if (shows_ratings(desk, seat)) PEN_TRY(rate_list(desk, seat, ranked->n, error));
    return pen__seat_list(desk, seat, ranked->n,
                          desk->options.keep_seen ? 0 : pen__mask_count(&desk->mask, p->seen, p->n_seen), error);
}

/* ---- the block --------------------------------------------------------------------------------------------------- */

static pen_status finish_shard(void *arg, int64_t shard, int worker, pen_error *error)
{
    (void)worker;
    pen__desk *desk = arg;
    int64_t n_shards = pen__shards(desk->n_seats, GRAIN);
    int64_t begin = pen__shard_begin(desk->n_seats, n_shards, shard),
            end = pen__shard_begin(desk->n_seats, n_shards, shard + 1);
    for (int64_t s = begin; s < end; s++) PEN_TRY(finish_seat(desk, &desk->seat[s], &desk->ranked[s], error));
    return PEN_OK;
}

pen_status pen__desk_run(pen__desk *desk, int32_t n, pen_error *error)
{
    bool as_candidates = desk->mask.allowed && !desk->own_ranker;
    desk->n_seats = n;
    for (int32_t s = 0; s < n; s++) {
        pen__seat *seat = &desk->seat[s];
        pen__person *p = &seat->person;
        seat->words.ctx = seat->text.ctx = desk->ctx;
        desk->ask[s] = (pen__ask){.user = p->user, .tie_key = p->tie_key};
        if (!desk->options.keep_seen) desk->ask[s].exclude = p->seen, desk->ask[s].n_exclude = p->n_seen;
        if (as_candidates) desk->ask[s].candidate = desk->mask.item, desk->ask[s].n_candidate = desk->mask.n;
        desk->ranked[s] = (pen__answer){.item = seat->item, .score = seat->score};
    }
    bool alone_falling = n == 1 && desk->seat[0].person.how == PEN_HOW_FALLBACK;
    if (desk->n_candidates && !alone_falling)
        PEN_TRY(pen__ranker_run(desk->ranker, desk->ask, desk->ranked, n, desk->n_candidates, error));
    return pen__parallel(desk->ctx, pen__shards(n, GRAIN), finish_shard, desk, error);
}
