/* Histories as batches: who teaches, what a user's positions hold. */
#include "train/net_history.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/search.h"

enum { ALL, LAST };

/* A history of n targets (liked events that follow another) in windows of at most `most`, from the latest, each with
 * `step` targets, the events before them being context; what is left at the beginning is one window, all taught. Where
 * it takes several, the latest has fewer targets by 0 .. short_by(step), drawn in each epoch, so that cuts move. The
 * earliest window may be empty. */
typedef struct cut {
    int64_t most, step;
} cut;

static cut cut_of(const pen_model *model)
{
    cut c = {.most = pen__param_int(model, "max_length")};
    c.step = c.most - (int64_t)(pen__param(model, "overlap") * (double)c.most);
    return c;
}

void pen__history_inputs(pen__plan *plan, pen__history_net *net, const pen_model *model)
{
    net->positions = pen__extent_child(plan, PEN_ROOT, "positions");
    pen__extent_most(plan, net->positions, pen__param_int(model, "max_length"));
    cut c = cut_of(model);
    net->taught = c.step < c.most ? pen__extent_child(plan, PEN_ROOT, "taught") : net->positions;
    net->item = pen__input_index(plan, net->positions, "item");
    net->target = pen__input_index(plan, net->taught, "next");
    net->place = net->negative = net->good = net->bad = -1;
    pen__drawn_none(&net->drawn);
}

int32_t pen__history_items(pen__plan *plan, pen__history_net *net, const pen_model *model)
{
    int32_t item = pen__net_compared(&net->net, pen__gather(plan, net->net.item_table, net->item));
    return pen__param_int(model, "scale") ? pen__scaled(plan, item, sqrt(pen__param_int(model, "factors"))) : item;
}

int32_t pen__history_taught(pen__plan *plan, const pen__history_net *net, int32_t h)
{
    return net->taught == net->positions ? h : pen__tail(plan, h, net->taught);
}

void pen__history_sampled(pen__history_net *net, const pen_model *model, int32_t h, bool each, pen__sampled how)
{
    how.target = net->target;
    pen__drawn_loss(&net->net, model, &net->drawn, net->taught, h, each, how);
}

/* A liked event counts; the others were only seen. */
static int64_t liked_events(const pen__rows *history, int32_t user)
{
    int64_t n = 0;
    for (int64_t e = history->begin[user]; e < history->begin[user + 1]; e++) n += history->value[e] != 0;
    return n;
}

/* ---- windows ----------------------------------------------------------------------------------------------------- */

static int64_t short_by(int64_t step) { return (step - 1) / 2; }

static int64_t windows_of(const pen_model *model, int64_t n)
{
    cut c = cut_of(model);
    if (n <= 0) return 0;
    if (n <= c.most || pen__param_int(model, "windows") == LAST) return 1;
    int64_t left = n - c.step + short_by(c.step);
    return left <= c.most ? 2 : 2 + (left - c.most + c.step - 1) / c.step;
}

typedef struct window {
    int32_t user;
    int64_t skip, n, taught; /* targets behind it, events that it reads, and those of them with a target */
} window;

static window window_of(const pen__example *example)
{
    const pen_model *model = example->model;
    const pen__history_net *net = model->state;
    cut c = cut_of(model);
    int64_t teacher = pen__segment_of(net->window, net->n_teachers, example->number),
            number = example->number - net->window[teacher];
    window w = {.user = net->teacher[teacher]};
    int64_t n = liked_events(&example->train->history, w.user) - 1;
    w.n = w.taught = pen__least(n, c.most);
    if (net->window[teacher + 1] - net->window[teacher] == 1) return w;
    int64_t first = c.step - (int64_t)(pen__rand64(model->seed, PEN_STREAM_MODEL + 8,
                                                   (uint64_t)example->epoch << 32 | (uint64_t)w.user) %
                                       (uint64_t)(short_by(c.step) + 1));
    w.skip = number ? first + (number - 1) * c.step : 0;
    int64_t left = n - w.skip; /* the window before this one took all, where it is the earliest */
    if (number > 1 && left + c.step <= c.most) left = 0;
    if (left < 0) left = 0;
    w.taught = number == 0 ? first : left <= c.most ? left : c.step;
    w.n = pen__least(left, w.taught + c.most - c.step);
    return w;
}

