"""Indexing: slices, masks and integer tensors; gather and scatter."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.onnx.errors import UnsupportedOperatorError
from labtorch.onnx.graph import Graph, Value
from labtorch.onnx.sizes import Sym
from labtorch.onnx.table import TRANSLATORS, translates

END = (1 << 62) - 1  # beyond every dimension


def _is_array(part: Any) -> bool:
    return isinstance(part, Value)


@translates("getitem")
def _(g, input, index):
    """First what slices and picks, then the arrays, then new dimensions."""
    parts = _parts(input, index if isinstance(index, tuple) else (index,))
    x, picked = _sliced(g, input, [p for p in parts if p is not None])
    rest = [p for p in parts if not isinstance(p, (int, Sym)) or isinstance(p, bool)]
    if picked:
        x = g("Squeeze", x, picked)
    places = [p for p in rest if p is not None]
    dims = [n for d, n in enumerate(input.shape) if d not in picked] if input.dims else None
    if any(map(_is_array, places)):
        if None in rest and rest.index(None) < max(i for i, p in enumerate(rest) if _is_array(p)):
            raise UnsupportedOperatorError("with None before a tensor has no translation")
        x, moved = _gathered(g, x, places, dims)
        added = [i for i, p in enumerate(rest) if p is None]
        return g("Unsqueeze", x, [i + moved for i in added]) if added else x
    added = [i for i, p in enumerate(rest) if p is None]
    return g("Unsqueeze", x, added) if added else x


def _parts(x: Value, index: tuple) -> list[Any]:
    """The index with its `...` written out: one part a dimension, and None for new ones."""
    if any(isinstance(p, bool) for p in index):
        raise UnsupportedOperatorError("with True or False as an index has no translation")
    used = sum(
        p.ndim if _is_array(p) and p.dtype.kind == "b" else int(p is not None and p is not ...)
        for p in index
    )
    at = next((i for i, p in enumerate(index) if p is ...), len(index))
    filled = [*index[:at], *[slice(None)] * (x.ndim - used), *index[at + 1 :]]
    made: list[Any] = []
    for p in filled:  # a mask of several dimensions stands for all of them
        made += [p, *[slice(None)] * (p.ndim - 1)] if _is_array(p) and p.dtype.kind == "b" else [p]
    return made


def _sliced(g: Graph, x: Value, parts: list[Any]) -> tuple[Any, list[int]]:
    """x with slices taken, and integers as slices of one; the dimensions of those."""
    starts, stops, dims, steps, picked = [], [], [], [], []
    for d, part in enumerate(parts):
        if isinstance(part, slice):
            if part == slice(None) or _whole(part):
                continue
            starts.append(0 if part.start is None else part.start)
            stops.append(END if part.stop is None else part.stop)
            steps.append(1 if part.step is None else part.step)
        elif isinstance(part, (int, np.integer, Sym)):
            starts.append(part)
            stops.append(_after(part))
            steps.append(1)
            picked.append(d)
        else:
            continue
        dims.append(d)
    return (g("Slice", x, starts, stops, dims, steps) if dims else x), picked


def _whole(part: slice) -> bool:
    return part.start in (None, 0) and part.stop is None and part.step in (None, 1)


def _after(place: Any) -> Any:
    if isinstance(place, Sym):
        return Sym(place.terms, place.constant + 1, place.value + 1)
    return END if place == -1 else place + 1


def _gathered(g: Graph, x: Any, parts: list[Any], dims: Any) -> tuple[Any, int]:
    """x at arrays of integers or a mask; and by how many dimensions what follows has moved."""
    at = [i for i, p in enumerate(parts) if _is_array(p)]
    arrays = [parts[i] for i in at]
    masks = [a for a in arrays if a.dtype.kind == "b"]
    if masks and len(arrays) > 1:
        raise UnsupportedOperatorError("with a mask beside other tensors has no translation")
    if masks:
        return _masked(g, x, masks[0], at[0], len(parts)), 1 - masks[0].ndim
    if len(arrays) == 1:
        return g("Gather", x, g.cast(arrays[0], np.int64), axis=at[0]), arrays[0].ndim - 1
    width = max(a.ndim for a in arrays)
    together = at == list(range(at[0], at[-1] + 1))
    order = [*at, *(i for i in range(len(parts)) if i not in at)]
    moved = x if order == list(range(len(parts))) else g("Transpose", x, perm=order)
    total = arrays[0]
    sizes = g("Shape", x, dtype=np.int64)
    wrapped = []
    for d, a in zip(at, arrays):  # negative ones count from the end
        n = g("Slice", sizes, [d], [d + 1], [0])
        a = g.cast(a, np.int64)
        below = g("Less", a, 0, dtype=bool)
        wrapped.append(g("Where", below, g("Add", a, n), a, dtype=np.int64))
    total = wrapped[0]
    for each in wrapped[1:]:
        total = g("Add", total, g("Mul", each, 0))
    shape = g("Shape", total, dtype=np.int64)
    spread = [g("Unsqueeze", g("Expand", a, shape), [-1]) for a in wrapped]
    y = g("GatherND", moved, g("Concat", *spread, axis=-1))
    if together and at[0]:
        rest = len(parts) - len(at)
        back = [*range(width, width + at[0]), *range(width), *range(width + at[0], width + rest)]
        y = g("Transpose", y, perm=back)
    return y, width - len(at)


def _masked(g: Graph, x: Any, mask: Value, at: int, ndim: int) -> Any:
    """The places where a mask is true, in a row."""
    if at:
        if mask.ndim > 1:
            raise UnsupportedOperatorError("with a mask after other dimensions has no translation")
        return g("Compress", x, mask, axis=at)
    places = g("Transpose", g("NonZero", mask, dtype=np.int64), perm=[1, 0])
    return g("GatherND", x, places)


# -------------------------------------------------------------------- writing
def _places(g: Graph, x: Value) -> Any:
    """0, 1, 2, ... in the shape of x."""
    count = g("ReduceProd", g.shape_of(x), [0], keepdims=0) if x.ndim else g.value(1, np.int64)
    row = g("Range", g.value(0, np.int64), count, g.value(1, np.int64))
    made = g("Reshape", row, g.shape_of(x))
    return g.shaped(Value(made.name, np.int64), x.shape)


def _written(g: Graph, x: Value, value: Any, at: Any) -> Any:
    """x with `value`, broadcast, at the flat places `at`."""
    value = g.cast(value, x.dtype)
    extra = len(value.dims or ()) - (at.ndim if at.dims is not None else len(value.dims or ()))
    if extra > 0:  # a value of shape (1, n) fits a target of shape (n,)
        value = g("Squeeze", value, list(range(extra)))
    spread = g("Reshape", g("Expand", value, g("Shape", at, dtype=np.int64)), [-1])
    flat = g("Reshape", x, [-1])
    made = g("ScatterElements", flat, g("Reshape", at, [-1]), spread, axis=0)
    return g("Reshape", made, g.shape_of(x))


@translates("setitem")
def _(g, input, value, index):
    return _written(g, input, value, g.call("getitem", _places(g, input), index))


@translates("copy_slices")
def _(g, input, value, steps, written=False):
    at = _places(g, input)
    for op, rest in steps:
        if op.name not in TRANSLATORS:
            raise UnsupportedOperatorError(f"through a view made by '{op.name}' has no translation")
        outer = g.op_name
        g.op_name = op.name
        dims = at.dims
        made = g.call(op.name, at, *rest)
        g.op_name = outer
        at = Value(made.name, np.int64, made.dims if made is not at else dims)
    return _written(g, input, value, at)


@translates("put")
def _(g, input, index, shape):
    zeros = g("Expand", g.value(0, g.dtype), list(shape))
    zeros = g.shaped(zeros, shape)
    at = g.call("getitem", _places(g, zeros), index)
    flat = g("Reshape", zeros, [-1])
    values = g("Reshape", input, [-1])
    made = g("ScatterElements", flat, g("Reshape", at, [-1]), values, axis=0, reduction="add")
    return g("Reshape", made, g.shape_of(zeros))


# -------------------------------------------------------------------- along a dimension
@translates("embedding")
def _(g, input, weight, padding_idx=None, scale_grad_by_freq=False):
    return g("Gather", weight, g.cast(input, np.int64), axis=0)


@translates("index_select")
def _(g, input, dim, index):
    if not input.ndim:
        return input
    flat = index if index.ndim else g("Reshape", index, [1])
    return g("Gather", input, g.cast(flat, np.int64), axis=int(dim))


@translates("gather")
def _(g, input, dim, index):
    if not input.ndim:
        return g("Expand", input, g("Shape", index, dtype=np.int64))
    d = dim % input.ndim
    for axis, (n, m) in enumerate(zip(index.shape, input.shape)):
        if axis != d and n != m:
            stop = g("Shape", index, start=axis, end=axis + 1, dtype=np.int64)
            input = g("Slice", input, [0], stop, [axis])
    return g("GatherElements", input, g.cast(index, np.int64), axis=d)


def _scatter(g: Graph, input: Value, dim: int, index: Value, src: Any, how: str | None) -> Any:
    if not input.ndim:
        input, index = (g("Reshape", x, [1]) for x in (input, index))
        src = g("Reshape", g.cast(src, input.dtype), [1])
        return g("Reshape", g("ScatterElements", input, index, src, axis=0, reduction=how), [])
    sizes = g("Shape", index, dtype=np.int64)
    if isinstance(src, Value) and src.ndim:
        if src.shape != index.shape:
            src = g("Slice", src, [0] * src.ndim, sizes, list(range(src.ndim)))
    else:
        src = g("Expand", g.cast(src, input.dtype), sizes)
    return g("ScatterElements", input, g.cast(index, np.int64), src, axis=int(dim), reduction=how)


@translates("scatter", "scatter_add")
def _(g, input, dim, index, src):
    return _scatter(g, input, dim, index, src, "add" if g.op_name == "scatter_add" else None)


@translates("scatter_reduce")
def _(g, input, dim, index, src, reduce):
    how = {"prod": "mul", "amax": "max", "amin": "min"}[reduce]
    return _scatter(g, input, dim, index, src, how)
