"""Golden steps of the optimisers: golden_optimisers.py | clang-format > golden_optimisers.h (PyTorch, in double).

The network and the batches of test_optimisers.c: two rows of a table through a layer, softmax over all rows of another. Each row of a
table is a parameter of its own, which torch.optim leaves alone where it has no gradient: rows that a batch does not touch. Adam's
steps are counted for all rows alike, as SparseAdam counts them (which is compared at the end). No optimiser of torch is row-wise
Adagrad: its formula stands below. Rates come from torch.optim.lr_scheduler, times the warm-up's formula. L2 is torch's weight_decay;
torch knows no L1.

Printed are, for each case, the losses and rates of all steps, and how far each tensor went: its norm and its sum by draw(99, .)."""
import torch
from torch.nn import functional as F
from torch.optim import lr_scheduler

from draws import below, draw, pair

STEPS, EXAMPLES, ROWS, DRAWN, D, HIDDEN, ITEMS = 12, 150, 310, 300, 40, 64, 140
BETA1, BETA2, EPSILON = 0.8, 0.95, 1e-4  # an epsilon that is felt
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def batch(t):
    """Rows, of which the first are drawn most, and targets."""
    a, b = [[below(seed + t, i, 1 + below(seed + 500 + t, i, DRAWN)) for i in range(EXAMPLES)] for seed in (1000, 2000)]
    return a, b, [below(3000 + t, i, ITEMS) for i in range(EXAMPLES)]


class Network:
    def __init__(self):
        drawn = lambda seed, rows, cols: draw(seed, rows * cols).reshape(rows, cols)
        self.first = {"layer.weight": 0.5 * drawn(10, HIDDEN, 2 * D), "layer.bias": 0.5 * drawn(11, 1, HIDDEN),
                      "row": 2 * drawn(12, ROWS, D), "item": drawn(13, ITEMS, HIDDEN)}
        self.layer = [self.first[name].clone().requires_grad_() for name in ("layer.weight", "layer.bias")]
        self.rows, self.items = [[x.clone().requires_grad_() for x in self.first[name]] for name in ("row", "item")]

    def tensors(self):
        return dict(zip(self.first, [*self.layer, torch.stack(self.rows), torch.stack(self.items)]))

    def loss(self, t):
        a, b, target = batch(t)
        for x in (*self.layer, *self.rows, *self.items):
            x.grad = None
        w = self.tensors()
        h = torch.tanh(F.linear(torch.cat([w["row"][a], w["row"][b]], 1), w["layer.weight"], w["layer.bias"][0]))
        loss = F.cross_entropy(h @ w["item"].T, torch.tensor(target))
        loss.backward()
        for i in set(range(ROWS)) - {*a, *b}:
            self.rows[i].grad = None
        return loss.item()

    def way(self):
        return {name: (x - self.first[name]).detach() for name, x in self.tensors().items()}


class RowwiseAdagrad(torch.optim.Optimizer):
    """One sum a row, of the means of its squared gradients (penalties in them, as in Adagrad's); a step by the root of it."""

    def __init__(self, groups, lr):
        super().__init__(groups, {"lr": lr, "weight_decay": 0, "l1": 0})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for x in group["params"]:
                if x.grad is None:
                    continue
                d = x.grad + group["weight_decay"] * x + group["l1"] * x.sign()
                rows = d.reshape(-1, x.shape[-1])
                sums = self.state[x].setdefault("sum", torch.zeros(len(rows), 1))
                sums += (rows**2).mean(1, keepdim=True)
                x -= group["lr"] * (rows / (sums.sqrt() + EPSILON)).reshape(x.shape)


OPTIMISERS = {
    "sgd": (2, lambda p, r: torch.optim.SGD(p, lr=r)),
    "momentum": (0.8, lambda p, r: torch.optim.SGD(p, lr=r, momentum=BETA1)),
    "nesterov": (0.8, lambda p, r: torch.optim.SGD(p, lr=r, momentum=BETA1, nesterov=True)),
    "adagrad": (0.05, lambda p, r: torch.optim.Adagrad(p, lr=r, eps=EPSILON)),
    "rowwise-adagrad": (0.05, RowwiseAdagrad),
    "rmsprop": (0.01, lambda p, r: torch.optim.RMSprop(p, lr=r, alpha=BETA2, eps=EPSILON)),
    "adam": (0.02, lambda p, r: torch.optim.Adam(p, lr=r, betas=(BETA1, BETA2), eps=EPSILON)),
    "adamw": (0.02, lambda p, r: torch.optim.AdamW(p, lr=r, betas=(BETA1, BETA2), eps=EPSILON)),
}

# schedule and warm-up of the second case of each, which has penalties too
WITH = {"sgd": ("cosine", 0), "momentum": ("linear", 5), "nesterov": ("step", 0), "adagrad": ("constant", 5),
        "rowwise-adagrad": ("cosine", 5), "rmsprop": ("linear", 0), "adam": ("step", 5), "adamw": ("cosine", 5)}


