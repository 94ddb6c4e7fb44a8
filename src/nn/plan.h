/* The static plan of a network: what a step computes, in which order, on what.
 *
 *     pen__plan_create(ctx, &plan, error);
 *     int32_t events = pen__extent_child(plan, PEN_ROOT, "events");            // several events of one user
 *     int32_t user = pen__input_index(plan, PEN_ROOT, "user"), item = pen__input_index(plan, events, "item");
 *     int32_t label = pen__input_real(plan, events, 1, "label");
 *     int32_t p = pen__gather(plan, pen__plan_table(plan, "user", n_users, 64, init), user);
 *     int32_t q = pen__gather(plan, pen__plan_table(plan, "item", n_items, 64, init), item);
 *     pen__loss_pointwise(plan, PEN_LOSS_LOGISTIC, pen__dot(plan, p, q), label, -1);
 *     pen__plan_end(plan, error);
 *
 * Constructors infer shapes and append; append order is the order of computing, and backward runs it in reverse. A node
 * is a matrix: its width is static, its rows belong to an extent. Extents make batches ragged without padding:
 *   root      the examples of a batch, numbered 0..n-1; data-parallel shards cut it into ranges;
 *   child     0 or more rows for each row of its parent, packed end to end with offsets (a session's clicks);
 *   shared    rows that belong to the whole batch and are never cut (shared negatives).
 * Embedding tables are not nodes: lookups (gather, bag) read their rows, and only the rows touched are learned.
 *
 * A constructor that fails returns -1, the plan keeps the first failure, and everything after it returns -1 too: a
 * model's build reads straight through and pen__plan_end says what was wrong. Not thread-safe while it is built,
 * immutable afterwards. */
#ifndef PEN_NN_PLAN_H
#define PEN_NN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kern/real.h"
#include "penchant/context.h"

enum {
    PEN_ROOT = 0,        /* the extent of a batch's examples */
    PEN_EACH_SHARD = -1, /* instead of an extent, of an op's `aux`: one row in each shard */
    PEN_MAX_EXTENTS = 8,
    PEN_MAX_INPUTS = 32, /* index inputs, and as many real ones */
    PEN_MAX_IN = 6,      /* nodes that one op reads */
    PEN_MAX_OP_WEIGHTS = 6,
    PEN_MAX_SHARDS = 16
};

/* How a weight or a table begins. Deterministic from (seed, name's hash, element). */
typedef enum pen__init_kind {
    PEN_INIT_ZERO,
    PEN_INIT_ONE,
    PEN_INIT_NORMAL,  /* N(0, scale) */
    PEN_INIT_UNIFORM, /* U(-scale, scale) */
    PEN_INIT_XAVIER,  /* U(-s, s), s = scale sqrt(6 / (rows + cols)) */
    PEN_INIT_HE       /* N(0, scale sqrt(2 / cols)) */
} pen__init_kind;

typedef struct pen__init {
    pen__init_kind kind;
    double scale;
} pen__init;

/* A dense parameter, (rows, cols), row-major. Its gradient stands at `at` in a block of plan->n_dense reals. */
typedef struct pen__weight {
    char name[48];
    int64_t rows, cols, at;
    pen__init init;
    bool decays;        /* regularisation applies (not to biases and norms) */
    double follows;     /* not 0: no gradient moves it; its "gradient" is where a step moves it, this part of the way */
    pen__real *data;    /* (rows, cols), borrowed from the model's tensor: see pen__plan_weight_set */
    pen__real *average; /* its averages (nn/average.h), or NULL */
} pen__weight;

/* An embedding table, (rows, width). `dense` where some op gives a gradient for every row (full softmax). */
typedef struct pen__embedding {
    char name[48];
    int64_t rows;
    int32_t width;
    pen__init init;
    bool dense, frozen;
    pen__real *data, *average; /* likewise */
    pen__real *product;        /* what answers read of each row in its place: see pen__layer_product; or NULL */
} pen__embedding;

typedef enum pen__lookup_kind { PEN_LOOKUP_ROW, PEN_LOOKUP_BAG, PEN_LOOKUP_DENSE } pen__lookup_kind;

/* One use of a table. ROW: a row of the output for each index. BAG: a row for each row of `extent`, the index input's
 * parent. DENSE: an op reads all of the table and gives each shard's gradient as a (rows, width) block. */
typedef struct pen__lookup {
    pen__lookup_kind kind;
    int32_t table, index; /* index: the index input; -1 for DENSE */
    int32_t extent;       /* of the output's rows, and of the gradient's */
    int32_t weight;       /* BAG: a real input of width 1 on the index input's extent, or -1 */
    int32_t mode;         /* BAG: a pen__pool */
} pen__lookup;

