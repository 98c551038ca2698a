"""Reductions: sums, means, extremes and products over dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.backend.arrays import namespace
from labtorch.backend.dtypes import as_numpy, check_ordered
from labtorch.engine.op import op
from labtorch.engine.public import ELEMENTWISE, public
from labtorch.ops.arithmetic import where
from labtorch.ops.shape import expand, squeeze, unsqueeze

any_builtin = any


def axes(dim: Any, ndim: int) -> tuple[int, ...] | None:
    """PyTorch's `dim` as NumPy's axes: None or () for all, negatives counted from the end."""
    if dim is None:
        return None
    dims = (dim,) if isinstance(dim, (int, np.integer)) else tuple(dim)
    if not dims:
        return None
    wrapped = tuple(wrap_dim(d, ndim) for d in dims)
    if len(set(wrapped)) < len(wrapped):
        raise RuntimeError(f"dim {dims} appears multiple times in the list of dims")
    return wrapped


def wrap_dim(dim: int, ndim: int) -> int:
    """A dimension counted from the front; PyTorch's IndexError outside of -ndim..ndim-1."""
    if not isinstance(dim, (int, np.integer)):
        raise TypeError(f"dim must be an int, not {type(dim).__name__}")
    span = ndim or 1  # a 0-d tensor has dims -1 and 0
    if not -span <= dim < span:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-span}, {span - 1}], "
            f"but got {dim})"
        )
    return int(dim) % span


def spread(g: Any, shape: tuple, dim: Any, keepdim: bool) -> Any:
    """A reduced gradient back to `shape`, the same number at every place that was reduced."""
    reduced = axes(dim, len(shape))
    if reduced is not None and not keepdim and shape:
        for each in sorted(reduced):
            g = unsqueeze(g, each)
    elif reduced is None and not keepdim and shape:
        g = g.reshape((1,) * len(shape))
    return expand(g, shape)


@public()
@op(r"y = \sum_i x_i")
def sum(input, dim=None, keepdim=False, dtype=None):
    to = as_numpy(dtype)
    if to is None and input.dtype.kind in "bui":
        to = np.dtype("int64")
    reduced = axes(dim, input.ndim) if input.ndim else None
    return namespace(input).add.reduce(input, axis=reduced, dtype=to, keepdims=keepdim)


@sum.vjp("input", r"\bar x_i = \bar y")
def _(g, input_shape, dim, keepdim):
    return spread(g, input_shape, dim, keepdim)


@public()
@op(r"y = \frac{1}{n} \sum_i x_i")
def mean(input, dim=None, keepdim=False, dtype=None):
    to = as_numpy(dtype)
    if (to or input.dtype).kind in "bui":
        raise RuntimeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or "
            f"complex dtype. Got: {input.dtype}. Convert it first: x.float().mean()"
        )
    reduced = axes(dim, input.ndim) if input.ndim else None
    total = namespace(input).add.reduce(input, axis=reduced, dtype=to, keepdims=keepdim)
    n = count(input.shape, dim)
    return total / n if n else total * float("nan")


@mean.vjp("input", r"\bar x_i = \bar y / n")
def _(g, input_shape, dim, keepdim):
    return spread(g / count(input_shape, dim), input_shape, dim, keepdim)


def count(shape: tuple, dim: Any) -> int:
    """How many elements go into each result of a reduction."""
    reduced = axes(dim, len(shape)) if shape else None
    return int(np.prod(shape if reduced is None else [shape[d] for d in reduced], dtype=np.int64))


@public()
@op(r"y = \prod_i x_i")
def prod(input, dim=None, keepdim=False, dtype=None):
    to = as_numpy(dtype)
    if to is None and input.dtype.kind in "bui":
        to = np.dtype("int64")
    reduced = None if dim is None or not input.ndim else wrap_dim(dim, input.ndim)
    return namespace(input).prod(input, axis=reduced, dtype=to, keepdims=keepdim)


@prod.vjp("input", r"\bar x_i = \bar y \prod_{j \ne i} x_j")
def _(g, input, input_shape, output, dim, keepdim):
    # a product of the others even where x_i is 0: multiply prefixes and suffixes
    if not input_shape:
        return g * 1
    if dim is None:
        return _others(input.reshape((-1,)), 0).reshape(input_shape) * g
    d = wrap_dim(dim, len(input_shape))
    return _others(input, d) * (g if keepdim else unsqueeze(g, d))


