"""Writing PyTorch's file format."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import tempfile
import zipfile
from collections import OrderedDict
from typing import Any

import numpy as np

from labtorch.backend import devices, dtypes
from labtorch.io.storage import NAMES, REBUILD_PARAMETER, REBUILD_TENSOR
from labtorch.nn.parameter import Parameter
from labtorch.tensor.tensor import Size, Tensor


def save(
    obj: Any,
    f: Any,
    pickle_module: Any = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Write an object (a state_dict, a checkpoint, a model) to a path or an open binary file.

    The file is PyTorch's: either library reads what the other wrote. A path is written whole or
    not at all: until the last byte is on disk, an older file keeps its place.
    """
    if pickle_protocol != 2 or not _use_new_zipfile_serialization:
        raise NotImplementedError("save writes PyTorch's zip format with pickle protocol 2 only")
    if hasattr(f, "write"):
        _write(obj, f)
        return
    path = os.fspath(f)
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {folder} does not exist.")
    handle, temporary = tempfile.mkstemp(prefix=".labtorch-", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            _write(obj, file)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)  # as open() would have made it
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _write(obj: Any, file: Any) -> None:
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    pickler.dump(obj)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", buffer.getvalue())
        archive.writestr("archive/byteorder", "little")
        for key, array in enumerate(pickler.storages):
            plain = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
            archive.writestr(f"archive/data/{key}", plain.tobytes())
        archive.writestr("archive/version", "3\n")


class _Global:
    """A name of PyTorch's in a pickle, which need not be importable here."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self) -> None:  # a pickle's function must be callable
        raise TypeError(f"{self.module}.{self.name} stands for PyTorch's")


class _Storage:
    def __init__(self, kind: _Global, key: int, size: int) -> None:
        self.id = ("storage", kind, str(key), "cpu", size)


_Base: Any = pickle._Pickler  # type: ignore[attr-defined]  # the one in Python: it can be extended


class _Pickler(_Base):
    """Pickles tensors as PyTorch does, and keeps their storages."""

    dispatch = dict(_Base.dispatch)

    def __init__(self, file: Any) -> None:
        super().__init__(file, 2)
        self.storages: list[np.ndarray] = []
        self.known: dict[int, _Storage] = {}

    def save_named(self, obj: _Global) -> None:
        self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        self.memoize(obj)

    dispatch[_Global] = save_named

    def persistent_id(self, obj: Any) -> Any:
        return obj.id if isinstance(obj, _Storage) else None

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Parameter) and type(obj) is Parameter:
            return _Global(*REBUILD_PARAMETER), (obj.data, obj.requires_grad, OrderedDict())
        if isinstance(obj, Tensor):
            return _Global(*REBUILD_TENSOR), self.parts(obj)
        if isinstance(obj, Size):
            return _Global("torch", "Size"), (tuple(obj),)
        if isinstance(obj, devices.device):
            index = () if obj.index is None else (obj.index,)
            return _Global("torch", "device"), (obj.type, *index)
        return NotImplemented

    def save(self, obj: Any, save_persistent_id: bool = True) -> Any:
        if isinstance(obj, dtypes.dtype):  # a name, not a call
            return super().save(_named(obj.name), save_persistent_id)
        return super().save(obj, save_persistent_id)

    def parts(self, tensor: Tensor) -> tuple:
        """The storage that a tensor shows, and where: views of one memory are saved once."""
        array = tensor.detach().cpu()._array
        owner = array
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        shown = owner.dtype == array.dtype and owner.flags.c_contiguous
        if not shown or any(s < 0 or s % array.itemsize for s in array.strides):
            owner = array = np.ascontiguousarray(array)
        start = array.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
        strides = tuple(s // array.itemsize for s in array.strides)
        storage = self.known.get(id(owner))
        if storage is None:
            kind = dtypes.FROM_NUMPY[array.dtype]
            if kind not in NAMES:
                raise TypeError(f"save: PyTorch's files have no storage of {kind}")
            storage = _Storage(_named(NAMES[kind]), len(self.storages), owner.size)
            self.known[id(owner)] = storage
            self.storages.append(owner)  # also keeps it alive, and its id its own
        return (
            storage,
            start // array.itemsize,
            tuple(array.shape),
            strides,
            tensor.requires_grad and tensor.is_leaf,
            OrderedDict(),
        )


_names: dict[str, _Global] = {}


def _named(name: str) -> _Global:
    """One object a name, so that a pickle writes it once."""
    return _names.setdefault(name, _Global("torch", name))
