/* Network models: a class whose plan (nn/plan.h) is trained in epochs of batches, and answers by the plan's nodes.
 *
 * A model on the engine is one file: its formula, its parameter table (PEN_NET_PARAMS and its own), a pen__net_class
 * that builds the plan and says what an example holds, and the pen__model_class, whose slots are the pen__net_
 * functions below. Its state struct begins with a pen__net.
 *
 * Training: the examples of an epoch are dealt anew by (seed, epoch) and cut into batches. While a batch is computed,
 * the next but one is filled (in parallel, each example with randomness of its own), and the next one's touched rows
 * are found. All that an epoch depends on is in tensors, parameters, seed and its number: resuming gives the same
 * bits. */
#ifndef PEN_TRAIN_NET_H
#define PEN_TRAIN_NET_H

#include "nn/ops.h"
#include "nn/run.h"
#include "rank/model.h"

/* One example while it is sized or filled: where its rows go. */
typedef struct pen__example {
    const pen_model *model;
    const pen__train *train; /* NULL when answering */
    const pen__user *user;   /* who is asked for; NULL in training */
    int64_t number;          /* of the example: 0 .. examples - 1; -1: the batch's shared rows */
    int32_t epoch;
    int64_t step;                   /* of the whole training, for number -1 */
    pen__rng rng;                   /* its own: begins from (seed, epoch, number) */
    int64_t rows[PEN_MAX_EXTENTS];  /* of children of the root, and of shared extents; the root has 1 */
    int32_t *index[PEN_MAX_INPUTS]; /* where its rows of each input begin */
    pen__real *real[PEN_MAX_INPUTS];
} pen__example;

typedef void (*pen__row_fn)(pen__example *example);

enum pen__side { PEN_SIDE_USER, PEN_SIDE_ITEM };

/* Vectors of all users or all items that are not rows of a table: a tensor, made anew after each epoch, from which
 * answers take an item's vector or that of a user whom the model knows. build sets all but the pointers. */
typedef struct pen__kept {
    const char *name; /* of the tensor (n, width); NULL: nothing is kept */
    int side;         /* whose vectors: n is the model's n_users or n_items */
    int32_t node;     /* (root, width), by the class's size_kept and fill_kept; -1: net->item_table's, at length 1 */
    const char *mean_name; /* of the tensor (width) that has their mean, which is taken from them; NULL: none is */
    float *row, *mean;     /* (n, width), (width): fetched by bind */
} pen__kept;

typedef struct pen__net {
    pen__plan *plan;
    int32_t user;       /* node (root, d): the user's vector; or -1 */
    int32_t item_table; /* its rows are the items' vectors; or -1 */
    int32_t item_bias;  /* a table of width 1, or -1 */
    bool cosine;        /* vectors are compared by direction alone: build says so before anything else */
    pen__kept kept;
    int32_t layered;      /* a table of items whose products with the layer that reads it are kept for answers; or -1 */
    int32_t items, score; /* models that score pairs: the extent of items, and the node of their scores; or -1 */
    int32_t user_table[4], n_user_tables; /* rows of users: solved for whom the model does not know */
    int32_t user_index, item_index;       /* pairs: the inputs that name them */
    pen__layout *answer;                  /* for `user` or `score` */
    pen__layout *solve;                   /* pairs: for fold-in */
    int64_t bound[PEN_MAX_EXTENTS];
    struct pen__feed *feed; /* made by the first epoch */
    pen__run *run;
} pen__net;

/* The tensor that says how large training's batches were: (2, extents), rows of the largest batch, of its largest
 * shard. */
#define PEN_NET_ROWS "batch.rows"

typedef struct pen__net_class {
    /* Appends the network to net->plan and names its parts in net. Weights and tables have no data yet. */
    void (*build)(const pen_model *model, pen__net *net);
    /* Examples an epoch, and how many make a batch and a shard. */
    int64_t (*examples)(const pen_model *model, const pen__train *train);
    int32_t (*batch)(const pen_model *model); /* NULL: the parameter batch_size */
    int32_t grain;                            /* examples of a shard; 0: an eighth of a batch */
    /* What must be ready before an epoch (once; tensors are bound); NULL: nothing. */
    pen_status (*ready)(pen_model *model, const pen__train *train, pen_error *error);
    /* Sets example->rows of children (and, for number -1, of shared extents), from number, epoch and train (or user)
     * alone. */
    pen__row_fn size;
    /* Writes the inputs of the example's rows; for number -1 those of shared extents. */
    pen__row_fn fill;
    /* What net->kept computes: size and fill of the user or item example->number. */
    pen__row_fn size_kept, fill_kept;
    /* The most rows of each extent that an answer may have (root 1); sets bound[]. */
    void (*bounds)(const pen_model *model, int64_t *bound);
} pen__net_class;

