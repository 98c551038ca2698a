"""Special functions that array libraries lack."""

from __future__ import annotations

import math
from typing import Any

from labtorch.backend.arrays import namespace
from labtorch.engine.op import op
from labtorch.ops.arithmetic import _floating, exp

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


@op(r"y = \frac{2}{\sqrt{\pi}} \int_0^x e^{-t^2}\,\mathrm{d}t")
def erf(input):
    """The error function, to the last digits of float64."""
    lib = namespace(input)
    x = _floating(input)
    wide = x.astype("float64") if x.dtype.kind == "f" else x
    y = lib.abs(wide)
    small = wide * _ratio(lib.minimum(y, 0.5) ** 2, SMALL)
    capped = lib.minimum(y, 4.0)
    tail = lib.exp(-capped * capped) * _ratio(capped, MIDDLE)
    if y.size and y.max() > 4.0:
        far = lib.maximum(y, 4.0)
        square = 1 / (far * far)
        series = (1 / math.sqrt(math.pi) - square * _ratio(square, LARGE)) / far
        tail = lib.where(y > 4.0, lib.exp(-far * far) * series, tail)
    result = lib.where(y < 0.46875, small, lib.sign(wide) * (1 - tail))
    return lib.where(lib.isnan(wide), wide, result).astype(x.dtype)


@erf.vjp("input", r"\bar x = \bar y \odot \frac{2}{\sqrt{\pi}} e^{-x^2}")
def _(g, input):
    return g * (exp(-(input * input)) * (2 / math.sqrt(math.pi)))
