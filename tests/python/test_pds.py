"""A .pds that `penchant import` wrote, read by the safetensors package; its content's hash computed anew from docs/formats/pds.md.

PENCHANT_BUILD is the build folder (default: build/release). Needs pytest, numpy, safetensors and xxhash.
"""

import json
import os
import pathlib
import struct
import subprocess

import pytest

np = pytest.importorskip("numpy")
safetensors = pytest.importorskip("safetensors")
xxhash = pytest.importorskip("xxhash")
from safetensors.numpy import load_file  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
TYPES = ["category", "categories", "number", "text", "vector"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    program = pathlib.Path(os.environ.get("PENCHANT_BUILD", ROOT / "build" / "release")) / "penchant"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    folder = tmp_path_factory.mktemp("pds")
    (folder / "log.csv").write_text(
        "user,item,rating,time,event,hour,speed\nu,é,4,1000000000,view,3,1.5\nv,j,3.5,,buy,4,\nu,j,1,1000000007,,3,0.25\n"
    )
    (folder / "items.csv").write_text('item,title,genres,price\nj,"J, the (1990)",A|B,2.5\né,"É (1991)",B,\n')
    (folder / "kg.tsv").write_text("j\tby\tp\np\tof\té\n")
    (folder / "links.tsv").write_text("é\té\nj\tj\n")
    subprocess.run(
        [program, "import", folder / "log.csv", "-o", folder / "log.pds", "--items", folder / "items.csv", "--knowledge",
         f"{folder / 'kg.tsv'},{folder / 'links.tsv'}", "--context-column", "hour", "--context-column", "speed"],
        check=True,
        capture_output=True,
    )
    return folder


def strings(tensors, name):
    data, at = tensors[name + ".bytes"].tobytes(), tensors[name + ".offsets"].tolist()
    return [data[a:b].decode() for a, b in zip(at, at[1:])]


def content_hash(tensors, meta):
    """The section "The content's hash" of the page."""
    raw = {name: t.tobytes() for name, t in tensors.items()}
    out, place = [], 0

    def add(data):
        nonlocal place
        place += 1
        data = data or b""
        out.append(struct.pack("<QQ", len(data), place))
        for i in range(0, len(data), 4 << 20):
            piece = data[i : i + (4 << 20)]
            out.append(struct.pack("<QQ", len(piece), xxhash.xxh3_64_intdigest(piece)))

    def add_strings(name):
        offsets = raw.get(name + ".offsets")
        empty = offsets is None or len(offsets) == 8
        add(None if empty else raw[name + ".bytes"])
        add(None if empty else offsets)

    add_strings("users")
    add_strings("items")
    for name in "user", "item", "value", "time", "type":
        add(raw.get("event." + name))
    add_strings("event_types")
    for prefix, start, rows in (("context", 1000000, "events"), ("item_table", 2000000, "items"), ("user_table", 3000000, "users")):
        place = start
        for k, column in enumerate(json.loads(meta.get(prefix, "[]"))):
            place += 100
            add(column["name"].encode())
            facts = struct.pack("<qqq", TYPES.index(column["type"]) + 1, column["width"], int(meta[rows]))
            out.append(struct.pack("<QQ", 0, xxhash.xxh3_64_intdigest(facts)))
            for part in "code", "begin", "number":
                add(raw.get(f"{prefix}.{k}.{part}"))
            add_strings(f"{prefix}.{k}.words")
    place = 4000000
    for name in "head", "relation", "tail", "item_entity":
        add(raw.get("knowledge." + name))
    add_strings("knowledge.entities")
    add_strings("knowledge.relations")
    return xxhash.xxh3_64_hexdigest(b"".join(out))


def test_events_and_tables(folder):
    tensors = load_file(folder / "log.pds")
    assert strings(tensors, "users") == ["u", "v"] and strings(tensors, "items") == ["é", "j"]
    assert tensors["event.user"].tolist() == [0, 1, 0] and tensors["event.item"].tolist() == [0, 1, 1]
    assert tensors["event.value"].tolist() == [4, 3.5, 1]
    assert tensors["event.time"].tolist() == [1000000000000, -(1 << 63), 1000000007000]
    assert tensors["event.type"].tolist() == [0, 1, -1] and strings(tensors, "event_types") == ["view", "buy"]
    assert tensors["context.0.code"].tolist() == [0, 1, 0]
    assert np.array_equal(tensors["context.1.number"], np.array([1.5, np.nan, 0.25], np.float32), equal_nan=True)
    with safetensors.safe_open(folder / "log.pds", framework="np") as file:
        meta = file.metadata()
    columns = {c["name"]: (k, c["type"]) for k, c in enumerate(json.loads(meta["item_table"]))}
    assert columns["genres"][1] == "categories" and columns["price"][1] == "number" and columns["year"][1] == "number"
    assert strings(tensors, f"item_table.{meta['item_table.title']}.words") == ["É (1991)", "J, the (1990)"]
    assert strings(tensors, "knowledge.entities") == ["j", "p", "é"] and tensors["knowledge.item_entity"].tolist() == [2, 0]


def test_content_hash_is_as_specified(folder):
    with safetensors.safe_open(folder / "log.pds", framework="np") as file:
        meta = file.metadata()
    assert content_hash(load_file(folder / "log.pds"), meta) == meta["content"]
