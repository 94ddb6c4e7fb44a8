"""MovieLens 1M in nearly the order of RecBole's benchmarks: ml1m_coarse_order.py ratings.csv.gz > coarse.csv

RecBole keeps times as 32-bit floats, which at these dates count by 64 seconds, sorts by them (stable), and so leaves what falls into the
same 64 seconds in the file's order: that of ratings.dat, nearly the same order of films for every user. Times that the file here lacks
are interpolated between the user's known ones, evenly, which makes fewer neighbours share a step than do where both times are known: the
shares are printed to stderr. docs/models/gru4rec.md says what it is for."""
import csv
import gzip
import struct
import sys
from collections import defaultdict

PACE = 15.0  # seconds from one rating to the next, of users with a single known time


def coarse(seconds):
    return struct.unpack("f", struct.pack("f", int(seconds)))[0]


def times(events):
    """A time for each of a user's events, in order: known, or evenly between; beyond the first and the last at the user's median pace.
    Where none is known the order stays."""
    known = [(k, t) for k, (_, t) in enumerate(events) if t is not None]
    paces = sorted((t2 - t1) / (k2 - k1) for (k1, t1), (k2, t2) in zip(known, known[1:])) or [PACE]
    if not known:
        return [64.0 * k for k in range(len(events))]
    pace, out = paces[len(paces) // 2], [0.0] * len(events)
    (first, begin), (last, end) = known[0], known[-1]
    for k in range(len(events)):
        out[k] = begin - (first - k) * pace if k < first else end + (k - last) * pace
    for (k1, t1), (k2, t2) in zip(known, known[1:]):
        for k in range(k1, k2):
            out[k] = t1 + (t2 - t1) * (k - k1) / (k2 - k1)
    return out


rows, users = [], defaultdict(list)
with gzip.open(sys.argv[1], "rt") as f:
    for row in csv.DictReader(f):
        if row["order"]:
            users[row["user"]].append((int(row["order"]), len(rows), int(row["timestamp"]) if row["timestamp"] else None))
        rows.append(row)
place, both, same, together, neighbours = {}, 0, 0, 0, 0
for events in users.values():
    events = [(line, t) for _, line, t in sorted(events)]
    step = [coarse(t) for t in times(events)]
    for k, ((_, t), (_, u)) in enumerate(zip(events, events[1:])):
        neighbours, together = neighbours + 1, together + (step[k] == step[k + 1])
        if t is not None and u is not None:
            both, same = both + 1, same + (coarse(t) == coarse(u))
    for rank, k in enumerate(sorted(range(len(events)), key=lambda k: (step[k], events[k][0]))):
        place[events[k][0]] = rank + 1
print("neighbours that share a step: %.3f of %d whose times are known, %.3f here" % (same / both, both, together / neighbours), file=sys.stderr)
print("user,item,rating,order")
for line, row in enumerate(rows):
    if line in place:
        print("%s,%s,%s,%d" % (row["user"], row["item"], row["rating"], place[line]))
