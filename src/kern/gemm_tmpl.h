/* The portable matrix product, for the instruction set whose file includes this (gemm_avx2.c says what it must
 * define).
 *
 * After Goto and van de Geijn (2008) and BLIS, with less packing: C is cut into tiles of MR x NR elements that stay
 * in registers for a block of KC terms. NR columns of op(B) become a panel (terms, NR); as many panels as fit PANELS
 * reals are kept at once, and tiles run along C's rows through them. Where the columns lie in rows, the first row of
 * tiles copies them while it computes and fetches ahead. Rows of A are broadcast from where they are, or, where they
 * lie the other way, from packed ones. What has few rows is bound by reading op(B) once, and takes it from where it
 * is. A product whose C is narrow is computed as C' = op(B)' op(A)', so that vectors run along the longer side.
 *
 * An element's steps depend on k alone: one chain of multiply-adds for each block, then alpha and beta. Cost: 2 m n
 * k operations, m / ROWS readings of op(B), n / NR readings of op(A). */

typedef pen__real real;
enum {
    KC = 256,
    NR = NV * VN,
    PANELS = 2 * KC * NR, /* reals of packed panels */
    ROWS = 192,           /* rows of A that go through a group of panels, of KC terms: about the second-level cache */
    STREAM = 512,
    LINE = 64 / sizeof(real), /* of the cache */
    GROUPS = 2
};

_Static_assert(MC % MR == 0 && MC >= 2 * MR && ROWS % MR == 0 && ROWS >= 2 * MR, "what a block leaves can be shared");

/* A loop over what stands in registers. A sanitizer's checks of each unrolled step would take minutes to compile. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define EACH(i, n) for (int i = 0; i < (n); i++)
#else
#define EACH(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++)
#endif

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

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- C = alpha sum + beta C: everywhere by the same steps ---- */

static inline vf blend(const target *c, vf sum, vf old) { return vfma(vset(c->alpha), sum, vset(c->beta) * old); }

/* Sums of n neighbours in a row of C, whose columns may be apart. */
static void blend_row(const target *c, const real *sum, int64_t i, int64_t j, int64_t n)
{
    real *at = c->at + i * c->row + j * c->column;
    int64_t q = 0;
    if (c->column == 1 && c->reads)
        for (; q + VN <= n; q += VN) vstore(at + q, blend(c, vload(sum + q), vload(at + q)));
    else if (c->column == 1)
        for (; q + VN <= n; q += VN) vstore(at + q, vset(c->alpha) * vload(sum + q));
    for (; q < n; q++) {
        real *x = at + q * c->column;
        *x = c->reads ? rfma(c->alpha, sum[q], c->beta * *x) : c->alpha * sum[q];
    }
}

/* ---- tiles ---- */

/* A row of tiles: columns j .. j + n of C. The panels of b are (k, nv * VN): packed, or side by side where
 * they lie in rows of b_step reals; `to` takes the copies. */
typedef struct band {
    int64_t k, a_row, a_step, b_step;
    const real *b;
    real *to;
    const target *c;
    int64_t j, n;
} band;

/* A tile's sums (rows, wide), of which `width` columns count. */
static __attribute__((noinline)) void blend_rows(const target *c, const real *sum, int64_t rows, int64_t wide,
                                                 int64_t i, int64_t j, int64_t width)
{
    for (int64_t r = 0; r < rows; r++) blend_row(c, sum + r * wide, i + r, j, width);
}

static inline __attribute__((always_inline)) void store_tile(const int mr, const int nv, vf acc[MR][8], const target *c,
                                                             int64_t i, int64_t j, int64_t width)
{
    if (width < nv * VN || c->column != 1) {
        real sum[MR * 8 * VN] __attribute__((aligned(64)));
        EACH (r, mr)
            EACH (v, nv) vstore(sum + (r * nv + v) * VN, acc[r][v]);
        blend_rows(c, sum, mr, nv * VN, i, j, least(width, nv * VN));
        return;
    }
    real *at = c->at + i * c->row + j;
    if (c->reads) {
        EACH (r, mr)
            EACH (v, nv) vstore(at + r * c->row + v * VN, blend(c, acc[r][v], vload(at + r * c->row + v * VN)));
    } else {
        EACH (r, mr)
            EACH (v, nv) vstore(at + r * c->row + v * VN, vset(c->alpha) * acc[r][v]);
    }
}

