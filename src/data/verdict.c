/* The doctor's verdict: findings in plain words, each with what to do about it.
 *
 * "problem": results will be wrong or there will be none; "warning": look before you trust results; "note": good to
 * know. Limits are rules of thumb, chosen so that MovieLens gives notes and no problems.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "data/doctor_impl.h"

typedef long long ll;

enum severity { PROBLEM, WARNING, NOTE, N_SEVERITIES };

typedef struct verdict {
    pen__text list[N_SEVERITIES];
} verdict;

/* "what\ndo" after formatting. */
__attribute__((format(printf, 3, 4))) static void say(verdict *v, enum severity severity, const char *format, ...)
{
    static const char *const words[] = {"problem", "warning", "note"};
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *cut = strchr(text, '\n');
    size_t what = cut ? (size_t)(cut - text) : strlen(text);
    pen__text *list = &v->list[severity];
    pen__text_printf(list, "%s{\"severity\": \"%s\", \"what\": ", list->length ? ", " : "", words[severity]);
    pen__text_json(list, text, what);
    pen__text_puts(list, ", \"do\": ");
    pen__text_json(list, cut ? cut + 1 : "", cut ? strlen(cut + 1) : 0);
    pen__text_puts(list, "}");
}

static double percent(int64_t part, int64_t all) { return all ? 100.0 * (double)part / (double)all : 0; }

/* Ids in messages: at most 40 bytes. */
static int shown(pen__span id) { return id.length < 40 ? (int)id.length : 40; }

static void judge_size(verdict *v, const pen__findings *f)
{
    int64_t n = f->data->n_events;
    if (!n) {
        say(v, PROBLEM, "There is no event.\nCheck that the file has rows, and how its columns were read.");
        return;
    }
    if (f->users.n == 1)
        say(v, PROBLEM,
            "All events are of one user.\nCheck the user column (--user-column): tastes are learned from many users.");
    if (f->items.n == 1) say(v, PROBLEM, "All events are of one item.\nCheck the item column (--item-column).");
    if (f->users.n == n && n > 1)
        say(v, PROBLEM,
            "Each event has a user of its own.\nCheck the user column (--user-column): a row number or a session may "
            "stand there.");
    if (n < 1000 && f->users.n > 1)
        say(v, WARNING,
            "There are only %lld events: what is measured will be uncertain.\nLook at the intervals, not at the means.",
            (ll)n);
}

static void judge_duplicates(verdict *v, const pen__findings *f)
{
    int64_t n = f->data->n_events;
    if (percent(f->same_rows, n) >= 1)
        say(v, WARNING,
            "%lld rows (%.1f %%) are the same as another one.\nFind out whether the export ran twice; --duplicates "
            "last (or first) counts "
            "them once.",
            (ll)f->same_rows, percent(f->same_rows, n));
    if (f->repeated_events)
        say(v, NOTE,
            "%lld events (%.1f %%) repeat a pair of user and item.\nRanking sums them and rating takes the last one; "
            "--duplicates "
            "sum|last|first|keep says otherwise, and --keep-seen lets a repeat be recommended.",
            (ll)f->repeated_events, percent(f->repeated_events, n));
}

static void judge_spread(verdict *v, const pen__findings *f)
{
    const pen__spread *u = &f->users, *i = &f->items;
    int64_t few_users = u->bucket[0] + u->bucket[1], few_items = i->bucket[0] + i->bucket[1] + i->bucket[2];
    if (u->n > 1 && percent(few_users, u->n) > 50)
        say(v, WARNING,
            "%.0f %% of the users have one or two events: little can be learned of them.\nThey are answered from "
            "popularity and from what they "
            "do next; measure the others apart with --min-user-events 3 or --groups activity.",
            percent(few_users, u->n));
    if (i->n > 1 && percent(few_items, i->n) > 50)
        say(v, NOTE,
            "%.0f %% of the items have fewer than five events.\n--min-item-events 5 leaves them out; attributes "
            "(--items) help to place them.",
            percent(few_items, i->n));
    if (i->n >= 100 && i->top_percent > 0.3)
        say(v, NOTE,
            "The most popular hundredth of the items has %.0f %% of the events (Gini %.2f).\nCompare with the model "
            "`popular`, and read coverage and "
            "novelty beside ndcg.",
            100 * i->top_percent, i->gini);
    double rest = u->n > 1 ? (double)(f->data->n_events - u->most) / (double)(u->n - 1) : 0;
    pen__span id = u->top[0] >= 0 ? pen__strings_at(&f->data->users, u->top[0]) : (pen__span){"", 0};
    if (u->n >= 20 && u->most >= 200 && percent(u->most, f->data->n_events) > 5 && (double)u->most > 20 * rest)
        say(v, WARNING,
            "User '%.*s' has %.0f %% of all events: a bot, a test account, or a value for \"unknown\".\nLeave its rows "
            "out before importing if it is "
            "not a person.",
            shown(id), id.text, percent(u->most, f->data->n_events));
    else if (u->n >= 20 && u->most >= 1000 && (double)u->most > 200 * (u->median > 1 ? u->median : 1))
        say(v, WARNING,
            "User '%.*s' has %lld events, the median user %g: perhaps a bot.\nLook at what it did; leave its rows out "
            "if it is not a person.",
            shown(id), id.text, (ll)u->most, u->median);
}

