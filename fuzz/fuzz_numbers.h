/* What the targets of containers share: every other mutation changes numbers of tensors alone, so that it gets past the
 * container's own checks to those of the reader behind it. The others are libFuzzer's. */
#ifndef PEN_FUZZ_NUMBERS_H
#define PEN_FUZZ_NUMBERS_H

#include <stdint.h>
#include <string.h>

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size,
                                              size_t most); /* absent where replay.c stands in */

/* Writes numbers of a kind that breaks things somewhere behind the header: elements of tensors as often as not. */
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

#endif
