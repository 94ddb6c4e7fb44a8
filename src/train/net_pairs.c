/* Pairs: batches of events with their negatives, answers for all items in blocks, fold-in. */
#include "train/net_pairs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "nn/arena.h"

enum { UNSEEN, UNIFORM };
enum {
    BLOCK = 256,       /* items that are scored at once */
    FOLD_EVENTS = 200, /* of the latest of a history, that fold-in learns from */
    FOLD_STEPS = 60
};
static const double FOLD_RATE = 0.05;

pen__pairs pen__pairs_inputs(pen__plan *plan, pen__net *net)
{
    pen__pairs in;
    in.items = pen__extent_child(plan, PEN_ROOT, "items");
    in.user = pen__input_index(plan, PEN_ROOT, "user");
    in.item = pen__input_index(plan, in.items, "item");
    in.label = pen__input_real(plan, in.items, 1, "label");
    net->items = in.items, net->user_index = in.user, net->item_index = in.item;
    return in;
}

int32_t pen__pairs_tower(pen__plan *plan, pen__net *net, const pen_model *model, const pen__pairs *in,
                         const char *prefix)
{
    char name[48];
    int32_t factors = pen__param_int(model, "factors"), layers = pen__param_int(model, "layers"),
            width = factors << (layers - 1);
    pen__init init = {PEN_INIT_NORMAL, pen__param(model, "init")};
    snprintf(name, sizeof name, "%suser", prefix);
    int32_t users = pen__plan_table(plan, name, model->n_users, width, init);
    snprintf(name, sizeof name, "%sitem", prefix);
    int32_t items = pen__plan_table(plan, name, model->n_items, width, init);
    pen__net_solves(net, users);
    net->layered = items;
    int32_t x[2] = {pen__gather(plan, users, in->user), pen__gather(plan, items, in->item)};
    (void)pen__net_tower(plan, model, prefix, x, 2, layers, width);
    return x[0];
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

int64_t pen__pairs_examples(const pen_model *model, const pen__train *train)
{
    (void)model;
    return train->n_events;
}

int32_t pen__pairs_batch(const pen_model *model)
{
    int32_t events = pen__param_int(model, "batch_size") / (1 + pen__param_int(model, "negatives"));
    return events > 0 ? events : 1;
}

static int64_t per_event(const pen_model *model) { return 1 + pen__param_int(model, "negatives"); }

void pen__pairs_size(pen__example *example)
{
    const pen__net *net = example->model->state;
    example->rows[net->items] = example->number >= 0 ? per_event(example->model) : 0;
}

void pen__pairs_fill(pen__example *example)
{
    if (example->number < 0) return;
    const pen__net *net = example->model->state;
    const pen__train *train = example->train;
    int32_t user = (int32_t)pen__segment_of(train->by_user.begin, train->n_users, example->number),
            *item = example->index[net->item_index];
    bool unseen = pen__param_int(example->model, "sampler") == UNSEEN;
    example->index[net->user_index][0] = user;
    item[0] = train->by_user.column[example->number];
    example->real[0][0] = 1;
    for (int64_t k = 1; k < example->rows[net->items]; k++) {
        item[k] = unseen ? pen__net_negative(train, user, &example->rng)
                         : (int32_t)pen__rng_below(&example->rng, (uint64_t)train->n_items);
        example->real[0][k] = 0;
    }
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

pen_status pen__pairs_bind(pen_model *model, pen_error *error)
{
    pen__net *net = model->state;
    PEN_TRY(pen__net_build(model, error));
    net->bound[PEN_ROOT] = 1, net->bound[net->items] = net->score >= 0 ? BLOCK : 0;
    PEN_TRY(pen__layout_answer(model->ctx, net->plan, net->score >= 0 ? net->score : net->user, net->bound,
                               &net->answer, error));
    int64_t rows[PEN_MAX_EXTENTS] = {1}; /* the user is one row: its half of a layer is computed once */
    rows[net->items] = FOLD_EVENTS * per_event(model);
    for (int32_t k = 0; k < net->n_user_tables; k++) PEN_TRY(pen__solve_check(net->plan, net->user_table[k], error));
    return pen__layout_train(model->ctx, net->plan, rows, &net->solve, error);
}

/* What one thread works on, laid out in its scratch. */
typedef struct pairs_desk {
    pen__real *row[PEN_MAX_TABLES];
    int32_t *begin, *user, *item;
    pen__real *label;
    uint64_t *had; /* a bit for each item: those of the history */
    void *engine;
} pairs_desk;

static size_t rounded(size_t bytes) { return (bytes + 63) / 64 * 64; }

static size_t desk_of(const pen_model *model, void *scratch, pairs_desk *desk)
{
    const pen__net *net = model->state;
    size_t fold = (size_t)(FOLD_EVENTS * per_event(model)), most = fold > BLOCK ? fold : BLOCK, at = 0;
    char *base = scratch;
    *desk = (pairs_desk){{NULL}, NULL, NULL, NULL, NULL, NULL, NULL};
    for (int32_t k = 0; k < net->n_user_tables; k++) {
        desk->row[net->user_table[k]] = (pen__real *)(void *)(base + at);
        at += rounded((size_t)net->plan->table[net->user_table[k]].width * sizeof(pen__real));
    }
    desk->begin = (int32_t *)(void *)(base + at), at += rounded(2 * sizeof(int32_t));
    desk->user = (int32_t *)(void *)(base + at), at += rounded(sizeof(int32_t));
    desk->item = (int32_t *)(void *)(base + at), at += rounded(most * sizeof(int32_t));
    desk->label = (pen__real *)(void *)(base + at), at += rounded(most * sizeof(pen__real));
    desk->had = (uint64_t *)(void *)(base + at), at += rounded((size_t)(model->n_items / 64 + 1) * sizeof(uint64_t));
    desk->engine = base + at;
    size_t answer = pen__infer_bytes(net->answer), solve = pen__solve_bytes(net->solve);
    return at + (answer > solve ? answer : solve);
}

size_t pen__pairs_scratch(const pen_model *model)
{
    pairs_desk desk;
    char none[1];
    return desk_of(model, none, &desk);
}

typedef struct folding {
    const pen_model *model;
    const pen__user *user;
    pairs_desk *desk;
    int64_t first, n; /* events of the history */
} folding;

static bool in_history(const pairs_desk *desk, int32_t item) { return desk->had[item / 64] >> (item % 64) & 1; }

/* The history's events with negatives of step `step`. */
static void refill(void *arg, int32_t step)
{
    folding *fold = arg;
    int64_t each = per_event(fold->model);
    for (int64_t e = 0; e < fold->n; e++) {
        int32_t item = fold->user->item[fold->first + e];
        pen__rng rng = pen__rng_begin(fold->model->seed, PEN_STREAM_MODEL, (uint64_t)step << 32 | (uint64_t)item);
        fold->desk->item[e * each] = item, fold->desk->label[e * each] = 1;
        for (int64_t k = 1; k < each; k++) {
            int32_t drawn = (int32_t)pen__rng_below(&rng, (uint64_t)fold->model->n_items);
            for (int try = 0; try < 10 && in_history(fold->desk, drawn); try++)
                drawn = (int32_t)pen__rng_below(&rng, (uint64_t)fold->model->n_items);
            fold->desk->item[e * each + k] = drawn, fold->desk->label[e * each + k] = 0;
        }
    }
}

/* Fills desk->row with the rows of a user whom the model lacks. */
static void fold_in(const pen_model *model, const pen__user *user, pairs_desk *desk)
{
    const pen__net *net = model->state;
    folding fold = {model, user, desk, user->n > FOLD_EVENTS ? user->n - FOLD_EVENTS : 0,
                    user->n > FOLD_EVENTS ? FOLD_EVENTS : user->n};
    for (int32_t k = 0; k < net->n_user_tables; k++)
        memset(desk->row[net->user_table[k]], 0,
               (size_t)net->plan->table[net->user_table[k]].width * sizeof(pen__real));
    if (fold.n == 0) return;
    memset(desk->had, 0, (size_t)(model->n_items / 64 + 1) * sizeof *desk->had);
    for (int64_t e = 0; e < user->n; e++) desk->had[user->item[e] / 64] |= 1ull << (user->item[e] % 64);
    pen__batch batch = {0};
    desk->begin[0] = 0, desk->begin[1] = (int32_t)(fold.n * per_event(model));
    desk->user[0] = 0;
    batch.n[PEN_ROOT] = 1, batch.n[net->items] = fold.n * per_event(model);
    batch.begin[net->items] = desk->begin, batch.index[net->user_index] = desk->user,
    batch.index[net->item_index] = desk->item;
    batch.real[0] = desk->label;
    pen__solve(net->solve, desk->engine, &batch, desk->row, FOLD_STEPS, FOLD_RATE,
               pen__param(model, "regularization") * pen__param(model, "regularization_tables"), refill, &fold);
}

/* The user as a batch of one; *row gets the rows that stand in for the tables', or NULL. */
static void begin_answer(const pen_model *model, const pen__user *user, pairs_desk *desk, pen__batch *batch,
                         pen__real *const **row)
{
    const pen__net *net = model->state;
    *batch = (pen__batch){0};
    *row = NULL;
    desk->user[0] = user->number >= 0 ? user->number : 0;
    if (user->number < 0) {
        fold_in(model, user, desk);
        *row = desk->row;
    }
    desk->user[0] = user->number >= 0 ? user->number : 0;
    desk->begin[0] = desk->begin[1] = 0;
    batch->n[PEN_ROOT] = 1;
    batch->begin[net->items] = desk->begin, batch->index[net->user_index] = desk->user,
    batch->index[net->item_index] = desk->item;
    batch->real[0] = desk->label;
}

pen_status pen__pairs_user_vector(const pen_model *model, const pen__user *user, void *scratch, float *out,
                                  pen_error *error)
{
    (void)error;
    const pen__net *net = model->state;
    pairs_desk desk;
    pen__batch batch;
    pen__real *const *row;
    desk_of(model, scratch, &desk);
    begin_answer(model, user, &desk, &batch, &row);
    const pen__real *vector = pen__infer(net->answer, desk.engine, &batch, row, net->user);
    memcpy(out, vector, (size_t)net->plan->node[net->user].width * sizeof *out);
    return PEN_OK;
}

pen_status pen__pairs_score_some(const pen_model *model, const pen__user *user, const int32_t *item, int64_t n,
                                 void *scratch, float *scores, pen_error *error)
{
    (void)error;
    const pen__net *net = model->state;
    pairs_desk desk;
    pen__batch batch;
    pen__real *const *row;
    desk_of(model, scratch, &desk);
    begin_answer(model, user, &desk, &batch, &row);
    for (int64_t first = 0; first < n; first += BLOCK) {
        int32_t block = (int32_t)pen__least(n - first, BLOCK);
        for (int32_t i = 0; i < block; i++) desk.item[i] = item ? item[first + i] : (int32_t)first + i;
        desk.begin[1] = block, batch.n[net->items] = block;
        memcpy(scores + first, pen__infer(net->answer, desk.engine, &batch, row, net->score),
               (size_t)block * sizeof *scores);
    }
    return PEN_OK;
}

pen_status pen__pairs_score(const pen_model *model, const pen__user *user, void *scratch, float *scores,
                            pen_error *error)
{
    return pen__pairs_score_some(model, user, NULL, model->n_items, scratch, scores, error);
}
