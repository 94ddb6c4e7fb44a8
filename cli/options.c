/* Every option of every verb: one table for parsing, help, man pages and completion. A mistyped option is answered with
 * the nearest. Options may stand before or behind arguments; `--name value` and `--name=value` are the same; `--` ends
 * options. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "help.h"

#define AT(field) offsetof(call, field)
#define TEXT(n, a, f, g, d)                                                                   \
    {                                                                                         \
        .name = n, .argument = a, .doc = d, .kind = OPTION_TEXT, .groups = g, .offset = AT(f) \
    }
#define FLAG(n, f, g, d)                                                       \
    {                                                                          \
        .name = n, .doc = d, .kind = OPTION_FLAG, .groups = g, .offset = AT(f) \
    }
#define INT(n, a, f, g, l, h, d)                                                                                  \
    {                                                                                                             \
        .name = n, .argument = a, .doc = d, .kind = OPTION_INT, .groups = g, .offset = AT(f), .low = l, .high = h \
    }
#define REAL(n, a, f, g, l, h, d)                                                                                  \
    {                                                                                                              \
        .name = n, .argument = a, .doc = d, .kind = OPTION_REAL, .groups = g, .offset = AT(f), .low = l, .high = h \
    }
#define CHOICE(n, c, f, g, d)                                                                                 \
    {                                                                                                         \
        .name = n, .argument = c, .doc = d, .kind = OPTION_CHOICE, .groups = g, .offset = AT(f), .choices = c \
    }
#define LIST(n, a, f, g, d)                                                                   \
    {                                                                                         \
        .name = n, .argument = a, .doc = d, .kind = OPTION_LIST, .groups = g, .offset = AT(f) \
    }

static const double HUGE_INT = 9e15;

const option options[] = {
    /* reading */
    CHOICE("--input", "delimited|atomic|jsonl|lists", read.input, FOR_READ, "the form of the files (guessed)"),
    TEXT("--user-column", "NAME|N", read.user_column, FOR_READ,
         "the column of users, by its header's name or its number from 1"),
    TEXT("--item-column", "NAME|N", read.item_column, FOR_READ, "the column of items"),
    TEXT("--value-column", "NAME|N", read.value_column, FOR_READ, "the column of ratings or weights; '' for none"),
    TEXT("--time-column", "NAME|N", read.time_column, FOR_READ, "the column of times; '' for none"),
    TEXT("--event-column", "NAME|N", read.event_column, FOR_READ,
         "the column of event types (view, cart, buy); '' for none"),
    LIST("--context-column", "NAME|N", contexts, FOR_READ, "a column of context to keep (repeatable)"),
    TEXT("--delimiter", "TEXT", read.delimiter, FOR_READ, "what stands between cells: ',' '\\t' '::' ..."),
    TEXT("--list-separator", "TEXT", read.list_separator, FOR_READ, "what stands between the categories of one cell"),
    CHOICE("--encoding", "utf-8|latin1|cp1252", read.encoding, FOR_READ,
           "the encoding of the files (a log: utf-8; tables: guessed, and said)"),
    CHOICE("--time-format", "seconds|milliseconds|microseconds|nanoseconds|iso8601", read.time_format, FOR_READ,
           "how times are written (guessed)"),
    TEXT("--comment", "TEXT", read.comment, FOR_READ, "lines that begin with this are passed over"),
    FLAG("--header", header, FOR_READ, "the first line is a header"),
    FLAG("--no-header", no_header, FOR_READ, "the first line is data"),
    FLAG("--decimal-comma", decimal_comma, FOR_READ, "numbers are written 4,5"),
    TEXT("--items", "FILE", read.items_path, FOR_READ, "a table of items: titles, categories, numbers"),
    TEXT("--users", "FILE", read.users_path, FOR_READ, "a table of users"),
    TEXT("--knowledge", "TRIPLES,LINKS", knowledge, FOR_READ, "triples over entities, and the entity of each item"),
    CHOICE("--on-error", "stop|skip", on_error, FOR_READ,
           "what a bad row does (stop); skipped ones are counted and the first few shown"),

    /* which events count */
    REAL("--min-value", "X", protocol.min_value, FOR_EVENTS, -1e30, 1e30, "drop rows worth less"),
    TEXT("--since", "TIME", protocol.since, FOR_EVENTS, "drop what was before"),
    TEXT("--until", "TIME", protocol.until, FOR_EVENTS, "drop what was at that time or after"),
    CHOICE("--duplicates", "sum|last|first|keep", protocol.duplicates, FOR_EVENTS,
           "several events of one user and item (last when rating, sum when ranking)"),
    INT("--min-item-events", "N", protocol.min_item_events, FOR_EVENTS, 0, HUGE_INT,
        "drop items with fewer events, once"),
    INT("--min-user-events", "N", protocol.min_user_events, FOR_EVENTS, 0, HUGE_INT,
        "drop users with fewer events, once"),
    INT("--k-core", "N", protocol.k_core, FOR_EVENTS, 0, HUGE_INT,
        "drop users and items with fewer events until none is left"),
    TEXT("--event-weight", "TYPE=W,...", protocol.event_weight, FOR_EVENTS,
         "weights of event types: view=1,cart=3,buy=5"),
    FLAG("--weight-by-value", weight_by_value, FOR_EVENTS, "when ranking, an event weighs its value"),
    REAL("--positive", "X", protocol.positive, FOR_EVENTS, -1e30, 1e30,
         "what is worth X or more is learned and tested; the rest counts as seen"),
    CHOICE("--task", "rank|rate", task, FOR_EVENTS, "rank items (default) or predict ratings"),

    /* the split */
    TEXT("--split", "SPEC", protocol.split, FOR_SPLIT,
         "ratio:0.8,0.1,0.1 ratio-all: ratio-time: last:1 last:1,1 time:0.8 time:DATE users:0.8,0.1,0.1 folds:5"),
    TEXT("--fold-in", "SPEC", protocol.fold_in, FOR_SPLIT, "what a held-out user shows: ratio:0.8 or last:1"),
    CHOICE("--missing-time", "drop|first", protocol.missing_time, FOR_SPLIT,
           "events without a time, where the order matters"),
    CHOICE("--refit", "yes|no", refit, FOR_MODEL, "fit again on training and validation before the test (yes)"),
    TEXT("--test", "FILE", test, FOR_TESTFILE, "the test, given: its pairs are taken out of the log"),
    TEXT("--valid", "FILE", valid, FOR_VALIDFILE, "the validation, given, beside --test"),
    LIST("--fold", "TRAIN,TEST", folds, FOR_FOLDS, "a given fold (repeatable), instead of a log"),

    /* measuring */
    TEXT("--metrics", "LIST", protocol.metrics, FOR_MEASURE,
         "ndcg@10,recall@20,... (ranking: ndcg@10,recall@20,coverage@10; rating: rmse,mae)"),
    FLAG("--keep-seen", keep_seen, FOR_MEASURE | FOR_ASK, "seen items stay in"),
    CHOICE("--unknown-items", "miss|drop", unknown_items, FOR_MEASURE, "test items that training lacks (miss)"),
    TEXT("--candidates", "FILE|uniform:N|popularity:N", protocol.candidates, FOR_CANDIDATES,
         "rank these only; labelled so in the report"),
    CHOICE("--candidates-exclude", "train|all", candidates_exclude, FOR_CANDIDATES,
           "whose items sampled candidates leave out (all)"),
    INT("--test-users", "N", protocol.test_users, FOR_REPEAT | FOR_SCORE, 0, HUGE_INT, "test a random N of the users"),
    TEXT("--groups", "LIST", protocol.groups, FOR_REPEAT, "results by activity, popularity, cold"),
    INT("--seeds", "N", protocol.seeds, FOR_REPEAT, 1, 1000, "repeat with N seeds: mean and deviation"),
    INT("--bootstrap", "N", protocol.bootstrap, FOR_INTERVALS, 0, 1000000,
        "resamples for intervals: 0 or 100 and more (1000)"),

    /* models */
    {.name = "--model",
     .letter = 'm',
     .argument = "MODEL",
     .doc = "the model; of compare: several, by commas (see: penchant models)",
     .kind = OPTION_TEXT,
     .groups = FOR_MODEL,
     .offset = AT(model)},
    {.name = "--param",
     .letter = 'p',
     .argument = "NAME=VALUE",
     .doc = "a parameter (repeatable); model.name=value; @FILE.json",
     .kind = OPTION_LIST,
     .groups = FOR_MODEL,
     .offset = AT(params)},
    LIST("--pretrain", "FILE.pen", pretrain, FOR_TRAIN | FOR_REPEAT,
         "start from a saved model's weights (repeatable): neumf from a gmf and an mlp"),
    FLAG("--resume", resume, FOR_TRAIN, "go on from FILE.pen.ckpt, to the same bits as an unbroken run"),
    REAL("--checkpoint-seconds", "S", checkpoint_seconds, FOR_TRAIN, 0, 1e9,
         "at least so long between two checkpoints (30)"),
    FLAG("--no-checkpoint", no_checkpoint, FOR_TRAIN, "keep no checkpoint while training"),
    TEXT("--log", "FILE", log, FOR_TRAIN,
         "a JSON line for each epoch (--resume appends), and the curves beside it as .svg"),
    FLAG("--no-history", no_history, FOR_TRAIN, "leave what users have seen out of the model file"),
    TEXT("--plot", "FILE.svg", plot, FOR_COMPARE, "a picture: of the comparison with its intervals; of popularity"),
    TEXT("--train", "FILE", train, FOR_SCORE, "the training events: the catalogue, and what was seen"),

    /* output */
    {.name = "--output",
     .letter = 'o',
     .argument = "PATH",
     .doc = "where to write",
     .kind = OPTION_TEXT,
     .groups = FOR_OUTPUT,
     .offset = AT(output)},

    /* asking */
    TEXT("--user", "ID", user, FOR_USER, "a user of the model"),
    TEXT("--history", "ID,...|@FILE", history, FOR_USER, "items, or item:value, by commas; @FILE: one a line"),
    FLAG("--all", all, FOR_ASK, "every user's list, streamed"),
    TEXT("--item", "ID", item, FOR_ITEM, "an item of the model"),
    {.name = "--number",
     .letter = 'n',
     .argument = "N",
     .doc = "how many items (10)",
     .kind = OPTION_INT,
     .groups = FOR_N,
     .offset = AT(n),
     .low = 1,
     .high = 1e6},
    FLAG("--why", why, FOR_ASK, "reasons for each item"),
    TEXT("--allow", "FILE", allow, FOR_FILTER, "only these items (an id a line)"),
    TEXT("--deny", "FILE", deny, FOR_FILTER, "none of these items (an id a line)"),
    TEXT("--where", "EXPRESSION", where, FOR_FILTER,
         "only items of which this holds: genre = \"Drama\" and year >= 1990"),
    INT("--min-popularity", "N", min_popularity, FOR_FILTER, 0, HUGE_INT, "only items with so many events in training"),
    REAL("--diversity", "X", diversity, FOR_ASK, 0, 1,
         "re-rank for diversity (maximal marginal relevance): 0 none, 1 nothing else"),

    /* synth */
    CHOICE("--structure", "blocks|drift|cycle|popularity", structure, FOR_SYNTH, "what made the events (blocks)"),
    INT("--events", "N", synth_events, FOR_SYNTH, 1, 1e12, "how many events"),
    INT("--n-users", "N", synth_users, FOR_SYNTH, 1, 2147483646, "how many users"),
    INT("--n-items", "N", synth_items, FOR_SYNTH, 1, 2147483646, "how many items"),
    INT("--n-groups", "N", groups_of_taste, FOR_SYNTH, 1, 2147483646, "groups of taste"),
    REAL("--noise", "X", noise, FOR_SYNTH, 0, 1, "share of events that do not follow the structure"),
    REAL("--skew", "X", skew, FOR_SYNTH, 0, 3, "of popularity and activity"),
    CHOICE("--parts", "csv|tsv|pds", parts_format, FOR_PARTS, "how parts are written (csv)"),

    /* export */
    CHOICE("--what", "users|items|user-vectors|item-vectors|history|neighbours|tensors", what, FOR_EXPORT,
           "what to write (item-vectors)"),

    /* info */
    FLAG("--plan", plan, FOR_INFO, "the network of a model file: ops, shapes, work, bytes, what an answer runs"),

    /* everywhere */
    CHOICE("--format", "table|csv|json", format, 0, "how results are printed (table)"),
    INT("--threads", "N", threads, 0, 0, 1024, "threads (all)"),
    {.name = "--seed",
     .argument = "N",
     .doc = "the seed of everything that is drawn (1)",
     .kind = OPTION_INT,
     .offset = AT(protocol.seed),
     .low = 0,
     .high = 9e15},
    TEXT("--memory", "SIZE", memory, 0, "the work refuses to hold more: 8G, 500M"),
    {.name = "--quiet", .letter = 'q', .doc = "no words and no progress", .kind = OPTION_FLAG, .offset = AT(quiet)},
    {.name = "--verbose", .letter = 'v', .doc = "more words", .kind = OPTION_FLAG, .offset = AT(verbose)},
    {.name = "--help", .letter = 'h', .doc = "this", .kind = OPTION_FLAG, .offset = AT(help)},
};
const size_t n_options = sizeof options / sizeof *options;

