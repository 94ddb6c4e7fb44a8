/* Matrix products on one thread.
 *
 *     pen__gemm(false, true, rows, out, in, 1, x, in, w, in, 0, y, out);   y (rows, out) = x (rows, in) w' (out, in)
 *
 * Matrices are row-major. C (m, n; row stride ldc) = alpha op(A) op(B) + beta C, where op(A) is (m, k): A is (m, k)
 * with row stride lda, or, where ta, (k, m) with row stride lda; op(B) is (k, n): B is (k, n), or (n, k) where tb. beta
 * 0: C is not read. m, n or k may be 0 (k = 0: C = beta C). C overlaps neither A nor B. NaN and infinities propagate
 * where alpha is not 0. Nothing is read or written outside the stated shapes; no alignment is needed. Nothing is
 * allocated: panels are packed on the stack, at most PEN_GEMM_STACK bytes. Thread-safe; no other thread is started or
 * disturbed.
 */
#ifndef PEN_KERN_GEMM_H
#define PEN_KERN_GEMM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cpu.h"
#include "kern/real.h"

#ifdef PEN_REAL_DOUBLE /* names of their own: both may be linked into one program */
#define pen__gemm pen__gemm_double
#define pen__gemm_fixed pen__gemm_fixed_double
#define pen__gemm_name pen__gemm_name_double
#define pen__gemm_at pen__gemm_at_double
#endif

enum { PEN_GEMM_STACK = 128 * 1024 };

/* The fastest: oneDNN's, where the library was built with it and the level of base/cpu.h is the best of this machine
 * (results of a level that was asked for are our own) and the product is not tiny; else pen__gemm_fixed. The same
 * arguments on the same machine give the same bits; an element's bits may depend on m, n and its place. */
void pen__gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, pen__real alpha, const pen__real *a, int64_t lda,
               const pen__real *b, int64_t ldb, pen__real beta, pen__real *c, int64_t ldc);

/* Our own, in a fixed order: an element of C has the same bits whatever m, n, ta, tb and the strides are and wherever
 * its row and column stand. Blocks of 256 terms are each one chain of multiply-adds from 0 in the order of k (fused,
 * except at the scalar level); C = alpha sum + beta C for the first block, C = alpha sum + C for the next, fused
 * likewise. |difference| to exact <= (k + 3) eps (|alpha| sum |a b| + |beta c|), eps = 2^-24. */
void pen__gemm_fixed(bool ta, bool tb, int64_t m, int64_t n, int64_t k, pen__real alpha, const pen__real *a,
                     int64_t lda, const pen__real *b, int64_t ldb, pen__real beta, pen__real *c, int64_t ldc);

/* What pen__gemm is: "oneDNN 2.6.3" or "built-in". Static. */
const char *pen__gemm_name(void);

/* pen__gemm_fixed of a level, for tests; NULL where this machine or build lacks it. */
typedef void pen__gemm_function(bool ta, bool tb, int64_t m, int64_t n, int64_t k, pen__real alpha, const pen__real *a,
                                int64_t lda, const pen__real *b, int64_t ldb, pen__real beta, pen__real *c,
                                int64_t ldc);
pen__gemm_function *pen__gemm_at(pen__cpu level);

#endif
