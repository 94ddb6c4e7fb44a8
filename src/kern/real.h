/* The neural engine's real type: float, or double where PEN_REAL_DOUBLE is defined. Gradient checks compile the engine
 * again with double and scalar kernels; nothing else does. */
#ifndef PEN_KERN_REAL_H
#define PEN_KERN_REAL_H

#ifdef PEN_REAL_DOUBLE
typedef double pen__real;
#else
typedef float pen__real;
#endif

#endif
