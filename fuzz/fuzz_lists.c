/* Logs as adjacency lists. The first byte sets the options, the rest is the file. */
#include "fuzz_reading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pen_read_options options = PEN_READ_OPTIONS_INIT;
    if (!size) return 0;
    options.input = "lists";
    options.skip_bad_rows = data[0] & 1;
    if (data[0] & 2) options.encoding = "latin1";
    read_every_way(data + 1, size - 1, &options);
    return 0;
}
