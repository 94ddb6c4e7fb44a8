/* Help, man pages and completion, all from the tables of commands and options. */
#include "help.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Edit distance with a cap, enough for words of a command line. */
static size_t distance(const char *a, const char *b)
{
    enum { LONGEST = 40 };
    size_t n = strlen(a), m = strlen(b), row[LONGEST + 1];
    if (n > LONGEST || m > LONGEST) return LONGEST;
    for (size_t j = 0; j <= m; j++) row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

const char *nearest_word(const char *asked, const char *const *words, size_t n)
{
    const char *nearest = NULL;
    size_t least = 1000, length = strlen(asked);
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(asked, words[i]), longer = length > strlen(words[i]) ? length : strlen(words[i]);
        if (length >= 2 && !strncmp(asked, words[i], length)) d = d < 2 ? d : 1;
        if (d <= (longer + 2) / 3 && d < least) least = d, nearest = words[i];
    }
    return nearest;
}

void help_all(FILE *out)
{
    fputs("penchant: from a log of events to recommendations.\n\nusage: penchant VERB [ARGUMENTS] [OPTIONS]\n\n", out);
    for (size_t i = 0; i < n_commands; i++) fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\npenchant VERB --help tells more. Data goes to standard output; words and progress to standard error.\n"
          "Exit status: 0 done, 1 the work failed, 2 the call was wrong.\n\n"
          "  penchant import ratings.csv -o log.pds\n"
          "  penchant compare log.pds -m popular,item-knn,ials\n"
          "  penchant train log.pds -m ials -o model.pen\n"
          "  penchant recommend model.pen --user 42 --why\n",
          out);
}

static void spelling(const option *o, char *out, size_t room)
{
    int n = o->letter ? snprintf(out, room, "-%c, %s", o->letter, o->name) : snprintf(out, room, "    %s", o->name);
    if (o->argument && n > 0 && (size_t)n < room) snprintf(out + n, room - (size_t)n, " %s", o->argument);
}

static void help_options(const command *k, FILE *out, bool everywhere)
{
    for (size_t i = 0; i < n_options; i++) {
        const option *o = &options[i];
        char words[128];
        if (everywhere ? o->groups != 0 : !(o->groups & k->groups)) continue;
        spelling(o, words, sizeof words);
        if (strlen(words) <= 30)
            fprintf(out, "  %-30s %s\n", words, o->doc);
        else
            fprintf(out, "  %s\n  %-30s %s\n", words, "", o->doc);
    }
}

void help_command(const command *k, FILE *out)
{
    fprintf(out, "penchant %s: %s\n\nusage: penchant %s %s [OPTIONS]\n", k->name, k->summary, k->name, k->arguments);
    if (k->more) fprintf(out, "\n%s\n", k->more);
    if (k->groups) fputs("\noptions:\n", out);
    help_options(k, out, false);
    fputs("\neverywhere:\n", out);
    help_options(k, out, true);
}

/* ---- man pages --------------------------------------------------------------------------------------------------- */

static void roff(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '\\')
            fputs("\\e", stdout);
        else if (*c == '-')
            fputs("\\-", stdout);
        else if (*c == '\n' && (c[1] == '.' || c[1] == '\''))
            fputs("\n\\&", stdout);
        else
            putchar(*c);
    }
}

static void man_options(const command *k, bool everywhere)
{
    for (size_t i = 0; i < n_options; i++) {
        const option *o = &options[i];
        if (everywhere ? o->groups != 0 : !(o->groups & k->groups)) continue;
        fputs(".TP\n.B ", stdout);
        if (o->letter) printf("\\-%c, ", o->letter);
        roff(o->name);
        if (o->argument) {
            fputs(" \\fI", stdout);
            roff(o->argument);
            fputs("\\fR", stdout);
        }
        putchar('\n');
        roff(o->doc);
        putchar('\n');
    }
}

static int man_all(void)
{
    printf(".TH PENCHANT 1 \"\" \"penchant %s\"\n.SH NAME\npenchant \\- from a log of events to recommendations\n",
           pen_version());
    puts(".SH SYNOPSIS\n.B penchant\n.I VERB\n[\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]\n.SH VERBS");
    for (size_t i = 0; i < n_commands; i++) {
        printf(".TP\n.B %s\n", commands[i]->name);
        roff(commands[i]->summary);
        printf(" See \\fBpenchant\\-%s\\fR(1).\n", commands[i]->name);
    }
    puts(".SH EXIT STATUS\n0 done, 1 the work failed, 2 the call was wrong.");
    return EXIT_DONE;
}

static int man_command(const command *k)
{
    printf(".TH PENCHANT\\-%s 1 \"\" \"penchant %s\"\n.SH NAME\npenchant\\-%s \\- ", k->name, pen_version(), k->name);
    roff(k->summary);
    printf("\n.SH SYNOPSIS\n.B penchant %s\n", k->name);
    roff(k->arguments);
    puts(" [\\fIOPTIONS\\fR]");
    if (k->more) {
        puts(".SH DESCRIPTION\n.nf");
        roff(k->more);
        puts("\n.fi");
    }
    puts(".SH OPTIONS");
    man_options(k, false);
    puts(".SS Everywhere");
    man_options(k, true);
    puts(".SH EXIT STATUS\n0 done, 1 the work failed, 2 the call was wrong.\n.SH SEE ALSO\n.BR penchant (1)");
    return EXIT_DONE;
}

/* ---- completion -------------------------------------------------------------------------------------------------- */

