"""Indexing: reading and writing by slices, masks and integer tensors; gather and scatter."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.backend.arrays import (
    add_at,
    is_array,
    namespace,
    on_device_of,
    open_grid,
    readable,
)
from labtorch.engine.op import op
from labtorch.engine.public import public


def plain_index(index: Any) -> Any:
    """An index with tensors replaced by their arrays and PyTorch's lists by arrays."""
    if isinstance(index, tuple):
        return tuple(plain_index(each) for each in index)
    array = getattr(index, "_array", None)
    if array is not None:
        if array.dtype.kind == "f" or array.dtype.kind == "c":
            raise IndexError(
                "tensors used as indices must be long, int, byte or bool tensors, "
                f"not {array.dtype}"
            )
        if array.dtype == np.uint8:
            return array.astype(bool)
        return int(array) if array.ndim == 0 and array.dtype.kind in "ui" else array
    if isinstance(index, list):
        return np.asarray([plain_index(each) for each in index] or np.empty(0, np.int64))
    return index


def without_ellipsis(index: tuple, ndim: int) -> tuple:
    """An index that has arrays, with slices for its `...`: an empty one parts arrays in NumPy."""
    at = next((i for i, part in enumerate(index) if part is ...), None)
    if at is None or not any(is_array(part) for part in index):
        return index
    used = 0
    for part in index:
        if is_array(part) and part.dtype.kind == "b":
            used += part.ndim
        elif part is not None and part is not ... and not isinstance(part, bool):
            used += 1
    return (*index[:at], *[slice(None)] * max(ndim - used, 0), *index[at + 1 :])


def ints_first(index: Any) -> tuple[tuple, tuple] | None:
    """An index that mixes ints and arrays as two: PyTorch takes ints first, then arrays.

    (NumPy treats an int beside an array as an array, which moves dimensions.)
    """
    if not isinstance(index, tuple) or not any(
        is_array(p) and not isinstance(p, np.integer) for p in index
    ):
        return None
    first: list[Any] = []
    rest: list[Any] = []
    for part in index:
        if isinstance(part, (int, np.integer)) and not isinstance(part, bool):
            first.append(part)
            continue
        rest.append(part)
        if part is ...:
            first.append(...)
        elif part is not None and not isinstance(part, bool):
            masked = is_array(part) and part.dtype.kind == "b"
            first += [slice(None)] * (part.ndim if masked else 1)
    return (tuple(first), tuple(rest)) if len(rest) < len(index) else None


def is_basic(index: Any) -> bool:
    """Does the index only slice, so that the result is a view?"""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        isinstance(p, (int, np.integer, slice)) and not isinstance(p, bool) or p is None or p is ...
        for p in parts
    )


def beside(index: Any, array: Any) -> Any:
    """An index with its arrays on the device of `array`: a list or a mask of the CPU serves a GPU,
    as in PyTorch."""
    if isinstance(array, (np.ndarray, np.generic)):
        return index
    if isinstance(index, tuple):
        return tuple(beside(each, array) for each in index)
    return on_device_of(index, array) if isinstance(index, np.ndarray) else index


@op(r"y = x_{\mathrm{index}}", view=True)
def getitem(input, index):
    if input.__class__ is not np.ndarray:
        index = beside(index, input)
    y = input[index]
    if isinstance(y, np.generic):  # a scalar is a copy: ask for a 0-d view of the element
        y = input[(*index, ...) if isinstance(index, tuple) else (index, ...)]
    return y


@getitem.explains
def _(input, index):
    try:
        input[index]
    except IndexError as error:
        said = str(error).replace("for axis", "for dimension")
        if "too many indices" in said:
            return f"too many indices for tensor of dimension {input.ndim}"
        if "did not match indexed array" in said:
            return f"The shape of the mask does not match the shape of the indexed tensor: {said}"
        if "broadcast" in said:
            return f"shape mismatch: indexing tensors could not be broadcast together: {said}"
        return said
    return None


@getitem.vjp("input", r"\bar x_{\mathrm{index}} \mathrel{+}= \bar y")
def _(g, input_shape, index):
    return put(g, index, input_shape)


@op(r"\bar x_{\mathrm{index}} \mathrel{+}= \bar y")
def put(input, index, shape):
    """Zeros of `shape` with `input` added at `index`; an element named twice gets both."""
    y = namespace(input).zeros(shape, input.dtype)
    if is_basic(index):
        y[index] = input
    else:
        add_at(y, beside(index, y), input)
    return y


