/* The engine's kernels, AVX-512: see deep_tmpl.h. */
#define LANES 16
#define FILL pen__deep_fill_avx512
#include "kern/deep_tmpl.h"
