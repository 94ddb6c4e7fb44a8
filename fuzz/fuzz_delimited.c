/* Delimited and atomic logs. The first byte sets the options, the rest is the file. */
#include "fuzz_reading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const delimiters[] = {NULL, NULL, ",", "::", "\t", "|", " ", ";"};
    static const char *const contexts[] = {"3"};
    pen_read_options options = PEN_READ_OPTIONS_INIT;
    if (!size) return 0;
    options.delimiter = delimiters[data[0] & 7];
    options.skip_bad_rows = data[0] >> 3 & 1;
    options.decimal_comma = data[0] >> 4 & 1;
    if (data[0] >> 5 & 1) options.input = "delimited", options.comment = "#";
    if (data[0] >> 6 & 1) options.context_columns = contexts, options.n_context_columns = 1, options.value_column = "";
    if (data[0] >> 7) options.encoding = "cp1252";
    read_every_way(data + 1, size - 1, &options);
    return 0;
}
