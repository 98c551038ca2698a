"""PyTorch's dtypes over NumPy's, and PyTorch's promotion rules.

NumPy promotes by the widths of all operands (int64 with float32 gives float64). PyTorch promotes
by category first: tensors with dimensions decide, then 0-d tensors, then Python numbers, and a
later group only counts if its category (bool < integer < floating < complex) is higher.
Source: the PyTorch documentation, "Tensor Attributes", torch.dtype.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

CATEGORY = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}


class dtype:
    """An element type, such as `labtorch.float32`; `numpy` is its NumPy twin."""

    __slots__ = ("name", "numpy", "itemsize", "is_floating_point", "is_complex", "is_signed")

    def __init__(self, name: str, numpy_name: str) -> None:
        self.name = name
        self.numpy = np.dtype(numpy_name)
        self.itemsize = self.numpy.itemsize
        self.is_floating_point = self.numpy.kind == "f"
        self.is_complex = self.numpy.kind == "c"
        self.is_signed = self.numpy.kind in "ifc"

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> Any:
        return _named, (self.name,)

    def to_real(self) -> dtype:
        return {complex64: float32, complex128: float64}.get(self, self)

    def to_complex(self) -> dtype:
        return {float32: complex64, float64: complex128}.get(self, self)


def _named(name: str) -> dtype:
    return BY_NAME[name]


bool = dtype("bool", "bool")
uint8 = dtype("uint8", "uint8")
uint16 = dtype("uint16", "uint16")
uint32 = dtype("uint32", "uint32")
uint64 = dtype("uint64", "uint64")
int8 = dtype("int8", "int8")
int16 = dtype("int16", "int16")
int32 = dtype("int32", "int32")
int64 = dtype("int64", "int64")
float16 = dtype("float16", "float16")
float32 = dtype("float32", "float32")
float64 = dtype("float64", "float64")
complex64 = dtype("complex64", "complex64")
complex128 = dtype("complex128", "complex128")

INTEGERS = (bool, uint8, uint16, uint32, uint64, int8, int16, int32, int64)
ALL = (*INTEGERS, float16, float32, float64, complex64, complex128)
BY_NAME = {each.name: each for each in ALL}
FROM_NUMPY = {each.numpy: each for each in ALL}
ALIASES = {"short": int16, "int": int32, "long": int64, "half": float16, "float": float32}
ALIASES |= {"double": float64, "cfloat": complex64, "cdouble": complex128}

_default = float32


def get_default_dtype() -> dtype:
    """The dtype of tensors made from Python floats (`float32` unless set)."""
    return _default


def set_default_dtype(d: dtype) -> None:
    """Set the dtype of tensors made from Python floats to a floating-point dtype."""
    global _default
    if not (isinstance(d, dtype) and d.is_floating_point):
        raise TypeError(f"only floating-point types are supported as the default type, not {d!r}")
    _default = d
    _of_group.cache_clear()


def as_numpy(d: dtype | None) -> np.dtype | None:
    """The NumPy dtype of a labtorch dtype (None stays None)."""
    if d is None:
        return None
    if isinstance(d, dtype):
        return d.numpy
    of_type = {float_type: _default, int_type: int64, bool_type: bool, complex_type: complex64}
    if d in of_type:  # Python's own types, as PyTorch allows
        return of_type[d].numpy
    raise TypeError(f"dtype must be a labtorch dtype such as labtorch.float32, not {d!r}")


float_type, int_type, complex_type = float, int, complex
bool_type = type(True)  # noqa: UP003 - `bool` is a dtype in this file


def of_scalar(value: complex) -> np.dtype:
    """The dtype that a Python number takes when it becomes a tensor of its own."""
    if isinstance(value, bool_type):
        return bool.numpy
    if isinstance(value, int_type):
        return int64.numpy
    if isinstance(value, complex_type):
        return _default.to_complex().numpy
    return _default.numpy


@lru_cache(maxsize=4096)
def _of_group(group: tuple[np.dtype, ...]) -> np.dtype:
    """Promotion inside one group: as NumPy's, save that integers never widen floats."""
    top = max(CATEGORY[d.kind] for d in group)
    widest = [d for d in group if CATEGORY[d.kind] == top]
    if top == 3:  # a float beside a complex still counts for the width
        widest += [d for d in group if d.kind == "f"]
    if top == 1 and any(d.kind == "u" for d in widest) and any(d.kind == "i" for d in widest):
        signed = [d for d in widest if d.kind == "i"]
        unsigned = [d for d in widest if d.kind == "u"]
        if max(d.itemsize for d in unsigned) >= 8:
            raise RuntimeError(f"promotion of uint64 with {signed[0]} is not defined")
    return np.result_type(*widest)


def check_ordered(name: str, array: Any) -> None:
    """Refuse complex numbers: they have no order."""
    if getattr(array, "dtype", _default.numpy).kind == "c":
        raise NotImplementedError(
            f"{name} is not implemented for {array.dtype.name}: complex numbers have no order. "
            "Compare their sizes, x.abs()"
        )


def promote(*operands: Any) -> np.dtype:
    """The dtype in which an op on these arrays and Python numbers is computed."""
    with_dims, zero_dim, numbers = [], [], []
    for each in operands:
        if not hasattr(each, "dtype"):  # numpy.float64 is a float, too: ask for the dtype first
            numbers.append(of_scalar(each))
        elif each.ndim:
            with_dims.append(each.dtype)
        else:
            zero_dim.append(each.dtype)
    found: Any = None
    for group in (with_dims, zero_dim, numbers):
        if group:
            new = _of_group(tuple(group))
            if found is None:
                found = new
            elif CATEGORY[new.kind] > CATEGORY[found.kind]:
                # a lower group raises the category; a complex number keeps a tensor's own width
                if new.kind == "c" and found.kind == "f":
                    new = np.result_type(found, np.complex64)
                found = new
    return found


def name_of(array: Any) -> str:
    """'float32' for an array; used in messages."""
    return getattr(getattr(array, "dtype", None), "name", type(array).__name__)
