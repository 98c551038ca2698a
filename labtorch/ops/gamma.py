"""The gamma function and its relatives, in float64 by series with shifts.

Source of the formulas: NIST Digital Library of Mathematical Functions, chapters 5, 8 and 25.
"""

from __future__ import annotations

import math
from typing import Any

from labtorch.backend.arrays import is_array, namespace
from labtorch.backend.dtypes import promote
from labtorch.engine.composite import composite
from labtorch.engine.op import op
from labtorch.engine.public import ELEMENTWISE, FUNCTION, NOWHERE, public
from labtorch.ops.arithmetic import _floating, exp, log
from labtorch.ops.special import doubled, horner

# B_2k of Bernoulli, k = 1 to 10
BERNOULLI = (
    *(1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510),
    *(43867 / 798, -174611 / 330),
)
SHIFT = 10  # from where on the asymptotic series reach float64's last digits
STIRLING = tuple(b / (2 * k * (2 * k - 1)) for k, b in enumerate(BERNOULLI[:8], 1))[::-1]
DIGAMMA = tuple(b / (2 * k) for k, b in enumerate(BERNOULLI[:8], 1))[::-1]


def _log_gamma(lib: Any, x: Any) -> Any:
    """ln Gamma(x) for x > 0: Stirling's series (DLMF 5.11.1) at x + 10 if x is small."""
    small = x < SHIFT
    product = lib.ones_like(x)
    for k in range(SHIFT):
        product = product * lib.where(small, x + k, 1.0)
    z = lib.where(small, x + SHIFT, x)
    series = horner(1 / (z * z), STIRLING) / z
    found = (z - 0.5) * (lib.log(z) - 1) - 0.5 + math.log(2 * math.pi) / 2 + series
    found = found - lib.log(product)
    return lib.where((x == 1) | (x == 2), 0.0, lib.where(lib.isposinf(x), x, found))


@public(ELEMENTWISE, aliases="special.gammaln")
@op(r"y = \ln |\Gamma(x)|")
@doubled
def lgamma(input):
    """Infinite at 0, -1, -2, ...; negative x are reflected (DLMF 5.5.3)."""
    lib = namespace(input)
    left = input < 0.5
    y = _log_gamma(lib, lib.where(left, 1 - input, input))
    sine = lib.abs(lib.sin(math.pi * (input - lib.round(input))))
    reflected = math.log(math.pi) - lib.log(lib.where(left, sine, 1.0)) - y
    found = lib.where(left, reflected, y)
    pole = (input <= 0) & (input == lib.floor(input))
    return lib.where(pole, math.inf, found)


@lgamma.vjp("input", r"\bar x = \bar y \odot \psi(x)")
def _(g, input):
    return g * digamma(input)


@public(ELEMENTWISE, aliases="special.digamma special.psi")
@op(r"y = \psi(x) = \frac{\Gamma'(x)}{\Gamma(x)}")
@doubled
def digamma(input):
    """By the asymptotic series (DLMF 5.11.2) after a shift; negative x are reflected."""
    lib = namespace(input)
    left = input < 0
    x = lib.where(left, 1 - input, input)
    total = lib.zeros_like(x)
    for k in range(SHIFT):
        total = total + lib.where(x < SHIFT, 1 / lib.where(x + k == 0, 1.0, x + k), 0.0)
    z = lib.where(x < SHIFT, x + SHIFT, x)
    square = 1 / (z * z)
    y = lib.log(z) - 0.5 / z - horner(square, DIGAMMA) * square - total
    away = input - lib.round(input)
    reflected = y - math.pi / lib.tan(math.pi * lib.where(left & (away != 0), away, 0.25))
    y = lib.where(left, lib.where(away == 0, math.nan, reflected), y)
    pole = -lib.copysign(math.inf, input)
    return lib.where(input == 0, pole, lib.where(lib.isposinf(input), math.inf, y))


