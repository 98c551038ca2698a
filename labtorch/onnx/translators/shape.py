"""Shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.onnx.graph import Graph, Value
from labtorch.onnx.sizes import Sym
from labtorch.onnx.table import translates


@translates("reshape", "view")
def _(g, input, shape):
    return g.reshape(input, g.outputs[0].shape)


@translates("transpose")
def _(g, input, dim0, dim1):
    order = list(range(input.ndim))
    if not order:
        return input
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return g.permute(input, order)


@translates("permute")
def _(g, input, dims):
    return g.permute(input, dims) if dims else input


@translates("unsqueeze")
def _(g, input, dim):
    n = input.ndim
    d = dim % (n + 1)
    return g.shaped(g("Unsqueeze", input, [d]), (*input.shape[:d], 1, *input.shape[d:]))


@translates("squeeze")
def _(g, input, dim=None):
    dims = range(input.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    ones = {d % input.ndim for d in dims if input.ndim and input.shape[d] == 1}
    if not ones:
        return input
    rest = [n for d, n in enumerate(input.shape) if d not in ones]
    return g.shaped(g("Squeeze", input, sorted(ones)), rest)


@translates("expand")
def _(g, input, shape):
    lead = len(shape) - input.ndim
    dims = tuple(
        input.shape[d - lead] if not isinstance(n, Sym) and n == -1 else n
        for d, n in enumerate(shape)
    )
    return g.shaped(expanded(g, input, dims), dims)


def expanded(g: Graph, input: Value, dims: tuple) -> Any:
    """Broadcast to `dims`; sizes that nothing expresses stay as they are."""
    sizes = [1 if d is None else d for d in dims]
    return g("Expand", input, sizes)


@translates("sum_to")
def _(g, input, shape):
    lead = input.ndim - len(shape)
    stretched = [d + lead for d, n in enumerate(shape) if not isinstance(n, Sym) and n == 1]
    axes = [*range(lead), *stretched]
    if not axes:
        return input
    return g.reshape(g("ReduceSum", input, axes, keepdims=1), shape)


@translates("cast")
def _(g, input, dtype):
    return g.cast(input, np.dtype(dtype))


@translates("narrow")
def _(g, input, dim, start, length):
    d = dim % input.ndim
    if isinstance(start, (int, Sym)) and isinstance(length, int) and isinstance(start, int):
        stop: Any = start + length if start >= 0 or start + length < 0 else (1 << 62)
        return g("Slice", input, [start], [stop], [d])
    begin, count = g.ints([start]), g.ints([length])
    return g("Slice", input, begin, g("Add", begin, count), [d])


@translates("diagonal")
def _(g, input, offset=0, dim1=0, dim2=1):
    a, b = dim1 % input.ndim, dim2 % input.ndim
    rest = [d for d in range(input.ndim) if d not in (a, b)]
    x = g.permute(input, [*rest, a, b])
    rows, columns = int(x.shape[-2]), int(x.shape[-1])
    i = np.arange(max(0, min(rows + min(offset, 0), columns - max(offset, 0))))
    flat = (i - min(offset, 0)) * columns + i + max(offset, 0)
    x = g("Reshape", x, g("Concat", *_sizes(g, x, len(rest)), g.ints([-1]), axis=0, dtype=np.int64))
    return g("Gather", x, flat.astype(np.int64), axis=-1)


def _sizes(g: Graph, x: Value, count: int) -> list[Value]:
    return [g("Shape", x, start=0, end=count, dtype=np.int64)] if count else []


@translates("pad_zeros")
def _(g, input, shape, dim, start):
    after = int(shape[dim]) - int(start) - int(input.shape[dim])
    return g("Pad", input, [int(start), after], g.value(0, g.dtype), [dim])


@translates("constant_pad")
def _(g, input, pad, value=0.0):
    n = input.ndim
    before, after = [0] * n, [0] * n
    for i in range(len(pad) // 2):
        before[n - 1 - i], after[n - 1 - i] = pad[2 * i], pad[2 * i + 1]
    if not any(before) and not any(after):
        return input
    if g.dtype.kind == "b":  # onnxruntime pads numbers only
        padded = g("Pad", g.cast(input, "int32"), [*before, *after], g.value(int(value), "int32"))
        return g.cast(padded, bool)
    return g("Pad", input, [*before, *after], g.value(value, g.dtype))


@translates("cat")
def _(g, dim, *tensors):
    full = [t for t in tensors if t.shape != (0,)] or list(tensors[:1])
    parts = [g.floating(t) for t in full]
    return parts[0] if len(parts) == 1 else g("Concat", *parts, axis=int(dim))


@translates("flip")
def _(g, input, dims):
    dims = [d % input.ndim for d in ((dims,) if isinstance(dims, int) else dims)]
    if not dims:
        return input
    ones = [-1] * len(dims)
    return g("Slice", input, ones, [-(1 << 62)] * len(dims), dims, ones)


@translates("roll")
def _(g, input, shifts, dims):
    y = input
    for shift, dim in zip(shifts, dims):
        n = input.shape[dim]
        by = shift % n if isinstance(n, int) and n else shift
        if not by:
            continue
        tail = g("Slice", y, [-by], [1 << 62], [dim])
        y = g("Concat", tail, g("Slice", y, [0], [-by], [dim]), axis=dim)
    return y


@translates("unfold")
def _(g, input, dimension, size, step):
    if not input.ndim:
        return g("Reshape", input, [1])
    d = dimension % input.ndim
    count = (int(input.shape[d]) - size) // step + 1
    places = np.arange(count)[:, None] * step + np.arange(size)
    y = g("Gather", input, places.astype(np.int64), axis=d)  # (..., count, size, ...)
    order = [i for i in range(input.ndim + 1) if i != d + 1]
    return g("Transpose", y, perm=[*order, d + 1])
