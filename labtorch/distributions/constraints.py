"""Where parameters and values of distributions may lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labtorch.ops.decompositions import eigvalsh


class Constraint:
    """A set of numbers, or of vectors (`event_dim` 1), or of matrices (2): is x in it?"""

    def __init__(self, text: str, check: Callable[[Any], Any], event_dim: int = 0) -> None:
        self.text, self.check, self.event_dim = text, check, event_dim

    def __repr__(self) -> str:
        return self.text


def greater_than(lower: Any) -> Constraint:
    return Constraint(f"GreaterThan(lower_bound={lower})", lambda x: x > lower)


def less_than(upper: Any) -> Constraint:
    return Constraint(f"LessThan(upper_bound={upper})", lambda x: x < upper)


def interval(lower: Any, upper: Any) -> Constraint:
    text = f"Interval(lower_bound={lower}, upper_bound={upper})"
    return Constraint(text, lambda x: (x >= lower) & (x <= upper))


def integer_interval(lower: Any, upper: Any) -> Constraint:
    text = f"IntegerInterval(lower_bound={lower}, upper_bound={upper})"
    return Constraint(text, lambda x: (x % 1 == 0) & (x >= lower) & (x <= upper))


def independent(base: Constraint, ndims: int) -> Constraint:
    """All of the last `ndims` dimensions lie in `base`."""
    text = f"IndependentConstraint({base}, {ndims})"
    return Constraint(text, lambda x: base.check(x).flatten(-ndims).all(-1), base.event_dim + ndims)


def _one_hot(x: Any) -> Any:
    return ((x == 0) | (x == 1)).all(-1) & (x.sum(-1) == 1)


def _positive_definite(x: Any) -> Any:
    return (x - x.mT).abs().flatten(-2).amax(-1).lt(1e-6) & (eigvalsh(x) > 0).all(-1)


def _lower(x: Any) -> Any:
    return (x.tril() == x).flatten(-2).all(-1) & (x.diagonal(0, -2, -1) > 0).all(-1)


real = Constraint("Real()", lambda x: x == x)  # NaN differs from itself
real_vector = independent(real, 1)
positive = greater_than(0.0)
nonnegative = Constraint("GreaterThanEq(lower_bound=0.0)", lambda x: x >= 0)
unit_interval = interval(0.0, 1.0)
boolean = Constraint("Boolean()", lambda x: (x == 0) | (x == 1))
nonnegative_integer = Constraint(
    "IntegerGreaterThan(lower_bound=0)", lambda x: (x % 1 == 0) & (x >= 0)
)
simplex = Constraint(
    "Simplex()", lambda x: (x >= 0).all(-1) & ((x.sum(-1) - 1).abs() < 1e-6), event_dim=1
)
one_hot = Constraint("OneHot()", _one_hot, event_dim=1)
lower_cholesky = Constraint("LowerCholesky()", _lower, event_dim=2)
positive_definite = Constraint("PositiveDefinite()", _positive_definite, event_dim=2)
