#!/usr/bin/env python3
"""Writes tests/session_knn_golden.h: what session-knn must answer on a small log, from the definition, in plain Python.

usage: tests/python/session_knn_golden.py > tests/session_knn_golden.h

It shares nothing with the engine: sessions are lists, neighbours are found by looking at all of them. Questions whose
k-th and k+1-th neighbours are nearly equal are left out, because rounding would settle them.
"""
import math
import random

N_USERS, N_ITEMS, DAY = 40, 14, 86400
DEFAULTS = dict(k=500, sample=5000, max_length=100, weighting="exponential", match_weighting="exponential",
                position_decay=5.0, distance_decay=5.0, backward=0.5, time_decay=0.0, length_norm=0.5, idf=0.0)
CONFIGS = [
    {},
    dict(weighting="none", match_weighting="none", distance_decay=0, backward=1),
    dict(weighting="linear", match_weighting="log", backward=0),
    dict(weighting="log", match_weighting="linear", backward=1, idf=0.7),
    dict(time_decay=3.0, distance_decay=1.5),
    dict(k=3, time_decay=11.0),
    dict(sample=4, match_weighting="none"),
    dict(sample=6, k=2, time_decay=20.0, length_norm=0),
    dict(max_length=2, weighting="linear", length_norm=1),
    dict(position_decay=0.7, idf=2.0, k=5, time_decay=40.0),
]


def make_log(rng):
    """user -> [(item, value, time)], in order of time; popular items more often; a session lasts minutes."""
    log = {}
    for u in range(N_USERS):
        items = []
        while len(items) < rng.randint(1, 7):
            i = int(N_ITEMS * rng.random() ** 1.5)
            if i not in items:
                items.append(i)
        start = 1600000000 + rng.randint(0, 30) * DAY + rng.randint(0, 3000)
        log[u] = [(i, rng.choice((1, 1, 2, 5)), start + 60 * n + rng.randint(0, 50)) for n, i in enumerate(items)]
    return log


def place_weight(kind, h, n, decay):
    log = math.log(1.7) / math.log(h + 1.7)
    return {"none": 1.0, "linear": (n - h) / n, "log": log, "exponential": math.exp(-h / decay)}[kind]


def answer(log, p, history, own):
    """Scores of all items, or None where a near tie decides who is a neighbour. history: [(item, value)]."""
    latest = []
    for item, value in reversed(history):
        if len(latest) < p["max_length"] and item not in [i for i, _ in latest]:
            latest.append((item, value))
    n = len(latest)
    weight = {i: v * place_weight(p["weighting"], h, n, p["position_decay"]) for h, (i, v) in enumerate(latest)}
    number = {i: h for h, (i, _) in enumerate(latest)}
    end = max(s[-1][2] for s in log.values())
    recent = sorted(log, key=lambda u: (-log[u][-1][2], -u))
    sharing = [u for u in recent if u != own and any(i in weight for i, _, _ in log[u])][: p["sample"]]
    near = []
    for rank, u in enumerate(sharing):
        s = sum(weight[i] for i, _, _ in log[u] if i in weight) / len(log[u]) ** p["length_norm"]
        if p["time_decay"]:
            s *= math.exp(-(end - log[u][-1][2]) / (p["time_decay"] * DAY))
        near.append((-s, rank, u))
    near.sort()
    if len(near) > p["k"] and near[p["k"]][0] - near[p["k"] - 1][0] < 1e-4 * -near[0][0]:
        return None
    score = [0.0] * N_ITEMS
    for minus, _, u in near[: p["k"]]:
        items = [i for i, _, _ in log[u]]
        match = min((i for i in items if i in number), key=lambda i: number[i])
        m = items.index(match)
        g = -minus * place_weight(p["match_weighting"], number[match], n, p["position_decay"])
        for at, (i, v, _) in enumerate(log[u]):
            d = math.exp(-abs(at - m) / p["distance_decay"]) if p["distance_decay"] else 1.0
            d *= p["backward"] if at < m else 1.0
            popular = sum(any(x[0] == i for x in s) for s in log.values())
            score[i] += g * d * v * (1 + p["idf"] * math.log(len(log) / popular))
    return score


def main():
    rng = random.Random(20)
    log = make_log(rng)
    assert {i for s in log.values() for i, _, _ in s} == set(range(N_ITEMS))
    print("/* What session-knn must answer, from the definition: written by tests/python/session_knn_golden.py. */")
    print(f"enum {{ GOLDEN_ITEMS = {N_ITEMS} }};\n")
    print("static const char golden_log[] = /* user, item, value, time */")
    print("\n".join(f'    "u{u}\\ti{i}\\t{v}\\t{t}\\n"' for u in log for i, v, t in log[u]) + ";\n")
    print("static const struct golden {\n    const char *params;\n    int user; /* -1: folded in */")
    print("    int n, item[6];\n    double score[GOLDEN_ITEMS];\n} golden[] = {")
    for config in CONFIGS:
        p = {**DEFAULTS, **config}
        text = " ".join(f"{k}={v}" for k, v in config.items())
        done = 0
        for question in range(40):
            if question % 2:
                own = rng.randrange(N_USERS)
                history = [(i, v) for i, v, _ in log[own]]
            else:
                own, history = None, [(i, 1) for i in rng.sample(range(N_ITEMS), rng.randint(1, 6))]
            scores = answer(log, p, history, own)
            if scores is None or done >= 6:
                continue
            done += 1
            shown = [] if own is not None else [i for i, _ in history]
            items = ", ".join(map(str, shown or [0]))
            print(f'    {{"{text}", {-1 if own is None else own}, {len(shown)}, {{{items}}},')
            rows = [", ".join(f"{x:.9g}" for x in scores[at : at + 7]) for at in range(0, N_ITEMS, 7)]
            print("     {" + ",\n      ".join(rows) + "}},")
        assert done == 6, (config, done)
    print("};")


main()