static bool takes(const call *c, const option *o) { return !o->groups || o->groups & c->command->groups; }

static const option *find(const char *name, size_t length)
{
    for (size_t i = 0; i < n_options; i++)
        if (strlen(options[i].name) == length && !memcmp(options[i].name, name, length)) return &options[i];
    return NULL;
}

static int unknown_option(const call *c, const char *name, size_t length)
{
    const char *names[sizeof options / sizeof *options];
    char word[128];
    size_t n = 0;
    snprintf(word, sizeof word, "%.*s", (int)length, name);
    const option *elsewhere = find(name, length);
    if (elsewhere)
        return usage(c, "%s takes no option %s (it is for other verbs; see: penchant %s --help)", c->command->name,
                     word, c->command->name);
    for (size_t i = 0; i < n_options; i++)
        if (takes(c, &options[i])) names[n++] = options[i].name;
    const char *nearest = nearest_word(word, names, n);
    if (nearest)
        return usage(c, "there is no option '%s'; did you mean '%s'? (see: penchant %s --help)", word, nearest,
                     c->command->name);
    return usage(c, "there is no option '%s' (see: penchant %s --help)", word, c->command->name);
}

static int list_add(const call *c, list *l, const char *value)
{
    const char **grown = realloc(l->at, (l->n + 1) * sizeof *grown);
    if (!grown) return usage(c, "out of memory");
    l->at = grown;
    l->at[l->n++] = value;
    return EXIT_DONE;
}

