/* Whole models against PyTorch: nn/golden_models.py made the numbers. The plans are the model classes' own; weights and
 * batches are drawn alike on both sides. For each model: the first loss, each tensor's first gradient, the losses of
 * twenty steps of SGD and how far each tensor went by them, and the same of Adam (lazy for tables, as SparseAdam is).
 * Also: the same bits on one thread and four, and the same bounds at every level of the CPU. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cpu.h"
#include "nn/draws.h"
#include "nn/golden_models.h"
#include "train/net_history.h"
#include "train/net_pairs.h"

enum { N_CASES = sizeof GOLDEN / sizeof *GOLDEN, EVENTS = 24, HISTORIES = 12, MOST = 20, DRAWN = 9, ROOM = 256 };
static const double BOUND = 1e-4;

typedef struct setting {
    const char *model;
    int32_t n_users, n_items;
    const char *params[12];
} setting;

static const setting SETTING[] = {
    {"neumf", 31, 101, {"factors=5", "layers=3", "dropout=0"}},
    {"sasrec", 1, 61, {"factors=8", "hidden=12", "heads=1", "max_length=20", "loss=bce", "dropout=0"}},
    {"sasrec", 1, 61, {"factors=8", "hidden=12", "heads=2", "max_length=20", "loss=ce", "dropout=0"}},
    {"sasrec",
     1,
     61,
     {"factors=8", "hidden=12", "heads=4", "max_length=20", "loss=ce", "norm=post", "scale=yes", "dropout=0"}},
    {"sasrec",
     1,
     61,
     {"factors=8", "hidden=12", "heads=2", "max_length=20", "loss=ce", "norm=query", "scale=yes", "dropout=0"}},
    {"sasrec",
     1,
     61,
     {"factors=8", "hidden=12", "heads=2", "max_length=20", "loss=sampled", "negatives=9", "temperature=0.25",
      "bias=yes", "scale=yes", "dropout=0"}},
    {"gru4rec", 1, 61, {"factors=7", "hidden=7", "dropout=0"}},
    {"gru4rec", 1, 61, {"factors=6", "hidden=9", "layers=2", "dropout=0"}},
};

/* ---- a model and its weights ------------------------------------------------------------------------------------- */

typedef struct network {
    pen_context *ctx;
    pen_model *model;
    pen__plan *plan;
    pen__run *run;
    const golden *golden;
    pen__real *data[32], *first[32], *gradient[32]; /* of the golden tensors, in their order */
    int64_t n[32];
    pen__real *dense, *table[PEN_MAX_TABLES]; /* gradients */
    double loss[GOLDEN_STEPS];
} network;

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && !strcmp(name + n - m, end);
}

static void find_tensor(network *n, int k)
{
    const char *name = n->golden->tensor[k].name;
    const pen__plan *p = n->plan;
    for (int32_t w = 0; w < p->n_weights; w++)
        if (!strcmp(p->weight[w].name, name))
            n->data[k] = p->weight[w].data, n->n[k] = p->weight[w].rows * p->weight[w].cols,
            n->gradient[k] = n->dense + p->weight[w].at;
    for (int32_t t = 0; t < p->n_tables; t++)
        if (!strcmp(p->table[t].name, name))
            n->data[k] = p->table[t].data, n->n[k] = p->table[t].rows * p->table[t].width, n->gradient[k] = n->table[t];
    if (!n->data[k]) fail_msg("%s has no tensor %s", n->golden->name, name);
}

static void set_weights(network *n)
{
    const pen__plan *p = n->plan;
    n->dense = calloc((size_t)p->n_dense + 1, sizeof *n->dense);
    for (int32_t t = 0; t < p->n_tables; t++)
        n->table[t] = calloc((size_t)(p->table[t].rows * p->table[t].width), sizeof(pen__real));
    assert_int_equal(n->golden->n_tensors, p->n_weights + p->n_tables);
    for (int k = 0; k < n->golden->n_tensors; k++) {
        const char *name = n->golden->tensor[k].name;
        find_tensor(n, k);
        double scale = k < p->n_weights ? 0.8 : 1.6, plus = strstr(name, "norm") && ends_with(name, ".weight");
        n->first[k] = calloc((size_t)n->n[k], sizeof(pen__real));
        for (int64_t i = 0; i < n->n[k]; i++)
            n->first[k][i] = (pen__real)(scale * draw(10 + (uint32_t)k, (uint32_t)i) + plus);
        memcpy(n->data[k], n->first[k], (size_t)n->n[k] * sizeof(pen__real));
    }
}

