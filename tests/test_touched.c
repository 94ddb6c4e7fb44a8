/* A step costs what its touched rows cost: in a table of ten million rows every page but those of the touched rows, of
 * the table, of what the optimiser remembers, of averages and of the numbering, is one that may not even be read. */
#include <sys/mman.h>
#include <unistd.h>

#include "base/random.h"
#include "log_fixture.h"
#include "nn/ops.h"
#include "nn/run.h"

enum { ROWS = 10000000, WIDTH = 8, EXAMPLES = 20, BAG = 3, STEPS = 3 };
enum { TABLE, FIRST, SECOND, AVERAGE, SLOT, N_BLOCKS };

/* Room for a number of `size` bytes a row: address space alone. */
typedef struct block {
    uint8_t *at;
    size_t size;
} block;

static size_t page(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static size_t bytes_of(const block *b) { return ((size_t)ROWS * b->size + page() - 1) / page() * page(); }

static void reserve(block *b, size_t size)
{
    b->size = size;
    b->at = mmap(NULL, bytes_of(b), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(b->at != MAP_FAILED);
}

/* The page of a row, which no row of these sizes leaves. */
static uint8_t *page_of(const block *b, int32_t r) { return b->at + (size_t)r * b->size / page() * page(); }

static void permit(const block *b, const int32_t *rows, int n)
{
    for (int i = 0; i < n; i++) assert_int_equal(mprotect(page_of(b, rows[i]), page(), PROT_READ | PROT_WRITE), 0);
}

static float *row_of(const block *b, int32_t r) { return (float *)(void *)(b->at + (size_t)r * b->size); }

static bool is_among(const int32_t *rows, int n, int64_t r)
{
    for (int i = 0; i < n; i++)
        if (rows[i] == r) return true;
    return false;
}

/* Touched rows have moved from where they began, their neighbours have not. */
static void only_these_moved(const block *b, const int32_t *rows, int n, float began)
{
    for (int i = 0; i < n; i++) {
        int64_t first = (int64_t)((size_t)(page_of(b, rows[i]) - b->at) / b->size);
        for (int64_t r = first; r < first + (int64_t)(page() / b->size) && r < ROWS; r++) {
            bool touched = is_among(rows, n, r);
            for (size_t k = 0; k < b->size / sizeof(float); k++) {
                float x = row_of(b, (int32_t)r)[k];
                if (touched ? x == began : x != 0) fail_msg("row %lld: %g", (long long)r, (double)x);
            }
        }
    }
}

static void train(pen__optimiser kind, double average, double clip)
{
    pen_context *ctx = context_of(2);
    pen__plan *p;
    assert_int_equal(pen__plan_create(ctx, &p, NULL), PEN_OK);
    int32_t bag = pen__extent_child(p, PEN_ROOT, "bag"), own = pen__input_index(p, PEN_ROOT, "own"),
            past = pen__input_index(p, bag, "past");
    int32_t table = pen__plan_table(p, "item", ROWS, WIDTH, (pen__init){PEN_INIT_ZERO, 0});
    pen__loss_squares(p, pen__gather(p, table, own), 1);
    pen__loss_squares(p, pen__bag(p, table, past, PEN_POOL_MEAN, -1), 1);
    assert_int_equal(pen__plan_end(p, NULL), PEN_OK);

    enum { N = EXAMPLES * (1 + BAG) };
    static int32_t rows[STEPS * N], begin[EXAMPLES + 1];
    for (int i = 0; i < STEPS * N; i++) /* some again in the same step, some in a later one */
        rows[i] = i % 5 == 4 ? rows[i / 2] : (int32_t)(pen__rand64(3, 1, (uint64_t)i) % ROWS);
    for (int r = 0; r < EXAMPLES; r++) begin[r + 1] = begin[r] + BAG;

    block b[N_BLOCKS];
    const bool by_row = kind == PEN_OPT_ROWWISE_ADAGRAD;
    for (int k = 0; k < N_BLOCKS; k++) {
        bool single = k == SLOT || (by_row && k == FIRST);
        reserve(&b[k], single ? sizeof(float) : WIDTH * sizeof(float));
        permit(&b[k], rows, STEPS * N);
        for (int i = 0; i < STEPS * N && k == SLOT; i++) memset(page_of(&b[k], rows[i]), 0xFF, page());
    }
    for (int i = 0; i < STEPS * N; i++)
        for (int k = 0; k < WIDTH; k++) row_of(&b[TABLE], rows[i])[k] = 1;
    int slots = pen__optimiser_slots(kind);
    pen__run_options o = {.grain = 8, .seed = 1, .average = average, .norms = clip > 0};
    o.learning = (pen__learning){
        .kind = kind, .rate = 0.01, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8, .l2 = 0.1, .tables = 1, .clip = clip};
    for (int s = 0; s < slots; s++) o.slots.table[0][s] = row_of(&b[FIRST + s], 0);
    pen__plan_table_set(p, table, row_of(&b[TABLE], 0));
    if (average > 0) p->table[table].average = row_of(&b[AVERAGE], 0);

    pen__run *run;
    pen__touched touched = {0};
    assert_int_equal(pen__run_create(ctx, p, &o, &run, NULL), PEN_OK);
    for (uint64_t step = 0; step < STEPS; step++) {
        pen__step_report report;
        pen__batch batch = {.n = {EXAMPLES, EXAMPLES * BAG}, .begin = {NULL, begin}};
        batch.index[own] = rows + step * N, batch.index[past] = rows + step * N + EXAMPLES;
        assert_int_equal(pen__touched_build(&touched, p, table, &batch, pen__run_shards(run, EXAMPLES),
                                            (int32_t *)(void *)b[SLOT].at, NULL),
                         PEN_OK);
        assert_true(touched.n <= N);
        assert_int_equal(pen__run_step(run, &batch, &touched, step, NULL, &report, NULL), PEN_OK);
    }
    /* averages keep the step that each row was last caught up with */
    assert_true(pen_context_memory(ctx) < (1u << 20) + (average > 0 ? ROWS * sizeof(uint64_t) : 0));
    only_these_moved(&b[TABLE], rows, STEPS * N, 1);
    for (int s = 0; s < slots; s++) only_these_moved(&b[FIRST + s], rows, STEPS * N, 0);
    if (average > 0) only_these_moved(&b[AVERAGE], rows, STEPS * N, 0);
    pen__touched_free(ctx, &touched);
    pen__run_destroy(run);
    pen__plan_destroy(p);
    pen_context_destroy(ctx);
    for (int k = 0; k < N_BLOCKS; k++) munmap(b[k].at, bytes_of(&b[k]));
}

static void ten_million_rows(void **state)
{
    (void)state;
    for (int kind = PEN_OPT_SGD; kind <= PEN_OPT_ADAMW; kind++) train((pen__optimiser)kind, 0, kind % 2);
    train(PEN_OPT_ADAM, 0.99, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ten_million_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
