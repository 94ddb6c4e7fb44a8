/* How a table of kernels is filled: scalar first, then each level the machine has puts its own functions over them. */
#ifndef PEN_KERN_KERN_FILL_H
#define PEN_KERN_KERN_FILL_H

#include "kern/kern.h"

void pen__kern_fill_scalar(pen__kernels *kern);
void pen__kern_fill_scalar_solve(pen__kernels *kern); /* its part with matrices */
void pen__kern_fill_avx2(pen__kernels *kern);
void pen__kern_fill_avx512(pen__kernels *kern);
void pen__kern_fill_neon(pen__kernels *kern);

#endif
