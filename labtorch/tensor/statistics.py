"""Order statistics, counts, moments: functions made of sorting, sums and searches."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from labtorch.backend.arrays import namespace
from labtorch.backend.dtypes import get_default_dtype
from labtorch.engine.composite import composite
from labtorch.engine.public import ELEMENTWISE, FUNCTION, METHOD, public
from labtorch.engine.results import return_type
from labtorch.engine.variable import wrap
from labtorch.ops import arithmetic, indexing, reduction, scan, shape
from labtorch.ops.reduction import wrap_dim
from labtorch.tensor import functions
from labtorch.tensor.arranging import movedim
from labtorch.tensor.tensor import Tensor

VALUES = ("values", "indices")


def _pick(input: Tensor, dim: int, keepdim: bool, name: str, places: Any) -> Any:
    """The elements at `places` (an array with dim kept, size 1) and these places, by name."""
    d = wrap_dim(dim, input.ndim)
    indices = wrap(places.astype(np.int64))
    if not input.ndim:
        return return_type(name, VALUES)(shape.clone(input), wrap(places.astype(np.int64)))
    values = indexing.gather(input, d, indices)
    if not keepdim:
        values, indices = shape.squeeze(values, d), shape.squeeze(indices, d)
    return return_type(name, VALUES)(values, indices)


def _median_places(array: Any, d: int, skip_nan: bool, name: str) -> Any:
    """Where the lower median stands; a NaN, unless skipped, is the median."""
    lib = namespace(array)
    if not array.ndim:
        return lib.zeros((), np.int64)
    reduction.refuse_empty(name, array, d)
    order = lib.argsort(array, axis=d, kind="stable")
    nan = (array != array).sum(axis=d, keepdims=True)
    n = array.shape[d]
    middle = (n - 1) // 2 + 0 * nan
    if skip_nan:
        middle = lib.maximum((n - nan - 1) // 2, 0)
    else:  # NaN sorts last: the first of them
        middle = lib.where(nan > 0, n - nan, middle)
    return lib.take_along_axis(order, middle, d)


def _median(name: str, skip_nan: bool) -> Any:
    def median(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
        array = input._array
        if array.dtype.kind in "cb":
            raise NotImplementedError(f'"{name}" not implemented for {array.dtype.name}')
        if dim is not None:
            d = wrap_dim(dim, input.ndim)
            return _pick(input, d, keepdim, name, _median_places(array, d, skip_nan, name))
        flat = array.reshape(-1)
        if not flat.size:
            return wrap(namespace(array).full((), math.nan, array.dtype))
        return reduction.element(input, int(_median_places(flat, 0, skip_nan, name)[0]))

    median.__name__ = name
    lead = "The middle element in order (of an even number, the lower one)"
    median.__doc__ = f"{lead}{', past NaN' if skip_nan else ''}; with `dim`, its place, too."
    return public(METHOD, out=True)(composite(median))


median, nanmedian = _median("median", False), _median("nanmedian", True)


@public(out=True)
@composite
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The k-th smallest element along `dim`, and where it was."""
    d = wrap_dim(dim, input.ndim)
    n = input.shape[d] if input.ndim else 1
    if not 1 <= k <= n:
        raise RuntimeError(
            f"kthvalue(): selected number k out of range for dimension {d}: k={k} of {n} elements"
        )
    if not input.ndim:
        return _pick(input, d, keepdim, "kthvalue", namespace(input._array).zeros((), np.int64))
    order = namespace(input._array).argsort(input._array, axis=d, kind="stable")
    places = order[(slice(None),) * d + (slice(k - 1, k),)]
    return _pick(input, d, keepdim, "kthvalue", places)


