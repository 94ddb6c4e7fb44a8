"""Golden values of the losses, and of small ops under one of them, from PyTorch: python3 golden_losses.py > golden_losses.h

Inputs are made by a formula that test_losses.c repeats, so that only results are committed. Losses are written as their authors'
programs write them (gSASRec's transformation of the positive logit, GRU4Rec's bpr_max), in double where those are. What dropout
keeps and what a Gaussian draws follow from base/random.h's counters, which are written again here.
"""
import math
import sys

import torch
import torch.nn.functional as F

ROWS, ITEMS, WIDTH, NEGATIVES, OWN = 7, 9, 5, 6, 3


def numbers(salt, *shape):
    """((31 i^2 + 7919 i + 104729 salt) mod 1000) / 500 - 1; test_losses.c has the same."""
    n = math.prod(shape)
    x = [((31 * i * i + 7919 * i + 104729 * salt) % 1000) / 500 - 1 for i in range(n)]
    return torch.tensor(x, dtype=torch.float32).reshape(*shape)


TARGET = torch.tensor([3, 0, -1, 8, 3, 5, 1])
SHARED = torch.tensor([2, 4, 6, 7, 4, 2])  # no target among them: hits are tested elsewhere
OWN_ITEMS = torch.tensor([[1, 2, 4], [2, 6, 7], [1, 1, 1], [7, 4, 2], [0, 6, 6], [2, 7, 4], [6, 2, 4]])
BAG = [[3, 1], [0], [], [8, 2, 4], [3, 3], [5], [1, 0, 6]]  # test_losses.c has the same, end to end


SEED, STREAM_MODEL, GOLDEN = 1, 64, 0x9E3779B97F4A7C15  # of the test's run, of base/random.h


def mix64(x):
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
    return x ^ x >> 31


def rand64(seed, stream, index):
    return mix64(mix64((seed + GOLDEN * (stream + 1)) % 2**64) ^ mix64((index + 0xD1B54A32D192ED03) % 2**64))


def call_key(call, step=0):
    """What an op's randomness goes by: its number among the plan's calls."""
    return rand64(SEED, STREAM_MODEL + call, step)


def kept(call, rate):
    """The mask of dropout (ROWS, WIDTH): 32 bits for each number reach rate 2^32, or it is dropped."""
    mask = torch.zeros(ROWS, WIDTH)
    for row in range(ROWS):
        mixed = (call_key(call) ^ row) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ mixed >> 29) * 0x94D049BB133111EB % 2**64
        for column in range(WIDTH):
            h = ((mixed >> 32) + column * 0x9E3779B9) % 2**32
            h = (h ^ h >> 16) * 0x85EBCA6B % 2**32
            h = (h ^ h >> 13) * 0xC2B2AE35 % 2**32
            mask[row, column] = (h ^ h >> 16) >= rate * 2**32
    return mask


def normals(call):
    """Box and Muller's pairs, (ROWS, WIDTH)."""
    eps = torch.zeros(ROWS, WIDTH + 1)
    for row in range(ROWS):
        state = rand64(call_key(call), 0, row)
        for column in range(0, WIDTH, 2):
            u, v = ((mix64((state + k * GOLDEN) % 2**64) >> 11) for k in (column + 1, column + 2))
            length, turn = math.sqrt(-2 * math.log((u + 0.5) / 2**53)), 2 * math.pi * v / 2**53
            eps[row, column], eps[row, column + 1] = length * math.cos(turn), length * math.sin(turn)
    return eps[:, :WIDTH]


def row_loss(kind, good, bad, o):
    """good (n), bad (n, k)."""
    k = bad.shape[1]
    if kind == "softmax":
        return F.cross_entropy(torch.cat([good[:, None], bad], 1), torch.zeros(len(good), dtype=torch.long))
    if kind == "bce":
        return (F.softplus(-good) + F.softplus(bad).mean(1)).mean()
    if kind == "gbce":  # github.com/asash/gSASRec-pytorch, train_gsasrec.py
        alpha = k / (o["n_items"] - 1)
        beta = alpha * ((1 - 1 / alpha) * o["t"] + 1 / alpha)
        logits = torch.cat([good[:, None], bad], 1)
        positive, eps = logits[:, 0:1].to(torch.float64), 1e-10
        probs = torch.clamp(torch.sigmoid(positive), eps, 1 - eps)
        adjusted = torch.clamp(probs.pow(-beta), 1 + eps, torch.finfo(torch.float64).max)
        to_log = torch.clamp(torch.div(1, adjusted - 1), eps, torch.finfo(torch.float64).max)
        logits = torch.cat([to_log.log(), logits[:, 1:].to(torch.float64)], 1)
        truth = torch.zeros_like(logits)
        truth[:, 0] = 1
        return F.binary_cross_entropy_with_logits(logits, truth, reduction="none").mean(-1).mean()
    if kind == "bpr":
        return -F.logsigmoid(good[:, None] - bad).mean(1).mean()
    if kind == "bpr_max":  # github.com/hidasib/GRU4Rec: bpr_max, final activation elu-alpha
        act = lambda x: torch.where(x >= 0, x, o["elu"] * (torch.exp(x) - 1))
        good, bad = act(good), act(bad)
        w = torch.softmax(bad, 1)
        loss = -torch.log((torch.sigmoid(good[:, None] - bad) * w).sum(1) + 1e-24) + o["weight"] * (bad**2 * w).sum(1)
        return loss.mean()
    if kind == "hinge":
        return torch.relu(o["margin"] - good[:, None] + bad).mean(1).mean()
    if kind == "ccl":
        return (1 - good + o["weight"] * torch.relu(bad - o["margin"]).mean(1)).mean()
    raise ValueError(kind)


