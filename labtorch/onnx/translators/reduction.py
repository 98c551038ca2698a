"""Reductions, and what runs along a dimension."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.onnx.errors import UnsupportedOperatorError
from labtorch.onnx.graph import Graph, Value
from labtorch.onnx.table import translates
from labtorch.onnx.translators.activation import alone
from labtorch.onnx.translators.compare import truth

KINDS = {"sum": "ReduceSum", "mean": "ReduceMean", "prod": "ReduceProd"}
KINDS |= {"amax": "ReduceMax", "amin": "ReduceMin"}


def axes(dim: Any) -> list[int] | None:
    """Of a reduction: None for all dimensions."""
    if dim is None or isinstance(dim, tuple) and not dim:
        return None
    return [int(d) for d in dim] if isinstance(dim, tuple) else [int(dim)]


def reduce(g: Graph, kind: str, x: Value, dim: Any = None, keepdim: bool = False) -> Value:
    if not x.ndim:
        return x
    return g(kind, x, axes(dim), keepdims=int(bool(keepdim)))  # type: ignore[no-any-return]


@translates("sum", "mean", "prod")
def _(g, input, dim=None, keepdim=False, dtype=None):
    return reduce(g, KINDS[g.op_name], g.floating(input), dim, keepdim)


@translates("amax", "amin")
def _(g, input, dim=None, keepdim=False):
    if input.dtype.kind == "b":
        return reduce(g, KINDS[g.op_name], g.cast(input, "int32"), dim, keepdim)
    return reduce(g, KINDS[g.op_name], input, dim, keepdim)


@translates("any", "all")
def _(g, input, dim=None, keepdim=False):
    kind = "ReduceMax" if g.op_name == "any" else "ReduceMin"
    return reduce(g, kind, g.cast(truth(g, input), "int32"), dim, keepdim)


@translates("max", "min")
def _(g, input, dim, keepdim=False):
    if not input.ndim:
        return input, g.value(0, np.int64)
    values = reduce(g, f"Reduce{g.op_name.title()}", input, dim, keepdim)
    return values, _arg(g, input, dim, keepdim, g.op_name)


@translates("argmax", "argmin")
def _(g, input, dim=None, keepdim=False):
    if not input.ndim:
        return g.value(0, np.int64)
    if dim is not None:
        return _arg(g, input, dim, keepdim, g.op_name[3:])
    flat = _arg(g, g("Reshape", input, [-1]), 0, False, g.op_name[3:])
    return g("Reshape", flat, [1] * input.ndim if keepdim else [])


def _arg(g: Graph, x: Value, dim: int, keepdim: bool, which: str) -> Value:
    kind = "ArgMax" if which == "max" else "ArgMin"
    return g(kind, x, axis=int(dim), keepdims=int(bool(keepdim)), dtype=np.int64)  # type: ignore[no-any-return]


@translates("element")
def _(g, input, place):
    """The extreme of all elements, or another one at a place that was found in Python."""
    return g("Gather", g("Reshape", input, [-1]), int(place), axis=0)


@translates("var")
def _(g, input, dim=None, correction=1, keepdim=False):
    if not input.ndim:
        input = g.shaped(g("Reshape", input, [1]), (1,))
        dim = None
    centred = g("Sub", input, g("ReduceMean", input, axes(dim), keepdims=1))
    square = g.shaped(g("Mul", centred, centred), input.shape)
    if not correction:
        return reduce(g, "ReduceMean", square, dim, keepdim)
    total = reduce(g, "ReduceSum", square, dim, keepdim)
    return g("Div", total, g("Sub", count(g, input, dim), float(correction)))


def count(g: Graph, x: Value, dim: Any) -> Value:
    """How many elements go into each result, in the dtype of `x`."""
    reduced = range(x.ndim) if axes(dim) is None else axes(dim)
    sizes = [x.shape[d] for d in reduced or ()]
    if all(isinstance(n, int) for n in sizes):
        return g.value(float(np.prod(sizes)), x.dtype)
    return g.cast(g("ReduceProd", g.ints(sizes), [0], keepdims=0), x.dtype)


@translates("logsumexp")
def _(g, input, dim, keepdim=False):
    return reduce(g, "ReduceLogSumExp", g.floating(input), dim, keepdim)


@translates("linalg_vector_norm")
def _(g, x, ord=2, dim=None, keepdim=False, dtype=None):
    x = g.floating(x)
    if not x.ndim:
        return g("Abs", x)
    if ord in (1, 2):
        return reduce(g, f"ReduceL{int(ord)}", x, dim, keepdim)
    size = g.shaped(g("Abs", x), x.shape)
    if ord == float("inf"):
        return reduce(g, "ReduceMax", size, dim, keepdim)
    if ord == -float("inf"):
        return reduce(g, "ReduceMin", size, dim, keepdim)
    if ord == 0:
        other = g.cast(g("Greater", size, g.value(0.0, g.dtype), dtype=bool), g.dtype)
        return reduce(g, "ReduceSum", g.shaped(other, x.shape), dim, keepdim)
    power = g.shaped(g("Pow", size, float(ord)), x.shape)
    return g("Pow", reduce(g, "ReduceSum", power, dim, keepdim), 1 / float(ord))


@translates("cumsum")
def _(g, input, dim, dtype=None):
    x = g.floating(input)
    return x if not input.ndim else g("CumSum", x, g.value(int(dim), np.int64))


@translates("cumprod")
def _(g, input, dim, dtype=None):
    """By a loop over the steps written out: ONNX has no cumulative product before opset 26."""
    x = g.floating(input)
    if not input.ndim:
        return x
    d = dim % input.ndim
    if not isinstance(input.shape[d], int):
        raise UnsupportedOperatorError("has a translation only along a dimension of fixed size")
    parts = [g("Slice", x, [i], [i + 1], [d]) for i in range(input.shape[d])]
    for i in range(1, len(parts)):
        parts[i] = g("Mul", parts[i - 1], parts[i])
    return g("Concat", *parts, axis=d) if parts else x


@translates("sort_order")
def _(g, input, dim, descending=False):
    """The places that sort: all of the elements, as TopK gives them."""
    if not input.ndim:
        return alone(g, input, lambda x: g("Mul", g.cast(x, np.int64), 0))
    d = dim % input.ndim
    n = g("Shape", input, start=d, end=d + 1, dtype=np.int64)
    x = g.cast(input, "int32") if input.dtype.kind == "b" else input
    _, places = g("TopK", x, n, outputs=2, axis=d, largest=int(descending), sorted=1)
    places.dtype = np.dtype(np.int64)
    return places
