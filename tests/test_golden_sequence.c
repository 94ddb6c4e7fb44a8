/* The ops on sequences against PyTorch: nn/golden_sequence.py made the numbers. Also what answers promise: a segment's
 * rows have the same bits beside others and alone, and, where nothing looks ahead, whatever follows them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "nn/arena.h"
#include "nn/draws.h"
#include "nn/golden_sequence.h"
#include "nn/ops.h"
#include "nn/run.h"

enum { SEGMENTS = 6, ROWS = 156, WIDTH = 6, N_CASES = sizeof GOLDEN / sizeof *GOLDEN };
static const int32_t LENGTH[SEGMENTS] = {5, 0, 3, 1, 130, 17};

typedef struct network {
    pen_context *ctx;
    pen__plan *plan;
    int32_t y;
    pen__batch batch;
    int32_t begin[SEGMENTS + 1], index[ROWS];
    float label[ROWS], table[ROWS * WIDTH], *weights;
} network;

static int32_t build(pen__plan *p, const char *name, int32_t x)
{
    if (!strcmp(name, "norm")) return pen__norm(p, "op", x);
    if (!strcmp(name, "gru")) return pen__gru(p, "op", x, 5);
    if (!strcmp(name, "fm")) return pen__fm(p, x, 3);
    if (!strcmp(name, "batch_norm")) return pen__batch_norm(p, "op", x);
    if (!strcmp(name, "last_and_mean"))
        return pen__concat(p, (int32_t[]){pen__last(p, x), pen__pooled(p, x, PEN_POOL_MEAN)}, 2);
    bool causal = !strcmp(name, "attention_causal");
    int32_t qkv = pen__linear(p, "qkv", &x, 1, 3 * WIDTH, PEN_ACT_NONE);
    return pen__attention(p, &qkv, 1, causal ? 2 : 3, causal, 0);
}

static network *network_of(const char *name)
{
    network *n = calloc(1, sizeof *n);
    assert_int_equal(pen_context_create(NULL, &n->ctx, NULL), PEN_OK);
    assert_int_equal(pen__plan_create(n->ctx, &n->plan, NULL), PEN_OK);
    pen__plan *p = n->plan;
    int32_t events = pen__extent_child(p, PEN_ROOT, "events"), row = pen__input_index(p, events, "row");
    n->y = build(p, name, pen__gather(p, pen__plan_table(p, "rows", ROWS, WIDTH, (pen__init){PEN_INIT_ZERO, 0}), row));
    int32_t label = pen__input_real(p, p->node[n->y].extent, 1, "label");
    pen__loss_pointwise(p, PEN_LOSS_SQUARED, pen__linear(p, "out", &n->y, 1, 1, PEN_ACT_NONE), label, -1);
    assert_int_equal(pen__plan_end(p, NULL), PEN_OK);
    for (int s = 0; s < SEGMENTS; s++) n->begin[s + 1] = n->begin[s] + LENGTH[s];
    for (int i = 0; i < ROWS; i++) n->index[i] = i, n->label[i] = (float)draw(2, (uint32_t)i);
    for (int i = 0; i < ROWS * WIDTH; i++) n->table[i] = (float)(2 * draw(1, (uint32_t)i));
    n->weights = calloc((size_t)p->n_dense, sizeof *n->weights);
    for (int32_t w = 0; w < p->n_weights; w++) {
        float *data = n->weights + p->weight[w].at;
        for (int64_t i = 0; i < p->weight[w].rows * p->weight[w].cols; i++)
            data[i] = (float)(2 * draw(10 + (uint32_t)w, (uint32_t)i));
        for (int64_t i = 0; i < WIDTH && strstr(p->weight[w].name, "variance"); i++) data[i] += 1.5f;
        pen__plan_weight_set(p, w, data);
    }
    pen__plan_table_set(p, 0, n->table);
    n->batch = (pen__batch){.n = {SEGMENTS, ROWS}, .begin = {NULL, n->begin}, .index = {n->index}, .real = {n->label}};
    return n;
}

static void network_free(network *n)
{
    pen__plan_destroy(n->plan);
    pen_context_destroy(n->ctx);
    free(n->weights);
    free(n);
}

/* The op's values; free() them. */
static float *answer(network *n, const pen__batch *batch)
{
    pen__layout *layout;
    assert_int_equal(pen__layout_answer(n->ctx, n->plan, n->y, batch->n, &layout, NULL), PEN_OK);
    void *memory = malloc(pen__infer_bytes(layout));
    const float *y = pen__infer(layout, memory, batch, NULL, n->y);
    size_t bytes = (size_t)(batch->n[n->plan->node[n->y].extent] * n->plan->node[n->y].width) * sizeof *y;
    float *copy = malloc(bytes);
    memcpy(copy, y, bytes);
    free(memory);
    pen__layout_destroy(layout);
    return copy;
}

/* Float against double: some hundred roundings of numbers of the tensor's size. */
static void same_tensor(const golden *g, const char *what, const float *x, int64_t n, const double want[2])
{
    double square = 0, sum = 0, bound = 2e-5 * want[0] + 1e-7;
    for (int64_t i = 0; i < n; i++) {
        square += (double)x[i] * (double)x[i];
        sum += (double)x[i] * draw(99, (uint32_t)i);
    }
    if (!(fabs(sqrt(square) - want[0]) <= bound && fabs(sum - want[1]) <= bound))
        fail_msg("%s: %s: (%.9g, %.9g), not (%.9g, %.9g)", g->name, what, sqrt(square), sum, want[0], want[1]);
}

