/* Network models between the engine and the model interface: building, tensors, epochs, answers. */
#include "train/net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "train/net_block.h"
#include "train/net_feed.h"

/* ---- the plan and its tensors ------------------------------------------------------------------------------------ */

static pen_status build(const pen_model *model, pen__net *net, pen_error *error)
{
    net->user = net->item_table = net->item_bias = net->layered = net->items = net->score = -1;
    PEN_TRY(pen__plan_create(model->ctx, &net->plan, error));
    model->class->net->build(model, net);
    if (net->cosine) net->kept = (pen__kept){.name = "vectors", .side = PEN_SIDE_ITEM, .node = -1};
    pen_status status = pen__plan_end(net->plan, error);
    if (status != PEN_E_ARGUMENT || !model->container) return status;
    if (error) error->code = PEN_E_FORMAT; /* nobody asked for it: the file is unsound */
    return PEN_E_FORMAT;
}

/* The plan alone, in a state of its own: to learn what a model's tensors are. */
static pen_status build_apart(const pen_model *model, char **state, pen_error *error)
{
    *state = NULL;
    char *made = NULL;
    PEN_TRY(PEN_NEW_ZERO(model->ctx, made, model->class->state_size));
    *state = made;
    return build(model, (pen__net *)(void *)made, error);
}

static void free_apart(const pen_model *model, char *state)
{
    if (state) pen__plan_destroy(((pen__net *)(void *)state)->plan);
    pen__free(model->ctx, state);
}

pen_status pen__net_memory(const pen__model_class *class, const pen__params *params, const pen__train *train,
                           uint64_t *kept, uint64_t *all, pen_error *error)
{
    pen_model model = {.ctx = train->ctx,
                       .class = class,
                       .params = *params,
                       .n_users = train->n_users,
                       .n_items = train->n_items,
                       .train = train};
    uint64_t learned = 0, beside = 0, slots = 0;
    char *state;
    pen_status status = build_apart(&model, &state, error);
    if (status == PEN_OK) {
        const pen__net *net = (pen__net *)(void *)state;
        const pen__plan *plan = net->plan;
        pen__optimiser kind = (pen__optimiser)pen__params_get(class, params, "optimizer");
        uint64_t each = (uint64_t)pen__optimiser_slots(kind);
        learned = (uint64_t)plan->n_dense, slots = each * learned;
        for (int32_t t = 0; t < plan->n_tables; t++) {
            uint64_t rows = (uint64_t)plan->table[t].rows, width = (uint64_t)plan->table[t].width;
            learned += rows * width, slots += each * rows * (kind == PEN_OPT_ROWWISE_ADAGRAD ? 1u : width);
        }
        beside = (uint64_t)pen__net_kept_reals(&model, net);
    }
    free_apart(&model, state);
    *kept = (learned + beside) * sizeof(pen__real);
    uint64_t copies = pen__params_get(class, params, "ema") > 0 ? 2 : 1; /* averages */
    *all = (learned * copies + slots + beside) * sizeof(pen__real);
    return status;
}

/* The optimiser's memory of a weight or table: tensor "NAME.1" or "NAME.2". */
static void slot_name(const char *name, int slot, char *out, size_t size)
{
    snprintf(out, size, "%.40s.%d", name, slot + 1);
}

static pen_status add_slots(pen_model *model, pen__optimiser kind, const char *name, int64_t rows, int64_t cols,
                            pen_error *error)
{
    char full[48];
    for (int s = 0; s < pen__optimiser_slots(kind); s++) {
        slot_name(name, s, full, sizeof full);
        PEN_TRY(pen__model_add(model, full, PEN_F32, PEN_ROLE_OPTIMISER, rows,
                               kind == PEN_OPT_ROWWISE_ADAGRAD ? 1 : cols, 0, NULL, error));
    }
    return PEN_OK;
}

/* Where averages are kept the tensor NAME holds them, and what steps move is "NAME.raw". */
static void raw_name(const char *name, char *out, size_t size) { snprintf(out, size, "%.40s.raw", name); }