@digamma.vjp("input", r"\bar x = \bar y \odot \psi'(x)")
def _(g, input):
    return g * derivative_of_digamma(input, 1)


FAR = 10_000


def _zeta(lib: Any, s: Any, q: Any) -> Any:
    """The sum over k >= 0 of (q + k)^-s for s > 1: terms up to q + k = 10, and then the
    Euler-Maclaurin formula (DLMF 25.11.5)."""
    s, q = lib.broadcast_arrays(s, q)
    far = q < -FAR  # so many terms that nobody would wait for them
    finite = lib.where(lib.isfinite(q) & ~far, q, 1.0)
    steps = lib.maximum(SHIFT, lib.ceil(SHIFT - finite))
    total = lib.zeros(q.shape)
    for k in range(int(steps.max()) if steps.size else 0):
        total = total + lib.where(k < steps, lib.power(finite + k, -s), 0.0)
    a = finite + steps
    total = total + a ** (1 - s) / (s - 1) + a**-s / 2
    factor, power = s, a ** (-s - 1)
    for k, bernoulli in enumerate(BERNOULLI, 1):
        total = total + bernoulli / math.factorial(2 * k) * factor * power
        factor = factor * (s + 2 * k - 1) * (s + 2 * k)
        power = power / (a * a)
    total = lib.where(far, math.nan, total)
    whole = q == lib.floor(q)
    total = lib.where((q <= 0) & whole, math.inf, total)
    total = lib.where((q <= 0) & ~whole & (s != lib.floor(s)), math.nan, total)
    total = lib.where(lib.isposinf(q), 0.0, total)
    return lib.where(s > 1, total, lib.where(s == 1, math.inf, math.nan))


def _both_doubled(input: Any, other: Any) -> tuple[Any, Any, Any, Any]:
    """The array library, both operands in float64, and the dtype of the result."""
    lib = namespace(input if is_array(input) else other)
    dtype = _floating(lib.zeros((), promote(input, other))).dtype
    return lib, lib.asarray(input, "float64"), lib.asarray(other, "float64"), dtype


@public(NOWHERE, aliases="special.zeta")
@op(r"\zeta(s, q) = \sum_{k \ge 0} (q + k)^{-s}", broadcasts=True, name="special_zeta")
def zeta(input, other):
    """Hurwitz's zeta function."""
    lib, s, q, dtype = _both_doubled(input, other)
    return _zeta(lib, s, q).astype(dtype)


@zeta.vjp("other", r"\bar q = -\bar y \odot s\, \zeta(s + 1, q)")
def _(g, input, other):
    return -(g * (input * zeta(input + 1, other)))


@op(r"y = \psi^{(n)}(x) = (-1)^{n + 1} n!\, \zeta(n + 1, x)", name="polygamma")
def derivative_of_digamma(input, n):
    x = _floating(input)
    lib, sign = namespace(x), (-1.0) ** (n + 1)
    y = sign * math.factorial(n) * _zeta(lib, lib.asarray(n + 1.0), x.astype("float64"))
    return y.astype(x.dtype)


@derivative_of_digamma.vjp("input", r"\bar x = \bar y \odot \psi^{(n + 1)}(x)")
def _(g, input, n):
    return g * derivative_of_digamma(input, n + 1)


@public(FUNCTION, aliases="special.polygamma", out=True)
def polygamma(n: int, input: Any) -> Any:
    """The n-th derivative of digamma."""
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    return digamma(input) if n == 0 else derivative_of_digamma(input, n)


@public(NOWHERE, aliases="Tensor.polygamma Tensor.polygamma_")
def polygamma_method(input: Any, n: int) -> Any:
    """The n-th derivative of digamma."""
    return polygamma(n, input)


@public(ELEMENTWISE, aliases="special.multigammaln")
@composite
def mvlgamma(input: Any, p: int) -> Any:
    """ln of the gamma function of p x p matrices (DLMF 35.3.4)."""
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    total: Any = p * (p - 1) / 4 * math.log(math.pi)
    for j in range(p):
        total = lgamma(input - j / 2) + total
    return total


