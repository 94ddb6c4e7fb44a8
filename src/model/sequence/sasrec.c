/* sasrec: self-attention over a user's history; each position says what comes next.
 *
 * Positions of all histories of a batch stand end to end: nothing is padded. The answer is the last position's vector
 * against all items. Cost: O(sum over histories of (length d^2 + length^2 d)) a block and an epoch, and what the loss
 * takes: one negative a position (bce), or all items (ce).
 *
 * Kang, McAuley: "Self-attentive sequential recommendation" (ICDM 2018). Full and sampled cross-entropy: Klenitskiy,
 * Vasilev: "Turning dross into gold loss" (RecSys 2023). gbce: Petrov, Macdonald: "gSASRec" (RecSys 2023). */
#include <stdio.h>

#include "train/net_history.h"

enum { BCE, CE, SAMPLED, GBCE };
enum { PRE, POST, QUERY };
enum { LAST, FIRST };

typedef struct block {
    pen__plan *plan;
    const pen_model *model;
    int32_t number;
    char name[48];
} block;

static const char *named(block *at, const char *part)
{
    snprintf(at->name, sizeof at->name, "block%d.%s", at->number, part);
    return at->name;
}

static int32_t norm(block *at, const char *part, int32_t x) { return pen__norm(at->plan, named(at, part), x); }

static int32_t linear(block *at, const char *part, int32_t x, int32_t width, pen__activation act, double dropout)
{
    double init = pen__param(at->model, "init_layers");
    pen__layer_how how = {act, init > 0 ? (pen__init){PEN_INIT_NORMAL, init} : pen__layer_init(act), dropout};
    return pen__layer(at->plan, named(at, part), &x, 1, width, how);
}

/* Attention and a layer of its own for each position, each added to what it read: x (norm=pre, post) or its norm
 * (query), which then is all that goes on, while keys and values are of x itself. */
static int32_t blocks(block *at, int32_t x)
{
    pen__plan *plan = at->plan;
    int32_t d = pen__param_int(at->model, "factors"), mode = pen__param_int(at->model, "norm");
    int32_t heads = pen__param_int(at->model, "heads"), hidden = pen__param_int(at->model, "hidden");
    double dropout = pen__param(at->model, "dropout");
    for (at->number = 0; at->number < pen__param_int(at->model, "layers"); at->number++) {
        int32_t a = mode == POST ? x : norm(at, "norm1", x);
        int32_t read[2], n = 1;
        if (mode == QUERY) {
            read[0] = linear(at, "query", a, d, PEN_ACT_NONE, 0);
            read[n++] = linear(at, "kv", x, 2 * d, PEN_ACT_NONE, 0);
        } else {
            read[0] = linear(at, "qkv", a, 3 * d, PEN_ACT_NONE, 0);
        }
        int32_t mixed = pen__attention(plan, read, n, heads, true, dropout);
        int32_t out = linear(at, "attention", mixed, d, PEN_ACT_NONE, dropout);
        x = pen__plus(plan, mode == QUERY ? a : x, out);
        if (mode == POST) x = norm(at, "norm1", x);
        int32_t b = mode == POST ? x : norm(at, "norm2", x);
        int32_t inner = linear(at, "inner", b, hidden, PEN_ACT_RELU, dropout);
        out = linear(at, "outer", inner, d, PEN_ACT_NONE, dropout);
        x = pen__plus(plan, mode == QUERY ? b : x, out);
        if (mode == POST) x = norm(at, "norm2", x);
    }
    return x;
}

/* log(1 + e^-good) + log(1 + e^bad), one negative a position. */
static void bce(pen__plan *plan, pen__history_net *net, int32_t h)
{
    net->negative = pen__input_index(plan, net->taught, "negative");
    int32_t one = pen__input_real(plan, net->taught, 1, "one"), zero = pen__input_real(plan, net->taught, 1, "zero");
    net->good = pen__input_of(plan, one), net->bad = pen__input_of(plan, zero);
    pen__loss_pointwise(plan, PEN_LOSS_LOGISTIC, pen__dot(plan, h, pen__gather(plan, net->net.item_table, net->target)),
                        one, -1);
    pen__loss_pointwise(plan, PEN_LOSS_LOGISTIC,
                        pen__dot(plan, h, pen__gather(plan, net->net.item_table, net->negative)), zero, -1);
}

