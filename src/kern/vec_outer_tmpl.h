/* Normal equations and Cholesky of one matrix, for the instruction set whose file includes this.
 *
 * Both are made of one register tile: a few rows x 16 columns of A plus scale * sum_j w_j[i] q_j[c], over rows w_j and
 * q_j that lie at a constant distance: packed copies of gathered rows, or the finished rows of U. Only what reaches the
 * diagonal or lies above it is computed, vector by vector: with AVX2 d = 64 takes 2304 products a row for the 2080 that
 * count. */

/* Rows of w and q: j-th at w + j * step, q + j * step. */
typedef struct terms {
    const float *w, *q;
    int64_t step, n;
    float scale;
} terms;

/* Rows that are wanted PEN_OUTER_ROWS later, asked for (into the second-level cache) a few before each tile: all at
 * once they would fill the queue of misses and stop everything. */
typedef struct fetch {
    const float *table;
    const int32_t *rows, *end;
    int64_t stride, d;
} fetch;

static inline void fetch_some(fetch *f)
{
    enum { AT_ONCE = 2 };
    for (int t = 0; t < AT_ONCE && f->rows < f->end; t++) {
        const float *row = f->table + *f->rows++ * f->stride;
        for (int64_t k = 0; k < f->d; k += 16) __builtin_prefetch(row + k, 0, 2);
    }
}

/* Rows i .. i + full - 1 of the 16 columns at c, and below them `part` rows whose vectors before v0 lie under the
 * diagonal. */
