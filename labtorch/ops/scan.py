"""Scans: running products, extremes and sums of exponentials along a dimension."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.backend.arrays import namespace
from labtorch.backend.dtypes import as_numpy, check_ordered
from labtorch.engine.op import op
from labtorch.engine.public import ELEMENTWISE, METHOD, public
from labtorch.ops.arithmetic import conj, exp
from labtorch.ops.reduction import amax, cumsum, wrap_dim
from labtorch.ops.shape import flip, narrow, stack


def from_the_end(x: Any, dim: int) -> Any:
    """The sum of all elements from each place on."""
    return flip(cumsum(flip(x, dim), dim), dim)


@public(ELEMENTWISE)
@op(r"y_i = \prod_{j \le i} x_j")
def cumprod(input, dim, dtype=None):
    to = as_numpy(dtype) or (np.dtype("int64") if input.dtype.kind in "bui" else None)
    d = wrap_dim(dim, input.ndim)
    if not input.ndim:
        return input.astype(to or input.dtype)
    return namespace(input).cumprod(input, axis=d, dtype=to)


@cumprod.vjp("input", r"\bar x_i = y_{i-1} s_i, \; s_i = \bar y_i + x_{i+1} s_{i+1}")
def _(g, input, output, dim):
    if not g.ndim:
        return g
    array = getattr(input, "_array", input)
    if (array != 0).all():  # then s_i y_(i-1) is a sum of quotients
        return from_the_end(g * conj(output), dim) / conj(input)
    d, n = wrap_dim(dim, g.ndim), g.shape[dim]
    part = lambda x, i: narrow(x, d, i, 1).reshape(g.shape[:d] + g.shape[d + 1 :])  # noqa: E731
    total, found = 0 * part(g, 0), []
    for i in reversed(range(n)):
        total = part(g, i) + (conj(part(input, i + 1)) * total if i + 1 < n else 0)
        found.append(total * (conj(part(output, i - 1)) if i else 1))
    lib = namespace(array)
    return stack(found[::-1], d) if hasattr(g, "_array") else lib.stack(found[::-1], d)


def running_maximum(x: Any, d: int) -> Any:
    """The largest element so far. CuPy accumulates sums only: there, in log2(n) steps."""
    lib = namespace(x)
    if lib is np:
        return np.maximum.accumulate(x, axis=d)
    return _doubling(lib.maximum, x, d)


def _doubling(combine: Any, x: Any, d: int) -> Any:
    """A scan by an associative function: each step joins runs twice as long.

    Source: Hillis and Steele (1986), "Data parallel algorithms".
    """
    y, reach = x.copy(), 1
    lead = (slice(None),) * (d % x.ndim)
    while reach < x.shape[d]:
        late, early = (*lead, slice(reach, None)), (*lead, slice(None, -reach))
        y[late] = combine(y[late], y[early].copy())
        reach *= 2
    return y


def _running(name: str, accumulate: str, formula: str) -> Any:
    @public(METHOD)
    @op(formula, name=name, outputs=("values", "indices"))
    def running(input, dim):
        check_ordered(name, input)
        lib, d = namespace(input), wrap_dim(dim, input.ndim)
        if not input.ndim:
            return input.copy(), lib.zeros((), "int64")
        combine = getattr(lib, accumulate)
        if lib is np:
            values = combine.accumulate(input, axis=d)
        else:
            values = _doubling(combine, input, d)
        place = lib.arange(input.shape[d]).reshape((-1,) + (1,) * (input.ndim - 1 - d))
        here = (input == values) | (input != input)  # NaN, too, is an extreme that stays
        return values, running_maximum(lib.where(here, place, 0), d)

    @running.vjp("input", r"\bar x_{\mathrm{index}_i} \mathrel{+}= \bar y_i")
    def _(g, input_shape, indices, dim):
        from labtorch.ops.indexing import scatter_along

        if not input_shape:
            return g[0] * 1
        return scatter_along(g[0], indices, wrap_dim(dim, len(input_shape)), input_shape)

    return running


cummax = _running("cummax", "maximum", r"y_i = \max_{j \le i} x_j")
cummin = _running("cummin", "minimum", r"y_i = \min_{j \le i} x_j")


@public(METHOD)
@op(r"y_i = \ln \sum_{j \le i} e^{x_j}")
def logcumsumexp(input, dim):
    d = wrap_dim(dim, input.ndim)
    if input.dtype.kind not in "fc":
        raise NotImplementedError(f'"logcumsumexp_out_cpu" not implemented for {input.dtype.name}')
    if not input.ndim:
        return input.copy()
    lib = namespace(input)
    if input.dtype.kind == "f":
        return (
            lib.logaddexp.accumulate(input, axis=d)
            if lib is np
            else _doubling(lib.logaddexp, input, d)
        )
    top = lib.max(input.real, axis=d, keepdims=True) if input.size else 0
    return lib.log(lib.cumsum(lib.exp(input - top), axis=d)) + top


@logcumsumexp.vjp("input", r"\bar x_i = \sum_{j \ge i} \bar y_j e^{x_i - y_j}")
def _(g, input, output, dim):
    if not g.ndim:
        return g
    array = getattr(input, "_array", input)
    top = 0.0
    if array.size and array.dtype.kind == "f":  # both exponents stay small
        finite = namespace(array).where(abs(array) < np.inf, array, 0)
        top = amax(finite, dim, True)
    return conj(exp(input - top)) * from_the_end(g * conj(exp(top - output)), dim)
