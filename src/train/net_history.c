/* Histories as batches: who teaches, what a user's positions hold. */
#include "train/net_history.h"

#include <string.h>

#include "base/memory.h"

void pen__history_inputs(pen__plan *plan, pen__history_net *net)
{
    net->positions = pen__extent_child(plan, PEN_ROOT, "positions");
    net->item = pen__input_index(plan, net->positions, "item");
    net->target = pen__input_index(plan, net->positions, "next");
    net->place = net->negative = net->shared = net->shared_item = net->good = net->bad = -1;
}

void pen__history_sampled(pen__plan *plan, pen__history_net *net, const pen_model *model, int32_t h, pen__sampled how)
{
    net->shared = pen__extent_shared(plan, "negatives");
    net->shared_item = pen__input_index(plan, net->shared, "negative");
    how.target = net->target, how.negatives = net->shared_item, how.positive_shift = how.negative_shift = -1;
    how.n_items = model->n_items;
    pen__loss_sampled(plan, h, pen__gather(plan, net->net.item_table, net->target),
                      pen__gather(plan, net->net.item_table, net->shared_item), &how);
}

/* A liked event counts; the others were only seen. */
static int64_t liked_events(const pen__rows *history, int32_t user)
{
    int64_t n = 0;
    for (int64_t e = history->begin[user]; e < history->begin[user + 1]; e++) n += history->value[e] != 0;
    return n;
}

int64_t pen__history_examples(const pen_model *model, const pen__train *train)
{
    int64_t n = 0;
    (void)model;
    for (int32_t u = 0; u < train->n_users; u++) n += liked_events(&train->history, u) >= 2;
    return n;
}

pen_status pen__history_teachers(pen_model *model, const pen__train *train, pen_error *error)
{
    pen__history_net *net = model->state;
    if (net->teacher) return PEN_OK;
    PEN_TRY(PEN_NEW(model->ctx, net->teacher, pen__history_examples(model, train) + 1));
    for (int32_t u = 0; u < train->n_users; u++)
        if (liked_events(&train->history, u) >= 2) net->teacher[net->n_teachers++] = u;
    PEN_CHECK(net->n_teachers > 0, PEN_E_INPUT, "%s learns from what follows what: no user has two events in training",
              model->class->name);
    return PEN_OK;
}

void pen__history_unbind(pen_model *model)
{
    pen__history_net *net = model->state;
    pen__free(model->ctx, net->teacher);
    pen__net_unbind(model);
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

void pen__history_size(pen__example *example)
{
    const pen__history_net *net = example->model->state;
    int64_t most = pen__param_int(example->model, "max_length");
    if (net->shared >= 0) example->rows[net->shared] = example->user ? 0 : pen__param_int(example->model, "negatives");
    if (example->user)
        example->rows[net->positions] = least(example->user->n, most);
    else if (example->number >= 0)
        example->rows[net->positions] =
            least(liked_events(&example->train->history, net->teacher[example->number]) - 1, most);
}

static void fill_places(const pen__example *example, int64_t n)
{
    const pen__history_net *net = example->model->state;
    int32_t most = pen__param_int(example->model, "max_length");
    /* the latest has the last place */
    for (int64_t k = 0; net->place >= 0 && k < n; k++) example->index[net->place][k] = (int32_t)(most - n + k);
}

static void fill_asked(pen__example *example)
{
    const pen__history_net *net = example->model->state;
    const pen__user *user = example->user;
    int64_t n = example->rows[net->positions];
    for (int64_t k = 0; k < n; k++) example->index[net->item][k] = user->item[user->n - n + k];
    fill_places(example, n);
}

static void fill_shared(pen__example *example)
{
    const pen__history_net *net = example->model->state;
    for (int64_t k = 0; net->shared >= 0 && k < example->rows[net->shared]; k++)
        example->index[net->shared_item][k] = (int32_t)pen__rng_below(&example->rng, (uint64_t)example->model->n_items);
}

void pen__history_fill(pen__example *example)
{
    const pen__history_net *net = example->model->state;
    if (example->user) {
        fill_asked(example);
        return;
    }
    if (example->number < 0) {
        fill_shared(example);
        return;
    }
    const pen__train *train = example->train;
    int32_t user = net->teacher[example->number];
    int64_t n = example->rows[net->positions], k = n, e = train->history.begin[user + 1];
    int32_t next = -1;
    while (k >= 0) { /* backwards: the last event is only a target */
        e--;
        if (train->history.value[e] == 0) continue;
        if (k < n) {
            example->index[net->item][k] = train->history.column[e];
            example->index[net->target][k] = next;
            if (net->negative >= 0) example->index[net->negative][k] = pen__net_negative(train, user, &example->rng);
            if (net->good >= 0) example->real[net->good][k] = 1;
            if (net->bad >= 0) example->real[net->bad][k] = 0;
        }
        next = train->history.column[e];
        k--;
    }
    fill_places(example, n);
}

void pen__history_bounds(const pen_model *model, int64_t *bound)
{
    const pen__history_net *net = model->state;
    bound[net->positions] = pen__param_int(model, "max_length");
}
