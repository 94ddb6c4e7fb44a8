/* The one interface of all models.
 *
 * A model is one .c file that ends in a const pen__model_class, and a line in src/model/models.def. The class says what
 * the model is (tables that drive parsing, help, pages and search), how it is fitted, and how it answers. A model's
 * state is a set of named tensors (pen__model_add), so that saving, checkpoints, best-so-far copies and loading are
 * written once; `bind` fetches the pointers again, after fitting and after loading alike, and checks shapes and ranges.
 *
 * How it answers, in order of preference of the caller:
 *   vectors: `factors` + `user_vector` (score = <user vector, item factor> + item bias): ranked by the fused kernel
 *   scores:  `score` fills all items' scores for one user
 * Ratings are answered by `rate`. A slot that a model lacks is NULL; the generic answer stands in rank/ (see each
 * slot).
 */
#ifndef PEN_RANK_MODEL_H
#define PEN_RANK_MODEL_H

#include "data/interactions.h"
#include "penchant/model.h"
#include "store/dtype.h"

/* One user as a model sees it. history: everything that is known, in order of time. */
typedef struct pen__user {
    int32_t number; /* the model's number of the user, or -1: answered from the history (fold-in) */
    int64_t n;
    const int32_t *item; /* n, the model's numbers */
    const float *value;  /* n: ratings, or weights; never NULL where n > 0 */
    const int64_t *time; /* n, or NULL */
} pen__user;

/* The items' side of a model whose score is a dot product. */
typedef struct pen__factors {
    int32_t d;
    const float *item; /* n_items x d, row-major */
    const float *bias; /* n_items, or NULL */
} pen__factors;

/* One share of a score: `item` of the history and how much of the score it explains. */
typedef struct pen__reason {
    int32_t item; /* -1: the rest that no event of the history explains (a mean, a bias, popularity) */
    float share;
    /* static: "because you liked", "popular with everybody", "bias" ...; NULL: an event of the history */
    const char *what;
} pen__reason;

/* What a tensor is for: the parts of the state that a .pen keeps, and what only training needs (optimiser state). */
enum pen__role { PEN_ROLE_PARAM = 1, PEN_ROLE_OPTIMISER = 2 };

typedef struct pen__state_tensor {
    char name[48];
    int32_t dtype, role, n_dims; /* dtype: a pen__dtype */
    int64_t dim[3];
    void *data; /* owned unless the model is mapped */
} pen__state_tensor;

enum { PEN_TEXT_PARAMS = 4, PEN_TEXT_PARAM_BYTES = 256 };

/* Values of the class's parameter table, in its order. Choices are the index of the choice; of a text, its place in
 * `text`. */
typedef struct pen__params {
    double value[48];
    char text[PEN_TEXT_PARAMS][PEN_TEXT_PARAM_BYTES];
    uint64_t given; /* bit i: set by the user */
} pen__params;

/* What an epoch says of itself beside its loss, where somebody asks (model->told); NaN: the model knows no such
 * thing. */
typedef struct pen__told {
    double examples;            /* how many it dealt; the trainer has put training's events here */
    double rate;                /* the learning rate of its last step */
    double gradient;            /* mean over its steps of the norm of the whole gradient, before clipping */
    double weights, embeddings; /* at its end: norms of all dense weights, of all tables */
    char spent[1024];           /* where its time went, as a JSON object (pen__spent_tell); "": not known */
} pen__told;

typedef struct pen__model_class pen__model_class;
struct pen__catalogue;
struct pen__net_class;

struct pen_model {
    pen_context *ctx;
    const pen__model_class *class;
    pen__params params;
    int32_t n_users, n_items;
    int32_t task;
    double mean;       /* of training's values */
    float least, most; /* range of training's values: rates are clipped to it */
    uint64_t seed;
    uint64_t pretrained; /* a hash of the weights that it started from (pen__pretrained_key); 0: its own */
    int32_t n_tensors;
    pen__state_tensor *tensor;
    void *state; /* class->state_size bytes, zeroed before bind */
    /* ids, titles, seen, popularity (rank/catalogue.h); NULL while a model is only evaluated */
    struct pen__catalogue *catalogue;
    void *container; /* owns mapped tensors, or NULL */
    void (*close_container)(void *container);
    int32_t bound;                        /* bind succeeded: unbind is due */
    _Atomic(struct pen__ranker *) ranker; /* made by the first who asks (pen__model_ranker), shared by all */
    const pen__train *train;              /* while fitting and evaluating; NULL in a model from a file */
    struct pen__meter *meter;             /* while fitting, or NULL: see pen__model_tick */
    pen__told *told;                      /* while fitting where there is a log, or NULL */
    int32_t halvings;                     /* while fitting: how often the learning rate was halved (train/trainer.h) */
    int64_t meter_from;                   /* what the meter stood at when this epoch began */
    char *about;                          /* JSON, see pen_model_about */
};

