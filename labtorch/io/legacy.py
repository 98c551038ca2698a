"""PyTorch's files of before 2020: pickles in a row, and after them the storages they refer to.

The pickles: a magic number, a version, what machine wrote the file, the object, the names of the
storages. Then, for each name, its number of elements in eight bytes and the elements. How wide they
are only the object tells, so that it is read twice: for the widths, and with the numbers.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

import numpy as np

from labtorch.io.unpickler import Careful
from labtorch.io.zipped import UNTYPED, Storage, Storages
from labtorch.tensor.creation import empty

BEGINS = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # the pickled magic number
VERSION = 1001


class Within:
    """A file that reads no more than it holds, whatever it is asked for."""

    def __init__(self, file: Any, size: int) -> None:
        self.file, self.end = file, file.tell() + size

    def read(self, count: int) -> bytes:
        return self.file.read(max(0, min(count, self.end - self.file.tell())))

    def readline(self) -> bytes:
        return self.file.readline(self.end - self.file.tell())


class Kinds:
    """Stands for the storages while only their kinds are of interest."""

    def __init__(self) -> None:
        self.kinds: dict[str, Any] = {}

    def persistent(self, pid: Any) -> Storage:
        kind, key = _reference(pid)
        if self.kinds.setdefault(key, kind) is not kind:
            raise UnpicklingError("load: a storage is of two kinds")
        return Storage(key, kind, "cpu")

    def tensor(self, *_: Any) -> Any:
        return empty(0)

    untyped_tensor = quantized_tensor = tensor


class Rows(Storages):
    """The storages of such a file, where they stand in it."""

    def __init__(self, place: Callable[[str], str], order: str) -> None:
        super().__init__(None, "", order, place, None)  # type: ignore[arg-type]

    def persistent(self, pid: Any) -> Storage:
        _reference(pid)
        return super().persistent(pid[:5])

    def _raw(self, key: str) -> np.ndarray:
        raise RuntimeError(f"load: the file has no storage '{key[:80]}'")


def read(file: Any, place: Callable[[str], str], weights_only: bool) -> Any:
    """The object in the file: tensors and containers, for which nothing is run."""
    try:
        return _read(file, place)
    except UnpicklingError as error:
        if weights_only:
            raise
        raise UnpicklingError(
            f"load: of files of before 2020, only tensors and containers are read ({error}). In "
            "PyTorch, the model's state_dict() can be saved"
        ) from None


def _read(file: Any, place: Callable[[str], str]) -> Any:
    start = file.tell()
    size = file.seek(0, os.SEEK_END) - start
    file.seek(start)
    within, kinds = Within(file, size), Kinds()
    _load(within, kinds)  # the magic number
    if _load(within, kinds) != VERSION:
        raise RuntimeError("load: the file is of a version before PyTorch 0.4")
    system = _load(within, kinds)
    little = not isinstance(system, dict) or system.get("little_endian") is not False
    begin = file.tell()
    _load(within, kinds)
    keys = _load(within, kinds)
    storages = Rows(place, "<" if little else ">")
    for key in keys if isinstance(keys, list) else [None]:
        if not isinstance(key, str) or key not in kinds.kinds:
            raise RuntimeError("load: the names of the storages make no sense")
        storages.bytes[key] = _row(within, kinds.kinds[key], storages.order)
    file.seek(begin)
    return _load(within, storages)


def _load(within: Within, storages: Any) -> Any:
    try:
        return Careful(within, storages).load()
    except (UnpicklingError, RuntimeError):
        raise
    except EOFError:
        raise RuntimeError("load: the file is cut off") from None
    except Exception as error:
        raise UnpicklingError(f"load: the pickle makes no sense: {str(error)[:200]}") from None


def _reference(pid: Any) -> tuple[Any, str]:
    """Kind and name in ("storage", kind, name, device, count, part of another one)."""
    if not (isinstance(pid, tuple) and len(pid) == 6 and isinstance(pid[2], str)):
        raise UnpicklingError("load: unknown reference to a storage")
    if pid[5] is not None:
        raise UnpicklingError("load: storages inside others, of before PyTorch 0.4, are not read")
    return pid[1], pid[2]


def _row(within: Within, kind: Any, order: str) -> np.ndarray:
    width = 1 if kind is UNTYPED else getattr(kind, "itemsize", 0)
    count = np.frombuffer(within.read(8).ljust(8, b"\xff"), order + "i8")[0]
    raw = bytearray(within.read(int(count) * width))
    if count < 0 or not width or len(raw) != count * width:
        raise RuntimeError("load: the file is damaged or cut off in its storages")
    return np.frombuffer(raw, np.uint8)
