/* The engine's kernels, NEON: see deep_tmpl.h. */
#define LANES 4
#define FILL pen__deep_fill_neon
#include "kern/deep_tmpl.h"
