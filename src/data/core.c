/* Users and items with few events: --min-item-events, --min-user-events (once each, items first), --k-core (to a fixed
 * point).
 *
 * The k-core is found by a queue of users and items that have fallen below k: each event is looked at once from its
 * user and once from its item, so the cost is linear whatever the number of rounds that repeated scans would need.
 */
#include <string.h>

#include "data/filter_impl.h"
#include "data/order.h"

/* Drops the log's own events of users (items) that have fewer than `least` of them. */
static pen_status at_least(pen__filter *f, const int32_t *id, int64_t n_ids, int64_t least, const char *step,
                           pen_error *error)
{
    pen__log *log = f->log;
    int64_t *count = NULL;
    if (least <= 0) return PEN_OK;
    PEN_TRY(PEN_NEW_ZERO(log->ctx, count, n_ids));
    for (int64_t i = 0; i < log->n; i++) count[id[i]] += !pen__log_class(log, i);
    for (int64_t i = 0; i < log->n; i++) f->keep[i] = pen__log_class(log, i) || count[id[i]] >= least;
    pen__free(log->ctx, count);
    return pen__filter_apply(f, error, "%s %lld", step, (long long)least);
}

/* Users are numbered 0..n_users-1 and items after them. */
typedef struct core {
    pen__filter *filter;
    pen__groups_of by_user, by_item;
    int64_t k, n_users, n_items;
    int64_t *degree;
    int64_t *queue, n_queue;
} core;

static void fall(core *c, int64_t node)
{
    if (--c->degree[node] == c->k - 1) c->queue[c->n_queue++] = node;
}

static void take_out(core *c, int64_t node)
{
    const pen__log *log = c->filter->log;
    bool is_user = node < c->n_users;
    const pen__groups_of *groups = is_user ? &c->by_user : &c->by_item;
    int64_t id = is_user ? node : node - c->n_users;
    for (int64_t at = groups->begin[id]; at < groups->begin[id + 1]; at++) {
        int64_t i = groups->index[at];
        if (!c->filter->keep[i]) continue;
        c->filter->keep[i] = 0;
        fall(c, is_user ? c->n_users + log->item[i] : log->user[i]);
    }
}

static pen_status k_core(pen__filter *f, pen_error *error)
{
    pen__log *log = f->log;
    core c = {.filter = f, .k = f->protocol->k_core, .n_users = log->data->users.n, .n_items = log->data->items.n};
    uint8_t *given = NULL;
    pen_status status = PEN_OK;
    if (c.k <= 0) return PEN_OK;
    PEN_TRY_DONE(PEN_NEW(log->ctx, given, log->n));
    for (int64_t i = 0; i < log->n; i++) given[i] = pen__log_class(log, i) != 0, f->keep[i] = 1;
    PEN_TRY_DONE(pen__group(log->ctx, log->user, given, log->n, c.n_users, &c.by_user, error));
    PEN_TRY_DONE(pen__group(log->ctx, log->item, given, log->n, c.n_items, &c.by_item, error));
    PEN_TRY_DONE(PEN_NEW(log->ctx, c.degree, c.n_users + c.n_items));
    PEN_TRY_DONE(PEN_NEW(log->ctx, c.queue, c.n_users + c.n_items));
    for (int64_t u = 0; u < c.n_users; u++) c.degree[u] = c.by_user.begin[u + 1] - c.by_user.begin[u];
    for (int64_t i = 0; i < c.n_items; i++) c.degree[c.n_users + i] = c.by_item.begin[i + 1] - c.by_item.begin[i];
    for (int64_t node = 0; node < c.n_users + c.n_items; node++)
        if (c.degree[node] < c.k) c.queue[c.n_queue++] = node;
    for (int64_t at = 0; at < c.n_queue; at++) take_out(&c, c.queue[at]);
    PEN_TRY_DONE(pen__filter_apply(f, error, "k-core %lld", (long long)c.k));
done:
    pen__free(log->ctx, given);
    pen__free(log->ctx, c.degree);
    pen__free(log->ctx, c.queue);
    pen__groups_free(&c.by_user);
    pen__groups_free(&c.by_item);
    return status;
}

pen_status pen__filter_counts(pen__filter *f, pen_error *error)
{
    const pen_dataset *data = f->log->data;
    PEN_TRY(at_least(f, f->log->item, data->items.n, f->protocol->min_item_events, "min-item-events", error));
    PEN_TRY(at_least(f, f->log->user, data->users.n, f->protocol->min_user_events, "min-user-events", error));
    return k_core(f, error);
}
