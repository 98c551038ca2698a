"""Bessel's and Airy's functions.

Integrals over a period, and over a line along which the integrand falls off doubly exponentially,
are computed by the trapezoidal rule, which converges geometrically there. Source: Trefethen,
Weideman, "The exponentially convergent trapezoidal rule" (2014). Series and integrals: NIST
Digital Library of Mathematical Functions (DLMF), chapters 9 and 10.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from labtorch.backend.arrays import namespace
from labtorch.engine.op import op
from labtorch.engine.public import ELEMENTWISE, NOWHERE, public
from labtorch.ops.arithmetic import sign, where
from labtorch.ops.special import doubled

GAMMA = 0.57721566490153286
POINTS = 72  # the sums below hold J_k up to k = 69, which at 25 is 0 to the last digit
ANGLES = math.pi * np.arange(POINTS) / POINTS
FAR = 25.0  # from where on Hankel's asymptotic series serve


def _hankel(order: int) -> list[float]:
    """a_k of DLMF 10.17.1."""
    found = [1.0]
    for k in range(1, 26):
        found.append(found[-1] * (4 * order**2 - (2 * k - 1) ** 2) / (8 * k))
    return found


def _series(terms: list[float], z: Any) -> Any:
    total = terms[-1]
    for each in terms[-2::-1]:
        total = total * z + each
    return total


# ------------------------------------------------------------------------------ J and Y
# Neumann's series of Y_0 and Y_1 (DLMF 10.8), their J_k as integrals over the same angles: weights
WEIGHTS_0 = sum((-1) ** k * np.cos(2 * k * ANGLES) / k for k in range(1, 35))
WEIGHTS_1 = sum(
    (-1) ** k * (2 * k + 1) / (k * (k + 1)) * np.sin((2 * k + 1) * ANGLES) for k in range(1, 35)
)


def _near(lib: Any, x: Any, order: int) -> tuple[Any, Any]:
    """J and Y of order 0 or 1 for 0 < x <= 25, from integrals of cos or sin of x sin(angle)."""
    even = odd = neumann = 0.0
    for k in range(POINTS):
        phase = x * math.sin(ANGLES[k])
        cosine = lib.cos(phase)
        even = even + cosine
        if order:
            sine = lib.sin(phase)
            odd = odd + sine * math.sin(ANGLES[k])
            neumann = neumann + sine * WEIGHTS_1[k]
        else:
            neumann = neumann + cosine * WEIGHTS_0[k]
    J0, J1, total = even / POINTS, odd / POINTS, neumann / POINTS
    logarithm = lib.log(x / 2) + GAMMA
    if order == 0:
        return J0, (2 / math.pi) * (logarithm * J0 - 2 * total)
    return J1, (2 / math.pi) * ((logarithm - 1) * J1 - J0 / x - total)


def _far(lib: Any, x: Any, order: int) -> tuple[Any, Any]:
    """J and Y for x > 25 (DLMF 10.17.3, 10.17.4)."""
    a, square = _hankel(order), -1 / (x * x)
    P, Q = _series(a[0::2], square), _series(a[1::2], square) / x
    size, c, s = 1 / lib.sqrt(math.pi * x), lib.cos(x), lib.sin(x)
    # cos and sin of x - pi/4 (order 1: x - 3 pi/4), times sqrt 2, without rounding the difference
    cosine, sine = (c + s, s - c) if order == 0 else (s - c, -(c + s))
    return size * (P * cosine - Q * sine), size * (P * sine + Q * cosine)


def _bessel(lib: Any, x: Any, order: int, second: bool) -> Any:
    y = lib.abs(x)
    usual = lib.isfinite(y) & (y > 0)
    near = _near(lib, lib.where(usual, lib.minimum(y, FAR), 1.0), order)[second]
    far = _far(lib, lib.where(usual, lib.maximum(y, FAR), FAR), order)[second]
    found = lib.where(y <= FAR, near, far)
    if second:
        found = lib.where(y == 0, -math.inf, lib.where(x < 0, math.nan, found))
    else:
        found = lib.where(y == 0, 1.0 - order, found * lib.sign(x) if order else found)
    return lib.where(lib.isnan(x), x, lib.where(lib.isinf(y) & ~(second & (x < 0)), 0.0, found))


@public(NOWHERE, aliases="special.bessel_j0")
@op(r"y = J_0(x)", name="special_bessel_j0")
@doubled
def bessel_j0(input):
    return _bessel(namespace(input), input, 0, False)


@bessel_j0.vjp("input", r"\bar x = -\bar y \odot J_1(x)")
def _(g, input):
    return -(g * bessel_j1(input))


@public(NOWHERE, aliases="special.bessel_j1")
@op(r"y = J_1(x)", name="special_bessel_j1")
@doubled
def bessel_j1(input):
    return _bessel(namespace(input), input, 1, False)


@bessel_j1.vjp("input", r"\bar x = \bar y \odot (J_0(x) - J_1(x) / x)")
def _(g, input):
    return g * where(input == 0, 0.5, bessel_j0(input) - _ratio_to(bessel_j1(input), input))


@public(NOWHERE, aliases="special.bessel_y0")
@op(r"y = Y_0(x)", name="special_bessel_y0")
@doubled
def bessel_y0(input):
    return _bessel(namespace(input), input, 0, True)


@bessel_y0.vjp("input", r"\bar x = -\bar y \odot Y_1(x)")
def _(g, input):
    return -(g * bessel_y1(input))


@public(NOWHERE, aliases="special.bessel_y1")
@op(r"y = Y_1(x)", name="special_bessel_y1")
@doubled
def bessel_y1(input):
    return _bessel(namespace(input), input, 1, True)


@bessel_y1.vjp("input", r"\bar x = \bar y \odot (Y_0(x) - Y_1(x) / x)")
def _(g, input):
    return g * (bessel_y0(input) - bessel_y1(input) / input)


@public(NOWHERE, aliases="special.spherical_bessel_j0")
@op(r"y = \frac{\sin x}{x}", name="special_spherical_bessel_j0")
@doubled
def spherical_bessel_j0(input):
    lib = namespace(input)
    found = lib.sin(input) / lib.where(input == 0, 1.0, input)
    return lib.where(input == 0, 1.0, lib.where(lib.isinf(input), 0.0, found))


# ------------------------------------------------------------------------------ I and K
def _scaled_i(lib: Any, x: Any, order: int) -> Any:
    """exp(-|x|) I(x): the power series (DLMF 10.25.2), all of whose terms are positive, up to 25,
    and from there the asymptotic one (DLMF 10.40.1)."""
    y = lib.abs(x)
    near, far = lib.minimum(y, FAR), lib.maximum(y, FAR)
    quarter = near * near / 4
    term = total = lib.ones_like(near) if order == 0 else near / 2
    for k in range(1, 70):
        term = term * quarter / (k * (k + order))
        total = total + term
    signs = [(-1) ** k * a for k, a in enumerate(_hankel(order))]
    asymptotic = _series(signs, 1 / far) / lib.sqrt(2 * math.pi * far)
    found = lib.where(y <= FAR, lib.exp(-near) * total, asymptotic)
    return found * lib.sign(x) if order else found


def _ratio_to(y: Any, x: Any) -> Any:
    """y / x, at 0 of an odd function: left to the caller."""
    return y / where(x == 0, 1.0, x)


@public(ELEMENTWISE, aliases="special.i0 special.modified_bessel_i0")
@op(r"y = I_0(x)")
@doubled
def i0(input):
    lib = namespace(input)
    return lib.exp(lib.abs(input)) * _scaled_i(lib, input, 0)


@i0.vjp("input", r"\bar x = \bar y \odot I_1(x)")
def _(g, input):
    return g * i1(input)


@public(NOWHERE, aliases="special.i1 special.modified_bessel_i1")
@op(r"y = I_1(x)", name="special_i1")
@doubled
def i1(input):
    lib = namespace(input)
    return lib.exp(lib.abs(input)) * _scaled_i(lib, input, 1)


@i1.vjp("input", r"\bar x = \bar y \odot (I_0(x) - y / x)")
def _(g, input, output):
    return g * where(input == 0, 0.5, i0(input) - _ratio_to(output, input))


@public(NOWHERE, aliases="special.i0e")
@op(r"y = e^{-|x|} I_0(x)", name="special_i0e")
@doubled
def i0e(input):
    return _scaled_i(namespace(input), input, 0)


@i0e.vjp("input", r"\bar x = \bar y \odot (e^{-|x|} I_1(x) - y \operatorname{sign} x)")
def _(g, input, output):
    return g * (i1e(input) - sign(input) * output)


@public(NOWHERE, aliases="special.i1e")
@op(r"y = e^{-|x|} I_1(x)", name="special_i1e")
@doubled
def i1e(input):
    return _scaled_i(namespace(input), input, 1)


@i1e.vjp("input", r"\bar x = \bar y \odot (e^{-|x|} I_0(x) - y (\operatorname{sign} x + 1 / x))")
def _(g, input, output):
    slope = i0e(input) - output * sign(input) - _ratio_to(output, input)
    return g * where(input == 0, 0.5, slope)


def _scaled_k(lib: Any, x: Any, order: int) -> Any:
    """exp(x) K(x): series (DLMF 10.31) up to 1, then the integral over t of
    exp(-x (cosh t - 1)) cosh(order t) (DLMF 10.32.9)."""
    usual = lib.where((x > 0) & lib.isfinite(x), x, 1.0)
    near, far = lib.minimum(usual, 1.0), lib.maximum(usual, 1.0)
    quarter, logarithm = near * near / 4, lib.log(near / 2) + GAMMA
    term = lib.ones_like(near)
    series, harmonic = -logarithm if order == 0 else logarithm - 0.5, 0.0
    for k in range(1, 20):
        harmonic += 1 / k
        term = term * quarter / (k * (k + order))
        inner = harmonic + (0 if order == 0 else 0.5 / (k + 1))
        series = series + term * (inner - logarithm if order == 0 else logarithm - inner)
    if order:
        series = 1 / near + near / 2 * series
    step = lib.arccosh(1 + 40 / far) / 40
    integral = 0.5
    for k in range(1, 41):
        t = k * step
        weight = lib.exp(-2 * far * lib.sinh(t / 2) ** 2)
        integral = integral + (weight * lib.cosh(t) if order else weight)
    found = lib.where(usual <= 1, lib.exp(near) * series, step * integral)
    found = lib.where(x == 0, math.inf, lib.where(x < 0, math.nan, found))
    return lib.where(lib.isnan(x), x, lib.where(lib.isposinf(x), 0.0, found))


def _modified_k(order: int) -> Any:
    @public(NOWHERE, aliases=f"special.scaled_modified_bessel_k{order}")
    @op(rf"y = e^{{x}} K_{order}(x)", name=f"special_scaled_modified_bessel_k{order}")
    @doubled
    def scaled(x):
        return _scaled_k(namespace(x), x, order)

    return scaled


scaled_modified_bessel_k0, scaled_modified_bessel_k1 = _modified_k(0), _modified_k(1)


@public(NOWHERE, aliases="special.modified_bessel_k0")
@op(r"y = K_0(x)", name="special_modified_bessel_k0")
@doubled
def modified_bessel_k0(input):
    lib = namespace(input)
    return lib.exp(-input) * _scaled_k(lib, input, 0)


@modified_bessel_k0.vjp("input", r"\bar x = -\bar y \odot K_1(x)")
def _(g, input):
    return -(g * modified_bessel_k1(input))


@public(NOWHERE, aliases="special.modified_bessel_k1")
@op(r"y = K_1(x)", name="special_modified_bessel_k1")
@doubled
def modified_bessel_k1(input):
    lib = namespace(input)
    return lib.exp(-input) * _scaled_k(lib, input, 1)


@modified_bessel_k1.vjp("input", r"\bar x = -\bar y \odot (K_0(x) + K_1(x) / x)")
def _(g, input, output):
    return -(g * (modified_bessel_k0(input) + output / input))


# ---------------------------------------------------------------------------------- Airy
@public(NOWHERE, aliases="special.airy_ai")
@op(r"y = \operatorname{Ai}(x)", name="special_airy_ai")
@doubled
def airy_ai(x):
    """The integral over t = s + i h of exp(i (t^3 / 3 + x t)) / (2 pi), through the saddle for
    positive x (DLMF 9.5.4); below -10 the asymptotic series (DLMF 9.7.9)."""
    lib = namespace(x)
    near = lib.clip(lib.where(lib.isnan(x), 0.0, x), -10.0, 110.0)
    height = lib.sqrt(lib.maximum(near, 0.0) + 0.3)
    step = lib.sqrt(40 / height) / 160
    total = 0.5
    for k in range(1, 161):
        s = k * step
        phase = s**3 / 3 + s * (near - height * height)
        total = total + lib.exp(-height * s * s) * lib.cos(phase)
    found = total * step / math.pi * lib.exp(height**3 / 3 - near * height)
    far = lib.maximum(-x, 10.0)
    power = 2 / 3 * far**1.5
    u = [1.0]
    for k in range(1, 14):
        u.append(u[-1] * (6 * k - 5) * (6 * k - 3) * (6 * k - 1) / (216 * k * (2 * k - 1)))
    even, odd = _series(u[0::2], -1 / power**2), _series(u[1::2], -1 / power**2) / power
    phase = power - math.pi / 4
    left = (lib.cos(phase) * even + lib.sin(phase) * odd) / (math.sqrt(math.pi) * far**0.25)
    found = lib.where(x < -10, left, lib.where(x > 110, 0.0, found))
    return lib.where(lib.isnan(x) | lib.isneginf(x), math.nan, found)
