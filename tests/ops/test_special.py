"""Special functions beside exact values (from a library of many digits) and PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

import labtorch
from labtorch import special
from tests.oracle import same


def _values(name: str, *at: float) -> np.ndarray:
    return getattr(special, name)(labtorch.tensor(at, dtype=labtorch.float64)).numpy()


@pytest.mark.parametrize(
    ("name", "function", "at"),
    [
        ("bessel_j0", lambda m, x: m.besselj(0, x), [0.1, 2.0, 8.3, 19.7, 24.9, 25.1, 60.7]),
        ("bessel_j1", lambda m, x: m.besselj(1, x), [0.1, 2.0, 8.3, 19.7, 24.9, 25.1, 60.7]),
        ("bessel_y0", lambda m, x: m.bessely(0, x), [0.1, 2.0, 8.3, 19.7, 24.9, 25.1, 60.7]),
        ("bessel_y1", lambda m, x: m.bessely(1, x), [0.1, 2.0, 8.3, 19.7, 24.9, 25.1, 60.7]),
        ("i0", lambda m, x: m.besseli(0, x), [-3.0, 0.1, 24.0, 26.0]),
        ("i1", lambda m, x: m.besseli(1, x), [-3.0, 0.1, 24.0, 26.0]),
        ("modified_bessel_k0", lambda m, x: m.besselk(0, x), [0.01, 0.9, 1.1, 7.0, 80.0]),
        ("modified_bessel_k1", lambda m, x: m.besselk(1, x), [0.01, 0.9, 1.1, 7.0, 80.0]),
        ("airy_ai", lambda m, x: m.airyai(x), [-30.0, -10.1, -9.9, -1.0, 0.0, 1.0, 9.0, 60.0]),
        ("digamma", lambda m, x: m.digamma(x), [-3.7, 0.3, 2.2, 9.9, 30.0]),
        ("gammaln", lambda m, x: m.log(abs(m.gamma(x))), [-3.7, 0.3, 5.5, 9.9, 30.0]),
        ("erfc", lambda m, x: m.erfc(x), [-3.0, 0.3, 2.0, 20.0]),
        ("ndtr", lambda m, x: m.ncdf(x), [-20.0, -1.0, 0.5, 3.0]),
    ],
)
def test_is_right_to_the_last_digits(name, function, at):
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(30):
        true = [float(function(mpmath, x)) for x in at]
    np.testing.assert_allclose(_values(name, *at), true, rtol=2e-14, atol=1e-15)


def test_inverses_undo():
    y = np.array([1e-300, 1e-20, 0.003, 0.2, 0.5, 0.9])
    np.testing.assert_allclose(special.ndtr(special.ndtri(labtorch.tensor(y))).numpy(), y, 1e-12)
    y = np.array([-0.999999, -0.3, 1e-20, 0.4, 0.99])
    np.testing.assert_allclose(special.erf(special.erfinv(labtorch.tensor(y))).numpy(), y, 1e-14)


@pytest.mark.oracle
@pytest.mark.parametrize(
    "name",
    ["erf", "erfc", "erfcx", "erfinv", "ndtr", "ndtri", "log_ndtr", "entr", "logit", "sinc"]
    + ["gammaln", "digamma", "i0", "i0e", "i1", "i1e"],
)
def test_is_pytorchs_at_borders_and_with_its_gradient(name):
    edges = np.array([np.nan, np.inf, -np.inf, 0.0, 1.0, -1.0, 2.0, -2.0, 1e-300])
    same(lambda t, x: getattr(t.special, name)(x), edges, gradients=False)
    same(lambda t, x: getattr(t.special, name)(x), np.linspace(0.03, 0.97, 7))


@pytest.mark.oracle
def test_functions_of_two_arguments_are_pytorchs():
    a, b = np.array([0.0, 0.5, 3.0, 8.0]), np.array([0.0, 2.0, 2.5, 9.0])
    for name in ("gammainc", "gammaincc", "xlogy", "xlog1py", "zeta"):
        same(lambda t, a, b: getattr(t.special, name)(a, b), a, b, gradients=False)  # noqa: B023
    same(lambda t, x: t.polygamma(2, x) + x.mvlgamma(2), b[1:])