/* A weight or a table with its first values. The raw ones are set by the first epoch: begin may change them yet. */
static pen_status add_learned(pen_model *model, const char *name, int64_t rows, int64_t cols, pen__init init,
                              pen_error *error)
{
    char raw[48];
    pen__real *data;
    PEN_TRY(pen__model_add(model, name, PEN_F32, PEN_ROLE_PARAM, rows, cols, 0, &data, error));
    pen__init_fill(init, name, model->seed, rows, cols, data);
    if (pen__param(model, "ema") <= 0) return PEN_OK;
    raw_name(name, raw, sizeof raw);
    return pen__model_add(model, raw, PEN_F32, PEN_ROLE_OPTIMISER, rows, cols, 0, NULL, error);
}

pen_status pen__net_begin(pen_model *model, const pen__train *train, pen_error *error)
{
    (void)train;
    char *state;
    pen__optimiser kind = (pen__optimiser)pen__param_int(model, "optimizer");
    pen_status status = build_apart(model, &state, error);
    const pen__net *net = (pen__net *)(void *)state;
    const pen__plan *plan = status == PEN_OK ? net->plan : NULL;
    for (int32_t w = 0; status == PEN_OK && w < plan->n_weights; w++) {
        const pen__weight *weight = &plan->weight[w];
        status = add_learned(model, weight->name, weight->rows, weight->cols, weight->init, error);
    }
    for (int32_t t = 0; status == PEN_OK && t < plan->n_tables; t++) {
        const pen__embedding *table = &plan->table[t];
        status = add_learned(model, table->name, table->rows, table->width, table->init, error);
        if (status == PEN_OK) status = add_slots(model, kind, table->name, table->rows, table->width, error);
    }
    if (status == PEN_OK && plan->n_dense) status = add_slots(model, kind, "dense", plan->n_dense, 1, error);
    if (status == PEN_OK)
        status = pen__model_add(model, PEN_NET_ROWS, PEN_I64, PEN_ROLE_PARAM, 2, plan->n_extents, 0, NULL, error);
    if (status == PEN_OK) status = pen__net_kept_add(model, net, error);
    free_apart(model, state);
    return status;
}

static pen_status bind_tensors(pen_model *model, pen__net *net, pen_error *error)
{
    pen__plan *plan = net->plan;
    for (int32_t w = 0; w < plan->n_weights; w++)
        PEN_TRY(pen__model_get(model, plan->weight[w].name, PEN_F32, plan->weight[w].rows, plan->weight[w].cols, 0,
                               NULL, &plan->weight[w].data, error));
    for (int32_t t = 0; t < plan->n_tables; t++)
        PEN_TRY(pen__model_get(model, plan->table[t].name, PEN_F32, plan->table[t].rows, plan->table[t].width, 0, NULL,
                               &plan->table[t].data, error));
    return PEN_OK;
}

/* How large training's batches were; a model from before this was kept does without. */
static pen_status check_rows(const pen_model *model, const pen__net *net, pen_error *error)
{
    int32_t n = net->plan->n_extents;
    const int64_t *rows;
    if (!pen__model_tensor(model, PEN_NET_ROWS)) return PEN_OK;
    PEN_TRY(pen__model_get(model, PEN_NET_ROWS, PEN_I64, 2, n, 0, NULL, &rows, error));
    for (int32_t e = 0; e < n; e++)
        PEN_CHECK(rows[e] >= 0 && rows[e] < INT32_MAX && rows[n + e] >= 0 && rows[n + e] <= rows[e], PEN_E_FORMAT,
                  "model %s: tensor '%s' says that a batch had %lld rows and a shard of it %lld", model->class->name,
                  PEN_NET_ROWS, (long long)rows[e], (long long)rows[n + e]);
    return PEN_OK;
}

pen_status pen__net_build(pen_model *model, pen_error *error)
{
    PEN_TRY(build(model, model->state, error));
    PEN_TRY(bind_tensors(model, model->state, error));
    PEN_TRY(pen__net_kept_bind(model, error));
    return check_rows(model, model->state, error);
}

/* ---- binding ----------------------------------------------------------------------------------------------------- */

pen_status pen__net_bind(pen_model *model, pen_error *error)
{
    pen__net *net = model->state;
    PEN_TRY(pen__net_build(model, error));
    net->bound[PEN_ROOT] = 1;
    if (model->class->net->bounds) model->class->net->bounds(model, net->bound);
    if (net->user < 0 && net->score < 0) return PEN_OK;
    return pen__layout_answer(model->ctx, net->plan, net->score >= 0 ? net->score : net->user, net->bound, &net->answer,
                              error);
}

