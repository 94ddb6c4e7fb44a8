/* Logs as JSON lines. The first byte sets the options, the rest is the file. */
#include "fuzz_reading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const contexts[] = {"c"};
    pen_read_options options = PEN_READ_OPTIONS_INIT;
    if (!size) return 0;
    options.input = "jsonl";
    options.skip_bad_rows = data[0] & 1;
    if (data[0] & 2) options.user_column = "u", options.item_column = "i";
    if (data[0] & 4) options.context_columns = contexts, options.n_context_columns = 1;
    read_every_way(data + 1, size - 1, &options);
    return 0;
}
