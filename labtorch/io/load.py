"""Reading PyTorch's file format, without running what a pickle asks for.

A pickle is a program: it may call anything that can be imported. Here it may only name what a
checkpoint is made of (tensors, containers, dtypes); anything else is refused before it runs. With
`weights_only=False` it is trusted and may import: for files of one's own.
"""

from __future__ import annotations

import importlib
import io
import os
import pickle
import zipfile
from collections import Counter, OrderedDict, defaultdict
from typing import Any

import numpy as np

from labtorch.backend import devices, dtypes
from labtorch.engine.variable import wrap
from labtorch.io.storage import KINDS, REBUILD_PARAMETER, REBUILD_TENSOR
from labtorch.nn.parameter import Parameter
from labtorch.tensor.tensor import Size, Tensor

_safe: dict[tuple[str, str], Any] = {}


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Let files name these classes or functions of yours, also with `weights_only=True`."""
    for each in safe_globals:
        _safe[each.__module__, each.__qualname__] = each


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Read what `save`, or PyTorch's, wrote to a path or an open binary file.

    With `weights_only` (the default) nothing in the file is run: state dicts, checkpoints of
    tensors, numbers, strings and containers. `map_location` says where tensors go: a device, a
    function of (tensor, tag), or a dict of tags.
    """
    opened = None if hasattr(f, "read") else open(os.fspath(f), "rb")
    try:
        return _read(opened or f, map_location, weights_only is not False)
    finally:
        if opened is not None:
            opened.close()


def _read(file: Any, map_location: Any, weights_only: bool) -> Any:
    start = file.tell()
    if file.read(4) != b"PK\x03\x04":
        raise RuntimeError(
            "load: this is no zip file as torch.save has written since version 1.6 (2020); an "
            "older file can be loaded in PyTorch and saved again"
        )
    size = file.seek(0, os.SEEK_END) - start
    file.seek(start)
    try:
        with zipfile.ZipFile(file) as archive:
            return _unpickled(archive, size, map_location, weights_only)
    except (zipfile.BadZipFile, EOFError) as error:
        raise RuntimeError(f"load: the file is damaged or cut off: {error}") from None


def _unpickled(archive: zipfile.ZipFile, size: int, map_location: Any, weights_only: bool) -> Any:
    for info in archive.infolist():  # an archive that grows when it is read
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > size:
            raise RuntimeError(
                f"load: '{info.filename}' is compressed or larger than the file itself; "
                "torch.save writes neither"
            )
    roots = [name[: -len("data.pkl")] for name in archive.namelist() if name.endswith("data.pkl")]
    if len(roots) != 1:
        raise RuntimeError("load: a file of torch.save holds one data.pkl; this one does not")
    order = roots[0] + "byteorder"
    little = order not in archive.namelist() or archive.read(order) == b"little"
    reader = _Unpickler(archive, roots[0], "<" if little else ">", map_location, weights_only)
    try:
        return reader.load()
    except (pickle.UnpicklingError, RuntimeError, EOFError):
        raise
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, ImportError) as error:
        if weights_only:
            raise pickle.UnpicklingError(f"load: the pickle makes no sense: {error}") from None
        raise