def emit(name, loss, *tensors):
    for t in tensors:
        t.grad = None
    loss.backward(retain_graph=True)
    print(f"static const double {name}_loss = {loss.item():.9g};")
    for number, t in enumerate(tensors):
        values = [f"{x + 0.0:.9f}F" for x in t.grad.flatten().tolist()]  # no -0; of about one length, which clang-format aligns
        print(f"static const float {name}_{number}[] = {{")
        for at in range(0, len(values), 8):
            print("    " + ", ".join(values[at : at + 8]) + ",")
        print("};")


def main():
    print("/* Made by golden_losses.py with PyTorch", torch.__version__.split("+")[0] + ". */")
    h, table, bias = numbers(1, ROWS, WIDTH), numbers(2, ITEMS, WIDTH), numbers(3, ITEMS)
    often, weight = numbers(4, NEGATIVES), numbers(5, sum(map(len, BAG))) + 1.5
    logvar = numbers(6, ROWS, WIDTH)
    for t in (h, table, bias, logvar):
        t.requires_grad_(True)
    live = TARGET >= 0

    emit("full", F.cross_entropy(h @ table.T + bias, TARGET, ignore_index=-1), h, table, bias)

    log_p, at, sums = F.log_softmax(h @ table.T + bias, 1), 0, []
    for row, bag in enumerate(BAG):
        if bag:
            sums.append(-(weight[at : at + len(bag)] * log_p[row, bag]).sum())
        at += len(bag)
    emit("multinomial", torch.stack(sums).mean(), h, table, bias)

    options = dict(n_items=40, t=0.75, margin=0.2, weight=1.5, elu=0.5)
    for kind in ("softmax", "bce", "gbce", "bpr", "bpr_max", "hinge", "ccl"):
        for own in (False, True):
            u = F.normalize(h, dim=1) if kind == "ccl" else h
            v = F.normalize(table, dim=1) if kind == "ccl" else table
            good = (u[live] * v[TARGET[live]]).sum(1)
            bad = torch.einsum("nd,nkd->nk", u[live], v[OWN_ITEMS[live]]) if own else u[live] @ v[SHARED].T - often
            emit(f"{kind}_{'own' if own else 'shared'}", row_loss(kind, good, bad, options), h, table)

    item = TARGET[live]
    scores = h[live] @ table[item].T / 0.4 + bias.detach()[item]
    same = (item[:, None] == item[None, :]) & ~torch.eye(len(item), dtype=torch.bool)
    emit("in_batch", F.cross_entropy(scores.masked_fill(same, -torch.inf), torch.arange(len(item))), h, table)

    # small ops: y (ROWS, WIDTH), of which <y, the target's row> is compared with a label
    label, good = (numbers(7, ROWS) + 1) / 2, torch.where(live[:, None], table[TARGET], 0.0)

    def squared(name, y):
        emit(name, F.mse_loss((y * good).sum(1), label), h, table)

    lengths = torch.tensor([len(bag) for bag in BAG])
    items, offsets = torch.tensor(sum(BAG, [])), lengths.cumsum(0) - lengths
    squared("bag_mean", h * F.embedding_bag(items, table, offsets, mode="mean"))
    sums = F.embedding_bag(items, table, offsets, mode="sum")
    weighted = F.embedding_bag(items, table, offsets, mode="sum", per_sample_weights=weight)
    n = lengths.clamp(min=1)[:, None]
    squared("bag_sum", h * sums)
    squared("bag_sqrt", h * sums / n.sqrt())
    squared("weighted_mean", h * weighted / n)
    squared("weighted_sum", h * weighted)
    squared("weighted_sqrt", h * weighted / n.sqrt())
    for name, act in ("relu", F.relu), ("sigmoid", torch.sigmoid), ("tanh", torch.tanh), ("elu", F.elu):
        squared(name, act(h))
    squared("unit", F.normalize(h))
    squared("dropout", h * kept(1, 0.25) / 0.75)  # the plan's call 1: h comes first
    squared("gaussian", h + torch.exp(table[:ROWS] / 2) * normals(2))  # h, the table's rows, then the sample
    scores, weights = (h * good).sum(1), numbers(8, ROWS) + 1.5
    emit("logistic", F.binary_cross_entropy_with_logits(scores, label, weight=weights), h, table)
    bad = torch.einsum("nd,nkd->nk", h, table[OWN_ITEMS]).flatten()
    scores = scores.repeat_interleave(OWN)
    emit("pair_bpr", -F.logsigmoid(scores - bad).mean(), h, table)
    emit("pair_hinge", F.margin_ranking_loss(scores, bad, torch.ones_like(bad), margin=0.3), h, table)

    emit("kl", 0.3 * (-0.5 * (1 + logvar - h**2 - logvar.exp()).sum(1)).mean(), h, logvar)


if __name__ == "__main__":
    sys.exit(main())
