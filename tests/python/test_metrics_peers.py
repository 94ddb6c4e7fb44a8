"""Metrics against pytrec_eval (trec_eval's own code) and, where it is installed, ranx: `penchant score` judges random lists with
tied scores, short lists, users without a test item and users without a list.

Ties: `penchant score` keeps the order of the file among equal scores, trec_eval goes by the name of the item, so the place in our
ranking is what it gets as score. The conventions that differ are turned into each other here; docs/metrics.md names them.
PENCHANT is the program (default: build/release/penchant).
"""

import json
import math
import os
import pathlib
import random
import subprocess

import pytest

pytrec_eval = pytest.importorskip("pytrec_eval", reason="pytrec-eval-terrier is not installed")

ROOT = pathlib.Path(__file__).resolve().parents[2]
PENCHANT = pathlib.Path(os.environ.get("PENCHANT", ROOT / "build" / "release" / "penchant"))
CUTOFFS = (1, 3, 5, 10, 20)
# Reports print ten digits.
NEAR = dict(rel=2e-9, abs=1e-12)


def problem(seed):
    """Test items of each user, and lists of (item, score) in the order of a file; both lack some users."""
    make = random.Random(seed)
    items = [f"i{n}" for n in range(make.choice((8, 30, 200)))]
    users = [f"u{n}" for n in range(make.choice((1, 2, 5, 25)))]
    test, lists = {}, {}
    for user in users:
        if make.random() < 0.85 or user == users[0]:
            test[user] = make.sample(items, make.randint(1, min(30, len(items))))
            if make.random() < 0.3:
                test[user].append(f"new-{user}")
        if make.random() < 0.9 or user == users[0]:
            chosen = make.sample(items, make.randint(1, min(25, len(items))))
            lists[user] = [(item, make.choice((0.5, 1.0, 1.5, 2.0, make.random()))) for item in chosen]
    return test, lists


def ranking(scored):
    """The order of `penchant score`: by score, then as written (sorted is stable)."""
    return [item for item, _ in sorted(scored, key=lambda pair: -pair[1])]