struct pen__model_class {
    const char *name;    /* "item-knn" */
    const char *family;  /* "neighbour": also its folder */
    const char *summary; /* one line */
    const char *formula; /* plain ASCII, lines */
    const char *paper;
    uint32_t tasks; /* 1 << PEN_TASK_RANK | 1 << PEN_TASK_RATE */
    const pen_param *params;
    size_t n_params;
    size_t state_size; /* of the struct behind model->state */

    /* Which of a table's ids without events the model knows by their row (pen__train_widen); NULL: none. */
    void (*reach)(const pen__model_class *class, const pen__params *params, bool *users, bool *items);

    /* Bytes that fitting and the model will hold, before it starts; NULL: tensors are small. */
    uint64_t (*memory)(const pen__params *params, const pen__train *train);

    /* Exactly one of the two: fit everything at once; or begin (add tensors, initialise) and then one call an epoch,
     * counted from 0, whose *loss is the mean training loss before or during it. A resumed run calls begin, loads the
     * tensors, calls bind and goes on: an epoch must depend only on tensors, params, seed and its number. */
    pen_status (*fit)(pen_model *model, const pen__train *train, pen_error *error);
    pen_status (*begin)(pen_model *model, const pen__train *train, pen_error *error);
    pen_status (*epoch)(pen_model *model, const pen__train *train, int32_t epoch, double *loss, pen_error *error);

    /* Takes weights of trained models over, in place of its own first values: called after begin, once; `train` is what
     * the model is about to learn from. PEN_E_ARGUMENT where they do not fit. NULL: it starts from nothing else. */
    pen_status (*pretrain)(pen_model *model, const pen__train *train, const pen_model *const *from, size_t n_from,
                           pen_error *error);

    /* Of a model on the neural engine (train/net.h), whose slots are the pen__net_ functions; NULL: not one. */
    const struct pen__net_class *net;

    /* Fetches the tensors into model->state and checks shapes and id ranges. After begin/fit, after loading. */
    pen_status (*bind)(pen_model *model, pen_error *error);
    /* Frees what bind allocated in state beyond tensors; NULL: nothing. */
    void (*unbind)(pen_model *model);

    /* Bytes of scratch that one thread needs in the calls below; NULL: 0. Zeroed when it is made, then the model's own
     * from call to call: a class may keep in it what it likes. */
    size_t (*scratch)(const pen_model *model);

    /* Vectors. user_vector serves known users and fold-in (user->number -1): out has d floats. PEN_E_UNSUPPORTED cannot
     * happen: a history without known items gives zeros. */
    void (*factors)(const pen_model *model, pen__factors *out);
    pen_status (*user_vector)(const pen_model *model, const pen__user *user, void *scratch, float *out,
                              pen_error *error);
    /* The same of n whom the model does not know (number -1), together, in the calling thread: out (n, d), to the same
     * bits. NULL: one after another. */
    pen_status (*user_vectors)(const pen_model *model, const pen__user *user, int64_t n, float *out, pen_error *error);

    /* Scores of all items (n_items floats) for one user; needed where `factors` is NULL. */
    pen_status (*score)(const pen_model *model, const pen__user *user, void *scratch, float *scores, pen_error *error);
    /* The same numbers for n items alone, where that costs less; NULL: `score`. */
    pen_status (*score_some)(const pen_model *model, const pen__user *user, const int32_t *item, int64_t n,
                             void *scratch, float *scores, pen_error *error);

    /* The predicted rating, not clipped; item -1 is one that the model lacks. NULL where the task is not rating. */
    pen_status (*rate)(const pen_model *model, const pen__user *user, int32_t item, void *scratch, double *rating,
                       pen_error *error);

    /* Why `item` has its score: up to cap reasons; shares sum to the score where *exact is set to 1. NULL: the generic
     * one, the score without each event of the history (fold-in), rank/explain.c. */
    pen_status (*explain)(const pen_model *model, const pen__user *user, int32_t item, void *scratch, pen__reason *out,
                          int32_t cap, int32_t *n, int32_t *exact, pen_error *error);

    /* Similarity of `item` to every item (n_items floats). NULL: cosine of the factors, or of the items' training
     * columns. */
    pen_status (*similar)(const pen_model *model, int32_t item, void *scratch, float *scores, pen_error *error);
};

/* ---- parameters -------------------------------------------------------------------------------------------------- */

