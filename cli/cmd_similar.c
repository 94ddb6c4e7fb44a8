/* penchant similar: the items most like one. */
#include "asking.h"

static int answer(const call *c, asking *a)
{
    const pen_answer *similar;
    pen_error error = {0};
    pen_string title = pen_model_item_title(a->model, pen_model_find_item(a->model, pen_string_of(c->item)));
    if (pen_similar(a->query, pen_string_of(c->item), &a->options, &similar, &error) != PEN_OK) return fail(&error);
    say(c, "like %s%s%.*s%s: %.*s", c->item, title.length ? " (" : "", (int)title.length,
        title.length ? title.bytes : "", title.length ? ")" : "", (int)similar->reason.length, similar->reason.bytes);
    if (wants(c, "json"))
        printf("[%.*s]\n", (int)similar->text.length, similar->text.bytes);
    else if (wants(c, "csv"))
        printf("item,place,similar,title,similarity,how\n%.*s", (int)similar->text.length, similar->text.bytes);
    else
        asking_table(c, similar);
    return EXIT_DONE;
}

static int run(call *c)
{
    asking a;
    if (!c->item) return usage(c, "similar needs --item ID");
    int status = asking_open(c, &a);
    if (status == EXIT_DONE) status = answer(c, &a);
    asking_close(&a);
    return status;
}

const command similar_command = {
    .name = "similar",
    .arguments = "FILE.pen",
    .summary = "the items most like one",
    .more = "By the model's own similarity where it has one, else by the cosine of its vectors, else by who had both: "
            "the answer says which.\n\n"
            "  penchant similar model.pen --item 50\n"
            "  penchant similar model.pen --item 50 -n 20 --min-popularity 50",
    .groups = FOR_ITEM | FOR_FILTER | FOR_N,
    .least = 1,
    .most = 1,
    .run = run,
};