typedef struct pen__input {
    char name[32];
    int32_t extent, width; /* width 0: an index input */
} pen__input;

typedef struct pen__extent {
    char name[32];
    int32_t parent; /* -1: root or shared */
    bool shared;
    int64_t most; /* rows of one parent, at most; 0: any number */
} pen__extent;

struct pen__op;

/* A matrix that an op makes, or a real input. */
typedef struct pen__node {
    int32_t extent, width;
    int32_t input;  /* the real input that it is, or -1 */
    int32_t lookup; /* the lookup whose output it is (its gradient is kept for the whole batch), or -1 */
    bool has_grad;  /* false: a constant */
} pen__node;

/* One appended op. What `i` and `f` mean is the op's own. */
typedef struct pen__call {
    const struct pen__op *op;
    int32_t in[PEN_MAX_IN], n_in;
    int32_t out; /* -1: a loss */
    int32_t aux; /* a node without a gradient that carries what backward needs, or -1 */
    int32_t weight[PEN_MAX_OP_WEIGHTS];
    int32_t index[4]; /* index inputs */
    int32_t table[2]; /* tables that it reads, or -1 */
    int32_t lookup;
    int32_t i[8];
    double f[4];
    int32_t number; /* its place in the plan */
    int32_t key;    /* of its randomness */
    uint32_t adds;  /* bit k: in backward a later call has already written in[k]'s gradient: add to it */
    bool learns;    /* a loss stands on it; others are computed for answers alone */
} pen__call;

typedef struct pen__plan {
    pen_context *ctx;
    pen_status status; /* of the first constructor that failed */
    pen_error error;
    int32_t n_extents, n_index, n_real, n_weights, n_tables, n_lookups, n_nodes, n_calls;
    int32_t n_keys; /* of randomness, that calls have taken */
    size_t weights_cap, tables_cap, lookups_cap, nodes_cap, calls_cap;
    pen__extent extent[PEN_MAX_EXTENTS];
    pen__input index[PEN_MAX_INPUTS], real[PEN_MAX_INPUTS];
    pen__weight *weight;
    pen__embedding *table;
    pen__lookup *lookup;
    pen__node *node;
    pen__call *call;
    int64_t n_dense; /* reals in the block of dense gradients */
    bool has_global; /* some op meets other shards: every shard keeps its own activations */
} pen__plan;

/* ---- life -------------------------------------------------------------------------------------------------------- */

pen_status pen__plan_create(pen_context *ctx, pen__plan **plan, pen_error *error);

/* The first failure of a constructor, if any; afterwards the plan is immutable but for its weights' and tables'
 * data. */
pen_status pen__plan_end(pen__plan *plan, pen_error *error);
void pen__plan_destroy(pen__plan *plan);

/* ---- parts ------------------------------------------------------------------------------------------------------- */

int32_t pen__extent_child(pen__plan *plan, int32_t parent, const char *name);
int32_t pen__extent_shared(pen__plan *plan, const char *name);

/* A promise that no parent has more rows of it, so that what grows by their square can be laid out by it. */
void pen__extent_most(pen__plan *plan, int32_t extent, int64_t most);

/* An index input: one int32 a row of the extent; -1 means nothing there (a zero row). Not a node. */
int32_t pen__input_index(pen__plan *plan, int32_t extent, const char *name);

/* A real input, a node of `width` without a gradient. */
int32_t pen__input_real(pen__plan *plan, int32_t extent, int32_t width, const char *name);

/* The real input that a node is; -1 for what is no node or no input. */
static inline int32_t pen__input_of(const pen__plan *plan, int32_t node)
{
    return node < 0 ? -1 : plan->node[node].input;
}

/* A dense parameter and an embedding table; names are unique ("tower.0.weight", "item"). */
int32_t pen__plan_weight(pen__plan *plan, const char *name, int64_t rows, int64_t cols, pen__init init, bool decays);
int32_t pen__plan_table(pen__plan *plan, const char *name, int64_t rows, int32_t width, pen__init init);

/* Where the numbers are. Borrowed: they must live as long as the plan is used. */
static inline void pen__plan_weight_set(pen__plan *plan, int32_t weight, pen__real *data)
{
    plan->weight[weight].data = data;
}
static inline void pen__plan_table_set(pen__plan *plan, int32_t table, pen__real *data)
{
    plan->table[table].data = data;
}

/* Fills `data` (rows, cols) as `init` says. */
void pen__init_fill(pen__init init, const char *name, uint64_t seed, int64_t rows, int64_t cols, pen__real *data);

/* Whether `child` is a child of `extent`. */
static inline bool pen__is_child(const pen__plan *plan, int32_t child, int32_t extent)
{
    return plan->extent[child].parent == extent && child != extent;
}

#endif
