"""Reductions and normalisations that leave elements out: those where the mask is False.

Each fills those elements with what does not count in it (0 in a sum, -inf in a maximum) and is
then the function of the same name.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from labtorch.backend import dtypes
from labtorch.backend.arrays import namespace
from labtorch.engine.composite import composite
from labtorch.engine.public import NOWHERE, public
from labtorch.engine.variable import wrap
from labtorch.ops import arithmetic, elementwise, linalg, reduction, scan
from labtorch.tensor import statistics
from labtorch.tensor.tensor import Tensor


def _masked(name: str) -> Any:
    """Declare `masked.<name>`."""

    def declare(function: Any) -> Any:
        function.__name__ = name
        return public(NOWHERE, aliases=f"masked.{name}")(composite(function))

    return declare


def _mask_of(input: Tensor, mask: Any) -> Any:
    """The mask as an array in the shape of the input."""
    if mask.ndim > input.ndim:
        raise IndexError(
            "_input_mask expected broadcastable mask (got mask dimensionality higher than of the "
            "input)"
        )
    return namespace(mask._array).broadcast_to(mask._array.astype(bool), input._array.shape)


def _filled(input: Tensor, mask: Any, value: Any) -> Tensor:
    if mask is None:
        return input
    fill = namespace(input._array).full((), value, input._array.dtype)
    return arithmetic.where(wrap(_mask_of(input, mask)), input, wrap(fill))


def _dims(dim: Any, ndim: int) -> tuple[int, ...]:
    """All dimensions where none is named."""
    if dim is None or dim == ():
        return tuple(range(ndim))
    return (dim,) if isinstance(dim, int) else tuple(dim)


def _lowest(dtype: np.dtype) -> Any:
    return -math.inf if dtype.kind in "fc" else np.iinfo(dtype).min


def _highest(dtype: np.dtype) -> Any:
    return math.inf if dtype.kind in "fc" else np.iinfo(dtype).max


def _to(x: Tensor, dtype: Any) -> Tensor:
    return x if x.dtype is dtype else x.to(dtype)


def _summed_dtype(input: Tensor, dtype: Any) -> Any:
    """Small integers are added up in int64."""
    if dtype is not None:
        return dtype
    return dtypes.int64 if input._array.dtype.kind in "bui" else input.dtype


@_masked("sum")
def masked_sum(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Tensor:
    """The sum of the elements that the mask leaves in; 0 of none."""
    kind = _summed_dtype(input, dtype)
    return _filled(input, mask, 0).sum(_dims(dim, input.ndim), bool(keepdim), dtype=kind)


@_masked("prod")
def masked_prod(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Tensor:
    """The product of the elements that the mask leaves in; 1 of none."""
    result = _to(_filled(input, mask, 1), _summed_dtype(input, dtype))
    dims = sorted((reduction.wrap_dim(d, input.ndim) for d in _dims(dim, input.ndim)), reverse=True)
    for d in dims:
        result = reduction.prod(result, d, bool(keepdim))
    return result


@_masked("cumsum")
def masked_cumsum(input: Tensor, dim: int, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """Running sums that pass over what the mask leaves out."""
    return reduction.cumsum(_to(_filled(input, mask, 0), dtype or input.dtype), dim, input.dtype)


@_masked("cumprod")
def masked_cumprod(input: Tensor, dim: int, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """Running products that pass over what the mask leaves out."""
    return _to(scan.cumprod(_filled(input, mask, 1), dim), dtype or input.dtype)


@_masked("amax")
def masked_amax(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Tensor:
    """The largest of the elements that the mask leaves in."""
    x = _filled(input, mask, _lowest(input._array.dtype))
    found = reduction.amax(x, _dims(dim, input.ndim), bool(keepdim))
    return _to(found, dtype or input.dtype)


@_masked("amin")
def masked_amin(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Tensor:
    """The smallest of the elements that the mask leaves in."""
    x = _filled(input, mask, _highest(input._array.dtype))
    found = reduction.amin(x, _dims(dim, input.ndim), bool(keepdim))
    return _to(found, dtype or input.dtype)


@_masked("argmax")
def masked_argmax(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Tensor:
    """The place of the largest element that the mask leaves in, as a number of input's dtype."""
    x = _filled(input, mask, _lowest(input._array.dtype))
    return reduction.argmax(x, dim, bool(keepdim)).to(dtype or input.dtype)


