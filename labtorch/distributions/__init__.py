"""Probability distributions: draws, densities, entropies, divergences."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from labtorch.backend.absent import explains as _explains
from labtorch.distributions import constraints
from labtorch.distributions.continuous import (
    Exponential,
    Gumbel,
    Laplace,
    LogNormal,
    MultivariateNormal,
    Normal,
    Uniform,
)
from labtorch.distributions.discrete import Bernoulli, Categorical, Geometric, OneHotCategorical
from labtorch.distributions.distribution import (
    Distribution,
    Independent,
    kl_divergence,
    register_kl,
)

__all__ = [
    "Bernoulli",
    "Categorical",
    "Distribution",
    "Exponential",
    "Geometric",
    "Gumbel",
    "Independent",
    "Laplace",
    "LogNormal",
    "MultivariateNormal",
    "Normal",
    "OneHotCategorical",
    "Uniform",
    "constraints",
    "kl_divergence",
    "register_kl",
]

if not _TYPE_CHECKING:
    __getattr__ = _explains("distributions", globals())