/* mr rows from a on against the panels of d, nv vectors wide, straight from op(B) (direct) and copied, or from the
 * packed. */
static inline __attribute__((always_inline)) void tiles(const int mr, const int nv, const bool direct,
                                                        const bool copies, const band *d, const real *a, int64_t i)
{
    const int64_t k = d->k, a_row = d->a_row, a_step = d->a_step, b_step = direct ? d->b_step : nv * VN;
    const real *panel = d->b;
    real *to = d->to;
    for (int64_t q = 0; q < d->n; q += nv * VN, panel += direct ? nv * VN : k * nv * VN) {
        vf acc[MR][8];
        const real *x = a, *b = panel;
        EACH (r, mr)
            EACH (v, nv) acc[r][v] = vset(0);
        for (int64_t t = 0; t < k; t++, x += a_step, b += b_step) {
            vf y[8];
            EACH (v, nv) y[v] = vload(b + v * VN);
            if (direct)
                EACH (v, (nv * VN + LINE - 1) / LINE) __builtin_prefetch(b + 2 * nv * VN - 1 - v * LINE);
            if (copies) {
                EACH (v, nv) vstore(to + v * VN, y[v]);
                to += nv * VN;
            }
            EACH (r, mr) {
                vf z = vset(x[r * a_row]);
                EACH (v, nv) acc[r][v] = vfma(z, y[v], acc[r][v]);
            }
        }
        store_tile(mr, nv, acc, d->c, i, d->j + q, d->n - q);
    }
}

/* Tiles of few rows are wide: eight chains hide the latency of a multiply-add. */
#define WIDE(mr) ((mr) == 3 && NV < 3 ? 3 : NV)
#define PANEL(mr) NV

/* One function for each number of rows that there is: low .. MR. */
/* clang-format off */
#define TILES_OF_ROWS(mr, low, nv, direct, copies)                                     \
    case mr:                                                                           \
        if ((mr) >= (low) && (mr) <= MR) tiles((mr), nv(mr), direct, copies, d, a, i); \
        break;
#define TILES_FROM(low, nv, direct, copies)                                                    \
    switch (mr) {                                                                              \
        TILES_OF_ROWS(2, low, nv, direct, copies) TILES_OF_ROWS(3, low, nv, direct, copies)    \
        TILES_OF_ROWS(4, low, nv, direct, copies) TILES_OF_ROWS(5, low, nv, direct, copies)    \
        TILES_OF_ROWS(6, low, nv, direct, copies) TILES_OF_ROWS(7, low, nv, direct, copies)    \
        TILES_OF_ROWS(8, low, nv, direct, copies) TILES_OF_ROWS(9, low, nv, direct, copies)    \
        TILES_OF_ROWS(10, low, nv, direct, copies) TILES_OF_ROWS(11, low, nv, direct, copies)  \
        TILES_OF_ROWS(12, low, nv, direct, copies)                                             \
    default:                                                                                   \
        assert(false);                                                                         \
    }
/* clang-format on */
enum { FEW_TURNED = 3, FEW_STREAMED = 2 }; /* rows that are taken from where they are, whichever way op(B) lies */
static void tiles_packed(int mr, const band *d, const real *a, int64_t i)
{
    TILES_FROM(MR / 2 <= FEW_TURNED ? MR / 2 : FEW_TURNED + 1, PANEL, false, false)
}
static void tiles_copying(int mr, const band *d, const real *a, int64_t i)
{
    TILES_FROM((MR + 2) / 2, PANEL, true, true)
}
static void tiles_wide(int mr, const band *d, const real *a, int64_t i)
{
    TILES_FROM(FEW_STREAMED + 1, WIDE, true, false)
}

/* Rows of the next tile where m are left: the last two share, so that none has too few for its speed. */
static inline int next_rows(int64_t m) { return m >= 2 * MR ? MR : m > MR ? (int)((m + 1) / 2) : (int)m; }

/* ---- packing ---- */

