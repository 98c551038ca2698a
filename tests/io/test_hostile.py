"""Damaged and hostile files: a clear error, nothing run, little memory, little time."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import random
import struct
import tracemalloc
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

import labtorch

ERRORS = (RuntimeError, pickle.UnpicklingError)
ROOM = 50 * 2**20  # bytes that reading a small hostile file may take


def _state():
    base = labtorch.arange(24.0)
    return {
        "weight": base.reshape(4, 6).t(),
        "half": labtorch.ones(3, dtype=labtorch.float16),
        "mask": labtorch.tensor([True, False]),
        "count": labtorch.tensor(7),
    }


def _file(name, tmp_path) -> bytes:
    path = tmp_path / name
    value = _state()
    if name.endswith("pth"):
        value = {"model": OrderedDict(value), "epoch": 3, "text": "né", "size": labtorch.Size([2])}
    labtorch.save(value, path)
    return path.read_bytes()


def _zip(pickled: bytes, **entries: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        for name, content in entries.items():
            archive.writestr(f"archive/{name}", content)
    return file.getvalue()


def _refused(content: bytes, match: str | None = None, **options) -> None:
    """Loading raises one of our errors, in little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(ERRORS, match=match) as raised:
            labtorch.load(io.BytesIO(content), **options)
        assert tracemalloc.get_traced_memory()[1] < ROOM
        assert len(str(raised.value)) < 2000
    finally:
        tracemalloc.stop()


def _survives(content: bytes) -> bool:
    """Whether a file loads; if not, with one of our errors."""
    try:
        labtorch.load(io.BytesIO(content))
    except ERRORS:
        return False
    return True


@pytest.mark.parametrize("name", ["model.safetensors", "model.pth"])
def test_every_truncation_is_refused(tmp_path, name):
    whole = _file(name, tmp_path)
    assert _survives(whole)
    for cut in range(len(whole)):
        assert not _survives(whole[:cut]), f"cut to {cut} of {len(whole)} bytes"


@pytest.mark.parametrize("name", ["model.safetensors", "model.pth"])
def test_flipped_bits_raise_no_other_error(tmp_path, name):
    whole, draw = _file(name, tmp_path), random.Random(0)
    refused = 0
    for _ in range(1500):
        bent = bytearray(whole)
        for _ in range(draw.choice((1, 1, 2, 8))):
            bent[draw.randrange(len(bent))] ^= 1 << draw.randrange(8)
        refused += not _survives(bytes(bent))
    assert refused > 100


def test_a_bent_pickle_in_a_sound_archive_raises_no_other_error(tmp_path):
    whole, draw = _file("model.pth", tmp_path), random.Random(1)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        parts = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    sound = parts.pop("data.pkl")
    assert _survives(_zip(sound, **parts))
    refused = 0
    for _ in range(3000):
        bent = bytearray(sound)
        for _ in range(draw.choice((1, 1, 2, 5))):
            at = draw.randrange(len(bent))
            if draw.random() < 0.7:
                bent[at] = draw.randrange(256)
            else:
                bent[at : at + draw.randrange(6)] = draw.randbytes(draw.randrange(6))
        refused += not _survives(_zip(bytes(bent), **parts))
    assert refused > 1000


class Call:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "call",
    [
        lambda path: Call(os.system, f"touch {path}"),
        lambda path: Call(eval, f"open({str(path)!r}, 'w')"),
        lambda path: Call(open, str(path), "w"),
        lambda path: Call(getattr, os, "system"),
        lambda path: [1, {"a": Call(os.mkdir, str(path))}],
    ],
)
def test_no_call_is_run(tmp_path, call, protocol):
    path = tmp_path / "was-here"
    value = call(path)
    try:
        pickled = pickle.dumps(value, protocol)
    except TypeError:  # a module cannot be pickled
        pickled = b"\x80\x02cbuiltins\ngetattr\n(cos\nsystem\nX\x06\x00\x00\x00systemtR."
    _refused(_zip(pickled))
    assert not path.exists()


