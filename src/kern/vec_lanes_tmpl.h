/* VN symmetric systems at once, one in each lane, for the instruction set whose file includes this: the latency of
 * roots, divisions and short rows is paid once for all of them.
 *
 * U is packed by panels of four columns: panel p holds rows 0 .. 4p + 3, each of 4 vectors, so that both operands of
 * the tile (4 rows x 2 columns, 8 chains for 6 loads) are read in a straight line. Left-looking: a tile takes away
 * everything that the rows above contribute while it is in registers. Cost d^3 / 6 fused multiply-adds of vectors. */

enum { ROW_OF_PANEL = 4 * VN };

static inline int64_t panel_at(int64_t p) { return p * (p + 1) / 2 * 4 * ROW_OF_PANEL; }

/* The upper triangles into panels, the right sides into y; rows and columns past d become those of the identity. */
static void pack_lanes(const float *const *a, float *const *b, int n, int64_t d, float *u, float *y)
{
    const int64_t ld = pen__matrix_stride(d), n_panels = (d + 3) / 4;
    const float *as[VN], *bs[VN];
    for (int s = 0; s < VN; s++) as[s] = a[s < n ? s : 0], bs[s] = b[s < n ? s : 0]; /* empty lanes copy the first */
    for (int64_t p = 0; p < n_panels; p++) {
        float *to = u + panel_at(p);
        for (int64_t k = 0; k < 4 * p + 4; k++) vtranspose4(as, k * ld + 4 * p, to + k * ROW_OF_PANEL);
        vtranspose4(bs, 4 * p, y + p * ROW_OF_PANEL);
    }
    float *last = u + panel_at(n_panels - 1);
    for (int64_t j = d; j < 4 * n_panels; j++) {
        for (int64_t k = 0; k < 4 * n_panels; k++)
            vstore(last + k * ROW_OF_PANEL + j % 4 * VN, vset(k == j ? 1.0f : 0.0f));
        vstore(y + j * VN, vset(0.0f));
    }
}

/* acc[r][c] of the tile at rows i .. i + 3 and two columns: A less the rows of U above i. */
static inline __attribute__((always_inline)) void lanes_tile(const float *left, const float *right, int64_t i,
                                                             vf acc[4][2])
{
#pragma GCC unroll 4
    for (int r = 0; r < 4; r++)
#pragma GCC unroll 2
        for (int c = 0; c < 2; c++) acc[r][c] = vload(right + (i + r) * ROW_OF_PANEL + c * VN);
    for (int64_t k = 0; k < i; k++) {
        vf x = vload(right + k * ROW_OF_PANEL), y = vload(right + k * ROW_OF_PANEL + VN);
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++) {
            vf p = vload(left + k * ROW_OF_PANEL + r * VN);
            acc[r][0] = vfnma(p, x, acc[r][0]);
            acc[r][1] = vfnma(p, y, acc[r][1]);
        }
    }
}

/* The 4 x 4 block on the diagonal, rows i of its panel; its diagonal becomes 1 / U[k][k]. Lanes that are not positive
 * definite are cleared in `sound`; what they hold afterwards stays in them. */
static void factor_diagonal(float *panel, int64_t i, vi *sound)
{
    vf acc[2][4][2];
    lanes_tile(panel, panel, i, acc[0]);
    lanes_tile(panel, panel + 2 * VN, i, acc[1]);
    for (int k = 0; k < 4; k++) {
        vf diagonal = acc[k / 2][k][k % 2];
        *sound &= (vi)(diagonal > vset(0.0f)) & (vi)(diagonal < vset(__builtin_inff()));
        vf inverse = vset(1.0f) / vsqrt(diagonal);
        vstore(panel + (i + k) * ROW_OF_PANEL + k * VN, inverse);
        for (int c = k + 1; c < 4; c++) {
            acc[c / 2][k][c % 2] = acc[c / 2][k][c % 2] * inverse;
            vstore(panel + (i + k) * ROW_OF_PANEL + c * VN, acc[c / 2][k][c % 2]);
        }
        for (int r = k + 1; r < 4; r++)
            for (int c = r; c < 4; c++)
                acc[c / 2][r][c % 2] = vfnma(acc[r / 2][k][r % 2], acc[c / 2][k][c % 2], acc[c / 2][r][c % 2]);
    }
}