@public(out=True)
@composite
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """The most frequent element along `dim` (of several, the smallest), and its last place."""
    d = wrap_dim(dim, input.ndim)
    if not input.ndim:
        return _pick(input, d, keepdim, "mode", namespace(input._array).zeros((), np.int64))
    array = input._array
    reduction.refuse_empty("mode", array, d)
    lib = namespace(array)
    order = lib.argsort(array, axis=d, kind="stable")
    ranked = lib.moveaxis(lib.take_along_axis(array, order, d), d, -1)
    place = lib.arange(ranked.shape[-1])
    new = lib.ones(ranked.shape, bool)
    new[..., 1:] = ranked[..., 1:] != ranked[..., :-1]
    start = scan.running_maximum(lib.where(new, place, 0), -1)
    length = place - start + 1  # how often the element has come up to this place
    last = lib.expand_dims(length.argmax(-1), -1)
    return _pick(
        input, d, keepdim, "mode", lib.take_along_axis(order, lib.moveaxis(last, -1, d), d)
    )


def _quantile(name: str, skip_nan: bool) -> Any:
    def quantile(
        input: Tensor,
        q: Any,
        dim: int | None = None,
        keepdim: bool = False,
        *,
        interpolation: str = "linear",
    ) -> Tensor:
        if input.dtype.name not in ("float32", "float64"):
            raise RuntimeError(f"{name}() input tensor must be either float or double dtype")
        given = q._array if isinstance(q, Tensor) else np.asarray(q, input._array.dtype)
        if given.ndim > 1:
            raise RuntimeError(f"{name}() q must be a scalar or 1D tensor")
        if given.dtype != input._array.dtype:
            raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor")
        if not isinstance(q, Tensor) and not 0 <= q <= 1:
            raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q}")
        if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
            raise RuntimeError(
                f"{name}() interpolation must be one of linear, lower, higher, midpoint or "
                f"nearest, but got {interpolation}"
            )
        if not input.numel():
            raise RuntimeError(f"{name}() input tensor must be non-empty")
        if dim is None:
            rows, kept = functions.reshape(input, (1, -1)), (1,) * input.ndim
        else:
            d = wrap_dim(dim, input.ndim)
            moved = input if not input.ndim else movedim(input, d, -1)
            kept = tuple(1 if i == d else n for i, n in enumerate(input.shape))
            rows = functions.reshape(moved, (-1, input.shape[d] if input.ndim else 1))
        qs = functions.reshape(q, (-1,)) if isinstance(q, Tensor) else given.reshape(-1)
        found = [_row_quantiles(rows, qs[i], interpolation, skip_nan) for i in range(given.size)]
        without = () if dim is None else kept[:d] + kept[d + 1 :]
        final = kept if keepdim else without
        values = [functions.reshape(each, final) for each in found]
        return values[0] if not given.ndim else shape.stack(values, 0)

    quantile.__name__ = name
    quantile.__doc__ = (
        f"The value below which a share q of the elements lies{', past NaN' if skip_nan else ''}."
    )
    return public(METHOD, out=True)(composite(quantile))


def _row_quantiles(rows: Tensor, q: Any, how: str, skip_nan: bool) -> Tensor:
    array = rows._array
    lib = namespace(array)
    order = lib.argsort(array, axis=1, kind="stable")
    nan = (array != array).sum(1, keepdims=True)
    last = array.shape[1] - 1
    if skip_nan:
        last = lib.maximum(last - nan, 0)
    whole = q * wrap((last + 0 * nan).astype(array.dtype))
    place = whole._array
    if not skip_nan:  # NaN sorts last: where there is one, it is the quantile
        place = lib.where(nan > 0, array.shape[1] - 1, place)
    below, above = lib.floor(place), lib.ceil(place)
    if how == "nearest":
        below = above = lib.round(place)
    elif how in ("lower", "higher"):
        below = above = below if how == "lower" else above
    low, high = (
        indexing.gather(rows, 1, wrap(lib.take_along_axis(order, at.astype(np.int64), 1)))
        for at in (below, above)
    )
    if how in ("nearest", "lower", "higher"):
        return low
    if how == "midpoint":
        return low + (high - low) * 0.5
    return low + (high - low) * (whole - wrap(below.astype(array.dtype)))


quantile, nanquantile = _quantile("quantile", False), _quantile("nanquantile", True)


