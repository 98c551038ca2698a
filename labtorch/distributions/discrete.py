"""Distributions over classes and counts. No gradient flows through their draws."""

from __future__ import annotations

from typing import Any

from labtorch.backend import dtypes
from labtorch.distributions import constraints
from labtorch.distributions.distribution import Distribution, broadcast, register_kl
from labtorch.engine.modes import no_grad
from labtorch.nn import functional as F
from labtorch.tensor import creation, random
from labtorch.tensor.tensor import Size, Tensor


def _clamped(probs: Tensor) -> Tensor:
    """Probabilities whose logarithms are finite."""
    eps = dtypes.finfo(probs.dtype).eps
    return probs.clamp(eps, 1 - eps)


def _one_of(probs: Any, logits: Any) -> None:
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")


class Categorical(Distribution):
    """One of n classes, by probabilities (..., n), or by logits: their logarithms plus anything."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        _one_of(probs, logits)
        if probs is not None:
            if probs.ndim < 1:
                raise ValueError("`probs` parameter must be at least one-dimensional.")
            self.probs = self._param = probs / probs.sum(-1, keepdim=True)
        elif logits is not None:
            if logits.ndim < 1:
                raise ValueError("`logits` parameter must be at least one-dimensional.")
            self.logits = self._param = logits - logits.logsumexp(-1, keepdim=True)
        self._num_events = self._param.shape[-1]
        super().__init__(self._param.shape[:-1], (), validate_args)

    def __getattr__(self, name: str) -> Any:
        """The one of probs and logits that was not given, on demand."""
        if name == "probs":
            self.probs = found = self.logits.softmax(-1)
        elif name == "logits":
            self.logits = found = _clamped(self.probs).log()
        else:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return found

    @property
    def support(self) -> Any:  # type: ignore[override]
        return constraints.integer_interval(0, self._num_events - 1)

    @property
    def param_shape(self) -> Size:
        return self._param.shape

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended(sample_shape)
        with no_grad():
            rows = self.probs.reshape(-1, self._num_events)
            drawn = random.multinomial(rows, Size(sample_shape).numel(), True)
        return drawn.T.reshape(shape)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        index = value.long().unsqueeze(-1)
        shape = broadcast(index[..., 0], self.logits[..., 0])[0].shape
        table = self.logits.expand(*shape, self._num_events)
        return table.gather(-1, index.expand(*shape, 1)).squeeze(-1)

    def entropy(self) -> Tensor:
        least = dtypes.finfo(self.logits.dtype).min
        return -(self.logits.clamp(min=least) * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = creation.arange(self._num_events)
        values = values.reshape(-1, *[1] * len(self.batch_shape))
        return values.expand(-1, *self.batch_shape) if expand else values

    @property
    def mode(self) -> Tensor:
        return self.probs.argmax(-1)

    @property
    def mean(self) -> Tensor:
        """NaN: classes are names, not numbers."""
        return creation.full(self.batch_shape, float("nan"), dtype=self._param.dtype)

    variance = mean


class OneHotCategorical(Categorical):
    """As `Categorical`, with a class as a row of the identity matrix."""

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(probs, logits, validate_args)
        self.event_shape = Size((self._num_events,))

    @property
    def support(self) -> Any:  # type: ignore[override]
        return constraints.one_hot

    def sample(self, sample_shape: Any = ()) -> Tensor:
        classes = Categorical(self.probs).sample(sample_shape)
        return F.one_hot(classes, self._num_events).to(self._param.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return (value * self.logits).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        n = self._num_events
        values = creation.eye(n).reshape(n, *[1] * len(self.batch_shape), n)
        return values.expand(n, *self.batch_shape, n) if expand else values

    @property
    def mode(self) -> Tensor:
        return F.one_hot(self.probs.argmax(-1), self._num_events).to(self._param.dtype)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def variance(self) -> Tensor:  # type: ignore[override]
        return self.probs * (1 - self.probs)


class Bernoulli(Distribution):
    """1 with probability `probs` = sigmoid(`logits`), else 0."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean
    has_enumerate_support = True

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        _one_of(probs, logits)
        if probs is not None:
            (self.probs,) = (self._param,) = broadcast(probs)
        else:
            (self.logits,) = (self._param,) = broadcast(logits)
        super().__init__(self._param.shape, (), validate_args)

    def __getattr__(self, name: str) -> Any:
        """The one of probs and logits that was not given, on demand."""
        if name == "probs":
            self.probs = found = self.logits.sigmoid()
        elif name == "logits":
            clamped = _clamped(self.probs)
            self.logits = found = clamped.log() - (-clamped).log1p()
        else:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return found

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with no_grad():
            return random.bernoulli(self.probs.expand(self._extended(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        logits, value = broadcast(self.logits, value)
        return -F.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Tensor:
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = creation.arange(2, dtype=self._param.dtype)
        values = values.reshape(-1, *[1] * len(self.batch_shape))
        return values.expand(-1, *self.batch_shape) if expand else values

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)


class Geometric(Distribution):
    """How many trials of probability `probs` fail before the first success: 0, 1, ..."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        _one_of(probs, logits)
        self.probs = broadcast(probs)[0] if logits is None else broadcast(logits)[0].sigmoid()
        super().__init__(self.probs.shape, (), validate_args)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with no_grad():
            u = random.rand(self._extended(sample_shape), dtype=self.probs.dtype)
            u = u.clamp(min=dtypes.finfo(u.dtype).tiny)
            return (u.log() / (-self.probs).log1p()).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return value * (-_clamped(self.probs)).log1p() + self.probs.log()

    def entropy(self) -> Tensor:
        return Bernoulli(self.probs).entropy() / self.probs

    @property
    def mean(self) -> Tensor:
        return 1 / self.probs - 1

    @property
    def variance(self) -> Tensor:
        return (1 / self.probs - 1) / self.probs


@register_kl(Categorical, Categorical)
def _(p: Categorical, q: Categorical) -> Tensor:
    return (p.probs * (p.logits - q.logits)).sum(-1)


@register_kl(Bernoulli, Bernoulli)
def _(p: Bernoulli, q: Bernoulli) -> Tensor:
    return p.probs * (p.logits - q.logits) + F.softplus(q.logits) - F.softplus(p.logits)
