"""Golden numbers of whole models: golden_models.py | clang-format > golden_models.h (PyTorch, in double).

Each case is a model in plain torch, sequence by sequence, from the weights and batches of test_golden_models.c: the same draws. Printed
are, for twenty steps of SGD and twenty of Adam (torch.optim.Adam; SparseAdam for the tables that only lookups read), each step's loss,
and of each tensor the norm and the sum of its numbers times draw(99, .) of the first gradient and of how far either went."""
import torch
from torch.nn import functional as F

from draws import below, draw, pair

STEPS = 20
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


# ---- models: `tensors` are the shapes of weights, then of tables; loss(w, batch, row) with row(name, indices) the rows of a table


class Neumf:
    name, sgd, adam = "neumf", 1.0, 0.02
    users, items, d, layers, events = 31, 101, 5, 3, 24

    def __init__(self):
        width = [self.d << self.layers - 1 - l for l in range(self.layers)]
        self.weights = {}
        for l in range(self.layers):
            self.weights["mlp.%d.weight" % l] = (width[l], 2 * width[0] if l == 0 else width[l - 1])
            self.weights["mlp.%d.bias" % l] = (1, width[l])
        self.weights["out.weight"] = (1, 2 * self.d)
        self.weights["out.bias"] = (1, 1)
        self.tables = {"gmf.user": (self.users, self.d), "gmf.item": (self.items, self.d),
                       "mlp.user": (self.users, width[0]), "mlp.item": (self.items, width[0])}
        self.dense_tables = []

    def batch(self, t):
        user, item, label = [], [], []
        for e in range(self.events):
            for k in range(1 + e % 5):  # the event and up to four negatives
                user.append(below(1000 + t, e, self.users))
                item.append(below(2000 + t, len(item), self.items))
                label.append(1.0 if k == 0 else 0.0)
        return user, item, torch.tensor(label)

    def loss(self, w, batch, row):
        user, item, label = batch
        product = row("gmf.user", user) * row("gmf.item", item)
        h = torch.cat([row("mlp.user", user), row("mlp.item", item)], 1)
        for l in range(self.layers):
            h = torch.relu(F.linear(h, w["mlp.%d.weight" % l], w["mlp.%d.bias" % l][0]))
        score = F.linear(torch.cat([product, h], 1), w["out.weight"], w["out.bias"][0])[:, 0]
        return F.binary_cross_entropy_with_logits(score, label)


class History:
    items, histories, most, drawn = 61, 12, 20, 9
    temperature = 0  # above 0: items and what is asked for them are compared at length 1

    def items_of(self, row, indices):
        return F.normalize(row("item", indices), dim=1) if self.temperature else row("item", indices)

    def batch(self, t):
        out, at = [], 0
        for s in range(self.histories):
            n = 1 + (7 * s + 3 * t) % self.most
            at += n
            item, negative = [[below(seed + t, i, self.items) for i in range(at - n, at)] for seed in (1000, 2000)]
            out.append((item, [(7 * i + 3) % self.items for i in item], negative))  # one thing leads to another
        self.shared = [below(3000 + t, k, self.items) for k in range(self.drawn)]
        return out  # (item, next, negative) of each history

    def loss(self, w, batch, row):
        h = torch.cat([self.states(w, item, row) for item, _, _ in batch])
        after = sum((next for _, next, _ in batch), [])
        if self.kind == "ce":
            return F.cross_entropy(h @ w["item"].T, torch.tensor(after))
        if self.kind == "sampled":  # against items that the batch shares; one that is the target does not count
            h = F.normalize(h, dim=1) / self.temperature
            good = (h * self.items_of(row, after)).sum(1, keepdim=True) + row("item.bias", after)
            bad = h @ self.items_of(row, self.shared).T + row("item.bias", self.shared).T
            hit = torch.tensor(after)[:, None] == torch.tensor(self.shared)[None]
            return F.cross_entropy(torch.cat([good, bad.masked_fill(hit, -torch.inf)], 1), torch.zeros(len(after), dtype=torch.long))
        against = sum((negative for _, _, negative in batch), [])
        good, bad = (h * row("item", after)).sum(1), (h * row("item", against)).sum(1)
        return F.softplus(-good).mean() + F.softplus(bad).mean()