/* Columns j .. j + width of op(B), terms t .. t + k, as (k, NR); what is right of width is 0. */
static void pack_panel(view b, int64_t t, int64_t k, int64_t j, int64_t width, real *to)
{
    const real *from = b.at + t * b.row + j * b.column;
    if (width < NR) memset(to, 0, (size_t)(k * NR) * sizeof *to);
    if (b.row == 1 && width == NR) {
        int64_t p = 0;
        for (; p + TURN <= k; p += TURN)
            for (int v = 0; v < NV; v++) {
                vf x[TURN];
                vturn(from + v * VN * b.column + p, b.column, x);
                for (int u = 0; u < TURN; u++) vstore(to + (p + u) * NR + v * VN, x[u]);
            }
        for (; p < k; p++)
            for (int64_t q = 0; q < NR; q++) to[p * NR + q] = from[q * b.column + p];
    } else {
        for (int64_t p = 0; p < k; p++)
            for (int64_t q = 0; q < width; q++) to[p * NR + q] = from[p * b.row + q * b.column];
    }
}

/* Rows i .. i + m of op(A), which has `all`, terms t .. t + k: those of each tile, k-major. Where rows are
 * neighbours in memory whole vectors are copied and what is too much is written over; `to` has VN reals more. */
static void pack_rows(view a, int64_t i, int64_t m, int64_t all, int64_t t, int64_t k, real *to)
{
    enum { WHOLE = (MR + VN - 1) / VN * VN };
    for (int64_t r = 0; r < m;) {
        int n = next_rows(m - r);
        const real *from = a.at + (i + r) * a.row + t * a.column;
        if (a.row == 1 && i + r + WHOLE <= all) {
            for (int64_t p = 0; p < k; p++)
                for (int v = 0; v < WHOLE; v += VN) vstore(to + p * n + v, vload(from + p * a.column + v));
        } else {
            for (int64_t p = 0; p < k; p++)
                for (int64_t q = 0; q < n; q++) to[p * n + q] = from[p * a.column + q * a.row];
        }
        r += n;
        to += k * n;
    }
}

/* ---- many rows ---- */

typedef struct block {
    int64_t i, m, t, k; /* rows of C, terms */
    int64_t n;          /* columns of C */
    const real *packed; /* rows of A, k-major, or NULL: from `a` */
    view a, b;
} block;

/* All rows of the block against columns j .. j + n, at most PANELS / k. */
static inline void rows_of_tiles(const block *w, const target *c, int64_t j, int64_t n, real *panels)
{
    const real *a = w->packed ? w->packed : w->a.at + w->i * w->a.row + w->t * w->a.column;
    band d = {.k = w->k, .a_row = w->packed ? 1 : w->a.row, .a_step = w->a.column, .b = panels, .c = c, .j = j, .n = n};
    bool first = w->b.column == 1 && n % NR == 0;
    if (!first)
        for (int64_t q = 0; q < n; q += NR) pack_panel(w->b, w->t, w->k, j + q, least(n - q, NR), panels + q * w->k);
    for (int64_t r = 0; r < w->m; first = false) {
        int mr = next_rows(w->m - r);
        if (w->packed) d.a_step = mr;
        if (first) {
            band f = d;
            f.b = w->b.at + w->t * w->b.row + j, f.b_step = w->b.row, f.to = panels;
            tiles_copying(mr, &f, a, w->i + r);
        } else {
            tiles_packed(mr, &d, a, w->i + r);
        }
        a += w->packed ? mr * w->k : mr * w->a.row;
        r += mr;
    }
}

static void columns_of_tiles(const block *w, const target *c, real *panels)
{
    const int64_t most = PANELS / w->k / NR * NR;
    for (int64_t j = 0; j < w->n;) {
        int64_t n = least(w->n - j, most);
        if (n > NR && w->b.column == 1) n -= n % NR; /* what is cut off is packed on its own */
        rows_of_tiles(w, c, j, n, panels);
        j += n;
    }
}

/* Rows of the next block of `step` or fewer (a multiple of MR) where m are left. Tiles of few rows have no kernel, so
 * the last block has more than MR rows, which next_rows can share, or all there are. */
static inline int64_t block_rows(int64_t m, int64_t step) { return m <= step ? m : m - step > MR ? step : step - MR; }

static __attribute__((noinline)) void direct_rows(block w, int64_t m, const target *c)
{
    real panels[PANELS] __attribute__((aligned(64)));
    for (; w.i < m; w.i += w.m) {
        w.m = block_rows(m - w.i, ROWS * KC / w.k / MR * MR);
        columns_of_tiles(&w, c, panels);
    }
}

static __attribute__((noinline)) void packed_rows(block w, int64_t m, const target *c)
{
    real panels[PANELS] __attribute__((aligned(64))), rows[KC * MC + VN] __attribute__((aligned(64)));
    w.packed = rows;
    for (; w.i < m; w.i += w.m) {
        w.m = block_rows(m - w.i, MC * KC / w.k / MR * MR);
        pack_rows(w.a, w.i, w.m, m, w.t, w.k, rows);
        columns_of_tiles(&w, c, panels);
    }
}

