/* Which kernel an optimiser's step is, and its rate. Kingma, Ba: "Adam" (ICLR 2015); Loshchilov, Hutter: "Decoupled
 * weight decay regularization" (ICLR 2019); Duchi, Hazan, Singer: "Adaptive subgradient methods" (JMLR 2011). */
#include "nn/optimiser.h"

#include <math.h>

double pen__learning_rate(const pen__learning *l, uint64_t t)
{
    double rate = l->rate, done = l->steps > 0 ? fmin(1, (double)t / (double)l->steps) : 0;
    if (l->schedule == PEN_RATE_COSINE) rate *= 0.5 * (1 + cos(3.141592653589793 * done));
    if (l->schedule == PEN_RATE_LINEAR) rate *= 1 - done;
    if (l->schedule == PEN_RATE_STEP && l->step_every > 0) rate *= pow(0.5, floor((double)t / (double)l->step_every));
    if (l->schedule == PEN_RATE_PLATEAU) rate = ldexp(rate, -l->halvings);
    if (l->warmup > 0 && (int64_t)t < l->warmup) rate *= (double)(t + 1) / (double)l->warmup;
    return rate;
}

pen__update pen__update_at(const pen__learning *l, uint64_t t, double share)
{
    double rate = pen__learning_rate(l, t), correct1 = 1, correct2 = 1;
    if (l->kind >= PEN_OPT_ADAM) { /* of the rounded betas that the kernel decays by: 1 - 0.999 rounds by 1e-5 of it */
        correct1 = 1 - pow((double)(pen__real)l->beta1, (double)t + 1);
        correct2 = 1 / sqrt(1 - pow((double)(pen__real)l->beta2, (double)t + 1));
    }
    bool apart = l->kind == PEN_OPT_ADAMW;
    return (pen__update){.rate = (pen__real)(rate / correct1),
                         .beta1 = (pen__real)l->beta1,
                         .beta2 = (pen__real)l->beta2,
                         .epsilon = (pen__real)l->epsilon,
                         .correct2 = (pen__real)correct2,
                         .l1 = (pen__real)(share * l->l1),
                         .l2 = (pen__real)(apart ? 0 : share * l->l2),
                         .shrink = (pen__real)(apart ? rate * share * l->l2 : 0)};
}

/* The sum of squares of a gradient with its penalties, as sgd has them. */
static pen__real penalised_square(const pen__update *u, const pen__real *w, const pen__real *g, int64_t n)
{
    pen__real sum = 0;
    if (u->l1 == 0 && u->l2 == 0) return pen__deep_kern()->dot(g, g, n);
    for (int64_t i = 0; i < n; i++) {
        pen__real d = g[i] + u->l2 * w[i] + u->l1 * (pen__real)((w[i] > 0) - (w[i] < 0));
        sum += d * d;
    }
    return sum;
}

/* One number remembered for the whole row: the mean of its squared gradients, summed up over steps. With penalties:
 * where they are most of a step they would be divided by next to nothing. */
static void rowwise(const pen__update *u, pen__real *w, pen__real *v, const pen__real *g, int64_t n)
{
    *v += penalised_square(u, w, g, n) / (pen__real)(n > 0 ? n : 1);
    pen__update step = *u;
    step.rate = u->rate / ((pen__real)sqrt((double)*v) + u->epsilon);
    pen__deep_kern()->sgd(w, g, n, &step);
}

void pen__optimise(pen__optimiser kind, const pen__update *u, pen__real *w, pen__real *first, pen__real *second,
                   const pen__real *g, int64_t n)
{
    const pen__deep *deep = pen__deep_kern();
    switch (kind) {
    case PEN_OPT_SGD: deep->sgd(w, g, n, u); return;
    case PEN_OPT_MOMENTUM: deep->momentum(w, first, g, n, u); return;
    case PEN_OPT_NESTEROV: deep->nesterov(w, first, g, n, u); return;
    case PEN_OPT_ADAGRAD: deep->adagrad(w, first, g, n, u); return;
    case PEN_OPT_ROWWISE_ADAGRAD: rowwise(u, w, first, g, n); return;
    case PEN_OPT_RMSPROP: deep->rmsprop(w, first, g, n, u); return;
    case PEN_OPT_ADAM:
    case PEN_OPT_ADAMW: deep->adam(w, first, second, g, n, u); return;
    }
}
