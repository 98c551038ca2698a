"""PyTorch's zip files, read: which entries there are, the storages in them, tensors over these."""

from __future__ import annotations

import io
import os
import reprlib
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import Any, NamedTuple

import numpy as np

from labtorch.backend import dtypes
from labtorch.engine.variable import wrap
from labtorch.io.safetensors import widened
from labtorch.io.unpickler import Careful, Trusting
from labtorch.tensor.quantized import from_parts
from labtorch.tensor.tensor import Tensor

UNTYPED = "untyped"


class Storage(NamedTuple):
    """Bytes of the archive by name: what a tensor is a part of."""

    key: str
    kind: Any  # a dtype, or UNTYPED
    device: str


def read(file: Any, place: Callable[[str], str], weights_only: bool, mapped: str | None) -> Any:
    """The object that the archive holds; `mapped` is its path, if tensors stay on disk."""
    with _opened(file) as (archive, root):
        order = root + "byteorder"
        little = order not in archive.namelist() or _content(archive, order) == b"little"
        storages = Storages(archive, root, "<" if little else ">", place, mapped)
        pickled = io.BytesIO(_content(archive, root + "data.pkl"))
        try:
            return (Careful if weights_only else Trusting)(pickled, storages).load()
        except (UnpicklingError, RuntimeError):
            raise
        except Exception as error:  # whatever bytes without sense lead to
            if weights_only:
                text = reprlib.repr(str(error))
                raise UnpicklingError(f"load: the pickle makes no sense: {text}") from None
            raise


def pickled_bytes(file: Any) -> bytes:
    """The pickle in the archive, unread."""
    with _opened(file) as (archive, root):
        return _content(archive, root + "data.pkl")


@contextmanager
def _opened(file: Any) -> Iterator[tuple[zipfile.ZipFile, str]]:
    """The archive and the folder in it; refused if it would be larger than the file."""
    start = file.tell()
    size = file.seek(0, os.SEEK_END) - start
    file.seek(start)
    with _damage():
        archive = zipfile.ZipFile(file)
    with archive:
        entries = archive.infolist()
        _check_kind([each.filename for each in entries])
        for each in entries:
            if each.compress_type != zipfile.ZIP_STORED or each.file_size > size:
                raise RuntimeError(
                    f"load: '{each.filename}' is compressed or larger than the file itself; "
                    "torch.save writes neither"
                )
        if sum(each.file_size for each in entries) > size:
            raise RuntimeError("load: entries of the file overlap; torch.save writes no such file")
        if len({each.filename for each in entries}) < len(entries):
            raise RuntimeError("load: the file has two entries of one name")
        pickles = [each.filename for each in entries if each.filename.endswith("data.pkl")]
        if len(pickles) != 1:
            raise RuntimeError("load: a file of torch.save holds one data.pkl; this one does not")
        yield archive, pickles[0][: -len("data.pkl")]


def _check_kind(names: list[str]) -> None:
    """Refuse zip files of other programs, by what is in them."""
    if any(name.endswith("/constants.pkl") for name in names):
        raise RuntimeError(
            "load: this is a TorchScript program, which labtorch does not run: in PyTorch, "
            "torch.save(torch.jit.load(path).state_dict(), ...) saves its weights"
        )
    if names and all(name.endswith(".npy") for name in names):
        raise RuntimeError("load: these are arrays of numpy.savez: numpy.load reads them")


@contextmanager
def _damage() -> Iterator[None]:
    """What `zipfile` raises on bytes that make no sense, as one error."""
    try:
        yield
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, RuntimeError, struct.error) as error:
        raise RuntimeError(f"load: the file is damaged or cut off: {error}") from None


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    """An entry, its checksum checked."""
    with _damage():
        return archive.read(name)