class Sasrec(History):
    d, hidden, layers = 8, 12, 2

    def __init__(self, name, kind, heads, norm, scale, sgd, adam, temperature=0):
        self.temperature = temperature
        self.name, self.kind, self.heads, self.scale, self.sgd, self.adam = name, kind, heads, scale, sgd, adam
        self.post, self.query, d, self.weights = norm == "post", norm == "query", self.d, {}
        projections = [("query", (d, d)), ("kv", (2 * d, d))] if self.query else [("qkv", (3 * d, d))]
        for b in range(self.layers):
            for part, shape in [("norm1", (1, d)), *projections, ("attention", (d, d)), ("norm2", (1, d)),
                                ("inner", (self.hidden, d)), ("outer", (d, self.hidden))]:
                self.weights["block%d.%s.weight" % (b, part)] = shape
                self.weights["block%d.%s.bias" % (b, part)] = (1, shape[1] if "norm" in part else shape[0])
        self.weights["norm.weight"] = self.weights["norm.bias"] = (1, d)
        self.tables = {"item": (self.items, d), "place": (self.most, d)}
        if kind == "sampled":
            self.tables["item.bias"] = (self.items, 1)
        self.dense_tables = ["item"] if kind == "ce" else []

    def states(self, w, item, row):
        n = len(item)
        norm = lambda name, x: F.layer_norm(x, (self.d,), w[name + ".weight"][0], w[name + ".bias"][0])
        linear = lambda name, x: F.linear(x, w[name + ".weight"], w[name + ".bias"][0])
        x = self.items_of(row, item) * (self.d ** 0.5 if self.scale else 1) + row("place", list(range(self.most - n, self.most)))
        for b in range(self.layers):
            at = "block%d." % b
            y = x if self.post else norm(at + "norm1", x)
            qkv = torch.cat([linear(at + "query", y), linear(at + "kv", x)], 1) if self.query else linear(at + "qkv", y)
            x = y if self.query else x
            q, k, v = qkv.reshape(n, 3, self.heads, self.d // self.heads).permute(1, 2, 0, 3)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True).permute(1, 0, 2).reshape(n, self.d)
            x = x + linear(at + "attention", y)
            if self.post:
                x = norm(at + "norm1", x)
            y = x if self.post else norm(at + "norm2", x)
            x = (y if self.query else x) + linear(at + "outer", torch.relu(linear(at + "inner", y)))
            if self.post:
                x = norm(at + "norm2", x)
        return norm("norm", x)


class Gru4rec(History):
    kind = "ce"

    def __init__(self, name, d, hidden, layers, sgd, adam):
        self.name, self.d, self.hidden, self.layers, self.sgd, self.adam = name, d, hidden, layers, sgd, adam
        self.weights = {}
        for l in range(layers):
            self.weights["gru%d.weight_ih" % l] = (3 * hidden, hidden if l else d)
            self.weights["gru%d.weight_hh" % l] = (3 * hidden, hidden)
            self.weights["gru%d.bias_ih" % l] = self.weights["gru%d.bias_hh" % l] = (1, 3 * hidden)
        if hidden != d:
            self.weights.update({"out.weight": (d, hidden), "out.bias": (1, d)})
        self.tables = {"item": (self.items, d)}
        self.dense_tables = ["item"]
        self.cell = torch.nn.GRU(d, hidden, layers)

    def states(self, w, item, row):
        weights = {"%s_l%d" % (part, l): w["gru%d.%s" % (l, part)].reshape(-1) if "bias" in part else w["gru%d.%s" % (l, part)]
                   for l in range(self.layers) for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        h = torch.func.functional_call(self.cell, weights, (row("item", item),))[0]
        return h if self.hidden == self.d else F.linear(h, w["out.weight"], w["out.bias"][0])


# ---- training


def begin(model):
    """The tensors, by name in the order of their numbers: drawn, tables wider, and 1 more for the gains of norms."""
    w = {}
    for number, (name, shape) in enumerate({**model.weights, **model.tables}.items()):
        gain = 1.0 if "norm" in name and name.endswith("weight") else 0.0
        scale = 1.6 if name in model.tables else 0.8
        w[name] = (scale * draw(10 + number, shape[0] * shape[1]) + gain).reshape(shape).requires_grad_()
    return w


def train(model, w, optimizers, sparse):
    """The losses and the first gradients."""
    row = lambda name, indices: F.embedding(torch.tensor(indices), w[name], sparse=name in sparse)
    losses, gradients = [], None
    for t in range(STEPS):
        for o in optimizers:
            o.zero_grad()
        loss = model.loss(w, model.batch(t), row)
        loss.backward()
        losses.append(loss.item())
        if gradients is None:
            gradients = {name: (x.grad.to_dense() if x.grad.is_sparse else x.grad).clone() for name, x in w.items()}
        for o in optimizers:
            o.step()
    return losses, gradients


def moved(model, w):
    """How far each tensor went. Nothing depends on the bias of the keys (it shifts a row of scores as one): what Adam makes of its
    gradients' rounding is left out."""
    first = begin(model)
    out = {name: (x - first[name]).detach() for name, x in w.items()}
    for name, x in out.items():
        if name.endswith("kv.bias"):
            x[0, -2 * model.d:-model.d] = 0
    return out


MODELS = [
    Neumf(),
    Sasrec("sasrec bce", "bce", 1, "pre", False, 0.5, 0.02),
    Sasrec("sasrec ce", "ce", 2, "pre", False, 0.5, 0.02),
    Sasrec("sasrec ce post", "ce", 4, "post", True, 0.5, 0.02),
    Sasrec("sasrec ce query", "ce", 2, "query", True, 0.5, 0.02),
    Sasrec("sasrec cosine", "sampled", 2, "pre", True, 0.5, 0.02, temperature=0.25),
    Gru4rec("gru4rec", 7, 7, 1, 4.0, 0.02),
    Gru4rec("gru4rec deep", 6, 9, 2, 1.0, 0.02),
]

print("/* Made by golden_models.py: PyTorch %s in double. */" % torch.__version__.split("+")[0])
print("""#ifndef GOLDEN_MODELS_H
#define GOLDEN_MODELS_H

enum { GOLDEN_STEPS = %d };

/* (norm, sum by draw(99, .)) of the first gradient, and of the way that twenty steps went. */
typedef struct golden_tensor {
    const char *name;
    double gradient[2], sgd[2], adam[2];
} golden_tensor;

typedef struct golden {
    const char *name;
    double sgd_rate, adam_rate, epsilon; /* of Adam */
    double sgd[GOLDEN_STEPS], adam[GOLDEN_STEPS]; /* losses */
    int n_tensors;
    golden_tensor tensor[32];
} golden;

static const golden GOLDEN[] = {""" % STEPS)
for model in MODELS:
    w = begin(model)
    sgd, gradients = train(model, w, [torch.optim.SGD(list(w.values()), lr=model.sgd)], [])
    by_sgd = moved(model, w)
    w = begin(model)
    sparse = [name for name in model.tables if name not in model.dense_tables]
    # SparseAdam adds epsilon to the second moment's root before it corrects it, Adam (and the engine, everywhere) after: where it takes
    # part epsilon is too small to matter
    epsilon = 1e-12 if sparse else 1e-8
    optimizers = [torch.optim.Adam([x for name, x in w.items() if name not in sparse], lr=model.adam, eps=epsilon)]
    if sparse:
        optimizers.append(torch.optim.SparseAdam([w[name] for name in sparse], lr=model.adam, eps=epsilon))
    adam, _ = train(model, w, optimizers, sparse)
    by_adam = moved(model, w)
    numbers = lambda x: ", ".join("%.12g" % y for y in x)
    print('    {"%s", %g, %g, %g, {%s}, {%s}, %d, {' % (model.name, model.sgd, model.adam, epsilon, numbers(sgd), numbers(adam), len(w)))
    for name in w:
        print('        {"%s", %s, %s, %s},' % (name, pair(gradients[name]), pair(by_sgd[name]), pair(by_adam[name])))
    print("    }},")
print("};\n\n#endif")
