/* Scores and looking through them, for the instruction set whose file includes this (kern_avx2.c says what it must
 * define). Each score is one fused multiply-add chain over k from the bias up; a lane holds one item's chain, so the
 * width of a vector, the number of users in a tile and the place of an item in it change nothing in the bits.
 *
 * A tile keeps users x 16 chains in registers: with AVX2 6 x 2 vectors, 12 chains against the 8 that hide the latency
 * of two FMA units, for 2 loads and 6 broadcasts a step. */

enum { NV = PEN_PANEL / VN }; /* vectors that hold a panel's row */

/* users x panels: nu rows of chains against np panels side by side (one user wants several to have chains enough). */
static inline __attribute__((always_inline)) void tile(const int nu, const int np, const float *panels, int64_t d,
                                                       const float *users, int64_t user_step, const float *bias,
                                                       float *out, int64_t stride)
{
    vf acc[TILE_USERS][TILE_PANELS * NV];
#pragma GCC unroll 16
    for (int u = 0; u < nu; u++)
#pragma GCC unroll 16
        for (int c = 0; c < np * NV; c++) acc[u][c] = bias ? vload(bias + c * VN) : vset(0.0f);
    const int64_t panel = d * PEN_PANEL;
    for (int64_t k = 0; k < d; k++) {
        vf q[TILE_PANELS * NV];
#pragma GCC unroll 16
        for (int c = 0; c < np * NV; c++) q[c] = vload(panels + c / NV * panel + k * PEN_PANEL + c % NV * VN);
#pragma GCC unroll 16
        for (int u = 0; u < nu; u++) {
            vf p = vset(users[k * user_step + u]);
#pragma GCC unroll 16
            for (int c = 0; c < np * NV; c++) acc[u][c] = vfma(p, q[c], acc[u][c]);
        }
    }
#pragma GCC unroll 16
    for (int u = 0; u < nu; u++)
#pragma GCC unroll 16
        for (int c = 0; c < np * NV; c++) vstore(out + u * stride + c * VN, acc[u][c]);
}

static void score_one(const float *panels, int64_t d, int64_t n_panels, const float *user, const float *bias,
                      float *out)
{
    const int64_t panel = d * PEN_PANEL;
    int64_t i = 0;
    for (; i + TILE_PANELS <= n_panels; i += TILE_PANELS)
        tile(1, TILE_PANELS, panels + i * panel, d, user, 1, bias ? bias + i * PEN_PANEL : NULL, out + i * PEN_PANEL,
             0);
    for (; i < n_panels; i++)
        tile(1, 1, panels + i * panel, d, user, 1, bias ? bias + i * PEN_PANEL : NULL, out + i * PEN_PANEL, 0);
}

static void score_tile(const float *panels, int64_t d, int64_t n_panels, const float *users, const float *bias,
                       float *out, int64_t stride)
{
    for (int64_t i = 0; i < n_panels; i++)
        tile(TILE_USERS, 1, panels + i * d * PEN_PANEL, d, users, TILE_USERS, bias ? bias + i * PEN_PANEL : NULL,
             out + i * PEN_PANEL, stride);
}

/* Scattered items: eight chains at once hide the latency that one alone would wait for. */
static void score_items(const float *panels, int64_t d, const float *user, const float *bias, const int32_t *items,
                        int64_t n, float *out)
{
    enum { AT_ONCE = 8 };
    for (int64_t j = 0; j < n; j += AT_ONCE) {
        int m = n - j < AT_ONCE ? (int)(n - j) : AT_ONCE;
        const float *column[AT_ONCE];
        float acc[AT_ONCE];
        for (int t = 0; t < AT_ONCE; t++) {
            int32_t item = items[t < m ? j + t : j];
            column[t] = panels + item / PEN_PANEL * d * PEN_PANEL + item % PEN_PANEL;
            acc[t] = bias ? bias[item] : 0.0f;
        }
        for (int64_t k = 0; k < d; k++)
#pragma GCC unroll 8
            for (int t = 0; t < AT_ONCE; t++) acc[t] = __builtin_fmaf(user[k], column[t][k * PEN_PANEL], acc[t]);
        for (int t = 0; t < m; t++) out[j + t] = acc[t];
    }
}

static int64_t find_at_least(const float *x, int64_t n, float threshold, int32_t *found)
{
    int64_t count = 0, j = 0;
    const vf t = vset(threshold);
    for (; j + 4 * VN <= n; j += 4 * VN) {
        uint64_t mask = vany_not_less(vload(x + j), vload(x + j + VN), vload(x + j + 2 * VN), vload(x + j + 3 * VN), t);
        if (__builtin_expect(mask == 0, 1)) continue;
        mask = 0;
        for (int v = 3; v >= 0; v--) mask = mask << VN | vmask_not_less(vload(x + j + v * VN), t);
        for (; mask; mask &= mask - 1) found[count++] = (int32_t)j + __builtin_ctzll(mask);
    }
    for (; j < n; j++)
        if (!(x[j] < threshold)) found[count++] = (int32_t)j;
    return count;
}

static int64_t count_above(const float *x, int64_t n, float y, int64_t *equal)
{
    const vf t = vset(y);
    vi above = {0}, same = {0};
    int64_t j = 0, n_above = 0, n_same = 0;
    for (; j + VN <= n; j += VN) {
        vf v = vload(x + j);
        above -= (vi)(v > t);
        same -= (vi)(v == t);
    }
    for (int l = 0; l < VN; l++) n_above += above[l], n_same += same[l];
    for (; j < n; j++) n_above += x[j] > y, n_same += x[j] == y;
    *equal = n_same;
    return n_above;
}

static void fill_scores(pen__kernels *kern)
{
    kern->tile_users = TILE_USERS;
    kern->score_one = score_one;
    kern->score_tile = score_tile;
    kern->score_items = score_items;
    kern->find_at_least = find_at_least;
    kern->count_above = count_above;
}