class Storages:
    """The storages of an archive, each read once, and tensors as parts of them."""

    def __init__(
        self,
        archive: zipfile.ZipFile,
        root: str,
        order: str,
        place: Callable[[str], str],
        mapped: str | None,
    ) -> None:
        self.archive, self.root, self.order = archive, root, order
        self.place, self.mapped = place, mapped
        self.bytes: dict[str, np.ndarray] = {}
        self.arrays: dict[tuple[str, Any], np.ndarray] = {}

    def persistent(self, pid: Any) -> Storage:
        """The storage that a pickle refers to as ("storage", kind, key, device, count)."""
        if not (isinstance(pid, tuple) and len(pid) == 5 and pid[0] == "storage"):
            raise UnpicklingError(f"load: unknown reference {reprlib.repr(pid)}")
        _, kind, key, tag, count = pid
        if kind is not UNTYPED and not isinstance(kind, dtypes.dtype):
            raise UnpicklingError(f"load: a storage of {reprlib.repr(kind)} cannot be read")
        if not (isinstance(key, str) and isinstance(tag, str) and type(count) is int):
            raise UnpicklingError(f"load: unknown reference {reprlib.repr(pid)}")
        if key not in self.bytes:
            self.bytes[key] = self._raw(key)
        width = kind.itemsize if isinstance(kind, dtypes.dtype) else 1
        if self.bytes[key].size != count * width:
            raise RuntimeError(
                f"load: storage '{key}' has {self.bytes[key].size} bytes, not "
                f"{reprlib.repr(count)} of {kind}"
            )
        return Storage(key, kind, self.place(tag))

    def _raw(self, key: str) -> np.ndarray:
        try:
            info = self.archive.getinfo(f"{self.root}data/{key}")
        except KeyError:
            raise RuntimeError(f"load: the file has no storage '{key[:80]}'") from None
        if self.mapped is None or not info.file_size:
            return np.frombuffer(bytearray(_content(self.archive, info.filename)), np.uint8)
        with (
            _damage(),
            self.archive.open(info),
        ):  # checks the entry's own header, whose lengths are here
            header: Any = self.archive.fp
            header.seek(info.header_offset + 26)
            name, extra = struct.unpack("<HH", header.read(4))
        start = info.header_offset + 30 + name + extra
        return np.memmap(self.mapped, np.uint8, "c", start, (info.file_size,)).view(np.ndarray)

    def array(self, key: str, kind: dtypes.dtype) -> np.ndarray:
        """A storage as numbers, in the order of bytes of this machine."""
        found = self.arrays.get((key, kind))
        if found is None:
            raw = self.bytes[key]
            if kind is dtypes.bfloat16:
                found = widened(raw.view(self.order + "u2"))
            elif kind is dtypes.bool:
                found = raw.view(np.bool_) if (raw < 2).all() else raw != 0
            else:
                found = raw.view(kind.numpy.newbyteorder(self.order))
                found = found.astype(kind.numpy, copy=False)
            self.arrays[key, kind] = found
        return found

    def tensor(
        self,
        storage: Storage,
        storage_offset: int,
        size: tuple,
        stride: tuple,
        requires_grad: bool = False,
        backward_hooks: Any = None,
        metadata: Any = None,
    ) -> Tensor:
        """A tensor that shows a part of a storage; refused if the part lies outside."""
        return self._shown(
            storage, storage.kind, storage_offset, size, stride, requires_grad, metadata
        )

    def untyped_tensor(
        self,
        storage: Storage,
        storage_offset: int,
        size: tuple,
        stride: tuple,
        requires_grad: bool,
        backward_hooks: Any,
        dtype: dtypes.dtype,
        metadata: Any = None,
    ) -> Tensor:
        """The same over a storage that does not know its dtype."""
        return self._shown(storage, dtype, storage_offset, size, stride, requires_grad, metadata)

    def quantized_tensor(
        self,
        storage: Storage,
        storage_offset: int,
        size: tuple,
        stride: tuple,
        quantizer_params: tuple,
        requires_grad: bool = False,
        backward_hooks: Any = None,
    ) -> Tensor:
        """A tensor of integers on a grid; refused if the grid makes no sense."""
        if not isinstance(storage, Storage) or storage.kind not in dtypes.QUANTIZED:
            raise UnpicklingError("load: a quantized tensor without a storage of its kind")
        codes = self._shown(storage, storage.kind, storage_offset, size, stride, False, None)
        try:
            return from_parts(codes, storage.kind, *quantizer_params)
        except (TypeError, ValueError, RuntimeError) as error:
            raise UnpicklingError(f"load: a quantized tensor without a grid: {error}") from None

    def _shown(
        self,
        storage: Storage,
        kind: Any,
        offset: int,
        size: tuple,
        stride: tuple,
        requires_grad: bool,
        metadata: Any,
    ) -> Tensor:
        if not isinstance(storage, Storage) or not isinstance(kind, dtypes.dtype):
            raise UnpicklingError("load: a tensor without a storage and a dtype")
        if not (isinstance(size, tuple) and isinstance(stride, tuple)) or len(size) > 64:
            raise UnpicklingError("load: a tensor without a size and a stride")
        array = self.array(storage.key, kind)
        for mark, flip in (("conj", np.conj), ("neg", np.negative)):
            if metadata and metadata.get(mark):
                array = flip(array)
        numbers = (offset, *size, *stride)
        plain = all(type(n) is int and n >= 0 for n in numbers) and len(size) == len(stride)
        last = offset + sum((n - 1) * s for n, s in zip(size, stride)) if plain else -1
        empty = 0 in size
        if not plain or (not empty and last >= array.size) or offset > array.size:
            raise RuntimeError(
                f"load: size {reprlib.repr(size)}, stride {reprlib.repr(stride)} and offset "
                f"{reprlib.repr(offset)} do not fit a storage of {array.size} elements"
            )
        strides = [s * array.itemsize for s in stride]
        if empty:
            out: Tensor = wrap(np.empty(size, array.dtype))
        else:
            out = wrap(np.lib.stride_tricks.as_strided(array[offset:], size, strides))
        if storage.device != "cpu":
            out = out.to(storage.device)
        out.requires_grad = bool(requires_grad)
        return out
