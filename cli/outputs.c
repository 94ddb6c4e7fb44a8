/* What a call writes is looked at before the work begins: a folder that is not there, or a log that its own result
 * would be written over, is said at once and not after hours of training. */
#include "outputs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "curves.h"

static bool same_file(const struct stat *a, const char *path)
{
    struct stat b;
    return path && !stat(path, &b) && a->st_dev == b.st_dev && a->st_ino == b.st_ino;
}

/* One side of "FIRST,SECOND" (side 0 or 1). */
static bool same_as_part(const struct stat *a, const char *pair, int side)
{
    const char *comma = pair ? strchr(pair, ',') : NULL;
    if (!comma) return false;
    if (side) return same_file(a, comma + 1);
    char *first = strndup(pair, (size_t)(comma - pair));
    bool same = first && same_file(a, first);
    free(first);
    return same;
}

static bool is_read(const call *c, const struct stat *written)
{
    const char *const files[] = {c->read.items_path, c->read.users_path, c->test, c->valid,
                                 c->train,           c->allow,           c->deny};
    bool found = same_as_part(written, c->knowledge, 0) || same_as_part(written, c->knowledge, 1);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) found = found || same_file(written, files[i]);
    for (size_t i = 0; i < c->args.n; i++) found = found || same_file(written, c->args.at[i]);
    for (size_t i = 0; i < c->folds.n; i++)
        found = found || same_as_part(written, c->folds.at[i], 0) || same_as_part(written, c->folds.at[i], 1);
    return found;
}

static int cannot_write(const call *c, const char *path, int why)
{
    return usage(c, "cannot write '%s': %s", path, strerror(why)), EXIT_FAILED;
}

/* The folder that `path` is to stand in is there and takes files. */
static int check_folder_of(const call *c, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    struct stat s;
    int why = !folder                       ? ENOMEM
              : stat(folder, &s)            ? errno
              : !S_ISDIR(s.st_mode)         ? ENOTDIR
              : access(folder, W_OK | X_OK) ? errno
                                            : 0;
    free(folder);
    return why ? cannot_write(c, path, why) : EXIT_DONE;
}

static int check_file(const call *c, const char *name, const char *path)
{
    struct stat s;
    if (!path || !strcmp(path, "-")) return EXIT_DONE;
    if (!*path) return usage(c, "%s is empty: it names the file to write", name);
    if (stat(path, &s)) return check_folder_of(c, path);
    if (S_ISDIR(s.st_mode)) return cannot_write(c, path, EISDIR);
    if (!S_ISREG(s.st_mode)) return EXIT_DONE; /* /dev/stdout and the like */
    if (is_read(c, &s))
        return usage(c, "%s '%s' is a file that this call reads: it would be written over; name another", name, path);
    return check_folder_of(c, path);
}

/* The log of a training and the picture beside it: neither may be the other, or the model. */
static int check_log(const call *c)
{
    char picture[4096];
    struct stat info;
    if (!c->log) return EXIT_DONE;
    int status = check_file(c, "--log", c->log);
    if (status != EXIT_DONE || !strncmp(c->log, "/dev/", 5) || (!stat(c->log, &info) && !S_ISREG(info.st_mode)))
        return status; /* without a picture */
    if (!strcmp(c->log, "-")) return usage(c, "--log names a file: standard output is for data");
    if (c->output && !strcmp(c->log, c->output)) return usage(c, "--log and -o are both '%s'", c->log);
    if (!curves_path(c->log, picture, sizeof picture))
        return usage(c, "--log '%s' is where the picture of its curves would go; name it .jsonl", c->log);
    if (c->output && !strcmp(picture, c->output))
        return usage(c, "the picture of --log '%s' would be written over -o '%s'; name another", c->log, picture);
    return check_file(c, "the picture of --log", picture);
}

int outputs_check(const call *c)
{
    bool folder = c->command->groups & FOR_PARTS || (c->what && !strcmp(c->what, "tensors"));
    int status = folder ? EXIT_DONE : check_file(c, "-o", c->output);
    if (status == EXIT_DONE) status = check_log(c);
    return status == EXIT_DONE ? check_file(c, "--plot", c->plot) : status;
}
