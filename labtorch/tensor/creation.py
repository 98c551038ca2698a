"""Making tensors: from data, filled, ranged, and at random."""

from __future__ import annotations

import builtins
import math
import warnings
from typing import Any

import numpy as np

from labtorch.backend import devices, dtypes
from labtorch.backend.arrays import is_array
from labtorch.engine.public import FUNCTION, public, with_out
from labtorch.engine.variable import wrap, wrap_new
from labtorch.tensor.tensor import Tensor

GPU = 2  # of CUDA, as DLPack counts


def _finish(array: Any, device: Any, requires_grad: bool) -> Tensor:
    where = devices.default() if device is None else devices.device(device)
    out: Tensor = wrap_new(array if where is None else devices.move(array, where))
    if requires_grad:
        out.requires_grad = True
    return out


def _shape(size: tuple) -> tuple[int, ...]:
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    shape = tuple(int(each) for each in size)
    if any(each < 0 for each in shape):
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}"
        )
    if math.prod(shape) >= 1 << 60:
        raise RuntimeError(
            f"Storage size calculation overflowed with sizes={list(shape)}: no memory holds it"
        )
    return shape


def tensor(
    data: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A new tensor with a copy of `data`: numbers, nested sequences, arrays.

    >>> tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    return _finish(_as_array(data, dtype, copy=True), device, requires_grad)


def _as_array(data: Any, dtype: Any, copy: bool) -> Any:
    to = dtypes.as_numpy(dtype)
    if isinstance(data, Tensor):
        array = data._array
    elif is_array(data):
        array = data
    elif hasattr(data, "__cuda_array_interface__"):
        array = devices.library("cuda").asarray(data)
    elif hasattr(data, "__array__") and not isinstance(data, (list, tuple)):
        array = np.asarray(data)
    else:
        plain = _plain(data)
        try:
            array = np.array(plain)
        except ValueError:
            raise ValueError(
                "expected sequence of equal length at every depth: this one is ragged"
            ) from None
        if _first(plain) is None:
            raise RuntimeError("Could not infer dtype of NoneType")
        if array.dtype.kind in "OUS":
            raise TypeError(f"new(): invalid data type '{type(_first(plain)).__name__}'")
        if to is None and not _holds_arrays(data):  # Python numbers take the default dtypes
            kinds = {"f": dtypes.get_default_dtype().numpy}
            kinds["c"] = dtypes.get_default_dtype().to_complex().numpy
            to = kinds.get(array.dtype.kind)
            if not array.size:
                to = dtypes.get_default_dtype().numpy
        copy = False
    if array.dtype.newbyteorder("=") not in dtypes.FROM_NUMPY:
        raise TypeError(
            f"can't convert np.ndarray of type {array.dtype}. The only supported types are: "
            + ", ".join(dtypes.BY_NAME)
        )
    native = array.dtype.newbyteorder("=")
    to = to or native
    out = array.astype(to, copy=copy or array.dtype != to)
    return np.asarray(out) if isinstance(out, np.generic) else out


def _plain(data: Any) -> Any:
    """Nested sequences with their tensors as arrays (scalars, if 0-d)."""
    if isinstance(data, Tensor):
        return devices.move(data._array, devices.CPU)
    if isinstance(data, (list, tuple, builtins.range)):
        return [_plain(each) for each in data]
    return data


def _first(data: Any) -> Any:
    while isinstance(data, list) and data:
        data = data[0]
    return data


def _holds_arrays(data: Any) -> bool:
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return isinstance(data, (Tensor, np.ndarray, np.generic))


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a tensor, sharing its memory where it can."""
    if isinstance(data, Tensor):
        return data.to(device=device, dtype=dtype) if (device or dtype) else data
    return _finish(_as_array(data, dtype, copy=False), device, False)


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor that shares the array's memory."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(array).__name__})")
    return wrap(_as_array(array, None, copy=False))


def from_dlpack(source: Any) -> Tensor:
    """A tensor that shares the memory of any array that speaks DLPack."""
    if source.__dlpack_device__()[0] == GPU:
        return wrap(devices.library("cuda").from_dlpack(source))
    return wrap(np.from_dlpack(source))


def _filled(maker: str, fill: Any = None) -> Any:
    def make(
        *size: Any,
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        layout: Any = None,
        pin_memory: bool = False,
        memory_format: Any = None,
        names: Any = None,
        **size_keyword: Any,
    ) -> Tensor:
        if "size" in size_keyword:
            size = (size_keyword.pop("size"),)
        if size_keyword:
            raise TypeError(f"{maker}() got an unexpected keyword '{next(iter(size_keyword))}'")
        kind = dtypes.as_numpy(dtype) or dtypes.get_default_dtype().numpy
        result: Tensor = wrap_new(_made(maker, device, _shape(size), kind))
        if requires_grad:
            result.requires_grad = True
        return result

    make.__name__ = maker
    make.__doc__ = f"A tensor of the given size, {fill}."
    return with_out(make)


def _made(maker: str, device: Any, *args: Any) -> Any:
    """What `zeros`, `ones`, `empty` or `full` of the device's array library makes."""
    lib = devices.library(device)
    if lib is np:
        return getattr(np, maker)(*args)
    with devices.entered(devices.default() if device is None else devices.device(device)):
        return getattr(lib, maker)(*args)


zeros = _filled("zeros", "filled with 0")
ones = _filled("ones", "filled with 1")
empty = _filled("empty", "with whatever was in memory")


@with_out
def full(
    size: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
) -> Tensor:
    """A tensor of the given size, filled with one number."""
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    kind = dtypes.as_numpy(dtype) or dtypes.of_scalar(value)
    out: Tensor = wrap_new(_made("full", device, _shape((size,)), value, kind))
    return out.requires_grad_() if requires_grad else out


def _like(make: Any) -> Any:
    def like(
        input: Tensor,
        *args: Any,
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        layout: Any = None,
        memory_format: Any = None,
        pin_memory: bool = False,
        **more: Any,
    ) -> Tensor:
        return make(
            tuple(input.shape),
            *args,
            dtype=dtype or input.dtype,
            device=device or input.device,
            requires_grad=requires_grad,
            **more,
        )

    like.__name__ = make.__name__ + "_like"
    like.__doc__ = f"As `{make.__name__}`, with the shape, dtype and device of `input`."
    return like


zeros_like, ones_like, empty_like, full_like = map(_like, (zeros, ones, empty, full))


@with_out
def arange(
    *bounds: Any,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
    **named: Any,
) -> Tensor:
    """start, start + step, ... up to but without end: arange(end), arange(start, end, step)."""
    start, step = named.get("start", 0), named.get("step", 1)
    if len(bounds) == 1 and "end" not in named:
        end = bounds[0]
    elif bounds:
        start, *rest = bounds
        end = rest[0] if rest else named["end"]
        step = rest[1] if len(rest) > 1 else step
    else:
        end = named["end"]
    start, end, step = (x.item() if isinstance(x, Tensor) else x for x in (start, end, step))
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    to = dtypes.as_numpy(dtype)
    if to is None:
        floats = any(isinstance(x, float) for x in (start, end, step))
        to = dtypes.get_default_dtype().numpy if floats else np.dtype(np.int64)
    if to.kind in "iu":
        start, end, step = int(start), int(end), int(step)
        if step == 0:
            raise RuntimeError("step must be nonzero")
    if not np.isfinite([start, end]).all():
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    n = int(np.ceil((end - start) / step))
    array = (start + step * np.arange(n, dtype=np.float64 if to.kind == "f" else np.int64)).astype(
        to
    )
    return _finish(array, device, requires_grad)


@with_out
def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
) -> Tensor:
    """`steps` numbers from start to end, both included, evenly spaced."""
    start, end = (x.item() if isinstance(x, Tensor) else x for x in (start, end))
    to = dtypes.as_numpy(dtype) or dtypes.get_default_dtype().numpy
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    if to.kind in "iu":
        start, end = int(start), int(end)
    return _finish(np.linspace(start, end, steps).astype(to), device, requires_grad)