def _others(x: Any, d: int) -> Any:
    """Along dimension d, the product of all elements but the one at each place."""
    from labtorch.ops.shape import narrow, stack

    if not x.shape[d]:
        return x
    n = x.shape[d]
    parts = [squeeze(narrow(x, d, i, 1), d) for i in range(n)]
    before, after = [None] * n, [None] * n
    for i in range(1, n):
        before[i] = parts[i - 1] if before[i - 1] is None else before[i - 1] * parts[i - 1]
    for i in range(n - 2, -1, -1):
        after[i] = parts[i + 1] if after[i + 1] is None else after[i + 1] * parts[i + 1]
    one = parts[0] * 0 + 1
    pairs = [(before[i], after[i]) for i in range(n)]
    return stack([_product(a, b, one) for a, b in pairs], d)


def _product(a: Any, b: Any, one: Any) -> Any:
    return one if a is None and b is None else b if a is None else a if b is None else a * b


def refuse_empty(name: str, input: Any, dim: Any) -> None:
    """Refuse the extreme of no elements."""
    if input.size:
        return
    reduced = axes(dim, input.ndim) if input.ndim else None
    if reduced is None:
        kind: Any = IndexError if name.startswith("arg") else RuntimeError
        raise kind(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
            "reduction dim with the 'dim' argument."
        )
    if any_builtin(not input.shape[d] for d in reduced):
        raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")


def _extreme(name: str, compare: str) -> Any:
    @public()
    @op(rf"y = \{name}_i x_i", name=f"a{name}")
    def extreme(input, dim=None, keepdim=False):
        check_ordered(name, input)
        refuse_empty(f"a{name}", input, dim)
        return getattr(namespace(input), name)(
            input, axis=axes(dim, input.ndim) if input.ndim else None, keepdims=keepdim
        )

    @extreme.vjp("input", r"\bar x_i = \bar y\,[x_i = y] \,/\, \#\{j : x_j = y\}")
    def _(g, input, input_shape, output, dim, keepdim):
        here = input == spread(output, input_shape, dim, keepdim)
        ties = sum(where(here, 1.0, 0.0), dim, True)
        return where(here, spread(g, input_shape, dim, keepdim) / expand(ties, input_shape), 0.0)

    return extreme


amax = _extreme("max", ">")
amin = _extreme("min", "<")


@op(r"y = x_k")
def element(input, place):
    """One element, counted over the whole tensor; those equal to it share its gradient."""
    return input.reshape(-1)[place]


@element.vjp("input", r"\bar x_i = \bar y\,[x_i = y] \,/\, \#\{j : x_j = y\}")
def _(g, input, output):
    here = input == output
    return where(here, g / sum(where(here, 1.0, 0.0)), 0.0)


def _extreme_along(name: str) -> Any:
    @op(rf"y = \{name}_i x_i", name=name, outputs=("values", "indices"))
    def extreme(input, dim, keepdim=False):
        check_ordered(name, input)
        refuse_empty(name, input, dim)
        lib, d = namespace(input), wrap_dim(dim, input.ndim)
        if not input.ndim:
            return input.copy(), lib.zeros((), "int64")
        indices = lib.expand_dims(getattr(lib, f"arg{name}")(input, axis=d), d)
        values = lib.take_along_axis(input, indices, d)
        if not keepdim:
            values, indices = values.squeeze(d), indices.squeeze(d)
        return values, indices

    @extreme.vjp("input", rf"\bar x_i = \bar y\,[\, i = \arg\{name}_j x_j \,]")
    def _(g, input_shape, indices, dim, keepdim):
        from labtorch.ops.indexing import scatter_along

        if not input_shape:
            return g[0] * 1
        d = wrap_dim(dim, len(input_shape))
        values = g[0] if keepdim else unsqueeze(g[0], d)
        return scatter_along(values, indices if keepdim else unsqueeze(indices, d), d, input_shape)

    return extreme


max_along = _extreme_along("max")
min_along = _extreme_along("min")


