/* Vector kernels: one table of functions for each instruction set, chosen once at run time.
 *
 *     const pen__kernels *kern = pen__kern();
 *     float r = kern->dot(p, q, d);
 *
 * Rules that hold for every kernel. Pointers need no alignment unless stated; nothing outside the stated shapes is
 * read or written; n and d may be 0. Arrays do not overlap unless stated. NaN and infinities propagate; denormals are
 * kept. Accumulators are float unless stated. "Exact" means: the same bits at every level (a NaN may differ in sign
 * and payload). "Level" means: the same bits for one level; the largest difference to scalar is given. All functions
 * are pure functions of their arguments and thread-safe.
 */
#ifndef PEN_KERN_KERN_H
#define PEN_KERN_KERN_H

#include <stdint.h>

#include "base/cpu.h"

enum {
    PEN_PANEL = 16,     /* items in a panel, see kern/panels.h */
    PEN_MAX_TILE = 12,  /* the largest tile_users of any level */
    PEN_MAX_LANES = 16, /* the largest lanes of any level */
    PEN_OUTER_ROWS = 48 /* rows that add_outer packs at a time */
};

/* Symmetric matrices of d x d lie row by row, row i from i * pen__matrix_stride(d), in pen__matrix_floats(d) floats
 * aligned to 64 bytes; columns j >= i count, what is below the diagonal is anything. Columns d .. stride - 1 are
 * padding: zeros when the matrix is first filled, and kept so in rows that count. The stride avoids distances that
 * share cache sets. */
static inline int64_t pen__matrix_pad(int64_t d) { return (d + 15) / 16 * 16; }
static inline int64_t pen__matrix_stride(int64_t d)
{
    int64_t pad = pen__matrix_pad(d);
    return pad > 0 && pad % 128 == 0 ? pad + 16 : pad;
}
static inline int64_t pen__matrix_floats(int64_t d) { return pen__matrix_pad(d) * pen__matrix_stride(d); }