def _gamma_shares(lib: Any, a: Any, x: Any) -> tuple[Any, Any]:
    """P(a, x) and Q(a, x) = 1 - P: a series where x < a + 1 (DLMF 8.11.4), else Lentz's method on
    the continued fraction (DLMF 8.9.2), until no element changes any more."""
    a, x = lib.broadcast_arrays(a, x)
    usual = (a > 0) & (x > 0) & lib.isfinite(a) & lib.isfinite(x)
    A, X = lib.where(usual, a, 1.0), lib.where(usual, x, 1.0)
    front = lib.exp(A * lib.log(X) - X - _log_gamma(lib, A))
    below = X < A + 1
    term = total = 1 / A
    for k in range(1, 10000):
        term = term * lib.where(below, X / (A + k), 0.0)
        total = total + term
        if not (term > total * 1e-17).any():
            break
    P = front * total
    b = lib.where(below, 2.0, X + 1 - A)
    c, d = lib.full_like(b, 1e300), 1 / b
    fraction = d
    for k in range(1, 10000):
        step = -k * (k - lib.where(below, 0.5, A))
        b = b + 2
        d = 1 / (step * d + b)
        c = b + step / c
        fraction = fraction * c * d
        if not (lib.abs(c * d - 1) > 1e-16)[~below].any():
            break
    Q = lib.where(below, 1 - P, front * fraction)
    P = lib.where(below, P, 1 - Q)
    # the borders: Q = 1 at x = 0 (save a = 0), 0 at a = 0 or x = inf; NaN outside
    Q = lib.where(usual, Q, lib.where(x == 0, 1.0, lib.where(lib.isposinf(a), 1.0, 0.0)))
    P = lib.where(usual, P, 1 - Q)
    bad = (a < 0) | (x < 0) | lib.isnan(a + x) | ((a == 0) & (x == 0)) | lib.isposinf(a) & (a == x)
    return lib.where(bad, math.nan, P), lib.where(bad, math.nan, Q)


def _check_two_tensors(name: str, input: Any, other: Any) -> None:
    for place, each in enumerate((input, other), 1):
        if not is_array(each):
            raise TypeError(f"{name}(): argument {place} must be Tensor, not {type(each).__name__}")
        if each.dtype.kind != "f":
            raise NotImplementedError(f'"{name}" not implemented for {each.dtype.name}')


def _density(input: Any, other: Any) -> Any:
    """dP / dx."""
    return exp((input - 1) * log(other) - other - lgamma(input))


@public(ELEMENTWISE, aliases="special.gammainc")
@op(r"P(a, x) = \frac{1}{\Gamma(a)} \int_0^x t^{a - 1} e^{-t}\,\mathrm{d}t", broadcasts=True)
def igamma(input, other):
    """The share of the gamma distribution of shape a that lies below x."""
    _check_two_tensors("igamma", input, other)
    lib, a, x, dtype = _both_doubled(input, other)
    return _gamma_shares(lib, a, x)[0].astype(dtype)


@igamma.vjp("other", r"\bar x = \bar y \odot x^{a - 1} e^{-x} / \Gamma(a)")
def _(g, input, other):
    return g * _density(input, other)


@public(ELEMENTWISE, aliases="special.gammaincc")
@op(r"Q(a, x) = \frac{1}{\Gamma(a)} \int_x^\infty t^{a - 1} e^{-t}\,\mathrm{d}t", broadcasts=True)
def igammac(input, other):
    """The share of the gamma distribution of shape a that lies above x."""
    _check_two_tensors("igammac", input, other)
    lib, a, x, dtype = _both_doubled(input, other)
    return _gamma_shares(lib, a, x)[1].astype(dtype)


@igammac.vjp("other", r"\bar x = -\bar y \odot x^{a - 1} e^{-x} / \Gamma(a)")
def _(g, input, other):
    return -(g * _density(input, other))
