/* penchant recommend: the best items for a user, for a history, or for everybody. */
#include <math.h>
#include <string.h>

#include "asking.h"
#include "words.h"

static const char csv_header[] = "user,place,item,title,score,how";

static void say_diversity(const call *c, const pen_answer *a)
{
    if (!(c->diversity > 0) || !isfinite(a->similarity_after)) return;
    if (isfinite(a->relevance_kept))
        say(c, "diversity %g: %.1f %% of the score kept, similarity within the list %.3f -> %.3f", c->diversity,
            100 * a->relevance_kept, a->similarity_before, a->similarity_after);
    else
        say(c, "diversity %g: similarity within the list %.3f -> %.3f", c->diversity, a->similarity_before,
            a->similarity_after);
}

static int recommend_one(const call *c, asking *a)
{
    const pen_answer *answer;
    pen_error error = {0};
    if (pen_recommend(a->query, &a->who, &a->options, &answer, &error) != PEN_OK) return fail(&error);
    asking_say(c, answer->user, answer->how, answer->reason);
    say_diversity(c, answer);
    if (wants(c, "json"))
        printf("[%.*s]\n", (int)answer->text.length, answer->text.bytes);
    else if (wants(c, "csv"))
        printf("%s%s\n%.*s", csv_header, c->why ? ",why" : "", (int)answer->text.length, answer->text.bytes);
    else
        asking_table(c, answer);
    return EXIT_DONE;
}

typedef struct stream {
    const call *call;
    int64_t n, n_fallback, n_short;
    double kept, before, after;
    int64_t n_kept, n_similar;
} stream;

static int take(void *user, const pen_answer *answer)
{
    stream *s = user;
    const call *c = s->call;
    if (wants(c, "json")) fputs(s->n ? ",\n " : "", stdout);
    if (answer->text.length) fwrite(answer->text.bytes, 1, answer->text.length, stdout);
    if (!wants(c, "json") && !wants(c, "csv")) {
        if (s->n) putchar('\n');
        words_print(stdout, "user %.*s: %s%s%.*s", (int)answer->user.length, answer->user.bytes,
                    pen_how_text((pen_how)answer->how), answer->reason.length ? "; " : "", (int)answer->reason.length,
                    answer->reason.bytes);
        putchar('\n');
        asking_table(c, answer);
    }
    s->n++;
    s->n_fallback += answer->how == PEN_HOW_FALLBACK;
    s->n_short += answer->n < c->n;
    if (isfinite(answer->relevance_kept)) s->kept += answer->relevance_kept, s->n_kept++;
    if (isfinite(answer->similarity_after))
        s->before += answer->similarity_before, s->after += answer->similarity_after, s->n_similar++;
    return ferror(stdout);
}

static int recommend_all(const call *c, asking *a)
{
    stream s = {.call = c};
    pen_error error = {0};
    if (wants(c, "json")) fputs("[", stdout);
    if (wants(c, "csv")) printf("%s%s\n", csv_header, c->why ? ",why" : "");
    if (pen_recommend_all(a->query, &a->options, take, &s, &error) != PEN_OK) return fail(&error);
    if (wants(c, "json")) fputs("]\n", stdout);
    say(c, "%lld users", (long long)s.n);
    if (s.n_fallback) say(c, "%lld of them got the most popular items", (long long)s.n_fallback);
    if (s.n_short)
        say(c, "%lld of them got fewer than %lld: no more items are allowed", (long long)s.n_short, (long long)c->n);
    pen_answer mean = {.relevance_kept = s.n_kept ? s.kept / (double)s.n_kept : (double)NAN,
                       .similarity_before = s.n_similar ? s.before / (double)s.n_similar : (double)NAN,
                       .similarity_after = s.n_similar ? s.after / (double)s.n_similar : (double)NAN};
    say_diversity(c, &mean);
    return EXIT_DONE;
}

static int run(call *c)
{
    asking a;
    if (c->all && (c->user || c->history)) return usage(c, "--all excludes --user and --history");
    if (!c->all && !c->user && !c->history) return usage(c, "recommend needs --user ID, --history ID,ID,... or --all");
    int status = asking_open(c, &a);
    if (status == EXIT_DONE) status = c->all ? recommend_all(c, &a) : recommend_one(c, &a);
    asking_close(&a);
    return status;
}

const command recommend_command = {
    .name = "recommend",
    .arguments = "FILE.pen",
    .summary = "the best items for a user, for a history, or for everybody",
    .more = "Exactly N items under any mix of filters, or all that are allowed, which is said. What a user had is left "
            "out (--keep-seen keeps\n"
            "it). The answer says how it was made: personal, folded-in (from a history that the model was not trained "
            "on) or fallback (the\n"
            "most popular items) and why. With --user and --history, the history comes after what the model knows of "
            "the user.\n\n"
            "  penchant recommend model.pen --user 196\n"
            "  penchant recommend model.pen --user 196 --why --where 'genre = \"Drama\" and year >= 1990'\n"
            "  penchant recommend model.pen --history 50,181:4,172 -n 5 --diversity 0.3\n"
            "  penchant recommend model.pen --all --format csv > lists.csv",
    .groups = FOR_USER | FOR_ASK | FOR_FILTER | FOR_N,
    .least = 1,
    .most = 1,
    .run = run,
};