static void as_pytorch(void **state)
{
    (void)state;
    for (int c = 0; c < N_CASES; c++)
        for (int32_t grain = 1; grain <= 8; grain += 7) { /* 6 shards, 1 shard */
            const golden *g = &GOLDEN[c];
            network *n = network_of(g->name);
            pen__plan *p = n->plan;
            pen__run *run;
            pen__run_options options = {.grain = grain};
            float *dense = calloc((size_t)p->n_dense, sizeof *dense), d_table[ROWS * WIDTH], *tables[1] = {d_table},
                  *y = answer(n, &n->batch);
            double loss;
            assert_int_equal(pen__run_create(n->ctx, p, &options, &run, NULL), PEN_OK);
            assert_int_equal(pen__run_gradients(run, &n->batch, 0, dense, tables, &loss, NULL), PEN_OK);
            if (!(fabs(loss - g->loss) <= 1e-6 * g->loss)) fail_msg("%s: loss %.9g, not %.9g", g->name, loss, g->loss);
            same_tensor(g, "y", y, n->batch.n[p->node[n->y].extent] * p->node[n->y].width, g->tensor[0]);
            for (int32_t w = 0; w < p->n_weights; w++)
                same_tensor(g, p->weight[w].name, dense + p->weight[w].at, p->weight[w].rows * p->weight[w].cols,
                            g->tensor[w + 1]);
            same_tensor(g, "table", d_table, ROWS * WIDTH, g->tensor[p->n_weights + 1]);
            pen__run_destroy(run);
            free(dense), free(y);
            network_free(n);
        }
}

/* The long segment alone, and cut off after each of its rows. */
static void answers_keep_their_bits(void **state)
{
    (void)state;
    static const char *const NAME[3] = {"attention_causal", "gru", "norm"};
    for (int c = 0; c < 3; c++) {
        network *n = network_of(NAME[c]);
        float *all = answer(n, &n->batch);
        int64_t from = n->begin[4], width = n->plan->node[n->y].width;
        for (int32_t length = 1; length <= LENGTH[4]; length += length < 60 ? 7 : 1) {
            int32_t begin[2] = {0, length};
            pen__batch alone = {.n = {1, length}, .begin = {NULL, begin}, .index = {n->index + from}};
            float *y = answer(n, &alone);
            if (memcmp(y, all + from * width, (size_t)(length * width) * sizeof *y))
                fail_msg("%s: the first %d rows alone differ from those of the whole", NAME[c], length);
            free(y);
        }
        free(all);
        network_free(n);
    }
}

/* A step moves running statistics a tenth of the way to the batch's, whatever the rate and the clipping. */
static void running_statistics(void **state)
{
    (void)state;
    network *n = network_of("batch_norm");
    pen__plan *p = n->plan;
    pen__run *run;
    pen__run_options options = {.grain = 2, .learning = {.kind = PEN_OPT_SGD, .rate = 0, .clip = 1e-3}};
    pen__touched touched = {0};
    pen__step_report report;
    int32_t slot[ROWS];
    float before[4][WIDTH];
    for (int i = 0; i < ROWS; i++) slot[i] = -1;
    for (int w = 0; w < 4; w++) memcpy(before[w], p->weight[w].data, sizeof before[w]);
    assert_int_equal(pen__run_create(n->ctx, p, &options, &run, NULL), PEN_OK);
    assert_int_equal(pen__touched_build(&touched, p, 0, &n->batch, pen__run_shards(run, SEGMENTS), slot, NULL), PEN_OK);
    assert_int_equal(pen__run_step(run, &n->batch, &touched, 0, NULL, &report, NULL), PEN_OK);
    double square = 0; /* of what learns */
    const golden *g = &GOLDEN[N_CASES - 1];
    for (int t = 1; t <= p->n_weights + 1; t++)
        if (t != 3 && t != 4) square += g->tensor[t][0] * g->tensor[t][0];
    assert_true(fabs(report.norm - sqrt(square)) <= 1e-5 * sqrt(square));
    for (int k = 0; k < WIDTH; k++) {
        double mean = 0, variance = 0;
        for (int i = 0; i < ROWS; i++) mean += (double)n->table[i * WIDTH + k] / ROWS;
        for (int i = 0; i < ROWS; i++) variance += pow((double)n->table[i * WIDTH + k] - mean, 2) / (ROWS - 1);
        assert_true(p->weight[0].data[k] == before[0][k] && p->weight[1].data[k] == before[1][k]);
        assert_true(fabs((double)p->weight[2].data[k] - (0.9 * (double)before[2][k] + 0.1 * mean)) <= 1e-6);
        assert_true(fabs((double)p->weight[3].data[k] - (0.9 * (double)before[3][k] + 0.1 * variance)) <= 1e-6);
    }
    pen__touched_free(n->ctx, &touched);
    pen__run_destroy(run);
    network_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_pytorch), cmocka_unit_test(answers_keep_their_bits),
                                       cmocka_unit_test(running_statistics)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
