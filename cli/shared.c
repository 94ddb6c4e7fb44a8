/* What commands share: contexts, loading, words, progress, and the protocol from the words of the call. */
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "size.h"
#include "words.h"

static volatile sig_atomic_t interrupted;
static bool line_open; /* a line of progress stands on the terminal */
static double last_line;

static void on_interrupt(int signal_number)
{
    if (interrupted++) {
        signal(signal_number, SIG_DFL);
        raise(signal_number);
    }
}

bool colour(FILE *stream)
{
    const char *no = getenv("NO_COLOR");
    return isatty(fileno(stream)) && !(no && *no);
}

int fail(const pen_error *error)
{
    progress_end();
    words_print(stderr, "penchant: %s", error->message[0] ? error->message : pen_status_text((pen_status)error->code));
    fputc('\n', stderr);
    return error->code == PEN_E_ARGUMENT || error->code == PEN_E_UNKNOWN ? EXIT_USAGE : EXIT_FAILED;
}

int usage(const call *c, const char *format, ...)
{
    (void)c;
    va_list args;
    va_start(args, format);
    fputs("penchant: ", stderr);
    words_put(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return EXIT_USAGE;
}

void say(const call *c, const char *format, ...)
{
    if (c->quiet) return;
    progress_end();
    va_list args;
    va_start(args, format);
    words_put(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

void progress_end(void)
{
    if (line_open) fputs("\r\033[K", stderr);
    line_open = false;
}

void log_report(void *user, pen_log_level level, const char *message)
{
    const call *c = user;
    if (c->quiet || (level > PEN_LOG_INFO && !c->verbose)) return;
    progress_end();
    words_print(stderr, "%s%s", level == PEN_LOG_WARNING ? "warning: " : "", message);
    fputc('\n', stderr);
}

static void put_rate(FILE *out, double rate)
{
    if (rate >= 1e6)
        fprintf(out, "%.1f M", rate / 1e6);
    else if (rate >= 1e3)
        fprintf(out, "%.1f k", rate / 1e3);
    else
        fprintf(out, "%.0f ", rate);
}

int progress_report(void *user, const pen_progress *p)
{
    const call *c = user;
    bool terminal = isatty(STDERR_FILENO);
    /* a terminal's line is renewed; elsewhere a line every ten seconds keeps long work from being silent */
    bool due = terminal ? true : p->seconds - last_line >= 10 || p->seconds < last_line;
    if (!c->quiet && due && p->seconds > 0.3) {
        last_line = p->seconds;
        if (terminal) fputs("\r\033[K", stderr);
        fprintf(stderr, "%s", p->stage);
        if (p->epoch) fprintf(stderr, " epoch %lld/%lld", (long long)p->epoch, (long long)p->n_epochs);
        if (p->total > 0 && !p->epoch) fprintf(stderr, " %.0f %%", 100.0 * (double)p->done / (double)p->total);
        fprintf(stderr, ", ");
        put_rate(stderr, (double)p->done / p->seconds);
        fprintf(stderr, "%s/s", p->unit);
        if (isfinite(p->loss)) fprintf(stderr, ", loss %.5g", p->loss);
        if (isfinite(p->metric) && p->metric_name) fprintf(stderr, ", %s %.4f", p->metric_name, p->metric);
        if (p->total > 0 && p->done > 0)
            fprintf(stderr, ", %.0f s left", p->seconds * (double)(p->total - p->done) / (double)p->done);
        fprintf(stderr, ", %.0f MB", (double)p->memory_bytes / 1e6);
        if (!terminal) fputc('\n', stderr);
        line_open = terminal;
        fflush(stderr);
    }
    return interrupted != 0;
}

int open_context(const call *c, pen_context **ctx)
{
    pen_context_options o = PEN_CONTEXT_OPTIONS_INIT;
    pen_error error = {0};
    o.n_threads = (int32_t)c->threads;
    if (c->memory && !size_parse(c->memory, &o.memory_limit))
        return usage(c, "--memory '%s' is not a size: 8G, 500M, 1.5G", c->memory);
    o.log = log_report;
    o.progress = progress_report;
    memcpy(&o.user, &c, sizeof o.user);
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return pen_context_create(&o, ctx, &error) == PEN_OK ? EXIT_DONE : fail(&error);
}

/* "TRIPLES,LINKS" into the two paths; the copies live until the program ends. */
static int split_pair(const call *c, const char *name, const char *pair, const char **first, const char **second)
{
    const char *comma = strchr(pair, ',');
    if (!comma || comma == pair || !comma[1]) return usage(c, "%s '%s' is not of the form FILE,FILE", name, pair);
    *first = strndup(pair, (size_t)(comma - pair));
    *second = comma + 1;
    return *first ? EXIT_DONE : usage(c, "out of memory");
}

static int read_options(const call *c, pen_read_options *read)
{
    *read = c->read;
    read->context_columns = c->contexts.at;
    read->n_context_columns = c->contexts.n;
    if (c->header && c->no_header) return usage(c, "--header and --no-header exclude each other");
    read->header = c->header ? 1 : c->no_header ? 0 : -1;
    read->decimal_comma = c->decimal_comma;
    read->skip_bad_rows = c->on_error && !strcmp(c->on_error, "skip");
    if (read->delimiter && !strcmp(read->delimiter, "\\t")) read->delimiter = "\t";
    if (!c->knowledge) return EXIT_DONE;
    return split_pair(c, "--knowledge", c->knowledge, &read->triples_path, &read->links_path);
}

int load(const call *c, pen_context *ctx, const char *const *paths, size_t n, pen_dataset **dataset)
{
    pen_read_options read;
    pen_error error = {0};
    int status = read_options(c, &read);
    if (status != EXIT_DONE) return status;
    if (pen_dataset_load(ctx, paths, n, &read, dataset, &error) != PEN_OK) return fail(&error);
    return EXIT_DONE;
}

int settle_protocol(call *c)
{
    pen_protocol *p = &c->protocol;
    p->task = c->task && !strcmp(c->task, "rate") ? PEN_TASK_RATE : PEN_TASK_RANK;
    p->refit = !(c->refit && !strcmp(c->refit, "no"));
    p->weight_by_value = c->weight_by_value;
    p->keep_seen = c->keep_seen;
    p->drop_unknown_items = c->unknown_items && !strcmp(c->unknown_items, "drop");
    p->exclude_all = !(c->candidates_exclude && !strcmp(c->candidates_exclude, "train"));
    return EXIT_DONE;
}
