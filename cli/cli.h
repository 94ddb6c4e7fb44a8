/* The program: a call parsed from tables, commands, and what they share. Stands on include/penchant/ alone. */
#ifndef PEN_CLI_H
#define PEN_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "penchant/penchant.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* A repeatable option's values, in order. */
typedef struct list {
    const char **at;
    size_t n;
} list;

/* Everything that options can say. One struct for all verbs: an option means the same everywhere. */
typedef struct call {
    const struct command *command;
    list args; /* what is not an option */

    /* everywhere */
    const char *format, *memory;
    bool quiet, verbose, help;
    int64_t threads;

    /* reading */
    pen_read_options read;
    list contexts;
    bool header, no_header, decimal_comma;
    const char *on_error, *knowledge;
    const char *reading; /* the last option that says how text is read, or NULL */

    /* which events, split, measuring */
    pen_protocol protocol;
    const char *task, *refit, *unknown_items, *candidates_exclude;
    list folds;
    const char *test, *valid, *train;
    bool weight_by_value, keep_seen;

    /* models */
    const char *model;
    list params;
    list pretrain;
    bool resume, no_history, no_checkpoint;
    double checkpoint_seconds;

    /* output */
    const char *output, *plot, *log;

    /* asking */
    const char *user, *history, *item, *allow, *deny, *where;
    bool all, why;
    int64_t n, min_popularity;
    double diversity;

    /* split, synth */
    const char *parts_format, *structure;
    int64_t synth_users, synth_items, synth_events, groups_of_taste;
    double noise, skew;

    /* export */
    const char *what;

    /* info */
    bool plan;
} call;

/* Groups of options: a command takes those of its groups. */
enum {
    FOR_READ = 1 << 0,
    FOR_EVENTS = 1 << 1,
    FOR_SPLIT = 1 << 2,
    FOR_MEASURE = 1 << 3,
    FOR_MODEL = 1 << 4,
    FOR_TRAIN = 1 << 5,
    FOR_OUTPUT = 1 << 6,
    FOR_ASK = 1 << 7,
    FOR_SYNTH = 1 << 8,
    FOR_COMPARE = 1 << 9,
    FOR_SCORE = 1 << 10,
    FOR_USER = 1 << 11,
    FOR_ITEM = 1 << 12,
    FOR_EXPORT = 1 << 13,
    FOR_N = 1 << 14,
    FOR_TESTFILE = 1 << 15,
    FOR_PARTS = 1 << 16,
    FOR_FILTER = 1 << 17,
    FOR_INTERVALS = 1 << 18,
    FOR_REPEAT = 1 << 19,
    FOR_CANDIDATES = 1 << 20,
    FOR_FOLDS = 1 << 21,
    FOR_VALIDFILE = 1 << 22,
    FOR_MODELFILE = 1 << 23, /* no options: its first argument is a .pen */
    FOR_INFO = 1 << 24,
    FOR_DATA = FOR_READ | FOR_EVENTS
};

typedef struct command {
    const char *name, *arguments, *summary;
    const char *more; /* help's last part: examples */
    unsigned groups;
    int least, most;     /* number of arguments; most -1: any */
    int (*run)(call *c); /* an exit status */
} command;

extern const command *const commands[];
extern const size_t n_commands;
const command *command_find(const char *name);

/* ---- options (options.c) ----------------------------------------------------------------------------------------- */
enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_INT, OPTION_REAL, OPTION_LIST, OPTION_CHOICE };

typedef struct option {
    const char *name, *argument, *doc; /* "--split", "SPEC", "how ..."; argument NULL: a flag */
    char letter;                       /* 'o' of -o, or 0 */
    int kind;
    unsigned groups;     /* 0: everywhere */
    size_t offset;       /* into call */
    const char *choices; /* "a|b" of a choice */
    double low, high;    /* of numbers */
} option;

extern const option options[];
extern const size_t n_options;

/* Parses; on a wrong call prints what is wrong and returns EXIT_USAGE. */
int call_parse(call *c, int argc, char **argv);
void call_free(call *c);

/* ---- what commands share (shared.c) ------------------------------------------------------------------------------ */

/* Prints "penchant: message" and returns the exit status of the failure. */
int fail(const pen_error *error);
int usage(const call *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void say(const call *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A context with the call's threads, memory, log and progress. Ctrl-C cancels the work once, ends the program twice. */
int open_context(const call *c, pen_context **ctx);

/* Loads a log (.pds or text) as the call says, and says what was read. `quiet`: says nothing. */
int load(const call *c, pen_context *ctx, const char *const *paths, size_t n, pen_dataset **dataset);

/* Fills the protocol from the words of the call. */
int settle_protocol(call *c);

/* Ends the line of progress, if one is open. */
void progress_end(void);
int progress_report(void *user, const pen_progress *progress);
void log_report(void *user, pen_log_level level, const char *message);
bool colour(FILE *stream);

/* ---- rendering (render.c) ---------------------------------------------------------------------------------------- */

/* A report of evaluate or compare as a table for people, CSV, or as the JSON it is. */
int render_report(const call *c, const char *json);

#endif
