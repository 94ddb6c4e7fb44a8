/* Asking a trained model: recommendations, similar items, reasons, predictions, and what a file holds.
 *
 *     pen_model *model;
 *     pen_query *query;
 *     pen_who who = PEN_WHO_INIT;
 *     pen_recommend_options options = PEN_RECOMMEND_OPTIONS_INIT;
 *     const pen_answer *answer;
 *     pen_error error = {0};
 *     who.user = pen_string_of("196");
 *     if (pen_model_open(ctx, "films.pen", &model, &error) || pen_query_create(model, &query, &error) ||
 *         pen_recommend(query, &who, &options, &answer, &error))
 *         return fprintf(stderr, "%s\n", error.message), 1;
 *     for (int32_t i = 0; i < answer->n; i++)
 *         printf("%.*s %g\n", (int)answer->items[i].id.length, answer->items[i].id.bytes, answer->items[i].score);
 *     pen_query_destroy(query);
 *     pen_model_destroy(model);
 *
 * Thread-safety: a model is shared by any number of queries; one query belongs to one thread at a time. Calls that
 * answer one question run in the calling thread; those whose name ends in _all use the context's threads, and one
 * context serves one such call at a time. What a call answers lives until the next call on its query, or until the
 * query is destroyed. Since 0.1.
 */
#ifndef PENCHANT_QUERY_H
#define PENCHANT_QUERY_H

#include <string.h>

#include "penchant/evaluate.h"
#include "penchant/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pen_query pen_query;

/* Borrowed bytes (ids are any UTF-8, NULs among them); no NUL stands behind them. bytes NULL: there is none. */
typedef struct pen_string {
    const char *bytes;
    size_t length;
} pen_string;

static inline pen_string pen_string_of(const char *text)
{
    pen_string string;
    string.bytes = text;
    string.length = text ? strlen(text) : 0;
    return string;
}

/* A query of the model, which must outlive it. What all queries of a model need (its items packed for the kernels) is
 * made once, by the first. PEN_E_UNSUPPORTED where the model does not keep its ids (one that was never saved or trained
 * whole). */
PEN_API pen_status pen_query_create(const pen_model *model, pen_query **query, pen_error *error);
PEN_API void pen_query_destroy(pen_query *query); /* NULL is allowed */

/* ---- ids --------------------------------------------------------------------------------------------------------- */

/* The number of an id, or -1. Thread-safe. */
PEN_API int32_t pen_model_find_user(const pen_model *model, pen_string id);
PEN_API int32_t pen_model_find_item(const pen_model *model, pen_string id);

/* The id; bytes NULL when out of range. Live as long as the model. Thread-safe. */
PEN_API pen_string pen_model_user_id(const pen_model *model, int32_t user);
PEN_API pen_string pen_model_item_id(const pen_model *model, int32_t item);

/* The title; length 0 where the item has none. */
PEN_API pen_string pen_model_item_title(const pen_model *model, int32_t item);

/* ---- who asks ---------------------------------------------------------------------------------------------------- */

/* A user by id, a history of items, or both: then the history comes after what the model knows of the user. */
typedef struct pen_who {
    size_t struct_size;
    pen_string user;           /* bytes NULL: nobody by name */
    const pen_string *history; /* n_history ids, oldest first; NULL: none */
    /* n_history: ratings (or weights, when ranking); NaN or values NULL: liked as much as can be */
    const float *values;
    size_t n_history;
} pen_who;

#define PEN_WHO_INIT                              \
    {                                             \
        sizeof(pen_who), {NULL, 0}, NULL, NULL, 0 \
    }

/* How an answer was made. */
typedef enum pen_how {
    PEN_HOW_PERSONAL = 1,  /* from what the model learned of this user */
    PEN_HOW_FOLDED_IN = 2, /* from the history, by a model that was not trained on it */
    PEN_HOW_FALLBACK = 3   /* neither was possible: the most popular items; `reason` says why */
} pen_how;