typedef struct pen__kernels {
    const char *name;
    int tile_users; /* users that score_tile takes at once: 6 or 12 */

    /* ---- scores: exact -------------------------------------------------------------------------------------------
     * score(u, i) = fmaf(P[u][d-1], Q[i][d-1], ... fmaf(P[u][0], Q[i][0], bias[i])), 0 where bias is NULL: one chain in
     * the order of k, whoever computes it. `panels` is (n_panels, d, 16), k-major, as pen__panels_pack makes them. */

    /* One user (d) against n_panels; out is (n_panels * 16), bias (n_panels * 16) or NULL. */
    void (*score_one)(const float *panels, int64_t d, int64_t n_panels, const float *user, const float *bias,
                      float *out);

    /* tile_users users against n_panels. `users` is (d, tile_users), k-major; row t of out begins at out + t *
     * stride. */
    void (*score_tile)(const float *panels, int64_t d, int64_t n_panels, const float *users, const float *bias,
                       float *out, int64_t stride);

    /* One user against n items by number (in range): out[j] = score(user, items[j]). */
    void (*score_items)(const float *panels, int64_t d, const float *user, const float *bias, const int32_t *items,
                        int64_t n, float *out);

    /* ---- looking through scores: exact --------------------------------------------------------------------------- */

    /* Writes the rising positions j in [0, n) where !(x[j] < threshold), NaNs among them; returns their number. */
    int64_t (*find_at_least)(const float *x, int64_t n, float threshold, int32_t *found);

    /* The number of x[j] > y and, in *equal, of x[j] == y. n is below 2^31. */
    int64_t (*count_above)(const float *x, int64_t n, float y, int64_t *equal);

    /* ---- rows of a factor model ---------------------------------------------------------------------------------- */

    /* sum a[k] b[k]. Level: |difference| <= 2 d eps sum |a[k] b[k]|, eps = 2^-24. */
    float (*dot)(const float *a, const float *b, int64_t d);

    /* sum p[k] (a[k] - b[k]), the margin of a pair. Level, as dot. */
    float (*dot_difference)(const float *p, const float *a, const float *b, int64_t d);

    /* sum x[k]^2. Level, as dot. */
    float (*sum_squares)(const float *x, int64_t d);

    /* y[k] = fmaf(a, x[k], y[k]). Exact. */
    void (*axpy)(float *y, float a, const float *x, int64_t d);

    /* y[k] = fmaf(a, x[k], b * y[k]). Exact. b = 1 - rate * l2 and a = rate * gradient make an SGD step. */
    void (*axpby)(float *y, float a, const float *x, float b, int64_t d);

    /* Both rows of a pair, each with the other's old value: p = keep_p p + step q, q = keep_q q + step p. Exact. */
    void (*update_pair)(float *p, float *q, int64_t d, float step, float keep_p, float keep_q);

    /* The rows of (user, liked a, other b): p = keep p + step (a - b), a = keep_items a + step p, b = keep_items b -
     * step p, with old values on the right. a and b may be one row only if the caller does not mind the order: a first.
     * Exact. */
    void (*update_triple)(float *p, float *a, float *b, int64_t d, float step, float keep_user, float keep_items);

    /* Adagrad: h[k] += g[k]^2, x[k] -= rate g[k] / sqrt(h[k] + eps). Exact. */
    void (*adagrad)(float *x, float *h, const float *g, int64_t d, float rate, float eps);

    /* out[k] = e^x[k]; out may be x. Within 2 ulp; over 88.72 infinity, below -87.33 0. Exact between levels. */
    void (*exp)(float *out, const float *x, int64_t n);

    /* out[k] = 1 / (1 + e^-x[k]); out may be x. Within 4 ulp for x > -87, 0 below. Exact between levels. */
    void (*sigmoid)(float *out, const float *x, int64_t n);

    /* ---- normal equations: level ------------------------------------------------------------------------------------
     * Sums go through runs of PEN_OUTER_ROWS terms, each added up on its own: error about (48 + n / 48) eps of the sum
     * of magnitudes. */

    /* A += sum_j w[j] q_j q_j', b += sum_j v[j] q_j for the n rows q_j (d floats) at table + rows[j] * stride. rows
     * NULL: rows
     * 0..n-1; w NULL: w_all for every row (faster); v NULL: v_all; b NULL: A alone. b is (pad), its padding kept.
     * scratch: 2 * PEN_OUTER_ROWS * pad floats. `after` numbers that follow rows[n-1] may be read, to fetch their rows
     * ahead. */
    void (*add_outer)(float *a, float *b, int64_t d, const float *table, int64_t stride, const int32_t *rows,
                      const float *w, float w_all, const float *v, float v_all, int64_t n, int64_t after,
                      float *scratch);

    /* A = U'U in place; the diagonal of U is stored inverted. False where A is not positive definite (or not finite): A
     * is then anything. */
    bool (*cholesky)(float *a, int64_t d);

    /* Solves with U of cholesky, in place: b (pad). */
    void (*cholesky_solve)(const float *a, int64_t d, float *b);

    /* n <= lanes systems at once, one in each lane of a vector: b[s] = A_s^-1 b[s], ok[s] whether A_s was positive
     * definite. A is only read. d from 1; scratch: lanes * (pad * (pad + 8) / 2 + 2 * pad) floats, aligned. Faster than
     * one by one while the scratch stays in cache; see pen__solve_systems. */
    int lanes;
    void (*solve_lanes)(const float *const *a, float *const *b, int n, int64_t d, float *scratch, bool *ok);
} pen__kernels;

/* The table of the level that base/cpu.h chose. */
const pen__kernels *pen__kern(void);

/* The table of one level, NULL where the machine lacks it: for tests and benchmarks. */
const pen__kernels *pen__kern_at(pen__cpu level);

#endif