# -------------------------------------------------------------------- sums and moments
@public(out=True)
@composite
def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum of the elements that are not NaN."""
    if input.is_complex():
        raise RuntimeError("nansum does not support complex inputs")
    numbers = input if not input.is_floating_point() else _without_nan(input)
    return reduction.sum(numbers, dim, keepdim, dtype)


def _without_nan(input: Tensor) -> Tensor:
    return arithmetic.where(wrap(input._array == input._array), input, 0.0)


@public(out=True)
@composite
def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean of the elements that are not NaN."""
    if not (input.is_floating_point() or input.is_complex()):
        raise RuntimeError(
            "nanmean(): expected input to have floating point or complex dtype but got "
            f"{input.dtype}"
        )
    there = wrap((input._array == input._array).astype(input._array.real.dtype))
    total = reduction.sum(_without_nan(input), dim, keepdim, dtype)
    return total / reduction.sum(there, dim, keepdim)


@public()
def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many elements are not 0."""
    return reduction.sum(input != 0, dim)


@public(out=True)
@composite
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """The least and the largest element."""
    if dim is None and not input.numel():
        raise RuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no "
            "identity."
        )
    least = reduction.amin(input, dim, keepdim)
    return return_type("aminmax", ("min", "max"))(least, reduction.amax(input, dim, keepdim))


def _with_mean(name: str, spread: Any) -> Any:
    def both(
        input: Tensor,
        dim: Any = None,
        unbiased: Any = None,
        keepdim: bool = False,
        *,
        correction: Any = None,
    ) -> tuple[Tensor, Tensor]:
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        first = spread(input, dim, unbiased, keepdim, correction=correction)
        return first, reduction.mean(input, dim, keepdim)

    both.__name__ = name
    both.__doc__ = f"{name.split('_')[0]} and mean, as a pair."
    return public(FUNCTION, out=True)(composite(both))


var_mean, std_mean = _with_mean("var_mean", functions.var), _with_mean("std_mean", functions.std)


@public(out=True)
@composite
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of the difference."""
    return functions.norm(input - other, float(p))