@put.vjp("input", r"\bar y = \bar x_{\mathrm{index}}")
def _(g, index):
    return getitem(g, index)


@op(r"y = x, \quad y_{\mathrm{index}} = v")
def setitem(input, value, index):
    y = namespace(input).array(input)  # a copy; of a scalar, too, as a 0-d array
    y[beside(index, y)] = value
    return y


@setitem.vjp("input", r"\bar x = \bar y, \quad \bar x_{\mathrm{index}} = 0")
def _(g, index):
    return setitem(g, 0.0, index)


@setitem.vjp("value", r"\bar v = \sum \bar y_{\mathrm{index}}")
def _(g, value_shape, index):
    from labtorch.ops.shape import sum_to

    part = getitem(g, index)
    extra = len(value_shape) - part.ndim
    if extra > 0:  # a value of shape (1, n) fits a target of shape (n,)
        return sum_to(part, value_shape[extra:]).reshape(value_shape)
    return part if part.shape == value_shape else sum_to(part, value_shape)


@public()
@op(r"y_{i} = x_{\mathrm{index}_i}")
def gather(input, dim, index):
    from labtorch.ops.reduction import wrap_dim

    if index.dtype.kind not in "ui":
        raise RuntimeError("gather(): Expected dtype int32/int64 for index")
    d = wrap_dim(dim, input.ndim)
    if not input.ndim:
        return input.reshape(1)[index.reshape(-1)].reshape(index.shape)
    if not index.size:
        return input.reshape(-1)[:0].reshape(index.shape)
    if index.ndim != input.ndim:
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    if any(n > m for i, (n, m) in enumerate(zip(index.shape, input.shape)) if i != d):
        raise RuntimeError(
            f"Size does not match at dimension {d} expected index {list(index.shape)} to be no "
            f"larger than self {list(input.shape)} apart from dimension {d}"
        )
    if readable(index) and (index.min() < 0 or index.max() >= input.shape[d]):
        raise RuntimeError(f"index out of bounds for dimension {d} with size {input.shape[d]}")
    window = tuple(slice(None) if i == d else slice(n) for i, n in enumerate(index.shape))
    return namespace(input).take_along_axis(input[window], index, d)


@gather.vjp("input", r"\bar x_{\mathrm{index}_i} \mathrel{+}= \bar y_i")
def _(g, input_shape, dim, index):
    from labtorch.ops.reduction import wrap_dim

    return scatter_along(g, index, wrap_dim(dim, len(input_shape)), input_shape)


@op(r"y = x, \quad y_{\mathrm{index}_i} = s_i")
def scatter(input, dim, index, src):
    """A copy of `input` with `src` (a number, or at least as large as `index`) at `index`."""
    y, places, window = _scattered(input, dim, index, src)
    y[places] = src[window] if is_array(src) else src
    return y.reshape(input.shape)


@scatter.vjp("input", r"\bar x = \bar y, \quad \bar x_{\mathrm{index}} = 0")
def _(g, dim, index):
    return scatter(g, dim, index, 0.0)


@scatter.vjp("src", r"\bar s_i = \bar y_{\mathrm{index}_i}")
def _(g, src_shape, dim, index):
    return _into(gather(g, dim, index), src_shape)


@op(r"y = x, \quad y_{\mathrm{index}_i} \mathrel{+}= s_i")
def scatter_add(input, dim, index, src):
    """A copy of `input` with `src` added at `index`; what is named twice gets both."""
    y, places, window = _scattered(input, dim, index, src)
    add_at(y, places, src[window] if is_array(src) else src)
    return y.reshape(input.shape)


@scatter_add.vjp("input", r"\bar x = \bar y")
def _(g):
    return g


@scatter_add.vjp("src", r"\bar s_i = \bar y_{\mathrm{index}_i}")
def _(g, src_shape, dim, index):
    return _into(gather(g, dim, index), src_shape)


def _into(part: Any, shape: tuple) -> Any:
    """`part` at the beginning of zeros of `shape`."""
    if part.shape == shape:
        return part
    return put(part, tuple(slice(n) for n in part.shape), shape)