NESTED = b"\x80\x02)" + b"2\x86" * 60  # (((), ()), ((), ())), ...: DUP is not known
DOUBLED = b"\x80\x02)" + b"".join(b"q%ch%c\x86" % (i, i) for i in range(60))
DEEP = b"\x80\x02)" + b"\x85" * 300_000


@pytest.mark.parametrize(
    ("pickled", "match"),
    [
        (b"\x80\x02c__builtin__\nbytearray\n\x8a\x05\x00\x00\x00\x00\x10\x85R.", None),
        (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00zlib\x86R.", "latin1"),
        (b"\x80\x02ctorch\nTensor\n\x8a\x05\x00\x00\x00\x00\x10\x85R.", "not to be called"),
        (b"\x80\x02ctorch.nn.parameter\nParameter\n)\x81.", "not to be made"),
        (b"\x80\x02Nr\xff\xff\xff\xff" + b"j\x00\x00\x00\x00.", None),  # a memo of 2^32
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", None),  # 2^63 bytes
        (b"\x80\x02X\xff\xff\xff\x7f.", None),
        (b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.", None),
        (b"\x80\x02}" + DOUBLED[2:] + b"K\x01s.", "nested too deeply"),
        (b"\x80\x02}" + DEEP[2:] + b"K\x01s.", "nested too deeply"),
        (b"\x80\x02c__builtin__\nset\n]" + DEEP[2:] + b"a\x85R.", "nested too deeply"),
        (DOUBLED + b"Q.", "unknown reference"),
        (DEEP + b"Q.", "unknown reference"),
        (NESTED + b".", "command 50"),
        (b"\x80\x02ccollections\nOrderedDict\n)R}U\x06updateK\x01sb(K\x01K\x02", None),
        (b"\x80\x02", None),
        (b".", None),
        (b"", None),
        (b"\x80\xff.", None),
        (b"I" + b"9" * 100_000 + b"\n.", None),
    ],
)
def test_pickles_that_are_bombs_are_refused(pickled, match):
    _refused(_zip(pickled), match)


def test_shared_containers_take_no_more_than_the_file():
    back = labtorch.load(io.BytesIO(_zip(DOUBLED + b".")))
    assert back[0] is back[1]


def _with_call(offset=0, size=(4,), stride=(1,), storage=None, **more):
    """An archive with one storage of 4 floats and one tensor, of these numbers."""
    name = more.get("kind", "torch\nFloatStorage")
    out = io.BytesIO()
    out.write(b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(")

    def put(value):
        out.write(pickle.dumps(value, 2)[2:-1])  # without its frame

    out.write(b"(X\x07\x00\x00\x00storagec" + name.encode() + b"\n")
    for value in (more.get("key", "0"), more.get("device", "cpu"), more.get("count", 4)):
        put(value)
    out.write(b"tQ")
    for value in (offset, size, stride, False, None):
        put(value)
    out.write(b"tR.")
    return _zip(
        out.getvalue(), **{"data/0": struct.pack("<4f", 1, 2, 3, 4), "byteorder": b"little"}
    )


def test_the_tensor_of_these_tests_loads_when_it_fits():
    assert labtorch.load(io.BytesIO(_with_call())).tolist() == [1, 2, 3, 4]
    assert labtorch.load(io.BytesIO(_with_call(1, (2, 2), (1, 1)))).tolist() == [[2, 3], [3, 4]]
    huge = labtorch.load(io.BytesIO(_with_call(0, (2**40,), (0,))))  # one number, seen often
    assert huge[2**39] == 1


@pytest.mark.parametrize(
    "numbers",
    [
        {"offset": 1},
        {"offset": -1, "size": (1,)},
        {"offset": 2**70, "size": (1,)},
        {"offset": 5, "size": (0,)},
        {"size": (5,)},
        {"size": (-1,)},
        {"size": (2,), "stride": (4,)},
        {"size": (2,), "stride": (-1,)},
        {"size": (2,), "stride": (2**62,)},
        {"size": (2**62, 2**62), "stride": (0, 0)},
        {"size": (0, 2**62, 2**62), "stride": (1, 1, 1)},
        {"size": (2, 2), "stride": (1,)},
        {"size": (1,) * 65, "stride": (1,) * 65},
        {"size": (1.0,)},
        {"size": None},
        {"count": 5},
        {"count": -4},
        {"count": 2**66},
        {"count": "4"},
        {"key": "1"},
        {"key": "../../data.pkl"},
        {"key": 0},
        {"device": "nowhere"},
        {"device": "cuda:0"},
        {"device": 3},
        {"kind": "torch\nSize"},
        {"kind": "torch\nQInt8Storage"},
    ],
)
def test_tensors_that_lie_about_themselves_are_refused(numbers):
    _refused(_with_call(**numbers))


@pytest.mark.parametrize("map_location", ["cpu", {"nowhere": "cpu"}, lambda tensor, tag: tensor])
def test_a_place_can_be_given_for_an_unknown_device(map_location):
    file = io.BytesIO(_with_call(device="nowhere"))
    assert labtorch.load(file, map_location=map_location).tolist() == [1, 2, 3, 4]


def test_archives_that_grow_are_refused(tmp_path):
    def archive(write, kind=zipfile.ZIP_STORED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", kind) as made:
            write(made)
        return file.getvalue()

    bomb = archive(lambda z: z.writestr("a/data.pkl", b"0" * 10**8), zipfile.ZIP_DEFLATED)
    _refused(bomb, "compressed or larger")
    plain = _zip(b"N.", **{"data/0": b"x" * 1000})
    size = struct.pack("<L", 1000)
    assert plain.count(size) == 4
    _refused(plain.replace(size, struct.pack("<L", 2**31)), "larger than the file")

    central = plain.index(b"PK\x01\x02")  # name the same bytes again and again
    entries, end = plain[central : plain.index(b"PK\x05\x06")], bytearray(plain[-22:])
    one = entries[entries.rindex(b"PK\x01\x02") :]
    many = b"".join(one.replace(b"data/0", b"data/%c" % i) for i in range(65, 91))
    end[8:12] = struct.pack("<HH", 28, 28)
    end[12:16] = struct.pack("<L", len(entries) + len(many))
    _refused(plain[:central] + entries + many + bytes(end), "overlap")

    with pytest.warns(UserWarning, match="Duplicate"):
        twice = archive(lambda z: [z.writestr("a/data.pkl", b"N.") for _ in range(2)])
    _refused(twice, "two entries of one name")
    _refused(archive(lambda z: z.writestr("a/b", b"")), "one data.pkl")
    two = archive(lambda z: [z.writestr(f"{a}/data.pkl", b"N.") for a in "ab"])
    _refused(two, "one data.pkl")


def _safetensors(header, data=b"", length=None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def _one(**changes):
    return {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes}


ONE = _one()


@pytest.mark.parametrize(
    "content",
    [
        _safetensors(ONE, b"\0" * 7),
        _safetensors(ONE, b"\0" * 9),
        _safetensors(ONE, b"\0" * 8, length=2**63),
        _safetensors(ONE, b"\0" * 8, length=99_999_999),
        _safetensors(ONE, b"\0" * 8, length=5),
        _safetensors(_one(shape=[3]), b"\0" * 8),
        _safetensors(_one(shape=[-2]), b"\0" * 8),
        _safetensors(_one(shape=[2**63, 2**63]), b"\0" * 8),
        _safetensors(_one(shape=[0, 2**62, 2**62], data_offsets=[0, 0])),
        _safetensors(_one(data_offsets=[4, 12]), b"\0" * 12),
        _safetensors(_one(data_offsets=[8, 0]), b"\0" * 8),
        _safetensors(_one(data_offsets=[-8, 0]), b"\0" * 8),
        _safetensors(_one(data_offsets=[0, 2**70]), b"\0" * 8),
        _safetensors(_one(dtype="F99"), b"\0" * 8),
        _safetensors(_one(dtype="F8_E4M3", shape=[8]), b"\0" * 8),
        _safetensors(ONE | {"v": ONE["w"]}, b"\0" * 8),  # two over the same bytes
        _safetensors({"w": 3}, b"\0" * 8),
        _safetensors({"__metadata__": {"a": 1}}),
        _safetensors(b"{" * 100_000),
        _safetensors(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        _safetensors(b"{}x"),
        _safetensors(b"{\xff}"),
    ],
)
def test_safetensors_that_lie_are_refused(content):
    _refused(content)


@pytest.mark.parametrize("order", ["[", "3", '["w", "w"]', '["v"]', '["w", 3]', "[" * 100_000])
def test_a_strange_order_of_names_is_left_aside(order):
    metadata = {"__metadata__": {"labtorch.order": order}}
    assert _survives(_safetensors(metadata | ONE, b"\0" * 8)) or order[0] == "["


@pytest.mark.parametrize("content", [b"", b"P", b"PK\x03\x04", b"\x80\x02}.", b"text", bytes(99)])
def test_what_is_no_file_of_ours_is_refused(content):
    _refused(content, "load:")


def test_folders_and_absent_files_are_told(tmp_path):
    with pytest.raises(IsADirectoryError):
        labtorch.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        labtorch.load(tmp_path / "absent")
    with pytest.raises(AttributeError, match="seekable"):
        labtorch.load(type("Pipe", (), {"read": lambda self, n=-1: b""})())


@pytest.mark.parametrize(
    ("begins", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (gzip.compress(b"weights"), "gunzip"),
        (b"\x93NUMPY\x01\x00", "numpy.load"),
        (b"\x89HDF\r\n\x1a\n" + bytes(40), "h5py"),
    ],
)
def test_what_comes_in_place_of_weights_is_named(begins, said):
    _refused(begins, said)


def test_zip_files_of_other_programs_are_named():
    arrays = io.BytesIO()
    np.savez_compressed(arrays, weight=np.ones(3))
    _refused(arrays.getvalue(), "numpy.load")
    _refused(_zip(b"", **{"constants.pkl": b"", "code/net.py": b""}), "TorchScript")


@pytest.mark.parametrize("what", [None, {"weight": 1}, 3])
def test_what_is_no_file_is_refused(what):
    with pytest.raises(TypeError, match="f must be a path or an open binary file"):
        labtorch.load(what)
    with pytest.raises(TypeError, match="takes the object first"):
        labtorch.save("model.pth", what)


def test_a_file_open_for_text_is_refused(tmp_path):
    path = tmp_path / "model.pth"
    with open(path, "w") as file, pytest.raises(TypeError, match=r"open\(path, 'wb'\)"):
        labtorch.save(_state(), file)
    with open(path) as file, pytest.raises(TypeError, match=r"open\(path, 'rb'\)"):
        labtorch.load(file)


def test_a_device_that_is_not_there_is_looked_for_in_the_right_place(tmp_path):
    labtorch.save({"model": _state()}, tmp_path / "model.pth")
    with pytest.raises(RuntimeError, match="map_location names the device 'gpu'"):
        labtorch.load(tmp_path / "model.pth", map_location="gpu")


def test_a_name_of_pytorchs_that_is_not_here_is_told():
    pickled = b"\x80\x02ctorch._utils\n_rebuild_sparse_tensor\n."
    with pytest.raises(pickle.UnpicklingError, match="_rebuild_sparse_tensor, which labtorch"):
        labtorch.load(io.BytesIO(_zip(pickled)), weights_only=False)