@public(ELEMENTWISE, out=True)
@composite
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Each slice along `dim` shortened to a p-norm of at most maxnorm."""
    if p <= 0:
        raise RuntimeError("non-positive-norm not supported")
    if input.ndim < 2:
        raise RuntimeError(f"input must have at least 2 dimensions, got {input.ndim} dimensions")
    if maxnorm < 0:
        raise RuntimeError(f"expected maxnorm to be >= 0 but got {maxnorm}")
    d = wrap_dim(dim, input.ndim)
    others = tuple(i for i in range(input.ndim) if i != d)
    size = functions.norm(input, p, others, True)
    scale = arithmetic.where(wrap(size._array > maxnorm), maxnorm / (size + 1e-7), 1.0)
    return input * scale


@public()
@composite
def cov(
    input: Tensor, *, correction: int = 1, fweights: Any = None, aweights: Any = None
) -> Tensor:
    """The covariance of the rows: each a variable, its columns observations."""
    if input.ndim > 2:
        raise RuntimeError(
            f"cov(): expected input to have two or fewer dimensions but got an input with "
            f"{input.ndim} dimensions"
        )
    if input.dtype.name == "bool":
        raise RuntimeError("cov(): bool dtype is not supported for input")
    rows = functions.reshape(input, (1, -1)) if input.ndim < 2 else input
    rows = rows if rows.is_floating_point() or rows.is_complex() else rows.to(get_default_dtype())
    weights = _covariance_weights(rows, fweights, aweights)
    if weights is None:
        n, centre = rows.shape[1], reduction.mean(rows, 1, True)
        total: Any = n
        lost: Any = correction
    else:
        total = weights.sum()
        centre = (rows * weights).sum(1, True) / total
        lost = correction if aweights is None else correction * (weights * aweights).sum() / total
    centred = rows - centre
    weighted = centred if weights is None else centred * weights
    norm = total - lost
    if isinstance(norm, Tensor):
        norm = arithmetic.clamp(norm, 0)
    product = weighted @ arithmetic.conj(centred).T
    out = product / (norm if isinstance(norm, Tensor) else max(norm, 0))
    return shape.squeeze(out)


def _covariance_weights(rows: Tensor, fweights: Any, aweights: Any) -> Any:
    """The product of the frequencies and the weights of the observations."""
    for name, given in (("fweights", fweights), ("aweights", aweights)):
        if given is None:
            continue
        if given.ndim > 1:
            raise RuntimeError(
                f"cov(): expected {name} to have one or fewer dimensions but got {name} with "
                f"{given.ndim} dimensions"
            )
        if name == "fweights" and given._array.dtype.kind not in "ui":
            raise RuntimeError(
                f"cov(): expected fweights to have integral dtype but got fweights with "
                f"{given.dtype} dtype"
            )
        if name == "aweights" and given._array.dtype.kind != "f":
            raise RuntimeError(
                f"cov(): expected aweights to have floating point dtype but got "
                f"aweights with {given.dtype} dtype"
            )
        if given.numel() != rows.shape[1]:
            raise RuntimeError(
                f"cov(): expected {name} to have the same numel as there are observations in the "
                f"input but got {given.numel()} != {rows.shape[1]}"
            )
        if (given._array < 0).any():
            raise RuntimeError(f"cov(): {name} cannot be negative")
    if fweights is None or aweights is None:
        return aweights if fweights is None else fweights
    return fweights * aweights


@public()
@composite
def corrcoef(input: Tensor) -> Tensor:
    """Pearson's correlation of the rows."""
    if input.ndim > 2:
        raise RuntimeError(
            f"corrcoef(): expected input to have two or fewer dimensions but got an input with "
            f"{input.ndim} dimensions"
        )
    c = cov(input)
    if not c.ndim:
        return c / c
    deviation = arithmetic.sqrt(shape.diagonal(c).real)
    return c / deviation.unsqueeze(-1) / deviation.unsqueeze(-2)


# -------------------------------------------------------------------- counts and places
@public()
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each non-negative integer occurs; with weights, their sums."""
    array = input._array
    if array.ndim != 1 or array.dtype.kind not in "ui" or (array.size and array.min() < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    if weights is not None and weights.shape != input.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    given = None if weights is None else weights._array
    if not array.size:
        kind = np.int64 if given is None else given.dtype
        return wrap(namespace(array).zeros(minlength, kind))
    counted = namespace(array).bincount(array.astype(np.int64), given, minlength)
    if given is not None and given.dtype == np.float32:
        counted = counted.astype(np.float32)
    return wrap(counted)


@public(out=True)
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements fall into each of `bins` equal parts of [min, max]."""
    array = input._array
    if bins <= 0:
        raise RuntimeError(f"torch.histc(): bins must be > 0, but got {bins}")
    low, high = min, max
    if low == high and array.size:
        low, high = array.min().item(), array.max().item()
    if low == high:
        low, high = low - 1, high + 1
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"range of [{low}, {high}] is not finite")
    if low > high:
        raise RuntimeError("torch.histc: max must be larger than min")
    counted, _ = namespace(array).histogram(array, bins, (float(low), float(high)))
    return wrap(counted.astype(array.dtype))


@public(METHOD)
def histogram(
    input: Tensor, bins: Any, *, range: Any = None, weight: Any = None, density: bool = False
) -> Any:
    """The counts in `bins` equal parts, or between the given edges; and the edges."""
    array = input._array
    lib, edges = namespace(array), bins._array if isinstance(bins, Tensor) else bins
    if isinstance(bins, int):
        low, high = range or (
            (array.min().item(), array.max().item()) if array.size else (0.0, 1.0)
        )
        if low == high:
            low, high = low - 0.5, high + 0.5
        edges = lib.linspace(low, high, bins + 1).astype(array.dtype)
    given = None if weight is None else weight._array.reshape(-1)
    counted, edges = lib.histogram(array.reshape(-1), edges, weights=given, density=density)
    names = ("hist", "bin_edges")
    results = (wrap(lib.asarray(x).astype(array.dtype)) for x in (counted, edges))
    return return_type("histogram", names)(*results)