PEN_API const char *pen_how_text(pen_how how); /* "personal", "folded-in", "fallback" */

/* ---- recommendations --------------------------------------------------------------------------------------------- */

typedef enum pen_render { PEN_RENDER_NONE = 0, PEN_RENDER_JSON = 1, PEN_RENDER_CSV = 2 } pen_render;

typedef struct pen_recommend_options {
    size_t struct_size;
    /* items; allow NULL: all. Ids that the model lacks are passed over, and counted in `reason` */
    const pen_string *allow, *deny;
    size_t n_allow, n_deny;
    /* an expression over the item table, docs/cli/where.md: genre = "Drama" and year >= 1990 */
    const char *where;
    int64_t min_popularity; /* items with fewer events in training are left out */
    double diversity;       /* 0: none .. 1: nothing else (maximal marginal relevance) */
    int32_t n;              /* how many; default 10 */
    int32_t keep_seen;      /* 1: what the user had may be recommended again */
    int32_t why;            /* 1: words on each item */
    int32_t render;         /* a pen_render: answers carry their text as well */
} pen_recommend_options;

#define PEN_RECOMMEND_OPTIONS_INIT                                               \
    {                                                                            \
        sizeof(pen_recommend_options), NULL, NULL, 0, 0, NULL, 0, 0, 10, 0, 0, 0 \
    }

typedef struct pen_pick {
    pen_string id;
    pen_string title; /* length 0 where there is none */
    pen_string why;   /* words, where asked for */
    int32_t item;     /* the model's number */
    float score;      /* of the model: the predicted rating where it rates; the number of events in a fallback */
} pen_pick;

/* Exactly n items, or all that are allowed where fewer are: then `reason` says so. */
typedef struct pen_answer {
    size_t struct_size;
    pen_string user;       /* the id asked for; bytes NULL: a history alone */
    pen_string reason;     /* what is to be said about how the answer was made; often nothing */
    pen_string text;       /* rendered: a JSON object, or lines of CSV (user,place,item,title,score,how,why) */
    const pen_pick *items; /* n, best first */
    int64_t n_allowed;     /* items that filters and history left */
    double
        relevance_kept; /* with diversity: the list's mean score as a share of the undiversified list's; NaN otherwise,
                                  and where scores are not all positive */
    /* mean similarity of the pairs of the list, without and with; NaN otherwise */
    double similarity_before, similarity_after;
    int32_t n;
    int32_t how; /* a pen_how */
} pen_answer;

PEN_API pen_status pen_recommend(pen_query *query, const pen_who *who, const pen_recommend_options *options,
                                 const pen_answer **answer, pen_error *error);

/* Called in the order of the model's users, from the calling thread; a non-zero answer stops with PEN_E_CANCELLED. */
typedef int (*pen_answer_fn)(void *user, const pen_answer *answer);

/* Every user's list, in blocks of bounded memory, in parallel. A user's answer is the same as alone. */
PEN_API pen_status pen_recommend_all(pen_query *query, const pen_recommend_options *options, pen_answer_fn fn,
                                     void *user, pen_error *error);

/* The items most like one: the model's own similarity, else the cosine of its vectors, else that of who had both;
 * `reason` says which. keep_seen, diversity and why have no meaning. PEN_E_UNKNOWN where the model lacks the item. */
PEN_API pen_status pen_similar(pen_query *query, pen_string item, const pen_recommend_options *options,
                               const pen_answer **answer, pen_error *error);

/* ---- reasons ----------------------------------------------------------------------------------------------------- */

typedef struct pen_reason {
    pen_string id, title; /* an item of the history; bytes NULL: `what` says what it is */
    pen_string what;      /* "popular with everybody"; length 0 for an item of the history */
    float value;          /* the rating or weight of that event; NaN otherwise */
    float share;          /* of the score */
    int32_t item;         /* the model's number, or -1 */
    int32_t reserved;     /* zero */
} pen_reason;