/* ---- few rows: op(B) is read once, from where it is ---- */

/* Up to STREAM columns from b, in rows: four terms at a time go through the sums, so that memory is read in long
 * runs. */
static inline __attribute__((always_inline)) void stream(const int mr, int64_t k, const real *a, int64_t a_row,
                                                         const real *b, int64_t b_row, int64_t n, real *sum)
{
    memset(sum, 0, (size_t)(mr * STREAM) * sizeof *sum);
    int64_t t = 0;
    for (; t < k; t += 4, b += 4 * b_row) {
        const int64_t left = k - t;
        const real *b1 = left > 1 ? b + b_row : b, *b2 = left > 2 ? b + 2 * b_row : b,
                   *b3 = left > 3 ? b + 3 * b_row : b;
        int64_t j = 0;
        if (left >= 4) {
            vf y[2][4];
            for (int r = 0; r < mr; r++)
                for (int u = 0; u < 4; u++) y[r][u] = vset(a[r * a_row + t + u]);
            for (; j + VN <= n; j += VN) {
                vf x0 = vload(b + j), x1 = vload(b1 + j), x2 = vload(b2 + j), x3 = vload(b3 + j);
                EACH (r, mr) {
                    vf s = vload(sum + r * STREAM + j);
                    s = vfma(y[r][1], x1, vfma(y[r][0], x0, s));
                    vstore(sum + r * STREAM + j, vfma(y[r][3], x3, vfma(y[r][2], x2, s)));
                }
            }
        }
        for (; j < n; j++) {
            for (int r = 0; r < mr; r++) {
                const real *y = a + r * a_row + t;
                real s = rfma(y[0], b[j], sum[r * STREAM + j]);
                if (left > 1) s = rfma(y[1], b1[j], s);
                if (left > 2) s = rfma(y[2], b2[j], s);
                if (left > 3) s = rfma(y[3], b3[j], s);
                sum[r * STREAM + j] = s;
            }
        }
    }
}

static void streams(int64_t m, int64_t n, int64_t k, const real *a, int64_t a_row, const real *b, int64_t b_row,
                    const target *c)
{
    real sum[2 * STREAM] __attribute__((aligned(64)));
    for (int64_t j = 0; j < n; j += STREAM) {
        int64_t width = least(n - j, STREAM);
        if (m == 1)
            stream(1, k, a, a_row, b + j, b_row, width, sum);
        else
            stream(2, k, a, a_row, b + j, b_row, width, sum);
        for (int64_t r = 0; r < m; r++) blend_row(c, sum + r * STREAM, r, j, width);
    }
}

#define HIDE(pointer) __asm__("" : "+r"(pointer))

/* groups * VN columns of op(B), each a run of k terms in memory, turned in registers. Turning binds it: about a
 * quarter of a full multiply-add rate for one row. */
static inline __attribute__((always_inline)) void turned(const int mr, const int groups, int64_t k, const real *a,
                                                         int64_t a_row, const real *b, int64_t b_column,
                                                         const target *c, int64_t j)
{
    vf acc[MR][GROUPS];
    EACH (r, mr)
        EACH (g, groups) acc[r][g] = vset(0);
    int64_t t = 0;
    for (; t + TURN <= k; t += TURN) {
        vf y[MR][TURN];
        EACH (r, mr)
            EACH (u, TURN) y[r][u] = vset(a[r * a_row + t + u]);
        EACH (g, groups) {
            const real *from = b + g * VN * b_column + t;
            HIDE(from); /* else the compiler keeps a pointer for each row, on the stack */
            vf x[TURN];
            vturn(from, b_column, x);
            EACH (u, TURN)
                EACH (r, mr) acc[r][g] = vfma(y[r][u], x[u], acc[r][g]);
        }
    }
    EACH (r, mr) {
        real sum[GROUPS * VN];
        EACH (g, groups) vstore(sum + g * VN, acc[r][g]);
        for (int64_t p = t; p < k; p++)
            for (int q = 0; q < groups * VN; q++) sum[q] = rfma(a[r * a_row + p], b[q * b_column + p], sum[q]);
        blend_row(c, sum, r, j, groups * VN);
    }
}