class _Unpickler(pickle.Unpickler):
    def __init__(
        self,
        archive: zipfile.ZipFile,
        root: str,
        order: str,
        map_location: Any,
        weights_only: bool,
    ) -> None:
        super().__init__(io.BytesIO(archive.read(root + "data.pkl")), encoding="utf-8")
        self.archive, self.root, self.order = archive, root, order
        self.map_location, self.weights_only = map_location, weights_only
        self.storages: dict[str, tuple[np.ndarray, str]] = {}

    def find_class(self, module: str, name: str) -> Any:
        found = _KNOWN.get((module, name)) or _safe.get((module, name))
        if found is not None:
            return found
        if module == "torch" and name in KINDS:
            return KINDS[name]
        if module == "torch" and name in dtypes.BY_NAME:
            return dtypes.BY_NAME[name]
        if module in REBUILD_TENSOR[:1] and name == REBUILD_TENSOR[1]:
            return self.tensor
        if self.weights_only:
            raise pickle.UnpicklingError(
                f"Weights only load failed: the file asks for {module}.{name}, which is more than "
                "tensors, numbers and containers, and was not called. If you trust the file, "
                "load(..., weights_only=False) runs it; or allow the name alone with "
                "labtorch.serialization.add_safe_globals"
            )
        if module == "torch" or module.startswith("torch."):
            module = "labtorch" + module[5:]  # PyTorch's classes have namesakes here
            return getattr(importlib.import_module(module), name)
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> tuple[np.ndarray, str]:
        """A storage by its name, read once."""
        if not (isinstance(pid, tuple) and len(pid) == 5 and pid[0] == "storage"):
            raise pickle.UnpicklingError(f"load: unknown reference {pid!r}")
        _, kind, key, location, count = pid
        if not isinstance(kind, dtypes.dtype):
            raise pickle.UnpicklingError(f"load: a storage of {kind!r} cannot be read")
        found = self.storages.get(key)
        if found is None:
            try:
                data = self.archive.read(f"{self.root}data/{key}")
            except KeyError:
                raise RuntimeError(f"load: the file has no storage '{key}'") from None
            if len(data) != count * kind.itemsize:
                raise RuntimeError(
                    f"load: storage '{key}' has {len(data)} bytes, not {count} of {kind}"
                )
            array = np.frombuffer(data, kind.numpy.newbyteorder(self.order)).astype(kind.numpy)
            found = self.storages[key] = (array, self.place(location))
        return found

    def place(self, tag: str) -> str:
        """The device for a storage that was saved on `tag`."""
        where = self.map_location
        if isinstance(where, dict):
            where = where.get(tag)
        elif callable(where):
            placed = where(wrap(np.zeros(0, np.float32)), tag)
            where = None if placed is None else str(placed.device)
        target = str(tag if where is None else where)
        if target.startswith("cuda") and not devices.cuda_is_available():
            raise RuntimeError(
                "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() "
                "is False. If you are running on a CPU-only machine, please use load with "
                "map_location='cpu' to map your storages to the CPU."
            )
        return target

    def tensor(
        self,
        storage: tuple[np.ndarray, str],
        storage_offset: int,
        size: tuple,
        stride: tuple,
        requires_grad: bool = False,
        backward_hooks: Any = None,
        metadata: Any = None,
    ) -> Tensor:
        """A tensor that shows a part of a storage; refused if the part lies outside."""
        array, location = storage
        numbers = (storage_offset, *size, *stride)
        plain = all(type(n) is int and n >= 0 for n in numbers) and len(size) == len(stride)
        last = storage_offset + sum((n - 1) * s for n, s in zip(size, stride)) if plain else -1
        empty = 0 in size
        if not plain or (not empty and last >= array.size) or storage_offset > array.size:
            raise RuntimeError(
                f"load: size {size}, stride {stride} and offset {storage_offset} do not fit a "
                f"storage of {array.size} elements"
            )
        strides = [s * array.itemsize for s in stride]
        shown = np.lib.stride_tricks.as_strided(array[storage_offset:], size, strides)
        out: Tensor = wrap(np.empty(size, array.dtype) if empty else shown)
        if location != "cpu":
            out = out.to(location)
        out.requires_grad = bool(requires_grad)
        return out


def _parameter(data: Tensor, requires_grad: bool = True, backward_hooks: Any = None) -> Parameter:
    return Parameter(data, requires_grad)


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "Counter"): Counter,
    ("collections", "defaultdict"): defaultdict,
    ("builtins", "dict"): dict,
    ("builtins", "set"): set,
    ("builtins", "complex"): complex,
    ("builtins", "bytearray"): bytearray,
    ("__builtin__", "set"): set,
    ("__builtin__", "complex"): complex,
    ("torch", "Size"): Size,
    ("torch", "device"): devices.device,
    REBUILD_PARAMETER: _parameter,
}