void pen__net_unbind(pen_model *model)
{
    pen__net *net = model->state;
    pen__feed_destroy(net->feed);
    pen__run_destroy(net->run);
    pen__layout_destroy(net->answer);
    pen__layout_destroy(net->solve);
    pen__plan_destroy(net->plan);
    memset(net, 0, model->class->state_size);
}

int32_t pen__net_table(pen__plan *plan, const pen_model *model, const char *name, int64_t rows)
{
    return pen__plan_table(plan, name, rows, pen__param_int(model, "factors"),
                           (pen__init){PEN_INIT_NORMAL, pen__param(model, "init")});
}

int32_t pen__net_tower(pen__plan *plan, const pen_model *model, const char *prefix, int32_t *x, int32_t n,
                       int32_t layers, int32_t width)
{
    const pen__layer_how how = {PEN_ACT_RELU, pen__layer_init(PEN_ACT_RELU), pen__param(model, "dropout")};
    char name[48];
    for (int32_t l = 0; l < layers; l++, n = 1) {
        snprintf(name, sizeof name, "%s%d", prefix, l);
        x[0] = pen__layer(plan, name, x, n, width >> l > 0 ? width >> l : 1, how);
    }
    return n;
}

void pen__net_solves(pen__net *net, int32_t table)
{
    if (table >= 0) net->user_table[net->n_user_tables++] = table;
}

int32_t pen__net_batch(const pen_model *model)
{
    const pen__net_class *class = model->class->net;
    return class->batch ? class->batch(model) : pen__param_int(model, "batch_size");
}

int32_t pen__net_grain(const pen_model *model)
{
    const pen__net_class *class = model->class->net;
    return class->grain > 0 ? class->grain : (pen__net_batch(model) + 7) / 8;
}

/* ---- an epoch ---------------------------------------------------------------------------------------------------- */

static void fetch_slots(const pen_model *model, const char *name, pen__real **slot)
{
    char full[48];
    for (int s = 0; s < 2; s++) {
        slot_name(name, s, full, sizeof full);
        const pen__state_tensor *tensor = pen__model_tensor(model, full);
        slot[s] = tensor ? tensor->data : NULL;
    }
}

static pen_status begin_training(pen_model *model, const pen__train *train, pen_error *error)
{
    pen__net *net = model->state;
    const pen__net_class *class = model->class->net;
    if (class->ready) PEN_TRY(class->ready(model, train, error));
    int32_t batch = pen__net_batch(model);
    pen__run_options o = {.grain = pen__net_grain(model),
                          .seed = model->seed,
                          .average = pen__param(model, "ema"),
                          .norms = model->told != NULL,
                          .spent = model->told != NULL};
    o.learning = (pen__learning){.kind = (pen__optimiser)pen__param_int(model, "optimizer"),
                                 .schedule = (pen__schedule)pen__param_int(model, "schedule"),
                                 .rate = pen__param(model, "learning_rate"),
                                 .beta1 = pen__param(model, "beta1"),
                                 .beta2 = pen__param(model, "beta2"),
                                 .epsilon = 1e-8,
                                 .l1 = pen__param(model, "l1"),
                                 .l2 = pen__param(model, "regularization"),
                                 .tables = pen__param(model, "regularization_tables"),
                                 .clip = pen__param(model, "clip"),
                                 .warmup = pen__param_int(model, "warmup")};
    int64_t steps = (class->examples(model, train) + batch - 1) / batch, epochs = pen__param_int(model, "epochs");
    o.learning.steps = steps * epochs;
    o.learning.step_every = (steps * epochs + 9) / 10;
    fetch_slots(model, "dense", o.slots.dense);
    for (int32_t t = 0; t < net->plan->n_tables; t++) fetch_slots(model, net->plan->table[t].name, o.slots.table[t]);
    PEN_TRY(pen__run_create(model->ctx, net->plan, &o, &net->run, error));
    return pen__feed_create(model, train, net, &net->feed, error);
}