/* Columns one by one, up to eight chains at once. */
static void dots(int64_t m, int64_t n, int64_t k, const real *a, int64_t a_row, const real *b, view by, const target *c,
                 int64_t j)
{
    enum { AT_ONCE = 8 };
    for (int64_t q = 0; q < n; q += AT_ONCE) {
        int64_t step[AT_ONCE];
        const int some = n - q < AT_ONCE ? (int)(n - q) : AT_ONCE;
        for (int u = 0; u < AT_ONCE; u++) step[u] = (q + (u < some ? u : 0)) * by.column;
        for (int64_t r = 0; r < m; r++) {
            real sum[AT_ONCE] = {0};
            if (some == 1)
                for (int64_t t = 0; t < k; t++) sum[0] = rfma(a[r * a_row + t], b[t * by.row + step[0]], sum[0]);
            else
                for (int64_t t = 0; t < k; t++)
                    EACH (u, AT_ONCE) sum[u] = rfma(a[r * a_row + t], b[t * by.row + step[u]], sum[u]);
            blend_row(c, sum, r, j + q, some);
        }
    }
}

/* m <= MR rows against columns that are runs in memory. */
static void turned_columns(int64_t m, int64_t n, int64_t k, const real *a, int64_t a_row, view b, const target *c)
{
    int64_t j = 0;
    const real *at = b.at;
#define GO(mr)                                                                                               \
    for (; j + 2 * VN <= n; j += 2 * VN) turned(mr, GROUPS, k, a, a_row, at + j * b.column, b.column, c, j); \
    if (j + VN <= n) turned(mr, 1, k, a, a_row, at + j * b.column, b.column, c, j), j += VN;
    if (m == 1) {
        GO(1)
    } else if (m == 2) {
        GO(2)
    } else {
        GO(3)
    }
#undef GO
    dots(m, n - j, k, a, a_row, at + j * b.column, b, c, j);
}

static void wide_columns(int64_t m, int64_t n, int64_t k, const real *a, int64_t a_row, view b, const target *c)
{
    const int mr = (int)m;
    band d = {.k = k, .a_row = a_row, .a_step = 1, .b = b.at, .b_step = b.row, .c = c, .n = n - n % (WIDE(mr) * VN)};
    tiles_wide(mr, &d, a, 0);
    d.b += d.n, d.j += d.n;
    if (mr == 3 && n - d.j >= NR) {
        d.n = NR;
        tiles(3, NV, true, false, &d, a, 0);
        d.j += NR;
    }
    dots(m, n - d.j, k, a, a_row, b.at + d.j, b, c, d.j);
}

static bool few_rows(int64_t m, view b) { return b.column == 1 ? m <= MR : m <= FEW_TURNED; }

static __attribute__((noinline)) void product_of_few(block w, int64_t m, const target *c)
{
    real rows[MR * KC] __attribute__((aligned(64)));
    const real *a = w.a.at + w.t * w.a.column;
    int64_t a_row = w.a.row;
    if (w.a.column != 1) {
        for (int64_t r = 0; r < m; r++)
            for (int64_t t = 0; t < w.k; t++) rows[r * KC + t] = a[r * w.a.row + t * w.a.column];
        a = rows, a_row = KC;
    }
    w.b.at += w.t * w.b.row;
    if (w.b.column != 1)
        turned_columns(m, w.n, w.k, a, a_row, w.b, c);
    else if (m <= FEW_STREAMED)
        streams(m, w.n, w.k, a, a_row, w.b.at, w.b.row, c);
    else
        wide_columns(m, w.n, w.k, a, a_row, w.b, c);
}

/* ---- the whole ---- */

static void product(int64_t m, int64_t n, int64_t k, view a, view b, target c)
{
    for (int64_t t = 0; t < k; t += KC) {
        if (t > 0) c.beta = 1, c.reads = true;
        block w = {.t = t, .k = least(k - t, KC), .n = n, .a = a, .b = b};
        if (few_rows(m, b))
            product_of_few(w, m, &c);
        else if (a.column <= LINE || n <= 2 * NR)
            direct_rows(w, m, &c);
        else
            packed_rows(w, m, &c);
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
    if (2 * n <= NR && m > n) { /* the same product turned over */
        view x2 = {y.at, y.column, y.row}, y2 = {x.at, x.column, x.row};
        z.row = 1, z.column = ldc;
        product(n, m, k, x2, y2, z);
    } else {
        product(m, n, k, x, y, z);
    }
}
