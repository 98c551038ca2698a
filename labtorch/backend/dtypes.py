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

    numpy: Any

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
    return bfloat16 if name == "bfloat16" else NAMED[name]


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
# a name that programs ask for; NumPy has no such numbers, so no tensor can be made of it
bfloat16 = dtype("bfloat16", "float16")
bfloat16.numpy = None
# of quantized tensors: integers that stand for other numbers, by a scale and a zero point
qint8 = dtype("qint8", "int8")
quint8 = dtype("quint8", "uint8")
qint32 = dtype("qint32", "int32")
QUANTIZED = (qint8, quint8, qint32)

INTEGERS = (bool, uint8, uint16, uint32, uint64, int8, int16, int32, int64)
ALL = (*INTEGERS, float16, float32, float64, complex64, complex128)
BY_NAME = {each.name: each for each in ALL}
NAMED = BY_NAME | {each.name: each for each in QUANTIZED}
FROM_NUMPY = {each.numpy: each for each in ALL}
ALIASES = {"short": int16, "int": int32, "long": int64, "half": float16, "float": float32}
ALIASES |= {"double": float64, "char": int8, "cfloat": complex64, "cdouble": complex128}
# of the names from before dtypes: "Long" of LongTensor
LEGACY = {bool: "Bool", uint8: "Byte", int8: "Char", int16: "Short", int32: "Int", int64: "Long"}
LEGACY |= {float16: "Half", float32: "Float", float64: "Double"}
LEGACY |= {complex64: "ComplexFloat", complex128: "ComplexDouble"}

_default = float32


def get_default_dtype() -> dtype:
    """The dtype of tensors made from Python floats (`float32` unless set)."""
    return _default


def set_default_dtype(d: dtype) -> None:
    """Set the dtype of tensors made from Python floats to a floating-point dtype."""
    global _default
    if not (isinstance(d, dtype) and d.is_floating_point and d.numpy is not None):
        raise TypeError(f"only floating-point types are supported as the default type, not {d!r}")
    _default = d
    _of_group.cache_clear()


def as_numpy(d: dtype | None) -> np.dtype | None:
    """The NumPy dtype of a labtorch dtype (None stays None)."""
    if d is None:
        return None
    if isinstance(d, dtype):
        if d is bfloat16:
            raise NotImplementedError(
                "labtorch has no tensors of bfloat16, as NumPy has none; float32 is as wide in "
                "range, float16 as small"
            )
        if d in QUANTIZED:
            raise RuntimeError(
                f"{d!r} is no dtype of an ordinary tensor: torch.quantize_per_tensor(x, scale, "
                f"zero_point, {d!r}) makes a quantized one, and x.dequantize() undoes it"
            )
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


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that tensors of both can be converted to."""
    return FROM_NUMPY[_of_group((as_numpy(type1), as_numpy(type2)))]  # type: ignore[arg-type]


def can_cast(from_: dtype, to: dtype) -> Any:
    """May an op write a result of one dtype into a tensor of the other?"""
    have, want = as_numpy(from_), as_numpy(to)
    assert have is not None and want is not None
    return CATEGORY[have.kind] <= CATEGORY[want.kind]


class finfo:
    """The limits of a floating-point dtype (the default one, if none is given)."""

    def __init__(self, type: dtype | None = None) -> None:
        kind = (_default if type is None else type).to_real()
        if not kind.is_floating_point:
            raise TypeError(
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle "
                f"'{kind}'"
            )
        self.dtype, self.bits = kind.name, 8 * kind.itemsize
        if kind is bfloat16:  # 8 bits of exponent, 7 of fraction
            self.max, self.eps, self.tiny = (2 - 2**-7) * 2.0**127, 2.0**-7, 2.0**-126
            self.resolution = 0.01
        else:
            limits = np.finfo(kind.numpy)
            self.max, self.eps, self.tiny = map(float_type, (limits.max, limits.eps, limits.tiny))
            self.resolution = float_type(str(limits.resolution))
        self.min, self.smallest_normal = -self.max, self.tiny

    def __repr__(self) -> str:
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        return f"finfo({', '.join(f'{n}={getattr(self, n):g}' for n in names)}, dtype={self.dtype})"


class iinfo:
    """The limits of an integer dtype."""

    def __init__(self, type: dtype) -> None:
        if type.is_floating_point or type.is_complex or type is bool:
            raise TypeError(
                f"torch.iinfo() requires an integer input type. Use torch.finfo to handle '{type}'"
            )
        limits = np.iinfo(type.numpy)
        self.dtype, self.bits = type.name, limits.bits
        self.min, self.max = int_type(limits.min), int_type(limits.max)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


def name_of(array: Any) -> str:
    """'float32' for an array; used in messages."""
    return getattr(getattr(array, "dtype", None), "name", type(array).__name__)
