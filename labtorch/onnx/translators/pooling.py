"""Pooling and resampling."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.onnx.errors import UnsupportedOperatorError
from labtorch.onnx.graph import Graph, Value
from labtorch.onnx.table import translates
from labtorch.onnx.translators.conv import _batched, _unbatched
from labtorch.ops import pooling

MAX_POOLS = [f"max_pool{n}d{tail}" for n in (1, 2, 3) for tail in ("", "_with_indices")]


def _space(x: Value, n: int, why: str) -> list[int]:
    """The sizes of the last n dimensions, which must be fixed."""
    if not all(isinstance(m, int) for m in x.shape[-n:]):
        raise UnsupportedOperatorError(f"{why} has a translation only for a fixed size of images")
    return [int(m) for m in x.shape[-n:]]


def _ends(x: Value, n: int, placing: tuple, ceil_mode: bool) -> list[int]:
    """The padding after each dimension; with `ceil_mode` as much as the last window needs."""
    if not ceil_mode:
        return list(placing[2])
    ends = []
    for m, k, s, p, d in zip(_space(x, n, "with ceil_mode"), *placing):
        out = pooling.windows_along(True, m, k, s, p, d)
        ends.append(max((out - 1) * s + d * (k - 1) + 1 - m - p, p if s == 1 else 0, 0))
    return ends


@translates(*MAX_POOLS)
def _(g, input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    n = int(g.op_name[len("max_pool")])
    placing = pooling.geometry(n, kernel_size, stride, padding, dilation)
    kernel, strides, before, dilations = placing
    x, indexed = _batched(g, input, n), g.op_name.endswith("indices")
    made = g(
        "MaxPool",
        x,
        outputs=2 if indexed else 1,
        kernel_shape=kernel,
        strides=strides,
        pads=[*before, *_ends(x, n, placing, ceil_mode)],
        dilations=dilations,
    )
    if not indexed:
        return _unbatched(g, made, input, n)
    values, places = made
    places.dtype = np.dtype(np.int64)
    plane = g("ReduceProd", g.ints(x.shape[-n:]), [0], keepdims=0)
    places = g("Mod", places, plane)  # ONNX counts over the whole tensor, PyTorch in each plane
    return _unbatched(g, values, input, n), _unbatched(g, places, input, n)


@translates("avg_pool1d", "avg_pool2d", "avg_pool3d")
def _(
    g,
    input,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
):
    n = int(g.op_name[-2])
    placing = pooling.geometry(n, kernel_size, stride, padding)
    kernel, strides, before, _ = placing
    x = _batched(g, input, n)
    special = ceil_mode or divisor_override is not None
    y = g(
        "AveragePool",
        x,
        kernel_shape=kernel,
        strides=strides,
        pads=[*before, *_ends(x, n, placing, ceil_mode)],
        count_include_pad=int(special or bool(count_include_pad)),
    )
    if special:
        whole = float(np.prod(kernel))
        if divisor_override is None:
            space = _space(x, n, "with ceil_mode")
            out = [pooling.windows_along(True, m, *each) for m, each in zip(space, zip(*placing))]
            counts = pooling._counts(np, space, out, placing, count_include_pad)
        else:
            counts = np.asarray(divisor_override)
        y = g("Mul", y, (whole / counts).astype(g.dtype))
    return _unbatched(g, y, input, n)


@translates("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
def _(g, input, output_size):
    n = int(g.op_name[-2])
    out = _wanted(n, input, output_size)
    if set(out) == {1}:
        return g("ReduceMean", input, list(range(-n, 0)), keepdims=1)
    space = _space(input, n, "to sizes other than 1")
    if all(m % o == 0 for m, o in zip(space, out)):
        kernel = [m // o for m, o in zip(space, out)]
        y = g("AveragePool", _batched(g, input, n), kernel_shape=kernel, strides=kernel)
        return _unbatched(g, y, input, n)
    matrices = []
    for m, o in zip(space, out):
        start, end = pooling._bins(np, m, o)
        inside = (np.arange(m) >= start[:, None]) & (np.arange(m) < end[:, None])
        matrices.append(inside / (end - start)[:, None])
    return along(g, input, input.ndim - n, matrices)


def _wanted(n: int, x: Value, output_size: Any) -> list[int]:
    given = output_size if isinstance(output_size, tuple) else (output_size,)
    given = given * n if len(given) == 1 else given
    kept = [x.shape[i - n] if o is None else o for i, o in enumerate(given)]
    if not all(isinstance(o, int) for o in kept):
        raise UnsupportedOperatorError("has a translation only to fixed sizes")
    return [int(o) for o in kept]


def along(g: Graph, x: Value, first: int, matrices: Any) -> Any:
    """The dimensions from `first` on, each through a matrix (out, in) of its own."""
    y = x
    for i, matrix in enumerate(matrices):
        d, last = first + i, x.ndim - 1
        order = [a for a in range(x.ndim) if a != d] + [d]
        product = y if d == last else g("Transpose", y, perm=order)
        product = g("MatMul", product, np.ascontiguousarray(np.asarray(matrix).T).astype(x.dtype))
        y = product if d == last else g("Transpose", product, perm=np.argsort(order).tolist())
    return y


@translates("map_dims")
def _(g, input, matrices):
    arrays = [m.constant for m in matrices]
    return along(g, input, input.ndim - len(arrays), arrays)


@translates("resample")
def _(g, input, matrices):
    _space(input, input.ndim - 2, "")
    return along(g, input, 2, [m.constant for m in matrices])


@translates("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
def _(g, input, output_size):
    """The windows gathered from the flat space, short ones with their last element repeated."""
    n = int(g.op_name[-2])
    out, space = _wanted(n, input, output_size), _space(input, n, "")
    flat: Any = np.zeros((1,) * (2 * n), np.int64)
    for d, (m, o) in enumerate(zip(space, out)):
        start, end = pooling._bins(np, m, o)
        reach = np.arange(int((end - start).max()))
        index = np.minimum(start[:, None] + reach, end[:, None] - 1)
        shape = [1] * (2 * n)
        shape[d], shape[n + d] = index.shape
        flat = flat * m + index.reshape(shape)
    flat = flat.reshape(int(np.prod(out)), -1)
    lead = input.ndim - n
    x = g("Reshape", input, [0] * lead + [int(np.prod(space))])
    seen = g("Gather", x, flat, axis=-1)  # (..., windows, elements of a window)
    values = g("ReduceMax", seen, [-1], keepdims=0)
    place = g("ArgMax", seen, axis=-1, keepdims=1, dtype=np.int64)
    spread = g("Expand", flat, g("Shape", seen, dtype=np.int64))
    indices = g("Squeeze", g("GatherElements", spread, place, axis=-1), [-1])
    final = [0] * lead + out
    return g("Reshape", values, final), g("Reshape", indices, final)


@translates("max_unpool")
def _(g, input, indices, output_size):
    n, lead = len(output_size), input.ndim - len(output_size)
    count = int(np.prod([int(m) for m in output_size]))
    rows = g("Reshape", input, [0] * lead + [-1])
    where = g("Reshape", indices, [0] * lead + [-1])
    sizes = g("Concat", g("Shape", input, start=0, end=lead, dtype=np.int64), [count], axis=0)
    zeros = g("Expand", g.value(0, g.dtype), sizes)
    y = g("ScatterElements", zeros, where, rows, axis=-1)
    return g("Reshape", y, [0] * lead + [int(m) for m in output_size][:n])
