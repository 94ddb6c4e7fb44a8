/* The portable matrix product, for the instruction set whose file includes this (gemm_avx2.c says what it must define).
 *
 * After Goto and van de Geijn (2008) and BLIS, with less packing: C is cut into tiles of MR x NR elements that stay in
 * registers for a block of KC terms. op(B)'s columns are packed NR at a time into a panel (KC, NR) that fits the
 * first-level cache; rows of A are read where they are, broadcast, unless they lie the other way (then MC of them are
 * packed, k-major). A product whose C is narrow is computed as C' = op(B)' op(A)', so that vectors run along the longer
 * side.
 *
 * An element's steps depend on k alone: one chain of multiply-adds for each block. Cost: 2 m n k operations and m / MC
 * copies of B (k n). */

typedef pen__real real;
enum { KC = 256, NR = NV * VN };

/* op(X)[i][j] = at[i * row + j * column] */
typedef struct view {
    const real *at;
    int64_t row, column;
} view;

typedef struct target {
    real *at;
    int64_t row, column;
    real alpha, beta;
    bool reads; /* beta is not 0 */
} target;

/* C of one vector: alpha x + beta C. */
static inline vf blend(const target *c, vf x, vf old)
{
    if (c->reads) return vfma(vset(c->alpha), x, vset(c->beta) * old);
    return vset(c->alpha) * x;
}

/* A tile that is cut off at the right or whose columns are not neighbours: through a row of its own, by the same
 * steps. */
static void store_row(const target *c, const vf *acc, int64_t i, int64_t j, int64_t width)
{
    real old[NR] = {0};
    real *at = c->at + i * c->row + j * c->column;
    for (int64_t t = 0; c->reads && t < width; t++) old[t] = at[t * c->column];
    for (int v = 0; v < NV; v++) vstore(old + v * VN, blend(c, acc[v], vload(old + v * VN)));
    for (int64_t t = 0; t < width; t++) at[t * c->column] = old[t];
}

/* mr rows of A from a (steps a_row down, a_step along k) times a packed panel. */
static inline __attribute__((always_inline)) void tile(const int mr, int64_t k, const real *a, int64_t a_row,
                                                       int64_t a_step, const real *panel, const target *c, int64_t i,
                                                       int64_t j, int64_t width)
{
    vf acc[MR][NV];
#pragma GCC unroll 16
    for (int r = 0; r < mr; r++)
#pragma GCC unroll 8
        for (int v = 0; v < NV; v++) acc[r][v] = vset(0);
    for (int64_t t = 0; t < k; t++) {
        vf b[NV];
#pragma GCC unroll 8
        for (int v = 0; v < NV; v++) b[v] = vload(panel + t * NR + v * VN);
#pragma GCC unroll 16
        for (int r = 0; r < mr; r++) {
            vf x = vset(a[r * a_row + t * a_step]);
#pragma GCC unroll 8
            for (int v = 0; v < NV; v++) acc[r][v] = vfma(x, b[v], acc[r][v]);
        }
    }
    if (width == NR && c->column == 1) {
        real *at = c->at + i * c->row + j;
#pragma GCC unroll 16
        for (int r = 0; r < mr; r++)
#pragma GCC unroll 8
            for (int v = 0; v < NV; v++) {
                vf old = c->reads ? vload(at + r * c->row + v * VN) : vset(0);
                vstore(at + r * c->row + v * VN, blend(c, acc[r][v], old));
            }
        return;
    }
#pragma GCC unroll 16
    for (int r = 0; r < mr; r++) store_row(c, acc[r], i + r, j, width);
}

/* rows (m, at most MC) of A against one panel; steps are constants where they can be, for the compiler's addresses. */
static inline __attribute__((always_inline)) void tiles(int64_t m, int64_t k, const real *a, int64_t a_row,
                                                        int64_t a_step, int64_t a_block, const real *panel,
                                                        const target *c, int64_t i, int64_t j, int64_t width)
{
    int64_t r = 0;
    for (; r + MR <= m; r += MR) tile(MR, k, a + r / MR * a_block, a_row, a_step, panel, c, i + r, j, width);
    a += r / MR * a_block;
    i += r;
    switch (m - r) {
#define REST(count) \
    case count: tile(count < MR ? count : MR, k, a, a_row, a_step, panel, c, i, j, width); break;
        /* clang-format off */
        REST(1) REST(2) REST(3) REST(4) REST(5) REST(6) REST(7) REST(8) REST(9) REST(10) REST(11) REST(12) REST(13)
        /* clang-format on */
#undef REST
            default : break;
    }
}

