/* The engine's kernels, AVX2: see deep_tmpl.h. */
#define LANES 8
#define FILL pen__deep_fill_avx2
#include "kern/deep_tmpl.h"