def _arg(name: str) -> Any:
    @public()
    @op(rf"y = \arg\{name}_i x_i", name=f"arg{name}")
    def arg(input, dim=None, keepdim=False):
        check_ordered(f"arg{name}", input)
        refuse_empty(f"arg{name}", input, dim)
        lib = namespace(input)
        if dim is None:
            return lib.asarray(getattr(lib, f"arg{name}")(input)).reshape(
                (1,) * input.ndim if keepdim else ()
            )
        if not input.ndim:
            return lib.zeros((), "int64")
        return getattr(lib, f"arg{name}")(input, axis=wrap_dim(dim, input.ndim), keepdims=keepdim)

    return arg


argmax = _arg("max")
argmin = _arg("min")


@op(r"y = \text{the places that sort } x")
def sort_order(input, dim, descending=False):
    """Equal elements keep their order."""
    lib = namespace(input)
    if not descending:
        return lib.argsort(input, axis=dim, kind="stable")
    back = lib.flip(lib.argsort(lib.flip(input, dim), axis=dim, kind="stable"), dim)
    return lib.ascontiguousarray(input.shape[dim] - 1 - back)


@public()
@op(r"y = \bigwedge_i x_i")
def all(input, dim=None, keepdim=False):
    reduced = axes(dim, input.ndim) if input.ndim else None
    y = namespace(input).all(input, axis=reduced, keepdims=keepdim)
    return y.astype(input.dtype) if input.dtype == "uint8" else y


@public()
@op(r"y = \bigvee_i x_i")
def any(input, dim=None, keepdim=False):
    reduced = axes(dim, input.ndim) if input.ndim else None
    y = namespace(input).any(input, axis=reduced, keepdims=keepdim)
    return y.astype(input.dtype) if input.dtype == "uint8" else y


@op(r"\sigma^2 = \frac{1}{n - c} \sum_i (x_i - \mu)^2")
def var(input, dim=None, correction=1, keepdim=False):
    if input.dtype.kind not in "fc":
        raise RuntimeError(
            "std and var only support floating point and complex dtypes, "
            f"not {input.dtype}. Convert it first: x.float().var()"
        )
    reduced = axes(dim, input.ndim) if input.ndim else None
    with np.errstate(all="ignore"):
        return namespace(input).var(input, axis=reduced, ddof=correction, keepdims=keepdim)


@var.vjp("input", r"\bar x_i = \frac{2}{n - c}\,\bar y\,(x_i - \mu)")
def _(g, input, input_shape, dim, correction, keepdim):
    n = count(input_shape, dim)
    scale = 2 / (n - correction) if n != correction else float("nan")
    return spread(g, input_shape, dim, keepdim) * (input - mean(input, dim, True)) * scale


@public(ELEMENTWISE)
@op(r"y_i = \sum_{j \le i} x_j")
def cumsum(input, dim, dtype=None):
    to = as_numpy(dtype) or (np.dtype("int64") if input.dtype.kind in "bui" else None)
    if not input.ndim:
        wrap_dim(dim, 0)
        return input.astype(to or input.dtype)
    return namespace(input).cumsum(input, axis=wrap_dim(dim, input.ndim), dtype=to)


@cumsum.vjp("input", r"\bar x_i = \sum_{j \ge i} \bar y_j")
def _(g, dim):  # a sum from the end: the total, less what came before
    if not g.ndim:
        return g
    return sum(g, dim, True) - cumsum(g, dim) + g


@public(aliases="special.logsumexp")
@op(r"y = \ln \sum_i e^{x_i}")
def logsumexp(input, dim, keepdim=False):
    lib = namespace(input)
    reduced = axes(dim, input.ndim) if input.ndim else None
    x = input if input.dtype.kind in "fc" else input.astype("float32")
    top = lib.max(x, axis=reduced, keepdims=True)
    top = lib.where(lib.isfinite(top), top, 0).astype(x.dtype)
    total = lib.sum(lib.exp(x - top), axis=reduced, keepdims=True)
    with np.errstate(divide="ignore"):
        y = lib.log(total) + top
    return y if keepdim else lib.squeeze(y, axis=reduced)


@logsumexp.vjp("input", r"\bar x_i = \bar y\, e^{x_i - y}")
def _(g, input, input_shape, output, dim, keepdim):
    from labtorch.ops.arithmetic import exp

    y = spread(output, input_shape, dim, keepdim)
    return spread(g, input_shape, dim, keepdim) * exp(input - y)
