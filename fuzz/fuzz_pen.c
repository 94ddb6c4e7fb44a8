/* Models out of containers: what opens answers a user whom it knows and a stranger, with reasons, and says what is like
 * an item. The hash is skipped, and half of the mutations change numbers of tensors alone (fuzz_numbers.h). */
#include "fuzz_numbers.h"
#include "fuzz_reading.h"
#include "penchant/query.h"
#include "rank/model_file.h"
#include "store/container.h"

static void ask(const pen_model *model)
{
    pen_query *query;
    pen_who who = PEN_WHO_INIT;
    pen_recommend_options options = PEN_RECOMMEND_OPTIONS_INIT;
    const pen_answer *answer;
    const pen_explanation *explanation;
    pen_error error = {0};
    pen_string first = pen_model_item_id(model, 0), last = pen_model_item_id(model, pen_model_items(model) - 1),
               history[] = {first, last, first};
    if (pen_query_create(model, &query, &error) != PEN_OK) abort();
    options.n = 3, options.why = 1, options.render = PEN_RENDER_JSON;
    who.user = pen_model_user_id(model, 0);
    if (pen_recommend(query, &who, &options, &answer, &error) == PEN_OK && (answer->n < 0 || answer->n > 3)) abort();
    (void)pen_explain(query, &who, last, &explanation, &error);
    who.user = (pen_string){NULL, 0}, who.history = history, who.n_history = 3;
    if (pen_recommend(query, &who, &options, &answer, &error) == PEN_OK && (answer->n < 0 || answer->n > 3)) abort();
    (void)pen_similar(query, first, &options, &answer, &error);
    pen_query_destroy(query);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pen_context *ctx = fuzz_context();
    pen__container *c;
    pen_model *model;
    pen_error error = {0};
    void *bytes; /* ends where the block ends, so that a read past the end is seen */
    if (posix_memalign(&bytes, 64, size ? size : 1)) return 0;
    if (size) memcpy(bytes, data, size);
    if (pen__container_open_memory(ctx, bytes, size, "fuzz", "model", PEN__MODEL_VERSION, PEN__SKIP_HASH, &c, &error) ==
        PEN_OK) {
        if (pen__model_from_container(ctx, c, &model, &error) == PEN_OK) {
            ask(model);
            pen_model_destroy(model);
        } else if (!error.message[0])
            abort();
    }
    free(bytes);
    if (pen_context_memory(ctx)) abort();
    return 0;
}