static pen__real *slot_of(const network *n, const char *name, int s)
{
    char full[64];
    snprintf(full, sizeof full, "%s.%d", name, s + 1);
    const pen__state_tensor *tensor = pen__model_tensor(n->model, full);
    return tensor ? tensor->data : NULL;
}

static network *network_of(int number, const char *optimizer, int n_threads, int32_t grain)
{
    const setting *s = &SETTING[number];
    network *n = calloc(1, sizeof *n);
    pen_error error = {0};
    pen_context_options o = PEN_CONTEXT_OPTIONS_INIT;
    o.n_threads = n_threads;
    assert_int_equal(pen_context_create(&o, &n->ctx, &error), PEN_OK);
    const pen__model_class *class = pen__model_class_find(s->model);
    pen__params params;
    char chosen[64];
    pen__params_default(class, &params);
    for (int k = 0; s->params[k]; k++)
        if (pen__params_set(class, &params, s->params[k], &error) != PEN_OK) fail_msg("%s", error.message);
    snprintf(chosen, sizeof chosen, "optimizer=%s", optimizer);
    assert_int_equal(pen__params_set(class, &params, chosen, &error), PEN_OK);
    pen__train train = {.ctx = n->ctx, .n_users = s->n_users, .n_items = s->n_items};
    assert_int_equal(pen__model_new(n->ctx, class, &params, &train, 1, &n->model, &error), PEN_OK);
    if (class->begin(n->model, &train, &error) != PEN_OK || pen__model_bind(n->model, &error) != PEN_OK)
        fail_msg("%s: %s", s->model, error.message);
    n->plan = ((pen__net *)n->model->state)->plan;
    n->golden = &GOLDEN[number];
    set_weights(n);
    bool adam = !strcmp(optimizer, "adam");
    pen__run_options ro = {.grain = grain, .seed = 1};
    ro.learning = (pen__learning){.kind = adam ? PEN_OPT_ADAM : PEN_OPT_SGD,
                                  .rate = adam ? n->golden->adam_rate : n->golden->sgd_rate,
                                  .beta1 = 0.9,
                                  .beta2 = 0.999,
                                  .epsilon = n->golden->epsilon};
    for (int slot = 0; slot < 2; slot++) {
        ro.slots.dense[slot] = slot_of(n, "dense", slot);
        for (int32_t t = 0; t < n->plan->n_tables; t++)
            ro.slots.table[t][slot] = slot_of(n, n->plan->table[t].name, slot);
        assert_int_equal(adam, ro.slots.dense[slot] && ro.slots.table[0][slot]);
    }
    assert_int_equal(pen__run_create(n->ctx, n->plan, &ro, &n->run, &error), PEN_OK);
    return n;
}

