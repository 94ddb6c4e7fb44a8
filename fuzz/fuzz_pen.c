/* Models out of containers: what opens answers a user whom it knows and a stranger, with reasons, and says what is like
 * an item. The hash is skipped and half of the mutations change numbers of tensors alone, so that they get past the
 * container's own checks. */
#include "fuzz_reading.h"
#include "penchant/query.h"
#include "rank/model_file.h"
#include "store/container.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);
/* absent where replay.c stands in */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

/* Writes a number of a kind that breaks things somewhere behind the header: a tensor's element as often as not. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    static const uint64_t wide[] = {
        0, 1, 2, UINT64_MAX, (uint64_t)INT64_MAX, (uint64_t)INT64_MIN, UINT64_C(1) << 31, UINT64_C(1) << 40};
    static const uint32_t narrow[] = {0,
                                      1,
                                      3,
                                      UINT32_MAX,
                                      INT32_MAX,
                                      UINT32_C(1) << 31,
                                      0x7FC00000u /* NaN */,
                                      0x7F800000u /* infinite */,
                                      0x7F7FFFFFu /* largest */,
                                      0x00000001u,
                                      0x3F800000u /* 1 */,
                                      0xBF800000u};
    uint64_t header = 0;
    if (size > sizeof header) memcpy(&header, data, sizeof header);
    if (seed % 2 || size < 16 || header >= size - 16)
        return LLVMFuzzerMutate ? LLVMFuzzerMutate(data, size, most) : size;
    size_t body = sizeof header + (size_t)header, n_words = (size - body) / 4;
    uint32_t draw = (uint32_t)(seed * 2654435761u);
    for (unsigned k = 0; n_words && k < 1 + (draw >> 8) % 3; k++, draw = draw * 1664525u + 1013904223u) {
        size_t word = (draw >> 4) % n_words;
        if (draw >> 28 < 5 && word + 1 < n_words)
            memcpy(data + body + word / 2 * 8, &wide[(draw >> 25) % 8], 8);
        else if (draw >> 28 < 11)
            memcpy(data + body + word * 4, &narrow[(draw >> 12) % 12], 4);
        else
            data[body + word * 4 + (draw >> 2) % 4] ^= (uint8_t)(1u << (draw >> 9) % 8);
    }
    return size;
}

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