/* Rows of a parameter table; LOG: worth searching on a logarithmic scale. */
#define PEN_P_NUMBER(TYPE, NAME, STANDARD, LOW, HIGH, LOG, DOC)                                                   \
    {                                                                                                             \
        .name = NAME, .type = PEN_PARAM_##TYPE, .standard = STANDARD, .low = LOW, .high = HIGH, .log_scale = LOG, \
        .doc = DOC                                                                                                \
    }
#define PEN_P_INT(NAME, STANDARD, LOW, HIGH, DOC) PEN_P_NUMBER(INT, NAME, STANDARD, LOW, HIGH, 0, DOC)
#define PEN_P_INT_LOG(NAME, STANDARD, LOW, HIGH, DOC) PEN_P_NUMBER(INT, NAME, STANDARD, LOW, HIGH, 1, DOC)
#define PEN_P_REAL(NAME, STANDARD, LOW, HIGH, DOC) PEN_P_NUMBER(REAL, NAME, STANDARD, LOW, HIGH, 0, DOC)
#define PEN_P_REAL_LOG(NAME, STANDARD, LOW, HIGH, DOC) PEN_P_NUMBER(REAL, NAME, STANDARD, LOW, HIGH, 1, DOC)
#define PEN_P_BOOL(NAME, STANDARD, DOC) PEN_P_NUMBER(BOOL, NAME, STANDARD, 0, 1, 0, DOC)
#define PEN_P_CHOICE(NAME, STANDARD, CHOICES, DOC)                                                   \
    {                                                                                                \
        .name = NAME, .type = PEN_PARAM_CHOICE, .standard = STANDARD, .choices = CHOICES, .doc = DOC \
    }
#define PEN_P_TEXT(NAME, STANDARD, DOC)                                        \
    {                                                                          \
        .name = NAME, .type = PEN_PARAM_TEXT, .standard = STANDARD, .doc = DOC \
    }

void pen__params_default(const pen__model_class *class, pen__params *params);

/* "name=value"; an unknown name is refused with the nearest, a value out of range with the range. */
pen_status pen__params_set(const pen__model_class *class, pen__params *params, const char *assignment,
                           pen_error *error);

/* Index of the parameter; asserts that there is one: for model files. */
double pen__param(const pen_model *model, const char *name);
static inline int32_t pen__param_int(const pen_model *model, const char *name)
{
    return (int32_t)pen__param(model, name);
}

/* Of a parameter that is a text; lives as long as the model. */
const char *pen__param_text(const pen_model *model, const char *name);

/* Same from params alone. */
double pen__params_get(const pen__model_class *class, const pen__params *params, const char *name);
const char *pen__params_text(const pen__model_class *class, const pen__params *params, const char *name);

/* Whether the class has that parameter. */
bool pen__params_has(const pen__model_class *class, const char *name);

/* The params as a JSON object. */
void pen__params_json(const pen__model_class *class, const pen__params *params, pen__text *out);

/* ---- state ------------------------------------------------------------------------------------------------------- */

/* Adds a tensor (zeroed, 64-byte aligned) of up to 3 dims (0 ends them). */
pen_status pen__model_add(pen_model *model, const char *name, int dtype, int role, int64_t d0, int64_t d1, int64_t d2,
                          void *data_out, pen_error *error);

/* Fetches one: dtype and dims must match (-1: any); actual dims into dims_out[3] where not NULL. For bind. */
pen_status pen__model_get(const pen_model *model, const char *name, int dtype, int64_t d0, int64_t d1, int64_t d2,
                          int64_t *dims_out, void *data_out, pen_error *error);

size_t pen__state_type_size(int dtype);
int64_t pen__state_elements(const pen__state_tensor *tensor);
size_t pen__state_bytes(const pen__state_tensor *tensor);

/* NULL when there is none. */
pen__state_tensor *pen__model_tensor(const pen_model *model, const char *name);

/* A model with no tensors; params are copied. */
pen_status pen__model_new(pen_context *ctx, const pen__model_class *class, const pen__params *params,
                          const pen__train *train, uint64_t seed, pen_model **out, pen_error *error);
void pen__model_free(pen_model *model);

/* Progress inside a fit or an epoch: `done` of training's n_events events are done. Cheap; from worker 0 or the calling
 * thread. PEN_E_CANCELLED where the user asked to stop: return it. */
pen_status pen__model_tick(pen_model *model, int64_t done, pen_error *error);

/* For an epoch: its learning rate. */
static inline void pen__model_tell_rate(pen_model *model, double rate)
{
    if (model->told) model->told->rate = rate;
}

/* Calls unbind, clears state, calls bind. */
pen_status pen__model_bind(pen_model *model, pen_error *error);

/* ---- registry (the table is src/model/registry.c, from models.def) ----------------------------------------------- */

size_t pen__model_classes(const pen__model_class *const **classes);
const pen__model_class *pen__model_class_find(const char *name);

#endif
