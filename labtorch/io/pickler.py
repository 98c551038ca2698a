"""Writing PyTorch's file format: pickles that name storages, in a zip."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from typing import Any

import numpy as np

from labtorch.backend import devices, dtypes, schemes
from labtorch.io.names import (
    NAMES,
    REBUILD_PARAMETER,
    REBUILD_QUANTIZED,
    REBUILD_TENSOR,
    REBUILD_UNTYPED,
    UNTYPED,
)
from labtorch.nn.parameter import Parameter
from labtorch.tensor.quantized import QuantizedTensor
from labtorch.tensor.tensor import Size, Tensor

ALIGNMENT = 64  # bytes; as in PyTorch's own files


def write(obj: Any, file: Any) -> None:
    """Write an object as `torch.save` does: a zip of a pickle and of the storages it names."""
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    pickler.dump(obj)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", buffer.getvalue())
        archive.writestr("archive/byteorder", "little")
        for key, array in enumerate(pickler.storages):
            plain = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
            _write_aligned(archive, f"archive/data/{key}", plain.reshape(-1).view(np.uint8))
        archive.writestr("archive/version", "3\n")


def _write_aligned(archive: zipfile.ZipFile, name: str, content: np.ndarray) -> None:
    """An entry whose content begins at a multiple of 64, so that it can be mapped into memory."""
    info = zipfile.ZipInfo(name)
    info.file_size = content.size
    large = content.size * 1.05 > zipfile.ZIP64_LIMIT  # zipfile then adds a field of 20 bytes
    begins = archive.start_dir + 30 + len(name) + 4 + (20 if large else 0)
    padding = -begins % ALIGNMENT
    info.extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
    with archive.open(info, "w") as entry:
        entry.write(content.data)


class _Global:
    """A name of PyTorch's in a pickle, which need not be importable here."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __call__(self) -> None:  # a pickle's function must be callable
        raise TypeError(f"{self.module}.{self.name} stands for PyTorch's")


class _Storage:
    def __init__(self, kind: _Global, key: int, device: str, size: int) -> None:
        self.id = ("storage", kind, str(key), device, size)


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
        if isinstance(obj, QuantizedTensor):
            *place, _, hooks = self.parts(obj.codes, obj.dtype)
            return _Global(*REBUILD_QUANTIZED), (*place, _grid(obj), False, hooks)
        if isinstance(obj, Tensor):
            parts = self.parts(obj)
            if obj.dtype in NAMES:
                return _Global(*REBUILD_TENSOR), parts
            return _Global(*REBUILD_UNTYPED), (*parts, obj.dtype)
        if isinstance(obj, Size):
            return _Global("torch", "Size"), (tuple(obj),)
        if isinstance(obj, devices.device):
            index = () if obj.index is None else (obj.index,)
            return _Global("torch", "device"), (obj.type, *index)
        return NotImplemented

    def save(self, obj: Any, save_persistent_id: bool = True) -> Any:
        if isinstance(obj, (dtypes.dtype, schemes.qscheme)):  # a name, not a call
            return super().save(_named("torch", obj.name), save_persistent_id)
        return super().save(obj, save_persistent_id)

    def parts(self, tensor: Tensor, dtype: dtypes.dtype | None = None) -> tuple:
        """The storage that a tensor shows, and where: views of one memory are saved once.

        Of quantized tensors, `tensor` has the integers, and `dtype` says what they are.
        """
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
            kind = dtypes.FROM_NUMPY[array.dtype] if dtype is None else dtype
            typed = kind in NAMES
            name = _named("torch", NAMES[kind]) if typed else _named(*UNTYPED)
            size = owner.size if typed else owner.nbytes
            device = tensor.device
            tag = "cpu" if device.type == "cpu" else f"{device.type}:{device.index or 0}"
            storage = _Storage(name, len(self.storages), tag, size)
            self.known[id(owner)] = storage
            self.storages.append(owner)  # also keeps it alive, and its id its own
        return (
            storage,
            start // array.itemsize,
            tuple(array.shape),
            strides,
            tensor.requires_grad,
            OrderedDict(),
        )


def _grid(x: QuantizedTensor) -> tuple:
    """A quantized tensor's grid in PyTorch's words."""
    grid = x.grid
    if grid.axis is None:
        return grid.scheme, grid.scale, grid.zero_point
    return grid.scheme, x.q_per_channel_scales(), x.q_per_channel_zero_points(), grid.axis


_names: dict[tuple[str, str], _Global] = {}


def _named(module: str, name: str) -> _Global:
    """One object a name, so that a pickle writes it once."""
    return _names.setdefault((module, name), _Global(module, name))
