/* penchant: the program. The verb is looked up, its options are parsed from tables, and it runs. */
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "help.h"
#include "outputs.h"
#include "words.h"

#define COMMAND(name) extern const command name##_command;
#include "commands.def"
#undef COMMAND

const command *const commands[] = {
#define COMMAND(name) &name##_command,
#include "commands.def"
#undef COMMAND
};
const size_t n_commands = sizeof commands / sizeof *commands;

const command *command_find(const char *name)
{
    for (size_t i = 0; i < n_commands; i++)
        if (!strcmp(commands[i]->name, name)) return commands[i];
    return NULL;
}

static int unknown_verb(const char *verb)
{
    static const char *const more[] = {"help", "version", "--help", "--version"};
    enum { N_MORE = sizeof more / sizeof *more };
    const char *names[64];
    for (size_t i = 0; i < n_commands; i++) names[i] = commands[i]->name;
    for (size_t i = 0; i < N_MORE; i++) names[n_commands + i] = more[i];
    const char *nearest = nearest_word(verb, names, n_commands + N_MORE);
    if (nearest)
        words_print(stderr, "penchant: there is no verb '%s'; did you mean '%s'? (see: penchant --help)", verb,
                    nearest);
    else
        words_print(stderr, "penchant: there is no verb '%s' (see: penchant --help)", verb);
    fputc('\n', stderr);
    return EXIT_USAGE;
}

/* Files are mapped: one that another program shortens meanwhile has no bytes to give. Only what may be called in a
 * handler. */
static void on_lost_page(int signal_number)
{
    static const char words[] = "\npenchant: a file that is being read was cut short by another program (or its disk "
                                "failed): call again, on a copy\n";
    (void)signal_number;
    if (write(STDERR_FILENO, words, sizeof words - 1) < 0) _exit(EXIT_FAILED);
    _exit(EXIT_FAILED);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGBUS, on_lost_page);
    if (argc < 2) {
        help_all(stderr);
        return EXIT_USAGE;
    }
    const char *verb = argv[1];
    if (!strcmp(verb, "--help") || !strcmp(verb, "-h")) return help_all(stdout), EXIT_DONE;
    if (!strcmp(verb, "--version") || !strcmp(verb, "-V") || !strcmp(verb, "version"))
        return printf("penchant %s\n", pen_version()), EXIT_DONE;
    if (!strcmp(verb, "help") && argc == 2) return help_all(stdout), EXIT_DONE;
    if (!strcmp(verb, "help") && argc == 3) {
        const command *asked = command_find(argv[2]);
        return asked ? help_command(asked, stdout), EXIT_DONE : unknown_verb(argv[2]);
    }
    if (!strcmp(verb, "help")) return fputs("penchant: help takes one verb\n", stderr), EXIT_USAGE;
    if (!strcmp(verb, "--generate") && argc == 3) return help_generate(argv[2]);
    call c = {.command = command_find(verb)};
    if (!c.command) return unknown_verb(verb);
    int status = call_parse(&c, argc - 2, argv + 2);
    if (status == EXIT_DONE && c.help)
        help_command(c.command, stdout);
    else if (status == EXIT_DONE && (status = outputs_check(&c)) == EXIT_DONE)
        status = c.command->run(&c);
    progress_end();
    if (fflush(stdout) || ferror(stdout)) {
        perror("penchant: cannot write standard output");
        if (status == EXIT_DONE) status = EXIT_FAILED;
    }
    call_free(&c);
    return status;
}
