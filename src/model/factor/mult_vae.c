/* mult-vae: a variational autoencoder of what a user chose, with a multinomial likelihood; variational=no is its
 * denoising sibling.
 *
 * The input is a bag of the user's items, unit length, with items dropped at random; the output is a softmax over the
 * catalogue, in blocks: nothing of size users x items exists. There are no users' parameters: every user, known or
 * new, is answered by the history. The decoder's last hidden layer is the user's vector, its output weights the
 * items'. Cost: O(users items hidden) an epoch.
 *
 * Liang, Krishnan, Hoffman, Jebara: "Variational autoencoders for collaborative filtering" (WWW 2018). */
#include "train/net.h"

typedef struct mult_vae {
    pen__net net;
    int32_t bag, item;     /* extent; index input */
    int32_t whole, anneal; /* shared extent of one row; real input: the weight of KL; -1 without */
} mult_vae;

static void build(const pen_model *model, pen__net *base)
{
    mult_vae *net = (mult_vae *)base;
    pen__plan *plan = base->plan;
    int32_t hidden = pen__param_int(model, "hidden"), d = pen__param_int(model, "factors");
    pen__init init = {PEN_INIT_XAVIER, 1}, zero = {PEN_INIT_ZERO, 0};
    net->bag = pen__extent_child(plan, PEN_ROOT, "items");
    net->item = pen__input_index(plan, net->bag, "item");
    int32_t kept = pen__input_real(plan, net->bag, 1, "kept");
    net->whole = net->anneal = -1;
    int32_t in = pen__plan_table(plan, "in", model->n_items, hidden, init);
    base->item_table = pen__plan_table(plan, "item", model->n_items, hidden, init);
    base->item_bias = pen__plan_table(plan, "item.bias", model->n_items, 1, zero);
    int32_t x = pen__activate(plan, pen__shifted(plan, "in.bias", pen__bag(plan, in, net->item, PEN_POOL_SQRT, kept)),
                              PEN_ACT_TANH);
    int32_t z = pen__linear(plan, "mean", &x, 1, d, PEN_ACT_NONE);
    if (pen__param_int(model, "variational")) {
        int32_t logvar = pen__linear(plan, "logvar", &x, 1, d, PEN_ACT_NONE), mean = z;
        net->whole = pen__extent_shared(plan, "batch");
        int32_t anneal = pen__input_real(plan, net->whole, 1, "anneal");
        net->anneal = pen__input_of(plan, anneal);
        z = pen__gaussian(plan, mean, logvar);
        pen__loss_kl(plan, mean, logvar, anneal);
    }
    base->user = pen__linear(plan, "decoder", &z, 1, hidden, PEN_ACT_TANH);
    pen__loss_multinomial(plan, base->user, base->item_table, net->item, -1, base->item_bias);
}

static int64_t examples(const pen_model *model, const pen__train *train)
{
    (void)model;
    return train->n_users;
}

static void size(pen__example *example)
{
    const mult_vae *net = example->model->state;
    if (net->whole >= 0) example->rows[net->whole] = 1;
    example->rows[net->bag] = pen__net_row(example, PEN_SIDE_USER).n;
}

static void fill(pen__example *example)
{
    const mult_vae *net = example->model->state;
    const pen_model *model = example->model;
    const pen__row row = pen__net_row(example, PEN_SIDE_USER);
    if (example->number < 0 && !example->user) {
        double steps = pen__param(model, "anneal_steps"), most = pen__param(model, "beta");
        double share = steps > 0 ? (double)example->step / steps : 1;
        if (net->anneal >= 0) example->real[net->anneal][0] = (pen__real)(most * (share < 1 ? share : 1));
        return;
    }
    pen__real *kept = example->real[0], dropout = example->user ? 0 : (pen__real)pen__param(model, "dropout");
    for (int64_t k = 0; k < row.n; k++) {
        example->index[net->item][k] = row.column[k];
        kept[k] = dropout > 0 && pen__rng_uniform(&example->rng) < (double)dropout ? 0 : 1 / (1 - dropout);
    }
}

static void bounds(const pen_model *model, int64_t *bound)
{
    const mult_vae *net = model->state;
    bound[net->bag] = PEN_NET_MOST;
    if (net->whole >= 0) bound[net->whole] = 1;
}

static const pen_param params[] = {
    PEN_NET_FACTORS("200", "width of the innermost layer"),
    PEN_P_INT_LOG("hidden", "600", 1, 4096, "width of the layers around it"),
    PEN_P_BOOL("variational", "1", "0: mult-dae, without sampling and its penalty"),
    PEN_NET_DROPOUT("0.5", "share of a user's items left out of the input"),
    PEN_P_REAL("beta", "0.2", 0, 10, "weight of the KL penalty once annealed"),
    PEN_P_INT_LOG("anneal_steps", "2000", 0, 10000000, "steps over which that weight rises from 0"),
    PEN_NET_PARAMS("200", "10", "256", "users", "0.001", "adam", "0"),
};

static const pen__net_class net = {.build = build, .examples = examples, .size = size, .fill = fill, .bounds = bounds};

const pen__model_class pen__mult_vae_class = {
    .name = "mult-vae",
    .family = "factor",
    .summary = "variational autoencoder with a multinomial likelihood",
    .formula = "x = tanh(sum_i e_i / sqrt(n) + b),  z ~ N(mean(x), e^logvar(x)),  h = tanh(W z + c),  score(u, i) = "
               "<h, q_i> + b_i\n"
               "minimise the mean over users of -sum_i log softmax_i(score) + beta KL(z, N(0, 1))",
    .paper = "Liang, Krishnan, Hoffman, Jebara: Variational autoencoders for collaborative filtering (WWW 2018)",
    .tasks = 1u << PEN_TASK_RANK,
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(mult_vae),
    .net = &net,
    PEN_NET_SLOTS,
    PEN_NET_VECTORS,
    .unbind = pen__net_unbind,
};
