"""Normalisation, and distances of normalised vectors."""

from __future__ import annotations

from collections.abc import Sequence

from labtorch.engine.apply import apply
from labtorch.engine.composite import composite
from labtorch.ops import arithmetic, normalization
from labtorch.ops.reduction import sum as sum_along
from labtorch.tensor import functions
from labtorch.tensor.tensor import Tensor


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Mean 0 and variance 1 over the last dimensions, then an affine map."""
    return apply(normalization.layer_norm, (input, tuple(normalized_shape), weight, bias, eps))


def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """Root mean square 1 over the last dimensions, then a scale."""
    return apply(normalization.rms_norm, (input, tuple(normalized_shape), weight, eps))


@composite
def normalize(
    input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """Divide by the p-norm along `dim` (by eps where that is less)."""
    length = functions.norm(input, p, dim, True)
    return input / arithmetic.clamp(length, eps)


@composite
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 . x2 / (|x1| |x2|) along `dim`; a norm less than eps counts as eps."""
    a = arithmetic.clamp(functions.norm(x1, 2, dim, True), eps)
    b = arithmetic.clamp(functions.norm(x2, 2, dim, True), eps)
    return sum_along((x1 / a) * (x2 / b), dim)


@composite
def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension."""
    return functions.norm(x1 - x2 + eps, p, -1, keepdim)