@public(FUNCTION, out=True)
def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Where each element would be put into a sorted sequence (rows into rows)."""
    if side not in (None, "left", "right"):
        raise RuntimeError(
            f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}"
        )
    if side == "left" and right:
        raise RuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left "
            "while right was True"
        )
    edges, lib = sorted_sequence._array, namespace(sorted_sequence._array)
    if sorter is not None:
        edges = lib.take_along_axis(edges, sorter._array, -1)
    values = input._array if isinstance(input, Tensor) else lib.asarray(input)
    if edges.ndim > 1 and (values.ndim != edges.ndim or values.shape[:-1] != edges.shape[:-1]):
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 "
            "dimensions of boundaries tensor and input value tensor must match, but we got "
            f"boundaries tensor {list(edges.shape)} and input value tensor {list(values.shape)}"
        )
    where: Any = "right" if right or side == "right" else "left"
    to = np.int32 if out_int32 else np.int64
    if not edges.size or not values.size:
        return wrap(lib.zeros(values.shape, to))
    if edges.ndim <= 1:
        return wrap(lib.asarray(lib.searchsorted(edges, values, where)).astype(to))
    rows = edges.reshape(-1, edges.shape[-1]), values.reshape(-1, values.shape[-1])
    found = [lib.searchsorted(e, v, where) for e, v in zip(*rows)]
    return wrap(lib.stack(found).astype(to).reshape(values.shape))


@public(FUNCTION, out=True)
def bucketize(
    input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """Between which boundaries each element lies."""
    if boundaries.ndim != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({boundaries.ndim})")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@public()
def unique_consecutive(
    input: Tensor,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The elements (slices, with `dim`) with repeats that follow each other left out."""
    array = input._array
    lib = namespace(array)
    rows = array.reshape(-1) if dim is None else lib.moveaxis(array, dim, 0)
    flat = rows.reshape(len(rows), -1)
    new = lib.ones(len(rows), bool)
    new[1:] = (flat[1:] != flat[:-1]).any(1)
    kept = rows[new] if dim is None else lib.moveaxis(rows[new], 0, dim)
    inverse = lib.cumsum(new) - 1
    starts = lib.flatnonzero(new)
    counts = lib.diff(lib.concatenate([starts, lib.full(1, len(rows), starts.dtype)]))
    asked = [wrap(lib.ascontiguousarray(kept))]
    if return_inverse:
        asked.append(wrap(inverse.reshape(array.shape) if dim is None else inverse))
    if return_counts:
        asked.append(wrap(counts))
    return tuple(asked) if len(asked) > 1 else asked[0]


@public(FUNCTION)
def isin(
    elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """Which elements are among `test_elements`."""
    given = (elements, test_elements)
    lib = namespace(next(x._array for x in given if isinstance(x, Tensor)))
    a, b = (x._array if isinstance(x, Tensor) else lib.asarray(x) for x in given)
    return wrap(lib.asarray(lib.isin(a, b, assume_unique=assume_unique, invert=invert)))


# -------------------------------------------------------------------- differences and areas
@public(out=True)
@composite
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None
) -> Tensor:
    """The n-th differences of neighbours along `dim`."""
    if not input.ndim:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    d = wrap_dim(dim, input.ndim)
    if n == 0:
        return shape.clone(input)
    parts = [each for each in (prepend, input, append) if each is not None]
    x = shape.cat(parts, d) if len(parts) > 1 else input
    for _ in range(min(n, x.shape[d])):
        size = x.shape[d] - 1
        after, before = shape.narrow(x, d, 1, size), shape.narrow(x, d, 0, size)
        x = after ^ before if x.dtype.name == "bool" else after - before
    return x