static void judge_values(verdict *v, const pen__findings *f)
{
    const pen__values *x = &f->values;
    if (!x->any || !x->n) return;
    if (x->missing)
        say(v, NOTE, "%lld events have no value.\nWhen ranking they count as 1, when rating they are left out.",
            (ll)x->missing);
    if (x->least == x->most && x->n > 1)
        say(v, NOTE, "All values are %g: they tell nothing apart.\nRank (--task rank) and leave --value-column out.",
            x->least);
    if (x->negative && x->least < -1)
        say(v, WARNING,
            "%lld values are negative (down to %g): refunds, or a mark for \"unknown\".\n--min-value 0 drops them; "
            "--weight-by-value sums them, so "
            "that a refund takes its purchase back.",
            (ll)x->negative, x->least);
    else if (x->negative)
        say(v, NOTE,
            "%lld values are negative (down to %g).\nIf -1 stands for a dislike or for \"not rated\", --min-value 0 "
            "drops it.",
            (ll)x->negative, x->least);
    if (!x->different_exact && x->median > 0 && x->most > 100 * x->median)
        say(v, NOTE,
            "Values reach %g while the median is %g: amounts or counts, not ratings.\nWhen ranking, they weigh nothing "
            "unless --weight-by-value is "
            "given; rating them would be ruled by the largest.",
            x->most, x->median);
}

static void judge_times(verdict *v, const pen__findings *f)
{
    const pen__times *t = &f->times;
    int64_t n = f->data->n_events;
    if (!t->any) {
        say(v, NOTE,
            "There are no times: the order of the file is the order, and tests are drawn at random.\nIf there is a "
            "time, name its column "
            "(--time-column): testing on the latest events is what users will meet.");
        return;
    }
    if (t->missing)
        say(v, WARNING,
            "%lld events (%.1f %%) have no time: what needs their order stops.\n--missing-time drop leaves them out, "
            "--missing-time first takes "
            "them for a user's earliest.",
            (ll)t->missing, percent(t->missing, n));
    if (t->n > 1 && t->least == t->most)
        say(v, WARNING, "All events have one and the same time.\nIt says nothing; --time-column \"\" ignores it.");
    else if (t->n >= 1000 && percent(t->commonest_events, t->n) > 10)
        say(v, WARNING,
            "%.0f %% of the events have the same time: a default, or the time of an import.\nDo not trust their order; "
            "a split at random "
            "(ratio:0.8) does not need it.",
            percent(t->commonest_events, t->n));
    if (t->future)
        say(v, WARNING,
            "%lld events lie in the future.\nCheck --time-format (seconds, milliseconds) and the source's clock.",
            (ll)t->future);
    if (t->is_date && t->before_1980)
        say(v, WARNING,
            "%lld events are dated before 1980: 0 often stands for a time that is not known.\n--since 1980-01-01 drops "
            "them.",
            (ll)t->before_1980);
    if (t->n && t->least != t->most && percent(t->tied, t->n) > 30)
        say(v, NOTE,
            "%.0f %% of the events share their moment with another one of the same user.\nWithin a moment the order of "
            "the file is taken: be careful "
            "with what depends on the very last event (last:1).",
            percent(t->tied, t->n));
}