static bool of(const option *o, const command *k) { return !o->groups || o->groups & k->groups; }

/* The choices of an option with blanks between, or "". */
static void choices(const option *o)
{
    for (const char *c = o->choices ? o->choices : ""; *c; c++) putchar(*c == '|' ? ' ' : *c);
}

static int bash(void)
{
    puts("# bash completion of penchant; generated by `penchant --generate bash`\n_penchant() {\n    local "
         "word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n    COMPREPLY=()\n"
         "    if [ \"$COMP_CWORD\" -eq 1 ]; then");
    fputs("        COMPREPLY=($(compgen -W \"", stdout);
    for (size_t i = 0; i < n_commands; i++) printf("%s ", commands[i]->name);
    puts("help --help --version\" -- \"$word\")); return\n    fi\n    case $before in");
    for (size_t i = 0; i < n_options; i++) {
        if (!options[i].choices) continue;
        printf("    %s) COMPREPLY=($(compgen -W \"", options[i].name);
        choices(&options[i]);
        puts("\" -- \"$word\")); return ;;");
    }
    fputs("    --model|-m) COMPREPLY=($(compgen -W \"", stdout);
    for (size_t i = 0; i < pen_models(); i++) {
        pen_model_info info;
        if (pen_models_get(i, &info, NULL) == PEN_OK) printf("%s ", info.name);
    }
    puts("\" -- \"$word\")); return ;;\n    esac\n    if [[ $word == -* ]]; then\n        case ${COMP_WORDS[1]} in");
    for (size_t k = 0; k < n_commands; k++) {
        printf("        %s) COMPREPLY=($(compgen -W \"", commands[k]->name);
        for (size_t i = 0; i < n_options; i++)
            if (of(&options[i], commands[k])) printf("%s ", options[i].name);
        puts("\" -- \"$word\")) ;;");
    }
    puts("        esac\n    else\n        COMPREPLY=($(compgen -f -- \"$word\"))\n    fi\n}\ncomplete -o filenames -F "
         "_penchant penchant");
    return EXIT_DONE;
}

/* Text in single quotes for zsh and fish; brackets and colons mean something to zsh. */
static void quoted(const char *text, bool zsh)
{
    for (const char *c = text; *c; c++) {
        if (*c == '\'')
            fputs(zsh ? "'\\''" : "\\'", stdout);
        else if (zsh && strchr("[]:", *c))
            printf("\\%c", *c);
        else
            putchar(*c);
    }
}

static int zsh(void)
{
    puts("#compdef penchant\n# zsh completion of penchant; generated by `penchant --generate zsh`\n_penchant() {\n  "
         "local -a verbs\n  verbs=(");
    for (size_t i = 0; i < n_commands; i++) {
        printf("    '%s:", commands[i]->name);
        quoted(commands[i]->summary, true);
        puts("'");
    }
    puts("  )\n  if (( CURRENT == 2 )); then _describe verb verbs; return; fi\n  case $words[2] in");
    for (size_t k = 0; k < n_commands; k++) {
        printf("    %s) _arguments '*:file:_files'", commands[k]->name);
        for (size_t i = 0; i < n_options; i++) {
            const option *o = &options[i];
            if (!of(o, commands[k])) continue;
            printf(" \\\n      '%s[", o->name);
            quoted(o->doc, true);
            fputs("]", stdout);
            if (o->argument) {
                fputs(":", stdout);
                quoted(o->argument, true);
                fputs(":", stdout);
                if (o->choices) {
                    fputs("(", stdout);
                    choices(o);
                    fputs(")", stdout);
                } else
                    fputs("_files", stdout);
            }
            fputs("'", stdout);
        }
        puts(" ;;");
    }
    puts("  esac\n}\n_penchant \"$@\"");
    return EXIT_DONE;
}

static int fish(void)
{
    puts("# fish completion of penchant; generated by `penchant --generate fish`");
    for (size_t k = 0; k < n_commands; k++) {
        printf("complete -c penchant -n __fish_use_subcommand -a %s -d '", commands[k]->name);
        quoted(commands[k]->summary, false);
        puts("'");
    }
    for (size_t i = 0; i < n_options; i++) {
        const option *o = &options[i];
        fputs("complete -c penchant -n '__fish_seen_subcommand_from", stdout);
        for (size_t k = 0; k < n_commands; k++)
            if (of(o, commands[k])) printf(" %s", commands[k]->name);
        printf("' -l %s", o->name + 2);
        if (o->letter) printf(" -s %c", o->letter);
        if (o->argument) fputs(" -r", stdout);
        if (o->choices) {
            fputs(" -f -a '", stdout);
            choices(o);
            fputs("'", stdout);
        }
        fputs(" -d '", stdout);
        quoted(o->doc, false);
        puts("'");
    }
    return EXIT_DONE;
}

int help_generate(const char *what)
{
    if (!strcmp(what, "man")) return man_all();
    if (!strcmp(what, "bash")) return bash();
    if (!strcmp(what, "zsh")) return zsh();
    if (!strcmp(what, "fish")) return fish();
    if (!strncmp(what, "man-", 4) && command_find(what + 4)) return man_command(command_find(what + 4));
    if (!strcmp(what, "verbs")) {
        for (size_t i = 0; i < n_commands; i++) puts(commands[i]->name);
        return EXIT_DONE;
    }
    fprintf(stderr, "penchant: --generate takes man, man-VERB, bash, zsh, fish or verbs\n");
    return EXIT_USAGE;
}
