/* penchant/query.h: checks, then the answer; a query owns what it answered last. */
#include "penchant/query.h"

#include <math.h>
#include <strings.h>

#include "api/report.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "rank/catalogue.h"
#include "rank/export.h"
#include "rank/model_file.h"
#include "rank/predict.h"
#include "rank/similar.h"
#include "retrieve/explanation.h"
#include "store/container_info.h"
#include "train/net.h"

enum { BLOCK_LISTS = 1 << 20, LEAST_BLOCK = 16, MOST_BLOCK = 4096 };

struct pen_query {
    pen_context *ctx;
    const pen_model *model;
    pen__desk desk; /* of one seat: the last answer */
    pen__case why;  /* the last explanation */
    pen__text name; /* a copy of the id that was asked about */
};

pen_status pen_query_create(const pen_model *model, pen_query **query, pen_error *error)
{
    PEN_CHECK(model && query, PEN_E_ARGUMENT, "pen_query_create: an argument is NULL");
    PEN_CHECK(model->catalogue, PEN_E_UNSUPPORTED, "the model has no ids: it was not trained to be kept");
    PEN_TRY(PEN_NEW_ZERO(model->ctx, *query, 1));
    (*query)->ctx = (*query)->name.ctx = model->ctx;
    (*query)->model = model;
    return PEN_OK;
}

static void forget(pen_query *q)
{
    pen__desk_close(&q->desk);
    pen__case_free(&q->why);
    pen__text_free(&q->name);
}

void pen_query_destroy(pen_query *q)
{
    if (!q) return;
    forget(q);
    pen__free(q->ctx, q);
}

/* ---- ids --------------------------------------------------------------------------------------------------------- */

static pen_string id_at(const pen__strings *ids, int32_t number)
{
    return number >= 0 && number < ids->n ? pen__string_from(pen__strings_at(ids, number)) : (pen_string){NULL, 0};
}

int32_t pen_model_find_user(const pen_model *m, pen_string id)
{
    return m->catalogue && id.bytes ? pen__strings_find(&m->catalogue->users, pen__span_from(id)) : -1;
}
int32_t pen_model_find_item(const pen_model *m, pen_string id)
{
    return m->catalogue && id.bytes ? pen__strings_find(&m->catalogue->items, pen__span_from(id)) : -1;
}
pen_string pen_model_user_id(const pen_model *m, int32_t user)
{
    return m->catalogue ? id_at(&m->catalogue->users, user) : (pen_string){NULL, 0};
}
pen_string pen_model_item_id(const pen_model *m, int32_t item)
{
    return m->catalogue ? id_at(&m->catalogue->items, item) : (pen_string){NULL, 0};
}

pen_string pen_model_item_title(const pen_model *m, int32_t item)
{
    return m->catalogue && item >= 0 && item < m->n_items ? pen__string_from(pen__catalogue_title(m->catalogue, item))
                                                          : (pen_string){"", 0};
}

/* The number of an item that must be there; a title that contains what was asked for is the next step. */
static pen_status item_of(const pen_model *m, pen_string id, int32_t *item, pen_error *error)
{
    PEN_CHECK(id.bytes, PEN_E_ARGUMENT, "no item was named");
    *item = pen_model_find_item(m, id);
    if (*item >= 0) return PEN_OK;
    int shown = id.length < 60 ? (int)id.length : 60;
    for (int32_t i = 0; i < m->n_items && id.length > 1; i++) {
        pen__span title = pen__catalogue_title(m->catalogue, i), own = pen__strings_at(&m->catalogue->items, i);
        for (size_t at = 0; at + id.length <= title.length; at++)
            PEN_CHECK(strncasecmp(title.text + at, id.bytes, id.length), PEN_E_UNKNOWN,
                      "there is no item '%.*s' among the model's %d; did you mean '%.*s' (%.*s)?", shown, id.bytes,
                      m->n_items, own.length < 60 ? (int)own.length : 60, own.text,
                      title.length < 100 ? (int)title.length : 100, title.text);
    }
    return pen__fail(error, PEN_E_UNKNOWN, "there is no item '%.*s' among the model's %d", shown, id.bytes, m->n_items);
}