/* ---- slots of a pen__model_class --------------------------------------------------------------------------------- */

/* Bytes of what answers need (*kept: weights, tables, vectors), and of that with what training keeps beside (*all). */
pen_status pen__net_memory(const pen__model_class *class, const pen__params *params, const pen__train *train,
                           uint64_t *kept, uint64_t *all, pen_error *error);
pen_status pen__net_begin(pen_model *model, const pen__train *train, pen_error *error);
pen_status pen__net_epoch(pen_model *model, const pen__train *train, int32_t epoch, double *loss, pen_error *error);
pen_status pen__net_build(pen_model *model,
                          pen_error *error); /* the plan on the model's tensors, without an answer's layout: for bind */
pen_status pen__net_bind(pen_model *model, pen_error *error);
void pen__net_unbind(pen_model *model);
size_t pen__net_scratch(const pen_model *model);
void pen__net_factors(const pen_model *model, pen__factors *out);
pen_status pen__net_user_vector(const pen_model *model, const pen__user *user, void *scratch, float *out,
                                pen_error *error);
pen_status pen__net_user_vectors(const pen_model *model, const pen__user *user, int64_t n, float *out,
                                 pen_error *error);

/* The slots that all network models share. */
#define PEN_NET_SLOTS .begin = pen__net_begin, .epoch = pen__net_epoch

/* Those of models that answer by net->user and net->item_table, from what `fill` writes for a user. */
#define PEN_NET_VECTORS                                                              \
    .bind = pen__net_bind, .scratch = pen__net_scratch, .factors = pen__net_factors, \
    .user_vector = pen__net_user_vector, .user_vectors = pen__net_user_vectors

/* Examples of a batch, and of a shard of it. */
int32_t pen__net_batch(const pen_model *model);
int32_t pen__net_grain(const pen_model *model);

/* The network of a bound model, with what training's batches were like, as a JSON object (penchant/query.h,
 * pen_model_plan). PEN_E_UNSUPPORTED where the model has none, or does not know its batches. */
pen_status pen__net_describe(const pen_model *model, pen__text *out, pen_error *error);

/* In build: the table's rows are users, solved for whom the model does not know. */
void pen__net_solves(pen__net *net, int32_t table);

/* Rows of a node (root, width): 0 .. n - 1, as size and fill write a row for example->number (and train, which may be
 * NULL). Only the inputs that the node stands on need be written; what answers need stands on no shared extent. */
typedef struct pen__seen {
    int32_t node;
    int64_t n;
    pen__row_fn size, fill;
    const pen__user *user; /* n of them, who are asked for; NULL: example->number says what is */
} pen__seen;

/* Them into out (n, width): the vectors of all items, say. Done whole though the work is broken off meanwhile. */
pen_status pen__net_see(const pen_model *model, const pen__train *train, const pen__seen *seen, float *out,
                        pen_error *error);

/* All shards, like pen__parallel, but to the end though the work is broken off (then in the calling thread alone): what
 * is kept beside weights must be of the weights that are left. */
pen_status pen__net_finish(pen_context *ctx, int64_t n_shards, pen__shard_fn fn, void *arg, pen_error *error);

/* net->kept, and the products of net->layered, for what begins, binds and trains models: the rows' width (0: there are
 * none); their number; numbers that are kept in all; the tensors; their values after an epoch. */
int32_t pen__net_kept_width(const pen__net *net);
int64_t pen__net_kept_rows(const pen_model *model, const pen__net *net);
int64_t pen__net_kept_reals(const pen_model *model, const pen__net *net);
pen_status pen__net_kept_add(pen_model *model, const pen__net *net, pen_error *error);
pen_status pen__net_kept_bind(pen_model *model, pen_error *error);
pen_status pen__net_kept_find(const pen_model *model, const pen__train *train, pen_error *error);

/* In build: a vector as it is compared: at length 1 where net->cosine. */
int32_t pen__net_compared(pen__net *net, int32_t vector);

/* In build: a table (rows, factors), its first values normal with deviation `init`. */
int32_t pen__net_table(pen__plan *plan, const pen_model *model, const char *name, int64_t rows);