static int set_number(const call *c, const option *o, void *field, const char *value)
{
    char *end;
    errno = 0;
    double number = strtod(value, &end);
    bool whole = o->kind == OPTION_INT;
    if (!*value || *end || errno || !isfinite(number) || (whole && number != floor(number)) || number < o->low ||
        number > o->high)
        return usage(c, "%s '%s' is not %s from %.15g to %.15g", o->name, value, whole ? "a whole number" : "a number",
                     o->low, o->high);
    if (!whole)
        *(double *)field = number;
    else if (o->offset == AT(protocol.seeds) || o->offset == AT(protocol.bootstrap))
        *(int32_t *)field = (int32_t)number;
    else
        *(int64_t *)field = (int64_t)number;
    return EXIT_DONE;
}

static int set_choice(const call *c, const option *o, void *field, const char *value)
{
    size_t n = strlen(value);
    for (const char *at = o->choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
        size_t length = strcspn(at, "|");
        if (length == n && !memcmp(at, value, n)) {
            *(const char **)field = value;
            return EXIT_DONE;
        }
    }
    return usage(c, "%s '%s' is not one of %s", o->name, value, o->choices);
}

/* Options of reading that do nothing where all that is read are .pds files. (Tables beside those are refused by the
 * library.) */
static bool is_of_text(const option *o)
{
    return o->groups == FOR_READ && strcmp(o->name, "--on-error") && strcmp(o->name, "--items") &&
           strcmp(o->name, "--users") && strcmp(o->name, "--knowledge");
}

