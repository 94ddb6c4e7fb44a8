/* The engine's kernels, portable: see deep_tmpl.h. */
#define LANES 4
#define FILL pen__deep_fill_scalar
#include "kern/deep_tmpl.h"