/* Answers outlive the caller's strings. */
static pen_status keep_name(pen_query *q, pen_string from, pen_string *to, pen_error *error)
{
    *to = (pen_string){NULL, 0};
    if (!from.bytes) return PEN_OK;
    pen__text_add(&q->name, from.bytes, from.length);
    PEN_CHECK(!q->name.failed, PEN_E_MEMORY, "out of memory for an id");
    *to = (pen_string){q->name.bytes, from.length};
    return PEN_OK;
}

/* ---- recommendations --------------------------------------------------------------------------------------------- */

static pen_status start_desk(pen_query *q, const pen_recommend_options *options, int32_t capacity, pen_error *error)
{
    static const pen_recommend_options standard = PEN_RECOMMEND_OPTIONS_INIT;
    forget(q);
    q->name.ctx = q->ctx;
    return pen__desk_open(q->model, options ? options : &standard, capacity, capacity > 1, &q->desk, error);
}

pen_status pen_recommend(pen_query *q, const pen_who *who, const pen_recommend_options *options,
                         const pen_answer **answer, pen_error *error)
{
    PEN_CHECK(q && who && answer, PEN_E_ARGUMENT, "pen_recommend: an argument is NULL");
    PEN_TRY(start_desk(q, options, 1, error));
    pen__seat *seat = &q->desk.seat[0];
    PEN_TRY(keep_name(q, who->user, &seat->name, error));
    PEN_TRY(pen__person_of(q->model, who, &seat->person, error));
    PEN_TRY(pen__desk_run(&q->desk, 1, error));
    *answer = &seat->answer;
    return PEN_OK;
}

/* Seats users first .. first + n - 1. */
static pen_status seat_users(pen__desk *desk, int32_t first, int32_t n, pen_error *error)
{
    const pen_model *model = desk->model;
    for (int32_t s = 0; s < n; s++) {
        desk->n_seats = s + 1;
        desk->seat[s].name = pen_model_user_id(model, first + s);
        PEN_TRY(pen__person_known(model, first + s, &desk->seat[s].person, error));
    }
    return PEN_OK;
}

static pen_status all_blocks(pen__desk *desk, pen_answer_fn fn, void *user, pen_error *error)
{
    int32_t n_users = desk->model->n_users;
    pen__meter meter = pen__meter_begin(desk->ctx, "recommend", "users", n_users);
    for (int64_t first = 0; first < n_users; first += desk->capacity) {
        int32_t n = n_users - first < desk->capacity ? (int32_t)(n_users - first) : desk->capacity;
        PEN_TRY(seat_users(desk, (int32_t)first, n, error));
        PEN_TRY(pen__desk_run(desk, n, error));
        for (int32_t s = 0; s < n; s++)
            PEN_CHECK(!fn(user, &desk->seat[s].answer), PEN_E_CANCELLED, "the caller stopped after %lld users",
                      (long long)first + s);
        pen__desk_clear(desk);
        PEN_TRY(pen__meter_tick(&meter, first + n, error));
    }
    pen__meter_end(&meter, n_users);
    return PEN_OK;
}

pen_status pen_recommend_all(pen_query *q, const pen_recommend_options *options, pen_answer_fn fn, void *user,
                             pen_error *error)
{
    PEN_CHECK(q && fn, PEN_E_ARGUMENT, "pen_recommend_all: an argument is NULL");
    int64_t lists = options && options->n > 0 ? options->n : 10;
    if (options && options->diversity > 0) lists *= 10;
    int64_t block = BLOCK_LISTS / lists;
    block = block < LEAST_BLOCK ? LEAST_BLOCK : block > MOST_BLOCK ? MOST_BLOCK : block;
    pen__cancel_clear(q->ctx);
    PEN_TRY(start_desk(q, options, (int32_t)block, error));
    pen_status status = all_blocks(&q->desk, fn, user, error);
    forget(q);
    return status;
}