/* Keeps the rows of the largest batch and shard that training has met. */
static void keep_rows(pen_model *model)
{
    const pen__net *net = model->state;
    int64_t *rows = pen__model_tensor(model, PEN_NET_ROWS)->data, batch[PEN_MAX_EXTENTS], shard[PEN_MAX_EXTENTS];
    int32_t n = net->plan->n_extents;
    pen__feed_rows(net->feed, batch, shard);
    for (int32_t e = 0; e < n; e++) {
        if (batch[e] > rows[e]) rows[e] = batch[e];
        if (shard[e] > rows[n + e]) rows[n + e] = shard[e];
    }
}

static double square_of(const pen__real *data, int64_t rows, int64_t width)
{
    double square = 0;
    for (int64_t r = 0; r < rows; r++)
        square += (double)pen__deep_kern()->dot(data + r * width, data + r * width, width);
    return square;
}

/* What the log hears of an epoch: `gradient` is the sum of its steps' norms. */
static void tell(const pen_model *model, double rate, double gradient)
{
    const pen__net *net = model->state;
    const pen__plan *plan = net->plan;
    double weights = 0, embeddings = 0;
    for (int32_t w = 0; w < plan->n_weights; w++)
        if (plan->weight[w].follows == 0)
            weights += square_of(plan->weight[w].data, plan->weight[w].rows, plan->weight[w].cols);
    for (int32_t t = 0; t < plan->n_tables; t++)
        embeddings += square_of(plan->table[t].data, plan->table[t].rows, plan->table[t].width);
    *model->told = (pen__told){.examples = (double)pen__feed_examples(net->feed),
                               .rate = rate,
                               .gradient = gradient / (double)pen__feed_steps(net->feed),
                               .weights = sqrt(weights),
                               .embeddings = sqrt(embeddings)};
    pen__text spent = {.ctx = model->ctx};
    pen__run_spent(net->run, &spent);
    if (!spent.failed && spent.length < sizeof model->told->spent)
        snprintf(model->told->spent, sizeof model->told->spent, "%.*s", (int)spent.length,
                 spent.length ? spent.bytes : "");
    pen__text_free(&spent);
}

/* Puts the raw weights, which steps move, in the place of their averages, or the averages back. first: they begin where
 * the model does. */
static void swap_averages(const pen_model *model, bool raw, bool first)
{
    const pen__net *net = model->state;
    pen__plan *plan = net->plan;
    char name[48];
    for (int32_t k = 0; k < plan->n_weights + plan->n_tables; k++) {
        pen__weight *weight = k < plan->n_weights ? &plan->weight[k] : NULL;
        pen__embedding *table = weight ? NULL : &plan->table[k - plan->n_weights];
        pen__real **data = weight ? &weight->data : &table->data,
                  **average = weight ? &weight->average : &table->average;
        raw_name(weight ? weight->name : table->name, name, sizeof name);
        pen__real *mean = raw ? *data : *average;
        const pen__state_tensor *tensor = pen__model_tensor(model, name);
        *data = raw ? tensor->data : mean;
        *average = raw ? mean : NULL;
        if (first) memcpy(*data, mean, pen__state_bytes(tensor));
    }
}

static pen_status diverged(const pen_model *model, int32_t epoch, int64_t step, int64_t steps, double loss,
                           pen_error *error)
{
    return pen__fail_at(error, PEN_E_DIVERGED, epoch + 1,
                        "%s diverged in epoch %d at step %lld of %lld: its loss %s; a smaller learning_rate, clip or "
                        "more regularization helps",
                        model->class->name, epoch + 1, (long long)step + 1, (long long)steps, pen__not_finite(loss));
}

/* The steps of an epoch: their examples' losses added up, their gradients' norms, the last one's rate. */
static pen_status take_steps(pen_model *model, const pen__train *train, int32_t epoch, pen__step_report *sum,
                             pen_error *error)
{
    pen__net *net = model->state;
    int64_t steps = pen__feed_steps(net->feed);
    *sum = (pen__step_report){0};
    for (int64_t i = 0; i < steps; i++) {
        const pen__batch *batch;
        const pen__touched *touched;
        pen__beside beside;
        pen__step_report report;
        PEN_TRY(pen__feed_step(net->feed, i, &batch, &touched, &beside, error));
        pen_status status =
            pen__run_step(net->run, batch, touched, (uint64_t)(epoch * steps + i), &beside, &report, error);
        if (status == PEN_E_DIVERGED) return diverged(model, epoch, i, steps, report.loss, error);
        PEN_TRY(status);
        sum->loss += report.loss * (double)batch->n[PEN_ROOT];
        sum->norm += report.norm;
        sum->rate = report.rate;
        PEN_TRY(pen__model_tick(model, (i + 1) * train->n_events / steps, error));
    }
    return PEN_OK;
}

