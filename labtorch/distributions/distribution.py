"""What all distributions have in common, and those that are made of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labtorch.backend import dtypes
from labtorch.distributions import constraints
from labtorch.engine.modes import no_grad
from labtorch.tensor import creation
from labtorch.tensor.arranging import broadcast_tensors
from labtorch.tensor.tensor import Size, Tensor


class Distribution:
    """A batch of distributions, `batch_shape`, each over values of `event_shape`.

    A subclass sets its parameters before it calls this `__init__`, and defines `log_prob` and
    either `rsample` (draws through which gradients flow) or `sample`.
    """

    has_rsample = False
    has_enumerate_support = False
    arg_constraints: dict[str, constraints.Constraint] = {}
    support: Any = None
    _validate_args = True

    def __init__(
        self, batch_shape: Any = (), event_shape: Any = (), validate_args: bool | None = None
    ) -> None:
        self.batch_shape, self.event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            for name, constraint in self.arg_constraints.items():
                value = self.__dict__.get(name)  # a computed one, as probs of logits, is right
                if value is not None and not bool(constraint.check(value).all()):
                    raise ValueError(
                        f"Expected parameter {name} (Tensor of shape {tuple(value.shape)}) of "
                        f"distribution {self} to satisfy the constraint {constraint}, but found "
                        f"invalid values:\n{_shown(value)}"
                    )

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Check parameters and values, or trust them."""
        Distribution._validate_args = value

    # ---------------------------------------------------------------- draws
    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws that are a differentiable function of the parameters."""
        raise NotImplementedError(
            f"{type(self).__name__} has no rsample: no gradient flows through its draws. "
            "Weigh log_prob(sample) instead"
        )

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws: `sample_shape` times the batch."""
        with no_grad():
            return self.rsample(sample_shape)

    def _extended(self, sample_shape: Any) -> tuple[int, ...]:
        return (*sample_shape, *self.batch_shape, *self.event_shape)

    # ---------------------------------------------------------------- densities
    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density, or of the probability, at `value`."""
        raise NotImplementedError(f"{type(self).__name__}.log_prob")

    def _validate_sample(self, value: Any) -> None:
        if not self._validate_args:
            return
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        mine = (*self.batch_shape, *self.event_shape)
        for have, want in zip(tuple(value.shape)[::-1], mine[::-1]):
            if have != 1 and want not in (1, have):
                raise ValueError(
                    "Value is not broadcastable with batch_shape+event_shape: "
                    f"{value.shape} vs {Size(mine)}."
                )
        if self.support is not None and not bool(self.support.check(value).all()):
            raise ValueError(
                f"Expected value argument (Tensor of shape {tuple(value.shape)}) to be within the "
                f"support ({self.support}) of the distribution {self}, but found invalid "
                f"values:\n{_shown(value)}"
            )

    def prob(self, value: Tensor) -> Tensor:
        return self.log_prob(value).exp()

    def entropy(self) -> Tensor:
        """The mean of -log_prob."""
        raise NotImplementedError(f"{type(self).__name__}.entropy")

    def perplexity(self) -> Tensor:
        return self.entropy().exp()

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of values up to `value`."""
        raise NotImplementedError(f"{type(self).__name__}.cdf")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values that a discrete distribution can take."""
        raise NotImplementedError(f"{type(self).__name__}.enumerate_support")

    @property
    def mean(self) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}.mean")

    @property
    def variance(self) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}.variance")

    @property
    def stddev(self) -> Tensor:
        return self.variance.sqrt()

    def __repr__(self) -> str:
        shown = []
        for name in self.arg_constraints:
            value = self.__dict__.get(name)
            if value is not None:
                shown.append(f"{name}: {value.item() if value.numel() == 1 else value.shape}")
        return f"{type(self).__name__}({', '.join(shown)})"


def _shown(value: Tensor) -> Any:
    return value.item() if value.ndim == 0 else value


def broadcast(*values: Any) -> list[Tensor]:
    """Tensors of one shape; numbers take the dtype of the tensors."""
    given = [each for each in values if isinstance(each, Tensor)]
    dtype = given[0].dtype if given else dtypes.get_default_dtype()
    made = [x if isinstance(x, Tensor) else creation.tensor(x, dtype=dtype) for x in values]
    return list(broadcast_tensors(*made))


class Independent(Distribution):
    """The last dimensions of a batch taken for one event: their log-probabilities are added."""

    def __init__(
        self,
        base_distribution: Distribution,
        reinterpreted_batch_ndims: int,
        validate_args: bool | None = None,
    ) -> None:
        n, batch = reinterpreted_batch_ndims, base_distribution.batch_shape
        if n > len(batch):
            raise ValueError(
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), actual "
                f"{n} vs {len(batch)}"
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, n
        at = len(batch) - n
        event = (*batch[at:], *base_distribution.event_shape)
        super().__init__(batch[:at], event, validate_args)
        self.has_rsample = base_distribution.has_rsample

    def _joined(self, x: Tensor) -> Tensor:
        n = self.reinterpreted_batch_ndims
        return x.flatten(-n).sum(-1) if n else x

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return self.base_dist.sample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return self._joined(self.base_dist.log_prob(value))

    def entropy(self) -> Tensor:
        return self._joined(self.base_dist.entropy())

    @property
    def mean(self) -> Tensor:
        return self.base_dist.mean

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"


# ---------------------------------------------------------------- divergence
_DIVERGENCES: dict[tuple[type, type], Callable] = {}


def register_kl(type_p: type, type_q: type) -> Callable:
    """Declare how KL(p || q) is computed for two types of distributions."""

    def declare(function: Callable) -> Callable:
        _DIVERGENCES[type_p, type_q] = function
        return function

    return declare


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """KL(p || q): the mean of log p - log q over draws from p."""
    for of_p in type(p).__mro__:
        for of_q in type(q).__mro__:
            if (of_p, of_q) in _DIVERGENCES:
                return _DIVERGENCES[of_p, of_q](p, q)
    raise NotImplementedError(
        f"No KL(p || q) is implemented for p type {type(p).__name__} and q type "
        f"{type(q).__name__}: estimate it by (p.log_prob(x) - q.log_prob(x)).mean() for draws x of "
        "p, or declare it with register_kl"
    )


@register_kl(Independent, Independent)
def _(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError("KL of two Independent needs equal reinterpreted_batch_ndims")
    return p._joined(kl_divergence(p.base_dist, q.base_dist))
