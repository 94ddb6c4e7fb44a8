/* The products of kern/gemm.h, one for each instruction set, and oneDNN's. Only kern/gemm*.c see this. */
#ifndef PEN_KERN_GEMM_LEVELS_H
#define PEN_KERN_GEMM_LEVELS_H

#include "kern/gemm.h"

#ifdef PEN_REAL_DOUBLE
#define pen__gemm_scalar pen__gemm_scalar_double
#endif

pen__gemm_function pen__gemm_scalar, pen__gemm_avx2, pen__gemm_avx512, pen__gemm_neon;

/* False where oneDNN refuses (it had no memory): C is as it was. */
bool pen__gemm_onednn(bool ta, bool tb, int64_t m, int64_t n, int64_t k, pen__real alpha, const pen__real *a,
                      int64_t lda, const pen__real *b, int64_t ldb, pen__real beta, pen__real *c, int64_t ldc);
const char *pen__gemm_onednn_name(void);

#endif