@_masked("argmin")
def masked_argmin(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Tensor:
    """The place of the smallest element that the mask leaves in, as a number of input's dtype."""
    x = _filled(input, mask, _highest(input._array.dtype))
    return reduction.argmin(x, dim, bool(keepdim)).to(dtype or input.dtype)


def _count(input: Tensor, mask: Any, dim: Any, keepdim: bool) -> Tensor:
    ones = namespace(input._array).ones
    kept = ones(input._array.shape, bool) if mask is None else _mask_of(input, mask)
    return wrap(kept).sum(_dims(dim, input.ndim), keepdim)


@_masked("mean")
def masked_mean(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Tensor:
    """The mean of the elements that the mask leaves in; NaN of none."""
    kind = dtype or input.dtype
    if not (kind.is_floating_point or kind.is_complex):
        raise ValueError(
            "mean(): Could not infer output dtype. "
            f"{'Input' if dtype is None else 'Optional'} dtype must be either a floating point or "
            f"complex dtype. Got: {kind}"
        )
    total = masked_sum(input, dim, keepdim=keepdim, dtype=kind, mask=mask)
    return total / _count(input, mask, dim, bool(keepdim))


@_masked("median")
def masked_median(
    input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Tensor:
    """The lower median of the elements that the mask leaves in."""
    floating = input.is_floating_point()
    x = input if floating else input.to(dtypes.float32)
    found = statistics.nanmedian(_filled(x, mask, math.nan), dim, keepdim)[0]
    if floating:
        return found
    if (found._array != found._array).any():
        raise ValueError(
            "masked median expects no fully masked out rows if dtype is not floating point"
        )
    return found.to(dtype or input.dtype)


@_masked("logsumexp")
def masked_logsumexp(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Tensor:
    """ln of the sum of exp of the elements that the mask leaves in."""
    x = _filled(input, mask, _lowest(input._array.dtype))
    found = reduction.logsumexp(x, _dims(dim, input.ndim), bool(keepdim))
    return _to(found, dtype or input.dtype)


@_masked("logaddexp")
def masked_logaddexp(
    input: Tensor,
    other: Tensor,
    *,
    dtype: Any = None,
    input_mask: Any = None,
    other_mask: Any = None,
) -> Tensor:
    """ln(exp a + exp b), without what the masks leave out."""
    a, b = _filled(input, input_mask, -math.inf), _filled(other, other_mask, -math.inf)
    return _to(elementwise.logaddexp(a, b), dtype or input.dtype)


@_masked("norm")
def masked_norm(
    input: Tensor,
    ord: float = 2.0,
    dim: Any = None,
    *,
    keepdim: bool = False,
    dtype: Any = None,
    mask: Any = None,
) -> Tensor:
    """The norm of the elements that the mask leaves in."""
    x = _filled(input, mask, math.inf if ord == -math.inf else 0)
    return linalg.vector_norm(x, ord, _dims(dim, input.ndim), bool(keepdim), dtype)


@_masked("normalize")
def masked_normalize(
    input: Tensor,
    ord: float,
    dim: int,
    *,
    eps: float = 1e-12,
    dtype: Any = None,
    mask: Any = None,
) -> Tensor:
    """The elements that the mask leaves in, divided by their norm (at least eps)."""
    size = masked_norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    least = wrap(namespace(size._array).full((), eps, size._array.dtype))
    return _filled(input, mask, 0) / arithmetic.maximum(size, least)


def _variance(
    input: Tensor,
    dim: Any,
    unbiased: Any,
    correction: Any,
    keepdim: bool,
    dtype: Any,
    mask: Any,
) -> Tensor:
    if unbiased is not None and correction is not None:
        raise AssertionError("Only one of unbiased and correction may be given")
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    kind = dtype or (input.dtype if input._array.dtype.kind in "fc" else dtypes.float32)
    count = _count(input, mask, dim, True)
    mean = masked_sum(input, dim, keepdim=True, dtype=kind, mask=mask) / count
    deviation = _to(input, kind) - mean
    squares = deviation * arithmetic.conj(deviation)
    total = masked_sum(squares, dim, keepdim=keepdim, dtype=kind, mask=mask)
    degrees = (count._array - correction).clip(0, None).reshape(total._array.shape)
    return total / wrap(degrees.astype(np.zeros(0, total._array.dtype).real.dtype))


@_masked("var")
def masked_var(
    input: Tensor,
    dim: Any = None,
    unbiased: Any = None,
    *,
    correction: Any = None,
    keepdim: bool = False,
    dtype: Any = None,
    mask: Any = None,
) -> Tensor:
    """The variance of the elements that the mask leaves in."""
    return _variance(input, dim, unbiased, correction, bool(keepdim), dtype, mask)


@_masked("std")
def masked_std(
    input: Tensor,
    dim: Any = None,
    unbiased: Any = None,
    *,
    correction: Any = None,
    keepdim: bool = False,
    dtype: Any = None,
    mask: Any = None,
) -> Tensor:
    """The standard deviation of the elements that the mask leaves in."""
    return arithmetic.sqrt(_variance(input, dim, unbiased, correction, bool(keepdim), dtype, mask))


@_masked("softmax")
def masked_softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """softmax over the elements that the mask leaves in; 0 for the others."""
    return _filled(input, mask, _lowest(input._array.dtype)).softmax(dim, dtype or input.dtype)


@_masked("log_softmax")
def masked_log_softmax(input: Tensor, dim: int, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """log_softmax over the elements that the mask leaves in; -inf for the others."""
    return _filled(input, mask, _lowest(input._array.dtype)).log_softmax(dim, dtype or input.dtype)


@_masked("softmin")
def masked_softmin(input: Tensor, dim: int, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """softmax of what is negated; 0 for what the mask leaves out."""
    x = _filled(input, mask, _highest(input._array.dtype))
    return (-x).softmax(dim, dtype or input.dtype)