static void network_free(network *n)
{
    for (int k = 0; k < n->golden->n_tensors; k++) free(n->first[k]);
    for (int32_t t = 0; t < n->plan->n_tables; t++) free(n->table[t]);
    free(n->dense);
    pen__run_destroy(n->run);
    pen__model_free(n->model);
    pen_context_destroy(n->ctx);
    free(n);
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */

typedef struct batch {
    pen__batch batch;
    int32_t begin[EVENTS + 1], index[4][ROOM];
    pen__real real[2][ROOM];
} batch;

static void pairs_batch(const network *n, int t, batch *b)
{
    const pen__net *net = n->model->state;
    for (int e = 0; e < EVENTS; e++) {
        b->begin[e + 1] = b->begin[e] + 1 + e % 5;
        b->index[0][e] = below(1000 + t, e, n->model->n_users);
        for (int i = b->begin[e]; i < b->begin[e + 1]; i++) {
            b->index[1][i] = below(2000 + t, i, n->model->n_items);
            b->real[0][i] = i == b->begin[e];
        }
    }
    b->batch.n[PEN_ROOT] = EVENTS, b->batch.n[net->items] = b->begin[EVENTS];
    b->batch.begin[net->items] = b->begin;
    b->batch.index[net->user_index] = b->index[0], b->batch.index[net->item_index] = b->index[1];
    b->batch.real[0] = b->real[0];
}

static void history_batch(const network *n, int t, batch *b)
{
    const pen__history_net *net = n->model->state;
    int32_t n_items = n->model->n_items;
    for (int s = 0; s < HISTORIES; s++) {
        int32_t length = 1 + (7 * s + 3 * t) % MOST;
        b->begin[s + 1] = b->begin[s] + length;
        for (int i = b->begin[s]; i < b->begin[s + 1]; i++) {
            b->index[0][i] = below(1000 + t, i, n_items);
            b->index[1][i] = (7 * b->index[0][i] + 3) % n_items;
            b->index[2][i] = below(2000 + t, i, n_items);
            b->index[3][i] = MOST - length + i - b->begin[s];
            b->real[0][i] = 1, b->real[1][i] = 0;
        }
    }
    b->batch.n[PEN_ROOT] = HISTORIES, b->batch.n[net->positions] = b->begin[HISTORIES];
    b->batch.begin[net->positions] = b->begin;
    b->batch.index[net->item] = b->index[0], b->batch.index[net->target] = b->index[1];
    if (net->negative >= 0) b->batch.index[net->negative] = b->index[2];
    if (net->place >= 0) b->batch.index[net->place] = b->index[3];
    if (net->good >= 0) b->batch.real[net->good] = b->real[0];
    if (net->bad >= 0) b->batch.real[net->bad] = b->real[1];
    if (net->drawn.extent < 0) return;
    for (int k = 0; k < DRAWN; k++) b->index[2][k] = below(3000 + t, k, n_items);
    b->batch.n[net->drawn.extent] = DRAWN;
    b->batch.index[net->drawn.item] = b->index[2];
}

static void fill(const network *n, int t, batch *b)
{
    memset(b, 0, sizeof *b);
    (n->model->n_users > 1 ? pairs_batch : history_batch)(n, t, b);
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static void gradients(network *n, double *loss)
{
    batch b;
    fill(n, 0, &b);
    assert_int_equal(pen__run_gradients(n->run, &b.batch, 0, n->dense, n->table, loss, NULL), PEN_OK);
}

static void steps(network *n)
{
    int32_t slot[ROOM];
    for (int i = 0; i < ROOM; i++) slot[i] = -1;
    for (int t = 0; t < GOLDEN_STEPS; t++) {
        batch b;
        pen__touched touched[PEN_MAX_TABLES] = {{0}};
        pen__step_report report;
        fill(n, t, &b);
        int32_t n_shards = pen__run_shards(n->run, b.batch.n[PEN_ROOT]);
        for (int32_t k = 0; k < n->plan->n_tables; k++)
            assert_int_equal(pen__touched_build(&touched[k], n->plan, k, &b.batch, n_shards, slot, NULL), PEN_OK);
        assert_int_equal(pen__run_step(n->run, &b.batch, touched, (uint64_t)t, NULL, &report, NULL), PEN_OK);
        n->loss[t] = report.loss;
        for (int32_t k = 0; k < n->plan->n_tables; k++) pen__touched_free(n->ctx, &touched[k]);
    }
}

/* The largest relative difference from what PyTorch has; a tensor's sums differ relative to its norm. */
static double worse(double difference, const char *what, double is, double is_to, double scale)
{
    double mine = fabs(is - is_to) / scale;
    if (!(mine <= BOUND)) fail_msg("%s: %.9g, not %.9g: %.1e of %.3g", what, is, is_to, mine, scale);
    return mine > difference ? mine : difference;
}

static double tensor_differs(double difference, const network *n, int k, const pen__real *x, const pen__real *from,
                             const double want[2], const char *how)
{
    double square = 0, sum = 0;
    char what[128];
    /* of the keys, in qkv or kv: see moved() in golden_models.py */
    const char *name = n->golden->tensor[k].name;
    int64_t d = !from || !ends_with(name, "kv.bias") ? 0 : n->n[k] / (ends_with(name, "qkv.bias") ? 3 : 2);
    for (int64_t i = 0; i < n->n[k]; i++) {
        double y = (double)x[i] - (from ? (double)from[i] : 0);
        if (i >= n->n[k] - 2 * d && i < n->n[k] - d) continue;
        square += y * y;
        sum += y * draw(99, (uint32_t)i);
    }
    snprintf(what, sizeof what, "%s: %s of %s", n->golden->name, how, name);
    difference = worse(difference, what, sqrt(square), want[0], want[0]);
    return worse(difference, what, sum, want[1], want[0]);
}

static double losses_differ(const network *n, const double *want, const char *how)
{
    double difference = 0;
    char what[128];
    for (int t = 0; t < GOLDEN_STEPS; t++) {
        snprintf(what, sizeof what, "%s: loss %d of %s", n->golden->name, t + 1, how);
        difference = worse(difference, what, n->loss[t], want[t], fabs(want[t]));
    }
    return difference;
}

/* In one shard and in as many as there are examples for (at most 16). */
static void as_pytorch(void **state)
{
    (void)state;
    assert_int_equal(N_CASES, sizeof SETTING / sizeof *SETTING);
    for (int c = 0; c < N_CASES; c++)
        for (int32_t grain = 1; grain <= 64; grain += 63) {
            double loss, of_loss, of_gradient = 0, of_losses[2], of_way[2] = {0, 0};
            const golden *g = &GOLDEN[c];
            for (int adam = 0; adam < 2; adam++) {
                network *n = network_of(c, adam ? "adam" : "sgd", 2, grain);
                gradients(n, &loss);
                of_loss = worse(0, g->name, loss, g->sgd[0], g->sgd[0]);
                for (int k = 0; k < g->n_tensors; k++)
                    of_gradient =
                        tensor_differs(of_gradient, n, k, n->gradient[k], NULL, g->tensor[k].gradient, "gradient");
                steps(n);
                of_losses[adam] = losses_differ(n, adam ? g->adam : g->sgd, adam ? "adam" : "sgd");
                for (int k = 0; k < g->n_tensors; k++)
                    of_way[adam] = tensor_differs(of_way[adam], n, k, n->data[k], n->first[k],
                                                  adam ? g->tensor[k].adam : g->tensor[k].sgd, adam ? "adam" : "sgd");
                network_free(n);
            }
            print_message("%s, %s: loss %.1e, gradients %.1e; sgd: losses %.1e, way %.1e; adam: losses %.1e, way "
                          "%.1e\n",
                          g->name, grain == 1 ? "many shards" : "one shard", of_loss, of_gradient, of_losses[0],
                          of_way[0], of_losses[1], of_way[1]);
        }
}

/* Loss, gradients, and twenty steps of Adam. */
static void same_bits_on_threads(void **state)
{
    (void)state;
    for (int c = 0; c < N_CASES; c++) {
        network *one = network_of(c, "adam", 1, 1), *four = network_of(c, "adam", 4, 1);
        double loss[2];
        gradients(one, &loss[0]), gradients(four, &loss[1]);
        assert_memory_equal(&loss[0], &loss[1], sizeof *loss);
        for (int k = 0; k < GOLDEN[c].n_tensors; k++)
            assert_memory_equal(one->gradient[k], four->gradient[k], (size_t)one->n[k] * sizeof(pen__real));
        steps(one), steps(four);
        assert_memory_equal(one->loss, four->loss, sizeof one->loss);
        for (int k = 0; k < GOLDEN[c].n_tensors; k++)
            assert_memory_equal(one->data[k], four->data[k], (size_t)one->n[k] * sizeof(pen__real));
        network_free(one), network_free(four);
    }
}

static const char *program;

/* The level is chosen once in a process: each has one of its own. */
static void at_every_level(void **state)
{
    (void)state;
    for (int level = 0; level < PEN_CPU_LEVELS; level++) {
        int status;
        if (!pen__cpu_has((pen__cpu)level)) continue;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            setenv("PENCHANT_CPU", pen__cpu_name((pen__cpu)level), 1);
            execl(program, program, "as-pytorch", (char *)NULL);
            _exit(127);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        if (status != 0) fail_msg("at PENCHANT_CPU=%s it fails", pen__cpu_name((pen__cpu)level));
    }
}

int main(int argc, char **argv)
{
    program = argv[0];
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_pytorch), cmocka_unit_test(same_bits_on_threads),
                                       cmocka_unit_test(at_every_level)};
    const struct CMUnitTest alone[] = {cmocka_unit_test(as_pytorch)};
    return argc > 1 ? cmocka_run_group_tests(alone, NULL, NULL) : cmocka_run_group_tests(tests, NULL, NULL);
}