pen_status pen__net_epoch(pen_model *model, const pen__train *train, int32_t epoch, double *loss, pen_error *error)
{
    pen__net *net = model->state;
    bool begins = !net->run, averages = pen__param(model, "ema") > 0;
    pen__step_report sum;
    if (begins) PEN_TRY(begin_training(model, train, error));
    PEN_TRY(pen__feed_begin(net->feed, epoch, error));
    keep_rows(model);
    pen__run_halve(net->run, model->halvings);
    if (averages) swap_averages(model, true, !epoch);
    pen__run_average_begin(net->run, (uint64_t)(epoch * pen__feed_steps(net->feed)));
    pen_status status = take_steps(model, train, epoch, &sum, error);
    pen__run_average_end(net->run);
    if (averages) swap_averages(model, false, false);
    if (status == PEN_OK || status == PEN_E_CANCELLED) PEN_TRY(pen__net_kept_find(model, train, error));
    PEN_TRY(status);
    *loss = sum.loss / (double)pen__feed_examples(net->feed);
    if (model->told) tell(model, sum.rate, sum.norm);
    return PEN_OK;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

size_t pen__net_scratch(const pen_model *model)
{
    const pen__net *net = model->state;
    return net->answer ? pen__net_block_bytes(net->answer) : 0;
}

void pen__net_factors(const pen_model *model, pen__factors *out)
{
    const pen__net *net = model->state;
    bool kept = net->kept.name && net->kept.side == PEN_SIDE_ITEM;
    const pen__embedding *table = kept ? NULL : &net->plan->table[net->item_table];
    *out = (pen__factors){.d = kept ? pen__net_kept_width(net) : table->width,
                          .item = kept ? net->kept.row : table->data,
                          .bias = net->item_bias < 0 ? NULL : net->plan->table[net->item_bias].data};
}

pen_status pen__net_user_vector(const pen_model *model, const pen__user *user, void *scratch, float *out,
                                pen_error *error)
{
    (void)error;
    const pen__net *net = model->state;
    int64_t width = net->plan->node[net->user].width;
    if (net->kept.name && net->kept.side == PEN_SIDE_USER && user->number >= 0) {
        memcpy(out, net->kept.row + user->number * width, (size_t)width * sizeof *out);
        return PEN_OK;
    }
    const pen__net_class *class = model->class->net;
    pen__example example = {.model = model, .user = user, .rng = pen__rng_begin(model->seed, PEN_STREAM_MODEL, 0)};
    pen__net_block block;
    pen__net_block_begin(&block, net->answer, scratch);
    pen__net_block_add(&block, &example, class->size, class->fill);
    memcpy(out, pen__net_block_infer(&block, net->user), (size_t)width * sizeof *out);
    return PEN_OK;
}

/* ---- examples ---------------------------------------------------------------------------------------------------- */

pen__row pen__net_row(const pen__example *example, int side)
{
    const pen__user *user = example->user;
    if (user) {
        int64_t n = pen__least(user->n, PEN_NET_MOST), skip = user->n - n;
        return n ? (pen__row){user->item + skip, user->value + skip, n} : (pen__row){0};
    }
    if (example->number < 0) return (pen__row){0};
    const pen__rows *rows = side == PEN_SIDE_USER ? &example->train->by_user : &example->train->by_item;
    int64_t from = rows->begin[example->number];
    return (pen__row){rows->column + from, rows->value + from, rows->begin[example->number + 1] - from};
}

bool pen__left_out(const pen__example *example, int k, double chance)
{
    pen__rng rng = example->rng;
    if (example->user) return false;
    while (k--) (void)pen__rng_next(&rng);
    return pen__rng_uniform(&rng) < chance;
}

int32_t pen__net_negative(const pen__train *train, int32_t user, pen__rng *rng)
{
    int32_t item = 0;
    for (int try = 0; try < 100; try++) {
        item = (int32_t)pen__rng_below(rng, (uint64_t)train->n_items);
        if (!pen__row_has(&train->by_user, user, item)) break;
    }
    return item;
}