def _scattered(input: Any, dim: int, index: Any, src: Any) -> tuple[Any, tuple, tuple]:
    """A copy of `input`, the places in it that `index` names, and the part of `src` in use."""
    from labtorch.ops.reduction import wrap_dim

    d = wrap_dim(dim, input.ndim)
    if index.dtype.kind not in "ui":
        raise RuntimeError("scatter(): Expected dtype int32/int64 for index")
    if is_array(src) and src.dtype != input.dtype:
        raise RuntimeError(
            "scatter(): Expected self.dtype to be equal to src.dtype: "
            f"{input.dtype} and {src.dtype}"
        )
    y = input.copy().reshape(input.shape or (1,))
    index = index.reshape(index.shape or (1,))
    if index.size:
        fits = index.ndim == y.ndim and all(
            n <= m for i, (n, m) in enumerate(zip(index.shape, y.shape)) if i != d
        )
        covered = not is_array(src) or all(
            n <= m for n, m in zip(index.shape, src.shape or (1,), strict=False)
        )
        if not fits or not covered or (is_array(src) and (src.ndim or 1) != index.ndim):
            raise RuntimeError(
                f"Expected index {list(index.shape)} to be no larger than self {list(y.shape)} "
                f"apart from dimension {d} and to be no larger size than src "
                f"{list(getattr(src, 'shape', ()))}"
            )
        if readable(index) and (index.min() < 0 or index.max() >= y.shape[d]):
            raise RuntimeError(f"index out of bounds for dimension {d} with size {y.shape[d]}")
    else:
        index = index.reshape((0,) * y.ndim)
    places = open_grid(index.shape, y)
    places[d] = index
    window = tuple(slice(n) for n in index.shape) if is_array(src) and src.ndim else (...,)
    return y, tuple(places), window


@op(r"y_{\mathrm{index}_i} \mathrel{+}= x_i")
def scatter_along(input, index, dim, shape):
    """Zeros of `shape` with each element of `input` added at `index` along `dim`."""
    lib = namespace(input)
    y = lib.zeros(shape, input.dtype)
    if not index.size:
        return y
    if not shape:
        return y + input.sum()
    places = open_grid(index.shape, y)
    places[dim] = index
    add_at(y, tuple(places), input)
    return y


@scatter_along.vjp("input", r"\bar x_i = \bar y_{\mathrm{index}_i}")
def _(g, index, dim):
    return gather(g, dim, index)


@op(r"y_{i} = W_{\mathrm{index}_i}")
def embedding(input, weight, padding_idx=None, scale_grad_by_freq=False):
    if input.dtype.kind not in "ui":
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got {input.dtype} instead (while checking arguments for embedding)"
        )
    if weight.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    if not isinstance(input, np.ndarray):  # a GPU is not waited for: NaN where there is no row
        lib, known = namespace(input), (input >= 0) & (input < len(weight))
        return lib.where(known[..., None], weight[lib.where(known, input, 0)], lib.nan)
    if input.size and (input.min() < 0 or input.max() >= len(weight)):
        bad = input[(input < 0) | (input >= len(weight))].flat[0]
        raise IndexError(f"index out of range in self: {bad} is not in 0..{len(weight) - 1}")
    return weight[input]


@embedding.vjp("weight", r"\bar W_{\mathrm{index}_i} \mathrel{+}= \bar y_i")
def _(g, input, weight_shape, padding_idx, scale_grad_by_freq):
    index = getattr(input, "_array", input)
    scale = None
    if scale_grad_by_freq:
        _, inverse, counts = namespace(index).unique(index, return_inverse=True, return_counts=True)
        scale = 1.0 / counts[inverse].reshape(index.shape)
    if padding_idx is not None:
        keep = index != padding_idx
        scale = keep if scale is None else keep * scale
    if scale is not None:
        g = g * scale[..., None].astype(getattr(g, "_array", g).dtype)
    return put(g, index, weight_shape)


@public()
@op(r"y = x_{\mathrm{index}}")
def index_select(input, dim, index):
    from labtorch.ops.reduction import wrap_dim

    if index.ndim > 1:
        raise IndexError(f"index_select(): Index is supposed to be a vector, not {index.ndim}-d")
    if index.dtype.kind not in "ui":
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    d = wrap_dim(dim, input.ndim)
    n = input.shape[d] if input.ndim else 1
    if index.size and readable(index) and (index.min() < 0 or index.max() >= n):
        raise IndexError(f"index out of range in self: {n} elements along dimension {d}")
    if not input.ndim:
        return input.reshape(1).take(index.reshape(-1)).reshape(())
    return namespace(input).take(input, index.reshape(-1), axis=d)


@index_select.vjp("input", r"\bar x_{\mathrm{index}} \mathrel{+}= \bar y")
def _(g, input_shape, dim, index):
    if not input_shape:
        return g * 1
    where = (slice(None),) * (dim % len(input_shape)) + (getattr(index, "_array", index).ravel(),)
    return put(g, where, input_shape)