/* ---- similar items ----------------------------------------------------------------------------------------------- */

/* The list as an answer of the desk's one seat: personal to nobody. */
static pen_status similar_list(pen_query *q, int32_t item, pen__seat *seat, pen_error *error)
{
    pen__desk *desk = &q->desk;
    const pen_model *model = q->model;
    const char *by;
    float *scores;
    int32_t n;
    PEN_TRY(PEN_NEW(q->ctx, scores, model->n_items));
    pen_status status = pen__similar(model, item, scores, &by, error);
    if (status == PEN_OK)
        status = pen__mask_top(&desk->mask, scores, model->n_items, pen__tie_key(seat->name.bytes, seat->name.length),
                               &item, 1, desk->n, seat->item, seat->score, &n, error);
    pen__free(q->ctx, scores);
    PEN_TRY(status);
    pen__reason_add(&seat->person.reason, "%s", by);
    seat->words.ctx = seat->text.ctx = q->ctx;
    return pen__seat_list(desk, seat, n, pen__mask_count(&desk->mask, &item, 1), error);
}

pen_status pen_similar(pen_query *q, pen_string id, const pen_recommend_options *options, const pen_answer **answer,
                       pen_error *error)
{
    PEN_CHECK(q && answer, PEN_E_ARGUMENT, "pen_similar: an argument is NULL");
    int32_t item;
    pen_recommend_options plain = PEN_RECOMMEND_OPTIONS_INIT;
    if (options) plain = *options;
    plain.diversity = 0;
    plain.why = 0;
    PEN_TRY(item_of(q->model, id, &item, error));
    PEN_TRY(start_desk(q, &plain, 1, error));
    pen__seat *seat = &q->desk.seat[0];
    PEN_TRY(keep_name(q, id, &seat->name, error));
    q->desk.n_seats = 1;
    q->desk.subject = "item";
    q->desk.rates = false;
    seat->person = (pen__person){.ctx = q->ctx, .how = PEN_HOW_PERSONAL, .reason = {.ctx = q->ctx}};
    PEN_TRY(similar_list(q, item, seat, error));
    *answer = &seat->answer;
    return PEN_OK;
}

/* ---- reasons, predictions ---------------------------------------------------------------------------------------- */

pen_status pen_explain(pen_query *q, const pen_who *who, pen_string id, const pen_explanation **explanation,
                       pen_error *error)
{
    PEN_CHECK(q && who && explanation, PEN_E_ARGUMENT, "pen_explain: an argument is NULL");
    int32_t item;
    pen_string name;
    PEN_TRY(item_of(q->model, id, &item, error));
    forget(q);
    q->name.ctx = q->ctx;
    PEN_TRY(keep_name(q, who->user, &name, error));
    PEN_TRY(pen__person_of(q->model, who, &q->why.person, error));
    PEN_TRY(pen__case_run(q->model, name, item, &q->why, error));
    *explanation = &q->why.out;
    return PEN_OK;
}

static pen_status hand_out(const pen_model *model, const pen_dataset *d, const pen__pairs *pairs, const uint8_t *known,
                           pen_prediction_fn fn, void *user, pen_error *error)
{
    for (int64_t i = 0; i < pairs->n; i++) {
        bool has_item = pairs->item[i] >= 0;
        const char *reason = known[i] && has_item ? ""
                             : known[i]           ? "the model does not know the item"
                             : has_item           ? "the model does not know the user"
                                                  : "the model knows neither the user nor the item";
        pen_prediction p = {.user = pen__string_from(pen__strings_at(&d->users, d->user[i])),
                            .item = pen__string_from(pen__strings_at(&d->items, d->item[i])),
                            .title = pen_model_item_title(model, pairs->item[i]),
                            .reason = pen_string_of(reason),
                            .value = pairs->value[i],
                            .actual = d->value ? (double)d->value[i] : (double)NAN,
                            .how = *reason ? PEN_HOW_FALLBACK : PEN_HOW_PERSONAL};
        PEN_CHECK(!fn(user, &p), PEN_E_CANCELLED, "the caller stopped after %lld pairs", (long long)i);
    }
    return PEN_OK;
}