/* Two columns right of the diagonal block `own` (the four rows at i of the panel that holds it). */
static void factor_tile(const float *left, float *right, int64_t i)
{
    const float *own = left + i * ROW_OF_PANEL;
    vf acc[4][2];
    lanes_tile(left, right, i, acc);
#pragma GCC unroll 4
    for (int k = 0; k < 4; k++) {
        vf inverse = vload(own + k * ROW_OF_PANEL + k * VN);
#pragma GCC unroll 2
        for (int c = 0; c < 2; c++) {
            acc[k][c] = acc[k][c] * inverse;
            vstore(right + (i + k) * ROW_OF_PANEL + c * VN, acc[k][c]);
        }
#pragma GCC unroll 4
        for (int r = k + 1; r < 4; r++) {
            vf p = vload(own + k * ROW_OF_PANEL + r * VN);
            acc[r][0] = vfnma(p, acc[k][0], acc[r][0]);
            acc[r][1] = vfnma(p, acc[k][1], acc[r][1]);
        }
    }
}

/* U'y = b, panel after panel. */
static void lanes_forward(const float *u, int64_t n_panels, float *y)
{
    for (int64_t p = 0; p < n_panels; p++) {
        const float *panel = u + panel_at(p);
        vf even[4], odd[4];
        for (int c = 0; c < 4; c++) even[c] = vload(y + (4 * p + c) * VN), odd[c] = vset(0.0f);
        for (int64_t k = 0; k < 4 * p; k += 2)
            for (int c = 0; c < 4; c++) {
                even[c] = vfnma(vload(panel + k * ROW_OF_PANEL + c * VN), vload(y + k * VN), even[c]);
                odd[c] = vfnma(vload(panel + (k + 1) * ROW_OF_PANEL + c * VN), vload(y + (k + 1) * VN), odd[c]);
            }
        for (int c = 0; c < 4; c++) even[c] = even[c] + odd[c];
        for (int k = 0; k < 4; k++) {
            const float *row = panel + (4 * p + k) * ROW_OF_PANEL;
            even[k] = even[k] * vload(row + k * VN);
            vstore(y + (4 * p + k) * VN, even[k]);
            for (int c = k + 1; c < 4; c++) even[c] = vfnma(vload(row + c * VN), even[k], even[c]);
        }
    }
}

/* U x = y, from the last panel up; each takes its part from all the rows above it. */
static void lanes_backward(const float *u, int64_t n_panels, float *y)
{
    for (int64_t p = n_panels - 1; p >= 0; p--) {
        const float *panel = u + panel_at(p);
        vf x[4];
        for (int k = 3; k >= 0; k--) {
            const float *row = panel + (4 * p + k) * ROW_OF_PANEL;
            vf sum = vload(y + (4 * p + k) * VN);
            for (int c = k + 1; c < 4; c++) sum = vfnma(vload(row + c * VN), x[c], sum);
            x[k] = sum * vload(row + k * VN);
            vstore(y + (4 * p + k) * VN, x[k]);
        }
        for (int64_t k = 0; k < 4 * p; k++) {
            const float *row = panel + k * ROW_OF_PANEL;
            vf near = vfma(vload(row), x[0], vload(row + VN) * x[1]),
               far = vfma(vload(row + 2 * VN), x[2], vload(row + 3 * VN) * x[3]);
            vstore(y + k * VN, vload(y + k * VN) - (near + far));
        }
    }
}

static void solve_lanes(const float *const *a, float *const *b, int n, int64_t d, float *scratch, bool *ok)
{
    const int64_t n_panels = (d + 3) / 4;
    float *y = scratch, *u = scratch + 4 * n_panels * VN;
    vi sound = (vi)(vset(0.0f) == vset(0.0f));
    pack_lanes(a, b, n, d, u, y);
    for (int64_t p = 0; p < n_panels; p++) {
        float *left = u + panel_at(p);
        factor_diagonal(left, 4 * p, &sound);
        for (int64_t j = p + 1; j < n_panels; j++) {
            factor_tile(left, u + panel_at(j), 4 * p);
            factor_tile(left, u + panel_at(j) + 2 * VN, 4 * p);
        }
    }
    lanes_forward(u, n_panels, y);
    lanes_backward(u, n_panels, y);
    for (int s = 0; s < n; s++) {
        ok[s] = sound[s] != 0;
        for (int64_t k = 0; k < d; k++) b[s][k] = y[k * VN + s];
    }
}

static void fill_lanes(pen__kernels *kern)
{
    kern->lanes = VN;
    kern->solve_lanes = solve_lanes;
}
