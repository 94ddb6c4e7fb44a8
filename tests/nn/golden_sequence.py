"""Golden numbers of the ops on sequences: golden_sequence.py | clang-format > golden_sequence.h (PyTorch, in double).

Every case reads rows x of a table, makes y of them by one op, and has the mean of (y W' + b - label)^2 as its loss. Of each tensor
the norm and the sum of its numbers times those of draw(99, .) are printed: the answer's y, then the gradients of the weights in the
order of the plan and of the table."""
import math

import torch
from torch.nn import functional as F

import draws

LENGTHS = [5, 0, 3, 1, 130, 17]
WIDTH = 6
ROWS = sum(LENGTHS)
torch.set_default_dtype(torch.float64)


def draw(seed, *shape):
    return draws.draw(seed, math.prod(shape)).reshape(shape)


def segments(x):
    return x.split(LENGTHS)


def norm(x, w):
    return F.layer_norm(x, (WIDTH,), w[0][0], w[1][0])


def attention(x, w, heads, causal):
    def of_segment(rows):
        if len(rows) == 0:
            return rows
        q, k, v = ((rows @ w[0].T + w[1]).reshape(len(rows), 3, heads, WIDTH // heads)).permute(1, 2, 0, 3)
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal).permute(1, 0, 2).reshape(len(rows), WIDTH)
    return torch.cat([of_segment(rows) for rows in segments(x)])


def gru(x, w):
    cell = torch.nn.GRU(WIDTH, 5)
    weights = {"weight_ih_l0": w[0], "weight_hh_l0": w[1], "bias_ih_l0": w[2][0], "bias_hh_l0": w[3][0]}
    run = lambda rows: torch.func.functional_call(cell, weights, (rows,))[0] if len(rows) else rows[:, :5]
    return torch.cat([run(rows) for rows in segments(x)])


def last_and_mean(x, w):
    nothing = torch.zeros(WIDTH)
    return torch.stack([torch.cat([rows[-1], rows.mean(0)] if len(rows) else [nothing, nothing]) for rows in segments(x)])


def fm(x, w):
    v = x.reshape(len(x), 3, 2)
    return 0.5 * (v.sum(1) ** 2 - (v ** 2).sum(1)).sum(1, keepdim=True)


def batch_norm(x, w, training=True):
    return F.batch_norm(x, w[2][0].detach().clone(), w[3][0].detach().clone(), w[0][0], w[1][0], training=training)


D, H = WIDTH, 5
CASES = [
    ("norm", norm, [(1, D), (1, D)], D),
    ("attention_causal", lambda x, w: attention(x, w, 2, True), [(3 * D, D), (1, 3 * D)], D),
    ("attention_full", lambda x, w: attention(x, w, 3, False), [(3 * D, D), (1, 3 * D)], D),
    ("gru", gru, [(3 * H, D), (3 * H, H), (1, 3 * H), (1, 3 * H)], H),
    ("last_and_mean", last_and_mean, [], 2 * D),
    ("fm", fm, [], 1),
    ("batch_norm", batch_norm, [(1, D)] * 4, D),
]

print("/* Made by golden_sequence.py: PyTorch %s in double. (norm, sum by draw(99, .)) of y, of each weight's gradient, of the table's. */"
      % torch.__version__.split("+")[0])
print("typedef struct golden {\n    const char *name;\n    double loss;\n    double tensor[8][2];\n} golden;\n")
print("static const golden GOLDEN[] = {")
for name, op, shapes, width in CASES:
    shapes = shapes + [(1, width), (1, 1)]
    w = [2 * draw(10 + k, *shape) for k, shape in enumerate(shapes)]
    if name == "batch_norm":
        w[3] = w[3] + 1.5
    x = 2 * draw(1, ROWS, WIDTH)
    for tensor in [x, *w]:
        tensor.requires_grad_()
    y = op(x, w)
    label = draw(2, len(y), 1)
    loss = ((y @ w[-2].T + w[-1] - label) ** 2).mean()
    loss.backward()
    gradients = [t.grad for t in w]
    if name == "batch_norm":  # what the running statistics follow
        gradients[2:4] = [x.detach().mean(0)[None], x.detach().var(0)[None]]
        y = op(x, w, training=False)
    tensors = [y, *gradients, x.grad]
    print('    {"%s", %.15g, {' % (name, loss.item()))
    for t in tensors:
        flat = t.detach().reshape(-1)
        print("        {%.15g, %.15g}," % (flat.norm().item(), (flat * draw(99, len(flat))).sum().item()))
    print("    }},")
print("};")