/* In build: hidden layers of a tower over the n nodes x of one extent: `width` wide, then each half as wide as the one
 * before it, ReLU, and the model's dropout. Their weights are PREFIX0, PREFIX1 ... x[0] becomes the last of them. How
 * many nodes x has then: 1, or n where there are no layers. */
int32_t pen__net_tower(pen__plan *plan, const pen_model *model, const char *prefix, int32_t *x, int32_t n,
                       int32_t layers, int32_t width);

/* ---- for fill functions ------------------------------------------------------------------------------------------ */

enum { PEN_NET_MOST = 16384 /* of the latest of a history, that an answer by a bag looks at */ };

static inline int64_t pen__least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Events of an example that is one of training's users or items, and of who is asked for the latest PEN_NET_MOST;
 * number -1 has none. */
typedef struct pen__row {
    const int32_t *column; /* the other side's numbers */
    const float *value;
    int64_t n;
} pen__row;
pen__row pen__net_row(const pen__example *example, int side);

/* Whether something is left out of an example in training, by its draw number k (from 0): size and fill hear the same.
 * Never of an answer. */
bool pen__left_out(const pen__example *example, int k, double chance);

/* An item, uniform, that `user` of training has no event with; after 100 tries whatever was drawn. */
int32_t pen__net_negative(const pen__train *train, int32_t user, pen__rng *rng);

/* ---- parameters -------------------------------------------------------------------------------------------------- */

#define PEN_NET_FACTORS(STANDARD, DOC) PEN_P_INT_LOG("factors", STANDARD, 1, 4096, DOC)
#define PEN_NET_TOWER(BEHIND)                                 \
    PEN_P_INT("layers", "1", 0, 6, "hidden layers; " BEHIND), \
        PEN_P_INT_LOG("hidden", "128", 1, 4096,               \
                      "width of the first of them; each is half as wide as the one before it")
#define PEN_NET_DROPOUT(STANDARD, DOC) PEN_P_REAL("dropout", STANDARD, 0, 0.95, DOC)
#define PEN_NET_INIT(STANDARD, DOC) PEN_P_REAL_LOG("init", STANDARD, 0, 10, DOC)

#define PEN_NET_PARAMS(EPOCHS, PATIENCE, BATCH, BATCH_OF, RATE, OPTIMIZER, L2)                                         \
    PEN_P_INT_LOG("epochs", EPOCHS, 1, 10000, "passes over the examples, at most"),                                    \
        PEN_P_INT("patience", PATIENCE, 0, 1000,                                                                       \
                  "epochs without a better validation before training stops; 0: never; the best epoch is kept"),       \
        PEN_P_INT_LOG("batch_size", BATCH, 1, 1000000, BATCH_OF " of one step"),                                       \
        PEN_P_REAL_LOG("learning_rate", RATE, 1e-7, 100, "size of a step, before the schedule"),                       \
        PEN_P_CHOICE("optimizer", OPTIMIZER, PEN_OPTIMISERS,                                                           \
                     "how steps are sized; tables learn the rows that a batch touches"),                               \
        PEN_P_REAL_LOG("regularization", L2, 0, 10,                                                                    \
                       "L2 penalty of weights and of touched rows (adamw: decay apart from the gradient)"),            \
        PEN_P_REAL_LOG("l1", "0", 0, 10, "L1 penalty, likewise"),                                                      \
        PEN_P_REAL_LOG("regularization_tables", "1", 0, 1e6,                                                           \
                       "both penalties of rows of tables, in times of those of layers: 0 leaves embeddings free"),     \
        PEN_P_REAL("beta1", "0.9", 0, 0.9999, "momentum, or decay of the first moment"),                               \
        PEN_P_REAL("beta2", "0.999", 0, 0.999999, "decay of the second moment"),                                       \
        PEN_P_REAL_LOG("clip", "0", 0, 1e6, "largest norm of a step's gradient; 0: any"),                              \
        PEN_P_CHOICE("schedule", "constant", PEN_SCHEDULES,                                                            \
                     "of the learning rate over the epochs; step halves it at each tenth of the steps, plateau where " \
                     "validation rests"),                                                                              \
        PEN_P_INT("plateau", "2", 1, 1000,                                                                             \
                  "schedule=plateau: epochs without a better validation before the rate is halved"),                   \
        PEN_P_REAL("ema", "0", 0, 0.9999,                                                                              \
                   "decay a step of averaged weights, which validate and answer (0.999); 0: none"),                    \
        PEN_P_INT("warmup", "0", 0, 1000000, "steps over which the rate rises from 0")

#endif
