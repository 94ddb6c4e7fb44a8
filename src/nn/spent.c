/* Seconds by op, added up over workers in their order. */
#include "nn/spent.h"

#include "base/memory.h"

static size_t numbers(const pen__spent *spent)
{
    return (size_t)spent->n_workers * (size_t)(2 * spent->plan->n_calls + PEN_SPENT_OTHERS);
}

pen_status pen__spent_make(pen_context *ctx, const pen__plan *plan, int32_t n_workers, pen__spent *out,
                           pen_error *error)
{
    *out = (pen__spent){plan, n_workers, NULL};
    return PEN_NEW_ZERO(ctx, out->seconds, numbers(out));
}

void pen__spent_free(pen_context *ctx, pen__spent *spent)
{
    pen__free(ctx, spent->seconds);
    spent->seconds = NULL;
}

static double sum_of(const pen__spent *spent, int32_t at)
{
    double sum = 0;
    for (int w = 0; w < spent->n_workers; w++) sum += pen__spent_of(spent, w)[at];
    return sum;
}

static bool is_first(const pen__plan *plan, int32_t call)
{
    for (int32_t c = 0; c < call; c++)
        if (plan->call[c].op == plan->call[call].op) return false;
    return true;
}

void pen__spent_tell(pen__spent *spent, pen__text *out)
{
    const pen__plan *plan = spent->plan;
    pen__text_puts(out, "{");
    for (int32_t c = 0; c < plan->n_calls; c++) {
        double seconds[2] = {0};
        if (!is_first(plan, c)) continue;
        for (int32_t o = c; o < plan->n_calls; o++)
            for (int way = 0; way < 2 && plan->call[o].op == plan->call[c].op; way++)
                seconds[way] += sum_of(spent, 2 * o + way);
        pen__text_printf(out, "\"%s\": [%.4f, %.4f], ", plan->call[c].op->name, seconds[0], seconds[1]);
    }
    pen__text_printf(out, "\"update\": %.4f, \"batches\": %.4f}", sum_of(spent, pen__spent_at(plan, PEN_SPENT_UPDATE)),
                     sum_of(spent, pen__spent_at(plan, PEN_SPENT_BATCHES)));
    memset(spent->seconds, 0, numbers(spent) * sizeof *spent->seconds);
}