static void build(const pen_model *model, pen__net *base)
{
    pen__history_net *net = (pen__history_net *)base;
    pen__plan *plan = base->plan;
    pen__drawn_begin(base, model, pen__param_int(model, "loss") >= SAMPLED);
    pen__history_inputs(plan, net, model);
    net->place = pen__input_index(plan, net->positions, "place");
    net->from_first = pen__param_int(model, "places") == FIRST;
    base->item_table = pen__net_table(plan, model, "item", model->n_items);
    int32_t places = pen__net_table(plan, model, "place", pen__param_int(model, "max_length"));
    int32_t item = pen__history_items(plan, net, model), place = pen__gather(plan, places, net->place);
    int32_t x = pen__dropped(plan, pen__plus(plan, item, place), pen__param(model, "dropout"));
    int32_t h = pen__norm(plan, "norm", blocks(&(block){.plan = plan, .model = model}, x));
    base->user = pen__drawn_asked(base, model, pen__last(plan, h));
    h = pen__history_taught(plan, net, h);
    switch (pen__param_int(model, "loss")) {
    case BCE: bce(plan, net, h); break;
    case CE: pen__loss_softmax(plan, h, base->item_table, net->target, -1); break;
    case SAMPLED: pen__history_sampled(net, model, h, false, (pen__sampled){.kind = PEN_CONTRAST_SOFTMAX}); break;
    case GBCE:
        pen__history_sampled(net, model, h, true,
                             (pen__sampled){.kind = PEN_CONTRAST_GBCE, .sum = true, .t = pen__param(model, "t")});
    }
}

static const pen_param params[] = {
    PEN_NET_FACTORS("64", "length of the vectors"),
    PEN_P_INT("layers", "2", 1, 12, "blocks of attention"),
    PEN_P_INT("heads", "1", 1, 64, "heads of each; factors must be a multiple"),
    PEN_P_INT_LOG("hidden", "64", 1, 4096, "width of a block's inner layer"),
    PEN_HISTORY_PARAMS("200"),
    PEN_P_CHOICE(
        "loss", "ce", "bce|ce|sampled|gbce",
        "bce: logistic, one drawn item a position; ce: softmax over all items; sampled: over drawn ones; gbce: "
        "calibrated bce"),
    PEN_P_INT_LOG("negatives", "256", 1, 100000, "items drawn for each batch (sampled), or for each history (gbce)"),
    PEN_DRAWS_PARAMS("sampled", "sampled, gbce"),
    PEN_P_REAL("t", "0.75", 0, 1, "calibration of gbce; 0: bce"),
    PEN_P_CHOICE("places", "last", "last|first",
                 "last: places end at max_length; first: they count from the earliest event that is read"),
    PEN_P_CHOICE(
        "norm", "pre", "pre|post|query",
        "pre: layer norm before each part of a block; post: after; query: before, as in the authors' code, where each "
        "part is added to the norm and of attention the query alone reads it"),
    PEN_HISTORY_SCALE,
    PEN_NET_DROPOUT("0.1", "share of numbers left out in training"),
    PEN_NET_INIT("0.02", "standard deviation of the embeddings' first values"),
    PEN_P_REAL_LOG("init_layers", "0", 0, 10,
                   "standard deviation of the layers' first weights; 0: He's for ReLU, else Xavier's"),
    PEN_NET_PARAMS("100", "10", "128", "histories", "0.001", "adam", "0"),
};

static const pen__net_class net = {.build = build, PEN_HISTORY_NET};

const pen__model_class pen__sasrec_class = {
    .name = "sasrec",
    .family = "sequence",
    .summary = "self-attention over the history, in its order",
    .formula =
        "x_t = e_(i_t) + p_t;  x = x + attention(norm(x));  x = x + W_2 relu(W_1 norm(x));  h = norm(x)\n"
        "score(u, i) = <h_T, e_i>,  T the last position\n"
        "minimise the mean over positions, good being the next item's score and bad_j those of n drawn items, of\n"
        "  ce, sampled  -log softmax(good), over all items, or over it and the drawn ones\n"
        "  bce          log(1 + e^-good) + log(1 + e^bad),  n = 1\n"
        "  gbce         (beta log(1 + e^-good) + sum_j log(1 + e^bad_j)) / (n + 1),  scores + log(beta / n),\n"
        "               beta = a (t (1 - 1/a) + 1/a),  a = n / (items - 1)" PEN_DRAWN_FORMULA,
    .paper = "Kang, McAuley: Self-attentive sequential recommendation (ICDM 2018)",
    .tasks = 1u << PEN_TASK_RANK,
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(pen__history_net),
    .net = &net,
    PEN_NET_SLOTS,
    PEN_NET_VECTORS,
    .unbind = pen__history_unbind,
};
