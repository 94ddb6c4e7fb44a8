/* penchant synth: a made-up log with a known structure and size. */
#include "cli.h"

static int run(call *c)
{
    pen_context *ctx;
    pen_error error = {0};
    pen_synth_options o = PEN_SYNTH_OPTIONS_INIT;
    if (!c->output) return usage(c, "synth needs -o FILE: where to write (- is standard output)");
    int status = open_context(c, &ctx);
    if (status != EXIT_DONE) return status;
    if (c->structure) o.structure = c->structure;
    o.users = c->synth_users;
    o.items = c->synth_items;
    o.events = c->synth_events;
    o.groups = c->groups_of_taste;
    o.noise = c->noise;
    o.skew = c->skew;
    o.seed = c->protocol.seed;
    if (pen_synth_write(ctx, &o, c->output, &error) != PEN_OK)
        status = fail(&error);
    else
        say(c, "wrote %s: %lld events", c->output, (long long)o.events);
    pen_context_destroy(ctx);
    return status;
}

const command synth_command = {
    .name = "synth",
    .arguments = "",
    .summary = "a made-up log with a known structure and size",
    .more = "blocks: groups of users like groups of items; drift: the groups' tastes change with time; cycle: items "
            "follow one another;\n"
            "popularity: nothing but popularity can be learned.\n\n"
            "  penchant synth --structure blocks --events 1000000 -o made.csv\n"
            "  penchant synth --structure cycle --n-users 5000 --n-items 1000 --events 200000 -o - | penchant doctor -",
    .groups = FOR_SYNTH | FOR_OUTPUT,
    .least = 0,
    .most = 0,
    .run = run,
};
