/* Sizes in bytes as people write them: 8G, 500M, 1.5GiB, 1000. */
#ifndef PEN_CLI_SIZE_H
#define PEN_CLI_SIZE_H

#include <stdbool.h>
#include <stdint.h>

bool size_parse(const char *text, uint64_t *bytes);

#endif
