/* How the table of the engine's kernels is filled: each level's file fills a whole table. */
#ifndef PEN_KERN_DEEP_FILL_H
#define PEN_KERN_DEEP_FILL_H

#include "kern/deep.h"

void pen__deep_fill_scalar(pen__deep *deep);
void pen__deep_fill_avx2(pen__deep *deep);
void pen__deep_fill_avx512(pen__deep *deep);
void pen__deep_fill_neon(pen__deep *deep);

#endif
