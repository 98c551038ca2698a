"""Devices: "cpu" is NumPy and always there; "cuda" is CuPy, imported only when asked for."""

from __future__ import annotations

import contextlib
import functools
import threading
from types import ModuleType
from typing import Any

import numpy as np


class device:
    """Where a tensor's numbers live: `device("cpu")`, `device("cuda")`, `device("cuda:1")`."""

    __slots__ = ("type", "index")

    type: str
    index: int | None

    def __init__(self, type: Any = "cpu", index: int | None = None) -> None:
        if isinstance(type, device):
            type, index = type.type, type.index
        elif isinstance(type, int):
            type, index = "cuda", type
        elif not isinstance(type, str):
            raise TypeError(f"device() takes a string such as 'cpu' or 'cuda:0', not {type!r}")
        kind, colon, number = type.partition(":")
        if colon:
            if not number.isdigit():
                raise RuntimeError(f"Invalid device string: '{type}'")
            index = int(number)
        if kind not in ("cpu", "cuda", "mps", "meta", "xpu"):
            raise RuntimeError(
                f"Expected one of cpu, cuda device type at start of device string: {type}"
            )
        self.type, self.index = kind, index

    def __repr__(self) -> str:
        return f"device(type='{self.type}'" + (
            ")" if self.index is None else f", index={self.index})"
        )

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return False
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> Any:
        return device, (self.type, self.index)

    def __enter__(self) -> device:
        """Make tensors here that are not told where: `with device("cuda"): zeros(3)`."""
        library(self)  # refuse one that is not there before anything is made on it
        _default.stack.append(self)
        return self

    def __exit__(self, *_: Any) -> None:
        _default.stack.pop()


CPU = device("cpu")


class OutOfMemoryError(RuntimeError):
    """A GPU has no room for what was asked for."""


class _Default(threading.local):
    """Where a thread of work makes its tensors: what was set, and the `with` blocks around it."""

    def __init__(self) -> None:
        self.stack: list[device] = []


_default = _Default()
_everywhere: device | None = None


def default() -> device | None:
    """The device of tensors that are not told where; None for the one that is always there."""
    return _default.stack[-1] if _default.stack else _everywhere


def get_default_device() -> device:
    """The device of tensors that are not told where to be made."""
    return default() or CPU


def set_default_device(device: Any) -> None:
    """Make tensors here that are not told where, in all threads; None for the CPU again."""
    global _everywhere
    where = None if device is None else _device(device)
    library(where)
    _everywhere = where


_device = device


def of_array(array: Any) -> device:
    """The device that holds `array`."""
    if isinstance(array, np.ndarray):
        return CPU
    return device("cuda", array.device.id)


def library(where: device | str | int | None) -> ModuleType:
    """The array library of a device; explains what to install when it is not there."""
    if where is None:
        where = default()
    if where is None or where == "cpu":
        return np
    where = device(where)
    if where.type == "cpu":
        return np
    if where.type != "cuda":
        raise RuntimeError(f"labtorch computes on 'cpu' and 'cuda'; there is no device '{where}'")
    try:
        import cupy
    except ImportError:
        raise AssertionError(
            "Torch not compiled with CUDA enabled: device 'cuda' needs CuPy. "
            "Install it with `pip install labtorch[cuda13]` (or cuda12), or use device='cpu'."
        ) from None
    count = _gpus(cupy)
    if not count:
        raise RuntimeError(
            "No CUDA GPUs are available: CuPy is there, but finds no driver or no GPU. "
            "Use device='cpu'."
        )
    if where.index is not None and where.index >= count:
        raise RuntimeError(
            f"CUDA error: invalid device ordinal: there is no '{where}'; this machine's GPUs are "
            f"cuda:0{f' to cuda:{count - 1}' if count > 1 else ''}"
        )
    return cupy


@functools.cache
def _gpus(cupy: ModuleType) -> int:
    try:
        return cupy.cuda.runtime.getDeviceCount()
    except Exception:  # no driver
        return 0


def cuda_is_available() -> bool:
    """Is there a GPU that CuPy can use?"""
    try:
        import cupy

        return cupy.cuda.runtime.getDeviceCount() > 0
    except Exception:  # not installed, no driver, no device: all mean "no"
        return False


def entered(where: device | None) -> Any:
    """A context in which what is made without a device's number is made on this one."""
    if where is None or where.type == "cpu":
        return contextlib.nullcontext()
    return library(where).cuda.Device(index(where))


def index(where: Any = None) -> int:
    """The number of a GPU; of the current one, where none is named."""
    number = None if where is None else device(where).index
    return library("cuda").cuda.runtime.getDevice() if number is None else number


def move(array: Any, where: device, non_blocking: bool = False) -> Any:
    """`array` on another device (the array itself if it is there already).

    `non_blocking` queues a copy to a GPU; one from a GPU is waited for, as nothing else would tell
    when the numbers are there.
    """
    target = library(where)
    if target is np:
        if isinstance(array, np.ndarray):
            return array
        with array.device:
            return array.get()
    if non_blocking and isinstance(array, np.ndarray):
        from labtorch.backend.cuda import transfers

        return transfers.to_device(array, where)
    with entered(where):
        return target.asarray(array)
