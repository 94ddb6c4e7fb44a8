/* Alias tables: entries that are too light are filled up by heavy ones, two outcomes to each. */
#include "data/sampler.h"

void pen__alias_build(double *weight, int32_t n, int32_t *scratch, pen__alias *table)
{
    double sum = 0;
    for (int32_t i = 0; i < n; i++) sum += weight[i];
    int32_t n_light = 0, n_heavy = n; /* scratch: the light from below, the heavy from above */
    for (int32_t i = 0; i < n; i++) {
        weight[i] = sum > 0 ? weight[i] * n / sum : 1;
        table[i] = (pen__alias){UINT32_MAX, i};
        if (weight[i] < 1)
            scratch[n_light++] = i;
        else
            scratch[--n_heavy] = i;
    }
    while (n_light > 0 && n_heavy < n) {
        int32_t light = scratch[--n_light], heavy = scratch[n_heavy];
        table[light] = (pen__alias){(uint32_t)(weight[light] * 4294967295.0), heavy};
        weight[heavy] -= 1 - weight[light];
        if (weight[heavy] < 1) {
            n_heavy++;
            scratch[n_light++] = heavy;
        }
    }
}