typedef struct pen_explanation {
    size_t struct_size;
    pen_string user, reason; /* as in an answer */
    pen_string id, title, why;
    pen_string text;           /* all of it as a JSON object */
    const pen_reason *reasons; /* n, the largest share first */
    double score;              /* as recommend has it, but a rating is not held to training's range */
    int64_t place;             /* 1: the best for this user; 0: the user had it */
    int32_t n, how, item;
    int32_t exact; /* 1: the shares sum to the score; 0: each is what the score loses without that event */
} pen_explanation;

/* Why the item has its score for this user. Where the model cannot take the score apart, the latest 256 events of the
 * history have shares; what the model does not read has none, or next to none. PEN_E_UNKNOWN where the model lacks the
 * item. */
PEN_API pen_status pen_explain(pen_query *query, const pen_who *who, pen_string item,
                               const pen_explanation **explanation, pen_error *error);

/* ---- predictions ------------------------------------------------------------------------------------------------- */

typedef struct pen_prediction {
    pen_string user, item, title;
    pen_string reason; /* what is to be said: which of the two is unknown */
    double value;      /* the predicted rating, or the score; NaN where the model has no score for it */
    double actual;     /* the value that stands in the pairs; NaN where there is none */
    int32_t how;       /* a pen_how */
    int32_t reserved;  /* zero */
} pen_prediction;

typedef int (*pen_prediction_fn)(void *user, const pen_prediction *prediction);

/* Rating (or score) of every pair of a data set, in its order. What is unknown is answered with what is left: the
 * item's mean, the user's mean, the mean of all; a model that ranks has no score for an unknown item. In parallel. */
PEN_API pen_status pen_predict_all(pen_query *query, const pen_dataset *pairs, pen_prediction_fn fn, void *user,
                                   pen_error *error);

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* Writes a part of the model: "users", "items" (ids, titles, events), "user-vectors", "item-vectors", "history",
 * "neighbours", or "tensors" (each to PATH/NAME.npy). A path that ends in .npy gets NumPy's format, any other
 * tab-separated text; "-" is standard output. `n`: how many neighbours of each item. */
PEN_API pen_status pen_export(pen_query *query, const char *what, const char *path, int32_t n, pen_error *error);

/* The network of a model as JSON, with the sizes of the largest batch that its training had:
 * {"model",
 *  "batch": {"shards", "threads" (the context's),
 *            "extents": [{"name", "parent", "shared", "rows", "shard_rows", "answer_rows"}]},
 *  "ops", in the order of computing: [{"number", "op", "weights", "tables", "reads" (numbers of ops, names of inputs),
 *            "extent", "rows", "width" (a loss: 0), "flops": {"forward", "backward"} of the batch, "bytes" in a
 *            shard's arena, "loss", "trained", "answers" (an answer runs it), "answer_bytes",
 *            "answer_knows" (what it reads that answers need not run, since its products are kept), "answer_flops"}],
 *  "weights": [{"name", "shape", "bytes"}], "tables": [{"name", "shape", "bytes", "optimizer_bytes", "steps"}],
 *  "training": {"flops", "arenas", "bytes": {"arena" (of a shard), "arena_without_sharing", "arenas" (all), "scratch",
 *            "gradients", "weights", "tables", "optimizer", "averages"}},
 *  "answer": {"gives", "ops", "flops", "bytes"}, null where answers do not run the plan,
 *  "solve": {"bytes"}, null where no user is solved for}
 * PEN_E_UNSUPPORTED for a model that is no network. Thread-safe. */
PEN_API pen_status pen_model_plan(const pen_model *model, pen_report **report, pen_error *error);

/* What a .pds, .pen or .ckpt file holds, validated whole, as JSON: {"path", "kind", "version", "hash", "bytes",
 * "sound", "metadata": {...}, "tensors": [{"name", "type", "shape", "bytes"}, ...]}. PEN_E_FORMAT where it is not
 * sound. */
PEN_API pen_status pen_file_info(pen_context *ctx, const char *path, pen_report **report, pen_error *error);

#ifdef __cplusplus
}
#endif
#endif