static void judge_ids(verdict *v, const pen__findings *f)
{
    const pen_dataset *d = f->data;
    const pen__alike *alike[] = {&f->alike_users, &f->alike_items};
    const pen__strings *ids[] = {&d->users, &d->items};
    for (int k = 0; k < 2; k++) {
        if (!alike[k]->n) continue;
        pen__span a = pen__strings_at(ids[k], alike[k]->pair[0][0]), b = pen__strings_at(ids[k], alike[k]->pair[0][1]);
        say(v, WARNING,
            "%lld ids of %s differ from another one only in case or blanks, as '%.*s' and '%.*s'.\nThey count as "
            "different; make them the same in the "
            "source if they are.",
            (ll)alike[k]->n, k ? "items" : "users", shown(a), a.text, shown(b), b.text);
    }
    if (f->users.unused || f->items.unused)
        say(v, NOTE,
            "%lld users and %lld items stand in a table and have no event.\nThey can only be recommended or answered "
            "through their attributes.",
            (ll)f->users.unused, (ll)f->items.unused);
    if (d->event && d->event_types.n > 1 && !f->protocol->event_weight)
        say(v, NOTE,
            "There are %lld types of event, and all weigh the same.\nWeigh them, as in --event-weight "
            "view=1,cart=3,buy=5: types that are not named are "
            "left out.",
            (ll)d->event_types.n);
}

/* What the reader counted. */
static void judge_reading(verdict *v, const pen__findings *f)
{
    json_t *notes = f->data->notes ? json_loads(f->data->notes, 0, NULL) : NULL;
    ll skipped = notes ? json_integer_value(json_object_get(notes, "skipped")) : 0;
    ll blank = notes ? json_integer_value(json_object_get(notes, "blank_ids")) : 0;
    if (skipped)
        say(v, WARNING,
            "%lld rows could not be read and were skipped.\nThe import names the first ones by file, line and column "
            "(--format json: `reading`): mend them or accept the loss.",
            skipped);
    if (blank)
        say(v, WARNING,
            "%lld of them have no user or no item.\nGuests, perhaps: a session's id in their place would keep what "
            "they did.",
            blank);
    json_decref(notes);
}

static void judge_split(verdict *v, const pen__findings *f)
{
    const pen__split_findings *s = &f->split;
    if (!s->tried) return;
    if (s->failed) {
        say(v, PROBLEM, "The split cannot be made: %.600s\nChoose another --split, or loosen the filters.", s->message);
        return;
    }
    double users = percent(s->cold_user_events, s->test_events), items = percent(s->cold_item_events, s->test_events);
    if (users > 10)
        say(v, NOTE,
            "%.0f %% of the test events are of users that training lacks.\nThat is what a running service meets; "
            "--groups cold shows them apart.",
            users);
    if (items > 10)
        say(v, WARNING,
            "%.0f %% of the test events are of items that training lacks: nobody can rank them, and they count as "
            "misses.\nAttributes of items "
            "(--items) help; --unknown-items drop leaves them out, as some libraries do.",
            items);
    if (s->repeated)
        say(v, NOTE,
            "%lld test events repeat a pair that training has: they are left out of the test.\n--keep-seen tests them "
            "too, where users come back to the "
            "same items.",
            (ll)s->repeated);
    if (percent(s->after_own, s->train_events) > 5)
        say(v, WARNING,
            "%.0f %% of training lies after a test event of the same user: the split looks into the future.\nWhere the "
            "order matters, use ratio-time:0.8, "
            "last:1 or time:0.8.",
            percent(s->after_own, s->train_events));
    else if (percent(s->after_first, s->train_events) > 20)
        say(v, NOTE,
            "%.0f %% of training is later than the first test event of anybody.\nOnly time:0.8 (one cut for all) "
            "measures what a deployment sees.",
            percent(s->after_first, s->train_events));
}

void pen__doctor_verdict(const pen__findings *f, pen__text *out)
{
    verdict v;
    for (int k = 0; k < N_SEVERITIES; k++) v.list[k] = (pen__text){.ctx = f->data->ctx};
    judge_size(&v, f);
    if (f->data->n_events) {
        judge_split(&v, f);
        judge_reading(&v, f);
        judge_duplicates(&v, f);
        judge_values(&v, f);
        judge_times(&v, f);
        judge_ids(&v, f);
        judge_spread(&v, f);
    }
    if (!v.list[PROBLEM].length && !v.list[WARNING].length)
        say(&v, NOTE, "Nothing in this log speaks against learning from it.\n");
    const char *apart = "[";
    for (int k = 0; k < N_SEVERITIES; k++) {
        if (v.list[k].length) {
            pen__text_puts(out, apart);
            pen__text_add(out, v.list[k].bytes, v.list[k].length);
            apart = ", ";
        }
        out->failed |= v.list[k].failed;
        pen__text_free(&v.list[k]);
    }
    pen__text_puts(out, "]");
}
