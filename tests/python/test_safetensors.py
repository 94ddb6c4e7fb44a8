"""Containers are safetensors files: the package that defines the format reads them, and the hash is what the page says.

PENCHANT_BUILD is the build folder (default: build/release). Needs pytest, numpy and safetensors, and xxhash for the hash.
"""

import os
import pathlib
import subprocess

import pytest

np = pytest.importorskip("numpy")
safetensors = pytest.importorskip("safetensors")
from safetensors.numpy import load_file  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The sample of tests/test_container.c (put_sample)."""
    program = pathlib.Path(os.environ.get("PENCHANT_BUILD", ROOT / "build" / "release")) / "test_container"
    if not program.exists():
        pytest.skip(f"{program} is not built")
    path = tmp_path_factory.mktemp("container") / "sample.pds"
    subprocess.run([program, "--sample", path], check=True)
    return path


def test_tensors(sample):
    tensors = load_file(sample)
    got = {name: (t.dtype.str, t.tolist()) for name, t in tensors.items() if not name.startswith("__pad_")}
    assert got == {
        "users.bytes": ("|u1", list("annézo中".encode())),
        "users.offsets": ("<i8", [0, 3, 3, 7, 10]),
        "none.bytes": ("|u1", []),
        "none.offsets": ("<i8", [0]),
        "ids": ("<i4", [[0, 1, 2], [2, 1, 0]]),
        "values": ("<f4", np.array([1.5, -2, 0, 3e38, -1e-40], np.float32).tolist()),
        "doubles": ("<f8", [[[[0.1]], [[-1e300]]]]),
        "shorts": ("<i2", [-32768, 32767, 5]),
        "empty": ("<f4", []),
        "bytes": ("|i1", [-128, 127, 1, 0, 3]),
        "scalar": ("<i8", 1 << 53),
    }
    assert tensors["empty"].shape == (0, 4)


def test_metadata(sample):
    with safetensors.safe_open(sample, framework="np") as file:
        meta = file.metadata()
    assert meta["format"] == "penchant" and meta["container"] == "1"
    assert meta["kind"] == "dataset" and meta["version"] == "3" and meta["n_users"] == "4"
    assert meta["config"] == '{"name": "café",\n\t"path": "a\\\\b\x01"}'


def test_hash_is_as_specified(sample):
    """The snippet of docs/formats/container.md."""
    xxhash = pytest.importorskip("xxhash")
    data = sample.read_bytes()
    assert data[8:41] == b'{"__metadata__":{"hash":"xxh3-64:'
    assert data[41:57].decode() == xxhash.xxh3_64_hexdigest(data[:41] + b"0" * 16 + data[57:])


def test_alignment(sample):
    import json

    data = sample.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    assert (8 + length) % 64 == 0
    begins = [t["data_offsets"][0] for n, t in header.items() if not n.startswith("__")]
    assert len(begins) == 11 and all(b % 64 == 0 for b in begins)