def score(folder, test, lists, metrics):
    """What `penchant score` reports: mean and number of users by metric."""
    (folder / "test.tsv").write_text("".join(f"{u}\t{i}\n" for u, items in test.items() for i in items))
    (folder / "lists.tsv").write_text("".join(f"{u}\t{i}\t{s!r}\n" for u, scored in lists.items() for i, s in scored))
    done = subprocess.run(
        [PENCHANT, "score", folder / "lists.tsv", "--no-header", "--test", folder / "test.tsv", "--metrics", ",".join(metrics), "--format", "json"],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["results"][0]["metrics"]
    return {name: (value["mean"], value["n"]) for name, value in found.items()}


def mean(values):
    return sum(values) / len(values)


@pytest.fixture(scope="module", autouse=True)
def program():
    if not PENCHANT.exists():
        pytest.skip(f"{PENCHANT} is not built")


@pytest.mark.parametrize("seed", range(60))
def test_against_trec_eval(seed, tmp_path):
    test, lists = problem(seed)
    run = {user: {item: float(-place) for place, item in enumerate(ranking(scored))} for user, scored in lists.items()}
    truth = {user: {item: 1 for item in items} for user, items in test.items()}
    cuts = ",".join(map(str, CUTOFFS))
    names = {f"{m}.{cuts}" for m in ("ndcg_cut", "recall", "P", "map_cut", "success")} | {"recip_rank", "map", "ndcg"}
    theirs = pytrec_eval.RelevanceEvaluator(truth, names).evaluate(run)

    def over_users(value):
        """trec_eval passes over users without a list; here they are misses."""
        return mean([value(theirs[user], len(test[user])) if user in theirs else 0.0 for user in test])

    expected = {"mrr": over_users(lambda v, _: v["recip_rank"]), "map": over_users(lambda v, _: v["map"]),
                "ndcg": over_users(lambda v, _: v["ndcg"])}
    for k in CUTOFFS:
        expected[f"ndcg@{k}"] = over_users(lambda v, _: v[f"ndcg_cut_{k}"])
        expected[f"recall@{k}"] = over_users(lambda v, _: v[f"recall_{k}"])
        expected[f"recall_capped@{k}"] = over_users(lambda v, n: v[f"recall_{k}"] * n / min(n, k))
        expected[f"precision@{k}"] = over_users(lambda v, _: v[f"P_{k}"])
        expected[f"hit@{k}"] = over_users(lambda v, _: v[f"success_{k}"])
        expected[f"map@{k}"] = over_users(lambda v, n: v[f"map_cut_{k}"] * n / min(n, k))
        expected[f"mrr@{k}"] = over_users(lambda v, _: v["recip_rank"] if v["recip_rank"] * k > 1 - 1e-9 else 0.0)
    got = {}
    for part in (list(expected)[:20], list(expected)[20:]):  # a report has at most 32 metrics
        got |= score(tmp_path, test, lists, part)
    assert {name: n for name, (_, n) in got.items()} == dict.fromkeys(expected, len(test))
    for name, value in expected.items():
        assert got[name][0] == pytest.approx(value, **NEAR), name


@pytest.mark.parametrize("seed", range(100, 102))
def test_against_ranx(seed, tmp_path):
    ranx = pytest.importorskip("ranx", reason="ranx is not installed")
    test, lists = problem(seed)
    test = {user: items for user, items in test.items() if user in lists}  # ranx wants the same users on both sides
    lists = {user: lists[user] for user in test}
    run = {user: {item: float(1000 - place) for place, item in enumerate(ranking(scored))} for user, scored in lists.items()}
    truth = ranx.Qrels({user: {item: 1 for item in items} for user, items in test.items()})
    expected = {}
    for k in (3, 10):
        for ours, theirs in (("ndcg", "ndcg"), ("recall", "recall"), ("precision", "precision"), ("hit", "hit_rate"), ("mrr", "mrr")):
            expected[f"{ours}@{k}"] = float(ranx.evaluate(truth, ranx.Run(run), f"{theirs}@{k}"))
    got = score(tmp_path, test, lists, expected)
    for name, value in expected.items():
        assert got[name][0] == pytest.approx(value, **NEAR), name


@pytest.mark.parametrize("seed", range(200, 210))
def test_lists_as_a_whole(seed, tmp_path):
    """Coverage, Gini and novelty by their definitions, written anew: from all pairs of items, from the training file."""
    test, lists = problem(seed)
    make = random.Random(seed + 1)
    items = sorted({item for scored in lists.values() for item, _ in scored} | {f"i{n}" for n in range(40)})
    users = sorted(set(test) | set(lists) | {f"t{n}" for n in range(9)})
    others = [user for user in users if user not in test]  # a test pair would be taken out of training
    train = {(make.choice(others), item) for item in items for _ in range(make.randint(1, 6))} | {(user, "common") for user in users}
    (tmp_path / "train.tsv").write_text("".join(f"{u}\t{i}\n" for u, i in sorted(train)))
    lists = {user: scored for user, scored in lists.items() if user in test}
    shown, told = dict.fromkeys(items + ["common"], 0), []
    had = {item: sum(i == item for _, i in train) for item in shown}
    for user in test:
        top = ranking(lists.get(user, []))[:5]
        for item in top:
            shown[item] += 1
        if top:
            told.append(mean([-math.log2(had[item] / len(users)) for item in top]))
    counts = list(shown.values())
    gini = sum(abs(a - b) for a in counts for b in counts) / (2 * len(counts) * sum(counts))
    (tmp_path / "test.tsv").write_text("".join(f"{u}\t{i}\n" for u, some in test.items() for i in some))
    (tmp_path / "lists.tsv").write_text("".join(f"{u}\t{i}\t{s!r}\n" for u, scored in lists.items() for i, s in scored))
    done = subprocess.run(
        [PENCHANT, "score", tmp_path / "lists.tsv", "--no-header", "--test", tmp_path / "test.tsv", "--train", tmp_path / "train.tsv",
         "--metrics", "coverage@5,gini@5,novelty@5", "--keep-seen", "--format", "json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)["results"][0]["metrics"]
    assert got["coverage@5"]["mean"] == pytest.approx(sum(c > 0 for c in counts) / len(counts), **NEAR)
    assert got["gini@5"]["mean"] == pytest.approx(gini, **NEAR)
    assert got["novelty@5"]["mean"] == pytest.approx(mean(told), rel=1e-6)  # kept as float32 for each item