static inline __attribute__((always_inline)) void outer_tile(const int full, const int part, const int v0, float *a,
                                                             int64_t ld, const terms *t, int64_t i, int64_t c)
{
    vf acc[16][NV];
#pragma GCC unroll 16
    for (int r = 0; r < full + part; r++)
#pragma GCC unroll 16
        for (int v = r < full ? 0 : v0; v < NV; v++) acc[r][v] = vset(0.0f);
    const float *wj = t->w + i, *qj = t->q + c;
    for (int64_t j = 0; j < t->n; j++, wj += t->step, qj += t->step) {
        vf x[NV];
#pragma GCC unroll 16
        for (int v = full ? 0 : v0; v < NV; v++) x[v] = vload(qj + v * VN);
#pragma GCC unroll 16
        for (int r = 0; r < full + part; r++) {
            vf p = vset(wj[r]);
#pragma GCC unroll 16
            for (int v = r < full ? 0 : v0; v < NV; v++) acc[r][v] = vfma(p, x[v], acc[r][v]);
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < full + part; r++)
#pragma GCC unroll 16
        for (int v = r < full ? 0 : v0; v < NV; v++) {
            float *at = a + (i + r) * ld + c + v * VN;
            vstore(at, vfma(vset(t->scale), acc[r][v], vload(at)));
        }
}

#define TILE(full, part, v0, row) outer_tile((full), (part), (v0), a, ld, t, (row), c)

/* Rows begin .. c + 15 of the 16 columns at c, from a multiple of 16 to the diagonal. */
static void outer_to_diagonal(float *a, int64_t ld, const terms *t, int64_t begin, int64_t c, fetch *f)
{
    int64_t i = begin;
#if VEC_FLOATS == 16
    for (; i <= c; i += 16) fetch_some(f), TILE(16, 0, 0, i);
#elif VEC_FLOATS == 8
    /* Both vectors down to row c + 7, then the second alone: twelve chains in as many tiles as can be. */
    for (; i + 6 <= c + 8; i += 6) {
        fetch_some(f);
        TILE(6, 0, 0, i);
    }
    if (c + 8 - i == 2) {
        TILE(2, 8, 1, i);
        return;
    }
    if (c + 8 - i == 4) TILE(4, 0, 0, i);
    TILE(0, 8, 1, c + 8);
#else
    for (; i < c; i += 4) fetch_some(f), TILE(4, 0, 0, i);
    TILE(4, 0, 0, c);
    TILE(0, 4, 1, c + 4);
    TILE(0, 4, 2, c + 8);
    TILE(0, 4, 3, c + 12);
#endif
}

/* The 16 rows from begin of 16 columns to the right of them. */
static void outer_sixteen(float *a, int64_t ld, const terms *t, int64_t begin, int64_t c)
{
#if VEC_FLOATS == 16
    TILE(16, 0, 0, begin);
#elif VEC_FLOATS == 8
    TILE(6, 0, 0, begin);
    TILE(6, 0, 0, begin + 6);
    TILE(4, 0, 0, begin + 12);
#else
    for (int64_t i = begin; i < begin + 16; i += 4) TILE(4, 0, 0, i);
#endif
}

#undef TILE

/* The first n of a vector's floats, zeros behind them. */
static inline vf load_first(const float *x, int64_t n)
{
    if (n >= VN) return vload(x);
    float part[VN] = {0};
    for (int64_t k = 0; k < n; k++) part[k] = x[k];
    return vload(part);
}

/* A run of gathered rows. */
typedef struct run {
    const float *row[PEN_OUTER_ROWS];
    float scale[PEN_OUTER_ROWS], v[PEN_OUTER_ROWS];
    int64_t n;
} run;

/* nv vectors of columns at c of pack_run. */
static inline __attribute__((always_inline)) void pack_columns(const int nv, const run *r, int64_t d, int64_t pad,
                                                               int64_t c, float *copy, float *b)
{
    vf acc[4 * NV];
#pragma GCC unroll 16
    for (int x = 0; x < nv; x++) acc[x] = vset(0.0f);
    for (int64_t j = 0; j < r->n; j++) {
        const float *row = r->row[j] + c;
        float *to = copy + j * pad + c;
        vf scale = vset(r->scale[j]), v = vset(r->v[j]);
#pragma GCC unroll 16
        for (int x = 0; x < nv; x++) {
            vf q = c + nv * VN <= d ? vload(row + x * VN) : load_first(row + x * VN, d - c - x * VN);
            vstore(to + x * VN, scale * q);
            acc[x] = vfma(v, q, acc[x]);
        }
    }
#pragma GCC unroll 16
    for (int x = 0; b && x < nv; x++) vstore(b + c + x * VN, vload(b + c + x * VN) + acc[x]);
}

/* copy_j = scale_j q_j, padded with zeros, and b += sum_j v_j q_j (not where b is NULL), 64 columns of a row at a
 * time. */
static void pack_run(const run *r, int64_t d, int64_t pad, float *copy, float *b)
{
    int64_t c = 0;
    for (; c + 4 * PEN_PANEL <= d; c += 4 * PEN_PANEL) pack_columns(4 * NV, r, d, pad, c, copy, b);
    for (; c + PEN_PANEL <= d; c += PEN_PANEL) pack_columns(NV, r, d, pad, c, copy, b);
    if (c < d) pack_columns(NV, r, d, pad, c, copy, b);
}

/* Both sides of a product are scaled by the root of the weight, so that one copy serves for both; where a weight is
 * negative the other side takes the sign, in a second copy. */
static void add_outer(float *a, float *b, int64_t d, const float *table, int64_t stride, const int32_t *rows,
                      const float *w, float w_all, const float *v, float v_all, int64_t n, int64_t after,
                      float *scratch)
{
    const int64_t pad = pen__matrix_pad(d), ld = pen__matrix_stride(d);
    /* of about the same length: short ones are dear */
    const int64_t n_runs = (n + PEN_OUTER_ROWS - 1) / PEN_OUTER_ROWS;
    run r;
    for (int64_t done = 0, at = 0; done < n_runs; done++, at += r.n) {
        r.n = (n - at) / (n_runs - done);
        bool negative = false;
        for (int64_t j = 0; j < r.n; j++) {
            float weight = w ? w[at + j] : 1.0f;
            negative |= weight < 0.0f;
            r.row[j] = table + (rows ? rows[at + j] : at + j) * stride;
            r.scale[j] = w ? __builtin_sqrtf(__builtin_fabsf(weight)) : 1.0f;
            r.v[j] = v ? v[at + j] : v_all;
        }
        pack_run(&r, d, pad, scratch, b);
        float *other = scratch + (negative ? PEN_OUTER_ROWS * pad : 0);
        for (int64_t j = 0; negative && j < r.n; j++)
            for (int64_t k = 0; k < pad; k++)
                other[j * pad + k] = w[at + j] < 0.0f ? -scratch[j * pad + k] : scratch[j * pad + k];
        int64_t next = at + PEN_OUTER_ROWS, ahead = !rows || next > n + after ? 0
                                                    : n + after - next < r.n  ? n + after - next
                                                                              : r.n;
        const int32_t *from = ahead > 0 ? rows + next : NULL;
        fetch f = {table, from, from ? from + ahead : NULL, stride, d};
        terms t = {other, scratch, pad, r.n, w ? 1.0f : w_all};
        for (int64_t c = 0; c < pad; c += 16) outer_to_diagonal(a, ld, &t, 0, c, &f);
        while (f.rows < f.end) fetch_some(&f);
    }
}

/* Rows c .. c + n - 1 of U from A less what the rows above contribute: each row takes away those before it in the
 * block, a vector at a time, and is divided by the root of its diagonal. */
static bool factor_rows(float *a, int64_t ld, int64_t pad, int64_t c, int64_t n)
{
    for (int64_t k = c; k < c + n; k++) {
        float *row = a + k * ld, inverse = 0.0f;
        for (int64_t j = c; j < pad; j += VN) {
            vf even = vload(row + j), odd = vset(0.0f);
            int64_t m = c;
            for (; m + 2 <= k; m += 2) {
                even = vfma(vset(-a[m * ld + k]), vload(a + m * ld + j), even);
                odd = vfma(vset(-a[(m + 1) * ld + k]), vload(a + (m + 1) * ld + j), odd);
            }
            if (m < k) even = vfma(vset(-a[m * ld + k]), vload(a + m * ld + j), even);
            vstore(row + j, even + odd);
        }
        if (!(row[k] > 0.0f && row[k] < __builtin_inff())) return false;
        inverse = 1.0f / __builtin_sqrtf(row[k]);
        for (int64_t j = c; j < pad; j += VN) vstore(row + j, vload(row + j) * vset(inverse));
        row[k] = inverse;
    }
    return true;
}

/* Left-looking by 16 rows, so that A is written once; the rows above are read through the tile, in runs, for their 16
 * columns to stay in the first-level cache. */
static bool cholesky(float *a, int64_t d)
{
    enum { RUN = 128 };
    const int64_t pad = pen__matrix_pad(d), ld = pen__matrix_stride(d);
    fetch nothing = {0};
    for (int64_t c = 0; c < d; c += 16) {
        for (int64_t k = 0; k < c; k += RUN) {
            terms t = {a + k * ld, a + k * ld, ld, c - k < RUN ? c - k : RUN, -1.0f};
            outer_to_diagonal(a, ld, &t, c, c, &nothing);
            for (int64_t j = c + 16; j < pad; j += 16) outer_sixteen(a, ld, &t, c, j);
        }
        if (!factor_rows(a, ld, pad, c, d - c < 16 ? d - c : 16)) return false;
    }
    return true;
}

/* U'y = b downwards, a row of U at a time; U x = y upwards, a dot product for each. */
static void cholesky_solve(const float *a, int64_t d, float *b)
{
    const int64_t ld = pen__matrix_stride(d);
    for (int64_t k = 0; k < d; k++) {
        b[k] *= a[k * ld + k];
        axpy(b + k + 1, -b[k], a + k * ld + k + 1, d - k - 1);
    }
    for (int64_t k = d - 1; k >= 0; k--) b[k] = (b[k] - dot(a + k * ld + k + 1, b + k + 1, d - k - 1)) * a[k * ld + k];
}

static void fill_outer(pen__kernels *kern)
{
    kern->add_outer = add_outer;
    kern->cholesky = cholesky;
    kern->cholesky_solve = cholesky_solve;
}
