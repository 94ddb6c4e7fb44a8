/* gru4rec: a gated recurrent unit reads the history; its state says what comes next.
 *
 * One product a time step over the histories that still run; nothing is padded. Cost: O(events d^2) an epoch, and what
 * the loss takes: all items (ce).
 *
 * Hidasi, Karatzoglou, Baltrunas, Tikk: "Session-based recommendations with recurrent neural networks" (ICLR 2016);
 * Hidasi, Karatzoglou: "Recurrent neural networks with top-k gains" (CIKM 2018). */
#include <stdio.h>

#include "train/net_history.h"

enum { CE, SAMPLED, BPR_MAX };

static void build(const pen_model *model, pen__net *base)
{
    pen__history_net *net = (pen__history_net *)base;
    pen__plan *plan = base->plan;
    char name[48];
    int32_t d = pen__param_int(model, "factors"), hidden = pen__param_int(model, "hidden");
    double dropout = pen__param(model, "dropout");
    pen__drawn_begin(base, model, pen__param_int(model, "loss") != CE);
    pen__history_inputs(plan, net, model);
    base->item_table = pen__net_table(plan, model, "item", model->n_items);
    int32_t x = pen__dropped(plan, pen__history_items(plan, net, model), dropout);
    for (int32_t l = 0; l < pen__param_int(model, "layers"); l++) {
        snprintf(name, sizeof name, "gru%d", l);
        x = pen__gru(plan, name, x, hidden);
    }
    int32_t h = hidden == d ? x : pen__linear(plan, "out", &x, 1, d, PEN_ACT_NONE);
    base->user = pen__drawn_asked(base, model, pen__last(plan, h));
    int32_t kept = pen__dropped(plan, pen__history_taught(plan, net, h), pen__param(model, "dropout_hidden"));
    switch (pen__param_int(model, "loss")) {
    case CE: pen__loss_softmax(plan, kept, base->item_table, net->target, -1); break;
    case SAMPLED: pen__history_sampled(net, model, kept, false, (pen__sampled){.kind = PEN_CONTRAST_SOFTMAX}); break;
    case BPR_MAX:
        pen__history_sampled(net, model, kept, false,
                             (pen__sampled){.kind = PEN_CONTRAST_BPR_MAX,
                                            .weight = pen__param(model, "bpreg"),
                                            .elu = pen__param(model, "elu")});
    }
}

static const pen_param params[] = {
    PEN_NET_FACTORS("64", "length of the items' vectors"),
    PEN_P_INT_LOG("hidden", "64", 1, 2048, "width of the state; where it is not factors, a layer leads back"),
    PEN_P_INT("layers", "1", 1, 8, "recurrent layers"),
    PEN_HISTORY_PARAMS("200"),
    PEN_P_CHOICE(
        "loss", "ce", "ce|sampled|bpr-max",
        "ce: softmax over all items; sampled: over drawn ones; bpr-max: the drawn ones weighted by their softmax"),
    PEN_P_INT_LOG("negatives", "2048", 1, 100000, "items drawn for each batch (sampled, bpr-max)"),
    PEN_DRAWS_PARAMS("sampled", "sampled, bpr-max"),
    PEN_P_REAL("bpreg", "1", 0, 100, "penalty of the drawn items' scores (bpr-max)"),
    PEN_P_REAL("elu", "1", 0, 10, "alpha of the elu that scores pass (bpr-max); 0: none"),
    PEN_HISTORY_SCALE,
    PEN_NET_DROPOUT("0.1", "share of the items' numbers left out in training"),
    PEN_P_REAL("dropout_hidden", "0", 0, 0.9, "the same of the state's, before the loss"),
    PEN_NET_INIT("0.02", "standard deviation of the embeddings' first values"),
    PEN_NET_PARAMS("100", "10", "128", "histories", "0.001", "adam", "0"),
};

static const pen__net_class net = {.build = build, PEN_HISTORY_NET};

const pen__model_class pen__gru4rec_class = {
    .name = "gru4rec",
    .family = "sequence",
    .summary = "a recurrent network reads the history",
    .formula =
        "r, z = sigmoid(W x_t + U h_(t-1) + b),  n = tanh(W_n x_t + b_n + r (U_n h_(t-1) + c_n)),  h_t = (1 - z) n + z "
        "h_(t-1)\n"
        "score(u, i) = <h_T, e_i>,  T the last position\n"
        "minimise the mean over positions, good being the next item's score and bad_j those of drawn items, of\n"
        "  ce, sampled  -log softmax(good), over all items, or over it and the drawn ones\n"
        "  bpr-max      -log sum_j s_j sigmoid(good - bad_j) + bpreg sum_j s_j bad_j^2,  s = softmax(bad), scores "
        "after "
        "elu" PEN_DRAWN_FORMULA,
    .paper = "Hidasi, Karatzoglou, Baltrunas, Tikk: Session-based recommendations with recurrent neural networks (ICLR "
             "2016)",
    .tasks = 1u << PEN_TASK_RANK,
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(pen__history_net),
    .net = &net,
    PEN_NET_SLOTS,
    PEN_NET_VECTORS,
    .unbind = pen__history_unbind,
};