def rates(base, schedule, warmup, every):
    """Of each step."""
    dummy = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
    scheduler = {"constant": lambda: lr_scheduler.ConstantLR(dummy, 1),
                 "cosine": lambda: lr_scheduler.CosineAnnealingLR(dummy, STEPS),
                 "linear": lambda: lr_scheduler.LinearLR(dummy, 1, 0, STEPS),
                 "step": lambda: lr_scheduler.StepLR(dummy, every, 0.5)}[schedule]()
    out = []
    for t in range(STEPS):
        out.append(scheduler.get_last_lr()[0] * (min(1, (t + 1) / warmup) if warmup else 1))
        dummy.step()
        scheduler.step()
    return out


def train(kind, rate_of, l1, l2, tables):
    """`tables`: both penalties of rows, in times of those of the layer's weights; the bias has none."""
    n, (_, make), losses = Network(), OPTIMISERS[kind], []
    shares = [([n.layer[0]], 1), ([n.layer[1]], 0), (n.rows + n.items, tables)]
    extra = lambda share: {"l1": share * l1} if kind == "rowwise-adagrad" else {}
    optimizer = make([{"params": p, "weight_decay": share * l2, **extra(share)} for p, share in shares], rate_of[0])
    for t in range(STEPS):
        losses.append(n.loss(t))
        for (parameters, share), group in zip(shares, optimizer.param_groups):
            group["lr"] = rate_of[t]
            for x in parameters:
                if x.grad is None:
                    continue
                if not extra(share):
                    x.grad += share * l1 * x.detach().sign()
                if kind.startswith("adam"):
                    optimizer.state[x].setdefault("exp_avg", torch.zeros_like(x))
                    optimizer.state[x].setdefault("exp_avg_sq", torch.zeros_like(x))
                    optimizer.state[x]["step"] = torch.tensor(float(t))
        optimizer.step()
    return losses, n.way()


def lazy_as_sparse_adam():
    """Rows of their own under Adam go as far as a table under SparseAdam does, where epsilon does not matter: it stands elsewhere."""
    rows, table = [x.clone().requires_grad_() for x in draw(1, 12).reshape(4, 3)], draw(1, 12).reshape(4, 3).requires_grad_()
    each, whole = torch.optim.Adam(rows, lr=0.1, eps=1e-14), torch.optim.SparseAdam([table], lr=0.1, eps=1e-14)
    for t in range(9):
        touched = [t % 4, t * t % 3]
        each.zero_grad(), whole.zero_grad()
        weigh = lambda x: (x * draw(20 + t, x.numel()).reshape(x.shape) + x**2).sum()
        weigh(torch.stack([rows[i] for i in touched])).backward()
        weigh(F.embedding(torch.tensor(touched), table, sparse=True)).backward()
        for i in set(touched):
            each.state[rows[i]].setdefault("exp_avg", torch.zeros(3)), each.state[rows[i]].setdefault("exp_avg_sq", torch.zeros(3))
            each.state[rows[i]]["step"] = torch.tensor(float(t))
        each.step(), whole.step()
    assert torch.allclose(torch.stack(rows), table, rtol=1e-9)


lazy_as_sparse_adam()
print("/* Made by golden_optimisers.py: PyTorch %s in double. */" % torch.__version__.split("+")[0])
print("""#ifndef GOLDEN_OPTIMISERS_H
#define GOLDEN_OPTIMISERS_H

enum { GOLDEN_STEPS = %d };
static const double GOLDEN_BETA1 = %g, GOLDEN_BETA2 = %g, GOLDEN_EPSILON = %g;

/* way: (norm, sum by draw(99, .)) of how far the layer's weights, its bias, the rows and the items went. */
typedef struct golden {
    const char *optimizer, *schedule;
    double rate;
    int warmup, every; /* steps */
    double l1, l2, tables;
    double loss[GOLDEN_STEPS], rates[GOLDEN_STEPS];
    double way[4][2];
} golden;

static const golden GOLDEN[] = {""" % (STEPS, BETA1, BETA2, EPSILON))
for kind, (rate, _) in OPTIMISERS.items():
    schedule, warmup = WITH[kind]
    full = (schedule, warmup, 1e-4, 1 if kind == "adamw" else 1e-2, 0.3)
    for schedule, warmup, l1, l2, tables in [("constant", 0, 0, 0, 1), full]:
        rate_of = rates(rate, schedule, warmup, 3)
        losses, way = train(kind, rate_of, l1, l2, tables)
        numbers = lambda x: ", ".join("%.12g" % y for y in x)
        print('    {"%s", "%s", %g, %d, %d, %g, %g, %g, {%s}, {%s}, {%s}},' % (
            kind, schedule, rate, warmup, 3, l1, l2, tables, numbers(losses), numbers(rate_of), ", ".join(pair(x) for x in way.values())))
print("};\n\n#endif")