pen_status pen_predict_all(pen_query *q, const pen_dataset *d, pen_prediction_fn fn, void *user, pen_error *error)
{
    PEN_CHECK(q && d && fn, PEN_E_ARGUMENT, "pen_predict_all: an argument is NULL");
    pen_status status = PEN_OK;
    pen__pairs pairs = {0};
    uint8_t *known = NULL;
    pen__cancel_clear(q->ctx);
    PEN_TRY_DONE(pen__pairs_of(q->model, d, &pairs, error));
    PEN_TRY_DONE(pen__pairs_predict(q->model, &pairs, error));
    PEN_TRY_DONE(PEN_NEW_ZERO(q->ctx, known, pairs.n));
    for (int64_t u = 0; u < pairs.n_users; u++)
        for (int64_t at = pairs.begin[u]; pairs.user[u] >= 0 && at < pairs.begin[u + 1]; at++)
            known[pairs.pair[at]] = 1;
    PEN_TRY_DONE(hand_out(q->model, d, &pairs, known, fn, user, error));
done:
    pen__pairs_free(&pairs);
    pen__free(q->ctx, known);
    return status;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

pen_status pen_export(pen_query *q, const char *what, const char *path, int32_t n, pen_error *error)
{
    PEN_CHECK(q && what && path, PEN_E_ARGUMENT, "pen_export: an argument is NULL");
    pen__cancel_clear(q->ctx);
    return pen__export(q->model, what, path, n, error);
}

/* The checks of the kind: what the tensors mean. A checkpoint's are the container's. */
static pen_status check_kind(pen_context *ctx, const char *path, const char *kind, pen_error *error)
{
    pen_model *model = NULL;
    pen_dataset *dataset = NULL;
    if (!strcmp(kind, "model")) PEN_TRY(pen__model_read(ctx, path, &model, error));
    if (!strcmp(kind, "dataset")) PEN_TRY(pen_dataset_open(ctx, path, &dataset, error));
    pen_model_destroy(model);
    pen_dataset_destroy(dataset);
    return PEN_OK;
}

pen_status pen_model_plan(const pen_model *model, pen_report **report, pen_error *error)
{
    PEN_CHECK(model && report, PEN_E_ARGUMENT, "pen_model_plan: an argument is NULL");
    *report = NULL;
    PEN_TRY(pen__report_new(model->ctx, report, error));
    pen_status status = pen__net_describe(model, &(*report)->text, error);
    if (status == PEN_OK && (*report)->text.failed)
        status = pen__fail(error, PEN_E_MEMORY, "out of memory describing a network");
    if (status == PEN_OK) return PEN_OK;
    pen_report_destroy(*report);
    *report = NULL;
    return status;
}

pen_status pen_file_info(pen_context *ctx, const char *path, pen_report **report, pen_error *error)
{
    PEN_CHECK(ctx && path && report, PEN_E_ARGUMENT, "pen_file_info: an argument is NULL");
    pen__container *c = NULL;
    pen_status status = PEN_OK;
    *report = NULL;
    PEN_TRY_DONE(pen__container_open(ctx, path, NULL, 1, 0, &c, error));
    PEN_TRY_DONE(check_kind(ctx, path, pen__container_kind(c), error));
    PEN_TRY_DONE(pen__report_new(ctx, report, error));
    pen__container_describe(c, &(*report)->text);
    pen__text_puts(&(*report)->text, ", \"sound\": true}");
    PEN_CHECK_DONE(!(*report)->text.failed, PEN_E_MEMORY, "out of memory describing '%s'", path);
done:
    pen__container_close(c);
    if (status != PEN_OK) {
        pen_report_destroy(*report);
        *report = NULL;
    }
    return status;
}