static int set(call *c, const option *o, const char *value)
{
    void *field = (char *)c + o->offset;
    if (is_of_text(o)) c->reading = o->name;
    switch (o->kind) {
    case OPTION_FLAG: *(bool *)field = true; return EXIT_DONE;
    case OPTION_TEXT: *(const char **)field = value; return EXIT_DONE;
    case OPTION_LIST: return list_add(c, field, value);
    case OPTION_CHOICE: return set_choice(c, o, field, value);
    default: return set_number(c, o, field, value);
    }
}

/* One option at argv[*at]; moves *at over its value. */
static int parse_option(call *c, int argc, char **argv, int *at)
{
    const char *word = argv[*at], *value = NULL;
    const option *o = NULL;
    size_t length = strlen(word);
    if (word[1] == '-') {
        length = strcspn(word, "=");
        o = find(word, length);
        if (word[length] == '=') value = word + length + 1;
    } else {
        for (size_t i = 0; i < n_options; i++)
            if (options[i].letter && options[i].letter == word[1] && takes(c, &options[i])) o = &options[i];
        if (o && word[2]) value = word[2] == '=' ? word + 3 : word + 2;
        if (!o) length = 2;
    }
    if (!o || !takes(c, o)) return unknown_option(c, word, length);
    if (o->kind == OPTION_FLAG && value) return usage(c, "%s takes no value", o->name);
    if (o->kind != OPTION_FLAG && !value) {
        if (*at + 1 >= argc) return usage(c, "%s needs a value: %s", o->name, o->argument);
        value = argv[++*at];
    }
    return set(c, o, value);
}