def _steps(y: Tensor, x: Any, dx: Any, dim: int) -> tuple[Tensor, Any]:
    """Means of neighbours, and the distances between them."""
    d = wrap_dim(dim, y.ndim)
    n = y.shape[d]
    if n == 0:
        return y, 1.0
    means = (shape.narrow(y, d, 1, n - 1) + shape.narrow(y, d, 0, n - 1)) / 2
    if x is None:
        return means, dx
    width = diff(x, dim=0 if x.ndim == 1 else dim)
    if x.ndim == 1:
        width = functions.reshape(width, (-1,) + (1,) * (y.ndim - 1 - d))
    return means, width


@public(FUNCTION, aliases="trapz")
@composite
def trapezoid(y: Tensor, x: Any = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The area under y by trapezoids, with abscissae x or their distance dx."""
    means, width = _steps(y, x, 1.0 if dx is None else dx, dim)
    return reduction.sum(means * width, dim)


@public(FUNCTION)
@composite
def cumulative_trapezoid(y: Tensor, x: Any = None, *, dx: Any = None, dim: int = -1) -> Tensor:
    """The area up to each place."""
    means, width = _steps(y, x, 1.0 if dx is None else dx, dim)
    return reduction.cumsum(means * width, dim)


@public(FUNCTION)
@composite
def gradient(
    input: Tensor, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1
) -> tuple[Tensor, ...]:
    """Central differences along each dimension (one-sided at the ends), as one tensor each.

    `spacing` is a distance, one per dimension, or a tensor of coordinates per dimension.
    """
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    chosen = range(input.ndim) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    dims = [wrap_dim(d, input.ndim) for d in chosen]
    spacing = 1 if spacing is None else spacing
    if input._array.dtype.kind not in "fc":
        input = input.to(get_default_dtype())
    steps = list(spacing) if isinstance(spacing, (tuple, list)) else [spacing] * len(dims)
    if len(steps) != len(dims):
        raise RuntimeError(
            f"torch.gradient expected spacing to be unspecified, a scalar, or of {len(dims)} "
            f"elements, one per dimension, but got {len(steps)}"
        )
    return tuple(_slope(input, d, step, edge_order) for d, step in zip(dims, steps))


def _slope(x: Tensor, d: int, step: Any, edge_order: int) -> Tensor:
    """dx by second-order differences for unequal distances, along dimension d."""
    n = x.shape[d]
    if n <= edge_order:
        raise RuntimeError(
            "torch.gradient expected each dimension size to be at least edge_order+1"
        )
    at = step._array if isinstance(step, Tensor) else namespace(x._array).arange(n) * step
    if at.ndim == 0:
        at = namespace(x._array).arange(n) * at.item()
    column = lambda a: wrap(a.astype(x._array.dtype).reshape((-1,) + (1,) * (x.ndim - 1 - d)))  # noqa: E731
    part = lambda start, size: shape.narrow(x, d, start, size)  # noqa: E731
    h = namespace(at).diff(at)
    parts = []
    if n > 2:
        a, b = h[:-1], h[1:]
        weights = -b / (a * (a + b)), (b - a) / (a * b), a / (b * (a + b))
        inner = [column(w) * part(i, n - 2) for i, w in enumerate(weights)]
        parts = [inner[0] + inner[1] + inner[2]]
    for first in (True, False):
        i, j = (0, 1) if first else (n - 2, n - 1)
        end = (part(j, 1) - part(i, 1)) / float(h[i])
        if edge_order == 2:  # a parabola through the last three
            a, b = (float(h[0]), float(h[1])) if first else (float(h[-1]), float(h[-2]))
            sign = 1 if first else -1
            three = (0, 1, 2) if first else (n - 1, n - 2, n - 3)
            weights = -(2 * a + b) / (a * (a + b)), (a + b) / (a * b), -a / (b * (a + b))
            terms = [part(k, 1) * (w * sign) for k, w in zip(three, weights)]
            end = terms[0] + terms[1] + terms[2]
        parts.insert(0 if first else len(parts), end)
    return shape.cat(parts, d)


@public(out=True)
def msort(input: Tensor) -> Tensor:
    """In order along the first dimension."""
    return functions.sort(input, 0).values
