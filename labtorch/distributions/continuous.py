"""Distributions over real numbers, whose draws are differentiable functions of the parameters."""

from __future__ import annotations

import math
from typing import Any

from labtorch.backend import dtypes
from labtorch.distributions import constraints
from labtorch.distributions.distribution import Distribution, broadcast, register_kl
from labtorch.ops.linalg import cholesky, inv, solve_triangular
from labtorch.ops.special import erf
from labtorch.tensor import functions, random
from labtorch.tensor.tensor import Tensor

EULER = 0.57721566490153286060  # Euler's constant


class _LocationScale(Distribution):
    """loc + scale times a draw of the standard form."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    def _uniform(self, sample_shape: Any) -> Tensor:
        """Uniform draws on (0, 1), without the ends."""
        u = random.rand(self._extended(sample_shape), dtype=self.loc.dtype)
        limits = dtypes.finfo(u.dtype)
        return u.clamp(limits.tiny, 1 - limits.eps)

    def _standard(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return (value - self.loc) / self.scale

    @property
    def mean(self) -> Tensor:
        return self.loc


class Normal(_LocationScale):
    """exp(-z^2 / 2) / (scale sqrt(2 pi)), z = (x - loc) / scale."""

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        z = random.randn(self._extended(sample_shape), dtype=self.loc.dtype)
        return self.loc + z * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        z = self._standard(value)
        return -z * z / 2 - self.scale.log() - math.log(math.sqrt(2 * math.pi))

    def entropy(self) -> Tensor:
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()

    def cdf(self, value: Tensor) -> Tensor:
        return 0.5 * (1 + erf(self._standard(value) / math.sqrt(2)))

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self.scale.square()


class LogNormal(_LocationScale):
    """exp of a normal draw."""

    support = constraints.positive

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return Normal(self.loc, self.scale).rsample(sample_shape).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return Normal(self.loc, self.scale).log_prob(value.log()) - value.log()

    def entropy(self) -> Tensor:
        return Normal(self.loc, self.scale).entropy() + self.loc

    @property
    def mean(self) -> Tensor:
        return (self.loc + self.scale.square() / 2).exp()

    @property
    def variance(self) -> Tensor:
        square = self.scale.square()
        return square.expm1() * (2 * self.loc + square).exp()


class Laplace(_LocationScale):
    """exp(-|z|) / (2 scale)."""

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        u = self._uniform(sample_shape) - 0.5
        return self.loc - self.scale * u.sign() * (-2 * u.abs()).log1p()

    def log_prob(self, value: Tensor) -> Tensor:
        return -self._standard(value).abs() - (2 * self.scale).log()

    def entropy(self) -> Tensor:
        return 1 + (2 * self.scale).log()

    @property
    def variance(self) -> Tensor:
        return 2 * self.scale.square()


class Gumbel(_LocationScale):
    """exp(-(z + exp(-z))) / scale: the largest of many draws."""

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.loc - self.scale * (-self._uniform(sample_shape).log()).log()

    def log_prob(self, value: Tensor) -> Tensor:
        z = self._standard(value)
        return -(z + (-z).exp()) - self.scale.log()

    def entropy(self) -> Tensor:
        return self.scale.log() + (1 + EULER)

    @property
    def mean(self) -> Tensor:
        return self.loc + self.scale * EULER

    @property
    def variance(self) -> Tensor:
        return self.scale.square() * (math.pi**2 / 6)


class Uniform(Distribution):
    """1 / (high - low) on [low, high)."""

    arg_constraints = {"low": constraints.real, "high": constraints.real}
    has_rsample = True

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = broadcast(low, high)
        super().__init__(self.low.shape, (), validate_args)
        if self._validate_args and not bool((self.low < self.high).all()):
            raise ValueError(
                f"Expected parameter low of distribution {self} to satisfy the constraint "
                f"{constraints.less_than(self.high.max().item())}"
            )

    @property
    def support(self) -> Any:  # type: ignore[override]
        return constraints.interval(self.low, self.high)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        u = random.rand(self._extended(sample_shape), dtype=self.low.dtype)
        return self.low + u * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        inside = (self.low <= value) & (value < self.high)
        return inside.to(self.low.dtype).log() - (self.high - self.low).log()

    def entropy(self) -> Tensor:
        return (self.high - self.low).log()

    def cdf(self, value: Tensor) -> Tensor:
        return ((value - self.low) / (self.high - self.low)).clamp(0, 1)

    @property
    def mean(self) -> Tensor:
        return (self.high + self.low) / 2

    @property
    def variance(self) -> Tensor:
        return (self.high - self.low).square() / 12


class Exponential(Distribution):
    """rate exp(-rate x) for x >= 0."""

    arg_constraints = {"rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast(rate)
        super().__init__(self.rate.shape, (), validate_args)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        u = random.rand(self._extended(sample_shape), dtype=self.rate.dtype)
        return -(-u).log1p() / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return self.rate.log() - self.rate * value

    def entropy(self) -> Tensor:
        return 1 - self.rate.log()

    def cdf(self, value: Tensor) -> Tensor:
        return 1 - (-self.rate * value).exp()

    @property
    def mean(self) -> Tensor:
        return 1 / self.rate

    @property
    def variance(self) -> Tensor:
        return 1 / self.rate.square()


class MultivariateNormal(Distribution):
    """Normal vectors with mean `loc` and a covariance, its inverse, or L with covariance L L^T."""

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = [x for x in (covariance_matrix, precision_matrix, scale_tril) if x is not None]
        if loc.ndim < 1:
            raise ValueError("loc must be at least one-dimensional.")
        if len(given) != 1:
            raise ValueError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be "
                "specified."
            )
        (matrix,) = given
        if matrix.ndim < 2:
            raise ValueError("the matrix must be at least two-dimensional, with optional batches")
        n = loc.shape[-1]
        batch = broadcast(loc[..., 0], matrix[..., 0, 0])[0].shape
        self.loc, self._matrix = loc.expand(*batch, n), matrix.expand(*batch, n, n)
        if covariance_matrix is not None:
            self.covariance_matrix = self._matrix
        elif precision_matrix is not None:
            self.precision_matrix = self._matrix
        else:
            self.scale_tril = self._matrix
        super().__init__(batch, (n,), validate_args)
        if covariance_matrix is not None:
            self._root = cholesky(self._matrix)
        elif precision_matrix is not None:
            self._root = cholesky(inv(self._matrix))
        else:
            self._root = self._matrix

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        z = random.randn(self._extended(sample_shape), dtype=self.loc.dtype)
        return self.loc + (self._root @ z.unsqueeze(-1)).squeeze(-1)

    def _half_log_det(self) -> Tensor:
        return self._root.diagonal(0, -2, -1).log().sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        off = (value - self.loc).unsqueeze(-1)
        root = self._root.expand(*off.shape[:-2], *self._root.shape[-2:])
        z = solve_triangular(root, off, upper=False).squeeze(-1)
        n = self.event_shape[0]
        return -0.5 * (n * math.log(2 * math.pi) + z.square().sum(-1)) - self._half_log_det()

    def entropy(self) -> Tensor:
        return 0.5 * self.event_shape[0] * (1 + math.log(2 * math.pi)) + self._half_log_det()

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self._root.square().sum(-1)


@register_kl(Normal, Normal)
def _(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale).square()
    off = ((p.loc - q.loc) / q.scale).square()
    return 0.5 * (ratio + off - 1 - ratio.log())


@register_kl(Uniform, Uniform)
def _(p: Uniform, q: Uniform) -> Tensor:
    outside = (q.low > p.low) | (q.high < p.high)
    found = ((q.high - q.low) / (p.high - p.low)).log()
    return functions.where(outside, float("inf"), found)


@register_kl(Exponential, Exponential)
def _(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - ratio.log() - 1


@register_kl(Laplace, Laplace)
def _(p: Laplace, q: Laplace) -> Tensor:
    ratio, off = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + off / q.scale + ratio * (-off / p.scale).exp() - 1