static void set_defaults(call *c)
{
    static const pen_read_options read = PEN_READ_OPTIONS_INIT;
    c->read = read;
    pen_protocol_init(&c->protocol);
    c->checkpoint_seconds = 30;
    c->n = 10;
    static const pen_synth_options synth = PEN_SYNTH_OPTIONS_INIT;
    c->synth_users = synth.users;
    c->synth_items = synth.items;
    c->synth_events = synth.events;
    c->groups_of_taste = synth.groups;
    c->noise = synth.noise;
    c->skew = synth.skew;
}

static bool is_text(const char *path)
{
    size_t n = path ? strlen(path) : 0;
    return path && (n < 4 || strcmp(path + n - 4, ".pds"));
}

/* An option that says how text is read would silently do nothing to a .pds file. */
static int check_reading(const call *c)
{
    bool text = c->folds.n || is_text(c->test) || is_text(c->valid) || is_text(c->train);
    size_t first = c->command->groups & FOR_MODELFILE ? 1 : 0;
    for (size_t i = first; i < c->args.n; i++) text = text || is_text(c->args.at[i]);
    if (!c->reading || text || c->args.n <= first) return EXIT_DONE;
    return usage(c, "%s is of text, and '%s' was read already; import it anew with %s", c->reading, c->args.at[first],
                 c->reading);
}

int call_parse(call *c, int argc, char **argv)
{
    bool only_arguments = false;
    set_defaults(c);
    for (int at = 0; at < argc; at++) {
        int status;
        if (!only_arguments && !strcmp(argv[at], "--")) {
            only_arguments = true;
            continue;
        }
        if (!only_arguments && argv[at][0] == '-' && argv[at][1])
            status = parse_option(c, argc, argv, &at);
        else
            status = list_add(c, &c->args, argv[at]);
        if (status != EXIT_DONE) return status;
    }
    if (c->help) return EXIT_DONE;
    const command *k = c->command;
    if ((int)c->args.n < k->least)
        return usage(c, "%s needs %s (see: penchant %s --help)", k->name, k->arguments, k->name);
    if (k->most >= 0 && (int)c->args.n > k->most)
        return usage(c, "%s takes %s; '%s' is one too many", k->name, *k->arguments ? k->arguments : "no arguments",
                     c->args.at[k->most]);
    return check_reading(c);
}

void call_free(call *c)
{
    free(c->args.at);
    free(c->contexts.at);
    free(c->folds.at);
    free(c->params.at);
    free(c->pretrain.at);
}
