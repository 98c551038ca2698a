"""Find the array library from the array: op code names neither NumPy nor CuPy."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
from numpy import ndarray

Array = Any  # a numpy.ndarray or a cupy.ndarray


def namespace(array: Array) -> ModuleType:
    """The library that `array` belongs to: `numpy`, or `cupy` for an array on a GPU."""
    if array.__class__ is ndarray or isinstance(array, (ndarray, np.generic)):
        return np
    return sys.modules["cupy"]


def is_array(value: object) -> bool:
    """Is `value` an array (or array scalar) of a library that can compute here?

    So is what stands for one while `cupy.fuse` traces (`backend.fused`).
    """
    if isinstance(value, (np.ndarray, np.generic)):
        return True
    cupy = sys.modules.get("cupy")  # an array of CuPy can only exist once CuPy is imported
    if cupy is None:
        return False
    return isinstance(value, cupy.ndarray) or type(value).__name__ == "_FusionVarArray"


def require_tensors(name: str, **operands: Any) -> None:
    """Refuse Python numbers where PyTorch takes tensors only."""
    for position, (argument, value) in enumerate(operands.items(), 1):
        if not is_array(value):
            raise TypeError(
                f"{name}(): argument '{argument}' (position {position}) must be Tensor, "
                f"not {type(value).__name__}"
            )


def ones_like(array: Array) -> Array:
    return namespace(array).ones_like(array)


def writeable(array: Array) -> bool:
    """May elements be written, each on its own? CuPy keeps no flag: there, strides of 0 say no."""
    if isinstance(array, np.ndarray):
        return array.flags.writeable
    return not (0 in array.strides and array.size > 1)


def on_cpu(array: Array) -> bool:
    """Does NumPy hold it?"""
    return array.__class__ is ndarray or isinstance(array, (ndarray, np.generic))


def readable(array: Array) -> bool:
    """May a check read numbers of `array`? Not while a GPU's work is recorded for a graph."""
    if on_cpu(array):
        return True
    return not namespace(array).cuda.get_current_stream().is_capturing()


def on_device_of(array: np.ndarray, like: Array) -> Array:
    """A NumPy array beside `like`: on its GPU, or as it is."""
    if on_cpu(like):
        return array
    with like.device:
        return namespace(like).asarray(array)


def open_grid(shape: tuple[int, ...], like: Array) -> list[Array]:
    """For each dimension the indices along it, shaped to broadcast to `shape`."""
    lib, n = namespace(like), len(shape)
    return [
        lib.arange(m).reshape((1,) * d + (m,) + (1,) * (n - 1 - d)) for d, m in enumerate(shape)
    ]


def add_at(array: Array, index: Any, values: Any) -> None:
    """`array[index] += values`, where an element that is named twice gets both.

    CuPy adds in place for a few dtypes only: the bits of an int64 are added as a uint64's, smaller
    integers as int32.
    """
    lib = namespace(array)
    if lib is np:
        np.add.at(array, index, values)
        return
    kind = array.dtype
    if kind.kind in "fc" or kind == "int32":
        lib.add.at(array, index, lib.asarray(values, kind))
    elif kind == "int64":
        lib.add.at(array.view("uint64"), index, lib.asarray(values, kind).view("uint64"))
    else:
        wide = array.astype("int32")
        lib.add.at(wide, index, lib.asarray(values, "int32"))
        array[...] = wide.astype(kind)
