"""Ops that move elements about: rolling, sliding windows, strides, reducing scatters."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.backend.arrays import namespace
from labtorch.backend.host import on_host
from labtorch.engine.op import op
from labtorch.ops.arithmetic import where
from labtorch.ops.indexing import _into, _scattered, gather, scatter_add
from labtorch.ops.reduction import wrap_dim
from labtorch.ops.shape import cast


@op(r"y_{i + s} = x_i")
def roll(input, shifts, dims):
    axes = tuple(wrap_dim(d, input.ndim) for d in dims)
    return namespace(input).roll(input, shifts, axes) if input.ndim else input.copy()


@roll.vjp("input", r"\bar x_i = \bar y_{i + s}")
def _(g, shifts, dims):
    return roll(g, tuple(-s for s in shifts), dims)


@op(r"y_{i, j} = x_{i s + j}", view=True)
def unfold(input, dimension, size, step):
    d = wrap_dim(dimension, input.ndim)
    n = input.shape[d] if input.ndim else 1
    if size > n:
        raise RuntimeError(f"maximum size for tensor at dimension {d} is {n} but size is {size}")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    lib = namespace(input)
    if not input.ndim:
        return input.reshape(1)[:size]
    strides = list(input.strides)
    windows = [*input.shape, size]
    windows[d] = (n - size) // step + 1
    strides[d] *= step
    return lib.lib.stride_tricks.as_strided(input, windows, [*strides, input.strides[d]])


@unfold.vjp("input", r"\bar x_{i s + j} \mathrel{+}= \bar y_{i, j}")
def _(g, input_shape, dimension, step):
    return overlap_add(g, input_shape, dimension, step)


@op(r"y_{i s + j} \mathrel{+}= x_{i, j}")
def overlap_add(input, shape, dimension, step):
    """Windows (in the last dimension) added up where they overlap: the transpose of `unfold`."""
    y = namespace(input).zeros(shape, input.dtype)
    if not shape:
        return y + input.sum()
    d = wrap_dim(dimension, len(shape))
    count = input.shape[d]
    for j in range(input.shape[-1]):
        y[(slice(None),) * d + (slice(j, j + step * (count - 1) + 1, step),)] += input[..., j]
    return y


@overlap_add.vjp("input", r"\bar x_{i, j} = \bar y_{i s + j}")
def _(g, input_shape, dimension, step):
    return unfold(g, dimension, input_shape[-1], step)


@op(r"y_i = x_{o + \sum_k s_k i_k}", view=True)
def as_strided(input, size, stride, storage_offset=0):
    if len(size) != len(stride):
        raise RuntimeError("mismatch in length of strides and shape")
    if any(s < 0 for s in stride):
        raise RuntimeError(f"as_strided: Negative strides are not supported: {list(stride)}")
    last = storage_offset + sum((n - 1) * s for n, s in zip(size, stride))
    if not input.flags.c_contiguous:
        raise RuntimeError("as_strided: only contiguous tensors; call .contiguous() first")
    if all(size) and (last >= input.size or storage_offset < 0):
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset "
            f"{storage_offset} are out of bounds for storage of {input.size} elements"
        )
    flat = input.reshape(-1)[storage_offset:]
    strides = [s * input.itemsize for s in stride]
    return namespace(input).lib.stride_tricks.as_strided(flat, size, strides)


@as_strided.vjp("input", r"\bar x_{o + \sum_k s_k i_k} \mathrel{+}= \bar y_i")
def _(g, input_shape, size, stride, storage_offset):
    from labtorch.ops.indexing import put

    lib = namespace(getattr(g, "_array", g))
    count = 1
    for n in input_shape:
        count *= n
    places = as_strided.forward(lib.arange(count), size, stride, storage_offset)
    return put(g, (places,), (count,)).reshape(input_shape)


@op(r"y_{\mathrm{index}_i} = \operatorname{reduce}(x, s_i)")
def scatter_reduce(input, dim, index, src, reduce):
    """A copy of `input` with `src` multiplied in, or the extreme of both, at `index`."""
    y, places, window = _scattered(input, dim, index, src)
    return _combined(y, places, src[window], COMBINE[reduce]).reshape(input.shape)


COMBINE = {"prod": "multiply", "amax": "maximum", "amin": "minimum"}
AT_ONCE = ("int32", "float32", "float64")  # of which CuPy finds extremes in place


def _combined(y: Any, places: tuple, values: Any, ufunc: str) -> Any:
    lib = namespace(y)
    if lib is np or (ufunc != "multiply" and y.dtype in AT_ONCE):
        getattr(lib, ufunc).at(y, places, values)
        return y
    return _combined_on_host(y, places, values, ufunc)


_combined_on_host = on_host(_combined)


def _shares(input: Any, dim: int, index: Any, src: Any, output: Any) -> tuple[Any, Any, Any]:
    """Of an extreme: which elements of x and s equal it, and how many share each place."""
    part = _part(src, index)
    dtype = getattr(input, "_array", input).dtype
    mine = cast(input == output, dtype)
    theirs = cast(gather(output, dim, index) == part, dtype)
    return mine, theirs, scatter_add(mine, dim, index, theirs)


def _part(src: Any, index: Any) -> Any:
    shape = getattr(index, "_array", index).shape
    return src if src.shape == shape else src[tuple(slice(n) for n in shape)]


@scatter_reduce.vjp("input", r"\bar x = \bar y \odot \partial y / \partial x")
def _(g, input, dim, index, src, output, reduce):
    if reduce != "prod":
        mine, _, count = _shares(input, dim, index, src, output)
        return g * mine / count
    ones = input * 0 + 1
    return g * scatter_reduce(ones, dim, index, src, "prod")


@scatter_reduce.vjp("src", r"\bar s_i = \bar y_{\mathrm{index}_i} \, \partial y / \partial s_i")
def _(g, input, dim, index, src, src_shape, output, reduce):
    here = gather(g, dim, index)
    if reduce != "prod":
        _, theirs, count = _shares(input, dim, index, src, output)
        return _into(here * theirs / gather(count, dim, index), src_shape)
    part = _part(src, index)
    zero = part == 0  # there, the product of the others counts
    count = scatter_add(output * 0, dim, index, cast(zero, getattr(g, "_array", g).dtype))
    rest = scatter_reduce(input, dim, index, where(zero, 1.0, part), "prod")
    alone = where(zero & (gather(count, dim, index) == 1), gather(rest, dim, index), 0.0)
    others = gather(output, dim, index) / where(zero, 1.0, part)
    return _into(here * where(zero, alone, others), src_shape)
