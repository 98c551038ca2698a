"""The error function and its relatives, and other special functions built of elementary ones.

All are computed in float64 and given back in the dtype of the input.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from labtorch.backend.arrays import namespace
from labtorch.backend.fused import fused
from labtorch.engine.op import op
from labtorch.engine.public import ELEMENTWISE, NOWHERE, public
from labtorch.ops.arithmetic import _floating, _lib, cos, exp, log, log1p, sin, where

# W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969):
# numerators and denominators, the highest power first, for |x| < 0.46875, |x| < 4 and beyond.
SMALL = (
    (1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2)
    + (3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2)
    + (1.28261652607737228e3, 2.84423683343917062e3),
)
MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0)
    + (6.61191906371416295e1, 2.98635138197400131e2, 8.81952221241769090e2)
    + (1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2)
    + (1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3)
    + (3.43936767414372164e3, 1.23033935480374942e3),
)
LARGE = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1)
    + (1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242e0, 1.87295284992346725e0, 5.27905102951428412e-1)
    + (6.05183413124413191e-2, 2.33520497626869185e-3),
)


def _ratio(x: Any, fraction: tuple) -> Any:
    """The quotient of two polynomials (Horner's rule)."""
    above, below = (coefficients[0] for coefficients in fraction)
    for a, b in zip(fraction[0][1:], fraction[1][1:]):
        above, below = above * x + a, below * x + b
    return above / below


def doubled(kernel: Callable) -> Callable:
    """A forward that computes in float64; integers become the default dtype."""

    @functools.wraps(kernel)
    def forward(input: Any) -> Any:
        x = _floating(input)
        if x.dtype.kind == "c":
            raise NotImplementedError(f'"{kernel.__name__}" not implemented for {x.dtype.name}')
        return kernel(x.astype("float64")).astype(x.dtype)

    return forward


def horner(x: Any, coefficients: tuple) -> Any:
    """A polynomial, the highest power first."""
    y = coefficients[0]
    for each in coefficients[1:]:
        y = y * x + each
    return y


# ------------------------------------------------------------------------------- error function
def _gauss(lib: Any, x: Any) -> Any:
    """exp(-x^2) to the last digits: x is split, so that its square is not rounded (Cody)."""
    coarse = lib.trunc(x * 16) / 16
    return lib.exp(-coarse * coarse) * lib.exp(-(x - coarse) * (x + coarse))


def _scaled_tail(lib: Any, y: Any) -> Any:
    """exp(y^2) erfc(y) for y >= 0.46875."""
    middle = _ratio(lib.minimum(y, 4.0), MIDDLE)
    far = lib.maximum(y, 4.0)
    square = 1 / (far * far)
    return lib.where(
        y <= 4.0, middle, (1 / math.sqrt(math.pi) - square * _ratio(square, LARGE)) / far
    )


def _erf(lib: Any, x: Any) -> Any:
    y = lib.abs(x)
    small = x * _ratio(lib.minimum(y, 0.5) ** 2, SMALL)
    capped = lib.minimum(y, 30.0)
    return lib.where(
        y < 0.46875, small, lib.sign(x) * (1 - _gauss(lib, capped) * _scaled_tail(lib, capped))
    )


def _erfc(lib: Any, x: Any) -> Any:
    y = lib.abs(x)
    capped = lib.minimum(y, 30.0)
    tail = _gauss(lib, capped) * _scaled_tail(lib, capped)
    near = 1 - x * _ratio(lib.minimum(y, 0.5) ** 2, SMALL)
    return lib.where(y < 0.46875, near, lib.where(x < 0, 2 - tail, tail))


@public(ELEMENTWISE, aliases="special.erf")
@op(r"y = \frac{2}{\sqrt{\pi}} \int_0^x e^{-t^2}\,\mathrm{d}t")
@doubled
@fused
def erf(input):
    """The error function, to the last digits of float64."""
    return _erf(namespace(input), input)


@erf.vjp("input", r"\bar x = \bar y \odot \frac{2}{\sqrt{\pi}} e^{-x^2}")
def _(g, input):
    return g * (exp(-(input * input)) * (2 / math.sqrt(math.pi)))


@public(ELEMENTWISE, aliases="special.erfc")
@op(r"y = 1 - \operatorname{erf} x")
@doubled
def erfc(input):
    return _erfc(namespace(input), input)


@erfc.vjp("input", r"\bar x = -\bar y \odot \frac{2}{\sqrt{\pi}} e^{-x^2}")
def _(g, input):
    return g * (exp(-(input * input)) * (-2 / math.sqrt(math.pi)))


@public(NOWHERE, aliases="special.erfcx")
@op(r"y = e^{x^2} \operatorname{erfc} x", name="special_erfcx")
@doubled
def erfcx(input):
    lib = namespace(input)
    y = lib.abs(input)
    tail = _scaled_tail(lib, lib.maximum(y, 0.46875))
    near = lib.exp(lib.minimum(y, 0.5) ** 2) * _erfc(lib, lib.clip(input, -0.5, 0.5))
    left = 2 * lib.exp(input * input) - tail
    return lib.where(y < 0.46875, near, lib.where(input < 0, left, tail))


@erfcx.vjp("input", r"\bar x = \bar y \odot (2 x y - \tfrac{2}{\sqrt{\pi}})")
def _(g, input, output):
    return g * (output * input * 2 - 2 / math.sqrt(math.pi))


# M. Giles, "Approximating the erfinv function" (2012): single precision, for |w| < 5 and beyond,
# w = -ln(1 - y^2).
CENTRE = (
    *(2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087),
    *(-0.00125372503, -0.00417768164, 0.246640727, 1.50140941),
)
TAIL = (
    *(-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773),
    *(-0.0076224613, 0.00943887047, 1.00167406, 2.83297682),
)


def _inverse_erfc(lib: Any, t: Any) -> Any:
    """x >= 0 with erfc(x) = t, for 0 <= t <= 1: Giles' start, and Halley's steps."""
    w = -lib.log(t * (2 - t))
    root = lib.sqrt(lib.maximum(w, 5.0))
    logarithm = -lib.log(lib.minimum(t, 0.1))
    x = lib.where(w < 5.0, horner(w - 2.5, CENTRE), horner(root - 3.0, TAIL)) * (1 - t)
    far = lib.sqrt(logarithm - 0.5 * lib.log(math.pi * logarithm))
    x = lib.where(w > 16.0, far, x)
    for _ in range(3):
        # erf(x) - (1 - t), over its derivative; from either side without cancellation
        error = lib.where(t > 0.5, _erf(lib, x) - (1 - t), t - _erfc(lib, x))
        error = error * (math.sqrt(math.pi) / 2) / _gauss(lib, x)
        x = lib.where(lib.isfinite(x) & (t > 0), x - error / (1 + x * error), x)
    return lib.where(t > 0, lib.where(t == 1, 0.0, x), math.inf)


@public(ELEMENTWISE, aliases="special.erfinv")
@op(r"x = \operatorname{erf} y")
@doubled
def erfinv(input):
    """The inverse of the error function: infinite at -1 and 1, NaN beyond."""
    lib = namespace(input)
    y = lib.abs(input)
    x = lib.sign(input) * _inverse_erfc(lib, 1 - lib.minimum(y, 1.0))
    tiny = input * (math.sqrt(math.pi) / 2)  # 1 - y rounds y away
    for _ in range(4):
        tiny = tiny - (_erf(lib, tiny) - input) * (math.sqrt(math.pi) / 2)
    return lib.where(y <= 1, lib.where(y < 0.01, tiny, x), math.nan)


@erfinv.vjp("input", r"\bar x = \bar y \odot \frac{\sqrt{\pi}}{2} e^{y^2}")
def _(g, output):
    return g * (exp(output * output) * (math.sqrt(math.pi) / 2))


@public(NOWHERE, aliases="special.ndtr")
@op(r"y = \Phi(x)", name="special_ndtr")
@doubled
def ndtr(input):
    """The share of the normal distribution below x."""
    return _erfc(namespace(input), input * -math.sqrt(0.5)) / 2


@ndtr.vjp("input", r"\bar x = \bar y \odot \frac{1}{\sqrt{2 \pi}} e^{-x^2 / 2}")
def _(g, input):
    return g * (exp(input * input * -0.5) / math.sqrt(2 * math.pi))


@public(NOWHERE, aliases="special.log_ndtr")
@op(r"y = \ln \Phi(x)", name="special_log_ndtr")
@doubled
def log_ndtr(input):
    lib = namespace(input)
    left = lib.minimum(input, -1.0)
    scaled = _scaled_tail(lib, -left * math.sqrt(0.5)) / 2
    right = lib.log1p(-_erfc(lib, lib.maximum(input, -1.0) * math.sqrt(0.5)) / 2)
    return lib.where(input < -1, lib.log(scaled) - left * left / 2, right)


@log_ndtr.vjp(
    "input", r"\bar x = \bar y \odot \sqrt{2 / \pi} \,/ \operatorname{erfcx}(-x / \sqrt{2})"
)
def _(g, input):
    return g * (math.sqrt(2 / math.pi) / erfcx(input * -math.sqrt(0.5)))


@public(NOWHERE, aliases="special.ndtri")
@op(r"x = \Phi(y)", name="special_ndtri")
@doubled
def ndtri(input):
    """Below which x a given share of the normal distribution lies."""
    lib = namespace(input)
    tail = lib.minimum(input, 1 - input)
    x = _inverse_erfc(lib, 2 * lib.clip(tail, 0, 0.5)) * math.sqrt(2)
    return lib.where(tail >= 0, lib.where(input < 0.5, -x, x), math.nan)


@ndtri.vjp("input", r"\bar x = \bar y \odot \sqrt{2 \pi}\, e^{y^2 / 2}")
def _(g, output):
    return g * (exp(output * output * 0.5) * math.sqrt(2 * math.pi))


# ---------------------------------------------------------------------- logarithms and the like
def _times_logarithm(lib: Any, x: Any, logarithm: Any) -> Any:
    nothing = (x == 0) & ~lib.isnan(logarithm)
    return lib.where(nothing, lib.zeros((), logarithm.dtype), x * logarithm)


@public(ELEMENTWISE, aliases="special.xlogy")
@op(r"y = a \ln b", promotes=True)
def xlogy(input, other):
    """a ln b, and 0 where a is 0."""
    lib = _lib(input, other)
    a, b = (_floating(lib.asarray(each)) for each in (input, other))
    return _times_logarithm(lib, a, lib.log(b))


@xlogy.vjp("input", r"\bar a = \bar y \odot \ln b")
def _(g, input, other):
    b = other if hasattr(other, "dtype") else input * 0 + other
    nothing = (input == 0) & (b <= 0)
    return where(nothing, 0.0, g * log(where(nothing, 1.0, b)))


@xlogy.vjp("other", r"\bar b = \bar y \odot a / b")
def _(g, input, other):
    return g * (input / other)


@public(NOWHERE, aliases="special.xlog1py")
@op(r"y = a \ln (1 + b)", promotes=True, name="special_xlog1py")
def xlog1py(input, other):
    """a ln (1 + b), and 0 where a is 0."""
    lib = _lib(input, other)
    a, b = (_floating(lib.asarray(each)) for each in (input, other))
    return _times_logarithm(lib, a, lib.log1p(b))


@xlog1py.vjp("input", r"\bar a = \bar y \odot \ln(1 + b)")
def _(g, input, other):
    b = other if hasattr(other, "dtype") else input * 0 + other
    nothing = (input == 0) & (b <= -1)
    return where(nothing, 0.0, g * log1p(where(nothing, 0.0, b)))


@xlog1py.vjp("other", r"\bar b = \bar y \odot a / (1 + b)")
def _(g, input, other):
    return g * (input / (other + 1))


@public(NOWHERE, aliases="special.entr")
@op(r"y = -x \ln x", name="special_entr")
@doubled
def entr(input):
    """What an outcome of probability x adds to the entropy: 0 at 0, -inf below."""
    lib = namespace(input)
    inside = -input * lib.log(lib.where(input > 0, input, 1.0))
    return lib.where(input < 0, -math.inf, inside)


@entr.vjp("input", r"\bar x = -\bar y \odot (1 + \ln x)")
def _(g, input):
    return g * (-log(input) - 1)


@public(ELEMENTWISE, aliases="special.logit")
@op(r"y = \ln \frac{x}{1 - x}")
def logit(input, eps=None):
    """The inverse of sigmoid; `eps` keeps x between eps and 1 - eps."""
    x = _floating(input)
    lib = namespace(x)
    if eps is not None:
        x = lib.clip(x, x.dtype.type(eps), x.dtype.type(1 - eps))
    return lib.log(x / (1 - x))


@logit.vjp("input", r"\bar x = \frac{\bar y}{x (1 - x)}")
def _(g, input, eps):
    low, high, beyond = (0.0, 1.0, math.nan) if eps is None else (eps, 1 - eps, 0.0)
    inside = (input >= low) & (input <= high)
    x = where(inside, input, 0.5)
    return where(inside, g / (x * (1 - x)), beyond)


@public(ELEMENTWISE, aliases="special.sinc")
@op(r"y = \frac{\sin \pi x}{\pi x}")
def sinc(input):
    x = _floating(input)
    return namespace(x).sinc(x).astype(x.dtype)


@sinc.vjp("input", r"\bar x = \bar y \odot \frac{\cos \pi x - y}{x}")
def _(g, input):
    x = where(input == 0, 1.0, input)
    t = x * math.pi
    return g * where(input == 0, 0.0, (cos(t) - sin(t) / t) / x)