int64_t pen__history_examples(const pen_model *model, const pen__train *train)
{
    int64_t n = 0;
    for (int32_t u = 0; u < train->n_users; u++) n += windows_of(model, liked_events(&train->history, u) - 1);
    return n;
}

pen_status pen__history_teachers(pen_model *model, const pen__train *train, pen_error *error)
{
    pen__history_net *net = model->state;
    if (net->teacher) return PEN_OK;
    if (net->drawn.extent >= 0) PEN_TRY(pen__draws_make(model, train, &net->drawn.draws, error));
    PEN_TRY(PEN_NEW(model->ctx, net->teacher, train->n_users + 1));
    PEN_TRY(PEN_NEW(model->ctx, net->window, train->n_users + 1));
    net->window[0] = 0;
    for (int32_t u = 0; u < train->n_users; u++) {
        int64_t n = windows_of(model, liked_events(&train->history, u) - 1);
        if (!n) continue;
        net->teacher[net->n_teachers++] = u;
        net->window[net->n_teachers] = net->window[net->n_teachers - 1] + n;
    }
    PEN_CHECK(net->n_teachers > 0, PEN_E_INPUT, "%s learns from what follows what: no user has two events in training",
              model->class->name);
    return PEN_OK;
}

void pen__history_unbind(pen_model *model)
{
    pen__history_net *net = model->state;
    pen__free(model->ctx, net->teacher);
    pen__free(model->ctx, net->window);
    pen__draws_free(model->ctx, &net->drawn.draws);
    pen__net_unbind(model);
}

void pen__history_size(pen__example *example)
{
    const pen__history_net *net = example->model->state;
    int64_t most = pen__param_int(example->model, "max_length");
    pen__drawn_size(&net->drawn, example);
    if (example->user) {
        example->rows[net->positions] = pen__least(example->user->n, most);
    } else if (example->number >= 0) {
        window w = window_of(example);
        example->rows[net->positions] = w.n;
        example->rows[net->taught] = w.taught;
        if (net->drawn.each && !w.taught) example->rows[net->drawn.extent] = 0; /* nothing would meet them */
    }
}

static void fill_places(const pen__example *example, int64_t n)
{
    const pen__history_net *net = example->model->state;
    int64_t first = net->from_first ? 0 : pen__param_int(example->model, "max_length") - n;
    for (int64_t k = 0; net->place >= 0 && k < n; k++) example->index[net->place][k] = (int32_t)(first + k);
}

static void fill_asked(pen__example *example)
{
    const pen__history_net *net = example->model->state;
    const pen__user *user = example->user;
    int64_t n = example->rows[net->positions];
    for (int64_t k = 0; k < n; k++) example->index[net->item][k] = user->item[user->n - n + k];
    fill_places(example, n);
}

static void fill_target(pen__example *example, int32_t user, int64_t k, int32_t item)
{
    const pen__history_net *net = example->model->state;
    example->index[net->target][k] = item;
    pen__drawn_target(&net->drawn, example, k, item);
    if (net->negative >= 0) example->index[net->negative][k] = pen__net_negative(example->train, user, &example->rng);
    if (net->good >= 0) example->real[net->good][k] = 1;
    if (net->bad >= 0) example->real[net->bad][k] = 0;
}

void pen__history_fill(pen__example *example)
{
    const pen__history_net *net = example->model->state;
    if (example->user) {
        fill_asked(example);
        return;
    }
    pen__drawn_fill(&net->drawn, example);
    if (example->number < 0) return;
    const pen__train *train = example->train;
    window w = window_of(example);
    int64_t n = w.n, k = n + w.skip, e = train->history.begin[w.user + 1], context = n - w.taught;
    int32_t next = -1;
    while (n && k >= 0) { /* backwards: the last event is only a target */
        e--;
        if (train->history.value[e] == 0) continue;
        if (k < n) example->index[net->item][k] = train->history.column[e];
        if (k < n && k >= context) fill_target(example, w.user, k - context, next);
        next = train->history.column[e];
        k--;
    }
    fill_places(example, n);
}

void pen__history_bounds(const pen_model *model, int64_t *bound)
{
    const pen__history_net *net = model->state;
    bound[net->positions] = pen__param_int(model, "max_length");
    bound[net->taught] = bound[net->positions];
}