static void tiles_direct(int64_t m, int64_t k, const real *a, int64_t lda, const real *panel, const target *c,
                         int64_t i, int64_t j, int64_t width)
{
    tiles(m, k, a, lda, 1, lda * MR, panel, c, i, j, width);
}

static void tiles_packed(int64_t m, int64_t k, const real *a, const real *panel, const target *c, int64_t i, int64_t j,
                         int64_t width)
{
    tiles(m, k, a, 1, MR, k * MR, panel, c, i, j, width);
}

/* Columns j .. j + width of op(B), terms t .. t + k, as (k, NR); what is right of width is 0. */
static void pack_panel(view b, int64_t t, int64_t k, int64_t j, int64_t width, real *to)
{
    const real *from = b.at + t * b.row + j * b.column;
    if (width < NR) memset(to, 0, (size_t)(k * NR) * sizeof *to);
    if (b.column == 1 && width == NR) {
        for (int64_t p = 0; p < k; p++)
            for (int v = 0; v < NV; v++) vstore(to + p * NR + v * VN, vload(from + p * b.row + v * VN));
    } else if (b.row == 1 && width == NR) {
        int64_t p = 0;
        for (; p + TURN <= k; p += TURN)
            for (int v = 0; v < NV; v++) vturn(from + v * VN * b.column + p, b.column, to + p * NR + v * VN, NR);
        for (; p < k; p++)
            for (int64_t q = 0; q < NR; q++) to[p * NR + q] = from[q * b.column + p];
    } else {
        for (int64_t p = 0; p < k; p++)
            for (int64_t q = 0; q < width; q++) to[p * NR + q] = from[p * b.row + q * b.column];
    }
}

/* Rows i .. i + m of op(A), terms t .. t + k, in blocks of MR rows, k-major; missing rows are 0. */
static void pack_rows(view a, int64_t i, int64_t m, int64_t t, int64_t k, real *to)
{
    for (int64_t r = 0; r < m; r += MR, to += k * MR) {
        const real *from = a.at + (i + r) * a.row + t * a.column;
        int64_t n = m - r < MR ? m - r : MR;
        for (int64_t p = 0; p < k; p++) {
            if (n == MR)
                for (int q = 0; q < MR; q++) to[p * MR + q] = from[p * a.column + q * a.row];
            else
                for (int64_t q = 0; q < MR; q++) to[p * MR + q] = q < n ? from[p * a.column + q * a.row] : 0;
        }
    }
}

static void product(int64_t m, int64_t n, int64_t k, view a, view b, target c)
{
    real panel[KC * NR] __attribute__((aligned(64))), rows[KC * MC] __attribute__((aligned(64)));
    const bool direct = a.column == 1;
    const int64_t step = direct ? DIRECT : MC;
    for (int64_t t = 0; t < k; t += KC) {
        int64_t kc = k - t < KC ? k - t : KC;
        if (t > 0) c.beta = 1, c.reads = true;
        for (int64_t i = 0; i < m; i += step) {
            int64_t mc = m - i < step ? m - i : step;
            if (!direct) pack_rows(a, i, mc, t, kc, rows);
            for (int64_t j = 0; j < n; j += NR) {
                int64_t width = n - j < NR ? n - j : NR;
                pack_panel(b, t, kc, j, width, panel);
                if (direct)
                    tiles_direct(mc, kc, a.at + i * a.row + t, a.row, panel, &c, i, j, width);
                else
                    tiles_packed(mc, kc, rows, panel, &c, i, j, width);
            }
        }
    }
}

static void scale(int64_t m, int64_t n, real beta, real *c, int64_t ldc)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
}

static void multiply(bool ta, bool tb, int64_t m, int64_t n, int64_t k, real alpha, const real *a, int64_t lda,
                     const real *b, int64_t ldb, real beta, real *c, int64_t ldc)
{
    if (m <= 0 || n <= 0) return;
    if (k <= 0) {
        scale(m, n, beta, c, ldc);
        return;
    }
    view x = {a, ta ? 1 : lda, ta ? lda : 1}, y = {b, tb ? 1 : ldb, tb ? ldb : 1};
    target z = {c, ldc, 1, alpha, beta, beta != 0};
    if (n < NR && m > n) { /* the same product turned over */
        view x2 = {y.at, y.column, y.row}, y2 = {x.at, x.column, x.row};
        z.row = 1, z.column = ldc;
        product(n, m, k, x2, y2, z);
    } else {
        product(m, n, k, x, y, z);
    }
}