@with_out
def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
) -> Tensor:
    """base^start, ..., base^end: `steps` numbers at equal ratios."""
    start, end = (x.item() if isinstance(x, Tensor) else x for x in (start, end))
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    to = dtypes.as_numpy(dtype) or dtypes.get_default_dtype().numpy
    if to.kind in "iu":
        start, end = int(start), int(end)
    wide = np.complex128 if to.kind == "c" else np.float64
    powers = np.power(base, np.linspace(start, end, steps, dtype=wide))
    return _finish(powers.astype(to), device, requires_grad)


@with_out
def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
) -> Tensor:
    """Ones on the diagonal, zeros elsewhere."""
    if n < 0 or (m is not None and m < 0):
        raise RuntimeError(f"n must be greater or equal to 0, got {n}")
    to = dtypes.as_numpy(dtype) or dtypes.get_default_dtype().numpy
    return _finish(np.eye(n, m, dtype=to), device, requires_grad)


@public(FUNCTION)
def scalar_tensor(s: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A 0-dimensional tensor, of the default dtype unless another is given."""
    return tensor(s, dtype=dtype or dtypes.get_default_dtype(), device=device)


@public(FUNCTION)
def asarray(
    obj: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """`obj` as a tensor: sharing its memory where it can, or (`copy=True`) never."""
    if copy:
        return tensor(obj, dtype=dtype, device=device, requires_grad=requires_grad)
    out = as_tensor(obj, dtype, device)
    return out.requires_grad_() if requires_grad else out


@public(FUNCTION)
def frombuffer(
    buffer: Any,
    *,
    dtype: Any,
    count: int = -1,
    offset: int = 0,
    requires_grad: bool = False,
) -> Tensor:
    """A 1-dimensional tensor that shares the memory of a bytearray or another buffer."""
    kind = dtypes.as_numpy(dtype)
    assert kind is not None
    if not 0 <= offset < len(memoryview(buffer).cast("B")):
        raise ValueError(f"offset ({offset} bytes) must be non-negative and less than the buffer")
    out: Tensor = wrap(np.frombuffer(buffer, kind, count, offset))
    return out.requires_grad_() if requires_grad else out


@public(FUNCTION)
def range(start: Any, end: Any, step: Any = 1, **options: Any) -> Tensor:
    """start, start + step, ... up to and with end; `arange`, as Python's range, goes without."""
    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior is "
        "inconsistent with Python's range builtin. Use arange.",
        stacklevel=2,
    )
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    n = int((end - start) / step) + 1
    to = dtypes.as_numpy(options.pop("dtype", None)) or dtypes.get_default_dtype().numpy
    return _finish((start + step * np.arange(n)).astype(to), options.get("device"), False)


@public(FUNCTION)
def empty_strided(size: Any, stride: Any, **options: Any) -> Tensor:
    """`empty` of that size: the order of the elements in memory is always the usual one."""
    return empty(size, **options)


@public(FUNCTION)
def to_dlpack(tensor: Tensor) -> Any:
    """A capsule that other libraries' from_dlpack read."""
    return tensor.__dlpack__()
