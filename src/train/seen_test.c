/* Looking for the test in the history of a model that another one starts from. */
#include "train/seen_test.h"

#include "rank/catalogue.h"

static bool stands_in(const pen__rows *history, int32_t user, int32_t item)
{
    for (int64_t e = history->begin[user]; e < history->begin[user + 1]; e++)
        if (history->column[e] == item) return true;
    return false;
}

/* Of case c: how many targets the model has had. */
static int64_t seen_of(const pen_model *from, const pen__cases *cases, const pen__train *train, int64_t c)
{
    const struct pen__catalogue *k = from->catalogue;
    int32_t user = pen__strings_find(&k->users, pen__strings_at(&train->data->users, cases->data_user[c])),
            own = cases->user[c];
    int64_t n = 0;
    for (int64_t t = cases->target.begin[c]; t < cases->target.begin[c + 1] && user >= 0; t++) {
        int32_t item = cases->target.column[t];
        if (item < 0 || (own >= 0 && stands_in(&train->history, own, item))) continue;
        int32_t there = pen__strings_find(&k->items, pen__strings_at(&train->data->items, train->data_item[item]));
        n += there >= 0 && stands_in(&k->history, user, there);
    }
    return n;
}

pen_status pen__seen_test(const pen_model *from, const pen__cases *cases, const pen__train *train, pen_error *error)
{
    int64_t n = 0;
    PEN_CHECK(from->catalogue && from->catalogue->history.begin, PEN_E_ARGUMENT,
              "the %s model to start from was saved without what users have seen (--no-history), so it cannot be told "
              "whether it has seen the test; train it with its history",
              from->class->name);
    for (int64_t c = 0; c < cases->n; c++) n += seen_of(from, cases, train, c);
    PEN_CHECK(!n, PEN_E_ARGUMENT,
              "the %s model to start from has seen %lld of the %lld tested events; train it on the training part alone "
              "(penchant split writes it)",
              from->class->name, (long long)n, (long long)cases->target.begin[cases->n]);
    return PEN_OK;
}
