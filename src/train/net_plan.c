/* The network of a model, described (nn/describe.h). A model file keeps no batches, but it does keep how many rows the
 * largest of them had: with these the arena of training is laid out again, without a buffer. */
#include "base/thread.h"
#include "nn/describe.h"
#include "train/net.h"

pen_status pen__net_describe(const pen_model *model, pen__text *out, pen_error *error)
{
    PEN_CHECK(model->class->net, PEN_E_UNSUPPORTED, "%s has no plan: it is not a network (see: penchant models)",
              model->class->name);
    const pen__net *net = model->state;
    int32_t n = net->plan->n_extents;
    const int64_t *rows;
    PEN_CHECK(pen__model_tensor(model, PEN_NET_ROWS), PEN_E_UNSUPPORTED,
              "this %s does not say how large the batches of its training were: it comes from an earlier build; train "
              "it again",
              model->class->name);
    PEN_TRY(pen__model_get(model, PEN_NET_ROWS, PEN_I64, 2, n, 0, NULL, &rows, error));
    pen__layout *train;
    PEN_TRY(pen__layout_train(model->ctx, net->plan, rows + n, &train, error));
    pen__description d = {.plan = net->plan,
                          .train = train,
                          .answer = net->answer,
                          .solve = net->solve,
                          .answers = net->score >= 0 ? "scores" : "the user's vector",
                          .batch_rows = rows,
                          .n_shards = pen__run_cut(rows[PEN_ROOT], pen__net_grain(model)),
                          .n_workers = pen__workers(model->ctx),
                          .optimiser = (pen__optimiser)pen__param_int(model, "optimizer"),
                          .averages = pen__param(model, "ema") > 0};
    pen__text_printf(out, "{\"model\": \"%s\", ", model->class->name);
    pen__describe(&d, out);
    pen__text_puts(out, "}\n");
    pen__layout_destroy(train);
    return PEN_OK;
}
